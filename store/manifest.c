/* manifest.c - rows of table extents, and the references to chunks that they hold. See manifest.h.
 *
 * Knows offsets and lengths only: what an inode's size is, and which bytes are on their way, is for file.c to know.
 * Changes look at what a range touches from its end downwards: that way one seek finds also the extent that starts before
 * the range and reaches into it, and appending touches nothing. */
#include "manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>

#include "commit.h"

#define END_OF_ALL ((uint64_t)INT64_MAX) /* behind every byte of a file */
#define DROP_AT_ONCE 8u  /* extents of a manifest that is freed without being put into table dropped */
#define DROP_SLICE 2000u /* extents freed by one manifest_drop_slice() */
#define COPY_ROWS_MAX (COMMIT_ROWS_PER_CALL / 2) /* extents copied, and extents replaced by them */

enum {
	Q_READ,
	Q_BELOW,
	Q_PUT,
	Q_SET,
	Q_SET_LENGTH,
	Q_REMOVE,
	Q_REMOVE_RANGE,
	Q_CHUNKS_OF_RANGE,
	Q_NTH,
	Q_COPY,
	Q_INFO,
	Q_PINS,
	Q_DROP,
	Q_FIRST_DROPPED,
	Q_DROP_DONE,
	N_QUERIES,
};

/* Where to start so that an extent which reaches over ?2 is seen: one seek. */
#define FROM_EXTENT_AT_2                                                                   \
	"x.manifest_id = ?1 AND x.offset >= coalesce((SELECT max(y.offset) FROM extents y" \
	" WHERE y.manifest_id = ?1 AND y.offset <= ?2), ?2) AND x.offset < ?3"

/* Column salt for an extent at `offset`; why there is one: schema.c. */
#define SALT(offset) "(((" offset ") >> 12) + ((" offset ") >> 20)) & 65535"

static const char *const sql[N_QUERIES] = {
	/* LEFT JOIN: an extent whose chunk is missing must not read as a hole. */
	[Q_READ] = "SELECT x.offset, x.length, x.chunk_id, x.chunk_offset, " CHUNK_COLUMNS
		   " FROM extents x LEFT JOIN chunks c ON c.id = x.chunk_id WHERE " FROM_EXTENT_AT_2
		   " ORDER BY x.offset",
	[Q_BELOW] =
		"SELECT offset, length, chunk_id, chunk_offset FROM extents WHERE manifest_id = ?1 AND offset < ?2"
		" ORDER BY offset DESC",
	[Q_PUT] =
		"INSERT INTO extents (manifest_id, offset, length, chunk_id, chunk_offset, salt)"
		" VALUES (?1, ?2, ?3, ?4, ?5, " SALT("?2") ")",
	[Q_SET] =
		"UPDATE extents SET length = ?3, chunk_id = ?4, chunk_offset = ?5 WHERE manifest_id = ?1 AND offset = ?2",
	[Q_SET_LENGTH] = "UPDATE extents SET length = ?3 WHERE manifest_id = ?1 AND offset = ?2",
	[Q_REMOVE] = "DELETE FROM extents WHERE manifest_id = ?1 AND offset = ?2",
	[Q_REMOVE_RANGE] = "DELETE FROM extents WHERE manifest_id = ?1 AND offset >= ?2 AND offset < ?3",
	[Q_CHUNKS_OF_RANGE] = "SELECT chunk_id, count(*), sum(length) FROM extents"
			      " WHERE manifest_id = ?1 AND offset >= ?2 AND offset < ?3 GROUP BY chunk_id",
	[Q_NTH] = "SELECT x.offset FROM extents x WHERE " FROM_EXTENT_AT_2
		  " ORDER BY x.offset LIMIT 1 OFFSET ?4",
	/* [?2, ?3) of manifest ?1 to manifest ?4, moved by ?5; the extents at both ends are cut to fit. */
	[Q_COPY] =
		"INSERT INTO extents (manifest_id, offset, length, chunk_id, chunk_offset, salt)"
		" SELECT ?4, max(x.offset, ?2) + ?5, min(x.offset + x.length, ?3) - max(x.offset, ?2), x.chunk_id,"
		" x.chunk_offset + max(x.offset, ?2) - x.offset, " SALT("max(x.offset, ?2) + ?5")
		" FROM extents x WHERE " FROM_EXTENT_AT_2 " AND x.offset + x.length > ?2",
	[Q_INFO] = MANIFEST_INFO,
	[Q_PINS] = "SELECT x.chunk_id, count(*), sum(x.length), c.refs, c.raw_size, c.stored_size"
		   " FROM extents x JOIN chunks c ON c.id = x.chunk_id"
		   " WHERE x.manifest_id = ?1 AND x.offset >= ?2 AND x.offset < ?3"
		   " GROUP BY x.chunk_id ORDER BY x.chunk_id",
	[Q_DROP] = "INSERT INTO dropped (manifest_id) VALUES (?1)",
	[Q_FIRST_DROPPED] =
		"SELECT manifest_id FROM dropped WHERE manifest_id > 0 ORDER BY manifest_id LIMIT 1",
	[Q_DROP_DONE] = "DELETE FROM dropped WHERE manifest_id = ?1",
};

