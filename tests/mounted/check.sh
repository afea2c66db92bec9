#!/bin/bash
# check.sh - `vaultfs check` on vaults that are closed, mounted, killed, damaged, read-only or busy.
. "$(dirname "$0")/lib.sh"
need jq sqlite3 script

clean() { # WHAT [ARGUMENTS...]
  run "$VAULTFS" check "${@:2}"
  [[ $STATUS == 0 ]] || fail "$1: status $STATUS: $OUT $ERR"
}

# damaged WHAT PATTERN ARGUMENTS...: status 1, and a line that matches.
damaged() {
  run "$VAULTFS" check "${@:3}"
  [[ $STATUS == 1 ]] || fail "$1: status $STATUS, wanted 1: $OUT $ERR"
  grep -qE -- "$2" <<<"$OUT" || fail "$1: no line matches /$2/: $OUT $ERR"
}

part "an empty vault, a full one"
make_vault --pack-size 4M
clean "an empty vault" "$VAULT"
mount_vault
make_sample "$MNT/sample"
head -c 9M /dev/urandom >"$MNT/noise"
cp "$MNT/noise" "$MNT/copy"
umount_vault
sums=$(pack_sums)
clean "a closed vault" "$VAULT"
grep -q 'Nothing is wrong' <<<"$OUT" || fail "no summary: $OUT"
expect_equal "the packs are as before" "$(pack_sums)" "$sums"
clean "quietly" -q "$VAULT"
expect_equal "quietly, nothing is said" "$OUT$ERR" ""
clean "for programs" --json "$VAULT"
jq -e '.n_findings == 0 and .findings == [] and .inodes > 20 and .packs > 1 and .mount == null and .unchecked_bytes == 0' \
  <<<"$OUT" >/dev/null || fail "its JSON: $OUT"

part "mounted, beside a writer"
mount_vault
(while :; do
  head -c 300000 /dev/urandom >"$MNT/beside" && cp "$MNT/beside" "$MNT/beside2" && rm "$MNT/beside"
done) 2>/dev/null &
BACKGROUND+=($!)
for _ in 1 2 3 4 5; do
  clean "a mounted vault" "$MNT"
  clean "a path in it" "$MNT/sample/plain"
done
kill "${BACKGROUND[0]}" && wait "${BACKGROUND[0]}" 2>/dev/null
refused "in use by process" "$VAULTFS" check "$VAULT"

part "killed, with an open file"
exec 7>"$MNT/unlinked"
head -c 100000 /dev/urandom >&7
rm "$MNT/unlinked"
expect "sync" "$VAULTFS" sync "$MNT"
head -c 700000 /dev/urandom >"$MNT/not committed"
kill_daemon
exec 7>&-
clean "a killed vault" --json "$VAULT"
jq -e '.n_findings == 0 and .orphans >= 1 and .unchecked_bytes == 0' <<<"$OUT" >/dev/null || fail "its JSON: $OUT"
[[ ! -e $VAULT/vault.db-wal ]] || fail "the recovery left vault.db-wal behind"
clean "again" "$VAULT"

part "against a database built anew"
mkdir "$WORK/tmp"
TMPDIR=$WORK/tmp clean "deep" --deep "$VAULT"
expect_equal "nothing is left behind" "$(ls "$WORK/tmp")" ""
mount_vault
refused 'not mounted' "$VAULTFS" check --deep "$MNT"
umount_vault
cp -a "$VAULT" "$WORK/whole.vault"
sqlite3 "$VAULT/vault.db" 'UPDATE inodes SET mtime = mtime + 1 WHERE id = (SELECT inode_id FROM entries WHERE name = "noise")' ||
  fail "sqlite3"
clean "without that, it agrees with itself" "$VAULT"
damaged "deep, after a change behind the vault's back" '^noise .*another mtime in the packs \[deep\]' --deep "$VAULT"
rm -rf "$VAULT" && mv "$WORK/whole.vault" "$VAULT"

