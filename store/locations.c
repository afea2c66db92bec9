/* locations.c - devices, the folders on them that were brought into the vault, and which file came from where. */
#include "locations.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "commit.h"
#include "inodes.h"

enum {
	Q_DEVICE_FIND,
	Q_DEVICE_ADD,
	Q_DEVICE_NAME,
	Q_DEVICE_HAS,
	Q_DEVICES,
	Q_LOCATION_FIND,
	Q_LOCATION_ADD,
	Q_LOCATION_SET,
	Q_LOCATION_REMOVE,
	Q_LOCATIONS,
	Q_ORIGIN_SET,
	Q_ORIGIN_GET,
	Q_ORIGIN_MODE,
	Q_ORIGIN_FORGET,
};

static const char *const sql[] = {
	[Q_DEVICE_FIND] = "SELECT id, name, system FROM devices WHERE uuid = ?1",
	[Q_DEVICE_ADD] = "INSERT INTO devices (id, uuid, name, system) VALUES (?1, ?2, ?3, ?4)",
	[Q_DEVICE_NAME] = "UPDATE devices SET name = ?2, system = ?3 WHERE id = ?1",
	[Q_DEVICE_HAS] = "SELECT 1 FROM devices WHERE id = ?1",
	[Q_DEVICES] = "SELECT id, uuid, name, system FROM devices ORDER BY id",
	[Q_LOCATION_FIND] = "SELECT id FROM locations WHERE device_id = ?1 AND path = ?2",
	[Q_LOCATION_ADD] = "INSERT INTO locations (id, device_id, path, inode_id, mode, state, watch, n_files, n_bytes, scanned_at, "
			   "error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[Q_LOCATION_SET] = "UPDATE locations SET device_id = ?2, path = ?3, inode_id = ?4, mode = ?5, state = ?6, watch = ?7, "
			   "n_files = ?8, n_bytes = ?9, scanned_at = ?10, error = ?11 WHERE id = ?1",
	[Q_LOCATION_REMOVE] = "DELETE FROM locations WHERE id = ?1",
	[Q_LOCATIONS] = "SELECT id, device_id, path, inode_id, mode, state, watch, n_files, n_bytes, scanned_at, error "
			"FROM locations ORDER BY id",
	[Q_ORIGIN_SET] = "INSERT INTO origins (inode_id, device_id, location_id) VALUES (?1, ?2, ?3) ON CONFLICT (inode_id) "
			 "DO UPDATE SET device_id = excluded.device_id, location_id = excluded.location_id",
	[Q_ORIGIN_GET] = "SELECT device_id, location_id FROM origins WHERE inode_id = ?1",
	[Q_ORIGIN_MODE] = "SELECT l.mode FROM origins o JOIN locations l ON l.id = o.location_id WHERE o.inode_id = ?1",
	[Q_ORIGIN_FORGET] = "DELETE FROM origins WHERE inode_id = ?1",
};

const struct query_set locations_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

static const char *const modes[] = {
	[VAULT_LOCATION_METADATA] = "metadata",
	[VAULT_LOCATION_CONTENT] = "content",
	[VAULT_LOCATION_DEEP] = "deep",
};
#define N_MODES (sizeof(modes) / sizeof(modes[0]))

static const char *const states[] = {
	[VAULT_LOCATION_PENDING] = "pending", [VAULT_LOCATION_SCANNING] = "scanning",
	[VAULT_LOCATION_COMPLETE] = "complete", [VAULT_LOCATION_PAUSED] = "paused",
	[VAULT_LOCATION_ERROR] = "error",
};
#define N_STATES (sizeof(states) / sizeof(states[0]))

static sqlite3_stmt *query(struct vault *vault, int which)
{
	return db_query(&vault->db, DB_SET_locations, which);
}

const char *vault_location_mode_name(enum vault_location_mode mode)
{
	return modes[mode];
}

const char *vault_location_state_name(enum vault_location_state state)
{
	return states[state];
}

static int word_find(const char *const *words, size_t n, const char *word)
{
	for (size_t i = 0; word && i < n; i++)
		if (strcmp(words[i], word) == 0)
			return (int)i;
	return -EINVAL;
}

int vault_location_mode_find(const char *name, enum vault_location_mode *ret)
{
	int mode = word_find(modes, N_MODES, name);

	if (mode < 0)
		return mode;
	*ret = (enum vault_location_mode)mode;
	return 0;
}

/* ---- devices ---- */

static bool is_word(const char *text)
{
	size_t n = text ? strnlen(text, 256) : 0;

	return n > 0 && n < 256;
}

static void bind_string(sqlite3_stmt *statement, int position, const char *text)
{
	bind_text(statement, position, text, strlen(text));
}

static bool column_is(sqlite3_stmt *row, int column, const char *text)
{
	const char *value = (const char *)sqlite3_column_text(row, column);

	return value && strcmp(value, text) == 0;
}

