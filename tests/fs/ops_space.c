/* ops_space.c - cases: holes, SEEK_DATA and SEEK_HOLE, fallocate, st_blocks, statvfs. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { PAGE = 4096, FILE_SIZE = 20 * PAGE };

static void write_pattern(int fd, off_t offset, size_t size)
{
	uint8_t *bytes = malloc(size);

	CHECK(bytes != NULL);
	ops_pattern(bytes, size, (uint64_t)offset);
	EQUAL(OK(pwrite(fd, bytes, size, offset)), size);
	free(bytes);
}

/* Pages 4 to 7, 100 and 200 to 299 of 1000 hold data. */
static void seek_data_and_hole(void)
{
	static const struct {
		int whence;
		off_t from, want;
		int want_errno;
	} rows[] = {
		{ SEEK_DATA, 0, 4 * PAGE, 0 },
		{ SEEK_HOLE, 0, 0, 0 },
		{ SEEK_DATA, 4 * PAGE, 4 * PAGE, 0 },
		{ SEEK_HOLE, 4 * PAGE, 8 * PAGE, 0 },
		{ SEEK_DATA, 5 * PAGE + 17, 5 * PAGE + 17, 0 },
		{ SEEK_HOLE, 7 * PAGE + 1, 8 * PAGE, 0 },
		{ SEEK_DATA, 8 * PAGE, 100 * PAGE, 0 },
		{ SEEK_HOLE, 100 * PAGE, 101 * PAGE, 0 },
		{ SEEK_DATA, 101 * PAGE + 5, 200 * PAGE, 0 },
		{ SEEK_HOLE, 200 * PAGE, 300 * PAGE, 0 },
		{ SEEK_HOLE, 300 * PAGE, 300 * PAGE, 0 },
		{ SEEK_DATA, 300 * PAGE, 0, ENXIO },
		{ SEEK_HOLE, 1000 * PAGE - 1, 1000 * PAGE - 1, 0 },
		{ SEEK_HOLE, 1000 * PAGE, 0, ENXIO },
		{ SEEK_DATA, 1000 * PAGE, 0, ENXIO },
		{ SEEK_DATA, 2000 * PAGE, 0, ENXIO },
		{ SEEK_DATA, -1, 0, ENXIO },
		{ SEEK_END, 0, 1000 * PAGE, 0 },
	};
	int fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

	OK(ftruncate(fd, 1000 * PAGE));
	write_pattern(fd, 4 * PAGE, 4 * PAGE);
	write_pattern(fd, 200 * PAGE, 100 * PAGE);
	write_pattern(fd, 100 * PAGE, PAGE);
	for (int round = 0; round < 2; round++) { /* before and after all is stored */
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			off_t got = lseek(fd, rows[i].from, rows[i].whence);

			if (rows[i].want_errno)
				FAILS(rows[i].want_errno, got);
			else
				EQUAL(got, rows[i].want);
		}
		OK(fsync(fd));
	}
	FAILS(EINVAL, lseek(fd, 0, 77));
}

static void seek_in_full_and_empty_files(void)
{
	int fd;

	ops_make_file("full", 50000);
	fd = FD(open("full", O_RDONLY | O_CLOEXEC));
	EQUAL(OK(lseek(fd, 0, SEEK_DATA)), 0);
	EQUAL(OK(lseek(fd, 49999, SEEK_DATA)), 49999);
	EQUAL(OK(lseek(fd, 0, SEEK_HOLE)), 50000);
	FAILS(ENXIO, lseek(fd, 50000, SEEK_DATA));
	OK(close(fd));
	ops_make_file("empty", 0);
	fd = FD(open("empty", O_RDONLY | O_CLOEXEC));
	FAILS(ENXIO, lseek(fd, 0, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, 0, SEEK_HOLE));
}

