/* ops_settime.c - cases: who may set which times, through what, and moments that nobody can keep. */
#include "ops.h"
#include "ops_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OWNER = 12345, STRANGER = 23456 };

#define NOW UTIME_NOW
#define OMIT UTIME_OMIT

/* Files "closed" (0644), "open" (0666) and "locked" (0444) of OWNER, tried by OWNER and by STRANGER. NULL is told as
 * NOW and NOW, which is the same. */
static const struct {
	const char *what, *path;
	struct timespec times[2];
	int owner, stranger;
} permissions[] = {
	{ "now", "closed", { { 0, NOW }, { 0, NOW } }, 0, EACCES },
	{ "now, a file all may write", "open", { { 0, NOW }, { 0, NOW } }, 0, 0 },
	{ "now, a file nobody may write", "locked", { { 0, NOW }, { 0, NOW } }, 0, EACCES },
	{ "a moment", "closed", { { 1, 2 }, { 3, 4 } }, 0, EPERM },
	{ "a moment, a file all may write", "open", { { 1, 2 }, { 3, 4 } }, 0, EPERM },
	{ "a moment, a file nobody may write", "locked", { { 1, 2 }, { 3, 4 } }, 0, EPERM },
	{ "atime now, mtime not", "open", { { 0, NOW }, { 0, OMIT } }, 0, EPERM },
	{ "mtime now, atime not", "open", { { 0, OMIT }, { 0, NOW } }, 0, EPERM },
	{ "atime now, mtime a moment", "open", { { 0, NOW }, { 3, 4 } }, 0, EPERM },
	{ "nothing", "closed", { { 0, OMIT }, { 0, OMIT } }, 0, 0 },
	{ "nothing, a file nobody may write", "locked", { { 0, OMIT }, { 0, OMIT } }, 0, 0 },
};

static void try_all(bool owner)
{
	for (size_t i = 0; i < sizeof permissions / sizeof *permissions; i++) {
		int want = owner ? permissions[i].owner : permissions[i].stranger;
		int fd = FD(open(permissions[i].path, O_RDONLY | O_CLOEXEC));

		ops_row(permissions[i].what);
		EQUAL(ops_errno(utimensat(AT_FDCWD, permissions[i].path, permissions[i].times, 0)), want);
		EQUAL(ops_errno(futimens(fd, permissions[i].times)), want);
		OK(close(fd));
	}
	EQUAL(ops_errno(utimensat(AT_FDCWD, "closed", NULL, 0)), owner ? 0 : EACCES);
	EQUAL(ops_errno(utimensat(AT_FDCWD, "open", NULL, 0)), 0);
}

static void as_owner_and_stranger(void)
{
	static const struct {
		const char *path;
		mode_t mode;
	} files[] = { { "closed", 0644 }, { "open", 0666 }, { "locked", 0444 } };

	if (geteuid() != 0)
		ops_skip("only root can become another user");
	for (size_t i = 0; i < 3; i++) {
		ops_make_file(files[i].path, 1);
		OK(chmod(files[i].path, files[i].mode));
		OK(chown(files[i].path, OWNER, OWNER));
	}
	for (int owner = 0; owner < 2; owner++) {
		pid_t pid = ops_fork();

		if (pid == 0) {
			ops_become_user(owner ? OWNER : STRANGER, STRANGER);
			try_all(owner);
			_exit(0);
		}
		ops_join(pid);
	}
}

