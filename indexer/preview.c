/* preview.c - decodes stretches of a video and encodes them as clips. See preview.h. */
#include "preview.h"
#include "image.h"

#include "auto.h"

#include <errno.h>
#include <libavutil/opt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIDE 320
#define RATE 15
#define CLIP_SECONDS 2
#define CLIP_FRAMES (CLIP_SECONDS * RATE)
#define SECONDS_A_CLIP 4              /* of the video, at least */
#define SECONDS_MAX 45                /* for all clips: less than the caller waits */
#define READ_MAX (UINT64_C(96) << 20) /* for each clip */
#define IO_BUFFER_SIZE 4096
#define FRAMES_DECODED_MAX 6000 /* for one clip: a damaged or odd file shall not have us read to its end */

/* ---- a file in memory ---- */

struct memory {
	uint8_t *bytes; /* HELPER_PREVIEW_MAX of them */
	size_t size, at;
};

static int write_memory(void *opaque, uint8_t *bytes, int n)
{
	struct memory *memory = opaque;

	if (memory->at > HELPER_PREVIEW_MAX || (size_t)n > HELPER_PREVIEW_MAX - memory->at)
		return AVERROR(EFBIG);
	memcpy(memory->bytes + memory->at, bytes, (size_t)n);
	memory->at += (size_t)n;
	if (memory->size < memory->at)
		memory->size = memory->at;
	return n;
}

static int64_t seek_memory(void *opaque, int64_t offset, int whence)
{
	struct memory *memory = opaque;

	if ((whence & ~AVSEEK_FORCE) == AVSEEK_SIZE)
		return (int64_t)memory->size;
	if ((whence & ~AVSEEK_FORCE) != SEEK_SET || offset < 0 || offset > HELPER_PREVIEW_MAX)
		return AVERROR(EINVAL);
	memory->at = (size_t)offset;
	return offset;
}

/* A reader of the same memory with a place of its own: with it the muxer moves the index to the front. */
struct second_reader {
	const struct memory *memory;
	size_t at;
};

static int read_again(void *opaque, uint8_t *bytes, int n)
{
	struct second_reader *reader = opaque;
	const size_t left = reader->memory->size > reader->at ? reader->memory->size - reader->at : 0;
	const size_t taken = (size_t)n < left ? (size_t)n : left;

	if (taken == 0)
		return AVERROR_EOF;
	memcpy(bytes, reader->memory->bytes + reader->at, taken);
	reader->at += taken;
	return (int)taken;
}

static int64_t seek_again(void *opaque, int64_t offset, int whence)
{
	struct second_reader *reader = opaque;

	if ((whence & ~AVSEEK_FORCE) == AVSEEK_SIZE)
		return (int64_t)reader->memory->size;
	if ((whence & ~AVSEEK_FORCE) != SEEK_SET || offset < 0 || offset > HELPER_PREVIEW_MAX)
		return AVERROR(EINVAL);
	reader->at = (size_t)offset;
	return offset;
}

static AVIOContext *open_io(void *opaque, bool writes)
{
	uint8_t *buffer = av_malloc(IO_BUFFER_SIZE);
	AVIOContext *io = buffer ? avio_alloc_context(
					   buffer, IO_BUFFER_SIZE, writes, opaque, writes ? NULL : read_again,
					   writes ? write_memory : NULL, writes ? seek_memory : seek_again)
				 : NULL;

	if (!io)
		av_free(buffer);
	return io;
}

static void free_io(AVIOContext *io)
{
	if (!io)
		return;
	av_freep(&io->buffer);
	avio_context_free(&io);
}

static int open_again(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
		      AVDictionary **options)
{
	struct second_reader *reader = calloc(1, sizeof(*reader));

	(void)url;
	(void)options;
	if (!reader || (flags & AVIO_FLAG_WRITE)) {
		free(reader);
		return AVERROR(EACCES);
	}
	reader->memory = format->pb->opaque;
	*io = open_io(reader, false);
	if (*io)
		return 0;
	free(reader);
	return AVERROR(ENOMEM);
}

static int close_again(AVFormatContext *format, AVIOContext *io)
{
	(void)format;
	free(io->opaque);
	free_io(io);
	return 0;
}

/* ---- one clip ---- */

struct clip {
	struct memory memory;
	AVIOContext *io;
	AVFormatContext *format;
	AVStream *stream;
	AVCodecContext *encoder;
	AVPacket *packet;
	int64_t last;    /* the place of the last frame, in 1 / RATE s; -1: none */
	int64_t spacing; /* of the last two: how long the last one is shown */
};

static void clip_release(struct clip *clip)
{
	av_packet_free(&clip->packet);
	avcodec_free_context(&clip->encoder);
	avformat_free_context(clip->format);
	free_io(clip->io);
	free(clip->memory.bytes);
}

