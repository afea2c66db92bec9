/* functions.c - SQL functions. See functions.h. */
#include "functions.h"

#include <stdlib.h>
#include <string.h>

#include "casefold.h"
#include "name_facts.h"

static void fold(sqlite3_context *context, int n, sqlite3_value **arguments)
{
	const char *text = sqlite3_value_blob(arguments[0]);
	size_t size = (size_t)sqlite3_value_bytes(arguments[0]);
	char *folded;

	(void)n;
	if (sqlite3_value_type(arguments[0]) == SQLITE_NULL)
		return;
	folded = sqlite3_malloc64(CASEFOLD_SIZE(size) + 1);
	if (!folded) {
		sqlite3_result_error_nomem(context);
		return;
	}
	size = size > 0 ? casefold(text, size, folded) : 0;
	sqlite3_result_text64(context, folded, size, sqlite3_free, SQLITE_UTF8);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x)); /* SQLite aligns bytes as it likes */
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static void has_id(sqlite3_context *context, int n, sqlite3_value **arguments)
{
	const void *ids = sqlite3_value_blob(arguments[0]);
	size_t n_ids = (size_t)sqlite3_value_bytes(arguments[0]) / sizeof(uint64_t);
	uint64_t id = (uint64_t)sqlite3_value_int64(arguments[1]);

	(void)n;
	sqlite3_result_int(context,
			   n_ids > 0 && bsearch(&id, ids, n_ids, sizeof(uint64_t), by_value) != NULL);
}

static bool facts_of(sqlite3_value *name, struct name_facts *ret)
{
	const char *text = sqlite3_value_blob(name);

	return text && name_facts_read(text, (size_t)sqlite3_value_bytes(name), ret);
}

static void name_date(sqlite3_context *context, int n, sqlite3_value **arguments)
{
	struct name_facts facts;

	(void)n;
	if (facts_of(arguments[0], &facts))
		sqlite3_result_int64(context, name_facts_ns(&facts));
}

static void name_person(sqlite3_context *context, int n, sqlite3_value **arguments)
{
	struct name_facts facts;

	(void)n;
	if (facts_of(arguments[0], &facts) && facts.person_size > 0)
		sqlite3_result_text64(context, facts.person, facts.person_size, SQLITE_TRANSIENT,
				      SQLITE_UTF8);
}

int functions_add(struct db *db)
{
	static const struct {
		const char *name;
		int n_arguments;
		void (*call)(sqlite3_context *context, int n, sqlite3_value **arguments);
	} functions[] = {
		{ "fold", 1, fold },
		{ "has_id", 2, has_id },
		{ "name_date", 1, name_date },
		{ "name_person", 1, name_person },
	};
	int code = SQLITE_OK;

	for (size_t i = 0; code == SQLITE_OK && i < sizeof(functions) / sizeof(functions[0]); i++)
		code = sqlite3_create_function_v2(db->handle, functions[i].name, functions[i].n_arguments,
						  SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
						  NULL, functions[i].call, NULL, NULL, NULL);
	return db_errno(db, code, "adding functions");
}
