/* findings.c - the check of what the helper says it found. See findings.h.
 *
 * The only decoder of the program that talks to a process that may be hostile; its fuzz target is fuzz_decoders.c. */
#include "findings.h"
#include "utf8.h"

#include "auto.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX (1u << 20)                              /* no picture is wider */
#define DURATION_MAX_MS UINT64_C(3155760000000)          /* a hundred years */
#define TAKEN_MIN_NS (INT64_C(-5364662400) * 1000000000) /* 1800 */
#define TAKEN_MAX_NS (INT64_C(7258118400) * 1000000000)  /* 2200 */

static bool is_mime(const char *text, size_t size)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&-^_.+";
	const char *slash = memchr(text, '/', size);

	if (!slash || slash == text || slash == text + size - 1)
		return false;
	for (size_t i = 0; i < size; i++)
		if (text + i != slash && (text[i] == '\0' || !strchr(allowed, text[i])))
			return false;
	return true;
}

static bool is_plain_text(const uint8_t *text, size_t size)
{
	while (size > 0) {
		uint32_t point;
		const size_t n = utf8_take(text, size, &point);

		if (n == 0 || !utf8_is_plain(point))
			return false;
		text += n;
		size -= n;
	}
	return true;
}

static bool is_trouble(const uint8_t *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

/* From start of image to end of image; a baseline or progressive frame is for its readers to find. */
static bool is_jpeg(const uint8_t *bytes, size_t size)
{
	return size >= 4 && memcmp(bytes, "\xff\xd8\xff", 3) == 0 &&
	       memcmp(bytes + size - 2, "\xff\xd9", 2) == 0;
}

/* The boxes at the top must fill it, the first of them is ftyp, and moov stands among them. */
static bool is_mp4(const uint8_t *bytes, size_t size)
{
	bool has_moov = false;
	size_t at = 0;

	while (size - at >= 8) {
		const size_t box = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
				   (size_t)bytes[at + 2] << 8 | (size_t)bytes[at + 3];

		if (box < 8 || box > size - at || (at == 0 && memcmp(bytes + 4, "ftyp", 4) != 0))
			return false;
		has_moov |= memcmp(bytes + at + 4, "moov", 4) == 0;
		at += box;
	}
	return at == size && has_moov;
}

/* Copies, so that what is kept has its own size, and a 0 behind it for what is read as a string. */
static int keep(void **to, size_t *ret_size, const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes, size);
	copy[size] = 0;
	*to = copy;
	*ret_size = size;
	return 0;
}

static int take_mime(struct indexer_findings *findings, const uint8_t *bytes, size_t size)
{
	if (findings->mime[0] || size > HELPER_MIME_MAX || !is_mime((const char *)bytes, size))
		return -EPIPE;
	memcpy(findings->mime, bytes, size);
	findings->mime[size] = '\0';
	return 0;
}

static int take_text(struct indexer_findings *findings, const uint8_t *bytes, size_t size)
{
	void *text = NULL;
	int r;

	if (findings->text || size == 0 || !is_plain_text(bytes, size))
		return -EPIPE;
	r = keep(&text, &findings->text_size, bytes, size);
	findings->text = text;
	return r;
}

/* What is kept is what we write of what we understood. */
static int take_media(struct indexer_findings *findings, const uint8_t *bytes, size_t size)
{
	json_t *object;

	if (findings->media_json)
		return -EPIPE;
	object = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(object)) {
		json_decref(object);
		return -EPIPE;
	}
	findings->media_json = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(object);
	return findings->media_json ? 0 : -ENOMEM;
}

static int take_numbers(struct indexer_findings *findings, const uint8_t *bytes, size_t size)
{
	uint32_t width, height;
	uint64_t duration_ms;
	int64_t taken_at_ns;

	if (size != HELPER_NUMBERS_SIZE || findings->width || findings->duration_ms || findings->taken_at_ns)
		return -EPIPE;
	width = frame_get_u32(bytes);
	height = frame_get_u32(bytes + 4);
	duration_ms = frame_get_u64(bytes + 8);
	taken_at_ns = (int64_t)frame_get_u64(bytes + 16);
	if (width > SIDE_MAX || height > SIDE_MAX || !width != !height || duration_ms > DURATION_MAX_MS ||
	    taken_at_ns < TAKEN_MIN_NS || taken_at_ns > TAKEN_MAX_NS)
		return -EPIPE;
	findings->width = width;
	findings->height = height;
	findings->duration_ms = duration_ms;
	findings->taken_at_ns = taken_at_ns;
	return 0;
}

