/* inspect.c - the stages of an inspection: the type by libmagic, then what files of that type can have. See inspect.h. */
#include "inspect.h"
#include "channel.h"
#include "describe.h"
#include "text.h"

#include "auto.h"

#include <errno.h>
#include <magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct inspector {
	magic_t magic;
};

/* Half or less of the defaults: they bound how long a crafted file keeps us busy, and no honest file comes near. */
static void lower_limits(magic_t magic)
{
	static const struct {
		int what;
		size_t value;
	} rows[] = {
		{ MAGIC_PARAM_INDIR_MAX, 16 },
		{ MAGIC_PARAM_NAME_MAX, 30 },
		{ MAGIC_PARAM_ELF_PHNUM_MAX, 256 },
		{ MAGIC_PARAM_ELF_SHNUM_MAX, 1024 },
		{ MAGIC_PARAM_ELF_NOTES_MAX, 64 },
		{ MAGIC_PARAM_REGEX_MAX, 4096 },
		{ MAGIC_PARAM_BYTES_MAX, HELPER_HEAD_SIZE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)magic_setparam(magic, rows[i].what,
				     &rows[i].value); /* an older library keeps its own */
}

struct inspector *inspector_new(void)
{
	struct inspector *inspector = calloc(1, sizeof(*inspector));

	if (!inspector)
		return NULL;
	tzset(); /* reads its file now, while it can */
	inspector->magic = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS);
	if (!inspector->magic || magic_load(inspector->magic, NULL) < 0) {
		if (inspector->magic)
			magic_close(inspector->magic);
		free(inspector);
		return NULL;
	}
	lower_limits(inspector->magic);
	json_object_seed(0); /* reads /dev/urandom, as the first object would */
	media_prepare();
	return inspector;
}

/* What people call it, where the bytes say only that they are bytes, or text. */
static const char *type_by_extension(const char *mime, const char *extension)
{
	static const struct {
		const char *mime, *extension, *better;
	} rows[] = {
		{ "application/octet-stream", "txt", "text/plain" },
		{ "application/octet-stream", "mp3", "audio/mpeg" },
		{ "application/octet-stream", "aac", "audio/aac" },
		{ "application/octet-stream", "ts", "video/mp2t" },
		{ "application/octet-stream", "m2ts", "video/mp2t" },
		{ "application/octet-stream", "mts", "video/mp2t" },
		{ "application/octet-stream", "mpg", "video/mpeg" },
		{ "application/octet-stream", "mpeg", "video/mpeg" },
		{ "application/octet-stream", "vob", "video/mpeg" },
		{ "application/octet-stream", "dv", "video/dv" },
		{ "application/octet-stream", "mp4", "video/mp4" },
		{ "application/octet-stream", "mov", "video/quicktime" },
		{ "text/plain", "md", "text/markdown" },
		{ "text/plain", "csv", "text/csv" },
		{ "text/plain", "srt", "application/x-subrip" },
		{ "text/plain", "vtt", "text/vtt" },
		{ "text/plain", "css", "text/css" },
		{ "text/plain", "js", "text/javascript" },
		{ "text/plain", "json", "application/json" },
		{ "text/plain", "yaml", "application/yaml" },
		{ "text/plain", "yml", "application/yaml" },
		{ "text/plain", "toml", "application/toml" },
		{ "text/plain", "rst", "text/x-rst" },
		{ "text/plain", "tex", "text/x-tex" },
		{ "text/plain", "html", "text/html" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].mime, mime) == 0 && strcmp(rows[i].extension, extension) == 0)
			return rows[i].better;
	return mime;
}

static void tell_type(struct inspector *inspector, const struct channel *channel,
		      char ret[HELPER_MIME_MAX + 1])
{
	AUTO(free) uint8_t *head = malloc(HELPER_HEAD_SIZE);
	const char *mime;
	ssize_t n;

	ret[0] = '\0';
	n = head ? channel_read(channel, 0, head, HELPER_HEAD_SIZE) : -ENOMEM;
	if (n <= 0)
		return;
	mime = magic_buffer(inspector->magic, head, (size_t)n);
	if (!mime || !*mime || strlen(mime) > HELPER_MIME_MAX)
		return;
	mime = type_by_extension(mime, channel->extension);
	(void)strcpy(ret, mime);
	channel_send(channel, FRAME_MIME, mime, strlen(mime));
}

