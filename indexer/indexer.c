/* indexer.c - a thread that follows the files that changed, and the same work done in front. See indexer.h.
 *
 * Knows when to work; pipeline.c knows how. */
#include "indexer.h"
#include "pipeline.h"

#include "auto.h"
#include "library.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

#define MS_NS INT64_C(1000000)
#define SECOND_NS (1000 * MS_NS)
#define QUIET_NS (1 * SECOND_NS)     /* begin when nothing changed for this long ... */
#define PATIENCE_NS (10 * SECOND_NS) /* ... or something waits for this long */
#define LOOK_SOON_NS \
	(SECOND_NS / 4) /* jobs come with a commit: how often to look for those that were announced, */
#define SOON_NS (90 * SECOND_NS)  /* for so long */
#define LOOK_NS (20 * SECOND_NS)  /* and otherwise: others ask for files, too */
#define REST_NS (60 * SECOND_NS)  /* an idle helper is sent home */
#define RETRY_NS (30 * SECOND_NS) /* after a failure that is none of a file's */

struct indexer {
	struct vault *vault;            /* never changes */
	struct indexer_options options; /* the same */
	int cancel_fd;                  /* an eventfd that is written once, to stop */
	pthread_t thread;
	pthread_mutex_t lock; /* order: last; nothing is called under it */
	pthread_cond_t wake;
	int64_t changed_ns; /* guarded by lock, as the rest: when a file was announced last; 0 = never */
	int64_t since_ns;   /* when the first one was that has not been looked for; 0 = none waits */
	bool stopping;
};

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* Which file it was stands in the job that comes with the commit. */
static void content_changed(void *context, uint64_t id)
{
	struct indexer *indexer = context;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&indexer->lock);

	(void)id;
	indexer->changed_ns = now_ns();
	if (indexer->since_ns == 0) {
		indexer->since_ns = indexer->changed_ns;
		(void)pthread_cond_signal(&indexer->wake);
	}
	(void)held;
}

static void wait_until_locked(struct indexer *indexer, int64_t until_ns)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ns / SECOND_NS),
					.tv_nsec = (long)(until_ns % SECOND_NS) };

	(void)pthread_cond_timedwait(&indexer->wake, &indexer->lock,
				     &until); /* why it ended does not matter */
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Wait until it is worth looking for a job. False: stop. */
static bool wait_for_work(struct indexer *indexer, int64_t not_before_ns)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&indexer->lock);
	const int64_t idle_ns = now_ns() + LOOK_NS;

	while (!indexer->stopping) {
		int64_t due_ns = idle_ns;

		if (indexer->since_ns != 0)
			due_ns = earlier(indexer->changed_ns + QUIET_NS, indexer->since_ns + PATIENCE_NS);
		else if (indexer->changed_ns != 0 && now_ns() - indexer->changed_ns < SOON_NS)
			due_ns = earlier(idle_ns, idle_ns - LOOK_NS + LOOK_SOON_NS);
		if (due_ns < not_before_ns)
			due_ns = not_before_ns;
		if (due_ns <= now_ns())
			break;
		wait_until_locked(indexer, due_ns);
	}
	indexer->since_ns = 0;
	(void)held;
	return !indexer->stopping;
}

/* Do jobs until none waits, or one should be left alone for a moment. How long to wait at least then; -1: stop. */
static int64_t work(struct indexer *indexer, struct pipeline *pipeline, int64_t *ret_worked_ns)
{
	enum pipeline_result result;
	uint64_t size;
	int r = vault_jobs_any(indexer->vault);

	while (r > 0) {
		r = pipeline_step(pipeline, &result, &size);
		*ret_worked_ns = now_ns();
		if (r > 0 && result == PIPELINE_AGAIN)
			return QUIET_NS;
	}
	if (r == -ECANCELED)
		return -1;
	return r < 0 ? RETRY_NS : 0;
}

