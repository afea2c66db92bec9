/* test_tag_edit.c - tags made, renamed and removed, their rules set, and given to files one by one. */
#include "tag_fixture.h"

#include "../random.h"

#define TAGS "user.xdg.tags"
#define ALL_TAGS "SELECT name FROM tags ORDER BY folded"

static int make_tag(struct fixture *f, const char *name)
{
	return CHANGE(f, vault_tag_make(f->vault, name));
}

static int rename_tag(struct fixture *f, const char *from, const char *to)
{
	int r;

	do
		r = CHANGE(f, vault_tag_rename(f->vault, from, to));
	while (r == 1);
	return r;
}

static int remove_tag(struct fixture *f, const char *name, unsigned flags)
{
	int r;

	do
		r = CHANGE(f, vault_tag_remove(f->vault, name, flags));
	while (r == 1);
	return r;
}

static int put(struct fixture *f, const char *name, enum vault_tag_text which, const char *text)
{
	return CHANGE(f, vault_tag_set_text(f->vault, name, which, text, strlen(text)));
}

static const char *text_of(struct fixture *f, const char *name, enum vault_tag_text which)
{
	static char text[4096];
	ssize_t n = vault_tag_get_text(f->vault, name, which, text, sizeof(text) - 1);

	if (n == -ENODATA || n == -ENOENT)
		return n == -ENODATA ? "-" : "none";
	assert_true(n >= 0);
	assert_int_equal(vault_tag_get_text(f->vault, name, which, NULL, 0), n);
	text[n] = '\0';
	return text;
}

static void make__takes_names_that_a_folder_can_have(void **state)
{
	static char longest[VAULT_TAG_NAME_MAX + 2];
	static const struct {
		const char *name;
		int want;
	} rows[] = {
		{ "a", 0 },	      { "A", -EEXIST },	   { "place/italy/rome", 0 }, { "place", 0 },
		{ "place", -EEXIST }, { "", -EINVAL },	   { "a,b", -EINVAL },	      { " a", -EINVAL },
		{ "a\n", -EINVAL },   { "/", -EINVAL },	   { "/a", -EINVAL },	      { "a/", -EINVAL },
		{ "a//b", -EINVAL },  { ".", -EINVAL },	   { "a/../b", -EINVAL },     { "...", 0 },
		{ "x y", 0 },	      { longest, -ENAMETOOLONG }, { longest + 1, 0 },	      { "\xff", 0 },
	};
	struct fixture *f = *state;

	memset(longest, 'n', VAULT_TAG_NAME_MAX + 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (make_tag(f, rows[i].name) != rows[i].want)
			fail_msg("%s: not %d", rows[i].name, rows[i].want);
	assert_int_equal(strlen(query(f, "SELECT name FROM tags WHERE length(name) < 40 ORDER BY folded")),
			 strlen("...|a|place|place/italy/rome|x y|.|"));
}

static void remove__takes_unused_tags_only(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	struct vault_attr attr;

	assert_int_equal(set_text(f, file, TAGS, "used,a/b/c"), 0);
	assert_int_equal(make_tag(f, "unused"), 0);
	assert_int_equal(remove_tag(f, "none", 0), -ENOENT);
	assert_int_equal(remove_tag(f, "used", 0), -ENOTEMPTY);
	assert_int_equal(remove_tag(f, "a", 0), -ENOTEMPTY);
	assert_int_equal(remove_tag(f, "a/b/c", 0), -ENOTEMPTY);
	assert_int_equal(remove_tag(f, "unused", 2), -EINVAL);
	assert_int_equal(remove_tag(f, "UNUSED", 0), 0);
	assert_int_equal(remove_tag(f, "unused", 0), -ENOENT);

	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file", &attr)), 0);
	assert_int_equal(remove_tag(f, "a/b/c", 0), 0);	/* a file that only waits for being purged does not count */
	assert_string_equal(query(f, ALL_TAGS), "a/b|used|");	/* the step above stays */
	assert_int_equal(remove_tag(f, "a/b", 0), 0);
	assert_int_equal(remove_tag(f, "a", 0), 0);
	assert_string_equal(query(f, ALL_TAGS), "used|");
	assert_string_equal(query(f, "SELECT t.name FROM asset_tags a LEFT JOIN tags t ON t.id = a.tag_id"), "used|");
}

static void remove__takes_used_ones_from_all_files(void **state)
{
	struct fixture *f = *state;
	uint64_t one = fixture_file(f, VAULT_ROOT_ID, "one"), two = fixture_file(f, VAULT_ROOT_ID, "two");
	int64_t ctime;

	assert_int_equal(set_text(f, one, TAGS, "x, a/b,y"), 0);
	assert_int_equal(set_text(f, two, TAGS, "A/B/c,a"), 0);
	assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "a/b", "ab")), 0);
	assert_int_equal(CHANGE(f, vault_tag_imply(f->vault, "a/b", "x")), 0);
	assert_int_equal(CHANGE(f, vault_tag_imply(f->vault, "y", "a/b")), 0);
	ctime = fixture_attr(f, one).ctime_ns;
	assert_int_equal(remove_tag(f, "a/b", VAULT_TAG_REMOVE_USED), 0);
	assert_string_equal(get(f, one, TAGS), "x,y");
	assert_string_equal(get(f, two, TAGS), "a");
	assert_true(fixture_attr(f, one).ctime_ns > ctime);
	assert_string_equal(query(f, "SELECT (SELECT count(*) FROM tag_aliases) + (SELECT count(*) FROM tag_implications)"), "0|");
	assert_string_equal(query(f, "SELECT t.name || c.files FROM tag_counts c JOIN tags t ON t.id = c.tag_id ORDER BY 1"),
			    "a1|x1|y1|");
	assert_int_equal(remove_tag(f, "a", VAULT_TAG_REMOVE_USED), 0);
	assert_string_equal(get(f, two, TAGS), "-");
}

