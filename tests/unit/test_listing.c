/* test_listing.c - listings of queries: what they show, and that they keep up. */
#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "../random.h"
#include "auto.h"
#include "library.h"
#include "listing.h"

static struct vault_listing *listing_of(struct fixture *f, const char *text)
{
	AUTO(vault_query) struct vault_query *query = NULL;
	struct vault_query_error error;
	struct vault_listing *listing = NULL;

	assert_int_equal(vault_query_parse(text, &query, &error), 0);
	assert_int_equal(vault_listing_new(f->vault, query, &listing), 0);
	return listing;
}

/* The shown names, in their order, with ' ' between them. */
static const char *shown(struct vault_listing *listing)
{
	static char text[4096];
	AUTO(vault_snapshot) struct vault_snapshot *snapshot = NULL;
	char name[VAULT_NAME_MAX + 1];
	size_t at = 0;

	text[0] = '\0';
	assert_int_equal(vault_listing_snapshot(listing, &snapshot), 0);
	for (size_t i = 0; i < vault_snapshot_size(snapshot); i++) {
		const uint64_t id = vault_snapshot_get(snapshot, i, name);
		uint64_t found = 0;

		assert_int_equal(vault_listing_find(listing, name, &found), 0);
		assert_int_equal(found, id);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i > 0 ? " " : "", name);
		assert_true(at < sizeof(text));
	}
	return text;
}

static const char *refreshed(struct vault_listing *listing)
{
	assert_int_equal(vault_listing_refresh(listing), 0);
	return shown(listing);
}

static void set_tags(struct fixture *f, uint64_t id, const char *tags)
{
	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, id, "user.xdg.tags", tags, strlen(tags), 0)), 0);
}

static uint64_t tagged(struct fixture *f, uint64_t parent, const char *name, const char *tags)
{
	const uint64_t id = fixture_file(f, parent, name);

	set_tags(f, id, tags);
	return id;
}

static void listing__shows_what_changed(void **state)
{
	struct fixture *f = *state;
	AUTO(vault_listing) struct vault_listing *listing = listing_of(f, "tag:holiday");
	char want[64];
	uint64_t a, b, found;

	assert_string_equal(refreshed(listing), "");
	a = tagged(f, VAULT_ROOT_ID, "a.jpg", "holiday");
	assert_int_equal(vault_listing_refresh_soon(listing), 0);
	assert_string_equal(shown(listing), "a.jpg");
	b = tagged(f, fixture_directory(f, VAULT_ROOT_ID, "d"), "a.jpg", "Holiday,beach");
	(void)tagged(f, VAULT_ROOT_ID, "other.jpg", "beach");
	(void)snprintf(want, sizeof(want), "a.jpg a~%d.jpg", (int)b);
	assert_string_equal(refreshed(listing), want);
	assert_int_equal(vault_listing_find(listing, "a.jpg", &found), 0);
	assert_int_equal(found, a);
	assert_int_equal(vault_listing_find(listing, "other.jpg", &found), -ENOENT);
	/* As nothing but the names' owner changes. */
	assert_int_equal(CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, "a.jpg", VAULT_ROOT_ID, "c.jpg", 0,
						&(struct vault_attr){ 0 })),
			 0);
	assert_int_equal(vault_listing_refresh_soon(listing), 0);
	assert_string_equal(shown(listing), "a.jpg c.jpg");
	set_tags(f, a, "");
	assert_string_equal(refreshed(listing), "a.jpg");
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "c.jpg", &(struct vault_attr){ 0 })),
			 0);
	assert_string_equal(refreshed(listing), "a.jpg");
}

static void listing__is_the_same_for_the_same_query(void **state)
{
	struct fixture *f = *state;
	AUTO(vault_listing) struct vault_listing *one = listing_of(f, "tag:x  kind:video");
	AUTO(vault_listing) struct vault_listing *two = listing_of(f, "tag:x kind:VIDEO");
	AUTO(vault_listing) struct vault_listing *three = listing_of(f, "tag:x kind:audio");

	assert_ptr_equal(one, two);
	assert_ptr_not_equal(one, three);
}

