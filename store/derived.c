/* derived.c - thumbnails and previews. See derived.h and library.h.
 *
 * One is made within one change, so that no commit sees less than all of it: its inode, its bytes and the row that keeps
 * it come together. Rows are never updated: derived_id stands under a second UNIQUE index (DESIGN 2). */
#include "derived.h"

#include <errno.h>
#include <sys/stat.h>

#include "commit.h"
#include "inodes.h"
#include "library.h"
#include "live_internal.h"
#include "namespace.h"
#include "xattrs.h"

#define NUMBER_MAX 255u

enum {
	Q_GET,
	Q_EACH,
	Q_PUT,
	Q_DELETE,
	Q_IS,
};

static const char *const sql[] = {
	[Q_GET] = "SELECT derived_id FROM derived WHERE inode_id = ?1 AND kind = ?2 AND number = ?3",
	[Q_EACH] =
		"SELECT kind, number, derived_id FROM derived WHERE inode_id = ?1 AND (kind, number) > (?2, ?3) LIMIT 1",
	[Q_PUT] = "INSERT INTO derived (inode_id, kind, number, derived_id) VALUES (?1, ?2, ?3, ?4)",
	[Q_DELETE] = "DELETE FROM derived WHERE inode_id = ?1 AND kind = ?2 AND number = ?3",
	[Q_IS] = "SELECT 1 FROM derived WHERE derived_id = ?1",
};

const struct query_set derived_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

struct row {
	uint64_t kind, number, id;
};

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_derived, which);
}

/* ---- rows ---- */

/* 1, or 0 there is none. */
static int find_locked(struct vault *vault, uint64_t id, uint64_t kind, uint64_t number, struct row *ret)
{
	AUTO(query) sqlite3_stmt *get = query(vault, Q_GET);
	int r;

	bind_u64(get, 1, id);
	bind_u64(get, 2, kind);
	bind_u64(get, 3, number);
	r = db_step(&vault->db, get);
	if (r > 0)
		*ret = (struct row){ kind, number, column_u64(get, 0) };
	return r;
}

int derived_is_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *is = query(vault, Q_IS);

	bind_u64(is, 1, id);
	return db_step(&vault->db, is);
}

/* The row behind `row`.  1, or 0 it was the last. */
static int next_locked(struct vault *vault, uint64_t id, struct row *row)
{
	AUTO(query) sqlite3_stmt *each = query(vault, Q_EACH);
	int r;

	bind_u64(each, 1, id);
	bind_u64(each, 2, row->kind);
	bind_u64(each, 3, row->number);
	r = db_step(&vault->db, each);
	if (r > 0)
		*row = (struct row){ column_u64(each, 0), column_u64(each, 1), column_u64(each, 2) };
	return r;
}

static int put_locked(struct vault *vault, uint64_t id, const struct row *row)
{
	AUTO(query) sqlite3_stmt *put = query(vault, Q_PUT);

	bind_u64(put, 1, id);
	bind_u64(put, 2, row->kind);
	bind_u64(put, 3, row->number);
	bind_u64(put, 4, row->id);
	return db_run(&vault->db, put);
}

/* The row goes, and its inode has a link less. */
static int release_locked(struct vault *vault, uint64_t id, const struct row *row)
{
	AUTO(query) sqlite3_stmt *delete = query(vault, Q_DELETE);
	struct inode inode;
	int r;

	bind_u64(delete, 1, id);
	bind_u64(delete, 2, row->kind);
	bind_u64(delete, 3, row->number);
	r = db_run(&vault->db, delete);
	if (r == 0)
		r = inode_get_locked(vault, row->id, &inode);
	if (r == -ENOENT) /* forged, and found by a check */
		return 0;
	return r < 0 ? r : inode_lose_name_locked(vault, &inode, clock_now_ns());
}

int derived_release_locked(struct vault *vault, uint64_t id, uint64_t *ret_ids, unsigned n)
{
	struct row row = { 0, 0, 0 };
	unsigned n_released = 0;
	int r;

	while ((r = next_locked(vault, id, &row)) > 0) {
		r = release_locked(vault, id, &row);
		if (r < 0)
			return r;
		if (n_released < n)
			ret_ids[n_released++] = row.id;
	}
	return r < 0 ? r : (int)n_released;
}

/* ---- who may read it ---- */

/* Nobody who may not read the file. A list can refuse somebody whom the mode lets in: then only the owner reads. */
static int mode_locked(struct vault *vault, const struct vault_attr *file, uint32_t *ret)
{
	int has_list = xattrs_has_locked(vault, file->id, "system.posix_acl_access");

	if (has_list < 0)
		return has_list;
	*ret = S_IFREG | (file->mode & (has_list ? 0400u : 0444u));
	return 0;
}

static int follow_one_locked(struct vault *vault, const struct vault_attr *file, uint32_t mode, uint64_t id)
{
	struct inode inode;
	int r = inode_get_locked(vault, id, &inode);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (inode.attr.mode == mode && inode.attr.uid == file->uid && inode.attr.gid == file->gid)
		return 0;
	inode.attr.mode = mode;
	inode.attr.uid = file->uid;
	inode.attr.gid = file->gid;
	inode.attr.ctime_ns = file->ctime_ns;
	return inode_put_locked(vault, &inode.attr);
}

