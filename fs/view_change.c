/* view_change.c - what can be done to files through views: to give them what a folder stands for, or take it from them.
 *
 * ln into a tag's folder gives the file the tag, rm takes it away, mv from one to another does both. Favorites and ratings
 * work the same way. The file itself never changes, loses no name and is not deleted. The kernel believes that rm took a
 * name from it, and counts one link less: it is told to ask again. Who may do so: who may change the folder, which the kernel
 * looked at, and may write the file, as for setxattr(2). */
#include "view_change.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"
#include "caller.h"
#include "orphans.h"
#include "reply.h"
#include "view_inbox.h"

static bool is_rating(const struct view_path *path)
{
	return view_path_last(path)->shape->kind == VIEW_FOLDER &&
	       path->steps[path->n - 2].shape->folders == VAULT_FOLDERS_RATINGS;
}

bool view_takes_files(const struct view_path *path)
{
	enum view_kind kind = view_path_last(path)->shape->kind;

	return kind == VIEW_TAG || is_rating(path) ||
	       (kind == VIEW_QUERY && strcmp(view_path_last(path)->shape->name, "favorites") == 0);
}

int view_give(struct fs *fs, const struct view_path *path, uint64_t id)
{
	const char *tags[VIEW_TAGS_MAX];
	const char *rating = view_path_last(path)->name;
	int n, r = 0;

	if (is_rating(path))
		return vault_setxattr(fs->vault, id, "user.baloo.rating", rating, strlen(rating), 0);
	if (view_path_last(path)->shape->kind == VIEW_QUERY)
		return vault_setxattr(fs->vault, id, "user.vaultfs.favorite", "1", 1, 0);
	n = view_path_tags(path, tags);
	for (int i = 0; i < n && r >= 0; i++)
		r = vault_file_tag_add(fs->vault, id, tags[i]);
	return n < 0 ? n : r;
}

/* The tag of the last component goes. A file that counts as having it by a rule alone keeps it: -EPERM. */
int view_take(struct fs *fs, const struct view_path *path, uint64_t id)
{
	const char *tags[VIEW_TAGS_MAX];
	int n, r;

	if (is_rating(path))
		return vault_removexattr(fs->vault, id, "user.baloo.rating");
	if (view_path_last(path)->shape->kind == VIEW_QUERY)
		return vault_removexattr(fs->vault, id, "user.vaultfs.favorite");
	n = view_path_tags(path, tags);
	if (n <= 0)
		return n < 0 ? n : -EROFS;
	r = vault_file_tag_remove(fs->vault, id, tags[n - 1]);
	return r == -ENODATA ? -EPERM : r;
}

/* rm -r takes the tag of a folder from the files in it before it goes down. One that is still there has that tag by a rule, and
 * must not lose what it has beside it: -EPERM. */
static int check_taken_down_to(struct fs *fs, const struct view_path *path, uint64_t id)
{
	const char *tags[VIEW_TAGS_MAX];
	int n = view_path_tags(path, tags);
	int r = 1;

	for (int i = 0; i < n - 1 && r > 0; i++)
		r = vault_file_tag_owned(fs->vault, id, tags[i]);
	return n < 0 ? n : r == 0 ? -EPERM : r;
}

int view_may_change(fuse_req_t req, const struct vault_attr *attr)
{
	int r = S_ISREG(attr->mode) ? caller_may(req, attr, W_OK) : -EPERM;

	return r == 0 ? -EACCES : r;
}

/* ---- ln ---- */

static int serve_link(struct view_request *request)
{
	struct fs *fs = request->fs;
	AUTO(view_path) struct view_path *path = NULL;
	struct vault_attr attr;
	int r = view_nodes_path(fs->views->nodes, request->ino, &path);

	if (r >= 0 && (views_is(request->other) || !view_takes_files(path)))
		r = views_is(request->other) ? -EPERM : -EROFS;
	if (r >= 0)
		r = vault_getattr(fs->vault, request->other, &attr);
	if (r >= 0)
		r = view_may_change(request->req, &attr);
	if (r < 0)
		return r;
	view_change_begin(request);
	r = view_give(fs, path, attr.id);
	if (r >= 0)
		r = vault_getattr(fs->vault, attr.id, &attr);
	view_change_end(request);
	if (r < 0)
		return r;
	view_fresh_note(fs->views, path->id, request->name, attr.id, 0, NULL);
	(void)reply_entry_now(request->req, fs, &attr);
	return 0;
}

void views_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_link, .ino = new_parent,
					.other = ino, .name = new_name };

	view_request_run(&request);
}

/* ---- rm ---- */

/* A file that a program made through a view for a moment only goes when its name does: one that is empty (locks, what was
 * touched and thought better of), the swap file of vim, and what rsync and GLib write before they rename it. Others stay in
 * Inbox: a tag folder deletes nothing that somebody may miss. */
