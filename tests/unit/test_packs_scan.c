/* test_packs_scan.c - scanning, visiting and searching find all that is whole, and notice whatever is not. */
#include "packs_fixture.h"

/* ---- scanning ---- */

static void packs_scan__walks_all_packs_in_order(void **state)
{
	struct fixture *f = *state;
	struct visit v = { .f = f, .stop_at = 10 };
	struct place end;

	start(f, MIB);
	assert_scan(f, 0, 0, 0, (struct place){ 1, PACK_HEADER_SIZE });
	append_mixture(f, 60);
	assert_true(packs_last(f->packs) > 2);
	for (int round = 0; round < 2; round++) {
		struct place at = { packs_last(f->packs), file_size(f, packs_last(f->packs)) };

		assert_scan(f, 0, 0, f->n, at);
		assert_scan(f, PACKS_SCAN_DATA, 0, f->n, at);
		assert_visit(f, 0, 0);
		close_packs(f);
		open_packs(f, MIB, true);
	}
	assert_int_equal(packs_scan(f->packs, (struct place){ 0, 0 }, 0, compare, &v, &end), 77);
	assert_int_equal(v.i, 10);
	assert_place(end, v.next);

	/* On from there, and one pack alone. */
	v.stop_at = 0;
	assert_int_equal(packs_scan(f->packs, end, 0, compare, &v, &end), 0);
	assert_int_equal(v.i, f->n);
	v = (struct visit){ .f = f };
	assert_int_equal(packs_scan(f->packs, (struct place){ 1, 0 }, PACKS_SCAN_ONE, compare, &v, &end), 0);
	assert_place(end, (struct place){ 2, PACK_HEADER_SIZE });
	assert_int_equal(v.n_other, 2);

	/* From the very end of a sealed pack. */
	assert_int_equal(packs_scan(f->packs, (struct place){ 1, file_size(f, 1) }, 0, compare, &v, &end), 0);
	assert_int_equal(v.i, f->n);
	assert_int_equal(packs_scan(f->packs, (struct place){ 1, file_size(f, 1) + 1 }, 0, compare, &v, &end),
			 -ENOENT);
	assert_int_equal(packs_scan(f->packs, (struct place){ 99, 64 }, 0, compare, &v, &end), -ENOENT);
	assert_int_equal(atomic_load(&n_logged), 0);
}

static void packs_scan__ends_before_a_record_cut_short(void **state)
{
	struct fixture *f = *state;
	struct place last;

	start(f, 64 * MIB);
	append_mixture(f, 5);
	append(f, RECORD_CHUNK, 300);
	last = f->kept[5].place;
	close_packs(f);
	for (uint64_t size = last.offset + record_size(300) - 1; size >= last.offset; size--) {
		cut_file(f, 1, size);
		open_packs(f, 64 * MIB, true);
		assert_scan(f, size % 2 ? 0 : PACKS_SCAN_DATA, size > last.offset, 5, last);
		close_packs(f);
	}
}

static void packs_scan__ends_before_any_flipped_byte(void **state)
{
	struct fixture *f = *state;
	struct place last;

	start(f, 64 * MIB);
	append_mixture(f, 5);
	append(f, RECORD_CHUNK, 100);
	append(f, RECORD_COMMIT, 100);
	last = f->kept[5].place;
	for (uint64_t at = 0; at < record_size(100); at++) {
		struct place bad = { 1, last.offset + at };
		uint8_t mask = (uint8_t)(1u << at % 8);

		flip(f, bad, mask);
		assert_scan(f, PACKS_SCAN_DATA, 1, 5, last);
		flip(f, bad, mask);
	}
	assert_scan(f, PACKS_SCAN_DATA, 0, 7, packs_end(f->packs));
}

