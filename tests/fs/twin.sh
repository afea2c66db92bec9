#!/bin/bash
# twin.sh - the same calls on ext4 and on a vault: every answer is compared, and the trees at the end, also after a
# remount and after a rebuild of the database.
# Usage: twin.sh turns|free PROCESSES [CALLS [SEED]]   or   twin.sh kept
# VAULTFS_TEST_SEED repeats a run.
. "$(dirname "$0")/../mounted/lib.sh"
mode=$1 processes=${2:-1}
calls=${3:-$([[ $SLOW == 1 ]] && echo 10000 || echo 100000)}
seed=${4:-${VAULTFS_TEST_SEED:-0}}

oracle_directory
make_vault --chunk-size 16K --pack-size 1M
options=commit=1
is_root && options+=,allow_other,dev,suid # as the oracle is mounted
mount_vault -o "$options"
chmod 755 "$WORK"
mkdir "$MNT/twin" "$ORACLE/twin"
export TREESUM=$VAULTFS_HELPERS/treesum
export TWIN_REMOUNT="'$VAULTFS' umount '$MNT' && '$VAULTFS' mount '$VAULT' '$MNT' -o '$options'"

if [[ $mode == kept ]]; then
  expect "what went wrong once does not again" \
    "$VAULTFS_HELPERS/twin" replay "$ORACLE/twin" "$MNT/twin" "$(dirname "$0")"/kept/*.ops
  umount_vault
  exit
fi

expect "the vault answers as the oracle does" \
  "$VAULTFS_HELPERS/twin" random "$ORACLE/twin" "$MNT/twin" "$seed" "$calls" "$processes" "$mode"
remount_vault -o "$options"
same_tree "mounted again" "$ORACLE/twin" "$MNT/twin" -t
umount_vault
expect "the database is built anew" "$VAULTFS" rebuild "$VAULT"
mount_vault -o "$options"
same_tree "rebuilt from the packs" "$ORACLE/twin" "$MNT/twin" -t
umount_vault
