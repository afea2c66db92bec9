/* ops_descriptor.c - cases: calls on descriptors of every sort, paths that begin at one, flags and addresses that are
 * wrong. */
#include "ops.h"
#include "ops_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- sorts of descriptors ---- */

enum { CLOSED, READ, WRITE, DIRECTORY, PLACE, PLACE_OF_DIRECTORY, SORTS };

static int open_sort(int sort)
{
	switch (sort) {
	case READ:
		return FD(open("file", O_RDONLY | O_CLOEXEC));
	case WRITE:
		return FD(open("file", O_WRONLY | O_CLOEXEC));
	case DIRECTORY:
		return FD(open("dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	case PLACE:
		return FD(open("file", O_PATH | O_CLOEXEC));
	case PLACE_OF_DIRECTORY:
		return FD(open("dir", O_PATH | O_CLOEXEC));
	default:
		return 999;
	}
}

static char bytes[4096];

static int do_read(int fd)
{
	return ops_errno(read(fd, bytes, 5));
}

static int do_pread(int fd)
{
	return ops_errno(pread(fd, bytes, 5, 2));
}

static int do_readv(int fd)
{
	return ops_errno(readv(fd, &(struct iovec){ bytes, 5 }, 1));
}

static int do_write(int fd)
{
	return ops_errno(write(fd, "12345", 5));
}

static int do_pwrite(int fd)
{
	return ops_errno(pwrite(fd, "12345", 5, 2));
}

static int do_write_nothing(int fd)
{
	return ops_errno(write(fd, "", 0));
}

static int do_lseek(int fd)
{
	return ops_errno(lseek(fd, 0, SEEK_SET));
}

static int do_fstat(int fd)
{
	struct stat st;

	return ops_errno(fstat(fd, &st));
}

static int do_fstatfs(int fd)
{
	struct statfs space;

	return ops_errno(fstatfs(fd, &space));
}

static int do_fchmod(int fd)
{
	return ops_errno(fchmod(fd, 0755));
}

static int do_fchown(int fd)
{
	return ops_errno(fchown(fd, (uid_t)-1, (gid_t)-1));
}

static int do_futimens(int fd)
{
	return ops_errno(syscall(SYS_utimensat, fd, NULL, NULL, 0));
}

static int do_ftruncate(int fd)
{
	return ops_errno(ftruncate(fd, 10));
}

static int do_ftruncate_negative(int fd)
{
	return ops_errno(ftruncate(fd, -1));
}

static int do_fallocate(int fd)
{
	return ops_errno(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10));
}

static int do_fallocate_nothing(int fd)
{
	return ops_errno(fallocate(fd, 0, 0, 0));
}

static int do_fsync(int fd)
{
	return ops_errno(fsync(fd));
}

static int do_fdatasync(int fd)
{
	return ops_errno(fdatasync(fd));
}

static int do_fsetxattr(int fd)
{
	return ops_errno(fsetxattr(fd, "user.test", "x", 1, 0));
}

static int do_fgetxattr(int fd)
{
	return ops_errno(fgetxattr(fd, "user.test", bytes, sizeof bytes));
}

static int do_flistxattr(int fd)
{
	return ops_errno(flistxattr(fd, bytes, sizeof bytes));
}

static int do_getdents(int fd)
{
	return ops_errno(syscall(SYS_getdents64, fd, bytes, sizeof bytes));
}

static int do_fchdir(int fd)
{
	int here = FD(open(".", O_PATH | O_CLOEXEC));
	int r = ops_errno(fchdir(fd));

	OK(fchdir(here));
	OK(close(here));
	return r;
}

static int do_flock(int fd)
{
	return ops_errno(flock(fd, LOCK_SH));
}

static int do_lock_to_read(int fd)
{
	return ops_errno(fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_RDLCK, .l_len = 1 }));
}

static int do_lock_to_write(int fd)
{
	return ops_errno(fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_WRLCK, .l_len = 1 }));
}

