/* view_find.c - what is called NAME in a view folder.
 *
 * Sub-folders come before files: a file that is called like one is shown, and found, under its other name. A folder that
 * was shown when its parent was last listed is found even if nothing is in it any more: who removes a tree empties
 * folders before he removes them. */
#include "view_request.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"
#include "caller.h"
#include "reply.h"
#include "view_inbox.h"

/* ---- listings ---- */

int view_listing(struct fs *fs, const struct view_path *path, bool may_wait, struct vault_listing **ret)
{
	AUTO(vault_listing) struct vault_listing *listing = NULL;
	int r = view_path_listing(fs->vault, path, &listing);

	if (r >= 0)
		r = vault_listing_refresh_soon(listing);
	if (r == -EAGAIN && may_wait)
		r = vault_listing_refresh(listing);
	if (r >= 0)
		*ret = TAKE(listing);
	return r;
}

int view_listing_has_any(struct vault_listing *listing)
{
	AUTO(vault_snapshot) struct vault_snapshot *snapshot = NULL;
	int r = vault_listing_snapshot(listing, &snapshot);

	return r < 0 ? r : vault_snapshot_size(snapshot) > 0;
}

/* The path one step further, for its query. */
static int path_with(const struct view_path *path, const struct view_step *step, struct view_path **ret)
{
	struct view_path *longer = malloc(sizeof(*longer) + (path->n + 1) * sizeof(longer->steps[0]));

	if (!longer)
		return log_err(-ENOMEM, "no memory for the path of the view folder %s", step->name);
	*longer = (struct view_path){ .n = path->n + 1 };
	memcpy(longer->steps, path->steps, path->n * sizeof(path->steps[0]));
	longer->steps[path->n] = *step;
	*ret = longer;
	return 0;
}

int view_shows_files(struct views *views, const struct view_path *path, const struct view_step *step, bool may_wait)
{
	AUTO(vault_listing) struct vault_listing *listing = NULL;
	AUTO(free) struct view_path *longer = NULL;
	int r = path_with(path, step, &longer);

	if (r >= 0)
		r = view_listing(views->fs, longer, may_wait, &listing);
	return r < 0 ? r : view_listing_has_any(listing);
}

/* ---- tags ---- */

/* Find tag `name`; its name as it is written goes to ret->tag.  -ENOENT. */
static int tag_found(struct views *views, const char *name, struct view_found *ret)
{
	AUTO(vault_tags) struct vault_tags tags = { .n = 0 };
	int r = vault_tag_find(views->fs->vault, name, &tags);

	if (r < 0)
		return r;
	if (!tags.tags[0].is_folder || strlen(tags.tags[0].name) > VAULT_TAG_NAME_MAX)
		return -ENOENT;
	(void)memccpy(ret->tag, tags.tags[0].name, '\0', sizeof(ret->tag));
	ret->step.tag = ret->tag;
	return 0;
}

/* Find the tag ABOVE/NAME, of which `n_above` bytes of ABOVE are looked at. */
static int tag_below_found(struct views *views, const char *above, size_t n_above, const char *name,
			   struct view_found *ret)
{
	char full[VAULT_TAG_NAME_MAX + 1];
	size_t n = strlen(name);

	if (n_above + 1 + n > VAULT_TAG_NAME_MAX)
		return -ENOENT;
	memcpy(full, above, n_above);
	full[n_above] = '/';
	memcpy(full + n_above + 1, name, n + 1);
	return tag_found(views, full, ret);
}

/* Is `tag` that one, or above it? Each may be written in a case of its own. */
static bool is_at_or_above(const char *tag, const char *used)
{
	char above[VAULT_TAG_NAME_MAX + 1] = "";

	for (const char *end = strchr(used, '/'); end; end = strchr(end + 1, '/')) {
		memcpy(above, used, (size_t)(end - used));
		above[end - used] = '\0';
		if (vault_tag_names_compare(tag, above) == 0)
			return true;
	}
	return vault_tag_names_compare(tag, used) == 0;
}

static bool is_used(const char *tag, const char *const *used, int n_used)
{
	for (int i = 0; i < n_used; i++)
		if (is_at_or_above(tag, used[i]))
			return true;
	return false;
}

/* What those tags count as having, as far as it has rows: the tags above and implied, and themselves. */
static int tags_counted(struct views *views, const char *const *used, int n_used, struct vault_tags *ret)
{
	uint64_t ids[VIEW_TAGS_MAX];
	size_t n = 0;

	for (int i = 0; i < n_used; i++) {
		AUTO(vault_tags) struct vault_tags tags = { .n = 0 };
		int r = vault_tag_find(views->fs->vault, used[i], &tags);

		if (r < 0 && r != -ENOENT)
			return r;
		if (r >= 0 && tags.tags[0].id != 0)
			ids[n++] = tags.tags[0].id;
	}
	return vault_tags_shown(views->fs->vault, ids, n, ret);
}

