/* packs_fixture.h - a directory of packs, and a model of what was appended to them.
 *
 * The model is a list; contents follow from a seed, so that they need not be kept. */
#ifndef VAULTFS_TEST_PACKS_FIXTURE_H
#define VAULTFS_TEST_PACKS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "log.h"
#include "packs.h"

#define KEPT_MAX 80000u
#define MIB (UINT64_C(1) << 20)

struct kept {
	struct place place;
	uint64_t checksum;
	uint64_t id;
	uint32_t size, seed;
	uint8_t type;
};

struct fixture {
	char path[64];
	int dir_fd;
	struct packs *packs;
	struct kept *kept;
	size_t n;
	uint8_t *bytes, *more; /* RECORD_STORED_MAX each */
};

static const uint8_t our_uuid[16] = "0123456789abcde";
static atomic_uint n_logged; /* lines since the test began */

/* ---- fixture ---- */

/* Field by field: what lies between them is nobody's. */
static inline void assert_record(const struct record *got, const struct record *want)
{
	assert_int_equal(got->type, want->type);
	assert_int_equal(got->codec, want->codec);
	assert_int_equal(got->raw_size, want->raw_size);
	assert_int_equal(got->stored_size, want->stored_size);
	assert_int_equal(got->part, want->part);
	assert_int_equal(got->n_parts, want->n_parts);
	assert_int_equal(got->id, want->id);
	assert_memory_equal(&got->hash, &want->hash, sizeof(want->hash));
}

static inline void count_line(enum log_level level, const char *line, void *context)
{
	(void)context;
	atomic_fetch_add(&n_logged, 1);
	if (getenv("VAULTFS_TEST_VERBOSE"))
		fprintf(stderr, "%d %s\n", (int)level, line);
}

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline uint64_t random_seed(void)
{
	const char *given = getenv("VAULTFS_TEST_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20;

	print_message("VAULTFS_TEST_SEED=%" PRIu64 "\n", seed);
	return seed;
}

static inline void fill(uint8_t *bytes, size_t size, uint32_t seed)
{
	uint64_t state = seed;
	size_t i = 0;

	for (; i + 8 <= size; i += 8)
		put_u64(bytes + i, random_next(&state));
	for (; i < size; i++)
		bytes[i] = (uint8_t)random_next(&state);
}

static inline void open_packs(struct fixture *f, uint64_t pack_size, bool read_only)
{
	struct packs_options options = { .pack_size = pack_size, .read_only = read_only };

	memcpy(options.uuid, our_uuid, sizeof(options.uuid));
	assert_int_equal(packs_open(f->dir_fd, f->path, &options, &f->packs), 0);
}

static inline int open_result(struct fixture *f)
{
	struct packs_options options = { .pack_size = MIB };
	struct packs *packs = NULL;

	memcpy(options.uuid, our_uuid, sizeof(options.uuid));
	int r = packs_open(f->dir_fd, f->path, &options, &packs);

	packs_close(packs);
	return r;
}

static inline void start(struct fixture *f, uint64_t pack_size)
{
	open_packs(f, pack_size, false);
	assert_int_equal(packs_start_writing(f->packs, (struct place){ 0, 0 }), 0);
}

static inline void close_packs(struct fixture *f)
{
	packs_close(f->packs);
	f->packs = NULL;
}

static inline int setup(void **state)
{
	static struct fixture f;
	const char *tmp = getenv("TMPDIR");

	log_set_sink(count_line, NULL, LOG_LEVEL_DEBUG);
	atomic_store(&n_logged, 0);
	f = (struct fixture){ .dir_fd = -1 };
	snprintf(f.path, sizeof(f.path), "%s/packs-XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	f.kept = malloc(KEPT_MAX * sizeof(*f.kept));
	f.bytes = malloc(RECORD_STORED_MAX);
	f.more = malloc(RECORD_STORED_MAX);
	if (!f.kept || !f.bytes || !f.more || !mkdtemp(f.path))
		return -1;
	f.dir_fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &f;
	return f.dir_fd < 0 ? -1 : 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	DIR *dir;

	packs_close(f->packs);
	close(f->dir_fd);
	(void)umount2(f->path, MNT_DETACH); /* by the test that mounted something there */
	dir = opendir(f->path);
	for (struct dirent *e; dir && (e = readdir(dir));)
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(f->path);
	free(f->kept);
	free(f->bytes);
	free(f->more);
	return 0;
}

static inline struct record record_of(const struct kept *kept)
{
	struct record record = {
		.type = kept->type,
		.raw_size = kept->size,
		.stored_size = kept->size,
		.n_parts = 1,
		.id = kept->id,
	};

	if (kept->type == RECORD_CHUNK)
		fill(record.hash.bytes, sizeof(record.hash.bytes), kept->seed ^ 0x55u);
	return record;
}

static inline int try_append(struct fixture *f, uint8_t type, uint32_t size)
{
	struct kept kept = {
		.id = 1000 + f->n, .size = size, .seed = (uint32_t)f->n * 7919u + size, .type = type
	};
	struct record record = record_of(&kept);
	int r;

	assert_true(f->n < KEPT_MAX);
	fill(f->bytes, size, kept.seed);
	r = packs_append(f->packs, &record, f->bytes, &kept.place, &kept.checksum);
	if (r == 0)
		f->kept[f->n++] = kept;
	return r;
}

static inline void append(struct fixture *f, uint8_t type, uint32_t size)
{
	assert_int_equal(try_append(f, type, size), 0);
}

static inline int read_part(struct fixture *f, const struct kept *kept, uint32_t from, size_t size)
{
	return packs_read(f->packs, kept->place, kept->type, kept->id, kept->size, from, size, f->more);
}

static inline void assert_reads(struct fixture *f, const struct kept *kept, uint32_t from, uint32_t size)
{
	fill(f->bytes, kept->size, kept->seed);
	memset(f->more, 0x5a, kept->size);
	assert_int_equal(read_part(f, kept, from, size), 0);
	assert_memory_equal(f->more, f->bytes + from, size);
	if (size < kept->size)
		assert_int_equal(f->more[size], 0x5a);
}

static inline void assert_all_read(struct fixture *f)
{
	for (size_t i = 0; i < f->n; i++)
		assert_reads(f, &f->kept[i], 0, f->kept[i].size);
}

static inline void pack_name(uint64_t number, char ret[32])
{
	snprintf(ret, 32, "%08" PRIu64 ".pack", number);
}

static inline int open_file(struct fixture *f, uint64_t number)
{
	char name[32];
	int fd;

	pack_name(number, name);
	fd = openat(f->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	return fd;
}

static inline uint64_t file_size(struct fixture *f, uint64_t number)
{
	struct stat st;
	char name[32];

	pack_name(number, name);
	assert_int_equal(fstatat(f->dir_fd, name, &st, 0), 0);
	return (uint64_t)st.st_size;
}

static inline void flip(struct fixture *f, struct place place, uint8_t mask)
{
	int fd = open_file(f, place.pack);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, (off_t)place.offset), 1);
	byte ^= mask;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)place.offset), 1);
	close(fd);
}

