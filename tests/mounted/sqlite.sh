#!/bin/bash
# sqlite.sh - databases live in a vault, in both journal modes, with several processes at once.
. "$(dirname "$0")/lib.sh"
need sqlite3
rows=$([[ $SLOW == 1 ]] && echo 2000 || echo 10000)
make_vault
mount_vault -o commit=1

fill() { # DATABASE JOURNAL-MODE
  sqlite3 -bail "$1" >"$WORK/mode" <<SQL
PRAGMA journal_mode = $2;
CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, value BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
  INSERT INTO t SELECT i, 'name ' || i, zeroblob(i % 300) FROM n;
BEGIN; UPDATE t SET value = name || name WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = 0; COMMIT;
BEGIN; DELETE FROM t; ROLLBACK;
SQL
}

for mode in delete wal; do
  part "journal mode $mode"
  expect "fill it" fill "$MNT/$mode.db" "$mode"
  expect_equal "the mode" "$(head -n 1 "$WORK/mode")" "$mode"
  for i in 1 2 3; do
    for n in 1 2 3 4 5 6 7 8 9 10; do
      echo ".timeout 60000"
      echo "INSERT INTO t (name) VALUES ('writer $i row $n');"
    done | sqlite3 -bail "$MNT/$mode.db" 2>"$WORK/errors-$i" &
    writers[i]=$!
  done
  for i in 1 2 3; do wait "${writers[i]}" || fail "writer $i: $(<"$WORK/errors-$i")"; done
  expect_equal "what the writers wrote" "$(sqlite3 "$MNT/$mode.db" "SELECT count(*) FROM t WHERE name LIKE 'writer%'")" 30
  expect_equal "integrity" "$(sqlite3 "$MNT/$mode.db" 'PRAGMA integrity_check')" ok
  expect "vacuum" sqlite3 "$MNT/$mode.db" VACUUM
  expect_equal "integrity after vacuum" "$(sqlite3 "$MNT/$mode.db" 'PRAGMA integrity_check')" ok
  sqlite3 "$MNT/$mode.db" .dump >"$WORK/$mode.dump"
done

remount_vault
for mode in delete wal; do
  expect_equal "integrity of $mode after mounting again" "$(sqlite3 "$MNT/$mode.db" 'PRAGMA integrity_check')" ok
  sqlite3 "$MNT/$mode.db" .dump | cmp -s - "$WORK/$mode.dump" || fail "$mode.db holds something else after mounting again"
done
umount_vault
