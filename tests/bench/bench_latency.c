/* bench_latency.c - how long others wait beside a writer at full speed. A mode of bench_io.
 *
 * Four threads on one filesystem: one writes without a pause, incompressible and never twice the same; one writes 4 KiB
 * files and fsyncs each; one creates empty files; one looks names up that nobody has asked for since the mount. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK ((size_t)1 << 20)
#define BASE ((size_t)16 << 20)      /* random bytes that the writer stamps anew each time round */
#define FILE_MAX ((uint64_t)1 << 30) /* then it deletes the file and begins another */
#define PAGE ((size_t)4096)
#define CREATE_PAUSE_US 5000u
#define FSYNC_PAUSE_US 20000u
#define LOOKUP_PAUSE_US 1000u

struct latency {
	int directory;
	const char *lookup_directory;
	uint64_t n_lookup;
	double end;                                    /* when to stop */
	double seconds;                                /* that it takes */
	uint64_t written;                              /* the writer's */
	struct bench_samples fsyncs, creates, lookups; /* each its thread's */
};

static int create_in(const struct latency *work, const char *name)
{
	int fd = openat(work->directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		bench_die("creating %s", name);
	return fd;
}

static void *write_steadily(void *context)
{
	struct latency *work = context;
	uint64_t state = 42, stamp = 0, in_file = 0;
	char *base = malloc(BASE);
	int fd = create_in(work, "steady");

	if (!base)
		bench_die("memory");
	bench_fill(&state, base, BASE);
	while (bench_seconds() < work->end) {
		char *block = base + work->written % BASE;

		for (size_t at = 0; at < BLOCK; at += PAGE, stamp++)
			memcpy(block + at, &stamp, sizeof(stamp));
		bench_write(fd, block, BLOCK, "steady");
		work->written += BLOCK;
		in_file += BLOCK;
		if (in_file >= FILE_MAX) {
			(void)close(fd);
			if (unlinkat(work->directory, "steady", 0) < 0)
				bench_die("deleting steady");
			fd = create_in(work, "steady");
			in_file = 0;
		}
	}
	(void)close(fd);
	free(base);
	return NULL;
}

static void *fsync_small_files(void *context)
{
	struct latency *work = context;
	char data[PAGE], name[32];
	uint64_t state = 43;

	for (unsigned i = 0; bench_seconds() < work->end; i++) {
		double begin;
		int fd;

		(void)snprintf(name, sizeof(name), "fsync%u", i);
		bench_fill(&state, data, sizeof(data));
		fd = create_in(work, name);
		bench_write(fd, data, sizeof(data), name);
		begin = bench_seconds();
		if (fsync(fd) < 0)
			bench_die("fsync of %s", name);
		bench_sample(&work->fsyncs, bench_seconds() - begin);
		(void)close(fd);
		(void)usleep(FSYNC_PAUSE_US);
	}
	return NULL;
}

static void *create_files(void *context)
{
	struct latency *work = context;
	char name[32];

	for (unsigned i = 0; bench_seconds() < work->end; i++) {
		double begin;

		(void)snprintf(name, sizeof(name), "create%u", i);
		begin = bench_seconds();
		(void)close(create_in(work, name));
		bench_sample(&work->creates, bench_seconds() - begin);
		(void)usleep(CREATE_PAUSE_US);
	}
	return NULL;
}

static void *look_up(void *context)
{
	struct latency *work = context;
	char path[4096];

	for (uint64_t i = 0; i < work->n_lookup && bench_seconds() < work->end; i++) {
		/* A stride that is prime to the counts in use: each name once, neighbours far apart. */
		const uint64_t pick = i * 7919 % work->n_lookup;
		struct stat st;
		double begin;

		(void)snprintf(path, sizeof(path), "%s/d%05llu/f%03llu.txt", work->lookup_directory,
			       (unsigned long long)(pick / 100), (unsigned long long)(pick % 100));
		begin = bench_seconds();
		if (stat(path, &st) < 0)
			bench_die("stat of %s", path);
		bench_sample(&work->lookups, bench_seconds() - begin);
		(void)usleep(LOOKUP_PAUSE_US);
	}
	return NULL;
}

static void print(const char *name, struct bench_samples *samples)
{
	(void)printf("%s_p50_ms %.3f\n%s_p99_ms %.3f\n%s_max_ms %.3f\n%s_count %zu\n", name,
		     bench_percentile(samples, 0.5) * 1e3, name, bench_percentile(samples, 0.99) * 1e3, name,
		     bench_percentile(samples, 1) * 1e3, name, samples->count);
}

void bench_latency(char **arguments)
{
	void *(*const roles[])(void *) = { write_steadily, fsync_small_files, create_files, look_up };
	pthread_t threads[sizeof(roles) / sizeof(roles[0])];
	static struct latency work;
	const double begin = bench_seconds();

	work.directory = open(arguments[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (work.directory < 0)
		bench_die("%s", arguments[0]);
	work.end = begin + (double)bench_size(arguments[1]);
	work.lookup_directory = arguments[2];
	work.n_lookup = bench_size(arguments[3]);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if ((errno = pthread_create(&threads[i], NULL, roles[i], &work)) != 0)
			bench_die("thread");
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		(void)pthread_join(threads[i], NULL);
	(void)printf("writer_mb_per_s %.3f\n", (double)work.written / 1e6 / (bench_seconds() - begin));
	print("fsync", &work.fsyncs);
	print("create", &work.creates);
	print("lookup", &work.lookups);
	(void)close(work.directory);
}
