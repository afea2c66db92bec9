/* background.c - the checkpointer and the janitor. See background.h.
 *
 * Both sleep until a commit was made, and then work in small steps, each a change of its own, so that requests come
 * between them. */
#include "background.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "commit.h"
#include "directories.h"
#include "file.h"
#include "gc.h"
#include "kill_point.h"
#include "manifest.h"
#include "picture.h"
#include "space.h"

#define SECOND_NS 1000000000ll
#ifdef VAULTFS_KILL_POINTS		/* both early, so that a short test meets them */
#define CHECKPOINT_SIZE (256ull << 10)
#define PICTURE_LEAST (128ull << 10)
#else
#define CHECKPOINT_SIZE (16ull << 20)	/* bytes of write-ahead log that are worth a checkpoint at once */
#define PICTURE_LEAST (4ull << 20)	/* bytes of changesets below which no picture is written for their sake */
#endif
#define CHECKPOINT_IDLE_NS (2 * SECOND_NS)	/* without a commit: then any log is */
#define NAP_MS 200			/* at least so long between looks */
#define LOOK_AGAIN_MS 5000		/* between looks while nothing is committed: a log may be idle, a file to re-chunk */

struct background {
	struct vault *vault;
	struct db checkpoints;		/* the checkpointer's connection; its lock serialises checkpoints */
	pthread_t checkpointer, janitor;
	bool started[2];

	pthread_mutex_t lock;		/* a leaf; guards what follows */
	pthread_cond_t wake;
	_Atomic uint64_t n_commits;	/* counts background_wake(): each thread compares with what it has seen */
	_Atomic unsigned n_asleep;	/* threads that want to be woken */
	_Atomic bool stopping;
};

static struct timespec in_ms(int64_t ms)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);	/* cannot fail for this clock */
	until.tv_nsec += (ms % 1000) * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / SECOND_NS;
	until.tv_nsec %= SECOND_NS;
	return until;
}

/* Sleep until there was another commit than `seen`, or for LOOK_AGAIN_MS. False on stopping. First a nap in which nobody
 * wakes us: where one commit follows another, each would only be disturbed. */
