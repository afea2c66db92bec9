/* crash_check.c - which moment of the writers' logs is it that the filesystem shows, and is there one at all? */
#include "crash.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The times at which a writer's directory was as it was found. */
struct span {
	double from, to;
};

struct spans {
	struct span *spans;
	size_t n;
};

/* The state after k calls was there from the start of call k (counted from 1) until call k + 1 had returned. */
static struct span span_after(const struct writer *w, size_t k)
{
	struct span s;

	s.from = k == 0 ? -INFINITY : w->calls[k - 1].start;
	s.to = k == w->n_calls ? INFINITY : w->calls[k].end;
	return s;
}

static bool find_spans(const struct writer *w, const struct state *found, struct spans *ret,
		       char *ret_message)
{
	struct state state = w->base;
	unsigned fewest = UINT32_MAX;
	size_t closest = 0;
	char what[MESSAGE_SIZE - 200] = "", difference[MESSAGE_SIZE];

	ret->n = 0;
	ret->spans = malloc((w->n_calls + 1) * sizeof *ret->spans);
	if (!ret->spans)
		abort();
	for (size_t k = 0; k <= w->n_calls; k++) {
		unsigned n;

		if (k > 0)
			state_apply(&state, &w->calls[k - 1]);
		n = state_compare(found, &state, difference);
		if (n == 0) {
			ret->spans[ret->n++] = span_after(w, k);
		} else if (n < fewest) {
			fewest = n;
			closest = k;
			memcpy(what, difference, sizeof what - 1);
		}
	}
	if (ret->n == 0)
		snprintf(ret_message, MESSAGE_SIZE,
			 "writer %u: no moment was like this; closest is the one after call %zu of %zu, "
			 "where %u files differ; "
			 "first: %s",
			 w->index, closest, w->n_calls, fewest, what);
	return ret->n > 0;
}

static bool contains(const struct spans *spans, double t)
{
	for (size_t i = 0; i < spans->n; i++) {
		if (spans->spans[i].from <= t && t <= spans->spans[i].to)
			return true;
	}
	return false;
}

static bool fits_all(const struct spans spans[N_WRITERS], double t)
{
	for (unsigned i = 0; i < N_WRITERS; i++) {
		if (!contains(&spans[i], t))
			return false;
	}
	return true;
}

/* If any moment not before `earliest` fits all, then `earliest` itself does or the start of some span. */
static bool find_moment(const struct spans spans[N_WRITERS], double earliest)
{
	if (fits_all(spans, earliest))
		return true;
	for (unsigned i = 0; i < N_WRITERS; i++) {
		for (size_t k = 0; k < spans[i].n; k++) {
			if (spans[i].spans[k].from >= earliest && fits_all(spans, spans[i].spans[k].from))
				return true;
		}
	}
	return false;
}

static void explain(const struct writer *writers, const struct spans spans[N_WRITERS], double earliest,
		    char *ret_message)
{
	int at = snprintf(ret_message, MESSAGE_SIZE,
			  "%s; times are seconds since the earliest allowed moment:",
			  find_moment(spans, -INFINITY) ? "one moment, but too old a one"
							: "not one moment for all writers");

	for (unsigned i = 0; i < N_WRITERS && at < MESSAGE_SIZE; i++) {
		const struct span *last = &spans[i].spans[spans[i].n - 1];

		at += snprintf(
			ret_message + at, (size_t)(MESSAGE_SIZE - at),
			" writer %u was like this %zu times, last from %.4f to %.4f (last fsync %.4f);", i,
			spans[i].n, last->from - earliest, last->to - earliest,
			writers[i].fsync_start - earliest);
	}
}

bool check_one_moment(struct writer *writers, double earliest, struct state *ret_found, char *ret_message)
{
	struct spans spans[N_WRITERS] = { 0 };
	bool good = true;

	for (unsigned i = 0; i < N_WRITERS && good; i++) {
		good = state_read(&writers[i], &ret_found[i], ret_message) &&
		       find_spans(&writers[i], &ret_found[i], &spans[i], ret_message);
		if (writers[i].fsync_start > earliest)
			earliest = writers[i].fsync_start;
	}
	if (good && !find_moment(spans, earliest)) {
		explain(writers, spans, earliest, ret_message);
		good = false;
	}
	for (unsigned i = 0; i < N_WRITERS; i++)
		free(spans[i].spans);
	return good;
}
