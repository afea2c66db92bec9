/* file_read.c - reading: what is buffered, what is on its way, extents; the last through the cache of decoded chunks.
 *
 * Under the inode's lock a read copies what stands in segments and operations, and notes the extents of the rest; their
 * bytes are fetched afterwards without a lock. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "chunk_read.h"
#include "codec.h"
#include "commit.h"
#include "directories.h"
#include "file.h"
#include "inodes.h"
#include "live_internal.h"

#define N_RETRIES 4		/* of a read whose pack was unlinked meanwhile */
#define AHEAD_SIZE (4u << 20)	/* bytes that read-ahead keeps in front of a sequential reader */
#define OVERTAKING (2u << 20)	/* bytes by which requests of a sequential reader may come out of order */
#define N_AHEAD_MAX 16u		/* read-ahead jobs under way */
#define N_COVERED 32		/* stretches of a read that came from memory, before it is done another way */

/* Stretches of the buffer that are filled: newer bytes stand there, extents must not touch them. Ascending, apart. */
struct covered {
	struct {
		size_t from, to;
	} stretches[N_COVERED];
	unsigned n;
};

/* One read. */
struct reading {
	struct live_inode *inode;
	uint64_t offset;
	uint8_t *out;
	size_t size;
	struct covered covered;
	struct extent *extents;		/* malloc'ed copy of those that the read needs */
	int n_extents;
};

/* Mark [from, to). False if there are too many stretches. */
static bool cover(struct covered *c, size_t from, size_t to)
{
	unsigned first = 0, last;

	while (first < c->n && c->stretches[first].to < from)
		first++;
	for (last = first; last < c->n && c->stretches[last].from <= to; last++) {
		if (c->stretches[last].from < from)
			from = c->stretches[last].from;
		if (c->stretches[last].to > to)
			to = c->stretches[last].to;
	}
	if (last == first && c->n == N_COVERED)
		return false;
	memmove(&c->stretches[first + 1], &c->stretches[last], (c->n - last) * sizeof(c->stretches[0]));
	c->n = c->n - (last - first) + 1;
	c->stretches[first].from = from;
	c->stretches[first].to = to;
	return true;
}

/* Put the part of [offset, offset + length) that the read wants into its buffer; `data` NULL is zeros. */
static bool paint(struct reading *read, uint64_t offset, uint64_t length, const uint8_t *data)
{
	uint64_t end = read->offset + read->size;
	uint64_t from = offset > read->offset ? offset : read->offset;
	uint64_t to = length > end - offset && offset < end ? end : offset + length;

	if (offset >= end || offset + length <= read->offset)
		return true;
	if (to > end)
		to = end;
	if (data)
		memcpy(read->out + (from - read->offset), data + (from - offset), to - from);
	else
		memset(read->out + (from - read->offset), 0, to - from);
	return cover(&read->covered, from - read->offset, to - read->offset);
}

/* What memory holds, oldest first, so that the newest bytes end on top. */
static bool paint_memory_locked(struct reading *read)
{
	struct live_inode *inode = read->inode;
	bool fits = true;

	for (struct operation *o = inode->operations; o && fits; o = o->next)
		fits = paint(read, o->offset, o->length, o->data);
	for (uint32_t i = 0; i < inode->n_segments && fits; i++)
		fits = paint(read, inode->segments[i]->offset, inode->segments[i]->length, inode->segments[i]->data);
	return fits;
}

/* ---- extents ---- */

static int load_window_locked(struct live_inode *inode, uint64_t offset)
{
	struct vault *vault = inode->vault;
	struct extent *window = calloc(WINDOW_MAX, sizeof(*window));
	struct extent *fitted;
	int n;

	if (!window)
		return log_err(-ENOMEM, "%s: no memory to read", vault->path);
	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);

		n = manifest_read_locked(vault, inode->manifest_id, offset, INT64_MAX - offset, window, WINDOW_MAX);
	}
	if (n < 0) {
		free(window);
		return n;
	}
	free(inode->window);
	inode->n_window = (uint32_t)n;
	inode->window_from = offset;
	inode->window_to = n == (int)WINDOW_MAX ? window[n - 1].offset + window[n - 1].length : UINT64_MAX;
	fitted = n < (int)WINDOW_MAX ? realloc(window, ((size_t)n + 1) * sizeof(*window)) : NULL;
	inode->window = fitted ? fitted : window;
	return 0;
}