part "damaged bytes"
cp -a "$VAULT" "$WORK/whole.vault"
mount_vault
{ printf 'MARK-HERE' && head -c 30000 /dev/urandom; } >"$MNT/marked"
umount_vault
pack=$(grep -l MARK-HERE "$VAULT"/packs/* | head -n 1)
[[ -n $pack ]] || fail "the mark is in no pack"
expect "a flipped bit" "$VAULTFS_HELPERS/patchpack" flip "$("$VAULTFS_HELPERS/patchpack" find MARK-HERE "$pack")" "$pack"
sums=$(pack_sums)
damaged "a damaged chunk" "^pack [0-9]+ at [0-9]+: chunk [0-9]+ is damaged" "$VAULT"
grep -qE '^marked \(inode [0-9]+\): [0-9]+ bytes cannot be read' <<<"$OUT" || fail "the file is not named: $OUT"
grep -q '^2 findings; bytes of 1 file cannot be read' <<<"$OUT" || fail "no summary: $OUT"
expect_equal "a check changes nothing" "$(pack_sums)" "$sums"
damaged "quietly" 'marked' -q "$VAULT"
damaged "for programs" . --json "$VAULT"
jq -e '.damaged_files == 1 and .n_findings == 2 and (.findings | map(.kind) == ["record", "file"]) and
  .findings[0].pack > 0 and .findings[0].path == null and .findings[1].path == "marked"' <<<"$OUT" >/dev/null ||
  fail "its JSON: $OUT"
mount_vault
damaged "mounted" 'marked' "$MNT"
umount_vault
rm -rf "$VAULT" && mv "$WORK/whole.vault" "$VAULT"

part "damaged rows"
sqlite3 "$VAULT/vault.db" 'UPDATE inodes SET nlink = nlink + 3 WHERE id = (SELECT inode_id FROM entries WHERE name = "noise")' ||
  fail "sqlite3"
damaged "a link count" '^noise \(inode [0-9]+\): link count 4, and 1 names \[nlink\]' "$VAULT"
sqlite3 "$VAULT/vault.db" 'UPDATE inodes SET nlink = nlink + 3 WHERE mode & 61440 = 32768; DELETE FROM xattrs' || fail "sqlite3"
expect "a rebuild repairs it" "$VAULTFS" rebuild "$VAULT"
clean "rebuilt" "$VAULT"
sqlite3 "$VAULT/vault.db" "UPDATE entries SET name = char(27) || '[2J', inode_id = 1000000 WHERE name = 'noise'" || fail "sqlite3"
damaged "a file without a name" '^inode [0-9]+: link count 1, and 0 names \[nlink\]' "$VAULT"
run "$VAULTFS" check --json "$VAULT"
jq -e 'any(.findings[]; .kind == "nlink" and .inode > 1 and .path == null)' <<<"$OUT" >/dev/null || fail "its JSON: $OUT"
shown=$(script -qec "'$VAULTFS' check -q '$VAULT'" /dev/null </dev/null)
[[ $shown == *'its entry "?[2J" names'* && $shown != *$'\e'* ]] || fail "a name commands the terminal: ${shown@Q}"
printf 'not a database' | dd of="$VAULT/vault.db" conv=notrunc status=none
run "$VAULTFS" check "$VAULT"
expect_equal "it cannot be checked" "$STATUS" 1
grep -q "run 'vaultfs rebuild" <<<"$ERR" || fail "'$ERR' does not say what to do"
expect "a rebuild repairs it" "$VAULTFS" rebuild "$VAULT"
clean "rebuilt again" "$VAULT"

part "on a read-only disk"
if is_root; then
  mkdir "$WORK/disk"
  expect "a bind mount" mount --bind "$VAULT" "$WORK/disk"
  SCRATCH_MOUNTS+=("$WORK/disk")
  expect "read-only" mount -o remount,bind,ro "$WORK/disk"
  clean "a read-only disk" "$WORK/disk"
  expect "it mounts" "$VAULTFS" mount "$WORK/disk" "$MNT"
  for command in check info stats ls; do
    expect "$command of a mount on a read-only disk" "$VAULTFS" "$command" "$MNT" >"$WORK/out"
  done
  expect "it unmounts" "$VAULTFS" umount "$MNT"
  umount "$WORK/disk"
else
  skip_line "no read-only disk without root"
fi

part "another user's vault"
if is_root; then
  chmod 755 "$WORK"
  cp "$VAULTFS" "$WORK/vaultfs" # what was built may lie where only root comes
  for command in check info stats; do
    refused 'permission' setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/vaultfs" "$command" "$VAULT"
  done
else
  skip_line "no other user without root"
fi

part "wrong words"
misused "$VAULTFS" check
misused "$VAULTFS" check "$VAULT" "$VAULT"
misused "$VAULTFS" check --frob "$VAULT"
refused absent "$VAULTFS" check "$WORK/absent"
refused 'neither a vault' "$VAULTFS" check "$WORK"
run "$VAULTFS" check --help
expect_equal "help" "$STATUS" 0
