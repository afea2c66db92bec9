/* test_rechunk.c - cutting anew: fewer extents and nothing else that anybody could see; less wasted; or left alone. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdbool.h>

#include "commit.h"
#include "file.h"
#include "live_internal.h"
#include "picture.h"

#define MIB (1u << 20)
#define PIECE 4096u
#define N_STEPS_MAX 100000 /* before a test is given up */

/* Bytes that do not compress, the same for each (seed, offset) and nowhere else. */
static void fill(uint8_t *bytes, uint64_t offset, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++) {
		uint64_t x = (offset + i + ((uint64_t)seed << 40)) * 0x9e3779b97f4a7c15u;

		x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
		bytes[i] = (uint8_t)(x >> 32);
	}
}

static uint8_t *content(size_t size, uint32_t seed)
{
	uint8_t *bytes = malloc(size);

	assert_non_null(bytes);
	fill(bytes, 0, size, seed);
	return bytes;
}

static struct vault_file *open_file(struct fixture *f, uint64_t id)
{
	struct vault_file *file = NULL;

	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	return file;
}

static void write_at(struct fixture *f, struct vault_file *file, uint64_t offset, const void *bytes,
		     size_t size)
{
	assert_int_equal(CHANGE(f, vault_write(file, offset, bytes, size, 0)), 0);
}

static void write_file(struct fixture *f, uint64_t id, const uint8_t *bytes, size_t size)
{
	struct vault_file *file = open_file(f, id);

	for (size_t at = 0; at < size; at += 128 << 10)
		write_at(f, file, at, bytes + at, size - at < 128 << 10 ? size - at : 128 << 10);
	vault_file_close(file);
	assert_int_equal(vault_sync(f->vault), 0);
}

/* Write [from, to) in pieces of `piece` bytes in no order, with a commit now and then. */
static void write_in_pieces(struct fixture *f, uint64_t id, const uint8_t *bytes, size_t from, size_t to,
			    size_t piece)
{
	struct vault_file *file = open_file(f, id);
	size_t n = (to - from + piece - 1) / piece;
	size_t *order = calloc(n, sizeof(*order));
	unsigned seed = 7;

	assert_non_null(order);
	for (size_t i = 0; i < n; i++) {
		size_t j = (size_t)rand_r(&seed) % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (size_t i = 0; i < n; i++) {
		size_t at = from + order[i] * piece;

		write_at(f, file, at, bytes + at, to - at < piece ? to - at : piece);
		if (i % 100 == 99)
			assert_int_equal(vault_sync(f->vault), 0);
	}
	free(order);
	vault_file_close(file);
	assert_int_equal(vault_sync(f->vault), 0);
}

static void check_content(struct fixture *f, uint64_t id, const uint8_t *bytes, size_t size)
{
	struct vault_file *file = open_file(f, id);
	uint8_t *read = malloc(size + 1);

	assert_non_null(read);
	assert_int_equal(vault_read(file, 0, read, size + 1), size);
	assert_memory_equal(read, bytes, size);
	free(read);
	vault_file_close(file);
}

static uint64_t n_extents(struct fixture *f, uint64_t id)
{
	struct vault_file_info info = { 0 };

	assert_int_equal(vault_file_info(f->vault, id, &info), 0);
	return info.n_extents;
}

static uint64_t chunk_bytes(struct fixture *f)
{
	struct vault_stats stats = { 0 };

	assert_int_equal(vault_stats(f->vault, &stats), 0);
	return stats.chunk_bytes;
}

/* ---- re-chunking ---- */

static size_t n_candidates(struct fixture *f)
{
	pthread_mutex_t *held = lock_mutex(&f->vault->live->lock);
	size_t n = f->vault->live->n_candidates;

	auto_unlock(&held);
	return n;
}

/* All that was written is idle enough now: step until nothing is left. The janitor may be doing the same. */
static void rechunk_all(struct fixture *f)
{
	assert_int_equal(vault_sync(f->vault), 0);
	f->vault->live->rechunk_idle_ns = 0;
	for (int i = 0; n_candidates(f) > 0; i++) {
		assert_true(i < N_STEPS_MAX);
		assert_true(file_rechunk_step(f->vault) >= 0);
	}
	f->vault->live->rechunk_idle_ns = RECHUNK_IDLE_NS;
	assert_int_equal(file_rechunk_step(f->vault), 0);
}

static int64_t sql_number(struct fixture *f, const char *sql)
{
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);
	sqlite3_stmt *statement = NULL;
	int64_t number = -1;

	if (sqlite3_prepare_v2(f->vault->db.handle, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement); /* repeats the code */
	auto_unlock(&held);
	return number;
}

/* Chunks in the list of the newest picture, each of which is a reference beside those of extents. */
static int64_t n_pictured(struct fixture *f)
{
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);
	bool any = f->vault->state.picture_commit > 0;
	struct place place = f->vault->state.picture;
	struct picture picture = { .chunks = NULL };
	int r;

	auto_unlock(&held);
	r = any ? picture_read(f->vault, place, &picture) : 0;
	free(picture.chunks);
	assert_int_equal(r, 0);
	return (int64_t)picture.n_chunks;
}

