/* probe.h - ask the helper process what some bytes are, whatever happens to it.
 *
 * Knows the helper's protocol (helper.h) and its life: it is started when needed, killed when it hangs, started anew
 * when it died, ever more slowly while it never answers. Knows no vault. */
#ifndef VAULTFS_INDEXER_PROBE_H
#define VAULTFS_INDEXER_PROBE_H

#include "helper.h"

struct indexer_probe;

/* `program`    what to run as the helper, with INDEXER_HELPER_ARGUMENT; NULL = the program that is running.
 * `cancel_fd`  turns readable when whoever waits in here shall give up at once; borrowed until indexer_probe_free().
 *              -1 = none.
 * Nothing is started yet.  -ENOMEM (not logged). */
int indexer_probe_new(const char *program, int cancel_fd, struct indexer_probe **ret);

/* Kills and reaps the helper; NULL is fine. */
void indexer_probe_free(struct indexer_probe *probe);

/* The MIME type of a file that begins with `head` (`size` 1 to HELPER_REQUEST_MAX). Two attempts, at most 2 s each
 * for the answer, 10 s for a helper to start, and 30 s of back-off before it.
 *   Errors   none is logged: -ENODATA the helper cannot tell; -ETIMEDOUT it hung, twice; -EPIPE it died or talked
 *            nonsense, twice; errno of starting it; -ECANCELED.
 *   Threads  one at a time, always the same one: the helper dies with the thread that started it. */
int indexer_probe_ask(struct indexer_probe *probe, const void *head, size_t size,
		      char ret_mime[HELPER_MIME_MAX + 1]);

/* End the helper until it is needed again. */
void indexer_probe_rest(struct indexer_probe *probe);

#endif
