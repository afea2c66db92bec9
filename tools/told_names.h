/* told_names.h - names that changed beside a mount: the kernel is told at once, and once more a moment later.
 *
 * A look-up that was answered before the change, but whose answer reaches the kernel after it was told, leaves the old
 * name there for a week. Telling again, when every answer of before has arrived, takes it away. All functions may be called
 * from any thread that holds no lock and is within no change. */
#ifndef VAULTFS_TOOLS_TOLD_NAMES_H
#define VAULTFS_TOOLS_TOLD_NAMES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs.h"

struct told_names {
	struct fs *fs;
	pthread_mutex_t lock; /* a leaf; guards all below */
	struct told_name {
		uint64_t parent;
		char *name;
	} * names; /* owned */
	size_t n;
};

void told_names_init(struct told_names *told, struct fs *fs);
void told_names_release(struct told_names *told);

/* Tell of a name, and remember it. */
void told_names_add(struct told_names *told, uint64_t parent, const char *name);

/* Wait a moment if there are any, tell of all again, and forget them. */
void told_names_again(struct told_names *told);

#endif
