/* fuzz_findings.c - what the indexer's helper may say to its caller, and what the helper reads by hand: texts, the heads of
 * pictures, EXIF blocks, dates.
 *
 * The input's first byte chooses which. */
#include "fuzz.h"

#include <errno.h>

#include "auto.h"
#include "exif.h"
#include "findings.h"
#include "image_file.h"
#include "text.h"
#include "timestamp.h"

#define FRAMES_MAX 40u
#define PAYLOAD_MAX 4096u
#define CONVERTED_MAX 65536u

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_quiet();
	return 0;
}

/* The next bytes of the input in a block of their size, so that a read past them is seen. */
static uint8_t *own_copy(const uint8_t *from, size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1);

	FUZZ_CHECK(bytes != NULL);
	memcpy(bytes, from, size);
	return bytes;
}

/* ---- frames ---- */

static void check_findings(const struct indexer_findings *findings)
{
	FUZZ_CHECK(strlen(findings->mime) <= HELPER_MIME_MAX &&
		   strlen(findings->trouble) <= HELPER_TROUBLE_MAX);
	FUZZ_CHECK(!findings->text || strlen(findings->text) == findings->text_size);
	FUZZ_CHECK(!findings->media_json || findings->media_json[0] == '{');
	FUZZ_CHECK(!findings->width == !findings->height);
	FUZZ_CHECK(findings->n_previews <= HELPER_N_PREVIEWS);
	FUZZ_CHECK(!findings->thumbnail || findings->thumbnail_size >= 4);
	for (unsigned i = 0; i < findings->n_previews; i++)
		FUZZ_CHECK(findings->previews[i].bytes && findings->previews[i].size >= 16);
}

static void try_frames(struct fuzz_input *input)
{
	struct indexer_findings findings = { .n_previews = 0 };

	for (unsigned i = 0; i < FRAMES_MAX && input->left > 0; i++) {
		const unsigned stage = 1u << fuzz_below(input, 6);
		const uint32_t type = FRAME_MIME + (uint32_t)fuzz_below(input, 8);
		size_t size = 0;
		const uint8_t *payload = fuzz_bytes(input, PAYLOAD_MAX, &size);
		AUTO(free) uint8_t *copy = own_copy(payload, size);
		const int r = findings_take(&findings, stage, type, copy, size);

		FUZZ_CHECK(r == 0 || r == -EPIPE);
		FUZZ_CHECK(r < 0 || size <= findings_frame_max(type));
		check_findings(&findings);
		if (r < 0)
			findings_forget(&findings, stage);
	}
	indexer_findings_release(&findings);
}

/* ---- what the helper reads by hand ---- */

/* Whatever comes in, what goes out is a text that the caller takes. */
static void try_text(struct fuzz_input *input)
{
	static uint8_t text[CONVERTED_MAX];
	const bool is_whole = fuzz_below(input, 2);
	const size_t room = fuzz_below(input, CONVERTED_MAX);
	AUTO(free) uint8_t *bytes = own_copy(input->at, input->left);
	const size_t size = text_convert(bytes, input->left, is_whole, text, room);
	struct indexer_findings findings = { .n_previews = 0 };

	FUZZ_CHECK(size <= room);
	if (size > 0)
		FUZZ_CHECK(findings_take(&findings, STAGE_TEXT, FRAME_TEXT, text, size) == 0);
	indexer_findings_release(&findings);
}

static struct {
	const uint8_t *bytes;
	size_t size;
} file;

/* Instead of the helper's socket. */
ssize_t channel_read(const struct channel *channel, uint64_t offset, void *buffer, size_t size)
{
	FUZZ_CHECK(channel->size == file.size);
	if (offset >= file.size)
		return 0;
	if (size > file.size - offset)
		size = file.size - (size_t)offset;
	memcpy(buffer, file.bytes + offset, size);
	return (ssize_t)size;
}

static void try_image(struct fuzz_input *input)
{
	static const char *const types[] = { "image/jpeg", "image/png", "image/webp", "image/heic",
					     "image/gif" };
	const char *type = types[fuzz_below(input, sizeof(types) / sizeof(types[0]))];
	AUTO(free) uint8_t *bytes = own_copy(input->at, input->left);
	const struct channel channel = { .size = input->left };
	struct image_file image;
	struct exif exif;

	file.bytes = bytes;
	file.size = input->left;
	image_file_read(&channel, type, &image);
	FUZZ_CHECK(!image.width == !image.height && image.exif_size <= IMAGE_EXIF_MAX);
	exif_read(image.exif, image.exif_size, &exif);
	FUZZ_CHECK(exif.orientation >= 1 && exif.orientation <= 8);
	FUZZ_CHECK(!exif.has_place || (exif.latitude >= -90 && exif.latitude <= 90 &&
				       exif.longitude >= -180 && exif.longitude <= 180));
	image_file_release(&image);
}

/* A date that is understood is printed as one that is understood the same. */
static void try_timestamp(struct fuzz_input *input)
{
	AUTO(free) char *text = malloc(input->left + 1);
	char printed[32];
	int64_t ns;

	FUZZ_CHECK(text != NULL);
	memcpy(text, input->at, input->left);
	text[input->left] = '\0';
	ns = timestamp_parse(text);
	if (ns == 0)
		return;
	timestamp_print(ns, printed);
	if (strncmp(printed, "1825", 4) != 0 &&
	    strncmp(printed, "2200", 4) != 0) /* where a zone leads over the edge */
		FUZZ_CHECK(timestamp_parse(printed) <= ns && timestamp_parse(printed) > ns - 1000000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct fuzz_input * input) = { try_frames, try_text, try_image,
								    try_timestamp };
	struct fuzz_input input = { data, size };

	tries[fuzz_below(&input, sizeof(tries) / sizeof(tries[0]))](&input);
	return 0;
}
