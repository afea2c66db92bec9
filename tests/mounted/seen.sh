#!/bin/bash
# seen.sh - half of a video or sound file read by one opener is remembered as seen.
. "$(dirname "$0")/lib.sh"
need getfattr setfattr dd python3
make_vault

value() { getfattr --absolute-names --only-values -n "user.$1" -- "$MNT/$2" 2>/dev/null; }
seen() { [[ -n $(value vaultfs.seen "$1") ]]; }
has_kind() { [[ $(value vaultfs.kind "$1") == "$2" ]]; }
# Nothing of the files is in the kernel's memory, which would not ask for it, and little is read ahead.
fresh_mount() {
  mounted && umount_vault
  mount_vault -o readahead=128,commit=1 "$@"
}
# watch NAME FROM MANY [dd options]: so many of 256 blocks are read by one opener.
watch() { dd if="$MNT/$1" of=/dev/null bs=64k skip="$2" count="$3" status=none "${@:4}" || fail "cannot read $1"; }
not_seen() { # WHAT NAME
  expect "what was changed is on disk" "$VAULTFS" sync "$MNT"
  expect_not "$1" seen "$2"
}

mount_vault -o commit=1
python3 - "$MNT" <<'END' || fail "no files"
import os, sys, wave
for name in "sound", "other", "quiet", "scanned":
    with wave.open(sys.argv[1] + "/" + name, "wb") as w:
        w.setnchannels(2), w.setsampwidth(2), w.setframerate(44100)
        w.writeframes(os.urandom(256 * 65536 - 44))
with open(sys.argv[1] + "/text", "wb") as t:
    t.write(b"The quick brown fox jumps over the lazy dog.\n" * 372827)
END
for name in sound other quiet scanned; do eventually 30 "the kind of $name" has_kind "$name" audio; done
eventually 30 "the kind of the text" has_kind text text

part "less than half, by several openers"
fresh_mount
watch sound 0 100
watch sound 150 100
not_seen "two thirds by two openers" sound

part "more than half"
before=$(date +%s)
changed=$(stat -c %z "$MNT/other")
watch other 0 150
eventually 10 "it was seen" seen other
at=$(date -d "$(value vaultfs.seen other)" +%s)
((at >= before - 1 && at <= $(date +%s))) || fail "seen at $at, not after $before"
expect_equal "nobody changed the file" "$(stat -c %z "$MNT/other")" "$changed"
expect "it is an attribute like any" setfattr -x user.vaultfs.seen "$MNT/other"
expect_not "taken back" seen other
fresh_mount
watch other 0 60
dd if="$MNT/other" of=/dev/null bs=64k count=256 status=none iflag=direct || fail "cannot read other"
eventually 10 "around what the kernel keeps" seen other
expect_not "others were not" seen quiet

part "what does not count"
watch text 0 256
not_seen "a text" text
watch quiet 0 256 iflag=noatime
not_seen "who says that reading is to leave no trace" quiet
fresh_mount -o seen=no
watch quiet 0 256
not_seen "with seen=no" quiet
fresh_mount -o ro
watch quiet 0 256
expect_not "read-only" seen quiet
umount_vault
misused "$VAULTFS" mount "$VAULT" "$MNT" -o seen=perhaps

part "kept"
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
fresh_mount
expect "still seen" seen other
expect_not "still not" seen sound
umount_vault
