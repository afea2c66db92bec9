/* listing_names.c - names by which files of a listing are told apart. See listing_names.h and library.h.
 *
 * STEM~INODE.EXT names one inode at most, whatever names there are: an extension holds no '~', so that the number is
 * read from the same place from which it was written, also where the stem was cut. */
#include "listing_names.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "library.h"

#define EXTENSION_MAX 8u /* characters behind the full stop; what is longer belongs to the name */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_extension_character(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '-' || c == '+';
}

/* Where the last extension of `size` bytes begins, or `size`. */
static size_t last_extension(const char *name, size_t size)
{
	size_t at = size;

	while (at > 0 && is_extension_character(name[at - 1]))
		at--;
	if (at < 2 || name[at - 1] != '.') /* that of a hidden file is none */
		return size;
	return at < size && size - at <= EXTENSION_MAX ? at - 1 : size;
}

size_t listing_extension(const char *name, size_t size)
{
	const size_t last = last_extension(name, size);
	const size_t tar = last < size ? last_extension(name, last) : last;

	/* .tar.gz and its like are one. */
	return last - tar == 4 && strncasecmp(name + tar, ".tar", 4) == 0 ? tar : last;
}

uint64_t listing_named_id(const char *name, size_t size)
{
	const size_t end = listing_extension(name, size);
	size_t at = end;
	uint64_t id = 0;

	while (at > 0 && is_digit(name[at - 1]))
		at--;
	if (at == end || at < 2 || name[at - 1] != '~' || name[at] == '0')
		return 0;
	for (; at < end; at++)
		if (__builtin_mul_overflow(id, 10u, &id) ||
		    __builtin_add_overflow(id, (uint64_t)(name[at] - '0'), &id))
			return 0;
	return id;
}

/* At most `size`: where a character begins, if the text is UTF-8. */
static size_t cut_between_characters(const char *text, size_t size)
{
	size_t cut = size;

	while (cut > 0 && size - cut < 4 && (text[cut] & 0xc0) == 0x80)
		cut--;
	return (text[cut] & 0xc0) == 0x80 ? size : cut;
}

void vault_listing_other_name(const char *name, uint64_t id, char ret_name[VAULT_NAME_MAX + 1])
{
	const size_t size = strnlen(name, VAULT_NAME_MAX);
	const size_t stem = listing_extension(name, size);
	char number[24];
	const size_t n = (size_t)snprintf(number, sizeof(number), "~%" PRIu64, id);
	const size_t room = VAULT_NAME_MAX - n - (size - stem);
	const size_t kept = stem <= room ? stem : cut_between_characters(name, room);

	memcpy(ret_name, name, kept);
	memcpy(ret_name + kept, number, n);
	memcpy(ret_name + kept + n, name + stem, size - stem);
	ret_name[kept + n + size - stem] = '\0';
}
