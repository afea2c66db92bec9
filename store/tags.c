/* tags.c - the tags of files, as rows and as the text of user.xdg.tags. See tags.h.
 *
 * user.xdg.tags is one text for many rows. It must come back to the byte while the tags are the same, or rsync
 * would copy it again and again: where the rows joined with ',' would not give what was written, that is kept in
 * assets.tags_text. A tag that is renamed may be on any number of files, whose texts nobody can go through then: so a text
 * that does not say what the rows do any more counts for nothing. */
#include "tags.h"

#include <errno.h>
#include <string.h>

#include "casefold.h"
#include "tag_counts.h"
#include "tag_files.h"
#include "tag_graph.h"

enum {
	Q_ANY,
	Q_TEXT_GET,
	Q_TAGS_GET,
	Q_FOLDED_GET,
	Q_TAGS_OF,
	Q_TEXT_PUT,
	Q_TEXT_COPY,
	Q_TAG_FIND,
	Q_TAG_INSERT,
	Q_ASSET_TAGS_DELETE,
};

static const char *const sql[] = {
	[Q_ANY] = "SELECT 1 FROM asset_tags WHERE inode_id = ?1 LIMIT 1",
	[Q_TEXT_GET] = "SELECT tags_text FROM assets WHERE inode_id = ?1",
	[Q_TAGS_GET] = "SELECT t.name FROM asset_tags a JOIN tags t ON t.id = a.tag_id WHERE a.inode_id = ?1 "
		       "ORDER BY a.position",
	[Q_FOLDED_GET] = "SELECT t.folded FROM asset_tags a JOIN tags t ON t.id = a.tag_id WHERE a.inode_id = ?1 "
			 "ORDER BY a.position",
	[Q_TEXT_PUT] = "INSERT INTO assets (inode_id, tags_text) VALUES (?1, ?2) "
		       "ON CONFLICT (inode_id) DO UPDATE SET tags_text = excluded.tags_text",
	[Q_TAGS_OF] = "SELECT tag_id, position FROM asset_tags WHERE inode_id = ?1",
	[Q_TEXT_COPY] = "INSERT INTO assets (inode_id, tags_text) "
			"VALUES (?2, (SELECT tags_text FROM assets WHERE inode_id = ?1)) "
			"ON CONFLICT (inode_id) DO UPDATE SET tags_text = excluded.tags_text",
	[Q_TAG_FIND] = "SELECT id, name FROM tags WHERE folded = ?1",
	[Q_TAG_INSERT] = "INSERT INTO tags (id, name, folded) VALUES (?1, ?2, ?3)",
	[Q_ASSET_TAGS_DELETE] = "DELETE FROM asset_tags WHERE inode_id = ?1",
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

int tags_forget_locked(struct vault *vault, uint64_t id)
{
	int r = tag_count_remove_all_of_locked(vault, id);

	return r < 0 ? r : run_for(vault, Q_ASSET_TAGS_DELETE, id);
}

/* ---- reading ---- */

int tags_has_any_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *any = query(vault, Q_ANY);

	bind_u64(any, 1, id);
	return db_step(&vault->db, any);
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

/* The folded names of a file's tags, in their order. */
struct folded {
	char *bytes;
	size_t size, room;
	size_t ends[TAGS_PER_FILE_MAX];
	unsigned n;
};

static void auto_folded(struct folded *folded)
{
	free(folded->bytes);
}

static int folded_read_locked(struct vault *vault, uint64_t id, struct folded *ret)
{
	AUTO(query) sqlite3_stmt *get = query(vault, Q_FOLDED_GET);
	int r;

	bind_u64(get, 1, id);
	while (ret->n < TAGS_PER_FILE_MAX && (r = db_step(&vault->db, get)) == 1) {
		const void *name = sqlite3_column_blob(get, 0);
		size_t size = (size_t)sqlite3_column_bytes(get, 0);

		if (size > ret->room - ret->size) {
			size_t room = 2 * ret->room + size + 256;
			char *bytes = realloc(ret->bytes, room);

			if (!bytes)
				return log_err(-ENOMEM, "%s: no memory for a file's tags", vault->path);
			ret->bytes = bytes;
			ret->room = room;
		}
		if (size > 0)
			memcpy(ret->bytes + ret->size, name, size);
		ret->size += size;
		ret->ends[ret->n++] = ret->size;
	}
	return r < 0 ? r : 0;
}

static bool folded_is(const struct folded *folded, unsigned i, const char *name, size_t size)
{
	size_t start = i > 0 ? folded->ends[i - 1] : 0;

	return folded->ends[i] - start == size && memcmp(folded->bytes + start, name, size) == 0;
}

/* Does `text` still say which tags the file has, each at first in their order? Not where one was renamed since.  1, 0. */
static int text_is_true_locked(struct vault *vault, uint64_t id, const char *text, size_t size)
{
	AUTO(folded) struct folded tags = { .bytes = NULL };
	int r = folded_read_locked(vault, id, &tags);
	struct tags_word word;
	unsigned n = 0;
	size_t at = 0;

	while (r >= 0 && (r = tags_next(text, size, &at, &word)) == 1) {
		char name[CASEFOLD_SIZE(TAGS_NAME_MAX)];
		size_t name_size = casefold(word.name, word.size, name);
		bool known = n < tags.n && folded_is(&tags, n, name, name_size);

		n += known;
		for (unsigned i = 0; !known && i < n; i++)
			known = folded_is(&tags, i, name, name_size);
		if (!known)
			return 0;
	}
	if (r == -EINVAL)
		return 0; /* it was not written here */
	return r < 0 ? r : n == tags.n;
}

int tags_get_locked(struct vault *vault, uint64_t id, struct value *ret)
{
	AUTO(query) sqlite3_stmt *get = query(vault, Q_TEXT_GET);
	const char *text;
	size_t size;
	int r;

	bind_u64(get, 1, id);
	r = db_step(&vault->db, get);
	if (r < 0)
		return r;
	if (r == 0 || sqlite3_column_type(get, 0) == SQLITE_NULL)
		return tags_joined_locked(vault, id, ret);
	text = sqlite3_column_blob(get, 0);
	size = (size_t)sqlite3_column_bytes(get, 0);
	r = text_is_true_locked(vault, id, text, size);
	if (r < 0)
		return r;
	if (r == 0)
		return tags_joined_locked(vault, id, ret);
	value_add(ret, text, size);
	return 0;
}

/* ---- writing ---- */

/* ASCII's white space, and NUL: some programs write the one that ends a string in memory. */
static bool is_white(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

int tags_next(const char *text, size_t size, size_t *at, struct tags_word *ret)
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
		*ret = (struct tags_word){ start, n };
		return 1;
	}
	return 0;
}

