/* query_range.c - numbers with units, lengths and days, alone, compared with or from one to another. See query_parser.h. */
#include "query_parser.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "log.h"

#define DAYS_BACK_MAX 36500

/* ---- numbers ---- */

/* A number that stands for `value` to `value + span - 1` when nothing is compared with it: 1G is from 1 GiB to 2 GiB. */
struct number {
	int64_t value, span;
};

/* Decimal digits from part->at + *at on, moved behind them. 1, or 0 if there are none, or -ERANGE. */
static int take_digits(const struct query_part *part, size_t *at, int64_t *ret)
{
	size_t start = *at;
	int64_t number = 0;

	for (; *at < part->n && query_is_digit(part->at[*at]); (*at)++)
		if (__builtin_mul_overflow(number, (int64_t)10, &number) ||
		    __builtin_add_overflow(number, (int64_t)(part->at[*at] - '0'), &number))
			return -ERANGE;
	*ret = number;
	return *at > start;
}

/* Digits with up to three decimals, in thousandths: "1.5" is 1500, and its last digit counts 100.  1, 0, -ERANGE. */
static int take_decimal(const struct query_part *part, size_t *at, int64_t *ret_thousandths,
			int64_t *ret_last)
{
	int64_t whole;
	int r = take_digits(part, at, &whole);

	*ret_last = 1000;
	if (r <= 0)
		return r;
	if (__builtin_mul_overflow(whole, (int64_t)1000, ret_thousandths))
		return -ERANGE;
	if (*at + 1 >= part->n || part->at[*at] != '.' || !query_is_digit(part->at[*at + 1]))
		return 1;
	for ((*at)++; *at < part->n && query_is_digit(part->at[*at]) && *ret_last > 1; (*at)++) {
		*ret_last /= 10;
		*ret_thousandths += (part->at[*at] - '0') * *ret_last;
	}
	return 1;
}

/* thousandths * unit / 1000. */
static int scale(int64_t thousandths, int64_t last, int64_t unit, struct number *ret)
{
	__int128 value = (__int128)thousandths * unit / 1000, span = (__int128)last * unit / 1000;

	if (value > INT64_MAX / 2)
		return -ERANGE;
	*ret = (struct number){ (int64_t)value, span > 1 ? (int64_t)span : 1 };
	return 0;
}

static int fail_number(struct query_value *value, const struct query_part *part, int r)
{
	if (r == -ERANGE)
		return FAIL_PART(value, part, "too large a number");
	return FAIL_PART(value, part, "not what %s: takes: write it as in %s", value->info->name,
			 value->info->example);
}

static int size_parse(struct query_value *value, const struct query_part *part, struct number *ret)
{
	static const char units[] = "KMGTP";
	int64_t thousandths = 0, last = 0, unit = 1;
	size_t at = 0;
	int r = take_decimal(part, &at, &thousandths, &last);
	const char *found = r == 1 && at < part->n ? strchr(units, part->at[at] & ~0x20) : NULL;

	if (r != 1)
		return fail_number(value, part, r);
	if (found && *found) {
		unit = INT64_C(1) << 10 * (found - units + 1);
		at++;
		at += at < part->n && query_to_lower(part->at[at]) == 'i';
	}
	at += at < part->n && query_to_lower(part->at[at]) == 'b';
	if (at < part->n)
		return FAIL_PART(value, part, "a size is a number with K, M, G or T behind it, as in %s",
				 value->info->example);
	if (unit == 1 && last < 1000)
		return FAIL_PART(value, part, "there is no part of a byte: write a unit, as in 1.5G");
	r = scale(thousandths, last, unit, ret);
	return r < 0 ? fail_number(value, part, r) : 0;
}

/* "1:02:03", "2:30"; `at` stands on the first ':'. */
static int clock_parse(struct query_value *value, const struct query_part *part, size_t at, int64_t first,
		       struct number *ret)
{
	int64_t seconds = first;

	for (int n = 0; at < part->n; n++) {
		size_t start = ++at;
		int64_t next = 0;
		int r = take_digits(part, &at, &next);

		if (n == 2 || r != 1 || at - start != 2 || next > 59 || (at < part->n && part->at[at] != ':'))
			return FAIL_PART(value, part,
					 "a length is written as 1:02:03, 2:30, 90s, 10m or 1h30m");
		if (__builtin_mul_overflow(seconds, (int64_t)60, &seconds))
			return fail_number(value, part, -ERANGE);
		seconds += next;
	}
	if (scale(seconds, 1, 1000000, ret) < 0)
		return fail_number(value, part, -ERANGE);
	ret->span = 1000;
	return 0;
}

