/* channel.h - the inspecting child's side of its socket: bytes of the file in, findings out.
 *
 * A caller that is gone or talks nonsense ends the process: nobody is left to hear why. */
#ifndef VAULTFS_INDEXER_CHANNEL_H
#define VAULTFS_INDEXER_CHANNEL_H

#include "helper.h"

#include <stddef.h>
#include <sys/types.h>

struct channel {
	int fd;
	uint64_t size;   /* of the file */
	unsigned wanted; /* of enum helper_stage */
	char extension[HELPER_EXTENSION_MAX + 1];
};

/* Receive what is to be inspected over `fd`. */
void channel_open(struct channel *channel, int fd);

/* Bytes of the file: fewer than `size` at its end; -EFBIG the caller gives no more of it. Any offset and size will do. */
ssize_t channel_read(const struct channel *channel, uint64_t offset, void *buffer, size_t size);

/* Tell the caller. What is larger than `type` may be is a mistake of ours. */
void channel_send(const struct channel *channel, enum frame_type type, const void *payload, size_t size);

void channel_enter(const struct channel *channel, enum helper_stage stage);

/* Say in a few words why something is missing: "media: damaged". */
void channel_send_trouble(const struct channel *channel, const char *what, int error);

#endif
