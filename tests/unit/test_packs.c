/* test_packs.c - what was appended is read back, a full disk says so in time, and failures leave whole records. */
#include "packs_fixture.h"

/* ---- appending and reading ---- */

static void packs_read__gives_what_was_appended(void **state)
{
	struct fixture *f = *state;
	uint64_t random = random_seed();

	start(f, 2 * MIB);
	for (int i = 0; i < 200; i++) {
		uint32_t most = 1u << random_next(&random) % 21;

		append(f, RECORD_CHUNK, 1 + (uint32_t)(random_next(&random) % most));
	}
	append(f, RECORD_CHUNK, RECORD_STORED_MAX);
	append(f, RECORD_CHUNK, CHECKSUM_BLOCK);
	for (int round = 0; round < 2; round++) {
		assert_all_read(f);
		for (int i = 0; i < 2000; i++) {
			const struct kept *kept = &f->kept[random_next(&random) % f->n];
			uint32_t from = (uint32_t)(random_next(&random) % kept->size);
			uint32_t most = 1u + (uint32_t)(random_next(&random) % (kept->size - from));

			if (i % 4 == 0) /* often right at a block's border */
				from -= from % CHECKSUM_BLOCK;
			if (i % 3 == 0 && (from + most) / CHECKSUM_BLOCK * CHECKSUM_BLOCK > from)
				most = (from + most) / CHECKSUM_BLOCK * CHECKSUM_BLOCK - from;
			packs_read_ahead(f->packs, kept->place, kept->size, from, most);
			assert_reads(f, kept, from, most);
		}
		close_packs(f);
		open_packs(f, 2 * MIB, true);
	}
	assert_true(packs_last(f->packs) > 1);
	assert_int_equal(atomic_load(&n_logged), 0);
}

static void packs_read_record__needs_to_know_nothing(void **state)
{
	struct fixture *f = *state;

	start(f, 64 * MIB);
	append(f, RECORD_COMMIT, 100);
	append(f, RECORD_CHUNK, 300000);
	for (size_t i = 0; i < f->n; i++) {
		struct record record, want = record_of(&f->kept[i]);
		uint64_t checksum;

		assert_int_equal(packs_read_record(f->packs, f->kept[i].place, &record, f->more, &checksum),
				 0);
		assert_record(&record, &want);
		assert_int_equal(checksum, f->kept[i].checksum);
		fill(f->bytes, want.stored_size, f->kept[i].seed);
		assert_memory_equal(f->more, f->bytes, want.stored_size);
	}
	flip(f, (struct place){ 1, f->kept[1].place.offset + 200000 }, 4);
	struct record record;

	assert_int_equal(packs_read_record(f->packs, f->kept[1].place, &record, f->more, NULL), -EBADMSG);
	assert_int_equal(packs_read_record(f->packs, (struct place){ 1, 65 }, &record, f->more, NULL),
			 -EBADMSG);
	assert_int_equal(packs_read_record(f->packs, (struct place){ 1, UINT64_MAX }, &record, f->more, NULL),
			 -EBADMSG);
	assert_int_equal(packs_read_record(f->packs, (struct place){ 2, 64 }, &record, f->more, NULL),
			 -ENOENT);
}

