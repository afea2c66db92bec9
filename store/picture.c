/* picture.c - writing and reading pictures. See picture.h.
 *
 * The stream is what SQLite's session extension calls a changeset (format: comments of sqlite3session.c, "CHANGESET
 * BLOB FORMAT"), holding one INSERT for each row, in the order of schema_journalled[]. */
#include "picture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "chunks.h"
#include "codec.h"
#include "commit.h"
#include "journal.h"
#include "kill_point.h"
#include "schema.h"
#include "state.h"

#define N_HEAD 10u			/* 64-bit numbers before the ids in the list */
#define LIST_MAX (64u << 20)		/* bytes of a list: 8 million chunks, 2 TiB of picture */

/* ---- the list ---- */

static int decode_list(const uint8_t *list, size_t size, struct picture *ret)
{
	uint64_t head[N_HEAD];

	if (size < 8 * N_HEAD || size % 8 != 0)
		return -EBADMSG;
	for (size_t i = 0; i < N_HEAD; i++)
		head[i] = get_u64(list + 8 * i);
	*ret = (struct picture){
		.state = { .commit = head[0], .record = { head[1], head[2] }, .end = { head[3], head[4] },
			   .checksum = head[5], .next_id = head[6], .next_chunk_id = head[7] },
		.raw_size = head[8],
		.n_chunks = size / 8 - N_HEAD,
	};
	if (head[9] != ret->n_chunks || ret->n_chunks == 0 || ret->state.commit == 0 || ret->state.commit > INT64_MAX)
		return -EBADMSG;
	ret->chunks = calloc(ret->n_chunks, sizeof(uint64_t));
	if (!ret->chunks)
		return log_err(-ENOMEM, "no memory for a picture's list");
	for (size_t i = 0; i < ret->n_chunks; i++)
		ret->chunks[i] = get_u64(list + 8 * (N_HEAD + i));
	return 0;
}

struct gather {
	struct vault *vault;
	uint64_t id;		/* of the stream: the commit it shows */
	uint8_t *list;
	size_t size;
	uint32_t n_parts, next;
};

static int gather_part(void *context, const struct packs_item *item)
{
	struct gather *g = context;
	uint8_t *list;

	if (item->record.type != RECORD_PICTURE)
		return item->record.type == RECORD_CHUNK && g->next == 0 ? -EBADMSG : 0;
	if (g->next == 0) {
		g->id = item->record.id;
		g->n_parts = item->record.n_parts;
	}
	if (item->record.id != g->id || item->record.part != g->next || item->record.n_parts != g->n_parts ||
	    item->record.codec != CODEC_RAW || g->size + item->record.raw_size > LIST_MAX)
		return -EBADMSG;
	list = realloc(g->list, g->size + item->record.raw_size);
	if (!list)
		return log_err(-ENOMEM, "%s: no memory for a picture's list", g->vault->path);
	g->list = list;
	memcpy(g->list + g->size, item->stored, item->record.raw_size);
	g->size += item->record.raw_size;
	return ++g->next == g->n_parts;
}

int picture_read(struct vault *vault, struct place place, struct picture *ret)
{
	struct gather g = { .vault = vault };
	struct place end;
	int r = packs_scan(vault->packs, place, PACKS_SCAN_DATA, gather_part, &g, &end);

	memset(ret, 0, sizeof(*ret));
	if (r >= 0)
		r = g.n_parts > 0 && g.next == g.n_parts ? decode_list(g.list, g.size, ret) : -EBADMSG;
	if (r == 0 && ret->state.commit != g.id) {
		free(TAKE(ret->chunks));
		r = -EBADMSG;
	}
	free(g.list);
	return r;
}

int picture_find(struct vault *vault, struct place place, struct picture *ret)
{
	int r = picture_read(vault, place, ret);

	if (r == -EBADMSG || r == -ENOENT || r == -ENOTSUP) {
		memset(ret, 0, sizeof(*ret));
		return 0;
	}
	return r < 0 ? r : 1;
}

int picture_find_readable(struct vault *vault, struct place place, struct picture *ret)
{
	int r = picture_find(vault, place, ret);

	return r == -EIO ? 0 : r;
}

