/* inodes.c - rows of table inodes. See inodes.h.
 *
 * Knows columns and their bounds; who may change what, and when, is for namespace.c and file.c to know. */
#include "inodes.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "directories.h"
#include "live.h"

enum {
	Q_INODE_GET,
	Q_INODE_INSERT,
	Q_INODE_PUT,
	Q_INODE_ADD_MAPPED,
	Q_INODE_SET_MANIFEST,
	Q_INODE_DELETE,
};

static const char *const sql[] = {
	[Q_INODE_GET] = "SELECT " INODE_COLUMNS("i") " FROM inodes i WHERE i.id = ?1",
	[Q_INODE_INSERT] = "INSERT INTO inodes (id, manifest_id, mode, uid, gid, nlink, size, "
			   "atime, mtime, ctime, btime, mapped, rdev) "
			   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[Q_INODE_PUT] = "UPDATE inodes SET mode = ?3, uid = ?4, gid = ?5, nlink = ?6, size = ?7, "
			"atime = ?8, mtime = ?9, ctime = ?10 "
			"WHERE id = ?1",
	[Q_INODE_ADD_MAPPED] = "UPDATE inodes SET mapped = mapped + ?2 WHERE id = ?1",
	[Q_INODE_SET_MANIFEST] = "UPDATE inodes SET manifest_id = ?2, mapped = ?3 WHERE id = ?1",
	[Q_INODE_DELETE] = "DELETE FROM inodes WHERE id = ?1",
};

const struct query_set inodes_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static bool fits_u32(sqlite3_int64 value)
{
	return value >= 0 && value <= UINT32_MAX;
}

static bool mode_is_possible(sqlite3_int64 mode)
{
	if (!fits_u32(mode) || (mode & ~(sqlite3_int64)(S_IFMT | 07777)) != 0)
		return false;
	switch ((mode_t)mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	default:
		return false;
	}
}

int inode_from_row(struct vault *vault, sqlite3_stmt *row, int first, struct inode *ret)
{
	sqlite3_int64 id = sqlite3_column_int64(row, first);
	sqlite3_int64 manifest_id = sqlite3_column_int64(row, first + 1);
	sqlite3_int64 mode = sqlite3_column_int64(row, first + 2);
	sqlite3_int64 uid = sqlite3_column_int64(row, first + 3);
	sqlite3_int64 gid = sqlite3_column_int64(row, first + 4);
	sqlite3_int64 nlink = sqlite3_column_int64(row, first + 5);
	sqlite3_int64 size = sqlite3_column_int64(row, first + 6);
	sqlite3_int64 mapped = sqlite3_column_int64(row, first + 7);

	if (id <= 0 || manifest_id < 0 || !mode_is_possible(mode) || !fits_u32(uid) || !fits_u32(gid) ||
	    !fits_u32(nlink) || size < 0 || mapped < 0)
		return log_err(-EBADMSG, "%s: inode %" PRId64 ": impossible attributes", vault->path,
			       (int64_t)id);
	*ret = (struct inode){
		.manifest_id = (uint64_t)manifest_id,
		.attr = {
			.id = (uint64_t)id,
			.size = S_ISDIR((mode_t)mode) ? DIRECTORY_SIZE : (uint64_t)size,
			.mapped = (uint64_t)mapped,
			.rdev = column_u64(row, first + 8),
			.atime_ns = sqlite3_column_int64(row, first + 9),
			.mtime_ns = sqlite3_column_int64(row, first + 10),
			.ctime_ns = sqlite3_column_int64(row, first + 11),
			.btime_ns = sqlite3_column_int64(row, first + 12),
			.mode = (uint32_t)mode,
			.uid = (uint32_t)uid,
			.gid = (uint32_t)gid,
			.nlink = (uint32_t)nlink,
		},
	};
	return 0;
}

int inode_get_locked(struct vault *vault, uint64_t id, struct inode *ret)
{
	AUTO(query) sqlite3_stmt *get = db_query(&vault->db, DB_SET_inodes, Q_INODE_GET);
	int r;

	bind_u64(get, 1, id);
	r = db_step(&vault->db, get);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = inode_from_row(vault, get, 0, ret);
	if (r == 0)
		live_overlay(vault, &ret->attr);
	return r;
}

/* Parameters 1 and 3 to 10 mean the same in INSERT and PUT. */
static void bind_attr(sqlite3_stmt *statement, const struct vault_attr *attr)
{
	bind_u64(statement, 1, attr->id);
	bind_u64(statement, 3, attr->mode);
	bind_u64(statement, 4, attr->uid);
	bind_u64(statement, 5, attr->gid);
	bind_u64(statement, 6, attr->nlink);
	bind_u64(statement, 7, S_ISDIR(attr->mode) ? 0 : attr->size);
	bind_i64(statement, 8, attr->atime_ns);
	bind_i64(statement, 9, attr->mtime_ns);
	bind_i64(statement, 10, attr->ctime_ns);
}

int inode_insert_locked(struct vault *vault, const struct inode *inode)
{
	AUTO(query) sqlite3_stmt *insert = db_query(&vault->db, DB_SET_inodes, Q_INODE_INSERT);

	bind_attr(insert, &inode->attr);
	bind_u64(insert, 2, inode->manifest_id);
	bind_i64(insert, 11, inode->attr.btime_ns);
	bind_u64(insert, 12, inode->attr.mapped);
	bind_u64(insert, 13, inode->attr.rdev);
	return db_run(&vault->db, insert);
}

int inode_put_locked(struct vault *vault, const struct vault_attr *attr)
{
	AUTO(query) sqlite3_stmt *put = db_query(&vault->db, DB_SET_inodes, Q_INODE_PUT);
	int r;

	bind_attr(put, attr);
	r = db_run(&vault->db, put);
	if (r == 0)
		live_written(vault, attr);
	return r;
}

int inode_add_mapped_locked(struct vault *vault, uint64_t id, int64_t delta)
{
	AUTO(query) sqlite3_stmt *add = db_query(&vault->db, DB_SET_inodes, Q_INODE_ADD_MAPPED);

	bind_u64(add, 1, id);
	bind_i64(add, 2, delta);
	return db_run(&vault->db, add);
}

int inode_set_manifest_locked(struct vault *vault, uint64_t id, uint64_t manifest_id, uint64_t mapped)
{
	AUTO(query) sqlite3_stmt *set = db_query(&vault->db, DB_SET_inodes, Q_INODE_SET_MANIFEST);

	bind_u64(set, 1, id);
	bind_u64(set, 2, manifest_id);
	bind_u64(set, 3, mapped);
	return db_run(&vault->db, set);
}

int inode_delete_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *delete = db_query(&vault->db, DB_SET_inodes, Q_INODE_DELETE);

	bind_u64(delete, 1, id);
	return db_run(&vault->db, delete);
}
