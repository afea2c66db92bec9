/* query_parser.h - what the parts of the parser share: query_parse.c, the grammar; query_keys.c, the words it knows;
 * query_value.c and query_range.c, what stands behind a key. */
#ifndef VAULTFS_QUERY_PARSER_H
#define VAULTFS_QUERY_PARSER_H

#include "query.h"

enum query_class {
	QUERY_CLASS_WORDS,
	QUERY_CLASS_GLOB,
	QUERY_CLASS_EXT,
	QUERY_CLASS_TAG,
	QUERY_CLASS_PERSON,
	QUERY_CLASS_KIND,
	QUERY_CLASS_TYPE,
	QUERY_CLASS_PATH,
	QUERY_CLASS_HASH,
	QUERY_CLASS_NUMBER, /* from here on: comparisons and ranges, never in quotes */
	QUERY_CLASS_SIZE,
	QUERY_CLASS_LENGTH,
	QUERY_CLASS_PERCENT,
	QUERY_CLASS_DAYS,
	QUERY_CLASS_FLAG, /* is:favorite */
};

struct query_key_info {
	const char *name;
	enum query_key key;
	enum query_class class;
	bool list;    /* a,b: one or the other */
	bool any;     /* '*' is understood */
	int64_t most; /* of a number */
	const char *example;
};

struct query_parser {
	const char *text;
	size_t size;
	size_t at;
	unsigned depth, n_terms;
	size_t operator_at,
		operator_size; /* the word or sign that wants an operand next; size 0: none does */
	const struct query_key_info *group; /* inside KEY:( ), its key */
	struct vault_query_error *error;
	char unquoted[VAULT_QUERY_MAX];
};

/* Say what is wrong with `length` bytes at `offset`. Returns -EINVAL. */
int query_fail(struct query_parser *parser, size_t offset, size_t length, const char *format, ...)
	__attribute__((format(printf, 4, 5), cold));

/* A value as it stands in the query. */
struct query_raw {
	size_t offset, length; /* in the query, with its quotes */
	const char *text;      /* without them, and with escapes taken back; borrowed */
	size_t size;
	bool quoted;
	bool prefix; /* a '*' behind the closing quote */
	bool exact;  /* an '=' before the opening quote */
};

/* Fill `ret`, whose key is set, from a value.  -EINVAL (the parser's error says why); -ENOMEM (logged). */
int query_value_read(struct query_parser *parser, const struct query_key_info *info,
		     const struct query_raw *raw, struct query_term *ret);

/* ---- keys ---- */

/* The key of bare words. */
extern const struct query_key_info query_words_key;

/* The key called that, whatever its case, or NULL. */
const struct query_key_info *query_key_find(const char *name, size_t size);

/* Say that `size` bytes at `offset` are no key, and which may have been meant. Returns -EINVAL. */
int query_key_unknown(struct query_parser *parser, size_t offset, size_t size);

/* Is it a word that stands for itself, as favorite does? */
bool query_flag_find(const char *name, size_t size, enum query_key *ret);

/* ---- values ---- */

/* Part of a value: `n` bytes at `at`. */
struct query_part {
	const char *at;
	size_t n;
	size_t offset; /* in the query */
};

/* What the readers of values are given. */
struct query_value {
	struct query_parser *parser;
	const struct query_key_info *info;
	const struct query_raw *raw;
	struct query_term *term;
};

#define FAIL(value, ...) query_fail((value)->parser, (value)->raw->offset, (value)->raw->length, __VA_ARGS__)
#define FAIL_PART(value, part, ...) query_fail((value)->parser, (part)->offset, (part)->n, __VA_ARGS__)

int query_value_set(struct query_value *value, const char *text, size_t size);

/* A number, a length or a day, alone, compared or as a range. */
int query_range_read(struct query_value *value);

/* ASCII's only: the language of queries is English. */
static inline bool query_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline char query_to_lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

#endif
