#!/bin/bash
# power.sh - power cuts: thousands of disks as they may be afterwards, each one recovered, checked and written to.
# Usage: power.sh [SEED [STATES]]
. "$(dirname "$0")/in_memory.sh"
. "$(dirname "$0")/../mounted/lib.sh"
seed=${1:-0}
if [[ $SLOW == 1 ]]; then
  states=${2:-120} lies=16 calls=600
else
  states=${2:-2000} lies=24 calls=1800
fi

part "the checker itself"
mkdir "$WORK/lies" "$WORK/disks"
expect "what is not flushed is found missing" "$VAULTFS_HELPERS/power" --self-test --seed "$seed" --states "$lies" \
  --calls "$calls" --work "$WORK/lies"

part "$states power cuts"
expect "contract 1 holds" "$VAULTFS_HELPERS/power" --seed "$seed" --states "$states" --calls "$calls" --work "$WORK/disks"
