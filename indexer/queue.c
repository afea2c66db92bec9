/* queue.c - a ring of ids with a hash table beside it that says where each stands. See queue.h.
 *
 * The table keeps ring places, not ids, in 32 bits. Removal moves later members of a probe run back, so there are no
 * tombstones and a table that was full once is as fast as a new one. */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t table_mask(const struct id_queue *queue)
{
	return queue->capacity * 2 - 1;
}

/* Ids are counters, so their low bits alone would do; the multiplication keeps strides of them apart. */
static uint32_t home_of(const struct id_queue *queue, uint64_t id)
{
	return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & table_mask(queue);
}

/* The table place that names `id`, or the empty one where it belongs. */
static uint32_t place_of(const struct id_queue *queue, uint64_t id)
{
	uint32_t place = home_of(queue, id);

	while (queue->table[place] && queue->items[queue->table[place] - 1].id != id)
		place = (place + 1) & table_mask(queue);
	return place;
}

static void table_remove(struct id_queue *queue, uint64_t id)
{
	const uint32_t mask = table_mask(queue);
	uint32_t hole = place_of(queue, id);
	uint32_t next = hole;

	for (;;) {
		uint32_t home;

		next = (next + 1) & mask;
		if (!queue->table[next])
			break;
		home = home_of(queue, queue->items[queue->table[next] - 1].id);
		/* It may move back to the hole only if its run began at or before the hole. */
		if (((next - home) & mask) >= ((next - hole) & mask)) {
			queue->table[hole] = queue->table[next];
			hole = next;
		}
	}
	queue->table[hole] = 0;
}

int id_queue_init(struct id_queue *queue, uint32_t capacity)
{
	memset(queue, 0, sizeof(*queue));
	queue->capacity = capacity;
	queue->items = calloc(capacity, sizeof(*queue->items));
	queue->table = calloc((size_t)capacity * 2, sizeof(*queue->table));
	if (!queue->items || !queue->table) {
		id_queue_release(queue);
		return -ENOMEM;
	}
	return 0;
}

void id_queue_release(struct id_queue *queue)
{
	free(queue->items);
	free(queue->table);
	memset(queue, 0, sizeof(*queue));
}

size_t id_queue_take(struct id_queue *queue, uint64_t *ret_ids, size_t n)
{
	size_t taken = 0;

	while (taken < n && queue->count > 0) {
		const uint64_t id = queue->items[queue->first].id;

		table_remove(queue, id);
		queue->first = (queue->first + 1) & (queue->capacity - 1);
		queue->count--;
		ret_ids[taken++] = id;
	}
	return taken;
}

void id_queue_put(struct id_queue *queue, uint64_t id, int64_t now_ns)
{
	uint64_t oldest;
	uint32_t slot;

	if (queue->table[place_of(queue, id)])
		return;
	if (queue->count == queue->capacity)
		queue->n_dropped += id_queue_take(queue, &oldest, 1);
	slot = (queue->first + queue->count) & (queue->capacity - 1);
	queue->items[slot] = (struct id_queue_item){ .id = id, .since_ns = now_ns };
	queue->table[place_of(queue, id)] = slot + 1;
	queue->count++;
}
