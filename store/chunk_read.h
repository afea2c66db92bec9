/* chunk_read.h - bytes of stored chunks, decoded: through the cache where they are compressed, straight from the pack where
 * they are not. */
#ifndef VAULTFS_CHUNK_READ_H
#define VAULTFS_CHUNK_READ_H

#include "chunks.h"

/* Bytes [from, from + size) of `chunk`, checked, into `out`.
 *   Errors   -EBADMSG damaged (logged); -ENOENT its pack was unlinked: look the extent up again; -ENOMEM; of the disk.
 *   Threads  any; holds no lock while it reads. */
int chunk_read(struct vault *vault, const struct chunk *chunk, uint32_t from, size_t size, uint8_t *out);

/* See that a compressed chunk is in the cache.  Errors as above. */
int chunk_read_ahead(struct vault *vault, const struct chunk *chunk);

#endif
