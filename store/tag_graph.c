/* tag_graph.c - tags and rules in memory: made from the rows, and walked. See tag_graph.h. */
#include "tag_graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "digest.h"

#define ALIASES_FOLLOWED_MAX 16 /* rules that are made here never lead in a circle; forged ones may */

enum {
	Q_ROWS,
	Q_ALIASES,
	Q_IMPLICATIONS,
};

static const char *const sql[] = {
	[Q_ROWS] = "SELECT id, name, color, icon FROM tags WHERE id > ?1 ORDER BY id",
	[Q_ALIASES] = "SELECT a.folded, a.name, t.name, a.tag_id FROM tag_aliases a JOIN tags t ON t.id = a.tag_id "
		      "ORDER BY a.folded",
	[Q_IMPLICATIONS] = "SELECT tag_id, implied_id FROM tag_implications",
};

const struct query_set tag_graph_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_tag_graph, which);
}

/* ---- room ---- */

/* Room for one element more.  False without memory. */
static bool grow(void *pointer_to_array, size_t n, size_t *room, size_t size)
{
	void **array = pointer_to_array;
	size_t bigger = *room ? 2 * *room : 64;
	void *moved;

	if (n < *room)
		return true;
	moved = reallocarray(*array, bigger, size);
	if (!moved)
		return false;
	*array = moved;
	*room = bigger;
	return true;
}

static int no_memory(struct vault *vault)
{
	return log_err(-ENOMEM, "%s: no memory for its tags", vault->path);
}

static int too_many(struct vault *vault)
{
	return log_err(-EOVERFLOW, "%s: more than %u tags: remove some", vault->path, TAG_NODES_MAX);
}

static char *column_copy(sqlite3_stmt *row, int column, size_t *ret_size)
{
	const char *text = sqlite3_column_blob(row, column);
	size_t size = (size_t)sqlite3_column_bytes(row, column);
	char *copy = malloc(size + 1);

	if (!copy)
		return NULL;
	if (size > 0)
		memcpy(copy, text, size);
	copy[size] = '\0';
	if (ret_size)
		*ret_size = size;
	return copy;
}

static void clear(struct tag_graph *graph)
{
	for (size_t i = 0; i < graph->n_nodes; i++) {
		free(graph->nodes[i].name);
		free(graph->nodes[i].folded);
	}
	for (size_t i = 0; i < graph->n_rows; i++) {
		free(graph->rows[i].color);
		free(graph->rows[i].icon);
	}
	for (size_t i = 0; i < graph->n_aliases; i++) {
		free(graph->aliases[i].folded);
		free(graph->aliases[i].name);
		free(graph->aliases[i].target);
	}
	graph->n_nodes = graph->n_rows = graph->n_edges = graph->n_aliases = graph->n_found = 0;
	for (size_t i = 0; i < graph->n_places; i++)
		graph->places[i] = TAG_NONE;
	graph->built = false;
}

/* ---- names ---- */

/* `name` without empty steps. False: that is empty or too long, or has a NUL in it, as only forged rows do. */
static bool collapse(const char *name, size_t size, char ret[VAULT_TAG_NAME_MAX + 1], size_t *ret_size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		if (name[i] == '/' && (n == 0 || ret[n - 1] == '/'))
			continue;
		if (n == VAULT_TAG_NAME_MAX || !name[i])
			return false;
		ret[n++] = name[i];
	}
	if (n > 1 && ret[n - 1] == '/')
		n--;
	if (n == 0 && size > 0)
		ret[n++] = '/';
	ret[n] = '\0';
	*ret_size = n;
	return n > 0;
}

