/* thumbnail.h - a small JPEG of a picture, a video or a record's cover. */
#ifndef VAULTFS_INDEXER_THUMBNAIL_H
#define VAULTFS_INDEXER_THUMBNAIL_H

#include "container.h"

#define THUMBNAIL_SIDE 256 /* its longer side, unless the picture is smaller */

/* Of a frame that is to be turned as `orientation` says (1 to 8).
 *   Ownership  *ret is the caller's, free() it.  Errors as in media.h. */
int thumbnail_of_frame(AVFrame *frame, int orientation, void **ret, size_t *ret_size);

/* Of a key frame about a tenth into the video, or, where that shows nothing, of a later one; else of the cover. */
int thumbnail_of_container(struct container *container, void **ret, size_t *ret_size);

#endif
