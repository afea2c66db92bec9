/* memory_work.h - calls on a vault, one after the other, each of which can be made again when it failed; and a number that
 * says what a vault holds. */
#ifndef VAULTFS_TEST_MEMORY_WORK_H
#define VAULTFS_TEST_MEMORY_WORK_H

#include <stddef.h>
#include <stdint.h>

#include "vault.h"

#define WORK_FILE_SIZE 200000u

/* What the steps share. */
struct work {
	struct vault *vault;
	uint64_t directory, file, other;
	struct vault_file *handle;
};

struct work_step {
	const char *name;
	int (*run)(struct work *work);	/* 0 or -errno: then nothing has happened, and it can be run again */
	bool changes;			/* the tree may be another one behind it */
	bool durable;			/* what was before it is kept whatever comes */
};

extern const struct work_step work_steps[];
extern const size_t work_n_steps;

/* Names, modes, link counts, targets, attributes and bytes of all there is: equal numbers, equal trees. 0 on any error. */
uint64_t work_digest(struct vault *vault);

#endif
