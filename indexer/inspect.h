/* inspect.h - what the helper does with one file: the stages, in order. */
#ifndef VAULTFS_INDEXER_INSPECT_H
#define VAULTFS_INDEXER_INSPECT_H

struct inspector;

/* Load all that parsers load when they are used first, while files can still be opened.  NULL: it cannot be. */
struct inspector *inspector_new(void);

/* Answer the one inspection that comes over `fd`. */
void inspector_serve(struct inspector *inspector, int fd);

#endif
