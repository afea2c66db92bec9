#!/bin/bash
# tags.sh - tags, notes and ratings through xattrs and through the command; types found by themselves; all kept.
. "$(dirname "$0")/lib.sh"
need getfattr setfattr file
make_vault
mount_vault -o commit=1
film=$MNT/film
seq 1000 >"$film"
mkdir "$MNT/dir"

value() { getfattr --absolute-names --only-values -n "$1" -- "$2" 2>/dev/null; }
names() { getfattr --absolute-names -m '^user\.' -- "$1" 2>/dev/null | grep -v -e '^#' -e '^$' -e '^user.mime_type$' | sort | tr '\n' ' '; }
tags() { "$VAULTFS" tag ls "$1" | sort | tr '\n' ' '; }
has_type() { [[ -n $(value user.mime_type "$1") ]]; }

part "tags through xattrs"
expect "set" setfattr -n user.xdg.tags -v 'holiday,beach' "$film"
expect_equal "read back" "$(value user.xdg.tags "$film")" holiday,beach
expect_equal "the command sees them" "$(tags "$film")" "beach holiday "
expect_equal "they are listed" "$(names "$film")" "user.xdg.tags "
expect "spaces, doubles and empty ones" setfattr -n user.xdg.tags -v 'a, b,,a' "$film"
expect_equal "the very bytes come back" "$(value user.xdg.tags "$film")" 'a, b,,a'
expect_equal "which are two tags" "$(tags "$film")" "a b "
expect "on a directory" setfattr -n user.xdg.tags -v 'Größe,x/y/z' "$MNT/dir"
expect_equal "read back from it" "$(value user.xdg.tags "$MNT/dir")" 'Größe,x/y/z'
expect "removed" setfattr -x user.xdg.tags "$film"
expect_equal "gone" "$(names "$film")" ""
fails_with "No such attribute" getfattr -n user.xdg.tags "$film"
fails_with "No such attribute" setfattr -x user.xdg.tags "$film"

part "tags through the command"
expect "add" "$VAULTFS" tag add 'one,two' "$film"
expect "add more" "$VAULTFS" tag add three "$film" "$MNT/dir"
expect_equal "the xattr has them" "$(value user.xdg.tags "$film" | tr ',' '\n' | sort | tr '\n' ' ')" "one three two "
expect "take one away" "$VAULTFS" tag rm two "$film"
expect_equal "it is gone" "$(tags "$film")" "one three "
expect "set" "$VAULTFS" tag set 'only' "$film"
expect_equal "it is the only one" "$(value user.xdg.tags "$film")" only
expect "set none" "$VAULTFS" tag set '' "$film"
expect_equal "no attribute without a tag" "$(names "$film")" ""
misused "$VAULTFS" tag frobnicate x "$film"
misused "$VAULTFS" tag add x
refused 'absent' "$VAULTFS" tag add x "$MNT/absent"
refused "$WORK" "$VAULTFS" tag add x "$WORK/.out"

part "the note and the rating"
expect "a note" setfattr -n user.xdg.comment -v 'What a day' "$film"
expect_equal "read back" "$(value user.xdg.comment "$film")" 'What a day'
for n in 1 2 3 4 5 6 7 8 9 10; do
  expect "rating $n" setfattr -n user.baloo.rating -v "$n" "$film"
  expect_equal "rating read back" "$(value user.baloo.rating "$film")" "$n"
done
for bad in 11 -1 x 5x '' 1.5 99999999999999999999; do
  expect_not "rating '$bad' is refused" setfattr -n user.baloo.rating -v "$bad" "$film" 2>/dev/null
done
fails_with "Invalid argument" setfattr -n user.baloo.rating -v 11 "$film"
expect_equal "a bad rating changes nothing" "$(value user.baloo.rating "$film")" 10
# 0 is how programs say that there is none
expect "rating 0" setfattr -n user.baloo.rating -v 0 "$film"
[[ -z $(value user.baloo.rating "$film") || $(value user.baloo.rating "$film") == 0 ]] || fail "rating 0 reads otherwise"
expect "rating 7" setfattr -n user.baloo.rating -v 7 "$film"
expect "note and rating removed" setfattr -x user.xdg.comment "$film"
expect "rating removed" setfattr -x user.baloo.rating "$film"
expect_equal "both gone" "$(names "$film")" ""

part "every other attribute, byte for byte"
expect "binary" setfattr -n user.binary -v 0x00ff0a2c00 "$film"
expect_equal "binary read back" "$(getfattr --absolute-names -e hex -n user.binary "$film" | grep -o '0x.*')" 0x00ff0a2c00
expect "an address" setfattr -n user.xdg.origin.url -v 'https://example.com/?a=1,2' "$film"
expect_equal "the address read back" "$(value user.xdg.origin.url "$film")" 'https://example.com/?a=1,2'

part "types"
printf '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89' >"$MNT/picture"
printf '#!/bin/sh\necho hello\n' >"$MNT/script"
eventually 30 "the type of a picture" has_type "$MNT/picture"
expect_equal "the picture's type" "$(value user.mime_type "$MNT/picture")" image/png
eventually 30 "the type of a script" has_type "$MNT/script"
expect_equal "the script's type" "$(value user.mime_type "$MNT/script")" text/x-shellscript

part "kept: mounted again, rebuilt, moved, linked"
"$VAULTFS" tag set 'kept,for ever' "$film" "$MNT/dir" "$MNT/picture"
setfattr -n user.xdg.comment -v $'two\nlines' "$film"
setfattr -n user.baloo.rating -v 8 "$film"
ln "$film" "$MNT/dir/linked"
mv "$film" "$MNT/dir/moved"
film=$MNT/dir/moved
check_kept() {
  expect_equal "tags $1" "$(value user.xdg.tags "$film")" 'kept,for ever'
  expect_equal "tags of the other name $1" "$(tags "$MNT/dir/linked")" 'for ever kept '
  expect_equal "tags of a directory $1" "$(tags "$MNT/dir")" 'for ever kept '
  expect_equal "the note $1" "$(value user.xdg.comment "$film")" $'two\nlines'
  expect_equal "the rating $1" "$(value user.baloo.rating "$film")" 8
  expect_equal "binary $1" "$(getfattr --absolute-names -e hex -n user.binary "$film" | grep -o '0x.*')" 0x00ff0a2c00
  expect_equal "the type $1" "$(value user.mime_type "$MNT/picture")" image/png
}
check_kept "moved"
remount_vault
check_kept "mounted again"
umount_vault
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
mount_vault
check_kept "rebuilt"

part "copied in and out"
cp -a "$film" "$WORK/copy" || fail "cp -a out"
expect_equal "tags of a copy on the disk" "$(value user.xdg.tags "$WORK/copy")" 'kept,for ever'
setfattr -x user.mime_type "$WORK/copy" 2>/dev/null
cp -a "$WORK/copy" "$MNT/back" || fail "cp -a in"
expect_equal "tags of a copy brought back" "$(tags "$MNT/back")" 'for ever kept '
expect_equal "its rating" "$(value user.baloo.rating "$MNT/back")" 8
umount_vault
