#!/bin/bash
# attributes.sh - what is known of files as attributes: values, copies in and out by real programs, the trash, files that
# are saved by replacing them.
. "$(dirname "$0")/lib.sh"
need getfattr setfattr rsync tar gio jq
make_vault
mount_vault -o commit=1

V=user.vaultfs
value() { getfattr --absolute-names --only-values -n "$1" -- "$2" 2>/dev/null; }
# All that is listed, in hex, sorted.
known() { getfattr --absolute-names -d -m - -e hex -- "$1" | grep -v -e '^#' -e '^$' | sort; }
quiet() { # WHAT COMMAND...: succeeds and says nothing
  run "${@:2}"
  [[ $STATUS == 0 && -z $OUT && -z $ERR ]] || fail "$1: status $STATUS, said '$OUT' '$ERR'"
}
has_type() { [[ -n $(value user.mime_type "$1") ]]; }

# A file with a value of each kind.
make_known() {
  seq 2000 >"$1"
  setfattr -n user.xdg.tags -v 'Beach, place/italy,,beach' "$1"
  setfattr -n user.xdg.comment -v $'two\nlines' "$1"
  setfattr -n user.baloo.rating -v 8 "$1"
  setfattr -n $V.favorite -v 1 "$1"
  setfattr -n $V.hidden -v 1 "$1"
  setfattr -n $V.seen -v 2024-02-20T14:30:00Z "$1"
  setfattr -n $V.prediction -v 0110 "$1"
  setfattr -n $V.custom -v '{"a": [1, 2]}' "$1"
  setfattr -n user.xdg.origin.url -v 'https://example.com/?a=1,2' "$1"
  setfattr -n user.other -v 0x00ff0a2c00 "$1"
}

part "values"
file=$MNT/file
make_known "$file"
all=$(known "$file")
expect_equal "all are listed" "$(wc -l <<<"$all")" 10
accepted() { # NAME VALUE READS-AS
  expect "$1 takes '$2'" setfattr -n "$1" -v "$2" "$file"
  expect_equal "$1 after '$2'" "$(value "$1" "$file")" "$3"
}
accepted $V.seen 1708439400 2024-02-20T14:30:00Z
accepted $V.seen 2024-02-20T16:30:00.5+02:00 2024-02-20T14:30:00Z
accepted $V.seen 0 ''
accepted $V.favorite 0 ''
accepted $V.favorite 1 1
accepted $V.seen 2024-02-20T14:30:00Z 2024-02-20T14:30:00Z
while IFS='|' read -r name bad; do
  fails_with "Invalid argument" setfattr -n "$name" -v "$bad" "$file"
done <<END
$V.favorite|yes
$V.hidden|2
$V.seen|yesterday
$V.seen|2024-02-30T00:00:00Z
$V.prediction|012
$V.prediction|$(printf '0%.0s' {1..101})
$V.custom|{broken
user.baloo.rating|11
user.xdg.origin.url|
$V.favourite|1
END
expect_equal "nothing of that changed anything" "$(known "$file")" "$all"

part "what programs found out"
eventually 30 "the type" has_type "$file"
for name in user.mime_type $V.{chunks,stored,shared,quality}; do
  [[ -n $(value "$name" "$file") ]] || fail "$name has no value"
  fails_with "Operation not permitted" setfattr -n "$name" -v 1 "$file"
  fails_with "Operation not permitted" setfattr -x "$name" "$file"
done
for name in $V.{kind,sha256,media}; do
  fails_with "Operation not permitted" setfattr -n "$name" -v 1 "$file"
done
expect_equal "the share of 1s" "$(value $V.quality "$file")" 50
expect_equal "nothing of it is listed" "$(known "$file")" "$all"
expect "everything on disk" "$VAULTFS" sync "$MNT"
expect_equal "one chunk" "$(value $V.chunks "$file")" 1
expect_equal "nothing shared" "$(value $V.shared "$file")" 0
cp "$file" "$MNT/twin" && "$VAULTFS" sync "$MNT"
expect_equal "all of it shared" "$(value $V.shared "$file")" "$(stat -c %s "$file")"
rm "$MNT/twin"

part "vaultfs info"
run "$VAULTFS" info "$file"
for line in 'Kind      text' 'Tags      Beach, place/italy,,beach' 'Rating    8' 'Favorite  yes' 'Hidden    yes' \
  'Seen      2024-02-20T14:30:00Z' 'Quality   50' 'Origin    https://example.com/?a=1,2'; do
  grep -qxF "$line" <<<"$OUT" || fail "'$line' is not in: $OUT"
done
run "$VAULTFS" info --json "$file"
expect_equal "as JSON" "$(jq -c '[.kind, .tags, .rating, .comment, .favorite, .hidden, .seen, .prediction, .quality, .custom,
  .origin_url, .mime_type]' <<<"$OUT")" '["text",["Beach","place/italy"],8,"two\nlines",true,true,"2024-02-20T14:30:00Z","0110",50,{"a":[1,2]},"https://example.com/?a=1,2","text/plain"]'
