#!/bin/bash
# moved_vault.sh - another vault takes the place of one that is mounted.
. "$(dirname "$0")/lib.sh"
need python3

part "another vault in the place of one that is mounted"
make_vault
mount_vault -o commit=1
mv "$VAULT" "$WORK/moved.vault"
expect "init" "$VAULTFS" init "$VAULT"
python3 -c 'import os, sys
for i in range(60000): os.mkdir(sys.argv[1] + "/directory %d" % i)' "$MNT"
expect "sync" "$VAULTFS" sync "$MNT"
picture_or_time() { touch "$MNT/wake" && "$VAULTFS" sync "$MNT" && ((SECONDS > until_)); }
until_=$((SECONDS + 4))
eventually 20 "some commits" picture_or_time
expect "umount" "$VAULTFS" umount "$MNT"
rm -rf "$VAULT"
mv "$WORK/moved.vault" "$VAULT"
rm "$VAULT/vault.db"
run "$VAULTFS" stats "$VAULT"
run "$VAULTFS" rebuild "$VAULT"
expect_equal "a rebuild's complaints about pictures" "$ERR" ""
