/* ops_data.c - cases: bytes written and read at odd places, appended, cut off, and synced. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static int make(const char *name)
{
	return FD(open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
}

static uint8_t *zeroed(size_t size)
{
	uint8_t *p = calloc(1, size);

	CHECK(p != NULL);
	return p;
}

/* Write rows one after the other into a file and a buffer; after each, both must be equal. */
static void odd_places(void)
{
	static const struct {
		const char *what;
		size_t offset, size;
	} rows[] = {
		{ "one byte at the start", 0, 1 },      { "the byte behind", 1, 1 },
		{ "over a page boundary", 4095, 2 },    { "a page and a byte", 8191, 4097 },
		{ "odd behind a hole", 100001, 777 },   { "over half of that", 100300, 99999 },
		{ "128 KiB less one", 131071, 131071 }, { "a MiB at an odd place", 333333, MIB },
		{ "into the middle of it", 700001, 3 }, { "far out", 5 * MIB + 17, 12345 },
		{ "into the hole", 3 * MIB - 1, 2 },    { "over everything", 0, 6 * MIB },
		{ "one byte at the end", 6 * MIB, 1 },  { "nothing", 77, 0 },
	};
	size_t total = 7 * MIB, size = 0;
	uint8_t *want = zeroed(total), *data = zeroed(total);
	int fd = make("file");

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ops_row(rows[i].what);
		ops_pattern(data, rows[i].size, rows[i].offset + i * 7919);
		EQUAL(OK(pwrite(fd, data, rows[i].size, (off_t)rows[i].offset)), rows[i].size);
		memcpy(want + rows[i].offset, data, rows[i].size);
		if (rows[i].size && size < rows[i].offset + rows[i].size)
			size = rows[i].offset + rows[i].size;
		ops_check_content("file", want, size);
		if (i % 3 == 0) {
			OK(fsync(fd));
			OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
			ops_check_content("file", want, size);
		}
	}
}

static void reads_around_the_end(void)
{
	uint8_t bytes[300];
	int fd;

	ops_make_file("file", 10000);
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	EQUAL(OK(pread(fd, bytes, 300, 9900)), 100);
	CHECK(ops_is_pattern(bytes, 100, 9900));
	EQUAL(OK(pread(fd, bytes, 300, 9999)), 1);
	EQUAL(OK(pread(fd, bytes, 300, 10000)), 0);
	EQUAL(OK(pread(fd, bytes, 300, INT64_C(1) << 40)), 0);
	EQUAL(OK(pread(fd, bytes, 0, 5)), 0);
	FAILS(EINVAL, pread(fd, bytes, 1, -1));
	FAILS(EBADF, pwrite(fd, bytes, 1, 0));
	OK(close(fd));
	fd = FD(open("file", O_WRONLY | O_CLOEXEC));
	FAILS(EBADF, pread(fd, bytes, 1, 0));
	FAILS(EINVAL, pwrite(fd, bytes, 1, -1));
}

static void vectors(void)
{
	uint8_t a[1000], b[5000], c[3], got[6003];
	struct iovec out[] = { { a, sizeof a }, { b, sizeof b }, { c, sizeof c } };
	struct iovec in[] = { { got, 7 }, { got + 7, 5990 }, { got + 5997, 6 } };
	int fd = make("file");

	ops_pattern(a, sizeof a, 0);
	ops_pattern(b, sizeof b, 1000);
	ops_pattern(c, sizeof c, 6000);
	EQUAL(OK(pwritev(fd, out, 3, 12345)), 6003);
	EQUAL(OK(preadv(fd, in, 3, 12345)), 6003);
	CHECK(ops_is_pattern(got, sizeof got, 0));
}

