/* view_inbox.c - files that are made in views. See view_inbox.h. */
#include "view_inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"
#include "caller.h"
#include "orphans.h"
#include "reply.h"
#include "view_change.h"

#define COPIES_MAX 10000	/* names tried: NAME (2).EXT and so on */

/* vim makes a file of this name to see whether it may save by renaming. In a view it should write in place. */
#define VIM_PROBE "4913"

/* ---- what was made ---- */

static struct view_fresh *fresh_at_locked(struct views *views, uint64_t folder, const char *name)
{
	for (unsigned i = 0; i < VIEW_FRESH_MAX; i++) {
		struct view_fresh *fresh = &views->fresh[i];

		if (fresh->id != 0 && fresh->folder == folder && strcmp(fresh->name, name) == 0)
			return fresh;
	}
	return NULL;
}

static void fresh_clear_locked(struct view_fresh *fresh)
{
	free(fresh->name);
	free(fresh->stored);
	*fresh = (struct view_fresh){ .id = 0 };
}

/* Without memory it is not remembered. */
void view_fresh_note(struct views *views, uint64_t folder, const char *name, uint64_t id, uint64_t directory,
		     const char *stored)
{
	AUTO(free) char *name_copy = strdup(name);
	AUTO(free) char *stored_copy = stored ? strdup(stored) : NULL;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);
	struct view_fresh *fresh = fresh_at_locked(views, folder, name);

	(void)held;
	if (!fresh)
		fresh = &views->fresh[views->next_fresh++ % VIEW_FRESH_MAX];
	fresh_clear_locked(fresh);
	if (!name_copy || (stored && !stored_copy))
		return;
	*fresh = (struct view_fresh){ .folder = folder, .id = id, .directory = directory, .name = TAKE(name_copy),
				      .stored = TAKE(stored_copy) };
}

void view_fresh_forget(struct views *views, uint64_t folder, const char *name)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);
	struct view_fresh *fresh = fresh_at_locked(views, folder, name);

	(void)held;
	if (fresh)
		fresh_clear_locked(fresh);
}

/* What is known of a file goes along; of one that was not made there, its name in the new folder is. */
void view_fresh_move(struct views *views, uint64_t folder, const char *name, uint64_t new_folder, const char *new_name,
		     uint64_t id)
{
	char stored[VAULT_NAME_MAX + 1] = "";
	uint64_t directory = 0;

	(void)pthread_mutex_lock(&views->lock);
	struct view_fresh *fresh = fresh_at_locked(views, folder, name);

	if (fresh && fresh->stored) {
		(void)memccpy(stored, fresh->stored, '\0', sizeof(stored));
		directory = fresh->directory;
	}
	if (fresh)
		fresh_clear_locked(fresh);
	(void)pthread_mutex_unlock(&views->lock);
	view_fresh_note(views, new_folder, new_name, id, directory, directory ? stored : NULL);
}

uint64_t view_fresh_find(struct views *views, uint64_t folder, const char *name)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);
	const struct view_fresh *fresh = fresh_at_locked(views, folder, name);

	(void)held;
	return fresh ? fresh->id : 0;
}

bool view_fresh_made(struct fs *fs, uint64_t folder, const char *name, uint64_t id, struct view_made *ret)
{
	struct vault_attr attr;

	(void)pthread_mutex_lock(&fs->views->lock);
	const struct view_fresh *fresh = fresh_at_locked(fs->views, folder, name);
	bool made = fresh && fresh->id == id && fresh->stored;

	if (made) {
		*ret = (struct view_made){ .id = id, .directory = fresh->directory };
		(void)memccpy(ret->stored, fresh->stored, '\0', sizeof(ret->stored));
	}
	(void)pthread_mutex_unlock(&fs->views->lock);
	return made && vault_lookup(fs->vault, ret->directory, ret->stored, &attr) == 0 && attr.id == id;
}

/* ---- Inbox ---- */

/* The kernel keeps what it knows of the vault's own directories: it is told that a name is another one now. It holds no lock of
 * theirs for a request to a view, so that this may wait for who has one; but not on a thread that answers requests. */
void view_name_changed(struct fs *fs, uint64_t directory, const char *name)
{
	(void)fuse_lowlevel_notify_inval_entry(fs->session, directory, name, strlen(name));	/* it may not know it */
	(void)fuse_lowlevel_notify_inval_inode(fs->session, directory, 0, 0);
}

static int may_write(fuse_req_t req, const struct vault_attr *directory)
{
	int r = caller_may(req, directory, W_OK | X_OK);

	return r == 0 ? -EACCES : r < 0 ? r : 0;
}

/* The sticky bit: only owners of the directory and of the file take its name away. */
static int may_replace(fuse_req_t req, const struct vault_attr *directory, const struct vault_attr *file)
{
	int r = may_write(req, directory);

	if (r >= 0 && (directory->mode & S_ISVTX) && !caller_owns(req, directory) && !caller_owns(req, file))
		r = -EPERM;
	return r;
}

