/* fault_calls.c - see fault_calls.h. */
#undef _FILE_OFFSET_BITS /* both names of each call are defined here; they are the same on 64-bit systems */
#undef _FORTIFY_SOURCE
#include "fault_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define ALIAS(name) __attribute__((visibility("default"), alias(#name)))

static struct {
	pthread_mutex_t lock; /* guards all; held for moments */
	char root[PATH_MAX];
	bool armed;
	struct fault_plan plan;
	unsigned long counted, failed;
	unsigned first_kind;
	char first_path[PATH_MAX];
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

void fault_root(const char *path)
{
	(void)pthread_mutex_lock(&state.lock);
	(void)snprintf(state.root, sizeof(state.root), "%s", path);
	(void)pthread_mutex_unlock(&state.lock);
}

void fault_arm(const struct fault_plan *plan)
{
	(void)pthread_mutex_lock(&state.lock);
	state.plan = *plan;
	state.counted = state.failed = 0;
	state.first_kind = 0;
	state.armed = true;
	(void)pthread_mutex_unlock(&state.lock);
}

void fault_disarm(void)
{
	(void)pthread_mutex_lock(&state.lock);
	state.armed = false;
	(void)pthread_mutex_unlock(&state.lock);
}

unsigned long fault_counted(void)
{
	unsigned long n;

	(void)pthread_mutex_lock(&state.lock);
	n = state.counted;
	(void)pthread_mutex_unlock(&state.lock);
	return n;
}

unsigned long fault_failed(void)
{
	unsigned long n;

	(void)pthread_mutex_lock(&state.lock);
	n = state.failed;
	(void)pthread_mutex_unlock(&state.lock);
	return n;
}

unsigned fault_first(char *ret_path, unsigned long size)
{
	unsigned kind;

	(void)pthread_mutex_lock(&state.lock);
	kind = state.first_kind;
	(void)snprintf(ret_path, size, "%s", kind ? state.first_path : "");
	(void)pthread_mutex_unlock(&state.lock);
	return kind;
}

/* ---- does this call fail? ---- */

static void path_of(int fd, const char *name, char ret[PATH_MAX])
{
	char link[64];
	ssize_t n = 0;
	int held, used = 0;

	/* SQLite's files are reached through the directory that the vault holds. */
	if (name && sscanf(name, "/proc/self/fd/%d/%n", &held, &used) == 1 && used > 0) {
		fd = held;
		name += used;
	}
	if (name && name[0] == '/') {
		(void)snprintf(ret, PATH_MAX, "%s", name);
		return;
	}
	if (fd == AT_FDCWD) {
		(void)snprintf(ret, PATH_MAX, "%s", name);
		return;
	}
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlinkat, AT_FDCWD, link, ret, (size_t)PATH_MAX - 1);
	ret[n > 0 ? n : 0] = '\0';
	if (name && n > 0 && (size_t)n + strlen(name) + 2 < PATH_MAX) {
		ret[n] = '/';
		(void)memcpy(ret + n + 1, name, strlen(name) + 1);
	}
}

static bool counts_locked(unsigned kind, const char *path)
{
	return (state.plan.kinds & kind) && strncmp(path, state.root, strlen(state.root)) == 0 &&
	       (!state.plan.file || strstr(path, state.plan.file));
}

/* 1: it is to fail, with *ret_plan; else 0. errno stays. */
static int fails(unsigned kind, int fd, const char *name, struct fault_plan *ret_plan)
{
	char path[PATH_MAX];
	int error = errno, r = 0;

	(void)pthread_mutex_lock(&state.lock);
	if (state.armed && (state.plan.kinds & kind)) {
		path_of(fd, name, path);
		if (counts_locked(kind, path)) {
			unsigned long n = ++state.counted, at = state.plan.at;

			r = at != 0 && n >= at && (state.plan.times == 0 || n < at + state.plan.times);
		}
	}
	if (r && state.failed++ == 0) {
		state.first_kind = kind;
		(void)snprintf(state.first_path, sizeof(state.first_path), "%s", path);
	}
	*ret_plan = state.plan;
	(void)pthread_mutex_unlock(&state.lock);
	errno = error;
	return r;
}

/* A plain call: fail it, or go on. */
#define FAIL_OR(kind, fd, name, call)                                   \
	do {                                                            \
		struct fault_plan plan_;                                \
                                                                        \
		if (fails(kind, fd, name, &plan_) && plan_.error) {     \
			errno = plan_.error;                            \
			return -1;                                      \
		}                                                       \
		return (call);                                          \
	} while (0)

/* ---- writing ---- */

static ssize_t put(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	return offset < 0 ? syscall(SYS_writev, fd, iov, n_iov) :
			    syscall(SYS_pwritev, fd, iov, n_iov, offset, 0L);
}