static void appends_land_behind_each_other(void)
{
	uint8_t want[400], byte;
	int a, b;

	OK(close(make("file")));
	a = FD(open("file", O_WRONLY | O_APPEND | O_CLOEXEC));
	b = FD(open("file", O_RDWR | O_APPEND | O_CLOEXEC));
	for (int i = 0; i < 400; i++) {
		byte = want[i] = (uint8_t)(i * 3);
		EQUAL(OK(write(i % 2 ? a : b, &byte, 1)), 1);
	}
	ops_check_content("file", want, sizeof want);
	/* Linux: O_APPEND also moves pwrite to the end. */
	EQUAL(OK(pwrite(b, want, 10, 0)), 10);
	EQUAL(ops_stat(b).st_size, 410);
	EQUAL(OK(lseek(b, 0, SEEK_CUR)), 200 + 199);
	/* After somebody cut the file, the end is where it is now. */
	OK(truncate("file", 3));
	EQUAL(OK(write(a, "x", 1)), 1);
	EQUAL(ops_stat(a).st_size, 4);
}

static void truncate_to_many_sizes(void)
{
	static const size_t sizes[] = { 100000, 99999, 65536,  65537,   4096,   4095, 1,
					0,      5,     300000, 3000001, 131072, 0 };
	uint8_t *want = zeroed(3 * MIB + 1);
	size_t data = 300000;

	ops_make_file("file", data);
	ops_pattern(want, data, 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		if (i % 2) {
			OK(truncate("file", (off_t)sizes[i]));
		} else {
			int fd = FD(open("file", O_RDWR | O_CLOEXEC));

			OK(ftruncate(fd, (off_t)sizes[i]));
			OK(close(fd));
		}
		/* What was cut off reads as zeros when the file grows again. */
		if (sizes[i] < data)
			data = sizes[i];
		memset(want + data, 0, 3 * MIB + 1 - data);
		ops_check_content("file", want, sizes[i]);
	}
}

static void cut_bytes_never_come_back(void)
{
	static uint8_t bytes[20000];
	int fd = make("file");

	ops_pattern(bytes, sizeof bytes, 0);
	OK(pwrite(fd, bytes, sizeof bytes, 0));
	OK(ftruncate(fd, 5001));
	OK(pwrite(fd, "end", 3, 15000));
	memset(bytes + 5001, 0, sizeof bytes - 5001);
	memcpy(bytes + 15000, "end", 3);
	ops_check_content("file", bytes, 15003);
	OK(fsync(fd));
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	ops_check_content("file", bytes, 15003);
}

static void open_truncates(void)
{
	int reader;

	ops_make_file("file", 50000);
	reader = FD(open("file", O_RDONLY | O_CLOEXEC));
	OK(close(FD(open("file", O_WRONLY | O_TRUNC | O_CLOEXEC))));
	EQUAL(ops_stat(reader).st_size, 0);
	EQUAL(OK(read(reader, &(char){ 0 }, 1)), 0);
	ops_check_content("file", "", 0);
}

static void ftruncate_wants_a_writer(void)
{
	int fd;

	ops_make_file("file", 10);
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	FAILS(EINVAL, ftruncate(fd, 5));
	OK(close(fd));
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	FAILS(EINVAL, ftruncate(fd, -1));
	OK(fsync(fd));
	OK(fdatasync(fd));
	OK(close(fd));
	FAILS(EBADF, fsync(fd));
}

