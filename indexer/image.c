/* image.c - decoding still pictures, making frames smaller, turning them. See image.h. */
#include "image.h"

#include "auto.h"

#include <errno.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define FILE_MAX (UINT64_C(200) << 20) /* of a picture: read as a whole */

enum AVCodecID image_codec(const char *mime)
{
	static const struct {
		const char *mime;
		enum AVCodecID codec;
	} rows[] = {
		{ "image/jpeg", AV_CODEC_ID_MJPEG },
		{ "image/png", AV_CODEC_ID_PNG },
		{ "image/webp", AV_CODEC_ID_WEBP },
		{ "image/bmp", AV_CODEC_ID_BMP },
		{ "image/x-ms-bmp", AV_CODEC_ID_BMP },
		{ "image/tiff", AV_CODEC_ID_TIFF },
		{ "image/x-tga", AV_CODEC_ID_TARGA },
		{ "image/x-portable-bitmap", AV_CODEC_ID_PBM },
		{ "image/x-portable-greymap", AV_CODEC_ID_PGM },
		{ "image/x-portable-graymap", AV_CODEC_ID_PGM },
		{ "image/x-portable-pixmap", AV_CODEC_ID_PPM },
		{ "image/x-portable-arbitrarymap", AV_CODEC_ID_PAM },
		{ "image/vnd.adobe.photoshop", AV_CODEC_ID_PSD },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].mime, mime) == 0)
			return rows[i].codec;
	return AV_CODEC_ID_NONE;
}

static int read_file(const struct channel *channel, AVPacket *packet)
{
	ssize_t n;

	if (channel->size > FILE_MAX)
		return -EFBIG;
	if (av_new_packet(packet, (int)channel->size) < 0)
		return -ENOMEM;
	n = channel_read(channel, 0, packet->data, (size_t)channel->size);
	if (n < 0)
		return (int)n;
	av_shrink_packet(packet, (int)n);
	packet->flags |= AV_PKT_FLAG_KEY;
	return 0;
}

/* How often it can be halved and stay large enough. */
static int halvings(uint32_t width, uint32_t height, int enough)
{
	uint32_t side = width > height ? width : height;
	int n = 0;

	for (; side / 2 >= (uint32_t)enough; side /= 2)
		n++;
	return n;
}

int image_decode(const struct channel *channel, enum AVCodecID codec, uint32_t width, uint32_t height,
		 int enough, AVFrame **ret)
{
	AUTO(decoder) AVCodecContext *decoder = NULL;
	AUTO(packet) AVPacket *packet = av_packet_alloc();
	AUTO(frame) AVFrame *frame = av_frame_alloc();
	int r = packet && frame && (uint64_t)width * height <= CONTAINER_PIXELS_MAX ? 0 : -ENOMEM;

	if (r == 0)
		r = read_file(channel, packet);
	if (r == 0)
		r = container_open_image_decoder(codec, halvings(width, height, enough), &decoder);
	if (r < 0)
		return r;
	r = avcodec_send_packet(decoder, packet);
	if (r == 0)
		(void)avcodec_send_packet(decoder, NULL);
	if (r == 0)
		r = avcodec_receive_frame(decoder, frame);
	if (r < 0)
		return container_errno(r);
	*ret = TAKE(frame);
	return 0;
}

void image_fit(const AVFrame *frame, AVRational pixel, int box, int *ret_width, int *ret_height)
{
	double width = frame->width, height = frame->height;
	const double shape = pixel.num > 0 && pixel.den > 0 ? av_q2d(pixel) : 1;
	double larger;

	if (shape > 1 && shape < 10)
		width *= shape;
	else if (shape < 1 && shape > 0.1)
		height /= shape;
	larger = width > height ? width : height;
	if (larger > box) {
		width *= box / larger;
		height *= box / larger;
	}
	*ret_width = width < 1 ? 1 : (int)lround(width);
	*ret_height = height < 1 ? 1 : (int)lround(height);
}

