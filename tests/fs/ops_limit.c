/* ops_limit.c - cases: link counts after every call on names, and the limit of a process on the size of files. */
#include "ops.h"
#include "ops_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- link counts ---- */

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

/* ---- RLIMIT_FSIZE ---- */

enum { LIMIT = 10000 };

static volatile sig_atomic_t n_signals;

static void count_signal(int number)
{
	(void)number;
	n_signals++;
}

static void limit_files(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	struct rlimit limit = { LIMIT, LIMIT };

	OK(sigaction(SIGXFSZ, &action, NULL));
	OK(setrlimit(RLIMIT_FSIZE, &limit));
}

/* EFBIG, and a signal. */
#define TOO_BIG(call) (FAILS(EFBIG, call), EQUAL(n_signals, 1), (void)(n_signals = 0))

static void writes_end_at_the_limit(void)
{
	static char bytes[LIMIT * 2];
	int fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

	limit_files();
	memset(bytes, 'x', sizeof bytes);
	EQUAL(OK(write(fd, bytes, sizeof bytes)), LIMIT);
	EQUAL(n_signals, 0);
	TOO_BIG(write(fd, "y", 1));
	TOO_BIG(pwrite(fd, "y", 1, LIMIT));
	TOO_BIG(pwrite(fd, "y", 1, LIMIT * 3));
	EQUAL(OK(pwrite(fd, "yy", 2, LIMIT - 1)), 1);
	EQUAL(ops_stat(fd).st_size, LIMIT);
	OK(pwrite(fd, "y", 1, 5));
	EQUAL(OK(write(fd, bytes, 0)), 0);
	signal(SIGXFSZ, SIG_IGN);
	FAILS(EFBIG, write(fd, "y", 1));
	EQUAL(ops_stat(fd).st_size, LIMIT);
}

static void sizes_end_at_the_limit(void)
{
	int fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

	limit_files();
	OK(ftruncate(fd, LIMIT));
	TOO_BIG(ftruncate(fd, LIMIT + 1));
	TOO_BIG(truncate("file", LIMIT + 1));
	TOO_BIG(fallocate(fd, 0, 0, LIMIT + 1));
	TOO_BIG(fallocate(fd, FALLOC_FL_ZERO_RANGE, LIMIT, 1));
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LIMIT * 2));
	EQUAL(ops_stat(fd).st_size, LIMIT);
	OK(ftruncate(fd, 0));
	EQUAL(n_signals, 0);
}

static void copies_end_at_the_limit(void)
{
	off_t from = 0, to = LIMIT - 5;
	int fd, other;

	ops_make_file("source", 5000);
	fd = FD(open("source", O_RDONLY | O_CLOEXEC));
	other = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	limit_files();
	EQUAL(OK(copy_file_range(fd, &from, other, &to, 5000, 0)), 5);
	EQUAL(to, LIMIT);
	TOO_BIG(copy_file_range(fd, &from, other, &to, 100, 0));
	EQUAL(ops_stat(other).st_size, LIMIT);
}

static void larger_files_stay_what_they_are(void)
{
	char *map;
	int fd;

	ops_make_file("file", LIMIT * 2);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	limit_files();
	TOO_BIG(pwrite(fd, "y", 1, LIMIT + 5));
	TOO_BIG(ftruncate(fd, LIMIT * 3));
	OK(pwrite(fd, "y", 1, LIMIT - 1));
	map = mmap(NULL, LIMIT * 2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	map[LIMIT + 10] = 'y'; /* a store makes nothing larger */
	OK(msync(map, LIMIT * 2, MS_SYNC));
	OK(ftruncate(fd, LIMIT + 11));
	EQUAL(OK(pread(fd, &(char){ 0 }, 1, LIMIT + 10)), 1);
	EQUAL(n_signals, 0);
}

OPS_CASES(limit) = {
	{ "link_counts_after_every_call", link_counts_after_every_call },
	{ "link_counts_of_what_is_gone", what_is_gone_has_none },
	{ "RLIMIT_FSIZE_of_writes", writes_end_at_the_limit },
	{ "RLIMIT_FSIZE_of_sizes", sizes_end_at_the_limit },
	{ "RLIMIT_FSIZE_of_copies", copies_end_at_the_limit },
	{ "RLIMIT_FSIZE_of_larger_files", larger_files_stay_what_they_are },
	{ NULL, NULL },
};