int picture_ref_locked(struct vault *vault, const struct picture *picture, int delta)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < picture->n_chunks; i++)
		r = chunk_ref_locked(vault, picture->chunks[i], delta);
	return r;
}

/* ---- applying ---- */

struct load {
	struct vault *vault;
	const struct picture *picture;
	struct codec_context *codec;
	uint8_t *stored;
};

static int load_chunk(void *context, size_t i, uint8_t *buffer, uint32_t *ret_size)
{
	struct load *load = context;
	struct chunk chunk;
	int r = chunk_get_locked(load->vault, load->picture->chunks[i], &chunk);

	if (r == 0)
		r = packs_read(load->vault->packs, chunk.place, RECORD_CHUNK, chunk.id, chunk.stored_size, 0,
			       chunk.stored_size, load->stored);
	if (r == 0)
		r = codec_decode(load->codec, chunk.codec, load->stored, chunk.stored_size, buffer, chunk.raw_size);
	if (r < 0)
		return log_err(r, "picture of commit %" PRIu64 ": its part %zu cannot be read", load->picture->state.commit, i);
	*ret_size = chunk.raw_size;
	return 0;
}

int picture_apply_locked(struct vault *vault, const struct picture *picture)
{
	AUTO(codec_context) struct codec_context *codec = NULL;
	AUTO(free) uint8_t *stored = malloc(RECORD_STORED_MAX);
	struct load load = { .vault = vault, .picture = picture, .stored = stored };
	struct piece_source pieces = { .load = load_chunk, .context = &load, .n_pieces = picture->n_chunks };
	struct changeset_source source = piece_source_open(&pieces);
	struct changeset_effects effects = { false };
	int r = codec_context_new(&codec);

	if (r < 0)
		return r;
	if (!stored)
		return log_err(-ENOMEM, "%s: no memory to apply a picture", vault->path);
	load.codec = codec;
	r = journal_apply_locked(vault, &source, false, &effects);
	free(pieces.piece);
	return r;
}

/* ---- writing ---- */

struct writer {
	struct vault *vault;
	const _Atomic bool *stop;
	struct codec_context *codec;
	struct chunker chunker;
	uint8_t *piece;			/* RECORD_RAW_MAX bytes, `size` of them filled */
	uint32_t size;
	uint64_t *chunks;
	size_t n_chunks, room;
	uint64_t raw_size;
};

/* Store a piece as a chunk. It holds no reference of its own till the list is complete: only the thread that writes
 * pictures unlinks packs, so it stays. */
static int store_unreferenced(struct writer *w, struct chunk *ret)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	uint64_t room = packs_worst_case(w->size, w->size);
	int r = packs_reserve(w->vault->packs, room);

	if (r < 0)
		return r;
	r = chunk_store(w->vault, w->codec, w->piece, w->size, ret);
	packs_unreserve(w->vault->packs, room);
	if (r == 0)
		r = commit_lock(w->vault, &held);
	return r == 0 ? chunk_ref_locked(w->vault, ret->id, -1) : r;
}

static int write_piece(struct writer *w)
{
	struct chunk chunk;
	int r;

	if (*w->stop)
		return -EINTR;
	if (w->n_chunks == w->room) {
		size_t room = w->room ? 2 * w->room : 256;
		uint64_t *chunks = reallocarray(w->chunks, room, sizeof(*chunks));

		if (!chunks)
			return log_err(-ENOMEM, "%s: no memory to write a picture", w->vault->path);
		w->chunks = chunks;
		w->room = room;
	}
	/* One change: a commit in between would keep the reference that is given back here. */
	r = commit_enter(w->vault);
	if (r < 0)
		return r;
	r = store_unreferenced(w, &chunk);
	commit_leave(w->vault);
	if (r < 0)
		return r;
	w->chunks[w->n_chunks++] = chunk.id;
	w->raw_size += w->size;
	w->size = 0;
	return 0;
}

static int put_bytes(struct writer *w, const void *bytes, size_t size)
{
	const uint8_t *from = bytes;
	int r = 0;

	while (r == 0 && size > 0) {
		bool cut = false;
		size_t n = chunker_feed(&w->chunker, from, size, &cut);

		memcpy(w->piece + w->size, from, n);	/* a chunk is at most RECORD_RAW_MAX */
		w->size += (uint32_t)n;
		from += n;
		size -= n;
		if (cut)
			r = write_piece(w);
	}
	return r;
}

