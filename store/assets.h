/* assets.h - what people said of a file, tags aside: table assets. A value for each column, as its attribute shows it.
 *
 * That a file has a row says that it was given something of its own once, also when all of it was taken back. The metadata
 * lock is held for all of these, taken with commit_lock() where they change something. */
#ifndef VAULTFS_ASSETS_H
#define VAULTFS_ASSETS_H

#include "value.h"
#include "vault_internal.h"

#define ASSET_PREDICTION_MAX 100u /* characters */

/* The comment is what can be put. What is put as a value that says no more than none does is taken back. */
enum asset {
	ASSET_NOTE,       /* any bytes */
	ASSET_RATING,     /* "0" to "10" */
	ASSET_FAVORITE,   /* "1"; "0": none */
	ASSET_HIDDEN,     /* the same */
	ASSET_SEEN,       /* what time_parse() takes, got as RFC 3339 in UTC; "" or "0": none */
	ASSET_PREDICTION, /* characters 0 and 1, 1 to ASSET_PREDICTION_MAX of them */
	ASSET_CUSTOM,     /* any JSON value, in UTF-8 */
	ASSET_N,
};

/* Which of them inode `id` has: ret[asset].  -ENOENT no such inode. */
int assets_present_locked(struct vault *vault, uint64_t id, bool ret[ASSET_N]);

/* Add the value to `ret`.  -ENODATA none. */
int asset_get_locked(struct vault *vault, uint64_t id, enum asset asset, struct value *ret);

/* -EINVAL a value that it cannot have. ctime is the caller's. */
int asset_put_locked(struct vault *vault, uint64_t id, enum asset asset, const char *value, size_t size);

/* Take a value back. One that is absent is no error. */
int asset_remove_locked(struct vault *vault, uint64_t id, enum asset asset);

/* The share of 1s in the prediction, in percent, as queries have it.  -ENODATA no prediction. */
int asset_quality_locked(struct vault *vault, uint64_t id, struct value *ret);

/* 1 the inode has a row, whatever it says; 0. */
int assets_has_any_locked(struct vault *vault, uint64_t id);

/* Inode `to`, which has no row, gets one with all that people said of `from`; its tags' text is tags_copy_locked()'s. */
int assets_copy_locked(struct vault *vault, uint64_t from, uint64_t to);

/* Remove the row of an inode that goes. */
int assets_forget_locked(struct vault *vault, uint64_t id);

#endif
