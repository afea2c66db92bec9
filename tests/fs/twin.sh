#!/bin/bash
# twin.sh - the same calls on ext4 and on a vault: every answer is compared, and the trees at the end, also after a
# remount and after a rebuild of the database.
# Usage: twin.sh turns|free|user PROCESSES [CALLS [SEED]]   or   twin.sh kept
# VAULTFS_TEST_SEED repeats a run. "user": in turns, by an ordinary user on a mount of the user's own.
if [[ $(id -u) == 0 && $1 == user && -z ${APART-} ]]; then
  APART=1 exec unshare --mount --propagation private bash "$0" "$@"
fi
. "$(dirname "$0")/../mounted/lib.sh"
mode=$1 processes=${2:-1}
calls=${3:-$([[ $SLOW == 1 ]] && echo 10000 || echo 100000)}
seed=${4:-${VAULTFS_TEST_SEED:-0}}

kept=$(readlink -f "$(dirname "$0")/kept")
cd "$WORK" || exit 1 # where the user may be
as_user=()
[[ $mode == user ]] && run_as_user
oracle_directory
make_vault --chunk-size 16K --pack-size 1M
options=commit=1
is_root && [[ $mode != user ]] && options+=,allow_other,dev,suid # as the oracle is mounted
mount_vault -o "$options"
chmod 755 "$WORK" "$ORACLE"
"${as_user[@]}" mkdir "$MNT/twin"
mkdir "$ORACLE/twin"
[[ $mode == user ]] && is_root && chown "$user:$user" "$ORACLE/twin"
export TREESUM=$VAULTFS_HELPERS/treesum
export TWIN_REMOUNT="'$VAULTFS' umount '$MNT' && '$VAULTFS' mount '$VAULT' '$MNT' -o '$options'"

if [[ $mode == kept ]]; then
  expect "what went wrong once does not again" \
    "$VAULTFS_HELPERS/twin" replay "$ORACLE/twin" "$MNT/twin" "$kept"/*.ops
  remount_vault -o "$options,writeback"
  expect "nor with the writeback cache" \
    "$VAULTFS_HELPERS/twin" replay "$ORACLE/twin" "$MNT/twin" "$kept"/*.ops
  remount_vault -o "$options,uid=4711"
  run "$VAULTFS_HELPERS/twin" random "$ORACLE/twin" "$MNT/twin" 1 100 1 turns
  [[ $STATUS == 1 && $ERR == *"are needed:"*4711:0* ]] || fail "a difference is not seen: $OUT $ERR"
  umount_vault
  exit
fi

expect "the vault answers as the oracle does" \
  "${as_user[@]}" "$VAULTFS_HELPERS/twin" random "$ORACLE/twin" "$MNT/twin" "$seed" "$calls" "$processes" "${mode/user/turns}"
remount_vault -o "$options"
same_tree "mounted again" "$ORACLE/twin" "$MNT/twin" -t
umount_vault
expect "the database is built anew" "$VAULTFS" rebuild "$VAULT"
mount_vault -o "$options"
same_tree "rebuilt from the packs" "$ORACLE/twin" "$MNT/twin" -t
umount_vault
