/* walk.c - the files below something. See walk.h. Directories wait in a list, not on the stack: trees may be deep. */
#include "walk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "auto.h"
#include "log.h"

struct ids {
	uint64_t *all;
	size_t n, room;
};

struct walk {
	struct ids directories, files;
	int error;
};

static int add(struct ids *ids, uint64_t id)
{
	if (ids->n == ids->room) {
		const size_t room = ids->room ? 2 * ids->room : 256;
		uint64_t *all = reallocarray(ids->all, room, sizeof(*all));

		if (!all)
			return log_err(-ENOMEM, "no memory to go through the files");
		ids->all = all;
		ids->room = room;
	}
	ids->all[ids->n++] = id;
	return 0;
}

static int see(void *context, const struct vault_entry *entry)
{
	struct walk *walk = context;

	if (S_ISDIR(entry->attr.mode))
		walk->error = add(&walk->directories, entry->attr.id);
	else if (S_ISREG(entry->attr.mode))
		walk->error = add(&walk->files, entry->attr.id);
	return walk->error < 0;
}

static int hand_over(struct walk *walk, int (*take)(void *context, const uint64_t *ids, size_t n),
		     void *context)
{
	int r = 0;

	for (size_t at = 0; r >= 0 && at < walk->files.n; at += WALK_BATCH) {
		const size_t left = walk->files.n - at;

		r = take(context, walk->files.all + at, left < WALK_BATCH ? left : WALK_BATCH);
	}
	walk->files.n = 0;
	return r < 0 ? r : 0;
}

int walk_files(struct vault *vault, const struct vault_attr *top,
	       int (*take)(void *context, const uint64_t *ids, size_t n), void *context)
{
	struct walk walk = { .error = 0 };
	int r = 0;

	if (S_ISDIR(top->mode))
		r = add(&walk.directories, top->id);
	else if (S_ISREG(top->mode))
		r = add(&walk.files, top->id);
	while (r == 0 && walk.directories.n > 0) {
		r = vault_readdir(vault, walk.directories.all[--walk.directories.n], 0, false, see, &walk);
		if (r == 0)
			r = walk.error;
		if (r == -ENOENT)
			r = 0; /* removed since it was seen */
		if (r == 0 && walk.files.n >= WALK_BATCH)
			r = hand_over(&walk, take, context);
	}
	if (r == 0)
		r = hand_over(&walk, take, context);
	free(walk.directories.all);
	free(walk.files.all);
	return r;
}
