/* tag_rules.c - color, icon, aliases and implications of tags. See library.h.
 *
 * No alias leads to a name that begins with it: what an alias leads to is looked up by the rules before it, and those that
 * were there lead to tags, whose names no alias begins, or they were refused. So following aliases comes to an end. */
#include <errno.h>
#include <string.h>

#include "changes.h"
#include "commit.h"
#include "tag_graph.h"
#include "tag_rows.h"
#include "tags.h"
#include "value.h"

#define RULES_MAX 256u /* aliases of a tag; tags that it implies */
#define ICON_MAX 64u

enum {
	Q_COLOR_PUT,
	Q_ICON_PUT,
	Q_ALIAS_GET,
	Q_ALIAS_INSERT,
	Q_ALIAS_DELETE,
	Q_ALIASES_COUNT,
	Q_ALIASES_CLEAR,
	Q_IMPLICATION_INSERT,
	Q_IMPLICATION_DELETE,
	Q_IMPLICATIONS_COUNT,
	Q_IMPLICATIONS_CLEAR,
};

static const char *const sql[] = {
	[Q_COLOR_PUT] = "UPDATE tags SET color = ?2 WHERE id = ?1",
	[Q_ICON_PUT] = "UPDATE tags SET icon = ?2 WHERE id = ?1",
	[Q_ALIAS_GET] = "SELECT tag_id FROM tag_aliases WHERE folded = ?1",
	[Q_ALIAS_INSERT] = "INSERT INTO tag_aliases (folded, name, tag_id) VALUES (?1, ?2, ?3)",
	[Q_ALIAS_DELETE] = "DELETE FROM tag_aliases WHERE folded = ?1",
	[Q_ALIASES_COUNT] = "SELECT count(*) FROM tag_aliases WHERE tag_id = ?1",
	[Q_ALIASES_CLEAR] = "DELETE FROM tag_aliases WHERE tag_id = ?1",
	[Q_IMPLICATION_INSERT] = "INSERT INTO tag_implications (tag_id, implied_id) VALUES (?1, ?2) "
				 "ON CONFLICT (tag_id, implied_id) DO NOTHING",
	[Q_IMPLICATION_DELETE] = "DELETE FROM tag_implications WHERE tag_id = ?1 AND implied_id = ?2",
	[Q_IMPLICATIONS_COUNT] = "SELECT count(*) FROM tag_implications WHERE tag_id = ?1",
	[Q_IMPLICATIONS_CLEAR] = "DELETE FROM tag_implications WHERE tag_id = ?1",
};

const struct query_set tag_rules_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_tag_rules, which);
}

static int run_for(struct vault *vault, int which, uint64_t id)
{
	AUTO(query) sqlite3_stmt *statement = query(vault, which);

	bind_u64(statement, 1, id);
	return db_run(&vault->db, statement);
}

/* -ENOSPC: the tag has as many of these rules as it may. */
static int check_room_locked(struct vault *vault, int count, uint64_t id)
{
	AUTO(query) sqlite3_stmt *rules = query(vault, count);
	int r;

	bind_u64(rules, 1, id);
	r = db_step(&vault->db, rules);
	if (r < 0)
		return r;
	return column_u64(rules, 0) >= RULES_MAX ? -ENOSPC : 0;
}

/* ---- color and icon ---- */

/* "#rrggbb", or one of the names; in lower case. */
static bool color_read(const char *text, size_t size, char ret[16])
{
	static const char *const names[] = { "black", "blue", "brown",	"cyan", "gray",	 "green", "magenta",
					     "orange", "pink", "purple", "red",	 "white", "yellow" };

	if (size == 0 || size > 15)
		return false;
	for (size_t i = 0; i < size; i++)
		ret[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
	ret[size] = '\0';
	if (ret[0] == '#')
		return size == 7 && strspn(ret + 1, "0123456789abcdef") == 6;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == size && strcmp(ret, names[i]) == 0)
			return true;
	return false;
}

/* As the icon naming specification has them: "folder-pictures". */
static bool icon_is_valid(const char *text, size_t size)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	if (size == 0 || size > ICON_MAX || !memchr(letters, text[0], sizeof(letters) - 1))
		return false;
	for (size_t i = 1; i < size; i++)
		if (!memchr(letters, text[i], sizeof(letters) - 1) && !memchr("-_.+", text[i], 4))
			return false;
	return true;
}

/* Into the row `id`; nothing takes it back. */
static int look_put_locked(struct vault *vault, uint64_t id, enum vault_tag_text which, const char *text, size_t size)
{
	AUTO(query) sqlite3_stmt *put = query(vault, which == VAULT_TAG_COLOR ? Q_COLOR_PUT : Q_ICON_PUT);
	char color[16];

	if (size > 0 && which == VAULT_TAG_COLOR) {
		if (!color_read(text, size, color))
			return -EINVAL;
		text = color;
	} else if (size > 0 && !icon_is_valid(text, size)) {
		return -EINVAL;
	}
	bind_u64(put, 1, id);
	if (size > 0)
		bind_text(put, 2, text, size);
	return db_run(&vault->db, put);
}

