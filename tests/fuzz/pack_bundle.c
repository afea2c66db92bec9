/* pack_bundle.c - packs as one input. See pack_bundle.h. */
#include "pack_bundle.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../random.h"
#include "bytes.h"
#include "codec.h"
#include "commit_record.h"
#include "fuzz.h"
#include "packs.h"

#define RECORDS_MAX 256u
#define PAYLOAD_MAX 16384u

static uint8_t *copy(const uint8_t *bytes, size_t size)
{
	uint8_t *made = malloc(size + 1);

	FUZZ_CHECK(made != NULL);
	if (size > 0)
		memcpy(made, bytes, size);
	return made;
}

void bundle_split(const uint8_t *data, size_t size, struct bundle *ret)
{
	struct fuzz_input input = { data, size };
	uint32_t sizes[BUNDLE_PACKS_MAX] = { 0 };

	ret->n = (size_t)fuzz_number(&input, 1) % BUNDLE_PACKS_MAX + 1;
	for (size_t i = 0; i + 1 < ret->n; i++)
		sizes[i] = (uint32_t)fuzz_number(&input, 4);
	sizes[ret->n - 1] = UINT32_MAX;
	for (size_t i = 0; i < ret->n; i++) {
		size_t n = sizes[i] < input.left ? sizes[i] : input.left;

		ret->packs[i].bytes = copy(input.at, n);
		ret->packs[i].size = n;
		input.at += n;
		input.left -= n;
	}
}

size_t bundle_join(const struct bundle *bundle, uint8_t *data, size_t room)
{
	size_t at = 1 + 4 * (bundle->n - 1), size = at;

	for (size_t i = 0; i < bundle->n; i++)
		size += bundle->packs[i].size;
	if (size > room)
		return 0;
	data[0] = (uint8_t)(bundle->n - 1);
	for (size_t i = 0; i < bundle->n; i++) {
		if (i + 1 < bundle->n)
			put_u32(data + 1 + 4 * i, (uint32_t)bundle->packs[i].size);
		memcpy(data + at, bundle->packs[i].bytes, bundle->packs[i].size);
		at += bundle->packs[i].size;
	}
	return size;
}

void bundle_release(struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->n; i++)
		free(bundle->packs[i].bytes);
}

/* ---- records ---- */

struct at {
	size_t offset;
	struct record record;
};

/* The record at or behind `offset`, by its header's fields alone. */
static bool find_record(const uint8_t *bytes, size_t size, size_t offset, struct at *ret)
{
	for (; offset + RECORD_HEADER_SIZE <= size; offset++) {
		if (get_u32(bytes + offset) != RECORD_MAGIC || record_decode(bytes + offset, &ret->record) < 0 ||
		    record_size(ret->record.stored_size) > size - offset)
			continue;
		ret->offset = offset;
		return true;
	}
	return false;
}

static size_t end_of(const struct at *at)
{
	return at->offset + (size_t)record_size(at->record.stored_size);
}

static size_t list_records(const uint8_t *bytes, size_t size, struct at *ret)
{
	size_t n = 0, offset = PACK_HEADER_SIZE;

	while (n < RECORDS_MAX && find_record(bytes, size, offset, &ret[n]))
		offset = end_of(&ret[n++]);
	return n;
}

/* ---- mutating ---- */

struct mutation {
	struct random random;
	bytes_mutator mutate;
	size_t room;		/* bytes that may be added */
};

/* Replace [from, from + old_size) of pack `i`. */
static void replace(struct bundle *bundle, size_t i, size_t from, size_t old_size, const uint8_t *new, size_t new_size)
{
	uint8_t *bytes = bundle->packs[i].bytes;
	size_t size = bundle->packs[i].size, behind = size - from - old_size;
	uint8_t *made = malloc(size - old_size + new_size + 1);

	FUZZ_CHECK(made != NULL);
	memcpy(made, bytes, from);
	if (new_size > 0)
		memcpy(made + from, new, new_size);
	memcpy(made + from + new_size, bytes + from + old_size, behind);
	free(bytes);
	bundle->packs[i].bytes = made;
	bundle->packs[i].size = size - old_size + new_size;
}

/* A whole record of these bytes, with sums but without a valid header checksum, malloc'ed. */
static uint8_t *build_record(struct record record, const uint8_t *stored, size_t *ret_size)
{
	static const struct record_context nowhere;
	size_t head_size = record_head_size(record.stored_size);
	uint8_t *made = malloc(head_size + record.stored_size);
	uint64_t checksum;

	FUZZ_CHECK(made != NULL);
	memcpy(made + head_size, stored, record.stored_size);
	record_encode(&record, &nowhere, stored, made, &checksum);
	*ret_size = head_size + record.stored_size;
	return made;
}

