/* assets.c - notes, ratings and what else people say of a file. See assets.h. */
#include "assets.h"

#include "casefold.h"
#include "query_sql.h"
#include "time_text.h"

enum {
	Q_PRESENT,
	Q_GET,
	Q_PUT = Q_GET + ASSET_N,
	Q_QUALITY = Q_PUT + ASSET_N,
	Q_JSON_IS_VALID,
	Q_ANY,
	Q_COPY,
	Q_FORGET,
};

#define GET(value) "SELECT " value " FROM assets WHERE inode_id = ?1"
#define PUT(column, value)                                                  \
	"INSERT INTO assets (inode_id, " column ") VALUES (?1, " value ") " \
	"ON CONFLICT (inode_id) DO UPDATE SET " column " = excluded." column

static const char *const sql[] = {
	[Q_PRESENT] = "SELECT a.notes IS NOT NULL, a.rating IS NOT NULL, a.favorite <> 0, a.hidden <> 0, "
		      "a.seen_at IS NOT NULL, a.prediction IS NOT NULL, a.custom_json IS NOT NULL "
		      "FROM inodes i LEFT JOIN assets a ON a.inode_id = i.id WHERE i.id = ?1",
	[Q_GET + ASSET_NOTE] = GET("notes"),
	[Q_GET + ASSET_RATING] = GET("CAST(rating AS TEXT)"),
	[Q_GET + ASSET_FAVORITE] = GET("iif(favorite <> 0, '1', NULL)"),
	[Q_GET + ASSET_HIDDEN] = GET("iif(hidden <> 0, '1', NULL)"),
	[Q_GET + ASSET_SEEN] = GET("strftime('%Y-%m-%dT%H:%M:%SZ', seen_at / 1000000000, 'unixepoch')"),
	[Q_GET + ASSET_PREDICTION] = GET("prediction"),
	[Q_GET + ASSET_CUSTOM] = GET("custom_json"),
	[Q_PUT + ASSET_NOTE] = PUT("notes", "?2"),
	[Q_PUT + ASSET_RATING] = PUT("rating", "?2"),
	[Q_PUT + ASSET_FAVORITE] = PUT("favorite", "coalesce(?2, 0)"),
	[Q_PUT + ASSET_HIDDEN] = PUT("hidden", "coalesce(?2, 0)"),
	[Q_PUT + ASSET_SEEN] = PUT("seen_at", "?2"),
	[Q_PUT + ASSET_PREDICTION] = PUT("prediction", "?2"),
	[Q_PUT + ASSET_CUSTOM] = PUT("custom_json", "?2"),
	[Q_QUALITY] = "SELECT CAST(" QUERY_QUALITY_OF " AS TEXT) FROM assets a WHERE a.inode_id = ?1",
	[Q_JSON_IS_VALID] = "SELECT json_valid(?1)",
	[Q_ANY] = "SELECT 1 FROM assets WHERE inode_id = ?1",
	[Q_COPY] = "INSERT INTO assets (inode_id, notes, favorite, hidden, rating, seen_at, prediction, custom_json) "
		   "SELECT ?2, notes, favorite, hidden, rating, seen_at, prediction, custom_json "
		   "FROM assets WHERE inode_id = ?1",
	[Q_FORGET] = "DELETE FROM assets WHERE inode_id = ?1",
};

const struct query_set assets_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_assets, which);
}

int assets_present_locked(struct vault *vault, uint64_t id, bool ret[ASSET_N])
{
	AUTO(query) sqlite3_stmt *present = query(vault, Q_PRESENT);
	int r;

	bind_u64(present, 1, id);
	r = db_step(&vault->db, present);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	for (int i = 0; i < ASSET_N; i++)
		ret[i] = sqlite3_column_int(present, i) != 0;
	return 0;
}

int asset_get_locked(struct vault *vault, uint64_t id, enum asset asset, struct value *ret)
{
	return value_add_column(&vault->db, query(vault, Q_GET + (int)asset), id, ret);
}

int asset_quality_locked(struct vault *vault, uint64_t id, struct value *ret)
{
	return value_add_column(&vault->db, query(vault, Q_QUALITY), id, ret);
}

