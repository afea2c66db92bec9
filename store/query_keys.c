/* query_keys.c - the keys and words that the query language knows, and which of them may be meant by others. See
 * query_parser.h. */
#include "query_parser.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* The first of each key is its name in the canonical form. */
static const struct query_key_info keys[] = {
	{ "note", QUERY_NOTE, QUERY_CLASS_WORDS, .any = true, .example = "note:lighthouse" },
	{ "name", QUERY_NAME, QUERY_CLASS_GLOB, .example = "name:*.jpg" },
	{ "ext", QUERY_EXT, QUERY_CLASS_EXT, .list = true, .example = "ext:jpg,png" },
	{ "tag", QUERY_TAG, QUERY_CLASS_TAG, .list = true, .any = true, .example = "tag:holiday/beach" },
	{ "person", QUERY_PERSON, QUERY_CLASS_PERSON, .list = true, .any = true, .example = "person:anna" },
	{ "kind", QUERY_KIND, QUERY_CLASS_KIND, .list = true, .any = true, .example = "kind:video" },
	{ "type", QUERY_TYPE, QUERY_CLASS_TYPE, .list = true, .any = true, .example = "type:video/mp4" },
	{ "in", QUERY_IN, QUERY_CLASS_PATH, .example = "in:Photos/Rome" },
	{ "sha256", QUERY_SHA256, QUERY_CLASS_HASH, .any = true, .example = "sha256:9f86d081884c7d65" },
	{ "size", QUERY_SIZE, QUERY_CLASS_SIZE, .example = "size:>1G" },
	{ "length", QUERY_LENGTH, QUERY_CLASS_LENGTH, .any = true, .example = "length:>10m" },
	{ "width", QUERY_WIDTH, QUERY_CLASS_NUMBER, .any = true, .most = INT32_MAX,
	  .example = "width:>=1920" },
	{ "height", QUERY_HEIGHT, QUERY_CLASS_NUMBER, .any = true, .most = INT32_MAX,
	  .example = "height:720..1080" },
	{ "rating", QUERY_RATING, QUERY_CLASS_NUMBER, .any = true, .most = 10, .example = "rating:>=8" },
	{ "quality", QUERY_QUALITY, QUERY_CLASS_PERCENT, .any = true, .most = 100,
	  .example = "quality:>=80" },
	{ "date", QUERY_DATE, QUERY_CLASS_DAYS, .example = "date:2024-02..2024-03" },
	{ "modified", QUERY_MODIFIED, QUERY_CLASS_DAYS, .example = "modified:week" },
	{ "added", QUERY_ADDED, QUERY_CLASS_DAYS, .example = "added:today" },
	{ "seen", QUERY_SEEN, QUERY_CLASS_DAYS, .any = true, .example = "seen:2024" },
	{ "is", QUERY_N_KEYS, QUERY_CLASS_FLAG, .list = true, .example = "is:favorite" },
	/* other names */
	{ "filename", QUERY_NAME, QUERY_CLASS_GLOB, .example = "name:*.jpg" },
	{ "mime", QUERY_TYPE, QUERY_CLASS_TYPE, .list = true, .any = true, .example = "type:video/mp4" },
	{ "folder", QUERY_IN, QUERY_CLASS_PATH, .example = "in:Photos/Rome" },
	{ "duration", QUERY_LENGTH, QUERY_CLASS_LENGTH, .any = true, .example = "length:>10m" },
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

const struct query_key_info query_words_key = { "", QUERY_WORDS, QUERY_CLASS_WORDS, .example = "beach" };

static const struct {
	const char *name;
	enum query_key key;
} flags[] = {
	{ "favorite", QUERY_FAVORITE }, { "hidden", QUERY_HIDDEN },     { "seen", QUERY_SEEN },
	{ "unseen", QUERY_UNSEEN },     { "untagged", QUERY_UNTAGGED }, { "favourite", QUERY_FAVORITE },
};
#define N_FLAGS (sizeof(flags) / sizeof(flags[0]))

const char *query_key_name(enum query_key key)
{
	for (size_t i = 0; i < N_FLAGS; i++)
		if (flags[i].key == key)
			return flags[i].name;
	for (size_t i = 0; i < N_KEYS; i++)
		if (keys[i].key == key)
			return keys[i].name;
	return "";
}

const struct query_key_info *query_key_find(const char *name, size_t size)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (strlen(keys[i].name) == size && strncasecmp(keys[i].name, name, size) == 0)
			return &keys[i];
	return NULL;
}

/* How many letters differ, are missing or too many. Both are short. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t row[24];

	for (size_t j = 0; j <= b_size; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			size_t change = diagonal + ((a[i - 1] | 0x20) != b[j - 1]);
			size_t gap = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);

			diagonal = row[j];
			row[j] = change < gap ? change : gap;
		}
	}
	return row[b_size];
}

int query_key_unknown(struct query_parser *parser, size_t offset, size_t size)
{
	const char *best = NULL;
	size_t least = 3;

	for (size_t i = 0; size <= 16 && i < N_KEYS; i++) {
		size_t n = distance(parser->text + offset, size, keys[i].name, strlen(keys[i].name));

		if (n < least && n < size) {
			least = n;
			best = keys[i].name;
		}
	}
	if (best)
		return query_fail(parser, offset, size + 1,
				  "no such key: did you mean %s: ? Put it in quotes to search for it as text",
				  best);
	return query_fail(
		parser, offset, size + 1,
		"no such key: there are tag, kind, type, ext, name, note, in, date, modified, added, size, length, "
		"width, height, rating, quality, person, seen, sha256, is. Quotes make it text");
}

bool query_flag_find(const char *name, size_t size, enum query_key *ret)
{
	for (size_t i = 0; i < N_FLAGS; i++)
		if (strlen(flags[i].name) == size && memcmp(flags[i].name, name, size) == 0) {
			*ret = flags[i].key;
			return true;
		}
	return false;
}
