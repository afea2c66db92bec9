/* sandbox.h - give away what a process that parses hostile bytes does not need. */
#ifndef VAULTFS_INDEXER_SANDBOX_H
#define VAULTFS_INDEXER_SANDBOX_H

/* What must hold for the helper while it loads, already: memory, no files written, no core, the name, its parent's
 * death is its own. Returns -1 and errno. */
int sandbox_enter_helper(void);

/* The rest, in the child that inspects, once everything is loaded: no file, no process, no program, bounded CPU time,
 * and by a seccomp filter no system call but those that allocate, read, write and end. A forbidden call fails with EPERM
 * instead of killing: many a library tries to open a locale or to count processors and does well without.
 * A kernel without seccomp leaves us with the limits. Returns -1 and errno. */
int sandbox_enter_child(void);

#endif
