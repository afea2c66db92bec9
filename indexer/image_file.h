/* image_file.h - what the head of a picture file says: its size, and where its EXIF block is.
 *
 * Read by hand, because it bounds what a decoder would be asked to do, and because phones' pictures come in formats that
 * libavcodec does not decode. */
#ifndef VAULTFS_INDEXER_IMAGE_FILE_H
#define VAULTFS_INDEXER_IMAGE_FILE_H

#include "channel.h"

#include <stddef.h>
#include <stdint.h>

#define IMAGE_EXIF_MAX 65536u

struct image_file {
	uint32_t width, height; /* as stored, not turned; 0: not found */
	uint8_t *exif;          /* "Exif\0\0" and a TIFF header, at most IMAGE_EXIF_MAX; NULL: none */
	size_t exif_size;
};

/* Look into a file of type `mime`. What is not found is left out; memory and too much reading, too. */
void image_file_read(const struct channel *channel, const char *mime, struct image_file *ret);

void image_file_release(struct image_file *file);

#endif
