/* query_value.c - the values of a query's terms: words, patterns, names. See query_parser.h.
 *
 * Each is checked and brought into one spelling. */
#include "query_parser.h"

#include <errno.h>
#include <string.h>

#include "kind.h"
#include "log.h"

int query_value_set(struct query_value *value, const char *text, size_t size)
{
	value->term->text = strndup(text, size);
	return value->term->text ? 0 : log_err(-ENOMEM, "no memory for a query");
}

static int set_lower(struct query_value *value, const char *text, size_t size)
{
	int r = query_value_set(value, text, size);

	for (char *c = value->term->text; r == 0 && *c; c++)
		*c = query_to_lower(*c);
	return r;
}

/* ---- text ---- */

/* Whether there is something to search for in it: a letter, a digit, or what ASCII does not have. */
static bool has_word(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char c = query_to_lower(text[i]);

		if (query_is_digit(c) || (c >= 'a' && c <= 'z') || (c & 0x80))
			return true;
	}
	return false;
}

static int words_read(struct query_value *value)
{
	const struct query_raw *raw = value->raw;
	size_t size = raw->size;
	const char *star = raw->quoted ? NULL : memchr(raw->text, '*', size);

	value->term->prefix = raw->prefix;
	if (star && star == raw->text + size - 1 && size > 1) {
		value->term->prefix = true;
		star = NULL;
		size--;
	}
	if (star)
		return query_fail(value->parser, raw->offset + (size_t)(star - raw->text), 1,
				  "'*' stands at the end of a word: for patterns of names write name:%.*s",
				  (int)(raw->size < 60 ? raw->size : 60), raw->text);
	if (!has_word(raw->text, size))
		return FAIL(value,
			    "no letter or digit in it: leave it out, or look for it in names with name:");
	return query_value_set(value, raw->text, size);
}

static int glob_read(struct query_value *value)
{
	const char *text = value->raw->text;
	size_t size = value->raw->size;
	bool exact = size > 0 && text[0] == '=' && !value->raw->quoted;
	const char *open;

	if (exact) { /* name:="..." has lost the sign already */
		text++;
		size--;
	}
	if (size == 0)
		return FAIL(value, "name: needs a pattern, as in %s", value->info->example);
	if (memchr(text, '/', size))
		return FAIL(value, "a name has no '/' in it: for a folder write in:");
	value->term->exact = exact || value->raw->exact;
	open = value->term->exact ? NULL : memchr(text, '[', size);
	for (; open; open = memchr(open, '[', size - (size_t)(open - text))) {
		/* "[]...]" and "[^]...]" have a ']' in them */
		size_t left = size - (size_t)(open - text), skip = 1;

		skip += skip < left && (open[skip] == '^' || open[skip] == '!');
		skip += skip < left;
		open = skip < left ? memchr(open + skip, ']', left - skip) : NULL;
		if (!open)
			return FAIL(value, "a '[' without its ']': write [[] for the sign itself");
	}
	return query_value_set(value, text, size);
}

static int ext_read(struct query_value *value)
{
	const char *text = value->raw->text;
	size_t size = value->raw->size;

	while (size > 0 && text[0] == '.') {
		text++;
		size--;
	}
	if (size == 0 || memchr(text, '/', size) || memchr(text, '*', size))
		return FAIL(value, "not the end of a name: write it as in %s", value->info->example);
	return set_lower(value, text, size);
}

static int tag_read(struct query_value *value)
{
	const char *text = value->raw->text;
	size_t size = value->raw->size;

	while (size > 0 && (*text == ' ' || *text == '/')) {
		text++;
		size--;
	}
	while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '/'))
		size--;
	if (size == 0)
		return FAIL(value, "no tag: write it as in %s", value->info->example);
	if (size > 255)
		return FAIL(value, "a tag has at most 255 bytes");
	return query_value_set(value, text, size);
}

static int person_read(struct query_value *value)
{
	if (value->raw->size == 0)
		return FAIL(value, "no name: write it as in %s", value->info->example);
	return query_value_set(value, value->raw->text, value->raw->size);
}

