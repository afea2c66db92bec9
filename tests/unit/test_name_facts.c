/* test_name_facts.c - dates and people in names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "name_facts.h"

static const struct {
	const char *name;
	const char *want; /* "DATE[ TIME]|PERSON"; "" no date */
} rows[] = {
	{ "someone-2024-02-20_14-30-00.mp4", "2024-02-20 14:30:00|someone" },
	{ "IMG_20240220_143000.jpg", "2024-02-20 14:30:00|" },
	{ "IMG20240220143000.jpg", "2024-02-20 14:30:00|" },
	{ "PXL_20240220_143000123.jpg", "2024-02-20 14:30:00|" },
	{ "2024-02-20 14.30.00.jpg", "2024-02-20 14:30:00|" },
	{ "VID-20240220-WA0001.mp4", "2024-02-20|" },
	{ "Screenshot_2024-02-20-14-30-00.png", "2024-02-20 14:30:00|" },
	{ "Screenshot_20240220-143000_Chrome.png", "2024-02-20 14:30:00|" },
	{ "Screenshot 2024-02-20 at 14.30.00.png", "2024-02-20 14:30:00|" },
	{ "Screen Shot 2024-02-20 at 2.30.05 PM.png", "2024-02-20 14:30:05|" },
	{ "WhatsApp Image 2024-02-20 at 14.30.00.jpeg", "2024-02-20 14:30:00|" },
	{ "signal-2024-02-20-14-30-00-123.jpg", "2024-02-20 14:30:00|" },
	{ "2024-02-20T14:30:00Z.log", "2024-02-20 14:30:00|" },
	{ "2024-02-20, 14-30.m4a", "2024-02-20 14:30:00|" },
	{ "20240220143000.jpg", "2024-02-20 14:30:00|" },
	{ "20240220143000123.jpg", "2024-02-20 14:30:00|" },
	{ "2024_02_20.jpg", "2024-02-20|" },
	{ "2024.02.20 harbour.jpg", "2024-02-20|" },
	{ "2024-02-20_0001.jpg", "2024-02-20|" },
	{ "2024-02-20_01_02.jpg", "2024-02-20|" },
	{ "2024-02-20 25-00-00.jpg", "2024-02-20|" },
	{ "1956-07-04 Lake.jpg", "1956-07-04|" },
	/* people */
	{ "Anna Maria 2023-12-31.jpg", "2023-12-31|Anna Maria" },
	{ "j\xc3\xb6rg_k-20240220_143000.mp4", "2024-02-20 14:30:00|j\xc3\xb6rg_k" },
	{ "__x.y__2024-02-20.mp4", "2024-02-20|x.y" },
	{ "video 17 2024-02-20.mp4", "2024-02-20|" },
	{ "1234-2024-02-20.mp4", "2024-02-20|" },
	{ "anna20240220.mp4", "2024-02-20|" },
	{ "a name that is much longer than those that people have, really so 2024-02-20.mp4", "2024-02-20|" },
	/* none */
	{ "", "" },
	{ "holiday.jpg", "" },
	{ "IMG_1234.jpg", "" },
	{ "2024-13-20.jpg", "" },
	{ "2024-02-30.jpg", "" },
	{ "2023-02-29.jpg", "" },
	{ "1900-02-29.jpg", "" },
	{ "2024-02.jpg", "" },
	{ "2024-02_20.jpg", "" },
	{ "2024-2-20.jpg", "" },
	{ "12024-02-20.jpg", "" },
	{ "2024-02-201.jpg", "" },
	{ "123456789.jpg", "" },
	{ "19560704.jpg", "" },
	{ "20240000.jpg", "" },
	{ "20240220250000.jpg", "" },
	/* the next one that is a date */
	{ "2000-2024-02-29.jpg", "2024-02-29|" },
	{ "DSC_99999999 2000-02-29.jpg", "2000-02-29|" },
};

static void describe(const struct name_facts *facts, char *text, size_t size)
{
	char time[16] = "";

	if (facts->has_time)
		(void)snprintf(time, sizeof(time), " %02d:%02d:%02d", facts->hour % 100, facts->minute % 100,
			       facts->second % 100);
	(void)snprintf(text, size, "%04d-%02d-%02d%s|%.*s", facts->year, facts->month, facts->day, time,
		       (int)facts->person_size, facts->person_size ? facts->person : "");
}

static void names__give_date_and_person(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct name_facts facts;
		char text[200] = "";
		char *exact =
			malloc(strlen(rows[i].name) +
			       !rows[i].name[0]); /* none behind it: a sanitizer sees one read too many */

		assert_non_null(exact);
		memcpy(exact, rows[i].name, strlen(rows[i].name));
		if (name_facts_read(exact, strlen(rows[i].name), &facts))
			describe(&facts, text, sizeof(text));
		if (strcmp(text, rows[i].want) != 0)
			fail_msg("'%s' gives '%s', not '%s'", rows[i].name, text, rows[i].want);
		free(exact);
	}
}

static void moments__are_local(void **state)
{
	static const struct {
		const char *zone, *name;
		int64_t want;
	} moments[] = {
		{ "UTC", "2024-02-20 14.30.00", 1708439400 },
		{ "UTC-5", "2024-02-20 14.30.00", 1708439400 - 5 * 3600 },
		{ "UTC", "1956-07-04", -425865600 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "20240720_143000", 1721478600 },
	};
	struct name_facts facts;

	(void)state;
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		assert_int_equal(setenv("TZ", moments[i].zone, 1), 0);
		tzset();
		assert_true(name_facts_read(moments[i].name, strlen(moments[i].name), &facts));
		assert_int_equal(name_facts_ns(&facts), moments[i].want * 1000000000ll);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names__give_date_and_person),
		cmocka_unit_test(moments__are_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
