/* recover.c - from packs to database. See recover.h. */
#include "recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bulk.h"
#include "changes.h"
#include "codec.h"
#include "commit_record.h"
#include "directories.h"
#include "jobs.h"
#include "journal.h"
#include "kill_point.h"
#include "picture.h"
#include "schema.h"
#include "search.h"
#include "state.h"
#include "tag_counts.h"

#ifdef VAULTFS_KILL_POINTS		/* few, so that a short test meets an end in between */
#define ROWS_PER_TRANSACTION 200
#else
#define ROWS_PER_TRANSACTION 50000	/* changed while replaying, before SQLite commits: bounds its memory */
#endif
#define REACHED 2			/* a visitor met what it was looking for */
#define N_PICTURES 8			/* newest pictures that a rebuild considers */

/* Read and decode the commit record at `place`.  -EBADMSG it is none. */
static int read_commit(struct vault *vault, struct place place, struct commit_record *ret, uint64_t *ret_checksum)
{
	AUTO(free) uint8_t *stored = malloc(RECORD_STORED_MAX);
	struct record record;
	int r;

	if (!stored)
		return log_err(-ENOMEM, "%s: no memory to read a commit record", vault->path);
	r = packs_read_record(vault->packs, place, &record, stored, ret_checksum);
	if (r < 0)
		return r;
	if (record.type != RECORD_COMMIT || record.codec != CODEC_RAW)
		return -EBADMSG;
	r = commit_record_decode(stored, record.stored_size, ret);
	return r == 0 && ret->commit != record.id ? -EBADMSG : r;
}

/* Does `next` follow `last`? */
static bool follows(const struct commit_state *last, const struct commit_record *next)
{
	return next->commit == last->commit + 1 && place_equal(next->previous, last->record) &&
	       next->previous_checksum == last->checksum && place_equal(next->start, last->end) &&
	       next->next_id >= last->next_id && next->next_chunk_id >= last->next_chunk_id;
}

/* ---- over damage ---- */

struct gaps {
	uint64_t n;
	struct place first;
};

/* As packs_scan() without flags; with `gaps` (NULL: never) it goes on at the next whole record behind damage, and counts
 * that there. 1 is then returned only where nothing whole stands behind the damage. */
static int scan_over_damage(struct vault *vault, struct place from,
			    int (*visit)(void *context, const struct packs_item *item), void *context, struct gaps *gaps)
{
	for (;;) {
		struct packs_item item;
		struct place end;
		int r = packs_scan(vault->packs, from, 0, visit, context, &end);

		if (r != 1 || !gaps)
			return r;
		r = packs_search(vault->packs, end, 0, &item);
		if (r <= 0)
			return r < 0 ? r : 1;
		if (gaps->n++ == 0)
			gaps->first = end;
		from = item.place;
	}
}

/* The journal parts of one batch, as they come by. A gap behind a part breaks the stream: in it another one may have begun
 * anew (a commit that was tried again), and parts of two attempts must not be mixed. */
struct stream {
	uint32_t n_parts;
	uint64_t n_gaps;	/* before its first part */
	bool broken;
};

/* Is this part the next one? */
static bool stream_take(struct stream *stream, const struct packs_item *item, uint64_t n_gaps)
{
	if (item->record.part == 0)
		*stream = (struct stream){ .n_gaps = n_gaps };
	if (item->record.part != stream->n_parts || n_gaps != stream->n_gaps)
		stream->broken = true;
	if (!stream->broken)
		stream->n_parts++;
	return !stream->broken;
}

static bool stream_is_whole(const struct stream *stream, uint32_t n_parts, uint64_t n_gaps)
{
	return !stream->broken && stream->n_parts == n_parts && (n_parts == 0 || stream->n_gaps == n_gaps);
}

/* ---- looking ---- */

struct chain {
	struct vault *vault;
	struct commit_state last, before;	/* the last valid state, and the one before it */
	uint64_t n_commits;
	uint64_t ahead;				/* number of a commit that does not follow, 0 = none */
	struct gaps gaps;
	struct stream stream;			/* the journal of the next one */
	bool torn;				/* that one is there, but its journal is not whole */
};

/* A replay must not fail on this part later. */
static int check_part(struct chain *chain, const struct packs_item *item)
{
	AUTO(free) uint8_t *stored = malloc(RECORD_STORED_MAX);
	struct record record;
	int r;

	if (!stored)
		return log_err(-ENOMEM, "%s: no memory to read the journal", chain->vault->path);
	if (item->record.id != chain->last.commit + 1 || !stream_take(&chain->stream, item, chain->gaps.n))
		return 0;
	r = packs_read_record(chain->vault->packs, item->place, &record, stored, NULL);
	if (r == -EBADMSG)
		chain->stream.broken = true;
	return r == -EBADMSG ? 0 : r;
}

