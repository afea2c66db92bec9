/* preview.h - short clips of a video, small and without sound. */
#ifndef VAULTFS_INDEXER_PREVIEW_H
#define VAULTFS_INDEXER_PREVIEW_H

#include "channel.h"
#include "container.h"

/* Send clips of 2 s, spread over the video: 5 of one that takes 20 s or more, else one for every 4 s, at least one. MP4
 * with the index in front, at most 320 pixels a side and 15 frames a second, H.264, or MPEG-4 where there is no encoder
 * for that. One that would take too long ends the sending; those before it stay.  Errors as in media.h. */
int preview_send(const struct channel *channel, struct container *container);

#endif
