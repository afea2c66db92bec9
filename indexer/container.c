/* container.c - libavformat over the channel, with lists of what may be used. See container.h. */
#include "container.h"

#include "auto.h"

#include <errno.h>
#include <libavutil/avstring.h>
#include <libavutil/display.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IO_BUFFER_SIZE (64 << 10)
#define N_STREAMS_MAX 64
#define PACKETS_A_FRAME_MAX 2000 /* read for one frame, of all streams: then it takes too long */

/* What people keep. Not on it: playlists (HLS, DASH, concat), descriptions that name other files (image2, SDP), devices,
 * and formats of games and of stations. */
static const char demuxers[] =
	"mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,m4v,h264,hevc,asf,ogg,mp3,flac,wav,w64,"
	"aiff,aac,ac3,eac3,ape,wv,tta,amr,au,caf,dv,rm,ivf,gif,apng,ico";

static const char decoders[] =
	"h264,hevc,libdav1d,libaom-av1,av1,vp8,vp9,libvpx-vp9,mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4,h263,flv,mpeg1video,"
	"mpeg2video,mjpeg,theora,wmv1,wmv2,wmv3,vc1,vp6,vp6f,vp6a,rv30,rv40,prores,dnxhd,dvvideo,ffv1,huffyuv,cinepak,"
	"svq3,png,apng,gif,webp,bmp,tiff,targa,pbm,pgm,ppm,pam,psd,qoi,aac,mp3float,mp3,mp2float,mp2,flac,alac,vorbis,"
	"opus,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_u8,pcm_s8,pcm_f32le,pcm_f64le,pcm_alaw,"
	"pcm_mulaw,wmav1,wmav2,wmapro,ac3,eac3,dca,amrnb,amrwb,ape,wavpack,tta,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,cook";

struct reader {
	const struct channel *channel;
	uint64_t at;
	uint64_t left; /* bytes that may still be read */
	int error;     /* the last one */
};

int container_errno(int averror)
{
	switch (averror) {
	case AVERROR(ENOMEM):
		return -ENOMEM;
	case AVERROR(EFBIG):
		return -EFBIG;
	case AVERROR_DECODER_NOT_FOUND:
	case AVERROR_DEMUXER_NOT_FOUND:
	case AVERROR_PATCHWELCOME:
	case AVERROR(ENOSYS):
		return -ENOTSUP;
	default:
		return -EBADMSG;
	}
}

void container_prepare(void)
{
	av_log_set_level(AV_LOG_QUIET);
	(void)av_codec_iterate(&(void *){ NULL });
	(void)av_demuxer_iterate(&(void *){ NULL });
	(void)avcodec_find_decoder(AV_CODEC_ID_H264);
}

static int read_packet(void *opaque, uint8_t *buffer, int size)
{
	struct reader *reader = opaque;
	const ssize_t n = reader->left < (uint64_t)size
				  ? -EFBIG
				  : channel_read(reader->channel, reader->at, buffer, (size_t)size);

	if (n == 0)
		return AVERROR_EOF;
	if (n < 0) {
		reader->error = (int)n;
		return AVERROR((int)-n);
	}
	reader->at += (uint64_t)n;
	reader->left -= (uint64_t)n;
	return (int)n;
}

static int64_t seek(void *opaque, int64_t offset, int whence)
{
	struct reader *reader = opaque;
	const int64_t size = reader->channel->size > INT64_MAX ? INT64_MAX : (int64_t)reader->channel->size;
	int64_t base = 0;

	whence &= ~AVSEEK_FORCE;
	if (whence == AVSEEK_SIZE)
		return size;
	if (whence == SEEK_CUR)
		base = (int64_t)reader->at;
	else if (whence == SEEK_END)
		base = size;
	else if (whence != SEEK_SET)
		return AVERROR(EINVAL);
	if (__builtin_add_overflow(base, offset, &base) || base < 0)
		return AVERROR(EINVAL);
	reader->at = (uint64_t)base;
	return base;
}

static int refuse_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
		       AVDictionary **options)
{
	(void)format;
	(void)io;
	(void)url;
	(void)flags;
	(void)options;
	return AVERROR(EACCES);
}

