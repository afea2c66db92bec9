/* metadata.h - what import and export share: a file's attributes on both sides of the vault's wall. */
#ifndef VAULTFS_TOOLS_METADATA_H
#define VAULTFS_TOOLS_METADATA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "vault.h"

/* Extended attributes that the other side did not take. All zero and METADATA_LOSSES is an empty one. */
struct metadata_losses {
	pthread_mutex_t lock; /* guards all below */
	uint64_t n;
	char first[512]; /* "NAME of PATH" */
};

#define METADATA_LOSSES_INIT                      \
	{                                         \
		.lock = PTHREAD_MUTEX_INITIALIZER \
	}

/* Say what was lost, if anything. */
void metadata_report_losses(const char *what, struct metadata_losses *losses);

int64_t metadata_ns(struct timespec time);
struct timespec metadata_timespec(int64_t ns);

/* What stat(2) says, as the vault keeps it; the id stays 0. */
struct vault_attr metadata_from_stat(const struct stat *st);

/* Give inode `id` the mode, owner and times of `wanted`, and its size if `with_size`. */
int metadata_set(struct vault *vault, uint64_t id, const struct vault_attr *wanted, bool with_size);

/* Copy the extended attributes of the open file `fd` (also an O_PATH one) to inode `id`. What the vault refuses, and
 * what is computed, is left out. Other failures are logged with `path` and returned. */
int metadata_xattrs_in(struct vault *vault, uint64_t id, int fd, const char *path,
		       struct metadata_losses *losses);

/* The same outwards; access control lists inherited there go. */
int metadata_xattrs_out(struct vault *vault, uint64_t id, int fd, const char *path,
			struct metadata_losses *losses);

#endif
