/* content.c - what was found out about files' bytes. See content.h and vault.h. */
#include "content.h"

#include <string.h>

#include "commit.h"
#include "inodes.h"
#include "kind.h"

#define MIME_MAX 255u /* bytes */

enum {
	Q_GET,
	Q_MIME_PUT = Q_GET + FINDING_N,
	Q_FORGET,
};

static const char *const sql[] = {
	[Q_GET + FINDING_MIME] = "SELECT mime FROM content WHERE inode_id = ?1",
	[Q_GET + FINDING_KIND] = "SELECT kind FROM content WHERE inode_id = ?1",
	[Q_GET + FINDING_SHA256] =
		"SELECT iif(sha256 IS NULL, NULL, lower(hex(sha256))) FROM content WHERE inode_id = ?1",
	[Q_GET + FINDING_MEDIA] = "SELECT media_json FROM content WHERE inode_id = ?1",
	[Q_MIME_PUT] = "INSERT INTO content (inode_id, mime, indexed_at, kind) VALUES (?1, ?2, ?3, ?4) "
		       "ON CONFLICT (inode_id) DO UPDATE "
		       "SET mime = excluded.mime, indexed_at = excluded.indexed_at, kind = excluded.kind",
	[Q_FORGET] = "DELETE FROM content WHERE inode_id = ?1",
};

const struct query_set content_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_content, which);
}

int content_get_locked(struct vault *vault, uint64_t id, enum finding finding, struct value *ret)
{
	return value_add_column(&vault->db, query(vault, Q_GET + (int)finding), id, ret);
}

int content_forget_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *forget = query(vault, Q_FORGET);

	bind_u64(forget, 1, id);
	return db_run(&vault->db, forget);
}

int vault_set_mime(struct vault *vault, uint64_t id, const char *mime)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *put = NULL;
	size_t size = strnlen(mime, MIME_MAX + 1);
	const char *kind;
	struct inode inode;
	int r;

	if (size == 0 || size > MIME_MAX)
		return -EINVAL;
	r = commit_lock(vault, &held);
	if (r == 0)
		r = inode_get_locked(vault, id, &inode);
	if (r < 0)
		return r;
	put = query(vault, Q_MIME_PUT);
	bind_u64(put, 1, id);
	bind_text(put, 2, mime, size);
	bind_i64(put, 3, clock_now_ns());
	kind = kind_name(kind_of_mime(mime));
	bind_text(put, 4, kind, strlen(kind));
	return db_run(&vault->db, put);
}
