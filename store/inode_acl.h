/* inode_acl.h - the access control lists of inodes: two extended attributes, of which one goes hand in hand with the mode.
 *
 * The access list decides with the mode who may do what, the default list of a directory is what is made in it begins
 * with. For the user, other, and the mask (or the group, where there is no mask) of an access list the mode is the truth:
 * they are laid over the row when it is read, so that chmod(2) touches no list and the two can never disagree. A list that
 * says no more than a mode is not kept. Nothing here asks who may change one: the kernel did. The metadata lock, taken with
 * commit_lock(), is held for all _locked, and a savepoint of the caller's is open: list and mode change together or not
 * at all. */
#ifndef VAULTFS_INODE_ACL_H
#define VAULTFS_INODE_ACL_H

#include "inodes.h"

enum inode_acl {
	INODE_ACL_ACCESS,
	INODE_ACL_DEFAULT,
};

/* The list that an extended attribute of this name is, as an enum inode_acl, or -ENOENT. */
int inode_acl_find(const char *name);

/* Set a list, or remove it with none in `value`. An access list gives attr->mode its permissions; `kill_sgid`: S_ISGID goes
 * from it, too. 2 the list is kept now, 1 something else changed: the caller writes attr to its row; 0 it was so before.
 *   Errors  -EOPNOTSUPP a symbolic link; -EACCES a default list for what is no directory; those of acl_check(). */
int inode_acl_set_locked(struct vault *vault, struct vault_attr *attr, enum inode_acl which, const void *value,
			 size_t size, bool kill_sgid);

/* The access list in `value` was just read from its row: the entries that stat(2) shows get what `mode` says.
 *   Errors  -EBADMSG it is no list (logged). */
int inode_acl_complete(const struct vault *vault, uint64_t id, uint32_t mode, void *value, size_t size);

/* `attr` is to be made in the directory `parent`: give it the lists that its parent's default one passes on, and the mode
 * that goes with them. Where there is none `umask` limits the mode. Costs nothing where vault_has_acls() says 0. */
int inode_acl_inherit_locked(struct vault *vault, uint64_t parent, struct vault_attr *attr, uint32_t umask);

/* What is wrong with a kept list of an inode with this mode, in words; NULL nothing. Needs no lock. */
const char *inode_acl_problem(enum inode_acl which, uint32_t mode, const void *value, size_t size);

#endif
