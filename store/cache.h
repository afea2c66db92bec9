/* cache.h - decoded chunks kept for readers, bounded, each decoded once however many ask at the same time. */
#ifndef VAULTFS_CACHE_H
#define VAULTFS_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunk_cache;

/* A decoded chunk, held: it stays as it is until cache_put(). */
struct cached {
	const uint8_t *raw;
	uint32_t raw_size;
};

/* Keep chunks, in up to `limit` bytes of memory. What is held or being decoded counts too, but is never refused: then the
 * cache has more than `limit` by no more than that, and keeps nothing else.  -ENOMEM (logged). */
int cache_new(size_t limit, struct chunk_cache **ret);
void cache_free(struct chunk_cache *cache);	/* nothing is held any more; NULL is fine */

/* The decoded chunk `id`. If it is not there, `load(context, raw)` decodes its raw_size bytes, on this thread with no lock
 * held, while others who ask for it wait for that one decoding.
 *   *ret     give it back with cache_put(). Untouched on failure.
 *   Errors   what load() returned, 0 or a negative errno (each waiter gets it too; the next one who asks tries again);
 *            -EBADMSG it is there with another raw_size (logged); -ENOMEM (logged).
 *   Threads  any; the lock of the cache is a leaf. load() must not ask for the same chunk. */
int cache_get(struct chunk_cache *cache, uint64_t id, uint32_t raw_size, int (*load)(void *context, uint8_t *raw),
	      void *context, const struct cached **ret);
void cache_put(struct chunk_cache *cache, const struct cached *cached);

/* Is it there, or being decoded? For read-ahead. */
bool cache_has(struct chunk_cache *cache, uint64_t id);

/* How often a decoding was begun. */
uint64_t cache_n_loads(struct chunk_cache *cache);

#endif
