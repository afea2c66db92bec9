/* rechunk.c - cutting anew what was written in small pieces, or holds on to much larger chunks. See file.h.
 *
 * A file that was written (in this mount) and then idle for a minute is looked at from start to end, hundreds of
 * extents at a time. Where extents stand crowded, or use little of chunks that only they keep, the content is read, cut
 * where its chunker says, and stored; each new chunk takes the place of the old extents in a change of its own. So the
 * file is whole at each moment, its bytes, size, times and holes are the same all the while, and a write that comes in
 * between only ends the work early.
 *
 * What is left alone: extents whose chunks are mostly named by others too, a clone's or a snapshot's. Their bytes would
 * be stored a second time and nothing would come free. For the same reason a chunk counts as wasted only if all its
 * references come from the part that is looked at.
 *
 * Why this terminates: the place in the file only grows, and what the chunker cut is never crowded, since each of its
 * chunks but a run's last is longer than its least size. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chunk_read.h"
#include "codec.h"
#include "commit.h"
#include "file.h"
#include "inodes.h"
#include "live_internal.h"

#define LOOK_EXTENTS 512u /* looked at together: about a ms under the metadata lock */
#define BLOCK_EXTENTS 8u  /* judged together */
#define GAIN_LEAST 24u    /* extents fewer that are worth the work: of 4 blocks of small ones, nearly all */
#define WASTE_LEAST (64u << 10) /* stored bytes coming free that are worth it */
#define SHARED_MOST 4u          /* at most one in so many bytes may be stored a second time */
#define STEP_SIZE (16u << 20)   /* bytes of content cut in one step */
#define BEYOND_SIZE (4u << 20)  /* bytes cut behind what was to be cut, till a new cut meets an old one */
#define ROWS_AT_ONCE 250u       /* extents replaced under one hold of the metadata lock: some ms */

/* A part of a file, and how it is being cut. One thread's; the inode's lock guards nothing of it. */
struct recut {
	struct vault *vault;
	struct live_inode *inode; /* one reference */

	/* The inode when its extents were read: while all of this is so, they are what they were. */
	uint64_t n_writes, n_operations;
	uint64_t size;

	uint64_t manifest_id;
	struct extent extents[LOOK_EXTENTS];
	uint32_t n_extents;
	bool is_last;              /* no extents follow these */
	bool marked[LOOK_EXTENTS]; /* to be cut anew */
	struct manifest_pin pins[LOOK_EXTENTS];
	int n_pins;

	struct chunker chunker;
	struct codec_context *codec;
	uint8_t *data;   /* content from `offset` on; room for two of the largest chunks */
	uint64_t offset; /* in the file: what stands before it was put in place */
	uint32_t n_data; /* bytes read */
	uint32_t n_seen; /* of these the chunker has seen so many */
	uint32_t at;     /* the extent that is read from */
};

/* ---- looking ---- */

static void auto_recut(struct recut **cut)
{
	if (!*cut)
		return;
	live_unref((*cut)->inode);
	codec_context_free((*cut)->codec);
	free((*cut)->data);
	free(*cut);
}

static int recut_new(struct vault *vault, uint64_t id, struct recut **ret)
{
	AUTO(free) struct recut *cut = calloc(1, sizeof(*cut));
	int r;

	if (!cut)
		return log_err(-ENOMEM, "%s: no memory to cut a file anew", vault->path);
	cut->vault = vault;
	r = live_get(vault, id, &cut->inode);
	if (r == 0)
		*ret = TAKE(cut);
	return r;
}

static uint64_t extent_end(const struct extent *extent)
{
	return extent->offset + extent->length;
}

/* All content is in extents. */
static bool is_drained_locked(const struct live_inode *inode)
{
	return !inode->operations && inode->n_segments == 0;
}

/* The extents are those that were read. A write counts before it reaches them, a truncation counts as operation. */
static bool is_unchanged_locked(const struct recut *cut)
{
	const struct live_inode *inode = cut->inode;

	return inode->n_writes == cut->n_writes && inode->n_operations == cut->n_operations &&
	       is_drained_locked(inode);
}

