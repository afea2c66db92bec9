/* packs_internal.h - what the files behind packs.h share; nobody else includes it.
 *
 * packs.c        the set of packs, and a bounded number of open files
 * pack_header.c  which vault, pack and format a file is of
 * pack_read.c    one record, checked
 * pack_scan.c    many records: scanning, visiting, searching
 * pack_start.c   beginning to write
 * pack_write.c   appending, keeping room, syncing
 * pack_seal.c    the index and the seal of a full pack, written and read back
 * pack_check.c   what a check of the whole vault asks of a pack
 *
 * Locks, in this order: sync_lock, write_lock, set_lock. Readers take set_lock alone, twice a read, for moments. */
#ifndef VAULTFS_PACKS_INTERNAL_H
#define VAULTFS_PACKS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "auto.h"
#include "packs.h"

#define PACKS_OPEN_MAX 128u		/* files kept open for readers to come */
#define PACK_RECORDS_MAX 65536u		/* a pack is sealed at so many records, so that its index stays small in memory */
#define PACK_MARGIN (2u << 20)		/* bytes allocated beyond what is promised: journal parts, commit record */
#define PACK_NAME_SIZE 32u		/* bytes of "18446744073709551615.pack" and a NUL */

/* One pack file. Alive while the set or a holder counts it; its descriptor stays open while somebody but the set does. */
struct pack {
	struct packs *owner;
	uint64_t number;
	_Atomic uint64_t size;		/* bytes; grows after they were written, so what lies below can be read */
	int fd;				/* set_lock to change; -1 = not open */
	unsigned refs;			/* set_lock; the set counts as one */
	bool in_set;			/* set_lock; not unlinked */
	struct pack *newer, *older;	/* set_lock; the list of open packs by last use */
	bool unsynced;			/* write_lock; in the queue of packs to sync */
	struct pack *next_unsynced;	/* write_lock; behind it in that queue */
};

/* Encoded index entries of records, see pack_seal.c. */
struct pack_list {
	uint8_t *bytes;
	size_t n, capacity;		/* entries */
};

struct packs {
	int dir_fd;			/* borrowed */
	char *name;
	struct packs_options options;

	pthread_mutex_t sync_lock;	/* one packs_sync() at a time: a second one must wait for what the first took */

	pthread_mutex_t write_lock;
	struct pack *current;		/* write_lock; the pack in writing, counted; NULL before packs_start_writing() */
	uint64_t position;		/* write_lock; where the next record goes in it */
	uint64_t allocated;		/* write_lock; up to where its space is ours */
	bool sealed;			/* write_lock; current takes no more records: go to the next one */
	bool no_fallocate;		/* write_lock; the disk cannot preallocate: estimate */
	uint64_t retry_at;		/* write_lock; sealing failed: do not try again before this position */
	uint64_t flushed;		/* write_lock; write-back was started up to here */
	int append_error;		/* write_lock; what the last append failed with, which is said once; 0 = nothing */
	struct pack *unsynced, *last_unsynced;	/* write_lock; queue of packs appended to since the last sync, counted */
	uint64_t listed_from;		/* write_lock; `list` has the records from here to position */
	struct pack_list list;		/* write_lock */
	struct pack_list older;		/* write_lock; the records before listed_from, once older_known */
	bool older_known;		/* write_lock */

	/* Bytes that may still be promised: allocated - position - PACK_MARGIN - promised. Changed by differences only;
	 * orders nothing: who finds too little takes write_lock and looks again. */
	_Atomic int64_t room;
	_Atomic uint64_t appended, synced;	/* bytes since packs_start_writing(); written under write_lock */
	_Atomic bool directory_unsynced;	/* a pack was made or unlinked since the last sync */
	_Atomic bool failed;			/* a flush failed: nothing is promised any more */

	pthread_mutex_t set_lock;
	struct pack **set;		/* set_lock; by number, ascending */
	size_t n_set, set_capacity;	/* set_lock */
	struct pack *newest_open, *oldest_open;	/* set_lock */
	size_t n_open;			/* set_lock */
};

/* ---- packs.c ---- */

/* Count pack `number` and have it open. Its header is not looked at.  -ENOENT no such pack (not logged); else logged. */
int pack_get(struct packs *packs, uint64_t number, struct pack **ret);
/* Count it once more for another holder. */
struct pack *pack_ref(struct pack *pack);
void pack_unref(struct pack *pack);	/* NULL is fine */

static inline void auto_pack(struct pack **pack)
{
	pack_unref(*pack);
}

/* Create the file of pack `number`, one past the last, with its header, and take it into the set; counted for the caller.
 * `allocate` bytes are preallocated unless that is not supported, which is then known. Holds write_lock.
 *   -ENOSPC, -EDQUOT (not logged): nothing is left behind. */
int pack_create(struct packs *packs, uint64_t number, uint64_t allocate, struct pack **ret);
/* The lowest pack such that from it to the last there are `n_bytes` in all; 0 if there are no packs. */
uint64_t packs_recent(const struct packs *packs, uint64_t n_bytes);
/* Unlink it and take it out of the set.  Logged. */
int pack_remove(struct packs *packs, uint64_t number);
/* Call `found` for every pack file of a directory, in no order, until it returns non-zero. */
typedef int (*pack_file_visitor)(void *context, int dir_fd, const char *file_name, uint64_t number);
int pack_each_file(int dir_fd, const char *name, pack_file_visitor found, void *context);
void pack_file_name(uint64_t number, char ret[PACK_NAME_SIZE]);