int view_may_unmake(fuse_req_t req, const struct view_made *made, const struct vault_attr *file)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr directory;
	int r = vault_getattr(fs->vault, made->directory, &directory);

	if (r >= 0)
		r = may_replace(req, &directory, file);
	return r == -EACCES || r == -EPERM ? 0 : r < 0 ? r : 1;
}

static int make_inode(fuse_req_t req, uint64_t parent, const char *name, mode_t mode, struct vault_attr *ret)
{
	struct fs *fs = fuse_req_userdata(req);
	const struct fuse_ctx *caller = fuse_req_ctx(req);
	struct vault_attr wanted = { .mode = mode, .uid = caller->uid, .gid = caller->gid };

	if (!fs->acls)	/* then the kernel has taken the umask off */
		return vault_make(fs->vault, parent, name, &wanted, NULL, ret);
	return vault_make_inheriting(fs->vault, parent, name, &wanted, caller->umask, NULL, ret);
}

/* The directory, made if it is missing.  [change] */
static int inbox_get(fuse_req_t req, struct vault_attr *ret)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr top;
	int r = vault_lookup(fs->vault, VAULT_ROOT_ID, VIEW_INBOX_NAME, ret);

	if (r == -ENOENT) {
		r = vault_getattr(fs->vault, VAULT_ROOT_ID, &top);
		if (r >= 0)
			r = may_write(req, &top);
		return r < 0 ? r : make_inode(req, VAULT_ROOT_ID, VIEW_INBOX_NAME, S_IFDIR | 0777, ret);
	}
	if (r < 0)
		return r;
	return S_ISDIR(ret->mode) ? may_write(req, ret) : -ENOTDIR;
}

/* NAME (N).EXT, cut so that it fits, not within a character. */
static void copy_name(const char *name, int n, char ret_name[VAULT_NAME_MAX + 1])
{
	const char *dot = strrchr(name, '.');
	char number[16];
	size_t stem, rest, room;

	if (!dot || dot == name || strlen(dot) > 16)
		dot = name + strlen(name);
	(void)snprintf(number, sizeof(number), " (%d)", n);
	stem = (size_t)(dot - name);
	rest = strlen(dot);
	room = VAULT_NAME_MAX - strlen(number) - rest;
	if (stem > room) {
		stem = room;
		while (stem > 0 && ((unsigned char)name[stem] & 0xc0) == 0x80)
			stem--;
	}
	(void)snprintf(ret_name, VAULT_NAME_MAX + 1, "%.*s%s%s", (int)stem, name, number, dot);
}

/* The first of NAME, NAME (2)... that is free. */
static int free_name(struct fs *fs, uint64_t directory, const char *name, char ret_name[VAULT_NAME_MAX + 1])
{
	struct vault_attr attr;
	int r;

	ret_name[0] = '\0';
	(void)strncat(ret_name, name, VAULT_NAME_MAX);
	for (int n = 2; n < COPIES_MAX; n++) {
		r = vault_lookup(fs->vault, directory, ret_name, &attr);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		copy_name(name, n, ret_name);
	}
	return -EEXIST;
}

/* A file in Inbox that has what the folder gives.  [change] */
static int make_file(struct view_request *request, const struct view_path *path, struct vault_attr *ret)
{
	struct fs *fs = request->fs;
	char stored[VAULT_NAME_MAX + 1];
	struct vault_attr inbox;
	int r = inbox_get(request->req, &inbox);

	if (r >= 0)
		r = free_name(fs, inbox.id, request->name, stored);
	if (r >= 0)
		r = make_inode(request->req, inbox.id, stored, S_IFREG | (request->mode & ~(mode_t)S_IFMT), ret);
	if (r < 0)
		return r;
	r = view_give(fs, path, ret->id);
	if (r >= 0)
		r = vault_getattr(fs->vault, ret->id, ret);
	if (r < 0) {
		struct vault_attr lost = { .id = 0 };

		if (vault_unlink(fs->vault, inbox.id, stored, &lost) >= 0)
			orphans_add(fs->orphans, lost.id);
		return r;
	}
	view_fresh_note(fs->views, path->id, request->name, ret->id, inbox.id, stored);
	return 0;
}

/* 1 it was made; 0 it was there. */
static int make_or_find(struct view_request *request, struct vault_attr *ret)
{
	struct fs *fs = request->fs;
	AUTO(view_path) struct view_path *path = NULL;
	struct view_found found;
	struct view_made made;
	int r = view_nodes_path(fs->views->nodes, request->ino, &path);

	if (r >= 0 && !view_takes_files(path))
		r = -EROFS;
	if (r >= 0 && strcmp(request->name, VIM_PROBE) == 0)
		r = -EACCES;
	if (r < 0)
		return r;
	r = view_find(fs->views, path, request->name, request->may_wait, &found);
	if (r != -ENOENT) {
		*ret = found.attr;
		return r < 0 ? r : found.is_file ? 0 : -EISDIR;
	}
	if (!request->may_wait)
		return -EAGAIN;
	view_change_begin(request);
	r = make_file(request, path, ret);
	view_change_end(request);
	if (r < 0 || !view_fresh_made(fs, path->id, request->name, ret->id, &made))
		return r < 0 ? r : 1;
	view_name_changed(fs, VAULT_ROOT_ID, VIEW_INBOX_NAME);
	view_name_changed(fs, made.directory, made.stored);
	return 1;
}

