/* test_findings.c - what of the helper's words gets in, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(text) text, sizeof(text) - 1
#define CLIP               \
	"\0\0\0\x10"       \
	"ftypisom\0\0\0\0" \
	"\0\0\0\x08"       \
	"moov"             \
	"\0\0\0\x09"       \
	"mdatx"
#define NUMBERS(width, height, ms, ns_high) \
	width "\0\0\0" height "\0\0\0" ms "\0\0\0\0\0\0\0\0\0\0\0\0\0\0" ns_high

static void findings__take_what_is_right_and_nothing_else(void **state)
{
	static const struct {
		const char *what;
		unsigned stage;
		uint32_t type;
		const char *bytes;
		size_t size;
		int want;
	} rows[] = {
		{ "a type", STAGE_TYPE, FRAME_MIME, BYTES("video/mp4"), 0 },
		{ "a type in the wrong stage", STAGE_MEDIA, FRAME_MIME, BYTES("video/mp4"), -EPIPE },
		{ "a type without a slash", STAGE_TYPE, FRAME_MIME, BYTES("video"), -EPIPE },
		{ "a type that ends with it", STAGE_TYPE, FRAME_MIME, BYTES("video/"), -EPIPE },
		{ "a type with two", STAGE_TYPE, FRAME_MIME, BYTES("a/b/c"), -EPIPE },
		{ "a type with a newline", STAGE_TYPE, FRAME_MIME, BYTES("a/b\n"), -EPIPE },
		{ "a type with a 0", STAGE_TYPE, FRAME_MIME, BYTES("a/b\0c"), -EPIPE },
		{ "no type", STAGE_TYPE, FRAME_MIME, BYTES(""), -EPIPE },

		{ "a text", STAGE_TEXT, FRAME_TEXT, BYTES("caf\xc3\xa9\n\tand more"), 0 },
		{ "no text", STAGE_TEXT, FRAME_TEXT, BYTES(""), -EPIPE },
		{ "latin-1", STAGE_TEXT, FRAME_TEXT, BYTES("caf\xe9 "), -EPIPE },
		{ "cut short", STAGE_TEXT, FRAME_TEXT, BYTES("caf\xc3"), -EPIPE },
		{ "overlong", STAGE_TEXT, FRAME_TEXT, BYTES("\xc0\xaf"), -EPIPE },
		{ "a surrogate", STAGE_TEXT, FRAME_TEXT, BYTES("\xed\xa0\x80"), -EPIPE },
		{ "past the last", STAGE_TEXT, FRAME_TEXT, BYTES("\xf4\x90\x80\x80"), -EPIPE },
		{ "a 0", STAGE_TEXT, FRAME_TEXT, BYTES("a\0b"), -EPIPE },
		{ "an escape", STAGE_TEXT, FRAME_TEXT, BYTES("\033[2J"), -EPIPE },
		{ "a high control", STAGE_TEXT, FRAME_TEXT, BYTES("\xc2\x9b"), -EPIPE },

		{ "an object", STAGE_MEDIA, FRAME_MEDIA, BYTES("{\"a\":1}"), 0 },
		{ "an array", STAGE_MEDIA, FRAME_MEDIA, BYTES("[1]"), -EPIPE },
		{ "half an object", STAGE_MEDIA, FRAME_MEDIA, BYTES("{\"a\":"), -EPIPE },
		{ "two objects", STAGE_MEDIA, FRAME_MEDIA, BYTES("{} {}"), -EPIPE },
		{ "a key twice", STAGE_MEDIA, FRAME_MEDIA, BYTES("{\"a\":1,\"a\":2}"), -EPIPE },
		{ "not UTF-8", STAGE_MEDIA, FRAME_MEDIA, BYTES("{\"a\":\"\xe9\"}"), -EPIPE },

		{ "numbers", STAGE_MEDIA, FRAME_NUMBERS, BYTES(NUMBERS("\x40", "\x30", "\x10", "\x10")), 0 },
		{ "a width alone", STAGE_MEDIA, FRAME_NUMBERS, BYTES(NUMBERS("\x40", "\0", "\x10", "\0")),
		  -EPIPE },
		{ "a date of another age", STAGE_MEDIA, FRAME_NUMBERS,
		  BYTES(NUMBERS("\x40", "\x30", "\x10", "\x7f")), -EPIPE },
		{ "too few", STAGE_MEDIA, FRAME_NUMBERS, BYTES("\x40\0\0\0\x30\0\0\0"), -EPIPE },

		{ "a jpeg", STAGE_THUMBNAIL, FRAME_THUMBNAIL, BYTES("\xff\xd8\xff\xdb\0\0\xff\xd9"), 0 },
		{ "a jpeg cut short", STAGE_THUMBNAIL, FRAME_THUMBNAIL, BYTES("\xff\xd8\xff\xdb\0\0"),
		  -EPIPE },
		{ "a png", STAGE_THUMBNAIL, FRAME_THUMBNAIL, BYTES("\x89PNG\r\n\x1a\n"), -EPIPE },
		{ "a page", STAGE_THUMBNAIL, FRAME_THUMBNAIL, BYTES("<html></html>"), -EPIPE },

		{ "a clip", STAGE_PREVIEWS, FRAME_PREVIEW, BYTES(CLIP), 0 },
		{ "a clip and more", STAGE_PREVIEWS, FRAME_PREVIEW, BYTES(CLIP "more"), -EPIPE },
		{ "a clip cut short", STAGE_PREVIEWS, FRAME_PREVIEW, CLIP, sizeof(CLIP) - 2, -EPIPE },
		{ "a clip without an index", STAGE_PREVIEWS, FRAME_PREVIEW, CLIP, 16, -EPIPE },
		{ "a box of no length", STAGE_PREVIEWS, FRAME_PREVIEW, BYTES("\0\0\0\0ftyp"), -EPIPE },

		{ "trouble", STAGE_MEDIA, FRAME_TROUBLE, BYTES("media: damaged"), 0 },
		{ "trouble for a terminal", STAGE_MEDIA, FRAME_TROUBLE, BYTES("\033[2J"), -EPIPE },
		{ "no such frame", STAGE_TYPE, FRAME_TROUBLE + 1, BYTES("x"), -EPIPE },
		{ "a question", STAGE_TYPE, FRAME_READ, BYTES("x"), -EPIPE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct indexer_findings findings = { .n_previews = 0 }, nothing = { .n_previews = 0 };
		const int r = findings_take(&findings, rows[i].stage, rows[i].type,
					    (const uint8_t *)rows[i].bytes, rows[i].size);

		if (r != rows[i].want)
			fail_msg("%s: %d", rows[i].what, r);
		if (r < 0 && memcmp(&findings, &nothing, sizeof(nothing)) != 0)
			fail_msg("%s: something is left of it", rows[i].what);
		indexer_findings_release(&findings);
	}
}

static void findings__are_taken_once(void **state)
{
	static const struct {
		unsigned stage;
		uint32_t type;
		const char *bytes;
		size_t size;
		int n; /* how often it is taken */
	} rows[] = {
		{ STAGE_TYPE, FRAME_MIME, BYTES("video/mp4"), 1 },
		{ STAGE_TEXT, FRAME_TEXT, BYTES("text"), 1 },
		{ STAGE_MEDIA, FRAME_MEDIA, BYTES("{}"), 1 },
		{ STAGE_MEDIA, FRAME_NUMBERS, BYTES(NUMBERS("\x40", "\x30", "\x10", "\x10")), 1 },
		{ STAGE_THUMBNAIL, FRAME_THUMBNAIL, BYTES("\xff\xd8\xff\xdb\xff\xd9"), 1 },
		{ STAGE_PREVIEWS, FRAME_PREVIEW, BYTES(CLIP), HELPER_N_PREVIEWS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct indexer_findings findings = { .n_previews = 0 };

		for (int again = 0; again < 2; again++) {
			for (int n = 0; n <= rows[i].n; n++)
				assert_int_equal(findings_take(&findings, rows[i].stage, rows[i].type,
							       (const uint8_t *)rows[i].bytes, rows[i].size),
						 n < rows[i].n ? 0 : -EPIPE);
			findings_forget(&findings, rows[i].stage);
		}
		indexer_findings_release(&findings);
	}
}

static void findings__are_bounded(void **state)
{
	struct indexer_findings findings = { .n_previews = 0 };
	char *text = malloc(HELPER_TEXT_MAX + 1);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', HELPER_TEXT_MAX + 1);
	assert_int_equal(
		findings_take(&findings, STAGE_TEXT, FRAME_TEXT, (uint8_t *)text, HELPER_TEXT_MAX + 1),
		-EPIPE);
	assert_int_equal(findings_take(&findings, STAGE_TEXT, FRAME_TEXT, (uint8_t *)text, HELPER_TEXT_MAX),
			 0);
	assert_int_equal(findings.text_size, HELPER_TEXT_MAX);
	assert_int_equal(strlen(findings.text), HELPER_TEXT_MAX);
	indexer_findings_release(&findings);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings__take_what_is_right_and_nothing_else),
		cmocka_unit_test(findings__are_taken_once),
		cmocka_unit_test(findings__are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
