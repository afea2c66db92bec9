/* test_attributes.c - attributes that show tables: what each takes, what comes back, which are only read. */
#include "xattr_fixture.h"

#include "assets.h"
#include "attributes.h"
#include "given_up.h"

#define FAVORITE "user.vaultfs.favorite"
#define HIDDEN "user.vaultfs.hidden"
#define SEEN "user.vaultfs.seen"
#define PREDICTION "user.vaultfs.prediction"
#define CUSTOM "user.vaultfs.custom"
#define RATING "user.baloo.rating"
#define URL "user.xdg.origin.url"

#define SAME NULL /* what was set comes back */
#define NONE "-"  /* it is taken as nothing to say: none */
#define BAD "bad" /* -EINVAL, and what was there is there still */

static const struct row {
	const char *name, *value, *back;
} rows[] = {
	{ RATING, "0", SAME },
	{ RATING, "1", SAME },
	{ RATING, "9", SAME },
	{ RATING, "10", SAME },
	{ RATING, "", BAD },
	{ RATING, "11", BAD },
	{ RATING, "-1", BAD },
	{ RATING, "x", BAD },
	{ RATING, "1 ", BAD },
	{ RATING, " 1", BAD },
	{ RATING, "07", BAD },
	{ RATING, "1.5", BAD },
	{ RATING, "10\n", BAD },
	{ RATING, "100", BAD },
	{ FAVORITE, "1", SAME },
	{ FAVORITE, "2", BAD },
	{ FAVORITE, "", BAD },
	{ FAVORITE, "01", BAD },
	{ FAVORITE, "1\n", BAD },
	{ FAVORITE, "yes", BAD },
	{ FAVORITE, "true", BAD },
	{ FAVORITE, "0", NONE },
	{ HIDDEN, "1", SAME },
	{ HIDDEN, "x", BAD },
	{ HIDDEN, "", BAD },
	{ HIDDEN, "-1", BAD },
	{ HIDDEN, "0", NONE },
	{ SEEN, "2024-02-20T14:30:00Z", SAME },
	{ SEEN, "2024-02-20t14:30:00z", "2024-02-20T14:30:00Z" },
	{ SEEN, "2024-02-20 14:30:00Z", "2024-02-20T14:30:00Z" },
	{ SEEN, "2024-02-20T14:30:00.999Z", "2024-02-20T14:30:00Z" },
	{ SEEN, "2024-02-20T14:30:00+01:30", "2024-02-20T13:00:00Z" },
	{ SEEN, "2024-02-28T23:00:00-02:00", "2024-02-29T01:00:00Z" },
	{ SEEN, "2023-12-31T23:59:60Z", "2024-01-01T00:00:00Z" },
	{ SEEN, "1708439400", "2024-02-20T14:30:00Z" },
	{ SEEN, "1", "1970-01-01T00:00:01Z" },
	{ SEEN, "9223372036", "2262-04-11T23:47:16Z" },
	{ SEEN, "2262-04-11T23:47:16Z", SAME },
	{ SEEN, "9223372037", BAD },
	{ SEEN, "2262-04-11T23:47:17Z", BAD },
	{ SEEN, "99999999999999999999999999", BAD },
	{ SEEN, "2024-02-30T14:30:00Z", BAD },
	{ SEEN, "2023-02-29T14:30:00Z", BAD },
	{ SEEN, "2024-13-01T14:30:00Z", BAD },
	{ SEEN, "2024-00-01T14:30:00Z", BAD },
	{ SEEN, "2024-01-00T14:30:00Z", BAD },
	{ SEEN, "2024-02-20T24:00:00Z", BAD },
	{ SEEN, "2024-02-20T14:60:00Z", BAD },
	{ SEEN, "2024-02-20T14:30:61Z", BAD },
	{ SEEN, "2024-02-20T14:30:00", BAD },
	{ SEEN, "2024-02-20T14:30:00.Z", BAD },
	{ SEEN, "2024-02-20T14:30Z", BAD },
	{ SEEN, "2024-02-20", BAD },
	{ SEEN, "2024-02-20T14:30:00Zx", BAD },
	{ SEEN, "2024-02-20T14:30:00+0130", BAD },
	{ SEEN, "1969-12-31T23:59:59Z", BAD },
	{ SEEN, "-1", BAD },
	{ SEEN, "1708439400.5", BAD },
	{ SEEN, "1708439400 ", BAD },
	{ SEEN, "now", BAD },
	{ SEEN, "", NONE },
	{ SEEN, "1708439400", "2024-02-20T14:30:00Z" },
	{ SEEN, "0", NONE },
	{ PREDICTION, "0", SAME },
	{ PREDICTION, "0110", SAME },
	{ PREDICTION, "", BAD },
	{ PREDICTION, "012", BAD },
	{ PREDICTION, "01 ", BAD },
	{ PREDICTION, "01\n", BAD },
	{ CUSTOM, "{}", SAME },
	{ CUSTOM, "[1, 2.5e3, null, true, \"\xc3\xa9\\u00e9\"]", SAME },
	{ CUSTOM, " {\"b\":1,\n \"a\": {}}\n", SAME },
	{ CUSTOM, "\"text\"", SAME },
	{ CUSTOM, "", BAD },
	{ CUSTOM, "{", BAD },
	{ CUSTOM, "{}}", BAD },
	{ CUSTOM, "{a:1}", BAD },
	{ CUSTOM, "{'a':1}", BAD },
	{ CUSTOM, "[1,]", BAD },
	{ CUSTOM, "// comment\n{}", BAD },
	{ CUSTOM, "\"\xff\"", BAD },
	{ CUSTOM, "NaN", BAD },
	{ URL, "https://example.com/?a=1,2#\xc3\xa4 b", SAME },
	{ URL, "file:///x", SAME },
	{ URL, "", BAD },
	{ URL, "https://example.com/\n", BAD },
	{ URL, "\t", BAD },
	{ URL, "a\x7f", BAD },
	{ "user.xdg.tags", "a, b", SAME },
	{ "user.xdg.tags", " , ", NONE },
	{ "user.xdg.comment", "", SAME },
	{ "user.vaultfs.favourite", "1", BAD },
	{ "user.vaultfs.", "1", BAD },
	{ "user.vaultfs.color", "1", BAD },
	{ "user.vaultfsx", "1", SAME },
	{ "user.vaultfs", "1", SAME },
	{ "trusted.vaultfs.x", "1", SAME },
};

