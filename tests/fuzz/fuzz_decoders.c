/* fuzz_decoders.c - what turns bytes into fields without a file: headers of records, commit records, stored bytes of a
 * chunk, access control lists, the kernel's requests; and where the chunker cuts.
 *
 * The input's first byte chooses which. */
#include "fuzz.h"

#include <errno.h>
#include <zlib.h>

#include "acl.h"
#include "bytes.h"
#include "chunker.h"
#include "codec.h"
#include "commit_record.h"
#include "record.h"
#include "wire.h"

#define RAW_MAX 300000u

static struct codec_context *codec;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_quiet();
	FUZZ_CHECK(codec_context_new(&codec) == 0);
	return 0;
}

/* The input's own bytes in a block of their size, so that a read past them is seen. */
static uint8_t *own_copy(const struct fuzz_input *input)
{
	uint8_t *bytes = malloc(input->left ? input->left : 1);

	FUZZ_CHECK(bytes != NULL);
	memcpy(bytes, input->at, input->left);
	return bytes;
}

/* ---- records ---- */

static void try_record(struct fuzz_input *input)
{
	static const struct record_context context = { "0123456789abcde", { 1, 64 } };
	uint8_t head[RECORD_HEADER_SIZE], again[RECORD_HEAD_MAX];
	AUTO(free) uint8_t *stored = NULL;
	struct record record, got;
	uint64_t checksum, other;

	(void)fuzz_take(input, head, sizeof(head));
	put_u32(head, RECORD_MAGIC);
	if (record_decode(head, &record) < 0)
		return;
	FUZZ_CHECK(record.stored_size <= RECORD_STORED_MAX && record_size(record.stored_size) > record.stored_size);
	stored = calloc(1, record.stored_size);
	FUZZ_CHECK(stored != NULL);
	memcpy(stored, input->at, input->left < record.stored_size ? input->left : record.stored_size);
	record_encode(&record, &context, stored, again, &checksum);
	FUZZ_CHECK(record_decode(again, &got) == 0 && record_check_head(again, &got, &context, &other) == 0);
	FUZZ_CHECK(other == checksum && record_check_blocks(again, &got, 0, stored, got.stored_size) == 0);
	FUZZ_CHECK(memcmp(head, again, RECORD_HEADER_SIZE - 8) == 0);	/* nothing in it that does not count */
	stored[record.stored_size / 2] ^= 1;
	FUZZ_CHECK(record_check_blocks(again, &got, 0, stored, got.stored_size) == -EBADMSG);
}

static void try_commit_record(struct fuzz_input *input)
{
	AUTO(free) uint8_t *bytes = own_copy(input);
	uint8_t again[COMMIT_RECORD_SIZE];
	struct commit_record record, got;

	if (commit_record_decode(bytes, input->left, &record) < 0)
		return;
	commit_record_encode(&record, again);
	FUZZ_CHECK(commit_record_decode(again, sizeof(again), &got) == 0);
	FUZZ_CHECK(memcmp(again, bytes, 15 * 8) == 0);	/* the last two words are spare */
}

/* ---- access control lists ---- */

static void try_acl(struct fuzz_input *input)
{
	uint32_t mode = (uint32_t)fuzz_number(input, 2), before = mode, wanted = mode & 0777;
	size_t size = input->left < ACL_SIZE_MAX ? input->left : ACL_SIZE_MAX;
	AUTO(free) uint8_t *acl = own_copy(input);
	int r = acl_check(acl, input->left);

	FUZZ_CHECK(r == 1 || r == 0 || r == -EINVAL || r == -EOPNOTSUPP || r == -E2BIG);
	if (r != 1)
		return;
	(void)acl_to_mode(acl, size, &mode);
	FUZZ_CHECK((mode & ~0777u) == (before & ~0777u));
	acl_chmod(acl, size, wanted);
	FUZZ_CHECK(acl_check(acl, size) == 1);
	(void)acl_to_mode(acl, size, &mode);
	FUZZ_CHECK((mode & 0777) == wanted);
	mode = before;
	(void)acl_inherit(acl, size, &mode);
	FUZZ_CHECK(acl_check(acl, size) == 1);
	FUZZ_CHECK((mode & ~before & 0777) == 0 && (mode & ~0777u) == (before & ~0777u));
}

/* ---- stored bytes ---- */

/* What zlib itself makes of it: 0 if it comes out as exactly `raw_size` bytes and all of `stored` is used up. */
static int reference_decode(const uint8_t *stored, size_t stored_size, uint8_t *raw, size_t raw_size)
{
	uLongf out = raw_size;
	uLong in = stored_size;
	int code = uncompress2(raw, &out, stored, &in);

	return code == Z_OK && out == raw_size && in == stored_size ? 0 : -EBADMSG;
}

static void decode_both(const uint8_t *stored, size_t stored_size, size_t raw_size)
{
	AUTO(free) uint8_t *ours = malloc(raw_size), *theirs = malloc(raw_size);
	int r;

	FUZZ_CHECK(ours && theirs);
	r = codec_decode(codec, CODEC_ZLIB, stored, (uint32_t)stored_size, ours, (uint32_t)raw_size);
	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (reference_decode(stored, stored_size, theirs, raw_size) == 0)
		FUZZ_CHECK(r == 0 && memcmp(ours, theirs, raw_size) == 0);
	r = codec_decode(codec, CODEC_RAW, stored, (uint32_t)stored_size, ours, (uint32_t)raw_size);
	FUZZ_CHECK((r == 0) == (stored_size == raw_size));
	FUZZ_CHECK(codec_decode(codec, (enum codec)7, stored, (uint32_t)stored_size, ours, (uint32_t)raw_size) == -ENOTSUP);
}

