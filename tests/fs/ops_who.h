/* ops_who.h - the same call done by different people. */
#ifndef VAULTFS_TESTS_OPS_WHO_H
#define VAULTFS_TESTS_OPS_WHO_H

#include <stdbool.h>

/* What is theirs belongs to user WHO_UID and group WHO_GID. */
enum { WHO_UID = 12345, WHO_GID = 12346, WHO_OTHER_UID = 23456, WHO_OTHER_GID = 23457 };

enum who {
	WHO_ROOT,
	WHO_OWNER,      /* and of the group */
	WHO_OWNER_ONLY, /* another group */
	WHO_GROUP,      /* it is the first group of another user */
	WHO_MEMBER,     /* it is one of the further groups of another user */
	WHO_OTHER,
	WHO_COUNT,
};

const char *who_name(enum who who);

/* Run `run(context)` in a process of its own as this person; what it returns, 0 to 127, comes back. A claim that fails
 * there ends the case. Only root can; the caller has asked who_is_possible(). */
int who_run(enum who who, int (*run)(void *context), void *context);

/* fixture_call() as this person. */
int who_call(enum who who, int call, const char *a, const char *b, int arg);

/* Ends the case, skipped with its reason, unless this process may become others and they can come in here. */
void who_needed(void);

#endif
