/* pool.h - a few threads that fill files while one thread walks the tree ahead of them. Knows no vault. */
#ifndef VAULTFS_TOOLS_POOL_H
#define VAULTFS_TOOLS_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "vault.h"

/* One file to fill. What each end means is the business of whoever puts and runs it. */
struct pool_job {
	int fd;                 /* the file outside the vault; owned by the job */
	struct vault_attr attr; /* what it must look like in the end; the id is that of the file inside */
	char *path;             /* below the tree's top; owned by the job */
	char *name;             /* the name it takes over in directory `parent` when it is whole; NULL: it has its own. Owned */
	uint64_t parent;
};

struct pool;

/* Start the threads, and let this process open as many files as it may. `run` gets each job once, with a buffer of
 * POOL_BUFFER bytes of its own thread, and takes over what the job owns. Its first negative result is kept, and later
 * jobs are still handed over, so that they are released.
 *   Ownership  pool_finish(), always.   Errors  -ENOMEM, -EAGAIN; logged. */
int pool_start(int (*run)(void *context, struct pool_job *job, void *buffer), void *context,
	       struct pool **ret);

#define POOL_BUFFER ((size_t)1 << 20)

/* Hand over a job; waits while the queue is full. */
void pool_put(struct pool *pool, const struct pool_job *job);

/* The first negative result so far, or 0. */
int pool_result(struct pool *pool);

/* Wait until all jobs are done, end the threads, free the pool. Returns pool_result(). NULL is fine. */
int pool_finish(struct pool *pool);

/* Close and free what a job owns. */
void pool_job_release(struct pool_job *job);

#endif
