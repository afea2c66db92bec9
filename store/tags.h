/* tags.h - the tags of files.
 *
 * Tables tags and asset_tags, and of table assets column tags_text. Tags are told apart by their folded names (casefold.h),
 * so that "Beach" and "beach" are one row, which is named as it was first written. Who changes a file's tags by another way
 * than tags_put_locked() sets assets.tags_text to NULL; a tag that is renamed makes texts with its old name count for nothing. The metadata lock is held for all _locked, taken with commit_lock()
 * where they change something. */
#ifndef VAULTFS_TAGS_H
#define VAULTFS_TAGS_H

#include "library.h"
#include "value.h"
#include "vault_internal.h"

#define TAGS_NAME_MAX VAULT_TAG_NAME_MAX /* bytes of a tag */
#define TAGS_PER_FILE_MAX 1000u

/* 1 the inode has tags; 0. */
int tags_has_any_locked(struct vault *vault, uint64_t id);

/* Add what user.xdg.tags reads as: the bytes last written, or the tags joined with ','.  -ENODATA no tags. */
int tags_get_locked(struct vault *vault, uint64_t id, struct value *ret);

/* Make the tags in `text` those of the file, in a savepoint of its own; it has a row in assets then. No tags, or white
 * space and commas only, removes them. ctime is the caller's.  -EINVAL. */
int tags_put_locked(struct vault *vault, uint64_t id, const char *text, size_t size);

/* Give inode `to`, which has no tags, those of `from`, in their order and written the same way. */
int tags_copy_locked(struct vault *vault, uint64_t from, uint64_t to);

/* Remove what is known of an inode that goes. The tags themselves stay. */
int tags_forget_locked(struct vault *vault, uint64_t id);

struct tags_word {
	const char *name; /* points into the text; not empty */
	size_t size;
};

/* The next tag of `text`, in which commas separate them, from *at on, trimmed; *at is moved behind it. 1 found; 0 the end;
 * -EINVAL too long, or with a NUL. */
int tags_next(const char *text, size_t size, size_t *at, struct tags_word *ret);

#endif
