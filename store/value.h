/* value.h - the value of an attribute that is put together or measured: what does not fit is still counted. */
#ifndef VAULTFS_VALUE_H
#define VAULTFS_VALUE_H

#include <errno.h>
#include <string.h>
#include <sys/types.h>

#include "db.h"
#include "vault.h"

struct value {
	char *buffer;
	size_t size; /* of buffer; 0: only the length is asked for */
	size_t length;
};

static inline void value_add(struct value *value, const void *bytes, size_t n)
{
	if (n > 0 && value->length < value->size && n <= value->size - value->length)
		memcpy(value->buffer + value->length, bytes, n);
	value->length += n;
}

/* The length, or why there is none: -ERANGE it did not fit; -E2BIG past VAULT_XATTR_MAX. */
static inline ssize_t value_result(const struct value *value)
{
	if (value->length > VAULT_XATTR_MAX)
		return -E2BIG;
	if (value->size > 0 && value->length > value->size)
		return -ERANGE;
	return (ssize_t)value->length;
}

/* Add the first column of the one row that `get` gives for inode `id`; resets `get`.  -ENODATA no row, or NULL. */
static inline int value_add_column(struct db *db, sqlite3_stmt *get, uint64_t id, struct value *ret)
{
	AUTO(query) sqlite3_stmt *guard = get;
	const void *bytes;
	int r;

	bind_u64(guard, 1, id);
	r = db_step(db, guard);
	if (r < 0)
		return r;
	if (r == 0 || sqlite3_column_type(guard, 0) == SQLITE_NULL)
		return -ENODATA;
	bytes = sqlite3_column_blob(guard, 0);
	value_add(ret, bytes, (size_t)sqlite3_column_bytes(guard, 0));
	return 0;
}

#endif
