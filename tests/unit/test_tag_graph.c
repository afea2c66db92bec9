/* test_tag_graph.c - which tags make a file count as having which: names, steps, aliases, implications. */
#include "tag_fixture.h"

#include "../random.h"
#include "tag_graph.h"

#define TAGS "user.xdg.tags"
#define ALIAS(folded, target) \
	"INSERT INTO tag_aliases (folded, name, tag_id) SELECT '" folded "', '" folded "', id FROM tags WHERE folded = '" target "'"
#define IMPLIES(a, b) \
	"INSERT INTO tag_implications (tag_id, implied_id) SELECT a.id, b.id FROM tags a, tags b " \
	"WHERE a.folded = '" a "' AND b.folded = '" b "'"

static void matching__is_a_tag_and_what_is_below_it(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "place", "place/Italy/Rome|place/Italy|" },	/* a step without a row */
		{ "place/italy", "place/Italy/Rome|place/Italy|" },
		{ "PLACE//Italy/Rome/", "place/Italy/Rome|" },
		{ "/place/italy/rome", "place/Italy/Rome|" },
		{ "placed", "placed|" },
		{ "ÄRGER", "ärger|Ärger/Nis|" },
		{ "odd//steps", "odd//steps|" },
		{ "odd", "odd//steps|" },
		{ "/", "/|" },
		{ "..", "..|" },
		{ "none", "" },
		{ "pla", "" },
		{ "", "" },
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_string_equal(matching_rows(f, "place"), "");	/* before there are tags at all */
	assert_int_equal(set_text(f, file, TAGS, "place/Italy/Rome,placed,ärger,odd//steps,/,.."), 0);
	assert_string_equal(matching_rows(f, "Ärger"), "ärger|");
	assert_int_equal(set_text(f, file, TAGS, "Ärger/Nis,place/Italy"), 0);	/* new ones are read in addition */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(matching_rows(f, rows[i].name), rows[i].want);
}

static void matching__follows_aliases(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "photo", "photo|foto/2024|foto|photo/2024|" },
		{ "FOTO", "photo|foto/2024|foto|photo/2024|" },
		{ "foto/2024", "foto/2024|photo/2024|" },
		{ "Photo/2024", "foto/2024|photo/2024|" },
		{ "picture/2024", "foto/2024|photo/2024|" },	/* an alias of an alias's name */
		{ "best", "photo/2024/best|" },	/* of something below: the longest beginning counts */
		{ "fotos", "fotos|" },
		{ "circle", "" },	/* forged: circle is c, and c is circle */
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_int_equal(set_text(f, file, TAGS, "photo,foto/2024,foto,photo/2024,fotos,c,circle/d"), 0);
	run_sql(f, ALIAS("foto", "photo"));
	run_sql(f, ALIAS("picture", "foto"));
	run_sql(f, ALIAS("circle", "c"));
	run_sql(f, ALIAS("c", "circle/d"));
	for (size_t i = 0; i + 3 < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(matching_rows(f, rows[i].name), rows[i].want);
	assert_int_equal(set_text(f, file, TAGS, "photo/2024/best,foto/2024/worst"), 0);
	run_sql(f, ALIAS("best", "photo/2024/best"));
	run_sql(f, ALIAS("foto/2024", "fotos"));
	assert_string_equal(matching_rows(f, "best"), "photo/2024/best|");
	assert_string_equal(matching_rows(f, "fotos"), "foto/2024|fotos|foto/2024/worst|");
	assert_string_equal(matching_rows(f, "photo/2024"), "photo/2024|photo/2024/best|");
	(void)matching_rows(f, "circle");	/* ends */
}

static void matching__follows_implications(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "holiday", "beach|holiday|beach/palm|sand/fine|" },
		{ "beach", "beach|beach/palm|sand/fine|" },
		{ "sand", "sand/fine|" },
		{ "a", "a|b|c/d|" },	/* in a circle: all the same */
		{ "b", "a|b|c/d|" },
		{ "c", "a|b|c/d|" },
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_int_equal(set_text(f, file, TAGS, "beach,holiday,beach/palm,sand/fine,a,b,c/d"), 0);
	run_sql(f, IMPLIES("beach", "holiday"));
	run_sql(f, IMPLIES("sand/fine", "beach/palm"));
	run_sql(f, IMPLIES("a", "b"));
	run_sql(f, IMPLIES("b", "c/d"));
	run_sql(f, IMPLIES("c/d", "a"));
	run_sql(f, "INSERT INTO tag_implications VALUES (7777, 8888)");	/* of nothing */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(matching_rows(f, rows[i].name), rows[i].want);
}