static void remove__goes_in_slices(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	int n = 0, r;

	assert_int_equal(set_text(f, file, TAGS, "many,other"), 0);
	run_sql(f, "INSERT INTO asset_tags WITH RECURSIVE n (i) AS (VALUES (1000000) UNION ALL SELECT i + 1 FROM n WHERE i < 1012000) "
		   "SELECT i, (SELECT id FROM tags WHERE name = 'many'), 0 FROM n");
	do {
		r = CHANGE(f, vault_tag_remove(f->vault, "many", VAULT_TAG_REMOVE_USED));
		n++;
	} while (r == 1);
	assert_int_equal(r, 0);
	assert_int_equal(n, 3);
	assert_string_equal(query(f, ALL_TAGS), "other|");
	assert_string_equal(query(f, "SELECT count(*) FROM asset_tags"), "1|");
	assert_string_equal(get(f, file, TAGS), "other");
}

static void rename__is_seen_on_every_file(void **state)
{
	struct fixture *f = *state;
	uint64_t one = fixture_file(f, VAULT_ROOT_ID, "one"), two = fixture_file(f, VAULT_ROOT_ID, "two");
	uint64_t ids[4], generation;

	assert_int_equal(set_text(f, one, TAGS, "x, Place/Italy ,place"), 0);
	assert_int_equal(set_text(f, two, TAGS, "place/italy/rome,places"), 0);
	generation = vault_generation(f->vault);
	assert_int_equal(rename_tag(f, "PLACE", "trip/2024"), 0);
	assert_int_equal(vault_changes_since(f->vault, &generation, ids, 4), -EOVERFLOW);
	assert_string_equal(query(f, ALL_TAGS), "places|trip/2024|trip/2024/Italy|trip/2024/italy/rome|x|");
	assert_string_equal(get(f, one, TAGS), "x,trip/2024/Italy,trip/2024");
	assert_string_equal(get(f, two, TAGS), "trip/2024/italy/rome,places");
	assert_int_equal(rename_tag(f, "trip/2024", "place"), 0);
	assert_string_equal(get(f, one, TAGS), "x, Place/Italy ,place");	/* as it was written: it is true again */
	assert_int_equal(rename_tag(f, "x", "X"), 0);	/* no other tag: the text stays, the row's name is new */
	assert_string_equal(get(f, one, TAGS), "x, Place/Italy ,place");
	assert_string_equal(query(f, "SELECT name FROM tags WHERE folded = 'x'"), "X|");
	assert_int_equal(rename_tag(f, "trip", "journey"), 0);	/* the step above has stayed */
	assert_string_equal(query(f, ALL_TAGS), "journey|place|place/Italy|place/italy/rome|places|X|");
}

