/* target.c - what a path on the command line is: a vault, or something in a mount of one.
 *
 * Knows how a mount is recognised (an xattr on its root) and how the vault behind it is read. See target.h. */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "auto.h"
#include "fs.h"
#include "log.h"
#include "mounts.h"

/* 1, 0, or -EACCES this user may not look. */
static int looks_like_vault(const char *path)
{
	AUTO(fd) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dir < 0 || fstatat(dir, "packs", &st, 0) < 0)
		return errno == EACCES ? -EACCES : 0;
	if (!S_ISDIR(st.st_mode))
		return 0;
	/* A vault whose packs alone were saved can be rebuilt from them. */
	return faccessat(dir, "lock", F_OK, 0) == 0 || faccessat(dir, "vault.db", F_OK, 0) == 0 ||
	       faccessat(dir, "packs/00000001.pack", F_OK, 0) == 0;
}

static int find_failed(const char *what, const char *path, int r)
{
	if (r == -ENOTCONN)
		return log_err(r, "%s: %s: the mount's daemon is gone: `vaultfs umount %s` clears it", what,
			       path, path);
	if (r == -EACCES)
		return log_err(r, "%s: %s: no permission: the path, or the mount, belongs to another user",
			       what, path);
	return log_err(r, "%s: %s: ", what, path);
}

/* The vault behind the mount at `root`.  -ENODATA it is not ours. */
static int vault_behind(const char *root, char **ret)
{
	char value[PATH_MAX];
	ssize_t n = getxattr(root, FS_VAULT_XATTR, value, sizeof(value) - 1);

	if (n < 0)
		return errno == ENOTCONN || errno == EACCES ? -errno : -ENODATA;
	value[n] = '\0';
	if (value[0] != '/')
		return -ENODATA;
	*ret = strdup(value);
	return *ret ? 0 : -ENOMEM;
}

static int find_mount(const char *path, struct target *ret)
{
	AUTO(free) char *root = NULL;
	AUTO(free) char *vault = NULL;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return -errno;
	r = mounts_root_of(path, &root);
	if (r < 0)
		return r;
	r = vault_behind(root, &vault);
	if (r < 0)
		return r;
	ret->kind = TARGET_MOUNT;
	ret->vault = TAKE(vault);
	ret->mount = TAKE(root);
	ret->id = st.st_ino;
	ret->mode = st.st_mode;
	return 0;
}

int target_find(const char *what, const char *path, struct target *ret)
{
	AUTO(free) char *named = NULL;
	AUTO(free) char *real = NULL;
	int r;

	*ret = (struct target){ .given = path, .id = VAULT_ROOT_ID, .mode = S_IFDIR };
	/* First the name itself: a symbolic link in a mount is an inode of the vault like any other. */
	r = mounts_absolute(path, &named);
	if (r == 0)
		r = find_mount(named, ret);
	if (r == 0)
		return 0;
	if (r != -ENODATA)
		return find_failed(what, path, r);

	real = realpath(path, NULL);
	if (!real)
		return find_failed(what, path, -errno);
	r = strcmp(real, named) == 0 ? -ENODATA : find_mount(real, ret);
	if (r == 0)
		return 0;
	if (r != -ENODATA)
		return find_failed(what, path, r);

	r = looks_like_vault(real);
	if (r < 0)
		return find_failed(what, path, r);
	if (r == 0)
		return log_err(
			-EINVAL,
			"%s: %s: neither a vault nor a path in a mounted one: `vaultfs init` makes a vault, "
			"`vaultfs mount` mounts it",
			what, path);
	ret->kind = TARGET_VAULT;
	ret->vault = TAKE(real);
	return 0;
}

int target_find_mounted(const char *what, const char *path, struct target *ret)
{
	int r = target_find(what, path, ret);

	if (r < 0 || ret->kind == TARGET_MOUNT)
		return r;
	return log_err(-EINVAL,
		       "%s: %s: is a vault, and this needs a path in a mount: mount it first "
		       "(vaultfs mount %s DIRECTORY)",
		       what, path, path);
}

