/* test_commit.c - the gate and the committer: what waits for what, who is told, and what a disk that is full or fails does
 * to it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#include "fixture.h"

#include "commit.h"
#include "file.h"
#include "live_internal.h"
#include "packs_internal.h"

#define KIB 1024u
#define MIB (1024u * 1024u)
#define PATIENCE_S 60	/* for what must come, on however slow a machine */

static uint64_t random_state = 88172645463325252u;

static void fill_random(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		random_state ^= random_state << 13;
		random_state ^= random_state >> 7;
		random_state ^= random_state << 17;
		bytes[i] = (uint8_t)(random_state >> 32);
	}
}

static void close_vault(struct fixture *f)
{
	struct vault *vault = f->vault;

	f->vault = NULL;
	assert_int_equal(vault_close(vault), 0);
}

static void open_with(struct fixture *f, unsigned flags, unsigned commit_seconds)
{
	struct vault_open_options options = { .flags = flags, .commit_seconds = commit_seconds };

	close_vault(f);
	assert_int_equal(vault_open(f->path, &options, &f->vault), 0);
}

static struct vault_file *open_file(struct fixture *f, uint64_t id)
{
	struct vault_file *file = NULL;

	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	return file;
}

static int try_write(struct fixture *f, struct vault_file *file, uint64_t offset, const void *bytes, size_t size)
{
	int r;

	vault_change_begin(f->vault, size);
	r = vault_write(file, offset, bytes, size, 0);
	vault_change_end(f->vault);
	return r;
}

static void assert_reads(struct vault_file *file, const uint8_t *want, size_t size)
{
	uint8_t *got = malloc(size);

	assert_non_null(got);
	assert_int_equal(vault_read(file, 0, got, size), (ssize_t)size);
	assert_memory_equal(got, want, size);
	free(got);
}

static uint64_t commit_number(struct fixture *f)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);

	return f->vault->state.commit;
}

static void assert_no_room_is_promised(struct fixture *f)
{
	struct packs *packs = f->vault->packs;

	assert_int_equal(file_undrained(f->vault), 0);
	assert_int_equal((int64_t)(packs->allocated - packs->position) - (int64_t)PACK_MARGIN -
			 atomic_load(&packs->room), 0);
}

/* ---- who is told ---- */

struct answer {
	_Atomic unsigned n;
	_Atomic int result;
};

static void note_answer(void *context, int result)
{
	struct answer *answer = context;

	answer->result = result;
	answer->n++;
}

struct asking {
	struct fixture *f;
	struct answer answer;
};

static void *ask(void *context)
{
	struct asking *asking = context;

	vault_sync_then(asking->f->vault, note_answer, &asking->answer);
	return NULL;
}

static void gate__waits_for_a_change_that_runs(void **state)
{
	struct fixture *f = *state;
	struct asking asking = { .f = f };
	pthread_t thread;
	uint64_t before = commit_number(f);

	vault_change_begin(f->vault, 0);
	assert_int_equal(pthread_create(&thread, NULL, ask, &asking), 0);
	while (vault_change_try(f->vault, 0) == 1) {	/* until the gate is closed */
		vault_change_end(f->vault);
		(void)sched_yield();
	}
	assert_int_equal(asking.answer.n, 0);
	assert_int_equal(commit_number(f), before);
	vault_change_end(f->vault);
	(void)pthread_join(thread, NULL);
	assert_int_equal(asking.answer.n, 1);
	assert_int_equal(asking.answer.result, 0);
	assert_int_equal(vault_change_try(f->vault, 0), 1);	/* it is open again */
	vault_change_end(f->vault);
}

static void sync_then__answers_once(void **state)
{
	struct fixture *f = *state;
	struct answer answer = { 0 };
	uint64_t before;

	(void)fixture_file(f, VAULT_ROOT_ID, "file");
	vault_sync_then(f->vault, note_answer, &answer);
	assert_int_equal(vault_sync(f->vault), 0);
	before = commit_number(f);
	for (unsigned i = 0; i < 3; i++)	/* nothing has changed */
		vault_sync_then(f->vault, note_answer, &answer);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(answer.n, 4);
	assert_int_equal(answer.result, 0);
	assert_int_equal(commit_number(f), before);
}

