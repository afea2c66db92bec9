/* test_codec.c - what goes in comes out, zlib understands it, and damage is noticed.
 *
 * Buffers end at a page that cannot be touched, so that reading or writing one byte too far ends the test, also inside
 * libraries that no sanitizer sees into. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "bytes.h"
#include "codec.h"

#define BUFFER_SIZE (1u << 20)

/* `end` is where the untouchable page begins: a buffer of n bytes is at end - n. */
struct guarded {
	uint8_t *base, *end;
	size_t mapped;
};

struct fixture {
	struct codec_context *codec;
	struct guarded raw, stored, decoded;
};

static uint64_t random_state;

/* splitmix64 */
static uint64_t random_next(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)(random_next() % n);
}

static int guarded_init(struct guarded *ret)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *base =
		mmap(NULL, BUFFER_SIZE + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return -1;
	ret->base = base;
	ret->end = ret->base + BUFFER_SIZE;
	ret->mapped = BUFFER_SIZE + page;
	return mprotect(ret->end, page, PROT_NONE);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	random_state = 1;
	*state = f;
	if (!f || guarded_init(&f->raw) < 0 || guarded_init(&f->stored) < 0 || guarded_init(&f->decoded) < 0)
		return -1;
	return codec_context_new(&f->codec);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	codec_context_free(f->codec);
	codec_context_free(NULL);
	(void)munmap(f->raw.base, f->raw.mapped);
	(void)munmap(f->stored.base, f->stored.mapped);
	(void)munmap(f->decoded.base, f->decoded.mapped);
	free(f);
	return 0;
}

/* ---- inputs ---- */

static void fill_random(uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i += 8) {
		uint8_t word[8];

		put_u64(word, random_next());
		memcpy(data + i, word, size - i < 8 ? size - i : 8);
	}
}

static void fill_zeros(uint8_t *data, size_t size)
{
	memset(data, 0, size);
}

/* Words, drawn unevenly from 256. */
static void fill_text(uint8_t *data, size_t size)
{
	size_t i = 0;

	while (i < size) {
		uint32_t word = random_below(256) * random_below(256) >> 8;
		uint32_t length = 2 + word % 9;

		for (uint32_t k = 0; k < length && i < size; k++)
			data[i++] = (uint8_t)('a' + (word * 7 + k * k * (word | 1)) % 26);
		if (i < size)
			data[i++] = word % 16 == 0 ? '\n' : ' ';
	}
}

/* Symbols of unequal frequency, as little redundant as a JPEG's: some 7.9 bits a byte. */
static void fill_media(uint8_t *data, size_t size)
{
	fill_random(data, size);
	for (size_t i = 0; i < size; i++) {
		if (random_next() % 25 == 0)
			data[i] &= 0x3f;
	}
}

static void fill_half_text(uint8_t *data, size_t size)
{
	fill_random(data, size / 2);
	fill_text(data + size / 2, size - size / 2);
}

static void fill_eighth_text(uint8_t *data, size_t size)
{
	fill_text(data, size / 8);
	fill_random(data + size / 8, size - size / 8);
}

static void fill_stripes(uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i += 1024) {
		size_t n = size - i < 1024 ? size - i : 1024;

		if (i / 1024 % 2)
			fill_text(data + i, n);
		else
			fill_random(data + i, n);
	}
}

/* Evenly frequent bytes, all of them said before. */
static void fill_repeated_noise(uint8_t *data, size_t size)
{
	fill_random(data, size < 700 ? size : 700);
	for (size_t i = 700; i < size; i++)
		data[i] = data[i - 700];
}

/* 16-bit sound: noise in the low bytes, few values in the high ones. */
static void fill_sound(uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i % 2 ? random_below(10) : random_next());
}

static void fill_base64(uint8_t *data, size_t size)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i % 77 == 76 ? '\n' : letters[random_below(64)]);
}

/* ---- helpers ---- */

static enum codec encode(struct fixture *f, const uint8_t *raw, uint32_t raw_size, uint8_t *out,
			 uint32_t *ret_stored_size)
{
	enum codec codec = (enum codec)77;

	*ret_stored_size = 0;
	assert_int_equal(codec_encode(f->codec, raw, raw_size, out, &codec, ret_stored_size), 0);
	assert_true(codec == CODEC_RAW || codec == CODEC_ZLIB);
	assert_true(*ret_stored_size <= CODEC_STORED_MAX(raw_size));
	if (codec == CODEC_RAW)
		assert_int_equal(*ret_stored_size, raw_size);
	else
		assert_true(raw_size - *ret_stored_size >= (raw_size + 31) / 32);
	return codec;
}