static int open_io(struct container *container, const struct channel *channel)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	uint8_t *buffer = av_malloc(IO_BUFFER_SIZE);

	if (reader && buffer) {
		reader->channel = channel;
		reader->left = UINT64_MAX; /* the caller has a bound of its own */
		container->io =
			avio_alloc_context(buffer, IO_BUFFER_SIZE, 0, reader, read_packet, NULL, seek);
	}
	if (container->io)
		return 0;
	av_free(buffer);
	free(reader);
	return -ENOMEM;
}

static void choose_streams(struct container *container)
{
	const AVFormatContext *format = container->format;
	const int audio = av_find_best_stream(container->format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);

	container->audio = audio >= 0 ? format->streams[audio] : NULL;
	for (unsigned i = 0; i < format->nb_streams; i++) {
		AVStream *stream = format->streams[i];

		if (stream->codecpar->codec_type != AVMEDIA_TYPE_VIDEO)
			continue;
		if (stream->disposition & AV_DISPOSITION_ATTACHED_PIC)
			container->cover = container->cover ? container->cover : stream;
		else if (!container->video || (!(container->video->disposition & AV_DISPOSITION_DEFAULT) &&
					       (stream->disposition & AV_DISPOSITION_DEFAULT)))
			container->video = stream;
	}
}

/* Which of our demuxers reads this; NULL: none. The name's end is for sound behind a large cover, which the probe does not
 * come to see. */
static const AVInputFormat *find_demuxer(struct container *container, const char *mime, const char *extension)
{
	const AVInputFormat *demuxer = NULL;
	char name[HELPER_EXTENSION_MAX + 8];

	if (strcmp(mime, "audio/mpeg") == 0)
		extension = "mp3";
	(void)snprintf(name, sizeof(name), "name.%s", extension);
	if (av_probe_input_buffer2(container->io, &demuxer, name, NULL, 0, 0) < 0 || !demuxer)
		return NULL;
	return av_match_list(demuxer->name, demuxers, ',') ? demuxer : NULL;
}

static int open_format(struct container *container, const char *mime)
{
	const struct reader *reader = container->io->opaque;
	const AVInputFormat *demuxer = find_demuxer(container, mime, reader->channel->extension);
	AVFormatContext *format = demuxer ? avformat_alloc_context() : NULL;
	int r;

	if (!demuxer)
		return reader->error ? reader->error : -ENOTSUP;
	if (!format)
		return -ENOMEM;
	format->pb = container->io;
	format->io_open = refuse_open;
	format->flags |= AVFMT_FLAG_CUSTOM_IO;
	format->max_streams = N_STREAMS_MAX;
	format->format_whitelist = av_strdup(demuxers);
	format->codec_whitelist = av_strdup(decoders);
	format->protocol_whitelist = av_strdup("none"); /* an empty list would be no list */
	if (!format->format_whitelist || !format->codec_whitelist || !format->protocol_whitelist) {
		avformat_free_context(format);
		return -ENOMEM;
	}
	r = avformat_open_input(&format, "", demuxer, NULL); /* frees it when it fails */
	if (r < 0)
		return reader->error ? reader->error : container_errno(r);
	container->format = format;
	r = avformat_find_stream_info(format, NULL);
	return r < 0 ? (reader->error ? reader->error : container_errno(r)) : 0;
}

int container_open(const struct channel *channel, const char *mime, struct container **ret)
{
	AUTO(container) struct container *container = calloc(1, sizeof(*container));
	int r = container ? open_io(container, channel) : -ENOMEM;

	if (r == 0)
		r = open_format(container, mime);
	if (r < 0)
		return r;
	choose_streams(container);
	*ret = TAKE(container);
	return 0;
}

void container_close(struct container *container)
{
	if (!container)
		return;
	avformat_close_input(&container->format);
	if (container->io) {
		free(container->io->opaque);
		av_freep(&container->io->buffer);
		avio_context_free(&container->io);
	}
	free(container);
}

/* ---- decoding ---- */

