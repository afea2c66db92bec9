/* crash_self.c - the checker, checked: it must see what is broken on purpose. */
#include "crash_run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void expect_seen(struct run *run, const char *what, double earliest, bool seen)
{
	static struct state found[N_WRITERS];
	char message[MESSAGE_SIZE] = "";

	if (check_one_moment(run->writers, earliest, found, message) == seen)
		fail(run, "self-test: %s: %s", what, seen ? "not noticed" : message);
	printf("%-40s %s\n", what, seen ? message : "fits");
}

/* The first file of a writer that has a whole block at its start. */
static unsigned slot_with_data(const struct run *run, const struct writer *w)
{
	for (unsigned i = 0; i < N_SLOTS; i++) {
		if (w->now.slots[i].blocks[0].length == BLOCK_SIZE)
			return i;
	}
	fail(run, "self-test: no file with data");
}

static void self_test_path(const struct writer *w, unsigned slot, char *ret_path, size_t size)
{
	char name[128];

	state_slot_name(&w->now, slot, name, sizeof name);
	snprintf(ret_path, size, "%s/%s", w->path, name);
}

static void self_test_bytes(struct run *run, double end)
{
	const struct writer *w = &run->writers[1];
	uint8_t byte = 0, block[BLOCK_SIZE], old[BLOCK_SIZE];
	char path[1024];
	int fd;

	self_test_path(w, slot_with_data(run, w), path, sizeof path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pread(fd, old, sizeof old, 0) != sizeof old || pwrite(fd, &byte, 1, 2000) != 1)
		fail(run, "%s: %s", path, strerror(errno));
	expect_seen(run, "a byte changed", end, true);
	block_fill(w->index, 999u << 16, block);
	if (pwrite(fd, block, sizeof block, 0) != sizeof block)
		fail(run, "%s: %s", path, strerror(errno));
	expect_seen(run, "a whole block of no write", end, true);
	if (pwrite(fd, old, sizeof old, 0) != sizeof old)
		fail(run, "%s: %s", path, strerror(errno));
	close(fd);
	expect_seen(run, "put back", end, false);
}

static void self_test_names(struct run *run, double end)
{
	const struct writer *w = &run->writers[2];
	char path[1024], other[1024];

	self_test_path(w, slot_with_data(run, w), path, sizeof path);
	snprintf(other, sizeof other, "%s.elsewhere", run->writers[0].path);
	if (rename(path, other) < 0)
		fail(run, "%s: %s", path, strerror(errno));
	expect_seen(run, "a file lost", end, true);
	if (rename(other, path) < 0)
		fail(run, "%s: %s", path, strerror(errno));
	expect_seen(run, "found again", end, false);
}

/* Let the log say that the writer had done one call more, which had returned at `time`. */
static void pretend_call(struct writer *w, double time)
{
	struct call call = { .kind = CALL_MARK, .number = w->next_number++, .start = time, .end = time };

	while (!w->now.slots[call.slot].there && call.slot < N_SLOTS - 1)
		call.slot++;
	w->calls = realloc(w->calls, (w->n_calls + 1) * sizeof *w->calls);
	if (!w->calls)
		abort();
	w->calls[w->n_calls++] = call;
	w->calls_size = w->n_calls;
}

static bool is_fsync(const struct call *call)
{
	return call->kind == CALL_FSYNC || call->kind == CALL_FSYNC_DIRECTORY;
}

static void date_calls(struct writer *w, size_t from, double time)
{
	for (size_t i = from; i < w->n_calls; i++)
		w->calls[i].start = w->calls[i].end = time;
}

static void self_test_moments(struct run *run, double end)
{
	struct writer *lost = &run->writers[2], *there = &run->writers[0];
	size_t last = there->n_calls - 1;

	pretend_call(lost, end + 1);
	expect_seen(run, "a call lost, young enough", end, false);
	expect_seen(run, "a call lost, too old for that", end + 2, true);
	lost->fsync_start = end + 2;
	expect_seen(run, "a call lost that was fsync'ed", end, true);
	lost->fsync_start = -INFINITY;
	/* The last call that left a trace, and what came behind it, were made later than the one that is lost. */
	while (last > 0 && is_fsync(&there->calls[last]))
		last--;
	date_calls(there, last, end + 2);
	expect_seen(run, "a call lost, a later one of another there", end, true);
	date_calls(there, last, end + 0.5);
	expect_seen(run, "a call lost, an earlier one of another there", end, false);
}

void self_test(struct run *run, const char *directory)
{
	double end;

	init_writers(run, directory);
	start_writers(run);
	let_run(run, 300, 300);
	__atomic_store_n(&run->stop, true, __ATOMIC_RELEASE);
	join_writers(run, 0);
	end = crash_now();
	expect_seen(run, "all calls returned", end, false);
	self_test_bytes(run, end);
	self_test_names(run, end);
	self_test_moments(run, end);
	printf("the checker sees what it must, %zu calls\n", run->n_calls);
}
