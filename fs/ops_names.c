/* ops_names.c - names: look up, make, link, remove, rename, forget. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "orphans.h"
#include "reply.h"
#include "views.h"

/* NFS servers ask for "." and ".."; they are not stored. They ask only for what the kernel does not know any more, so that
 * an inode without a name is gone, purged or not. */
static int lookup_dots(struct fs *fs, uint64_t id, const char *name, struct vault_attr *ret)
{
	uint64_t parent = id;
	int r = name[1] == '.' ? vault_parent(fs->vault, id, &parent) : 0;

	if (r == 0)
		r = vault_getattr(fs->vault, parent, ret);
	return r == 0 && ret->nlink == 0 ? -ENOENT : r;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr attr;
	int r;

	if (strnlen(name, VAULT_NAME_MAX + 1) > VAULT_NAME_MAX) {
		r = -ENAMETOOLONG;
	} else if (views_is(parent)) {
		views_lookup(req, parent, name);
		return;
	} else if (views_is_name(fs, parent, name)) {
		views_reply_top(req);
		return;
	} else if (is_dots(name)) {
		r = lookup_dots(fs, parent, name, &attr);
	} else {
		r = vault_lookup(fs->vault, parent, name, &attr);
	}
	if (r == -ENOENT)
		reply_absent(req);	/* the kernel may remember this too */
	else if (r < 0)
		reply_failure(req, r);
	else
		(void)reply_entry(req, fs, &attr);
}

static int make(fuse_req_t req, uint64_t parent, const char *name, mode_t mode, dev_t rdev, const char *target,
		struct vault_attr *ret)
{
	struct fs *fs = fuse_req_userdata(req);
	const struct fuse_ctx *caller = fuse_req_ctx(req);
	struct vault_attr wanted = { .mode = mode, .uid = caller->uid, .gid = caller->gid, .rdev = rdev };

	if (views_is_name(fs, parent, name))
		return -EEXIST;
	if (!fs->acls)	/* then the kernel has taken the umask off */
		return vault_make(fs->vault, parent, name, &wanted, target, ret);
	return vault_make_inheriting(fs->vault, parent, name, &wanted, caller->umask, target, ret);
}

static void make_and_reply(fuse_req_t req, uint64_t parent, const char *name, mode_t mode, dev_t rdev,
			   const char *target)
{
	struct vault_attr attr;
	int r = make(req, parent, name, mode, rdev, target, &attr);

	if (r < 0)
		reply_failure(req, r);
	else
		(void)reply_entry(req, fuse_req_userdata(req), &attr);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	if (views_is(parent))
		views_mknod(req, parent, name, mode);
	else
		make_and_reply(req, parent, name, mode, S_ISCHR(mode) || S_ISBLK(mode) ? rdev : 0, NULL);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	if (views_is(parent))
		views_mkdir(req, parent, name);
	else
		make_and_reply(req, parent, name, S_IFDIR | (mode & ~(mode_t)S_IFMT), 0, NULL);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	if (views_is(parent))
		reply_failure(req, -EPERM);
	else
		make_and_reply(req, parent, name, S_IFLNK | 0777, 0, target);
}

/* The name was there after all: open what it is, as open(2) without O_EXCL does. */
static int open_existing(struct fs *fs, uint64_t parent, const char *name, int flags, struct vault_attr *ret)
{
	struct vault_attr empty = { .size = 0 };
	int r = vault_lookup(fs->vault, parent, name, ret);

	if (r < 0)
		return r;
	if (flags & O_TRUNC)
		return vault_setattr(fs->vault, ret->id, VAULT_SET_SIZE, &empty, ret);
	return 0;
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr attr;
	int r;

	if (views_is(parent)) {
		views_create(req, parent, name, mode, fi);
		return;
	}
	r = make(req, parent, name, S_IFREG | (mode & ~(mode_t)S_IFMT), 0, NULL, &attr);
	if (r == -EEXIST && !(fi->flags & O_EXCL))
		r = open_existing(fs, parent, name, fi->flags, &attr);
	if (r >= 0)
		r = handle_open(fs, attr.id, fi);
	if (r < 0)
		reply_failure(req, r);
	else
		reply_open(req, fs, &attr, fi);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr attr;
	int r;

	if (views_is(new_parent)) {
		views_link(req, ino, new_parent, new_name);
		return;
	}
	if (views_is_name(fs, new_parent, new_name))
		r = -EEXIST;
	else
		r = views_is(ino) ? -EPERM : vault_link(fs->vault, ino, new_parent, new_name, &attr);
	if (r < 0)
		reply_failure(req, r);
	else
		(void)reply_entry(req, fs, &attr);
}

