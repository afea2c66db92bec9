/* check_deep.c - the database against one that is built anew from the packs, row by row. See check_internal.h.
 *
 * The packs are the truth: what vault.db says otherwise was never committed, or was changed by somebody else. The new one
 * stands in a directory of its own below TMPDIR and goes when it has been compared. */
#include "check_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "recover.h"

/* A table, or what of it must agree; the first `n_key` columns are its key, by which it is ordered. */
struct table {
	const char *name;
	const char *sql;
	int n_key;
	bool more_is_fine; /* rows that only the new database has */
};

static const struct table tables[] = {
	{ "settings", "SELECT * FROM settings ORDER BY 1", 1, false },
	{ "inodes", "SELECT * FROM inodes ORDER BY 1", 1, false },
	{ "entries", "SELECT * FROM entries ORDER BY 1, 2", 2, false },
	{ "symlinks", "SELECT * FROM symlinks ORDER BY 1", 1, false },
	{ "xattrs", "SELECT * FROM xattrs ORDER BY 1, 2", 2, false },
	{ "extents", "SELECT * FROM extents ORDER BY 1, 2, 3", 3, false },
	{ "dropped", "SELECT * FROM dropped ORDER BY 1", 1, false },
	{ "content", "SELECT * FROM content ORDER BY 1", 1, false },
	{ "assets", "SELECT * FROM assets ORDER BY 1", 1, false },
	{ "tags", "SELECT * FROM tags ORDER BY 1", 1, false },
	{ "asset_tags", "SELECT * FROM asset_tags ORDER BY 1, 2", 2, false },
	{ "tag_aliases", "SELECT * FROM tag_aliases ORDER BY 1", 1, false },
	{ "tag_implications", "SELECT * FROM tag_implications ORDER BY 1, 2", 2, false },
	{ "devices", "SELECT * FROM devices ORDER BY 1", 1, false },
	{ "locations", "SELECT * FROM locations ORDER BY 1", 1, false },
	{ "searches", "SELECT * FROM searches ORDER BY 1", 1, false },
	{ "derived", "SELECT * FROM derived ORDER BY 1, 2, 3", 3, false },
	{ "origins", "SELECT * FROM origins ORDER BY 1", 1, false },
	/* derived */
	{ "tag_counts", "SELECT tag_id, files FROM tag_counts WHERE files <> 0 ORDER BY 1", 1, false },
	{ "directories",
	  "SELECT id, parent_id, CASE WHEN NOT EXISTS (SELECT 1 FROM jobs WHERE kind = 'paths') THEN path END"
	  " FROM directories ORDER BY 1",
	  1, false },
	{ "chunks",
	  "SELECT id, hash, raw_size, stored_size, codec, pack_id, pack_offset, refs FROM chunks WHERE refs > 0 ORDER BY 1",
	  1, false },
	/* The row of a chunk that was stored in vain may be missing; of a dead one in a pack that goes it is. */
	{ "chunks", "SELECT id, hash, raw_size, pack_id, pack_offset FROM chunks WHERE refs = 0 ORDER BY 1",
	  1, true },
	{ "packs", "SELECT id, live_bytes FROM packs WHERE live_bytes <> 0 ORDER BY 1", 1, false },
	{ "state",
	  "SELECT id, commit_number, record_pack, record_offset, checksum, next_id, next_chunk_id FROM state",
	  1, false },
};

/* One side of a comparison. */
struct side {
	struct db *db;
	sqlite3_stmt *row;
	bool more; /* it stands on a row */
};

static int side_step(struct side *side)
{
	int r = db_step(side->db, side->row);

	side->more = r > 0;
	return r < 0 ? r : 0;
}

static int side_open(struct side *side, struct db *db, const char *sql)
{
	*side = (struct side){ .db = db };
	int r = db_errno(db, sqlite3_prepare_v2(db->handle, sql, -1, &side->row, NULL), sql);

	return r == 0 ? side_step(side) : r;
}

/* As SQLite orders the values of a key: numbers before texts and bytes, and those by their bytes. */
static int compare_values(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
	int type = sqlite3_column_type(a, column), other = sqlite3_column_type(b, column);
	int n_a, n_b, order;

	if (type != other)
		return type < other ? -1 : 1;
	if (type == SQLITE_INTEGER) {
		sqlite3_int64 first = sqlite3_column_int64(a, column),
			      second = sqlite3_column_int64(b, column);

		return first < second ? -1 : first > second;
	}
	n_a = sqlite3_column_bytes(a, column);
	n_b = sqlite3_column_bytes(b, column);
	order = n_a > 0 && n_b > 0 ? memcmp(sqlite3_column_blob(a, column), sqlite3_column_blob(b, column),
					    (size_t)(n_a < n_b ? n_a : n_b))
				   : 0;
	return order != 0 ? order : n_a < n_b ? -1 : n_a > n_b;
}

/* The first column from `first` to before `end` that differs; `end`: none. */
static int first_difference(const struct side *a, const struct side *b, int first, int end, int *ret_order)
{
	for (int i = first; i < end; i++) {
		*ret_order = compare_values(a->row, b->row, i);
		if (*ret_order != 0)
			return i;
	}
	*ret_order = 0;
	return end;
}

