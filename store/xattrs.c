/* xattrs.c - extended attributes. See xattrs.h and vault.h; access control lists are inode_acl.c's.
 *
 * What the kernel refuses itself is refused here as well: the library has other callers. The list of names stays
 * within VAULT_XATTR_MAX with room left for the pictured ones, so that a file may always get a tag. */
#include "xattrs.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "attributes.h"
#include "commit.h"
#include "derived.h"
#include "inode_acl.h"
#include "inodes.h"
#include "state.h"

#define NAMES_MAX (VAULT_XATTR_MAX - ATTRIBUTES_NAMES_SIZE) /* bytes of the kept names in a list */

enum {
	Q_XATTR_GET,
	Q_XATTR_HAS,
	Q_XATTR_PUT,
	Q_XATTR_DELETE,
	Q_XATTR_NAMES,
	Q_XATTR_NAMES_SIZE,
	Q_XATTR_FORGET,
};

static const char *const sql[] = {
	[Q_XATTR_GET] = "SELECT value FROM xattrs WHERE inode_id = ?1 AND name = ?2",
	[Q_XATTR_HAS] = "SELECT 1 FROM xattrs WHERE inode_id = ?1 AND name = ?2",
	[Q_XATTR_PUT] = "INSERT INTO xattrs (inode_id, name, value) "
			"VALUES (?1, ?2, ?3) "
			"ON CONFLICT (inode_id, name) DO UPDATE SET value = excluded.value",
	[Q_XATTR_DELETE] = "DELETE FROM xattrs WHERE inode_id = ?1 AND name = ?2",
	[Q_XATTR_NAMES] = "SELECT name FROM xattrs WHERE inode_id = ?1",
	[Q_XATTR_NAMES_SIZE] = "SELECT sum(length(CAST(name AS BLOB)) + 1) FROM xattrs WHERE inode_id = ?1",
	[Q_XATTR_FORGET] = "DELETE FROM xattrs WHERE inode_id = ?1",
};

const struct query_set xattrs_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_xattrs, which);
}

/* ---- names ---- */

struct name {
	const char *text;
	size_t size;
	bool is_user;
	int attribute; /* attributes.h; negative: kept as it is */
	int acl;       /* enum inode_acl, or negative */
};

/* -ERANGE too long or empty; -EINVAL a bare prefix; -EOPNOTSUPP a namespace that is not kept. */
static int name_parse(const char *text, struct name *ret)
{
	static const char *const prefixes[] = { "user.", "trusted.", "security." };
	size_t size = strnlen(text, VAULT_NAME_MAX + 1);

	if (size == 0 || size > VAULT_NAME_MAX)
		return -ERANGE;
	*ret = (struct name){ .text = text, .size = size, .attribute = -ENOENT, .acl = inode_acl_find(text) };
	if (ret->acl >= 0)
		return 0;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t n = strlen(prefixes[i]);

		if (strncmp(text, prefixes[i], n) != 0)
			continue;
		if (size == n)
			return -EINVAL;
		ret->is_user = i == 0;
		ret->attribute = attribute_find(text);
		return 0;
	}
	return -EOPNOTSUPP;
}

static void bind_key(sqlite3_stmt *statement, uint64_t id, const struct name *name)
{
	bind_u64(statement, 1, id);
	bind_text(statement, 2, name->text, name->size);
}

/* ---- rows ---- */

static ssize_t row_get_locked(struct vault *vault, uint64_t id, const struct name *name, void *buffer,
			      size_t size)
{
	AUTO(query) sqlite3_stmt *get = query(vault, Q_XATTR_GET);
	const void *value;
	size_t value_size;
	int r;

	bind_key(get, id, name);
	r = db_step(&vault->db, get);
	if (r <= 0)
		return r < 0 ? r : -ENODATA;
	value = sqlite3_column_blob(get, 0);
	value_size = (size_t)sqlite3_column_bytes(get, 0);
	if (value_size > VAULT_XATTR_MAX)
		return -E2BIG;
	if (size == 0)
		return (ssize_t)value_size;
	if (value_size > size)
		return -ERANGE;
	if (value_size > 0)
		memcpy(buffer, value, value_size);
	return (ssize_t)value_size;
}

