/* test_timestamp.c - dates as cameras and containers write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "timestamp.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void set_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

static void timestamp__is_what_the_text_says(void **state)
{
	static const struct {
		const char *text, *want; /* "": no date */
	} rows[] = {
		{ "2024:02:20 14:30:00", "2024-02-20T14:30:00Z" },
		{ "2024-02-20T14:30:00Z", "2024-02-20T14:30:00Z" },
		{ "2024-02-20T14:30:00.999999Z", "2024-02-20T14:30:00Z" },
		{ "2024:02:20 00:30:00+02:00", "2024-02-19T22:30:00Z" },
		{ "2024-02-20T14:30:00-0530", "2024-02-20T20:00:00Z" },
		{ "2024-02-20T14:30:00+99:00", "2024-02-20T14:30:00Z" },
		{ "2024-02-20", "2024-02-20T00:00:00Z" },
		{ "2024/02/20 01:02:03", "2024-02-20T01:02:03Z" },
		{ "1838:01:02 03:04:05", "1838-01-02T03:04:05Z" },
		{ "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z" },
		{ "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z" },
		{ "0000:00:00 00:00:00", "" },
		{ "1825:12:31 00:00:00", "" },
		{ "2200:01:01 00:00:00", "" },
		{ "2024:13:01 00:00:00", "" },
		{ "2024:00:01 00:00:00", "" },
		{ "2024:02:20 24:00:00", "" },
		{ "2024:02:20 14:60:00", "" },
		{ "2024:02:20 14:30", "" },
		{ "2024:02:20x14:30:00", "" },
		{ "2024", "" },
		{ "    :  :     :  :  ", "" },
		{ "", "" },
	};

	(void)state;
	set_zone("UTC0");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int64_t ns = timestamp_parse(rows[i].text);
		char got[32] = "";

		if (ns != 0)
			timestamp_print(ns, got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s (%" PRId64 "), not %s", rows[i].text, got, ns, rows[i].want);
	}
	assert_int_equal(timestamp_parse("2024-02-20T14:30:00.25Z"), INT64_C(1708439400250000000));
}

static void timestamp__without_a_zone_is_local_time(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "2024:02:20 14:30:00", "2024-02-20T13:30:00Z" },
		{ "2024:07:20 14:30:00", "2024-07-20T12:30:00Z" }, /* summer */
		{ "2024:07:20", "2024-07-19T22:00:00Z" },
		{ "2024:02:20 14:30:00Z", "2024-02-20T14:30:00Z" },
		{ "2024:02:20 14:30:00-01:00", "2024-02-20T15:30:00Z" },
	};

	(void)state;
	set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char got[32];

		timestamp_print(timestamp_parse(rows[i].text), got);
		assert_string_equal(got, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timestamp__is_what_the_text_says),
		cmocka_unit_test(timestamp__without_a_zone_is_local_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
