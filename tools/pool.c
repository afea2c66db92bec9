/* pool.c - a few threads that fill files while one thread walks the tree ahead of them. See pool.h. */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "auto.h"
#include "log.h"

#define QUEUE_MAX 64u /* jobs; each holds a descriptor open */
#define THREADS_MAX 4

struct pool {
	int (*run)(void *context, struct pool_job *job, void *buffer);
	void *context;
	pthread_t threads[THREADS_MAX];
	int n_threads;

	pthread_mutex_t lock;             /* never held while a job runs */
	pthread_cond_t changed;           /* a job came or went, or the end was announced */
	struct pool_job queue[QUEUE_MAX]; /* this and all below: guarded by lock */
	unsigned first, n_queued;
	bool ending;
	int result;
};

void pool_job_release(struct pool_job *job)
{
	if (job->fd >= 0)
		(void)close(job->fd); /* written data was checked before; the rest was only read */
	free(job->path);
	free(job->name);
	*job = (struct pool_job){ .fd = -1 };
}

/* Wait for a job. False at the end. */
static bool take(struct pool *pool, struct pool_job *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&pool->lock);

	while (pool->n_queued == 0 && !pool->ending)
		(void)pthread_cond_wait(&pool->changed, held); /* fails only for a mutex that is not held */
	if (pool->n_queued == 0)
		return false;
	*ret = pool->queue[pool->first];
	pool->first = (pool->first + 1) % QUEUE_MAX;
	pool->n_queued--;
	(void)pthread_cond_broadcast(&pool->changed);
	return true;
}

static void keep_result(struct pool *pool, int r)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&pool->lock);

	(void)held;
	if (pool->result == 0 && r < 0)
		pool->result = r;
}

static void *work(void *context)
{
	struct pool *pool = context;
	AUTO(free) void *buffer = malloc(POOL_BUFFER);
	struct pool_job job;

	if (!buffer)
		keep_result(pool, log_err(-ENOMEM, "no memory to copy with"));
	while (take(pool, &job)) {
		if (buffer)
			keep_result(pool, pool->run(pool->context, &job, buffer));
		else
			pool_job_release(&job);
	}
	return NULL;
}

static int wanted_threads(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 2 ? 2 : n > THREADS_MAX ? THREADS_MAX : (int)n;
}

/* A walk keeps a directory open on every level of the tree, and each queued job a file. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); /* else only very deep trees fail, with a message */
	}
}

int pool_start(int (*run)(void *context, struct pool_job *job, void *buffer), void *context,
	       struct pool **ret)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return log_err(-ENOMEM, "no memory for a pool of threads");
	raise_descriptor_limit();
	pool->run = run;
	pool->context = context;
	(void)pthread_mutex_init(&pool->lock, NULL); /* neither can fail in glibc for plain ones */
	(void)pthread_cond_init(&pool->changed, NULL);
	for (int n = wanted_threads(); pool->n_threads < n; pool->n_threads++) {
		int r = pthread_create(&pool->threads[pool->n_threads], NULL, work, pool);

		if (r && pool->n_threads == 0) {
			(void)pool_finish(pool);
			return log_err(-r, "cannot start a thread: ");
		}
		if (r)
			break; /* fewer will do */
	}
	*ret = pool;
	return 0;
}

void pool_put(struct pool *pool, const struct pool_job *job)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&pool->lock);

	while (pool->n_queued == QUEUE_MAX)
		(void)pthread_cond_wait(&pool->changed, held);
	pool->queue[(pool->first + pool->n_queued) % QUEUE_MAX] = *job;
	pool->n_queued++;
	(void)pthread_cond_broadcast(&pool->changed);
}

int pool_result(struct pool *pool)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&pool->lock);

	(void)held;
	return pool->result;
}

int pool_finish(struct pool *pool)
{
	int result;

	if (!pool)
		return 0;
	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&pool->lock);

		pool->ending = true;
		(void)pthread_cond_broadcast(&pool->changed);
		(void)held;
	}
	for (int i = 0; i < pool->n_threads; i++)
		(void)pthread_join(pool->threads[i], NULL); /* our own, joined once */
	result = pool->result;
	(void)pthread_cond_destroy(&pool->changed);
	(void)pthread_mutex_destroy(&pool->lock);
	free(pool);
	return result;
}
