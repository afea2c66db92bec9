/* commit.c - the gate and the committer. See commit.h. */
#include "commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "background.h"
#include "codec.h"
#include "commit_record.h"
#include "file.h"
#include "journal.h"
#include "live.h"
#include "recover.h"
#include "schema.h"
#include "space.h"
#include "state.h"

#define SECOND_NS 1000000000ll
#define ROUND_SIZE (8u << 20)		/* bytes left undrained or unsynced at which the gate may close */
#define N_ROUNDS 3
#define ROWS_MAX 100000			/* changed in one commit */
#define ROWS_SCARCE 500		/* the same when the disk below is nearly full */
#define ROW_PAGES_SIZE 16384u		/* bytes of database pages that a changed row may touch, at the most */
#define SESSION_MAX (16u << 20)		/* bytes of the session's memory */
#define PAGES_MAX (64u << 20)		/* bytes of database pages in memory: what is over the cache's size is dirty */
#define PACKS_MAX (256ull << 20)	/* bytes appended in one commit */
#define WAL_LONG (48ull << 20)		/* bytes of write-ahead log at which the committer itself finishes a checkpoint */

struct waiter {
	struct waiter *next;
	void (*done)(void *context, int result);
	void *context;
};

struct committer {
	struct vault *vault;
	int64_t interval_ns;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;		/* a leaf; guards all down to the blank line */
	pthread_cond_t wake;		/* the thread has something to look at */
	pthread_cond_t opened;		/* the gate opened, or there is room */
	pthread_cond_t idle;		/* no change is active; no commit is running */
	unsigned n_active;		/* changes between begin and end */
	bool closed;			/* the gate */
	bool running;			/* somebody makes a commit */
	bool asleep;			/* the thread waits without a time limit */
	bool stopping;
	bool wanted;			/* the volume asks for a commit */
	int64_t retry_ns;		/* the last one failed: only who waits for one gets another before this */
	int64_t first_change_ns;	/* of the changes since the last gate; 0 = none. CLOCK_MONOTONIC */
	bool noted;			/* commit_noted() came while the gate was closed: for the next commit */
	struct waiter *waiters, **waiters_end;
	void (*ready)(void *context);
	void *ready_context;

	_Atomic bool refused;		/* somebody waits for ready(); set under lock, read without */
	_Atomic uint64_t wal_size;
	_Atomic int64_t last_ns;

	struct journal *journal;	/* guarded by the metadata lock, as the rest */
	bool transaction;		/* one is open */
	bool sealed;			/* its journal is written: nobody may change a row till the COMMIT */
	pthread_cond_t unsealed;
	sqlite3_int64 rows_before;	/* sqlite3_total_changes64() when it began */
	unsigned n_locks;		/* counts calls of commit_lock(), for what is looked at now and then */
};

static int64_t monotonic_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);	/* cannot fail for this clock */
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* ---- transactions ---- */

