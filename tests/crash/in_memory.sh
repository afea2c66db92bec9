# in_memory.sh - work in memory where there is room: many disks are written, read once, and thrown away.
# Sourced before lib.sh, which makes the work directory.
# shellcheck shell=bash
if [[ $(stat -f -c %T /dev/shm 2>/dev/null) == tmpfs && $(df --output=avail -k /dev/shm | tail -n 1) -gt 1048576 ]]; then
  export TMPDIR=/dev/shm
fi
