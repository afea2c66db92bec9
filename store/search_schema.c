/* search_schema.c - the tables of search.db. See search_schema.h.
 *
 * The two FTS5 tables have no content of their own: what a row was indexed with stands in documents and texts, and is told
 * to FTS5 again when the row goes. What FTS5 keeps beside them is its own affair, and its schema that of the SQLite at hand:
 * what a database should look like is therefore asked of an empty one that is made for the purpose. */
#include "search_schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const objects[] = {
	"CREATE TABLE state (\n"
	"  id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),\n"
	"  vault         BLOB    NOT NULL CHECK (length(vault) = 16),  -- its uuid\n"
	"  commit_number INTEGER NOT NULL,                             -- the newest that something here was read from\n"
	"  serial        INTEGER NOT NULL,                             -- grows with every transaction that follows the vault\n"
	"  built_to      INTEGER NOT NULL                              -- the inodes up to here were looked at once\n"
	") STRICT",
	"CREATE TABLE documents (\n"
	"  id            INTEGER NOT NULL PRIMARY KEY,                 -- inode of a file that has a name\n"
	"  name          TEXT    NOT NULL,                             -- its names, oldest first, with '/' between them\n"
	"  note          TEXT    NOT NULL,\n"
	"  tags          TEXT    NOT NULL,                             -- their names, in the file's order, a line each\n"
	"  date_ns       INTEGER NOT NULL,                             -- ns since 1970\n"
	"  date_from     INTEGER NOT NULL CHECK (date_from BETWEEN 1 AND 3),  -- 1 its content, 2 its name, 3 mtime\n"
	"  person        TEXT,                                         -- as its name has it\n"
	"  person_folded TEXT                                          -- with its case folded\n"
	") STRICT",
	"CREATE INDEX documents_by_date ON documents (date_ns)",
	"CREATE INDEX documents_by_person ON documents (person_folded) WHERE person_folded IS NOT NULL",
	"CREATE TABLE texts (\n"
	"  id       INTEGER NOT NULL PRIMARY KEY,                      -- of a document that was looked into\n"
	"  codec    INTEGER NOT NULL,\n"
	"  raw_size INTEGER NOT NULL CHECK (raw_size BETWEEN 0 AND 1048576),  -- 0: it has no text\n"
	"  stored   BLOB    NOT NULL                                   -- as words has it, for when it goes from there\n"
	") STRICT",
	"CREATE VIRTUAL TABLE words USING fts5(name, note, tags, text, content='', columnsize=0, prefix='2 3', "
	"tokenize='unicode61 remove_diacritics 2')",
	"CREATE VIRTUAL TABLE names USING fts5(name, content='', columnsize=0, tokenize='trigram')",
};

/* All that is compared of two databases, in the same order. */
static const char all_rows[] = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2";

int search_schema_create(struct db *db)
{
	char pragmas[128];
	int r = db_exec(db, "BEGIN IMMEDIATE");

	for (size_t i = 0; r == 0 && i < sizeof(objects) / sizeof(objects[0]); i++)
		r = db_exec(db, objects[i]);
	(void)snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		       SEARCH_APPLICATION_ID, SEARCH_SCHEMA_VERSION); /* two small numbers fit */
	if (r == 0)
		r = db_exec(db, pragmas);
	return r == 0 ? db_exec(db, "COMMIT") : r;
}

static bool column_is_equal(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
	const char *x = (const char *)sqlite3_column_text(a, column);
	const char *y = (const char *)sqlite3_column_text(b, column);

	return x && y ? strcmp(x, y) == 0 : x == y;
}

/* 1 the same rows, 0 not, negative errno. */
static int compare(struct db *db, struct db *model)
{
	AUTO(statement) sqlite3_stmt *theirs = NULL;
	AUTO(statement) sqlite3_stmt *ours = NULL;
	int code = sqlite3_prepare_v2(db->handle, all_rows, -1, &theirs, NULL);
	int more, wanted;

	if (code != SQLITE_OK)
		return db_errno(db, code, "reading the schema");
	code = sqlite3_prepare_v2(model->handle, all_rows, -1, &ours, NULL);
	if (code != SQLITE_OK)
		return db_errno(model, code, "reading the schema");
	do {
		more = db_step(db, theirs);
		if (more < 0)
			return more;
		wanted = db_step(model, ours);
		if (wanted < 0)
			return wanted;
		if (more != wanted)
			return 0;
		for (int column = 0; more && column < 4; column++)
			if (!column_is_equal(theirs, ours, column))
				return 0;
	} while (more);
	return 1;
}

int search_schema_verify(struct db *db)
{
	struct db model = { .path = db->path }; /* for messages; of its own it has only the handle */
	int version = 0, application = 0;
	int r = db_number(db, "PRAGMA user_version", &version);

	if (r == 0)
		r = db_number(db, "PRAGMA application_id", &application);
	if (r < 0)
		return r;
	if (version != SEARCH_SCHEMA_VERSION || application != SEARCH_APPLICATION_ID)
		return -EINVAL;
	r = db_errno(
		&model,
		sqlite3_open_v2(":memory:", &model.handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
		"a model of its schema");

	if (r == 0)
		r = search_schema_create(&model);
	if (r == 0)
		r = compare(db, &model);
	(void)sqlite3_close(model.handle); /* nothing is in use */
	return r == 0 ? -EINVAL : r < 0 ? r : 0;
}
