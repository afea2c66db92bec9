/* test_file.c - content of files: what was written is what is read, however it was cut, drained, committed and opened
 * again; memory stays bounded, equal content is kept once, and damage stays where it is. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "fixture.h"

#include "commit.h"
#include "file.h"
#include "live_internal.h"
#include "packs_internal.h"

#define KIB 1024u
#define MIB (1024u * 1024u)

static uint64_t seed;

/* ---- bytes ---- */

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t below(uint64_t *state, uint64_t n)
{
	return (next_random(state) >> 11) % n;
}

static void fill_random(uint64_t *state, uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = next_random(state);

		memcpy(bytes + i, &word, size - i < 8 ? size - i : 8);
	}
}

/* Words that repeat, but not with a period. */
static void fill_text(uint64_t *state, uint8_t *bytes, size_t size)
{
	static const char *const words[] = { "vault ", "chunk ", "of ", "the ", "extent\n", "record ", "0000", "a " };

	for (size_t at = 0; at < size;) {
		const char *word = words[below(state, 8)];
		size_t n = strlen(word);

		if (n > size - at)
			n = size - at;
		memcpy(bytes + at, word, n);
		at += n;
	}
}

static uint8_t *random_bytes(uint64_t *state, size_t size)
{
	uint8_t *bytes = malloc(size);

	assert_non_null(bytes);
	fill_random(state, bytes, size);
	return bytes;
}

/* ---- vaults and files ---- */

static void close_vault(struct fixture *f)
{
	struct vault *vault = f->vault;

	f->vault = NULL;
	assert_int_equal(vault_close(vault), 0);
}

static int small_chunks_setup(void **state)
{
	static const struct vault_create_options options = { .chunk_average = 16 * KIB, .pack_size = 4 * MIB };
	struct fixture *f;

	if (fixture_setup(state) != 0)
		return -1;
	f = *state;
	if (vault_close(f->vault) != 0 || nftw(f->path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		return -1;
	f->vault = NULL;
	if (vault_create(f->path, &options) != 0)
		return -1;
	return vault_open(f->path, NULL, &f->vault);
}

/* No commit by time comes in between. */
static int patient_setup(void **state)
{
	static const struct vault_open_options options = { .commit_seconds = 600 };
	struct fixture *f;

	if (fixture_setup(state) != 0)
		return -1;
	f = *state;
	if (vault_close(f->vault) != 0)
		return -1;
	f->vault = NULL;
	return vault_open(f->path, &options, &f->vault);
}

static struct vault_file *open_file(struct fixture *f, uint64_t id)
{
	struct vault_file *file = NULL;

	assert_int_equal(vault_file_open(f->vault, id, &file), 0);
	return file;
}

static void write_at(struct fixture *f, struct vault_file *file, uint64_t offset, const void *bytes, size_t size)
{
	int r;

	vault_change_begin(f->vault, size);
	r = vault_write(file, offset, bytes, size, 0);
	vault_change_end(f->vault);
	assert_int_equal(r, 0);
}

static void assert_reads(struct vault_file *file, uint64_t offset, const uint8_t *want, size_t size, const char *when)
{
	uint8_t *got = malloc(size + 1);

	assert_non_null(got);
	for (size_t at = 0; at < size;) {
		ssize_t n = vault_read(file, offset + at, got + at, size - at);

		if (n <= 0)
			fail_msg("%s, seed %llu: reading %zu at %llu: %zd", when, (unsigned long long)seed, size - at,
				 (unsigned long long)(offset + at), n);
		at += (size_t)n;
	}
	for (size_t i = 0; i < size; i++)
		if (got[i] != want[i])
			fail_msg("%s, seed %llu: byte %llu is %02x, not %02x", when, (unsigned long long)seed,
				 (unsigned long long)(offset + i), got[i], want[i]);
	free(got);
}

/* A file of these bytes, written in pieces of `piece`, with a sync every `sync_every` pieces (0: none). */
static uint64_t file_of(struct fixture *f, const char *name, const uint8_t *bytes, size_t size, size_t piece,
			unsigned sync_every)
{
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, name);
	struct vault_file *file = open_file(f, id);
	unsigned n = 0;

	for (size_t at = 0; at < size; at += piece) {
		write_at(f, file, at, bytes + at, piece < size - at ? piece : size - at);
		if (sync_every > 0 && ++n % sync_every == 0)
			assert_int_equal(vault_sync(f->vault), 0);
	}
	vault_file_close(file);
	return id;
}

static struct vault_stats stats_of(struct fixture *f)
{
	struct vault_stats stats;

	assert_int_equal(vault_stats(f->vault, &stats), 0);
	return stats;
}

/* Nothing is on its way; with all files closed nothing is kept, and no room is promised. */
static void assert_at_rest(struct fixture *f, bool all_closed)
{
	struct live_table *live = f->vault->live;
	struct packs *packs = f->vault->packs;
	int64_t promised;

	assert_int_equal(file_undrained(f->vault), 0);
	assert_int_equal(live->undrained, 0);
	assert_int_equal(live->storing, 0);
	assert_int_equal(live->n_stores, 0);
	if (!all_closed)
		return;
	assert_int_equal(live->kept, 0);
	promised = (int64_t)(packs->allocated - packs->position) - (int64_t)PACK_MARGIN - atomic_load(&packs->room);
	assert_int_equal(promised, 0);
}

/* ---- random operations against a model ---- */

#define MODEL_FILES 4
#define MODEL_MAX (5 * MIB)
#define WRITE_MAX (2 * MIB)

struct model_file {
	uint64_t id;
	struct vault_file *file;
	uint8_t *bytes;		/* zero behind size */
	uint8_t *mapped;	/* 1 where there is no hole */
	uint64_t size;
};

struct model {
	struct fixture *f;
	struct model_file files[MODEL_FILES];
	uint8_t *data;		/* WRITE_MAX */
	uint64_t random;
};

static void model_init(struct model *m, struct fixture *f)
{
	*m = (struct model){ .f = f, .random = seed, .data = malloc(WRITE_MAX) };
	assert_non_null(m->data);
	for (int i = 0; i < MODEL_FILES; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "file%d", i);
		m->files[i].id = fixture_file(f, VAULT_ROOT_ID, name);
		m->files[i].file = open_file(f, m->files[i].id);
		m->files[i].bytes = calloc(1, MODEL_MAX);
		m->files[i].mapped = calloc(1, MODEL_MAX);
		assert_non_null(m->files[i].bytes);
		assert_non_null(m->files[i].mapped);
	}
}

