/* listing.c - what a query finds, kept up to date. See listing.h and library.h.
 *
 * A set that was made once is changed for the inodes that vault_changes_since() tells of: each is asked about on the vault's
 * own connection, which sees what is not committed yet. Where too much changed, or what one inode's row does not say (words,
 * what files share), it is made anew by a reader. The generation is taken before anything is asked: what changes meanwhile is
 * asked for again the next time, which does no harm. */
#include "listing.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "changes.h"
#include "entries.h"
#include "find.h"
#include "readers.h"
#include "similar.h"

#define IDS_MAX 2048u     /* changes; more, and it is cheaper to list anew */
#define IDS_SOON 64u      /* by whoever must not wait */
#define SLICE 64u         /* asked with the metadata lock held */
#define CHECK_EVERY 4096u /* files between looks at the memory that all listings take */

void listing_drop(struct vault_listing *listing)
{
	listing_set_release(&listing->set);
	vault_snapshot_unref(TAKE(listing->snapshot));
	listing->filled = false;
}

static int too_large(const struct vault_listing *listing, uint32_t n)
{
	return log_err(-EOVERFLOW,
		       "%s: %s: more than the %" PRIu32
		       " files that can be listed at once: narrow the search, e.g. by a tag or a date",
		       listing->vault->path, *listing->text ? listing->text : "all files", n);
}

/* ---- anew ---- */

/* May `set` grow on? Where all together take too much, others' go, then what the listing itself showed so far. */
static bool has_room(struct vault_listing *listing)
{
	if (listing_make_room(listing, 0))
		return true;
	(void)pthread_mutex_lock(&listing->lock);
	listing_drop(listing);
	(void)pthread_mutex_unlock(&listing->lock);
	return listing_make_room(listing, 0);
}

/* A name that no entry can have is logged and passed over: it must not hide others. */
static bool match_is_possible(const struct vault_listing *listing, const struct find_match *match)
{
	if (strlen(match->name) == match->name_size && entry_name_check(match->name) == 0)
		return true;
	(void)log_err(-EBADMSG, "%s: inode %" PRIu64 " has an impossible name in directory %" PRIu64,
		      listing->vault->path, match->id, match->directory_id);
	return false;
}

static int fill_by_query(struct vault_listing *listing, struct reader *reader, struct listing_set *ret)
{
	AUTO(find) struct find *find = NULL;
	const struct query_context context = reader_context(reader);
	struct find_match match;
	int r = find_open(&context, listing->query, NULL, &find);

	while (r >= 0 && (r = find_next(find, INT64_MAX, &match)) == 1) {
		if (match_is_possible(listing, &match))
			r = listing_set_put(ret, match.id, match.name);
		if (r >= 0 && ret->n % CHECK_EVERY == 0 && !has_room(listing))
			r = -EOVERFLOW;
	}
	return r == -EOVERFLOW ? too_large(listing, ret->n) : r;
}

struct filling {
	struct vault_listing *listing;
	struct listing_set *set;
};

static int put_similar(void *context, const struct find_match *match, uint64_t shared_bytes)
{
	struct filling *filling = context;
	int r = match_is_possible(filling->listing, match)
			? listing_set_put(filling->set, match->id, match->name)
			: 0;

	(void)shared_bytes;
	return r < 0 ? r : 0;
}

static int fill(struct vault_listing *listing, struct listing_set *ret)
{
	AUTO(reader) struct reader *reader = NULL;
	struct filling filling = { listing, ret };
	int r = reader_get_for(listing->vault, listing->query, &reader);

	if (r < 0)
		return r;
	return listing->query ? fill_by_query(listing, reader, ret)
			      : similar_each(reader, listing->similar_to, put_similar, &filling);
}

/* Take over what was found, or that it was too much. The lock is held. */
static void replace(struct vault_listing *listing, struct listing_set *set, uint64_t generation, int error)
{
	listing_drop(listing);
	listing->set = *set;
	listing->generation = generation;
	listing->filled = error == 0;
	listing->error = error == -EOVERFLOW ? error : 0;
	if (error == 0)
		(void)listing_make_room(listing, 0); /* one alone is never too much */
	else
		listing_drop(listing);
}

static int list_anew(struct vault_listing *listing)
{
	const uint64_t now = vault_generation(listing->vault);
	const int64_t until =
		listing->query ? vault_query_valid_until(listing->query, clock_now_ns()) : INT64_MAX;
	/* What cannot be committed was said. What was there before is listed then, and the next time again. */
	const uint64_t generation = readers_catch_up(listing->vault) < 0 ? 0 : now;
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct listing_set set;
	int r;

	listing_set_init(&set, listings_used(listing->vault));
	r = fill(listing, &set);
	if (r >= 0)
		listing_set_trim(&set);
	held = lock_mutex(&listing->lock);
	listing->valid_until_ns = until;
	replace(listing, &set, generation, r < 0 ? r : 0);
	return r < 0 ? r : 0;
}

/* ---- what changed ---- */

