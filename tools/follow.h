/* follow.h - locations of this device are brought into a mounted vault, and followed: a thread in the process that serves.
 *
 * It imports as `vaultfs import --update` does, and tells the driver of names that changed. What a location says of itself
 * (state, totals, error) stands in the vault; commands read it there. */
#ifndef VAULTFS_TOOLS_FOLLOW_H
#define VAULTFS_TOOLS_FOLLOW_H

#include "fs.h"
#include "library.h"

struct follow;

/* Start the thread: it goes on with what was not finished, and goes through what is followed. A vault that is read-only
 * has nothing followed: 0, and *ret is NULL.  -ENOMEM, -EAGAIN, -EMFILE; logged. */
int follow_start(struct vault *vault, struct fs *fs, struct follow **ret);

/* Ends what is under way soon, and the thread; it is gone on with at the next mount. NULL is fine. */
void follow_stop(struct follow *follow);

/* Do what a command asks for, in words of JSON: {"do": "add", "path": ABSOLUTE, "directory": INODE, "mode": MODE, "watch": BOOL}
 * or {"do": "pause" | "resume" | "remove", "id": N}. Does not wait.  [change]
 *   Errors  -EINVAL no such words; -EEXIST the path is a location already, or lies in one that is followed, or holds one;
 *           -ENOENT no such location; -EROFS. */
int follow_command(struct follow *follow, const char *words);

#endif
