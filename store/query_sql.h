/* query_sql.h - a query as SQL: a condition on one file, and streams of the files that can meet it.
 *
 * The condition stands over QUERY_FROM. It can be asked of one inode on any connection; streams read indices from the
 * highest id down. What the query names (tags, folders, days) is looked up once, when the SQL is made: a query that is
 * kept is made into SQL anew when tags' rules or directories' names change, and at midnight. */
#ifndef VAULTFS_QUERY_SQL_H
#define VAULTFS_QUERY_SQL_H

#include "id_stream.h"
#include "query.h"
#include "vault_internal.h"

/* A file with the entry it is shown under: of several the first, outside the trash. */
#define QUERY_FROM                                                                                              \
	"inodes i CROSS JOIN entries e ON e.inode_id = i.id CROSS JOIN directories d ON d.id = e.directory_id " \
	"LEFT JOIN content c ON c.inode_id = i.id LEFT JOIN assets a ON a.inode_id = i.id"

/* When a file is of: taken, else what its name says, else changed last. The share of 1s in its prediction, in percent. */
#define QUERY_DATE_OF "coalesce(c.taken_at, name_date(e.name), i.mtime)"
#define QUERY_QUALITY_OF \
	"(100 * (length(a.prediction) - length(replace(a.prediction, '1', ''))) / length(a.prediction))"

struct query_context {
	struct vault *vault;
	struct db *db;        /* its lock is held where it is the vault's own */
	bool has_search;      /* search.db is attached to it */
	bool search_complete; /* and knows all that this connection sees: what it does not find is not there */
	uint64_t below;       /* only files in this directory and below it; 0: all */
};

/* Append what makes `node` true of a file; NULL is true.
 *   Errors  -EAGAIN it asks for words, and search.db is not attached; -ENOMEM; others as db_step(). */
int query_condition(const struct query_context *context, const struct query_node *node, struct sql_text *sql);

/* Append what makes a file one that `query` may show at all: not hidden, not in the trash, below context->below. */
int query_visibility(const struct query_context *context, const struct vault_query *query,
		     struct sql_text *sql);

/* What of a query streams can answer. */
struct query_plan {
	struct id_stream *stream; /* NULL: no index helps, all files have to be looked at */
	const struct query_node *rest[QUERY_TERMS_MAX]; /* conditions that files in it must still meet */
	size_t n_rest;
};
int query_plan(const struct query_context *context, const struct vault_query *query, struct query_plan *ret);

/* ---- between query_sql.c, query_match.c and query_plan.c ---- */

struct id_list {
	uint64_t *ids;
	size_t n, room;
};

static inline void auto_id_list(struct id_list *list)
{
	free(list->ids);
}

/* All tags that make a file count as having the one called `name`, ascending. */
int query_tags_matching(const struct query_context *context, const char *name, struct id_list *ret);

/* The directories at `path`, whatever the case of their names. */
int query_directories_at(const struct query_context *context, const char *path, struct id_list *ret);

/* Can full-text search answer all of it? A not only beside something that is looked for. */
bool query_is_words(const struct query_node *node);

/* The full-text expression for all of these, each of which is words or a not of words, and one not a not. malloc'ed.
 * -ENOMEM (logged). */
int query_match_text(const struct query_node *const *nodes, size_t n, char **ret);

/* Folded, as full-text tables and conditions want it: malloc'ed, NULL without memory (logged). */
char *query_folded(const char *text);

/* The lowest and highest value in the column's unit; INT64_MIN and _MAX where a range is open. */
void query_range_of(const struct query_term *term, int64_t *ret_low, int64_t *ret_high);

/* The bytes that a SHA-256 starting with the term's digits lies between. */
void query_hash_range(const char *digits, uint8_t ret_low[32], uint8_t ret_high[32]);

#endif
