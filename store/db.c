/* db.c - opening a SQLite connection safely, and the one way to step a statement. See db.h. */
#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "functions.h"
#include "log.h"
#include "schema.h"
#include "search_schema.h"
#include "vfs.h"

#define CACHE_KIB 32768		/* of pages; dirty ones stay in memory till the commit (no spilling) */
#define SEARCH_CACHE_KIB 4096	/* of search.db's, which spills */
#define BUSY_MS 10000		/* a checkpoint or a reader may be in the way of opening and closing */

#define DB_SET_REFERENCE(name) &name##_queries,
static const struct query_set *const sets[DB_N_SETS] = { DB_SETS(DB_SET_REFERENCE) DB_SEARCH_SETS(DB_SET_REFERENCE) };
#undef DB_SET_REFERENCE

static int code_to_errno(sqlite3 *handle, int code)
{
	int system = handle ? sqlite3_system_errno(handle) : 0;

	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_MISMATCH:
		return -EBADMSG;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_CANTOPEN:
		return system ? -system : -EIO;
	case SQLITE_IOERR:
		return code == SQLITE_IOERR_NOMEM ? -ENOMEM : system == ENOSPC || system == EDQUOT ? -system : -EIO;
	default:
		return -EIO;
	}
}

int db_errno(struct db *db, int code, const char *what)
{
	if (code == SQLITE_OK)
		return 0;
	/* The session extension and some others return a code without a message. */
	return log_err(code_to_errno(db->handle, code), "%s: %s: %s", db->path, what,
		       db->handle && (sqlite3_errcode(db->handle) & 0xff) == (code & 0xff) ? sqlite3_errmsg(db->handle) :
											      sqlite3_errstr(code));
}

int db_step(struct db *db, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	return db_errno(db, code, sqlite3_sql(statement));
}

int db_run(struct db *db, sqlite3_stmt *statement)
{
	int r;

	do
		r = db_step(db, statement);
	while (r > 0);
	return r;
}

int db_exec(struct db *db, const char *sql)
{
	return db_errno(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL), sql);
}

int db_number(struct db *db, const char *sql, int *ret)
{
	AUTO(statement) sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		return db_errno(db, code, sql);
	*ret = sqlite3_column_int(statement, 0);
	return 0;
}

sqlite3_stmt *db_query(struct db *db, enum db_set set, int query)
{
	return db->statements[set][query];
}

/* ---- transactions and savepoints ---- */

static int step_plain(struct db *db, sqlite3_stmt *statement)
{
	int r = db_step(db, statement);

	(void)sqlite3_reset(statement);	/* repeats the error of the step */
	return r;
}

int db_begin(struct db *db)
{
	return step_plain(db, db->begin);
}

int db_commit(struct db *db)
{
	return step_plain(db, db->commit);
}

void db_rollback(struct db *db)
{
	/* Prepared long before: it must not need the memory whose want led here. */
	if (!sqlite3_get_autocommit(db->handle))
		(void)step_plain(db, db->abort);	/* logged if it fails; then closing gives it up */
}

int savepoint_begin(struct db *db, struct savepoint *ret)
{
	int r = step_plain(db, db->savepoint);

	if (r == 0)
		ret->db = db;
	return r;
}

int savepoint_commit(struct savepoint *savepoint)
{
	int r = step_plain(savepoint->db, savepoint->db->release);

	if (r == 0)
		savepoint->db = NULL;
	return r;
}

void auto_savepoint(struct savepoint *savepoint)
{
	if (!savepoint->db)
		return;
	/* A rollback that fails leaves no transaction open at all; commit_lock() notices that and stops the writing. */
	if (step_plain(savepoint->db, savepoint->db->rollback) == 0)
		(void)step_plain(savepoint->db, savepoint->db->release);
}

/* ---- opening ---- */

static int prepare(struct db *db, const char *sql, sqlite3_stmt **ret)
{
	int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	return db_errno(db, code, sql);
}

int db_prepare_set(struct db *db, enum db_set set)
{
	int r = 0;

	db->statements[set] = calloc(sets[set]->n + 1, sizeof(sqlite3_stmt *));
	if (!db->statements[set])
		return log_err(-ENOMEM, "%s: no memory for its statements", db->path);
	for (size_t i = 0; r == 0 && i < sets[set]->n; i++)
		r = prepare(db, sets[set]->sql[i], &db->statements[set][i]);
	return r;
}

