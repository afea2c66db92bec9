/* time_text.h - a moment as programs write it. */
#ifndef VAULTFS_TIME_TEXT_H
#define VAULTFS_TIME_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Read an RFC 3339 time ("2024-02-20T14:30:00Z"; a fraction is dropped, an offset in place of the Z taken into account), or
 * seconds since 1970 in digits. *ret_ns: nanoseconds since 1970, of a whole second.
 *   -EINVAL anything else, and what lies before 1970 or past what nanoseconds can hold, in 2262. */
int time_parse(const char *text, size_t size, int64_t *ret_ns);

#endif
