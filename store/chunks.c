/* chunks.c - rows of table chunks, their references, and the live bytes of the packs they stand in. See chunks.h.
 *
 * Knows nothing of files: who names a chunk, and from where, is for manifest.c and picture.c to know. A pack's live bytes
 * are the stored bytes of its chunks with references; they are written at once whenever a chunk gets its first or loses its
 * last one, and not counted in memory, so that a savepoint that rolls back takes them along. */
#include "chunks.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "commit.h"

#define HASH_PREFIX 8  /* bytes of a hash that index chunks_by_hash is made of */
#define SCRATCH_MOST 4 /* buffers of RECORD_RAW_MAX bytes that are kept for later */

enum {
	Q_FIND,
	Q_GET,
	Q_ADD,
	Q_REPLACE,
	Q_COUNT,
	Q_SET_REFS,
	Q_SET_DAMAGED,
	Q_ADD_LIVE,
	N_QUERIES,
};

static const char *const sql[N_QUERIES] = {
	/* The first term is the index's expression to the letter. */
	[Q_FIND] = "SELECT " CHUNK_COLUMNS
		   ", c.damaged FROM chunks c WHERE substr(c.hash, 1, 8) = ?1 AND c.hash = ?2"
		   " AND c.raw_size = ?3",
	[Q_GET] = "SELECT " CHUNK_COLUMNS ", c.hash FROM chunks c WHERE c.id = ?1",
	[Q_ADD] =
		"INSERT INTO chunks (id, hash, raw_size, stored_size, codec, pack_id, pack_offset, refs, born)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8)",
	[Q_REPLACE] =
		"UPDATE chunks SET stored_size = ?4, codec = ?5, pack_id = ?6, pack_offset = ?7, refs = refs + 1,"
		" freed = NULL, damaged = 0 WHERE id = ?1 AND hash = ?2 AND raw_size = ?3",
	[Q_COUNT] = "SELECT refs, pack_id, stored_size FROM chunks WHERE id = ?1",
	[Q_SET_REFS] = "UPDATE chunks SET refs = ?2, freed = ?3 WHERE id = ?1",
	[Q_SET_DAMAGED] = "UPDATE chunks SET damaged = 1 WHERE id = ?1",
	[Q_ADD_LIVE] = "INSERT INTO packs (id, live_bytes, last_commit) VALUES (?1, ?2, 0)"
		       " ON CONFLICT (id) DO UPDATE SET live_bytes = live_bytes + ?2",
};

const struct query_set chunks_queries = { sql, N_QUERIES };

/* ---- rows ---- */

int chunk_from_row(struct vault *vault, sqlite3_stmt *row, int first, struct chunk *ret)
{
	uint64_t id = column_u64(row, first);
	uint64_t pack = column_u64(row, first + 1);
	uint64_t offset = column_u64(row, first + 2);
	uint64_t raw_size = column_u64(row, first + 3);
	uint64_t stored_size = column_u64(row, first + 4);
	uint64_t codec = column_u64(row, first + 5);

	if (id == 0 || id > INT64_MAX || pack == 0 || pack > INT64_MAX || offset < PACK_HEADER_SIZE ||
	    offset > INT64_MAX || raw_size == 0 || raw_size > RECORD_RAW_MAX || stored_size == 0 ||
	    stored_size > raw_size || codec > CODEC_ZLIB || (codec == CODEC_RAW && stored_size != raw_size))
		return log_err(-EBADMSG, "%s: chunk %" PRId64 ": impossible place or sizes", vault->db.path,
			       (int64_t)id);
	*ret = (struct chunk){
		.id = id,
		.place = { pack, offset },
		.raw_size = (uint32_t)raw_size,
		.stored_size = (uint32_t)stored_size,
		.codec = (uint8_t)codec,
	};
	return 0;
}

int chunk_get_locked(struct vault *vault, uint64_t id, struct chunk *ret)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_chunks, Q_GET);
	int r;

	bind_u64(row, 1, id);
	r = db_step(&vault->db, row);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if (sqlite3_column_bytes(row, CHUNK_N_COLUMNS) != (int)sizeof(ret->hash.bytes))
		return log_err(-EBADMSG, "%s: chunk %" PRIu64 ": its hash is not 32 bytes", vault->db.path,
			       id);
	r = chunk_from_row(vault, row, 0, ret);
	if (r == 0)
		memcpy(ret->hash.bytes, sqlite3_column_blob(row, CHUNK_N_COLUMNS), sizeof(ret->hash.bytes));
	return r;
}

