/* container.h - a media file opened by libavformat through the channel.
 *
 * Only demuxers and decoders on a list; no protocol, and nothing else is opened on a file's behalf: a playlist or a
 * reference to another file leads nowhere. Everything runs on the calling thread. */
#ifndef VAULTFS_INDEXER_CONTAINER_H
#define VAULTFS_INDEXER_CONTAINER_H

#include "channel.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#define CONTAINER_PIXELS_MAX (INT64_C(256) << 20) /* of one picture; the memory limit mostly says no before */

struct container {
	AVFormatContext *format;
	AVIOContext *io;
	AVStream *video; /* the best one that moves; NULL: none */
	AVStream *audio; /* the best one; NULL: none */
	AVStream *cover; /* a picture that goes with the sound; NULL: none */
};

/* Have libavformat and libavcodec build their tables now, and be quiet. */
void container_prepare(void);

/* Open the file of `channel`, which must outlast the container, and find out about its streams. `mime` is a hint.
 *   Ownership  *ret is closed by container_close().
 *   Errors     -ENOTSUP nothing we know; -EFBIG, -ENOMEM, -EBADMSG damaged. */
int container_open(const struct channel *channel, const char *mime, struct container **ret);

void container_close(struct container *container);

/* Open the decoder of `stream`, on this thread, at 1 / 2^`lowres` of its size where the codec can.
 *   Errors  -ENOTSUP a codec that we do not look at; -ENOMEM; -EBADMSG. */
int container_open_decoder(const AVStream *stream, int lowres, AVCodecContext **ret);

/* The decoder for pictures in files of their own. `id` must be on the list. Errors as above. */
int container_open_image_decoder(enum AVCodecID id, int lowres, AVCodecContext **ret);

/* Go to the last key frame of the video at or before `at`, in units of AV_TIME_BASE from its start. That and what is read
 * till the next call may read `bytes` of the file, so that one without an index does not use up what the caller gives
 * before its beginning was tried. 0, or -EBADMSG. */
int container_seek(const struct container *container, int64_t at, uint64_t bytes);

/* The next frame of `stream` from `decoder`: 1 and `frame`; 0 at the end; -EFBIG, -ENOMEM, -EBADMSG, -ETIMEDOUT: too many
 * packets for one frame. */
int container_next_frame(const struct container *container, const AVStream *stream, AVCodecContext *decoder,
			 AVFrame *frame);

/* As it is to be shown: 1 to 8, as EXIF counts them. */
int container_orientation(const AVStream *stream);

/* The errno for what libav says. */
int container_errno(int averror);

static inline void auto_container(struct container **container)
{
	container_close(*container);
}

static inline void auto_decoder(AVCodecContext **decoder)
{
	avcodec_free_context(decoder);
}

static inline void auto_frame(AVFrame **frame)
{
	av_frame_free(frame);
}

static inline void auto_packet(AVPacket **packet)
{
	av_packet_free(packet);
}

#endif