static void fallocate_modes(void)
{
	enum { KEEP = FALLOC_FL_KEEP_SIZE, PUNCH = FALLOC_FL_PUNCH_HOLE, ZERO = FALLOC_FL_ZERO_RANGE };
	static const struct {
		const char *what;
		int mode;
		off_t offset, length;
		int want;
		off_t size; /* afterwards */
		off_t zero,
			zero_end; /* this range reads as zeros then, below the size; the rest is as before */
	} rows[] = {
		{ "over data", 0, 100, 5000, 0, FILE_SIZE, 0, 0 },
		{ "beyond the end", 0, FILE_SIZE - 10, 1000, 0, FILE_SIZE + 990, FILE_SIZE, FILE_SIZE + 990 },
		{ "beyond the end, size kept", KEEP, FILE_SIZE - 10, 1000, 0, FILE_SIZE, 0, 0 },
		{ "punch pages", PUNCH | KEEP, 4 * PAGE, 2 * PAGE, 0, FILE_SIZE, 4 * PAGE, 6 * PAGE },
		{ "punch odd bytes", PUNCH | KEEP, 5001, 1234, 0, FILE_SIZE, 5001, 6235 },
		{ "punch one byte", PUNCH | KEEP, 7, 1, 0, FILE_SIZE, 7, 8 },
		{ "punch over the end", PUNCH | KEEP, FILE_SIZE - 5, 5000, 0, FILE_SIZE, FILE_SIZE - 5,
		  FILE_SIZE },
		{ "punch behind the end", PUNCH | KEEP, FILE_SIZE + 5000, 5000, 0, FILE_SIZE, 0, 0 },
		{ "punch all", PUNCH | KEEP, 0, FILE_SIZE, 0, FILE_SIZE, 0, FILE_SIZE },
		{ "punch without keeping the size", PUNCH, 0, PAGE, EOPNOTSUPP, FILE_SIZE, 0, 0 },
		{ "zero odd bytes", ZERO, 5001, 1234, 0, FILE_SIZE, 5001, 6235 },
		{ "zero over the end", ZERO, FILE_SIZE - 5, 505, 0, FILE_SIZE + 500, FILE_SIZE - 5,
		  FILE_SIZE + 500 },
		{ "zero over the end, size kept", ZERO | KEEP, FILE_SIZE - 5, 505, 0, FILE_SIZE,
		  FILE_SIZE - 5, FILE_SIZE },
		{ "both", ZERO | PUNCH, 0, PAGE, EOPNOTSUPP, FILE_SIZE, 0, 0 },
		{ "no length", 0, 0, 0, EINVAL, FILE_SIZE, 0, 0 },
		{ "negative length", 0, 0, -1, EINVAL, FILE_SIZE, 0, 0 },
		{ "negative offset", 0, -1, 10, EINVAL, FILE_SIZE, 0, 0 },
		{ "past all sizes", 0, INT64_MAX - 10, 100, EFBIG, FILE_SIZE, 0, 0 },
		{ "a mode nobody knows", 1 << 12, 0, 10, EOPNOTSUPP, FILE_SIZE, 0, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t *want = calloc(1, FILE_SIZE + 10000);
		int fd;

		CHECK(want != NULL);
		ops_row(rows[i].what);
		ops_make_file("file", FILE_SIZE);
		ops_pattern(want, FILE_SIZE, 0);
		fd = FD(open("file", O_RDWR | O_CLOEXEC));
		EQUAL(ops_errno(fallocate(fd, rows[i].mode, rows[i].offset, rows[i].length)), rows[i].want);
		memset(want + rows[i].zero, 0, (size_t)(rows[i].zero_end - rows[i].zero));
		ops_check_content("file", want, (size_t)rows[i].size);
		OK(fsync(fd));
		OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		ops_check_content("file", want, (size_t)rows[i].size);
		OK(close(fd));
		OK(unlink("file"));
		free(want);
	}
}

static void fallocate_elsewhere(void)
{
	int fd;

	ops_make_file("file", 100);
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	FAILS(EBADF, fallocate(fd, 0, 0, 10));
	OK(close(fd));
	fd = FD(open(".", O_RDONLY | O_CLOEXEC));
	FAILS(EBADF, fallocate(fd, 0, 0, 10));
	OK(close(fd));
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	CHECK(posix_fallocate(fd, 0, 100000) == 0);
	EQUAL(ops_stat(fd).st_size, 100000);
	if (on_vault) { /* ext4 can do these */
		FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE));
		FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, PAGE));
	}
}