/* The first extent of the window that ends behind `offset`. */
static uint32_t find_in_window(const struct live_inode *inode, uint64_t offset)
{
	uint32_t low = 0, high = inode->n_window;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (inode->window[middle].offset + inode->window[middle].length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Note the extents that touch the read. A read that reaches over the window is cut short at its end. */
static int note_extents_locked(struct reading *read)
{
	struct live_inode *inode = read->inode;
	uint64_t end = read->offset + read->size;
	uint32_t first, n = 0;

	if (!inode->window || read->offset < inode->window_from || end > inode->window_to) {
		int r = load_window_locked(inode, read->offset);

		if (r < 0)
			return r;
	}
	if (end > inode->window_to) {
		end = inode->window_to;
		read->size = end - read->offset;
	}
	first = find_in_window(inode, read->offset);
	while (first + n < inode->n_window && inode->window[first + n].offset < end)
		n++;
	read->n_extents = (int)n;
	if (n == 0)
		return 0;
	read->extents = malloc(n * sizeof(struct extent));
	if (!read->extents)
		return log_err(-ENOMEM, "%s: no memory to read", inode->vault->path);
	memcpy(read->extents, &inode->window[first], n * sizeof(struct extent));
	return 0;
}

/* ---- chunks ---- */

/* Damage: say whose it is, once, and see that the same content is stored anew when it is written again.
 *   -ENOENT  it was stored anew already, and this extent is an old picture of it. */
static int note_damage(struct live_inode *inode, const struct extent *extent)
{
	struct vault *vault = inode->vault;
	const struct place *place = &extent->chunk.place;
	struct chunk now;
	char path[512];
	pthread_mutex_t *held = NULL;
	bool writable = commit_lock(vault, &held) == 0;
	bool is_old;

	if (!writable)
		held = lock_mutex(&vault->db.lock);
	is_old = chunk_get_locked(vault, extent->chunk.id, &now) == 0 &&
		 (now.place.pack != place->pack || now.place.offset != place->offset);
	if (!is_old)
		(void)vault_path_of_locked(vault, inode->id, path, sizeof(path));	/* or its number */
	if (!is_old && writable)
		(void)chunk_set_damaged_locked(vault, extent->chunk.id);	/* a note for later; logged if it fails */
	(void)pthread_mutex_unlock(held);
	if (is_old)
		return -ENOENT;
	if (writable)
		commit_noted(vault);
	return log_err(-EBADMSG, "%s: bytes %" PRIu64 " to %" PRIu64 " are damaged (pack %" PRIu64 " at %" PRIu64 ")", path,
		       extent->offset, extent->offset + extent->length, place->pack, place->offset);
}

/* Fill [from, to) of the buffer from extent `extent`, or leave it. */
static int fetch(struct reading *read, const struct extent *extent, size_t from, size_t to)
{
	uint64_t start = read->offset + from, end = read->offset + to;
	int r;

	if (extent->offset + extent->length <= start || extent->offset >= end)
		return 0;
	if (extent->offset > start)
		start = extent->offset;
	if (extent->offset + extent->length < end)
		end = extent->offset + extent->length;
	r = chunk_read(read->inode->vault, &extent->chunk, extent->chunk_offset + (uint32_t)(start - extent->offset),
		       end - start, read->out + (start - read->offset));
	return r == -EBADMSG ? note_damage(read->inode, extent) : r;
}

/* Zero [from, to) where no extent is, and fetch the rest. */
static int fetch_stretch(struct reading *read, size_t from, size_t to)
{
	uint64_t at = read->offset + from;
	int r = 0;

	for (int i = 0; r == 0 && i < read->n_extents; i++) {
		const struct extent *extent = &read->extents[i];
		uint64_t end = extent->offset + extent->length;

		if (end <= at || extent->offset >= read->offset + to)
			continue;
		if (extent->offset > at)
			memset(read->out + (at - read->offset), 0, extent->offset - at);
		r = fetch(read, extent, from, to);
		at = end;
	}
	if (r == 0 && at < read->offset + to)
		memset(read->out + (at - read->offset), 0, read->offset + to - at);
	return r;
}

/* All that memory did not have. */
static int fetch_rest(struct reading *read)
{
	size_t at = 0;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < read->covered.n && at < read->size; i++) {
		size_t from = read->covered.stretches[i].from;

		if (from > read->size)
			from = read->size;
		if (from > at)
			r = fetch_stretch(read, at, from);
		at = read->covered.stretches[i].to;
	}
	return r == 0 && at < read->size ? fetch_stretch(read, at, read->size) : r;
}

/* ---- reading ahead ---- */

struct ahead {
	struct job job;		/* first */
	struct vault *vault;
	struct chunk chunk;
};

static void run_ahead(struct job *job, struct codec_context *codec)
{
	struct ahead *ahead = (struct ahead *)job;	/* its first member */

	(void)codec;
	(void)chunk_read_ahead(ahead->vault, &ahead->chunk);	/* an error is met again by the reader */
	ahead->vault->live->n_ahead--;
	free(ahead);
}

static void decode_ahead(struct vault *vault, const struct chunk *chunk)
{
	struct ahead *ahead;

	if (vault->live->n_ahead >= N_AHEAD_MAX || cache_has(vault->cache, chunk->id))
		return;
	ahead = malloc(sizeof(*ahead));
	if (!ahead)
		return;
	*ahead = (struct ahead){ .job = { .run = run_ahead }, .vault = vault, .chunk = *chunk };
	vault->live->n_ahead++;
	workers_submit(vault->workers, WORKERS_AHEAD, &ahead->job);
}

/* The reader goes on where it left off: get ready what comes next, as far as the window knows it. */
static void read_ahead_locked(struct reading *read)
{
	struct live_inode *inode = read->inode;
	uint64_t end = read->offset + read->size;
	uint64_t distance = read->offset > inode->next_read ? read->offset - inode->next_read :
							      inode->next_read - read->offset;
	uint64_t from;

	/* The kernel has several requests under way for one sequential reader, and they overtake each other. */
	if (read->offset == 0 || inode->next_read == 0 || distance > OVERTAKING) {
		inode->next_read = end;
		inode->ahead_to = end;
		return;
	}
	if (end > inode->next_read)
		inode->next_read = end;
	from = inode->ahead_to > end ? inode->ahead_to : end;
	if (from - end > AHEAD_SIZE / 2)
		return;
	for (uint32_t i = find_in_window(inode, from); i < inode->n_window; i++) {
		const struct extent *extent = &inode->window[i];

		if (extent->offset > end + AHEAD_SIZE)
			break;
		if (extent->chunk.codec == CODEC_RAW) {
			packs_read_ahead(inode->vault->packs, extent->chunk.place, extent->chunk.stored_size,
					 extent->chunk_offset, extent->length);
		} else if (inode->vault->live->n_ahead < N_AHEAD_MAX) {
			packs_read_ahead(inode->vault->packs, extent->chunk.place, extent->chunk.stored_size, 0,
					 extent->chunk.stored_size);
			decode_ahead(inode->vault, &extent->chunk);
		} else {
			break;
		}
		inode->ahead_to = extent->offset + extent->length;
	}
}

/* ---- reading ---- */

/* The database shows an older moment than memory does (vault->changes_lost). An inode that was written since it is in memory
 * must not be put together from both. */
static int refuse_mixture_locked(struct live_inode *inode)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&inode->vault->db.lock);
	struct inode row;
	int r = inode_get_locked(inode->vault, inode->id, &row);

	free(TAKE(inode->window));
	inode->n_window = 0;
	if (r < 0)
		return r == -ENOENT ? -EIO : r;
	return inode->n_writes > 0 || inode->manifest_id != row.manifest_id || live_size(inode) != row.attr.size ? -EIO : 0;
}