static void through_descriptors(void)
{
	static const struct timespec times[2] = { { 1, 2 }, { 3, 4 } };
	struct stat st;
	int reader, place, directory, link_place;

	ops_make_file("file", 1);
	OK(symlink("file", "link"));
	OK(mkdir("dir", 0755));
	reader = FD(open("file", O_RDONLY | O_CLOEXEC));
	OK(futimens(reader, times));
	st = ops_lstat("file");
	EQUAL(st.st_atim.tv_sec, 1);
	EQUAL(st.st_mtim.tv_nsec, 4);
	place = FD(open("file", O_PATH | O_CLOEXEC));
	FAILS(EBADF, futimens(place, times));
	OK(utimensat(place, "", (struct timespec[2]){ { 5, 6 }, { 7, 8 } }, AT_EMPTY_PATH));
	EQUAL(ops_lstat("file").st_mtim.tv_nsec, 8);
	directory = FD(open("dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	OK(futimens(directory, times));
	EQUAL(ops_lstat("dir").st_mtim.tv_sec, 3);
	link_place = FD(open("link", O_PATH | O_NOFOLLOW | O_CLOEXEC));
	OK(utimensat(link_place, "", times, AT_EMPTY_PATH));
	EQUAL(ops_lstat("link").st_mtim.tv_sec, 3);
	EQUAL(ops_lstat("file").st_mtim.tv_sec, 7);
	OK(utimensat(AT_FDCWD, "link", (struct timespec[2]){ { 9, 9 }, { 9, 9 } }, 0));
	EQUAL(ops_lstat("file").st_mtim.tv_sec, 9);
	EQUAL(ops_lstat("link").st_mtim.tv_sec, 3);
}

static void errors(void)
{
	static const struct timespec good[2] = { { 1, 2 }, { 3, 4 } };
	static const struct timespec odd[][2] = {
		{ { 0, -1 }, { 0, 0 } },
		{ { 0, 0 }, { 0, 1000000000 } },
		{ { 0, OMIT }, { 0, -5 } },
	};
	int fd;

	ops_make_file("file", 1);
	OK(symlink("absent", "dangling"));
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		FAILS(EINVAL, utimensat(AT_FDCWD, "file", odd[i], 0));
	FAILS(EINVAL, utimensat(AT_FDCWD, "file", good, 0x4000));
	FAILS(ENOENT, utimensat(AT_FDCWD, "", good, 0));
	FAILS(ENOENT, utimensat(AT_FDCWD, "dangling", good, 0));
	FAILS(ENOTDIR, utimensat(AT_FDCWD, "file/x", good, 0));
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	FAILS(ENOTDIR, utimensat(fd, "x", good, 0));
	FAILS(EINVAL, syscall(SYS_utimensat, fd, NULL, good, AT_SYMLINK_NOFOLLOW));
	OK(close(fd));
	FAILS(EBADF, futimens(fd, good));
}

/* What is too far away becomes the nearest moment that can be kept; it never comes back on the other side. */
static void moments_too_far_away(void)
{
	static const struct {
		const char *what;
		int64_t asked, disk, vault;
		long disk_ns, vault_ns; /* of 999999999 */
	} rows[] = {
		{ "the last second of 32 bits", INT32_MAX, INT32_MAX, INT32_MAX, 999999999, 999999999 },
		{ "the first one", INT32_MIN, INT32_MIN, INT32_MIN, 0, 999999999 },
		{ "past 32 bits unsigned", 4294967296, 4294967296, 4294967296, 999999999, 999999999 },
		{ "before 1901", -2147483649, INT32_MIN, -2147483649, 0, 999999999 },
		{ "past the disk's last", 15032385536, 15032385535, 9223372036, 0, 854775807 },
		{ "the vault's last second", 9223372036, 9223372036, 9223372036, 999999999, 854775807 },
		{ "the vault's first second", -9223372037, INT32_MIN, -9223372037, 0, 999999999 },
		{ "before it", -9223372038, INT32_MIN, -9223372037, 0, 145224192 },
		{ "INT64_MAX", INT64_MAX, 15032385535, 9223372036, 0, 854775807 },
		{ "INT64_MIN", INT64_MIN, INT32_MIN, -9223372037, 0, 145224192 },
	};

	ops_make_file("file", 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct timespec times[2] = { { rows[i].asked, 999999999 }, { rows[i].asked, 999999999 } };
		struct stat st;

		ops_row(rows[i].what);
		OK(utimensat(AT_FDCWD, "file", times, 0));
		for (int round = 0; round < 2; round++) {
			st = ops_lstat("file");
			EQUAL(st.st_mtim.tv_sec, on_vault ? rows[i].vault : rows[i].disk);
			EQUAL(st.st_mtim.tv_nsec, on_vault ? rows[i].vault_ns : rows[i].disk_ns);
			EQUAL(st.st_atim.tv_sec, st.st_mtim.tv_sec);
			EQUAL(st.st_atim.tv_nsec, st.st_mtim.tv_nsec);
			OK(chmod("file", 0600 + (mode_t)round)); /* what is stored is read back */
		}
	}
}

OPS_CASES(settime) = {
	{ "utimensat_by_owner_and_stranger", as_owner_and_stranger },
	{ "utimensat_through_descriptors", through_descriptors },
	{ "utimensat_errors", errors },
	{ "utimensat_of_moments_too_far_away", moments_too_far_away },
	{ NULL, NULL },
};
