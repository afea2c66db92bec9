/* name_facts.c - dates and people in names. See name_facts.h. */
#include "name_facts.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define SECOND_NS 1000000000ll
#define COMPACT_FIRST 1970 /* eight digits may be any number: older dates are written with signs between */
#define YEAR_FIRST 1900
#define YEAR_LAST 2199

/* What cameras, telephones and programs put before a date. In lower case; a digit or a sign may follow in the name. */
static const char *const not_people[] = {
	/* clang-format off */
	"audio", "aud", "backup", "bild", "bildschirmaufnahme", "bildschirmfoto", "burst",
	"camera", "capture", "clip", "copy of", "csi", "dji", "doc", "document", "download",
	"dsc", "dscf", "dscn", "dump", "export", "fb_img", "file", "foto", "gopr", "imag",
	"image", "img", "invoice", "log", "mov", "movie", "mvi", "new", "note", "notes", "pano",
	"photo", "pic", "picture", "ptt", "pxl", "rec", "record", "recording", "report", "save",
	"scan", "screen recording", "screen shot", "screencast", "screenrecorder", "screenshot",
	"signal", "snap", "snapchat", "snapshot", "stk", "telegram", "trim", "untitled", "vid",
	"video", "voice", "wa", "whatsapp", "whatsapp audio", "whatsapp image", "whatsapp video",
	"win", "wp",
	/* clang-format on */
};

struct text {
	const char *at, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_sign(char c)
{
	return c != '\0' && strchr("-_. ", c) != NULL;
}

static size_t n_digits(const struct text *text)
{
	size_t n = 0;

	while (text->at + n < text->end && is_digit(text->at[n]))
		n++;
	return n;
}

/* `n` digits, which are there. */
static int take(struct text *text, size_t n)
{
	int value = 0;

	while (n-- > 0)
		value = 10 * value + (*text->at++ - '0');
	return value;
}

static bool take_sign(struct text *text, char sign)
{
	if (text->at == text->end || *text->at != sign)
		return false;
	text->at++;
	return true;
}

static bool date_exists(const struct name_facts *facts)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = facts->year % 4 == 0 && (facts->year % 100 != 0 || facts->year % 400 == 0);

	if (facts->year < YEAR_FIRST || facts->year > YEAR_LAST || facts->month < 1 || facts->month > 12)
		return false;
	return facts->day >= 1 && facts->day <= lengths[facts->month - 1] + (leap && facts->month == 2);
}

static bool set_time(struct name_facts *facts, int hour, int minute, int second)
{
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	facts->hour = hour;
	facts->minute = minute;
	facts->second = second;
	facts->has_time = true;
	return true;
}

/* "14-30-00", "14.30.00", "14:30", "2.30.05 PM". */
static bool read_time_with_signs(struct text *text, struct name_facts *facts)
{
	size_t n = n_digits(text);
	int hour, minute, second = 0;
	char sign;

	if (n < 1 || n > 2)
		return false;
	hour = take(text, n);
	sign = text->at < text->end ? *text->at : '\0';
	if (sign == '\0' || !strchr("-_.:h", sign))
		return false;
	text->at++;
	if (n_digits(text) != 2)
		return false;
	minute = take(text, 2);
	if (sign != 'h' && take_sign(text, sign)) {
		if (n_digits(text) < 2)
			return false;
		second = take(text, 2);
	} else if (n == 1 || sign == '_') {
		return false; /* "2.30" and "01_02" are as likely something else */
	}
	if (text->end - text->at >= 3 && is_sign(text->at[0]) && strncasecmp(text->at + 1, "pm", 2) == 0 &&
	    hour < 12)
		hour += 12;
	return set_time(facts, hour, minute, second);
}

