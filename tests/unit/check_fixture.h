/* check_fixture.h - a closed vault with everything in it and a copy of it beside, to be damaged, checked and restored. */
#ifndef VAULTFS_TEST_CHECK_FIXTURE_H
#define VAULTFS_TEST_CHECK_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <sys/xattr.h>
#include <time.h>

#include "fixture.h"

#include "picture.h"
#include "vault_internal.h"

#define FILE_SIZE 700000u

static unsigned seed;

static inline void take_seed(void)
{
	const char *given = getenv("VAULTFS_TEST_SEED");

	seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	print_message("seed %u (VAULTFS_TEST_SEED repeats it)\n", seed);
}

/* ---- a vault with everything in it ---- */

static inline void write_at(struct fixture *f, uint64_t id, uint64_t offset, size_t size, bool noise)
{
	static uint8_t bytes[2 * FILE_SIZE];
	struct vault_file *file = NULL;

	for (size_t i = 0; i < size; i++)
		bytes[i] = noise ? (uint8_t)rand_r(&seed) : (uint8_t)(i / 97 % 11 + '0');
	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	assert_int_equal(CHANGE(f, vault_write(file, offset, bytes, size, 0)), 0);
	vault_file_close(file);
}

static inline void copy_all(struct fixture *f, uint64_t from, uint64_t to)
{
	struct vault_file *a = NULL, *b = NULL;

	assert_int_equal(vault_file_open(f->vault, from, &a), 0);
	assert_int_equal(vault_file_open(f->vault, to, &b), 0);
	assert_int_equal(CHANGE(f, vault_copy_range(a, 0, b, 4096, FILE_SIZE)), FILE_SIZE);
	vault_file_close(a);
	vault_file_close(b);
}

static inline void set_xattr(struct fixture *f, uint64_t id, const char *name, const char *value)
{
	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, id, name, value, strlen(value), 0)), 0);
}

/* user::rw- user:5:rw- group::r-- mask::rw- other::--- */
static inline void set_list(struct fixture *f, uint64_t id, const char *name)
{
	static const char list[] = "\2\0\0\0\1\0\6\0\377\377\377\377\2\0\6\0\5\0\0\0\4\0\4\0\377\377\377\377"
				   "\20\0\6\0\377\377\377\377\40\0\0\0\377\377\377\377";

	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, id, name, list, sizeof(list) - 1, 0)), 0);
}

static inline void sync_vault(struct fixture *f)
{
	assert_int_equal(vault_sync(f->vault), 0);
}

static inline uint64_t fill_names(struct fixture *f)
{
	uint64_t a = fixture_directory(f, VAULT_ROOT_ID, "a");
	uint64_t b = fixture_directory(f, a, "b");
	uint64_t file = fixture_file(f, b, "file");

	(void)fixture_directory(f, b, "c");
	(void)fixture_make(f, a, "link", S_IFLNK | 0777, "b/file");
	(void)fixture_make(f, a, "pipe", S_IFIFO | 0600, NULL);
	assert_int_equal(CHANGE(f, vault_link(f->vault, file, a, "second name", NULL)), 0);
	set_xattr(f, file, "user.test", "value");
	set_xattr(f, file, "user.xdg.tags", "one,Two");
	set_xattr(f, file, "user.xdg.comment", "a note");
	set_xattr(f, a, "user.on.directory", "yes");
	set_list(f, file, "system.posix_acl_access");
	set_list(f, b, "system.posix_acl_access");
	set_list(f, b, "system.posix_acl_default");
	assert_int_equal(CHANGE(f, vault_set_mime(f->vault, file, "text/plain")), 0);
	assert_int_equal(CHANGE(f, vault_set_derived(f->vault, file, VAULT_DERIVED_THUMBNAIL, 1, "JPEG", 4)), 0);
	return file;
}

static inline void unlink_name(struct fixture *f, uint64_t parent, const char *name, bool purge)
{
	struct vault_attr attr;

	assert_int_equal(CHANGE(f, vault_unlink(f->vault, parent, name, &attr)), 0);
	if (purge)
		assert_int_equal(CHANGE(f, vault_purge(f->vault, attr.id)), 0);
}

static inline void fill(struct fixture *f)
{
	static const _Atomic bool go_on = false;
	uint64_t file = fill_names(f);
	uint64_t copy, sparse;

	write_at(f, file, 0, FILE_SIZE, true);
	sync_vault(f);
	copy = fixture_file(f, VAULT_ROOT_ID, "copy");
	copy_all(f, file, copy);
	sparse = fixture_file(f, VAULT_ROOT_ID, "sparse");
	write_at(f, sparse, 5000000, 100000, false);
	write_at(f, fixture_file(f, VAULT_ROOT_ID, "text"), 0, 2 * FILE_SIZE, false);
	/* Little, so that its pack has others in it, and stays. */
	write_at(f, fixture_file(f, VAULT_ROOT_ID, "dead"), 0, FILE_SIZE / 10, true);
	write_at(f, fixture_file(f, VAULT_ROOT_ID, "orphan"), 0, FILE_SIZE, true);
	sync_vault(f);
	assert_int_equal(picture_write(f->vault, &go_on), 0);
	sync_vault(f);
	write_at(f, fixture_file(f, VAULT_ROOT_ID, "last"), 0, 2 * FILE_SIZE, true);
	unlink_name(f, VAULT_ROOT_ID, "dead", true);
	unlink_name(f, VAULT_ROOT_ID, "orphan", false);
	sync_vault(f);
}

