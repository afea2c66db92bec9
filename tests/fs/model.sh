#!/bin/bash
# model.sh - random calls against what cannot be wrong: file content against buffers in memory, names against ext4.
# Usage: model.sh data|names [SEED [STEPS]]
. "$(dirname "$0")/../mounted/lib.sh"
kind=$1 seed=${2:-0}
steps=${3:-$([[ $SLOW == 1 ]] && echo 4000 || echo 20000)}

oracle_directory
make_vault --chunk-size 16K --pack-size 1M
mount_vault -o commit=1
mkdir "$MNT/model" "$ORACLE/model"

if [[ $kind == data ]]; then
  run "$VAULTFS_HELPERS/model" data "$MNT/model" "$seed" "$steps" "$ORACLE/model"
else
  run "$VAULTFS_HELPERS/model" names "$MNT/model" "$ORACLE/model" "$seed" "$steps"
fi
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
