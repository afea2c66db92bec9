#!/bin/bash
# old_database.sh - a vault.db from before packs were unlinked: replayed, it names no chunk that is gone.
. "$(dirname "$0")/lib.sh"
need sqlite3

all_packs_there() { # every chunk that vault.db shows has its pack
  local pack
  while read -r pack; do
    [[ -e $(printf '%s/packs/%08d.pack' "$VAULT" "$pack") ]] || return 1
  done < <(sqlite3 "$VAULT/vault.db" 'SELECT DISTINCT pack_id FROM chunks')
}

n_packs() { find "$VAULT/packs" -name '*.pack' | wc -l; }
few_packs() {
  touch "$MNT/wake"
  "$VAULTFS" sync "$MNT" && (($(n_packs) <= $1))
}

part "vault.db from before packs were unlinked"
make_vault --pack-size 1M
mount_vault -o commit=1
head -c 12000000 /dev/urandom >"$WORK/a"
cp "$WORK/a" "$MNT/a"
umount_vault
cp "$VAULT/vault.db" "$WORK/old.db"
mount_vault -o commit=1
rm "$MNT/a"
eventually 20 "the packs go" few_packs 3
umount_vault
cp "$WORK/old.db" "$VAULT/vault.db"
mount_vault -o commit=1
cp "$WORK/a" "$MNT/again" # the same content: its old chunks are gone
remount_vault -o commit=1
expect "what was written can be read" cmp "$WORK/a" "$MNT/again"
rm "$MNT/again"
eventually 20 "space still comes back" few_packs 4
umount_vault
expect "no chunk in a pack that is not there" all_packs_there
