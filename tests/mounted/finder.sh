#!/bin/bash
# finder.sh - the tags of macOS's Finder, as copies and Samba leave them in attributes, become tags.
. "$(dirname "$0")/lib.sh"
need setfattr getfattr python3
make_vault
mount_vault -o commit=1

PLAIN=user.com.apple.metadata:_kMDItemUserTags
STREAM='user.DosStream.com.apple.metadata:_kMDItemUserTags:$DATA'
MAPPED=$'user.DosStream.com.apple.metadata\xef\x80\xa2_kMDItemUserTags:$DATA' # U+F022

# finder FILE ATTRIBUTE PYTHON-VALUE [TAIL [FORMAT]]: set the attribute to the value as a property list.
finder() {
  python3 - "$@" <<'END' || fail "no property list for $1"
import os, plistlib, sys
path, name, value = sys.argv[1:4]
tail = bytes.fromhex(sys.argv[4]) if len(sys.argv) > 4 else b""
form = plistlib.FMT_XML if len(sys.argv) > 5 else plistlib.FMT_BINARY
os.setxattr(path, name.encode("utf-8", "surrogateescape"), plistlib.dumps(eval(value), fmt=form) + tail)
END
}
tags() { "$VAULTFS" tag ls "$1" | tr '\n' '|'; }
mkdir -p "$MNT/a/b" "$MNT/other"
for name in plain stream mapped xml commas same none broken number dict empty own nul; do : >"$MNT/a/$name"; done
: >"$MNT/a/b/deep"
: >"$MNT/other/outside"

part "all spellings"
finder "$MNT/a/plain" "$PLAIN" '["Red\n6", "Größe", "work/home\n4"]'
finder "$MNT/a/stream" "$STREAM" '["Red\n6", "Two words\n0"]' 00
finder "$MNT/a/mapped" "$MAPPED" '["Blue\n4"]' 00
finder "$MNT/a/xml" "$PLAIN" '["x\n1"]' '' xml
finder "$MNT/a/commas" "$PLAIN" '["Paris, France\n2", " ", "", "tab\there", "end"]'
finder "$MNT/a/nul" "$STREAM" '["nothing behind"]'
finder "$MNT/a/same" "$PLAIN" '["have\n3", "HAVE"]'
finder "$MNT/a/empty" "$PLAIN" '[]'
finder "$MNT/a/b" "$PLAIN" '["folder\n5"]'
finder "$MNT/a/b/deep" "$PLAIN" '["deep\n7"]'
finder "$MNT/other/outside" "$PLAIN" '["not asked for"]'
setfattr -n user.xdg.tags -v 'Have, mine' "$MNT/a/same"
setfattr -n user.xdg.tags -v 'mine' "$MNT/a/own"
finder "$MNT/a/own" "$PLAIN" '["theirs\n1"]'
before=$(stat -c %z "$MNT/a/same")
run "$VAULTFS" tag --import-finder "$MNT/a"
if [[ $STATUS != 0 && $ERR == *"without libplist"* ]]; then
  skip_line "this build has no libplist"
  umount_vault
  exit 0
fi
expect_equal "it succeeds" "$STATUS $ERR" "0 "
expect_equal "what it did" "$OUT" "9 of 16 files given tags"
while IFS='=' read -r name want; do
  expect_equal "tags of $name" "$(tags "$MNT/a/$name")" "$want"
done <<END
plain=Red|Größe|work/home|
stream=Red|Two words|
mapped=Blue|
xml=x|
commas=Paris; France|end|
nul=nothing behind|
same=Have|mine|
own=mine|theirs|
empty=
none=
b=folder|
b/deep=deep|
END
expect_equal "what had them was left alone" "$(stat -c %z "$MNT/a/same")" "$before"
expect_equal "to the byte" "$(getfattr --absolute-names --only-values -n user.xdg.tags "$MNT/a/same")" 'Have, mine'
expect_equal "what was not named has none" "$(tags "$MNT/other/outside")" ""
run "$VAULTFS" tag --import-finder "$MNT/a" "$MNT/other/outside"
expect_equal "again, there is only the new one" "$OUT" "1 of 17 files given tags"
expect_equal "one file alone" "$(tags "$MNT/other/outside")" "not asked for|"

part "colors"
if [[ -d $MNT/.views/tags ]]; then
  color() { getfattr --absolute-names --only-values -n user.vaultfs.color "$MNT/.views/tags/$1" 2>/dev/null; }
  expect_equal "the Finder's red" "$(color Red)" red
  expect_equal "below another tag" "$(color work/home)" blue
  expect_equal "none" "$(color 'Two words')" ""
  expect "another color" setfattr -n user.vaultfs.color -v green "$MNT/.views/tags/Red"
  expect "import again" "$VAULTFS" tag --import-finder "$MNT/a" >/dev/null
  expect_equal "is left" "$(color Red)" green
else
  skip_line "no tag folders here"
fi

part "what is no list of tags"
finder "$MNT/a/dict" "$PLAIN" '{"a": 1}'
finder "$MNT/a/number" "$PLAIN" '["before", 7, "after"]'
setfattr -n "$PLAIN" -v 'bplist00 and nothing' "$MNT/a/broken"
run "$VAULTFS" tag --import-finder "$MNT/a"
expect_equal "it fails" "$STATUS" 1
for name in dict number broken; do
  grep -qF "a/$name: $PLAIN is no list of tags" <<<"$ERR" || fail "nothing is said of $name: $ERR"
done
expect_equal "a line each" "$(wc -l <<<"$ERR")" 3
expect_equal "what could be read was taken" "$(tags "$MNT/a/number")" "before|"
python3 - "$MNT/a/broken" "$PLAIN" <<'END' || fail "no hostile lists"
import os, plistlib, random, subprocess, sys
path, name = sys.argv[1:3]
seed = random.randrange(1 << 32)
print("      seed", seed)
random.seed(seed)
good = plistlib.dumps(["one\n1", "two\n2", "three" * 30], fmt=plistlib.FMT_BINARY)
for i in range(60):
    bad = bytearray(good)
    for _ in range(random.randrange(1, 6)):
        bad[random.randrange(len(bad))] = random.randrange(256)
    os.setxattr(path, name, bytes(bad[:random.randrange(1, len(bad) + 1)] if i % 3 == 0 else bad))
    r = subprocess.run([os.environ["VAULTFS"], "tag", "--import-finder", path], capture_output=True)
    assert r.returncode in (0, 1), (r, bytes(bad).hex())
END
refused 'absent' "$VAULTFS" tag --import-finder "$MNT/absent"
refused "$WORK" "$VAULTFS" tag --import-finder "$WORK"
misused "$VAULTFS" tag --import-finder
misused "$VAULTFS" tag --import-finder --json "$MNT"
umount_vault
