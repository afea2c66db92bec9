/* bench.c - see bench.h. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void bench_die(const char *format, ...)
{
	const int error = errno;
	va_list args;

	(void)fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fprintf(stderr, ": %s\n", error ? strerror(error) : "failed");
	exit(1);
}

double bench_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* splitmix64 */
uint64_t bench_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void bench_fill(uint64_t *state, void *buffer, size_t size)
{
	char *at = buffer;

	while (size > 0) {
		const uint64_t word = bench_random(state);
		const size_t n = size < sizeof(word) ? size : sizeof(word);

		memcpy(at, &word, n);
		at += n;
		size -= n;
	}
}

uint64_t bench_size(const char *text)
{
	static const char units[] = "kmgt";
	char *end = NULL;
	uint64_t value = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (end == text || (*end && (!unit || end[1]))) {
		errno = EINVAL;
		bench_die("%s", text);
	}
	return unit ? value << 10 * (unit - units + 1) : value;
}

const char *bench_map(const char *path, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0)
		bench_die("%s", path);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		bench_die("%s", path);
	(void)close(fd);
	*ret_size = (size_t)st.st_size;
	return map;
}

void bench_write(int fd, const void *data, size_t size, const char *name)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0)
			bench_die("writing %s", name);
		at += n;
		size -= (size_t)n;
	}
}

size_t bench_random_size(uint64_t *state, size_t least, size_t most)
{
	size_t low = least;

	if (most <= least)
		return least;
	while (low * 2 < most && bench_random(state) % 4 != 0)
		low *= 2;
	if (low * 2 > most)
		return low + bench_random(state) % (most - low + 1);
	return low + bench_random(state) % low;
}

void bench_sample(struct bench_samples *samples, double seconds)
{
	if (samples->count == samples->capacity) {
		samples->capacity = samples->capacity ? samples->capacity * 2 : 1024;
		samples->seconds = realloc(samples->seconds, samples->capacity * sizeof(*samples->seconds));
		if (!samples->seconds)
			bench_die("samples");
	}
	samples->seconds[samples->count++] = seconds;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_percentile(struct bench_samples *samples, double share)
{
	if (samples->count == 0)
		return 0;
	qsort(samples->seconds, samples->count, sizeof(*samples->seconds), by_value);
	return samples->seconds[(size_t)(share * (double)(samples->count - 1) + 0.5)];
}

int bench_main(const struct bench_mode *modes, size_t n_modes, int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < n_modes; i++) {
		if (strcmp(argv[1], modes[i].name) != 0 || argc - 2 != modes[i].n_arguments)
			continue;
		modes[i].run(argv + 2);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	for (size_t i = 0; i < n_modes; i++)
		(void)fprintf(stderr, "usage: %s %s %s\n", argv[0], modes[i].name, modes[i].usage);
	return 2;
}
