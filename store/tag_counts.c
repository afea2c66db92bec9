/* tag_counts.c - how many files have each tag. See tag_counts.h. */
#include "tag_counts.h"

#include "tag_totals.h"

enum {
	Q_ADD,
	Q_REMOVE_ALL_OF,
	Q_FORGET,
	Q_CLEAR,
	Q_COUNT,
};

static const char *const sql[] = {
	[Q_ADD] = "INSERT INTO tag_counts (tag_id, files) VALUES (?1, ?2) "
		  "ON CONFLICT (tag_id) DO UPDATE SET files = files + excluded.files",
	[Q_REMOVE_ALL_OF] = "UPDATE tag_counts SET files = files - 1 "
			    "WHERE tag_id IN (SELECT tag_id FROM asset_tags WHERE inode_id = ?1) RETURNING tag_id",
	[Q_FORGET] = "DELETE FROM tag_counts WHERE tag_id = ?1",
	[Q_CLEAR] = "DELETE FROM tag_counts",
	[Q_COUNT] = "INSERT INTO tag_counts (tag_id, files) SELECT tag_id, count(*) FROM asset_tags GROUP BY tag_id",
};

const struct query_set tag_counts_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_tag_counts, which);
}

int tag_count_add_locked(struct vault *vault, uint64_t tag_id, int64_t delta)
{
	AUTO(query) sqlite3_stmt *add = query(vault, Q_ADD);

	bind_u64(add, 1, tag_id);
	bind_i64(add, 2, delta);
	tag_totals_touch_locked(vault, tag_id);
	return db_run(&vault->db, add);
}

int tag_count_remove_all_of_locked(struct vault *vault, uint64_t inode_id)
{
	AUTO(query) sqlite3_stmt *remove = query(vault, Q_REMOVE_ALL_OF);

	int r;

	bind_u64(remove, 1, inode_id);
	while ((r = db_step(&vault->db, remove)) == 1)
		tag_totals_touch_locked(vault, column_u64(remove, 0));
	return r;
}

int tag_count_forget_locked(struct vault *vault, uint64_t tag_id)
{
	AUTO(query) sqlite3_stmt *forget = query(vault, Q_FORGET);

	bind_u64(forget, 1, tag_id);
	return db_run(&vault->db, forget);
}

int tag_counts_rebuild_locked(struct vault *vault)
{
	AUTO(query) sqlite3_stmt *clear = query(vault, Q_CLEAR);
	AUTO(query) sqlite3_stmt *count = query(vault, Q_COUNT);
	int r = db_run(&vault->db, clear);

	return r < 0 ? r : db_run(&vault->db, count);
}
