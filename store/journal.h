/* journal.h - the changes of a commit as records: recorded with SQLite's session extension, written in parts, replayed.
 *
 * A changeset is SQLite's documented stream of row changes; here it is cut into parts of at most 1 MiB, each compressed
 * where that pays. A stream whose parts are not all there does not exist: the commit record says how many there are. A
 * part 0 begins the stream anew (a commit that failed for want of room and was tried again). */
#ifndef VAULTFS_JOURNAL_H
#define VAULTFS_JOURNAL_H

#include "changeset.h"
#include "vault_internal.h"

struct journal;		/* guarded by the metadata lock */

int journal_new(struct vault *vault, struct journal **ret);
void journal_free(struct journal *journal);	/* NULL is fine */

/* Record changes of the journalled tables from now on, till journal_end_locked().  -ENOMEM. */
int journal_begin_locked(struct journal *journal);
void journal_end_locked(struct journal *journal);

bool journal_is_empty_locked(const struct journal *journal);
size_t journal_memory_locked(const struct journal *journal);

/* Append the changes so far as RECORD_JOURNAL parts of commit `commit`. May be called again after a failure.
 *   Errors  -ENOSPC and others of the disk (logged). */
int journal_write_locked(struct journal *journal, uint64_t commit, uint32_t *ret_n_parts, uint64_t *ret_raw_size);

/* Where bytes of a changeset come from: fill up to *size bytes, set *size to how many (0 at the end). */
struct changeset_source {
	int (*read)(void *context, void *buffer, int *size);	/* SQLITE_OK or an SQLite code */
	int (*rewind)(void *context);				/* 0 or -errno: start again */
	void *context;
	const int *error;					/* why reading failed, 0 it did not; was logged */
};

/* A source over journal parts or picture chunks, which loads them one at a time and hands on only what is a changeset of
 * ours. `load(context, i, buffer, ret_size)` puts piece i into `buffer` (RECORD_RAW_MAX bytes); 0 or -errno. */
struct piece_source {
	int (*load)(void *context, size_t i, uint8_t *buffer, uint32_t *ret_size);
	void *context;
	size_t n_pieces;
	size_t next;		/* the rest is the source's own; start with zero */
	uint8_t *piece;		/* malloc'ed; free() it when done */
	uint32_t size, position;
	struct changeset_check check;
	int error;		/* the errno of a load that failed, or of bytes that are no changeset */
};
struct changeset_source piece_source_open(struct piece_source *pieces);

/* What applying a changeset means for what is not journalled. */
struct changeset_effects {
	bool directories;	/* entries or inodes changed in a way that table directories may not follow */
	bool tags;		/* files got or lost tags: table tag_counts */
};

/* Apply a changeset to the journalled tables, and the references that its extents take and give back to table chunks
 * (unless `count_references` is false: a picture, after which they are counted anew).
 *   Errors  -EBADMSG it does not fit the tables (logged); others logged. */
int journal_apply_locked(struct vault *vault, struct changeset_source *source, bool count_references,
			 struct changeset_effects *effects);

#endif
