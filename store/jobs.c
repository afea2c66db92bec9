/* jobs.c - what has yet to be looked into by the indexer. See jobs.h and library.h.
 *
 * A job's number is its place in the line. One that has to be done again goes to its end, so that a file that is written
 * all the time, or that nobody can read, keeps none of the others waiting. */
#include "jobs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "changes.h"
#include "commit.h"
#include "content.h"
#include "directories.h"
#include "entries.h"
#include "library.h"

#define ATTEMPTS_MAX 2u /* then it is left alone until its file changes, or somebody asks */
#define LISTED_AT_ONCE 64

enum {
	Q_ANY,
	Q_NEXT,
	Q_CLAIM,
	Q_PROGRESS,
	Q_DONE,
	Q_AGAIN,
	Q_RECOVER,
	Q_OPEN,
	Q_FORGET,
	Q_QUEUE,
	Q_RETRY,
	Q_LIST,
	Q_TOTAL,
};

#define PLACE_AT_END "(SELECT max(id) + 1 FROM jobs)"

static const char *const sql[] = {
	[Q_ANY] = "SELECT 1 FROM jobs WHERE kind = 'index' AND state = 'waiting' LIMIT 1",
	[Q_NEXT] = "SELECT id, inode_id, queued, attempts FROM jobs INDEXED BY jobs_by_state "
		   "WHERE kind = 'index' AND state = 'waiting' ORDER BY id LIMIT 1",
	[Q_CLAIM] = "UPDATE jobs SET state = 'running', progress = 0 WHERE id = ?1",
	[Q_PROGRESS] = "UPDATE jobs SET progress = ?2 WHERE id = ?1 AND state = 'running'",
	/* One that waits again was asked for anew, since its file changed. */
	[Q_DONE] = "DELETE FROM jobs WHERE id = ?1 AND state = 'running'",
	[Q_AGAIN] = "UPDATE jobs SET id = " PLACE_AT_END
		    ", state = iif(?2 >= ?4, 'failed', 'waiting'), progress = 0, "
		    "attempts = ?2, error = ?3 WHERE id = ?1 AND state = 'running'",
	[Q_RECOVER] =
		"UPDATE jobs SET state = 'waiting', progress = 0 WHERE kind = 'index' AND state IN ('running', 'open')",
	[Q_OPEN] = "INSERT INTO jobs (kind, inode_id, state, queued) VALUES ('index', ?1, 'open', ?2) "
		   "ON CONFLICT (kind, inode_id) WHERE kind <> 'paths' DO NOTHING",
	[Q_FORGET] = "DELETE FROM jobs WHERE kind = 'index' AND inode_id = ?1",
	[Q_QUEUE] =
		"INSERT INTO jobs (kind, inode_id, state, queued) SELECT 'index', i.id, 'waiting', 0 FROM inodes i "
		"WHERE i.id = ?1 AND i.mode & 61440 = 32768 AND i.nlink > 0 "
		"AND NOT EXISTS (SELECT 1 FROM derived d WHERE d.derived_id = i.id) "
		"ON CONFLICT (kind, inode_id) WHERE kind <> 'paths' DO UPDATE "
		"SET state = 'waiting', progress = 0, attempts = 0, error = NULL, queued = 0",
	[Q_RETRY] = "UPDATE jobs SET state = 'waiting', attempts = 0, error = NULL, queued = 0 "
		    "WHERE kind = 'index' AND state = 'failed'",
	[Q_LIST] = "SELECT id, inode_id, state, progress, attempts, error FROM jobs "
		   "WHERE kind = 'index' AND state = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
	[Q_TOTAL] = "SELECT count(*), coalesce(sum(i.size), 0) FROM jobs j CROSS JOIN inodes i "
		    "WHERE j.kind = 'index' AND j.state = ?1 AND i.id = j.inode_id",
};

const struct query_set jobs_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static const char *const states[] = {
	[VAULT_JOB_WAITING] = "waiting",
	[VAULT_JOB_RUNNING] = "running",
	[VAULT_JOB_FAILED] = "failed",
};

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_jobs, which);
}

static void bind_state(sqlite3_stmt *statement, int position, enum vault_job_state state)
{
	bind_text(statement, position, states[state], strlen(states[state]));
}

