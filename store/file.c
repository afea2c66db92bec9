/* file.c - handles, writing, and the calls that change which bytes a file has: truncate, fallocate, copying extents. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "changes.h"
#include "commit.h"
#include "inodes.h"
#include "live_internal.h"
#include "space.h"
#include "xattrs.h"

#define FILE_SIZE_MAX ((uint64_t)INT64_MAX)
#define COPY_EXTENTS 5000u	/* copied in one call: some 50 ms under the metadata lock */
#define SEEK_EXTENTS 64		/* looked at together */

struct vault_file {
	struct live_inode *inode;	/* one reference, and counted in its n_handles */
};

/* ---- handles ---- */

int vault_file_open(struct vault *vault, uint64_t id, struct vault_file **ret)
{
	AUTO(free) struct vault_file *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return log_err(-ENOMEM, "%s: no memory to open a file", vault->path);
	r = live_get(vault, id, &file->inode);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&vault->live->lock);
	file->inode->n_handles++;
	(void)pthread_mutex_unlock(&vault->live->lock);
	*ret = TAKE(file);
	return 0;
}

uint64_t vault_file_id(const struct vault_file *file)
{
	return file->inode->id;
}

struct live_inode *file_inode(struct vault_file *file)
{
	return file->inode;
}

void announce_if_idle(struct live_inode *inode)
{
	struct vault *vault = inode->vault;
	bool idle = false;

	(void)pthread_mutex_lock(&inode->lock);
	if (!live_is_open(inode) && inode->changed && !inode->operations && inode->n_segments == 0) {
		inode->changed = false;
		idle = true;
	}
	(void)pthread_mutex_unlock(&inode->lock);
	if (!idle)
		return;
	changes_content(vault, inode->id);
	commit_noted(vault);	/* what changed may be committed already */
	(void)pthread_mutex_lock(&vault->changed_lock);
	if (vault->changed)
		vault->changed(vault->changed_context, inode->id);
	(void)pthread_mutex_unlock(&vault->changed_lock);
}

void vault_file_close(struct vault_file *file)
{
	struct live_inode *inode;
	bool last;

	if (!file)
		return;
	inode = file->inode;
	(void)pthread_mutex_lock(&inode->vault->live->lock);
	last = --inode->n_handles == 0;
	(void)pthread_mutex_unlock(&inode->vault->live->lock);
	if (last) {
		bool storing;

		(void)pthread_mutex_lock(&inode->lock);
		(void)buffer_emit_locked(inode, true);	/* -ENOMEM was logged; the bytes stay for the next drain */
		storing = inode->operations;
		operations_queue_locked(inode);
		(void)pthread_mutex_unlock(&inode->lock);
		if (storing)
			commit_noted(inode->vault);
		announce_if_idle(inode);
	}
	live_unref(inode);
	free(file);
}

void vault_on_content_changed(struct vault *vault, void (*changed)(void *context, uint64_t id), void *context)
{
	(void)pthread_mutex_lock(&vault->changed_lock);
	vault->changed_context = context;
	vault->changed = changed;
	(void)pthread_mutex_unlock(&vault->changed_lock);
}

/* ---- writing ---- */

/* Clear suid and sgid, which only root may have asked to keep. Returns 1 if sgid is left (see vault_write()). */
static int kill_priv(struct live_inode *inode)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct inode row;
	int r = commit_lock(inode->vault, &held);
	uint32_t kill = S_ISUID, old;

	if (r == 0)
		r = xattrs_drop_capability_locked(inode->vault, inode->id);
	if (r == 0)
		r = inode_get_locked(inode->vault, inode->id, &row);
	if (r < 0)
		return r;
	if (row.attr.mode & S_IXGRP)
		kill |= S_ISGID;
	old = row.attr.mode;
	row.attr.mode &= ~kill;
	if (row.attr.mode != old)
		r = inode_put_locked(inode->vault, &row.attr);
	return r < 0 ? r : (row.attr.mode & S_ISGID) != 0;
}

/* Take away what stands behind the end of the file: what a crash left there, or the rest of a very large truncation. In a
 * change, which is left and entered again between slices; no lock is held. Not while operations are under way: then
 * clean_tail_locked() does it in their order. */
