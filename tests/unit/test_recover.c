/* test_recover.c - from packs to database: what is replayed or rebuilt equals what was there, at every commit, and nothing is
 * cut that no crash can have torn. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <sys/xattr.h>
#include <time.h>

#include "fixture.h"

#include "gc.h"
#include "manifest.h"
#include "picture.h"
#include "schema.h"
#include "vault_internal.h"

#define N_STEPS 400
#define N_COMMITS_MAX 64
#define N_CUTS 40
#define N_INODES 60

static unsigned seed;

/* ---- what a database says ---- */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;	/* FNV-1a */
	return hash;
}

static uint64_t hash_query(sqlite3 *handle, const char *sql)
{
	sqlite3_stmt *row = NULL;
	uint64_t hash = 0xcbf29ce484222325u;

	assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &row, NULL), SQLITE_OK);
	while (sqlite3_step(row) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(row); i++) {
			int type = sqlite3_column_type(row, i);

			hash = hash_bytes(hash, &type, sizeof(type));
			hash = hash_bytes(hash, sqlite3_column_blob(row, i), (size_t)sqlite3_column_bytes(row, i));
		}
	}
	sqlite3_finalize(row);
	return hash;
}

/* One number for all journalled tables, the derived ones that must agree, and the counters. */
struct contents {
	uint64_t tables[32];
	uint64_t commit;
};

static struct contents read_contents(const char *path)
{
	static const char *const derived[] = {
		"SELECT * FROM directories ORDER BY 1",
		"SELECT id, hash, raw_size, stored_size, codec, pack_id, pack_offset, refs FROM chunks ORDER BY 1",
		"SELECT id, live_bytes FROM packs WHERE live_bytes > 0 ORDER BY 1",
		"SELECT next_id, next_chunk_id, commit_number FROM state",
	};
	struct contents contents = { .commit = 0 };
	sqlite3 *handle = NULL;
	sqlite3_stmt *row = NULL;
	char name[400], sql[256];
	size_t n = 0;

