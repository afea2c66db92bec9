/* entries.c - rows of tables entries and symlinks. See entries.h.
 *
 * Rows of entries are never updated: (directory_id, name) stands under a second UNIQUE index, and a changeset that
 * swaps values there would not replay (DESIGN 2). What moves is deleted and comes back under a new cookie. */
#include "entries.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "live.h"

enum {
	Q_ENTRY_FIND,
	Q_ENTRY_INSERT,
	Q_ENTRY_DELETE,
	Q_ENTRY_ANY,
	Q_ENTRY_OF,
	Q_ENTRY_EACH,
	Q_ENTRY_EACH_ATTR,
	Q_ENTRY_ORPHANS,
	Q_SYMLINK_INSERT,
	Q_SYMLINK_GET,
	Q_SYMLINK_DELETE,
};

/* clang-format off */
static const char *const sql[] = {
	[Q_ENTRY_FIND] = "SELECT e.cookie, e.inode_id, " INODE_COLUMNS("i") " FROM entries e "
			 "LEFT JOIN inodes i ON i.id = e.inode_id WHERE e.directory_id = ?1 AND e.name = ?2",
	[Q_ENTRY_INSERT] = "INSERT INTO entries (directory_id, cookie, name, inode_id) VALUES (?1, ?2, ?3, ?4) "
			   "ON CONFLICT (directory_id, name) DO NOTHING",
	[Q_ENTRY_DELETE] = "DELETE FROM entries WHERE directory_id = ?1 AND cookie = ?2",
	[Q_ENTRY_ANY] = "SELECT 1 FROM entries WHERE directory_id = ?1 LIMIT 1",
	[Q_ENTRY_OF] = "SELECT directory_id, name FROM entries WHERE inode_id = ?1 LIMIT 1",
	[Q_ENTRY_EACH] = "SELECT e.cookie, e.name, e.inode_id, i.mode FROM entries e "
			 "JOIN inodes i ON i.id = e.inode_id "
			 "WHERE e.directory_id = ?1 AND e.cookie > ?2 ORDER BY e.cookie",
	[Q_ENTRY_EACH_ATTR] = "SELECT e.cookie, e.name, " INODE_COLUMNS("i") " FROM entries e "
			      "JOIN inodes i ON i.id = e.inode_id "
			      "WHERE e.directory_id = ?1 AND e.cookie > ?2 ORDER BY e.cookie",
	[Q_ENTRY_ORPHANS] = "SELECT id FROM inodes INDEXED BY inodes_orphaned "
			    "WHERE nlink = 0 AND id > ?1 ORDER BY id LIMIT ?2",
	[Q_SYMLINK_INSERT] = "INSERT INTO symlinks (inode_id, target) VALUES (?1, ?2)",
	[Q_SYMLINK_GET] = "SELECT target FROM symlinks WHERE inode_id = ?1",
	[Q_SYMLINK_DELETE] = "DELETE FROM symlinks WHERE inode_id = ?1",
};
/* clang-format on */

const struct query_set namespace_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_namespace, which);
}

int entry_name_check(const char *name)
{
	if (strnlen(name, VAULT_NAME_MAX + 1) > VAULT_NAME_MAX)
		return -ENAMETOOLONG;
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
		return -EINVAL;
	return 0;
}

/* Why there is no entry: nothing of that name, or nothing that could hold one? */
static int why_not_found(struct vault *vault, uint64_t directory_id)
{
	struct inode directory;
	int r = inode_get_locked(vault, directory_id, &directory);

	if (r < 0)
		return r;
	return S_ISDIR(directory.attr.mode) ? -ENOENT : -ENOTDIR;
}

int entry_find_locked(struct vault *vault, uint64_t directory_id, const char *name, struct entry *ret)
{
	AUTO(query) sqlite3_stmt *find = query(vault, Q_ENTRY_FIND);
	size_t size = strnlen(name, VAULT_NAME_MAX + 1);
	int r;

	if (size > VAULT_NAME_MAX)
		return -ENAMETOOLONG;
	bind_u64(find, 1, directory_id);
	bind_text(find, 2, name, size);
	r = db_step(&vault->db, find);
	if (r < 0)
		return r;
	if (r == 0)
		return why_not_found(vault, directory_id);
	if (sqlite3_column_type(find, 2) == SQLITE_NULL)
		return log_err(-EBADMSG, "%s: '%s' in directory %" PRIu64 " names a lost inode, %" PRIu64,
			       vault->path, name, directory_id, column_u64(find, 1));
	ret->directory_id = directory_id;
	ret->cookie = column_u64(find, 0);
	r = inode_from_row(vault, find, 2, &ret->inode);
	if (r == 0)
		live_overlay(vault, &ret->inode.attr);
	return r;
}

int entry_insert_locked(struct vault *vault, uint64_t directory_id, const char *name, uint64_t inode_id)
{
	AUTO(query) sqlite3_stmt *insert = query(vault, Q_ENTRY_INSERT);
	int r;

	bind_u64(insert, 1, directory_id);
	bind_u64(insert, 2, vault_new_id_locked(vault));
	bind_text(insert, 3, name, strlen(name));
	bind_u64(insert, 4, inode_id);
	r = db_run(&vault->db, insert);
	if (r < 0)
		return r;
	return sqlite3_changes64(vault->db.handle) == 0 ? -EEXIST : 0;
}

int entry_delete_locked(struct vault *vault, const struct entry *entry)
{
	AUTO(query) sqlite3_stmt *delete = query(vault, Q_ENTRY_DELETE);

	bind_u64(delete, 1, entry->directory_id);
	bind_u64(delete, 2, entry->cookie);
	return db_run(&vault->db, delete);
}