/* Run a statement whose first value is `number`; how many rows it changed. */
static int64_t run_for(struct vault *vault, int which, uint64_t number)
{
	AUTO(query) sqlite3_stmt *change = query(vault, which);
	int r;

	if (sqlite3_bind_parameter_count(change) > 0)
		bind_u64(change, 1, number);
	r = db_run(&vault->db, change);
	return r < 0 ? r : sqlite3_changes64(vault->db.handle);
}

int jobs_recover_locked(struct vault *vault)
{
	int64_t n = run_for(vault, Q_RECOVER, 0);

	return n < 0 ? (int)n : 0;
}

int jobs_note_open_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *note = query(vault, Q_OPEN);

	bind_u64(note, 1, id);
	bind_u64(note, 2, vault->state.commit + 1);
	return db_run(&vault->db, note);
}

int jobs_forget_locked(struct vault *vault, uint64_t id)
{
	int64_t n = run_for(vault, Q_FORGET, id);

	return n < 0 ? (int)n : 0;
}

/* ---- doing ---- */

int vault_jobs_any(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	AUTO(query) sqlite3_stmt *any = query(vault, Q_ANY);

	return db_step(&vault->db, any);
}

static int next_locked(struct vault *vault, struct vault_job *ret)
{
	AUTO(query) sqlite3_stmt *next = query(vault, Q_NEXT);
	int r = db_step(&vault->db, next);

	if (r <= 0)
		return r;
	*ret = (struct vault_job){
		.id = column_u64(next, 0),
		.inode = column_u64(next, 1),
		.state = VAULT_JOB_RUNNING,
		.asked = column_u64(next, 2) == 0,
		.attempts = (unsigned)column_u64(next, 3),
	};
	return 1;
}

int vault_job_next(struct vault *vault, struct vault_job *ret)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	uint64_t directory;
	int64_t n;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = next_locked(vault, ret);
	if (r <= 0)
		return r;
	n = run_for(vault, Q_CLAIM, ret->id);
	if (n < 0)
		return (int)n;
	r = entry_of_locked(vault, ret->inode, &directory, ret->name);
	if (r < 0) /* none, or an impossible one, which was logged: it is a hint only */
		ret->name[0] = '\0';
	return 1;
}

int vault_job_progress(struct vault *vault, const struct vault_job *job, unsigned percent)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *progress = NULL;
	int r = commit_lock(vault, &held);

	if (r < 0)
		return r;
	progress = query(vault, Q_PROGRESS);
	bind_u64(progress, 1, job->id);
	bind_u64(progress, 2, percent);
	return db_run(&vault->db, progress);
}

int vault_job_done(struct vault *vault, const struct vault_job *job)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = commit_lock(vault, &held);

	return r < 0 ? r : (int)run_for(vault, Q_DONE, job->id);
}

/* To the end of the line, or out of it.  1, or 0 when it was asked for anew meanwhile. */
static int again_locked(struct vault *vault, const struct vault_job *job, unsigned attempts,
			const char *error)
{
	AUTO(query) sqlite3_stmt *again = query(vault, Q_AGAIN);
	int r;

	bind_u64(again, 1, job->id);
	bind_u64(again, 2, attempts);
	if (error)
		bind_text(again, 3, error, strlen(error));
	bind_u64(again, 4, ATTEMPTS_MAX);
	r = db_run(&vault->db, again);
	return r < 0 ? r : sqlite3_changes64(vault->db.handle) > 0;
}

int vault_job_again(struct vault *vault, const struct vault_job *job)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = again_locked(vault, job, job->attempts, NULL);
	return r < 0 ? r : 0;
}

int vault_job_failed(struct vault *vault, const struct vault_job *job, unsigned attempts, const char *error)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { 0 };
	int failed;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = savepoint_begin(&vault->db, &all);
	if (r < 0)
		return r;
	attempts += job->attempts;
	failed = again_locked(vault, job, attempts, error);
	if (failed > 0 && attempts >= ATTEMPTS_MAX)
		r = content_set_error_locked(vault, job->inode, VAULT_CONTENT_UNREADABLE);
	else
		r = failed < 0 ? failed : 0;
	if (r == -ENOENT) /* the file is gone: so is the job */
		r = jobs_forget_locked(vault, job->inode);
	if (r == 0)
		r = savepoint_commit(&all);
	return r < 0 ? r : failed > 0 && attempts >= ATTEMPTS_MAX;
}