static void packs_scan__tells_zeros_from_garbage(void **state)
{
	static const struct {
		const char *what;
		size_t zeros, garbage;
		int want;
	} rows[] = {
		{ "nothing", 0, 0, 0 },
		{ "one zero", 1, 0, 0 },
		{ "zeros", 3 << 20, 0, 0 },
		{ "one byte", 0, 1, 1 },
		{ "garbage", 0, 100000, 1 },
		{ "a byte behind zeros", 2500000, 1, 1 },
		{ "garbage behind zeros", 40, 300, 1 },
	};
	struct fixture *f = *state;
	struct place end;

	start(f, 64 * MIB);
	append_mixture(f, 5);
	end = packs_end(f->packs);
	close_packs(f);
	memset(f->more, 0xee, 100000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cut_file(f, 1, end.offset);
		cut_file(f, 1, end.offset + rows[i].zeros);
		if (rows[i].garbage)
			write_at(f, 1, end.offset + rows[i].zeros, f->more, rows[i].garbage);
		open_packs(f, 64 * MIB, true);
		assert_scan(f, 0, rows[i].want, 5, end);
		assert_visit(f, rows[i].want, 0);
		close_packs(f);
	}
}

static void packs_scan__goes_on_behind_an_unlinked_pack(void **state)
{
	struct fixture *f = *state;
	size_t from = 0, to = 0;

	start(f, MIB);
	append_mixture(f, 60);
	assert_int_equal(packs_unlink(f->packs, 2), 0);
	assert_int_equal(packs_unlink(f->packs, 2), -ENOENT);
	assert_int_equal(packs_unlink(f->packs, packs_last(f->packs)), -EINVAL);
	assert_false(packs_has(f->packs, 2));
	assert_int_equal(packs_next(f->packs, 1), 3);
	while (f->kept[from].place.pack < 2)
		from++;
	for (to = from; f->kept[to].place.pack == 2;)
		to++;
	assert_int_equal(read_part(f, &f->kept[from], 0, 1), -ENOENT);
	memmove(f->kept + from, f->kept + to, (f->n - to) * sizeof(*f->kept));
	f->n -= to - from;
	assert_scan(f, 0, 0, f->n, packs_end(f->packs));
	assert_visit(f, 0, 0);
	assert_int_equal(packs_sync(f->packs), 0);
}

static void packs_scan__sees_that_a_pack_lost_its_end(void **state)
{
	struct fixture *f = *state;
	size_t n = 0;

	start(f, MIB);
	append_mixture(f, 60);
	close_packs(f);
	while (f->kept[n].place.pack == 1)
		n++;
	cut_file(f, 1,
		 f->kept[n - 1].place.offset +
			 record_size(f->kept[n - 1].size)); /* index and seal are gone */
	open_packs(f, MIB, true);
	assert_scan(f, 0, 1, n, (struct place){ 1, file_size(f, 1) });
	assert_visit(f, 0, 0);
}

/* ---- headers ---- */

