#!/bin/bash
# index.sh - files are looked into behind the mount's back: what is found, what outlives a killed daemon, what hostile files
# may do, and the same of a vault that is not mounted.
. "$(dirname "$0")/lib.sh"
need ffmpeg getfattr setfattr jq python3 sha256sum
make_vault

value() { getfattr --absolute-names --only-values -n "user.$1" -- "$MNT/$2" 2>/dev/null; }
is_value() { [[ $(value "$1" "$2") == "$3" ]]; }
has_sum() { is_value vaultfs.sha256 "$1" "$(sha256sum <"$MNT/$1" | cut -d ' ' -f 1)"; }
n_jobs() { "$VAULTFS" jobs --json "$1" | jq "[.[] | select(.state == \"$2\")] | length"; }
no_jobs() { [[ $(n_jobs "$1" waiting) == 0 && $(n_jobs "$1" running) == 0 ]]; }
known() { "$VAULTFS" info --json "$VAULT" "$1" | jq -r ".$2"; }
make() { ffmpeg -v error -nostdin -y -threads 1 "$@" || fail "ffmpeg makes no $*"; }

mkdir "$WORK/src"
cd "$WORK/src" || fail "no directory"
make -f lavfi -i testsrc2=size=320x240:rate=25:duration=12 -f lavfi -i sine=frequency=440:duration=12 -g 25 film.mp4
make -f lavfi -i testsrc2=size=640x480 -frames:v 1 picture.jpg
make -f lavfi -i sine=frequency=440:duration=5 tone.flac
echo 'a zebra crosses the road' >words.txt
printf '%%PDF-1.4\n' >paper.pdf
tar -cf old.tar words.txt
: >empty
head -c 3000000 /dev/urandom >noise.bin
cd / || exit 1
with_media=0
if ldd "${VAULTFS%/*}/vaultfs-helper" | grep -q libavformat; then with_media=1; else skip_line "the helper knows no media"; fi

part "files of each kind, through the mount"
mount_vault -o commit=1
cp "$WORK/src/"* "$MNT"
while read -r name type kind; do
  eventually 60 "the type of $name" is_value mime_type "$name" "$type"
  expect "the kind of $name" is_value vaultfs.kind "$name" "$kind"
  expect "the sum of $name" has_sum "$name"
done <<'END'
film.mp4 video/mp4 video
picture.jpg image/jpeg image
tone.flac audio/flac audio
words.txt text/plain text
paper.pdf application/pdf document
old.tar application/x-tar archive
noise.bin application/octet-stream other
END
eventually 60 "all is done" no_jobs "$MNT"
if ((with_media)); then
  expect_equal "the film's length" "$(value vaultfs.media film.mp4 | jq '.duration | floor')" 12
  expect_equal "the picture's width" "$(value vaultfs.media picture.jpg | jq .width)" 640
  expect "thumbnails and previews are kept" test "$("$VAULTFS" stats --json "$MNT" | jq .derived)" -ge 5
fi
expect_equal "files, without what was made from them" "$("$VAULTFS" stats --json "$MNT" | jq .files)" 8
expect_equal "the text can be searched" "$("$VAULTFS" find "$MNT" zebra)" "$MNT/words.txt"

