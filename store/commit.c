/* commit.c - what a commit writes, and in which order. See commit.h; why the order is so: invariants.md. */
#include <errno.h>

#include "codec.h"
#include "changes.h"
#include "commit_internal.h"
#include "commit_record.h"
#include "file.h"
#include "kill_point.h"
#include "live.h"
#include "recover.h"
#include "schema.h"
#include "space.h"
#include "state.h"

#define ROUND_SIZE (8u << 20)		/* bytes undrained or unsynced that are flushed before the gate closes */
#define ROWS_MAX 100000			/* changed in one commit */
#define ROWS_SCARCE 500		/* the same when the disk below is nearly full */
#define ROW_PAGES_SIZE 16384u		/* bytes of database pages that a changed row may touch, at the most */
#define SESSION_MAX (16u << 20)		/* bytes of the session's memory */
#define PAGES_MAX (64u << 20)		/* bytes of database pages in memory: what is over the cache's size is dirty */
#define PACKS_MAX (256ull << 20)	/* bytes appended in one commit */
#define WAL_LONG (48ull << 20)		/* bytes of write-ahead log at which the committer itself finishes a checkpoint */

/* ---- transactions ---- */

int commit_begin_locked(struct vault *vault)
{
	struct committer *c = vault->committer;
	int r;

	if (c->transaction)
		return 0;
	r = db_begin(&vault->db);
	if (r == 0)
		r = journal_begin_locked(c->journal);
	if (r < 0) {
		db_rollback(&vault->db);	/* nothing was changed yet */
		return r;
	}
	c->transaction = true;
	c->rows_before = sqlite3_total_changes64(vault->db.handle);
	return 0;
}

/* Has this commit grown so much that it should be made now? The metadata lock is held. */
static bool is_voluminous(struct committer *c)
{
	struct vault *vault = c->vault;
	int pages = 0, highest = 0;

	sqlite3_int64 rows = sqlite3_total_changes64(vault->db.handle) - c->rows_before;

	if (rows > ROWS_MAX)
		return true;
	if (c->n_locks++ % 64 != 0)
		return false;
	space_look(vault);
	if (vault->scarce && rows > ROWS_SCARCE)
		return true;
	(void)sqlite3_db_status(vault->db.handle, SQLITE_DBSTATUS_CACHE_USED, &pages, &highest, 0);	/* a figure */
	return journal_memory_locked(c->journal) > SESSION_MAX || (unsigned)pages > PAGES_MAX ||
	       packs_unsynced(vault->packs) > PACKS_MAX;
}

static void want_commit(struct committer *c)
{
	(void)pthread_mutex_lock(&c->lock);
	if (!c->wanted) {
		c->wanted = true;
		(void)pthread_cond_signal(&c->wake);
	}
	(void)pthread_mutex_unlock(&c->lock);
}

int commit_lock(struct vault *vault, pthread_mutex_t **ret_held)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r;

	*ret_held = NULL;
	if (vault->read_only)
		return -EROFS;
	held = lock_mutex(&vault->db.lock);
	/* The gate keeps requests out; a worker that finishes a closed file's last chunk may still come here. */
	while (vault->committer->sealed)
		(void)pthread_cond_wait(&vault->committer->unsealed, &vault->db.lock);
	r = vault->read_only ? -EROFS : commit_begin_locked(vault);
	if (r < 0)
		return r;
	if (is_voluminous(vault->committer))
		want_commit(vault->committer);
	*ret_held = TAKE(held);
	return 0;
}

void commit_fail(struct vault *vault)
{
	vault->read_only = true;
}

/* ---- one commit ---- */

