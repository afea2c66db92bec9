/* test_watch.c - when is half of a file read, whatever the order? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../random.h"
#include "library.h"
#include "watch.h"

static uint64_t file_size; /* of the one file */
static unsigned n_asked;

uint64_t vault_watchable_size(struct vault *vault, uint64_t id)
{
	(void)vault;
	(void)id;
	n_asked++;
	return file_size;
}

/* Read on from the start in steps; where it fired, or 0. */
static uint64_t fires_at(uint64_t size, size_t step)
{
	struct watch watch = { 0 };
	uint64_t fired = 0;

	file_size = size;
	for (uint64_t at = 0; at < size; at += step) {
		size_t n = size - at < step ? (size_t)(size - at) : step;

		if (watch_read(&watch, NULL, 1, at, n)) {
			assert_int_equal(fired, 0);
			fired = at + n;
		}
	}
	return fired;
}

static void reading_on__fires_once_in_the_middle(void **state)
{
	static const uint64_t sizes[] = { 65536,      65537, 100000, 1 << 20, 1000003, UINT64_C(10) << 30,
					  98765432101 };
	static const size_t steps[] = { 65536, 131072, 1 << 20 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
			uint64_t fired = fires_at(sizes[i], steps[j]);

			assert_true(fired >= sizes[i] / 2 - sizes[i] / 100);
			assert_true(fired <= sizes[i] / 2 + steps[j] + sizes[i] / 100 || fired == sizes[i]);
		}
	}
}

static void second_time__adds_nothing(void **state)
{
	struct watch watch = { 0 };

	(void)state;
	file_size = 100 << 20;
	for (int round = 0; round < 10; round++)
		for (uint64_t at = 0; at < 45 << 20; at += 1 << 20)
			assert_false(watch_read(&watch, NULL, 1, at, 1 << 20));
	for (uint64_t at = 90 << 20; at < 94 << 20; at += 1 << 20)
		assert_false(watch_read(&watch, NULL, 1, at, 1 << 20));
	assert_true(watch_read(&watch, NULL, 1, 60 << 20, 2 << 20));
	assert_false(watch_read(&watch, NULL, 1, 0, 100 << 20));
}

/* Reads here and there: it fires when about half was read, as a map of the very bytes has it. */
static void jumping_about__counts_what_was_read(void **state)
{
	enum { SIZE = 40 << 20, PAGE = 4096, N_PAGES = SIZE / PAGE };
	static bool pages[N_PAGES];
	struct random random = { random_seed_or("0") };
	struct watch watch = { 0 };
	size_t n_read = 0;
	bool fired = false;

	(void)state;
	file_size = SIZE;
	memset(pages, 0, sizeof(pages));
	while (n_read < N_PAGES * 8 / 10 && !fired) {
		size_t first = random_below(&random, N_PAGES), n = random_below(&random, 64) + 1;

		if (n > N_PAGES - first)
			n = N_PAGES - first;
		for (size_t i = first; i < first + n; i++) {
			n_read += !pages[i];
			pages[i] = true;
		}
		fired = watch_read(&watch, NULL, 1, (uint64_t)first * PAGE, n * PAGE);
	}
	assert_true(fired);
	assert_in_range(n_read, N_PAGES * 42 / 100, N_PAGES * 58 / 100);
}

static void what_nobody_watches__is_asked_for_once(void **state)
{
	struct watch watch = { 0 };

	(void)state;
	file_size = 0;
	n_asked = 0;
	for (uint64_t at = 0; at < 10 << 20; at += 1 << 20)
		assert_false(watch_read(&watch, NULL, 1, at, 1 << 20));
	assert_int_equal(n_asked, 1);
}

static void small_file__is_not_asked_for(void **state)
{
	struct watch watch = { 0 };

	(void)state;
	file_size = 65535;
	n_asked = 0;
	assert_false(watch_read(&watch, NULL, 1, 0, 65535));
	assert_int_equal(n_asked, 0);
	assert_false(watch_read(&watch, NULL, 1, 4096, 65535));
	assert_int_equal(n_asked, 1);
}

static void past_the_end__nothing_is_read(void **state)
{
	struct watch watch = { 0 };

	(void)state;
	file_size = 1 << 20;
	assert_false(watch_read(&watch, NULL, 1, 2 << 20, 1 << 20));
	assert_false(watch_read(&watch, NULL, 1, UINT64_MAX - 1, 1));
	assert_true(watch_read(&watch, NULL, 1, 0, 1 << 20));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_on__fires_once_in_the_middle),
		cmocka_unit_test(second_time__adds_nothing),
		cmocka_unit_test(jumping_about__counts_what_was_read),
		cmocka_unit_test(what_nobody_watches__is_asked_for_once),
		cmocka_unit_test(small_file__is_not_asked_for),
		cmocka_unit_test(past_the_end__nothing_is_read),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