static int kind_read(struct query_value *value)
{
	int r = set_lower(value, value->raw->text, value->raw->size);

	if (r < 0 || kind_find(value->term->text) < KIND_N)
		return r;
	return FAIL(value, "no such kind: there are image, video, audio, text, document, archive and other");
}

/* "video/mp4", or either half of it; "video/\*" is "video". */
static int type_read(struct query_value *value)
{
	const char *text = value->raw->text;
	size_t size = value->raw->size, n_slashes = 0;

	if (size > 2 && memcmp(text + size - 2, "/*", 2) == 0)
		size -= 2;
	for (size_t i = 0; i < size; i++) {
		char c = query_to_lower(text[i]);
		bool good =
			(c >= 'a' && c <= 'z') || query_is_digit(c) || (c != '\0' && strchr("/.+-_!#$&^", c));

		n_slashes += c == '/';
		if (!good || n_slashes > 1 || (c == '/' && (i == 0 || i == size - 1)))
			return FAIL(value, "not a MIME type or a half of one: write it as in %s",
				    value->info->example);
	}
	if (size == 0)
		return FAIL(value, "no type: write it as in %s", value->info->example);
	return set_lower(value, text, size);
}

/* Names with one '/' between them. */
static int path_read(struct query_value *value)
{
	const struct query_raw *raw = value->raw;
	size_t n = 0;
	int r = query_value_set(value, raw->text, raw->size);

	if (r < 0)
		return r;
	for (size_t i = 0, size; i < raw->size; i += size + 1) {
		const char *slash = memchr(raw->text + i, '/', raw->size - i);

		size = slash ? (size_t)(slash - raw->text) - i : raw->size - i;
		if (size == 0)
			continue;
		if (strncmp(raw->text + i, ".", size) == 0 ||
		    (size == 2 && memcmp(raw->text + i, "..", 2) == 0))
			return FAIL(value, "folders are named from the top of the mount, without . and ..");
		if (n > 0)
			value->term->text[n++] = '/';
		memmove(value->term->text + n, raw->text + i, size);
		n += size;
	}
	value->term->text[n] = '\0';
	return n > 0 ? 0 : FAIL(value, "no folder: write it as in %s", value->info->example);
}

static int hash_read(struct query_value *value)
{
	const struct query_raw *raw = value->raw;

	for (size_t i = 0; i < raw->size; i++)
		if (!query_is_digit(raw->text[i]) &&
		    (query_to_lower(raw->text[i]) < 'a' || query_to_lower(raw->text[i]) > 'f'))
			return query_fail(value->parser, raw->offset, raw->length,
					  "a SHA-256 is 64 hexadecimal digits, of which the first 8 will do");
	if (raw->size < 8 || raw->size > 64)
		return FAIL(value, "a SHA-256 is 64 hexadecimal digits, of which the first 8 will do");
	return set_lower(value, raw->text, raw->size);
}

/* ---- any of them ---- */

int query_value_read(struct query_parser *parser, const struct query_key_info *info,
		     const struct query_raw *raw, struct query_term *ret)
{
	static int (*const readers[])(struct query_value * value) = {
		[QUERY_CLASS_WORDS] = words_read,
		[QUERY_CLASS_GLOB] = glob_read,
		[QUERY_CLASS_EXT] = ext_read,
		[QUERY_CLASS_TAG] = tag_read,
		[QUERY_CLASS_PERSON] = person_read,
		[QUERY_CLASS_KIND] = kind_read,
		[QUERY_CLASS_TYPE] = type_read,
		[QUERY_CLASS_PATH] = path_read,
		[QUERY_CLASS_HASH] = hash_read,
		[QUERY_CLASS_NUMBER] = query_range_read,
		[QUERY_CLASS_SIZE] = query_range_read,
		[QUERY_CLASS_LENGTH] = query_range_read,
		[QUERY_CLASS_PERCENT] = query_range_read,
		[QUERY_CLASS_DAYS] = query_range_read,
	};
	struct query_value value = { parser, info, raw, ret };

	if (info->any && !raw->quoted && raw->size == 1 && *raw->text == '*') {
		/* Seen at any time is what the word alone says. */
		ret->any = info->key != QUERY_SEEN;
		return query_value_set(&value, ret->any ? "*" : "", ret->any ? 1 : 0);
	}
	return readers[info->class](&value);
}
