/* text.h - numbers from users, and numbers, times and names for them. */
#ifndef VAULTFS_TOOLS_TEXT_H
#define VAULTFS_TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number of bytes: decimal digits and an optional K, M, G or T (powers of 1024; "KiB", "KB" and lower case are taken
 * too). A bare number counts `unit` bytes.  -EINVAL not a number; -ERANGE below `min` or above `max`. */
int text_to_size(const char *text, uint64_t unit, uint64_t min, uint64_t max, uint64_t *ret);

/* A plain decimal number.  Errors as above. */
int text_to_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

struct text_number {
	char text[48];
};

/* "512 B", "1.4 GiB". */
struct text_number text_from_size(uint64_t bytes);
/* "1,234,567". */
struct text_number text_from_count(uint64_t n);
/* "1 file", "2,345 files". `one` and `many` have at most 16 bytes. */
struct text_number text_from_items(uint64_t n, const char *one, const char *many);
/* Local time, "2024-05-01 13:45"; "-" when the calendar cannot say it. */
struct text_number text_from_time(int64_t ns);
/* "drwxr-xr-x". */
struct text_number text_from_mode(uint32_t mode);
/* `part` of `whole` as "34 %"; "0 %" of nothing. */
struct text_number text_from_share(uint64_t part, uint64_t whole);

/* Whether the bytes are UTF-8 as RFC 3629 has it. */
bool text_is_utf8(const char *text);

/* The text with every byte that is not UTF-8 replaced by U+FFFD; the caller's, free() it. NULL without memory. */
char *text_to_utf8(const char *text);

/* Print a name on stdout: bytes as they are, but control characters as '?' when stdout is a terminal. */
void text_print_name(const char *name);

#endif
