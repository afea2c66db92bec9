/* ops_xattr.c - extended attributes.
 *
 * The kernel and ls(1) ask for capabilities and labels of everything, and remember EOPNOTSUPP but not ENODATA. So as long
 * as nothing outside user.* was ever set on a vault, that is the answer, from memory. Access control lists
 * (system.posix_acl_*) the kernel asks for once of each inode it has in memory, when somebody other than its owner comes to
 * it, or ls(1). It remembers ENODATA, which is the answer from memory as long as none was ever set, and takes anything else
 * as a failure of what it was about to do. */
#include "ops.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "control.h"
#include "library.h"
#include "reply.h"
#include "views.h"

static bool starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_vault_path(fuse_ino_t ino, const char *name)
{
	return ino == VAULT_ROOT_ID && strcmp(name, FS_VAULT_XATTR) == 0;
}

static bool is_acl(const struct fs *fs, const char *name)
{
	return fs->acls &&
	       (strcmp(name, "system.posix_acl_access") == 0 || strcmp(name, "system.posix_acl_default") == 0);
}

/* Lists that nobody would enforce are not taken. */
static bool is_foreign(const struct fs *fs, const char *name)
{
	return starts_with(name, "system.") && !is_acl(fs, name);
}

static bool is_asked_of_all(const char *name)
{
	return strcmp(name, "security.selinux") == 0 || strcmp(name, "security.capability") == 0;
}

/* 0 if the vault could hold an attribute of this name, else what there is to say. */
static int check_absent(const struct fs *fs, const char *name)
{
	if (starts_with(name, "user."))
		return 0;
	if (is_acl(fs, name))
		return vault_has_acls(fs->vault) ? 0 : -ENODATA;
	if (!starts_with(name, "security.") && !starts_with(name, "trusted."))
		return -EOPNOTSUPP;
	if (vault_has_privileged_xattrs(fs->vault))
		return 0;
	return is_asked_of_all(name) ? -EOPNOTSUPP : -ENODATA;
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

static void reply_vault_path(fuse_req_t req, const struct fs *fs, size_t size)
{
	char path[PATH_MAX];

	vault_path_now(fs->vault, path, sizeof(path));
	reply_value(req, path, (ssize_t)strlen(path), size);
}

/* A value that is counted, on a thread of the vault's. */
struct count {
	struct fs *fs;
	fuse_req_t req;
	fuse_ino_t ino;
	size_t size;
	char name[];
};

static void run_count(void *context)
{
	AUTO(free) struct count *count = context;
	struct fs *fs = count->fs;
	char value[32];

	reply_value(count->req, value, vault_getxattr(fs->vault, count->ino, count->name, value, sizeof(value)),
		    count->size);
	sync_leave(fs);
}

static int count_aside(fuse_req_t req, struct fs *fs, fuse_ino_t ino, const char *name, size_t size)
{
	AUTO(free) struct count *count = malloc(sizeof(*count) + strlen(name) + 1);
	int r;

	if (!count)
		return log_err(-ENOMEM, "inode %" PRIu64 ": no memory to count its chunks", (uint64_t)ino);
	*count = (struct count){ .fs = fs, .req = req, .ino = ino, .size = size };
	(void)strcpy(count->name, name);	/* there is room */
	sync_enter(fs);
	r = vault_aside(fs->vault, run_count, count);
	if (r < 0)
		sync_leave(fs);
	else
		(void)TAKE(count);	/* it is run_count()'s, and may be gone */
	return r;
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct fs *fs = fuse_req_userdata(req);
	char *buffer = worker_self()->reply;
	size_t room = size < VAULT_XATTR_MAX ? size : VAULT_XATTR_MAX;
	int absent = check_absent(fs, name), r = 0;

	if (is_vault_path(ino, name))
		reply_vault_path(req, fs, size);
	else if (control_is_search(ino, name))
		control_search(req, size);
	else if (views_is(ino))
		views_getxattr(req, ino, name, size);
	else if (absent < 0)
		reply_failure(req, absent);
	else if (vault_getxattr_is_slow(name))
		r = count_aside(req, fs, ino, name, size);
	else
		reply_value(req, buffer, vault_getxattr(fs->vault, ino, name, buffer, room), size);
	if (r < 0)
		reply_failure(req, r);
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	struct fs *fs = fuse_req_userdata(req);
	int r;

	if (views_is(ino)) {
		views_setxattr(req, ino, name, value, size);
		return;
	}
	if (is_vault_path(ino, name))
		r = -EPERM;
	else if (control_is(ino, name))
		r = control_run(req, value, size);
	else if (is_foreign(fs, name))
		r = -EOPNOTSUPP;
	else
		r = vault_setxattr(fs->vault, ino, name, value, size,
				   flags | (worker_self()->kill_sgid ? VAULT_XATTR_KILL_SGID : 0));
	reply_done(req, r);
}

/* Take the names that start with `prefix` out of a list.  Returns its new size. */
static ssize_t drop_names(char *list, ssize_t size, const char *prefix)
{
	ssize_t kept = 0;

	for (ssize_t at = 0, next; at < size; at = next) {
		next = at + (ssize_t)strlen(list + at) + 1;
		if (starts_with(list + at, prefix))
			continue;
		memmove(list + kept, list + at, (size_t)(next - at));
		kept += next - at;
	}
	return kept;
}

/* Names only what can be had. trusted.* is named to who has CAP_SYS_ADMIN, as by the disk's filesystems. A request does not
 * tell its sender's capabilities, and to read them from /proc would be slow and, when the sender has gone on, wrong: so
 * root it is. */
static ssize_t list_for(const struct fs *fs, uid_t uid, fuse_ino_t ino, char *buffer)
{
	ssize_t n = vault_listxattr(fs->vault, ino, buffer, VAULT_XATTR_MAX);

	if (n > 0 && uid != 0 && vault_has_privileged_xattrs(fs->vault))
		n = drop_names(buffer, n, "trusted.");
	if (n > 0 && !fs->acls && vault_has_acls(fs->vault))
		n = drop_names(buffer, n, "system.");
	return n;
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fs *fs = fuse_req_userdata(req);
	char *buffer = worker_self()->reply;

	if (views_is(ino))
		views_listxattr(req, ino, size);
	else
		reply_value(req, buffer, list_for(fs, fuse_req_ctx(req)->uid, ino, buffer), size);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct fs *fs = fuse_req_userdata(req);
	int r;

	if (views_is(ino)) {
		views_removexattr(req, ino, name);
		return;
	}
	if (is_vault_path(ino, name))
		r = -EPERM;
	else if (is_foreign(fs, name))
		r = -EOPNOTSUPP;
	else
		r = vault_removexattr(fs->vault, ino, name);
	reply_done(req, r);
}
