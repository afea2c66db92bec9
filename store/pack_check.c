/* pack_check.c - what a check of the whole vault asks of a pack: header, seal, index, single headers. See packs.h.
 *
 * Nothing here logs what is wrong: the check counts and names it, where the rest of the store answers a reader. */
#include "packs_internal.h"

#include <errno.h>

#include "bytes.h"

int packs_check_header(struct packs *packs, uint64_t number, const char **ret)
{
	static const char *const wrong[] = {
		[PACK_HEADER_GOOD] = NULL,
		[PACK_HEADER_ABSENT] = "the pack's header is missing",
		[PACK_HEADER_DAMAGED] = "the pack's header is damaged",
		[PACK_HEADER_VERSION] = "the pack has another format version",
		[PACK_HEADER_FOREIGN] = "the pack belongs to another vault",
		[PACK_HEADER_RENAMED] = "the pack's header shows another number: files were renamed",
	};
	AUTO(pack) struct pack *pack = NULL;
	uint8_t header[PACK_HEADER_SIZE] = { 0 };
	int r = pack_get(packs, number, &pack);

	if (r == 0)
		r = pack_header_state(packs, number, pack->fd, header);
	if (r < 0)
		return r;
	*ret = wrong[r];
	return 0;
}

uint64_t packs_sum_item(uint64_t sum, const struct packs_item *item)
{
	const struct record *record = &item->record;
	uint8_t bytes[2 + 4 * 4 + 2 * 8 + sizeof(record->hash.bytes)];

	bytes[0] = record->type;
	bytes[1] = record->codec;
	put_u32(bytes + 2, record->raw_size);
	put_u32(bytes + 6, record->stored_size);
	put_u32(bytes + 10, record->part);
	put_u32(bytes + 14, record->n_parts);
	put_u64(bytes + 18, record->id);
	put_u64(bytes + 26, item->place.offset);
	memcpy(bytes + 34, record->hash.bytes, sizeof(record->hash.bytes));
	return checksum_xxh3_seeded(bytes, sizeof(bytes), sum);
}

struct index_sum {
	uint64_t sum, n;
};

static int add_entry(void *context, const struct packs_item *item)
{
	struct index_sum *index = context;

	index->sum = packs_sum_item(index->sum, item);
	index->n++;
	return 0;
}

int packs_check_index(struct packs *packs, uint64_t number, uint64_t *ret_sum, uint64_t *ret_n)
{
	AUTO(pack) struct pack *pack = NULL;
	struct index_sum index = { 0, 0 };
	uint64_t size = 0;
	int r = pack_get(packs, number, &pack);

	if (r == 0)
		r = pack_scan_size(pack, &size);
	if (r == 0)
		r = pack_visit_index(pack, size, add_entry, &index);
	if (r == -ENODATA) {
		r = pack_is_sealed(pack, size);
		return r > 0 ? 0 : r < 0 ? r : -ENODATA;
	}
	if (r < 0)
		return r;
	*ret_sum = index.sum;
	*ret_n = index.n;
	return 1;
}

int packs_check_place(struct packs *packs, struct place place, uint8_t type, uint64_t id)
{
	AUTO(pack) struct pack *pack = NULL;
	struct record_context context = pack_context(packs, place.pack, place.offset);
	uint8_t head[RECORD_HEAD_MAX] = { 0 };
	struct record record;
	uint64_t checksum, size = 0;
	ssize_t n;
	int r = place.offset < PACK_HEADER_SIZE || place.offset > INT64_MAX
			? -ENOENT
			: pack_get(packs, place.pack, &pack);

	if (r == 0)
		r = pack_scan_size(pack, &size);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	n = pread_all(pack->fd, head, sizeof(head), place.offset);
	if (n < 0)
		return pack_failed(packs, place.pack, (int)n, "read a header");
	return (size_t)n >= RECORD_HEADER_SIZE && record_decode(head, &record) == 0 &&
	       (size_t)n >= record_head_size(record.stored_size) &&
	       record_check_head(head, &record, &context, &checksum) == 0 && record.type == type &&
	       record.id == id && place.offset < size &&
	       record_size(record.stored_size) <= size - place.offset;
}
