/* ops_names.c - cases: names come, are found, and go; which errno when they do not.
 *
 * Tables of rows over one fixture tree. A row that fails must leave the tree as it was. */
#include "ops.h"
#include "ops_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct fixture_row create_rows[] = {
	{ "a new file", CALL_OPEN, "new", NULL, O_CREAT | O_EXCL, 0, NULL, "new" },
	{ "a file that is there", CALL_OPEN, "file", NULL, O_CREAT, 0, NULL, "file" },
	{ "O_EXCL on a file that is there", CALL_OPEN, "file", NULL, O_CREAT | O_EXCL, EEXIST, NULL, NULL },
	{ "O_EXCL on a directory", CALL_OPEN, "dir", NULL, O_CREAT | O_EXCL, EEXIST, NULL, NULL },
	{ "O_EXCL on a link to nowhere", CALL_OPEN, "dangling", NULL, O_CREAT | O_EXCL, EEXIST, NULL, NULL },
	{ "through a link to nowhere", CALL_OPEN, "dangling", NULL, O_CREAT, 0, NULL, "nowhere" },
	{ "in a directory that is not there", CALL_OPEN, "absent/new", NULL, O_CREAT, ENOENT, NULL, NULL },
	{ "below a file", CALL_OPEN, "file/new", NULL, O_CREAT, ENOTDIR, NULL, NULL },
	{ "over a directory", CALL_OPEN, "dir", NULL, O_CREAT, EISDIR, NULL, NULL },
	{ "with a slash behind", CALL_OPEN, "new/", NULL, O_CREAT, EISDIR, NULL, NULL },
	{ "the empty name", CALL_OPEN, "", NULL, O_CREAT, ENOENT, NULL, NULL },
	{ "through a loop of links", CALL_OPEN, "loop", NULL, O_CREAT, ELOOP, NULL, NULL },
	{ "through a link to a directory", CALL_OPEN, "dirlink/new", NULL, O_CREAT, 0, NULL, "dir/new" },
	{ 0 }
};

static const struct fixture_row open_rows[] = {
	{ "a file", CALL_OPEN, "file", NULL, 0, 0, NULL, "file" },
	{ "nothing", CALL_OPEN, "absent", NULL, 0, ENOENT, NULL, NULL },
	{ "a directory to read", CALL_OPEN, "dir", NULL, 0, 0, NULL, "dir" },
	{ "a directory to write", CALL_OPEN, "dir", NULL, O_WRONLY, EISDIR, NULL, NULL },
	{ "a directory to truncate", CALL_OPEN, "dir", NULL, O_RDWR | O_TRUNC, EISDIR, NULL, NULL },
	{ "a file as a directory", CALL_OPEN, "file", NULL, O_DIRECTORY, ENOTDIR, NULL, NULL },
	{ "a file with a slash behind", CALL_OPEN, "file/", NULL, 0, ENOTDIR, NULL, NULL },
	{ "below a file", CALL_OPEN, "file/x", NULL, 0, ENOTDIR, NULL, NULL },
	{ "a link without following", CALL_OPEN, "link", NULL, O_NOFOLLOW, ELOOP, NULL, NULL },
	{ "a link to nowhere", CALL_OPEN, "dangling", NULL, 0, ENOENT, NULL, NULL },
	{ "a loop of links", CALL_OPEN, "loop", NULL, 0, ELOOP, NULL, NULL },
	{ "a pipe nobody reads", CALL_OPEN, "pipe", NULL, O_WRONLY | O_NONBLOCK, ENXIO, NULL, NULL },
	{ "a link as a directory, not followed", CALL_OPEN, "dirlink", NULL, O_DIRECTORY | O_NOFOLLOW,
	  ENOTDIR, NULL, NULL },
	{ 0 }
};

