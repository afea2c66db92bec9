#!/bin/bash
# badinput.sh - what is wrong from the start, and what breaks below: a clear line each time, and only what was hit is lost.
. "$(dirname "$0")/lib.sh"
need sqlite3 unshare
MIB=$((1 << 20))

part "not a vault, no mount point"
make_vault
mkdir "$WORK/directory" "$WORK/full"
touch "$WORK/file" "$WORK/full/file"
refused 'directory.*not a vault|not a vault.*directory|no vault' "$VAULTFS" mount "$WORK/directory" "$MNT"
refused "$WORK/file" "$VAULTFS" mount "$WORK/file" "$MNT"
refused "$WORK/absent" "$VAULTFS" mount "$WORK/absent" "$MNT"
refused "$WORK/nowhere" "$VAULTFS" mount "$VAULT" "$WORK/nowhere"
refused 'not a directory' "$VAULTFS" mount "$VAULT" "$WORK/file"
refused 'not empty' "$VAULTFS" mount "$VAULT" "$WORK/full"
refused "$VAULT" "$VAULTFS" mount "$VAULT" "$VAULT/packs"
refused "$VAULT" "$VAULTFS" mount "$VAULT" "$VAULT"
refused "$VAULT" "$VAULTFS" init "$VAULT"
refused "$WORK/full" "$VAULTFS" init "$WORK/full"
refused "$WORK/absent" "$VAULTFS" init "$WORK/absent/x.vault"
for command in stats ls rebuild; do
  refused "$WORK/directory" "$VAULTFS" "$command" "$WORK/directory"
done
refused "$WORK/absent" "$VAULTFS" umount "$WORK/absent"
refused "$WORK/directory" "$VAULTFS" umount "$WORK/directory"
refused "$WORK/directory" "$VAULTFS" sync "$WORK/directory"
[[ -z $(ls -A "$WORK/directory") ]] || fail "a refusal left something in $WORK/directory"
mounted && fail "something is mounted"

part "no /dev/fuse"
if is_root && unshare -m true 2>/dev/null; then
  # in a mount namespace of its own, with a /dev that has nothing else in it
  run unshare -m --propagation private sh -c 'mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 &&
    mknod -m 666 /dev/urandom c 1 9 && exec "$0" mount "$1" "$2"' "$VAULTFS" "$VAULT" "$MNT"
  [[ $STATUS == 1 ]] && grep -qF /dev/fuse <<<"$ERR" || fail "without /dev/fuse: status $STATUS, '$ERR'"
else
  skip_line "no mount namespace of our own"
fi

