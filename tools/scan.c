/* scan.c - add up a directory tree beside other work. See scan.h. */
#include "scan.h"

#include <fts.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>

#include "auto.h"
#include "progress.h"
#include "seen.h"

struct scan {
	pthread_t thread;
	char *paths[2]; /* as fts_open(3) wants it; never changes */
	int options;
	struct progress *progress;
	atomic_bool stop; /* set once; orders nothing */
};

/* What a file will add to the progress: holes are not copied. */
static uint64_t size_of(const struct stat *st)
{
	uint64_t stored = (uint64_t)st->st_blocks * 512, size = (uint64_t)st->st_size;

	return size < stored ? size : stored;
}

/* Whether a file is met under the first of its names. */
static bool is_first_name(struct seen *links, const struct stat *st)
{
	if (st->st_nlink < 2)
		return true;
	if (seen_find(links, st->st_dev, st->st_ino))
		return false;
	(void)seen_put(links, st->st_dev, st->st_ino, 1); /* logged; the total is a guess anyway */
	return true;
}

static void *count(void *context)
{
	struct scan *scan = context;
	FTS *tree = fts_open(scan->paths, scan->options, NULL);
	const FTSENT *entry;
	struct seen links = { 0 };
	uint64_t total = 0;

	if (!tree)
		return NULL;
	while (!atomic_load_explicit(&scan->stop, memory_order_relaxed) && (entry = fts_read(tree)) != NULL)
		if (entry->fts_info == FTS_F && is_first_name(&links, entry->fts_statp))
			total += size_of(entry->fts_statp);
	seen_release(&links);
	(void)fts_close(tree); /* only read */
	if (!atomic_load_explicit(&scan->stop, memory_order_relaxed))
		progress_set_total(scan->progress, total);
	return NULL;
}

struct scan *scan_start(const char *path, bool one_file_system, struct progress *progress)
{
	AUTO(free) struct scan *scan = calloc(1, sizeof(*scan));

	if (!scan)
		return NULL;
	scan->paths[0] = (char *)path; /* fts(3) does not write to it */
	scan->options = FTS_PHYSICAL | FTS_NOCHDIR | (one_file_system ? FTS_XDEV : 0);
	scan->progress = progress;
	if (pthread_create(&scan->thread, NULL, count, scan) != 0)
		return NULL;
	return TAKE(scan);
}

void scan_stop(struct scan *scan)
{
	if (!scan)
		return;
	atomic_store_explicit(&scan->stop, true, memory_order_relaxed);
	(void)pthread_join(scan->thread, NULL); /* our own, joined once */
	free(scan);
}
