/* test_record.c - a header says what was put into it, at its own place only, and no flipped bit goes unseen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "record.h"

#define BLOCK CHECKSUM_BLOCK

static const struct record_context here = {
	.uuid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
	.place = { 7, 4096 },
};

static void fill(uint8_t *bytes, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

static struct record chunk_of(uint32_t stored_size)
{
	struct record record = {
		.type = RECORD_CHUNK,
		.codec = 1,
		.raw_size = stored_size < RECORD_RAW_MAX - 5 ? stored_size + 5 : RECORD_RAW_MAX,
		.stored_size = stored_size,
		.part = 2,
		.n_parts = 9,
		.id = UINT64_C(0x1122334455667788),
	};

	fill(record.hash.bytes, sizeof(record.hash.bytes), stored_size);
	return record;
}

static void assert_same(const struct record *a, const struct record *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->codec, b->codec);
	assert_int_equal(a->raw_size, b->raw_size);
	assert_int_equal(a->stored_size, b->stored_size);
	assert_int_equal(a->part, b->part);
	assert_int_equal(a->n_parts, b->n_parts);
	assert_int_equal(a->id, b->id);
	assert_memory_equal(&a->hash, &b->hash, sizeof(a->hash));
}

/* Is this a whole and valid record in this context? */
static int check_all(const uint8_t *bytes, const struct record_context *context)
{
	struct record record;
	uint64_t checksum;

	if (record_decode(bytes, &record) < 0)
		return 0;
	if (record_check_head(bytes, &record, context, &checksum) < 0)
		return 0;
	return record_check_blocks(bytes, &record, 0, bytes + record_head_size(record.stored_size),
				   record.stored_size) == 0;
}

static void record_encode__round_trips_every_size(void **state)
{
	static const uint32_t sizes[] = {
		1, 2, 88, 4096, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17, RECORD_STORED_MAX
	};
	uint8_t *bytes = malloc(RECORD_HEAD_MAX + RECORD_STORED_MAX);

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct record in = chunk_of(sizes[i]);
		struct record out;
		size_t head_size = record_head_size(sizes[i]);
		uint64_t checksum = 0, again = 1;

		assert_int_equal(head_size, RECORD_HEADER_SIZE + (sizes[i] + BLOCK - 1) / BLOCK * 8);
		assert_int_equal(record_size(sizes[i]), head_size + sizes[i]);
		fill(bytes + head_size, sizes[i], sizes[i]);
		record_encode(&in, &here, bytes + head_size, bytes, &checksum);
		assert_int_equal(record_decode(bytes, &out), 0);
		assert_same(&in, &out);
		assert_int_equal(record_check_head(bytes, &out, &here, &again), 0);
		assert_int_equal(checksum, again);
		assert_int_equal(checksum, get_u64(bytes + RECORD_HEADER_SIZE - 8));
		assert_int_equal(record_check_blocks(bytes, &out, 0, bytes + head_size, sizes[i]), 0);
	}
	free(bytes);
}

static void record_check_blocks__checks_each_block_alone(void **state)
{
	uint32_t size = 3 * BLOCK + 100;
	struct record record = chunk_of(size);
	size_t head_size = record_head_size(size);
	uint8_t *bytes = malloc(head_size + size);
	uint8_t *stored = bytes + head_size;
	uint64_t checksum;

	(void)state;
	assert_non_null(bytes);
	fill(stored, size, 3);
	record_encode(&record, &here, stored, bytes, &checksum);
	stored[BLOCK + 5] ^= 1;
	assert_int_equal(record_check_blocks(bytes, &record, 0, stored, BLOCK), 0);
	assert_int_equal(record_check_blocks(bytes, &record, 1, stored + BLOCK, BLOCK), -EBADMSG);
	assert_int_equal(record_check_blocks(bytes, &record, 0, stored, 2 * BLOCK), -EBADMSG);
	assert_int_equal(record_check_blocks(bytes, &record, 2, stored + 2 * BLOCK, size - 2 * BLOCK), 0);
	assert_int_equal(record_check_blocks(bytes, &record, 3, stored + 3 * BLOCK, 100), 0);
	assert_int_equal(record_check_blocks(bytes, &record, 3, stored + 3 * BLOCK, 99), -EBADMSG);
	assert_int_equal(record_check_blocks(bytes, &record, 0, stored + BLOCK, BLOCK), -EBADMSG);
	free(bytes);
}

