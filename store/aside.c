/* aside.c - threads for what takes long. See aside.h and library.h. */
#include "aside.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"
#include "vault_internal.h"

#define N_THREADS 2u

struct work {
	struct work *next;
	void (*run)(void *context);
	void *context;
};

struct aside {
	pthread_mutex_t lock; /* a leaf; guards what follows */
	pthread_cond_t wake;
	struct work *first, **last;
	pthread_t threads[N_THREADS];
	unsigned n_threads, n_idle, n_queued;
	bool stopping;
};

static void *run_works(void *argument)
{
	struct aside *aside = argument;

	(void)pthread_mutex_lock(&aside->lock);
	for (;;) {
		struct work *work = aside->first;

		if (work) {
			aside->first = work->next;
			aside->n_queued--;
			if (!aside->first)
				aside->last = &aside->first;
			(void)pthread_mutex_unlock(&aside->lock);
			work->run(work->context);
			free(work);
			(void)pthread_mutex_lock(&aside->lock);
		} else if (aside->stopping) {
			break;
		} else {
			aside->n_idle++;
			(void)pthread_cond_wait(&aside->wake, &aside->lock);
			aside->n_idle--;
		}
	}
	(void)pthread_mutex_unlock(&aside->lock);
	return NULL;
}

/* One more, without signals. */
static int start_thread_locked(struct aside *aside)
{
	sigset_t all, before;
	int code;

	(void)sigfillset(&all); /* cannot fail */
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&aside->threads[aside->n_threads], NULL, run_works, aside);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code == 0)
		aside->n_threads++;
	return -code;
}

int vault_aside(struct vault *vault, void (*run)(void *context), void *context)
{
	struct aside *aside = vault->aside;
	struct work *work = malloc(sizeof(*work));
	int r = 0;

	if (!work)
		return log_err(-ENOMEM, "%s: no memory for a question to it", vault->path);
	*work = (struct work){ .run = run, .context = context };
	(void)pthread_mutex_lock(&aside->lock);
	if (aside->n_queued >= aside->n_idle && aside->n_threads < N_THREADS)
		r = start_thread_locked(aside);
	if (aside->n_threads > 0) { /* another one will do it */
		*aside->last = TAKE(work);
		aside->n_queued++;
		aside->last = &(*aside->last)->next;
		(void)pthread_cond_signal(&aside->wake);
		r = 0;
	}
	(void)pthread_mutex_unlock(&aside->lock);
	free(work);
	return r == 0 ? 0 : log_err(r, "%s: cannot start a thread: %s", vault->path, strerror(-r));
}

int aside_new(struct aside **ret)
{
	struct aside *aside = calloc(1, sizeof(*aside));

	if (!aside)
		return log_err(-ENOMEM, "no memory for questions to a vault");
	(void)pthread_mutex_init(&aside->lock, NULL); /* fails only with attributes */
	(void)pthread_cond_init(&aside->wake, NULL);  /* the same */
	aside->last = &aside->first;
	*ret = aside;
	return 0;
}

void aside_free(struct aside *aside)
{
	if (!aside)
		return;
	(void)pthread_mutex_lock(&aside->lock);
	aside->stopping = true;
	(void)pthread_cond_broadcast(&aside->wake);
	(void)pthread_mutex_unlock(&aside->lock);
	for (unsigned i = 0; i < aside->n_threads; i++)
		(void)pthread_join(aside->threads[i], NULL);
	(void)pthread_cond_destroy(&aside->wake);
	(void)pthread_mutex_destroy(&aside->lock);
	free(aside);
}
