#!/bin/bash
# rebuild_damage.sh - a rebuild over a damaged record loses no more than what was hit, and never the better database.
. "$(dirname "$0")/lib.sh"
need sqlite3
CHECK_AT_END=0 # the damaged records stay in their packs

# damage OFFSET-FROM-THE-LAST: two bytes in the header of a chunk's record, counted from the last chunk in use.
damage() {
  local pack offset
  read -r pack offset < <(sqlite3 -separator ' ' "$VAULT/vault.db" \
    "SELECT pack_id, pack_offset FROM chunks WHERE refs > 0 ORDER BY id DESC LIMIT 1 OFFSET $1")
  printf '\377\377' | dd of="$(printf '%s/packs/%08d.pack' "$VAULT" "$pack")" bs=1 seek=$((offset + 20)) conv=notrunc status=none
}

part "a rebuild over one damaged chunk header"
make_vault --pack-size 1M
mount_vault
head -c 3000000 /dev/urandom >"$MNT/b"
umount_vault
mount_vault
head -c 3000000 /dev/urandom >"$WORK/later"
cp "$WORK/later" "$MNT/later"
umount_vault
in_b=$(sqlite3 "$VAULT/vault.db" "SELECT count(*) + 3 FROM extents x JOIN inodes i ON i.manifest_id = x.manifest_id
  JOIN entries e ON e.inode_id = i.id WHERE e.name = 'later'")
damage "$in_b"
expect "the rebuild goes on behind the damage" "$VAULTFS" rebuild "$VAULT" 2>"$WORK/rebuild"
mount_vault
expect "the file is still there" test -e "$MNT/b"
expect_not "its damaged bytes cannot be read" cat "$MNT/b" >/dev/null 2>&1
expect "its first bytes can" head -c 1000 "$MNT/b" >/dev/null
expect "what came later is whole" cmp "$WORK/later" "$MNT/later"
expect "the file can be deleted" rm "$MNT/b"
umount_vault

part "a rebuild over damage in the last commit"
mount_vault
head -c 1000000 /dev/urandom >"$MNT/last"
umount_vault
before=$(sqlite3 "$VAULT/vault.db" 'SELECT commit_number FROM state')
damage 0
run "$VAULTFS" rebuild "$VAULT"
after=$(sqlite3 "$VAULT/vault.db" 'SELECT commit_number FROM state')
expect_equal "the rebuild refuses" "$STATUS" 1
expect_equal "the old database stays" "$after" "$before"
mount_vault -o ro
expect "the last file is there" test -e "$MNT/last"
expect "what came before is whole" cmp "$WORK/later" "$MNT/later"
umount_vault
expect "it is replaced if that is wanted" "$VAULTFS" rebuild --force "$VAULT" 2>"$WORK/rebuild"
mount_vault -o ro
expect "what came before is whole" cmp "$WORK/later" "$MNT/later"
umount_vault