static int add_live_locked(struct vault *vault, uint64_t pack, int64_t stored_size)
{
	AUTO(query) sqlite3_stmt *add = db_query(&vault->db, DB_SET_chunks, Q_ADD_LIVE);

	bind_u64(add, 1, pack);
	bind_i64(add, 2, stored_size);
	return db_run(&vault->db, add);
}

/* What a change of references needs to know of a chunk. */
struct count {
	int64_t refs;
	uint64_t pack;
	int64_t stored_size;
};

/* 1 found, 0 no such chunk. */
static int count_get_locked(struct vault *vault, uint64_t id, struct count *ret)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_chunks, Q_COUNT);
	int r;

	bind_u64(row, 1, id);
	r = db_step(&vault->db, row);
	if (r <= 0)
		return r;
	*ret = (struct count){ sqlite3_column_int64(row, 0), column_u64(row, 1),
			       sqlite3_column_int64(row, 2) };
	return 1;
}

static int set_refs_locked(struct vault *vault, uint64_t id, int64_t refs)
{
	AUTO(query) sqlite3_stmt *set = db_query(&vault->db, DB_SET_chunks, Q_SET_REFS);

	bind_u64(set, 1, id);
	bind_i64(set, 2, refs);
	if (refs == 0)
		bind_u64(set, 3, vault->state.commit + 1); /* else freed becomes NULL */
	return db_run(&vault->db, set);
}

/* An error between the two rows may leave the pack's bytes too high, which keeps the pack; never too low. */
int chunk_ref_locked(struct vault *vault, uint64_t id, int64_t delta)
{
	struct count count;
	int64_t refs;
	int found = count_get_locked(vault, id, &count);
	int r = 0;

	if (found < 0)
		return found;
	if (found == 0)
		return log_err(-EBADMSG, "%s: chunk %" PRIu64 " is named, but there is none", vault->db.path,
			       id);
	if (__builtin_add_overflow(count.refs, delta, &refs) || refs < 0)
		return log_err(-EBADMSG,
			       "%s: chunk %" PRIu64 ": %" PRId64 " references cannot change by %" PRId64,
			       vault->db.path, id, count.refs, delta);
	if (count.refs == 0 && refs > 0)
		r = add_live_locked(vault, count.pack, count.stored_size);
	if (r == 0)
		r = set_refs_locked(vault, id, refs);
	if (r == 0 && count.refs > 0 && refs == 0)
		r = add_live_locked(vault, count.pack, -count.stored_size);
	return r;
}

/* The first whole chunk with this content: 1, or 0 with *ret_damaged_id. */
static int find_locked(struct vault *vault, const struct digest *hash, uint32_t raw_size, struct chunk *ret,
		       uint64_t *ret_damaged_id)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_chunks, Q_FIND);
	int r;

	bind_blob(row, 1, hash->bytes, HASH_PREFIX);
	bind_blob(row, 2, hash->bytes, sizeof(hash->bytes));
	bind_u64(row, 3, raw_size);
	while ((r = db_step(&vault->db, row)) > 0) {
		if (sqlite3_column_int(row, CHUNK_N_COLUMNS) == 0)
			break;
		*ret_damaged_id = column_u64(row, 0);
	}
	if (r <= 0)
		return r;
	r = chunk_from_row(vault, row, 0, ret);
	ret->hash = *hash;
	return r < 0 ? r : 1;
}

int chunk_claim_locked(struct vault *vault, const struct digest *hash, uint32_t raw_size, struct chunk *ret,
		       uint64_t *ret_damaged_id)
{
	struct chunk chunk = { 0 };
	uint64_t damaged_id = 0;
	int r = find_locked(vault, hash, raw_size, &chunk, &damaged_id);

	if (r == 0)
		*ret_damaged_id = damaged_id;
	if (r <= 0)
		return r;
	r = chunk_ref_locked(vault, chunk.id, 1);
	if (r < 0)
		return r;
	*ret = chunk;
	return 1;
}

