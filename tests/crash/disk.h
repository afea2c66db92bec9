/* disk.h - what a disk may hold after the power was cut: from a log of changes (interpose.h) to directories of files.
 *
 * Certain is only what a completed flush covered: a file's bytes and size by a flush of that file, names by a flush of
 * their directory. Of the rest any part may be there: any write without another, torn at a sector or a page, sizes with
 * or without the bytes, each name by itself. That is more than ext4 and XFS leave; a rename stays one step. */
#ifndef VAULTFS_TESTS_DISK_H
#define VAULTFS_TESTS_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../random.h"
#include "interpose.h"

/* ---- the log ---- */

struct disk_entry {
	struct log_record head;
	const char *name, *other_name; /* head.name_size bytes each, without a NUL */
	const uint8_t *data;
};

struct disk_log {
	void *map;
	size_t map_size;
	struct disk_entry *entries;
	size_t n;
	size_t begin; /* entries that only say what was there before */
};

/* Read a log as it is in the file now. Exits with a message when it cannot be one. */
void disk_log_read(const char *path, struct disk_log *ret);
void disk_log_release(struct disk_log *log);

struct disk;

/* The log of `before` as far as that has gone, then `after`, which was written when nothing of `before` was lost: a program
 * that was killed, and the next one. The marks of `after` say moments behind `n_moments`: their head.offset. Borrows both. */
void disk_log_join(const struct disk *before, const struct disk_log *after, uint64_t n_moments,
		   struct disk_log *ret);

/* The name that a file got last before entry `at`, "" for the root; borrowed until the next call. */
const char *disk_log_name(const struct disk_log *log, size_t at, uint64_t file);

/* ---- the disk at one moment ---- */

/* An empty disk before the first entry of `log`, which is borrowed. `ignored` (NULL: none) says of a flush, by its entry,
 * that it shall do nothing: a disk that lies, or a program that forgot it. */
struct disk *disk_new(const struct disk_log *log, bool (*ignored)(const struct disk_log *log, size_t entry));
void disk_free(struct disk *disk);

/* Let all entries before `at` happen. Only ever forward. */
void disk_advance(struct disk *disk, size_t at);

/* What becomes of that which no flush has covered. */
enum disk_fate {
	FATE_NONE,    /* all of it is gone */
	FATE_ALL,     /* all of it is there, as after a kill */
	FATE_PREFIX,  /* the first changes are there */
	FATE_LAST,    /* only the last change is */
	FATE_BUT_ONE, /* all but one */
	FATE_SUBSET,  /* each by chance */
	FATE_TORN,    /* each sector or page of each write by chance */
	FATE_MOMENT,  /* each sector or page as it was at a moment of its own */
	N_FATES
};

enum disk_size {
	SIZE_NATURAL, /* where the last byte that is there ends */
	SIZE_FULL,    /* as if all had been written: the rest is zeros */
	SIZE_DURABLE, /* as at the last flush: the rest is missing */
	SIZE_RANDOM,  /* anything between */
	N_SIZES
};

/* How one cut goes. */
struct disk_choice {
	enum disk_fate data[3], names; /* data: of packs, of the database, of its log */
	enum disk_size size;
	unsigned unit; /* 512 or 4096: where writes are torn */
	bool junk;     /* what was never written holds old bytes of other files instead of zeros */
	uint64_t seed;
};

/* A choice; the first N_FATES * 2 of `n` go through all fates for data with no names and with all. */
struct disk_choice disk_choose(unsigned n, uint64_t seed);
void disk_describe(const struct disk_choice *choice, char *ret, size_t size);

/* Make the directory `path`, which must not exist, into what the disk may hold if the power is cut now. */
void disk_write_out(const struct disk *disk, const struct disk_choice *choice, const char *path);

/* Is `path` what the disk holds if nothing is lost? Exits with a message where it differs: then the log is not complete. */
void disk_compare(const struct disk *disk, const char *path);

/* Changes that no flush has covered. */
size_t disk_n_pending(const struct disk *disk);

/* ---- for whoever works with disks ---- */

/* Say why, and end with status 2: not the vault is wrong but the test. */
_Noreturn void disk_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "DIRECTORY/NAME"; free() it. */
char *disk_path(const char *directory, const char *name);

/* As reallocarray(), but it cannot fail. */
void *disk_resize(void *old, size_t n, size_t size);

#endif