static void packs_read__refuses_what_does_not_fit(void **state)
{
	struct fixture *f = *state;
	struct kept good;

	start(f, 64 * MIB);
	append(f, RECORD_CHUNK, 200000);
	append(f, RECORD_CHUNK, 200000);
	good = f->kept[0];
	const struct {
		const char *what;
		struct place place;
		uint64_t id;
		uint32_t stored_size, from;
		size_t size;
		uint8_t type;
		int want;
	} rows[] = {
		/* clang-format off */
		{ "good",            good.place, good.id, 200000, 5, 100, RECORD_CHUNK, 0 },
		{ "another id",      good.place, 9, 200000, 5, 100, RECORD_CHUNK, -EBADMSG },
		{ "another type",    good.place, good.id, 200000, 5, 100, RECORD_JOURNAL, -EBADMSG },
		{ "another size",    good.place, good.id, 200001, 5, 100, RECORD_CHUNK, -EBADMSG },
		{ "far less",        good.place, good.id, 1000, 5, 100, RECORD_CHUNK, -EBADMSG },
		{ "another record",  f->kept[1].place, good.id, 200000, 5, 100, RECORD_CHUNK, -EBADMSG },
		{ "no record",       { 1, good.place.offset + 1 }, good.id, 200000, 5, 100, RECORD_CHUNK, -EBADMSG },
		{ "past the end",    { 1, 64 * MIB }, good.id, 200000, 5, 100, RECORD_CHUNK, -EBADMSG },
		{ "offset huge",     { 1, UINT64_MAX }, good.id, 200000, 5, 100, RECORD_CHUNK, -EBADMSG },
		{ "size zero",       good.place, good.id, 0, 0, 100, RECORD_CHUNK, -EBADMSG },
		{ "size too large",  good.place, good.id, RECORD_STORED_MAX + 1, 0, 100, RECORD_CHUNK, -EBADMSG },
		{ "past the record", good.place, good.id, 200000, 199950, 100, RECORD_CHUNK, -EBADMSG },
		{ "pack missing",    { 2, 64 }, good.id, 200000, 5, 100, RECORD_CHUNK, -ENOENT },
		{ "pack zero",       { 0, 64 }, good.id, 200000, 5, 100, RECORD_CHUNK, -ENOENT },
		/* clang-format on */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		memset(f->more, 0x5a, 200);
		int r = packs_read(f->packs, rows[i].place, rows[i].type, rows[i].id, rows[i].stored_size,
				   rows[i].from, rows[i].size, f->more);

		if (r != rows[i].want ||
		    (r < 0 && (f->more[0] != 0 || memcmp(f->more, f->more + 1, 99) != 0)) ||
		    f->more[100] != 0x5a)
			fail_msg("%s: %d", rows[i].what, r);
	}
}