static void packs_open__looks_at_headers(void **state)
{
	struct fixture *f = *state;
	uint8_t header[PACK_HEADER_SIZE], other[PACK_HEADER_SIZE];
	uint8_t uuid[16];

	assert_int_equal(packs_find_uuid(f->dir_fd, uuid), -ENOENT);
	assert_int_equal(open_result(f), 0);
	start(f, MIB);
	append_mixture(f, 5);
	close_packs(f);
	assert_int_equal(packs_find_uuid(f->dir_fd, uuid), 0);
	assert_memory_equal(uuid, our_uuid, sizeof(uuid));
	int fd = open_file(f, 1);

	assert_int_equal(pread(fd, header, sizeof(header), 0), sizeof(header));
	close(fd);
	const struct {
		const char *what;
		size_t at;
		int want;
	} rows[] = { { "version", 8, -ENOTSUP }, { "uuid", 20, -EBADMSG }, { "number", 32, -EBADMSG } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		memcpy(other, header, sizeof(other));
		other[rows[i].at] ^= 2;
		put_u64(other + 56, checksum_xxh3(other, 56));
		write_at(f, 1, 0, other, sizeof(other));
		if (open_result(f) != rows[i].want)
			fail_msg("%s", rows[i].what);
	}
	/* A header that is damaged, or was never written, hides nothing: the records know where they belong. */
	for (size_t size = 0; size <= sizeof(header); size += 16) {
		memcpy(other, header, sizeof(other));
		memset(other + size, 0, sizeof(other) - size);
		write_at(f, 1, 0, other, sizeof(other));
		open_packs(f, MIB, true);
		assert_scan(f, 0, 0, 5, packs_end(f->packs));
		assert_all_read(f);
		close_packs(f);
	}
	/* What a crash may leave of a new pack. */
	for (size_t size = 0; size <= PACK_HEADER_SIZE; size++) {
		cut_file(f, 2, 0);
		cut_file(f, 2, size);
		open_packs(f, MIB, false);
		assert_visit(f, 0, 0);
		close_packs(f);
	}
	write_at(f, 2, 0, header, 1);
	write_at(f, 3, 0, header, 1);
	assert_int_equal(openat(f->dir_fd, "4.pack", O_CREAT | O_RDWR, 0666) < 0, 0); /* not a pack's name */
	open_packs(f, MIB, false);
	assert_int_equal(packs_last(f->packs), 3);
	assert_int_equal(packs_start_writing(f->packs, (struct place){ 2, PACK_HEADER_SIZE }), 0);
	assert_int_equal(packs_last(f->packs), 2);
	append_mixture(f, 5);
	assert_all_read(f);
	close_packs(f);
	memset(header, 0, sizeof(header));
	write_at(f, 1, 0, header, sizeof(header));
	memset(uuid, 0, sizeof(uuid));
	assert_int_equal(packs_find_uuid(f->dir_fd, uuid), 0); /* from pack 2 */
	assert_memory_equal(uuid, our_uuid, sizeof(uuid));
}

/* ---- visiting ---- */

static void packs_visit__falls_back_when_the_index_is_damaged(void **state)
{
	struct fixture *f = *state;
	size_t n = 0;

	start(f, MIB);
	append_mixture(f, 30);
	while (f->kept[n].place.pack == 1)
		n++;
	uint64_t from = f->kept[n - 1].place.offset + record_size(f->kept[n - 1].size);
	uint64_t to = file_size(f, 1);

	assert_in_range(to - from, 200, 10000);
	assert_visit(f, 0, 0);
	for (uint64_t at = from; at < to; at++) {
		flip(f, (struct place){ 1, at }, (uint8_t)(1u << at % 8));
		assert_visit(f, 1, 0);
		flip(f, (struct place){ 1, at }, (uint8_t)(1u << at % 8));
	}
	assert_visit(f, 0, 0);

	/* With damaged headers as well, what stands behind them is still found. */
	flip(f, (struct place){ 1, from + 3 }, 1);
	flip(f, (struct place){ 1, f->kept[0].place.offset + 30 }, 1);
	flip(f, (struct place){ 1, f->kept[3].place.offset + 30 }, 1);
	assert_visit(f, 1, 2);
}

/* Put a record with a valid header at `offset` of pack 1. Returns the offset behind it. */
static uint64_t forge(struct fixture *f, uint64_t offset, uint8_t type, const uint8_t *stored, uint32_t size)
{
	struct record record = { .type = type, .raw_size = size, .stored_size = size, .n_parts = 1, .id = 1 };
	struct record_context context = { .place = { 1, offset } };
	uint8_t head[RECORD_HEAD_MAX];
	uint64_t checksum;

	memcpy(context.uuid, our_uuid, sizeof(context.uuid));
	record_encode(&record, &context, stored, head, &checksum);
	write_at(f, 1, offset, head, record_head_size(size));
	write_at(f, 1, offset + record_head_size(size), stored, size);
	return offset + record_size(size);
}

