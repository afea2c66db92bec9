/* inode_acl.c - the access control lists of inodes. See inode_acl.h.
 *
 * What a list says is for acl.c to know, rows are xattrs.c's. */
#include "inode_acl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "acl.h"
#include "xattrs.h"

static const char *const names[] = {
	[INODE_ACL_ACCESS] = "system.posix_acl_access",
	[INODE_ACL_DEFAULT] = "system.posix_acl_default",
};

int inode_acl_find(const char *name)
{
	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -ENOENT;
}

static int refuse_row(const struct vault *vault, uint64_t id, enum inode_acl which)
{
	return log_err(-EBADMSG, "%s: inode %" PRIu64 ": %s is no access control list", vault->path, id,
		       names[which]);
}

/* The size of the default list; 0 there is none. */
static ssize_t get_default_locked(struct vault *vault, uint64_t id, uint8_t ret[ACL_SIZE_MAX])
{
	ssize_t n = xattrs_get_locked(vault, id, names[INODE_ACL_DEFAULT], ret, ACL_SIZE_MAX);

	if (n == -ENODATA)
		return 0;
	if (n == -ERANGE || (n >= 0 && acl_check(ret, (size_t)n) != 1))
		return refuse_row(vault, id, INODE_ACL_DEFAULT);
	return n;
}

static int put_locked(struct vault *vault, uint64_t id, enum inode_acl which, const void *value, size_t size)
{
	return xattrs_put_locked(vault, id, names[which], value, size);
}

/* Keep a list, or none where `keep` is false. 2 there is one now; 1 there was one before; 0 neither. */
static int replace_locked(struct vault *vault, uint64_t id, enum inode_acl which, const void *value,
			  size_t size, bool keep)
{
	int r;

	if (keep) {
		r = put_locked(vault, id, which, value, size);
		return r < 0 ? r : 2;
	}
	r = xattrs_has_locked(vault, id, names[which]);
	if (r <= 0)
		return r;
	r = xattrs_delete_locked(vault, id, names[which]);
	return r < 0 ? r : 1;
}

static int set_access_locked(struct vault *vault, struct vault_attr *attr, const void *value, size_t size,
			     bool kill_sgid)
{
	uint32_t mode = attr->mode;
	bool keep = acl_to_mode(value, size, &mode);
	int r = replace_locked(vault, attr->id, INODE_ACL_ACCESS, value, size, keep);

	if (r < 0)
		return r;
	if (kill_sgid)
		mode &= ~(uint32_t)S_ISGID;
	if (r == 0 && mode != attr->mode)
		r = 1;
	attr->mode = mode;
	return r;
}

int inode_acl_set_locked(struct vault *vault, struct vault_attr *attr, enum inode_acl which,
			 const void *value, size_t size, bool kill_sgid)
{
	int given = acl_check(value, size);

	if (S_ISLNK(attr->mode))
		return -EOPNOTSUPP;
	if (given < 0)
		return given;
	if (which == INODE_ACL_DEFAULT && !S_ISDIR(attr->mode))
		return given ? -EACCES : 0;
	if (which == INODE_ACL_ACCESS && given)
		return set_access_locked(vault, attr, value, size, kill_sgid);
	return replace_locked(vault, attr->id, which, value, size, given);
}

int inode_acl_complete(const struct vault *vault, uint64_t id, uint32_t mode, void *value, size_t size)
{
	if (acl_check(value, size) != 1)
		return refuse_row(vault, id, INODE_ACL_ACCESS);
	acl_chmod(value, size, mode);
	return 0;
}

int inode_acl_inherit_locked(struct vault *vault, uint64_t parent, struct vault_attr *attr, uint32_t umask)
{
	uint8_t list[ACL_SIZE_MAX];
	ssize_t n = 0;
	int r = 0;

	if (S_ISLNK(attr->mode))
		return 0;
	if (vault_has_acls(vault))
		n = get_default_locked(vault, parent, list);
	if (n < 0)
		return (int)n;
	if (n == 0) {
		attr->mode &= ~(umask & 0777);
		return 0;
	}
	if (S_ISDIR(attr->mode))
		r = put_locked(vault, attr->id, INODE_ACL_DEFAULT, list, (size_t)n);
	if (r == 0 && acl_inherit(list, (size_t)n, &attr->mode))
		r = put_locked(vault, attr->id, INODE_ACL_ACCESS, list, (size_t)n);
	return r;
}

const char *inode_acl_problem(enum inode_acl which, uint32_t mode, const void *value, size_t size)
{
	if (acl_check(value, size) != 1)
		return "is no access control list";
	if (S_ISLNK(mode))
		return "stands at a symbolic link";
	if (which == INODE_ACL_DEFAULT && !S_ISDIR(mode))
		return "stands at what is no directory";
	return NULL;
}
