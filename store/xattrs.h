/* xattrs.h - extended attributes: rows of table xattrs, namespaces and limits.
 *
 * vault_getxattr() and its like are implemented here; names that picture tags and assets are handed on to tags.h. The
 * metadata lock is held for all _locked, taken with commit_lock() where they change something. */
#ifndef VAULTFS_XATTRS_H
#define VAULTFS_XATTRS_H

#include "vault_internal.h"

/* Learn from table settings what was ever set: attributes outside user.*, access control lists. After opening, and after a
 * replay. */
int xattrs_load_locked(struct vault *vault);

/* Rows, for inode_acl.c: no namespace, no limit and no time is looked at. As vault_getxattr(); 1 or 0; put makes or
 * replaces; delete of what is absent is no error. */
ssize_t xattrs_get_locked(struct vault *vault, uint64_t id, const char *name, void *buffer, size_t size);
int xattrs_has_locked(struct vault *vault, uint64_t id, const char *name);
int xattrs_put_locked(struct vault *vault, uint64_t id, const char *name, const void *value, size_t size);
int xattrs_delete_locked(struct vault *vault, uint64_t id, const char *name);

/* Remove all attributes kept for an inode that goes. */
int xattrs_forget_locked(struct vault *vault, uint64_t id);

/* Remove security.capability, as the kernel asks of who clears suid and sgid bits. Cheap where
 * vault_has_privileged_xattrs() says 0. ctime is the caller's. */
int xattrs_drop_capability_locked(struct vault *vault, uint64_t id);

#endif
