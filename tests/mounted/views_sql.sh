#!/bin/bash
# views_sql.sh [SEED [STEPS]] - thousands of random changes of files, tags and rules through a mount; what views show then is
# what plain SQL finds. So it is behind a mount anew, and behind a rebuild.
. "$(dirname "$0")/lib.sh"
need sqlite3
steps=${2:-$((SLOW ? 1000 : 4000))}
make_vault
export VAULTFS

# What is known of files, by their names.
known() {
  sqlite3 "$VAULT/vault.db" "SELECT f.*, s.rating, s.favorite, s.hidden FROM (SELECT d.path || '/' || e.name, e.inode_id AS id,
    (SELECT group_concat(t.folded) FROM asset_tags a JOIN tags t ON t.id = a.tag_id WHERE a.inode_id = e.inode_id ORDER BY 1)
    FROM entries e JOIN directories d ON d.id = e.directory_id) f LEFT JOIN assets s ON s.inode_id = f.id ORDER BY 1;
    SELECT * FROM tags ORDER BY id; SELECT * FROM tag_aliases ORDER BY 1; SELECT * FROM tag_implications ORDER BY 1, 2"
}

mount_vault -o index=no
part "$steps changes"
expect "what SQL says" "$VAULTFS_HELPERS/views_sql" "$MNT" "$VAULT" "$steps" "${1:-0}"
part "mounted anew"
remount_vault -o index=no
expect "what SQL says" "$VAULTFS_HELPERS/views_sql" "$MNT" "$VAULT" 0 "${1:-0}"
umount_vault
part "rebuilt"
known >"$WORK/before"
expect "check" "$VAULTFS" check "$VAULT"
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
known >"$WORK/after"
expect "the same is known" cmp "$WORK/before" "$WORK/after"
mount_vault -o index=no
expect "what SQL says" "$VAULTFS_HELPERS/views_sql" "$MNT" "$VAULT" 0 "${1:-0}"
umount_vault
