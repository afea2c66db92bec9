#!/bin/bash
# views_many.sh - a tag of thousands of files: listed whole, in one go and in pieces, within a bound of time; rm -r of it.
. "$(dirname "$0")/lib.sh"
make_vault
mount_vault
n=$((SLOW ? 4000 : 20000))
mkdir "$MNT/many" "$MNT/.views/tags/big"
(cd "$MNT/many" && seq -f 'file %06g.txt' "$n" | xargs -d '\n' touch)
find "$MNT/many" -type f -print0 | xargs -0 -n 2000 "$VAULTFS" tag add big || fail "cannot tag"
"$VAULTFS" sync "$MNT"

part "listed"
began=$EPOCHREALTIME
expect_equal "all of them, each once" "$(ls -U "$MNT/.views/tags/big" | grep -c '^file')" "$n"
ended=$EPOCHREALTIME
note "$n files listed in $((${ended/./} - ${began/./})) us"
expect_at_most "time to list them, in ms" $(((${ended/./} - ${began/./}) / 1000)) $((SLOW ? 60000 : 10000))
expect_equal "no name twice" "$(ls "$MNT/.views/tags/big" | uniq -d)" ""
expect_equal "in the same order as names" "$(ls -U "$MNT/.views/tags/big" | grep '^file' | head -n 1)" "file 000001.txt"

part "a listing goes on while entries go"
exec 8< <(ls -U "$MNT/.views/tags/big")
read -r first <&8
expect "one goes" rm "$MNT/.views/tags/big/file 000500.txt"
expect "others were shown" test "$(grep -c '^file' <&8)" -ge $((n - 2))
exec 8<&-
expect_equal "the first was the first" "$first" "file 000001.txt"
expect_equal "the file stays" "$(ls "$MNT/many" | wc -l)" "$n"

part "rm -r"
expect "of the tag" rm -r "$MNT/.views/tags/big"
expect_not "it is gone" ls "$MNT/.views/tags/big" 2>/dev/null
expect_equal "the files stay" "$(ls "$MNT/many" | wc -l)" "$n"

part "more than can be shown is an error that ends a listing"
mkdir "$MNT/deep"
for i in {0..55}; do # each tag has four steps above it
  : >"$MNT/deep/$i"
  setfattr -n user.xdg.tags -v "$(seq -s , -f %g/a/b/c/d $((i * 1000)) $((i * 1000 + 999)))" "$MNT/deep/$i" || fail "cannot tag"
done
fails_with "Cannot allocate memory" timeout 60 ls "$MNT/.views/tags"
expect_at_most "lines that say so" "$(wc -l <"$WORK/.err")" 1
umount_vault
