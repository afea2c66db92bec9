/* mounts.h - what is mounted where, and who keeps it busy: from /proc. Knows no vault.
 *
 * Functions return 0 or a negative errno and log nothing. */
#ifndef VAULTFS_TOOLS_MOUNTS_H
#define VAULTFS_TOOLS_MOUNTS_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#define MOUNTS_OUR_TYPE "fuse.vaultfs"

/* The absolute path of `path` with the directories above it resolved, and the last name as it is: works on a mount
 * point whose daemon is dead. The caller's, free() it. */
int mounts_absolute(const char *path, char **ret);

/* The mount that `path` (canonical) lies in: the highest directory of the same device. The caller's, free() it. */
int mounts_root_of(const char *path, char **ret);

struct mounts_found {
	char type[64];
	char source[PATH_MAX];
};

/* What is mounted at exactly `point` (canonical), the topmost one; does not touch it.  -ENOENT nothing is. */
int mounts_find_at(const char *point, struct mounts_found *ret);

/* Whether the program's own type is mounted at `point` (canonical): 1 or 0. */
int mounts_is_ours(const char *point);

/* Name processes that hold files or directories of the device open, "bash (123), mpv (77)", as many as fit and this
 * user may see. Returns their number. */
size_t mounts_users_of(dev_t device, char *ret_names, size_t size);

#endif
