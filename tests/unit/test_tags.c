/* test_tags.c - tags as an attribute and as rows. */
#include "xattr_fixture.h"

#include "tags.h"

#define TAGS "user.xdg.tags"

#define FILE_TAGS \
	"SELECT t.name FROM asset_tags a JOIN tags t ON t.id = a.tag_id ORDER BY a.inode_id, a.position"

static void tags__become_rows_in_their_order(void **state)
{
	static char longest[TAGS_NAME_MAX + 2];
	const struct {
		const char *text, *rows;
	} rows[] = {
		{ "a", "a|" },
		{ "b,a", "b|a|" },
		{ "a, b,,a", "a|b|" },
		{ " , ,,\t", "" },
		{ ",x,", "x|" },
		{ "  trip to Rome  ,2024", "trip to Rome|2024|" },
		{ "places/Italy/Rome", "places/Italy/Rome|" },
		{ "Pé\xff,\xc2\xa0",
		  "Pé\xff|\xc2\xa0|" }, /* not UTF-8; only ASCII's white space is trimmed */
		{ "new\nline\r\n,\v\fx", "new\nline|x|" },
		{ longest, longest },
		{ "", "" },
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	memset(longest, 'n', TAGS_NAME_MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got;

		assert_int_equal(set_text(f, file, TAGS, rows[i].text), 0);
		got = query(f, FILE_TAGS);
		assert_memory_equal(got, rows[i].rows, strlen(rows[i].rows));
		assert_string_equal(get(f, file, TAGS), rows[i].rows[0] ? rows[i].text : "-");
		assert_string_equal(list(f, file), rows[i].rows[0] ? TAGS " " : "");
	}
}

static void tags__of_another_case_are_the_same_row(void **state)
{
	struct fixture *f = *state;
	uint64_t one = fixture_file(f, VAULT_ROOT_ID, "one"),
		 two = fixture_directory(f, VAULT_ROOT_ID, "two");

	assert_int_equal(set_text(f, one, TAGS, "Beach,ÄRGER"), 0);
	assert_int_equal(set_text(f, two, TAGS, "ärger,BEACH,beach"), 0);
	assert_string_equal(query(f, "SELECT name FROM tags ORDER BY id"), "Beach|ÄRGER|");
	assert_string_equal(query(f, FILE_TAGS), "Beach|ÄRGER|ÄRGER|Beach|");
	assert_string_equal(get(f, one, TAGS), "Beach,ÄRGER");
	assert_string_equal(get(f, two, TAGS), "ärger,BEACH,beach");
	assert_int_equal(drop(f, one, TAGS), 0);
	assert_int_equal(drop(f, two, TAGS), 0);
	assert_string_equal(query(f, "SELECT name FROM tags ORDER BY id"), "Beach|ÄRGER|");
}

static void tags_text__is_kept_only_where_the_rows_say_it_otherwise(void **state)
{
	static const struct {
		const char *text;
		bool kept;
	} rows[] = {
		{ "a", false },  { "a,b,c", false }, { "a, b", true },  { "a,b,", true },
		{ "a,a", true }, { "A", true },      { "b,A", true },   { "b,a", false },
		{ ",", false },  { "a,A,b", true },  { " a,bc", true }, { "aa ,b", true },
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(set_text(f, file, TAGS, rows[i].text), 0);
		assert_string_equal(query(f, "SELECT 1 FROM assets WHERE tags_text IS NOT NULL"),
				    rows[i].kept ? "1|" : "");
		assert_string_equal(query(f, "SELECT 1 FROM assets"), "1|");
	}
}

static void tags__are_bounded(void **state)
{
	static char many[8 * (TAGS_PER_FILE_MAX + 1)];
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	char longest[TAGS_NAME_MAX + 2];
	size_t size = 0;

	memset(longest, 'n', sizeof(longest));
	assert_int_equal(set_text(f, file, TAGS, "before, "), 0);
	assert_int_equal(set(f, file, TAGS, longest, TAGS_NAME_MAX + 1), -EINVAL);
	assert_int_equal(set(f, file, TAGS, "a,b\0c", 5), -EINVAL);
	for (unsigned i = 0; i <= TAGS_PER_FILE_MAX; i++)
		size += (size_t)snprintf(many + size, sizeof(many) - size, "%u,", i);
	assert_int_equal(set(f, file, TAGS, many, size), -EINVAL);
	assert_string_equal(query(f, "SELECT name FROM tags"), "before|"); /* all or nothing */
	assert_string_equal(get(f, file, TAGS), "before, ");

	assert_int_equal(set(f, file, TAGS, many, size - 5), 0);
	assert_string_equal(query(f, "SELECT count(*) FROM asset_tags"), "1000|");
	assert_int_equal(strlen(get(f, file, TAGS)), size - 5);
	assert_int_equal(set(f, file, TAGS, "a,b\0", 4), 0); /* the NUL that ends a string in memory */
	assert_string_equal(query(f, FILE_TAGS), "a|b|");
	assert_int_equal(vault_getxattr(f->vault, file, TAGS, many, sizeof(many)), 4);
}

static void flags__see_tags_as_an_attribute(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, file, TAGS, "a", 1, XATTR_REPLACE)), -ENODATA);
	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, file, TAGS, "a", 1, XATTR_CREATE)), 0);
	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, file, TAGS, "a", 1, XATTR_CREATE)), -EEXIST);
	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, file, TAGS, "", 0, XATTR_REPLACE)), 0);
	assert_int_equal(drop(f, file, TAGS), -ENODATA);
}

static void purge__leaves_no_row_but_the_tags(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	struct vault_attr attr;

	assert_int_equal(set_text(f, file, TAGS, "a, b"), 0);
	assert_int_equal(set_text(f, file, "user.xdg.comment", "x"), 0);
	assert_int_equal(set_text(f, file, "user.other", "x"), 0);
	assert_int_equal(CHANGE(f, vault_set_mime(f->vault, file, "text/plain")), 0);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file", &attr)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, file)), 0);
	assert_string_equal(
		query(f, "SELECT (SELECT count(*) FROM assets) + (SELECT count(*) FROM asset_tags) + "
			 "(SELECT count(*) FROM content) + (SELECT count(*) FROM xattrs)"),
		"0|");
	assert_string_equal(query(f, "SELECT name FROM tags"), "a|b|");
}

static void all_of_it__is_there_after_opening_again(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_int_equal(set_text(f, file, TAGS, "B, a"), 0);
	assert_int_equal(set_text(f, file, "user.baloo.rating", "0"), 0);
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			fixture_reopen(f);
		else
			fixture_rebuild(f);
		assert_string_equal(get(f, file, TAGS), "B, a");
		assert_string_equal(get(f, file, "user.baloo.rating"), "0");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(tags__become_rows_in_their_order),
		FIXTURE_TEST(tags__of_another_case_are_the_same_row),
		FIXTURE_TEST(tags_text__is_kept_only_where_the_rows_say_it_otherwise),
		FIXTURE_TEST(tags__are_bounded),
		FIXTURE_TEST(flags__see_tags_as_an_attribute),
		FIXTURE_TEST(purge__leaves_no_row_but_the_tags),
		FIXTURE_TEST(all_of_it__is_there_after_opening_again),
	};

	return cmocka_run_group_tests_name("tags", tests, NULL, NULL);
}
