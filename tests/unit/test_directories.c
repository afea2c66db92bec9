/* test_directories.c - the derived paths of directories: right after every change, at once or by steps. */
#include "fixture.h"

#include <errno.h>
#include <inttypes.h>

#include "commit.h"
#include "directories.h"

static void rename_to(struct fixture *f, uint64_t old_parent, const char *old_name, uint64_t new_parent,
		      const char *new_name, unsigned flags)
{
	struct vault_attr replaced;

	assert_int_equal(CHANGE(f, vault_rename(f->vault, old_parent, old_name, new_parent, new_name, flags,
						&replaced)),
			 0);
}

/* The first column of the first row, with ?1 bound to `id`; "NULL" for NULL, "no row". */
static const char *query(struct fixture *f, const char *sql, uint64_t id)
{
	static char text[VAULT_PATH_MAX + 1];
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(f->vault->db.handle, sql, -1, &statement, NULL);
	const char *column = "no row";

	if (code == SQLITE_OK && sqlite3_bind_parameter_count(statement) > 0)
		code = sqlite3_bind_int64(statement, 1, (sqlite3_int64)id);
	if (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
		column = (const char *)sqlite3_column_text(statement, 0);
	(void)snprintf(text, sizeof(text), "%s", column ? column : "NULL");
	if (sqlite3_finalize(statement) != SQLITE_OK)
		code = SQLITE_ERROR;
	(void)pthread_mutex_unlock(held);
	assert_int_equal(code, SQLITE_OK); /* only now: a failure must not jump out of the lock */
	return text;
}

static int64_t number(struct fixture *f, const char *sql)
{
	return strtoll(query(f, sql, 0), NULL, 10);
}

static const char *path(struct fixture *f, uint64_t id)
{
	return query(f, "SELECT path FROM directories WHERE id = ?1", id);
}

static const char *path_of(struct fixture *f, uint64_t id, size_t size)
{
	static char text[8192];
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);

	vault_path_of_locked(f->vault, id, text, size);
	(void)pthread_mutex_unlock(held);
	assert_true(strlen(text) < size);
	return text;
}

/* Directories whose row is not what entries say, one way or the other. */
#define N_WRONG                                                                                              \
	"WITH RECURSIVE tree(id, parent_id, path) AS (SELECT 1, 1, '' UNION ALL SELECT i.id, t.id, "         \
	"CASE WHEN t.path = '' THEN e.name "                                                                 \
	"WHEN length(CAST(t.path AS BLOB)) + length(CAST(e.name AS BLOB)) < 4095 THEN t.path || '/' || "     \
	"e.name END "                                                                                        \
	"FROM tree t JOIN entries e ON e.directory_id = t.id JOIN inodes i ON i.id = e.inode_id "            \
	"WHERE i.mode & 0xf000 = 0x4000) SELECT (SELECT count(*) FROM (SELECT * FROM tree EXCEPT "           \
	"SELECT id, parent_id, path FROM directories)) + (SELECT count(*) FROM (SELECT id, parent_id, path " \
	"FROM directories EXCEPT SELECT * FROM tree))"

static void settle(struct fixture *f)
{
	int r;

	while ((r = CHANGE(f, directories_job_step(f->vault))) == 1)
		continue;
	assert_int_equal(r, 0);
	assert_int_equal(number(f, "SELECT count(*) FROM jobs WHERE kind = 'paths'"), 0);
	assert_int_equal(number(f, N_WRONG), 0);
}

static void paths__follow_make_rename_and_rmdir(void **state)
{
	struct fixture *f = *state;
	uint64_t a = fixture_directory(f, VAULT_ROOT_ID, "a"), b = fixture_directory(f, a, "b");
	uint64_t c = fixture_directory(f, b, "c\xff'\n"), d = fixture_directory(f, VAULT_ROOT_ID, "d");
	struct vault_attr attr;

	assert_string_equal(path(f, VAULT_ROOT_ID), "");
	assert_string_equal(path(f, a), "a");
	assert_string_equal(path(f, c), "a/b/c\xff'\n");
	rename_to(f, a, "b", d, "x", 0);
	assert_string_equal(path(f, b), "d/x");
	assert_string_equal(path(f, c), "d/x/c\xff'\n");
	rename_to(f, d, "x", VAULT_ROOT_ID, "a", VAULT_RENAME_EXCHANGE);
	assert_string_equal(path(f, a), "d/x");
	assert_string_equal(path(f, c), "a/c\xff'\n");
	assert_int_equal(number(f, N_WRONG), 0);
	assert_int_equal(CHANGE(f, vault_rmdir(f->vault, d, "x", &attr)), 0);
	assert_string_equal(path(f, a), "no row");
	fixture_directory(f, d, "y");
	rename_to(f, VAULT_ROOT_ID, "a", d, "y", 0);
	assert_string_equal(path(f, b), "d/y");
	assert_int_equal(number(f, N_WRONG), 0);
}

