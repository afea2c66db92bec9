/* metadata.c - what import and export share: a file's attributes on both sides of the vault's wall. See metadata.h. */
#include "metadata.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>

#include "auto.h"
#include "log.h"

#define XATTR_MIME "user.mime_type" /* what the indexer found: never copied */
#define NS 1000000000

void metadata_report_losses(const char *what, struct metadata_losses *losses)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&losses->lock);

	(void)held;
	if (losses->n > 0)
		log_warn("%s: %" PRIu64 " extended attribute%s could not be kept, the first: %s", what,
			 losses->n, losses->n == 1 ? "" : "s", losses->first);
}

static void lose(struct metadata_losses *losses, const char *name, const char *path)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&losses->lock);

	(void)held;
	if (losses->n++ == 0)
		(void)snprintf(losses->first, sizeof(losses->first), "%s of %s", name, path); /* may be cut */
}

int64_t metadata_ns(struct timespec time)
{
	int64_t ns;

	if (__builtin_mul_overflow((int64_t)time.tv_sec, NS, &ns) ||
	    __builtin_add_overflow(ns, time.tv_nsec, &ns))
		return time.tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

struct timespec metadata_timespec(int64_t ns)
{
	int64_t rest = ns % NS;
	int64_t seconds = ns / NS - (rest < 0);

	return (struct timespec){ .tv_sec = (time_t)seconds, .tv_nsec = (long)(rest < 0 ? rest + NS : rest) };
}

struct vault_attr metadata_from_stat(const struct stat *st)
{
	return (struct vault_attr){
		.size = (uint64_t)st->st_size,
		.rdev = st->st_rdev,
		.atime_ns = metadata_ns(st->st_atim),
		.mtime_ns = metadata_ns(st->st_mtim),
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
	};
}

int metadata_set(struct vault *vault, uint64_t id, const struct vault_attr *wanted, bool with_size)
{
	unsigned set = VAULT_SET_MODE | VAULT_SET_UID | VAULT_SET_GID | VAULT_SET_ATIME | VAULT_SET_MTIME |
		       (with_size ? (unsigned)VAULT_SET_SIZE : 0u);
	int r;

	vault_change_begin(vault, 0);
	r = vault_setattr(vault, id, set, wanted, NULL);
	vault_change_end(vault);
	return r;
}

/* An O_PATH descriptor is refused by the f*xattr calls; through this link they find the very inode, symbolic links
 * included. */
struct fd_path {
	char text[40];
};

static struct fd_path path_of(int fd)
{
	struct fd_path path;

	(void)snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
	return path;
}

static bool is_refusal(int r)
{
	return r == -EOPNOTSUPP || r == -EPERM || r == -EACCES || r == -EINVAL || r == -E2BIG ||
	       r == -ENOSPC || r == -ERANGE;
}

/* Room for a list of names, a value, and what ends a string. */
static int allocate(char **ret_names, char **ret_value, const char *path)
{
	*ret_names = malloc(VAULT_XATTR_MAX + 1);
	*ret_value = malloc(VAULT_XATTR_MAX + 1);
	return *ret_names && *ret_value ? 0 : log_err(-ENOMEM, "%s: no memory for extended attributes", path);
}

static int put_in(struct vault *vault, uint64_t id, const char *name, const void *value, size_t size)
{
	int r;

	vault_change_begin(vault, 0);
	r = vault_setxattr(vault, id, name, value, size, 0);
	vault_change_end(vault);
	return r;
}

int metadata_xattrs_in(struct vault *vault, uint64_t id, int fd, const char *path,
		       struct metadata_losses *losses)
{
	struct fd_path at = path_of(fd);
	AUTO(free) char *names = NULL;
	AUTO(free) char *value = NULL;
	ssize_t n_names = listxattr(at.text, NULL, 0), n;
	int r;

	if (n_names == 0 || (n_names < 0 && (errno == ENOTSUP || errno == EACCES || errno == EPERM)))
		return 0;
	r = allocate(&names, &value, path);
	if (r < 0)
		return r;
	n_names = listxattr(at.text, names, VAULT_XATTR_MAX);
	if (n_names < 0)
		return log_err(-errno, "%s: cannot list its extended attributes: ", path);
	for (const char *name = names; name < names + n_names; name += strlen(name) + 1) {
		if (strcmp(name, XATTR_MIME) == 0)
			continue;
		n = getxattr(at.text, name, value, VAULT_XATTR_MAX);
		r = n < 0 ? -errno : put_in(vault, id, name, value, (size_t)n);
		if (r == -ENODATA)
			continue; /* gone since it was listed */
		if (r < 0 && !is_refusal(r))
			return r;
		if (r < 0)
			lose(losses, name, path);
	}
	return 0;
}

/* Access control lists that a new file has from the directory it was made in are not the vault's. */
static void drop_inherited(const char *at)
{
	static const char *const lists[] = { "system.posix_acl_access", "system.posix_acl_default" };

	if (listxattr(at, NULL, 0) <= 0)
		return;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		(void)removexattr(at, lists[i]); /* most have none */
}

int metadata_xattrs_out(struct vault *vault, uint64_t id, int fd, const char *path,
			struct metadata_losses *losses)
{
	struct fd_path at = path_of(fd);
	AUTO(free) char *names = NULL;
	AUTO(free) char *value = NULL;
	ssize_t n_names = vault_listxattr(vault, id, NULL, 0), n;
	int r;

	drop_inherited(at.text);
	if (n_names <= 0)
		return (int)n_names;
	r = allocate(&names, &value, path);
	if (r < 0)
		return r;
	n_names = vault_listxattr(vault, id, names, VAULT_XATTR_MAX);
	if (n_names < 0)
		return (int)n_names;
	names[n_names] = '\0';
	for (const char *name = names; name < names + n_names; name += strlen(name) + 1) {
		if (strcmp(name, XATTR_MIME) == 0)
			continue;
		n = vault_getxattr(vault, id, name, value, VAULT_XATTR_MAX);
		if (n == -ENODATA)
			continue; /* gone since it was listed */
		if (n < 0)
			return (int)n;
		r = setxattr(at.text, name, value, (size_t)n, 0) < 0 ? -errno : 0;
		if (r < 0 && !is_refusal(r))
			return log_err(r, "%s: cannot set %s: ", path, name);
		if (r < 0)
			lose(losses, name, path);
	}
	return 0;
}
