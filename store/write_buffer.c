/* write_buffer.c - the segments of an inode: bytes that were written and that the chunker has not cut yet.
 *
 * A sequential writer has one segment, whose end the chunker has just seen; every byte is copied once, into the buffer that
 * later goes to the worker. Writes elsewhere make segments of their own; a write over a segment patches it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "live_internal.h"

#define ROOM_FIRST 4096u

static void free_segment(struct segment *segment)
{
	if (!segment)
		return;
	free(segment->data);
	free(segment);
}

void buffer_free(struct live_inode *inode)
{
	for (uint32_t i = 0; i < inode->n_segments; i++)
		free_segment(inode->segments[i]);
	free(inode->segments);
}

static uint32_t unstored(const struct segment *segment)
{
	return segment->length - segment->stored;
}

/* Bytes of packs that a run of `n` bytes takes at the most. Two records' heads come with it, since it may be parted. */
static uint64_t room_of_run(uint32_t n)
{
	return packs_worst_case(n, UINT32_MAX);
}

uint64_t buffer_room(const struct vault *vault, size_t size)
{
	uint64_t once = packs_worst_case(size, vault->chunking.min);

	return once + (once - size);	/* each run takes what room_of_run() says */
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Up to `wanted` of the room that is there. */
static uint64_t take_room(uint64_t *reserved, uint64_t wanted)
{
	uint64_t n = least(*reserved, wanted);

	*reserved -= n;
	return n;
}

/* Count what changes when a segment's unstored and stored bytes become other ones. */
static void count(struct live_inode *inode, int64_t unstored_delta, int64_t stored_delta)
{
	struct live_table *table = inode->vault->live;

	table->undrained += (uint64_t)unstored_delta;
	table->kept += (uint64_t)stored_delta;
	if (unstored_delta != 0)
		live_add_unmapped(inode, unstored_delta);
}

/* The first segment that ends behind `offset`; n_segments if there is none. */
static uint32_t find_segment(const struct live_inode *inode, uint64_t offset)
{
	uint32_t low = 0, high = inode->n_segments;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct segment *segment = inode->segments[middle];

		if (segment->offset + segment->length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int insert_segment(struct live_inode *inode, uint32_t at, struct segment *segment)
{
	if (inode->n_segments == inode->segments_room) {
		uint32_t room = inode->segments_room ? 2 * inode->segments_room : 4;
		struct segment **segments = reallocarray(inode->segments, room, sizeof(struct segment *));

		if (!segments)
			return log_err(-ENOMEM, "%s: no memory to buffer a write", inode->vault->path);
		inode->segments = segments;
		inode->segments_room = room;
	}
	memmove(&inode->segments[at + 1], &inode->segments[at], (inode->n_segments - at) * sizeof(struct segment *));
	inode->segments[at] = segment;
	inode->n_segments++;
	return 0;
}

static void remove_segment(struct live_inode *inode, uint32_t at)
{
	struct segment *segment = inode->segments[at];

	count(inode, -(int64_t)unstored(segment), -(int64_t)segment->stored);
	packs_unreserve(inode->vault->packs, segment->reserved);
	memmove(&inode->segments[at], &inode->segments[at + 1],
		(inode->n_segments - at - 1) * sizeof(struct segment *));
	inode->n_segments--;
	free_segment(segment);
}

/* `more`: the run goes on, so that there should be some to spare. */
static int make_room(struct live_inode *inode, struct segment *segment, uint32_t needed, bool more)
{
	uint32_t max = inode->vault->chunking.max;
	uint32_t room = needed;
	uint8_t *data;

	if (needed <= segment->room)
		return 0;
	if (more)
		room = needed < ROOM_FIRST / 2 ? ROOM_FIRST : 2 * needed;
	if (room > max)
		room = max;	/* no run is longer before it is cut */
	data = realloc(segment->data, room);
	if (!data)
		return log_err(-ENOMEM, "%s: no memory to buffer a write", inode->vault->path);
	segment->data = data;
	segment->room = room;
	return 0;
}

/* The run [0, n) of the segment is a chunk: its buffer goes, and the segment begins anew behind it, with what was there to
 * be looked at again.  -ENOMEM: all is as before. */
static int emit_run(struct live_inode *inode, struct segment *segment, uint32_t n)
{
	uint32_t n_rest = segment->length - n;
	uint32_t stored = segment->stored < n ? segment->stored : n;
	uint64_t rest_reserved, reserved;
	uint32_t from = 0;
	AUTO(free) uint8_t *rest = NULL;
	int r = 0;

	if (n_rest > 0) {
		rest = malloc(n_rest);
		if (!rest)
			return log_err(-ENOMEM, "%s: no memory to buffer a write", inode->vault->path);
		memcpy(rest, segment->data + n, n_rest);
		if (packs_reserve(inode->vault->packs, room_of_run(0)) == 0)	/* heads: without them the margin must do */
			segment->reserved += room_of_run(0);
	}
	rest_reserved = n_rest > 0 ? least(segment->reserved, room_of_run(n_rest)) : 0;
	reserved = segment->reserved - rest_reserved;
	/* What was stored provisionally is stored once more, whole: that needs room too. Without it the pieces stay. */
	if (stored > 0 && packs_reserve(inode->vault->packs, stored) < 0)
		from = stored;
	else
		reserved += stored;
	/* Many small ones may wait for the workers: without the room that they were given to grow. */
	if (n_rest == 0 && segment->room > 2 * n) {
		uint8_t *shrunk = realloc(segment->data, n);

		segment->data = shrunk ? shrunk : segment->data;
		segment->room = shrunk ? n : segment->room;
	}
	if (n > from)
		r = operation_add_locked(inode, OPERATION_STORE, segment->offset + from, n - from, segment->data,
					 reserved);
	if (r < 0) {
		if (from == 0)
			packs_unreserve(inode->vault->packs, stored);
		return r;
	}
	if (n == from) {
		packs_unreserve(inode->vault->packs, reserved);
		free(segment->data);
	} else if (from > 0) {
		memmove(segment->data, segment->data + from, n - from);
	}
	count(inode, (int64_t)(n - from) + n_rest - unstored(segment), -(int64_t)segment->stored);
	segment->offset += n;
	segment->data = TAKE(rest);
	segment->length = segment->room = n_rest;
	segment->stored = segment->n_stored = 0;
	segment->reserved = rest_reserved;
	segment->stale = n_rest > 0;
	chunker_reset(&segment->chunker);
	return 0;
}

/* Append to a segment what follows it, cutting where the chunker says. Its room goes along with each piece of it. */
static int append(struct live_inode *inode, struct segment *segment, const uint8_t *data, size_t size,
		  uint64_t *reserved)
{
	while (size > 0) {
		bool cut = false;
		size_t n = chunker_feed(&segment->chunker, data, size, &cut);
		int r = make_room(inode, segment, segment->length + (uint32_t)n, !cut);

		if (r < 0) {
			segment->stale = true;	/* the chunker has seen what is not there */
			return r;
		}
		memcpy(segment->data + segment->length, data, n);
		segment->length += (uint32_t)n;
		count(inode, (int64_t)n, 0);
		segment->reserved += take_room(reserved, n < size ? room_of_run((uint32_t)n) : *reserved);
		data += n;
		size -= n;
		if (cut) {
			r = emit_run(inode, segment, segment->length);
			segment->stale |= r < 0;	/* the cut is to be found again */
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* The segment was patched: let the chunker see it anew, which may find cuts inside. */
static int rescan(struct live_inode *inode, struct segment *segment)
{
	int r = 0;

	while (r == 0 && segment->stale) {
		bool cut = false;
		size_t n;

		chunker_reset(&segment->chunker);
		n = chunker_feed(&segment->chunker, segment->data, segment->length, &cut);
		if (!cut)
			segment->stale = false;
		else
			r = emit_run(inode, segment, (uint32_t)n);
	}
	return r;
}

/* Bytes over a segment that is there. */
static void patch(struct live_inode *inode, struct segment *segment, uint32_t at, const uint8_t *data, uint32_t size,
		  uint64_t *reserved)
{
	memcpy(segment->data + at, data, size);
	segment->stale = true;
	if (segment->stored > at) {
		segment->reserved += take_room(reserved, room_of_run(segment->stored - at));
		count(inode, (int64_t)(segment->stored - at), -(int64_t)(segment->stored - at));
		segment->stored = at;
	}
}

/* Forget the first `n` bytes of a segment: they are in another one now. */
static void drop_head(struct live_inode *inode, uint32_t at, uint32_t n)
{
	struct segment *segment = inode->segments[at];
	uint32_t stored = segment->stored > n ? segment->stored - n : 0;

	if (n == segment->length) {
		remove_segment(inode, at);
		return;
	}
	count(inode, (int64_t)(segment->length - n - stored) - (int64_t)unstored(segment),
	      (int64_t)stored - (int64_t)segment->stored);
	memmove(segment->data, segment->data + n, segment->length - n);
	segment->offset += n;
	segment->length -= n;
	segment->stored = stored;
	segment->stale = true;
}

/* The segment at `at` reaches the next ones: let it go on with their runs. Where there is no room to store anew what they
 * have stored already, they stay by themselves. */
static int merge_next(struct live_inode *inode, uint32_t at)
{
	struct segment *segment = inode->segments[at];
	int r = 0;

	while (r == 0 && at + 1 < inode->n_segments &&
	       inode->segments[at + 1]->offset == segment->offset + segment->length) {
		struct segment *next = inode->segments[at + 1];
		uint64_t more = next->stored + buffer_room(inode->vault, next->length) - next->length;
		uint64_t reserved = next->reserved + more;

		if (packs_reserve(inode->vault->packs, more) < 0)
			return 0;
		next->reserved = 0;
		r = append(inode, segment, next->data, next->length, &reserved);
		next->reserved = reserved;	/* nothing, but on failure */
		drop_head(inode, at + 1, (uint32_t)(segment->offset + segment->length - next->offset));
	}
	return r;
}

/* Bytes where no segment is, [offset, offset + size); `at` is the index of the first segment behind them. */
static int fill_gap(struct live_inode *inode, uint32_t at, uint64_t offset, const uint8_t *data, size_t size,
		    uint64_t *reserved)
{
	struct segment *segment = at > 0 ? inode->segments[at - 1] : NULL;
	uint64_t ours = take_room(reserved, buffer_room(inode->vault, size));
	int r = 0;

	if (!segment || segment->offset + segment->length != offset) {
		segment = calloc(1, sizeof(*segment));
		if (!segment)
			r = log_err(-ENOMEM, "%s: no memory to buffer a write", inode->vault->path);
		if (r == 0) {
			segment->offset = offset;
			chunker_init(&segment->chunker, &inode->vault->chunking);
			r = insert_segment(inode, at, segment);
		}
		if (r < 0) {
			free_segment(segment);
			packs_unreserve(inode->vault->packs, ours);
			return r;
		}
		at++;
	}
	r = rescan(inode, segment);
	if (r == 0)
		r = append(inode, segment, data, size, &ours);
	packs_unreserve(inode->vault->packs, ours);	/* nothing, but on failure */
	if (r == 0)
		r = merge_next(inode, at - 1);
	if (segment->length == 0)
		remove_segment(inode, at - 1);
	return r;
}

/* Room to be kept when [offset, offset + size) is written over segments: for what is stored already and will be once more,
 * and for the gaps between them. */
static uint64_t room_to_patch(const struct live_inode *inode, uint64_t offset, size_t size)
{
	uint64_t room = 0;

	for (uint32_t i = find_segment(inode, offset); i < inode->n_segments; i++) {
		const struct segment *segment = inode->segments[i];
		uint64_t at = offset > segment->offset ? offset - segment->offset : 0;

		if (segment->offset >= offset + size)
			break;
		room += buffer_room(inode->vault, 0);	/* of a gap behind it */
		if (segment->stored > at)
			room += room_of_run(segment->stored - (uint32_t)at);
	}
	return room;
}

int buffer_write_locked(struct live_inode *inode, uint64_t offset, const uint8_t *data, size_t size, uint64_t reserved)
{
	uint64_t more = room_to_patch(inode, offset, size);
	int r = more > 0 ? packs_reserve(inode->vault->packs, more) : 0;

	if (r == 0)
		reserved += more;
	while (r == 0 && size > 0) {
		uint32_t at = find_segment(inode, offset);
		struct segment *segment = at < inode->n_segments ? inode->segments[at] : NULL;
		uint64_t n = size;

		if (segment && segment->offset <= offset) {
			if (n > segment->offset + segment->length - offset)
				n = segment->offset + segment->length - offset;
			patch(inode, segment, (uint32_t)(offset - segment->offset), data, (uint32_t)n, &reserved);
		} else {
			if (segment && n > segment->offset - offset)
				n = segment->offset - offset;
			r = fill_gap(inode, at, offset, data, n, &reserved);
		}
		offset += n;
		data += n;
		size -= n;
	}
	packs_unreserve(inode->vault->packs, reserved);	/* what patched bytes that had their room already */
	if (r == 0 && inode->n_segments > SEGMENTS_MAX)
		r = buffer_emit_locked(inode, true);
	return r;
}

/* Keep only the first `length` bytes. */
static void shorten(struct live_inode *inode, struct segment *segment, uint32_t length)
{
	uint32_t stored = segment->stored < length ? segment->stored : length;

	count(inode, (int64_t)(length - stored) - (int64_t)unstored(segment), (int64_t)stored - (int64_t)segment->stored);
	segment->length = length;
	segment->stored = stored;
	segment->stale = true;
}

/* What a segment has behind its first `from` bytes and has not stored yet becomes a segment of its own. */
static int keep_behind(struct live_inode *inode, uint32_t at, uint32_t from)
{
	struct segment *segment = inode->segments[at];
	struct segment *rest;
	uint32_t n;
	int r;

	if (from < segment->stored)
		from = segment->stored;	/* extents have it, or will */
	n = segment->length - from;
	if (n == 0)
		return 0;
	rest = calloc(1, sizeof(*rest));
	r = rest ? make_room(inode, rest, n, false) : -ENOMEM;
	if (r == 0)
		r = insert_segment(inode, at + 1, rest);
	if (r < 0) {
		free_segment(rest);
		return log_err(-ENOMEM, "%s: no memory to cut what is buffered", inode->vault->path);
	}
	chunker_init(&rest->chunker, &inode->vault->chunking);
	rest->offset = segment->offset + from;
	rest->length = n;
	memcpy(rest->data, segment->data + from, n);
	rest->stale = true;
	rest->reserved = take_room(&segment->reserved, room_of_run(n));
	count(inode, n, 0);
	return 0;
}

int buffer_cut_locked(struct live_inode *inode, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length < offset ? UINT64_MAX : offset + length;
	uint32_t at = find_segment(inode, offset);

	while (at < inode->n_segments && inode->segments[at]->offset < end) {
		struct segment *segment = inode->segments[at];
		uint64_t segment_end = segment->offset + segment->length;

		if (segment_end > end) {
			int r = keep_behind(inode, at, (uint32_t)(end - segment->offset));

			if (r < 0)
				return r;
		}
		if (segment->offset < offset) {
			shorten(inode, segment, (uint32_t)(offset - segment->offset));
			at++;
		} else {
			remove_segment(inode, at);
		}
		if (segment_end >= end)
			break;
	}
	return 0;
}

/* Store what is not stored yet of a run that may go on, and keep its bytes, so that its chunk can be made when it is cut. */
static int emit_provisionally(struct live_inode *inode, struct segment *segment)
{
	uint32_t n = unstored(segment);
	uint8_t *copy;
	int r;

	if (n == 0)
		return 0;
	copy = malloc(n);
	if (!copy)
		return log_err(-ENOMEM, "%s: no memory to store what is buffered", inode->vault->path);
	memcpy(copy, segment->data + segment->stored, n);
	r = operation_add_locked(inode, OPERATION_STORE, segment->offset + segment->stored, n, copy, segment->reserved);
	if (r < 0) {
		free(copy);
		return r;
	}
	count(inode, 0, n);	/* from the segment to the operation */
	segment->stored = segment->length;
	segment->n_stored++;
	segment->reserved = 0;
	return 0;
}

#define KEPT_MAX (8u << 20)	/* bytes of runs kept in memory for their cut, in all inodes */

int buffer_emit_locked(struct live_inode *inode, bool final)
{
	struct live_table *table = inode->vault->live;
	uint32_t at = 0;
	int r = 0;

	while (r == 0 && at < inode->n_segments) {
		struct segment *segment = inode->segments[at];

		r = rescan(inode, segment);
		if (r < 0)
			break;
		/* Only the last run of a file is likely to go on; others end where they stand. */
		if (!final && at + 1 == inode->n_segments && table->kept < KEPT_MAX) {
			r = emit_provisionally(inode, segment);
			at++;
			continue;
		}
		if (segment->length > 0 && (segment->stored < segment->length || segment->n_stored > 1))
			r = emit_run(inode, segment, segment->length);
		if (r == 0)
			remove_segment(inode, at);
	}
	return r;
}

bool buffer_touches_locked(const struct live_inode *inode, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length < offset ? UINT64_MAX : offset + length;
	uint32_t at = find_segment(inode, offset);

	return at < inode->n_segments && inode->segments[at]->offset < end;
}