int target_find_vault(const char *what, const char *path, struct target *ret)
{
	int r = target_find(what, path, ret);

	if (r < 0 || ret->kind == TARGET_VAULT)
		return r;
	return log_err(-EINVAL,
		       "%s: %s: is in a mount, and this needs a vault that is not mounted: "
		       "`vaultfs umount %s`, then name the vault %s",
		       what, path, ret->mount, ret->vault);
}

void target_release(struct target *target)
{
	free(target->vault);
	free(target->mount);
	target->vault = NULL;
	target->mount = NULL;
}

int target_sync(const char *what, const struct target *target)
{
	AUTO(fd) int dir = open(target->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return log_err(-errno, "%s: %s: cannot open the mount: ", what, target->mount);
	if (fsync(dir) < 0)
		return log_err(-errno,
			       "%s: %s: the mount could not write everything to disk; its log says why: ",
			       what, target->mount);
	return 0;
}

int target_vault_in_use(const char *vault_path)
{
	AUTO(free) char *path = NULL;
	AUTO(fd) int lock = -1;

	if (asprintf(&path, "%s/lock", vault_path) < 0) {
		path = NULL; /* undefined then */
		return -ENOMEM;
	}
	lock = open(path, O_RDONLY | O_CLOEXEC);
	if (lock < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(lock, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 1 : -errno;
	return 0; /* closing it lets go */
}

int target_open(const char *what, const struct target *target, struct vault **ret)
{
	struct vault_open_options options = { .flags = VAULT_OPEN_SHARED };

	if (target->kind == TARGET_MOUNT) {
		int r = target_sync(what, target);

		/* A read-only mount has nothing to commit; one that failed to write still shows its last commit. */
		if (r < 0 && r != -EROFS)
			log_warn("%s: %s: reading what was last written", what, target->mount);
	}
	/* Nobody writes, not even a daemon where the disk is read-only: then the database is read without its log. */
	if (target_vault_in_use(target->vault) <= 0)
		options.flags = VAULT_OPEN_READ_ONLY;
	return vault_open(target->vault, &options, ret);
}

int target_open_to_search(const char *what, const struct target *target, struct vault **ret)
{
	if (target->kind == TARGET_MOUNT && getxattr(target->mount, FS_SEARCH_XATTR, NULL, 0) < 0)
		log_warn("%s: %s: the mount cannot find words that were written lately; its log says why", what, target->mount);
	if (target_vault_in_use(target->vault) == 0 && access(target->vault, W_OK) == 0)
		return vault_open(target->vault, NULL, ret);
	return target_open(what, target, ret);
}

/* The next name of `*path`, moved behind it. Returns its length, 0 at the end; *ret_name borrowed from the path. */
static size_t next_name(const char **path, const char **ret_name)
{
	size_t n;

	*path += strspn(*path, "/");
	n = strcspn(*path, "/");
	*ret_name = *path;
	*path += n;
	return n;
}

int target_resolve(const char *what, const struct target *target, struct vault *vault, const char *path,
		   struct vault_attr *ret)
{
	const char *rest = path ? path : "";
	const char *name;
	struct vault_attr attr;
	size_t n;
	int r = vault_getattr(vault, target->id, &attr);

	if (r == -ENOENT)
		return log_err(r, "%s: %s: a view, not a file or directory of the vault: name the original",
			       what, target->given);
	while (r == 0 && (n = next_name(&rest, &name)) > 0) {
		char text[VAULT_NAME_MAX + 1];

		if (n > VAULT_NAME_MAX)
			return log_err(-ENAMETOOLONG, "%s: %s: a name is longer than %u bytes", what, path,
				       VAULT_NAME_MAX);
		(void)snprintf(text, sizeof(text), "%.*s", (int)n, name);
		r = strcmp(text, ".") == 0 ? 0 : vault_lookup(vault, attr.id, text, &attr);
	}
	if (r == -ENOENT || r == -ENOTDIR)
		return log_err(r, "%s: %s: no such file or directory in %s", what, path, target->given);
	if (r == 0)
		*ret = attr;
	return r;
}
