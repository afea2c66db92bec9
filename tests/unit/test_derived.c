/* test_derived.c - thumbnails and previews: they come whole or not at all, are found by their file, and go with it. */
#include "fixture.h"

#include <errno.h>

#include "vault_internal.h"

#define CLIP_SIZE 3000000u

static uint64_t make_file(struct fixture *f, const char *name)
{
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, name);
	struct vault_file *file = NULL;

	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	assert_int_equal(CHANGE(f, vault_write(file, 0, name, strlen(name), 0)), 0);
	vault_file_close(file);
	return id;
}

static void set(struct fixture *f, uint64_t id, enum vault_derived kind, unsigned number, const void *bytes,
		size_t size)
{
	int r;

	vault_change_begin(f->vault, size);
	r = vault_set_derived(f->vault, id, kind, number, bytes, size);
	vault_change_end(f->vault);
	assert_int_equal(r, 0);
}

static void set_text(struct fixture *f, uint64_t id, enum vault_derived kind, unsigned number,
		     const char *text)
{
	set(f, id, kind, number, text, strlen(text));
}

static struct vault_attr get(struct fixture *f, uint64_t id, enum vault_derived kind, unsigned number)
{
	struct vault_attr attr = { 0 };

	assert_int_equal(vault_get_derived(f->vault, id, kind, number, &attr), 0);
	assert_int_equal(attr.nlink, 1);
	assert_true(S_ISREG(attr.mode));
	return attr;
}

static bool has(struct fixture *f, uint64_t id, enum vault_derived kind, unsigned number)
{
	struct vault_attr attr;
	int r = vault_get_derived(f->vault, id, kind, number, &attr);

	assert_true(r == 0 || r == -ENOENT);
	return r == 0;
}

static void assert_bytes(struct fixture *f, uint64_t id, const void *bytes, size_t size)
{
	AUTO(free) char *got = malloc(size + 1);
	struct vault_file *file = NULL;

	assert_non_null(got);
	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	assert_int_equal(vault_read(file, 0, got, size + 1), size);
	assert_memory_equal(got, bytes, size);
	vault_file_close(file);
}

/* All inodes there are, names aside. */
static unsigned n_inodes(struct fixture *f)
{
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);
	sqlite3_stmt *count = NULL;
	unsigned n;

	assert_int_equal(
		sqlite3_prepare_v2(f->vault->db.handle, "SELECT count(*) FROM inodes", -1, &count, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(count), SQLITE_ROW);
	n = (unsigned)sqlite3_column_int(count, 0);
	(void)sqlite3_finalize(count);
	(void)pthread_mutex_unlock(held);
	return n;
}

static void assert_sound(struct fixture *f)
{
	const struct vault_check_options options = { .flags = VAULT_CHECK_DEEP };
	struct vault_check_counts counts;
	struct vault *vault = f->vault;

	f->vault = NULL;
	assert_int_equal(vault_close(vault), 0);
	assert_int_equal(vault_check(f->path, &options, &counts), 0);
	assert_int_equal(counts.n_findings, 0);
	fixture_open(f);
}

static void purge(struct fixture *f, const char *name)
{
	struct vault_attr attr;

	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, name, &attr)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, attr.id)), 0);
}