/* A write has come that no drain has met yet. */
static bool is_being_written(struct live_inode *inode)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&inode->vault->live->lock);

	return inode->written;
}

/* See that all content is in extents: the end of a run that might have gone on is kept in the write buffer. A change of
 * its own, so that a commit does not come between a chunk and its extent. */
static int settle(struct live_inode *inode)
{
	struct vault *vault = inode->vault;
	bool drained;
	int r;

	(void)pthread_mutex_lock(&inode->lock);
	drained = is_drained_locked(inode);
	(void)pthread_mutex_unlock(&inode->lock);
	if (drained)
		return 0;
	r = commit_enter(vault);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&inode->lock);
	r = buffer_emit_locked(inode, true);
	operations_queue_locked(inode);
	(void)pthread_mutex_unlock(&inode->lock);
	if (r == 0)
		r = drain_inode(inode);
	commit_leave(vault);
	return r;
}

/* Read the extents from `offset` on. The inode's lock is held. Returns how many; none of an inode without a name. */
static int load_locked(struct recut *cut, uint64_t offset)
{
	struct vault *vault = cut->vault;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct inode row;
	int r = inode_get_locked(vault, cut->inode->id, &row);

	if (r < 0)
		return r;
	cut->at = cut->n_extents = 0;
	cut->is_last = true;
	if (row.attr.nlink == 0 || offset >= cut->size)
		return 0;
	cut->manifest_id = cut->inode->manifest_id;
	r = manifest_read_locked(vault, cut->manifest_id, offset, cut->size - offset, cut->extents,
				 LOOK_EXTENTS);
	if (r <= 0)
		return r;
	cut->n_extents = (uint32_t)r;
	cut->is_last = cut->n_extents < LOOK_EXTENTS;
	/* What a crash has left behind the file's end is none of its content. */
	if (extent_end(&cut->extents[r - 1]) > cut->size)
		cut->extents[r - 1].length = cut->size - cut->extents[r - 1].offset;
	return r;
}

/* Look at the inode as it is, from `offset` on. Returns how many extents there are.  -EAGAIN it is being written. */
static int look(struct recut *cut, uint64_t offset)
{
	struct live_inode *inode = cut->inode;
	AUTO(unlock) pthread_mutex_t *held = NULL;

	if (is_being_written(inode))
		return -EAGAIN;
	held = lock_mutex(&inode->lock);
	if (!is_drained_locked(inode))
		return -EAGAIN;
	cut->n_writes = inode->n_writes;
	cut->n_operations = inode->n_operations;
	cut->size = live_size(inode);
	return load_locked(cut, offset);
}

/* Look on, at what is still as it was.  -EAGAIN it is not. */
static int look_on(struct recut *cut, uint64_t offset)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&cut->inode->lock);

	return is_unchanged_locked(cut) ? load_locked(cut, offset) : -EAGAIN;
}

/* ---- judging ---- */

/* Extent `i` starts where the one before it ends. */
static bool follows(const struct recut *cut, uint32_t i)
{
	return i > 0 && extent_end(&cut->extents[i - 1]) == cut->extents[i].offset;
}

/* The extent is what the chunker leaves, its last chunks aside. */
static bool is_settled(const struct recut *cut, uint32_t i)
{
	const struct extent *extent = &cut->extents[i];

	return extent->length == extent->chunk.raw_size && extent->length >= cut->vault->chunking.min;
}

static bool is_marked(const struct recut *cut)
{
	return cut->n_extents > 0 && memchr(cut->marked, true, cut->n_extents);
}

/* Mark the blocks that have more extents than the chunker could leave, which by default is 16 in a MiB, if together
 * these are many. Holes part blocks: what stands between two of them stays apart. */
static void mark_crowded(struct recut *cut)
{
	uint64_t gain = 0;

	for (uint32_t i = 0, n; i < cut->n_extents; i += n) {
		uint64_t length = cut->extents[i].length, most;

		for (n = 1; n < BLOCK_EXTENTS && i + n < cut->n_extents && follows(cut, i + n); n++)
			length += cut->extents[i + n].length;
		most = 1 + length / cut->vault->chunking.min;
		if (n > most) {
			memset(&cut->marked[i], true, n);
			gain += n - most;
		}
	}
	if (gain < GAIN_LEAST)
		memset(cut->marked, false, sizeof(cut->marked));
}

