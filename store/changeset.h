/* changeset.h - may these bytes be given to SQLite's session extension?
 *
 * The extension believes what a changeset says of itself: SQLite 3.40 loops for ever over a table's head that is cut off,
 * reads numbers past the end, and passes over tables and columns that it does not know. What a forged pack holds is
 * therefore looked at first, byte by byte as it streams in: only journalled tables with their columns and keys, whole values
 * of bounded size, nothing cut off. Format: comments of sqlite3session.c, "CHANGESET BLOB FORMAT". Pure. */
#ifndef VAULTFS_CHANGESET_H
#define VAULTFS_CHANGESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANGESET_VALUE_MAX 1048576u	/* bytes of a value: bounds what SQLite keeps in memory of a row */

struct schema_shape;

/* Where in the stream one is. All zero: at the start. */
struct changeset_check {
	int state;			/* enum in changeset.c */
	const struct schema_shape *table;	/* whose changes follow; NULL before the first */
	uint8_t n_columns, column;
	uint8_t operation;		/* SQLITE_INSERT, SQLITE_UPDATE, SQLITE_DELETE */
	bool second;			/* the new values of an update */
	uint8_t n_varint;		/* bytes of a length so far */
	uint32_t left;			/* a length so far; bytes of the value that are to come */
	uint8_t keys[16];		/* each column's place in the key, as the head said */
	char name[32];
	uint8_t name_size;
};

/* The next `size` bytes of the stream.  -EBADMSG no changeset of ours (not logged). */
int changeset_check(struct changeset_check *check, const uint8_t *bytes, size_t size);

/* May the stream end here? */
bool changeset_is_whole(const struct changeset_check *check);

#endif
