/* locations.h - where files came from: tables devices, locations and origins. The calls are library.h's. */
#ifndef VAULTFS_LOCATIONS_H
#define VAULTFS_LOCATIONS_H

#include "library.h"
#include "vault_internal.h"

/* Remove what is known of an inode that goes. The metadata lock is held, taken with commit_lock(). */
int origin_forget_locked(struct vault *vault, uint64_t inode_id);

#endif
