/* tags.c - tags, notes, ratings and MIME types, and the attributes that show them. See tags.h.
 *
 * user.xdg.tags is one text for many rows. It must come back to the byte while the tags are the same, or rsync
 * would copy it again and again: where the rows joined with ',' would not give what was written, that is kept in
 * assets.tags_text. */
#include "tags.h"

#include <errno.h>
#include <string.h>

#include "casefold.h"
#include "commit.h"
#include "inodes.h"

const char *const tags_attribute_names[TAGS_N_ATTRIBUTES] = {
	[TAGS_ATTRIBUTE_TAGS] = "user.xdg.tags",
	[TAGS_ATTRIBUTE_COMMENT] = "user.xdg.comment",
	[TAGS_ATTRIBUTE_RATING] = "user.baloo.rating",
	[TAGS_ATTRIBUTE_MIME] = "user.mime_type",
};

#define MIME_MAX 255u /* bytes */

enum {
	Q_PRESENT,
	Q_TAGS_TEXT_GET,
	Q_TAGS_GET,
	Q_NOTES_GET,
	Q_RATING_GET,
	Q_MIME_GET,
	Q_TAGS_TEXT_PUT,
	Q_NOTES_PUT,
	Q_RATING_PUT,
	Q_MIME_PUT,
	Q_TAG_FIND,
	Q_TAG_INSERT,
	Q_ASSET_TAG_INSERT,
	Q_ASSET_TAGS_DELETE,
	Q_ASSET_DELETE_DEFAULT,
	Q_ASSET_DELETE,
	Q_CONTENT_DELETE,
};

#define ASSET_PUT(column)                                            \
	"INSERT INTO assets (inode_id, " column ") VALUES (?1, ?2) " \
	"ON CONFLICT (inode_id) DO UPDATE SET " column " = excluded." column

static const char *const sql[] = {
	[Q_PRESENT] =
		/* The type was found out, not set: unlisted, programs that copy or compare attributes neither carry
		 * it along nor try to remove it. */
		"SELECT EXISTS (SELECT 1 FROM asset_tags t WHERE t.inode_id = i.id), a.notes IS NOT NULL, "
		"a.rating IS NOT NULL, 0 FROM inodes i LEFT JOIN assets a ON a.inode_id = i.id WHERE i.id = ?1",
	[Q_TAGS_TEXT_GET] = "SELECT tags_text FROM assets WHERE inode_id = ?1",
	[Q_TAGS_GET] = "SELECT t.name FROM asset_tags a JOIN tags t ON t.id = a.tag_id WHERE a.inode_id = ?1 "
		       "ORDER BY a.position",
	[Q_NOTES_GET] = "SELECT notes FROM assets WHERE inode_id = ?1",
	[Q_RATING_GET] = "SELECT CAST(rating AS TEXT) FROM assets WHERE inode_id = ?1",
	[Q_MIME_GET] = "SELECT mime FROM content WHERE inode_id = ?1",
	[Q_TAGS_TEXT_PUT] = ASSET_PUT("tags_text"),
	[Q_NOTES_PUT] = ASSET_PUT("notes"),
	[Q_RATING_PUT] = ASSET_PUT("rating"),
	[Q_MIME_PUT] = "INSERT INTO content (inode_id, mime, indexed_at) VALUES (?1, ?2, ?3) "
		       "ON CONFLICT (inode_id) DO UPDATE "
		       "SET mime = excluded.mime, indexed_at = excluded.indexed_at",
	[Q_TAG_FIND] = "SELECT id, name FROM tags WHERE folded = ?1",
	[Q_TAG_INSERT] = "INSERT INTO tags (id, name, folded) VALUES (?1, ?2, ?3)",
	[Q_ASSET_TAG_INSERT] = "INSERT INTO asset_tags (inode_id, tag_id, position) VALUES (?1, ?2, ?3) "
			       "ON CONFLICT (inode_id, tag_id) DO NOTHING",
	[Q_ASSET_TAGS_DELETE] = "DELETE FROM asset_tags WHERE inode_id = ?1",
	[Q_ASSET_DELETE_DEFAULT] =
		"DELETE FROM assets WHERE inode_id = ?1 AND notes IS NULL AND favorite = 0 "
		"AND hidden = 0 AND rating IS NULL AND seen_at IS NULL AND prediction IS NULL "
		"AND custom_json IS NULL AND tags_text IS NULL",
	[Q_ASSET_DELETE] = "DELETE FROM assets WHERE inode_id = ?1",
	[Q_CONTENT_DELETE] = "DELETE FROM content WHERE inode_id = ?1",
};