static int extend_chain(void *context, const struct packs_item *item)
{
	struct chain *chain = context;
	struct commit_record record;
	uint64_t checksum;
	int r;

	if (item->record.type == RECORD_JOURNAL)
		return check_part(chain, item);
	if (item->record.type != RECORD_COMMIT)
		return 0;
	r = read_commit(chain->vault, item->place, &record, &checksum);
	if (r == -EBADMSG)
		return REACHED;
	if (r < 0)
		return r;
	if (!follows(&chain->last, &record)) {
		chain->ahead = record.commit;
		return REACHED;
	}
	if (record.schema_version > SCHEMA_VERSION)
		return log_err(-ENOTSUP, "%s: commit %" PRIu64 " was made by a newer vaultfs (schema %u): use that one",
			       chain->vault->path, record.commit, record.schema_version);
	if (!stream_is_whole(&chain->stream, record.n_parts, chain->gaps.n)) {
		log_warn("pack %" PRIu64 " at %" PRIu64 ": the journal of commit %" PRIu64 " is not whole", item->place.pack,
			 item->place.offset, record.commit);
		chain->ahead = record.commit;
		chain->torn = true;
		return REACHED;
	}
	chain->stream = (struct stream){ .n_parts = 0 };
	chain->before = chain->last;
	commit_state_from_record(&chain->last, &record, item->place, checksum);
	chain->n_commits++;
	return 0;
}

static int stop_at(void *context, const struct packs_item *item)
{
	const struct place *wanted = context;

	return place_equal(*wanted, item->place) ? REACHED : 0;
}

/* A pack whose name was not flushed is missing with all that stood in it, while the next one may be there: a scan goes from
 * one to the other as it does where a dead pack was unlinked. None was that vault.db does not know of; only a rebuild, which
 * has no vault.db, may find that one of the last batch was dead at once. */
static bool has_all_packs(const struct chain *chain)
{
	uint64_t number = chain->before.end.pack;

	while (number < chain->last.record.pack && packs_has(chain->vault->packs, number + 1))
		number++;
	return number == chain->last.record.pack;
}

/* The last batch was perhaps not flushed whole: every byte of it is checked. Earlier ones were before the next began. */
static int check_last_batch(struct chain *chain, bool rebuild)
{
	struct place record = chain->last.record, end;
	int r = 0;

	if (chain->n_commits == 0 || chain->torn)	/* then the one that is torn was the last */
		return 0;
	if (rebuild || has_all_packs(chain))
		r = packs_scan(chain->vault->packs, chain->before.end, PACKS_SCAN_DATA, stop_at, &record, &end);
	if (r < 0)
		return r;
	if (r != REACHED) {
		chain->last = chain->before;
		chain->n_commits--;
	}
	return 0;
}

/* Behind what is valid: does a commit stand there that no crash can have left? */
static int look_ahead(struct chain *chain)
{
	struct place from = chain->last.end;
	struct packs_item item;
	struct commit_record record;
	uint64_t checksum;
	int r;

	while (chain->ahead < chain->last.commit + 2) {
		r = packs_search(chain->vault->packs, from, RECORD_COMMIT, &item);
		if (r <= 0)
			return r;
		r = read_commit(chain->vault, item.place, &record, &checksum);
		if (r < 0 && r != -EBADMSG)	/* one that is not seen would be cut off */
			return r;
		if (r == 0 && record.commit > chain->ahead)
			chain->ahead = record.commit;
		from = item.next;
	}
	return 0;
}

