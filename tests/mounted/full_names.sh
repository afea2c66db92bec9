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
  run timeout 90 python3 -c 'import errno, os, sys
try:
    for i in range(300000): os.mkdir("%s/%s%d" % (sys.argv[1], "x" * 180, i))
except OSError as e: sys.exit(e.errno != errno.ENOSPC and e.strerror)' "$MNT"
  expect_equal "mkdir till it is full ends with ENOSPC, in time: $ERR" "$STATUS" 0
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
