/* view_derived.c - thumbnails/PATH.jpg and previews/PATH/: what the indexer made from files, beside their names.
 *
 * Both are trees like the vault's: a directory stands for the one of its name, with its owner and mode. What is in them are
 * inodes of the vault without a name of their own. */
#include "view_request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"

#define THUMBNAIL_SUFFIX ".jpg"
#define SEGMENTS_MAX 99u

static void segment_name(unsigned number, char ret_name[32])
{
	(void)snprintf(ret_name, 32, "segment_%02u.mp4", number);
}

/* Without its thumbnail's suffix; false: it has none. */
static bool file_of_thumbnail(const char *name, char ret_name[VAULT_NAME_MAX + 1])
{
	size_t n = strlen(name), suffix = strlen(THUMBNAIL_SUFFIX);

	if (n <= suffix || n > VAULT_NAME_MAX || strcmp(name + n - suffix, THUMBNAIL_SUFFIX) != 0)
		return false;
	memcpy(ret_name, name, n - suffix);
	ret_name[n - suffix] = '\0';
	return true;
}

static uint64_t directory_of(const struct view_path *path)
{
	return view_path_last(path)->real ? view_path_last(path)->real : VAULT_ROOT_ID;
}

static int find_thumbnail(struct vault *vault, uint64_t directory, const char *name, struct view_found *ret)
{
	char file[VAULT_NAME_MAX + 1];
	int r = file_of_thumbnail(name, file) ? vault_lookup(vault, directory, file, &ret->attr) : -ENOENT;

	if (r >= 0)
		r = vault_get_derived(vault, ret->attr.id, VAULT_DERIVED_THUMBNAIL, 1, &ret->attr);
	ret->is_file = r >= 0;
	return r;
}

static int find_segment(struct vault *vault, uint64_t id, const char *name, struct view_found *ret)
{
	char exact[32];
	unsigned number = 0;
	int r = -ENOENT;

	if (sscanf(name, "segment_%2u", &number) == 1 && number >= 1 && number <= SEGMENTS_MAX) {
		segment_name(number, exact);
		if (strcmp(name, exact) == 0)
			r = vault_get_derived(vault, id, VAULT_DERIVED_PREVIEW, number, &ret->attr);
	}
	ret->is_file = r >= 0;
	return r;
}

int view_derived_find(struct views *views, const struct view_path *path, const char *name, struct view_found *ret)
{
	struct vault *vault = views->fs->vault;
	const struct view_shape *shape = view_path_last(path)->shape;
	struct vault_attr first;
	int r;

	if (shape->kind == VIEW_PREVIEWS_FILE)
		return find_segment(vault, view_path_last(path)->real, name, ret);
	r = vault_lookup(vault, directory_of(path), name, &ret->attr);
	if (r >= 0 && S_ISDIR(ret->attr.mode)) {
		ret->step.shape = shape;
		ret->step.real = ret->attr.id;
		return 0;
	}
	if (shape->kind == VIEW_THUMBNAILS)
		return find_thumbnail(vault, directory_of(path), name, ret);
	if (r >= 0)
		r = vault_get_derived(vault, ret->attr.id, VAULT_DERIVED_PREVIEW, 1, &first);
	ret->step.shape = &view_shape_previews_file;
	ret->step.real = r >= 0 ? ret->attr.id : 0;
	return r;
}

/* ---- listing ---- */

static int add_entry(void *context, const struct vault_entry *entry)
{
	if (!S_ISDIR(entry->attr.mode) && !S_ISREG(entry->attr.mode))
		return 0;
	return view_items_add(context, entry->name, NULL, entry->attr.id, entry->attr.mode, false);
}

static int add_thumbnail(struct vault *vault, const struct view_item *file, struct view_items *items)
{
	char name[VAULT_NAME_MAX + sizeof(THUMBNAIL_SUFFIX)];
	struct vault_attr attr;
	int r = vault_get_derived(vault, file->ino, VAULT_DERIVED_THUMBNAIL, 1, &attr);

	if (r < 0 || strlen(file->name) + strlen(THUMBNAIL_SUFFIX) > VAULT_NAME_MAX)
		return r == -ENOENT ? 0 : r;
	(void)snprintf(name, sizeof(name), "%s" THUMBNAIL_SUFFIX, file->name);
	return view_items_add(items, name, NULL, attr.id, S_IFREG, false);
}

static int add_preview(struct vault *vault, const struct view_item *file, struct view_items *items)
{
	struct vault_attr attr;
	int r = vault_get_derived(vault, file->ino, VAULT_DERIVED_PREVIEW, 1, &attr);

	return r < 0 ? (r == -ENOENT ? 0 : r) : view_items_add(items, file->name, NULL, 0, S_IFDIR, false);
}

static int add_segments(struct vault *vault, uint64_t id, struct view_items *items)
{
	struct vault_attr attr;
	char name[32];
	int r = 0;

	for (unsigned number = 1; number <= SEGMENTS_MAX && r >= 0; number++) {
		r = vault_get_derived(vault, id, VAULT_DERIVED_PREVIEW, number, &attr);
		segment_name(number, name);
		if (r >= 0)
			r = view_items_add(items, name, NULL, attr.id, S_IFREG, false);
	}
	return r == -ENOENT ? 0 : r;
}

int view_derived_items(struct views *views, const struct view_path *path, struct view_items *items)
{
	struct vault *vault = views->fs->vault;
	enum view_kind kind = view_path_last(path)->shape->kind;
	struct view_items entries = { .n = 0 };
	int r;

	if (kind == VIEW_PREVIEWS_FILE)
		return add_segments(vault, view_path_last(path)->real, items);
	r = vault_readdir(vault, directory_of(path), 0, false, add_entry, &entries);
	for (size_t i = 0; i < entries.n && r >= 0; i++) {
		const struct view_item *entry = &entries.items[i];

		if (S_ISDIR(entry->mode))
			r = view_items_add(items, entry->name, NULL, 0, S_IFDIR, false);
		else
			r = kind == VIEW_THUMBNAILS ? add_thumbnail(vault, entry, items) : add_preview(vault, entry, items);
	}
	view_items_release(&entries);
	return r;
}
