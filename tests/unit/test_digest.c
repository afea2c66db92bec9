/* test_digest.c - SHA-256 against FIPS 180-4 and XXH3 against its library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "digest.h"

static const char *hex(const struct digest *digest)
{
	static char text[65];

	for (unsigned i = 0; i < sizeof(digest->bytes); i++)
		(void)snprintf(text + 2 * i, 3, "%02x", digest->bytes[i]);
	return text;
}

static const struct {
	const char *what;
	const char *unit; /* repeated */
	size_t n_units;
	const char *want;
} rows[] = {
	{ "nothing", "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "one block", "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "896 bits",
	  "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
	  "lmnopqrsmnopqrstnopqrstu",
	  1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
	{ "a million a", "a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
};

static void digest_sha256__known_answers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t unit_size = strlen(rows[i].unit);
		size_t size = unit_size * rows[i].n_units;
		char *data = test_malloc(size + 1);
		struct digest digest;

		for (size_t k = 0; k < rows[i].n_units; k++)
			memcpy(data + k * unit_size, rows[i].unit, unit_size);
		assert_int_equal(digest_sha256(data, size, &digest), 0);
		assert_string_equal(hex(&digest), rows[i].want);
		test_free(data);
	}
}

static void digest_sha256__null_is_fine_without_bytes(void **state)
{
	struct digest digest;

	(void)state;
	assert_int_equal(digest_sha256(NULL, 0, &digest), 0);
	assert_string_equal(hex(&digest), rows[0].want);
}

static void digest_stream__same_in_pieces_of_any_size(void **state)
{
	struct digest_stream *stream = NULL;
	struct digest digest;
	struct digest other;
	char piece[257];

	(void)state;
	memset(piece, 'a', sizeof(piece));
	assert_int_equal(digest_stream_new(&stream), 0);
	/* Twice: the stream starts anew by itself. In between the thread's own context is used. */
	for (unsigned round = 0; round < 2; round++) {
		for (size_t done = 0, n = 1; done < 1000000; done += n, n = n % sizeof(piece) + 1) {
			if (n > 1000000 - done)
				n = 1000000 - done;
			assert_int_equal(digest_stream_update(stream, piece, n), 0);
			if (n == 100)
				assert_int_equal(digest_sha256("abc", 3, &other), 0);
		}
		assert_int_equal(digest_stream_final(stream, &digest), 0);
		assert_string_equal(hex(&digest), rows[4].want);
		assert_string_equal(hex(&other), rows[1].want);
	}
	assert_int_equal(digest_stream_update(stream, NULL, 0), 0);
	assert_int_equal(digest_stream_final(stream, &digest), 0);
	assert_string_equal(hex(&digest), rows[0].want);
	digest_stream_free(stream);
	digest_stream_free(NULL);
}

/* NULL if all went well. */
static void *hash_much(void *argument)
{
	for (unsigned i = 0; i < 2000; i++) {
		struct digest digest;

		if (digest_sha256("abc", 3, &digest) != 0 || memcmp(&digest, argument, sizeof(digest)) != 0)
			return argument;
	}
	return NULL;
}

static void digest_sha256__threads_do_not_meet(void **state)
{
	pthread_t threads[8];
	struct digest want;
	void *failed = NULL;

	(void)state;
	assert_int_equal(digest_sha256("abc", 3, &want), 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hash_much, &want), 0);
	for (unsigned i = 0; i < 8; i++) {
		void *result = NULL;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		if (result)
			failed = result;
	}
	assert_null(failed);
}

static void checksum_xxh3__is_the_librarys(void **state)
{
	uint8_t data[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 131 + (i >> 8));
	for (size_t size = 0; size <= sizeof(data); size += size < 300 ? 1 : 77) {
		assert_true(checksum_xxh3(data, size) == XXH3_64bits(data, size));
		assert_true(checksum_xxh3_seeded(data, size, 42) == XXH3_64bits_withSeed(data, size, 42));
	}
	assert_true(checksum_xxh3(data, 100) == checksum_xxh3_seeded(data, 100, 0));
	assert_true(checksum_xxh3(data, 100) != checksum_xxh3_seeded(data, 100, 1));
	/* From XXH3's own test vectors: nothing, seed 0. What is stored must never change with a library's version. */
	assert_true(checksum_xxh3(NULL, 0) == UINT64_C(0x2d06800538d394c2));
}

static void checksum_n_blocks__rounds_up(void **state)
{
	static const struct {
		uint32_t stored_size, want;
	} sizes[] = {
		{ 0, 0 },     { 1, 1 },         { 65535, 1 },          { 65536, 1 },
		{ 65537, 2 }, { 1u << 20, 16 }, { UINT32_MAX, 65536 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_int_equal(checksum_n_blocks(sizes[i].stored_size), sizes[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digest_sha256__known_answers),
		cmocka_unit_test(digest_sha256__null_is_fine_without_bytes),
		cmocka_unit_test(digest_stream__same_in_pieces_of_any_size),
		cmocka_unit_test(digest_sha256__threads_do_not_meet),
		cmocka_unit_test(checksum_xxh3__is_the_librarys),
		cmocka_unit_test(checksum_n_blocks__rounds_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
