#!/bin/bash
# views_read.sh - looking at a vault through .views: every folder, names, playlists, and what other programs make of them.
. "$(dirname "$0")/lib.sh"
need setfattr getfattr tar rsync
make_vault
mount_vault
cd "$MNT" || exit 1
V=$MNT/.views

names() { (cd "$1" && find . -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | tr '\n' ' '); }
shows() { expect_equal "$1" "$(names "$2")" "${3:+$3 }"; } # WHAT FOLDER NAMES
tag() { setfattr -n user.xdg.tags -v "$1" "$2" || fail "cannot tag $2"; }

mkdir -p Films Texts 'odd names'
for i in a b c d; do seq "$i$i" >"Films/$i.mp4" 2>/dev/null || echo "$i" >"Films/$i.mp4"; done
echo one >Texts/one.txt
echo two >Texts/two.txt
tag 'holiday,beach' Films/a.mp4
tag 'holiday' Films/b.mp4
tag 'place/italy/rome,beach' Films/c.mp4
tag 'Holiday' Texts/one.txt

part "found by name, listed only when asked for"
expect_equal "the root lists its own" "$(names "$MNT")" "Films Texts odd names "
expect "it is there" test -d .views
expect_equal "find sees each file once" "$(find . -name a.mp4)" ./Films/a.mp4
shows "the top" .views "by-date duplicates favorites kinds people previews quality rating recent saved search similar tags thumbnails types unseen"
fails_with "No such file" ls .views/history
fails_with "No such file" ls .views/nothing
fails_with "File exists" mkdir .views
expect_not "nothing takes its place" mv Films .views 2>/dev/null
fails_with "Device or resource busy" rmdir .views

part "tags"
shows "the tags" .views/tags "beach holiday place"
shows "a tag" .views/tags/holiday "PLAYLIST.m3u8 a.mp4 b.mp4 beach one.txt"
shows "two tags" .views/tags/holiday/beach "PLAYLIST.m3u8 a.mp4"
shows "the other way round" .views/tags/beach/holiday "PLAYLIST.m3u8 a.mp4"
shows "a step above" .views/tags/place/italy "PLAYLIST.m3u8 beach c.mp4 rome"
shows "any case" .views/tags/HOLIDAY/BEACH "PLAYLIST.m3u8 a.mp4"
fails_with "No such file" ls .views/tags/holiday/place
fails_with "No such file" ls .views/tags/holiday/holiday
fails_with "No such file" ls .views/tags/none
expect_equal "the real inode" "$(stat -c %i .views/tags/holiday/a.mp4)" "$(stat -c %i Films/a.mp4)"
expect "the real bytes" cmp .views/tags/holiday/a.mp4 Films/a.mp4
expect_equal "the real attributes" "$(getfattr --only-values -n user.xdg.tags .views/tags/beach/a.mp4)" holiday,beach
echo more >>.views/tags/holiday/b.mp4
expect "written through the view" grep -q more Films/b.mp4
expect_equal "a link count of its own" "$(stat -c %h .views/tags/holiday/a.mp4)" 1

part "other folders"
shows "kinds are always there" .views/kinds "archive audio document image other text video"
shows "ratings without a file" .views/rating ""
setfattr -n user.baloo.rating -v 8 Films/a.mp4
shows "ratings" .views/rating 8
shows "a rating" .views/rating/8 "PLAYLIST.m3u8 a.mp4"
shows "a rating nobody gave" .views/rating/3 ""
fails_with "No such file" ls .views/rating/11
setfattr -n user.vaultfs.favorite -v 1 Films/d.mp4
shows "favorites" .views/favorites "PLAYLIST.m3u8 d.mp4"
shows "recent" .views/recent "month today week"
shows "today" .views/recent/today "PLAYLIST.m3u8 a.mp4 b.mp4 c.mp4 d.mp4 one.txt two.txt"
cp Texts/one.txt Films/someone-2024-02-20_14-30-00.mp4
shows "years" .views/by-date/2024 "02 PLAYLIST.m3u8 someone-2024-02-20_14-30-00.mp4"
shows "months" .views/by-date/2024/02 "PLAYLIST.m3u8 someone-2024-02-20_14-30-00.mp4"
shows "people" .views/people someone
shows "one of them" .views/people/someone "PLAYLIST.m3u8 someone-2024-02-20_14-30-00.mp4"
fails_with "No such file" ls .views/people/nobody
shows "what is like a file" .views/similar/Texts/one.txt "PLAYLIST.m3u8 someone-2024-02-20_14-30-00.mp4"
shows "similar has the tree" .views/similar "Films Texts odd names"
fails_with "No such file" ls .views/similar/Films/none.mp4
text_found() { [[ $(names .views/kinds/text) == *one.txt* ]]; }
eventually 30 "a kind is found out" text_found
eventually 30 "types" test -d .views/types/text/plain

