/* derived.h - thumbnails and previews: inodes that have a row of table derived in place of a name. See library.h.
 *
 * Such a row counts as a link: nlink is the number of entries and of rows of derived that name an inode. The metadata lock
 * is held for all of these, taken with commit_lock(), and a savepoint of the caller's is open. */
#ifndef VAULTFS_DERIVED_H
#define VAULTFS_DERIVED_H

#include "vault_internal.h"

/* 1 the inode is a thumbnail or preview; 0. */
int derived_is_locked(struct vault *vault, uint64_t id);

/* The file goes: its rows of derived go, too. Up to `n` ids of inodes that lost their link by it, which the caller purges
 * after its savepoint; others are purged as any inode without a name. Returns how many ids there are. */
int derived_release_locked(struct vault *vault, uint64_t id, uint64_t *ret_ids, unsigned n);

/* `attr` of a file was changed: who may read what was made from it follows. */
int derived_follow_locked(struct vault *vault, const struct vault_attr *attr);

#endif
