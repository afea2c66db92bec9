/* ops_rlimit.c - cases: RLIMIT_FSIZE ends what makes a file larger, with EFBIG and a signal. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

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

OPS_CASES(rlimit) = {
	{ "RLIMIT_FSIZE_of_writes", writes_end_at_the_limit },
	{ "RLIMIT_FSIZE_of_sizes", sizes_end_at_the_limit },
	{ "RLIMIT_FSIZE_of_copies", copies_end_at_the_limit },
	{ "RLIMIT_FSIZE_of_larger_files", larger_files_stay_what_they_are },
	{ NULL, NULL },
};
