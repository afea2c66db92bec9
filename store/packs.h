/* packs.h - the packs of a vault: append records to the newest, read and scan all, seal, cut, unlink.
 *
 * Knows the record format and nothing above it: no table, no name, no inode. A record never changes once appended, so
 * readers take no lock; appending is serialised by the writer's lock. A pack is sealed once it is past its size: index
 * records and a seal are appended, its preallocated tail is given back, and the next one is started. It is sealed at
 * 65,536 records too, so that its index stays small.
 * Format: vaultfs-format(5). */
#ifndef VAULTFS_PACKS_H
#define VAULTFS_PACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

#define PACK_FORMAT_VERSION 1u
#define PACK_PREALLOCATE (64u << 20)	/* bytes kept allocated ahead of the append position */

struct packs;

struct packs_options {
	uint8_t uuid[16];
	uint64_t pack_size;	/* bytes at which a pack is sealed; a soft limit */
	bool read_only;
};

/* Look at the directory `dir_fd` (borrowed until packs_close(); name it `name` in messages). Nothing is written: the
 * writer starts with packs_start_writing(). With `read_only` another process may write beside: packs that it makes are
 * found when they are asked for by number.
 *   Errors  logged: -EBADMSG a pack of another vault, or under another pack's name; -ENOTSUP a newer format. Only the lowest
 *           and the highest pack are looked into here, the others when they are scanned, visited or searched, with the
 *           same errors. A header that is damaged or missing is warned of; the records do not need it. */
int packs_open(int dir_fd, const char *name, const struct packs_options *options, struct packs **ret);

/* Does not sync. NULL is fine. Gives back the preallocated tail. */
void packs_close(struct packs *packs);

/* The uuid in the header of the lowest pack there is, for a vault whose database is gone.  -ENOENT no packs. */
int packs_find_uuid(int dir_fd, uint8_t ret_uuid[16]);

/* Numbers of the lowest and the highest pack; 0 if there are none. */
uint64_t packs_first(const struct packs *packs);
uint64_t packs_last(const struct packs *packs);
bool packs_has(const struct packs *packs, uint64_t number);

/* The next pack that exists behind `number`, 0 if none. For iteration: start with 0. */
uint64_t packs_next(const struct packs *packs, uint64_t number);

/* Size in bytes of pack `number`, 0 if there is none; the sum over all. */
uint64_t packs_size(const struct packs *packs, uint64_t number);
uint64_t packs_total_size(const struct packs *packs);

/* ---- appending ---- */

/* Begin to append at `end`: what stands behind it in that pack is cut off, later packs are unlinked, both durably. What
 * stands before it is made durable as well, as a process that died may have left it in memory only. With {0, 0} and no
 * packs the first one is made.
 *   Errors  -EROFS; -EINVAL there are packs, or `end` lies behind its pack's end; -ENOENT no such pack; -EBADMSG, -ENOTSUP a
 *           pack that was to be unlinked is of another vault or format (nothing was cut); errno of the disk. All but
 *           -EROFS logged. */
int packs_start_writing(struct packs *packs, struct place end);

/* Make durable what a process that died may have left in memory of its last commits. Cheap where nothing is dirty.
 *   Errors  -errno, logged: nothing may be appended any more. */
int packs_sync_recent(struct packs *packs);

/* Keep room for `n_bytes` more (stored bytes and their records' heads at the worst), so that a later append of them
 * cannot fail for space: preallocates in the newest pack. Given back with packs_unreserve() when they were appended or
 * are not wanted any more.
 *   Errors  -ENOSPC, -EDQUOT, nothing was kept (not logged).
 *   Threads any; takes the writer's lock only when more has to be preallocated. */
int packs_reserve(struct packs *packs, uint64_t n_bytes);
void packs_unreserve(struct packs *packs, uint64_t n_bytes);

/* What to reserve for `raw_size` bytes of content in pieces of at least `smallest` bytes. */
uint64_t packs_worst_case(uint64_t raw_size, uint32_t smallest);

/* Append a record. *ret_place and *ret_checksum (may be NULL) as record_encode(). Seals the pack and starts the next
 * one first, when it is full; where the disk has no room for that, the pack grows on. Starts write-back every 8 MiB
 * (sync_file_range). Chunks may use room that is reserved, and were to reserve theirs; other records use what is free
 * and a margin of 2 MiB that is kept for them.
 *   Errors  errno of the disk, logged; what was half written is cut back, so that the call may be tried again. -EROFS
 *           before packs_start_writing(); -EINVAL impossible sizes (logged); -EIO a flush has failed.
 *   Threads any. */
int packs_append(struct packs *packs, const struct record *record, const void *stored, struct place *ret_place,
		 uint64_t *ret_checksum);

/* Where the next record will start at the earliest. */
struct place packs_end(const struct packs *packs);

/* Bytes appended since the last packs_sync() that succeeded. */
uint64_t packs_unsynced(const struct packs *packs);

/* fdatasync every pack appended to since the last sync, and fsync the directory if a pack was made or unlinked since.
 * Appends by other threads go on beside it; what they append is for the next sync.
 *   Errors  errno of the disk, logged; from then on every call fails with -EIO: a failed flush is never retried. */
int packs_sync(struct packs *packs);

/* Unlink pack `number`, which must not be the newest. A read that is under way ends well. The directory is synced by the
 * next packs_sync().  -ENOENT no such pack; -EINVAL the newest; -EROFS; errno of the disk. */