static void text__counts_only_while_it_is_true(void **state)
{
	static const struct {
		const char *written, *from, *to, *want;
	} rows[] = {
		{ "b, a", "a", "c", "b,c" },
		{ "a,A,b", "b", "c", "a,c" },
		{ " A ,b", "a", "B2", "B2,b" },
		{ "a , b", "none", "x", "a , b" },
		{ "a, b", "a", "A", "a, b" },
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file"), copy = fixture_file(f, VAULT_ROOT_ID, "copy");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run_sql(f, "DELETE FROM tags; DELETE FROM asset_tags; DELETE FROM tag_counts");
		assert_int_equal(make_tag(f, "none"), 0);
		assert_int_equal(set_text(f, copy, TAGS, "a,b"), 0);
		assert_int_equal(set_text(f, file, TAGS, rows[i].written), 0);
		assert_string_equal(get(f, file, TAGS), rows[i].written);
		assert_int_equal(rename_tag(f, rows[i].from, rows[i].to), 0);
		assert_string_equal(get(f, file, TAGS), rows[i].want);
	}
	run_sql(f, "UPDATE assets SET tags_text = x'612c620063'");	/* forged: nobody could write it */
	assert_string_equal(get(f, copy, TAGS), "A,b");
}

static void rename__refuses_what_cannot_be(void **state)
{
	static char longest[VAULT_TAG_NAME_MAX + 1];
	static const struct {
		const char *from, *to;
		int want;
	} rows[] = {
		{ "none", "x", -ENOENT },    { "a", "b", -EEXIST },	{ "a", "B", -EEXIST },	   { "a", "step", -EEXIST },
		{ "a", "a/x", -EINVAL },     { "a", "A/x", -EINVAL },	{ "a", "x,y", -EINVAL },   { "a", "", -EINVAL },
		{ "a", "x/../y", -EINVAL },  { "a", longest, -ENAMETOOLONG }, { "step", "al", -EEXIST }, { "a", "other", -EEXIST },
		{ "b", "other/x", -EEXIST }, { "b", "new", -EEXIST },	{ "b", "al/b", 0 },
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	memset(longest, 'n', VAULT_TAG_NAME_MAX);
	assert_int_equal(set_text(f, file, TAGS, "a,a/b,b,b/sub,step/c,other/x"), 0);
	assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "step", "al")), 0);
	assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "a", "new/sub")), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = rename_tag(f, rows[i].from, rows[i].to);

		if (r != rows[i].want)
			fail_msg("%s to %s: %d", rows[i].from, rows[i].to, r);
	}
	assert_string_equal(query(f, ALL_TAGS), "a|a/b|other/x|step|step/b|step/b/sub|step/c|");
}

static void rename__brings_along_what_aliases_lead_there(void **state)
{
	struct fixture *f = *state;
	uint64_t one = fixture_file(f, VAULT_ROOT_ID, "one"), two = fixture_file(f, VAULT_ROOT_ID, "two");

	assert_int_equal(set_text(f, one, TAGS, "foto/2024/x,y"), 0);
	assert_int_equal(set_text(f, two, TAGS, "photo,photo/2024,foto/2024,foto,photo/2024/x"), 0);
	assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "photo", "foto")), 0);
	assert_string_equal(matching_rows(f, "photo/2024"), "foto/2024/x|photo/2024|foto/2024|photo/2024/x|");

	/* The alias goes with its tag. */
	assert_int_equal(rename_tag(f, "photo", "picture"), 0);
	assert_string_equal(text_of(f, "picture", VAULT_TAG_ALIASES), "foto");
	assert_string_equal(matching_rows(f, "picture/2024"), "foto/2024/x|picture/2024|foto/2024|picture/2024/x|");
	assert_string_equal(get(f, one, TAGS), "foto/2024/x,y");

	/* A tag below goes elsewhere, and the alias does not: one row from now on. */
	assert_int_equal(rename_tag(f, "foto/2024", "old"), 0);
	assert_string_equal(query(f, ALL_TAGS), "foto|old|old/x|picture|y|");
	assert_string_equal(get(f, one, TAGS), "old/x,y");
	assert_string_equal(get(f, two, TAGS), "picture,old,foto,old/x");
	assert_string_equal(query(f, "SELECT t.name || c.files FROM tag_counts c JOIN tags t ON t.id = c.tag_id WHERE files ORDER BY 1"),
			    "foto1|old/x2|old1|picture1|y1|");
}

