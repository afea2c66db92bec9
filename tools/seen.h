/* seen.h - which inodes with several names a walk has met, and what became of them: hard links stay hard links. */
#ifndef VAULTFS_TOOLS_SEEN_H
#define VAULTFS_TOOLS_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen_entry {
	uint64_t device, inode;
	uint64_t value; /* never 0: marks a used slot */
};

/* All zero is an empty one; seen_release() it. One thread. */
struct seen {
	struct seen_entry *slots;
	size_t n_slots; /* a power of two, or 0 */
	size_t n_used;
};

/* The value remembered, or 0. */
uint64_t seen_find(const struct seen *seen, uint64_t device, uint64_t inode);

/* Remember a `value` that is not 0 for a pair that is not in it yet. -ENOMEM, logged. */
int seen_put(struct seen *seen, uint64_t device, uint64_t inode, uint64_t value);

void seen_release(struct seen *seen);

#endif