static int take_thumbnail(struct indexer_findings *findings, const uint8_t *bytes, size_t size)
{
	if (findings->thumbnail || !is_jpeg(bytes, size))
		return -EPIPE;
	return keep(&findings->thumbnail, &findings->thumbnail_size, bytes, size);
}

static int take_preview(struct indexer_findings *findings, const uint8_t *bytes, size_t size)
{
	struct indexer_preview *preview = &findings->previews[findings->n_previews];
	int r;

	if (findings->n_previews == HELPER_N_PREVIEWS || !is_mp4(bytes, size))
		return -EPIPE;
	r = keep(&preview->bytes, &preview->size, bytes, size);
	if (r == 0)
		findings->n_previews++;
	return r;
}

/* The first one counts: what came of it explains the others. */
static int take_trouble(struct indexer_findings *findings, const uint8_t *bytes, size_t size)
{
	if (size == 0 || size > HELPER_TROUBLE_MAX || !is_trouble(bytes, size))
		return -EPIPE;
	if (findings->trouble[0])
		return 0;
	memcpy(findings->trouble, bytes, size);
	findings->trouble[size] = '\0';
	return 0;
}

static const struct finding {
	unsigned stages;
	uint32_t max;
	int (*take)(struct indexer_findings *findings, const uint8_t *bytes, size_t size);
} table[] = {
	[FRAME_MIME - FRAME_MIME] = { STAGE_TYPE, HELPER_MIME_MAX, take_mime },
	[FRAME_TEXT - FRAME_MIME] = { STAGE_TEXT, HELPER_TEXT_MAX, take_text },
	[FRAME_MEDIA - FRAME_MIME] = { STAGE_MEDIA, HELPER_MEDIA_MAX, take_media },
	[FRAME_NUMBERS - FRAME_MIME] = { STAGE_MEDIA, HELPER_NUMBERS_SIZE, take_numbers },
	[FRAME_THUMBNAIL - FRAME_MIME] = { STAGE_THUMBNAIL, HELPER_THUMBNAIL_MAX, take_thumbnail },
	[FRAME_PREVIEW - FRAME_MIME] = { STAGE_PREVIEWS, HELPER_PREVIEW_MAX, take_preview },
	[FRAME_TROUBLE - FRAME_MIME] = { STAGES_ALL, HELPER_TROUBLE_MAX, take_trouble },
};

static const struct finding *finding_of(uint32_t type)
{
	if (type < FRAME_MIME || type - FRAME_MIME >= sizeof(table) / sizeof(table[0]))
		return NULL;
	return &table[type - FRAME_MIME];
}

uint32_t findings_frame_max(uint32_t type)
{
	const struct finding *finding = finding_of(type);

	return finding ? finding->max : 0;
}

int findings_take(struct indexer_findings *findings, unsigned stage, uint32_t type, const uint8_t *payload,
		  size_t size)
{
	const struct finding *finding = finding_of(type);

	if (!finding || !(finding->stages & stage) || size > finding->max)
		return -EPIPE;
	return finding->take(findings, payload, size);
}

static void forget_previews(struct indexer_findings *findings)
{
	for (unsigned i = 0; i < findings->n_previews; i++)
		free(findings->previews[i].bytes);
	memset(findings->previews, 0, sizeof(findings->previews));
	findings->n_previews = 0;
}

void findings_forget(struct indexer_findings *findings, unsigned stage)
{
	switch (stage) {
	case STAGE_TYPE:
		findings->mime[0] = '\0';
		break;
	case STAGE_TEXT:
		free(TAKE(findings->text));
		findings->text_size = 0;
		break;
	case STAGE_MEDIA:
		free(TAKE(findings->media_json));
		findings->width = findings->height = 0;
		findings->duration_ms = 0;
		findings->taken_at_ns = 0;
		break;
	case STAGE_THUMBNAIL:
		free(TAKE(findings->thumbnail));
		findings->thumbnail_size = 0;
		break;
	case STAGE_PREVIEWS:
		forget_previews(findings);
		break;
	default:
		break;
	}
}

void indexer_findings_release(struct indexer_findings *findings)
{
	for (unsigned stage = 1; stage <= STAGES_ALL; stage <<= 1)
		findings_forget(findings, stage);
	memset(findings, 0, sizeof(*findings));
}
