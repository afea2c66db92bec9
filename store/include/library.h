/* library.h - the vault as a library: what is known of files, and how they are found by it.
 *
 * Beside vault.h, whose rules of errors, threads, names and moments hold here too. Tags, notes and the rest are set
 * through extended attributes (vault.h; vaultfs-xattr(7)) or by the functions below. */
#ifndef VAULTFS_LIBRARY_H
#define VAULTFS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vault.h"

/* ---- what changed ---- */

/* Moves with every change that a list of files may have to follow: names, tags, what is known of files, attributes. */
uint64_t vault_generation(struct vault *vault);

/* Inodes that changed since *generation, each perhaps more than once, up to `n`; *generation becomes that of now. Those that
 * are gone are among them. Returns how many.
 *   Errors  -EOVERFLOW too many, or something that touches all files (a tag's rules, a directory's name): list anew. */
int vault_changes_since(struct vault *vault, uint64_t *generation, uint64_t *ret_ids, size_t n);

#endif
