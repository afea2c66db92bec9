/* listing_tags.c - which tags narrow a listing further: the sub-folders of a tag folder. See library.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "listing.h"
#include "listing_queries.h"
#include "readers.h"
#include "tag_graph.h"

/* What is known of a node of the graph. */
enum {
	NODE_HAD = 1,  /* a file has it */
	NODE_USED = 2, /* it is used, or stands above or is implied by what is: it narrows nothing */
};

/* A folder to tell of. */
struct folder {
	char *name, *tag;
	unsigned order; /* 0 below the last used one, 1 below another that narrows nothing, 2 at the top */
};

struct folders {
	struct folder *all;
	size_t n, room;
};

static void auto_folders(struct folders *folders)
{
	for (size_t i = 0; i < folders->n; i++) {
		free(folders->all[i].name);
		free(folders->all[i].tag);
	}
	free(folders->all);
}

static int no_memory(const struct vault_listing *listing)
{
	return log_err(-ENOMEM, "%s: no memory for the tags of a list of files", listing->vault->path);
}

/* ---- which tags the files have ---- */

struct tag_ids {
	uint64_t *ids; /* ascending */
	uint8_t *seen;
	size_t n, n_seen;
};

static void auto_tag_ids(struct tag_ids *tags)
{
	free(tags->ids);
	free(tags->seen);
}

static int read_tag_ids(struct db *db, struct tag_ids *ret)
{
	AUTO(query) sqlite3_stmt *all = db_query(db, DB_SET_listing, LISTING_TAGS);
	size_t room = 0;
	int r;

	while ((r = db_step(db, all)) == 1) {
		if (ret->n == room) {
			uint64_t *ids = reallocarray(ret->ids, room = 2 * room + 64, sizeof(*ids));

			if (!ids)
				return -ENOMEM;
			ret->ids = ids;
		}
		ret->ids[ret->n++] = column_u64(all, 0);
	}
	ret->seen = r < 0 ? NULL : calloc(ret->n + 1, 1);
	return r < 0 ? r : ret->seen ? 0 : -ENOMEM;
}

static void tag_is_had(struct tag_ids *tags, uint64_t id)
{
	size_t low = 0, high = tags->n;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (tags->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < tags->n && tags->ids[low] == id && !tags->seen[low]) {
		tags->seen[low] = 1;
		tags->n_seen++;
	}
}

static int read_tags_of(struct db *db, const struct vault_snapshot *files, struct tag_ids *tags)
{
	AUTO(query) sqlite3_stmt *of = db_query(db, DB_SET_listing, LISTING_TAGS_OF);
	const size_t n = vault_snapshot_size(files);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n && tags->n_seen < tags->n; i++) {
		bind_u64(of, 1, vault_snapshot_get(files, i, NULL));
		while ((r = db_step(db, of)) == 1)
			tag_is_had(tags, column_u64(of, 0));
		(void)sqlite3_reset(of); /* repeats the error of the step */
	}
	return r;
}

/* All tags, and which of them a file of the listing has, by itself. */
static int read_tags(struct vault_listing *listing, const struct vault_snapshot *files, struct tag_ids *ret)
{
	AUTO(reader) struct reader *reader = NULL;
	int r = reader_get_for(listing->vault, NULL, &reader);

	if (r == 0)
		r = read_tag_ids(&reader->db, ret);
	if (r == 0)
		r = read_tags_of(&reader->db, files, ret);
	return r == -ENOMEM ? no_memory(listing) : r;
}

/* ---- which folders that makes ---- */

static void mark_found(const struct tag_graph *graph, uint8_t *marks, uint8_t mark)
{
	for (size_t i = 0; i < graph->n_found; i++)
		marks[graph->found[i]] |= mark;
}

static uint32_t mark_nodes(struct tag_graph *graph, const struct tag_ids *tags, const char *const *used,
			   size_t n_used, uint8_t *marks)
{
	uint32_t last = TAG_NONE;

	tag_walk_begin(graph);
	for (size_t i = 0; i < tags->n; i++) {
		const uint32_t row = tags->seen[i] ? tag_graph_row(graph, tags->ids[i]) : TAG_NONE;

		if (row != TAG_NONE)
			tag_walk_above(graph, graph->rows[row].node);
	}
	mark_found(graph, marks, NODE_HAD);
	tag_walk_begin(graph);
	for (size_t i = 0; i < n_used; i++) {
		last = tag_graph_find(graph, used[i], strlen(used[i]));
		if (last != TAG_NONE)
			tag_walk_above(graph, last);
	}
	mark_found(graph, marks, NODE_USED);
	return last;
}