	(void)snprintf(name, sizeof(name), "%s/vault.db", path);
	assert_int_equal(sqlite3_open_v2(name, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	for (size_t i = 0; schema_journalled[i]; i++) {
		(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1%s", schema_journalled[i],
			       strcmp(schema_journalled[i], "dropped") == 0 ? "" : ", 2");
		contents.tables[n++] = hash_query(handle, sql);
	}
	for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
		contents.tables[n++] = hash_query(handle, derived[i]);
	assert_int_equal(sqlite3_prepare_v2(handle, "SELECT commit_number FROM state", -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	contents.commit = (uint64_t)sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	return contents;
}

static void assert_same(const struct contents *a, const struct contents *b, const char *what)
{
	size_t n = 0;

	while (schema_journalled[n])
		n++;
	for (size_t i = 0; i < n + 4; i++)
		if (a->tables[i] != b->tables[i])
			fail_msg("%s, seed %u, commit %llu: %s differs", what, seed, (unsigned long long)a->commit,
				 i < n ? schema_journalled[i] : i == n ? "directories" : i == n + 1 ? "chunks" :
				 i == n + 2 ? "packs" : "state");
}

/* ---- something happens ---- */

static void write_random(struct fixture *f, uint64_t id)
{
	static uint8_t bytes[300000];
	struct vault_file *file = NULL;
	size_t size = (size_t)rand_r(&seed) % sizeof(bytes);
	uint64_t offset = (uint64_t)(rand_r(&seed) % 400000);
	uint8_t kind = (uint8_t)(rand_r(&seed) % 4);

	for (size_t i = 0; i < size; i++)
		bytes[i] = kind ? (uint8_t)(i * kind / 7) : (uint8_t)rand_r(&seed);
	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	assert_int_equal(CHANGE(f, vault_write(file, offset, bytes, size, 0)), 0);
	vault_file_close(file);
}

static void one_step(struct fixture *f)
{
	static const char *const values[] = { "a", "b,c", "holiday/beach", "x,Y,z" };
	struct vault_attr attr, wanted = { .mode = S_IFREG | 0644 };
	char name[16], other[16];
	int r;

	(void)snprintf(name, sizeof(name), "f%d", rand_r(&seed) % N_INODES);
	(void)snprintf(other, sizeof(other), "f%d", rand_r(&seed) % N_INODES);
	switch (rand_r(&seed) % 12) {
	case 0:
	case 1:
		(void)CHANGE(f, vault_make(f->vault, VAULT_ROOT_ID, name, &wanted, NULL, &attr));
		break;
	case 2:
		wanted.mode = S_IFDIR | 0755;
		(void)CHANGE(f, vault_make(f->vault, VAULT_ROOT_ID, name, &wanted, NULL, &attr));
		break;
	case 3:
		wanted.mode = S_IFLNK | 0777;
		(void)CHANGE(f, vault_make(f->vault, VAULT_ROOT_ID, name, &wanted, "somewhere", &attr));
		break;
	case 4:
		r = CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, name, &attr));
		if (r == 0 && attr.nlink == 0)
			(void)CHANGE(f, vault_purge(f->vault, attr.id));
		break;
	case 5:
		(void)CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, name, VAULT_ROOT_ID, other,
					     rand_r(&seed) % 2 ? VAULT_RENAME_EXCHANGE : 0, &attr));
		break;
	case 6:
		if (vault_lookup(f->vault, VAULT_ROOT_ID, name, &attr) == 0)
			(void)CHANGE(f, vault_setxattr(f->vault, attr.id, "user.xdg.tags", values[rand_r(&seed) % 4], 1, 0));
		break;
	case 7:
		if (vault_lookup(f->vault, VAULT_ROOT_ID, name, &attr) == 0 && S_ISREG(attr.mode)) {
			wanted.size = (uint64_t)(rand_r(&seed) % 300000);
			assert_int_equal(CHANGE(f, vault_setattr(f->vault, attr.id, VAULT_SET_SIZE, &wanted, NULL)), 0);
		}
		break;
	case 8:
		if (vault_lookup(f->vault, VAULT_ROOT_ID, name, &attr) == 0)
			(void)CHANGE(f, vault_link(f->vault, attr.id, VAULT_ROOT_ID, other, NULL));
		break;
	default:
		if (vault_lookup(f->vault, VAULT_ROOT_ID, name, &attr) == 0 && S_ISREG(attr.mode))
			write_random(f, attr.id);
		break;
	}
}

