/* test_kind.c - what kind of file a MIME type stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kind.h"

static const struct {
	const char *mime;
	enum kind kind;
} rows[] = {
	{ "image/jpeg", KIND_IMAGE },
	{ "video/mp4", KIND_VIDEO },
	{ "audio/flac", KIND_AUDIO },
	{ "text/plain", KIND_TEXT },
	{ "TEXT/X-C", KIND_TEXT },
	{ "application/json", KIND_TEXT },
	{ "application/pdf", KIND_DOCUMENT },
	{ "application/vnd.openxmlformats-officedocument.wordprocessingml.document", KIND_DOCUMENT },
	{ "application/vnd.ms-excel", KIND_DOCUMENT },
	{ "application/vnd.ms-cab-compressed", KIND_ARCHIVE },
	{ "application/x-7z-compressed", KIND_ARCHIVE },
	{ "application/x-tar", KIND_ARCHIVE },
	{ "application/ogg", KIND_AUDIO },
	{ "application/ogg-other", KIND_OTHER },
	{ "application/octet-stream", KIND_OTHER },
	{ "inode/x-empty", KIND_OTHER },
	{ "imagine", KIND_OTHER },
	{ "", KIND_OTHER },
};

static void kind_of_mime__knows_common_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (kind_of_mime(rows[i].mime) != rows[i].kind)
			fail_msg("%s is taken for %s", rows[i].mime, kind_name(kind_of_mime(rows[i].mime)));
}

static void kind_find__finds_every_name(void **state)
{
	(void)state;
	for (enum kind kind = 0; kind < KIND_N; kind++)
		assert_int_equal(kind_find(kind_name(kind)), kind);
	assert_int_equal(kind_find("images"), KIND_N);
	assert_int_equal(kind_find(""), KIND_N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kind_of_mime__knows_common_types),
		cmocka_unit_test(kind_find__finds_every_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