/* One try. -EAGAIN: too much of it is in memory in too many pieces; it has to be drained first. */
static int read_once(struct reading *read)
{
	struct live_inode *inode = read->inode;
	int r = 0;

	read->covered.n = 0;
	(void)pthread_mutex_lock(&inode->lock);
	if (!paint_memory_locked(read))
		r = -EAGAIN;
	if (r == 0 && !(read->covered.n == 1 && read->covered.stretches[0].from == 0 &&
			read->covered.stretches[0].to >= read->size)) {
		r = inode->vault->changes_lost ? refuse_mixture_locked(inode) : 0;
		if (r == 0)
			r = note_extents_locked(read);
		if (r == 0)
			read_ahead_locked(read);
	}
	(void)pthread_mutex_unlock(&inode->lock);
	if (r == 0)
		r = fetch_rest(read);
	free(TAKE(read->extents));
	read->n_extents = 0;
	return r;
}

/* A stretch of a read, perhaps shorter than wanted: read->size says how much it was. */
static int read_some(struct reading *read)
{
	int r = read_once(read);

	for (int i = 0; i < N_RETRIES && (r == -ENOENT || r == -EAGAIN); i++) {
		if (r == -ENOENT) {	/* its pack went: the extents are others by now */
			(void)pthread_mutex_lock(&read->inode->lock);
			free(TAKE(read->inode->window));
			(void)pthread_mutex_unlock(&read->inode->lock);
			r = 0;
		} else {
			r = drain_inode(read->inode);
		}
		if (r == 0)
			r = read_once(read);
	}
	return r == -ENOENT || r == -EAGAIN ? -EIO : r;
}

ssize_t vault_read(struct vault_file *file, uint64_t offset, void *buffer, size_t size)
{
	struct live_inode *inode = file_inode(file);
	uint64_t file_size = live_size(inode);
	size_t done = 0;

	vault_note_activity(inode->vault);
	if (offset >= file_size)
		return 0;
	if (size > file_size - offset)
		size = file_size - offset;
	while (done < size) {
		struct reading read = { .inode = inode, .offset = offset + done, .out = (uint8_t *)buffer + done,
					.size = size - done };
		int r = read_some(&read);

		if (r < 0)
			return done > 0 && r != -EBADMSG ? (ssize_t)done : r;
		done += read.size;
	}
	return (ssize_t)done;
}