/* Names in forged rows: with a NUL, or leading elsewhere by aliases that go round. */
static void list__survives_forged_names(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	struct vault_tags tags;

	assert_int_equal(set_text(f, file, TAGS, "plain,c,circle/d"), 0);
	run_sql(f, "INSERT INTO tags (id, name, folded) VALUES (90001, CAST(x'610062' AS TEXT), 'forged')");
	assert_int_equal(vault_tag_list(f->vault, NULL, VAULT_TAG_LIST_TREE | VAULT_TAG_LIST_FILES, &tags), 0);
	assert_string_equal(names_of(&tags), "c|circle|circle/d|plain|");
	assert_int_equal(vault_tag_find(f->vault, "a", &tags), -ENOENT);
	run_sql(f, ALIAS("circle", "c"));
	run_sql(f, ALIAS("c", "circle/d"));
	assert_int_equal(vault_tag_list(f->vault, NULL, VAULT_TAG_LIST_TREE | VAULT_TAG_LIST_FILES, &tags), 0);
	vault_tags_release(&tags);
}

static const char *shown(struct fixture *f, uint64_t file)
{
	struct vault_tags tags;
	uint64_t ids[16];
	char sql[100];
	size_t n = 0;

	(void)snprintf(sql, sizeof(sql), "SELECT tag_id FROM asset_tags WHERE inode_id = %ju", (uintmax_t)file);
	for (const char *at = query(f, sql); *at; at = strchr(at, '|') + 1)
		ids[n++] = strtoull(at, NULL, 10);
	ids[n++] = 99999;	/* gone */
	assert_int_equal(vault_tags_shown(f->vault, ids, n, &tags), 0);
	return names_of(&tags);
}