static void packs_read__gives_no_byte_of_a_damaged_block(void **state)
{
	struct fixture *f = *state;
	const struct kept *kept = &f->kept[0];
	uint32_t size = 3 * CHECKSUM_BLOCK + 100;

	start(f, 64 * MIB);
	append(f, RECORD_CHUNK, size);
	flip(f, (struct place){ 1, kept->place.offset + record_head_size(size) + CHECKSUM_BLOCK + 7 }, 0x80);
	assert_reads(f, kept, 0, CHECKSUM_BLOCK);
	assert_reads(f, kept, 2 * CHECKSUM_BLOCK, CHECKSUM_BLOCK + 100);
	assert_reads(f, kept, size - 10, 10);
	const struct {
		uint32_t from, size;
	} rows[] = {
		{ 0, size },
		{ CHECKSUM_BLOCK - 1, 2 },
		{ CHECKSUM_BLOCK, 1 },
		{ CHECKSUM_BLOCK + 7, 1 },
		{ CHECKSUM_BLOCK, CHECKSUM_BLOCK },
		{ 2 * CHECKSUM_BLOCK - 1, 1 },
		{ 2 * CHECKSUM_BLOCK - 1, CHECKSUM_BLOCK },
		{ 100, size - 100 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		memset(f->more, 0x5a, size);
		assert_int_equal(read_part(f, kept, rows[i].from, rows[i].size), -EBADMSG);
		for (uint32_t k = 0; k < rows[i].size; k++)
			assert_int_equal(f->more[k], 0);
	}
	assert_int_equal(atomic_load(&n_logged), sizeof(rows) / sizeof(*rows));
	flip(f, (struct place){ 1, kept->place.offset + RECORD_HEADER_SIZE + 3 }, 1); /* a sum */
	assert_int_equal(read_part(f, kept, size - 10, 10), -EBADMSG);
}

static void packs_open__keeps_few_files_open(void **state)
{
	struct fixture *f = *state;
	struct dirent *e;
	size_t n = 0;
	DIR *dir;

	start(f, 1); /* every record fills a pack */
	for (int i = 0; i < 300; i++)
		append(f, RECORD_CHUNK, 50);
	assert_int_equal(packs_last(f->packs), 300);
	assert_all_read(f);
	assert_visit(f, 0, 0);
	assert_int_equal(packs_sync(f->packs), 0);
	dir = opendir("/proc/self/fd");
	while (dir && (e = readdir(dir)))
		n++;
	closedir(dir);
	assert_in_range(n, 1, 150);
	uint64_t total = 0;

	for (uint64_t number = 1; number <= 300; number++) {
		assert_int_equal(packs_size(f->packs, number), file_size(f, number));
		total += file_size(f, number);
	}
	assert_int_equal(packs_total_size(f->packs), total);
}

/* ---- sealing ---- */

static void packs_append__seals_a_pack_of_many_records(void **state)
{
	struct fixture *f = *state;

	start(f, 1024 * MIB);
	for (size_t i = 0; i < 70000; i++)
		append(f, RECORD_CHUNK, 1);
	assert_int_equal(packs_last(f->packs), 2);
	assert_visit(f, 0, 0);
	assert_scan(f, 0, 0, f->n, packs_end(f->packs));
	assert_int_equal(atomic_load(&n_logged), 0);
}

static void packs_append__indexes_what_was_there_before(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < 2; round++) {
		struct place end;

		if (f->packs)
			close_packs(f);
		for (uint64_t number = 1; number < 9; number++) {
			char name[32];

			pack_name(number, name);
			(void)unlinkat(f->dir_fd, name, 0);
		}
		f->n = 0;
		start(f, MIB);
		append_mixture(f, 11);
		for (int i = 0; i < 3; i++) {
			end = packs_end(f->packs);
			close_packs(f);
			open_packs(f, MIB, false);
			assert_int_equal(packs_start_writing(f->packs, end), 0);
			append(f, RECORD_CHUNK, 1000);
			if (round == 0)
				assert_int_equal(packs_sync(f->packs), 0);
		}
		append_mixture(f, 20);
		assert_true(packs_last(f->packs) > 1);
		flip(f, (struct place){ 1, f->kept[2].place.offset + 10 },
		     1); /* only an index does not see this */
		assert_visit(f, 0, 0);
		flip(f, (struct place){ 1, f->kept[2].place.offset + 10 }, 1);
		assert_scan(f, PACKS_SCAN_DATA, 0, f->n, packs_end(f->packs));
	}
	assert_int_equal(atomic_load(&n_logged), 0);
}

/* ---- where writing begins ---- */

static void packs_start_writing__cuts_what_stands_behind(void **state)
{
	struct fixture *f = *state;
	struct place end;
	size_t n = 0;

	start(f, MIB);
	append_mixture(f, 60);
	close_packs(f);
	while (f->kept[n].place.pack < 2)
		n++;
	n += 3;
	end = f->kept[n].place;
	open_packs(f, MIB, true);
	assert_int_equal(packs_start_writing(f->packs, end), -EROFS);
	assert_int_equal(try_append(f, RECORD_CHUNK, 10), -EROFS);
	assert_int_equal(packs_reserve(f->packs, 10), -EROFS);
	close_packs(f);
	open_packs(f, MIB, false);
	assert_int_equal(packs_start_writing(f->packs, (struct place){ 0, 0 }), -EINVAL);
	assert_int_equal(packs_start_writing(f->packs, (struct place){ 2, 3 }), -EINVAL);
	assert_int_equal(packs_start_writing(f->packs, (struct place){ 2, UINT64_MAX }), -EINVAL);
	assert_int_equal(packs_start_writing(f->packs, (struct place){ 2, file_size(f, 2) + 1 }), -EINVAL);
	assert_int_equal(packs_start_writing(f->packs, (struct place){ 99, 64 }), -ENOENT);
	assert_true(packs_last(f->packs) > 2);
	assert_int_equal(packs_start_writing(f->packs, end), 0);
	assert_int_equal(packs_last(f->packs), 2);
	assert_int_equal(file_size(f, 2), end.offset);
	f->n = n;
	assert_scan(f, 0, 0, n, end);
	append_mixture(f, 30);
	assert_all_read(f);
	assert_visit(f, 0, 0);
	assert_scan(f, PACKS_SCAN_DATA, 0, f->n, packs_end(f->packs));
}