int entry_has_any_locked(struct vault *vault, uint64_t directory_id)
{
	AUTO(query) sqlite3_stmt *any = query(vault, Q_ENTRY_ANY);

	bind_u64(any, 1, directory_id);
	return db_step(&vault->db, any);
}

/* The name in `column`, NUL-terminated until the next step, or NULL if no name may look like that. */
static const char *name_of_column(sqlite3_stmt *row, int column)
{
	const char *name = (const char *)sqlite3_column_text(row, column);
	int size = sqlite3_column_bytes(row, column);

	if (!name || size <= 0 || strlen(name) != (size_t)size || entry_name_check(name) < 0)
		return NULL;
	return name;
}

static int log_bad_name(const struct vault *vault, uint64_t directory_id, uint64_t inode_id)
{
	return log_err(-EBADMSG, "%s: inode %" PRIu64 " has an impossible name in directory %" PRIu64,
		       vault->path, inode_id, directory_id);
}

int entry_of_locked(struct vault *vault, uint64_t inode_id, uint64_t *ret_directory_id, char *ret_name)
{
	AUTO(query) sqlite3_stmt *of = query(vault, Q_ENTRY_OF);
	const char *name;
	int r;

	bind_u64(of, 1, inode_id);
	r = db_step(&vault->db, of);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if (ret_name) {
		name = name_of_column(of, 1);
		if (!name)
			return log_bad_name(vault, column_u64(of, 0), inode_id);
		memcpy(ret_name, name, strlen(name) + 1);
	}
	*ret_directory_id = column_u64(of, 0);
	return 0;
}

static int entry_from_row(struct vault *vault, sqlite3_stmt *row, bool with_attributes,
			  struct vault_entry *ret)
{
	struct inode inode = { 0 };
	int r = 0;

	if (with_attributes) {
		r = inode_from_row(vault, row, 2, &inode);
		if (r < 0)
			return r;
		live_overlay(vault, &inode.attr);
	} else {
		inode.attr.id = column_u64(row, 2);
		inode.attr.mode = (uint32_t)sqlite3_column_int64(row, 3) & S_IFMT;
	}
	ret->name = name_of_column(row, 1);
	ret->cookie = column_u64(row, 0);
	ret->attr = inode.attr;
	return 0;
}

int entry_each_locked(struct vault *vault, uint64_t directory_id, uint64_t cookie, bool with_attributes,
		      int (*emit)(void *context, const struct vault_entry *entry), void *context)
{
	AUTO(query) sqlite3_stmt *each = query(vault, with_attributes ? Q_ENTRY_EACH_ATTR : Q_ENTRY_EACH);
	int r;

	bind_u64(each, 1, directory_id);
	/* Smaller ones are the caller's: a forged row must not be taken for what the caller keeps there. */
	bind_u64(each, 2, cookie < VAULT_FIRST_COOKIE ? VAULT_FIRST_COOKIE - 1 : cookie);
	while ((r = db_step(&vault->db, each)) == 1) {
		struct vault_entry entry;

		/* One damaged row must not hide its neighbours. It was logged. */
		if (entry_from_row(vault, each, with_attributes, &entry) < 0)
			continue;
		if (!entry.name)
			(void)log_bad_name(vault, directory_id, entry.attr.id); /* the same */
		else if (emit(context, &entry) != 0)
			return 0;
	}
	return r;
}

int entry_orphans_locked(struct vault *vault, uint64_t after, uint64_t *ret_ids, size_t n)
{
	AUTO(query) sqlite3_stmt *orphans = query(vault, Q_ENTRY_ORPHANS);
	size_t limit = n < INT_MAX ? n : INT_MAX;
	int n_found = 0;
	int r;

	bind_u64(orphans, 1, after);
	bind_u64(orphans, 2, limit);
	while ((r = db_step(&vault->db, orphans)) == 1)
		ret_ids[n_found++] = column_u64(orphans, 0);
	return r < 0 ? r : n_found;
}

int symlink_insert_locked(struct vault *vault, uint64_t inode_id, const char *target)
{
	AUTO(query) sqlite3_stmt *insert = query(vault, Q_SYMLINK_INSERT);

	bind_u64(insert, 1, inode_id);
	bind_text(insert, 2, target, strlen(target));
	return db_run(&vault->db, insert);
}

int symlink_get_locked(struct vault *vault, uint64_t inode_id, char *ret_target)
{
	AUTO(query) sqlite3_stmt *get = query(vault, Q_SYMLINK_GET);
	const char *target;
	int size;
	int r;

	bind_u64(get, 1, inode_id);
	r = db_step(&vault->db, get);
	if (r < 0)
		return r;
	target = r == 1 ? (const char *)sqlite3_column_text(get, 0) : NULL;
	size = target ? sqlite3_column_bytes(get, 0) : 0;
	if (size <= 0 || (size_t)size > VAULT_PATH_MAX || strlen(target) != (size_t)size)
		return log_err(-EBADMSG, "%s: symbolic link %" PRIu64 " has no possible target", vault->path,
			       inode_id);
	memcpy(ret_target, target, (size_t)size + 1);
	return 0;
}

int symlink_delete_locked(struct vault *vault, uint64_t inode_id)
{
	AUTO(query) sqlite3_stmt *delete = query(vault, Q_SYMLINK_DELETE);

	bind_u64(delete, 1, inode_id);
	return db_run(&vault->db, delete);
}
