/* crash_load.c - a writer: random calls, each logged with the time it began and the time it returned. */
#include "crash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 1024 };

double crash_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void slot_path(const struct writer *w, unsigned slot, char *ret_path)
{
	char name[128];

	state_slot_name(&w->now, slot, name, sizeof name);
	snprintf(ret_path, PATH_SIZE, "%s/%s", w->path, name);
}

/* The path it will have after the call. */
static void new_slot_path(const struct writer *w, const struct call *call, char *ret_path)
{
	char directory[64];

	state_directory_name(&w->now, call->directory, directory, sizeof directory);
	snprintf(ret_path, PATH_SIZE, "%s/%s/s%u.%" PRIu64, w->path, directory, call->slot, call->number);
}

static int slot_open(struct writer *w, unsigned slot)
{
	char path[PATH_SIZE];

	if (w->fds[slot] < 0) {
		slot_path(w, slot, path);
		w->fds[slot] = open(path, O_RDWR | O_CLOEXEC);
	}
	return w->fds[slot];
}

static void slot_close(struct writer *w, unsigned slot)
{
	if (w->fds[slot] >= 0)
		close(w->fds[slot]);
	w->fds[slot] = -1;
}

static int do_create(struct writer *w, const struct call *call)
{
	char path[PATH_SIZE];

	new_slot_path(w, call, path);
	w->fds[call->slot] = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return w->fds[call->slot];
}

static int do_write(struct writer *w, const struct call *call)
{
	uint8_t bytes[STEP_BLOCKS * BLOCK_SIZE];
	size_t size = call->count * (size_t)BLOCK_SIZE;
	ssize_t n;

	for (unsigned i = 0; i < call->count; i++)
		block_fill(w->index, call->number << 16 | (call->first + i), bytes + i * (size_t)BLOCK_SIZE);
	n = pwrite(w->fds[call->slot], bytes, size, (off_t)call->first * BLOCK_SIZE);
	if (n >= 0 && n != (ssize_t)size)
		errno = EMSGSIZE; /* not one request, then: it would spoil the log */
	return n == (ssize_t)size ? 0 : -1;
}

static int do_copy(struct writer *w, const struct call *call)
{
	size_t size = call->count * (size_t)BLOCK_SIZE;
	off_t from = (off_t)call->first * BLOCK_SIZE, to = (off_t)call->other_first * BLOCK_SIZE;
	ssize_t n = copy_file_range(w->fds[call->slot], &from, w->fds[call->other], &to, size, 0);

	if (n >= 0 && n != (ssize_t)size)
		errno = EMSGSIZE;
	return n == (ssize_t)size ? 0 : -1;
}

static int do_rename(struct writer *w, const struct call *call, unsigned flags)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	slot_path(w, call->slot, from);
	if (call->kind == CALL_RENAME)
		new_slot_path(w, call, to);
	else
		slot_path(w, call->other, to);
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

static int do_rename_directory(struct writer *w, const struct call *call)
{
	char from[PATH_SIZE], to[PATH_SIZE], name[64];

	state_directory_name(&w->now, call->slot, name, sizeof name);
	snprintf(from, sizeof from, "%s/%s", w->path, name);
	snprintf(to, sizeof to, "%s/d%u.%" PRIu64, w->path, call->slot, call->number);
	return rename(from, to);
}

static int do_unlink(struct writer *w, const struct call *call)
{
	char path[PATH_SIZE];

	slot_path(w, call->slot, path);
	return unlink(path);
}

static int do_mark(struct writer *w, const struct call *call)
{
	char mark[32];
	int size = snprintf(mark, sizeof mark, "%" PRIu64, call->number);

	return fsetxattr(w->fds[call->slot], "user.crash", mark, (size_t)size, 0);
}

static int do_fsync_directory(struct writer *w)
{
	int fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

	if (fd < 0)
		return -1;
	result = fsync(fd);
	close(fd);
	return result;
}

