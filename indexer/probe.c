/* probe.c - the caller's side of the helper process. See probe.h.
 *
 * What comes back is as hostile as what was sent: frames are bounded before they are received, and findings.c says
 * whether they are what they have to be, or nonsense, and nonsense ends the helper. */
#include "probe.h"
#include "program.h"

#include "auto.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define START_MS 10000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 30000
#define N_ATTEMPTS 2

/* What a stage may cost: time, and bytes read. A read counts as 4 KiB at least, which bounds their number. */
static const struct budget {
	unsigned stage;
	int ms;
	uint64_t bytes;
} budgets[] = {
	{ STAGE_TYPE, 2000, 1 << 20 },        { STAGE_TEXT, 2000, 4 << 20 },
	{ STAGE_MEDIA, 10000, 64 << 20 },     { STAGE_THUMBNAIL, 20000, 256 << 20 },
	{ STAGE_PREVIEWS, 60000, 512 << 20 },
};
#define READ_COUNTS_AS_LEAST 4096u

struct indexer_probe {
	char *program; /* NULL: to be found */
	int cancel_fd;
	pid_t pid;           /* 0: no helper */
	int fd;              /* our end of its standard input, non-blocking; -1: no helper */
	unsigned n_failures; /* to start, since it last got ready */
};

/* One attempt at one file. */
struct inspection {
	const struct indexer_probe *probe;
	const struct indexer_source *source;
	struct indexer_findings *findings;
	unsigned wanted;
	const struct budget *budget; /* of the stage that is worked on; NULL = none yet */
	uint64_t bytes_left;
	int64_t until_ms;
	int fd;          /* our end, non-blocking */
	uint8_t *buffer; /* HELPER_READ_MAX bytes of the file */
};

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for `events` on `fd` (or, with none, only for time to pass). 0 ready; -ETIMEDOUT; -ECANCELED. */
static int wait_for(const struct indexer_probe *probe, int fd, short events, int64_t until_ms)
{
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = events ? fd : -1, .events = events },
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

static int send_all(const struct indexer_probe *probe, int fd, const void *data, size_t size,
		    int64_t until_ms)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = send(fd, (const char *)data + done, size - done, MSG_NOSIGNAL);
		int r = 0;

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			r = wait_for(probe, fd, POLLOUT, until_ms);
		else if (n == 0 || errno != EINTR)
			r = -EPIPE;
		if (r < 0)
			return r;
	}
	return 0;
}

static int receive_all(const struct indexer_probe *probe, int fd, void *data, size_t size, int64_t until_ms)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = recv(fd, (char *)data + done, size - done, 0);
		int r = 0;

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			r = wait_for(probe, fd, POLLIN, until_ms);
		else if (n == 0 || errno != EINTR)
			r = -EPIPE;
		if (r < 0)
			return r;
	}
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

/* The helper gets the socket as its standard input, no other descriptor, of the environment the time zone alone (libmagic
 * would obey MAGIC), its own process group (a ^C is for us alone) and signals as at birth. */
