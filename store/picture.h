/* picture.h - a picture: the whole of the journalled tables at one commit, as a changeset of INSERTs in the packs.
 *
 * The stream goes through the chunker and is stored as ordinary chunks, so that successive pictures share what did not
 * change; RECORD_PICTURE records hold the list. A picture frees the packs before it from keeping their journal parts. */
#ifndef VAULTFS_PICTURE_H
#define VAULTFS_PICTURE_H

#include "vault_internal.h"

/* What a picture's records say. */
struct picture {
	struct commit_state state;	/* as it was after the commit that the picture shows; its picture fields are 0 */
	uint64_t raw_size;		/* bytes of the stream */
	uint64_t *chunks;		/* ids in order; free() it */
	size_t n_chunks;
};

/* Read the list whose first record is at `place`.
 *   Errors  -EBADMSG not a picture, or not whole (silent for a place that holds something else); errno of the disk. */
int picture_read(struct vault *vault, struct place place, struct picture *ret);

/* The same where a picture that is damaged or gone is as good as none: 1 read, 0 there is none, -errno: that it cannot be
 * read just now, for memory or the disk, does not make it none. Whoever gives back its references depends on that. */
int picture_find(struct vault *vault, struct place place, struct picture *ret);

/* As picture_find(), but a bad sector makes it none, too: for those who do without it then and count no references. */
int picture_find_readable(struct vault *vault, struct place place, struct picture *ret);

/* Apply the picture's rows to the empty journalled tables. The metadata lock is held. */
int picture_apply_locked(struct vault *vault, const struct picture *picture);

/* Add `delta` references to each of the picture's chunks. The metadata lock is held. */
int picture_ref_locked(struct vault *vault, const struct picture *picture, int delta);

/* Write a picture of the last durable commit, through a connection of its own, while changes go on; the next commit makes
 * it the newest. Runs on the background thread; returns early with -EINTR when *stop becomes true. */
int picture_write(struct vault *vault, const _Atomic bool *stop);

#endif