/* Is the commit that vault.db shows the one in the packs?  1 yes; 0 no, said why; -ESTALE its pack is gone. */
static int anchor_holds(struct vault *vault)
{
	const struct commit_state *state = &vault->state;
	struct commit_record record;
	uint64_t checksum = 0;
	int r;

	if (state->commit == 0)
		return 1;
	if (state->record.pack > packs_last(vault->packs) ||
	    (state->record.pack == packs_last(vault->packs) &&
	     state->end.offset > packs_size(vault->packs, state->record.pack))) {
		log_warn("%s: vault.db shows commit %" PRIu64 ", which the packs do not reach: the packs are older, perhaps an "
			 "incomplete copy. Opened read-only: put the newer packs back, or run 'vaultfs rebuild' to go on from these",
			 vault->path, state->commit);
		return 0;
	}
	if (!packs_has(vault->packs, state->record.pack))
		return -ESTALE;
	r = read_commit(vault, state->record, &record, &checksum);
	if (r == 0 && record.commit == state->commit && checksum == state->checksum)
		return 1;
	if (r < 0 && r != -EBADMSG)
		return r;
	log_warn("%s: vault.db and the packs disagree about commit %" PRIu64 " (pack %" PRIu64 " at %" PRIu64 "): one of them is a copy "
		 "from another time, or damaged. Opened read-only: put the matching ones back, or run 'vaultfs rebuild'",
		 vault->path, state->commit, state->record.pack, state->record.offset);
	return 0;
}

/* recover_inspect(); with `tolerant` commits behind damage count too, if they follow. */
static int inspect(struct vault *vault, bool tolerant, struct recover_tail *ret)
{
	struct chain chain = { .vault = vault, .last = vault->state, .before = vault->state };
	int r = anchor_holds(vault);

	if (r < 0)
		return r;
	*ret = (struct recover_tail){ .last = vault->state, .cut_forbidden = r == 0 };
	if (r == 0)
		return 0;
	r = scan_over_damage(vault, chain.last.end, extend_chain, &chain, tolerant ? &chain.gaps : NULL);
	if (r < 0)
		return r;
	ret->damaged = r != 0 || chain.gaps.n > 0;
	if (r != 0)
		r = look_ahead(&chain);
	ret->n_commits = chain.n_commits;
	if (r == 0 && chain.ahead < chain.last.commit + 2)
		r = check_last_batch(&chain, tolerant);
	if (r < 0)
		return r;
	ret->damaged = ret->damaged || chain.n_commits != ret->n_commits;
	ret->n_commits = chain.n_commits;
	ret->last = chain.last;
	ret->n_gaps = chain.gaps.n;
	ret->first_gap = chain.gaps.first;
	if (chain.ahead >= chain.last.commit + 2) {
		ret->cut_forbidden = true;
		log_warn("%s: behind commit %" PRIu64 " the packs are damaged (pack %" PRIu64 " at %" PRIu64 "), but commit %" PRIu64
			 " stands further on: no crash does that. %s as of commit %" PRIu64 "; nothing was cut",
			 vault->path, chain.last.commit, chain.last.end.pack, chain.last.end.offset, chain.ahead,
			 tolerant ? "Built anew" : "Opened read-only", chain.last.commit);
	}
	return 0;
}

int recover_inspect(struct vault *vault, struct recover_tail *ret)
{
	return inspect(vault, false, ret);
}

/* ---- replaying ---- */

struct replay {
	struct vault *vault;
	const struct recover_tail *tail;
	bool rebuild;			/* goes on behind damage, and references are counted anew when all is done */
	struct gaps gaps;
	struct codec_context *codec;
	struct stream stream;		/* of the batch that is being read */
	struct place *parts;		/* stream.n_parts of them */
	size_t room;
	struct changeset_effects effects;
	sqlite3_int64 rows_before;	/* of the SQLite transaction */
};

static void auto_replay(struct replay *replay)
{
	codec_context_free(replay->codec);
	free(replay->parts);
}

static int remember_part(struct replay *replay, const struct packs_item *item)
{
	size_t n = item->record.part;

	if (!stream_take(&replay->stream, item, replay->gaps.n))
		return 0;	/* of an attempt that was given up: inspect() has found a whole one behind it */
	if (n == replay->room) {
		size_t room = n ? 2 * n : 16;
		struct place *parts = reallocarray(replay->parts, room, sizeof(*parts));

		if (!parts)
			return log_err(-ENOMEM, "%s: no memory to replay", replay->vault->path);
		replay->parts = parts;
		replay->room = room;
	}
	replay->parts[n] = item->place;
	return 0;
}

static int load_part(void *context, size_t i, uint8_t *buffer, uint32_t *ret_size)
{
	struct replay *replay = context;
	AUTO(free) uint8_t *stored = malloc(RECORD_STORED_MAX);
	struct record record;
	int r;

	if (!stored)
		return log_err(-ENOMEM, "%s: no memory to replay", replay->vault->path);
	r = packs_read_record(replay->vault->packs, replay->parts[i], &record, stored, NULL);
	if (r == 0)
		r = codec_decode(replay->codec, record.codec, stored, record.stored_size, buffer, record.raw_size);
	if (r < 0)
		return log_err(r, "pack %" PRIu64 " at %" PRIu64 ": this journal part cannot be read", replay->parts[i].pack,
			       replay->parts[i].offset);
	*ret_size = record.raw_size;
	return 0;
}

