#!/bin/bash
# model.sh - random calls on files against buffers in memory, which cannot be wrong.
# Usage: model.sh [SEED [STEPS]]
. "$(dirname "$0")/../mounted/lib.sh"
seed=${1:-${VAULTFS_TEST_SEED:-0}}
steps=${2:-$([[ $SLOW == 1 ]] && echo 4000 || echo 20000)}

oracle_directory
make_vault --chunk-size 16K --pack-size 1M
mount_vault -o commit=1
mkdir "$MNT/model" "$ORACLE/model"

run "$VAULTFS_HELPERS/model" data "$MNT/model" "$seed" "$steps" "$ORACLE/model"
echo "$OUT"
[[ $STATUS == 0 ]] || fail "$ERR"
same_tree "at the end" "$ORACLE/model" "$MNT/model" -t
remount_vault
same_tree "mounted again" "$ORACLE/model" "$MNT/model" -t
umount_vault
expect "the database is built anew" "$VAULTFS" rebuild "$VAULT"
mount_vault
same_tree "rebuilt from the packs" "$ORACLE/model" "$MNT/model" -t
umount_vault
