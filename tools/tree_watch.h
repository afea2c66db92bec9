/* tree_watch.h - what happens in trees of directories outside the vault: inotify(7), by path. Knows no vault.
 *
 * A tree is a directory and all below it, named by a number of the caller's. Directories in it are named by their path
 * from its top, "" being the top. One thread uses a watch. */
#ifndef VAULTFS_TOOLS_TREE_WATCH_H
#define VAULTFS_TOOLS_TREE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct tree_watch;

/* What is told. `directory` and the names are borrowed during the call. */
struct tree_witness {
	void *context;
	/* Something in `directory` is new, or was written; also told of directories that are new themselves. */
	void (*changed)(void *context, uint64_t tree, const char *directory);
	/* What was called `from` (a path from the top) is called `to` now. */
	void (*moved)(void *context, uint64_t tree, const char *from, const char *to);
	/* Is the directory at `path`, from the root, to be left out with all below it? */
	bool (*leaves_out)(void *context, const char *path);
	/* Events were lost: anything may have changed. */
	void (*overflow)(void *context);
};

int tree_watch_new(const struct tree_witness *witness,
		   struct tree_watch **ret);    /* -EMFILE, -ENOMEM; logged */
void tree_watch_free(struct tree_watch *watch); /* NULL is fine */

/* For poll(2): readable when tree_watch_read() has something to tell. */
int tree_watch_fd(const struct tree_watch *watch);

/* Watch the directory `top` (kept as a copy) and all below it as `tree`.
 *   Errors  errno of the top; -ENOSPC more directories than fs.inotify.max_user_watches allows. Logged. */
int tree_watch_add(struct tree_watch *watch, uint64_t tree, const char *top);
void tree_watch_remove(struct tree_watch *watch, uint64_t tree);

/* Tell what has happened so far; does not wait. */
void tree_watch_read(struct tree_watch *watch);

#endif