static int map_errno(int fd, int protection, int flags)
{
	void *map = mmap(NULL, 10, protection, flags, fd, 0);

	return map == MAP_FAILED ? errno : ops_errno(munmap(map, 10));
}

static int do_map_to_read(int fd)
{
	return map_errno(fd, PROT_READ, MAP_SHARED);
}

static int do_map_to_write(int fd)
{
	return map_errno(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static int do_map_private(int fd)
{
	return map_errno(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static int do_copy_from(int fd)
{
	off_t from = 0, to = 0;

	return ops_errno(copy_file_range(fd, &from, FD(open("other", O_WRONLY | O_CLOEXEC)), &to, 5, 0));
}

static int do_copy_to(int fd)
{
	off_t from = 0, to = 0;

	return ops_errno(copy_file_range(FD(open("other", O_RDONLY | O_CLOEXEC)), &from, fd, &to, 5, 0));
}

static int do_sendfile_from(int fd)
{
	return ops_errno(sendfile(FD(open("/dev/null", O_WRONLY | O_CLOEXEC)), fd, &(off_t){ 0 }, 5));
}

static int do_openat(int fd)
{
	int r = openat(fd, "child", O_RDONLY | O_CLOEXEC);

	return r < 0 ? errno : ops_errno(close(r));
}

static int do_mkdirat(int fd)
{
	int r = ops_errno(mkdirat(fd, "new", 0755));

	return r ? r : ops_errno(unlinkat(fd, "new", AT_REMOVEDIR));
}

static int do_renameat(int fd)
{
	return ops_errno(renameat(fd, "child", fd, "child"));
}

static int do_linkat(int fd)
{
	return ops_errno(linkat(fd, "child", fd, "child", 0));
}

static int do_absolute(int fd)
{
	return ops_errno(fstatat(fd, "/", &(struct stat){ 0 }, 0));
}

static int do_empty_path(int fd)
{
	return ops_errno(fstatat(fd, "", &(struct stat){ 0 }, AT_EMPTY_PATH));
}

static int do_no_path(int fd)
{
	return ops_errno(fstatat(fd, "", &(struct stat){ 0 }, AT_SYMLINK_NOFOLLOW));
}

static int do_fchownat_empty(int fd)
{
	return ops_errno(fchownat(fd, "", (uid_t)-1, (gid_t)-1, AT_EMPTY_PATH));
}

static int do_fadvise(int fd)
{
	return posix_fadvise(fd, 0, 10, POSIX_FADV_DONTNEED);
}

static int do_syncfs(int fd)
{
	return ops_errno(syncfs(fd));
}

static int do_dup(int fd)
{
	int r = dup(fd);

	return r < 0 ? errno : ops_errno(close(r));
}

static const struct {
	const char *what;
	int (*run)(int fd);
	int want[SORTS]; /* closed, to read, to write, a directory, O_PATH of a file, O_PATH of a directory */
} calls[] = {
	{ "read", do_read, { EBADF, 0, EBADF, EISDIR, EBADF, EBADF } },
	{ "pread", do_pread, { EBADF, 0, EBADF, EISDIR, EBADF, EBADF } },
	{ "readv", do_readv, { EBADF, 0, EBADF, EISDIR, EBADF, EBADF } },
	{ "write", do_write, { EBADF, EBADF, 0, EBADF, EBADF, EBADF } },
	{ "pwrite", do_pwrite, { EBADF, EBADF, 0, EBADF, EBADF, EBADF } },
	{ "write of nothing", do_write_nothing, { EBADF, EBADF, 0, EBADF, EBADF, EBADF } },
	{ "lseek", do_lseek, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "fstat", do_fstat, { EBADF, 0, 0, 0, 0, 0 } },
	{ "fstatfs", do_fstatfs, { EBADF, 0, 0, 0, 0, 0 } },
	{ "fchmod", do_fchmod, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "fchown", do_fchown, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "futimens", do_futimens, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "ftruncate", do_ftruncate, { EBADF, EINVAL, 0, EINVAL, EBADF, EBADF } },
	{ "ftruncate to less than nothing",
	  do_ftruncate_negative,
	  { EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, EINVAL } },
	{ "fallocate", do_fallocate, { EBADF, EBADF, 0, EBADF, EBADF, EBADF } },
	{ "fallocate of nothing", do_fallocate_nothing, { EBADF, EINVAL, EINVAL, EINVAL, EBADF, EBADF } },
	{ "fsync", do_fsync, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "fdatasync", do_fdatasync, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "fsetxattr", do_fsetxattr, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "fgetxattr", do_fgetxattr, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "flistxattr", do_flistxattr, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "getdents", do_getdents, { EBADF, ENOTDIR, ENOTDIR, 0, EBADF, EBADF } },
	{ "fchdir", do_fchdir, { EBADF, ENOTDIR, ENOTDIR, 0, ENOTDIR, 0 } },
	{ "flock", do_flock, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "lock to read", do_lock_to_read, { EBADF, 0, EBADF, 0, EBADF, EBADF } },
	{ "lock to write", do_lock_to_write, { EBADF, EBADF, 0, EBADF, EBADF, EBADF } },
	{ "map to read", do_map_to_read, { EBADF, 0, EACCES, ENODEV, EBADF, EBADF } },
	{ "map to write", do_map_to_write, { EBADF, EACCES, EACCES, EACCES, EBADF, EBADF } },
	{ "map for oneself", do_map_private, { EBADF, 0, EACCES, ENODEV, EBADF, EBADF } },
	{ "copy_file_range from", do_copy_from, { EBADF, 0, EBADF, EISDIR, EBADF, EBADF } },
	{ "copy_file_range to", do_copy_to, { EBADF, EBADF, 0, EISDIR, EBADF, EBADF } },
	{ "sendfile from", do_sendfile_from, { EBADF, 0, EBADF, EINVAL, EBADF, EBADF } },
	{ "openat", do_openat, { EBADF, ENOTDIR, ENOTDIR, 0, ENOTDIR, 0 } },
	{ "mkdirat", do_mkdirat, { EBADF, ENOTDIR, ENOTDIR, 0, ENOTDIR, 0 } },
	{ "renameat", do_renameat, { EBADF, ENOTDIR, ENOTDIR, 0, ENOTDIR, 0 } },
	{ "linkat", do_linkat, { EBADF, ENOTDIR, ENOTDIR, EEXIST, ENOTDIR, EEXIST } },
	{ "an absolute path from", do_absolute, { 0, 0, 0, 0, 0, 0 } },
	{ "AT_EMPTY_PATH", do_empty_path, { EBADF, 0, 0, 0, 0, 0 } },
	{ "an empty path", do_no_path, { ENOENT, ENOENT, ENOENT, ENOENT, ENOENT, ENOENT } },
	{ "fchownat AT_EMPTY_PATH", do_fchownat_empty, { EBADF, 0, 0, 0, 0, 0 } },
	{ "posix_fadvise", do_fadvise, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "syncfs", do_syncfs, { EBADF, 0, 0, 0, EBADF, EBADF } },
	{ "dup", do_dup, { EBADF, 0, 0, 0, 0, 0 } },
};

static void sorts_of_descriptors(void)
{
	fixture_make();
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		for (int sort = 0; sort < SORTS; sort++) {
			int fd = open_sort(sort);

			ops_row(calls[i].what);
			fixture_check(calls[i].run(fd), calls[i].want[sort]);
			if (sort != CLOSED)
				OK(close(fd));
		}
	}
}

/* An address at which nothing is any more. */
static void *nowhere(void)
{
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	OK(munmap(page, 4096));
	return page;
}

/* ---- flags and numbers nobody knows ---- */

static void flags_that_are_wrong(void)
{
	const int unknown = 1 << 20;
	struct statx stx;
	struct stat st;

	fixture_make();
	FAILS(EINVAL, linkat(AT_FDCWD, "file", AT_FDCWD, "new", unknown));
	FAILS(EINVAL, unlinkat(AT_FDCWD, "file", unknown));
	FAILS(EINVAL, syscall(SYS_newfstatat, AT_FDCWD, "file", &st, unknown));
	FAILS(EINVAL, statx(AT_FDCWD, "file", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_MODE, &stx));
	FAILS(EINVAL, statx(AT_FDCWD, "file", 0, 0x80000000u, &stx));
	FAILS(EINVAL, fchownat(AT_FDCWD, "file", (uid_t)-1, (gid_t)-1, unknown));
	FAILS(EINVAL, utimensat(AT_FDCWD, "file", NULL, unknown));
	FAILS(EINVAL, syscall(SYS_faccessat2, AT_FDCWD, "file", F_OK, unknown));
	FAILS(EINVAL, access("file", 8));
	FAILS(EINVAL, renameat2(AT_FDCWD, "file", AT_FDCWD, "new", (unsigned)unknown));
	FAILS(EINVAL, open("dir", O_TMPFILE | O_RDONLY | O_CLOEXEC, 0600));
	FAILS(EINVAL, readlink("link", bytes, 0));
	CHECK(ops_there("file") && !ops_there("new"));
}

static void openat2_is_strict(void)
{
	struct open_how how = { .flags = O_RDONLY, .mode = 0600 };

	fixture_make();
	FAILS(EINVAL, syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof how)); /* a mode without O_CREAT */
	how.mode = 0;
	FAILS(EINVAL, syscall(SYS_openat2, AT_FDCWD, "file", &how, 8));
	how.flags |= UINT64_C(1) << 40;
	FAILS(EINVAL, syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof how));
	how.flags = O_CREAT | O_EXCL | O_RDWR;
	how.mode = 010000 | 0600;
	FAILS(EINVAL, syscall(SYS_openat2, AT_FDCWD, "new", &how, sizeof how));
	how.mode = 0600;
	OK(syscall(SYS_openat2, AT_FDCWD, "new", &how, sizeof how));
	FAILS(EFAULT, syscall(SYS_openat2, AT_FDCWD, "file", nowhere(), sizeof how));
}

static void numbers_that_are_wrong(void)
{
	struct flock lock = { .l_type = F_RDLCK, .l_start = INT64_MAX, .l_len = 2 };
	off_t near = 0, further = 10;
	int fd, other;

	fixture_make();
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	other = FD(open("other", O_RDWR | O_CLOEXEC));
	FAILS(EINVAL, lseek(fd, 0, 99));
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, lseek(fd, -100, SEEK_END));
	FAILS(EINVAL, pread(fd, bytes, 5, -1));
	FAILS(EINVAL, pwrite(fd, bytes, 5, -1));
	FAILS(EINVAL, pread(fd, bytes, 10, INT64_MAX - 2));
	FAILS(EINVAL, pwrite(fd, bytes, 10, INT64_MAX - 2));
	FAILS(EINVAL, fallocate(fd, 0, -1, 10));
	FAILS(EINVAL, fallocate(fd, 0, 0, -1));
	FAILS(EFBIG, fallocate(fd, 0, INT64_MAX - 2, 10));
	FAILS(EOPNOTSUPP, fallocate(fd, 1 << 20, 0, 10));
	FAILS(EINVAL, copy_file_range(fd, &near, other, &near, 5, 1));
	FAILS(EOVERFLOW, copy_file_range(fd, &near, other, &further, SIZE_MAX, 0));
	FAILS(EOVERFLOW, fcntl(fd, F_SETLK, &lock));
	FAILS(EINVAL, fcntl(fd, 9999, 0));
	FAILS(ENOTTY, ioctl(fd, 0x1234, 0));
	FAILS(EINVAL, syscall(SYS_getdents64, FD(open("dir", O_RDONLY | O_CLOEXEC)), bytes, 8));
	CHECK(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 10, PROT_READ, MAP_SHARED, fd, 1) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, INT64_MAX - 4095) == MAP_FAILED &&
	      errno == EOVERFLOW);
	EQUAL(ops_stat(fd).st_size, 10);
	EQUAL(ops_stat(other).st_size, 5);
}

