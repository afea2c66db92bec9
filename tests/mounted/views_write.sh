#!/bin/bash
# views_write.sh - what is done to files by way of .views: ln, rm, mv, cp, mkdir; and what is refused.
. "$(dirname "$0")/lib.sh"
need setfattr getfattr rsync python3
make_vault
mount_vault
cd "$MNT" || exit 1

tags() { getfattr --only-values -n user.xdg.tags "$1" 2>/dev/null | tr ',' '\n' | sort | tr '\n' ' '; }
names() { (cd "$1" && find . -mindepth 1 -maxdepth 1 ! -name PLAYLIST.m3u8 -printf '%f\n' | sort | tr '\n' ' '); }
shows() { expect_equal "$1" "$(names "$2")" "${3:+$3 }"; }
has() { expect_equal "$1" "$(tags "$2")" "${3:+$3 }"; }

mkdir Films Texts
for i in a b c; do echo "film $i" >"Films/$i.mp4"; done
T=.views/tags

part "tags are made, renamed, removed"
expect "mkdir" mkdir $T/holiday
shows "it is there, without a file" $T holiday
fails_with "File exists" mkdir $T/Holiday
expect "below another" mkdir -p $T/place/italy/rome
shows "a step" $T/place italy
expect "mv" mv $T/holiday $T/ferien
shows "the new name" $T "ferien place"
expect "into another" mv $T/ferien $T/place/
shows "below it" $T/place "ferien italy"
expect "and back" mv $T/place/ferien $T/holiday
expect_not "not over another" mv -T $T/holiday $T/place 2>/dev/null
fails_with "Invalid argument" mkdir "$T/a,b"
fails_with "Directory not empty" rmdir $T/place
expect "rmdir" rmdir $T/place/italy/rome
shows "gone" $T/place/italy ""

part "ln gives the tag, rm takes it away"
inode=$(stat -c '%i %h' Films/a.mp4)
expect "ln" ln Films/a.mp4 $T/holiday/
has "tagged" Films/a.mp4 holiday
shows "shown at once" $T/holiday a.mp4
expect_equal "same inode, no link more" "$(stat -c '%i %h' Films/a.mp4)" "$inode"
fails_with "File exists" ln Films/a.mp4 $T/holiday/
expect "cp --link" cp --link Films/b.mp4 Films/c.mp4 $T/holiday/
shows "all three" $T/holiday "a.mp4 b.mp4 c.mp4"
expect "rm" rm $T/holiday/c.mp4
has "no tag" Films/c.mp4 ""
expect "the file is there" grep -q 'film c' Films/c.mp4
expect_equal "and has its link" "$(stat -c %h Films/c.mp4)" 1
expect "under another name" ln Films/c.mp4 $T/holiday/other.mp4
expect "which is found" test -e $T/holiday/other.mp4
shows "but not shown" $T/holiday "a.mp4 b.mp4 c.mp4"
expect "rm of it" rm $T/holiday/other.mp4
has "no tag again" Films/c.mp4 ""

part "mv between tags"
mkdir $T/beach
expect "mv" mv $T/holiday/b.mp4 $T/beach/
has "the other tag" Films/b.mp4 beach
shows "there" $T/beach b.mp4
shows "not here" $T/holiday a.mp4
fails_with "Operation not permitted" mv $T/beach/b.mp4 $T/beach/x.mp4
fails_with "Operation not permitted" mv Films/c.mp4 $T/beach/
fails_with "Operation not permitted" mv $T/beach Films/
fails_with "Operation not permitted" mv $T/beach/b.mp4 Films/x.mp4
expect "all is where it was" test -e Films/c.mp4 -a -d $T/beach

part "cp of an outside file"
echo outside >"$WORK/out.txt"
expect "cp" cp "$WORK/out.txt" $T/beach/
shows "shown" $T/beach "b.mp4 out.txt"
expect "it stands in Inbox" cmp Inbox/out.txt "$WORK/out.txt"
has "with its tag" Inbox/out.txt beach
echo other >"$WORK/out.txt"
expect "cp into another" cp "$WORK/out.txt" $T/holiday/
expect "found at once under its name" grep -q other $T/holiday/out.txt
expect_equal "Inbox has both" "$(names Inbox)" "out (2).txt out.txt "
echo changed >"$WORK/out.txt"
expect "cp over it" cp "$WORK/out.txt" $T/beach/out.txt
expect "writes the file" grep -q changed Inbox/out.txt
expect "rm of it" rm $T/beach/out.txt
expect "leaves the file" grep -q changed Inbox/out.txt
has "without the tag" Inbox/out.txt ""

