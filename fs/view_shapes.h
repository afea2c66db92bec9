/* view_shapes.h - which folders there are below `.views`, and what each asks the vault for. */
#ifndef VAULTFS_VIEW_SHAPES_H
#define VAULTFS_VIEW_SHAPES_H

#include "library.h"
#include "view_nodes.h"

enum view_kind {
	VIEW_TOP,	   /* `.views` */
	VIEW_TAGS,	   /* tags */
	VIEW_TAG,	   /* tags/A, tags/A/B... */
	VIEW_FOLDERS,	   /* kinds, types...: folders that follow from what is there */
	VIEW_FOLDER,	   /* one of them, which may have such folders itself */
	VIEW_QUERY,	   /* favorites, unseen */
	VIEW_SEARCH,	   /* search */
	VIEW_WORDS,	   /* one search */
	VIEW_SAVED,	   /* saved */
	VIEW_SAVED_ONE,	   /* one saved search */
	VIEW_SIMILAR,	   /* similar, and the vault's directories in it */
	VIEW_SIMILAR_FILE, /* a file as the folder of those that are like it */
	VIEW_THUMBNAILS,   /* thumbnails, and the vault's directories in it */
	VIEW_PREVIEWS,	   /* the same of previews */
	VIEW_PREVIEWS_FILE,
	VIEW_PLAYLIST,	   /* a file: PLAYLIST.m3u8 in any folder that lists files */
};

struct view_shape {
	enum view_kind kind;
	const char *name;	 /* of the folder below `.views`; NULL: others are made like it */
	int folders;		 /* enum vault_folders of its sub-folders, or -1 */
	const char *query;	 /* of a VIEW_QUERY */
	const struct view_shape *inner; /* what its sub-folders are */
};

#define VIEW_PLAYLIST_NAME "PLAYLIST.m3u8"

extern const struct view_shape view_shape_top, view_shape_playlist;
extern const struct view_shape view_shape_similar_file, view_shape_previews_file;

/* What stands below `.views`; NULL behind the last. */
const struct view_shape *view_shapes_at(size_t index);
const struct view_shape *view_shapes_find(const char *name);

/* Does a folder list files that a query finds, or that are like one? These have a playlist, too. */
bool view_lists_files(const struct view_shape *shape);

/* Its last step. */
static inline const struct view_step *view_path_last(const struct view_path *path)
{
	return &path->steps[path->n - 1];
}

#define VIEW_TAGS_MAX 64u /* tags in a path */

/* The tags that a path uses, in full; borrowed from it. Returns how many: a tag that stands below another takes its
 * place.  -ENAMETOOLONG more than VIEW_TAGS_MAX. */
int view_path_tags(const struct view_path *path, const char *ret_tags[VIEW_TAGS_MAX]);

/* The listing of what the folder of a path shows.
 *   Ownership  vault_listing_unref() *ret.
 *   Errors     -ENOENT what it stands for is gone; -EISDIR it lists no files; -EINVAL its words are no query (logged). */
int view_path_listing(struct vault *vault, const struct view_path *path, struct vault_listing **ret);

/* The query of a folder that lists files by one; the caller's, free() it.  As view_path_listing(); -EISDIR it has none. */
int view_path_query(struct vault *vault, const struct view_path *path, char **ret);

#endif