static void packs_start_writing__leaves_a_sealed_pack_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t size;

	start(f, MIB);
	append_mixture(f, 12);
	while (packs_last(f->packs) == 1)
		append(f, RECORD_CHUNK, 50000);
	close_packs(f);
	f->n--;
	size = file_size(f, 1);
	open_packs(f, MIB, false);
	assert_int_equal(packs_start_writing(f->packs, (struct place){ 1, size }), 0);
	assert_int_equal(packs_last(f->packs), 1);
	assert_int_equal(packs_reserve(f->packs, 100), 0);
	append(f, RECORD_CHUNK, 100);
	packs_unreserve(f->packs, 100);
	assert_place(f->kept[f->n - 1].place, (struct place){ 2, PACK_HEADER_SIZE });
	assert_int_equal(file_size(f, 1), size);
	assert_scan(f, 0, 0, f->n, packs_end(f->packs));
}

/* ---- failures ---- */

static void packs_append__cuts_back_what_was_half_written(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, small;
	struct place end;

	start(f, 64 * MIB);
	append_mixture(f, 4);
	end = packs_end(f->packs);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (uint64_t allowed = 0; allowed < record_size(5000); allowed += 613) {
		small = old;
		small.rlim_cur = end.offset + allowed;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		int r = try_append(f, RECORD_CHUNK, 5000);

		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(r, -EFBIG);
		assert_int_equal(file_size(f, 1), end.offset);
		assert_place(packs_end(f->packs), end);
		assert_scan(f, 0, 0, f->n, end);
	}
	append(f, RECORD_CHUNK, 5000);
	assert_place(f->kept[f->n - 1].place, end);
	assert_scan(f, PACKS_SCAN_DATA, 0, f->n, packs_end(f->packs));
}

static void packs_append__refuses_impossible_records(void **state)
{
	struct fixture *f = *state;
	struct record record = { .type = RECORD_CHUNK, .raw_size = 10, .stored_size = 10, .n_parts = 1 };
	struct record bad;

	start(f, MIB);
	bad = record, bad.stored_size = 0;
	assert_int_equal(packs_append(f->packs, &bad, f->bytes, NULL, NULL), -EINVAL);
	bad = record, bad.raw_size = RECORD_RAW_MAX + 1;
	assert_int_equal(packs_append(f->packs, &bad, f->bytes, NULL, NULL), -EINVAL);
	bad = record, bad.n_parts = 0;
	assert_int_equal(packs_append(f->packs, &bad, f->bytes, NULL, NULL), -EINVAL);
	assert_int_equal(packs_append(f->packs, &record, f->bytes, NULL, NULL), 0);
}

static void packs_sync__never_tries_again(void **state)
{
	struct fixture *f = *state;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), real;

	start(f, MIB);
	append(f, RECORD_CHUNK, 10);
	assert_int_equal(packs_unsynced(f->packs), record_size(10));
	real = dup(f->dir_fd);
	assert_int_equal(dup2(null, f->dir_fd), f->dir_fd); /* whose fsync fails */
	assert_int_equal(packs_sync(f->packs), -EINVAL);
	assert_int_equal(dup2(real, f->dir_fd), f->dir_fd);
	close(real);
	close(null);
	assert_int_equal(packs_sync(f->packs), -EIO);
	assert_int_equal(try_append(f, RECORD_CHUNK, 10), -EIO);
	assert_int_equal(packs_reserve(f->packs, 10), -EIO);
	assert_int_equal(packs_unsynced(f->packs), record_size(10));
	assert_reads(f, &f->kept[0], 0, 10);
}

