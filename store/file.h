/* file.h - what the rest of store asks of files' content: draining, truncating, re-chunking. vault_file_open(),
 * vault_write() and their like are implemented in file.c, vault_read() in file_read.c. */
#ifndef VAULTFS_FILE_H
#define VAULTFS_FILE_H

#include "vault_internal.h"

/* Bytes accepted by vault_write() that no extent names yet, and something for each piece that they are in. Lock-free. */
uint64_t file_undrained(const struct vault *vault);

/* Those of them that no worker was given yet: only a drain makes them less. Lock-free. */
uint64_t file_buffered(const struct vault *vault);

/* Whether storing or naming something has failed since the last file_drain_all() began: only another makes it less.
 * Lock-free. */
bool file_is_stuck(const struct vault *vault);

/* Hand everything buffered to the workers and wait until extents name it. Called by the committer: with the gate open it
 * drains what there is at that moment; with the gate closed nothing is undrained when it returns. A run that goes on (its
 * next content cut has not come) is stored provisionally, and replaced when the cut is found.
 *   Errors  what storing met (-ENOSPC, -EIO, ...): the bytes stay buffered, and the next drain tries again. */
int file_drain_all(struct vault *vault);

/* Set a file's size: what is buffered or mapped behind a smaller one goes, a larger one is a hole. Updates size, mtime and
 * ctime in memory. Called by vault_setattr() within a change, no lock held.
 *   Errors  -EFBIG; -EISDIR and -EINVAL for what is no regular file; -ENOENT; -EROFS. */
int file_truncate(struct vault *vault, uint64_t id, uint64_t size);

/* Re-chunk inodes that were written in this mount, have been idle for a minute, and have stretches of many small extents or
 * of extents that use little of their chunks (DESIGN 5). One step: a look at some hundred extents, or up to 16 MiB of
 * content cut anew, each new chunk in a change of its own. Nothing but the extents changes. 1 there may be more to do now,
 * 0 nothing: then it has cost some microseconds. Called from the background thread, outside changes, no lock held.
 *   Errors  what reading and storing met; that inode is left alone until it is written again. No room is no error: it is
 *           tried again a minute later. */
int file_rechunk_step(struct vault *vault);

#endif
