# lib.sh - what every script of the mounted and crash tests shares: a work directory, a vault, a mount, and claims.
#
# Sourced by bash. Needs VAULTFS (the built command) and VAULTFS_HELPERS (the folder of treesum and its like) from the
# environment. A script that ends for whatever reason leaves no mount and no file behind; a failed claim says where it
# stands. Nothing sleeps: what takes its time is polled for, with a deadline.

# shellcheck shell=bash
set -u
umask 022
export LC_ALL=C TZ=UTC

: "${VAULTFS:?the vaultfs command to test}"
: "${VAULTFS_HELPERS:?the folder with the test helpers}"
VAULTFS=$(readlink -f "$VAULTFS") VAULTFS_HELPERS=$(readlink -f "$VAULTFS_HELPERS") # a script may change its directory
# shellcheck disable=SC2034
SLOW=${VAULTFS_SLOW:-0} # 1: the daemon is built with a sanitizer
WORK=$(mktemp -d "${TMPDIR:-/tmp}/vaultfs-test.XXXXXX") || exit 1
VAULT=$WORK/test.vault
MNT=$WORK/mnt
SCRATCH_MOUNTS=() # other mounts to undo, the last one first
BACKGROUND=()     # processes to end
mkdir "$MNT"

# A sanitizer's report of the daemon, which has no terminal, lands where finish() finds it.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$WORK/sanitizer"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}log_path=$WORK/sanitizer:print_stacktrace=1"
export TSAN_OPTIONS="${TSAN_OPTIONS:+$TSAN_OPTIONS:}log_path=$WORK/sanitizer"

# ---- claims ----