/* Parameters 1 to 7 mean the same in ADD and REPLACE. */
static void bind_chunk(sqlite3_stmt *statement, const struct chunk *chunk)
{
	bind_u64(statement, 1, chunk->id);
	bind_blob(statement, 2, chunk->hash.bytes, sizeof(chunk->hash.bytes));
	bind_u64(statement, 3, chunk->raw_size);
	bind_u64(statement, 4, chunk->stored_size);
	bind_u64(statement, 5, chunk->codec);
	bind_u64(statement, 6, chunk->place.pack);
	bind_u64(statement, 7, chunk->place.offset);
}

int chunk_add_locked(struct vault *vault, const struct chunk *chunk)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	AUTO(query) sqlite3_stmt *add = db_query(&vault->db, DB_SET_chunks, Q_ADD);
	int r = savepoint_begin(&vault->db, &all);

	bind_chunk(add, chunk);
	bind_u64(add, 8, vault->state.commit + 1);
	if (r == 0)
		r = db_run(&vault->db, add);
	if (r == 0)
		r = add_live_locked(vault, chunk->place.pack, chunk->stored_size);
	return r < 0 ? r : savepoint_commit(&all);
}

int chunk_replace_locked(struct vault *vault, const struct chunk *chunk)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	AUTO(query) sqlite3_stmt *replace = db_query(&vault->db, DB_SET_chunks, Q_REPLACE);
	struct count old;
	int r = count_get_locked(vault, chunk->id, &old);

	if (r < 0)
		return r;
	if (r == 0)
		return chunk_add_locked(vault, chunk); /* it was dead, and went with its pack */
	r = savepoint_begin(&vault->db, &all);
	if (r == 0 && old.refs > 0)
		r = add_live_locked(vault, old.pack, -old.stored_size);
	bind_chunk(replace, chunk);
	if (r == 0)
		r = db_run(&vault->db, replace);
	if (r == 0 && sqlite3_changes64(vault->db.handle) == 0)
		r = log_err(-EBADMSG, "%s: chunk %" PRIu64 " cannot be stored anew: it has other content",
			    vault->db.path, chunk->id);
	if (r == 0)
		r = add_live_locked(vault, chunk->place.pack, chunk->stored_size);
	return r < 0 ? r : savepoint_commit(&all);
}

int chunk_set_damaged_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *set = db_query(&vault->db, DB_SET_chunks, Q_SET_DAMAGED);

	bind_u64(set, 1, id);
	return db_run(&vault->db, set);
}

/* ---- storing ---- */

/* Room for one chunk's compressed bytes. */
struct scratch {
	struct scratch *next;
	uint8_t bytes[RECORD_RAW_MAX];
};

/* One call of chunk_store() on its way, on that call's stack. */
struct storing {
	struct storing *next;
	struct chunk chunk; /* hash, raw size and id from the start, the rest once appended */
	struct scratch *scratch;
	bool replaces; /* the chunk is there, but damaged */
};

struct chunk_index {
	/* guarded by the metadata lock */
	struct storing *storing; /* contents being stored now: at most one entry each */
	pthread_cond_t stored;   /* one of them is done, well or not */
	struct scratch *scratch; /* buffers that nobody uses just now */
	unsigned n_scratch;
};

int chunk_index_new(struct vault *vault, struct chunk_index **ret)
{
	struct chunk_index *index = calloc(1, sizeof(*index));

	if (!index)
		return log_err(-ENOMEM, "%s: no memory to open it", vault->path);
	(void)pthread_cond_init(&index->stored, NULL); /* fails only with attributes */
	*ret = index;
	return 0;
}

void chunk_index_free(struct chunk_index *index)
{
	if (!index)
		return;
	assert(!index->storing);
	while (index->scratch) {
		struct scratch *scratch = index->scratch;

		index->scratch = scratch->next;
		free(scratch);
	}
	(void)pthread_cond_destroy(&index->stored);
	free(index);
}

static bool is_being_stored(const struct chunk_index *index, const struct digest *hash)
{
	for (const struct storing *s = index->storing; s; s = s->next)
		if (memcmp(&s->chunk.hash, hash, sizeof(*hash)) == 0)
			return true;
	return false;
}

static void register_locked(struct vault *vault, struct storing *mine, uint64_t damaged_id)
{
	struct chunk_index *index = vault->chunk_index;

	mine->replaces = damaged_id != 0;
	mine->chunk.id = damaged_id ? damaged_id : vault_new_chunk_id_locked(vault);
	mine->next = index->storing;
	index->storing = mine;
	if (index->scratch) {
		mine->scratch = index->scratch;
		index->scratch = mine->scratch->next;
		index->n_scratch--;
	}
}

