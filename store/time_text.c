/* time_text.c - moments as text. See time_text.h. */
#include "time_text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND 1000000000

struct cursor {
	const char *at, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The next character, if it is one of `set`, is passed over: it, or 0. */
static char take_one_of(struct cursor *cursor, const char *set)
{
	if (cursor->at == cursor->end || !*cursor->at || !strchr(set, *cursor->at))
		return '\0';
	return *cursor->at++;
}

/* A number of just `n` digits, at most `most`. */
static bool take_number(struct cursor *cursor, int n, int most, int *ret)
{
	*ret = 0;
	for (int i = 0; i < n; i++) {
		if (cursor->at == cursor->end || !is_digit(*cursor->at))
			return false;
		*ret = *ret * 10 + (*cursor->at++ - '0');
	}
	return *ret <= most;
}

static bool take_date(struct cursor *cursor, int64_t *ret)
{
	int year, month, day;
	struct tm tm = { 0 };

	if (!take_number(cursor, 4, 9999, &year) || !take_one_of(cursor, "-") ||
	    !take_number(cursor, 2, 12, &month) || !take_one_of(cursor, "-") ||
	    !take_number(cursor, 2, 31, &day) || month == 0 || day == 0)
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	*ret = timegm(&tm);
	return tm.tm_mday == day; /* else the month has no such day */
}

/* 60 seconds are a leap second. */
static bool take_time(struct cursor *cursor, int64_t *ret)
{
	int hour, minute, second;

	if (!take_number(cursor, 2, 23, &hour) || !take_one_of(cursor, ":") ||
	    !take_number(cursor, 2, 59, &minute) || !take_one_of(cursor, ":") ||
	    !take_number(cursor, 2, 60, &second))
		return false;
	*ret = hour * 3600 + minute * 60 + second;
	if (!take_one_of(cursor, "."))
		return true;
	if (cursor->at == cursor->end || !is_digit(*cursor->at))
		return false;
	while (cursor->at < cursor->end && is_digit(*cursor->at))
		cursor->at++;
	return true;
}

/* What is to be taken off to get UTC. */
static bool take_offset(struct cursor *cursor, int64_t *ret)
{
	int hour, minute;
	char sign;

	*ret = 0;
	if (take_one_of(cursor, "Zz"))
		return true;
	sign = take_one_of(cursor, "+-");
	if (!sign || !take_number(cursor, 2, 23, &hour) || !take_one_of(cursor, ":") ||
	    !take_number(cursor, 2, 59, &minute))
		return false;
	*ret = (hour * 3600 + minute * 60) * (sign == '-' ? -1 : 1);
	return true;
}

static bool take_rfc3339(struct cursor *cursor, int64_t *ret)
{
	int64_t date, time, offset;

	if (!take_date(cursor, &date) || !take_one_of(cursor, "Tt ") || !take_time(cursor, &time) ||
	    !take_offset(cursor, &offset))
		return false;
	*ret = date + time - offset;
	return true;
}

static bool take_seconds(struct cursor *cursor, int64_t *ret)
{
	*ret = 0;
	while (cursor->at < cursor->end && is_digit(*cursor->at)) {
		if (*ret > INT64_MAX / NS_PER_SECOND)
			return false;
		*ret = *ret * 10 + (*cursor->at++ - '0');
	}
	return true;
}

int time_parse(const char *text, size_t size, int64_t *ret_ns)
{
	struct cursor cursor = { text, text + size };
	bool is_date = size > 4 && text[4] == '-';
	int64_t seconds;

	if (size == 0 || !(is_date ? take_rfc3339(&cursor, &seconds) : take_seconds(&cursor, &seconds)) ||
	    cursor.at != cursor.end || seconds < 0 || seconds > INT64_MAX / NS_PER_SECOND)
		return -EINVAL;
	*ret_ns = seconds * NS_PER_SECOND;
	return 0;
}
