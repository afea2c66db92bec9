#!/bin/bash
# torture.sh - random changes and reads of two files by two processes, against buffers in memory, which cannot be wrong.
# Between rounds the vault is mounted anew, or its daemon is killed right after everything was synced.
# Usage: torture.sh [SEED [STEPS [IDLE]]]
# VAULTFS_TEST_SEED repeats a run. With IDLE, a number of seconds, it is sometimes left alone for that long: files that
# were written in small pieces are cut anew after a minute.
. "$(dirname "$0")/../mounted/lib.sh"
seed=${1:-${VAULTFS_TEST_SEED:-0}}
steps=${2:-$([[ $SLOW == 1 ]] && echo 4000 || echo 20000)}
idle=${3:-0}

oracle_directory
make_vault --chunk-size 16K --pack-size 1M
mount_vault -o commit=60 # so that syncing is what makes it durable
mkdir "$MNT/torture" "$ORACLE/torture"

mount="'$VAULTFS' mount '$VAULT' '$MNT' -o commit=60"
kill="kill -KILL \$(grep -oE '[0-9]+' '$VAULT/lock' | head -n 1) && flock -w 20 '$VAULT/lock' true &&
  { fusermount3 -u -q '$MNT' || fusermount3 -u -z -q '$MNT'; } && $mount"
export TORTURE_REMOUNT="'$VAULTFS' umount '$MNT' && $mount"
export TORTURE_KILL="$kill"
export TORTURE_SYNC_AND_KILL="'$VAULTFS' sync '$MNT' && $kill"
[[ $idle == 0 ]] || export TORTURE_IDLE="sleep $idle"

expect "the files hold what was written" \
  "$VAULTFS_HELPERS/torture" "$MNT/torture" "$seed" "$steps" "$ORACLE/torture"
same_tree "at the end" "$ORACLE/torture" "$MNT/torture" -t
remount_vault
same_tree "mounted again" "$ORACLE/torture" "$MNT/torture" -t
umount_vault
expect "the vault is whole" "$VAULTFS" check --deep "$VAULT"
expect "the database is built anew" "$VAULTFS" rebuild "$VAULT"
mount_vault
same_tree "rebuilt from the packs" "$ORACLE/torture" "$MNT/torture" -t
umount_vault
