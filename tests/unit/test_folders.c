/* test_folders.c - folders that follow from what is there: tags that narrow, types, dates, people, duplicates; playlists. */
#include "fixture.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "auto.h"
#include "library.h"

static char told[8192];

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *format, ...)
{
	const size_t at = strlen(told);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(told + at, sizeof(told) - at, format, arguments);
	va_end(arguments);
}

static void set(struct fixture *f, uint64_t id, const char *name, const char *value)
{
	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, id, name, value, strlen(value), 0)), 0);
}

static uint64_t tagged(struct fixture *f, const char *name, const char *tags)
{
	const uint64_t id = fixture_file(f, VAULT_ROOT_ID, name);

	set(f, id, "user.xdg.tags", tags);
	return id;
}

static struct vault_listing *listing_of(struct fixture *f, const char *text)
{
	AUTO(vault_query) struct vault_query *query = NULL;
	struct vault_query_error error;
	struct vault_listing *listing = NULL;

	assert_int_equal(vault_query_parse(text, &query, &error), 0);
	assert_int_equal(vault_listing_new(f->vault, query, &listing), 0);
	assert_int_equal(vault_listing_refresh(listing), 0);
	return listing;
}

static size_t n_found(struct fixture *f, const char *text)
{
	AUTO(vault_listing) struct vault_listing *listing = listing_of(f, text);
	AUTO(vault_snapshot) struct vault_snapshot *snapshot = NULL;

	assert_int_equal(vault_listing_snapshot(listing, &snapshot), 0);
	return vault_snapshot_size(snapshot);
}

/* ---- tags ---- */

static int tell_tag(void *context, const struct vault_tag_folder *folder)
{
	(void)context;
	tell("%s%s=%s ", folder->child ? "+" : "", folder->name, folder->tag);
	return 0;
}

static const char *tags_of(struct fixture *f, const char *query, const char *const *used, size_t n_used)
{
	AUTO(vault_listing) struct vault_listing *listing = listing_of(f, query);

	told[0] = '\0';
	assert_int_equal(vault_listing_tags(listing, used, n_used, tell_tag, NULL), 0);
	return told;
}

#define TAGS_OF(f, query, ...)                                  \
	tags_of(f, query, (const char *const[]){ __VA_ARGS__ }, \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void tags__narrow(void **state)
{
	struct fixture *f = *state;

	(void)tagged(f, "a", "holiday,beach,place/italy/rome");
	(void)tagged(f, "b", "holiday,place/spain");
	(void)tagged(f, "c", "work");
	assert_string_equal(tags_of(f, "", NULL, 0), "beach=beach holiday=holiday place=place work=work ");
	assert_string_equal(TAGS_OF(f, "tag:holiday", "holiday"), "beach=beach place=place ");
	assert_string_equal(TAGS_OF(f, "tag:holiday tag:beach", "holiday", "beach"), "place=place ");
	assert_string_equal(TAGS_OF(f, "tag:place", "place"),
			    "beach=beach holiday=holiday +italy=place/italy +spain=place/spain ");
	assert_string_equal(TAGS_OF(f, "tag:place tag:holiday", "place", "holiday"),
			    "beach=beach italy=place/italy spain=place/spain ");
	assert_string_equal(TAGS_OF(f, "tag:place/italy/rome tag:holiday tag:beach", "holiday", "beach",
				    "place/italy/rome"),
			    "");
	assert_string_equal(TAGS_OF(f, "tag:work", "Work"), "");
}

static void tags__a_child_comes_before_its_namesake(void **state)
{
	struct fixture *f = *state;

	(void)tagged(f, "a", "place/Rome,rome");
	assert_string_equal(TAGS_OF(f, "tag:place", "place"), "+Rome=place/Rome ");
	assert_string_equal(TAGS_OF(f, "tag:place tag:rome", "place", "rome"), "Rome=place/Rome ");
}

/* ---- folders ---- */

static int tell_folder(void *context, const struct vault_folder *folder)
{
	tell("%s:%ju ", folder->name, (uintmax_t)folder->n_files);
	(void)context;
	return 0;
}

struct checked {
	struct fixture *f;
	char queries[64][64];
	uint64_t n_files[64];
	size_t n;
};

static int note_folder(void *context, const struct vault_folder *folder)
{
	struct checked *checked = context;

	assert_true(checked->n < 64);
	(void)snprintf(checked->queries[checked->n], sizeof(checked->queries[0]), "%s", folder->query);
	checked->n_files[checked->n++] = folder->n_files;
	return tell_folder(NULL, folder);
}

/* What a folder stands for finds as many as it is said to hold. */
static const char *folders(struct fixture *f, enum vault_folders which, const char *within)
{
	struct checked checked = { .f = f };

	told[0] = '\0';
	assert_int_equal(vault_folders_each(f->vault, which, within, note_folder, &checked), 0);
	for (size_t i = 0; i < checked.n; i++)
		if (checked.n_files[i] > 0)
			assert_int_equal(n_found(f, checked.queries[i]), checked.n_files[i]);
	return told;
}

static void set_type(struct fixture *f, uint64_t id, const char *mime)
{
	assert_int_equal(CHANGE(f, vault_set_content(f->vault, id, &(struct vault_content){ .mime = mime })),
			 0);
}

static void types__are_those_that_exist(void **state)
{
	struct fixture *f = *state;
	const uint64_t hidden = fixture_file(f, VAULT_ROOT_ID, "d");

	set_type(f, fixture_file(f, VAULT_ROOT_ID, "a"), "video/mp4");
	set_type(f, fixture_file(f, VAULT_ROOT_ID, "b"), "video/x-matroska");
	set_type(f, fixture_file(f, VAULT_ROOT_ID, "c"), "application/pdf");
	set_type(f, hidden, "image/png");
	set(f, hidden, "user.vaultfs.hidden", "1");
	assert_string_equal(folders(f, VAULT_FOLDERS_TYPES, NULL), "application:1 video:2 ");
	assert_string_equal(folders(f, VAULT_FOLDERS_SUBTYPES, "video"), "mp4:1 x-matroska:1 ");
	assert_string_equal(folders(f, VAULT_FOLDERS_SUBTYPES, "audio"), "");
	assert_string_equal(folders(f, VAULT_FOLDERS_KINDS, NULL),
			    "image:0 video:0 audio:0 text:0 document:0 archive:0 other:0 ");
	assert_string_equal(folders(f, VAULT_FOLDERS_RECENT, NULL), "today:0 week:0 month:0 ");
	assert_int_equal(vault_folders_each(f->vault, VAULT_FOLDERS_SUBTYPES, NULL, tell_folder, NULL),
			 -ENOENT);
	assert_int_equal(vault_folders_each(f->vault, VAULT_FOLDERS_MONTHS, "12", tell_folder, NULL),
			 -ENOENT);
}

static void ratings_and_qualities__in_order(void **state)
{
	static const char *const ratings[] = { "10", "2", "2" };
	static const char *const predictions[] = { "0000000000", "1111111111", "1111111110", "0100000000",
						   "00011" };
	struct fixture *f = *state;
	char name[8];

	for (int i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof(name), "r%d", i);
		set(f, fixture_file(f, VAULT_ROOT_ID, name), "user.baloo.rating", ratings[i]);
	}
	for (int i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		set(f, fixture_file(f, VAULT_ROOT_ID, name), "user.vaultfs.prediction", predictions[i]);
	}
	assert_string_equal(folders(f, VAULT_FOLDERS_RATINGS, NULL), "2:2 10:1 ");
	assert_string_equal(folders(f, VAULT_FOLDERS_QUALITY, NULL), "0-9:1 10-19:1 40-49:1 90-100:2 ");
}

