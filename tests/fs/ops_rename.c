/* ops_rename.c - cases: rename and renameat2 in all their forms. */
#include "ops.h"
#include "ops_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct fixture_row rename_rows[] = {
	{ "a file to a new name", CALL_RENAME, "file", "new", 0, 0, "file", "new" },
	{ "into another directory", CALL_RENAME, "file", "dir/new", 0, 0, "file", "dir/new" },
	{ "over a file", CALL_RENAME, "file", "other", 0, 0, "file", "other" },
	{ "over itself", CALL_RENAME, "file", "file", 0, 0, NULL, "file" },
	{ "over a hard link of itself", CALL_RENAME, "file", "hard", 0, 0, NULL, "file" },
	{ "a file over a link", CALL_RENAME, "file", "dirlink", 0, 0, "file", "dirlink" },
	{ "a link", CALL_RENAME, "link", "new", 0, 0, "link", "new" },
	{ "a pipe over a file", CALL_RENAME, "pipe", "file", 0, 0, "pipe", "file" },
	{ "a file over a directory", CALL_RENAME, "file", "empty", 0, EISDIR, NULL, NULL },
	{ "a directory to a new name", CALL_RENAME, "dir", "new", 0, 0, "dir", "new/child" },
	{ "a directory into another", CALL_RENAME, "dir", "empty/new", 0, 0, "dir", "empty/new/sub" },
	{ "a directory over an empty one", CALL_RENAME, "dir", "empty", 0, 0, "dir", "empty/child" },
	{ "a directory over a full one", CALL_RENAME, "empty", "dir", 0, ENOTEMPTY, NULL, NULL },
	{ "a directory over a file", CALL_RENAME, "dir", "file", 0, ENOTDIR, NULL, NULL },
	{ "a directory over itself", CALL_RENAME, "dir", "dir", 0, 0, NULL, "dir/child" },
	{ "a directory into itself", CALL_RENAME, "dir", "dir/new", 0, EINVAL, NULL, NULL },
	{ "a directory into its own child", CALL_RENAME, "dir", "dir/sub/new", 0, EINVAL, NULL, NULL },
	{ "a directory over its own parent", CALL_RENAME, "dir/sub", "dir", 0, ENOTEMPTY, NULL, NULL },
	{ "with a slash behind", CALL_RENAME, "dir/", "new/", 0, 0, "dir", "new/sub" },
	{ "a file with a slash behind", CALL_RENAME, "file", "new/", 0, ENOTDIR, NULL, NULL },
	{ "nothing", CALL_RENAME, "absent", "new", 0, ENOENT, NULL, NULL },
	{ "into nothing", CALL_RENAME, "file", "absent/new", 0, ENOENT, NULL, NULL },
	{ "below a file", CALL_RENAME, "file", "other/new", 0, ENOTDIR, NULL, NULL },
	{ "dot", CALL_RENAME, "dir/.", "new", 0, EBUSY, NULL, NULL },
	{ "NOREPLACE to a new name", CALL_RENAME, "file", "new", RENAME_NOREPLACE, 0, "file", "new" },
	{ "NOREPLACE over a file", CALL_RENAME, "file", "other", RENAME_NOREPLACE, EEXIST, NULL, NULL },
	{ "NOREPLACE over itself", CALL_RENAME, "file", "file", RENAME_NOREPLACE, EEXIST, NULL, NULL },
	{ "NOREPLACE over an empty directory", CALL_RENAME, "dir", "empty", RENAME_NOREPLACE, EEXIST, NULL,
	  NULL },
	{ "NOREPLACE over a link to nowhere", CALL_RENAME, "file", "dangling", RENAME_NOREPLACE, EEXIST, NULL,
	  NULL },
	{ "EXCHANGE of files", CALL_RENAME, "file", "other", RENAME_EXCHANGE, 0, NULL, "file" },
	{ "EXCHANGE of a file and a directory", CALL_RENAME, "file", "dir", RENAME_EXCHANGE, 0, NULL,
	  "file/child" },
	{ "EXCHANGE over directories", CALL_RENAME, "dir/child", "file", RENAME_EXCHANGE, 0, NULL,
	  "dir/child" },
	{ "EXCHANGE with itself", CALL_RENAME, "file", "file", RENAME_EXCHANGE, 0, NULL, "file" },
	{ "EXCHANGE of hard links", CALL_RENAME, "file", "hard", RENAME_EXCHANGE, 0, NULL, "hard" },
	{ "EXCHANGE with nothing", CALL_RENAME, "file", "absent", RENAME_EXCHANGE, ENOENT, NULL, NULL },
	{ "EXCHANGE with the own parent", CALL_RENAME, "dir/sub", "dir", RENAME_EXCHANGE, EINVAL, NULL,
	  NULL },
	{ "EXCHANGE with the own child", CALL_RENAME, "dir", "dir/sub", RENAME_EXCHANGE, EINVAL, NULL, NULL },
	{ "both flags", CALL_RENAME, "file", "other", RENAME_NOREPLACE | RENAME_EXCHANGE, EINVAL, NULL,
	  NULL },
	{ "a flag nobody knows", CALL_RENAME, "file", "other", 1 << 20, EINVAL, NULL, NULL },
	{ 0 }
};

