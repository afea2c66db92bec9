/* name_facts.h - what a file's name says of when it was made, and of whom it shows.
 *
 * Cameras, telephones and people write dates into names: `IMG_20240220_143000.jpg`, `2024-02-20 14.30.00.jpg`,
 * `VID-20240220-WA0001.mp4`. What stands before one is a person (`someone-2024-02-20_14-30-00.mp4`), unless it is what
 * programs put there. Knows text only, no vault. */
#ifndef VAULTFS_NAME_FACTS_H
#define VAULTFS_NAME_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_PERSON_MAX 64u /* bytes */

struct name_facts {
	bool has_time; /* of day; else it is midnight */
	int year, month, day, hour, minute, second;
	const char *person; /* in the name; as it is written there */
	size_t person_size; /* 0: nobody */
};

/* The first date in the name, from 1900 on, year first, that exists in the calendar. False: there is none, and with it no
 * person. */
bool name_facts_read(const char *name, size_t size, struct name_facts *ret);

/* That moment, taken for local time: nanoseconds since 1970. */
int64_t name_facts_ns(const struct name_facts *facts);

#endif