part "programs that save under another name first"
ln Films/a.mp4 $T/beach/
echo from-afar >"$WORK/afar.txt"
expect "rsync" rsync -a "$WORK/afar.txt" $T/beach/
expect "stored" cmp Inbox/afar.txt "$WORK/afar.txt"
shows "shown" $T/beach "a.mp4 afar.txt b.mp4 holiday"
expect_equal "nothing else is left" "$(names Inbox)" "afar.txt out (2).txt out.txt "
setfattr -n user.xdg.comment -v kept Films/a.mp4
expect "sed -i" sed -i s/film/movie/ $T/beach/a.mp4
expect_equal "changed in its place" "$(cat Films/a.mp4)" "movie a"
has "with its tags" Films/a.mp4 "beach holiday"
expect_equal "and its note" "$(getfattr --only-values -n user.xdg.comment Films/a.mp4)" kept
expect "an editor" python3 - $T/beach/a.mp4 <<'END'
import os, sys
name = os.path.dirname(sys.argv[1]) + "/tmp4711"
handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
os.write(handle, b"edited\n")
os.fsync(handle)
os.fchmod(handle, 0o640)
os.close(handle)
os.replace(name, sys.argv[1])
END
expect_equal "changed in its place" "$(cat Films/a.mp4) $(stat -c %a Films/a.mp4)" "edited 640"
has "with its tags" Films/a.mp4 "beach holiday"
expect "install" install -m 600 "$WORK/out.txt" $T/beach/tool
expect_equal "as it was told" "$(stat -c %a Inbox/tool)" 600
expect "cp -a" cp -a "$WORK/afar.txt" $T/beach/tool
expect_equal "over it, with its times" "$(stat -c %Y Inbox/tool)" "$(stat -c %Y "$WORK/afar.txt")"
expect "no longer needed" rm $T/beach/tool Inbox/tool
for passing in .lock .a.txt.swp .out.txt.Xy12Zz; do
  expect "a file for a moment" sh -c "echo x >$T/beach/$passing"
done
: >$T/beach/.lock
expect "removed" rm $T/beach/.lock $T/beach/.a.txt.swp $T/beach/.out.txt.Xy12Zz
expect_equal "all are gone" "$(ls -A Inbox | tr '\n' ' ')" "afar.txt out (2).txt out.txt "
echo settings >"$WORK/.profile"
cp "$WORK/.profile" $T/beach/
echo old >$T/beach/x~
expect "rm deletes no file that somebody may miss" rm $T/beach/.profile $T/beach/x~
expect_equal "they stay" "$(cat Inbox/.profile Inbox/x~ | tr '\n' ' ')" "settings old "
rm Inbox/.profile Inbox/x~

part "rm -r"
ln Films/c.mp4 $T/place/italy/
ln Films/c.mp4 $T/holiday/
ln Films/a.mp4 $T/place/
expect "of a tag" rm -r $T/holiday
has "other tags stay" Films/a.mp4 "beach place"
has "and here" Films/c.mp4 place/italy
expect "of a tree" rm -r $T/place
has "all below it go" Films/c.mp4 ""
shows "gone" $T beach
expect "the files stay" test -e Films/a.mp4 -a -e Films/c.mp4

part "rm -r where tags are together and below each other"
setfattr -n user.xdg.tags -v 'trip,sun,sea/deep' Films/a.mp4
setfattr -n user.xdg.tags -v 'trip/day1,sun' Films/b.mp4
setfattr -n user.xdg.tags -v 'sun' Films/c.mp4
known() {
  find Films Inbox -type f | sort | while read -r f; do
    echo "$f $(tags "$f") $(stat -c '%i %h %s' "$f") $(md5sum <"$f")"
  done
}
known >"$WORK/before"
expect "rm -r" rm -r $T/trip
known >"$WORK/after"
expect_equal "only that tag goes" "$(sed 's/ trip / /; s,trip/day1 ,,' "$WORK/before")" "$(cat "$WORK/after")"
expect "by a rule" mkdir $T/trip
expect "which is" setfattr -n user.vaultfs.implies -v trip $T/sun
setfattr -n user.xdg.tags -v 'sun,trip' Films/c.mp4
expect_not "rm -r of a tag that stays by a rule" rm -r $T/trip 2>/dev/null
has "takes no other" Films/a.mp4 "sea/deep sun"
has "nor here" Films/b.mp4 sun
has "but itself" Films/c.mp4 sun
fails_with "Operation not permitted" rm $T/trip/sun/b.mp4
expect "no rule" setfattr -x user.vaultfs.implies $T/sun
expect "no trip" rmdir $T/trip
expect "no sun and sea" rm -r $T/sun $T/sea
has "none" Films/b.mp4 ""
ln Films/a.mp4 Films/b.mp4 $T/beach/

