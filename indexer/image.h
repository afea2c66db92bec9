/* image.h - frames: a still picture decoded, a frame made smaller, a frame turned. */
#ifndef VAULTFS_INDEXER_IMAGE_H
#define VAULTFS_INDEXER_IMAGE_H

#include "container.h"

/* The codec of a file that is nothing but a picture of this type; AV_CODEC_ID_NONE: a container, or not known. */
enum AVCodecID image_codec(const char *mime);

/* Decode the whole file as a picture. Where its size is known (`width`, `height`, else 0) and the codec can, it comes
 * smaller, but at least `enough` wide or high.
 *   Ownership  *ret is the caller's.  Errors as in container.h. */
int image_decode(const struct channel *channel, enum AVCodecID codec, uint32_t width, uint32_t height,
		   int enough, AVFrame **ret);

/* The size of `frame` as shown, with pixels that are not square made so, within `box` x `box`; never larger than it is. */
void image_fit(const AVFrame *frame, AVRational pixel, int box, int *ret_width, int *ret_height);

/* Make it `width` x `height` of `format` (whose range is the JPEG one for the yuvj formats).
 *   Ownership  *ret is the caller's.  Errors  -ENOMEM, -ENOTSUP. */
int image_scale(const AVFrame *frame, int width, int height, enum AVPixelFormat format, AVFrame **ret);

/* Turn a frame of planes of bytes as EXIF's `orientation` asks. `*frame` is replaced.  -ENOMEM. */
int image_turn(AVFrame **frame, int orientation);

#endif