static int do_call(struct writer *w, const struct call *call)
{
	switch (call->kind) {
	case CALL_CREATE:
		return do_create(w, call);
	case CALL_WRITE:
		return do_write(w, call);
	case CALL_TRUNCATE:
		return ftruncate(w->fds[call->slot], (off_t)call->size);
	case CALL_RENAME:
	case CALL_RENAME_OVER:
		return do_rename(w, call, 0);
	case CALL_EXCHANGE:
		return do_rename(w, call, RENAME_EXCHANGE);
	case CALL_UNLINK:
		return do_unlink(w, call);
	case CALL_COPY:
		return do_copy(w, call);
	case CALL_MARK:
		return do_mark(w, call);
	case CALL_RENAME_DIRECTORY:
		return do_rename_directory(w, call);
	case CALL_FSYNC:
		return fsync(w->fds[call->slot]);
	case CALL_FSYNC_DIRECTORY:
		return do_fsync_directory(w);
	}
	return -1;
}

/* Descriptors follow the inodes, slots follow the names. */
static void move_descriptors(struct writer *w, const struct call *call)
{
	int fd;

	switch (call->kind) {
	case CALL_RENAME_OVER:
		slot_close(w, call->other);
		w->fds[call->other] = w->fds[call->slot];
		w->fds[call->slot] = -1;
		break;
	case CALL_EXCHANGE:
		fd = w->fds[call->other];
		w->fds[call->other] = w->fds[call->slot];
		w->fds[call->slot] = fd;
		break;
	case CALL_UNLINK:
		slot_close(w, call->slot);
		break;
	default:
		break;
	}
}

static enum call_kind random_kind(struct writer *w)
{
	static const struct {
		unsigned weight;
		enum call_kind kind;
	} kinds[] = {
		{ 50, CALL_WRITE },
		{ 8, CALL_TRUNCATE },
		{ 8, CALL_RENAME },
		{ 4, CALL_RENAME_OVER },
		{ 4, CALL_EXCHANGE },
		{ 4, CALL_UNLINK },
		{ 8, CALL_COPY },
		{ 6, CALL_MARK },
		{ 2, CALL_RENAME_DIRECTORY },
		{ 5, CALL_FSYNC },
		{ 1, CALL_FSYNC_DIRECTORY },
	};
	size_t pick = random_below(&w->random, 100);
	size_t i = 0;

	while (pick >= kinds[i].weight)
		pick -= kinds[i++].weight;
	return kinds[i].kind;
}

static void choose_copy(struct writer *w, struct call *call)
{
	unsigned from_blocks = (unsigned)(w->now.slots[call->slot].size / BLOCK_SIZE);

	/* A copy must not reach the end of the source, where it would be short. */
	if (call->other == call->slot || from_blocks == 0) {
		call->kind = CALL_MARK;
		return;
	}
	call->first = (unsigned)random_below(&w->random, from_blocks);
	call->count = (unsigned)random_size(&w->random, from_blocks - call->first);
	call->other_first = (unsigned)random_below(&w->random, N_BLOCKS - call->count + 1);
}

static void choose_blocks(struct writer *w, struct call *call)
{
	unsigned end = (unsigned)((w->now.slots[call->slot].size + BLOCK_SIZE - 1) / BLOCK_SIZE);

	call->count = (unsigned)random_size(&w->random, STEP_BLOCKS);
	call->first = (unsigned)random_below(&w->random, N_BLOCKS - call->count + 1);
	if (random_below(&w->random, 2) && end + call->count <= N_BLOCKS)
		call->first = end; /* appended */
}

/* The next call, and what it needs open. False: the daemon is gone. */
static bool choose(struct writer *w, struct call *ret)
{
	struct call call = { .kind = random_kind(w), .end = INFINITY };

	call.slot = (unsigned)random_below(&w->random, N_SLOTS);
	call.other = (unsigned)random_below(&w->random, N_SLOTS);
	call.directory = (unsigned)random_below(&w->random, N_DIRECTORIES);
	call.number = w->next_number++;
	if (call.kind == CALL_RENAME_DIRECTORY) {
		call.slot = call.directory;
	} else if (call.kind != CALL_FSYNC_DIRECTORY) {
		if (!w->now.slots[call.slot].there)
			call.kind = CALL_CREATE;
		else if (call.kind == CALL_RENAME_OVER || call.kind == CALL_EXCHANGE ||
			 call.kind == CALL_COPY) {
			if (!w->now.slots[call.other].there || call.other == call.slot)
				call.kind = CALL_WRITE;
		}
	}
	if (call.kind == CALL_COPY)
		choose_copy(w, &call);
	if (call.kind == CALL_WRITE)
		choose_blocks(w, &call);
	if (call.kind == CALL_TRUNCATE) /* never so that a part of a block's header is left */
		call.size = random_below(&w->random, N_BLOCKS * 8 + 1) * 512;
	*ret = call;
	switch (call.kind) {
	case CALL_COPY:
		return slot_open(w, call.slot) >= 0 && slot_open(w, call.other) >= 0;
	case CALL_WRITE:
	case CALL_TRUNCATE:
	case CALL_MARK:
	case CALL_FSYNC:
		return slot_open(w, call.slot) >= 0;
	default:
		return true;
	}
}