static int prepare_all(struct db *db, unsigned flags)
{
	bool search = flags & DB_OPEN_SEARCH;
	int end = search ? DB_N_SETS : DB_N_VAULT_SETS;
	int r = prepare(db, "BEGIN IMMEDIATE", &db->begin);

	if (r == 0)
		r = prepare(db, "COMMIT", &db->commit);
	if (r == 0)
		r = prepare(db, "ROLLBACK", &db->abort);
	if (r == 0)
		r = prepare(db, "SAVEPOINT step", &db->savepoint);
	if (r == 0)
		r = prepare(db, "RELEASE step", &db->release);
	if (r == 0)
		r = prepare(db, "ROLLBACK TO step", &db->rollback);
	for (int set = search ? DB_N_VAULT_SETS : 0; r == 0 && set < end; set++)
		r = db_prepare_set(db, (enum db_set)set);
	return r;
}

/* What holds for every connection before the first statement: a hostile schema must not run anything. */
static int defend(struct db *db)
{
	static const struct {
		int option, value;
	} switches[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FKEY, 0 },
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
	};

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		int code = sqlite3_db_config(db->handle, switches[i].option, switches[i].value, NULL);

		if (code != SQLITE_OK)
			return db_errno(db, code, "securing the connection");
	}
	return db_errno(db, sqlite3_busy_timeout(db->handle, BUSY_MS), "setting the time limit");
}