static void copy_file(const char *from, const char *to)
{
	char command[1200];

	(void)snprintf(command, sizeof(command), "cp -a '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

/* Work with commits now and then; what the database said at each of them. */
static size_t work(struct fixture *f, struct contents *commits)
{
	size_t n = 0;

	for (int i = 0; i < N_STEPS && n < N_COMMITS_MAX; i++) {
		one_step(f);
		if (rand_r(&seed) % 10 == 0) {
			assert_int_equal(vault_sync(f->vault), 0);
			commits[n] = read_contents(f->path);
			if (n == 0 || commits[n].commit != commits[n - 1].commit)
				n++;
		}
	}
	return n;
}

static void close_vault(struct fixture *f)
{
	struct vault *vault = f->vault;

	f->vault = NULL;
	assert_int_equal(vault_close(vault), 0);
}

/* ---- claims ---- */

static void rebuild__equals_what_was_there(void **state)
{
	static struct contents commits[N_COMMITS_MAX];
	struct fixture *f = *state;
	struct contents before, after;

	(void)work(f, commits);
	close_vault(f);
	before = read_contents(f->path);
	assert_int_equal(vault_rebuild(f->path, 0), 0);
	after = read_contents(f->path);
	assert_same(&before, &after, "rebuilt");
}

static void replay__from_any_earlier_database(void **state)
{
	static struct contents commits[N_COMMITS_MAX];
	struct fixture *f = *state;
	struct contents before, after;
	char database[400], saved[400];

	(void)snprintf(database, sizeof(database), "%s/vault.db", f->path);
	(void)snprintf(saved, sizeof(saved), "%s/saved.db", f->directory);
	(void)work(f, commits);
	close_vault(f);
	copy_file(database, saved);
	fixture_open(f);
	(void)work(f, commits);
	close_vault(f);
	before = read_contents(f->path);
	assert_int_equal(unlink(database), 0);
	copy_file(saved, database);
	fixture_open(f);
	close_vault(f);
	after = read_contents(f->path);
	/* Opening wrote nothing to the packs, so the same commit is shown. */
	assert_same(&before, &after, "replayed");
}

/* A picture stands for all before it: packs that only it and later commits need suffice. */
static void rebuild__starts_from_a_picture(void **state)
{
	static struct contents commits[N_COMMITS_MAX];
	static const _Atomic bool go_on = false;
	struct fixture *f = *state;
	struct contents before, after;

	(void)work(f, commits);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(picture_write(f->vault, &go_on), 0);
	(void)work(f, commits);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_true(f->vault->state.picture_commit > 0);
	assert_int_equal(picture_write(f->vault, &go_on), 0);
	assert_int_equal(vault_sync(f->vault), 0);
	close_vault(f);
	before = read_contents(f->path);
	assert_int_equal(vault_rebuild(f->path, 0), 0);
	after = read_contents(f->path);
	assert_same(&before, &after, "rebuilt from a picture");
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* The power went at any byte: the vault is exactly as it was at one of its commits, all that were whole. */
static void open__after_a_cut_at_any_byte(void **state)
{
	static struct contents commits[N_COMMITS_MAX];
	struct fixture *f = *state;
	char database[400], saved[400], pack[400], whole[400];
	off_t size, first;
	size_t n;

	(void)snprintf(database, sizeof(database), "%s/vault.db", f->path);
	(void)snprintf(saved, sizeof(saved), "%s/saved.db", f->directory);
	(void)snprintf(pack, sizeof(pack), "%s/packs/00000001.pack", f->path);
	(void)snprintf(whole, sizeof(whole), "%s/whole.pack", f->directory);
	close_vault(f);
	copy_file(database, saved);
	first = size_of(pack);
	fixture_open(f);
	n = work(f, commits);
	close_vault(f);
	copy_file(pack, whole);
	size = size_of(whole);
	for (int i = 0; i < N_CUTS; i++) {
		off_t cut = first + (off_t)((unsigned)rand_r(&seed) % (unsigned)(size - first));
		struct contents found;
		bool known = false;

		(void)unlink(pack);
		(void)unlink(database);
		copy_file(whole, pack);
		copy_file(saved, database);
		assert_int_equal(truncate(pack, cut), 0);
		fixture_open(f);
		assert_false(vault_is_read_only(f->vault));
		close_vault(f);
		found = read_contents(f->path);
		for (size_t c = 0; c < n; c++) {
			if (commits[c].commit != found.commit)
				continue;
			known = true;
			assert_same(&commits[c], &found, "cut");
		}
		if (!known)
			assert_true(found.commit <= 2 || found.commit > commits[n - 1].commit ||
				    found.commit < commits[0].commit);
	}
}

/* A vault with small packs, and `id` of a file in it, committed; vault.db is saved. */
static uint64_t small_packs(struct fixture *f, const char *database, const char *saved)
{
	const struct vault_create_options create = { .pack_size = 1 << 20 };
	const struct vault_open_options options = { .commit_seconds = 3600 };
	uint64_t id;

	close_vault(f);
	(void)snprintf(f->path, sizeof(f->path), "%s/small.vault", f->directory);
	assert_int_equal(vault_create(f->path, &create), 0);
	fixture_open(f);
	id = fixture_file(f, VAULT_ROOT_ID, "file");
	close_vault(f);
	copy_file(database, saved);
	assert_int_equal(vault_open(f->path, &options, &f->vault), 0);
	return id;
}

/* One commit in several packs, of which a middle one's name did not reach the disk: there was no such commit. */
static void open__after_a_pack_of_the_last_commit_lost_its_name(void **state)
{
	struct fixture *f = *state;
	char database[400], saved[400], path[400];
	static uint8_t bytes[6000000];	/* three packs at the least, wherever it is cut */
	struct vault_file *file = NULL;
	struct vault_attr attr;
	uint64_t id;

	(void)snprintf(database, sizeof(database), "%s/small.vault/vault.db", f->directory);
	(void)snprintf(saved, sizeof(saved), "%s/saved.db", f->directory);
	id = small_packs(f, database, saved);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rand_r(&seed);
	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	assert_int_equal(CHANGE(f, vault_write(file, 0, bytes, sizeof(bytes), 0)), 0);
	vault_file_close(file);
	close_vault(f);
	(void)snprintf(path, sizeof(path), "%s/packs/00000003.pack", f->path);
	assert_true(size_of(path) > 0);
	(void)snprintf(path, sizeof(path), "%s/packs/00000002.pack", f->path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(database), 0);
	copy_file(saved, database);
	fixture_open(f);
	assert_false(vault_is_read_only(f->vault));
	assert_int_equal(vault_resolve(f->vault, "file", &attr), 0);
	assert_int_equal(attr.size, 0);
	write_random(f, id);
	fixture_rebuild(f);
}

static void write_fresh(struct fixture *f, uint64_t id, size_t size)
{
	uint8_t *bytes = malloc(size);
	struct vault_file *file = NULL;

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)rand_r(&seed);
	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	assert_int_equal(CHANGE(f, vault_write(file, 0, bytes, size, 0)), 0);
	vault_file_close(file);
	free(bytes);
}

static void wait_for(struct fixture *f, bool (*holds)(struct fixture *f))
{
	time_t start = time(NULL);

	while (!holds(f)) {
		struct vault_attr ret, now = { .mtime_ns = rand_r(&seed) };

		if (time(NULL) - start > 60)
			fail_msg("not within a minute");
		(void)usleep(20000);
		/* Commits keep the vault's own threads awake. */
		assert_int_equal(CHANGE(f, vault_setattr(f->vault, VAULT_ROOT_ID, VAULT_SET_MTIME, &now, &ret)), 0);
		assert_int_equal(vault_sync(f->vault), 0);
	}
}

static bool has_left_pack_2(struct fixture *f)
{
	return packs_end(f->vault->packs).pack > 2;
}

static bool pack_1_is_gone(struct fixture *f)
{
	return !packs_has(f->vault->packs, 1);
}

static bool pack_2_is_gone(struct fixture *f)
{
	return !packs_has(f->vault->packs, 2);
}

static void remove_file(struct fixture *f, const char *name)
{
	struct vault_attr attr;
	int r = -EBUSY;

	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, name, &attr)), 0);
	assert_int_equal(vault_sync(f->vault), 0);	/* stored, then it can be purged */
	for (int i = 0; r == -EBUSY && i < 1000; i++, (void)usleep(10000))
		r = CHANGE(f, vault_purge(f->vault, attr.id));
	assert_int_equal(r, 0);
}

