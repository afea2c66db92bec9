/* vfs.h - how SQLite names its files: by the directory we hold, whatever becomes of that directory's name. */
#ifndef VAULTFS_VFS_H
#define VAULTFS_VFS_H

/* The name of SQLite's own file access for this system, with one difference: a path below /proc/self/fd is taken as it is,
 * and not resolved into the name that the directory has just then. So the -wal and -shm that SQLite makes and removes
 * beside a database always are those of that database.  NULL: it could not be had (logged).  Threads: any. */
const char *vfs_name(void);

#endif
