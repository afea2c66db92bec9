/* tags.h - what people and the indexer know of a file: tags, note, rating, MIME type, and the attributes that show
 * them.
 *
 * Tables tags, asset_tags, assets and content. Tags are told apart by their folded names (casefold.h), so that
 * "Beach" and "beach" are one row, which is named as it was first written. Who changes a file's tags by another way
 * than tags_put_locked() sets assets.tags_text to NULL. The metadata lock is held for all _locked, taken with
 * commit_lock() where they change something. */
#ifndef VAULTFS_TAGS_H
#define VAULTFS_TAGS_H

#include "vault_internal.h"

#define TAGS_NAME_MAX 255u /* bytes of a tag */
#define TAGS_PER_FILE_MAX 1000u

/* The attributes that are worked out from these tables. */
enum tags_attribute {
	TAGS_ATTRIBUTE_TAGS,    /* user.xdg.tags: asset_tags, joined with ',' */
	TAGS_ATTRIBUTE_COMMENT, /* user.xdg.comment: assets.notes */
	TAGS_ATTRIBUTE_RATING,  /* user.baloo.rating: assets.rating */
	TAGS_ATTRIBUTE_MIME,    /* user.mime_type: content.mime; read-only */
	TAGS_N_ATTRIBUTES,
};

extern const char *const tags_attribute_names[TAGS_N_ATTRIBUTES];

/* Bytes that all their names take in a list, each with its NUL. */
#define TAGS_NAMES_SIZE                                                                       \
	(sizeof("user.xdg.tags") + sizeof("user.xdg.comment") + sizeof("user.baloo.rating") + \
	 sizeof("user.mime_type"))

/* The attribute called `name`, or -ENOENT. */
int tags_attribute_find(const char *name);

/* Which of them inode `id` has: ret[attribute].  -ENOENT no such inode. */
int tags_present_locked(struct vault *vault, uint64_t id, bool ret[TAGS_N_ATTRIBUTES]);

/* Returns the value's length; with size 0 only asks for it.  -ENODATA; -ERANGE; -E2BIG past VAULT_XATTR_MAX. */
ssize_t tags_get_locked(struct vault *vault, uint64_t id, enum tags_attribute attribute, void *buffer,
			size_t size);

/* Set one, in a savepoint of its own; ctime is the caller's.  -EINVAL; -EPERM the read-only one. No tags, or white
 * space and commas only, removes them. */
int tags_put_locked(struct vault *vault, uint64_t id, enum tags_attribute attribute, const void *value,
		    size_t size);

/* -EPERM the read-only one. One that is absent is no error. */
int tags_remove_locked(struct vault *vault, uint64_t id, enum tags_attribute attribute);

/* Remove what is known of an inode that goes. The tags themselves stay. */
int tags_forget_locked(struct vault *vault, uint64_t id);

#endif
