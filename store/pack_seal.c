/* pack_seal.c - the index and the seal of a full pack, written and read back. See packs.h.
 *
 * An index is a stream of INDEX records, each the concatenation of fixed entries, so that whoever wants to know what is in
 * a pack reads a few records instead of every header. The seal is the last record and of fixed size, so its place follows
 * from the file's size; a pack without it is unfinished or has lost its end. An entry, little-endian:
 *    0 u8 type, u8 codec, u16 zero    4 u32 raw size     8 u32 stored size    12 u32 part    16 u32 parts
 *   20 u32 zero    24 u64 id    32 u64 offset    40 hash
 * A seal:
 *    0 u64 offset of the first index record    8 u32 index records, 0 = no index    12 u32 zero    16 u64 entries
 *   24 u64, u64 zero */
#include "packs_internal.h"

#include <assert.h>
#include <errno.h>

#include "bytes.h"
#include "codec.h"
#include "kill_point.h"
#include "log.h"

#define ENTRY_SIZE 72u
#define PART_ENTRIES (RECORD_RAW_MAX / ENTRY_SIZE)
#define SEAL_SIZE 40u
#define SEAL_RECORD_SIZE (RECORD_HEADER_SIZE + 8u + SEAL_SIZE)
#define LIST_MAX (4u * PACK_RECORDS_MAX) /* entries; a pack with more is sealed without an index */

/* ---- entries ---- */

static void entry_encode(const struct record *record, uint64_t offset, uint8_t *ret)
{
	memset(ret, 0, ENTRY_SIZE);
	ret[0] = record->type;
	ret[1] = record->codec;
	put_u32(ret + 4, record->raw_size);
	put_u32(ret + 8, record->stored_size);
	put_u32(ret + 12, record->part);
	put_u32(ret + 16, record->n_parts);
	put_u64(ret + 24, record->id);
	put_u64(ret + 32, offset);
	memcpy(ret + 40, record->hash.bytes, sizeof(record->hash.bytes));
}

/* The record of an entry, which must start at `from` or behind and end at `to` or before. -EBADMSG. */
static int entry_decode(const uint8_t *entry, uint64_t from, uint64_t to, struct record *ret,
			uint64_t *ret_offset)
{
	uint64_t offset = get_u64(entry + 32);
	struct record record = {
		.type = entry[0],
		.codec = entry[1],
		.raw_size = get_u32(entry + 4),
		.stored_size = get_u32(entry + 8),
		.part = get_u32(entry + 12),
		.n_parts = get_u32(entry + 16),
		.id = get_u64(entry + 24),
	};

	if (record.type == 0 || get_u16(entry + 2) != 0 || get_u32(entry + 20) != 0 ||
	    record.part >= record.n_parts)
		return -EBADMSG;
	if (record.raw_size == 0 || record.raw_size > RECORD_RAW_MAX)
		return -EBADMSG;
	if (record.stored_size == 0 || record.stored_size > RECORD_STORED_MAX)
		return -EBADMSG;
	if (offset < from || offset > to || record_size(record.stored_size) > to - offset)
		return -EBADMSG;
	memcpy(record.hash.bytes, entry + 40, sizeof(record.hash.bytes));
	*ret = record;
	*ret_offset = offset;
	return 0;
}

/* ---- the list of records in memory ---- */

static int list_add(struct pack_list *list, const struct record *record, uint64_t offset)
{
	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 1024;
		uint8_t *bytes = capacity <= LIST_MAX ? realloc(list->bytes, capacity * ENTRY_SIZE) : NULL;

		if (!bytes)
			return -ENOMEM;
		list->bytes = bytes;
		list->capacity = capacity;
	}
	entry_encode(record, offset, list->bytes + list->n * ENTRY_SIZE);
	list->n++;
	return 0;
}

static void list_release(struct pack_list *list)
{
	free(list->bytes);
	*list = (struct pack_list){ 0 };
}

