/* test_listing_model.c - listings that are kept up to date through thousands of random changes show what plain SQL finds, and
 * what a listing made anew shows. VAULTFS_TEST_SEED repeats a run. */
#include "fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#include "../random.h"
#include "auto.h"
#include "library.h"
#include "listing.h"

#define N_STEPS 4000
#define N_CHECKS 8 /* steps from one comparison to the next, at most */
#define N_FILES 200

static const char *const names[] = { "a.jpg",    "b.jpg",    "a.tar.gz", "clip.mp4",
				     "a~30.jpg", "a~31.jpg", "b~40.jpg", "noext" };
#define N_NAMES (sizeof(names) / sizeof(names[0]))
static const char *const tag_texts[] = { "x", "y", "x,y", "x/below", "z", "", "Y,z", "x,x/below" };
static const char *const types[] = { "video/mp4", "image/png", "audio/flac" };

/* What each query finds, said by hand. All of them: see `all_sql`. */
static const struct {
	const char *query, *sql;
} queries[] = {
	{ "", "1" },
	{ "tag:x",
	  "EXISTS (SELECT 1 FROM asset_tags t JOIN tags g ON g.id = t.tag_id WHERE t.inode_id = i.id "
	  "AND (g.folded = 'x' OR g.folded LIKE 'x/%'))" },
	{ "tag:y -tag:z",
	  "EXISTS (SELECT 1 FROM asset_tags t JOIN tags g ON g.id = t.tag_id WHERE t.inode_id = i.id "
	  "AND g.folded = 'y') AND NOT EXISTS (SELECT 1 FROM asset_tags t JOIN tags g ON g.id = t.tag_id "
	  "WHERE t.inode_id = i.id AND g.folded = 'z')" },
	{ "kind:video", "(SELECT kind FROM content WHERE inode_id = i.id) = 'video'" },
	{ "rating:>5 or favorite", "((SELECT rating FROM assets WHERE inode_id = i.id) > 5 "
				   "OR (SELECT favorite FROM assets WHERE inode_id = i.id) = 1)" },
	{ "name:*.jpg", "EXISTS (SELECT 1 FROM entries n WHERE n.inode_id = i.id AND n.name LIKE '%.jpg')" },
	{ "in:d/e",
	  "EXISTS (SELECT 1 FROM entries n JOIN directories p ON p.id = n.directory_id WHERE n.inode_id = i.id "
	  "AND (p.path = 'd/e' OR p.path LIKE 'd/e/%'))" },
};
#define N_QUERIES (sizeof(queries) / sizeof(queries[0]))

/* Files that are not hidden, with their first name outside the trash. */
static const char all_sql[] =
	"SELECT i.id, (SELECT e.name FROM entries e JOIN directories d ON d.id = e.directory_id WHERE e.inode_id = i.id "
	"AND d.path <> '.Trash' AND d.path NOT LIKE '.Trash/%' ORDER BY e.directory_id, e.cookie LIMIT 1) AS name "
	"FROM inodes i WHERE i.mode & 61440 = 32768 AND name IS NOT NULL "
	"AND NOT EXISTS (SELECT 1 FROM assets s WHERE s.inode_id = i.id AND s.hidden = 1) AND ";

struct model {
	struct fixture *f;
	struct random random;
	uint64_t directories[8];
	size_t n_directories;
	uint64_t files[N_FILES];
	size_t n_files;
	struct vault_listing *listings[N_QUERIES];
	unsigned step;
};

static size_t below(struct model *m, size_t n)
{
	return random_below(&m->random, n);
}

/* ---- changes; any may fail ---- */

static uint64_t some_file(struct model *m)
{
	return m->n_files ? m->files[below(m, m->n_files)] : 0;
}

static uint64_t some_directory(struct model *m)
{
	return m->directories[below(m, m->n_directories)];
}