/* ---- what the columns keep: bound, or left unbound, which is NULL; -EINVAL ---- */

/* "0" to "10". */
static int bind_rating(sqlite3_stmt *put, const char *text, size_t size)
{
	bool is_ten = size == 2 && memcmp(text, "10", 2) == 0;

	if (!is_ten && (size != 1 || text[0] < '0' || text[0] > '9'))
		return -EINVAL;
	bind_i64(put, 2, is_ten ? 10 : text[0] - '0');
	return 0;
}

static int bind_flag(sqlite3_stmt *put, const char *text, size_t size)
{
	if (size != 1 || (text[0] != '0' && text[0] != '1'))
		return -EINVAL;
	bind_i64(put, 2, text[0] - '0');
	return 0;
}

static int bind_seen(sqlite3_stmt *put, const char *text, size_t size)
{
	int64_t seen_ns = 0;
	int r = size == 0 ? 0 : time_parse(text, size, &seen_ns);

	if (r == 0 && seen_ns != 0)
		bind_i64(put, 2, seen_ns);
	return r;
}

static int bind_prediction(sqlite3_stmt *put, const char *text, size_t size)
{
	if (size == 0 || size > ASSET_PREDICTION_MAX)
		return -EINVAL;
	for (size_t i = 0; i < size; i++)
		if (text[i] != '0' && text[i] != '1')
			return -EINVAL;
	bind_text(put, 2, text, size);
	return 0;
}

/* SQLite reads JSON up to the first NUL, and any bytes within strings. */
static int bind_json(struct vault *vault, sqlite3_stmt *put, const char *text, size_t size)
{
	AUTO(query) sqlite3_stmt *is_valid = query(vault, Q_JSON_IS_VALID);
	int r;

	if (size == 0 || memchr(text, '\0', size) || !utf8_is_valid(text, size))
		return -EINVAL;
	bind_text(is_valid, 1, text, size);
	r = db_step(&vault->db, is_valid);
	if (r < 0)
		return r;
	if (sqlite3_column_int(is_valid, 0) != 1)
		return -EINVAL;
	bind_text(put, 2, text, size);
	return 0;
}

static int bind_value(struct vault *vault, sqlite3_stmt *put, enum asset asset, const char *value,
		      size_t size)
{
	switch (asset) {
	case ASSET_NOTE:
		bind_blob(put, 2, value, size);
		return 0;
	case ASSET_RATING:
		return bind_rating(put, value, size);
	case ASSET_FAVORITE:
	case ASSET_HIDDEN:
		return bind_flag(put, value, size);
	case ASSET_SEEN:
		return bind_seen(put, value, size);
	case ASSET_PREDICTION:
		return bind_prediction(put, value, size);
	case ASSET_CUSTOM:
		return bind_json(vault, put, value, size);
	case ASSET_N:
		break;
	}
	return -EINVAL;
}

/* ---- writing ---- */

int asset_put_locked(struct vault *vault, uint64_t id, enum asset asset, const char *value, size_t size)
{
	AUTO(query) sqlite3_stmt *put = query(vault, Q_PUT + (int)asset);
	int r = bind_value(vault, put, asset, value, size);

	if (r < 0)
		return r;
	bind_u64(put, 1, id);
	return db_run(&vault->db, put);
}

int asset_remove_locked(struct vault *vault, uint64_t id, enum asset asset)
{
	AUTO(query) sqlite3_stmt *put = query(vault, Q_PUT + (int)asset);

	bind_u64(put, 1, id); /* the value stays unbound: NULL */
	return db_run(&vault->db, put);
}

int assets_has_any_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *any = query(vault, Q_ANY);

	bind_u64(any, 1, id);
	return db_step(&vault->db, any);
}

int assets_copy_locked(struct vault *vault, uint64_t from, uint64_t to)
{
	AUTO(query) sqlite3_stmt *copy = query(vault, Q_COPY);

	bind_u64(copy, 1, from);
	bind_u64(copy, 2, to);
	return db_run(&vault->db, copy);
}

int assets_forget_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *forget = query(vault, Q_FORGET);

	bind_u64(forget, 1, id);
	return db_run(&vault->db, forget);
}