static const struct fixture_row mkdir_rows[] = {
	{ "a new one", CALL_MKDIR, "new", NULL, 0755, 0, NULL, "new" },
	{ "with a slash behind", CALL_MKDIR, "new/", NULL, 0755, 0, NULL, "new" },
	{ "over a directory", CALL_MKDIR, "dir", NULL, 0755, EEXIST, NULL, NULL },
	{ "over a file", CALL_MKDIR, "file", NULL, 0755, EEXIST, NULL, NULL },
	{ "over a link to nowhere", CALL_MKDIR, "dangling", NULL, 0755, EEXIST, NULL, NULL },
	{ "dot", CALL_MKDIR, ".", NULL, 0755, EEXIST, NULL, NULL },
	{ "below a file", CALL_MKDIR, "file/x", NULL, 0755, ENOTDIR, NULL, NULL },
	{ "below nothing", CALL_MKDIR, "absent/x", NULL, 0755, ENOENT, NULL, NULL },
	{ 0 }
};

static const struct fixture_row remove_rows[] = {
	{ "unlink a file", CALL_UNLINK, "file", NULL, 0, 0, "file", "hard" },
	{ "unlink a link, not what it names", CALL_UNLINK, "link", NULL, 0, 0, "link", "file" },
	{ "unlink a link to a directory", CALL_UNLINK, "dirlink", NULL, 0, 0, "dirlink", "dir" },
	{ "unlink a pipe", CALL_UNLINK, "pipe", NULL, 0, 0, "pipe", NULL },
	{ "unlink nothing", CALL_UNLINK, "absent", NULL, 0, ENOENT, NULL, NULL },
	{ "unlink a directory", CALL_UNLINK, "empty", NULL, 0, EISDIR, NULL, NULL },
	{ "unlink below a file", CALL_UNLINK, "file/x", NULL, 0, ENOTDIR, NULL, NULL },
	{ "unlink with a slash behind", CALL_UNLINK, "file/", NULL, 0, ENOTDIR, NULL, NULL },
	{ "unlink a link with a slash behind", CALL_UNLINK, "dirlink/", NULL, 0, ENOTDIR, NULL, NULL },
	{ "rmdir an empty one", CALL_RMDIR, "empty", NULL, 0, 0, "empty", NULL },
	{ "rmdir a full one", CALL_RMDIR, "dir", NULL, 0, ENOTEMPTY, NULL, NULL },
	{ "rmdir a file", CALL_RMDIR, "file", NULL, 0, ENOTDIR, NULL, NULL },
	{ "rmdir a link", CALL_RMDIR, "dirlink", NULL, 0, ENOTDIR, NULL, NULL },
	{ "rmdir nothing", CALL_RMDIR, "absent", NULL, 0, ENOENT, NULL, NULL },
	{ "rmdir dot", CALL_RMDIR, "empty/.", NULL, 0, EINVAL, NULL, NULL },
	{ "rmdir dot dot", CALL_RMDIR, "dir/sub/..", NULL, 0, ENOTEMPTY, NULL, NULL },
	{ 0 }
};

static const struct fixture_row link_rows[] = {
	{ "a file", CALL_LINK, "file", "new", 0, 0, NULL, "new" },
	{ "into another directory", CALL_LINK, "file", "dir/new", 0, 0, NULL, "dir/new" },
	{ "a symbolic link itself", CALL_LINK, "dangling", "new", 0, 0, NULL, "new" },
	{ "a pipe", CALL_LINK, "pipe", "new", 0, 0, NULL, "new" },
	{ "over a file", CALL_LINK, "file", "other", 0, EEXIST, NULL, NULL },
	{ "over itself", CALL_LINK, "file", "file", 0, EEXIST, NULL, NULL },
	{ "over a directory", CALL_LINK, "file", "dir", 0, EEXIST, NULL, NULL },
	{ "nothing", CALL_LINK, "absent", "new", 0, ENOENT, NULL, NULL },
	{ "into nothing", CALL_LINK, "file", "absent/new", 0, ENOENT, NULL, NULL },
	{ "below a file", CALL_LINK, "file", "other/new", 0, ENOTDIR, NULL, NULL },
	{ "a directory", CALL_LINK, "dir", "new", 0, EPERM, NULL, NULL },
	{ 0 }
};