/* A picture stands for all packs before it but the one with the record of its commit, where a rebuild goes on. Here other
 * content comes between that record and the picture, and later goes. */
static void rebuild__after_dead_packs_were_unlinked(void **state)
{
	static const _Atomic bool go_on = false;
	struct fixture *f = *state;
	char database[400], saved[400];
	struct vault_attr attr;
	struct gc_outlook outlook;
	uint64_t id, end;

	(void)snprintf(database, sizeof(database), "%s/small.vault/vault.db", f->directory);
	(void)snprintf(saved, sizeof(saved), "%s/saved.db", f->directory);
	id = small_packs(f, database, saved);
	write_fresh(f, id, 1500000);
	assert_int_equal(vault_sync(f->vault), 0);
	end = f->vault->state.end.pack;
	assert_int_equal(end, 2);
	write_fresh(f, fixture_file(f, VAULT_ROOT_ID, "between"), 1500000);
	for (int i = 0; !has_left_pack_2(f) && i < 3000; i++)
		(void)usleep(10000);
	assert_true(has_left_pack_2(f));
	assert_int_equal(picture_write(f->vault, &go_on), 0);
	assert_int_equal(vault_sync(f->vault), 0);
	remove_file(f, "file");
	remove_file(f, "between");
	wait_for(f, pack_1_is_gone);
	fixture_rebuild(f);
	assert_false(vault_is_read_only(f->vault));
	assert_int_equal(vault_resolve(f->vault, "file", &attr), -ENOENT);
	fixture_rebuild(f);

	/* What it holds on to counts for the next picture, which lets it go. */
	assert_int_equal(gc_look(f->vault, &outlook), 0);
	assert_true(outlook.held_bytes >= packs_size(f->vault->packs, 2));
	assert_int_equal(picture_write(f->vault, &go_on), 0);
	wait_for(f, pack_2_is_gone);
}