static void looks__are_checked(void **state)
{
	static const struct {
		enum vault_tag_text which;
		const char *text;
		int r;
		const char *want;
	} rows[] = {
		{ VAULT_TAG_COLOR, "#12aBcF", 0, "#12abcf" },
		{ VAULT_TAG_COLOR, "Red", 0, "red" },
		{ VAULT_TAG_COLOR, "reddish", -EINVAL, "red" },
		{ VAULT_TAG_COLOR, "#12345", -EINVAL, "red" },
		{ VAULT_TAG_COLOR, "#12345g", -EINVAL, "red" },
		{ VAULT_TAG_COLOR, "123456", -EINVAL, "red" },
		{ VAULT_TAG_COLOR, "", 0, "-" },
		{ VAULT_TAG_ICON, "folder-pictures", 0, "folder-pictures" },
		{ VAULT_TAG_ICON, "a/b", -EINVAL, "folder-pictures" },
		{ VAULT_TAG_ICON, "-x", -EINVAL, "folder-pictures" },
		{ VAULT_TAG_ICON, "x y", -EINVAL, "folder-pictures" },
		{ VAULT_TAG_ICON, "\xc3\xa4", -EINVAL, "folder-pictures" },
		{ VAULT_TAG_ICON, "", 0, "-" },
	};
	struct fixture *f = *state;
	struct vault_tags tags;

	assert_string_equal(text_of(f, "t", VAULT_TAG_COLOR), "none");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(put(f, "t", rows[i].which, rows[i].text), rows[i].r);
		assert_string_equal(text_of(f, "T", rows[i].which), rows[i].want);
	}
	assert_int_equal(put(f, "t", VAULT_TAG_COLOR, "blue"), 0);
	assert_int_equal(vault_tag_find(f->vault, "t", &tags), 0);
	assert_string_equal(tags.tags[0].color, "blue");
	assert_null(tags.tags[0].icon);
	vault_tags_release(&tags);
}

static void rules__are_lists_of_names(void **state)
{
	static const struct {
		const char *tag;
		enum vault_tag_text which;
		const char *text;
		int r;
		const char *want;
	} rows[] = {
		{ "photo", VAULT_TAG_ALIASES, "foto, Bild", 0, "Bild,foto" },
		{ "FOTO", VAULT_TAG_ALIASES, "foto,pic", 0, "foto,pic" },
		{ "photo", VAULT_TAG_ALIASES, "photo", -EINVAL, "foto,pic" },
		{ "photo", VAULT_TAG_ALIASES, "new,,Foto/x", 0, "Foto/x,new" },	/* of what the alias before led to */
		{ "photo", VAULT_TAG_ALIASES, "foto", 0, "foto" },
		{ "photo/x", VAULT_TAG_ALIASES, "photo", -EINVAL, "-" },	/* its own name begins so */
		{ "photo", VAULT_TAG_ALIASES, "a//b", -EINVAL, "foto" },
		{ "other", VAULT_TAG_ALIASES, "FOTO", -EEXIST, "-" },
		{ "photo", VAULT_TAG_ALIASES, "foto/a", 0, "foto/a" },
		{ "photo", VAULT_TAG_ALIASES, "", 0, "-" },
		{ "beach", VAULT_TAG_IMPLIES, "holiday,sun", 0, "holiday,sun" },
		{ "beach", VAULT_TAG_IMPLIES, "beach", -EINVAL, "holiday,sun" },
		{ "beach", VAULT_TAG_IMPLIES, "Sun,Sea", 0, "sun,Sea" },
		{ "sun", VAULT_TAG_IMPLIES, "beach", 0, "beach" },	/* circles do no harm */
		{ "beach", VAULT_TAG_IMPLIES, "", 0, "-" },
	};
	struct fixture *f = *state;

	assert_int_equal(make_tag(f, "other"), 0);
	assert_int_equal(make_tag(f, "photo/x"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = put(f, rows[i].tag, rows[i].which, rows[i].text);

		if (r != rows[i].r || strcmp(text_of(f, rows[i].tag, rows[i].which), rows[i].want) != 0)
			fail_msg("%s: %s: %d, %s", rows[i].tag, rows[i].text, r, text_of(f, rows[i].tag, rows[i].which));
	}
}

static void rules__one_by_one(void **state)
{
	struct fixture *f = *state;
	char name[32];

	assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "photo", "foto")), 0);
	assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "photo", "Foto")), 0);
	assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "foto", "photo")), -EINVAL);	/* a circle */
	assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "a/b", "x")), 0);
	assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "x/c", "a")), -EINVAL);	/* another */
	assert_int_equal(CHANGE(f, vault_tag_alias_remove(f->vault, "FOTO")), 0);
	assert_int_equal(CHANGE(f, vault_tag_alias_remove(f->vault, "foto")), -ENOENT);
	assert_int_equal(CHANGE(f, vault_tag_alias_remove(f->vault, "")), -ENOENT);
	assert_int_equal(CHANGE(f, vault_tag_imply(f->vault, "beach", "holiday")), 0);
	assert_int_equal(CHANGE(f, vault_tag_imply(f->vault, "beach", "Holiday")), 0);
	assert_int_equal(CHANGE(f, vault_tag_imply(f->vault, "beach", "BEACH")), -EINVAL);
	assert_int_equal(CHANGE(f, vault_tag_imply_remove(f->vault, "beach", "none")), -ENOENT);
	assert_int_equal(CHANGE(f, vault_tag_imply_remove(f->vault, "beach", "holiday")), 0);
	assert_int_equal(CHANGE(f, vault_tag_imply_remove(f->vault, "beach", "holiday")), -ENOENT);
	for (int i = 0; i < 256; i++) {
		(void)snprintf(name, sizeof(name), "alias %d", i);
		assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "photo", name)), 0);
	}
	assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "photo", "one more")), -ENOSPC);
}

