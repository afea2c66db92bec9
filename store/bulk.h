/* bulk.h - the chunk index and the packs' rows as a whole: restored from records, counted anew, dropped by the pack.
 *
 * What single chunks need is in chunks.h. All calls hold the metadata lock. */
#ifndef VAULTFS_BULK_H
#define VAULTFS_BULK_H

#include "vault_internal.h"

/* Put the row of a chunk whose record was found at `item`, without references, born in commit `born`. A row of that id is
 * pointed at this later record, and the packs' live bytes follow it.  -EBADMSG the id stands for other content (logged). */
int bulk_restore_locked(struct vault *vault, const struct packs_item *item, uint64_t born);

/* Give the chunks that extents name, but whose records are lost, rows marked as damaged that stand at `place`, where a read
 * must find no record of theirs. So files stay readable elsewhere, and go as others do. How many is logged. */
int bulk_add_lost_locked(struct vault *vault, struct place place);

/* 1 all of these chunks have rows, 0 not. */
int bulk_has_all_locked(struct vault *vault, const uint64_t *chunks, size_t n);

/* Count all references anew, from extents and from the newest picture's chunks, and the packs' live bytes. Chunks without
 * references are dead since the commit of vault->state. */
int bulk_recount_locked(struct vault *vault, const uint64_t *picture_chunks, size_t n_picture_chunks);

/* Remove the row of a dead chunk that stands in `pack`. 1 removed; 0 it stands elsewhere now, or is gone.  -EBUSY it is
 * not dead (logged). */
int bulk_remove_dead_locked(struct vault *vault, uint64_t chunk, uint64_t pack);

#endif