static int serve_create(struct view_request *request)
{
	struct fs *fs = request->fs;
	struct vault_attr attr;
	int made = make_or_find(request, &attr);
	int r = made == 0 && (request->fi.flags & O_EXCL) ? -EEXIST : made;

	if (r >= 0)
		r = handle_open(fs, attr.id, &request->fi);
	if (r < 0)
		return r;
	reply_created_now(request->req, fs, &attr, &request->fi);
	return 0;
}

void views_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, const struct fuse_file_info *fi)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_create, .ino = parent,
					.name = name, .mode = mode, .fi = *fi };

	view_request_run(&request);
}

static int serve_mknod(struct view_request *request)
{
	struct vault_attr attr;
	int made = S_ISREG(request->mode) ? make_or_find(request, &attr) : -EPERM;

	if (made <= 0)
		return made < 0 ? made : -EEXIST;
	(void)reply_entry_now(request->req, request->fs, &attr);
	return 0;
}

void views_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_mknod, .ino = parent,
					.name = name, .mode = mode };

	view_request_run(&request);
}

/* ---- programs that save under another name first ---- */

int view_inbox_rename(struct view_request *request, const struct view_path *path, const struct view_made *made)
{
	struct fs *fs = request->fs;
	struct vault_attr inbox, lost;
	char stored[VAULT_NAME_MAX + 1];
	int r = request->may_wait ? vault_getattr(fs->vault, made->directory, &inbox) : -EAGAIN;

	if (r >= 0)
		r = may_write(request->req, &inbox);
	if (r < 0)
		return r;
	view_change_begin(request);
	r = free_name(fs, made->directory, request->new_name, stored);
	if (r >= 0)
		r = vault_rename(fs->vault, made->directory, made->stored, made->directory, stored,
				 VAULT_RENAME_NOREPLACE, &lost);
	view_change_end(request);
	if (r < 0)
		return r;
	view_name_changed(fs, made->directory, made->stored);
	view_name_changed(fs, made->directory, stored);
	view_fresh_forget(fs->views, path->id, request->name);
	view_fresh_note(fs->views, path->id, request->new_name, made->id, made->directory, stored);
	return 0;
}

/* What is known of one file goes over to another, as far as that can be set.  [change] */
static int copy_knowledge(struct fs *fs, uint64_t from, uint64_t to)
{
	static const char *const names[] = { "user.xdg.tags", "user.xdg.comment", "user.baloo.rating",
					     "user.vaultfs.favorite", "user.vaultfs.hidden", "user.vaultfs.seen",
					     "user.vaultfs.custom", NULL };
	AUTO(free) char *value = malloc(VAULT_XATTR_MAX);
	int r = value ? 0 : log_err(-ENOMEM, "inode %ju: no memory for its attributes", (uintmax_t)from);

	for (const char *const *name = names; *name && r >= 0; name++) {
		ssize_t n = vault_getxattr(fs->vault, from, *name, value, VAULT_XATTR_MAX);

		if (n >= 0)
			r = vault_setxattr(fs->vault, to, *name, value, (size_t)n, 0);
		else if (n != -ENODATA)
			r = (int)n;
	}
	return r;
}

int view_inbox_replace(struct view_request *request, const struct view_path *path, const struct view_made *made,
		       const struct vault_attr *old)
{
	struct fs *fs = request->fs;
	struct vault_attr directory, lost = { .id = 0 };
	char name[VAULT_NAME_MAX + 1];
	uint64_t parent;
	int r = request->flags & RENAME_NOREPLACE ? -EEXIST : request->may_wait ? 0 : -EAGAIN;

	if (r >= 0)
		r = vault_name_of(fs->vault, old->id, &parent, name);
	if (r >= 0)
		r = vault_getattr(fs->vault, parent, &directory);
	if (r >= 0)
		r = may_replace(request->req, &directory, old);
	if (r < 0)
		return r;
	view_change_begin(request);
	if (fs->options->inherit)
		r = copy_knowledge(fs, old->id, made->id);
	if (r >= 0)
		r = vault_rename(fs->vault, made->directory, made->stored, parent, name, 0, &lost);
	view_change_end(request);
	if (r < 0)
		return r;
	view_name_changed(fs, made->directory, made->stored);
	view_name_changed(fs, parent, name);
	if (lost.id != 0 && lost.nlink == 0)
		orphans_add(fs->orphans, lost.id);
	view_fresh_forget(fs->views, path->id, request->name);
	return 0;
}
