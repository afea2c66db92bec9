/* journal.c - recording, writing and replaying changesets. See journal.h.
 *
 * Source of the format and of the rules about keys: sqlite.org/sessionintro.html and the comments of sqlite3session.h. */
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chunks.h"
#include "codec.h"
#include "commit.h"
#include "schema.h"
#include "state.h"

#define WORTH_COMPRESSING 2048u	/* bytes of a journal part */

struct journal {
	struct vault *vault;
	sqlite3_session *session;	/* NULL while nothing is recorded */
	bool compared;			/* the database as of the last commit is attached as well, see record_anew() */
	struct codec_context *codec;
	/* of the stream that is being written */
	uint8_t *raw;			/* RECORD_RAW_MAX bytes, `size` of them filled */
	uint8_t *stored;		/* RECORD_RAW_MAX bytes of scratch */
	uint64_t commit;
	uint32_t size;
	uint32_t n_parts;
	uint64_t raw_size;
	int error;
};

int journal_new(struct vault *vault, struct journal **ret)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	int r = journal ? codec_context_new(&journal->codec) : -ENOMEM;

	if (r == 0) {
		journal->vault = vault;
		journal->raw = malloc(RECORD_RAW_MAX);
		journal->stored = malloc(RECORD_RAW_MAX);
		if (journal->raw && journal->stored) {
			*ret = journal;
			return 0;
		}
	}
	journal_free(journal);
	return log_err(-ENOMEM, "%s: no memory for the journal", vault->path);
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	journal_end_locked(journal);
	codec_context_free(journal->codec);
	free(journal->raw);
	free(journal->stored);
	free(journal);
}

static int session_new(struct db *db, sqlite3_session **ret)
{
	sqlite3_session *session = NULL;
	int code = sqlite3session_create(db->handle, "main", &session);

	for (size_t i = 0; code == SQLITE_OK && schema_journalled[i]; i++)
		code = sqlite3session_attach(session, schema_journalled[i]);
	if (code == SQLITE_OK)
		*ret = session;
	else if (session)
		sqlite3session_delete(session);
	return db_errno(db, code, "recording changes");
}

int journal_begin_locked(struct journal *journal)
{
	return session_new(&journal->vault->db, &journal->session);
}

void journal_end_locked(struct journal *journal)
{
	struct vault *vault = journal->vault;

	if (journal->session)
		sqlite3session_delete(journal->session);
	journal->session = NULL;
	/* Else the next transaction would wait for itself. */
	if (journal->compared && db_exec(&vault->db, "DETACH before") < 0)
		commit_fail(vault);
	journal->compared = false;
}

/* A session that could not remember a change, for want of memory, says so when it is asked for the changes, and will for
 * ever. */
static int take_nothing(void *context, const void *bytes, int size)
{
	(void)context;
	(void)bytes;
	(void)size;
	return SQLITE_OK;
}

bool journal_is_empty_locked(const struct journal *journal)
{
	return !journal->session || (sqlite3session_isempty(journal->session) != 0 &&
				     sqlite3session_changeset_strm(journal->session, take_nothing, NULL) == SQLITE_OK);
}

/* The database as of the last commit, read beside the open transaction. */
static int attach_before(struct journal *journal)
{
	struct db *db = &journal->vault->db;
	char *sql;
	int r;

	if (journal->compared)
		return 0;
	/* By the name it was opened under, which leads through the directory that we hold. */
	sql = sqlite3_mprintf("ATTACH %Q AS before", sqlite3_db_filename(db->handle, "main"));
	r = sql ? db_exec(db, sql) : -ENOMEM;
	sqlite3_free(sql);
	journal->compared = r == 0;
	return r;
}

/* Record the open transaction's changes once more in a new session, by comparing all tables. As slow as there are rows, but
 * a session that has failed cannot be mended, and what it should have recorded was answered long ago. */
static int record_anew(struct journal *journal)
{
	struct db *db = &journal->vault->db;
	sqlite3_session *session = NULL;
	int r = attach_before(journal);

	if (r == 0)
		r = session_new(db, &session);
	for (size_t i = 0; r == 0 && schema_journalled[i]; i++)
		r = db_errno(db, sqlite3session_diff(session, "before", schema_journalled[i], NULL), "comparing for the journal");
	if (r < 0) {
		if (session)
			sqlite3session_delete(session);
		return r;
	}
	sqlite3session_delete(journal->session);
	journal->session = session;
	return 0;
}