run "$VAULTFS" info --json "$MNT"
expect_equal "of what nothing is known" "$(jq -c '[.kind, .tags, .favorite, .seen, .custom, .media]' <<<"$OUT")" \
  '[null,[],false,null,null,null]'

part "mv, cp -a, rsync -aX, tar, gio copy: on the mount, out, in, and between vaults"
mkdir "$WORK/other" "$WORK/disk"
expect "another vault" "$VAULTFS" init "$WORK/other.vault"
SCRATCH_MOUNTS+=("$WORK/other")
expect "it is mounted" "$VAULTFS" mount "$WORK/other.vault" "$WORK/other" -o commit=1
mkdir "$MNT/dir"
setfattr -n user.xdg.tags -v 'of a directory' "$MNT/dir"
mv "$file" "$MNT/dir/file"
file=$MNT/dir/file
expect_equal "after mv" "$(known "$file")" "$all"
for to in "$MNT" "$WORK/disk" "$WORK/other"; do
  quiet "cp -a" cp -a "$file" "$to/cp"
  expect_equal "after cp -a to $to" "$(known "$to/cp")" "$all"
  quiet "gio copy" gio copy "$file" "$to/gio"
  expect_equal "after gio copy to $to" "$(known "$to/gio")" "$all"
  quiet "rsync -aX" rsync -aX --itemize-changes --out-format= "$MNT/dir/" "$to/rsync/"
  expect_equal "after rsync -aX to $to" "$(known "$to/rsync/file")" "$all"
  expect_equal "and the directory's" "$(known "$to/rsync")" "$(known "$MNT/dir")"
  expect_equal "a second run" "$(rsync -aX --itemize-changes "$MNT/dir/" "$to/rsync/")" ""
