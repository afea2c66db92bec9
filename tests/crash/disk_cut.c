/* disk_cut.c - which of the uncertain changes are there, and the directory that comes of it. See disk.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"
#include "disk_internal.h"

#define UNITS_MAX ((size_t)1 << 20)

static const char *const fate_names[N_FATES] = { "none",    "all",    "prefix", "last",
						 "but-one", "subset", "torn",   "moment" };
static const char *const size_names[N_SIZES] = { "natural", "full", "durable", "random" };

struct disk_choice disk_choose(unsigned n, uint64_t seed)
{
	struct random random = { seed };
	struct disk_choice choice = { .seed = random_next(&random) };

	choice.unit = random_below(&random, 2) ? 512 : 4096;
	choice.size = (enum disk_size)random_below(&random, N_SIZES);
	choice.names = (enum disk_fate)random_below(&random, FATE_TORN);
	choice.junk = random_below(&random, 8) == 0;
	for (size_t i = 0; i < 3; i++)
		choice.data[i] = (enum disk_fate)random_below(&random, N_FATES);
	if (random_below(&random, 2) == 0)
		choice.data[1] = choice.data[2] = choice.data[0];
	if (n < 2 * N_FATES) {
		choice.data[0] = choice.data[1] = choice.data[2] = (enum disk_fate)(n / 2);
		choice.names = n % 2 ? FATE_ALL : FATE_NONE;
	}
	return choice;
}

void disk_describe(const struct disk_choice *choice, char *ret, size_t size)
{
	(void)snprintf(ret, size, "packs %s, database %s, its log %s, names %s, sizes %s, torn at %u%s",
		       fate_names[choice->data[0]], fate_names[choice->data[1]], fate_names[choice->data[2]],
		       fate_names[choice->names], size_names[choice->size], choice->unit,
		       choice->junk ? ", junk" : "");
}

/* ---- one file ---- */

/* The making of one file's bytes. */
struct cut {
	const struct disk *disk;
	const struct disk_file *file;
	struct random random;
	enum disk_fate fate;
	unsigned unit;
	size_t one;        /* FATE_PREFIX: so many changes; FATE_BUT_ONE: not this one */
	uint32_t *moments; /* FATE_MOMENT: of each unit, how many changes it has seen */
	size_t n_moments;
	struct content content;
};

static uint64_t end_of(const struct disk_entry *e)
{
	return e->head.kind == LOG_WRITE ? e->head.offset + e->head.data_size : e->head.size;
}

/* The size with all changes, and the largest at any time. */
static uint64_t full_size(const struct disk *disk, const struct disk_file *file, uint64_t *ret_largest)
{
	uint64_t size = file->content.size, largest = size;

	for (size_t i = 0; i < file->n_pending; i++) {
		const struct disk_entry *e = &disk->log->entries[file->pending[i]];

		if (e->head.kind == LOG_SIZE || (e->head.kind != LOG_ZERO && end_of(e) > size))
			size = end_of(e);
		if (size > largest)
			largest = size;
	}
	*ret_largest = largest;
	return size;
}

/* Is change `i` there as a whole? For fates that do not tear. */
static bool is_there(struct cut *cut, size_t i)
{
	switch (cut->fate) {
	case FATE_NONE:
		return false;
	case FATE_PREFIX:
		return i < cut->one;
	case FATE_LAST:
		return i + 1 == cut->file->n_pending;
	case FATE_BUT_ONE:
		return i != cut->one;
	case FATE_SUBSET:
	case FATE_TORN:
	case FATE_MOMENT:
		return random_below(&cut->random, 2);
	default:
		return true;
	}
}

/* Is what change `i` did to the unit at `offset` there? */
static bool is_unit_there(struct cut *cut, size_t i, uint64_t offset)
{
	size_t unit = (size_t)(offset / cut->unit);

	if (cut->fate == FATE_TORN)
		return random_below(&cut->random, 2);
	return unit < cut->n_moments && i < cut->moments[unit];
}

static void apply_torn(struct cut *cut, size_t i, const struct disk_entry *e)
{
	uint64_t end = e->head.offset + e->head.data_size;

	for (uint64_t at = e->head.offset, next; at < end; at = next) {
		next = (at / cut->unit + 1) * cut->unit;
		if (next > end)
			next = end;
		if (is_unit_there(cut, i, at))
			content_put(&cut->content, at, e->data + (at - e->head.offset), (size_t)(next - at));
	}
}