/* The first half of the bytes. */
static ssize_t put_half(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	struct iovec half[8];
	size_t total = 0, left;
	int n = 0;

	for (int i = 0; i < n_iov; i++)
		total += iov[i].iov_len;
	left = total / 2;
	for (; n < n_iov && n < 8 && left > 0; n++) {
		half[n] = iov[n];
		if (half[n].iov_len > left)
			half[n].iov_len = left;
		left -= half[n].iov_len;
	}
	return n ? put(fd, half, n, offset) : 0;
}

static ssize_t write_somehow(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	struct fault_plan plan;
	ssize_t n;

	if (!fails(FAULT_WRITE, fd, NULL, &plan))
		return put(fd, iov, n_iov, offset);
	n = plan.half ? put_half(fd, iov, n_iov, offset) : 0;
	if (!plan.error)
		return n > 0 ? n : put(fd, iov, n_iov, offset);
	errno = plan.error;
	return -1;
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int n_iov, off64_t offset)
{
	return write_somehow(fd, iov, n_iov, offset);
}
ALIAS(pwritev64) ssize_t pwritev(int fd, const struct iovec *iov, int n_iov, off_t offset);

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	struct iovec iov = { (void *)(unsigned long)bytes, size };

	return write_somehow(fd, &iov, 1, offset);
}
ALIAS(pwrite64) ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset);

EXPORT ssize_t write(int fd, const void *bytes, size_t size)
{
	struct iovec iov = { (void *)(unsigned long)bytes, size };

	return write_somehow(fd, &iov, 1, -1);
}

/* ---- the others ---- */

EXPORT int fsync(int fd)
{
	FAIL_OR(FAULT_SYNC, fd, NULL, (int)syscall(SYS_fsync, fd));
}

EXPORT int fdatasync(int fd)
{
	FAIL_OR(FAULT_SYNC, fd, NULL, (int)syscall(SYS_fdatasync, fd));
}

EXPORT int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
	FAIL_OR(FAULT_SPACE, fd, NULL, (int)syscall(SYS_fallocate, fd, mode, offset, length));
}
ALIAS(fallocate64) int fallocate(int fd, int mode, off_t offset, off_t length);

EXPORT int ftruncate64(int fd, off64_t size)
{
	FAIL_OR(FAULT_CUT, fd, NULL, (int)syscall(SYS_ftruncate, fd, size));
}
ALIAS(ftruncate64) int ftruncate(int fd, off_t size);

EXPORT int mkdirat(int fd, const char *path, mode_t mode)
{
	FAIL_OR(FAULT_NAME, fd, path, (int)syscall(SYS_mkdirat, fd, path, mode));
}

EXPORT int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

EXPORT int unlinkat(int fd, const char *path, int flags)
{
	FAIL_OR(FAULT_NAME, fd, path, (int)syscall(SYS_unlinkat, fd, path, flags));
}

EXPORT int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	FAIL_OR(FAULT_NAME, from_fd, from, (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0));
}

static int open_somehow(int fd, const char *path, int flags, mode_t mode)
{
	FAIL_OR(flags & O_CREAT ? FAULT_NAME : FAULT_OPEN, fd, path, (int)syscall(SYS_openat, fd, path, flags, mode));
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

EXPORT int openat64(int fd, const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	return open_somehow(fd, path, flags, mode);
}
ALIAS(openat64) int openat(int fd, const char *path, int flags, ...);

EXPORT int open64(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	return open_somehow(AT_FDCWD, path, flags, mode);
}
ALIAS(open64) int open(const char *path, int flags, ...);

EXPORT ssize_t pread64(int fd, void *bytes, size_t size, off64_t offset)
{
	FAIL_OR(FAULT_READ, fd, NULL, syscall(SYS_pread64, fd, bytes, size, offset));
}
ALIAS(pread64) ssize_t pread(int fd, void *bytes, size_t size, off_t offset);

EXPORT ssize_t preadv64(int fd, const struct iovec *iov, int n_iov, off64_t offset)
{
	FAIL_OR(FAULT_READ, fd, NULL, syscall(SYS_preadv, fd, iov, n_iov, offset, 0L));
}
ALIAS(preadv64) ssize_t preadv(int fd, const struct iovec *iov, int n_iov, off_t offset);

EXPORT ssize_t preadv64v2(int fd, const struct iovec *iov, int n_iov, off64_t offset, int flags)
{
	FAIL_OR(FAULT_READ, fd, NULL, syscall(SYS_preadv2, fd, iov, n_iov, offset, 0L, flags));
}
ALIAS(preadv64v2) ssize_t preadv2(int fd, const struct iovec *iov, int n_iov, off_t offset, int flags);

EXPORT ssize_t read(int fd, void *bytes, size_t size)
{
	FAIL_OR(FAULT_READ, fd, NULL, syscall(SYS_read, fd, bytes, size));
}

static void *map_somehow(void *at, size_t size, int protection, int flags, int fd, off64_t offset)
{
	struct fault_plan plan;

	if (fd >= 0 && fails(FAULT_MAP, fd, NULL, &plan)) {
		errno = plan.error;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset)
{
	return map_somehow(at, size, protection, flags, fd, offset);
}
ALIAS(mmap64) void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