static void packs_sync__counts_what_is_unsynced(void **state)
{
	struct fixture *f = *state;

	start(f, MIB);
	assert_int_equal(packs_unsynced(f->packs), 0);
	append_mixture(f, 40);
	assert_true(packs_unsynced(f->packs) > MIB);
	assert_int_equal(packs_sync(f->packs), 0);
	assert_int_equal(packs_unsynced(f->packs), 0);
	assert_int_equal(packs_sync(f->packs), 0);
}

static void packs_close__gives_back_what_was_preallocated(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	start(f, 8 * MIB);
	assert_int_equal(packs_reserve(f->packs, 3 * MIB), 0);
	append_mixture(f, 5);
	close_packs(f);
	assert_int_equal(fstatat(f->dir_fd, "00000001.pack", &st, 0), 0);
	assert_in_range(st.st_blocks * 512, 0, st.st_size + 65536);
}

static void packs_worst_case__is_enough(void **state)
{
	static const struct {
		uint64_t raw;
		uint32_t smallest, piece;
	} rows[] = {
		{ 1, 1, 1 },
		{ 100, 1, 1 },
		{ 100000, 100, 100 },
		{ MIB, 65536, 65536 },
		{ 5 * MIB + 3, 65536, 65537 },
		{ 32 * MIB, 4096, 4096 },
		{ 10, 65536, 10 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t needed = 0;

		for (uint64_t left = rows[i].raw; left > 0;) {
			uint32_t n = left < rows[i].piece ? (uint32_t)left : rows[i].piece;

			needed += record_size(n);
			left -= n;
		}
		assert_true(packs_worst_case(rows[i].raw, rows[i].smallest) >= needed);
	}
	assert_int_equal(packs_worst_case(UINT64_MAX - 5, 1), UINT64_MAX);
}

/* A disk in memory over the work directory; false if this process may not mount. */
static bool mount_small_disk(struct fixture *f, const char *type, const char *options)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("packs-test", f->path, type, 0, options) < 0)
		return false;
	close(f->dir_fd);
	f->dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dir_fd >= 0);
	return true;
}

static void packs_reserve__does_without_preallocation(void **state)
{
	struct fixture *f = *state;

	if (!mount_small_disk(f, "ramfs", NULL)) {
		print_message("skipped: this user may not mount a disk without fallocate\n");
		skip();
	}
	start(f, MIB);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(packs_reserve(f->packs, 200000), 0);
		append(f, RECORD_CHUNK, 100000);
		packs_unreserve(f->packs, 200000);
	}
	assert_int_equal(packs_sync(f->packs), 0);
	assert_true(packs_last(f->packs) > 3);
	assert_scan(f, PACKS_SCAN_DATA, 0, f->n, packs_end(f->packs));
	assert_visit(f, 0, 0);
	assert_int_equal(atomic_load(&n_logged), 1); /* a warning */
}

