/* gate.c - what holds changes back for the moment of a commit, or while too much is undrained. See commit.h.
 *
 * The gate is no lock: a change is counted in and out, and never waits inside. Who is refused is told when it opens. */
#include <errno.h>

#include "commit_internal.h"
#include "file.h"

#define SECOND_NS 1000000000ll

static bool fits(struct vault *vault, size_t n_bytes)
{
	uint64_t undrained = file_undrained(vault);

	return n_bytes == 0 || undrained == 0 || undrained + n_bytes <= COMMIT_UNDRAINED_MAX;
}

/* A vault that became read-only, or whose commits fail, drains no more: whoever waits is to hear of it. */
static bool has_room(struct vault *vault, size_t n_bytes)
{
	return fits(vault, n_bytes) || vault->read_only || vault->committer->failure != 0;
}

/* The workers make room only of what was handed to them, and not of what they failed with: the rest is drained by a commit,
 * which also finds out whether there will be any room. */
static void want_drain_locked(struct committer *c)
{
	if (c->closed || c->wanted)
		return;
	if (!file_is_stuck(c->vault) && file_buffered(c->vault) <= COMMIT_UNDRAINED_MAX / 2)
		return;
	c->wanted = true;
	(void)pthread_cond_signal(&c->wake);
}

int commit_room_error(struct vault *vault, size_t n_bytes)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct committer *c = vault->committer;

	if (c->failure == 0 || fits(vault, n_bytes))
		return 0;
	held = lock_mutex(&c->lock);
	want_drain_locked(c);	/* there may be room by now */
	return c->failure;
}

static int enter_locked(struct committer *c, size_t n_bytes)
{
	if (c->closed || !has_room(c->vault, n_bytes)) {
		c->refused = true;
		want_drain_locked(c);
		/* Room may have come between the look and the mark; then nobody would tell. */
		if (c->closed || !has_room(c->vault, n_bytes))
			return 0;
	}
	c->n_active++;
	vault_note_activity(c->vault);
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
	c->first_change_ns = clock_monotonic_ns();
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
	struct committer *c = vault->committer;

	if (!c->refused)
		return;
	if (file_undrained(vault) < COMMIT_UNDRAINED_MAX) {
		tell_ready(c);
		return;
	}
	if (!file_is_stuck(vault))
		return;
	(void)pthread_mutex_lock(&c->lock);
	want_drain_locked(c);
	(void)pthread_mutex_unlock(&c->lock);
}

void gate_close(struct committer *c, struct waiter **ret_waiters)
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

void gate_open(struct committer *c, bool committed)
{
	(void)pthread_mutex_lock(&c->lock);
	c->closed = false;
	if (committed && !c->noted)
		c->first_change_ns = 0;
	else if (c->first_change_ns != 0)
		c->first_change_ns = clock_monotonic_ns();	/* try again an interval later */
	if (committed)
		c->wanted = false;	/* asked for by the volume of what is durable now */
	c->retry_ns = committed ? 0 : clock_monotonic_ns() + SECOND_NS;
	c->noted = false;
	(void)pthread_cond_broadcast(&c->opened);
	(void)pthread_mutex_unlock(&c->lock);
	tell_ready(c);
}