static void row__does_what_it_says(struct fixture *f, uint64_t id, const struct row *row)
{
	AUTO(free) char *before = strdup(get(f, id, row->name));
	int r = set_text(f, id, row->name, row->value);

	if (row->back && strcmp(row->back, BAD) == 0) {
		if (r != -EINVAL || strcmp(get(f, id, row->name), before) != 0)
			fail_msg("%s '%s': %d, and now it is '%s'", row->name, row->value, r,
				 get(f, id, row->name));
		return;
	}
	if (r != 0 || strcmp(get(f, id, row->name), row->back ? row->back : row->value) != 0)
		fail_msg("%s '%s': %d, '%s'", row->name, row->value, r, get(f, id, row->name));
	if (!!strstr(list(f, id), row->name) != !!strcmp(get(f, id, row->name), NONE))
		fail_msg("%s '%s': listed %s", row->name, row->value, list(f, id));
}

static void values__are_taken_or_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[] = { fixture_file(f, VAULT_ROOT_ID, "file"), fixture_directory(f, VAULT_ROOT_ID, "d") };

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++)
		row__does_what_it_says(f, ids[i % 2], &rows[i / 2]);
}

static void sizes__are_bounded(void **state)
{
	static char large[VAULT_XATTR_MAX + 1];
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	memset(large, '1', sizeof(large));
	assert_int_equal(set(f, file, PREDICTION, large, ASSET_PREDICTION_MAX), 0);
	assert_int_equal(set(f, file, PREDICTION, large, ASSET_PREDICTION_MAX + 1), -EINVAL);
	assert_int_equal(strlen(get(f, file, PREDICTION)), ASSET_PREDICTION_MAX);
	assert_int_equal(set(f, file, CUSTOM, large, VAULT_XATTR_MAX), 0); /* a number */
	assert_int_equal(strlen(get(f, file, CUSTOM)), VAULT_XATTR_MAX);
	assert_int_equal(set(f, file, CUSTOM, large, VAULT_XATTR_MAX + 1), -E2BIG);
	memset(large, '[', sizeof(large));
	assert_int_equal(set(f, file, CUSTOM, large, VAULT_XATTR_MAX), -EINVAL);
	assert_int_equal(set(f, file, CUSTOM, "{}\0", 3), -EINVAL);
	assert_int_equal(set(f, file, FAVORITE, "1\0", 2), -EINVAL);
	assert_int_equal(set(f, file, SEEN, "2024-02-20T14:30:00Z\0", 21), -EINVAL);
}