static inline void close_vault(struct fixture *f)
{
	struct vault *vault = f->vault;

	f->vault = NULL;
	assert_int_equal(vault_close(vault), 0);
}

/* Closed, filled, with small packs; a copy stands beside it. */
static inline int setup(void **state)
{
	static const struct vault_create_options options = { .pack_size = 1 << 20 };
	struct fixture *f;
	char command[1200];
	int r = fixture_setup(state);

	if (r != 0)
		return r;
	f = *state;
	close_vault(f);
	(void)snprintf(command, sizeof(command), "rm -r '%s'", f->path);
	if (system(command) != 0 || vault_create(f->path, &options) != 0)
		return -1;
	fixture_open(f);
	fill(f);
	close_vault(f);
	(void)snprintf(command, sizeof(command), "rm '%s/reserve' && cp -a '%s' '%s/healthy'", f->path,
		       f->path, f->directory);
	return system(command);
}

static inline void restore(struct fixture *f)
{
	char command[1200];

	(void)snprintf(command, sizeof(command), "rm -r '%s' && cp -a '%s/healthy' '%s'", f->path,
		       f->directory, f->path);
	assert_int_equal(system(command), 0);
}

/* ---- checking ---- */

/* What is looked for, and what else came. */
struct wanted {
	const char *kind, *text;
	const char *path; /* NULL: whatever */
	bool found;
	unsigned n;
	char first[600];
};

static inline void found(void *context, const struct vault_finding *finding)
{
	struct wanted *wanted = context;

	if (wanted->n++ == 0)
		(void)snprintf(wanted->first, sizeof(wanted->first),
			       "%s: pack %" PRIu64 " at %" PRIu64 ", inode %" PRIu64 ": %s", finding->kind,
			       finding->pack, finding->offset, finding->inode, finding->text);
	if (!wanted->kind || strcmp(finding->kind, wanted->kind) != 0 || !strstr(finding->text, wanted->text))
		return;
	if (!wanted->path || (finding->path && strcmp(finding->path, wanted->path) == 0))
		wanted->found = true;
}

static inline struct vault_check_counts check(struct fixture *f, unsigned flags, struct wanted *wanted)
{
	struct vault_check_options options = { .flags = flags, .found = found, .context = wanted };
	struct vault_check_counts counts;

	assert_int_equal(vault_check(f->path, &options, &counts), 0);
	assert_int_equal(counts.n_findings, wanted->n);
	return counts;
}

static inline struct vault_check_counts assert_clean(struct fixture *f, const char *what)
{
	struct wanted none = { .kind = NULL };
	struct vault_check_counts counts = check(f, 0, &none);

	if (none.n > 0)
		fail_msg("%s, seed %u: %u findings, the first: %s", what, seed, none.n, none.first);
	return counts;
}

/* The vault is damaged as `what` says: the check must say `text`. Then it is healed. */
static inline void assert_found(struct fixture *f, const char *what, const char *kind, const char *text,
				const char *path)
{
	struct wanted wanted = { .kind = kind, .text = text, .path = path };

	(void)check(f, 0, &wanted);
	if (!wanted.found)
		fail_msg("%s, seed %u: '%s: %s' is not among %u findings, the first: %s", what, seed, kind,
			 text, wanted.n, wanted.n ? wanted.first : "(none)");
	restore(f);
}

/* ---- damage to rows ---- */

#define OF(name) "(SELECT inode_id FROM entries WHERE name = '" name "')"
#define MANIFEST(name) "(SELECT manifest_id FROM inodes WHERE id = " OF(name) ")"
#define CHUNK(name) "(SELECT chunk_id FROM extents WHERE manifest_id = " MANIFEST(name) " LIMIT 1)"

static inline void run_sql(struct fixture *f, const char *sql)
{
	char name[400];
	sqlite3 *handle = NULL;
	char *error = NULL;

	(void)snprintf(name, sizeof(name), "%s/vault.db", f->path);
	assert_int_equal(sqlite3_open_v2(name, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_exec(handle, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
	if (sqlite3_total_changes(handle) == 0)
		fail_msg("%s: changes nothing", sql);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

#define CHECK_TEST(test) cmocka_unit_test_setup_teardown(test, setup, fixture_teardown)

#endif