# The line of the script itself, not of this file.
caller_line() {
  local i
  for ((i = 1; i < ${#BASH_SOURCE[@]}; i++)); do
    if [[ ${BASH_SOURCE[i]} != */lib.sh ]]; then
      echo "${BASH_SOURCE[i]##*/}:${BASH_LINENO[i - 1]}"
      return
    fi
  done
}

note() { echo "      $*"; }
part() { echo "----- $*"; }
skip_line() { echo "SKIP  $(caller_line): $*"; }

fail() {
  echo "FAIL  $(caller_line): $*" >&2
  exit 1
}

# expect WHAT COMMAND...: the command succeeds.
expect() {
  local what=$1
  shift
  "$@" || fail "$what (status $?: $*)"
}

# expect_not WHAT COMMAND...: the command fails.
expect_not() {
  local what=$1
  shift
  if "$@"; then fail "$what ($*)"; fi
}

expect_equal() { # WHAT GOT WANTED
  [[ $2 == "$3" ]] || fail "$1: got '$2', wanted '$3'"
}

expect_at_most() { # WHAT GOT LIMIT
  (($2 <= $3)) || fail "$1: $2, more than $3"
}

# run COMMAND...: leaves OUT, ERR and STATUS.
run() {
  STATUS=0
  "$@" >"$WORK/.out" 2>"$WORK/.err" || STATUS=$?
  # shellcheck disable=SC2034
  OUT=$(<"$WORK/.out")
  ERR=$(<"$WORK/.err")
}

# refused PATTERN COMMAND...: status 1 and one line on stderr that matches the pattern (extended, case ignored).
refused() {
  local pattern=$1
  shift
  run "$@"
  [[ $STATUS == 1 ]] || fail "status $STATUS, wanted 1: $* ($ERR)"
  [[ $(wc -l <"$WORK/.err") == 1 ]] || fail "wanted one line on stderr of: $*; got: $ERR"
  grep -qiE -- "$pattern" <<<"$ERR" || fail "'$ERR' does not say /$pattern/: $*"
}

# misused COMMAND...: status 2, a usage error.
misused() {
  run "$@"
  [[ $STATUS == 2 ]] || fail "status $STATUS, wanted 2: $* ($ERR)"
  [[ -n $ERR ]] || fail "nothing on stderr: $*"
}

# fails_with TEXT COMMAND...: the command fails and says TEXT, the way system programs print an errno.
fails_with() {
  local text=$1
  shift
  run "$@"
  [[ $STATUS != 0 ]] || fail "succeeded, wanted '$text': $*"
  grep -qF -- "$text" <<<"$ERR" || fail "'$ERR' does not say '$text': $*"
}

# eventually SECONDS WHAT COMMAND...: poll until the command succeeds.
eventually() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || fail "$what: not within its time ($*)"
    pause
  done
}

# One turn of a polling loop.
pause() { read -r -t 0.02 <> <(:) || :; }

need() {
  local program
  for program; do
    command -v "$program" >/dev/null || fail "this test needs the program '$program': install it"
  done
}

is_root() { [[ $(id -u) == 0 ]]; }

# ---- vault and mount ----

mounted() { mountpoint -q "$MNT"; }

make_vault() { expect "init makes a vault" "$VAULTFS" init "$VAULT" "$@"; }

# mount_vault [OPTIONS...]: ready when it returns.
mount_vault() {
  [[ -c /dev/fuse ]] || fail "/dev/fuse is missing: mounted tests cannot run here"
  expect "the vault mounts" "$VAULTFS" mount "$VAULT" "$MNT" "$@"
  mounted || fail "mount returned 0, but $MNT is no mount point"
}

umount_vault() {
  expect "the vault unmounts" "$VAULTFS" umount "$MNT"
  mounted && fail "umount returned 0, but $MNT is still mounted"
  [[ ! -e $VAULT/vault.db-wal ]] || fail "a clean end left vault.db-wal behind"
  [[ ! -e $VAULT/search.db-wal ]] || fail "a clean end left search.db-wal behind"
}

remount_vault() {
  umount_vault
  mount_vault "$@"
}

# The process that holds the vault, as its lock file says.
daemon_pid() { grep -oE '[0-9]+' "$VAULT/lock" | head -n 1; }

# A zombie nobody waits for is gone too.
is_gone() { [[ ! -e /proc/$1 || $(awk '/^State:/ { print $2 }' "/proc/$1/status" 2>/dev/null) == [ZX] ]]; }

# What a clean or an unclean end leaves once nobody holds the vault any more.
vault_is_free() { flock -n -E 9 "$VAULT/lock" true; }

# kill_daemon: SIGKILL, and the dead mount cleared away.
kill_daemon() {
  local pid
  pid=$(daemon_pid)
  kill -KILL "$pid" || fail "no daemon to kill"
  eventually 10 "the killed daemon is gone" is_gone "$pid"
  eventually 10 "its vault is free" vault_is_free # its first thread may be a zombie before the others are
  clear_mount "$MNT"
}

clear_mount() {
  if grep -qF " $1 " /proc/self/mounts; then
    fusermount3 -u -q "$1" 2>/dev/null || fusermount3 -u -z -q "$1" 2>/dev/null || umount -l "$1" 2>/dev/null || :
  fi
}

# leave_other_mounts: for a script in a mount namespace of its own, which has a copy of every mount. While it keeps one of a
# test that runs beside it, that one's daemon does not end.
leave_other_mounts() {
  local mount
  awk '$3 == "fuse.vaultfs" { print $2 }' /proc/self/mounts | while read -r mount; do
    umount -l "$mount"
  done
}

# run_as_user: from here on vaults and mounts are an ordinary user's, when root runs the script; in a mount namespace of its
# own, where /dev/fuse and /etc/fuse.conf are what an ordinary machine has. Leaves the user's id in `user`, and in `as_user`
# what goes before a command of the user's.
run_as_user() {
  user=$(id -u)
  as_user=()
  is_root || return 0
  leave_other_mounts
  user=65534
  as_user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  if ! "${as_user[@]}" test -w /dev/fuse; then
    expect "a device for all" mknod -m 0666 "$WORK/fuse" c 10 229
    expect "the device is in its place" mount --bind "$WORK/fuse" /dev/fuse
  fi
  : >"$WORK/fuse.conf"
  expect "the configuration is in its place" mount --bind "$WORK/fuse.conf" /etc/fuse.conf
  # What was built may lie where only root comes.
  mkdir "$WORK/bin"
  cp "$VAULTFS" "${VAULTFS%/*}/vaultfs-helper" "$VAULTFS_HELPERS"/{ops,twin,treesum} "$WORK/bin"
  VAULTFS_HELPERS=$WORK/bin
  VAULTFS=$WORK/bin/vaultfs
  local name
  for name in vaultfs treesum; do # by root, or by the user, who needs no change
    mv "$WORK/bin/$name" "$WORK/bin/$name-itself"
    printf '#!/bin/sh\n[ "$(id -u)" = 0 ] && exec %s "$0" "$@"\nexec "$0-itself" "$@"\n' "${as_user[*]}" >"$WORK/bin/$name"
  done
  chmod 755 "$WORK/bin/"* "$WORK"
  chown "$user:$user" "$WORK" "$MNT"
  mounted() { "${as_user[@]}" mountpoint -q "$MNT"; } # root may not look
}

pack_bytes() { # bytes in the packs, all committed
  if mounted; then expect "sync" "$VAULTFS" sync "$MNT"; fi
  stat -c %s "$VAULT"/packs/* | awk '{ n += $1 } END { print n + 0 }'
}

pack_sums() { (cd "$VAULT/packs" && sha256sum -- *); }

# ---- trees ----

# same_tree WHAT A B [treesum options]: content and metadata are equal.
same_tree() {
  local what=$1 a=$2 b=$3
  shift 3
  "$VAULTFS_HELPERS/treesum" "$@" "$a" >"$WORK/.tree-a" || fail "$what: cannot read $a"
  "$VAULTFS_HELPERS/treesum" "$@" "$b" >"$WORK/.tree-b" || fail "$what: cannot read $b"
  if ! diff "$WORK/.tree-a" "$WORK/.tree-b" >"$WORK/.tree-diff"; then
    head -n 20 "$WORK/.tree-diff" >&2
    fail "$what: the trees differ"
  fi
}

remember_tree() { "$VAULTFS_HELPERS/treesum" "${@:2}" "$MNT" >"$1" || fail "cannot read the mount"; }

# same_as_remembered WHAT FILE [treesum options]
same_as_remembered() {
  remember_tree "$WORK/.tree-b" "${@:3}"
  if ! diff "$2" "$WORK/.tree-b" >"$WORK/.tree-diff"; then
    head -n 20 "$WORK/.tree-diff" >&2
    fail "$1: the tree is another one"
  fi
}

# A small tree with everything in it that a copy can lose.
make_sample() {
  local d=$1 i
  mkdir -p "$d/plain/deeper/and deeper" "$d/empty" "$d/odd"
  for i in 1 2 3 4 5 6 7 8; do
    seq "$i" $((i * 3000)) >"$d/plain/text $i"
    head -c $((i * 90001)) /dev/urandom >"$d/plain/deeper/random-$i"
  done
  : >"$d/plain/empty file"
  printf 'no newline' >"$d/plain/deeper/and deeper/short"
  ln "$d/plain/text 1" "$d/odd/hard link"
  ln "$d/plain/text 1" "$d/plain/another hard link"
  ln -s "../plain/text 2" "$d/odd/link"
  ln -s nowhere "$d/odd/dangling"
  mkfifo "$d/odd/pipe"
  truncate -s 40M "$d/odd/sparse"
  printf 'in the middle' | dd of="$d/odd/sparse" bs=1M seek=20 conv=notrunc status=none
  : >"$d/odd/"$'not \xff utf-8'
  : >"$d/odd/"$'new\nline'
  : >"$d/odd/$(printf 'n%.0s' {1..255})"
  chmod 0400 "$d/plain/text 3"
  chmod 0755 "$d/plain/text 4"
  chmod 2775 "$d/plain/deeper"
  chmod 1777 "$d/empty"
  setfattr -n user.test.binary -v 0x00ff0a3d22 "$d/plain/text 5"
  setfattr -n user.empty "$d/plain/text 5"
  setfattr -n user.on.directory -v yes "$d/plain"
  touch -d '1969-07-20 20:17:40.123456789' "$d/plain/text 6"
  touch -d '2106-02-07 06:28:17.000000001' "$d/plain/text 7"
  touch -h -d '2001-09-09 01:46:40.5' "$d/odd/link"
  if is_root; then
    chown 1234:5678 "$d/plain/text 8"
    chown -h 4321:8765 "$d/odd/dangling"
  fi
  touch -d '2010-10-10 10:10:10.101010101' "$d/plain" "$d/empty"
}

# oracle_directory: leaves in ORACLE a directory on ext4, where cases that hold there are right. Without ext4 at hand
# it is whatever the work directory is on.
oracle_directory() {
  ORACLE=$WORK/oracle
  mkdir "$ORACLE"
  [[ $(stat -f -c %T "$WORK") == ext2/ext3 ]] && return
  if is_root && truncate -s 512M "$WORK/oracle.img" && mkfs.ext4 -q -F "$WORK/oracle.img" &&
    mount -o loop "$WORK/oracle.img" "$ORACLE" 2>/dev/null; then
    SCRATCH_MOUNTS+=("$ORACLE")
    rmdir "$ORACLE/lost+found"
    return
  fi
  note "no ext4 here: the oracle is $(stat -f -c %T "$WORK")"
}

# ---- the end ----

# What a script leaves behind is whole, unless it says that it is not: CHECK_AT_END=0.
check_at_end() {
  [[ ${CHECK_AT_END:-1} == 1 && -d $VAULT/packs ]] && vault_is_free || return 0
  "$VAULTFS" check "$VAULT" >"$WORK/.check" 2>&1 && return
  cat "$WORK/.check" >&2
  echo "FAIL  the vault that was left behind is not whole" >&2
  return 1
}

finish() {
  local status=$? i report
  trap - EXIT INT TERM HUP
  exec 7>&- 8>&- 2>&2
  cd / || :
  # A daemon left behind by a failed claim ends here, cleanly where it can.
  clear_mount "$MNT"
  if [[ -e $VAULT/lock ]]; then
    local deadline=$((SECONDS + 20))
    until vault_is_free || ((SECONDS >= deadline)); do pause; done
    vault_is_free || kill -KILL "$(daemon_pid)" 2>/dev/null || :
  fi
  for i in "${BACKGROUND[@]}"; do
    kill -KILL "$i" 2>/dev/null && wait "$i" 2>/dev/null
  done
  for ((i = ${#SCRATCH_MOUNTS[@]} - 1; i >= 0; i--)); do
    fusermount3 -u -z -q "${SCRATCH_MOUNTS[i]}" 2>/dev/null || umount "${SCRATCH_MOUNTS[i]}" 2>/dev/null ||
      umount -l "${SCRATCH_MOUNTS[i]}" 2>/dev/null
  done
  if ((status == 0)); then check_at_end || status=1; fi
  for report in "$WORK"/sanitizer.*; do
    [[ -s $report ]] || continue
    cat "$report" >&2
    echo "FAIL  a sanitizer had something to say" >&2
    status=1
  done
  grep -qF " $WORK" /proc/self/mounts || rm -rf --one-file-system "$WORK"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
