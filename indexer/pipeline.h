/* pipeline.h - what is done with a file: read, added up, looked into by the helper, and what was found is stored.
 *
 * Works on the vault's jobs, one at a time, oldest first; knows no thread and no time of its own. */
#ifndef VAULTFS_INDEXER_PIPELINE_H
#define VAULTFS_INDEXER_PIPELINE_H

#include "indexer.h"

struct pipeline;

/* `background`: others use the vault, too; keep out of their way (pace.h).
 * `cancel_fd`   turns readable to end whatever is being done; borrowed.
 *   Ownership   *ret ends with pipeline_free(), before vault_close().
 *   Errors      -ENOMEM, -ENOTSUP; logged. */
int pipeline_new(struct vault *vault, const struct indexer_options *options, bool background, int cancel_fd,
		 struct pipeline **ret);
void pipeline_free(struct pipeline *pipeline); /* NULL is fine */

/* Do the next job. Outside of a change; always on the same thread.
 *   *ret_job  what became of it.
 *   Returns   1 it was done, or put off; 0 none waits; -EAGAIN the helper cannot be started now, and the job waits on;
 *             -ECANCELED; of the vault (logged): it cannot be written. */
enum pipeline_result { PIPELINE_DONE, PIPELINE_FAILED, PIPELINE_AGAIN };
int pipeline_step(struct pipeline *pipeline, enum pipeline_result *ret_result, uint64_t *ret_size);

/* End the helper until it is needed again. */
void pipeline_rest(struct pipeline *pipeline);

#endif