part "what was made goes with its file"
rm "$MNT"/*
nothing_is_left() { [[ $("$VAULTFS" stats --json "$MNT" | jq -c '[.files, .derived, .logical_bytes]') == '[0,0,0]' ]]; }
eventually 60 "nothing is left" nothing_is_left
umount_vault
expect "the vault is sound" "$VAULTFS" check --deep -q "$VAULT"

part "what the mount was told not to do"
mount_vault -o commit=1,index=types
cp "$WORK/src/film.mp4" "$MNT/typed.mp4"
eventually 60 "its type" is_value mime_type typed.mp4 video/mp4
expect_equal "and no sum" "$(value vaultfs.sha256 typed.mp4)" ""
remount_vault -o commit=1,index=no
cp "$WORK/src/film.mp4" "$MNT/untyped.mp4"
expect "it is on disk" "$VAULTFS" sync "$MNT"
eventually 20 "its job waits" test "$(n_jobs "$MNT" waiting)" -ge 1
misused "$VAULTFS" jobs --retry --json "$MNT"

part "changed right before unmounting: found at the next mount"
remount_vault -o commit=1,previews=no
eventually 60 "the sum of what was not looked at" has_sum untyped.mp4
expect "somebody asks" "$VAULTFS" index -q "$MNT/typed.mp4"
eventually 60 "the sum of what was asked for" has_sum typed.mp4
eventually 60 "all is done" no_jobs "$MNT"
((with_media == 0)) || expect_equal "thumbnails, and no previews" "$("$VAULTFS" stats --json "$MNT" | jq .derived)" 2
cp "$WORK/src/picture.jpg" "$MNT/last.jpg"
remount_vault -o commit=1
eventually 60 "the type of the last one" is_value mime_type last.jpg image/jpeg
eventually 60 "all is done" no_jobs "$MNT"

part "killed in the middle"
for i in $(seq 40); do
  { echo "$i" && head -c 400000 "$WORK/src/noise.bin"; } >"$MNT/many-$i"
done
expect "they are on disk" "$VAULTFS" sync "$MNT"
some_are_done() { [[ $(n_jobs "$MNT" waiting) -lt 40 ]]; }
eventually 60 "the first are done" some_are_done
kill_daemon
mount_vault -o commit=1
for i in $(seq 40); do eventually 60 "the sum of many-$i" has_sum "many-$i"; done
eventually 60 "all is done" no_jobs "$MNT"
expect_equal "and nothing failed" "$(n_jobs "$MNT" failed)" 0

part "broken files"
for i in $(seq 12); do
  python3 - "$WORK/src" "$MNT/broken-$i" "$i" <<'END' || fail "no broken file"
import random, sys
names = "film.mp4", "picture.jpg", "tone.flac", "old.tar"
data = bytearray(open(sys.argv[1] + "/" + names[int(sys.argv[3]) % 4], "rb").read())
random.seed(int(sys.argv[3]))
for _ in range(len(data) // 200 + 1):
    data[random.randrange(len(data))] = random.randrange(256)
open(sys.argv[2], "wb").write(data[:random.randrange(len(data) // 2, len(data))])
END
done
expect "they are on disk" "$VAULTFS" sync "$MNT"
eventually 90 "they were looked at" no_jobs "$MNT"
for i in $(seq 12); do expect "the sum of broken-$i" has_sum "broken-$i"; done
umount_vault

part "a helper that dies over everything"
mkdir "$WORK/bin"
cp "$VAULTFS" "$WORK/bin/vaultfs"
cat >"$WORK/bin/vaultfs-helper" <<'END'
#!/usr/bin/python3
import os
os.write(0, bytes([16, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0]))
os.read(0, 1)
END
chmod 755 "$WORK/bin/vaultfs-helper"
expect "the vault mounts" "$WORK/bin/vaultfs" mount -o commit=1 "$VAULT" "$MNT"
cp "$WORK/src/words.txt" "$MNT/hostile"
eventually 90 "the file is given up" is_value vaultfs.error hostile 'could not be read'
expect_equal "its bytes are there" "$(<"$MNT/hostile")" 'a zebra crosses the road'
expect "its sum was found" has_sum hostile
expect_equal "the job says why" "$("$VAULTFS" jobs --json --failed "$MNT" | jq -r '.[].error')" \
  'the helper died twice, looking for its type'
run "$VAULTFS" jobs --failed "$MNT"
[[ $OUT == 'failed  hostile: the helper died'* ]] || fail "jobs --failed: $OUT"
expect "nothing else happened" cp "$WORK/src/words.txt" "$MNT/another"
umount_vault
mount_vault -o commit=1
expect "tried again" "$VAULTFS" jobs --retry "$MNT"
eventually 60 "its type is found" is_value mime_type hostile text/plain
expect_equal "and no error is left" "$(value vaultfs.error hostile)" ""
eventually 60 "all is done" no_jobs "$MNT"

part "who may ask"
fails_with 'Invalid argument' setfattr -n user.vaultfs.control -v 'index -1' "$MNT"
fails_with 'Invalid argument' setfattr -n user.vaultfs.control -v 'index' "$MNT"
if is_root; then
  remount_vault -o commit=1,allow_other
  chmod 755 "$WORK"
  chmod 777 "$MNT"
  fails_with 'Operation not permitted' setpriv --reuid 65534 --regid 65534 --clear-groups \
    setfattr -n user.vaultfs.control -v 'index 1' "$MNT"
else
  skip_line "only root can ask as somebody else"
fi
umount_vault

misused "$VAULTFS" mount "$VAULT" "$MNT" -o index=maybe
misused "$VAULTFS" mount "$VAULT" "$MNT" -o previews=perhaps

part "a vault that is not mounted"
rm -r "$VAULT"
make_vault
expect "import" "$VAULTFS" import -q --into / "$WORK/src" "$VAULT"
expect_equal "nothing is known yet" "$(known film.mp4 sha256)" null
run "$VAULTFS" index "$VAULT"
expect_equal "status" "$STATUS" 0
grep -q 'indexed 8 files' <<<"$ERR" || fail "index says: $ERR"
expect_equal "the type" "$(known film.mp4 mime_type)" video/mp4
expect_equal "the sum" "$(known noise.bin sha256)" "$(sha256sum <"$WORK/src/noise.bin" | cut -d ' ' -f 1)"
run "$VAULTFS" index "$VAULT"
grep -q 'indexed 0 files' <<<"$ERR" || fail "index again says: $ERR"
run "$VAULTFS" index "$VAULT" film.mp4 words.txt
grep -q 'indexed 2 files' <<<"$ERR" || fail "index of two says: $ERR"
run "$VAULTFS" index --all --no-previews "$VAULT"
grep -q 'indexed 8 files' <<<"$ERR" || fail "index of all says: $ERR"
refused 'no such' "$VAULTFS" index "$VAULT" nowhere
misused "$VAULTFS" index --all "$VAULT" film.mp4
expect_equal "jobs" "$("$VAULTFS" jobs "$VAULT")" 'No jobs.'
expect "sound" "$VAULTFS" check --deep -q "$VAULT"

part "stopped by Ctrl-C"
truncate -s 20G "$WORK/sparse"
expect "import" "$VAULTFS" import -q --into / "$WORK" "$VAULT" --update
"$VAULTFS" index "$VAULT" 2>"$WORK/.err" &
pid=$!
BACKGROUND+=("$pid")
works() { ! vault_is_free; }
eventually 20 "it works" works
kill -INT "$pid"
wait "$pid"
expect_equal "its status" "$?" 1
grep -q 'index: stopped' "$WORK/.err" || fail "it says: $(<"$WORK/.err")"
expect_not "the jobs still wait" no_jobs "$VAULT"
expect "sound" "$VAULTFS" check --deep -q "$VAULT"