static int tune(struct db *db, unsigned flags)
{
	bool search = flags & DB_OPEN_SEARCH;
	char cache[96];
	int r = db_exec(db, "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY");

	(void)snprintf(cache, sizeof(cache), "PRAGMA cache_spill = %s; PRAGMA cache_size = -%d", search ? "ON" : "OFF",
		       search ? SEARCH_CACHE_KIB : CACHE_KIB);	/* fits */
	if (r == 0)
		r = db_exec(db, cache);
	if (r == 0 && !(flags & (DB_OPEN_READ_ONLY | DB_OPEN_IMMUTABLE)))
		r = db_exec(db, "PRAGMA journal_mode = WAL; PRAGMA secure_delete = OFF; PRAGMA journal_size_limit = 67108864");
	if (r == 0 && !(flags & (DB_OPEN_READ_ONLY | DB_OPEN_IMMUTABLE)))
		r = db_exec(db, search ? "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000" :
					 "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
	return r;
}

/* `path` as a URI, for the one option that only a URI can say. */
static char *immutable_uri(const char *path)
{
	static const char digits[] = "0123456789ABCDEF";
	char *uri = malloc(5 + 3 * strlen(path) + sizeof("?immutable=1"));
	char *at = uri;

	if (!uri)
		return NULL;
	at = stpcpy(at, "file:");
	for (const unsigned char *c = (const unsigned char *)path; *c; c++) {
		if (*c == '%' || *c == '?' || *c == '#') {
			*at++ = '%';
			*at++ = digits[*c >> 4];
			*at++ = digits[*c & 15];
		} else {
			*at++ = (char)*c;
		}
	}
	(void)stpcpy(at, "?immutable=1");
	return uri;
}

/* What SQLite is to open: the file in the directory that we hold, malloc'ed. Without /proc, the path. */
static char *name_in(int dir_fd, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = NULL;

	if (dir_fd < 0)
		return strdup(path);
	if (asprintf(&name, "/proc/self/fd/%d/%s", dir_fd, slash ? slash + 1 : path) < 0)
		return NULL;
	*strrchr(name, '/') = '\0';
	if (access(name, F_OK) < 0) {
		free(name);
		return strdup(path);
	}
	name[strlen(name)] = '/';
	return name;
}

/* Names and tags are for the owner only; the log and its index get the same mode from it. */
static int create_file(struct db *db, const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return log_err(-errno, "%s: ", db->path);
	(void)close(fd);	/* nothing was written */
	return 0;
}

static int open_handle(struct db *db, int dir_fd, unsigned flags)
{
	AUTO(free) char *name = name_in(dir_fd, db->path);
	AUTO(free) char *uri = NULL;
	int open_flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
	const char *vfs = vfs_name();
	int r = vfs ? 0 : -ENOTSUP;

	open_flags |= flags & (DB_OPEN_READ_ONLY | DB_OPEN_IMMUTABLE) ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	if (flags & DB_OPEN_CREATE)
		open_flags |= SQLITE_OPEN_CREATE;
	if (name && flags & DB_OPEN_IMMUTABLE) {
		uri = immutable_uri(name);
		open_flags |= SQLITE_OPEN_URI;
	}
	if (!name || (flags & DB_OPEN_IMMUTABLE && !uri))
		return log_err(-ENOMEM, "%s: no memory to open it", db->path);
	if (r == 0 && flags & DB_OPEN_CREATE)
		r = create_file(db, name);
	if (r < 0)
		return r;
	return db_errno(db, sqlite3_open_v2(uri ? uri : name, &db->handle, open_flags, vfs), "opening the database");
}

int db_open_in(struct db *db, int dir_fd, const char *path, unsigned flags)
{
	int r;

	memset(db, 0, sizeof(*db));
	(void)pthread_mutex_init(&db->lock, NULL);	/* fails only with attributes */
	db->flags = flags;
	db->path = strdup(path);
	if (!db->path)
		r = log_err(-ENOMEM, "%s: no memory to open it", path);
	else
		r = open_handle(db, dir_fd, flags);
	if (r == 0)
		r = defend(db);
	if (r == 0 && !(flags & DB_OPEN_CREATE))
		r = flags & DB_OPEN_SEARCH ? search_schema_verify(db) : schema_verify(db);
	if (r == 0)
		r = tune(db, flags);
	if (r == 0)
		r = functions_add(db);
	if (r == 0 && flags & DB_OPEN_CREATE)
		r = flags & DB_OPEN_SEARCH ? search_schema_create(db) : schema_create(db);
	if (r == 0 && !(flags & DB_OPEN_BARE))
		r = prepare_all(db, flags);
	if (r < 0)
		db_close(db);
	return r;
}

int db_open(struct db *db, const char *path, unsigned flags)
{
	return db_open_in(db, -1, path, flags);
}

int db_attach_in(struct db *db, int dir_fd, const char *path, const char *schema, unsigned flags)
{
	AUTO(statement) sqlite3_stmt *attach = NULL;
	AUTO(free) char *name = name_in(dir_fd, path);
	AUTO(free) char *uri = name && flags & DB_OPEN_IMMUTABLE ? immutable_uri(name) : NULL;
	int code;

	if (!name || (flags & DB_OPEN_IMMUTABLE && !uri))
		return log_err(-ENOMEM, "%s: no memory to open it", path);
	code = sqlite3_prepare_v2(db->handle, "ATTACH ?1 AS ?2", -1, &attach, NULL);
	if (code == SQLITE_OK) {
		bind_text(attach, 1, uri ? uri : name, strlen(uri ? uri : name));
		bind_text(attach, 2, schema, strlen(schema));
		code = sqlite3_step(attach);
	}
	return code == SQLITE_DONE ? 0 : db_errno(db, code, path);
}

void db_close(struct db *db)
{
	if (!db->path && !db->handle)
		return;
	for (int set = 0; set < DB_N_SETS; set++) {
		for (size_t i = 0; db->statements[set] && i < sets[set]->n; i++)
			(void)sqlite3_finalize(db->statements[set][i]);	/* repeats old errors */
		free(db->statements[set]);
		db->statements[set] = NULL;
	}
	(void)sqlite3_finalize(db->begin);
	(void)sqlite3_finalize(db->commit);
	(void)sqlite3_finalize(db->abort);
	(void)sqlite3_finalize(db->savepoint);
	(void)sqlite3_finalize(db->release);
	(void)sqlite3_finalize(db->rollback);
	if (sqlite3_close(db->handle) != SQLITE_OK)
		log_warn("%s: closed with something still in use", db->path);
	db->handle = NULL;
	free(db->path);
	db->path = NULL;
	(void)pthread_mutex_destroy(&db->lock);
}
