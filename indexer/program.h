/* program.h - where the helper program is. */
#ifndef VAULTFS_INDEXER_PROGRAM_H
#define VAULTFS_INDEXER_PROGRAM_H

/* Find vaultfs-helper: beside the running program, as it is built, or in the folder for programs that only programs
 * start, as it is installed. What others than root, the owner of the running program and ourselves could have put or
 * changed there is left alone.
 *   Ownership  *ret_path is the caller's, free() it.
 *   Errors     -ENOENT there is none; -EACCES there is one that others may change; -ENOMEM. None is logged. */
int helper_program_find(char **ret_path);

#endif
