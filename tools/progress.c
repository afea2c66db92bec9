/* progress.c - how far a long command is, on a terminal. Knows no vault. See progress.h. */
#include "progress.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "auto.h"
#include "log.h"
#include "text.h"

#define INTERVAL_NS 100000000 /* at most ten lines a second */
#define CLEAR_LINE "\r\033[K"

struct progress {
	const char *verb;
	bool shown;                                   /* never changes */
	int64_t start_ns;                             /* never changes */
	atomic_uint_fast64_t n_files, n_bytes, total; /* counters; they order nothing */
	atomic_int_fast64_t next_ns; /* when the line may be written again; who wins the exchange writes it */
	pthread_mutex_t lock;        /* stderr: the line and messages; nothing else is taken under it */
	bool line_visible;           /* guarded by lock */
};

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sink(enum log_level level, const char *line, void *context)
{
	struct progress *p = context;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&p->lock);

	(void)held;
	(void)level;
	(void)fprintf(stderr, "%svaultfs: %s\n", p->line_visible ? CLEAR_LINE : "",
		      line); /* nowhere to report to */
	p->line_visible = false;
}

struct progress *progress_new(const char *verb, bool quiet)
{
	struct progress *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->verb = verb;
	p->shown = !quiet && isatty(STDERR_FILENO);
	p->start_ns = now_ns();
	(void)pthread_mutex_init(&p->lock, NULL); /* cannot fail in glibc for a plain mutex */
	log_set_sink(sink, p, LOG_LEVEL_INFO);
	return p;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	if (p->line_visible)
		(void)fputs(CLEAR_LINE, stderr);
	log_set_sink(NULL, NULL, LOG_LEVEL_INFO);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

bool progress_is_shown(const struct progress *p)
{
	return p && p->shown;
}

void progress_set_total(struct progress *p, uint64_t bytes)
{
	if (p)
		atomic_store_explicit(&p->total, bytes, memory_order_relaxed);
}

static void show(struct progress *p)
{
	uint64_t files, bytes, total = atomic_load_explicit(&p->total, memory_order_relaxed);
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&p->lock);
	struct text_number rate;
	double seconds;

	(void)held;
	progress_get(p, &files, &bytes, &seconds);
	rate = text_from_size(seconds > 0.1 ? (uint64_t)((double)bytes / seconds) : 0);
	if (total > 0)
		(void)fprintf(stderr, CLEAR_LINE "%s %s of %s (%s), %s files, %s/s", p->verb,
			      text_from_size(bytes).text, text_from_size(total).text,
			      text_from_share(bytes < total ? bytes : total, total).text,
			      text_from_count(files).text, rate.text);
	else
		(void)fprintf(stderr, CLEAR_LINE "%s %s, %s files, %s/s", p->verb, text_from_size(bytes).text,
			      text_from_count(files).text, rate.text);
	p->line_visible = true;
}

void progress_add(struct progress *p, uint64_t files, uint64_t bytes)
{
	int_fast64_t next;
	int64_t now;

	if (!p)
		return;
	atomic_fetch_add_explicit(&p->n_files, files, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->n_bytes, bytes, memory_order_relaxed);
	if (!p->shown)
		return;
	now = now_ns();
	next = atomic_load_explicit(&p->next_ns, memory_order_relaxed);
	if (now >= next &&
	    atomic_compare_exchange_strong_explicit(&p->next_ns, &next, now + INTERVAL_NS,
						    memory_order_relaxed, memory_order_relaxed))
		show(p);
}

void progress_get(const struct progress *p, uint64_t *ret_files, uint64_t *ret_bytes, double *ret_seconds)
{
	*ret_files = p ? atomic_load_explicit(&p->n_files, memory_order_relaxed) : 0;
	*ret_bytes = p ? atomic_load_explicit(&p->n_bytes, memory_order_relaxed) : 0;
	*ret_seconds = p ? (double)(now_ns() - p->start_ns) / 1e9 : 0;
}
