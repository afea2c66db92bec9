#!/bin/bash
# ends.sh - how a mount ends, or goes on: signals, a closed terminal, a stopped process, and what becomes of the mount
# point, the vault's directory and the disk below it meanwhile.
. "$(dirname "$0")/lib.sh"
need python3 script timeout

part "the vault's directory is renamed, and another vault stands under its name"
make_vault
mount_vault -o commit=1
seq 1000 >"$MNT/first"
expect "sync" "$VAULTFS" sync "$MNT"
pid=$(daemon_pid)
mv "$VAULT" "$WORK/moved.vault"
expect "another vault under the old name" "$VAULTFS" init "$VAULT"
mkdir "$WORK/other"
expect "it mounts" "$VAULTFS" mount "$VAULT" "$WORK/other"
SCRATCH_MOUNTS+=("$WORK/other")
seq 5 >"$WORK/other/theirs"
expect "sync" "$VAULTFS" sync "$WORK/other"
other_log=$(stat -c '%i %s' "$VAULT/vault.db-wal") || fail "the other vault has no log"
seq 2000 >"$MNT/second"
expect "sync" "$VAULTFS" sync "$MNT"
expect_equal "the mount names its vault" "$(getfattr --absolute-names --only-values -n user.vaultfs.vault "$MNT")" "$WORK/moved.vault"
expect "commands find it" "$VAULTFS" check -q "$MNT"
expect "umount" "$VAULTFS" umount "$MNT"
expect "it has waited for the daemon" is_gone "$pid"
[[ ! -e $WORK/moved.vault/vault.db-wal ]] || fail "the log stayed in the moved vault"
expect_equal "the other vault's log is as it was" "$(stat -c '%i %s' "$VAULT/vault.db-wal")" "$other_log"
expect "the other one unmounts" "$VAULTFS" umount "$WORK/other"
expect "the other vault is whole" "$VAULTFS" check -q "$VAULT"
rm -rf "$VAULT" && mv "$WORK/moved.vault" "$VAULT"
expect "the moved vault is whole" "$VAULTFS" check -q --deep "$VAULT"
mount_vault
expect "with all in it" sh -c "seq 1000 | cmp - '$MNT/first' && seq 2000 | cmp - '$MNT/second'"
umount_vault

mount_in_front() { # [OPTIONS...]: its lines go to $WORK/front
  "$VAULTFS" mount -f "$VAULT" "$MNT" "$@" 2>"$WORK/front" &
  FRONT=$!
  BACKGROUND+=("$FRONT")
  eventually 10 "the mount serves" mounted
}

# ended STATUS: the daemon in front ends by itself, with this status, and leaves the vault clean.
ended() {
  local status=0
  eventually 30 "the daemon ends" is_gone "$FRONT"
  wait "$FRONT" || status=$?
  expect_equal "its status ($(<"$WORK/front"))" "$status" "$1"
  expect_not "nothing is mounted" mounted
  expect "the vault is free" vault_is_free
}

clean_end() {
  ended 0
  [[ ! -e $VAULT/vault.db-wal ]] || fail "a clean end left vault.db-wal behind"
  expect "the vault is whole" "$VAULTFS" check -q "$VAULT"
}

said() { grep -qE -- "$1" "$WORK/front" || fail "no line says /$1/: $(<"$WORK/front")"; }

for signal in TERM INT HUP; do
  part "SIG$signal, nothing in use"
  mount_in_front -o commit=600
  seq 500 >"$MNT/$signal"
  kill -s "$signal" "$FRONT"
  clean_end
  said "unmounting on signal"
  mount_vault
  expect "what was written is there" sh -c "seq 500 | cmp - '$MNT/$signal'"
  umount_vault
done

part "SIGTERM with files open by others"
mount_in_front -o commit=600
exec 7>"$MNT/open" 8<"$MNT/first"
seq 700 >&7
kill -TERM "$FRONT"
clean_end
said "still in use"
expect_not "the writer learns of it" sh -c 'echo more >&7' 2>/dev/null
expect_not "the reader learns of it" sh -c 'cat <&8 >/dev/null' 2>/dev/null
exec 7>&- 8<&-
mount_vault
expect "what was written before is there" sh -c "seq 700 | cmp - '$MNT/open'"
umount_vault

part "the terminal is closed"
script -qec "'$VAULTFS' mount -f -o commit=600 '$VAULT' '$MNT'" /dev/null >/dev/null 2>&1 </dev/null &
terminal=$!
BACKGROUND+=("$terminal")
eventually 10 "the mount serves" mounted
seq 300 >"$MNT/terminal"
pid=$(daemon_pid)
kill -KILL "$terminal"
wait "$terminal" 2>/dev/null
eventually 20 "the daemon in front ends" is_gone "$pid"
expect_not "nothing is mounted" mounted
expect "the vault is whole" "$VAULTFS" check -q "$VAULT"
script -qec "'$VAULTFS' mount '$VAULT' '$MNT'" /dev/null >/dev/null 2>&1 </dev/null
mounted || fail "a daemon in the background went with its terminal"
expect "what was written is there" sh -c "seq 300 | cmp - '$MNT/terminal'"
umount_vault

