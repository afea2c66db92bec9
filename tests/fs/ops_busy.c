/* ops_busy.c - cases: directories move with processes and programs inside, and programs that run are not written. */
#include "ops.h"
#include "ops_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect_cwd(const char *want)
{
	char here[PATH_MAX];

	CHECK(getcwd(here, sizeof here) != NULL);
	if (strcmp(here, want) != 0)
		ops_fail(__FILE__, __LINE__, "getcwd() is %s, wanted %s", here, want);
}

static void processes_inside_move_with_it(void)
{
	char top[PATH_MAX], path[PATH_MAX + 32], other[PATH_MAX + 32];

	CHECK(getcwd(top, sizeof top) != NULL);
	OK(mkdir("a", 0755));
	OK(mkdir("a/b", 0755));
	OK(mkdir("c", 0755));
	OK(mkdir("c/d", 0755));
	OK(chdir("a/b"));
	snprintf(path, sizeof path, "%s/a", top);
	snprintf(other, sizeof other, "%s/c/d/moved", top);
	OK(rename(path, other));
	snprintf(path, sizeof path, "%s/c/d/moved/b", top);
	expect_cwd(path);
	EQUAL(ops_lstat("../../..").st_ino, ops_lstat("../../../../c").st_ino);
	OK(mkdir("new", 0755));
	snprintf(path, sizeof path, "%s/c/d/moved/b/new", top);
	CHECK(ops_there(path));
	FAILS(EBUSY, rename("..", ".."));
	/* moved again, from inside, by a relative path */
	OK(rename("../../moved", "../../../up"));
	snprintf(path, sizeof path, "%s/c/up/b", top);
	expect_cwd(path);
	OK(chdir(".."));
	OK(chdir(".."));
	snprintf(path, sizeof path, "%s/c", top);
	expect_cwd(path);
}

static void a_working_directory_survives_its_replacement(void)
{
	ino_t mine;

	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	ops_make_file("b/file", 3);
	OK(chdir("a"));
	mine = ops_lstat(".").st_ino;
	OK(rename("../b", "../a"));
	EQUAL(ops_lstat(".").st_ino, mine);
	EQUAL(ops_lstat(".").st_nlink, 0);
	CHECK(!ops_there("file"));
	FAILS(ENOENT, open("new", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	CHECK(getcwd((char[PATH_MAX]){ 0 }, PATH_MAX) == NULL && errno == ENOENT);
}

/* `program` running, with pipes to talk to it; cat answers with what it is told. */
struct running {
	pid_t pid;
	int to, from;
};

static struct running run_cat(const char *program)
{
	struct running cat;
	int to[2], from[2];

	OK(pipe2(to, O_CLOEXEC));
	OK(pipe2(from, O_CLOEXEC));
	cat.pid = (pid_t)OK(fork());
	if (cat.pid == 0) {
		OK(dup2(to[0], 0));
		OK(dup2(from[1], 1));
		execl(program, program, (char *)NULL);
		_exit(1);
	}
	OK(close(to[0]));
	OK(close(from[1]));
	cat.to = to[1];
	cat.from = from[0];
	return cat;
}

static void expect_answer(const struct running *cat)
{
	char answer[5];

	EQUAL(OK(write(cat->to, "hello", 5)), 5);
	EQUAL(OK(read(cat->from, answer, 5)), 5);
	CHECK(memcmp(answer, "hello", 5) == 0);
}

static void expect_good_end(const struct running *cat)
{
	int status;

	OK(close(cat->to));
	OK(waitpid(cat->pid, &status, 0));
	EQUAL(status, 0);
}

static void programs_run_on_in_a_moved_directory(void)
{
	struct running cat;

	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	ops_copy_file("/bin/cat", "a/cat", 0755);
	cat = run_cat("a/cat");
	expect_answer(&cat);
	OK(rename("a", "b/a"));
	expect_answer(&cat);
	OK(unlink("b/a/cat"));
	OK(rmdir("b/a"));
	expect_answer(&cat);
	expect_good_end(&cat);
}

static void programs_that_run_are_not_written(void)
{
	struct running cat;

	ops_copy_file("/bin/cat", "cat", 0755);
	cat = run_cat("./cat");
	expect_answer(&cat);
	FAILS(ETXTBSY, open("cat", O_WRONLY | O_CLOEXEC));
	FAILS(ETXTBSY, open("cat", O_RDWR | O_CLOEXEC));
	FAILS(ETXTBSY, open("cat", O_RDONLY | O_TRUNC | O_CLOEXEC));
	FAILS(ETXTBSY, truncate("cat", 10));
	OK(close(FD(open("cat", O_RDONLY | O_CLOEXEC))));
	OK(chmod("cat", 0700));
	OK(link("cat", "link"));
	FAILS(ETXTBSY, open("link", O_WRONLY | O_CLOEXEC));
	/* the name may be given to another file */
	ops_make_file("new", 10);
	OK(rename("new", "cat"));
	ops_make_file("cat", 20);
	expect_answer(&cat);
	expect_good_end(&cat);
	OK(close(FD(open("link", O_WRONLY | O_CLOEXEC))));
}

static void programs_that_are_written_do_not_run(void)
{
	int fd, other;

	ops_copy_file("/bin/true", "true", 0755);
	fd = FD(open("true", O_WRONLY | O_CLOEXEC));
	other = FD(open("true", O_RDWR | O_APPEND | O_CLOEXEC));
	EQUAL(fixture_call(CALL_EXEC, "./true", NULL, 0), ETXTBSY);
	OK(close(fd));
	EQUAL(fixture_call(CALL_EXEC, "./true", NULL, 0), ETXTBSY);
	OK(close(other));
	fd = FD(open("true", O_RDONLY | O_CLOEXEC));
	EQUAL(fixture_call(CALL_EXEC, "./true", NULL, 0), 0);
	OK(close(fd));
}

static void only_whiteout_is_not_for_us(void)
{
	ops_make_file("file", 3);
	if (on_vault)
		FAILS(EINVAL, renameat2(AT_FDCWD, "file", AT_FDCWD, "new", RENAME_WHITEOUT));
	else if (geteuid() == 0)
		OK(renameat2(AT_FDCWD, "file", AT_FDCWD, "new", RENAME_WHITEOUT));
	FAILS(EINVAL, renameat2(AT_FDCWD, "file", AT_FDCWD, "x", RENAME_WHITEOUT | RENAME_EXCHANGE));
	CHECK(ops_there(on_vault || geteuid() != 0 ? "file" : "new"));
}

OPS_CASES(busy) = {
	{ "moved_directory_takes_processes_with_it", processes_inside_move_with_it },
	{ "moved_over_a_working_directory", a_working_directory_survives_its_replacement },
	{ "moved_directory_with_a_running_program", programs_run_on_in_a_moved_directory },
	{ "ETXTBSY_for_who_writes_what_runs", programs_that_run_are_not_written },
	{ "ETXTBSY_for_who_runs_what_is_written", programs_that_are_written_do_not_run },
	{ "rename_WHITEOUT", only_whiteout_is_not_for_us },
	{ NULL, NULL },
};