static void zlib_reads(struct fixture *f, const uint8_t *stored, uint32_t stored_size, uint32_t raw_size)
{
	uint8_t *decoded = f->decoded.end - raw_size;
	uLongf n = raw_size;

	assert_int_equal(uncompress(decoded, &n, stored, stored_size), Z_OK);
	assert_int_equal(n, raw_size);
	assert_memory_equal(decoded, f->raw.end - raw_size, raw_size);
}

/* Encode what ends at f->raw.end and decode it again; returns the codec. */
static enum codec round_trip(struct fixture *f, uint32_t raw_size)
{
	const uint8_t *raw = f->raw.end - raw_size;
	uint8_t *decoded = f->decoded.end - raw_size;
	uint32_t stored_size;
	enum codec codec = encode(f, raw, raw_size, f->stored.end - raw_size, &stored_size);
	const uint8_t *stored = codec == CODEC_RAW ? raw : f->stored.end - raw_size;

	memset(decoded, 0xa5, raw_size);
	assert_int_equal(codec_decode(f->codec, codec, stored, stored_size, decoded, raw_size), 0);
	assert_memory_equal(decoded, raw, raw_size);
	if (codec == CODEC_ZLIB)
		zlib_reads(f, stored, stored_size, raw_size);
	return codec;
}

/* ---- tests ---- */

static const struct {
	const char *what;
	void (*fill)(uint8_t *data, size_t size);
	int incompressible;
} inputs[] = {
	{ "noise", fill_random, 1 },
	{ "media", fill_media, 1 },
	{ "zeros", fill_zeros, 0 },
	{ "text", fill_text, 0 },
	{ "half text", fill_half_text, 0 },
	{ "an eighth text", fill_eighth_text, 0 },
	{ "stripes of text", fill_stripes, 0 },
	{ "repeated noise", fill_repeated_noise, 0 },
	{ "sound", fill_sound, 0 },
	{ "base64", fill_base64, 0 },
};

#define N_INPUTS (sizeof(inputs) / sizeof(inputs[0]))

static void codec__round_trip(void **state)
{
	static const uint32_t sizes[] = { 1,    2,     31,    32,    63,    64,     65,      66,
					  100,  255,   256,   1000,  4095,  4096,   8191,    8192,
					  8193, 32768, 65535, 65536, 65537, 262144, 1048575, 1048576 };
	struct fixture *f = *state;

	for (unsigned i = 0; i < N_INPUTS; i++) {
		for (unsigned k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			enum codec codec;

			inputs[i].fill(f->raw.end - sizes[k], sizes[k]);
			codec = round_trip(f, sizes[k]);
			if (sizes[k] <= 64 || inputs[i].fill == fill_random)
				assert_int_equal(codec, CODEC_RAW);
			else if (inputs[i].fill == fill_zeros ||
				 (inputs[i].fill == fill_text && sizes[k] >= 4096))
				assert_int_equal(codec, CODEC_ZLIB);
		}
	}
}

/* 2,100 buffers, mixed from the inputs above. */
static void codec__zlib_both_ways(void **state)
{
	struct fixture *f = *state;
	unsigned n_zlib = 0;

	for (unsigned i = 0; i < 2100; i++) {
		uint32_t raw_size = 1 + random_below(1u << (6 + i % 9));
		uint32_t split = random_below(raw_size);
		uint8_t *raw = f->raw.end - raw_size;
		uint8_t *stored = f->stored.end - raw_size;
		uLongf n = BUFFER_SIZE;
		uint32_t stored_size;

		inputs[random_below(N_INPUTS)].fill(raw, raw_size);
		inputs[random_below(N_INPUTS)].fill(raw + split, raw_size - split);
		if (encode(f, raw, raw_size, stored, &stored_size) == CODEC_ZLIB) {
			n_zlib++;
			zlib_reads(f, stored, stored_size, raw_size);
		}

		assert_int_equal(compress2(f->stored.base, &n, raw, raw_size, (int)(i % 10)), Z_OK);
		memmove(f->stored.end - n, f->stored.base, n);
		assert_int_equal(codec_decode(f->codec, CODEC_ZLIB, f->stored.end - n, (uint32_t)n,
					      f->decoded.end - raw_size, raw_size),
				 0);
		assert_memory_equal(f->decoded.end - raw_size, raw, raw_size);
	}
	assert_true(n_zlib > 700);
}

