/* disk_internal.h - what disk.c and disk_cut.c share. */
#ifndef VAULTFS_TESTS_DISK_INTERNAL_H
#define VAULTFS_TESTS_DISK_INTERNAL_H

#include "disk.h"

/* A file's bytes; zeros from `n` to `size`. */
struct content {
	uint8_t *bytes;
	size_t n, room;
	uint64_t size;
};

struct name {
	char text[INTERPOSE_NAME_MAX + 1];
	uint64_t file;
};

struct names {
	struct name *names;
	size_t n, room;
};

struct disk_file {
	bool directory;
	bool mapped;            /* what it holds is not known */
	struct content content; /* of a file: what is certain */
	struct names names;     /* of a directory: the same */
	size_t *pending;        /* entries of the log that no flush has covered */
	size_t n_pending, pending_room;
};

struct disk {
	const struct disk_log *log;
	bool (*ignored)(const struct disk_log *log, size_t entry);
	size_t at;
	struct disk_file *files; /* number 1, the root, stands first */
	size_t n, room;
	size_t *syncs; /* entries where they began */
	size_t n_syncs, syncs_room;
};

struct disk_file *disk_add(struct disk *disk, uint64_t number, bool directory);
struct disk_file *disk_get(const struct disk *disk, uint64_t number);

void content_apply(struct content *content, const struct disk_entry *e);
void content_put(struct content *content, uint64_t offset, const uint8_t *bytes,
		 size_t size); /* NULL: zeros */
void content_zero(struct content *content, uint64_t offset, uint64_t size);
void content_set_size(struct content *content, uint64_t size);
void content_copy(struct content *to, const struct content *from);

void names_apply(struct names *names, const struct disk_entry *e);
void names_copy(struct names *to, const struct names *from);

#endif
