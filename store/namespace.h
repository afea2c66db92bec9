/* namespace.h - what namespace.c and rename.c share. The metadata lock, taken with commit_lock(), is held for all. */
#ifndef VAULTFS_NAMESPACE_H
#define VAULTFS_NAMESPACE_H

#include "inodes.h"
#include "vault_internal.h"

#define INODE_NAMES_MAX 65000u /* names of a file, as ext4 allows */

/* A directory that can take entries.  -ENOENT, also one that was removed; -ENOTDIR. */
int directory_get_locked(struct vault *vault, uint64_t id, struct inode *ret);

/* An entry came or went: mtime and ctime become `now`, nlink changes by `subdirectories`. Written to the row. */
int directory_changed_locked(struct vault *vault, struct inode *directory, int64_t now, int subdirectories);

/* A file has one name less, a directory is removed: nlink and ctime. Written to the row. */
int inode_lose_name_locked(struct vault *vault, struct inode *inode, int64_t now);

/* vault_purge() in a savepoint of its own. */
int inode_purge_locked(struct vault *vault, uint64_t id);

#endif
