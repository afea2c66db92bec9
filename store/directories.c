/* directories.c - paths of directories, derived. See directories.h.
 *
 * Invariant: a directory whose path is not its parent's stored path plus its name has a job that stands for its
 * parent, and that job's progress is less than the directory's id. Whoever changes a path therefore rewrites the
 * children whose path is wrong now, or leaves a job. Children that are right already are not descended into: what
 * is wrong below them has jobs of its own. */
#include "directories.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "changes.h"
#include "commit.h"
#include "entries.h"

/* A path from the parent's path and a name; NULL beyond VAULT_PATH_MAX bytes, and below such a one. */
#define PATH_OF(parent, name)                                                                               \
	"CASE WHEN length(CAST(" parent " AS BLOB)) + 1 + length(CAST(" name " AS BLOB)) > 4095 THEN NULL " \
	"WHEN " parent " = '' THEN " name " ELSE " parent " || '/' || " name " END"

enum {
	Q_DIRECTORY_DERIVE,
	Q_DIRECTORY_PATH,
	Q_DIRECTORY_DELETE,
	Q_DIRECTORY_WRONG,
	Q_JOB_ADD,
	Q_JOB_NEXT,
	Q_JOB_DELETE,
	Q_DROP_ROWS,
	Q_DROP_JOBS,
	Q_FILL_ROOT,
	Q_FILL,
};

/* clang-format off */
static const char *const sql[] = {
	[Q_DIRECTORY_DERIVE] = "INSERT INTO directories (id, parent_id, path) "
			       "SELECT e.inode_id, e.directory_id, " PATH_OF("p.path", "e.name") " FROM entries e "
			       "LEFT JOIN directories p ON p.id = e.directory_id WHERE e.inode_id = ?1 "
			       "ON CONFLICT (id) DO UPDATE "
			       "SET parent_id = excluded.parent_id, path = excluded.path",
	[Q_DIRECTORY_PATH] = "UPDATE directories AS d SET path = (SELECT " PATH_OF("p.path", "e.name") " "
			     "FROM entries e JOIN directories p ON p.id = e.directory_id WHERE e.inode_id = d.id "
			     "LIMIT 1) WHERE d.id = ?1",
	[Q_DIRECTORY_DELETE] = "DELETE FROM directories WHERE id = ?1",
	/* The children of ?1 behind ?2 whose path is wrong. The root is nobody's child, whatever entries say. */
	[Q_DIRECTORY_WRONG] = "SELECT d.id FROM directories p CROSS JOIN directories d CROSS JOIN entries e "
			      "WHERE p.id = ?1 AND d.parent_id = ?1 AND d.id > ?2 AND d.id <> 1 "
			      "AND e.inode_id = d.id AND d.path IS NOT " PATH_OF("p.path", "e.name") " "
			      "ORDER BY d.id LIMIT ?3",
	[Q_JOB_ADD] = "INSERT INTO jobs (kind, inode_id, state, progress) VALUES ('paths', ?1, 'waiting', ?2)",
	[Q_JOB_NEXT] = "SELECT id, inode_id, progress FROM jobs WHERE kind = 'paths' ORDER BY id LIMIT 1",
	[Q_JOB_DELETE] = "DELETE FROM jobs WHERE id = ?1",
	[Q_DROP_ROWS] = "DELETE FROM directories",
	[Q_DROP_JOBS] = "DELETE FROM jobs WHERE kind = 'paths'",
	[Q_FILL_ROOT] = "INSERT INTO directories (id, parent_id, path) VALUES (1, 1, '')",
	[Q_FILL] = "INSERT INTO directories (id, parent_id, path) SELECT i.id, e.directory_id, NULL FROM inodes i "
		   "CROSS JOIN entries e WHERE i.mode & 0xf000 = 0x4000 AND e.inode_id = i.id "
		   "ON CONFLICT (id) DO NOTHING",
};
/* clang-format on */

const struct query_set directories_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_directories, which);
}

static int run_for(struct vault *vault, int which, uint64_t id)
{
	AUTO(query) sqlite3_stmt *statement = query(vault, which);

	bind_u64(statement, 1, id);
	return db_run(&vault->db, statement);
}

static int run(struct vault *vault, int which)
{
	AUTO(query) sqlite3_stmt *statement = query(vault, which);

	return db_run(&vault->db, statement);
}

static int job_add_locked(struct vault *vault, uint64_t id, uint64_t after)
{
	AUTO(query) sqlite3_stmt *add = query(vault, Q_JOB_ADD);

	bind_u64(add, 1, id);
	bind_u64(add, 2, after);
	return db_run(&vault->db, add);
}

/* Up to `n` children of `id` behind `after` whose path is wrong, ascending. Returns how many. */
static int wrong_children(struct vault *vault, uint64_t id, uint64_t after, uint64_t *ret_ids, size_t n)
{
	AUTO(query) sqlite3_stmt *wrong = query(vault, Q_DIRECTORY_WRONG);
	size_t n_found = 0;
	int r;

	bind_u64(wrong, 1, id);
	bind_u64(wrong, 2, after);
	bind_u64(wrong, 3, n);
	while ((r = db_step(&vault->db, wrong)) == 1 && n_found < n)
		ret_ids[n_found++] = column_u64(wrong, 0);
	return r < 0 ? r : (int)n_found;
}

/* Leave a job for `id` if a child behind `after` is wrong. */
static int leave_job(struct vault *vault, uint64_t id, uint64_t after)
{
	uint64_t child;
	int r = wrong_children(vault, id, after, &child, 1);

	return r > 0 ? job_add_locked(vault, id, after) : r;
}

/* Directory `top`, whose own path is right, may have children behind `after` that are wrong: rewrite what is wrong
 * below it, level by level, at most `budget` (<= DIRECTORIES_AT_ONCE) rows, and leave jobs for the rest. Returns
 * how many. */