static int settle_tail(struct live_inode *inode)
{
	int r = 1;

	while (r > 0) {
		(void)pthread_mutex_lock(&inode->lock);
		if (inode->tail_clean || inode->operations)
			r = 0;
		else
			r = tail_trim_locked(inode, live_size(inode));
		if (r == 0 && !inode->operations)
			inode->tail_clean = true;
		(void)pthread_mutex_unlock(&inode->lock);
		if (r > 0) {
			vault_change_end(inode->vault);
			vault_change_begin(inode->vault, 0);
		}
	}
	return r;
}

/* The same in the order of the operations that are under way: what is left then is only known when it comes to that. */
static int clean_tail_locked(struct live_inode *inode)
{
	uint64_t size = live_size(inode);
	int r;

	inode->tail_clean = true;
	r = operation_add_locked(inode, OPERATION_TRIM, size, FILE_SIZE_MAX - size, NULL, 0);
	if (r < 0)
		inode->tail_clean = false;
	return r;
}

/* Lock the inode; if it is to grow to `new_end`, nothing stands behind its end that could come to light. */
static int lock_to_grow(struct live_inode *inode, uint64_t new_end)
{
	int r = 0;

	while (r == 0) {
		(void)pthread_mutex_lock(&inode->lock);
		if (!inode->tail_clean && inode->operations && new_end > live_size(inode))
			r = clean_tail_locked(inode);
		if (r == 0 && (inode->tail_clean || new_end <= live_size(inode)))
			return 0;
		(void)pthread_mutex_unlock(&inode->lock);
		if (r == 0)
			r = settle_tail(inode);
	}
	return r;
}

int vault_write(struct vault_file *file, uint64_t offset, const void *data, size_t size, unsigned flags)
{
	struct live_inode *inode = file->inode;
	struct vault *vault = inode->vault;
	uint64_t room = buffer_room(vault, size);
	int sgid_is_left = 0;
	int r;

	if (vault->read_only)
		return -EROFS;
	if (offset > FILE_SIZE_MAX || size > FILE_SIZE_MAX - offset)
		return -EFBIG;
	if (size == 0)
		return 0;
	r = commit_room_error(vault, size);
	if (r == 0)
		r = space_to_grow(vault);
	if (r == 0)
		r = packs_reserve(vault->packs, room);
	if (r < 0)
		return r;
	if (flags & VAULT_WRITE_KILL_PRIV)
		sgid_is_left = kill_priv(inode);
	if (sgid_is_left < 0) {
		packs_unreserve(vault->packs, room);
		return sgid_is_left;
	}
	r = lock_to_grow(inode, offset + size);
	if (r < 0) {
		packs_unreserve(vault->packs, room);
		return r;
	}
	r = buffer_write_locked(inode, offset, data, size, room);
	if (r == 0) {
		inode->n_writes++;
		inode->changed = true;
		live_changed(inode, offset + size, false);
		operations_queue_locked(inode);
	}
	(void)pthread_mutex_unlock(&inode->lock);
	return r < 0 ? r : sgid_is_left;
}

/* ---- size and holes ---- */

/* [offset, offset + length) reads as zeros from now on. */
static int make_hole_locked(struct live_inode *inode, enum operation_kind kind, uint64_t offset, uint64_t length)
{
	int r = buffer_cut_locked(inode, offset, length);

	inode->n_writes++;
	inode->changed = true;
	return r < 0 ? r : operation_add_locked(inode, kind, offset, length, NULL, 0);
}

/* Locked by lock_to_grow(). */
static int set_size_locked(struct live_inode *inode, uint64_t size)
{
	uint64_t old = live_size(inode);
	int r = 0;

	if (size < old) {
		live_changed(inode, size, true);	/* first: what is left behind the end is hidden by it */
		inode->tail_clean = true;
		r = make_hole_locked(inode, OPERATION_TRIM, size, FILE_SIZE_MAX - size);
		if (r < 0)
			inode->tail_clean = false;
	}
	if (r < 0)
		return r;
	inode->changed |= size != old;
	live_changed(inode, size, true);
	return 0;
}

