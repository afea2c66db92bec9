/* given_up.h - names that files gave up a moment ago, as editors do that make the old file its own backup.
 *
 * vim, Emacs and `sed -i.bak` rename FILE to FILE~ or the like and then make FILE anew; no rename replaces anything. So a
 * rename to a longer name that starts with the old one is remembered for some seconds, in memory and a few at a time: whoever
 * takes the name meanwhile takes over what was known of the file. The metadata lock is held for all of these. */
#ifndef VAULTFS_GIVEN_UP_H
#define VAULTFS_GIVEN_UP_H

#include "vault_internal.h"

#define GIVEN_UP_MAX 8u
#define GIVEN_UP_NS INT64_C(10000000000) /* how long */

struct given_up {
	unsigned next; /* place that is used again next */
	struct given_up_name {
		uint64_t directory_id; /* 0: nothing */
		uint64_t inode_id;
		int64_t at_ns; /* monotonic */
		char name[VAULT_NAME_MAX + 1];
	} names[GIVEN_UP_MAX];
};

/* The file `inode_id` was renamed within a directory. */
void given_up_note_locked(struct vault *vault, uint64_t directory_id, const char *old_name,
			  const char *new_name, uint64_t inode_id);

/* Who gave up that name, which is taken now; 0 nobody. Says so once. */
uint64_t given_up_take_locked(struct vault *vault, uint64_t directory_id, const char *name);

#endif
