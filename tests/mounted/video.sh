#!/bin/bash
# video.sh - media programs write a film into a vault, look at it, and seek in it.
. "$(dirname "$0")/lib.sh"
need ffmpeg ffprobe
make_vault
mount_vault -o commit=1

make_film() { # FILE
  ffmpeg -v error -nostdin -y -threads 1 -f lavfi -i testsrc2=size=320x240:rate=25:duration=20 \
    -f lavfi -i sine=frequency=440:duration=20 -c:v mpeg4 -b:v 1500k -g 25 -c:a aac -flags +bitexact -fflags +bitexact \
    -movflags +faststart "$1"
}
frame_at() { # SECONDS FILE: the checksum of one decoded picture
  ffmpeg -v error -nostdin -threads 1 -ss "$1" -i "$2" -frames:v 1 -an -f framemd5 - | tail -n 1
}
facts() { ffprobe -v error -show_entries format=duration,size:stream=codec_name,nb_frames -of csv=p=0 "$1"; }

expect "a film on the disk" make_film "$WORK/film.mp4"
# +faststart rewrites the file in place: reads and writes of one file at once
expect "a film in the vault" make_film "$MNT/film.mp4"
expect "the same film" cmp "$WORK/film.mp4" "$MNT/film.mp4"
for round in 1 2; do
  expect_equal "what ffprobe says ($round)" "$(facts "$MNT/film.mp4")" "$(facts "$WORK/film.mp4")"
  for at in 17.3 0 9.96; do
    expect_equal "the picture at $at s ($round)" "$(frame_at "$at" "$MNT/film.mp4")" "$(frame_at "$at" "$WORK/film.mp4")"
  done
  expect "every picture decodes ($round)" ffmpeg -v error -nostdin -xerror -i "$MNT/film.mp4" -f null -
  if [[ $round == 1 ]]; then
    remount_vault
    expect "the same film after mounting again" cmp "$WORK/film.mp4" "$MNT/film.mp4"
  fi
done
umount_vault