static void rules__list_anew(void **state)
{
	struct fixture *f = *state;
	AUTO(vault_listing) struct vault_listing *listing = listing_of(f, "tag:photo");

	(void)tagged(f, VAULT_ROOT_ID, "a", "photo/2024");
	(void)tagged(f, VAULT_ROOT_ID, "b", "picture");
	assert_string_equal(refreshed(listing), "a");
	/* A tag below it that no row had yet. */
	(void)tagged(f, VAULT_ROOT_ID, "c", "photo/2025");
	assert_int_equal(vault_listing_refresh_soon(listing), 0);
	assert_string_equal(shown(listing), "a c");
}

static void many_changes__are_too_many_to_wait_for(void **state)
{
	struct fixture *f = *state;
	AUTO(vault_listing) struct vault_listing *listing = listing_of(f, "tag:x");
	char name[32];

	assert_int_equal(vault_listing_refresh_soon(listing), -EAGAIN);
	assert_int_equal(vault_listing_refresh(listing), 0);
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		if (i % 100 == 0)
			(void)tagged(f, VAULT_ROOT_ID, name, "x");
		else
			(void)fixture_file(f, VAULT_ROOT_ID, name);
		if (i == 200) {
			assert_int_equal(vault_listing_refresh_soon(listing), -EAGAIN);
			assert_string_equal(refreshed(listing), "0 100 200");
		}
	}
	assert_int_equal(vault_listing_refresh_soon(listing), -EAGAIN);
	assert_int_equal(vault_listing_refresh(listing), 0);
	assert_int_equal(vault_listing_refresh_soon(listing), 0);
	assert_int_equal(strlen(shown(listing)), 1 + 9 * 3 + 40 * 4 + 49);
}

static void snapshot__stays_as_it_was(void **state)
{
	struct fixture *f = *state;
	AUTO(vault_listing) struct vault_listing *listing = listing_of(f, "tag:x");
	AUTO(vault_snapshot) struct vault_snapshot *before = NULL;
	AUTO(vault_snapshot) struct vault_snapshot *same = NULL;
	const uint64_t a = tagged(f, VAULT_ROOT_ID, "a", "x");
	char name[VAULT_NAME_MAX + 1];

	assert_int_equal(vault_listing_refresh(listing), 0);
	assert_int_equal(vault_listing_snapshot(listing, &before), 0);
	(void)fixture_file(f, VAULT_ROOT_ID, "no");
	assert_int_equal(vault_listing_refresh(listing), 0);
	assert_int_equal(vault_listing_snapshot(listing, &same), 0);
	assert_ptr_equal(before, same);
	set_tags(f, a, "");
	(void)tagged(f, VAULT_ROOT_ID, "b", "x");
	assert_string_equal(refreshed(listing), "b");
	assert_int_equal(vault_snapshot_size(before), 1);
	assert_int_equal(vault_snapshot_get(before, 0, name), a);
	assert_string_equal(name, "a");
}

static void hidden_and_trash__are_not_shown(void **state)
{
	struct fixture *f = *state;
	AUTO(vault_listing) struct vault_listing *listing = listing_of(f, "");
	const uint64_t trash = fixture_directory(f, VAULT_ROOT_ID, ".Trash-1000");
	const uint64_t a = fixture_file(f, VAULT_ROOT_ID, "a");

	(void)fixture_file(f, VAULT_ROOT_ID, "b");
	assert_string_equal(refreshed(listing), "a b");
	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, a, "user.vaultfs.hidden", "1", 1, 0)), 0);
	assert_string_equal(refreshed(listing), "b");
	assert_int_equal(CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, "b", trash, "b", 0,
						&(struct vault_attr){ 0 })),
			 0);
	assert_string_equal(refreshed(listing), "");
	/* Another name elsewhere is shown. */
	assert_int_equal(CHANGE(f, vault_link(f->vault, fixture_file(f, trash, "c"), VAULT_ROOT_ID, "d",
					      &(struct vault_attr){ 0 })),
			 0);
	assert_string_equal(refreshed(listing), "d");
}

