/* queue.h - inode ids that wait to be looked at: first in, first out, each at most once, bounded.
 *
 * No locks: the owner has one. */
#ifndef VAULTFS_INDEXER_QUEUE_H
#define VAULTFS_INDEXER_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct id_queue {
	struct id_queue_item {
		uint64_t id;
		int64_t since_ns; /* when it was put */
	} * items;                /* a ring */
	uint32_t *table;          /* open addressing: 1 + place in the ring; 0 = empty */
	uint32_t capacity;        /* a power of two; the table has twice as many places */
	uint32_t first, count;
	uint64_t n_dropped; /* ids that fell out because the queue was full */
};

/* `capacity`: a power of two, 2 to 2^24. Memory is touched only as it fills.  -ENOMEM (not logged). */
int id_queue_init(struct id_queue *queue, uint32_t capacity);

/* Also for one that was only zeroed. */
void id_queue_release(struct id_queue *queue);

/* Put `id` at the end, unless it is queued: then it keeps its place. A full queue drops its oldest and counts it. */
void id_queue_put(struct id_queue *queue, uint64_t id, int64_t now_ns);

/* Take up to `n` of the oldest. Returns how many. */
size_t id_queue_take(struct id_queue *queue, uint64_t *ret_ids, size_t n);

#endif
