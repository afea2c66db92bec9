/* entries.h - rows of tables entries and symlinks: names in directories, and what symbolic links say.
 *
 * Knows rows, not rules: which entry may come, go or move, and what that does to link counts and times, stands in
 * namespace.c and rename.c. The metadata lock is held for all of these. */
#ifndef VAULTFS_ENTRIES_H
#define VAULTFS_ENTRIES_H

#include "inodes.h"
#include "vault_internal.h"

struct entry {
	uint64_t directory_id, cookie;
	struct inode inode; /* what it names, with live_overlay() applied */
};

/* May `name` be given to something?  -EINVAL empty, "." or "..", or with a '/'; -ENAMETOOLONG. */
int entry_name_check(const char *name);

/* The entry `name` of `directory_id`.  -ENOENT none, or no such directory (both silent); -ENOTDIR; -ENAMETOOLONG;
 * -EBADMSG it names an inode that is not there (logged). */
int entry_find_locked(struct vault *vault, uint64_t directory_id, const char *name, struct entry *ret);

/* Add an entry under a new cookie, behind all others of its directory.  -EEXIST (silent, and nothing was changed). */
int entry_insert_locked(struct vault *vault, uint64_t directory_id, const char *name, uint64_t inode_id);

int entry_delete_locked(struct vault *vault, const struct entry *entry);

/* 1 there are entries in `directory_id`, 0 there are none. */
int entry_has_any_locked(struct vault *vault, uint64_t directory_id);

/* Some entry of `inode_id`: its directory and its name, the latter into VAULT_NAME_MAX + 1 bytes unless NULL.
 *   Errors  -ENOENT it has no name; -EBADMSG an impossible name (logged). */
int entry_of_locked(struct vault *vault, uint64_t inode_id, uint64_t *ret_directory_id, char *ret_name);

/* What vault_readdir() promises, of a directory that is known to be one. */
int entry_each_locked(struct vault *vault, uint64_t directory_id, uint64_t cookie, bool with_attributes,
		      int (*emit)(void *context, const struct vault_entry *entry), void *context);

/* Up to `n` inodes without a name behind `after`, ascending. Returns how many. */
int entry_orphans_locked(struct vault *vault, uint64_t after, uint64_t *ret_ids, size_t n);

/* The target of symbolic link `inode_id`: add; read into VAULT_PATH_MAX + 1 bytes; remove. */
int symlink_insert_locked(struct vault *vault, uint64_t inode_id, const char *target);
int symlink_get_locked(struct vault *vault, uint64_t inode_id, char *ret_target);
int symlink_delete_locked(struct vault *vault, uint64_t inode_id);

#endif