static const struct fixture_row symlink_rows[] = {
	{ "to a file", CALL_SYMLINK, "file", "new", 0, 0, NULL, "new" },
	{ "to nothing", CALL_SYMLINK, "what ever", "new", 0, 0, NULL, "new" },
	{ "to the empty name", CALL_SYMLINK, "", "new", 0, ENOENT, NULL, NULL },
	{ "over a file", CALL_SYMLINK, "x", "file", 0, EEXIST, NULL, NULL },
	{ "over a link", CALL_SYMLINK, "x", "dangling", 0, EEXIST, NULL, NULL },
	{ "in nothing", CALL_SYMLINK, "x", "absent/new", 0, ENOENT, NULL, NULL },
	{ "below a file", CALL_SYMLINK, "x", "file/new", 0, ENOTDIR, NULL, NULL },
	{ "read a file", CALL_READLINK, "file", NULL, 0, EINVAL, NULL, NULL },
	{ "read a directory", CALL_READLINK, "dir", NULL, 0, EINVAL, NULL, NULL },
	{ "read nothing", CALL_READLINK, "absent", NULL, 0, ENOENT, NULL, NULL },
	{ "read a link", CALL_READLINK, "link", NULL, 0, 0, NULL, "link" },
	{ 0 }
};

static const struct fixture_row lookup_rows[] = {
	{ "a file", CALL_STAT, "file", NULL, 0, 0, NULL, NULL },
	{ "dot dot and back", CALL_STAT, "dir/../dir/./child", NULL, 0, 0, NULL, NULL },
	{ "nothing", CALL_STAT, "absent", NULL, 0, ENOENT, NULL, NULL },
	{ "nothing, asked again", CALL_STAT, "absent", NULL, 0, ENOENT, NULL, NULL },
	{ "the empty name", CALL_STAT, "", NULL, 0, ENOENT, NULL, NULL },
	{ "below a file", CALL_STAT, "file/x", NULL, 0, ENOTDIR, NULL, NULL },
	{ "dot of a file", CALL_STAT, "file/.", NULL, 0, ENOTDIR, NULL, NULL },
	{ "a loop", CALL_STAT, "loop", NULL, 0, ELOOP, NULL, NULL },
	{ "to nowhere", CALL_STAT, "dangling", NULL, 0, ENOENT, NULL, NULL },
	{ "truncate a directory", CALL_TRUNCATE, "dir", NULL, 5, EISDIR, NULL, NULL },
	{ "truncate nothing", CALL_TRUNCATE, "absent", NULL, 5, ENOENT, NULL, NULL },
	{ "truncate below a file", CALL_TRUNCATE, "file/x", NULL, 5, ENOTDIR, NULL, NULL },
	{ "truncate to less than nothing", CALL_TRUNCATE, "file", NULL, -1, EINVAL, NULL, NULL },
	{ "truncate a pipe", CALL_TRUNCATE, "pipe", NULL, 5, EINVAL, NULL, NULL },
	{ "chmod nothing", CALL_CHMOD, "absent", NULL, 0600, ENOENT, NULL, NULL },
	{ "chmod below a file", CALL_CHMOD, "file/x", NULL, 0600, ENOTDIR, NULL, NULL },
	{ "list a file", CALL_OPENDIR, "file", NULL, 0, ENOTDIR, NULL, NULL },
	{ "list nothing", CALL_OPENDIR, "absent", NULL, 0, ENOENT, NULL, NULL },
	{ "pipe over a file", CALL_MKFIFO, "file", NULL, 0600, EEXIST, NULL, NULL },
	{ "pipe in nothing", CALL_MKFIFO, "absent/x", NULL, 0600, ENOENT, NULL, NULL },
	{ 0 }
};

static void create(void)
{
	fixture_run(create_rows);
}

static void open_errors(void)
{
	fixture_run(open_rows);
}

static void make_directories(void)
{
	fixture_run(mkdir_rows);
}

static void remove_names(void)
{
	fixture_run(remove_rows);
}

static void link_names(void)
{
	fixture_run(link_rows);
}

static void symlinks(void)
{
	fixture_run(symlink_rows);
}

static void lookups(void)
{
	fixture_run(lookup_rows);
}

