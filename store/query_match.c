/* query_match.c - words of a query as an expression of SQLite's full-text search. See query_sql.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "query_sql.h"

bool query_is_words(const struct query_node *node)
{
	bool positive = node->kind != QUERY_AND;

	if (node->kind == QUERY_TERM)
		return (node->term.key == QUERY_WORDS || node->term.key == QUERY_NOTE) && !node->term.any;
	if (node->kind == QUERY_NOT)
		return false; /* alone it has no place in a full-text expression, see below */
	for (const struct query_node *child = node->first; child; child = child->next) {
		const struct query_node *inner = child->kind == QUERY_NOT ? child->first : child;

		if (!query_is_words(inner) || (child->kind == QUERY_NOT && node->kind == QUERY_OR))
			return false;
		positive = positive || child->kind != QUERY_NOT;
	}
	return positive;
}

static void print_match(FILE *out, const struct query_node *node);

/* "a AND b NOT c NOT d" of nodes whose positive ones come first. */
static void print_matches(FILE *out, const struct query_node *const *nodes, size_t n, const char *between)
{
	bool any = false;

	(void)fputc('(', out); /* out is memory: ferror() is asked at the end */
	for (size_t i = 0; i < n; i++)
		if (nodes[i]->kind != QUERY_NOT) {
			(void)fputs(any ? between : "", out);
			print_match(out, nodes[i]);
			any = true;
		}
	for (size_t i = 0; i < n; i++)
		if (nodes[i]->kind == QUERY_NOT) {
			(void)fputs(" NOT ", out);
			print_match(out, nodes[i]->first);
		}
	(void)fputc(')', out);
}

static void print_words(FILE *out, const struct query_term *term)
{
	(void)fputs(term->key == QUERY_NOTE ? "note : \"" : "\"", out);
	for (const char *c = term->text; *c; c++) {
		if (*c == '"')
			(void)fputc('"', out);
		(void)fputc(*c, out);
	}
	(void)fputs(term->prefix ? "\" *" : "\"", out);
}

static void print_match(FILE *out, const struct query_node *node)
{
	const struct query_node *children[QUERY_TERMS_MAX];
	size_t n = 0;

	if (node->kind == QUERY_TERM) {
		print_words(out, &node->term);
		return;
	}
	for (const struct query_node *child = node->first; child; child = child->next)
		children[n++] = child;
	print_matches(out, children, n, node->kind == QUERY_OR ? " OR " : " AND ");
}

int query_match_text(const struct query_node *const *nodes, size_t n, char **ret)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool failed = !out;

	if (out) {
		print_matches(out, nodes, n, " AND ");
		failed = ferror(out) != 0;
		failed = fclose(out) != 0 || failed;
	}
	if (failed) {
		free(text);
		return log_err(-ENOMEM, "no memory for a search");
	}
	*ret = text;
	return 0;
}
