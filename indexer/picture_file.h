/* picture_file.h - what the head of a picture file says: its size, and where its EXIF block is.
 *
 * Read by hand, because it bounds what a decoder would be asked to do, and because phones' pictures come in formats that
 * libavcodec does not decode. */
#ifndef VAULTFS_INDEXER_PICTURE_FILE_H
#define VAULTFS_INDEXER_PICTURE_FILE_H

#include "channel.h"

#include <stddef.h>
#include <stdint.h>

#define PICTURE_EXIF_MAX 65536u

struct picture_file {
	uint32_t width, height; /* as stored, not turned; 0: not found */
	uint8_t *exif;          /* "Exif\0\0" and a TIFF header, at most PICTURE_EXIF_MAX; NULL: none */
	size_t exif_size;
};

/* Look into a file of type `mime`. What is not found is left out; memory and too much reading, too. */
void picture_file_read(const struct channel *channel, const char *mime, struct picture_file *ret);

void picture_file_release(struct picture_file *file);

#endif
