/* memory_faults.h - allocations that fail on command: what the store, SQLite and libcrypto ask for, and threads.
 *
 * The store's own calls come here through the linker (--wrap), the libraries' through their settings. Works with the
 * sanitizers as well, which keep malloc() for themselves. */
#ifndef VAULTFS_TEST_MEMORY_FAULTS_H
#define VAULTFS_TEST_MEMORY_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* Send the libraries' allocations here. Call it before anything else. */
void memory_install(void);

/* From now on count, over all threads; the `n`-th fails (0: none), and with `lasting` every one behind it too. */
void memory_end_at(uint64_t n, bool lasting);

/* There is memory again. Returns how many allocations were asked for since memory_end_at(). */
uint64_t memory_is_back(void);

/* Did one fail since memory_end_at()? */
bool memory_was_refused(void);

#endif
