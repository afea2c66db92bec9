/* test_times.c - times that memory knows better than the row: of writes beside other changes, and of reads. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { WRITES = 20000, N_KINDS = 3 };

struct chmods {
	struct fixture *f;
	uint64_t id;
	atomic_bool stop;
};

static void *chmod_all_the_time(void *argument)
{
	struct chmods *chmods = argument;
	struct vault_attr values = { .mode = 0640 };

	while (!atomic_load(&chmods->stop)) {
		vault_change_begin(chmods->f->vault, 0);
		(void)vault_setattr(chmods->f->vault, chmods->id, VAULT_SET_MODE, &values, NULL);
		vault_change_end(chmods->f->vault);
	}
	return NULL;
}

static int64_t now_ns(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void a_write__keeps_its_time_beside_a_chmod(void **state)
{
	struct fixture *f = *state;
	struct chmods chmods = { .f = f, .id = fixture_file(f, VAULT_ROOT_ID, "file") };
	struct vault_file *file = NULL;
	int64_t ctime_ns = 0;
	int n_early = 0, n_back = 0;
	pthread_t thread;

	assert_int_equal(vault_file_open(f->vault, chmods.id, &file), 0);
	assert_int_equal(pthread_create(&thread, NULL, chmod_all_the_time, &chmods), 0);
	for (int i = 0; i < WRITES; i++) {
		int64_t before = now_ns();
		struct vault_attr attr;

		assert_int_equal(CHANGE(f, vault_write(file, 0, "x", 1, 0)), 0);
		attr = fixture_attr(f, chmods.id);
		n_early += attr.mtime_ns < before;
		n_back += attr.ctime_ns < attr.mtime_ns || attr.ctime_ns < ctime_ns;
		ctime_ns = attr.ctime_ns;
	}
	atomic_store(&chmods.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	vault_file_close(file);
	assert_int_equal(n_early, 0);
	assert_int_equal(n_back, 0);
}

static void set_old_times(struct fixture *f, uint64_t id)
{
	struct vault_attr values = { .atime_ns = 1000, .mtime_ns = 2000 };

	assert_int_equal(
		CHANGE(f, vault_setattr(f->vault, id, VAULT_SET_ATIME | VAULT_SET_MTIME, &values, NULL)), 0);
}

static void look(struct fixture *f, uint64_t id, const struct vault_attr *attr)
{
	struct vault_file *file = NULL;

	if (S_ISREG(attr->mode)) {
		assert_int_equal(vault_file_open(f->vault, id, &file), 0);
		vault_file_was_read(file);
		vault_file_close(file);
	} else {
		vault_was_read(f->vault, id);
	}
}

static void make_kinds(struct fixture *f, uint64_t ret_ids[N_KINDS])
{
	ret_ids[0] = fixture_file(f, VAULT_ROOT_ID, "file");
	ret_ids[1] = fixture_directory(f, VAULT_ROOT_ID, "directory");
	ret_ids[2] = fixture_make(f, VAULT_ROOT_ID, "link", S_IFLNK | 0777, "target").id;
}

/* Remembered, also without a handle; not moved again soon; written with the next change; what is set stands. */
static void an_access__is_remembered_and_written_with_the_next_change(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[N_KINDS];

	make_kinds(f, ids);
	for (int i = 0; i < N_KINDS; i++) {
		struct vault_attr attr, values = { .mode = 0700, .atime_ns = 5 };
		int64_t before = now_ns();

		set_old_times(f, ids[i]);
		attr = fixture_attr(f, ids[i]);
		assert_int_equal(attr.atime_ns, 1000);
		look(f, ids[i], &attr);
		attr = fixture_attr(f, ids[i]);
		assert_true(attr.atime_ns >= before && attr.atime_ns >= attr.ctime_ns);
		before = attr.atime_ns;
		look(f, ids[i], &attr);
		assert_int_equal(fixture_attr(f, ids[i]).atime_ns, before);
		assert_int_equal(CHANGE(f, vault_setattr(f->vault, ids[i], VAULT_SET_MODE, &values, NULL)),
				 0);
		assert_int_equal(fixture_attr(f, ids[i]).atime_ns, before);
		fixture_reopen(f);
		assert_int_equal(fixture_attr(f, ids[i]).atime_ns, before);
		look(f, ids[i], &attr);
		assert_int_equal(CHANGE(f, vault_setattr(f->vault, ids[i], VAULT_SET_ATIME, &values, NULL)),
				 0);
		assert_int_equal(fixture_attr(f, ids[i]).atime_ns, 5);
	}
	vault_was_read(f->vault, 123456789); /* of nothing: no harm */
}

static void an_access__moves_nothing_on_a_read_only_vault(void **state)
{
	const struct vault_open_options options = { .flags = VAULT_OPEN_READ_ONLY };
	struct fixture *f = *state;
	uint64_t ids[N_KINDS];

	make_kinds(f, ids);
	for (int i = 0; i < N_KINDS; i++)
		set_old_times(f, ids[i]);
	assert_int_equal(vault_close(f->vault), 0);
	f->vault = NULL;
	assert_int_equal(vault_open(f->path, &options, &f->vault), 0);
	for (int i = 0; i < N_KINDS; i++) {
		struct vault_attr attr = fixture_attr(f, ids[i]);

		look(f, ids[i], &attr);
		assert_int_equal(fixture_attr(f, ids[i]).atime_ns, 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(a_write__keeps_its_time_beside_a_chmod),
		FIXTURE_TEST(an_access__is_remembered_and_written_with_the_next_change),
		FIXTURE_TEST(an_access__moves_nothing_on_a_read_only_vault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
