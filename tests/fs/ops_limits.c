/* ops_limits.c - cases: the ends of sizes and offsets, limits of the process, requests of nothing and of bad memory. */
#include "ops.h"
#include "ops_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT = 10000, PAGE = 4096 };

static int make(const char *name)
{
	return FD(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644));
}

static void limit_of_the_process(void)
{
	struct rlimit limit;
	int from, fd = make("file");

	ops_make_file("from", 2 * LIMIT);
	from = FD(open("from", O_RDONLY | O_CLOEXEC));
	OK(getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = LIMIT;
	OK(setrlimit(RLIMIT_FSIZE, &limit));
	signal(SIGXFSZ, SIG_IGN);
	OK(ftruncate(fd, LIMIT));
	FAILS(EFBIG, ftruncate(fd, LIMIT + 1));
	FAILS(EFBIG, truncate("file", LIMIT + 1));
	OK(ftruncate(fd, 0));
	FAILS(EFBIG, fallocate(fd, 0, 0, LIMIT + 1));
	OK(fallocate(fd, 0, 0, LIMIT));
	EQUAL(OK(copy_file_range(from, &(off_t){ 0 }, fd, &(off_t){ LIMIT - 100 }, 5000, 0)), 100);
	FAILS(EFBIG, copy_file_range(from, &(off_t){ 0 }, fd, &(off_t){ LIMIT }, 1, 0));
	EQUAL(ops_stat(fd).st_size, LIMIT);
	OK(fcntl(fd, F_SETFL, O_APPEND));
	FAILS(EFBIG, write(fd, "x", 1));
	/* what is larger already may be read and made smaller */
	EQUAL(OK(pread(from, &(char){ 0 }, 1, 2 * LIMIT - 1)), 1);
	OK(truncate("from", LIMIT + 5000));
	EQUAL(ops_lstat("from").st_size, LIMIT + 5000);
}

static void limit_sends_a_signal(void)
{
	struct rlimit limit;
	pid_t pid = ops_fork();
	int status;

	if (pid == 0) {
		int fd = make("file");

		OK(getrlimit(RLIMIT_FSIZE, &limit));
		limit.rlim_cur = LIMIT;
		OK(setrlimit(RLIMIT_FSIZE, &limit));
		(void)!pwrite(fd, "x", 1, LIMIT);
		_exit(0);
	}
	OK(waitpid(pid, &status, 0));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

/* 8 EiB - 1, where offsets end. */
static void the_largest_file(void)
{
	const off_t last = INT64_MAX - 1;
	char byte;
	int fd = make("file"), other = make("other");

	if (ftruncate(fd, INT64_MAX) < 0 && errno == EFBIG && !on_vault)
		ops_skip("no file here can be so large");
	EQUAL(ops_stat(fd).st_size, INT64_MAX);
	EQUAL(ops_stat(fd).st_blocks, 0);
	FAILS(ENXIO, lseek(fd, 0, SEEK_DATA));
	EQUAL(OK(pread(fd, &byte, 1, last)), 1);
	EQUAL(byte, 0);
	OK(ftruncate(fd, 0));
	EQUAL(OK(pwrite(fd, "x", 1, last)), 1);
	EQUAL(ops_stat(fd).st_size, INT64_MAX);
	CHECK(ops_stat(fd).st_blocks > 0 && ops_stat(fd).st_blocks < 1 << 20);
	for (int round = 0; round < 2; round++) {
		off_t data = OK(lseek(fd, 0, SEEK_DATA));

		CHECK(data <= last && data >= (on_vault ? last : last - (1 << 16)));
		EQUAL(OK(lseek(fd, data, SEEK_HOLE)), INT64_MAX);
		EQUAL(OK(lseek(fd, 0, SEEK_END)), INT64_MAX);
		FAILS(EINVAL, read(fd, &byte, 1)); /* it would end behind all offsets */
		EQUAL(OK(pread(fd, &byte, 1, last)), 1);
		EQUAL(byte, 'x');
		OK(fsync(fd));
		OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	}
	FAILS(EINVAL, pwrite(fd, "x", 1, INT64_MAX));
	FAILS(EINVAL, pwrite(fd, "xy", 2, last));
	FAILS(EINVAL, write(fd, "x", 1));
	FAILS(EFBIG, fallocate(fd, FALLOC_FL_KEEP_SIZE, last, 10));
	FAILS(EFBIG, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, last, 2));
	CHECK(lseek(fd, 1, SEEK_END) < 0 && (errno == EINVAL || errno == EOVERFLOW));
	EQUAL(OK(copy_file_range(fd, &(off_t){ last }, other, &(off_t){ 0 }, 1000, 0)), 1);
	ops_check_content("other", "x", 1);
	EQUAL(OK(copy_file_range(other, &(off_t){ 0 }, fd, &(off_t){ last }, 2, 0)), 1);
	EQUAL(OK(copy_file_range(other, &(off_t){ 0 }, fd, &(off_t){ last - 5 }, 1, 0)), 1);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, last, 1));
	EQUAL(OK(pread(fd, &byte, 1, last)), 1);
	EQUAL(byte, 0);
	EQUAL(OK(pread(fd, &byte, 1, last - 5)), 1);
	EQUAL(byte, 'x');
	OK(ftruncate(fd, last - 5));
	OK(ftruncate(fd, INT64_MAX));
	EQUAL(OK(pread(fd, &byte, 1, last - 5)), 1);
	EQUAL(byte, 0);
}

