/* readers.c - a small pool of connections that only read. See readers.h. */
#include "readers.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "find_queries.h"
#include "log.h"
#include "search.h"

#define N_READERS 4u
#define SETTLE_MS 10u      /* between looks whether directories' paths are right */
#define SETTLE_TRIES 1000u /* looks: more than a large rename takes */

struct readers {
	pthread_mutex_t lock; /* a leaf; guards what follows and which are taken */
	pthread_cond_t given;
	struct reader all[N_READERS]; /* those that are open come first */
	uint64_t committed;           /* generation of the library that is surely in a commit */
};

int readers_new(struct readers **ret)
{
	struct readers *readers = calloc(1, sizeof(*readers));

	if (!readers)
		return log_err(-ENOMEM, "no memory for readers of the database");
	(void)pthread_mutex_init(&readers->lock, NULL); /* fails only with attributes */
	(void)pthread_cond_init(&readers->given, NULL); /* the same */
	*ret = readers;
	return 0;
}

void readers_free(struct readers *readers)
{
	if (!readers)
		return;
	for (size_t i = 0; i < N_READERS; i++)
		db_close(&readers->all[i].db);
	(void)pthread_cond_destroy(&readers->given);
	(void)pthread_mutex_destroy(&readers->lock);
	free(readers);
}

int readers_catch_up(struct vault *vault)
{
	struct readers *readers = vault->readers;
	uint64_t generation = vault_generation(vault);
	bool behind;
	int r = 0;

	if (vault->read_only)
		return 0;
	(void)pthread_mutex_lock(&readers->lock);
	behind = readers->committed < generation;
	(void)pthread_mutex_unlock(&readers->lock);
	if (behind)
		r = vault_sync(vault);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&readers->lock);
	if (readers->committed < generation)
		readers->committed = generation;
	(void)pthread_mutex_unlock(&readers->lock);
	return 0;
}

/* A free one that is open, else one that is not; NULL: all are taken. */
static struct reader *free_reader(struct readers *readers)
{
	struct reader *closed = NULL;

	for (size_t i = N_READERS; i > 0; i--) {
		struct reader *reader = &readers->all[i - 1];

		if (!reader->taken && reader->db.handle)
			return reader;
		if (!reader->taken)
			closed = reader;
	}
	return closed;
}

static struct reader *take(struct readers *readers)
{
	struct reader *reader;

	(void)pthread_mutex_lock(&readers->lock);
	while (!(reader = free_reader(readers)))
		(void)pthread_cond_wait(&readers->given, &readers->lock);
	reader->taken = true;
	(void)pthread_mutex_unlock(&readers->lock);
	return reader;
}

static void give(struct readers *readers, struct reader *reader)
{
	(void)pthread_mutex_lock(&readers->lock);
	reader->taken = false;
	(void)pthread_cond_signal(&readers->given);
	(void)pthread_mutex_unlock(&readers->lock);
}

static int reader_open(struct vault *vault, struct reader *reader)
{
	unsigned flags =
		DB_OPEN_BARE | (vault->db.flags & DB_OPEN_IMMUTABLE ? DB_OPEN_IMMUTABLE : DB_OPEN_READ_ONLY);
	int r = db_open_in(&reader->db, vault->dir_fd, vault->db.path, flags);

	if (r == 0)
		r = db_prepare_set(&reader->db, DB_SET_find);
	if (r == 0)
		r = db_prepare_set(&reader->db, DB_SET_listing);
	if (r < 0)
		db_close(&reader->db);
	return r;
}

static void end(struct reader *reader)
{
	AUTO(query) sqlite3_stmt *rollback = db_query(&reader->db, DB_SET_find, FIND_END);

	if (!sqlite3_get_autocommit(reader->db.handle))
		(void)db_run(&reader->db, rollback); /* of a transaction that only read: nothing can fail */
}

/* 1 the paths of all directories are right in the commit that is seen. */
static int is_settled(struct reader *reader)
{
	AUTO(query) sqlite3_stmt *settled = db_query(&reader->db, DB_SET_find, FIND_SETTLED);
	int r = db_step(&reader->db, settled);

	return r == 1 ? sqlite3_column_int(settled, 0) : r;
}

