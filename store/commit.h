/* commit.h - moments: the gate that holds changes back, and the committer that makes them durable.
 *
 * The commit protocol (DESIGN 2; why each step stands where it does is in invariants.md beside this file): drain and flush
 * while changes go on; close the gate; drain the rest; journal parts; commit record; flush of the packs; COMMIT of the
 * database; open the gate. Whoever asks for a commit while none runs makes it, on its own thread: fsync then costs no
 * hand-over between threads. */
#ifndef VAULTFS_COMMIT_H
#define VAULTFS_COMMIT_H

#include <inttypes.h>

#include "vault_internal.h"

#define COMMIT_UNDRAINED_MAX (32u << 20)	/* bytes of content in memory that admit no more */
#define COMMIT_ROWS_PER_CALL 20000u		/* rows that one request may change */

/* Take the metadata lock for changing something: a transaction is open and recorded on return. Every statement that
 * writes runs under a lock taken here, within a change (vault_change_begin(), commit_enter()) or called by the committer.
 *   *ret_held  unlock with AUTO(unlock); NULL on failure.
 *   Errors     -EROFS the vault is or became read-only. */
int commit_lock(struct vault *vault, pthread_mutex_t **ret_held);

/* The same for what makes the database grow: a name, an attribute.  -ENOSPC the disk below is so full that the commit might
 * not find room. */
int commit_lock_to_grow(struct vault *vault, pthread_mutex_t **ret_held);

/* Make vault->committer, which is enough for changes and commits on the caller's own thread; then start the thread that
 * commits by time and volume. commit_stop() ends the thread after a last commit, whose error it returns; commit_free()
 * takes NULL. */
int commit_new(struct vault *vault, unsigned commit_seconds);
int commit_start(struct vault *vault);
int commit_stop(struct vault *vault);
void commit_end(struct committer *committer);	/* ends the thread without a commit; NULL is fine */
void commit_free(struct committer *committer);

/* Undrained content became less, or a write failed: whoever was refused by vault_change_try() may try again.
 * No lock may be held but an inode's. Cheap when nobody was refused. */
void commit_room(struct vault *vault);

/* What to answer a write of `n_bytes` that was let in although there is no room, as commits fail: their errno; else 0. */
int commit_room_error(struct vault *vault, size_t n_bytes);

/* Rows were changed, or will be, by what is no change: a handle's end, a read that drains or meets damage. See that a
 * commit follows. No lock is held but an inode's. */
void commit_noted(struct vault *vault);

/* A change of the vault's own threads (purging, re-chunking): as vault_change_begin(), with -EROFS when read-only. */
int commit_enter(struct vault *vault);
void commit_leave(struct vault *vault);

/* Nothing may be written any more, for the reason that was logged: what was committed stays readable. */
void commit_fail(struct vault *vault);

/* Open and close a transaction by hand, for the time before the committer runs (creating, recovering). The metadata lock
 * is held. commit_write_locked() writes one whole commit from the open transaction, synced; it drops and retakes the lock
 * while the disk is flushed. */
int commit_begin_locked(struct vault *vault);
int commit_write_locked(struct vault *vault);

/* Bytes in the write-ahead log after the last COMMIT; lock-free. */
uint64_t commit_wal_size(const struct vault *vault);

/* CLOCK_MONOTONIC of the last commit that had something to write; lock-free. */
int64_t commit_last_ns(const struct vault *vault);

#endif
