/* check_chain.c - commits and their journals, as the records say it in their order. See check_internal.h.
 *
 * Packs whose journals nobody needs any more are gone, so the chain may begin anywhere, and has holes: what is compared is
 * what stands behind `from` without one. */
#include "check_internal.h"

#include <errno.h>
#include <inttypes.h>

#include "commit_record.h"
#include "schema.h"

static void forget_stream(struct check_chain *chain)
{
	chain->n_parts = 0;
	chain->journal_size = 0;
	chain->broken = false;
}

void check_chain_init(struct check_chain *chain, struct place from)
{
	*chain = (struct check_chain){ .from = from };
}

void check_chain_break(struct check_chain *chain, struct place place)
{
	bool reached = chain->reached;

	*chain = (struct check_chain){ .from = place, .reached = reached, .broken = true };
}

/* A replay from the newest picture needs this pack for `commit`. */
static int need_pack(struct check *check, struct place place, uint64_t commit)
{
	struct check_pack *pack = check_pack_of(check, place.pack);

	if (!pack)
		return -ENOMEM;
	if (commit > check->state.picture_commit && commit > pack->last_commit)
		pack->last_commit = commit;
	return 0;
}

static int take_part(struct check *check, struct check_chain *chain, const struct packs_item *item,
		     bool whole)
{
	const struct record *record = &item->record;

	if (chain->last.commit != 0 && record->id != chain->last.commit + 1)
		check_found(check, "journal", item->place, 0,
			    "a journal part of commit %" PRIu64 " stands behind commit %" PRIu64, record->id,
			    chain->last.commit);
	if (record->part == 0)
		forget_stream(chain);
	if (record->part != chain->n_parts || !whole)
		chain->broken = true;
	chain->n_parts++;
	chain->journal_size += record->raw_size;
	return need_pack(check, item->place, record->id);
}

/* ---- commit records ---- */

static void check_link(struct check *check, const struct check_chain *chain, const struct packs_item *item,
		       const struct commit_record *record)
{
	const struct commit_state *last = &chain->last;

	if (last->commit == 0) {
		if (record->commit > 1 && !place_before(record->previous, chain->from))
			check_found(check, "commit", item->place, 0,
				    "commit %" PRIu64 " names a commit before it at pack %" PRIu64
				    " offset %" PRIu64 ", where none stands",
				    record->commit, record->previous.pack, record->previous.offset);
		return;
	}
	if (record->commit != last->commit + 1)
		check_found(check, "commit", item->place, 0,
			    "commit %" PRIu64 " stands behind commit %" PRIu64, record->commit, last->commit);
	else if (!place_equal(record->previous, last->record) ||
		 record->previous_checksum != last->checksum || !place_equal(record->start, last->end))
		check_found(check, "commit", item->place, 0,
			    "commit %" PRIu64 " is not chained to the one before it", record->commit);
	if (record->next_id < last->next_id || record->next_chunk_id < last->next_chunk_id)
		check_found(check, "commit", item->place, 0,
			    "commit %" PRIu64 " has lower counters than the one before it", record->commit);
}

static void check_journal(struct check *check, const struct check_chain *chain, const struct packs_item *item,
			  const struct commit_record *record)
{
	if (place_before(record->start, chain->from))
		return; /* where it began was not seen */
	if (record->n_parts != chain->n_parts || record->journal_size != chain->journal_size || chain->broken)
		check_found(check, "journal", item->place, 0,
			    "the journal of commit %" PRIu64 " is not whole: %" PRIu32 " of %" PRIu32
			    " parts, %" PRIu64 " of %" PRIu64 " bytes",
			    record->commit, chain->n_parts, record->n_parts, chain->journal_size,
			    record->journal_size);
}

/* The commit that vault.db shows: both must say the same. */
static void check_state(struct check *check, const struct commit_state *found)
{
	const struct commit_state *state = &check->state;
	/* After a rebuild over a damaged picture there is none, till a new one is written. */
	bool same_picture =
		state->picture_commit == found->picture_commit && place_equal(state->picture, found->picture);

	if (!place_equal(state->record, found->record) || state->checksum != found->checksum ||
	    !place_equal(state->end, found->end))
		check_found(check, "commit", found->record, 0,
			    "vault.db shows commit %" PRIu64 " with another place or checksum",
			    state->commit);
	if (state->next_id != found->next_id || state->next_chunk_id != found->next_chunk_id ||
	    state->journal_bytes != found->journal_bytes || (state->picture.pack != 0 && !same_picture))
		check_found(check, "commit", found->record, 0,
			    "vault.db and the record of commit %" PRIu64
			    " differ about counters or the newest picture",
			    state->commit);
}

static int take_commit(struct check *check, struct check_chain *chain, const struct packs_item *item,
		       const uint8_t *bytes)
{
	struct commit_record record;
	int r = 0;

	if (!bytes || item->record.codec != 0 ||
	    commit_record_decode(bytes, item->record.stored_size, &record) < 0 ||
	    record.commit != item->record.id) {
		if (bytes)
			check_found(check, "commit", item->place, 0,
				    "the commit record says impossible things");
		check_chain_break(chain, item->next);
		return 0;
	}
	check->counts->n_commits++;
	check_link(check, chain, item, &record);
	check_journal(check, chain, item, &record);
	if (record.schema_version > SCHEMA_VERSION)
		check_found(check, "commit", item->place, 0, "commit %" PRIu64 " was made by a newer vaultfs",
			    record.commit);
	commit_state_from_record(&chain->last, &record, item->place, item->checksum);
	if (record.commit == check->state.commit) {
		chain->reached = true;
		check_state(check, &chain->last);
	}
	r = need_pack(check, item->place, record.commit);
	forget_stream(chain);
	return r;
}

/* ---- all types ---- */

static int take_picture(struct check *check, const struct check_chain *chain, const struct packs_item *item)
{
	/* Of an older one nobody needs anything. */
	if (item->record.id != check->state.picture_commit || place_before(item->place, check->state.picture))
		return 0;
	return chain->last.commit != 0 ? need_pack(check, item->place, chain->last.commit + 1) : 0;
}

int check_chain_record(struct check *check, struct check_chain *chain, const struct packs_item *item,
		       const uint8_t *bytes)
{
	switch (item->record.type) {
	case RECORD_JOURNAL:
		return take_part(check, chain, item, bytes != NULL);
	case RECORD_COMMIT:
		return take_commit(check, chain, item, bytes);
	case RECORD_PICTURE:
		return take_picture(check, chain, item);
	case RECORD_INDEX:
	case RECORD_SEAL:
		if (item->record.id != item->place.pack)
			check_found(check, "index", item->place, 0,
				    "an index or seal of pack %" PRIu64 " stands here", item->record.id);
		return 0;
	default:
		return 0;
	}
}

void check_chain_end(struct check *check, const struct check_chain *chain)
{
	if (!chain->reached)
		check_found(check, "commit", check->state.record, 0,
			    "commit %" PRIu64 ", which vault.db shows, is not in the packs",
			    check->state.commit);
}
