/* file.h - what the rest of store asks of files' content: draining, truncating, re-chunking. vault_file_open(),
 * vault_write() and their like are implemented in file.c, vault_read() in file_read.c. */
#ifndef VAULTFS_FILE_H
#define VAULTFS_FILE_H

#include "vault_internal.h"

/* Bytes accepted by vault_write() that no extent names yet. Lock-free. */
uint64_t file_undrained(const struct vault *vault);

/* Hand everything buffered to the workers and wait until extents name it. Called by the committer: with the gate open it
 * drains what there is at that moment; with the gate closed nothing is undrained when it returns. A run that goes on (its
 * next content cut has not come) is stored provisionally, and replaced when the cut is found.
 *   Errors  what storing met (-ENOSPC, -EIO, ...): the bytes stay buffered, and the next drain tries again. */
int file_drain_all(struct vault *vault);

/* Set a file's size: what is buffered or mapped behind a smaller one goes, a larger one is a hole. Updates size, mtime and
 * ctime in memory. Called by vault_setattr() within a change, no lock held.
 *   Errors  -EFBIG; -EISDIR and -EINVAL for what is no regular file; -ENOENT; -EROFS. */
int file_truncate(struct vault *vault, uint64_t id, uint64_t size);

/* Re-chunk inodes that were idle for a minute and whose extents are many or wasteful (DESIGN 5). One step, bounded; 1 there
 * is more to do now, 0 nothing. Called from the background thread, outside changes. */
int file_rechunk_step(struct vault *vault);

#endif
