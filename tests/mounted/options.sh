#!/bin/bash
# options.sh - how a mount begins and ends: options, staying in front, signals, and what is on disk afterwards.
. "$(dirname "$0")/lib.sh"
need jq
make_vault
head -c 300000 /dev/urandom >"$WORK/data"

# Ended, with nothing mounted and nobody holding the vault.
ended_cleanly() { # HOW PID
  eventually 30 "$1: the daemon is gone" is_gone "$2"
  eventually 10 "$1: nothing is mounted" not_mounted
  expect "$1: the vault is free" vault_is_free
  [[ ! -e $VAULT/vault.db-wal ]] || fail "$1: vault.db-wal is left"
}
not_mounted() { ! mounted; }

part "ready when it returns, and the lock says who holds it"
mount_vault
expect_equal "the mount is empty" "$(ls -A "$MNT")" ""
pid=$(daemon_pid)
expect "the lock names a process" test -d "/proc/$pid"
expect "the lock names the mount point" grep -qF "$MNT" "$VAULT/lock"
expect "it is a fuse mount of ours" grep -q "$MNT fuse\.vaultfs " /proc/self/mounts
expect_equal "df knows the size of the disk" "$(df --output=size "$MNT" | tail -n 1 | tr -d ' ')" \
  "$(df --output=size "$VAULT" | tail -n 1 | tr -d ' ')"

part "a second mount is refused by name"
mkdir "$WORK/second"
refused "$pid" "$VAULTFS" mount "$VAULT" "$WORK/second"
refused "$MNT" "$VAULTFS" mount "$VAULT" "$WORK/second"
refused "$pid" "$VAULTFS" rebuild "$VAULT"
cp "$WORK/data" "$MNT/data"
umount_vault
ended_cleanly "vaultfs umount" "$pid"
refused "$MNT" "$VAULTFS" umount "$MNT"

