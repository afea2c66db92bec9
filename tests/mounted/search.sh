#!/bin/bash
# search.sh - words are found as soon as they are written, in the mount and beside it, whatever becomes of search.db.
. "$(dirname "$0")/lib.sh"
need setfattr
make_vault
mount_vault -o commit=60

found() { "$VAULTFS" find "$@" 2>"$WORK/said" | sort | tr '\n' '|'; }

part "at once, beside a mount that has not committed"
mkdir "$MNT/Harbour"
: >"$MNT/Harbour/beach_party-2024.mp4"
: >"$MNT/other"
expect_equal "a name" "$(found "$MNT" beach)" "$MNT/Harbour/beach_party-2024.mp4|"
setfattr -n user.xdg.comment -v 'met Zoë there' "$MNT/other"
setfattr -n user.xdg.tags -v 'place/Italy' "$MNT/other"
expect_equal "a note, without its accents" "$(found "$MNT" zoe)" "$MNT/other|"
expect_equal "a tag" "$(found "$MNT" italy)" "$MNT/other|"
expect_equal "both" "$(found "$MNT" 'italy zoe')" "$MNT/other|"
mv "$MNT/other" "$MNT/renamed"
expect_equal "its new name" "$(found "$MNT" renamed)" "$MNT/renamed|"
expect_equal "not the old one" "$(found "$MNT" other)" ""
rm "$MNT/renamed"
expect_equal "nor what is gone" "$(found "$MNT" italy)" ""
expect_equal "no complaint" "$(cat "$WORK/said")" ""

part "without a mount"
umount_vault
mkdir "$WORK/in"
: >"$WORK/in/imported beach.jpg"
expect "import" "$VAULTFS" import "$WORK/in" "$VAULT" >/dev/null
expect_equal "what was brought in" "$(found "$VAULT" beach)" "Harbour/beach_party-2024.mp4|in/imported beach.jpg|"

part "it is made anew"
for damage in missing empty garbage cut; do
  case $damage in
  missing) rm "$VAULT/search.db" ;;
  empty) : >"$VAULT/search.db" ;;
  garbage) echo "no database" >"$VAULT/search.db" ;;
  cut) truncate -s 5000 "$VAULT/search.db" ;;
  esac
  expect "a check minds no search.db that is $damage" "$VAULTFS" check "$VAULT" >/dev/null 2>&1
  mount_vault
  expect_equal "$damage" "$(found "$MNT" party)" "$MNT/Harbour/beach_party-2024.mp4|"
  umount_vault
done

part "a kill while it follows"
mount_vault -o commit=1
for i in {1..300}; do : >"$MNT/Harbour/killed $i"; done
expect "a commit" "$VAULTFS" sync "$MNT"
kill_daemon
mount_vault
expect_equal "all is found" "$("$VAULTFS" find -n 1000 "$MNT" killed | wc -l)" 300
umount_vault

part "read-only"
mount_vault -o ro
expect_equal "as it is" "$(found "$MNT" party)" "$MNT/Harbour/beach_party-2024.mp4|"
umount_vault
