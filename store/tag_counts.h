/* tag_counts.h - how many files have each tag: table tag_counts, kept as tags are given and taken, so that nobody counts.
 *
 * The metadata lock, taken with commit_lock() for changes, is held for all of these. */
#ifndef VAULTFS_TAG_COUNTS_H
#define VAULTFS_TAG_COUNTS_H

#include "vault_internal.h"

/* Tag `tag_id` was given to `delta` files more. */
int tag_count_add_locked(struct vault *vault, uint64_t tag_id, int64_t delta);

/* File `inode_id` is about to lose all its tags: its rows of asset_tags are still there. */
int tag_count_remove_all_of_locked(struct vault *vault, uint64_t inode_id);

/* The tag itself goes. */
int tag_count_forget_locked(struct vault *vault, uint64_t tag_id);

/* Count all anew: after a replay or a rebuild. */
int tag_counts_rebuild_locked(struct vault *vault);

#endif
