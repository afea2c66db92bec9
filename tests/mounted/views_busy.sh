#!/bin/bash
# views_busy.sh - many programs at once in .views and in the directories behind it: nobody waits for ever, no file is lost, and
# the folders that were looked at do not fill the memory.
. "$(dirname "$0")/lib.sh"
make_vault
mount_vault -o commit=1
cd "$MNT" || exit 1
turns=$((SLOW ? 10 : 40))
mkdir Files Inbox .views/tags/a .views/tags/b
for i in $(seq 50); do echo "$i" >"Files/$i.txt"; done

# Commands may fail here, as others do the contrary; what counts is what is left.
retag() {
  for ((i = 0; i < turns; i++)); do
    ln Files/"$1"*.txt .views/tags/a/
    mv .views/tags/a/"$1"*.txt .views/tags/b/
    rm -f .views/tags/b/"$1"*
  done
}
save() { # as editors do, and under the feet of them
  for ((i = 0; i < turns; i++)); do
    echo x >".views/tags/a/new$1.txt"
    sed -i s/x/y/ ".views/tags/a/new$1.txt"
    mv "Inbox/new$1.txt" "Inbox/moved$1.txt"
    ls Inbox
    rm -f .views/tags/a/new* "Inbox/moved$1.txt"
  done
}
folders() {
  for ((i = 0; i < turns; i++)); do
    mkdir ".views/tags/t" D
    mv .views/tags/t .views/tags/u
    mv D Inbox/
    mv Inbox/D .
    rmdir .views/tags/u D
  done
}
look() { for ((i = 0; i < turns / 4; i++)); do ls -lR .views/tags; done; }
search() { seq -f "$MNT/.views/search/word %g" $((SLOW ? 2000 : 20000)) | xargs -d '\n' stat -c %i; }

pids=()
for work in 'retag 1' 'retag 2' 'save 1' 'save 2' folders look search; do
  $work >/dev/null 2>&1 &
  pids+=("$!")
  BACKGROUND+=("$!")
done
over() { local pid; for pid in "${pids[@]}"; do is_gone "$pid" || return 1; done; }
eventually 120 "all came to an end" over
expect_equal "every file is what it was" "$(cat Files/*.txt | sort -n | md5sum)" "$(seq 50 | md5sum)"
expect_equal "with its link" "$(stat -c %h Files/*.txt | sort -u)" 1
rss=$(awk '/^VmRSS:/ { print $2 }' "/proc/$(daemon_pid)/status")
note "the daemon holds $rss KiB"
if ((!SLOW)); then expect_at_most "memory of the daemon, in KiB" "$rss" 262144; fi
cd /
umount_vault
