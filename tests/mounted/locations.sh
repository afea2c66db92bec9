#!/bin/bash
# locations.sh - folders that are brought in, mounted or not, remembered, and followed.
. "$(dirname "$0")/lib.sh"
need jq setfattr getfattr

state_of() { "$VAULTFS" locations --json "$1" | jq -r --arg path "$2" '.[] | select(.path == $path) | .state'; }
is_there() { [[ -e $1 ]]; }
is_same() { cmp -s "$1" "$2"; }
id_of() { "$VAULTFS" locations --json "$1" | jq -r --arg path "$2" '.[] | select(.path == $path) | .id'; }
tag_of() { getfattr --only-values -n user.xdg.tags "$1" 2>/dev/null; }

make_vault
mkdir -p "$WORK/camera/2024" "$WORK/books"
seq 30000 >"$WORK/camera/2024/one.jpg"
seq 100 >"$WORK/camera/two.jpg"
head -c 3000000 /dev/urandom >"$WORK/books/large.pdf"

part "of a vault that is not mounted"
run "$VAULTFS" add --quiet --mode metadata --into Library/Books "$WORK/books" "$VAULT"
expect_equal "add ($ERR)" "$STATUS" 0
refused "a location of this vault already" "$VAULTFS" add "$WORK/books" "$VAULT"
refused "name a directory" "$VAULTFS" add "$WORK/books/large.pdf" "$VAULT"
misused "$VAULTFS" add --mode other "$WORK/books" "$VAULT"
run "$VAULTFS" locations --json "$VAULT"
expect_equal "what is remembered" "$(jq -c '.[0] | [.mode, .state, .watch, .files, .bytes, (.device.uuid | length), .device.name]' <<<"$OUT")" \
  "[\"metadata\",\"complete\",false,1,3000000,32,\"$(uname -n)\"]"
mount_vault -o commit=1
expect_equal "a name and a size" "$(stat -c %s "$MNT/Library/Books/large.pdf")" 3000000
expect_equal "and no bytes" "$(stat -c %b "$MNT/Library/Books/large.pdf")" 0

part "of a mounted one, and followed"
grep -qFx "From      $(uname -n):$WORK/books" <<<"$("$VAULTFS" info "$MNT/Library/Books/large.pdf")" || fail "info does not say where it came from"
ls -R "$MNT" >/dev/null # the kernel knows the listings, and that these are not there
expect_not "not there yet" is_there "$MNT/Phone/Camera"
run "$VAULTFS" add --quiet --watch --into Phone/Camera "$WORK/camera" "$MNT"
expect_equal "add ($ERR)" "$STATUS" 0
expect "brought in" cmp "$WORK/camera/2024/one.jpg" "$MNT/Phone/Camera/2024/one.jpg"
expect_equal "the listing shows it" "$(ls "$MNT/Phone/Camera" | tr '\n' ' ')" "2024 two.jpg "
refused "lies in the vault itself" "$VAULTFS" add "$MNT" "$MNT"
refused "lies in the vault itself" "$VAULTFS" add --watch "$MNT/Phone" "$MNT"
expect "what holds the mount" "$VAULTFS" add --quiet --into Work "$WORK" "$MNT"
expect "is brought in" is_there "$MNT/Work/camera/two.jpg"
expect_not "without the mount" is_there "$MNT/Work/mnt"
expect_not "and without the vault" is_there "$MNT/Work/test.vault"
expect "forget it" "$VAULTFS" locations --remove "$(id_of "$MNT" "$WORK")" "$MNT"
refused "followed, or holds one" "$VAULTFS" add --watch "$WORK/camera/2024" "$MNT"

