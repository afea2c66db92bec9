/* tag_list.c - tags as lists for people: what is below one, what a file counts as having. See library.h. */
#include <errno.h>
#include <string.h>

#include "tag_graph.h"
#include "tag_totals.h"

enum {
	Q_FILES,
};

static const char *const sql[] = {
	[Q_FILES] = "SELECT files FROM tag_counts WHERE tag_id = ?1",
};

const struct query_set tag_list_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

void vault_tags_release(struct vault_tags *tags)
{
	for (size_t i = 0; i < tags->n; i++) {
		free(tags->tags[i].name);
		free(tags->tags[i].color);
		free(tags->tags[i].icon);
	}
	free(tags->tags);
	*tags = (struct vault_tags){ .tags = NULL };
}

/* NULL stays NULL; false without memory. */
static bool copy_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return !text || *ret;
}

static bool fill(const struct tag_graph *graph, uint32_t index, struct vault_tag *ret)
{
	const struct tag_node *node = &graph->nodes[index];
	const struct tag_row *row = node->main_row == TAG_NONE ? NULL : &graph->rows[node->main_row];

	*ret = (struct vault_tag){
		.id = row ? row->id : 0,
		.has_below = node->first_child != TAG_NONE,
		.is_folder = tag_node_is_folder(node),
	};
	return copy_text(node->name, &ret->name) && copy_text(row ? row->color : NULL, &ret->color) &&
	       copy_text(row ? row->icon : NULL, &ret->icon);
}

/* A '/' sorts before all else, so that a tag is followed by those below it. */
static int compare_names(const struct tag_node *a, const struct tag_node *b)
{
	const unsigned char *x = (const unsigned char *)a->folded, *y = (const unsigned char *)b->folded;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	return (*x == '/' ? 1 : *x ? *x + 1 : 0) - (*y == '/' ? 1 : *y ? *y + 1 : 0);
}

static int compare_found(const void *a, const void *b, void *nodes)
{
	const struct tag_node *node = nodes;

	return compare_names(&node[*(const uint32_t *)a], &node[*(const uint32_t *)b]);
}

/* What the last walk found, sorted, but for one node. */
static int list_found(struct vault *vault, struct tag_graph *graph, uint32_t without, struct vault_tags *ret)
{
	struct vault_tags list = { .tags = calloc(graph->n_found + 1, sizeof(*list.tags)) };
	bool whole = list.tags != NULL;

	qsort_r(graph->found, graph->n_found, sizeof(*graph->found), compare_found, graph->nodes);
	for (size_t i = 0; whole && i < graph->n_found; i++)
		if (graph->found[i] != without)
			whole = fill(graph, graph->found[i], &list.tags[list.n++]);
	if (!whole) {
		vault_tags_release(&list);
		return log_err(-ENOMEM, "%s: no memory for a list of tags", vault->path);
	}
	*ret = list;
	return 0;
}

/* Files that have one of the node's rows, by the counts that are kept. None of TAG_NONE: where forged aliases go round, a node's
 * name may lead elsewhere. */
static int count_files_locked(struct vault *vault, const struct tag_graph *graph, uint32_t node, uint64_t *ret)
{
	*ret = 0;
	if (node == TAG_NONE)
		return 0;
	for (uint32_t row = graph->nodes[node].first_row; row != TAG_NONE; row = graph->rows[row].next) {
		AUTO(query) sqlite3_stmt *files = db_query(&vault->db, DB_SET_tag_list, Q_FILES);
		int r;

		bind_u64(files, 1, graph->rows[row].id);
		r = db_step(&vault->db, files);
		if (r < 0)
			return r;
		*ret += r == 1 ? column_u64(files, 0) : 0;
	}
	return 0;
}

static int count_all_locked(struct vault *vault, const struct tag_graph *graph, struct vault_tags *list)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->n; i++) {
		uint32_t node = tag_graph_find(graph, list->tags[i].name, strlen(list->tags[i].name));

		r = count_files_locked(vault, graph, node, &list->tags[i].n_files);
	}
	return r;
}

static int list(struct vault *vault, const char *name, unsigned flags, struct vault_tags *ret)
{
	struct tag_graph *graph = vault->tags;
	uint32_t top = name && *name ? tag_graph_find(graph, name, strlen(name)) : TAG_ROOT;
	int r;

	if (top == TAG_NONE)
		return -ENOENT;
	tag_walk_begin(graph);
	if (flags & VAULT_TAG_LIST_TREE)
		tag_walk_tree(graph, top);
	else
		tag_walk_children(graph, top);
	r = list_found(vault, graph, top, ret);
	if (r == 0 && flags & VAULT_TAG_LIST_FILES)
		r = count_all_locked(vault, graph, ret);
	if (r < 0)
		vault_tags_release(ret);
	return r;
}

/* Takes the locks that it needs. */
static int list_with_locks(struct vault *vault, const char *name, unsigned flags, struct vault_tags *ret)
{
	AUTO(unlock) pthread_mutex_t *metadata = NULL;
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r;

	if (flags & VAULT_TAG_LIST_FILES) {
		metadata = lock_mutex(&vault->db.lock);
		r = tag_graph_lock_locked(vault, &held);
	} else {
		r = tag_graph_lock(vault, &held);
	}
	return r < 0 ? r : list(vault, name, flags, ret);
}

int vault_tag_list(struct vault *vault, const char *name, unsigned flags, struct vault_tags *ret)
{
	int r;

	*ret = (struct vault_tags){ .tags = NULL };
	r = list_with_locks(vault, name, flags, ret);
	if (r == 0 && flags & VAULT_TAG_LIST_TOTALS)
		r = tag_totals_fill(vault, ret);
	if (r < 0)
		vault_tags_release(ret);
	return r;
}

int vault_tag_find(struct vault *vault, const char *name, struct vault_tags *ret)
{
	AUTO(unlock) pthread_mutex_t *metadata = lock_mutex(&vault->db.lock);
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct tag_graph *graph = vault->tags;
	uint32_t node;
	int r = tag_graph_lock_locked(vault, &held);

	*ret = (struct vault_tags){ .tags = NULL };
	if (r < 0)
		return r;
	node = tag_graph_find(graph, name, strlen(name));
	if (node == TAG_NONE)
		return -ENOENT;
	tag_walk_begin(graph);
	tag_walk_one(graph, node);
	r = list_found(vault, graph, TAG_ROOT, ret);
	if (r == 0)
		r = count_all_locked(vault, graph, ret);
	if (r < 0)
		vault_tags_release(ret);
	return r;
}

int vault_tags_shown(struct vault *vault, const uint64_t *ids, size_t n, struct vault_tags *ret)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct tag_graph *graph = vault->tags;
	int r = tag_graph_lock(vault, &held);

	*ret = (struct vault_tags){ .tags = NULL };
	if (r < 0)
		return r;
	tag_walk_begin(graph);
	for (size_t i = 0; i < n; i++) {
		uint32_t row = tag_graph_row(graph, ids[i]);

		if (row != TAG_NONE)
			tag_walk_above(graph, graph->rows[row].node);
	}
	return list_found(vault, graph, TAG_ROOT, ret);
}