static void *run(void *context)
{
	struct indexer *indexer = context;
	struct pipeline *pipeline = NULL;
	int64_t worked_ns = 0, wait_ns = 0;

	if (pipeline_new(indexer->vault, &indexer->options, true, indexer->cancel_fd, &pipeline) < 0)
		return NULL;
	while (wait_ns >= 0 && wait_for_work(indexer, wait_ns == 0 ? 0 : now_ns() + wait_ns)) {
		wait_ns = work(indexer, pipeline, &worked_ns);
		if (worked_ns != 0 && now_ns() - worked_ns > REST_NS) {
			pipeline_rest(pipeline);
			worked_ns = 0;
		}
	}
	pipeline_free(pipeline); /* here: the helper dies with this thread anyway */
	return NULL;
}

static void indexer_free(struct indexer *indexer)
{
	if (indexer->cancel_fd >= 0)
		(void)close(indexer->cancel_fd); /* an eventfd: nothing to lose */
	(void)pthread_cond_destroy(&indexer->wake);
	(void)pthread_mutex_destroy(&indexer->lock);
	free(indexer);
}

static int indexer_new(struct vault *vault, const struct indexer_options *options, struct indexer **ret)
{
	struct indexer *indexer = calloc(1, sizeof(*indexer));
	pthread_condattr_t clock;

	if (!indexer)
		return -ENOMEM;
	indexer->vault = vault;
	indexer->options = *options;
	(void)pthread_mutex_init(&indexer->lock, NULL); /* these four cannot fail on Linux */
	(void)pthread_condattr_init(&clock);
	(void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&indexer->wake, &clock);
	(void)pthread_condattr_destroy(&clock);
	indexer->changed_ns = indexer->since_ns = now_ns(); /* there may be jobs from before */
	indexer->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (indexer->cancel_fd < 0) {
		const int r = -errno;

		indexer_free(indexer);
		return r;
	}
	*ret = indexer;
	return 0;
}

/* Signals are for the program's own threads. */
static int start_thread(struct indexer *indexer)
{
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&indexer->thread, NULL, run, indexer);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int indexer_start(struct vault *vault, const struct indexer_options *options, struct indexer **ret)
{
	struct indexer *indexer = NULL;
	int r;

	if (vault_is_read_only(vault)) {
		*ret = NULL;
		return 0;
	}
	r = indexer_new(vault, options, &indexer);
	if (r < 0)
		return log_err(r, "starting the indexer: ");
	r = start_thread(indexer);
	if (r < 0) {
		indexer_free(indexer);
		return log_err(r, "starting the indexer's thread: ");
	}
	(void)pthread_setname_np(indexer->thread, "indexer"); /* for people with top(1) */
	vault_on_content_changed(vault, content_changed, indexer);
	*ret = indexer;
	return 0;
}

void indexer_stop(struct indexer *indexer)
{
	const uint64_t one = 1;

	if (!indexer)
		return;
	vault_on_content_changed(indexer->vault, NULL, NULL);
	(void)pthread_mutex_lock(&indexer->lock);
	indexer->stopping = true;
	(void)pthread_cond_signal(&indexer->wake);
	(void)pthread_mutex_unlock(&indexer->lock);
	if (write(indexer->cancel_fd, &one, sizeof(one)) < 0)
		log_warn("the indexer ends after its present file only"); /* an eventfd at 0 takes a 1 */
	(void)pthread_join(indexer->thread, NULL);
	indexer_free(indexer);
}

int indexer_run(struct vault *vault, const struct indexer_options *options, int cancel_fd,
		void (*progress)(void *context, uint64_t size), void *context, struct indexer_result *ret)
{
	struct pipeline *pipeline = NULL;
	enum pipeline_result result = PIPELINE_DONE;
	uint64_t size = 0;
	int r;

	*ret = (struct indexer_result){ 0 };
	r = pipeline_new(vault, options, false, cancel_fd, &pipeline);
	if (r < 0)
		return r;
	while ((r = pipeline_step(pipeline, &result, &size)) > 0) {
		ret->n_done += result == PIPELINE_DONE;
		ret->n_failed += result == PIPELINE_FAILED;
		ret->n_put_off += result == PIPELINE_AGAIN;
		if (progress)
			progress(context, result == PIPELINE_AGAIN ? 0 : size);
	}
	pipeline_free(pipeline);
	if (r == -EAGAIN)
		return log_err(r, "the helper that looks into files cannot be started");
	return r;
}
