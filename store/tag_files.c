/* tag_files.c - tags given to and taken from files one by one. See tag_files.h and library.h; all of a file's tags at once
 * are tags.c's.
 *
 * The order of the other tags stays; what was written as their text is dropped, and the inode's ctime moves, as it does when an
 * attribute is set. */
#include "tag_files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "commit.h"
#include "inodes.h"
#include "tag_counts.h"
#include "tag_graph.h"
#include "tag_rows.h"
#include "tags.h"

enum {
	Q_TAGS_OF,
	Q_FILES_OF,
	Q_NAMED_FILE_OF,
	Q_END,
	Q_INSERT,
	Q_DELETE,
	Q_TEXT_DROP,
};

static const char *const sql[] = {
	[Q_TAGS_OF] = "SELECT tag_id FROM asset_tags WHERE inode_id = ?1",
	[Q_FILES_OF] = "SELECT a.inode_id, b.position FROM asset_tags a JOIN asset_tags b ON b.inode_id = a.inode_id "
		       "AND b.tag_id = a.tag_id WHERE a.tag_id = ?1 LIMIT 1",
	[Q_NAMED_FILE_OF] = "SELECT 1 FROM asset_tags a JOIN inodes i ON i.id = a.inode_id WHERE a.tag_id = ?1 AND i.nlink > 0 "
			    "LIMIT 1",
	[Q_END] = "SELECT count(*), coalesce(max(position) + 1, 0) FROM asset_tags WHERE inode_id = ?1",
	[Q_INSERT] = "INSERT INTO asset_tags (inode_id, tag_id, position) VALUES (?1, ?2, ?3) "
		     "ON CONFLICT (inode_id, tag_id) DO NOTHING",
	[Q_DELETE] = "DELETE FROM asset_tags WHERE inode_id = ?1 AND tag_id = ?2",
	[Q_TEXT_DROP] = "INSERT INTO assets (inode_id, tags_text) VALUES (?1, NULL) "
			"ON CONFLICT (inode_id) DO UPDATE SET tags_text = NULL",
};

const struct query_set tag_files_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_tag_files, which);
}

/* ---- rows ---- */

int tag_file_give_locked(struct vault *vault, uint64_t id, uint64_t tag_id, uint64_t position)
{
	AUTO(query) sqlite3_stmt *insert = query(vault, Q_INSERT);
	int r;

	bind_u64(insert, 1, id);
	bind_u64(insert, 2, tag_id);
	bind_u64(insert, 3, position);
	r = db_run(&vault->db, insert);
	if (r < 0 || sqlite3_changes64(vault->db.handle) == 0)
		return r;
	r = tag_count_add_locked(vault, tag_id, 1);
	return r < 0 ? r : 1;
}

static int take_locked(struct vault *vault, uint64_t id, uint64_t tag_id)
{
	AUTO(query) sqlite3_stmt *delete = query(vault, Q_DELETE);
	int r;

	bind_u64(delete, 1, id);
	bind_u64(delete, 2, tag_id);
	r = db_run(&vault->db, delete);
	return r < 0 ? r : tag_count_add_locked(vault, tag_id, -1);
}

/* The file's tags are others now: its text, its ctime. An inode that is not there is check's to say. */
static int tags_changed_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *drop = query(vault, Q_TEXT_DROP);
	struct inode inode;
	int r = inode_get_locked(vault, id, &inode);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	bind_u64(drop, 1, id);
	r = db_run(&vault->db, drop);
	inode.attr.ctime_ns = clock_now_ns();
	return r < 0 ? r : inode_put_locked(vault, &inode.attr);
}

int tag_files_has_any_locked(struct vault *vault, uint64_t tag_id)
{
	AUTO(query) sqlite3_stmt *named = query(vault, Q_NAMED_FILE_OF);

	bind_u64(named, 1, tag_id);
	return db_step(&vault->db, named);
}

/* 1 a file of the tag, 0 there is none. */
static int find_file_locked(struct vault *vault, uint64_t tag_id, uint64_t *ret_id, uint64_t *ret_position)
{
	AUTO(query) sqlite3_stmt *files = query(vault, Q_FILES_OF);
	int r;

	bind_u64(files, 1, tag_id);
	r = db_step(&vault->db, files);
	if (r == 1) {
		*ret_id = column_u64(files, 0);
		*ret_position = column_u64(files, 1);
	}
	return r;
}