/* A look for a tag's folder in the folder of others. */
struct narrowing {
	struct views *views;
	const struct view_path *path;
	const char *const *used;
	int n_used;
	struct vault_tags counted;
	bool may_wait;
};

/* The tag that was found narrows, unless it is used or counted already, or no file has it.  1, 0. */
static int narrows(const struct narrowing *look, const struct view_found *found)
{
	if (is_used(found->tag, look->used, look->n_used))
		return 0;
	for (size_t i = 0; i < look->counted.n; i++)
		if (vault_tag_names_compare(look->counted.tags[i].name, found->tag) == 0)
			return 0;
	return view_shows_files(look->views, look->path, &found->step, look->may_wait);
}

/* Look for ABOVE/NAME; of several that narrow the first one stays, as in listings. */
static int try_below(const struct narrowing *look, const char *above, size_t n_above, const char *name,
		     struct view_found *best)
{
	struct view_found found = { .step = best->step };
	int r = tag_below_found(look->views, above, n_above, name, &found);

	if (r == -ENOENT || (r >= 0 && best->tag[0] && strcmp(best->tag, found.tag) <= 0))
		return 0;
	if (r >= 0)
		r = narrows(look, &found);
	if (r > 0)
		memcpy(best->tag, found.tag, sizeof(best->tag));
	return r < 0 ? r : 0;
}

/* A tag below another that narrows nothing any more, else one at the top.  -ENOENT. */
static int narrowing_tag_found(const struct narrowing *look, const char *name, struct view_found *ret)
{
	int r = 0;

	for (size_t i = 0; i < look->counted.n && r >= 0; i++)
		r = try_below(look, look->counted.tags[i].name, strlen(look->counted.tags[i].name), name, ret);
	for (int i = 0; i < look->n_used; i++) {	/* steps without rows */
		for (const char *end = strchr(look->used[i], '/'); end && r >= 0; end = strchr(end + 1, '/'))
			r = try_below(look, look->used[i], (size_t)(end - look->used[i]), name, ret);
		if (r >= 0)
			r = try_below(look, look->used[i], strlen(look->used[i]), name, ret);
	}
	if (r < 0)
		return r;
	if (ret->tag[0]) {
		ret->step.tag = ret->tag;
		return 0;
	}
	r = tag_found(look->views, name, ret);
	if (r >= 0)
		r = narrows(look, ret);
	return r > 0 ? 0 : r == 0 ? -ENOENT : r;
}

/* A tag below the folder's own is always there; last of all where it does not narrow and the folder stands for several. */
static int find_child_tag(struct narrowing *look, const char *name, struct view_found *ret)
{
	const char *last = look->used[look->n_used - 1];
	int r = tag_below_found(look->views, last, strlen(last), name, ret);

	ret->step.is_child = r >= 0;
	if (r < 0 || look->n_used == 1)
		return r;
	r = narrows(look, ret);
	ret->is_empty = r == 0;
	return r < 0 ? r : 0;
}

static int find_tag_within(struct narrowing *look, const char *name, struct view_found *ret)
{
	struct view_found other = { .step = ret->step };
	int child, r;

	r = tags_counted(look->views, look->used, look->n_used, &look->counted);
	if (r < 0)
		return r;
	child = find_child_tag(look, name, ret);
	if (child != -ENOENT && !(child == 0 && ret->is_empty))
		return child;
	r = narrowing_tag_found(look, name, &other);
	if (r == -ENOENT)
		return child;
	if (r >= 0) {
		*ret = other;
		ret->step.tag = ret->tag;
	}
	return r;
}

/* The folder of a tag: those below the folder's own, and others where they narrow what it shows. */
static int find_tag(struct views *views, const struct view_path *path, const char *name, bool may_wait,
		    struct view_found *ret)
{
	const char *used[VIEW_TAGS_MAX];
	struct narrowing look = { .views = views, .path = path, .used = used, .may_wait = may_wait };
	int r;

	look.n_used = view_path_tags(path, used);
	if (look.n_used <= 0)
		return look.n_used < 0 ? look.n_used : tag_found(views, name, ret);
	r = find_tag_within(&look, name, ret);
	vault_tags_release(&look.counted);
	return r;
}

/* One that was shown: at once while nothing has changed since; later where nothing else is called so. */
static int find_shown_tag(struct views *views, const struct view_path *path, const char *name, bool may_wait,
			  struct view_found *ret)
{
	char tag[VAULT_TAG_NAME_MAX + 1];
	bool is_child = false, is_current = false;
	bool was_shown = view_was_shown(views, path->id, name, tag, &is_child, &is_current);
	int r = -ENOENT;

