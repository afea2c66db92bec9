/* query_parse.c - the grammar of the query language: operators, parentheses, keys, words and quotes. See query.h.
 *
 *   or    = and { "or" and }
 *   and   = not { ["and"] not }
 *   not   = { "-" | "not" } item
 *   item  = "(" or ")" | KEY ":" value { "," value } | KEY ":(" or ")" | flag | word ["*"] | phrase ["*"]
 *
 * Which keys there are is for query_keys.c, what values look like for query_value.c. */
#include "query_parser.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

int query_fail(struct query_parser *parser, size_t offset, size_t length, const char *format, ...)
{
	va_list args;

	parser->error->offset = offset;
	parser->error->length = length;
	va_start(args, format);
	(void)vsnprintf(parser->error->message, sizeof(parser->error->message), format, args);
	va_end(args); /* a message that is cut still says enough */
	return -EINVAL;
}

/* ---- characters ---- */

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool at_end(const struct query_parser *parser)
{
	return parser->at == parser->size;
}

/* The character there; a space past the end. */
static char peek(const struct query_parser *parser, size_t at)
{
	return at < parser->size ? parser->text[at] : ' ';
}

static void skip_spaces(struct query_parser *parser)
{
	while (!at_end(parser) && is_space(parser->text[parser->at]))
		parser->at++;
}

/* Where what stands unquoted at `at` ends. */
static size_t end_of_word(const struct query_parser *parser, size_t at)
{
	while (at < parser->size && !is_space(parser->text[at]) && !strchr("()\"", parser->text[at]))
		at++;
	return at;
}

static bool is_word(const struct query_parser *parser, size_t at, size_t size, const char *word)
{
	return strlen(word) == size && memcmp(parser->text + at, word, size) == 0;
}

/* The size of the operator `small` (or `capital`) at the parser's place, 0 if it is something else. */
static size_t peek_operator(const struct query_parser *parser, const char *small, const char *capital)
{
	size_t size = end_of_word(parser, parser->at) - parser->at;

	return is_word(parser, parser->at, size, small) || is_word(parser, parser->at, size, capital) ? size
												      : 0;
}

static bool take_operator(struct query_parser *parser, const char *small, const char *capital)
{
	size_t size;

	skip_spaces(parser);
	size = peek_operator(parser, small, capital);
	if (size == 0)
		return false;
	parser->operator_at = parser->at;
	parser->operator_size = size;
	parser->at += size;
	return true;
}

/* What was read must be followed by a space, ')' or the end. */
static int expect_boundary(struct query_parser *parser)
{
	char c = peek(parser, parser->at);

	if (is_space(c) || c == ')')
		return 0;
	if (c == '"')
		return query_fail(
			parser, parser->at, 1,
			"a quote in the middle of a word: put all of it in quotes, and write \\\" for a quote in them");
	if (c == '(')
		return query_fail(
			parser, parser->at, 1,
			"a space is missing before '(': put it in quotes if it belongs to the word");
	return query_fail(parser, parser->at, 1, "a space is missing here");
}

/* ---- values ---- */

static int count_term(struct query_parser *parser, size_t offset, size_t length)
{
	if (++parser->n_terms <= QUERY_TERMS_MAX)
		return 0;
	return query_fail(parser, offset, length, "more than %u terms: search for less at once",
			  QUERY_TERMS_MAX);
}

/* A quoted value from the opening quote on. Only \" and \\ are escapes: other backslashes are themselves. */
static int read_quoted(struct query_parser *parser, struct query_raw *ret)
{
	size_t at = parser->at + 1, n = 0;

	for (; at < parser->size && parser->text[at] != '"'; at++) {
		if (parser->text[at] == '\\' && (peek(parser, at + 1) == '"' || peek(parser, at + 1) == '\\'))
			at++;
		parser->unquoted[n++] = parser->text[at];
	}
	if (at >= parser->size)
		return query_fail(parser, parser->at, parser->size - parser->at,
				  "this quote is never closed");
	*ret = (struct query_raw){ .offset = parser->at,
				   .length = at + 1 - parser->at,
				   .text = parser->unquoted,
				   .size = n,
				   .quoted = true };
	parser->at = at + 1;
	return 0;
}

