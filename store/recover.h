/* recover.h - from packs to database: rolling forward on open, and building vault.db anew. One code for both. */
#ifndef VAULTFS_RECOVER_H
#define VAULTFS_RECOVER_H

#include "vault_internal.h"

/* What stands behind the place up to which vault.db was applied. */
struct recover_tail {
	uint64_t n_commits;		/* valid commits to replay */
	struct commit_state last;	/* the state after the last of them (vault->state if there are none) */
	bool cut_forbidden;		/* no crash makes what is there: cut nothing, append nothing (logged, with the reason) */
	bool damaged;			/* something invalid stands behind the last commit, or was passed over */
	uint64_t n_gaps;		/* damaged places that a rebuild passes over */
	struct place first_gap;
};

/* Look at what the packs hold behind vault->state: nothing is changed. All journals are read, and the last batch in full.
 *   Errors  -EBADMSG vault.db does not belong to these packs (uuid, checksum): logged; errno of the disk. */
int recover_inspect(struct vault *vault, struct recover_tail *ret);

/* Replay all valid commits behind vault->state into the database, in transactions of their own, and bring vault->state up
 * to them. The metadata lock is held, no transaction is open. */
int recover_replay_locked(struct vault *vault);

/* Fill an empty database (schema only; vault->state all zero) from the packs: chunks, the newest picture, then what
 * recover_replay_locked() does. Unlike there, damage ends it only where a commit record or a journal is lost; chunks that are
 * lost with their records get rows marked as damaged, so that only their bytes cannot be read. The metadata lock is held.
 *   *ret_damaged  damage was met: vault->state may be less than the packs once held (logged). */
int recover_rebuild_locked(struct vault *vault, bool *ret_damaged);

#endif
