/* id_stream.h - ids of inodes in descending order, from an index at a time, united and intersected as they are asked for.
 *
 * What a search with several conditions reads is bounded by its rarest one: streams skip ahead instead of reading on. A
 * stream belongs to one connection, and to one thread at a time. */
#ifndef VAULTFS_ID_STREAM_H
#define VAULTFS_ID_STREAM_H

#include <stdint.h>

#include "sql_text.h"

struct id_stream;

/* How far a stream reads on before it looks the place up anew: what looking up costs, in rows. */
enum id_stream_seek {
	ID_STREAM_SEEK_INDEX = 8,
	ID_STREAM_SEEK_WORDS = 512,      /* full-text: a look-up opens the lists of all words */
	ID_STREAM_SEEK_NEVER = 1u << 30, /* what is sorted first */
};

/* The ids that `sql` selects as its first column, in descending order, at most its ?1. The same id may come twice. */
int id_stream_select(struct db *db, const struct sql_text *sql, unsigned seek, struct id_stream **ret);

/* Ids that any, or each, of the streams has. Starts without any: none. */
int id_stream_any(struct db *db, struct id_stream **ret);
int id_stream_each(struct db *db, struct id_stream **ret);

/* Add a stream to one of these. Takes it over, also on failure. */
int id_stream_add(struct id_stream *stream, struct id_stream *part);

/* The highest id that is at most `most`, which never rises from one call to the next.  1; 0 there is none. */
int id_stream_next(struct id_stream *stream, uint64_t most, uint64_t *ret);

void id_stream_free(struct id_stream *stream); /* NULL is fine */

static inline void auto_id_stream(struct id_stream **stream)
{
	id_stream_free(*stream);
}

#endif
