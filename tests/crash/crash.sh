#!/bin/bash
# crash.sh - SIGKILL at random moments under load: what comes back is one moment, and not too old a one.
# Usage: crash.sh [SEED [ROUNDS]]
. "$(dirname "$0")/../mounted/lib.sh"
seed=${1:-0}
if [[ $SLOW == 1 ]]; then
  rounds=${2:-12} slack=4 pace=200
else
  rounds=${2:-50} slack=1 pace=100
fi

part "the checker itself"
mkdir "$WORK/plain"
expect "the checker sees what it must" "$VAULTFS_HELPERS/crash" --self-test "$WORK/plain"

part "$rounds kills"
[[ -c /dev/fuse ]] || fail "/dev/fuse is missing: crash tests cannot run here"
make_vault --chunk-size 16K --pack-size 1M
expect "contract 1 holds" "$VAULTFS_HELPERS/crash" --rounds "$rounds" --seed "$seed" --commit 1 --slack "$slack" \
  --pace "$pace" "$VAULTFS" "$VAULT" "$MNT"

part "a rebuild finds the same"
mount_vault
remember_tree "$WORK/tree"
umount_vault
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
mount_vault
same_as_remembered "rebuilt after all the kills" "$WORK/tree"
umount_vault
