/* bulk.c - the chunk index as a whole. See bulk.h. */
#include "bulk.h"

#include <errno.h>
#include <inttypes.h>

enum {
	Q_RESTORE,
	Q_IN_USE,
	Q_LIVE_LESS,
	Q_LIVE_MORE,
	Q_REMOVE_DEAD,
	Q_IS_THERE,
	Q_COUNT_ADD,
	Q_ADD_LOST,
	Q_HAS,
	N_QUERIES,
};

static const char *const sql[N_QUERIES] = {
	[Q_RESTORE] = "INSERT INTO chunks (id, hash, raw_size, stored_size, codec, pack_id, pack_offset, refs, born, freed)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?8) ON CONFLICT (id) DO UPDATE SET stored_size = ?4,"
		      " codec = ?5, pack_id = ?6, pack_offset = ?7, damaged = 0 WHERE hash = ?2 AND raw_size = ?3",
	[Q_IN_USE] = "SELECT 1 FROM chunks WHERE id = ?1 AND refs > 0",
	[Q_LIVE_LESS] = "UPDATE packs SET live_bytes = live_bytes - c.stored_size FROM chunks c WHERE c.id = ?1 AND packs.id = c.pack_id",
	[Q_LIVE_MORE] = "INSERT INTO packs (id, live_bytes, last_commit) SELECT c.pack_id, c.stored_size, 0 FROM chunks c WHERE c.id = ?1"
			" ON CONFLICT (id) DO UPDATE SET live_bytes = live_bytes + excluded.live_bytes",
	[Q_REMOVE_DEAD] = "DELETE FROM chunks WHERE id = ?1 AND pack_id = ?2 AND refs = 0",
	[Q_IS_THERE] = "SELECT 1 FROM chunks WHERE id = ?1 AND pack_id = ?2",
	[Q_COUNT_ADD] = "UPDATE chunks SET refs = refs + 1, freed = NULL WHERE id = ?1",
	/* Sizes that extents may name, as far as possible; stored raw. A record's hash is never all zeros. */
	[Q_ADD_LOST] = "INSERT INTO chunks (id, hash, raw_size, stored_size, codec, pack_id, pack_offset, refs, born, freed, damaged)"
		       " SELECT x.chunk_id, zeroblob(32), min(max(x.chunk_offset + x.length), ?4),"
		       " min(max(x.chunk_offset + x.length), ?4), 0, ?1, ?2, 0, ?3, ?3, 1 FROM extents x"
		       " WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.id = x.chunk_id) GROUP BY x.chunk_id",
	[Q_HAS] = "SELECT 1 FROM chunks WHERE id = ?1",
};

const struct query_set bulk_queries = { sql, N_QUERIES };

/* 1 it has references, so that its bytes are among those that are live in its pack. */
static int is_in_use(struct vault *vault, uint64_t chunk)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_bulk, Q_IN_USE);

	bind_u64(row, 1, chunk);
	return db_step(&vault->db, row);
}

/* Take the bytes of a chunk from, or add them to, those that are live in the pack where it stands now. */
static int change_live(struct vault *vault, int which, uint64_t chunk)
{
	AUTO(query) sqlite3_stmt *change = db_query(&vault->db, DB_SET_bulk, which);

	bind_u64(change, 1, chunk);
	return db_run(&vault->db, change);
}

static int put_row(struct vault *vault, const struct packs_item *item, uint64_t born)
{
	AUTO(query) sqlite3_stmt *put = db_query(&vault->db, DB_SET_bulk, Q_RESTORE);
	int r;

	bind_u64(put, 1, item->record.id);
	bind_blob(put, 2, item->record.hash.bytes, sizeof(item->record.hash.bytes));
	bind_u64(put, 3, item->record.raw_size);
	bind_u64(put, 4, item->record.stored_size);
	bind_u64(put, 5, item->record.codec);
	bind_u64(put, 6, item->place.pack);
	bind_u64(put, 7, item->place.offset);
	bind_u64(put, 8, born);
	r = db_run(&vault->db, put);
	if (r == 0 && sqlite3_changes64(vault->db.handle) == 0)
		return log_err(-EBADMSG, "pack %" PRIu64 " at %" PRIu64 ": chunk %" PRIu64 " stands elsewhere with other content",
			       item->place.pack, item->place.offset, item->record.id);
	return r;
}