static void renames(void)
{
	fixture_run(rename_rows);
}

static void hard_link_of_itself_keeps_both(void)
{
	ops_make_file("a", 4);
	OK(link("a", "b"));
	OK(rename("a", "b"));
	CHECK(ops_there("a") && ops_there("b"));
	EQUAL(ops_lstat("a").st_nlink, 2);
}

static void exchange_swaps_inodes(void)
{
	ino_t file, directory;

	ops_make_file("file", 4);
	OK(mkdir("dir", 0755));
	OK(mkdir("dir/deeper", 0755));
	ops_make_file("dir/deeper/x", 4);
	file = ops_lstat("file").st_ino;
	directory = ops_lstat("dir/deeper").st_ino;
	OK(renameat2(AT_FDCWD, "file", AT_FDCWD, "dir/deeper", RENAME_EXCHANGE));
	EQUAL(ops_lstat("file").st_ino, directory);
	EQUAL(ops_lstat("dir/deeper").st_ino, file);
	CHECK(ops_there("file/x"));
	/* ".." of what moved is where it is now */
	EQUAL(ops_lstat("file/..").st_ino, ops_lstat(".").st_ino);
	EQUAL(ops_lstat(".").st_nlink, 4);
	EQUAL(ops_lstat("dir").st_nlink, 2);
}

static void replaced_file_lives_while_open(void)
{
	uint8_t bytes[100];
	int fd;

	ops_make_file("old", 100);
	ops_make_file("new", 10);
	fd = FD(open("old", O_RDWR | O_CLOEXEC));
	OK(rename("new", "old"));
	EQUAL(ops_lstat("old").st_size, 10);
	EQUAL(ops_stat(fd).st_nlink, 0);
	EQUAL(OK(pread(fd, bytes, sizeof bytes, 0)), 100);
	CHECK(ops_is_pattern(bytes, 100, 0));
	EQUAL(OK(pwrite(fd, "xyz", 3, 1000)), 3);
	EQUAL(ops_stat(fd).st_size, 1003);
	OK(close(fd));
	EQUAL(ops_lstat("old").st_size, 10);
}

static void link_counts_follow(void)
{
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mkdir("a/x", 0755));
	EQUAL(ops_lstat("a").st_nlink, 3);
	OK(rename("a/x", "b/x"));
	EQUAL(ops_lstat("a").st_nlink, 2);
	EQUAL(ops_lstat("b").st_nlink, 3);
	OK(rename("a", "b/x")); /* over an empty directory: one goes, one comes */
	EQUAL(ops_lstat("b").st_nlink, 3);
	EQUAL(ops_lstat(".").st_nlink, 3);
}

static void open_files_follow_a_renamed_directory(void)
{
	int fd, dir;

	OK(mkdir("a", 0755));
	OK(mkdir("a/deep", 0755));
	ops_make_file("a/deep/file", 5);
	fd = FD(open("a/deep/file", O_RDWR | O_CLOEXEC));
	dir = FD(open("a/deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	OK(rename("a", "b"));
	EQUAL(OK(pwrite(fd, "more", 4, 5)), 4);
	EQUAL(ops_lstat("b/deep/file").st_size, 9);
	OK(renameat(dir, "file", dir, "renamed"));
	CHECK(ops_there("b/deep/renamed"));
	CHECK(!ops_there("a"));
	OK(fchdir(dir));
	CHECK(ops_there("../../b/deep/renamed"));
}

static void many_at_once_keep_every_name(void)
{
	char from[32], to[32];

	for (int i = 0; i < 200; i++) {
		snprintf(from, sizeof from, "r0.%d", i);
		OK(close(FD(open(from, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644))));
	}
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 200; i++) {
			snprintf(from, sizeof from, "r%d.%d", round, i);
			snprintf(to, sizeof to, "r%d.%d", round + 1, i);
			OK(rename(from, to));
			CHECK(!ops_there(from));
		}
	}
	EQUAL(ops_count("."), 200);
}

OPS_CASES(rename) = {
	{ "rename", renames },
	{ "rename_to_a_hard_link_of_itself_keeps_both", hard_link_of_itself_keeps_both },
	{ "rename_exchange_swaps_inodes", exchange_swaps_inodes },
	{ "rename_over_an_open_file_leaves_it_readable", replaced_file_lives_while_open },
	{ "rename_of_directories_moves_link_counts", link_counts_follow },
	{ "rename_of_a_directory_with_open_files", open_files_follow_a_renamed_directory },
	{ "rename_many", many_at_once_keep_every_name },
	{ NULL, NULL },
};