static void record_check__sees_every_flipped_bit(void **state)
{
	static const uint32_t sizes[] = { 1, 40, 300 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct record record = chunk_of(sizes[i]);
		size_t size = (size_t)record_size(sizes[i]);
		/* A flipped length may make the record look longer: room for the longest. */
		uint8_t *bytes = calloc(1, RECORD_HEAD_MAX + RECORD_STORED_MAX);
		uint64_t checksum;

		assert_non_null(bytes);
		fill(bytes + record_head_size(sizes[i]), sizes[i], 9);
		record_encode(&record, &here, bytes + record_head_size(sizes[i]), bytes, &checksum);
		assert_true(check_all(bytes, &here));
		for (size_t bit = 0; bit < size * 8; bit++) {
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_false(check_all(bytes, &here));
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		assert_true(check_all(bytes, &here));
		free(bytes);
	}
}

static void record_check__sees_every_flipped_bit_of_many_sums(void **state)
{
	uint32_t stored_size = RECORD_STORED_MAX;
	struct record record = chunk_of(stored_size);
	size_t head_size = record_head_size(stored_size);
	uint8_t *bytes = calloc(1, head_size + stored_size);
	uint64_t checksum;
	struct record out;

	(void)state;
	assert_non_null(bytes);
	record_encode(&record, &here, bytes + head_size, bytes, &checksum);
	for (size_t bit = RECORD_HEADER_SIZE * 8; bit < head_size * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(record_decode(bytes, &out), 0);
		assert_int_equal(record_check_head(bytes, &out, &here, &checksum), -EBADMSG);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(bytes);
}

static void record_check_head__holds_at_its_own_place_only(void **state)
{
	struct record record = chunk_of(100);
	uint8_t bytes[RECORD_HEAD_MAX + 100] = { 0 };
	struct record_context other;
	uint64_t checksum;

	(void)state;
	record_encode(&record, &here, bytes + record_head_size(100), bytes, &checksum);
	assert_true(check_all(bytes, &here));
	for (size_t i = 0; i < sizeof(other.uuid); i++) {
		other = here;
		other.uuid[i] ^= 1;
		assert_false(check_all(bytes, &other));
	}
	for (unsigned bit = 0; bit < 64; bit++) {
		other = here;
		other.place.pack ^= UINT64_C(1) << bit;
		assert_false(check_all(bytes, &other));
		other = here;
		other.place.offset ^= UINT64_C(1) << bit;
		assert_false(check_all(bytes, &other));
	}
}

static void record_decode__bounds_what_it_reads(void **state)
{
	static const struct {
		const char *what;
		size_t at, size;
		uint64_t value;
		int want;
	} rows[] = {
		{ "as it was", 32, 1, 0, 0 },
		{ "another magic", 0, 4, 0x50415246, -EBADMSG },
		{ "type zero", 4, 1, 0, -EBADMSG },
		{ "type unknown", 4, 1, 200, 0 },
		{ "codec unknown", 5, 1, 77, 0 },
		{ "raw, of another size", 5, 1, 0, -EBADMSG },
		{ "flags", 6, 2, 1, -EBADMSG },
		{ "raw size zero", 8, 4, 0, -EBADMSG },
		{ "raw size at most", 8, 4, RECORD_RAW_MAX, 0 },
		{ "raw size too large", 8, 4, RECORD_RAW_MAX + 1, -EBADMSG },
		{ "raw size huge", 8, 4, UINT32_MAX, -EBADMSG },
		{ "stored size zero", 12, 4, 0, -EBADMSG },
		{ "stored at most", 12, 4, RECORD_STORED_MAX, 0 },
		{ "stored too large", 12, 4, RECORD_STORED_MAX + 1, -EBADMSG },
		{ "stored huge", 12, 4, UINT32_MAX, -EBADMSG },
		{ "part past the parts", 16, 4, 9, -EBADMSG },
		{ "last part", 16, 4, 8, 0 },
		{ "no parts", 20, 4, 0, -EBADMSG },
		{ "parts huge", 20, 4, UINT32_MAX, 0 },
		{ "first reserve", 64, 8, 1, -EBADMSG },
		{ "second reserve", 72, 8, UINT64_C(1) << 63, -EBADMSG },
	};
	struct record record = chunk_of(100);
	uint8_t good[RECORD_HEAD_MAX] = { 0 };
	uint8_t stored[100] = { 0 };
	uint64_t checksum;

	(void)state;
	record_encode(&record, &here, stored, good, &checksum);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t head[RECORD_HEAD_MAX];
		struct record out;

		memcpy(head, good, sizeof(head));
		for (size_t k = 0; k < rows[i].size; k++)
			head[rows[i].at + k] = (uint8_t)(rows[i].value >> 8 * k);
		if (record_decode(head, &out) != rows[i].want)
			fail_msg("%s", rows[i].what);
	}
}

static void record_decode__survives_noise(void **state)
{
	uint8_t head[RECORD_HEAD_MAX];
	struct record out;
	uint64_t checksum;

	(void)state;
	for (uint32_t seed = 0; seed < 200000; seed++) {
		fill(head, sizeof(head), seed * 2654435761u);
		put_u32(head, RECORD_MAGIC);
		put_u32(head + 8, get_u32(head + 8) & 0x1fffff);
		put_u32(head + 12, get_u32(head + 12) & 0x1fffff);
		put_u16(head + 6, 0);
		memset(head + 64, 0, 16);
		if (record_decode(head, &out) == 0)
			assert_int_equal(record_check_head(head, &out, &here, &checksum), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_encode__round_trips_every_size),
		cmocka_unit_test(record_check_blocks__checks_each_block_alone),
		cmocka_unit_test(record_check__sees_every_flipped_bit),
		cmocka_unit_test(record_check__sees_every_flipped_bit_of_many_sums),
		cmocka_unit_test(record_check_head__holds_at_its_own_place_only),
		cmocka_unit_test(record_decode__bounds_what_it_reads),
		cmocka_unit_test(record_decode__survives_noise),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