static const struct tag_alias *alias_find(const struct tag_graph *graph, const char *text, size_t size)
{
	char folded[CASEFOLD_SIZE(VAULT_TAG_NAME_MAX)];
	size_t folded_size = casefold(text, size, folded);
	size_t low = 0, high = graph->n_aliases;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct tag_alias *alias = &graph->aliases[middle];
		size_t shared = alias->folded_size < folded_size ? alias->folded_size : folded_size;
		int order = memcmp(alias->folded, folded, shared);

		if (order == 0 && alias->folded_size == folded_size)
			return alias;
		if (order < 0 || (order == 0 && alias->folded_size < folded_size))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The alias that is the longest beginning of `text`, which is collapsed, and how long it is there; or NULL. */
static const struct tag_alias *alias_of(const struct tag_graph *graph, const char *text, size_t size, size_t *ret_size)
{
	for (size_t n = size; graph->n_aliases > 0 && n > 0; n--) {
		const struct tag_alias *alias = n == size || text[n] == '/' ? alias_find(graph, text, n) : NULL;

		if (!alias)
			continue;
		*ret_size = n;
		return alias;
	}
	return NULL;
}

/* False: it begins with no alias, or the result is too long. */
static bool follow_alias(const struct tag_graph *graph, struct tag_name *name)
{
	char longer[2 * VAULT_TAG_NAME_MAX + 1];
	size_t n = 0, target_size;
	const struct tag_alias *alias = alias_of(graph, name->text, name->size, &n);

	if (!alias)
		return false;
	target_size = strnlen(alias->target, VAULT_TAG_NAME_MAX);
	memcpy(longer, alias->target, target_size);
	memcpy(longer + target_size, name->text + n, name->size - n);
	return collapse(longer, target_size + name->size - n, name->text, &name->size);
}

bool tag_graph_resolve(const struct tag_graph *graph, const char *name, size_t size, struct tag_name *ret)
{
	if (!collapse(name, size, ret->text, &ret->size))
		return false;
	for (int i = 0; graph->n_aliases > 0 && i < ALIASES_FOLLOWED_MAX; i++) {
		struct tag_name next = *ret;

		if (!follow_alias(graph, &next))
			break;
		*ret = next;
	}
	ret->folded_size = casefold(ret->text, ret->size, ret->folded);
	return true;
}

uint32_t tag_graph_alias_target(const struct tag_graph *graph, const char *name, size_t size)
{
	char text[VAULT_TAG_NAME_MAX + 1];
	size_t text_size, n;
	const struct tag_alias *alias = collapse(name, size, text, &text_size) ? alias_of(graph, text, text_size, &n) : NULL;

	return alias ? tag_graph_row(graph, alias->tag_id) : TAG_NONE;
}

bool tag_node_is_folder(const struct tag_node *node)
{
	const char *step = node->name;

	if (node->size == 0 || strcmp(step, "/") == 0)
		return false;
	for (;;) {
		size_t n = strcspn(step, "/");

		if ((n == 1 && step[0] == '.') || (n == 2 && step[0] == '.' && step[1] == '.'))
			return false;
		if (step[n] == '\0')
			return true;
		step += n + 1;
	}
}

/* ---- nodes ---- */

/* Where the node of that name is, or would be. There is a free place always. */
static uint32_t *place_of(const struct tag_graph *graph, const char *folded, size_t size)
{
	size_t at = (size_t)checksum_xxh3(folded, size) & (graph->n_places - 1);

	while (graph->places[at] != TAG_NONE) {
		const struct tag_node *node = &graph->nodes[graph->places[at]];

		if (node->folded_size == size && memcmp(node->folded, folded, size) == 0)
			break;
		at = (at + 1) & (graph->n_places - 1);
	}
	return &graph->places[at];
}

/* Places for twice the nodes that there are. */
static bool grow_places(struct tag_graph *graph)
{
	size_t n = graph->n_places ? 2 * graph->n_places : 256;
	uint32_t *places;

	if (2 * graph->n_nodes < graph->n_places)
		return true;
	places = malloc(n * sizeof(*places));
	if (!places)
		return false;
	memset(places, 0xff, n * sizeof(*places)); /* TAG_NONE */
	free(graph->places);
	graph->places = places;
	graph->n_places = n;
	for (uint32_t i = 0; i < graph->n_nodes; i++)
		*place_of(graph, graph->nodes[i].folded, graph->nodes[i].folded_size) = i;
	return true;
}

/* The node of a name of which all but the last step is `parent`; made if there is none. */
static int node_get_or_add(struct vault *vault, struct tag_graph *graph, uint32_t parent, const char *name, size_t size,
			   uint32_t *ret)
{
	char folded[CASEFOLD_SIZE(VAULT_TAG_NAME_MAX)];
	size_t folded_size = casefold(name, size, folded);
	AUTO(free) char *own_name = NULL;
	AUTO(free) char *own_folded = NULL;
	uint32_t *place;

	if (graph->n_nodes == TAG_NODES_MAX)
		return too_many(vault);
	if (!grow_places(graph))
		return no_memory(vault);
	place = place_of(graph, folded, folded_size);
	if (*place != TAG_NONE) {
		*ret = *place;
		return 0;
	}
	own_name = strndup(name, size);
	own_folded = malloc(folded_size + 1);
	if (!own_name || !own_folded || !grow(&graph->nodes, graph->n_nodes, &graph->nodes_room, sizeof(*graph->nodes)))
		return no_memory(vault);
	memcpy(own_folded, folded, folded_size);
	own_folded[folded_size] = '\0';
	*ret = *place = (uint32_t)graph->n_nodes++;
	graph->nodes[*ret] = (struct tag_node){
		.name = TAKE(own_name),
		.folded = TAKE(own_folded),
		.size = (uint32_t)size,
		.folded_size = (uint32_t)folded_size,
		.parent = parent,
		.first_child = TAG_NONE,
		.next_sibling = *ret == TAG_ROOT ? TAG_NONE : graph->nodes[parent].first_child,
		.main_row = TAG_NONE,
		.first_row = TAG_NONE,
		.first_out = TAG_NONE,
		.first_in = TAG_NONE,
	};
	if (*ret != TAG_ROOT)
		graph->nodes[parent].first_child = *ret;
	return 0;
}

/* The node of that name, with all steps above it. */
static int node_reach(struct vault *vault, struct tag_graph *graph, const struct tag_name *name, uint32_t *ret)
{
	size_t end = 0;
	int r = 0;

	*ret = TAG_ROOT;
	while (r == 0 && end < name->size) {
		const char *slash = memchr(name->text + end + 1, '/', name->size - end - 1);

		end = slash ? (size_t)(slash - name->text) : name->size;
		r = node_get_or_add(vault, graph, *ret, name->text, end, ret);
	}
	return r;
}

uint32_t tag_graph_find(const struct tag_graph *graph, const char *name, size_t size)
{
	struct tag_name resolved;

	if (!tag_graph_resolve(graph, name, size, &resolved))
		return TAG_NONE;
	return *place_of(graph, resolved.folded, resolved.folded_size);
}

uint32_t tag_graph_row(const struct tag_graph *graph, uint64_t id)
{
	size_t low = 0, high = graph->n_rows;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (graph->rows[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < graph->n_rows && graph->rows[low].id == id ? (uint32_t)low : TAG_NONE;
}

/* ---- from the rows ---- */

/* Is the node called as the row is? Then the row's spelling is the node's. */
static int adopt_name(struct tag_node *node, const char *name, size_t size)
{
	char text[VAULT_TAG_NAME_MAX + 1], folded[CASEFOLD_SIZE(VAULT_TAG_NAME_MAX)];
	size_t text_size;
	char *own;

	if (!collapse(name, size, text, &text_size) || casefold(text, text_size, folded) != node->folded_size ||
	    memcmp(folded, node->folded, node->folded_size) != 0)
		return 0;
	own = strdup(text);
	if (!own)
		return -ENOMEM;
	free(node->name);
	node->name = own;
	node->size = (uint32_t)text_size;
	return 1;
}

static int row_add(struct vault *vault, struct tag_graph *graph, sqlite3_stmt *from)
{
	AUTO(free) char *color = NULL;
	AUTO(free) char *icon = NULL;
	const char *name = sqlite3_column_blob(from, 1);
	size_t size = (size_t)sqlite3_column_bytes(from, 1);
	struct tag_name resolved;
	struct tag_node *node;
	uint32_t at = TAG_ROOT, index = (uint32_t)graph->n_rows;
	int r;

	if (!name || !tag_graph_resolve(graph, name, size, &resolved))
		return 0; /* check says that it is impossible */
	if (graph->n_rows == TAG_NODES_MAX)
		return too_many(vault);
	r = node_reach(vault, graph, &resolved, &at);
	if (r < 0)
		return r;
	if (sqlite3_column_type(from, 2) != SQLITE_NULL)
		color = column_copy(from, 2, NULL);
	if (sqlite3_column_type(from, 3) != SQLITE_NULL)
		icon = column_copy(from, 3, NULL);
	if (!grow(&graph->rows, graph->n_rows, &graph->rows_room, sizeof(*graph->rows)))
		return no_memory(vault);
	node = &graph->nodes[at];
	if (node->main_row == TAG_NONE)
		r = adopt_name(node, name, size);
	if (r < 0)
		return no_memory(vault);
	if (r == 1)
		node->main_row = index;
	graph->rows[index] = (struct tag_row){ column_u64(from, 0), TAKE(color), TAKE(icon), at, node->first_row, ++graph->clock };
	node->first_row = index;
	graph->n_rows++;
	return 0;
}

/* Rows that came since. */
static int load_rows(struct vault *vault, struct tag_graph *graph)
{
	AUTO(query) sqlite3_stmt *rows = query(vault, Q_ROWS);
	int r;

	bind_u64(rows, 1, graph->n_rows > 0 ? graph->rows[graph->n_rows - 1].id : 0);
	while ((r = db_step(&vault->db, rows)) == 1) {
		r = row_add(vault, graph, rows);
		if (r < 0)
			break;
	}
	return r;
}

static int load_aliases(struct vault *vault, struct tag_graph *graph)
{
	AUTO(query) sqlite3_stmt *aliases = query(vault, Q_ALIASES);
	int r;

	while ((r = db_step(&vault->db, aliases)) == 1) {
		struct tag_alias alias = { .tag_id = column_u64(aliases, 3) };
		size_t size = 0;

		if (!grow(&graph->aliases, graph->n_aliases, &graph->aliases_room, sizeof(*graph->aliases)))
			return no_memory(vault);
		alias.folded = column_copy(aliases, 0, &size);
		alias.name = column_copy(aliases, 1, NULL);
		alias.target = column_copy(aliases, 2, NULL);
		alias.folded_size = (uint32_t)size;
		graph->aliases[graph->n_aliases++] = alias;
		if (!alias.folded || !alias.name || !alias.target)
			return no_memory(vault);
	}
	return r;
}

static int load_implications(struct vault *vault, struct tag_graph *graph)
{
	AUTO(query) sqlite3_stmt *implications = query(vault, Q_IMPLICATIONS);
	int r;

	while ((r = db_step(&vault->db, implications)) == 1) {
		uint32_t from = tag_graph_row(graph, column_u64(implications, 0));
		uint32_t to = tag_graph_row(graph, column_u64(implications, 1));
		uint32_t edge = (uint32_t)graph->n_edges;

		if (from == TAG_NONE || to == TAG_NONE)
			continue; /* check says so */
		if (!grow(&graph->edges, graph->n_edges, &graph->edges_room, sizeof(*graph->edges)))
			return no_memory(vault);
		from = graph->rows[from].node;
		to = graph->rows[to].node;
		graph->edges[edge] = (struct tag_edge){ from, to, graph->nodes[from].first_out, graph->nodes[to].first_in };
		graph->nodes[from].first_out = graph->nodes[to].first_in = edge;
		graph->n_edges++;
	}
	return r;
}

static int build(struct vault *vault, struct tag_graph *graph)
{
	uint32_t root;
	int r;

	clear(graph);
	r = node_get_or_add(vault, graph, TAG_ROOT, "", 0, &root);
	if (r == 0)
		r = load_aliases(vault, graph);
	if (r == 0)
		r = load_rows(vault, graph);
	return r == 0 ? load_implications(vault, graph) : r;
}

/* Moves when rules or names change, also back to what they were before changes that were lost. */
static uint64_t rules_generation(struct vault *vault)
{
	return changes_rules_generation(vault) + (vault->changes_lost ? 1 : 0);
}

static bool is_fresh(struct vault *vault)
{
	const struct tag_graph *graph = vault->tags;

	return graph->built && graph->rules == rules_generation(vault) &&
	       graph->added == atomic_load_explicit(&graph->n_added, memory_order_acquire); /* pairs with the addition */
}

/* Both locks are held: rows and generations go together. */
static int refresh(struct vault *vault, struct tag_graph *graph)
{
	uint64_t rules = rules_generation(vault);
	uint64_t added = atomic_load_explicit(&graph->n_added, memory_order_acquire); /* as above */
	int r = 0;

	if (is_fresh(vault))
		return 0;
	if (graph->built && graph->rules == rules)
		r = load_rows(vault, graph);
	else
		r = build(vault, graph);
	if (r == 0 && graph->found_room < graph->n_nodes) {
		free(graph->found);
		graph->found_room = 0;
		graph->found = calloc(graph->nodes_room, sizeof(*graph->found));
		if (graph->found)
			graph->found_room = graph->nodes_room;
		else
			r = no_memory(vault);
	}
	graph->built = r == 0;
	graph->rules = rules;
	graph->added = added;
	return r;
}

int tag_graph_lock_locked(struct vault *vault, pthread_mutex_t **ret_held)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->tags->lock);
	int r = refresh(vault, vault->tags);

	if (r == 0)
		*ret_held = TAKE(held);
	return r;
}

int tag_graph_lock(struct vault *vault, pthread_mutex_t **ret_held)
{
	AUTO(unlock) pthread_mutex_t *metadata = NULL;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->tags->lock);

	if (is_fresh(vault)) {
		*ret_held = TAKE(held);
		return 0;
	}
	(void)pthread_mutex_unlock(TAKE(held)); /* the metadata lock comes first */
	metadata = lock_mutex(&vault->db.lock);
	return tag_graph_lock_locked(vault, ret_held);
}

