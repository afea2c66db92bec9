/* power_vault.c - the store's library as a driver of loads. See power.h.
 *
 * Each call is one change, so that a commit takes it whole or not at all. Files are kept open for a while, as programs
 * do: then a file's tail is provisional, and what is unlinked lives on without a name. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "library.h"
#include "power.h"

#define N_HELD 4u

static int resolve(struct vault_driver_context *c, const char *path, uint64_t *ret_id)
{
	struct vault_attr attr;
	int r = vault_resolve(c->vault, path, &attr);

	*ret_id = attr.id;
	return r;
}

/* The directory of `path`, and the name in it. */
static int resolve_parent(struct vault_driver_context *c, const char *path, uint64_t *ret_id,
			  const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[VAULT_PATH_MAX + 1];

	*ret_name = slash ? slash + 1 : path;
	memcpy(parent, path, slash ? (size_t)(slash - path) : 0);
	parent[slash ? slash - path : 0] = '\0';
	return resolve(c, parent, ret_id);
}

/* ---- open files ---- */

/* Purge what has no name and is not open; what is still being stored goes another time. */
static void purge_orphans(struct vault_driver_context *c)
{
	uint64_t ids[64], after = 0;
	size_t n;

	while ((n = (size_t)vault_orphans(c->vault, after, ids, 64)) > 0 && n <= 64) {
		for (size_t i = 0; i < n; i++) {
			vault_change_begin(c->vault, 0);
			(void)vault_purge(c->vault, ids[i]); /* -EBUSY: as said */
			vault_change_end(c->vault);
		}
		after = ids[n - 1];
	}
}

static void let_go(struct vault_driver_context *c, uint64_t id)
{
	for (unsigned i = 0; i < N_HELD; i++) {
		if (!c->held[i] || (id != 0 && vault_file_id(c->held[i]) != id))
			continue;
		vault_file_close(c->held[i]);
		c->held[i] = NULL;
	}
}

void vault_driver_release(struct vault_driver_context *c)
{
	let_go(c, 0);
	for (unsigned i = 0; i < N_HELD; i++) {
		vault_file_close(c->orphans[i]);
		c->orphans[i] = NULL;
	}
	purge_orphans(c);
}

/* An open file of `path`, held for a while. */
static int hold(struct vault_driver_context *c, const char *path, struct vault_file **ret)
{
	uint64_t id;
	int r = resolve(c, path, &id);

	for (unsigned i = 0; r == 0 && i < N_HELD; i++) {
		if (c->held[i] && vault_file_id(c->held[i]) == id) {
			*ret = c->held[i];
			return 0;
		}
	}
	if (r == 0)
		r = vault_file_open(c->vault, id, ret);
	if (r < 0)
		return r;
	c->next = (c->next + 1) % N_HELD;
	vault_file_close(c->held[c->next]);
	c->held[c->next] = *ret;
	return 0;
}

/* ---- calls ---- */

static int driver_make(void *context, const char *path, uint32_t mode, const char *target)
{
	struct vault_driver_context *c = context;
	struct vault_attr wanted = { .mode = mode, .uid = 1000, .gid = 100 }, made;
	const char *name;
	uint64_t parent;
	int r = resolve_parent(c, path, &parent, &name);

	if (r < 0)
		return r;
	vault_change_begin(c->vault, 0);
	r = vault_make(c->vault, parent, name, &wanted, target, &made);
	vault_change_end(c->vault);
	return r;
}

static int driver_link(void *context, const char *from, const char *to)
{
	struct vault_driver_context *c = context;
	struct vault_attr attr;
	const char *name;
	uint64_t id, parent;
	int r = resolve(c, from, &id);

	if (r == 0)
		r = resolve_parent(c, to, &parent, &name);
	if (r < 0)
		return r;
	vault_change_begin(c->vault, 0);
	r = vault_link(c->vault, id, parent, name, &attr);
	vault_change_end(c->vault);
	return r;
}

/* What lost its last name goes, now or later. */
static void unlinked(struct vault_driver_context *c, const struct vault_attr *attr)
{
	if (attr->id == 0 || attr->nlink > 0)
		return;
	let_go(c, attr->id);
	purge_orphans(c);
}

static int driver_unlink(void *context, const char *path, bool keep_open)
{
	struct vault_driver_context *c = context;
	struct vault_attr attr;
	const char *name;
	uint64_t parent;
	int r = vault_resolve(c->vault, path, &attr);

	if (r == 0)
		r = resolve_parent(c, path, &parent, &name);
	if (r == 0 && keep_open && S_ISREG(attr.mode)) {
		unsigned i = c->next = (c->next + 1) % N_HELD;

		vault_file_close(c->orphans[i]);
		c->orphans[i] = NULL;
		r = vault_file_open(c->vault, attr.id, &c->orphans[i]);
	}
	if (r < 0)
		return r;
	vault_change_begin(c->vault, 0);
	r = vault_unlink(c->vault, parent, name, &attr);
	vault_change_end(c->vault);
	if (r == 0)
		unlinked(c, &attr);
	return r;
}

