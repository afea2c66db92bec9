/* ops_extent.c - cases: what fallocate(2) and copy_file_range(2) refuse, and copies that meet at the borders of chunks. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCK = 4096, SIZE = 64 * BLOCK };

static int make(const char *path)
{
	ops_make_file(path, SIZE);
	return FD(open(path, O_RDWR | O_CLOEXEC));
}

static void fallocate_refuses(void)
{
	enum { KEEP = FALLOC_FL_KEEP_SIZE, PUNCH = FALLOC_FL_PUNCH_HOLE | KEEP, ZERO = FALLOC_FL_ZERO_RANGE };
	static const struct {
		const char *what;
		int mode;
		off_t offset, length;
		int want;
	} rows[] = {
		{ "no length", KEEP, 0, 0, EINVAL },
		{ "no length to punch", PUNCH, 0, 0, EINVAL },
		{ "no length to zero", ZERO, 0, 0, EINVAL },
		{ "a negative length", PUNCH, 0, -1, EINVAL },
		{ "a negative offset", ZERO, -1, 1, EINVAL },
		{ "behind all offsets", 0, INT64_MAX, 1, EFBIG },
		{ "punching behind all offsets", PUNCH, INT64_MAX, 1, EFBIG },
		{ "the whole range of offsets", 0, 1, INT64_MAX, EFBIG },
		{ "punch without keeping the size", FALLOC_FL_PUNCH_HOLE, 0, 1, EOPNOTSUPP },
		{ "punch and zero", PUNCH | ZERO, 0, 1, EOPNOTSUPP },
		{ "collapse and keep", FALLOC_FL_COLLAPSE_RANGE | KEEP, 0, BLOCK, EOPNOTSUPP },
		{ "insert and keep", FALLOC_FL_INSERT_RANGE | KEEP, 0, BLOCK, EOPNOTSUPP },
		{ "unshare", FALLOC_FL_UNSHARE_RANGE, 0, BLOCK, EOPNOTSUPP },
		{ "unshare and keep", FALLOC_FL_UNSHARE_RANGE | KEEP, 0, BLOCK, EOPNOTSUPP },
		{ "a flag nobody knows", 1 << 20, 0, BLOCK, EOPNOTSUPP },
	};
	int fd = make("file");

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ops_row(rows[i].what);
		FAILS(rows[i].want, fallocate(fd, rows[i].mode, rows[i].offset, rows[i].length));
		EQUAL(ops_stat(fd).st_size, SIZE);
	}
}

static void fallocate_elsewhere(void)
{
	int ends[2];

	OK(close(make("file")));
	FAILS(EBADF, fallocate(FD(open("file", O_RDONLY | O_CLOEXEC)),
			       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1));
	FAILS(EBADF, fallocate(FD(open("file", O_PATH | O_CLOEXEC)), 0, 0, 1));
	OK(fallocate(FD(open("file", O_WRONLY | O_APPEND | O_CLOEXEC)), 0, SIZE, BLOCK));
	EQUAL(ops_lstat("file").st_size, SIZE + BLOCK);
	OK(mkfifo("pipe", 0644));
	FAILS(ESPIPE, fallocate(FD(open("pipe", O_RDWR | O_CLOEXEC)), 0, 0, 1));
	OK(pipe2(ends, O_CLOEXEC));
	FAILS(ESPIPE, fallocate(ends[1], 0, 0, 1));
	FAILS(EBADF, fallocate(FD(open(".", O_RDONLY | O_CLOEXEC)), 0, 0, 1));
	FAILS(ENODEV, fallocate(FD(open("/dev/null", O_WRONLY | O_CLOEXEC)), 0, 0, 1));
}

static void copy_refuses(void)
{
	int memory = FD(memfd_create("elsewhere", MFD_CLOEXEC)), ends[2];
	int fd = make("file"), other = make("other");
	int place = FD(open("file", O_PATH | O_CLOEXEC)), directory = FD(open(".", O_RDONLY | O_CLOEXEC));

	OK(ftruncate(memory, SIZE));
	OK(mkfifo("pipe", 0644));
	OK(pipe2(ends, O_CLOEXEC));
	FAILS(EXDEV, copy_file_range(memory, NULL, fd, NULL, 10, 0));
	FAILS(EXDEV, copy_file_range(fd, NULL, memory, NULL, 10, 0));
	FAILS(EBADF, copy_file_range(place, NULL, fd, NULL, 10, 0));
	FAILS(EISDIR, copy_file_range(directory, NULL, fd, NULL, 10, 0));
	FAILS(EINVAL, copy_file_range(ends[0], NULL, fd, NULL, 10, 0));
	FAILS(EINVAL, copy_file_range(fd, NULL, FD(open("pipe", O_RDWR | O_CLOEXEC)), NULL, 10, 0));
	FAILS(EOVERFLOW, copy_file_range(fd, &(off_t){ -1 }, other, NULL, 10, 0));
	FAILS(EOVERFLOW, copy_file_range(fd, NULL, other, &(off_t){ -1 }, 10, 0));
	FAILS(EINVAL, copy_file_range(fd, NULL, other, NULL, 10, 1));
	FAILS(EINVAL, copy_file_range(fd, &(off_t){ 0 }, fd, &(off_t){ 0 }, 10, 0));
	EQUAL(OK(copy_file_range(fd, &(off_t){ SIZE }, other, NULL, 10, 0)), 0);
}

/* Into itself, right beside what is copied, over it by a byte, at borders of blocks and beside them. */
static void copy_within_at_borders(void)
{
	static const struct {
		const char *what;
		off_t from, to;
		size_t length;
		int want;
	} rows[] = {
		{ "right behind", 0, 4 * BLOCK, 4 * BLOCK, 0 },
		{ "right before", 8 * BLOCK, 4 * BLOCK, 4 * BLOCK, 0 },
		{ "over it by a byte", 0, 4 * BLOCK, 4 * BLOCK + 1, EINVAL },
		{ "over it by a byte, backwards", 8 * BLOCK, 4 * BLOCK, 4 * BLOCK + 1, EINVAL },
		{ "odd, right behind", 4095, 4095 + 10001, 10001, 0 },
		{ "odd, right before", 30001, 30001 - 777, 777, 0 },
		{ "over itself at the end", SIZE - BLOCK, SIZE - 1, 2 * BLOCK, EINVAL },
		{ "behind the end, leaving a hole", 5, SIZE + 100001, 60000, 0 },
		{ "the same place", 5, 5, 1, EINVAL },
	};
	static uint8_t want[3 * SIZE];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		off_t from = rows[i].from, to = rows[i].to;
		size_t size = SIZE, done = 0;
		int fd = make("file");

		ops_row(rows[i].what);
		memset(want, 0, sizeof want);
		ops_pattern(want, SIZE, 0);
		if (rows[i].want) {
			FAILS(rows[i].want, copy_file_range(fd, &from, fd, &to, rows[i].length, 0));
		} else {
			while (done < rows[i].length)
				done += (size_t)OK(
					copy_file_range(fd, &from, fd, &to, rows[i].length - done, 0));
			EQUAL(to, rows[i].to + (off_t)rows[i].length);
			memcpy(want + rows[i].to, want + rows[i].from, rows[i].length);
			if ((size_t)rows[i].to + rows[i].length > size)
				size = (size_t)rows[i].to + rows[i].length;
		}
		ops_check_content("file", want, size);
		OK(fsync(fd));
		OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		ops_check_content("file", want, size);
		OK(close(fd));
	}
}