int tag_graph_add_locked(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct tag_graph *graph = vault->tags;
	uint64_t waiting;
	int r = 0;

	held = lock_mutex(&graph->lock);
	if (!graph->built)
		r = refresh(vault, graph);
	if (r < 0)
		return r;
	waiting = atomic_load_explicit(&graph->n_added, memory_order_relaxed) - graph->added; /* changes under our lock */
	if (graph->n_rows + waiting >= TAG_ROWS_MAX)
		return log_err(-ENOSPC, "%s: there are %u tags, and no more can be made: remove some", vault->path, TAG_ROWS_MAX);
	atomic_fetch_add_explicit(&graph->n_added, 1, memory_order_release); /* the row is written under the metadata lock */
	return 0;
}

int tag_graph_new(struct vault *vault, struct tag_graph **ret)
{
	struct tag_graph *graph = calloc(1, sizeof(*graph));

	if (!graph)
		return log_err(-ENOMEM, "%s: no memory to open it", vault->path);
	(void)pthread_mutex_init(&graph->lock, NULL); /* fails only with attributes */
	*ret = graph;
	return 0;
}

void tag_graph_free(struct tag_graph *graph)
{
	if (!graph)
		return;
	clear(graph);
	free(graph->rows);
	free(graph->nodes);
	free(graph->edges);
	free(graph->aliases);
	free(graph->places);
	free(graph->found);
	(void)pthread_mutex_destroy(&graph->lock);
	free(graph);
}