static void derived__is_kept_by_its_file_and_outlives_a_rebuild(void **state)
{
	struct fixture *f = *state;
	AUTO(free) uint8_t *clip = malloc(CLIP_SIZE);
	uint64_t a = make_file(f, "a"), b = make_file(f, "b"), orphans[4];
	struct vault_stats stats;

	assert_non_null(clip);
	for (uint32_t i = 0; i < CLIP_SIZE; i++)
		clip[i] = (uint8_t)(i * 2654435761u >> 13);
	set_text(f, a, VAULT_DERIVED_THUMBNAIL, 1, "picture of a");
	set_text(f, b, VAULT_DERIVED_THUMBNAIL, 1, "picture of b");
	set(f, a, VAULT_DERIVED_PREVIEW, 1, clip, CLIP_SIZE);
	set(f, a, VAULT_DERIVED_PREVIEW, 2, clip, CLIP_SIZE);
	for (int again = 0; again < 3; again++) {
		assert_bytes(f, get(f, a, VAULT_DERIVED_THUMBNAIL, 1).id, "picture of a", 12);
		assert_bytes(f, get(f, b, VAULT_DERIVED_THUMBNAIL, 1).id, "picture of b", 12);
		assert_bytes(f, get(f, a, VAULT_DERIVED_PREVIEW, 2).id, clip, CLIP_SIZE);
		assert_false(has(f, a, VAULT_DERIVED_PREVIEW, 3));
		assert_false(has(f, b, VAULT_DERIVED_PREVIEW, 1));
		assert_int_equal(vault_orphans(f->vault, 0, orphans, 4), 0);
		if (again == 0)
			assert_sound(f);
		else
			fixture_rebuild(f);
	}
	assert_int_equal(vault_stats(f->vault, &stats), 0);
	assert_int_equal(stats.n_files, 2);
	assert_int_equal(stats.logical_bytes, 2);
	assert_int_equal(stats.n_derived, 4);
	assert_int_equal(stats.derived_bytes, 2 * CLIP_SIZE + 24);
	assert_true(stats.chunk_bytes < CLIP_SIZE + 100); /* the same clip twice is stored once */
}

static void derived__is_replaced_and_dropped(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), old;
	struct vault_attr attr;
	unsigned n;

	n = n_inodes(f);
	set_text(f, a, VAULT_DERIVED_PREVIEW, 1, "one");
	set_text(f, a, VAULT_DERIVED_PREVIEW, 2, "two");
	set_text(f, a, VAULT_DERIVED_PREVIEW, 3, "three");
	set_text(f, a, VAULT_DERIVED_THUMBNAIL, 1, "thumbnail");
	assert_int_equal(vault_sync(f->vault), 0);
	old = get(f, a, VAULT_DERIVED_PREVIEW, 1).id;
	set_text(f, a, VAULT_DERIVED_PREVIEW, 1, "another one");
	assert_int_equal(vault_getattr(f->vault, old, &attr), -ENOENT);
	assert_int_equal(n_inodes(f), n + 4);
	assert_int_equal(CHANGE(f, vault_drop_derived(f->vault, a, VAULT_DERIVED_PREVIEW, 2)), 0);
	assert_true(has(f, a, VAULT_DERIVED_PREVIEW, 1));
	assert_false(has(f, a, VAULT_DERIVED_PREVIEW, 2));
	assert_false(has(f, a, VAULT_DERIVED_PREVIEW, 3));
	assert_true(has(f, a, VAULT_DERIVED_THUMBNAIL, 1));
	assert_sound(f);
	assert_int_equal(CHANGE(f, vault_drop_derived(f->vault, a, VAULT_DERIVED_THUMBNAIL, 1)), 0);
	assert_int_equal(CHANGE(f, vault_drop_derived(f->vault, a, VAULT_DERIVED_PREVIEW, 0)), 0);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(n_inodes(f), n);
	assert_sound(f);
}

static void derived__goes_with_its_file(void **state)
{
	struct fixture *f = *state;
	struct vault_attr replaced = { 0 };
	unsigned n = n_inodes(f);
	uint64_t a = make_file(f, "a"), b = make_file(f, "b"), c = make_file(f, "c");

	set_text(f, a, VAULT_DERIVED_THUMBNAIL, 1, "picture of a");
	set_text(f, b, VAULT_DERIVED_THUMBNAIL, 1, "picture of b");
	set_text(f, c, VAULT_DERIVED_PREVIEW, 1, "clip of c");
	assert_int_equal(vault_sync(f->vault), 0);
	/* Another name keeps it; an open file does too, till it is purged. */
	assert_int_equal(CHANGE(f, vault_link(f->vault, a, VAULT_ROOT_ID, "a2", NULL)), 0);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "a", &replaced)), 0);
	assert_true(has(f, a, VAULT_DERIVED_THUMBNAIL, 1));
	purge(f, "a2");
	assert_false(has(f, a, VAULT_DERIVED_THUMBNAIL, 1));
	assert_int_equal(CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, "b", VAULT_ROOT_ID, "c",
						VAULT_RENAME_INHERIT, &replaced)),
			 0);
	assert_int_equal(replaced.id, c);
	assert_true(has(f, c, VAULT_DERIVED_PREVIEW, 1));
	assert_int_equal(CHANGE(f, vault_purge(f->vault, c)), 0);
	assert_false(has(f, c, VAULT_DERIVED_PREVIEW, 1));
	assert_true(has(f, b, VAULT_DERIVED_THUMBNAIL, 1));
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(n_inodes(f), n + 2);
	assert_sound(f);
	purge(f, "c");
	assert_int_equal(n_inodes(f), n);
	fixture_rebuild(f);
	assert_int_equal(n_inodes(f), n);
}