static void packs_reserve__promises_only_what_there_is(void **state)
{
	struct fixture *f = *state;
	uint64_t random = random_seed();
	size_t n_reserved = 0, n_journal = 0;
	int ballast;

	if (!mount_small_disk(f, "tmpfs", "size=24m")) {
		print_message("skipped: this user may not mount a small disk\n");
		skip();
	}
	ballast = openat(f->dir_fd, "ballast", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	assert_int_equal(posix_fallocate(ballast, 0, 4 * MIB), 0);
	start(f, 3 * MIB);
	for (int round = 0; round < 2; round++) {
		uint32_t size = 100000;
		uint64_t each = packs_worst_case(size, size);
		size_t unused = 0, first = n_reserved;

		while (packs_reserve(f->packs, each) == 0) {
			n_reserved++;
			unused++;
			while (unused > 20 || (unused > 0 && random_next(&random) % 3 == 0)) {
				append(f, RECORD_CHUNK, size);
				packs_unreserve(f->packs, each);
				unused--;
			}
		}
		assert_int_equal(packs_reserve(f->packs, each), -ENOSPC);
		assert_true(n_reserved > first + 30);
		/* What was promised fits, and so does what a commit writes. */
		for (; unused > 0; unused--) {
			append(f, RECORD_CHUNK, size);
			packs_unreserve(f->packs, each);
		}
		for (n_journal = 0; n_journal < 8; n_journal++)
			append(f, RECORD_JOURNAL, 100000);
		append(f, RECORD_COMMIT, 100);
		assert_int_equal(packs_sync(f->packs), 0);
		assert_int_equal(ftruncate(ballast, 0), 0); /* room for the second round */
		assert_scan(f, PACKS_SCAN_DATA, 0, f->n, packs_end(f->packs));
		assert_visit(f, 0, 0);
	}
	close(ballast);
	assert_int_equal(unlinkat(f->dir_fd, "ballast", 0), 0);
	assert_all_read(f);
}

/* ---- many threads ---- */

struct crowd {
	struct packs *packs;
	pthread_mutex_t lock;
	struct kept kept[4000]; /* below n they never change */
	atomic_size_t n;
	atomic_bool done;
	atomic_uint n_wrong;
};

static void *crowd_append(void *context)
{
	struct crowd *crowd = context;
	uint8_t *bytes = malloc(RECORD_STORED_MAX);
	uint64_t random = (uintptr_t)&bytes;

	for (int i = 0; i < 400; i++) {
		struct kept kept = { .type = RECORD_CHUNK, .seed = (uint32_t)random_next(&random) };

		kept.id = kept.seed;
		kept.size = 1 + (uint32_t)(random_next(&random) % (i % 10 == 0 ? 300000 : 9000));
		uint64_t room = packs_worst_case(kept.size, kept.size);
		struct record record = record_of(&kept);

		fill(bytes, kept.size, kept.seed);
		if (packs_reserve(crowd->packs, room) < 0 ||
		    packs_append(crowd->packs, &record, bytes, &kept.place, &kept.checksum) < 0)
			atomic_fetch_add(&crowd->n_wrong, 1);
		packs_unreserve(crowd->packs, room);
		pthread_mutex_lock(&crowd->lock);
		size_t n = atomic_load(&crowd->n);

		crowd->kept[n] = kept;
		atomic_store(&crowd->n, n + 1);
		pthread_mutex_unlock(&crowd->lock);
	}
	free(bytes);
	return NULL;
}

static void *crowd_read(void *context)
{
	struct crowd *crowd = context;
	uint8_t *bytes = malloc(RECORD_STORED_MAX), *want = malloc(RECORD_STORED_MAX);
	uint64_t random = (uintptr_t)&bytes;

	while (!atomic_load(&crowd->done)) {
		size_t n = atomic_load(&crowd->n);
		const struct kept *kept = &crowd->kept[n ? random_next(&random) % n : 0];
		int r;

		if (n == 0)
			continue;
		uint32_t from = (uint32_t)(random_next(&random) % kept->size);

		r = packs_read(crowd->packs, kept->place, RECORD_CHUNK, kept->id, kept->size, from,
			       kept->size - from, bytes);
		fill(want, kept->size, kept->seed);
		if (r == -ENOENT && !packs_has(crowd->packs, kept->place.pack))
			continue; /* the sweeper was here */
		if (r != 0 || memcmp(bytes, want + from, kept->size - from) != 0)
			atomic_fetch_add(&crowd->n_wrong, 1);
	}
	free(bytes);
	free(want);
	return NULL;
}

static void *crowd_sync(void *context)
{
	struct crowd *crowd = context;

	while (!atomic_load(&crowd->done)) {
		uint64_t first = packs_first(crowd->packs);

		if (packs_sync(crowd->packs) < 0)
			atomic_fetch_add(&crowd->n_wrong, 1);
		if (packs_last(crowd->packs) > first + 5)
			(void)packs_unlink(crowd->packs, first);
		if (packs_end(crowd->packs).offset < PACK_HEADER_SIZE)
			atomic_fetch_add(&crowd->n_wrong, 1);
	}
	return NULL;
}

static void packs__serve_many_threads(void **state)
{
	static struct crowd crowd;
	struct fixture *f = *state;
	pthread_t appenders[3], others[3];

	start(f, MIB);
	crowd = (struct crowd){ .packs = f->packs };
	pthread_mutex_init(&crowd.lock, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&appenders[i], NULL, crowd_append, &crowd), 0);
	assert_int_equal(pthread_create(&others[0], NULL, crowd_read, &crowd), 0);
	assert_int_equal(pthread_create(&others[1], NULL, crowd_read, &crowd), 0);
	assert_int_equal(pthread_create(&others[2], NULL, crowd_sync, &crowd), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(appenders[i], NULL);
	atomic_store(&crowd.done, true);
	for (int i = 0; i < 3; i++)
		pthread_join(others[i], NULL);
	assert_int_equal(atomic_load(&crowd.n_wrong), 0);
	assert_int_equal(atomic_load(&crowd.n), 1200);
	assert_int_equal(packs_sync(f->packs), 0);
	assert_int_equal(packs_unsynced(f->packs), 0);
	for (size_t i = 0; i < 1200; i++)
		if (packs_has(f->packs, crowd.kept[i].place.pack))
			assert_reads(f, &crowd.kept[i], 0, crowd.kept[i].size);
	pthread_mutex_destroy(&crowd.lock);
}

static void packs_open__read_only_follows_a_writer(void **state)
{
	struct fixture *f = *state;
	struct packs *writer;

	start(f, MIB);
	append(f, RECORD_CHUNK, 100);
	writer = f->packs;
	open_packs(f, MIB, true);
	struct packs *reader = f->packs;

	f->packs = writer;
	append_mixture(f, 40);
	f->packs = reader;
	assert_all_read(f); /* also from packs made since it opened */
	assert_true(packs_last(reader) > 1);
	assert_scan(f, 0, 0, f->n, packs_end(writer));
	assert_int_equal(read_part(f, &(struct kept){ .place = { 77, 64 }, .size = 5, .type = 1 }, 0, 1),
			 -ENOENT);
	packs_close(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packs_read__gives_what_was_appended),
		TEST(packs_read_record__needs_to_know_nothing),
		TEST(packs_read__refuses_what_does_not_fit),
		TEST(packs_read__gives_no_byte_of_a_damaged_block),
		TEST(packs_open__keeps_few_files_open),
		TEST(packs_append__seals_a_pack_of_many_records),
		TEST(packs_append__indexes_what_was_there_before),
		TEST(packs_start_writing__cuts_what_stands_behind),
		TEST(packs_start_writing__leaves_a_sealed_pack_alone),
		TEST(packs_append__cuts_back_what_was_half_written),
		TEST(packs_append__refuses_impossible_records),
		TEST(packs_sync__never_tries_again),
		TEST(packs_sync__counts_what_is_unsynced),
		TEST(packs_close__gives_back_what_was_preallocated),
		TEST(packs_worst_case__is_enough),
		TEST(packs__serve_many_threads),
		TEST(packs_open__read_only_follows_a_writer),
		/* Last: they leave the mount namespace. */
		TEST(packs_reserve__promises_only_what_there_is),
		TEST(packs_reserve__does_without_preallocation),
	};

	return cmocka_run_group_tests_name("packs", tests, NULL, NULL);
}
