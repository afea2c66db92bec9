/* record.h - one record of a pack, between its fields and its bytes. Pure: no files, no locks. Format: vaultfs-format(5). */
#ifndef VAULTFS_RECORD_H
#define VAULTFS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "digest.h"

#define RECORD_RAW_MAX 1048576u		/* bytes of a record before compression */
#define RECORD_STORED_MAX 1048576u	/* bytes of a record in a pack: never larger than raw */
#define PACK_HEADER_SIZE 64u		/* bytes at the start of every pack */
#define RECORD_HEADER_SIZE 88u		/* bytes of a record before its block sums */
#define RECORD_HEAD_MAX (RECORD_HEADER_SIZE + RECORD_STORED_MAX / CHECKSUM_BLOCK * 8u)	/* header and all block sums */
#define RECORD_MAGIC 0x9ac3f752u	/* 52 f7 c3 9a on disk: not UTF-8, not ASCII */

enum record_type {
	RECORD_CHUNK = 1,	/* a chunk of content; id = chunk id; hash = SHA-256 of the raw bytes */
	RECORD_JOURNAL = 2,	/* a part of a commit's changeset; id = commit */
	RECORD_COMMIT = 3,	/* a commit record; id = commit */
	RECORD_PICTURE = 4,	/* a part of the list of chunks that make up a picture; id = the commit it shows */
	RECORD_INDEX = 5,	/* a part of a sealed pack's index; id = pack number */
	RECORD_SEAL = 6,	/* the last record of a sealed pack: where its index starts */
	RECORD_PARITY = 7,	/* reserved */
};

/* Where a record starts. Ordered by pack, then offset. */
struct place {
	uint64_t pack;		/* number, from 1; 0 = nowhere */
	uint64_t offset;	/* bytes from the start of the pack */
};

static inline bool place_equal(struct place a, struct place b)
{
	return a.pack == b.pack && a.offset == b.offset;
}

static inline bool place_before(struct place a, struct place b)
{
	return a.pack != b.pack ? a.pack < b.pack : a.offset < b.offset;
}

struct record {
	uint8_t type;		/* enum record_type */
	uint8_t codec;		/* enum codec */
	uint32_t raw_size;	/* bytes, 1 to RECORD_RAW_MAX */
	uint32_t stored_size;	/* bytes, 1 to RECORD_STORED_MAX */
	uint32_t part, n_parts;	/* of a stream of records with the same type and id; 0 of 1 for others */
	uint64_t id;
	struct digest hash;	/* SHA-256 of the raw bytes of a chunk, zero in other records */
};

/* What binds a header to the one place where it is valid, so that a pack's bytes stored as a file inside the vault, or
 * moved, are never taken for records. */
struct record_context {
	uint8_t uuid[16];
	struct place place;
};

/* Bytes of header and block sums in front of `stored_size` stored bytes; all of the record with them. */
size_t record_head_size(uint32_t stored_size);
uint64_t record_size(uint32_t stored_size);

/* Encode header and block sums of `record`, whose stored bytes are `stored`, into `ret_head` (record_head_size()
 * bytes). *ret_checksum is the header's own XXH3, which covers the sums and so the record: the chain of commits uses it. */
void record_encode(const struct record *record, const struct record_context *context, const void *stored,
		   uint8_t *ret_head, uint64_t *ret_checksum);

/* The two halves of record_encode(), for a writer that learns the place late: the sums first (they depend on the bytes
 * alone), then the header in front of the sums that stand in `head`. */
void record_encode_sums(const void *stored, uint32_t stored_size, uint8_t *ret_head);
void record_encode_header(const struct record *record, const struct record_context *context, uint8_t *head,
			  uint64_t *ret_checksum);

/* Decode and bound a header from its first RECORD_HEADER_SIZE bytes; the sums and the header's checksum are not looked
 * at yet. Types and codecs that this version does not know are let through; bytes stored raw are as many as raw ones.
 *   Errors  -EBADMSG not a header, or impossible sizes (silent: scanning asks this question at every gap). */
int record_decode(const uint8_t head[RECORD_HEADER_SIZE], struct record *ret);

/* Check a whole head (header and sums, record_head_size() bytes) that record_decode() has let through against its
 * checksum.  -EBADMSG (silent). */
int record_check_head(const uint8_t *head, const struct record *record, const struct record_context *context,
		      uint64_t *ret_checksum);

/* Check stored bytes [first_block * 64 KiB, + size) against the sums in `head`; the range is whole blocks, or ends with the
 * record.  -EBADMSG (silent). */
int record_check_blocks(const uint8_t *head, const struct record *record, uint32_t first_block, const void *bytes,
			size_t size);

#endif
