/* search_follow.c - the thread that keeps search.db up with what is committed. See search.h; why in this order: invariants.md.
 *
 * A pass goes through what has to be looked at: all inodes once after search.db was made, then table search_queue, then, once
 * after each opening, the text files whose text is not there. It does so in slices, each a transaction in search.db that
 * reads vault.db as of one commit, and then a change in vault.db that takes the slice's rows out of the queue. Between
 * slices it rests, unless somebody waits. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "commit.h"
#include "blocking.h"
#include "kill_point.h"
#include "search_internal.h"
#include "space.h"

#define SLICE_IDS 500u
#define SLICE_BYTES (4u << 20) /* of words and texts written */
#define REST_SHARE 9           /* it rests so many times as long as it works */
#define REST_MOST_NS 2000000000ll
#ifdef VAULTFS_KILL_POINTS
#define NAP_MS 5 /* so that a short test meets it */
#else
#define NAP_MS 1000 /* after a commit, in which others come */
#endif
#define BUILT ((uint64_t)INT64_MAX) /* all inodes were looked at */
#define SPACE_TO_FOLLOW \
	(2ull * SPACE_RESERVE) /* bytes free below which the disk's last room is left to the vault */

enum {
	Q_INODES,
	Q_QUEUE,
	Q_TAG_FILES,
	Q_TEXT_FILES,
	Q_DONE,
	Q_MARK_PUT,
};

/* On vault.db: the first four as it was last committed, the others in a change. Rows of search_queue are inodes; negative ones
 * are tags, with all of their files, and 0 is the mark: search.db's serial when rows were taken out last. */
static const char *const sql[] = {
	[Q_INODES] = "SELECT id FROM inodes WHERE id > ?1 ORDER BY id LIMIT ?2",
	[Q_QUEUE] = "SELECT inode_id FROM search_queue WHERE inode_id > ?1 AND inode_id <> 0 AND queued > ?3 "
		    "ORDER BY inode_id LIMIT ?2",
	[Q_TAG_FILES] =
		"SELECT inode_id FROM asset_tags WHERE tag_id = ?3 AND inode_id > ?1 ORDER BY inode_id LIMIT ?2",
	/* That were looked into in full, and could be read. */
	[Q_TEXT_FILES] = "SELECT inode_id FROM content WHERE kind = 'text' AND inode_id > ?1 "
			 "AND sha256 IS NOT NULL AND error IS NULL ORDER BY inode_id LIMIT ?2",
	[Q_DONE] = "DELETE FROM search_queue WHERE inode_id = ?1 AND queued <= ?2",
	[Q_MARK_PUT] = "INSERT INTO search_queue (inode_id, queued) VALUES (0, ?1) "
		       "ON CONFLICT (inode_id) DO UPDATE SET queued = max(queued, excluded.queued)",
};

const struct query_set search_follow_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

struct catch_up {
	void (*done)(void *context, int result);
	void *context;
	uint64_t wanted; /* the wake-up that must have been followed */
	struct catch_up *next;
};

struct follower {
	struct search *search;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* a leaf; guards what follows */
	pthread_cond_t wake;
	bool stopping;
	uint64_t n_wakes;    /* search_wake() so far, from 1 */
	uint64_t n_tried;    /* how many of them there were when the last pass began */
	uint64_t n_followed; /* how many of them search.db knows */
	struct catch_up *waiters;

	/* the thread's own */
	uint64_t
		followed_commit; /* what was queued up to this one is in search.db, also while its row waits for a commit */
	bool texts_looked_for;
	bool shortage_said;
};

/* What a slice works on. */
struct slice {
	int which;           /* query that gives ids */
	int64_t after, only; /* ?1 and ?3 of it */
	uint64_t commit;     /* what vault.db showed */
	int64_t ids[SLICE_IDS];
	size_t n_read; /* of ids */
	size_t n;      /* how many of them were worked on */
};

static struct timespec in_ns(int64_t ns)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until); /* cannot fail for this clock */
	ns += until.tv_nsec;
	until.tv_sec += ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	return until;
}

/* ---- slices ---- */

static int read_ids(struct search *search, struct slice *slice)
{
	AUTO(query) sqlite3_stmt *get = db_query(&search->reader, DB_SET_search_follow, slice->which);
	int r;

	bind_i64(get, 1, slice->after);
	bind_u64(get, 2, SLICE_IDS);
	if (sqlite3_bind_parameter_count(get) > 2)
		bind_i64(get, 3, slice->only);
	while ((r = db_step(&search->reader, get)) > 0)
		slice->ids[slice->n_read++] = sqlite3_column_int64(get, 0);
	return r;
}

