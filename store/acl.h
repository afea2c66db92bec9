/* acl.h - POSIX access control lists as bytes: which are valid, what mode says the same, what chmod and making make of them.
 *
 * The form is that of Linux's extended attributes: a version, then entries of tag, permissions and id, little-endian, in
 * the order user, named users, group, named groups, mask, other. The rules are the kernel's (acl(5), POSIX 1003.1e draft
 * 17). Knows no inode and no table. Each of these but the first wants a list for which acl_check() said 1. */
#ifndef VAULTFS_ACL_H
#define VAULTFS_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACL_SIZE_MAX 4096u	/* bytes: the kernel asks a FUSE filesystem for no more than a page */

/* 1 valid; 0 no entry at all, which stands for no list.
 *   Errors  -EINVAL malformed, or entries missing, out of order or too many of them; -EOPNOTSUPP another version; -E2BIG. */
int acl_check(const void *value, size_t size);

/* Give `mode` the permissions that stat(2) shows for an object with this list: the mask stands in the group's place. Says
 * whether the list grants anything that the mode alone does not say, so that it has to be kept. */
bool acl_to_mode(const void *value, size_t size, uint32_t *mode);

/* What chmod(2) does to an access list: user, other, and mask (or group, where there is no mask) are those of `mode`. */
void acl_chmod(void *value, size_t size, uint32_t mode);

/* Make the access list of a new object from its directory's default one: what was asked for in `mode` limits it, and `mode`
 * becomes what stat(2) shows then. Says, as acl_to_mode(), whether it has to be kept. */
bool acl_inherit(void *value, size_t size, uint32_t *mode);

#endif
