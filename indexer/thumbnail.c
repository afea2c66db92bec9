/* thumbnail.c - chooses a frame, makes it small, writes it as JPEG. See thumbnail.h. */
#include "thumbnail.h"
#include "image.h"

#include "auto.h"

#include <errno.h>
#include <libavutil/pixdesc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define QUALITY 4                     /* of 1, the best, to 31 */
#define READ_MAX (UINT64_C(48) << 20) /* for each frame that is tried */
#define SPREAD_ENOUGH \
	6 /* mean distance from the mean luma, of 255: below, a frame is black, white or a fade */

/* Transparent is white, as on a desk. */
static void lay_on_white(AVFrame *rgba)
{
	for (int y = 0; y < rgba->height; y++) {
		uint8_t *pixel = rgba->data[0] + (ptrdiff_t)y * rgba->linesize[0];

		for (int x = 0; x < rgba->width; x++, pixel += 4)
			for (int i = 0; i < 3; i++)
				pixel[i] = (uint8_t)((pixel[i] * pixel[3] + 255 * (255 - pixel[3])) / 255);
	}
}

static bool has_alpha(const AVFrame *frame)
{
	const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);

	return format && (format->flags & (AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_PAL));
}

/* Full chroma, so that it can be turned plane by plane. */
static int make_small(const AVFrame *frame, int orientation, AVFrame **ret)
{
	AUTO(frame) AVFrame *small = NULL;
	AUTO(frame) AVFrame *opaque = NULL;
	int width, height, r = 0;

	image_fit(frame, frame->sample_aspect_ratio, THUMBNAIL_SIDE, &width, &height);
	if (has_alpha(frame)) {
		r = image_scale(frame, width, height, AV_PIX_FMT_RGBA, &opaque);
		if (r < 0)
			return r;
		lay_on_white(opaque);
		r = image_scale(opaque, width, height, AV_PIX_FMT_YUVJ444P, &small);
	} else {
		r = image_scale(frame, width, height, AV_PIX_FMT_YUVJ444P, &small);
	}
	if (r == 0)
		r = image_turn(&small, orientation);
	if (r == 0)
		*ret = TAKE(small);
	return r;
}

static int open_encoder(const AVFrame *frame, AVCodecContext **ret)
{
	const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
	AUTO(decoder) AVCodecContext *encoder = codec ? avcodec_alloc_context3(codec) : NULL;

	if (!encoder)
		return codec ? -ENOMEM : -ENOTSUP;
	encoder->width = frame->width;
	encoder->height = frame->height;
	encoder->pix_fmt = frame->format;
	encoder->color_range = AVCOL_RANGE_JPEG;
	encoder->time_base = (AVRational){ 1, 25 };
	encoder->thread_count = 1;
	encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
	encoder->global_quality = FF_QP2LAMBDA * QUALITY;
	if (avcodec_open2(encoder, codec, NULL) < 0)
		return -ENOTSUP;
	*ret = TAKE(encoder);
	return 0;
}

static int encode(AVFrame *frame, void **ret, size_t *ret_size)
{
	AUTO(decoder) AVCodecContext *encoder = NULL;
	AUTO(packet) AVPacket *packet = av_packet_alloc();
	int r = packet ? open_encoder(frame, &encoder) : -ENOMEM;

	if (r < 0)
		return r;
	frame->pict_type = AV_PICTURE_TYPE_NONE;
	frame->quality = encoder->global_quality;
	frame->pts = 0;
	if (avcodec_send_frame(encoder, frame) < 0 || avcodec_send_frame(encoder, NULL) < 0 ||
	    avcodec_receive_packet(encoder, packet) < 0)
		return -ENOMEM;
	*ret = malloc((size_t)packet->size);
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, packet->data, (size_t)packet->size);
	*ret_size = (size_t)packet->size;
	return 0;
}

int thumbnail_of_frame(AVFrame *frame, int orientation, void **ret, size_t *ret_size)
{
	AUTO(frame) AVFrame *small = NULL;
	const int r = make_small(frame, orientation, &small);

	return r < 0 ? r : encode(small, ret, ret_size);
}