static int row_has_locked(struct vault *vault, uint64_t id, const struct name *name)
{
	AUTO(query) sqlite3_stmt *has = query(vault, Q_XATTR_HAS);

	bind_key(has, id, name);
	return db_step(&vault->db, has);
}

static int row_put_locked(struct vault *vault, uint64_t id, const struct name *name, const void *value,
			  size_t size)
{
	AUTO(query) sqlite3_stmt *put = query(vault, Q_XATTR_PUT);

	bind_key(put, id, name);
	bind_blob(put, 3, value, size);
	return db_run(&vault->db, put);
}

static int row_delete_locked(struct vault *vault, uint64_t id, const struct name *name)
{
	AUTO(query) sqlite3_stmt *delete = query(vault, Q_XATTR_DELETE);

	bind_key(delete, id, name);
	return db_run(&vault->db, delete);
}

/* -ENOSPC if the list of names has no room for this one. */
static int check_room_locked(struct vault *vault, uint64_t id, const struct name *name)
{
	AUTO(query) sqlite3_stmt *names_size = query(vault, Q_XATTR_NAMES_SIZE);
	int r;

	bind_u64(names_size, 1, id);
	r = db_step(&vault->db, names_size);
	if (r < 0)
		return r;
	return column_u64(names_size, 0) + name->size + 1 > NAMES_MAX ? -ENOSPC : 0;
}

int xattrs_forget_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *forget = query(vault, Q_XATTR_FORGET);

	bind_u64(forget, 1, id);
	return db_run(&vault->db, forget);
}

int xattrs_drop_capability_locked(struct vault *vault, uint64_t id)
{
	if (!vault_has_privileged_xattrs(vault))
		return 0;
	return xattrs_delete_locked(vault, id, "security.capability");
}

static struct name row_name(const char *text)
{
	return (struct name){ .text = text, .size = strlen(text) };
}

ssize_t xattrs_get_locked(struct vault *vault, uint64_t id, const char *text, void *buffer, size_t size)
{
	const struct name name = row_name(text);

	return row_get_locked(vault, id, &name, buffer, size);
}

int xattrs_has_locked(struct vault *vault, uint64_t id, const char *text)
{
	const struct name name = row_name(text);

	return row_has_locked(vault, id, &name);
}

int xattrs_put_locked(struct vault *vault, uint64_t id, const char *text, const void *value, size_t size)
{
	const struct name name = row_name(text);

	return row_put_locked(vault, id, &name, value, size);
}

int xattrs_delete_locked(struct vault *vault, uint64_t id, const char *text)
{
	const struct name name = row_name(text);

	return row_delete_locked(vault, id, &name);
}

/* ---- the flags: was an access control list ever set, was another attribute outside user.*? ---- */

static const char privileged_key[] = "privileged_xattrs", acls_key[] = "posix_acls"; /* in table settings */

int vault_has_privileged_xattrs(const struct vault *vault)
{
	return atomic_load_explicit(&vault->privileged_xattrs,
				    memory_order_acquire); /* pairs with the stores */
}

int vault_has_acls(const struct vault *vault)
{
	return atomic_load_explicit(&vault->acls, memory_order_acquire); /* pairs with the stores */
}

static int load_flag_locked(struct vault *vault, const char *key, _Atomic bool *flag)
{
	uint64_t set = 0;
	int r = state_get_number_locked(vault, key, &set);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (set)
		atomic_store_explicit(flag, true, memory_order_release);
	return 0;
}

int xattrs_load_locked(struct vault *vault)
{
	int r = load_flag_locked(vault, privileged_key, &vault->privileged_xattrs);

	return r < 0 ? r : load_flag_locked(vault, acls_key, &vault->acls);
}

/* In the same savepoint as the first such row. The flag itself follows when that is committed to. */
static int remember_locked(struct vault *vault, const struct name *name)
{
	if (name->is_user || (name->acl >= 0 ? vault_has_acls(vault) : vault_has_privileged_xattrs(vault)))
		return 0;
	return state_put_number_locked(vault, name->acl >= 0 ? acls_key : privileged_key, 1);
}

