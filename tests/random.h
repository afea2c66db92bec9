/* random.h - a small seeded generator: the same seed gives the same run everywhere. */
#ifndef VAULTFS_TESTS_RANDOM_H
#define VAULTFS_TESTS_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct random {
	uint64_t state;
};

/* splitmix64 */
static inline uint64_t random_next(struct random *r)
{
	uint64_t x = r->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* 0 to n - 1 */
static inline size_t random_below(struct random *r, size_t n)
{
	return (size_t)(random_next(r) % n);
}

/* 1 to max, small ones as likely as large ones */
static inline size_t random_size(struct random *r, size_t max)
{
	unsigned bits = (unsigned)random_below(r, 64 - (unsigned)__builtin_clzll(max)) + 1;
	size_t n = random_below(r, (size_t)1 << bits) + 1;

	return n < max ? n : max;
}

/* VAULTFS_TEST_SEED, or a new one. Who uses it says it, so that a failure can be had again. */
static inline uint64_t random_seed(void)
{
	const char *given = getenv("VAULTFS_TEST_SEED");
	struct timespec now;

	if (given)
		return strtoull(given, NULL, 10);
	clock_gettime(CLOCK_REALTIME, &now);
	return ((uint64_t)now.tv_sec * 1000003u ^ (uint64_t)now.tv_nsec) % 1000000000u;
}

/* The seed that `text` says, or random_seed() where that is 0; it is printed. */
static inline uint64_t random_seed_or(const char *text)
{
	uint64_t seed = strtoull(text, NULL, 10);

	if (seed == 0)
		seed = random_seed();
	printf("seed %ju\n", (uintmax_t)seed);
	fflush(stdout);
	return seed;
}

#endif
