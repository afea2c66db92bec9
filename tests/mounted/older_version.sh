#!/bin/bash
# older_version.sh - a vault that version 1 of the schema made opens with everything in it, and is then of this version.
. "$(dirname "$0")/lib.sh"
need sqlite3 setfattr

expect "unpack" tar -xzf "$(dirname "$0")/version1/v1.tar.gz" -C "$WORK"
VAULT=$WORK/old.vault
expect_equal "it is of version 1" "$(sqlite3 "$VAULT/vault.db" 'PRAGMA user_version')" 1

everything_is_there() {
  expect_equal "content" "$(sha256sum <"$MNT/Holiday/2024/numbers.txt")" "$(seq 20000 | sha256sum)"
  expect_equal "the same content" "$(sha256sum <"$MNT/copy.txt")" "$(seq 20000 | sha256sum)"
  expect_equal "tags" "$(getfattr --only-values -n user.xdg.tags "$MNT/Holiday/2024/numbers.txt")" "Beach, place/italy/rome"
  expect_equal "a tag in another spelling" "$(getfattr --only-values -n user.xdg.tags "$MNT/copy.txt")" "beach"
  expect_equal "a note" "$(getfattr --only-values -n user.xdg.comment "$MNT/copy.txt")" "a note"
  expect_equal "a rating" "$(getfattr --only-values -n user.baloo.rating "$MNT/copy.txt")" 8
  expect_equal "a type" "$(getfattr --only-values -n user.mime_type "$MNT/copy.txt")" text/plain
  expect_equal "an attribute" "$(getfattr --only-values -n user.other "$MNT/Holiday/note.md")" kept
  expect_equal "a link" "$(readlink "$MNT/link")" copy.txt
}

part "mounted"
mount_vault
everything_is_there
setfattr -n user.xdg.tags -v 'new, Beach' "$MNT/copy.txt"
umount_vault
expect_equal "it is of this version" "$(sqlite3 "$VAULT/vault.db" 'PRAGMA user_version')" 2
expect_equal "tags are counted" "$(sqlite3 "$VAULT/vault.db" \
  "SELECT group_concat(name || ' ' || files) FROM (SELECT name, files FROM tags JOIN tag_counts ON tag_id = id ORDER BY folded)")" \
  "Beach 2,new 1,place/italy/rome 1"

part "changes of both versions are rebuilt together"
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
mount_vault
expect_equal "tags of both" "$(getfattr --only-values -n user.xdg.tags "$MNT/copy.txt" "$MNT/Holiday/2024/numbers.txt" 2>/dev/null)" \
  "new, BeachBeach, place/italy/rome"
umount_vault
expect "check" "$VAULTFS" check --deep "$VAULT"
