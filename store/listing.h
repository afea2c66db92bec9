/* listing.h - the listings of a vault: who keeps up with changes, and what they take of memory together.
 *
 * A listing is brought up to date by one thread at a time, which asks without holding its lock: others look at what was
 * there before. Order of locks: a listing's, then the table's or the metadata lock; a second listing's is only tried. */
#ifndef VAULTFS_LISTING_H
#define VAULTFS_LISTING_H

#include "listing_set.h"
#include "vault_internal.h"

struct listings;

int listings_new(struct listings **ret); /* -ENOMEM, logged */

/* All listings and snapshots were given back; vault_aside() has ended. NULL is fine. */
void listings_free(struct listings *listings);

/* ---- between listing.c and listing_table.c ---- */

struct vault_listing {
	/* never change */
	struct vault *vault;
	struct vault_query *query; /* NULL: the files like `similar_to` */
	uint64_t similar_to;
	char *text; /* tells it from others: the query in its one spelling */

	/* guarded by the table's lock */
	struct vault_listing *newer, *older; /* in the order of use */
	unsigned n_refs;

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t idle;
	bool busy; /* somebody brings it up to date */
	bool filled;
	bool untestable; /* its files cannot be asked one by one */
	struct listing_set set;
	struct vault_snapshot *snapshot; /* of the set, if one was made since it changed */
	uint64_t generation;             /* of the library that the set shows, or that `error` came of */
	int64_t valid_until_ns;          /* when the same query may mean others */
	int error;                       /* -EOVERFLOW: it was too large */
};

/* Forget what is listed. Its lock is held. */
void listing_drop(struct vault_listing *listing);

/* The bytes that all listings of the vault take. */
_Atomic size_t *listings_used(struct vault *vault);

/* It was used just now. */
void listing_touch(struct vault_listing *listing);

/* See that no more than VAULT_LISTINGS_MAX less `bytes` is taken, by dropping what others list that were not used for
 * longest. False: that is not enough. Its lock may be held. */
bool listing_make_room(struct vault_listing *listing, size_t bytes);

#endif
