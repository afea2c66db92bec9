/* exif.c - EXIF blocks, by libexif. See exif.h. */
#include "exif.h"
#include "timestamp.h"

#include <string.h>

#ifndef HAVE_EXIF

void exif_read(const uint8_t *block, size_t size, struct exif *ret)
{
	(void)block;
	(void)size;
	memset(ret, 0, sizeof(*ret));
	ret->orientation = 1;
}

#else

#include <libexif/exif-data.h>
#include <math.h>
#include <stdio.h>

static const ExifEntry *entry_of(const ExifData *data, ExifIfd ifd, unsigned tag)
{
	return exif_content_get_entry(data->ifd[ifd], (ExifTag)tag);
}

static void get_text(const ExifData *data, ExifIfd ifd, unsigned tag, char ret[EXIF_TEXT_MAX])
{
	const ExifEntry *entry = entry_of(data, ifd, tag);
	size_t n = 0;

	if (entry && entry->format == EXIF_FORMAT_ASCII && entry->data)
		n = strnlen((const char *)entry->data,
			    entry->size < EXIF_TEXT_MAX ? entry->size : EXIF_TEXT_MAX - 1);
	while (n > 0 && entry->data[n - 1] == ' ')
		n--;
	if (n > 0)
		memcpy(ret, entry->data, n);
	ret[n] = '\0';
}

/* The `i`-th number of an entry; NAN: it has none. */
static double get_number(const ExifData *data, ExifIfd ifd, unsigned tag, unsigned i)
{
	const ExifEntry *entry = entry_of(data, ifd, tag);
	const ExifByteOrder order = exif_data_get_byte_order((ExifData *)(uintptr_t)data); /* only looks */
	const unsigned char *at;
	unsigned width;

	if (!entry || !entry->data)
		return NAN;
	width = exif_format_get_size(entry->format);
	if (width == 0 || i >= entry->components || (i + 1) * width > entry->size)
		return NAN;
	at = entry->data + i * width;
	if (entry->format == EXIF_FORMAT_RATIONAL) {
		const ExifRational value = exif_get_rational(at, order);

		return value.denominator ? (double)value.numerator / value.denominator : NAN;
	}
	if (entry->format == EXIF_FORMAT_SHORT)
		return exif_get_short(at, order);
	if (entry->format == EXIF_FORMAT_LONG)
		return exif_get_long(at, order);
	return entry->format == EXIF_FORMAT_BYTE ? at[0] : NAN;
}

/* Between the bounds, or 0. */
static double get_bounded(const ExifData *data, ExifIfd ifd, unsigned tag, double least, double most)
{
	const double value = get_number(data, ifd, tag, 0);

	return value >= least && value <= most ? value : 0;
}

static int64_t get_taken(const ExifData *data)
{
	char text[EXIF_TEXT_MAX], zone[EXIF_TEXT_MAX], both[2 * EXIF_TEXT_MAX];

	get_text(data, EXIF_IFD_EXIF, EXIF_TAG_DATE_TIME_ORIGINAL, text);
	get_text(data, EXIF_IFD_EXIF, 0x9011, zone); /* OffsetTimeOriginal, later than libexif's list */
	if (!text[0])
		get_text(data, EXIF_IFD_EXIF, EXIF_TAG_DATE_TIME_DIGITIZED, text);
	if (!text[0])
		get_text(data, EXIF_IFD_0, EXIF_TAG_DATE_TIME, text);
	(void)snprintf(both, sizeof(both), "%s%s", text, zone);
	return timestamp_parse(both);
}

/* Degrees, minutes and seconds, negative for south and west; NAN: not said. */
static double get_degrees(const ExifData *data, unsigned tag, unsigned tag_side, char negative, double most)
{
	const double degrees = get_number(data, EXIF_IFD_GPS, tag, 0);
	const double minutes = get_number(data, EXIF_IFD_GPS, tag, 1);
	const double seconds = get_number(data, EXIF_IFD_GPS, tag, 2);
	char side[EXIF_TEXT_MAX];
	double value = degrees;

	get_text(data, EXIF_IFD_GPS, tag_side, side);
	if (!isnan(minutes))
		value += minutes / 60;
	if (!isnan(seconds))
		value += seconds / 3600;
	if (isnan(value) || value < 0 || value > most)
		return NAN;
	return side[0] == negative ? -value : value;
}

static void get_place(const ExifData *data, struct exif *ret)
{
	const double latitude = get_degrees(data, EXIF_TAG_GPS_LATITUDE, EXIF_TAG_GPS_LATITUDE_REF, 'S', 90);
	const double longitude =
		get_degrees(data, EXIF_TAG_GPS_LONGITUDE, EXIF_TAG_GPS_LONGITUDE_REF, 'W', 180);
	const double altitude = get_number(data, EXIF_IFD_GPS, EXIF_TAG_GPS_ALTITUDE, 0);

	/* Cameras without a fix write zeroes. */
	if (isnan(latitude) || isnan(longitude) || (latitude == 0 && longitude == 0))
		return;
	ret->has_place = true;
	ret->latitude = latitude;
	ret->longitude = longitude;
	if (isnan(altitude) || altitude > 100000)
		return;
	ret->has_altitude = true;
	ret->altitude =
		get_number(data, EXIF_IFD_GPS, EXIF_TAG_GPS_ALTITUDE_REF, 0) == 1 ? -altitude : altitude;
}

void exif_read(const uint8_t *block, size_t size, struct exif *ret)
{
	ExifData *data = block ? exif_data_new_from_data(block, (unsigned)size) : NULL;

	memset(ret, 0, sizeof(*ret));
	ret->orientation = 1;
	if (!data)
		return;
	ret->orientation = (int)get_bounded(data, EXIF_IFD_0, EXIF_TAG_ORIENTATION, 1, 8);
	if (ret->orientation == 0)
		ret->orientation = 1;
	ret->taken_at_ns = get_taken(data);
	get_text(data, EXIF_IFD_0, EXIF_TAG_MAKE, ret->make);
	get_text(data, EXIF_IFD_0, EXIF_TAG_MODEL, ret->model);
	get_text(data, EXIF_IFD_EXIF, 0xa434, ret->lens); /* LensModel */
	ret->exposure_time = get_bounded(data, EXIF_IFD_EXIF, EXIF_TAG_EXPOSURE_TIME, 1e-7, 1e5);
	ret->aperture = get_bounded(data, EXIF_IFD_EXIF, EXIF_TAG_FNUMBER, 0.1, 1000);
	ret->focal_length = get_bounded(data, EXIF_IFD_EXIF, EXIF_TAG_FOCAL_LENGTH, 0.1, 100000);
	ret->iso = (unsigned)get_bounded(data, EXIF_IFD_EXIF, EXIF_TAG_ISO_SPEED_RATINGS, 1, 1e7);
	get_place(data, ret);
	exif_data_unref(data);
}

#endif