part "a newer vault"
mount_vault
seq 1000 >"$MNT/file"
umount_vault
cp -a "$VAULT" "$WORK/newer.vault"
sums=$(cd "$WORK/newer.vault" && sha256sum packs/*)
sqlite3 "$WORK/newer.vault/vault.db" 'PRAGMA user_version = 999' || fail "sqlite3"
refused 'newer|999' "$VAULTFS" mount "$WORK/newer.vault" "$MNT"
expect_equal "it is untouched" "$(cd "$WORK/newer.vault" && sha256sum packs/*)" "$sums"
rm -rf "$WORK/newer.vault"
cp -a "$VAULT" "$WORK/newer.vault"
for pack in "$WORK"/newer.vault/packs/*; do
  expect "a newer pack" "$VAULTFS_HELPERS/patchpack" version 999 "$pack"
done
sums=$(cd "$WORK/newer.vault" && sha256sum packs/*)
refused 'newer|version' "$VAULTFS" mount "$WORK/newer.vault" "$MNT"
refused 'newer|version' "$VAULTFS" rebuild "$WORK/newer.vault"
expect_equal "the packs are untouched" "$(cd "$WORK/newer.vault" && sha256sum packs/*)" "$sums"

part "a vault.db that somebody prepared"
cp -a "$VAULT" "$WORK/hostile.vault"
sqlite3 "$WORK/hostile.vault/vault.db" 'CREATE TRIGGER t AFTER INSERT ON settings BEGIN DELETE FROM entries; END' || fail "sqlite3"
refused 'vault.db|schema|hostile' "$VAULTFS" mount "$WORK/hostile.vault" "$MNT"
expect "a rebuild throws it away" "$VAULTFS" rebuild "$WORK/hostile.vault"
expect "then it mounts" "$VAULTFS" mount "$WORK/hostile.vault" "$MNT"
expect "with all in it" sh -c "seq 1000 | cmp - '$MNT/file'"
expect "and unmounts" "$VAULTFS" umount "$MNT"
rm -rf "$WORK/newer.vault" "$WORK/hostile.vault" "$VAULT"

# ---- damage ----

# Files of noise with a mark in the middle, each some MiB, over several packs.
make_marked() { # NUMBER
  head -c $((MIB + 4321)) /dev/urandom
  printf 'MARK-%s-MARK' "$1"
  head -c $((MIB + 1234)) /dev/urandom
}
make_marked_vault() {
  local i
  make_vault --pack-size 4M
  mkdir "$WORK/marked"
  for i in 1 2 3 4 5 6 7 8; do make_marked "$i" >"$WORK/marked/file $i"; done
  mount_vault
  cp "$WORK"/marked/* "$MNT/"
  umount_vault
}
# check_all_but HIT...: the files hit give EIO and never other bytes; all others are right.
check_all_but() {
  local f
  for f in "$WORK"/marked/*; do
    if [[ " $* " == *" ${f##* } "* ]]; then
      fails_with "Input/output error" cat "$MNT/${f##*/}"
    else
      expect "what was not hit is right" cmp "$f" "$MNT/${f##*/}"
    fi
  done
}
pack_of() { # MARK: leaves PACK and OFFSET
  for PACK in "$VAULT"/packs/*; do
    OFFSET=$("$VAULTFS_HELPERS/patchpack" find "$1" "$PACK") && return
  done
  fail "$1 is in no pack"
}

part "a flipped bit"
make_marked_vault
pack_of MARK-3-MARK
expect "flip" "$VAULTFS_HELPERS/patchpack" flip "$OFFSET" "$PACK"
"$VAULTFS" mount -f "$VAULT" "$MNT" 2>"$WORK/daemon-messages" &
BACKGROUND+=("$!")
eventually 20 "mounted" mounted
check_all_but 3
expect "the start of the file hit is right" cmp -n 4096 "$WORK/marked/file 3" "$MNT/file 3"
expect "its end too" cmp "$WORK/marked/file 3" "$MNT/file 3" -i $((2 * MIB))
grep -F "$(basename "$PACK" .pack | sed 's/^0*//')" "$WORK/daemon-messages" | grep -qF 'file 3' ||
  fail "no message names the pack and the path: $(<"$WORK/daemon-messages")"
fails_with "Input/output error" cat "$MNT/file 3"
part "what is damaged is stored anew when it is written again"
expect "written again" cp "$WORK/marked/file 3" "$MNT/file 3 again"
expect "it is right" cmp "$WORK/marked/file 3" "$MNT/file 3 again"
umount_vault
mount_vault
expect "it is right, mounted again" cmp "$WORK/marked/file 3" "$MNT/file 3 again"
rm "$MNT/file 3 again"
umount_vault

part "a bit flipped back"
rm -rf "$VAULT" "$WORK/marked"
make_marked_vault
pack_of MARK-5-MARK
cp "$PACK" "$WORK/sound"
expect "flip" "$VAULTFS_HELPERS/patchpack" flip "$OFFSET" "$PACK"
expect "flip back" "$VAULTFS_HELPERS/patchpack" flip "$OFFSET" "$PACK"
cmp -s "$PACK" "$WORK/sound" || fail "the helper is wrong"
mount_vault
check_all_but
umount_vault

part "an older pack cut short"
pack_of MARK-1-MARK
truncate -s "$OFFSET" "$PACK"
sums=$(pack_sums)
run "$VAULTFS" mount "$VAULT" "$MNT"
if [[ $STATUS == 0 ]]; then
  expect_not "the file hit cannot be read" cmp -s "$WORK/marked/file 1" "$MNT/file 1"
  fails_with "Input/output error" cat "$MNT/file 1"
  for i in 6 7 8; do expect "what lies in other packs is right" cmp "$WORK/marked/file $i" "$MNT/file $i"; done
  expect "unmount" "$VAULTFS" umount "$MNT"
else
  fail "it does not mount: $ERR"
fi
[[ $(stat -c %s "$PACK") == "$OFFSET" ]] || fail "the pack that was cut has another size"

part "the newest pack cut short: nothing is cut further, nothing is written"
rm -rf "$VAULT" "$WORK/marked"
make_marked_vault
PACK=$(ls "$VAULT"/packs/* | tail -n 1)
truncate -s -5000 "$PACK"
sums=$(pack_sums)
run "$VAULTFS" mount "$VAULT" "$MNT"
if [[ $STATUS == 0 ]]; then
  expect "old files are right" cmp "$WORK/marked/file 1" "$MNT/file 1"
  fails_with "Read-only file system" touch "$MNT/new"
  expect "unmount" "$VAULTFS" umount "$MNT"
else
  [[ $(wc -l <<<"$ERR") == 1 ]] || fail "wanted one line: $ERR"
fi
expect_equal "the packs are as they were" "$(pack_sums)" "$sums"
rm -rf "$VAULT" "$WORK/marked"

# ---- the disk below ----

part "a read-only disk"
if is_root; then
  mkdir "$WORK/disk"
  mount -t tmpfs -o size=320m tmpfs "$WORK/disk" || fail "cannot mount a tmpfs"
  SCRATCH_MOUNTS+=("$WORK/disk")
  VAULT=$WORK/disk/test.vault
  make_vault --pack-size 4M
  mount_vault
  make_sample "$MNT/sample"
  remember_tree "$WORK/tree"
  umount_vault
  mount -o remount,ro "$WORK/disk"
  mount_vault
  same_as_remembered "on a read-only disk" "$WORK/tree"
  fails_with "Read-only file system" touch "$MNT/new"
  expect "unmount" "$VAULTFS" umount "$MNT"
  run "$VAULTFS" stats "$VAULT"
  expect_equal "stats on a read-only disk ($ERR)" "$STATUS" 0
  refused "$VAULT|$WORK/disk" "$VAULTFS" rebuild "$VAULT"
  mount -o remount,rw "$WORK/disk"
else
  skip_line "only root can mount a read-only disk"
fi

part "a full disk"
if is_root; then
  mount_vault -o commit=1
  written=0
  while ((written < 200)); do
    head -c $((4 * MIB)) /dev/urandom >"$WORK/filler"
    if ! cp "$WORK/filler" "$MNT/filler $written" 2>"$WORK/errors"; then
      grep -qF 'No space left on device' "$WORK/errors" || fail "another error than ENOSPC: $(<"$WORK/errors")"
      break
    fi
    sha256sum <"$WORK/filler" >>"$WORK/filler-sums"
    written=$((written + 1))
  done
  note "full after $((written * 4)) MiB on a disk of 320"
  ((written > 20 && written < 80)) || fail "$written files fitted on a disk of 320 MiB"
  rm -f "$MNT/filler $written"
  for ((i = 0; i < written; i++)); do sha256sum <"$MNT/filler $i"; done >"$WORK/filler-found"
  expect "all that was accepted can be read" cmp "$WORK/filler-sums" "$WORK/filler-found"
  same_tree "and what was there before" "$MNT/sample" "$MNT/sample"
  expect "sync on a full disk" "$VAULTFS" sync "$MNT"
  part "going on when there is room again"
  for ((i = 0; i < written - 3; i++)); do rm "$MNT/filler $i" || fail "rm on a full disk"; done
  room_again() {
    "$VAULTFS" sync "$MNT" && head -c $((20 * MIB)) /dev/urandom >"$MNT/after" 2>/dev/null
  }
  eventually 60 "room again after deleting" room_again
  expect_equal "it was written whole" "$(stat -c %s "$MNT/after")" $((20 * MIB))
  remember_tree "$WORK/tree"
  umount_vault
  mount_vault
  same_as_remembered "mounted again after the full disk" "$WORK/tree"
  umount_vault
else
  skip_line "only root can mount a small disk"
fi