part "stopped for longer than a commit takes, and continued"
mount_vault -o commit=1
pid=$(daemon_pid)
seq 900 >"$MNT/stopped"
kill -STOP "$pid"
(seq 100 >"$MNT/later") &
writer=$!
BACKGROUND+=("$writer")
stopped_since=$SECONDS
eventually 10 "three commits' time" eval '((SECONDS >= stopped_since + 3))'
kill -CONT "$pid"
wait "$writer" || fail "a program that waited got an error"
expect "sync" "$VAULTFS" sync "$MNT"
kill_daemon
mount_vault
expect "what was written is there" sh -c "seq 900 | cmp - '$MNT/stopped' && seq 100 | cmp - '$MNT/later'"
umount_vault

part "umount while somebody looks at every mount for a moment"
mount_vault
timeout 0.7 tail -f /dev/null <"$MNT" &
looker=$!
BACKGROUND+=("$looker")
expect "it is tried again until they are gone" timeout 60 "$VAULTFS" umount "$MNT"
expect_not "nothing is mounted any more" mounted

part "umount of a stopped daemon"
mount_vault -o commit=600
pid=$(daemon_pid)
seq 800 >"$MNT/unwritten"
kill -STOP "$pid"
refused "not unmounted: its process $pid is stopped: .kill -CONT $pid. .*--lazy" timeout 60 "$VAULTFS" umount --timeout 1 "$MNT"
ln -s "$MNT" "$WORK/link"
refused "its process $pid is stopped" timeout 60 "$VAULTFS" umount --timeout 0 "$WORK/link"
grep -qF " $MNT " /proc/self/mounts || fail "a refused umount has unmounted"
for command in sync ls info check stats; do # Ctrl-C ends what waits; timeout -k would say 137
  run timeout -s INT -k 30 1 "$VAULTFS" "$command" "$MNT"
  expect_equal "$command is interrupted" "$STATUS" 124
done
kill -CONT "$pid"
umount_vault
mount_vault -o commit=600
expect "what was written is there" sh -c "seq 800 | cmp - '$MNT/unwritten'"
pid=$(daemon_pid)
seq 850 >"$MNT/unwritten"
kill -STOP "$pid"
expect "umount --lazy takes it away" timeout 60 "$VAULTFS" umount --lazy "$MNT"
expect_not "nothing is mounted" mounted
kill -CONT "$pid"
eventually 30 "the daemon ends" is_gone "$pid"
mount_vault
expect "and nothing is lost" sh -c "seq 850 | cmp - '$MNT/unwritten'"
umount_vault

