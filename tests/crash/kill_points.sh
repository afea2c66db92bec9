#!/bin/bash
# kill_points.sh - SIGKILL at every named step of the daemon: what comes back is one moment with all that was promised.
# Usage: kill_points.sh [SEED [ROUNDS]]; a round each for the points of store/kill_point.h, further ones at later passings.
. "$(dirname "$0")/../mounted/lib.sh"
seed=${1:-0}
if [[ $SLOW == 1 ]]; then
  rounds=${2:-50} slack=4 pace=200
else
  rounds=${2:-60} slack=1 pace=100
fi

# On a disk of its own, which can be filled.
if is_root; then
  mkdir "$WORK/disk"
  truncate -s 768M "$WORK/disk.img"
  expect "mkfs" mkfs.ext4 -q -F -m 0 "$WORK/disk.img"
  expect "loop mount" mount -o loop "$WORK/disk.img" "$WORK/disk"
  SCRATCH_MOUNTS+=("$WORK/disk")
  VAULT=$WORK/disk/test.vault
  part "$rounds kills at named points"
  make_vault --chunk-size 16K --pack-size 1M
  expect "contract 1 holds" "$VAULTFS_HELPERS/crash" --points --checker "$VAULTFS" --rounds "$rounds" --seed "$seed" --commit 1 \
    --slack "$slack" --pace "$pace" "$VAULTFS_HELPERS/vaultfs-kill" "$VAULT" "$MNT"
else
  skip_line "a disk that can be filled needs root"
fi