/* In ms: "90", "90s", "1.5h", "1h30m", or a clock. */
static int length_parse(struct query_value *value, const struct query_part *part, struct number *ret)
{
	int64_t largest = INT64_MAX, sum = 0, span = 1;
	size_t at = 0;

	while (at < part->n) {
		int64_t thousandths = 0, last = 0, unit = 1000;
		struct number number;
		int r = take_decimal(part, &at, &thousandths, &last);
		char c = at < part->n ? query_to_lower(part->at[at]) : 's';

		if (r < 0)
			return fail_number(value, part, r);
		if (r == 1 && c == ':' && sum == 0 && last == 1000)
			return clock_parse(value, part, at, thousandths / 1000, ret);
		unit = c == 'h' ? 3600000 : c == 'm' ? 60000 : 1000;
		if (r == 0 || !strchr("hms", c) || unit >= largest || (largest < INT64_MAX && at >= part->n))
			return FAIL_PART(value, part,
					 "a length is written as 1:02:03, 2:30, 90s, 10m or 1h30m");
		if (scale(thousandths, last, unit, &number) < 0)
			return fail_number(value, part, -ERANGE);
		at += at < part->n;
		largest = unit;
		sum += number.value; /* at most a quarter and a half of what fits */
		span = number.span;
		if (sum > INT64_MAX / 4)
			return fail_number(value, part, -ERANGE);
	}
	*ret = (struct number){ sum, span };
	return 0;
}

static int plain_parse(struct query_value *value, const struct query_part *part, struct number *ret)
{
	int64_t most = value->info->most;
	size_t at = 0;
	int r = take_digits(part, &at, &ret->value);

	at += r == 1 && value->info->class == QUERY_CLASS_PERCENT && at < part->n && part->at[at] == '%';
	if (r == 0 || at < part->n)
		return fail_number(value, part, 0);
	if (r < 0 || ret->value > most)
		return FAIL_PART(value, part, "%s: is at most %" PRIi64, value->info->name, most);
	ret->span = 1;
	return 0;
}

static int number_parse(struct query_value *value, const struct query_part *part, struct number *ret)
{
	if (part->n == 0)
		return FAIL_PART(value, part, "a number is missing here, as in %s", value->info->example);
	if (value->info->class == QUERY_CLASS_SIZE)
		return size_parse(value, part, ret);
	return value->info->class == QUERY_CLASS_LENGTH ? length_parse(value, part, ret)
							: plain_parse(value, part, ret);
}

/* ---- days ---- */

/* From the first to the last day that a word or a date means. */
struct days {
	enum query_bound_kind kind;
	int64_t first, last;
};

int64_t query_day_of(int64_t year, int month, int day)
{
	/* Years begin in March here, so that the leap day is their last. */
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

/* "7d" and "2w" are so many days, today included; "1y" is 365. */
static bool days_back_parse(const struct query_part *part, struct days *ret)
{
	int64_t n = 0;
	size_t at = 0;

	if (take_digits(part, &at, &n) != 1 || at + 1 != part->n || n == 0 || n > DAYS_BACK_MAX)
		return false;
	switch (query_to_lower(part->at[at])) {
	case 'd':
		break;
	case 'w':
		n *= 7;
		break;
	case 'y':
		n *= 365;
		break;
	default:
		return false;
	}
	*ret = (struct days){ QUERY_DAY_FROM_TODAY, 1 - n, 0 };
	return n <= DAYS_BACK_MAX;
}

static bool day_word_parse(const struct query_part *part, struct days *ret)
{
	static const struct {
		const char *word;
		int first, last;
	} words[] = {
		{ "today", 0, 0 },   { "yesterday", -1, -1 }, { "week", -6, 0 },
		{ "month", -29, 0 }, { "year", -364, 0 },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == part->n && strncasecmp(words[i].word, part->at, part->n) == 0) {
			*ret = (struct days){ QUERY_DAY_FROM_TODAY, words[i].first, words[i].last };
			return true;
		}
	return days_back_parse(part, ret);
}

/* "-02" behind a year: two digits from 1 to `most`. */
static bool take_month_or_day(const struct query_part *part, size_t *at, int most, int *ret)
{
	const char *c = part->at + *at;

	if (part->n - *at < 3 || c[0] != '-' || !query_is_digit(c[1]) || !query_is_digit(c[2]))
		return false;
	*ret = (c[1] - '0') * 10 + c[2] - '0';
	*at += 3;
	return *ret >= 1 && *ret <= most;
}

static int month_length(int64_t year, int month)
{
	int64_t next_year = month == 12 ? year + 1 : year;

	return (int)(query_day_of(next_year, month % 12 + 1, 1) - query_day_of(year, month, 1));
}

/* "2024", "2024-02", "2024-02-20". */
static bool date_parse(const struct query_part *part, struct days *ret)
{
	int64_t year = 0;
	int month = 0, day = 0;
	size_t at = 0;

	if (take_digits(part, &at, &year) != 1 || at != 4 || year == 0)
		return false;
	if (at < part->n && !take_month_or_day(part, &at, 12, &month))
		return false;
	if (at < part->n && !take_month_or_day(part, &at, month_length(year, month), &day))
		return false;
	if (at < part->n)
		return false;
	ret->kind = QUERY_DAY;
	ret->first = query_day_of(year, month ? month : 1, day ? day : 1);
	ret->last =
		query_day_of(year, month ? month : 12, day ? day : month_length(year, month ? month : 12));
	return true;
}

static int days_parse(struct query_value *value, const struct query_part *part, struct days *ret)
{
	if (part->n == 0)
		return FAIL_PART(value, part, "a date is missing here, as in %s", value->info->example);
	if (day_word_parse(part, ret) || date_parse(part, ret))
		return 0;
	return FAIL_PART(
		value, part,
		"no such date: write 2024, 2024-02, 2024-02-20, today, yesterday, week, month, year or 10d");
}

/* ---- comparisons and ranges ---- */

enum comparison { SAME, GREATER, GREATER_OR_SAME, LESS, LESS_OR_SAME };

static enum comparison take_comparison(struct query_part *part)
{
	static const struct {
		const char *sign;
		enum comparison comparison;
	} signs[] = { { ">=", GREATER_OR_SAME },
		      { "<=", LESS_OR_SAME },
		      { ">", GREATER },
		      { "<", LESS },
		      { "=", SAME } };

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		size_t n = strlen(signs[i].sign);

		if (part->n >= n && memcmp(part->at, signs[i].sign, n) == 0) {
			*part = (struct query_part){ part->at + n, part->n - n, part->offset + n };
			return signs[i].comparison;
		}
	}
	return SAME;
}