static void model_release(struct model *m)
{
	for (int i = 0; i < MODEL_FILES; i++) {
		free(m->files[i].bytes);
		free(m->files[i].mapped);
	}
	free(m->data);
}

/* Small ones are as frequent as large ones, and most are odd. */
static uint64_t random_size(struct model *m, uint64_t max)
{
	uint64_t limit = 1ull << below(&m->random, 22);
	uint64_t size = 1 + below(&m->random, limit);

	return size < max ? size : max;
}

static uint64_t random_offset(struct model *m, const struct model_file *file)
{
	switch (below(&m->random, 4)) {
	case 0:
		return file->size < MODEL_MAX ? file->size : 0;	/* append */
	case 1:	/* inside of what was written last, probably */
		return file->size > 1000 ? file->size - 1 - below(&m->random, 1000) : 0;
	default:
		return below(&m->random, file->size + 1 < MODEL_MAX ? file->size + file->size / 8 + 1 : MODEL_MAX) %
		       MODEL_MAX;
	}
}

static void model_set(struct model_file *file, uint64_t offset, uint64_t size, const uint8_t *bytes)
{
	if (bytes)
		memcpy(file->bytes + offset, bytes, size);
	else
		memset(file->bytes + offset, 0, size);
	memset(file->mapped + offset, bytes != NULL, size);
	if (bytes && offset + size > file->size)
		file->size = offset + size;
}

static void do_write(struct model *m, struct model_file *file)
{
	uint64_t offset = random_offset(m, file);
	uint64_t size = random_size(m, WRITE_MAX);
	const struct model_file *other = &m->files[below(&m->random, MODEL_FILES)];

	if (size > MODEL_MAX - offset)
		size = MODEL_MAX - offset;
	switch (below(&m->random, 4)) {
	case 0:
		fill_text(&m->random, m->data, size);
		break;
	case 1:	/* what is somewhere already */
		memcpy(m->data, other->bytes + below(&m->random, MODEL_MAX - size + 1), size);
		break;
	default:
		fill_random(&m->random, m->data, size);
		break;
	}
	write_at(m->f, file->file, offset, m->data, size);
	model_set(file, offset, size, m->data);
}

