/* test_listing_names.c - files of one name are told apart in a way that follows from the files alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "../random.h"
#include "auto.h"
#include "casefold.h"
#include "listing_names.h"
#include "listing_set.h"

static void other_name__keeps_extension(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "a.jpg", "a~12.jpg" },
		{ "a", "a~12" },
		{ "a.tar.gz", "a~12.tar.gz" },
		{ "a.TAR.xz", "a~12.TAR.xz" },
		{ "tar.gz", "tar~12.gz" },
		{ ".tar.gz", ".tar~12.gz" },
		{ "a.b.gz", "a.b~12.gz" },
		{ ".bashrc", ".bashrc~12" },
		{ ".a.jpg", ".a~12.jpg" },
		{ "a.", "a.~12" },
		{ "..", "..~12" },
		{ "v1.5 final", "v1.5 final~12" },
		{ "a.longextension", "a.longextension~12" },
		{ "a~7.jpg", "a~7~12.jpg" },
		{ "\xc3\x9c.jpg", "\xc3\x9c~12.jpg" },
		{ "a.\xc3\xbc", "a.\xc3\xbc~12" },
	};
	char other[VAULT_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		vault_listing_other_name(rows[i].name, 12, other);
		assert_string_equal(other, rows[i].want);
		assert_int_equal(listing_named_id(other, strlen(other)), 12);
	}
}

static void other_name__is_cut_between_characters(void **state)
{
	char name[VAULT_NAME_MAX + 1], other[VAULT_NAME_MAX + 1];

	(void)state;
	/* Every place at which a character of two bytes may stand before the cut. */
	for (size_t shift = 0; shift < 2; shift++) {
		memset(name, 'x', shift);
		for (size_t i = shift; i + 1 < VAULT_NAME_MAX - 4; i += 2)
			memcpy(name + i, "\xc3\xbc", 2);
		(void)snprintf(name + VAULT_NAME_MAX - 4 - (shift == 0), 5 + (shift == 0), "%s.mkv",
			       shift == 0 ? "y" : "");
		assert_int_equal(strlen(name), VAULT_NAME_MAX);
		vault_listing_other_name(name, UINT64_MAX, other);
		assert_true(strlen(other) <= VAULT_NAME_MAX && strlen(other) >= VAULT_NAME_MAX - 1);
		assert_true(utf8_is_valid(other, strlen(other)));
		assert_string_equal(other + strlen(other) - 25, "~18446744073709551615.mkv");
		assert_true(listing_named_id(other, strlen(other)) == UINT64_MAX);
	}
}

