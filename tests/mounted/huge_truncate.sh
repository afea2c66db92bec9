#!/bin/bash
# huge_truncate.sh - a file of 600 GB (60 in a sanitizer build) is cut in half within the memory promised.
. "$(dirname "$0")/lib.sh"
need python3

part "a huge file is cut short"
make_vault
mount_vault
python3 - "$MNT" "$([[ $SLOW == 1 ]] && echo 60 || echo 600)" <<'P' || fail "copying or truncating"
import os, sys
a = os.open(sys.argv[1] + "/huge", os.O_RDWR | os.O_CREAT)
os.write(a, os.urandom(8 << 20))
size = 8 << 20
while size < int(sys.argv[2]) << 30:
    size += os.copy_file_range(a, a, min(size, 2 << 30), 0, size)
os.ftruncate(a, size // 2 + 12345)
P
peak=$(awk '/^VmHWM:/ { print $2 }' "/proc/$(daemon_pid)/status")
note "peak $peak KiB"
[[ $SLOW == 1 ]] || expect_at_most "KiB resident" "$peak" 262144
umount_vault