static void raise_flag(struct vault *vault, const struct name *name)
{
	if (!name->is_user)
		atomic_store_explicit(name->acl >= 0 ? &vault->acls : &vault->privileged_xattrs, true,
				      memory_order_release);
}

/* ---- the four calls ---- */

/* 1 inode `id` has it, 0 not; -ENOENT no such inode. */
static int has_locked(struct vault *vault, uint64_t id, const struct name *name)
{
	bool present[ATTRIBUTES_N_LISTED];
	int r;

	if (name->attribute < 0)
		return row_has_locked(vault, id, name);
	r = attributes_present_locked(vault, id, present);
	return r < 0 ? r : present[name->attribute];
}

ssize_t vault_getxattr(struct vault *vault, uint64_t id, const char *text, void *buffer, size_t size)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct inode inode;
	struct name name;
	ssize_t n = name_parse(text, &name);
	int r;

	if (n < 0)
		return n;
	if (name.attribute >= 0 && attribute_is_count(name.attribute))
		return attribute_count(vault, id, name.attribute, buffer, size);
	held = lock_mutex(&vault->db.lock);
	if (name.attribute >= 0)
		n = attribute_get_locked(vault, id, name.attribute, buffer, size);
	else
		n = row_get_locked(vault, id, &name, buffer, size);
	if (n != -ENODATA && (name.acl != INODE_ACL_ACCESS || n < 0 || size == 0))
		return n;
	r = inode_get_locked(vault, id, &inode);
	if (r == 0 && n >= 0)
		r = inode_acl_complete(vault, id, inode.attr.mode, buffer, (size_t)n);
	return r < 0 ? r : n;
}

bool vault_getxattr_is_slow(const char *name)
{
	int attribute = attribute_find(name);

	return attribute >= 0 && attribute_is_count(attribute);
}

/* What must hold before a value may be set. */
static int check_set(struct vault *vault, const struct vault_attr *attr, const struct name *name, int flags)
{
	int r;

	if (name->is_user && !S_ISREG(attr->mode) && !S_ISDIR(attr->mode))
		return -EPERM;
	if (name->attribute >= 0 && attribute_is_read_only(name->attribute))
		return -EPERM;
	r = has_locked(vault, attr->id, name);
	if (r < 0)
		return r;
	if (r == 1)
		return flags & XATTR_CREATE ? -EEXIST : 0;
	if (flags & XATTR_REPLACE)
		return -ENODATA;
	return name->attribute >= 0 ? 0 : check_room_locked(vault, attr->id, name);
}

/* ctime becomes now, and all of it is committed to. */
static int changed_locked(struct vault *vault, struct inode *inode, struct savepoint *all)
{
	int r;

	inode->attr.ctime_ns = clock_now_ns();
	r = inode_put_locked(vault, &inode->attr);
	return r < 0 ? r : savepoint_commit(all);
}

static int set_locked(struct vault *vault, struct inode *inode, const struct name *name, const void *value,
		      size_t size, int flags)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	int r = check_set(vault, &inode->attr, name, flags);

	if (r == 0 && name->attribute < 0)
		r = attribute_check_kept(name->text, value, size);
	if (r == 0)
		r = savepoint_begin(&vault->db, &all);
	if (r == 0)
		r = remember_locked(vault, name);
	if (r < 0)
		return r;
	if (name->attribute >= 0)
		r = attribute_put_locked(vault, inode->attr.id, name->attribute, value, size);
	else
		r = row_put_locked(vault, inode->attr.id, name, value, size);
	if (r == 0)
		r = changed_locked(vault, inode, &all);
	if (r == 0)
		raise_flag(vault, name);
	return r;
}

