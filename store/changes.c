/* changes.c - what of the library changed. See changes.h. */
#include "changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "search.h"

#define RING_SIZE 4096u		/* ids that are remembered; a power of two */
#define PENDING_MAX (1u << 20)	/* ids gathered for a commit; more, and everything is queued */

enum {
	Q_SEARCH_PUT,
	Q_JOB_PUT,
	Q_JOB_PUT_STALE,
	Q_SEARCH_ALL,
	Q_JOBS_STALE,
};

/* Jobs for files that changed after they were looked at, or never were; ctime, since mtime is what people say. */
#define JOBS_OF_STALE                                                                                      \
	"INSERT INTO jobs (kind, inode_id, state, queued) SELECT 'index', i.id, 'waiting', ?1 FROM inodes i " \
	"LEFT JOIN content c ON c.inode_id = i.id WHERE i.mode & 61440 = 32768 AND i.nlink > 0 "              \
	"AND (c.inode_id IS NULL OR c.indexed_at < i.ctime OR (c.sha256 IS NULL AND c.error IS NULL)) "       \
	"AND NOT EXISTS (SELECT 1 FROM derived d WHERE d.derived_id = i.id)"
#define JOBS_CONFLICT " ON CONFLICT (kind, inode_id) WHERE kind <> 'paths' DO NOTHING"

static const char *const sql[] = {
	[Q_SEARCH_PUT] = "INSERT INTO search_queue (inode_id, queued) VALUES (?1, ?2) "
			 "ON CONFLICT (inode_id) DO UPDATE SET queued = excluded.queued",
	/* A job that is being done is begun anew: its findings are of bytes that are gone. */
	[Q_JOB_PUT] = "INSERT INTO jobs (kind, inode_id, state, queued) VALUES ('index', ?1, 'waiting', ?2) "
		      "ON CONFLICT (kind, inode_id) WHERE kind <> 'paths' DO UPDATE "
		      "SET state = 'waiting', progress = 0, attempts = 0, error = NULL, queued = excluded.queued",
	[Q_JOB_PUT_STALE] = JOBS_OF_STALE " AND i.id = ?2" JOBS_CONFLICT,
	[Q_SEARCH_ALL] = "INSERT INTO search_queue (inode_id, queued) SELECT id, ?1 FROM inodes WHERE true "
			 "ON CONFLICT (inode_id) DO UPDATE SET queued = excluded.queued",
	[Q_JOBS_STALE] = JOBS_OF_STALE JOBS_CONFLICT,
};

const struct query_set changes_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

/* Ids, each once: open addressing, 0 = free place. */
struct id_set {
	uint64_t *places;
	size_t n_places, n;	/* n_places a power of two, or 0 */
};

struct changes {
	_Atomic uint64_t rules;		/* generation of the rules */

	pthread_mutex_t lock;		/* a leaf; guards all below */
	uint64_t generation;		/* changes so far, from 1 */
	uint64_t all_generation;	/* the last one that touched everything */
	uint64_t ring[RING_SIZE];	/* ring[g % RING_SIZE]: whose change was generation g */
	struct id_set search, content;	/* gathered for the next commit */
	size_t n_search_flushed, n_content_flushed;	/* when they were written into the open transaction */
	bool overflow;			/* more was gathered than fits */
};

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_changes, which);
}

/* ---- sets ---- */

static uint64_t *place_of(const struct id_set *set, uint64_t id)
{
	size_t at = (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (set->n_places - 1);

	while (set->places[at] != 0 && set->places[at] != id)
		at = (at + 1) & (set->n_places - 1);
	return &set->places[at];
}

static bool set_grow(struct id_set *set)
{
	struct id_set bigger = { .n_places = set->n_places ? 2 * set->n_places : 1024, .n = set->n };

	bigger.places = calloc(bigger.n_places, sizeof(*bigger.places));
	if (!bigger.places)
		return false;
	for (size_t i = 0; i < set->n_places; i++)
		if (set->places[i] != 0)
			*place_of(&bigger, set->places[i]) = set->places[i];
	free(set->places);
	*set = bigger;
	return true;
}

/* False: it did not fit. */
static bool set_add(struct id_set *set, uint64_t id)
{
	uint64_t *place;

	if (2 * set->n >= set->n_places && (set->n >= PENDING_MAX || !set_grow(set)))
		return false;
	place = place_of(set, id);
	set->n += *place == 0;
	*place = id;
	return true;
}

static void set_clear(struct id_set *set)
{
	free(set->places);
	*set = (struct id_set){ .places = NULL };
}

/* ---- gathering ---- */

static void touch(struct changes *c, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&c->lock);

	c->ring[++c->generation % RING_SIZE] = id;
	if (!set_add(&c->search, id))
		c->overflow = true;
	(void)held;
}

/* A tag was renamed perhaps: search.db looks at all of its files, which stand in its queue as one row, the tag's id negated. */
static void touch_tag(struct changes *c, int64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&c->lock);

	(void)held;
	if (!set_add(&c->search, (uint64_t)-id))
		c->overflow = true;
}

/* Called by SQLite for each row of a table with a rowid, which in the first three is the inode's id. */
static void on_update(void *context, int operation, const char *database, const char *table, sqlite3_int64 rowid)
{
	struct vault *vault = context;

	(void)database;
	if (operation == SQLITE_UPDATE && strcmp(table, "tags") == 0)
		touch_tag(vault->changes, rowid);
	if (strcmp(table, "inodes") == 0 || strcmp(table, "content") == 0 || strcmp(table, "assets") == 0)
		touch(vault->changes, (uint64_t)rowid);
}

