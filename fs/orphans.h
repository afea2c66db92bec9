/* orphans.h - the notifier thread: inodes without a name are purged once the kernel has forgotten them, and it is told to
 * forget listings of directories that moved.
 *
 * No table of the kernel's look-ups is kept. A FORGET is only a hint that it is worth asking; the kernel is asked with a
 * notification, from one thread that holds no lock. What is not remembered here (memory is bounded) or was left over by a
 * crash is found in the vault, by a slow sweep. */
#ifndef VAULTFS_ORPHANS_H
#define VAULTFS_ORPHANS_H

#include "fs_internal.h"

struct orphans;

/* Start the thread, which begins with what an earlier mount left.  -errno, logged. */
int orphans_start(struct fs *fs);

/* `id` has no name any more. */
void orphans_add(struct orphans *orphans, uint64_t id);

/* The kernel may have forgotten `id`, or it was closed; cheap for an inode that has a name. NULL is fine: a read-only
 * mount purges nothing. */
void orphans_hint(struct orphans *orphans, uint64_t id);

/* The directories `ids` (0: none) have another parent: the kernel forgets their listings, whose ".." is the old one, and
 * then `req`, which belongs to this call from now on, is answered with success. */
void orphans_moved(struct orphans *orphans, fuse_req_t req, const uint64_t ids[2]);

/* The kernel believes that inode `id` lost a name, which is about to be answered to `req`, and counts one less: it forgets what it
 * knows of its attributes, and `req`, which belongs to this call from now on, is answered with success. */
void orphans_miscounted(struct orphans *orphans, fuse_req_t req, uint64_t id);

/* End the thread; NULL is fine. */
void orphans_free(struct orphans *orphans);

/* Purge every inode without a name: the session is over, so nobody uses them. */
void orphans_purge_all(struct fs *fs);

#endif
