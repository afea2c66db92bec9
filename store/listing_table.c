/* listing_table.c - the listings that a vault keeps, and what they take together. See listing.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "listing.h"
#include "query.h"

#define UNUSED_MAX 64u /* listings that are kept although nobody holds one */

struct listings {
	pthread_mutex_t lock; /* a leaf but for locks of listings that are tried; guards what follows */
	struct vault_listing *newest, *oldest;
	unsigned n_unused;
	_Atomic size_t used; /* not guarded */
};

int listings_new(struct listings **ret)
{
	struct listings *listings = calloc(1, sizeof(*listings));

	if (!listings)
		return log_err(-ENOMEM, "no memory for lists of files");
	(void)pthread_mutex_init(&listings->lock, NULL); /* fails only with attributes */
	*ret = listings;
	return 0;
}

_Atomic size_t *listings_used(struct vault *vault)
{
	return &vault->listings->used;
}

/* ---- the order of use ---- */

static void take_out(struct listings *all, struct vault_listing *listing)
{
	*(listing->newer ? &listing->newer->older : &all->newest) = listing->older;
	*(listing->older ? &listing->older->newer : &all->oldest) = listing->newer;
	listing->newer = listing->older = NULL;
}

static void put_first(struct listings *all, struct vault_listing *listing)
{
	listing->older = all->newest;
	*(all->newest ? &all->newest->newer : &all->oldest) = listing;
	all->newest = listing;
}

void listing_touch(struct vault_listing *listing)
{
	struct listings *all = listing->vault->listings;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&all->lock);

	take_out(all, listing);
	put_first(all, listing);
	(void)held;
}

bool listing_make_room(struct vault_listing *listing, size_t bytes)
{
	struct listings *all = listing->vault->listings;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&all->lock);

	for (struct vault_listing *other = all->oldest; other; other = other->newer) {
		if (all->used + bytes <= VAULT_LISTINGS_MAX)
			break;
		if (other == listing || pthread_mutex_trylock(&other->lock) != 0)
			continue;
		listing_drop(other);
		(void)pthread_mutex_unlock(&other->lock);
	}
	(void)held;
	return all->used + bytes <= VAULT_LISTINGS_MAX;
}

/* ---- making and giving back ---- */

static void listing_free(struct vault_listing *listing)
{
	if (!listing)
		return;
	listing_drop(listing);
	(void)pthread_cond_destroy(&listing->idle);
	(void)pthread_mutex_destroy(&listing->lock);
	vault_query_free(listing->query);
	free(listing->text);
	free(listing);
}

static struct vault_listing *find_locked(struct listings *all, const char *text)
{
	struct vault_listing *listing = all->newest;

	while (listing && strcmp(listing->text, text) != 0)
		listing = listing->older;
	return listing;
}

/* Takes over the text and the query, if it succeeds. */
static struct vault_listing *listing_new(struct vault *vault, char *text, struct vault_query *query,
					 uint64_t similar_to)
{
	struct vault_listing *listing = calloc(1, sizeof(*listing));

	if (!listing) {
		(void)log_err(-ENOMEM, "no memory for a list of files");
		return NULL;
	}
	listing->vault = vault;
	listing->text = text;
	listing->query = query;
	listing->similar_to = similar_to;
	(void)pthread_mutex_init(&listing->lock, NULL); /* fails only with attributes */
	(void)pthread_cond_init(&listing->idle, NULL);  /* the same */
	listing_set_init(&listing->set, listings_used(vault));
	return listing;
}

/* The one of that text that is kept, or a new one. Takes over text and query in any case; both may be NULL for want of
 * memory, which was logged. */
static int listing_get(struct vault *vault, char *given_text, struct vault_query *given_query,
		       uint64_t similar_to, struct vault_listing **ret)
{
	struct listings *all = vault->listings;
	AUTO(free) char *text = given_text;
	AUTO(vault_query) struct vault_query *query = given_query;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&all->lock);
	struct vault_listing *listing;

	if (!text || (!query && similar_to == 0))
		return -ENOMEM;
	listing = find_locked(all, text);
	if (listing) {
		all->n_unused -= listing->n_refs == 0;
		take_out(all, listing);
	} else {
		listing = listing_new(vault, text, query, similar_to);
		if (!listing)
			return -ENOMEM;
		text = NULL;
		query = NULL;
	}
	put_first(all, listing);
	listing->n_refs++;
	*ret = listing;
	return 0;
}

int vault_listing_new(struct vault *vault, const struct vault_query *query, struct vault_listing **ret)
{
	char *text = vault_query_print(query);
	struct vault_query *copy = NULL;
	struct vault_query_error error;

	/* The printed form parses again: what it fails with is want of memory, and logged. */
	if (text && vault_query_parse(text, &copy, &error) < 0)
		copy = NULL;
	return listing_get(vault, text, copy, 0, ret);
}

int vault_listing_new_similar(struct vault *vault, uint64_t id, struct vault_listing **ret)
{
	char *text = NULL;

	if (id == 0)
		return -ENOENT;
	/* No query is printed like this. */
	if (asprintf(&text, "similar/%" PRIu64, id) < 0)
		return log_err(-ENOMEM, "no memory for a list of files");
	return listing_get(vault, text, NULL, id, ret);
}

struct vault_listing *vault_listing_ref(struct vault_listing *listing)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&listing->vault->listings->lock);

	listing->n_refs++;
	(void)held;
	return listing;
}

/* Nobody holds it any more: it is kept; the one that was not used for longest of too many comes back, to be freed. */
static struct vault_listing *retire_locked(struct listings *all)
{
	struct vault_listing *oldest = all->oldest;

	if (++all->n_unused <= UNUSED_MAX)
		return NULL;
	while (oldest && oldest->n_refs > 0)
		oldest = oldest->newer;
	if (oldest) {
		take_out(all, oldest);
		all->n_unused--;
	}
	return oldest;
}

void vault_listing_unref(struct vault_listing *listing)
{
	struct vault_listing *going = NULL;
	struct listings *all;

	if (!listing)
		return;
	all = listing->vault->listings;
	(void)pthread_mutex_lock(&all->lock);
	if (--listing->n_refs == 0)
		going = retire_locked(all);
	(void)pthread_mutex_unlock(&all->lock);
	listing_free(going);
}

void listings_free(struct listings *listings)
{
	if (!listings)
		return;
	while (listings->newest) {
		struct vault_listing *listing = listings->newest;

		take_out(listings, listing);
		listing_free(listing);
	}
	(void)pthread_mutex_destroy(&listings->lock);
	free(listings);
}
