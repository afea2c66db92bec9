#!/bin/bash
# deep.sh - a tree of 10,000 levels, where paths would be 100 KB long: made, walked, renamed, listed, exported, removed.
. "$(dirname "$0")/../mounted/lib.sh"

levels=10000
[[ $SLOW == 1 ]] && levels=3000
deep=$VAULTFS_HELPERS/deep

make_vault
mount_vault
part "made and walked"
mkdir "$MNT/tree"
expect "it is made" "$deep" make "$MNT/tree" $levels
remount_vault
expect "it is walked after a remount" "$deep" walk "$MNT/tree" $levels
expect "its middle is renamed" "$deep" rename "$MNT/tree" $levels
expect "and it is as it was" "$deep" walk "$MNT/tree" $levels

part "programs that go down step by step"
expect_equal "find" "$(find "$MNT/tree" -printf x | wc -c)" $((levels + 3))
expect "du" du -s "$MNT/tree" >"$WORK/du"
before=$(cd "$MNT" && find tree -type d -printf '%T@\n' | sort | sha256sum)

part "our own programs"
expect "ls" "$VAULTFS" ls -l "$MNT" tree/level-0 >"$WORK/list"
run "$VAULTFS" info "$MNT/tree/level-0"
expect_equal "info" "$STATUS" 0
expect "tag" "$VAULTFS" tag add deep "$MNT/tree/level-0/level-1"
run "$VAULTFS" stats "$MNT"
expect_equal "stats" "$STATUS" 0
umount_vault
expect "ls -R of the vault, whose paths are 500 MB long together" "$VAULTFS" ls -R "$VAULT" >/dev/null
run "$VAULTFS" export "$VAULT" tree "$WORK/out"
expect_equal "export ($ERR)" "$STATUS" 0
expect "what was exported is as deep" "$deep" walk "$WORK/out" $levels
run "$VAULTFS" import "$WORK/out" "$VAULT"
expect_equal "import ($ERR)" "$STATUS" 0
run "$VAULTFS" check "$VAULT"
expect_equal "check ($ERR)" "$STATUS" 0

part "removed"
mount_vault
expect_equal "the same times" "$(cd "$MNT" && find tree -type d -printf '%T@\n' | sort | sha256sum)" "$before"
expect "what was imported is as deep" "$deep" walk "$MNT/out" $levels
expect "rm -rf" rm -rf "$MNT/tree" "$MNT/out"
expect_equal "nothing is left" "$(ls -A "$MNT")" ""
umount_vault
rm -rf "$WORK/out"