/* Log that pack `number` is damaged at `offset`; returns -EBADMSG. */
int pack_damaged(const struct packs *packs, uint64_t number, uint64_t offset, const char *what);
/* Log `negative_errno` of a call named `what` on pack `number`; returns it. */
int pack_failed(const struct packs *packs, uint64_t number, int negative_errno, const char *what);

struct record_context pack_context(const struct packs *packs, uint64_t number, uint64_t offset);

/* ---- pack_header.c ---- */

enum pack_header_state {
	PACK_HEADER_GOOD,
	PACK_HEADER_ABSENT,	/* zeros, or nothing: a crash left it so */
	PACK_HEADER_DAMAGED,
	PACK_HEADER_VERSION,	/* of another format */
	PACK_HEADER_FOREIGN,	/* of another vault */
	PACK_HEADER_RENAMED,	/* of another pack */
};

/* What the file of pack `number` says it is, and the bytes that say so. An enum pack_header_state, or -errno. Not logged. */
int pack_header_state(const struct packs *packs, uint64_t number, int fd, uint8_t ret[PACK_HEADER_SIZE]);

/* As pack_get(), for whoever goes through a pack: also looks at its header.
 *   -EBADMSG it is another pack, or another vault's; -ENOTSUP a newer format; both logged. Damage is only warned of. */
int pack_get_checked(struct packs *packs, uint64_t number, struct pack **ret);
/* Write the header of pack `number`.  Not logged. */
int pack_header_write(const struct packs *packs, uint64_t number, int fd);
/* Write it if there is none that is valid. `fd` is open for writing. */
int pack_header_repair(const struct packs *packs, const struct pack *pack, int fd);

/* ---- pack_read.c ---- */

/* pread(2) until `size` bytes are there or the file ends; how many, or -errno (not logged). */
ssize_t pread_all(int fd, void *bytes, size_t size, uint64_t offset);

/* Read and check a whole record; as packs_read_record(), but nothing about damage is logged. */
int pack_read_whole(const struct pack *pack, uint64_t offset, struct record *ret, void *ret_stored,
		    uint64_t *ret_checksum);

/* ---- pack_scan.c ---- */

/* Bytes of the pack that can be scanned: of the one in writing what was appended, of others the file's size now. */
int pack_scan_size(struct pack *pack, uint64_t *ret);
/* The same for one who holds write_lock. */
int pack_scan_size_locked(struct pack *pack, uint64_t *ret);

/* The records that start in [from, to) and end there, also behind damage; all but INDEX and SEAL. 0; 1 there was damage
 * (logged); what `visit` returned; -errno. */
int pack_walk(struct pack *pack, uint64_t from, uint64_t to,
	      int (*visit)(void *context, const struct packs_item *item), void *context);

/* ---- pack_write.c ---- */

/* Make `next`, whose count is taken over, the pack in writing. Promises move with it. Holds write_lock. */
void pack_go_to(struct packs *packs, struct pack *next, uint64_t position, uint64_t allocated);
/* Queue it for the next sync. Holds write_lock. */
void pack_mark_unsynced(struct packs *packs, struct pack *pack);
/* Nothing is written any more, as syncing pack `number` (0: the directory) failed with `r`, which is logged and returned. */
int pack_flush_failed(struct packs *packs, int r, uint64_t number);

/* Preallocate in the current pack, so that `allocated` is at least `least`; more, if the disk has it. Holds write_lock.
 *  -ENOSPC, -EDQUOT not logged. */
int pack_extend(struct packs *packs, uint64_t least);
/* Write a record at `offset` of the current pack, whose space is allocated; nothing else changes. Holds write_lock.
 * Its sums stand in `head`. On failure (logged) bytes may stand there: pack_cut_back(). */
int pack_put_record(struct packs *packs, uint64_t offset, const struct record *record, uint8_t *head, const void *stored,
		    uint64_t *ret_checksum);
/* Cut the current pack to `position` and allocate anew what was. Holds write_lock. */
void pack_cut_back(struct packs *packs);

/* ---- pack_seal.c ---- */

/* Remember a record just appended. Holds write_lock. */
void pack_list_append(struct packs *packs, const struct record *record, uint64_t offset);
/* Forget all: records from packs->position on will be listed. Holds write_lock. */
void pack_list_reset(struct packs *packs);
/* List the records before listed_from, without write_lock, when it is time for that. */
void pack_list_older(struct packs *packs);

/* Append index and seal to the current pack and give back its tail. Holds write_lock. On failure (logged) the pack is
 * as before. */
int pack_seal(struct packs *packs);

/* 1 if a seal ends at `size`, 0 if not, -errno. */
int pack_is_sealed(const struct pack *pack, uint64_t size);

/* The records of a pack from its index.  -ENODATA it is not sealed, or was sealed without one; -EBADMSG seal or index are
 * damaged (not logged); both before the first visit. */
int pack_visit_index(struct pack *pack, uint64_t size,
		     int (*visit)(void *context, const struct packs_item *item), void *context);

#endif
