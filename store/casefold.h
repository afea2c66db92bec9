/* casefold.h - text with its case folded, so that what differs in case only compares equal.
 *
 * Unicode's simple case folding (CaseFolding.txt, statuses C and S) on UTF-8; no locale, no normalisation. Bytes
 * that are not UTF-8 pass through unchanged. */
#ifndef VAULTFS_CASEFOLD_H
#define VAULTFS_CASEFOLD_H

#include <stdbool.h>
#include <stddef.h>

/* Room that the folded form of `size` bytes may need: two bytes may become three. */
#define CASEFOLD_SIZE(size) ((size) + (size) / 2)

/* Fold `size` bytes of `text` into `ret`, which has room for CASEFOLD_SIZE(size). Returns the folded size; no NUL
 * is added. */
size_t casefold(const char *text, size_t size, char *ret);

/* Is all of it UTF-8, as RFC 3629 has it? */
bool utf8_is_valid(const char *text, size_t size);

#endif
