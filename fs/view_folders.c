/* view_folders.c - making, removing and renaming view folders: tags, and saved searches. */
#include "view_request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auto.h"
#include "reply.h"
#include "view_change.h"

#define SEARCH_NOTHING "size:<0"	/* no file is as small */

/* ---- names of tags ---- */

/* In the folder of a tag the playlist's name is taken.  -EEXIST. */
static int join(const char *above, const char *name, char ret_tag[VAULT_TAG_NAME_MAX + 1])
{
	int n;

	if (above[0] && strcmp(name, VIEW_PLAYLIST_NAME) == 0)
		return -EEXIST;
	n = snprintf(ret_tag, VAULT_TAG_NAME_MAX + 1, "%s%s%s", above, above[0] ? "/" : "", name);

	return n < 0 || (size_t)n > VAULT_TAG_NAME_MAX ? -ENAMETOOLONG : 0;
}

/* The tag that folder `name` in `path` is made as: below the last tag of the path. */
static int tag_within(const struct view_path *path, const char *name, char ret_tag[VAULT_TAG_NAME_MAX + 1])
{
	const char *used[VIEW_TAGS_MAX];
	enum view_kind kind = view_path_last(path)->shape->kind;
	int n = view_path_tags(path, used);

	if (kind != VIEW_TAGS && kind != VIEW_TAG)
		return -EROFS;
	return n < 0 ? n : join(n > 0 ? used[n - 1] : "", name, ret_tag);
}

/* A tag that is shown beside others keeps what stands above it. */
static int tag_beside(const char *tag, const char *name, char ret_tag[VAULT_TAG_NAME_MAX + 1])
{
	const char *end = strrchr(tag, '/');
	char above[VAULT_TAG_NAME_MAX + 1] = "";

	if (end)
		memcpy(above, tag, (size_t)(end - tag));
	return join(above, name, ret_tag);
}

/* ---- mkdir ---- */

static int reply_made(struct view_request *request, const struct view_step *step)
{
	struct fs *fs = request->fs;
	struct vault_attr attr;
	uint64_t id;
	int r = view_nodes_look_up(fs->views->nodes, request->ino, step, &id);

	if (r < 0)
		return r;
	r = view_attr(fs, id, step, 0, &attr);
	if (r < 0 || reply_entry_now(request->req, fs, &attr) < 0)
		view_nodes_forget(fs->views->nodes, id, 1);	/* it does not know it */
	return r;
}

/* One that finds nothing until it is given a query: user.vaultfs.query. */
static int make_search(struct view_request *request, const struct view_path *path)
{
	int r;

	view_change_begin(request);
	r = vault_search_put(request->fs->vault, request->name, SEARCH_NOTHING, VAULT_SEARCH_NEW);
	view_change_end(request);
	if (r < 0)
		return r;
	return reply_made(request, &(struct view_step){ .name = request->name,
							.shape = view_path_last(path)->shape->inner });
}

static int serve_mkdir(struct view_request *request)
{
	struct fs *fs = request->fs;
	AUTO(view_path) struct view_path *path = NULL;
	char tag[VAULT_TAG_NAME_MAX + 1];
	int r = view_nodes_path(fs->views->nodes, request->ino, &path);

	if (r >= 0 && view_path_last(path)->shape->kind == VIEW_SAVED)
		return make_search(request, path);
	if (r >= 0)
		r = tag_within(path, request->name, tag);
	if (r < 0)
		return r;
	view_change_begin(request);
	r = vault_tag_make(fs->vault, tag);
	view_change_end(request);
	if (r < 0)
		return r;
	return reply_made(request, &(struct view_step){ .name = request->name, .tag = tag,
							.shape = view_path_last(path)->shape->inner,
							.is_child = view_path_last(path)->shape->kind == VIEW_TAG });
}

void views_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_mkdir, .ino = parent,
					.name = name };

	view_request_run(&request);
}

/* ---- rmdir ---- */

/* A tag's folder that stands in that of another tag is only a way to look: it can be removed when it shows nothing, and the tag
 * stays. */
static int remove_way(struct view_request *request, const struct view_path *path, const struct view_step *step)
{
	int r = view_shows_files(request->fs->views, path, step, request->may_wait);

	return r > 0 ? -ENOTEMPTY : r;
}

static int remove_tag(struct view_request *request, const char *tag)
{
	int r;

	view_change_begin(request);
	r = vault_tag_remove(request->fs->vault, tag, 0);
	view_change_end(request);
	return r;
}