static void named_id__refuses_what_is_no_other_name(void **state)
{
	static const char *const rows[] = {
		"",
		"a",
		"12",
		"~12",
		"a~",
		"a~.jpg",
		"a~012.jpg",
		"a~0",
		"a~1x",
		"a~-1",
		"a~12.jpg.part file",
		"a12.jpg",
		"a~18446744073709551616",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (listing_named_id(rows[i], strlen(rows[i])) != 0)
			fail_msg("'%s' is taken for an other name", rows[i]);
}

/* ---- sets ---- */

static _Atomic size_t used;

static int set_setup(void **state)
{
	static struct listing_set set;

	listing_set_init(&set, &used);
	*state = &set;
	return 0;
}

static int set_teardown(void **state)
{
	listing_set_release(*state);
	return used == 0 ? 0 : -1;
}

static void assert_shown(const struct listing_set *set, uint64_t id, const char *want)
{
	char name[VAULT_NAME_MAX + 1];
	uint64_t found = 0;

	assert_int_equal(listing_set_name(set, id, name), 0);
	assert_string_equal(name, want);
	assert_int_equal(listing_set_find(set, want, &found), 0);
	assert_int_equal(found, id);
}

static void set__lowest_id_keeps_the_name(void **state)
{
	struct listing_set *set = *state;
	uint64_t id = 0;

	assert_int_equal(listing_set_put(set, 9, "a.jpg"), 1);
	assert_int_equal(listing_set_put(set, 9, "a.jpg"), 0);
	assert_shown(set, 9, "a.jpg");
	assert_int_equal(listing_set_put(set, 30, "a.jpg"), 1);
	assert_int_equal(listing_set_put(set, 5, "a.jpg"), 1);
	assert_shown(set, 5, "a.jpg");
	assert_shown(set, 9, "a~9.jpg");
	assert_shown(set, 30, "a~30.jpg");
	/* Also the one that is shown under the plain name. */
	assert_int_equal(listing_set_find(set, "a~5.jpg", &id), 0);
	assert_int_equal(id, 5);
	assert_int_equal(listing_set_find(set, "a~6.jpg", &id), -ENOENT);
	assert_int_equal(listing_set_find(set, "b~5.jpg", &id), -ENOENT);
	assert_int_equal(listing_set_remove(set, 5), 1);
	assert_int_equal(listing_set_remove(set, 5), 0);
	assert_shown(set, 9, "a.jpg");
	assert_shown(set, 30, "a~30.jpg");
	assert_int_equal(listing_set_find(set, "a~5.jpg", &id), -ENOENT);
}

static void set__name_like_anothers_other_name_gives_way(void **state)
{
	struct listing_set *set = *state;

	assert_int_equal(listing_set_put(set, 20, "a~12.txt"), 1);
	assert_shown(set, 20, "a~12.txt");
	assert_int_equal(listing_set_put(set, 12, "a.txt"), 1);
	assert_shown(set, 12, "a.txt");
	assert_shown(set, 20, "a~12~20.txt");
	assert_int_equal(listing_set_put(set, 3, "a.txt"), 1);
	assert_shown(set, 3, "a.txt");
	assert_shown(set, 12, "a~12.txt");
	assert_shown(set, 20, "a~12~20.txt");
	assert_int_equal(listing_set_remove(set, 12), 1);
	assert_shown(set, 20, "a~12.txt");
}

static void set__numbers_sort_by_value(void **state)
{
	static const char *const names[] = { "part 10", "part 2", "part 1", "b" };
	static const char *const want[] = { "b", "part 1", "part 2", "part 10" };
	struct vault_snapshot *snapshot = NULL;
	char name[VAULT_NAME_MAX + 1];

	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(listing_set_put(*state, 100 + i, names[i]), 1);
	assert_int_equal(listing_set_snapshot(*state, false, &snapshot), 0);
	for (size_t i = 0; i < 4; i++) {
		(void)vault_snapshot_get(snapshot, i, name);
		assert_string_equal(name, want[i]);
	}
	vault_snapshot_unref(snapshot);
	assert_int_equal(listing_set_snapshot(*state, true, &snapshot), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(vault_snapshot_get(snapshot, i, NULL), 100 + i);
	vault_snapshot_unref(snapshot);
}

static void snapshot__never_changes(void **state)
{
	struct listing_set *set = *state;
	struct vault_snapshot *snapshot = NULL;
	char name[VAULT_NAME_MAX + 1], want[VAULT_NAME_MAX + 1];

	for (uint64_t id = 1; id <= 500; id++) {
		(void)snprintf(name, sizeof(name), "file %04d.jpg", (int)id);
		assert_int_equal(listing_set_put(set, id, name), 1);
	}
	assert_int_equal(listing_set_snapshot(set, false, &snapshot), 0);
	for (uint64_t id = 1; id <= 500; id++)
		assert_int_equal(
			id % 2 ? listing_set_remove(set, id) : listing_set_put(set, id, "another one"), 1);
	listing_set_trim(set);
	listing_set_release(set);
	assert_int_equal(vault_snapshot_size(snapshot), 500);
	for (size_t i = 0; i < 500; i++) {
		assert_int_equal(vault_snapshot_get(snapshot, i, name), i + 1);
		(void)snprintf(want, sizeof(want), "file %04d.jpg", (int)i + 1);
		assert_string_equal(name, want);
	}
	vault_snapshot_unref(snapshot);
}

static void set__too_large_is_refused(void **state)
{
	struct listing_set *set = *state;
	char name[VAULT_NAME_MAX + 1];
	uint64_t id = 0;
	int r;

	memset(name, 'n', VAULT_NAME_MAX);
	name[VAULT_NAME_MAX] = '\0';
	do {
		(void)snprintf(name, 21, "%020ju", (uintmax_t)++id);
		name[20] = 'n';
		r = listing_set_put(set, id, name);
	} while (r == 1);
	assert_int_equal(r, -EOVERFLOW);
	assert_true(id > 100000);
	assert_true(listing_set_bytes(set) <= VAULT_LISTINGS_MAX);
	assert_true(used <= VAULT_LISTINGS_MAX);
}

/* ---- at random ---- */

#define N_IDS 60
#define N_STEPS 20000

static const char *const some_names[] = { "a.jpg", "a~7.jpg",  "a~7~9.jpg",  "b",
					  "b~12",  "c.tar.gz", "c~3.tar.gz", "a" };
#define N_NAMES (sizeof(some_names) / sizeof(some_names[0]))

static void set_compare(const struct listing_set *set, const char *const *members)
{
	AUTO(vault_snapshot) struct vault_snapshot *snapshot = NULL;
	struct listing_set fresh;
	char name[VAULT_NAME_MAX + 1], other[VAULT_NAME_MAX + 1];
	_Atomic size_t fresh_used = 0;
	uint64_t found;
	size_t n = 0;

	listing_set_init(&fresh, &fresh_used);
	for (uint64_t id = N_IDS; id-- > 1;)
		if (members[id])
			assert_int_equal(listing_set_put(&fresh, id, members[id]), 1);
	assert_int_equal(listing_set_snapshot(set, false, &snapshot), 0);
	for (uint64_t id = 1; id < N_IDS; id++) {
		n += members[id] != NULL;
		assert_int_equal(listing_set_has(set, id), members[id] != NULL);
		if (!members[id])
			continue;
		assert_int_equal(listing_set_name(&fresh, id, name), 0);
		assert_shown(set, id, name);
		found = 0;
		vault_listing_other_name(members[id], id, other);
		assert_int_equal(listing_set_find(set, other, &found), 0);
		assert_int_equal(found, id);
	}
	assert_int_equal(vault_snapshot_size(snapshot), n);
	for (size_t i = 0; i < n; i++) {
		const uint64_t id = vault_snapshot_get(snapshot, i, name);

		assert_shown(set, id, name);
	}
	listing_set_release(&fresh);
	assert_int_equal(fresh_used, 0);
}

static void set__order_of_changes_does_not_matter(void **state)
{
	struct random random = { random_seed() };
	const char *members[N_IDS] = { NULL };

	printf("seed %ju\n", (uintmax_t)random.state);
	for (unsigned step = 0; step < N_STEPS; step++) {
		const uint64_t id = 1 + random_below(&random, N_IDS - 1);
		const char *name = some_names[random_below(&random, N_NAMES)];

		if (random_below(&random, 3) == 0) {
			assert_int_equal(listing_set_remove(*state, id), members[id] != NULL);
			members[id] = NULL;
		} else {
			const bool same = members[id] && strcmp(members[id], name) == 0;

			assert_int_equal(listing_set_put(*state, id, name), !same);
			members[id] = name;
		}
		if (step % 16 == 0)
			set_compare(*state, members);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_name__keeps_extension),
		cmocka_unit_test(other_name__is_cut_between_characters),
		cmocka_unit_test(named_id__refuses_what_is_no_other_name),
		cmocka_unit_test_setup_teardown(set__lowest_id_keeps_the_name, set_setup, set_teardown),
		cmocka_unit_test_setup_teardown(set__name_like_anothers_other_name_gives_way, set_setup,
						set_teardown),
		cmocka_unit_test_setup_teardown(set__numbers_sort_by_value, set_setup, set_teardown),
		cmocka_unit_test_setup_teardown(snapshot__never_changes, set_setup, set_teardown),
		cmocka_unit_test_setup_teardown(set__too_large_is_refused, set_setup, set_teardown),
		cmocka_unit_test_setup_teardown(set__order_of_changes_does_not_matter, set_setup,
						set_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
