/* pack_bundle.h - the packs of a vault as one input: taken apart, put together, mutated record by record, and given right
 * checksums again, without which nothing behind the first check would ever be reached.
 *
 * Bytes: u8 number of packs - 1 (modulo BUNDLE_PACKS_MAX); u32 size of each but the last; the packs. */
#ifndef VAULTFS_PACK_BUNDLE_H
#define VAULTFS_PACK_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#define BUNDLE_PACKS_MAX 3u

struct bundle {
	size_t n;
	struct {
		uint8_t *bytes;		/* malloc'ed */
		size_t size;
	} packs[BUNDLE_PACKS_MAX];
};

/* Always succeeds: sizes that are too large are cut. */
void bundle_split(const uint8_t *data, size_t size, struct bundle *ret);

/* Into `data` of `room` bytes: its size, or 0 where it does not fit. */
size_t bundle_join(const struct bundle *bundle, uint8_t *data, size_t room);

void bundle_release(struct bundle *bundle);

/* Changes some of `size` bytes, of which there may be `most` then: LLVMFuzzerMutate(). */
typedef size_t (*bytes_mutator)(uint8_t *bytes, size_t size, size_t most);

/* Change something, mostly within one record; `seed` decides what. It grows by `room` bytes at most, or a little more. */
void bundle_mutate(struct bundle *bundle, size_t room, unsigned seed, bytes_mutator mutate);

/* Make headers and checksums valid: of packs and of every record that can still be told; with `chain`, number the commits,
 * and let each name the one before it and its journal parts. */
void bundle_repair(struct bundle *bundle, int chain);

#endif
