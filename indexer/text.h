/* text.h - the text of a text file, for search. */
#ifndef VAULTFS_INDEXER_TEXT_H
#define VAULTFS_INDEXER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a file of this type is text that people search. */
bool text_is_type(const char *mime);

/* Make UTF-8 of the first bytes of a text file: of UTF-8 and UTF-16 (by its mark, or by its zeroes), else of Windows-1252,
 * which is Latin-1 and more. Control characters go, line ends become \n. `is_whole`: `bytes` is all of the file, so that a
 * character cut short at the end is none of the cut.
 *   Returns how many bytes were written to `to`, which holds `max`; 0: this is no text. */
size_t text_convert(const uint8_t *bytes, size_t size, bool is_whole, uint8_t *to, size_t max);

#endif
