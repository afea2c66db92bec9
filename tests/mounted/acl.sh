#!/bin/bash
# acl.sh - what setfacl, chmod, cp, mv, rsync and tar do with access control lists on ext4 they do on a vault.
. "$(dirname "$0")/lib.sh"
need getfacl setfacl rsync tar

# All lists of a tree, with modes and owners, in an order of its own.
acls() { (cd "$1" && find . ! -type l -print0 | sort -z | xargs -0 getfacl -n -P --) || fail "getfacl of $1"; }

same_acls() { # WHAT A B
  acls "$2" >"$WORK/.acls-a"
  acls "$3" >"$WORK/.acls-b"
  diff "$WORK/.acls-a" "$WORK/.acls-b" >"$WORK/.acls-diff" || {
    head -n 20 "$WORK/.acls-diff" >&2
    fail "$1: the lists differ"
  }
}

# The same commands on the disk and on the vault.
make_lists() (
  set -e
  mkdir "$1"
  cd "$1"
  touch plain named bare restored reference follower
  setfacl -m u:1001:rwx,g:2001:r named bare
  setfacl -b bare
  mkdir shared
  setfacl -m u:1001:rwx shared
  setfacl -d -m u:1001:rwx,g:2001:r-x,o::- shared
  (
    umask 077
    touch shared/file
    mkdir -p shared/sub/sub
    mkfifo shared/pipe
    ln -s nowhere shared/link
    echo text >shared/sub/sub/text
    install -m 600 /dev/null shared/installed
  )
  chmod g-w shared/file
  chmod 711 shared/sub
  setfacl -x u:1001 shared/sub/sub/text
  cp shared/sub/sub/text shared/copied
  ln named "hard link"
  mkdir dropped
  setfacl -m u:1001:r,d:u:1001:r dropped
  touch dropped/before
  setfacl -k dropped
  touch dropped/after
  mkdir -p deep/er
  touch deep/er/file
  setfacl -R -m u:1002:rX deep
  setfacl --set u::rwx,u:1003:rw,g::r,m::r,o::- reference
  chmod --reference=reference follower
  getfacl -p reference | setfacl --set-file=- restored
)

part "by hand"
oracle_directory
chmod 755 "$WORK"
make_vault
mount_vault -o commit=1
expect "lists on the disk" make_lists "$ORACLE/tree"
expect "lists on the vault" make_lists "$MNT/tree"
same_acls "made by hand" "$ORACLE/tree" "$MNT/tree"
same_tree "made by hand" "$ORACLE/tree" "$MNT/tree" -t
[[ $(getfacl -n "$MNT/tree/named" 2>/dev/null) == *'user:1001:rwx'* ]] || fail "getfacl shows no list at all"
getfacl -n -R "$ORACLE/tree" >"$WORK/saved" 2>/dev/null
(cd "$MNT" && find tree ! -type l -exec setfacl -bk {} + && chmod -R 700 tree) || fail "all lists cannot be removed"
[[ -z $(getfattr -R -d -m 'posix_acl' "$MNT/tree" 2>/dev/null) ]] || fail "lists are left after setfacl -bk"
(cd "$MNT" && sed "s,^# file: .*/tree,# file: tree," "$WORK/saved" | setfacl --restore=-) || fail "setfacl --restore"
same_acls "restored from what getfacl had printed" "$ORACLE/tree" "$MNT/tree"

part "copied"
mkdir "$WORK/out" "$MNT/in" "$ORACLE/out"
setfacl -d -m u:4321:rwx "$MNT/in" "$ORACLE/out" # what is copied with its lists takes no other
expect "cp -a in" cp -a "$ORACLE/tree" "$MNT/in/cp"
same_acls "cp -a in" "$ORACLE/tree" "$MNT/in/cp"
expect "cp -a within" cp -a "$MNT/tree" "$MNT/in/cp-within"
same_acls "cp -a within" "$ORACLE/tree" "$MNT/in/cp-within"
expect "cp -a out" cp -a "$MNT/tree" "$ORACLE/out/cp"
same_acls "cp -a out" "$ORACLE/tree" "$ORACLE/out/cp"
expect "mv out" mv "$MNT/in/cp" "$ORACLE/out/mv"
same_acls "mv out" "$ORACLE/tree" "$ORACLE/out/mv"
expect "mv in" mv "$ORACLE/out/mv" "$MNT/in/mv"
same_acls "mv in" "$ORACLE/tree" "$MNT/in/mv"

expect "rsync -A in" rsync -aHAX "$ORACLE/tree/" "$MNT/in/rsync/"
same_acls "rsync -A in" "$ORACLE/tree" "$MNT/in/rsync"
same_tree "rsync -A in" "$ORACLE/tree" "$MNT/in/rsync" -t
expect_equal "there is nothing left to transfer" "$(rsync -aHAX --itemize-changes "$ORACLE/tree/" "$MNT/in/rsync/")" ""
setfacl -m u:1001:- "$ORACLE/tree/bare"
expect_equal "a changed list is seen" "$(rsync -aHAX --itemize-changes "$ORACLE/tree/" "$MNT/in/rsync/" | awk '{ print $2 }')" "bare"
same_acls "rsync -A of one list" "$ORACLE/tree" "$MNT/in/rsync"
expect "rsync -A out" rsync -aHAX "$MNT/in/rsync/" "$ORACLE/out/rsync/"
same_acls "rsync -A out" "$ORACLE/tree" "$ORACLE/out/rsync"

mkdir "$MNT/in/tar" "$ORACLE/out/tar"
expect "tar of the disk" tar -C "$ORACLE/tree" --acls --numeric-owner -cf "$WORK/in.tar" .
expect "tar into the vault" tar -C "$MNT/in/tar" --acls --numeric-owner -xpf "$WORK/in.tar"
same_acls "tar in" "$ORACLE/tree" "$MNT/in/tar"
expect "tar of the vault" tar -C "$MNT/in/tar" --acls --numeric-owner -cf "$WORK/out.tar" .
expect "tar onto the disk" tar -C "$ORACLE/out/tar" --acls --numeric-owner -xpf "$WORK/out.tar"
same_acls "tar out" "$ORACLE/tree" "$ORACLE/out/tar"

part "kept"
acls "$MNT" >"$WORK/before"
remount_vault -o commit=1
acls "$MNT" | diff "$WORK/before" - || fail "mounted again, the lists are others"
umount_vault
expect "rebuild" "$VAULTFS" rebuild "$VAULT"
mount_vault
acls "$MNT" | diff "$WORK/before" - || fail "rebuilt from the packs, the lists are others"
umount_vault

part "imported and exported"
expect "import" "$VAULTFS" import --into imported "$ORACLE/tree" "$VAULT"
mkdir "$ORACLE/exported"
setfacl -d -m u:4321:rwx "$ORACLE/exported"
expect "export" "$VAULTFS" export "$VAULT" imported "$ORACLE/exported"
mount_vault
same_acls "imported" "$ORACLE/tree" "$MNT/imported"
same_tree "imported" "$ORACLE/tree" "$MNT/imported"
umount_vault
same_acls "exported" "$ORACLE/tree" "$ORACLE/exported"