/* References, freed, live bytes and mapped bytes as the extents say. */
static void check_counts(struct fixture *f)
{
	static const char *const none[] = {
		"SELECT count(*) FROM chunks c LEFT JOIN"
		" (SELECT chunk_id, count(*) AS n FROM extents GROUP BY chunk_id) x"
		" ON x.chunk_id = c.id WHERE c.refs < coalesce(x.n, 0)",
		"SELECT count(*) FROM chunks WHERE (refs = 0) <> (freed IS NOT NULL)",
		"SELECT count(*) FROM packs p WHERE live_bytes <> (SELECT coalesce(sum(stored_size), 0) FROM chunks c"
		" WHERE c.pack_id = p.id AND c.refs > 0)",
		"SELECT count(*) FROM inodes i WHERE manifest_id > 0 AND mapped <> (SELECT coalesce(sum(length), 0)"
		" FROM extents x WHERE x.manifest_id = i.manifest_id)",
	};

	assert_int_equal(vault_sync(f->vault), 0);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (sql_number(f, none[i]) != 0)
			fail_msg("%" PRId64 ": %s", sql_number(f, none[i]), none[i]);
	assert_int_equal(sql_number(f, "SELECT sum(refs) - (SELECT count(*) FROM extents) FROM chunks"),
			 n_pictured(f));
}

static void check_same_attr(const struct vault_attr *a, const struct vault_attr *b)
{
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->mapped, b->mapped);
	assert_int_equal(a->atime_ns, b->atime_ns);
	assert_int_equal(a->mtime_ns, b->mtime_ns);
	assert_int_equal(a->ctime_ns, b->ctime_ns);
	assert_int_equal(a->btime_ns, b->btime_ns);
}

/* ---- claims ---- */

static void rechunk__makes_few_extents_of_many_and_changes_nothing_else(void **state)
{
	struct fixture *f = *state;
	size_t size = 9 * MIB + 4321;
	uint8_t *bytes = content(size, 1);
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, "pieces"), n;
	struct vault_attr before, after;

	write_in_pieces(f, id, bytes, 0, size, PIECE);
	before = fixture_attr(f, id);
	assert_true(n_extents(f, id) > 1500);
	assert_int_equal(file_rechunk_step(f->vault), 0); /* it was written just now */
	assert_true(n_extents(f, id) > 1500);
	rechunk_all(f);
	after = fixture_attr(f, id);
	n = n_extents(f, id);
	assert_in_range(n, 9, 144);
	check_same_attr(&before, &after);
	check_content(f, id, bytes, size);
	check_counts(f);
	assert_int_equal(chunk_bytes(f), size);
	fixture_rebuild(f);
	assert_int_equal(n_extents(f, id), n);
	check_content(f, id, bytes, size);
	check_counts(f);
	free(bytes);
}

