/* import.h - a directory tree straight into a vault that this process holds. */
#ifndef VAULTFS_TOOLS_IMPORT_H
#define VAULTFS_TOOLS_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

struct progress;
struct vault;

struct import_options {
	const char *into;     /* path in the vault the directory becomes; NULL = its own name, at the top */
	bool update;          /* what is there already is brought up to date */
	bool one_file_system; /* mount points below become empty directories */
	struct progress *progress; /* may be NULL */
};

/* Import the directory `source`, and commit. Files are filled by a few threads; names appear in sorted order.
 *   *ret_n_failed  files and directories that could not be read, each logged; the rest was imported.
 *   Errors         of the vault; logged. What was imported before stays. */
int import_tree(struct vault *vault, const char *source, const struct import_options *options,
		uint64_t *ret_n_failed);

#endif
