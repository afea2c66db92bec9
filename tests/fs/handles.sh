#!/bin/bash
# handles.sh - file handles, as NFS clients keep them, over remounts, a rebuild and a copy of the vault.
. "$(dirname "$0")/../mounted/lib.sh"

is_root || { skip_line "only root may open by handle"; exit 0; }
handle=$VAULTFS_HELPERS/handle

handles_work() { # WHEN
  expect_equal "$1: the file" "$("$handle" read "$MNT" "$WORK/file")" "kept"
  expect_equal "$1: the directory" "$("$handle" read "$MNT" "$WORK/directory")" "a directory"
  expect_equal "$1: the top" "$("$handle" read "$MNT" "$WORK/top")" "a directory"
  expect_equal "$1: what was removed" "$("$handle" read "$MNT" "$WORK/removed")" ESTALE
  expect_equal "$1: inode numbers" "$(cd "$MNT" && find . -printf '%i %P\n' | sort)" "$numbers"
}

make_vault
mount_vault
mkdir -p "$MNT/a/directory"
echo kept >"$MNT/a/directory/file"
echo removed >"$MNT/removed"
expect "handles are saved" "$handle" save "$MNT/a/directory/file" "$WORK/file"
expect "of a directory" "$handle" save "$MNT/a/directory" "$WORK/directory"
expect "of the top" "$handle" save "$MNT" "$WORK/top"
expect "of what is removed" "$handle" save "$MNT/removed" "$WORK/removed"
mv "$MNT/a" "$MNT/b"
rm "$MNT/removed"
echo new >"$MNT/removed"
numbers=$(cd "$MNT" && find . -printf '%i %P\n' | sort)
handles_work "at once"
remount_vault
handles_work "after a remount"
expect "sync" "$VAULTFS" sync "$MNT"
kill_daemon
mount_vault
handles_work "after the daemon was killed"
umount_vault
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
mount_vault
handles_work "after a rebuild"
umount_vault