static struct call *log_call(struct writer *w, const struct call *call)
{
	if (w->n_calls == w->calls_size) {
		w->calls_size = w->calls_size ? 2 * w->calls_size : 4096;
		w->calls = realloc(w->calls, w->calls_size * sizeof *w->calls);
		if (!w->calls)
			abort();
	}
	w->calls[w->n_calls] = *call;
	return &w->calls[w->n_calls++];
}

static bool daemon_is_gone(int error)
{
	return error == ENOTCONN || error == ECONNABORTED || error == ENODEV;
}

/* A thread that dies while it takes a request or hands a reply over makes that EIO; then all is over in a moment. */
static bool daemon_is_dying(const struct writer *w)
{
	struct statfs answer;

	for (unsigned ms = 0; ms < 500; ms += 5) {
		if (statfs(w->path, &answer) < 0)
			return daemon_is_gone(errno);
		(void)poll(NULL, 0, 5);
	}
	return false;
}

/* A call that failed because the daemon died may have been done or not: it stays in the log without an end. */
static bool note_failure(struct writer *w, const struct call *call)
{
	int error = errno;

	if (!daemon_is_gone(error) && !(error == EIO && daemon_is_dying(w)))
		snprintf(w->error, sizeof w->error, "writer %u: call %" PRIu64 " of kind %d failed: %s",
			 w->index, call->number, call->kind,
			 error == EMSGSIZE ? "done in part only" : strerror(error));
	return false;
}

static bool step(struct writer *w)
{
	struct call call, *logged;

	if (!choose(w, &call))
		return note_failure(w, &call);
	call.start = crash_now();
	logged = log_call(w, &call);
	if (do_call(w, &call) < 0) {
		state_apply(&w->now, &call);
		return note_failure(w, &call);
	}
	logged->end = crash_now();
	state_apply(&w->now, &call);
	move_descriptors(w, &call);
	if (call.kind == CALL_FSYNC || call.kind == CALL_FSYNC_DIRECTORY)
		w->fsync_start = call.start;
	if (call.kind != CALL_RENAME_DIRECTORY && random_below(&w->random, 2))
		slot_close(w, call.slot);
	return true;
}

void *writer_run(void *writer)
{
	struct writer *w = writer;

	while (!__atomic_load_n(w->stop, __ATOMIC_ACQUIRE) && step(w))
		;
	for (unsigned i = 0; i < N_SLOTS; i++)
		slot_close(w, i);
	return NULL;
}

bool writer_init(struct writer *w, unsigned index, const char *top, uint64_t seed)
{
	char path[PATH_SIZE], name[64];

	memset(w, 0, sizeof *w);
	w->index = index;
	w->random.state = seed * 1000 + index;
	w->next_number = 1000;
	w->fsync_start = -INFINITY;
	snprintf(w->path, sizeof w->path, "%s/w%u", top, index);
	for (unsigned i = 0; i < N_SLOTS; i++)
		w->fds[i] = -1;
	if (mkdir(w->path, 0755) < 0)
		return false;
	for (unsigned i = 0; i < N_DIRECTORIES; i++) {
		w->now.directories[i] = i + 1;
		state_directory_name(&w->now, i, name, sizeof name);
		snprintf(path, sizeof path, "%s/%s", w->path, name);
		if (mkdir(path, 0755) < 0)
			return false;
	}
	w->base = w->now;
	return do_fsync_directory(w) == 0;
}

void writer_restart(struct writer *w, const struct state *found)
{
	w->base = *found;
	w->now = *found;
	w->n_calls = 0;
	w->fsync_start = -INFINITY;
	w->error[0] = 0;
}

void writer_release(struct writer *w)
{
	free(w->calls);
	w->calls = NULL;
}
