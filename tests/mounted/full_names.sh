#!/bin/bash
# full_names.sh - names alone fill the disk below: ENOSPC, and the vault goes on.
. "$(dirname "$0")/lib.sh"
need python3 mkfs.ext4

part "names fill the disk below"
if is_root; then
  mkdir "$WORK/disk"
  truncate -s 160M "$WORK/disk.img"
  expect "mkfs" mkfs.ext4 -q -F -m 0 "$WORK/disk.img"
  expect "loop mount" mount -o loop "$WORK/disk.img" "$WORK/disk"
  SCRATCH_MOUNTS+=("$WORK/disk")
  VAULT=$WORK/disk/test.vault
  make_vault
  mount_vault -o commit=1
  mkdir "$MNT"/early{1..500}
  head -c 12000000 /dev/urandom >"$MNT/a"
  expect "sync" "$VAULTFS" sync "$MNT"
  dd if=/dev/zero of="$WORK/disk/filler" bs=64K 2>/dev/null
  dd if=/dev/zero of="$WORK/disk/filler2" bs=1K 2>/dev/null
  for call in 'os.mkdir(name)' 'open(name, "x").close()' 'os.symlink("x" * 2000, name)' 'os.link(top + "/a", name)' \
    'os.mkfifo(name)' 'os.setxattr(top + "/early%d" % (i % 500 + 1), "user.%d" % i, b"x" * 40)'; do
    run timeout 90 python3 -c 'import errno, os, sys
top, call = sys.argv[1:]
try:
    for i in range(300000):
        name = "%s/%s%s%d" % (top, call[3:7], "x" * 180, i)
        exec(call)
except OSError as e: sys.exit(e.errno != errno.ENOSPC and e.strerror)
sys.exit("it never was full")' "$MNT" "$call"
    expect_equal "$call till it is full ends with ENOSPC, in time: $ERR" "$STATUS" 0
  done
  expect "a rename goes through" mv "$MNT/early2" "$MNT/renamed"
  expect "a chmod goes through" chmod 700 "$MNT/renamed"
  expect "an rmdir goes through" rmdir "$MNT/renamed"
  expect "a truncate goes through" truncate -s 1M "$MNT/a"
  expect "a delete goes through" rm "$MNT/a"
  expect "and becomes durable" "$VAULTFS" sync "$MNT"
  kill_daemon
  mount_vault
  [[ ! -e $MNT/a ]] || fail "what was deleted is back"
  rmdir "$MNT"/early*1 || fail "deleting on a full disk"
  rm "$WORK/disk/filler" "$WORK/disk/filler2"
  expect "with room again it goes on" mkdir "$MNT/late"
  umount_vault
fi
