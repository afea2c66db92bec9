#!/bin/bash
# power_mount.sh - power cuts below the real command: what its daemon writes is recorded, and its disks are mounted.
# Usage: power_mount.sh [SEED [STATES]]
. "$(dirname "$0")/in_memory.sh"
. "$(dirname "$0")/../mounted/lib.sh"
seed=${1:-0}
if [[ $SLOW == 1 ]]; then
  states=${2:-40} calls=150 mounts=3
else
  states=${2:-300} calls=600 mounts=10
fi

# A daemon whose every write is noted, and which adds nothing to what it is asked for; the sanitizers' own wrappers may stand behind.
start_recorded() {
  VAULTFS_INTERPOSE=record VAULTFS_INTERPOSE_ROOT=$WORK/disk VAULTFS_INTERPOSE_LOG=$WORK/log \
    ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0 LD_PRELOAD=$VAULTFS_HELPERS/libinterpose.so \
    "$VAULTFS" mount -f -o commit=1,inherit=no,seen=no "$VAULT" "$MNT" >"$WORK/daemon.log" 2>&1 &
  BACKGROUND+=($!)
  eventually 30 "the daemon is up" mounted
}

mkdir "$WORK/disk" "$WORK/states"
VAULT=$WORK/disk/test.vault
make_vault --chunk-size 16K --pack-size 1M
start_recorded

part "$states power cuts below the command"
expect "contract 1 holds" "$VAULTFS_HELPERS/power" --seed "$seed" --states "$states" --calls "$calls" \
  --work "$WORK/states" --mount "$MNT" --disk "$WORK/disk" --log "$WORK/log" --end "'$VAULTFS' umount '$MNT'" \
  --export "$mounts"

part "$mounts of these disks, by the command"
for disk in "$WORK"/states/export-*; do
  VAULT=$disk/test.vault
  mount_vault
  expect "all can be read" "$VAULTFS_HELPERS/treesum" "$MNT" >/dev/null
  echo more >"$MNT/more" || fail "it cannot be written to"
  remember_tree "$WORK/tree"
  remount_vault
  same_as_remembered "nothing is lost" "$WORK/tree"
  umount_vault
  expect "it is whole" "$VAULTFS" check --deep --quiet "$VAULT"
done