static void rechunk__finds_again_what_is_there_already(void **state)
{
	struct fixture *f = *state;
	size_t size = 6 * MIB + 99;
	uint8_t *bytes = content(size, 2);
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, "pieces"),
		 other = fixture_file(f, VAULT_ROOT_ID, "whole");

	write_in_pieces(f, id, bytes, 0, size, PIECE);
	rechunk_all(f);
	write_file(f, other, bytes, size);
	assert_int_equal(chunk_bytes(f), size);
	assert_int_equal(n_extents(f, id), n_extents(f, other));
	check_content(f, other, bytes, size);
	check_counts(f);
	free(bytes);
}

/* Where data starts and ends. */
static size_t list_data(struct fixture *f, uint64_t id, uint64_t *ret, size_t n)
{
	struct vault_file *file = open_file(f, id);
	uint64_t at = 0;
	size_t found = 0;

	while (found < n && vault_seek(file, at, found % 2 ? SEEK_HOLE : SEEK_DATA, &at) == 0)
		ret[found++] = at;
	vault_file_close(file);
	return found;
}

static void rechunk__keeps_holes(void **state)
{
	struct fixture *f = *state;
	size_t size = 5 * MIB;
	uint8_t *bytes = calloc(1, size);
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, "holes"), before[16], after[16];
	static const size_t islands[][2] = {
		{ 0, MIB },
		{ MIB + 8192, MIB + 8192 + 100000 },
		{ 2 * MIB + 1, 3 * MIB + 100 },
		{ 4 * MIB, 4 * MIB + 1 },
	};
	struct vault_attr attr = { .size = size }, was, is;
	size_t n;

	assert_non_null(bytes);
	for (size_t i = 0; i < 4; i++) {
		fill(bytes + islands[i][0], islands[i][0], islands[i][1] - islands[i][0], 3);
		write_in_pieces(f, id, bytes, islands[i][0], islands[i][1], PIECE);
	}
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, id, VAULT_SET_SIZE, &attr, NULL)), 0);
	assert_int_equal(vault_sync(f->vault), 0);
	n = list_data(f, id, before, 16);
	assert_int_equal(n, 8);
	was = fixture_attr(f, id);
	assert_true(n_extents(f, id) > 300);
	rechunk_all(f);
	is = fixture_attr(f, id);
	assert_true(n_extents(f, id) < 40);
	assert_int_equal(list_data(f, id, after, 16), n);
	assert_memory_equal(before, after, n * sizeof(before[0]));
	check_same_attr(&was, &is);
	check_content(f, id, bytes, size);
	check_counts(f);
	free(bytes);
}

/* More extents go into one chunk than one hold of the metadata lock replaces. */
static void rechunk__copes_with_very_small_pieces(void **state)
{
	struct fixture *f = *state;
	size_t size = 300000, piece = 60;
	uint8_t *bytes = content(size, 4);
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, "lines");

	write_in_pieces(f, id, bytes, 0, size, piece);
	assert_true(n_extents(f, id) > 2500);
	rechunk_all(f);
	assert_true(n_extents(f, id) <= 5);
	check_content(f, id, bytes, size);
	check_counts(f);
	assert_int_equal(chunk_bytes(f), size);
	free(bytes);
}

