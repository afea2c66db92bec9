/* ops_moves.c - which times a call moves. See ops_moves.h. */
#include "ops_moves.h"
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

static const struct {
	char letter;
	const char *path;
} watched[] = {
	{ 'd', "d" },      { 'f', "d/file" }, { 'o', "d/other" },  { 's', "d/sub" },   { 'l', "d/link" },
	{ 'p', "d/pipe" }, { 'e', "e" },      { 't', "e/target" }, { 'm', "e/empty" }, { 'n', "e/full" },
};
enum { N_WATCHED = sizeof watched / sizeof *watched };

static void make_tree(void)
{
	OK(mkdir("d", 0755));
	ops_make_file("d/file", 10000);
	OK(setxattr("d/file", "user.there", "x", 1, 0));
	ops_make_file("d/other", 10000);
	OK(mkdir("d/sub", 0755));
	OK(symlink("file", "d/link"));
	OK(mkfifo("d/pipe", 0644));
	OK(mkdir("e", 0755));
	ops_make_file("e/target", 10000);
	OK(mkdir("e/empty", 0755));
	OK(mkdir("e/full", 0755));
	ops_make_file("e/full/one", 1);
}

int moves_open(int flags)
{
	int fd = FD(open("d/file", flags | O_CLOEXEC));

	OK(fdatasync(fd));
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	return fd;
}

/* 0 the same, 1 later; earlier is a fault of its own. */
static int moved(struct timespec before, struct timespec after)
{
	if (after.tv_sec == before.tv_sec && after.tv_nsec == before.tv_nsec)
		return 0;
	if (after.tv_sec < before.tv_sec || (after.tv_sec == before.tv_sec && after.tv_nsec < before.tv_nsec))
		ops_fail(__FILE__, __LINE__, "a time went back");
	return 1;
}

static void describe(const struct stat *before, const struct stat *after, char letter, char *text,
		     size_t size)
{
	int a = moved(before->st_atim, after->st_atim);
	int m = moved(before->st_mtim, after->st_mtim);
	int c = moved(before->st_ctim, after->st_ctim);
	size_t used = strlen(text);

	if (a || m || c)
		snprintf(text + used, size - used, "%s%c:%s%s%s", used ? " " : "", letter, a ? "a" : "",
			 m ? "m" : "", c ? "c" : "");
}

static void run_row(const struct moves_row *row)
{
	struct stat before[N_WATCHED];
	char text[N_WATCHED * 8] = "";
	int fds[N_WATCHED];

	make_tree();
	for (int i = 0; i < N_WATCHED; i++) {
		fds[i] = FD(open(watched[i].path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
		before[i] = ops_stat(fds[i]);
	}
	ops_tick();
	row->run();
	for (int i = 0; i < N_WATCHED; i++) {
		struct stat after = ops_stat(fds[i]);

		describe(&before[i], &after, watched[i].letter, text, sizeof text);
		OK(close(fds[i]));
	}
	if (strcmp(text, row->moves) != 0)
		ops_fail(__FILE__, __LINE__, "moved '%s', wanted '%s'", text, row->moves);
}

void moves_run(const struct moves_row *rows)
{
	for (int i = 0; rows[i].what; i++) {
		char base[16];

		ops_row(rows[i].what);
		snprintf(base, sizeof base, "row%d", i);
		OK(mkdir(base, 0755));
		OK(chdir(base));
		run_row(&rows[i]);
		OK(chdir(".."));
	}
}
