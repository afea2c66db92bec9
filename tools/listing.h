/* listing.h - a directory of a vault, read whole. */
#ifndef VAULTFS_TOOLS_LISTING_H
#define VAULTFS_TOOLS_LISTING_H

#include <stddef.h>

#include "vault.h"

struct listing_entry {
	char *name;
	struct vault_attr attr;
};

/* All zero is an empty one. Bounded by the directory: some 150 bytes an entry. */
struct listing {
	struct listing_entry *entries; /* owned, as are the names */
	size_t n, room;
	int error; /* while it is filled */
};

/* Fill an empty listing, in the order of creation; listing_release() it, also after a failure.
 *   Errors  -ENOMEM (logged); as vault_readdir(). */
int listing_read(struct vault *vault, uint64_t id, struct listing *ret);
void listing_release(struct listing *listing);

/* By the bytes of the names. */
void listing_sort(struct listing *listing);

/* "file", "directory", "symlink", "char", "block", "fifo", "socket". */
const char *listing_type(uint32_t mode);

/* "directory/name"; just `name` below "". The caller's, free() it; NULL without memory (logged). */
char *listing_join(const char *directory, const char *name);

static inline void auto_listing(struct listing *listing)
{
	listing_release(listing);
}

#endif