static void try_decode(struct fuzz_input *input)
{
	size_t raw_size = 1 + fuzz_below(input, RAW_MAX);
	AUTO(free) uint8_t *stored = NULL;

	if (input->left == 0)
		return;
	stored = own_copy(input);
	decode_both(stored, input->left, raw_size);
}

/* The input as deflate's own stream, in a zlib frame whose sizes and checksum are right, so that all of it is decoded. */
static void try_deflate(struct fuzz_input *input)
{
	static uint8_t raw[RAW_MAX];
	AUTO(free) uint8_t *stored = malloc(input->left + 6);
	z_stream z = { .next_in = (Bytef *)(uintptr_t)input->at, .avail_in = (uInt)input->left, .next_out = raw,
		       .avail_out = sizeof(raw) };
	size_t used;
	uLong sum;
	int code;

	FUZZ_CHECK(stored && inflateInit2(&z, -15) == Z_OK);
	code = inflate(&z, Z_FINISH);
	used = z.total_in;
	sum = adler32(1, raw, (uInt)z.total_out);
	(void)inflateEnd(&z);
	if (code != Z_STREAM_END || z.total_out == 0)
		return;
	stored[0] = 0x78;
	stored[1] = 0x01;
	memcpy(stored + 2, input->at, used);
	for (int i = 0; i < 4; i++)
		stored[2 + used + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
	decode_both(stored, used + 6, z.total_out);
	decode_both(stored, used + 6, z.total_out + 1);
	if (z.total_out > 1)
		decode_both(stored, used + 6, z.total_out - 1);
}

/* Bytes of some length, from a few of the input, with repeats as the input says. */
static size_t expand(struct fuzz_input *input, uint8_t *ret, size_t most)
{
	size_t size = 0, n = 0;

	while (input->left > 0 && size < most) {
		const uint8_t *bytes = fuzz_bytes(input, 200, &n);
		size_t times = 1 + fuzz_number(input, 1);

		for (; times > 0 && n > 0 && n <= most - size; times--, size += n)
			memcpy(ret + size, bytes, n);
		if (n == 0 || n > most - size)
			break;
	}
	return size;
}

static void try_encode(struct fuzz_input *input)
{
	static uint8_t raw[RAW_MAX], back[RAW_MAX];
	size_t size = expand(input, raw, RAW_MAX);
	AUTO(free) uint8_t *stored = malloc(CODEC_STORED_MAX(size) + 1);
	enum codec chosen = CODEC_RAW;
	uint32_t stored_size = 0;

	FUZZ_CHECK(stored != NULL);
	if (size == 0)
		return;
	FUZZ_CHECK(codec_encode(codec, raw, (uint32_t)size, stored, &chosen, &stored_size) == 0);
	FUZZ_CHECK(stored_size <= size && (chosen == CODEC_RAW) == (stored_size == size));
	if (chosen == CODEC_RAW)
		return;
	FUZZ_CHECK(codec_decode(codec, chosen, stored, stored_size, back, (uint32_t)size) == 0);
	FUZZ_CHECK(memcmp(raw, back, size) == 0);
	FUZZ_CHECK(reference_decode(stored, stored_size, back, size) == 0);
}

/* ---- requests ---- */

static void try_request(struct fuzz_input *input)
{
	AUTO(free) uint8_t *bytes = own_copy(input);
	struct wire_request request;

	if (input->left >= 4 && input->left % 2)
		put_u32(bytes, (uint32_t)input->left);	/* the length that must be right */
	if (wire_parse(bytes, input->left, &request) == 0)
		FUZZ_CHECK(request.n_bytes < input->left || request.n_bytes == 0);
}

/* ---- cutting ---- */

static size_t cut(struct chunker *chunker, const uint8_t *bytes, size_t size, size_t step, size_t *ret_cuts, size_t room)
{
	size_t n = 0, at = 0;

	while (at < size && n < room) {
		size_t feed = size - at < step ? size - at : step;
		bool is_cut = false;
		size_t took = chunker_feed(chunker, bytes + at, feed, &is_cut);

		FUZZ_CHECK(took <= feed && (is_cut || took == feed));
		at += took;
		if (is_cut)
			ret_cuts[n++] = at;
	}
	return n;
}

static void try_cut(struct fuzz_input *input)
{
	static uint8_t bytes[RAW_MAX];
	size_t once[64], again[64], n, before = 0;
	size_t step = 1 + fuzz_below(input, 50000);
	struct chunker_params params;
	struct chunker chunker;
	size_t size = expand(input, bytes, RAW_MAX);

	FUZZ_CHECK(chunker_params_init(&params, CHUNK_AVERAGE_MIN) == 0);
	chunker_init(&chunker, &params);
	n = cut(&chunker, bytes, size, SIZE_MAX, once, 64);
	for (size_t i = 0; i < n; i++) {
		FUZZ_CHECK(once[i] - before > params.min && once[i] - before <= params.max);
		before = once[i];
	}
	FUZZ_CHECK(n == 64 || size - before <= params.max);
	chunker_reset(&chunker);
	FUZZ_CHECK(cut(&chunker, bytes, size, step, again, 64) == n && memcmp(once, again, n * sizeof(once[0])) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct fuzz_input *input) = {
		try_record, try_commit_record, try_decode, try_deflate, try_encode, try_request, try_cut, try_acl,
	};
	struct fuzz_input input = { data, size };
	size_t which = fuzz_below(&input, sizeof(tries) / sizeof(tries[0]));

	tries[which](&input);
	return 0;
}