static inline void auto_clip(struct clip *clip)
{
	clip_release(clip);
}

static int open_encoder(struct clip *clip, const AVFrame *frame)
{
	const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
	AVDictionary *options = NULL;
	AVCodecContext *encoder;
	int r;

	if (!codec)
		codec = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
	if (!codec)
		return -ENOTSUP;
	clip->encoder = encoder = avcodec_alloc_context3(codec);
	if (!encoder)
		return -ENOMEM;
	encoder->width = frame->width;
	encoder->height = frame->height;
	encoder->pix_fmt = AV_PIX_FMT_YUV420P;
	encoder->time_base = (AVRational){ 1, RATE };
	encoder->framerate = (AVRational){ RATE, 1 };
	encoder->gop_size = CLIP_FRAMES;
	encoder->thread_count = 1;
	encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
	if (codec->id == AV_CODEC_ID_MPEG4) {
		encoder->flags |= AV_CODEC_FLAG_QSCALE;
		encoder->global_quality = FF_QP2LAMBDA * 6;
	}
	(void)av_dict_set(&options, "preset", "veryfast", 0);
	(void)av_dict_set(&options, "crf", "30", 0);
	r = avcodec_open2(encoder, codec, &options);
	av_dict_free(&options);
	return r < 0 ? -ENOTSUP : 0;
}

static int open_muxer(struct clip *clip)
{
	AVDictionary *options = NULL;
	int r;

	clip->memory.bytes = malloc(HELPER_PREVIEW_MAX);
	clip->packet = av_packet_alloc();
	clip->io = clip->memory.bytes ? open_io(&clip->memory, true) : NULL;
	if (!clip->packet || !clip->io ||
	    avformat_alloc_output_context2(&clip->format, NULL, "mp4", "clip") < 0)
		return -ENOMEM;
	clip->format->pb = clip->io;
	clip->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
	clip->format->io_open = open_again;
	clip->format->io_close2 = close_again;
	clip->stream = avformat_new_stream(clip->format, NULL);
	if (!clip->stream || avcodec_parameters_from_context(clip->stream->codecpar, clip->encoder) < 0)
		return -ENOMEM;
	clip->stream->time_base = clip->encoder->time_base;
	clip->stream->avg_frame_rate = clip->encoder->framerate;
	(void)av_dict_set(&options, "movflags", "+faststart", 0);
	r = avformat_write_header(clip->format, &options);
	av_dict_free(&options);
	return r < 0 ? -ENOTSUP : 0;
}

/* `frame` NULL: the end. */
static int encode(struct clip *clip, const AVFrame *frame)
{
	int r = avcodec_send_frame(clip->encoder, frame);

	while (r >= 0) {
		r = avcodec_receive_packet(clip->encoder, clip->packet);
		if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
			return 0;
		if (r < 0)
			break;
		clip->packet->duration = clip->spacing;
		av_packet_rescale_ts(clip->packet, clip->encoder->time_base, clip->stream->time_base);
		clip->packet->stream_index = 0;
		r = av_write_frame(clip->format, clip->packet);
		av_packet_unref(clip->packet);
	}
	return r == AVERROR(ENOMEM) ? -ENOMEM : -EFBIG; /* the memory of a clip is full */
}

/* Even sides, as 4:2:0 wants them. */
static int make_small(const struct container *container, AVFrame *frame, AVFrame **ret)
{
	const AVRational pixel = av_guess_sample_aspect_ratio(container->format, container->video, frame);
	int width, height, r;

	image_fit(frame, pixel, SIDE, &width, &height);
	r = image_scale(frame, (width + 1) & ~1, (height + 1) & ~1, AV_PIX_FMT_YUV420P, ret);
	return r < 0 ? r : image_turn(ret, container_orientation(container->video));
}

/* The frame shown `at` frames of the clip after its start. The first one says how large the clip is. */
static int clip_add(struct clip *clip, const struct container *container, AVFrame *frame, int64_t at)
{
	AUTO(frame) AVFrame *small = NULL;
	int r = make_small(container, frame, &small);

	if (r == 0 && !clip->encoder)
		r = open_encoder(clip, small);
	if (r == 0 && !clip->format)
		r = open_muxer(clip);
	if (r == 0 && (small->width != clip->encoder->width || small->height != clip->encoder->height))
		return 0; /* the video changes its size on the way: such frames are left out */
	if (r < 0)
		return r;
	small->pts = at;
	clip->spacing = clip->last < 0 ? 1 : at - clip->last;
	clip->last = at;
	return encode(clip, small);
}

