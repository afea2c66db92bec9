/* tag_graph.h - all tags and their rules in memory: which tags make a file count as having which.
 *
 * A node is a tag as people see it. Its name is what a row's name becomes when empty steps are left out ("a//b" is "a/b")
 * and aliases are followed: the longest beginning of it, ending at a '/' or at its end, that is an alias is replaced by
 * the alias's tag, and so on. So "foto/2024" is the tag "photo/2024" while foto is an alias of photo, also where
 * files had a tag "foto/2024" before: a node may stand for several rows of tags, of which the one that is called like it,
 * if there is one, holds its color, its icon and its rules. The steps above a tag ("place" of "place/italy") are nodes, too,
 * with or without a row.
 *
 * A file with a tag counts as having the node of its row, all nodes above that, and what any of these imply, transitively;
 * circles do no harm.
 *
 * The graph is made from the rows when it is first needed, and again when rules or names of tags have changed
 * (changes_rules_generation()); rows that are new are read in addition. It has a lock of its own, taken after the metadata
 * lock and held for as long as something is read from it: any thread may ask. Shared by tag_*.c; others use the calls at the
 * end, and library.h's. */
#ifndef VAULTFS_TAG_GRAPH_H
#define VAULTFS_TAG_GRAPH_H

#include "casefold.h"
#include "library.h"
#include "vault_internal.h"

#define TAG_ROWS_MAX 65536u   /* tags that can be made */
#define TAG_NODES_MAX 262144u /* tags and steps above them that are looked at */
#define TAG_NONE UINT32_MAX
#define TAG_ROOT 0u /* the node above all, without a name */

struct tag_node {
	char *name;   /* as it is written in its row, or else in the first one that has it as a beginning */
	char *folded; /* tells it from others */
	uint32_t size, folded_size;
	uint32_t parent, first_child, next_sibling;
	uint32_t main_row;             /* of its own name; or TAG_NONE */
	uint32_t first_row;            /* of all that stand for it; tag_row.next */
	uint32_t first_out, first_in;  /* edges: what it implies, what implies it */
	uint32_t seen;                 /* by the walk of this number */
	uint64_t total, total_at;      /* files that count as having it, and the clock when they were counted; tag_totals.h */
};

struct tag_row {
	uint64_t id;
	char *color, *icon; /* NULL: none */
	uint32_t node;
	uint32_t next; /* of the same node */
	uint64_t touched; /* by the clock: when a file last got or lost it, or it was read */
};

struct tag_edge {
	uint32_t from, to; /* nodes: who has the one counts as having the other */
	uint32_t next_out, next_in;
};

struct tag_alias {
	char *folded, *name, *target; /* target: the name of its tag's row */
	uint32_t folded_size;
	uint64_t tag_id;
};

struct tag_graph {
	pthread_mutex_t lock;     /* after the metadata lock, before none; guards all but the atomic */
	_Atomic uint64_t n_added; /* rows that were made since the vault was opened */

	bool built;
	uint64_t rules, added; /* generations that it shows */
	struct tag_row *rows;  /* ascending by id */
	struct tag_node *nodes;
	struct tag_edge *edges;
	struct tag_alias *aliases; /* ascending by the folded name */
	size_t n_rows, rows_room, n_nodes, nodes_room, n_edges, edges_room, n_aliases, aliases_room;
	uint32_t *places; /* node by folded name: open addressing, TAG_NONE = free */
	size_t n_places;  /* a power of two, or 0 */
	uint32_t *found;  /* nodes that the walk came to, in its order; room for all */
	size_t n_found, found_room;
	uint32_t walk;
	uint64_t clock; /* ticks with each touch */
};

int tag_graph_new(struct vault *vault, struct tag_graph **ret); /* -ENOMEM, logged */
void tag_graph_free(struct tag_graph *graph);                   /* NULL is fine */

/* Bring the graph up to date and take its lock; unlock with AUTO(unlock). The first is for who holds the metadata lock and has
 * not changed tags since the last savepoint that may still be rolled back; the second for who does not hold it.
 *   Errors  -ENOMEM; -EOVERFLOW more than TAG_NODES_MAX (both logged). */
int tag_graph_lock_locked(struct vault *vault, pthread_mutex_t **ret_held);
int tag_graph_lock(struct vault *vault, pthread_mutex_t **ret_held);

/* A row is about to be made. The metadata lock is held.  -ENOSPC there are TAG_ROWS_MAX (logged). */
int tag_graph_add_locked(struct vault *vault);

/* ---- with its lock held ---- */

struct tag_name {
	size_t size, folded_size;
	char text[VAULT_TAG_NAME_MAX + 1]; /* with a NUL */
	char folded[CASEFOLD_SIZE(VAULT_TAG_NAME_MAX)];
};

/* What a name leads to: without empty steps, aliases followed. One that would become too long by that is not followed, and
 * one of slashes only is "/". False: it is empty, or too long itself. */
bool tag_graph_resolve(const struct tag_graph *graph, const char *name, size_t size, struct tag_name *ret);

/* The node of that name, aliases followed; or TAG_NONE. */
uint32_t tag_graph_find(const struct tag_graph *graph, const char *name, size_t size);

/* The row that the first alias followed in `name` leads to; or TAG_NONE, also where no alias begins it. */
uint32_t tag_graph_alias_target(const struct tag_graph *graph, const char *name, size_t size);

/* The row of that id; or TAG_NONE. */
uint32_t tag_graph_row(const struct tag_graph *graph, uint64_t id);

/* Walks, which leave the nodes they came to in graph->found. Begin, then add nodes: with each come all nodes that
 * make a file count as having it (below), or that a file which has it counts as having (above). The root is never found by a
 * walk up. */
void tag_walk_begin(struct tag_graph *graph);
void tag_walk_below(struct tag_graph *graph, uint32_t node);
void tag_walk_above(struct tag_graph *graph, uint32_t node);
/* Without rules: the node alone; those one step below it; itself and all that are named below it. */
void tag_walk_one(struct tag_graph *graph, uint32_t node);
void tag_walk_children(struct tag_graph *graph, uint32_t node);
void tag_walk_tree(struct tag_graph *graph, uint32_t node);

/* Can it be a folder's name? Not where a step is "." or "..", or all of it is "/". */
bool tag_node_is_folder(const struct tag_node *node);

/* ---- for who knows no graph ---- */

/* vault_tag_matching() under the metadata lock. */
int tag_matching_locked(struct vault *vault, const char *name, uint64_t **ret_ids, size_t *ret_n);

#endif
