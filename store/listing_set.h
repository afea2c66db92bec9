/* listing_set.h - files and the names they are shown under: what a listing holds in memory, and snapshots of it.
 *
 * Knows no database and no lock: who shares a set guards it. Snapshots may be used from any thread. What is shown is worked
 * out from the members when it is asked for, so that it cannot depend on the order in which they came. */
#ifndef VAULTFS_LISTING_SET_H
#define VAULTFS_LISTING_SET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "library.h"

struct listing_item {
	uint64_t id;   /* 0: free */
	uint32_t name; /* its offset in the text */
	uint32_t next; /* of the same name, or free: its place + 1 */
};

struct listing_set {
	_Atomic size_t *used;       /* bytes of all sets and snapshots, counted together; borrowed */
	struct listing_item *items; /* in the order in which they came, as long as none is removed */
	uint32_t n_places, room;    /* of items: taken or free; allocated */
	uint32_t first_free;        /* its place + 1 */
	uint32_t n;                 /* files */
	uint32_t *by_id;            /* place + 1, by hash of the id; 0: empty */
	uint32_t *by_name;          /* the same of the lowest id of each name */
	uint32_t n_buckets;         /* of both, a power of two, or 0 */
	struct listing_text *text;  /* shared with snapshots */
	size_t live_text;           /* bytes of it that are names of items */
};

/* `used` must outlive the set and its snapshots. */
void listing_set_init(struct listing_set *set, _Atomic size_t *used);

/* Forget all items. The set can be filled again. */
void listing_set_release(struct listing_set *set);

/* Bytes that it takes, with a snapshot; and that a snapshot takes. */
size_t listing_set_bytes(const struct listing_set *set);
size_t listing_set_snapshot_bytes(const struct listing_set *set);

/* File `id` is a member, by that name: new, or renamed.
 *   Returns  1 something changed, 0 it was so already; -ENOMEM (logged); -EOVERFLOW the set would take more than
 *            VAULT_LISTINGS_MAX (not logged). */
int listing_set_put(struct listing_set *set, uint64_t id, const char *name);

/* It is none.  1, or 0 it was none before. */
int listing_set_remove(struct listing_set *set, uint64_t id);

/* Give back room that was taken in advance, when much was put. */
void listing_set_trim(struct listing_set *set);

/* As vault_listing_find(), vault_listing_name(). */
int listing_set_find(const struct listing_set *set, const char *name, uint64_t *ret_id);
int listing_set_name(const struct listing_set *set, uint64_t id, char ret_name[VAULT_NAME_MAX + 1]);

bool listing_set_has(const struct listing_set *set, uint64_t id);

/* As vault_listing_snapshot(): by name, or with `ranked` in the order in which they came.  -ENOMEM (logged). */
int listing_set_snapshot(const struct listing_set *set, bool ranked, struct vault_snapshot **ret);

#endif
