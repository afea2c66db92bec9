/* caller.h - who sent a request. */
#ifndef VAULTFS_CALLER_H
#define VAULTFS_CALLER_H

#include "fs_internal.h"

/* Does a change by the caller take the set-group-ID bit that `attr` has without group execute? The kernel knows (since
 * Linux 6.2: not of root's, nor of a member's of the file's group) but leaves it to us, and does not say. Costs nothing
 * for other modes. */
bool caller_takes_sgid(fuse_req_t req, const struct vault_attr *attr);

/* Would a change of content by the caller take suid or sgid? */
bool caller_takes_privileges(fuse_req_t req, const struct vault_attr *attr);

/* Is the caller the file's owner, or root? */
bool caller_owns(fuse_req_t req, const struct vault_attr *attr);

/* Would the kernel let the caller use the inode so: `wanted` of R_OK, W_OK and X_OK? By its mode and access control list. For
 * what a view does to an inode that the kernel was not asked about.  1; 0; -errno. */
int caller_may(fuse_req_t req, const struct vault_attr *attr, int wanted);

#endif