static void directories__take_their_files_along(void **state)
{
	struct fixture *f = *state;
	AUTO(vault_listing) struct vault_listing *all = listing_of(f, "");
	AUTO(vault_listing) struct vault_listing *in = listing_of(f, "in:to");
	const uint64_t from = fixture_directory(f, VAULT_ROOT_ID, "from");
	struct vault_attr replaced = { 0 };

	(void)fixture_file(f, fixture_directory(f, from, "below"), "a");
	assert_string_equal(refreshed(all), "a");
	assert_string_equal(refreshed(in), "");
	assert_int_equal(
		CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, "from", VAULT_ROOT_ID, "to", 0, &replaced)),
		0);
	assert_string_equal(refreshed(all), "a");
	assert_string_equal(refreshed(in), "a");
	assert_int_equal(
		CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, "to", VAULT_ROOT_ID, ".Trash", 0, &replaced)),
		0);
	assert_string_equal(refreshed(all), "");
	assert_string_equal(refreshed(in), "");
}

static void dropped__is_listed_again(void **state)
{
	struct fixture *f = *state;
	AUTO(vault_listing) struct vault_listing *listing = listing_of(f, "tag:x");
	uint64_t found = 0;
	const uint64_t a = tagged(f, VAULT_ROOT_ID, "a", "x");

	assert_string_equal(refreshed(listing), "a");
	(void)pthread_mutex_lock(&listing->lock);
	listing_drop(listing);
	(void)pthread_mutex_unlock(&listing->lock);
	assert_int_equal(vault_listing_find(listing, "a", &found), -EAGAIN);
	assert_int_equal(vault_listing_refresh_soon(listing), -EAGAIN);
	assert_string_equal(refreshed(listing), "a");
	assert_int_equal(vault_listing_find(listing, "a", &found), 0);
	assert_int_equal(found, a);
}

/* ---- memory ---- */

/* Make what listings take look like that much. */
static void take_room(struct fixture *f, size_t bytes)
{
	atomic_fetch_add(listings_used(f->vault), bytes);
}

static void others__are_dropped_for_room(void **state)
{
	struct fixture *f = *state;
	AUTO(vault_listing) struct vault_listing *one = listing_of(f, "tag:x");
	AUTO(vault_listing) struct vault_listing *two = listing_of(f, "tag:y");
	AUTO(vault_listing) struct vault_listing *three = listing_of(f, "tag:z");
	const size_t empty = *listings_used(f->vault);
	size_t each;

	(void)tagged(f, VAULT_ROOT_ID, "a", "x,y,z");
	assert_string_equal(refreshed(one), "a");
	each = *listings_used(f->vault) - empty;
	assert_string_equal(refreshed(two), "a");
	take_room(f, VAULT_LISTINGS_MAX - 2 * each);
	/* There is room for two: the one that was used before the other goes. */
	assert_int_equal(vault_listing_refresh_soon(one), 0);
	assert_string_equal(refreshed(three), "a");
	assert_int_equal(vault_listing_refresh_soon(one), 0);
	assert_int_equal(vault_listing_refresh_soon(three), 0);
	assert_int_equal(vault_listing_refresh_soon(two), -EAGAIN);
	take_room(f, -(VAULT_LISTINGS_MAX - 2 * each));
}

static void unused__are_kept_to_a_number(void **state)
{
	struct fixture *f = *state;
	const struct vault_listing *first = listing_of(f, "tag:t0");
	AUTO(vault_listing) struct vault_listing *again = NULL;
	char text[32];

	vault_listing_unref((struct vault_listing *)first);
	again = listing_of(f, "tag:t0");
	assert_ptr_equal(first, again);
	for (int i = 1; i < 300; i++) {
		(void)snprintf(text, sizeof(text), "tag:t%d", i);
		vault_listing_unref(listing_of(f, text));
	}
	/* The one that is held is still there. */
	assert_string_equal(refreshed(again), "");
}

/* ---- aside ---- */

struct counter {
	pthread_mutex_t lock;
	int n;
	struct vault_listing *listing;
};

static void count(void *context)
{
	struct counter *counter = context;

	assert_int_equal(vault_listing_refresh(counter->listing), 0);
	(void)pthread_mutex_lock(&counter->lock);
	counter->n++;
	(void)pthread_mutex_unlock(&counter->lock);
}