const struct query_set tags_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_tags, which);
}

static int run_for(struct vault *vault, int which, uint64_t id)
{
	AUTO(query) sqlite3_stmt *statement = query(vault, which);

	bind_u64(statement, 1, id);
	return db_run(&vault->db, statement);
}

/* A value that is put together or measured: what does not fit is still counted. */
struct value {
	char *buffer;
	size_t size; /* of buffer */
	size_t length;
};

static void value_add(struct value *value, const void *bytes, size_t n)
{
	if (n > 0 && value->length < value->size && n <= value->size - value->length)
		memcpy(value->buffer + value->length, bytes, n);
	value->length += n;
}

static ssize_t value_result(const struct value *value)
{
	if (value->length > VAULT_XATTR_MAX)
		return -E2BIG;
	if (value->size > 0 && value->length > value->size)
		return -ERANGE;
	return (ssize_t)value->length;
}

int tags_attribute_find(const char *name)
{
	if (strncmp(name, "user.", 5) != 0)
		return -ENOENT;
	for (int i = 0; i < TAGS_N_ATTRIBUTES; i++)
		if (strcmp(name, tags_attribute_names[i]) == 0)
			return i;
	return -ENOENT;
}

/* ---- reading ---- */

int tags_present_locked(struct vault *vault, uint64_t id, bool ret[TAGS_N_ATTRIBUTES])
{
	AUTO(query) sqlite3_stmt *present = query(vault, Q_PRESENT);
	int r;

	bind_u64(present, 1, id);
	r = db_step(&vault->db, present);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	for (int i = 0; i < TAGS_N_ATTRIBUTES; i++)
		ret[i] = sqlite3_column_int(present, i) != 0;
	return 0;
}

/* Add the one column of the one row of query `which`.  -ENODATA no row, or NULL. */
static int column_get_locked(struct vault *vault, int which, uint64_t id, struct value *value)
{
	AUTO(query) sqlite3_stmt *get = query(vault, which);
	const void *bytes;
	int r;

	bind_u64(get, 1, id);
	r = db_step(&vault->db, get);
	if (r < 0)
		return r;
	if (r == 0 || sqlite3_column_type(get, 0) == SQLITE_NULL)
		return -ENODATA;
	bytes = sqlite3_column_blob(get, 0);
	value_add(value, bytes, (size_t)sqlite3_column_bytes(get, 0));
	return 0;
}

/* The tags of `id` as their rows spell them, joined with ','.  -ENODATA there are none. */
static int tags_joined_locked(struct vault *vault, uint64_t id, struct value *value)
{
	AUTO(query) sqlite3_stmt *get = query(vault, Q_TAGS_GET);
	bool any = false;
	int r;

	bind_u64(get, 1, id);
	while ((r = db_step(&vault->db, get)) == 1) {
		const void *name = sqlite3_column_blob(get, 0);

		if (any)
			value_add(value, ",", 1);
		value_add(value, name, (size_t)sqlite3_column_bytes(get, 0));
		any = true;
	}
	if (r < 0)
		return r;
	return any ? 0 : -ENODATA;
}

ssize_t tags_get_locked(struct vault *vault, uint64_t id, enum tags_attribute attribute, void *buffer,
			size_t size)
{
	static const int queries[TAGS_N_ATTRIBUTES] = {
		[TAGS_ATTRIBUTE_TAGS] = Q_TAGS_TEXT_GET,
		[TAGS_ATTRIBUTE_COMMENT] = Q_NOTES_GET,
		[TAGS_ATTRIBUTE_RATING] = Q_RATING_GET,
		[TAGS_ATTRIBUTE_MIME] = Q_MIME_GET,
	};
	struct value value = { buffer, size, 0 };
	int r = column_get_locked(vault, queries[attribute], id, &value);

	if (r == -ENODATA && attribute == TAGS_ATTRIBUTE_TAGS)
		r = tags_joined_locked(vault, id, &value);
	return r < 0 ? r : value_result(&value);
}

