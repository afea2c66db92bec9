/* blocking.h - wait for what a function that does not wait is asked for. */
#ifndef VAULTFS_BLOCKING_H
#define VAULTFS_BLOCKING_H

#include <pthread.h>
#include <stdbool.h>

struct vault;

struct blocking {
	pthread_mutex_t lock;	/* a leaf; guards the rest */
	pthread_cond_t changed;
	bool done;
	int result;
};

static inline void blocking_done(void *context, int result)
{
	struct blocking *b = context;

	(void)pthread_mutex_lock(&b->lock);
	b->done = true;
	b->result = result;
	(void)pthread_cond_signal(&b->changed);
	(void)pthread_mutex_unlock(&b->lock);
}

/* The result that `ask` hands to the function it is given, from whatever thread. */
static inline int blocking_ask(struct vault *vault,
			       void (*ask)(struct vault *vault, void (*done)(void *context, int result), void *context))
{
	struct blocking b = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

	ask(vault, blocking_done, &b);
	(void)pthread_mutex_lock(&b.lock);
	while (!b.done)
		(void)pthread_cond_wait(&b.changed, &b.lock);
	(void)pthread_mutex_unlock(&b.lock);
	(void)pthread_cond_destroy(&b.changed);
	(void)pthread_mutex_destroy(&b.lock);
	return b.result;
}

#endif
