/* given_up.c - names that files gave up a moment ago. See given_up.h. */
#include "given_up.h"

#include <stdlib.h>
#include <string.h>

static bool is_backup_of(const char *new_name, const char *old_name)
{
	size_t n = strlen(old_name);

	return strncmp(new_name, old_name, n) == 0 && new_name[n] != '\0';
}

void given_up_note_locked(struct vault *vault, uint64_t directory_id, const char *old_name,
			  const char *new_name, uint64_t inode_id)
{
	struct given_up *given_up;
	struct given_up_name *place;

	if (!is_backup_of(new_name, old_name))
		return;
	if (!vault->given_up)
		vault->given_up = calloc(1, sizeof(*vault->given_up));
	given_up = vault->given_up;
	if (!given_up)
		return; /* only a kindness */
	place = &given_up->names[given_up->next++ % GIVEN_UP_MAX];
	place->directory_id = directory_id;
	place->inode_id = inode_id;
	place->at_ns = clock_monotonic_ns();
	(void)stpncpy(place->name, old_name, sizeof(place->name) - 1); /* checked before: it fits */
	place->name[VAULT_NAME_MAX] = '\0';
}

uint64_t given_up_take_locked(struct vault *vault, uint64_t directory_id, const char *name)
{
	struct given_up *given_up = vault->given_up;
	uint64_t found = 0;

	for (size_t i = 0; given_up && i < GIVEN_UP_MAX; i++) {
		struct given_up_name *place = &given_up->names[i];

		if (place->directory_id != directory_id || strcmp(place->name, name) != 0)
			continue;
		place->directory_id = 0;
		if (clock_monotonic_ns() - place->at_ns <= GIVEN_UP_NS)
			found = place->inode_id;
	}
	return found;
}
