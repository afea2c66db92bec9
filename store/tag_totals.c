/* tag_totals.c - how many files count as having a tag. See tag_totals.h.
 *
 * A few are counted one by one: the files of all rows that count, put together. Where many are to be counted, or one has so many
 * files that these would take much memory, all files are gone through once. */
#include "tag_totals.h"

#include <errno.h>
#include <string.h>

#define SLICE_ROWS 20000u    /* read under one lock */
#define SINGLE_MAX 64u	     /* tags that are counted one by one */
#define FILES_MAX 1000000u   /* uses of a tag that is counted so */
#define RESTARTS_MAX 8

enum {
	Q_ALL,
	Q_FILES_OF,
};

static const char *const sql[] = {
	[Q_ALL] = "SELECT inode_id, tag_id FROM asset_tags WHERE inode_id > ?1 ORDER BY inode_id",
	[Q_FILES_OF] = "SELECT inode_id FROM asset_tags WHERE tag_id = ?1 AND inode_id > ?2 ORDER BY inode_id LIMIT ?3",
};

const struct query_set tag_totals_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_tag_totals, which);
}

static int no_memory(struct vault *vault)
{
	return log_err(-ENOMEM, "%s: no memory to count files of tags", vault->path);
}

void tag_totals_touch_locked(struct vault *vault, uint64_t tag_id)
{
	struct tag_graph *graph = vault->tags;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&graph->lock);
	uint32_t row = tag_graph_row(graph, tag_id);

	if (row != TAG_NONE)	/* else it is not read yet, and will be new then */
		graph->rows[row].touched = ++graph->clock;
	(void)held;
}

/* ---- all at once ---- */

struct pass {
	uint64_t *totals; /* by node */
	size_t n;
	uint64_t rules, began; /* the graph's rules and clock when it began */
	uint64_t last;	       /* file that was counted last */
};

static void auto_pass(struct pass *pass)
{
	free(pass->totals);
}

/* The graph is as it was when the pass began, but for nodes that are new. -EAGAIN it is not. */
static int pass_lock_locked(struct vault *vault, struct pass *pass, pthread_mutex_t **ret_held)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	const struct tag_graph *graph = vault->tags;
	int r = tag_graph_lock_locked(vault, &held);

	if (r < 0)
		return r;
	if (!pass->totals) {
		pass->rules = graph->rules;
		pass->began = graph->clock;
	}
	if (graph->rules != pass->rules)
		return -EAGAIN;
	if (graph->n_nodes > pass->n || !pass->totals) {
		uint64_t *totals = reallocarray(pass->totals, graph->n_nodes + 1, sizeof(*totals));

		if (!totals)
			return no_memory(vault);
		memset(totals + pass->n, 0, (graph->n_nodes + 1 - pass->n) * sizeof(*totals));
		pass->totals = totals;
		pass->n = graph->n_nodes;
	}
	*ret_held = TAKE(held);
	return 0;
}

static void count_found(const struct tag_graph *graph, struct pass *pass)
{
	for (size_t i = 0; i < graph->n_found; i++)
		pass->totals[graph->found[i]]++;
}

/* Whole files, until there are enough rows. 1 more remain, 0 that was the end. */
static int count_slice(struct vault *vault, struct pass *pass)
{
	AUTO(unlock) pthread_mutex_t *metadata = lock_mutex(&vault->db.lock);
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *all = query(vault, Q_ALL);
	struct tag_graph *graph = vault->tags;
	uint64_t file = pass->last;
	int r = pass_lock_locked(vault, pass, &held);

	if (r < 0)
		return r;
	bind_u64(all, 1, pass->last);
	tag_walk_begin(graph);
	for (unsigned n = 0; (r = db_step(&vault->db, all)) == 1; n++) {
		uint32_t row = tag_graph_row(graph, column_u64(all, 1));

		if (column_u64(all, 0) != file) {
			count_found(graph, pass);
			pass->last = file;
			if (n >= SLICE_ROWS)
				return 1;
			file = column_u64(all, 0);
			tag_walk_begin(graph);
		}
		if (row != TAG_NONE)
			tag_walk_above(graph, graph->rows[row].node);
	}
	if (r == 0)
		count_found(graph, pass);
	return r;
}

/* Count all, once. -EAGAIN the rules changed meanwhile. */
static int count_all_once(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *metadata = NULL;
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(pass) struct pass pass = { .totals = NULL };
	struct tag_graph *graph = vault->tags;
	int r;

	do
		r = count_slice(vault, &pass);
	while (r == 1);
	if (r < 0)
		return r;
	metadata = lock_mutex(&vault->db.lock);
	r = pass_lock_locked(vault, &pass, &held);
	for (size_t i = 0; r == 0 && i < pass.n; i++) {
		graph->nodes[i].total = pass.totals[i];
		graph->nodes[i].total_at = pass.began;
	}
	return r;
}

