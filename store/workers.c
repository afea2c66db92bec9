/* workers.c - a pool of threads that run jobs from two queues. See workers.h.
 *
 * Knows nothing of what a job does. */
#include "workers.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auto.h"
#include "log.h"

#define BATCH 16u	/* small jobs that are worth waking a worker for at once */
#define NAP_NS 2000000	/* how long it waits for more of them otherwise */
#define N_THREADS_MOST 256	/* of a machine with more processors than that, these are enough */

struct queue {
	struct job *first;
	struct job **end;	/* where the next one is linked in */
};

struct worker {
	struct workers *pool;
	struct codec_context *codec;	/* its own */
	pthread_t thread;
	bool eager;			/* guarded by the pool's lock: it has waited for small jobs, and takes all there are */
};

struct workers {
	pthread_mutex_t lock;		/* a leaf; guards all down to stopping */
	pthread_cond_t wake;
	struct queue queues[WORKERS_N_QUEUES];
	unsigned n_small;		/* jobs in the queue WORKERS_SMALL */
	unsigned n_sleeping;		/* workers in pthread_cond_wait(): nobody is woken for a job while it is 0 */
	bool napping;			/* one of them waits for small jobs to become more */
	bool stopping;

	pthread_mutex_t helper_lock;	/* tried, never waited for; before `lock`, and held across the job */
	struct codec_context *helper;	/* guarded by helper_lock */

	unsigned n_threads;		/* these run; changes in workers_new() only */
	struct worker threads[];
};

/* ---- the queues ---- */

static void queue_add(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->end = job;
	queue->end = &job->next;
}

/* NULL: it is empty. */
static struct job *queue_take(struct queue *queue)
{
	struct job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->end = &queue->first;
	return job;
}

static struct job *take_locked(struct workers *workers, enum workers_queue queue)
{
	struct job *job = queue_take(&workers->queues[queue]);

	if (job && queue == WORKERS_SMALL)
		workers->n_small--;
	return job;
}

/* Is it time to wake a sleeping worker for the job that was just added? */
static bool is_worth_waking_locked(struct workers *workers, enum workers_queue queue)
{
	if (workers->n_sleeping == 0)
		return false;	/* each looks at the queues before it sleeps */
	return queue != WORKERS_SMALL || !workers->napping || workers->n_small == BATCH;
}

void workers_submit(struct workers *workers, enum workers_queue queue, struct job *job)
{
	bool wake;

	assert((unsigned)queue < WORKERS_N_QUEUES);
	(void)pthread_mutex_lock(&workers->lock);
	queue_add(&workers->queues[queue], job);
	if (queue == WORKERS_SMALL)
		workers->n_small++;
	wake = is_worth_waking_locked(workers, queue);
	(void)pthread_mutex_unlock(&workers->lock);
	/* Without the lock, or the woken one would run straight into it. */
	if (wake)
		(void)pthread_cond_signal(&workers->wake);
}

/* ---- those who take from them ---- */

/* Let small jobs become more, for a moment. */
static void nap_locked(struct worker *worker)
{
	struct workers *workers = worker->pool;
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);	/* cannot fail for this clock */
	until.tv_nsec += NAP_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	workers->napping = true;
	workers->n_sleeping++;
	(void)pthread_cond_clockwait(&workers->wake, &workers->lock, CLOCK_MONOTONIC, &until);	/* more, something larger, or time */
	workers->n_sleeping--;
	workers->napping = false;
	worker->eager = true;
}

/* The next job that this worker should do now. */
static struct job *take_any_locked(struct worker *worker)
{
	struct workers *workers = worker->pool;
	struct job *job = take_locked(workers, WORKERS_STORE);

	if (!job && workers->n_small > 0 && workers->n_small < BATCH && !worker->eager && !workers->napping &&
	    !workers->stopping) {
		nap_locked(worker);
		job = take_locked(workers, WORKERS_STORE);
	}
	if (!job && (worker->eager || !workers->napping))
		job = take_locked(workers, WORKERS_SMALL);
	return job ? job : take_locked(workers, WORKERS_AHEAD);
}

/* The next job; sleeps until there is one. NULL: the pool ends, and nothing is queued any more. */
static struct job *wait_for_job(struct worker *worker)
{
	struct workers *workers = worker->pool;
	struct job *job;