static int read_raw(struct query_parser *parser, const struct query_key_info *info, struct query_raw *ret)
{
	bool exact = info->class == QUERY_CLASS_GLOB && peek(parser, parser->at) == '=' &&
		     peek(parser, parser->at + 1) == '"';
	size_t end;

	parser->at += exact;
	if (peek(parser, parser->at) == '"') {
		int r = read_quoted(parser, ret);

		ret->exact = exact;
		if (r == 0 && info->class == QUERY_CLASS_WORDS && peek(parser, parser->at) == '*') {
			ret->prefix = true;
			ret->length++;
			parser->at++;
		}
		return r;
	}
	end = end_of_word(parser, parser->at);
	for (size_t i = parser->at; info->list && i < end; i++)
		if (parser->text[i] == ',')
			end = i;
	*ret = (struct query_raw){ .offset = parser->at,
				   .length = end - parser->at,
				   .text = parser->text + parser->at,
				   .size = end - parser->at };
	parser->at = end;
	return 0;
}

static int flag_read(struct query_parser *parser, const struct query_raw *raw, struct query_term *ret)
{
	if (!query_flag_find(raw->text, raw->size, &ret->key))
		return query_fail(parser, raw->offset, raw->length,
				  "a file is favorite, hidden, seen, unseen or untagged");
	ret->text = strdup("");
	return ret->text ? 0 : log_err(-ENOMEM, "no memory for a query");
}

/* One value of a key. */
static int parse_value(struct query_parser *parser, const struct query_key_info *info,
		       struct query_node **ret)
{
	AUTO(query_node) struct query_node *node = NULL;
	struct query_raw raw;
	int r = read_raw(parser, info, &raw);

	if (r == 0 && raw.length == 0)
		r = query_fail(parser, raw.offset, 0, "%s: needs a value, as in %s", info->name,
			       info->example);
	if (r == 0)
		r = count_term(parser, raw.offset, raw.length);
	if (r < 0)
		return r;
	node = query_node_new(QUERY_TERM);
	if (!node)
		return -ENOMEM;
	node->term.key = info->key;
	r = info->class == QUERY_CLASS_FLAG ? flag_read(parser, &raw, &node->term)
					    : query_value_read(parser, info, &raw, &node->term);
	if (r < 0)
		return r;
	*ret = TAKE(node);
	return 0;
}

/* Put `node` beside what is in *all. Takes it over. */
static int join(struct query_node **all, enum query_node_kind kind, struct query_node *node)
{
	if ((*all)->kind != kind) {
		struct query_node *parent = query_node_new(kind);

		if (!parent) {
			query_node_free(node);
			return -ENOMEM;
		}
		query_node_add(parent, *all);
		*all = parent;
	}
	query_node_add(*all, node);
	return 0;
}

/* A value, or several with commas between them. */
static int parse_values(struct query_parser *parser, const struct query_key_info *info,
			struct query_node **ret)
{
	AUTO(query_node) struct query_node *all = NULL;
	int r = parse_value(parser, info, &all);

	while (r == 0 && info->list && peek(parser, parser->at) == ',') {
		struct query_node *next = NULL;

		parser->at++;
		r = parse_value(parser, info, &next);
		if (r == 0)
			r = join(&all, QUERY_OR, next);
	}
	if (r == 0)
		r = expect_boundary(parser);
	if (r < 0)
		return r;
	*ret = TAKE(all);
	return 0;
}

/* ---- items ---- */

static int parse_or(struct query_parser *parser, struct query_node **ret);

static int parse_parentheses(struct query_parser *parser, struct query_node **ret)
{
	AUTO(query_node) struct query_node *inner = NULL;
	size_t open = parser->at;
	int r;

	if (parser->depth == QUERY_DEPTH_MAX)
		return query_fail(parser, open, 1, "more than %u parentheses inside each other",
				  QUERY_DEPTH_MAX);
	parser->depth++;
	parser->at++;
	parser->operator_size = 0;
	skip_spaces(parser);
	if (!at_end(parser) && parser->text[parser->at] == ')')
		return query_fail(parser, open, parser->at + 1 - open,
				  "nothing stands between these parentheses");
	if (at_end(parser))
		return query_fail(parser, open, 1, "this '(' is never closed");
	r = parse_or(parser, &inner);
	if (r < 0)
		return r;
	if (at_end(parser)) /* else it is a ')': nothing else ends an or */
		return query_fail(parser, open, 1, "this '(' is never closed");
	parser->at++;
	parser->depth--;
	r = expect_boundary(parser);
	if (r == 0)
		*ret = TAKE(inner);
	return r;
}

