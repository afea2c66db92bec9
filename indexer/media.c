/* media.c - media data through libavformat, and the still picture or container that the stages share. See media.h. */
#include "media.h"
#include "container.h"
#include "image.h"
#include "preview.h"
#include "thumbnail.h"
#include "timestamp.h"

#include "auto.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct media {
	const struct channel *channel;
	enum AVCodecID codec;        /* of a still picture; AV_CODEC_ID_NONE: a container */
	uint32_t width, height;      /* of a still picture; 0: not known before it is decoded */
	AVFrame *picture;            /* once it was decoded */
	struct container *container; /* NULL for a still picture */
};

void media_prepare(void)
{
	container_prepare();
}

int media_open(const struct channel *channel, const char *mime, uint32_t width, uint32_t height,
	       struct media **ret)
{
	AUTO(media) struct media *media = calloc(1, sizeof(*media));
	int r;

	if (!media)
		return -ENOMEM;
	media->channel = channel;
	media->codec = image_codec(mime);
	media->width = width;
	media->height = height;
	if (media->codec == AV_CODEC_ID_NONE) {
		r = container_open(channel, mime, &media->container);
		if (r < 0)
			return r;
	}
	*ret = TAKE(media);
	return 0;
}

void media_close(struct media *media)
{
	if (!media)
		return;
	av_frame_free(&media->picture);
	container_close(media->container);
	free(media);
}

static int decode_picture(struct media *media)
{
	if (media->picture)
		return 0;
	return image_decode(media->channel, media->codec, media->width, media->height, 2 * THUMBNAIL_SIDE,
			      &media->picture);
}

/* ---- what a container says ---- */

static void put(json_t *object, const char *key, json_t *value)
{
	if (value)
		(void)json_object_set_new(object, key, value); /* what memory fails for is left out */
}

static void put_integer(json_t *object, const char *key, int64_t value)
{
	if (value > 0)
		put(object, key, json_integer(value));
}

static void put_tag(json_t *object, const char *key, const struct container *container, const char *tag)
{
	const AVDictionaryEntry *entry = av_dict_get(container->format->metadata, tag, NULL, 0);

	if (!entry && container->audio) /* where Ogg has them */
		entry = av_dict_get(container->audio->metadata, tag, NULL, 0);
	if (entry)
		put(object, key, media_text(entry->value));
}

static void put_language(json_t *object, const AVStream *stream)
{
	const AVDictionaryEntry *entry = av_dict_get(stream->metadata, "language", NULL, 0);

	if (entry && strcmp(entry->value, "und") != 0)
		put(object, "language", media_text(entry->value));
}

static double frame_rate_of(const struct container *container)
{
	const AVRational rate = av_guess_frame_rate(container->format, container->video, NULL);

	return rate.num > 0 && rate.den > 0 ? round(av_q2d(rate) * 1000) / 1000 : 0;
}

static json_t *video_of(const struct container *container)
{
	const AVCodecParameters *codec = container->video->codecpar;
	json_t *video = json_object();
	const double rate = frame_rate_of(container);

	put(video, "codec", media_text(avcodec_get_name(codec->codec_id)));
	if (rate > 0)
		put(video, "frame_rate", json_real(rate));
	put_integer(video, "bit_rate", codec->bit_rate);
	put_language(video, container->video);
	return video;
}

static json_t *audio_of(const struct container *container)
{
	const AVCodecParameters *codec = container->audio->codecpar;
	json_t *audio = json_object();

	put(audio, "codec", media_text(avcodec_get_name(codec->codec_id)));
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(59, 24, 100)
	put_integer(audio, "channels", codec->ch_layout.nb_channels);
#else
	put_integer(audio, "channels", codec->channels);
#endif
	put_integer(audio, "sample_rate", codec->sample_rate);
	put_integer(audio, "bit_rate", codec->bit_rate);
	put_language(audio, container->audio);
	return audio;
}

static int64_t count_streams(const struct container *container, enum AVMediaType type)
{
	int64_t n = 0;

	for (unsigned i = 0; i < container->format->nb_streams; i++)
		n += container->format->streams[i]->codecpar->codec_type == type;
	return n;
}

/* "mov,mp4,m4a" is mov. */
static json_t *name_of(const struct container *container)
{
	const char *name = container->format->iformat->name;

	return json_stringn(name, strcspn(name, ","));
}

