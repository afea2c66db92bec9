/* search_db.c - search.db as a file: opening, judging, making anew, giving up. See search.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "search_internal.h"
#include "state.h"

#define READER_CACHE_KIB 2048

enum {
	Q_COMMIT,
	Q_MARK,
};

/* On vault.db. */
static const char *const sql[] = {
	[Q_COMMIT] = "SELECT commit_number FROM state WHERE id = 1",
	[Q_MARK] = "SELECT queued FROM search_queue WHERE inode_id = 0",
};

const struct query_set search_db_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

enum {
	S_STATE_GET,
	S_STATE_PUT,
};

/* On search.db. */
static const char *const search_sql[] = {
	[S_STATE_GET] = "SELECT vault, commit_number, serial, built_to FROM state WHERE id = 1",
	[S_STATE_PUT] =
		"INSERT INTO state (id, vault, commit_number, serial, built_to) VALUES (1, ?1, ?2, ?3, ?4) "
		"ON CONFLICT (id) DO UPDATE SET commit_number = excluded.commit_number, serial = excluded.serial, "
		"built_to = excluded.built_to",
};

const struct query_set search_state_queries = { search_sql, sizeof(search_sql) / sizeof(search_sql[0]) };

int search_bytes_add(struct search *search, struct bytes *bytes, const void *more, size_t n)
{
	if (bytes->room - bytes->size < n) {
		size_t room = 2 * (bytes->size + n) + 256;
		char *bigger = realloc(bytes->at, room);

		if (!bigger)
			return log_err(-ENOMEM, "%s: no memory for what is looked for", search->path);
		bytes->at = bigger;
		bytes->room = room;
	}
	if (n > 0)
		memcpy(bytes->at + bytes->size, more, n);
	bytes->size += n;
	return 0;
}

int search_give_up(struct search *search, int error)
{
	int none = 0;

	if (error == -ECANCELED || error == -EROFS)
		return -ECANCELED;
	if (error == -EBADMSG)
		search->damaged = true;
	if (atomic_compare_exchange_strong(&search->failure, &none, -EIO))
		log_warn(
			"%s: is left alone until the vault is next opened: searches will miss what changes, all else goes on",
			search->path);
	return -EIO;
}

void search_damaged(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->search->writing);

	(void)search_give_up(vault->search, -EBADMSG); /* whoever calls has an error of its own */
	(void)held;
}

/* ---- transactions ---- */

static int read_number(struct search *search, int which, uint64_t *ret)
{
	AUTO(query) sqlite3_stmt *get = db_query(&search->reader, DB_SET_search_db, which);
	int r = db_step(&search->reader, get);

	*ret = r > 0 ? column_u64(get, 0) : 0;
	return r < 0 ? r : 0;
}

static int save_state_locked(struct search *search)
{
	AUTO(query) sqlite3_stmt *put = db_query(&search->db, DB_SET_search_state, S_STATE_PUT);

	bind_blob(put, 1, search->vault->uuid, sizeof(search->vault->uuid));
	bind_u64(put, 2, search->state.commit);
	bind_u64(put, 3, search->state.serial);
	bind_u64(put, 4, search->state.built_to);
	return db_run(&search->db, put);
}

/* 1 there is one of this vault; 0 none, or of another. */
static int load_state_locked(struct search *search)
{
	AUTO(query) sqlite3_stmt *get = db_query(&search->db, DB_SET_search_state, S_STATE_GET);
	int r = db_step(&search->db, get);

	if (r <= 0)
		return r;
	if ((size_t)sqlite3_column_bytes(get, 0) != sizeof(search->vault->uuid) ||
	    memcmp(sqlite3_column_blob(get, 0), search->vault->uuid, sizeof(search->vault->uuid)) != 0)
		return 0;
	search->state = (struct search_state){ .commit = column_u64(get, 1),
					       .serial = column_u64(get, 2),
					       .built_to = column_u64(get, 3) };
	return 1;
}

