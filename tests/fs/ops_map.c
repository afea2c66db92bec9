/* ops_map.c - cases: what mmap(2) refuses, what maps of two processes show each other, files cut and grown under a map. */
#include "ops.h"
#include "ops_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 20, SIZE = PAGES * PAGE };

static uint8_t *map_shared(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		ops_fail(__FILE__, __LINE__, "mmap: %s", strerrorname_np(errno));
	return p;
}

static int make(size_t size)
{
	ops_make_file("file", size);
	return FD(open("file", O_RDWR | O_CLOEXEC));
}

static void refusals(void)
{
	static const struct {
		const char *what, *path;
		int open_flags, protection, flags;
		size_t size;
		off_t offset;
		int want;
	} rows[] = {
		{ "shared and writable, of a reader", "file", O_RDONLY, PROT_READ | PROT_WRITE, MAP_SHARED,
		  PAGE, 0, EACCES },
		{ "private and writable, of a reader", "file", O_RDONLY, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		  PAGE, 0, 0 },
		{ "readable, of a writer", "file", O_WRONLY, PROT_READ, MAP_SHARED, PAGE, 0, EACCES },
		{ "writable, of a writer", "file", O_WRONLY, PROT_WRITE, MAP_SHARED, PAGE, 0, EACCES },
		{ "shared, of an appender", "file", O_RDWR | O_APPEND, PROT_READ | PROT_WRITE, MAP_SHARED,
		  PAGE, 0, 0 },
		{ "no length", "file", O_RDWR, PROT_READ, MAP_SHARED, 0, 0, EINVAL },
		{ "an odd offset", "file", O_RDWR, PROT_READ, MAP_SHARED, PAGE, 100, EINVAL },
		{ "behind the end", "file", O_RDWR, PROT_READ, MAP_SHARED, PAGE, SIZE, 0 },
		{ "behind all offsets", "file", O_RDWR, PROT_READ, MAP_SHARED, PAGE, INT64_MAX - PAGE + 1,
		  EOVERFLOW },
		{ "neither shared nor private", "file", O_RDWR, PROT_READ, 0, PAGE, 0, EINVAL },
		{ "a directory", ".", O_RDONLY, PROT_READ, MAP_SHARED, PAGE, 0, ENODEV },
		{ "O_PATH", "file", O_PATH, PROT_READ, MAP_SHARED, PAGE, 0, EBADF },
		{ "executable", "file", O_RDONLY, PROT_READ | PROT_EXEC, MAP_PRIVATE, PAGE, 0, 0 },
	};

	OK(close(make(SIZE)));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int fd = FD(open(rows[i].path, rows[i].open_flags | O_CLOEXEC));
		void *p = mmap(NULL, rows[i].size, rows[i].protection, rows[i].flags, fd, rows[i].offset);

		ops_row(rows[i].what);
		EQUAL(p == MAP_FAILED ? errno : 0, rows[i].want);
		OK(close(fd));
	}
}

static void what_a_map_may_become(void)
{
	int reader, fd = make(SIZE);
	uint8_t *p;

	reader = FD(open("file", O_RDONLY | O_CLOEXEC));
	p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, reader, 0);
	CHECK(p != MAP_FAILED);
	FAILS(EACCES, mprotect(p, SIZE, PROT_READ | PROT_WRITE));
	FAILS(EINVAL, msync(p + 1, PAGE, MS_SYNC));
	FAILS(EINVAL, msync(p, PAGE, MS_SYNC | MS_ASYNC));
	OK(msync(p, SIZE, MS_ASYNC));
	OK(msync(p, SIZE, MS_SYNC | MS_INVALIDATE));
	OK(munmap(p, SIZE));
	FAILS(ENOMEM, msync(p, PAGE, MS_SYNC));
	p = map_shared(fd, PAGE);
	OK(ftruncate(fd, 4 * SIZE));
	p = mremap(p, PAGE, 4 * SIZE, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED);
	p[3 * SIZE] = 'm';
	EQUAL(OK(pread(fd, p, 1, 3 * SIZE)), 1);
	EQUAL(p[0], 'm');
	OK(mlock(p, PAGE));
	OK(madvise(p, SIZE, MADV_WILLNEED));
}

