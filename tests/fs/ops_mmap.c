/* ops_mmap.c - cases: files mapped, shared and private, and changed under the map. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, SIZE = 50 * PAGE + 100 };

static uint8_t *map(int fd, size_t size, int protection, int flags)
{
	void *p = mmap(NULL, size, protection, flags, fd, 0);

	if (p == MAP_FAILED)
		ops_fail(__FILE__, __LINE__, "mmap: %s", strerrorname_np(errno));
	return p;
}

static void stores_are_seen_by_reads(void)
{
	static uint8_t want[SIZE];
	uint8_t byte, *p;
	int fd;

	ops_make_file("file", SIZE);
	ops_pattern(want, SIZE, 0);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	p = map(fd, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK(memcmp(p, want, SIZE) == 0);
	for (size_t at = 3; at < SIZE; at += 5003) {
		want[at] = p[at] = 0xee;
		OK(pread(fd, &byte, 1, (off_t)at));
		EQUAL(byte, 0xee);
	}
	OK(msync(p, SIZE, MS_SYNC));
	OK(munmap(p, SIZE));
	OK(close(fd));
	ops_check_content("file", want, SIZE);
}

static void stores_survive_without_msync(void)
{
	static uint8_t want[SIZE];
	uint8_t *p;
	int fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

	OK(ftruncate(fd, SIZE));
	p = map(fd, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
	OK(close(fd)); /* the map holds the file open */
	ops_pattern(want, SIZE, 9);
	memcpy(p, want, SIZE);
	OK(munmap(p, SIZE));
	ops_check_content("file", want, SIZE);
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	ops_check_content("file", want, SIZE);
	EQUAL(ops_stat(fd).st_size, SIZE);
}

static void writes_are_seen_by_the_map(void)
{
	uint8_t *p;
	int fd;

	ops_make_file("file", SIZE);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	p = map(fd, SIZE, PROT_READ, MAP_SHARED);
	EQUAL(p[10000], p[10000]);
	OK(pwrite(fd, "seen", 4, 10000));
	CHECK(memcmp(p + 10000, "seen", 4) == 0);
	OK(pwrite(fd, "over", 4, 3 * PAGE - 2));
	CHECK(memcmp(p + 3 * PAGE - 2, "over", 4) == 0);
}

static void truncate_under_the_map(void)
{
	uint8_t *p, byte;
	int fd;

	ops_make_file("file", 10 * PAGE);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	p = map(fd, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	p[5 * PAGE + 200] = 1;
	OK(ftruncate(fd, 5 * PAGE + 100));
	/* the rest of the last page is zeros, and what is stored there does not become part of the file */
	EQUAL(p[5 * PAGE + 200], 0);
	p[5 * PAGE + 300] = 7;
	CHECK(ops_is_pattern(p, 5 * PAGE + 100, 0));
	OK(msync(p, 5 * PAGE + 100, MS_SYNC));
	EQUAL(ops_stat(fd).st_size, 5 * PAGE + 100);
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	OK(ftruncate(fd, 10 * PAGE));
	EQUAL(OK(pread(fd, &byte, 1, 7 * PAGE)), 1);
	EQUAL(byte, 0);
	CHECK(ops_is_zero(p + 6 * PAGE, 4 * PAGE));
	p[8 * PAGE] = 3;
	EQUAL(OK(pread(fd, &byte, 1, 8 * PAGE)), 1);
	EQUAL(byte, 3);
}

static void beyond_the_end_is_a_bus_error(void)
{
	pid_t pid;
	int status, fd;

	ops_make_file("file", 100);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		volatile uint8_t *p = map(fd, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

		/* a sanitizer must not make a report of what is wanted here */
		signal(SIGBUS, SIG_DFL);
		p[200] = 1;
		p[2 * PAGE] = 1;
		_exit(0);
	}
	OK(waitpid(pid, &status, 0));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static void private_stores_stay_private(void)
{
	static uint8_t want[SIZE];
	uint8_t *p;
	int fd;

	ops_make_file("file", SIZE);
	ops_pattern(want, SIZE, 0);
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	p = map(fd, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	memset(p, 0, SIZE);
	OK(munmap(p, SIZE));
	ops_check_content("file", want, SIZE);
	CHECK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	EQUAL(errno, EACCES);
}

static void two_processes_share(void)
{
	volatile uint8_t *p;
	pid_t pid;
	int status, fd;

	ops_make_file("file", SIZE);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	p = map(fd, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		int mine = FD(open("file", O_RDWR | O_CLOEXEC));
		volatile uint8_t *q = map(mine, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);

		q[20 * PAGE] = 0xab;
		OK(pwrite(mine, "\xcd", 1, 21 * PAGE));
		_exit(0);
	}
	OK(waitpid(pid, &status, 0));
	EQUAL(status, 0);
	EQUAL(p[20 * PAGE], 0xab);
	EQUAL(p[21 * PAGE], 0xcd);
}

static void unlinked_while_mapped(void)
{
	uint8_t *p, byte;
	int fd;

	ops_make_file("file", SIZE);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	p = map(fd, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
	OK(unlink("file"));
	OK(madvise(p, SIZE, MADV_DONTNEED));
	CHECK(ops_is_pattern(p, SIZE, 0));
	p[30 * PAGE] = 0x42;
	OK(msync(p, SIZE, MS_SYNC));
	OK(pread(fd, &byte, 1, 30 * PAGE));
	EQUAL(byte, 0x42);
	OK(close(fd));
	EQUAL(p[30 * PAGE], 0x42);
}

OPS_CASES(mmap) = {
	{ "mmap_stores_are_seen_by_reads", stores_are_seen_by_reads },
	{ "mmap_stores_survive_without_msync", stores_survive_without_msync },
	{ "mmap_sees_writes", writes_are_seen_by_the_map },
	{ "mmap_and_truncate", truncate_under_the_map },
	{ "mmap_beyond_the_end", beyond_the_end_is_a_bus_error },
	{ "mmap_private", private_stores_stay_private },
	{ "mmap_shared_by_processes", two_processes_share },
	{ "mmap_of_an_unlinked_file", unlinked_while_mapped },
	{ NULL, NULL },
};
