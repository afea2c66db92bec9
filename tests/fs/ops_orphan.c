/* ops_orphan.c - cases: files and directories whose last name is gone, and everything that can still be done with them. */
#include "ops.h"
#include "ops_child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SIZE = 100000 };

/* "file" without a name, opened with `flags`. */
static int orphan(int flags)
{
	int fd;

	ops_make_file("file", SIZE);
	fd = FD(open("file", flags | O_CLOEXEC));
	OK(unlink("file"));
	return fd;
}

static void content_can_be_changed(void)
{
	uint8_t bytes[SIZE];
	int fd = orphan(O_RDWR), other;

	EQUAL(OK(pread(fd, bytes, SIZE, 0)), SIZE);
	CHECK(ops_is_pattern(bytes, SIZE, 0));
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 8192));
	EQUAL(OK(lseek(fd, 0, SEEK_HOLE)), 8192);
	OK(ftruncate(fd, SIZE / 2));
	OK(ftruncate(fd, SIZE));
	EQUAL(OK(pread(fd, bytes, SIZE, 0)), SIZE);
	CHECK(ops_is_pattern(bytes, 8192, 0) && ops_is_zero(bytes + 8192, 8192));
	CHECK(ops_is_pattern(bytes + 16384, SIZE / 2 - 16384, 16384));
	CHECK(ops_is_zero(bytes + SIZE / 2, SIZE / 2));
	OK(fallocate(fd, 0, SIZE, 1000));
	EQUAL(ops_stat(fd).st_size, SIZE + 1000);
	other = FD(open("other", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	EQUAL(OK(copy_file_range(fd, &(off_t){ 0 }, other, NULL, 8192, 0)), 8192);
	ops_pattern(bytes, 8192, 0);
	ops_check_content("other", bytes, 8192);
	EQUAL(OK(copy_file_range(other, &(off_t){ 0 }, fd, &(off_t){ SIZE }, 8192, 0)), 8192);
	EQUAL(OK(pread(fd, bytes, 8192, SIZE)), 8192);
	CHECK(ops_is_pattern(bytes, 8192, 0));
	OK(fsync(fd));
	EQUAL(ops_stat(fd).st_nlink, 0);
}

static void attributes_can_be_changed(void)
{
	struct timespec times[2] = { { 5, 6 }, { 7, 8 } };
	char value[10];
	int fd = orphan(O_RDWR);
	struct stat st;

	OK(fchmod(fd, 0601));
	OK(fchown(fd, geteuid(), getegid()));
	OK(fsetxattr(fd, "user.a", "value", 5, XATTR_CREATE));
	FAILS(EEXIST, fsetxattr(fd, "user.a", "value", 5, XATTR_CREATE));
	EQUAL(OK(fgetxattr(fd, "user.a", value, sizeof value)), 5);
	EQUAL(OK(flistxattr(fd, NULL, 0)), 7);
	OK(fremovexattr(fd, "user.a"));
	OK(futimens(fd, times));
	st = ops_stat(fd);
	EQUAL(st.st_mode, S_IFREG | 0601);
	EQUAL(st.st_atim.tv_nsec, 6);
	EQUAL(st.st_mtim.tv_sec, 7);
	EQUAL(st.st_nlink, 0);
	EQUAL(st.st_size, SIZE);
}

/* Relinking: what has a name can be given another through a descriptor; what has none cannot. */
static void names_for_descriptors(void)
{
	char path[64];
	int fd, place;

	ops_make_file("file", 10);
	OK(symlink("nowhere", "link"));
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	place = FD(open("link", O_PATH | O_NOFOLLOW | O_CLOEXEC));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "by proc", AT_SYMLINK_FOLLOW));
	EQUAL(ops_lstat("by proc").st_ino, ops_stat(fd).st_ino);
	if (geteuid() == 0) {
		OK(linkat(fd, "", AT_FDCWD, "by empty path", AT_EMPTY_PATH));
		EQUAL(ops_stat(fd).st_nlink, 3);
		OK(linkat(place, "", AT_FDCWD, "another link", AT_EMPTY_PATH));
		EQUAL(ops_lstat("another link").st_nlink, 2);
		OK(unlink("by empty path"));
	}
	OK(unlink("by proc"));
	OK(unlink("file"));
	EQUAL(ops_stat(fd).st_nlink, 0);
	FAILS(ENOENT, linkat(AT_FDCWD, path, AT_FDCWD, "late", AT_SYMLINK_FOLLOW));
	FAILS(ENOENT, linkat(fd, "", AT_FDCWD, "late", AT_EMPTY_PATH));
	CHECK(!ops_there("late"));
}

