/* tag_rows.h - single rows of tags, by name: what tag_edit.c, tag_rules.c and tag_files.c share. The metadata lock, taken with
 * commit_lock(), is held for all _locked. */
#ifndef VAULTFS_TAG_ROWS_H
#define VAULTFS_TAG_ROWS_H

#include "vault_internal.h"

/* Can a tag be called so? -EINVAL it is empty, has a ',', begins or ends with white space, or has an empty step or one called
 * "." or ".."; -ENAMETOOLONG. */
int tag_name_check(const char *name);

/* The row of the tag that `name` leads to.  -ENOENT no such tag, or one without a row. */
int tag_row_find_locked(struct vault *vault, const char *name, uint64_t *ret_id);

/* The same, made if there is none, for which the name must be one that tags can have. 1 made; 0 it was there. */
int tag_row_make_locked(struct vault *vault, const char *name, uint64_t *ret_id);

/* The same for the step above the tag `name`, so that it stays when the last one below goes. At the top there is none: 0. */
int tag_row_keep_above_locked(struct vault *vault, const char *name);

/* Another name for a row. */
int tag_row_rename_locked(struct vault *vault, uint64_t id, const char *name, size_t size);

/* Remove a row that no file has any more, with its rules. */
int tag_row_remove_locked(struct vault *vault, uint64_t id);

/* Put the tag's rules on another row. */
int tag_row_move_rules_locked(struct vault *vault, uint64_t from, uint64_t to);

#endif