/* ---- walks ---- */

void tag_walk_begin(struct tag_graph *graph)
{
	graph->n_found = 0;
	if (++graph->walk != 0)
		return;
	for (size_t i = 0; i < graph->n_nodes; i++) /* the numbers began anew */
		graph->nodes[i].seen = 0;
	graph->walk = 1;
}

void tag_walk_one(struct tag_graph *graph, uint32_t node)
{
	if (graph->nodes[node].seen == graph->walk)
		return;
	graph->nodes[node].seen = graph->walk;
	graph->found[graph->n_found++] = node;
}

void tag_walk_children(struct tag_graph *graph, uint32_t node)
{
	for (uint32_t child = graph->nodes[node].first_child; child != TAG_NONE; child = graph->nodes[child].next_sibling)
		tag_walk_one(graph, child);
}

void tag_walk_tree(struct tag_graph *graph, uint32_t node)
{
	size_t at = graph->n_found;

	for (tag_walk_one(graph, node); at < graph->n_found; at++)
		tag_walk_children(graph, graph->found[at]);
}

void tag_walk_below(struct tag_graph *graph, uint32_t node)
{
	size_t at = graph->n_found;

	for (tag_walk_one(graph, node); at < graph->n_found; at++) {
		uint32_t to = graph->found[at];

		tag_walk_children(graph, to);
		for (uint32_t e = graph->nodes[to].first_in; e != TAG_NONE; e = graph->edges[e].next_in)
			tag_walk_one(graph, graph->edges[e].from);
	}
}

