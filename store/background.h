/* background.h - the vault's own threads beside the committer: the checkpointer, and the janitor, who empties dropped
 * manifests, keeps paths, writes pictures, re-chunks and unlinks dead packs. */
#ifndef VAULTFS_BACKGROUND_H
#define VAULTFS_BACKGROUND_H

#include "vault_internal.h"

struct background;

/* Makes vault->background; on failure too, for background_free(). */
int background_start(struct vault *vault);

/* Ends the threads, soon; the committer may still call background_wake(). NULL is fine. */
void background_stop(struct background *background);
void background_free(struct background *background);	/* the committer has ended; NULL is fine */

/* A commit was made: there may be something to do. Lock-free when they are busy. */
void background_wake(struct vault *vault);

/* Move the write-ahead log into vault.db, all of it if nobody reads: 1 all, 0 not yet; -errno. Blocks on the disk. */
int background_checkpoint(struct vault *vault);

#endif
