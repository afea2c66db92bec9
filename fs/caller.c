/* caller.c - who sent a request. See caller.h. */
#include "caller.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include "auto.h"
#include "reply.h"

/* One of the further groups? No, if they cannot be asked for: the process is in another world, or gone. */
static bool is_among_groups(fuse_req_t req, gid_t group)
{
	AUTO(free) gid_t *groups = NULL;
	int n = fuse_req_getgroups(req, 0, NULL);
	int n_read;

	if (n <= 0)
		return false;
	groups = calloc((size_t)n, sizeof(*groups));
	n_read = groups ? fuse_req_getgroups(req, n, groups) : 0;
	for (int i = 0; i < n && i < n_read; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

bool caller_takes_sgid(fuse_req_t req, const struct vault_attr *attr)
{
	const struct fuse_ctx *caller = fuse_req_ctx(req);
	gid_t group = reply_gid(fuse_req_userdata(req), attr);

	if (S_ISDIR(attr->mode) || (attr->mode & (S_ISGID | S_IXGRP)) != S_ISGID)
		return false;
	return caller->uid != 0 && caller->gid != group && !is_among_groups(req, group);
}

bool caller_takes_privileges(fuse_req_t req, const struct vault_attr *attr)
{
	if (S_ISDIR(attr->mode))
		return false;
	if ((attr->mode & S_ISUID) || (attr->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return true;
	return caller_takes_sgid(req, attr);
}

bool caller_owns(fuse_req_t req, const struct vault_attr *attr)
{
	uid_t uid = fuse_req_ctx(req)->uid;

	return uid == 0 || uid == reply_uid(fuse_req_userdata(req), attr);
}

/* ---- what the caller may ---- */

static bool is_in_group(fuse_req_t req, gid_t group)
{
	return fuse_req_ctx(req)->gid == group || is_among_groups(req, group);
}

struct acl_entry {
	uint16_t tag, permissions;
	uint32_t id;
};

static struct acl_entry acl_entry_at(const char *list, size_t index)
{
	struct posix_acl_xattr_entry stored;

	memcpy(&stored, list + sizeof(struct posix_acl_xattr_header) + index * sizeof(stored), sizeof(stored));
	return (struct acl_entry){ le16toh(stored.e_tag), le16toh(stored.e_perm), le32toh(stored.e_id) };
}

/* As acl(5) says it, for who is not the owner: a named user, else all groups of his together, else the others. */
static bool acl_grants(fuse_req_t req, const struct vault_attr *attr, const char *list, size_t n, int wanted)
{
	gid_t group = reply_gid(fuse_req_userdata(req), attr);
	int mask = 7, granted = 0;
	bool is_member = false;

	for (size_t i = 0; i < n; i++)
		if (acl_entry_at(list, i).tag == ACL_MASK)
			mask = acl_entry_at(list, i).permissions;
	for (size_t i = 0; i < n; i++) {
		struct acl_entry entry = acl_entry_at(list, i);

		if (entry.tag == ACL_USER && entry.id == fuse_req_ctx(req)->uid)
			return (entry.permissions & mask & wanted) == wanted;
		if ((entry.tag == ACL_GROUP_OBJ && is_in_group(req, group)) ||
		    (entry.tag == ACL_GROUP && is_in_group(req, entry.id))) {
			is_member = true;
			if ((entry.permissions & mask & wanted) == wanted)
				granted = 1;
		}
	}
	return is_member ? granted : (int)(attr->mode & 7 & (unsigned)wanted) == wanted;
}

int caller_may(fuse_req_t req, const struct vault_attr *attr, int wanted)
{
	struct fs *fs = fuse_req_userdata(req);
	AUTO(free) char *list = NULL;
	ssize_t size = -ENODATA;
	unsigned shift;

	if (fuse_req_ctx(req)->uid == 0)
		return 1;
	if (caller_owns(req, attr))
		return (int)(attr->mode >> 6 & 7 & (unsigned)wanted) == wanted;
	if (fs->acls && vault_has_acls(fs->vault)) {
		list = malloc(VAULT_XATTR_MAX);
		if (!list)
			return log_err(-ENOMEM, "no memory for an access control list");
		size = vault_getxattr(fs->vault, attr->id, "system.posix_acl_access", list, VAULT_XATTR_MAX);
		if (size < 0 && size != -ENODATA)
			return (int)size;
	}
	if (size > (ssize_t)sizeof(struct posix_acl_xattr_header))
		return acl_grants(req, attr, list, ((size_t)size - sizeof(struct posix_acl_xattr_header)) /
				  sizeof(struct posix_acl_xattr_entry), wanted);
	shift = is_in_group(req, reply_gid(fs, attr)) ? 3 : 0;
	return (int)(attr->mode >> shift & 7 & (unsigned)wanted) == wanted;
}
