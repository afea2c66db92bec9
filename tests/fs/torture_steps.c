/* torture_steps.c - what is done to the files, each time to the buffers as well. */
#include "torture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP_MAX = 200000, PAGE = 4096 };

static _Noreturn void broken(const struct torture *t, const struct torture_file *f, const char *what,
			     size_t at)
{
	torture_fail("step %u, %s: %s at byte %zu of %zu: %s", t->step, f->path, what, at, f->model->size,
		     strerror(errno));
}

/* ---- handles and maps ---- */

static void open_one(struct torture *t, struct torture_file *f, enum torture_handle handle)
{
	static const int flags[TORTURE_HANDLES] = { [HANDLE_APPEND] = O_APPEND, [HANDLE_DIRECT] = O_DIRECT };

	f->fds[handle] = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC | flags[handle], 0644);
	if (f->fds[handle] < 0)
		broken(t, f, "open", 0);
}

void torture_open(struct torture *t)
{
	for (struct torture_file *f = t->files; f < t->files + TORTURE_FILES; f++) {
		for (enum torture_handle i = 0; i < TORTURE_HANDLES; i++)
			open_one(t, f, i);
		f->map = mmap(NULL, TORTURE_FILE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED,
			      f->fds[HANDLE_PLAIN], 0);
		if (f->map == MAP_FAILED)
			broken(t, f, "mmap", 0);
	}
}

void torture_close(struct torture *t)
{
	for (struct torture_file *f = t->files; f < t->files + TORTURE_FILES; f++) {
		if (munmap(f->map, TORTURE_FILE_MAX) < 0)
			broken(t, f, "munmap", 0);
		for (size_t i = 0; i < TORTURE_HANDLES; i++) {
			if (close(f->fds[i]) < 0)
				broken(t, f, "close", 0);
		}
	}
}

void torture_sync(struct torture *t)
{
	for (struct torture_file *f = t->files; f < t->files + TORTURE_FILES; f++) {
		if (fsync(f->fds[HANDLE_OTHER]) < 0)
			broken(t, f, "fsync", 0);
	}
}

/* Any handle but the one that appends. */
static int some_fd(struct torture *t, const struct torture_file *f)
{
	static const enum torture_handle handles[] = { HANDLE_PLAIN, HANDLE_PLAIN, HANDLE_OTHER,
						       HANDLE_DIRECT };

	return f->fds[handles[random_below(&t->random, sizeof handles / sizeof *handles)]];
}

/* O_DIRECT wants whole blocks on most filesystems, so that this runs on ext4 too. */
static bool is_direct(const struct torture_file *f, int fd)
{
	return fd == f->fds[HANDLE_DIRECT];
}

static void step_reopen(struct torture *t, struct torture_file *f)
{
	enum torture_handle handle = (enum torture_handle)random_below(&t->random, TORTURE_HANDLES);

	if (close(f->fds[handle]) < 0)
		broken(t, f, "close", 0);
	open_one(t, f, handle);
}

/* ---- changes ---- */

/* What people write: noise, text, one byte over and over, something that is already there. */
static void fill(struct torture *t, uint8_t *out, size_t size)
{
	static const char words[] = "the quick brown fox jumps over the lazy dog, and again ";
	const struct torture_file *f = &t->files[random_below(&t->random, TORTURE_FILES)];
	size_t from = random_below(&t->random, TORTURE_FILE_MAX - size + 1);
	uint8_t byte = (uint8_t)random_next(&t->random);

	switch (random_below(&t->random, 5)) {
	case 0:
		memmove(out, f->model->bytes + from, size);
		break;
	case 1:
		memset(out, random_below(&t->random, 3) ? byte : 0, size);
		break;
	case 2:
		for (size_t i = 0; i < size; i++)
			out[i] = (uint8_t)words[(i + byte) % (sizeof words - 1)];
		break;
	default:
		for (size_t i = 0; i < size; i++)
			out[i] = i % 8 ? (uint8_t)(out[i - 1] * 5 + 1) : (uint8_t)random_next(&t->random);
	}
}

static void grow_to(struct torture_file *f, size_t end)
{
	if (end > f->model->size)
		f->model->size = end;
}

/* Whole blocks, for a direct handle. */
static void align(size_t *at, size_t *size)
{
	*at -= *at % PAGE;
	*size = (*size + PAGE - 1) / PAGE * PAGE;
	if (*at + *size > TORTURE_FILE_MAX)
		*size = TORTURE_FILE_MAX - *at;
}