static void codec_encode__refuses_nothing(void **state)
{
	struct fixture *f = *state;
	enum codec codec = CODEC_ZLIB;
	uint32_t stored_size = 5;

	assert_int_equal(codec_encode(f->codec, f->raw.base, 0, f->stored.base, &codec, &stored_size),
			 -EINVAL);
	assert_int_equal(codec, CODEC_ZLIB);
	assert_int_equal(stored_size, 5);
}

static void codec_decode__refuses_what_it_does_not_know(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(codec_decode(f->codec, (enum codec)2, f->raw.base, 10, f->decoded.base, 10),
			 -ENOTSUP);
	assert_int_equal(codec_decode(f->codec, (enum codec)255, f->raw.base, 10, f->decoded.base, 10),
			 -ENOTSUP);
	assert_int_equal(codec_decode(f->codec, CODEC_RAW, f->raw.base, 10, f->decoded.base, 9), -EBADMSG);
	assert_int_equal(codec_decode(f->codec, CODEC_RAW, f->raw.base, 10, f->decoded.base, 11), -EBADMSG);
}

static void codec_decode__wants_exact_sizes(void **state)
{
	struct fixture *f = *state;
	uint32_t raw_size = 20000;
	uint32_t stored_size;
	uint8_t *stored;

	fill_text(f->raw.end - raw_size, raw_size);
	assert_int_equal(encode(f, f->raw.end - raw_size, raw_size, f->stored.base, &stored_size),
			 CODEC_ZLIB);
	stored = f->stored.end - stored_size;
	memmove(stored, f->stored.base, stored_size);

	assert_int_equal(
		codec_decode(f->codec, CODEC_ZLIB, stored, stored_size, f->decoded.end - raw_size, raw_size),
		0);
	/* Steps of 7 do not meet 20,000. */
	for (uint32_t other = 0; other < 2 * raw_size; other += 7)
		assert_int_equal(codec_decode(f->codec, CODEC_ZLIB, stored, stored_size,
					      f->decoded.end - other, other),
				 -EBADMSG);
	assert_int_equal(codec_decode(f->codec, CODEC_ZLIB, stored, stored_size,
				      f->decoded.end - raw_size + 1, raw_size - 1),
			 -EBADMSG);
	assert_int_equal(codec_decode(f->codec, CODEC_ZLIB, stored, stored_size,
				      f->decoded.end - raw_size - 1, raw_size + 1),
			 -EBADMSG);
	/* Truncated anywhere: the copy ends at the guard page. */
	for (uint32_t n = 0; n < stored_size; n++) {
		memmove(f->stored.end - n, f->stored.base, n);
		assert_int_equal(codec_decode(f->codec, CODEC_ZLIB, f->stored.end - n, n,
					      f->decoded.end - raw_size, raw_size),
				 -EBADMSG);
	}
	/* One byte more. */
	f->stored.base[stored_size] = 0;
	assert_int_equal(codec_decode(f->codec, CODEC_ZLIB, f->stored.base, stored_size + 1,
				      f->decoded.end - raw_size, raw_size),
			 -EBADMSG);
	/* And the context is none the worse for it. */
	assert_int_equal(codec_decode(f->codec, CODEC_ZLIB, f->stored.base, stored_size,
				      f->decoded.end - raw_size, raw_size),
			 0);
	assert_memory_equal(f->decoded.end - raw_size, f->raw.end - raw_size, raw_size);
}

