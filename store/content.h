/* content.h - what programs found out about a file's bytes: table content.
 *
 * The metadata lock is held for all of these. */
#ifndef VAULTFS_CONTENT_H
#define VAULTFS_CONTENT_H

#include "value.h"
#include "vault_internal.h"

enum finding {
	FINDING_MIME,
	FINDING_KIND,
	FINDING_SHA256, /* in hex */
	FINDING_MEDIA,  /* JSON */
	FINDING_ERROR,  /* why it could not be looked into */
	FINDING_N,
};

/* Add the value to `ret`, as its attribute shows it.  -ENODATA none. */
int content_get_locked(struct vault *vault, uint64_t id, enum finding finding, struct value *ret);

/* Note why a file could not be looked into.  -ENOENT the file is gone. */
int content_set_error_locked(struct vault *vault, uint64_t id, const char *error);

/* Remove the row of an inode that goes. */
int content_forget_locked(struct vault *vault, uint64_t id);

#endif
