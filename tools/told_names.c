/* told_names.c - the kernel is told of names twice. See told_names.h. */
#include "told_names.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"

#define NAMES_MAX 4096u /* then they are told again at once: the oldest of them is old enough */
#define MOMENT_MS 100   /* for answers that are on their way */

void told_names_init(struct told_names *told, struct fs *fs)
{
	*told = (struct told_names){ .fs = fs };
	(void)pthread_mutex_init(&told->lock, NULL); /* fails only with attributes */
}

static void free_all(struct told_name *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i].name);
	free(names);
}

void told_names_release(struct told_names *told)
{
	free_all(told->names, told->n);
	(void)pthread_mutex_destroy(&told->lock);
}

/* Take the list. */
static struct told_name *take(struct told_names *told, size_t *ret_n)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&told->lock);

	*ret_n = told->n;
	told->n = 0;
	(void)held;
	return TAKE(told->names);
}

static void tell_all(struct told_names *told)
{
	size_t n;
	struct told_name *names = take(told, &n);

	for (size_t i = 0; i < n; i++)
		fs_name_changed(told->fs, names[i].parent, names[i].name);
	free_all(names, n);
}

/* False: there is no memory, or no room. */
static bool remember(struct told_names *told, uint64_t parent, const char *name)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&told->lock);
	AUTO(free) char *copy = strdup(name);

	if (!told->names)
		told->names = malloc(NAMES_MAX * sizeof(*told->names));
	if (!copy || !told->names || told->n == NAMES_MAX)
		return false;
	told->names[told->n++] = (struct told_name){ parent, TAKE(copy) };
	(void)held;
	return true;
}

void told_names_add(struct told_names *told, uint64_t parent, const char *name)
{
	fs_name_changed(told->fs, parent, name);
	if (remember(told, parent, name))
		return;
	tell_all(told);
	(void)remember(told, parent, name); /* without memory it is told of once only */
}

static size_t count(struct told_names *told)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&told->lock);

	(void)held;
	return told->n;
}

void told_names_again(struct told_names *told)
{
	if (count(told) == 0)
		return;
	(void)poll(NULL, 0, MOMENT_MS); /* only lets time pass */
	tell_all(told);
}
