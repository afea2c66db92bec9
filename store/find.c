/* find.c - answering a query, file by file. See find.h. */
#include "find.h"

#include <errno.h>
#include <stdlib.h>

#include "find_queries.h"
#include "manifest.h"
#include "log.h"
#include "search.h"

/* clang-format off */
static const char *const sql[] = {
	[FIND_DIRECTORIES_NAMED] = "SELECT d.id FROM directories d CROSS JOIN entries e ON e.inode_id = d.id "
				   "WHERE d.parent_id = ?1 AND d.id <> 1 AND fold(e.name) = ?2",
	[FIND_DIRECTORY_PATH] = "SELECT path FROM directories WHERE id = ?1",
	[FIND_COUNT_BELOW] = "WITH RECURSIVE " FIND_BELOW "?1" FIND_BELOW_END
			     "SELECT count(*) FROM (SELECT 1 FROM below b CROSS JOIN entries e "
			     "ON e.directory_id = b.id LIMIT ?2)",
	[FIND_DETAILS] = "SELECT i.size, i.mapped, i.rdev, i.atime, i.mtime, i.ctime, i.btime, i.mode, i.uid, i.gid, "
			 "i.nlink, c.kind, c.mime, c.width, c.height, c.duration_ms, " QUERY_DATE_OF ", a.rating, "
			 QUERY_QUALITY_OF ", a.favorite, a.hidden, a.seen_at, a.notes, c.sha256 FROM inodes i "
			 "CROSS JOIN entries e ON e.directory_id = ?2 AND e.cookie = ?3 "
			 "LEFT JOIN content c ON c.inode_id = i.id LEFT JOIN assets a ON a.inode_id = i.id "
			 "WHERE i.id = ?1",
	[FIND_TAGS_OF] = "SELECT t.name FROM asset_tags a CROSS JOIN tags t ON t.id = a.tag_id "
			 "WHERE a.inode_id = ?1 ORDER BY a.position",
	[FIND_PARENT] = "SELECT directory_id, name FROM entries WHERE inode_id = ?1 ORDER BY directory_id, cookie LIMIT 1",
	[FIND_SEARCH_QUEUED] = "SELECT EXISTS (SELECT 1 FROM search_queue WHERE inode_id > 0) OR "
			       "EXISTS (SELECT 1 FROM search_queue WHERE inode_id < 0)",
	/* Of readers; prepared as the others are, so that ending needs no memory. */
	[FIND_BEGIN] = "BEGIN",
	[FIND_END] = "ROLLBACK",
	[FIND_SETTLED] = "SELECT NOT EXISTS (SELECT 1 FROM jobs WHERE kind = 'paths')",
	[FIND_FILE_INFO] = MANIFEST_INFO,
};
/* clang-format on */

const struct query_set find_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

struct find {
	struct query_context context;
	struct id_stream *stream; /* of what may match */
	sqlite3_stmt *test;       /* asks one file, ?1, for what the stream leaves open */
	uint64_t next;            /* the highest id that was not looked at */
	bool sorted, ended;
};

enum { COLUMN_NAME, COLUMN_DIRECTORY, COLUMN_COOKIE, COLUMN_SORT };

/* "SELECT what FROM ... WHERE i.id OP ?1 AND shown AND rest". */
static int make_select(const struct query_context *context, const struct vault_query *query,
		       const struct query_node *const *rest, size_t n_rest, const char *what,
		       const char *compare, struct sql_text *ret)
{
	int r;

	sql_add(ret, "SELECT ");
	sql_add(ret, what);
	sql_add(ret, " FROM " QUERY_FROM " WHERE i.id ");
	sql_add(ret, compare);
	sql_add(ret, " ?1 AND ");
	r = query_visibility(context, query, ret);
	for (size_t i = 0; r == 0 && i < n_rest; i++) {
		sql_add(ret, " AND ");
		r = query_condition(context, rest[i], ret);
	}
	return r;
}