static void derived__that_is_read_stays_readable_until_it_is_closed(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), orphans[4];
	struct vault_file *file = NULL;
	char bytes[20];
	uint64_t thumbnail;
	unsigned n = n_inodes(f);

	set_text(f, a, VAULT_DERIVED_THUMBNAIL, 1, "picture of a");
	thumbnail = get(f, a, VAULT_DERIVED_THUMBNAIL, 1).id;
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(vault_file_open(f->vault, thumbnail, &file), 0);
	purge(f, "a");
	assert_int_equal(vault_read(file, 0, bytes, sizeof(bytes)), 12);
	assert_int_equal(vault_orphans(f->vault, 0, orphans, 4), 1);
	assert_int_equal(orphans[0], thumbnail);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, thumbnail)), -EBUSY);
	vault_file_close(file);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, thumbnail)), 0);
	assert_int_equal(n_inodes(f), n - 1);
	assert_sound(f);
}

static void derived__is_nothing_to_look_into(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");
	struct vault_jobs_total total;
	struct vault_job job;

	set_text(f, a, VAULT_DERIVED_THUMBNAIL, 1, "picture of a");
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(CHANGE(f, vault_job_next(f->vault, &job)), 1);
	assert_int_equal(job.inode, a);
	assert_int_equal(CHANGE(f, vault_job_next(f->vault, &job)), 0);
	fixture_rebuild(f);
	assert_int_equal(vault_jobs_total(f->vault, VAULT_JOB_WAITING, &total), 0);
	assert_int_equal(total.n_jobs, 1);
}

static void derived__is_read_by_who_may_read_its_file(void **state)
{
	/* user::rw- user:5:--- group::r-- mask::r-- other::r-- */
	static const char list[] = "\2\0\0\0\1\0\6\0\377\377\377\377\2\0\0\0\5\0\0\0\4\0\4\0\377\377\377\377"
				   "\20\0\4\0\377\377\377\377\40\0\4\0\377\377\377\377";
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");
	struct vault_attr values = { .mode = 0600, .uid = 7, .gid = 8 }, attr;

	set_text(f, a, VAULT_DERIVED_THUMBNAIL, 1, "picture of a");
	attr = get(f, a, VAULT_DERIVED_THUMBNAIL, 1);
	assert_int_equal(attr.mode & 07777, 0444);
	assert_int_equal(attr.uid, 1000);
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, a, VAULT_SET_MODE | VAULT_SET_UID | VAULT_SET_GID,
						 &values, NULL)),
			 0);
	attr = get(f, a, VAULT_DERIVED_THUMBNAIL, 1);
	assert_int_equal(attr.mode & 07777, 0400);
	assert_int_equal(attr.uid, 7);
	assert_int_equal(attr.gid, 8);
	values.mode = 0644;
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, a, VAULT_SET_MODE, &values, NULL)), 0);
	assert_int_equal(get(f, a, VAULT_DERIVED_THUMBNAIL, 1).mode & 07777, 0444);
	/* What a list refuses the mode alone would allow. */
	assert_int_equal(
		CHANGE(f, vault_setxattr(f->vault, a, "system.posix_acl_access", list, sizeof(list) - 1, 0)),
		0);
	assert_int_equal(get(f, a, VAULT_DERIVED_THUMBNAIL, 1).mode & 07777, 0400);
	set_text(f, a, VAULT_DERIVED_PREVIEW, 1, "clip of a");
	assert_int_equal(get(f, a, VAULT_DERIVED_PREVIEW, 1).mode & 07777, 0400);
	assert_sound(f);
}

static void derived__has_no_name(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");
	struct vault_attr attr;

	set_text(f, a, VAULT_DERIVED_THUMBNAIL, 1, "picture of a");
	attr = get(f, a, VAULT_DERIVED_THUMBNAIL, 1);
	assert_int_equal(CHANGE(f, vault_link(f->vault, attr.id, VAULT_ROOT_ID, "b", NULL)), -EPERM);
	(void)get(f, a, VAULT_DERIVED_THUMBNAIL, 1);
	assert_sound(f);
}

