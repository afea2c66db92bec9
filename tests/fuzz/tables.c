/* tables.c - putting a database's rows back. See tables.h. */
#include "tables.h"

#include "fuzz.h"

static const char *const names[] = {
	"settings", "inodes", "entries", "symlinks", "xattrs", "extents", "dropped", "content", "assets", "tags",
	"asset_tags", "tag_aliases", "tag_implications", "devices", "locations", "directories", "chunks", "packs",
	"state", "jobs", "searches", "derived", "origins", "search_queue", "tag_counts",
};
#define N_NAMES (sizeof(names) / sizeof(names[0]))

static void run(sqlite3 *handle, const char *sql)
{
	FUZZ_CHECK(sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK);
}

/* Run `format` with each table's name, twice, in one transaction. */
static void run_for_all(sqlite3 *handle, const char *format)
{
	char sql[200];

	run(handle, "BEGIN");
	for (size_t i = 0; i < N_NAMES; i++) {
		(void)snprintf(sql, sizeof(sql), format, names[i], names[i]);
		run(handle, sql);
	}
	run(handle, "COMMIT");
}

void tables_prepare(struct db *db)
{
	run(db->handle, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE");
}

void tables_empty(sqlite3 *handle)
{
	run_for_all(handle, "DELETE FROM %s");
}

void tables_still(sqlite3 *handle)
{
	run(handle, "UPDATE inodes SET atime = 1, mtime = 2, ctime = 3, btime = 4");
	run(handle, "UPDATE content SET indexed_at = 5");
	/* Chunks that changes to come may name. */
	run(handle, "WITH RECURSIVE n(id) AS (SELECT max(id) + 1 FROM chunks UNION ALL SELECT id + 1 FROM n LIMIT 30) "
		    "INSERT INTO chunks SELECT id, zeroblob(32), 4096, 4096, 0, 1, 64, 0, 1, 1, 0 FROM n");
}

void tables_remember(sqlite3 *handle)
{
	run(handle, "ATTACH ':memory:' AS kept");
	run_for_all(handle, "CREATE TABLE kept.%s AS SELECT * FROM main.%s");
}

void tables_restore(sqlite3 *handle)
{
	tables_empty(handle);
	run_for_all(handle, "INSERT INTO main.%s SELECT * FROM kept.%s");
}
