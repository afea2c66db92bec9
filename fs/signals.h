/* signals.h - SIGTERM, SIGINT and SIGHUP end the mount without losing what programs had mapped. */
#ifndef VAULTFS_SIGNALS_H
#define VAULTFS_SIGNALS_H

#include <signal.h>

#include "fs_internal.h"

#define SIGNALS_WAKE SIGUSR1	/* sent to a thread of the loop to make it leave its read */

struct signals;

/* Before the first thread: have the signals wait for signals_start(), and ignore SIGPIPE. */
void signals_block(void);

/* Start to take the signals, once the loop serves.  -errno, logged. */
int signals_start(struct fs *fs);

/* End the threads, after the session is cut off; NULL is fine. */
void signals_free(struct signals *signals);

#endif
