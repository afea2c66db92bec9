/* model_data.c - random changes of a few files, each mirrored in a buffer in memory, and compared all the time. */
#include "model.h"
#include "../random.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_FILES = 3, FILE_MAX = 3 << 20, STEP_MAX = 200000, PAGE = 4096 };

struct model_file {
	char path[4096];
	int fd;
	size_t size;
	uint8_t *bytes; /* FILE_MAX of them; zeros from `size` on */
};

struct model {
	struct model_file files[N_FILES];
	struct random random;
	unsigned step;
	uint8_t scratch[FILE_MAX];
};

static _Noreturn void broken(const struct model *m, const struct model_file *f, const char *what, size_t at)
{
	model_fail("step %u, %s: %s at byte %zu of %zu: %s", m->step, f->path, what, at, f->size,
		   strerror(errno));
}

static void reopen(struct model *m, struct model_file *f)
{
	if (f->fd >= 0 && close(f->fd) < 0)
		broken(m, f, "close", 0);
	f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (f->fd < 0)
		broken(m, f, "open", 0);
}

/* What people write: noise, text, one byte over and over, something that is already there. */
static void fill(struct model *m, uint8_t *out, size_t size)
{
	static const char words[] = "the quick brown fox jumps over the lazy dog, and again ";
	const struct model_file *f = &m->files[random_below(&m->random, N_FILES)];
	size_t from = random_below(&m->random, FILE_MAX - size + 1);
	uint8_t byte = (uint8_t)random_next(&m->random);

	switch (random_below(&m->random, 5)) {
	case 0:
		memmove(out, f->bytes + from, size);
		break;
	case 1:
		memset(out, random_below(&m->random, 3) ? byte : 0, size);
		break;
	case 2:
		for (size_t i = 0; i < size; i++)
			out[i] = (uint8_t)words[(i + byte) % (sizeof words - 1)];
		break;
	default:
		for (size_t i = 0; i < size; i++)
			out[i] = i % 8 ? (uint8_t)(out[i - 1] * 5 + 1) : (uint8_t)random_next(&m->random);
	}
}

static void grow_to(struct model_file *f, size_t end)
{
	if (end > f->size)
		f->size = end;
}

static void step_write(struct model *m, struct model_file *f)
{
	size_t size = random_size(&m->random, STEP_MAX);
	size_t at = random_below(&m->random, 4) ? random_below(&m->random, f->size + 1) : f->size;

	if (random_below(&m->random, 20) == 0)
		at = random_below(&m->random, FILE_MAX);
	if (at + size > FILE_MAX)
		at = FILE_MAX - size;
	fill(m, f->bytes + at, size);
	if (pwrite(f->fd, f->bytes + at, size, (off_t)at) != (ssize_t)size)
		broken(m, f, "write", at);
	grow_to(f, at + size);
}

static void step_append(struct model *m, struct model_file *f)
{
	size_t size = random_size(&m->random, 10000);
	int fd;

	if (f->size + size > FILE_MAX)
		return;
	fd = open(f->path, O_WRONLY | O_APPEND | O_CLOEXEC);
	fill(m, f->bytes + f->size, size);
	if (fd < 0 || write(fd, f->bytes + f->size, size) != (ssize_t)size || close(fd) < 0)
		broken(m, f, "append", f->size);
	f->size += size;
}

static void step_truncate(struct model *m, struct model_file *f)
{
	size_t size = random_below(&m->random, 8) == 0 ? 0 : random_below(&m->random, f->size + 100000);

	if (random_below(&m->random, 3)) /* mostly not so deep, or the files stay small */
		size = f->size - random_below(&m->random, f->size / 16 + 1);
	if (size > FILE_MAX)
		size = FILE_MAX;
	if (ftruncate(f->fd, (off_t)size) < 0)
		broken(m, f, "truncate", size);
	if (size < f->size)
		memset(f->bytes + size, 0, f->size - size);
	f->size = size;
}

static void step_fallocate(struct model *m, struct model_file *f)
{
	static const int modes[] = { 0,
				     FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	int mode = modes[random_below(&m->random, sizeof modes / sizeof *modes)];
	size_t size = random_size(&m->random, STEP_MAX), at = random_below(&m->random, f->size + 1), end;

	if (random_below(&m->random, 2)) {
		at -= at % PAGE;
		size = (size + PAGE - 1) / PAGE * PAGE;
	}
	if (at + size > FILE_MAX)
		return;
	if (fallocate(f->fd, mode, (off_t)at, (off_t)size) < 0)
		broken(m, f, "fallocate", at);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		grow_to(f, at + size);
	end = at + size < f->size ? at + size : f->size;
	if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) && end > at)
		memset(f->bytes + at, 0, end - at);
}

static void step_copy(struct model *m, struct model_file *f)
{
	struct model_file *to = &m->files[random_below(&m->random, N_FILES)];
	size_t size = random_size(&m->random, FILE_MAX / 2);
	size_t from_at = random_below(&m->random, f->size + 1),
	       to_at = random_below(&m->random, to->size + 1);
	off_t in, out;
	ssize_t n;

	if (random_below(&m->random, 2)) {
		from_at -= from_at % PAGE;
		to_at -= to_at % PAGE;
	}
	if (to_at + size > FILE_MAX)
		size = FILE_MAX - to_at;
	if (from_at + size > f->size)
		size = f->size - from_at;
	if (f == to && from_at < to_at + size && to_at < from_at + size)
		return;
	in = (off_t)from_at;
	out = (off_t)to_at;
	while (size > 0) {
		n = copy_file_range(f->fd, &in, to->fd, &out, size, 0);
		if (n <= 0 || (size_t)n > size)
			broken(m, f, "copy_file_range", from_at);
		memcpy(to->bytes + to_at, f->bytes + from_at, (size_t)n);
		grow_to(to, to_at + (size_t)n);
		size -= (size_t)n;
		from_at += (size_t)n;
		to_at += (size_t)n;
	}
}

