/* sql_text.h - a statement that is put together from fixed pieces of SQL, with its values bound, never pasted.
 *
 * ?1 is whoever's who runs the statement; values are numbered from ?2. A failure (no memory, logged) is remembered and
 * comes out of sql_prepare(). */
#ifndef VAULTFS_SQL_TEXT_H
#define VAULTFS_SQL_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "db.h"

struct sql_text {
	char *text;
	size_t size, room;
	struct sql_value *values;
	size_t n_values, values_room;
	int error;
};

/* Append SQL that stands in the program. */
void sql_add(struct sql_text *sql, const char *fixed);

/* Append a parameter and keep its value. Bytes are copied. */
void sql_add_number(struct sql_text *sql, int64_t number);
void sql_add_text(struct sql_text *sql, const char *text);
void sql_add_blob(struct sql_text *sql, const void *bytes, size_t size);

/* The statement, with its values; sqlite3_finalize() it.  -ENOMEM; others as db_errno(). */
int sql_prepare(const struct sql_text *sql, struct db *db, sqlite3_stmt **ret);

/* As db_step(), but nobody wants to read all of such a statement in an error. */
int sql_step(struct db *db, sqlite3_stmt *statement);

void sql_release(struct sql_text *sql);

static inline void auto_sql(struct sql_text *sql)
{
	sql_release(sql);
}

#endif