setfattr -n user.xdg.tags -v 'mine' "$MNT/Phone/Camera/two.jpg"
expect_not "the kernel knows that this is not there" is_there "$MNT/Phone/Camera/three.jpg"
seq 300 >"$WORK/camera/three.jpg"
eventually 30 "a new file appears" is_same "$WORK/camera/three.jpg" "$MNT/Phone/Camera/three.jpg"
seq 200 >"$WORK/camera/two.jpg"
eventually 30 "a changed one is brought up to date" is_same "$WORK/camera/two.jpg" "$MNT/Phone/Camera/two.jpg"
expect_equal "and keeps its tags" "$(tag_of "$MNT/Phone/Camera/two.jpg")" mine
mv "$WORK/camera/two.jpg" "$WORK/camera/2024/renamed.jpg"
eventually 30 "a moved one is moved" is_there "$MNT/Phone/Camera/2024/renamed.jpg"
expect_equal "and keeps its tags" "$(tag_of "$MNT/Phone/Camera/2024/renamed.jpg")" mine
expect_not "and its old name is gone" is_there "$MNT/Phone/Camera/two.jpg"
mkdir -p "$WORK/camera/2025/05"
seq 500 >"$WORK/camera/2025/05/deep.jpg"
eventually 30 "what is in a new directory appears" is_same "$WORK/camera/2025/05/deep.jpg" "$MNT/Phone/Camera/2025/05/deep.jpg"
mv "$WORK/camera/2025" "$WORK/camera/2026"
eventually 30 "a directory is moved" is_there "$MNT/Phone/Camera/2026/05/deep.jpg"
seq 600 >"$WORK/camera/2026/05/later.jpg"
eventually 30 "and followed where it is now" is_same "$WORK/camera/2026/05/later.jpg" "$MNT/Phone/Camera/2026/05/later.jpg"
rm "$WORK/camera/three.jpg"
seq 700 >"$WORK/camera/behind.jpg"
eventually 30 "what came later appears" is_there "$MNT/Phone/Camera/behind.jpg"
expect "what was deleted there stays here" is_there "$MNT/Phone/Camera/three.jpg"

part "paused, over a remount, resumed, removed"
expect "pause" "$VAULTFS" locations --pause "$(id_of "$MNT" "$WORK/camera")" "$MNT"
expect_equal "it says so" "$(state_of "$MNT" "$WORK/camera")" paused
seq 800 >"$WORK/camera/paused.jpg"
remount_vault -o commit=1
expect_equal "it still is" "$(state_of "$MNT" "$WORK/camera")" paused
expect_not "nothing came" is_there "$MNT/Phone/Camera/paused.jpg"
expect "resume" "$VAULTFS" locations --resume "$(id_of "$MNT" "$WORK/camera")" "$MNT"
eventually 30 "what came meanwhile appears" is_same "$WORK/camera/paused.jpg" "$MNT/Phone/Camera/paused.jpg"
umount_vault
seq 900 >"$WORK/camera/unmounted.jpg"
mount_vault -o commit=1
eventually 30 "and what came while it was not mounted" is_same "$WORK/camera/unmounted.jpg" "$MNT/Phone/Camera/unmounted.jpg"
mv "$WORK/camera" "$WORK/elsewhere"
expect "resume" "$VAULTFS" locations --resume "$(id_of "$MNT" "$WORK/camera")" "$MNT"
is_in_error() { [[ $(state_of "$MNT" "$WORK/camera") == error ]]; }
eventually 30 "a folder that is gone is an error" is_in_error
id=$(id_of "$MNT" "$WORK/camera")
expect "remove" "$VAULTFS" locations --remove "$id" "$MNT"
expect_equal "it is forgotten" "$(state_of "$MNT" "$WORK/camera")" ""
expect "its files stay" is_there "$MNT/Phone/Camera/unmounted.jpg"
refused "no such location" "$VAULTFS" locations --pause "$id" "$MNT"
umount_vault
refused "no such location" "$VAULTFS" locations --remove "$id" "$VAULT"

part "all of it comes back"
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
expect_equal "the location" "$(state_of "$VAULT" "$WORK/books")" complete
run "$VAULTFS" add --quiet --into Library/Books "$WORK/books" "$VAULT"
expect_equal "its path cannot be added twice" "$STATUS" 1
expect "forget it" "$VAULTFS" locations --remove "$(id_of "$VAULT" "$WORK/books")" "$VAULT"
expect "with its bytes now" "$VAULTFS" add --quiet --into Library/Books "$WORK/books" "$VAULT"
mount_vault
expect "they are there" cmp "$WORK/books/large.pdf" "$MNT/Library/Books/large.pdf"
umount_vault