static void names__leave_room_in_a_list(void **state)
{
	size_t size = 0;

	(void)state;
	for (int i = 0; i < ATTRIBUTES_N_LISTED; i++)
		size += strlen(attribute_name(i)) + 1;
	assert_true(size <= ATTRIBUTES_NAMES_SIZE);
}

static void kept_names__that_are_refused_now_can_still_be_removed(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	/* As an older version left it. */
	assert_string_equal(
		query(f, "INSERT INTO xattrs SELECT inode_id, 'user.vaultfs.later', x'31' FROM entries"), "");
	assert_string_equal(get(f, file, "user.vaultfs.later"), "1");
	assert_string_equal(list(f, file), "user.vaultfs.later ");
	assert_int_equal(drop(f, file, "user.vaultfs.later"), 0);
	assert_string_equal(list(f, file), "");
}

static void quality__is_the_share_of_1s(void **state)
{
	static const struct {
		const char *prediction, *quality;
	} cases[] = {
		{ "0", "0" },    { "1", "100" },  { "01", "50" },       { "0110", "50" },
		{ "001", "33" }, { "011", "66" }, { "00000001", "12" }, { "0000000000000001", "6" },
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_string_equal(get(f, file, "user.vaultfs.quality"), NONE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(set_text(f, file, PREDICTION, cases[i].prediction), 0);
		assert_string_equal(get(f, file, "user.vaultfs.quality"), cases[i].quality);
	}
	assert_int_equal(drop(f, file, PREDICTION), 0);
	assert_string_equal(get(f, file, "user.vaultfs.quality"), NONE);
}

/* ---- what cannot be set ---- */

static void read_only__attributes_are_read_by_name_only(void **state)
{
	static const char *const names[] = {
		"user.mime_type",       "user.vaultfs.kind",   "user.vaultfs.sha256", "user.vaultfs.media",
		"user.vaultfs.quality", "user.vaultfs.chunks", "user.vaultfs.stored", "user.vaultfs.shared",
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(set_text(f, file, names[i], "1"), -EPERM);
		assert_int_equal(drop(f, file, names[i]), -EPERM);
		assert_string_equal(list(f, file), "");
		assert_string_equal(get(f, VAULT_ROOT_ID, names[i]), NONE);
		assert_int_equal(vault_getxattr(f->vault, 999999, names[i], NULL, 0), -ENOENT);
	}
}

/* Write `size` bytes made from `seed` at `offset`. */
static void write_bytes(struct fixture *f, uint64_t id, uint64_t offset, size_t size, uint32_t seed)
{
	struct vault_file *file = NULL;
	uint8_t *bytes = malloc(size);

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(seed >> 24);
	}
	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	assert_int_equal(CHANGE(f, vault_write(file, offset, bytes, size, 0)), 0);
	vault_file_close(file);
	free(bytes);
	assert_int_equal(vault_sync(f->vault), 0);
}

static uint64_t number(struct fixture *f, uint64_t id, const char *name)
{
	return strtoull(get(f, id, name), NULL, 10);
}

static void counts__tell_how_a_file_is_stored(void **state)
{
	struct fixture *f = *state;
	uint64_t one = fixture_file(f, VAULT_ROOT_ID, "one"), two = fixture_file(f, VAULT_ROOT_ID, "two");

	assert_string_equal(get(f, one, "user.vaultfs.chunks"), "0");
	assert_string_equal(get(f, one, "user.vaultfs.stored"), "0");
	assert_string_equal(get(f, one, "user.vaultfs.shared"), "0");
	write_bytes(f, one, 0, 3000000, 1);
	assert_true(number(f, one, "user.vaultfs.chunks") >= 3);
	assert_true(number(f, one, "user.vaultfs.stored") >= 3000000);
	assert_string_equal(get(f, one, "user.vaultfs.shared"), "0");
	write_bytes(f, two, 0, 3000000, 1);
	assert_string_equal(get(f, two, "user.vaultfs.shared"), "3000000");
	write_bytes(f, two, 3000000, 1000, 2);
	assert_true(number(f, one, "user.vaultfs.shared") <= 3000000);
	assert_true(number(f, one, "user.vaultfs.shared") > 0);
	assert_true(number(f, two, "user.vaultfs.chunks") >= number(f, one, "user.vaultfs.chunks"));
}