/* Take `mine` out again; its scratch buffer is kept for others, or left to the caller. */
static void unregister_locked(struct chunk_index *index, struct storing *mine)
{
	struct storing **at = &index->storing;

	while (*at != mine)
		at = &(*at)->next;
	*at = mine->next;
	if (mine->scratch && index->n_scratch < SCRATCH_MOST) {
		mine->scratch->next = index->scratch;
		index->scratch = TAKE(mine->scratch);
		index->n_scratch++;
	}
	(void)pthread_cond_broadcast(&index->stored);
}

/* 1 the content is there (*ret, with a reference); 0 it is for this call to store, and `mine` says so to others. */
static int claim_or_register(struct vault *vault, struct storing *mine, struct chunk *ret)
{
	for (;;) {
		AUTO(unlock) pthread_mutex_t *held = NULL;
		uint64_t damaged_id;
		int r = commit_lock(vault, &held);

		if (r == 0)
			r = chunk_claim_locked(vault, &mine->chunk.hash, mine->chunk.raw_size, ret,
					       &damaged_id);
		if (r != 0)
			return r;
		if (!is_being_stored(vault->chunk_index, &mine->chunk.hash)) {
			register_locked(vault, mine, damaged_id);
			return 0;
		}
		/* A commit may have closed the transaction meanwhile: lock it anew. */
		(void)pthread_cond_wait(&vault->chunk_index->stored, held);
	}
}

static int append_chunk(struct vault *vault, struct codec_context *codec, const void *raw,
			struct storing *mine)
{
	struct chunk *chunk = &mine->chunk;
	struct record record = {
		.type = RECORD_CHUNK, .n_parts = 1, .id = chunk->id, .raw_size = chunk->raw_size
	};
	enum codec encoded = CODEC_RAW;
	int r;

	if (!mine->scratch)
		mine->scratch = malloc(sizeof(*mine->scratch));
	if (!mine->scratch)
		return log_err(-ENOMEM, "%s: no memory to compress a chunk", vault->path);
	r = codec_encode(codec, raw, chunk->raw_size, mine->scratch->bytes, &encoded, &chunk->stored_size);
	if (r < 0)
		return r;
	chunk->codec = (uint8_t)encoded;
	record.codec = chunk->codec;
	record.stored_size = chunk->stored_size;
	record.hash = chunk->hash;
	return packs_append(vault->packs, &record, encoded == CODEC_RAW ? raw : mine->scratch->bytes,
			    &chunk->place, NULL);
}

static bool is_before(struct place a, struct place b)
{
	return a.pack < b.pack || (a.pack == b.pack && a.offset < b.offset);
}

/* Give an appended chunk its row. 1 it must be appended again: a commit was made since, and the next one would name a
 * record that stands in front of where its replay starts. */
static int add_row(struct vault *vault, const struct storing *mine)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = commit_lock(vault, &held);

	if (r < 0)
		return r;
	if (is_before(mine->chunk.place, vault->state.end))
		return 1;
	return mine->replaces ? chunk_replace_locked(vault, &mine->chunk)
			      : chunk_add_locked(vault, &mine->chunk);
}

static void unregister(struct vault *vault, struct storing *mine)
{
	(void)pthread_mutex_lock(
		&vault->db.lock); /* not commit_lock(): also on a vault that just became read-only */
	unregister_locked(vault->chunk_index, mine);
	(void)pthread_mutex_unlock(&vault->db.lock);
	free(mine->scratch);
}

int chunk_store(struct vault *vault, struct codec_context *codec, const void *raw, uint32_t raw_size,
		struct chunk *ret)
{
	struct storing mine = { .chunk.raw_size = raw_size };
	int r;

	assert(raw_size > 0 && raw_size <= RECORD_RAW_MAX);
	r = digest_sha256(raw, raw_size, &mine.chunk.hash);
	if (r == 0)
		r = claim_or_register(vault, &mine, ret);
	if (r != 0)
		return r < 0 ? r : 0;
	do {
		r = append_chunk(vault, codec, raw, &mine);
		if (r == 0)
			r = add_row(vault, &mine);
	} while (r > 0);
	unregister(vault, &mine);
	if (r == 0)
		*ret = mine.chunk;
	return r;
}