static void step_mmap(struct model *m, struct model_file *f)
{
	size_t at, size;
	uint8_t *p;

	if (f->size == 0)
		return;
	at = random_below(&m->random, f->size);
	size = random_size(&m->random, STEP_MAX);
	if (at + size > f->size)
		size = f->size - at;
	p = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	if (p == MAP_FAILED)
		broken(m, f, "mmap", at);
	if (memcmp(p + at, f->bytes + at, size) != 0)
		broken(m, f, "other bytes in a map", at);
	fill(m, f->bytes + at, size);
	memcpy(p + at, f->bytes + at, size);
	if (random_below(&m->random, 2) && msync(p, f->size, MS_SYNC) < 0)
		broken(m, f, "msync", at);
	if (munmap(p, f->size) < 0)
		broken(m, f, "munmap", at);
}

static void compare(struct model *m, struct model_file *f, size_t at, size_t size)
{
	ssize_t want = at >= f->size ? 0 : (ssize_t)(size < f->size - at ? size : f->size - at);
	ssize_t n = pread(f->fd, m->scratch, size, (off_t)at);

	if (n != want)
		model_fail("step %u, %s: read %zd bytes of %zu at %zu, wanted %zd (size %zu): %s", m->step,
			   f->path, n, size, at, want, f->size, n < 0 ? strerror(errno) : "short");
	for (size_t i = 0; i < (size_t)n; i++) {
		if (m->scratch[i] != f->bytes[at + i])
			model_fail("step %u, %s: byte %zu is 0x%02x, wanted 0x%02x (read of %zu at %zu, size "
				   "%zu)",
				   m->step, f->path, at + i, m->scratch[i], f->bytes[at + i], size, at,
				   f->size);
	}
}

static void step_read(struct model *m, struct model_file *f)
{
	size_t at = random_below(&m->random, f->size + 1000);

	compare(m, f, at, random_size(&m->random, FILE_MAX / 4));
}

static void compare_all(struct model *m, struct model_file *f)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		broken(m, f, "fstat", 0);
	if ((size_t)st.st_size != f->size)
		broken(m, f, "another size than", (size_t)st.st_size);
	compare(m, f, 0, FILE_MAX);
}

/* Every hole the filesystem tells of must be zeros in the model, and the walk must reach the end. */
static void step_seek(struct model *m, struct model_file *f)
{
	off_t at = 0;

	while ((size_t)at < f->size) {
		off_t data = lseek(f->fd, at, SEEK_DATA), hole;

		if (data < 0 && errno != ENXIO)
			broken(m, f, "SEEK_DATA", (size_t)at);
		if (data < 0)
			data = (off_t)f->size;
		if (data < at || (size_t)data > f->size)
			broken(m, f, "SEEK_DATA went astray", (size_t)data);
		for (off_t i = at; i < data; i++) {
			if (f->bytes[i] != 0)
				broken(m, f, "a hole where data is", (size_t)i);
		}
		if ((size_t)data == f->size)
			return;
		hole = lseek(f->fd, data, SEEK_HOLE);
		if (hole <= data || (size_t)hole > f->size)
			broken(m, f, "SEEK_HOLE went astray", (size_t)data);
		at = hole;
	}
}

static void step_sync(struct model *m, struct model_file *f)
{
	bool data_only = random_below(&m->random, 2);

	if ((data_only ? fdatasync(f->fd) : fsync(f->fd)) < 0)
		broken(m, f, "fsync", 0);
	(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (random_below(&m->random, 4) == 0)
		compare_all(m, f);
}

static void step_drop(struct model *m, struct model_file *f)
{
	(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
	compare_all(m, f);
}

static void do_step(struct model *m)
{
	static const struct {
		unsigned weight;
		void (*run)(struct model *m, struct model_file *f);
	} steps[] = {
		{ 30, step_write }, { 6, step_append }, { 6, step_truncate }, { 6, step_fallocate },
		{ 6, step_copy },   { 6, step_mmap },   { 30, step_read },    { 4, step_seek },
		{ 2, step_sync },   { 1, step_drop },   { 3, reopen },
	};
	size_t pick = random_below(&m->random, 100);

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (pick < steps[i].weight) {
			steps[i].run(m, &m->files[random_below(&m->random, N_FILES)]);
			return;
		}
		pick -= steps[i].weight;
	}
}

static void write_copy(const struct model_file *f, const char *directory, int number)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof path, "%s/model%d", directory, number);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, f->bytes, f->size) != (ssize_t)f->size || close(fd) < 0)
		model_fail("%s: %s", path, strerror(errno));
}

void model_data(const char *directory, const char *copy, uint64_t seed, unsigned n)
{
	struct model *m = calloc(1, sizeof *m);

	if (!m)
		model_fail("no memory");
	m->random.state = seed;
	for (int i = 0; i < N_FILES; i++) {
		struct model_file *f = &m->files[i];

		snprintf(f->path, sizeof f->path, "%s/model%d", directory, i);
		f->fd = -1;
		f->bytes = calloc(1, FILE_MAX);
		if (!f->bytes)
			model_fail("no memory");
		reopen(m, f);
	}
	for (m->step = 0; m->step < n; m->step++)
		do_step(m);
	for (int i = 0; i < N_FILES; i++) {
		compare_all(m, &m->files[i]);
		if (close(m->files[i].fd) < 0)
			broken(m, &m->files[i], "close", 0);
		if (copy)
			write_copy(&m->files[i], copy, i);
		free(m->files[i].bytes);
	}
	free(m);
	printf("%u steps, all as the model says\n", n);
}
