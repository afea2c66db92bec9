/* loop.h - the threads that receive requests. */
#ifndef VAULTFS_LOOP_H
#define VAULTFS_LOOP_H

#include "fs_internal.h"
#include "wire.h"

/* Start receiving.  -errno, logged. */
int loop_start(struct fs *fs);

/* Make loop_wait() return although the filesystem is still mounted. From any thread. */
void loop_stop(struct fs *fs);

/* Wait until the filesystem was unmounted or loop_stop() was called, and all threads of the loop have ended. */
void loop_wait(struct fs *fs);

/* Have all threads of the loop ended? Does not wait. */
bool loop_is_over(struct loop *loop);

/* After loop_wait(), when nobody calls loop_stop() any more; NULL is fine. */
void loop_free(struct loop *loop);

/* Make `worker` the calling thread's until worker_leave(). `reply` may be NULL on a thread that serves changes only, which
 * never use it. */
void worker_enter(struct worker *worker, char *reply);
void worker_leave(void);

/* Have libfuse carry out a request, on a thread with a worker; one that changes something, inside a change section. */
void worker_serve(struct fs *fs, const struct wire_request *request, char *raw, size_t size);

#endif
