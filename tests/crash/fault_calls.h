/* fault_calls.h - system calls that fail on request. Linked into a test they stand before the C library's, for SQLite too.
 *
 * Only calls on files below the root are counted, and may fail. The calls themselves are made without the C library, so that
 * a sanitizer's own wrappers are not met. */
#ifndef VAULTFS_TESTS_FAULT_CALLS_H
#define VAULTFS_TESTS_FAULT_CALLS_H

#include <stdbool.h>

enum fault_kind {
	FAULT_WRITE = 1,   /* pwrite, pwritev, write */
	FAULT_SYNC = 2,    /* fsync, fdatasync */
	FAULT_SPACE = 4,   /* fallocate */
	FAULT_CUT = 8,	   /* ftruncate */
	FAULT_NAME = 16,   /* mkdir, rename, unlink; open with O_CREAT */
	FAULT_OPEN = 32,   /* open without it */
	FAULT_READ = 64,   /* pread, preadv, read */
	FAULT_MAP = 128,   /* mmap of a file */
	FAULT_CHANGES = FAULT_WRITE | FAULT_SYNC | FAULT_SPACE | FAULT_CUT | FAULT_NAME,
	FAULT_ALL = 255,
};

struct fault_plan {
	unsigned kinds;	    /* enum fault_kind: which calls count */
	const char *file;   /* only where the path has this in it; NULL: any */
	unsigned long at;   /* the first one that fails, from 1; 0: none, only count */
	unsigned long times; /* so many fail from there on; 0: all */
	int error;	    /* errno */
	bool half;	    /* of a write, the first half is done before it fails; where nothing fails (error 0) it is a
			     * short write that succeeds */
};

/* Files below this directory from now on; an absolute path without symbolic links. */
void fault_root(const char *path);

/* Begin to count and to fail. The plan is copied. */
void fault_arm(const struct fault_plan *plan);
void fault_disarm(void);

/* Calls that counted, and calls that failed, since fault_arm(). */
unsigned long fault_counted(void);
unsigned long fault_failed(void);

/* The kind of the first call that failed, 0: none did; and the path it was on. */
unsigned fault_first(char *ret_path, unsigned long size);

#endif
