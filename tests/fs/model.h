/* model.h - random calls on a filesystem, compared with something that cannot be wrong. */
#ifndef VAULTFS_TESTS_MODEL_H
#define VAULTFS_TESTS_MODEL_H

#include <stdint.h>

/* `n` random changes and reads of a few files in `directory` against buffers in memory; at the end the buffers are
 * written to files of the same names in `copy` (may be NULL). Exits with 1 and a message when they differ. */
void model_data(const char *directory, const char *copy, uint64_t seed, unsigned n);

_Noreturn void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