static void flags_of_a_request(void)
{
	char bytes[10];
	static struct iovec many[IOV_MAX + 1];
	struct iovec one = { bytes, sizeof bytes }, x = { "x", 1 };
	int fd;
	ssize_t n;

	ops_make_file("file", 100);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	EQUAL(OK(preadv2(fd, &one, 1, 5, 0)), 10);
	CHECK(ops_is_pattern((uint8_t *)bytes, 10, 5));
	EQUAL(OK(preadv2(fd, &one, 1, -1, 0)), 10); /* -1: where the file stands */
	EQUAL(OK(lseek(fd, 0, SEEK_CUR)), 10);
	EQUAL(OK(pwritev2(fd, &x, 1, 3, RWF_APPEND)), 1);
	EQUAL(ops_stat(fd).st_size, 101);
	EQUAL(OK(pwritev2(fd, &x, 1, 3, RWF_DSYNC)), 1);
	EQUAL(OK(pwritev2(fd, &x, 1, 3, RWF_SYNC)), 1);
	n = preadv2(fd, &one, 1, 5, RWF_NOWAIT);
	CHECK(n == 10 || (n < 0 && (errno == EOPNOTSUPP || errno == EAGAIN)));
	FAILS(EOPNOTSUPP, preadv2(fd, &one, 1, 5, 1 << 20));
	FAILS(EINVAL, preadv2(fd, &one, 1, -2, 0));
	FAILS(EINVAL, preadv(fd, many, IOV_MAX + 1, 0));
	FAILS(EINVAL, preadv(fd, &(struct iovec){ bytes, SIZE_MAX }, 1, 0));
	EQUAL(OK(preadv(fd, &one, 0, 0)), 0);
	EQUAL(ops_stat(fd).st_size, 101);
}

static void many_vectors(void)
{
	static uint8_t bytes[IOV_MAX * 37];
	static struct iovec vectors[IOV_MAX];
	int fd = make("file");

	ops_pattern(bytes, sizeof bytes, 0);
	for (size_t i = 0; i < IOV_MAX; i++)
		vectors[i] = (struct iovec){ bytes + i * 37, 37 };
	EQUAL(OK(pwritev(fd, vectors, IOV_MAX, 0)), sizeof bytes);
	ops_check_content("file", bytes, sizeof bytes);
	memset(bytes, 0, sizeof bytes);
	EQUAL(OK(preadv(fd, vectors, IOV_MAX, 0)), sizeof bytes);
	CHECK(ops_is_pattern(bytes, sizeof bytes, 0));
}

