#!/bin/bash
# ops.sh - every operation with its errno cases: on ext4, where a failing case is a wrong one, then on a mount. Then what
# is refused where nothing may be written, and where others may not come in.
. "$(dirname "$0")/../mounted/lib.sh"
ops=$VAULTFS_HELPERS/ops
as_another=(setpriv --reuid 12345 --regid 12345 --clear-groups)

part "on the disk"
oracle_directory
chmod 755 "$WORK" "$ORACLE"
expect "the cases hold on the disk" "$ops" "$ORACLE"

part "on a vault"
make_vault --chunk-size 16K --pack-size 1M
options=commit=1
is_root && options+=,allow_other,dev,suid
mount_vault -o "$options"
expect "the cases hold on a vault" "$ops" --vault "$MNT"
expect_equal "they leave nothing behind" "$(ls -A "$MNT")" ""

if is_root; then
  part "a read-only disk"
  truncate -s 16M "$WORK/small.img"
  mkdir "$WORK/small"
  expect "a small disk" mkfs.ext4 -q -F "$WORK/small.img"
  expect "the small disk mounts" mount -o loop "$WORK/small.img" "$WORK/small"
  SCRATCH_MOUNTS+=("$WORK/small")
  expect "a tree is made" "$ops" --make-tree "$WORK/small"
  expect "the small disk is mounted read-only" mount -o remount,ro "$WORK/small"
  expect "the disk refuses changes" "$ops" --read-only "$WORK/small"
else
  note "only root can mount a read-only disk: left out"
fi

part "a read-only mount"
expect "a tree is made" "$ops" --make-tree "$MNT"
remount_vault -o "$options,ro"
expect "the mount refuses changes" "$ops" --read-only "$MNT"
remount_vault -o "$options"
if is_root; then
  expect "remounted read-only" mount -i -o remount,ro "$MNT"
  expect "the remounted one refuses changes" "$ops" --read-only "$MNT"
  expect "remounted for writing" mount -i -o remount,rw "$MNT"
fi
expect "it is written again" touch "$MNT/tree/new"

if is_root; then
  part "without allow_other"
  expect "another comes in with allow_other" "${as_another[@]}" ls "$MNT" >"$WORK/.out"
  remount_vault -o commit=1
  for command in "ls $MNT" "stat $MNT" "cat $MNT/tree/file" "touch $MNT/new"; do
    # shellcheck disable=SC2086
    fails_with "Permission denied" "${as_another[@]}" $command
  done
  expect "root comes in" ls "$MNT/tree" >"$WORK/.out"
else
  note "only root can become another: left out"
fi

umount_vault
