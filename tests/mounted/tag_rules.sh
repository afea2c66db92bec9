#!/bin/bash
# tag_rules.sh - `vaultfs tags`: tags listed, renamed, removed, colored, with other names and implications; on a vault and on
# a mount, through its tag folders; what files read afterwards.
. "$(dirname "$0")/lib.sh"
need getfattr setfattr
make_vault

tags() { "$VAULTFS" tags "$@"; }
value() { getfattr --absolute-names --only-values -n "user.xdg.tags" -- "$1" 2>/dev/null; }
listed() { expect_equal "$1" "$(tags "$TARGET" | tr -s ' ' | tr '\n' ';')" "$2"; }

fill() {
  mount_vault
  touch "$MNT/one" "$MNT/two" "$MNT/three"
  setfattr -n user.xdg.tags -v 'beach, Place/Italy/Rome' "$MNT/one"
  setfattr -n user.xdg.tags -v 'foto/2024,place/italy' "$MNT/two"
  setfattr -n user.xdg.tags -v 'photo' "$MNT/three"
}

# rules TARGET: what holds for a vault holds for a mount.
rules() {
  TARGET=$1
  listed "all tags" ' 1 beach; 1 foto; 1 2024; 1 photo; 2 Place; 2 italy; 1 Rome;'
  listed_below=$(tags --flat "$TARGET" PLACE | tr -s ' ' | tr '\n' ';')
  expect_equal "below one" "$listed_below" ' 2 place/italy; 1 Place/Italy/Rome;'

  expect "other names" tags alias "$TARGET" photo foto Bild
  expect "an implication" tags imply "$TARGET" beach holiday
  expect "another" tags imply "$TARGET" holiday fun/good
  expect "a color" tags color "$TARGET" Beach '#FF8800'
  expect "an icon" tags icon "$TARGET" beach folder-pictures
  listed "with rules" ' 1 beach #ff8800 -> holiday; 1 fun; 1 good; 1 holiday -> fun/good; 2 photo = Bild,foto; 1 2024; 2 Place; 2 italy; 1 Rome;'
  expect_equal "as JSON" "$(tags --json "$TARGET" | tr -d ' \n' | grep -o '{"name":"beach"[^}]*}')" \
    '{"name":"beach","files":1,"total":1,"color":"#ff8800","icon":"folder-pictures","implies":["holiday"]}'

  refused 'a color is' tags color "$TARGET" beach reddish
  refused 'an icon' tags icon "$TARGET" beach a/b
  refused "begin the tag's own" tags alias "$TARGET" photo photo
  refused 'another tag' tags alias "$TARGET" beach foto
  refused 'itself' tags imply "$TARGET" beach beach
  refused 'not among its aliases' tags unalias "$TARGET" photo pic
  refused 'no such tag' tags rename "$TARGET" none other
  refused 'already' tags rename "$TARGET" beach photo
  refused 'no name that' tags rename "$TARGET" beach beach/sub
  refused 'files have it' tags remove "$TARGET" beach
  refused 'no such tag' tags remove "$TARGET" none
  refused "no ','" tags make "$TARGET" ..

  expect "a new one" tags make "$TARGET" new/one
  expect_equal "which no file has" "$(tags --unused "$TARGET" | tr '\n' ' ')" 'new new/one '
  expect "it is removed" tags remove "$TARGET" new/one new
  expect "renamed" tags rename "$TARGET" place trips/south
  expect "an alias taken back" tags unalias "$TARGET" photo bild
  expect "no color" tags color "$TARGET" beach ''
  expect "a used one removed" tags remove --used "$TARGET" beach
  expect "an implication taken back" tags unimply "$TARGET" holiday fun/good
  listed "after all that" ' 0 fun; 0 good; 0 holiday; 2 photo = foto; 1 2024; 2 trips; 2 south; 2 italy; 1 Rome;'
}

# What files read after these rules.
files_read() {
  expect_equal "a renamed and a removed tag" "$(value "$MNT/one")" 'trips/south/Italy/Rome'
  expect_equal "a renamed one" "$(value "$MNT/two")" 'foto/2024,trips/south/italy'
  expect_equal "no change" "$(value "$MNT/three")" 'photo'
}

part "misuse"
misused tags
misused tags rename "$VAULT" a
misused tags color "$VAULT" a red blue
misused tags --used "$VAULT"
misused tags --json make "$VAULT" a
misused tags "$VAULT" a b
refused 'no such file' tags "$WORK/absent"

part "a vault"
fill
umount_vault
rules "$VAULT"
mount_vault
files_read
umount_vault
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
mount_vault
files_read
TARGET=$MNT
listed "the mount says the same, rebuilt" ' 0 fun; 0 good; 0 holiday; 2 photo = foto; 1 2024; 2 trips; 2 south; 2 italy; 1 Rome;'
if [[ ! -d $MNT/.views/tags ]]; then
  refused 'cannot be reached' tags make "$MNT" x
  skip_line "the mount has no tag folders"
  umount_vault
  exit 0
fi

part "a mount"
umount_vault
rm -rf "$VAULT"
make_vault
fill
rules "$MNT"
files_read
umount_vault
expect "check" "$VAULTFS" check --quiet "$VAULT"
