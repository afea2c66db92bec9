/* workers.h - a pool of threads for what is better not done on a request's own: hashing, compressing, decoding ahead. */
#ifndef VAULTFS_WORKERS_H
#define VAULTFS_WORKERS_H

#include <stdbool.h>

#include "codec.h"

/* Embedded in what the job works on; nothing is allocated. */
struct job {
	struct job *next;	/* the queue's */
	/* Runs on a worker, with no lock held and that worker's codec context. May free what the job is embedded in. */
	void (*run)(struct job *job, struct codec_context *codec);
};

enum workers_queue {
	WORKERS_STORE,		/* first in, first out; before all of the others */
	WORKERS_SMALL,		/* the same for what is little work: a worker is woken for several together, so that one may wait
				 * some milliseconds */
	WORKERS_AHEAD,		/* read-ahead: taken when nothing is to be stored */
	WORKERS_N_QUEUES,
};

struct workers;

/* Start `n_threads` (0: one for each processor). They take no signals.  -EAGAIN, -ENOMEM (logged). */
int workers_new(unsigned n_threads, struct workers **ret);

/* Run all that is queued, and what these jobs submit in turn, then end the threads. Nobody else uses the pool any more.
 * NULL is fine. */
void workers_free(struct workers *workers);

/* Hand a job over; never waits. Threads: any. Wakes a sleeping worker only if there is one. */
void workers_submit(struct workers *workers, enum workers_queue queue, struct job *job);

/* Run one queued WORKERS_STORE job on the calling thread, with a codec context kept for such helpers. False if none was
 * queued, or another helper has that context just now. For who would otherwise only wait. */
bool workers_help(struct workers *workers);

#endif