static bool sleep_until_commit(struct background *b, uint64_t *seen)
{
	struct timespec until = in_ms(NAP_MS);
	bool on;

	(void)pthread_mutex_lock(&b->lock);
	while (!b->stopping && pthread_cond_clockwait(&b->wake, &b->lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
		;
	until = in_ms(LOOK_AGAIN_MS);
	b->n_asleep++;
	while (!b->stopping && b->n_commits == *seen)
		if (pthread_cond_clockwait(&b->wake, &b->lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT)
			break;
	b->n_asleep--;
	*seen = b->n_commits;
	on = !b->stopping;
	(void)pthread_mutex_unlock(&b->lock);
	return on;
}

void background_wake(struct vault *vault)
{
	struct background *b = vault->background;

	if (!b)
		return;
	b->n_commits++;
	if (b->n_asleep == 0)
		return;
	(void)pthread_mutex_lock(&b->lock);
	(void)pthread_cond_broadcast(&b->wake);
	(void)pthread_mutex_unlock(&b->lock);
}

/* ---- checkpoints ---- */

int background_checkpoint(struct vault *vault)
{
	struct background *b = vault->background;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&b->checkpoints.lock);
	int in_log = 0, moved = 0;
	int code;

	KILL_POINT(checkpoint);
	code = sqlite3_wal_checkpoint_v2(b->checkpoints.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
	KILL_POINT(checkpointed);
	if (code == SQLITE_BUSY)
		return 0;
	if (code != SQLITE_OK)
		return db_errno(&b->checkpoints, code, "checkpoint");
	return moved >= in_log;
}

static void *checkpoint_thread(void *context)
{
	struct background *b = context;
	struct vault *vault = b->vault;
	uint64_t seen = 0;
	uint64_t moved = 0;		/* bytes of the log when it was last moved: it is longer now, or began anew */

	do {
		uint64_t size = commit_wal_size(vault);
		uint64_t grown = size >= moved ? size - moved : size;

		if (grown == 0 || (grown < CHECKPOINT_SIZE && clock_monotonic_ns() - commit_last_ns(vault) < CHECKPOINT_IDLE_NS))
			continue;
		if (background_checkpoint(vault) > 0 || grown >= CHECKPOINT_SIZE)
			moved = size;
	} while (sleep_until_commit(b, &seen));
	return NULL;
}

/* ---- the janitor ---- */

/* Steps of a job that says 1 while there is more, as changes of their own. */
static int run_job(struct background *b, int (*step)(struct vault *vault))
{
	int r = 1;

	while (r > 0 && !b->stopping) {
		r = commit_enter(b->vault);
		if (r < 0)
			return r;
		r = step(b->vault);
		commit_leave(b->vault);
	}
	return r;
}

/* A picture is due when the changesets have outgrown it, or when it would free packs worth more than writing it. */
static bool picture_is_due(struct vault *vault, const struct gc_outlook *outlook)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	uint64_t least = vault->picture_size > PICTURE_LEAST ? vault->picture_size : PICTURE_LEAST;

	if (vault->state.commit == vault->state.picture_commit)
		return false;
	return vault->state.journal_bytes > least || outlook->held_bytes > least;
}

static int tidy(struct background *b)
{
	struct vault *vault = b->vault;
	struct gc_outlook outlook;
	int r = run_job(b, manifest_drop_slice);

	if (r == 0)
		r = run_job(b, directories_job_step);
	if (r == 0)
		r = gc_look(vault, &outlook);
	if (r == 0 && picture_is_due(vault, &outlook)) {
		r = picture_write(vault, &b->stopping);
		if (r == 0)
			r = vault_sync(vault);
		if (r == 0)
			r = gc_look(vault, &outlook);
	}
	if (r == 0 && outlook.n_ready > 0)
		r = gc_step(vault);
	if (!b->stopping)
		space_renew_reserve(vault);
	while (r >= 0 && !b->stopping && (r = file_rechunk_step(vault)) > 0)
		;
	return r;
}

static void *janitor_thread(void *context)
{
	struct background *b = context;
	uint64_t seen = 0;

	do {
		int r = b->vault->read_only ? 0 : tidy(b);

		if (r < 0 && r != -EROFS && r != -EINTR)
			log_debug("%s: tidying up stopped with error %d; it goes on after the next commit", b->vault->path, -r);
	} while (sleep_until_commit(b, &seen));
	return NULL;
}

/* ---- both ---- */

int background_start(struct vault *vault)
{
	struct background *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return log_err(-ENOMEM, "%s: no memory to open it", vault->path);
	b->vault = vault;
	(void)pthread_mutex_init(&b->lock, NULL);	/* fails only with attributes, as the next */
	(void)pthread_cond_init(&b->wake, NULL);
	r = db_open_in(&b->checkpoints, vault->dir_fd, vault->db.path, DB_OPEN_BARE);
	vault->background = b;	/* on failure release frees what there is */
	if (r < 0)
		return r;
	r = -pthread_create(&b->checkpointer, NULL, checkpoint_thread, b);
	b->started[0] = r == 0;
	if (r == 0) {
		r = -pthread_create(&b->janitor, NULL, janitor_thread, b);
		b->started[1] = r == 0;
	}
	return r < 0 ? log_err(r, "%s: cannot start its threads: ", vault->path) : 0;
}

void background_stop(struct background *b)
{
	if (!b)
		return;
	(void)pthread_mutex_lock(&b->lock);
	b->stopping = true;
	(void)pthread_cond_broadcast(&b->wake);
	(void)pthread_mutex_unlock(&b->lock);
	if (b->started[0])
		(void)pthread_join(b->checkpointer, NULL);
	if (b->started[1])
		(void)pthread_join(b->janitor, NULL);
	b->started[0] = b->started[1] = false;
}

void background_free(struct background *b)
{
	if (!b)
		return;
	background_stop(b);
	db_close(&b->checkpoints);
	(void)pthread_cond_destroy(&b->wake);
	(void)pthread_mutex_destroy(&b->lock);
	free(b);
}
