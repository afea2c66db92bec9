/* park.h - requests that have to wait for a commit or for room, and the thread that carries them out. */
#ifndef VAULTFS_PARK_H
#define VAULTFS_PARK_H

#include "fs_internal.h"
#include "wire.h"

struct park;

/* Start the thread.  -errno, logged. */
int park_start(struct fs *fs);

/* Nothing waits; lock-free, and only a hint. */
bool park_is_empty(const struct park *park);

/* Set the request in *raw (malloc'ed, FS_BUFFER_SIZE bytes) aside; it will be carried out behind those already here. A
 * small one is copied, a large one taken and *raw replaced. Waits only if PARK_MAX_BYTES are here already. */
void park_request(struct park *park, const struct wire_request *request, char **raw, size_t size);

/* The same of a change that nobody asked for and nobody waits for: `change(vault, id)`, whose failure it has logged itself.
 * Never waits. */
void park_change(struct park *park, int (*change)(struct vault *vault, uint64_t id), uint64_t id);

/* Let nobody wait for room any more, and drop what is parked: the session is over. */
void park_stop(struct park *park);

/* Wait for the thread to end, after park_stop(). */
void park_wait(struct park *park);

/* After park_wait(), when nobody calls park_stop() any more; NULL is fine. */
void park_free(struct park *park);

#endif
