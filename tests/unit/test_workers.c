/* test_workers.c - jobs run once, in order, the urgent ones first, and none is left behind.
 *
 * Where an order is claimed, a job that waits at a gate keeps the only worker busy while the others are queued. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "workers.h"

#define N_JOBS 100
#define N_SUBMITTERS 6
#define N_PER_SUBMITTER 2000
#define N_POOL 3

/* Jobs wait at it until it is opened. */
struct gate {
	pthread_mutex_t lock;		/* guards the rest */
	pthread_cond_t changed;
	unsigned n_inside;		/* how many have come, ever */
	bool open;
};

struct gate_job {
	struct job job;
	struct gate *gate;
	struct codec_context *codec;	/* what it was run with */
};

/* What was run, in the order in which it was. */
struct notes {
	pthread_mutex_t lock;		/* guards the rest */
	unsigned n;
	int values[2 * N_JOBS];
};

struct note_job {
	struct job job;
	struct notes *notes;
	int value;
};

struct fixture {
	struct workers *workers;
	struct gate gate;
	struct notes notes;
	struct gate_job gate_jobs[N_POOL];
	struct note_job note_jobs[2 * N_JOBS];
	sem_t done;
	atomic_uint n_run;
};

/* ---- jobs ---- */

static void gate_pass(struct gate *gate)
{
	(void)pthread_mutex_lock(&gate->lock);
	gate->n_inside++;
	(void)pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		(void)pthread_cond_wait(&gate->changed, &gate->lock);
	(void)pthread_mutex_unlock(&gate->lock);
}

static void gate_wait_for(struct gate *gate, unsigned n)
{
	(void)pthread_mutex_lock(&gate->lock);
	while (gate->n_inside < n)
		(void)pthread_cond_wait(&gate->changed, &gate->lock);
	(void)pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
	(void)pthread_mutex_lock(&gate->lock);
	gate->open = true;
	(void)pthread_cond_broadcast(&gate->changed);
	(void)pthread_mutex_unlock(&gate->lock);
}

static void run_gate(struct job *job, struct codec_context *codec)
{
	struct gate_job *mine = (struct gate_job *)job;

	mine->codec = codec;
	gate_pass(mine->gate);
}

static void run_note(struct job *job, struct codec_context *codec)
{
	const struct note_job *mine = (const struct note_job *)job;
	struct notes *notes = mine->notes;

	(void)codec;
	(void)pthread_mutex_lock(&notes->lock);
	notes->values[notes->n++] = mine->value;
	(void)pthread_mutex_unlock(&notes->lock);
}

/* Keep `n` workers busy until the gate is opened. */
static void block_workers(struct fixture *fixture, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		fixture->gate_jobs[i].job.run = run_gate;
		fixture->gate_jobs[i].gate = &fixture->gate;
		workers_submit(fixture->workers, WORKERS_STORE, &fixture->gate_jobs[i].job);
	}
	gate_wait_for(&fixture->gate, n);
}

static void submit_note(struct fixture *fixture, enum workers_queue queue, int value)
{
	struct note_job *job = &fixture->note_jobs[value];

	job->job.run = run_note;
	job->notes = &fixture->notes;
	job->value = value;
	workers_submit(fixture->workers, queue, &job->job);
}