static bool is_passing(const char *name, const struct vault_attr *attr)
{
#define ANY "[A-Za-z0-9]"
	static const char *const patterns[] = {
		".*.sw[a-px-z]",
		".?*." ANY ANY ANY ANY ANY ANY,
		".goutputstream-*",
	};
#undef ANY

	if (attr->size == 0)
		return true;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	return false;
}

static int unlink_for_good(struct fs *fs, const struct view_made *made)
{
	struct vault_attr lost = { .id = 0 };
	int r = vault_unlink(fs->vault, made->directory, made->stored, &lost);

	if (r >= 0 && lost.nlink == 0)
		orphans_add(fs->orphans, lost.id);
	return r;
}

static int take_or_unlink(struct view_request *request, const struct view_path *path, const struct vault_attr *attr)
{
	struct fs *fs = request->fs;
	struct view_made made;
	int passes = is_passing(request->name, attr) &&
		     view_fresh_made(fs, path->id, request->name, attr->id, &made);
	int r;

	if (passes && !request->may_wait)
		return -EAGAIN;
	if (passes)
		passes = view_may_unmake(request->req, &made, attr);
	if (passes < 0)
		return passes;
	view_change_begin(request);
	r = passes ? unlink_for_good(fs, &made) : view_take(fs, path, attr->id);
	view_change_end(request);
	if (r >= 0)
		view_fresh_forget(fs->views, path->id, request->name);
	if (r >= 0 && passes)
		view_name_changed(fs, made.directory, made.stored);
	return r;
}

static int serve_unlink(struct view_request *request)
{
	struct fs *fs = request->fs;
	AUTO(view_path) struct view_path *path = NULL;
	struct view_found found;
	int r = view_nodes_path(fs->views->nodes, request->ino, &path);

	if (r >= 0 && !view_takes_files(path))
		r = -EROFS;
	if (r >= 0)
		r = view_find(fs->views, path, request->name, request->may_wait, &found);
	if (r < 0)
		return r;
	if (!found.is_file) {	/* rm -r comes to the playlist, too; it goes with the last file */
		reply_done(request->req, found.step.shape->kind == VIEW_PLAYLIST ? 0 : -EISDIR);
		return 0;
	}
	r = view_may_change(request->req, &found.attr);
	if (r >= 0)
		r = check_taken_down_to(fs, path, found.attr.id);
	if (r >= 0)
		r = take_or_unlink(request, path, &found.attr);
	if (r >= 0)
		orphans_miscounted(fs->orphans, request->req, found.attr.id);
	return r;
}

void views_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_unlink, .ino = parent,
					.name = name };

	view_request_run(&request);
}

/* ---- mv of files ---- */

/* What is in the way of a new name?  0 nothing, or that very file; -EEXIST. */
static int check_free(struct view_request *request, const struct view_path *path, const char *name, uint64_t id)
{
	struct view_found found;
	int r = view_find(request->fs->views, path, name, request->may_wait, &found);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : found.is_file && found.attr.id == id ? 0 : -EEXIST;
}

static int move_between(struct view_request *request, const struct view_path *from, const struct view_path *to,
			const struct vault_attr *attr)
{
	struct fs *fs = request->fs;
	int r = check_free(request, to, request->new_name, attr->id);

	if (r < 0)
		return r;
	view_change_begin(request);
	r = view_take(fs, from, attr->id);
	if (r >= 0)
		r = view_give(fs, to, attr->id);
	view_change_end(request);
	if (r >= 0)
		view_fresh_move(fs->views, from->id, request->name, to->id, request->new_name, attr->id);
	return r;
}

/* Names of files in views are those that they have in the vault; only what was just made there can be called otherwise, which
 * is how programs save: under another name first. */
static int move_within(struct view_request *request, const struct view_path *path, const struct vault_attr *attr)
{
	struct fs *fs = request->fs;
	struct view_made made;
	struct view_found found;
	int r;

	if (!view_fresh_made(fs, path->id, request->name, attr->id, &made))
		return -EPERM;
	r = view_find(fs->views, path, request->new_name, request->may_wait, &found);
	if (r >= 0 && !found.is_file)
		return -EEXIST;
	if (r >= 0 && found.attr.id != attr->id)
		return view_inbox_replace(request, path, &made, &found.attr);
	return r < 0 && r != -ENOENT ? r : view_inbox_rename(request, path, &made);
}

int view_move_file(struct view_request *request, const struct view_path *from, const struct view_path *to,
		   const struct vault_attr *attr)
{
	int r;

	if (!view_takes_files(from) || !view_takes_files(to))
		return -EROFS;
	r = view_may_change(request->req, attr);
	if (r >= 0)
		r = from->id == to->id ? move_within(request, to, attr) : move_between(request, from, to, attr);
	if (r >= 0)
		reply_done(request->req, 0);
	return r;
}