/* Damage with two commits behind it is no crash: nothing is cut, the vault is read-only. */
static void open__never_cuts_before_later_commits(void **state)
{
	static struct contents commits[N_COMMITS_MAX];
	struct fixture *f = *state;
	char database[400], saved[400], pack[400];
	uint8_t byte;
	off_t first, size;
	int fd;

	(void)snprintf(database, sizeof(database), "%s/vault.db", f->path);
	(void)snprintf(saved, sizeof(saved), "%s/saved.db", f->directory);
	(void)snprintf(pack, sizeof(pack), "%s/packs/00000001.pack", f->path);
	close_vault(f);
	copy_file(database, saved);
	first = size_of(pack);
	fixture_open(f);
	assert_true(work(f, commits) > 4);
	close_vault(f);
	size = size_of(pack);
	fd = open(pack, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, first + 4), 1);
	byte ^= 0x10;	/* in the header of the first record behind the database's place */
	assert_int_equal(pwrite(fd, &byte, 1, first + 4), 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(database), 0);
	copy_file(saved, database);
	fixture_open(f);
	assert_true(vault_is_read_only(f->vault));
	close_vault(f);
	assert_int_equal(size_of(pack), size);
}

/* The database is ahead of the packs: somebody put older packs back. Nothing is cut or written. */
static void open__refuses_to_write_behind_older_packs(void **state)
{
	static struct contents commits[N_COMMITS_MAX];
	struct fixture *f = *state;
	char pack[400], saved[400];
	off_t size;

	(void)snprintf(pack, sizeof(pack), "%s/packs/00000001.pack", f->path);
	(void)snprintf(saved, sizeof(saved), "%s/saved.pack", f->directory);
	(void)work(f, commits);
	close_vault(f);
	copy_file(pack, saved);
	size = size_of(saved);
	fixture_open(f);
	(void)work(f, commits);
	close_vault(f);
	assert_int_equal(unlink(pack), 0);
	copy_file(saved, pack);
	fixture_open(f);
	assert_true(vault_is_read_only(f->vault));
	close_vault(f);
	assert_int_equal(size_of(pack), size);
	/* On the user's word the packs are what counts. */
	assert_int_equal(vault_rebuild(f->path, 0), 0);
	fixture_open(f);
	assert_false(vault_is_read_only(f->vault));
}

/* ---- over damage ---- */

#define N_FILES 8
#define FILE_SIZE 2500000u	/* at least three chunks */
#define N_LOST 4	/* the file whose chunk is hit */

/* A number from the vault's database. */
static uint64_t number_of(struct fixture *f, const char *sql)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);	/* the background drops files in slices */
	sqlite3_stmt *row = NULL;
	uint64_t number;

	assert_int_equal(sqlite3_prepare_v2(f->vault->db.handle, sql, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	number = (uint64_t)sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return number;
}

/* Files of bytes that do not repeat, with a commit for each; their inodes. */
static void write_files(struct fixture *f, uint64_t ids[N_FILES])
{
	static uint8_t bytes[FILE_SIZE];

	for (int i = 0; i < N_FILES; i++) {
		struct vault_file *file = NULL;
		char name[16];

		(void)snprintf(name, sizeof(name), "lost%d", i);
		ids[i] = fixture_file(f, VAULT_ROOT_ID, name);
		for (size_t b = 0; b < sizeof(bytes); b++)
			bytes[b] = (uint8_t)rand_r(&seed);
		assert_int_equal(vault_file_open(f->vault, ids[i], &file), 0);
		assert_int_equal(CHANGE(f, vault_write(file, 0, bytes, sizeof(bytes), 0)), 0);
		vault_file_close(file);
		assert_int_equal(vault_sync(f->vault), 0);
	}
}

/* Commits that change names only. */
static void rename_files(struct fixture *f)
{
	struct vault_attr attr;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, i % 2 ? "moved" : "lost0", VAULT_ROOT_ID,
							i % 2 ? "lost0" : "moved", 0, &attr)), 0);
		assert_int_equal(vault_sync(f->vault), 0);
	}
}