#define N_CALLERS 16
#define N_ROUNDS 30

struct callers {
	struct fixture *f;
	uint64_t ids[N_CALLERS];
	_Atomic unsigned n_started, n_errors;
};

static void *write_and_sync(void *context)
{
	struct callers *callers = context;
	struct vault_file *file = NULL;

	callers->n_errors += vault_file_open(callers->f->vault, callers->ids[callers->n_started++], &file) != 0;
	for (uint64_t i = 0; file && i < N_ROUNDS; i++) {
		callers->n_errors += try_write(callers->f, file, i * 8, &i, sizeof(i)) != 0;
		callers->n_errors += vault_sync(callers->f->vault) != 0;
	}
	vault_file_close(file);
	return NULL;
}

static void commits__are_shared_by_who_waits(void **state)
{
	struct fixture *f = *state;
	struct callers callers = { .f = f };
	pthread_t threads[N_CALLERS];
	uint64_t before;

	for (int i = 0; i < N_CALLERS; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "file%d", i);
		callers.ids[i] = fixture_file(f, VAULT_ROOT_ID, name);
	}
	assert_int_equal(vault_sync(f->vault), 0);
	before = commit_number(f);
	for (int i = 0; i < N_CALLERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_and_sync, &callers), 0);
	for (int i = 0; i < N_CALLERS; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(callers.n_errors, 0);
	print_message("%u calls, %llu commits\n", N_CALLERS * N_ROUNDS,
		      (unsigned long long)(commit_number(f) - before));
	assert_true(commit_number(f) - before < N_CALLERS * N_ROUNDS * 2 / 3);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_no_room_is_promised(f);
}

static void commit__comes_by_time(void **state)
{
	struct fixture *f = *state;
	struct timespec now, limit, nap = { .tv_nsec = 5000000 };
	uint64_t before;

	open_with(f, 0, 1);
	before = commit_number(f);
	(void)clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += PATIENCE_S;
	(void)fixture_file(f, VAULT_ROOT_ID, "file");
	do {
		(void)nanosleep(&nap, NULL);
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	} while (commit_number(f) == before && now.tv_sec < limit.tv_sec);
	assert_true(commit_number(f) > before);
}

/* What the last handle's end hands out is no change, but a commit follows all the same. */
static void close__of_a_file_that_was_synced_in_pieces_is_committed(void **state)
{
	struct fixture *f = *state;
	struct vault_file *file = open_file(f, fixture_file(f, VAULT_ROOT_ID, "file"));
	uint8_t bytes[20000];
	struct vault_file_info info;
	uint64_t id = vault_file_id(file);

	fill_random(bytes, sizeof(bytes));
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(try_write(f, file, 5000u * i, bytes + 5000 * i, 5000), 0);
		assert_int_equal(vault_sync(f->vault), 0);
	}
	assert_int_equal(vault_file_info(f->vault, id, &info), 0);
	assert_true(info.n_extents > 1);
	vault_file_close(file);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_no_room_is_promised(f);
	assert_int_equal(vault_file_info(f->vault, id, &info), 0);
	assert_int_equal(info.n_extents, 1);
	fixture_rebuild(f);
	assert_int_equal(vault_file_info(f->vault, id, &info), 0);
	assert_int_equal(info.n_extents, 1);
}

/* ---- read-only ---- */

static void read_only__refuses_changes(void **state)
{
	struct fixture *f = *state;
	struct vault_attr values = { .size = 1, .mode = S_IFREG | 0600 };
	struct vault_file *file = open_file(f, fixture_file(f, VAULT_ROOT_ID, "file"));
	struct vault_file *other;
	uint64_t id = vault_file_id(file);

	assert_int_equal(try_write(f, file, 0, "content", 7), 0);
	vault_file_close(file);
	open_with(f, VAULT_OPEN_READ_ONLY, 0);
	assert_true(vault_is_read_only(f->vault));
	file = open_file(f, id);
	other = open_file(f, id);
	assert_int_equal(try_write(f, file, 0, "x", 1), -EROFS);
	assert_int_equal(CHANGE(f, vault_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1)), -EROFS);
	assert_int_equal(CHANGE(f, vault_copy_range(file, 0, other, 100, 1)), -EROFS);
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, id, VAULT_SET_SIZE, &values, NULL)), -EROFS);
	assert_int_equal(CHANGE(f, vault_make(f->vault, VAULT_ROOT_ID, "new", &values, NULL, &values)), -EROFS);
	assert_reads(file, (const uint8_t *)"content", 7);
	assert_int_equal(vault_sync(f->vault), 0);
	vault_file_close(file);
	vault_file_close(other);
}

