/* ops_moves_names.c - cases: the times that calls on names move, in every directory that takes part. */
#include "ops.h"
#include "ops_moves.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

static void do_create(void)
{
	OK(close(FD(open("d/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600))));
}

static void do_mkdir(void)
{
	OK(mkdir("d/new", 0755));
}

static void do_mkfifo(void)
{
	OK(mkfifo("d/new", 0755));
}

static void do_symlink(void)
{
	OK(symlink("x", "d/new"));
}

static void do_link(void)
{
	OK(link("d/file", "e/link"));
}

static void do_link_of_a_link(void)
{
	OK(link("d/link", "e/link"));
}

static void do_unlink(void)
{
	OK(unlink("d/file"));
}

static void do_unlink_a_link(void)
{
	OK(unlink("d/link"));
}

static void do_rmdir(void)
{
	OK(rmdir("d/sub"));
}

static void do_rename(void)
{
	OK(rename("d/file", "d/new"));
}

static void do_rename_across(void)
{
	OK(rename("d/file", "e/file"));
}

static void do_rename_over(void)
{
	OK(rename("d/file", "d/other"));
}

static void do_rename_over_across(void)
{
	OK(rename("d/file", "e/target"));
}

static void do_rename_directory(void)
{
	OK(rename("d/sub", "d/sub2"));
}

static void do_rename_directory_across(void)
{
	OK(rename("d/sub", "e/sub"));
}

static void do_rename_directory_over(void)
{
	OK(rename("e/full", "e/empty"));
}

static void do_rename_directory_over_across(void)
{
	OK(rename("d/sub", "e/empty"));
}

static void do_rename_link(void)
{
	OK(rename("d/link", "e/link"));
}

static void do_rename_to_itself(void)
{
	OK(rename("d/file", "d/file"));
	OK(rename("d/sub", "d/sub"));
}

static void do_exchange(void)
{
	OK(renameat2(AT_FDCWD, "d/file", AT_FDCWD, "d/other", RENAME_EXCHANGE));
}

static void do_exchange_across(void)
{
	OK(renameat2(AT_FDCWD, "d/file", AT_FDCWD, "e/empty", RENAME_EXCHANGE));
}

static const struct moves_row rows[] = {
	{ "create", do_create, "d:mc" },
	{ "mkdir", do_mkdir, "d:mc" },
	{ "mkfifo", do_mkfifo, "d:mc" },
	{ "symlink", do_symlink, "d:mc" },
	{ "link", do_link, "f:c e:mc" },
	{ "link of a symbolic link", do_link_of_a_link, "l:c e:mc" },
	{ "unlink", do_unlink, "d:mc f:c" },
	{ "unlink of a symbolic link", do_unlink_a_link, "d:mc l:c" },
	{ "rmdir", do_rmdir, "d:mc s:c" },
	{ "rename", do_rename, "d:mc f:c" },
	{ "rename to another directory", do_rename_across, "d:mc f:c e:mc" },
	{ "rename over a file", do_rename_over, "d:mc f:c o:c" },
	{ "rename over a file elsewhere", do_rename_over_across, "d:mc f:c e:mc t:c" },
	{ "rename of a directory", do_rename_directory, "d:mc s:c" },
	{ "rename of a directory to another one", do_rename_directory_across, "d:mc s:c e:mc" },
	{ "rename over a directory", do_rename_directory_over, "e:mc m:c n:c" },
	{ "rename over a directory elsewhere", do_rename_directory_over_across, "d:mc s:c e:mc m:c" },
	{ "rename of a symbolic link", do_rename_link, "d:mc l:c e:mc" },
	{ "rename to itself", do_rename_to_itself, "" },
	{ "exchange", do_exchange, "d:mc f:c o:c" },
	{ "exchange with a directory elsewhere", do_exchange_across, "d:mc f:c e:mc m:c" },
	{ NULL, NULL, NULL },
};

static void calls_on_names(void)
{
	moves_run(rows);
}

static void fail_create(void)
{
	FAILS(EEXIST, open("d/file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	FAILS(EEXIST, mkdir("d/sub", 0755));
	FAILS(EEXIST, mkfifo("d/pipe", 0755));
	FAILS(EEXIST, symlink("x", "d/link"));
	FAILS(EEXIST, link("d/file", "e/target"));
	FAILS(EPERM, link("d/sub", "e/link"));
}

static void fail_remove(void)
{
	FAILS(ENOTEMPTY, rmdir("e/full"));
	FAILS(ENOTDIR, rmdir("d/file"));
	FAILS(EISDIR, unlink("d/sub"));
	FAILS(ENOENT, unlink("d/absent"));
	FAILS(EINVAL, rmdir("d/sub/."));
}

static void fail_rename(void)
{
	FAILS(EEXIST, renameat2(AT_FDCWD, "d/file", AT_FDCWD, "e/target", RENAME_NOREPLACE));
	FAILS(ENOENT, renameat2(AT_FDCWD, "d/file", AT_FDCWD, "e/absent", RENAME_EXCHANGE));
	FAILS(ENOENT, rename("d/absent", "e/target"));
	FAILS(ENOTEMPTY, rename("d/sub", "e/full"));
	FAILS(EISDIR, rename("d/file", "d/sub"));
	FAILS(ENOTDIR, rename("d/sub", "d/file"));
	FAILS(EINVAL, rename("d", "d/sub/new"));
	FAILS(EINVAL, renameat2(AT_FDCWD, "d/file", AT_FDCWD, "e/x", RENAME_NOREPLACE | RENAME_EXCHANGE));
}

static void fail_content(void)
{
	int reader = FD(open("d/file", O_RDONLY | O_CLOEXEC)),
	    writer = FD(open("d/file", O_RDWR | O_CLOEXEC));

	FAILS(EBADF, write(reader, "x", 1));
	FAILS(EINVAL, pwrite(writer, "x", 1, -1));
	FAILS(EINVAL, ftruncate(writer, -1));
	FAILS(EINVAL, ftruncate(reader, 0));
	FAILS(EISDIR, truncate("d/sub", 0));
	FAILS(EISDIR, open("d/sub", O_WRONLY | O_TRUNC | O_CLOEXEC));
	FAILS(EINVAL, fallocate(writer, 0, 0, 0));
	FAILS(EBADF, fallocate(reader, 0, 0, 10));
	FAILS(EOPNOTSUPP, fallocate(writer, 1 << 12, 0, 10));
	FAILS(EINVAL, copy_file_range(writer, &(off_t){ 0 }, writer, &(off_t){ 1 }, 10, 0));
	FAILS(ENXIO, lseek(writer, 10000, SEEK_DATA));
}

static void fail_attributes(void)
{
	struct timespec odd[2] = { { 0, 1000000000 }, { 0, 0 } };

	FAILS(EINVAL, utimensat(AT_FDCWD, "d/file", odd, 0));
	FAILS(ENODATA, removexattr("d/file", "user.absent"));
	FAILS(EEXIST, setxattr("d/file", "user.there", "y", 1, XATTR_CREATE));
	FAILS(ENODATA, setxattr("d/file", "user.absent", "y", 1, XATTR_REPLACE));
	FAILS(EOPNOTSUPP, setxattr("d/file", "bogus.x", "y", 1, 0));
	FAILS(EPERM, lsetxattr("d/link", "user.x", "y", 1, 0));
}

/* As somebody who may not: nothing here belongs to the caller, nothing is open to all. */
static void fail_as_another(void)
{
	ops_become_user(12345, 12345);
	FAILS(EPERM, chmod("d/file", 0777));
	FAILS(EPERM, chown("d/file", 12345, 12345));
	FAILS(EACCES, utimensat(AT_FDCWD, "d/file", NULL, 0));
	FAILS(EACCES, truncate("d/file", 0));
	FAILS(EACCES, unlink("d/file"));
	FAILS(EACCES, rename("d/file", "e/file"));
	FAILS(EACCES, mkdir("d/new", 0755));
	FAILS(EACCES, setxattr("d/file", "user.x", "y", 1, 0));
}

static const struct moves_row failures[] = {
	{ "making", fail_create, "" },         { "removing", fail_remove, "" },
	{ "renaming", fail_rename, "" },       { "content", fail_content, "" },
	{ "attributes", fail_attributes, "" }, { NULL, NULL, NULL },
};

static void failing_calls(void)
{
	moves_run(failures);
}

static void failing_calls_of_others(void)
{
	static const struct moves_row row[] = {
		{ "as another user", fail_as_another, "" },
		{ NULL, NULL, NULL },
	};

	moves_run(row);
}

OPS_CASES(moves_names) = {
	{ "times_moved_by_calls_on_names", calls_on_names },
	{ "times_moved_by_failing_calls", failing_calls },
	{ "times_moved_by_failing_calls_of_others", failing_calls_of_others },
	{ NULL, NULL },
};