static void end_reading(struct search *search)
{
	if (!sqlite3_get_autocommit(search->reader.handle))
		(void)db_exec(&search->reader, "COMMIT"); /* it read only: nothing is lost */
}

int search_begin_locked(struct search *search, uint64_t *ret_commit)
{
	int r = db_exec(&search->reader, "BEGIN");

	if (r == 0)
		r = read_number(search, Q_COMMIT, ret_commit);
	if (r == 0)
		r = db_begin(&search->db);
	if (r < 0)
		end_reading(search);
	search->n_changes = sqlite3_total_changes64(search->db.handle);
	return r;
}

void search_rollback_locked(struct search *search)
{
	db_rollback(&search->db);
	end_reading(search);
}

int search_commit_locked(struct search *search, uint64_t commit, uint64_t built_to)
{
	struct search_state before = search->state;
	int r = 0;

	if (sqlite3_total_changes64(search->db.handle) != search->n_changes || built_to != before.built_to) {
		search->state.commit = commit > before.commit ? commit : before.commit;
		search->state.built_to = built_to;
		search->state.serial++;
		r = save_state_locked(search);
		if (r == 0)
			r = db_commit(&search->db);
	}
	if (r < 0)
		search->state = before;
	search_rollback_locked(search); /* what is left of it */
	return r;
}

/* ---- opening ---- */

void search_remove(const struct vault *vault)
{
	static const char *const names[] = { SEARCH_DATABASE, SEARCH_DATABASE "-wal",
					     SEARCH_DATABASE "-shm" };

	/* The log last: a new, empty file does not take over an old one's. */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlinkat(vault->dir_fd, names[i], 0); /* what is not there need not go */
}

static bool is_immutable(const struct vault *vault)
{
	return vault->db.flags & DB_OPEN_IMMUTABLE;
}

static int open_reader_locked(struct search *search)
{
	AUTO(free) char *path = NULL;
	struct vault *vault = search->vault;
	unsigned flags = is_immutable(vault) ? DB_OPEN_IMMUTABLE : DB_OPEN_READ_ONLY;
	char cache[64];
	int r;

	if (search->reader.handle)
		return 0;
	path = strdup(vault->db.path);
	if (!path)
		return log_err(-ENOMEM, "%s: no memory to open it", search->path);
	r = db_open_in(&search->reader, vault->dir_fd, path, flags | DB_OPEN_BARE);
	(void)snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d", READER_CACHE_KIB); /* fits */
	if (r == 0)
		r = db_exec(&search->reader, cache);
	if (r == 0)
		r = db_prepare_set(&search->reader, DB_SET_search_db);
	if (r == 0)
		r = db_prepare_set(&search->reader, DB_SET_search_document);
	if (r == 0)
		r = db_prepare_set(&search->reader, DB_SET_search_follow);
	if (r < 0)
		db_close(&search->reader);
	return r;
}

/* Whether what was opened goes with this vault as it is. NULL yes; else why not. */
static const char *judge_locked(struct search *search, int *ret_error)
{
	uint64_t mark = 0;
	int r = load_state_locked(search);

	*ret_error = r < 0 ? r : 0;
	if (r < 0)
		return NULL;
	if (r == 0)
		return "belongs to another vault";
	if (!search->writes)
		return NULL; /* whoever writes has judged it, or will */
	if (search->state.commit > search->opened_commit)
		return "is newer than the vault";
	*ret_error = read_number(search, Q_MARK, &mark);
	return search->state.serial < mark ? "is older than it should be" : NULL;
}

