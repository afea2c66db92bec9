/* ops_copy.c - cases: copy_file_range within and across files. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 300001 };

/* Copy all, in as many calls as it takes; less than `length` only at the end of the source. */
static size_t copy(int from, off_t from_offset, int to, off_t to_offset, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = OK(copy_file_range(from, &from_offset, to, &to_offset, length - done, 0));

		if (n == 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static void ranges(void)
{
	static const struct {
		const char *what;
		off_t from, to;
		size_t length, want;
	} rows[] = {
		{ "all", 0, 0, SIZE, SIZE },
		{ "more than all", 0, 0, SIZE + 100, SIZE },
		{ "pages", 4096, 8192, 40960, 40960 },
		{ "odd to odd", 1001, 777, 100003, 100003 },
		{ "one byte", 299999, 5, 1, 1 },
		{ "behind the target's end", 17, 500001, 12345, 12345 },
		{ "from the end", SIZE, 0, 10, 0 },
		{ "from far behind the end", SIZE + 100000, 0, 10, 0 },
		{ "the last bytes", SIZE - 3, 12, 10, 3 },
		{ "nothing", 5, 5, 0, 0 },
	};
	static uint8_t want[600000];

	ops_make_file("from", SIZE);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t size = 100000, end = (size_t)rows[i].to + rows[i].want;
		int from = FD(open("from", O_RDONLY | O_CLOEXEC));
		int to;

		ops_row(rows[i].what);
		memset(want, 0, sizeof want);
		memset(want, 'o', size);
		to = FD(open("to", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
		EQUAL(OK(pwrite(to, want, size, 0)), size);
		EQUAL(copy(from, rows[i].from, to, rows[i].to, rows[i].length), rows[i].want);
		ops_pattern(want + rows[i].to, rows[i].want, (uint64_t)rows[i].from);
		if (rows[i].want && end > size)
			size = end;
		ops_check_content("to", want, size);
		OK(close(from));
		OK(close(to));
	}
}

static void within_one_file(void)
{
	static uint8_t want[2 * SIZE];
	off_t zero = 0, ten = 10;
	int fd;

	ops_make_file("file", SIZE);
	ops_pattern(want, SIZE, 0);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	EQUAL(copy(fd, 1, fd, 200001, 100000), 100000);
	memcpy(want + 200001, want + 1, 100000);
	ops_check_content("file", want, SIZE);
	/* onto the end, which doubles it */
	EQUAL(copy(fd, 0, fd, SIZE, SIZE), SIZE);
	memcpy(want + SIZE, want, SIZE);
	ops_check_content("file", want, 2 * SIZE);
	FAILS(EINVAL, copy_file_range(fd, &zero, fd, &ten, 100, 0));
	FAILS(EINVAL, copy_file_range(fd, &ten, fd, &zero, 100, 0));
	ops_check_content("file", want, 2 * SIZE);
}

static void holes_stay_zeros(void)
{
	static uint8_t want[400000];
	int from = FD(open("from", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	int to;

	OK(pwrite(from, "head", 4, 0));
	OK(pwrite(from, "tail", 4, 299996));
	ops_make_file("to", 400000);
	ops_pattern(want, 400000, 0);
	to = FD(open("to", O_RDWR | O_CLOEXEC));
	EQUAL(copy(from, 0, to, 50000, 300000), 300000);
	memset(want + 50000, 0, 300000);
	memcpy(want + 50000, "head", 4);
	memcpy(want + 349996, "tail", 4);
	ops_check_content("to", want, 400000);
}

static void copies_live_apart(void)
{
	static uint8_t want[SIZE];
	int from, to;

	ops_make_file("from", SIZE);
	ops_pattern(want, SIZE, 0);
	from = FD(open("from", O_RDWR | O_CLOEXEC));
	to = FD(open("to", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	EQUAL(copy(from, 0, to, 0, SIZE), SIZE);
	OK(pwrite(from, "changed", 7, 150000));
	ops_check_content("to", want, SIZE);
	OK(unlink("from"));
	OK(close(from));
	ops_check_content("to", want, SIZE);
	OK(pwrite(to, "x", 1, 3));
	want[3] = 'x';
	ops_check_content("to", want, SIZE);
}

static void what_was_just_written_is_copied(void)
{
	static uint8_t want[SIZE];
	int from = FD(open("from", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	int to = FD(open("to", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

	for (int i = 0; i < 20; i++) {
		ops_pattern(want, SIZE, (uint64_t)i * 31);
		EQUAL(OK(pwrite(from, want, SIZE, 0)), SIZE);
		EQUAL(copy(from, 0, to, 0, SIZE), SIZE);
		ops_check_content("to", want, SIZE);
	}
}

static void errors(void)
{
	int reader, writer, appender, directory;

	ops_make_file("a", 100);
	ops_make_file("b", 100);
	reader = FD(open("a", O_RDONLY | O_CLOEXEC));
	writer = FD(open("b", O_WRONLY | O_CLOEXEC));
	appender = FD(open("b", O_RDWR | O_APPEND | O_CLOEXEC));
	directory = FD(open(".", O_RDONLY | O_CLOEXEC));
	FAILS(EBADF, copy_file_range(writer, NULL, writer, NULL, 10, 0));
	FAILS(EBADF, copy_file_range(reader, NULL, reader, NULL, 10, 0));
	FAILS(EBADF, copy_file_range(reader, NULL, appender, NULL, 10, 0));
	FAILS(EISDIR, copy_file_range(directory, NULL, writer, NULL, 10, 0));
	FAILS(EINVAL, copy_file_range(reader, NULL, writer, NULL, 10, 1));
	EQUAL(OK(copy_file_range(reader, NULL, writer, NULL, 10, 0)), 10);
	EQUAL(OK(lseek(reader, 0, SEEK_CUR)), 10);
	EQUAL(OK(lseek(writer, 0, SEEK_CUR)), 10);
}

OPS_CASES(copy) = {
	{ "copy_file_range", ranges },
	{ "copy_file_range_within_one_file", within_one_file },
	{ "copy_file_range_of_holes", holes_stay_zeros },
	{ "copy_file_range_copies_live_apart", copies_live_apart },
	{ "copy_file_range_of_what_was_just_written", what_was_just_written_is_copied },
	{ "copy_file_range_errors", errors },
	{ NULL, NULL },
};
