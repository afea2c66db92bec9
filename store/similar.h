/* similar.h - which files share chunks with one. */
#ifndef VAULTFS_SIMILAR_H
#define VAULTFS_SIMILAR_H

#include "find.h"
#include "readers.h"

#define SIMILAR_MAX 1000u

/* Call `emit` for the files that share chunks with `id`, the closest first, with the names under which a query for everything
 * shows them; until it returns non-zero, which is returned. */
int similar_each(struct reader *reader, uint64_t id,
		 int (*emit)(void *context, const struct find_match *match, uint64_t shared_bytes),
		 void *context);

#endif