static void codec_decode__notices_flipped_bits(void **state)
{
	struct fixture *f = *state;
	uint32_t raw_size = 3000;
	const uint8_t *raw = f->raw.end - raw_size;
	uint8_t *decoded = f->decoded.end - raw_size;
	uint32_t stored_size;
	unsigned n_refused = 0;
	uint8_t *stored;

	fill_text(f->raw.end - raw_size, raw_size);
	assert_int_equal(encode(f, raw, raw_size, f->stored.base, &stored_size), CODEC_ZLIB);
	stored = f->stored.end - stored_size;
	memmove(stored, f->stored.base, stored_size);
	for (uint32_t bit = 0; bit < 8 * stored_size; bit++) {
		int r;

		stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
		r = codec_decode(f->codec, CODEC_ZLIB, stored, stored_size, decoded, raw_size);
		stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
		/* A flip in an unused bit changes nothing. */
		if (r == 0) {
			assert_memory_equal(decoded, raw, raw_size);
			continue;
		}
		assert_int_equal(r, -EBADMSG);
		n_refused++;
	}
	assert_true(n_refused > 8 * stored_size - 64);
}

static void codec_decode__survives_garbage(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 20000; i++) {
		uint32_t stored_size = random_below(400);
		uint32_t raw_size = random_below(5000);
		uint8_t *stored = f->stored.end - stored_size;
		int r;

		fill_random(stored, stored_size);
		/* A right header lets it come further. */
		if (i % 2 && stored_size > 2)
			memcpy(stored, "\x78\x01", 2);
		r = codec_decode(f->codec, CODEC_ZLIB, stored, stored_size, f->decoded.end - raw_size,
				 raw_size);
		assert_int_equal(r, -EBADMSG);
	}
}

static void codec_decode__refuses_preset_dictionaries(void **state)
{
	struct fixture *f = *state;
	uint32_t raw_size = 2000;
	z_stream stream = { 0 };

	fill_text(f->raw.end - raw_size, raw_size);
	assert_int_equal(deflateInit(&stream, 6), Z_OK);
	assert_int_equal(deflateSetDictionary(&stream, f->raw.end - raw_size, raw_size), Z_OK);
	stream.next_in = f->raw.end - raw_size;
	stream.avail_in = raw_size;
	stream.next_out = f->stored.base;
	stream.avail_out = BUFFER_SIZE;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(codec_decode(f->codec, CODEC_ZLIB, f->stored.base, (uint32_t)stream.total_out,
				      f->decoded.end - raw_size, raw_size),
			 -EBADMSG);
	(void)deflateEnd(&stream);
}

static void codec_looks_incompressible__tells_inputs_apart(void **state)
{
	static const uint32_t sizes[] = { 8192, 8193, 20000, 65536, 100001, 262144, 1048576 };
	struct fixture *f = *state;

	for (unsigned i = 0; i < N_INPUTS; i++) {
		for (unsigned k = 0; k < 70; k++) {
			uint32_t size = sizes[k % 7];

			inputs[i].fill(f->raw.end - size, size);
			if (codec_looks_incompressible(f->raw.end - size, size) != inputs[i].incompressible)
				fail_msg("wrong about %s, %u bytes, round %u", inputs[i].what, size, k);
		}
	}
}

/* An archive of text, as zlib writes it: no noise by construction, but close to it. */
static void codec_looks_incompressible__knows_archives(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 8; i++) {
		uLongf n = BUFFER_SIZE;

		fill_text(f->raw.base, BUFFER_SIZE);
		assert_int_equal(compress2(f->stored.base, &n, f->raw.base, BUFFER_SIZE, i % 2 ? 1 : 6),
				 Z_OK);
		assert_int_equal(codec_looks_incompressible(f->stored.base, (uint32_t)n), 1);
	}
}

static void codec_looks_incompressible__lets_small_ones_be_tried(void **state)
{
	struct fixture *f = *state;

	fill_random(f->raw.base, 4096);
	for (uint32_t size = 0; size < 4096; size += 111)
		assert_int_equal(codec_looks_incompressible(f->raw.base, size), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(codec__round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(codec__zlib_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(codec_encode__refuses_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(codec_decode__refuses_what_it_does_not_know, setup, teardown),
		cmocka_unit_test_setup_teardown(codec_decode__wants_exact_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(codec_decode__notices_flipped_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(codec_decode__survives_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(codec_decode__refuses_preset_dictionaries, setup, teardown),
		cmocka_unit_test_setup_teardown(codec_looks_incompressible__tells_inputs_apart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(codec_looks_incompressible__knows_archives, setup, teardown),
		cmocka_unit_test_setup_teardown(codec_looks_incompressible__lets_small_ones_be_tried, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
