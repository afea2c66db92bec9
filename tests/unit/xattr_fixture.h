/* xattr_fixture.h - for tests of attributes: set, get and list them as programs do, and look at the rows. */
#ifndef VAULTFS_TEST_XATTR_FIXTURE_H
#define VAULTFS_TEST_XATTR_FIXTURE_H

#include "fixture.h"

#include <errno.h>
#include <sys/xattr.h>

#include "vault_internal.h"

static inline int set(struct fixture *f, uint64_t id, const char *name, const char *value, size_t size)
{
	return CHANGE(f, vault_setxattr(f->vault, id, name, value, size, 0));
}

static inline int set_text(struct fixture *f, uint64_t id, const char *name, const char *value)
{
	return set(f, id, name, value, strlen(value));
}

static inline int drop(struct fixture *f, uint64_t id, const char *name)
{
	return CHANGE(f, vault_removexattr(f->vault, id, name));
}

/* The value, or "-" if there is none. */
static inline const char *get(struct fixture *f, uint64_t id, const char *name)
{
	static char value[VAULT_XATTR_MAX + 1];
	ssize_t n = vault_getxattr(f->vault, id, name, value, VAULT_XATTR_MAX);

	if (n == -ENODATA)
		return "-";
	assert_true(n >= 0);
	assert_int_equal(vault_getxattr(f->vault, id, name, NULL, 0), n);
	value[n] = '\0';
	return value;
}

/* The names, each with a blank behind it. */
static inline const char *list(struct fixture *f, uint64_t id)
{
	static char names[VAULT_XATTR_MAX + 1];
	ssize_t n = vault_listxattr(f->vault, id, names, sizeof(names) - 1);

	assert_true(n >= 0);
	assert_int_equal(vault_listxattr(f->vault, id, NULL, 0), n);
	names[n] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if (names[i] == '\0')
			names[i] = ' ';
	return names;
}

/* The first column of each row, each with a '|' behind it; "NULL" for NULL. */
static inline const char *query(struct fixture *f, const char *sql)
{
	static char text[4096];
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(f->vault->db.handle, sql, -1, &statement, NULL);

	text[0] = '\0';
	while (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
		const char *column = (const char *)sqlite3_column_text(statement, 0);

		(void)strcat(strcat(text, column ? column : "NULL"), "|");
	}
	if (sqlite3_finalize(statement) != SQLITE_OK)
		code = SQLITE_ERROR;
	(void)pthread_mutex_unlock(held);
	assert_int_equal(code, SQLITE_OK); /* only now: a failure must not jump out of the lock */
	return text;
}

#endif
