#!/bin/bash
# many.sh [N] - one directory with N entries (200,000; by hand a million): listed cold, cached, and while others change it.
. "$(dirname "$0")/../mounted/lib.sh"

n=${1:-200000}
[[ $SLOW == 1 ]] && n=20000
made=$((n / 10)) # so many are made through the mount, the rest is imported, which is faster
many=$VAULTFS_HELPERS/many

list() { # WHAT
  local took
  took=$("$many" list "$MNT/names" "$n") || fail "$1"
  note "$1: $n entries in $took ms"
}

make_vault
mkdir "$WORK/names"
expect "names on the disk" "$many" make "$WORK/names" "$made" "$n"
expect "import" "$VAULTFS" import "$WORK/names" "$VAULT"
mount_vault
from=$SECONDS
expect "names through the mount" "$many" make "$MNT/names" 0 "$made"
note "made $made in $((SECONDS - from)) s"

part "listed"
list "just made"
list "again"
remount_vault
list "after a remount"
expect_equal "find" "$(find "$MNT/names" -type f -printf x | wc -c)" "$n"

part "while others make and remove names"
for i in 1 2; do
  "$many" churn "$MNT/names" $((n * 2 * i)) $((n * 2 * i + 300)) &
  BACKGROUND+=("$!")
done
for i in 1 2 3; do
  list "beside two that come and go"
done
for i in "${BACKGROUND[@]}"; do
  kill -0 "$i" || fail "one that makes and removes names has ended"
  kill -KILL "$i"
  wait "$i" 2>/dev/null
done
BACKGROUND=()

part "removed"
from=$SECONDS
expect "all of them" find "$MNT/names" -delete
note "removed in $((SECONDS - from)) s"
expect_equal "nothing is left" "$(ls -A "$MNT")" ""
umount_vault