static int apply_journal(struct replay *replay, const struct commit_record *record)
{
	struct piece_source pieces = { .load = load_part, .context = replay, .n_pieces = record->n_parts };
	struct changeset_source source = piece_source_open(&pieces);
	int r = 0;

	if (!stream_is_whole(&replay->stream, record->n_parts, replay->gaps.n))
		return log_err(-EBADMSG, "commit %" PRIu64 ": %" PRIu32 " of %u journal parts are there", record->commit,
			       replay->stream.n_parts, record->n_parts);
	if (record->n_parts > 0)
		r = journal_apply_locked(replay->vault, &source, !replay->rebuild, &replay->effects);
	free(pieces.piece);
	return r;
}

/* The newest picture keeps its chunks; the one before gives them back. */
static int follow_picture(struct replay *replay, const struct commit_record *record)
{
	struct picture picture;
	int r = 0;

	if (replay->rebuild || place_equal(record->picture, replay->vault->state.picture))
		return 0;
	if (record->picture.pack != 0) {
		r = picture_read(replay->vault, record->picture, &picture);
		if (r == 0) {
			r = picture_ref_locked(replay->vault, &picture, 1);
			free(picture.chunks);
		}
	}
	if (r == 0 && replay->vault->state.picture.pack != 0)
		r = picture_find(replay->vault, replay->vault->state.picture, &picture);
	if (r > 0) {
		r = picture_ref_locked(replay->vault, &picture, -1);
		free(picture.chunks);
	}
	return r;
}

/* Before each COMMIT: what the tables that are derived must follow. A rebuild does all of it at its end. */
static int derive(struct vault *vault, struct changeset_effects *effects)
{
	int r = effects->directories ? directories_rebuild_locked(vault) : 0;

	if (r == 0 && effects->tags)
		r = tag_counts_rebuild_locked(vault);
	if (r == 0)
		r = jobs_recover_locked(vault);
	if (r == 0)
		r = changes_flush_replayed_locked(vault);
	*effects = (struct changeset_effects){ .directories = false };
	return r;
}

/* SQLite commits now and then, which bounds what it keeps in memory. */
static int breathe(struct replay *replay, bool last)
{
	struct db *db = &replay->vault->db;
	int r;

	if (!last && sqlite3_total_changes64(db->handle) - replay->rows_before < ROWS_PER_TRANSACTION)
		return 0;
	KILL_POINT(replay_commit);
	r = replay->rebuild ? 0 : derive(replay->vault, &replay->effects);
	if (r == 0)
		r = db_commit(db);
	if (r == 0 && !replay->rebuild)
		changes_flushed_locked(replay->vault);
	if (r == 0 && !last)
		r = db_begin(db);
	replay->rows_before = sqlite3_total_changes64(db->handle);
	return r;
}

static int replay_commit(struct replay *replay, const struct packs_item *item)
{
	struct vault *vault = replay->vault;
	struct commit_record record;
	uint64_t checksum;
	int r = read_commit(vault, item->place, &record, &checksum);

	if (r == 0 && !follows(&vault->state, &record))
		r = -EBADMSG;
	if (r < 0)
		return log_err(r, "pack %" PRIu64 " at %" PRIu64 ": this commit record was valid a moment ago", item->place.pack,
			       item->place.offset);
	KILL_POINT(replay);
	r = apply_journal(replay, &record);
	if (r == 0)
		r = follow_picture(replay, &record);
	if (r == 0)
		r = state_note_pack_locked(vault, item->place.pack, record.commit);
	if (r < 0)
		return r;
	commit_state_from_record(&vault->state, &record, item->place, checksum);
	replay->stream = (struct stream){ .n_parts = 0 };
	r = state_save_locked(vault, &vault->state);
	if (r == 0 && vault->state.commit == replay->tail->last.commit)
		return REACHED;
	return r < 0 ? r : breathe(replay, false);
}

static int replay_item(void *context, const struct packs_item *item)
{
	struct replay *replay = context;
	uint64_t commit = replay->vault->state.commit + 1;
	int r = 0;

	switch (item->record.type) {
	case RECORD_CHUNK:
		return bulk_restore_locked(replay->vault, item, commit);
	case RECORD_JOURNAL:
		if (item->record.id == commit)
			r = remember_part(replay, item);
		return r < 0 ? r : state_note_pack_locked(replay->vault, item->place.pack, commit);
	case RECORD_PICTURE:
		return state_note_pack_locked(replay->vault, item->place.pack, commit);
	case RECORD_COMMIT:
		return replay_commit(replay, item);
	default:
		return 0;
	}
}