/* SQLite's variable-length integer: big-endian groups of seven bits (lengths here stay below 2^31). */
static size_t encode_varint(uint8_t *at, uint32_t value)
{
	uint8_t reversed[5];
	size_t n = 0;

	do {
		reversed[n] = (uint8_t)((value & 0x7f) | (n ? 0x80 : 0));
		n++;
		value >>= 7;
	} while (value);
	for (size_t i = 0; i < n; i++)
		at[i] = reversed[n - 1 - i];
	return n;
}

static int put_value(struct writer *w, sqlite3_stmt *row, int column)
{
	int type = sqlite3_column_type(row, column);
	uint8_t head[16] = { (uint8_t)type };
	uint32_t size;
	int r;

	if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
		uint64_t bits = htobe64((uint64_t)sqlite3_column_int64(row, column));

		if (type == SQLITE_FLOAT) {
			double number = sqlite3_column_double(row, column);

			memcpy(&bits, &number, sizeof(bits));
			bits = htobe64(bits);
		}
		memcpy(head + 1, &bits, sizeof(bits));
		return put_bytes(w, head, 9);
	}
	if (type == SQLITE_NULL)
		return put_bytes(w, head, 1);
	size = (uint32_t)sqlite3_column_bytes(row, column);
	r = put_bytes(w, head, 1 + encode_varint(head + 1, size));
	return r == 0 && size > 0 ? put_bytes(w, sqlite3_column_blob(row, column), size) : r;
}

/* A table's head: its number of columns, each one's place in the primary key, its name. */
static int put_table_head(struct writer *w, struct db *db, const char *table)
{
	uint8_t head[2 + 64] = { 'T', 0 };
	char sql[128];
	sqlite3_stmt *columns = NULL;
	int code, r;

	(void)snprintf(sql, sizeof(sql), "PRAGMA table_info(%s)", table);	/* our names are short */
	code = sqlite3_prepare_v2(db->handle, sql, -1, &columns, NULL);
	while (code == SQLITE_OK && sqlite3_step(columns) == SQLITE_ROW && head[1] < 64) {
		head[2 + head[1]] = (uint8_t)sqlite3_column_int(columns, 5);
		head[1]++;
	}
	(void)sqlite3_finalize(columns);	/* what was read is counted below */
	if (head[1] == 0)
		return db_errno(db, code != SQLITE_OK ? code : SQLITE_ERROR, "reading a table's columns");
	r = put_bytes(w, head, 2u + head[1]);
	return r == 0 ? put_bytes(w, table, strlen(table) + 1) : r;
}

