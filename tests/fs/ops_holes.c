/* ops_holes.c - cases: which bytes are data after many changes, by SEEK_DATA and SEEK_HOLE, against a map of them. */
#include "ops.h"
#include "../random.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, SIZE_MAX_HERE = 256 * BLOCK, STEPS = 250 };

/* What is known of a byte. What was written is data, for a filesystem that tells the truth by bytes, as a vault does, and
 * for one that does so by blocks. What was not is a hole on a vault; what else ext4 calls data depends on what it has set
 * aside, on how it zeroes parts of extents, and on what is cached. */
enum { HOLE, DATA };

struct map {
	int fd;
	size_t size;
	uint8_t kind[SIZE_MAX_HERE];
	uint8_t bytes[SIZE_MAX_HERE];
	uint8_t told[SIZE_MAX_HERE];
	struct random random;
};

static void tell(struct map *m, off_t from, off_t to)
{
	memset(m->told + from, DATA, (size_t)(to - from));
}

static void walk(struct map *m)
{
	off_t at = 0;

	memset(m->told, HOLE, sizeof m->told);
	while ((size_t)at < m->size) {
		off_t data = lseek(m->fd, at, SEEK_DATA), hole;

		if (data < 0) {
			EQUAL(errno, ENXIO);
			return;
		}
		CHECK(data >= at && (size_t)data < m->size);
		EQUAL(OK(lseek(m->fd, data, SEEK_DATA)), data);
		hole = OK(lseek(m->fd, data, SEEK_HOLE));
		CHECK(hole > data && (size_t)hole <= m->size);
		if ((size_t)hole < m->size)
			EQUAL(OK(lseek(m->fd, hole, SEEK_HOLE)), hole);
		tell(m, data, hole);
		at = hole;
	}
	FAILS(ENXIO, lseek(m->fd, (off_t)m->size, SEEK_HOLE));
}

static void compare(struct map *m)
{
	size_t n_data = 0;

	walk(m);
	for (size_t i = 0; i < m->size; i++) {
		n_data += m->kind[i] == DATA;
		if (m->kind[i] == DATA && m->told[i] == HOLE)
			ops_fail(__FILE__, __LINE__, "byte %zu of %zu was written, and is told to be a hole",
				 i, m->size);
		if (on_vault && m->kind[i] == HOLE && m->told[i] == DATA)
			ops_fail(__FILE__, __LINE__, "byte %zu of %zu is a hole, and is told to be data", i,
				 m->size);
	}
	if (on_vault)
		EQUAL(ops_stat(m->fd).st_blocks, (n_data + 511) / 512);
}

static size_t place(struct map *m)
{
	static const size_t borders[] = { 1, 1, 512, BLOCK, BLOCK, 4 * BLOCK };
	size_t border = borders[random_below(&m->random, 6)];

	return random_below(&m->random, SIZE_MAX_HERE / border) * border;
}

static void step_write(struct map *m, size_t at, size_t size)
{
	ops_pattern(m->bytes + at, size, at * 31 + size);
	EQUAL(OK(pwrite(m->fd, m->bytes + at, size, (off_t)at)), size);
	memset(m->kind + at, DATA, size);
	if (at + size > m->size)
		m->size = at + size;
}

/* [at, end) becomes zeros. */
static void zero(struct map *m, size_t at, size_t end)
{
	memset(m->bytes + at, 0, end - at);
	memset(m->kind + at, HOLE, end - at);
}

static void step_truncate(struct map *m, size_t size)
{
	OK(ftruncate(m->fd, (off_t)size));
	if (size < m->size)
		zero(m, size, m->size);
	m->size = size;
}

static void step_hole(struct map *m, int mode, size_t at, size_t size)
{
	OK(fallocate(m->fd, mode, (off_t)at, (off_t)size));
	if (!(mode & FALLOC_FL_KEEP_SIZE) && at + size > m->size)
		m->size = at + size;
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		zero(m, at, at + size);
}

static void step_copy(struct map *m, size_t from, size_t to, size_t size)
{
	off_t in = (off_t)from, out = (off_t)to;
	size_t n = 0;

	if (from >= m->size || (from < to + size && to < from + size))
		return;
	if (size > m->size - from)
		size = m->size - from;
	while (n < size)
		n += (size_t)OK(copy_file_range(m->fd, &in, m->fd, &out, size - n, 0));
	memcpy(m->bytes + to, m->bytes + from, size);
	memcpy(m->kind + to, m->kind + from, size);
	if (to + size > m->size)
		m->size = to + size;
}

static void step(struct map *m)
{
	size_t at = place(m), size = random_below(&m->random, 8) ? place(m) / 8 + 1 : place(m) + 1;

	if (size > SIZE_MAX_HERE - at)
		size = SIZE_MAX_HERE - at;
	switch (random_below(&m->random, 10)) {
	case 0:
		return step_truncate(m, at);
	case 1:
	case 2:
		return step_hole(m, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, size);
	case 3:
		return step_hole(m, FALLOC_FL_ZERO_RANGE, at, size);
	case 4:
		return step_hole(m, random_below(&m->random, 2) ? 0 : FALLOC_FL_KEEP_SIZE, at, size);
	case 5:
		return step_copy(m, at, place(m) / 2, size);
	case 6:
		OK(fdatasync(m->fd));
		return;
	default:
		return step_write(m, at, size);
	}
}

static void seek_after_every_change(void)
{
	struct map *m = calloc(1, sizeof *m);
	uint64_t seed = random_seed();
	char row[64];

	CHECK(m != NULL);
	m->fd = FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	m->random.state = seed;
	for (int i = 0; i < STEPS; i++) {
		snprintf(row, sizeof row, "VAULTFS_TEST_SEED=%ju, step %d", (uintmax_t)seed, i);
		ops_row(row);
		step(m);
		compare(m);
		if (i % 16 == 0)
			ops_check_content("file", m->bytes, m->size);
	}
	OK(close(m->fd));
	ops_check_content("file", m->bytes, m->size);
}

OPS_CASES(holes) = {
	{ "SEEK_DATA_after_every_change", seek_after_every_change },
	{ NULL, NULL },
};
