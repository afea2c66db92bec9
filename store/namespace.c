/* namespace.c - inodes and their names: look up, make, link, remove, list, purge.
 *
 * The rules of a directory tree, with ext4's link counts and times; rename(2) has rename.c to itself, rows are
 * entries.c's and inodes.c's. Knows no SQL. A removed directory keeps its inode with nlink 0, as an unlinked file
 * does, until vault_purge(); it takes no new entries. */
#include "vault.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "attributes.h"
#include "commit.h"
#include "derived.h"
#include "directories.h"
#include "entries.h"
#include "file.h"
#include "inode_acl.h"
#include "inodes.h"
#include "jobs.h"
#include "live.h"
#include "locations.h"
#include "manifest.h"
#include "namespace.h"
#include "xattrs.h"

#define DERIVED_AT_ONCE 16 /* inodes made from a file that are purged with it; more are found by vault_orphans() */

int directory_get_locked(struct vault *vault, uint64_t id, struct inode *ret)
{
	int r = inode_get_locked(vault, id, ret);

	if (r < 0)
		return r;
	if (!S_ISDIR(ret->attr.mode))
		return -ENOTDIR;
	return ret->attr.nlink == 0 ? -ENOENT : 0;
}

int directory_changed_locked(struct vault *vault, struct inode *directory, int64_t now, int subdirectories)
{
	directory->attr.nlink += (uint32_t)subdirectories;
	directory->attr.mtime_ns = now;
	directory->attr.ctime_ns = now;
	return inode_put_locked(vault, &directory->attr);
}

int inode_lose_name_locked(struct vault *vault, struct inode *inode, int64_t now)
{
	if (S_ISDIR(inode->attr.mode))
		inode->attr.nlink = 0;
	else if (inode->attr.nlink > 0)
		inode->attr.nlink--;
	inode->attr.ctime_ns = now;
	return inode_put_locked(vault, &inode->attr);
}

/* ---- looking ---- */

int vault_lookup(struct vault *vault, uint64_t parent, const char *name, struct vault_attr *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct entry entry;
	int r = entry_find_locked(vault, parent, name, &entry);

	vault_note_activity(vault);
	if (r < 0)
		return r;
	*ret = entry.inode.attr;
	return 0;
}

int vault_getattr(struct vault *vault, uint64_t id, struct vault_attr *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct inode inode;
	int r = inode_get_locked(vault, id, &inode);

	if (r < 0)
		return r;
	*ret = inode.attr;
	return 0;
}

int vault_parent(struct vault *vault, uint64_t id, uint64_t *ret_parent)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct inode inode;
	int r = directory_get_locked(vault, id, &inode);

	if (r < 0)
		return r;
	if (id == VAULT_ROOT_ID) {
		*ret_parent = VAULT_ROOT_ID;
		return 0;
	}
	return entry_of_locked(vault, id, ret_parent, NULL);
}

int vault_name_of(struct vault *vault, uint64_t id, uint64_t *ret_parent, char *ret_name)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);

	(void)held;
	return entry_of_locked(vault, id, ret_parent, ret_name);
}

int vault_resolve(struct vault *vault, const char *path, struct vault_attr *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct entry at = { 0 };
	int r = inode_get_locked(vault, VAULT_ROOT_ID, &at.inode);

	while (r == 0) {
		char name[VAULT_NAME_MAX + 1];
		size_t size;

		path += strspn(path, "/");
		size = strcspn(path, "/");
		if (size == 0)
			break;
		if (size > VAULT_NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, path, size);
		name[size] = '\0';
		path += size;
		r = entry_find_locked(vault, at.inode.attr.id, name, &at);
	}
	if (r < 0)
		return r;
	*ret = at.inode.attr;
	return 0;
}

int vault_readlink(struct vault *vault, uint64_t id, char *buffer)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct inode inode;
	int r = inode_get_locked(vault, id, &inode);

	if (r < 0)
		return r;
	return S_ISLNK(inode.attr.mode) ? symlink_get_locked(vault, id, buffer) : -EINVAL;
}

int vault_readdir(struct vault *vault, uint64_t id, uint64_t cookie, bool with_attributes,
		  int (*emit)(void *context, const struct vault_entry *entry), void *context)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct inode inode;
	int r = inode_get_locked(vault, id, &inode);

	vault_note_activity(vault);
	if (r < 0)
		return r;
	if (!S_ISDIR(inode.attr.mode))
		return -ENOTDIR;
	return entry_each_locked(vault, id, cookie, with_attributes, emit, context);
}

