/* view_shapes.c - which folders there are below `.views`. See view_shapes.h. */
#include "view_shapes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "log.h"

#define NONE (-1)

static const struct view_shape shape_folder = { VIEW_FOLDER, NULL, NONE, NULL, NULL };
static const struct view_shape shape_type = { VIEW_FOLDER, NULL, VAULT_FOLDERS_SUBTYPES, NULL, &shape_folder };
static const struct view_shape shape_year = { VIEW_FOLDER, NULL, VAULT_FOLDERS_MONTHS, NULL, &shape_folder };
static const struct view_shape shape_tag = { VIEW_TAG, NULL, NONE, NULL, &shape_tag };
static const struct view_shape shape_words = { VIEW_WORDS, NULL, NONE, NULL, NULL };
static const struct view_shape shape_saved_one = { VIEW_SAVED_ONE, NULL, NONE, NULL, NULL };
const struct view_shape view_shape_similar_file = { VIEW_SIMILAR_FILE, NULL, NONE, NULL, NULL };
const struct view_shape view_shape_previews_file = { VIEW_PREVIEWS_FILE, NULL, NONE, NULL, NULL };
const struct view_shape view_shape_playlist = { VIEW_PLAYLIST, NULL, NONE, NULL, NULL };
const struct view_shape view_shape_top = { VIEW_TOP, NULL, NONE, NULL, NULL };

/* `history` is a name for later: nothing is found under it. */
static const struct view_shape shapes[] = {
	{ VIEW_TAGS, "tags", NONE, NULL, &shape_tag },
	{ VIEW_FOLDERS, "kinds", VAULT_FOLDERS_KINDS, NULL, &shape_folder },
	{ VIEW_FOLDERS, "types", VAULT_FOLDERS_TYPES, NULL, &shape_type },
	{ VIEW_QUERY, "favorites", NONE, "favorite", NULL },
	{ VIEW_QUERY, "unseen", NONE, "unseen kind:video,audio", NULL }, /* of pictures and texts nobody notes it */
	{ VIEW_FOLDERS, "recent", VAULT_FOLDERS_RECENT, NULL, &shape_folder },
	{ VIEW_FOLDERS, "rating", VAULT_FOLDERS_RATINGS, NULL, &shape_folder },
	{ VIEW_FOLDERS, "quality", VAULT_FOLDERS_QUALITY, NULL, &shape_folder },
	{ VIEW_FOLDERS, "by-date", VAULT_FOLDERS_YEARS, NULL, &shape_year },
	{ VIEW_FOLDERS, "people", VAULT_FOLDERS_PEOPLE, NULL, &shape_folder },
	{ VIEW_FOLDERS, "duplicates", VAULT_FOLDERS_DUPLICATES, NULL, &shape_folder },
	{ VIEW_SIMILAR, "similar", NONE, NULL, NULL },
	{ VIEW_THUMBNAILS, "thumbnails", NONE, NULL, NULL },
	{ VIEW_PREVIEWS, "previews", NONE, NULL, NULL },
	{ VIEW_SEARCH, "search", NONE, NULL, &shape_words },
	{ VIEW_SAVED, "saved", NONE, NULL, &shape_saved_one },
};
#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

const struct view_shape *view_shapes_at(size_t index)
{
	return index < N_SHAPES ? &shapes[index] : NULL;
}

const struct view_shape *view_shapes_find(const char *name)
{
	for (size_t i = 0; i < N_SHAPES; i++)
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];
	return NULL;
}

bool view_lists_files(const struct view_shape *shape)
{
	switch (shape->kind) {
	case VIEW_TAG:
	case VIEW_FOLDER:
	case VIEW_QUERY:
	case VIEW_WORDS:
	case VIEW_SAVED_ONE:
	case VIEW_SIMILAR_FILE:
		return true;
	default:
		return false;
	}
}

int view_path_tags(const struct view_path *path, const char *ret_tags[VIEW_TAGS_MAX])
{
	int n = 0;

	for (size_t i = 0; i < path->n; i++) {
		const struct view_step *step = &path->steps[i];

		if (step->shape->kind != VIEW_TAG)
			continue;
		if (step->is_child && n > 0)
			n--;
		if (n == (int)VIEW_TAGS_MAX)
			return -ENAMETOOLONG;
		ret_tags[n++] = step->tag;
	}
	return n;
}

/* "tag:A tag:B" */
static int tags_query(const struct view_path *path, char **ret)
{
	const char *tags[VIEW_TAGS_MAX];
	AUTO(free) char *query = NULL;
	int n = view_path_tags(path, tags);

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		AUTO(free) char *term = vault_query_term("tag", tags[i]);
		AUTO(free) char *before = TAKE(query);

		if (!term || asprintf(&query, "%s%s%s", before ? before : "", before ? " " : "", term) < 0) {
			query = NULL;	/* asprintf leaves it undefined */
			return log_err(-ENOMEM, "no memory for the query of tag folder %s", tags[i]);
		}
	}
	*ret = TAKE(query);
	return 0;
}

static int folder_query(const struct view_path *path, char **ret)
{
	const struct view_step *step = view_path_last(path);
	const struct view_step *above = step - 1;	/* never the first: that is `.views` */

	return vault_folder_query((enum vault_folders)above->shape->folders,
				  above->shape->kind == VIEW_FOLDER ? above->name : NULL, step->name, ret);
}

static int copy_query(const char *query, char **ret)
{
	*ret = strdup(query);
	return *ret ? 0 : log_err(-ENOMEM, "no memory for the query of a view: %s", query);
}

int view_path_query(struct vault *vault, const struct view_path *path, char **ret)
{
	const struct view_step *step = view_path_last(path);

	switch (step->shape->kind) {
	case VIEW_TAG:
		return tags_query(path, ret);
	case VIEW_FOLDER:
		return folder_query(path, ret);
	case VIEW_QUERY:
		return copy_query(step->shape->query, ret);
	case VIEW_WORDS:
		return copy_query(step->name, ret);
	case VIEW_SAVED_ONE:
		return vault_search_get(vault, step->name, ret, NULL);
	default:
		return -EISDIR;
	}
}

int view_path_listing(struct vault *vault, const struct view_path *path, struct vault_listing **ret)
{
	AUTO(free) char *text = NULL;
	AUTO(vault_query) struct vault_query *query = NULL;
	struct vault_query_error error;
	int r;

	if (view_path_last(path)->shape->kind == VIEW_SIMILAR_FILE)
		return vault_listing_new_similar(vault, view_path_last(path)->real, ret);
	r = view_path_query(vault, path, &text);
	if (r >= 0)
		r = vault_query_parse(text, &query, &error);
	if (r == -EINVAL)
		return log_err(r, "%s: at byte %zu: %s", text, error.offset, error.message);
	if (r < 0)
		return r;
	return vault_listing_new(vault, query, ret);
}