/* ---- aliases ---- */

/* The tag that an alias leads to; 0 there is no such alias. */
static int alias_get_locked(struct vault *vault, const char *folded, size_t size, uint64_t *ret_id)
{
	AUTO(query) sqlite3_stmt *get = query(vault, Q_ALIAS_GET);
	int r;

	bind_text(get, 1, folded, size);
	r = db_step(&vault->db, get);
	*ret_id = r == 1 ? column_u64(get, 0) : 0;
	return r < 0 ? r : 0;
}

/* -EINVAL: the name of the tag begins with the alias. */
static int check_alias_locked(struct vault *vault, const char *name, const char *folded, size_t size)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct tag_name tag;
	int r = tag_graph_lock_locked(vault, &held);

	if (r < 0)
		return r;
	if (!tag_graph_resolve(vault->tags, name, strlen(name), &tag))
		return -EINVAL;
	if (tag.folded_size < size || memcmp(tag.folded, folded, size) != 0)
		return 0;
	return tag.folded_size == size || tag.folded[size] == '/' ? -EINVAL : 0;
}

/* `alias` leads to the tag `name`, whose row is `id`. */
static int alias_add_locked(struct vault *vault, const char *name, uint64_t id, const char *alias)
{
	AUTO(query) sqlite3_stmt *insert = query(vault, Q_ALIAS_INSERT);
	char folded[CASEFOLD_SIZE(VAULT_TAG_NAME_MAX)];
	size_t folded_size;
	uint64_t other = 0;
	int r = tag_name_check(alias);

	if (r < 0)
		return r;
	folded_size = casefold(alias, strlen(alias), folded);
	r = alias_get_locked(vault, folded, folded_size, &other);
	if (r < 0 || other == id)
		return r;
	if (other != 0)
		return -EEXIST;
	r = check_alias_locked(vault, name, folded, folded_size);
	if (r == 0)
		r = check_room_locked(vault, Q_ALIASES_COUNT, id);
	if (r < 0)
		return r;
	bind_text(insert, 1, folded, folded_size);
	bind_text(insert, 2, alias, strlen(alias));
	bind_u64(insert, 3, id);
	return db_run(&vault->db, insert);
}

/* ---- implications ---- */

static int implication_add_locked(struct vault *vault, uint64_t id, const char *implied)
{
	AUTO(query) sqlite3_stmt *insert = query(vault, Q_IMPLICATION_INSERT);
	uint64_t implied_id = 0;
	int r = tag_row_make_locked(vault, implied, &implied_id);

	if (r >= 0 && implied_id == id)
		r = -EINVAL;
	if (r >= 0)
		r = check_room_locked(vault, Q_IMPLICATIONS_COUNT, id);
	if (r < 0)
		return r;
	bind_u64(insert, 1, id);
	bind_u64(insert, 2, implied_id);
	return db_run(&vault->db, insert);
}

/* ---- all of one kind, as text ---- */

typedef int rule_add_fn(struct vault *vault, const char *name, uint64_t id, const char *word);

static int implication_add_word_locked(struct vault *vault, const char *name, uint64_t id, const char *word)
{
	(void)name;
	return implication_add_locked(vault, id, word);
}

/* The names between the commas, in place of those that there were. */
static int rules_put_locked(struct vault *vault, const char *name, uint64_t id, enum vault_tag_text which, const char *text,
			    size_t size)
{
	rule_add_fn *add = which == VAULT_TAG_ALIASES ? alias_add_locked : implication_add_word_locked;
	struct tags_word word;
	size_t at = 0;
	int r = run_for(vault, which == VAULT_TAG_ALIASES ? Q_ALIASES_CLEAR : Q_IMPLICATIONS_CLEAR, id);

	while (r == 0 && (r = tags_next(text, size, &at, &word)) == 1) {
		char one[VAULT_TAG_NAME_MAX + 1];

		memcpy(one, word.name, word.size);
		one[word.size] = '\0';
		r = add(vault, name, id, one);
	}
	return r;
}

static const char *look_of(const struct tag_graph *graph, uint32_t node, enum vault_tag_text which)
{
	const struct tag_row *row = graph->nodes[node].main_row == TAG_NONE ? NULL : &graph->rows[graph->nodes[node].main_row];

	if (!row)
		return NULL;
	return which == VAULT_TAG_COLOR ? row->color : row->icon;
}