const struct query_set manifest_queries = { sql, N_QUERIES };

/* ---- rows ---- */

/* A row of table extents, bounded. */
struct run {
	uint64_t offset, length;
	uint64_t chunk;
	uint32_t chunk_offset;
};

static uint64_t run_end(const struct run *run)
{
	return run->offset + run->length;
}

static int run_from_row(struct vault *vault, uint64_t manifest, sqlite3_stmt *row, struct run *ret)
{
	uint64_t offset = column_u64(row, 0);
	uint64_t length = column_u64(row, 1);
	uint64_t chunk = column_u64(row, 2);
	uint64_t chunk_offset = column_u64(row, 3);

	if (offset > END_OF_ALL || length == 0 || length > RECORD_RAW_MAX || offset + length > END_OF_ALL ||
	    chunk == 0 || chunk > INT64_MAX || chunk_offset > RECORD_RAW_MAX - length)
		return log_err(-EBADMSG, "%s: manifest %" PRIu64 " at %" PRId64 ": impossible extent",
			       vault->db.path, manifest, (int64_t)offset);
	*ret = (struct run){ offset, length, chunk, (uint32_t)chunk_offset };
	return 0;
}

static int say_overlap(struct vault *vault, uint64_t manifest, const struct run *run)
{
	return log_err(-EBADMSG, "%s: manifest %" PRIu64 " at %" PRIu64 ": the extent overlaps the next one",
		       vault->db.path, manifest, run->offset);
}

static int put_run_locked(struct vault *vault, uint64_t manifest, const struct run *run, int query)
{
	AUTO(query) sqlite3_stmt *put = db_query(&vault->db, DB_SET_manifest, query);

	bind_u64(put, 1, manifest);
	bind_u64(put, 2, run->offset);
	bind_u64(put, 3, run->length);
	bind_u64(put, 4, run->chunk);
	bind_u64(put, 5, run->chunk_offset);
	return db_run(&vault->db, put);
}

static int set_length_locked(struct vault *vault, uint64_t manifest, uint64_t offset, uint64_t length)
{
	AUTO(query) sqlite3_stmt *set = db_query(&vault->db, DB_SET_manifest, Q_SET_LENGTH);

	bind_u64(set, 1, manifest);
	bind_u64(set, 2, offset);
	bind_u64(set, 3, length);
	return db_run(&vault->db, set);
}

static int remove_locked(struct vault *vault, uint64_t manifest, uint64_t offset)
{
	AUTO(query) sqlite3_stmt *remove = db_query(&vault->db, DB_SET_manifest, Q_REMOVE);

	bind_u64(remove, 1, manifest);
	bind_u64(remove, 2, offset);
	return db_run(&vault->db, remove);
}

static int remove_range_locked(struct vault *vault, uint64_t manifest, uint64_t from, uint64_t end)
{
	AUTO(query) sqlite3_stmt *remove = db_query(&vault->db, DB_SET_manifest, Q_REMOVE_RANGE);

	bind_u64(remove, 1, manifest);
	bind_u64(remove, 2, from);
	bind_u64(remove, 3, end);
	return db_run(&vault->db, remove);
}