static void shown__is_what_a_file_counts_as_having(void **state)
{
	static const struct {
		const char *tags, *want;
	} rows[] = {
		{ "Beach/Palm", "Beach|Beach/Palm|fun|fun/Holiday|" },
		{ "beach,place/italy", "Beach|fun|fun/Holiday|place|place/italy|" },
		{ "fun/Holiday", "fun|fun/Holiday|" },
		{ "strand/x", "Beach|Beach/x|fun|fun/Holiday|" },
		{ "", "" },
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_int_equal(set_text(f, file, TAGS, "fun/Holiday,Beach,strand/x"), 0);
	run_sql(f, IMPLIES("beach", "fun/holiday"));
	run_sql(f, ALIAS("strand", "beach"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(set_text(f, file, TAGS, rows[i].tags), 0);
		assert_string_equal(shown(f, file), rows[i].want);
	}
}

static const char *listed(struct fixture *f, const char *name, unsigned flags)
{
	struct vault_tags tags;
	int r = vault_tag_list(f->vault, name, flags, &tags);

	return r < 0 ? strerror(-r) : names_of(&tags);
}

static void lists__are_sorted_by_steps(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file"), two = fixture_file(f, VAULT_ROOT_ID, "two");
	struct vault_tags tags;

	assert_string_equal(listed(f, NULL, VAULT_TAG_LIST_TREE), "");
	assert_int_equal(set_text(f, file, TAGS, "b,a/x/y,A-b,..,c/../d,/,a b"), 0);
	assert_int_equal(set_text(f, two, TAGS, "B,a/x"), 0);
	assert_string_equal(listed(f, NULL, 0), "/|..|a|a b|A-b|b|c|");
	assert_string_equal(listed(f, "", VAULT_TAG_LIST_TREE), "/|..|a|a/x|a/x/y|a b|A-b|b|c|c/..|c/../d|");
	assert_string_equal(listed(f, "A", 0), "a/x|");
	assert_string_equal(listed(f, "a/X", VAULT_TAG_LIST_TREE), "a/x/y|");
	assert_string_equal(listed(f, "b", 0), "");
	assert_string_equal(listed(f, "none", 0), strerror(ENOENT));

	assert_int_equal(vault_tag_list(f->vault, NULL, VAULT_TAG_LIST_FILES, &tags), 0);
	assert_int_equal(tags.tags[0].n_files, 1);
	assert_false(tags.tags[0].is_folder);
	assert_false(tags.tags[1].is_folder);
	assert_true(tags.tags[2].is_folder && tags.tags[2].has_below && tags.tags[2].id == 0);
	assert_int_equal(tags.tags[2].n_files, 0);
	assert_int_equal(tags.tags[5].n_files, 2);
	assert_true(tags.tags[5].id > 0 && !tags.tags[5].has_below);
	vault_tags_release(&tags);
	assert_int_equal(vault_tag_find(f->vault, "a/X", &tags), 0);
	assert_int_equal(tags.tags[0].n_files, 1);
	assert_string_equal(names_of(&tags), "a/x|");
	assert_int_equal(vault_tag_find(f->vault, "a/z", &tags), -ENOENT);
}

static void generation__moves_with_new_tags_and_rules_only(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file"), then, ids[8], changes = vault_generation(f->vault);

	then = vault_tags_generation(f->vault);
	assert_int_equal(set_text(f, file, TAGS, "a"), 0);
	assert_true(vault_tags_generation(f->vault) > then);
	assert_true(vault_changes_since(f->vault, &changes, ids, 8) > 0);	/* the file; no list is made anew */
	then = vault_tags_generation(f->vault);
	assert_int_equal(set_text(f, file, TAGS, "A,a"), 0);
	assert_true(vault_tags_generation(f->vault) == then);
	run_sql(f, ALIAS("b", "a"));
	assert_true(vault_tags_generation(f->vault) > then);
}

static void tags__that_were_rolled_back_are_not_there(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_int_equal(set_text(f, file, TAGS, "a"), 0);
	assert_string_equal(listed(f, NULL, 0), "a|");
	assert_int_equal(set(f, file, TAGS, "b,c\0d", 5), -EINVAL);
	assert_string_equal(listed(f, NULL, 0), "a|");
	assert_int_equal(set_text(f, file, TAGS, "d"), 0);
	assert_string_equal(listed(f, NULL, 0), "a|d|");
}

/* ---- against a model: names as texts, and a table of who counts as what ---- */

#define MODEL_NAMES 400
#define MODEL_RULES 40

struct model {
	struct random random;
	char names[MODEL_NAMES][16];	/* all tags and steps, aliases followed */
	bool counts[MODEL_NAMES][MODEL_NAMES];	/* [x][y]: who has x counts as having y */
	int n;
	struct {
		char name[16], target[16];
	} aliases[8];
	int n_aliases;
	uint64_t ids[MODEL_NAMES];	/* rows */
	int row_names[MODEL_NAMES];
	int n_rows;
};

static int model_name(struct model *m, const char *name)
{
	for (int i = 0; i < m->n; i++)
		if (strcmp(m->names[i], name) == 0)
			return i;
	assert_true(m->n < MODEL_NAMES);
	(void)strcpy(m->names[m->n], name);
	return m->n++;
}

/* One to three steps of a to d, or below g or h, which become aliases. */
static void random_name(struct model *m, char ret[16])
{
	size_t depth = 1 + random_below(&m->random, 3);
	size_t at = 0;

	for (size_t i = 0; i < depth; i++) {
		if (i > 0)
			ret[at++] = '/';
		ret[at++] = i == 0 && random_below(&m->random, 4) == 0 ? (char)('g' + random_below(&m->random, 2)) :
									 (char)('a' + random_below(&m->random, 4));
	}
	ret[at] = '\0';
}

static void model_resolve(const struct model *m, const char *name, char ret[40])
{
	size_t longest = 0;

	(void)strcpy(ret, name);
	for (int i = 0; i < m->n_aliases; i++) {
		size_t n = strlen(m->aliases[i].name);

		if (n <= longest || strncmp(name, m->aliases[i].name, n) != 0 || (name[n] && name[n] != '/'))
			continue;
		longest = n;
		(void)sprintf(ret, "%s%s", m->aliases[i].target, name + n);
	}
}

static int model_add(struct model *m, const char *name)
{
	char whole[40];
	int node = 0, below = -1;

	model_resolve(m, name, whole);
	for (size_t n = strlen(whole); n > 0; n--) {	/* it, and the steps above */
		if (whole[n] && whole[n] != '/')
			continue;
		whole[n] = '\0';
		node = model_name(m, whole);
		m->counts[node][node] = true;
		if (below >= 0)
			m->counts[below][node] = true;
		below = node;
	}
	model_resolve(m, name, whole);
	return model_name(m, whole);
}

static void model_close(struct model *m)
{
	for (int k = 0; k < m->n; k++)
		for (int x = 0; x < m->n; x++)
			for (int y = 0; m->counts[x][k] && y < m->n; y++)
				m->counts[x][y] = m->counts[x][y] || m->counts[k][y];
}

static void model_compare(struct fixture *f, struct model *m)
{
	for (int y = 0; y < m->n; y++) {
		uint64_t *ids = NULL;
		size_t n = 0, at = 0;

		assert_int_equal(vault_tag_matching(f->vault, m->names[y], &ids, &n), 0);
		for (int row = 0; row < m->n_rows; row++) {
			bool is = at < n && ids[at] == m->ids[row];

			if (is != m->counts[m->row_names[row]][y])
				fail_msg("tag %s: row %ju of %s", m->names[y], (uintmax_t)m->ids[row], m->names[m->row_names[row]]);
			at += is;
		}
		assert_int_equal(at, n);
		free(ids);
	}
	for (int row = 0; row < m->n_rows; row++) {
		struct vault_tags tags;
		size_t n = 0;

		assert_int_equal(vault_tags_shown(f->vault, &m->ids[row], 1, &tags), 0);
		for (size_t i = 0; i < tags.n; i++)
			if (!m->counts[m->row_names[row]][model_name(m, tags.tags[i].name)])
				fail_msg("%s does not count as %s", m->names[m->row_names[row]], tags.tags[i].name);
		for (int y = 0; y < m->n; y++)
			n += m->counts[m->row_names[row]][y];
		assert_int_equal(tags.n, n);
		vault_tags_release(&tags);
	}
}

static void random__graphs_are_closed_as_a_table_says(void **state)
{
	struct fixture *f = *state;
	struct model *m = calloc(1, sizeof(*m));
	char text[100 * 17] = "", sql[400];
	char rows[100][16];

	assert_non_null(m);
	m->random.state = random_seed_or("0");
	for (int i = 0; i < 100; i++) {
		random_name(m, rows[i]);
		(void)strcat(strcat(text, i > 0 ? "," : ""), rows[i]);
	}
	assert_int_equal(set_text(f, fixture_file(f, VAULT_ROOT_ID, "file"), TAGS, text), 0);
	for (int i = 0; i < 6; i++) {
		const char *target = rows[random_below(&m->random, 100)];
		static const char *const names[] = { "g", "h", "g/a", "g/a/b", "h/c", "nothing" };

		if (target[0] >= 'g')
			continue;	/* what is an alias may not lead to others here */
		(void)strcpy(m->aliases[m->n_aliases].name, names[i]);
		(void)strcpy(m->aliases[m->n_aliases++].target, target);
		(void)snprintf(sql, sizeof(sql), "INSERT INTO tag_aliases SELECT '%s', '%s', id FROM tags WHERE folded = '%s'",
			       names[i], names[i], target);
		run_sql(f, sql);
	}
	for (const char *at = query(f, "SELECT id || ' ' || name FROM tags ORDER BY id"); *at; at = strchr(at, '|') + 1) {
		char name[16];

		assert_int_equal(sscanf(at, "%ju %15[^|]", &m->ids[m->n_rows], name), 2);
		m->row_names[m->n_rows++] = model_add(m, name);
	}
	for (int i = 0; i < MODEL_RULES; i++) {
		int a = (int)random_below(&m->random, (size_t)m->n_rows), b = (int)random_below(&m->random, (size_t)m->n_rows);

		(void)snprintf(sql, sizeof(sql), "INSERT OR IGNORE INTO tag_implications VALUES (%ju, %ju)", (uintmax_t)m->ids[a],
			       (uintmax_t)m->ids[b]);
		run_sql(f, sql);
		m->counts[m->row_names[a]][m->row_names[b]] = true;
	}
	model_close(m);
	model_compare(f, m);
	fixture_rebuild(f);
	model_compare(f, m);
	free(m);
}

/* ---- totals ---- */

/* Every total against a count of the rows; how many tags there are. */
static size_t check_totals(struct fixture *f)
{
	struct vault_tags tags;
	size_t n;

	assert_int_equal(vault_tag_list(f->vault, NULL, VAULT_TAG_LIST_TREE | VAULT_TAG_LIST_TOTALS, &tags), 0);
	n = tags.n;
	for (size_t i = 0; i < tags.n; i++) {
		char sql[4096] = "SELECT count(DISTINCT inode_id) FROM asset_tags WHERE tag_id IN (0";
		uint64_t *ids = NULL;
		size_t n_ids = 0;

		assert_int_equal(vault_tag_matching(f->vault, tags.tags[i].name, &ids, &n_ids), 0);
		for (size_t k = 0; k < n_ids; k++)
			(void)snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql), ",%ju", (uintmax_t)ids[k]);
		free(ids);
		if (strtoull(query(f, strcat(sql, ")")), NULL, 10) != tags.tags[i].n_total)
			fail_msg("%s: said to be on %ju: %s", tags.tags[i].name, (uintmax_t)tags.tags[i].n_total, sql);
	}
	vault_tags_release(&tags);
	return n;
}

