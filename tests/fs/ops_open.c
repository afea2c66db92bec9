/* ops_open.c - cases: descriptors that outlive names, O_PATH, locks, running programs. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void unlinked_files_live_on(void)
{
	uint8_t bytes[1000];
	int a, b;

	ops_make_file("file", 100000);
	a = FD(open("file", O_RDWR | O_CLOEXEC));
	b = FD(open("file", O_RDONLY | O_CLOEXEC));
	OK(unlink("file"));
	CHECK(!ops_there("file"));
	EQUAL(ops_stat(a).st_nlink, 0);
	EQUAL(ops_stat(a).st_size, 100000);
	EQUAL(OK(pread(b, bytes, 1000, 50000)), 1000);
	CHECK(ops_is_pattern(bytes, 1000, 50000));
	EQUAL(OK(pwrite(a, "new", 3, 200000)), 3);
	EQUAL(ops_stat(b).st_size, 200003);
	OK(ftruncate(a, 10));
	OK(fchmod(a, 0600));
	EQUAL(ops_stat(b).st_mode, S_IFREG | 0600);
	OK(fsync(a));
	OK(fsetxattr(a, "user.test", "x", 1, 0));
	EQUAL(OK(fgetxattr(b, "user.test", bytes, sizeof bytes)), 1);
	OK(futimens(a, (struct timespec[2]){ { 5, 5 }, { 6, 6 } }));
	EQUAL(ops_stat(b).st_mtim.tv_sec, 6);
	/* a new file of that name is another one */
	ops_make_file("file", 3);
	EQUAL(ops_stat(b).st_size, 10);
	CHECK(ops_lstat("file").st_ino != ops_stat(b).st_ino);
	OK(close(a));
	EQUAL(OK(pread(b, bytes, 1000, 0)), 10);
	OK(close(b));
}

static void many_unlinked_files(void)
{
	int fds[200];

	for (int i = 0; i < 200; i++) {
		fds[i] = FD(open("file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
		OK(unlink("file"));
		EQUAL(OK(pwrite(fds[i], &i, sizeof i, i * 100)), sizeof i);
	}
	for (int i = 0; i < 200; i++) {
		int got;

		EQUAL(OK(pread(fds[i], &got, sizeof got, i * 100)), sizeof got);
		EQUAL(got, i);
		OK(close(fds[i]));
	}
}

static void names_come_back_by_proc(void)
{
	char path[64];
	int fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

	OK(pwrite(fd, "kept", 4, 0));
	OK(link("file", "second"));
	OK(unlink("file"));
	/* while a name is left, another can be made from the descriptor */
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "third", AT_SYMLINK_FOLLOW));
	EQUAL(ops_lstat("third").st_nlink, 2);
	OK(unlink("second"));
	OK(unlink("third"));
	/* with none left, that is over */
	FAILS(ENOENT, linkat(AT_FDCWD, path, AT_FDCWD, "fourth", AT_SYMLINK_FOLLOW));
	/* but it opens */
	OK(close(FD(open(path, O_RDWR | O_CLOEXEC))));
}

static void path_descriptors(void)
{
	char byte;
	int fd, link_fd;

	ops_make_file("file", 10);
	fd = FD(open("file", O_PATH | O_CLOEXEC));
	FAILS(EBADF, read(fd, &byte, 1));
	FAILS(EBADF, write(fd, &byte, 1));
	FAILS(EBADF, fchmod(fd, 0600));
	EQUAL(ops_stat(fd).st_size, 10);
	OK(unlink("file"));
	EQUAL(ops_stat(fd).st_nlink, 0);
	EQUAL(ops_stat(fd).st_size, 10);
	OK(symlink("anything", "link"));
	link_fd = FD(open("link", O_PATH | O_NOFOLLOW | O_CLOEXEC));
	CHECK(S_ISLNK(ops_stat(link_fd).st_mode));
	OK(mkdir("dir", 0755));
	fd = FD(open("dir", O_PATH | O_CLOEXEC));
	OK(close(FD(openat(fd, "inside", O_RDWR | O_CREAT | O_CLOEXEC, 0644))));
	CHECK(ops_there("dir/inside"));
}

static void read_back_by_an_O_PATH_of_an_unlinked_file(void)
{
	char path[64], bytes[10];
	int place, fd;

	ops_make_file("file", 10);
	place = FD(open("file", O_PATH | O_CLOEXEC));
	OK(unlink("file"));
	snprintf(path, sizeof path, "/proc/self/fd/%d", place);
	fd = FD(open(path, O_RDONLY | O_CLOEXEC));
	EQUAL(OK(read(fd, bytes, sizeof bytes)), 10);
	CHECK(ops_is_pattern((uint8_t *)bytes, 10, 0));
}