static int device_write_locked(struct vault *vault, const struct vault_device *device, uint64_t id, bool is_new)
{
	AUTO(query) sqlite3_stmt *write = query(vault, is_new ? Q_DEVICE_ADD : Q_DEVICE_NAME);
	int name = is_new ? 3 : 2;

	bind_u64(write, 1, id);
	if (is_new)
		bind_blob(write, 2, device->uuid, sizeof(device->uuid));
	bind_string(write, name, device->name);
	bind_string(write, name + 1, device->system);
	return db_run(&vault->db, write);
}

int vault_device_put(struct vault *vault, const struct vault_device *device, uint64_t *ret_id)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *find = NULL;
	int r;

	if (!is_word(device->name) || !is_word(device->system))
		return -EINVAL;
	r = commit_lock_to_grow(vault, &held);
	if (r < 0)
		return r;
	find = query(vault, Q_DEVICE_FIND);
	bind_blob(find, 1, device->uuid, sizeof(device->uuid));
	r = db_step(&vault->db, find);
	if (r < 0)
		return r;
	*ret_id = r == 1 ? column_u64(find, 0) : vault_new_id_locked(vault);
	if (r == 1 && column_is(find, 1, device->name) && column_is(find, 2, device->system))
		return 0;
	return device_write_locked(vault, device, *ret_id, r == 0);
}

int vault_devices(struct vault *vault, int (*emit)(void *context, const struct vault_device *device), void *context)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	AUTO(query) sqlite3_stmt *all = query(vault, Q_DEVICES);
	int r;

	while ((r = db_step(&vault->db, all)) == 1) {
		struct vault_device device = {
			.id = column_u64(all, 0),
			.name = (const char *)sqlite3_column_text(all, 2),
			.system = (const char *)sqlite3_column_text(all, 3),
		};
		const void *uuid = sqlite3_column_blob(all, 1);

		if (!uuid || sqlite3_column_bytes(all, 1) != sizeof(device.uuid) || !device.name || !device.system)
			return log_err(-EBADMSG, "%s: device %" PRIu64 " is damaged", vault->db.path, device.id);
		memcpy(device.uuid, uuid, sizeof(device.uuid));
		r = emit(context, &device);
		if (r != 0)
			return r;
	}
	return r;
}

static int device_has_locked(struct vault *vault, uint64_t id)
{
	AUTO(query) sqlite3_stmt *has = query(vault, Q_DEVICE_HAS);

	bind_u64(has, 1, id);
	return db_step(&vault->db, has);
}

/* ---- locations ---- */

static int location_check_locked(struct vault *vault, const struct vault_location *location)
{
	size_t path = location->path ? strnlen(location->path, VAULT_PATH_MAX + 1) : 0;
	struct inode directory;
	int r;

	if (path == 0 || path > VAULT_PATH_MAX || location->path[0] != '/' || (size_t)location->mode >= N_MODES ||
	    (size_t)location->state >= N_STATES || location->n_files > INT64_MAX || location->n_bytes > INT64_MAX ||
	    (location->error && strnlen(location->error, VAULT_LOCATION_ERROR_MAX + 1) > VAULT_LOCATION_ERROR_MAX))
		return -EINVAL;
	r = device_has_locked(vault, location->device_id);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = inode_get_locked(vault, location->directory_id, &directory);
	return r < 0 ? r : S_ISDIR(directory.attr.mode) ? 0 : -ENOENT;
}

static int location_write_locked(struct vault *vault, const struct vault_location *l, uint64_t id, int which)
{
	AUTO(query) sqlite3_stmt *write = query(vault, which);

	bind_u64(write, 1, id);
	bind_u64(write, 2, l->device_id);
	bind_string(write, 3, l->path);
	bind_u64(write, 4, l->directory_id);
	bind_string(write, 5, modes[l->mode]);
	bind_string(write, 6, states[l->state]);
	bind_u64(write, 7, l->watch);
	bind_u64(write, 8, l->n_files);
	bind_u64(write, 9, l->n_bytes);
	if (l->scanned_ns != 0)
		bind_i64(write, 10, l->scanned_ns);
	if (l->error)
		bind_string(write, 11, l->error);
	return db_run(&vault->db, write);
}

/* The location of that path, if there is one: 1 and its id; 0. */
static int location_find_locked(struct vault *vault, const struct vault_location *location, uint64_t *ret_id)
{
	AUTO(query) sqlite3_stmt *find = query(vault, Q_LOCATION_FIND);
	int r;

	bind_u64(find, 1, location->device_id);
	bind_string(find, 2, location->path);
	r = db_step(&vault->db, find);
	if (r == 1)
		*ret_id = column_u64(find, 0);
	return r;
}