void vault_was_read(struct vault *vault, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct inode inode;

	if (vault->read_only)
		return;
	held = lock_mutex(&vault->db.lock);
	if (inode_get_locked(vault, id, &inode) == 0)
		live_was_read(vault, &inode.attr);
}

int vault_orphans(struct vault *vault, uint64_t after, uint64_t *ret_ids, size_t n)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);

	return entry_orphans_locked(vault, after, ret_ids, n);
}

/* ---- attributes ---- */

static void drop_privileges(struct vault_attr *attr)
{
	attr->mode &= ~(uint32_t)S_ISUID;
	if (attr->mode & S_IXGRP)
		attr->mode &= ~(uint32_t)S_ISGID;
}

static void apply(struct vault_attr *attr, unsigned set, const struct vault_attr *values)
{
	if (set & VAULT_SET_MODE)
		attr->mode = (attr->mode & S_IFMT) | (values->mode & 07777);
	if (set & VAULT_SET_UID)
		attr->uid = values->uid;
	if (set & VAULT_SET_GID)
		attr->gid = values->gid;
	if (set & VAULT_SET_ATIME)
		attr->atime_ns = values->atime_ns;
	if (set & VAULT_SET_MTIME)
		attr->mtime_ns = values->mtime_ns;
	attr->ctime_ns = set & VAULT_SET_CTIME ? values->ctime_ns : clock_now_ns();
	if ((set & VAULT_SET_KILL_PRIV) && !S_ISDIR(attr->mode))
		drop_privileges(attr);
	if ((set & VAULT_SET_KILL_SGID) && !S_ISDIR(attr->mode))
		attr->mode &= ~(uint32_t)S_ISGID;
}

int vault_setattr(struct vault *vault, uint64_t id, unsigned set, const struct vault_attr *values,
		  struct vault_attr *ret)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { 0 };
	struct inode inode;
	int r = 0;

	/* First, since it takes the inode's lock, which comes before the metadata lock. */
	if (set & VAULT_SET_SIZE)
		r = file_truncate(vault, id, values->size);
	if (r == 0)
		r = commit_lock(vault, &held);
	if (r == 0)
		r = inode_get_locked(vault, id, &inode);
	if (r < 0)
		return r;
	if (set != VAULT_SET_SIZE) {	/* nothing at all sets ctime, which a chown to nobody does */
		if ((set & VAULT_SET_KILL_PRIV) && vault_has_privileged_xattrs(vault)) {
			r = savepoint_begin(&vault->db, &all);
			if (r == 0)
				r = xattrs_drop_capability_locked(vault, id);
		}
		apply(&inode.attr, set, values);
		if (r == 0)
			r = inode_put_locked(vault, &inode.attr);
		if (r == 0 && set & (VAULT_SET_MODE | VAULT_SET_UID | VAULT_SET_GID))
			r = derived_follow_locked(vault, &inode.attr);
		if (r == 0 && all.db)
			r = savepoint_commit(&all);
		if (r < 0)
			return r;
	}
	if (ret)
		*ret = inode.attr;
	return 0;
}

/* ---- making ---- */

static int check_wanted(const struct vault_attr *wanted, const char *target)
{
	switch (wanted->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return target ? -EINVAL : 0;
	case S_IFLNK:
		if (!target)
			return -EINVAL;
		if (target[0] == '\0')
			return -ENOENT;
		return strnlen(target, VAULT_PATH_MAX + 1) > VAULT_PATH_MAX ? -ENAMETOOLONG : 0;
	default:
		return -EINVAL;
	}
}

/* What a new inode looks like below `parent`. */
static void inode_fill(struct vault *vault, const struct vault_attr *parent, const struct vault_attr *wanted,
		       const char *target, int64_t now, struct inode *ret)
{
	bool is_device = S_ISCHR(wanted->mode) || S_ISBLK(wanted->mode);
	bool is_directory = S_ISDIR(wanted->mode);

	*ret = (struct inode){
		.attr = {
			.id = vault_new_id_locked(vault),
			.size = is_directory ? DIRECTORY_SIZE : target ? strlen(target) : 0,
			.rdev = is_device ? wanted->rdev : 0,
			.atime_ns = now,
			.mtime_ns = now,
			.ctime_ns = now,
			.btime_ns = now,
			.mode = wanted->mode & (S_IFMT | 07777),
			.uid = wanted->uid,
			.gid = wanted->gid,
			.nlink = is_directory ? 2 : 1,
		},
	};
	if (S_ISREG(wanted->mode))
		ret->manifest_id = vault_new_id_locked(vault);
	if (parent->mode & S_ISGID) {
		ret->attr.gid = parent->gid;
		if (is_directory)
			ret->attr.mode |= S_ISGID;
	}
}

