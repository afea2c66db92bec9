/* watch.h - how much of a video or sound file was read through one open handle: half of it, and somebody has watched it.
 *
 * Not the bytes are counted but points, evenly spread over the file: each is read or not, however often and in whatever
 * order. Jumping about in a file so reads no more of it than it is. */
#ifndef VAULTFS_WATCH_H
#define VAULTFS_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WATCH_POINTS 1024u
#define WATCH_SIZE_MIN 65536u	/* bytes; smaller files are not worth the question what they are */

/* All zero at first. Each field is atomic, and orders nothing. */
struct watch {
	_Atomic uint64_t size;	/* of the file when it was asked for; 0: it was not yet */
	atomic_uint n_points;	/* that were read */
	_Atomic uint64_t points[WATCH_POINTS / 64];	/* a bit for each */
};

struct vault;

/* `n` bytes were read at `offset` of file `id`. True once: with them half of the file was. Any threads at a time. */
bool watch_read(struct watch *watch, struct vault *vault, uint64_t id, uint64_t offset, size_t n);

#endif
