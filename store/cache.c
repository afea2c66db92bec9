/* cache.c - decoded chunks by id, the longest unused going first. See cache.h.
 *
 * Knows neither packs nor codecs: load() does. What is counted against the limit is what is really taken: the buffers'
 * sizes, the entries themselves, and the spare buffers. Malloc maps a large buffer anew each time, whose pages then each
 * cost a fault when first written (0.1 ms for 256 KiB), so buffers of evicted chunks are kept as spares for the next
 * ones, by size class. */
#include "cache.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "auto.h"
#include "log.h"

#define N_BUCKETS_FIRST 256
#define SPARES_MOST (8u << 20)	/* bytes of spare buffers, but never more than ... */
#define SPARES_SHARE 8		/* ... one in so many of the limit */

/* Chunks of up to so many raw bytes, or above the largest class, get a buffer of their own size, never kept as a spare. */
#define POOLED_ABOVE (32u << 10)
#define NO_CLASS (-1)

/* What a chunk is rounded up to, so that its buffer fits the next one: at least two thirds of a buffer are used. */
static const uint32_t class_sizes[] = {
	48u << 10,  64u << 10,	96u << 10,  128u << 10, 192u << 10,
	256u << 10, 384u << 10, 512u << 10, 768u << 10, 1024u << 10,
};

#define N_CLASSES ((int)(sizeof(class_sizes) / sizeof(class_sizes[0])))

enum entry_state {
	ENTRY_LOADING,	/* its bytes are the loading thread's alone; others wait for `settled` */
	ENTRY_READY,	/* its bytes never change again */
	ENTRY_FAILED,	/* no longer in the table; here only for those who waited */
};

/* Guarded by the cache's lock but for what never changes, and `bytes`, as entry_state says. */
struct entry {
	struct cached cached;		/* what the holder sees; first, so that cache_put() finds the entry */
	uint64_t id;			/* never changes */
	uint8_t *bytes;			/* ours, of `size` bytes */
	size_t size;			/* never changes; at least cached.raw_size */
	int class;			/* never changes; of `size`, or NO_CLASS */
	enum entry_state state;
	int error;			/* ENTRY_FAILED: why */
	unsigned n_holders;		/* those who wait for it count too */
	pthread_cond_t settled;		/* it is LOADING no more */
	struct entry *next;		/* in its bucket */
	struct entry *older, *newer;	/* among the unheld: READY and n_holders 0 */
};

/* A buffer nobody uses; this stands at its beginning. */
struct spare {
	struct spare *next;
};

struct chunk_cache {
	pthread_mutex_t lock;		/* a leaf; guards all below */
	struct entry **buckets;		/* of entries LOADING or READY */
	unsigned n_bucket_bits;
	size_t n_entries;		/* in the buckets */
	struct entry *oldest, *newest;	/* the unheld */
	struct spare *spares[N_CLASSES];
	size_t class_bytes[N_CLASSES];	/* in spares[] */
	size_t spare_bytes;		/* their sum */
	size_t bytes;			/* entry_cost() of all in the table, and spare_bytes */
	uint64_t n_loads;
	size_t limit;			/* never changes */
	size_t spare_limit;		/* never changes */
};

/* ---- the table ---- */

/* Ids are counted up: multiply, so that the upper bits depend on all of them. */
static size_t bucket_of(uint64_t id, unsigned n_bucket_bits)
{
	return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - n_bucket_bits));
}

