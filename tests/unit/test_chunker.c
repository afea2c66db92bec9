/* test_chunker.c - cuts are where they were, whatever comes in whichever pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bytes.h"
#include "chunker.h"
#include "digest.h"

#define MIB (1u << 20)

/* The end of each chunk, ascending; the last one is the stream's end. */
struct cuts {
	uint64_t *ends;
	size_t n, room;
};

static void cuts_add(struct cuts *cuts, uint64_t end)
{
	if (cuts->n == cuts->room) {
		cuts->room = cuts->room ? 2 * cuts->room : 256;
		cuts->ends = realloc(cuts->ends, cuts->room * sizeof(*cuts->ends));
		assert_non_null(cuts->ends);
	}
	cuts->ends[cuts->n++] = end;
}

/* splitmix64 */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* `size` bytes, a multiple of 8: splitmix64's numbers from `seed`, each little-endian. */
static uint8_t *noise(uint64_t seed, size_t size)
{
	uint8_t *data = malloc(size);

	assert_non_null(data);
	for (size_t i = 0; i < size; i += 8)
		put_u64(data + i, random_next(&seed));
	return data;
}

/* A seed for what should hold whatever it is; VAULTFS_TEST_SEED repeats a run. */
static uint64_t seed_get(void)
{
	const char *given = getenv("VAULTFS_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	print_message("VAULTFS_TEST_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static struct chunker chunker_of(uint32_t average)
{
	struct chunker_params params;
	struct chunker chunker;

	assert_int_equal(chunker_params_init(&params, average), 0);
	chunker_init(&chunker, &params);
	return chunker;
}

/* Cut `data`, fed in pieces of `piece` bytes, or of random sizes for 0. */
static struct cuts cut(uint32_t average, const uint8_t *data, size_t size, size_t piece, uint64_t *random)
{
	struct chunker chunker = chunker_of(average);
	struct cuts cuts = { 0 };
	size_t done = 0;
	bool is_cut = false;

	while (done < size) {
		size_t n =
			piece ? piece : random_next(random) % (UINT64_C(1) << random_next(random) % 20) + 1;
		size_t used;

		if (n > size - done)
			n = size - done;
		used = chunker_feed(&chunker, data + done, n, &is_cut);
		assert_true(used <= n);
		assert_true(is_cut || used == n);
		done += used;
		if (is_cut)
			cuts_add(&cuts, done);
	}
	if (!is_cut && size > 0)
		cuts_add(&cuts, size);
	return cuts;
}

/* The rule in its plainest form, from the description in the format's man page; the table is derived, not copied. */
static struct cuts cut_plainly(uint32_t average, const uint8_t *data, size_t size)
{
	uint64_t gear[256];
	uint64_t masks[2] = { 0 };
	unsigned n_bits = 0;
	uint32_t max = 4 * average < MIB ? 4 * average : MIB;
	struct cuts cuts = { 0 };
	uint64_t hash = 0;
	uint32_t place = 0;

	for (unsigned b = 0; b < 256; b++) {
		uint8_t text[13] = "vaultfs-gear";
		struct digest digest;

		text[12] = (uint8_t)b;
		assert_int_equal(digest_sha256(text, sizeof(text), &digest), 0);
		gear[b] = get_u64(digest.bytes);
	}
	while (UINT32_C(1) << n_bits < average)
		n_bits++;
	for (unsigned i = 0; i < n_bits + 2; i++)
		masks[0] |= UINT64_C(1) << (62 - 2 * i);
	for (unsigned i = 0; i < n_bits - 2; i++)
		masks[1] |= UINT64_C(1) << (62 - 2 * i);

	for (size_t i = 0; i < size; i++, place++) {
		if (place < average / 4)
			continue;
		hash = 2 * hash + gear[data[i]];
		if ((hash & masks[place >= average]) == 0 || place + 1 == max) {
			cuts_add(&cuts, i + 1);
			place = UINT32_MAX;
			hash = 0;
		}
	}
	if (size > 0 && (cuts.n == 0 || cuts.ends[cuts.n - 1] != size))
		cuts_add(&cuts, size);
	return cuts;
}

static void assert_same_cuts(const struct cuts *a, const struct cuts *b)
{
	assert_int_equal(a->n, b->n);
	assert_memory_equal(a->ends, b->ends, a->n * sizeof(*a->ends));
}

static void chunker_params_init__takes_powers_of_two(void **state)
{
	static const struct {
		uint32_t average;
		int want;
		uint32_t min, max;
	} rows[] = {
		{ 16u << 10, 0, 4u << 10, 64u << 10 },
		{ 64u << 10, 0, 16u << 10, 256u << 10 },
		{ 256u << 10, 0, 64u << 10, MIB },
		{ 512u << 10, 0, 128u << 10, MIB },
		{ 0, -EINVAL, 0, 0 },
		{ 1, -EINVAL, 0, 0 },
		{ 8u << 10, -EINVAL, 0, 0 },
		{ (64u << 10) + 1, -EINVAL, 0, 0 },
		{ 96u << 10, -EINVAL, 0, 0 },
		{ MIB, -EINVAL, 0, 0 },
		{ 1u << 31, -EINVAL, 0, 0 },
		{ UINT32_MAX, -EINVAL, 0, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct chunker_params params = { 0 };

		assert_int_equal(chunker_params_init(&params, rows[i].average), rows[i].want);
		assert_int_equal(params.min, rows[i].min);
		assert_int_equal(params.average, rows[i].want ? 0 : rows[i].average);
		assert_int_equal(params.max, rows[i].max);
	}
}

/* If these change, new data no longer shares chunks with what is in the vaults. */
static void chunker_feed__golden_cuts(void **state)
{
	static const struct {
		uint32_t average;
		size_t n;
		uint64_t ends[8];
	} rows[] = {
		{ 16u << 10, 886, { 20484, 50631, 69812, 88740, 108599, 127097, 148129, 174159 } },
		{ 64u << 10, 219, { 71397, 174159, 214509, 311807, 393957, 464721, 534276, 600727 } },
		{ 256u << 10, 58, { 265335, 604280, 914301, 1087313, 1531840, 1828732, 2127706, 2457349 } },
		{ 512u << 10, 29, { 604280, 1087313, 1751106, 2333517, 2989808, 3530252, 4538033, 5185999 } },
	};
	uint8_t *data = noise(1, 16 * MIB);

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cuts cuts = cut(rows[i].average, data, 16 * MIB, 16 * MIB, NULL);

		assert_int_equal(cuts.n, rows[i].n);
		assert_memory_equal(cuts.ends, rows[i].ends, sizeof(rows[i].ends));
		free(cuts.ends);
	}
	free(data);
}

/* Also the test of the table: each of its values is under way in hundreds of these cuts. */
static void chunker_feed__follows_the_written_rule(void **state)
{
	uint64_t seed = seed_get();
	uint8_t *data = noise(seed, 12 * MIB);

	(void)state;
	/* Long runs and repetitions, where nothing but max cuts. */
	memset(data + 5 * MIB, 0, 2 * MIB);
	for (size_t i = 7 * MIB; i < 8 * MIB; i++)
		data[i] = (uint8_t)(i % 10);
	for (uint32_t average = CHUNK_AVERAGE_MIN; average <= CHUNK_AVERAGE_MAX; average *= 2) {
		struct cuts got = cut(average, data, 12 * MIB - 3, 12 * MIB, NULL);
		struct cuts want = cut_plainly(average, data, 12 * MIB - 3);

		assert_same_cuts(&got, &want);
		free(got.ends);
		free(want.ends);
	}
	free(data);
}

static void chunker_feed__same_cuts_whatever_the_pieces(void **state)
{
	static const size_t pieces[] = { 1, 7, 4096, 65537, 131072, MIB };
	uint64_t random = seed_get();
	size_t size = 4 * MIB;
	uint8_t *data = noise(random, size);

	(void)state;
	memset(data + MIB, 0, MIB + 5);
	for (uint32_t average = CHUNK_AVERAGE_MIN; average <= CHUNK_AVERAGE_MAX; average *= 4) {
		struct cuts want = cut(average, data, size, size, NULL);

		for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			struct cuts got = cut(average, data, size, pieces[i], NULL);

			assert_same_cuts(&got, &want);
			free(got.ends);
		}
		for (unsigned i = 0; i < 40; i++) {
			struct cuts got = cut(average, data, size, 0, &random);

			assert_same_cuts(&got, &want);
			free(got.ends);
		}
		free(want.ends);
	}
	free(data);
}

static void chunker_feed__keeps_the_bounds(void **state)
{
	size_t size = 16 * MIB;
	uint8_t *data = noise(2, size);

	(void)state;
	memset(data + 4 * MIB, 0x55, 4 * MIB);
	for (uint32_t average = CHUNK_AVERAGE_MIN; average <= CHUNK_AVERAGE_MAX; average *= 2) {
		struct chunker_params params;
		struct cuts cuts = cut(average, data, size, 10000, NULL);
		unsigned n_longest = 0;

		assert_int_equal(chunker_params_init(&params, average), 0);
		for (size_t i = 0; i < cuts.n; i++) {
			uint64_t length = cuts.ends[i] - (i ? cuts.ends[i - 1] : 0);

			assert_true(length <= params.max);
			assert_true(length > params.min || i + 1 == cuts.n);
			n_longest += length == params.max;
		}
		assert_true(n_longest >= 4 * MIB / params.max - 1);
		assert_int_equal(cuts.ends[cuts.n - 1], size);
		free(cuts.ends);
	}
	free(data);
}

static void chunker_feed__average_is_near_nominal(void **state)
{
	size_t size = 64 * MIB;
	uint8_t *data = noise(3, size);

	(void)state;
	for (uint32_t average = CHUNK_AVERAGE_MIN; average <= CHUNK_AVERAGE_MAX; average *= 2) {
		struct cuts cuts = cut(average, data, size, size, NULL);
		double mean = (double)size / (double)cuts.n;

		assert_true(mean > 0.75 * average && mean < 1.25 * average);
		free(cuts.ends);
	}
	free(data);
}

/* The sum of each chunk. */
static uint64_t *chunk_sums(const uint8_t *data, const struct cuts *cuts)
{
	uint64_t *sums = malloc(cuts->n * sizeof(*sums));

	assert_non_null(sums);
	for (size_t i = 0; i < cuts->n; i++) {
		uint64_t start = i ? cuts->ends[i - 1] : 0;

		sums[i] = checksum_xxh3(data + start, cuts->ends[i] - start);
	}
	return sums;
}

/* How many of `a` are not in `b`. */
static size_t n_absent(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b)
{
	size_t n = 0;

	for (size_t i = 0; i < n_a; i++) {
		size_t j = 0;

		while (j < n_b && b[j] != a[i])
			j++;
		n += j == n_b;
	}
	return n;
}

static void chunker_feed__finds_its_way_back_after_an_insertion(void **state)
{
	static const size_t n_inserted[] = { 1, 7, 4096, 100003 };
	size_t size = 32 * MIB;
	size_t at = 1000;
	uint8_t *data = noise(4, size);
	uint8_t *shifted = malloc(size + 100003);
	struct cuts cuts = cut(CHUNK_AVERAGE_DEFAULT, data, size, size, NULL);
	uint64_t *sums = chunk_sums(data, &cuts);

	(void)state;
	assert_non_null(shifted);
	for (unsigned k = 0; k < sizeof(n_inserted) / sizeof(n_inserted[0]); k++) {
		size_t n = n_inserted[k];
		struct cuts other;
		uint64_t *other_sums;
		size_t n_lost;

		memcpy(shifted, data, at);
		memset(shifted + at, 'x', n);
		memcpy(shifted + at + n, data + at, size - at);
		other = cut(CHUNK_AVERAGE_DEFAULT, shifted, size + n, 65536, NULL);
		other_sums = chunk_sums(shifted, &other);
		n_lost = n_absent(sums, cuts.n, other_sums, other.n);
		assert_in_range(n_lost, 1, 6);
		free(other_sums);
		free(other.ends);
	}
	free(sums);
	free(cuts.ends);
	free(shifted);
	free(data);
}

/* What was fed before a cut or a reset has no say in the cuts behind it. */
static void chunker__starts_anew_after_cut_and_reset(void **state)
{
	struct chunker chunker = chunker_of(CHUNK_AVERAGE_MIN);
	size_t size = 4 * MIB;
	uint8_t *data = noise(5, size);
	struct cuts cuts = cut(CHUNK_AVERAGE_MIN, data, size, size, NULL);
	bool is_cut = true;

	(void)state;
	for (size_t i = 0; i + 1 < cuts.n; i++) {
		size_t start = cuts.ends[i];

		(void)chunker_feed(&chunker, data, 5000, &is_cut);
		chunker_reset(&chunker);
		assert_int_equal(chunker_feed(&chunker, data + start, size - start, &is_cut),
				 cuts.ends[i + 1] - start);
		assert_true(is_cut || i + 2 == cuts.n);
	}
	free(cuts.ends);
	free(data);
}

static void chunker_feed__takes_nothing_of_nothing(void **state)
{
	struct chunker chunker = chunker_of(CHUNK_AVERAGE_DEFAULT);
	bool is_cut = true;
	uint8_t byte = 0;

	(void)state;
	assert_int_equal(chunker_feed(&chunker, &byte, 0, &is_cut), 0);
	assert_false(is_cut);
	assert_int_equal(chunker_feed(&chunker, &byte, 1, &is_cut), 1);
	assert_false(is_cut);
	assert_int_equal(chunker.position, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunker_params_init__takes_powers_of_two),
		cmocka_unit_test(chunker_feed__golden_cuts),
		cmocka_unit_test(chunker_feed__follows_the_written_rule),
		cmocka_unit_test(chunker_feed__same_cuts_whatever_the_pieces),
		cmocka_unit_test(chunker_feed__keeps_the_bounds),
		cmocka_unit_test(chunker_feed__average_is_near_nominal),
		cmocka_unit_test(chunker_feed__finds_its_way_back_after_an_insertion),
		cmocka_unit_test(chunker__starts_anew_after_cut_and_reset),
		cmocka_unit_test(chunker_feed__takes_nothing_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
