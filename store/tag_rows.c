/* tag_rows.c - single rows of tags. See tag_rows.h. */
#include "tag_rows.h"

#include <errno.h>
#include <string.h>

#include "tag_counts.h"
#include "tag_graph.h"

enum {
	Q_INSERT,
	Q_RENAME,
	Q_DELETE,
	Q_ALIASES_DELETE,
	Q_ALIASES_MOVE,
	Q_IMPLICATIONS_DELETE_OUT,
	Q_IMPLICATIONS_DELETE_IN,
	Q_IMPLICATIONS_COPY_OUT,
	Q_IMPLICATIONS_COPY_IN,
};

static const char *const sql[] = {
	[Q_INSERT] = "INSERT INTO tags (id, name, folded) VALUES (?1, ?2, ?3)",
	[Q_RENAME] = "UPDATE tags SET name = ?2, folded = ?3 WHERE id = ?1",
	[Q_DELETE] = "DELETE FROM tags WHERE id = ?1",
	[Q_ALIASES_DELETE] = "DELETE FROM tag_aliases WHERE tag_id = ?1",
	[Q_ALIASES_MOVE] = "UPDATE tag_aliases SET tag_id = ?2 WHERE tag_id = ?1",
	[Q_IMPLICATIONS_DELETE_OUT] = "DELETE FROM tag_implications WHERE tag_id = ?1",
	[Q_IMPLICATIONS_DELETE_IN] = "DELETE FROM tag_implications WHERE implied_id = ?1",
	[Q_IMPLICATIONS_COPY_OUT] = "INSERT OR IGNORE INTO tag_implications (tag_id, implied_id) "
				    "SELECT ?2, implied_id FROM tag_implications WHERE tag_id = ?1 AND implied_id <> ?2",
	[Q_IMPLICATIONS_COPY_IN] = "INSERT OR IGNORE INTO tag_implications (tag_id, implied_id) "
				   "SELECT tag_id, ?2 FROM tag_implications WHERE implied_id = ?1 AND tag_id <> ?2",
};

const struct query_set tag_rows_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_tag_rows, which);
}

static bool is_white(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

int tag_name_check(const char *name)
{
	size_t size = strlen(name);

	if (size > VAULT_TAG_NAME_MAX)
		return -ENAMETOOLONG;
	if (size == 0 || strchr(name, ',') || is_white(name[0]) || is_white(name[size - 1]))
		return -EINVAL;
	for (const char *step = name;; step++) {
		size_t n = strcspn(step, "/");

		if (n == 0 || (n == 1 && step[0] == '.') || (n == 2 && step[0] == '.' && step[1] == '.'))
			return -EINVAL;
		step += n;
		if (*step == '\0')
			return 0;
	}
}

/* What `name` leads to: as its node is written, where there is one, and that node's row, or 0.  -EINVAL an impossible name. */
static int look_up(struct vault *vault, const char *name, struct tag_name *ret, uint64_t *ret_id, bool *ret_known)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	const struct tag_graph *graph = vault->tags;
	int r = tag_graph_lock_locked(vault, &held);
	uint32_t node;

	*ret_id = 0;
	if (r < 0)
		return r;
	if (!tag_graph_resolve(graph, name, strlen(name), ret))
		return -EINVAL;
	node = tag_graph_find(graph, ret->text, ret->size);
	*ret_known = node != TAG_NONE;
	if (node == TAG_NONE)
		return 0;
	if (graph->nodes[node].main_row != TAG_NONE)
		*ret_id = graph->rows[graph->nodes[node].main_row].id;
	ret->size = graph->nodes[node].size;
	memcpy(ret->text, graph->nodes[node].name, ret->size + 1);
	ret->folded_size = casefold(ret->text, ret->size, ret->folded);
	return 0;
}

int tag_row_find_locked(struct vault *vault, const char *name, uint64_t *ret_id)
{
	struct tag_name resolved;
	bool known;
	int r = look_up(vault, name, &resolved, ret_id, &known);

	if (r == -EINVAL)
		return -ENOENT;
	return r == 0 && *ret_id == 0 ? -ENOENT : r;
}

static int insert(struct vault *vault, const struct tag_name *name, uint64_t *ret_id)
{
	AUTO(query) sqlite3_stmt *row = query(vault, Q_INSERT);
	int r = tag_graph_add_locked(vault);

	if (r < 0)
		return r;
	*ret_id = vault_new_id_locked(vault);
	bind_u64(row, 1, *ret_id);
	bind_text(row, 2, name->text, name->size);
	bind_text(row, 3, name->folded, name->folded_size);
	return db_run(&vault->db, row);
}

int tag_row_make_locked(struct vault *vault, const char *name, uint64_t *ret_id)
{
	struct tag_name resolved;
	bool known;
	int r = strlen(name) > VAULT_TAG_NAME_MAX ? -ENAMETOOLONG : look_up(vault, name, &resolved, ret_id, &known);

	if (r < 0 || *ret_id != 0)
		return r;
	if (!known)
		r = tag_name_check(name);
	if (r == 0)
		r = insert(vault, &resolved, ret_id);
	return r < 0 ? r : 1;
}

int tag_row_keep_above_locked(struct vault *vault, const char *name)
{
	struct tag_name resolved;
	uint64_t id;
	bool known;
	int r = look_up(vault, name, &resolved, &id, &known);
	char *slash = r == 0 ? memrchr(resolved.text, '/', resolved.size) : NULL;

	if (!slash || slash == resolved.text)
		return r;
	*slash = '\0';
	r = tag_row_make_locked(vault, resolved.text, &id);
	return r < 0 ? r : 0;
}

int tag_row_rename_locked(struct vault *vault, uint64_t id, const char *name, size_t size)
{
	AUTO(query) sqlite3_stmt *rename = query(vault, Q_RENAME);
	char folded[CASEFOLD_SIZE(VAULT_TAG_NAME_MAX)];

	bind_u64(rename, 1, id);
	bind_text(rename, 2, name, size);
	bind_text(rename, 3, folded, casefold(name, size, folded));
	return db_run(&vault->db, rename);
}

static int run_for(struct vault *vault, int which, uint64_t id, uint64_t other)
{
	AUTO(query) sqlite3_stmt *statement = query(vault, which);

	bind_u64(statement, 1, id);
	if (other != 0)
		bind_u64(statement, 2, other);
	return db_run(&vault->db, statement);
}

int tag_row_remove_locked(struct vault *vault, uint64_t id)
{
	static const int steps[] = { Q_ALIASES_DELETE, Q_IMPLICATIONS_DELETE_OUT, Q_IMPLICATIONS_DELETE_IN, Q_DELETE };
	int r = tag_count_forget_locked(vault, id);

	for (size_t i = 0; r == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		r = run_for(vault, steps[i], id, 0);
	return r;
}

int tag_row_move_rules_locked(struct vault *vault, uint64_t from, uint64_t to)
{
	static const int steps[] = { Q_ALIASES_MOVE, Q_IMPLICATIONS_COPY_OUT, Q_IMPLICATIONS_COPY_IN };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		r = run_for(vault, steps[i], from, to);
	return r;
}
