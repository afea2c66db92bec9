/* finder_import.h - make the Finder's tags of files in a mount their tags. */
#ifndef VAULTFS_TOOLS_FINDER_IMPORT_H
#define VAULTFS_TOOLS_FINDER_IMPORT_H

#include <stdint.h>

struct finder_counts {
	uint64_t n_seen;	/* files and directories looked at */
	uint64_t n_changed;	/* that were given tags they did not have */
};

/* Give `path`, which lies in a mount, and all that lies below it the Finder's tags they have as attributes, beside the tags
 * they have already. A tag without a color gets the Finder's. What fails is logged, and the rest done.
 *   Returns 0, or the first error. *counts is added to. */
int finder_import(const char *path, struct finder_counts *counts);

#endif