/* The raw bytes of a record, at most PAYLOAD_MAX. */
static size_t unpack(const uint8_t *bytes, const struct at *at, uint8_t *ret)
{
	const uint8_t *stored = bytes + at->offset + record_head_size(at->record.stored_size);
	uLongf size = PAYLOAD_MAX;

	if (at->record.codec == CODEC_ZLIB && uncompress(ret, &size, stored, at->record.stored_size) == Z_OK)
		return size;
	size = at->record.stored_size < PAYLOAD_MAX ? at->record.stored_size : PAYLOAD_MAX;
	memcpy(ret, stored, size);
	return size;
}

static void mutate_payload(struct bundle *bundle, size_t i, const struct at *at, struct mutation *m)
{
	static uint8_t payload[PAYLOAD_MAX + 1], packed[2 * PAYLOAD_MAX];
	size_t size = unpack(bundle->packs[i].bytes, at, payload), made_size;
	size_t most = size + (m->room < 512 ? m->room : 512);
	uLongf packed_size = sizeof(packed);
	struct record record = at->record;
	const uint8_t *stored = payload;
	uint8_t *made;

	size = m->mutate(payload, size, most < PAYLOAD_MAX ? most : PAYLOAD_MAX);
	if (size == 0)
		size = 1;
	if (record.codec == CODEC_RAW || random_below(&m->random, 32) != 0)
		record.raw_size = (uint32_t)size;
	record.stored_size = (uint32_t)size;
	if (record.codec == CODEC_ZLIB && compress(packed, &packed_size, payload, size) == Z_OK && packed_size <= size) {
		stored = packed;
		record.stored_size = (uint32_t)packed_size;
	} else {
		record.codec = CODEC_RAW;
	}
	made = build_record(record, stored, &made_size);
	replace(bundle, i, at->offset, end_of(at) - at->offset, made, made_size);
	free(made);
}

static uint64_t odd_number(struct random *random, uint64_t before)
{
	static const uint64_t odd[] = { 0, 1, 2, 3, UINT32_MAX, INT64_MAX, UINT64_MAX, 1u << 20, (1u << 20) + 1, 64 };

	if (random_below(random, 2))
		return before + random_below(random, 5) - 2;
	return odd[random_below(random, sizeof(odd) / sizeof(odd[0]))];
}

static void mutate_header(struct bundle *bundle, size_t i, const struct at *at, struct random *random)
{
	uint8_t *head = bundle->packs[i].bytes + at->offset;

	switch (random_below(random, 7)) {
	case 0:
		head[4] = (uint8_t)(random_below(random, 8) + 1);
		break;
	case 1:
		head[5] = (uint8_t)random_below(random, 3);
		break;
	case 2:
		put_u32(head + 8, (uint32_t)odd_number(random, at->record.raw_size));
		break;
	case 3:
		put_u32(head + 16, (uint32_t)odd_number(random, at->record.part));
		break;
	case 4:
		put_u32(head + 20, (uint32_t)odd_number(random, at->record.n_parts));
		break;
	case 5:
		put_u64(head + 24, odd_number(random, at->record.id));
		break;
	default:
		head[32 + random_below(random, 32)] ^= (uint8_t)(1 + random_below(random, 255));
		break;
	}
}

/* Put a copy of a record before another one, of any pack. */
static void duplicate(struct bundle *bundle, size_t i, const struct at *at, struct random *random)
{
	size_t size = end_of(at) - at->offset, to = random_below(random, bundle->n), n;
	uint8_t *record = copy(bundle->packs[i].bytes + at->offset, size);
	struct at others[RECORDS_MAX];

	n = list_records(bundle->packs[to].bytes, bundle->packs[to].size, others);
	replace(bundle, to, n ? others[random_below(random, n)].offset : bundle->packs[to].size, 0, record, size);
	free(record);
}

static void mutate_record(struct bundle *bundle, size_t i, struct mutation *m)
{
	struct at list[RECORDS_MAX], *at;
	size_t n = list_records(bundle->packs[i].bytes, bundle->packs[i].size, list);

	if (n == 0)
		return;
	at = &list[random_below(&m->random, n)];
	switch (random_below(&m->random, 8)) {
	case 0:
		mutate_header(bundle, i, at, &m->random);
		break;
	case 1:
		if (end_of(at) - at->offset <= m->room)
			duplicate(bundle, i, at, &m->random);
		break;
	case 2:
		replace(bundle, i, at->offset, end_of(at) - at->offset, NULL, 0);
		break;
	default:
		mutate_payload(bundle, i, at, m);
		break;
	}
}

