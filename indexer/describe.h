/* describe.h - the media data of a file: what its container says and what its camera said, as one. */
#ifndef VAULTFS_INDEXER_DESCRIBE_H
#define VAULTFS_INDEXER_DESCRIBE_H

#include "exif.h"
#include "media.h"
#include "image_file.h"

/* Send FRAME_MEDIA and FRAME_NUMBERS, as far as there is something to say. `media` may be NULL. 0, or as media.h has it. */
int describe_media(const struct channel *channel, struct media *media, const struct image_file *file,
		   const struct exif *exif);

#endif
