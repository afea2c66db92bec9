/* caller.c - who sent a request. See caller.h. */
#include "caller.h"

#include <stdlib.h>
#include <sys/stat.h>

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