/* Open the one that is there.  -ENOENT there is none, or one that is of no use: why was said. */
static int open_present_locked(struct search *search)
{
	struct vault *vault = search->vault;
	unsigned flags = is_immutable(vault) ? DB_OPEN_IMMUTABLE : vault->shared ? DB_OPEN_READ_ONLY : 0;
	const char *why = NULL;
	int r;

	if (faccessat(vault->dir_fd, SEARCH_DATABASE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return -ENOENT;
	r = db_open_in(&search->db, vault->dir_fd, search->path, flags | DB_OPEN_SEARCH);
	if (r == 0) {
		why = judge_locked(search, &r);
		if (why || r < 0)
			db_close(&search->db);
	}
	if (r == -EINVAL)
		why = "is not one that this vaultfs made";
	else if (r == -EBADMSG)
		why = "is damaged";
	if (!why)
		return r;
	log_info("%s: %s: %s", search->path, why,
		 search->writes ? "making it anew" : "it is made anew when the vault is next mounted");
	return -ENOENT;
}

/* Its serial is above every mark that was ever set in vault.db, so that no older one is taken for it. */
static int make_locked(struct search *search)
{
	uint64_t mark;
	int r = read_number(search, Q_MARK, &mark);

	if (r < 0)
		return r;
	search_remove(search->vault);
	r = db_open_in(&search->db, search->vault->dir_fd, search->path, DB_OPEN_SEARCH | DB_OPEN_CREATE);
	search->state = (struct search_state){ .serial = mark + 1 };
	if (r == 0)
		r = save_state_locked(search);
	if (r == 0 && fsync(search->vault->dir_fd) < 0)
		r = log_err(-errno, "%s: ", search->path);
	if (r < 0)
		db_close(&search->db);
	return r;
}

int search_open_locked(struct search *search)
{
	int r = search->failure;

	if (r < 0 || search->db.handle)
		return r;
	if (search->absent)
		return -ENOENT;
	r = open_reader_locked(search);
	if (r == 0)
		r = open_present_locked(search);
	if (r == -ENOENT && !search->writes) {
		search->absent = true;
		return r;
	}
	if (r == -ENOENT)
		r = make_locked(search);
	if (r == 0 && !search->codec)
		r = codec_context_new(&search->codec);
	return r < 0 ? search_give_up(search, r) : 0;
}

int search_attach(struct vault *vault, struct db *reader)
{
	struct search *search = vault->search;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&search->writing);
	int r = search_open_locked(search);

	(void)held;
	if (r < 0)
		return r;
	return db_attach_in(reader, vault->dir_fd, search->path, "search",
			    is_immutable(vault) ? DB_OPEN_IMMUTABLE : 0);
}

void search_look(struct vault *vault)
{
	struct search *search = vault->search;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&search->writing);

	(void)held;
	if (!search->db.handle && open_reader_locked(search) == 0)
		(void)open_present_locked(search); /* says what there is to say */
}

/* ---- the whole ---- */

int search_new(struct vault *vault)
{
	struct search *search = calloc(1, sizeof(*search));

	if (!search)
		return log_err(-ENOMEM, "%s: no memory to open it", vault->path);
	(void)pthread_mutex_init(&search->writing, NULL); /* fails only with attributes */
	search->vault = vault;
	search->writes = !vault->read_only;
	vault->search = search; /* on failure release frees what there is */
	search->path = vault_path_in(vault, SEARCH_DATABASE);
	if (!search->path)
		return -ENOMEM;
	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);

		search->opened_commit = vault->state.commit;
		(void)held;
	}
	return follower_new(search);
}

/* A reader beside us may have made a log for a database that we never opened: nobody else would remove it. */
static void remove_strange_log(struct search *search)
{
	const struct vault *vault = search->vault;

	if (vault->shared || is_immutable(vault) || search->failure || search->db.handle)
		return;
	if (faccessat(vault->dir_fd, SEARCH_DATABASE "-wal", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		(void)search_open_locked(search); /* closing it is what is wanted */
}

void search_free(struct search *search)
{
	if (!search)
		return;
	follower_free(search->follower);
	if (search->path)
		remove_strange_log(search);
	db_close(&search->reader);
	db_close(&search->db);
	if (search->damaged && search->writes)
		search_remove(search->vault);
	codec_context_free(search->codec);
	free(search->document.names.at);
	free(search->document.note.at);
	free(search->document.tags.at);
	free(search->path);
	(void)pthread_mutex_destroy(&search->writing);
	free(search);
}
