/* export.h - a tree of a vault out into a directory. */
#ifndef VAULTFS_TOOLS_EXPORT_H
#define VAULTFS_TOOLS_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

struct progress;
struct vault;
struct vault_attr;

struct export_options {
	bool update; /* files that are there with the same size and time are kept, others replaced */
	struct progress *progress; /* may be NULL */
};

/* Write what `top` is into `directory`: a directory becomes `directory` itself, which must not exist or be empty unless
 * `update`; anything else is put into it as `name`.
 *   *ret_n_failed  what could not be read or written, each logged; the rest was exported.
 *   Errors         that end it: logged. */
int export_tree(struct vault *vault, const struct vault_attr *top, const char *name, const char *directory,
		const struct export_options *options, uint64_t *ret_n_failed);

#endif
