/* pack_scan.c - many records: scanning in order, visiting what a pack holds, searching. See packs.h.
 *
 * Trusts no length: a header counts only where its XXH3 says so, and a record only if it ends within its pack. Reads
 * through a window: large pieces while records are small, little pieces at the headers while they are large. */
#include "packs_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "bytes.h"
#include "log.h"

#define WINDOW_READ (1u << 20) /* bytes read at once while going through everything */
#define WINDOW_HEADER 4096u    /* bytes read at once while jumping from header to header */
#define WINDOW_CAPACITY (WINDOW_READ + RECORD_STORED_MAX + RECORD_HEAD_MAX)
#define SMALL_RECORD 32768u /* up to this many stored bytes, skipping them is not worth a read of its own */

/* A stretch of a pack in memory. Released with window_release(). */
struct window {
	struct pack *pack; /* borrowed */
	uint64_t limit;    /* the pack's bytes end here */
	uint64_t start;    /* where bytes[0] stands in the pack */
	size_t size;       /* bytes in memory */
	size_t capacity;   /* WINDOW_CAPACITY, or all of a smaller pack */
	uint8_t *bytes;    /* capacity of them */
	bool whole;        /* read everything, nothing will be skipped */
};

static void auto_window(struct window *window)
{
	free(window->bytes);
}

static int window_init(struct window *window, struct pack *pack, uint64_t limit)
{
	*window = (struct window){ .pack = pack, .limit = limit, .whole = true };
	window->capacity = limit < WINDOW_CAPACITY ? (size_t)limit + 1 : WINDOW_CAPACITY;
	window->bytes = malloc(window->capacity);
	return window->bytes ? 0 : pack_failed(pack->owner, pack->number, -ENOMEM, "scan it");
}

/* How much of what is in memory is still wanted when the next byte wanted is at `offset`; moves it to the front. */
static void window_keep(struct window *window, uint64_t offset)
{
	size_t keep = 0;

	if (offset >= window->start && offset < window->start + window->size) {
		keep = (size_t)(window->start + window->size - offset);
		memmove(window->bytes, window->bytes + (offset - window->start), keep);
	}
	window->start = offset;
	window->size = keep;
}

/* Have `size` bytes from `offset` on in memory; *ret is valid until the next call.
 * 1 they are there, 0 the pack ends before, -errno (logged). */
static int window_need(struct window *window, uint64_t offset, size_t size, const uint8_t **ret)
{
	if (offset > window->limit || size > window->limit - offset)
		return 0;
	if (offset < window->start || offset + size > window->start + window->size) {
		size_t want = window->whole ? WINDOW_READ : WINDOW_HEADER;
		ssize_t n;

		window_keep(window, offset);
		if (want < size - window->size)
			want = size - window->size;
		if (want > window->limit - offset - window->size)
			want = (size_t)(window->limit - offset - window->size);
		if (want > window->capacity - window->size)
			want = window->capacity - window->size;
		n = pread_all(window->pack->fd, window->bytes + window->size, want, offset + window->size);
		if (n < 0)
			return pack_failed(window->pack->owner, window->pack->number, (int)n, "scan it");
		window->size += (size_t)n;
		if (window->size < size)
			return 0;
	}
	*ret = window->bytes + (offset - window->start);
	return 1;
}

/* The record at `offset` by its header; with `with_data` its bytes are loaded, right behind its head, and not checked.
 * 1 there is one, 0 none that is valid, -errno. */
static int record_load(struct window *window, uint64_t offset, bool with_data, struct packs_item *ret)
{
	const struct pack *pack = window->pack;
	struct record_context context = pack_context(pack->owner, pack->number, offset);
	struct packs_item item = { .place = { pack->number, offset } };
	const uint8_t *head = NULL;
	size_t head_size;
	int r = window_need(window, offset, RECORD_HEADER_SIZE, &head);

	if (r <= 0)
		return r;
	if (record_decode(head, &item.record) < 0)
		return 0;
	head_size = record_head_size(item.record.stored_size);
	r = window_need(window, offset, head_size, &head);
	if (r <= 0)
		return r;
	if (record_check_head(head, &item.record, &context, &item.checksum) < 0 ||
	    record_size(item.record.stored_size) > window->limit - offset)
		return 0;
	if (with_data) {
		r = window_need(window, offset, head_size + item.record.stored_size, &head);
		if (r <= 0)
			return r;
		item.stored = head + head_size;
	}
	item.next = (struct place){ pack->number, offset + record_size(item.record.stored_size) };
	window->whole = with_data || item.record.stored_size <= SMALL_RECORD;
	*ret = item;
	return 1;
}