static void comment__is_kept_byte_for_byte(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	char got[8];

	assert_int_equal(set(f, file, "user.xdg.comment", "a\0\xff\n", 4), 0);
	assert_int_equal(vault_getxattr(f->vault, file, "user.xdg.comment", got, sizeof(got)), 4);
	assert_memory_equal(got, "a\0\xff\n", 4);
	assert_int_equal(set(f, file, "user.xdg.comment", NULL, 0), 0);
	assert_string_equal(get(f, file, "user.xdg.comment"), "");
	assert_string_equal(list(f, file), "user.xdg.comment ");
	assert_int_equal(drop(f, file, "user.xdg.comment"), 0);
	assert_string_equal(get(f, file, "user.xdg.comment"), "-");
	assert_string_equal(list(f, file), "");
}

static void mime__comes_from_the_indexer_only(void **state)
{
	static char longest[257];
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	memset(longest, 'm', 256);
	assert_int_equal(CHANGE(f, vault_set_mime(f->vault, file, "video/mp4")), 0);
	assert_string_equal(get(f, file, "user.mime_type"), "video/mp4");
	assert_string_equal(list(f, file), "");
	assert_int_equal(CHANGE(f, vault_set_mime(f->vault, file, "text/plain")), 0);
	assert_string_equal(get(f, file, "user.mime_type"), "text/plain");
	assert_int_equal(set_text(f, file, "user.mime_type", "text/plain"), -EPERM);
	assert_int_equal(drop(f, file, "user.mime_type"), -EPERM);
	assert_int_equal(CHANGE(f, vault_set_mime(f->vault, 999999, "text/plain")), -ENOENT);
	assert_int_equal(CHANGE(f, vault_set_mime(f->vault, file, longest)), -EINVAL);
	assert_int_equal(CHANGE(f, vault_set_mime(f->vault, file, "")), -EINVAL);
}

/* ---- what replaces a file ---- */

static int replace(struct fixture *f, const char *from, const char *to, unsigned flags)
{
	return CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, from, VAULT_ROOT_ID, to, flags, NULL));
}

static const struct {
	const char *name, *value;
} known[] = {
	{ "user.xdg.tags", "B, a,a" },
	{ "user.xdg.comment", "a note" },
	{ RATING, "8" },
	{ FAVORITE, "1" },
	{ HIDDEN, "1" },
	{ SEEN, "2024-02-20T14:30:00Z" },
	{ PREDICTION, "0110" },
	{ CUSTOM, "{\"a\": [1]}" },
};
#define N_KNOWN (sizeof(known) / sizeof(known[0]))

/* A file of which all of this is known, and two attributes that are not passed on. */
static uint64_t known_file(struct fixture *f, const char *name)
{
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, name);

	for (size_t i = 0; i < N_KNOWN; i++)
		assert_int_equal(set_text(f, file, known[i].name, known[i].value), 0);
	assert_int_equal(set_text(f, file, "user.other", "x"), 0);
	assert_int_equal(CHANGE(f, vault_set_mime(f->vault, file, "text/plain")), 0);
	return file;
}

static void assert_known(struct fixture *f, uint64_t id)
{
	for (size_t i = 0; i < N_KNOWN; i++)
		assert_string_equal(get(f, id, known[i].name), known[i].value);
}

static void new_file__takes_over_what_was_known_of_the_old_one(void **state)
{
	struct fixture *f = *state;
	uint64_t old = known_file(f, "file"), new = fixture_file(f, VAULT_ROOT_ID, "new");

	assert_int_equal(set_text(f, new, "user.mine", "y"), 0);
	assert_int_equal(replace(f, "new", "file", VAULT_RENAME_INHERIT), 0);
	assert_known(f, new);
	assert_null(strstr(list(f, new), "user.other"));
	assert_non_null(strstr(list(f, new), "user.mine"));
	assert_string_equal(get(f, new, "user.mime_type"), NONE);
	assert_known(f, old); /* it may be open still */
	assert_string_equal(query(f, "SELECT files FROM tag_counts ORDER BY tag_id"), "2|2|");
	assert_int_equal(CHANGE(f, vault_purge(f->vault, old)), 0);
	assert_known(f, new);
	fixture_rebuild(f);
	assert_known(f, new);
}