static bool is_full_range(const AVFrame *frame)
{
	switch (frame->format) {
	case AV_PIX_FMT_YUVJ411P:
	case AV_PIX_FMT_YUVJ420P:
	case AV_PIX_FMT_YUVJ422P:
	case AV_PIX_FMT_YUVJ440P:
	case AV_PIX_FMT_YUVJ444P:
		return true;
	default:
		return frame->color_range == AVCOL_RANGE_JPEG;
	}
}

static int new_frame(int width, int height, int format, AVFrame **ret)
{
	AUTO(frame) AVFrame *frame = av_frame_alloc();

	if (!frame)
		return -ENOMEM;
	frame->width = width;
	frame->height = height;
	frame->format = format;
	frame->color_range = is_full_range(frame) ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
	if (av_frame_get_buffer(frame, 0) < 0)
		return -ENOMEM;
	*ret = TAKE(frame);
	return 0;
}

int image_scale(const AVFrame *frame, int width, int height, enum AVPixelFormat format, AVFrame **ret)
{
	AUTO(frame) AVFrame *to = NULL;
	struct SwsContext *scaler;
	int r = new_frame(width, height, format, &to);

	if (r < 0)
		return r;
	if (!sws_isSupportedInput(frame->format))
		return -ENOTSUP;
	scaler = sws_getContext(frame->width, frame->height, frame->format, width, height, format, SWS_AREA,
				NULL, NULL, NULL);
	if (!scaler)
		return -ENOMEM;
	/* Fails for what has no range, such as RGB on both sides, where it does not matter. */
	(void)sws_setColorspaceDetails(scaler, sws_getCoefficients((int)frame->colorspace),
				       is_full_range(frame), sws_getCoefficients(SWS_CS_ITU601),
				       is_full_range(to), 0, 1 << 16, 1 << 16);
	r = sws_scale(scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height,
		      to->data, to->linesize);
	sws_freeContext(scaler);
	if (r < 0)
		return -ENOTSUP;
	*ret = TAKE(to);
	return 0;
}

struct plane {
	const uint8_t *bytes;
	int width, height, line;
};

/* Where the byte that is shown at (x, y) is stored. `width` and `height` are those stored. */
static const uint8_t *stored_at(const struct plane *plane, int orientation, int x, int y)
{
	const int right = plane->width - 1, bottom = plane->height - 1;

	switch (orientation) {
	case 2:
		x = right - x;
		break;
	case 3:
		x = right - x;
		y = bottom - y;
		break;
	case 4:
		y = bottom - y;
		break;
	case 5: /* mirrored at the diagonal */
		return plane->bytes + (ptrdiff_t)x * plane->line + y;
	case 6:
		return plane->bytes + (ptrdiff_t)(bottom - x) * plane->line + y;
	case 7:
		return plane->bytes + (ptrdiff_t)(bottom - x) * plane->line + (right - y);
	case 8:
		return plane->bytes + (ptrdiff_t)x * plane->line + (right - y);
	default:
		break;
	}
	return plane->bytes + (ptrdiff_t)y * plane->line + x;
}

int image_turn(AVFrame **frame, int orientation)
{
	const AVPixFmtDescriptor *format = av_pix_fmt_desc_get((*frame)->format);
	const bool turned = orientation > 4;
	AUTO(frame) AVFrame *to = NULL;
	const AVFrame *from = *frame;
	int r;

	if (orientation <= 1 || orientation > 8)
		return 0;
	r = new_frame(turned ? from->height : from->width, turned ? from->width : from->height, from->format,
		      &to);
	if (r < 0)
		return r;
	for (int i = 0; i < format->nb_components; i++) {
		const int shift_x = i ? format->log2_chroma_w : 0, shift_y = i ? format->log2_chroma_h : 0;
		const struct plane plane = { from->data[i], AV_CEIL_RSHIFT(from->width, shift_x),
					     AV_CEIL_RSHIFT(from->height, shift_y), from->linesize[i] };
		const int width = turned ? plane.height : plane.width,
			  height = turned ? plane.width : plane.height;

		for (int y = 0; y < height; y++)
			for (int x = 0; x < width; x++)
				to->data[i][(ptrdiff_t)y * to->linesize[i] + x] =
					*stored_at(&plane, orientation, x, y);
	}
	to->pts = from->pts;
	av_frame_free(frame);
	*frame = TAKE(to);
	return 0;
}
