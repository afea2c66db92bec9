/* locations.c - rows of locations, and asking for them to be changed. See locations.h. */
#include "locations.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "auto.h"
#include "fs.h"
#include "log.h"

void locations_row_copy(struct locations_row *ret, const struct vault_location *location)
{
	ret->location = *location;
	(void)snprintf(ret->path, sizeof(ret->path), "%s", location->path);
	ret->location.path = ret->path;
	if (!location->error)
		return;
	(void)snprintf(ret->error, sizeof(ret->error), "%s", location->error);
	ret->location.error = ret->error;
}

struct search {
	const char *path; /* NULL: by id */
	uint64_t id;
	struct locations_row *row;
	bool found;
};

static int look_at(void *context, const struct vault_location *location)
{
	struct search *search = context;

	if (search->path ? strcmp(location->path, search->path) != 0 : location->id != search->id)
		return 0;
	locations_row_copy(search->row, location);
	search->found = true;
	return 0;
}

static int find(struct vault *vault, struct search *search)
{
	int r = vault_locations(vault, look_at, search);

	return r < 0 ? r : search->found ? 0 : -ENOENT;
}

int locations_find_path(struct vault *vault, const char *path, struct locations_row *ret)
{
	return find(vault, &(struct search){ .path = path, .row = ret });
}

int locations_find_id(struct vault *vault, uint64_t id, struct locations_row *ret)
{
	return find(vault, &(struct search){ .id = id, .row = ret });
}

int locations_refused(const char *what, const char *about, int r)
{
	switch (r) {
	case -EEXIST:
		return log_err(
			r,
			"%s: %s: is a location of this vault already, or lies in one that is followed, or holds one: "
			"'vaultfs locations' lists them",
			what, about);
	case -EPERM:
		return log_err(r, "%s: %s: only root, or who mounted the vault, may ask for this", what,
			       about);
	case -ENOENT:
		return log_err(r, "%s: %s: there is no such location", what, about);
	case -EOPNOTSUPP:
		return log_err(r, "%s: %s: the vault is mounted by another version of vaultfs: mount it anew",
			       what, about);
	default:
		return log_err(r, "%s: %s: ", what, about);
	}
}

int locations_ask(const char *what, const char *about, const struct target *target, json_t *words)
{
	AUTO(free) char *text = words ? json_dumps(words, JSON_COMPACT) : NULL;
	AUTO(free) char *command = NULL;

	json_decref(words);
	if (!text || asprintf(&command, "location %s", text) < 0) {
		command = NULL; /* undefined then */
		return log_err(-ENOMEM, "%s: %s: no memory", what, about);
	}
	if (setxattr(target->mount, FS_CONTROL_XATTR, command, strlen(command), 0) < 0)
		return locations_refused(what, about, -errno);
	return 0;
}
