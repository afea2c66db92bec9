#!/bin/bash
# linked_parts.sh - parts of a hostile vault that are symbolic links are not written through.
. "$(dirname "$0")/lib.sh"
need sha256sum

part "parts of the vault that are symbolic links"
make_vault
for name in lock reserve; do
  echo precious >"$WORK/victim"
  rm -f "$VAULT/$name"
  ln -s "$WORK/victim" "$VAULT/$name"
  if "$VAULTFS" mount "$VAULT" "$MNT" 2>/dev/null; then
    touch "$MNT/x"
    "$VAULTFS" umount "$MNT"
  fi
  expect_equal "what $name points at" "$(head -c 100 "$WORK/victim" | tr -d '\0')" precious
  expect_equal "its size" "$(stat -c %s "$WORK/victim")" 9
  rm -f "$VAULT/$name"
done
