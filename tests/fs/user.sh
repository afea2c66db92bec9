#!/bin/bash
# user.sh - an ordinary user's own mount: the same cases on the disk and there, and who else may come in.
#
# Root runs it as somebody else, in a mount namespace of its own, where /dev/fuse and /etc/fuse.conf are what an ordinary
# machine has. Run by an ordinary user, it leaves out what only others can try.
if [[ $(id -u) == 0 && ${1-} != apart ]]; then
  exec unshare --mount --propagation private bash "$0" apart
fi
. "$(dirname "$0")/../mounted/lib.sh"

cd "$WORK" || exit 1
run_as_user
ops=$VAULTFS_HELPERS/ops
as_another=(setpriv --reuid 12345 --regid 12345 --clear-groups)

part "on the disk"
oracle_directory
is_root && chown "$user:$user" "$ORACLE"
expect "the cases hold for the user on the disk" "${as_user[@]}" "$ops" "$ORACLE"

part "on a vault"
make_vault --chunk-size 16K --pack-size 1M
mount_vault -o commit=1
expect "the cases hold for the user on a vault" "${as_user[@]}" "$ops" --vault "$MNT"
expect_equal "the top is the user's" "$("${as_user[@]}" stat -c %u "$MNT")" "$user"
options=$(grep " $MNT " /proc/self/mounts)
for option in nosuid nodev "user_id=$user" default_permissions; do
  [[ $options == *$option* ]] || fail "the mount is not $option: $options"
done

part "what the user may not"
"${as_user[@]}" touch "$MNT/file"
for command in "chown 0 $MNT/file" "chgrp 0 $MNT/file" "mknod $MNT/device c 1 3" "mknod $MNT/device b 8 0"; do
  # shellcheck disable=SC2086
  fails_with "Operation not permitted" "${as_user[@]}" $command
done
"${as_user[@]}" chmod 6755 "$MNT/file"
expect_equal "suid and sgid are kept" "$("${as_user[@]}" stat -c %a "$MNT/file")" 6755

part "a read-only mount"
expect "a tree is made" "${as_user[@]}" "$ops" --make-tree "$MNT"
remount_vault -o ro
expect "it refuses changes" "${as_user[@]}" "$ops" --read-only "$MNT"
umount_vault
is_root || {
  note "only root can be others: left out"
  exit 0
}

part "others without allow_other"
mount_vault
for command in "ls $MNT" "stat $MNT" "cat $MNT/file" "touch $MNT/new"; do
  # shellcheck disable=SC2086
  fails_with "Permission denied" "${as_another[@]}" $command
  # shellcheck disable=SC2086
  fails_with "Permission denied" $command
done
umount_vault

part "others with allow_other"
fails_with "user_allow_other" "$VAULTFS" mount "$VAULT" "$MNT" -o allow_other
echo user_allow_other >"$WORK/fuse.conf"
mount_vault -o allow_other
"${as_user[@]}" chmod 644 "$MNT/file"
expect "another looks" "${as_another[@]}" stat "$MNT/file" >"$WORK/.out"
fails_with "Permission denied" "${as_another[@]}" touch -c "$MNT/file"
fails_with "Permission denied" "${as_another[@]}" touch "$MNT/new"
fails_with "Operation not permitted" "${as_another[@]}" chmod 600 "$MNT/file"
expect "root may all" touch "$MNT/of root"
expect_equal "and it is root's" "$(stat -c %u "$MNT/of root")" 0
expect "root gives it away" chown 12345 "$MNT/of root"
expect "another writes it now" "${as_another[@]}" sh -c "echo x >'$MNT/of root'"
umount_vault