static void punched_pages_are_holes(void)
{
	int fd;

	ops_make_file("file", FILE_SIZE);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * PAGE, 4 * PAGE));
	EQUAL(OK(lseek(fd, 0, SEEK_HOLE)), 4 * PAGE);
	EQUAL(OK(lseek(fd, 4 * PAGE, SEEK_DATA)), 8 * PAGE);
	write_pattern(fd, 5 * PAGE, PAGE);
	EQUAL(OK(lseek(fd, 4 * PAGE, SEEK_DATA)), 5 * PAGE);
	EQUAL(OK(lseek(fd, 5 * PAGE, SEEK_HOLE)), 6 * PAGE);
}

static void blocks_say_what_is_used(void)
{
	int fd;

	ops_make_file("small", 1);
	CHECK(ops_lstat("small").st_blocks > 0);
	OK(truncate("small", 100 << 20));
	CHECK(ops_lstat("small").st_blocks > 0);
	CHECK(ops_lstat("small").st_blocks < 1000);
	fd = FD(open("hole", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	OK(ftruncate(fd, 100 << 20));
	EQUAL(ops_stat(fd).st_blocks, 0);
	ops_make_file("large", 1 << 20);
	CHECK(ops_lstat("large").st_blocks >= 2048);
	fd = FD(open("large", O_RDWR | O_CLOEXEC));
	OK(fsync(fd));
	CHECK(ops_stat(fd).st_blocks >= 2048);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 19));
	CHECK(ops_stat(fd).st_blocks < 2048);
}

static void a_file_of_a_terabyte(void)
{
	uint8_t bytes[100];
	off_t far = INT64_C(1) << 40;
	int fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

	write_pattern(fd, far, 100);
	EQUAL(ops_stat(fd).st_size, far + 100);
	EQUAL(OK(pread(fd, bytes, 100, far / 2)), 100);
	CHECK(ops_is_zero(bytes, 100));
	EQUAL(OK(pread(fd, bytes, 100, far)), 100);
	CHECK(ops_is_pattern(bytes, 100, (uint64_t)far));
	EQUAL(OK(lseek(fd, 0, SEEK_DATA)), far);
	OK(ftruncate(fd, 0));
	EQUAL(ops_stat(fd).st_blocks, 0);
}

static void statvfs_of_the_disk(void)
{
	struct statvfs space;
	struct statfs kind;
	int fd;

	OK(statvfs(".", &space));
	CHECK(space.f_blocks > 0 && space.f_bfree > 0 && space.f_bavail > 0);
	CHECK(space.f_bfree <= space.f_blocks && space.f_bavail <= space.f_bfree);
	EQUAL(space.f_namemax, 255);
	CHECK(space.f_frsize >= 512 && space.f_bsize >= 512);
	fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	OK(fstatfs(fd, &kind));
	EQUAL(kind.f_namelen, 255);
	EQUAL(ops_stat(fd).st_blksize >= 512, true);
	FAILS(ENOENT, statfs("absent", &kind));
}

OPS_CASES(space) = {
	{ "SEEK_DATA_and_SEEK_HOLE", seek_data_and_hole },
	{ "SEEK_DATA_in_full_and_empty_files", seek_in_full_and_empty_files },
	{ "fallocate_modes", fallocate_modes },
	{ "fallocate_elsewhere", fallocate_elsewhere },
	{ "punched_pages_are_holes", punched_pages_are_holes },
	{ "st_blocks", blocks_say_what_is_used },
	{ "file_of_a_terabyte", a_file_of_a_terabyte },
	{ "statvfs", statvfs_of_the_disk },
	{ NULL, NULL },
};
