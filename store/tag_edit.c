/* tag_edit.c - tags made, renamed and removed, with all below them. See library.h.
 *
 * Files name their tags by id, so that a new name is a matter of the tags' own rows. Where files have to change, because a tag
 * is taken from all of them, or because two rows that stand for one tag become one, it goes in slices: a call that
 * answers 1 wants to be called again, and what it did so far is a whole of its own. */
#include <errno.h>
#include <string.h>

#include "changes.h"
#include "commit.h"
#include "tag_files.h"
#include "tag_graph.h"
#include "tag_rows.h"

#define ROWS_PER_FILE 4u /* that a tag taken from a file changes: its own, the text's, the inode's, the count */
#define SLICE_FILES (COMMIT_ROWS_PER_CALL / ROWS_PER_FILE)
#define SLICE_TAGS (COMMIT_ROWS_PER_CALL / ROWS_PER_FILE) /* rows of tags, with their rules */

enum {
	Q_NAME,
};

static const char *const sql[] = {
	[Q_NAME] = "SELECT name FROM tags WHERE id = ?1",
};

const struct query_set tag_edit_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

/* A copy of some rows' ids, so that the graph may change: each tag before those above it. */
struct rows {
	struct edited_row {
		uint64_t id;
		bool main;     /* it is called as the tag is, or nothing else is */
		bool follows;  /* an alias leads it to where its tag goes */
		uint64_t into; /* main row of the same tag; 0 where this is it */
		char *name;    /* of the tag, behind the name of the topmost one: "" or "/rome" */
	} *rows;
	size_t n;
	bool has_below;
};

static void auto_rows(struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->rows[i].name);
	free(rows->rows);
}

/* What follows the name of `top` in that of a node in its tree. Its beginning may be spelled another way. */
static const char *name_below(const struct tag_node *top, const struct tag_node *node)
{
	const char *rest = node->name, *step = top->name;

	if (node == top)
		return "";
	for (;;) {
		rest += strcspn(rest, "/");
		step += strcspn(step, "/");
		if (*step == '\0')
			return rest;
		rest++;
		step++;
	}
}

/* An alias that leads to this very row's name begins the name of `row`, so that both go the same way. */
static int follows(struct vault *vault, const struct tag_graph *graph, const struct tag_row *row, bool *ret)
{
	AUTO(query) sqlite3_stmt *get = db_query(&vault->db, DB_SET_tag_edit, Q_NAME);
	const char *name;
	uint32_t target;
	int r;

	*ret = false;
	bind_u64(get, 1, row->id);
	r = db_step(&vault->db, get);
	name = r == 1 ? sqlite3_column_blob(get, 0) : NULL;
	if (!name)
		return r < 0 ? r : 0;
	target = tag_graph_alias_target(graph, name, (size_t)sqlite3_column_bytes(get, 0));
	*ret = target != TAG_NONE && graph->rows[target].id == graph->rows[graph->nodes[graph->rows[target].node].main_row].id &&
	       graph->nodes[graph->rows[target].node].seen == graph->walk;
	return 0;
}

static int add_rows_of(struct vault *vault, const struct tag_graph *graph, const struct tag_node *top, uint32_t at,
		       struct rows *ret)
{
	const struct tag_node *node = &graph->nodes[at];
	uint32_t main = node->main_row == TAG_NONE ? node->first_row : node->main_row;
	int r = 0;

	for (uint32_t i = node->first_row; r == 0 && i != TAG_NONE; i = graph->rows[i].next) {
		struct edited_row *row = &ret->rows[ret->n];

		*row = (struct edited_row){ .id = graph->rows[i].id, .main = i == main };
		row->into = i == main ? 0 : graph->rows[main].id;
		row->name = strdup(name_below(top, node));
		ret->n += row->name != NULL;
		r = row->name ? 0 : log_err(-ENOMEM, "%s: no memory for its tags", vault->path);
		if (r == 0 && i != node->main_row)
			r = follows(vault, graph, &graph->rows[i], &row->follows);
	}
	return r;
}