static int put_table(struct writer *w, struct db *db, const char *table)
{
	static const uint8_t insert[2] = { SQLITE_INSERT, 0 };	/* 0: not indirect */
	char sql[128];
	sqlite3_stmt *row = NULL;
	bool first = true;
	int r, code;

	(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s", table);	/* our names are short */
	code = sqlite3_prepare_v2(db->handle, sql, -1, &row, NULL);
	r = db_errno(db, code, sql);
	while (r == 0 && (r = db_step(db, row)) > 0) {
		r = first ? put_table_head(w, db, table) : 0;
		first = false;
		if (r == 0)
			r = put_bytes(w, insert, sizeof(insert));
		for (int i = 0; r == 0 && i < sqlite3_column_count(row); i++)
			r = put_value(w, row, i);
	}
	(void)sqlite3_finalize(row);	/* repeats the error of the step */
	return r;
}

/* All rows as of one commit, which the snapshot itself names. */
static int put_tables(struct writer *w, struct vault *reader, struct commit_state *ret_state)
{
	int r = db_exec(&reader->db, "BEGIN");

	if (r == 0)
		r = state_load_locked(reader, ret_state);
	for (size_t i = 0; r == 0 && schema_journalled[i]; i++)
		r = put_table(w, &reader->db, schema_journalled[i]);
	if (r == 0 && w->size > 0)
		r = write_piece(w);
	return r;
}

/* Append the list, in parts. */
static int append_list(struct writer *w, const struct commit_state *state, struct place *ret_place)
{
	size_t size = 8 * (N_HEAD + w->n_chunks);
	AUTO(free) uint8_t *list = malloc(size);
	const uint64_t head[N_HEAD] = { state->commit,	   state->record.pack, state->record.offset, state->end.pack,
					state->end.offset, state->checksum,    state->next_id,	     state->next_chunk_id,
					w->raw_size,	   w->n_chunks };
	uint32_t n_parts = (uint32_t)((size + RECORD_RAW_MAX - 1) / RECORD_RAW_MAX);
	int r = 0;

	if (!list)
		return log_err(-ENOMEM, "%s: no memory to write a picture", w->vault->path);
	for (size_t i = 0; i < N_HEAD; i++)
		put_u64(list + 8 * i, head[i]);
	for (size_t i = 0; i < w->n_chunks; i++)
		put_u64(list + 8 * (N_HEAD + i), w->chunks[i]);
	for (uint32_t part = 0; r == 0 && part < n_parts; part++) {
		size_t from = (size_t)part * RECORD_RAW_MAX;
		uint32_t n = (uint32_t)(size - from < RECORD_RAW_MAX ? size - from : RECORD_RAW_MAX);
		struct record record = { .type = RECORD_PICTURE, .codec = CODEC_RAW, .raw_size = n, .stored_size = n,
					 .part = part, .n_parts = n_parts, .id = state->commit };
		struct place place;

		r = packs_append(w->vault->packs, &record, list + from, &place, NULL);
		if (r == 0 && part == 0)
			*ret_place = place;
		if (r == 0)
			r = state_note_pack_locked(w->vault, place.pack, w->vault->state.commit + 1);
	}
	return r;
}

static struct place newest_picture(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);

	return vault->state.picture;
}

/* The list is written, its chunks take their references, and the picture before gives its back: in one change. */
static int finish(struct writer *w, const struct commit_state *state)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { NULL };
	struct vault *vault = w->vault;
	struct picture new = { .chunks = w->chunks, .n_chunks = w->n_chunks };
	struct picture old = { .n_chunks = 0 };
	struct place place = newest_picture(vault);
	int r = place.pack != 0 ? picture_find(vault, place, &old) : 0;	/* a damaged one has nothing to give back */

	if (r >= 0)
		r = commit_lock(vault, &held);
	if (r == 0)
		r = savepoint_begin(&vault->db, &all);
	KILL_POINT(picture_stored);
	if (r == 0)
		r = append_list(w, state, &place);
	KILL_POINT(picture_listed);
	if (r == 0)
		r = picture_ref_locked(vault, &new, 1);
	if (r == 0)
		r = picture_ref_locked(vault, &old, -1);
	if (r == 0)
		r = savepoint_commit(&all);
	if (r == 0) {
		vault->state.picture_commit = state->commit;
		vault->state.picture = place;
		vault->state.journal_bytes -= state->journal_bytes;
		vault->picture_size = w->raw_size;
	}
	free(old.chunks);
	return r;
}

static void auto_writer(struct writer *w)
{
	codec_context_free(w->codec);
	free(w->piece);
	free(w->chunks);
}

int picture_write(struct vault *vault, const _Atomic bool *stop)
{
	AUTO(writer) struct writer w = { .vault = vault, .stop = stop };
	struct vault reader = { .path = vault->path };
	struct commit_state state;
	int r = codec_context_new(&w.codec);

	if (r < 0)
		return r;
	w.piece = malloc(RECORD_RAW_MAX);
	if (!w.piece)
		return log_err(-ENOMEM, "%s: no memory to write a picture", vault->path);
	chunker_init(&w.chunker, &vault->chunking);
	r = db_open_in(&reader.db, vault->dir_fd, vault->db.path, DB_OPEN_READ_ONLY);
	if (r < 0)
		return r;
	KILL_POINT(picture);
	r = put_tables(&w, &reader, &state);
	db_close(&reader.db);
	if (r == 0)
		r = commit_enter(vault);
	if (r < 0)
		return r;
	r = finish(&w, &state);
	KILL_POINT(pictured);
	commit_leave(vault);
	return r;
}