size_t journal_memory_locked(const struct journal *journal)
{
	return journal->session ? (size_t)sqlite3session_memory_used(journal->session) : 0;
}

/* ---- writing ---- */

static int write_part(struct journal *w)
{
	struct record record = {
		.type = RECORD_JOURNAL,
		.raw_size = w->size,
		.part = w->n_parts,
		.n_parts = w->n_parts + 1,	/* how many there are at least; the commit record has the number */
		.id = w->commit,
	};
	enum codec codec = CODEC_RAW;
	struct place place;
	int r = 0;

	/* A small commit is one that somebody waits for: its few bytes are not worth the time. */
	if (w->size >= WORTH_COMPRESSING)
		r = codec_encode(w->codec, w->raw, w->size, w->stored, &codec, &record.stored_size);
	if (r < 0)
		return r;
	if (codec == CODEC_RAW)
		record.stored_size = w->size;
	record.codec = (uint8_t)codec;
	r = packs_append(w->vault->packs, &record, codec == CODEC_RAW ? w->raw : w->stored, &place, NULL);
	if (r < 0)
		return r;
	w->n_parts++;
	w->raw_size += w->size;
	w->size = 0;
	return state_note_pack_locked(w->vault, place.pack, w->commit);
}

/* SQLite's output callback: gathers parts. */
static int take_bytes(void *context, const void *bytes, int size)
{
	struct journal *w = context;
	const uint8_t *from = bytes;
	size_t left = (size_t)size;

	while (left > 0 && w->error == 0) {
		size_t n = RECORD_RAW_MAX - w->size;

		if (n > left)
			n = left;
		memcpy(w->raw + w->size, from, n);
		w->size += (uint32_t)n;
		from += n;
		left -= n;
		if (w->size == RECORD_RAW_MAX)
			w->error = write_part(w);
	}
	return w->error ? SQLITE_IOERR : SQLITE_OK;
}

static int write_once(struct journal *journal, uint64_t commit)
{
	int code;

	journal->commit = commit;
	journal->size = 0;
	journal->n_parts = 0;
	journal->raw_size = 0;
	journal->error = 0;
	code = journal->session ? sqlite3session_changeset_strm(journal->session, take_bytes, journal) : SQLITE_OK;
	if (journal->error < 0)
		return journal->error;
	if (code != SQLITE_OK)
		return db_errno(&journal->vault->db, code, "writing the journal");
	return journal->size > 0 ? write_part(journal) : 0;
}

int journal_write_locked(struct journal *journal, uint64_t commit, uint32_t *ret_n_parts, uint64_t *ret_raw_size)
{
	int r = write_once(journal, commit);

	if (r == -ENOMEM && journal->session && !sqlite3_get_autocommit(journal->vault->db.handle)) {
		r = record_anew(journal);
		if (r == 0)
			r = write_once(journal, commit);
	}
	*ret_n_parts = journal->n_parts;
	*ret_raw_size = journal->raw_size;
	return r;
}

/* ---- reading ---- */

/* SQLite must not see what it would believe. */
static int refuse(struct piece_source *p)
{
	p->error = log_err(-EBADMSG, "journal: part %zu of %zu is no changeset of this program's tables", p->next, p->n_pieces);
	return SQLITE_CORRUPT;
}

static int piece_read(void *context, void *buffer, int *size)
{
	struct piece_source *p = context;
	int filled = 0;

	while (filled < *size) {
		uint32_t n = p->size - p->position;

		if (n == 0) {
			if (p->next == p->n_pieces)
				break;
			p->position = 0;
			p->size = 0;
			p->error = p->load(p->context, p->next++, p->piece, &p->size);
			if (p->error < 0)
				return SQLITE_IOERR;
			continue;
		}
		if (n > (uint32_t)(*size - filled))
			n = (uint32_t)(*size - filled);
		memcpy((uint8_t *)buffer + filled, p->piece + p->position, n);
		if (changeset_check(&p->check, p->piece + p->position, n) < 0)
			return refuse(p);
		p->position += n;
		filled += (int)n;
	}
	if (filled == 0 && !changeset_is_whole(&p->check))
		return refuse(p);
	*size = filled;
	return SQLITE_OK;
}

