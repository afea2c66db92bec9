/* tag_totals.h - how many files count as having a tag, by whatever rule: counted when asked for, and kept while it holds.
 *
 * Files may count for many reasons, so that no sum of counts says it. Each row of tags in the graph remembers when a file
 * last got or lost it; a total holds as long as that is earlier for all rows that count. */
#ifndef VAULTFS_TAG_TOTALS_H
#define VAULTFS_TAG_TOTALS_H

#include "tag_graph.h"

/* A file got or lost tag `tag_id`. The metadata lock is held. */
void tag_totals_touch_locked(struct vault *vault, uint64_t tag_id);

/* Fill in n_total of every tag of the list. Takes the metadata lock, again and again, for some milliseconds at a time.
 *   Errors  -ENOMEM; -EBUSY rules change all the time (logged). */
int tag_totals_fill(struct vault *vault, struct vault_tags *list);

#endif