/* Append the journal and the commit record of the open transaction; *ret is what the state becomes. */
static int append_commit_locked(struct vault *vault, struct commit_state *ret)
{
	const struct commit_state *old = &vault->state;
	struct commit_record fields = {
		.commit = old->commit + 1,
		.previous = old->record,
		.previous_checksum = old->checksum,
		.start = old->end,
		.schema_version = SCHEMA_VERSION,
		.time_ns = clock_now_ns(),
		.picture_commit = old->picture_commit,
		.picture = old->picture,
	};
	struct record record = {
		.type = RECORD_COMMIT,
		.codec = CODEC_RAW,
		.raw_size = COMMIT_RECORD_SIZE,
		.stored_size = COMMIT_RECORD_SIZE,
		.n_parts = 1,
		.id = fields.commit,
	};
	uint8_t bytes[COMMIT_RECORD_SIZE];
	struct place place;
	uint64_t checksum;
	int r = journal_write_locked(vault->committer->journal, fields.commit, &fields.n_parts, &fields.journal_size);

	/* What is written behind a transaction that was given up would stand for itself. */
	if (r == 0 && sqlite3_get_autocommit(vault->db.handle))
		r = -EROFS;
	if (r < 0)
		return r;
	KILL_POINT(commit_journalled);
	fields.next_id = old->next_id;
	fields.next_chunk_id = old->next_chunk_id;
	fields.journal_bytes = old->journal_bytes + fields.journal_size;
	commit_record_encode(&fields, bytes);
	r = packs_append(vault->packs, &record, bytes, &place, &checksum);
	if (r < 0)
		return r;
	KILL_POINT(commit_recorded);
	commit_state_from_record(ret, &fields, place, checksum);
	r = state_note_pack_locked(vault, place.pack, fields.commit);
	if (r == 0)
		r = state_save_locked(vault, ret);
	if (r < 0)
		commit_fail(vault);	/* a second record of this number would break the chain */
	return r;
}

/* COMMIT. When it fails after the packs were flushed, the commit counts all the same: it is replayed from them. */
static int finish_locked(struct vault *vault, const struct commit_state *state)
{
	struct committer *c = vault->committer;
	int r;

	KILL_POINT(database_commit);
	c->transaction = false;
	r = db_commit(&vault->db);
	KILL_POINT(database_committed);
	journal_end_locked(c->journal);
	if (r == 0) {
		vault->state = *state;
		changes_flushed_locked(vault);
		return 0;
	}
	db_rollback(&vault->db);	/* what counts stands in the packs */
	if (space_is_short(r)) {
		(void)space_give_up_reserve(vault);	/* if there is one */
		(void)sqlite3_wal_checkpoint_v2(vault->db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);	/* as far as it goes */
	}
	/* From what vault.db shows: the state in memory may name the picture that this very commit brings. */
	r = state_load_locked(vault, &vault->state);
	if (r == 0)
		r = recover_replay_locked(vault);
	if (r < 0) {
		commit_fail(vault);
		vault->changes_lost = true;	/* from here: the packs have them */
		return log_err(-EIO, "%s: commit %" PRIu64 " is safe in the packs but not in vault.db: read-only until opened again",
			       vault->path, state->commit);
	}
	return 0;
}

/* Bytes of database pages that a COMMIT now would write, at the most: dirty ones all stay in the cache till then. */
static uint64_t pages_size_locked(struct vault *vault)
{
	uint64_t rows = (uint64_t)(sqlite3_total_changes64(vault->db.handle) - vault->committer->rows_before);
	uint64_t touched = rows * ROW_PAGES_SIZE;
	int cached = 0, highest = 0;

	(void)sqlite3_db_status(vault->db.handle, SQLITE_DBSTATUS_CACHE_USED, &cached, &highest, 0);	/* a figure */
	return (touched < (uint64_t)cached ? touched : (uint64_t)cached) + (1u << 18);
}

int commit_lock_to_grow(struct vault *vault, pthread_mutex_t **ret_held)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = commit_lock(vault, &held);

	*ret_held = NULL;
	if (r < 0)
		return r;
	if (vault->scarce && space_available(vault) < pages_size_locked(vault) + SPACE_LEAST) {
		space_look(vault);
		want_commit(vault->committer);
		return -ENOSPC;
	}
	*ret_held = TAKE(held);
	return 0;
}

/* Before anything of a commit is written: will all of it find room? Journal parts of an attempt that failed half-way would
 * only take away more. Kept with packs_reserve() till *ret_reserved is given back. */
static int find_room_locked(struct vault *vault, uint64_t *ret_reserved)
{
	struct committer *c = vault->committer;
	uint64_t journal = journal_memory_locked(c->journal) + (1u << 20);
	uint64_t pages = pages_size_locked(vault);
	int r = packs_reserve(vault->packs, journal);

	if (space_is_short(r) && space_give_up_reserve(vault))
		r = packs_reserve(vault->packs, journal);
	if (r < 0)
		return r;
	if (space_available(vault) < pages && (!space_give_up_reserve(vault) || space_available(vault) < pages))
		r = -ENOSPC;
	if (r < 0)
		packs_unreserve(vault->packs, journal);
	else
		*ret_reserved = journal;
	return r;
}

