/* attempt.h - a call that may never return, made so that it can be given up. Knows no vault. */
#ifndef VAULTFS_TOOLS_ATTEMPT_H
#define VAULTFS_TOOLS_ATTEMPT_H

#include <stdint.h>

/* Monotonic milliseconds, for deadlines. */
int64_t attempt_now_ms(void);

/* Have a process of its own make the call, which says nothing and whose changes to memory are lost.
 *   Returns    what the call did, 0 or a negative errno.
 *   Errors     -ETIMEDOUT the time is over: the process is killed, or, where the kernel does not let it go, left behind;
 *              errno of fork(2). Not logged.
 *   Threads    the caller's must be the only one. */
int attempt_within(int64_t ms, int (*call)(const void *context), const void *context);

#endif