/* See one commit from now on: a large rename still rewrites paths after the commit that it is in. */
static int begin(struct vault *vault, struct reader *reader)
{
	static const struct timespec pause = { .tv_nsec = SETTLE_MS * 1000000 };

	for (unsigned i = 0; i < SETTLE_TRIES; i++) {
		AUTO(query) sqlite3_stmt *start = db_query(&reader->db, DB_SET_find, FIND_BEGIN);
		int r = db_run(&reader->db, start);

		if (r == 0)
			r = is_settled(reader);
		/* Where nobody rewrites them the others' paths are still right. */
		if (r == 1 || (r == 0 && vault->read_only && !vault->shared))
			return 0;
		end(reader);
		if (r < 0)
			return r;
		(void)nanosleep(&pause, NULL); /* shorter if interrupted */
	}
	return log_err(-EAGAIN,
		       "%s: directories were renamed, and their paths are still being rewritten: try again",
		       vault->path);
}

/* Attach search.db, once; only outside a transaction. Where that fails is said once, and what needs it says so again: the
 * rest is still found. */
static void attach(struct vault *vault, struct reader *reader)
{
	if (!reader->has_search)
		reader->has_search = search_attach(vault, &reader->db) == 0;
}

/* Does search.db know all that this reader sees? Who follows it in this process has just waited for that. */
static int look_at_search(struct vault *vault, struct reader *reader, bool followed)
{
	AUTO(query) sqlite3_stmt *queued = db_query(&reader->db, DB_SET_find, FIND_SEARCH_QUEUED);
	int unbuilt = 1;
	int r;

	reader->search_complete = followed;
	if (followed || !vault->read_only || !reader->has_search)
		return 0;
	r = db_number(&reader->db,
		      "SELECT built_to < 9223372036854775807 OR serial < coalesce((SELECT queued "
		      "FROM main.search_queue WHERE inode_id = 0), 0) FROM search.state",
		      &unbuilt);
	if (r == 0)
		r = db_step(&reader->db, queued);
	if (r < 0)
		return r;
	reader->search_complete = !unbuilt && sqlite3_column_int(queued, 0) == 0;
	return 0;
}

static int get(struct vault *vault, bool with_search, bool followed, struct reader **ret)
{
	struct reader *reader = take(vault->readers);
	int r = reader->db.handle ? 0 : reader_open(vault, reader);

	reader->vault = vault;
	reader->uses_search = reader->search_complete = false;
	if (r == 0 && with_search)
		attach(vault, reader);
	if (r == 0)
		r = begin(vault, reader);
	if (r == 0 && with_search && reader->has_search) {
		reader->uses_search = true;
		r = look_at_search(vault, reader, followed);
	}
	if (r < 0) {
		if (reader->db.handle)
			end(reader);
		give(vault->readers, reader);
		return r;
	}
	*ret = reader;
	return 0;
}

int reader_get(struct vault *vault, struct reader **ret)
{
	return get(vault, false, false, ret);
}

void reader_put(struct reader *reader)
{
	end(reader);
	give(reader->vault->readers, reader);
}

int reader_get_for(struct vault *vault, const struct vault_query *query, struct reader **ret)
{
	bool needs = query && vault_query_asks_words(query);
	bool search = query && query_uses_search(query);
	bool followed = false;
	int r;

	/* What cannot be committed was said; what was before is still worth reading. */
	(void)readers_catch_up(vault);
	if (search && !vault->read_only) {
		r = search_catch_up(vault);
		if (r == -ECANCELED)
			return r;
		followed = r == 0;
	}
	r = get(vault, search, followed, ret);
	if (r == 0 && needs && !(*ret)->uses_search) {
		reader_put(TAKE(*ret));
		r = log_err(
			-EAGAIN,
			"%s: words cannot be looked for: search.db is missing or given up; a mount, or any command that "
			"may write to the vault, makes it anew",
			vault->path);
	}
	return r;
}

struct query_context reader_context(struct reader *reader)
{
	return (struct query_context){ .vault = reader->vault,
				       .db = &reader->db,
				       .has_search = reader->uses_search,
				       .search_complete = reader->search_complete };
}