static int parse_keyed(struct query_parser *parser, size_t key_size, struct query_node **ret)
{
	const struct query_key_info *info = query_key_find(parser->text + parser->at, key_size);
	int r;

	if (!info)
		return query_key_unknown(parser, parser->at, key_size);
	if (parser->group)
		return query_fail(parser, parser->at, key_size + 1,
				  "%s: cannot stand inside %s:( ): close the parentheses before it",
				  info->name, parser->group->name);
	parser->at += key_size + 1;
	if (peek(parser, parser->at) != '(')
		return parse_values(parser, info, ret);
	parser->group = info;
	r = parse_parentheses(parser, ret);
	parser->group = NULL;
	return r;
}

static int parse_flag(struct query_parser *parser, size_t size, enum query_key key, struct query_node **ret)
{
	int r = count_term(parser, parser->at, size);

	if (r < 0)
		return r;
	*ret = query_node_new(QUERY_TERM);
	if (!*ret)
		return -ENOMEM;
	(*ret)->term.key = key;
	(*ret)->term.text = strdup("");
	if (!(*ret)->term.text) {
		query_node_free(TAKE(*ret));
		return log_err(-ENOMEM, "no memory for a query");
	}
	parser->at += size;
	return expect_boundary(parser);
}

/* Signs that other languages have for and, or. */
static int check_signs(struct query_parser *parser, size_t size)
{
	static const char *const ors[] = { "|", "||" }, *const ands[] = { "&", "&&", "+" };

	for (size_t i = 0; i < 2; i++)
		if (is_word(parser, parser->at, size, ors[i]))
			return query_fail(parser, parser->at, size, "write or instead");
	for (size_t i = 0; i < 3; i++)
		if (is_word(parser, parser->at, size, ands[i]))
			return query_fail(
				parser, parser->at, size,
				"leave it out: all words must be found unless there is an or between them");
	return 0;
}

/* A word, a flag or KEY:VALUE. */
static int parse_plain(struct query_parser *parser, struct query_node **ret)
{
	size_t size = end_of_word(parser, parser->at) - parser->at, key_size = 0;
	struct query_raw raw = { .text = parser->text + parser->at, .size = size };
	enum query_key flag;
	char behind;
	int r;

	if (is_letter(peek(parser, parser->at)))
		while (key_size < size &&
		       (is_letter(raw.text[key_size]) || query_is_digit(raw.text[key_size])))
			key_size++;
	behind = key_size < size ? raw.text[key_size] : ' ';
	if (behind == ':' && key_size > 0 && (!parser->group || query_key_find(raw.text, key_size)))
		return parse_keyed(parser, key_size, ret);
	if (parser->group)
		return parse_values(parser, parser->group, ret);
	if ((behind == '<' || behind == '>' || behind == '=') && query_key_find(raw.text, key_size))
		return query_fail(parser, parser->at + key_size, 1, "a ':' is missing before '%c', as in %s",
				  behind, query_key_find(raw.text, key_size)->example);
	r = check_signs(parser, size);
	if (r < 0)
		return r;
	return query_flag_find(raw.text, raw.size, &flag) ? parse_flag(parser, size, flag, ret)
							  : parse_values(parser, &query_words_key, ret);
}

/* Is there something here that an operator can work on? */
static int expect_operand(struct query_parser *parser)
{
	size_t size;

	skip_spaces(parser);
	if (parser->operator_size > 0 && (at_end(parser) || peek(parser, parser->at) == ')'))
		return query_fail(
			parser, parser->operator_at, parser->operator_size,
			"something is missing behind this: put it in quotes to search for it as a word");
	if (!at_end(parser) && parser->text[parser->at] == ')')
		return query_fail(parser, parser->at, 1, "this ')' closes nothing");
	size = peek_operator(parser, "or", "OR");
	if (size == 0)
		size = peek_operator(parser, "and", "AND");
	if (size > 0)
		return query_fail(
			parser, parser->at, size,
			"something is missing before this: put it in quotes to search for it as a word");
	return 0;
}

/* ---- operators ---- */

