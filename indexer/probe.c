/* probe.c - the caller's side of the helper process. See probe.h.
 *
 * What comes back is as hostile as what was sent: an answer is a bounded string of the characters a MIME type may have,
 * or it is nonsense, and nonsense ends the helper. */
#include "probe.h"
#include "indexer.h"

#include "auto.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define ANSWER_MS 2000
#define START_MS 10000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 30000
#define N_ATTEMPTS 2

struct indexer_probe {
	char *program;
	int cancel_fd;
	pid_t pid;           /* 0: no helper */
	int fd;              /* our end, non-blocking; -1: no helper */
	unsigned n_failures; /* since the last answer */
};

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for `events` on the helper's end (or, with none, only for time to pass). 0 ready; -ETIMEDOUT; -ECANCELED. */
static int wait_for(const struct indexer_probe *probe, short events, int64_t until_ms)
{
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = events ? probe->fd : -1, .events = events },
			{ .fd = probe->cancel_fd, .events = POLLIN },
		};
		int64_t left = until_ms - now_ms();
		int n = poll(fds, 2, left > 0 ? (int)left : 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && fds[1].revents)
			return -ECANCELED;
		if (n > 0)
			return 0; /* an end or an error shows in the call that follows */
		if (n == 0)
			return -ETIMEDOUT;
	}
}

static int send_all(const struct indexer_probe *probe, const void *data, size_t size, int64_t until_ms)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = send(probe->fd, (const char *)data + done, size - done, MSG_NOSIGNAL);
		int r = 0;

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			r = wait_for(probe, POLLOUT, until_ms);
		else if (n == 0 || errno != EINTR)
			r = -EPIPE;
		if (r < 0)
			return r;
	}
	return 0;
}

static int receive_all(const struct indexer_probe *probe, void *data, size_t size, int64_t until_ms)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = recv(probe->fd, (char *)data + done, size - done, 0);
		int r = 0;

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			r = wait_for(probe, POLLIN, until_ms);
		else if (n == 0 || errno != EINTR)
			r = -EPIPE;
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_mime(const char *text, size_t size)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&-^_.+";
	const char *slash = memchr(text, '/', size);

	if (!slash || slash == text || slash == text + size - 1)
		return false;
	for (size_t i = 0; i < size; i++)
		if (text + i != slash && (text[i] == '\0' || !strchr(allowed, text[i])))
			return false;
	return true;
}

/* 0 and a type; -ENODATA an empty answer; -EPIPE nonsense. */
static int receive_answer(const struct indexer_probe *probe, int64_t until_ms,
			  char ret_mime[HELPER_MIME_MAX + 1])
{
	char mime[HELPER_MIME_MAX + 1];
	uint8_t frame[2];
	size_t size;
	int r = receive_all(probe, frame, sizeof(frame), until_ms);

	if (r < 0)
		return r;
	size = (size_t)frame[0] | (size_t)frame[1] << 8;
	if (size == 0)
		return -ENODATA;
	if (size > HELPER_MIME_MAX)
		return -EPIPE;
	r = receive_all(probe, mime, size, until_ms);
	if (r < 0)
		return r;
	if (!is_mime(mime, size))
		return -EPIPE;
	memcpy(ret_mime, mime, size);
	ret_mime[size] = '\0';
	return 0;
}

void indexer_probe_rest(struct indexer_probe *probe)
{
	if (probe->fd >= 0)
		(void)close(probe->fd); /* a socket: nothing to lose */
	probe->fd = -1;
	if (probe->pid > 0) {
		(void)kill(probe->pid, SIGKILL); /* ours and not yet reaped: the number is still its own */
		while (waitpid(probe->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	probe->pid = 0;
}

/* The helper gets both standard streams, no other descriptor, an empty environment (libmagic would obey MAGIC), its own
 * process group (a ^C is for us alone) and signals as at birth. */
static int spawn(const char *program, int fd, pid_t *ret_pid)
{
	static char argument[] = INDEXER_HELPER_ARGUMENT;
	char *const argv[] = { (char *)(uintptr_t)program, argument,
			       NULL }; /* posix_spawn() takes them unchanged */
	char *const envp[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	(void)posix_spawnattr_setpgroup(&attributes, 0);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
							    POSIX_SPAWN_SETPGROUP);
	r = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	if (!r)
		r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (!r)
		r = posix_spawn(ret_pid, program, &actions, &attributes, argv, envp);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* While the helper never answers it is started ever more slowly: at once, at once, then after 0.1 s, 0.2 s, ... 30 s. */
static int64_t backoff_ms(const struct indexer_probe *probe)
{
	int64_t wait = BACKOFF_FIRST_MS;

	if (probe->n_failures < N_ATTEMPTS)
		return 0;
	for (unsigned i = N_ATTEMPTS; i < probe->n_failures && wait < BACKOFF_MAX_MS; i++)
		wait *= 2;
	return wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
}

/* See that a helper is there and ready. */
static int helper_start(struct indexer_probe *probe)
{
	AUTO(fd) int ours = -1;
	AUTO(fd) int theirs = -1;
	char greeting[HELPER_MIME_MAX + 1];
	int pair[2];
	int r;

	if (probe->pid)
		return 0;
	r = wait_for(probe, 0, now_ms() + backoff_ms(probe));
	if (r != -ETIMEDOUT)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = spawn(probe->program, theirs, &probe->pid);
	if (r < 0) {
		probe->pid = 0;
		return r;
	}
	probe->fd = TAKE_FD(ours);
	(void)close(theirs); /* now, so that the helper's death is an end for us */
	theirs = -1;
	r = receive_answer(probe, now_ms() + START_MS, greeting);
	if (r == -ENODATA)
		return 0;
	return r < 0 ? r : -EPIPE;
}

static int ask_once(struct indexer_probe *probe, const void *head, size_t size,
		    char ret_mime[HELPER_MIME_MAX + 1])
{
	const uint8_t frame[4] = { (uint8_t)(size & 0xff), (uint8_t)(size >> 8 & 0xff),
				   (uint8_t)(size >> 16 & 0xff), (uint8_t)(size >> 24 & 0xff) };
	int64_t until_ms;
	int r = helper_start(probe);

	if (r < 0)
		return r;
	until_ms = now_ms() + ANSWER_MS;
	r = send_all(probe, frame, sizeof(frame), until_ms);
	if (r < 0)
		return r;
	r = send_all(probe, head, size, until_ms);
	if (r < 0)
		return r;
	return receive_answer(probe, until_ms, ret_mime);
}

int indexer_probe_ask(struct indexer_probe *probe, const void *head, size_t size,
		      char ret_mime[HELPER_MIME_MAX + 1])
{
	int r = -EPIPE;

	for (int i = 0; i < N_ATTEMPTS; i++) {
		r = ask_once(probe, head, size, ret_mime);
		if (r == 0 || r == -ENODATA) {
			probe->n_failures = 0;
			return r;
		}
		indexer_probe_rest(probe);
		if (r == -ECANCELED)
			return r;
		probe->n_failures++;
	}
	return r;
}

int indexer_probe_new(const char *program, int cancel_fd, struct indexer_probe **ret)
{
	AUTO(free) struct indexer_probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return -ENOMEM;
	probe->cancel_fd = cancel_fd;
	probe->fd = -1;
	probe->program = strdup(program ? program : "/proc/self/exe");
	if (!probe->program)
		return -ENOMEM;
	*ret = TAKE(probe);
	return 0;
}

void indexer_probe_free(struct indexer_probe *probe)
{
	if (!probe)
		return;
	indexer_probe_rest(probe);
	free(probe->program);
	free(probe);
}
