/* test_db.c - every prepared query on a fresh vault: it prepares, and reads no table from end to end unless it says why. */
#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "fixture.h"

#include "db.h"
#include "vault_internal.h"

#define SET(name) { #name, &name##_queries },
static const struct {
	const char *name;
	const struct query_set *set;
} sets[] = { DB_SETS(SET) };

/* Queries that read whole tables, because that is what they are for. */
static const struct {
	const char *start;	/* of the query's text */
	const char *why;
} scans[] = {
	{ "SELECT mode & 61440, count(*)", "statistics count all inodes" },
	{ "SELECT count(*), coalesce(sum(i.mapped)", "statistics count all that is derived" },
	{ "SELECT refs > 0, count(*)", "statistics count all chunks" },
	{ "SELECT count(*) FROM tags", "statistics count all tags" },
	{ "SELECT id, inode_id, progress FROM jobs", "jobs are few: a large rename each" },
	{ "DELETE FROM jobs WHERE kind", "the same" },
	{ "INSERT INTO search_queue (inode_id, queued) SELECT", "after a rebuild: everything is to be looked at" },
	{ "INSERT INTO jobs (kind, inode_id, state, queued) SELECT", "the same" },
	{ "SELECT a.folded, a.name, t.name, a.tag_id FROM tag_aliases", "rules of tags are few, and read when they changed" },
	{ "SELECT tag_id, implied_id FROM tag_implications", "the same" },
	{ "DELETE FROM tag_counts", "a rebuild counts anew" },
	{ "INSERT INTO tag_counts (tag_id, files) SELECT", "the same" },
	{ "SELECT id, name, system FROM devices WHERE uuid", "devices are a handful" },
	{ "SELECT id, uuid, name, system FROM devices", "the same, all of them" },
	{ "SELECT id FROM locations WHERE device_id", "locations are some dozens" },
	{ "SELECT id, device_id, path, inode_id, mode", "the same, all of them" },
	{ "DELETE FROM directories", "a rebuild derives the table anew" },
	{ "INSERT INTO directories (id, parent_id, path) SELECT", "the same" },
	{ "SELECT x.n, x.mapped", "x is a subquery over one file's extents" },
	{ "DELETE FROM chunks WHERE refs = 0 AND pack_id IN", "only after packs were found missing" },
	{ "UPDATE chunks SET damaged = 1 WHERE pack_id IN", "the same" },
	{ "INSERT INTO chunks (id, hash, raw_size, stored_size, codec, pack_id, pack_offset, refs, born, freed, damaged) SELECT",
	  "only at the end of a rebuild" },
	{ "DELETE FROM packs WHERE going = 2", "packs are some thousands" },
	{ "WITH RECURSIVE below", "below is the directories in one, which are looked up" },
	{ "SELECT id FROM tags ORDER BY id", "tags are some thousands, and all of them may narrow a list" },
	{ "SELECT manifest_id, chunk_id, length FROM extents", "an index of chunks' files would be paid by every write" },
	{ "SELECT id, manifest_id FROM inodes WHERE manifest_id <> 0", "the same of manifests" },
	{ "SELECT name, query FROM searches", "searches are few, and all wanted" },
	{ "SELECT count(*) FROM searches", "the same" },
	{ "SELECT c.sha256, c.inode_id, EXISTS", "an index, in its order: files of the same bytes stand side by side" },
	{ "SELECT id FROM packs", "packs are some thousands even of terabytes, and looked at once a commit" },
};

static bool may_scan(const char *sql)
{
	for (size_t i = 0; i < sizeof(scans) / sizeof(scans[0]); i++)
		if (strncmp(sql, scans[i].start, strlen(scans[i].start)) == 0)
			return true;
	return false;
}

/* "SCAN t" reads a table from end to end; "SCAN t USING INDEX" an index; a scan of constants or of a subquery is none. */
static bool is_table_scan(const char *detail)
{
	return strncmp(detail, "SCAN ", 5) == 0 && !strstr(detail, "CONSTANT") && strncmp(detail, "SCAN (", 6) != 0;
}

/* How many tables the query reads whole without leave; each is printed. */
static unsigned check_plan(sqlite3 *handle, const char *sql)
{
	unsigned n = 0;
	char explain[4096];
	sqlite3_stmt *plan = NULL;

	(void)snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
	assert_int_equal(sqlite3_prepare_v2(handle, explain, -1, &plan, NULL), SQLITE_OK);
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(plan, 3);

		if (is_table_scan(detail) && !may_scan(sql)) {
			print_error("'%s' reads a whole table: %s\n", sql, detail);
			n++;
		}
	}
	sqlite3_finalize(plan);
	return n;
}

static void queries__use_indices(void **state)
{
	struct fixture *fixture = *state;
	unsigned n_scans = 0;

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		for (size_t n = 0; n < sets[i].set->n; n++)
			n_scans += check_plan(fixture->vault->db.handle, sets[i].set->sql[n]);
	assert_int_equal(n_scans, 0);
}

static int number(sqlite3 *handle, const char *pragma)
{
	sqlite3_stmt *statement = NULL;
	int value;

	assert_int_equal(sqlite3_prepare_v2(handle, pragma, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void connections__are_set_safely(void **state)
{
	static const struct {
		const char *pragma;
		int want;
	} rows[] = {
		{ "PRAGMA trusted_schema", 0 },	   { "PRAGMA cell_size_check", 1 }, { "PRAGMA secure_delete", 0 },
		{ "PRAGMA synchronous", 1 },	   { "PRAGMA foreign_keys", 0 },    { "PRAGMA cache_spill", 0 },
		{ "PRAGMA wal_autocheckpoint", 0 },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (number(fixture->vault->db.handle, rows[i].pragma) != rows[i].want)
			fail_msg("%s is not %d", rows[i].pragma, rows[i].want);
}

/* Anything in the schema that is not this version's text is refused, before it could run. */
static void schema__foreign_is_refused(void **state)
{
	static const char *const foreign[] = {
		"CREATE TRIGGER evil AFTER INSERT ON inodes BEGIN DELETE FROM extents; END",
		"CREATE VIEW evil AS SELECT 1",
		"CREATE TABLE evil (x)",
		"CREATE INDEX evil ON inodes (size)",
	};
	struct fixture *fixture = *state;
	char path[400];

	(void)snprintf(path, sizeof(path), "%s/vault.db", fixture->path);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		sqlite3 *handle = NULL;
		struct vault *vault = fixture->vault;
		static const char *const kinds[] = { "TRIGGER", "VIEW", "TABLE", "INDEX" };
		char drop[64];

		fixture->vault = NULL;
		assert_int_equal(vault_close(vault), 0);
		assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
		assert_int_equal(sqlite3_exec(handle, foreign[i], NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(vault_open(fixture->path, NULL, &vault), -EINVAL);
		(void)snprintf(drop, sizeof(drop), "DROP %s evil", kinds[i]);
		assert_int_equal(sqlite3_exec(handle, drop, NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_close(handle), SQLITE_OK);
		fixture_open(fixture);
	}
}

static void schema__newer_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct vault *vault = fixture->vault;
	sqlite3 *handle = NULL;
	char path[400];

	fixture->vault = NULL;
	assert_int_equal(vault_close(vault), 0);
	(void)snprintf(path, sizeof(path), "%s/vault.db", fixture->path);
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_exec(handle, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	assert_int_equal(vault_open(fixture->path, NULL, &vault), -ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(queries__use_indices),
		FIXTURE_TEST(connections__are_set_safely),
		FIXTURE_TEST(schema__foreign_is_refused),
		FIXTURE_TEST(schema__newer_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