static void step_write(struct torture *t, struct torture_file *f)
{
	struct torture_model *model = f->model;
	size_t size = random_size(&t->random, STEP_MAX);
	size_t at = random_below(&t->random, 4) ? random_below(&t->random, model->size + 1) : model->size;
	int fd = some_fd(t, f);

	if (random_below(&t->random, 20) == 0)
		at = random_below(&t->random, TORTURE_FILE_MAX);
	if (at + size > TORTURE_FILE_MAX)
		size = TORTURE_FILE_MAX - at;
	if (is_direct(f, fd))
		align(&at, &size);
	if (size == 0)
		return;
	fill(t, t->scratch, size);
	if (pwrite(fd, t->scratch, size, (off_t)at) != (ssize_t)size)
		broken(t, f, "write", at);
	memcpy(model->bytes + at, t->scratch, size);
	grow_to(f, at + size);
}

static void step_append(struct torture *t, struct torture_file *f)
{
	struct torture_model *model = f->model;
	size_t size = random_size(&t->random, 10000);

	if (model->size + size > TORTURE_FILE_MAX)
		return;
	fill(t, model->bytes + model->size, size);
	if (write(f->fds[HANDLE_APPEND], model->bytes + model->size, size) != (ssize_t)size)
		broken(t, f, "append", model->size);
	model->size += size;
}

static void step_truncate(struct torture *t, struct torture_file *f)
{
	struct torture_model *model = f->model;
	size_t size = random_below(&t->random, 8) == 0 ? 0 : random_below(&t->random, model->size + 100000);

	if (random_below(&t->random, 3)) /* mostly not so deep, or the files stay small */
		size = model->size - random_below(&t->random, model->size / 16 + 1);
	if (size > TORTURE_FILE_MAX)
		size = TORTURE_FILE_MAX;
	if ((random_below(&t->random, 2) ? ftruncate(some_fd(t, f), (off_t)size)
					 : truncate(f->path, (off_t)size)) < 0)
		broken(t, f, "truncate", size);
	if (size < model->size)
		memset(model->bytes + size, 0, model->size - size);
	model->size = size;
}

static void step_fallocate(struct torture *t, struct torture_file *f)
{
	static const int modes[] = { 0,
				     FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	struct torture_model *model = f->model;
	int mode = modes[random_below(&t->random, sizeof modes / sizeof *modes)];
	size_t size = random_size(&t->random, STEP_MAX), at = random_below(&t->random, model->size + 1), end;

	if (random_below(&t->random, 2)) {
		at -= at % PAGE;
		size = (size + PAGE - 1) / PAGE * PAGE;
	}
	if (at + size > TORTURE_FILE_MAX)
		return;
	if (fallocate(some_fd(t, f), mode, (off_t)at, (off_t)size) < 0)
		broken(t, f, "fallocate", at);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		grow_to(f, at + size);
	end = at + size < model->size ? at + size : model->size;
	if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) && end > at)
		memset(model->bytes + at, 0, end - at);
}

static void step_copy(struct torture *t, struct torture_file *f)
{
	struct torture_file *to = &t->files[random_below(&t->random, TORTURE_FILES)];
	size_t size = random_size(&t->random, TORTURE_FILE_MAX / 2);
	size_t from_at = random_below(&t->random, f->model->size + 1);
	size_t to_at = random_below(&t->random, to->model->size + 1);
	off_t in, out;

	if (random_below(&t->random, 2)) {
		from_at -= from_at % PAGE;
		to_at -= to_at % PAGE;
	}
	if (to_at + size > TORTURE_FILE_MAX)
		size = TORTURE_FILE_MAX - to_at;
	if (from_at + size > f->model->size)
		size = f->model->size - from_at;
	if (f == to && from_at < to_at + size && to_at < from_at + size)
		return;
	in = (off_t)from_at;
	out = (off_t)to_at;
	while (size > 0) {
		ssize_t n = copy_file_range(f->fds[HANDLE_OTHER], &in, to->fds[HANDLE_PLAIN], &out, size, 0);

		if (n <= 0 || (size_t)n > size)
			broken(t, f, "copy_file_range", from_at);
		memcpy(to->model->bytes + to_at, f->model->bytes + from_at, (size_t)n);
		grow_to(to, to_at + (size_t)n);
		size -= (size_t)n;
		from_at += (size_t)n;
		to_at += (size_t)n;
	}
}

/* Through the map: a look, and mostly a store, which is then the file's at once. */
static void step_map(struct torture *t, struct torture_file *f)
{
	struct torture_model *model = f->model;
	size_t at, size;

	if (model->size == 0)
		return;
	at = random_below(&t->random, model->size);
	size = random_size(&t->random, STEP_MAX);
	if (at + size > model->size)
		size = model->size - at;
	for (size_t i = at; i < at + size; i++) {
		if (f->map[i] != model->bytes[i])
			broken(t, f, "another byte in the map", i);
	}
	if (random_below(&t->random, 3) == 0)
		return;
	fill(t, t->scratch, size);
	memcpy(f->map + at, t->scratch, size);
	memcpy(model->bytes + at, t->scratch, size);
	if (random_below(&t->random, 3) == 0 && msync(f->map, model->size, MS_SYNC) < 0)
		broken(t, f, "msync", at);
}

