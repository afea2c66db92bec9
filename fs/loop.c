/* loop.c - the threads that receive requests.
 *
 * Why not libfuse's own loop: a request that changes something has to wait while a commit is at its gate or too much is
 * undrained, and ten waiting writers would stop every look-up. Here such a request is set aside (park.c) and the thread
 * takes the next one. Each thread sits in a plain blocking read, which is the fastest way to be woken. */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auto.h"
#include "park.h"
#include "signals.h"

#define STOP_RETRY_NS 20000000	/* how often a thread is told again to leave its read */

struct loop {
	struct fs *fs;
	atomic_bool stopping;		/* orders nothing: seen at the latest after the next wake-up */
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* with lock: n_running fell, or stopping was set */
	unsigned n_running;		/* guarded by lock */
	unsigned n_threads;		/* set before loop_wait(), then constant */
	pthread_t threads[];
};

/* The one thing an operation cannot be handed through libfuse. */
static _Thread_local struct worker *self;

struct worker *worker_self(void)
{
	return self;
}

void worker_enter(struct worker *worker, char *reply)
{
	*worker = (struct worker){ .reply = reply };
	self = worker;
}

void worker_leave(void)
{
	self = NULL;
}

void worker_serve(struct fs *fs, const struct wire_request *request, char *raw, size_t size)
{
	const struct fuse_buf buf = { .size = size, .mem = raw };

	self->kill_priv = request->kill_priv;
	self->kill_sgid = request->kill_sgid;
	fuse_session_process_buf(fs->session, &buf);
}

/* A request that changes something, now or later. */
static void dispatch_change(struct fs *fs, const struct wire_request *request, char **raw, size_t size)
{
	if (fs->read_only) {
		wire_refuse(fuse_session_fd(fs->session), request->unique, EROFS);
		return;
	}
	if (request->from_cache)
		atomic_fetch_add(&fs->n_cache_writes, 1);
	if (!park_is_empty(fs->park) || vault_change_try(fs->vault, request->n_bytes) != 1) {
		park_request(fs->park, request, raw, size);
		return;
	}
	worker_serve(fs, request, *raw, size);
	vault_change_end(fs->vault);
	if (request->from_cache)
		atomic_fetch_add(&fs->n_cache_writes_done, 1);
}

/* Serve, park or refuse the request in *raw, a buffer of FS_BUFFER_SIZE bytes; a parked one may take the buffer and leave
 * another. */
static void dispatch(struct fs *fs, char **raw, size_t size)
{
	struct wire_request request;
	ssize_t r = wire_parse(*raw, size, &request);

	if (r >= 0 && fs->setxattr_ext) {
		r = wire_shorten_setxattr(*raw, size, &request);
		size = r < 0 ? size : (size_t)r;
	}
	if (r < 0) {
		(void)log_err(-EPROTO, "%s: a malformed request of %zu bytes from the kernel", fs->mount_point, size);
		return;
	}
	switch (request.kind) {
	case WIRE_CHANGE:
		dispatch_change(fs, &request, raw, size);
		break;
	case WIRE_INTERRUPT:
		/* Nothing is ever cut short: a local disk does not either. ENOSYS spares us the next ones. */
		wire_refuse(fuse_session_fd(fs->session), request.unique, ENOSYS);
		break;
	default:
		worker_serve(fs, &request, *raw, size);
		break;
	}
}

/* Returns the size of a request; 0 try again; -errno when the session is over. */
static ssize_t receive(struct fs *fs, char *raw)
{
	ssize_t n = read(fuse_session_fd(fs->session), raw, FS_BUFFER_SIZE);

	if (n > 0)
		return n;
	if (n == 0 || errno == ENODEV || errno == ECONNABORTED)
		return -ENODEV;		/* unmounted, or cut off */
	if (errno == EINTR || errno == EAGAIN || errno == ENOENT)
		return 0;		/* ENOENT: whoever sent it gave up */
	return log_err(-errno, "%s: cannot read requests: ", fs->mount_point);
}