static int driver_rmdir(void *context, const char *path)
{
	struct vault_driver_context *c = context;
	struct vault_attr attr;
	const char *name;
	uint64_t parent;
	int r = resolve_parent(c, path, &parent, &name);

	if (r < 0)
		return r;
	vault_change_begin(c->vault, 0);
	r = vault_rmdir(c->vault, parent, name, &attr);
	vault_change_end(c->vault);
	if (r == 0)
		unlinked(c, &attr);
	return r;
}

static int driver_rename(void *context, const char *from, const char *to, unsigned flags)
{
	struct vault_driver_context *c = context;
	struct vault_attr replaced = { .id = 0 };
	const char *from_name, *to_name;
	uint64_t from_parent, to_parent;
	int r = resolve_parent(c, from, &from_parent, &from_name);

	if (r == 0)
		r = resolve_parent(c, to, &to_parent, &to_name);
	if (r < 0)
		return r;
	vault_change_begin(c->vault, 0);
	r = vault_rename(c->vault, from_parent, from_name, to_parent, to_name, flags, &replaced);
	vault_change_end(c->vault);
	if (r == 0)
		unlinked(c, &replaced);
	return r;
}

static int driver_write(void *context, const char *path, uint64_t offset, const void *data, size_t size)
{
	struct vault_driver_context *c = context;
	struct vault_file *file;
	int r = hold(c, path, &file);

	if (r < 0)
		return r;
	vault_change_begin(c->vault, size);
	r = vault_write(file, offset, data, size, 0);
	vault_change_end(c->vault);
	return r;
}

static int set(struct vault_driver_context *c, const char *path, unsigned what,
	       const struct vault_attr *values)
{
	uint64_t id;
	int r = resolve(c, path, &id);

	if (r < 0)
		return r;
	vault_change_begin(c->vault, 0);
	r = vault_setattr(c->vault, id, what, values, NULL);
	vault_change_end(c->vault);
	return r;
}

static int driver_truncate(void *context, const char *path, uint64_t size)
{
	return set(context, path, VAULT_SET_SIZE, &(struct vault_attr){ .size = size });
}

static int driver_chmod(void *context, const char *path, uint32_t mode)
{
	return set(context, path, VAULT_SET_MODE, &(struct vault_attr){ .mode = mode });
}

static int driver_set_time(void *context, const char *path, int64_t mtime_ns)
{
	return set(context, path, VAULT_SET_MTIME, &(struct vault_attr){ .mtime_ns = mtime_ns });
}

static int driver_punch(void *context, const char *path, uint64_t offset, uint64_t length)
{
	struct vault_driver_context *c = context;
	struct vault_file *file;
	int r = hold(c, path, &file);

	if (r < 0)
		return r;
	vault_change_begin(c->vault, 0);
	r = vault_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
	vault_change_end(c->vault);
	return r;
}

static int driver_copy(void *context, const char *from, uint64_t from_offset, const char *to,
		       uint64_t to_offset, uint64_t length, uint64_t *ret_copied)
{
	struct vault_driver_context *c = context;
	struct vault_file *from_file = NULL, *to_file = NULL;
	uint64_t from_id, to_id;
	ssize_t n = 0;
	int r = resolve(c, from, &from_id);

	if (r == 0)
		r = resolve(c, to, &to_id);
	if (r == 0)
		r = vault_file_open(c->vault, from_id, &from_file);
	if (r == 0)
		r = vault_file_open(c->vault, to_id, &to_file);
	if (r == 0) {
		vault_change_begin(c->vault, 0);
		n = vault_copy_range(from_file, from_offset, to_file, to_offset, length);
		vault_change_end(c->vault);
	}
	vault_file_close(from_file);
	vault_file_close(to_file);
	*ret_copied = n < 0 ? 0 : (uint64_t)n;
	return r < 0 ? r : n < 0 ? (int)n : 0;
}

static int driver_set_xattr(void *context, const char *path, const char *name, const void *value, size_t size)
{
	struct vault_driver_context *c = context;
	uint64_t id;
	int r = resolve(c, path, &id);

	if (r < 0)
		return r;
	vault_change_begin(c->vault, 0);
	r = value ? vault_setxattr(c->vault, id, name, value, size, 0)
		  : vault_removexattr(c->vault, id, name);
	vault_change_end(c->vault);
	return r;
}

static int driver_sync(void *context, const char *path)
{
	struct vault_driver_context *c = context;

	(void)path; /* every fsync is a commit; now and then somebody searches, too */
	return ++c->n_syncs % 8 == 0 ? vault_search_sync(c->vault) : vault_sync(c->vault);
}

static int driver_stat(void *context, const char *path, struct vault_attr *ret)
{
	struct vault_driver_context *c = context;

	return vault_resolve(c->vault, path, ret);
}

const struct driver vault_driver = {
	.make = driver_make,
	.link = driver_link,
	.unlink = driver_unlink,
	.rmdir = driver_rmdir,
	.rename = driver_rename,
	.write = driver_write,
	.truncate = driver_truncate,
	.punch = driver_punch,
	.copy = driver_copy,
	.chmod = driver_chmod,
	.set_time = driver_set_time,
	.set_xattr = driver_set_xattr,
	.sync = driver_sync,
	.stat = driver_stat,
};
