/* text.c - which encoding a text has, and UTF-8 made of it. See text.h. */
#include "text.h"
#include "utf8.h"

#include <string.h>

enum encoding { NO_TEXT, UTF_8, UTF_16_LE, UTF_16_BE, WINDOWS_1252 };

/* 0x80 to 0x9f of Windows-1252; 0: none. */
static const uint16_t windows_1252[32] = {
	0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

bool text_is_type(const char *mime)
{
	static const char *const others[] = {
		"application/json",
		"application/x-ndjson",
		"application/xml",
		"application/javascript",
		"application/x-subrip",
		"application/sql",
		"application/toml",
		"application/x-yaml",
		"application/yaml",
		"application/x-shellscript",
		"application/x-tex",
		"application/x-bibtex",
		"application/x-mpegurl",
		"application/vnd.apple.mpegurl",
		"message/rfc822",
		"application/mbox",
		"application/x-wine-extension-ini",
		"application/x-setupscript",
		"application/pgp-signature",
	};
	const size_t n = strlen(mime);

	if (strncmp(mime, "text/", 5) == 0)
		return strcmp(mime, "text/rtf") != 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(mime, others[i]) == 0)
			return true;
	return (n > 4 && strcmp(mime + n - 4, "+xml") == 0) || (n > 5 && strcmp(mime + n - 5, "+json") == 0);
}

static bool is_utf8(const uint8_t *bytes, size_t size, bool is_whole)
{
	while (size > 0) {
		uint32_t point;
		const size_t n = utf8_take(bytes, size, &point);

		if (n == 0 && (is_whole || size >= 4))
			return false;
		if (n == 0)
			return true;
		bytes += n;
		size -= n;
	}
	return true;
}

/* Without a mark: text of which every other byte is mostly 0, as in languages that write with Latin letters. */
static enum encoding guess_by_zeroes(const uint8_t *bytes, size_t size)
{
	size_t zeroes[2] = { 0, 0 };

	for (size_t i = 0; i < size; i++)
		zeroes[i & 1] += bytes[i] == 0;
	if (zeroes[0] + zeroes[1] == 0)
		return WINDOWS_1252;
	if (zeroes[1] > size / 4 && zeroes[0] <= size / 100)
		return UTF_16_LE;
	if (zeroes[0] > size / 4 && zeroes[1] <= size / 100)
		return UTF_16_BE;
	return NO_TEXT;
}

static enum encoding encoding_of(const uint8_t *bytes, size_t size, bool is_whole, size_t *ret_mark)
{
	*ret_mark = 0;
	if (size >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0)) {
		*ret_mark = 2;
		return bytes[0] == 0xff ? UTF_16_LE : UTF_16_BE;
	}
	if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		*ret_mark = 3;
	if (!memchr(bytes, 0, size) && is_utf8(bytes, size, is_whole))
		return UTF_8;
	*ret_mark = 0;
	return guess_by_zeroes(bytes, size);
}

static uint32_t unit_16(const uint8_t *bytes, enum encoding encoding)
{
	return encoding == UTF_16_LE ? (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8
				     : (uint32_t)bytes[1] | (uint32_t)bytes[0] << 8;
}

/* The next character: how many bytes it takes; 0: a part of one. A lone surrogate becomes U+FFFD. */
static size_t take_16(const uint8_t *bytes, size_t size, enum encoding encoding, uint32_t *ret_point)
{
	uint32_t unit, low;

	if (size < 2)
		return 0;
	unit = unit_16(bytes, encoding);
	*ret_point = unit;
	if (unit < 0xd800 || unit >= 0xe000)
		return 2;
	if (size < 4)
		return 0;
	low = unit_16(bytes + 2, encoding);
	if (unit >= 0xdc00 || low < 0xdc00 || low >= 0xe000) {
		*ret_point = 0xfffd;
		return 2;
	}
	*ret_point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	return 4;
}

static size_t take_character(const uint8_t *bytes, size_t size, enum encoding encoding, uint32_t *ret_point)
{
	if (encoding == UTF_8)
		return utf8_take(bytes, size, ret_point);
	if (encoding != WINDOWS_1252)
		return take_16(bytes, size, encoding, ret_point);
	*ret_point = bytes[0] >= 0x80 && bytes[0] < 0xa0 ? windows_1252[bytes[0] - 0x80] : bytes[0];
	return 1;
}

size_t text_convert(const uint8_t *bytes, size_t size, bool is_whole, uint8_t *to, size_t max)
{
	size_t at, n, written = 0;
	uint32_t point = 0, before = 0;
	const enum encoding encoding = encoding_of(bytes, size, is_whole, &at);

	if (encoding == NO_TEXT)
		return 0;
	for (; at < size && max - written >= 4; at += n, before = point) {
		n = take_character(bytes + at, size - at, encoding, &point);
		if (n == 0)
			break; /* cut short, at the end */
		if (point == '\n' && before == '\r')
			continue;
		if (point == '\r' || point == '\f')
			written += utf8_put('\n', to + written);
		else if (utf8_is_plain(point))
			written += utf8_put(point, to + written);
	}
	return written;
}