/* `lost` has one name less; without any it is purged once the kernel has forgotten it. */
static void name_lost(struct fs *fs, const struct vault_attr *lost)
{
	if (lost->id != 0 && lost->nlink == 0)
		orphans_add(fs->orphans, lost->id);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr lost = { .id = 0 };
	int r;

	if (views_is(parent)) {
		views_unlink(req, parent, name);
		return;
	}
	r = views_is_name(fs, parent, name) ? -EISDIR : vault_unlink(fs->vault, parent, name, &lost);
	if (r >= 0)
		name_lost(fs, &lost);	/* before the reply, which may bring the FORGET at once */
	reply_done(req, r);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr lost = { .id = 0 };
	int r;

	if (views_is(parent)) {
		views_rmdir(req, parent, name);
		return;
	}
	r = views_is_name(fs, parent, name) ? -EBUSY : vault_rmdir(fs->vault, parent, name, &lost);
	if (r >= 0)
		name_lost(fs, &lost);
	reply_done(req, r);
}

/* Which directories have another parent after a rename that succeeded. */
static bool moved_directories(struct fs *fs, uint64_t parent, const char *name, uint64_t new_parent,
			      const char *new_name, unsigned flags, uint64_t ret_ids[2])
{
	struct vault_attr attr;

	ret_ids[0] = ret_ids[1] = 0;
	if (parent == new_parent)
		return false;
	if (vault_lookup(fs->vault, new_parent, new_name, &attr) == 0 && S_ISDIR(attr.mode))
		ret_ids[0] = attr.id;
	if ((flags & RENAME_EXCHANGE) && vault_lookup(fs->vault, parent, name, &attr) == 0 && S_ISDIR(attr.mode))
		ret_ids[1] = attr.id;
	return ret_ids[0] != 0 || ret_ids[1] != 0;
}

/* Into or out of a view nothing is moved: after EXDEV programs would copy and delete. */
static void rename_view(fuse_req_t req, uint64_t parent, const char *name, uint64_t new_parent, const char *new_name,
			unsigned flags)
{
	if (views_is(parent) && views_is(new_parent))
		views_rename(req, parent, name, new_parent, new_name, flags);
	else
		reply_failure(req, -EPERM);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
	       unsigned flags)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr lost = { .id = 0 };
	unsigned vault_flags = fs->options->inherit ? VAULT_RENAME_INHERIT : 0;
	uint64_t moved[2];
	int r;

	if (views_is(parent) || views_is(new_parent)) {
		rename_view(req, parent, name, new_parent, new_name, flags);
		return;
	}
	if (views_is_name(fs, parent, name) || views_is_name(fs, new_parent, new_name)) {
		reply_failure(req, -EBUSY);
		return;
	}
	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) {
		reply_failure(req, -EINVAL);
		return;
	}
	if (flags & RENAME_NOREPLACE)
		vault_flags |= VAULT_RENAME_NOREPLACE;
	if (flags & RENAME_EXCHANGE)
		vault_flags |= VAULT_RENAME_EXCHANGE;
	r = vault_rename(fs->vault, parent, name, new_parent, new_name, vault_flags, &lost);
	if (r >= 0)
		name_lost(fs, &lost);
	if (r >= 0 && moved_directories(fs, parent, name, new_parent, new_name, flags, moved))
		orphans_moved(fs->orphans, req, moved);
	else
		reply_done(req, r);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n_lookups)
{
	struct fs *fs = fuse_req_userdata(req);

	if (views_is(ino))
		views_forget(fs, ino, n_lookups);
	else	/* not counted: the kernel is asked before anything is purged */
		orphans_hint(fs->orphans, ino);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *forgets)
{
	struct fs *fs = fuse_req_userdata(req);

	for (size_t i = 0; i < n; i++) {
		if (views_is(forgets[i].ino))
			views_forget(fs, forgets[i].ino, forgets[i].nlookup);
		else
			orphans_hint(fs->orphans, forgets[i].ino);
	}
	fuse_reply_none(req);
}