static void make_file(struct model *m)
{
	const struct vault_attr wanted = { .mode = S_IFREG | 0644 };
	struct vault_attr made;

	if (m->n_files < N_FILES &&
	    CHANGE(m->f, vault_make(m->f->vault, some_directory(m), names[below(m, N_NAMES)], &wanted, NULL,
				    &made)) == 0)
		m->files[m->n_files++] = made.id;
}

static void change_name(struct model *m)
{
	struct vault *vault = m->f->vault;
	const uint64_t from = some_directory(m), to = some_directory(m);
	const char *old_name = names[below(m, N_NAMES)], *new_name = names[below(m, N_NAMES)];
	const unsigned flags = below(m, 4) == 0 ? VAULT_RENAME_EXCHANGE
			       : below(m, 2)    ? VAULT_RENAME_INHERIT
						: 0;
	struct vault_attr attr;

	switch (below(m, 4)) {
	case 0:
		(void)CHANGE(m->f, vault_unlink(vault, from, old_name, &attr));
		break;
	case 1:
		(void)CHANGE(m->f, vault_link(vault, some_file(m), to, new_name, &attr));
		break;
	default:
		(void)CHANGE(m->f, vault_rename(vault, from, old_name, to, new_name, flags, &attr));
	}
}

/* d and .Trash change places, or e moves. */
static void move_directory(struct model *m)
{
	static const char *const places[] = { "d", ".Trash", "other" };
	struct vault_attr attr;

	(void)CHANGE(m->f, vault_rename(m->f->vault, VAULT_ROOT_ID, places[below(m, 3)], VAULT_ROOT_ID,
					places[below(m, 3)], 0, &attr));
	if (below(m, 3) == 0)
		(void)CHANGE(m->f, vault_rename(m->f->vault, some_directory(m), "e", some_directory(m), "e",
						0, &attr));
}

static void set(struct model *m, const char *name, const char *value)
{
	(void)CHANGE(m->f, vault_setxattr(m->f->vault, some_file(m), name, value, strlen(value), 0));
}

static void set_type(struct model *m)
{
	const struct vault_content content = { .mime = types[below(m, 3)] };

	(void)CHANGE(m->f, vault_set_content(m->f->vault, some_file(m), &content));
}

static void change(struct model *m)
{
	static const char *const ratings[] = { "0", "3", "6", "10" };

	switch (below(m, 12)) {
	case 0:
	case 1:
		make_file(m);
		break;
	case 2:
	case 3:
	case 4:
		change_name(m);
		break;
	case 5:
	case 6:
		set(m, "user.xdg.tags", tag_texts[below(m, sizeof(tag_texts) / sizeof(tag_texts[0]))]);
		break;
	case 7:
		set(m, "user.baloo.rating", ratings[below(m, 4)]);
		break;
	case 8:
		set(m, "user.vaultfs.favorite", below(m, 2) ? "1" : "0");
		break;
	case 9:
		set(m, "user.vaultfs.hidden", below(m, 3) ? "0" : "1");
		break;
	case 10:
		set_type(m);
		break;
	default:
		if (below(m, 10) == 0)
			move_directory(m);
		else if (below(m, 4) == 0)
			assert_int_equal(vault_sync(m->f->vault), 0);
	}
}

/* ---- comparing ---- */

static void fail_at(const struct model *m, size_t which, const char *what)
{
	fail_msg("step %u: '%s': %s", m->step, queries[which].query, what);
}