static void end_pool(struct fixture *fixture)
{
	workers_free(fixture->workers);
	fixture->workers = NULL;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	*state = fixture;
	(void)pthread_mutex_init(&fixture->gate.lock, NULL);
	(void)pthread_cond_init(&fixture->gate.changed, NULL);
	(void)pthread_mutex_init(&fixture->notes.lock, NULL);
	(void)sem_init(&fixture->done, 0, 0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	gate_open(&fixture->gate);
	workers_free(fixture->workers);
	(void)sem_destroy(&fixture->done);
	(void)pthread_mutex_destroy(&fixture->notes.lock);
	(void)pthread_cond_destroy(&fixture->gate.changed);
	(void)pthread_mutex_destroy(&fixture->gate.lock);
	free(fixture);
	return 0;
}

static void start_pool(struct fixture *fixture, unsigned n_threads)
{
	assert_int_equal(workers_new(n_threads, &fixture->workers), 0);
}

/* ---- order ---- */

static void workers_submit__keeps_the_order_of_a_queue(void **state)
{
	struct fixture *fixture = *state;

	start_pool(fixture, 1);
	for (int queue = 0; queue < WORKERS_N_QUEUES; queue++) {
		fixture->gate.open = false;	/* no job runs */
		fixture->gate.n_inside = 0;
		fixture->notes.n = 0;
		block_workers(fixture, 1);
		for (int i = 0; i < N_JOBS; i++)
			submit_note(fixture, (enum workers_queue)queue, i);
		gate_open(&fixture->gate);
		end_pool(fixture);
		assert_int_equal(fixture->notes.n, N_JOBS);
		for (int i = 0; i < N_JOBS; i++)
			assert_int_equal(fixture->notes.values[i], i);
		start_pool(fixture, 1);
	}
}

static void workers_submit__what_is_stored_goes_before_what_is_read_ahead(void **state)
{
	struct fixture *fixture = *state;

	start_pool(fixture, 1);
	block_workers(fixture, 1);
	for (int i = 0; i < N_JOBS; i++) {
		submit_note(fixture, WORKERS_AHEAD, N_JOBS + i);
		submit_note(fixture, WORKERS_STORE, i);
	}
	gate_open(&fixture->gate);
	end_pool(fixture);
	assert_int_equal(fixture->notes.n, 2 * N_JOBS);
	for (int i = 0; i < 2 * N_JOBS; i++)
		assert_int_equal(fixture->notes.values[i], i);
}

/* ---- waking ---- */

struct post_job {
	struct job job;
	sem_t *done;
};

static void run_post(struct job *job, struct codec_context *codec)
{
	(void)codec;
	(void)sem_post(((struct post_job *)job)->done);
}

/* Each job is submitted when all workers sleep or are about to: if one wake-up were lost, this would not end. */
static void workers_submit__wakes_a_pool_that_is_idle(void **state)
{
	struct fixture *fixture = *state;
	struct post_job job = { .job.run = run_post, .done = &fixture->done };

	start_pool(fixture, 2);
	for (int i = 0; i < 5000; i++) {
		workers_submit(fixture->workers, i % 2 ? WORKERS_AHEAD : WORKERS_STORE, &job.job);
		while (sem_wait(&fixture->done) != 0)
			;	/* interrupted */
	}
	end_pool(fixture);
}

static void workers_new__each_thread_has_a_codec_context_of_its_own(void **state)
{
	struct fixture *fixture = *state;

	start_pool(fixture, N_POOL);
	block_workers(fixture, N_POOL);	/* returns when as many jobs run at once */
	gate_open(&fixture->gate);
	end_pool(fixture);
	for (int i = 0; i < N_POOL; i++) {
		assert_non_null(fixture->gate_jobs[i].codec);
		for (int k = 0; k < i; k++)
			assert_ptr_not_equal(fixture->gate_jobs[i].codec, fixture->gate_jobs[k].codec);
	}
}

struct look_job {
	struct job job;
	char name[32];
	bool blocks_sigterm, blocks_sigsegv;
};

static void run_look(struct job *job, struct codec_context *codec)
{
	struct look_job *mine = (struct look_job *)job;
	sigset_t blocked;

	(void)codec;
	(void)pthread_getname_np(pthread_self(), mine->name, sizeof(mine->name));
	(void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	mine->blocks_sigterm = sigismember(&blocked, SIGTERM) == 1;
	mine->blocks_sigsegv = sigismember(&blocked, SIGSEGV) == 1;
}

static void workers_new__names_its_threads_and_leaves_signals_to_others(void **state)
{
	struct fixture *fixture = *state;
	struct look_job job = { .job.run = run_look };
	sigset_t before, after;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &before);
	start_pool(fixture, 0);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &after);
	workers_submit(fixture->workers, WORKERS_STORE, &job.job);
	end_pool(fixture);
	assert_string_equal(job.name, "vault-worker");
	assert_true(job.blocks_sigterm);
	assert_false(job.blocks_sigsegv);
	for (int i = 1; i < NSIG; i++)
		assert_int_equal(sigismember(&before, i), sigismember(&after, i));
}

/* ---- ending ---- */

struct chain_job {
	struct job job;
	struct fixture *fixture;
	unsigned n_more;	/* times that it submits itself again */
};

static void run_chain(struct job *job, struct codec_context *codec)
{
	struct chain_job *mine = (struct chain_job *)job;

	(void)codec;
	atomic_fetch_add(&mine->fixture->n_run, 1);
	if (mine->n_more-- > 0)
		workers_submit(mine->fixture->workers, mine->n_more % 2 ? WORKERS_STORE : WORKERS_AHEAD, job);
}

