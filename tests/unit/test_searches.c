/* test_searches.c - saved searches: kept, replaced, renamed and removed, by names without case; through a rebuild, too. */
#include "fixture.h"

#include <errno.h>

#include "library.h"

static int add_line(void *context, const struct vault_search *search)
{
	char *text = context;

	(void)strcat(strcat(strcat(strcat(text, search->name), "="), search->query), "|");
	return 0;
}

static const char *list(struct fixture *f)
{
	static char text[4096];

	text[0] = '\0';
	assert_int_equal(vault_searches(f->vault, add_line, text), 0);
	return text;
}

static int put(struct fixture *f, const char *name, const char *query, unsigned flags)
{
	return CHANGE(f, vault_search_put(f->vault, name, query, flags));
}

static int rename_to(struct fixture *f, const char *name, const char *new_name)
{
	return CHANGE(f, vault_search_rename(f->vault, name, new_name));
}

static void searches__are_kept_under_names(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(list(f), "");
	assert_int_equal(put(f, "Videos", "kind:video  or tag:film", 0), 0);
	assert_int_equal(put(f, "ärger", "tag:x", VAULT_SEARCH_NEW), 0);
	assert_int_equal(put(f, "all", "", 0), 0);
	assert_string_equal(list(f), "all=|Videos=kind:video  or tag:film|ärger=tag:x|");
	assert_int_equal(put(f, "VIDEOS", "kind:video", 0), 0);
	assert_int_equal(put(f, "videos", "kind:audio", VAULT_SEARCH_NEW), -EEXIST);
	assert_int_equal(put(f, "ÄRGER", "tag:y", VAULT_SEARCH_OLD), 0);
	assert_int_equal(put(f, "none", "tag:y", VAULT_SEARCH_OLD), -ENOENT);
	assert_string_equal(list(f), "all=|Videos=kind:video|ärger=tag:y|");
}

static void searches__are_found_without_case(void **state)
{
	struct fixture *f = *state;
	char *query = NULL, name[VAULT_NAME_MAX + 1];

	assert_int_equal(put(f, "Größe", "size:>1G", 0), 0);
	assert_int_equal(vault_search_get(f->vault, "GRÖßE", &query, name), 0);
	assert_string_equal(query, "size:>1G");
	assert_string_equal(name, "Größe");
	free(query);
	assert_int_equal(vault_search_get(f->vault, "Größ", &query, NULL), -ENOENT);
	assert_int_equal(vault_search_get(f->vault, "a/b", &query, NULL), -ENOENT);
}

static void searches__go_and_get_other_names(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(put(f, "a", "tag:a", 0), 0);
	assert_int_equal(put(f, "b", "tag:b", 0), 0);
	assert_int_equal(rename_to(f, "a", "B"), -EEXIST);
	assert_int_equal(rename_to(f, "none", "c"), -ENOENT);
	assert_int_equal(rename_to(f, "a", ".."), -EINVAL);
	assert_int_equal(rename_to(f, "a", "A"), 0);
	assert_string_equal(list(f), "A=tag:a|b=tag:b|");
	assert_int_equal(rename_to(f, "a", "c"), 0);
	assert_string_equal(list(f), "b=tag:b|c=tag:a|");
	assert_int_equal(CHANGE(f, vault_search_remove(f->vault, "C")), 0);
	assert_int_equal(CHANGE(f, vault_search_remove(f->vault, "c")), -ENOENT);
	assert_int_equal(rename_to(f, "b", "a"), 0);
	assert_string_equal(list(f), "a=tag:b|");
}

static void bad_ones__are_refused(void **state)
{
	static char longest[VAULT_NAME_MAX + 2];
	const struct {
		const char *name, *query;
		int want;
	} rows[] = {
		{ "", "x", -EINVAL },       { ".", "x", -EINVAL },           { "..", "x", -EINVAL },
		{ "a/b", "x", -EINVAL },    { longest, "x", -ENAMETOOLONG }, { longest + 1, "x", 0 },
		{ "bad", "tag:", -EINVAL }, { "bad", "(", -EINVAL },         { "good\n", "\"x\"", 0 },
	};
	struct fixture *f = *state;

	memset(longest, 'n', VAULT_NAME_MAX + 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(put(f, rows[i].name, rows[i].query, 0), rows[i].want);
}

static void searches__come_back_with_a_rebuild(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(put(f, "b", "tag:b", 0), 0);
	assert_int_equal(put(f, "a", "tag:a", 0), 0);
	assert_int_equal(put(f, "gone", "x", 0), 0);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(CHANGE(f, vault_search_remove(f->vault, "gone")), 0);
	assert_int_equal(rename_to(f, "a", "c"), 0);
	assert_int_equal(put(f, "b", "tag:bb", 0), 0);
	fixture_rebuild(f);
	assert_string_equal(list(f), "b=tag:bb|c=tag:a|");
	fixture_reopen(f);
	assert_string_equal(list(f), "b=tag:bb|c=tag:a|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(searches__are_kept_under_names),
		FIXTURE_TEST(searches__are_found_without_case),
		FIXTURE_TEST(searches__go_and_get_other_names),
		FIXTURE_TEST(bad_ones__are_refused),
		FIXTURE_TEST(searches__come_back_with_a_rebuild),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
