#!/bin/bash
# durable.sh - what a program asked to be on disk is there when the daemon is killed right after the call.
. "$(dirname "$0")/../mounted/lib.sh"

durable=$VAULTFS_HELPERS/durable
ways=$("$durable" count)

make_vault
# No commit comes by itself, so that nothing is durable but what was asked for.
for ((way = 0; way < ways; way++)); do
  mount_vault -o commit=600
  expect "way $way writes" "$durable" write "$MNT" "$way"
  kill_daemon
  mount_vault -o commit=600
  expect "way $way was durable" "$durable" check "$MNT" "$way"
  echo lost >"$MNT/not asked for"
  kill_daemon
done

part "and what was not asked for is not"
mount_vault
expect_not "a commit came by itself: this test shows nothing" test -s "$MNT/not asked for"
umount_vault

part "a mount with -o sync"
mount_vault -o commit=600,sync
head -c 100000 /dev/zero >"$MNT/synchronous"
kill_daemon
mount_vault
expect_equal "its writes are durable" "$(stat -c %s "$MNT/synchronous")" 100000
umount_vault
