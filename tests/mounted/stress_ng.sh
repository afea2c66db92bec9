#!/bin/bash
# stress_ng.sh - stress-ng's filesystem stressors, which check what they do: a few at a time, as root and as an ordinary
# user at once. What fails on a vault is tried on ext4: only what passes there is a failure.
# Usage: stress_ng.sh [SECONDS for each group]
. "$(dirname "$0")/lib.sh"
need stress-ng setpriv
seconds=${1:-3}

# Not "io": it opens every mount of the machine to sync it, and those of other tests would be in use.
groups=(
  "access chdir chmod chown dentry"
  "copy-file dir dirdeep dirmany"
  "dnotify dup fallocate fcntl filename"
  "fiemap file-ioctl chattr inode-flags verity"
  "flock locka lockf lockofd lease"
  "fpunch fsize fstat getdent handle"
  "hdd iomix readahead sync-file"
  "inotify link mknod open rename"
  "symlink touch utime xattr"
  "revio seek sendfile splice aio"
)
sizes=(--hdd-bytes 16M --fallocate-bytes 16M --iomix-bytes 16M --readahead-bytes 16M --seek-size 16M --revio-bytes 16M --copy-file-bytes 128M
  --dentries 256 --sendfile-size 1M)

# stress DIRECTORY STRESSORS...: leaves OUT, ERR and STATUS.
stress() {
  local directory=$1 stressor options=()
  shift
  for stressor; do options+=("--$stressor" 1); done
  run "${become[@]}" stress-ng "${options[@]}" "${sizes[@]}" --timeout "$seconds" --verify --temp-path "$directory" --quiet
}

# stress_all WHO: every group in a directory of WHO's own.
stress_all() {
  local group stressors
  for group in "${groups[@]}"; do
    read -ra stressors <<<"$group"
    stress "$MNT/$1" "${stressors[@]}"
    [[ $STATUS == 0 ]] && continue
    # 2: a stressor failed; 3 and 4: it could not run for want of memory or of a facility.
    [[ $STATUS == [234] ]] || fail "stress-ng was not understood: $ERR"
    local status=$STATUS said="$OUT $ERR"
    stress "$ORACLE/$1" "${stressors[@]}"
    [[ $STATUS != 0 ]] || fail "$group, as $1 (status $status): $said"
    note "$group, as $1: fails here on ext4 as well"
  done
}

oracle_directory
chmod 755 "$WORK" "$ORACLE"
make_vault
options=commit=1
become=()
is_root && options+=,allow_other,suid,dev
mount_vault -o "$options"
mkdir "$MNT/"{root,user} "$ORACLE/"{root,user}

if is_root; then
  chown 1000:1000 "$MNT/user" "$ORACLE/user"
  (
    # A claim that fails here ends this half alone; the work directory is the other's to clear away.
    trap - EXIT
    mkdir "$WORK/half" && WORK=$WORK/half
    stress_all root
  ) &
  half=$!
  BACKGROUND+=("$half")
  become=(setpriv --reuid 1000 --regid 1000 --clear-groups)
  stress_all user
  wait "$half" || fail "as root"
  BACKGROUND=()
else
  stress_all user
fi

expect_equal "they leave nothing behind" "$(ls -A "$MNT/root" "$MNT/user")" "$(ls -A "$ORACLE/root" "$ORACLE/user" | sed "s,$ORACLE,$MNT,")"
umount_vault
expect "the vault is whole" "$VAULTFS" check "$VAULT"
