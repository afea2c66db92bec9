/* attributes.h - the attributes that are pictures of tables: their names, and whose they are.
 *
 * vaultfs-xattr(7) has them all. What a program found out cannot be set, and is read by name but not listed, so that programs
 * which copy or compare attributes neither carry it along nor try to remove it. The metadata lock is held for all _locked,
 * taken with commit_lock() where they change something. */
#ifndef VAULTFS_ATTRIBUTES_H
#define VAULTFS_ATTRIBUTES_H

#include "vault_internal.h"

#define ATTRIBUTES_N_LISTED 8
#define ATTRIBUTES_NAMES_SIZE 256u /* bytes that all listed names take at most, each with its NUL */

/* The attribute called `name`, or -ENOENT. */
int attribute_find(const char *name);

/* May a row be kept of this name and value, which is none of these attributes?  -EINVAL: what is no web address as
 * user.xdg.origin.url; a name under user.vaultfs.*, where a slip of the pen would look like a success, and later versions
 * have more names. */
int attribute_check_kept(const char *name, const void *value, size_t size);

bool attribute_is_read_only(int attribute);

/* The n-th listed one's name; they are attributes 0 to ATTRIBUTES_N_LISTED - 1. */
const char *attribute_name(int attribute);

/* Which of them inode `id` has: ret[attribute].  -ENOENT no such inode. */
int attributes_present_locked(struct vault *vault, uint64_t id, bool ret[ATTRIBUTES_N_LISTED]);

/* Returns the value's length; with size 0 only asks for it.  -ENODATA; -ERANGE; -E2BIG past VAULT_XATTR_MAX. */
ssize_t attribute_get_locked(struct vault *vault, uint64_t id, int attribute, void *buffer, size_t size);

/* Is it one that is counted afresh, which may take long? Then attribute_count() has it, not attribute_get_locked(). */
bool attribute_is_count(int attribute);

/* The same, without the metadata lock: as of the last commit. */
ssize_t attribute_count(struct vault *vault, uint64_t id, int attribute, void *buffer, size_t size);

/* Set one; ctime is the caller's.  -EINVAL; -EPERM a read-only one. */
int attribute_put_locked(struct vault *vault, uint64_t id, int attribute, const void *value, size_t size);

/* -EPERM a read-only one. One that is absent is no error. */
int attribute_remove_locked(struct vault *vault, uint64_t id, int attribute);

/* The file `to` takes the place of `from`: unless it was ever given something of its own, all that people said of `from` holds
 * for it too, and stays with `from` as long as that lives. What programs found out is of other bytes, and is not passed on. A
 * bounded number of rows. */
int attributes_inherit_locked(struct vault *vault, uint64_t from, uint64_t to);

/* The new file `to` has just been given a name: if another file gave that one up a moment ago (given_up.h), as above. */
int attributes_inherit_by_name_locked(struct vault *vault, uint64_t directory_id, const char *name, uint64_t to);

/* Remove what these attributes show of an inode that goes. */
int attributes_forget_locked(struct vault *vault, uint64_t id);

#endif
