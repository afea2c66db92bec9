/* codec.h - raw bytes of a chunk to stored bytes and back.
 *
 * Two codecs: the bytes as they are, and the zlib format (RFC 1950), which any zlib reads. Which library does the work
 * is a matter of the build, never of what is stored. */
#ifndef VAULTFS_CODEC_H
#define VAULTFS_CODEC_H

#include <stdint.h>

/* The values are stored in record headers and in the database. */
enum codec {
	CODEC_RAW = 0,
	CODEC_ZLIB = 1,
};

/* The most bytes that `raw` bytes are ever stored as. */
#define CODEC_STORED_MAX(raw) (raw)

/* Compressor and decompressor states and their scratch memory, about 0.3 MiB. One per thread; not locked. */
struct codec_context;

/* *ret is released with codec_context_free(). -ENOMEM (logged). */
int codec_context_new(struct codec_context **ret);

/* NULL is fine. */
void codec_context_free(struct codec_context *context);

static inline void auto_codec_context(struct codec_context **context)
{
	codec_context_free(*context);
}

/* Compress where that pays: where the input does not look incompressible, and the result is at least 1/32 smaller.
 *   *ret_codec  CODEC_ZLIB: `out` holds *ret_stored_size bytes, fewer than raw_size.
 *               CODEC_RAW: store the raw bytes; *ret_stored_size is raw_size, and what `out` holds is undefined.
 *   out         room for CODEC_STORED_MAX(raw_size) bytes, not overlapping `raw`.
 *   Errors      -EINVAL raw_size is 0. Not being able to compress is not an error: the bytes are then stored raw. */
int codec_encode(struct codec_context *context, const void *raw, uint32_t raw_size, void *out,
		 enum codec *ret_codec, uint32_t *ret_stored_size);

/* Decode `stored_size` stored bytes into exactly raw_size bytes; all of `stored` must be used up by that, and the zlib
 * checksum must hold. Never writes beyond raw + raw_size, whatever the input.
 *   Errors  -EBADMSG it does not come out so (not logged: the caller knows the place); -ENOTSUP unknown codec (not
 *           logged). What `raw` holds is then undefined. */
int codec_decode(struct codec_context *context, enum codec codec, const void *stored, uint32_t stored_size,
		 void *raw, uint32_t raw_size);

/* What codec_encode() asks first: 1 if `raw` looks like media, archives or ciphertext that deflate cannot make at least
 * 1/32 smaller, else 0. A guess from samples, some microseconds whatever the size. Inputs below 4 KiB are never called
 * incompressible: trying costs as little. Threads: any. */
int codec_looks_incompressible(const void *raw, uint32_t raw_size);

#endif