/* Any bytes of a pack, wherever they stand. */
static void mutate_bytes(struct bundle *bundle, size_t i, const struct mutation *m)
{
	size_t size = bundle->packs[i].size, more = m->room < 256 ? m->room : 256;
	uint8_t *bytes = realloc(bundle->packs[i].bytes, size + more + 1);

	FUZZ_CHECK(bytes != NULL);
	bundle->packs[i].bytes = bytes;
	bundle->packs[i].size = m->mutate(bytes, size, size + more);
}

/* The records behind one of them go to a new pack. */
static void cut_in_two(struct bundle *bundle, size_t i, struct random *random)
{
	struct at list[RECORDS_MAX];
	size_t n = list_records(bundle->packs[i].bytes, bundle->packs[i].size, list), from, size;
	uint8_t *second;

	if (n == 0 || bundle->n == BUNDLE_PACKS_MAX || i + 1 != bundle->n)
		return;
	from = list[random_below(random, n)].offset;
	size = bundle->packs[i].size - from;
	second = malloc(PACK_HEADER_SIZE + size);
	FUZZ_CHECK(second != NULL);
	memcpy(second, bundle->packs[i].bytes, PACK_HEADER_SIZE);
	memcpy(second + PACK_HEADER_SIZE, bundle->packs[i].bytes + from, size);
	bundle->packs[i].size = from;
	bundle->packs[bundle->n].bytes = second;
	bundle->packs[bundle->n++].size = PACK_HEADER_SIZE + size;
}

void bundle_mutate(struct bundle *bundle, size_t room, unsigned seed, bytes_mutator mutate)
{
	struct mutation m = { .random = { seed }, .mutate = mutate, .room = room };
	size_t i = random_below(&m.random, bundle->n);

	switch (random_below(&m.random, 16)) {
	case 0:
		mutate_bytes(bundle, i, &m);
		break;
	case 1:
		cut_in_two(bundle, i, &m.random);
		break;
	default:
		mutate_record(bundle, i, &m);
		break;
	}
}

/* ---- repairing ---- */

struct chain {
	struct place previous, end;
	uint64_t checksum, commit;
	uint32_t n_parts;
};

static void link_record(struct chain *chain, uint8_t *stored, struct record *record)
{
	struct commit_record commit;

	if (record->type == RECORD_JOURNAL) {
		record->id = chain->commit + 1;
		record->part = chain->n_parts++;
		record->n_parts = record->part + 1;
	}
	if (record->type != RECORD_COMMIT || record->codec != CODEC_RAW ||
	    commit_record_decode(stored, record->stored_size, &commit) < 0)
		return;
	record->id = commit.commit = chain->commit + 1;
	commit.previous = chain->previous;
	commit.previous_checksum = chain->checksum;
	commit.start = chain->end;
	commit.n_parts = chain->n_parts;
	commit_record_encode(&commit, stored);
}

static void repair_header(struct bundle *bundle, size_t i)
{
	uint8_t *bytes = bundle->packs[i].bytes;

	if (bundle->packs[i].size < PACK_HEADER_SIZE)
		return;
	memcpy(bytes, "vaultfs\x1a", 8);
	put_u32(bytes + 8, PACK_FORMAT_VERSION);
	memcpy(bytes + 16, bundle->packs[0].bytes + 16, 16);
	put_u64(bytes + 32, i + 1);
	put_u64(bytes + 56, checksum_xxh3(bytes, 56));
}

static void repair_pack(struct bundle *bundle, size_t i, int with_chain, struct chain *chain)
{
	struct record_context context = { .place = { i + 1, 0 } };
	uint8_t *bytes = bundle->packs[i].bytes;
	size_t offset = PACK_HEADER_SIZE;
	struct at at;

	memcpy(context.uuid, bundle->packs[0].bytes + 16, 16);
	while (find_record(bytes, bundle->packs[i].size, offset, &at)) {
		uint8_t *stored = bytes + at.offset + record_head_size(at.record.stored_size);
		uint64_t checksum;

		if (with_chain)
			link_record(chain, stored, &at.record);
		context.place.offset = at.offset;
		record_encode(&at.record, &context, stored, bytes + at.offset, &checksum);
		offset = end_of(&at);
		if (at.record.type != RECORD_COMMIT)
			continue;
		*chain = (struct chain){ .previous = context.place, .end = { i + 1, offset }, .checksum = checksum,
					 .commit = at.record.id };
	}
}

void bundle_repair(struct bundle *bundle, int with_chain)
{
	struct chain chain = { .end = { 1, PACK_HEADER_SIZE } };

	if (bundle->packs[0].size < PACK_HEADER_SIZE)
		return;
	for (size_t i = 0; i < bundle->n; i++) {
		repair_header(bundle, i);
		repair_pack(bundle, i, with_chain, &chain);
	}
}