if is_root; then
  part "detached by umount -l, with a file open"
  mount_in_front -o commit=600
  exec 7>"$MNT/detached"
  expect "umount -l" umount -l "$MNT"
  seq 400 >&7
  expect "another filesystem in its place" mount -t tmpfs tmpfs "$MNT"
  SCRATCH_MOUNTS+=("$MNT")
  echo kept >"$MNT/theirs"
  kill -TERM "$FRONT"
  eventually 30 "the daemon ends" is_gone "$FRONT"
  said "still in use"
  expect_equal "the other filesystem is still there" "$(cat "$MNT/theirs")" kept
  exec 7>&-
  expect "it unmounts" umount "$MNT"
  expect "the vault is whole" "$VAULTFS" check -q "$VAULT"
  mount_in_front
  exec 7<"$MNT/detached"
  expect "what was written is there" sh -c 'seq 400 | cmp - /dev/fd/7' 
  expect "umount -l" umount -l "$MNT"
  exec 7<&-
  clean_end

  part "another filesystem over it"
  mount_in_front
  seq 20 >"$MNT/covered"
  expect "a tmpfs over it" mount -t tmpfs tmpfs "$MNT"
  echo kept >"$MNT/theirs"
  kill -TERM "$FRONT"
  eventually 30 "the daemon ends" is_gone "$FRONT"
  expect_equal "the other filesystem is still there" "$(cat "$MNT/theirs")" kept
  expect "it unmounts" umount "$MNT"
  clear_mount "$MNT"
  expect "the vault is whole" "$VAULTFS" check -q "$VAULT"

  part "the directory above the mount point is renamed"
  mkdir -p "$WORK/above/point"
  expect "mount" "$VAULTFS" mount "$VAULT" "$WORK/above/point"
  pid=$(daemon_pid)
  mv "$WORK/above" "$WORK/renamed"
  SCRATCH_MOUNTS+=("$WORK/renamed/point")
  mkdir -p "$WORK/above/point"
  seq 30 >"$WORK/renamed/point/moved"
  kill -TERM "$pid"
  eventually 20 "the daemon ends" is_gone "$pid"
  expect_not "nothing is mounted" mountpoint -q "$WORK/renamed/point"
  expect "the vault is whole" "$VAULTFS" check -q "$VAULT"
  expect "mount" "$VAULTFS" mount "$VAULT" "$WORK/renamed/point"
  expect "what was written is there" sh -c "seq 30 | cmp - '$WORK/renamed/point/moved'"
  expect "umount" "$VAULTFS" umount "$WORK/renamed/point"

  part "the mount point is deleted from another mount namespace"
  mount_in_front -o commit=600
  seq 60 >"$MNT/namespace"
  # There nothing is mounted on it, so it may go; here the mount goes with it.
  expect "rmdir" unshare -m --propagation private sh -c 'umount "$0" && rmdir "$0"' "$MNT"
  eventually 30 "the daemon ends" is_gone "$FRONT"
  mkdir "$MNT"
  clean_end
  mount_vault
  expect "what was written is there" sh -c "seq 60 | cmp - '$MNT/namespace'"
  umount_vault

  part "the disk below is lazily unmounted"
  mkdir "$WORK/disk"
  truncate -s 256M "$WORK/disk.img"
  mkfs.ext4 -q -F "$WORK/disk.img" || fail "mkfs.ext4"
  expect "a disk" mount -o loop "$WORK/disk.img" "$WORK/disk"
  SCRATCH_MOUNTS+=("$WORK/disk")
  KEPT=$VAULT
  VAULT=$WORK/disk/test.vault
  make_vault
  mount_in_front -o commit=1
  seq 50 >"$MNT/before"
  expect "umount -l of the disk" umount -l "$WORK/disk"
  seq 60 >"$MNT/after"
  sync "$MNT" || fail "fsync on a detached disk"
  kill -TERM "$FRONT"
  eventually 30 "the daemon ends" is_gone "$FRONT"
  expect_not "nothing is mounted" mounted
  expect "the disk again" eval 'until mount -o loop "$WORK/disk.img" "$WORK/disk" 2>/dev/null; do pause; done'
  [[ ! -e $VAULT/vault.db-wal ]] || fail "a clean end left vault.db-wal behind"
  expect "the vault is whole" "$VAULTFS" check -q "$VAULT"
  mount_vault
  expect "all is there" sh -c "seq 50 | cmp - '$MNT/before' && seq 60 | cmp - '$MNT/after'"
  umount_vault

  part "the disk below is gone: every read and write fails"
  mount_in_front -o commit=600
  exec 7>"$MNT/lost"
  head -c 1000 /dev/urandom >&7
  ls -l "$MNT" >/dev/null
  # what ext4 does when its device vanishes, and can be asked for: EXT4_IOC_SHUTDOWN without flushing the log
  expect "shut the disk down" python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))' "$WORK/disk"
  run timeout 60 sh -c 'head -c 150M /dev/urandom >&7'
  expect_equal "a writer gets an error, and is not left to wait ($ERR)" "$STATUS" 1
  exec 7>&-
  run timeout 60 "$VAULTFS" sync "$MNT"
  expect_equal "sync says so" "$STATUS" 1
  run timeout 60 "$VAULTFS" umount "$MNT"
  [[ $STATUS -le 1 ]] || fail "umount: status $STATUS: $ERR"
  expect_not "nothing is mounted" mounted
  eventually 30 "the daemon ends" is_gone "$FRONT"
  said "read-only"
  umount "$WORK/disk"
  expect "the disk is plugged in again" mount -o loop "$WORK/disk.img" "$WORK/disk"
  expect "the vault is whole" "$VAULTFS" check -q "$VAULT"
  mount_vault
  expect "what was durable is there" sh -c "seq 50 | cmp - '$MNT/before' && seq 60 | cmp - '$MNT/after'"
  umount_vault
  umount "$WORK/disk"
  VAULT=$KEPT
else
  skip_line "what becomes of mounts is root's"
fi

part "a daemon that was killed"
mount_vault
echo x >"$MNT/known"
ls -la "$MNT" >/dev/null # the kernel knows the attributes of the top, and goes on telling them
pid=$(daemon_pid)
kill -KILL "$pid"
eventually 10 "it is gone" is_gone "$pid"
expect "umount clears what it left" "$VAULTFS" umount "$MNT"
expect_not "nothing is mounted" mounted