static void file_tags__come_and_go_one_by_one(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	uint64_t link = fixture_make(f, VAULT_ROOT_ID, "link", S_IFLNK | 0777, "file").id;
	int64_t ctime = fixture_attr(f, file).ctime_ns;

	assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, file, "b")), 0);
	assert_true(fixture_attr(f, file).ctime_ns > ctime);
	assert_int_equal(set_text(f, file, TAGS, "b, a/x"), 0);
	assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, file, "B")), 0);	/* it has it: nothing changes */
	assert_string_equal(get(f, file, TAGS), "b, a/x");
	assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, file, "A")), 0);	/* it only counts as having it */
	assert_string_equal(get(f, file, TAGS), "b,a/x,a");
	assert_int_equal(CHANGE(f, vault_tag_alias_add(f->vault, "c/d", "cd")), 0);
	assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, file, "cd/e")), 0);
	assert_string_equal(get(f, file, TAGS), "b,a/x,a,c/d/e");
	assert_int_equal(vault_file_tag_owned(f->vault, file, "c"), 1);	/* c/d/e */
	assert_int_equal(CHANGE(f, vault_file_tag_remove(f->vault, file, "c")), 0);
	assert_int_equal(CHANGE(f, vault_file_tag_remove(f->vault, file, "c")), -ENODATA);
	assert_int_equal(CHANGE(f, vault_file_tag_remove(f->vault, file, "none")), -ENODATA);
	assert_int_equal(CHANGE(f, vault_file_tag_remove(f->vault, file, "a")), 0);
	assert_string_equal(get(f, file, TAGS), "b");
	assert_int_equal(CHANGE(f, vault_tag_imply(f->vault, "b", "c")), 0);
	assert_int_equal(CHANGE(f, vault_file_tag_remove(f->vault, file, "c")), -ENODATA);	/* by a rule: stays */
	assert_int_equal(vault_file_tag_owned(f->vault, file, "c"), 0);

	assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, file, "x,y")), -EINVAL);
	assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, link, "x")), -EPERM);
	assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, 77777, "x")), -ENOENT);
	assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, VAULT_ROOT_ID, "x")), 0);
	assert_string_equal(query(f, "SELECT t.name || c.files FROM tag_counts c JOIN tags t ON t.id = c.tag_id WHERE files ORDER BY 1"),
			    "b1|x1|");
}

