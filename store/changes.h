/* changes.h - what of the library changed, and what follows from it: for listings that keep up, search.db and the indexer.
 *
 * Memory knows the ids of the last changes (a ring), so that a listing asks again for these only. What has to be looked at
 * anew by search.db and the indexer is gathered in memory and written to tables search_queue and jobs with the commit that
 * holds the changes themselves: a crash loses neither without the other, and a write pays nothing for it. SQLite's update
 * hook tells of rows of inodes, content and assets, also of those that a replay brings; every change of a name or of a
 * file's tags changes one of these too. Rules (tags' names, aliases, implications) and directories' names touch what no row
 * says: their modules call changes_touch_all_locked(). */
#ifndef VAULTFS_CHANGES_H
#define VAULTFS_CHANGES_H

#include "library.h"
#include "vault_internal.h"

struct changes;

int changes_new(struct vault *vault, struct changes **ret);	/* -ENOMEM, logged */
void changes_free(struct changes *changes);			/* NULL is fine */

/* The metadata lock is held for all of these. */

/* From now on every change of the writing connection is seen. */
void changes_attach_locked(struct vault *vault);

/* Anything may be shown elsewhere, or otherwise: who keeps a list makes it anew. `rules`: tags or their rules changed. */
void changes_touch_all_locked(struct vault *vault, bool rules);

/* The content of file `id` changed, and its last handle was closed: an indexer's job follows. No lock needed. */
void changes_content(struct vault *vault, uint64_t id);

/* Into the open transaction: rows of search_queue and jobs for what was gathered. Once committed, changes_flushed_locked().
 * Where the commit fails it is called again with the next one. */
int changes_flush_locked(struct vault *vault);

/* The same when the changes came by a replay, which does not say whose content changed. */
int changes_flush_replayed_locked(struct vault *vault);
void changes_flushed_locked(struct vault *vault);

/* Jobs for files that changed since somebody looked at them, or never were looked at. */
int changes_queue_stale_locked(struct vault *vault);

/* Moves when tags or their rules change: who keeps a picture of them makes it anew. Lock-free. */
uint64_t changes_rules_generation(const struct vault *vault);

#endif