static inline void write_at(struct fixture *f, uint64_t number, uint64_t offset, const void *bytes,
			    size_t size)
{
	int fd = open_file(f, number);

	assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), size);
	close(fd);
}

static inline void cut_file(struct fixture *f, uint64_t number, uint64_t size)
{
	int fd = open_file(f, number);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static inline void assert_place(struct place a, struct place b)
{
	assert_int_equal(a.pack, b.pack);
	assert_int_equal(a.offset, b.offset);
}

/* ---- a visitor that compares with the model ---- */

struct visit {
	struct fixture *f;
	size_t i;       /* the next one expected in the model */
	size_t n_other; /* INDEX and SEAL */
	size_t stop_at; /* return 77 once that many were seen; 0 = never */
	bool with_data;
	bool may_skip; /* damaged ones may be missing */
	bool from_index;
	struct place next; /* where the item before said that one goes on */
};

static inline int compare(void *context, const struct packs_item *item)
{
	struct visit *v = context;
	struct record want;

	if (v->next.pack != 0 && !v->from_index)
		assert_place(v->next, item->place);
	v->next = item->next;
	if (item->record.type == RECORD_INDEX || item->record.type == RECORD_SEAL) {
		assert_false(v->from_index);
		v->n_other++;
		return 0;
	}
	while (v->may_skip && v->i < v->f->n && v->f->kept[v->i].id != item->record.id)
		v->i++;
	assert_true(v->i < v->f->n);
	want = record_of(&v->f->kept[v->i]);
	assert_record(&item->record, &want);
	assert_place(item->place, v->f->kept[v->i].place);
	if (!v->from_index)
		assert_int_equal(item->checksum, v->f->kept[v->i].checksum);
	if (v->with_data) {
		fill(v->f->bytes, want.stored_size, v->f->kept[v->i].seed);
		assert_memory_equal(item->stored, v->f->bytes, want.stored_size);
	} else {
		assert_null(item->stored);
	}
	v->i++;
	return v->stop_at && v->i == v->stop_at ? 77 : 0;
}

/* Scan from the start; `want` is what it must return, `n` how many records must be seen, `end` where it must end. */
static inline void assert_scan(struct fixture *f, unsigned flags, int want, size_t n, struct place end)
{
	struct visit v = { .f = f, .with_data = flags & PACKS_SCAN_DATA };
	struct place at;

	assert_int_equal(packs_scan(f->packs, (struct place){ 0, 0 }, flags, compare, &v, &at), want);
	assert_int_equal(v.i, n);
	assert_place(at, end);
}

static inline void assert_visit(struct fixture *f, int want, size_t n_missing)
{
	struct visit v = { .f = f, .from_index = true, .may_skip = n_missing > 0 };
	size_t n = 0;
	int r = 0;

	for (uint64_t number = packs_first(f->packs); number; number = packs_next(f->packs, number)) {
		int one = packs_visit(f->packs, number, compare, &v);

		assert_true(one == 0 || one == 1);
		r |= one;
	}
	assert_int_equal(r, want);
	n = v.i;
	if (n_missing == 0)
		assert_int_equal(n, f->n);
}

static inline void append_mixture(struct fixture *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		append(f, i % 7 == 0 ? RECORD_COMMIT : RECORD_CHUNK,
		       (uint32_t)(i % 5 == 0   ? 200000 + i
				  : i % 3 == 0 ? 40000 + i * 13
					       : 1 + i * 17));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