/* Where the record of the `nth` extent's chunk of a file starts in the first pack, and which chunk it is. */
static off_t record_of(struct fixture *f, uint64_t id, unsigned nth, uint64_t *ret_chunk)
{
	char sql[300];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT x.chunk_id FROM extents x JOIN inodes i ON i.manifest_id = x.manifest_id WHERE i.id = %llu"
		       " ORDER BY x.offset LIMIT 1 OFFSET %u", (unsigned long long)id, nth);
	*ret_chunk = number_of(f, sql);
	(void)snprintf(sql, sizeof(sql), "SELECT pack_offset FROM chunks WHERE id = %llu", (unsigned long long)*ret_chunk);
	return (off_t)number_of(f, sql);
}

static void flip(struct fixture *f, off_t offset)
{
	char pack[400];
	uint8_t byte;
	int fd;

	(void)snprintf(pack, sizeof(pack), "%s/packs/00000001.pack", f->path);
	fd = open(pack, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
	assert_int_equal(close(fd), 0);
}

static void remove_database(struct fixture *f)
{
	char database[400];

	(void)snprintf(database, sizeof(database), "%s/vault.db", f->path);
	assert_int_equal(unlink(database), 0);
}

static ssize_t read_at(struct fixture *f, uint64_t id, uint64_t offset, size_t size)
{
	static uint8_t bytes[FILE_SIZE];
	struct vault_file *file = NULL;
	ssize_t n;

	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	n = vault_read(file, offset, bytes, size);
	vault_file_close(file);
	return n;
}

/* Tables that are journalled, and what is derived from them alone. */
static void assert_same_names(struct contents *before, struct contents *after)
{
	size_t n = 0;

	while (schema_journalled[n])
		n++;
	before->tables[n + 1] = after->tables[n + 1];	/* chunks */
	before->tables[n + 2] = after->tables[n + 2];	/* packs */
	assert_same(before, after, "rebuilt over damage");
}

/* The header of a chunk's record is damaged: nothing but that chunk's bytes is lost, and the vault lives on. */
static void rebuild__loses_only_the_damaged_chunk(void **state)
{
	static struct contents commits[N_COMMITS_MAX];
	struct fixture *f = *state;
	struct contents before, after;
	struct vault_attr attr;
	uint64_t ids[N_FILES], chunk;
	char sql[200];
	off_t record;
	int r;

	write_files(f, ids);
	record = record_of(f, ids[N_LOST], 1, &chunk);
	(void)work(f, commits);
	close_vault(f);
	before = read_contents(f->path);
	flip(f, record + 20);
	remove_database(f);
	fixture_open(f);
	assert_false(vault_is_read_only(f->vault));
	(void)snprintf(sql, sizeof(sql), "SELECT damaged * 10 + refs FROM chunks WHERE id = %llu", (unsigned long long)chunk);
	assert_int_equal(number_of(f, sql), 11);
	assert_int_equal(read_at(f, ids[N_LOST], 0, FILE_SIZE), -EBADMSG);
	assert_int_equal(read_at(f, ids[N_LOST], 0, 4096), 4096);
	assert_int_equal(read_at(f, ids[N_LOST], FILE_SIZE - 4096, 4096), 4096);
	for (int i = 0; i < N_FILES; i++)
		if (i != N_LOST)
			assert_int_equal(read_at(f, ids[i], 0, FILE_SIZE), FILE_SIZE);
	close_vault(f);
	after = read_contents(f->path);
	assert_same_names(&before, &after);

	/* It goes as any other file does. */
	fixture_open(f);
	(void)snprintf(sql, sizeof(sql), "lost%d", N_LOST);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, sql, &attr)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, attr.id)), 0);
	do
		r = CHANGE(f, manifest_drop_slice(f->vault));
	while (r > 0);
	assert_int_equal(r, 0);
	assert_int_equal(vault_sync(f->vault), 0);
	(void)snprintf(sql, sizeof(sql), "SELECT refs FROM chunks WHERE id = %llu", (unsigned long long)chunk);
	assert_int_equal(number_of(f, sql), 0);
	assert_int_equal(number_of(f, "SELECT count(*) FROM packs p WHERE live_bytes <> (SELECT coalesce(sum(stored_size), 0)"
				      " FROM chunks c WHERE c.pack_id = p.id AND c.refs > 0)"), 0);
	fixture_rebuild(f);
	assert_false(vault_is_read_only(f->vault));
}