static int tag_insert_locked(struct vault *vault, const struct tags_word *tag, const char *folded,
			     size_t folded_size, uint64_t *ret_id)
{
	AUTO(query) sqlite3_stmt *insert = query(vault, Q_TAG_INSERT);
	int r = tag_graph_add_locked(vault);

	if (r < 0)
		return r;
	*ret_id = vault_new_id_locked(vault);
	bind_u64(insert, 1, *ret_id);
	bind_text(insert, 2, tag->name, tag->size);
	bind_text(insert, 3, folded, folded_size);
	return db_run(&vault->db, insert);
}

/* The row of `tag`, made if there is none. *ret_same: it is spelled this way in its row. */
static int tag_get_or_insert_locked(struct vault *vault, const struct tags_word *tag, uint64_t *ret_id,
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

/* Make the tags in `text` those of the file. *ret_expected is how long `text` would be if it were the rows' names
 * joined with ',', or SIZE_MAX if a tag was skipped or is spelled otherwise. Returns how many tags there are. */
static int tags_replace_locked(struct vault *vault, uint64_t id, const char *text, size_t size,
			       size_t *ret_expected)
{
	bool exact = true;
	size_t at = 0, expected = 0;
	unsigned n_tags = 0;
	struct tags_word tag;
	int r = tags_forget_locked(vault, id);

	while (r >= 0 && (r = tags_next(text, size, &at, &tag)) == 1) {
		uint64_t tag_id = 0;
		bool same = false;

		r = tag_get_or_insert_locked(vault, &tag, &tag_id, &same);
		if (r == 0)
			r = tag_file_give_locked(vault, id, tag_id, n_tags);
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

/* What to keep of `text` beside the rows; NULL: nothing. */
static int text_put_locked(struct vault *vault, uint64_t id, const char *text, size_t size)
{
	AUTO(query) sqlite3_stmt *put = query(vault, Q_TEXT_PUT);

	bind_u64(put, 1, id);
	if (text)
		bind_blob(put, 2, text, size);
	return db_run(&vault->db, put);
}

int tags_put_locked(struct vault *vault, uint64_t id, const char *text, size_t size)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	size_t expected = 0;
	int n_tags, r = savepoint_begin(&vault->db, &all);

	if (r < 0)
		return r;
	n_tags = tags_replace_locked(vault, id, text, size, &expected);
	if (n_tags < 0)
		return n_tags;
	/* As long as the tags joined, and of the same tags in the same spelling: it is the tags joined. */
	if (n_tags == 0 || expected == size)
		text = NULL;
	r = text_put_locked(vault, id, text, size);
	return r < 0 ? r : savepoint_commit(&all);
}

static int text_copy_locked(struct vault *vault, uint64_t from, uint64_t to)
{
	AUTO(query) sqlite3_stmt *copy = query(vault, Q_TEXT_COPY);

	bind_u64(copy, 1, from);
	bind_u64(copy, 2, to);
	return db_run(&vault->db, copy);
}

int tags_copy_locked(struct vault *vault, uint64_t from, uint64_t to)
{
	AUTO(query) sqlite3_stmt *tags = query(vault, Q_TAGS_OF);
	int r;

	bind_u64(tags, 1, from);
	while ((r = db_step(&vault->db, tags)) == 1) {
		r = tag_file_give_locked(vault, to, column_u64(tags, 0), (unsigned)column_u64(tags, 1));
		if (r < 0)
			return r;
	}
	return r < 0 ? r : text_copy_locked(vault, from, to);
}
