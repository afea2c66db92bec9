#!/bin/bash
# fio.sh - fio's own check of what it wrote: by each of its engines that reach a file, sequential and at random, buffered
# and direct, in blocks of one size and of many, by several jobs at once; right after writing, and again when the vault
# was mounted anew and its database built anew.
# Usage: fio.sh [SIZE of each file in MiB]
. "$(dirname "$0")/lib.sh"
need fio
size=${1:-$([[ $SLOW == 1 ]] && echo 4 || echo 16)}
seed=${VAULTFS_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
note "seed $seed"

jobs=(
  "sequential --ioengine=sync --rw=write --bs=1M --verify=sha256 --end_fsync=1"
  "appended --ioengine=psync --rw=write --bsrange=512-64k --verify=crc32c --fallocate=none"
  "random --ioengine=psync --rw=randwrite --bsrange=4k-256k --verify=crc32c --fsync=64"
  "small --ioengine=psync --rw=randwrite --bs=512 --verify=crc32c --io_size=2M --verify_pattern=0xdeadbeef"
  "mixed --ioengine=pvsync2 --rw=randrw --rwmixread=40 --bs=16k --verify=xxhash --verify_backlog=64"
  "several --ioengine=psync --rw=randwrite --bs=8k --numjobs=3 --verify=crc32c --fdatasync=50"
  "mapped --ioengine=mmap --rw=randwrite --bs=4k --verify=crc32c --fsync=200"
  "synced --ioengine=psync --rw=randwrite --bs=64k --sync=1 --verify=crc32c"
  "direct --ioengine=psync --direct=1 --rw=randwrite --bs=32k --verify=crc32c"
  "queued --ioengine=libaio --iodepth=16 --direct=1 --rw=randwrite --bsrange=4k-128k --verify=crc32c"
  "threads --ioengine=posixaio --iodepth=8 --rw=randwrite --bs=16k --verify=crc32c"
)
if [[ $(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0) == 0 ]]; then
  jobs+=("ring --ioengine=io_uring --iodepth=16 --rw=randwrite --bsrange=4k-64k --verify=crc32c"
    "ring-direct --ioengine=io_uring --iodepth=16 --direct=1 --rw=randrw --bs=8k --verify=crc32c")
else
  note "io_uring is switched off on this system: left out"
fi

# run_fio [OPTIONS...]: the jobs one after the other.
run_fio() {
  local job words command=(fio --directory="$MNT" --size="${size}M" --randseed="$seed" --allrandrepeat=1
    --verify_fatal=1 --verify_state_save=0 --buffer_compress_percentage=50 --output-format=terse "$@")
  for job in "${jobs[@]}"; do
    # Which blocks a mixture wrote only the run itself knows.
    [[ $* == *--verify_only* && $job == *--rw=randrw* ]] && continue
    read -ra words <<<"$job"
    command+=(--name="${words[0]}" --stonewall "${words[@]:1}")
  done
  run "${command[@]}"
}

expect_fio() {
  run_fio "$@"
  [[ $STATUS == 0 ]] || fail "fio $*: $ERR $OUT"
}

make_vault
mount_vault -o commit=1

part "written, and checked at once"
expect_fio

part "mounted anew"
remount_vault
expect_fio --verify_only

part "built anew from the packs"
umount_vault
expect "the database is built anew" "$VAULTFS" rebuild "$VAULT"
mount_vault
expect_fio --verify_only

part "a check that finds what is wrong"
printf 'x' | dd of="$MNT/sequential.0.0" bs=1 seek=1000 conv=notrunc status=none
run_fio --verify_only
[[ $STATUS != 0 ]] || fail "fio does not look at what it reads"
umount_vault