/* "+40.6892-074.0445+005/": degrees north, degrees east, metres. */
static void put_place(json_t *object, const struct container *container)
{
	const AVDictionaryEntry *entry =
		av_dict_get(container->format->metadata, "com.apple.quicktime.location.ISO6709", NULL, 0);
	double latitude, longitude, altitude;
	json_t *place;
	int n;

	if (!entry)
		entry = av_dict_get(container->format->metadata, "location", NULL, 0);
	n = entry ? sscanf(entry->value, "%lf%lf%lf", &latitude, &longitude, &altitude) : 0;
	if (n < 2 || !(fabs(latitude) <= 90) || !(fabs(longitude) <= 180) ||
	    (latitude == 0 && longitude == 0))
		return;
	place = json_object();
	put(place, "latitude", json_real(latitude));
	put(place, "longitude", json_real(longitude));
	if (n == 3 && fabs(altitude) <= 100000)
		put(place, "altitude", json_real(altitude));
	put(object, "place", place);
}

static int64_t taken_of(const struct container *container)
{
	static const char *const tags[] = { "com.apple.quicktime.creationdate", "creation_time" };
	const int64_t first_ns =
		INT64_C(631152000) * 1000000000; /* 1990: before, there was nothing to take videos with
								   * that could write this */
	int64_t taken_ns = 0;

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]) && taken_ns < first_ns; i++) {
		const AVDictionaryEntry *entry = av_dict_get(container->format->metadata, tags[i], NULL, 0);

		taken_ns = entry ? timestamp_parse(entry->value) : 0;
	}
	return taken_ns < first_ns ? 0 : taken_ns;
}

static void describe_video(const struct container *container, json_t *object, struct media_numbers *numbers)
{
	const AVCodecParameters *codec = container->video->codecpar;
	const int orientation = container_orientation(container->video);

	put(object, "video", video_of(container));
	if (codec->width <= 0 || codec->height <= 0)
		return;
	numbers->width = (uint32_t)(orientation > 4 ? codec->height : codec->width);
	numbers->height = (uint32_t)(orientation > 4 ? codec->width : codec->height);
	if (orientation > 1)
		put(object, "orientation", json_integer(orientation));
}

static void describe_container(const struct container *container, json_t *object,
			       struct media_numbers *numbers)
{
	static const struct {
		const char *key, *tag;
	} tags[] = {
		{ "title", "title" },     { "artist", "artist" },
		{ "album", "album" },     { "album_artist", "album_artist" },
		{ "track", "track" },     { "genre", "genre" },
		{ "date", "date" },       { "composer", "composer" },
		{ "comment", "comment" },
	};
	const AVFormatContext *format = container->format;

	put(object, "container", name_of(container));
	if (format->duration > 0)
		numbers->duration_ms = (uint64_t)format->duration / (AV_TIME_BASE / 1000);
	put_integer(object, "bit_rate", format->bit_rate);
	if (container->video)
		describe_video(container, object, numbers);
	if (container->audio)
		put(object, "audio", audio_of(container));
	if (count_streams(container, AVMEDIA_TYPE_AUDIO) > 1)
		put_integer(object, "audio_streams", count_streams(container, AVMEDIA_TYPE_AUDIO));
	put_integer(object, "subtitle_streams", count_streams(container, AVMEDIA_TYPE_SUBTITLE));
	put_integer(object, "chapters", format->nb_chapters);
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		put_tag(object, tags[i].key, container, tags[i].tag);
	put_place(object, container);
	numbers->taken_at_ns = taken_of(container);
}

int media_describe(struct media *media, json_t *object, struct media_numbers *numbers)
{
	int r;

	if (media->container) {
		describe_container(media->container, object, numbers);
		return 0;
	}
	if (media->width) /* the decoder is left alone until somebody wants to see it */
		return 0;
	r = decode_picture(media);
	if (r < 0)
		return r;
	numbers->width = (uint32_t)media->picture->width;
	numbers->height = (uint32_t)media->picture->height;
	return 0;
}

/* ---- what is made of it ---- */

int media_thumbnail(struct media *media, int orientation, void **ret, size_t *ret_size)
{
	int r;

	if (media->container)
		return thumbnail_of_container(media->container, ret, ret_size);
	r = decode_picture(media);
	if (r < 0)
		return r;
	return thumbnail_of_frame(media->picture, orientation, ret, ret_size);
}

int media_send_previews(struct media *media)
{
	return media->container && media->container->video ? preview_send(media->channel, media->container)
							   : 0;
}
