/* listing_names.h - names by which files of a listing are told apart. Pure. */
#ifndef VAULTFS_LISTING_NAMES_H
#define VAULTFS_LISTING_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* Where the extension of a name of `size` bytes begins, its full stop included: at `size` where it has none. */
size_t listing_extension(const char *name, size_t size);

/* The inode number in a name of the form STEM~INODE.EXT, 0 if it is not of that form. That an inode is named this way is
 * to be seen from vault_listing_other_name() of its name only. */
uint64_t listing_named_id(const char *name, size_t size);

#endif