static void flock_between_processes(void)
{
	int status, fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	pid_t pid;

	OK(flock(fd, LOCK_EX));
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		int mine = FD(open("file", O_RDWR | O_CLOEXEC));

		FAILS(EWOULDBLOCK, flock(mine, LOCK_EX | LOCK_NB));
		FAILS(EWOULDBLOCK, flock(mine, LOCK_SH | LOCK_NB));
		_exit(0);
	}
	OK(waitpid(pid, &status, 0));
	EQUAL(status, 0);
	OK(flock(fd, LOCK_SH));
	OK(flock(FD(open("file", O_RDONLY | O_CLOEXEC)), LOCK_SH | LOCK_NB));
}

static void record_locks_between_processes(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 50 };
	int status, fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	pid_t pid;

	OK(fcntl(fd, F_SETLK, &lock));
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		struct flock mine = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 149, .l_len = 10 };
		int other = FD(open("file", O_RDWR | O_CLOEXEC));

		CHECK(fcntl(other, F_SETLK, &mine) < 0 && (errno == EAGAIN || errno == EACCES));
		OK(fcntl(other, F_GETLK, &mine));
		EQUAL(mine.l_type, F_WRLCK);
		EQUAL(mine.l_start, 100);
		EQUAL(mine.l_pid, getppid());
		mine.l_type = F_WRLCK;
		mine.l_start = 150;
		OK(fcntl(other, F_SETLK, &mine));
		_exit(0);
	}
	OK(waitpid(pid, &status, 0));
	EQUAL(status, 0);
}

static void programs_run_from_here(void)
{
	static const char script[] = "#!/bin/sh\nexit 42\n";
	int status, fd = FD(open("script", O_RDWR | O_CREAT | O_CLOEXEC, 0755));
	pid_t pid;

	EQUAL(OK(write(fd, script, sizeof script - 1)), sizeof script - 1);
	/* who has it open for writing keeps it from being run */
	FAILS(ETXTBSY, execl("./script", "./script", (char *)NULL));
	OK(close(fd));
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		execl("./script", "./script", (char *)NULL);
		_exit(1);
	}
	OK(waitpid(pid, &status, 0));
	EQUAL(WEXITSTATUS(status), 42);
	OK(chmod("script", 0644));
	FAILS(EACCES, execl("./script", "./script", (char *)NULL));
}

static void create_with_odd_modes(void)
{
	/* Who creates may write, whatever the mode says. */
	int fd = FD(open("file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0));

	EQUAL(OK(write(fd, "x", 1)), 1);
	EQUAL(ops_stat(fd).st_mode, S_IFREG);
	fd = FD(open("only read", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
	EQUAL(OK(write(fd, "x", 1)), 1);
}

static void processes_append_without_loss(void)
{
	enum { PROCESSES = 4, LINES = 200, LINE = 64 };
	char line[LINE];
	int status, fd, counts[PROCESSES] = { 0 };

	OK(close(FD(open("log", O_RDWR | O_CREAT | O_CLOEXEC, 0644))));
	for (int p = 0; p < PROCESSES; p++) {
		if (OK(fork()) == 0) {
			fd = FD(open("log", O_WRONLY | O_APPEND | O_CLOEXEC));
			memset(line, 'a' + p, LINE);
			for (int i = 0; i < LINES; i++)
				EQUAL(OK(write(fd, line, LINE)), LINE);
			_exit(0);
		}
	}
	for (int p = 0; p < PROCESSES; p++) {
		OK(wait(&status));
		EQUAL(status, 0);
	}
	EQUAL(ops_lstat("log").st_size, PROCESSES * LINES * LINE);
	fd = FD(open("log", O_RDONLY | O_CLOEXEC));
	while (OK(read(fd, line, LINE)) == LINE) {
		CHECK(line[0] >= 'a' && line[0] < 'a' + PROCESSES);
		for (int i = 1; i < LINE; i++)
			EQUAL(line[i], line[0]);
		counts[line[0] - 'a']++;
	}
	for (int p = 0; p < PROCESSES; p++)
		EQUAL(counts[p], LINES);
}

OPS_CASES(open) = {
	{ "unlinked_files_live_on_while_open", unlinked_files_live_on },
	{ "unlinked_files_many", many_unlinked_files },
	{ "proc_self_fd_gives_names", names_come_back_by_proc },
	{ "O_PATH", path_descriptors },
	{ "O_PATH_of_an_unlinked_file", read_back_by_an_O_PATH_of_an_unlinked_file },
	{ "flock_between_processes", flock_between_processes },
	{ "fcntl_locks_between_processes", record_locks_between_processes },
	{ "programs_run_from_here", programs_run_from_here },
	{ "create_with_odd_modes", create_with_odd_modes },
	{ "processes_append_without_loss", processes_append_without_loss },
	{ NULL, NULL },
};