/* `umask` NULL: nothing is inherited, and the mode is the wanted one. */
static int make(struct vault *vault, uint64_t parent, const char *name, const struct vault_attr *wanted,
		const uint32_t *umask, const char *target, struct vault_attr *ret)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { 0 };
	struct inode directory, inode;
	int64_t now = clock_now_ns();
	int r = entry_name_check(name);

	if (r == 0)
		r = check_wanted(wanted, target);
	if (r == 0)
		r = commit_lock_to_grow(vault, &held);
	if (r == 0)
		r = directory_get_locked(vault, parent, &directory);
	if (r < 0)
		return r;
	if (S_ISDIR(wanted->mode) && directory.attr.nlink == UINT32_MAX)
		return -EMLINK;
	inode_fill(vault, &directory.attr, wanted, target, now, &inode);

	r = savepoint_begin(&vault->db, &all);
	if (r == 0)
		r = entry_insert_locked(vault, parent, name, inode.attr.id); /* tells -EEXIST */
	if (r == 0 && umask)
		r = inode_acl_inherit_locked(vault, parent, &inode.attr, *umask);
	if (r == 0)
		r = inode_insert_locked(vault, &inode);
	if (r == 0)
		r = directory_changed_locked(vault, &directory, now, S_ISDIR(wanted->mode) ? 1 : 0);
	if (r == 0 && S_ISREG(wanted->mode))
		r = attributes_inherit_by_name_locked(vault, parent, name, inode.attr.id);
	if (r == 0 && target)
		r = symlink_insert_locked(vault, inode.attr.id, target);
	if (r == 0 && S_ISDIR(wanted->mode))
		r = directories_add_locked(vault, inode.attr.id);
	if (r == 0)
		r = savepoint_commit(&all);
	if (r < 0)
		return r;
	*ret = inode.attr;
	return 0;
}

int vault_make(struct vault *vault, uint64_t parent, const char *name, const struct vault_attr *wanted,
	       const char *target, struct vault_attr *ret)
{
	return make(vault, parent, name, wanted, NULL, target, ret);
}

int vault_make_inheriting(struct vault *vault, uint64_t parent, const char *name, const struct vault_attr *wanted,
			  uint32_t umask, const char *target, struct vault_attr *ret)
{
	return make(vault, parent, name, wanted, &umask, target, ret);
}

int vault_link(struct vault *vault, uint64_t id, uint64_t parent, const char *name, struct vault_attr *ret)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { 0 };
	struct inode directory, inode;
	int64_t now = clock_now_ns();
	int r = entry_name_check(name);

	if (r == 0)
		r = commit_lock_to_grow(vault, &held);
	if (r == 0)
		r = inode_get_locked(vault, id, &inode);
	if (r == 0)
		r = directory_get_locked(vault, parent, &directory);
	if (r < 0)
		return r;
	if (S_ISDIR(inode.attr.mode))
		return -EPERM;
	if (inode.attr.nlink == 0)
		return -ENOENT;
	r = derived_is_locked(vault, id);
	if (r != 0)
		return r < 0 ? r : -EPERM;

	r = savepoint_begin(&vault->db, &all);
	if (r == 0)
		r = entry_insert_locked(vault, parent, name, id); /* tells -EEXIST */
	if (r == 0 && inode.attr.nlink >= INODE_NAMES_MAX)
		r = -EMLINK;
	if (r < 0)
		return r;
	inode.attr.nlink++;
	inode.attr.ctime_ns = now;
	r = inode_put_locked(vault, &inode.attr);
	if (r == 0)
		r = directory_changed_locked(vault, &directory, now, 0);
	if (r == 0)
		r = savepoint_commit(&all);
	if (r == 0 && ret)
		*ret = inode.attr;
	return r;
}

/* ---- removing ---- */