static int clip_end(struct clip *clip)
{
	int r = encode(clip, NULL);

	if (r == 0 && av_write_trailer(clip->format) < 0)
		r = -ENOMEM;
	avio_flush(clip->io);
	return r;
}

/* ---- all of them ---- */

struct previews {
	const struct channel *channel;
	struct container *container;
	AVCodecContext *decoder;
	AVFrame *frame;
	double end; /* where the last clip ended, seconds from the start of the video */
	time_t until;
};

static time_t now_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return now.tv_sec;
}

/* Seconds from the start of the video; negative: not said. */
static double time_of(const struct previews *previews)
{
	const struct container *container = previews->container;
	const int64_t start =
		container->format->start_time != AV_NOPTS_VALUE ? container->format->start_time : 0;

	if (previews->frame->best_effort_timestamp == AV_NOPTS_VALUE)
		return -1;
	return (double)previews->frame->best_effort_timestamp * av_q2d(container->video->time_base) -
	       (double)start / AV_TIME_BASE;
}

/* From the key frame before `start` (or from `start`, if that one was in the last clip) for CLIP_SECONDS. */
static int fill_clip(struct previews *previews, struct clip *clip, double start)
{
	double begin = -1;
	int r = 0;

	for (int n = 0; n < FRAMES_DECODED_MAX && clip->last < CLIP_FRAMES - 1; n++) {
		double time;
		int64_t at;

		if (now_seconds() >= previews->until)
			return -ETIMEDOUT;
		r = container_next_frame(previews->container, previews->container->video, previews->decoder,
					 previews->frame);
		if (r <= 0)
			break;
		time = time_of(previews);
		if (time < 0) /* none is told: they follow each other evenly, slowly enough for the eye */
			time = begin < 0 ? start : begin + (double)(clip->last + 1) / RATE;
		if (begin < 0 && time < previews->end && time < start)
			continue;
		if (begin < 0)
			begin = time;
		at = (int64_t)((time - begin) * RATE + 0.001);
		if (at <= clip->last || at >= CLIP_FRAMES) {
			if (at >= CLIP_FRAMES)
				break;
			continue;
		}
		r = clip_add(clip, previews->container, previews->frame, at);
		if (r < 0)
			return r;
	}
	previews->end = begin + CLIP_SECONDS;
	return clip->last >= 0 ? 0 : r < 0 ? r : -ENODATA;
}

static int send_clip(struct previews *previews, double start)
{
	AUTO(clip) struct clip clip = { .last = -1 };
	int r = container_seek(previews->container, (int64_t)(start * AV_TIME_BASE), READ_MAX);

	if (r < 0 && start > 0)
		return r;
	avcodec_flush_buffers(previews->decoder);
	r = fill_clip(previews, &clip, start);
	if (r == 0)
		r = clip_end(&clip);
	if (r < 0)
		return r;
	channel_send(previews->channel, FRAME_PREVIEW, clip.memory.bytes, clip.memory.size);
	return 0;
}

static int send_clips(struct previews *previews)
{
	const AVFormatContext *format = previews->container->format;
	const double duration = format->duration > 0 ? (double)format->duration / AV_TIME_BASE : 0;
	const int wished = (int)(duration / SECONDS_A_CLIP > HELPER_N_PREVIEWS ? HELPER_N_PREVIEWS
									       : duration / SECONDS_A_CLIP);
	const int n = wished > 1 ? wished : 1;
	int sent = 0, r = 0;

	for (int i = 0; i < n; i++) {
		const double start = duration * (i + 0.5) / n - CLIP_SECONDS / 2.0;
		const int got = send_clip(previews, start > 0 ? start : 0);

		sent += got == 0;
		if (got < 0 && (r == 0 || got == -ETIMEDOUT))
			r = got;
		if (got == -ETIMEDOUT || got == -EFBIG || got == -ENOMEM)
			break;
	}
	return sent > 0 ? 0 : r;
}

int preview_send(const struct channel *channel, struct container *container)
{
	AUTO(decoder) AVCodecContext *decoder = NULL;
	AUTO(frame) AVFrame *frame = av_frame_alloc();
	struct previews previews = { .channel = channel,
				     .container = container,
				     .frame = frame,
				     .end = 0,
				     .until = now_seconds() + SECONDS_MAX };
	const AVCodecParameters *codec = container->video->codecpar;
	int r = frame ? container_open_decoder(container->video, 0, &decoder) : -ENOMEM;

	if (r < 0)
		return r;
	decoder->skip_loop_filter = AVDISCARD_ALL;
	if ((int64_t)codec->width * codec->height > 1920 * 1088)
		decoder->skip_frame = AVDISCARD_NONREF;
	previews.decoder = decoder;
	return send_clips(&previews);
}