/* ---- a disk that has no more room ---- */

/* The limit on file sizes stands for a disk that refuses to append. */
static void limit_files(rlim_t size)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void append_that_fails(struct fixture *f, size_t size)
{
	struct vault_file *file = open_file(f, fixture_file(f, VAULT_ROOT_ID, "file"));
	uint8_t *bytes = malloc(size);
	uint64_t id = vault_file_id(file);

	assert_non_null(bytes);
	fill_random(bytes, size);
	assert_int_equal(vault_sync(f->vault), 0);
	limit_files((rlim_t)packs_end(f->vault->packs).offset);
	for (unsigned i = 0; i < 2; i++) {
		int r = i == 0 ? try_write(f, file, 0, bytes, size) : 0;

		if (r == 0)
			r = vault_sync(f->vault);
		if (r == 0)
			limit_files(RLIM_INFINITY);
		assert_true(r < 0);
		assert_false(vault_is_read_only(f->vault));
		assert_true(file_undrained(f->vault) > 0);
		if (i == 0)
			assert_reads(file, bytes, size);
	}
	limit_files(RLIM_INFINITY);
	assert_reads(file, bytes, size);
	assert_int_equal(vault_sync(f->vault), 0);
	vault_file_close(file);
	assert_no_room_is_promised(f);
	fixture_rebuild(f);
	file = open_file(f, id);
	assert_reads(file, bytes, size);
	vault_file_close(file);
	free(bytes);
}

static void append__that_fails_is_told_and_tried_again(void **state)
{
	static const size_t sizes[] = { 10000, 3 * MIB };	/* stored by who drains, and by workers */
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		/* Room is there already: it is the append that is to fail. */
		struct vault_file *file = open_file(f, fixture_file(f, VAULT_ROOT_ID, "first"));
		struct vault_attr gone;

		assert_int_equal(try_write(f, file, 0, "first", 5), 0);
		vault_file_close(file);
		assert_int_equal(vault_sync(f->vault), 0);
		append_that_fails(f, sizes[i]);
		assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "first", &gone)), 0);
		assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file", &gone)), 0);
	}
}

static int append_teardown(void **state)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_FSIZE, &limit);
	}
	return fixture_teardown(state);
}

/* A vault on a small disk of its own. */
struct small_disk {
	struct fixture f;	/* first */
	bool mounted;
};

static int small_disk_setup(void **state)
{
	struct small_disk *disk = calloc(1, sizeof(*disk));
	const char *tmp = getenv("TMPDIR");

	if (!disk)
		return -1;
	*state = disk;
	(void)snprintf(disk->f.directory, sizeof(disk->f.directory), "%s/vaultfs-test-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(disk->f.directory))
		return -1;
	(void)snprintf(disk->f.path, sizeof(disk->f.path), "%s/test.vault", disk->f.directory);
	disk->mounted = mount("tmpfs", disk->f.directory, "tmpfs", 0, "size=48m") == 0;
	if (!disk->mounted)
		return 0;
	return vault_create(disk->f.path, NULL) != 0 || vault_open(disk->f.path, NULL, &disk->f.vault) != 0 ? -1 : 0;
}

static int small_disk_teardown(void **state)
{
	struct small_disk *disk = *state;
	int r = disk->f.vault ? vault_close(disk->f.vault) : 0;

	if (disk->mounted && umount2(disk->f.directory, MNT_DETACH) != 0)
		r = -1;
	if (rmdir(disk->f.directory) != 0)
		r = -1;
	free(disk);
	return r;
}

static void make_ballast(const struct small_disk *disk, off_t size)
{
	char name[400];
	int fd;

	(void)snprintf(name, sizeof(name), "%s/ballast", disk->f.directory);
	fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fallocate(fd, 0, 0, size), 0);
	assert_int_equal(close(fd), 0);
}

