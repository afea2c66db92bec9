/* test_casefold.c - what differs in case only folds to the same bytes, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "casefold.h"

static void casefold__folds_what_has_case(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "Hello, World_09", "hello, world_09" },
		{ "ÄÖÜß Ÿ", "äöüß ÿ" },
		{ "ẞ", "ß" },
		{ "ĀāĂ Ĳ Ŋ Ž", "āāă ĳ ŋ ž" },
		{ "ſ", "s" },   /* long s */
		{ "İı", "İı" }, /* Turkish ones have no simple folding */
		{ "ΑΣΣ ας", "ασσ ασ" },
		{ "ϐϑϕϖϰϱϵ", "βθφπκρε" },
		{ "ЁЖЯ ѠѢ Ҋ Ӏ", "ёжя ѡѣ ҋ ӏ" },
		{ "ԱՖ", "աֆ" },
		{ "ႠჅ Ა", "ⴀⴥ ა" },
		{ "Ꭰꭰ", "ᎠᎠ" },
		{ "Å Ω K", "å ω k" }, /* the signs of Angstrom, Ohm and Kelvin */
		{ "ᾈ ῼ", "ᾀ ῳ" },
		{ "Ⅷ Ⓐ", "ⅷ ⓐ" },
		{ "Ⱥ Ⱦ", "ⱥ ⱦ" }, /* two bytes become three */
		{ "Ａ", "ａ" },
		{ "𐐀 𞤀", "𐐨 𞤢" },
		{ "日本語 עברית 🎞", "日本語 עברית 🎞" },
	};
	char folded[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size = casefold(rows[i][0], strlen(rows[i][0]), folded);

		assert_true(size <= CASEFOLD_SIZE(strlen(rows[i][0])));
		folded[size] = '\0';
		assert_string_equal(folded, rows[i][1]);
		assert_int_equal(casefold(rows[i][1], strlen(rows[i][1]), folded), strlen(rows[i][1]));
		assert_memory_equal(folded, rows[i][1], strlen(rows[i][1])); /* what is folded stays */
	}
}

static void casefold__leaves_what_is_not_utf_8(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		const char *folded;
	} rows[] = {
		{ "A\xff"
		  "B",
		  3,
		  "a\xff"
		  "b" },
		{ "\xc3", 1, "\xc3" }, /* cut short */
		{ "\xc3"
		  "A",
		  2,
		  "\xc3"
		  "a" },
		{ "\xe2\x84", 2, "\xe2\x84" },
		{ "\xc1\x81", 2, "\xc1\x81" },                 /* 'A', overlong */
		{ "\xe0\x83\x84", 3, "\xe0\x83\x84" },         /* overlong */
		{ "\xed\xa0\x80", 3, "\xed\xa0\x80" },         /* a surrogate */
		{ "\xf4\x90\x80\x80", 4, "\xf4\x90\x80\x80" }, /* past U+10FFFF */
		{ "\x80\x80", 2, "\x80\x80" },
		{ "\0A", 2, "\0a" },
	};
	char folded[16];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(casefold(rows[i].text, rows[i].size, folded), rows[i].size);
		assert_memory_equal(folded, rows[i].folded, rows[i].size);
	}
}

static void casefold__never_needs_more_room_than_it_says(void **state)
{
	char text[4], folded[CASEFOLD_SIZE(4)];

	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		uint32_t rest = c;

		for (size_t i = n; i-- > 1; rest >>= 6)
			text[i] = (char)(0x80 | (rest & 0x3f));
		text[0] = (char)(n == 1 ? rest : (0xf00u >> n & 0xf0u) | rest);
		assert_true(casefold(text, n, folded) <= CASEFOLD_SIZE(n));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(casefold__folds_what_has_case),
		cmocka_unit_test(casefold__leaves_what_is_not_utf_8),
		cmocka_unit_test(casefold__never_needs_more_room_than_it_says),
	};

	return cmocka_run_group_tests_name("casefold", tests, NULL, NULL);
}