static bool uses_little(const struct recut *cut)
{
	for (uint32_t i = 0; i < cut->n_extents; i++)
		if (cut->extents[i].length < cut->extents[i].chunk.raw_size / 2)
			return true;
	return false;
}

static int load_pins(struct recut *cut)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&cut->vault->db.lock);

	cut->n_pins =
		manifest_pins_locked(cut->vault, cut->manifest_id, cut->extents[0].offset,
				     extent_end(&cut->extents[cut->n_extents - 1]), cut->pins, LOOK_EXTENTS);
	return cut->n_pins < 0 ? cut->n_pins : 0;
}

static int compare_pins(const void *a, const void *b)
{
	const struct manifest_pin *x = a, *y = b;

	return (x->chunk > y->chunk) - (x->chunk < y->chunk);
}

/* NULL: the extents were changed since. */
static const struct manifest_pin *pin_of(const struct recut *cut, const struct extent *extent)
{
	struct manifest_pin key = { .chunk = extent->chunk.id };

	return bsearch(&key, cut->pins, (size_t)cut->n_pins, sizeof(key), compare_pins);
}

static bool is_shared(const struct manifest_pin *pin)
{
	return pin->refs > pin->n_extents;
}

static bool is_wasted(const struct manifest_pin *pin)
{
	return !is_shared(pin) && pin->used_size < pin->raw_size / 2;
}

/* Mark what uses less than half of chunks that nobody else needs, if there is much to win. */
static void mark_wasteful(struct recut *cut)
{
	uint64_t wasted = 0;

	for (int i = 0; i < cut->n_pins; i++) {
		const struct manifest_pin *pin = &cut->pins[i];

		if (is_wasted(pin))
			wasted += (pin->raw_size - pin->used_size) * pin->stored_size / pin->raw_size;
	}
	if (wasted < WASTE_LEAST)
		return;
	for (uint32_t i = 0; i < cut->n_extents; i++) {
		const struct manifest_pin *pin = pin_of(cut, &cut->extents[i]);

		cut->marked[i] |= pin && is_wasted(pin);
	}
}

/* Too much of extents [first, last) would be stored beside what others need in any case. */
static bool is_dear(const struct recut *cut, uint32_t first, uint32_t last)
{
	uint64_t shared = 0, all = 0;

	for (uint32_t i = first; i < last; i++) {
		const struct extent *extent = &cut->extents[i];
		const struct manifest_pin *pin = pin_of(cut, extent);
		uint64_t size = extent->length * extent->chunk.stored_size / extent->chunk.raw_size;

		all += size;
		if (pin && is_shared(pin))
			shared += size;
	}
	return shared * SHARED_MOST > all;
}

/* The first stretch [*first, *last) of extents that is to be cut anew: from where an old cut can be relied on, to where
 * the next one can. */
static bool find_stretch(const struct recut *cut, uint32_t *first, uint32_t *last)
{
	uint32_t n = cut->n_extents;

	for (uint32_t i = 0; i < n; i = *last) {
		while (i < n && !cut->marked[i])
			i++;
		if (i == n)
			return false;
		*first = i;
		*last = i + 1;
		while (*last < n && follows(cut, *last) && (cut->marked[*last] || !is_settled(cut, *last)))
			++*last;
		while (follows(cut, *first) && !is_settled(cut, *first - 1))
			--*first;
		if (!is_dear(cut, *first, *last))
			return true;
	}
	return false;
}

/* What of the extents is to be cut anew? 1 [*first, *last); 0 nothing. */
static int judge(struct recut *cut, uint32_t *first, uint32_t *last)
{
	int r;

	mark_crowded(cut);
	if (!is_marked(cut) && !uses_little(cut))
		return 0;
	r = load_pins(cut);
	if (r < 0)
		return r;
	mark_wasteful(cut);
	return find_stretch(cut, first, last);
}

/* ---- reading: no lock is held, and no time of the file changes ---- */

