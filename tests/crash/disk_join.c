/* disk_join.c - one log out of two: what a program did till it was killed, and what the next one did. See disk.h.
 *
 * The second log begins with what was there; those files are found again by their names, so that what the first program had
 * not flushed is still uncertain. */
#include <stdlib.h>
#include <string.h>

#include "disk_internal.h"

/* Numbers of the second log's files in the joined one. */
struct numbers {
	uint64_t *numbers; /* [0] is not used */
	size_t n, room;
	uint64_t last; /* the highest number in the joined log */
};

static void numbers_put(struct numbers *numbers, uint64_t second, uint64_t joined)
{
	if (second >= numbers->room) {
		numbers->room = 2 * (size_t)second + 16;
		numbers->numbers = disk_resize(numbers->numbers, numbers->room, sizeof(*numbers->numbers));
	}
	numbers->numbers[second] = joined;
	if (second >= numbers->n)
		numbers->n = (size_t)second + 1;
	if (joined > numbers->last)
		numbers->last = joined;
}

static uint64_t numbers_get(const struct numbers *numbers, uint64_t second)
{
	if (second == 0)
		return 0;
	if (second >= numbers->n)
		disk_die("the second log speaks of a file %lu that was never made", (unsigned long)second);
	return numbers->numbers[second];
}

/* The file that is called so when nothing is lost. */
static uint64_t find_file(const struct disk *disk, uint64_t directory, const struct disk_entry *e)
{
	const struct disk_file *file = disk_get(disk, directory);
	struct names names;
	uint64_t number = 0;

	names_copy(&names, &file->names);
	for (size_t i = 0; i < file->n_pending; i++)
		names_apply(&names, &disk->log->entries[file->pending[i]]);
	for (size_t i = 0; i < names.n && number == 0; i++)
		if (strlen(names.names[i].text) == e->head.name_size &&
		    memcmp(names.names[i].text, e->name, e->head.name_size) == 0)
			number = names.names[i].file;
	free(names.names);
	if (number == 0)
		disk_die("the second log begins with a file that the first one does not have");
	return number;
}

static void learn_numbers(const struct disk *before, const struct disk_log *after, struct numbers *ret)
{
	numbers_put(ret, 1, 1);
	for (size_t i = 0; i < after->begin; i++) {
		const struct disk_entry *e = &after->entries[i];

		if (e->head.kind == LOG_CREATE || e->head.kind == LOG_MKDIR)
			numbers_put(ret, e->head.other, find_file(before, numbers_get(ret, e->head.file), e));
	}
	ret->last = before->n;
}

void disk_log_join(const struct disk *before, const struct disk_log *after, uint64_t n_moments,
		   struct disk_log *ret)
{
	struct numbers numbers = { .n = 0 };

	*ret = (struct disk_log){ .n = before->at, .begin = before->at };
	ret->entries = disk_resize(NULL, before->at + after->n, sizeof(*ret->entries));
	memcpy(ret->entries, before->log->entries, before->at * sizeof(*ret->entries));
	learn_numbers(before, after, &numbers);
	for (size_t i = after->begin; i < after->n; i++) {
		struct disk_entry *e = &ret->entries[ret->n++];

		*e = after->entries[i];
		if (e->head.kind == LOG_CREATE || e->head.kind == LOG_MKDIR)
			numbers_put(&numbers, e->head.other, numbers.last + 1);
		e->head.file = numbers_get(&numbers, e->head.file);
		e->head.other = numbers_get(&numbers, e->head.other);
		if (e->head.kind == LOG_SYNC_END)
			e->head.offset += before->n_syncs - 1; /* the first one stands before `begin` */
		if (e->head.kind == LOG_MARK)
			e->head.offset = n_moments;
	}
	free(numbers.numbers);
}
