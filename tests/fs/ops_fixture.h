/* ops_fixture.h - one small tree, and table rows that do one call on it. */
#ifndef VAULTFS_TESTS_OPS_FIXTURE_H
#define VAULTFS_TESTS_OPS_FIXTURE_H

enum fixture_call {
	CALL_OPEN,  /* arg: flags; mode 0644 */
	CALL_MKDIR, /* arg: mode */
	CALL_RMDIR,
	CALL_UNLINK,
	CALL_RENAME, /* arg: flags of renameat2 */
	CALL_LINK,
	CALL_SYMLINK, /* a: target, b: name */
	CALL_READLINK,
	CALL_STAT,
	CALL_TRUNCATE, /* arg: size */
	CALL_CHMOD,    /* arg: mode */
	CALL_OPENDIR,
	CALL_MKFIFO, /* arg: mode */
};

struct fixture_row {
	const char *what;
	int call;
	const char *a, *b;
	int arg;
	int want;         /* 0 or an errno; a failure must leave the tree as it was */
	const char *gone; /* names afterwards absent and there; NULL: not asked */
	const char *there;
};

/* The tree, in a new directory "tree" that becomes the current one:
 *   file (10 bytes) = hard, other (5 bytes), dir/child, dir/sub/, empty/, pipe,
 *   link -> file, dirlink -> dir, dangling -> nowhere, loop -> loop */
void fixture_make(void);

/* Do one call; 0 or the errno. */
int fixture_call(int call, const char *a, const char *b, int arg);

/* Run rows, each on a fresh tree, up to one without a name. */
void fixture_run(const struct fixture_row *rows);

#endif
