/* place.h - where our filesystem is mounted by now: directories are renamed, mounts are moved, covered and detached. */
#ifndef VAULTFS_PLACE_H
#define VAULTFS_PLACE_H

#include "fs_internal.h"

/* Remember which filesystem is ours: it has just been mounted. Before any thread asks. */
void place_note(struct fs *fs);

/* Is what stands at `path` now our filesystem? Asks the kernel only, never the filesystem. */
bool place_is_ours(const struct fs *fs, const char *path);

/* A path at which our filesystem stands now, malloc'ed: where it was mounted, if it is still there. NULL: nowhere that
 * could be seen from here. */
char *place_find(const struct fs *fs);

#endif
