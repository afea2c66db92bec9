/* walk.h - the regular files at and below something in a vault, by their ids. */
#ifndef VAULTFS_TOOLS_WALK_H
#define VAULTFS_TOOLS_WALK_H

#include <stddef.h>
#include <stdint.h>

#include "vault.h"

#define WALK_BATCH 1000u

/* Hand `top` itself, if it is a file, or all files below it to `take`, up to WALK_BATCH at a time, until it answers a negative
 * errno, which is returned. One with several names may come several times. No lock is held in `take`. Memory grows with the
 * largest directory. */
int walk_files(struct vault *vault, const struct vault_attr *top,
	       int (*take)(void *context, const uint64_t *ids, size_t n), void *context);

#endif