/* Below `top`: `n` directories, `width` in each. */
static void grow(struct fixture *f, uint64_t top, unsigned n, unsigned width)
{
	uint64_t *ids = calloc(n + 1, sizeof(*ids));

	assert_non_null(ids);
	ids[0] = top;
	for (unsigned i = 0; i < n; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%u", i);
		ids[i + 1] = fixture_directory(f, ids[i / width], name);
	}
	free(ids);
}

static void paths__of_a_large_tree_follow_in_steps(void **state)
{
	static const struct {
		unsigned n, width;
	} shapes[] = { { 999, 10 }, { 1000, 3000 }, { 1001, 10 }, { 5000, 3000 }, { 5000, 3 }, { 2500, 1 } };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		char name[16];
		uint64_t top;

		(void)snprintf(name, sizeof(name), "top%zu", i);
		top = fixture_directory(f, VAULT_ROOT_ID, name);
		grow(f, top, shapes[i].n, shapes[i].width);
		assert_int_equal(number(f, N_WRONG), 0);
		rename_to(f, VAULT_ROOT_ID, name, VAULT_ROOT_ID, "renamed", 0);
		if (shapes[i].n <= 1000)
			assert_int_equal(number(f, N_WRONG), 0);
		settle(f);
		rename_to(f, VAULT_ROOT_ID, "renamed", VAULT_ROOT_ID, name, 0);
		settle(f);
	}
}

static void paths__come_right_whatever_happens_between_the_steps(void **state)
{
	struct fixture *f = *state;
	uint64_t top = fixture_directory(f, VAULT_ROOT_ID, "top"),
		 other = fixture_directory(f, VAULT_ROOT_ID, "other");
	unsigned seed = 1;
	struct vault_attr attr;

	grow(f, top, 6000, 5);
	for (unsigned i = 0; i < 40; i++) {
		const char *const from[] = { "top/n0",  "top/n1/n6", "other/x",   "top/n2",
					     "renamed", "top",       "other/x/n5" };
		const char *const to[] = { "other/x", "top/n2/n0", "top/n1/y", "other/z",
					   "top",     "renamed",   "top/n0" };
		unsigned which = (unsigned)rand_r(&seed) % 7;
		const char *old_name = strrchr(from[which], '/'), *new_name = strrchr(to[which], '/');
		char parents[2][32] = { "", "" };
		struct vault_attr old_parent, new_parent;

		if (old_name)
			(void)snprintf(parents[0], sizeof(parents[0]), "%.*s", (int)(old_name - from[which]),
				       from[which]);
		if (new_name)
			(void)snprintf(parents[1], sizeof(parents[1]), "%.*s", (int)(new_name - to[which]),
				       to[which]);
		if (vault_resolve(f->vault, parents[0], &old_parent) == 0 &&
		    vault_resolve(f->vault, parents[1], &new_parent) == 0)
			(void)CHANGE(f, vault_rename(f->vault, old_parent.id,
						     old_name ? old_name + 1 : from[which], new_parent.id,
						     new_name ? new_name + 1 : to[which], 0, &attr));
		if (rand_r(&seed) % 3 == 0)
			(void)CHANGE(f, directories_job_step(f->vault));
		if (i % 10 == 0)
			fixture_directory(f, other, (const char[]){ (char)('A' + (int)(i / 10)), '\0' });
		if (i == 20)
			fixture_reopen(f);
	}
	settle(f);
	fixture_rebuild(f);
	assert_int_equal(number(f, N_WRONG), 0);
}

static void trees__deeper_than_a_path_work(void **state)
{
	struct fixture *f = *state;
	char name[VAULT_NAME_MAX + 1];
	uint64_t ids[41] = { VAULT_ROOT_ID }, half;
	struct vault_attr attr;
	const char *text;

	memset(name, 'n', VAULT_NAME_MAX);
	name[VAULT_NAME_MAX] = '\0';
	for (size_t i = 1; i <= 40; i++)
		ids[i] = fixture_directory(f, ids[i - 1], name);
	assert_int_equal(strlen(path(f, ids[16])), VAULT_PATH_MAX); /* 16 * 255 + 15 */
	assert_string_equal(path(f, ids[17]), "NULL");
	assert_string_equal(path(f, ids[40]), "NULL");
	half = fixture_directory(f, ids[15], name + 128); /* 15 * 256 + 127 bytes */
	assert_int_equal(strlen(path(f, fixture_directory(f, half, name + 128))), VAULT_PATH_MAX);
	assert_string_equal(path(f, fixture_directory(f, half, name + 127)), "NULL"); /* one byte more */
	assert_int_equal(number(f, N_WRONG), 0);
	assert_int_equal(CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, name, ids[40], "x", 0, &attr)),
			 -EINVAL);
	text = path_of(f, ids[40], 4096);
	assert_memory_equal(text, "...", 3);
	assert_int_equal(strlen(text), 3 + 14 * 256 + 255); /* as many whole names as fit behind the dots */

	rename_to(f, ids[23], name, VAULT_ROOT_ID, "short", 0);
	assert_int_equal(strlen(path(f, ids[39])), 5 + 15 * 256);
	assert_string_equal(path(f, ids[40]), "NULL");
	settle(f);
	rename_to(f, VAULT_ROOT_ID, "short", ids[20], "short", 0);
	assert_string_equal(path(f, ids[39]), "NULL");
	settle(f);
}