static void do_truncate(struct model *m, struct model_file *file)
{
	struct vault_attr values = { .size = below(&m->random, 3) ? below(&m->random, file->size + 1) :
								    below(&m->random, MODEL_MAX) };

	assert_int_equal(CHANGE(m->f, vault_setattr(m->f->vault, file->id, VAULT_SET_SIZE, &values, NULL)), 0);
	if (values.size < file->size)
		model_set(file, values.size, file->size - values.size, NULL);
	file->size = values.size;
}

static void do_fallocate(struct model *m, struct model_file *file)
{
	static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	int mode = modes[below(&m->random, 6)];
	uint64_t offset = random_offset(m, file);
	uint64_t length = random_size(m, MODEL_MAX - offset);

	assert_int_equal(CHANGE(m->f, vault_fallocate(file->file, mode, offset, length)), 0);
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		model_set(file, offset, length, NULL);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && offset + length > file->size)
		file->size = offset + length;
}

static void do_copy(struct model *m, struct model_file *to)
{
	struct model_file *from = &m->files[below(&m->random, MODEL_FILES)];
	uint64_t from_offset = below(&m->random, from->size + 1), to_offset = random_offset(m, to);
	uint64_t length = random_size(m, MODEL_MAX - to_offset);
	ssize_t n;

	n = CHANGE(m->f, vault_copy_range(from->file, from_offset, to->file, to_offset, length));
	if (length > from->size - from_offset)
		length = from->size - from_offset;
	if (from == to && length > 0 && from_offset < to_offset + length && to_offset < from_offset + length) {
		assert_int_equal(n, -EINVAL);
		return;
	}
	assert_true(n >= 0 && (uint64_t)n <= length && (n > 0 || length == 0));
	memmove(to->bytes + to_offset, from->bytes + from_offset, (size_t)n);
	memmove(to->mapped + to_offset, from->mapped + from_offset, (size_t)n);
	if (n > 0 && to_offset + (uint64_t)n > to->size)
		to->size = to_offset + (uint64_t)n;
}

static void do_read(struct model *m, const struct model_file *file)
{
	uint64_t offset = below(&m->random, file->size + 1);
	uint64_t size = random_size(m, WRITE_MAX);
	uint8_t byte;

	if (size > file->size - offset)
		size = file->size - offset;
	assert_reads(file->file, offset, file->bytes + offset, size, "reading somewhere");
	assert_int_equal(vault_read(file->file, file->size, &byte, 1), 0);
}

static void do_seek(struct model *m, const struct model_file *file)
{
	bool data = below(&m->random, 2);
	uint64_t offset = below(&m->random, file->size + 1), want = offset, got = 0;
	int r = vault_seek(file->file, offset, data ? SEEK_DATA : SEEK_HOLE, &got);

	while (want < file->size && file->mapped[want] != data)
		want++;
	if (offset == file->size || (data && want == file->size)) {
		assert_int_equal(r, -ENXIO);
		return;
	}
	assert_int_equal(r, 0);
	if (got != want)
		fail_msg("seed %llu: seek %s from %llu of %llu: %llu, not %llu", (unsigned long long)seed,
			 data ? "data" : "hole", (unsigned long long)offset, (unsigned long long)file->size,
			 (unsigned long long)got, (unsigned long long)want);
}

static void check_all(struct model *m, const char *when)
{
	for (int i = 0; i < MODEL_FILES; i++) {
		const struct model_file *file = &m->files[i];
		struct vault_attr attr = fixture_attr(m->f, file->id);
		uint64_t mapped = 0;

		for (uint64_t at = 0; at < file->size; at++)
			mapped += file->mapped[at];
		assert_int_equal(attr.size, file->size);
		assert_int_equal(attr.mapped, mapped);
		assert_reads(file->file, 0, file->bytes, file->size, when);
	}
}

static void model_close_files(struct model *m)
{
	for (int i = 0; i < MODEL_FILES; i++)
		vault_file_close(TAKE(m->files[i].file));
}

static void model_open_files(struct model *m)
{
	for (int i = 0; i < MODEL_FILES; i++)
		m->files[i].file = open_file(m->f, m->files[i].id);
}

static void do_sync(struct model *m)
{
	assert_int_equal(vault_sync(m->f->vault), 0);
	assert_at_rest(m->f, false);
	check_all(m, "after a sync");
}