static void truncate_at_borders(void)
{
	static const off_t borders[] = { 0,     1,     4095,  4096,  4097,     16383, 16384,
					 16385, 65535, 65536, 65537, SIZE - 1, SIZE };
	static uint8_t want[SIZE + 1];
	enum { N = sizeof borders / sizeof *borders };

	/* Down to one border and up to the end: nothing that was cut off comes back, stored or not. */
	for (int i = 0; i < N; i++) {
		for (int stored = 0; stored < 2; stored++) {
			int fd = make("file");

			if (stored)
				OK(fsync(fd));
			OK(ftruncate(fd, borders[i]));
			OK(ftruncate(fd, SIZE + 1));
			memset(want, 0, sizeof want);
			ops_pattern(want, (size_t)borders[i], 0);
			ops_check_content("file", want, SIZE + 1);
			OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
			ops_check_content("file", want, SIZE + 1);
			OK(close(fd));
		}
	}
}

OPS_CASES(extent) = {
	{ "fallocate_refuses", fallocate_refuses },
	{ "fallocate_refuses_elsewhere", fallocate_elsewhere },
	{ "copy_file_range_refuses", copy_refuses },
	{ "copy_file_range_within_at_borders", copy_within_at_borders },
	{ "truncate_at_borders", truncate_at_borders },
	{ NULL, NULL },
};
