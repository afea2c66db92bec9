/* ops_time.c - cases: which call moves which time, of the thing and of its directories; times set and kept in ns. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* Each call finds d/file (10 bytes), d/other, d/sub/, d/full/x, d/link and the empty directory e. */
static void do_write(void)
{
	int fd = FD(open("d/file", O_WRONLY | O_CLOEXEC));

	OK(pwrite(fd, "x", 1, 3));
	OK(close(fd));
}

static void do_write_nothing(void)
{
	int fd = FD(open("d/file", O_WRONLY | O_CLOEXEC));

	OK(pwrite(fd, "x", 0, 3));
	OK(close(fd));
}

static void do_read(void)
{
	char byte;
	int fd = FD(open("d/file", O_RDONLY | O_CLOEXEC));

	OK(read(fd, &byte, 1));
	OK(close(fd));
}

static void do_punch(void)
{
	int fd = FD(open("d/file", O_WRONLY | O_CLOEXEC));

	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3));
	OK(close(fd));
}

static void do_copy_range(void)
{
	int from = FD(open("d/other", O_RDONLY | O_CLOEXEC));
	int to = FD(open("d/file", O_WRONLY | O_CLOEXEC));

	OK(copy_file_range(from, NULL, to, NULL, 3, 0));
	OK(close(from));
	OK(close(to));
}

static void do_truncate(void)
{
	OK(truncate("d/file", 5));
}

static void do_truncate_to_the_same_size(void)
{
	OK(truncate("d/file", 10));
}

static void do_open_truncating(void)
{
	OK(close(FD(open("d/file", O_WRONLY | O_TRUNC | O_CLOEXEC))));
}

