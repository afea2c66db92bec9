#!/bin/bash
# import_export.sh - a tree goes straight into a vault and comes out of it again, mounted or not, with nothing lost.
. "$(dirname "$0")/lib.sh"
make_sample "$WORK/sample"
setfattr -n user.xdg.tags -v 'one,two' "$WORK/sample/plain/text 1"
make_vault

part "in"
run "$VAULTFS" import "$WORK/sample" "$VAULT"
expect_equal "import ($ERR)" "$STATUS" 0
expect_equal "nothing on stderr that is no terminal" "$ERR" ""
expect "import to another place" "$VAULTFS" import --into deep/er "$WORK/sample" "$VAULT"
refused "$WORK/absent" "$VAULTFS" import "$WORK/absent" "$VAULT"
refused 'sample' "$VAULTFS" import "$WORK/sample" "$VAULT"
misused "$VAULTFS" import "$WORK/sample"

part "out, unmounted"
expect "export all" "$VAULTFS" export "$VAULT" "$WORK/out"
same_tree "exported" "$WORK/sample" "$WORK/out/sample"
same_tree "exported from the other place" "$WORK/sample" "$WORK/out/deep/er"
expect "export a part" "$VAULTFS" export "$VAULT" deep/er/plain/deeper "$WORK/part"
same_tree "the part" "$WORK/sample/plain/deeper" "$WORK/part" -o
refused 'absent' "$VAULTFS" export "$VAULT" absent "$WORK/none"
refused "$WORK/out" "$VAULTFS" export "$VAULT" "$WORK/out"

part "mounted"
mount_vault
same_tree "as mounted" "$WORK/sample" "$MNT/sample"
same_tree "as mounted, at the other place" "$WORK/sample" "$MNT/deep/er"
expect_equal "tags came along" "$("$VAULTFS" tag ls "$MNT/sample/plain/text 1" | sort | tr '\n' ' ')" "one two "
refused "$MNT" "$VAULTFS" import "$WORK/sample" "$VAULT"
echo "just written" >"$MNT/sample/new"
expect "export from the mount" "$VAULTFS" export "$MNT" sample "$WORK/out-mounted"
expect_equal "with what was just written" "$(cat "$WORK/out-mounted/new")" "just written"
run "$VAULTFS" ls "$MNT" sample
expect_equal "ls of the mount" "$STATUS" 0
grep -qx 'new' <<<"$OUT" || fail "ls does not list what was just written: $OUT"
umount_vault
run "$VAULTFS" ls "$VAULT" sample
grep -qx 'new' <<<"$OUT" || fail "ls of the vault: $OUT"
run "$VAULTFS" info --json "$VAULT" "sample/new"
expect_equal "info ($ERR)" "$STATUS" 0

part "brought up to date, replaced files keep what was known of them"
mkdir "$WORK/source"
seq 5000 >"$WORK/source/grows"
seq 100 >"$WORK/source/stays"
expect "import" "$VAULTFS" import --into up/to/date "$WORK/source" "$VAULT"
mount_vault
setfattr -n user.xdg.tags -v 'mine' "$MNT/up/to/date/grows"
setfattr -n user.xdg.comment -v 'a note' "$MNT/up/to/date/stays"
stays=$(stat -c %i "$MNT/up/to/date/stays")
echo cut >"$MNT/up/to/date/.grows.vaultfs-new" # as an import that was cut off leaves it
umount_vault
seq 9000 >"$WORK/source/grows"
expect "import again" "$VAULTFS" import --update --into up/to/date "$WORK/source" "$VAULT"
mount_vault
expect "the new content is there" cmp "$WORK/source/grows" "$MNT/up/to/date/grows"
expect_equal "its tags are there, too" "$(getfattr --only-values -n user.xdg.tags "$MNT/up/to/date/grows")" mine
expect_equal "what did not change is the same file" "$(stat -c %i "$MNT/up/to/date/stays")" "$stays"
expect_equal "nothing else is there" "$(ls -A "$MNT/up/to/date" | tr '\n' ' ')" "grows stays "
umount_vault