int bulk_restore_locked(struct vault *vault, const struct packs_item *item, uint64_t born)
{
	uint64_t chunk = item->record.id;
	int in_use = is_in_use(vault, chunk);
	int r = in_use > 0 ? change_live(vault, Q_LIVE_LESS, chunk) : in_use;

	if (r == 0)
		r = put_row(vault, item, born);
	return r == 0 && in_use > 0 ? change_live(vault, Q_LIVE_MORE, chunk) : r;
}

int bulk_add_lost_locked(struct vault *vault, struct place place)
{
	AUTO(query) sqlite3_stmt *add = db_query(&vault->db, DB_SET_bulk, Q_ADD_LOST);
	int r;

	bind_u64(add, 1, place.pack);
	bind_u64(add, 2, place.offset);
	bind_u64(add, 3, vault->state.commit);
	bind_u64(add, 4, RECORD_RAW_MAX);
	r = db_run(&vault->db, add);
	if (r == 0 && sqlite3_changes64(vault->db.handle) > 0)
		log_warn("%s: %lld chunks in use are lost with their records: files that need them cannot be read there", vault->path,
			 (long long)sqlite3_changes64(vault->db.handle));
	return r;
}

int bulk_has_all_locked(struct vault *vault, const uint64_t *chunks, size_t n)
{
	int r = 1;

	for (size_t i = 0; r > 0 && i < n; i++) {
		AUTO(query) sqlite3_stmt *has = db_query(&vault->db, DB_SET_bulk, Q_HAS);

		bind_u64(has, 1, chunks[i]);
		r = db_step(&vault->db, has);
	}
	return r;
}

static int count_picture(struct vault *vault, const uint64_t *chunks, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		AUTO(query) sqlite3_stmt *add = db_query(&vault->db, DB_SET_bulk, Q_COUNT_ADD);

		bind_u64(add, 1, chunks[i]);
		r = db_run(&vault->db, add);
	}
	return r;
}

int bulk_recount_locked(struct vault *vault, const uint64_t *picture_chunks, size_t n_picture_chunks)
{
	/* Runs once in a rebuild, whole tables at a time: no prepared queries. */
	static const char *const steps[] = {
		"CREATE TEMP TABLE counted AS SELECT chunk_id, count(*) AS n FROM main.extents GROUP BY chunk_id",
		"UPDATE chunks SET refs = 0, freed = max(born, (SELECT commit_number FROM state))",
		"UPDATE chunks SET refs = counted.n, freed = NULL FROM temp.counted WHERE counted.chunk_id = chunks.id",
		"DROP TABLE temp.counted",
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		r = db_exec(&vault->db, steps[i]);
	if (r == 0)
		r = count_picture(vault, picture_chunks, n_picture_chunks);
	if (r == 0)
		r = db_exec(&vault->db, "UPDATE packs SET live_bytes = 0");
	if (r == 0)
		r = db_exec(&vault->db, "INSERT INTO packs (id, live_bytes, last_commit)"
					" SELECT pack_id, coalesce(sum(stored_size) FILTER (WHERE refs > 0), 0), 0 FROM chunks WHERE true GROUP BY pack_id"
					" ON CONFLICT (id) DO UPDATE SET live_bytes = excluded.live_bytes");
	return r;
}

int bulk_remove_dead_locked(struct vault *vault, uint64_t chunk, uint64_t pack)
{
	AUTO(query) sqlite3_stmt *remove = db_query(&vault->db, DB_SET_bulk, Q_REMOVE_DEAD);
	AUTO(query) sqlite3_stmt *there = db_query(&vault->db, DB_SET_bulk, Q_IS_THERE);
	int r;

	bind_u64(remove, 1, chunk);
	bind_u64(remove, 2, pack);
	r = db_run(&vault->db, remove);
	if (r < 0)
		return r;
	if (sqlite3_changes64(vault->db.handle) > 0)
		return 1;
	bind_u64(there, 1, chunk);
	bind_u64(there, 2, pack);
	r = db_step(&vault->db, there);
	return r > 0 ? log_err(-EBUSY, "pack %" PRIu64 ": chunk %" PRIu64 " is in use, though the pack counts as dead: kept", pack,
			       chunk) :
		       r;
}