/* Whatever was accepted and is not stored yet has room in a pack. */
static void assert_room_is_kept(const struct model_file *file)
{
	struct live_inode *inode = file_inode(file->file);
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&inode->lock);
	bool kept = true;

	for (uint32_t i = 0; i < inode->n_segments; i++)
		kept &= inode->segments[i]->reserved >= inode->segments[i]->length - inode->segments[i]->stored;
	(void)pthread_mutex_unlock(TAKE(held));
	assert_true(kept);
}

static void one_operation(struct model *m)
{
	struct model_file *file = &m->files[below(&m->random, MODEL_FILES)];
	uint64_t what = below(&m->random, 1000);

	if (what < 450)
		do_write(m, file);
	else if (what < 700)
		do_read(m, file);
	else if (what < 760)
		do_truncate(m, file);
	else if (what < 830)
		do_fallocate(m, file);
	else if (what < 890)
		do_copy(m, file);
	else if (what < 930)
		do_seek(m, file);
	else if (what < 970)
		assert_int_equal(vault_sync(m->f->vault), 0);
	else if (what < 980)
		do_sync(m);
	else if (what < 996)
		vault_file_close(TAKE(file->file));
	if (!file->file)
		file->file = open_file(m->f, file->id);
	assert_room_is_kept(file);
}

static void run_model(struct fixture *f, unsigned n_operations)
{
	struct model m;

	model_init(&m, f);
	for (unsigned i = 0; i < n_operations; i++) {
		one_operation(&m);
		if (i % 400 != 399)
			continue;
		model_close_files(&m);
		if (i % 800 == 799)
			fixture_reopen(f);
		model_open_files(&m);
	}
	model_close_files(&m);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_at_rest(f, true);
	fixture_rebuild(f);
	model_open_files(&m);
	check_all(&m, "after a rebuild");
	model_close_files(&m);
	model_release(&m);
}

static void operations__agree_with_a_model(void **state)
{
	run_model(*state, 1600);
}

static void operations__agree_with_a_model_in_small_chunks(void **state)
{
	run_model(*state, 1600);
}

/* ---- threads ---- */

#define BLOCK 4096u
#define N_BLOCKS 96u
#define RUN_MAX 24u
#define N_FILES 3
#define N_READERS 3
#define N_WRITES 250

struct block {
	uint64_t file, number, version, checksum;
	uint8_t rest[BLOCK - 32];
};

struct shared_file {
	struct crowd *crowd;
	uint64_t number;
	struct vault_file *file;
	_Atomic uint64_t versions[N_BLOCKS];	/* what vault_write() has returned for */
};

struct crowd {
	struct fixture *f;
	struct shared_file files[N_FILES];
	_Atomic unsigned n_writing;
	_Atomic unsigned n_errors;
};

static uint64_t checksum_of(const struct block *block)
{
	uint64_t sum = block->file * 31 + block->number * 37 + block->version * 41;

	for (size_t i = 0; i < sizeof(block->rest); i++)
		sum = (sum ^ block->rest[i]) * 0x100000001b3u;
	return sum;
}

static void make_block(struct block *block, uint64_t file, uint64_t number, uint64_t version)
{
	uint64_t state = file << 40 ^ number << 20 ^ version ^ 0x9e3779b97f4a7c15u;

	*block = (struct block){ file, number, version, 0, { 0 } };
	fill_random(&state, block->rest, version % 3 ? sizeof(block->rest) : 64);
	block->checksum = checksum_of(block);
}

static void *write_versions(void *context)
{
	struct shared_file *shared = context;
	struct vault *vault = shared->crowd->f->vault;
	struct block *blocks = calloc(RUN_MAX, sizeof(*blocks));
	uint64_t random = seed + shared->number + 1;

	for (uint64_t version = 1; blocks && version <= N_WRITES; version++) {
		uint64_t first = below(&random, N_BLOCKS), n = 1 + below(&random, RUN_MAX);
		int r;

		if (n > N_BLOCKS - first)
			n = N_BLOCKS - first;
		for (uint64_t i = 0; i < n; i++)
			make_block(&blocks[i], shared->number, first + i, version);
		vault_change_begin(vault, n * BLOCK);
		r = vault_write(shared->file, first * BLOCK, blocks, n * BLOCK, 0);
		vault_change_end(vault);
		shared->crowd->n_errors += r != 0;
		for (uint64_t i = 0; i < n; i++)
			shared->versions[first + i] = version;
	}
	shared->crowd->n_errors += blocks == NULL;
	free(blocks);
	shared->crowd->n_writing--;
	return NULL;
}

