/* tag_files.h - tags given to and taken from files one by one. The metadata lock, taken with commit_lock(), is held. */
#ifndef VAULTFS_TAG_FILES_H
#define VAULTFS_TAG_FILES_H

#include "vault_internal.h"

/* Give file `id` one tag more, at that place among its tags, and count it.  1 given; 0 it had that one. */
int tag_file_give_locked(struct vault *vault, uint64_t id, uint64_t tag_id, uint64_t position);

/* Take the tag of row `tag_id` from up to `n_files` files; with `other` that row's tag takes its place. Returns how many files
 * were changed: fewer than `n_files` only if no more have it. */
int tag_files_replace_locked(struct vault *vault, uint64_t tag_id, uint64_t other, unsigned n_files);

/* 1 a file that has a name has the tag; 0. */
int tag_files_has_any_locked(struct vault *vault, uint64_t tag_id);

#endif
