/* ops_moves_data.c - cases: the times that calls on content and attributes move, and those that looking moves. */
#include "ops.h"
#include "ops_moves.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static void do_write(void)
{
	OK(pwrite(moves_open(O_WRONLY), "x", 1, 3));
}

static void do_write_and_sync(void)
{
	int fd = moves_open(O_WRONLY);
	struct stat written;

	OK(pwrite(fd, "x", 1, 3));
	written = ops_stat(fd);
	ops_tick();
	OK(fsync(fd));
	OK(close(fd));
	EQUAL(ops_lstat("d/file").st_mtim.tv_nsec, written.st_mtim.tv_nsec);
	EQUAL(ops_lstat("d/file").st_ctim.tv_nsec, written.st_ctim.tv_nsec);
}

static void do_write_nothing(void)
{
	OK(pwrite(moves_open(O_WRONLY), "x", 0, 3));
}

static void do_append(void)
{
	OK(write(moves_open(O_WRONLY | O_APPEND), "x", 1));
}

static void do_writev(void)
{
	struct iovec out[] = { { "x", 1 }, { "y", 1 } };

	OK(pwritev(moves_open(O_WRONLY), out, 2, 20000));
}

static void do_read(void)
{
	OK(read(moves_open(O_RDONLY), &(char){ 0 }, 1));
}

static void do_read_nothing(void)
{
	OK(read(moves_open(O_RDONLY), &(char){ 0 }, 0));
}

static void do_read_quietly(void)
{
	OK(read(moves_open(O_RDONLY | O_NOATIME), &(char){ 0 }, 1));
}

static void do_store(void)
{
	int fd = moves_open(O_RDWR);
	char *p = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	OK(close(fd));
	p[5000] = 'x';
	OK(msync(p, 10000, MS_SYNC));
	OK(munmap(p, 10000));
}

static void do_truncate(void)
{
	OK(truncate("d/file", 5));
}

static void do_truncate_up(void)
{
	OK(truncate("d/file", 50000));
}

static void do_truncate_to_the_same_size(void)
{
	OK(truncate("d/file", 10000));
}

static void do_ftruncate_to_the_same_size(void)
{
	OK(ftruncate(moves_open(O_RDWR), 10000));
}

static void do_open_truncating(void)
{
	OK(close(FD(open("d/file", O_WRONLY | O_TRUNC | O_CLOEXEC))));
}

