/* power_mount.c - system calls on a mount as a driver of loads. See power.h.
 *
 * No call is larger than one request to the daemon, so that a commit takes it whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "auto.h"
#include "power.h"

#define N_HELD 4u

static int outcome(int64_t r)
{
	return r < 0 ? -errno : 0;
}

/* An open file of `path`, held for a while; errors as open(2). */
static int hold(struct mount_driver_context *c, const char *path, int flags)
{
	unsigned i = c->next = (c->next + 1) % N_HELD;
	int fd = openat(c->mount_fd, path, flags | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (c->held[i] > 0)
		(void)close(c->held[i]); /* a close says nothing that a later sync would not */
	return c->held[i] = fd;
}

void mount_driver_release(struct mount_driver_context *c)
{
	for (unsigned i = 0; i < N_HELD; i++)
		if (c->held[i] > 0)
			(void)close(c->held[i]); /* as above */
	memset(c->held, 0, sizeof(c->held));
}

static int driver_make(void *context, const char *path, uint32_t mode, const char *target)
{
	struct mount_driver_context *c = context;

	if (S_ISDIR(mode))
		return outcome(mkdirat(c->mount_fd, path, mode & 07777));
	if (S_ISLNK(mode))
		return outcome(symlinkat(target, c->mount_fd, path));
	return outcome(mknodat(c->mount_fd, path, mode, 0));
}

static int driver_link(void *context, const char *from, const char *to)
{
	struct mount_driver_context *c = context;

	return outcome(linkat(c->mount_fd, from, c->mount_fd, to, 0));
}

static int driver_unlink(void *context, const char *path, bool keep_open)
{
	struct mount_driver_context *c = context;

	if (keep_open)
		(void)hold(c, path, O_RDONLY | O_NONBLOCK); /* what cannot be opened is only unlinked */
	return outcome(unlinkat(c->mount_fd, path, 0));
}

static int driver_rmdir(void *context, const char *path)
{
	struct mount_driver_context *c = context;

	return outcome(unlinkat(c->mount_fd, path, AT_REMOVEDIR));
}

static int driver_rename(void *context, const char *from, const char *to, unsigned flags)
{
	struct mount_driver_context *c = context;

	return outcome(
		renameat2(c->mount_fd, from, c->mount_fd, to, flags)); /* the numbers are the kernel's */
}

static int driver_write(void *context, const char *path, uint64_t offset, const void *data, size_t size)
{
	int fd = hold(context, path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : pwrite(fd, data, size, (off_t)offset);

	return fd < 0 ? fd : n < 0 ? -errno : (size_t)n == size ? 0 : -EIO;
}

static int driver_truncate(void *context, const char *path, uint64_t size)
{
	int fd = hold(context, path, O_WRONLY);

	return fd < 0 ? fd : outcome(ftruncate(fd, (off_t)size));
}

static int driver_punch(void *context, const char *path, uint64_t offset, uint64_t length)
{
	int fd = hold(context, path, O_WRONLY);

	return fd < 0 ? fd
		      : outcome(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
					  (off_t)length));
}

static int driver_copy(void *context, const char *from, uint64_t from_offset, const char *to,
		       uint64_t to_offset, uint64_t length, uint64_t *ret_copied)
{
	struct mount_driver_context *c = context;
	AUTO(fd) int from_fd = openat(c->mount_fd, from, O_RDONLY | O_CLOEXEC);
	AUTO(fd) int to_fd = openat(c->mount_fd, to, O_WRONLY | O_CLOEXEC);
	off64_t from_at = (off64_t)from_offset, to_at = (off64_t)to_offset;
	ssize_t n;

	if (from_fd < 0 || to_fd < 0)
		return -errno;
	n = copy_file_range(from_fd, &from_at, to_fd, &to_at, (size_t)length, 0);
	*ret_copied = n < 0 ? 0 : (uint64_t)n;
	return outcome(n);
}

static int driver_chmod(void *context, const char *path, uint32_t mode)
{
	struct mount_driver_context *c = context;

	return outcome(fchmodat(c->mount_fd, path, mode, 0));
}

static int driver_set_time(void *context, const char *path, int64_t mtime_ns)
{
	struct mount_driver_context *c = context;
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   { .tv_sec = mtime_ns / 1000000000,
					     .tv_nsec = mtime_ns % 1000000000 } };

	return outcome(utimensat(c->mount_fd, path, times, AT_SYMLINK_NOFOLLOW));
}

static int driver_set_xattr(void *context, const char *path, const char *name, const void *value, size_t size)
{
	struct mount_driver_context *c = context;
	AUTO(free) char *below = disk_path(c->mount_point, path);

	return outcome(value ? lsetxattr(below, name, value, size, 0) : lremovexattr(below, name));
}

static int driver_sync(void *context, const char *path)
{
	struct mount_driver_context *c = context;
	AUTO(fd) int fd = openat(c->mount_fd, path && *path ? path : ".", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : outcome(fsync(fd));
}

static int64_t nanoseconds(const struct statx_timestamp *t)
{
	return t->tv_sec * 1000000000 + t->tv_nsec;
}

static int driver_stat(void *context, const char *path, struct vault_attr *ret)
{
	struct mount_driver_context *c = context;
	struct statx st;

	if (statx(c->mount_fd, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		  STATX_BASIC_STATS, &st) < 0)
		return -errno;
	*ret = (struct vault_attr){
		.id = st.stx_ino,
		.size = st.stx_size,
		.mode = st.stx_mode,
		.uid = st.stx_uid,
		.gid = st.stx_gid,
		.nlink = st.stx_nlink,
		.rdev = makedev(st.stx_rdev_major, st.stx_rdev_minor),
		.mtime_ns = nanoseconds(&st.stx_mtime),
		.ctime_ns = nanoseconds(&st.stx_ctime),
	};
	return 0;
}

const struct driver mount_driver = {
	.make = driver_make,
	.link = driver_link,
	.unlink = driver_unlink,
	.rmdir = driver_rmdir,
	.rename = driver_rename,
	.write = driver_write,
	.truncate = driver_truncate,
	.punch = driver_punch,
	.copy = driver_copy,
	.chmod = driver_chmod,
	.set_time = driver_set_time,
	.set_xattr = driver_set_xattr,
	.sync = driver_sync,
	.stat = driver_stat,
};