/* An open file whose last run is kept in the write buffer for its cut, and that is written on afterwards. */
static void rechunk__takes_in_what_is_buffered(void **state)
{
	struct fixture *f = *state;
	size_t piece = 3000, n = 300;
	uint8_t *bytes = content(2 * n * piece, 5);
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, "log");
	struct vault_file *file = open_file(f, id);
	struct vault_attr before, after;

	for (size_t i = 0; i < n; i++) {
		write_at(f, file, i * piece, bytes + i * piece, piece);
		assert_int_equal(vault_sync(f->vault), 0);
	}
	before = fixture_attr(f, id);
	rechunk_all(f);
	after = fixture_attr(f, id);
	check_same_attr(&before, &after);
	assert_true(n_extents(f, id) <= 14);
	assert_int_equal(f->vault->live->kept, 0);
	write_at(f, file, n * piece, bytes + n * piece, n * piece);
	vault_file_close(file);
	check_content(f, id, bytes, 2 * n * piece);
	check_counts(f);
	free(bytes);
}

/* A few bytes are left of large chunks. */
static void rechunk__lets_go_of_what_is_hardly_used(void **state)
{
	struct fixture *f = *state;
	size_t size = 4 * MIB;
	uint8_t *bytes = content(size, 6);
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, "cut off"),
		 holey = fixture_file(f, VAULT_ROOT_ID, "punched");
	struct vault_attr attr = { .size = 100 };
	struct vault_file *file;

	write_file(f, id, bytes, size);
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, id, VAULT_SET_SIZE, &attr, NULL)), 0);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_true(chunk_bytes(f) > 64 << 10);
	rechunk_all(f);
	assert_int_equal(chunk_bytes(f), 100);
	check_content(f, id, bytes, 100);

	write_file(f, holey, bytes, size);
	file = open_file(f, holey);
	for (size_t at = 0; at < size; at += 64 << 10) {
		memset(bytes + at, 0, 60 << 10);
		assert_int_equal(CHANGE(f, vault_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
							   at, 60 << 10)),
				 0);
	}
	vault_file_close(file);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_true(chunk_bytes(f) > 3 * MIB);
	rechunk_all(f);
	assert_int_equal(chunk_bytes(f), 100 + size / 16);
	check_content(f, holey, bytes, size);
	check_counts(f);
	free(bytes);
}

/* A clone of which a part was overwritten in pieces would be stored a second time. Without the other file it is not. */
static void rechunk__leaves_alone_what_others_need(void **state)
{
	struct fixture *f = *state;
	size_t size = 2 * MIB;
	uint8_t *bytes = content(size, 7);
	uint64_t first = fixture_file(f, VAULT_ROOT_ID, "first"),
		 clone = fixture_file(f, VAULT_ROOT_ID, "clone"), n, was;
	struct vault_file *from, *to;
	struct vault_attr gone;

	write_file(f, first, bytes, size);
	from = open_file(f, first);
	to = open_file(f, clone);
	assert_int_equal(CHANGE(f, vault_copy_range(from, 0, to, 0, size)), size);
	for (size_t at = 0; at < size; at += 32 << 10) {
		fill(bytes + at, at, PIECE, 8);
		write_at(f, to, at, bytes + at, PIECE);
	}
	vault_file_close(from);
	vault_file_close(to);
	assert_int_equal(vault_sync(f->vault), 0);
	n = n_extents(f, clone);
	was = chunk_bytes(f);
	assert_true(n >= 128);
	rechunk_all(f);
	assert_int_equal(n_extents(f, clone), n);
	assert_int_equal(chunk_bytes(f), was);
	check_content(f, clone, bytes, size);

	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "first", &gone)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, first)), 0);
	while (sql_number(f, "SELECT count(*) FROM dropped") > 0)
		assert_true(CHANGE(f, manifest_drop_slice(f->vault)) >= 0);
	to = open_file(f, clone);
	write_at(f, to, 0, bytes, 1);
	vault_file_close(to);
	rechunk_all(f);
	assert_true(n_extents(f, clone) < 40);
	check_content(f, clone, bytes, size);
	check_counts(f);
	free(bytes);
}