static void do_open_creating(void)
{
	OK(close(FD(open("d/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600))));
}

static void do_allocate(void)
{
	OK(fallocate(moves_open(O_WRONLY), 0, 5, 20000));
}

static void do_punch(void)
{
	OK(fallocate(moves_open(O_WRONLY), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
}

static void do_zero(void)
{
	OK(fallocate(moves_open(O_WRONLY), FALLOC_FL_ZERO_RANGE, 0, 4096));
}

static void do_copy_range(void)
{
	int from = FD(open("d/other",
			   O_RDONLY | O_NOATIME | O_CLOEXEC)); /* nothing is read for a copy of extents */

	EQUAL(OK(copy_file_range(from, NULL, moves_open(O_WRONLY), NULL, 3000, 0)), 3000);
}

static void do_copy_nothing(void)
{
	int from = FD(open("d/other", O_RDONLY | O_CLOEXEC));

	EQUAL(OK(copy_file_range(from, &(off_t){ 10000 }, moves_open(O_WRONLY), NULL, 3000, 0)), 0);
}

static void do_sendfile(void)
{
	int from = FD(open("e/target", O_RDONLY | O_NOATIME | O_CLOEXEC));

	EQUAL(OK(sendfile(moves_open(O_WRONLY), from, NULL, 100)), 100);
}

static void do_chmod(void)
{
	OK(chmod("d/file", 0600));
}

static void do_chmod_to_the_same(void)
{
	OK(chmod("d/file", 0644));
}

static void do_fchmod_of_a_directory(void)
{
	OK(fchmod(FD(open("d", O_RDONLY | O_CLOEXEC)), 0700));
}

static void do_chown(void)
{
	OK(chown("d/file", geteuid(), getegid()));
}

static void do_chown_of_nothing(void)
{
	OK(chown("d/file", (uid_t)-1, (gid_t)-1));
}

static void do_lchown(void)
{
	OK(lchown("d/link", geteuid(), getegid()));
}

static void do_setxattr(void)
{
	OK(setxattr("d/file", "user.test", "x", 1, 0));
}

static void do_setxattr_of_a_directory(void)
{
	OK(setxattr("d/sub", "user.test", "x", 1, 0));
}

static void do_removexattr(void)
{
	OK(removexattr("d/file", "user.there"));
}

static void do_utimens(void)
{
	struct timespec far[2] = { { 4000000000, 1 }, { 4000000001, 2 } };

	OK(utimensat(AT_FDCWD, "d/file", far, 0));
}

static void do_utimens_of_atime(void)
{
	struct timespec far[2] = { { 4000000000, 1 }, { 0, UTIME_OMIT } };

	OK(utimensat(AT_FDCWD, "d/file", far, 0));
}

static void do_utimens_of_mtime(void)
{
	struct timespec far[2] = { { 0, UTIME_OMIT }, { 4000000000, 1 } };

	OK(utimensat(AT_FDCWD, "d/file", far, 0));
}

static void do_utimens_of_a_link(void)
{
	OK(utimensat(AT_FDCWD, "d/link", NULL, AT_SYMLINK_NOFOLLOW));
}

static void do_utimens_of_nothing(void)
{
	struct timespec omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };

	OK(utimensat(AT_FDCWD, "d/file", omit, 0));
}

static void do_read_and_close(void)
{
	int fd = moves_open(O_RDONLY);

	OK(read(fd, &(char){ 0 }, 1));
	OK(close(fd));
}

static void do_readdir(void)
{
	DIR *directory = opendir("d");

	CHECK(directory != NULL);
	while (readdir(directory))
		;
	OK(closedir(directory));
}

static void do_readlink(void)
{
	OK(readlink("d/link", (char[10]){ 0 }, 10));
}

static void do_follow(void)
{
	OK(access("d/link", F_OK));
}

static void do_look(void)
{
	char buffer[100];
	struct statfs fs;
	int fd = FD(open("d/file", O_RDWR | O_CLOEXEC));

	OK(access("d/file", R_OK));
	OK(lseek(fd, 0, SEEK_HOLE));
	OK(flock(fd, LOCK_EX));
	OK(getxattr("d/file", "user.there", buffer, sizeof buffer));
	OK(listxattr("d/file", buffer, sizeof buffer));
	OK(fstatfs(fd, &fs));
	OK(fsync(fd));
	OK(close(fd));
	OK(close(FD(open("d", O_RDONLY | O_CLOEXEC))));
	OK(close(FD(open("d/pipe", O_RDWR | O_CLOEXEC))));
}

static const struct moves_row rows[] = {
	{ "write", do_write, "f:mc" },
	{ "write, fsync, close", do_write_and_sync, "f:mc" },
	{ "write of nothing", do_write_nothing, "" },
	{ "append", do_append, "f:mc" },
	{ "pwritev", do_writev, "f:mc" },
	{ "read", do_read, "f:a" },
	{ "read of nothing", do_read_nothing, "" },
	{ "read with O_NOATIME", do_read_quietly, "" },
	{ "read, close", do_read_and_close, "f:a" },
	{ "readdir", do_readdir, "d:a" },
	{ "readlink", do_readlink, "l:a" },
	{ "following a link", do_follow, "l:a" },
	{ "store through mmap", do_store, "f:amc" },
	{ "truncate", do_truncate, "f:mc" },
	{ "truncate up", do_truncate_up, "f:mc" },
	{ "truncate to the same size", do_truncate_to_the_same_size, "f:mc" },
	{ "ftruncate to the same size", do_ftruncate_to_the_same_size, "f:mc" },
	{ "O_TRUNC", do_open_truncating, "f:mc" },
	{ "O_CREAT of what is there", do_open_creating, "" },
	{ "fallocate", do_allocate, "f:mc" },
	{ "punch", do_punch, "f:mc" },
	{ "zero", do_zero, "f:mc" },
	{ "copy_file_range", do_copy_range, "f:mc" },
	{ "copy_file_range from the end", do_copy_nothing, "" },
	{ "sendfile", do_sendfile, "f:mc" },
	{ "chmod", do_chmod, "f:c" },
	{ "chmod to the same", do_chmod_to_the_same, "f:c" },
	{ "fchmod of a directory", do_fchmod_of_a_directory, "d:c" },
	{ "chown", do_chown, "f:c" },
	{ "chown of nothing", do_chown_of_nothing, "f:c" },
	{ "lchown", do_lchown, "l:c" },
	{ "setxattr", do_setxattr, "f:c" },
	{ "setxattr of a directory", do_setxattr_of_a_directory, "s:c" },
	{ "removexattr", do_removexattr, "f:c" },
	{ "utimensat", do_utimens, "f:amc" },
	{ "utimensat of atime", do_utimens_of_atime, "f:ac" },
	{ "utimensat of mtime", do_utimens_of_mtime, "f:mc" },
	{ "utimensat of a link", do_utimens_of_a_link, "l:amc" },
	{ "utimensat of nothing", do_utimens_of_nothing, "" },
	{ "looking without reading", do_look, "" },
	{ NULL, NULL, NULL },
};

static void calls_on_content_and_attributes(void)
{
	moves_run(rows);
}

OPS_CASES(moves_data) = {
	{ "times_moved_by_calls_on_content_and_attributes", calls_on_content_and_attributes },
	{ NULL, NULL },
};