/* The link that leads to entry `id`, or the end of its bucket. */
static struct entry **find_link_locked(struct chunk_cache *cache, uint64_t id)
{
	struct entry **link = &cache->buckets[bucket_of(id, cache->n_bucket_bits)];

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

/* Twice the buckets. Without memory for them it stays as it is, and is only slower. */
static void grow_locked(struct chunk_cache *cache)
{
	unsigned bits = cache->n_bucket_bits + 1;
	struct entry **buckets = calloc((size_t)1 << bits, sizeof(struct entry *));

	if (!buckets)
		return;
	for (size_t i = 0; i < (size_t)1 << cache->n_bucket_bits; i++) {
		struct entry *entry;

		while ((entry = cache->buckets[i])) {
			struct entry **bucket = &buckets[bucket_of(entry->id, bits)];

			cache->buckets[i] = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	}
	free(cache->buckets);
	cache->buckets = buckets;
	cache->n_bucket_bits = bits;
}

static void table_add_locked(struct chunk_cache *cache, struct entry *entry)
{
	struct entry **bucket;

	if (cache->n_entries >> cache->n_bucket_bits)
		grow_locked(cache);
	bucket = &cache->buckets[bucket_of(entry->id, cache->n_bucket_bits)];
	entry->next = *bucket;
	*bucket = entry;
	cache->n_entries++;
}

static void table_remove_locked(struct chunk_cache *cache, const struct entry *entry)
{
	struct entry **link = find_link_locked(cache, entry->id);

	assert(*link == entry);
	*link = entry->next;
	cache->n_entries--;
}

/* ---- the unheld, in the order in which they were given back ---- */

static void unheld_add_locked(struct chunk_cache *cache, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
	cache->newest = entry;
}

static void unheld_remove_locked(struct chunk_cache *cache, const struct entry *entry)
{
	*(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
	*(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
}

/* ---- buffers, and room for them ---- */

static int class_of(uint32_t raw_size)
{
	if (raw_size <= POOLED_ABOVE)
		return NO_CLASS;
	for (int i = 0; i < N_CLASSES; i++)
		if (raw_size <= class_sizes[i])
			return i;
	return NO_CLASS;
}

static size_t buffer_size(uint32_t raw_size, int class)
{
	if (class != NO_CLASS)
		return class_sizes[class];
	return raw_size < sizeof(struct spare) ? sizeof(struct spare) : raw_size;
}

/* What an entry takes: its buffer, itself, and its part of the table. */
static size_t entry_cost(const struct entry *entry)
{
	return entry->size + sizeof(*entry) + sizeof(struct entry *);
}

static void spare_add_locked(struct chunk_cache *cache, int class, void *buffer)
{
	struct spare *spare = buffer;

	spare->next = cache->spares[class];
	cache->spares[class] = spare;
	cache->class_bytes[class] += class_sizes[class];
	cache->spare_bytes += class_sizes[class];
	cache->bytes += class_sizes[class];
}

/* NULL: there is none of that class. */
static void *spare_take_locked(struct chunk_cache *cache, int class)
{
	struct spare *spare = class == NO_CLASS ? NULL : cache->spares[class];

	if (!spare)
		return NULL;
	cache->spares[class] = spare->next;
	cache->class_bytes[class] -= class_sizes[class];
	cache->spare_bytes -= class_sizes[class];
	cache->bytes -= class_sizes[class];
	return spare;
}

/* Buffers that left the cache and are to be freed once the lock is, as unmapping them takes a while. */
static void doom(struct spare **doomed, void *buffer)
{
	struct spare *spare = buffer;

	spare->next = *doomed;
	*doomed = spare;
}

static void free_doomed(struct spare *doomed)
{
	while (doomed) {
		struct spare *next = doomed->next;

		free(doomed);
		doomed = next;
	}
}

static bool fits_as_spare_locked(const struct chunk_cache *cache, const struct entry *entry)
{
	return entry->class != NO_CLASS && cache->spare_bytes + entry->size <= cache->spare_limit;
}

/* Take an entry's buffer from it, and both out of the count. */
static void release_buffer_locked(struct chunk_cache *cache, struct entry *entry, struct spare **doomed)
{
	cache->bytes -= entry_cost(entry);
	if (!entry->bytes)
		return;
	if (fits_as_spare_locked(cache, entry))
		spare_add_locked(cache, entry->class, TAKE(entry->bytes));
	else
		doom(doomed, TAKE(entry->bytes));
}

static void entry_free(struct entry *entry)
{
	(void)pthread_cond_destroy(&entry->settled);
	free(entry);
}

static void evict_oldest_locked(struct chunk_cache *cache, struct spare **doomed)
{
	struct entry *entry = cache->oldest;

	unheld_remove_locked(cache, entry);
	table_remove_locked(cache, entry);
	release_buffer_locked(cache, entry, doomed);
	entry_free(entry);
}

/* Of the class that has most. Some spare there is. */
static void doom_a_spare_locked(struct chunk_cache *cache, struct spare **doomed)
{
	int most = 0;

	for (int i = 1; i < N_CLASSES; i++)
		if (cache->class_bytes[i] > cache->class_bytes[most])
			most = i;
	doom(doomed, spare_take_locked(cache, most));
}

/* One step towards fewer bytes: the oldest unheld chunk goes, and its buffer becomes a spare; only where the spares are
 * full one of them is really freed. So they stay full of the sizes that go round while the cache is in use.
 * False: all that is left is held. */
static bool give_way_locked(struct chunk_cache *cache, struct spare **doomed)
{
	const struct entry *oldest = cache->oldest;

	if (oldest && (cache->spare_bytes == 0 || oldest->class == NO_CLASS || fits_as_spare_locked(cache, oldest)))
		evict_oldest_locked(cache, doomed);
	else if (cache->spare_bytes > 0)
		doom_a_spare_locked(cache, doomed);
	else
		return false;
	return true;
}

/* Would the cache be too large with `entry`, which has no buffer yet? A spare for it is counted already. */
static bool too_large_with_locked(const struct chunk_cache *cache, const struct entry *entry)
{
	bool has_spare = entry->class != NO_CLASS && cache->spares[entry->class];

	return cache->bytes + entry_cost(entry) - (has_spare ? entry->size : 0) > cache->limit;
}

/* Make room for a new entry, count it, and give it a spare buffer if there is one of its class. */
static void make_room_locked(struct chunk_cache *cache, struct entry *entry, struct spare **doomed)
{
	while (too_large_with_locked(cache, entry) && give_way_locked(cache, doomed))
		;
	entry->bytes = spare_take_locked(cache, entry->class);
	cache->bytes += entry_cost(entry);
}

/* ---- asking, waiting, loading ---- */

static struct entry *entry_new(uint64_t id, uint32_t raw_size)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	int class = class_of(raw_size);

	if (!entry) {
		(void)log_err(-ENOMEM, "chunk %" PRIu64 ": no memory to keep it", id);
		return NULL;
	}
	entry->id = id;
	entry->cached.raw_size = raw_size;
	entry->class = class;
	entry->size = buffer_size(raw_size, class);
	entry->state = ENTRY_LOADING;
	entry->n_holders = 1;
	(void)pthread_cond_init(&entry->settled, NULL);	/* fails only with attributes */
	return entry;
}

/* One holder less. */
static void unhold_locked(struct chunk_cache *cache, struct entry *entry, struct spare **doomed)
{
	if (--entry->n_holders > 0)
		return;
	if (entry->state == ENTRY_FAILED) {
		entry_free(entry);
		return;
	}
	unheld_add_locked(cache, entry);
	while (cache->bytes > cache->limit && give_way_locked(cache, doomed))
		;
}

/* Hold an entry that is in the table, and wait until it is loaded. */
static int hold_locked(struct chunk_cache *cache, struct entry *entry, uint32_t raw_size,
		       const struct cached **ret)
{
	int r;

	if (entry->cached.raw_size != raw_size)
		return log_err(-EBADMSG, "chunk %" PRIu64 ": has %" PRIu32 " bytes, not %" PRIu32, entry->id,
			       entry->cached.raw_size, raw_size);
	if (entry->state == ENTRY_READY && entry->n_holders == 0)
		unheld_remove_locked(cache, entry);
	entry->n_holders++;
	while (entry->state == ENTRY_LOADING)
		(void)pthread_cond_wait(&entry->settled, &cache->lock);
	if (entry->state == ENTRY_READY) {
		*ret = &entry->cached;
		return 0;
	}
	r = entry->error;
	unhold_locked(cache, entry, NULL);	/* it has no buffer any more */
	return r;
}

/* Fill a new entry's buffer. No lock is held: nobody else looks at it while it is LOADING. */
static int fill(struct entry *entry, int (*load)(void *context, uint8_t *raw), void *context)
{
	if (!entry->bytes)
		entry->bytes = malloc(entry->size);
	if (!entry->bytes)
		return log_err(-ENOMEM, "chunk %" PRIu64 ": no memory to decode it", entry->id);
	return load(context, entry->bytes);
}

/* The entry was loaded with result `r`; who waits for it learns it. The loading thread holds the entry if it is 0. */
static void settle_locked(struct chunk_cache *cache, struct entry *entry, int r, struct spare **doomed)
{
	if (entry->n_holders > 1)
		(void)pthread_cond_broadcast(&entry->settled);
	if (r == 0) {
		entry->cached.raw = entry->bytes;
		entry->state = ENTRY_READY;
		return;
	}
	entry->state = ENTRY_FAILED;
	entry->error = r;
	table_remove_locked(cache, entry);
	release_buffer_locked(cache, entry, doomed);
	unhold_locked(cache, entry, doomed);
}

/* Find the entry, or begin one: 1, and *ret_begun is this thread's to fill and settle. */
static int find_or_begin(struct chunk_cache *cache, uint64_t id, uint32_t raw_size, const struct cached **ret,
			 struct entry **ret_begun)
{
	struct spare *doomed = NULL;
	struct entry *entry;
	int r;

	(void)pthread_mutex_lock(&cache->lock);
	entry = *find_link_locked(cache, id);
	if (entry) {
		r = hold_locked(cache, entry, raw_size, ret);
	} else if (!(entry = entry_new(id, raw_size))) {
		r = -ENOMEM;
	} else {
		table_add_locked(cache, entry);
		make_room_locked(cache, entry, &doomed);
		cache->n_loads++;
		*ret_begun = entry;
		r = 1;
	}
	(void)pthread_mutex_unlock(&cache->lock);
	free_doomed(doomed);
	return r;
}

int cache_get(struct chunk_cache *cache, uint64_t id, uint32_t raw_size,
	      int (*load)(void *context, uint8_t *raw), void *context, const struct cached **ret)
{
	struct spare *doomed = NULL;
	struct entry *entry = NULL;
	int r = find_or_begin(cache, id, raw_size, ret, &entry);

	if (r <= 0)
		return r;
	r = fill(entry, load, context);
	(void)pthread_mutex_lock(&cache->lock);
	settle_locked(cache, entry, r, &doomed);
	(void)pthread_mutex_unlock(&cache->lock);
	free_doomed(doomed);
	if (r == 0)
		*ret = &entry->cached;
	return r;
}

void cache_put(struct chunk_cache *cache, const struct cached *cached)
{
	struct entry *entry = (struct entry *)cached;	/* its first member; we lent it out as const */
	struct spare *doomed = NULL;

	(void)pthread_mutex_lock(&cache->lock);
	assert(entry->state == ENTRY_READY && entry->n_holders > 0);
	unhold_locked(cache, entry, &doomed);
	(void)pthread_mutex_unlock(&cache->lock);
	free_doomed(doomed);
}

bool cache_has(struct chunk_cache *cache, uint64_t id)
{
	bool has;

	(void)pthread_mutex_lock(&cache->lock);
	has = *find_link_locked(cache, id) != NULL;
	(void)pthread_mutex_unlock(&cache->lock);
	return has;
}

uint64_t cache_n_loads(struct chunk_cache *cache)
{
	uint64_t n_loads;

	(void)pthread_mutex_lock(&cache->lock);
	n_loads = cache->n_loads;
	(void)pthread_mutex_unlock(&cache->lock);
	return n_loads;
}

/* ---- the cache ---- */

int cache_new(size_t limit, struct chunk_cache **ret)
{
	struct chunk_cache *cache = calloc(1, sizeof(*cache));
	struct entry **buckets = calloc(N_BUCKETS_FIRST, sizeof(struct entry *));

	if (!cache || !buckets) {
		free(buckets);
		free(cache);
		return log_err(-ENOMEM, "no memory for a cache of chunks");
	}
	(void)pthread_mutex_init(&cache->lock, NULL);	/* fails only with attributes */
	cache->buckets = buckets;
	cache->n_bucket_bits = (unsigned)__builtin_ctz(N_BUCKETS_FIRST);
	cache->limit = limit;
	cache->spare_limit = limit / SPARES_SHARE < SPARES_MOST ? limit / SPARES_SHARE : SPARES_MOST;
	*ret = cache;
	return 0;
}

void cache_free(struct chunk_cache *cache)
{
	struct spare *doomed = NULL;

	if (!cache)
		return;
	while (cache->oldest)
		evict_oldest_locked(cache, &doomed);
	while (cache->spare_bytes > 0)
		doom_a_spare_locked(cache, &doomed);
	assert(cache->n_entries == 0 && cache->bytes == 0);	/* else something is still held */
	free_doomed(doomed);
	(void)pthread_mutex_destroy(&cache->lock);
	free(cache->buckets);
	free(cache);
}