/* Every file that the statement finds is listed, under a name of its own that leads to it; and no other. */
static void compare_with_sql(struct model *m, size_t which, const struct vault_snapshot *snapshot)
{
	AUTO(free) char *sql = NULL;
	sqlite3_stmt *row = NULL;
	char name[VAULT_NAME_MAX + 1], other[VAULT_NAME_MAX + 1];
	uint64_t found;
	size_t n = 0;

	assert_true(asprintf(&sql, "%s%s", all_sql, queries[which].sql) > 0);
	(void)pthread_mutex_lock(&m->f->vault->db.lock);
	assert_int_equal(sqlite3_prepare_v2(m->f->vault->db.handle, sql, -1, &row, NULL), SQLITE_OK);
	for (; sqlite3_step(row) == SQLITE_ROW; n++) {
		const uint64_t id = column_u64(row, 0);
		const char *plain = (const char *)sqlite3_column_text(row, 1);

		if (vault_listing_name(m->listings[which], id, name) != 0)
			fail_at(m, which, "a file is missing");
		vault_listing_other_name(plain, id, other);
		if (strcmp(name, plain) != 0 && strcmp(name, other) != 0)
			fail_at(m, which, "a file is shown under another name");
		if (vault_listing_find(m->listings[which], name, &found) != 0 || found != id)
			fail_at(m, which, "a shown name leads elsewhere");
		if (vault_listing_find(m->listings[which], other, &found) != 0 || found != id)
			fail_at(m, which, "another name leads elsewhere");
	}
	sqlite3_finalize(row);
	(void)pthread_mutex_unlock(&m->f->vault->db.lock);
	if (n != vault_snapshot_size(snapshot))
		fail_at(m, which, "files are listed that are none");
}

static void compare_with_new(struct model *m, size_t which, const struct vault_snapshot *snapshot)
{
	AUTO(vault_snapshot) struct vault_snapshot *anew = NULL;
	struct vault_listing *listing = m->listings[which];
	char name[VAULT_NAME_MAX + 1], new_name[VAULT_NAME_MAX + 1];

	(void)pthread_mutex_lock(&listing->lock);
	listing_drop(listing);
	(void)pthread_mutex_unlock(&listing->lock);
	assert_int_equal(vault_listing_refresh(listing), 0);
	assert_int_equal(vault_listing_snapshot(listing, &anew), 0);
	if (vault_snapshot_size(anew) != vault_snapshot_size(snapshot))
		fail_at(m, which, "made anew it has another size");
	for (size_t i = 0; i < vault_snapshot_size(anew); i++)
		if (vault_snapshot_get(anew, i, new_name) != vault_snapshot_get(snapshot, i, name) ||
		    strcmp(name, new_name) != 0)
			fail_at(m, which, "made anew it shows something else");
}

static void compare(struct model *m, size_t which)
{
	AUTO(vault_snapshot) struct vault_snapshot *snapshot = NULL;
	struct vault_listing *listing = m->listings[which];

	if (below(m, 3) == 0 || vault_listing_refresh_soon(listing) != 0)
		assert_int_equal(vault_listing_refresh(listing), 0);
	assert_int_equal(vault_listing_snapshot(listing, &snapshot), 0);
	compare_with_sql(m, which, snapshot);
	if (below(m, 16) == 0)
		compare_with_new(m, which, snapshot);
}

static void listings__show_what_sql_finds(void **state)
{
	struct model m = { .f = *state, .random = { random_seed() } };

	printf("seed %ju\n", (uintmax_t)m.random.state);
	m.directories[m.n_directories++] = VAULT_ROOT_ID;
	m.directories[m.n_directories++] = fixture_directory(m.f, VAULT_ROOT_ID, "d");
	m.directories[m.n_directories++] = fixture_directory(m.f, m.directories[1], "e");
	m.directories[m.n_directories++] = fixture_directory(m.f, m.directories[2], "deep");
	m.directories[m.n_directories++] = fixture_directory(m.f, VAULT_ROOT_ID, ".Trash");
	for (size_t i = 0; i < N_QUERIES; i++) {
		AUTO(vault_query) struct vault_query *query = NULL;
		struct vault_query_error error;

		assert_int_equal(vault_query_parse(queries[i].query, &query, &error), 0);
		assert_int_equal(vault_listing_new(m.f->vault, query, &m.listings[i]), 0);
	}
	while (m.step < N_STEPS) {
		const size_t n = 1 + below(&m, N_CHECKS);

		for (size_t i = 0; i < n; i++, m.step++)
			change(&m);
		for (size_t i = 0; i < N_QUERIES; i++)
			compare(&m, i);
	}
	for (size_t i = 0; i < N_QUERIES; i++)
		vault_listing_unref(m.listings[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(listings__show_what_sql_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
