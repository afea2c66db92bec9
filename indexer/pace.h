/* pace.h - keep out of the way: work in the background takes a small share of the time while others use the vault.
 *
 * Others are who makes vault_activity() move, less what we count of our own. Knows nothing of what the work is. */
#ifndef VAULTFS_INDEXER_PACE_H
#define VAULTFS_INDEXER_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct vault;

struct pace {
	struct vault *vault; /* NULL: nobody else is there, no rest is needed */
	int cancel_fd;       /* readable: rests end at once */
	uint64_t n_own;      /* our part of vault_activity() */
	uint64_t n_others;   /* theirs, when it was last looked at */
	int64_t others_ns;   /* when it last moved; 0 = never. CLOCK_MONOTONIC, as the next */
	int64_t worked_from_ns;
};

/* `vault` is borrowed; NULL for work in the foreground. */
void pace_init(struct pace *pace, struct vault *vault, int cancel_fd);

/* So many reads and changes that follow are ours. */
void pace_own(struct pace *pace, uint64_t n);

/* A rest has ended, or there was none: work begins. */
void pace_begin(struct pace *pace);

/* A piece of work is done: rest for as long as it deserves, while others are active. No handle and no change of the vault is
 * held.  -ECANCELED; 0. */
int pace_rest(struct pace *pace);

/* Would pace_rest() rest? So that it costs nothing to ask after each small piece. */
bool pace_is_busy(struct pace *pace);

/* Sleep for so long. -ECANCELED; 0. */
int pace_sleep(const struct pace *pace, int64_t ms);

#endif