static int spawn(const char *program, int fd, pid_t *ret_pid)
{
	char *const argv[] = { (char *)(uintptr_t)program, NULL }; /* posix_spawn() takes it unchanged */
	const char *zone = getenv("TZ");
	AUTO(free) char *variable = NULL;
	char *envp[] = { NULL, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	if (zone && asprintf(&variable, "TZ=%s", zone) < 0) {
		variable = NULL;
		return -ENOMEM;
	}
	envp[0] = variable;
	r = posix_spawn_file_actions_init(&actions);
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
		r = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
	if (!r)
		r = posix_spawn(ret_pid, program, &actions, &attributes, argv, envp);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* While the helper never gets ready it is started ever more slowly: at once, at once, then after 0.1 s, 0.2 s, ... 30 s. */
static int64_t backoff_ms(const struct indexer_probe *probe)
{
	int64_t wait = BACKOFF_FIRST_MS;

	if (probe->n_failures < N_ATTEMPTS)
		return 0;
	for (unsigned i = N_ATTEMPTS; i < probe->n_failures && wait < BACKOFF_MAX_MS; i++)
		wait *= 2;
	return wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
}

/* Two ends of a stream: ours does not block, theirs does. */
static int open_pair(int *ret_ours, int *ret_theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
	return fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int receive_hello(const struct indexer_probe *probe)
{
	uint8_t hello[HELPER_FRAME_SIZE + 4];
	const int r = receive_all(probe, probe->fd, hello, sizeof(hello), now_ms() + START_MS);

	if (r < 0)
		return r;
	if (frame_get_u32(hello) != FRAME_HELLO || frame_get_u32(hello + 4) != 4 ||
	    frame_get_u32(hello + 8) != HELPER_PROTOCOL)
		return -EPROTO;
	return 0;
}

static int start_now(struct indexer_probe *probe)
{
	AUTO(fd) int ours = -1;
	AUTO(fd) int theirs = -1;
	int r = probe->program ? 0 : helper_program_find(&probe->program);

	if (r == 0)
		r = open_pair(&ours, &theirs);
	if (r == 0)
		r = spawn(probe->program, theirs, &probe->pid);
	if (r < 0) {
		probe->pid = 0;
		return r;
	}
	probe->fd = TAKE_FD(ours);
	(void)close(theirs); /* now, so that the helper's death is an end for us */
	theirs = -1;
	return receive_hello(probe);
}

/* See that a helper is there and ready. */
static int helper_start(struct indexer_probe *probe)
{
	int r;

	if (probe->pid)
		return 0;
	r = wait_for(probe, -1, 0, now_ms() + backoff_ms(probe));
	if (r != -ETIMEDOUT)
		return r;
	r = start_now(probe);
	if (r == 0) {
		probe->n_failures = 0;
	} else if (r != -ECANCELED && probe->n_failures++ == 0) {
		log_warn("the helper that looks into files, %s: %s",
			 probe->program ? probe->program : "vaultfs-helper",
			 r == -EPROTO ? "is of another version" : strerror(-r));
	}
	return r;
}

/* ---- an inspection ---- */

/* One byte, and with it the inspection's socket. */
static int send_socket(const struct indexer_probe *probe, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte = 0;
	struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	ssize_t n;

	memset(&control, 0, sizeof(control));
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	do
		n = sendmsg(probe->fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -EPIPE; /* one that lets its input fill up does not listen either */
}

static int send_frame(const struct inspection *inspection, uint32_t type, const void *payload, uint32_t size)
{
	uint8_t header[HELPER_FRAME_SIZE];
	int r;

	frame_put_u32(header, type);
	frame_put_u32(header + 4, size);
	r = send_all(inspection->probe, inspection->fd, header, sizeof(header), inspection->until_ms);
	if (r < 0)
		return r;
	return send_all(inspection->probe, inspection->fd, payload, size, inspection->until_ms);
}

/* Lower case letters and digits go through; a name that has others there has no extension. */
static uint32_t put_extension(uint8_t *to, const char *extension)
{
	uint32_t n = 0;

	for (; extension && extension[n]; n++) {
		const char c = extension[n];

		if (n == HELPER_EXTENSION_MAX)
			return 0;
		if (c >= 'A' && c <= 'Z')
			to[n] = (uint8_t)(c - 'A' + 'a');
		else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			to[n] = (uint8_t)c;
		else
			return 0;
	}
	return n;
}

static int send_inspect(const struct inspection *inspection)
{
	uint8_t payload[HELPER_INSPECT_MAX];

	frame_put_u64(payload, inspection->source->size);
	frame_put_u32(payload + 8, inspection->wanted);
	return send_frame(inspection, FRAME_INSPECT, payload,
			  12 + put_extension(payload + 12, inspection->source->extension));
}

/* The stages come in order, each once: so they cannot be used to get more time. */
static int enter_stage(struct inspection *inspection, unsigned stage)
{
	const struct budget *budget = inspection->budget ? inspection->budget + 1 : budgets;

	if (!(stage & inspection->wanted))
		return -EPIPE;
	while (budget < budgets + sizeof(budgets) / sizeof(budgets[0]) && budget->stage != stage)
		budget++;
	if (budget == budgets + sizeof(budgets) / sizeof(budgets[0]))
		return -EPIPE;
	if (inspection->budget)
		inspection->findings->done |= inspection->budget->stage;
	inspection->budget = budget;
	inspection->bytes_left = budget->bytes;
	inspection->until_ms = now_ms() + budget->ms;
	return 0;
}

static int answer_read(struct inspection *inspection, uint64_t offset, uint32_t size)
{
	const uint64_t file_size = inspection->source->size;
	const int64_t before_ms = now_ms();
	uint64_t counts;
	ssize_t n;

	if (!inspection->budget || size == 0 || size > HELPER_READ_MAX || offset >= file_size)
		return -EPIPE;
	if (size > file_size - offset)
		size = (uint32_t)(file_size - offset);
	counts = size > READ_COUNTS_AS_LEAST ? size : READ_COUNTS_AS_LEAST;
	if (counts > inspection->bytes_left)
		return send_frame(inspection, FRAME_BYTES, NULL, 0);
	inspection->bytes_left -= counts;
	n = inspection->source->read(inspection->source->context, offset, inspection->buffer, size);
	if (n < 0)
		return (int)n;
	inspection->until_ms += now_ms() - before_ms;
	return send_frame(inspection, FRAME_BYTES, inspection->buffer, (uint32_t)n);
}

static int take_finding(struct inspection *inspection, uint32_t type, uint32_t size)
{
	AUTO(free) uint8_t *payload = NULL;
	int r;

	if (!inspection->budget || size > findings_frame_max(type))
		return -EPIPE;
	payload = malloc(size + 1);
	if (!payload)
		return -ENOMEM;
	r = receive_all(inspection->probe, inspection->fd, payload, size, inspection->until_ms);
	if (r < 0)
		return r;
	return findings_take(inspection->findings, inspection->budget->stage, type, payload, size);
}

/* 1: go on; 0: the inspection is done. */
static int converse(struct inspection *inspection)
{
	uint8_t header[HELPER_FRAME_SIZE], payload[12];
	uint32_t type, size, expected;
	int r = receive_all(inspection->probe, inspection->fd, header, sizeof(header), inspection->until_ms);

	if (r < 0)
		return r;
	type = frame_get_u32(header);
	size = frame_get_u32(header + 4);
	if (type != FRAME_STAGE && type != FRAME_READ && type != FRAME_DONE) {
		r = take_finding(inspection, type, size);
		return r < 0 ? r : 1;
	}
	expected = type == FRAME_STAGE ? 4 : type == FRAME_READ ? 12 : 0;
	if (size != expected)
		return -EPIPE;
	r = receive_all(inspection->probe, inspection->fd, payload, size, inspection->until_ms);
	if (r < 0 || type == FRAME_DONE)
		return r;
	r = type == FRAME_STAGE ? enter_stage(inspection, frame_get_u32(payload))
				: answer_read(inspection, frame_get_u64(payload), frame_get_u32(payload + 8));
	return r < 0 ? r : 1;
}

/* One attempt, with a helper that is ready. */
static int inspect_once(const struct indexer_probe *probe, const struct indexer_source *source,
			unsigned wanted, struct indexer_findings *findings)
{
	AUTO(free) uint8_t *buffer = malloc(HELPER_READ_MAX);
	struct inspection inspection = { .probe = probe,
					 .source = source,
					 .findings = findings,
					 .wanted = wanted,
					 .until_ms = now_ms() + budgets[0].ms,
					 .buffer = buffer };
	AUTO(fd) int ours = -1;
	AUTO(fd) int theirs = -1;
	int r = buffer ? open_pair(&ours, &theirs) : -ENOMEM;

	if (r == 0)
		r = send_socket(probe, theirs);
	if (r < 0)
		return r;
	(void)close(theirs); /* as above */
	theirs = -1;
	inspection.fd = ours;
	r = send_inspect(&inspection);
	while (r >= 0 && (r = converse(&inspection)) > 0)
		;
	findings->failed = r == 0 ? 0 : inspection.budget ? inspection.budget->stage : STAGE_TYPE;
	if (r == 0)
		findings->done |= wanted;
	else
		findings_forget(findings, findings->failed);
	return r;
}

/* What is still missing. The type is asked for again, because the rest depends on it; what it was is not forgotten. */
static int inspect_again(struct indexer_probe *probe, const struct indexer_source *source, unsigned wanted,
			 struct indexer_findings *findings)
{
	char mime[HELPER_MIME_MAX + 1];
	int r;

	(void)strcpy(mime, findings->mime);
	findings_forget(findings, STAGE_TYPE);
	r = inspect_once(probe, source, (wanted & ~findings->done) | STAGE_TYPE, findings);
	if (r < 0 && mime[0])
		(void)strcpy(findings->mime, mime);
	return r;
}

int indexer_probe_inspect(struct indexer_probe *probe, const struct indexer_source *source, unsigned wanted,
			  struct indexer_findings *ret)
{
	int r = -EPIPE;

	memset(ret, 0, sizeof(*ret));
	if (source->size == 0) {
		(void)strcpy(ret->mime, "inode/x-empty");
		ret->done = wanted | STAGE_TYPE;
		return 0;
	}
	for (int i = 0; i < N_ATTEMPTS; i++) {
		r = helper_start(probe);
		if (r == 0)
			r = inspect_again(probe, source, wanted, ret);
		if (r == 0)
			return 0;
		indexer_probe_rest(probe);
		if (r != -EPIPE && r != -ETIMEDOUT && r != -EPROTO)
			return r;
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
	probe->program = program ? strdup(program) : NULL;
	if (program && !probe->program)
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
