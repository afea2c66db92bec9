/* jobs.h - what has yet to be done with files: table jobs, as far as it is the indexer's.
 *
 * The table is derived: what stands in it costs the packs nothing, comes with the COMMIT of the next commit, and after a
 * rebuild everything that nobody has looked at is queued anew. changes.c queues with each commit what changed; a job that
 * somebody asked for stands there with commit 0. The metadata lock is held for all of these, taken with commit_lock(). */
#ifndef VAULTFS_JOBS_H
#define VAULTFS_JOBS_H

#include "vault_internal.h"

/* Nobody does what was being done, and no file is open: all of it waits. */
int jobs_recover_locked(struct vault *vault);

/* The open transaction has bytes of a file that is still open: its job begins to wait when it is closed, or, if the process
 * ends before that, when the vault is opened. */
int jobs_note_open_locked(struct vault *vault, uint64_t id);

/* Remove the job of an inode that goes. */
int jobs_forget_locked(struct vault *vault, uint64_t id);

#endif