static void workers_free__runs_all_that_was_queued(void **state)
{
	struct fixture *fixture = *state;
	struct workers *workers;
	struct chain_job chains[10];

	start_pool(fixture, N_POOL);
	workers = fixture->workers;
	block_workers(fixture, N_POOL);
	for (int i = 0; i < N_JOBS; i++)
		submit_note(fixture, i % 3 ? WORKERS_STORE : WORKERS_AHEAD, i);
	for (int i = 0; i < 10; i++) {
		chains[i] = (struct chain_job){ { .run = run_chain }, fixture, 50 };
		workers_submit(workers, WORKERS_STORE, &chains[i].job);
	}
	gate_open(&fixture->gate);
	workers_free(workers);
	fixture->workers = NULL;
	assert_int_equal(fixture->notes.n, N_JOBS);
	assert_int_equal(fixture->n_run, 10 * 51);
	workers_free(NULL);
}

/* ---- helping ---- */

struct help_job {
	struct job job;
	struct workers *workers;
	pthread_t ran_on;
	struct codec_context *codec;
	bool helped_inside;
};

static void run_help(struct job *job, struct codec_context *codec)
{
	struct help_job *mine = (struct help_job *)job;

	mine->ran_on = pthread_self();
	mine->codec = codec;
	mine->helped_inside = workers_help(mine->workers);
}

static void workers_help__runs_what_is_to_be_stored_here(void **state)
{
	struct fixture *fixture = *state;
	struct help_job job = { .job.run = run_help };

	start_pool(fixture, 1);
	job.workers = fixture->workers;
	block_workers(fixture, 1);
	assert_false(workers_help(fixture->workers));	/* nothing queued */
	submit_note(fixture, WORKERS_AHEAD, 0);
	assert_false(workers_help(fixture->workers));	/* nothing for helpers */

	workers_submit(fixture->workers, WORKERS_STORE, &job.job);
	submit_note(fixture, WORKERS_STORE, 1);
	assert_true(workers_help(fixture->workers));
	assert_true(pthread_equal(job.ran_on, pthread_self()));
	assert_non_null(job.codec);
	assert_ptr_not_equal(job.codec, fixture->gate_jobs[0].codec);
	assert_false(job.helped_inside);		/* the helpers' codec context was in use */

	assert_true(workers_help(fixture->workers));
	assert_int_equal(fixture->notes.n, 1);
	assert_int_equal(fixture->notes.values[0], 1);
	assert_false(workers_help(fixture->workers));
	gate_open(&fixture->gate);
	end_pool(fixture);
	assert_int_equal(fixture->notes.n, 2);
}

/* ---- many at once ---- */

struct count_job {
	struct job job;
	struct fixture *fixture;
};

static void run_count(struct job *job, struct codec_context *codec)
{
	struct count_job *mine = (struct count_job *)job;

	(void)codec;
	atomic_fetch_add(&mine->fixture->n_run, 1);
	free(mine);	/* as the header allows */
}

static void *submitter(void *context)
{
	struct fixture *fixture = context;

	for (int i = 0; i < N_PER_SUBMITTER; i++) {
		struct count_job *job = malloc(sizeof(*job));

		if (!job)
			break;	/* the count will tell */
		*job = (struct count_job){ { .run = run_count }, fixture };
		workers_submit(fixture->workers, i % 3 ? WORKERS_STORE : WORKERS_AHEAD, &job->job);
		if (i % 7 == 0)
			(void)workers_help(fixture->workers);	/* there may be nothing */
	}
	return NULL;
}

static void workers_submit__many_at_once_lose_nothing(void **state)
{
	struct fixture *fixture = *state;
	pthread_t threads[N_SUBMITTERS];

	start_pool(fixture, N_POOL);
	for (int i = 0; i < N_SUBMITTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, submitter, fixture), 0);
	for (int i = 0; i < N_SUBMITTERS; i++)
		(void)pthread_join(threads[i], NULL);
	end_pool(fixture);
	assert_int_equal(fixture->n_run, N_SUBMITTERS * N_PER_SUBMITTER);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(workers_submit__keeps_the_order_of_a_queue),
		TEST(workers_submit__what_is_stored_goes_before_what_is_read_ahead),
		TEST(workers_submit__wakes_a_pool_that_is_idle),
		TEST(workers_new__each_thread_has_a_codec_context_of_its_own),
		TEST(workers_new__names_its_threads_and_leaves_signals_to_others),
		TEST(workers_free__runs_all_that_was_queued),
		TEST(workers_help__runs_what_is_to_be_stored_here),
		TEST(workers_submit__many_at_once_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
