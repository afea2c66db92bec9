#!/bin/bash
# playlist.sh - PLAYLIST.m3u8 of a tag folder: what stands in it, and players that play it.
. "$(dirname "$0")/lib.sh"
need ffmpeg ffprobe mpv setfattr

make_vault
mount_vault -o commit=1
mkdir "$MNT/films"
clip() { # NAME SECONDS
  ffmpeg -nostdin -loglevel error -f lavfi -i "testsrc2=size=160x120:rate=10:duration=$2" -f lavfi -i "sine=d=$2" -shortest \
    -metadata title="${3-}" -pix_fmt yuv420p "$MNT/films/$1" || fail "ffmpeg makes $1"
  setfattr -n user.xdg.tags -v holiday "$MNT/films/$1"
}
clip one.mp4 2
clip "two & three.mkv" 3 "Two and three"
ffmpeg -nostdin -loglevel error -f lavfi -i sine=d=1 "$MNT/films/#sound.flac"
setfattr -n user.xdg.tags -v holiday "$MNT/films/#sound.flac"
echo text >"$MNT/films/no film.txt"
setfattr -n user.xdg.tags -v holiday "$MNT/films/no film.txt"

list=$MNT/.views/tags/holiday/PLAYLIST.m3u8
has_lengths() { [[ $(grep -c '^#EXTINF:[1-9]' "$list") == 3 ]]; }
eventually 60 "all three are looked into" has_lengths

part "what stands in it"
expect_equal "its head" "$(head -1 "$list")" "#EXTM3U"
expect_equal "the length it says is its size" "$(wc -c <"$list")" "$(stat -c %s "$list")"
entry() { grep -A1 "^#EXTINF:$1," "$list" | tail -1; }
expect_equal "two seconds" "$(entry 2)" "one.mp4"
expect_equal "three seconds" "$(entry 3)" "two & three.mkv"
grep -qx '#EXTINF:3,Two and three' "$list" || fail "no title: $(<"$list")"
expect_equal "a name that would be a comment" "$(entry 1)" "./#sound.flac"
expect_not "only what can be played" grep -q 'no film' "$list"

part "players"
while read -r name; do
  [[ $name == \#* ]] && continue
  expect "ffprobe opens $name" ffprobe -loglevel error "$MNT/.views/tags/holiday/$name"
done <"$list"
run timeout 60 mpv --no-config --no-video --ao=null --untimed --msg-level=all=warn "$list"
expect_equal "mpv plays all of it ($OUT $ERR)" "$STATUS" 0
run timeout 60 mpv --no-config --no-video --ao=null --untimed --msg-level=all=error,cplayer=info "$list"
for name in one.mp4 'two & three.mkv' '#sound.flac'; do
  grep -qF "$name" <<<"$(grep '^Playing:' <<<"$OUT")" || fail "mpv did not play $name: $OUT"
done

part "what was not played yet"
unseen() { ls "$MNT/.views/unseen" | tr '\n' ' '; }
setfattr -x user.vaultfs.seen "$MNT/films/one.mp4" "$MNT/films/two & three.mkv" "$MNT/films/#sound.flac" 2>/dev/null
expect_equal "videos and sound" "$(unseen)" "#sound.flac PLAYLIST.m3u8 one.mp4 two & three.mkv "
setfattr -n user.vaultfs.seen -v 2026-01-01T00:00:00Z "$MNT/films/one.mp4"
expect_equal "but what was seen" "$(unseen)" "#sound.flac PLAYLIST.m3u8 two & three.mkv "

part "it follows"
rm "$MNT/.views/tags/holiday/one.mp4"
expect_not "what was untagged is not played" grep -q '^one.mp4$' "$list"
umount_vault
