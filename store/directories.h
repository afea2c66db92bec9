/* directories.h - the derived table of directories with their paths, for search, views and the command line.
 *
 * The truth is entries: the driver never reads a path here. Each row's path is its parent's stored path and its own
 * name; where that does not hold yet, a job (table jobs, kind 'paths') stands for the parent. So a rename of a
 * large subtree rewrites a bounded number of rows at once and leaves the rest to directories_job_step(). The
 * metadata lock, taken with commit_lock() for changes, is held for all _locked. */
#ifndef VAULTFS_DIRECTORIES_H
#define VAULTFS_DIRECTORIES_H

#include "vault_internal.h"

#define DIRECTORIES_AT_ONCE 1000u /* paths that one request or one step rewrites */

/* What a directory's size is said to be, as ext4 says of a small one. Its row in inodes holds 0. */
#define DIRECTORY_SIZE 4096u

/* Directory `id` got its entry: it is new (so may be the root), or was moved or renamed. */
int directories_add_locked(struct vault *vault, uint64_t id);
int directories_move_locked(struct vault *vault, uint64_t id);

/* Directory `id` was removed; it was empty. */
int directories_remove_locked(struct vault *vault, uint64_t id);

/* 1 all paths are right, 0 a job has yet to rewrite some: who needs them waits, or asks vault_path_of_locked(). */
int directories_are_settled_locked(struct vault *vault);

/* Rewrite up to DIRECTORIES_AT_ONCE paths that a rename has left. 1 there is more, 0 nothing left, negative errno.
 * For the committer's background thread, inside a change, no lock held. */
int directories_job_step(struct vault *vault);

/* Derive the whole table from entries: after a replay, a rebuild, or in doubt. */
int directories_rebuild_locked(struct vault *vault);

/* A path of `id` (any inode) for messages, worked out from entries: "photos/2024/a.jpg"; "/" for the root; one that
 * does not fit `size` (at least 64) has its head cut off and starts with "..."; "(inode 17)" if it has no name.
 * Control characters become '?'. Always NUL-terminated. Says whether it has a name. */
bool vault_path_of_locked(struct vault *vault, uint64_t id, char *buffer, size_t size);

#endif