static void totals__count_each_file_once(void **state)
{
	struct fixture *f = *state;
	struct model m = { .random = { random_seed_or("0") } };
	uint64_t files[40];
	char name[16], other[16], text[80];

	assert_int_equal(check_totals(f), 0);
	for (int i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		files[i] = fixture_file(f, VAULT_ROOT_ID, name);
	}
	for (int i = 0; i < 200; i++) {
		size_t size = 0;

		for (int k = 0; k < 4; k++) {
			random_name(&m, name);
			size += (size_t)sprintf(text + size, "%s,", name);
		}
		assert_int_equal(set_text(f, files[random_below(&m.random, 40)], TAGS, text), 0);
		random_name(&m, name);
		random_name(&m, other);
		if (i % 50 == 25)
			(void)CHANGE(f, vault_tag_imply(f->vault, name, other));
		if (i % 50 == 45)
			(void)CHANGE(f, vault_tag_rename(f->vault, name, other));
		(void)CHANGE(f, vault_file_tag_remove(f->vault, files[random_below(&m.random, 40)], name));
		if (i == 100 || i % 7 == 0)
			(void)check_totals(f);
	}
	assert_true(check_totals(f) > 64);	/* so that the first time all were counted in one pass */
	fixture_reopen(f);
	(void)check_totals(f);
}

