#!/bin/bash
# times.sh - times over remounts and a rebuild, to the nanosecond; mounts that do not move access times.
. "$(dirname "$0")/../mounted/lib.sh"

all_times() { (cd "$MNT" && find . -printf '%P %A@ %T@ %C@\n' | sort); }

# atimes WHAT OPTIONS WANT: what reading, listing and following a link does to the access times of each.
atimes() {
  local path was got=
  mount_vault -o "$2"
  for path in data directory link; do
    touch -h -d '2001-01-01 01:01:01' "$MNT/$path"
    was=$(stat -c %x "$MNT/$path")
    case $path in
    data) dd if="$MNT/data" of="$WORK/copy" bs=64K iflag=direct status=none ;;
    directory) ls "$MNT/directory" ;;
    link) readlink "$MNT/link" >"$WORK/copy" ;;
    esac
    if [[ $(stat -c %x "$MNT/$path") == "$was" ]]; then got+=" $path stays"; else got+=" $path moves"; fi
  done
  expect_equal "$1" "${got# }" "$3"
  umount_vault
}

make_vault
mount_vault -o noatime # finding the times is reading, too
part "times are the same after a remount"
make_sample "$MNT/sample"
touch -d '9999-12-31 23:59:59' "$MNT/far"
touch -d '0001-01-01 00:00:00' "$MNT/long ago"
echo later >>"$MNT/sample/plain/text 6"
chmod 600 "$MNT/sample/plain/text 7"
rm "$MNT/sample/plain/text 8"
expect_equal "a year too far is the last moment there is" "$(stat -c %y "$MNT/far")" "2262-04-11 23:47:16.854775807 +0000"
expect_equal "and the first one" "$(stat -c %y "$MNT/long ago")" "1677-09-21 00:12:43.145224192 +0000"
before=$(all_times)
remount_vault -o noatime
expect_equal "after a remount" "$(all_times)" "$before"
umount_vault
rm "$VAULT/vault.db"
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
mount_vault -o noatime
expect_equal "after a rebuild" "$(all_times)" "$before"

part "what moves access times"
head -c 200000 /dev/urandom >"$MNT/data"
mkdir "$MNT/directory"
ln -s anywhere "$MNT/link"
umount_vault
atimes "without an option" commit=1 "data moves directory moves link moves"
atimes "with noatime" noatime "data stays directory stays link stays"
atimes "with nodiratime" nodiratime "data moves directory stays link moves"
mount_vault -o commit=1
for path in data directory link; do
  touch -h -d '2001-01-01 01:01:01' "$MNT/$path"
done
remount_vault -o ro
before=$(all_times)
dd if="$MNT/data" of="$WORK/copy" bs=64K iflag=direct status=none
ls "$MNT/directory"
readlink "$MNT/link" >"$WORK/copy"
is_root && echo 2 >/proc/sys/vm/drop_caches # the kernel does not ask again by itself
expect_equal "a read-only mount" "$(all_times)" "$before"
umount_vault
