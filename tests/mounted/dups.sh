#!/bin/bash
# dups.sh - which files are the same, which are alike, and what deduplication saves.
. "$(dirname "$0")/lib.sh"
need jq
make_vault
mount_vault -o commit=1
has_sum() { [[ -n $(getfattr --absolute-names --only-values -n user.vaultfs.sha256 -- "$1" 2>/dev/null) ]]; }

mkdir "$MNT/dir"
head -c 4000000 /dev/urandom >"$WORK/random"
head -c 1000000 /dev/urandom >"$WORK/more"
cp "$WORK/random" "$MNT/one"
cp "$WORK/random" "$MNT/dir/two"
cat "$WORK/random" "$WORK/more" >"$MNT/longer"
cp "$WORK/more" "$MNT/dir/more"
: >"$MNT/empty"
: >"$MNT/dir/empty"

part "files that share content, before anybody has looked at them"
run "$VAULTFS" similar "$MNT/one"
expect_equal "similar" "$STATUS" 0
expect_equal "the closest first" "$(awk '{ print $NF }' <<<"$OUT" | tr '\n' ' ')" "$MNT/dir/two $MNT/longer "
expect_equal "how much of it" "$("$VAULTFS" similar --json "$MNT/one" | jq -r '.[0] | "\(.shared_bytes) of \(.size)"')" "4000000 of 4000000"
expect_equal "no more than asked for" "$("$VAULTFS" similar -n 1 --json "$MNT/one" | jq -r '.[].path')" "$MNT/dir/two"
expect_equal "nobody" "$("$VAULTFS" similar --json "$MNT/empty")" "[]"
refused 'not a file' "$VAULTFS" similar "$MNT/dir"
refused 'absent' "$VAULTFS" similar "$MNT/absent"
misused "$VAULTFS" similar
misused "$VAULTFS" similar -n 0 "$MNT/one"

part "files that are the same"
for file in one dir/two longer dir/more; do
  eventually 60 "the sum of $file" has_sum "$MNT/$file"
done
json=$("$VAULTFS" dups --json "$MNT")
expect_equal "one group" "$(jq -r '.groups | length' <<<"$json")" 1
expect_equal "its files" "$(jq -r '[.groups[0].files[].path] | sort | join(" ")' <<<"$json")" "$MNT/dir/two $MNT/one"
expect_equal "its sum" "$(jq -r '.groups[0].sha256' <<<"$json")" "$(sha256sum <"$WORK/random" | cut -d' ' -f1)"
expect_equal "its size" "$(jq -r '.groups[0].size' <<<"$json")" 4000000
expect_equal "one file too many" "$(jq -r '"\(.duplicate_files) \(.duplicate_bytes)"' <<<"$json")" "1 4000000"
saved=$(jq -r .dedup_saved_bytes <<<"$json")
((saved > 6900000)) || # but for the chunk in which the longer one differs, of at most 1 MiB
  fail "deduplication saves $saved bytes, wanted the one file and most of the longer one"
run "$VAULTFS" dups "$MNT"
expect_equal "dups" "$STATUS" 0
grep -q '^2 files of 3.8 MiB each, ' <<<"$OUT" || fail "no heading: $OUT"
grep -qF "  $MNT/dir/two" <<<"$OUT" || fail "no path: $OUT"
misused "$VAULTFS" dups
refused 'neither|not' "$VAULTFS" dups "$WORK"

part "of a vault that is not mounted"
umount_vault
expect_equal "paths in it" "$("$VAULTFS" dups --json "$VAULT" | jq -r '[.groups[0].files[].path] | sort | join(" ")')" "dir/two one"
expect_equal "similar" "$("$VAULTFS" similar --json "$VAULT" one | jq -r '[.[].path] | join(" ")')" "dir/two longer"