static int count_all(struct vault *vault)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < RESTARTS_MAX; i++)
		r = count_all_once(vault);
	return r == -EAGAIN ? log_err(-EBUSY, "%s: tags change too fast to be counted", vault->path) : r;
}

/* ---- one by one ---- */

struct files {
	uint64_t *ids;
	size_t n, room;
};

static void auto_files(struct files *files)
{
	free(files->ids);
}

/* Add the files of a row. */
static int add_files(struct vault *vault, uint64_t tag_id, struct files *files)
{
	uint64_t last = 0;
	unsigned n;

	do {
		AUTO(unlock) pthread_mutex_t *metadata = lock_mutex(&vault->db.lock);
		AUTO(query) sqlite3_stmt *rows = query(vault, Q_FILES_OF);
		int r;

		bind_u64(rows, 1, tag_id);
		bind_u64(rows, 2, last);
		bind_u64(rows, 3, SLICE_ROWS);
		for (n = 0; (r = db_step(&vault->db, rows)) == 1; n++) {
			if (files->n == files->room) {
				size_t room = files->room ? 2 * files->room : 1024;
				uint64_t *ids = reallocarray(files->ids, room, sizeof(*ids));

				if (!ids)
					return no_memory(vault);
				files->ids = ids;
				files->room = room;
			}
			last = files->ids[files->n++] = column_u64(rows, 0);
		}
		if (r < 0)
			return r;
	} while (n == SLICE_ROWS);
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t count_distinct(struct files *files)
{
	uint64_t n = 0;

	if (files->n == 0)
		return 0;	/* there may be no array */
	qsort(files->ids, files->n, sizeof(*files->ids), compare_ids);
	for (size_t i = 0; i < files->n; i++)
		n += i == 0 || files->ids[i] != files->ids[i - 1];
	return n;
}

/* 1 the total of the tag holds, and is put into it; 0 it has to be counted; its graph's rules and clock are told. */
static int look_up(struct vault *vault, struct vault_tag *tag, uint64_t *ret_rules, uint64_t *ret_clock)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct tag_graph *graph = vault->tags;
	uint64_t touched = 0;
	int r = tag_graph_lock(vault, &held);
	uint32_t node;

	if (r < 0)
		return r;
	*ret_rules = graph->rules;
	*ret_clock = graph->clock;
	tag->n_total = 0;
	node = tag_graph_find(graph, tag->name, strlen(tag->name));
	if (node == TAG_NONE)
		return 1;	/* it is gone meanwhile */
	tag_walk_begin(graph);
	tag_walk_below(graph, node);
	for (size_t i = 0; i < graph->n_found; i++)
		for (uint32_t row = graph->nodes[graph->found[i]].first_row; row != TAG_NONE; row = graph->rows[row].next)
			touched = touched > graph->rows[row].touched ? touched : graph->rows[row].touched;
	tag->n_total = graph->nodes[node].total;	/* what was last known */
	return graph->nodes[node].total_at >= touched;
}

/* Remember it, unless rules changed. */
static int put(struct vault *vault, const struct vault_tag *tag, uint64_t rules, uint64_t clock)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct tag_graph *graph = vault->tags;
	int r = tag_graph_lock(vault, &held);
	uint32_t node = r < 0 ? TAG_NONE : tag_graph_find(graph, tag->name, strlen(tag->name));

	if (node != TAG_NONE && graph->rules == rules) {
		graph->nodes[node].total = tag->n_total;
		graph->nodes[node].total_at = clock;
	}
	return r;
}

/* -EOVERFLOW it has so many files that a pass over all is better. */
static int count_one(struct vault *vault, struct vault_tag *tag)
{
	AUTO(files) struct files files = { .ids = NULL };
	AUTO(free) uint64_t *ids = NULL;
	uint64_t rules, clock;
	size_t n = 0;
	int r = look_up(vault, tag, &rules, &clock);

	if (r != 0)
		return r < 0 ? r : 0;
	r = vault_tag_matching(vault, tag->name, &ids, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = add_files(vault, ids[i], &files);
		if (r == 0 && files.n > FILES_MAX)
			r = -EOVERFLOW;
	}
	if (r < 0)
		return r;
	tag->n_total = count_distinct(&files);
	return put(vault, tag, rules, clock);
}

int tag_totals_fill(struct vault *vault, struct vault_tags *list)
{
	size_t n_stale = 0;
	uint64_t ignored;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < list->n; i++) {
		r = look_up(vault, &list->tags[i], &ignored, &ignored);
		n_stale += r == 0;
	}
	if (r >= 0 && n_stale > SINGLE_MAX)
		r = count_all(vault);
	for (size_t i = 0; r >= 0 && n_stale > 0 && i < list->n; i++) {
		r = count_one(vault, &list->tags[i]);
		if (r == -EOVERFLOW) {
			r = count_all(vault);
			if (r == 0)
				r = look_up(vault, &list->tags[i], &ignored, &ignored);
		}
	}
	return r < 0 ? r : 0;
}
