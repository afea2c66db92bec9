/* negotiate.h - what the kernel and we agree on when the mount begins. */
#ifndef VAULTFS_NEGOTIATE_H
#define VAULTFS_NEGOTIATE_H

#include "fs_internal.h"

/* Look into what libfuse sends, to amend the INIT reply. Call between mounting and negotiate().  -errno, logged. */
int negotiate_prepare(struct fs *fs);

/* Receive the INIT request and answer it.  -errno, logged; nothing else was served. */
int negotiate(struct fs *fs);

/* The init operation. */
void op_init(void *userdata, struct fuse_conn_info *conn);

#endif