/* Change the references of the chunks of all extents that start in [from, end): by `delta` for each extent. */
static int ref_range_locked(struct vault *vault, uint64_t manifest, uint64_t from, uint64_t end, int delta,
			    uint64_t *ret_length)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_manifest, Q_CHUNKS_OF_RANGE);
	uint64_t length = 0;
	int r;

	bind_u64(row, 1, manifest);
	bind_u64(row, 2, from);
	bind_u64(row, 3, end);
	while ((r = db_step(&vault->db, row)) > 0) {
		r = chunk_ref_locked(vault, column_u64(row, 0), delta * sqlite3_column_int64(row, 1));
		if (r < 0)
			return r;
		length += column_u64(row, 2);
	}
	*ret_length = length;
	return r;
}

/* ---- reading ---- */

static int extent_from_row(struct vault *vault, uint64_t manifest, sqlite3_stmt *row, struct extent *ret)
{
	struct run run = { 0 };
	int r = run_from_row(vault, manifest, row, &run);

	if (r < 0)
		return r;
	if (sqlite3_column_type(row, 4) == SQLITE_NULL)
		return log_err(-EBADMSG,
			       "%s: manifest %" PRIu64 " at %" PRIu64 ": there is no chunk %" PRIu64,
			       vault->db.path, manifest, run.offset, run.chunk);
	r = chunk_from_row(vault, row, 4, &ret->chunk);
	if (r < 0)
		return r;
	if (run.chunk_offset + run.length > ret->chunk.raw_size)
		return log_err(-EBADMSG,
			       "%s: manifest %" PRIu64 " at %" PRIu64 ": reaches past its chunk %" PRIu64,
			       vault->db.path, manifest, run.offset, run.chunk);
	ret->offset = run.offset;
	ret->length = run.length;
	ret->chunk_offset = run.chunk_offset;
	return 0;
}

int manifest_read_locked(struct vault *vault, uint64_t manifest, uint64_t offset, uint64_t length,
			 struct extent *ret, size_t n)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_manifest, Q_READ);
	uint64_t end, seen = 0; /* the end of the extent before */
	size_t found = 0;
	int r = 0;

	if (offset >= END_OF_ALL || length == 0)
		return 0;
	end = length > END_OF_ALL - offset ? END_OF_ALL : offset + length;
	if (n > INT_MAX)
		n = INT_MAX;
	bind_u64(row, 1, manifest);
	bind_u64(row, 2, offset);
	bind_u64(row, 3, end);
	while (found < n && (r = db_step(&vault->db, row)) > 0) {
		struct extent *extent = &ret[found];

		r = extent_from_row(vault, manifest, row, extent);
		if (r < 0)
			return r;
		if (extent->offset < seen)
			return log_err(-EBADMSG,
				       "%s: manifest %" PRIu64 " at %" PRIu64
				       ": the extent overlaps the one before",
				       vault->db.path, manifest, extent->offset);
		seen = extent->offset + extent->length;
		found += seen > offset; /* the first may end before the range */
	}
	return r < 0 ? r : (int)found;
}

int manifest_info_locked(struct vault *vault, uint64_t manifest, struct vault_file_info *ret)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_manifest, Q_INFO);

	return manifest_info_from(&vault->db, row, manifest, ret);
}

int manifest_info_from(struct db *db, sqlite3_stmt *row, uint64_t manifest, struct vault_file_info *ret)
{
	struct vault_file_info info = { 0 };
	int r;

	bind_u64(row, 1, manifest);
	while ((r = db_step(db, row)) > 0) {
		uint64_t n = column_u64(row, 0);
		uint64_t raw_size = column_u64(row, 2);

		info.n_extents += n;
		info.n_chunks++;
		info.mapped_bytes += column_u64(row, 1);
		info.stored_bytes += column_u64(row, 3);
		if (column_u64(row, 4) > n)
			info.shared_bytes += raw_size;
		else
			info.unique_bytes += raw_size;
	}
	if (r == 0)
		*ret = info;
	return r;
}