static void totals__of_many_files_go_in_slices(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	char text[70 * 6];
	size_t size = 0;

	for (int i = 0; i < 70; i++)
		size += (size_t)sprintf(text + size, "t/%d,", i);
	assert_int_equal(set_text(f, file, TAGS, text), 0);
	run_sql(f, "INSERT INTO asset_tags WITH RECURSIVE n (i) AS (VALUES (1000000) UNION ALL SELECT i + 1 FROM n WHERE i < 1025000) "
		   "SELECT i, t.id, 0 FROM n CROSS JOIN tags t WHERE t.name IN ('t/0', 't/1')");
	assert_int_equal(check_totals(f), 71);
	assert_int_equal(CHANGE(f, vault_file_tag_remove(f->vault, file, "t/0")), 0);	/* two to be counted again, by themselves */
	assert_int_equal(check_totals(f), 71);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(matching__is_a_tag_and_what_is_below_it),
		FIXTURE_TEST(matching__follows_aliases),
		FIXTURE_TEST(matching__follows_implications),
		FIXTURE_TEST(list__survives_forged_names),
		FIXTURE_TEST(shown__is_what_a_file_counts_as_having),
		FIXTURE_TEST(lists__are_sorted_by_steps),
		FIXTURE_TEST(generation__moves_with_new_tags_and_rules_only),
		FIXTURE_TEST(tags__that_were_rolled_back_are_not_there),
		FIXTURE_TEST(totals__count_each_file_once),
		FIXTURE_TEST(totals__of_many_files_go_in_slices),
		FIXTURE_TEST(random__graphs_are_closed_as_a_table_says),
	};

	return cmocka_run_group_tests_name("tag_graph", tests, NULL, NULL);
}
