/* target.h - what a path on the command line is: a vault, or something in a mount of one.
 *
 * A command that reads works on both. Behind a mount it first asks the daemon to commit, then opens the vault beside it.
 * Errors are logged here, naming `path` as the user wrote it, and returned as a negative errno. */
#ifndef VAULTFS_TOOLS_TARGET_H
#define VAULTFS_TOOLS_TARGET_H

#include <stdint.h>

#include "vault.h"

enum target_kind { TARGET_VAULT, TARGET_MOUNT };

struct target {
	enum target_kind kind;
	const char *given; /* borrowed: the path as the user wrote it */
	char *vault;       /* absolute path of the vault directory */
	char *mount;       /* absolute path of the mount's root; NULL for TARGET_VAULT */
	uint64_t id;       /* inode of the path in the mount; the root for TARGET_VAULT */
	uint32_t mode;     /* its st_mode */
};

/* Find out what `path` is. `what` is the command's name, for messages.
 *   Ownership  target_release(), also after a failure.
 *   Errors     -ENOENT no such path; -EINVAL neither a vault nor in a mount; -ENOTCONN a mount without its daemon. */
int target_find(const char *what, const char *path, struct target *ret);

/* As target_find(), for commands that need one kind; the other is refused, with what to do instead.  -EINVAL. */
int target_find_mounted(const char *what, const char *path, struct target *ret);
int target_find_vault(const char *what, const char *path, struct target *ret);

void target_release(struct target *target);

/* Have the daemon make everything durable that was written so far. Only for TARGET_MOUNT. */
int target_sync(const char *what, const struct target *target);

/* Open for reading: beside the daemon (after a commit), or alone, read-only. vault_close() it. */
int target_open(const char *what, const struct target *target, struct vault **ret);

/* The same for looking for words: a daemon is asked to find all that was written so far; alone, the vault is opened for
 * writing if that can be, so that its index follows. */
int target_open_to_search(const char *what, const struct target *target, struct vault **ret);

/* The inode at `path` below the target's own ("" or NULL is the target itself). */
int target_resolve(const char *what, const struct target *target, struct vault *vault, const char *path,
		   struct vault_attr *ret);

/* Whether a process holds the vault at this path: 1, 0 or a negative errno (not logged). */
int target_vault_in_use(const char *vault_path);

static inline void auto_target(struct target *target)
{
	target_release(target);
}

static inline void auto_vault(struct vault **vault)
{
	(void)vault_close(*vault); /* for readers and ways of failure: nothing of ours is left to commit */
}

#endif