int manifest_pins_locked(struct vault *vault, uint64_t manifest, uint64_t from, uint64_t end,
			 struct manifest_pin *ret, size_t n)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_manifest, Q_PINS);
	size_t found = 0;
	int r = 0;

	if (n > INT_MAX)
		n = INT_MAX;
	bind_u64(row, 1, manifest);
	bind_u64(row, 2, from);
	bind_u64(row, 3, end);
	while (found < n && (r = db_step(&vault->db, row)) > 0) {
		uint64_t raw_size = column_u64(row, 4);
		uint64_t stored_size = column_u64(row, 5);

		if (raw_size == 0 || raw_size > RECORD_RAW_MAX || stored_size > raw_size)
			return log_err(-EBADMSG, "%s: chunk %" PRIu64 ": impossible sizes", vault->db.path,
				       column_u64(row, 0));
		ret[found++] = (struct manifest_pin){
			.chunk = column_u64(row, 0),
			.n_extents = column_u64(row, 1),
			.used_size = column_u64(row, 2),
			.refs = column_u64(row, 3),
			.raw_size = (uint32_t)raw_size,
			.stored_size = (uint32_t)stored_size,
		};
	}
	return r < 0 ? r : (int)found;
}

/* ---- what a range touches, and making it a hole ---- */

/* The extents that reach into [from, end). */
struct touched {
	struct run first, last; /* the lowest and the highest, if n > 0 */
	uint32_t n;
	bool more;      /* there are lower ones: more than were asked for */
	int64_t mapped; /* bytes of [from, end) that the n cover */
};

static int look_locked(struct vault *vault, uint64_t manifest, uint64_t from, uint64_t end, uint32_t most,
		       struct touched *ret)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_manifest, Q_BELOW);
	int r;

	*ret = (struct touched){ .n = 0 };
	bind_u64(row, 1, manifest);
	bind_u64(row, 2, end);
	while ((r = db_step(&vault->db, row)) > 0) {
		struct run run = { 0 };

		r = run_from_row(vault, manifest, row, &run);
		if (r < 0)
			return r;
		if (ret->n > 0 && run_end(&run) > ret->first.offset)
			return say_overlap(vault, manifest, &run);
		if (run_end(&run) <= from)
			return 0;
		if (ret->n == most) {
			ret->more = true;
			return 0;
		}
		if (ret->n++ == 0)
			ret->last = run;
		ret->first = run;
		ret->mapped += (int64_t)((run_end(&run) < end ? run_end(&run) : end) -
					 (run.offset > from ? run.offset : from));
	}
	return r;
}

/* Keep what `last` has behind `end` as an extent of its own. */
static int keep_tail_locked(struct vault *vault, uint64_t manifest, uint64_t end, const struct run *last)
{
	struct run tail = {
		.offset = end,
		.length = run_end(last) - end,
		.chunk = last->chunk,
		.chunk_offset = last->chunk_offset + (uint32_t)(end - last->offset),
	};

	return put_run_locked(vault, manifest, &tail, Q_PUT);
}

/* Make [from, end), which touches `t`, a hole. Runs within a savepoint of the caller's. References are taken before others
 * are given back, so that no chunk dies on the way. */
static int clear_locked(struct vault *vault, uint64_t manifest, uint64_t from, uint64_t end,
			const struct touched *t)
{
	bool head = t->n > 0 && t->first.offset < from;
	bool tail = t->n > 0 && run_end(&t->last) > end;
	uint32_t n_inner = t->n - head; /* rows that go */
	uint64_t length;
	int r = 0;

	if (tail)
		r = keep_tail_locked(vault, manifest, end, &t->last);
	/* If only one row goes, its tail takes over the reference. */
	if (r == 0 && tail && n_inner != 1)
		r = chunk_ref_locked(vault, t->last.chunk, 1);
	if (r == 0 && head)
		r = set_length_locked(vault, manifest, t->first.offset, from - t->first.offset);
	if (r < 0 || n_inner == 0)
		return r;
	if (n_inner == 1) {
		r = remove_locked(vault, manifest, t->last.offset);
		return r < 0 || tail ? r : chunk_ref_locked(vault, t->last.chunk, -1);
	}
	r = ref_range_locked(vault, manifest, from, end, -1, &length);
	return r < 0 ? r : remove_range_locked(vault, manifest, from, end);
}

