/* control.h - what commands ask of the process that serves, through an extended attribute of the mount's root. */
#ifndef VAULTFS_CONTROL_H
#define VAULTFS_CONTROL_H

#include "fs_internal.h"

/* Is it that attribute? */
bool control_is(fuse_ino_t ino, const char *name);

/* Hand on what it was set to.  -EPERM the caller may not; -EOPNOTSUPP nobody listens; -EINVAL; what the listener says. */
int control_run(fuse_req_t req, const char *text, size_t size);

/* Is it the attribute of the mount's root that is read by who is about to search? */
bool control_is_search(fuse_ino_t ino, const char *name);

/* Answer with one byte when searches find all that changed before, without waiting here. */
void control_search(fuse_req_t req, size_t size);

#endif