/* The rows of the tag `name` and of all below it.  -ENOENT. */
static int rows_of_tree_locked(struct vault *vault, const char *name, struct rows *ret)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct tag_graph *graph = vault->tags;
	int r = tag_graph_lock_locked(vault, &held);
	uint32_t top;

	if (r < 0)
		return r;
	top = tag_graph_find(graph, name, strlen(name));
	if (top == TAG_NONE)
		return -ENOENT;
	tag_walk_begin(graph);
	tag_walk_tree(graph, top);
	ret->has_below = graph->n_found > 1;
	ret->rows = calloc(graph->n_rows + 1, sizeof(*ret->rows));
	if (!ret->rows)
		return log_err(-ENOMEM, "%s: no memory for its tags", vault->path);
	for (size_t i = graph->n_found; r == 0 && i-- > 0;)
		r = add_rows_of(vault, graph, &graph->nodes[top], graph->found[i], ret);
	return r;
}

/* The rules are others, also where it failed midway and all is rolled back: what was read meanwhile is read again. */
static int finish_locked(struct vault *vault, struct savepoint *all, int r)
{
	int committed = r < 0 ? r : savepoint_commit(all);

	changes_touch_all_locked(vault, true);
	return committed < 0 ? committed : r;
}

/* ---- making ---- */

int vault_tag_make(struct vault *vault, const char *name)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	uint64_t id;
	int r = tag_name_check(name);

	if (r == 0)
		r = commit_lock_to_grow(vault, &held);
	if (r == 0)
		r = tag_row_make_locked(vault, name, &id);
	if (r < 0)
		return r;
	return r == 1 ? 0 : -EEXIST;
}

/* ---- removing ---- */

static int check_unused_locked(struct vault *vault, const struct rows *rows)
{
	int r = rows->has_below ? 1 : 0;

	for (size_t i = 0; r == 0 && i < rows->n; i++)
		r = tag_files_has_any_locked(vault, rows->rows[i].id);
	return r == 1 ? -ENOTEMPTY : r;
}

/* 0 all are removed, 1 not yet. */
static int remove_slice_locked(struct vault *vault, const struct rows *rows)
{
	unsigned room = SLICE_FILES, n_tags = 0;

	for (size_t i = 0; i < rows->n; i++) {
		int n = tag_files_replace_locked(vault, rows->rows[i].id, 0, room);

		if (n < 0)
			return n;
		room -= (unsigned)n;
		if (room == 0 || ++n_tags > SLICE_TAGS)
			return 1;
		n = tag_row_remove_locked(vault, rows->rows[i].id);
		if (n < 0)
			return n;
	}
	return 0;
}

int vault_tag_remove(struct vault *vault, const char *name, unsigned flags)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { 0 };
	AUTO(rows) struct rows rows = { 0 };
	int r = flags & ~(unsigned)VAULT_TAG_REMOVE_USED ? -EINVAL : commit_lock(vault, &held);

	if (r == 0)
		r = rows_of_tree_locked(vault, name, &rows);
	if (r == 0 && !(flags & VAULT_TAG_REMOVE_USED))
		r = check_unused_locked(vault, &rows);
	if (r == 0)
		r = savepoint_begin(&vault->db, &all);
	if (r < 0)
		return r;
	r = tag_row_keep_above_locked(vault, name);
	if (r == 0)
		r = remove_slice_locked(vault, &rows);
	return finish_locked(vault, &all, r);
}

/* ---- renaming ---- */