/* ---- of a video ---- */

/* How much there is to see: the mean distance of the luma from its mean. */
static int spread_of(const AVFrame *small)
{
	const int n = small->width * small->height;
	int64_t sum = 0, distance = 0;

	for (int y = 0; y < small->height; y++)
		for (int x = 0; x < small->width; x++)
			sum += small->data[0][(ptrdiff_t)y * small->linesize[0] + x];
	for (int y = 0; y < small->height; y++)
		for (int x = 0; x < small->width; x++)
			distance += llabs(small->data[0][(ptrdiff_t)y * small->linesize[0] + x] - sum / n);
	return (int)(distance / n);
}

/* The key frame at or before `at`, small. */
static int frame_at(struct container *container, AVCodecContext *decoder, int64_t at, AVFrame **ret)
{
	AUTO(frame) AVFrame *frame = av_frame_alloc();
	int r;

	if (!frame)
		return -ENOMEM;
	if (container_seek(container, at, READ_MAX) < 0 &&
	    at > 0) /* what cannot be sought in is read from where it stands */
		return -EBADMSG;
	avcodec_flush_buffers(decoder);
	r = container_next_frame(container, container->video, decoder, frame);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	frame->sample_aspect_ratio = av_guess_sample_aspect_ratio(container->format, container->video, frame);
	return make_small(frame, container_orientation(container->video), ret);
}

/* The first frame that shows something, or the one that shows most. */
static int choose_frame(struct container *container, AVCodecContext *decoder, AVFrame **ret)
{
	static const int percents[] = { 10, 25, 50, 75, 0 };
	const int64_t duration = container->format->duration > 0 ? container->format->duration : 0;
	AUTO(frame) AVFrame *best = NULL;
	int best_spread = -1, r = -EBADMSG;

	for (size_t i = duration > 0 ? 0 : 4; i < 5 && best_spread < SPREAD_ENOUGH; i++) {
		AUTO(frame) AVFrame *small = NULL;
		const int got = frame_at(container, decoder, duration / 100 * percents[i], &small);

		if (got == -EFBIG || got == -ENOMEM)
			r = got;
		if (got < 0 || spread_of(small) <= best_spread)
			continue;
		best_spread = spread_of(small);
		av_frame_free(&best);
		best = TAKE(small);
	}
	if (!best)
		return r;
	*ret = TAKE(best);
	return 0;
}

static int of_video(struct container *container, void **ret, size_t *ret_size)
{
	AUTO(decoder) AVCodecContext *decoder = NULL;
	AUTO(frame) AVFrame *small = NULL;
	int r = container_open_decoder(container->video, 0, &decoder);

	if (r < 0)
		return r;
	decoder->skip_frame = AVDISCARD_NONKEY;
	decoder->skip_loop_filter = AVDISCARD_ALL;
	r = choose_frame(container, decoder, &small);
	return r < 0 ? r : encode(small, ret, ret_size);
}

static int of_cover(struct container *container, void **ret, size_t *ret_size)
{
	AUTO(decoder) AVCodecContext *decoder = NULL;
	AUTO(frame) AVFrame *frame = av_frame_alloc();
	int r = frame ? container_open_decoder(container->cover, 0, &decoder) : -ENOMEM;

	if (r < 0)
		return r;
	r = avcodec_send_packet(decoder, &container->cover->attached_pic);
	if (r == 0)
		(void)avcodec_send_packet(decoder, NULL);
	if (r == 0)
		r = avcodec_receive_frame(decoder, frame);
	return r < 0 ? container_errno(r) : thumbnail_of_frame(frame, 1, ret, ret_size);
}

int thumbnail_of_container(struct container *container, void **ret, size_t *ret_size)
{
	if (container->video)
		return of_video(container, ret, ret_size);
	return container->cover ? of_cover(container, ret, ret_size) : -ENODATA;
}
