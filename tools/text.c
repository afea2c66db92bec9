/* text.c - numbers from users, and numbers, times and names for them. Knows no vault and no option. See text.h. */
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int to_number(const char *text, uint64_t *ret, const char **ret_end)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)*text)) /* strtoull would take blanks and a minus */
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	*ret = n;
	*ret_end = end;
	return 0;
}

static int unit_of(const char *suffix, uint64_t bare, uint64_t *ret)
{
	static const char letters[] = "BKMGT";
	const char *found;

	if (!*suffix) {
		*ret = bare;
		return 0;
	}
	found = strchr(letters, toupper((unsigned char)*suffix));
	if (!found)
		return -EINVAL;
	if (suffix[1] && strcasecmp(suffix + 1, "iB") != 0 && strcasecmp(suffix + 1, "B") != 0)
		return -EINVAL;
	*ret = UINT64_C(1) << (10 * (unsigned)(found - letters));
	return 0;
}

int text_to_size(const char *text, uint64_t unit, uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *end;
	uint64_t n, factor;
	int r = to_number(text, &n, &end);

	if (r < 0)
		return r;
	r = unit_of(end, unit, &factor);
	if (r < 0)
		return r;
	if (__builtin_mul_overflow(n, factor, &n) || n < min || n > max)
		return -ERANGE;
	*ret = n;
	return 0;
}

int text_to_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *end;
	uint64_t n;
	int r = to_number(text, &n, &end);

	if (r < 0)
		return r;
	if (*end)
		return -EINVAL;
	if (n < min || n > max)
		return -ERANGE;
	*ret = n;
	return 0;
}

struct text_number text_from_size(uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	struct text_number n;
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		(void)snprintf(n.text, sizeof(n.text), "%" PRIu64 " B", bytes);
		return n;
	}
	while (value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	(void)snprintf(n.text, sizeof(n.text), "%.1f %s", value, units[unit]);
	return n;
}

struct text_number text_from_count(uint64_t count)
{
	struct text_number n = { "" };
	char digits[24];
	size_t n_digits = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, count);
	size_t at = 0;

	for (size_t i = 0; i < n_digits; i++) {
		if (i > 0 && (n_digits - i) % 3 == 0)
			n.text[at++] = ',';
		n.text[at++] = digits[i];
	}
	return n;
}

struct text_number text_from_items(uint64_t count, const char *one, const char *many)
{
	struct text_number n;

	(void)snprintf(n.text, sizeof(n.text), "%.26s %.16s", text_from_count(count).text,
		       count == 1 ? one : many);
	return n;
}

struct text_number text_from_time(int64_t ns)
{
	struct text_number n = { "-" };
	time_t seconds = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0));
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		(void)strftime(n.text, sizeof(n.text), "%Y-%m-%d %H:%M", &tm);
	return n;
}

struct text_number text_from_mode(uint32_t mode)
{
	static const char bits[] = "rwxrwxrwx";
	struct text_number n = { "?" };

	n.text[0] = S_ISDIR(mode)    ? 'd'
		    : S_ISREG(mode)  ? '-'
		    : S_ISLNK(mode)  ? 'l'
		    : S_ISCHR(mode)  ? 'c'
		    : S_ISBLK(mode)  ? 'b'
		    : S_ISFIFO(mode) ? 'p'
		    : S_ISSOCK(mode) ? 's'
				     : '?';
	for (unsigned i = 0; i < 9; i++)
		n.text[i + 1] = mode & (0400u >> i) ? bits[i] : '-';
	if (mode & S_ISUID)
		n.text[3] = mode & S_IXUSR ? 's' : 'S';
	if (mode & S_ISGID)
		n.text[6] = mode & S_IXGRP ? 's' : 'S';
	if (mode & S_ISVTX)
		n.text[9] = mode & S_IXOTH ? 't' : 'T';
	return n;
}

struct text_number text_from_share(uint64_t part, uint64_t whole)
{
	struct text_number n;

	(void)snprintf(n.text, sizeof(n.text), "%.0f %%", whole ? 100.0 * (double)part / (double)whole : 0.0);
	return n;
}

/* Length of the UTF-8 sequence at `s`, 0 if there is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80                   ? 1
		   : s[0] >= 0xC2 && s[0] < 0xE0 ? 2
		   : s[0] >= 0xE0 && s[0] < 0xF0 ? 3
		   : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
						 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xC0) != 0x80) /* also stops at the NUL */
			return 0;
	if (n == 3 && ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F)))
		return 0; /* overlong; surrogate */
	if (n == 4 && ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)))
		return 0; /* overlong; past U+10FFFF */
	return n;
}

bool text_is_utf8(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	for (; *s; s += n) {
		n = utf8_length(s);
		if (n == 0)
			return false;
	}
	return true;
}

char *text_to_utf8(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	char *out = malloc(3 * strlen(text) + 1);
	char *at = out;

	if (!out)
		return NULL;
	while (*s) {
		size_t n = utf8_length(s);

		memcpy(at, n > 0 ? (const char *)s : "\xEF\xBF\xBD", n > 0 ? n : 3);
		at += n > 0 ? n : 3;
		s += n > 0 ? n : 1;
	}
	*at = '\0';
	return out;
}

void text_print_name(const char *name)
{
	if (!isatty(STDOUT_FILENO)) {
		(void)fputs(name, stdout); /* checked by command_finish_output(), as below */
		return;
	}
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		(void)putchar(c < 0x20 || c == 0x7F ? '?' : c);
	}
}