static void do_open_creating(void)
{
	OK(close(FD(open("d/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600))));
}

static void do_chmod(void)
{
	OK(chmod("d/file", 0600));
}

static void do_chown(void)
{
	OK(chown("d/file", geteuid(), getegid()));
}

static void do_setxattr(void)
{
	OK(setxattr("d/file", "user.test", "x", 1, 0));
}

static void do_link(void)
{
	OK(link("d/file", "e/link"));
}

static void do_rename(void)
{
	OK(rename("d/file", "e/file"));
	OK(rename("e/file", "d/file"));
}

static void do_rename_over(void)
{
	OK(rename("d/other", "d/file"));
	OK(link("d/file", "d/other"));
}

static void do_exchange(void)
{
	OK(renameat2(AT_FDCWD, "d/file", AT_FDCWD, "d/other", RENAME_EXCHANGE));
	OK(renameat2(AT_FDCWD, "d/file", AT_FDCWD, "d/other", RENAME_EXCHANGE));
}

static void do_create(void)
{
	OK(close(FD(open("d/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600))));
}

static void do_mkdir(void)
{
	OK(mkdir("d/new", 0755));
}

static void do_rmdir(void)
{
	OK(rmdir("d/sub"));
}

static void do_unlink_other(void)
{
	OK(unlink("d/other"));
}

static void do_symlink(void)
{
	OK(symlink("x", "d/new"));
}

static void fail_create(void)
{
	FAILS(EEXIST, open("d/file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static void fail_rmdir(void)
{
	FAILS(ENOTEMPTY, rmdir("d/full"));
}

static void fail_unlink(void)
{
	FAILS(ENOENT, unlink("d/absent"));
}

static void fail_rename(void)
{
	FAILS(EEXIST, renameat2(AT_FDCWD, "d/file", AT_FDCWD, "d/other", RENAME_NOREPLACE));
}

static void fail_removexattr(void)
{
	FAILS(ENODATA, removexattr("d/file", "user.absent"));
}

/* What moves: M, C = mtime, ctime of d/file; m, c = of d. What is not named stays. */
static const struct {
	const char *what;
	void (*run)(void);
	const char *moves;
} rows[] = {
	{ "write", do_write, "MC" },
	{ "write of nothing", do_write_nothing, "" },
	{ "read", do_read, "" },
	{ "punch", do_punch, "MC" },
	{ "copy_file_range", do_copy_range, "MC" },
	{ "truncate", do_truncate, "MC" },
	{ "truncate to the same size", do_truncate_to_the_same_size, "MC" },
	{ "O_TRUNC", do_open_truncating, "MC" },
	{ "O_CREAT of what is there", do_open_creating, "" },
	{ "chmod", do_chmod, "C" },
	{ "chown", do_chown, "C" },
	{ "setxattr", do_setxattr, "C" },
	{ "link elsewhere", do_link, "C" },
	{ "rename away and back", do_rename, "Cmc" },
	{ "rename over it", do_rename_over, "xmc" },
	{ "exchange, and back", do_exchange, "Cmc" },
	{ "create beside it", do_create, "mc" },
	{ "mkdir beside it", do_mkdir, "mc" },
	{ "rmdir beside it", do_rmdir, "mc" },
	{ "unlink beside it", do_unlink_other, "mc" },
	{ "symlink beside it", do_symlink, "mc" },
	{ "failed create", fail_create, "" },
	{ "failed rmdir", fail_rmdir, "" },
	{ "failed unlink", fail_unlink, "" },
	{ "failed rename", fail_rename, "" },
	{ "failed removexattr", fail_removexattr, "" },
};

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static void check_time(char flag, const char *moves, struct timespec before, struct timespec after)
{
	bool moved = later(after, before);

	if (moved != (strchr(moves, flag) != NULL))
		ops_fail(__FILE__, __LINE__, "'%c' %s (%jd.%09ld to %jd.%09ld)", flag,
			 moved ? "moved" : "did not move", (intmax_t)before.tv_sec, before.tv_nsec,
			 (intmax_t)after.tv_sec, after.tv_nsec);
	if (!moved)
		CHECK(before.tv_sec == after.tv_sec && before.tv_nsec == after.tv_nsec);
}

static void calls_move_times(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stat file, directory, file_after, directory_after;
		char base[32];

		ops_row(rows[i].what);
		snprintf(base, sizeof base, "row%zu", i);
		OK(mkdir(base, 0755));
		OK(chdir(base));
		OK(mkdir("d", 0755));
		OK(mkdir("d/sub", 0755));
		OK(mkdir("d/full", 0755));
		ops_make_file("d/full/x", 1);
		OK(mkdir("e", 0755));
		ops_make_file("d/file", 10);
		ops_make_file("d/other", 10);
		file = ops_lstat("d/file");
		directory = ops_lstat("d");
		ops_tick();
		rows[i].run();
		file_after = ops_lstat("d/file");
		directory_after = ops_lstat("d");
		if (!strchr(rows[i].moves, 'x')) { /* x: another inode by now */
			check_time('M', rows[i].moves, file.st_mtim, file_after.st_mtim);
			check_time('C', rows[i].moves, file.st_ctim, file_after.st_ctim);
		}
		check_time('m', rows[i].moves, directory.st_mtim, directory_after.st_mtim);
		check_time('c', rows[i].moves, directory.st_ctim, directory_after.st_ctim);
		OK(chdir(".."));
	}
}

static void unlink_moves_ctime_of_what_is_left(void)
{
	struct stat before;

	ops_make_file("a", 1);
	OK(link("a", "b"));
	before = ops_lstat("a");
	ops_tick();
	OK(unlink("b"));
	CHECK(later(ops_lstat("a").st_ctim, before.st_ctim));
	CHECK(!later(ops_lstat("a").st_mtim, before.st_mtim));
}

static void rename_moves_both_directories(void)
{
	struct stat from, to, moved;

	OK(mkdir("from", 0755));
	OK(mkdir("to", 0755));
	OK(mkdir("from/x", 0755));
	from = ops_lstat("from");
	to = ops_lstat("to");
	moved = ops_lstat("from/x");
	ops_tick();
	OK(rename("from/x", "to/x"));
	CHECK(later(ops_lstat("from").st_mtim, from.st_mtim));
	CHECK(later(ops_lstat("from").st_ctim, from.st_ctim));
	CHECK(later(ops_lstat("to").st_mtim, to.st_mtim));
	CHECK(later(ops_lstat("to").st_ctim, to.st_ctim));
	CHECK(later(ops_lstat("to/x").st_ctim, moved.st_ctim));
}

static void times_are_kept_in_ns(void)
{
	static const struct timespec values[][2] = {
		{ { 1, 1 }, { 2, 2 } },
		{ { 1234567890, 123456789 }, { 987654321, 987654321 } },
		{ { 0, 0 }, { 0, 999999999 } },
		{ { -1, 5 }, { -100000000, 999999999 } },
		{ { 2147483648, 1 }, { 4294967297, 2 } },
	};
	int fd;

	ops_make_file("file", 1);
	OK(mkdir("dir", 0755));
	OK(symlink("nowhere", "link"));
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		static const char *const names[] = { "file", "dir", "link" };

		for (size_t k = 0; k < 3; k++) {
			struct stat st;

			OK(utimensat(AT_FDCWD, names[k], values[i], AT_SYMLINK_NOFOLLOW));
			st = ops_lstat(names[k]);
			CHECK(memcmp(&st.st_atim, &values[i][0], sizeof st.st_atim) == 0);
			CHECK(memcmp(&st.st_mtim, &values[i][1], sizeof st.st_mtim) == 0);
		}
		/* a write before, buffered or not, must not move it later on */
		OK(pwrite(fd, "y", 1, 0));
		OK(futimens(fd, values[i]));
		OK(fsync(fd));
		EQUAL(ops_stat(fd).st_mtim.tv_sec, values[i][1].tv_sec);
		EQUAL(ops_stat(fd).st_mtim.tv_nsec, values[i][1].tv_nsec);
	}
	OK(pwrite(fd, "z", 1, 0));
	OK(futimens(fd, values[1]));
	OK(close(fd));
	EQUAL(ops_lstat("file").st_mtim.tv_nsec, 987654321);
}

static void now_and_omit(void)
{
	static const struct timespec old[2] = { { 1000, 1 }, { 2000, 2 } };
	struct timespec times[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
	struct stat st;

	ops_make_file("file", 1);
	OK(utimensat(AT_FDCWD, "file", old, 0));
	OK(utimensat(AT_FDCWD, "file", times, 0));
	st = ops_lstat("file");
	EQUAL(st.st_atim.tv_sec, 1000);
	CHECK(st.st_mtim.tv_sec > 1000000000);
	OK(utimensat(AT_FDCWD, "file", old, 0));
	times[0].tv_nsec = UTIME_NOW;
	times[1].tv_nsec = UTIME_OMIT;
	OK(utimensat(AT_FDCWD, "file", times, 0));
	st = ops_lstat("file");
	CHECK(st.st_atim.tv_sec > 1000000000);
	EQUAL(st.st_mtim.tv_sec, 2000);
	EQUAL(st.st_mtim.tv_nsec, 2);
	/* both omitted: nothing at all, ctime included */
	times[0].tv_nsec = UTIME_OMIT;
	ops_tick();
	OK(utimensat(AT_FDCWD, "file", times, 0));
	CHECK(!later(ops_lstat("file").st_ctim, st.st_ctim));
	OK(utimensat(AT_FDCWD, "file", NULL, 0));
	CHECK(later(ops_lstat("file").st_ctim, st.st_ctim));
	times[0].tv_nsec = 1000000000;
	FAILS(EINVAL, utimensat(AT_FDCWD, "file", times, 0));
	FAILS(ENOENT, utimensat(AT_FDCWD, "absent", old, 0));
}

static void a_new_thing_has_the_time_of_now(void)
{
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	ops_make_file("file", 0);
	st = ops_lstat("file");
	CHECK(st.st_mtim.tv_sec >= now.tv_sec - 1 && st.st_mtim.tv_sec <= now.tv_sec + 5);
	CHECK(!later(st.st_atim, st.st_mtim) && !later(st.st_mtim, st.st_atim));
	CHECK(!later(st.st_ctim, st.st_mtim) && !later(st.st_mtim, st.st_ctim));
}

static void open_handles_see_times(void)
{
	struct stat a, b;
	int fd;

	ops_make_file("file", 10);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	a = ops_stat(fd);
	ops_tick();
	OK(pwrite(fd, "x", 1, 0));
	b = ops_lstat("file");
	CHECK(later(b.st_mtim, a.st_mtim));
	EQUAL(ops_stat(fd).st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	ops_tick();
	OK(close(fd)); /* closing does not move it again */
	EQUAL(ops_lstat("file").st_mtim.tv_nsec, b.st_mtim.tv_nsec);
}

OPS_CASES(time) = {
	{ "times_that_calls_move", calls_move_times },
	{ "times_after_unlink_of_one_name", unlink_moves_ctime_of_what_is_left },
	{ "times_of_both_directories_of_a_rename", rename_moves_both_directories },
	{ "times_are_kept_in_ns", times_are_kept_in_ns },
	{ "times_NOW_and_OMIT", now_and_omit },
	{ "times_of_a_new_file", a_new_thing_has_the_time_of_now },
	{ "times_through_open_handles", open_handles_see_times },
	{ NULL, NULL },
};