/* ---- asking ---- */

static void wake(struct vault *vault, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->changed_lock);

	if (vault->changed)
		vault->changed(vault->changed_context, id);
	(void)held;
}

int vault_job_queue(struct vault *vault, const uint64_t *ids, size_t n)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int64_t n_queued = 0;
	int r = n > COMMIT_ROWS_PER_CALL ? -EINVAL : commit_lock(vault, &held);

	for (size_t i = 0; r == 0 && i < n; i++) {
		int64_t queued = run_for(vault, Q_QUEUE, ids[i]);

		r = queued < 0 ? (int)queued : 0;
		n_queued += queued > 0;
	}
	if (r < 0)
		return r;
	auto_unlock(&held);
	held = NULL;
	if (n_queued > 0)
		wake(vault, ids[0]);
	return (int)n_queued;
}

int vault_jobs_queue_stale(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = commit_lock(vault, &held);

	return r < 0 ? r : changes_queue_stale_locked(vault);
}

int vault_jobs_retry(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int64_t n;
	int r = commit_lock(vault, &held);

	if (r < 0)
		return r;
	n = run_for(vault, Q_RETRY, 0);
	auto_unlock(&held);
	held = NULL;
	if (n > 0)
		wake(vault, 0);
	return (int)n;
}

/* Up to LISTED_AT_ONCE jobs of a state behind place `after`. Returns how many. */
static int list_locked(struct vault *vault, enum vault_job_state state, uint64_t after, struct vault_job *ret)
{
	AUTO(query) sqlite3_stmt *list = query(vault, Q_LIST);
	int n = 0;
	int r;

	bind_state(list, 1, state);
	bind_u64(list, 2, after);
	bind_u64(list, 3, LISTED_AT_ONCE);
	while ((r = db_step(&vault->db, list)) > 0) {
		const char *error = (const char *)sqlite3_column_text(list, 5);

		ret[n] = (struct vault_job){
			.id = column_u64(list, 0),
			.inode = column_u64(list, 1),
			.state = state,
			.progress = (unsigned)column_u64(list, 3),
			.attempts = (unsigned)column_u64(list, 4),
		};
		(void)snprintf(ret[n++].error, sizeof(ret->error), "%s",
			       error ? error : ""); /* cut, if it is forged */
	}
	return r < 0 ? r : n;
}

int vault_jobs(struct vault *vault, enum vault_job_state state,
	       int (*emit)(void *context, const struct vault_job *job, const char *path), void *context)
{
	struct vault_job jobs[LISTED_AT_ONCE];
	char path[VAULT_PATH_MAX + 1];
	uint64_t after = 0;
	int n = LISTED_AT_ONCE;
	int r = 0;

	while (r == 0 && n == LISTED_AT_ONCE) {
		(void)pthread_mutex_lock(&vault->db.lock);
		n = list_locked(vault, state, after, jobs);
		(void)pthread_mutex_unlock(&vault->db.lock);
		for (int i = 0; r == 0 && i < n; i++) {
			bool has_path;

			(void)pthread_mutex_lock(&vault->db.lock);
			has_path = vault_path_of_locked(vault, jobs[i].inode, path, sizeof(path));
			(void)pthread_mutex_unlock(&vault->db.lock);
			r = emit(context, &jobs[i], has_path ? path : NULL);
			after = jobs[i].id;
		}
	}
	return r != 0 ? r : n < 0 ? n : 0;
}

int vault_jobs_total(struct vault *vault, enum vault_job_state state, struct vault_jobs_total *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	AUTO(query) sqlite3_stmt *total = query(vault, Q_TOTAL);
	int r;

	bind_state(total, 1, state);
	r = db_step(&vault->db, total);
	if (r <= 0)
		return r;
	ret->n_jobs = column_u64(total, 0);
	ret->n_bytes = column_u64(total, 1);
	return 0;
}