static void tell_text(const struct channel *channel)
{
	AUTO(free) uint8_t *bytes = malloc(HELPER_TEXT_MAX);
	AUTO(free) uint8_t *text = malloc(HELPER_TEXT_MAX);
	ssize_t n = bytes && text ? channel_read(channel, 0, bytes, HELPER_TEXT_MAX) : -ENOMEM;
	size_t size;

	if (n < 0) {
		channel_send_trouble(channel, "text", (int)n);
		return;
	}
	size = text_convert(bytes, (size_t)n, (uint64_t)n == channel->size, text, HELPER_TEXT_MAX);
	if (size > 0)
		channel_send(channel, FRAME_TEXT, text, size);
}

/* ---- media ---- */

/* What the stages about media share; opened by the first of them. */
struct subject {
	const struct channel *channel;
	const char *mime;
	struct media *media;
	int error; /* of opening it */
	struct image_file file;
	struct exif exif;
};

static bool is_media_type(const char *mime)
{
	static const char *const others[] = { "application/ogg", "application/vnd.rn-realmedia",
					      "application/x-matroska", "application/vnd.ms-asf" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(others[i], mime) == 0)
			return true;
	return strncmp(mime, "image/", 6) == 0 || strncmp(mime, "video/", 6) == 0 ||
	       strncmp(mime, "audio/", 6) == 0;
}

static void open_subject(struct subject *subject)
{
	image_file_read(subject->channel, subject->mime, &subject->file);
	exif_read(subject->file.exif, subject->file.exif_size, &subject->exif);
	subject->error = media_open(subject->channel, subject->mime, subject->file.width,
				    subject->file.height, &subject->media);
}

static void close_subject(struct subject *subject)
{
	media_close(subject->media);
	image_file_release(&subject->file);
}

/* A kind that nobody looks into is no trouble, and sound without a cover is none either. */
static void tell_trouble(const struct subject *subject, const char *what, int error)
{
	if (error < 0 && error != -ENOTSUP && error != -ENODATA)
		channel_send_trouble(subject->channel, what, error);
}

static void tell_media(struct subject *subject)
{
	int r = describe_media(subject->channel, subject->media, &subject->file, &subject->exif);

	if (r == 0)
		r = subject->error;
	tell_trouble(subject, "media", r);
}

static void tell_thumbnail(struct subject *subject)
{
	AUTO(free) void *bytes = NULL;
	size_t size = 0;
	const int r = subject->media
			      ? media_thumbnail(subject->media, subject->exif.orientation, &bytes, &size)
			      : subject->error;

	if (r == 0)
		channel_send(subject->channel, FRAME_THUMBNAIL, bytes, size);
	tell_trouble(subject, "thumbnail", r);
}

static void tell_previews(struct subject *subject)
{
	int r = 0;

	if (strncmp(subject->mime, "image/", 6) != 0) /* not of pictures that move a little */
		r = subject->media ? media_send_previews(subject->media) : subject->error;
	tell_trouble(subject, "previews", r);
}

static void tell_about_media(const struct channel *channel, const char *mime)
{
	static const struct {
		enum helper_stage stage;
		void (*tell)(struct subject *subject);
	} rows[] = {
		{ STAGE_MEDIA, tell_media },
		{ STAGE_THUMBNAIL, tell_thumbnail },
		{ STAGE_PREVIEWS, tell_previews },
	};
	struct subject subject = { .channel = channel, .mime = mime };
	bool opened = false;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!(channel->wanted & rows[i].stage))
			continue;
		channel_enter(channel, rows[i].stage);
		if (!opened)
			open_subject(&subject);
		opened = true;
		rows[i].tell(&subject);
	}
	if (opened)
		close_subject(&subject);
}

void inspector_serve(struct inspector *inspector, int fd)
{
	struct channel channel;
	char mime[HELPER_MIME_MAX + 1];

	channel_open(&channel, fd);
	channel_enter(&channel, STAGE_TYPE);
	tell_type(inspector, &channel, mime);
	if ((channel.wanted & STAGE_TEXT) && text_is_type(mime)) {
		channel_enter(&channel, STAGE_TEXT);
		tell_text(&channel);
	}
	if (is_media_type(mime))
		tell_about_media(&channel, mime);
	channel_send(&channel, FRAME_DONE, NULL, 0);
}
