#!/bin/bash
# rooms.sh - no two rooms give the same name to different functions: the linker would take one for both, in silence.
# Usage: rooms.sh FILES...: every object file and archive that the command is linked of.
set -uo pipefail

names=$(nm --defined-only --extern-only "$@" | awk 'NF == 3 { print $3 }') || exit 1
(($(wc -l <<<"$names") > 100)) || { echo "rooms.sh: nm found hardly any name" >&2 && exit 1; }
twice=$(sort <<<"$names" | uniq -d)
[[ -z $twice ]] || { echo "rooms.sh: defined twice: $twice" >&2 && exit 1; }
