/* twin_space.c - calls on a file's size, and on where in it bytes are. */
#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE_LIMIT = 300000, PAGE = 4096 };

static int64_t make_length(struct twin_maker *maker)
{
	int64_t length = (int64_t)random_size(&maker->random, SIZE_LIMIT) - 1;

	if (random_below(&maker->random, 30) == 0)
		return -1;
	return random_below(&maker->random, 3) ? length : length - length % PAGE;
}

static void make_truncate(struct twin_maker *maker, struct twin_op *op)
{
	op->slot = twin_make_slot(maker, TWIN_FILE);
	twin_make_path(maker, op->path, TWIN_FILE);
	op->length = random_below(&maker->random, 6) ? make_length(maker) : 0;
}

static void make_ftruncate(struct twin_maker *maker, struct twin_op *op)
{
	make_truncate(maker, op);
	*op->path = '\0';
}

static void run_truncate(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH];

	twin_say_error(answer, truncate(twin_path(player, op->path, path), op->length));
}

static void run_ftruncate(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	twin_say_error(answer, ftruncate(twin_slot(player, op->slot), op->length));
}

/* Collapsing, inserting and unsharing are ext4's alone. */
static void make_allocate(struct twin_maker *maker, struct twin_op *op)
{
	static const unsigned modes[] = { 0,
					  FALLOC_FL_KEEP_SIZE,
					  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					  FALLOC_FL_ZERO_RANGE,
					  FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
					  FALLOC_FL_PUNCH_HOLE,
					  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE,
					  0x8000 };
	size_t n = sizeof modes / sizeof *modes;

	op->slot = twin_make_slot(maker, TWIN_FILE);
	op->mode = modes[random_below(&maker->random, random_below(&maker->random, 10) ? n - 3 : n)];
	op->offset = make_length(maker);
	op->length = make_length(maker);
}

static void run_allocate(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	twin_say_error(answer, fallocate(twin_slot(player, op->slot), (int)op->mode, op->offset, op->length));
}

static void make_seek_hole(struct twin_maker *maker, struct twin_op *op)
{
	op->slot = twin_make_slot(maker, TWIN_FILE);
	op->flags = random_below(&maker->random, 2) ? SEEK_DATA : SEEK_HOLE;
	op->offset = make_length(maker);
}

/* Is there nothing but zeros in [from, to)? */
static bool is_zero(struct twin_player *player, int fd, off_t from, off_t to)
{
	while (from < to) {
		size_t size = to - from < TWIN_IO_MAX ? (size_t)(to - from) : TWIN_IO_MAX;
		ssize_t n = pread(fd, player->buffer, size, from);

		if (n <= 0)
			return n == 0;
		for (ssize_t i = 0; i < n; i++) {
			if (player->buffer[i] != 0)
				return false;
		}
		from += n;
	}
	return true;
}

/* What lies before the data found, or from the hole found to the next data, must be zeros. */
static const char *judge(struct twin_player *player, const struct twin_op *op, int fd, off_t size,
			 off_t found)
{
	off_t from = op->flags == SEEK_DATA ? op->offset : found;
	off_t to = op->flags == SEEK_DATA ? found : lseek(fd, found, SEEK_DATA);

	if (to < 0)
		to = size; /* no more data */
	if (from < op->offset || from > to || to > size)
		return "astray";
	return is_zero(player, fd, from, to) ? "right" : "a hole where data is";
}

/* A hole may be told as data, in blocks of each filesystem's own; data never as a hole. */
static void run_seek_hole(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	int fd = twin_slot(player, op->slot), access = fcntl(fd, F_GETFL) & O_ACCMODE;
	struct stat st;
	off_t found;

	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		twin_say(answer, "no file");
		return;
	}
	found = lseek(fd, op->offset, (int)op->flags);
	if (found < 0 && (errno != ENXIO || op->offset < 0 || op->offset >= st.st_size))
		twin_say_error(answer, found);
	else
		twin_say(answer, "%s",
			 access != O_RDONLY && access != O_RDWR ? "right"
								: judge(player, op, fd, st.st_size, found));
	(void)lseek(fd, 0, SEEK_SET); /* it moved, to somewhere of the filesystem's own */
}

const struct twin_call twin_space_calls[] = {
	{ "truncate", 15, make_truncate, run_truncate },
	{ "ftruncate", 25, make_ftruncate, run_ftruncate },
	{ "allocate", 35, make_allocate, run_allocate },
	{ "seek-hole", 20, make_seek_hole, run_seek_hole },
	{ NULL, 0, NULL, NULL },
};
