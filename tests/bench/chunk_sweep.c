/* chunk_sweep.c - what a vault's chunk average costs and saves, measured on given files.
 *
 *	chunk_sweep [-a AVERAGE] [-j THREADS] PATH...
 *
 * Takes every regular file below the paths, each as a stream of its own as the filesystem does, cuts, hashes, looks up
 * and compresses it with store's own modules, and prints one line per average (all of them without -a, in KiB). Nothing
 * is written. Files that hold the same content in two paths dedup against each other: give an old and a new tree. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "auto.h"
#include "chunker.h"
#include "codec.h"
#include "digest.h"

#define CHUNK_ROW_BYTES 75u  /* of the database for a chunk, its index entries included */
#define EXTENT_ROW_BYTES 18u /* and for an extent */
#define THREADS_MAX 64u

struct file_list {
	char **paths;
	size_t n, room;
};

/* nftw(3) passes no context. */
static struct file_list files;

struct counts {
	uint64_t raw_bytes, unique_bytes, stored_bytes, n_extents, n_chunks, n_raw_codec;
	double cut_s, hash_s, find_s, encode_s; /* CPU time */
};

/* The digests seen; open addressing, at most half full. */
struct digest_set {
	pthread_mutex_t lock; /* guards all below */
	struct digest *slots;
	uint8_t *used;
	size_t n, room;
};

struct worker {
	pthread_t thread;
	const struct chunker_params *params;
	struct digest_set *set;
	size_t first, step; /* takes files first, first + step, ... */
	struct codec_context *codec;
	uint8_t *out;
	struct counts counts;
	int result;
};

static double cpu_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* cannot fail */
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double wall_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail */
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int file_add(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)where;
	if (type != FTW_F || !S_ISREG(st->st_mode) || st->st_size == 0)
		return 0;
	if (files.n == files.room) {
		size_t room = files.room ? 2 * files.room : 1024;
		char **paths = reallocarray(files.paths, room, sizeof(*paths));

		if (!paths)
			return -1;
		files.paths = paths;
		files.room = room;
	}
	files.paths[files.n] = strdup(path);
	return files.paths[files.n++] ? 0 : -1;
}

static size_t slot_of(const struct digest_set *set, const struct digest *digest)
{
	uint64_t start;
	size_t i;

	memcpy(&start, digest->bytes, sizeof(start));
	i = (size_t)start & (set->room - 1);
	while (set->used[i] && memcmp(&set->slots[i], digest, sizeof(*digest)) != 0)
		i = (i + 1) & (set->room - 1);
	return i;
}

static int set_grow_locked(struct digest_set *set)
{
	struct digest_set old = *set;

	set->room = old.room ? 2 * old.room : 4096;
	set->slots = calloc(set->room, sizeof(*set->slots));
	set->used = calloc(set->room, 1);
	if (!set->slots || !set->used)
		return -ENOMEM;
	for (size_t i = 0; i < old.room; i++) {
		if (old.used[i]) {
			size_t to = slot_of(set, &old.slots[i]);

			set->slots[to] = old.slots[i];
			set->used[to] = 1;
		}
	}
	free(old.slots);
	free(old.used);
	return 0;
}

/* 1 if the digest is new, 0 if it was there. */
static int set_add(struct digest_set *set, const struct digest *digest)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&set->lock);
	size_t i;

	(void)held;
	if (2 * (set->n + 1) > set->room && set_grow_locked(set) < 0)
		return -ENOMEM;
	i = slot_of(set, digest);
	if (set->used[i])
		return 0;
	set->slots[i] = *digest;
	set->used[i] = 1;
	set->n++;
	return 1;
}

static int chunk_take(struct worker *worker, const uint8_t *raw, uint32_t raw_size)
{
	struct counts *counts = &worker->counts;
	enum codec codec = CODEC_RAW;
	uint32_t stored_size = 0;
	struct digest digest;
	double start = cpu_now();
	double hashed;
	double found;
	int r = digest_sha256(raw, raw_size, &digest);

	if (r < 0)
		return r;
	hashed = cpu_now();
	r = set_add(worker->set, &digest);
	found = cpu_now();
	counts->hash_s += hashed - start;
	counts->find_s += found - hashed;
	counts->n_extents++;
	if (r <= 0)
		return r;

	r = codec_encode(worker->codec, raw, raw_size, worker->out, &codec, &stored_size);
	if (r < 0)
		return r;
	counts->encode_s += cpu_now() - found;
	counts->n_chunks++;
	counts->n_raw_codec += codec == CODEC_RAW;
	counts->unique_bytes += raw_size;
	counts->stored_bytes += stored_size;
	return 0;
}

static int bytes_take(struct worker *worker, const uint8_t *data, size_t size)
{
	struct chunker chunker;
	size_t done = 0;

	chunker_init(&chunker, worker->params);
	while (done < size) {
		bool cut = false;
		double start = cpu_now();
		size_t n = chunker_feed(&chunker, data + done, size - done, &cut);
		int r;

		worker->counts.cut_s += cpu_now() - start;
		r = chunk_take(worker, data + done, (uint32_t)n);
		if (r < 0)
			return r;
		done += n;
	}
	return 0;
}