void changes_attach_locked(struct vault *vault)
{
	(void)sqlite3_update_hook(vault->db.handle, on_update, vault);	/* gives back the hook before: none */
}

void changes_touch_all_locked(struct vault *vault, bool rules)
{
	struct changes *c = vault->changes;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&c->lock);

	c->all_generation = ++c->generation;
	c->ring[c->generation % RING_SIZE] = 0;
	if (rules)
		atomic_fetch_add_explicit(&c->rules, 1, memory_order_release);	/* the rows it tells of are under the metadata lock */
	(void)held;
}

void changes_content(struct vault *vault, uint64_t id)
{
	struct changes *c = vault->changes;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&c->lock);

	if (!set_add(&c->content, id))
		c->overflow = true;
	(void)held;
}

uint64_t changes_rules_generation(const struct vault *vault)
{
	return atomic_load_explicit(&vault->changes->rules, memory_order_acquire);	/* pairs with the addition */
}

/* ---- asking ---- */

uint64_t vault_generation(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->changes->lock);

	return vault->changes->generation;
}

int vault_changes_since(struct vault *vault, uint64_t *generation, uint64_t *ret_ids, size_t n)
{
	struct changes *c = vault->changes;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&c->lock);
	uint64_t since = *generation;
	size_t n_ids = 0;

	if (since > c->generation)
		return -EINVAL;
	if (since < c->all_generation || c->generation - since > RING_SIZE) {
		*generation = c->generation;
		return -EOVERFLOW;
	}
	for (uint64_t g = since + 1; g <= c->generation; g++) {
		uint64_t id = c->ring[g % RING_SIZE];
		bool known = n_ids > 0 && ret_ids[n_ids - 1] == id;

		if (!known && n_ids == n) {
			*generation = c->generation;
			return -EOVERFLOW;
		}
		if (!known)
			ret_ids[n_ids++] = id;
	}
	*generation = c->generation;
	(void)held;
	return (int)n_ids;
}

/* ---- into the tables ---- */

static int put_all(struct vault *vault, const struct id_set *set, int which)
{
	const int id = which == Q_JOB_PUT_STALE ? 2 : 1;
	AUTO(query) sqlite3_stmt *put = query(vault, which);
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->n_places; i++) {
		if (set->places[i] == 0)
			continue;
		bind_u64(put, id, set->places[i]);
		bind_u64(put, 3 - id, vault->state.commit + 1);
		r = db_run(&vault->db, put);
		(void)sqlite3_reset(put);	/* repeats the error */
	}
	return r;
}

static int run_for_commit(struct vault *vault, int which)
{
	AUTO(query) sqlite3_stmt *all = query(vault, which);

	bind_u64(all, 1, vault->state.commit + 1);
	return db_run(&vault->db, all);
}

int changes_queue_stale_locked(struct vault *vault)
{
	return run_for_commit(vault, Q_JOBS_STALE);
}

/* More changed than was remembered: all inodes into search_queue, and jobs for files that nobody has looked at. */
static int queue_all_locked(struct vault *vault)
{
	int r = run_for_commit(vault, Q_SEARCH_ALL);

	return r < 0 ? r : changes_queue_stale_locked(vault);
}

/* The hook adds nothing meanwhile: it tells of none of these tables. changes_content() may come at any time. */
static int flush(struct vault *vault, bool replayed)
{
	struct changes *c = vault->changes;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&c->lock);
	int r = c->overflow ? queue_all_locked(vault) : 0;

	if (r == 0)
		r = put_all(vault, &c->search, Q_SEARCH_PUT);
	if (r == 0)
		r = replayed ? put_all(vault, &c->search, Q_JOB_PUT_STALE) : put_all(vault, &c->content, Q_JOB_PUT);
	c->n_search_flushed = c->search.n;
	if (!replayed)
		c->n_content_flushed = c->content.n;
	return r;
}

int changes_flush_locked(struct vault *vault)
{
	return flush(vault, false);
}

int changes_flush_replayed_locked(struct vault *vault)
{
	return flush(vault, true);
}

/* What came behind the flush stays, and with it the rest: to queue it twice does no harm. */
void changes_flushed_locked(struct vault *vault)
{
	struct changes *c = vault->changes;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&c->lock);

	if (c->n_search_flushed > 0 || c->overflow)
		search_wake(vault);
	if (c->search.n == c->n_search_flushed)
		set_clear(&c->search);
	if (c->content.n == c->n_content_flushed)
		set_clear(&c->content);
	c->overflow = false;
	(void)held;
}

int changes_new(struct vault *vault, struct changes **ret)
{
	struct changes *c = calloc(1, sizeof(*c));

	if (!c)
		return log_err(-ENOMEM, "%s: no memory to open it", vault->path);
	(void)pthread_mutex_init(&c->lock, NULL);	/* fails only with attributes */
	c->generation = c->all_generation = 1;
	*ret = c;
	return 0;
}

void changes_free(struct changes *changes)
{
	if (!changes)
		return;
	set_clear(&changes->search);
	set_clear(&changes->content);
	(void)pthread_mutex_destroy(&changes->lock);
	free(changes);
}