int file_truncate(struct vault *vault, uint64_t id, uint64_t size)
{
	struct live_inode *inode;
	int r;

	if (vault->read_only)
		return -EROFS;
	if (size > FILE_SIZE_MAX)
		return -EFBIG;
	r = live_get(vault, id, &inode);
	if (r < 0)
		return r;
	r = lock_to_grow(inode, size);
	if (r == 0) {
		r = set_size_locked(inode, size);
		operations_queue_locked(inode);
		(void)pthread_mutex_unlock(&inode->lock);
	}
	if (r == 0)
		r = settle_tail(inode);
	announce_if_idle(inode);
	live_unref(inode);
	return r;
}

/* Is there room for `length` bytes that may be written? Nothing is kept for them: chunks are not known before they come. */
static int check_room(struct vault *vault, uint64_t length)
{
	struct vault_space space;
	int r = vault_space(vault, &space);

	if (r < 0)
		return r;
	return length / space.block_size > space.blocks_available ? -ENOSPC : 0;
}

int vault_fallocate(struct vault_file *file, int mode, uint64_t offset, uint64_t length)
{
	struct live_inode *inode = file->inode;
	bool keep = mode & FALLOC_FL_KEEP_SIZE;
	int what = mode & ~FALLOC_FL_KEEP_SIZE;
	uint64_t end, size;
	int r = 0;

	if (inode->vault->read_only)
		return -EROFS;
	if ((what != 0 && what != FALLOC_FL_PUNCH_HOLE && what != FALLOC_FL_ZERO_RANGE) ||
	    (what == FALLOC_FL_PUNCH_HOLE && !keep))
		return -EOPNOTSUPP;
	if (length == 0)
		return -EINVAL;
	if (offset > FILE_SIZE_MAX || length > FILE_SIZE_MAX - offset)
		return -EFBIG;
	end = offset + length;
	if (what == 0)
		r = check_room(inode->vault, length);
	if (r < 0)
		return r;
	r = keep ? 0 : lock_to_grow(inode, end);
	if (r < 0)
		return r;
	if (keep)
		(void)pthread_mutex_lock(&inode->lock);
	size = live_size(inode);
	if (what != 0 && offset < size)
		r = make_hole_locked(inode, OPERATION_HOLE, offset, (end < size ? end : size) - offset);
	if (r == 0 && !keep && end > size)
		r = set_size_locked(inode, end);
	else if (r == 0)
		live_changed(inode, 0, false);	/* as on ext4 and XFS, also where nothing but room was asked for */
	operations_queue_locked(inode);
	(void)pthread_mutex_unlock(&inode->lock);
	return r;
}

/* ---- extents as they are ---- */

/* Drain the inode and come back with its lock held and no operation left, so that extents are all there is but segments
 * that the caller's range may not touch. */
static int lock_drained(struct live_inode *inode, uint64_t offset, uint64_t length)
{
	for (;;) {
		int r;

		(void)pthread_mutex_lock(&inode->lock);
		if (!inode->operations && !buffer_touches_locked(inode, offset, length))
			return 0;
		(void)buffer_emit_locked(inode, true);	/* -ENOMEM was logged; tried again by the drain */
		(void)pthread_mutex_unlock(&inode->lock);
		r = drain_inode(inode);
		commit_noted(inode->vault);
		if (r < 0)
			return r;
	}
}

int vault_seek(struct vault_file *file, uint64_t offset, int whence, uint64_t *ret_offset)
{
	struct live_inode *inode = file->inode;
	AUTO(unlock) pthread_mutex_t *inode_held = NULL;
	struct extent extents[SEEK_EXTENTS];
	uint64_t size = live_size(inode), at = offset;
	int n = SEEK_EXTENTS;
	int r;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	if (offset >= size)
		return -ENXIO;
	r = lock_drained(inode, 0, UINT64_MAX);
	if (r < 0)
		return r;
	inode_held = &inode->lock;
	size = live_size(inode);
	while (n == SEEK_EXTENTS && at < size) {
		{
			AUTO(unlock) pthread_mutex_t *held = lock_mutex(&inode->vault->db.lock);

			n = manifest_read_locked(inode->vault, inode->manifest_id, at, size - at, extents, SEEK_EXTENTS);
		}
		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			if (whence == SEEK_DATA) {
				at = extents[i].offset > at ? extents[i].offset : at;
				if (at >= size)
					return -ENXIO;
				*ret_offset = at;
				return 0;
			}
			if (extents[i].offset > at) {
				*ret_offset = at;
				return 0;
			}
			at = extents[i].offset + extents[i].length;
		}
	}
	if (whence == SEEK_DATA)
		return -ENXIO;
	*ret_offset = at < size ? at : size;
	return 0;
}