static const uint8_t *head_of(const struct packs_item *item)
{
	return (const uint8_t *)item->stored - record_head_size(item->record.stored_size);
}

/* The record at `offset`, with its bytes checked if `with_data`. 1 there is one, 0 none that is valid, -errno. */
static int record_at(struct window *window, uint64_t offset, bool with_data, struct packs_item *ret)
{
	int r = record_load(window, offset, with_data, ret);

	if (r > 0 && with_data &&
	    record_check_blocks(head_of(ret), &ret->record, 0, ret->stored, ret->record.stored_size) < 0)
		return 0;
	return r;
}

/* 1 nothing but zeros from `offset` to the pack's end, 0 something, -errno. */
static int rest_is_zero(struct window *window, uint64_t offset)
{
	while (offset < window->limit) {
		const uint8_t *bytes = NULL;
		int r = window_need(window, offset, 1, &bytes);
		size_t size;

		if (r <= 0)
			return r;
		/* What is in memory, which a gap before the next record must not move: there may be many. */
		size = (size_t)(window->start + window->size - offset);
		if (bytes[0] != 0 || memcmp(bytes, bytes + 1, size - 1) != 0)
			return 0;
		offset += size;
		window->whole = true;
	}
	return 1;
}

/* The first record with a valid header at or behind `offset`. 1 found, 0 none, -errno. */
static int record_behind(struct window *window, uint64_t offset, struct packs_item *ret)
{
	uint8_t magic[4];

	put_u32(magic, RECORD_MAGIC);
	while (offset < window->limit && window->limit - offset >= RECORD_HEADER_SIZE) {
		const uint8_t *bytes = NULL;
		const uint8_t *hit;
		size_t size;
		int r = window_need(window, offset, sizeof(magic), &bytes);

		if (r <= 0)
			return r;
		size = (size_t)(window->start + window->size - offset);
		hit = memmem(bytes, size, magic, sizeof(magic));
		if (!hit) {
			window->whole = true;
			offset += size - (sizeof(magic) - 1);
			continue;
		}
		offset += (uint64_t)(hit - bytes);
		r = record_at(window, offset, false, ret);
		if (r != 0)
			return r;
		offset++;
	}
	return 0;
}

int pack_scan_size_locked(struct pack *pack, uint64_t *ret)
{
	struct stat st;

	if (pack != pack->owner->current) {
		if (fstat(pack->fd, &st) < 0)
			return pack_failed(pack->owner, pack->number, -errno, "stat it");
		atomic_store(&pack->size, (uint64_t)st.st_size);
	}
	*ret = atomic_load(&pack->size);
	return 0;
}

int pack_scan_size(struct pack *pack, uint64_t *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&pack->owner->write_lock);

	return pack_scan_size_locked(pack, ret);
}

/* ---- in order ---- */

struct scan {
	int (*visit)(void *context, const struct packs_item *item);
	void *context;
	unsigned flags;
	struct place end; /* behind the last valid record */
	bool sealed;      /* that record was a seal */
};

/* Where one goes on behind a record: a seal that ends a pack leads to the next one. */
static struct place behind(struct packs *packs, const struct packs_item *item, uint64_t limit)
{
	uint64_t next = 0;

	if (item->record.type == RECORD_SEAL && item->next.offset == limit)
		next = packs_next(packs, item->place.pack);
	return next ? (struct place){ next, PACK_HEADER_SIZE } : item->next;
}

