/* interpose.h - every change that a process makes to files below one directory, seen before and after it is made.
 *
 * A shared library that stands before libc: the calls in interpose.c are wrapped, and those on files below the root pass
 * through a mode, which may note them or let them fail. No ptrace, and nothing of vaultfs knows of it. Two ways to use it:
 *
 *   under any command   VAULTFS_INTERPOSE=record VAULTFS_INTERPOSE_ROOT=DIRECTORY VAULTFS_INTERPOSE_LOG=FILE \
 *                       LD_PRELOAD=.../libinterpose.so vaultfs mount -f DIRECTORY/test.vault MNT
 *   in a test program   link it, then interpose_start(), the changes, interpose_stop()
 *
 * Under a command only the first process that comes writes the log (FILE must not exist), so that children are left out.
 * The sanitizers wrap calls as well, and want to be first: ASAN_OPTIONS=verify_asan_link_order=0, or both in LD_PRELOAD.
 *
 * A new mode is a struct interpose_mode in a file of its own and a line in the table in interpose.c. What a mode knows of
 * a file is its number and last name; numbers are never used again, unlike those of inodes. Changes by mmap are not seen,
 * only that a file was mapped for writing. What is not supported (O_TMPFILE, O_SYNC, ...) aborts: nothing slips through. */
#ifndef VAULTFS_TESTS_INTERPOSE_H
#define VAULTFS_TESTS_INTERPOSE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define INTERPOSE_NAME_MAX 255u

enum interpose_kind {
	INTERPOSE_WRITE,    /* file, offset, iov, n_iov; size is their sum */
	INTERPOSE_TRUNCATE, /* file, size: also open(2) with O_TRUNC */
	INTERPOSE_ALLOCATE, /* file, offset, size, allocate_mode: fallocate(2) */
	INTERPOSE_SYNC,     /* file (a directory too), or NULL for sync(2) and syncfs(2) */
	INTERPOSE_MAP,      /* file: it was mapped shared, for writing */
	INTERPOSE_CREATE,   /* file: the directory; name, mode: a file that was not there */
	INTERPOSE_MKDIR,    /* the same */
	INTERPOSE_LINK,     /* file: the directory; name; other: what gets that name */
	INTERPOSE_UNLINK,   /* file: the directory; name: a file's or a directory's */
	INTERPOSE_RENAME,   /* file: the directory; name; other: the new directory; other_name */
};

/* A file or directory below the root. */
struct interpose_file {
	ino_t inode;
	uint64_t number;                   /* 1 is the root */
	char name[INTERPOSE_NAME_MAX + 1]; /* the last one it got */
};

/* A call in the making. */
struct interpose_call {
	enum interpose_kind kind;
	struct interpose_file *file, *other;
	char name[INTERPOSE_NAME_MAX + 1], other_name[INTERPOSE_NAME_MAX + 1];
	uint64_t offset, size;
	const struct iovec *iov;
	int n_iov;
	int allocate_mode;
	mode_t mode;
	uint64_t ticket; /* the mode's own */
};

/* `enter` runs before the call: 0, or the negative errno that it shall fail with instead of being made. `leave` runs
 * after it, also after one that was not made, with what it returned or a negative errno; for CREATE and MKDIR
 * call->other is then the new file. One call after the other comes in, except that the lock is open between `enter`
 * and `leave` of a SYNC: other changes happen meanwhile, as they do on a disk. May not touch files below the root. */
struct interpose_mode {
	const char *name;
	int (*start)(const char *log); /* the root is known, nothing is wrapped yet; log may be NULL */
	int (*enter)(struct interpose_call *call);
	void (*leave)(struct interpose_call *call, int64_t result);
	void (*stop)(void);
};

extern const struct interpose_mode interpose_record;

/* Begin to wrap calls on what is below `root`.  0 or -errno. */
int interpose_start(const struct interpose_mode *mode, const char *root, const char *log);
void interpose_stop(void);

/* ---- for modes ---- */

/* As the system has them, not wrapped; -1 and errno. */
int interpose_real_openat(int dir_fd, const char *path, int flags, mode_t mode);
ssize_t interpose_real_writev(int fd, const struct iovec *iov, int n_iov);

/* Call `found` for everything that is below the root, directories before what is in them; it is now known by a number.
 * `fd` is open for reading. */
int interpose_each(int (*found)(void *context, const struct interpose_file *directory,
				const struct interpose_file *file, int fd),
		   void *context);

/* Say why, and abort. */
_Noreturn void interpose_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- the log that the mode "record" writes ---- */

enum log_kind {
	LOG_WRITE = 1,  /* file, offset, data */
	LOG_SIZE,       /* file, size */
	LOG_GROW,       /* file, size: at least that large now, zeros behind what was there */
	LOG_ZERO,       /* file, offset, size: zeros there */
	LOG_MAPPED,     /* file: from now on anything may stand in it */
	LOG_CREATE,     /* file: the directory; other: the new file; name */
	LOG_MKDIR,      /* the same */
	LOG_LINK,       /* file: the directory; other; name */
	LOG_UNLINK,     /* file: the directory; name */
	LOG_RENAME,     /* file: the directory; name; other: the new directory; other_name */
	LOG_SYNC_BEGIN, /* file, or 0 = all */
	LOG_SYNC_END,   /* the same, offset: which LOG_SYNC_BEGIN, counted from 1; it succeeded */
	LOG_MARK,       /* data: whatever a test wants to say; also appended by other processes */
};

/* What follows it: name, other name, data. Written as a whole with one writev(2) to a file opened with O_APPEND. */
struct log_record {
	uint32_t magic; /* LOG_MAGIC */
	uint16_t kind;  /* enum log_kind */
	uint8_t name_size, other_name_size;
	uint64_t file, other;
	uint64_t offset, size;
	uint64_t data_size;
};

#define LOG_MAGIC 0x676f6c76u

/* Append marks to a log that another process writes; NULL: no more. 0 or -errno. */
int interpose_mark_in(const char *log);

/* Append a mark to the log of the recording that runs; nothing happens where none does. */
void interpose_mark(const void *data, size_t size);

#endif
