/* ops_race.c - cases: several processes rename at once: nothing is lost, doubled or absent for a moment, and none waits
 * for ever. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 1500 };

static void wait_for_all(int n)
{
	int status;

	while (n-- > 0) {
		OK(wait(&status));
		EQUAL(status, 0);
	}
}

/* rename(), of what another process may have just moved. Returns whether it was this one that moved it. */
static bool try_rename(const char *from, const char *to, unsigned flags)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, flags) == 0)
		return true;
	if (errno != ENOENT && errno != EEXIST && errno != ENOTEMPTY && errno != EINVAL)
		ops_fail(__FILE__, __LINE__, "rename %s %s: %s", from, to, strerrorname_np(errno));
	return false;
}

static void two_rename_to_and_fro(void)
{
	ops_make_file("a", 100);
	for (int process = 0; process < 2; process++) {
		if (OK(fork()) == 0) {
			for (int i = 0; i < ROUNDS; i++)
				(void)try_rename(process ? "a" : "b", process ? "b" : "a", RENAME_NOREPLACE);
			_exit(0);
		}
	}
	wait_for_all(2);
	CHECK(ops_there("a") != ops_there("b"));
	EQUAL(ops_count("."), 1);
	EQUAL(ops_lstat(ops_there("a") ? "a" : "b").st_nlink, 1);
}

static void two_move_a_directory_to_and_fro(void)
{
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mkdir("a/dir", 0755));
	ops_make_file("a/dir/file", 10);
	for (int process = 0; process < 2; process++) {
		if (OK(fork()) == 0) {
			for (int i = 0; i < ROUNDS; i++)
				(void)try_rename(process ? "a/dir" : "b/dir", process ? "b/dir" : "a/dir", 0);
			_exit(0);
		}
	}
	wait_for_all(2);
	CHECK(ops_there("a/dir/file") != ops_there("b/dir/file"));
	EQUAL(ops_lstat("a").st_nlink + ops_lstat("b").st_nlink, 5);
}

static int n_directories;

static int count_directory(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path;
	(void)ftw;
	n_directories += type == FTW_D;
	CHECK(type != FTW_D || st->st_nlink >= 2);
	return 0;
}

/* Each moves its own directory into the other's: at no time may both lie in each other, out of reach of the root. */
static void two_move_directories_into_each_other(void)
{
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	for (int process = 0; process < 2; process++) {
		if (OK(fork()) == 0) {
			const char *mine = process ? "a" : "b", *inside = process ? "b/a" : "a/b";

			for (int i = 0; i < ROUNDS; i++) {
				(void)try_rename(mine, inside, 0);
				(void)try_rename(inside, mine, 0);
			}
			_exit(0);
		}
	}
	wait_for_all(2);
	OK(nftw(".", count_directory, 8, FTW_PHYS));
	EQUAL(n_directories, 3);
}

static void a_replaced_name_is_never_absent(void)
{
	pid_t writer;
	int status;

	ops_make_file("target", 64);
	writer = (pid_t)OK(fork());
	if (writer == 0) {
		for (int i = 0; i < ROUNDS; i++) {
			ops_make_file("temporary", 64);
			OK(rename("temporary", "target"));
		}
		_exit(0);
	}
	while (OK(waitpid(writer, &status, WNOHANG)) == 0) {
		uint8_t bytes[65];
		int fd = FD(open("target", O_RDONLY | O_CLOEXEC));

		EQUAL(OK(read(fd, bytes, sizeof bytes)), 64);
		CHECK(ops_is_pattern(bytes, 64, 0));
		OK(close(fd));
	}
	EQUAL(status, 0);
	EQUAL(ops_count("."), 1);
}

static void exchanged_names_are_never_absent(void)
{
	pid_t writer;
	int status;

	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	ops_make_file("a/x", 1);
	ops_make_file("b/x", 2);
	writer = (pid_t)OK(fork());
	if (writer == 0) {
		for (int i = 0; i < ROUNDS; i++) {
			OK(renameat2(AT_FDCWD, "a/x", AT_FDCWD, "b/x", RENAME_EXCHANGE));
			OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
		}
		_exit(0);
	}
	while (OK(waitpid(writer, &status, WNOHANG)) == 0) {
		CHECK(ops_there("a") && ops_there("b"));
		OK(close(FD(open("a/x", O_RDONLY | O_CLOEXEC))));
		OK(close(FD(open("b/x", O_RDONLY | O_CLOEXEC))));
	}
	EQUAL(status, 0);
	EQUAL(ops_lstat("a/x").st_size + ops_lstat("b/x").st_size, 3);
}

static void four_take_from_each_other(void)
{
	enum { PROCESSES = 4, FILES = 20 };
	char from[32], to[32];
	size_t n = 0;

	for (int p = 0; p < PROCESSES; p++) {
		snprintf(from, sizeof from, "%d", p);
		OK(mkdir(from, 0755));
		for (int i = 0; i < FILES; i++) {
			snprintf(from, sizeof from, "%d/%d.%d", p, p, i);
			ops_make_file(from, 10);
		}
	}
	for (int p = 0; p < PROCESSES; p++) {
		if (OK(fork()) != 0)
			continue;
		for (int i = 0; i < ROUNDS; i++) {
			int whose = i % PROCESSES, file = i / PROCESSES % FILES;

			snprintf(from, sizeof from, "%d/%d.%d", (p + i) % PROCESSES, whose, file);
			snprintf(to, sizeof to, "%d/%d.%d", (p + i + 1) % PROCESSES, whose, file);
			(void)try_rename(from, to, 0);
		}
		_exit(0);
	}
	wait_for_all(PROCESSES);
	for (int p = 0; p < PROCESSES; p++) {
		snprintf(from, sizeof from, "%d", p);
		n += ops_count(from);
	}
	EQUAL(n, PROCESSES * FILES);
}

OPS_CASES(race) = {
	{ "at_once_two_rename_to_and_fro", two_rename_to_and_fro },
	{ "at_once_two_move_a_directory_to_and_fro", two_move_a_directory_to_and_fro },
	{ "at_once_two_move_directories_into_each_other", two_move_directories_into_each_other },
	{ "at_once_a_replaced_name_is_never_absent", a_replaced_name_is_never_absent },
	{ "at_once_exchanged_names_are_never_absent", exchanged_names_are_never_absent },
	{ "at_once_four_take_from_each_other", four_take_from_each_other },
	{ NULL, NULL },
};