part "rm -r among very many tags"
many=$(seq -s , -f 'many%g' 300)
setfattr -n user.xdg.tags -v "$many" Films/c.mp4
expect "rm -r" rm -r $T/many7
has "only that goes" Films/c.mp4 "$(tr ',' '\n' <<<"$many" | grep -vx many7 | sort | tr '\n' ' ' | sed 's/ $//')"
setfattr -x user.xdg.tags Films/c.mp4
rmdir $T/many*
setfattr -n user.xdg.tags -v onfolder Films
shows "a directory is not shown" $T/onfolder ""
fails_with "Directory not empty" rm -r $T/onfolder
setfattr -x user.xdg.tags Films
expect "its tag can go when it has it no more" rmdir $T/onfolder

part "a tag called like the playlist"
expect "is one" mkdir $T/PLAYLIST.m3u8
expect "with a file" ln Films/c.mp4 $T/PLAYLIST.m3u8/
shows "in its folder" $T/PLAYLIST.m3u8 c.mp4
ln Films/c.mp4 $T/beach/
expect_equal "once in others" "$(find $T/beach -name PLAYLIST.m3u8 -printf '%y ')" "f "
fails_with "File exists" mkdir $T/beach/PLAYLIST.m3u8
expect "removed" rm -r $T/PLAYLIST.m3u8
expect "removed" rm $T/beach/c.mp4

part "rules, seen and set on folders"
mkdir $T/summer
expect "a color" setfattr -n user.vaultfs.color -v '#ff0000' $T/beach
expect_equal "read back" "$(getfattr --only-values -n user.vaultfs.color $T/beach)" '#ff0000'
fails_with "Invalid argument" setfattr -n user.vaultfs.color -v 'loud' $T/beach
expect "an alias" setfattr -n user.vaultfs.aliases -v strand $T/beach
shows "leads to it" $T/strand "a.mp4 afar.txt b.mp4"
expect "an implication" setfattr -n user.vaultfs.implies -v summer $T/beach
shows "what implies is shown" $T/summer "a.mp4 afar.txt b.mp4 beach"
fails_with "Operation not permitted" rm $T/summer/a.mp4
expect "not listed without a value" setfattr -x user.vaultfs.color $T/beach
expect_not "gone" getfattr -n user.vaultfs.color $T/beach 2>/dev/null
fails_with "Operation not permitted" setfattr -n user.other -v x $T/beach

part "names of tags that lead to others"
expect "ln by an alias" ln Films/c.mp4 $T/Strand/
has "gives the tag" Films/c.mp4 beach
expect "rm by it" rm $T/STRAND/c.mp4
has "takes it" Films/c.mp4 ""
fails_with "File exists" mkdir $T/strand
id=$(stat -c %i Films/a.mp4)
echo other >"Films/a~$id.mp4"
fails_with "File exists" ln "Films/a~$id.mp4" $T/beach/
setfattr -n user.xdg.tags -v beach "Films/a~$id.mp4"
expect_equal "a file called like the other name of one" "$(cat "$T/beach/a~$id~$(stat -c %i "Films/a~$id.mp4").mp4")" other
expect "removed" rm "$T/beach/a~$id~$(stat -c %i "Films/a~$id.mp4").mp4"
has "that one" "Films/a~$id.mp4" ""
expect "not a file of that name" rm "Films/a~$id.mp4"

