/* test_acl.c - POSIX access control lists as bytes: validity, the mode, chmod, inheritance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"

/* Lists are written as entries of tag and permissions: U owner, u named user, G group, g named group, M mask, O other,
 * each with a digit behind it, and named ones with an id in between: "U7 u5:6 G5 M7 O0". */
#define LETTERS "UuGgMO"

static uint8_t *encode_entries(const char *text, uint8_t *at)
{
	while (*text) {
		unsigned tag = 1u << (strchr(LETTERS, *text) - LETTERS);
		bool named = text[2] == ':';
		uint8_t id = (uint8_t)(text[1] - '0');

		text += named ? 3 : 1;
		memcpy(at, (uint8_t[8]){ (uint8_t)tag, 0, (uint8_t)(*text - '0'), 0, 0xff, 0xff, 0xff, 0xff },
		       8);
		if (named)
			memcpy(at + 4, (uint8_t[4]){ id, 0, 0, 0 }, 4);
		at += 8;
		text++;
		text += *text == ' ';
	}
	return at;
}

static size_t encode(const char *text, uint8_t bytes[ACL_SIZE_MAX])
{
	memcpy(bytes, "\2\0\0\0", 4);
	return (size_t)(encode_entries(text, bytes + 4) - bytes);
}

static void assert_list(const uint8_t *bytes, size_t size, const char *want)
{
	uint8_t expected[ACL_SIZE_MAX];

	assert_int_equal(encode(want, expected), size);
	assert_memory_equal(bytes, expected, size);
}

static void check__knows_the_order_and_what_must_be_there(void **state)
{
	static const struct {
		const char *list;
		int r;
	} rows[] = {
		{ "U7 G5 O0", 1 },
		{ "U7 G5 M7 O0", 1 },
		{ "U7 u5:6 G5 M7 O0", 1 },
		{ "U7 u5:6 u4:6 G5 g9:0 g1:1 M7 O0", 1 },
		{ "U7 u5:6 u5:1 G5 M7 O0", 1 }, /* the kernel takes these, too */
		{ "U0 G0 O0", 1 },
		{ "", 0 },
		{ "U7", -EINVAL },
		{ "U7 G5", -EINVAL },
		{ "U7 O5", -EINVAL },
		{ "G7 O5", -EINVAL },
		{ "U7 U7 G5 O0", -EINVAL },
		{ "U7 G5 G5 O0", -EINVAL },
		{ "U7 G5 O0 O0", -EINVAL },
		{ "U7 G5 M7 M7 O0", -EINVAL },
		{ "U7 u5:6 G5 O0", -EINVAL },
		{ "U7 G5 g5:6 O0", -EINVAL },
		{ "u5:6 U7 G5 M7 O0", -EINVAL },
		{ "U7 G5 u5:6 M7 O0", -EINVAL },
		{ "U7 g5:6 G5 M7 O0", -EINVAL },
		{ "U7 M7 G5 O0", -EINVAL },
		{ "U7 G5 M7 g5:6 O0", -EINVAL },
		{ "U7 G5 O0 M7", -EINVAL },
		{ "O0 G5 U7", -EINVAL },
		{ "U8 G5 O0", -EINVAL },
		{ "U7 G9 O0", -EINVAL },
		{ "U7 u6 G5 M7 O0", -EINVAL }, /* of nobody */
		{ "U7 G5 g6 M7 O0", -EINVAL },
	};
	uint8_t bytes[ACL_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size = encode(rows[i].list, bytes);

		if (acl_check(bytes, size) != rows[i].r)
			fail_msg("'%s': %d, wanted %d", rows[i].list, acl_check(bytes, size), rows[i].r);
	}
}

static void check__bounds_what_it_reads(void **state)
{
	uint8_t bytes[ACL_SIZE_MAX + 8], *exact;
	size_t size = encode("U7 u5:6 G5 M7 O0", bytes);

	(void)state;
	assert_int_equal(acl_check(NULL, 0), 0);
	for (size_t n = 1; n < size; n++) {
		exact = malloc(n); /* whoever reads past it is seen by the sanitizer */
		assert_non_null(exact);
		memcpy(exact, bytes, n);
		assert_int_equal(acl_check(exact, n), n == 4 ? 0 : -EINVAL);
		free(exact);
	}
	for (unsigned tag = 0; tag < 0x10000; tag++) {
		bytes[12] = (uint8_t)tag; /* of the second entry */
		bytes[13] = (uint8_t)(tag >> 8);
		assert_int_equal(acl_check(bytes, size), tag == 2 ? 1 : -EINVAL);
	}
	bytes[12] = 2;
	bytes[13] = 0;
	for (unsigned permissions = 8; permissions < 0x10000; permissions = permissions * 2) {
		bytes[14] = (uint8_t)permissions;
		bytes[15] = (uint8_t)(permissions >> 8);
		assert_int_equal(acl_check(bytes, size), -EINVAL);
	}
	bytes[14] = 7;
	bytes[15] = 0;
	assert_int_equal(acl_check(bytes, size), 1);
	for (unsigned version = 0; version < 256; version++) {
		bytes[0] = (uint8_t)version;
		assert_int_equal(acl_check(bytes, size), version == 2 ? 1 : -EOPNOTSUPP);
	}
	bytes[0] = 2;
	bytes[3] = 1;
	assert_int_equal(acl_check(bytes, size), -EOPNOTSUPP);
}