static int replay_tail(struct vault *vault, const struct recover_tail *tail, bool rebuild)
{
	AUTO(replay) struct replay replay = { .vault = vault, .tail = tail, .rebuild = rebuild };
	int r;

	if (tail->n_commits == 0)
		return 0;
	r = codec_context_new(&replay.codec);
	if (r == 0)
		r = db_begin(&vault->db);
	if (r < 0)
		return r;
	replay.rows_before = sqlite3_total_changes64(vault->db.handle);
	r = scan_over_damage(vault, vault->state.end, replay_item, &replay, rebuild ? &replay.gaps : NULL);
	if (r == REACHED)
		r = 0;
	else if (r >= 0)
		r = log_err(-EBADMSG, "%s: commit %" PRIu64 " could not be reached again", vault->path, tail->last.commit);
	if (r == 0)
		r = breathe(&replay, true);
	KILL_POINT(replayed);
	db_rollback(&vault->db);
	return r;
}

int recover_replay_locked(struct vault *vault)
{
	struct recover_tail tail;
	int r = recover_inspect(vault, &tail);

	if (r == 0)
		r = packs_sync_recent(vault->packs);	/* the database may not be ahead of them after a power cut */
	return r < 0 ? r : replay_tail(vault, &tail, false);
}

/* ---- building anew ---- */

struct pictures {
	struct place places[N_PICTURES];	/* newest last */
	size_t n;
};

static int gather_picture(void *context, const struct packs_item *item)
{
	struct pictures *pictures = context;

	if (item->record.type != RECORD_PICTURE || item->record.part != 0)
		return 0;
	if (pictures->n == N_PICTURES)
		memmove(&pictures->places[0], &pictures->places[1], (--pictures->n) * sizeof(struct place));
	pictures->places[pictures->n++] = item->place;
	return 0;
}

static int visit_all(struct vault *vault, int (*visit)(void *context, const struct packs_item *item), void *context)
{
	int r = 0;

	for (uint64_t n = packs_next(vault->packs, 0); n && r >= 0; n = packs_next(vault->packs, n))
		r = packs_visit(vault->packs, n, visit, context);
	return r < 0 ? r : 0;
}

/* Where to begin: vault->state becomes that of the newest usable picture, or of an empty vault.  */
static int choose_start(struct vault *vault, struct picture *ret, struct recover_tail *ret_tail)
{
	struct pictures pictures = { .n = 0 };
	int r = visit_all(vault, gather_picture, &pictures);

	while (r == 0 && pictures.n > 0) {
		struct place place = pictures.places[--pictures.n];

		r = picture_find_readable(vault, place, ret);
		if (r <= 0)
			continue;
		vault->state = ret->state;
		r = inspect(vault, true, ret_tail);
		/* One that no commit names was being written when the vault stopped: the one before serves. */
		if (r == 0 && !place_before(ret_tail->last.picture, place))
			return 0;
		free(ret->chunks);
		if (r == -ESTALE || r == -EBADMSG)
			r = 0;
	}
	memset(ret, 0, sizeof(*ret));
	memset(&vault->state, 0, sizeof(vault->state));
	vault->state.end = (struct place){ packs_first(vault->packs), PACK_HEADER_SIZE };
	if (r == 0)
		r = inspect(vault, true, ret_tail);
	if (r == 0 && ret_tail->n_commits == 0)
		return log_err(-EBADMSG, "%s: the packs hold neither a whole picture nor the first commit: nothing to rebuild from",
			       vault->path);
	return r;
}

struct restore {
	struct vault *vault;
	struct place end;	/* what stands behind it does not count */
	uint64_t commit;	/* the last one passed */
	sqlite3_int64 rows_before;
};

static int restore_item(void *context, const struct packs_item *item)
{
	struct restore *restore = context;
	struct db *db = &restore->vault->db;
	int r = 0;

	if (!place_before(item->place, restore->end))
		return REACHED;
	if (item->record.type == RECORD_COMMIT)
		restore->commit = item->record.id;
	if (item->record.type == RECORD_CHUNK)
		r = bulk_restore_locked(restore->vault, item, restore->commit + 1);
	if (r == 0 && sqlite3_total_changes64(db->handle) - restore->rows_before > ROWS_PER_TRANSACTION) {
		r = db_commit(db);
		if (r == 0)
			r = db_begin(db);
		restore->rows_before = sqlite3_total_changes64(db->handle);
	}
	return r;
}

