/* ops_time.c - cases: times set, and kept in ns. Which call moves which is in ops_moves_*.c. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
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
	{ "times_are_kept_in_ns", times_are_kept_in_ns },
	{ "times_NOW_and_OMIT", now_and_omit },
	{ "times_of_a_new_file", a_new_thing_has_the_time_of_now },
	{ "times_through_open_handles", open_handles_see_times },
	{ NULL, NULL },
};
