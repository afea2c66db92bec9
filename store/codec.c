/* codec.c - the zlib format by the fastest library of the build, and the probe that spares it hopeless input.
 *
 * ISA-L writes and libdeflate reads where they were built in, zlib does what is left. Knows bytes only: no record, no
 * chunk id, no disk. */
#include "codec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif
#if !defined(HAVE_ISAL) || !defined(HAVE_LIBDEFLATE)
#include <zlib.h>
#endif

#include "auto.h"
#include "bytes.h"
#include "log.h"

#define TINY_SIZE 64u  /* up to here the format's own 6 bytes and a code's header eat what could be saved */
#define SAVING_SHIFT 5 /* a result must save raw_size >> this */

/* Measured on text: level 1 is 3 % faster and its result up to 2 % larger; level 3 saves 4 %, at 0.6 to 0.8 the speed. */
#define ISAL_LEVEL 2

struct codec_context {
#ifdef HAVE_ISAL
	struct isal_zstream deflate;
	uint8_t level_buffer[ISAL_DEF_LVL2_SMALL]; /* a larger one changed neither speed nor size */
#else
	z_stream deflate;
	bool deflate_ready;
#endif
#ifdef HAVE_LIBDEFLATE
	struct libdeflate_decompressor *inflate;
#else
	z_stream inflate;
	bool inflate_ready;
#endif
};

/* ---- compressor and decompressor of the build ---- */

#ifdef HAVE_ISAL

static int deflate_init(struct codec_context *context)
{
	(void)context; /* the stream is set up anew for each use: that writes a few fields only */
	return 0;
}

static void deflate_release(struct codec_context *context)
{
	(void)context;
}

/* The size of the result, or 0 if it does not fit into `limit` bytes. */
static uint32_t deflate_run(struct codec_context *context, const void *raw, uint32_t raw_size, void *out,
			    uint32_t limit)
{
	struct isal_zstream *stream = &context->deflate;

	isal_deflate_stateless_init(stream);
	stream->level = ISAL_LEVEL;
	stream->level_buf = context->level_buffer;
	stream->level_buf_size = sizeof(context->level_buffer);
	stream->gzip_flag = IGZIP_ZLIB;
	stream->flush = NO_FLUSH;
	stream->end_of_stream = 1;
	stream->next_in = (uint8_t *)raw; /* the library only reads it */
	stream->avail_in = raw_size;
	stream->next_out = out;
	stream->avail_out = limit;
	if (isal_deflate_stateless(stream) != COMP_OK || stream->avail_in > 0)
		return 0;
	return stream->total_out;
}

#else

static int deflate_init(struct codec_context *context)
{
	if (deflateInit(&context->deflate, 1) != Z_OK)
		return -ENOMEM;
	context->deflate_ready = true;
	return 0;
}

static void deflate_release(struct codec_context *context)
{
	if (context->deflate_ready)
		(void)deflateEnd(&context->deflate); /* complains of pending data, there after a miss */
}

/* The size of the result, or 0 if it does not fit into `limit` bytes. */
static uint32_t deflate_run(struct codec_context *context, const void *raw, uint32_t raw_size, void *out,
			    uint32_t limit)
{
	z_stream *stream = &context->deflate;

	if (deflateReset(stream) != Z_OK)
		return 0;
	stream->next_in = (Bytef *)raw; /* the library only reads it */
	stream->avail_in = raw_size;
	stream->next_out = out;
	stream->avail_out = limit;
	if (deflate(stream, Z_FINISH) != Z_STREAM_END)
		return 0;
	return (uint32_t)stream->total_out;
}

#endif

#ifdef HAVE_LIBDEFLATE

static int inflate_init(struct codec_context *context)
{
	context->inflate = libdeflate_alloc_decompressor();
	return context->inflate ? 0 : -ENOMEM;
}

static void inflate_release(struct codec_context *context)
{
	if (context->inflate)
		libdeflate_free_decompressor(context->inflate);
}

static bool inflate_run(struct codec_context *context, const void *stored, uint32_t stored_size, void *raw,
			uint32_t raw_size)
{
	size_t n_read = 0;
	size_t n_written = 0;
	enum libdeflate_result result = libdeflate_zlib_decompress_ex(context->inflate, stored, stored_size,
								      raw, raw_size, &n_read, &n_written);

	return result == LIBDEFLATE_SUCCESS && n_read == stored_size && n_written == raw_size;
}