/* Follow ids until there are enough words for a transaction. A tag ends the slice: its files come first. */
static int follow_ids(struct search *search, struct slice *slice)
{
	uint64_t before = search->n_bytes;
	int r = 0;

	while (r >= 0 && slice->n < slice->n_read && slice->ids[slice->n] > 0 &&
	       search->n_bytes - before < SLICE_BYTES)
		r = search_follow_one_locked(search, (uint64_t)slice->ids[slice->n++]);
	return r < 0 ? r : 0;
}

/* Nothing behind the slice is left of what its query gives. */
static bool is_last(const struct slice *slice)
{
	return slice->n == slice->n_read && slice->n_read < SLICE_IDS;
}

/* Of the slice's ids keep those of files without a text. */
static int keep_textless(struct search *search, struct slice *slice)
{
	size_t n = 0;

	for (size_t i = 0; i < slice->n_read; i++) {
		int r = search_has_text_locked(search, (uint64_t)slice->ids[i]);

		if (r < 0)
			return r;
		slice->after = slice->ids[i];
		slice->ids[n] = slice->ids[i];
		n += r == 0;
	}
	slice->n = n;
	return 0;
}

/* The part of a slice that is search.db's. */
static int work_locked(struct search *search, struct slice *slice)
{
	uint64_t built_to;
	int r = search_open_locked(search);

	if (r == 0)
		r = search_begin_locked(search, &slice->commit);
	if (r < 0)
		return r;
	built_to = search->state.built_to;
	if (slice->which == Q_INODES)
		slice->after = (int64_t)built_to;
	r = read_ids(search, slice);
	if (r == 0)
		r = slice->which == Q_TEXT_FILES ? keep_textless(search, slice) : follow_ids(search, slice);
	if (slice->which != Q_TEXT_FILES && slice->n > 0)
		slice->after = slice->ids[slice->n - 1];
	if (slice->which == Q_INODES)
		built_to = is_last(slice) ? BUILT : (uint64_t)slice->after;
	KILL_POINT(search_commit);
	if (r == 0)
		r = search_commit_locked(search, slice->commit, built_to);
	KILL_POINT(search_committed);
	search_rollback_locked(search); /* after an error */
	return r;
}

int search_forget_locked(struct vault *vault)
{
	AUTO(query) sqlite3_stmt *mark = db_query(&vault->db, DB_SET_search_follow, Q_MARK_PUT);

	bind_i64(mark, 1,
		 clock_now_ns()); /* serials begin behind a mark, and do not grow by one in a nanosecond */
	return db_run(&vault->db, mark);
}

/* Take ids out of the queue that no commit has put there again since the slice read them: such rows say a later one, or, where
 * a commit had nothing for the packs and no number, the next. */
static int take_out_locked(struct vault *vault, const struct slice *slice, uint64_t serial)
{
	AUTO(query) sqlite3_stmt *mark = db_query(&vault->db, DB_SET_search_follow, Q_MARK_PUT);
	uint64_t most = slice->commit + (vault->state.commit == slice->commit);
	int r = 0;

	for (size_t i = 0; r == 0 && i < slice->n; i++) {
		AUTO(query) sqlite3_stmt *done = db_query(&vault->db, DB_SET_search_follow, Q_DONE);

		bind_i64(done, 1, slice->ids[i]);
		bind_u64(done, 2, most);
		r = db_run(&vault->db, done);
	}
	bind_u64(mark, 1, serial);
	return r == 0 ? db_run(&vault->db, mark) : r;
}

/* What follows in vault.db from a slice that is on disk.  -EROFS the vault became read-only. */
static int conclude(struct search *search, const struct slice *slice, uint64_t serial)
{
	struct vault *vault = search->vault;
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = commit_enter(vault);

	if (r < 0)
		return r;
	if (slice->which == Q_TEXT_FILES)
		r = vault_job_queue(vault, (const uint64_t *)slice->ids, slice->n);
	else if ((r = commit_lock(vault, &held)) == 0)
		r = take_out_locked(vault, slice, serial);
	if (held)
		(void)pthread_mutex_unlock(TAKE(held));
	commit_leave(vault);
	KILL_POINT(search_concluded);
	return r < 0 ? r : 0;
}

/* The disk's last room belongs to what cannot be made anew. */
static int look_for_room(struct follower *f)
{
	if (space_available(f->search->vault) >= SPACE_TO_FOLLOW) {
		f->shortage_said = false;
		return 0;
	}
	if (!f->shortage_said)
		log_warn(
			"%s: the disk below is nearly full: searches will miss what changes until there is room",
			f->search->path);
	f->shortage_said = true;
	return -ENOSPC;
}

