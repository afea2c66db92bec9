#!/bin/bash
# git.sh - a repository lives in a vault: init, add, commit, branch, merge, gc, fsck, clone.
. "$(dirname "$0")/lib.sh"
need git
export HOME=$WORK GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='2020-01-01 00:00:00 +0000' GIT_COMMITTER_DATE='2020-01-01 00:00:00 +0000'
git config --global user.name Tester
git config --global user.email tester@example.com
git config --global init.defaultBranch main
git config --global gc.auto 0
git config --global safe.directory '*'
make_vault
mount_vault -o commit=1
repository=$MNT/repository

# The same steps here and on the disk must come to the same commits.
steps() {
  local d=$1 i
  git init -q "$d" && cd "$d" || return
  for i in $(seq 100); do
    mkdir -p "dir$((i % 7))" && seq "$i" $((i * 20)) >"dir$((i % 7))/file $i" || return
  done
  ln -s "dir1/file 1" link
  git add -A && git commit -q -m one || return
  git checkout -q -b side && git mv dir2 moved && seq 5000 >"moved/file 2" && git commit -qam side || return
  git checkout -q main && echo change >>"dir3/file 3" && git commit -qam two || return
  git merge -q -m merged side && git tag v1 && git stash list || return
  git rm -q "dir4/file 4" && git commit -qm three && git reset -q --hard HEAD~1 || return
  cd "$WORK" || return
}

expect "the steps on the disk" steps "$WORK/repository"
expect "the steps in the vault" steps "$repository"
expect_equal "the same commit" "$(git -C "$repository" rev-parse HEAD)" "$(git -C "$WORK/repository" rev-parse HEAD)"
expect_equal "nothing changed" "$(git -C "$repository" status --porcelain)" ""
expect "fsck" git -C "$repository" fsck --full --strict --no-progress
expect "gc" git -C "$repository" gc -q --prune=now
expect "fsck after gc" git -C "$repository" fsck --full --no-progress
expect "clone within" git clone -q "$repository" "$MNT/clone"
expect "clone out" git clone -q "$MNT/clone" "$WORK/clone"
expect_equal "the clone's commit" "$(git -C "$WORK/clone" rev-parse HEAD)" "$(git -C "$WORK/repository" rev-parse HEAD)"
remember_tree "$WORK/tree"
remount_vault
same_as_remembered "after mounting again" "$WORK/tree"
expect "fsck after mounting again" git -C "$repository" fsck --full --no-progress
expect_equal "nothing changed after mounting again" "$(git -C "$repository" status --porcelain)" ""
umount_vault