/* Zeros before the first write, or one whole version, and none older than what was written when the read began. */
static bool block_is_right(const struct block *block, uint64_t file, uint64_t number, uint64_t at_least)
{
	if (block->version == 0)
		return at_least == 0 && block->checksum == 0;
	return block->file == file && block->number == number && block->version >= at_least &&
	       block->checksum == checksum_of(block);
}

static void read_once_checked(struct shared_file *shared, uint64_t *random, struct block *blocks)
{
	uint64_t first = below(random, N_BLOCKS), n = 1 + below(random, RUN_MAX);
	uint64_t at_least[RUN_MAX];
	ssize_t got;

	if (n > N_BLOCKS - first)
		n = N_BLOCKS - first;
	for (uint64_t i = 0; i < n; i++)
		at_least[i] = shared->versions[first + i];
	got = vault_read(shared->file, first * BLOCK, blocks, n * BLOCK);
	shared->crowd->n_errors += got < 0;
	for (uint64_t i = 0; i < n; i++) {
		if (got < (ssize_t)((i + 1) * BLOCK))
			shared->crowd->n_errors += at_least[i] > 0;
		else
			shared->crowd->n_errors += !block_is_right(&blocks[i], shared->number, first + i, at_least[i]);
	}
}

static void *read_versions(void *context)
{
	struct crowd *crowd = context;
	struct block *blocks = calloc(RUN_MAX, sizeof(*blocks));
	uint64_t random = seed + (uintptr_t)&random;

	while (blocks && crowd->n_writing > 0)
		read_once_checked(&crowd->files[below(&random, N_FILES)], &random, blocks);
	crowd->n_errors += blocks == NULL;
	free(blocks);
	return NULL;
}

static void *disturb(void *context)
{
	struct crowd *crowd = context;
	uint64_t random = seed + 99, found;

	while (crowd->n_writing > 0) {
		struct shared_file *shared = &crowd->files[below(&random, N_FILES)];
		struct vault_attr attr;

		if (below(&random, 2))
			crowd->n_errors += vault_sync(crowd->f->vault) != 0;
		else
			(void)vault_seek(shared->file, 0, SEEK_HOLE, &found);
		crowd->n_errors += vault_getattr(crowd->f->vault, vault_file_id(shared->file), &attr) != 0;
	}
	return NULL;
}

static void readers__see_whole_versions(void **state)
{
	struct fixture *f = *state;
	struct crowd crowd = { .f = f, .n_writing = N_FILES };
	pthread_t threads[N_FILES + N_READERS + 1];
	unsigned n = 0;
	struct block *blocks = calloc(RUN_MAX, sizeof(*blocks));
	uint64_t random = seed;

	assert_non_null(blocks);
	for (uint64_t i = 0; i < N_FILES; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "shared%u", (unsigned)i);
		crowd.files[i].crowd = &crowd;
		crowd.files[i].number = i + 1;
		crowd.files[i].file = open_file(f, fixture_file(f, VAULT_ROOT_ID, name));
	}
	for (int i = 0; i < N_FILES; i++)
		assert_int_equal(pthread_create(&threads[n++], NULL, write_versions, &crowd.files[i]), 0);
	for (int i = 0; i < N_READERS; i++)
		assert_int_equal(pthread_create(&threads[n++], NULL, read_versions, &crowd), 0);
	assert_int_equal(pthread_create(&threads[n++], NULL, disturb, &crowd), 0);
	while (n > 0)
		(void)pthread_join(threads[--n], NULL);
	for (int i = 0; i < 200; i++)
		read_once_checked(&crowd.files[i % N_FILES], &random, blocks);
	assert_int_equal(crowd.n_errors, 0);
	for (int i = 0; i < N_FILES; i++)
		vault_file_close(crowd.files[i].file);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_at_rest(f, true);
	free(blocks);
}

/* ---- equal content ---- */

