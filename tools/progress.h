/* progress.h - how far a long command is, on a terminal, and its messages without tearing that line apart.
 *
 * All functions may be called from any thread. */
#ifndef VAULTFS_TOOLS_PROGRESS_H
#define VAULTFS_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress;

/* Take over the log's sink, so that messages clear the line first. The line itself appears only when stderr is a
 * terminal and `quiet` is false. `verb`: "imported".
 *   Ownership  progress_free(), which gives the sink back. NULL without memory: all functions take it. */
struct progress *progress_new(const char *verb, bool quiet);
void progress_free(struct progress *progress);

/* Whether anybody sees it: an unseen one need not learn the total. */
bool progress_is_shown(const struct progress *progress);

/* What there is to do; before it is known, only what is done is shown. */
void progress_set_total(struct progress *progress, uint64_t bytes);

/* Add to what is done, and show it if that has not just happened. */
void progress_add(struct progress *progress, uint64_t files, uint64_t bytes);

/* What was done in all. */
void progress_get(const struct progress *progress, uint64_t *ret_files, uint64_t *ret_bytes,
		  double *ret_seconds);

#endif
