/* readers.h - connections for reading what takes long: queries and listings, which never hold the metadata lock.
 *
 * Each sees one commit from reader_get() to reader_put(), with search.db attached where it is there. There are a few, opened
 * as they are needed and kept; who finds none free waits. */
#ifndef VAULTFS_READERS_H
#define VAULTFS_READERS_H

#include "query_sql.h"

struct readers;

struct reader {
	struct vault *vault;
	struct db
		db; /* the queries of sets find and listing are prepared; no lock is taken: it is one thread's */
	bool has_search;      /* search.db is attached, as schema `search`: and stays so */
	bool uses_search;     /* who has it asked for that, see struct query_context */
	bool search_complete; /* the same */
	bool taken;           /* guarded by the lock of readers */
};

int readers_new(struct readers **ret);      /* -ENOMEM, logged */
void readers_free(struct readers *readers); /* NULL is fine; none is taken any more */

/* Commit what changed since the last time, so that a reader taken now sees it. May take as long as a commit. Nothing to do on a
 * vault that is only read. */
int readers_catch_up(struct vault *vault);

/* Take a reader, at the last commit: give it back with reader_put(). It has no search.db.  Errors logged. */
int reader_get(struct vault *vault, struct reader **ret);
void reader_put(struct reader *reader);

/* The same at the newest state that can be had, and with search.db where `query` (NULL: none) can use it: for who may wait.
 *   Errors  -EAGAIN the query asks for words, and there is no search.db. All logged. */
int reader_get_for(struct vault *vault, const struct vault_query *query, struct reader **ret);

/* The reader as a place to ask queries. */
struct query_context reader_context(struct reader *reader);

static inline void auto_reader(struct reader **reader)
{
	if (*reader)
		reader_put(*reader);
}

#endif