#else

static int inflate_init(struct codec_context *context)
{
	if (inflateInit(&context->inflate) != Z_OK)
		return -ENOMEM;
	context->inflate_ready = true;
	return 0;
}

static void inflate_release(struct codec_context *context)
{
	if (context->inflate_ready)
		(void)inflateEnd(&context->inflate); /* fails only for a stream that was never initialised */
}

static bool inflate_run(struct codec_context *context, const void *stored, uint32_t stored_size, void *raw,
			uint32_t raw_size)
{
	z_stream *stream = &context->inflate;

	if (inflateReset(stream) != Z_OK)
		return false;
	stream->next_in = (Bytef *)stored; /* the library only reads it */
	stream->avail_in = stored_size;
	stream->next_out = raw;
	stream->avail_out = raw_size;
	return inflate(stream, Z_FINISH) == Z_STREAM_END && stream->avail_in == 0 && stream->avail_out == 0;
}

#endif

int codec_context_new(struct codec_context **ret)
{
	AUTO(codec_context) struct codec_context *context = calloc(1, sizeof(*context));

	if (!context || deflate_init(context) < 0 || inflate_init(context) < 0)
		return log_err(-ENOMEM, "no memory for a compressor");
	*ret = TAKE(context);
	return 0;
}

void codec_context_free(struct codec_context *context)
{
	if (!context)
		return;
	deflate_release(context);
	inflate_release(context);
	free(context);
}

/* ---- the probe ----
 *
 * Deflate saves in two ways, so two questions are asked. Are bytes unevenly frequent? 32 samples of 128 bytes give a
 * histogram of the whole; as a stretch of text drowns in it when the rest is noise, the samples are also judged one
 * by one. And do strings come again? In 4 windows, strings of 8 bytes whose hash has 4 zero bits are remembered; which
 * ones are chosen depends on their content, so a repetition chooses the same ones, at a sixteenth of the work.
 * Every answer "compressible" only costs a trial, so all thresholds lean that way. What is missed, knowingly, is noise
 * that comes again only farther off than a window is long. */

#define PROBE_MIN 4096u
#define N_SAMPLES 32u
#define SAMPLE_SIZE 128u
#define N_SAMPLED (N_SAMPLES * SAMPLE_SIZE)
#define N_SAMPLED_LOG2 12
#define PLAIN_DISTINCT 80u /* different values among 128 bytes: noise has 101 +- 4, text and code 20 to 60 */
#define N_WINDOWS 4u
#define WINDOW_SIZE 2048u

/* 4096 bytes of noise have 7.955 bits a byte when counted so, and 1/32 of 8 bits is 0.25. */
#define NOISE_BITS 7.70

/* count * log2(count), in 1/65536 bits; count > 0. Between powers of two log2(1 + f) is taken for f + 0.344 f (1 - f),
 * right to 0.008: good enough here, and it needs no libm. */
static uint32_t count_log2(uint32_t count)
{
	uint32_t whole = 31 - (uint32_t)__builtin_clz(count);
	uint32_t f = (uint32_t)(((uint64_t)count << 16) >> whole) - 65536;
	uint32_t log2 = (whole << 16) + f + (uint32_t)((uint64_t)f * (65536 - f) * 344 / 1000 >> 16);

	return count * log2;
}

/* Where the i-th of n pieces of `size` bytes begins when they are spread over all of raw_size. */
static uint32_t piece_offset(uint32_t raw_size, uint32_t size, uint32_t i, uint32_t n)
{
	return (uint32_t)((uint64_t)(raw_size - size) * i / (n - 1));
}

/* Count one sample in, and return how many different values it has; `last_seen` holds the sample in which each value
 * was last met, counted from 1. */
static unsigned sample_count(const uint8_t *sample, uint8_t number, uint8_t last_seen[256],
			     uint16_t histogram[256])
{
	unsigned n = 0;

	for (unsigned i = 0; i < SAMPLE_SIZE; i++) {
		uint8_t value = sample[i];

		n += last_seen[value] != number;
		last_seen[value] = number;
		histogram[value]++;
	}
	return n;
}