static void packs_visit__believes_no_forged_index(void **state)
{
	enum { ENTRY = 72, SEAL = ENTRY * 3 }; /* a seal's payload stands behind three entries */
	static const struct {
		const char *what;
		size_t at, size;
		uint64_t value;
		int want;
	} rows[] = {
		{ "as it should be", 0, 1, RECORD_CHUNK, 0 },
		{ "type zero", 0, 1, 0, 1 },
		{ "raw size zero", 4, 4, 0, 1 },
		{ "raw size too large", 4, 4, RECORD_RAW_MAX + 1, 1 },
		{ "stored size zero", 8, 4, 0, 1 },
		{ "stored size too large", 8, 4, UINT32_MAX, 1 },
		{ "reaches into the next", 8, 4, 2000, 1 },
		{ "part past the parts", 12, 4, 1, 1 },
		{ "offset in the header", 32, 8, 10, 1 },
		{ "offset huge", 32, 8, UINT64_MAX, 1 },
		{ "last one past the index", 2 * ENTRY + 32, 8, UINT64_C(1) << 20, 1 },
		{ "last one into the index", 2 * ENTRY + 8, 4, 1100, 1 },
		{ "index nowhere", SEAL, 8, UINT64_MAX, 1 },
		{ "index at a chunk", SEAL, 8, PACK_HEADER_SIZE, 1 },
		{ "index at the seal", SEAL, 8, 100000, 1 },
		{ "too many parts", SEAL + 8, 4, UINT32_MAX, 1 },
		{ "too many entries", SEAL + 16, 8, 4, 1 },
		{ "too few entries", SEAL + 16, 8, 2, 1 },
	};
	struct fixture *f = *state;
	uint8_t good[SEAL + 40] = { 0 }, bytes[SEAL + 40];
	struct place end;

	start(f, 64 * MIB);
	for (int i = 0; i < 3; i++) {
		append(f, RECORD_CHUNK, 1000);
		uint8_t *entry = good + i * ENTRY;
		struct record record = record_of(&f->kept[i]);

		entry[0] = RECORD_CHUNK;
		put_u32(entry + 4, 1000);
		put_u32(entry + 8, 1000);
		put_u32(entry + 16, 1);
		put_u64(entry + 24, record.id);
		put_u64(entry + 32, f->kept[i].place.offset);
		memcpy(entry + 40, record.hash.bytes, 32);
	}
	end = packs_end(f->packs);
	put_u64(good + SEAL, end.offset);
	put_u32(good + SEAL + 8, 1);
	put_u64(good + SEAL + 16, 3);
	close_packs(f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct visit v = { .f = f, .from_index = true };

		memcpy(bytes, good, sizeof(bytes));
		for (size_t k = 0; k < rows[i].size; k++)
			bytes[rows[i].at + k] = (uint8_t)(rows[i].value >> 8 * k);
		cut_file(f, 1, end.offset);
		(void)forge(f, forge(f, end.offset, RECORD_INDEX, bytes, SEAL), RECORD_SEAL, bytes + SEAL,
			    40);
		open_packs(f, 64 * MIB, true);
		if (packs_visit(f->packs, 1, compare, &v) != rows[i].want || v.i != 3)
			fail_msg("%s", rows[i].what);
		close_packs(f);
	}
}