static int append_where_room_is_locked(struct vault *vault, struct commit_state *ret)
{
	uint64_t reserved = 0;
	int r = find_room_locked(vault, &reserved);

	if (r < 0) {
		vault->scarce = true;
		return space_is_short(r) ? log_err(r, "%s: the disk below is full: nothing of commit %" PRIu64 " was written; it is tried "
					      "again when there is room", vault->path, vault->state.commit + 1) : r;
	}
	packs_unreserve(vault->packs, reserved);	/* nobody else appends much before we do: the gate is closed */
	return append_commit_locked(vault, ret);
}

int commit_write_locked(struct vault *vault)
{
	struct committer *c = vault->committer;
	struct commit_state state;
	struct place end = packs_end(vault->packs);
	int r = live_flush_locked(vault);

	if (r == 0)
		r = changes_flush_locked(vault);
	if (r < 0)
		return r;
	if (journal_is_empty_locked(c->journal) && end.pack == vault->state.end.pack &&
	    end.offset == vault->state.end.offset) {
		/* Nothing that the packs must know: derived tables only, or nothing at all. */
		state = vault->state;
		return finish_locked(vault, &state);
	}
	KILL_POINT(commit);
	r = append_where_room_is_locked(vault, &state);
	if (r < 0)
		return r;

	/* Reads go on while the disk works. */
	c->sealed = true;
	(void)pthread_mutex_unlock(&vault->db.lock);
	r = packs_sync(vault->packs);
	(void)pthread_mutex_lock(&vault->db.lock);
	c->sealed = false;
	(void)pthread_cond_broadcast(&c->unsealed);
	if (r < 0) {
		commit_fail(vault);
		return log_err(-EIO, "%s: a flush of the packs failed: nothing after commit %" PRIu64 " is sure to be kept; read-only "
			       "until opened again", vault->path, vault->state.commit);
	}
	return finish_locked(vault, &state);
}

/* Drain and flush while changes still go on, so that little is left for the time when the gate is closed. */
void commit_prepare(struct vault *vault)
{
	if (vault->scarce || (file_undrained(vault) < ROUND_SIZE && packs_unsynced(vault->packs) < ROUND_SIZE))
		return;
	/* Once: beside a fast writer every further round would take as long again. Errors are met again behind the gate. */
	if (file_drain_all(vault) == 0)
		(void)packs_sync(vault->packs);
}

/* Finish a checkpoint that readers or the open transaction kept from catching up, so that the log starts anew. */
static void checkpoint_long_log(struct vault *vault)
{
	if (commit_wal_size(vault) > WAL_LONG)
		(void)sqlite3_wal_checkpoint_v2(vault->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);	/* tried again */
}

/* Drain all, and take the metadata lock for the commit. A handle may end behind the gate, and a chunk that was stored
 * must not be committed before an extent names it: look again with the lock, which storing needs too. */
static int drain_and_lock(struct vault *vault, pthread_mutex_t **ret_held)
{
	for (;;) {
		AUTO(unlock) pthread_mutex_t *held = NULL;
		int r = file_drain_all(vault);

		if (r == 0)
			r = commit_lock(vault, &held);
		if (r < 0)
			return r;
		if (file_undrained(vault) == 0) {
			*ret_held = TAKE(held);
			return 0;
		}
	}
}

/* SQLite forbids all changes for the rest of a transaction in which a page could not be read, and does not say so: what is
 * in it can neither be journalled nor committed. */
static void look_for_standstill_locked(struct vault *vault)
{
	if (vault->read_only || db_exec(&vault->db, "UPDATE settings SET value = value WHERE 0") != -EBADMSG)
		return;
	commit_fail(vault);
	(void)log_err(-EIO, "%s: vault.db cannot be read: changes since commit %" PRIu64 " are lost, the vault is read-only until it "
		      "is opened again; should that fail, run 'vaultfs rebuild'", vault->path, vault->state.commit);
}

int commit_behind_gate(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r;

	if (vault->read_only)
		return -EIO;
	r = drain_and_lock(vault, &held);
	if (r == 0)
		r = commit_write_locked(vault);
	if (r == -EBADMSG) {
		if (!held)
			held = lock_mutex(&vault->db.lock);
		look_for_standstill_locked(vault);
	}
	if (r == 0)
		checkpoint_long_log(vault);
	return r;
}
