/* chunker.h - where a stream of bytes is cut into chunks, by its content.
 *
 * FastCDC (2020) with normalisation level 2 and a 64-bit gear hash: after a cut the first `min` bytes are skipped, then
 * the hash of the last bytes decides, with a stricter mask before the average size and a laxer one behind it. A cut
 * depends only on bytes since the cut before, so equal stretches of two files are soon cut alike. The cuts are the same
 * on every machine and are no part of the format: a vault with other cuts is right, it only shares less. */
#ifndef VAULTFS_CHUNKER_H
#define VAULTFS_CHUNKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_AVERAGE_MIN (16u << 10)
#define CHUNK_AVERAGE_MAX (512u << 10)
#define CHUNK_AVERAGE_DEFAULT (256u << 10)

/* Bytes. Every chunk but a stream's last is longer than min; none is longer than max. */
struct chunker_params {
	uint32_t min, average, max;
};

/* min = average / 4, max = 4 * average but at most 1 MiB.
 *   Errors  -EINVAL `average` is no power of two from CHUNK_AVERAGE_MIN to CHUNK_AVERAGE_MAX (not logged). */
int chunker_params_init(struct chunker_params *ret, uint32_t average);

/* A plain value: copy it to remember a place in the stream. Nothing to release; not locked. */
struct chunker {
	struct chunker_params params;
	uint64_t mask_small; /* before the average: all these bits of the hash are 0 at a cut */
	uint64_t mask_large; /* from the average on: fewer bits */
	uint64_t hash;       /* over the bytes from min on */
	uint32_t position;   /* bytes fed since the last cut */
};

/* `params` come from chunker_params_init() and are copied. */
void chunker_init(struct chunker *chunker, const struct chunker_params *params);

/* A new chunk starts at the next byte. */
void chunker_reset(struct chunker *chunker);

/* Feed `size` bytes that follow what was fed before. Returns how many of them belong to the current chunk and sets
 * *ret_cut: true, the chunk ends right behind them, and the next byte fed starts a new one; false, all of them belong
 * to it. Feed what is left over after a cut again. The cuts are the same whatever the sizes fed. */
size_t chunker_feed(struct chunker *chunker, const uint8_t *data, size_t size, bool *ret_cut);

#endif