static int run_slice(struct follower *f, struct slice *slice)
{
	struct search *search = f->search;
	uint64_t serial = 0;
	int r = look_for_room(f);

	if (r < 0)
		return r;
	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&search->writing);

		r = work_locked(search, slice);
		serial = search->state.serial;
		if (r < 0)
			return search_give_up(search, r);
		(void)held;
	}
	return slice->n > 0 && slice->which != Q_INODES ? conclude(search, slice, serial) : 0;
}

/* ---- passes ---- */

/* Rest after work that began at `began`, unless somebody waits.  -ECANCELED the vault is being closed. */
static int rest(struct follower *f, int64_t began)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&f->lock);
	int64_t worked = clock_monotonic_ns() - began;
	struct timespec until =
		in_ns(REST_SHARE * worked < REST_MOST_NS ? REST_SHARE * worked : REST_MOST_NS);

	(void)held;
	while (!f->stopping && !f->waiters)
		if (pthread_cond_clockwait(&f->wake, &f->lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT)
			break;
	return f->stopping ? -ECANCELED : 0;
}

static int run_slices(struct follower *f, int which, int64_t only, uint64_t *ret_commit);

/* The slice stopped before the row of a tag, which was renamed: all of its files, then the row. */
static int follow_tag(struct follower *f, const struct slice *queue)
{
	struct slice tag = {
		.which = Q_QUEUE, .commit = queue->commit, .ids = { queue->ids[queue->n] }, .n = 1
	};
	uint64_t commit, serial;
	int r = run_slices(f, Q_TAG_FILES, -tag.ids[0], &commit);

	if (r < 0)
		return r;
	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&f->search->writing);

		serial = f->search->state.serial;
		(void)held;
	}
	return conclude(f->search, &tag, serial);
}

/* Slices of one query until nothing is left of it; *ret_commit is what vault.db showed the first. */
static int run_slices(struct follower *f, int which, int64_t only, uint64_t *ret_commit)
{
	struct slice *slice = malloc(sizeof(*slice));
	AUTO(free) void *guard = slice;
	int64_t after = which == Q_QUEUE ? INT64_MIN : 0;
	int r = 0;

	*ret_commit = 0;
	if (!slice)
		return log_err(-ENOMEM, "%s: no memory to follow the vault", f->search->path);
	for (bool more = true; r == 0 && more;) {
		int64_t began = clock_monotonic_ns();

		*slice = (struct slice){ .which = which, .after = after, .only = only };
		r = run_slice(f, slice);
		if (r < 0)
			return r;
		if (*ret_commit == 0)
			*ret_commit = slice->commit;
		after = slice->after;
		more = !is_last(slice);
		if (which == Q_QUEUE && slice->n < slice->n_read && slice->ids[slice->n] < 0) {
			after = slice->ids[slice->n];
			r = follow_tag(f, slice);
		}
		if (r == 0 && more)
			r = rest(f, began);
	}
	return r;
}

/* Have all inodes been looked at? Before search.db was opened nobody knows. */
static bool is_built(struct search *search)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&search->writing);

	(void)held;
	return search->db.handle && search->state.built_to == BUILT;
}

static int follow(struct follower *f)
{
	struct search *search = f->search;
	uint64_t commit = 0;
	int r = is_built(search) ? 0 : run_slices(f, Q_INODES, 0, &commit);

	if (r == 0)
		r = run_slices(f, Q_QUEUE, (int64_t)f->followed_commit, &commit);
	if (r == 0)
		f->followed_commit = commit;
	return r;
}

/* Tell those who waited for what came up to the wake-up `until`. */
static void answer(struct follower *f, uint64_t until, int result)
{
	struct catch_up *told = NULL;

	(void)pthread_mutex_lock(&f->lock);
	for (struct catch_up **at = &f->waiters; *at;) {
		struct catch_up *one = *at;

		if (one->wanted > until) {
			at = &one->next;
			continue;
		}
		*at = one->next;
		one->next = told;
		told = one;
	}
	(void)pthread_mutex_unlock(&f->lock);
	while (told) {
		struct catch_up *next = told->next;

		told->done(told->context, result);
		free(told);
		told = next;
	}
}

static void pass(struct follower *f, uint64_t n_wakes)
{
	struct search *search = f->search;
	uint64_t commit;
	int r = search->failure;

	if (r == 0 && !search->vault->read_only)
		r = follow(f);
	if (r == -EROFS) /* it became read-only: nothing changes any more */
		r = 0;
	(void)pthread_mutex_lock(&f->lock);
	if (r == 0)
		f->n_followed = n_wakes;
	(void)pthread_mutex_unlock(&f->lock);
	answer(f, r == 0 ? n_wakes : UINT64_MAX, r);
	if (r < 0 || search->vault->read_only || f->texts_looked_for)
		return;
	f->texts_looked_for = run_slices(f, Q_TEXT_FILES, 0, &commit) == 0;
}

