/* chunk_read.c - bytes of stored chunks. See chunk_read.h. */
#include "chunk_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "codec.h"

struct decoding {
	struct vault *vault;
	const struct chunk *chunk;
};

/* A codec context of the thread's own. */
static pthread_key_t codec_key;
static pthread_once_t codec_once = PTHREAD_ONCE_INIT;

static void free_thread_codec(void *codec)
{
	codec_context_free(codec);
}

static void make_codec_key(void)
{
	(void)pthread_key_create(&codec_key, free_thread_codec);	/* one of 1,024; without it each decode makes its own */
}

static struct codec_context *thread_codec(void)
{
	struct codec_context *codec;

	(void)pthread_once(&codec_once, make_codec_key);	/* cannot fail */
	codec = pthread_getspecific(codec_key);
	if (!codec && codec_context_new(&codec) == 0)
		(void)pthread_setspecific(codec_key, codec);	/* failing leaks one context with the thread */
	return codec;
}

static int decode(void *context, uint8_t *raw)
{
	const struct decoding *d = context;
	const struct chunk *chunk = d->chunk;
	AUTO(free) uint8_t *stored = malloc(chunk->stored_size);
	struct codec_context *codec = thread_codec();
	int r;

	if (!stored || !codec)
		return log_err(-ENOMEM, "%s: no memory to read", d->vault->path);
	r = packs_read(d->vault->packs, chunk->place, RECORD_CHUNK, chunk->id, chunk->stored_size, 0, chunk->stored_size,
		       stored);
	if (r < 0)
		return r;
	r = codec_decode(codec, chunk->codec, stored, chunk->stored_size, raw, chunk->raw_size);
	if (r < 0)
		return log_err(r, "pack %" PRIu64 " at %" PRIu64 ": chunk %" PRIu64 " cannot be decoded", chunk->place.pack,
			       chunk->place.offset, chunk->id);
	return 0;
}

int chunk_read(struct vault *vault, const struct chunk *chunk, uint32_t from, size_t size, uint8_t *out)
{
	struct decoding decoding = { vault, chunk };
	const struct cached *cached;
	int r;

	if (chunk->codec == CODEC_RAW)
		return packs_read(vault->packs, chunk->place, RECORD_CHUNK, chunk->id, chunk->stored_size, from, size, out);
	r = cache_get(vault->cache, chunk->id, chunk->raw_size, decode, &decoding, &cached);
	if (r < 0)
		return r;
	memcpy(out, cached->raw + from, size);
	cache_put(vault->cache, cached);
	return 0;
}

int chunk_read_ahead(struct vault *vault, const struct chunk *chunk)
{
	struct decoding decoding = { vault, chunk };
	const struct cached *cached;
	int r = cache_get(vault->cache, chunk->id, chunk->raw_size, decode, &decoding, &cached);

	if (r == 0)
		cache_put(vault->cache, cached);
	return r;
}