static int remove_search(struct view_request *request)
{
	int r;

	view_change_begin(request);
	r = vault_search_remove(request->fs->vault, request->name);
	view_change_end(request);
	return r;
}

static int serve_rmdir(struct view_request *request)
{
	struct fs *fs = request->fs;
	AUTO(view_path) struct view_path *path = NULL;
	const char *used[VIEW_TAGS_MAX];
	struct view_found found;
	int r = view_nodes_path(fs->views->nodes, request->ino, &path);

	if (r >= 0)
		r = view_find(fs->views, path, request->name, request->may_wait, &found);
	if (r < 0)
		return r;
	if (found.is_file || found.step.shape->kind == VIEW_PLAYLIST)
		return -ENOTDIR;
	if (found.step.shape->kind != VIEW_TAG && found.step.shape->kind != VIEW_SAVED_ONE)
		return -EROFS;
	r = view_path_tags(path, used);
	if (found.step.shape->kind == VIEW_SAVED_ONE)
		r = remove_search(request);
	else if (r >= 0 && (r == 0 || (r == 1 && found.step.is_child)))
		r = remove_tag(request, found.tag);
	else if (r >= 0)
		r = remove_way(request, path, &found.step);
	if (r < 0)
		return r;
	view_nodes_remove(fs->views->nodes, path->id, request->name);
	reply_done(request->req, 0);
	return 0;
}

void views_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_rmdir, .ino = parent,
					.name = name };

	view_request_run(&request);
}

/* ---- rename ---- */

/* In slices: 1 is to be called again, which needs another change section. */
static int rename_tag(struct view_request *request, const char *from, const char *to)
{
	int r;

	do {
		view_change_begin(request);
		r = vault_tag_rename(request->fs->vault, from, to);
		view_change_end(request);
	} while (r == 1 && request->may_wait);
	return r == 1 ? -EAGAIN : r;
}

static int rename_search(struct view_request *request, const struct view_path *from, const struct view_path *to)
{
	int r;

	if (from->id != to->id)
		return -EPERM;
	view_change_begin(request);
	r = vault_search_rename(request->fs->vault, request->name, request->new_name);
	view_change_end(request);
	if (r < 0)
		return r;
	view_nodes_rename(request->fs->views->nodes, from->id, request->name, to->id,
			  &(struct view_step){ .name = request->new_name, .shape = view_path_last(to)->shape->inner });
	reply_done(request->req, 0);
	return 0;
}

static int move_folder(struct view_request *request, const struct view_path *from, const struct view_path *to,
		       const struct view_found *found)
{
	char tag[VAULT_TAG_NAME_MAX + 1];
	bool beside = from->id == to->id && !found->step.is_child && view_path_last(to)->shape->kind == VIEW_TAG;
	struct view_step step = found->step;
	int r;

	if (found->step.shape->kind == VIEW_SAVED_ONE)
		return rename_search(request, from, to);
	if (found->step.shape->kind != VIEW_TAG)
		return -EROFS;
	r = beside ? tag_beside(found->tag, request->new_name, tag) : tag_within(to, request->new_name, tag);
	if (r >= 0)
		r = rename_tag(request, found->tag, tag);
	if (r < 0)
		return r;
	step.name = request->new_name;
	step.tag = tag;
	step.is_child = !beside && view_path_last(to)->shape->kind == VIEW_TAG;
	view_nodes_rename(request->fs->views->nodes, from->id, request->name, to->id, &step);
	reply_done(request->req, 0);
	return 0;
}

static int serve_rename(struct view_request *request)
{
	struct fs *fs = request->fs;
	AUTO(view_path) struct view_path *from = NULL;
	AUTO(view_path) struct view_path *to = NULL;
	struct view_found found;
	int r = request->flags & ~(unsigned)RENAME_NOREPLACE ? -EINVAL : 0;

	if (r >= 0)
		r = view_nodes_path(fs->views->nodes, request->ino, &from);
	if (r >= 0)
		r = view_nodes_path(fs->views->nodes, request->other, &to);
	if (r >= 0)
		r = view_find(fs->views, from, request->name, request->may_wait, &found);
	if (r < 0)
		return r;
	if (found.is_file)
		return view_move_file(request, from, to, &found.attr);
	return move_folder(request, from, to, &found);
}

void views_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
		  unsigned flags)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_rename, .ino = parent,
					.name = name, .other = new_parent, .new_name = new_name, .flags = flags };

	view_request_run(&request);
}
