#!/bin/bash
# find.sh - `vaultfs find` on a mount, in a folder of it and on a vault; its forms of output; mistakes and their spots.
. "$(dirname "$0")/lib.sh"
need setfattr python3
make_vault
mount_vault -o commit=60

found() { "$VAULTFS" find "$@" | sort | tr '\n' '|'; }

mkdir -p "$MNT/Photos/Rome" "$MNT/Video s" "$MNT/.Trash-1000/files"
printf 'The lighthouse keeper\n' >"$MNT/Photos/beach.txt"
printf 'x' >"$MNT/Photos/Rome/img.txt"
truncate -s 3M "$MNT/Video s/big
one.bin"
printf 'y' >"$MNT/.Trash-1000/files/gone.txt"
setfattr -n user.xdg.tags -v 'Holiday/Sea,x' "$MNT/Photos/beach.txt"
setfattr -n user.xdg.tags -v 'holiday' "$MNT/Photos/Rome/img.txt"
setfattr -n user.xdg.tags -v 'holiday' "$MNT/.Trash-1000/files/gone.txt"
setfattr -n user.baloo.rating -v 8 "$MNT/Photos/Rome/img.txt"

part "places"
expect_equal "in a mount paths can be opened" "$(found "$MNT" tag:holiday)" "$MNT/Photos/Rome/img.txt|$MNT/Photos/beach.txt|"
expect_equal "a slash behind it is not doubled" "$(found "$MNT/" tag:holiday/sea)" "$MNT/Photos/beach.txt|"
expect_equal "in a folder what is below it" "$(found "$MNT/Photos/Rome" '')" "$MNT/Photos/Rome/img.txt|"
cd "$MNT/Photos" || fail "no folder"
expect_equal "without a place the current folder" "$(found tag:holiday)" "Rome/img.txt|beach.txt|"
expect_equal "a term with a slash is no place" "$(found tag:holiday/sea)$(found 'in:Photos/Rome')" "beach.txt|Rome/img.txt|"
expect_equal "a relative place" "$(found Rome 'rating:>=8')" "Rome/img.txt|"
expect_equal "one above" "$(found .. 'size:>1M' | tr -d '\n')" "../Video s/big|one.bin|"
cd "$WORK" || fail "no folder"
refused 'neither a vault' "$VAULTFS" find tag:holiday
refused 'no folder' "$VAULTFS" find "$MNT/Photos/beach.txt" tag:holiday
refused 'absent' "$VAULTFS" find "$MNT/absent" tag:holiday

part "queries of several words"
expect_equal "they are put together" "$(found "$MNT" tag:holiday -tag:x)" "$MNT/Photos/Rome/img.txt|"
expect_equal "or" "$(found "$MNT" rating:8 or 'size:>1M' | tr -d '\n')" "$MNT/Photos/Rome/img.txt|$MNT/Video s/big|one.bin|"
expect_equal "one that begins with a dash" "$(found "$MNT" -- '-tag:holiday' 'size:>0' | tr -d '\n')" "$MNT/Video s/big|one.bin|"
expect_equal "the trash, if asked for" "$(found "$MNT" 'in:.Trash-1000')" "$MNT/.Trash-1000/files/gone.txt|"

part "output"
expect_equal "with NUL" "$("$VAULTFS" find -0 "$MNT" 'size:>1M' | tr '\0\n' '|_')" "$MNT/Video s/big_one.bin|"
expect_equal "sorted by size" "$("$VAULTFS" find --sort size --limit 2 "$MNT" '' | tail -1)" "$MNT/Photos/beach.txt"
expect_equal "and the other way round" "$("$VAULTFS" find --sort size --reverse --limit 1 "$MNT" '')" "$MNT/Photos/Rome/img.txt"
expect_equal "by name, the second page" "$("$VAULTFS" find -s name -n 1 -p 3 "$MNT" '')" "$MNT/Photos/Rome/img.txt"
expect_equal "options behind the place" "$("$VAULTFS" find "$MNT" -s name -n 1 '')" "$MNT/Photos/beach.txt"
expect "JSON" "$VAULTFS" find --json "$MNT" tag:holiday/sea >"$WORK/json"
expect "its keys" python3 - "$WORK/json" "$MNT" <<'PYTHON'
import json, sys
files = json.load(open(sys.argv[1]))
assert len(files) == 1, files
f = files[0]
assert f["path"] == sys.argv[2] + "/Photos/beach.txt" and f["size"] == 22 and f["tags"] == ["Holiday/Sea", "x"], f
assert set(f) == set("path inode size mtime added date mime_type kind width height duration_ms tags rating quality "
                     "favorite hidden seen comment sha256".split()), sorted(f)