static void new_file__with_something_of_its_own_keeps_that(void **state)
{
	static const struct {
		const char *name, *value;
	} own[] = {
		{ "user.xdg.tags", "mine" },
		{ "user.xdg.comment", "" },
		{ RATING, "0" },
		{ FAVORITE, "0" },
		{ HIDDEN, "0" },
		{ SEEN, "" },
		{ PREDICTION, "1" },
		{ CUSTOM, "{}" },
		{ "user.xdg.tags", "," },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * sizeof(own) / sizeof(own[0]); i++) {
		const char *name = own[i / 2].name;
		uint64_t new;

		(void)known_file(f, "file");
		new = fixture_file(f, VAULT_ROOT_ID, "new");
		assert_int_equal(set_text(f, new, name, own[i / 2].value), 0);
		if (i % 2) /* what was taken back counts as well */
			(void)drop(f, new, name);
		assert_int_equal(replace(f, "new", "file", VAULT_RENAME_INHERIT), 0);
		for (size_t j = 0; j < N_KNOWN; j++)
			if (i % 2 || strcmp(known[j].name, name) != 0)
				assert_string_equal(get(f, new, known[j].name), NONE);
		assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file", NULL)), 0);
	}
}

static void nothing__is_taken_over_where_nothing_is_replaced(void **state)
{
	struct fixture *f = *state;
	uint64_t old = known_file(f, "file"), new = fixture_file(f, VAULT_ROOT_ID, "new");
	uint64_t link = fixture_make(f, VAULT_ROOT_ID, "link", S_IFLNK | 0777, "x").id;

	assert_int_equal(replace(f, "new", "file", VAULT_RENAME_EXCHANGE | VAULT_RENAME_INHERIT), 0);
	assert_string_equal(get(f, new, "user.xdg.tags"), NONE);
	assert_int_equal(replace(f, "file", "fresh", VAULT_RENAME_INHERIT), 0);
	assert_string_equal(list(f, new), "");
	/* A link has no such attributes. "new" is the old one's name now. */
	assert_int_equal(replace(f, "link", "new", VAULT_RENAME_INHERIT), 0);
	assert_string_equal(get(f, link, "user.xdg.tags"), NONE);
	assert_known(f, old);
}

static void plain_rename__passes_nothing_on(void **state)
{
	struct fixture *f = *state;
	uint64_t new = fixture_file(f, VAULT_ROOT_ID, "new");

	(void)known_file(f, "file");
	assert_int_equal(replace(f, "new", "file", 0), 0);
	assert_string_equal(list(f, new), "");
}

static void other_names__of_the_old_file_keep_what_is_known(void **state)
{
	struct fixture *f = *state;
	uint64_t old = known_file(f, "file"), new = fixture_file(f, VAULT_ROOT_ID, "new");

	assert_int_equal(CHANGE(f, vault_link(f->vault, old, VAULT_ROOT_ID, "link", NULL)), 0);
	assert_int_equal(replace(f, "new", "file", VAULT_RENAME_INHERIT), 0);
	assert_known(f, new);
	assert_known(f, old);
	assert_int_equal(set_text(f, new, "user.xdg.tags", "other"), 0);
	assert_string_equal(get(f, old, "user.xdg.tags"), "B, a,a");
}

static void nothing_known__makes_no_row(void **state)
{
	struct fixture *f = *state;
	uint64_t new;

	(void)fixture_file(f, VAULT_ROOT_ID, "file");
	new = fixture_file(f, VAULT_ROOT_ID, "new");
	assert_int_equal(replace(f, "new", "file", VAULT_RENAME_INHERIT), 0);
	assert_string_equal(query(f, "SELECT count(*) FROM assets"), "0|");
	/* So what it is given later is its own, and the next one takes that over. */
	assert_int_equal(set_text(f, new, FAVORITE, "1"), 0);
	new = fixture_file(f, VAULT_ROOT_ID, "newer");
	assert_int_equal(replace(f, "newer", "file", VAULT_RENAME_INHERIT), 0);
	assert_string_equal(get(f, new, FAVORITE), "1");
}

/* ---- names given up for a backup ---- */