static void aside__all_is_done_before_closing(void **state)
{
	struct fixture *f = *state;
	struct counter counter = { .lock = PTHREAD_MUTEX_INITIALIZER, .listing = listing_of(f, "tag:x") };
	char name[32];

	(void)tagged(f, VAULT_ROOT_ID, "a", "x");
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "b%d", i);
		(void)tagged(f, VAULT_ROOT_ID, name, "x");
		assert_int_equal(vault_aside(f->vault, count, &counter), 0);
	}
	vault_listing_unref(vault_listing_ref(counter.listing));
	assert_int_equal(vault_close(TAKE(f->vault)), 0);
	assert_int_equal(counter.n, 100);
}

/* ---- similar ---- */

static void write_random(struct fixture *f, uint64_t id, uint64_t offset, size_t size, unsigned seed)
{
	struct vault_file *file = NULL;
	struct random random = { seed };
	AUTO(free) unsigned char *bytes = malloc(size);

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)random_next(&random);
	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	vault_change_begin(f->vault, size);
	assert_int_equal(vault_write(file, offset, bytes, size, 0), 0);
	vault_change_end(f->vault);
	vault_file_close(file);
}

#define MIB (1u << 20)

struct shares {
	uint64_t ids[8], bytes[8];
	size_t n;
};

static int note_similar(void *context, const struct vault_similar *similar)
{
	struct shares *shares = context;

	assert_true(shares->n < 8);
	assert_int_equal(similar->size, 8 * MIB);
	assert_true(strcmp(similar->path, "same") == 0 || strcmp(similar->path, "half") == 0);
	shares->ids[shares->n] = similar->id;
	shares->bytes[shares->n++] = similar->shared_bytes;
	return 0;
}

static void similar__closest_first(void **state)
{
	struct fixture *f = *state;
	AUTO(vault_listing) struct vault_listing *listing = NULL;
	const uint64_t a = fixture_file(f, VAULT_ROOT_ID, "a"), half = fixture_file(f, VAULT_ROOT_ID, "half"),
		       same = fixture_file(f, VAULT_ROOT_ID, "same"),
		       other = fixture_file(f, VAULT_ROOT_ID, "other");
	struct shares found = { .n = 0 };
	const struct shares none = { .n = 0 };

	write_random(f, a, 0, 8 * MIB, 1);
	write_random(f, half, 0, 4 * MIB, 1);
	write_random(f, half, 4 * MIB, 4 * MIB, 2);
	write_random(f, same, 0, 8 * MIB, 1);
	write_random(f, other, 0, 8 * MIB, 3);
	assert_int_equal(vault_similar(f->vault, a, note_similar, &found), 0);
	assert_int_equal(found.n, 2);
	assert_int_equal(found.ids[0], same);
	assert_int_equal(found.bytes[0], 8 * MIB);
	assert_int_equal(found.ids[1], half);
	assert_in_range(found.bytes[1], 2 * MIB, 4 * MIB);
	found = none;
	assert_int_equal(vault_similar(f->vault, other, note_similar, &found), 0);
	assert_int_equal(vault_similar(f->vault, 4711, note_similar, &found), 0);
	assert_int_equal(found.n, 0);

	assert_int_equal(vault_listing_new_similar(f->vault, a, &listing), 0);
	assert_string_equal(refreshed(listing), "same half");
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "same", &(struct vault_attr){ 0 })),
			 0);
	assert_string_equal(refreshed(listing), "half");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(listing__shows_what_changed),
		FIXTURE_TEST(listing__is_the_same_for_the_same_query),
		FIXTURE_TEST(rules__list_anew),
		FIXTURE_TEST(many_changes__are_too_many_to_wait_for),
		FIXTURE_TEST(snapshot__stays_as_it_was),
		FIXTURE_TEST(hidden_and_trash__are_not_shown),
		FIXTURE_TEST(directories__take_their_files_along),
		FIXTURE_TEST(dropped__is_listed_again),
		FIXTURE_TEST(others__are_dropped_for_room),
		FIXTURE_TEST(unused__are_kept_to_a_number),
		FIXTURE_TEST(aside__all_is_done_before_closing),
		FIXTURE_TEST(similar__closest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
