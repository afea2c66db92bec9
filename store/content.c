/* content.c - what was found out about files' bytes. See content.h and vault.h. */
#include "content.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "commit.h"
#include "digest.h"
#include "inodes.h"
#include "kind.h"
#include "library.h"

#define MIME_MAX 255u  /* bytes */
#define ERROR_MAX 255u /* the same */
#define SHA256_SIZE 32u

enum {
	Q_GET,
	Q_PUT = Q_GET + FINDING_N,
	Q_SAME,
	Q_ERROR,
	Q_FORGET,
};

static const char *const sql[] = {
	[Q_GET + FINDING_MIME] = "SELECT mime FROM content WHERE inode_id = ?1",
	[Q_GET + FINDING_KIND] = "SELECT kind FROM content WHERE inode_id = ?1",
	[Q_GET + FINDING_SHA256] =
		"SELECT iif(sha256 IS NULL, NULL, lower(hex(sha256))) FROM content WHERE inode_id = ?1",
	[Q_GET + FINDING_MEDIA] = "SELECT media_json FROM content WHERE inode_id = ?1",
	[Q_GET + FINDING_ERROR] = "SELECT error FROM content WHERE inode_id = ?1",
	[Q_PUT] = "INSERT INTO content (inode_id, sha256, mime, kind, media_json, indexed_at, width, height, "
		  "duration_ms, taken_at, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
		  "ON CONFLICT (inode_id) DO UPDATE SET sha256 = excluded.sha256, mime = excluded.mime, "
		  "kind = excluded.kind, media_json = excluded.media_json, indexed_at = excluded.indexed_at, "
		  "width = excluded.width, height = excluded.height, duration_ms = excluded.duration_ms, "
		  "taken_at = excluded.taken_at, error = excluded.error",
	[Q_SAME] = "UPDATE content SET indexed_at = ?3 "
		   "WHERE inode_id = ?1 AND sha256 = ?2 AND mime IS NOT NULL AND error IS NULL",
	[Q_ERROR] = "INSERT INTO content (inode_id, indexed_at, error) VALUES (?1, ?2, ?3) "
		    "ON CONFLICT (inode_id) DO UPDATE SET indexed_at = excluded.indexed_at, error = excluded.error",
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

int content_set_error_locked(struct vault *vault, uint64_t id, const char *error)
{
	AUTO(query) sqlite3_stmt *put = NULL;
	struct inode inode;
	int r = inode_get_locked(vault, id, &inode);

	if (r < 0)
		return r;
	put = query(vault, Q_ERROR);
	bind_u64(put, 1, id);
	bind_i64(put, 2, clock_now_ns());
	bind_text(put, 3, error, strlen(error));
	return db_run(&vault->db, put);
}

/* What is not known is NULL in the row. */
static void bind_known_text(sqlite3_stmt *statement, int position, const char *text)
{
	if (text)
		bind_text(statement, position, text, strlen(text));
}

static void bind_known_number(sqlite3_stmt *statement, int position, int64_t number)
{
	if (number != 0)
		bind_i64(statement, position, number);
}

static int put_locked(struct vault *vault, uint64_t id, const struct vault_content *content)
{
	AUTO(query) sqlite3_stmt *put = query(vault, Q_PUT);

	bind_u64(put, 1, id);
	if (content->sha256)
		bind_blob(put, 2, content->sha256, SHA256_SIZE);
	bind_known_text(put, 3, content->mime);
	bind_known_text(put, 4, content->mime ? kind_name(kind_of_mime(content->mime)) : NULL);
	bind_known_text(put, 5, content->media_json);
	bind_i64(put, 6, content->read_at_ns != 0 ? content->read_at_ns : clock_now_ns());
	bind_known_number(put, 7, content->width);
	bind_known_number(put, 8, content->height);
	bind_known_number(put, 9, (int64_t)content->duration_ms);
	bind_known_number(put, 10, content->taken_at_ns);
	bind_known_text(put, 11, content->error);
	return db_run(&vault->db, put);
}

static bool fits(const char *text, size_t max)
{
	size_t size = text ? strnlen(text, max + 1) : 1;

	return size > 0 && size <= max;
}

int vault_set_content(struct vault *vault, uint64_t id, const struct vault_content *content)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct inode inode;
	int r;

	if (!fits(content->mime, MIME_MAX) || !fits(content->media_json, VAULT_XATTR_MAX) ||
	    !fits(content->error, ERROR_MAX) || content->duration_ms > INT64_MAX)
		return -EINVAL;
	r = commit_lock_to_grow(vault, &held);
	if (r == 0)
		r = inode_get_locked(vault, id, &inode);
	return r < 0 ? r : put_locked(vault, id, content);
}

const char *vault_kind_of_mime(const char *mime)
{
	return kind_name(kind_of_mime(mime));
}

int vault_content_same(struct vault *vault, uint64_t id, const uint8_t sha256[32], int64_t read_at_ns)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *same = NULL;
	int r = commit_lock(vault, &held);

	if (r < 0)
		return r;
	same = query(vault, Q_SAME);
	bind_u64(same, 1, id);
	bind_blob(same, 2, sha256, SHA256_SIZE);
	bind_i64(same, 3, read_at_ns);
	r = db_run(&vault->db, same);
	return r < 0 ? r : sqlite3_changes64(vault->db.handle) > 0;
}

/* ---- sums ---- */

struct vault_sha256 {
	struct digest_stream *stream;
};

int vault_sha256_new(struct vault_sha256 **ret)
{
	AUTO(free) struct vault_sha256 *sum = calloc(1, sizeof(*sum));
	int r;

	if (!sum)
		return log_err(-ENOMEM, "SHA-256: no memory for a stream");
	r = digest_stream_new(&sum->stream);
	if (r < 0)
		return r;
	*ret = TAKE(sum);
	return 0;
}

int vault_sha256_add(struct vault_sha256 *sum, const void *bytes, size_t size)
{
	return digest_stream_update(sum->stream, bytes, size);
}

int vault_sha256_end(struct vault_sha256 *sum, uint8_t ret[32])
{
	struct digest digest;
	int r = digest_stream_final(sum->stream, &digest);

	if (r == 0)
		memcpy(ret, digest.bytes, sizeof(digest.bytes));
	return r;
}

void vault_sha256_free(struct vault_sha256 *sum)
{
	if (!sum)
		return;
	digest_stream_free(sum->stream);
	free(sum);
}
