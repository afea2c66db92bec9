#!/bin/bash
# dedup.sh - what is stored twice costs once, text shrinks, holes cost nothing; stats says so.
. "$(dirname "$0")/lib.sh"
need jq
MIB=$((1 << 20))
size=$((8 * MIB))
slack=$((MIB / 4)) # journal and commit records
make_vault
mount_vault -o commit=1

# grows_by WHAT LIMIT COMMAND...: the command makes the packs grow by at most so many bytes.
grows_by() {
  local what=$1 limit=$2 before
  shift 2
  before=$(pack_bytes)
  expect "$what" "$@"
  expect_at_most "pack bytes of: $what" $(($(pack_bytes) - before)) "$limit"
}
stat_of() { "$VAULTFS" stats --json "$MNT" | jq -er ".$1"; }
clone() { cp --reflink=never "$1" "$2"; }

part "incompressible"
head -c "$size" /dev/urandom >"$WORK/noise"
grows_by "first copy in" $((size + size / 50 + slack)) clone "$WORK/noise" "$MNT/a"
grows_by "the same again" "$slack" clone "$WORK/noise" "$MNT/b"
grows_by "copied within, by reading and writing" "$slack" dd if="$MNT/a" of="$MNT/c" bs=100003 status=none
grows_by "copied within, by cp" "$slack" cp "$MNT/a" "$MNT/d"
grows_by "the same written over itself" "$slack" dd if="$WORK/noise" of="$MNT/a" bs=1M conv=notrunc status=none
for f in a b c d; do expect "the bytes of $f" cmp "$WORK/noise" "$MNT/$f"; done
expect_at_most "unique bytes" "$(stat_of unique_bytes)" $((size + MIB))
expect_equal "logical bytes" "$(stat_of logical_bytes)" $((4 * size))
expect_equal "files" "$(stat_of files)" 4
expect_equal "what dedup saves" "$(stat_of dedup_saved_bytes)" $((4 * size - $(stat_of unique_bytes)))
expect_at_most "stored bytes of noise" "$(stat_of stored_bytes)" $(($(stat_of unique_bytes) + MIB / 8))

part "shifted"
{ echo "something new at the start"; cat "$WORK/noise"; } >"$WORK/shifted"
grows_by "with bytes inserted at the start" $((3 * MIB)) clone "$WORK/shifted" "$MNT/shifted"
expect "the shifted bytes" cmp "$WORK/shifted" "$MNT/shifted"

part "text"
seq 1 1200000 >"$WORK/text"
text_size=$(stat -c %s "$WORK/text")
grows_by "text" $((text_size / 2 + slack)) clone "$WORK/text" "$MNT/text"
expect "the text" cmp "$WORK/text" "$MNT/text"
(($(stat_of compression_saved_bytes) > text_size / 3)) || fail "compression saves only $(stat_of compression_saved_bytes)"

part "holes"
logical=$(stat_of logical_bytes)
grows_by "a sparse file" $((slack + MIB)) bash -c "truncate -s 10G '$MNT/sparse' && echo end >>'$MNT/sparse'"
expect_at_most "its blocks" "$(stat -c %b "$MNT/sparse")" 5000
expect_at_most "logical bytes of holes" $(($(stat_of logical_bytes) - logical)) "$MIB"
grows_by "a sparse copy of it" $((slack + MIB)) cp --sparse=always "$MNT/sparse" "$MNT/sparse-copy"
expect_equal "the copy's size" "$(stat -c %s "$MNT/sparse-copy")" "$(stat -c %s "$MNT/sparse")"

part "stats of the vault when it is not mounted"
for key in logical_bytes unique_bytes files directories chunks; do expected[${#expected[@]}]="$key=$(stat_of "$key")"; done
umount_vault
for pair in "${expected[@]}"; do
  got=$("$VAULTFS" stats --json "$VAULT" | jq -er ".${pair%%=*}") || fail "no ${pair%%=*} in stats"
  expect_equal "${pair%%=*} unmounted" "$got" "${pair#*=}"
done
run "$VAULTFS" stats "$VAULT"
expect_equal "stats as a table" "$STATUS" 0

part "what is deleted comes back"
mount_vault -o commit=1
rm "$MNT"/*
full=$(stat_of pack_bytes)
smaller() { "$VAULTFS" sync "$MNT" && (($(stat_of logical_bytes) == 0 && $(stat_of unique_bytes) == 0)); }
eventually 30 "nothing is used any more" smaller
note "pack bytes: $full before, $(stat_of pack_bytes) after; $(stat_of dead_bytes) of it dead"
umount_vault
