/* find.h - a query that is being answered on one connection: file by file, the newest first, or one that is asked for.
 *
 * On a reader of its own; or on the vault's connection with the metadata lock held throughout, for single files. */
#ifndef VAULTFS_FIND_H
#define VAULTFS_FIND_H

#include "query_sql.h"

struct find;

struct find_match {
	uint64_t id;
	uint64_t directory_id, cookie; /* of the entry it is shown under */
	const char *name; /* of that, NUL-terminated; borrowed until the next call on the same find */
	size_t name_size;
};

/* Begin to answer. `sort_by` is SQL for a value that find_sort_value() gives of the last match, or NULL.
 *   Errors  -EAGAIN the query asks for words, and there is no search.db; -ENOMEM; others as db_step(). */
int find_open(const struct query_context *context, const struct vault_query *query, const char *sort_by,
	      struct find **ret);

/* As find_open(), only for find_test(): the indices are left alone. */
int find_open_test(const struct query_context *context, const struct vault_query *query, struct find **ret);
void find_close(struct find *find); /* NULL is fine */

/* Does file `id` match?  1 and *ret, or 0. */
int find_test(struct find *find, uint64_t id, struct find_match *ret);

/* The next match, of a lower id than the one before; the first is at most `most`.  1 and *ret; 0 the end. */
int find_next(struct find *find, uint64_t most, struct find_match *ret);

/* The path of a match from the root, in place of *path, which is freed.  -ENOMEM (logged); as db_step(). */
int find_path(const struct query_context *context, const struct find_match *match, char **path);

/* Owned by the find, until the next call. */
sqlite3_value *find_sort_value(struct find *find);

static inline void auto_find(struct find **find)
{
	find_close(*find);
}

#endif