int tag_files_replace_locked(struct vault *vault, uint64_t tag_id, uint64_t other, unsigned n_files)
{
	unsigned n = 0;
	int r = 1;

	while (n < n_files) {
		uint64_t id = 0, position = 0;

		r = find_file_locked(vault, tag_id, &id, &position);
		if (r <= 0)
			break;
		r = take_locked(vault, id, tag_id);
		if (r == 0 && other != 0)
			r = tag_file_give_locked(vault, id, other, position);
		if (r >= 0)
			r = tags_changed_locked(vault, id);
		if (r < 0)
			break;
		n++;
	}
	return r < 0 ? r : (int)n;
}

/* ---- one file ---- */

/* Tags are for what can have attributes of users. */
static int check_file_locked(struct vault *vault, uint64_t id)
{
	struct inode inode;
	int r = inode_get_locked(vault, id, &inode);

	if (r == 0 && !S_ISREG(inode.attr.mode) && !S_ISDIR(inode.attr.mode))
		r = -EPERM;
	return r;
}

struct owned {
	uint64_t ids[TAGS_PER_FILE_MAX];
	unsigned n;
};

/* Of the file's tags those that stand for `name`, or, with `below`, for one below it; none if there is no such tag. */
static int find_owned_locked(struct vault *vault, uint64_t id, const char *name, bool below, struct owned *ret)
{
	AUTO(query) sqlite3_stmt *tags = query(vault, Q_TAGS_OF);
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct tag_graph *graph = vault->tags;
	uint32_t top;
	int r = tag_graph_lock_locked(vault, &held);

	ret->n = 0;
	if (r < 0)
		return r;
	tag_walk_begin(graph);
	top = tag_graph_find(graph, name, strlen(name));
	if (top == TAG_NONE)
		return 0;
	if (below)
		tag_walk_tree(graph, top);
	else
		tag_walk_one(graph, top);
	bind_u64(tags, 1, id);
	while (ret->n < TAGS_PER_FILE_MAX && (r = db_step(&vault->db, tags)) == 1) {
		uint32_t row = tag_graph_row(graph, column_u64(tags, 0));

		if (row != TAG_NONE && graph->nodes[graph->rows[row].node].seen == graph->walk)
			ret->ids[ret->n++] = graph->rows[row].id;
	}
	return r < 0 ? r : 0;
}

/* The place behind the file's last tag.  -ENOSPC it has as many as a file may. */
static int end_locked(struct vault *vault, uint64_t id, uint64_t *ret)
{
	AUTO(query) sqlite3_stmt *end = query(vault, Q_END);
	int r;

	bind_u64(end, 1, id);
	r = db_step(&vault->db, end);
	if (r < 0)
		return r;
	*ret = column_u64(end, 1);
	return column_u64(end, 0) >= TAGS_PER_FILE_MAX ? -ENOSPC : 0;
}

int vault_file_tag_add(struct vault *vault, uint64_t id, const char *name)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { 0 };
	struct owned owned;
	uint64_t tag_id, position = 0;
	int r = commit_lock_to_grow(vault, &held);

	if (r == 0)
		r = check_file_locked(vault, id);
	if (r == 0)
		r = find_owned_locked(vault, id, name, false, &owned);
	if (r < 0 || owned.n > 0)
		return r;
	r = end_locked(vault, id, &position);
	if (r == 0)
		r = savepoint_begin(&vault->db, &all);
	if (r == 0)
		r = tag_row_make_locked(vault, name, &tag_id);
	if (r >= 0)
		r = tag_file_give_locked(vault, id, tag_id, position);
	if (r >= 0)
		r = tags_changed_locked(vault, id);
	return r < 0 ? r : savepoint_commit(&all);
}

int vault_file_tag_remove(struct vault *vault, uint64_t id, const char *name)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { 0 };
	struct owned owned;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = check_file_locked(vault, id);
	if (r == 0)
		r = find_owned_locked(vault, id, name, true, &owned);
	if (r < 0 || owned.n == 0)
		return r < 0 ? r : -ENODATA;
	r = savepoint_begin(&vault->db, &all);
	for (unsigned i = 0; r == 0 && i < owned.n; i++)
		r = take_locked(vault, id, owned.ids[i]);
	if (r == 0)
		r = tags_changed_locked(vault, id);
	return r < 0 ? r : savepoint_commit(&all);
}

int vault_file_tag_owned(struct vault *vault, uint64_t id, const char *name)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct owned owned;
	int r = find_owned_locked(vault, id, name, true, &owned);

	(void)held;
	return r < 0 ? r : owned.n > 0;
}