static void serve_until_stopped(struct loop *loop)
{
	AUTO(free) char *reply = aligned_alloc(4096, FS_BUFFER_SIZE);
	AUTO(free) char *raw = malloc(FS_BUFFER_SIZE);
	struct worker worker;

	if (!reply || !raw) {
		(void)log_err(-ENOMEM, "no memory for a request thread");
		return;
	}
	worker_enter(&worker, reply);
	while (!atomic_load_explicit(&loop->stopping, memory_order_relaxed)) {
		ssize_t n = receive(loop->fs, raw);

		if (n < 0)
			break;
		if (n > 0)
			dispatch(loop->fs, &raw, (size_t)n);
	}
	worker_leave();
}

static void *loop_thread(void *argument)
{
	struct loop *loop = argument;

	(void)pthread_setname_np(pthread_self(), "vaultfs-fuse");	/* only for people who look */
	serve_until_stopped(loop);
	(void)pthread_mutex_lock(&loop->lock);
	loop->n_running--;
	(void)pthread_cond_broadcast(&loop->changed);
	(void)pthread_mutex_unlock(&loop->lock);
	return NULL;
}

int loop_start(struct fs *fs)
{
	unsigned n = fs->options->n_threads;
	struct loop *loop = calloc(1, sizeof(*loop) + n * sizeof(loop->threads[0]));

	if (!loop)
		return log_err(-ENOMEM, "no memory for the request threads");
	loop->fs = fs;
	(void)pthread_mutex_init(&loop->lock, NULL);		/* with default attributes they cannot fail */
	(void)pthread_cond_init(&loop->changed, NULL);
	fs->loop = loop;
	loop->n_running = n;		/* no thread runs yet */
	for (unsigned i = 0; i < n; i++) {
		int r = -pthread_create(&loop->threads[i], NULL, loop_thread, loop);

		if (r < 0) {
			(void)pthread_mutex_lock(&loop->lock);
			loop->n_running -= n - i;
			(void)pthread_mutex_unlock(&loop->lock);
			return log_err(r, "cannot start a request thread: ");
		}
		loop->n_threads++;
	}
	return 0;
}

void loop_stop(struct fs *fs)
{
	struct loop *loop = fs->loop;

	atomic_store_explicit(&loop->stopping, true, memory_order_relaxed);
	(void)pthread_mutex_lock(&loop->lock);
	(void)pthread_cond_broadcast(&loop->changed);
	(void)pthread_mutex_unlock(&loop->lock);
	park_stop(fs->park);	/* whoever waits for room there */
}

/* A signal that arrives just before the read is lost, so it is sent until the thread has left. */
static void nudge_threads_locked(struct loop *loop)
{
	struct timespec until;

	for (unsigned i = 0; i < loop->n_threads; i++)
		(void)pthread_kill(loop->threads[i], SIGNALS_WAKE);	/* an ended one is not joined yet, so it exists */
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += STOP_RETRY_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	(void)pthread_cond_clockwait(&loop->changed, &loop->lock, CLOCK_MONOTONIC, &until);	/* a time-out is as good */
}

void loop_wait(struct fs *fs)
{
	struct loop *loop = fs->loop;

	if (!loop)
		return;
	(void)pthread_mutex_lock(&loop->lock);
	while (loop->n_running > 0) {
		if (atomic_load_explicit(&loop->stopping, memory_order_relaxed))
			nudge_threads_locked(loop);
		else
			(void)pthread_cond_wait(&loop->changed, &loop->lock);
	}
	(void)pthread_mutex_unlock(&loop->lock);
	for (unsigned i = 0; i < loop->n_threads; i++)
		(void)pthread_join(loop->threads[i], NULL);
}

bool loop_is_over(struct loop *loop)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&loop->lock);

	(void)held;
	return loop->n_running == 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	(void)pthread_cond_destroy(&loop->changed);
	(void)pthread_mutex_destroy(&loop->lock);
	free(loop);
}