/* ---- tags of a file ---- */

struct tag {
	const char *name; /* points into the text */
	size_t size;
};

/* ASCII's white space, and NUL: some programs write the one that ends a string in memory. */
static bool is_white(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

/* The next tag of `text` from *at on, trimmed.  1 found; 0 the end; -EINVAL too long, or with a NUL. */
static int tag_next(const char *text, size_t size, size_t *at, struct tag *ret)
{
	while (*at < size) {
		const char *start = text + *at;
		const char *comma = memchr(start, ',', size - *at);
		size_t n = comma ? (size_t)(comma - start) : size - *at;

		*at += n + 1; /* one past the end, at the end */
		while (n > 0 && is_white(start[0])) {
			start++;
			n--;
		}
		while (n > 0 && is_white(start[n - 1]))
			n--;
		if (n == 0)
			continue;
		if (n > TAGS_NAME_MAX || memchr(start, '\0', n))
			return -EINVAL;
		*ret = (struct tag){ start, n };
		return 1;
	}
	return 0;
}

static int tag_insert_locked(struct vault *vault, const struct tag *tag, const char *folded,
			     size_t folded_size, uint64_t *ret_id)
{
	AUTO(query) sqlite3_stmt *insert = query(vault, Q_TAG_INSERT);

	*ret_id = vault_new_id_locked(vault);
	bind_u64(insert, 1, *ret_id);
	bind_text(insert, 2, tag->name, tag->size);
	bind_text(insert, 3, folded, folded_size);
	return db_run(&vault->db, insert);
}

/* The row of `tag`, made if there is none. *ret_same: it is spelled this way in its row. */
static int tag_get_or_insert_locked(struct vault *vault, const struct tag *tag, uint64_t *ret_id,
				    bool *ret_same)
{
	AUTO(query) sqlite3_stmt *find = query(vault, Q_TAG_FIND);
	char folded[CASEFOLD_SIZE(TAGS_NAME_MAX)];
	size_t folded_size = casefold(tag->name, tag->size, folded);
	const void *name;
	int r;

	bind_text(find, 1, folded, folded_size);
	r = db_step(&vault->db, find);
	if (r < 0)
		return r;
	if (r == 0) {
		*ret_same = true;
		return tag_insert_locked(vault, tag, folded, folded_size, ret_id);
	}
	*ret_id = column_u64(find, 0);
	name = sqlite3_column_blob(find, 1);
	*ret_same = name && (size_t)sqlite3_column_bytes(find, 1) == tag->size &&
		    memcmp(name, tag->name, tag->size) == 0;
	return 0;
}

/* Give the file one tag more.  1 done, 0 it had that one, negative errno. */
static int asset_tag_insert_locked(struct vault *vault, uint64_t id, uint64_t tag_id, unsigned position)
{
	AUTO(query) sqlite3_stmt *insert = query(vault, Q_ASSET_TAG_INSERT);
	int r;

	bind_u64(insert, 1, id);
	bind_u64(insert, 2, tag_id);
	bind_u64(insert, 3, position);
	r = db_run(&vault->db, insert);
	return r < 0 ? r : sqlite3_changes64(vault->db.handle) > 0;
}

/* Make the tags in `text` those of the file. *ret_expected is how long `text` would be if it were the rows' names
 * joined with ',', or SIZE_MAX if a tag was skipped or is spelled otherwise. Returns how many tags there are. */
static int tags_replace_locked(struct vault *vault, uint64_t id, const char *text, size_t size,
			       size_t *ret_expected)
{
	bool exact = true;
	size_t at = 0, expected = 0;
	unsigned n_tags = 0;
	struct tag tag;
	int r = run_for(vault, Q_ASSET_TAGS_DELETE, id);

	while (r >= 0 && (r = tag_next(text, size, &at, &tag)) == 1) {
		uint64_t tag_id = 0;
		bool same = false;

		r = tag_get_or_insert_locked(vault, &tag, &tag_id, &same);
		if (r == 0)
			r = asset_tag_insert_locked(vault, id, tag_id, n_tags);
		if (r == 1 && ++n_tags > TAGS_PER_FILE_MAX)
			r = -EINVAL;
		exact = exact && same && r == 1;
		expected += tag.size + 1;
	}
	if (r < 0)
		return r;
	*ret_expected = exact ? expected - (n_tags > 0) : SIZE_MAX;
	return (int)n_tags;
}

/* Put NULL, or `value`, into a column of assets; a row that says nothing goes. */
static int asset_put_locked(struct vault *vault, int which, uint64_t id, const void *value, size_t size)
{
	AUTO(query) sqlite3_stmt *put = query(vault, which);
	int r;

	bind_u64(put, 1, id);
	if (value)
		bind_blob(put, 2, value, size);
	r = db_run(&vault->db, put);
	return r < 0 || value ? r : run_for(vault, Q_ASSET_DELETE_DEFAULT, id);
}

static int tags_text_put_locked(struct vault *vault, uint64_t id, const char *text, size_t size)
{
	size_t expected = 0;
	int n_tags = tags_replace_locked(vault, id, text, size, &expected);

	if (n_tags < 0)
		return n_tags;
	/* As long as the tags joined, and of the same tags in the same spelling: it is the tags joined. */
	if (n_tags == 0 || expected == size)
		text = NULL;
	return asset_put_locked(vault, Q_TAGS_TEXT_PUT, id, text, size);
}

/* ---- setting ---- */

/* "0" to "10". */
static int rating_parse(const char *text, size_t size)
{
	if (size == 1 && text[0] >= '0' && text[0] <= '9')
		return text[0] - '0';
	return size == 2 && memcmp(text, "10", 2) == 0 ? 10 : -EINVAL;
}

static int rating_put_locked(struct vault *vault, uint64_t id, const char *text, size_t size)
{
	AUTO(query) sqlite3_stmt *put = NULL;
	int rating = rating_parse(text, size);

	if (rating < 0)
		return rating;
	put = query(vault, Q_RATING_PUT);
	bind_u64(put, 1, id);
	bind_i64(put, 2, rating);
	return db_run(&vault->db, put);
}

static int put_locked(struct vault *vault, uint64_t id, enum tags_attribute attribute, const void *value,
		      size_t size)
{
	switch (attribute) {
	case TAGS_ATTRIBUTE_TAGS:
		return tags_text_put_locked(vault, id, value, size);
	case TAGS_ATTRIBUTE_COMMENT:
		return asset_put_locked(vault, Q_NOTES_PUT, id, value, size);
	case TAGS_ATTRIBUTE_RATING:
		return rating_put_locked(vault, id, value, size);
	case TAGS_ATTRIBUTE_MIME:
	case TAGS_N_ATTRIBUTES:
		break;
	}
	return -EPERM;
}

int tags_put_locked(struct vault *vault, uint64_t id, enum tags_attribute attribute, const void *value,
		    size_t size)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	int r = savepoint_begin(&vault->db, &all);

	if (r == 0)
		r = put_locked(vault, id, attribute, size > 0 ? value : "", size);
	return r < 0 ? r : savepoint_commit(&all);
}

int tags_remove_locked(struct vault *vault, uint64_t id, enum tags_attribute attribute)
{
	switch (attribute) {
	case TAGS_ATTRIBUTE_TAGS:
		return tags_put_locked(vault, id, attribute, "", 0);
	case TAGS_ATTRIBUTE_COMMENT:
		return asset_put_locked(vault, Q_NOTES_PUT, id, NULL, 0);
	case TAGS_ATTRIBUTE_RATING:
		return asset_put_locked(vault, Q_RATING_PUT, id, NULL, 0);
	case TAGS_ATTRIBUTE_MIME:
	case TAGS_N_ATTRIBUTES:
		break;
	}
	return -EPERM;
}

int tags_forget_locked(struct vault *vault, uint64_t id)
{
	int r = run_for(vault, Q_ASSET_TAGS_DELETE, id);

	if (r == 0)
		r = run_for(vault, Q_ASSET_DELETE, id);
	if (r == 0)
		r = run_for(vault, Q_CONTENT_DELETE, id);
	return r;
}

int vault_set_mime(struct vault *vault, uint64_t id, const char *mime)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *put = NULL;
	size_t size = strnlen(mime, MIME_MAX + 1);
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
	return db_run(&vault->db, put);
}