static void name_given_up__and_taken_again_passes_on(void **state)
{
	static const struct {
		const char *backup; /* what "file" is renamed to */
		bool renamed;       /* taken by a rename, else made */
		bool passed_on;
	} cases[] = {
		{ "file~", false, true },    { "file~", true, true },   { "file.bak", true, true },
		{ "file.~1~", false, true }, { "fil", false, false },   { "other", false, false },
		{ "other", true, false },    { ".file~", true, false },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t old = known_file(f, "file"), new;

		new = cases[i].renamed ? fixture_file(f, VAULT_ROOT_ID, "new") : 0;
		assert_int_equal(replace(f, "file", cases[i].backup, VAULT_RENAME_INHERIT), 0);
		if (cases[i].renamed)
			assert_int_equal(replace(f, "new", "file", VAULT_RENAME_INHERIT), 0);
		else
			new = fixture_file(f, VAULT_ROOT_ID, "file");
		if (cases[i].passed_on)
			assert_known(f, new);
		else
			assert_string_equal(list(f, new), "");
		assert_known(f, old);
		assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, cases[i].backup, NULL)), 0);
		assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file", NULL)), 0);
	}
}

static void name_given_up__is_forgotten(void **state)
{
	struct fixture *f = *state;
	uint64_t old = known_file(f, "file"), other = fixture_directory(f, VAULT_ROOT_ID, "d"), new;

	/* In another directory. */
	assert_int_equal(replace(f, "file", "file~", VAULT_RENAME_INHERIT), 0);
	assert_string_equal(list(f, fixture_file(f, other, "file")), "");
	/* After a while. */
	f->vault->given_up->names[0].at_ns -= GIVEN_UP_NS + 1;
	new = fixture_file(f, VAULT_ROOT_ID, "file");
	assert_string_equal(list(f, new), "");
	/* When it was told once. */
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file", NULL)), 0);
	assert_int_equal(replace(f, "file~", "file", VAULT_RENAME_INHERIT), 0);
	assert_int_equal(replace(f, "file", "file~", VAULT_RENAME_INHERIT), 0);
	assert_known(f, fixture_file(f, VAULT_ROOT_ID, "file"));
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file", NULL)), 0);
	assert_string_equal(list(f, fixture_file(f, VAULT_ROOT_ID, "file")), "");
	/* When the file itself has the name again, or is gone. */
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file", NULL)), 0);
	assert_int_equal(replace(f, "file~", "file", VAULT_RENAME_INHERIT), 0);
	assert_int_equal(replace(f, "file", "file~", VAULT_RENAME_INHERIT), 0);
	assert_int_equal(replace(f, "file~", "file", VAULT_RENAME_INHERIT), 0);
	assert_known(f, old);
	assert_int_equal(replace(f, "file", "file~", VAULT_RENAME_INHERIT), 0);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file~", NULL)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, old)), 0);
	assert_string_equal(list(f, fixture_file(f, VAULT_ROOT_ID, "file")), "");
	/* When others did the same meanwhile: a few are remembered. */
	(void)known_file(f, "first");
	assert_int_equal(replace(f, "first", "first~", VAULT_RENAME_INHERIT), 0);
	for (unsigned i = 0; i < GIVEN_UP_MAX; i++) {
		char name[2][8];

		(void)snprintf(name[0], sizeof(name[0]), "%u", i);
		(void)snprintf(name[1], sizeof(name[1]), "%u~", i);
		(void)known_file(f, name[0]);
		assert_int_equal(replace(f, name[0], name[1], VAULT_RENAME_INHERIT), 0);
	}
	assert_string_equal(list(f, fixture_file(f, VAULT_ROOT_ID, "first")), "");
	assert_known(f, fixture_file(f, VAULT_ROOT_ID, "7"));
}

static void name_given_up__to_a_plain_rename_passes_nothing_on(void **state)
{
	struct fixture *f = *state;

	(void)known_file(f, "file");
	assert_int_equal(replace(f, "file", "file~", 0), 0);
	assert_string_equal(list(f, fixture_file(f, VAULT_ROOT_ID, "file")), "");
	assert_null(f->vault->given_up);
}

/* ---- rows ---- */