static void chunks__are_the_same_however_written(void **state)
{
	static const struct { size_t piece; unsigned sync_every; } rows[] = {
		{ 6 * MIB, 0 },
		{ 4 * KIB, 0 },
		{ 4 * KIB, 100 },
		{ 70001, 1 },
		{ 1 * MIB, 2 },
		{ 300 * KIB + 1, 3 },
	};
	struct fixture *f = *state;
	size_t size = 6 * MIB - 12345;
	uint64_t random = seed;
	uint8_t *bytes = random_bytes(&random, size);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vault_stats stats;
		char name[16];

		(void)snprintf(name, sizeof(name), "copy%zu", i);
		(void)file_of(f, name, bytes, size, rows[i].piece, rows[i].sync_every);
		fixture_reopen(f);	/* what the last handle's end handed out is in */
		stats = stats_of(f);
		if (stats.chunk_bytes != size)
			fail_msg("pieces of %zu, seed %llu: %llu bytes of chunks for a content of %zu", rows[i].piece,
				 (unsigned long long)seed, (unsigned long long)stats.chunk_bytes, size);
		assert_int_equal(stats.logical_bytes, (i + 1) * size);
	}
	free(bytes);
}

static void a_second_copy__adds_no_bytes(void **state)
{
	struct fixture *f = *state;
	size_t size = 4 * MIB;
	uint64_t random = seed, before;
	uint8_t *bytes = random_bytes(&random, size);

	(void)file_of(f, "one", bytes, size, 128 * KIB, 0);
	assert_int_equal(vault_sync(f->vault), 0);
	before = stats_of(f).pack_bytes;
	(void)file_of(f, "two", bytes, size, 50000, 0);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_true(stats_of(f).pack_bytes - before < 8 * KIB);
	free(bytes);
}

static void an_insertion__shares_nearly_all(void **state)
{
	struct fixture *f = *state;
	size_t size = 12 * MIB, n = 1234;
	uint64_t random = seed, first;
	uint8_t *bytes = random_bytes(&random, size + n);

	(void)file_of(f, "one", bytes + n, size, 1 * MIB, 0);
	assert_int_equal(vault_sync(f->vault), 0);
	first = stats_of(f).chunk_bytes;
	memmove(bytes, bytes + n, 5000);	/* the same start, then n bytes that the other has not, then the rest */
	(void)file_of(f, "two", bytes, size + n, 1 * MIB, 0);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_true(stats_of(f).chunk_bytes - first <= 3 * MIB);
	free(bytes);
}

/* ---- bounds ---- */

#define N_WRITERS 8

struct writers {
	struct fixture *f;
	_Atomic unsigned n_started, n_writing, n_errors;
};

static void *write_much(void *context)
{
	struct writers *w = context;
	uint64_t id, random = seed + ++w->n_started;
	struct vault_attr wanted = { .mode = S_IFREG | 0600 }, made;
	struct vault_file *file = NULL;
	uint8_t *bytes = malloc(MIB);
	char name[32];

	(void)snprintf(name, sizeof(name), "much%llu", (unsigned long long)random);
	w->n_errors += !bytes || CHANGE(w->f, vault_make(w->f->vault, VAULT_ROOT_ID, name, &wanted, NULL, &made)) != 0;
	id = made.id;
	w->n_errors += vault_file_open(w->f->vault, id, &file) != 0;
	for (uint64_t i = 0; file && i < 16; i++) {
		fill_random(&random, bytes, MIB);
		vault_change_begin(w->f->vault, MIB);
		w->n_errors += vault_write(file, i * MIB, bytes, MIB, 0) != 0;
		vault_change_end(w->f->vault);
	}
	vault_file_close(file);
	free(bytes);
	w->n_writing--;
	return NULL;
}

static void writers__stay_below_the_bound(void **state)
{
	struct fixture *f = *state;
	struct writers w = { .f = f, .n_writing = N_WRITERS };
	pthread_t threads[N_WRITERS];
	uint64_t most = 0;

	for (int i = 0; i < N_WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_much, &w), 0);
	while (w.n_writing > 0) {
		uint64_t now = file_undrained(f->vault);

		most = now > most ? now : most;
		(void)sched_yield();
	}
	for (int i = 0; i < N_WRITERS; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(w.n_errors, 0);
	assert_true(most <= COMMIT_UNDRAINED_MAX + N_WRITERS * MIB + MIB / 4);	/* and some for the pieces */
	assert_int_equal(vault_sync(f->vault), 0);
	assert_at_rest(f, true);
}

struct readiness {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n;
};

static void on_ready(void *context)
{
	struct readiness *ready = context;

	(void)pthread_mutex_lock(&ready->lock);
	ready->n++;
	(void)pthread_cond_signal(&ready->changed);
	(void)pthread_mutex_unlock(&ready->lock);
}

