/* tags.c - a file's tags as people write them. See tags.h. */
#include "tags.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "auto.h"
#include "log.h"

/* As strcasecmp(3), which would ask the locale. */
static bool same_word(const char *a, const char *b)
{
	for (;; a++, b++) {
		unsigned char x = (unsigned char)*a, y = (unsigned char)*b;

		x = x >= 'A' && x <= 'Z' ? (unsigned char)(x + 32) : x;
		y = y >= 'A' && y <= 'Z' ? (unsigned char)(y + 32) : y;
		if (x != y)
			return false;
		if (!x)
			return true;
	}
}

static bool has(const struct tags *tags, const char *word)
{
	for (size_t i = 0; i < tags->n; i++)
		if (same_word(tags->words[i], word))
			return true;
	return false;
}

static int add_word(struct tags *tags, const char *start, size_t n)
{
	AUTO(free) char *word = strndup(start, n);
	char **words;

	if (word && has(tags, word))
		return 0;
	words = word ? reallocarray(tags->words, tags->n + 1, sizeof(*words)) : NULL;
	if (!words)
		return log_err(-ENOMEM, "no memory for tags");
	tags->words = words;
	tags->words[tags->n++] = TAKE(word);
	return 0;
}

int tags_add(struct tags *tags, const char *list)
{
	static const char blanks[] = " \t\r\n";
	int r = 0;

	while (*list && r == 0) {
		size_t next = strcspn(list, ","), n;

		n = strspn(list, blanks);
		if (n > next)
			n = next;
		list += n;
		next -= n;
		for (n = next; n > 0 && strchr(blanks, list[n - 1]); n--)
			;
		if (n > 0)
			r = add_word(tags, list, n);
		list += next + (list[next] == ',');
	}
	return r;
}

void tags_subtract(struct tags *tags, const struct tags *other)
{
	size_t kept = 0;

	for (size_t i = 0; i < tags->n; i++) {
		if (has(other, tags->words[i]))
			free(tags->words[i]);
		else
			tags->words[kept++] = tags->words[i];
	}
	tags->n = kept;
}

char *tags_to_text(const struct tags *tags)
{
	size_t size = 1, at = 0;
	char *text;

	for (size_t i = 0; i < tags->n; i++)
		size += strlen(tags->words[i]) + 1;
	text = malloc(size);
	if (!text)
		return NULL;
	text[0] = '\0';
	for (size_t i = 0; i < tags->n; i++)
		at += (size_t)sprintf(text + at, "%s%s", i > 0 ? "," : "",
				      tags->words[i]); /* counted above */
	return text;
}

void tags_release(struct tags *tags)
{
	for (size_t i = 0; i < tags->n; i++)
		free(tags->words[i]);
	free(tags->words);
	*tags = (struct tags){ 0 };
}
