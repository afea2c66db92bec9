/* query_tree.c - a query's tree: building, freeing, walking and printing it. See query.h. */
#include "query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"

#define NS_PER_S 1000000000ll

struct query_node *query_node_new(enum query_node_kind kind)
{
	struct query_node *node = calloc(1, sizeof(*node));

	if (!node) {
		(void)log_err(-ENOMEM, "no memory for a query");
		return NULL;
	}
	node->kind = kind;
	return node;
}

/* As deep as parentheses may be nested, three levels each. */
void query_node_free(struct query_node *node)
{
	if (!node)
		return;
	for (struct query_node *child = node->first, *next; child; child = next) {
		next = child->next;
		query_node_free(child);
	}
	free(node->term.text);
	free(node);
}

void query_node_add(struct query_node *node, struct query_node *child)
{
	struct query_node *first = child, *last = child;

	if (node->kind == child->kind) { /* never so of a not, see query_parse.c */
		first = child->first;
		last = child->last;
		child->first = NULL;
		query_node_free(child);
	}
	if (node->last)
		node->last->next = first;
	else
		node->first = first;
	node->last = last;
}

void vault_query_free(struct vault_query *query)
{
	if (!query)
		return;
	query_node_free(query->root);
	free(query);
}

/* ---- walking ---- */

typedef bool (*term_test)(const struct query_term *term, int what);

static bool any_term(const struct query_node *node, term_test test, int what)
{
	if (!node)
		return false;
	if (node->kind == QUERY_TERM)
		return test(&node->term, what);
	for (const struct query_node *child = node->first; child; child = child->next)
		if (any_term(child, test, what))
			return true;
	return false;
}

static bool is_of_key(const struct query_term *term, int key)
{
	return (int)term->key == key;
}

static bool has_bound_of(const struct query_term *term, int kind)
{
	return (int)term->low.kind == kind || (int)term->high.kind == kind;
}

bool query_names(const struct vault_query *query, enum query_key key)
{
	return any_term(query->root, is_of_key, (int)key);
}

static bool asks_words(const struct query_term *term, int what)
{
	(void)what;
	return (term->key == QUERY_WORDS || term->key == QUERY_NOTE) && !term->any;
}

bool vault_query_asks_words(const struct vault_query *query)
{
	return any_term(query->root, asks_words, 0);
}

bool query_uses_search(const struct vault_query *query)
{
	return vault_query_asks_words(query) || query_names(query, QUERY_NAME) ||
	       query_names(query, QUERY_EXT) || query_names(query, QUERY_PERSON) ||
	       query_names(query, QUERY_DATE);
}

int64_t vault_query_valid_until(const struct vault_query *query, int64_t now_ns)
{
	time_t now = (time_t)(now_ns / NS_PER_S);
	struct tm day;

	if (!any_term(query->root, has_bound_of, QUERY_DAY_FROM_TODAY) || !localtime_r(&now, &day))
		return INT64_MAX;
	day = (struct tm){
		.tm_year = day.tm_year, .tm_mon = day.tm_mon, .tm_mday = day.tm_mday + 1, .tm_isdst = -1
	};
	return (int64_t)mktime(&day) * NS_PER_S;
}

/* ---- printing ---- */

/* The whole token is one of the words of the language. */
static bool is_reserved(const char *text)
{
	static const char *const words[] = { "or", "OR", "and", "AND", "not", "NOT", "|", "||", "&", "&&" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	for (int key = QUERY_SEEN; key < QUERY_N_KEYS; key++)
		if (strcmp(text, query_key_name((enum query_key)key)) == 0)
			return true;
	return strcmp(text, "favourite") == 0;
}

/* Unquoted, something in `text` would mean more than itself. */
static bool needs_quotes(enum query_key key, const char *text)
{
	if (*text == '\0' || strpbrk(text, " \t\n\v\f\r()\""))
		return true;
	if (key == QUERY_WORDS)
		return *text == '-' || strpbrk(text, ":*<>=") || is_reserved(text);
	if (key == QUERY_NAME)
		return *text == '=';
	if (strchr(text, ','))
		return true;
	return strcmp(text, "*") == 0 || (key == QUERY_NOTE && strchr(text, '*'));
}

static void print_quoted(FILE *out, const char *text)
{
	(void)fputc('"', out); /* out is memory: ferror() is asked at the end */
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			(void)fputc('\\', out);
		(void)fputc(*text, out);
	}
	(void)fputc('"', out);
}

static void print_value(FILE *out, const struct query_term *term)
{
	if (term->exact)
		(void)fputc('=', out);
	if (term->any || term->low.kind != QUERY_OPEN || term->high.kind != QUERY_OPEN ||
	    !needs_quotes(term->key, term->text))
		(void)fputs(term->text, out);
	else
		print_quoted(out, term->text);
	if (term->prefix)
		(void)fputc('*', out);
}

static void print_term(FILE *out, const struct query_term *term)
{
	bool plain = term->key >= QUERY_SEEN && *term->text == '\0';

	(void)fprintf(out, "%s%s", query_key_name(term->key), plain || term->key == QUERY_WORDS ? "" : ":");
	if (!plain)
		print_value(out, term);
}

static void print_node(FILE *out, const struct query_node *node);

static void print_child(FILE *out, const struct query_node *child, bool in_parentheses)
{
	(void)fputs(in_parentheses ? "(" : "", out);
	print_node(out, child);
	(void)fputs(in_parentheses ? ")" : "", out);
}

static void print_node(FILE *out, const struct query_node *node)
{
	if (node->kind == QUERY_TERM) {
		print_term(out, &node->term);
		return;
	}
	if (node->kind == QUERY_NOT)
		(void)fputc('-', out);
	for (const struct query_node *child = node->first; child; child = child->next) {
		print_child(out, child,
			    child->kind == QUERY_OR || (child->kind == QUERY_AND && node->kind == QUERY_NOT));
		if (child->next)
			(void)fputs(node->kind == QUERY_OR ? " or " : " ", out);
	}
}

/* Ends what was printed into memory: NULL without memory (logged). */
static char *finish(FILE *out, char **text)
{
	bool failed = !out || ferror(out);

	if (out && fclose(out) != 0)
		failed = true;
	if (!failed)
		return *text;
	free(*text);
	(void)log_err(-ENOMEM, "no memory for a query");
	return NULL;
}

char *vault_query_print(const struct vault_query *query)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out && query->root)
		print_node(out, query->root);
	return finish(out, &text);
}

char *vault_query_term(const char *key, const char *value)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out) {
		(void)fprintf(out, "%s%s", key, strcmp(key, "name") == 0 ? ":=" : *key ? ":" : "");
		print_quoted(out, value);
	}
	return finish(out, &text);
}
