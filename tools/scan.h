/* scan.h - add up a directory tree beside other work, so that a progress line knows the total. Knows no vault. */
#ifndef VAULTFS_TOOLS_SCAN_H
#define VAULTFS_TOOLS_SCAN_H

#include <stdbool.h>

struct progress;
struct scan;

/* Start a thread that counts the bytes of the files below `path` (borrowed) and tells `progress` at the end. Returns
 * NULL if that cannot be: then there is no total. */
struct scan *scan_start(const char *path, bool one_file_system, struct progress *progress);

/* End it, counted or not; NULL is fine. */
void scan_stop(struct scan *scan);

#endif
