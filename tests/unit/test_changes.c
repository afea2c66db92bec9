/* test_changes.c - what changed is told of once, and what must follow from it is queued with the commit. */
#include "fixture.h"

#include <errno.h>
#include <sqlite3.h>

#include "changes.h"
#include "library.h"

#define N_IDS 256

static bool has(const uint64_t *ids, int n, uint64_t id)
{
	for (int i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* What `statement`, of one number, gives on the database as it was last committed. */
static int64_t committed(struct fixture *f, const char *statement)
{
	char path[400];
	sqlite3 *handle = NULL;
	sqlite3_stmt *row = NULL;
	int64_t number;

	(void)snprintf(path, sizeof(path), "%s/vault.db", f->path);
	assert_int_equal(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(handle, statement, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	number = sqlite3_column_int64(row, 0);
	(void)sqlite3_finalize(row);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	return number;
}

static void write_bytes(struct fixture *f, uint64_t id, const char *text)
{
	struct vault_file *file = NULL;

	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	vault_change_begin(f->vault, strlen(text));
	assert_int_equal(vault_write(file, 0, text, strlen(text), 0), 0);
	vault_change_end(f->vault);
	vault_file_close(file);
}

static void changes_since__tells_whom_names_tags_and_attributes_touched(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[N_IDS], generation, file;
	int n;

	file = fixture_file(f, VAULT_ROOT_ID, "a");
	generation = vault_generation(f->vault);
	assert_int_equal(vault_changes_since(f->vault, &generation, ids, N_IDS), 0);

	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, file, "user.xdg.tags", "x", 1, 0)), 0);
	n = vault_changes_since(f->vault, &generation, ids, N_IDS);
	assert_true(n > 0 && has(ids, n, file));
	assert_int_equal(vault_changes_since(f->vault, &generation, ids, N_IDS), 0);

	assert_int_equal(CHANGE(f, vault_set_mime(f->vault, file, "video/mp4")), 0);
	n = vault_changes_since(f->vault, &generation, ids, N_IDS);
	assert_true(n > 0 && has(ids, n, file));

	assert_int_equal(CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, "a", VAULT_ROOT_ID, "b", 0, &(struct vault_attr){ 0 })), 0);
	n = vault_changes_since(f->vault, &generation, ids, N_IDS);
	assert_true(n > 0 && has(ids, n, file));

	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "b", &(struct vault_attr){ 0 })), 0);
	n = vault_changes_since(f->vault, &generation, ids, N_IDS);
	assert_true(n > 0 && has(ids, n, file));
}

static void changes_since__says_when_too_much_changed(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[N_IDS], generation = vault_generation(f->vault), before = generation;
	char name[32];

	for (int i = 0; i < 2 * N_IDS; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		(void)fixture_file(f, VAULT_ROOT_ID, name);
	}
	assert_int_equal(vault_changes_since(f->vault, &generation, ids, N_IDS), -EOVERFLOW);
	assert_int_equal(vault_changes_since(f->vault, &generation, ids, N_IDS), 0);

	for (int i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "more-%d", i);
		(void)fixture_file(f, VAULT_ROOT_ID, name);
	}
	assert_int_equal(vault_changes_since(f->vault, &before, ids, N_IDS), -EOVERFLOW);
}

static void touch_all(struct fixture *f, bool rules)
{
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);

	changes_touch_all_locked(f->vault, rules);
	(void)pthread_mutex_unlock(held);
}

static void touching_all__is_never_told_by_ids(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[N_IDS], file = fixture_file(f, VAULT_ROOT_ID, "a"), generation = vault_generation(f->vault);
	const uint64_t rules = changes_rules_generation(f->vault);
	int n;

	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, file, "user.a", "x", 1, 0)), 0);
	touch_all(f, false);
	assert_int_equal(changes_rules_generation(f->vault), rules);
	assert_int_equal(vault_changes_since(f->vault, &generation, ids, N_IDS), -EOVERFLOW);
	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, file, "user.b", "x", 1, 0)), 0);
	n = vault_changes_since(f->vault, &generation, ids, N_IDS);
	assert_true(n > 0 && has(ids, n, file));
	touch_all(f, true);
	assert_int_not_equal(changes_rules_generation(f->vault), rules);
}

static void commits__queue_what_changed(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "a");
	char query[200];

	write_bytes(f, file, "some text");
	assert_int_equal(vault_sync(f->vault), 0);
	(void)snprintf(query, sizeof(query), "SELECT count(*) FROM jobs WHERE kind = 'index' AND state = 'waiting' AND inode_id = %d",
		       (int)file);
	assert_int_equal(committed(f, query), 1);
	(void)snprintf(query, sizeof(query), "SELECT count(*) FROM search_queue WHERE inode_id = %d", (int)file);
	assert_int_equal(committed(f, query), 1);

	/* Again: one row, of the later commit. */
	write_bytes(f, file, "other text");
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(committed(f, "SELECT count(*) FROM jobs WHERE kind = 'index'"), 1);
	assert_int_equal(committed(f, "SELECT max(queued) = (SELECT commit_number FROM state) FROM jobs"), 1);
}

static void rebuild__queues_what_nobody_looked_into(void **state)
{
	struct fixture *f = *state;

	write_bytes(f, fixture_file(f, VAULT_ROOT_ID, "a"), "some text");
	(void)fixture_file(f, fixture_directory(f, VAULT_ROOT_ID, "d"), "b");
	fixture_rebuild(f);
	/* Whatever search.db there is, it looks at all by itself. */
	assert_int_equal(committed(f, "SELECT count(*) FROM search_queue WHERE inode_id <> 0"), 0);
	assert_int_equal(committed(f, "SELECT count(*) FROM jobs WHERE kind = 'index'"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(changes_since__tells_whom_names_tags_and_attributes_touched),
		FIXTURE_TEST(changes_since__says_when_too_much_changed),
		FIXTURE_TEST(touching_all__is_never_told_by_ids),
		FIXTURE_TEST(commits__queue_what_changed),
		FIXTURE_TEST(rebuild__queues_what_nobody_looked_into),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
