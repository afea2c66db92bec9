/* describe.c - joins what container and camera say into JSON and numbers. See describe.h. */
#include "describe.h"
#include "text.h"
#include "timestamp.h"

#include "auto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1000

static inline void auto_json(json_t **json)
{
	json_decref(*json);
}

json_t *media_text(const char *text)
{
	uint8_t to[TEXT_MAX];
	const size_t n = text_convert((const uint8_t *)text, strlen(text), true, to, sizeof(to));

	return n > 0 ? json_stringn((const char *)to, n) : NULL;
}

/* A NULL value sets nothing. What memory fails for is left out: the file says more than we keep anyway. */
static void put(json_t *object, const char *key, json_t *value)
{
	if (value)
		(void)json_object_set_new(object, key, value);
}

static void put_number(json_t *object, const char *key, double value)
{
	if (value != 0)
		put(object, key, json_real(value));
}

static json_t *camera_of(const struct exif *exif)
{
	json_t *camera = json_object();

	put(camera, "make", media_text(exif->make));
	put(camera, "model", media_text(exif->model));
	put(camera, "lens", media_text(exif->lens));
	put_number(camera, "exposure", exif->exposure_time);
	put_number(camera, "aperture", exif->aperture);
	put_number(camera, "focal_length", exif->focal_length);
	if (exif->iso)
		put(camera, "iso", json_integer(exif->iso));
	if (json_object_size(camera) > 0)
		return camera;
	json_decref(camera);
	return NULL;
}

static json_t *place_of(const struct exif *exif)
{
	json_t *place = json_object();

	put(place, "latitude", json_real(exif->latitude));
	put(place, "longitude", json_real(exif->longitude));
	if (exif->has_altitude)
		put(place, "altitude", json_real(exif->altitude));
	return place;
}

static void put_picture(json_t *object, struct media_numbers *numbers, const struct image_file *file,
			const struct exif *exif)
{
	if (file->width) {
		numbers->width = file->width;
		numbers->height = file->height;
	}
	if (exif->orientation > 4) {
		const uint32_t width = numbers->width;

		numbers->width = numbers->height;
		numbers->height = width;
	}
	if (exif->orientation > 1)
		put(object, "orientation", json_integer(exif->orientation));
	if (exif->taken_at_ns)
		numbers->taken_at_ns = exif->taken_at_ns;
	put(object, "camera", camera_of(exif));
	if (exif->has_place)
		put(object, "place", place_of(exif));
}

static void put_numbers(json_t *object, const struct media_numbers *numbers)
{
	char taken[32];

	if (numbers->width) {
		put(object, "width", json_integer(numbers->width));
		put(object, "height", json_integer(numbers->height));
	}
	if (numbers->duration_ms)
		put(object, "duration", json_real((double)numbers->duration_ms / 1000));
	if (numbers->taken_at_ns) {
		timestamp_print(numbers->taken_at_ns, taken);
		put(object, "taken", json_string(taken));
	}
}

static void send_numbers(const struct channel *channel, const struct media_numbers *numbers)
{
	uint8_t payload[HELPER_NUMBERS_SIZE];

	frame_put_u32(payload, numbers->width);
	frame_put_u32(payload + 4, numbers->height);
	frame_put_u64(payload + 8, numbers->duration_ms);
	frame_put_u64(payload + 16, (uint64_t)numbers->taken_at_ns);
	channel_send(channel, FRAME_NUMBERS, payload, sizeof(payload));
}

int describe_media(const struct channel *channel, struct media *media, const struct image_file *file,
		   const struct exif *exif)
{
	AUTO(json) json_t *object = json_object();
	AUTO(free) char *text = NULL;
	struct media_numbers numbers = { 0 };
	int r = object ? 0 : -ENOMEM;

	if (r == 0 && media)
		r = media_describe(media, object, &numbers);
	put_picture(object, &numbers, file, exif);
	put_numbers(object, &numbers);
	if (json_object_size(object) == 0)
		return r;
	text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12));
	if (!text || strlen(text) > HELPER_MEDIA_MAX)
		return -ENOMEM;
	channel_send(channel, FRAME_MEDIA, text, strlen(text));
	send_numbers(channel, &numbers);
	return r;
}