static void path_of__names_any_inode(void **state)
{
	struct fixture *f = *state;
	uint64_t a = fixture_directory(f, VAULT_ROOT_ID, "a"), file = fixture_file(f, a, "new\nline\x7f\xff");
	char longest[VAULT_NAME_MAX + 1], want[64];
	struct vault_attr attr;

	assert_string_equal(path_of(f, VAULT_ROOT_ID, 64), "/");
	assert_string_equal(path_of(f, a, 64), "a");
	assert_string_equal(path_of(f, file, 64), "a/new?line?\xff");
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, a, "new\nline\x7f\xff", &attr)), 0);
	(void)snprintf(want, sizeof(want), "(inode %" PRIu64 ")", file);
	assert_string_equal(path_of(f, file, 64), want);
	assert_string_equal(path_of(f, 999999, 64), "(inode 999999)");
	memset(longest, 'n', VAULT_NAME_MAX);
	longest[VAULT_NAME_MAX] = '\0';
	file = fixture_file(f, a, longest);
	assert_string_equal(path_of(f, file, 64), "...");
	assert_int_equal(strlen(path_of(f, file, 512)), 257);
}

/* Run `sql`, derive all paths anew. Nothing is asserted while a lock is held. 1: all is settled afterwards. */
static int forge_and_rebuild(struct fixture *f, const char *sql)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = commit_lock(f->vault, &held);

	if (r == 0)
		r = db_exec(&f->vault->db, sql);
	if (r == 0)
		r = directories_rebuild_locked(f->vault);
	return r < 0 ? r : directories_are_settled_locked(f->vault);
}

static void rebuild__derives_every_row(void **state)
{
	struct fixture *f = *state;
	uint64_t top = fixture_directory(f, VAULT_ROOT_ID, "top");
	struct vault_attr attr;

	grow(f, top, 4000, 7);
	fixture_file(f, top, "file");
	fixture_directory(f, VAULT_ROOT_ID, "gone");
	assert_int_equal(CHANGE(f, vault_rmdir(f->vault, VAULT_ROOT_ID, "gone", &attr)), 0);
	rename_to(f, VAULT_ROOT_ID, "top", VAULT_ROOT_ID, "renamed", 0);
	assert_int_equal(
		CHANGE(f, forge_and_rebuild(f, "DELETE FROM directories WHERE id % 3 = 0;"
					       "UPDATE directories SET path = 'nonsense', parent_id = 5 "
					       "WHERE id % 3 = 1;"
					       "INSERT INTO directories VALUES (888888, 1, 'nowhere')")),
		1);
	assert_int_equal(number(f, N_WRONG), 0);
	assert_int_equal(number(f, "SELECT count(*) FROM directories"), 4002);
}

static void rebuild__ends_in_a_forged_tree(void **state)
{
	struct fixture *f = *state;
	uint64_t a = fixture_directory(f, VAULT_ROOT_ID, "a"), b = fixture_directory(f, a, "b");
	uint64_t c = fixture_directory(f, VAULT_ROOT_ID, "c"), d = fixture_directory(f, c, "d");
	char sql[512];
	struct vault_attr attr;

	/* The root as somebody's child, a directory with two names, and two that lie within each other. */
	(void)snprintf(sql, sizeof(sql),
		       "INSERT INTO entries VALUES (%" PRIu64 ", 900001, 'root', 1), "
		       "(%" PRIu64 ", 900002, 'second', %" PRIu64 ");"
		       "DELETE FROM entries WHERE inode_id = %" PRIu64 ";"
		       "INSERT INTO entries VALUES (%" PRIu64 ", 900003, 'cycle', %" PRIu64 ")",
		       a, a, b, c, d, c);
	assert_int_equal(CHANGE(f, forge_and_rebuild(f, sql)), 1);
	assert_memory_equal(path_of(f, d, 64), "...", 3);
	fixture_directory(f, VAULT_ROOT_ID, "x");
	assert_int_equal(CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, "x", d, "x", 0, &attr)), -EBADMSG);
	assert_int_equal(CHANGE(f, vault_rmdir(f->vault, a, "root", &attr)), -EBUSY);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(paths__follow_make_rename_and_rmdir),
		FIXTURE_TEST(paths__of_a_large_tree_follow_in_steps),
		FIXTURE_TEST(paths__come_right_whatever_happens_between_the_steps),
		FIXTURE_TEST(trees__deeper_than_a_path_work),
		FIXTURE_TEST(path_of__names_any_inode),
		FIXTURE_TEST(rebuild__derives_every_row),
		FIXTURE_TEST(rebuild__ends_in_a_forged_tree),
	};

	return cmocka_run_group_tests_name("directories", tests, NULL, NULL);
}
