/* db.h - one SQLite connection: opened safely, its statements prepared once, its codes turned into errnos.
 *
 * Knows no table but through schema.h. Each module that owns tables keeps its queries in one array, named by an enum, and
 * announces it in the list of sets below; every set is prepared when a connection is opened, so that db_query() cannot
 * fail. */
#ifndef VAULTFS_DB_H
#define VAULTFS_DB_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auto.h"

#define DB_PAGE_SIZE 4096u

struct query_set {
	const char *const *sql;
	size_t n;
};

/* The modules with queries; each defines `const struct query_set NAME_queries`. */
#define DB_SETS(X) \
	X(state) X(inodes) X(namespace) X(directories) X(xattrs) X(tags) X(tag_counts) X(tag_graph) X(tag_list) X(tag_rows) X(tag_files) X(tag_edit) X(tag_rules) X(tag_totals) \
	X(assets) X(content) X(derived) X(jobs) X(changes) X(chunks) \
	X(bulk) X(manifest) X(locations) X(gc) X(stats) X(find) X(searches) X(listing) X(search_db) X(search_document) X(search_follow)

/* The same of those that go to search.db. */
#define DB_SEARCH_SETS(X) X(search_state) X(search_words)

enum db_set {
#define DB_SET_ID(name) DB_SET_##name,
	DB_SETS(DB_SET_ID)
	DB_N_VAULT_SETS,
	DB_BEFORE_SEARCH_SETS = DB_N_VAULT_SETS - 1,
	DB_SEARCH_SETS(DB_SET_ID)
	DB_N_SETS,
#undef DB_SET_ID
};

#define DB_SET_DECLARE(name) extern const struct query_set name##_queries;
DB_SETS(DB_SET_DECLARE)
DB_SEARCH_SETS(DB_SET_DECLARE)
#undef DB_SET_DECLARE

struct db {
	pthread_mutex_t lock;		/* the metadata lock. Order: an inode's lock, this, then cache, packs, live */
	sqlite3 *handle;		/* guarded by lock, as all below */
	sqlite3_stmt **statements[DB_N_SETS];
	sqlite3_stmt *begin, *commit, *abort;		/* of transactions */
	sqlite3_stmt *savepoint, *release, *rollback;	/* of struct savepoint */
	char *path;			/* for messages */
	unsigned flags;			/* enum db_open_flags that it was opened with */
};

enum db_open_flags {
	DB_OPEN_READ_ONLY = 1,	/* beside a writer */
	DB_OPEN_IMMUTABLE = 2,	/* on a read-only disk, nobody writes */
	DB_OPEN_CREATE = 4,	/* make a new database with this program's schema */
	DB_OPEN_BARE = 8,	/* prepare nothing: for a connection that only checkpoints, or needs few queries */
	DB_OPEN_SEARCH = 16,	/* it is a search.db, which has a schema and queries of its own: -EINVAL is silent */
};

/* Open `path` with the safe settings, check that its schema is this version's to the letter, prepare every query.
 *   Errors  -EINVAL a foreign schema; -ENOTSUP newer; -EBADMSG not a database or damaged; errno of the disk; all logged.
 *           -ESTALE an older version's, silent. */
int db_open(struct db *db, const char *path, unsigned flags);

/* The same for the file of that name in the directory `dir_fd`, which stays open till db_close(). The rest of `path` is for
 * messages: the directory may be renamed meanwhile, and another one put in its place, which is then never touched. */
int db_open_in(struct db *db, int dir_fd, const char *path, unsigned flags);
void db_close(struct db *db);

/* Prepare the queries of one set, for a connection that was opened with DB_OPEN_BARE. */
int db_prepare_set(struct db *db, enum db_set set);

/* Add another database to the connection, its tables under the name `schema`: for reading, on one that is opened so. `flags`:
 * DB_OPEN_IMMUTABLE or 0. Whoever calls has looked at its schema. */
int db_attach_in(struct db *db, int dir_fd, const char *path, const char *schema, unsigned flags);

/* The statement, reset and unbound: guard it with AUTO(query). */
sqlite3_stmt *db_query(struct db *db, enum db_set set, int query);

/* 1 a row, 0 done, negative errno (logged). */
int db_step(struct db *db, sqlite3_stmt *statement);

/* Run a statement without rows to its end: 0 or negative errno. How many rows it changed: sqlite3_changes64(). */
int db_run(struct db *db, sqlite3_stmt *statement);

/* Run fixed SQL text, without parameters. 0 or negative errno (logged). */
int db_exec(struct db *db, const char *sql);

/* The number in the first row that fixed SQL text gives, which has one. 0 or negative errno (logged). */
int db_number(struct db *db, const char *sql, int *ret);

/* Begin and commit the transaction that all changes run in.  -EBUSY another writer; others logged. */
int db_begin(struct db *db);
int db_commit(struct db *db);

/* Give up the open transaction, if there is one: the error that led here is on its way already. */
void db_rollback(struct db *db);

/* The one translation of SQLite's codes, logged with what SQLite says. 0 for SQLITE_OK. */
int db_errno(struct db *db, int code, const char *what);

/* One that is prepared for the occasion. */
static inline void auto_statement(sqlite3_stmt **statement)
{
	(void)sqlite3_finalize(*statement);	/* repeats the error of the last step */
}

static inline void auto_query(sqlite3_stmt **statement)
{
	if (*statement) {
		(void)sqlite3_reset(*statement);	/* repeats the error that db_step() has reported */
		(void)sqlite3_clear_bindings(*statement);
	}
}

/* All or nothing within the open transaction: `AUTO(savepoint) struct savepoint all = { 0 }; r = savepoint_begin(db, &all);`
 * ... `return savepoint_commit(&all);`. Left without a commit it rolls back to where it began. Nests. */
struct savepoint {
	struct db *db;
};
int savepoint_begin(struct db *db, struct savepoint *ret);
int savepoint_commit(struct savepoint *savepoint);
void auto_savepoint(struct savepoint *savepoint);

/* Shorthands that bind, by position from 1. Binding fails only for want of memory or a wrong position: asserted. */
static inline void bind_u64(sqlite3_stmt *statement, int position, uint64_t value)
{
	(void)sqlite3_bind_int64(statement, position, (sqlite3_int64)value);	/* only an int64 copy: cannot run out of memory */
}

static inline void bind_i64(sqlite3_stmt *statement, int position, int64_t value)
{
	(void)sqlite3_bind_int64(statement, position, value);	/* as above */
}

/* Text and bytes are borrowed until the statement is reset. */
static inline void bind_text(sqlite3_stmt *statement, int position, const char *text, size_t size)
{
	(void)sqlite3_bind_text64(statement, position, text, size, SQLITE_STATIC, SQLITE_UTF8);	/* SQLITE_STATIC: no copy */
}

static inline void bind_blob(sqlite3_stmt *statement, int position, const void *bytes, size_t size)
{
	(void)sqlite3_bind_blob64(statement, position, size ? bytes : "", size, SQLITE_STATIC);	/* as above */
}

static inline uint64_t column_u64(sqlite3_stmt *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement, column);
}

#endif
