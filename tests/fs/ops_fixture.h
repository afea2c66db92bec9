/* ops_fixture.h - one small tree, and table rows that do one call on it. */
#ifndef VAULTFS_TESTS_OPS_FIXTURE_H
#define VAULTFS_TESTS_OPS_FIXTURE_H

#include <stdint.h>

/* `a` is the path; `arg` is what is said. */
enum fixture_call {
	CALL_OPEN,    /* flags; mode 0644 */
	CALL_CREAT,   /* mode */
	CALL_OPENAT2, /* resolve flags; to read */
	CALL_OPENDIR,
	CALL_MKDIR, /* mode */
	CALL_RMDIR,
	CALL_UNLINK,
	CALL_RENAME,  /* b: new name; flags of renameat2 */
	CALL_LINK,    /* b: new name; flags of linkat */
	CALL_SYMLINK, /* a: target, b: name */
	CALL_READLINK,
	CALL_MKFIFO, /* mode */
	CALL_MKNOD,  /* mode with type; a device is the null device */
	CALL_BIND,   /* a socket comes to be */
	CALL_STAT,
	CALL_LSTAT,
	CALL_STATX, /* flags */
	CALL_STATFS,
	CALL_ACCESS,   /* mode, for the real ids */
	CALL_EACCESS,  /* mode, for the effective ids */
	CALL_TRUNCATE, /* size */
	CALL_CHMOD,    /* mode */
	CALL_LCHMOD,   /* mode; of a link itself */
	CALL_CHOWN,    /* uid; -1 stays */
	CALL_CHGRP,    /* gid; -1 stays */
	CALL_LCHOWN,   /* uid */
	CALL_TOUCH,    /* utimensat() with the time of now */
	CALL_UTIMES,   /* utimensat() with seconds since 1970 */
	CALL_SETXATTR, /* user.test */
	CALL_GETXATTR,
	CALL_LISTXATTR,
	CALL_REMOVEXATTR,
	CALL_CHDIR,
	CALL_CHROOT,
	CALL_EXEC, /* of what may be run, whatever it says */
};

struct fixture_row {
	const char *what;
	int call;
	const char *a, *b;
	int arg;
	int want;         /* 0 or an errno; a failure must leave the tree as it was, times included */
	const char *gone; /* names afterwards absent and there; NULL: not asked */
	const char *there;
};

/* Make the tree, in a new directory "tree" that becomes the current one:
 *   file (10 bytes) = hard, other (5 bytes), dir/child, dir/sub/, empty/, pipe,
 *   link -> file, dirlink -> dir, dangling -> nowhere, loop -> loop */
void fixture_make(void);
/* Leave it, and remove it with all that is in it. */
void fixture_remove(void);

/* Do one call; 0 or the errno. The working directory and the root stay what they were. */
int fixture_call(int call, const char *a, const char *b, int arg);

/* A number that another one follows when anything below the working directory changes. */
uint64_t fixture_digest(void);

/* End the case unless `got`, 0 or an errno, is `want`. */
void fixture_check(int got, int want);

/* Run rows, each on a fresh tree, up to one without a name. */
void fixture_run(const struct fixture_row *rows);

#endif
