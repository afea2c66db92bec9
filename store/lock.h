/* lock.h - one writer: the file `lock` of a vault, flock'ed by the process that holds it, which it names. */
#ifndef VAULTFS_LOCK_H
#define VAULTFS_LOCK_H

#include <stdbool.h>

/* Take the lock of the vault directory `dir_fd` (`path` in messages) and write our pid and `mount_point` (NULL: none) into
 * it. On a read-only disk it is only shared, and nothing is written.
 *   *ret_fd  close() it to give the lock back.
 *   Waits    up to 5 s where the process that held it has ended, and one that it was starting has not let go yet.
 *   Errors   -EBUSY another process holds it (logged, with its pid and mount point); errno of the disk. */
int lock_take(int dir_fd, const char *path, const char *mount_point, bool read_only_disk, int *ret_fd);

#endif