/* Read what follows, up to a chunk's largest size. 1 something; 0 the run ends here. */
static int read_more(struct recut *cut)
{
	uint64_t from = cut->offset + cut->n_data;
	const struct extent *extent;
	uint64_t n;
	int r = 1;

	while (cut->at < cut->n_extents && extent_end(&cut->extents[cut->at]) <= from)
		cut->at++;
	if (cut->at == cut->n_extents)
		r = cut->is_last ? 0 : look_on(cut, from);
	if (r <= 0)
		return r;
	extent = &cut->extents[cut->at];
	if (extent->offset > from)
		return 0;
	n = extent_end(extent) - from;
	if (n > cut->vault->chunking.max)
		n = cut->vault->chunking.max;
	r = chunk_read(cut->vault, &extent->chunk, extent->chunk_offset + (uint32_t)(from - extent->offset), n,
		       cut->data + cut->n_data);
	if (r < 0)
		return r == -ENOENT ? -EAGAIN : r; /* its pack went, so its extent did */
	cut->n_data += (uint32_t)n;
	return 1;
}

/* ---- cutting ---- */

/* Find where the next chunk ends; it then stands at the head of the data. *ret_length 0: the run is at its end. */
static int next_chunk(struct recut *cut, uint32_t *ret_length)
{
	bool found = false;

	while (!found) {
		if (cut->n_seen == cut->n_data) {
			int r = read_more(cut);

			if (r < 0)
				return r;
			if (r == 0)
				break;
		}
		cut->n_seen += (uint32_t)chunker_feed(&cut->chunker, cut->data + cut->n_seen,
						      cut->n_data - cut->n_seen, &found);
	}
	*ret_length = cut->n_seen;
	return 0;
}

/* Go on behind the chunk at the head of the data. */
static void drop_chunk(struct recut *cut)
{
	cut->n_data -= cut->n_seen;
	memmove(cut->data, cut->data + cut->n_seen, cut->n_data);
	cut->offset += cut->n_seen;
	cut->n_seen = 0;
	chunker_reset(&cut->chunker);
}

/* Let [from, *to) refer to the chunk that stands at the head of the data; *to comes down if that is too many rows.
 * *own  the caller has a reference to the chunk, which an extent takes over; one more is taken if need be.
 *   Errors  -EAGAIN the file was written: nothing was changed. */
static int put_slice(struct recut *cut, const struct chunk *chunk, uint64_t from, uint64_t *to, bool *own)
{
	struct vault *vault = cut->vault;
	struct live_inode *inode = cut->inode;
	AUTO(unlock) pthread_mutex_t *inode_held = lock_mutex(&inode->lock);
	AUTO(unlock) pthread_mutex_t *held = NULL;
	uint64_t length = *to - from;
	int64_t mapped = 0;
	int r;

	if (!is_unchanged_locked(cut))
		return -EAGAIN;
	r = commit_lock(vault, &held);
	if (r == 0)
		r = manifest_limit_locked(vault, inode->manifest_id, from, ROWS_AT_ONCE, &length);
	if (r == 0 && !*own)
		r = chunk_ref_locked(vault, chunk->id, 1);
	if (r < 0)
		return r;
	*own = true;
	r = manifest_replace_locked(vault, inode->manifest_id, from, length, chunk->id,
				    (uint32_t)(from - cut->offset), &mapped);
	if (r < 0)
		return r;
	*own = false;
	*to = from + length;
	free(TAKE(inode->window));
	inode->n_window = 0;
	return mapped != 0 ? inode_add_mapped_locked(vault, inode->id, mapped) : 0;
}

static int give_back(struct vault *vault, const struct chunk *chunk)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = commit_lock(vault, &held);

	return r < 0 ? r : chunk_ref_locked(vault, chunk->id, -1);
}

/* Put the stored chunk in place of what is there, in slices where these are very many extents, and then the slices into
 * one extent. */