/* Many files with a little each, none of which is cut: nothing would make room but a drain, and nobody asks for one. */
static void change_try__is_told_when_there_is_room(void **state)
{
	enum { N = 400, SIZE = 150 * KIB };
	static struct readiness ready = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
	struct fixture *f = *state;
	struct vault_file *files[N];
	uint64_t random = seed;
	uint8_t *bytes = random_bytes(&random, SIZE + 8 * N);
	unsigned n_refused = 0;
	struct timespec limit;

	(void)clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 60;
	vault_on_ready(f->vault, on_ready, &ready);
	for (int i = 0; i < N; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "little%d", i);
		files[i] = open_file(f, fixture_file(f, VAULT_ROOT_ID, name));
	}
	/* Once, and on until there was no room: on a busy machine the workers may keep up for a while. */
	for (int i = 0; i < N || (n_refused == 0 && i < 100 * N); i++) {
		unsigned seen;

		(void)pthread_mutex_lock(&ready.lock);
		seen = ready.n;
		(void)pthread_mutex_unlock(&ready.lock);
		while (vault_change_try(f->vault, SIZE) == 0) {
			int r = 0;

			n_refused++;
			(void)pthread_mutex_lock(&ready.lock);
			while (r == 0 && ready.n == seen)
				r = pthread_cond_timedwait(&ready.changed, &ready.lock, &limit);
			seen = ready.n;
			(void)pthread_mutex_unlock(&ready.lock);
			assert_int_equal(r, 0);
		}
		assert_int_equal(vault_write(files[i % N], 0, bytes + 8 * (i % N), SIZE, 0), 0);
		vault_change_end(f->vault);
	}
	assert_true(n_refused > 0);
	for (int i = 0; i < N; i++) {
		assert_reads(files[i], 0, bytes + 8 * i, SIZE, "of many files");
		vault_file_close(files[i]);
	}
	assert_int_equal(vault_sync(f->vault), 0);
	assert_at_rest(f, true);
	free(bytes);
}

/* More extents than one request may change, replaced by one write. */
static void write__replaces_more_extents_than_a_call_may(void **state)
{
	enum { SIZE = 2 * COMMIT_ROWS_PER_CALL + 4000 };
	struct fixture *f = *state;
	struct vault_file *file = open_file(f, fixture_file(f, VAULT_ROOT_ID, "file"));
	uint64_t random = seed;
	uint8_t *bytes = random_bytes(&random, SIZE);

	for (uint64_t at = 0; at < SIZE; at += 2)
		write_at(f, file, at, "x", 1);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(fixture_attr(f, vault_file_id(file)).mapped, SIZE / 2);
	write_at(f, file, 0, bytes, SIZE);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_reads(file, 0, bytes, SIZE, "over many extents");
	assert_int_equal(fixture_attr(f, vault_file_id(file)).mapped, SIZE);
	vault_file_close(file);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_at_rest(f, true);
	free(bytes);
}

/* ---- damage ---- */

struct spot {
	uint64_t from, to;	/* of the file: what must not be readable any more */
};

/* Flip a bit in the chunk that the file's middle stands in. The vault is closed. */
static struct spot damage(struct fixture *f, uint64_t id, uint64_t middle)
{
	sqlite3 *handle = NULL;
	sqlite3_stmt *row = NULL;
	char name[400];
	struct spot spot;
	uint8_t byte;
	off_t at;
	int fd;

