/* finder.h - tags as macOS's Finder gives them: a property list in an extended attribute of the file. Knows no vault. */
#ifndef VAULTFS_TOOLS_FINDER_H
#define VAULTFS_TOOLS_FINDER_H

#include <stdbool.h>
#include <stddef.h>

struct finder_tag {
	char *name;	/* owned; UTF-8, not empty, without a comma or a control character */
	unsigned color; /* 0 = none, 1 to 7: the Finder's number */
};

/* All zero is an empty one. */
struct finder_tags {
	struct finder_tag *tags; /* owned */
	size_t n;
};

/* Can property lists be read at all? libplist is left out of some builds. */
bool finder_is_supported(void);

/* Add the Finder's tags of the file or directory `path`, as copied by a program that keeps attributes and as Samba's
 * streams_xattr keeps them, under any of the names they have there. Commas in a name become semicolons.
 *   Errors  -EINVAL what is there is no list of tags (what could be read is in ret); others. Logged. */
int finder_read(const char *path, struct finder_tags *ret);

/* The Finder's color as the tag of a vault has it; NULL for 0. */
const char *finder_color_name(unsigned color);

void finder_tags_release(struct finder_tags *tags);

static inline void auto_finder_tags(struct finder_tags *tags)
{
	finder_tags_release(tags);
}

#endif
