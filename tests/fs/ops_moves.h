/* ops_moves.h - which times a call moves: of what it is about, of the directories around it, of what lost its name. */
#ifndef VAULTFS_TESTS_OPS_MOVES_H
#define VAULTFS_TESTS_OPS_MOVES_H

/* `moves` lists objects and their times, in the order of the tree: "d:mc f:amc". What is not listed stays to the ns. */
struct moves_row {
	const char *what;
	void (*run)(void);
	const char *moves;
};

/* Run each row, up to one without a name, in a tree of its own, the current directory:
 *   d = d/, f = d/file (10000 bytes, with user.there), o = d/other, s = d/sub/, l = d/link -> file, p = d/pipe,
 *   e = e/, t = e/target, m = e/empty/, n = e/full/ (holds one file).
 * They are watched through descriptors, so that they are seen without a name too. */
void moves_run(const struct moves_row *rows);

/* d/file, opened with these flags; its pages are not cached, so that a read is one. */
int moves_open(int flags);

#endif
