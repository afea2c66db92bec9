#!/bin/bash
# views_model.sh [SEED] - thousands of random changes of tags and files through a mount, against a model.
. "$(dirname "$0")/lib.sh"
make_vault
mount_vault -o commit=1
expect "what the model says" "$VAULTFS_HELPERS/views_model" "$MNT" "$((SLOW ? 1000 : 5000))" "${1:-0}"
umount_vault