static void O_PATH_of_what_is_gone(void)
{
	char path[64], byte;
	int place, fd;

	ops_make_file("file", SIZE);
	place = FD(open("file", O_PATH | O_CLOEXEC));
	OK(unlink("file"));
	EQUAL(ops_stat(place).st_nlink, 0);
	FAILS(EBADF, read(place, &byte, 1));
	FAILS(EBADF, fchmod(place, 0600));
	FAILS(EBADF, fgetxattr(place, "user.x", &byte, 1));
	FAILS(EBADF, ftruncate(place, 0));
	snprintf(path, sizeof path, "/proc/self/fd/%d", place);
	fd = FD(open(path, O_RDWR | O_CLOEXEC));
	EQUAL(OK(pread(fd, &byte, 1, SIZE - 1)), 1);
	CHECK(ops_is_pattern((uint8_t *)&byte, 1, SIZE - 1));
	OK(chmod(path, 0640));
	EQUAL(ops_stat(place).st_mode, S_IFREG | 0640);
	OK(truncate(path, 3));
	EQUAL(ops_stat(fd).st_size, 3);
	OK(setxattr(path, "user.x", "1", 1, 0));
	EQUAL(OK(fgetxattr(fd, "user.x", &byte, 1)), 1);
	OK(close(place));
	EQUAL(OK(pread(fd, &byte, 1, 0)), 1);
}

static void a_symbolic_link_that_is_gone(void)
{
	char target[10];
	int place;

	OK(symlink("target", "link"));
	place = FD(open("link", O_PATH | O_NOFOLLOW | O_CLOEXEC));
	OK(unlink("link"));
	EQUAL(OK(readlinkat(place, "", target, sizeof target)), 6);
	EQUAL(ops_stat(place).st_nlink, 0);
}

static void another_process_keeps_it(void)
{
	struct ops_gate unlinked = ops_gate();
	struct ops_gate opened = ops_gate();
	pid_t pid;

	ops_make_file("file", SIZE);
	pid = ops_fork();
	if (pid == 0) {
		uint8_t bytes[1000];
		int fd = FD(open("file", O_RDWR | O_CLOEXEC));

		ops_gate_pass(opened);
		ops_gate_wait(unlinked);
		EQUAL(ops_stat(fd).st_nlink, 0);
		EQUAL(OK(pread(fd, bytes, 1000, 70000)), 1000);
		CHECK(ops_is_pattern(bytes, 1000, 70000));
		EQUAL(OK(write(fd, bytes, 1000)), 1000);
		_exit(0);
	}
	ops_gate_wait(opened);
	OK(unlink("file"));
	ops_make_file("file", 5); /* another one of that name */
	ops_gate_pass(unlinked);
	ops_join(pid);
	EQUAL(ops_lstat("file").st_size, 5);
}

static void replaced_by_rename(void)
{
	uint8_t bytes[1000];
	int fd;

	ops_make_file("file", SIZE);
	ops_make_file("new", 5);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	OK(rename("new", "file"));
	EQUAL(ops_stat(fd).st_nlink, 0);
	EQUAL(OK(pread(fd, bytes, 1000, 70000)), 1000);
	CHECK(ops_is_pattern(bytes, 1000, 70000));
	OK(pwrite(fd, "x", 1, SIZE));
	EQUAL(ops_stat(fd).st_size, SIZE + 1);
	EQUAL(ops_lstat("file").st_size, 5);
}