part "searches"
shows "a search" '.views/search/tag:holiday -tag:beach' "PLAYLIST.m3u8 b.mp4 one.txt"
shows "or" '.views/search/tag:place or rating:>=8' "PLAYLIST.m3u8 a.mp4 c.mp4"
shows "nothing found" '.views/search/tag:nothing' ""
shows "searches are not listed" .views/search ""
fails_with "Invalid argument" ls '.views/search/size:>1x'
fails_with "No such file" ls .views/search/.git
expect_equal "the query of a folder" "$(getfattr --only-values -n user.vaultfs.query .views/tags/holiday/beach)" \
  'tag:"holiday" tag:"beach"'

part "names that meet"
echo 1 >Films/same.txt
echo 2 >Texts/same.txt
echo 3 >'odd names/same.txt'
echo 4 >'odd names/PLAYLIST.m3u8'
echo 5 >'odd names/beach'
for f in Films/same.txt Texts/same.txt 'odd names/same.txt' 'odd names/PLAYLIST.m3u8' 'odd names/beach'; do tag meet "$f"; done
tag 'meet,beach' Films/d.mp4
number() { stat -c %i "$1"; }
shows "told apart" .views/tags/meet "$(printf '%s\n' PLAYLIST.m3u8 "PLAYLIST~$(number 'odd names/PLAYLIST.m3u8').m3u8" beach \
  "beach~$(number 'odd names/beach')" d.mp4 same.txt "same~$(number Texts/same.txt).txt" "same~$(number 'odd names/same.txt').txt" |
  sort | tr '\n' ' ' | sed 's/ $//')"
expect_equal "the first keeps its name" "$(cat .views/tags/meet/same.txt)" 1
expect_equal "the others are found" "$(cat ".views/tags/meet/same~$(number Texts/same.txt).txt")" 2
expect_equal "so is the first" "$(cat ".views/tags/meet/same~$(number Films/same.txt).txt")" 1
expect_equal "behind the playlist" "$(cat ".views/tags/meet/PLAYLIST~$(number 'odd names/PLAYLIST.m3u8').m3u8")" 4
expect_equal "behind a folder" "$(cat ".views/tags/meet/beach~$(number 'odd names/beach')")" 5
expect "the folder is a folder" test -d .views/tags/meet/beach
for odd in $'new\nline' $'not \xff utf-8' '-rf' 'a"b' "a'b" 'a\b' '*' "$(printf 'n%.0s' {1..255})"; do
  : >"odd names/$odd"
  tag odd "odd names/$odd"
  expect "odd names are found" test -e ".views/tags/odd/$odd"
done
expect_equal "all are listed" "$(find .views/tags/odd -type f ! -name PLAYLIST.m3u8 -printf x)" xxxxxxxx
fails_with "File name too long" ls ".views/tags/$(printf 'n%.0s' {1..256})"

part "what changes shows at once"
tag later Texts/two.txt
shows "a new tag" .views/tags/later "PLAYLIST.m3u8 two.txt"
mv Texts/two.txt Texts/zwei.txt
shows "another name" .views/tags/later "PLAYLIST.m3u8 zwei.txt"
rm Texts/zwei.txt
shows "a file that goes" .views/tags/later ""
exec 8<.views/tags/later
echo x >Texts/open.txt
tag later Texts/open.txt
expect_equal "also in a folder that is open" "$(ls /proc/self/fd/8/)" $'PLAYLIST.m3u8\nopen.txt'
exec 8<&-

part "playlists"
list=.views/tags/holiday/PLAYLIST.m3u8
expect_equal "its first line" "$(head -n 1 "$list")" '#EXTM3U'
expect_equal "its size" "$(stat -c %s "$list")" "$(wc -c <"$list")"
fails_with "Read-only file system" sh -c "echo x >$list"
expect "it can be copied" cp "$list" "$WORK/list"
expect "and is what it was" cmp "$list" "$WORK/list"