static void requests_of_nothing(void)
{
	int reader, fd = make("file");

	EQUAL(OK(pwrite(fd, "x", 0, 1000)), 0);
	EQUAL(ops_stat(fd).st_size, 0);
	EQUAL(OK(write(fd, NULL, 0)), 0);
	EQUAL(OK(read(fd, NULL, 0)), 0);
	reader = FD(open("file", O_RDONLY | O_CLOEXEC));
	FAILS(EBADF, write(reader, "x", 0));
	EQUAL(OK(copy_file_range(reader, NULL, fd, NULL, 0, 0)), 0);
	FAILS(EINVAL, fallocate(fd, 0, 0, 0));
}

static void bad_memory(void)
{
	uint8_t *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = make("file");

	CHECK(p != MAP_FAILED);
	ops_pattern(p, PAGE, 0);
	OK(munmap(p + PAGE, PAGE));
	FAILS(EFAULT, pwrite(fd, p + PAGE, 10, 0));
	EQUAL(ops_stat(fd).st_size, 0);
	EQUAL(OK(pwrite(fd, p + PAGE - 10, 20, 0)), 10); /* what can be read is written */
	ops_pattern(p, PAGE, 0);
	CHECK(ops_stat(fd).st_size == 10);
	FAILS(EFAULT, pread(fd, p + PAGE, 10, 0));
	EQUAL(OK(pwrite(fd, p, PAGE, 0)), PAGE);
	EQUAL(OK(pread(fd, p + PAGE - 10, 20, 0)), 10);
	CHECK(ops_is_pattern(p + PAGE - 10, 10, 0));
}

enum { WRITERS = 4, ROUNDS = 40, WIDTH = 200001 };

/* Each write is whole: of several at one place one wins, and records that are appended stand one behind the other. */
static void writes_of_others_do_not_mix(void)
{
	static uint8_t bytes[WIDTH];
	pid_t pids[WRITERS];
	int at = make("place"), log = make("log");
	size_t position = 0;

	for (int p = 0; p < WRITERS; p++) {
		pids[p] = ops_fork();
		if (pids[p] != 0)
			continue;
		log = FD(open("log", O_WRONLY | O_APPEND | O_CLOEXEC));
		memset(bytes, 'a' + p, WIDTH);
		for (int i = 0; i < ROUNDS; i++) {
			EQUAL(OK(pwrite(at, bytes, WIDTH, 123)), WIDTH);
			EQUAL(OK(write(log, bytes, (size_t)(1000 * p + 777))), 1000 * p + 777);
		}
		_exit(0);
	}
	for (int p = 0; p < WRITERS; p++)
		ops_join(pids[p]);
	EQUAL(OK(pread(at, bytes, WIDTH, 123)), WIDTH);
	for (size_t i = 1; i < WIDTH; i++)
		EQUAL(bytes[i], bytes[0]);
	for (int i = 0; i < WRITERS * ROUNDS; i++) {
		size_t size;

		EQUAL(OK(pread(log, bytes, 1, (off_t)position)), 1);
		CHECK(bytes[0] >= 'a' && bytes[0] < 'a' + WRITERS);
		size = (size_t)(1000 * (bytes[0] - 'a') + 777);
		EQUAL(OK(pread(log, bytes, size, (off_t)position)), size);
		for (size_t k = 1; k < size; k++)
			EQUAL(bytes[k], bytes[0]);
		position += size;
	}
	EQUAL(ops_stat(log).st_size, position);
}

OPS_CASES(limits) = {
	{ "RLIMIT_FSIZE", limit_of_the_process },
	{ "RLIMIT_FSIZE_sends_SIGXFSZ", limit_sends_a_signal },
	{ "file_of_8_EiB", the_largest_file },
	{ "preadv2_and_pwritev2", flags_of_a_request },
	{ "IOV_MAX_vectors", many_vectors },
	{ "requests_of_nothing", requests_of_nothing },
	{ "requests_with_bad_memory", bad_memory },
	{ "writes_of_others_do_not_mix", writes_of_others_do_not_mix },
	{ NULL, NULL },
};