static void auto_list(struct pack_list *list)
{
	list_release(list);
}

void pack_list_reset(struct packs *packs)
{
	packs->list.n = 0; /* its memory serves the next pack */
	list_release(&packs->older);
	packs->listed_from = packs->position;
	packs->older_known = packs->position == PACK_HEADER_SIZE;
}

void pack_list_append(struct packs *packs, const struct record *record, uint64_t offset)
{
	if (list_add(&packs->list, record, offset) == 0)
		return;
	/* No memory for it: forget them all. They are scanned for when the pack is sealed, or left out of an index. */
	packs->list.n = 0;
	list_release(&packs->older);
	packs->older_known = false;
	packs->listed_from = offset + record_size(record->stored_size);
}

static int list_visited(void *context, const struct packs_item *item)
{
	return list_add(context, &item->record, item->place.offset);
}

/* List the records in [PACK_HEADER_SIZE, to). Damage was logged and is left out. */
static int list_scanned(struct pack *pack, uint64_t to, struct pack_list *ret)
{
	int r = pack_walk(pack, PACK_HEADER_SIZE, to, list_visited, ret);

	return r < 0 ? r : 0;
}

void pack_list_older(struct packs *packs)
{
	AUTO(list) struct pack_list older = { 0 };
	AUTO(pack) struct pack *pack = NULL;
	uint64_t to;

	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->write_lock);

		if (packs->older_known || packs->sealed || !packs->current ||
		    packs->position < packs->options.pack_size / 2)
			return;
		pack = pack_ref(packs->current);
		to = packs->listed_from;
	}
	if (list_scanned(pack, to, &older) < 0)
		return; /* tried again at the next sync, or when the pack is sealed */

	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->write_lock);

	if (packs->current == pack && !packs->older_known && packs->listed_from == to) {
		packs->older = older;
		older = (struct pack_list){ 0 };
		packs->older_known = true;
	}
}

/* ---- writing ---- */

/* Where index and seal go while they are written. */
struct sealing {
	struct packs *packs;
	struct codec_context *codec;
	uint8_t *raw, *packed; /* RECORD_RAW_MAX bytes each; packed lies behind raw in one allocation */
	uint64_t offset;
	uint32_t part, n_parts;
};

static void auto_sealing(struct sealing *sealing)
{
	codec_context_free(sealing->codec);
	free(sealing->raw);
}

static int put_record(struct sealing *sealing, const struct record *record, const void *stored)
{
	uint64_t end = sealing->offset + record_size(record->stored_size);
	uint8_t head[RECORD_HEAD_MAX];
	uint64_t checksum;
	int r = 0;

	if (end > sealing->packs->allocated)
		r = pack_extend(sealing->packs, end);
	if (r < 0)
		return r;
	record_encode_sums(stored, record->stored_size, head);
	r = pack_put_record(sealing->packs, sealing->offset, record, head, stored, &checksum);
	if (r == 0)
		sealing->offset = end;
	return r;
}

/* Write `n` entries that stand in sealing->raw as the next part. */
static int put_part(struct sealing *sealing, size_t n)
{
	enum codec codec = CODEC_RAW;
	struct record record = {
		.type = RECORD_INDEX,
		.raw_size = (uint32_t)(n * ENTRY_SIZE),
		.part = sealing->part++,
		.n_parts = sealing->n_parts,
		.id = sealing->packs->current->number,
	};
	int r = codec_encode(sealing->codec, sealing->raw, record.raw_size, sealing->packed, &codec,
			     &record.stored_size);

	if (r < 0)
		return r;
	record.codec = (uint8_t)codec;
	return put_record(sealing, &record, codec == CODEC_RAW ? sealing->raw : sealing->packed);
}

/* Entry `i` of what is in older and list together. */
static const uint8_t *entry_of(const struct packs *packs, size_t i)
{
	return i < packs->older.n ? packs->older.bytes + i * ENTRY_SIZE
				  : packs->list.bytes + (i - packs->older.n) * ENTRY_SIZE;
}

