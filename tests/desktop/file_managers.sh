#!/bin/bash
# file_managers.sh - Thunar and PCManFM on a mount: a folder, a tag folder, thumbnails; nothing hangs, and what they ask for
# is bounded. By hand, not in CI: it wants a desktop's packages.
#
# Needs (Debian) xvfb thunar pcmanfm tumbler ffmpegthumbnailer dbus-daemon imagemagick x11-utils adwaita-icon-theme librsvg2-common
# fonts-dejavu-core. Usage: file_managers.sh [FILES in the folder] [FOLDER for screenshots]
. "$(dirname "$0")/../mounted/lib.sh"
need Xvfb thunar pcmanfm dbus-run-session import xwininfo ffmpeg setfattr
CHECK_AT_END=0
KEEP_LOG=${KEEP_LOG:-}
files=${1:-300} shots=${2:-}
patience=60

display=99
while [[ -e /tmp/.X$display-lock ]]; do ((display++)); done
Xvfb ":$display" -screen 0 1000x640x24 >"$WORK/xvfb.log" 2>&1 &
BACKGROUND+=("$!")
export DISPLAY=:$display HOME=$WORK/home XDG_RUNTIME_DIR=$WORK/run
mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR"
become=() options=debug
if is_root; then # file managers warn root
  chmod 755 "$WORK"
  chown 65534:65534 "$HOME" "$XDG_RUNTIME_DIR"
  become=(setpriv --reuid 65534 --regid 65534 --clear-groups) options=debug,allow_other
fi
x_is_up() { xwininfo -root >/dev/null 2>&1; }
eventually 20 "the X server is up" x_is_up

part "a folder of $files pictures and videos"
make_vault
"$VAULTFS" mount -f -o "$options" "$VAULT" "$MNT" 2>"$WORK/requests.log" &
BACKGROUND+=("$!")
eventually 20 "mounted" mounted
mkdir "$MNT/Trip"
for ((i = 0; i < 6; i++)); do
  ffmpeg -nostdin -loglevel error -f lavfi -i "testsrc2=size=640x480:rate=1:duration=1,hue=h=$((i * 60))" -frames:v 1 "$WORK/$i.jpg"
done
ffmpeg -nostdin -loglevel error -f lavfi -i testsrc2=size=320x240:rate=10:duration=4 -pix_fmt yuv420p "$WORK/clip.mp4"
for ((i = 0; i < files; i++)); do
  cp "$WORK/$((i % 6)).jpg" "$MNT/Trip/photo_$i.jpg"
  ((i % 3)) || setfattr -n user.xdg.tags -v 'holiday,place/italy' "$MNT/Trip/photo_$i.jpg"
done
cp "$WORK/clip.mp4" "$MNT/Trip/anna-2024-02-20_14-30-00.mp4"
setfattr -n user.xdg.tags -v 'holiday,beach' "$MNT/Trip/anna-2024-02-20_14-30-00.mp4"
expect "all on disk" "$VAULTFS" sync "$MNT"

# How many requests the mount has answered.
asked() { grep -c 'unique: [0-9]*, opcode' "$WORK/requests.log"; }
window_shows() { xwininfo -root -tree | grep -qF "$1"; }
# No request for two seconds: it has drawn what there is.
settled() {
  local before
  before=$(asked)
  timeout 2 tail -f /dev/null
  [[ $(asked) == "$before" ]]
}

# show NAME FOLDER TITLE LIMIT COMMAND...: it opens the folder, settles, and asked for at most LIMIT requests.
show() {
  local name=$1 title=$3 limit=$4 before
  shift 4
  before=$(asked)
  "${become[@]}" dbus-run-session -- "$@" >"$WORK/$name.log" 2>&1 &
  local program=$!
  BACKGROUND+=("$program")
  eventually "$patience" "$name shows $title" window_shows "$title"
  eventually "$patience" "$name settles" settled
  import -window root -crop 640x480+0+0 +repage "$WORK/$name.png"
  note "$name: $(($(asked) - before)) requests"
  expect_at_most "$name: requests" "$(($(asked) - before))" "$limit"
  [[ -z $shots ]] || cp "$WORK/$name.png" "$shots/"
  pkill -P "$program" -x "${1##*/}" || true
  kill "$program" 2>/dev/null
  wait "$program" 2>/dev/null
}

# Each file: looked up, its attributes, opened, read, closed, by the file manager and again by its thumbnailer. In a view the
# last two steps of a path are looked up each time.
limit=$((60 * files + 1500))
part "Thunar"
show thunar-folder "$MNT/Trip" Trip "$limit" thunar "$MNT/Trip"
show thunar-tag "$MNT/.views/tags/holiday" holiday "$limit" thunar "$MNT/.views/tags/holiday"
part "PCManFM"
show pcmanfm-folder "$MNT/Trip" Trip "$limit" pcmanfm "$MNT/Trip"
show pcmanfm-tag "$MNT/.views/tags/holiday" holiday "$limit" pcmanfm "$MNT/.views/tags/holiday"

[[ -z $KEEP_LOG ]] || cp "$WORK/requests.log" "$KEEP_LOG"
part "the mount is as it was"
expect_equal "all files are there" "$(find "$MNT/Trip" -name 'photo_*' | wc -l)" "$files"
expect "unmount" "$VAULTFS" umount "$MNT"
