/* timestamp.h - dates as cameras and containers write them. */
#ifndef VAULTFS_INDEXER_TIMESTAMP_H
#define VAULTFS_INDEXER_TIMESTAMP_H

#include <stdint.h>

/* Nanoseconds since 1970 of "2024-02-20T14:30:00.5+01:00", "2024:02:20 14:30:00" and what lies between; a zone is +hh:mm,
 * +hhmm or Z, and where there is none, the clock showed local time, as dates in names and searches do. 0: no date, or one before 1826, when nobody took a
 * picture, or after 2199. */
int64_t timestamp_parse(const char *text);

/* As JSON has it: "2024-02-20T14:30:00Z". */
void timestamp_print(int64_t ns, char ret[32]);

#endif
