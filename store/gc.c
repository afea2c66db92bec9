/* gc.c - unlinking packs in which nothing is live. See gc.h.
 *
 * Order, each step durable before the next: references fell to 0 in a commit that is durable; the pack's chunk rows go,
 * and it is marked as going; vault.db is checkpointed, so that no power cut brings the rows back; the file goes; its row
 * goes. A crash in between is finished by the next step, which begins with a checkpoint, too: a daemon that died may have left
 * the log of its database in memory only. */
#include "gc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "background.h"
#include "bulk.h"
#include "commit.h"
#include "kill_point.h"

#define ROWS_PER_STEP 2000	/* chunk rows removed in one change */
#define N_AT_ONCE 64		/* packs that go in one step */

enum {
	Q_READY,
	Q_HELD,
	Q_GOING,
	Q_SET_GOING,
	Q_REMOVE,
	Q_ALL,
	Q_SET_MISSING,
	Q_MISSING_DEAD,
	Q_MISSING_LIVE,
	Q_MISSING_GONE,
	N_QUERIES,
};

/* Dead: sealed, no chunk of it is named, and the newest picture has made its journal parts unneeded. The record of the
 * picture's own commit is needed: a rebuild goes on from there. */
static const char *const sql[N_QUERIES] = {
	[Q_READY] = "SELECT id FROM packs WHERE live_bytes = 0 AND going = 0 AND last_commit < ?1 AND id < ?2 ORDER BY id LIMIT ?3",
	[Q_HELD] = "SELECT id FROM packs WHERE live_bytes = 0 AND going = 0 AND last_commit >= ?1 AND id < ?2",
	[Q_GOING] = "SELECT id FROM packs WHERE going = 1 ORDER BY id LIMIT ?1",
	[Q_SET_GOING] = "UPDATE packs SET going = 1 WHERE id = ?1",
	[Q_REMOVE] = "DELETE FROM packs WHERE id = ?1",
	[Q_ALL] = "SELECT id FROM packs",
	[Q_SET_MISSING] = "UPDATE packs SET going = 2 WHERE id = ?1",
	[Q_MISSING_DEAD] = "DELETE FROM chunks WHERE refs = 0 AND pack_id IN (SELECT id FROM packs WHERE going = 2)",
	[Q_MISSING_LIVE] = "UPDATE chunks SET damaged = 1 WHERE pack_id IN (SELECT id FROM packs WHERE going = 2)",
	[Q_MISSING_GONE] = "DELETE FROM packs WHERE going = 2",
};

const struct query_set gc_queries = { sql, N_QUERIES };

static int ready_packs_locked(struct vault *vault, uint64_t *ret, int n)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_gc, Q_READY);
	int found = 0, r;

	bind_u64(row, 1, vault->state.picture_commit);
	bind_u64(row, 2, vault->state.end.pack);
	bind_i64(row, 3, n);
	while ((r = db_step(&vault->db, row)) > 0)
		ret[found++] = column_u64(row, 0);
	return r < 0 ? r : found;
}

static int going_packs_locked(struct vault *vault, uint64_t *ret)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_gc, Q_GOING);
	int found = 0, r;

	bind_i64(row, 1, N_AT_ONCE);
	while ((r = db_step(&vault->db, row)) > 0)
		ret[found++] = column_u64(row, 0);
	return r < 0 ? r : found;
}

int gc_look(struct vault *vault, struct gc_outlook *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_gc, Q_HELD);
	uint64_t some[N_AT_ONCE];
	int n_going = going_packs_locked(vault, some);
	int r = n_going < 0 ? n_going : ready_packs_locked(vault, some, N_AT_ONCE);

	if (r < 0)
		return r;
	*ret = (struct gc_outlook){ .n_ready = (uint64_t)(n_going + r) };
	bind_u64(row, 1, vault->state.picture_commit);
	bind_u64(row, 2, vault->state.end.pack);
	while ((r = db_step(&vault->db, row)) > 0)
		ret->held_bytes += packs_size(vault->packs, column_u64(row, 0));
	return r;
}

/* ---- the rows of one pack ---- */

struct ids {
	uint64_t *chunks;	/* free() it */
	size_t n, room;
};

static int gather_chunk(void *context, const struct packs_item *item)
{
	struct ids *ids = context;

	if (item->record.type != RECORD_CHUNK)
		return 0;
	if (ids->n == ids->room) {
		size_t room = ids->room ? 2 * ids->room : 1024;
		uint64_t *chunks = reallocarray(ids->chunks, room, sizeof(*chunks));

		if (!chunks)
			return log_err(-ENOMEM, "pack %" PRIu64 ": no memory for its list", item->place.pack);
		ids->chunks = chunks;
		ids->room = room;
	}
	ids->chunks[ids->n++] = item->record.id;
	return 0;
}