	(void)pthread_mutex_lock(&workers->lock);
	while (!(job = take_any_locked(worker)) && !workers->stopping) {
		worker->eager = false;
		workers->n_sleeping++;
		(void)pthread_cond_wait(&workers->wake, &workers->lock);
		workers->n_sleeping--;
	}
	(void)pthread_mutex_unlock(&workers->lock);
	return job;
}

static void *worker_thread(void *context)
{
	struct worker *worker = context;
	struct job *job;

	(void)pthread_setname_np(pthread_self(), "vault-worker");	/* only for who looks with top */
	while ((job = wait_for_job(worker)))
		job->run(job, worker->codec);
	return NULL;
}

bool workers_help(struct workers *workers)
{
	AUTO(unlock) pthread_mutex_t *helping = NULL;
	struct job *job;

	if (pthread_mutex_trylock(&workers->helper_lock) != 0)
		return false;
	helping = &workers->helper_lock;
	(void)pthread_mutex_lock(&workers->lock);
	job = take_locked(workers, WORKERS_STORE);
	if (!job)
		job = take_locked(workers, WORKERS_SMALL);
	(void)pthread_mutex_unlock(&workers->lock);
	if (job)
		job->run(job, workers->helper);
	return job != NULL;
}

/* ---- the pool ---- */

static unsigned n_processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > N_THREADS_MOST ? N_THREADS_MOST : (unsigned)n;
}

/* Signals are for the threads that expect them: a worker starts with all blocked, but those for its own faults. */
static int start_thread(struct worker *worker)
{
	sigset_t blocked, before;
	int code;

	(void)sigfillset(&blocked);	/* these fail only for numbers that are no signals */
	(void)sigdelset(&blocked, SIGSEGV);
	(void)sigdelset(&blocked, SIGBUS);
	(void)sigdelset(&blocked, SIGFPE);
	(void)sigdelset(&blocked, SIGILL);
	(void)sigdelset(&blocked, SIGABRT);
	(void)pthread_sigmask(SIG_SETMASK, &blocked, &before);	/* fails only for an unknown `how` */
	code = pthread_create(&worker->thread, NULL, worker_thread, worker);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return code == 0 ? 0 : log_err(-code, "cannot start a worker thread: %s", strerror(code));
}

static int start_worker(struct workers *workers)
{
	struct worker *worker = &workers->threads[workers->n_threads];
	int r;

	worker->pool = workers;
	r = codec_context_new(&worker->codec);
	if (r < 0)
		return r;
	r = start_thread(worker);
	if (r < 0) {
		codec_context_free(worker->codec);
		return r;
	}
	workers->n_threads++;
	return 0;
}

int workers_new(unsigned n_threads, struct workers **ret)
{
	unsigned n = n_threads > 0 ? n_threads : n_processors();
	struct workers *workers = calloc(1, sizeof(*workers) + n * sizeof(workers->threads[0]));
	int r;

	if (!workers)
		return log_err(-ENOMEM, "no memory for %u worker threads", n);
	(void)pthread_mutex_init(&workers->lock, NULL);	/* these fail only with attributes */
	(void)pthread_cond_init(&workers->wake, NULL);
	(void)pthread_mutex_init(&workers->helper_lock, NULL);
	for (int i = 0; i < WORKERS_N_QUEUES; i++)
		workers->queues[i].end = &workers->queues[i].first;
	r = codec_context_new(&workers->helper);
	while (r == 0 && workers->n_threads < n)
		r = start_worker(workers);
	if (r < 0) {
		workers_free(workers);
		return r;
	}
	*ret = workers;
	return 0;
}

void workers_free(struct workers *workers)
{
	if (!workers)
		return;
	(void)pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	(void)pthread_cond_broadcast(&workers->wake);
	(void)pthread_mutex_unlock(&workers->lock);
	for (unsigned i = 0; i < workers->n_threads; i++) {
		(void)pthread_join(workers->threads[i].thread, NULL);	/* fails only for what is no thread of ours */
		codec_context_free(workers->threads[i].codec);
	}
	codec_context_free(workers->helper);
	(void)pthread_mutex_destroy(&workers->helper_lock);
	(void)pthread_cond_destroy(&workers->wake);
	(void)pthread_mutex_destroy(&workers->lock);
	free(workers);
}