static void dates_and_people__from_names(void **state)
{
	struct fixture *f = *state;

	(void)fixture_file(f, VAULT_ROOT_ID, "someone-2024-02-20_14-30-00.mp4");
	(void)fixture_file(f, VAULT_ROOT_ID, "Someone-2024-03-01_14-30-00.mp4");
	(void)fixture_file(f, VAULT_ROOT_ID, "another one-2019-12-31_23-59-59.mp4");
	assert_string_equal(folders(f, VAULT_FOLDERS_YEARS, NULL), "2019:1 2024:2 ");
	assert_string_equal(folders(f, VAULT_FOLDERS_MONTHS, "2024"), "02:1 03:1 ");
	assert_string_equal(folders(f, VAULT_FOLDERS_MONTHS, "2020"), "");
	assert_string_equal(folders(f, VAULT_FOLDERS_PEOPLE, NULL), "another one:1 Someone:2 ");
}

static void folder_query__only_of_possible_names(void **state)
{
	static const struct {
		enum vault_folders which;
		const char *within, *name, *want;
	} rows[] = {
		{ VAULT_FOLDERS_KINDS, NULL, "video", "kind:video" },
		{ VAULT_FOLDERS_KINDS, NULL, "film", NULL },
		{ VAULT_FOLDERS_TYPES, NULL, "video", "type:\"video\"" },
		{ VAULT_FOLDERS_SUBTYPES, "video", "mp4", "type:\"video/mp4\"" },
		{ VAULT_FOLDERS_SUBTYPES, NULL, "mp4", NULL },
		{ VAULT_FOLDERS_RATINGS, NULL, "10", "rating:10" },
		{ VAULT_FOLDERS_RATINGS, NULL, "0", NULL },
		{ VAULT_FOLDERS_RATINGS, NULL, "11", NULL },
		{ VAULT_FOLDERS_RATINGS, NULL, "08", NULL },
		{ VAULT_FOLDERS_QUALITY, NULL, "90-100", "quality:90..100" },
		{ VAULT_FOLDERS_QUALITY, NULL, "0-9", "quality:0..9" },
		{ VAULT_FOLDERS_QUALITY, NULL, "90-99", NULL },
		{ VAULT_FOLDERS_QUALITY, NULL, "5-14", NULL },
		{ VAULT_FOLDERS_YEARS, NULL, "2024", "date:2024" },
		{ VAULT_FOLDERS_YEARS, NULL, "24", NULL },
		{ VAULT_FOLDERS_MONTHS, "2024", "02", "date:2024-02" },
		{ VAULT_FOLDERS_MONTHS, "2024", "13", NULL },
		{ VAULT_FOLDERS_MONTHS, "2024", "2", NULL },
		{ VAULT_FOLDERS_RECENT, NULL, "week", "added:week" },
		{ VAULT_FOLDERS_RECENT, NULL, "year", NULL },
		{ VAULT_FOLDERS_DUPLICATES, NULL, "0123abcd", "sha256:0123abcd" },
		{ VAULT_FOLDERS_DUPLICATES, NULL, "0123abc", NULL },
		{ VAULT_FOLDERS_DUPLICATES, NULL, "0123ABCD", NULL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(free) char *query = NULL;
		const int r = vault_folder_query(rows[i].which, rows[i].within, rows[i].name, &query);

		if (r != (rows[i].want ? 0 : -ENOENT))
			fail_msg("'%s' gives %d", rows[i].name, r);
		if (rows[i].want) {
			assert_string_equal(query, rows[i].want);
			assert_int_equal(n_found(f, query), 0);
		}
	}
}

/* ---- duplicates ---- */

static void set_sum(struct fixture *f, const char *name, const char *start, char last)
{
	uint8_t sum[32] = { 0 };

	for (size_t i = 0; start[i]; i++)
		sum[i] = (uint8_t)start[i];
	sum[31] = (uint8_t)last;
	assert_int_equal(
		CHANGE(f, vault_set_content(f->vault, fixture_file(f, VAULT_ROOT_ID, name),
					    &(struct vault_content){ .sha256 = sum, .mime = "text/plain" })),
		0);
}

static void duplicates__have_names_of_their_own(void **state)
{
	struct fixture *f = *state;
	struct vault_attr attr;

	set_sum(f, "a1", "AAAA", 1);
	set_sum(f, "a2", "AAAA", 1);
	set_sum(f, "b1", "BBBBBB", 1);
	set_sum(f, "b2", "BBBBBB", 1);
	set_sum(f, "b3", "BBBBBC", 1); /* alone, but its name starts the same way */
	set_sum(f, "c1", "CCCC", 1);
	set_sum(f, "d1", "DDDD", 1);
	set_sum(f, "d2", "DDDD", 2);
	assert_string_equal(folders(f, VAULT_FOLDERS_DUPLICATES, NULL), "41414141:2 424242424242:2 ");
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "a2", &attr)), 0);
	assert_string_equal(folders(f, VAULT_FOLDERS_DUPLICATES, NULL), "424242424242:2 ");
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "b3", &attr)), 0);
	set(f, fixture_file(f, VAULT_ROOT_ID, "x"), "user.xdg.tags", "x");
	assert_true(strncmp(folders(f, VAULT_FOLDERS_DUPLICATES, NULL), "42424242", 8) == 0);
}

