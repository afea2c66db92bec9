#!/bin/bash
# states.sh - states a vault gets into by crashes and by people: old or missing vault.db, no -wal, packs put back.
. "$(dirname "$0")/../mounted/lib.sh"
save() { rm -rf "$1" && cp -a "$VAULT" "$1"; }
restore() { rm -rf "$VAULT" && cp -a "$1" "$VAULT"; }
forget_database() { rm -f "$VAULT"/vault.db "$VAULT"/vault.db-wal "$VAULT"/vault.db-shm; }

make_vault --pack-size 1M
mount_vault
make_sample "$MNT/first"
setfattr -n user.xdg.tags -v 'old,kept' "$MNT/first/plain/text 1"
setfattr -n user.baloo.rating -v 5 "$MNT/first/plain/text 1"
remember_tree "$WORK/first-tree"
umount_vault
save "$WORK/yesterday"
mount_vault
make_sample "$MNT/second"
rm -r "$MNT/first/odd"
setfattr -n user.xdg.tags -v 'new,kept' "$MNT/first/plain/text 1"
setfattr -n user.xdg.comment -v 'a note' "$MNT/second"
mv "$MNT/first/plain" "$MNT/plain was here"
remember_tree "$WORK/second-tree"
umount_vault
save "$WORK/today"

part "vault.db is one day old"
cp "$WORK/yesterday/vault.db" "$VAULT/vault.db"
mount_vault
same_as_remembered "rolled forward from the packs" "$WORK/second-tree"
touch "$MNT/goes on"
remount_vault
expect "it goes on from there" test -e "$MNT/goes on"
umount_vault
restore "$WORK/today"

part "vault.db is gone"
forget_database
run "$VAULTFS" mount "$VAULT" "$MNT"
if [[ $STATUS != 0 ]]; then
  grep -q rebuild <<<"$ERR" || fail "'$ERR' does not say what to do"
  expect "rebuild" "$VAULTFS" rebuild "$VAULT"
  mount_vault
fi
same_as_remembered "made anew from the packs" "$WORK/second-tree"
umount_vault
restore "$WORK/today"

part "rebuild"
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
mount_vault
same_as_remembered "rebuilt" "$WORK/second-tree"
expect_equal "tags" "$("$VAULTFS" tag ls "$MNT/plain was here/text 1" | sort | tr '\n' ' ')" "kept new "
expect_equal "the rating" "$(getfattr --absolute-names --only-values -n user.baloo.rating "$MNT/plain was here/text 1")" 5
umount_vault
restore "$WORK/today"

part "vault.db is newer than the packs: nothing is cut, nothing is written"
rm -rf "$VAULT/packs" && cp -a "$WORK/yesterday/packs" "$VAULT/packs"
sums=$(pack_sums)
run "$VAULTFS" mount "$VAULT" "$MNT"
if [[ $STATUS == 0 ]]; then
  fails_with "Read-only file system" touch "$MNT/new"
  expect "what the packs have can be read" cat "$MNT/plain was here/text 1" >/dev/null
  expect "unmount" "$VAULTFS" umount "$MNT"
else
  [[ $(wc -l <<<"$ERR") == 1 ]] || fail "wanted one line: $ERR"
  note "$ERR"
fi
expect_equal "the packs are as they were" "$(pack_sums)" "$sums"
expect "rebuild takes the packs' side" "$VAULTFS" rebuild "$VAULT"
mount_vault
same_as_remembered "as yesterday" "$WORK/first-tree"
umount_vault
restore "$WORK/today"

part "the -wal is gone after a kill"
mount_vault -o commit=3600
seq 5000 >"$MNT/synced"
expect "sync" "$VAULTFS" sync "$MNT"
remember_tree "$WORK/third-tree"
kill_daemon
rm -f "$VAULT"/vault.db-wal "$VAULT"/vault.db-shm
mount_vault
same_as_remembered "what was synced is in the packs" "$WORK/third-tree"
umount_vault

part "a torn end after a kill"
restore "$WORK/today"
mount_vault -o commit=3600
seq 5000 >"$MNT/synced"
expect "sync" "$VAULTFS" sync "$MNT"
remember_tree "$WORK/third-tree"
kill_daemon
newest=$(ls "$VAULT"/packs/* | tail -n 1)
head -c 3333 /dev/urandom >>"$newest"
mount_vault
same_as_remembered "the torn end is cut off" "$WORK/third-tree"
echo more >"$MNT/more"
remount_vault
expect_equal "and it goes on" "$(cat "$MNT/more")" more
umount_vault

part "a torn end that looks like the start of what is there"
restore "$WORK/today"
mount_vault -o commit=3600
seq 5000 >"$MNT/synced"
expect "sync" "$VAULTFS" sync "$MNT"
remember_tree "$WORK/third-tree"
kill_daemon
newest=$(ls "$VAULT"/packs/* | tail -n 1)
head -c 2000 "$newest" >"$WORK/again" && cat "$WORK/again" >>"$newest"
truncate -s +100K "$newest"
mount_vault
same_as_remembered "the torn end is cut off" "$WORK/third-tree"
umount_vault

part "killed, mounted, killed: ten times"
mount_vault -o commit=3600
for i in 1 2 3 4 5 6 7 8 9 10; do
  seq "$i" 3000 >"$MNT/round $i"
  expect "fsync" sync "$MNT/round $i"
  kill_daemon
  mount_vault -o commit=3600
  seq "$i" 3000 | cmp -s - "$MNT/round $i" || fail "round $i: what was fsync'ed is not there"
done
same_tree "all of them" "$MNT" "$MNT"
umount_vault

part "only the packs are left"
mount_vault
remember_tree "$WORK/tree"
umount_vault
mkdir "$WORK/bare.vault" && cp -a "$VAULT/packs" "$WORK/bare.vault/"
rm -rf "$VAULT" && mv "$WORK/bare.vault" "$VAULT"
expect "rebuild from packs alone" "$VAULTFS" rebuild "$VAULT"
mount_vault
same_as_remembered "from packs alone" "$WORK/tree"
umount_vault