static int file_take(struct worker *worker, const char *path)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		fprintf(stderr, "%s: %s\n", path, strerror(-r));
		return r;
	}
	/* MAP_POPULATE: page faults are paid here and not in the stages that are timed. */
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (data == MAP_FAILED) {
		r = -errno;
		fprintf(stderr, "%s: %s\n", path, strerror(-r));
		return r;
	}
	r = bytes_take(worker, data, (size_t)st.st_size);
	worker->counts.raw_bytes += (uint64_t)st.st_size;
	(void)munmap(data, (size_t)st.st_size); /* fails only for addresses that are not ours */
	return r;
}

static void *worker_run(void *argument)
{
	struct worker *worker = argument;

	worker->result = codec_context_new(&worker->codec);
	worker->out = malloc(CODEC_STORED_MAX(1u << 20));
	if (worker->result == 0 && !worker->out)
		worker->result = -ENOMEM;
	for (size_t i = worker->first; i < files.n && worker->result == 0; i += worker->step)
		worker->result = file_take(worker, files.paths[i]);
	codec_context_free(worker->codec);
	free(worker->out);
	return NULL;
}

static void counts_add(struct counts *sum, const struct counts *counts)
{
	sum->raw_bytes += counts->raw_bytes;
	sum->unique_bytes += counts->unique_bytes;
	sum->stored_bytes += counts->stored_bytes;
	sum->n_extents += counts->n_extents;
	sum->n_chunks += counts->n_chunks;
	sum->n_raw_codec += counts->n_raw_codec;
	sum->cut_s += counts->cut_s;
	sum->hash_s += counts->hash_s;
	sum->find_s += counts->find_s;
	sum->encode_s += counts->encode_s;
}

static double ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static void counts_print(uint32_t average, const struct counts *c, double wall_s)
{
	uint64_t database = c->n_chunks * CHUNK_ROW_BYTES + c->n_extents * EXTENT_ROW_BYTES;
	double unique = (double)c->unique_bytes;
	double raw = (double)c->raw_bytes;

	printf("%7u %9.1f %9.1f %6.3f %9.1f %6.3f %7.3f %8" PRIu64 " %8" PRIu64
	       " %6.1f %9.1f %9.1f %6.0f %6.0f %6.0f %6.0f\n",
	       average >> 10, raw / 1e6, unique / 1e6, ratio(raw, unique), (double)c->stored_bytes / 1e6,
	       ratio((double)c->stored_bytes, unique), ratio((double)c->stored_bytes, raw), c->n_chunks,
	       c->n_extents, ratio(100.0 * (double)c->n_raw_codec, (double)c->n_chunks),
	       (double)database / 1e3, (double)(c->stored_bytes + database) / 1e6, ratio(raw / 1e6, c->cut_s),
	       ratio(raw / 1e6, c->hash_s), ratio(unique / 1e6, c->encode_s), ratio(raw / 1e6, wall_s));
}

static int sweep_one(uint32_t average, unsigned n_threads)
{
	struct worker workers[THREADS_MAX] = { 0 };
	struct digest_set set = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct counts sum = { 0 };
	struct chunker_params params;
	double start = wall_now();
	unsigned n_started = 0;
	int r = chunker_params_init(&params, average);

	for (unsigned i = 0; i < n_threads && r == 0; i++) {
		workers[i].params = &params;
		workers[i].set = &set;
		workers[i].first = i;
		workers[i].step = n_threads;
		r = -pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]);
		if (r == 0)
			n_started++;
	}
	for (unsigned i = 0; i < n_started; i++) {
		(void)pthread_join(workers[i].thread,
				   NULL); /* fails only for a thread that is not ours to join */
		if (r == 0)
			r = workers[i].result;
		counts_add(&sum, &workers[i].counts);
	}
	if (r == 0)
		counts_print(average, &sum, wall_now() - start);
	free(set.slots);
	free(set.used);
	return r;
}

int main(int argc, char **argv)
{
	unsigned long average = 0;
	unsigned long n_threads = 1;
	int option;
	int r = 0;

	while ((option = getopt(argc, argv, "a:j:")) != -1) {
		if (option == 'a')
			average = strtoul(optarg, NULL, 10) << 10;
		else if (option == 'j')
			n_threads = strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind == argc || n_threads == 0 || n_threads > THREADS_MAX || average > CHUNK_AVERAGE_MAX) {
		fprintf(stderr, "usage: chunk_sweep [-a AVERAGE_KIB] [-j THREADS] PATH...\n");
		return 2;
	}
	for (int i = optind; i < argc; i++) {
		if (nftw(argv[i], file_add, 64, FTW_PHYS) != 0) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			return 1;
		}
	}

	printf("%zu files; MB = 10^6 bytes; cut, hash, encode: MB/s of CPU time; "
	       "all: MB/s of %lu thread(s), wall clock\n",
	       files.n, n_threads);
	printf("avg/KiB    raw/MB unique/MB  dedup stored/MB  codec st./raw   chunks  extents"
	       "   raw%%     db/kB  total/MB    cut   hash encode    all\n");
	if (average > 0)
		r = sweep_one((uint32_t)average, (unsigned)n_threads);
	else
		for (uint32_t a = 32u << 10; a <= CHUNK_AVERAGE_MAX && r == 0; a *= 2)
			r = sweep_one(a, (unsigned)n_threads);

	for (size_t i = 0; i < files.n; i++)
		free(files.paths[i]);
	free(files.paths);
	return r < 0;
}