/* A rebuild that cannot reach what vault.db shows leaves it, unless it is told otherwise. */
static void assert_kept(struct fixture *f, off_t damaged, const char *what)
{
	struct contents before, after;

	close_vault(f);
	before = read_contents(f->path);
	flip(f, damaged);
	assert_int_equal(vault_rebuild(f->path, 0), -EBADMSG);
	after = read_contents(f->path);
	assert_same(&before, &after, what);
	fixture_open(f);
	close_vault(f);
	assert_int_equal(vault_rebuild(f->path, VAULT_REBUILD_FORCE), 0);
	after = read_contents(f->path);
	assert_true(after.commit < before.commit);
	fixture_open(f);
}

static void rebuild__over_damage_in_the_last_batch(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[N_FILES], chunk;

	write_files(f, ids);
	assert_kept(f, record_of(f, ids[N_FILES - 1], 0, &chunk) + 20, "last batch");
	assert_false(vault_is_read_only(f->vault));
}

/* Neither a commit record nor the bytes of a journal part can be passed over. */
static void rebuild__over_damage_in_a_commit(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[N_FILES];
	struct commit_state last;

	write_files(f, ids);
	last = f->vault->state;
	rename_files(f);
	assert_kept(f, (off_t)last.record.offset + 20, "commit record");
	assert_true(vault_is_read_only(f->vault));
}

static void rebuild__over_damage_in_a_journal(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[N_FILES];
	struct commit_state last;

	write_files(f, ids);
	last = f->vault->state;
	rename_files(f);
	/* The part's last bytes stand right before the commit record. */
	assert_kept(f, (off_t)last.record.offset - 10, "journal part");
	assert_true(vault_is_read_only(f->vault));
}

/* Ids are never given out again, also when the commit that used them is lost. */
static void ids__go_on_after_a_crash(void **state)
{
	struct fixture *f = *state;
	uint64_t before, after;

	before = fixture_file(f, VAULT_ROOT_ID, "one");
	fixture_reopen(f);
	after = fixture_file(f, VAULT_ROOT_ID, "two");
	assert_true(after > before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(rebuild__equals_what_was_there),
		FIXTURE_TEST(replay__from_any_earlier_database),
		FIXTURE_TEST(rebuild__starts_from_a_picture),
		FIXTURE_TEST(open__after_a_cut_at_any_byte),
		FIXTURE_TEST(rebuild__after_dead_packs_were_unlinked),
		FIXTURE_TEST(open__after_a_pack_of_the_last_commit_lost_its_name),
		FIXTURE_TEST(open__never_cuts_before_later_commits),
		FIXTURE_TEST(open__refuses_to_write_behind_older_packs),
		FIXTURE_TEST(rebuild__loses_only_the_damaged_chunk),
		FIXTURE_TEST(rebuild__over_damage_in_the_last_batch),
		FIXTURE_TEST(rebuild__over_damage_in_a_commit),
		FIXTURE_TEST(rebuild__over_damage_in_a_journal),
		FIXTURE_TEST(ids__go_on_after_a_crash),
	};
	const char *given = getenv("VAULTFS_TEST_SEED");

	seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	print_message("seed %u (VAULTFS_TEST_SEED repeats it)\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
