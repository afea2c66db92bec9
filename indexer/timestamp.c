/* timestamp.c - dates as cameras and containers write them. See timestamp.h. */
#include "timestamp.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)

/* `n` digits at *text, which moves behind them; -1: they are not there. */
static int take_digits(const char **text, int n)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (**text < '0' || **text > '9')
			return -1;
		value = value * 10 + (*(*text)++ - '0');
	}
	return value;
}

static bool take_any(const char **text, const char *allowed)
{
	if (**text == '\0' || !strchr(allowed, **text))
		return false;
	(*text)++;
	return true;
}

static int64_t take_fraction_ns(const char **text)
{
	int64_t ns = 0, unit = SECOND_NS / 10;

	if (!take_any(text, ".,"))
		return 0;
	for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
		ns += unit * (**text - '0');
	return ns;
}

/* Whether there is a zone, and its seconds east of Greenwich. */
static bool take_zone(const char **text, int *ret_seconds)
{
	const int sign = **text == '-' ? -1 : 1;
	int hours, minutes = 0;

	*ret_seconds = 0;
	if (take_any(text, "Z"))
		return true;
	if (!take_any(text, "+-"))
		return false;
	hours = take_digits(text, 2);
	(void)take_any(text, ":");
	if (hours >= 0 && **text)
		minutes = take_digits(text, 2);
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return hours >= 0 && hours <= 14 && minutes >= 0 && minutes <= 59;
}

static bool take_date(const char **text, struct tm *tm)
{
	tm->tm_year = take_digits(text, 4) - 1900;
	if (!take_any(text, "-:/"))
		return false;
	tm->tm_mon = take_digits(text, 2) - 1;
	if (!take_any(text, "-:/"))
		return false;
	tm->tm_mday = take_digits(text, 2);
	return tm->tm_year >= 1826 - 1900 && tm->tm_year < 2200 - 1900 && tm->tm_mon >= 0 &&
	       tm->tm_mon < 12 && tm->tm_mday > 0 && tm->tm_mday <= 31;
}

static bool take_time(const char **text, struct tm *tm)
{
	tm->tm_hour = take_digits(text, 2);
	if (!take_any(text, ":"))
		return false;
	tm->tm_min = take_digits(text, 2);
	if (!take_any(text, ":"))
		return false;
	tm->tm_sec = take_digits(text, 2);
	return tm->tm_hour >= 0 && tm->tm_hour < 24 && tm->tm_min >= 0 && tm->tm_min < 60 &&
	       tm->tm_sec >= 0 && tm->tm_sec <= 60;
}

int64_t timestamp_parse(const char *text)
{
	struct tm tm = { .tm_isdst = -1 };
	int64_t fraction_ns = 0;
	int zone;

	if (!take_date(&text, &tm))
		return 0;
	if (*text && (!take_any(&text, "T ") || !take_time(&text, &tm)))
		return 0;
	fraction_ns = take_fraction_ns(&text);
	if (take_zone(&text, &zone))
		return ((int64_t)timegm(&tm) - zone) * SECOND_NS + fraction_ns;
	return (int64_t)mktime(&tm) * SECOND_NS + fraction_ns; /* of these years it fits */
}

void timestamp_print(int64_t ns, char ret[32])
{
	time_t seconds = (time_t)(ns / SECOND_NS - (ns % SECOND_NS < 0));
	struct tm tm;

	ret[0] = '\0';
	if (gmtime_r(&seconds, &tm))
		(void)strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
