/* candidates.c - inodes that were written, and so may be worth cutting anew. See rechunk.c.
 *
 * A fixed table beside the live ones: an inode that falls out of it costs only extents. */
#include <errno.h>

#include "live_internal.h"

/* ---- the table's lock is held ---- */

static struct candidate *set_of(struct live_table *table, uint64_t id)
{
	return table->candidates[(id * 0x9e3779b97f4a7c15u) >> 32 & (CANDIDATES_SETS - 1)];
}

static struct candidate *candidate_of(struct live_table *table, uint64_t id)
{
	struct candidate *set = set_of(table, id);

	for (unsigned i = 0; i < CANDIDATES_WAYS; i++)
		if (set[i].id == id)
			return &set[i];
	return NULL;
}

/* A free one, or else that which was written the longest ago: it is forgotten, which costs only extents. */
static struct candidate *make_free(struct live_table *table, uint64_t id)
{
	struct candidate *set = set_of(table, id);
	struct candidate *oldest = &set[0];

	for (unsigned i = 0; i < CANDIDATES_WAYS; i++) {
		if (set[i].id == 0) {
			table->n_candidates++;
			return &set[i];
		}
		if (set[i].written_ns < oldest->written_ns)
			oldest = &set[i];
	}
	return oldest;
}

void candidate_note_locked(struct live_table *table, uint64_t id)
{
	struct candidate *candidate = candidate_of(table, id);

	if (!candidate)
		candidate = make_free(table, id);
	*candidate = (struct candidate){ .id = id, .written_ns = clock_monotonic_ns() };
}

/* ---- it is taken ---- */

bool candidate_find(struct live_table *table, struct candidate *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&table->lock);
	const struct candidate *oldest = NULL;

	if (table->n_candidates == 0)
		return false;
	for (unsigned i = 0; i < CANDIDATES_SETS * CANDIDATES_WAYS; i++) {
		const struct candidate *candidate =
			&table->candidates[i / CANDIDATES_WAYS][i % CANDIDATES_WAYS];

		if (candidate->id && (!oldest || candidate->written_ns < oldest->written_ns))
			oldest = candidate;
	}
	if (!oldest || oldest->written_ns > clock_monotonic_ns() - table->rechunk_idle_ns)
		return false;
	*ret = *oldest;
	return true;
}

void candidate_looked_at(struct live_table *table, const struct candidate *candidate,
				uint64_t position, int r)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&table->lock);
	struct candidate *now = candidate_of(table, candidate->id);

	if (!now || now->written_ns != candidate->written_ns || now->position != candidate->position)
		return;
	if (r > 0) {
		now->position = position;
	} else if (r == -EAGAIN || r == -ENOSPC || r == -EDQUOT) {
		now->position = 0;
		now->written_ns = clock_monotonic_ns();
	} else {
		now->id = 0;
		table->n_candidates--;
	}
}
