/* view_items.c - what a view folder shows beside the files of its listing: sub-folders, in the order of their names. */
#include "view_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"

#define ITEMS_MAX (1u << 20)

void view_items_release(struct view_items *items)
{
	for (size_t i = 0; i < items->n; i++) {
		free(items->items[i].name);
		free(items->items[i].tag);
	}
	free(items->items);
	*items = (struct view_items){ .n = 0 };
}

static int grow(struct view_items *items)
{
	size_t room = items->room ? items->room * 2 : 16;
	struct view_item *more;

	if (items->n >= ITEMS_MAX)
		return log_err(-EOVERFLOW, "a view has more than %u folders in one", ITEMS_MAX);
	more = realloc(items->items, room * sizeof(*more));
	if (!more)
		return log_err(-ENOMEM, "no memory for %zu view folders", room);
	items->items = more;
	items->room = room;
	return 0;
}

int view_items_add(struct view_items *items, const char *name, const char *tag, uint64_t ino, mode_t mode, bool is_child)
{
	AUTO(free) char *name_copy = strdup(name);
	AUTO(free) char *tag_copy = tag ? strdup(tag) : NULL;
	int r = 0;

	if (!name_copy || (tag && !tag_copy))
		return log_err(-ENOMEM, "no memory for the view folder %s", name);
	if (items->n == items->room)
		r = grow(items);
	if (r < 0)
		return r;
	items->bytes += sizeof(struct view_item) + strlen(name) + (tag ? strlen(tag) : 0) + 32;	/* with malloc's own */
	items->items[items->n++] = (struct view_item){
		.name = TAKE(name_copy), .tag = TAKE(tag_copy), .ino = ino, .mode = mode, .is_child = is_child
	};
	return 0;
}

/* ---- where they come from ---- */

static int add_shapes(struct view_items *items)
{
	const struct view_shape *shape;
	int r = 0;

	for (size_t i = 0; r >= 0 && (shape = view_shapes_at(i)); i++)
		r = view_items_add(items, shape->name, NULL, 0, S_IFDIR, false);
	return r;
}

/* Where there may be a playlist its name is not a folder's: files of a tag called like it are found by `search`. */
static bool is_playlist(const char *name)
{
	return strcmp(name, VIEW_PLAYLIST_NAME) == 0;
}

static int add_tag_folder(void *context, const struct vault_tag_folder *folder)
{
	if (is_playlist(folder->name))
		return 0;
	return view_items_add(context, folder->name, folder->tag, 0, S_IFDIR, folder->child);
}

/* The tags directly below the folder's own, whether files have them or not. */
static int add_tags_below(struct views *views, const char *name, struct view_items *items)
{
	AUTO(vault_tags) struct vault_tags tags = { .n = 0 };
	int r = vault_tag_list(views->fs->vault, name, 0, &tags);

	if (r == -ENOENT)	/* the tag is gone */
		return 0;
	for (size_t i = 0; r >= 0 && i < tags.n; i++) {
		const char *last = strrchr(tags.tags[i].name, '/');
		const char *shown = last ? last + 1 : tags.tags[i].name;

		if (tags.tags[i].is_folder && !(name && is_playlist(shown)))
			r = view_items_add(items, shown, tags.tags[i].name, 0, S_IFDIR, name != NULL);
	}
	return r;
}