static void too_large(void)
{
	struct rlimit limit = { .rlim_cur = 10000, .rlim_max = RLIM_INFINITY };
	int fd = make("file");

	/* the file size limit of the process: a short write first, then EFBIG */
	OK(getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = 10000;
	OK(setrlimit(RLIMIT_FSIZE, &limit));
	signal(SIGXFSZ, SIG_IGN);
	EQUAL(OK(pwrite(fd, (char[100]){ 0 }, 100, 9950)), 50);
	FAILS(EFBIG, pwrite(fd, "x", 1, 10000));
	FAILS(EFBIG, ftruncate(fd, 10001));
	FAILS(EFBIG, pwrite(fd, "x", 1, INT64_MAX - 10));
}

static void many_handles_see_each_other(void)
{
	uint8_t byte;
	int fds[20];

	for (int i = 0; i < 20; i++)
		fds[i] = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	for (int i = 0; i < 400; i++) {
		byte = (uint8_t)(i ^ 0x5a);
		OK(pwrite(fds[i % 20], &byte, 1, i * 997));
		OK(pread(fds[(i * 7 + 3) % 20], &byte, 1, i * 997));
		EQUAL(byte, (uint8_t)(i ^ 0x5a));
		EQUAL(ops_stat(fds[(i * 3) % 20]).st_size, i * 997 + 1);
		EQUAL(ops_lstat("file").st_size, i * 997 + 1);
	}
}

static void sync_flags(void)
{
	static const int flags[] = { O_SYNC, O_DSYNC, O_SYNC | O_APPEND };
	char block[512];

	memset(block, 'x', sizeof block);
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		int fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC | flags[i], 0644));

		EQUAL(OK(write(fd, block, sizeof block)), sizeof block);
		OK(close(fd));
	}
	EQUAL(ops_lstat("file").st_size, 1024);
}

static void direct_io(void)
{
	uint8_t *block = NULL;
	int fd = open("file", O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644);

	if (fd < 0 && errno == EINVAL)
		ops_skip("no O_DIRECT here");
	OK(fd);
	CHECK(posix_memalign((void **)&block, 4096, 65536) == 0);
	ops_pattern(block, 65536, 0);
	EQUAL(OK(pwrite(fd, block, 65536, 0)), 65536);
	EQUAL(OK(pwrite(fd, block, 4096, 131072)), 4096);
	memset(block, 0, 65536);
	EQUAL(OK(pread(fd, block, 65536, 0)), 65536);
	CHECK(ops_is_pattern(block, 65536, 0));
	EQUAL(OK(pread(fd, block, 65536, 65536)), 65536);
	CHECK(ops_is_zero(block, 65536));
	EQUAL(OK(pread(fd, block, 65536, 131072)), 4096);
	/* and through the page cache */
	OK(close(fd));
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	EQUAL(OK(pread(fd, block, 4096, 4096)), 4096);
	CHECK(ops_is_pattern(block, 4096, 4096));
}

static void splices(void)
{
	uint8_t *got = zeroed(200000);
	int from, to, ends[2];
	off_t offset = 1000;
	ssize_t n, total = 0;

	ops_make_file("from", 200000);
	from = FD(open("from", O_RDONLY | O_CLOEXEC));
	to = make("to");
	while ((n = OK(sendfile(to, from, &offset, 200000))) > 0)
		total += n;
	EQUAL(total, 199000);
	EQUAL(OK(pread(to, got, 200000, 0)), 199000);
	CHECK(ops_is_pattern(got, 199000, 1000));
	OK(pipe2(ends, O_CLOEXEC));
	offset = 5001;
	EQUAL(OK(splice(from, &offset, ends[1], NULL, 10000, 0)), 10000);
	offset = 250000;
	EQUAL(OK(splice(ends[0], NULL, to, &offset, 10000, 0)), 10000);
	EQUAL(OK(pread(to, got, 10000, 250000)), 10000);
	CHECK(ops_is_pattern(got, 10000, 5001));
}

OPS_CASES(data) = {
	{ "pwrite_and_pread_at_odd_places", odd_places },
	{ "reads_around_the_end", reads_around_the_end },
	{ "pwritev_and_preadv", vectors },
	{ "O_APPEND_lands_behind", appends_land_behind_each_other },
	{ "truncate_up_and_down", truncate_to_many_sizes },
	{ "truncated_bytes_never_come_back", cut_bytes_never_come_back },
	{ "O_TRUNC_empties_for_everybody", open_truncates },
	{ "ftruncate_and_fsync_errors", ftruncate_wants_a_writer },
	{ "file_size_limit", too_large },
	{ "handles_of_a_file_see_each_other", many_handles_see_each_other },
	{ "O_SYNC_and_O_DSYNC", sync_flags },
	{ "O_DIRECT", direct_io },
	{ "sendfile_and_splice", splices },
	{ NULL, NULL },
};
