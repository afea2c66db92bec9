/* tags.h - a file's tags as people write them: one text, separated by commas. Knows no file. */
#ifndef VAULTFS_TOOLS_TAGS_H
#define VAULTFS_TOOLS_TAGS_H

#include <stddef.h>

/* An ordered set of words, compared without the case of ASCII letters. All zero is an empty one. */
struct tags {
	char **words; /* owned */
	size_t n;
};

/* Add the words of the list: split at commas, trimmed; empty ones and those that are in it are left out.
 *   Errors  -ENOMEM, logged. */
int tags_add(struct tags *tags, const char *list);

/* Take the words of `other` out. */
void tags_subtract(struct tags *tags, const struct tags *other);

/* "a,b"; the caller's, free() it. NULL without memory. */
char *tags_to_text(const struct tags *tags);

void tags_release(struct tags *tags);

static inline void auto_tags(struct tags *tags)
{
	tags_release(tags);
}

#endif