int packs_unlink(struct packs *packs, uint64_t number);

/* ---- reading ---- */

/* Read and check stored bytes [from, from + size) of the record at `place`, whose `stored_size` the caller knows from the
 * database. Only the 64 KiB blocks that are touched are read and checked; nothing unchecked is left in `out`. `type` and
 * `id` must match the header's.
 *   Errors  -EBADMSG damaged (logged with pack and offset); -ENOENT no such pack (not logged: it was unlinked, look the
 *           record up again); errno of the disk.
 *   Threads any; holds no lock while it reads. */
int packs_read(struct packs *packs, struct place place, uint8_t type, uint64_t id, uint32_t stored_size, uint32_t from,
	       size_t size, void *out);

/* Read the record at `place` whole and checked, without knowing anything of it; ret_stored has room for
 * RECORD_STORED_MAX bytes. ret_checksum may be NULL.  Errors as packs_read(). */
int packs_read_record(struct packs *packs, struct place place, struct record *ret, void *ret_stored,
		      uint64_t *ret_checksum);

/* Ask the kernel to read `size` stored bytes from `from` on of the record at `place` ahead of need. */
void packs_read_ahead(struct packs *packs, struct place place, uint32_t stored_size, uint32_t from, size_t size);

/* ---- scanning ---- */

struct packs_item {
	struct record record;
	struct place place;	/* where it starts */
	struct place next;	/* the place right behind it: in the same pack, or {next pack, PACK_HEADER_SIZE} behind a
				 * seal that another pack follows */
	uint64_t checksum;	/* the header's */
	const void *stored;	/* the stored bytes, checked, with PACKS_SCAN_DATA; else NULL. Borrowed during the call */
};

enum packs_scan_flags {
	PACKS_SCAN_DATA = 1,	/* read and check the stored bytes too */
	PACKS_SCAN_ONE = 2,	/* only the pack of `from` */
};

/* Walk the records from `from` on, in order, over the packs, until `visit` returns non-zero (which is returned), or the
 * end of what is valid. ({0, 0}: from the first pack's start.) Records of unknown type are visited too.
 *   *ret_end     the place behind the last valid record visited.
 *   Returns      0 the end of the last pack was reached with nothing behind it; 1 something invalid, or not zero, stands
 *                at *ret_end, or *ret_end is the end of a pack that is not sealed though another one follows (it lost its
 *                end: every pack is sealed before the next one gets a record); what `visit` returned; -ENOENT no such
 *                pack, or `from` lies behind its end; negative errno of the disk. Bytes of zero up to the end of the
 *                file count as nothing. Numbers that are missing between packs are passed over. */
int packs_scan(struct packs *packs, struct place from, unsigned flags, int (*visit)(void *context, const struct packs_item *item),
	       void *context, struct place *ret_end);

/* The records of pack `number`, from its index if it is sealed and the index is whole, else by scanning it: as many as
 * are valid, also behind damage (a gap is searched for the next valid header). INDEX and SEAL records are left out. Items
 * carry record, place and next only; stored bytes are not looked at.
 *   Returns 0; 1 there was damage (logged); what `visit` returned; -errno. */
int packs_visit(struct packs *packs, uint64_t number, int (*visit)(void *context, const struct packs_item *item),
		void *context);

/* Search from `from` on, byte by byte and pack by pack, for a valid record of `type` (0: any) whose bytes all check. Behind a valid
 * header of another record the search goes on at that record's end.
 *   1 found (*ret), 0 none, negative errno. */
int packs_search(struct packs *packs, struct place from, uint8_t type, struct packs_item *ret);

/* ---- checking: as the functions above, but nothing that is wrong with a pack's bytes is logged ---- */

/* Each is called in the order of the pack, until one returns non-zero. Borrowed during the call: all that is pointed to. */
struct packs_examiner {
	/* A record with a valid header; item->stored are its bytes, which are not checked: record_check_blocks() with `head`. */
	int (*record)(void *context, const struct packs_item *item, const uint8_t *head);
	/* Bytes that belong to no valid record. (Zeros up to the end count as nothing.) */
	int (*gap)(void *context, struct place from, uint64_t size);
	void *context;
};

/* Go through every byte of pack `number` behind its header, up to its end or `limit`, whichever comes first.
 *   Returns 0, what a call returned, or -errno; -ENOENT no such pack. */
int packs_examine(struct packs *packs, uint64_t number, uint64_t limit, const struct packs_examiner *examiner);

/* What is wrong with the header of pack `number`: *ret is NULL for nothing, else a text.  -ENOENT; errno of the disk. */
int packs_check_header(struct packs *packs, uint64_t number, const char **ret);

/* Is pack `number` sealed, and what does its index say? `sum` and `n` are packs_sum_item() over all entries, to be compared.
 *   1 it has an index; 0 it was sealed without one; -ENODATA not sealed; -EBADMSG seal or index are damaged; other errors. */
int packs_check_index(struct packs *packs, uint64_t number, uint64_t *ret_sum, uint64_t *ret_n);

/* Add what an index says of a record to a sum that begins with 0. */
uint64_t packs_sum_item(uint64_t sum, const struct packs_item *item);

/* Does a valid header of a record of this type and id stand at `place`? 1, 0 or errno of the disk. */
int packs_check_place(struct packs *packs, struct place place, uint8_t type, uint64_t id);

#endif