/* What a part says, as the lowest and highest it means, and what comparing with it goes by. */
struct extent {
	enum query_bound_kind kind;
	int64_t first, last; /* it means these */
	int64_t after;       /* greater is from here on */
	int64_t upto;        /* less or same is up to here, also as the end of a range */
};

static int extent_parse(struct query_value *value, const struct query_part *part, struct extent *ret)
{
	struct number number = { 0 };
	struct days days = { 0 };
	int r;

	if (value->info->class == QUERY_CLASS_DAYS) {
		r = days_parse(value, part, &days);
		if (r == 0)
			*ret = (struct extent){ days.kind, days.first, days.last, days.last + 1, days.last };
		return r;
	}
	r = number_parse(value, part, &number);
	if (r == 0)
		*ret = (struct extent){ QUERY_NUMBER, number.value, number.value + number.span - 1,
					number.value + 1, number.value };
	return r;
}

static int compare_read(struct query_value *value, struct query_part *part)
{
	enum comparison comparison = take_comparison(part);
	struct query_bound *low = &value->term->low, *high = &value->term->high;
	struct extent extent = { 0 };
	int r = extent_parse(value, part, &extent);

	if (r < 0)
		return r;
	if (comparison == SAME || comparison == GREATER_OR_SAME)
		*low = (struct query_bound){ extent.kind, extent.first };
	if (comparison == GREATER)
		*low = (struct query_bound){ extent.kind, extent.after };
	if (comparison == SAME)
		*high = (struct query_bound){ extent.kind, extent.last };
	if (comparison == LESS)
		*high = (struct query_bound){ extent.kind, extent.first - 1 };
	if (comparison == LESS_OR_SAME)
		*high = (struct query_bound){ extent.kind, extent.upto };
	return 0;
}

/* `dots` bytes into the whole stands "..". */
static int range_read(struct query_value *value, const struct query_part *whole, size_t dots)
{
	struct query_part from = { whole->at, dots, whole->offset };
	struct query_part to = { whole->at + dots + 2, whole->n - dots - 2, whole->offset + dots + 2 };
	struct query_term *term = value->term;
	struct extent extent = { 0 };
	int r = 0;

	if (from.n == 0 && to.n == 0)
		return FAIL(value, "a range needs at least one end, as in 10..20, 10.. or ..20");
	if (from.n > 0) {
		r = extent_parse(value, &from, &extent);
		term->low = (struct query_bound){ extent.kind, extent.first };
	}
	if (r == 0 && to.n > 0) {
		r = extent_parse(value, &to, &extent);
		term->high = (struct query_bound){ extent.kind, extent.upto };
	}
	if (r < 0)
		return r;
	if (term->low.kind == term->high.kind && term->low.value > term->high.value)
		return FAIL(value, "nothing lies in this range: its start is behind its end");
	return 0;
}

/* One spelling: small letters, but units of sizes in capitals and without B or iB; no '='. */
static void normalize_range(const struct query_key_info *info, char *text)
{
	char *to = text;

	for (const char *from = *text == '=' ? text + 1 : text; *from; from++) {
		char c = query_to_lower(*from);

		if (info->class == QUERY_CLASS_SIZE && (c == 'i' || c == 'b'))
			continue;
		if (info->class == QUERY_CLASS_PERCENT && c == '%')
			continue;
		*to++ = (char)(info->class == QUERY_CLASS_SIZE && c >= 'a' ? c & ~0x20 : c);
	}
	*to = '\0';
}

int query_range_read(struct query_value *value)
{
	const struct query_raw *raw = value->raw;
	struct query_part part = { raw->text, raw->size, raw->offset };
	const char *dots;
	int r;

	if (raw->quoted)
		return FAIL(value, "%s: takes no quotes: write it as in %s", value->info->name,
			    value->info->example);
	dots = memmem(part.at, part.n, "..", 2);
	if (dots)
		r = range_read(value, &part, (size_t)(dots - part.at));
	else
		r = compare_read(value, &part);
	if (r == 0)
		r = query_value_set(value, raw->text, raw->size);
	if (r == 0)
		normalize_range(value->info, value->term->text);
	return r;
}