int derived_follow_locked(struct vault *vault, const struct vault_attr *attr)
{
	struct row row = { 0, 0, 0 };
	uint32_t mode = 0;
	int r;

	if (!S_ISREG(attr->mode))
		return 0;
	r = next_locked(vault, attr->id, &row);
	if (r > 0 && mode_locked(vault, attr, &mode) < 0)
		return -EIO;
	while (r > 0) {
		r = follow_one_locked(vault, attr, mode, row.id);
		if (r == 0)
			r = next_locked(vault, attr->id, &row);
	}
	return r;
}

/* ---- making one ---- */

static int file_get_locked(struct vault *vault, uint64_t id, struct vault_attr *ret)
{
	struct inode inode;
	int r = inode_get_locked(vault, id, &inode);

	if (r < 0)
		return r;
	if (!S_ISREG(inode.attr.mode))
		return -EINVAL;
	*ret = inode.attr;
	return inode.attr.nlink == 0 ? -ENOENT : 0;
}

/* An inode with a link that no row has yet. */
static int make_inode(struct vault *vault, uint64_t file_id, uint64_t *ret_id)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct inode inode = { .attr = { .nlink = 1 } };
	struct vault_attr *attr = &inode.attr;
	struct vault_attr file;
	int r = commit_lock_to_grow(vault, &held);

	if (r == 0)
		r = file_get_locked(vault, file_id, &file);
	if (r == 0)
		r = mode_locked(vault, &file, &attr->mode);
	if (r < 0)
		return r;
	attr->id = vault_new_id_locked(vault);
	attr->uid = file.uid;
	attr->gid = file.gid;
	attr->atime_ns = attr->mtime_ns = attr->ctime_ns = attr->btime_ns = clock_now_ns();
	inode.manifest_id = vault_new_id_locked(vault);
	r = inode_insert_locked(vault, &inode);
	if (r == 0)
		*ret_id = attr->id;
	return r;
}

/* Its content is ours: no indexer is told of it. */
static int fill(struct vault *vault, uint64_t id, const void *bytes, size_t size)
{
	struct vault_file *file = NULL;
	struct live_inode *inode;
	int r = vault_file_open(vault, id, &file);

	if (r < 0)
		return r;
	r = vault_write(file, 0, bytes, size, 0);
	inode = file_inode(file);
	(void)pthread_mutex_lock(&inode->lock);
	inode->changed = false;
	(void)pthread_mutex_unlock(&inode->lock);
	vault_file_close(file);
	return r < 0 ? r : 0;
}

/* Give it to its file, in place of the one before. */
static int keep(struct vault *vault, uint64_t file_id, const struct row *row)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { 0 };
	struct row old = { 0, 0, 0 };
	struct vault_attr file;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = file_get_locked(vault, file_id, &file);
	if (r == 0)
		r = savepoint_begin(&vault->db, &all);
	if (r == 0)
		r = find_locked(vault, file_id, row->kind, row->number, &old);
	if (r > 0)
		r = release_locked(vault, file_id, &old);
	if (r == 0)
		r = put_locked(vault, file_id, row);
	if (r == 0)
		r = savepoint_commit(&all);
	if (r == 0 && old.id != 0)
		(void)inode_purge_locked(vault, old.id); /* one that is being read goes with the next sweep */
	return r;
}

/* It came to nothing. */
static void give_up(struct vault *vault, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct inode inode;

	if (commit_lock(vault, &held) < 0 || inode_get_locked(vault, id, &inode) < 0)
		return; /* read-only now: nothing of it is committed any more */
	if (inode_lose_name_locked(vault, &inode, clock_now_ns()) == 0)
		(void)inode_purge_locked(vault, id); /* as above */
}

int vault_set_derived(struct vault *vault, uint64_t id, enum vault_derived kind, unsigned number,
		      const void *bytes, size_t size)
{
	struct row row = { kind, number, 0 };
	int r;

	if (kind < VAULT_DERIVED_THUMBNAIL || kind > VAULT_DERIVED_PREVIEW || number == 0 ||
	    number > NUMBER_MAX || size == 0)
		return -EINVAL;
	if (size > VAULT_DERIVED_MAX)
		return -EFBIG;
	r = make_inode(vault, id, &row.id);
	if (r < 0)
		return r;
	r = fill(vault, row.id, bytes, size);
	if (r == 0)
		r = keep(vault, id, &row);
	if (r < 0)
		give_up(vault, row.id);
	return r;
}

/* ---- the rest ---- */

int vault_get_derived(struct vault *vault, uint64_t id, enum vault_derived kind, unsigned number,
		      struct vault_attr *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct inode inode;
	struct row row;
	int r = find_locked(vault, id, kind, number, &row);

	if (r > 0)
		r = inode_get_locked(vault, row.id, &inode);
	else if (r == 0)
		r = -ENOENT;
	if (r == 0)
		*ret = inode.attr;
	return r;
}

int vault_drop_derived(struct vault *vault, uint64_t id, enum vault_derived kind, unsigned first)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct row row = { kind, first > 0 ? first - 1 : 0, 0 };
	int r = commit_lock(vault, &held);

	while (r == 0 && (r = next_locked(vault, id, &row)) > 0 && row.kind == kind) {
		AUTO(savepoint) struct savepoint all = { 0 };

		r = savepoint_begin(&vault->db, &all);
		if (r == 0)
			r = release_locked(vault, id, &row);
		if (r == 0)
			r = savepoint_commit(&all);
		if (r == 0)
			(void)inode_purge_locked(vault, row.id); /* as above */
	}
	return r < 0 ? r : 0;
}
