/* locations.h - what `vaultfs add` and `vaultfs locations` share: rows, and asking the process that serves. */
#ifndef VAULTFS_TOOLS_LOCATIONS_H
#define VAULTFS_TOOLS_LOCATIONS_H

#include <jansson.h>

#include "library.h"
#include "target.h"

/* A location with texts of its own. */
struct locations_row {
	struct vault_location location;
	char path[VAULT_PATH_MAX + 1];
	char error[VAULT_LOCATION_ERROR_MAX + 1];
};
void locations_row_copy(struct locations_row *ret, const struct vault_location *location);

/* The newest location of that path, of whatever device; of that id.  -ENOENT. Not logged. */
int locations_find_path(struct vault *vault, const char *path, struct locations_row *ret);
int locations_find_id(struct vault *vault, uint64_t id, struct locations_row *ret);

/* Ask the mount's daemon for what follow.h describes. `words` is taken over, NULL is -ENOMEM. `what`, `about`: for messages. */
int locations_ask(const char *what, const char *about, const struct target *target, json_t *words);

/* Say why the vault or the daemon refused; returns `r`. */
int locations_refused(const char *what, const char *about, int r);

#endif
