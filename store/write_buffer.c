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

static uint32_t unstored(const struct segment *segment)
{
	return segment->length - segment->stored;
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

/* The run [0, length) of the segment is a chunk: its buffer goes, and the segment begins anew behind it. */
static int emit_run(struct live_inode *inode, struct segment *segment)
{
	uint32_t length = segment->length;
	uint64_t offset = segment->offset;
	uint8_t *data = TAKE(segment->data);
	uint64_t reserved = segment->reserved;

	/* What was stored provisionally is stored once more, whole: that needs room too. Without it the pieces stay. */
	if (segment->stored > 0) {
		if (packs_reserve(inode->vault->packs, segment->stored) < 0) {
			memmove(data, data + segment->stored, unstored(segment));
			offset += segment->stored;
			length -= segment->stored;
		} else {
			reserved += segment->stored;
		}
	}
	count(inode, -(int64_t)unstored(segment), -(int64_t)segment->stored);
	segment->offset += segment->length;
	segment->length = segment->room = segment->stored = segment->n_stored = 0;
	segment->reserved = 0;
	segment->stale = false;
	chunker_reset(&segment->chunker);
	if (length == 0) {
		packs_unreserve(inode->vault->packs, reserved);
		free(data);
		return 0;
	}
	return operation_add_locked(inode, OPERATION_STORE, offset, length, data, reserved);
}

/* Append to a segment what follows it, cutting where the chunker says. */
static int append(struct live_inode *inode, struct segment *segment, const uint8_t *data, size_t size)
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
		data += n;
		size -= n;
		if (cut) {
			r = emit_run(inode, segment);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* A cut was found inside a patched segment: its head is a chunk, `n` bytes; the rest stays, to be looked at again. */
static int split(struct live_inode *inode, struct segment *segment, uint32_t n)
{
	uint32_t n_rest = segment->length - n;
	uint8_t *rest = malloc(n_rest);
	uint32_t stored = segment->stored < n ? segment->stored : n;
	int r;

	if (!rest)
		return log_err(-ENOMEM, "%s: no memory to buffer a write", inode->vault->path);
	memcpy(rest, segment->data + n, n_rest);
	/* What was stored of the rest counts as not stored: its pieces are replaced in any case. */
	count(inode, (int64_t)(n - stored) - (int64_t)unstored(segment), (int64_t)stored - (int64_t)segment->stored);
	segment->length = n;
	segment->stored = stored;
	r = emit_run(inode, segment);
	segment->data = rest;
	segment->length = segment->room = n_rest;
	segment->stale = true;
	count(inode, n_rest, 0);
	if (packs_reserve(inode->vault->packs, n_rest) == 0)	/* its own room went with the head */
		segment->reserved = n_rest;
	return r;
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
		else if (n == segment->length)
			r = emit_run(inode, segment);
		else
			r = split(inode, segment, (uint32_t)n);
	}
	return r;
}

/* Bytes over a segment that is there. */
static void patch(struct live_inode *inode, struct segment *segment, uint32_t at, const uint8_t *data, uint32_t size)
{
	memcpy(segment->data + at, data, size);
	segment->stale = true;
	if (segment->stored > at) {
		count(inode, (int64_t)(segment->stored - at), -(int64_t)(segment->stored - at));
		segment->stored = at;
	}
}

/* Bytes where no segment is, [offset, offset + size); `at` is the index of the first segment behind them. */
static int fill_gap(struct live_inode *inode, uint32_t at, uint64_t offset, const uint8_t *data, size_t size,
		    uint64_t reserved)
{
	struct segment *segment = at > 0 ? inode->segments[at - 1] : NULL;
	int r;

	if (!segment || segment->offset + segment->length != offset) {
		segment = calloc(1, sizeof(*segment));
		if (!segment)
			return log_err(-ENOMEM, "%s: no memory to buffer a write", inode->vault->path);
		segment->offset = offset;
		chunker_init(&segment->chunker, &inode->vault->chunking);
		r = insert_segment(inode, at, segment);
		if (r < 0) {
			free_segment(segment);
			return r;
		}
		at++;
	}
	r = rescan(inode, segment);
	segment->reserved += reserved;
	if (r == 0)
		r = append(inode, segment, data, size);
	/* It reaches the next segment: that one goes on with this run. */
	while (r == 0 && at < inode->n_segments && inode->segments[at]->offset == segment->offset + segment->length) {
		struct segment *next = inode->segments[at];

		r = append(inode, segment, next->data, next->length);
		segment->reserved += next->reserved;
		next->reserved = 0;
		remove_segment(inode, at);
	}
	if (segment->length == 0)
		remove_segment(inode, at - 1);
	return r;
}

int buffer_write_locked(struct live_inode *inode, uint64_t offset, const uint8_t *data, size_t size, uint64_t reserved)
{
	int r = 0;

	while (r == 0 && size > 0) {
		uint32_t at = find_segment(inode, offset);
		struct segment *segment = at < inode->n_segments ? inode->segments[at] : NULL;
		uint64_t n = size;

		if (segment && segment->offset <= offset) {
			if (n > segment->offset + segment->length - offset)
				n = segment->offset + segment->length - offset;
			patch(inode, segment, (uint32_t)(offset - segment->offset), data, (uint32_t)n);
		} else {
			if (segment && n > segment->offset - offset)
				n = segment->offset - offset;
			r = fill_gap(inode, at, offset, data, n, reserved);
			reserved = 0;
		}
		offset += n;
		data += n;
		size -= n;
	}
	packs_unreserve(inode->vault->packs, reserved);	/* all of it patched what had its room already */
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

int buffer_cut_locked(struct live_inode *inode, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length < offset ? UINT64_MAX : offset + length;
	uint32_t at = find_segment(inode, offset);

	while (at < inode->n_segments && inode->segments[at]->offset < end) {
		struct segment *segment = inode->segments[at];
		uint64_t segment_end = segment->offset + segment->length;

		if (segment_end > end) {
			/* What stands behind the cut becomes a segment of its own. */
			struct segment *rest = calloc(1, sizeof(*rest));
			uint32_t from = (uint32_t)(end - segment->offset);
			int r = rest ? make_room(inode, rest, segment->length - from, false) : -ENOMEM;

			if (rest) {
				rest->offset = end;
				chunker_init(&rest->chunker, &inode->vault->chunking);
			}
			if (r == 0)
				r = insert_segment(inode, at + 1, rest);
			if (r < 0) {
				free_segment(rest);
				return log_err(-ENOMEM, "%s: no memory to cut what is buffered", inode->vault->path);
			}
			rest->length = segment->length - from;
			memcpy(rest->data, segment->data + from, rest->length);
			rest->stale = true;
			count(inode, (int64_t)rest->length, 0);
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
	uint64_t reserved = segment->reserved;
	uint64_t offset = segment->offset + segment->stored;

	if (n == 0)
		return 0;
	copy = malloc(n);
	if (!copy)
		return log_err(-ENOMEM, "%s: no memory to store what is buffered", inode->vault->path);
	memcpy(copy, segment->data + segment->stored, n);
	count(inode, -(int64_t)n, (int64_t)n);
	segment->stored = segment->length;
	segment->n_stored++;
	segment->reserved = 0;
	return operation_add_locked(inode, OPERATION_STORE, offset, n, copy, reserved);
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
			r = emit_run(inode, segment);
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