static void rechunk__skips_what_has_no_name(void **state)
{
	struct fixture *f = *state;
	size_t size = MIB;
	uint8_t *bytes = content(size, 9);
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, "unlinked"),
		 gone = fixture_file(f, VAULT_ROOT_ID, "gone"), n;
	struct vault_file *file = open_file(f, id);
	struct vault_attr attr;

	write_in_pieces(f, id, bytes, 0, size, PIECE);
	write_in_pieces(f, gone, bytes, 0, size, PIECE);
	n = n_extents(f, id);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "unlinked", &attr)), 0);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "gone", &attr)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, gone)), 0);
	rechunk_all(f);
	assert_int_equal(n_extents(f, id), n);
	check_content(f, id, bytes, size);
	vault_file_close(file);
	free(bytes);
}

/* What the chunker cut once is not touched again. */
static void rechunk__leaves_alone_what_is_well_cut(void **state)
{
	struct fixture *f = *state;
	size_t size = 12 * MIB;
	uint8_t *bytes = content(size, 10);
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, "whole");
	int64_t appended;

	write_file(f, id, bytes, size);
	appended = sql_number(f, "SELECT count(*) + sum(id) FROM chunks");
	rechunk_all(f);
	assert_int_equal(sql_number(f, "SELECT count(*) + sum(id) FROM chunks"), appended);
	check_content(f, id, bytes, size);
	free(bytes);
}

/* ---- beside a writer ---- */

struct writer {
	struct fixture *f;
	struct vault_file *file;
	uint8_t *bytes;
	size_t size;
	unsigned seed;
	int result;
	_Atomic bool done;
};

static void *write_randomly(void *context)
{
	struct writer *w = context;

	for (unsigned i = 0; i < 3000 && w->result == 0; i++) {
		size_t size = 1 + (size_t)rand_r(&w->seed) % 6000;
		size_t at = (size_t)rand_r(&w->seed) % (w->size - size);

		fill(w->bytes + at, i, size, w->seed);
		w->result = CHANGE(w->f, vault_write(w->file, at, w->bytes + at, size, 0));
		if (i % 20 == 0 && w->result == 0)
			w->result = vault_sync(w->f->vault);
		if (i % 100 == 0)
			(void)usleep(2000); /* lets steps get further now and then */
	}
	w->done = true;
	return NULL;
}

/* With no idle time at all, steps meet writes at every moment: none may get lost. */
static void rechunk__gives_up_where_a_write_comes_between(void **state)
{
	struct fixture *f = *state;
	struct writer w = { .f = f, .size = 3 * MIB, .seed = 11 };
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, "written");
	pthread_t thread;

	w.bytes = content(w.size, 12);
	write_file(f, id, w.bytes, w.size);
	w.file = open_file(f, id);
	f->vault->live->rechunk_idle_ns = 0;
	assert_int_equal(pthread_create(&thread, NULL, write_randomly, &w), 0);
	while (!w.done)
		if (file_rechunk_step(f->vault) < 0)
			break;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(w.result, 0);
	check_content(f, id, w.bytes, w.size);
	rechunk_all(f);
	check_content(f, id, w.bytes, w.size);
	assert_true(n_extents(f, id) < 60);
	vault_file_close(w.file);
	check_counts(f);
	fixture_rebuild(f);
	check_content(f, id, w.bytes, w.size);
	check_counts(f);
	free(w.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(rechunk__makes_few_extents_of_many_and_changes_nothing_else),
		FIXTURE_TEST(rechunk__finds_again_what_is_there_already),
		FIXTURE_TEST(rechunk__keeps_holes),
		FIXTURE_TEST(rechunk__copes_with_very_small_pieces),
		FIXTURE_TEST(rechunk__takes_in_what_is_buffered),
		FIXTURE_TEST(rechunk__lets_go_of_what_is_hardly_used),
		FIXTURE_TEST(rechunk__leaves_alone_what_others_need),
		FIXTURE_TEST(rechunk__skips_what_has_no_name),
		FIXTURE_TEST(rechunk__leaves_alone_what_is_well_cut),
		FIXTURE_TEST(rechunk__gives_up_where_a_write_comes_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
