/* xattrs.h - extended attributes: rows of table xattrs, namespaces and limits.
 *
 * vault_getxattr() and its like are implemented here; names that picture tags and assets are handed on to tags.h. The
 * metadata lock is held for all _locked, taken with commit_lock() where they change something. */
#ifndef VAULTFS_XATTRS_H
#define VAULTFS_XATTRS_H

#include "vault_internal.h"

/* Learn from table settings whether an attribute outside user.* was ever set. After opening, and after a replay. */
int xattrs_load_locked(struct vault *vault);

/* Remove all attributes kept for an inode that goes. */
int xattrs_forget_locked(struct vault *vault, uint64_t id);

/* Remove security.capability, as the kernel asks of who clears suid and sgid bits. Cheap where
 * vault_has_privileged_xattrs() says 0. ctime is the caller's. */
int xattrs_drop_capability_locked(struct vault *vault, uint64_t id);

#endif