static int piece_rewind(void *context)
{
	struct piece_source *p = context;

	if (!p->piece)
		p->piece = malloc(RECORD_RAW_MAX);
	p->next = 0;
	p->size = 0;
	p->position = 0;
	p->error = 0;
	p->check = (struct changeset_check){ .table = NULL };
	return p->piece ? 0 : -ENOMEM;
}

struct changeset_source piece_source_open(struct piece_source *pieces)
{
	return (struct changeset_source){ .read = piece_read, .rewind = piece_rewind, .context = pieces,
					  .error = &pieces->error };
}

/* ---- replaying ---- */

static int is_journalled(void *context, const char *table)
{
	(void)context;
	for (size_t i = 0; schema_journalled[i]; i++)
		if (strcmp(schema_journalled[i], table) == 0)
			return 1;
	return 0;
}

static int on_conflict(void *context, int conflict, sqlite3_changeset_iter *change)
{
	const char *table = "?";
	int n_columns, operation, indirect;

	*(bool *)context = true;
	(void)sqlite3changeset_op(change, &table, &n_columns, &operation, &indirect);	/* only for the message */
	(void)log_err(-EBADMSG, "journal: a change of table %s does not fit (operation %d, conflict %d)", table, operation,
		      conflict);
	return SQLITE_CHANGESET_ABORT;
}

/* The chunk that one side of an extents row names; 0 when that column did not change. */
static uint64_t chunk_of(sqlite3_value *value)
{
	return value ? (uint64_t)sqlite3_value_int64(value) : 0;
}

#define EXTENTS_CHUNK_ID 4	/* column of table extents */

/* Add `delta` for each reference that the changes take (delta 1) or give back (delta -1). */
static int count_change(struct vault *vault, sqlite3_changeset_iter *change, int operation, int delta)
{
	sqlite3_value *before = NULL, *after = NULL;
	uint64_t chunk;

	if (operation != SQLITE_INSERT)
		(void)sqlite3changeset_old(change, EXTENTS_CHUNK_ID, &before);	/* NULL stays on failure */
	if (operation != SQLITE_DELETE)
		(void)sqlite3changeset_new(change, EXTENTS_CHUNK_ID, &after);	/* as above */
	chunk = chunk_of(delta > 0 ? after : before);
	return chunk ? chunk_ref_locked(vault, chunk, delta) : 0;
}

/* One pass over the changeset without applying it: references, and what else follows from the changes. */
static int walk(struct vault *vault, struct changeset_source *source, int delta, struct changeset_effects *effects)
{
	sqlite3_changeset_iter *change = NULL;
	int r = source->rewind(source->context);
	int code, ended;

	if (r < 0)
		return r;
	code = sqlite3changeset_start_strm(&change, source->read, source->context);
	if (code != SQLITE_OK)
		return db_errno(&vault->db, code, "reading the journal");
	while (r == 0 && (code = sqlite3changeset_next(change)) == SQLITE_ROW) {
		const char *table;
		int n_columns, operation, indirect;

		code = sqlite3changeset_op(change, &table, &n_columns, &operation, &indirect);
		if (code != SQLITE_OK)
			break;
		if (strcmp(table, "extents") == 0)
			r = count_change(vault, change, operation, delta);
		else if (strcmp(table, "entries") == 0)
			effects->directories = true;
		else if (strcmp(table, "asset_tags") == 0)
			effects->tags = true;
	}
	ended = sqlite3changeset_finalize(change);
	if (r == 0)
		r = *source->error;
	if (r < 0)
		return r;
	if (code != SQLITE_DONE || ended != SQLITE_OK)
		return db_errno(&vault->db, code != SQLITE_DONE ? code : ended, "reading the journal");
	return 0;
}

int journal_apply_locked(struct vault *vault, struct changeset_source *source, bool count_references,
			 struct changeset_effects *effects)
{
	bool misfit = false;
	int code, r = 0;

	/* References are taken before others are given back, so that none passes through 0 on the way. */
	if (count_references)
		r = walk(vault, source, 1, effects);
	if (r == 0 && count_references)
		r = walk(vault, source, -1, effects);
	if (r == 0)
		r = source->rewind(source->context);
	if (r < 0)
		return r;
	code = sqlite3changeset_apply_strm(vault->db.handle, source->read, source->context, is_journalled, on_conflict,
					   &misfit);
	if (misfit || *source->error < 0)	/* logged already */
		return misfit ? -EBADMSG : *source->error;
	return db_errno(&vault->db, code, "applying the journal");
}