	if (!was_shown || !is_current)
		r = find_tag(views, path, name, may_wait, ret);
	if (!was_shown || (r != -ENOENT && !(r == 0 && ret->is_empty)))
		return r;
	ret->is_empty = false;
	r = tag_found(views, tag, ret);
	ret->step.is_child = r >= 0 && is_child;
	return r;
}

/* ---- other folders ---- */

/* Folders of what is always there are found whether there is a file or not, so that one can be put there. */
static int find_folder(struct views *views, const struct view_path *path, const char *name, bool may_wait,
		       struct view_found *ret)
{
	const struct view_shape *above = view_path_last(path)->shape;
	AUTO(free) char *query = NULL;
	char tag[VAULT_TAG_NAME_MAX + 1];
	bool is_child, is_current;
	int r = vault_folder_query((enum vault_folders)above->folders,
				   above->kind == VIEW_FOLDER ? view_path_last(path)->name : NULL, name, &query);

	if (r < 0)
		return r;
	if (above->folders == VAULT_FOLDERS_KINDS || above->folders == VAULT_FOLDERS_RECENT ||
	    above->folders == VAULT_FOLDERS_RATINGS || view_was_shown(views, path->id, name, tag, &is_child, &is_current))
		return 0;
	r = view_shows_files(views, path, &ret->step, may_wait);
	return r > 0 ? 0 : r == 0 ? -ENOENT : r;
}

/* Any words are a search. Programs look for names like .git and .hidden everywhere: those are not. */
static int find_words(const char *name)
{
	AUTO(vault_query) struct vault_query *query = NULL;
	struct vault_query_error error;
	int r;

	if (name[0] == '.')
		return -ENOENT;
	r = vault_query_parse(name, &query, &error);
	if (r == -EINVAL)
		return log_err(r, VIEWS_NAME "/search/%s: at byte %zu: %s", name, error.offset, error.message);
	return r;
}

static int find_saved(struct views *views, const char *name)
{
	AUTO(free) char *query = NULL;

	return vault_search_get(views->fs->vault, name, &query, NULL);
}

/* A directory of the vault, or a file in it that shows what is like it. */
static int find_real(struct views *views, const struct view_path *path, const char *name, struct view_found *ret)
{
	const struct view_step *above = view_path_last(path);
	int r = vault_lookup(views->fs->vault, above->real ? above->real : VAULT_ROOT_ID, name, &ret->attr);

	if (r < 0)
		return r;
	ret->step.real = ret->attr.id;
	if (S_ISDIR(ret->attr.mode))
		ret->step.shape = above->shape;
	else if (S_ISREG(ret->attr.mode))
		ret->step.shape = &view_shape_similar_file;
	else
		return -ENOENT;
	return 0;
}

static int find_sub_folder(struct views *views, const struct view_path *path, const char *name, bool may_wait,
			   struct view_found *ret)
{
	const struct view_shape *shape = view_path_last(path)->shape;

	ret->step = (struct view_step){ .name = name, .shape = shape->inner };
	switch (shape->kind) {
	case VIEW_TOP:
		ret->step.shape = view_shapes_find(name);
		return ret->step.shape ? 0 : -ENOENT;
	case VIEW_TAGS:
		return find_tag(views, path, name, may_wait, ret);
	case VIEW_TAG:
		return find_shown_tag(views, path, name, may_wait, ret);
	case VIEW_FOLDERS:
	case VIEW_FOLDER:
		return shape->inner ? find_folder(views, path, name, may_wait, ret) : -ENOENT;
	case VIEW_SEARCH:
		return find_words(name);
	case VIEW_SAVED:
		return find_saved(views, name);
	case VIEW_SIMILAR:
		return find_real(views, path, name, ret);
	case VIEW_THUMBNAILS:
	case VIEW_PREVIEWS:
	case VIEW_PREVIEWS_FILE:
		return view_derived_find(views, path, name, ret);
	default:
		return -ENOENT;
	}
}

/* ---- files ---- */

static int find_playlist(struct views *views, const struct view_path *path, bool may_wait, struct view_found *ret)
{
	ret->step = (struct view_step){ .name = VIEW_PLAYLIST_NAME, .shape = &view_shape_playlist };
	return view_playlist_size(views, path, may_wait, &ret->size);
}

static int find_file(struct views *views, const struct view_path *path, const char *name, bool may_wait,
		     struct view_found *ret)
{
	AUTO(vault_listing) struct vault_listing *listing = NULL;
	uint64_t id = 0;
	char shown[VAULT_NAME_MAX + 1];
	int r = view_listing(views->fs, path, may_wait, &listing);

