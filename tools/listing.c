/* listing.c - a directory of a vault, read whole. See listing.h. */
#include "listing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"
#include "log.h"

static int grow(struct listing *listing)
{
	size_t room = listing->room ? 2 * listing->room : 64;
	struct listing_entry *entries = reallocarray(listing->entries, room, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	listing->entries = entries;
	listing->room = room;
	return 0;
}

static int add(void *context, const struct vault_entry *entry)
{
	struct listing *listing = context;
	AUTO(free) char *name = strdup(entry->name);

	if (!name || (listing->n == listing->room && grow(listing) < 0)) {
		listing->error = -ENOMEM;
		return 1;
	}
	listing->entries[listing->n++] = (struct listing_entry){ .name = TAKE(name), .attr = entry->attr };
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct listing_entry *)a)->name, ((const struct listing_entry *)b)->name);
}

int listing_read(struct vault *vault, uint64_t id, struct listing *ret)
{
	int r = vault_readdir(vault, id, 0, true, add, ret);

	if (r < 0)
		return r;
	if (ret->error < 0)
		return log_err(ret->error, "no memory for a directory of %zu entries", ret->n);
	return 0;
}

void listing_sort(struct listing *listing)
{
	if (listing->n > 1) /* qsort(3) must not get a NULL */
		qsort(listing->entries, listing->n, sizeof(*listing->entries), by_name);
}

void listing_release(struct listing *listing)
{
	for (size_t i = 0; i < listing->n; i++)
		free(listing->entries[i].name);
	free(listing->entries);
	*listing = (struct listing){ 0 };
}

const char *listing_type(uint32_t mode)
{
	return S_ISDIR(mode)    ? "directory"
	       : S_ISREG(mode)  ? "file"
	       : S_ISLNK(mode)  ? "symlink"
	       : S_ISCHR(mode)  ? "char"
	       : S_ISBLK(mode)  ? "block"
	       : S_ISFIFO(mode) ? "fifo"
	       : S_ISSOCK(mode) ? "socket"
				: "unknown";
}

char *listing_join(const char *directory, const char *name)
{
	char *path;

	if (asprintf(&path, "%s%s%s", directory, *directory ? "/" : "", name) < 0) {
		(void)log_err(-ENOMEM, "no memory for a path");
		return NULL;
	}
	return path;
}