/* ---- addresses ---- */

static void addresses_of_nothing(void)
{
	void *bad = nowhere();
	int fd, directory;

	fixture_make();
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	directory = FD(open("dir", O_RDONLY | O_CLOEXEC));
	OK(fsetxattr(fd, "user.test", "x", 1, 0));
	FAILS(EFAULT, read(fd, bad, 5));
	EQUAL(OK(lseek(fd, 0, SEEK_CUR)), 0);
	FAILS(EFAULT, write(fd, bad, 100));
	EQUAL(OK(lseek(fd, 0, SEEK_CUR)), 0);
	EQUAL(ops_stat(fd).st_size, 10);
	FAILS(EFAULT, pwrite(fd, bad, 100, 5));
	EQUAL(ops_stat(fd).st_size, 10);
	FAILS(EFAULT, readv(fd, bad, 1));
	FAILS(EFAULT, syscall(SYS_newfstatat, AT_FDCWD, "file", bad, 0));
	FAILS(EFAULT, syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_MODE, bad));
	FAILS(EFAULT, syscall(SYS_statfs, "file", bad));
	FAILS(EFAULT, readlink("link", bad, 100));
	FAILS(EFAULT, syscall(SYS_getdents64, directory, bad, 4096));
	FAILS(EFAULT, fgetxattr(fd, "user.test", bad, 10));
	FAILS(EFAULT, flistxattr(fd, bad, 100));
	FAILS(EFAULT, fsetxattr(fd, "user.other", bad, 10, 0));
	FAILS(EFAULT, fsetxattr(fd, bad, "x", 1, 0));
	FAILS(EFAULT, syscall(SYS_utimensat, AT_FDCWD, "file", bad, 0));
	FAILS(EFAULT, fcntl(fd, F_SETLK, bad));
	FAILS(EFAULT, copy_file_range(fd, bad, fd, bad, 1, 0));
	FAILS(EFAULT, symlink(bad, "new"));
	FAILS(EFAULT, rename("file", bad));
	EQUAL(OK(pread(fd, bytes, sizeof bytes, 0)), 10);
	CHECK(ops_is_pattern((uint8_t *)bytes, 10, 0));
}

