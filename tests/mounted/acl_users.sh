#!/bin/bash
# acl_users.sh - access control lists on mounts of ordinary users, and what the kernel asks for.
#
# In a mount namespace of its own, where /dev/fuse is open to all, as on Debian, and fuse.conf lets users allow others.
if [[ ${1-} != inside ]]; then
  [[ $(id -u) == 0 ]] || {
    echo "SKIP  acl_users.sh: only root can become several users"
    exit 0
  }
  exec unshare --mount --propagation private bash "$0" inside
fi
. "$(dirname "$0")/lib.sh"
need getfacl setfacl getfattr setpriv fusermount3 python3
leave_other_mounts
# fusermount3 wants users that have a name.
USER_ID=$(id -u daemon) OTHER_ID=$(id -u nobody) THIRD_ID=$(id -u bin)

as_user() { # UID COMMAND...
  local id=$1
  shift
  setpriv --reuid "$id" --regid "$id" --clear-groups -- "$@"
}

chmod 755 "$WORK"
[[ -c /dev/fuse && -e /etc/fuse.conf ]] || fail "/dev/fuse or /etc/fuse.conf is missing: mounted tests cannot run here"
mknod -m 666 "$WORK/fuse" c 10 229
mount --bind "$WORK/fuse" /dev/fuse
echo user_allow_other >"$WORK/fuse.conf"
mount --bind "$WORK/fuse.conf" /etc/fuse.conf
SCRATCH_MOUNTS+=(/dev/fuse /etc/fuse.conf)
chown "$USER_ID:$USER_ID" "$WORK" "$MNT"

part "a vault that never had a list"
expect "init by a user" as_user "$USER_ID" "$VAULTFS" init "$VAULT"
expect "mount for others" as_user "$USER_ID" "$VAULTFS" mount -o commit=1,allow_other "$VAULT" "$MNT"
expect "a file" as_user "$USER_ID" bash -c "mkdir '$MNT/plain' && echo for all >'$MNT/plain/file'"
expect_equal "others read it" "$(as_user "$OTHER_ID" cat "$MNT/plain/file")" "for all"
fails_with 'Permission denied' as_user "$OTHER_ID" bash -c "echo >>'$MNT/plain/file'"
expect "umount by a user" as_user "$USER_ID" "$VAULTFS" umount "$MNT"

part "mounted by a user, for himself"
expect "mount by a user" as_user "$USER_ID" "$VAULTFS" mount -o commit=1 "$VAULT" "$MNT"
expect "files of a user" as_user "$USER_ID" bash -ec "
  cd '$MNT'
  mkdir shared private
  setfacl -m u:$OTHER_ID:rwx,d:u:$OTHER_ID:rwx,d:o::- shared
  umask 077
  echo mine >shared/file
  echo mine >private/file"
as_user "$USER_ID" getfacl -cnp "$MNT/shared/file" | grep -q "user:$OTHER_ID:rwx.*effective:rw-" || fail "no list was passed on"
expect_not "others stay out" as_user "$OTHER_ID" ls "$MNT" 2>/dev/null
expect "umount by a user" as_user "$USER_ID" "$VAULTFS" umount "$MNT"

part "a list that gives the group execute makes sgid a privilege"
expect "mount by a user" as_user "$USER_ID" "$VAULTFS" mount -o commit=1 "$VAULT" "$MNT"
mkdir "$WORK/disk"
chown "$USER_ID:$USER_ID" "$WORK/disk"
for place in "$WORK/disk" "$MNT"; do # the disk says what is right
  expect "fallocate" as_user "$USER_ID" /usr/bin/python3 -c '
import os, subprocess, sys
name = sys.argv[1] + "/sgid"
fd = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
os.fchmod(fd, 0o2763)
subprocess.run(["setfacl", "-m", "m::rwx", name], check=True)
os.posix_fallocate(fd, 0, 5000)' "$place"
  expect_equal "and fallocate takes it, as writing does" "$(as_user "$USER_ID" stat -c %a "$place/sgid")" 773
done
expect "umount by a user" as_user "$USER_ID" "$VAULTFS" umount "$MNT"