/* Remove what vault_unlink() and vault_rmdir() have found fit to go. */
static int entry_remove_locked(struct vault *vault, struct entry *entry)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	bool is_directory = S_ISDIR(entry->inode.attr.mode);
	struct inode directory;
	int64_t now = clock_now_ns();
	int r = inode_get_locked(vault, entry->directory_id, &directory);

	if (r == 0)
		r = savepoint_begin(&vault->db, &all);
	if (r == 0)
		r = entry_delete_locked(vault, entry);
	if (r == 0)
		r = inode_lose_name_locked(vault, &entry->inode, now);
	if (r == 0)
		r = directory_changed_locked(vault, &directory, now, is_directory ? -1 : 0);
	if (r == 0 && is_directory)
		r = directories_remove_locked(vault, entry->inode.attr.id);
	return r < 0 ? r : savepoint_commit(&all);
}

int vault_unlink(struct vault *vault, uint64_t parent, const char *name, struct vault_attr *ret)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct entry entry;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = entry_find_locked(vault, parent, name, &entry);
	if (r < 0)
		return r;
	if (S_ISDIR(entry.inode.attr.mode))
		return -EISDIR;
	r = entry_remove_locked(vault, &entry);
	if (r == 0 && ret)
		*ret = entry.inode.attr;
	return r;
}

int vault_rmdir(struct vault *vault, uint64_t parent, const char *name, struct vault_attr *ret)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct entry entry;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = entry_find_locked(vault, parent, name, &entry);
	if (r < 0)
		return r;
	if (!S_ISDIR(entry.inode.attr.mode))
		return -ENOTDIR;
	if (entry.inode.attr.id == VAULT_ROOT_ID)
		return -EBUSY;
	r = entry_has_any_locked(vault, entry.inode.attr.id);
	if (r != 0)
		return r < 0 ? r : -ENOTEMPTY;
	r = entry_remove_locked(vault, &entry);
	if (r == 0 && ret)
		*ret = entry.inode.attr;
	return r;
}

/* The inode and what is known of it. *ret_derived: what was made from it, without a link from now on. */
static int delete_locked(struct vault *vault, const struct inode *inode, uint64_t ret_derived[DERIVED_AT_ONCE])
{
	AUTO(savepoint) struct savepoint all = { 0 };
	const uint64_t id = inode->attr.id;
	int n_derived = 0;
	int r = savepoint_begin(&vault->db, &all);

	if (r == 0 && S_ISREG(inode->attr.mode) && inode->manifest_id != 0)
		r = manifest_drop_locked(vault, inode->manifest_id);
	if (r == 0 && S_ISLNK(inode->attr.mode))
		r = symlink_delete_locked(vault, id);
	if (r == 0)
		r = xattrs_forget_locked(vault, id);
	if (r == 0)
		r = attributes_forget_locked(vault, id);
	if (r == 0)
		r = origin_forget_locked(vault, id);
	if (r == 0)
		r = jobs_forget_locked(vault, id);
	if (r == 0)
		r = n_derived = derived_release_locked(vault, id, ret_derived, DERIVED_AT_ONCE);
	if (r >= 0)
		r = inode_delete_locked(vault, id);
	if (r == 0)
		r = savepoint_commit(&all);
	return r < 0 ? r : n_derived;
}

static int purge_one_locked(struct vault *vault, uint64_t id, uint64_t ret_derived[DERIVED_AT_ONCE])
{
	struct inode inode;
	int r = inode_get_locked(vault, id, &inode);

	if (r < 0)
		return r;
	if (inode.attr.nlink > 0 || live_is_busy(vault, id))
		return -EBUSY;
	r = delete_locked(vault, &inode, ret_derived);
	if (r >= 0)
		live_forget(vault, id);
	return r;
}

int inode_purge_locked(struct vault *vault, uint64_t id)
{
	uint64_t derived[DERIVED_AT_ONCE], deeper[DERIVED_AT_ONCE];
	int n = purge_one_locked(vault, id, derived);

	/* One that is read, or was given a name, stays; nothing is made from these, whatever a forged table says. */
	for (int i = 0; i < n; i++)
		(void)purge_one_locked(vault, derived[i], deeper);
	return n < 0 ? n : 0;
}

int vault_purge(struct vault *vault, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = commit_lock(vault, &held);

	return r < 0 ? r : inode_purge_locked(vault, id);
}
