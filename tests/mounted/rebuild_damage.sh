#!/bin/bash
# rebuild_damage.sh - a rebuild over a damaged record loses no more than what was hit.
. "$(dirname "$0")/lib.sh"
need sqlite3

part "a rebuild over one damaged chunk header"
make_vault --pack-size 1M
mount_vault
head -c 3000000 /dev/urandom >"$MNT/b"
umount_vault
read -r pack offset < <(sqlite3 -separator ' ' "$VAULT/vault.db" \
  'SELECT pack_id, pack_offset FROM chunks WHERE refs > 0 ORDER BY id DESC LIMIT 1 OFFSET 3')
printf '\377\377' | dd of="$(printf '%s/packs/%08d.pack' "$VAULT" "$pack")" bs=1 seek=$((offset + 20)) conv=notrunc status=none
"$VAULTFS" rebuild "$VAULT" 2>/dev/null || note "the rebuild refuses: good, if vault.db stays"
mount_vault -o ro
expect "the file is still there" test -e "$MNT/b"
umount_vault
