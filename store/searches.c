/* searches.c - saved searches: queries under names. See library.h.
 *
 * Names are told apart with their case folded, as tags are; the table has no UNIQUE index for that, so that a search can be
 * renamed by UPDATE. */
#include <errno.h>
#include <string.h>

#include "casefold.h"
#include "changes.h"
#include "commit.h"
#include "library.h"
#include "vault_internal.h"

enum {
	Q_FIND,
	Q_LIST,
	Q_COUNT,
	Q_INSERT,
	Q_SET_QUERY,
	Q_SET_NAME,
	Q_DELETE,
};

static const char *const sql[] = {
	[Q_FIND] = "SELECT id, name, query FROM searches WHERE folded = ?1",
	[Q_LIST] = "SELECT name, query FROM searches ORDER BY folded",
	[Q_COUNT] = "SELECT count(*) FROM searches",
	[Q_INSERT] = "INSERT INTO searches (id, name, folded, query) VALUES (?1, ?2, ?3, ?4)",
	[Q_SET_QUERY] = "UPDATE searches SET query = ?2 WHERE id = ?1",
	[Q_SET_NAME] = "UPDATE searches SET name = ?2, folded = ?3 WHERE id = ?1",
	[Q_DELETE] = "DELETE FROM searches WHERE id = ?1",
};

const struct query_set searches_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_searches, which);
}

struct name {
	const char *text; /* borrowed */
	size_t size, folded_size;
	char folded[CASEFOLD_SIZE(VAULT_NAME_MAX)];
};

static int name_read(const char *text, struct name *ret)
{
	size_t size = strnlen(text, VAULT_NAME_MAX + 1);

	if (size > VAULT_NAME_MAX)
		return -ENAMETOOLONG;
	if (size == 0 || memchr(text, '/', size) || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return -EINVAL;
	ret->text = text;
	ret->size = size;
	ret->folded_size = casefold(text, size, ret->folded);
	return 0;
}

/* The row of that name in `find`: 1, or 0. */
static int step_to(struct vault *vault, sqlite3_stmt *find, const struct name *name)
{
	bind_text(find, 1, name->folded, name->folded_size);
	return db_step(&vault->db, find);
}

/* Its id.  -ENOENT. */
static int find_locked(struct vault *vault, const struct name *name, uint64_t *ret_id)
{
	AUTO(query) sqlite3_stmt *find = query(vault, Q_FIND);
	int r = step_to(vault, find, name);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_id = column_u64(find, 0);
	return 0;
}

/* -EINVAL it is not one; -ENOMEM. */
static int check_query(const char *text)
{
	AUTO(vault_query) struct vault_query *parsed = NULL;
	struct vault_query_error error;

	return vault_query_parse(text, &parsed, &error);
}

/* ---- reading ---- */

int vault_searches(struct vault *vault, int (*emit)(void *context, const struct vault_search *search),
		   void *context)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	AUTO(query) sqlite3_stmt *list = query(vault, Q_LIST);
	int r;

	(void)held;
	while ((r = db_step(&vault->db, list)) == 1) {
		struct vault_search search = { .name = (const char *)sqlite3_column_text(list, 0),
					       .query = (const char *)sqlite3_column_text(list, 1) };

		if (!search.name || !search.query)
			return log_err(-ENOMEM, "%s: no memory for saved searches", vault->path);
		r = emit(context, &search);
		if (r != 0)
			return r;
	}
	return r;
}

