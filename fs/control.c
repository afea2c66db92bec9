/* control.c - what commands ask of the process that serves. See control.h.
 *
 * A socket would need a place that command and daemon agree on, and its own rules of who may; the mount is both already. */
#include "control.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "auto.h"

bool control_is(fuse_ino_t ino, const char *name)
{
	return ino == VAULT_ROOT_ID && strcmp(name, FS_CONTROL_XATTR) == 0;
}

int control_run(fuse_req_t req, const char *text, size_t size)
{
	const struct fs *fs = fuse_req_userdata(req);
	const uid_t caller = fuse_req_ctx(req)->uid;
	AUTO(free) char *copy = NULL;

	if (caller != 0 && caller != geteuid())
		return -EPERM;
	if (!fs->hooks || !fs->hooks->on_control)
		return -EOPNOTSUPP;
	if (size > FS_CONTROL_MAX || memchr(text, '\0', size))
		return -EINVAL;
	copy = strndup(text, size);
	return copy ? fs->hooks->on_control(copy, fs->hooks->context) : -ENOMEM;
}