/* "key 1, 2": what a row is found by. */
static void put_key(const struct table *table, sqlite3_stmt *row, char *ret, size_t size)
{
	size_t n = 0;

	for (int i = 0; i < table->n_key && n < size; i++) {
		const char *text = (const char *)sqlite3_column_text(row, i);

		n += (size_t)snprintf(ret + n, size - n, "%s%s", i ? ", " : "", text ? text : "NULL");
	}
}

/* The inode of a row that has one. */
static uint64_t inode_of(const struct table *table, sqlite3_stmt *row)
{
	const char *column = sqlite3_column_name(row, 0);

	if (!column)
		return 0;
	if (strcmp(column, "inode_id") == 0 || strcmp(column, "directory_id") == 0)
		return column_u64(row, 0);
	return strcmp(table->name, "inodes") == 0 || strcmp(table->name, "directories") == 0
		       ? column_u64(row, 0)
		       : 0;
}

static void tell_row(struct check *check, const struct table *table, const struct side *side,
		     const char *what)
{
	char key[400];

	put_key(table, side->row, key, sizeof(key));
	check_found(check, "deep", NOWHERE, inode_of(table, side->row), "table %s: the row (%s) %s",
		    table->name, key, what);
}

/* Both stand on a row, or one has ended: compare, and step. */
static int compare_rows(struct check *check, const struct table *table, struct side *here, struct side *anew)
{
	int order = !here->more ? 1 : !anew->more ? -1 : 0;
	int column, r = 0;
	char what[128];

	if (order == 0)
		(void)first_difference(here, anew, 0, table->n_key, &order);
	if (order < 0)
		tell_row(check, table, here, "is not in the packs");
	if (order > 0 && !table->more_is_fine)
		tell_row(check, table, anew, "is in the packs only");
	if (order == 0) {
		int n = sqlite3_column_count(here->row), unused;

		column = first_difference(here, anew, table->n_key, n, &unused);
		(void)snprintf(what, sizeof(what), "has another %s in the packs",
			       column < n ? sqlite3_column_name(here->row, column)
					  : ""); /* our names are short */
		if (column < n)
			tell_row(check, table, here, what);
	}
	if (order <= 0)
		r = side_step(here);
	return r == 0 && order >= 0 ? side_step(anew) : r;
}

static int compare_table(struct check *check, struct db *fresh, const struct table *table)
{
	struct side here = { .row = NULL }, anew = { .row = NULL };
	int r = side_open(&here, &check->vault->db, table->sql);

	if (r == 0)
		r = side_open(&anew, fresh, table->sql);
	while (r == 0 && (here.more || anew.more))
		r = compare_rows(check, table, &here, &anew);
	(void)sqlite3_finalize(here.row); /* repeat the errors of the last steps */
	(void)sqlite3_finalize(anew.row);
	return r;
}

/* Build and compare, in the database at `path`. */
static int build_and_compare(struct check *check, const char *path)
{
	const struct vault *vault = check->vault;
	struct vault fresh = { .path = vault->path,
			       .dir_fd = vault->dir_fd,
			       .packs_fd = vault->packs_fd,
			       .packs = vault->packs,
			       .pack_size = vault->pack_size };
	bool damaged = false;
	int r = db_open(&fresh.db, path, DB_OPEN_CREATE);

	if (r < 0)
		return r;
	memcpy(fresh.uuid, vault->uuid, sizeof(fresh.uuid));
	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&fresh.db.lock);

		/* Nothing of it must last, or stay in memory. */
		r = db_exec(&fresh.db,
			    "PRAGMA temp_store = FILE; PRAGMA cache_spill = ON; PRAGMA synchronous = OFF");
		if (r == 0)
			r = recover_rebuild_locked(&fresh, &damaged);
		if (r == -EBADMSG) {
			check_found(check, "deep", NOWHERE, 0, "no database can be built from the packs");
			r = 0;
		} else {
			for (size_t i = 0; r == 0 && i < sizeof(tables) / sizeof(tables[0]); i++)
				r = compare_table(check, &fresh.db, &tables[i]);
		}
	}
	db_close(&fresh.db);
	return r;
}

int check_deep(struct check *check)
{
	const char *tmp = getenv("TMPDIR");
	char directory[300], path[320], log[330];
	int r;

	if ((size_t)snprintf(directory, sizeof(directory), "%s/vaultfs-check-XXXXXX",
			     tmp && *tmp ? tmp : "/var/tmp") >= sizeof(directory))
		return log_err(-ENAMETOOLONG, "TMPDIR: %s: too long", tmp);
	if (!mkdtemp(directory))
		return log_err(-errno, "%s: no place to build a database: ", directory);
	(void)snprintf(path, sizeof(path), "%s/vault.db", directory); /* fits */
	r = build_and_compare(check, path);
	for (const char *suffix = "-wal"; suffix; suffix = strcmp(suffix, "-wal") == 0 ? "-shm" : NULL) {
		(void)snprintf(log, sizeof(log), "%s%s", path, suffix); /* fits */
		(void)unlink(log); /* closing has removed it, if all went well */
	}
	if (unlink(path) < 0 || rmdir(directory) < 0)
		log_warn("%s: could not be removed: %s", directory, strerror(errno));
	return r;
}
