/* ops_count.c - cases: link counts of everything around, after every call on names. */
#include "ops.h"
#include "ops_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Calls on a/ with dir/ and file, and b/ with dir/, empty/ and file; how many links they and what is in them have then,
 * and "." which holds both. */
static const struct {
	const char *what;
	int call;
	const char *from, *to;
	int arg;
	int top, a, b;
	const char *named;
	int links;
} count_rows[] = {
	{ "nothing", CALL_STAT, "a", NULL, 0, 4, 3, 4, "a/file", 1 },
	{ "mkdir", CALL_MKDIR, "a/new", NULL, 0755, 4, 4, 4, "a/new", 2 },
	{ "mkdir that fails", CALL_MKDIR, "a/dir", NULL, 0755, 4, 3, 4, "a/dir", 2 },
	{ "mkdir in a directory below", CALL_MKDIR, "a/dir/new", NULL, 0755, 4, 3, 4, "a/dir", 3 },
	{ "rmdir", CALL_RMDIR, "b/empty", NULL, 0, 4, 3, 3, "b", 3 },
	{ "rmdir that fails", CALL_RMDIR, "a", NULL, 0, 4, 3, 4, "a", 3 },
	{ "a file", CALL_OPEN, "a/new", NULL, O_CREAT | O_RDWR, 4, 3, 4, "a/new", 1 },
	{ "a symlink", CALL_SYMLINK, "x", "a/new", 0, 4, 3, 4, "a/new", 1 },
	{ "link", CALL_LINK, "a/file", "b/new", 0, 4, 3, 4, "a/file", 2 },
	{ "unlink", CALL_UNLINK, "a/file", NULL, 0, 4, 3, 4, "b/file", 1 },
	{ "rename a file across", CALL_RENAME, "a/file", "b/new", 0, 4, 3, 4, "b/new", 1 },
	{ "rename a directory within", CALL_RENAME, "a/dir", "a/new", 0, 4, 3, 4, "a/new", 2 },
	{ "rename a directory across", CALL_RENAME, "a/dir", "b/new", 0, 4, 2, 5, "b/new", 2 },
	{ "rename a directory across, over an empty one", CALL_RENAME, "a/dir", "b/empty", 0, 4, 2, 4,
	  "b/empty", 2 },
	{ "rename a directory over an empty one beside it", CALL_RENAME, "b/dir", "b/empty", 0, 4, 3, 3,
	  "b/empty", 2 },
	{ "rename a directory up", CALL_RENAME, "a/dir", "new", 0, 5, 2, 4, "new", 2 },
	{ "rename a full directory down", CALL_RENAME, "a", "b/new", 0, 3, 0, 5, "b/new", 3 },
	{ "rename a full directory down, over an empty one", CALL_RENAME, "a", "b/empty", 0, 3, 0, 4,
	  "b/empty", 3 },
	{ "exchange of directories across", CALL_RENAME, "a/dir", "b/dir", RENAME_EXCHANGE, 4, 3, 4, "a/dir",
	  2 },
	{ "exchange of a directory and a file across", CALL_RENAME, "a/dir", "b/file", RENAME_EXCHANGE, 4, 2,
	  5, "a/dir", 1 },
	{ "exchange of a file and a directory across", CALL_RENAME, "a/file", "b/dir", RENAME_EXCHANGE, 4, 4,
	  3, "b/dir", 1 },
	{ "exchange of a full directory and an empty one", CALL_RENAME, "a", "b/empty", RENAME_EXCHANGE, 4, 2,
	  4, "b/empty", 3 },
	{ "exchange of a full directory and a file", CALL_RENAME, "a", "b/file", RENAME_EXCHANGE, 3, 1, 5,
	  "b/file", 3 },
	{ "exchange beside each other", CALL_RENAME, "b/dir", "b/file", RENAME_EXCHANGE, 4, 3, 4, "b/file",
	  2 },
	{ "rename over a file", CALL_RENAME, "a/file", "b/file", 0, 4, 3, 4, "b/file", 1 },
};

static void make_two(void)
{
	OK(mkdir("tree", 0755));
	OK(chdir("tree"));
	OK(mkdir("a", 0755));
	OK(mkdir("a/dir", 0755));
	ops_make_file("a/file", 3);
	OK(mkdir("b", 0755));
	OK(mkdir("b/dir", 0755));
	OK(mkdir("b/empty", 0755));
	ops_make_file("b/file", 3);
}

static int links_of(const char *path)
{
	return ops_there(path) ? (int)ops_lstat(path).st_nlink : 0;
}

static void link_counts_after_every_call(void)
{
	for (size_t i = 0; i < sizeof count_rows / sizeof *count_rows; i++) {
		ops_row(count_rows[i].what);
		make_two();
		(void)fixture_call(count_rows[i].call, count_rows[i].from, count_rows[i].to,
				   count_rows[i].arg);
		EQUAL(links_of("."), count_rows[i].top);
		EQUAL(links_of("a"), count_rows[i].a);
		EQUAL(links_of("b"), count_rows[i].b);
		EQUAL(links_of(count_rows[i].named), count_rows[i].links);
		fixture_remove();
	}
}

static void what_is_gone_has_none(void)
{
	int file, directory, replaced, full;

	make_two();
	file = FD(open("a/file", O_RDONLY | O_CLOEXEC));
	OK(link("a/file", "again"));
	OK(unlink("a/file"));
	EQUAL(ops_stat(file).st_nlink, 1);
	OK(unlink("again"));
	EQUAL(ops_stat(file).st_nlink, 0);
	directory = FD(open("a/dir", O_RDONLY | O_CLOEXEC));
	OK(rmdir("a/dir"));
	EQUAL(ops_stat(directory).st_nlink, 0);
	replaced = FD(open("b/empty", O_RDONLY | O_CLOEXEC));
	OK(rename("b/dir", "b/empty"));
	EQUAL(ops_stat(replaced).st_nlink, 0);
	full = FD(open("b/file", O_RDONLY | O_CLOEXEC));
	ops_make_file("new", 1);
	OK(rename("new", "b/file"));
	EQUAL(ops_stat(full).st_nlink, 0);
	EQUAL(ops_lstat("b").st_nlink, 3);
}

OPS_CASES(count) = {
	{ "link_counts_after_every_call", link_counts_after_every_call },
	{ "link_counts_of_what_is_gone", what_is_gone_has_none },
	{ NULL, NULL },
};