/* A '-': it stands directly before what it excludes. */
static int take_minus(struct query_parser *parser)
{
	char behind = peek(parser, parser->at + 1);

	if (is_space(behind) || behind == ')')
		return query_fail(parser, parser->at, 1,
				  "'-' excludes what stands directly behind it, without a space");
	if (behind == '-')
		return query_fail(parser, parser->at, 2,
				  "one '-' excludes what stands behind it, two mean nothing");
	parser->operator_at = parser->at;
	parser->operator_size = 1;
	parser->at++;
	return 0;
}

static int negate(struct query_node **node)
{
	struct query_node *outer;

	if ((*node)->kind == QUERY_NOT) {
		outer = *node;
		*node = outer->first;
		outer->first = NULL;
		query_node_free(outer);
		return 0;
	}
	outer = query_node_new(QUERY_NOT);
	if (!outer)
		return -ENOMEM;
	query_node_add(outer, *node);
	*node = outer;
	return 0;
}

static int parse_not(struct query_parser *parser, struct query_node **ret)
{
	AUTO(query_node) struct query_node *node = NULL;
	bool negated = false;
	int r = 0;

	for (;;) {
		if (take_operator(parser, "not", "NOT")) {
			negated = !negated;
			continue;
		}
		if (peek(parser, parser->at) != '-')
			break;
		r = take_minus(parser);
		if (r < 0)
			return r;
		negated = !negated;
	}
	r = expect_operand(parser);
	if (r < 0)
		return r;
	if (parser->text[parser->at] == '(')
		r = parse_parentheses(parser, &node);
	else if (parser->text[parser->at] == '"')
		r = parse_values(parser, parser->group ? parser->group : &query_words_key, &node);
	else
		r = parse_plain(parser, &node);
	parser->operator_size = 0;
	if (r == 0 && negated)
		r = negate(&node);
	if (r < 0)
		return r;
	*ret = TAKE(node);
	return 0;
}

static int parse_and(struct query_parser *parser, struct query_node **ret)
{
	AUTO(query_node) struct query_node *all = NULL;
	int r = parse_not(parser, &all);

	while (r == 0) {
		struct query_node *next = NULL;
		bool named = take_operator(parser, "and", "AND");

		if (!named && (at_end(parser) || (parser->text[parser->at] == ')' && parser->depth > 0) ||
			       peek_operator(parser, "or", "OR") > 0))
			break;
		r = parse_not(parser, &next);
		if (r == 0)
			r = join(&all, QUERY_AND, next);
	}
	if (r < 0)
		return r;
	*ret = TAKE(all);
	return 0;
}

static int parse_or(struct query_parser *parser, struct query_node **ret)
{
	AUTO(query_node) struct query_node *all = NULL;
	int r = parse_and(parser, &all);

	while (r == 0 && take_operator(parser, "or", "OR")) {
		struct query_node *next = NULL;

		r = parse_and(parser, &next);
		if (r == 0)
			r = join(&all, QUERY_OR, next);
	}
	if (r < 0)
		return r;
	*ret = TAKE(all);
	return 0;
}

/* What it means written out must be a query again. */
static int check_printed(struct query_parser *parser, const struct vault_query *query)
{
	AUTO(free) char *text = vault_query_print(query);

	if (!text)
		return -ENOMEM;
	if (strlen(text) > VAULT_QUERY_MAX)
		return query_fail(parser, 0, parser->size,
				  "written out in full this is longer than %u bytes: search for less",
				  VAULT_QUERY_MAX);
	return 0;
}

int vault_query_parse(const char *text, struct vault_query **ret, struct vault_query_error *ret_error)
{
	AUTO(vault_query) struct vault_query *query = NULL;
	AUTO(free) struct query_parser *parser = calloc(1, sizeof(*parser));
	int r = 0;

	if (parser)
		query = calloc(1, sizeof(*query));
	if (!query)
		return log_err(-ENOMEM, "no memory for a query");
	*ret_error = (struct vault_query_error){ 0 };
	parser->error = ret_error;
	parser->text = text;
	parser->size = strnlen(text, VAULT_QUERY_MAX + 1);
	if (parser->size > VAULT_QUERY_MAX)
		return query_fail(parser, VAULT_QUERY_MAX, 0, "longer than %u bytes: search for less",
				  VAULT_QUERY_MAX);
	skip_spaces(parser);
	if (!at_end(parser))
		r = parse_or(parser, &query->root);
	if (r == 0)
		r = check_printed(parser, query);
	if (r < 0)
		return r;
	*ret = TAKE(query);
	return 0;
}