/* 0 the pack's end was reached; 1 something invalid stands at scan->end; what `visit` returned; -errno. */
static int scan_pack(struct scan *scan, struct pack *pack, uint64_t limit)
{
	AUTO(window) struct window window = { 0 };
	uint64_t offset = scan->end.offset;
	int r = window_init(&window, pack, limit);

	if (r < 0)
		return r;
	for (;;) {
		struct packs_item item;

		r = record_at(&window, offset, scan->flags & PACKS_SCAN_DATA, &item);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		offset = item.next.offset;
		item.next = behind(pack->owner, &item, limit);
		scan->end = item.next;
		scan->sealed = item.record.type == RECORD_SEAL;
		r = scan->visit(scan->context, &item);
		if (r != 0)
			return r;
	}
	r = rest_is_zero(&window, offset);
	return r < 0 ? r : r == 0;
}

/* Scan on from scan->end in its pack; *ret_next is the next pack to go to, 0 for none. Returns as packs_scan(). */
static int scan_on(struct packs *packs, struct scan *scan, uint64_t *ret_next)
{
	AUTO(pack) struct pack *pack = NULL;
	uint64_t limit = 0;
	int r = pack_get_checked(packs, scan->end.pack, &pack);

	*ret_next = 0;
	if (r < 0)
		return r;
	r = pack_scan_size(pack, &limit);
	if (r < 0)
		return r;
	/* A header that was never written is a pack without records. */
	if (scan->end.offset > limit && !(scan->end.offset == PACK_HEADER_SIZE && limit < PACK_HEADER_SIZE))
		return -ENOENT;
	scan->sealed = false;
	if (scan->end.offset == limit) {
		r = pack_is_sealed(pack, limit);
		if (r < 0)
			return r;
		scan->sealed = r > 0;
	}
	r = scan_pack(scan, pack, limit);
	if (r != 0 || (scan->flags & PACKS_SCAN_ONE))
		return r;
	*ret_next = packs_next(packs, pack->number);
	/* Every pack is sealed before the next one is begun: this one has lost its end. */
	return *ret_next && !scan->sealed ? 1 : 0;
}

int packs_scan(struct packs *packs, struct place from, unsigned flags,
	       int (*visit)(void *context, const struct packs_item *item), void *context,
	       struct place *ret_end)
{
	struct scan scan = { .visit = visit, .context = context, .flags = flags, .end = from };
	uint64_t next = 0;
	int r;

	if (from.pack == 0)
		scan.end.pack = packs_first(packs);
	if (scan.end.offset < PACK_HEADER_SIZE)
		scan.end.offset = PACK_HEADER_SIZE;
	if (scan.end.pack == 0) {
		*ret_end = (struct place){ 0, 0 };
		return 0;
	}
	for (;;) {
		r = scan_on(packs, &scan, &next);
		if (r == -ENOENT && scan.end.pack != from.pack) /* unlinked meanwhile */
			next = packs_next(packs, scan.end.pack);
		else if (r != 0)
			break;
		if (next == 0)
			break;
		scan.end = (struct place){ next, PACK_HEADER_SIZE };
	}
	*ret_end = scan.end;
	return r;
}

/* ---- what a pack holds ---- */

/* The record at `offset`, or the next one behind it where damage stands between. 1 found, 0 none, -errno. */
static int walk_on(struct window *window, uint64_t offset, uint64_t *n_gaps, struct packs_item *ret)
{
	const struct pack *pack = window->pack;
	int r = record_at(window, offset, false, ret);

	if (r != 0)
		return r;
	r = rest_is_zero(window, offset);
	if (r != 0)
		return r < 0 ? r : 0;
	if ((*n_gaps)++ == 0) /* say where it begins; a hostile pack may have a million gaps */
		(void)pack_damaged(pack->owner, pack->number, offset, "no record where one must be");
	return record_behind(window, offset, ret);
}

int pack_walk(struct pack *pack, uint64_t from, uint64_t to,
	      int (*visit)(void *context, const struct packs_item *item), void *context)
{
	AUTO(window) struct window window = { 0 };
	struct packs_item item;
	uint64_t n_gaps = 0;
	int r = window_init(&window, pack, to);

	if (r < 0)
		return r;
	for (uint64_t offset = from; offset < to; offset = item.next.offset) {
		r = walk_on(&window, offset, &n_gaps, &item);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		if (item.record.type == RECORD_INDEX || item.record.type == RECORD_SEAL)
			continue;
		item.checksum = 0; /* as from an index */
		r = visit(context, &item);
		if (r != 0)
			return r;
	}
	return n_gaps > 0;
}