static int put_index(struct sealing *sealing, size_t n)
{
	int r = codec_context_new(&sealing->codec);

	if (r < 0)
		return r;
	sealing->raw = malloc((size_t)2 * RECORD_RAW_MAX);
	if (!sealing->raw)
		return pack_failed(sealing->packs, sealing->packs->current->number, -ENOMEM,
				   "write its index");
	sealing->packed = sealing->raw + RECORD_RAW_MAX;
	sealing->n_parts = (uint32_t)((n + PART_ENTRIES - 1) / PART_ENTRIES);
	for (size_t i = 0; i < n && r == 0;) {
		size_t in_part = n - i < PART_ENTRIES ? n - i : PART_ENTRIES;

		for (size_t k = 0; k < in_part; k++, i++)
			memcpy(sealing->raw + k * ENTRY_SIZE, entry_of(sealing->packs, i), ENTRY_SIZE);
		r = put_part(sealing, in_part);
	}
	return r;
}

static int put_seal(struct sealing *sealing, uint64_t index, uint64_t n_entries)
{
	uint8_t seal[SEAL_SIZE] = { 0 };
	struct record record = {
		.type = RECORD_SEAL,
		.raw_size = SEAL_SIZE,
		.stored_size = SEAL_SIZE,
		.n_parts = 1,
		.id = sealing->packs->current->number,
	};

	put_u64(seal, index);
	put_u32(seal + 8, sealing->n_parts);
	put_u64(seal + 16, n_entries);
	return put_record(sealing, &record, seal);
}

int pack_seal(struct packs *packs)
{
	AUTO(sealing) struct sealing sealing = { .packs = packs, .offset = packs->position };
	size_t n;
	int r = 0;

	if (!packs->older_known)
		packs->older_known = list_scanned(packs->current, packs->listed_from, &packs->older) == 0;
	n = packs->older_known ? packs->older.n + packs->list.n : 0;
	KILL_POINT(seal);
	if (n > 0)
		r = put_index(&sealing, n);
	KILL_POINT(seal_indexed);
	if (r == 0)
		r = put_seal(&sealing, packs->position, n);
	if (r < 0) {
		pack_cut_back(packs);
		return r;
	}
	KILL_POINT(sealed);
	atomic_fetch_sub(&packs->room, (int64_t)(sealing.offset - packs->position));
	packs->position = sealing.offset;
	atomic_store(&packs->current->size, sealing.offset);
	return 0;
}

/* ---- reading back ---- */

struct seal {
	uint64_t index, n_entries;
	uint32_t n_parts;
};

/* The seal that ends at `size`. 1 found, 0 none, -EBADMSG one whose bytes are damaged, -errno. */
static int seal_read(const struct pack *pack, uint64_t size, struct seal *ret)
{
	uint8_t bytes[SEAL_RECORD_SIZE];
	struct record_context context;
	const uint8_t *seal = bytes + RECORD_HEADER_SIZE + 8;
	struct record record;
	uint64_t checksum;
	ssize_t n;

	if (size < PACK_HEADER_SIZE + SEAL_RECORD_SIZE || size > INT64_MAX)
		return 0;
	context = pack_context(pack->owner, pack->number, size - SEAL_RECORD_SIZE);
	n = pread_all(pack->fd, bytes, sizeof(bytes), size - SEAL_RECORD_SIZE);
	if (n < 0)
		return pack_failed(pack->owner, pack->number, (int)n, "read its seal");
	if (n != (ssize_t)sizeof(bytes) || record_decode(bytes, &record) < 0 || record.type != RECORD_SEAL ||
	    record.stored_size != SEAL_SIZE || record_check_head(bytes, &record, &context, &checksum) < 0)
		return 0;
	if (record_check_blocks(bytes, &record, 0, seal, SEAL_SIZE) < 0)
		return -EBADMSG;
	*ret = (struct seal){ .index = get_u64(seal),
			      .n_parts = get_u32(seal + 8),
			      .n_entries = get_u64(seal + 16) };
	return 1;
}

