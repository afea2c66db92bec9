/* twin_listings.c - calls that read directories. Each filesystem has an order of its own: names are sorted first. */
#include "twin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENTRIES_MAX = 4096 };

static void make_list(struct twin_maker *maker, struct twin_op *op)
{
	op->slot = twin_make_slot(maker, TWIN_DIRECTORY);
	op->length = (int64_t)random_below(&maker->random, 6);
	if (random_below(&maker->random, 4) == 0)
		op->flags = 1; /* the slot's directory */
	else if (random_below(&maker->random, 3) == 0)
		snprintf(op->path, sizeof op->path, ".");
	else
		twin_make_at(maker, &op->dir, op->path, TWIN_DIRECTORY);
}

/* Open it anew: of a slot the position would be shared. Returns NULL after having said why not. */
static DIR *open_directory(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH];
	int from = op->flags ? twin_slot(player, op->slot) : twin_dir(player, op->dir);
	int fd = openat(from, op->flags ? "." : twin_path(player, op->path, path),
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory)
		twin_say_error(answer, -1);
	return directory;
}

/* The entry as "d name". */
static char *read_entry(DIR *directory)
{
	const struct dirent *entry;
	char *text;

	errno = 0;
	entry = readdir(directory);
	if (!entry || asprintf(&text, "%c%s", 'a' + entry->d_type, entry->d_name) < 0)
		return NULL;
	return text;
}

static size_t read_entries(DIR *directory, char **entries)
{
	size_t n = 0;

	while (n < ENTRIES_MAX && (entries[n] = read_entry(directory)))
		n++;
	return n;
}

static void free_entries(char **entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(entries[i]);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void run_list(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	static char *entries[ENTRIES_MAX];
	DIR *directory = open_directory(player, op, answer);
	size_t n;

	if (!directory)
		return;
	n = read_entries(directory, entries);
	twin_say_error(answer, errno ? -1 : 0);
	twin_say(answer, " %zu:", n);
	qsort(entries, n, sizeof *entries, by_text);
	for (size_t i = 0; i < n; i++)
		twin_say(answer, " %.12s", entries[i]);
	free_entries(entries, n);
	closedir(directory);
}

static bool same_entries(char **a, size_t n_a, char **b, size_t n_b)
{
	bool same = n_a == n_b;

	for (size_t i = 0; same && i < n_a; i++)
		same = strcmp(a[i], b[i]) == 0;
	return same;
}

/* From a place that was told, the same follows as before; from the start as well. */
static void run_seekdir(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	static char *first[ENTRIES_MAX], *second[ENTRIES_MAX], *all[ENTRIES_MAX];
	DIR *directory = open_directory(player, op, answer);
	size_t n_skipped = 0, n_first, n_second, n_all;
	long place;
	char *entry;

	if (!directory)
		return;
	while (n_skipped < (size_t)op->length && (entry = read_entry(directory))) {
		free(entry);
		n_skipped++;
	}
	place = telldir(directory);
	n_first = read_entries(directory, first);
	seekdir(directory, place);
	n_second = read_entries(directory, second);
	rewinddir(directory);
	n_all = read_entries(directory, all);
	twin_say(answer, "%zu and %zu, %s, %s", n_skipped, n_first,
		 same_entries(first, n_first, second, n_second) ? "again" : "other ones",
		 n_all == n_skipped + n_first ? "all" : "not all");
	free_entries(first, n_first);
	free_entries(second, n_second);
	free_entries(all, n_all);
	closedir(directory);
}

const struct twin_call twin_listing_calls[] = {
	{ "list", 25, make_list, run_list },
	{ "seekdir", 10, make_list, run_seekdir },
	{ NULL, 0, NULL, NULL },
};