/* Both inodes' locks, in one order for everybody, both drained for the ranges. */
static int lock_both(struct live_inode *from, uint64_t from_offset, struct live_inode *to, uint64_t to_offset,
		     uint64_t length)
{
	struct live_inode *first = from->id < to->id ? from : to;
	struct live_inode *second = first == from ? to : from;

	for (;;) {
		int r;

		(void)pthread_mutex_lock(&first->lock);
		if (second != first)
			(void)pthread_mutex_lock(&second->lock);
		if (!from->operations && !to->operations && !buffer_touches_locked(from, from_offset, length) &&
		    !buffer_touches_locked(to, to_offset, length))
			return 0;
		(void)buffer_emit_locked(from, true);	/* -ENOMEM was logged; tried again by the drain */
		if (second != first)
			(void)pthread_mutex_unlock(&second->lock);
		(void)pthread_mutex_unlock(&first->lock);
		r = drain_inode(from);
		if (r == 0) {
			(void)pthread_mutex_lock(&to->lock);
			r = buffer_emit_locked(to, true);
			(void)pthread_mutex_unlock(&to->lock);
		}
		if (r == 0)
			r = drain_inode(to);
		if (r < 0)
			return r;
	}
}

static void unlock_both(struct live_inode *from, struct live_inode *to)
{
	(void)pthread_mutex_unlock(&from->lock);
	if (to != from)
		(void)pthread_mutex_unlock(&to->lock);
}

static int copy_extents(struct live_inode *from, uint64_t from_offset, struct live_inode *to, uint64_t to_offset,
			uint64_t length, uint64_t *ret_length)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct vault *vault = to->vault;
	int64_t mapped = 0;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = manifest_copy_locked(vault, from->manifest_id, from_offset, to->manifest_id, to_offset, length,
					 COPY_EXTENTS, ret_length, &mapped);
	if (r == 0 && mapped != 0)
		r = inode_add_mapped_locked(vault, to->id, mapped);
	return r;
}

ssize_t vault_copy_range(struct vault_file *from_file, uint64_t from_offset, struct vault_file *to_file,
			 uint64_t to_offset, uint64_t length)
{
	struct live_inode *from = from_file->inode, *to = to_file->inode;
	uint64_t size, done = 0;
	int r;

	if (to->vault->read_only)
		return -EROFS;
	size = live_size(from);
	if (from_offset >= size || length == 0)
		return 0;
	if (length > size - from_offset)
		length = size - from_offset;
	if (to_offset > FILE_SIZE_MAX || length > FILE_SIZE_MAX - to_offset)
		return -EFBIG;
	if (from == to && from_offset < to_offset + length && to_offset < from_offset + length)
		return -EINVAL;
	for (;;) {
		r = space_to_grow(to->vault);
		if (r == 0)
			r = settle_tail(to);
		if (r == 0)
			r = lock_both(from, from_offset, to, to_offset, length);
		if (r < 0)
			return r;
		if (to->tail_clean || to_offset + length <= live_size(to))
			break;
		unlock_both(from, to);	/* operations were in the way, or it was truncated just now */
	}
	r = copy_extents(from, from_offset, to, to_offset, length, &done);
	if (r == 0) {
		free(TAKE(to->window));
		to->n_writes++;
		to->changed = true;
		live_changed(to, to_offset + done, false);
	}
	unlock_both(from, to);
	return r < 0 ? r : (ssize_t)done;
}

int vault_file_info(struct vault *vault, uint64_t id, struct vault_file_info *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct inode row;
	int r = inode_get_locked(vault, id, &row);

	if (r < 0)
		return r;
	if (!S_ISREG(row.attr.mode))
		return S_ISDIR(row.attr.mode) ? -EISDIR : -EINVAL;
	return manifest_info_locked(vault, row.manifest_id, ret);
}