int pack_is_sealed(const struct pack *pack, uint64_t size)
{
	struct seal seal;
	int r = seal_read(pack, size, &seal);

	return r == -EBADMSG ? 0 : r;
}

/* An index in reading. */
struct reading {
	struct pack *pack;
	struct seal seal;
	struct codec_context *codec;
	uint8_t *raw, *stored; /* RECORD_RAW_MAX bytes each, in one allocation */
	int (*visit)(void *context, const struct packs_item *item); /* NULL: only check */
	void *context;
	uint64_t from;      /* the next entry's record starts here or behind */
	uint64_t n_entries; /* seen so far */
};

static void auto_reading(struct reading *reading)
{
	codec_context_free(reading->codec);
	free(reading->raw);
}

static int read_entry(struct reading *reading, const uint8_t *entry)
{
	struct packs_item item = { 0 };
	uint64_t offset = 0;
	int r = entry_decode(entry, reading->from, reading->seal.index, &item.record, &offset);

	if (r < 0)
		return r;
	item.place = (struct place){ reading->pack->number, offset };
	item.next = (struct place){ reading->pack->number, offset + record_size(item.record.stored_size) };
	reading->from = item.next.offset;
	reading->n_entries++;
	return reading->visit ? reading->visit(reading->context, &item) : 0;
}

/* The part of the index at *offset, which moves behind it. */
static int read_part(struct reading *reading, uint32_t part, uint64_t *offset)
{
	struct record record;
	int r = pack_read_whole(reading->pack, *offset, &record, reading->stored, NULL);

	if (r < 0)
		return r;
	if (record.type != RECORD_INDEX || record.id != reading->pack->number || record.part != part ||
	    record.n_parts != reading->seal.n_parts || record.raw_size % ENTRY_SIZE != 0)
		return -EBADMSG;
	if (codec_decode(reading->codec, record.codec, reading->stored, record.stored_size, reading->raw,
			 record.raw_size) < 0)
		return -EBADMSG;
	*offset += record_size(record.stored_size);
	for (uint32_t at = 0; at < record.raw_size && r == 0; at += ENTRY_SIZE)
		r = read_entry(reading, reading->raw + at);
	return r;
}

static int read_index(struct reading *reading)
{
	uint64_t offset = reading->seal.index;
	int r = 0;

	reading->from = PACK_HEADER_SIZE;
	reading->n_entries = 0;
	for (uint32_t part = 0; part < reading->seal.n_parts && r == 0; part++)
		r = read_part(reading, part, &offset);
	if (r == 0 && reading->n_entries != reading->seal.n_entries)
		r = -EBADMSG;
	return r;
}

int pack_visit_index(struct pack *pack, uint64_t size,
		     int (*visit)(void *context, const struct packs_item *item), void *context)
{
	AUTO(reading) struct reading reading = { .pack = pack };
	int r = seal_read(pack, size, &reading.seal);

	if (r <= 0)
		return r < 0 ? r : -ENODATA;
	if (reading.seal.n_parts == 0)
		return -ENODATA;
	if (reading.seal.index < PACK_HEADER_SIZE || reading.seal.index > size)
		return -EBADMSG;
	r = codec_context_new(&reading.codec);
	if (r < 0)
		return r;
	reading.raw = malloc((size_t)2 * RECORD_RAW_MAX);
	if (!reading.raw)
		return pack_failed(pack->owner, pack->number, -ENOMEM, "read its index");
	reading.stored = reading.raw + RECORD_RAW_MAX;

	/* Once to check it all, so that nothing is visited twice when a later part is damaged. */
	r = read_index(&reading);
	if (r < 0)
		return r;
	reading.visit = visit;
	reading.context = context;
	return read_index(&reading);
}