static int add_folder(struct folders *folders, const struct tag_node *node, unsigned order)
{
	const char *slash = strrchr(node->name, '/');
	struct folder folder = { .order = order };

	if (folders->n == folders->room) {
		const size_t room = 2 * folders->room + 16;
		struct folder *all = reallocarray(folders->all, room, sizeof(*all));

		if (!all)
			return -ENOMEM;
		folders->all = all;
		folders->room = room;
	}
	folder.tag = strdup(node->name);
	folder.name = strdup(slash ? slash + 1 : node->name);
	folders->all[folders->n++] = folder;
	return folder.tag && folder.name ? 0 : -ENOMEM;
}

static int add_folders(const struct tag_graph *graph, const uint8_t *marks, uint32_t last,
		       struct folders *ret)
{
	int r = 0;

	for (uint32_t i = 1; r == 0 && i < graph->n_nodes; i++) {
		const struct tag_node *node = &graph->nodes[i];
		const bool top = node->parent == TAG_ROOT;

		if (marks[i] == NODE_HAD && (top || marks[node->parent] & NODE_USED) &&
		    tag_node_is_folder(node))
			r = add_folder(ret, node, !top && node->parent == last ? 0 : top ? 2 : 1);
	}
	return r;
}

int vault_tag_names_compare(const char *a, const char *b)
{
	char x[CASEFOLD_SIZE(VAULT_TAG_NAME_MAX) + 1], y[CASEFOLD_SIZE(VAULT_TAG_NAME_MAX) + 1];

	x[casefold(a, strlen(a), x)] = '\0';
	y[casefold(b, strlen(b), y)] = '\0';
	return strcmp(x, y);
}

/* Of those with equal names the first is told of. */
static int compare(const void *a, const void *b)
{
	const struct folder *one = a, *two = b;
	const int r = vault_tag_names_compare(one->name, two->name);

	return r != 0                     ? r
	       : one->order != two->order ? (int)one->order - (int)two->order
					  : strcmp(one->tag, two->tag);
}

static int make_folders(struct vault_listing *listing, const struct tag_ids *tags, const char *const *used,
			size_t n_used, struct folders *ret)
{
	AUTO(free) uint8_t *marks = NULL;
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct tag_graph *graph = listing->vault->tags;
	uint32_t last;
	int r = tag_graph_lock(listing->vault, &held);

	if (r < 0)
		return r;
	marks = calloc(graph->n_nodes + 1, 1);
	if (!marks)
		return no_memory(listing);
	last = mark_nodes(graph, tags, used, n_used, marks);
	if (add_folders(graph, marks, last, ret) < 0)
		return no_memory(listing);
	if (ret->n > 0)
		qsort(ret->all, ret->n, sizeof(ret->all[0]), compare);
	return 0;
}

int vault_listing_tags(struct vault_listing *listing, const char *const *used, size_t n_used,
		       int (*emit)(void *context, const struct vault_tag_folder *folder), void *context)
{
	AUTO(vault_snapshot) struct vault_snapshot *files = NULL;
	AUTO(tag_ids) struct tag_ids tags = { 0 };
	AUTO(folders) struct folders folders = { 0 };
	int r = vault_listing_snapshot(listing, &files);

	if (r == 0)
		r = read_tags(listing, files, &tags);
	if (r == 0)
		r = make_folders(listing, &tags, used, n_used, &folders);
	for (size_t i = 0; r == 0 && i < folders.n; i++) {
		const struct folder *folder = &folders.all[i];

		if (i == 0 || vault_tag_names_compare(folder->name, folders.all[i - 1].name) != 0)
			r = emit(context,
				 &(struct vault_tag_folder){ folder->name, folder->tag, folder->order == 0 });
	}
	return r;
}
