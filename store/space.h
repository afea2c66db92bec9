/* space.h - the disk below: how much is free, and the reserve that lets a delete or a commit through when it is full. */
#ifndef VAULTFS_SPACE_H
#define VAULTFS_SPACE_H

#include <errno.h>

#include "vault_internal.h"

#define SPACE_RESERVE (32u << 20)	/* bytes of the file `reserve` */

/* Is this what a call says when the disk, or what its owner may have of it, is full? */
static inline bool space_is_short(int negative_errno)
{
	return negative_errno == -ENOSPC || negative_errno == -EDQUOT;
}

/* Make the reserve if it is missing and there is plenty of room. Failing is no error: there just is none. */
void space_renew_reserve(struct vault *vault);

/* Free the reserve's blocks. True if there was one. */
bool space_give_up_reserve(struct vault *vault);

/* Bytes that the disk below has for us. */
uint64_t space_available(const struct vault *vault);

/* Look how much there is and set vault->scarce. */
void space_look(struct vault *vault);

/* May content be added? Not with the last of the disk, which commits need: of what was accepted already, and of deletes.
 *  -ENOSPC no. Costs a system call while little is left, else nothing. */
int space_to_grow(struct vault *vault);

#define SPACE_LEAST (SPACE_RESERVE / 2)	/* bytes free below which neither packs nor the database may grow */

#endif
