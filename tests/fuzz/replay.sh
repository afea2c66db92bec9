#!/bin/bash
# replay.sh PROGRAM TARGET - run TARGET once over each of its seeds and over what was once found.
set -u
program=$1 target=$2
here=$(dirname "$(readlink -f "$0")")
[[ -d /dev/shm && -w /dev/shm ]] && export TMPDIR=/dev/shm
work=$(mktemp -d) || exit 1
export TMPDIR=$work
trap 'rm -rf "$work"' EXIT

shopt -s nullglob
inputs=("$here/corpus/$target"/* "$here/crashes/$target"/*)
((${#inputs[@]} > 0)) || { echo "replay.sh: $target has no inputs" >&2 && exit 1; }
"$program" "${inputs[@]}"
