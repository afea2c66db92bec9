/* exif.h - what a camera wrote into a picture. */
#ifndef VAULTFS_INDEXER_EXIF_H
#define VAULTFS_INDEXER_EXIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXIF_TEXT_MAX 64

struct exif {
	int orientation;     /* 1 to 8: how the picture is to be turned; 1 = not at all */
	int64_t taken_at_ns; /* 0: not said */
	char make[EXIF_TEXT_MAX], model[EXIF_TEXT_MAX],
		lens[EXIF_TEXT_MAX];                  /* "": not said; any bytes but 0 */
	double exposure_time, aperture, focal_length; /* s, f-number, mm; 0: not said */
	unsigned iso;
	bool has_place, has_altitude;
	double latitude, longitude, altitude; /* degrees north and east, m above the sea */
};

/* Read a block that begins with "Exif\0\0"; NULL: there is none. What it does not say, and what is nonsense, is left out. */
void exif_read(const uint8_t *block, size_t size, struct exif *ret);

#endif
