/* daemon.h - the process in the background: fork, tell the parent how it went, then be quiet. */
#ifndef VAULTFS_DAEMON_H
#define VAULTFS_DAEMON_H

#include <sys/types.h>

struct daemon {
	int pipe;	/* to the parent; -1 in the foreground, or once it was told */
};

/* Fork.  >0 in the parent: wait with daemon_wait(); 0 in the child; -errno, logged. */
pid_t daemon_fork(struct daemon *ret);

/* In the parent: how the child fared, 0 or a negative errno. The child has logged it on the terminal. */
int daemon_wait(struct daemon *daemon, pid_t child);

/* In the child, once: tell the parent. With 0 the terminal is left, and from now on lines go to syslog. In the foreground
 * it does nothing. */
void daemon_report(struct daemon *daemon, int result);

/* Have libfuse's own lines go where ours go. */
void daemon_take_libfuse_log(void);

#endif
