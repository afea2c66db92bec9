/* watch.h - what happens in trees of directories outside the vault: inotify(7), by path. Knows no vault.
 *
 * A tree is a directory and all below it, named by a number of the caller's. Directories in it are named by their path
 * from its top, "" being the top. One thread uses a watch. */
#ifndef VAULTFS_TOOLS_WATCH_H
#define VAULTFS_TOOLS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct watch;

/* What is told. `directory` and the names are borrowed during the call. */
struct watch_witness {
	void *context;
	/* Something in `directory` is new, or was written; also told of directories that are new themselves. */
	void (*changed)(void *context, uint64_t tree, const char *directory);
	/* What was called `from` (a path from the top) is called `to` now. */
	void (*moved)(void *context, uint64_t tree, const char *from, const char *to);
	/* Events were lost: anything may have changed. */
	void (*overflow)(void *context);
};

int watch_new(const struct watch_witness *witness, struct watch **ret); /* -EMFILE, -ENOMEM; logged */
void watch_free(struct watch *watch);                                   /* NULL is fine */

/* For poll(2): readable when watch_read() has something to tell. */
int watch_fd(const struct watch *watch);

/* Watch the directory `top` (kept as a copy) and all below it as `tree`.
 *   Errors  errno of the top; -ENOSPC more directories than fs.inotify.max_user_watches allows. Logged. */
int watch_add(struct watch *watch, uint64_t tree, const char *top);
void watch_remove(struct watch *watch, uint64_t tree);

/* Tell what has happened so far; does not wait. */
void watch_read(struct watch *watch);

#endif
