/* watch.c - was half of it read? See watch.h. */
#include "watch.h"

#include "library.h"

#define NOT_WATCHED UINT64_MAX	/* it is neither a video nor sound */

/* Two threads that ask at once get the same answer. */
static uint64_t size_of(struct watch *watch, struct vault *vault, uint64_t id)
{
	uint64_t size = atomic_load_explicit(&watch->size, memory_order_relaxed);

	if (size == 0) {
		size = vault_watchable_size(vault, id);
		if (size < WATCH_SIZE_MIN)
			size = NOT_WATCHED;
		atomic_store_explicit(&watch->size, size, memory_order_relaxed);
	}
	return size;
}

static bool point_is_new(struct watch *watch, uint64_t point)
{
	uint64_t bit = UINT64_C(1) << point % 64;

	return !(atomic_fetch_or_explicit(&watch->points[point / 64], bit, memory_order_relaxed) & bit);
}

bool watch_read(struct watch *watch, struct vault *vault, uint64_t id, uint64_t offset, size_t n)
{
	uint64_t size, distance, first;

	/* All of a small file, as a rule, which is then not asked what it is; of a large one hardly a point. */
	if (offset == 0 && n < WATCH_SIZE_MIN)
		return false;
	size = size_of(watch, vault, id);
	if (size == NOT_WATCHED || offset >= size)
		return false;
	/* Point i stands in the middle of its stretch, at i * distance + distance / 2. */
	distance = size / WATCH_POINTS;
	first = offset > distance / 2 ? (offset - distance / 2 + distance - 1) / distance : 0;
	for (uint64_t i = first; i < WATCH_POINTS && i * distance + distance / 2 - offset < n; i++)
		if (point_is_new(watch, i) &&
		    atomic_fetch_add_explicit(&watch->n_points, 1, memory_order_relaxed) + 1 == WATCH_POINTS / 2)
			return true;
	return false;
}
