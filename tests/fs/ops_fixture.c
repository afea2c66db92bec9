/* ops_fixture.c - one small tree, and table rows that do one call on it. */
#include "ops_fixture.h"
#include "ops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void fixture_make(void)
{
	OK(mkdir("tree", 0755));
	OK(chdir("tree"));
	ops_make_file("file", 10);
	OK(link("file", "hard"));
	ops_make_file("other", 5);
	OK(mkdir("dir", 0755));
	ops_make_file("dir/child", 3);
	OK(mkdir("dir/sub", 0755));
	OK(mkdir("empty", 0755));
	OK(mkfifo("pipe", 0644));
	OK(symlink("file", "link"));
	OK(symlink("dir", "dirlink"));
	OK(symlink("nowhere", "dangling"));
	OK(symlink("loop", "loop"));
}

static uint64_t digest;

static int add_to_digest(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	uint64_t x = st->st_ino * 31 + st->st_mode * 7 + st->st_nlink;

	(void)type;
	(void)ftw;
	if (!S_ISDIR(st->st_mode))
		x += (uint64_t)st->st_size * 1009;
	for (const char *c = path; *c; c++)
		x = x * UINT64_C(1099511628211) + (unsigned char)*c;
	digest += x; /* a sum: the order of names does not count */
	return 0;
}

static uint64_t tree_digest(void)
{
	digest = 0;
	OK(nftw(".", add_to_digest, 8, FTW_PHYS));
	return digest;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int open_and_close(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	return fd < 0 ? errno : ops_errno(close(fd));
}

static int opendir_and_close(const char *path)
{
	DIR *directory = opendir(path);

	return !directory ? errno : ops_errno(closedir(directory));
}

int fixture_call(int call, const char *a, const char *b, int arg)
{
	char buffer[16];
	struct stat st;

	switch ((enum fixture_call)call) {
	case CALL_OPEN:
		return open_and_close(a, arg);
	case CALL_MKDIR:
		return ops_errno(mkdir(a, (mode_t)arg));
	case CALL_RMDIR:
		return ops_errno(rmdir(a));
	case CALL_UNLINK:
		return ops_errno(unlink(a));
	case CALL_RENAME:
		return ops_errno(renameat2(AT_FDCWD, a, AT_FDCWD, b, (unsigned)arg));
	case CALL_LINK:
		return ops_errno(link(a, b));
	case CALL_SYMLINK:
		return ops_errno(symlink(a, b));
	case CALL_READLINK:
		return ops_errno(readlink(a, buffer, sizeof buffer));
	case CALL_STAT:
		return ops_errno(stat(a, &st));
	case CALL_TRUNCATE:
		return ops_errno(truncate(a, arg));
	case CALL_CHMOD:
		return ops_errno(chmod(a, (mode_t)arg));
	case CALL_OPENDIR:
		return opendir_and_close(a);
	case CALL_MKFIFO:
		return ops_errno(mkfifo(a, (mode_t)arg));
	}
	ops_fail(__FILE__, __LINE__, "no such call: %d", call);
}

static void run_row(const struct fixture_row *row)
{
	uint64_t before;
	int got;

	ops_row(row->what);
	fixture_make();
	before = tree_digest();
	got = fixture_call(row->call, row->a, row->b, row->arg);
	if (got != row->want)
		ops_fail(__FILE__, __LINE__, "%s, wanted %s", got ? strerrorname_np(got) : "succeeded",
			 row->want ? strerrorname_np(row->want) : "success");
	if (row->want != 0)
		CHECK(tree_digest() == before);
	if (row->gone)
		CHECK(!ops_there(row->gone));
	if (row->there)
		CHECK(ops_there(row->there));
	OK(chdir(".."));
	OK(nftw("tree", remove_one, 8, FTW_DEPTH | FTW_PHYS));
}

void fixture_run(const struct fixture_row *rows)
{
	for (; rows->what; rows++)
		run_row(rows);
}