/* Rows of all chunks that stand before the tail's end. Damage in a pack is noted in the tail. */
static int restore_chunks(struct vault *vault, struct recover_tail *tail)
{
	struct restore restore = { .vault = vault, .end = tail->last.end };
	int r = db_begin(&vault->db);

	restore.rows_before = sqlite3_total_changes64(vault->db.handle);
	for (uint64_t n = packs_next(vault->packs, 0); n && n <= restore.end.pack && r >= 0 && r != REACHED;
	     n = packs_next(vault->packs, n)) {
		r = packs_visit(vault->packs, n, restore_item, &restore);
		if (r == 1)
			tail->damaged = true;
		if (r == 1 && tail->first_gap.pack == 0)
			tail->first_gap = (struct place){ n, PACK_HEADER_SIZE };
	}
	if (r >= 0)
		return db_commit(&vault->db);
	db_rollback(&vault->db);
	return r;
}

/* The newest picture's list, as far as there is one with all its chunks. */
static int newest_picture(struct vault *vault, struct picture *ret)
{
	int r = 0;

	*ret = (struct picture){ .n_chunks = 0 };
	if (vault->state.picture.pack == 0)
		return 0;
	r = picture_find_readable(vault, vault->state.picture, ret);
	if (r > 0)
		r = bulk_has_all_locked(vault, ret->chunks, ret->n_chunks);
	if (r != 0)
		return r < 0 ? r : 0;
	/* Damaged: as if there were none, so that a new one is written. */
	vault->state.picture_commit = 0;
	vault->state.picture = (struct place){ 0, 0 };
	ret->n_chunks = 0;
	return 0;
}

/* What is derived from all tables, and the newest picture's references. */
static int finish_rebuild(struct vault *vault, const struct recover_tail *tail)
{
	struct picture picture = { .n_chunks = 0 };
	/* Where no record of them stands, so that reading them says damaged. */
	struct place lost = tail->first_gap.pack ? tail->first_gap : vault->state.record;
	int r = db_begin(&vault->db);

	if (r == 0)
		r = newest_picture(vault, &picture);
	if (r == 0)
		r = state_save_locked(vault, &vault->state);
	if (r == 0)
		r = bulk_add_lost_locked(vault, lost);
	if (r == 0)
		r = bulk_recount_locked(vault, picture.chunks, picture.n_chunks);
	free(picture.chunks);
	if (r == 0)
		r = directories_rebuild_locked(vault);
	if (r == 0)
		r = tag_counts_rebuild_locked(vault);
	if (r == 0)
		r = changes_queue_stale_locked(vault);
	if (r == 0)
		r = search_forget_locked(vault);
	if (r == 0)
		r = db_commit(&vault->db);
	if (r < 0 && !sqlite3_get_autocommit(vault->db.handle))
		db_rollback(&vault->db);
	return r;
}

int recover_rebuild_locked(struct vault *vault, bool *ret_damaged)
{
	struct picture picture;
	struct recover_tail tail;
	int r = choose_start(vault, &picture, &tail);

	if (r < 0)
		return r;
	if (tail.n_gaps > 0)
		log_warn("%s: the packs are damaged (places: %" PRIu64 "), first in pack %" PRIu64 " at %" PRIu64
			 ": going on behind them", vault->path, tail.n_gaps, tail.first_gap.pack, tail.first_gap.offset);
	r = packs_sync_recent(vault->packs);	/* as for a replay */
	if (r == 0)
		r = restore_chunks(vault, &tail);
	KILL_POINT(rebuild_chunks);
	if (r == 0 && picture.n_chunks > 0) {
		r = db_begin(&vault->db);
		if (r == 0)
			r = picture_apply_locked(vault, &picture);
		if (r == 0)	/* the next rebuild begins there, too */
			r = state_note_pack_locked(vault, vault->state.record.pack, vault->state.commit);
		if (r == 0)
			r = state_save_locked(vault, &vault->state);
		if (r == 0)
			r = db_commit(&vault->db);
	}
	free(picture.chunks);
	if (r == 0)
		r = replay_tail(vault, &tail, true);
	if (r == 0)
		r = finish_rebuild(vault, &tail);
	if (r == 0)
		*ret_damaged = tail.damaged || tail.cut_forbidden;
	return r;
}
