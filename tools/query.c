/* query.c - queries as words on a command line, and their mistakes. See query.h. */
#include "query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "log.h"

static char *join(char **words, int n)
{
	size_t size = 1;
	char *text, *at;

	for (int i = 0; i < n; i++)
		size += strlen(words[i]) + 1;
	text = malloc(size);
	if (!text) {
		(void)log_err(-ENOMEM, "no memory for a query");
		return NULL;
	}
	at = text;
	*at = '\0';
	for (int i = 0; i < n; i++) {
		if (i > 0)
			*at++ = ' ';
		at = stpcpy(at, words[i]);
	}
	return text;
}

/* What begins a character: not a later byte of one in UTF-8. */
static bool begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* The query on a line, and below it a mark under the bytes that are wrong. */
static void show_mistake(const char *text, const struct vault_query_error *error)
{
	size_t n_marked = 0;

	(void)fputs("  ", stderr);
	for (const char *c = text; *c; c++)
		(void)fputc((unsigned char)*c < ' ' || *c == 0x7f ? ' ' : *c, stderr);
	(void)fputs("\n  ", stderr);
	for (size_t i = 0; i < error->offset; i++)
		if (begins_character(text[i]))
			(void)fputc(' ', stderr);
	for (size_t i = 0; i < error->length || i == 0; i++)
		if (i == 0 || begins_character(text[error->offset + i]))
			(void)fputc(n_marked++ == 0 ? '^' : '~', stderr);
	(void)fputc('\n', stderr);
}

int query_from_words(const char *what, char **words, int n, struct vault_query **ret, char **ret_text)
{
	AUTO(free) char *text = join(words, n);
	struct vault_query_error error;
	int r = text ? vault_query_parse(text, ret, &error) : -ENOMEM;

	if (r == -EINVAL) {
		log_line(LOG_LEVEL_ERROR, "%s: %s", what, error.message);
		show_mistake(text, &error);
	}
	if (r == 0 && ret_text)
		*ret_text = TAKE(text);
	return r;
}