PYTHON
expect_equal "JSON of nothing" "$("$VAULTFS" find --json "$MNT" tag:none)" "[]"
expect_equal "nothing is no error" "$(found "$MNT" tag:none)" ""

part "saved searches of a vault"
umount_vault
expect "one is kept" "$VAULTFS" save "$VAULT" Sea 'tag:holiday -x or size:>1M'
expect "another" "$VAULTFS" save "$VAULT" 'by the sea' tag:holiday/sea
expect_equal "they are listed" "$("$VAULTFS" save "$VAULT" | tr '\t\n' '=|')" "by the sea=tag:holiday/sea|Sea=tag:holiday -x or size:>1M|"
expect "one of the same name replaces it" "$VAULTFS" save "$VAULT" SEA tag:holiday
expect_equal "and keeps its spelling" "$("$VAULTFS" save --json "$VAULT" | tr -d ' \n')" \
  '[{"name":"bythesea","query":"tag:holiday/sea"},{"name":"Sea","query":"tag:holiday"}]'
expect_equal "it is used" "$(found --saved sea "$VAULT")" "Photos/Rome/img.txt|Photos/beach.txt|"
expect_equal "with more" "$(found --saved sea "$VAULT" -- -tag:x)" "Photos/Rome/img.txt|"
refused 'no saved search' "$VAULTFS" find --saved none "$VAULT"
expect "renamed" "$VAULTFS" save --rename "$VAULT" sea Holiday
refused 'there is a search' "$VAULTFS" save --rename "$VAULT" holiday 'By The Sea'
refused 'no search of that name' "$VAULTFS" save --remove "$VAULT" sea
expect "removed" "$VAULTFS" save --remove "$VAULT" 'by the SEA'
expect_equal "what is left" "$("$VAULTFS" save "$VAULT")" "Holiday	tag:holiday"
misused "$VAULTFS" save "$VAULT" bad 'tag:'
misused "$VAULTFS" save "$VAULT" a/b x
misused "$VAULTFS" save "$VAULT" name
misused "$VAULTFS" save --json "$VAULT" name query
mount_vault
expect_equal "a mount lists them" "$("$VAULTFS" save "$MNT")" "Holiday	tag:holiday"
expect_equal "and uses them" "$(found --saved holiday "$MNT")" "$MNT/Photos/Rome/img.txt|$MNT/Photos/beach.txt|"

part "mistakes"
misused "$VAULTFS" find "$MNT"
misused "$VAULTFS" find --sort color "$MNT" x
misused "$VAULTFS" find --limit 0 "$MNT" x
misused "$VAULTFS" find -0 --json "$MNT" x
misused "$VAULTFS" find "$MNT" 'äh size:>1Q'
expect_equal "the spot is marked" "$(tail -2 <<<"$ERR")" "  äh size:>1Q
           ^~"
misused "$VAULTFS" find "$MNT" 'tgas:a'
grep -q 'did you mean tag:' <<<"$ERR" || fail "no advice: $ERR"

part "a vault that is not mounted"
umount_vault
expect_equal "paths are those in it" "$(found "$VAULT" tag:holiday)" "Photos/Rome/img.txt|Photos/beach.txt|"
chmod -R a-w "$VAULT"
expect_equal "and it may be read-only" "$(found "$VAULT" tag:holiday/sea)" "Photos/beach.txt|"
chmod -R u+w "$VAULT"