part "programs"
expect "ls -lR" sh -c 'ls -lR .views >/dev/null'
expect "find" sh -c 'find .views -type f >/dev/null'
expect "du" sh -c 'du -s .views >/dev/null'
expect "cp -r" cp -r .views/tags/holiday "$WORK/copied"
expect "the copy has the files" cmp "$WORK/copied/beach/a.mp4" Films/a.mp4
expect "rsync -a" rsync -a .views/tags/holiday/ "$WORK/synced/"
expect "the copy has the files" cmp "$WORK/synced/b.mp4" Films/b.mp4
expect_equal "a second run transfers nothing" "$(rsync -ai .views/tags/holiday/ "$WORK/synced/" | grep '^>f' | grep -v PLAYLIST)" ""
expect "tar" sh -c "tar cf - .views/tags/holiday | tar xf - -C '$WORK'"
expect "what came out of it" cmp "$WORK/.views/tags/holiday/a.mp4" Films/a.mp4

part "options"
cd /
umount_vault
mount_vault -o views=shown
expect "listed" grep -qx .views <(ls -A "$MNT")
expect_equal "with what it is" "$(find "$MNT" -maxdepth 1 -type d -name .views -printf '%y')" d
remount_vault -o views=no
expect_not "switched off" ls "$V" 2>/dev/null
mkdir "$MNT/.views"
: >"$MNT/.views/own"
remount_vault
shows "a directory of that name is hidden by the views" "$V" "by-date duplicates favorites kinds people previews quality rating recent saved search similar tags thumbnails types unseen"
remount_vault -o views=no
expect "and comes back" rm -r "$MNT/.views"
umount_vault
misused "$VAULTFS" mount "$VAULT" "$MNT" -o views=maybe
mount_vault -o ro
shows "read-only" "$V/tags/holiday" "PLAYLIST.m3u8 a.mp4 b.mp4 beach one.txt"
fails_with "Read-only file system" rm "$V/tags/holiday/a.mp4"
fails_with "Read-only file system" mkdir "$V/tags/x"
remount_vault -o uid=1234,gid=2345
expect_equal "whose it is" "$(stat -c %u:%g "$V/tags")" 1234:2345
umount_vault

if is_root; then
  part "other users"
  chmod 755 "$WORK"
  mount_vault -o allow_other
  mkdir -m 0700 "$MNT/private"
  echo secret >"$MNT/private/secret.txt"
  ln "$MNT/private/secret.txt" "$MNT/.views/tags/holiday/"
  as_other=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  expect "what he may read" "${as_other[@]}" cat "$MNT/.views/tags/holiday/a.mp4" >/dev/null
  fails_with "Permission denied" "${as_other[@]}" cat "$MNT/.views/tags/holiday/secret.txt"
  expect "after root has looked" cat "$MNT/.views/tags/holiday/secret.txt" >/dev/null
  fails_with "Permission denied" "${as_other[@]}" cat "$MNT/.views/tags/holiday/secret.txt"
  fails_with "Permission denied" "${as_other[@]}" mkdir "$MNT/.views/tags/his"
  chmod 777 "$MNT"
  expect "a tag" "${as_other[@]}" mkdir "$MNT/.views/tags/his"
  part "other users do not search what they may not read"
  chmod 600 "$MNT/Texts/one.txt"
  expect "root searches" ls "$MNT/.views/search/secret" >/dev/null
  fails_with "Permission denied" "${as_other[@]}" ls "$MNT/.views/search/secret"
  fails_with "Permission denied" "${as_other[@]}" stat "$MNT/.views/search/secret/PLAYLIST.m3u8"
  fails_with "Permission denied" "${as_other[@]}" mkdir "$MNT/.views/saved/his"
  expect "root keeps a search" mkdir "$MNT/.views/saved/kept"
  expect "of something" setfattr -n user.vaultfs.query -v tag:holiday "$MNT/.views/saved/kept"
  fails_with "Permission denied" "${as_other[@]}" setfattr -n user.vaultfs.query -v secret "$MNT/.views/saved/kept"
  fails_with "Permission denied" "${as_other[@]}" rmdir "$MNT/.views/saved/kept"
  expect "what is kept is for all" "${as_other[@]}" cat "$MNT/.views/saved/kept/a.mp4" >/dev/null
  fails_with "Permission denied" "${as_other[@]}" rm "$MNT/.views/tags/holiday/a.mp4"
  umount_vault
fi
