/* session.h - libfuse's session: made, mounted, ended. */
#ifndef VAULTFS_SESSION_H
#define VAULTFS_SESSION_H

#include "fs_internal.h"

/* Make fs->session, mount it and negotiate.  -errno, logged; nothing is mounted then. */
int session_open(struct fs *fs);

/* Cut the kernel off and unmount, unless it was unmounted already. */
void session_unmount(struct fs *fs);

/* Free it. */
void session_free(struct fs *fs);

#endif
