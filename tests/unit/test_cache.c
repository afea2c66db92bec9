/* test_cache.c - a chunk is decoded once, stays as long as it is held, and the cache stays within its limit.
 *
 * What a chunk holds follows from its id and a salt, so every reader can check what it is given. Random tests print
 * their seed; VAULTFS_TEST_SEED repeats one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"
#include "log.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define MIB (1u << 20)
#define RAW_MOST (1u << 20)

#define N_ASKERS 8		/* threads that ask for one chunk */
#define N_IDS 300		/* chunks of the random tests */
#define N_STRESS_THREADS 6
#define N_HELD_MOST 6		/* at once, by one thread */

/* Where a load waits until it is opened. */
struct gate {
	pthread_mutex_t lock;	/* guards the rest */
	pthread_cond_t changed;
	bool begun, open;
};

struct asker {
	struct fixture *fixture;
	pthread_t thread;
	_Atomic pid_t tid;	/* 0: not yet asking */
	int r;
	const struct cached *cached;
};

struct fixture {
	struct chunk_cache *cache;
	struct gate gate;
	struct asker askers[N_ASKERS];
};

/* ---- random numbers ---- */

/* splitmix64 */
static uint64_t random_next(uint64_t *random_state)
{
	uint64_t z = *random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t random_below(uint64_t *random_state, uint32_t n)
{
	return (uint32_t)(random_next(random_state) % n);
}

static uint64_t choose_seed(void)
{
	const char *given = getenv("VAULTFS_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) ^ ((uint64_t)getpid() << 32);

	print_message("VAULTFS_TEST_SEED=%" PRIu64 "\n", seed);
	return seed;
}

/* ---- chunks ---- */

struct chunk {
	uint64_t id;
	uint32_t raw_size;
	int error;	/* what load() answers, if not 0 */
};

/* Every 509th byte and the last one say which chunk it is. */
static uint8_t byte_of(uint64_t id, uint32_t i)
{
	return (uint8_t)((id * 31 + i) % 251);
}

static int load_chunk(void *context, uint8_t *raw)
{
	const struct chunk *chunk = context;

	if (chunk->error)
		return chunk->error;
	for (uint32_t i = 0; i < chunk->raw_size; i += 509)
		raw[i] = byte_of(chunk->id, i);
	raw[chunk->raw_size - 1] = byte_of(chunk->id, chunk->raw_size - 1);
	return 0;
}

static bool is_chunk(const struct cached *cached, const struct chunk *chunk)
{
	if (cached->raw_size != chunk->raw_size)
		return false;
	for (uint32_t i = 0; i < chunk->raw_size; i += 509)
		if (cached->raw[i] != byte_of(chunk->id, i))
			return false;
	return cached->raw[chunk->raw_size - 1] == byte_of(chunk->id, chunk->raw_size - 1);
}

/* Small ones, ones at the borders of what buffers are rounded to, and the sizes of content-defined chunks. */
static uint32_t random_raw_size(uint64_t *random_state)
{
	switch (random_below(random_state, 4)) {
	case 0:
		return 1 + random_below(random_state, 5000);
	case 1:
		return (1u << (15 + random_below(random_state, 6))) - 1 + random_below(random_state, 2);
	default:
		return (64u << 10) + random_below(random_state, RAW_MOST - (64u << 10));
	}
}

static const struct cached *get(struct fixture *fixture, struct chunk *chunk)
{
	const struct cached *cached = NULL;

	assert_int_equal(cache_get(fixture->cache, chunk->id, chunk->raw_size, load_chunk, chunk, &cached), 0);
	assert_non_null(cached);
	return cached;
}

/* Ask for it, check it, and give it back. */
static void touch(struct fixture *fixture, struct chunk *chunk)
{
	const struct cached *cached = get(fixture, chunk);
	bool good = is_chunk(cached, chunk);

	cache_put(fixture->cache, cached);
	assert_true(good);
}

static void drop_line(enum log_level level, const char *line, void *context)
{
	(void)level;
	(void)line;
	(void)context;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	*state = fixture;
	(void)pthread_mutex_init(&fixture->gate.lock, NULL);
	(void)pthread_cond_init(&fixture->gate.changed, NULL);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	cache_free(fixture->cache);
	(void)pthread_cond_destroy(&fixture->gate.changed);
	(void)pthread_mutex_destroy(&fixture->gate.lock);
	free(fixture);
	log_set_sink(NULL, NULL, LOG_LEVEL_INFO);
	return 0;
}

static void start_cache(struct fixture *fixture, size_t limit)
{
	assert_int_equal(cache_new(limit, &fixture->cache), 0);
}

/* ---- one thread ---- */

static void cache_get__decodes_only_what_is_not_there(void **state)
{
	struct fixture *fixture = *state;
	struct chunk a = { .id = 7, .raw_size = 70000 }, b = { .id = 8, .raw_size = 1 };

	start_cache(fixture, 4 * MIB);
	assert_false(cache_has(fixture->cache, 7));
	touch(fixture, &a);
	touch(fixture, &a);
	touch(fixture, &b);
	touch(fixture, &b);
	assert_true(cache_has(fixture->cache, 7));
	assert_true(cache_has(fixture->cache, 8));
	assert_false(cache_has(fixture->cache, 9));
	assert_int_equal(cache_n_loads(fixture->cache), 2);
}

static void cache_get__refuses_another_size(void **state)
{
	struct fixture *fixture = *state;
	struct chunk a = { .id = 7, .raw_size = 70000 }, forged = { .id = 7, .raw_size = 70001 };
	const struct cached *cached = NULL;

	log_set_sink(drop_line, NULL, LOG_LEVEL_ERROR);
	start_cache(fixture, 4 * MIB);
	touch(fixture, &a);
	assert_int_equal(cache_get(fixture->cache, 7, forged.raw_size, load_chunk, &forged, &cached), -EBADMSG);
	assert_null(cached);
	touch(fixture, &a);
	assert_int_equal(cache_n_loads(fixture->cache), 1);
}

static void cache_get__tries_again_after_a_failure(void **state)
{
	struct fixture *fixture = *state;
	struct chunk chunk = { .id = 3, .raw_size = 100000, .error = -EIO };
	const struct cached *cached = NULL;

	start_cache(fixture, 4 * MIB);
	for (int i = 0; i < 100; i++)	/* what failed takes no room */
		assert_int_equal(cache_get(fixture->cache, 3, chunk.raw_size, load_chunk, &chunk, &cached), -EIO);
	assert_null(cached);
	assert_false(cache_has(fixture->cache, 3));
	chunk.error = 0;
	touch(fixture, &chunk);
	touch(fixture, &chunk);
	assert_int_equal(cache_n_loads(fixture->cache), 101);
}

static void cache_put__what_is_held_survives_eviction(void **state)
{
	struct fixture *fixture = *state;
	struct chunk held = { .id = 1, .raw_size = 300000 };
	struct chunk twice = { .id = 2, .raw_size = 20000 };
	const struct cached *a, *b, *c;

	start_cache(fixture, 2 * MIB);
	a = get(fixture, &held);
	b = get(fixture, &twice);
	c = get(fixture, &twice);
	assert_ptr_equal(b, c);
	cache_put(fixture->cache, c);	/* one holder is left */
	for (uint64_t id = 100; id < 200; id++)
		touch(fixture, &(struct chunk){ .id = id, .raw_size = 200000 });
	assert_true(cache_has(fixture->cache, 1));
	assert_true(cache_has(fixture->cache, 2));
	assert_true(is_chunk(a, &held));
	assert_true(is_chunk(b, &twice));
	cache_put(fixture->cache, a);
	cache_put(fixture->cache, b);
	for (uint64_t id = 200; id < 300; id++)
		touch(fixture, &(struct chunk){ .id = id, .raw_size = 200000 });
	assert_false(cache_has(fixture->cache, 1));
	assert_false(cache_has(fixture->cache, 2));
}

static void cache_put__more_held_than_the_limit_leaves_nothing_else(void **state)
{
	struct fixture *fixture = *state;
	struct chunk chunks[8];
	const struct cached *held[8];

	start_cache(fixture, MIB);
	touch(fixture, &(struct chunk){ .id = 99, .raw_size = 1000 });
	for (uint64_t i = 0; i < 8; i++) {
		chunks[i] = (struct chunk){ .id = i, .raw_size = 300000 };
		held[i] = get(fixture, &chunks[i]);
	}
	assert_false(cache_has(fixture->cache, 99));
	for (int i = 0; i < 8; i++)
		assert_true(is_chunk(held[i], &chunks[i]));
	for (int i = 0; i < 8; i++)
		cache_put(fixture->cache, held[i]);
	for (uint64_t i = 0; i < 8; i++)	/* 384 KiB each with what buffers are rounded to */
		assert_int_equal(cache_has(fixture->cache, i), i >= 6);
}

/* A limit of 0 keeps nothing, and still serves. */
static void cache_new__may_have_no_room_at_all(void **state)
{
	struct fixture *fixture = *state;
	struct chunk chunk = { .id = 5, .raw_size = 50000 };

	start_cache(fixture, 0);
	touch(fixture, &chunk);
	assert_false(cache_has(fixture->cache, 5));
	touch(fixture, &chunk);
	assert_int_equal(cache_n_loads(fixture->cache), 2);
	cache_free(NULL);
}

/* Many more entries than the table begins with. */
static void cache_get__finds_each_of_many_small_chunks(void **state)
{
	struct fixture *fixture = *state;

	start_cache(fixture, 64 * MIB);
	for (int round = 0; round < 2; round++)
		for (uint64_t id = 0; id < 20000; id++)
			touch(fixture, &(struct chunk){ .id = id << 20, .raw_size = 1 + (uint32_t)id % 200 });
	assert_int_equal(cache_n_loads(fixture->cache), 20000);
}

/* Entries cost memory too: chunks of one byte must not fill it. */
static void cache_get__counts_what_small_chunks_cost(void **state)
{
	struct fixture *fixture = *state;
	size_t n_there = 0;

	start_cache(fixture, MIB);
	for (uint64_t id = 0; id < 20000; id++)
		touch(fixture, &(struct chunk){ .id = id, .raw_size = 1 });
	for (uint64_t id = 0; id < 20000; id++)
		n_there += cache_has(fixture->cache, id);
	assert_in_range(n_there, MIB / 512, MIB / 64);
}

/* ---- the limit, against a model ---- */

struct model_chunk {
	struct chunk chunk;
	const struct cached *held[N_HELD_MOST];
	int n_held;
	uint64_t last_put;	/* 0: never */
};

struct model {
	struct model_chunk chunks[N_IDS];
	int n_held;		/* in all */
	uint64_t n_puts;
};

static int compare_last_put(const void *a, const void *b)
{
	const struct model_chunk *x = *(const struct model_chunk *const *)a;
	const struct model_chunk *y = *(const struct model_chunk *const *)b;

	return (x->last_put < y->last_put) - (x->last_put > y->last_put);
}

/* All that is held is there; of the rest, those given back last; and together they are within the limit, or nothing but
 * the held ones is there. */
static void check_against_model(struct fixture *fixture, struct model *model, size_t limit)
{
	struct model_chunk *unheld[N_IDS];
	size_t n_unheld = 0, held_bytes = 0, unheld_bytes = 0;
	bool gone = false;

	for (int i = 0; i < N_IDS; i++) {
		struct model_chunk *chunk = &model->chunks[i];

		if (chunk->n_held > 0) {
			assert_true(cache_has(fixture->cache, chunk->chunk.id));
			held_bytes += chunk->chunk.raw_size;
		} else {
			unheld[n_unheld++] = chunk;
		}
	}
	qsort(unheld, n_unheld, sizeof(struct model_chunk *), compare_last_put);
	for (size_t i = 0; i < n_unheld; i++) {
		bool there = cache_has(fixture->cache, unheld[i]->chunk.id);

		assert_false(there && (gone || unheld[i]->last_put == 0));
		gone = !there;
		unheld_bytes += there ? unheld[i]->chunk.raw_size : 0;
	}
	if (unheld_bytes > 0)
		assert_in_range(held_bytes + unheld_bytes, 1, limit);
	/* And it is put to use: seven eighths, buffers filled by two thirds, less the one that did not fit. */
	if (gone && model->n_puts > 1000)
		assert_true(held_bytes + unheld_bytes + 2 * RAW_MOST > limit / 8 * 7 / 3 * 2);
}

static void model_step(struct fixture *fixture, struct model *model, uint64_t *random_state)
{
	struct model_chunk *chunk = &model->chunks[random_below(random_state, N_IDS)];
	const struct cached *cached;

	if (chunk->n_held > 0 && random_below(random_state, 3) != 0) {
		cached = chunk->held[--chunk->n_held];
		assert_true(is_chunk(cached, &chunk->chunk));
		cache_put(fixture->cache, cached);
		chunk->last_put = ++model->n_puts;
		model->n_held--;
	} else if (chunk->n_held < N_HELD_MOST) {
		cached = get(fixture, &chunk->chunk);
		assert_true(is_chunk(cached, &chunk->chunk));
		chunk->held[chunk->n_held++] = cached;
		model->n_held++;
	}
}

static void model_put_all(struct fixture *fixture, struct model *model)
{
	for (int i = 0; i < N_IDS; i++) {
		struct model_chunk *chunk = &model->chunks[i];

		while (chunk->n_held > 0) {
			cache_put(fixture->cache, chunk->held[--chunk->n_held]);
			chunk->last_put = ++model->n_puts;
		}
	}
	model->n_held = 0;
}

static void cache_get__keeps_within_its_limit(void **state)
{
	static const size_t limits[] = { 3 * MIB, 16 * MIB, 40 * MIB };
	struct fixture *fixture = *state;
	uint64_t random_state = choose_seed();

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct model *model = calloc(1, sizeof(*model));

		assert_non_null(model);
		for (int k = 0; k < N_IDS; k++)
			model->chunks[k].chunk = (struct chunk){ .id = random_next(&random_state),
								 .raw_size = random_raw_size(&random_state) };
		start_cache(fixture, limits[i]);
		for (int step = 0; step < 3000; step++) {
			model_step(fixture, model, &random_state);
			if (model->n_held > 2 * (int)(i + 1))
				model_put_all(fixture, model);
			if (step % 16 == 0)
				check_against_model(fixture, model, limits[i]);
		}
		model_put_all(fixture, model);
		check_against_model(fixture, model, limits[i]);
		cache_free(fixture->cache);
		fixture->cache = NULL;
		free(model);
	}
}

/* ---- buffers that go round ---- */

static long n_page_faults(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* Read `n` chunks of random size once, and return how many bytes that were. */
static uint64_t stream(struct fixture *fixture, uint64_t first_id, int n, uint64_t *random_state)
{
	uint64_t total = 0;

	for (int i = 0; i < n; i++) {
		struct chunk chunk = { .id = first_id + (uint64_t)i };

		chunk.raw_size = (64u << 10) + random_below(random_state, RAW_MOST - (64u << 10));
		touch(fixture, &chunk);
		total += chunk.raw_size;
	}
	return total;
}

static void cache_get__a_stream_reuses_its_buffers(void **state)
{
	struct fixture *fixture = *state;
	uint64_t random_state = 1, n_pages;
	long before;

	if (SANITIZED) {
		print_message("a sanitizer's allocator faults pages of its own\n");
		skip();
	}
	(void)mallopt(M_MMAP_THRESHOLD, 64 << 10);	/* what malloc begins with, but it would adapt */
	start_cache(fixture, 32 * MIB);
	(void)stream(fixture, 0, 500, &random_state);
	before = n_page_faults();
	n_pages = stream(fixture, 1000, 2000, &random_state) >> 12;
	assert_in_range(n_page_faults() - before, 0, n_pages / 3);
}

/* ---- many threads, one chunk ---- */

static void gate_open(struct gate *gate)
{
	(void)pthread_mutex_lock(&gate->lock);
	gate->open = true;
	(void)pthread_cond_broadcast(&gate->changed);
	(void)pthread_mutex_unlock(&gate->lock);
}

static void gate_wait_begun(struct gate *gate)
{
	(void)pthread_mutex_lock(&gate->lock);
	while (!gate->begun)
		(void)pthread_cond_wait(&gate->changed, &gate->lock);
	(void)pthread_mutex_unlock(&gate->lock);
}

static void gate_pass(struct gate *gate)
{
	(void)pthread_mutex_lock(&gate->lock);
	gate->begun = true;
	(void)pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		(void)pthread_cond_wait(&gate->changed, &gate->lock);
	(void)pthread_mutex_unlock(&gate->lock);
}

static const struct chunk shared_chunk = { .id = 42, .raw_size = 123456 };

static int load_at_gate(void *context, uint8_t *raw)
{
	struct chunk chunk = shared_chunk;

	gate_pass(context);
	return load_chunk(&chunk, raw);
}

static int fail_at_gate(void *context, uint8_t *raw)
{
	(void)raw;
	gate_pass(context);
	return -EBADMSG;
}

static int never_load(void *context, uint8_t *raw)
{
	(void)context;
	(void)raw;
	return -EDOM;	/* a second load while the first one runs */
}

static void *ask(void *context)
{
	struct asker *asker = context;
	bool first = asker == &asker->fixture->askers[0];

	asker->tid = gettid();
	asker->r = cache_get(asker->fixture->cache, shared_chunk.id, shared_chunk.raw_size,
			     first ? load_at_gate : never_load, &asker->fixture->gate, &asker->cached);
	return NULL;
}

static void *ask_in_vain(void *context)
{
	struct asker *asker = context;
	bool first = asker == &asker->fixture->askers[0];

	asker->tid = gettid();
	asker->r = cache_get(asker->fixture->cache, shared_chunk.id, shared_chunk.raw_size,
			     first ? fail_at_gate : never_load, &asker->fixture->gate, &asker->cached);
	return NULL;
}

/* Does the kernel say that the thread waits for something? */
static bool is_asleep(pid_t tid)
{
	char path[64], line[256] = "";
	const char *after_name;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';	/* says no */
	(void)fclose(file);
	after_name = strrchr(line, ')');
	return after_name && after_name[1] == ' ' && after_name[2] == 'S';
}

/* All askers wait in cache_get(): asleep in each of several looks, as none holds a lock for long. */
static void wait_until_all_wait(struct fixture *fixture)
{
	for (int n_looks = 0; n_looks < 5;) {
		bool all = true;

		for (int i = 0; i < N_ASKERS; i++)
			all = all && fixture->askers[i].tid != 0 && is_asleep(fixture->askers[i].tid);
		n_looks = all ? n_looks + 1 : 0;
		(void)sched_yield();
	}
}

/* The first one loads, and is at the gate before the others ask; the gate opens when all of them wait. */
static void ask_all_at_once(struct fixture *fixture, void *(*how)(void *asker))
{
	for (int i = 0; i < N_ASKERS; i++) {
		fixture->askers[i].fixture = fixture;
		assert_int_equal(pthread_create(&fixture->askers[i].thread, NULL, how, &fixture->askers[i]), 0);
		if (i == 0)
			gate_wait_begun(&fixture->gate);
	}
	wait_until_all_wait(fixture);
	gate_open(&fixture->gate);
	for (int i = 0; i < N_ASKERS; i++)
		(void)pthread_join(fixture->askers[i].thread, NULL);
}

static void cache_get__many_ask_and_one_decodes(void **state)
{
	struct fixture *fixture = *state;

	start_cache(fixture, MIB);
	ask_all_at_once(fixture, ask);
	assert_int_equal(cache_n_loads(fixture->cache), 1);
	for (int i = 0; i < N_ASKERS; i++) {
		assert_int_equal(fixture->askers[i].r, 0);
		assert_ptr_equal(fixture->askers[i].cached, fixture->askers[0].cached);
		assert_true(is_chunk(fixture->askers[i].cached, &shared_chunk));
	}
	for (int i = 0; i < N_ASKERS; i++)
		cache_put(fixture->cache, fixture->askers[i].cached);
}

static void cache_get__all_who_wait_learn_of_a_failure(void **state)
{
	struct fixture *fixture = *state;
	struct chunk chunk = shared_chunk;

	start_cache(fixture, MIB);
	ask_all_at_once(fixture, ask_in_vain);
	assert_int_equal(cache_n_loads(fixture->cache), 1);
	for (int i = 0; i < N_ASKERS; i++) {
		assert_int_equal(fixture->askers[i].r, -EBADMSG);
		assert_null(fixture->askers[i].cached);
	}
	assert_false(cache_has(fixture->cache, shared_chunk.id));
	touch(fixture, &chunk);
	assert_int_equal(cache_n_loads(fixture->cache), 2);
}

/* While one chunk is being decoded others come and go. */
static void cache_get__a_slow_decoding_stops_nobody_else(void **state)
{
	struct fixture *fixture = *state;
	struct asker *slow = &fixture->askers[0];

	start_cache(fixture, MIB);
	slow->fixture = fixture;
	assert_int_equal(pthread_create(&slow->thread, NULL, ask, slow), 0);
	gate_wait_begun(&fixture->gate);
	for (uint64_t id = 100; id < 150; id++)
		touch(fixture, &(struct chunk){ .id = id, .raw_size = 100000 });
	assert_true(cache_has(fixture->cache, shared_chunk.id));	/* being decoded */
	gate_open(&fixture->gate);
	(void)pthread_join(slow->thread, NULL);
	assert_int_equal(slow->r, 0);
	assert_true(is_chunk(slow->cached, &shared_chunk));
	cache_put(fixture->cache, slow->cached);
}

/* ---- many threads, many chunks ---- */

struct stress_thread {
	pthread_t thread;
	struct chunk_cache *cache;
	uint64_t random_state;
	int n_wrong;		/* answers that should not be */
};

struct held_chunk {
	const struct cached *cached;
	struct chunk chunk;
};

/* Get one and keep it; every 16th decoding fails. */
static bool stress_get(struct stress_thread *mine, struct held_chunk *ret)
{
	uint64_t id = random_below(&mine->random_state, N_IDS);
	uint64_t size_state = id;	/* every thread draws the same size for it */
	int r;

	ret->chunk = (struct chunk){ .id = id, .raw_size = random_raw_size(&size_state) };
	if (random_below(&mine->random_state, 16) == 0)
		ret->chunk.error = -EIO;
	r = cache_get(mine->cache, id, ret->chunk.raw_size, load_chunk, &ret->chunk, &ret->cached);
	if (r != 0 && r != -EIO)
		mine->n_wrong++;
	return r == 0;
}

static void stress_put(struct stress_thread *mine, struct held_chunk *held)
{
	if (!is_chunk(held->cached, &held->chunk))
		mine->n_wrong++;
	cache_put(mine->cache, held->cached);
}

static void *stress(void *context)
{
	struct stress_thread *mine = context;
	struct held_chunk held[N_HELD_MOST];
	int n_held = 0;

	for (int i = 0; i < 1000; i++) {
		if (n_held < N_HELD_MOST && random_below(&mine->random_state, 2) == 0) {
			n_held += stress_get(mine, &held[n_held]);
		} else if (n_held > 0) {
			int which = (int)random_below(&mine->random_state, (uint32_t)n_held);

			stress_put(mine, &held[which]);
			held[which] = held[--n_held];
		} else {
			(void)cache_has(mine->cache, random_below(&mine->random_state, N_IDS));
		}
	}
	while (n_held > 0)
		stress_put(mine, &held[--n_held]);
	return NULL;
}

static void cache_get__stands_many_threads(void **state)
{
	static const size_t limits[] = { 0, 2 * MIB, 16 * MIB };
	struct fixture *fixture = *state;
	struct stress_thread threads[N_STRESS_THREADS];
	uint64_t random_state = choose_seed();

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		start_cache(fixture, limits[i]);
		for (int k = 0; k < N_STRESS_THREADS; k++) {
			threads[k] = (struct stress_thread){ .cache = fixture->cache,
							     .random_state = random_next(&random_state) };
			assert_int_equal(pthread_create(&threads[k].thread, NULL, stress, &threads[k]), 0);
		}
		for (int k = 0; k < N_STRESS_THREADS; k++)
			(void)pthread_join(threads[k].thread, NULL);
		for (int k = 0; k < N_STRESS_THREADS; k++)
			assert_int_equal(threads[k].n_wrong, 0);
		cache_free(fixture->cache);	/* says if its counts do not end at 0 */
		fixture->cache = NULL;
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(cache_get__decodes_only_what_is_not_there),
		TEST(cache_get__refuses_another_size),
		TEST(cache_get__tries_again_after_a_failure),
		TEST(cache_put__what_is_held_survives_eviction),
		TEST(cache_put__more_held_than_the_limit_leaves_nothing_else),
		TEST(cache_new__may_have_no_room_at_all),
		TEST(cache_get__finds_each_of_many_small_chunks),
		TEST(cache_get__counts_what_small_chunks_cost),
		TEST(cache_get__keeps_within_its_limit),
		TEST(cache_get__a_stream_reuses_its_buffers),
		TEST(cache_get__many_ask_and_one_decodes),
		TEST(cache_get__all_who_wait_learn_of_a_failure),
		TEST(cache_get__a_slow_decoding_stops_nobody_else),
		TEST(cache_get__stands_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
