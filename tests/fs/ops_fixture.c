/* ops_fixture.c - one small tree, and table rows that do one call on it. */
#include "ops_fixture.h"
#include "ops.h"

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
	x = x * 31 + (uint64_t)st->st_uid * 3 + st->st_gid;
	x = x * 31 + (uint64_t)st->st_mtim.tv_sec * 1000000007 + (uint64_t)st->st_mtim.tv_nsec;
	x = x * 31 + (uint64_t)st->st_ctim.tv_sec * 1000000007 + (uint64_t)st->st_ctim.tv_nsec;
	if (!S_ISDIR(st->st_mode))
		x += (uint64_t)st->st_size * 1009;
	for (const char *c = path; *c; c++)
		x = x * UINT64_C(1099511628211) + (unsigned char)*c;
	digest += x; /* a sum: the order of names does not count */
	return 0;
}

uint64_t fixture_digest(void)
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

void fixture_remove(void)
{
	OK(chdir(".."));
	OK(nftw("tree", remove_one, 8, FTW_DEPTH | FTW_PHYS));
}

void fixture_check(int got, int want)
{
	if (got != want)
		ops_fail(__FILE__, __LINE__, "%s, wanted %s", got ? strerrorname_np(got) : "succeeded",
			 want ? strerrorname_np(want) : "success");
}

static void run_row(const struct fixture_row *row)
{
	uint64_t before;
	int got;

	ops_row(row->what);
	fixture_make();
	before = fixture_digest();
	got = fixture_call(row->call, row->a, row->b, row->arg);
	fixture_check(got, row->want);
	if (row->want != 0)
		CHECK(fixture_digest() == before);
	if (row->gone)
		CHECK(!ops_there(row->gone));
	if (row->there)
		CHECK(ops_there(row->there));
	fixture_remove();
}

void fixture_run(const struct fixture_row *rows)
{
	for (; rows->what; rows++)
		run_row(rows);
}
