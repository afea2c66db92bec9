/* rebuild.c - vault.db built anew from the packs, and put in the old one's place. See rebuild.h.
 *
 * What goes into it is recover.c's; here is what happens to files, in which order: invariants.md. */
#include "rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kill_point.h"
#include "recover.h"
#include "search.h"
#include "state.h"

#define DATABASE REBUILD_DATABASE
#define NEW_DATABASE DATABASE ".new"
#define OLD_DATABASE DATABASE ".old"

/* The commit that a vault.db of this vault shows; 0 there is none, or it cannot be read. */
static int shown_commit(const struct vault *vault, const char *database, uint64_t *ret)
{
	struct vault reader = { .path = vault->path };
	uint8_t uuid[16];
	int r;

	*ret = 0;
	if (faccessat(vault->dir_fd, DATABASE, F_OK, 0) < 0)
		return 0;
	r = db_open_in(&reader.db, vault->dir_fd, database, DB_OPEN_READ_ONLY);
	if (r == -ESTALE)
		return log_err(-EBADMSG, "%s: the packs are damaged, and vault.db, of an older vaultfs, may know more: it was kept. To "
			       "go on with what the packs have: vaultfs rebuild --force %s", vault->path, vault->path);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&reader.db.lock);

		r = state_get_setting_locked(&reader, "uuid", uuid, sizeof(uuid));
		if (r == 0)
			r = state_load_locked(&reader, &reader.state);
	}
	db_close(&reader.db);
	if (r == 0 && memcmp(uuid, vault->uuid, sizeof(uuid)) == 0)
		*ret = reader.state.commit;
	return r == -ENOMEM ? r : 0;
}

/* What was built over damage does not take the place of a database that knows more. */
static int keep_the_better(const struct vault *vault, const char *database)
{
	uint64_t shown = 0;
	int r = shown_commit(vault, database, &shown);

	if (r < 0 || shown <= vault->state.commit)
		return r;
	return log_err(-EBADMSG, "%s: the packs are damaged: built anew, vault.db would show commit %" PRIu64 ", but the one there "
		       "shows commit %" PRIu64 " and was kept. To replace it all the same: vaultfs rebuild --force %s",
		       vault->path, vault->state.commit, shown, vault->path);
}

void rebuild_remove_leftovers(struct vault *vault)
{
	static const char *const names[] = { NEW_DATABASE, NEW_DATABASE "-wal", NEW_DATABASE "-shm", OLD_DATABASE,
					     OLD_DATABASE "-wal" };
	size_t n = faccessat(vault->dir_fd, DATABASE, F_OK, 0) < 0 ? 3 : 5;

	for (size_t i = 0; i < n; i++)
		(void)unlinkat(vault->dir_fd, names[i], 0);
}

/* Rename a file of the vault that need not be there. */
static int move_aside(struct vault *vault, const char *from, const char *to)
{
	return renameat(vault->dir_fd, from, vault->dir_fd, to) < 0 && errno != ENOENT ? -errno : 0;
}

static int sync_names(const struct vault *vault)
{
	return fsync(vault->dir_fd) < 0 ? -errno : 0;
}

/* The old database goes aside, then its log, without which it may be torn, and which must not meet the new one; also not
 * after a power cut: hence a flush between each. Where the new one cannot come, both are put back. Without any database the
 * next open builds one. */
static int put_in_place(struct vault *vault)
{
	int r = move_aside(vault, DATABASE, OLD_DATABASE);

	if (r == 0)
		r = sync_names(vault);
	if (r == 0)
		r = move_aside(vault, DATABASE "-wal", OLD_DATABASE "-wal");
	if (r == 0 && unlinkat(vault->dir_fd, DATABASE "-shm", 0) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0)
		r = sync_names(vault);
	KILL_POINT(rebuild_rename);
	if (r == 0 && renameat(vault->dir_fd, NEW_DATABASE, vault->dir_fd, DATABASE) < 0)
		r = -errno;
	KILL_POINT(rebuild_renamed);
	if (r == 0) {
		r = sync_names(vault);
		if (r < 0)	/* fails: then the old one below, or both are gone */
			(void)move_aside(vault, DATABASE, NEW_DATABASE);
	}
	if (r < 0) {
		/* In the same order; a disk that flushes no more keeps none, and what it shows now is all there is. */
		(void)sync_names(vault);
		(void)move_aside(vault, OLD_DATABASE "-wal", DATABASE "-wal");	/* first: never one without its log */
		(void)sync_names(vault);
		(void)move_aside(vault, OLD_DATABASE, DATABASE);
		return log_err(r, "%s: putting the new database in place: ", vault->path);
	}
	return 0;
}

/* All of the new database into its one file: closing would leave a log behind where that fails. */
static int finish_database(struct db *db)
{
	int code = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	return db_errno(db, code, "checkpoint");
}

int rebuild_database(struct vault *vault, unsigned flags)
{
	bool damaged = false;
	AUTO(free) char *database = vault_path_in(vault, DATABASE);
	AUTO(free) char *fresh = vault_path_in(vault, NEW_DATABASE);
	int r = database && fresh ? 0 : -ENOMEM;

	rebuild_remove_leftovers(vault);
	KILL_POINT(rebuild);
	if (r == 0)
		r = db_open_in(&vault->db, vault->dir_fd, fresh, DB_OPEN_CREATE);
	if (r == 0) {
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);

		r = recover_rebuild_locked(vault, &damaged);
	}
	if (r == 0 && damaged && !(flags & VAULT_REBUILD_FORCE))
		r = keep_the_better(vault, database);
	if (r == 0)
		r = finish_database(&vault->db);
	db_close(&vault->db);
	memset(&vault->state, 0, sizeof(vault->state));
	KILL_POINT(rebuilt);
	if (r == 0)
		search_remove(vault);	/* before: the new vault.db does not know what it had already looked at */
	if (r == 0)
		r = put_in_place(vault);
	rebuild_remove_leftovers(vault);	/* where it failed the old one is still there */
	return r;
}