/* Ask for `n` inodes.  -EAGAIN they cannot be asked for one by one. */
static int ask_slice(struct vault_listing *listing, const uint64_t *ids, size_t n)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&listing->lock);
	AUTO(unlock) pthread_mutex_t *held_metadata = lock_mutex(&listing->vault->db.lock);
	AUTO(find) struct find *test = NULL;
	const struct query_context context = { .vault = listing->vault, .db = &listing->vault->db };
	bool changed = false;
	int r = find_open_test(&context, listing->query, &test);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct find_match match;

		r = find_test(test, ids[i], &match);
		if (r == 1 && match_is_possible(listing, &match))
			r = listing_set_put(&listing->set, ids[i], match.name);
		else if (r >= 0)
			r = listing_set_remove(&listing->set, ids[i]);
		changed = changed || r != 0;
	}
	if (changed)
		vault_snapshot_unref(TAKE(listing->snapshot));
	return r == -EOVERFLOW ? too_large(listing, listing->set.n) : r < 0 ? r : 0;
}

static int compare_ids(const void *a, const void *b)
{
	const uint64_t *one = a, *two = b;

	return *one < *two ? -1 : *one > *two;
}

static size_t sort_unique(uint64_t *ids, size_t n)
{
	size_t n_unique = 0;

	qsort(ids, n, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < n; i++)
		if (n_unique == 0 || ids[n_unique - 1] != ids[i])
			ids[n_unique++] = ids[i];
	return n_unique;
}

static int ask(struct vault_listing *listing, uint64_t *ids, size_t n_given, uint64_t generation)
{
	const size_t n = sort_unique(ids, n_given);
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i += SLICE)
		r = ask_slice(listing, ids + i, n - i < SLICE ? n - i : SLICE);
	held = lock_mutex(&listing->lock);
	if (r == 0)
		listing->generation = generation;
	else if (r == -EAGAIN)
		listing->untestable = true;
	else
		listing_drop(listing);
	if (r == 0)
		(void)listing_make_room(listing, 0); /* as above */
	return r;
}

/* ---- up to date ---- */

/* Whose inodes to ask for: up to `n`, into `ids`, and the generation after them.
 *   Returns  how many, 0 nothing changed; -EAGAIN list anew. The lock is held. */
static int what_changed(struct vault_listing *listing, uint64_t *ids, size_t n, uint64_t *ret_generation)
{
	int n_ids;

	*ret_generation = listing->generation;
	if (!listing->filled || clock_now_ns() >= listing->valid_until_ns)
		return -EAGAIN;
	if (vault_generation(listing->vault) == listing->generation)
		return 0;
	n_ids = listing->query && !listing->untestable
			? vault_changes_since(listing->vault, ret_generation, ids, n)
			: -EAGAIN;
	return n_ids == -EOVERFLOW ? -EAGAIN : n_ids;
}

static int begin(struct vault_listing *listing, bool soon, uint64_t *ids, uint64_t *ret_generation)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&listing->lock);
	int r;

	while (listing->busy && !soon)
		(void)pthread_cond_wait(&listing->idle, &listing->lock);
	if (listing->busy)
		return -EAGAIN;
	if (listing->error != 0 && vault_generation(listing->vault) == listing->generation)
		return listing->error;
	r = what_changed(listing, ids, soon ? IDS_SOON : IDS_MAX, ret_generation);
	listing->busy = r > 0 || (r == -EAGAIN && !soon);
	(void)held;
	return r;
}

static void end(struct vault_listing *listing)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&listing->lock);

	listing->busy = false;
	(void)pthread_cond_broadcast(&listing->idle);
	(void)held;
}

int vault_listing_refresh_soon(struct vault_listing *listing)
{
	uint64_t ids[IDS_SOON], generation = 0;
	int r = begin(listing, true, ids, &generation);

	listing_touch(listing);
	if (r <= 0)
		return r;
	r = ask(listing, ids, (size_t)r, generation);
	end(listing);
	return r;
}

int vault_listing_refresh(struct vault_listing *listing)
{
	AUTO(free) uint64_t *ids = calloc(IDS_MAX, sizeof(*ids));
	uint64_t generation = 0;
	int r;

	if (!ids)
		return log_err(-ENOMEM, "no memory for a list of files");
	listing_touch(listing);
	r = begin(listing, false, ids, &generation);
	if (r == 0 || (r < 0 && r != -EAGAIN))
		return r;
	if (r > 0)
		r = ask(listing, ids, (size_t)r, generation);
	if (r == -EAGAIN)
		r = list_anew(listing);
	end(listing);
	return r == -EAGAIN ? -EIO : r; /* something that it needs is not there: that was said */
}

/* ---- looking ---- */

int vault_listing_find(struct vault_listing *listing, const char *name, uint64_t *ret_id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&listing->lock);

	(void)held;
	return listing->filled ? listing_set_find(&listing->set, name, ret_id) : -EAGAIN;
}

int vault_listing_name(struct vault_listing *listing, uint64_t id, char ret_name[VAULT_NAME_MAX + 1])
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&listing->lock);

	(void)held;
	return listing->filled ? listing_set_name(&listing->set, id, ret_name) : -EAGAIN;
}

int vault_listing_snapshot(struct vault_listing *listing, struct vault_snapshot **ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&listing->lock);
	int r = listing->filled ? 0 : -EAGAIN;

	if (r == 0 && !listing->snapshot &&
	    !listing_make_room(listing, listing_set_snapshot_bytes(&listing->set)))
		r = log_err(
			-EOVERFLOW,
			"%s: %s: too much is being listed at once: try again when other listings have ended",
			listing->vault->path, listing->text);
	if (r == 0 && !listing->snapshot)
		r = listing_set_snapshot(&listing->set, !listing->query, &listing->snapshot);
	if (r == 0)
		*ret = vault_snapshot_ref(listing->snapshot);
	(void)held;
	return r;
}