static void asset_rows__tell_that_there_was_something(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	uint64_t tagged = fixture_file(f, VAULT_ROOT_ID, "tagged");

	assert_int_equal(set_text(f, file, "user.other", "x"), 0);
	assert_string_equal(query(f, "SELECT count(*) FROM assets"), "0|");
	assert_int_equal(set_text(f, tagged, "user.xdg.tags", "a"), 0);
	assert_int_equal(drop(f, tagged, "user.xdg.tags"), 0);
	assert_string_equal(query(f, "SELECT count(*) FROM assets"), "1|");
	assert_int_equal(set_text(f, file, "user.xdg.tags", "a, b"), 0);
	assert_int_equal(set_text(f, file, "user.xdg.comment", "x"), 0);
	assert_int_equal(set_text(f, file, "user.baloo.rating", "3"), 0);
	assert_string_equal(list(f, file), "user.other user.xdg.tags user.xdg.comment user.baloo.rating ");
	assert_int_equal(drop(f, file, "user.xdg.tags"), 0);
	assert_int_equal(drop(f, file, "user.baloo.rating"), 0);
	assert_int_equal(drop(f, file, "user.xdg.comment"), 0);
	assert_string_equal(list(f, file), "user.other ");
	assert_string_equal(query(f, "SELECT count(*) FROM assets"), "2|");
}

static void purge__leaves_no_row(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_int_equal(set_text(f, file, FAVORITE, "1"), 0);
	assert_int_equal(set_text(f, file, CUSTOM, "{}"), 0);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file", NULL)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, file)), 0);
	assert_string_equal(query(f, "SELECT count(*) FROM assets"), "0|");
}

static void all_of_it__is_there_after_opening_and_after_a_rebuild(void **state)
{
	static const struct {
		const char *name, *value;
	} set_ones[] = {
		{ RATING, "0" },
		{ FAVORITE, "1" },
		{ HIDDEN, "1" },
		{ SEEN, "2024-02-20T14:30:00Z" },
		{ PREDICTION, "0110" },
		{ CUSTOM, "{\"a\": [1]}" },
		{ URL, "https://example.com/" },
		{ "user.xdg.comment", "two\nlines" },
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	for (size_t i = 0; i < sizeof(set_ones) / sizeof(set_ones[0]); i++)
		assert_int_equal(set_text(f, file, set_ones[i].name, set_ones[i].value), 0);
	for (int round = 0; round < 2; round++) {
		if (round == 0)
			fixture_reopen(f);
		else
			fixture_rebuild(f);
		for (size_t i = 0; i < sizeof(set_ones) / sizeof(set_ones[0]); i++)
			assert_string_equal(get(f, file, set_ones[i].name), set_ones[i].value);
		assert_string_equal(get(f, file, "user.vaultfs.quality"), "50");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(values__are_taken_or_refused),
		FIXTURE_TEST(sizes__are_bounded),
		FIXTURE_TEST(names__leave_room_in_a_list),
		FIXTURE_TEST(kept_names__that_are_refused_now_can_still_be_removed),
		FIXTURE_TEST(comment__is_kept_byte_for_byte),
		FIXTURE_TEST(quality__is_the_share_of_1s),
		FIXTURE_TEST(read_only__attributes_are_read_by_name_only),
		FIXTURE_TEST(mime__comes_from_the_indexer_only),
		FIXTURE_TEST(counts__tell_how_a_file_is_stored),
		FIXTURE_TEST(asset_rows__tell_that_there_was_something),
		FIXTURE_TEST(new_file__takes_over_what_was_known_of_the_old_one),
		FIXTURE_TEST(new_file__with_something_of_its_own_keeps_that),
		FIXTURE_TEST(nothing__is_taken_over_where_nothing_is_replaced),
		FIXTURE_TEST(plain_rename__passes_nothing_on),
		FIXTURE_TEST(other_names__of_the_old_file_keep_what_is_known),
		FIXTURE_TEST(nothing_known__makes_no_row),
		FIXTURE_TEST(name_given_up__and_taken_again_passes_on),
		FIXTURE_TEST(name_given_up__is_forgotten),
		FIXTURE_TEST(name_given_up__to_a_plain_rename_passes_nothing_on),
		FIXTURE_TEST(purge__leaves_no_row),
		FIXTURE_TEST(all_of_it__is_there_after_opening_and_after_a_rebuild),
	};

	return cmocka_run_group_tests_name("attributes", tests, NULL, NULL);
}