/* Each turn one of two processes stores something, by map or by write, and the other one sees it by map and by read. */
static void seen_at_once(void)
{
	struct ops_gate to_child = ops_gate(), to_parent = ops_gate();
	volatile uint8_t *p;
	int fd = make(SIZE);
	pid_t pid = ops_fork();
	bool child = pid == 0;

	if (child)
		fd = FD(open("file", O_RDWR | O_CLOEXEC)); /* nothing shared but the file */
	p = map_shared(fd, SIZE);
	for (uint8_t turn = 1; turn < 40; turn++) {
		off_t at = (turn % PAGES) * PAGE + turn * 3;
		bool mine = (turn % 2 == 0) == child;
		uint8_t byte;

		if (mine) {
			if (turn % 4 < 2)
				p[at] = turn;
			else
				EQUAL(OK(pwrite(fd, &turn, 1, at)), 1);
			ops_gate_pass(child ? to_parent : to_child);
		} else {
			ops_gate_wait(child ? to_child : to_parent);
			EQUAL(p[at], turn);
			EQUAL(OK(pread(fd, &byte, 1, at)), 1);
			EQUAL(byte, turn);
		}
	}
	if (child)
		_exit(0);
	ops_join(pid);
}

static int signal_of_a_touch(volatile uint8_t *p, bool store)
{
	pid_t pid = ops_fork();
	int status;

	if (pid == 0) {
		signal(SIGBUS, SIG_DFL); /* a sanitizer must not make a report of what is wanted here */
		if (store)
			*p = 1;
		else
			(void)*p;
		_exit(0);
	}
	EQUAL(OK(waitpid(pid, &status, 0)), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void cut_under_the_map(void)
{
	int fd = make(SIZE);
	uint8_t *p = map_shared(fd, SIZE);

	CHECK(ops_is_pattern(p, SIZE, 0));
	OK(ftruncate(fd, 5 * PAGE + 1));
	EQUAL(signal_of_a_touch(p + 5 * PAGE + 4000, false), 0);
	EQUAL(signal_of_a_touch(p + 6 * PAGE, false), SIGBUS);
	EQUAL(signal_of_a_touch(p + 6 * PAGE, true), SIGBUS);
	EQUAL(signal_of_a_touch(p + SIZE - 1, false), SIGBUS);
	OK(ftruncate(fd, SIZE));
	EQUAL(signal_of_a_touch(p + SIZE - 1, true), 0);
	EQUAL(p[SIZE - 1], 1);
	EQUAL(p[6 * PAGE], 0);
}

/* What is stored behind the end is no part of the file, also when the end moves over it. */
static void stores_behind_the_end_are_lost(void)
{
	if (on_vault)
		ops_skip("the kernel's FUSE keeps such bytes in its page, and writes them out once the end has moved");
	for (int how = 0; how < 3; how++) {
		uint8_t byte;
		int fd = make(5 * PAGE + 100);
		uint8_t *p = map_shared(fd, 6 * PAGE);

		ops_row(how == 0 ? "truncate" : how == 1 ? "write" : "fallocate");
		p[5 * PAGE + 50] = 'i';
		p[5 * PAGE + 200] = 'o';
		if (how == 0)
			OK(ftruncate(fd, 6 * PAGE));
		else if (how == 1)
			EQUAL(OK(pwrite(fd, "x", 1, 6 * PAGE - 1)), 1);
		else
			OK(fallocate(fd, 0, 5 * PAGE, PAGE));
		EQUAL(OK(pread(fd, &byte, 1, 5 * PAGE + 50)), 1);
		EQUAL(byte, 'i');
		EQUAL(OK(pread(fd, &byte, 1, 5 * PAGE + 200)), 1);
		EQUAL(byte, 0);
		EQUAL(p[5 * PAGE + 200], 0);
		OK(munmap(p, 6 * PAGE));
		OK(close(fd));
		OK(unlink("file"));
	}
}

static void pages_removed_by_madvise(void)
{
	int fd = make(SIZE);
	uint8_t *p = map_shared(fd, SIZE);

	OK(madvise(p + 4 * PAGE, 4 * PAGE, MADV_REMOVE));
	CHECK(ops_is_zero(p + 4 * PAGE, 4 * PAGE));
	CHECK(ops_is_pattern(p, 4 * PAGE, 0) && ops_is_pattern(p + 8 * PAGE, SIZE - 8 * PAGE, 8 * PAGE));
	EQUAL(OK(lseek(fd, 0, SEEK_HOLE)), 4 * PAGE);
	EQUAL(OK(lseek(fd, 4 * PAGE, SEEK_DATA)), 8 * PAGE);
}

static void holes_are_filled_by_stores(void)
{
	uint8_t *p;
	int fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

	OK(ftruncate(fd, SIZE));
	p = map_shared(fd, SIZE);
	CHECK(ops_is_zero(p, SIZE));
	p[7 * PAGE + 5] = 'x';
	OK(msync(p, SIZE, MS_SYNC));
	CHECK(OK(lseek(fd, 0, SEEK_DATA)) <= 7 * PAGE + 5 && OK(lseek(fd, 0, SEEK_DATA)) >= 7 * PAGE);
	CHECK(ops_stat(fd).st_blocks > 0);
	EQUAL(ops_stat(fd).st_size, SIZE);
}

static void a_program_that_runs(void)
{
	struct ops_gate started = ops_gate();
	char byte;
	pid_t pid;
	int status, from = FD(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	int to = FD(open("program", O_RDWR | O_CREAT | O_CLOEXEC, 0755));
	static char bytes[1 << 16];
	ssize_t n;

	while ((n = OK(read(from, bytes, sizeof bytes))) > 0)
		EQUAL(OK(write(to, bytes, (size_t)n)), n);
	OK(close(to));
	pid = ops_fork();
	if (pid == 0) {
		OK(dup2(FD(open("/dev/null", O_WRONLY)), 2));
		execl("./program", "program", (char *)NULL);
		_exit(99);
	}
	OK(waitpid(pid, &status, 0));
	EQUAL(WEXITSTATUS(status), 2); /* its usage */
	/* while a program runs its file cannot be written, but can go */
	ops_make_file("sleeper", 0);
	OK(unlink("sleeper"));
	from = FD(open("/bin/sleep", O_RDONLY | O_CLOEXEC));
	to = FD(open("sleeper", O_RDWR | O_CREAT | O_CLOEXEC, 0755));
	while ((n = OK(read(from, bytes, sizeof bytes))) > 0)
		EQUAL(OK(write(to, bytes, (size_t)n)), n);
	OK(close(to));
	pid = ops_fork();
	if (pid == 0) {
		OK(fcntl(started.ends[1], F_SETFD,
			 FD_CLOEXEC)); /* closed by exec: the other end sees the end */
		OK(close(started.ends[0]));
		execl("./sleeper", "sleeper", "60", (char *)NULL);
		_exit(99);
	}
	OK(close(started.ends[1]));
	EQUAL(OK(read(started.ends[0], &byte, 1)), 0);
	FAILS(ETXTBSY, open("sleeper", O_WRONLY | O_CLOEXEC));
	FAILS(ETXTBSY, truncate("sleeper", 0));
	OK(chmod("sleeper", 0700));
	OK(rename("sleeper", "moved"));
	OK(unlink("moved"));
	OK(kill(pid, 0));
	OK(kill(pid, SIGKILL));
	OK(waitpid(pid, &status, 0));
	EQUAL(WTERMSIG(status), SIGKILL);
}

OPS_CASES(map) = {
	{ "mmap_refusals", refusals },
	{ "mmap_grown_protected_locked", what_a_map_may_become },
	{ "mmap_seen_at_once_by_others", seen_at_once },
	{ "mmap_cut_under_it_is_a_bus_error", cut_under_the_map },
	{ "mmap_stores_behind_the_end_are_lost", stores_behind_the_end_are_lost },
	{ "mmap_MADV_REMOVE", pages_removed_by_madvise },
	{ "mmap_stores_into_holes", holes_are_filled_by_stores },
	{ "mmap_of_a_running_program", a_program_that_runs },
	{ NULL, NULL },
};