/* ---- looks ---- */

static void compare(struct torture *t, struct torture_file *f, int fd, size_t at, size_t size)
{
	const struct torture_model *model = f->model;
	ssize_t want = at >= model->size ? 0 : (ssize_t)(size < model->size - at ? size : model->size - at);
	ssize_t n = pread(fd, t->scratch, size, (off_t)at);

	if (n != want)
		torture_fail("step %u, %s: read %zd bytes of %zu at %zu, wanted %zd (size %zu%s): %s",
			     t->step, f->path, n, size, at, want, model->size,
			     is_direct(f, fd) ? ", direct" : "", n < 0 ? strerror(errno) : "short");
	for (size_t i = 0; i < (size_t)n; i++) {
		if (t->scratch[i] != model->bytes[at + i])
			torture_fail(
				"step %u, %s: byte %zu is 0x%02x, wanted 0x%02x (read of %zu at %zu, size %zu%s)",
				t->step, f->path, at + i, t->scratch[i], model->bytes[at + i], size, at,
				model->size, is_direct(f, fd) ? ", direct" : "");
	}
}

static void step_read(struct torture *t, struct torture_file *f)
{
	size_t at = random_below(&t->random, f->model->size + 1000);
	size_t size = random_size(&t->random, TORTURE_FILE_MAX / 8);
	int fd = some_fd(t, f);

	if (is_direct(f, fd))
		align(&at, &size);
	if (size > 0)
		compare(t, f, fd, at, size);
}

static void compare_file(struct torture *t, struct torture_file *f)
{
	struct stat st;

	if (fstat(f->fds[HANDLE_OTHER], &st) < 0)
		broken(t, f, "fstat", 0);
	if ((size_t)st.st_size != f->model->size)
		broken(t, f, "another size than", (size_t)st.st_size);
	compare(t, f, f->fds[HANDLE_PLAIN], 0, TORTURE_FILE_MAX);
}

void torture_compare_all(struct torture *t)
{
	for (size_t i = 0; i < TORTURE_FILES; i++)
		compare_file(t, &t->files[i]);
}

/* Every hole the filesystem tells of must be zeros in the model, and the walk must reach the end. */
static void step_seek(struct torture *t, struct torture_file *f)
{
	const struct torture_model *model = f->model;
	int fd = f->fds[HANDLE_OTHER];
	off_t at = 0;

	if (fdatasync(fd) < 0) /* FUSE asks without having passed on what was stored through a map */
		broken(t, f, "fdatasync", 0);
	while ((size_t)at < model->size) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		if (data < 0 && errno != ENXIO)
			broken(t, f, "SEEK_DATA", (size_t)at);
		if (data < 0)
			data = (off_t)model->size;
		if (data < at || (size_t)data > model->size)
			broken(t, f, "SEEK_DATA went astray", (size_t)data);
		for (off_t i = at; i < data; i++) {
			if (model->bytes[i] != 0)
				broken(t, f, "a hole where data is", (size_t)i);
		}
		if ((size_t)data == model->size)
			return;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole <= data || (size_t)hole > model->size)
			broken(t, f, "SEEK_HOLE went astray", (size_t)data);
		at = hole;
	}
}

static void step_sync(struct torture *t, struct torture_file *f)
{
	int fd = some_fd(t, f);

	if ((random_below(&t->random, 2) ? fdatasync(fd) : fsync(fd)) < 0)
		broken(t, f, "fsync", 0);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (random_below(&t->random, 4) == 0)
		compare_file(t, f);
}

/* What of the file's pages is clean goes out of the cache. */
static void step_drop(struct torture *t, struct torture_file *f)
{
	(void)posix_fadvise(f->fds[HANDLE_PLAIN], 0, 0, POSIX_FADV_DONTNEED);
	compare_file(t, f);
}

void torture_step(struct torture *t)
{
	static const struct {
		unsigned weight;
		void (*run)(struct torture *t, struct torture_file *f);
	} steps[] = {
		{ 28, step_write }, { 7, step_append }, { 6, step_truncate }, { 7, step_fallocate },
		{ 7, step_copy },   { 12, step_map },   { 24, step_read },    { 3, step_seek },
		{ 2, step_sync },   { 1, step_drop },   { 3, step_reopen },
	};
	size_t pick = random_below(&t->random, 100);

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (pick < steps[i].weight) {
			steps[i].run(t, &t->files[random_below(&t->random, TORTURE_FILES)]);
			return;
		}
		pick -= steps[i].weight;
	}
}
