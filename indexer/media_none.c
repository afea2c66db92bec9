/* media_none.c - a build without libavformat: no media is looked into. See media.h. */
#include "media.h"

#include <errno.h>

void media_prepare(void)
{
}

int media_open(const struct channel *channel, const char *mime, uint32_t width, uint32_t height,
	       struct media **ret)
{
	(void)channel;
	(void)mime;
	(void)width;
	(void)height;
	(void)ret;
	return -ENOTSUP;
}

void media_close(struct media *media)
{
	(void)media;
}

int media_describe(struct media *media, json_t *object, struct media_numbers *numbers)
{
	(void)media;
	(void)object;
	(void)numbers;
	return -ENOTSUP;
}

int media_thumbnail(struct media *media, int orientation, void **ret, size_t *ret_size)
{
	(void)media;
	(void)orientation;
	(void)ret;
	(void)ret_size;
	return -ENOTSUP;
}

int media_send_previews(struct media *media)
{
	(void)media;
	return -ENOTSUP;
}