static void add_word(struct value *value, const char *word)
{
	if (value->length > 0)
		value_add(value, ",", 1);
	value_add(value, word, strlen(word));
}

static void add_aliases(const struct tag_graph *graph, uint32_t node, struct value *ret)
{
	for (size_t i = 0; i < graph->n_aliases; i++) {
		uint32_t row = tag_graph_row(graph, graph->aliases[i].tag_id);

		if (row != TAG_NONE && graph->rows[row].node == node)
			add_word(ret, graph->aliases[i].name);
	}
}

/* In the order of their ids: the list of edges has the last one first. */
static void add_implied(struct tag_graph *graph, uint32_t node, struct value *ret)
{
	tag_walk_begin(graph);
	for (uint32_t e = graph->nodes[node].first_out; e != TAG_NONE; e = graph->edges[e].next_out)
		tag_walk_one(graph, graph->edges[e].to);
	for (size_t i = graph->n_found; i-- > 0;)
		add_word(ret, graph->nodes[graph->found[i]].name);
}

ssize_t vault_tag_get_text(struct vault *vault, const char *name, enum vault_tag_text which, char *buffer, size_t size)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct tag_graph *graph = vault->tags;
	struct value value = { buffer, size, 0 };
	uint32_t node;
	int r = tag_graph_lock(vault, &held);

	if (r < 0)
		return r;
	node = tag_graph_find(graph, name, strlen(name));
	if (node == TAG_NONE)
		return -ENOENT;
	if (which == VAULT_TAG_ALIASES)
		add_aliases(graph, node, &value);
	else if (which == VAULT_TAG_IMPLIES)
		add_implied(graph, node, &value);
	else if (look_of(graph, node, which))
		add_word(&value, look_of(graph, node, which));
	return value.length == 0 ? -ENODATA : value_result(&value);
}

/* ---- changing ---- */

static int change_rule(struct vault *vault, const char *name, enum vault_tag_text which, const char *text, size_t size, bool all)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint savepoint = { 0 };
	uint64_t id = 0;
	int r = commit_lock_to_grow(vault, &held);

	if (r == 0)
		r = savepoint_begin(&vault->db, &savepoint);
	if (r < 0)
		return r;
	r = tag_row_make_locked(vault, name, &id);
	if (r >= 0 && (which == VAULT_TAG_COLOR || which == VAULT_TAG_ICON))
		r = look_put_locked(vault, id, which, text, size);
	else if (r >= 0 && all)
		r = rules_put_locked(vault, name, id, which, text, size);
	else if (r >= 0 && which == VAULT_TAG_ALIASES)
		r = alias_add_locked(vault, name, id, text);
	else if (r >= 0)
		r = implication_add_locked(vault, id, text);
	if (r == 0)
		r = savepoint_commit(&savepoint);
	changes_touch_all_locked(vault, true); /* also where it fails: what was read of it meanwhile is rolled back */
	return r;
}

int vault_tag_set_text(struct vault *vault, const char *name, enum vault_tag_text which, const char *text, size_t size)
{
	return change_rule(vault, name, which, text, size, true);
}

int vault_tag_alias_add(struct vault *vault, const char *name, const char *alias)
{
	return change_rule(vault, name, VAULT_TAG_ALIASES, alias, strlen(alias), false);
}

int vault_tag_imply(struct vault *vault, const char *name, const char *implied)
{
	return change_rule(vault, name, VAULT_TAG_IMPLIES, implied, strlen(implied), false);
}

int vault_tag_alias_remove(struct vault *vault, const char *alias)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *delete = NULL;
	char folded[CASEFOLD_SIZE(VAULT_TAG_NAME_MAX)];
	int r = tag_name_check(alias) < 0 ? -ENOENT : commit_lock(vault, &held);

	if (r < 0)
		return r;
	delete = query(vault, Q_ALIAS_DELETE);
	bind_text(delete, 1, folded, casefold(alias, strlen(alias), folded));
	r = db_run(&vault->db, delete);
	if (r == 0 && sqlite3_changes64(vault->db.handle) == 0)
		return -ENOENT;
	changes_touch_all_locked(vault, true);
	return r;
}

int vault_tag_imply_remove(struct vault *vault, const char *name, const char *implied)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *delete = NULL;
	uint64_t id, implied_id;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = tag_row_find_locked(vault, name, &id);
	if (r == 0)
		r = tag_row_find_locked(vault, implied, &implied_id);
	if (r < 0)
		return r;
	delete = query(vault, Q_IMPLICATION_DELETE);
	bind_u64(delete, 1, id);
	bind_u64(delete, 2, implied_id);
	r = db_run(&vault->db, delete);
	if (r == 0 && sqlite3_changes64(vault->db.handle) == 0)
		return -ENOENT;
	changes_touch_all_locked(vault, true);
	return r;
}
