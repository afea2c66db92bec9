/* media.h - pictures, videos and sound: what they are, a small picture of them, clips.
 *
 * media.c does it with libavformat and libavcodec; media_none.c stands in for it in a build without them. */
#ifndef VAULTFS_INDEXER_MEDIA_H
#define VAULTFS_INDEXER_MEDIA_H

#include "channel.h"

#include <jansson.h>

struct media;

struct media_numbers {
	uint32_t width, height; /* as stored until it is said how to turn them */
	uint64_t duration_ms;
	int64_t taken_at_ns;
};

/* Load what is loaded when it is used first. */
void media_prepare(void);

/* Begin with the file of `channel`, which must outlast *ret. `width` and `height`: what is known of a picture's size, or 0.
 *   Ownership  media_close() it.
 *   Errors     of this and what follows: -ENOTSUP of a kind that we do not look into; -EBADMSG damaged; -EFBIG, -ENOMEM,
 *              -ETIMEDOUT it would cost too much. */
int media_open(const struct channel *channel, const char *mime, uint32_t width, uint32_t height,
	       struct media **ret);

void media_close(struct media *media);

/* Put what is known into `object` (vaultfs-format(5) has the keys) and `numbers`. */
int media_describe(struct media *media, json_t *object, struct media_numbers *numbers);

/* Make a JPEG of at most 256 x 256; `orientation` is how a picture is to be turned (1 to 8, as EXIF has it).
 *   Ownership  *ret is the caller's, free() it.
 *   Errors     -ENODATA sound without a cover; others above. */
int media_thumbnail(struct media *media, int orientation, void **ret, size_t *ret_size);

/* Send clips of a video as FRAME_PREVIEW: none for what does not move. */
int media_send_previews(struct media *media);

/* A text of the file's as JSON: UTF-8 made of it, and bounded; NULL: there is nothing in it. */
json_t *media_text(const char *text);

static inline void auto_media(struct media **media)
{
	media_close(*media);
}

#endif
