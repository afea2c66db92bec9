/* indexer.h - what a file is and what is in it, found out behind the mount's back.
 *
 * A file whose content changed is read some moments later: its SHA-256 is worked out, and a helper process says its type,
 * its text, its media data, and makes a thumbnail and previews. The helper is a process because it parses hostile bytes: it
 * may hang, crash or be taken over without anything happening to the vault or the mount. What is to be done stands in the
 * vault (jobs, library.h), so that nothing is forgotten when the process ends. */
#ifndef VAULTFS_INDEXER_H
#define VAULTFS_INDEXER_H

#include <stdbool.h>
#include <stdint.h>

struct indexer;
struct vault;

struct indexer_options {
	bool types_only;  /* only the type: the head of each file is read */
	bool no_previews; /* no previews of videos */
	const char
		*helper; /* the helper program; NULL: that which belongs to the running program. Borrowed */
};

/* Take over vault_on_content_changed() and start the thread that works on the vault's jobs, while nobody else is at work
 * or with a small share of the time. Call it in the process that stays (behind any fork), right after vault_open().
 *   Ownership  *ret is ended with indexer_stop(), before vault_close(); `vault` is borrowed until then.
 *   Errors     -ENOMEM, -EMFILE, -EAGAIN; logged. A read-only vault can be told nothing: 0, and *ret is NULL.
 *              A helper that does not start is no error here: files then wait for it, with a warning. */
int indexer_start(struct vault *vault, const struct indexer_options *options, struct indexer **ret);

/* End the thread and the helper at once; what was being done waits again. Call it when no other thread changes or closes
 * files of the vault any more (the driver's loop has ended). NULL is fine. */
void indexer_stop(struct indexer *indexer);

struct indexer_result {
	uint64_t n_done, n_failed, n_put_off; /* jobs */
};

/* Work on the vault's jobs until none waits, on the calling thread and as fast as it goes. For a vault that nobody else uses.
 *   `progress`  called after each file, with its size; may be NULL.
 *   `cancel_fd` turns readable to end it; -1 never.
 *   Errors      -ECANCELED; -EAGAIN the helper cannot be started (logged); of the vault. *ret counts till then. */
int indexer_run(struct vault *vault, const struct indexer_options *options, int cancel_fd,
		void (*progress)(void *context, uint64_t size), void *context, struct indexer_result *ret);

#endif
