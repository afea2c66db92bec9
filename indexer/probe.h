/* probe.h - have the helper process look into a file, whatever happens to it.
 *
 * Knows the helper's protocol (helper.h) and its life: it is started when needed, killed when it hangs, started anew
 * when it died, ever more slowly while it never gets ready. Knows no vault: the bytes come from a function. */
#ifndef VAULTFS_INDEXER_PROBE_H
#define VAULTFS_INDEXER_PROBE_H

#include "findings.h"

#include <sys/types.h>

struct indexer_probe;

/* A file to look into. `extension` is that of its name without the dot, NULL or "" = none; it is a hint where the bytes
 * say little. `read` answers with as many bytes as there are, 0 at the end, or a negative errno, which ends the
 * inspection; it is called on the caller's thread, with any offset below `size`, and sizes up to HELPER_READ_MAX. */
struct indexer_source {
	uint64_t size;
	const char *extension;
	ssize_t (*read)(void *context, uint64_t offset, void *buffer, size_t size);
	void *context;
};

/* `program`    what to run as the helper; NULL = vaultfs-helper as it was built or installed beside the running program.
 * `cancel_fd`  turns readable when whoever waits in here shall give up at once; borrowed until indexer_probe_free().
 *              -1 = none.
 * Nothing is started yet.  -ENOMEM (not logged). */
int indexer_probe_new(const char *program, int cancel_fd, struct indexer_probe **ret);

/* Kills and reaps the helper; NULL is fine. */
void indexer_probe_free(struct indexer_probe *probe);

/* Look into `source` for what is `wanted` (of enum helper_stage, or-ed; STAGE_TYPE is always part of it, because the
 * rest depends on it). What a file cannot have (a text no thumbnail) is simply not there.
 *
 * A helper that hangs or dies is tried a second time with what is still missing. Time, at most, an attempt: 2 s each for
 * type and text, 10 s media, 20 s thumbnail, 60 s previews (reading in `source` does not count), and 10 s for a helper
 * to start, with up to 30 s of back-off before it.
 *   Ownership  *ret is filled also when this fails, with what was found before; indexer_findings_release() it always.
 *   Errors     none is logged but the first of starting the helper: -ETIMEDOUT it hung, twice; -EPIPE it died or talked
 *              nonsense, twice; what source->read answered; errno of starting it; -ECANCELED; -ENOMEM.
 *   Threads    one at a time, always the same one: the helper dies with the thread that started it. */
int indexer_probe_inspect(struct indexer_probe *probe, const struct indexer_source *source, unsigned wanted,
			  struct indexer_findings *ret);

/* End the helper until it is needed again. */
void indexer_probe_rest(struct indexer_probe *probe);

#endif