done
for from in "$WORK/disk" "$WORK/other"; do
  name=back-${from##*/}
  quiet "cp -a back" cp -a "$from/cp" "$MNT/$name-cp"
  expect_equal "after cp -a from $from" "$(known "$MNT/$name-cp")" "$all"
  quiet "gio copy back" gio copy "$from/gio" "$MNT/$name-gio"
  expect_equal "after gio copy from $from" "$(known "$MNT/$name-gio")" "$all"
  quiet "rsync -aX back" rsync -aX --itemize-changes --out-format= "$from/rsync/" "$MNT/$name/"
  expect_equal "after rsync -aX from $from" "$(known "$MNT/$name/file")" "$all"
  expect_equal "a second run" "$(rsync -aX --itemize-changes "$from/rsync/" "$MNT/$name/")" ""
done
quiet "tar" tar --xattrs -C "$MNT" -cf "$WORK/disk/t.tar" dir
mkdir "$MNT/untarred" "$WORK/disk/untarred"
for to in "$MNT/untarred" "$WORK/disk/untarred"; do
  quiet "untar" tar --xattrs -C "$to" -xf "$WORK/disk/t.tar"
  expect_equal "after tar to $to" "$(known "$to/dir/file")" "$all"
  expect_equal "and the directory's" "$(known "$to/dir")" "$(known "$MNT/dir")"
done
expect_equal "gio shows them" "$(gio info -a 'xattr::*' "$file" | grep -c 'xattr::xdg\.\|xattr::baloo\.\|xattr::vaultfs\.')" 9
expect "gio sets one" gio set -t string "$file" xattr::xdg.tags 'set by gio'
expect_equal "it was set" "$("$VAULTFS" tag ls "$file")" 'set by gio'
expect "and back" setfattr -n user.xdg.tags -v 'Beach, place/italy,,beach' "$file"

part "the trash"
trash=$MNT/.Trash-$(id -u)
inode=$(stat -c %i "$file")
expect "gio trash" gio trash "$file"
expect_not "it is gone" test -e "$file"
expect_equal "it lies in the trash of this mount" "$(stat -c %i "$trash/files/file")" "$inode"
expect_equal "nobody else's" "$(stat -c %a "$trash")" 700
expect_equal "it has what it had" "$(known "$trash/files/file")" "$all"
# What a file manager does to restore: the entry says where it was.
expect "the entry" grep -q "^Path=.*dir/file$" "$trash/info/file.trashinfo"
mv "$trash/files/file" "$file" && rm "$trash/info/file.trashinfo"
expect_equal "restored" "$(known "$file")" "$all"
expect_equal "the same file" "$(stat -c %i "$file")" "$inode"

part "saved by replacing"
ours=$(grep -v '^user.other\|^user.xdg.origin' <<<"$all") # other attributes are the saving program's business
save() { # by a new file, as most programs do
  echo "$2" >"$1.new" && mv -f "$1.new" "$1"
}
cp -a "$file" "$MNT/saved"
save "$MNT/saved" "new content"
expect_equal "all that people said" "$(known "$MNT/saved")" "$ours"
save "$MNT/saved" "newer content"
expect_equal "and once more" "$(known "$MNT/saved")" "$ours"
expect_equal "with the new content" "$(<"$MNT/saved")" "newer content"
quiet "rsync replaces a file" rsync -a --checksum --ignore-times "$WORK/disk/t.tar" "$MNT/saved"
expect_equal "after rsync" "$(known "$MNT/saved")" "$ours"
expect "g_file_set_contents, and the like" python3 -c '
import os, sys, tempfile
path = sys.argv[1]
fd, name = tempfile.mkstemp(prefix=".goutputstream-", dir=os.path.dirname(path))
os.write(fd, b"third"); os.fsync(fd); os.close(fd)
os.rename(name, path)' "$MNT/saved"
expect_equal "after that" "$(known "$MNT/saved")" "$ours"
echo own >"$MNT/own"
setfattr -n user.xdg.tags -v own "$MNT/own"
mv -f "$MNT/own" "$MNT/saved"
expect_equal "what has tags keeps those" "$(known "$MNT/saved")" "user.xdg.tags=0x6f776e"
cp -a "$file" "$MNT/saved"
ln "$MNT/saved" "$MNT/linked"
save "$MNT/saved" "not the link's"
expect_equal "the other name keeps its own" "$(known "$MNT/linked")" "$all"
expect_equal "and so has the new file" "$(known "$MNT/saved")" "$ours"

part "saved with a backup, as vim, Emacs and sed do it"
cp -a "$file" "$MNT/saved"
mv "$MNT/saved" "$MNT/saved~" && echo anew >"$MNT/saved"
expect_equal "made anew" "$(known "$MNT/saved")" "$ours"
expect_equal "and the backup has all" "$(known "$MNT/saved~")" "$all"
rm "$MNT/saved~"
expect "sed with a backup" sed -i.bak s/anew/again/ "$MNT/saved"
expect_equal "after sed" "$(known "$MNT/saved")" "$ours"
expect_equal "it did its work" "$(<"$MNT/saved")" again
if command -v vim >/dev/null; then
  expect "vim" vim -N -u NONE -i NONE -es -c 'set writebackup backupcopy=no' -c 's/again/by vim/' -c wq "$MNT/saved"
  expect_equal "after vim" "$(known "$MNT/saved")" "$ours"
  expect_equal "it did its work" "$(<"$MNT/saved")" "by vim"
else
  skip_line "there is no vim here"
fi
mv "$MNT/saved" "$MNT/elsewhere" && echo new >"$MNT/saved"
expect_equal "a name that was no backup's" "$(known "$MNT/saved")" ""
mv "$MNT/elsewhere" "$MNT/saved"
remount_vault -o inherit=no
save "$MNT/saved" "nothing taken over"
expect_equal "nothing with inherit=no" "$(known "$MNT/saved")" ""
umount_vault
misused "$VAULTFS" mount "$VAULT" "$MNT" -o inherit=maybe
mount_vault -o inherit=yes

part "kept: mounted again, rebuilt"
expect_equal "mounted again" "$(known "$file")" "$all"
cp -a "$file" "$MNT/replaced" && save "$MNT/replaced" x
umount_vault
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
mount_vault
expect_equal "rebuilt" "$(known "$file")" "$all"
expect_equal "the share of 1s" "$(value $V.quality "$file")" 50
expect_equal "what was taken over" "$(known "$MNT/replaced")" "$ours"
expect "the other vault unmounts" "$VAULTFS" umount "$WORK/other"
umount_vault