static void check__takes_a_page_and_no_more(void **state)
{
	static uint8_t bytes[2 * ACL_SIZE_MAX];
	size_t most = (ACL_SIZE_MAX - 4) / 8 - 4;

	(void)state;
	for (size_t n = most - 1; n <= most + 1; n++) {
		uint8_t *at = bytes + encode("U7", bytes);

		for (size_t i = 0; i < n; i++)
			at = encode_entries("u5:7", at);
		at = encode_entries("G5 M7 O0", at);
		assert_int_equal(acl_check(bytes, (size_t)(at - bytes)), n <= most ? 1 : -E2BIG);
	}
}

static void the_mode__shows_the_mask_in_the_group_s_place(void **state)
{
	static const struct {
		const char *list;
		uint32_t before, want;
		bool more;
	} rows[] = {
		{ "U7 G5 O1", 0100000, 0100751, false },
		{ "U0 G0 O0", 0107777, 0107000, false },
		{ "U6 u5:7 G4 M5 O0", 0040777, 0040650, true },
		{ "U6 G4 g5:7 M2 O4", 0102000, 0102624, true },
		{ "U7 G7 M4 O0", 0, 0740, true },
		{ "U7 u5:7 G7 M0 O7", 01777, 01707, true },
	};
	uint8_t bytes[ACL_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t mode = rows[i].before;
		size_t size = encode(rows[i].list, bytes);

		if (acl_to_mode(bytes, size, &mode) != rows[i].more || mode != rows[i].want)
			fail_msg("'%s': mode %o", rows[i].list, mode);
		assert_list(bytes, size, rows[i].list);
	}
}

static void chmod__changes_the_mask_or_the_group(void **state)
{
	static const struct {
		const char *before;
		uint32_t mode;
		const char *want;
	} rows[] = {
		{ "U7 G5 O1", 0100640, "U6 G4 O0" },
		{ "U6 u5:7 G5 M7 O0", 0100641, "U6 u5:7 G5 M4 O1" },
		{ "U0 G5 g5:7 M0 O0", 0107777, "U7 G5 g5:7 M7 O7" },
		{ "U6 G5 M7 O4", 0, "U0 G5 M0 O0" },
	};
	uint8_t bytes[ACL_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size = encode(rows[i].before, bytes);
		uint32_t mode = 0;

		acl_chmod(bytes, size, rows[i].mode);
		assert_list(bytes, size, rows[i].want);
		(void)acl_to_mode(bytes, size, &mode);
		assert_int_equal(mode, rows[i].mode & 0777);
	}
}

static void inherit__takes_what_both_sides_grant(void **state)
{
	static const struct {
		const char *before;
		uint32_t mode;
		const char *want;
		uint32_t want_mode;
		bool more;
	} rows[] = {
		{ "U7 G5 O5", 0100666, "U6 G4 O4", 0100644, false },
		{ "U7 u5:7 G5 g2:6 M7 O5", 0100666, "U6 u5:7 G5 g2:6 M6 O4", 0100664, true },
		{ "U7 u5:7 G5 g2:6 M7 O5", 0042700, "U7 u5:7 G5 g2:6 M0 O0", 0042700, true },
		{ "U5 G2 O1", 0041777, "U5 G2 O1", 0041521, false },
		{ "U7 G7 M5 O0", 0100666, "U6 G7 M4 O0", 0100640, true },
		{ "U0 u5:7 G0 M0 O0", 0100777, "U0 u5:7 G0 M0 O0", 0100000, true },
	};
	uint8_t bytes[ACL_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size = encode(rows[i].before, bytes);
		uint32_t mode = rows[i].mode;

		assert_int_equal(acl_inherit(bytes, size, &mode), rows[i].more);
		assert_int_equal(mode, rows[i].want_mode);
		assert_list(bytes, size, rows[i].want);
		assert_int_equal(acl_check(bytes, size), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check__knows_the_order_and_what_must_be_there),
		cmocka_unit_test(check__bounds_what_it_reads),
		cmocka_unit_test(check__takes_a_page_and_no_more),
		cmocka_unit_test(the_mode__shows_the_mask_in_the_group_s_place),
		cmocka_unit_test(chmod__changes_the_mask_or_the_group),
		cmocka_unit_test(inherit__takes_what_both_sides_grant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
