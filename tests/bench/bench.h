/* bench.h - what the measuring programs share: a clock, random numbers, samples, and giving up loudly.
 *
 * These programs measure; they do not test. A call that fails ends them with one line and status 1. */
#ifndef VAULTFS_BENCH_H
#define VAULTFS_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* "bench_io: WHAT: errno's text", then exit(1). */
void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

double bench_seconds(void);
uint64_t bench_random(uint64_t *state);

/* Fill with bytes that do not compress; the same for the same state. */
void bench_fill(uint64_t *state, void *buffer, size_t size);

/* "4k", "256m", "1g", "1t" or plain bytes. */
uint64_t bench_size(const char *text);

/* The whole of a file, already in memory, for reading; never unmapped. */
const char *bench_map(const char *path, size_t *ret_size);

void bench_write(int fd, const void *data, size_t size, const char *name);

/* A size between `least` and `most`, each power of two as likely as the next: many small, few large, as in real trees. */
size_t bench_random_size(uint64_t *state, size_t least, size_t most);

struct bench_samples {
	double *seconds;
	size_t count, capacity;
};
void bench_sample(struct bench_samples *samples, double seconds);
/* Sorts. `share` 0.5 = the median, 1 = the longest; 0 if there are none. */
double bench_percentile(struct bench_samples *samples, double share);

/* Modes: bench_io NAME ARGUMENTS. */
struct bench_mode {
	const char *name, *usage;
	int n_arguments;
	void (*run)(char **arguments);
};
int bench_main(const struct bench_mode *modes, size_t n_modes, int argc, char **argv);

void bench_create(char **arguments);
void bench_walk(char **arguments);
void bench_readall(char **arguments);
void bench_delete(char **arguments);
void bench_latency(char **arguments);

#endif