/* What is left is found, nothing else, and nothing crashes or hangs. */
static void packs_scan__survives_random_damage(void **state)
{
	struct fixture *f = *state;
	uint64_t random = random_seed();
	uint64_t last;

	start(f, 256 * 1024);
	append_mixture(f, 40);
	last = packs_last(f->packs);
	close_packs(f);
	for (int round = 0; round < 150; round++) {
		uint64_t number = 1 + random_next(&random) % last;
		uint64_t size = file_size(f, number);
		uint32_t n = 1u << random_next(&random) % 12;
		struct packs_item item;
		struct place end;

		fill(f->bytes, n, (uint32_t)random_next(&random));
		if (random_next(&random) % 3 == 0)
			memset(f->bytes, 0, n);
		if (random_next(&random) % 20 == 0)
			cut_file(f, number, random_next(&random) % (size + 5000));
		else if (size > n)
			write_at(f, number, PACK_HEADER_SIZE + random_next(&random) % (size - n), f->bytes,
				 n);
		open_packs(f, 256 * 1024, true);
		for (uint64_t k = 1; k <= last; k++) {
			struct visit v = { .f = f, .may_skip = true, .from_index = true };
			int r = packs_visit(f->packs, k, compare, &v);

			assert_in_range(r, 0, 1);
		}
		struct visit v = { .f = f, .with_data = true };
		int r = packs_scan(f->packs, (struct place){ 0, 0 }, PACKS_SCAN_DATA, compare, &v, &end);

		assert_in_range(r, 0, 1);
		r = packs_search(f->packs, end, RECORD_COMMIT, &item);
		assert_in_range(r, 0, 1);
		if (r == 1)
			assert_int_equal(item.record.type, RECORD_COMMIT);
		close_packs(f);
	}
}

/* ---- searching ---- */

static void packs_search__finds_a_record_in_the_wreck(void **state)
{
	struct fixture *f = *state;
	struct packs_item item;
	size_t i, last;

	start(f, MIB);
	for (i = 0; i < 40; i++)
		append(f, RECORD_CHUNK, 60000);
	append(f, RECORD_COMMIT, 100);
	last = f->n - 1;
	append(f, RECORD_CHUNK, 60000);
	assert_int_equal(packs_search(f->packs, (struct place){ 0, 0 }, RECORD_COMMIT, &item), 1);
	assert_place(item.place, f->kept[last].place);
	assert_int_equal(item.checksum, f->kept[last].checksum);
	assert_int_equal(item.record.id, f->kept[last].id);

	/* Everything between is garbage, with something like headers in it. */
	for (i = 1; i < 40; i++) {
		fill(f->bytes, 5000, (uint32_t)i);
		put_u32(f->bytes + i * 100, RECORD_MAGIC);
		put_u32(f->bytes + i * 100 + 200, RECORD_MAGIC);
		write_at(f, f->kept[i].place.pack, f->kept[i].place.offset, f->bytes, 5000);
	}
	assert_int_equal(packs_search(f->packs, (struct place){ 1, 99 }, RECORD_COMMIT, &item), 1);
	assert_place(item.place, f->kept[last].place);
	assert_int_equal(packs_search(f->packs, item.next, RECORD_COMMIT, &item), 0);

	/* A copy of it elsewhere is none, and one with damaged bytes is none. */
	int fd = open_file(f, f->kept[last].place.pack);

	assert_int_equal(pread(fd, f->bytes, record_size(100), (off_t)f->kept[last].place.offset),
			 record_size(100));
	close(fd);
	write_at(f, 1, 3000, f->bytes, record_size(100));
	assert_int_equal(packs_search(f->packs, (struct place){ 1, 99 }, RECORD_COMMIT, &item), 1);
	assert_place(item.place, f->kept[last].place);
	flip(f, (struct place){ f->kept[last].place.pack, f->kept[last].place.offset + record_size(100) - 1 },
	     1);
	assert_int_equal(packs_search(f->packs, (struct place){ 0, 0 }, RECORD_COMMIT, &item), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packs_scan__walks_all_packs_in_order),
		TEST(packs_scan__ends_before_a_record_cut_short),
		TEST(packs_scan__ends_before_any_flipped_byte),
		TEST(packs_scan__tells_zeros_from_garbage),
		TEST(packs_scan__goes_on_behind_an_unlinked_pack),
		TEST(packs_scan__sees_that_a_pack_lost_its_end),
		TEST(packs_open__looks_at_headers),
		TEST(packs_visit__falls_back_when_the_index_is_damaged),
		TEST(packs_visit__believes_no_forged_index),
		TEST(packs_scan__survives_random_damage),
		TEST(packs_search__finds_a_record_in_the_wreck),
	};

	return cmocka_run_group_tests_name("packs_scan", tests, NULL, NULL);
}
