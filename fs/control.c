/* control.c - what commands ask of the process that serves. See control.h.
 *
 * A socket would need a place that command and daemon agree on, and its own rules of who may; the mount is both already. */
#include "control.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "auto.h"
#include "library.h"
#include "log.h"
#include "reply.h"

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

bool control_is_search(fuse_ino_t ino, const char *name)
{
	return ino == VAULT_ROOT_ID && strcmp(name, FS_SEARCH_XATTR) == 0;
}

struct search_request {
	struct fs *fs;
	fuse_req_t req;
	size_t size;
};

static void search_done(void *context, int result)
{
	AUTO(free) struct search_request *search = context;

	if (result < 0)
		reply_failure(search->req, result);
	else if (search->size == 0)
		(void)fuse_reply_xattr(search->req, 1); /* an interrupted request needs no answer */
	else
		(void)fuse_reply_buf(search->req, "1", 1); /* as above */
	sync_leave(search->fs);
}

void control_search(fuse_req_t req, size_t size)
{
	struct fs *fs = fuse_req_userdata(req);
	struct search_request *search = malloc(sizeof(*search));

	if (!search) {
		reply_failure(req, log_err(-ENOMEM, "no memory to wait for what is searched"));
		return;
	}
	*search = (struct search_request){ .fs = fs, .req = req, .size = size };
	sync_enter(fs);
	vault_search_sync_then(fs->vault, search_done, search);
}