	if (r >= 0)
		r = vault_listing_find(listing, name, &id);
	if (r == -ENOENT) {	/* a name that it was just given there, but is not shown under */
		id = view_fresh_find(views, path->id, name);
		r = id ? vault_listing_name(listing, id, shown) : -ENOENT;
	}
	if (r >= 0)
		r = vault_getattr(views->fs->vault, id, &ret->attr);
	ret->is_file = r >= 0;
	return r;
}

/* Is it a tag's folder that is not shown, or in another case, or called by an alias? A file that is called so is shown under
 * its name. */
static bool gives_way(const struct view_found *found)
{
	const char *last = strrchr(found->tag, '/');

	return found->is_empty || (found->step.tag && strcmp(last ? last + 1 : found->tag, found->step.name) != 0);
}

int view_find(struct views *views, const struct view_path *path, const char *name, bool may_wait, struct view_found *ret)
{
	bool lists_files = view_lists_files(view_path_last(path)->shape);
	struct view_found file = { .size = 0 };
	int r;

	*ret = (struct view_found){ .size = 0 };
	if (lists_files && strcmp(name, VIEW_PLAYLIST_NAME) == 0) {
		r = find_playlist(views, path, may_wait, ret);
		return r;
	}
	r = find_sub_folder(views, path, name, may_wait, ret);
	if (r >= 0 && lists_files && gives_way(ret)) {
		r = find_file(views, path, name, may_wait, &file);
		if (r >= 0)
			*ret = file;
		return r == -ENOENT ? 0 : r;
	}
	if (r == -ENOENT && lists_files)
		r = find_file(views, path, name, may_wait, ret);
	return r;
}

/* ---- the operation ---- */

/* Servers of NFS ask for "." and ".." of what they know by number. */
static int reply_dots(struct view_request *request, const struct view_path *path)
{
	struct fs *fs = request->fs;
	size_t n = request->name[1] == '.' && path->n > 1 ? path->n - 1 : path->n;
	struct vault_attr attr;
	int r;

	if (n != path->n)	/* the folder above: its number is not at hand, and nobody needs it by this way */
		return -ESTALE;
	r = view_attr(fs, path->id, view_path_last(path), 0, &attr);
	if (r >= 0)
		(void)reply_entry_now(request->req, fs, &attr);
	return r;
}

static int reply_node(struct view_request *request, const struct view_found *found)
{
	struct fs *fs = request->fs;
	int (*reply)(fuse_req_t, const struct fs *, const struct vault_attr *) =
		request->ino == VIEW_TOP_ID ? reply_entry : reply_entry_now;
	struct vault_attr attr;
	uint64_t id = 0;
	int r = view_nodes_look_up(fs->views->nodes, request->ino, &found->step, &id);

	if (r < 0)
		return r;
	r = view_attr(fs, id, &found->step, found->size, &attr);
	if (r < 0)
		view_nodes_forget(fs->views->nodes, id, 1);
	else if (reply(request->req, fs, &attr) < 0)
		view_nodes_forget(fs->views->nodes, id, 1);	/* it did not arrive: no FORGET will come */
	view_nodes_bound(fs->views);
	return r;
}

/* A view leads past the directories that a file stands in. Where others than the owner of the mount may come, they get only to
 * files that they could get to by those.  -EACCES. */
static int check_way(fuse_req_t req, const struct vault_attr *file)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr directory = { .id = 0 };
	char name[VAULT_NAME_MAX + 1];
	uint64_t id;
	int r;

	if (!fs->options->allow_other || caller_owns(req, file))
		return 0;
	r = vault_name_of(fs->vault, file->id, &id, name);
	if (r < 0)
		return r == -ENOENT ? 0 : r;	/* what was made from a file has no name; its own mode counts */
	while (directory.id != VAULT_ROOT_ID) {
		r = vault_getattr(fs->vault, id, &directory);
		if (r >= 0)
			r = caller_may(req, &directory, X_OK);
		if (r <= 0)
			return r == 0 ? -EACCES : r;
		r = vault_parent(fs->vault, id, &id);
		if (r < 0)
			return r;
	}
	return 0;
}

static int serve_lookup(struct view_request *request)
{
	struct fs *fs = request->fs;
	AUTO(view_path) struct view_path *path = NULL;
	struct view_found found;
	int r = view_nodes_path(fs->views->nodes, request->ino, &path);

	if (r < 0)
		return r;
	if (strcmp(request->name, ".") == 0 || strcmp(request->name, "..") == 0)
		return reply_dots(request, path);
	r = view_find(fs->views, path, request->name, request->may_wait, &found);
	if (r < 0)
		return r;
	if (!found.is_file)
		return reply_node(request, &found);
	r = check_way(request->req, &found.attr);
	if (r >= 0)
		(void)reply_entry_now(request->req, fs, &found.attr);
	return r;
}

void views_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_lookup, .ino = parent,
					.name = name };

	view_request_run(&request);
}