int vault_search_get(struct vault *vault, const char *name, char **ret_query, char *ret_name)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *find = NULL;
	const char *own, *text;
	struct name wanted;
	char *copy;
	int r = name_read(name, &wanted);

	if (r < 0)
		return -ENOENT; /* nothing can be called that */
	held = lock_mutex(&vault->db.lock);
	find = query(vault, Q_FIND);
	r = step_to(vault, find, &wanted);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	own = (const char *)sqlite3_column_text(find, 1);
	text = (const char *)sqlite3_column_text(find, 2);
	copy = text ? strdup(text) : NULL;
	if (!own || !copy) {
		free(copy);
		return log_err(-ENOMEM, "%s: no memory for a saved search", vault->path);
	}
	if (ret_name)
		(void)snprintf(ret_name, VAULT_NAME_MAX + 1, "%s",
			       own); /* longer ones in a forged table are cut */
	*ret_query = copy;
	return 0;
}

/* ---- changing ---- */

/* Whoever shows what a saved search finds looks again. */
static int run_locked(struct vault *vault, sqlite3_stmt *change)
{
	changes_touch_all_locked(vault, false);
	return db_run(&vault->db, change);
}

static int insert_locked(struct vault *vault, const struct name *name, const char *text)
{
	AUTO(query) sqlite3_stmt *count = query(vault, Q_COUNT);
	AUTO(query) sqlite3_stmt *insert = query(vault, Q_INSERT);
	int r = db_step(&vault->db, count);

	if (r < 0)
		return r;
	if (sqlite3_column_int64(count, 0) >= VAULT_SEARCHES_MAX)
		return -ENOSPC;
	bind_u64(insert, 1, vault_new_id_locked(vault));
	bind_text(insert, 2, name->text, name->size);
	bind_text(insert, 3, name->folded, name->folded_size);
	bind_text(insert, 4, text, strlen(text));
	return run_locked(vault, insert);
}

static int set_query_locked(struct vault *vault, uint64_t id, const char *text)
{
	AUTO(query) sqlite3_stmt *set = query(vault, Q_SET_QUERY);

	bind_u64(set, 1, id);
	bind_text(set, 2, text, strlen(text));
	return run_locked(vault, set);
}

int vault_search_put(struct vault *vault, const char *name, const char *text, unsigned flags)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct name wanted;
	uint64_t id = 0;
	int r = name_read(name, &wanted);

	if (r == 0)
		r = check_query(text);
	if (r == 0)
		r = commit_lock_to_grow(vault, &held);
	if (r < 0)
		return r;
	r = find_locked(vault, &wanted, &id);
	if (r == -ENOENT && !(flags & VAULT_SEARCH_OLD))
		return insert_locked(vault, &wanted, text);
	if (r == 0 && flags & VAULT_SEARCH_NEW)
		return -EEXIST;
	return r < 0 ? r : set_query_locked(vault, id, text);
}

int vault_search_remove(struct vault *vault, const char *name)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *delete = NULL;
	struct name wanted;
	uint64_t id = 0;
	int r;

	if (name_read(name, &wanted) < 0)
		return -ENOENT; /* nothing can be called that */
	r = commit_lock(vault, &held);
	if (r == 0)
		r = find_locked(vault, &wanted, &id);
	if (r < 0)
		return r;
	delete = query(vault, Q_DELETE);
	bind_u64(delete, 1, id);
	return run_locked(vault, delete);
}

int vault_search_rename(struct vault *vault, const char *name, const char *new_name)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *set = NULL;
	struct name wanted, renamed;
	uint64_t id = 0, other = 0;
	int r;

	if (name_read(name, &wanted) < 0)
		return -ENOENT; /* as above */
	r = name_read(new_name, &renamed);
	if (r == 0)
		r = commit_lock(vault, &held);
	if (r == 0)
		r = find_locked(vault, &wanted, &id);
	if (r < 0)
		return r;
	r = find_locked(vault, &renamed, &other);
	if (r == 0 && other != id)
		return -EEXIST;
	if (r < 0 && r != -ENOENT)
		return r;
	set = query(vault, Q_SET_NAME);
	bind_u64(set, 1, id);
	bind_text(set, 2, renamed.text, renamed.size);
	bind_text(set, 3, renamed.folded, renamed.folded_size);
	return run_locked(vault, set);
}