static void file_tags__are_bounded(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	static char many[8000];
	size_t size = 0;

	for (int i = 0; i < 1000; i++)
		size += (size_t)snprintf(many + size, sizeof(many) - size, "%d,", i);
	assert_int_equal(set_text(f, file, TAGS, many), 0);
	assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, file, "one more")), -ENOSPC);
	assert_int_equal(CHANGE(f, vault_file_tag_remove(f->vault, file, "7")), 0);
	assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, file, "one more")), 0);
}

/* All rows of tags and rules, as one text. */
static const char *dump(struct fixture *f)
{
	return query(f, "SELECT id || name || folded || ifnull(color, '') || ifnull(icon, '') FROM tags "
			"UNION ALL SELECT * FROM (SELECT folded || name || tag_id FROM tag_aliases ORDER BY 1) "
			"UNION ALL SELECT * FROM (SELECT tag_id || ' ' || implied_id FROM tag_implications ORDER BY 1) "
			"UNION ALL SELECT * FROM (SELECT inode_id || ' ' || tag_id || ' ' || position FROM asset_tags ORDER BY 1) "
			"UNION ALL SELECT * FROM (SELECT tag_id || ' ' || files FROM tag_counts WHERE files > 0 ORDER BY 1)");
}

static void all_of_it__comes_back_with_a_rebuild(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	char before[4096];

	assert_int_equal(set_text(f, file, TAGS, "a/b,a/c,foto,photo/x,foto/x"), 0);
	assert_int_equal(put(f, "a", VAULT_TAG_COLOR, "red"), 0);
	assert_int_equal(put(f, "a/b", VAULT_TAG_ICON, "folder"), 0);
	assert_int_equal(put(f, "photo", VAULT_TAG_ALIASES, "foto,pic"), 0);
	assert_int_equal(put(f, "a/c", VAULT_TAG_IMPLIES, "photo,new"), 0);
	assert_int_equal(rename_tag(f, "photo/x", "y"), 0);
	assert_int_equal(rename_tag(f, "a", "z"), 0);
	assert_int_equal(remove_tag(f, "z/b", VAULT_TAG_REMOVE_USED), 0);
	assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, file, "last")), 0);
	(void)snprintf(before, sizeof(before), "%s", dump(f));
	assert_string_equal(get(f, file, TAGS), "z/c,foto,y,last");
	fixture_reopen(f);
	assert_string_equal(dump(f), before);
	fixture_rebuild(f);
	assert_string_equal(dump(f), before);
	assert_string_equal(text_of(f, "PIC", VAULT_TAG_ALIASES), "foto,pic");
	assert_string_equal(text_of(f, "z", VAULT_TAG_COLOR), "red");
}

/* ---- against a model: files with lists of names ---- */

#define MODEL_FILES 8
#define MODEL_TAGS 40

struct model {
	struct random random;
	uint64_t files[MODEL_FILES];
	char tags[MODEL_FILES][MODEL_TAGS][32];
	int n[MODEL_FILES];
};

/* `name` is `tag`, or below it. */
static bool is_below(const char *name, const char *tag)
{
	size_t n = strlen(tag);

	return strncmp(name, tag, n) == 0 && (name[n] == '\0' || name[n] == '/');
}

static void random_name(struct model *m, char ret[32])
{
	size_t at = 0;

	for (size_t depth = 1 + random_below(&m->random, 3); depth > 0; depth--)
		at += (size_t)sprintf(ret + at, "%s%c", at > 0 ? "/" : "", (int)('a' + random_below(&m->random, 5)));
}

static void model_remove(struct model *m, int file, const char *tag)
{
	int kept = 0;

	for (int i = 0; i < m->n[file]; i++)
		if (!is_below(m->tags[file][i], tag))
			memmove(m->tags[file][kept++], m->tags[file][i], sizeof(m->tags[0][0]));
	m->n[file] = kept;
}

static void model_add(struct model *m, int file, const char *tag)
{
	for (int i = 0; i < m->n[file]; i++)
		if (strcmp(m->tags[file][i], tag) == 0)
			return;
	(void)strcpy(m->tags[file][m->n[file]++], tag);
}