/* No index helps: one statement goes through all files. */
static int make_scan(struct find *find, const struct vault_query *query)
{
	AUTO(sql) struct sql_text text = { 0 };
	int r = make_select(&find->context, query, (const struct query_node *const *)&query->root, 1, "i.id",
			    "<=", &text);

	if (r < 0)
		return r;
	sql_add(&text, " ORDER BY i.id DESC");
	return id_stream_select(find->context.db, &text, ID_STREAM_SEEK_INDEX, &find->stream);
}

static int make_test(struct find *find, const struct vault_query *query, const struct query_node *const *rest,
		     size_t n_rest, const char *sort_by)
{
	AUTO(sql) struct sql_text text = { 0 };
	AUTO(free) char *what = NULL;
	int r;

	if (asprintf(&what, "e.name, e.directory_id, e.cookie%s%s", sort_by ? ", " : "",
		     sort_by ? sort_by : "") < 0)
		return log_err(-ENOMEM, "no memory for a search");
	r = make_select(&find->context, query, rest, n_rest, what, "=", &text);
	return r < 0 ? r : sql_prepare(&text, find->context.db, &find->test);
}

static int find_new(const struct query_context *context, struct find **ret)
{
	struct find *find = calloc(1, sizeof(*find));

	if (!find)
		return log_err(-ENOMEM, "no memory for a search");
	find->context = *context;
	find->next = INT64_MAX;
	*ret = find;
	return 0;
}

int find_open(const struct query_context *context, const struct vault_query *query, const char *sort_by,
	      struct find **ret)
{
	AUTO(find) struct find *find = NULL;
	struct query_plan plan = { 0 };
	int r = find_new(context, &find);

	if (r == 0)
		r = query_plan(context, query, &plan);
	if (r < 0)
		return r;
	find->stream = plan.stream;
	find->sorted = sort_by != NULL;
	if (!find->stream) {
		r = make_scan(find, query);
		plan.n_rest = 0; /* the scan has asked all */
	}
	if (r == 0)
		r = make_test(find, query, plan.rest, plan.n_rest, sort_by);
	if (r < 0)
		return r;
	*ret = TAKE(find);
	return 0;
}

int find_open_test(const struct query_context *context, const struct vault_query *query, struct find **ret)
{
	AUTO(find) struct find *find = NULL;
	int r = find_new(context, &find);

	if (r == 0)
		r = make_test(find, query, (const struct query_node *const *)&query->root, 1, NULL);
	if (r < 0)
		return r;
	*ret = TAKE(find);
	return 0;
}

void find_close(struct find *find)
{
	if (!find)
		return;
	id_stream_free(find->stream);
	(void)sqlite3_finalize(find->test); /* repeats the error of the last step */
	free(find);
}

/* Damage may be search.db's, which is then made anew: nobody else reads it as much. */
static int look_at(const struct find *find, int r)
{
	if (r == -EBADMSG && find->context.has_search)
		search_damaged(find->context.vault);
	return r;
}

int find_test(struct find *find, uint64_t id, struct find_match *ret)
{
	int r;

	(void)sqlite3_reset(find->test); /* repeats the error of the last step, which was reported */
	bind_u64(find->test, 1, id);
	r = sql_step(find->context.db, find->test);
	if (r <= 0)
		return look_at(find, r);
	*ret = (struct find_match){
		.id = id,
		.directory_id = column_u64(find->test, COLUMN_DIRECTORY),
		.cookie = column_u64(find->test, COLUMN_COOKIE),
		.name = (const char *)sqlite3_column_text(find->test, COLUMN_NAME),
		.name_size = (size_t)sqlite3_column_bytes(find->test, COLUMN_NAME),
	};
	return ret->name ? 1 : log_err(-ENOMEM, "no memory for a name");
}

int find_next(struct find *find, uint64_t most, struct find_match *ret)
{
	uint64_t id = 0;
	int r = 0;

	if (most < find->next)
		find->next = most;
	while (!find->ended) {
		r = id_stream_next(find->stream, find->next, &id);
		if (r <= 0 || id == 0)
			break;
		find->next = id - 1;
		r = find_test(find, id, ret);
		if (r != 0)
			return r;
	}
	find->ended = true;
	return r < 0 ? look_at(find, r) : 0;
}

sqlite3_value *find_sort_value(struct find *find)
{
	return sqlite3_column_value(find->test, COLUMN_SORT);
}
