/* state.c - rows of state, packs and settings. See state.h. */
#include "state.h"

#include <errno.h>
#include <string.h>

enum {
	Q_LOAD,
	Q_SAVE,
	Q_NOTE_PACK,
	Q_GET_SETTING,
	Q_PUT_SETTING,
	N_QUERIES,
};

static const char *const sql[N_QUERIES] = {
	[Q_LOAD] = "SELECT commit_number, record_pack, record_offset, end_pack, end_offset, checksum, next_id, next_chunk_id,"
		   " picture_commit, picture_pack, picture_offset, journal_bytes FROM state WHERE id = 1",
	[Q_SAVE] = "INSERT OR REPLACE INTO state (id, commit_number, record_pack, record_offset, end_pack, end_offset,"
		   " checksum, next_id, next_chunk_id, picture_commit, picture_pack, picture_offset, journal_bytes)"
		   " VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[Q_NOTE_PACK] = "INSERT INTO packs (id, live_bytes, last_commit) VALUES (?1, 0, ?2)"
			" ON CONFLICT (id) DO UPDATE SET last_commit = max(last_commit, ?2)",
	[Q_GET_SETTING] = "SELECT value FROM settings WHERE key = ?1",
	[Q_PUT_SETTING] = "INSERT INTO settings (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
};

const struct query_set state_queries = { sql, N_QUERIES };

int state_load_locked(struct vault *vault, struct commit_state *ret)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_state, Q_LOAD);
	int r = db_step(&vault->db, row);

	if (r < 0)
		return r;
	if (r == 0)
		return log_err(-EBADMSG, "%s: does not say which commit it shows: run vaultfs rebuild", vault->db.path);
	*ret = (struct commit_state){
		.commit = column_u64(row, 0),
		.record = { column_u64(row, 1), column_u64(row, 2) },
		.end = { column_u64(row, 3), column_u64(row, 4) },
		.checksum = column_u64(row, 5),
		.next_id = column_u64(row, 6),
		.next_chunk_id = column_u64(row, 7),
		.picture_commit = column_u64(row, 8),
		.picture = { column_u64(row, 9), column_u64(row, 10) },
		.journal_bytes = column_u64(row, 11),
	};
	if (ret->commit > INT64_MAX || ret->next_id > INT64_MAX || ret->next_chunk_id > INT64_MAX)
		return log_err(-EBADMSG, "%s: impossible numbers in table state: run vaultfs rebuild", vault->db.path);
	return 0;
}

int state_save_locked(struct vault *vault, const struct commit_state *state)
{
	AUTO(query) sqlite3_stmt *save = db_query(&vault->db, DB_SET_state, Q_SAVE);
	const uint64_t values[] = {
		state->commit,	     state->record.pack,   state->record.offset,   state->end.pack,
		state->end.offset,   state->checksum,	   state->next_id,	   state->next_chunk_id,
		state->picture_commit, state->picture.pack, state->picture.offset, state->journal_bytes,
	};

	for (int i = 0; i < (int)(sizeof(values) / sizeof(values[0])); i++)
		bind_u64(save, i + 1, values[i]);
	return db_run(&vault->db, save);
}

int state_note_pack_locked(struct vault *vault, uint64_t number, uint64_t commit)
{
	AUTO(query) sqlite3_stmt *note = db_query(&vault->db, DB_SET_state, Q_NOTE_PACK);

	bind_u64(note, 1, number);
	bind_u64(note, 2, commit);
	return db_run(&vault->db, note);
}

int state_get_setting_locked(struct vault *vault, const char *key, void *ret, size_t size)
{
	AUTO(query) sqlite3_stmt *get = db_query(&vault->db, DB_SET_state, Q_GET_SETTING);
	int r;

	bind_text(get, 1, key, strlen(key));
	r = db_step(&vault->db, get);
	if (r <= 0)
		return r == 0 ? -ENOENT : r;
	if ((size_t)sqlite3_column_bytes(get, 0) != size)
		return log_err(-EBADMSG, "%s: setting %s is not %zu bytes", vault->db.path, key, size);
	memcpy(ret, sqlite3_column_blob(get, 0), size);
	return 0;
}

int state_put_setting_locked(struct vault *vault, const char *key, const void *value, size_t size)
{
	AUTO(query) sqlite3_stmt *put = db_query(&vault->db, DB_SET_state, Q_PUT_SETTING);

	bind_text(put, 1, key, strlen(key));
	bind_blob(put, 2, value, size);
	return db_run(&vault->db, put);
}

int state_get_number_locked(struct vault *vault, const char *key, uint64_t *ret)
{
	AUTO(query) sqlite3_stmt *get = db_query(&vault->db, DB_SET_state, Q_GET_SETTING);
	int r;

	bind_text(get, 1, key, strlen(key));
	r = db_step(&vault->db, get);
	if (r <= 0)
		return r == 0 ? -ENOENT : r;
	*ret = column_u64(get, 0);
	return 0;
}

int state_put_number_locked(struct vault *vault, const char *key, uint64_t value)
{
	AUTO(query) sqlite3_stmt *put = db_query(&vault->db, DB_SET_state, Q_PUT_SETTING);

	bind_text(put, 1, key, strlen(key));
	bind_u64(put, 2, value);
	return db_run(&vault->db, put);
}