/* ---- playlists ---- */

static void set_media(struct fixture *f, const char *name, const char *mime, const char *media,
		      uint64_t duration_ms)
{
	const uint64_t id = fixture_file(f, VAULT_ROOT_ID, name);
	const struct vault_content content = { .mime = mime,
					       .media_json = media,
					       .duration_ms = duration_ms };

	assert_int_equal(CHANGE(f, vault_set_content(f->vault, id, &content)), 0);
}

static void playlist__has_what_can_be_played(void **state)
{
	struct fixture *f = *state;
	AUTO(vault_listing) struct vault_listing *listing = NULL;
	AUTO(vault_snapshot) struct vault_snapshot *snapshot = NULL;
	AUTO(free) char *text = NULL;
	size_t size = 0;

	set_media(f, "part 10.mp4", "video/mp4", NULL, 61500);
	set_media(f, "part 2.mp4", "video/mp4", "{\"title\":\"The second\\npart\"}", 400);
	set_media(f, "#1.b.mp3", "audio/mpeg", "{}", 0);
	set_media(f, "two\nlines.mp4", "video/mp4", NULL, 0);
	set_media(f, "picture.png", "image/png", NULL, 0);
	(void)fixture_file(f, VAULT_ROOT_ID, "unknown");
	listing = listing_of(f, "");
	assert_int_equal(vault_listing_snapshot(listing, &snapshot), 0);
	assert_int_equal(vault_snapshot_playlist(f->vault, snapshot, &text, &size), 0);
	assert_int_equal(size, strlen(text));
	assert_string_equal(text, "#EXTM3U\n"
				  "#EXTINF:-1,#1.b\n./#1.b.mp3\n"
				  "#EXTINF:1,The second part\npart 2.mp4\n"
				  "#EXTINF:62,part 10\npart 10.mp4\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(tags__narrow),
		FIXTURE_TEST(tags__a_child_comes_before_its_namesake),
		FIXTURE_TEST(types__are_those_that_exist),
		FIXTURE_TEST(ratings_and_qualities__in_order),
		FIXTURE_TEST(dates_and_people__from_names),
		FIXTURE_TEST(folder_query__only_of_possible_names),
		FIXTURE_TEST(duplicates__have_names_of_their_own),
		FIXTURE_TEST(playlist__has_what_can_be_played),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