/* As the kernel does, XATTR_CREATE and XATTR_REPLACE are passed over. */
static int set_acl_locked(struct vault *vault, struct inode *inode, const struct name *name, const void *value,
			  size_t size, int flags)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	bool kept;
	int r = row_has_locked(vault, inode->attr.id, name);

	if (r == 0)
		r = check_room_locked(vault, inode->attr.id, name);
	if (r >= 0)
		r = savepoint_begin(&vault->db, &all);
	if (r == 0)
		r = inode_acl_set_locked(vault, &inode->attr, (enum inode_acl)name->acl, value, size,
					 flags & VAULT_XATTR_KILL_SGID);
	if (r <= 0)
		return r; /* 0: it was so before */
	kept = r == 2;
	/* cp and tar set lists that say no more than the mode: those must not make every look-up slower. */
	r = kept ? remember_locked(vault, name) : 0;
	if (r == 0)
		r = derived_follow_locked(vault, &inode->attr);
	if (r == 0)
		r = changed_locked(vault, inode, &all);
	if (r == 0 && kept)
		raise_flag(vault, name);
	return r;
}

int vault_setxattr(struct vault *vault, uint64_t id, const char *text, const void *value, size_t size,
		   int flags)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct inode inode;
	struct name name;
	int r;

	if (flags & ~(XATTR_CREATE | XATTR_REPLACE | VAULT_XATTR_KILL_SGID))
		return -EINVAL;
	r = name_parse(text, &name);
	if (r == 0 && size > VAULT_XATTR_MAX)
		r = -E2BIG;
	if (r == 0)
		r = commit_lock_to_grow(vault, &held);
	if (r == 0)
		r = inode_get_locked(vault, id, &inode);
	if (r == 0)
		r = name.acl >= 0 ? set_acl_locked(vault, &inode, &name, value, size, flags)
				  : set_locked(vault, &inode, &name, value, size, flags);
	return r;
}

int vault_removexattr(struct vault *vault, uint64_t id, const char *text)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { 0 };
	struct inode inode;
	struct name name;
	int r = name_parse(text, &name);

	if (r == 0)
		r = commit_lock(vault, &held);
	if (r == 0)
		r = inode_get_locked(vault, id, &inode);
	if (r < 0)
		return r;
	if (name.attribute >= 0 && attribute_is_read_only(name.attribute))
		return -EPERM;
	r = has_locked(vault, id, &name);
	if (r <= 0)
		return r < 0 || name.acl >= 0 ? r : -ENODATA;
	r = savepoint_begin(&vault->db, &all);
	if (r < 0)
		return r;
	if (name.attribute >= 0)
		r = attribute_remove_locked(vault, id, name.attribute);
	else
		r = row_delete_locked(vault, id, &name);
	return r < 0 ? r : changed_locked(vault, &inode, &all);
}

struct list {
	char *buffer;
	size_t size; /* of buffer; 0: only the length is asked for */
	size_t length;
};

static int list_add(struct list *list, const char *name, size_t size)
{
	if (list->size > 0) {
		if (size + 1 > list->size - list->length)
			return -ERANGE;
		memcpy(list->buffer + list->length, name, size);
		list->buffer[list->length + size] = '\0';
	}
	list->length += size + 1;
	return 0;
}

static int list_rows_locked(struct vault *vault, uint64_t id, struct list *list)
{
	AUTO(query) sqlite3_stmt *names = query(vault, Q_XATTR_NAMES);
	int r;

	bind_u64(names, 1, id);
	while ((r = db_step(&vault->db, names)) == 1) {
		const char *name = (const char *)sqlite3_column_text(names, 0);

		if (!name)
			return -ENOMEM;
		r = list_add(list, name, strlen(name));
		if (r < 0)
			return r;
	}
	return r;
}

ssize_t vault_listxattr(struct vault *vault, uint64_t id, char *buffer, size_t size)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct list list = { buffer, size, 0 };
	bool present[ATTRIBUTES_N_LISTED];
	int r = attributes_present_locked(vault, id, present);

	if (r == 0)
		r = list_rows_locked(vault, id, &list);
	for (int i = 0; r == 0 && i < ATTRIBUTES_N_LISTED; i++)
		if (present[i])
			r = list_add(&list, attribute_name(i), strlen(attribute_name(i)));
	return r < 0 ? r : (ssize_t)list.length;
}