static int put_in_place(struct recut *cut, const struct chunk *chunk)
{
	uint64_t end = cut->offset + chunk->raw_size;
	uint64_t from = cut->offset, to = end;
	bool own = true;
	int r = put_slice(cut, chunk, from, &to, &own);

	if (r == 0 && to < end) {
		while (r == 0 && to < end) {
			from = to;
			to = end;
			r = put_slice(cut, chunk, from, &to, &own);
		}
		if (r == 0)
			r = put_slice(cut, chunk, cut->offset, &to, &own);
	}
	if (own) {
		int given = give_back(cut->vault, chunk);

		r = r < 0 ? r : given;
	}
	return r;
}

/* Store the first `length` bytes of the data and put them in place: one change, so a commit sees all of it or none. */
static int replace(struct recut *cut, uint32_t length)
{
	struct vault *vault = cut->vault;
	uint64_t room = packs_worst_case(length, length);
	struct chunk chunk;
	int r = packs_reserve(vault->packs, room);

	if (r < 0)
		return r;
	r = commit_enter(vault);
	if (r == 0) {
		r = chunk_store(vault, cut->codec, cut->data, length, &chunk);
		if (r == 0)
			r = put_in_place(cut, &chunk);
		commit_leave(vault);
	}
	packs_unreserve(vault->packs, room);
	return r;
}

/* What was cut last ended where an extent starts that may stay. */
static bool has_met_old_cut(const struct recut *cut)
{
	uint32_t next = cut->at + 1;

	return cut->n_data == 0 && next < cut->n_extents && follows(cut, next) && is_settled(cut, next) &&
	       cut->extents[next].offset == cut->offset;
}

/* Cut anew from extent `first` on, at least to the end of the one before `last` if that is not too far.
 * *position  what stands before it is cut. */
static int cut_stretch(struct recut *cut, uint32_t first, uint32_t last, uint64_t *position)
{
	uint64_t start = cut->extents[first].offset;
	uint64_t end = extent_end(&cut->extents[last - 1]);
	uint64_t far = end + BEYOND_SIZE < start + STEP_SIZE ? end + BEYOND_SIZE : start + STEP_SIZE;
	int r = codec_context_new(&cut->codec);

	if (r < 0)
		return r;
	cut->data = malloc(2 * (size_t)cut->vault->chunking.max);
	if (!cut->data)
		return log_err(-ENOMEM, "%s: no memory to cut a file anew", cut->vault->path);
	chunker_init(&cut->chunker, &cut->vault->chunking);
	cut->offset = start;
	cut->at = first;
	do {
		uint32_t length = 0;

		r = next_chunk(cut, &length);
		if (r < 0 || length == 0)
			return r;
		r = replace(cut, length);
		if (r < 0)
			return r;
		drop_chunk(cut);
		*position = cut->offset;
	} while (cut->offset < far && !(cut->offset >= end && has_met_old_cut(cut)));
	return 0;
}

/* ---- a step ---- */

/* Look at a part of inode `id` from *position on, and cut one stretch of it if need be. 1 there is more, behind
 * *position; 0 it is done.
 *   Errors  -EAGAIN it is being written; -ENOSPC, -EDQUOT there is no room; -ENOENT it is gone. */
static int recut_part(struct vault *vault, uint64_t id, uint64_t *position)
{
	AUTO(recut) struct recut *cut = NULL;
	uint32_t first, last;
	int r = recut_new(vault, id, &cut);

	if (r == 0)
		r = settle(cut->inode);
	if (r == 0)
		r = look(cut, *position);
	if (r <= 0)
		return r;
	r = judge(cut, &first, &last);
	if (r < 0)
		return r;
	if (r == 0) {
		*position = extent_end(&cut->extents[cut->n_extents - 1]);
		return !cut->is_last;
	}
	r = cut_stretch(cut, first, last, position);
	return r < 0 ? r : 1;
}

int file_rechunk_step(struct vault *vault)
{
	struct candidate candidate;
	uint64_t position;
	int r;

	if (vault->read_only || !candidate_find(vault->live, &candidate))
		return 0;
	position = candidate.position;
	r = recut_part(vault, candidate.id, &position);
	candidate_looked_at(vault->live, &candidate, position, r);
	if (r == -ENOSPC || r == -EDQUOT)
		return 0; /* it waits a minute */
	return r >= 0 || r == -EAGAIN || r == -ENOENT ? 1 : r;
}