int vault_location_add(struct vault *vault, const struct vault_location *location, uint64_t *ret_id)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	uint64_t id;
	int r = commit_lock_to_grow(vault, &held);

	if (r == 0)
		r = location_check_locked(vault, location);
	if (r == 0)
		r = location_find_locked(vault, location, &id);
	if (r != 0)
		return r < 0 ? r : -EEXIST;
	id = vault_new_id_locked(vault);
	r = location_write_locked(vault, location, id, Q_LOCATION_ADD);
	if (r == 0)
		*ret_id = id;
	return r;
}

int vault_location_set(struct vault *vault, const struct vault_location *location)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	uint64_t other = location->id;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = location_check_locked(vault, location);
	if (r == 0)
		r = location_find_locked(vault, location, &other);
	if (r < 0)
		return r;
	if (other != location->id)
		return -EEXIST;
	r = location_write_locked(vault, location, location->id, Q_LOCATION_SET);
	return r < 0 ? r : sqlite3_changes64(vault->db.handle) > 0 ? 0 : -ENOENT;
}

int vault_location_remove(struct vault *vault, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *remove = NULL;
	int r = commit_lock(vault, &held);

	if (r < 0)
		return r;
	remove = query(vault, Q_LOCATION_REMOVE);
	bind_u64(remove, 1, id);
	r = db_run(&vault->db, remove);
	return r < 0 ? r : sqlite3_changes64(vault->db.handle) > 0 ? 0 : -ENOENT;
}

static int location_from_row(struct vault *vault, sqlite3_stmt *row, struct vault_location *ret)
{
	int mode = word_find(modes, N_MODES, (const char *)sqlite3_column_text(row, 4));
	int state = word_find(states, N_STATES, (const char *)sqlite3_column_text(row, 5));

	*ret = (struct vault_location){
		.id = column_u64(row, 0),
		.device_id = column_u64(row, 1),
		.path = (const char *)sqlite3_column_text(row, 2),
		.directory_id = column_u64(row, 3),
		.mode = (enum vault_location_mode)mode,
		.state = (enum vault_location_state)state,
		.watch = sqlite3_column_int(row, 6) != 0,
		.n_files = column_u64(row, 7),
		.n_bytes = column_u64(row, 8),
		.scanned_ns = sqlite3_column_int64(row, 9),
		.error = (const char *)sqlite3_column_text(row, 10),
	};
	if (mode < 0 || state < 0 || !ret->path)
		return log_err(-EBADMSG, "%s: location %" PRIu64 " is damaged", vault->db.path, ret->id);
	return 0;
}

int vault_locations(struct vault *vault, int (*emit)(void *context, const struct vault_location *location), void *context)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	AUTO(query) sqlite3_stmt *all = query(vault, Q_LOCATIONS);
	int r;

	while ((r = db_step(&vault->db, all)) == 1) {
		struct vault_location location;

		r = location_from_row(vault, all, &location);
		if (r == 0)
			r = emit(context, &location);
		if (r != 0)
			return r;
	}
	return r;
}

/* ---- origins ---- */

int vault_origin_set(struct vault *vault, uint64_t inode_id, uint64_t device_id, uint64_t location_id)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(query) sqlite3_stmt *set = NULL;
	struct inode inode;
	int r = commit_lock_to_grow(vault, &held);

	if (r == 0)
		r = inode_get_locked(vault, inode_id, &inode);
	if (r == 0)
		r = device_has_locked(vault, device_id);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	set = query(vault, Q_ORIGIN_SET);
	bind_u64(set, 1, inode_id);
	bind_u64(set, 2, device_id);
	if (location_id != 0)
		bind_u64(set, 3, location_id);
	return db_run(&vault->db, set);
}

int vault_origin_get(struct vault *vault, uint64_t inode_id, uint64_t *ret_device_id, uint64_t *ret_location_id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	AUTO(query) sqlite3_stmt *get = query(vault, Q_ORIGIN_GET);
	int r;

	bind_u64(get, 1, inode_id);
	r = db_step(&vault->db, get);
	if (r <= 0)
		return r < 0 ? r : -ENODATA;
	*ret_device_id = column_u64(get, 0);
	*ret_location_id = column_u64(get, 1);	/* NULL reads as 0 */
	return 0;
}

int vault_origin_is_deep(struct vault *vault, uint64_t inode_id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	AUTO(query) sqlite3_stmt *mode = query(vault, Q_ORIGIN_MODE);
	int r;

	bind_u64(mode, 1, inode_id);
	r = db_step(&vault->db, mode);
	if (r <= 0)
		return r < 0 ? r : 1;
	return column_is(mode, 0, modes[VAULT_LOCATION_DEEP]);
}

int origin_forget_locked(struct vault *vault, uint64_t inode_id)
{
	AUTO(query) sqlite3_stmt *forget = query(vault, Q_ORIGIN_FORGET);

	bind_u64(forget, 1, inode_id);
	return db_run(&vault->db, forget);
}