part "commit=, and what sync promises"
mount_vault -o commit=1
cp "$WORK/data" "$MNT/timed"
before=$("$VAULTFS" stats --json "$MNT" | jq .commit)
committed() { [[ $(stat -c %Y "$VAULT"/packs/* | sort -n | tail -n 1) -ge $stamp ]]; }
stamp=$(date +%s)
printf x >>"$MNT/timed"
eventually 10 "a commit comes by itself" committed
expect "sync" "$VAULTFS" sync "$MNT"
[[ -n $before ]] || fail "stats tells no commit number"
kill_daemon
mount_vault
expect_equal "what was synced is there after a kill" "$(stat -c %s "$MNT/timed")" 300001
umount_vault

part "read-only"
sums=$(pack_sums)
mount_vault -o ro
expect "it reads" cmp "$WORK/data" "$MNT/data"
fails_with "Read-only file system" touch "$MNT/new"
fails_with "Read-only file system" rm "$MNT/data"
fails_with "Read-only file system" dd if=/dev/null of="$MNT/data"
fails_with "Read-only file system" setfattr -n user.x -v y "$MNT/data"
umount_vault
expect_equal "the packs are untouched" "$(pack_sums)" "$sums"

part "uid= and gid="
mount_vault -o uid=1234,gid=5678
expect_equal "owner of a file" "$(stat -c %u:%g "$MNT/data")" 1234:5678
expect_equal "owner of the top" "$(stat -c %u:%g "$MNT")" 1234:5678
remount_vault
expect_equal "owner without it" "$(stat -c %u:%g "$MNT/data")" "$(id -u):$(id -g)"
umount_vault

part "fsname=, and what is only for mount(8)"
mount_vault -o "fsname=my films,noatime,x-gvfs-show,nofail,_netdev,cache=16"
expect "the source" grep -qF 'my\040films '"$MNT" /proc/self/mounts
umount_vault

part "options that are wrong"
for bad in nonsense commit=x commit= commit=0 commit=-1 cache=x uid=bob commit=99999999999999999999; do
  run "$VAULTFS" mount "$VAULT" "$MNT" -o "$bad"
  [[ $STATUS == 1 || $STATUS == 2 ]] || fail "-o $bad: status $STATUS"
  grep -qF -- "${bad%%=*}" <<<"$ERR" || fail "-o $bad: '$ERR' does not name it"
  mounted && fail "-o $bad: mounted all the same"
done
misused "$VAULTFS" mount "$VAULT" "$MNT" -o remount,ro
[[ $ERR == *"mount -i -o remount"* ]] || fail "-o remount: '$ERR' does not say what to call"
misused "$VAULTFS" mount "$VAULT"
misused "$VAULTFS" mount
misused "$VAULTFS" mount "$VAULT" "$MNT" more
misused "$VAULTFS" --nonsense
misused "$VAULTFS" nonsense

part "as mount.fuse3(8) and mount(8) call it"
expect "vaultfs SOURCE DIRECTORY -o" "$VAULTFS" "$VAULT" "$MNT" -o rw,commit=1,nofail
expect "it reads" cmp "$WORK/data" "$MNT/data"
umount_vault
ln -s "$VAULTFS" "$WORK/mount.fuse.vaultfs"
expect "mount.fuse.vaultfs SOURCE DIRECTORY -o" "$WORK/mount.fuse.vaultfs" "$VAULT" "$MNT" -o rw,noatime
expect "it reads" cmp "$WORK/data" "$MNT/data"
umount_vault
if is_root && [[ $(command -v mount.fuse.vaultfs) -ef $VAULTFS ]]; then
  expect "mount -t fuse.vaultfs" mount -t fuse.vaultfs "$VAULT" "$MNT" -o commit=2
  expect "it reads" cmp "$WORK/data" "$MNT/data"
  expect "umount(8)" umount "$MNT"
  eventually 30 "the vault is free" vault_is_free
else
  skip_line "mount -t fuse.vaultfs: this build is not installed, or we are not root"
fi

part "relative paths"
cd "$WORK" || fail "no work directory"
expect "mount by relative paths" "$VAULTFS" mount test.vault mnt
expect "it reads" cmp "$WORK/data" "$MNT/data"
expect "umount by a relative path" "$VAULTFS" umount mnt
mounted && fail "still mounted"
cd / || fail "no root"

part "fusermount3 -u"
mount_vault -o commit=3600
pid=$(daemon_pid)
cp "$WORK/data" "$MNT/by-fusermount"
expect "fusermount3 -u" fusermount3 -u "$MNT"
ended_cleanly "fusermount3 -u" "$pid"
mount_vault
expect "all was on disk" cmp "$WORK/data" "$MNT/by-fusermount"
umount_vault

# A file is still open for writing, nothing was synced, and the next commit by itself is an hour away.
for signal in TERM INT HUP; do
  part "SIG$signal in front, with a file open"
  "$VAULTFS" mount -f "$VAULT" "$MNT" -o commit=3600 2>"$WORK/daemon-messages" &
  pid=$!
  BACKGROUND+=("$pid")
  eventually 20 "mounted in front" mounted
  exec 7>"$MNT/open-at-$signal"
  cat "$WORK/data" >&7
  kill "-$signal" "$pid"
  wait "$pid"
  status=$?
  exec 7>&-
  expect_equal "status after SIG$signal ($(tail -n 1 "$WORK/daemon-messages"))" "$status" 0
  ended_cleanly "SIG$signal" "$pid"
  mount_vault
  expect "what was written into the open file is there" cmp "$WORK/data" "$MNT/open-at-$signal"
  umount_vault
done

part "SIGTERM in the background, with a program in the mount"
mount_vault -o commit=3600
pid=$(daemon_pid)
cp "$WORK/data" "$MNT/background"
cd "$MNT" || fail "no mount"
kill -TERM "$pid"
eventually 30 "the daemon is gone" is_gone "$pid"
cd / || fail "no root"
ended_cleanly "SIGTERM" "$pid"
mount_vault
expect "all was on disk" cmp "$WORK/data" "$MNT/background"

part "umount waits for what is open"
exec 7>"$MNT/still-open"
printf 'some' >&7
run "$VAULTFS" umount "$MNT"
[[ $STATUS == 1 ]] || fail "umount of a mount in use: status $STATUS"
mounted || fail "umount failed, but the mount is gone"
printf ' more' >&7
exec 7>&-
umount_vault
mount_vault
expect_equal "nothing was lost by the attempt" "$(cat "$MNT/still-open")" "some more"
umount_vault
