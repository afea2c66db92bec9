#!/bin/bash
# full_disk.sh - the disk below is full at every point of a copy: the writer is told, nothing is lost, and it goes on.
# Usage: full_disk.sh [SEED]
. "$(dirname "$0")/../mounted/lib.sh"
need mkfs.ext4
seed=${1:-${VAULTFS_TEST_SEED:-1}}
fullness=$VAULTFS_HELPERS/fullness
[[ $SLOW == 1 ]] && steps=6 || steps=16

# disk KIND SIZE: $VAULT comes to stand on a disk of its own.
disk() {
  mkdir -p "$WORK/$1"
  if [[ $1 == tmpfs ]]; then
    expect "tmpfs" mount -t tmpfs -o "size=$2" vaultfs-test "$WORK/$1"
  else
    truncate -s "$2" "$WORK/$1.img"
    expect "mkfs" mkfs.ext4 -q -F -m 0 "$WORK/$1.img"
    expect "loop mount" mount -o loop "$WORK/$1.img" "$WORK/$1"
  fi
  SCRATCH_MOUNTS+=("$WORK/$1")
  VAULT=$WORK/$1/test.vault FILLER=$WORK/$1/filler
}

undisk() {
  umount "$WORK/$1" || fail "$1 is still in use"
  SCRATCH_MOUNTS=()
}

fill() { expect "the disk is filled" "$fullness" fill "$FILLER" "$1"; }

# What was there before, and what was acknowledged, is right.
all_is_right() {
  same_as_remembered_in "$MNT/base" "$1: what was there"
  expect "$1: what was acknowledged" "$fullness" verify "$MNT/copy" "$seed$step" "$count"
}

same_as_remembered_in() {
  "$VAULTFS_HELPERS/treesum" "$1" >"$WORK/.base-now" || fail "$2: cannot be read"
  cmp -s "$WORK/base" "$WORK/.base-now" || fail "$2: is another tree"
}

# One copy onto a disk with $1 bytes free. What happens on the full disk: $2. Names are refused while there is still room for
# commits: so that the rest of the disk is written to, every second copy has its names already.
copy_till_full() {
  local errno call how=copy
  mkdir "$MNT/copy" || fail "step $step: no directory with room"
  if ((step % 2)); then
    expect "step $step: names" "$fullness" names "$MNT/copy" 900
    expect "step $step: sync" "$VAULTFS" sync "$MNT"
    fill "$1"
    how=rewrite
  else
    fill $(($1 + (17 << 20)))
  fi
  read -r count errno call < <("$fullness" "$how" "$MNT/copy" "$seed$step" 900)
  [[ $errno == ENOSPC ]] || fail "step $step, $1 bytes free: file $count ends with $errno at $call"
  note "step $step, $1 bytes free, $2: $count files, then $errno at $call"
  ended[$call]=1
  all_is_right "step $step"
  case $2 in
  remount) remount_vault && all_is_right "step $step, mounted again" ;;
  kill) kill_daemon && mount_vault && all_is_right "step $step, killed and mounted again" ;;
  esac
}

# Room comes back by deleting files of the vault, then by the filler's going.
empty_again() {
  if [[ $1 == reserve ]]; then
    expect "step $step: deleting on the full disk" rm -r "$MNT/copy"
    expect "step $step: and syncing it" "$VAULTFS" sync "$MNT"
    rm "$FILLER"
  else
    rm "$FILLER"
    expect "step $step: deleting with room again" rm -r "$MNT/copy"
  fi
  echo "$step" >"$MNT/goes on" || fail "step $step: it does not go on"
  expect "step $step: with room again it syncs" "$VAULTFS" sync "$MNT"
  expect_equal "step $step" "$(<"$MNT/goes on")" "$step"
}

steps_on() { # KIND SIZE RESERVE STEPS MOST
  local how=(stay remount kill) used most=$5
  disk "$1" "$2"
  make_vault --chunk-size 16K --pack-size 1M
  mount_vault -o commit=1
  make_sample "$MNT/base"
  "$VAULTFS_HELPERS/treesum" "$MNT/base" >"$WORK/base"
  expect "sync" "$VAULTFS" sync "$MNT"
  for ((step = 0; step < $4; step++)); do
    copy_till_full $((most * step / $4 + step * 4096)) "${how[step % 3]}"
    empty_again "$3"
  done
  umount_vault
  expect "$1: the vault is whole" "$VAULTFS" check "$VAULT"
  used=$(du -sk --exclude reserve "$VAULT" | cut -f 1)
  expect_at_most "$1: KiB that the vault takes" "$used" $((40 << 10))
  undisk "$1"
}

if ! is_root; then
  skip_line "disks to be filled need root"
  exit 0
fi
declare -A ended=()

part "a disk with a reserve"
steps_on ext4 300M reserve "$steps" 12000000

part "a disk too small for one"
steps_on tmpfs 64M none "$((steps / 2))" 9000000
[[ -n ${ended[write]-} || -n ${ended[fsync]-} ]] || fail "no copy ended at a write: ${!ended[*]}"

part "a limit on the size of files"
VAULT=$WORK/limited.vault
make_vault
(ulimit -f 6144 && exec "$VAULTFS" mount "$VAULT" "$MNT" -o commit=1) || fail "mount"
step=limit count=60
run "$fullness" copy "$MNT" limit 60
note "60 files with files of at most 6 MiB below: $OUT"
[[ $OUT == "60 - -" || $OUT == *EFBIG* ]] || fail "$OUT"
expect "what was acknowledged" "$fullness" verify "$MNT" limit "${OUT%% *}"
remount_vault
expect "what was acknowledged, without a limit" "$fullness" verify "$MNT" limit "${OUT%% *}"
umount_vault
expect "the vault is whole" "$VAULTFS" check "$VAULT"