/* ---- changing ---- */

/* Let `run` take the place of `t`. Within a savepoint. */
static int replace_touched_locked(struct vault *vault, uint64_t manifest, const struct run *run,
				  const struct touched *t)
{
	int r;

	if (run->chunk && t->n == 1 && t->first.offset == run->offset && run_end(&t->first) <= run_end(run)) {
		r = put_run_locked(vault, manifest, run, Q_SET);
		return r < 0 ? r : chunk_ref_locked(vault, t->first.chunk, -1);
	}
	r = clear_locked(vault, manifest, run->offset, run_end(run), t);
	return r < 0 || !run->chunk ? r : put_run_locked(vault, manifest, run, Q_PUT);
}

int manifest_replace_locked(struct vault *vault, uint64_t manifest, uint64_t offset, uint64_t length,
			    uint64_t chunk, uint32_t chunk_offset, int64_t *ret_mapped)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	struct run run = { offset, length, chunk, chunk_offset };
	int64_t grown = chunk ? (int64_t)length : 0;
	struct touched touched = { .n = 0 };
	int r;

	if (length == 0 || offset > END_OF_ALL || length > END_OF_ALL - offset)
		return -EINVAL;
	if (chunk && (length > RECORD_RAW_MAX || chunk_offset > RECORD_RAW_MAX - length))
		return -EINVAL;
	r = look_locked(vault, manifest, offset, run_end(&run), COMMIT_ROWS_PER_CALL, &touched);
	if (r < 0)
		return r;
	if (touched.more)
		return -E2BIG;
	if (touched.n == 0) {
		r = chunk ? put_run_locked(vault, manifest, &run, Q_PUT) : 0;
	} else {
		r = savepoint_begin(&vault->db, &all);
		if (r == 0)
			r = replace_touched_locked(vault, manifest, &run, &touched);
		if (r == 0)
			r = savepoint_commit(&all);
	}
	if (r == 0)
		*ret_mapped += grown - touched.mapped;
	return r;
}

/* As manifest_trim_locked(); *ret_n is how many rows were touched. */
static int trim_locked(struct vault *vault, uint64_t manifest, uint64_t from, uint32_t most,
		       int64_t *ret_mapped, uint32_t *ret_n)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	struct touched touched = { .n = 0 };
	int r = look_locked(vault, manifest, from, END_OF_ALL, most, &touched);

	if (r < 0)
		return r;
	*ret_n = touched.n;
	if (touched.n == 0)
		return touched.more;
	if (touched.more)
		from = touched.first.offset;
	r = savepoint_begin(&vault->db, &all);
	if (r == 0)
		r = clear_locked(vault, manifest, from, END_OF_ALL, &touched);
	if (r == 0)
		r = savepoint_commit(&all);
	if (r < 0)
		return r;
	*ret_mapped -= touched.mapped;
	return touched.more;
}

int manifest_trim_locked(struct vault *vault, uint64_t manifest, uint64_t from, uint32_t max_rows,
			 int64_t *ret_mapped)
{
	uint32_t n;

	return trim_locked(vault, manifest, from, max_rows, ret_mapped, &n);
}

/* ---- copying ---- */

int manifest_limit_locked(struct vault *vault, uint64_t manifest, uint64_t from, uint32_t most,
			  uint64_t *length)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_manifest, Q_NTH);
	uint64_t next;
	int r;

	bind_u64(row, 1, manifest);
	bind_u64(row, 2, from);
	bind_u64(row, 3, from + *length);
	bind_u64(row, 4, most);
	r = db_step(&vault->db, row);
	if (r <= 0)
		return r;
	next = column_u64(row, 0);
	if (next <= from || next >= from + *length)
		return log_err(-EBADMSG, "%s: manifest %" PRIu64 " at %" PRId64 ": impossible extent",
			       vault->db.path, manifest, (int64_t)next);
	*length = next - from;
	return 0;
}