static int open_decoder(enum AVCodecID id, const AVCodecParameters *parameters, int lowres,
			AVCodecContext **ret)
{
	const AVCodec *codec = avcodec_find_decoder(id);
	AUTO(decoder) AVCodecContext *decoder = codec ? avcodec_alloc_context3(codec) : NULL;
	int r;

	if (!codec)
		return -ENOTSUP;
	if (!decoder || (parameters && avcodec_parameters_to_context(decoder, parameters) < 0))
		return -ENOMEM;
	decoder->thread_count = 1;
	decoder->max_pixels = CONTAINER_PIXELS_MAX;
	decoder->lowres = lowres < codec->max_lowres ? lowres : codec->max_lowres;
	decoder->codec_whitelist = av_strdup(decoders);
	if (!decoder->codec_whitelist)
		return -ENOMEM;
	r = avcodec_open2(decoder, codec, NULL);
	if (r < 0)
		return r == AVERROR(EINVAL) ? -ENOTSUP : container_errno(r);
	*ret = TAKE(decoder);
	return 0;
}

int container_open_decoder(const AVStream *stream, int lowres, AVCodecContext **ret)
{
	const int r = open_decoder(stream->codecpar->codec_id, stream->codecpar, lowres, ret);

	if (r == 0)
		(*ret)->pkt_timebase = stream->time_base;
	return r;
}

int container_open_image_decoder(enum AVCodecID id, int lowres, AVCodecContext **ret)
{
	return open_decoder(id, NULL, lowres, ret);
}

int container_seek(const struct container *container, int64_t at, uint64_t bytes)
{
	AVFormatContext *format = container->format;
	struct reader *reader = container->io->opaque;
	const int64_t start = format->start_time != AV_NOPTS_VALUE ? format->start_time : 0;
	const int64_t target = av_rescale_q(start + at, AV_TIME_BASE_Q, container->video->time_base);

	reader->left = bytes;
	reader->error = 0;
	container->io->error = 0;
	return av_seek_frame(format, container->video->index, target, AVSEEK_FLAG_BACKWARD) < 0 ? -EBADMSG
												: 0;
}

/* Feed the decoder the next packet of its stream, or the end. */
static int feed(const struct container *container, const AVStream *stream, AVCodecContext *decoder,
		AVPacket *packet, int *n_left)
{
	const struct reader *reader = container->io->opaque;
	int r;

	while ((*n_left)-- > 0) {
		r = av_read_frame(container->format, packet);
		if (r < 0)
			return reader->error                            ? reader->error
			       : avcodec_send_packet(decoder, NULL) < 0 ? -EBADMSG
									: 0;
		if (packet->stream_index == stream->index) {
			r = avcodec_send_packet(decoder, packet);
			av_packet_unref(packet);
			/* A damaged packet is passed over: what follows a bad place can still be good. */
			return r == AVERROR(ENOMEM) ? -ENOMEM : 0;
		}
		av_packet_unref(packet);
	}
	return -ETIMEDOUT;
}

int container_next_frame(const struct container *container, const AVStream *stream, AVCodecContext *decoder,
			 AVFrame *frame)
{
	AUTO(packet) AVPacket *packet = av_packet_alloc();
	int n_left = PACKETS_A_FRAME_MAX;
	int r = packet ? 0 : -ENOMEM;

	while (r == 0) {
		const int got = avcodec_receive_frame(decoder, frame);

		if (got == 0)
			return 1;
		if (got == AVERROR_EOF)
			return 0;
		if (got == AVERROR(ENOMEM))
			return -ENOMEM;
		r = feed(container, stream, decoder, packet, &n_left);
	}
	return r;
}

int container_orientation(const AVStream *stream)
{
	static const int by_quarter[] = { 1, 8, 3, 6 }; /* turned counterclockwise so often */
	const int32_t *matrix = (const int32_t *)(const void *)av_stream_get_side_data(
		stream, AV_PKT_DATA_DISPLAYMATRIX, NULL);
	double angle;

	if (!matrix)
		return 1;
	angle = av_display_rotation_get(matrix);
	if (isnan(angle))
		return 1;
	return by_quarter[(lround(angle / 90) + 4) % 4];
}
