/* digest.h - what names bytes (SHA-256) and what guards them (XXH3).
 *
 * The SHA-256 of a chunk's raw bytes is its content id: equal ids are taken for equal bytes. XXH3-64 finds damage in
 * stored bytes quickly; it is no defence against forgery and is never used as a name. */
#ifndef VAULTFS_DIGEST_H
#define VAULTFS_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* A SHA-256, in the order of FIPS 180-4: bytes[0] is the first of the hexadecimal form. */
struct digest {
	uint8_t bytes[32];
};

/* Look up the SHA-256 implementation; done once per process, and by itself on first use. Calling it early makes a
 * broken libcrypto known at start.
 *   Errors   -ENOTSUP libcrypto offers no SHA-256; -ENOMEM; both logged, and tried again by the next call.
 *   Threads  any. */
int digest_init(void);

/* The SHA-256 of `size` bytes; `data` may be NULL when size is 0.
 *   Errors   as digest_init(); -ENOMEM (logged); -EIO libcrypto failed (logged). `*ret` is untouched on failure.
 *   Threads  any; each keeps one context, freed when the thread ends. */
int digest_sha256(const void *data, size_t size, struct digest *ret);

/* The same over bytes that come in pieces. A stream is used by one thread at a time. */
struct digest_stream;

/* *ret is released with digest_stream_free(). Errors as digest_sha256(). */
int digest_stream_new(struct digest_stream **ret);

/* Append `size` bytes.  -EIO (logged). */
int digest_stream_update(struct digest_stream *stream, const void *data, size_t size);

/* The SHA-256 of all that was appended; the stream then starts anew with no bytes, also after a failure.
 *   Errors  -EIO, -ENOMEM (logged). */
int digest_stream_final(struct digest_stream *stream, struct digest *ret);

/* NULL is fine. */
void digest_stream_free(struct digest_stream *stream);

static inline void auto_digest_stream(struct digest_stream **stream)
{
	digest_stream_free(*stream);
}

/* XXH3-64 with seed 0, as a number (stored little-endian). `data` may be NULL when size is 0. Threads: any. */
uint64_t checksum_xxh3(const void *data, size_t size);

/* The same with a seed. */
uint64_t checksum_xxh3_seeded(const void *data, size_t size, uint64_t seed);

/* Every so many stored bytes of a record have an XXH3-64 of their own; the last block may be shorter. */
#define CHECKSUM_BLOCK 65536u

/* How many block sums a record of `stored_size` bytes has; 0 for none. */
static inline uint32_t checksum_n_blocks(uint32_t stored_size)
{
	return stored_size / CHECKSUM_BLOCK + (stored_size % CHECKSUM_BLOCK != 0);
}

#endif
