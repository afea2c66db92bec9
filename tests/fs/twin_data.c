/* twin_data.c - calls that read and write what is open. */
#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFFSET_MAX = 300000, PAGE = 4096 };

/* Bytes that only an operation's number decides: text that compresses, one byte over and over, or noise. */
static void fill(uint8_t *bytes, size_t size, int64_t number)
{
	struct random random = { (uint64_t)number };

	for (size_t i = 0; i < size; i++) {
		if (number % 3 == 0)
			bytes[i] = (uint8_t)number;
		else if (number % 3 == 1)
			bytes[i] = (uint8_t)("lorem ipsum dolor sit amet "[(i + (size_t)number) % 27]);
		else
			bytes[i] = i % 8 ? (uint8_t)(bytes[i - 1] * 5 + 1) : (uint8_t)random_next(&random);
	}
}

static int64_t make_offset(struct twin_maker *maker)
{
	size_t pick = random_below(&maker->random, 20);
	int64_t at = (int64_t)random_size(&maker->random, OFFSET_MAX) - 1;

	if (pick == 0)
		return -1;
	return pick < 8 ? at - at % PAGE : at;
}

static void make_io(struct twin_maker *maker, struct twin_op *op)
{
	op->slot = twin_make_slot(maker, TWIN_FILE);
	op->offset = make_offset(maker);
	op->offset2 = (int64_t)random_below(&maker->random, 1000); /* which bytes */
	op->length = random_below(&maker->random, 20) ? (int64_t)random_size(&maker->random, 20000)
						      : (int64_t)random_below(&maker->random, TWIN_IO_MAX);
}

/* In three parts, one of them empty. */
static void parts_of(struct twin_player *player, const struct twin_op *op, struct iovec parts[3])
{
	size_t size = (size_t)op->length, first = size / 3;

	parts[0] = (struct iovec){ player->buffer, first };
	parts[1] = (struct iovec){ player->buffer + first, 0 };
	parts[2] = (struct iovec){ player->buffer + first, size - first };
}

static void say_read(struct twin_player *player, ssize_t n, struct twin_answer *answer)
{
	twin_say_result(answer, n);
	if (n > 0)
		twin_say_bytes(answer, player->buffer, (size_t)n);
}

static void run_read(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	say_read(player, read(twin_slot(player, op->slot), player->buffer, (size_t)op->length), answer);
}

static void run_pread(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	say_read(player, pread(twin_slot(player, op->slot), player->buffer, (size_t)op->length, op->offset),
		 answer);
}

static void run_readv(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	struct iovec parts[3];

	parts_of(player, op, parts);
	say_read(player, readv(twin_slot(player, op->slot), parts, 3), answer);
}

static void run_write(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	fill(player->buffer, (size_t)op->length, op->offset2);
	twin_say_result(answer, write(twin_slot(player, op->slot), player->buffer, (size_t)op->length));
}

static void run_pwrite(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	fill(player->buffer, (size_t)op->length, op->offset2);
	twin_say_result(answer,
			pwrite(twin_slot(player, op->slot), player->buffer, (size_t)op->length, op->offset));
}

static void run_writev(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	struct iovec parts[3];

	fill(player->buffer, (size_t)op->length, op->offset2);
	parts_of(player, op, parts);
	twin_say_result(answer, writev(twin_slot(player, op->slot), parts, 3));
}

static void make_seek(struct twin_maker *maker, struct twin_op *op)
{
	op->slot = twin_make_slot(maker, TWIN_FILE);
	op->flags = (unsigned)random_below(&maker->random, 4); /* 3: SEEK_DATA, see run_seek() */
	op->offset = make_offset(maker);
	if (op->flags != SEEK_SET)
		op->offset %= 5000;
	if (op->flags == SEEK_END)
		op->offset = -op->offset;
}

/* Positions in a directory are each filesystem's own. Where data ends is too: see run_seek_hole(). */
static void run_seek(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	int fd = twin_slot(player, op->slot);
	struct stat st;

	if (op->flags > SEEK_END)
		twin_say_result(answer, lseek(fd, op->offset, 77));
	else if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		twin_say(answer, "directory");
	else
		twin_say_result(answer, lseek(fd, op->offset, (int)op->flags));
}

