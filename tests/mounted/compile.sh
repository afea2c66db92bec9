#!/bin/bash
# compile.sh - a build tree in a vault: make compiles, sees what is up to date, and the program runs from there.
. "$(dirname "$0")/lib.sh"
need make cc ar
make_vault
mount_vault -o commit=1
mkdir "$MNT/src"
cd "$MNT/src" || fail "no directory"
for i in $(seq 12); do
  printf '#include "all.h"\nint f%d(int x) { return x + %d; }\n' "$i" "$i" >"f$i.c"
  echo "int f$i(int x);" >>all.h
done
{
  printf '#include <stdio.h>\n#include "all.h"\nint main(void) { int x = 0;\n'
  for i in $(seq 12); do echo "x = f$i(x);"; done
  printf 'printf("%%d\\n", x); return 0; }\n'
} >main.c
cat >Makefile <<'MAKE'
objects = $(patsubst %.c,%.o,$(sort $(wildcard f*.c)))
program: main.o libf.a ; $(CC) -o $@ main.o libf.a
libf.a: $(objects) ; $(AR) rcs $@ $^
%.o: %.c all.h ; $(CC) -g -O1 -c -o $@ $<
MAKE
expect "make" make -s -j2
expect_equal "the program's answer" "$(./program)" 78
expect_equal "nothing to do" "$(make)" "make: 'program' is up to date."
echo '/* changed */' >>f3.c
made=$(make) || fail "make after a change"
expect_equal "what one change makes" "$(grep -c -- ' -c ' <<<"$made")" 1
cd "$WORK" || fail "no work directory"
cp -a "$MNT/src" "$WORK/src"
remount_vault
same_tree "after mounting again" "$WORK/src" "$MNT/src"
expect_equal "nothing to do after mounting again" "$(make -C "$MNT/src" -s -n)" ""
expect_equal "the program's answer after mounting again" "$("$MNT/src/program")" 78
expect "make clean" rm -f "$MNT/src/program" "$MNT"/src/*.[oa]
expect "make all over" make -s -C "$MNT/src"
umount_vault