/* Sleep until there is something to follow, and a moment longer unless somebody waits. False: the vault is being closed. */
static bool sleep_until_wanted(struct follower *f, uint64_t *ret_wakes)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&f->lock);
	struct timespec until;

	(void)held;
	while (!f->stopping && !f->waiters && f->n_wakes == f->n_tried)
		(void)pthread_cond_wait(&f->wake, &f->lock);
	until = in_ns(NAP_MS * 1000000ll);
	while (!f->stopping && !f->waiters)
		if (pthread_cond_clockwait(&f->wake, &f->lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT)
			break;
	*ret_wakes = f->n_tried = f->n_wakes;
	return !f->stopping;
}

static void *follow_thread(void *context)
{
	struct follower *f = context;
	uint64_t n_wakes;

	while (sleep_until_wanted(f, &n_wakes))
		pass(f, n_wakes);
	return NULL;
}

void search_wake(struct vault *vault)
{
	struct follower *f = vault->search ? vault->search->follower : NULL;
	AUTO(unlock) pthread_mutex_t *held = f ? lock_mutex(&f->lock) : NULL;

	(void)held;
	if (f && f->n_wakes++ == f->n_tried)
		(void)pthread_cond_signal(&f->wake);
}

/* ---- catching up ---- */

void search_catch_up_then(struct vault *vault, void (*done)(void *context, int result), void *context)
{
	struct search *search = vault->search;
	struct follower *f = search->follower;
	struct catch_up *one = NULL;
	int r = search->failure;

	(void)pthread_mutex_lock(&f->lock);
	if (r == 0 && f->stopping) {
		r = -ECANCELED;
	} else if (r == 0 && f->started && f->n_followed != f->n_wakes) {
		one = malloc(sizeof(*one));
		if (!one)
			r = log_err(-ENOMEM, "%s: no memory to wait for it", search->path);
	}
	if (one) {
		*one = (struct catch_up){
			.done = done, .context = context, .wanted = f->n_wakes, .next = f->waiters
		};
		f->waiters = one;
		(void)pthread_cond_signal(&f->wake);
	}
	(void)pthread_mutex_unlock(&f->lock);
	if (!one)
		done(context, r);
}

int search_catch_up(struct vault *vault)
{
	return blocking_ask(vault, search_catch_up_then);
}

struct synced {
	struct vault *vault;
	void (*done)(void *context, int result);
	void *context;
};

static void on_synced(void *context, int result)
{
	struct synced *synced = context;

	if (result < 0)
		synced->done(synced->context, result);
	else
		search_catch_up_then(synced->vault, synced->done, synced->context);
	free(synced);
}

void vault_search_sync_then(struct vault *vault, void (*done)(void *context, int result), void *context)
{
	struct synced *synced = malloc(sizeof(*synced));

	if (!synced) {
		done(context, log_err(-ENOMEM, "%s: no memory to wait for a commit", vault->path));
		return;
	}
	*synced = (struct synced){ .vault = vault, .done = done, .context = context };
	vault_sync_then(vault, on_synced, synced);
}

int vault_search_sync(struct vault *vault)
{
	return blocking_ask(vault, vault_search_sync_then);
}

/* ---- the whole ---- */

int follower_new(struct search *search)
{
	struct follower *f = calloc(1, sizeof(*f));

	if (!f)
		return log_err(-ENOMEM, "%s: no memory to open it", search->path);
	(void)pthread_mutex_init(&f->lock, NULL); /* fails only with attributes, as the next */
	(void)pthread_cond_init(&f->wake, NULL);
	f->search = search;
	f->n_wakes = 1;
	search->follower = f;
	return 0;
}

int search_start(struct vault *vault)
{
	struct follower *f = vault->search->follower;
	int r = pthread_create(&f->thread, NULL, follow_thread, f);

	if (r != 0)
		return log_err(-r, "%s: cannot start its threads: ", vault->path);
	f->started = true;
	return 0;
}

void search_stop(struct search *search)
{
	struct follower *f = search ? search->follower : NULL;

	if (!f)
		return;
	(void)pthread_mutex_lock(&f->lock);
	f->stopping = true;
	(void)pthread_cond_broadcast(&f->wake);
	(void)pthread_mutex_unlock(&f->lock);
	if (f->started)
		(void)pthread_join(f->thread, NULL);
	f->started = false;
	answer(f, UINT64_MAX, -ECANCELED);
}

int search_follow(struct vault *vault)
{
	return vault->search->failure ? vault->search->failure : follow(vault->search->follower);
}

void follower_free(struct follower *f)
{
	if (!f)
		return;
	(void)pthread_cond_destroy(&f->wake);
	(void)pthread_mutex_destroy(&f->lock);
	free(f);
}