static void names_255_and_256(void)
{
	char name[257];

	memset(name, 'n', sizeof name);
	name[256] = 0;
	FAILS(ENAMETOOLONG, open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	FAILS(ENAMETOOLONG, mkdir(name, 0755));
	FAILS(ENAMETOOLONG, symlink("x", name));
	FAILS(ENAMETOOLONG, mkfifo(name, 0644));
	FAILS(ENAMETOOLONG, access(name, F_OK));
	FAILS(ENAMETOOLONG, unlink(name));
	FAILS(ENAMETOOLONG, rmdir(name));
	ops_make_file("short", 5);
	FAILS(ENAMETOOLONG, rename("short", name));
	FAILS(ENAMETOOLONG, link("short", name));
	name[255] = 0;
	OK(rename("short", name));
	CHECK(ops_there(name));
	EQUAL(ops_count("."), 1);
	OK(unlink(name));
	OK(mkdir(name, 0755));
	OK(rmdir(name));
	OK(symlink("x", name));
	EQUAL(ops_count("."), 1);
	OK(unlink(name));
}

static void trees_deeper_than_a_path(void)
{
	char name[201];
	int fd = FD(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int fds[31] = { fd };

	memset(name, 'd', 200);
	name[200] = 0;
	/* 30 x 200 bytes: longer than any path may be, so only relative calls get there */
	for (int i = 0; i < 30; i++) {
		OK(mkdirat(fds[i], name, 0755));
		fds[i + 1] = FD(openat(fds[i], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	}
	OK(close(FD(openat(fds[30], "file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644))));
	OK(renameat(fds[30], "file", fds[0], "came up"));
	OK(renameat(fds[0], "came up", fds[30], "went down"));
	OK(unlinkat(fds[30], "went down", 0));
	for (int i = 29; i >= 0; i--)
		OK(unlinkat(fds[i], name, AT_REMOVEDIR));
}

static void names_of_any_bytes(void)
{
	static const char *const names[] = { "\xff\xfe",    "\xc3\x28",     "a\xe2\x82", "new\nline", " ",
					     "tab\t",       "\x01",         "\\",        "*?[",       "-rf",
					     "caf\xc3\xa9", "cafe\xcc\x81", "...",       "\"quoted\"" };
	char first[256];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		OK(close(FD(open(names[i], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644))));
		CHECK(ops_there(names[i]));
		EQUAL(ops_count("."), i + 1);
	}
	for (int c = 1; c < 256; c++) {
		if (c == '/')
			continue;
		snprintf(first, sizeof first, "%cx", c);
		OK(mkdir(first, 0755));
		CHECK(ops_there(first));
	}
	EQUAL(ops_count("."), sizeof names / sizeof *names + 254);
	/* Case counts. */
	OK(mkdir("Case", 0755));
	CHECK(!ops_there("CASE"));
	OK(mkdir("CASE", 0755));
}

static void symlink_targets_are_kept(void)
{
	static char target[4096], got[4096 + 1];

	for (size_t size = 1; size <= 4095;
	     size = size < 100 ? size + 9 : size * 2 - (size > 2000 ? size * 2 - 4095 : 0)) {
		memset(target, '/', size);
		memset(target + size / 2, '\xfe', size - size / 2);
		target[size] = 0;
		OK(symlink(target, "link"));
		EQUAL(ops_lstat("link").st_size, size);
		EQUAL(OK(readlink("link", got, sizeof got)), size);
		CHECK(memcmp(target, got, size) == 0);
		CHECK(size < 10 || OK(readlink("link", got, 7)) == 7);
		EQUAL(ops_lstat("link").st_mode, S_IFLNK | 0777);
		OK(unlink("link"));
		if (size == 4095)
			break;
	}
}

OPS_CASES(name) = {
	{ "create", create },
	{ "open", open_errors },
	{ "mkdir", make_directories },
	{ "unlink_and_rmdir", remove_names },
	{ "link", link_names },
	{ "symlink_and_readlink", symlinks },
	{ "lookup", lookups },
	{ "names_of_255_and_256_bytes", names_255_and_256 },
	{ "trees_deeper_than_a_path", trees_deeper_than_a_path },
	{ "names_of_any_bytes", names_of_any_bytes },
	{ "symlink_targets_are_kept", symlink_targets_are_kept },
	{ NULL, NULL },
};