part "other folders"
expect "a favorite" ln Films/b.mp4 .views/favorites/
expect_equal "is one" "$(getfattr --only-values -n user.vaultfs.favorite Films/b.mp4)" 1
expect "no more" rm .views/favorites/b.mp4
shows "none" .views/favorites ""
expect "a rating" ln Films/b.mp4 .views/rating/8/
expect_equal "is it" "$(getfattr --only-values -n user.baloo.rating Films/b.mp4)" 8
expect "another" mv .views/rating/8/b.mp4 .views/rating/3/
expect_equal "is it" "$(getfattr --only-values -n user.baloo.rating Films/b.mp4)" 3
expect "none" rm .views/rating/3/b.mp4
expect "a saved search" mkdir .views/saved/good
shows "finds nothing as yet" .views/saved/good ""
expect "with a query" setfattr -n user.vaultfs.query -v 'tag:beach -name:a*' .views/saved/good
shows "is a folder" .views/saved/good b.mp4
expect "with another query" "$VAULTFS" save . good tag:beach
shows "shows that" .views/saved/good "a.mp4 afar.txt b.mp4"
fails_with "Invalid argument" setfattr -n user.vaultfs.query -v 'size:>1x' .views/saved/good
expect "renamed" mv .views/saved/good .views/saved/better
shows "is another" .views/saved better
expect "removed" rmdir .views/saved/better
shows "gone" .views/saved ""

part "what means nothing"
fails_with "Read-only file system" rm '.views/search/tag:beach/b.mp4'
fails_with "Read-only file system" ln Films/c.mp4 .views/kinds/video/
fails_with "Read-only file system" mkdir .views/kinds/new
fails_with "Read-only file system" cp "$WORK/out.txt" .views/recent/today/new.txt
fails_with "Read-only file system" mkdir .views/new
fails_with "Read-only file system" rmdir .views/tags
fails_with "Operation not permitted" ln -s x $T/beach/link
fails_with "Operation not permitted" mkfifo $T/beach/pipe
fails_with "Operation not permitted" chmod 0 $T/beach
fails_with "Operation not permitted" ln $T/beach/PLAYLIST.m3u8 Films/list
cd /
umount_vault

part "a mount that is read-only"
mount_vault -o ro
cd "$MNT" || exit 1
for refused in "mkdir $T/new" "rmdir $T/summer" "mv $T/beach $T/new" "ln Films/c.mp4 $T/beach/" "rm $T/beach/b.mp4" \
  "cp $WORK/out.txt $T/beach/new" "mkdir .views/saved/new" "touch $T/beach/b.mp4" \
  "setfattr -n user.vaultfs.color -v #00ff00 $T/beach"; do
  # shellcheck disable=SC2086
  fails_with "Read-only file system" $refused
done
cd /
umount_vault

is_root || exit 0
part "other users"
chmod 755 "$WORK"
mount_vault -o allow_other
cd "$MNT" || exit 1
as_other=(setpriv --reuid 65534 --regid 65534 --clear-groups)
chmod 777 .
chmod 755 Inbox
mkdir -m 777 Open
expect "makes a tag" "${as_other[@]}" mkdir $T/his
expect "and a file" "${as_other[@]}" cp "$WORK/afar.txt" Open/his.txt
expect "tags it" "${as_other[@]}" ln Open/his.txt $T/his/
expect "moves it on" "${as_other[@]}" mv $T/his/his.txt $T/summer/
expect "and back" "${as_other[@]}" mv $T/summer/his.txt $T/his/
expect_not "tags no file that he may not write" "${as_other[@]}" ln Films/c.mp4 $T/his/ 2>/dev/null
fails_with "Permission denied" "${as_other[@]}" rm $T/beach/b.mp4
fails_with "Permission denied" "${as_other[@]}" mv $T/beach/b.mp4 $T/his/
has "nothing happened" Films/b.mp4 beach
fails_with "Permission denied" "${as_other[@]}" cp "$WORK/afar.txt" $T/his/
(umask 0; : >$T/his/empty)
expect "takes the tag from a file that he may write" "${as_other[@]}" rm $T/his/empty
expect "which stays in a directory that he may not" test -e Inbox/empty
chmod 777 Inbox
expect "may store there" "${as_other[@]}" cp "$WORK/afar.txt" $T/his/
expect_equal "as his" "$(stat -c %u "Inbox/afar (2).txt")" 65534
expect "removes his tag" "${as_other[@]}" rm -r $T/his
chmod 755 .
fails_with "Permission denied" "${as_other[@]}" mkdir $T/her
fails_with "Permission denied" "${as_other[@]}" rmdir $T/summer
fails_with "Permission denied" "${as_other[@]}" mkdir .views/saved/his
fails_with "Permission denied" "${as_other[@]}" setfattr -n user.vaultfs.color -v red $T/summer
cd /
umount_vault