static int by_name(const void *a, const void *b)
{
	const struct view_item *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static int by_tag_name_then_child(const void *a, const void *b)
{
	const struct view_item *left = a, *right = b;
	int order = vault_tag_names_compare(left->name, right->name);

	return order ? order : (int)right->is_child - (int)left->is_child;
}

/* Of tags' folders with names that differ in case at most, a child's stays. */
static void keep_one_of_each(struct view_items *items)
{
	size_t n = 0;

	if (items->n > 0)
		qsort(items->items, items->n, sizeof(items->items[0]), by_tag_name_then_child);
	for (size_t i = 0; i < items->n; i++) {
		if (n > 0 && vault_tag_names_compare(items->items[n - 1].name, items->items[i].name) == 0) {
			free(items->items[i].name);
			free(items->items[i].tag);
		} else {
			items->items[n++] = items->items[i];
		}
	}
	items->n = n;
}

/* Below one tag: all that stand below it, and what else narrows its files. Below several: what narrows. */
static int add_tags(struct views *views, const struct view_path *path, struct vault_listing *listing,
		    struct view_items *items)
{
	const char *used[VIEW_TAGS_MAX];
	int n = view_path_tags(path, used);
	int r = n;

	if (n == 0)
		return add_tags_below(views, NULL, items);
	if (n == 1)
		r = add_tags_below(views, used[0], items);
	if (r >= 0)
		r = vault_listing_tags(listing, used, (size_t)n, add_tag_folder, items);
	if (r >= 0)
		keep_one_of_each(items);
	return r;
}

static int add_folder(void *context, const struct vault_folder *folder)
{
	return view_items_add(context, folder->name, NULL, 0, S_IFDIR, false);
}

static int add_real(void *context, const struct vault_entry *entry)
{
	if (!S_ISDIR(entry->attr.mode) && !S_ISREG(entry->attr.mode))
		return 0;
	return view_items_add(context, entry->name, NULL, 0, S_IFDIR, false);
}

static int add_search(void *context, const struct vault_search *search)
{
	return view_items_add(context, search->name, NULL, 0, S_IFDIR, false);
}

static int fill(struct views *views, const struct view_path *path, struct vault_listing *listing,
		struct view_items *items)
{
	const struct view_step *step = view_path_last(path);
	const struct view_shape *shape = step->shape;
	struct vault *vault = views->fs->vault;

	switch (shape->kind) {
	case VIEW_TOP:
		return add_shapes(items);
	case VIEW_TAGS:
	case VIEW_TAG:
		return add_tags(views, path, listing, items);
	case VIEW_FOLDERS:
	case VIEW_FOLDER:
		return shape->inner ? vault_folders_each(vault, (enum vault_folders)shape->folders,
							 shape->kind == VIEW_FOLDER ? step->name : NULL, add_folder, items) : 0;
	case VIEW_SIMILAR:
		return vault_readdir(vault, step->real ? step->real : VAULT_ROOT_ID, 0, false, add_real, items);
	case VIEW_SAVED:
		return vault_searches(vault, add_search, items);
	case VIEW_THUMBNAILS:
	case VIEW_PREVIEWS:
	case VIEW_PREVIEWS_FILE:
		return view_derived_items(views, path, items);
	default:
		return 0;
	}
}

static bool takes_no_time(const struct view_path *path)
{
	const struct view_shape *shape = view_path_last(path)->shape;

	switch (shape->kind) {
	case VIEW_TAG:
	case VIEW_SIMILAR:
	case VIEW_THUMBNAILS:
	case VIEW_PREVIEWS:
		return false;
	case VIEW_FOLDERS:
	case VIEW_FOLDER:
		return !shape->inner;
	default:
		return true;
	}
}

int view_items_get(struct views *views, const struct view_path *path, struct vault_listing *listing, bool may_wait,
		   struct view_items *ret)
{
	struct view_items items = { .n = 0 };
	int r = may_wait || takes_no_time(path) ? fill(views, path, listing, &items) : -EAGAIN;

	if (r < 0) {
		view_items_release(&items);
		return r;
	}
	if (items.n > 0)
		qsort(items.items, items.n, sizeof(items.items[0]), by_name);
	*ret = items;
	return 0;
}

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct view_item *)item)->name);
}

const struct view_item *view_items_find(const struct view_items *items, const char *name)
{
	return items->n ? bsearch(name, items->items, items->n, sizeof(items->items[0]), compare_name) : NULL;
}
