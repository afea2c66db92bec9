/* record.c - a record's header and block sums. See record.h.
 *
 * The header, little-endian:
 *    0 u32 magic        8 u32 raw size      16 u32 part         24 u64 id       64 u64, u64 zero
 *    4 u8 type          12 u32 stored size  20 u32 parts        32 hash         80 u64 XXH3-64
 *    5 u8 codec, u16 zero
 * Its XXH3-64 is over the context (uuid, pack, offset), the bytes in front of it and the block sums that follow it. */
#include "record.h"

#include <assert.h>
#include <errno.h>

#include "bytes.h"
#include "codec.h"

#define AT_CHECKSUM (RECORD_HEADER_SIZE - 8u)
#define CONTEXT_SIZE 32u
#define MAX_SUMS_SIZE (RECORD_STORED_MAX / CHECKSUM_BLOCK * 8u)

size_t record_head_size(uint32_t stored_size)
{
	return RECORD_HEADER_SIZE + (size_t)checksum_n_blocks(stored_size) * 8;
}

uint64_t record_size(uint32_t stored_size)
{
	return record_head_size(stored_size) + (uint64_t)stored_size;
}

static uint64_t head_checksum(const uint8_t *head, uint32_t stored_size, const struct record_context *context)
{
	uint8_t bytes[CONTEXT_SIZE + AT_CHECKSUM + MAX_SUMS_SIZE];
	size_t sums_size = (size_t)checksum_n_blocks(stored_size) * 8;

	assert(stored_size <= RECORD_STORED_MAX);
	memcpy(bytes, context->uuid, 16);
	put_u64(bytes + 16, context->place.pack);
	put_u64(bytes + 24, context->place.offset);
	memcpy(bytes + CONTEXT_SIZE, head, AT_CHECKSUM);
	memcpy(bytes + CONTEXT_SIZE + AT_CHECKSUM, head + RECORD_HEADER_SIZE, sums_size);
	return checksum_xxh3(bytes, CONTEXT_SIZE + AT_CHECKSUM + sums_size);
}

void record_encode_sums(const void *stored, uint32_t stored_size, uint8_t *ret_head)
{
	const uint8_t *bytes = stored;
	uint32_t n_blocks = checksum_n_blocks(stored_size);

	for (uint32_t i = 0; i < n_blocks; i++) {
		uint32_t from = i * CHECKSUM_BLOCK;
		uint32_t size = stored_size - from < CHECKSUM_BLOCK ? stored_size - from : CHECKSUM_BLOCK;

		put_u64(ret_head + RECORD_HEADER_SIZE + (size_t)i * 8, checksum_xxh3(bytes + from, size));
	}
}

void record_encode_header(const struct record *record, const struct record_context *context, uint8_t *head,
			  uint64_t *ret_checksum)
{
	uint64_t checksum;

	assert(record->stored_size >= 1 && record->stored_size <= RECORD_STORED_MAX);
	assert(record->raw_size >= 1 && record->raw_size <= RECORD_RAW_MAX);
	assert(record->type != 0 && record->part < record->n_parts);

	memset(head, 0, RECORD_HEADER_SIZE);
	put_u32(head, RECORD_MAGIC);
	head[4] = record->type;
	head[5] = record->codec;
	put_u32(head + 8, record->raw_size);
	put_u32(head + 12, record->stored_size);
	put_u32(head + 16, record->part);
	put_u32(head + 20, record->n_parts);
	put_u64(head + 24, record->id);
	memcpy(head + 32, record->hash.bytes, sizeof(record->hash.bytes));
	checksum = head_checksum(head, record->stored_size, context);
	put_u64(head + AT_CHECKSUM, checksum);
	*ret_checksum = checksum;
}

void record_encode(const struct record *record, const struct record_context *context, const void *stored,
		   uint8_t *ret_head, uint64_t *ret_checksum)
{
	record_encode_sums(stored, record->stored_size, ret_head);
	record_encode_header(record, context, ret_head, ret_checksum);
}

int record_decode(const uint8_t head[RECORD_HEADER_SIZE], struct record *ret)
{
	struct record record = {
		.type = head[4],
		.codec = head[5],
		.raw_size = get_u32(head + 8),
		.stored_size = get_u32(head + 12),
		.part = get_u32(head + 16),
		.n_parts = get_u32(head + 20),
		.id = get_u64(head + 24),
	};

	if (get_u32(head) != RECORD_MAGIC || record.type == 0 || get_u16(head + 6) != 0)
		return -EBADMSG;
	if (record.raw_size == 0 || record.raw_size > RECORD_RAW_MAX)
		return -EBADMSG;
	if (record.stored_size == 0 || record.stored_size > RECORD_STORED_MAX)
		return -EBADMSG;
	if (record.codec == CODEC_RAW && record.stored_size != record.raw_size)
		return -EBADMSG;
	if (record.part >= record.n_parts || get_u64(head + 64) != 0 || get_u64(head + 72) != 0)
		return -EBADMSG;
	memcpy(record.hash.bytes, head + 32, sizeof(record.hash.bytes));
	*ret = record;
	return 0;
}

int record_check_head(const uint8_t *head, const struct record *record, const struct record_context *context,
		      uint64_t *ret_checksum)
{
	uint64_t checksum = head_checksum(head, record->stored_size, context);

	if (checksum != get_u64(head + AT_CHECKSUM))
		return -EBADMSG;
	*ret_checksum = checksum;
	return 0;
}

int record_check_blocks(const uint8_t *head, const struct record *record, uint32_t first_block,
			const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint32_t n_blocks = checksum_n_blocks(record->stored_size);

	for (uint32_t i = first_block; size > 0; i++) {
		size_t n = size < CHECKSUM_BLOCK ? size : CHECKSUM_BLOCK;

		assert(i < n_blocks);
		if (i >= n_blocks ||
		    checksum_xxh3(at, n) != get_u64(head + RECORD_HEADER_SIZE + (size_t)i * 8))
			return -EBADMSG;
		at += n;
		size -= n;
	}
	return 0;
}