static int settle(struct vault *vault, uint64_t top, uint64_t after, size_t budget)
{
	/* A queue of what may have wrong children: top, and what was rewritten. */
	uint64_t rewritten[1 + DIRECTORIES_AT_ONCE];
	size_t n = 1;

	rewritten[0] = top;
	for (size_t at = 0; at < n; at++) {
		size_t room = 1 + budget - n;
		uint64_t last = at == 0 ? after : 0;
		int n_children = wrong_children(vault, rewritten[at], last, rewritten + n, room);

		if (n_children < 0)
			return n_children;
		for (int i = 0; i < n_children; i++) {
			int r = run_for(vault, Q_DIRECTORY_PATH, rewritten[n]);

			if (r < 0)
				return r;
			last = rewritten[n++];
		}
		if ((size_t)n_children == room) {
			int r = leave_job(vault, rewritten[at], last);

			if (r < 0)
				return r;
		}
	}
	return (int)(n - 1);
}

int directories_add_locked(struct vault *vault, uint64_t id)
{
	/* The root has no entry to derive it from. */
	return id == VAULT_ROOT_ID ? run(vault, Q_FILL_ROOT) : run_for(vault, Q_DIRECTORY_DERIVE, id);
}

int directories_move_locked(struct vault *vault, uint64_t id)
{
	int r = run_for(vault, Q_DIRECTORY_DERIVE, id);

	if (r == 0)
		r = settle(vault, id, 0, DIRECTORIES_AT_ONCE);
	if (r >= 0)
		r = entry_has_any_locked(vault, id);
	if (r > 0) /* what is in it stands elsewhere now, in the trash perhaps */
		changes_touch_all_locked(vault, false);
	return r < 0 ? r : 0;
}

int directories_remove_locked(struct vault *vault, uint64_t id)
{
	return run_for(vault, Q_DIRECTORY_DELETE, id);
}

/* The oldest job.  1 there is one, 0 none. */
static int job_next_locked(struct vault *vault, uint64_t *ret_job, uint64_t *ret_id, uint64_t *ret_after)
{
	AUTO(query) sqlite3_stmt *next = query(vault, Q_JOB_NEXT);
	int r = db_step(&vault->db, next);

	if (r != 1)
		return r;
	*ret_job = column_u64(next, 0);
	*ret_id = column_u64(next, 1);
	*ret_after = column_u64(next, 2);
	return 1;
}

int directories_are_settled_locked(struct vault *vault)
{
	uint64_t job, id, after;
	int r = job_next_locked(vault, &job, &id, &after);

	return r < 0 ? r : !r;
}

static int step_locked(struct vault *vault)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	size_t budget = DIRECTORIES_AT_ONCE;
	uint64_t job, id, after;
	int more;
	int r = savepoint_begin(&vault->db, &all);

	if (r < 0)
		return r;
	while ((more = job_next_locked(vault, &job, &id, &after)) == 1 && budget > 0) {
		r = run_for(vault, Q_JOB_DELETE, job);
		if (r == 0)
			r = settle(vault, id, after, budget);
		if (r < 0)
			return r;
		budget -= (size_t)r;
		budget -= budget > 0; /* a job costs something too */
	}
	if (more < 0)
		return more;
	r = savepoint_commit(&all);
	return r < 0 ? r : more;
}

int directories_job_step(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = directories_are_settled_locked(vault);
	if (r != 0)
		return r < 0 ? r : 0;
	changes_touch_all_locked(vault, false); /* for as long as the lock is held nobody looks */
	return step_locked(vault);
}

int directories_rebuild_locked(struct vault *vault)
{
	AUTO(savepoint) struct savepoint all = { 0 };
	int r = savepoint_begin(&vault->db, &all);

	if (r == 0)
		r = run(vault, Q_DROP_ROWS);
	if (r == 0)
		r = run(vault, Q_DROP_JOBS);
	if (r == 0)
		r = run(vault, Q_FILL_ROOT);
	if (r == 0)
		r = run(vault, Q_FILL);
	if (r == 0)
		r = job_add_locked(vault, VAULT_ROOT_ID, 0);
	if (r < 0)
		return r;
	/* Ends: a row has one parent_id, so what hangs below the root is a tree, and each job goes deeper or
	 * further in it. */
	do
		r = step_locked(vault);
	while (r == 1);
	return r < 0 ? r : savepoint_commit(&all);
}

/* ---- for messages ---- */

static void put_number(uint64_t id, char *buffer, size_t size)
{
	(void)snprintf(buffer, size, "(inode %" PRIu64 ")", id); /* 64 bytes are enough */
}

static void hide_control_characters(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

bool vault_path_of_locked(struct vault *vault, uint64_t id, char *buffer, size_t size)
{
	char name[VAULT_NAME_MAX + 1];
	uint64_t at = id;
	size_t start = size - 1; /* the path is put together from its end */

	buffer[start] = '\0';
	if (id == VAULT_ROOT_ID) {
		(void)snprintf(buffer, size, "/");
		return true;
	}
	while (at != VAULT_ROOT_ID) {
		size_t n;

		if (entry_of_locked(vault, at, &at, name) < 0) {
			put_number(id, buffer, size);
			return false;
		}
		n = strlen(name);
		/* This also ends the walk where a forged tree has a cycle. */
		if (n + 1 + 3 > start) {
			start -= 3;
			memcpy(buffer + start, "...", 3);
			break;
		}
		if (buffer[start] != '\0')
			buffer[--start] = '/';
		start -= n;
		memcpy(buffer + start, name, n);
	}
	memmove(buffer, buffer + start, size - start);
	hide_control_characters(buffer);
	return true;
}