int packs_visit(struct packs *packs, uint64_t number,
		int (*visit)(void *context, const struct packs_item *item), void *context)
{
	AUTO(pack) struct pack *pack = NULL;
	bool damaged = false;
	uint64_t size = 0;
	int r = pack_get_checked(packs, number, &pack);

	if (r < 0)
		return r;
	r = pack_scan_size(pack, &size);
	if (r < 0)
		return r;
	r = pack_visit_index(pack, size, visit, context);
	if (r != -ENODATA && r != -EBADMSG)
		return r;
	if (r == -EBADMSG) {
		damaged = true;
		log_warn("%s: pack %" PRIu64 ": the index is damaged, scanning", packs->name, number);
	}
	r = pack_walk(pack, PACK_HEADER_SIZE, size, visit, context);
	return r == 0 ? damaged : r;
}

/* ---- every byte ---- */

static int examine_gap(struct window *window, uint64_t offset, const struct packs_examiner *examiner,
		       uint64_t *ret_next)
{
	struct packs_item item;
	int r = rest_is_zero(window, offset);

	*ret_next = window->limit;
	if (r != 0)
		return r < 0 ? r : 0;
	r = record_behind(window, offset, &item);
	if (r < 0)
		return r;
	if (r > 0)
		*ret_next = item.place.offset;
	return examiner->gap(examiner->context, (struct place){ window->pack->number, offset },
			     *ret_next - offset);
}

int packs_examine(struct packs *packs, uint64_t number, uint64_t limit, const struct packs_examiner *examiner)
{
	AUTO(pack) struct pack *pack = NULL;
	AUTO(window) struct window window = { 0 };
	uint64_t size = 0;
	uint64_t offset = PACK_HEADER_SIZE;
	int r = pack_get(packs, number, &pack);

	if (r == 0)
		r = pack_scan_size(pack, &size);
	if (r == 0)
		r = window_init(&window, pack, limit < size ? limit : size);
	while (r == 0 && offset < window.limit) {
		struct packs_item item;

		r = record_load(&window, offset, true, &item);
		if (r == 0) {
			r = examine_gap(&window, offset, examiner, &offset);
		} else if (r > 0) {
			offset = item.next.offset;
			r = examiner->record(examiner->context, &item, head_of(&item));
		}
	}
	return r;
}

/* ---- searching ---- */

/* A record is taken at its word about its size, also one whose bytes are damaged: that keeps the search linear. */
static int search_pack(struct pack *pack, uint64_t from, uint8_t type, struct packs_item *ret)
{
	AUTO(window) struct window window = { 0 };
	uint64_t offset = from < PACK_HEADER_SIZE ? PACK_HEADER_SIZE : from;
	struct packs_item item;
	uint64_t limit = 0;
	int r = pack_scan_size(pack, &limit);

	if (r == 0)
		r = window_init(&window, pack, limit);
	if (r < 0)
		return r;
	for (;;) {
		r = record_behind(&window, offset, &item);
		if (r <= 0)
			return r;
		offset = item.next.offset;
		if (type == 0 || item.record.type == type)
			r = record_at(&window, item.place.offset, true, &item);
		else
			r = 0;
		if (r < 0)
			return r;
		if (r > 0)
			break;
	}
	item.next = behind(pack->owner, &item, limit);
	item.stored = NULL;
	*ret = item;
	return 1;
}

int packs_search(struct packs *packs, struct place from, uint8_t type, struct packs_item *ret)
{
	uint64_t number = from.pack && packs_has(packs, from.pack) ? from.pack : packs_next(packs, from.pack);

	for (; number != 0; number = packs_next(packs, number)) {
		AUTO(pack) struct pack *pack = NULL;
		int r = pack_get_checked(packs, number, &pack);

		if (r == 0)
			r = search_pack(pack, number == from.pack ? from.offset : 0, type, ret);
		if (r != 0 && r != -ENOENT)
			return r;
	}
	return 0;
}
