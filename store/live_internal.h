/* live_internal.h - one inode in memory, as live.c, write_buffer.c, drain.c, file.c and file_read.c share it.
 *
 * How bytes flow in: vault_write() puts them into segments (write_buffer.c), which the chunker cuts as they come; what was
 * cut becomes an operation in the inode's list and a job for the workers (drain.c), who store it as a chunk; extents are
 * then replaced strictly in the order of the list. A reader sees extents, over them the operations in order, over them the
 * segments: the newest bytes win, and nothing is ever in none of the three. */
#ifndef VAULTFS_LIVE_INTERNAL_H
#define VAULTFS_LIVE_INTERNAL_H

#include "chunker.h"
#include "chunks.h"
#include "live.h"
#include "manifest.h"
#include "workers.h"

#define SEGMENTS_MAX 256u	/* of one inode, before they are handed to the workers */
#define WINDOW_MAX 128u		/* extents of an inode kept for reading */

/* A run of bytes that were written and not cut yet. */
struct segment {
	uint64_t offset;	/* in the file */
	uint32_t length;	/* bytes in data; at most the chunker's max */
	uint32_t room;
	uint8_t *data;
	struct chunker chunker;	/* has seen all of data, unless `stale` */
	bool stale;		/* data was patched behind the chunker's back: it must look again from the start */
	uint32_t stored;	/* so many bytes from the start are in extents already, provisionally */
	uint32_t n_stored;	/* in so many pieces */
	uint64_t reserved;	/* bytes of pack room kept for it */
};

enum operation_kind {
	OPERATION_STORE,	/* make [offset, offset + length) refer to a chunk with `data` */
	OPERATION_HOLE,		/* make it a hole */
	OPERATION_TRIM,		/* make all behind offset a hole: the end of the file is or was there */
};

/* A change of the extents. Extents change in the order of the list, whatever order the workers finish in. */
struct operation {
	struct job job;
	struct live_inode *inode;	/* one reference */
	struct operation *next;
	enum operation_kind kind;
	uint64_t number;		/* in the inode, ascending */
	uint64_t offset, length;	/* TRIM: length reaches to the end of everything */
	uint8_t *data;
	uint64_t reserved;
	struct chunk chunk;		/* once done: the chunk, with a reference that goes to the extent */
	bool done;
	bool queued;			/* a worker has it, or will */
	int error;			/* of the last try; tried again by the next drain */
	uint64_t drain;			/* the inode's n_drains when that try began */
};

struct live_inode {
	/* guarded by the table's lock */
	struct live_inode *next;	/* in its hash bucket */
	struct live_inode *next_dirty, **dirty_link;	/* in the list of those with something to drain or write back */
	unsigned n_refs;		/* handles, operations, and whoever works with it just now */
	unsigned n_handles;
	uint64_t size;			/* the truth, from when the entry was made on */
	int64_t atime_ns;		/* of the row */
	int64_t mtime_ns, ctime_ns;	/* true where dirty says so */
	bool dirty_size, dirty_times;
	uint32_t n_changes, n_overlaid;	/* changes of mtime; how many the attributes had seen that were read last */
	bool written;			/* content changed since the table's candidates were told */
	uint64_t unmapped;		/* bytes written that no extent names yet: what st_blocks must not forget */

	pthread_mutex_t lock;		/* order: this, metadata, leaves. Guards the rest */
	uint64_t manifest_id;
	struct segment **segments;	/* ascending, not overlapping */
	uint32_t n_segments, segments_room;
	struct operation *operations, **operations_end;
	uint64_t n_operations;		/* ever made: the number of the newest */
	uint64_t n_drains;		/* ever begun */
	uint64_t n_applied;		/* the number of the newest that is in extents */
	uint64_t n_writes;		/* changes of content: re-chunking asks whether there was one */
	bool changed;			/* content changed since it was announced */
	bool tail_clean;		/* no extents stand behind the size */
	struct extent *window;		/* extents around the last reads; NULL = not known */
	uint32_t n_window;
	uint64_t window_from, window_to;	/* what the window covers */
	uint64_t next_read;		/* where a sequential reader reads next */
	uint64_t ahead_to;		/* read-ahead has reached this */

	struct vault *vault;		/* these never change */
	uint64_t id;
};

#define ACCESSES_MAX 8192u	/* a power of two */

/* When an inode was read, while its row does not say so. Which of two with the same slot stays is left to chance. */
struct access {
	uint64_t id;		/* 0: none */
	int64_t atime_ns;
};

#define RECHUNK_IDLE_NS 60000000000ll	/* without a write, before an inode is cut anew */
#define RECHUNK_LEAST (64u << 10)	/* bytes of a file below which many extents are still few */
#define CANDIDATES_SETS 1024u
#define CANDIDATES_WAYS 4u

/* An inode that was written, and so may be worth cutting anew. */
struct candidate {
	uint64_t id;		/* 0: none */
	int64_t written_ns;	/* CLOCK_MONOTONIC of the drain that met its last write */
	uint64_t position;	/* what stands before this was looked at since */
};

struct live_table {
	struct vault *vault;
	pthread_mutex_t lock;		/* a leaf; guards the table and the first part of every entry */
	struct live_inode **buckets;
	size_t n_buckets, n_entries;
	struct live_inode *dirty;	/* list */
	size_t n_dirty;
	struct candidate candidates[CANDIDATES_SETS][CANDIDATES_WAYS];	/* an inode's set is that of its id */
	size_t n_candidates;
	struct access accesses[ACCESSES_MAX];

