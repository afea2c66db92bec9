#!/bin/bash
# ends.sh - how a mount ends, or goes on: signals, a closed terminal, a stopped process, and what becomes of the mount
# point, the vault's directory and the disk below it meanwhile.
. "$(dirname "$0")/lib.sh"
need sqlite3 script timeout

part "the vault's directory is renamed, and another vault stands under its name"
make_vault
mount_vault -o commit=1
seq 1000 >"$MNT/first"
expect "sync" "$VAULTFS" sync "$MNT"
pid=$(daemon_pid)
mv "$VAULT" "$WORK/moved.vault"
expect "another vault under the old name" "$VAULTFS" init "$VAULT"
mkdir "$WORK/other"
expect "it mounts" "$VAULTFS" mount "$VAULT" "$WORK/other"
SCRATCH_MOUNTS+=("$WORK/other")
seq 5 >"$WORK/other/theirs"
expect "sync" "$VAULTFS" sync "$WORK/other"
other_log=$(stat -c '%i %s' "$VAULT/vault.db-wal") || fail "the other vault has no log"
seq 2000 >"$MNT/second"
expect "sync" "$VAULTFS" sync "$MNT"
expect_equal "the mount names its vault" "$(getfattr --absolute-names --only-values -n user.vaultfs.vault "$MNT")" "$WORK/moved.vault"
expect "commands find it" "$VAULTFS" check -q "$MNT"
expect "umount" "$VAULTFS" umount "$MNT"
expect "it has waited for the daemon" is_gone "$pid"
[[ ! -e $WORK/moved.vault/vault.db-wal ]] || fail "the log stayed in the moved vault"
expect_equal "the other vault's log is as it was" "$(stat -c '%i %s' "$VAULT/vault.db-wal")" "$other_log"
expect "the other one unmounts" "$VAULTFS" umount "$WORK/other"
expect "the other vault is whole" "$VAULTFS" check -q "$VAULT"
rm -rf "$VAULT" && mv "$WORK/moved.vault" "$VAULT"
expect "the moved vault is whole" "$VAULTFS" check -q --deep "$VAULT"
mount_vault
expect "with all in it" sh -c "seq 1000 | cmp - '$MNT/first' && seq 2000 | cmp - '$MNT/second'"
umount_vault
