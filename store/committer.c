/* committer.c - who makes commits, and when: whoever asks while none runs, and a thread for time and volume. See commit.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "background.h"
#include "blocking.h"
#include "commit_internal.h"

#define SECOND_NS 1000000000ll

/* Make a commit; c->running is this thread's. */
static void commit_once(struct committer *c)
{
	struct waiter *waiters;
	int r;

	commit_prepare(c->vault);
	gate_close(c, &waiters);
	r = commit_behind_gate(c->vault);
	c->failure = r;
	gate_open(c, r == 0);
	c->last_ns = clock_monotonic_ns();
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

int vault_sync(struct vault *vault)
{
	return blocking_ask(vault, vault_sync_then);
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
	struct timespec limit = timespec_of(c->wanted && c->retry_ns < until ? c->retry_ns : until);

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
		int64_t now = clock_monotonic_ns();
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

/* SQLite rolls a whole transaction back by itself where a call on its files fails in the middle of it. From this moment on
 * readers see what was before. */
static void on_rollback(void *context)
{
	struct committer *c = context;

	if (!c->transaction || c->vault->read_only)
		return;
	commit_fail(c->vault);
	c->vault->changes_lost = true;
	(void)log_err(-EROFS, "%s: the database gave up its transaction: changes since commit %" PRIu64 " are lost, the vault is "
		      "read-only until it is opened again", c->vault->path, c->vault->state.commit);
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
	(void)sqlite3_wal_hook(vault->db.handle, on_wal, c);	/* both return the hook that was there before */
	(void)sqlite3_rollback_hook(vault->db.handle, on_rollback, c);
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
	(void)sqlite3_rollback_hook(c->vault->db.handle, NULL, NULL);	/* closing may roll back */
	journal_free(c->journal);
	(void)pthread_cond_destroy(&c->wake);
	(void)pthread_cond_destroy(&c->opened);
	(void)pthread_cond_destroy(&c->idle);
	(void)pthread_cond_destroy(&c->unsealed);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}