	_Atomic int64_t rechunk_idle_ns;	/* RECHUNK_IDLE_NS, but in tests */
	pthread_mutex_t wait_lock;	/* a leaf of its own, for those who wait for operations to be applied */
	pthread_cond_t applied;
	uint64_t n_tellings;		/* guarded by wait_lock */
	_Atomic unsigned n_waiting;
	_Atomic uint64_t undrained;	/* bytes in segments (not stored) and operations of all inodes */
	_Atomic uint64_t n_stores;	/* operations that store */
	_Atomic uint64_t storing;	/* bytes of them */
	_Atomic bool stuck;		/* an operation has failed since the last drain of all began */
	_Atomic uint64_t kept;		/* bytes in segments that are stored already */
	_Atomic unsigned n_ahead;	/* read-ahead jobs under way */

	pthread_mutex_t inline_lock;	/* held by who stores small operations on its own thread; only ever tried */
	struct codec_context *inline_codec;
};

/* ---- live.c ---- */

/* The entry of a regular file, made from its row if need be; the caller owns a reference.  -ENOENT; -EISDIR; -EINVAL. No
 * lock is held. */
int live_get(struct vault *vault, uint64_t id, struct live_inode **ret);
struct live_inode *live_ref(struct live_inode *inode);
void live_unref(struct live_inode *inode);	/* may free it: no lock of it is held */

uint64_t live_size(struct live_inode *inode);
bool live_is_open(struct live_inode *inode);	/* has handles */

/* A write or a truncation happened now: size (if it is larger, or `exactly`), mtime and ctime. */
void live_changed(struct live_inode *inode, uint64_t size, bool exactly);
void live_add_unmapped(struct live_inode *inode, int64_t delta);

/* See that live_first_dirty() finds the inode. */
void live_set_dirty(struct live_inode *inode);

/* Up to `n` inodes of the dirty list, each with a reference, and off the list. */
size_t live_take_dirty(struct live_table *table, struct live_inode **ret, size_t n);

size_t live_n_dirty(struct live_table *table);

/* ---- write_buffer.c; the inode's lock is held for all ---- */

/* Bytes of packs that `size` bytes of content need at the worst, however they are cut: what to reserve for a write. */
uint64_t buffer_room(const struct vault *vault, size_t size);

/* Take `size` bytes at `offset`; room for them, `reserved`, was reserved, and is taken over also on failure.
 *   Errors  -ENOSPC bytes stored already would have to be stored once more: nothing was taken. -ENOMEM. */
int buffer_write_locked(struct live_inode *inode, uint64_t offset, const uint8_t *data, size_t size, uint64_t reserved);

/* Forget what is buffered for [offset, offset + length). -ENOMEM. */
int buffer_cut_locked(struct live_inode *inode, uint64_t offset, uint64_t length);

/* Turn what is buffered into operations. `final`: the runs end here. Otherwise they may go on: what is not stored yet is
 * stored provisionally, and their bytes stay. -ENOMEM. */
int buffer_emit_locked(struct live_inode *inode, bool final);

bool buffer_touches_locked(const struct live_inode *inode, uint64_t offset, uint64_t length);

/* Free what is buffered of an inode that goes with the table: where the last commit failed there may be something. */
void buffer_free(struct live_inode *inode);

/* ---- drain.c; the inode's lock is held ---- */

/* Add an operation to the list; a STORE waits there for operations_queue_locked() or a drain. `data` and the
 * room `reserved` are taken over, but not on failure. A STORE adds its length to what is undrained and unmapped when it is
 * counted by the caller, whose bytes it was before; it is taken off when extents name it. -ENOMEM. */
int operation_add_locked(struct live_inode *inode, enum operation_kind kind, uint64_t offset, uint64_t length,
			 uint8_t *data, uint64_t reserved);

/* Hand what is to be stored to the workers. */
void operations_queue_locked(struct live_inode *inode);

/* As buffer_free(), for operations: the workers are gone. */
void operations_free(struct live_inode *inode);

/* Apply what is done at the head of the list. No metadata lock is held. */
void operations_apply_locked(struct live_inode *inode);

/* Remove some of the extents behind `from`, within a change. 1 there are more, 0 none is left. */
int tail_trim_locked(struct live_inode *inode, uint64_t from);

/* Hand out and wait for all that is buffered for the inode. No lock is held. */
int drain_inode(struct live_inode *inode);

/* ---- candidates.c ---- */

/* A drain has met an inode that was written: re-chunking looks at it when it was idle. The table's lock is held. */
void candidate_note_locked(struct live_table *table, uint64_t id);

/* The candidate that has been idle for the longest time, if for long enough: so what was begun is finished first. */
bool candidate_find(struct live_table *table, struct candidate *ret);

/* `candidate` was looked at up to `position`: 1 there is more, 0 it is done, -EAGAIN, -ENOSPC or -EDQUOT it is for another
 * time, another error: never again. If it was written meanwhile, it has been noted anew, and that stands. */
void candidate_looked_at(struct live_table *table, const struct candidate *candidate, uint64_t position, int r);

/* ---- file.c ---- */

struct live_inode *file_inode(struct vault_file *file);

/* Content changed and no handle is open any more: tell. No lock is held. */
void announce_if_idle(struct live_inode *inode);

#endif
