/* finder_import.c - the Finder's tags become tags. See finder_import.h.
 *
 * All through attributes of the mount, as any program could do it; the daemon parses no property list. */
#include "finder_import.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "auto.h"
#include "finder.h"
#include "log.h"
#include "tag_file.h"
#include "target.h"

#define XATTR_COLOR "user.vaultfs.color"
#define VIEWS ".views"

/* Tags that have their color, or were asked for it: each once. */
struct colored {
	struct tags names;
	const char *mount;
};

/* The tag's folder has the color. A mount without such folders has no place for one. */
static int give_color(struct colored *colored, const struct finder_tag *tag)
{
	const char *color = finder_color_name(tag->color);
	AUTO(free) char *folder = NULL;
	size_t n = colored->names.n;
	int r;

	if (!color)
		return 0;
	r = tags_add(&colored->names, tag->name);
	if (r < 0 || colored->names.n == n)
		return r;
	if (asprintf(&folder, "%s/" VIEWS "/tags/%s", colored->mount, tag->name) < 0) {
		folder = NULL;
		return log_err(-ENOMEM, "%s: no memory for its color", tag->name);
	}
	if (getxattr(folder, XATTR_COLOR, NULL, 0) >= 0 || errno != ENODATA)
		return 0;
	if (setxattr(folder, XATTR_COLOR, color, strlen(color), XATTR_CREATE) < 0 && errno != EEXIST)
		return log_err(-errno, "tag %s: cannot set its color: ", tag->name);
	return 0;
}

static int import_one(const char *path, struct colored *colored, struct finder_counts *counts)
{
	AUTO(finder_tags) struct finder_tags found = { 0 };
	AUTO(tags) struct tags tags = { 0 };
	size_t n;
	int r = finder_read(path, &found);

	if (found.n == 0)
		return r;
	if (tag_file_read(path, &tags) < 0)
		return -EIO; /* said why */
	n = tags.n;
	for (size_t i = 0; i < found.n; i++)
		if (tags_add(&tags, found.tags[i].name) < 0)
			return -ENOMEM;
	if (tags.n > n) {
		int written = tag_file_write(path, &tags);

		if (written < 0)
			return written;
		counts->n_changed++;
	}
	for (size_t i = 0; i < found.n; i++) {
		int given = give_color(colored, &found.tags[i]);

		r = r < 0 ? r : given;
	}
	return r;
}

/* The views show the same files again. */
static bool is_views(const FTSENT *entry)
{
	return entry->fts_info == FTS_D && entry->fts_level == 1 && strcmp(entry->fts_name, VIEWS) == 0 &&
	       entry->fts_parent->fts_statp->st_ino == VAULT_ROOT_ID;
}

static int visit(FTS *tree, FTSENT *entry, struct colored *colored, struct finder_counts *counts)
{
	switch (entry->fts_info) {
	case FTS_D:
		if (is_views(entry)) {
			(void)fts_set(tree, entry, FTS_SKIP); /* fails for an unknown instruction only */
			return 0;
		}
		break;
	case FTS_F:
		break;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return log_err(-entry->fts_errno, "tag: %s: ", entry->fts_path);
	default:
		return 0;
	}
	counts->n_seen++;
	return import_one(entry->fts_path, colored, counts);
}

static int walk(const char *path, struct colored *colored, struct finder_counts *counts)
{
	char *const paths[] = { (char *)path, NULL }; /* fts(3) does not write to it */
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	FTSENT *entry;
	int r = 0;

	if (!tree)
		return log_err(-errno, "tag: %s: ", path);
	while (errno = 0, (entry = fts_read(tree)) != NULL) {
		int one = visit(tree, entry, colored, counts);

		r = r < 0 ? r : one;
	}
	if (errno != 0)
		r = log_err(-errno, "tag: %s: ", path);
	(void)fts_close(tree); /* only read */
	return r;
}

int finder_import(const char *path, struct finder_counts *counts)
{
	AUTO(free) char *real = realpath(path, NULL);
	AUTO(target) struct target target = { 0 };
	struct colored colored = { 0 };
	int r;

	if (!real)
		return log_err(-errno, "tag: %s: ", path);
	r = target_find_mounted("tag", real, &target);
	if (r < 0)
		return r;
	colored.mount = target.mount;
	r = walk(real, &colored, counts);
	tags_release(&colored.names);
	return r;
}
