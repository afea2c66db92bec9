#!/bin/bash
# integrity.sh - what sqlite3 says of vault.db.
. "$(dirname "$0")/lib.sh"
need sqlite3

part "sqlite3 finds vault.db sound"
make_vault --pack-size 1M
mount_vault
head -c 3000000 /dev/urandom >"$MNT/b"
umount_vault
expect_equal "integrity_check" "$(sqlite3 "$VAULT/vault.db" 'PRAGMA integrity_check' | head -n 1)" ok