static void apply_all(struct cut *cut)
{
	bool torn = cut->fate == FATE_TORN || cut->fate == FATE_MOMENT;

	for (size_t i = 0; i < cut->file->n_pending; i++) {
		const struct disk_entry *e = &cut->disk->log->entries[cut->file->pending[i]];

		if (torn && e->head.kind == LOG_WRITE)
			apply_torn(cut, i, e);
		else if (is_there(cut, i))
			content_apply(&cut->content, e);
	}
}

/* Old bytes of some file, or of none, where nothing was ever written. */
static void put_junk(struct cut *cut, uint64_t from, uint64_t to)
{
	const struct disk *disk = cut->disk;

	for (uint64_t at = from / cut->unit * cut->unit; at < to; at += cut->unit) {
		const struct disk_file *file = &disk->files[random_below(&cut->random, disk->n)];
		uint8_t bytes[4096];
		size_t n = at + cut->unit <= to ? cut->unit : (size_t)(to - at);
		size_t skip = at < from ? (size_t)(from - at) : 0;

		if (file->content.n > cut->unit) {
			size_t unit = random_below(&cut->random, file->content.n / cut->unit);

			memcpy(bytes, file->content.bytes + unit * cut->unit, cut->unit);
		} else {
			for (size_t i = 0; i < sizeof(bytes); i++)
				bytes[i] = (uint8_t)random_next(&cut->random);
		}
		content_put(&cut->content, at + skip, bytes + skip, n - skip);
	}
}

/* Which units behind the certain bytes hold junk: those that read as zeros throughout. */
static void junk_where_zero(struct cut *cut)
{
	uint64_t durable = cut->file->content.n, size = cut->content.size;
	uint64_t from = cut->content.n > durable ? cut->content.n : durable;

	if (size > durable + (4u << 20))
		size = durable + (4u << 20);
	if (size > from)
		put_junk(cut, from, size);
}

static void settle_size(struct cut *cut, enum disk_size how)
{
	uint64_t largest, full = full_size(cut->disk, cut->file, &largest);
	uint64_t durable = cut->file->content.size;
	uint64_t low = durable < full ? durable : full, high = durable < full ? full : durable;

	if (how == SIZE_FULL)
		content_set_size(&cut->content, full);
	else if (how == SIZE_DURABLE)
		content_set_size(&cut->content, durable);
	else if (how == SIZE_RANDOM && high > low)
		content_set_size(&cut->content, low + random_below(&cut->random, (size_t)(high - low + 1)));
}

static void choose_moments(struct cut *cut)
{
	uint64_t largest;

	(void)full_size(cut->disk, cut->file, &largest);
	cut->n_moments = (size_t)(largest / cut->unit + 1);
	if (cut->n_moments > UNITS_MAX)
		cut->n_moments = UNITS_MAX;
	cut->moments = disk_resize(NULL, cut->n_moments, sizeof(*cut->moments));
	for (size_t i = 0; i < cut->n_moments; i++)
		cut->moments[i] = (uint32_t)random_below(&cut->random, cut->file->n_pending + 1);
}

/* What nobody knows: a file that was mapped. */
static void put_anything(struct cut *cut, uint64_t size)
{
	size = random_below(&cut->random, 3) == 0 ? 0 : size;
	content_set_size(&cut->content, 0);
	for (uint64_t at = 0; at < size; at += 8) {
		uint64_t word = random_next(&cut->random);

		content_put(&cut->content, at, (uint8_t *)&word, 8);
	}
}

/* The class of a file, for which a fate was chosen. */
static unsigned class_of(const char *name)
{
	size_t size = strlen(name);

	if (size > 5 && strcmp(name + size - 5, ".pack") == 0)
		return 0;
	return size > 4 && strcmp(name + size - 4, "-wal") == 0 ? 2 : 1;
}

/* The bytes of file `number`, called `name`; free() them. */
static struct content cut_file(const struct disk *disk, const struct disk_choice *choice, uint64_t number,
			       const char *name)
{
	const struct disk_file *file = disk_get(disk, number);
	struct cut cut = { .disk = disk,
			   .file = file,
			   .unit = choice->unit,
			   .fate = choice->data[class_of(name)],
			   .random = { choice->seed ^ (number << 40) } };
	uint64_t largest;

	content_copy(&cut.content, &file->content);
	if (file->mapped) {
		(void)full_size(disk, file, &largest);
		put_anything(&cut, largest);
	} else if (file->n_pending > 0) {
		cut.one = random_below(&cut.random, file->n_pending);
		if (cut.fate == FATE_MOMENT)
			choose_moments(&cut);
		apply_all(&cut);
		if (cut.fate != FATE_ALL && cut.fate != FATE_NONE)
			settle_size(&cut, choice->size);
		else if (cut.fate == FATE_NONE && choice->size == SIZE_FULL)
			settle_size(&cut, SIZE_FULL);
		if (choice->junk && cut.fate != FATE_ALL)
			junk_where_zero(&cut);
	}
	free(cut.moments);
	return cut.content;
}