static void derived__is_refused_where_it_cannot_be(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), directory = fixture_directory(f, VAULT_ROOT_ID, "d");
	AUTO(free) char *large = calloc(1, VAULT_DERIVED_MAX + 1);
	struct vault_attr attr;
	unsigned n = n_inodes(f);
	const struct {
		uint64_t id;
		int kind;
		unsigned number;
		size_t size;
		int want;
	} rows[] = {
		{ 999999, VAULT_DERIVED_THUMBNAIL, 1, 3, -ENOENT },
		{ directory, VAULT_DERIVED_THUMBNAIL, 1, 3, -EINVAL },
		{ a, 3, 1, 3, -EINVAL },
		{ a, 0, 1, 3, -EINVAL },
		{ a, VAULT_DERIVED_PREVIEW, 0, 3, -EINVAL },
		{ a, VAULT_DERIVED_PREVIEW, 256, 3, -EINVAL },
		{ a, VAULT_DERIVED_PREVIEW, 1, 0, -EINVAL },
		{ a, VAULT_DERIVED_PREVIEW, 1, VAULT_DERIVED_MAX + 1, -EFBIG },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			CHANGE(f, vault_set_derived(f->vault, rows[i].id, (enum vault_derived)rows[i].kind,
						    rows[i].number, large, rows[i].size)),
			rows[i].want);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "a", &attr)), 0);
	assert_int_equal(CHANGE(f, vault_set_derived(f->vault, a, VAULT_DERIVED_PREVIEW, 1, "x", 1)),
			 -ENOENT);
	assert_int_equal(n_inodes(f), n);
	assert_sound(f);
}

/* The vault as it is on disk now, as after a crash: is the thumbnail of `file` there, `size` bytes long? 0: it is not. */
static void assert_after_crash(struct fixture *f, uint64_t file, uint64_t size)
{
	const struct vault_check_options options = { .flags = VAULT_CHECK_DEEP };
	struct vault_check_counts counts;
	struct vault_attr attr = { 0 };
	struct vault *copy = NULL;
	char command[1300], path[400];

	(void)snprintf(path, sizeof(path), "%s/copy.vault", f->directory);
	(void)snprintf(command, sizeof(command), "rm -rf '%s' && cp -a '%s' '%s'", path, f->path, path);
	assert_int_equal(system(command), 0);
	assert_int_equal(vault_open(path, NULL, &copy), 0);
	assert_int_equal(vault_get_derived(copy, file, VAULT_DERIVED_THUMBNAIL, 1, &attr),
			 size ? 0 : -ENOENT);
	assert_int_equal(attr.size, size);
	assert_int_equal(vault_close(copy), 0);
	assert_int_equal(vault_check(path, &options, &counts), 0);
	assert_int_equal(counts.n_findings, 0);
	assert_int_equal(counts.n_orphans, 0);
}

static void derived__is_there_after_a_crash_if_it_was_committed(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");

	assert_int_equal(vault_sync(f->vault), 0);
	set_text(f, a, VAULT_DERIVED_THUMBNAIL, 1, "picture of a");
	assert_after_crash(f, a, 0);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_after_crash(f, a, 12);
	set_text(f, a, VAULT_DERIVED_THUMBNAIL, 1, "another picture");
	assert_after_crash(f, a, 12);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_after_crash(f, a, 15);
	purge(f, "a");
	assert_after_crash(f, a, 15);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_after_crash(f, a, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(derived__is_kept_by_its_file_and_outlives_a_rebuild),
		FIXTURE_TEST(derived__is_replaced_and_dropped),
		FIXTURE_TEST(derived__goes_with_its_file),
		FIXTURE_TEST(derived__that_is_read_stays_readable_until_it_is_closed),
		FIXTURE_TEST(derived__is_nothing_to_look_into),
		FIXTURE_TEST(derived__is_read_by_who_may_read_its_file),
		FIXTURE_TEST(derived__has_no_name),
		FIXTURE_TEST(derived__is_refused_where_it_cannot_be),
		FIXTURE_TEST(derived__is_there_after_a_crash_if_it_was_committed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