/* Half of the bytes are there: as many are written as the result says, none behind them. */
static void half_an_address(void)
{
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	ssize_t n;

	CHECK(map != MAP_FAILED);
	OK(munmap(map + 4096, 4096));
	ops_pattern((uint8_t *)map, 4096, 0);
	n = write(fd, map, 8192);
	CHECK(n < 0 ? errno == EFAULT : n <= 4096);
	EQUAL(ops_stat(fd).st_size, n < 0 ? 0 : n);
	EQUAL(OK(pwrite(fd, map, 4096, 0)), 4096);
	OK(ftruncate(fd, 8192));
	memset(map, 0, 4096);
	n = pread(fd, map, 8192, 0);
	CHECK(n < 0 ? errno == EFAULT : n <= 4096 && ops_is_pattern((uint8_t *)map, (size_t)n, 0));
}

OPS_CASES(descriptor) = {
	{ "descriptors_of_every_sort", sorts_of_descriptors },
	{ "wrong_flags", flags_that_are_wrong },
	{ "wrong_flags_of_openat2", openat2_is_strict },
	{ "wrong_numbers", numbers_that_are_wrong },
	{ "wrong_addresses", addresses_of_nothing },
	{ "wrong_addresses_by_half", half_an_address },
	{ NULL, NULL },
};
