/* ops_xattr.c - extended attributes.
 *
 * The kernel and ls(1) ask for security.* and system.* of everything, and remember EOPNOTSUPP but not ENODATA. So as long
 * as nothing outside user.* was ever set on a vault, that is the answer, from memory. */
#include "ops.h"

#include <errno.h>
#include <string.h>

#include "reply.h"

static bool starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_vault_path(fuse_ino_t ino, const char *name)
{
	return ino == VAULT_ROOT_ID && strcmp(name, FS_VAULT_XATTR) == 0;
}

/* Could the vault hold an attribute of this name? */
static bool may_exist(const struct fs *fs, const char *name)
{
	if (starts_with(name, "user."))
		return true;
	return (starts_with(name, "security.") || starts_with(name, "trusted.")) &&
	       vault_has_privileged_xattrs(fs->vault) == 1;
}

/* Answer a length, or the bytes if they were asked for. */
static void reply_value(fuse_req_t req, const char *value, ssize_t n, size_t size)
{
	if (n < 0)
		reply_failure(req, (int)n);
	else if (size == 0)
		(void)fuse_reply_xattr(req, (size_t)n);	/* an interrupted request needs no answer */
	else if ((size_t)n > size)
		reply_failure(req, -ERANGE);
	else
		(void)fuse_reply_buf(req, value, (size_t)n);	/* as above */
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct fs *fs = fuse_req_userdata(req);
	char *buffer = worker_self()->reply;
	size_t room = size < VAULT_XATTR_MAX ? size : VAULT_XATTR_MAX;

	if (is_vault_path(ino, name))
		reply_value(req, fs->vault_path, (ssize_t)strlen(fs->vault_path), size);
	else if (!may_exist(fs, name))
		reply_failure(req, -EOPNOTSUPP);
	else
		reply_value(req, buffer, vault_getxattr(fs->vault, ino, name, buffer, room), size);
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	struct fs *fs = fuse_req_userdata(req);
	int r;

	if (is_vault_path(ino, name))
		r = -EPERM;
	else if (starts_with(name, "system."))
		r = -EOPNOTSUPP;
	else
		r = vault_setxattr(fs->vault, ino, name, value, size, flags);
	reply_done(req, r);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fs *fs = fuse_req_userdata(req);
	char *buffer = worker_self()->reply;
	size_t room = size < VAULT_XATTR_MAX ? size : VAULT_XATTR_MAX;

	reply_value(req, buffer, vault_listxattr(fs->vault, ino, buffer, room), size);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct fs *fs = fuse_req_userdata(req);
	int r;

	if (is_vault_path(ino, name))
		r = -EPERM;
	else if (!may_exist(fs, name))
		r = starts_with(name, "system.") ? -EOPNOTSUPP : -ENODATA;
	else
		r = vault_removexattr(fs->vault, ino, name);
	reply_done(req, r);
}
