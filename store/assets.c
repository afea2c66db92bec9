/* assets.c - notes, ratings and what else people say of a file. See assets.h. */
#include "assets.h"

enum {
	Q_PRESENT,
	Q_GET,
	Q_PUT = Q_GET + ASSET_N,
	Q_FORGET = Q_PUT + ASSET_N,
};

#define PUT(column)                                                  \
	"INSERT INTO assets (inode_id, " column ") VALUES (?1, ?2) " \
	"ON CONFLICT (inode_id) DO UPDATE SET " column " = excluded." column

static const char *const sql[] = {
	[Q_PRESENT] = "SELECT a.notes IS NOT NULL, a.rating IS NOT NULL "
		      "FROM inodes i LEFT JOIN assets a ON a.inode_id = i.id WHERE i.id = ?1",
	[Q_GET + ASSET_NOTE] = "SELECT notes FROM assets WHERE inode_id = ?1",
	[Q_GET + ASSET_RATING] = "SELECT CAST(rating AS TEXT) FROM assets WHERE inode_id = ?1",
	[Q_PUT + ASSET_NOTE] = PUT("notes"),
	[Q_PUT + ASSET_RATING] = PUT("rating"),
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

/* "0" to "10". */
static int rating_parse(const char *text, size_t size)
{
	if (size == 1 && text[0] >= '0' && text[0] <= '9')
		return text[0] - '0';
	return size == 2 && memcmp(text, "10", 2) == 0 ? 10 : -EINVAL;
}

/* Bind what the column keeps. */
static int bind_value(sqlite3_stmt *put, enum asset asset, const char *value, size_t size)
{
	int rating;

	switch (asset) {
	case ASSET_NOTE:
		bind_blob(put, 2, value, size);
		return 0;
	case ASSET_RATING:
		rating = rating_parse(value, size);
		if (rating < 0)
			return rating;
		bind_i64(put, 2, rating);
		return 0;
	case ASSET_N:
		break;
	}
	return -EINVAL;
}

int asset_put_locked(struct vault *vault, uint64_t id, enum asset asset, const char *value, size_t size)
{
	AUTO(query) sqlite3_stmt *put = query(vault, Q_PUT + (int)asset);
	int r = bind_value(put, asset, value, size);

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

int assets_forget_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *forget = query(vault, Q_FORGET);

	bind_u64(forget, 1, id);
	return db_run(&vault->db, forget);
}
