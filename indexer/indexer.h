/* indexer.h - what a file is, found out behind the mount's back.
 *
 * A file whose content changed is looked at some moments later: its first 64 KiB go to a helper process, which asks
 * libmagic, and the answer becomes the file's MIME type. The helper is a process because libmagic parses hostile bytes:
 * it may hang, crash or be taken over without anything happening to the vault or the mount. */
#ifndef VAULTFS_INDEXER_H
#define VAULTFS_INDEXER_H

struct indexer;
struct vault;

/* Take over vault_on_content_changed() and start the thread that follows it. Call it in the process that stays (behind
 * any fork), right after vault_open().
 *   Ownership  *ret is ended with indexer_stop(), before vault_close(); `vault` is borrowed until then.
 *   Errors     -ENOMEM, -EMFILE, -EAGAIN; logged. A read-only vault has nothing to be told: 0, and *ret is NULL.
 *              A helper that does not start is no error here: files are then left without a type, with a warning. */
int indexer_start(struct vault *vault, struct indexer **ret);

/* End the thread and the helper at once; what is still queued stays without a type until its next change. Call it when
 * no other thread changes or closes files of the vault any more (the driver's loop has ended). NULL is fine. */
void indexer_stop(struct indexer *indexer);

#endif
