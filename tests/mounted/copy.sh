#!/bin/bash
# copy.sh - cp, tar and rsync take a tree in and out, and nothing of it is lost, now or after mounting again.
. "$(dirname "$0")/lib.sh"
need rsync tar cp setfattr
make_sample "$WORK/sample"
make_vault
mount_vault -o commit=1

part "cp -a"
expect "cp -a in" cp -a "$WORK/sample" "$MNT/by-cp"
same_tree "copied in" "$WORK/sample" "$MNT/by-cp"
expect "cp -a within" cp -a "$MNT/by-cp" "$MNT/within"
same_tree "copied within" "$WORK/sample" "$MNT/within"
expect "cp -a out" cp -a "$MNT/by-cp" "$WORK/out-cp"
same_tree "copied out" "$WORK/sample" "$WORK/out-cp"

part "tar"
expect "tar out of the disk" tar -C "$WORK/sample" --xattrs --xattrs-include='user.*' --format=posix -cf "$WORK/sample.tar" .
mkdir "$MNT/by-tar" "$WORK/out-tar"
expect "tar into the vault" tar -C "$MNT/by-tar" --xattrs --xattrs-include='user.*' --numeric-owner --warning=no-timestamp -xpf "$WORK/sample.tar"
same_tree "unpacked" "$WORK/sample" "$MNT/by-tar"
expect "tar out of the vault" tar -C "$MNT/by-tar" --sparse --xattrs --xattrs-include='user.*' --format=posix -cf "$WORK/again.tar" .
expect "tar into the disk" tar -C "$WORK/out-tar" --xattrs --xattrs-include='user.*' --numeric-owner --warning=no-timestamp -xpf "$WORK/again.tar"
same_tree "packed and unpacked" "$WORK/sample" "$WORK/out-tar"

part "rsync, comparing times to the ns"
expect "rsync in" rsync -aHX --modify-window=-1 "$WORK/sample/" "$MNT/by-rsync/"
same_tree "synchronised" "$WORK/sample" "$MNT/by-rsync"
again=$(rsync -aHX --modify-window=-1 --itemize-changes "$WORK/sample/" "$MNT/by-rsync/") || fail "rsync in, again"
expect_equal "a second run transfers nothing" "$again" ""
echo more >>"$WORK/sample/plain/text 2"
rm "$WORK/sample/plain/deeper/random-3"
expect "rsync of what changed" rsync -aHX --modify-window=-1 --delete --inplace "$WORK/sample/" "$MNT/by-rsync/"
same_tree "synchronised again" "$WORK/sample" "$MNT/by-rsync"
expect "rsync out" rsync -aHX --modify-window=-1 "$MNT/by-rsync/" "$WORK/out-rsync/"
same_tree "synchronised out" "$WORK/sample" "$WORK/out-rsync"

part "mounted again"
remember_tree "$WORK/tree"
remount_vault
same_as_remembered "after mounting again" "$WORK/tree"
same_tree "the sample is still in there" "$WORK/sample" "$MNT/by-rsync"
again=$(rsync -aHX --modify-window=-1 --itemize-changes "$WORK/sample/" "$MNT/by-rsync/") || fail "rsync in, after mounting again"
expect_equal "there is still nothing to transfer" "$again" ""

part "removed"
expect "rm -rf" rm -rf "$MNT"/by-* "$MNT/within"
expect_equal "all is gone" "$(ls -A "$MNT")" ""
umount_vault