static void a_removed_directory(void)
{
	struct stat st, top = ops_lstat(".");
	char path[64];
	DIR *listing;
	int fd, n = 0;

	OK(mkdir("dir", 0755));
	fd = FD(open("dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	OK(rmdir("dir"));
	st = ops_stat(fd);
	EQUAL(st.st_nlink, 0);
	CHECK(S_ISDIR(st.st_mode));
	OK(fchmod(fd, 0700));
	EQUAL(ops_stat(fd).st_mode, S_IFDIR | 0700);
	OK(futimens(fd, (struct timespec[2]){ { 5, 5 }, { 6, 6 } }));
	EQUAL(ops_stat(fd).st_mtim.tv_sec, 6);
	OK(fsetxattr(fd, "user.x", "1", 1, 0));
	EQUAL(OK(fgetxattr(fd, "user.x", path, sizeof path)), 1);
	OK(fsync(fd));
	FAILS(ENOENT, openat(fd, "x", O_RDONLY | O_CLOEXEC));
	FAILS(ENOENT, openat(fd, "x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	FAILS(ENOENT, mknodat(fd, "x", S_IFIFO | 0644, 0));
	OK(fstatat(fd, ".", &st, 0));
	EQUAL(st.st_nlink, 0);
	OK(fstatat(fd, "..", &st, 0)); /* it still knows where it was */
	EQUAL(st.st_ino, top.st_ino);
	FAILS(ENOENT, unlinkat(fd, "x", 0));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	OK(close(FD(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))));
	listing = fdopendir(fd);
	CHECK(listing != NULL);
	while (readdir(listing))
		n++;
	CHECK(on_vault ? n <= 2 : n == 0);
	OK(closedir(listing));
}

static void a_removed_working_directory(void)
{
	char path[PATH_MAX];
	struct stat st;

	OK(mkdir("dir", 0755));
	OK(chdir("dir"));
	OK(rmdir("../dir"));
	CHECK(getcwd(path, sizeof path) == NULL);
	EQUAL(errno, ENOENT);
	OK(stat(".", &st));
	EQUAL(st.st_nlink, 0);
	FAILS(ENOENT, rmdir("../dir"));
	FAILS(EINVAL, rmdir("."));
	OK(chdir(".."));
	CHECK(getcwd(path, sizeof path) != NULL);
	OK(mkdir("dir", 0755));
}

static void a_directory_replaced_by_rename(void)
{
	int fd;

	OK(mkdir("dir", 0755));
	OK(mkdir("new", 0755));
	ops_make_file("new/file", 1);
	fd = FD(open("dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	OK(rename("new", "dir"));
	EQUAL(ops_stat(fd).st_nlink, 0);
	FAILS(ENOENT, openat(fd, "x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	FAILS(ENOENT, openat(fd, "file", O_RDONLY | O_CLOEXEC));
	CHECK(ops_there("dir/file"));
}

OPS_CASES(orphan) = {
	{ "unlinked_file_changes_content", content_can_be_changed },
	{ "unlinked_file_changes_attributes", attributes_can_be_changed },
	{ "unlinked_file_gets_no_new_name", names_for_descriptors },
	{ "unlinked_file_by_O_PATH", O_PATH_of_what_is_gone },
	{ "unlinked_symlink_by_O_PATH", a_symbolic_link_that_is_gone },
	{ "unlinked_file_of_another_process", another_process_keeps_it },
	{ "replaced_file_while_open", replaced_by_rename },
	{ "removed_directory_by_descriptor", a_removed_directory },
	{ "removed_directory_as_working_directory", a_removed_working_directory },
	{ "replaced_directory_while_open", a_directory_replaced_by_rename },
	{ NULL, NULL },
};