static int set_going_locked(struct vault *vault, uint64_t pack)
{
	AUTO(query) sqlite3_stmt *set = db_query(&vault->db, DB_SET_gc, Q_SET_GOING);

	bind_u64(set, 1, pack);
	return db_run(&vault->db, set);
}

/* The rows of ids [from, from + ROWS_PER_STEP); behind the last of them the pack is going. */
static int remove_slice(struct vault *vault, uint64_t pack, const struct ids *ids, size_t from)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { NULL };
	size_t end = ids->n - from > ROWS_PER_STEP ? from + ROWS_PER_STEP : ids->n;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = savepoint_begin(&vault->db, &all);
	for (size_t i = from; r >= 0 && i < end; i++)
		r = bulk_remove_dead_locked(vault, ids->chunks[i], pack);
	if (r >= 0 && end == ids->n)
		r = set_going_locked(vault, pack);
	return r < 0 ? r : savepoint_commit(&all);
}

static int remove_rows(struct vault *vault, uint64_t pack)
{
	struct ids ids = { NULL, 0, 0 };
	int r = packs_visit(vault->packs, pack, gather_chunk, &ids);

	for (size_t from = 0; r >= 0 && (from == 0 || from < ids.n); from += ROWS_PER_STEP) {
		r = commit_enter(vault);
		if (r < 0)
			break;
		r = remove_slice(vault, pack, &ids, from);
		commit_leave(vault);
	}
	free(ids.chunks);
	return r < 0 ? r : 0;
}

/* ---- the files ---- */

/* Unlink what is going, and then its row. A transaction is open. */
static int unlink_going_locked(struct vault *vault)
{
	uint64_t going[N_AT_ONCE];
	int n = going_packs_locked(vault, going);
	int r = n < 0 ? n : 0;

	for (int i = 0; r == 0 && i < n; i++) {
		AUTO(query) sqlite3_stmt *remove = db_query(&vault->db, DB_SET_gc, Q_REMOVE);

		if (packs_has(vault->packs, going[i]))
			r = packs_unlink(vault->packs, going[i]);
		bind_u64(remove, 1, going[i]);
		if (r == 0)
			r = db_run(&vault->db, remove);
	}
	return r < 0 ? r : n;
}

static int run_plain(struct vault *vault, int query)
{
	AUTO(query) sqlite3_stmt *statement = db_query(&vault->db, DB_SET_gc, query);

	return db_run(&vault->db, statement);
}

/* Mark the rows of packs that are not there. Returns how many. */
static int mark_missing_locked(struct vault *vault)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_gc, Q_ALL);
	int n = 0, r;

	while ((r = db_step(&vault->db, row)) > 0) {
		AUTO(query) sqlite3_stmt *set = NULL;

		if (packs_has(vault->packs, column_u64(row, 0)))
			continue;
		set = db_query(&vault->db, DB_SET_gc, Q_SET_MISSING);
		bind_u64(set, 1, column_u64(row, 0));
		r = db_run(&vault->db, set);
		if (r < 0)
			return r;
		n++;
	}
	return r < 0 ? r : n;
}

int gc_drop_missing_locked(struct vault *vault)
{
	int r = mark_missing_locked(vault);

	if (r <= 0)
		return r;
	r = run_plain(vault, Q_MISSING_DEAD);
	if (r == 0)
		r = run_plain(vault, Q_MISSING_LIVE);
	if (r == 0 && sqlite3_changes64(vault->db.handle) > 0)
		log_warn("%s: packs are missing that %lld chunks in use stand in: files that need them cannot be read", vault->path,
			 (long long)sqlite3_changes64(vault->db.handle));
	return r == 0 ? run_plain(vault, Q_MISSING_GONE) : r;
}

int gc_step(struct vault *vault)
{
	uint64_t ready[N_AT_ONCE];
	int n, r;

	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);

		n = ready_packs_locked(vault, ready, N_AT_ONCE);
	}
	r = n < 0 ? n : 0;
	for (int i = 0; r == 0 && i < n; i++)
		r = remove_rows(vault, ready[i]);
	KILL_POINT(going);
	if (r == 0)
		r = vault_sync(vault);
	KILL_POINT(going_committed);
	if (r == 0)
		r = background_checkpoint(vault);
	if (r <= 0)
		return r;	/* an error, or a reader is in the way: the rows are gone, the files follow another time */
	KILL_POINT(going_checkpointed);
	r = commit_enter(vault);
	if (r < 0)
		return r;
	{
		AUTO(unlock) pthread_mutex_t *held = NULL;

		r = commit_lock(vault, &held);
		if (r == 0)
			r = unlink_going_locked(vault);
	}
	commit_leave(vault);
	return r;
}