static void drop_ballast(const struct small_disk *disk)
{
	char name[400];

	(void)snprintf(name, sizeof(name), "%s/ballast", disk->f.directory);
	assert_int_equal(unlink(name), 0);
}

/* Write until the disk is full, from the start of the file; how much was accepted. */
static uint64_t write_till_full(struct fixture *f, struct vault_file *file, const uint8_t *bytes, uint64_t size,
				size_t piece)
{
	uint64_t at = 0;
	int r = 0;

	while (at + piece <= size) {
		r = try_write(f, file, at, bytes + at, piece);
		if (r < 0)
			break;
		at += piece;
	}
	assert_int_equal(r, -ENOSPC);
	return at;
}

static void full_disk__refuses_writes_and_loses_nothing(void **state)
{
	/* Each row's vault is made when the one before is done; small chunks have many heads. */
	static const struct { size_t piece; uint32_t chunk_average; } rows[] = {
		{ 1 * MIB, 0 }, { 1 * MIB, 16 * KIB }, { 200001, 16 * KIB }, { 4 * KIB, 0 },
	};
	enum { N = sizeof(rows) / sizeof(rows[0]) };
	struct small_disk *disk = *state;
	struct fixture *f = &disk->f;
	uint64_t size = 48ull * MIB;
	uint8_t *bytes;

	if (!disk->mounted) {
		print_message("no small disk: mounting a tmpfs was refused (%s)\n", strerror(errno));
		skip();
	}
	bytes = malloc(size);
	assert_non_null(bytes);
	fill_random(bytes, size);
	for (size_t i = 0; i < N; i++) {
		struct vault_create_options next = { .chunk_average = rows[(i + 1) % N].chunk_average };
		struct vault_file *file = open_file(f, fixture_file(f, VAULT_ROOT_ID, "file"));
		uint64_t id = vault_file_id(file), n;
		struct vault_attr attr;

		make_ballast(disk, 20 * MIB);
		bytes[0]++;	/* and other chunks than before */
		n = write_till_full(f, file, bytes, size, rows[i].piece);
		print_message("pieces of %zu: %llu bytes accepted\n", rows[i].piece, (unsigned long long)n);
		/* All that was accepted has its place in a pack, however full the disk is. */
		assert_int_equal(file_drain_all(f->vault), 0);
		assert_reads(file, bytes, n);
		drop_ballast(disk);
		assert_int_equal(vault_sync(f->vault), 0);
		assert_reads(file, bytes, n);
		assert_int_equal(try_write(f, file, n, bytes + n, 4 * KIB), 0);
		vault_file_close(file);
		assert_int_equal(vault_sync(f->vault), 0);
		assert_no_room_is_promised(f);
		fixture_reopen(f);
		file = open_file(f, id);
		assert_reads(file, bytes, n + 4 * KIB);
		vault_file_close(file);
		/* This one's packs hold the disk. */
		assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file", &attr)), 0);
		close_vault(f);
		assert_int_equal(nftw(f->path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
		assert_int_equal(vault_create(f->path, &next), 0);
		fixture_open(f);
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(gate__waits_for_a_change_that_runs),
		FIXTURE_TEST(sync_then__answers_once),
		FIXTURE_TEST(commits__are_shared_by_who_waits),
		FIXTURE_TEST(commit__comes_by_time),
		FIXTURE_TEST(close__of_a_file_that_was_synced_in_pieces_is_committed),
		FIXTURE_TEST(read_only__refuses_changes),
		cmocka_unit_test_setup_teardown(append__that_fails_is_told_and_tried_again, fixture_setup,
						append_teardown),
		cmocka_unit_test_setup_teardown(full_disk__refuses_writes_and_loses_nothing, small_disk_setup,
						small_disk_teardown),
	};

	(void)signal(SIGXFSZ, SIG_IGN);	/* the limit is to be an error of the call */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
