/* live.h - inodes that are in memory: open ones, those with bytes not yet in extents, those with attributes not yet in
 * their row.
 *
 * The write buffer and the extents belong to file.c and its neighbours (live_internal.h); this is the table, its counts,
 * and the attributes that memory knows better than the row: size, mtime, ctime after writes, atime after reads. One leaf
 * lock guards table, counts and attributes, so that a look-up under the metadata lock can lay them over a row it has just
 * read. */
#ifndef VAULTFS_LIVE_H
#define VAULTFS_LIVE_H

#include "vault_internal.h"

int live_table_new(struct vault *vault, struct live_table **ret);
void live_table_free(struct live_table *table);	/* all handles are closed, all is drained; NULL is fine */

/* Lay what memory knows better over attributes just read from their row. The metadata lock is held (so that no write-back
 * comes between the row and this). `mapped` includes bytes that are not in extents yet, at most size. */
void live_overlay(struct vault *vault, struct vault_attr *attr);

/* The row now says `attr`: times are not dirty any more, nor is the size if it is still that. Where a write came after
 * live_overlay() had been asked, its times stand. The metadata lock is held. */
void live_written(struct vault *vault, const struct vault_attr *attr);

/* The content of the inode was looked at: its atime moves as with relatime, in memory only. The metadata lock is held. */
void live_was_read(struct vault *vault, const struct vault_attr *attr);

/* Is a handle open, or are bytes on their way to extents? Asked before an inode is purged. The metadata lock is held. */
bool live_is_busy(struct vault *vault, uint64_t id);

/* Drop what is remembered of an inode whose row goes in this transaction. The metadata lock is held. */
void live_forget(struct vault *vault, uint64_t id);

/* Write all dirty attributes to their rows. The metadata lock is held, taken with commit_lock(). */
int live_flush_locked(struct vault *vault);

#endif