void tag_walk_above(struct tag_graph *graph, uint32_t node)
{
	size_t at = graph->n_found;

	for (tag_walk_one(graph, node); at < graph->n_found; at++) {
		uint32_t from = graph->found[at];

		if (graph->nodes[from].parent != TAG_ROOT)
			tag_walk_one(graph, graph->nodes[from].parent);
		for (uint32_t e = graph->nodes[from].first_out; e != TAG_NONE; e = graph->edges[e].next_out)
			tag_walk_one(graph, graph->edges[e].to);
	}
}

/* ---- answers ---- */

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The rows of what the last walk found, ascending. */
static int found_ids(struct vault *vault, const struct tag_graph *graph, uint64_t **ret, size_t *ret_n)
{
	uint64_t *ids;
	size_t n = 0;

	for (size_t i = 0; i < graph->n_found; i++)
		for (uint32_t row = graph->nodes[graph->found[i]].first_row; row != TAG_NONE; row = graph->rows[row].next)
			n++;
	ids = malloc((n + 1) * sizeof(*ids));
	if (!ids)
		return no_memory(vault);
	n = 0;
	for (size_t i = 0; i < graph->n_found; i++)
		for (uint32_t row = graph->nodes[graph->found[i]].first_row; row != TAG_NONE; row = graph->rows[row].next)
			ids[n++] = graph->rows[row].id;
	qsort(ids, n, sizeof(*ids), compare_ids);
	*ret = ids;
	*ret_n = n;
	return 0;
}

static int matching(struct vault *vault, const char *name, uint64_t **ret_ids, size_t *ret_n)
{
	struct tag_graph *graph = vault->tags;
	uint32_t node = tag_graph_find(graph, name, strlen(name));

	tag_walk_begin(graph);
	if (node != TAG_NONE)
		tag_walk_below(graph, node);
	return found_ids(vault, graph, ret_ids, ret_n);
}

int tag_matching_locked(struct vault *vault, const char *name, uint64_t **ret_ids, size_t *ret_n)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = tag_graph_lock_locked(vault, &held);

	return r < 0 ? r : matching(vault, name, ret_ids, ret_n);
}

int vault_tag_matching(struct vault *vault, const char *name, uint64_t **ret_ids, size_t *ret_n)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = tag_graph_lock(vault, &held);

	return r < 0 ? r : matching(vault, name, ret_ids, ret_n);
}

uint64_t vault_tags_generation(struct vault *vault)
{
	return rules_generation(vault) +
	       atomic_load_explicit(&vault->tags->n_added, memory_order_acquire); /* pairs with the addition */
}
