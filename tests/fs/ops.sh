#!/bin/bash
# ops.sh - every operation with its errno cases: on ext4, where a failing case is a wrong one, then on a mount.
. "$(dirname "$0")/../mounted/lib.sh"

part "on the disk"
oracle_directory
chmod 755 "$WORK" "$ORACLE"
expect "the cases hold on the disk" "$VAULTFS_HELPERS/ops" "$ORACLE"

part "on a vault"
make_vault --chunk-size 16K --pack-size 1M
options=commit=1
is_root && options+=,allow_other
mount_vault -o "$options"
expect "the cases hold on a vault" "$VAULTFS_HELPERS/ops" --vault "$MNT"
expect_equal "they leave nothing behind" "$(ls -A "$MNT")" ""

umount_vault