part "mounted by a user, for others too"
expect "mount for others" as_user "$USER_ID" "$VAULTFS" mount -o commit=1,allow_other "$VAULT" "$MNT"
expect_equal "a named user reads" "$(as_user "$OTHER_ID" cat "$MNT/shared/file")" mine
expect "a named user writes" as_user "$OTHER_ID" bash -c "echo too >>'$MNT/shared/file'"
fails_with 'Permission denied' as_user "$THIRD_ID" bash -c "echo too >>'$MNT/shared/file'"
fails_with 'Permission denied' as_user "$OTHER_ID" cat "$MNT/private/file"
fails_with 'Operation not permitted' as_user "$OTHER_ID" setfacl -m "u:$OTHER_ID:rwx" "$MNT/shared/file"
expect "the owner takes it away" as_user "$USER_ID" setfacl -x "u:$OTHER_ID" "$MNT/shared/file"
fails_with 'Permission denied' as_user "$OTHER_ID" cat "$MNT/shared/file"
expect "umount by a user" as_user "$USER_ID" "$VAULTFS" umount "$MNT"

part "without lists"
expect "mount" as_user "$USER_ID" "$VAULTFS" mount -o commit=1,allow_other,noacl "$VAULT" "$MNT"
fails_with 'Operation not supported' as_user "$USER_ID" setfacl -m u:0:r "$MNT/shared/file"
fails_with 'Permission denied' as_user "$OTHER_ID" touch "$MNT/shared/new"
expect_equal "none is listed" "$(as_user "$USER_ID" getfattr -hd -m - "$MNT"/shared{,/file} 2>&1)" ""
as_user "$USER_ID" bash -c "umask 027; touch '$MNT/shared/new'"
expect_equal "the umask holds" "$(stat -c %a "$MNT/shared/new")" 640
expect "umount by a user" as_user "$USER_ID" "$VAULTFS" umount "$MNT"
expect "mount with lists again" as_user "$USER_ID" "$VAULTFS" mount -o acl,allow_other "$VAULT" "$MNT"
expect "they were kept" as_user "$OTHER_ID" touch "$MNT/shared/newer"
expect_equal "and not passed on meanwhile" "$(as_user "$USER_ID" getfacl -cnps "$MNT/shared/new")" ""
expect "umount by a user" as_user "$USER_ID" "$VAULTFS" umount "$MNT"

part "what the kernel asks for"
asked() { grep -cE 'opcode: GETXATTR .*nodeid: ([2-9]|1[0-9])' "$WORK/log"; }

# Opened, not read: a moved access time has the kernel ask for everything again.
look() { as_user "$1" bash -c "stat '$MNT'/shared/{file,new} && : <'$MNT/shared/file'" >"$WORK/looked"; }

# looked_twice UID OPTIONS: leaves in ONCE how often lists were asked for, and in TWICE how often after the same again. The
# top's list does not count: newer kernels ask for it with every path, see mount.fuse.vaultfs(8).
looked_twice() {
  "$VAULTFS" mount -o "allow_other,debug$2" "$VAULT" "$MNT" 2>"$WORK/log" &
  BACKGROUND+=($!)
  eventually 20 "the mount serves" mounted
  expect "files can be reached" look "$1"
  ONCE=$(asked)
  expect "files can be reached again" look "$1"
  TWICE=$(asked)
  umount_vault
  wait "${BACKGROUND[-1]}"
  BACKGROUND=()
}
expect "mount" as_user "$USER_ID" "$VAULTFS" mount "$VAULT" "$MNT"
expect "chmod" as_user "$USER_ID" chmod o+rX "$MNT/shared" "$MNT/shared/file" "$MNT/shared/new"
expect "umount by a user" as_user "$USER_ID" "$VAULTFS" umount "$MNT"
looked_twice "$OTHER_ID" ""
((ONCE > 0)) || fail "nobody asked for a list: the log of requests is not what it was"
expect_equal "what is known is not asked for again" "$TWICE" "$ONCE"
looked_twice "$USER_ID" ""
expect_equal "nobody asks for the owner" "$TWICE" 0
looked_twice "$OTHER_ID" ,noacl
expect_equal "nobody asks without lists" "$TWICE" 0