/* Where `to` leads is free, or is the tag itself spelled another way.  -EEXIST, -EINVAL, -ENAMETOOLONG. */
static int check_target_locked(struct vault *vault, const char *from, const char *to, struct tag_name *ret_to)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct tag_graph *graph = vault->tags;
	uint32_t source, target;
	int r = tag_name_check(to);

	if (r == 0)
		r = tag_graph_lock_locked(vault, &held);
	if (r < 0)
		return r;
	source = tag_graph_find(graph, from, strlen(from));
	target = tag_graph_find(graph, to, strlen(to));
	if (source == TAG_NONE)
		return -ENOENT;
	if (target != TAG_NONE && target != source)
		return -EEXIST;
	if (!tag_graph_resolve(graph, to, strlen(to), ret_to))
		return -EINVAL;
	/* Where it leads to itself by an alias, that name is taken by the alias. */
	if (target == source && tag_graph_alias_target(graph, to, strlen(to)) != TAG_NONE &&
	    strcmp(ret_to->text, graph->nodes[source].name) == 0)
		return -EEXIST;
	if (target == TAG_NONE && ret_to->folded_size > graph->nodes[source].folded_size &&
	    ret_to->folded[graph->nodes[source].folded_size] == '/' &&
	    memcmp(ret_to->folded, graph->nodes[source].folded, graph->nodes[source].folded_size) == 0)
		return -EINVAL; /* below itself */
	return 0;
}

/* What a tag will be called. False: that is too long. */
static bool new_name(const struct tag_name *to, const char *below, char ret[VAULT_TAG_NAME_MAX + 1], size_t *ret_size)
{
	size_t n = strlen(below);

	if (to->size + n > VAULT_TAG_NAME_MAX)
		return false;
	memcpy(ret, to->text, to->size);
	memcpy(ret + to->size, below, n + 1);
	*ret_size = to->size + n;
	return true;
}

/* No new name may be too long, or lead elsewhere by an alias. */
static int check_names_locked(struct vault *vault, const struct rows *rows, const struct tag_name *to)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = tag_graph_lock_locked(vault, &held);

	for (size_t i = 0; r == 0 && i < rows->n; i++) {
		char name[VAULT_TAG_NAME_MAX + 1];
		size_t size;

		if (!new_name(to, rows->rows[i].name, name, &size))
			r = -ENAMETOOLONG;
		else if (tag_graph_alias_target(vault->tags, name, size) != TAG_NONE)
			r = -EEXIST;
	}
	return r;
}

/* Rows that stand for a tag whose own row they are not, and would stay behind, become one with that. 1: not all yet. */
static int merge_slice_locked(struct vault *vault, const struct rows *rows)
{
	unsigned room = SLICE_FILES;

	for (size_t i = 0; i < rows->n; i++) {
		const struct edited_row *row = &rows->rows[i];
		int n;

		if (row->into == 0 || row->follows)
			continue;
		n = tag_files_replace_locked(vault, row->id, row->into, room);
		if (n < 0)
			return n;
		room -= (unsigned)n;
		if (room == 0)
			return 1;
		n = tag_row_move_rules_locked(vault, row->id, row->into);
		if (n == 0)
			n = tag_row_remove_locked(vault, row->id);
		if (n < 0)
			return n;
	}
	return 0;
}

static int rename_rows_locked(struct vault *vault, const struct rows *rows, const struct tag_name *to)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rows->n; i++) {
		char name[VAULT_TAG_NAME_MAX + 1];
		size_t size;

		if (rows->rows[i].main && !rows->rows[i].follows && new_name(to, rows->rows[i].name, name, &size))
			r = tag_row_rename_locked(vault, rows->rows[i].id, name, size);
	}
	return r;
}

int vault_tag_rename(struct vault *vault, const char *from, const char *to)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { 0 };
	AUTO(rows) struct rows rows = { 0 };
	struct tag_name target;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = check_target_locked(vault, from, to, &target);
	if (r == 0)
		r = rows_of_tree_locked(vault, from, &rows);
	if (r == 0)
		r = check_names_locked(vault, &rows, &target);
	if (r == 0 && rows.n > COMMIT_ROWS_PER_CALL)
		r = log_err(-E2BIG, "%s: %zu tags are too many to rename at once: rename those below it first", vault->path, rows.n);
	if (r == 0)
		r = savepoint_begin(&vault->db, &all);
	if (r < 0)
		return r;
	r = tag_row_keep_above_locked(vault, from);
	if (r == 0)
		r = merge_slice_locked(vault, &rows);
	if (r == 0)
		r = rename_rows_locked(vault, &rows, &target);
	return finish_locked(vault, &all, r);
}
