#!/bin/bash
# run.sh PROGRAM TARGET - fuzz TARGET from its seeds and from what was once found, for VAULTFS_FUZZ_SECONDS (30).
#
# What is found stays as a file in the directory it was started in, and is named. Fails on a crash, a leak, an input that
# takes 10 s, and on more than 1 GiB.
set -u
program=$1 target=$2
here=$(dirname "$(readlink -f "$0")")
[[ -d /dev/shm && -w /dev/shm ]] && export TMPDIR=/dev/shm
work=$(mktemp -d) || exit 1
export TMPDIR=$work
trap 'rm -rf "$work"' EXIT
mkdir "$work/new"

sources=("$here/corpus/$target")
[[ -d $here/crashes/$target ]] && sources+=("$here/crashes/$target")
options=(-max_len=65536 -len_control=20 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=1 "-artifact_prefix=$target-")
[[ -e $here/$target.dict ]] && options+=("-dict=$here/$target.dict")

"$program" "${options[@]}" "-max_total_time=${VAULTFS_FUZZ_SECONDS:-30}" "$work/new" "${sources[@]}" >"$work/log" 2>&1
status=$?
grep -E '^#[0-9]+.*(INITED|DONE)|^stat::|^==|ERROR|SUMMARY|does not hold' "$work/log"
if ((status != 0)); then
  tail -n 60 "$work/log"
  echo "run.sh: $target failed; the input is in $PWD ($target-*)"
  exit 1
fi
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
echo "fuzz_$target: ${runs:-0} executions, $(sed -n 's/^#.*DONE *\(cov: [0-9]* ft: [0-9]*\).*/\1/p' "$work/log")"
((${runs:-0} > 0))
