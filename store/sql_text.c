/* sql_text.c - a statement put together from fixed pieces and bound values. See sql_text.h. */
#include "sql_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define FIRST_VALUE 2

enum value_kind { VALUE_NUMBER, VALUE_TEXT, VALUE_BLOB };

struct sql_value {
	enum value_kind kind;
	int64_t number;
	void *bytes;
	size_t size;
};

static void fail(struct sql_text *sql)
{
	if (sql->error == 0)
		sql->error = log_err(-ENOMEM, "no memory for a search");
}

void sql_add(struct sql_text *sql, const char *fixed)
{
	size_t n = strlen(fixed);

	if (sql->size + n + 1 > sql->room) {
		size_t room = 2 * (sql->size + n) + 256;
		char *text = realloc(sql->text, room);

		if (!text) {
			fail(sql);
			return;
		}
		sql->text = text;
		sql->room = room;
	}
	memcpy(sql->text + sql->size, fixed, n + 1);
	sql->size += n;
}

/* Appends "?N" for a value that the caller fills in; NULL without memory. */
static struct sql_value *add_value(struct sql_text *sql)
{
	char parameter[32];

	if (sql->n_values == sql->values_room) {
		size_t room = 2 * sql->values_room + 16;
		struct sql_value *values = reallocarray(sql->values, room, sizeof(*values));

		if (!values) {
			fail(sql);
			return NULL;
		}
		sql->values = values;
		sql->values_room = room;
	}
	(void)snprintf(parameter, sizeof(parameter), "?%zu", sql->n_values + FIRST_VALUE); /* fits */
	sql_add(sql, parameter);
	sql->values[sql->n_values] = (struct sql_value){ .kind = VALUE_NUMBER };
	return &sql->values[sql->n_values++];
}

void sql_add_number(struct sql_text *sql, int64_t number)
{
	struct sql_value *value = add_value(sql);

	if (value)
		value->number = number;
}

static void add_bytes(struct sql_text *sql, enum value_kind kind, const void *bytes, size_t size)
{
	struct sql_value *value = add_value(sql);
	void *copy = malloc(size + 1);

	if (!value || !copy) {
		free(copy);
		fail(sql);
		return;
	}
	memcpy(copy, bytes, size);
	*value = (struct sql_value){ .kind = kind, .bytes = copy, .size = size };
}

void sql_add_text(struct sql_text *sql, const char *text)
{
	add_bytes(sql, VALUE_TEXT, text, strlen(text));
}

void sql_add_blob(struct sql_text *sql, const void *bytes, size_t size)
{
	add_bytes(sql, VALUE_BLOB, bytes, size);
}

static int bind(sqlite3_stmt *statement, int position, const struct sql_value *value)
{
	if (value->kind == VALUE_NUMBER)
		return sqlite3_bind_int64(statement, position, value->number);
	if (value->kind == VALUE_TEXT)
		return sqlite3_bind_text64(statement, position, value->bytes, value->size, SQLITE_TRANSIENT,
					   SQLITE_UTF8);
	return sqlite3_bind_blob64(statement, position, value->bytes, value->size, SQLITE_TRANSIENT);
}

int sql_prepare(const struct sql_text *sql, struct db *db, sqlite3_stmt **ret)
{
	AUTO(statement) sqlite3_stmt *statement = NULL;
	int code;

	if (sql->error < 0)
		return sql->error;
	code = sqlite3_prepare_v3(db->handle, sql->text, (int)sql->size + 1, SQLITE_PREPARE_PERSISTENT,
				  &statement, NULL);
	for (size_t i = 0; code == SQLITE_OK && i < sql->n_values; i++)
		code = bind(statement, (int)i + FIRST_VALUE, &sql->values[i]);
	if (code != SQLITE_OK)
		return db_errno(db, code, "preparing a search");
	*ret = TAKE(statement);
	return 0;
}

int sql_step(struct db *db, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		return 1;
	return code == SQLITE_DONE ? 0 : db_errno(db, code, "searching");
}

void sql_release(struct sql_text *sql)
{
	for (size_t i = 0; i < sql->n_values; i++)
		free(sql->values[i].bytes);
	free(sql->values);
	free(sql->text);
	*sql = (struct sql_text){ 0 };
}
