# systems.sh - the filesystems that are compared: make one fresh, empty its caches, take it away.
#
# Sourced by tests/bench/run, which sets WORK, VAULTFS and VS_ROOT. A system is named ext4, bindfs, vaultfs or by the
# --vs directory; root_of says where on it to work. Everything lies below WORK, so that all share one disk.

# shellcheck shell=bash

PIN=() # a command prefix for programs and daemons: taskset, for the pinned group

root_of() {
  case $1 in
  ext4) echo "$WORK/ext4" ;;
  bindfs) echo "$WORK/bindfs.mnt" ;;
  vaultfs) echo "$WORK/vaultfs.mnt" ;;
  *) echo "${VS_ROOT[$1]}" ;;
  esac
}

bindfs_mount() {
  "${PIN[@]}" bindfs -o big_writes,attr_timeout=3600,entry_timeout=3600 "$WORK/bindfs.src" "$WORK/bindfs.mnt"
}

vaultfs_mount() {
  "${PIN[@]}" "$VAULTFS" mount "$WORK/vaultfs.vault" "$WORK/vaultfs.mnt"
}

# The daemon's pid: the first number in the first line of the lock.
vaultfs_pid() {
  sed -n '1s/^[^0-9]*\([0-9][0-9]*\).*/\1/p' "$WORK/vaultfs.vault/lock" 2>/dev/null
}

# VmHWM in KiB, kept in WORK/peaks for the memory figure.
vaultfs_note_peak() {
  local pid
  pid=$(vaultfs_pid)
  [[ -n $pid && -r /proc/$pid/status ]] || return 0
  awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status" | tee -a "$WORK/peaks"
}

vaultfs_unmount() {
  vaultfs_note_peak >/dev/null
  "$VAULTFS" umount "$WORK/vaultfs.mnt"
}

is_mounted() { mountpoint -q "$1" 2>/dev/null; }

# Bytes in the packs. Files are longer on disk than they are: room is preallocated.
vaultfs_pack_bytes() {
  find "$WORK/vaultfs.vault/packs" -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%.0f\n", s }'
}

# A number of `vaultfs stats --json`.
vaultfs_stat() {
  "$VAULTFS" stats --json "$WORK/vaultfs.mnt" | tr ',{}' '\n\n\n' | sed -n "s/^ *\"$1\": *\([0-9]*\).*/\1/p"
}

start_system() {
  case $1 in
  ext4) mkdir "$WORK/ext4" ;;
  bindfs)
    [[ -n $BINDFS ]] || return 1
    mkdir -p "$WORK/bindfs.src" "$WORK/bindfs.mnt" && bindfs_mount
    ;;
  vaultfs)
    [[ -n $VAULTFS ]] || return 1
    mkdir -p "$WORK/vaultfs.mnt" && "$VAULTFS" init "$WORK/vaultfs.vault" >/dev/null && vaultfs_mount
    ;;
  *) mkdir "${VS_ROOT[$1]}" ;;
  esac
}

# A mount that does not go is detached, and said so: nothing of ours stays behind.
take_away() {
  is_mounted "$1" || return 0
  "${@:2}" "$1" >/dev/null 2>&1 || umount "$1" 2>/dev/null || umount -l "$1" || echo "bench: $1 stays mounted" >&2
  ! is_mounted "$1"
}

end_system() {
  case $1 in
  ext4) rm -rf "$WORK/ext4" ;;
  bindfs)
    take_away "$WORK/bindfs.mnt" umount || return 1
    rm -rf "$WORK/bindfs.src" "$WORK/bindfs.mnt"
    ;;
  vaultfs)
    vaultfs_note_peak >/dev/null
    take_away "$WORK/vaultfs.mnt" "${VAULTFS:-umount}" ${VAULTFS:+umount} || return 1
    rm -rf "$WORK/vaultfs.vault" "$WORK/vaultfs.mnt"
    ;;
  *) rm -rf "${VS_ROOT[$1]:?}" ;;
  esac
}

drop_caches() {
  sync
  if [[ -w /proc/sys/vm/drop_caches ]]; then
    echo 3 >/proc/sys/vm/drop_caches
  elif ! echo 3 | sudo -n tee /proc/sys/vm/drop_caches >/dev/null 2>&1; then
    touch "$WORK/not-cold"
  fi
}

# Empty all caches. A daemon may have its own, so what we mounted is unmounted before and mounted after.
make_cold() {
  case $1 in
  bindfs) umount "$WORK/bindfs.mnt" && drop_caches && bindfs_mount ;;
  vaultfs) vaultfs_unmount && drop_caches && vaultfs_mount ;;
  *) drop_caches ;;
  esac
}