static void make_copy(struct twin_maker *maker, struct twin_op *op)
{
	make_io(maker, op);
	op->slot2 = twin_make_slot(maker, TWIN_FILE);
	op->offset2 = make_offset(maker);
	op->flags = random_below(&maker->random, 30) ? 0 : 1;
}

static void run_copy(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	off_t in = op->offset, out = op->offset2;

	twin_say_result(answer,
			copy_file_range(twin_slot(player, op->slot), &in, twin_slot(player, op->slot2), &out,
					(size_t)op->length, op->flags));
	twin_say(answer, " %jd %jd", (intmax_t)in, (intmax_t)out);
}

/* A pipe is given pages that still are the file's, and what becomes of them is not said. */
static void run_sendfile(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	off_t in = op->offset;
	struct stat st;

	if (fstat(twin_slot(player, op->slot2), &st) == 0 && S_ISFIFO(st.st_mode)) {
		twin_say(answer, "pipe");
		return;
	}
	twin_say_result(answer, sendfile(twin_slot(player, op->slot2), twin_slot(player, op->slot), &in,
					 (size_t)op->length));
}

static void make_map(struct twin_maker *maker, struct twin_op *op)
{
	make_io(maker, op);
	op->flags = (unsigned)random_below(&maker->random, 4);
	op->watch = false; /* a store through a map changes the times when the system likes */
	if (maker->for_noise)
		op->length = 0;
}

/* flags: 1 write, 2 private. Only what lies within the file is touched. */
static void run_map(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	int fd = twin_slot(player, op->slot);
	size_t size = (size_t)op->length;
	struct stat st;
	uint8_t *map;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || op->offset < 0 || op->offset >= st.st_size ||
	    size == 0) {
		twin_say(answer, "nothing to map");
		return;
	}
	if ((off_t)size > st.st_size - op->offset)
		size = (size_t)(st.st_size - op->offset);
	size += (size_t)(op->offset % PAGE);
	map = mmap(NULL, size, op->flags & 1 ? PROT_READ | PROT_WRITE : PROT_READ,
		   op->flags & 2 ? MAP_PRIVATE : MAP_SHARED, fd, op->offset - op->offset % PAGE);
	if (map == MAP_FAILED) {
		twin_say_error(answer, -1);
		return;
	}
	twin_say_bytes(answer, map, size);
	if (op->flags & 1)
		fill(map + op->offset % PAGE, size - (size_t)(op->offset % PAGE), op->offset2);
	if (op->flags == 1)
		twin_say_error(answer, msync(map, size, MS_SYNC));
	twin_say_error(answer, munmap(map, size));
}

static void make_sync(struct twin_maker *maker, struct twin_op *op)
{
	op->slot = twin_make_slot(maker, TWIN_FILE);
	op->flags = (unsigned)random_below(&maker->random, 2);
}

static void run_sync(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	int fd = twin_slot(player, op->slot);

	twin_say_error(answer, op->flags ? fdatasync(fd) : fsync(fd));
}

/* What is cached of a file goes. */
static void run_forget(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	int fd = twin_slot(player, op->slot);

	(void)fdatasync(fd);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	twin_say(answer, "done");
}

const struct twin_call twin_data_calls[] = {
	{ "read", 30, make_io, run_read },
	{ "pread", 45, make_io, run_pread },
	{ "readv", 10, make_io, run_readv },
	{ "write", 50, make_io, run_write },
	{ "pwrite", 50, make_io, run_pwrite },
	{ "writev", 12, make_io, run_writev },
	{ "lseek", 25, make_seek, run_seek },
	{ "copy", 25, make_copy, run_copy },
	{ "sendfile", 6, make_copy, run_sendfile },
	{ "map", 25, make_map, run_map },
	{ "fsync", 4, make_sync, run_sync },
	{ "forget", 8, make_sync, run_forget },
	{ NULL, 0, NULL, NULL },
};
