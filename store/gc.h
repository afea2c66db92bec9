/* gc.h - unlinking packs in which nothing is live. */
#ifndef VAULTFS_GC_H
#define VAULTFS_GC_H

#include "vault_internal.h"

/* What the next step would do. */
struct gc_outlook {
	uint64_t n_ready;		/* sealed packs that can go now, or were on their way when a crash or a reader came */
	uint64_t held_bytes;		/* sizes of sealed packs without live chunks that wait for a newer picture only */
};
int gc_look(struct vault *vault, struct gc_outlook *ret);

/* Unlink the packs that can go: their chunk rows first, durably, then a checkpoint, then the files. Stops at the first
 * error. Returns how many went. Runs on the background thread. */
int gc_step(struct vault *vault);

/* A database from an earlier time (replayed) may show packs that are gone: their dead chunks' rows go, so that nothing is
 * deduplicated against them; chunks in use are marked as damaged. At open, before writing. */
int gc_drop_missing_locked(struct vault *vault);

#endif