/* ---- directories ---- */

static struct names cut_names(const struct disk *disk, const struct disk_choice *choice, uint64_t number)
{
	const struct disk_file *file = disk_get(disk, number);
	struct cut cut = {
		.disk = disk, .file = file, .fate = choice->names, .random = { choice->seed ^ (number << 40) }
	};
	struct names names;

	names_copy(&names, &file->names);
	cut.one = file->n_pending ? random_below(&cut.random, file->n_pending) : 0;
	for (size_t i = 0; i < file->n_pending; i++)
		if (is_there(&cut, i))
			names_apply(&names, &disk->log->entries[file->pending[i]]);
	return names;
}

static void write_file(int dir_fd, const char *name, const struct content *content)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t done = 0;

	if (fd < 0)
		disk_die("%s: %s", name, strerror(errno));
	while (done < content->n) {
		ssize_t n = pwrite(fd, content->bytes + done, content->n - done, (off_t)done);

		if (n <= 0)
			disk_die("%s: writing a state: %s", name, strerror(errno));
		done += (size_t)n;
	}
	if (content->size > content->n && ftruncate(fd, (off_t)content->size) < 0)
		disk_die("%s: %s", name, strerror(errno));
	(void)close(fd); /* a copy for a moment */
}

static void write_directory(const struct disk *disk, const struct disk_choice *choice, uint64_t number,
			    const char *path)
{
	struct names names = cut_names(disk, choice, number);
	int fd;

	if (mkdir(path, 0700) < 0 || (fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		disk_die("%s: %s", path, strerror(errno));
	for (size_t i = 0; i < names.n; i++) {
		const struct name *name = &names.names[i];

		if (disk_get(disk, name->file)->directory) {
			AUTO(free) char *below = disk_path(path, name->text);

			write_directory(disk, choice, name->file, below);
		} else {
			struct content content = cut_file(disk, choice, name->file, name->text);

			write_file(fd, name->text, &content);
			free(content.bytes);
		}
	}
	(void)close(fd); /* only read */
	free(names.names);
}

void disk_write_out(const struct disk *disk, const struct disk_choice *choice, const char *path)
{
	write_directory(disk, choice, 1, path);
}

/* ---- is the log complete? ---- */

static void compare_file(const struct disk *disk, const struct disk_choice *choice, const struct name *name,
			 int dir_fd)
{
	struct content content;
	struct stat st;
	uint8_t bytes[65536];
	int fd = openat(dir_fd, name->text, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		disk_die("%s: is in the log, but not there: %s", name->text, strerror(errno));
	if (disk_get(disk, name->file)->mapped) {
		(void)close(fd); /* only read */
		return;
	}
	content = cut_file(disk, choice, name->file, name->text);
	if ((uint64_t)st.st_size != content.size)
		disk_die("%s: has %lu bytes, in the log %lu", name->text, (unsigned long)st.st_size,
			 (unsigned long)content.size);
	for (size_t at = 0; at < content.n; at += (size_t)n) {
		n = pread(fd, bytes, content.n - at < sizeof(bytes) ? content.n - at : sizeof(bytes),
			  (off_t)at);
		if (n <= 0 || memcmp(bytes, content.bytes + at, (size_t)n) != 0)
			disk_die("%s: is not as in the log near %zu", name->text, at);
	}
	free(content.bytes);
	(void)close(fd); /* only read */
}

static void compare_directory(const struct disk *disk, const struct disk_choice *choice, uint64_t number,
			      const char *path)
{
	struct names names = cut_names(disk, choice, number);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	size_t n = 0;

	if (!dir)
		disk_die("%s: %s", path, strerror(errno));
	while ((entry = readdir(dir)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (n != names.n)
		disk_die("%s: has %zu entries, in the log %zu", path, n, names.n);
	for (size_t i = 0; i < names.n; i++) {
		AUTO(free) char *below = disk_path(path, names.names[i].text);

		if (disk_get(disk, names.names[i].file)->directory)
			compare_directory(disk, choice, names.names[i].file, below);
		else
			compare_file(disk, choice, &names.names[i], dirfd(dir));
	}
	(void)closedir(dir); /* only read */
	free(names.names);
}

void disk_compare(const struct disk *disk, const char *path)
{
	const struct disk_choice all = { .data = { FATE_ALL, FATE_ALL, FATE_ALL },
					 .names = FATE_ALL,
					 .unit = 512 };

	compare_directory(disk, &all, 1, path);
}