	(void)snprintf(name, sizeof(name), "%s/vault.db", f->path);
	assert_int_equal(sqlite3_open_v2(name, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(handle,
					    "SELECT x.offset, x.length, c.pack_offset, c.stored_size, c.codec, c.pack_id"
					    " FROM inodes i JOIN extents x ON x.manifest_id = i.manifest_id"
					    " JOIN chunks c ON c.id = x.chunk_id"
					    " WHERE i.id = ?1 AND x.offset <= ?2 ORDER BY x.offset DESC",
					    -1, &row, NULL), SQLITE_OK);
	(void)sqlite3_bind_int64(row, 1, (sqlite3_int64)id);
	(void)sqlite3_bind_int64(row, 2, (sqlite3_int64)middle);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	spot.from = (uint64_t)sqlite3_column_int64(row, 0);
	spot.to = spot.from + (uint64_t)sqlite3_column_int64(row, 1);
	at = (off_t)sqlite3_column_int64(row, 2) +
	     (off_t)record_head_size((uint32_t)sqlite3_column_int64(row, 3)) + 1000;
	if (sqlite3_column_int(row, 4) == 0 && spot.to - spot.from > CHECKSUM_BLOCK)
		spot.to = spot.from + CHECKSUM_BLOCK;	/* stored raw: the other blocks can be told to be whole */
	(void)snprintf(name, sizeof(name), "%s/packs/%08d.pack", f->path, sqlite3_column_int(row, 5));
	(void)sqlite3_finalize(row);
	(void)sqlite3_close(handle);
	fd = open(name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x20;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	assert_int_equal(close(fd), 0);
	return spot;
}

static void assert_damaged_only(struct vault_file *file, const uint8_t *bytes, size_t size, struct spot spot)
{
	uint8_t got[BLOCK];

	for (uint64_t at = 0; at < size; at += BLOCK) {
		size_t n = size - at < BLOCK ? size - at : BLOCK;
		ssize_t r = vault_read(file, at, got, n);
		bool damaged = at < spot.to && at + n > spot.from;

		if (r != (damaged ? -EBADMSG : (ssize_t)n))
			fail_msg("reading at %llu: %zd; damaged is %llu to %llu", (unsigned long long)at, r,
				 (unsigned long long)spot.from, (unsigned long long)spot.to);
		if (!damaged)
			assert_memory_equal(got, bytes + at, n);
	}
}

static void assert_is_repaired_by_writing(struct fixture *f, const uint8_t *bytes, size_t size, bool reopen)
{
	uint64_t id = file_of(f, "broken", bytes, size, 1 * MIB, 0);
	struct vault_file *file, *again;
	struct spot spot;

	close_vault(f);
	spot = damage(f, id, size / 2);
	fixture_open(f);
	file = open_file(f, id);
	assert_damaged_only(file, bytes, size, spot);
	if (reopen) {	/* what was noticed is still known */
		vault_file_close(file);
		fixture_reopen(f);
		file = open_file(f, id);
		assert_reads(file, 0, bytes, 1, "to have extents in memory");
	}
	again = open_file(f, file_of(f, "again", bytes, size, 1 * MIB, 0));
	assert_int_equal(vault_sync(f->vault), 0);
	assert_reads(again, 0, bytes, size, "written again");
	assert_reads(file, 0, bytes, size, "the first file");
	vault_file_close(again);
	vault_file_close(file);
	fixture_rebuild(f);
	file = open_file(f, id);
	assert_reads(file, 0, bytes, size, "the first file, rebuilt");
	vault_file_close(file);
}

static void damage__of_raw_chunks_is_local_and_mended_by_writing(void **state)
{
	uint64_t random = seed;
	uint8_t *bytes = random_bytes(&random, 3 * MIB);

	assert_is_repaired_by_writing(*state, bytes, 3 * MIB, false);
	free(bytes);
}

static void damage__of_compressed_chunks_is_local_and_mended_by_writing(void **state)
{
	uint64_t random = seed;
	uint8_t *bytes = random_bytes(&random, 3 * MIB);

	fill_text(&random, bytes, 3 * MIB);
	assert_is_repaired_by_writing(*state, bytes, 3 * MIB, false);
	free(bytes);
}

static void damage__is_remembered(void **state)
{
	uint64_t random = seed;
	uint8_t *bytes = random_bytes(&random, 3 * MIB);

	assert_is_repaired_by_writing(*state, bytes, 3 * MIB, true);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(operations__agree_with_a_model),
		cmocka_unit_test_setup_teardown(operations__agree_with_a_model_in_small_chunks, small_chunks_setup,
						fixture_teardown),
		FIXTURE_TEST(readers__see_whole_versions),
		FIXTURE_TEST(chunks__are_the_same_however_written),
		FIXTURE_TEST(a_second_copy__adds_no_bytes),
		FIXTURE_TEST(an_insertion__shares_nearly_all),
		FIXTURE_TEST(writers__stay_below_the_bound),
		cmocka_unit_test_setup_teardown(change_try__is_told_when_there_is_room, patient_setup,
						fixture_teardown),
		FIXTURE_TEST(write__replaces_more_extents_than_a_call_may),
		FIXTURE_TEST(damage__of_raw_chunks_is_local_and_mended_by_writing),
		FIXTURE_TEST(damage__of_compressed_chunks_is_local_and_mended_by_writing),
		FIXTURE_TEST(damage__is_remembered),
	};
	const char *given = getenv("VAULTFS_TEST_SEED");

	seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	seed |= seed == 0;	/* the generator needs something */
	print_message("seed %llu (VAULTFS_TEST_SEED repeats it)\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