/* Copy extents to where nothing is; their references too. */
static int copy_range_locked(struct vault *vault, uint64_t from, uint64_t from_offset, uint64_t to,
			     uint64_t to_offset, uint64_t length, uint64_t *ret_mapped)
{
	AUTO(query) sqlite3_stmt *copy = db_query(&vault->db, DB_SET_manifest, Q_COPY);
	int r;

	bind_u64(copy, 1, from);
	bind_u64(copy, 2, from_offset);
	bind_u64(copy, 3, from_offset + length);
	bind_u64(copy, 4, to);
	bind_i64(copy, 5, (int64_t)(to_offset - from_offset));
	r = db_run(&vault->db, copy);
	return r < 0 ? r : ref_range_locked(vault, to, to_offset, to_offset + length, 1, ret_mapped);
}

int manifest_copy_locked(struct vault *vault, uint64_t from, uint64_t from_offset, uint64_t to,
			 uint64_t to_offset, uint64_t length, uint32_t max_extents, uint64_t *ret_length,
			 int64_t *ret_mapped)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	struct touched touched = { .n = 0 };
	uint64_t mapped = 0;
	int r;

	if (from_offset > END_OF_ALL || length > END_OF_ALL - from_offset || to_offset > END_OF_ALL ||
	    length > END_OF_ALL - to_offset || max_extents == 0)
		return -EINVAL;
	r = manifest_limit_locked(vault, from, from_offset,
				  max_extents < COPY_ROWS_MAX ? max_extents : COPY_ROWS_MAX, &length);
	if (r == 0)
		r = manifest_limit_locked(vault, to, to_offset, COPY_ROWS_MAX, &length);
	if (r == 0)
		r = look_locked(vault, to, to_offset, to_offset + length, COPY_ROWS_MAX, &touched);
	if (r < 0)
		return r;
	r = savepoint_begin(&vault->db, &all);
	if (r == 0 && touched.n > 0)
		r = clear_locked(vault, to, to_offset, to_offset + length, &touched);
	if (r == 0)
		r = copy_range_locked(vault, from, from_offset, to, to_offset, length, &mapped);
	if (r == 0)
		r = savepoint_commit(&all);
	if (r < 0)
		return r;
	*ret_length = length;
	*ret_mapped += (int64_t)mapped - touched.mapped;
	return 0;
}

/* ---- giving up ---- */

static int note_dropped_locked(struct vault *vault, uint64_t manifest)
{
	AUTO(query) sqlite3_stmt *drop = db_query(&vault->db, DB_SET_manifest, Q_DROP);

	bind_u64(drop, 1, manifest);
	return db_run(&vault->db, drop);
}

int manifest_drop_locked(struct vault *vault, uint64_t manifest)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	struct touched touched = { .n = 0 };
	int r = look_locked(vault, manifest, 0, END_OF_ALL, DROP_AT_ONCE, &touched);

	if (r < 0 || touched.n == 0)
		return r;
	if (touched.more)
		return note_dropped_locked(vault, manifest);
	r = savepoint_begin(&vault->db, &all);
	if (r == 0)
		r = clear_locked(vault, manifest, 0, END_OF_ALL, &touched);
	return r < 0 ? r : savepoint_commit(&all);
}

/* 1 found, 0 none. */
static int first_dropped_locked(struct vault *vault, uint64_t *ret)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_manifest, Q_FIRST_DROPPED);
	int r = db_step(&vault->db, row);

	if (r > 0)
		*ret = column_u64(row, 0);
	return r;
}

static int drop_done_locked(struct vault *vault, uint64_t manifest)
{
	AUTO(query) sqlite3_stmt *done = db_query(&vault->db, DB_SET_manifest, Q_DROP_DONE);

	bind_u64(done, 1, manifest);
	return db_run(&vault->db, done);
}

int manifest_drop_slice(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	uint32_t left = DROP_SLICE;
	uint64_t manifest;
	int r = commit_lock(vault, &held);

	if (r < 0)
		return r;
	while ((r = first_dropped_locked(vault, &manifest)) > 0 && left > 0) {
		int64_t mapped = 0; /* of a file that is no more */
		uint32_t n = 0;

		r = trim_locked(vault, manifest, 0, left, &mapped, &n);
		if (r == 0)
			r = drop_done_locked(vault, manifest);
		if (r < 0)
			return r;
		left -= n ? n : 1;
	}
	return r;
}