int commit_begin_locked(struct vault *vault)
{
	struct committer *c = vault->committer;
	int r;

	if (c->transaction && sqlite3_get_autocommit(vault->db.handle)) {
		commit_fail(vault);
		return log_err(-EROFS, "%s: the database gave up its transaction: changes since commit %" PRIu64 " are lost, "
			       "the vault is read-only until it is opened again", vault->path, vault->state.commit);
	}
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

/* ---- the gate ---- */

static bool has_room(struct vault *vault, size_t n_bytes)
{
	uint64_t undrained = file_undrained(vault);

	/* A vault that became read-only drains no more: whoever waits is to hear of it. */
	return n_bytes == 0 || undrained == 0 || undrained + n_bytes <= COMMIT_UNDRAINED_MAX || vault->read_only;
}

static int enter_locked(struct committer *c, size_t n_bytes)
{
	if (c->closed || !has_room(c->vault, n_bytes)) {
		c->refused = true;
		/* The workers make room only of what was handed to them: the rest is drained by a commit. */
		if (!c->closed && !c->wanted && file_buffered(c->vault) > COMMIT_UNDRAINED_MAX / 2) {
			c->wanted = true;
			(void)pthread_cond_signal(&c->wake);
		}
		/* Room may have come between the look and the mark; then nobody would tell. */
		if (c->closed || !has_room(c->vault, n_bytes))
			return 0;
	}
	c->n_active++;
	return 1;
}

int vault_change_try(struct vault *vault, size_t n_bytes)
{
	struct committer *c = vault->committer;
	int admitted;

	(void)pthread_mutex_lock(&c->lock);
	admitted = enter_locked(c, n_bytes);
	(void)pthread_mutex_unlock(&c->lock);
	return admitted;
}

void vault_change_begin(struct vault *vault, size_t n_bytes)
{
	struct committer *c = vault->committer;

	(void)pthread_mutex_lock(&c->lock);
	while (!enter_locked(c, n_bytes))
		(void)pthread_cond_wait(&c->opened, &c->lock);
	(void)pthread_mutex_unlock(&c->lock);
}

static void note_change_locked(struct committer *c)
{
	if (c->first_change_ns != 0)
		return;
	c->first_change_ns = monotonic_ns();
	if (c->asleep)
		(void)pthread_cond_signal(&c->wake);
}

void commit_noted(struct vault *vault)
{
	struct committer *c = vault->committer;

	(void)pthread_mutex_lock(&c->lock);
	c->noted |= c->closed;
	note_change_locked(c);
	(void)pthread_mutex_unlock(&c->lock);
}

void vault_change_end(struct vault *vault)
{
	struct committer *c = vault->committer;

	(void)pthread_mutex_lock(&c->lock);
	note_change_locked(c);
	if (--c->n_active == 0 && c->closed)
		(void)pthread_cond_broadcast(&c->idle);
	(void)pthread_mutex_unlock(&c->lock);
}

int commit_enter(struct vault *vault)
{
	if (vault->read_only)
		return -EROFS;
	vault_change_begin(vault, 0);
	return 0;
}

void commit_leave(struct vault *vault)
{
	vault_change_end(vault);
}

void vault_on_ready(struct vault *vault, void (*ready)(void *context), void *context)
{
	struct committer *c = vault->committer;

	(void)pthread_mutex_lock(&c->lock);
	c->ready = ready;
	c->ready_context = context;
	(void)pthread_mutex_unlock(&c->lock);
}

static void tell_ready(struct committer *c)
{
	void (*ready)(void *context);
	void *context;

	if (!atomic_exchange(&c->refused, false))
		return;
	(void)pthread_mutex_lock(&c->lock);
	ready = c->ready;
	context = c->ready_context;
	(void)pthread_cond_broadcast(&c->opened);
	(void)pthread_mutex_unlock(&c->lock);
	if (ready)
		ready(context);
}

void commit_room(struct vault *vault)
{
	if (vault->committer->refused && file_undrained(vault) < COMMIT_UNDRAINED_MAX)
		tell_ready(vault->committer);
}

static void close_gate(struct committer *c, struct waiter **ret_waiters)
{
	(void)pthread_mutex_lock(&c->lock);
	c->closed = true;
	while (c->n_active > 0)
		(void)pthread_cond_wait(&c->idle, &c->lock);
	/* Who asked before this moment is served by it. */
	*ret_waiters = c->waiters;
	c->waiters = NULL;
	c->waiters_end = &c->waiters;
	c->wanted = false;
	(void)pthread_mutex_unlock(&c->lock);
}

static void open_gate(struct committer *c, bool committed)
{
	(void)pthread_mutex_lock(&c->lock);
	c->closed = false;
	if (committed && !c->noted)
		c->first_change_ns = 0;
	else if (c->first_change_ns != 0)
		c->first_change_ns = monotonic_ns();	/* try again an interval later */
	c->retry_ns = committed ? 0 : monotonic_ns() + SECOND_NS;
	c->noted = false;
	(void)pthread_cond_broadcast(&c->opened);
	(void)pthread_mutex_unlock(&c->lock);
	tell_ready(c);
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

	if (r < 0)
		return r;
	fields.next_id = old->next_id;
	fields.next_chunk_id = old->next_chunk_id;
	fields.journal_bytes = old->journal_bytes + fields.journal_size;
	commit_record_encode(&fields, bytes);
	r = packs_append(vault->packs, &record, bytes, &place, &checksum);
	if (r < 0)
		return r;
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
	int r = db_commit(&vault->db);

	journal_end_locked(c->journal);
	c->transaction = false;
	if (r == 0) {
		vault->state = *state;
		return 0;
	}
	db_rollback(&vault->db);	/* what counts stands in the packs */
	if (r == -ENOSPC) {
		(void)space_give_up_reserve(vault);	/* if there is one */
		(void)sqlite3_wal_checkpoint_v2(vault->db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);	/* as far as it goes */
	}
	r = recover_replay_locked(vault);
	if (r < 0) {
		commit_fail(vault);
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

	if (r == -ENOSPC && space_give_up_reserve(vault))
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
		return r == -ENOSPC ? log_err(r, "%s: the disk below is full: nothing of commit %" PRIu64 " was written; it is tried "
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

	if (r < 0)
		return r;
	if (journal_is_empty_locked(c->journal) && end.pack == vault->state.end.pack &&
	    end.offset == vault->state.end.offset) {
		/* Nothing that the packs must know: derived tables only, or nothing at all. */
		state = vault->state;
		return finish_locked(vault, &state);
	}
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
static void prepare_commit(struct vault *vault)
{
	for (int i = 0; i < N_ROUNDS && !vault->scarce; i++) {
		if (file_undrained(vault) < ROUND_SIZE && packs_unsynced(vault->packs) < ROUND_SIZE)
			return;
		if (file_drain_all(vault) < 0 || packs_sync(vault->packs) < 0)
			return;		/* met again, and reported, behind the gate */
	}
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

static int commit_behind_gate(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r;

	if (vault->read_only)
		return -EIO;
	r = drain_and_lock(vault, &held);
	if (r == 0)
		r = commit_write_locked(vault);
	if (r == 0)
		checkpoint_long_log(vault);
	return r;
}

/* Make a commit; c->running is this thread's. */
static void commit_once(struct committer *c)
{
	struct waiter *waiters;
	int r;

	prepare_commit(c->vault);
	close_gate(c, &waiters);
	r = commit_behind_gate(c->vault);
	open_gate(c, r == 0);
	c->last_ns = monotonic_ns();
	while (waiters) {
		struct waiter *next = waiters->next;

		waiters->done(waiters->context, r);
		free(waiters);
		waiters = next;
	}
	background_wake(c->vault);
}

/* c->lock is held and c->running false. One commit; if more was asked for meanwhile the thread goes on. */
static void run_locked(struct committer *c)
{
	c->running = true;
	(void)pthread_mutex_unlock(&c->lock);
	commit_once(c);
	(void)pthread_mutex_lock(&c->lock);
	c->running = false;
	(void)pthread_cond_broadcast(&c->idle);
	if (c->waiters || c->wanted)
		(void)pthread_cond_signal(&c->wake);
}

void vault_sync_then(struct vault *vault, void (*done)(void *context, int result), void *context)
{
	struct committer *c = vault->committer;
	struct waiter *waiter = NULL;
	int r = 0;

	(void)pthread_mutex_lock(&c->lock);
	if (vault->read_only) {
		r = c->started ? -EIO : 0;	/* a read-only vault has nothing to make durable; one that failed has */
	} else if (c->running || c->first_change_ns != 0 || c->n_active > 0) {
		waiter = malloc(sizeof(*waiter));
		if (!waiter)
			r = log_err(-ENOMEM, "%s: no memory to wait for a commit", vault->path);
	}
	if (!waiter) {
		(void)pthread_mutex_unlock(&c->lock);
		done(context, r);
		return;
	}
	*waiter = (struct waiter){ .done = done, .context = context };
	*c->waiters_end = waiter;
	c->waiters_end = &waiter->next;
	if (!c->running)
		run_locked(c);
	(void)pthread_mutex_unlock(&c->lock);
}

struct blocking {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	int result;
};

static void blocking_done(void *context, int result)
{
	struct blocking *b = context;

	(void)pthread_mutex_lock(&b->lock);
	b->done = true;
	b->result = result;
	(void)pthread_cond_signal(&b->changed);
	(void)pthread_mutex_unlock(&b->lock);
}

int vault_sync(struct vault *vault)
{
	struct blocking b = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

	vault_sync_then(vault, blocking_done, &b);
	(void)pthread_mutex_lock(&b.lock);
	while (!b.done)
		(void)pthread_cond_wait(&b.changed, &b.lock);
	(void)pthread_mutex_unlock(&b.lock);
	(void)pthread_cond_destroy(&b.changed);
	(void)pthread_mutex_destroy(&b.lock);
	return b.result;
}

/* ---- the thread ---- */

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS };
}

/* Wait until there may be something to do. With changes: till they are due. Without: an interval, so that a first change
 * right after a commit need not wake us; then without a limit. */
static void wait_locked(struct committer *c, int64_t now)
{
	int64_t until = (c->first_change_ns ? c->first_change_ns : now) + c->interval_ns;
	struct timespec limit = timespec_of(until);

	if (pthread_cond_timedwait(&c->wake, &c->lock, &limit) != ETIMEDOUT || c->first_change_ns != 0)
		return;
	c->asleep = true;
	while (!c->stopping && !c->wanted && !c->waiters && c->first_change_ns == 0)
		(void)pthread_cond_wait(&c->wake, &c->lock);
	c->asleep = false;
}

static void *commit_thread(void *context)
{
	struct committer *c = context;

	(void)pthread_mutex_lock(&c->lock);
	while (!c->stopping) {
		int64_t now = monotonic_ns();
		bool due = c->first_change_ns != 0 && now - c->first_change_ns >= c->interval_ns;

		if (c->running)
			(void)pthread_cond_wait(&c->idle, &c->lock);	/* it may be what is due */
		else if (c->waiters || (now >= c->retry_ns && (due || c->wanted)))
			run_locked(c);
		else
			wait_locked(c, now);
	}
	(void)pthread_mutex_unlock(&c->lock);
	return NULL;
}

static int on_wal(void *context, sqlite3 *handle, const char *name, int n_pages)
{
	struct committer *c = context;

	(void)handle;
	(void)name;
	c->wal_size = (uint64_t)n_pages * DB_PAGE_SIZE;
	return SQLITE_OK;
}

uint64_t commit_wal_size(const struct vault *vault)
{
	return vault->committer->wal_size;
}

int64_t commit_last_ns(const struct vault *vault)
{
	return vault->committer->last_ns;
}

int commit_new(struct vault *vault, unsigned commit_seconds)
{
	struct committer *c = calloc(1, sizeof(*c));
	pthread_condattr_t monotonic;

	if (!c)
		return log_err(-ENOMEM, "%s: no memory to open it", vault->path);
	c->vault = vault;
	/* A little before the promised time, since a commit takes its time too. */
	c->interval_ns = (int64_t)commit_seconds * SECOND_NS * 4 / 5;
	c->waiters_end = &c->waiters;
	(void)pthread_mutex_init(&c->lock, NULL);	/* these fail only for want of memory that glibc does not use */
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_cond_init(&c->opened, NULL);
	(void)pthread_cond_init(&c->idle, NULL);
	(void)pthread_cond_init(&c->unsealed, NULL);
	vault->committer = c;
	(void)sqlite3_wal_hook(vault->db.handle, on_wal, c);	/* returns the hook that was there before */
	return journal_new(vault, &c->journal);
}

int commit_start(struct vault *vault)
{
	struct committer *c = vault->committer;
	int r = pthread_create(&c->thread, NULL, commit_thread, c);

	if (r != 0)
		return log_err(-r, "%s: cannot start the committer: ", vault->path);
	c->started = true;
	return 0;
}

void commit_end(struct committer *c)
{
	if (!c || !c->started)
		return;
	(void)pthread_mutex_lock(&c->lock);
	c->stopping = true;
	(void)pthread_cond_broadcast(&c->wake);
	(void)pthread_cond_broadcast(&c->idle);
	while (c->running)
		(void)pthread_cond_wait(&c->idle, &c->lock);
	(void)pthread_mutex_unlock(&c->lock);
	(void)pthread_join(c->thread, NULL);
	c->started = false;
}

int commit_stop(struct vault *vault)
{
	struct committer *c = vault->committer;
	int r;

	if (!c || !c->started)
		return 0;
	r = vault->read_only ? -EIO : vault_sync(vault);
	commit_end(c);
	return r;
}

void commit_free(struct committer *c)
{
	if (!c)
		return;
	journal_free(c->journal);
	(void)pthread_cond_destroy(&c->wake);
	(void)pthread_cond_destroy(&c->opened);
	(void)pthread_cond_destroy(&c->idle);
	(void)pthread_cond_destroy(&c->unsealed);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}