static void model_rename(struct model *m, const char *from, const char *to)
{
	for (int file = 0; file < MODEL_FILES; file++) {
		for (int i = 0; i < m->n[file]; i++) {
			char renamed[96];

			if (!is_below(m->tags[file][i], from))
				continue;
			(void)snprintf(renamed, sizeof(renamed), "%s%s", to, m->tags[file][i] + strlen(from));
			(void)snprintf(m->tags[file][i], sizeof(m->tags[0][0]), "%.31s", renamed);
		}
	}
}

static void model_compare(struct fixture *f, const struct model *m)
{
	for (int file = 0; file < MODEL_FILES; file++) {
		char want[MODEL_TAGS * 33] = "";

		for (int i = 0; i < m->n[file]; i++)
			(void)strcat(strcat(want, i > 0 ? "," : ""), m->tags[file][i]);
		assert_string_equal(get(f, m->files[file], TAGS), m->n[file] ? want : "-");
	}
	assert_string_equal(query(f, "SELECT 'wrong' WHERE EXISTS (SELECT 1 FROM tag_counts c WHERE c.files <> "
				     "(SELECT count(*) FROM asset_tags a WHERE a.tag_id = c.tag_id))"),
			    "");
	assert_string_equal(query(f, "SELECT folded FROM tags GROUP BY folded HAVING count(*) > 1"), "");
}

static void model_step(struct fixture *f, struct model *m)
{
	int file = (int)random_below(&m->random, MODEL_FILES);
	char one[32], two[32];
	int r;

	random_name(m, one);
	random_name(m, two);
	switch (random_below(&m->random, 8)) {
	case 0:
		r = rename_tag(f, one, two);
		if (r == 0)
			model_rename(m, one, two);
		else if (r != -EEXIST && r != -ENOENT && (r != -EINVAL || !is_below(two, one)))
			fail_msg("%s to %s: %d", one, two, r);
		break;
	case 1:
		r = remove_tag(f, one, VAULT_TAG_REMOVE_USED);
		for (int i = 0; r == 0 && i < MODEL_FILES; i++)
			model_remove(m, i, one);
		if (r != 0)
			assert_int_equal(r, -ENOENT);
		break;
	case 2:
	case 3:
		r = CHANGE(f, vault_file_tag_remove(f->vault, m->files[file], one));
		if (r != 0)
			assert_int_equal(r, -ENODATA);
		model_remove(m, file, one);
		break;
	default:
		if (m->n[file] == MODEL_TAGS)
			break;
		assert_int_equal(CHANGE(f, vault_file_tag_add(f->vault, m->files[file], one)), 0);
		model_add(m, file, one);
	}
}

static void random__edits_do_what_they_do_to_lists_of_names(void **state)
{
	struct fixture *f = *state;
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->random.state = random_seed_or("0");
	for (int i = 0; i < MODEL_FILES; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%d", i);
		m->files[i] = fixture_file(f, VAULT_ROOT_ID, name);
	}
	for (int i = 0; i < 600; i++) {
		model_step(f, m);
		if (i % 20 == 0)
			model_compare(f, m);
	}
	model_compare(f, m);
	fixture_rebuild(f);
	model_compare(f, m);
	free(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(make__takes_names_that_a_folder_can_have),
		FIXTURE_TEST(remove__takes_unused_tags_only),
		FIXTURE_TEST(remove__takes_used_ones_from_all_files),
		FIXTURE_TEST(remove__goes_in_slices),
		FIXTURE_TEST(rename__is_seen_on_every_file),
		FIXTURE_TEST(text__counts_only_while_it_is_true),
		FIXTURE_TEST(rename__refuses_what_cannot_be),
		FIXTURE_TEST(rename__brings_along_what_aliases_lead_there),
		FIXTURE_TEST(looks__are_checked),
		FIXTURE_TEST(rules__are_lists_of_names),
		FIXTURE_TEST(rules__one_by_one),
		FIXTURE_TEST(file_tags__come_and_go_one_by_one),
		FIXTURE_TEST(file_tags__are_bounded),
		FIXTURE_TEST(all_of_it__comes_back_with_a_rebuild),
		FIXTURE_TEST(random__edits_do_what_they_do_to_lists_of_names),
	};

	return cmocka_run_group_tests_name("tag_edit", tests, NULL, NULL);
}