static bool bytes_look_even(const uint8_t *raw, uint32_t raw_size)
{
	uint16_t histogram[256] = { 0 };
	uint8_t last_seen[256] = { 0 };
	unsigned n_plain = 0;
	uint32_t sum = 0; /* of count_log2(): at most 12 * 4096 bits, which fits */

	for (uint32_t i = 0; i < N_SAMPLES; i++) {
		const uint8_t *sample = raw + piece_offset(raw_size, SAMPLE_SIZE, i, N_SAMPLES);

		if (sample_count(sample, (uint8_t)(i + 1), last_seen, histogram) < PLAIN_DISTINCT)
			n_plain++;
	}
	/* One plain sample of 32 stands for about 1/32 of the bytes, of which at most a part can be saved. */
	if (n_plain > 1)
		return false;

	for (unsigned i = 0; i < 256; i++) {
		if (histogram[i] > 1)
			sum += count_log2(histogram[i]);
	}
	/* The entropy of the histogram is log2(N_SAMPLED) - sum / N_SAMPLED. */
	return sum <= (uint32_t)((N_SAMPLED_LOG2 - NOISE_BITS) * N_SAMPLED * 65536);
}

static uint32_t string_hash(uint64_t string)
{
	return (uint32_t)((string * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static bool window_repeats(const uint8_t *window)
{
	uint16_t chosen[WINDOW_SIZE];
	uint16_t last[256] = { 0 }; /* by hash: offset + 1 of the string last seen */
	unsigned n_chosen = 0;
	unsigned n_again = 0;

	/* Without a branch, which noise would make unpredictable. */
	for (uint32_t i = 0; i + 8 <= WINDOW_SIZE; i++) {
		chosen[n_chosen] = (uint16_t)i;
		n_chosen += string_hash(get_u64(window + i)) >> 28 == 0;
	}
	for (unsigned i = 0; i < n_chosen; i++) {
		uint64_t string = get_u64(window + chosen[i]);
		uint16_t *slot = &last[(string_hash(string) >> 20) & 255];

		if (*slot && get_u64(window + *slot - 1) == string)
			n_again++;
		*slot = (uint16_t)(chosen[i] + 1);
	}
	return n_again > n_chosen / 16;
}

static bool strings_repeat(const uint8_t *raw, uint32_t raw_size)
{
	for (uint32_t i = 0; i < N_WINDOWS; i++) {
		if (window_repeats(raw + piece_offset(raw_size, WINDOW_SIZE, i, N_WINDOWS)))
			return true;
	}
	return false;
}

int codec_looks_incompressible(const void *raw, uint32_t raw_size)
{
	if (raw_size < PROBE_MIN)
		return 0;
	return bytes_look_even(raw, raw_size) && !strings_repeat(raw, raw_size);
}

/* ---- encode and decode ---- */

int codec_encode(struct codec_context *context, const void *raw, uint32_t raw_size, void *out,
		 enum codec *ret_codec, uint32_t *ret_stored_size)
{
	uint32_t saving = (raw_size >> SAVING_SHIFT) + 1;
	uint32_t stored_size = 0;

	if (raw_size == 0)
		return -EINVAL;
	if (raw_size > TINY_SIZE && !codec_looks_incompressible(raw, raw_size))
		stored_size = deflate_run(context, raw, raw_size, out, raw_size - saving);

	*ret_codec = stored_size > 0 ? CODEC_ZLIB : CODEC_RAW;
	*ret_stored_size = stored_size > 0 ? stored_size : raw_size;
	return 0;
}

int codec_decode(struct codec_context *context, enum codec codec, const void *stored, uint32_t stored_size,
		 void *raw, uint32_t raw_size)
{
	switch (codec) {
	case CODEC_RAW:
		if (stored_size != raw_size)
			return -EBADMSG;
		if (raw_size > 0)
			memcpy(raw, stored, raw_size);
		return 0;
	case CODEC_ZLIB:
		return inflate_run(context, stored, stored_size, raw, raw_size) ? 0 : -EBADMSG;
	}
	return -ENOTSUP;
}