/* What stands behind a date: "_143000", "-14-30-00", "T14:30:00", " at 14.30.00". Milliseconds may follow. */
static void read_time(struct text text, struct name_facts *facts)
{
	size_t n;

	if (text.end - text.at >= 4 && strncasecmp(text.at, " at ", 4) == 0)
		text.at += 4;
	else if (text.at < text.end && (is_sign(*text.at) || strchr("Tt@,", *text.at) != NULL))
		text.at++;
	else
		return;
	if (text.at < text.end && text.at[-1] != ' ' &&
	    *text.at == ' ') /* "2024-02-20, 14.30.00", "2024-02-20_ 14-30" */
		text.at++;
	n = n_digits(&text);
	if (n == 6 || n == 9) {
		int hour = take(&text, 2), minute = take(&text, 2);

		(void)set_time(facts, hour, minute, take(&text, 2)); /* what is no time is a number */
		return;
	}
	(void)read_time_with_signs(&text, facts); /* the same */
}

/* "20240220" or "20240220143000". */
static bool read_compact(struct text *text, size_t n, struct name_facts *facts)
{
	facts->year = take(text, 4);
	facts->month = take(text, 2);
	facts->day = take(text, 2);
	if (facts->year < COMPACT_FIRST || !date_exists(facts))
		return false;
	if (n > 8) {
		int hour = take(text, 2), minute = take(text, 2);

		return set_time(facts, hour, minute, take(text, 2));
	}
	read_time(*text, facts);
	return true;
}

/* "2024-02-20", the same sign twice. */
static bool read_with_signs(struct text *text, struct name_facts *facts)
{
	char sign;

	facts->year = take(text, 4);
	sign = text->at < text->end ? *text->at : '\0';
	if (!is_sign(sign))
		return false;
	text->at++;
	if (n_digits(text) != 2)
		return false;
	facts->month = take(text, 2);
	if (!take_sign(text, sign) || n_digits(text) != 2)
		return false;
	facts->day = take(text, 2);
	if (!date_exists(facts))
		return false;
	read_time(*text, facts);
	return true;
}

static bool read_date(struct text text, struct name_facts *ret)
{
	size_t n = n_digits(&text);

	*ret = (struct name_facts){ .year = 0 };
	if (n == 8 || n == 14 || n == 17)
		return read_compact(&text, n, ret);
	return n == 4 && read_with_signs(&text, ret);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* Is it one of what programs write, or that and a number? */
static bool is_from_program(const char *name, size_t size)
{
	while (size > 0 && (is_digit(name[size - 1]) || is_sign(name[size - 1])))
		size--;
	for (size_t i = 0; i < sizeof(not_people) / sizeof(not_people[0]); i++)
		if (strlen(not_people[i]) == size && strncasecmp(not_people[i], name, size) == 0)
			return true;
	return false;
}

/* What stands before the date, and is set apart from it. */
static void read_person(const char *name, size_t size, struct name_facts *facts)
{
	bool has_letter = false;

	if (size == 0 || !is_sign(name[size - 1]))
		return;
	while (size > 0 && is_sign(name[size - 1]))
		size--;
	while (size > 0 && is_sign(*name)) {
		name++;
		size--;
	}
	for (size_t i = 0; i < size; i++)
		has_letter |= is_letter(name[i]);
	if (!has_letter || size > NAME_PERSON_MAX || is_from_program(name, size))
		return;
	facts->person = name;
	facts->person_size = size;
}

bool name_facts_read(const char *name, size_t size, struct name_facts *ret)
{
	for (size_t i = 0; i < size; i++) {
		struct text text = { name + i, name + size };

		if (!is_digit(name[i]) || (i > 0 && is_digit(name[i - 1])))
			continue;
		if (!read_date(text, ret))
			continue;
		read_person(name, i, ret);
		return true;
	}
	return false;
}

int64_t name_facts_ns(const struct name_facts *facts)
{
	struct tm civil = { .tm_year = facts->year - 1900,
			    .tm_mon = facts->month - 1,
			    .tm_mday = facts->day,
			    .tm_hour = facts->hour,
			    .tm_min = facts->minute,
			    .tm_sec = facts->second,
			    .tm_isdst = -1 };

	return (int64_t)mktime(&civil) * SECOND_NS; /* of an existing date of these years: it fits */
}
