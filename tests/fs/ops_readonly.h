/* ops_readonly.h - what is refused where nothing may be written. */
#ifndef VAULTFS_TESTS_OPS_READONLY_H
#define VAULTFS_TESTS_OPS_READONLY_H

/* Ends the case unless the fixture's tree, which is the working directory, is read-only: every call that would change
 * something fails with EROFS, or with what stands before that, and what does not goes on. */
void readonly_check(void);

#endif
