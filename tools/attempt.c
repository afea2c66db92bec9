/* attempt.c - a call that may never return, made so that it can be given up. Knows no vault.
 *
 * A process, not a thread or an alarm: once a FUSE daemon has taken a request, whoever waits for its answer does not
 * even die, and would keep its whole process. See attempt.h. */
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auto.h"

int64_t attempt_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* It may outlive us: nobody may wait for the end of a pipe that it holds. */
static void let_go_of_files(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			(void)close(fd);
	(void)close_range(STDERR_FILENO + 1, ~0U, 0); /* what stays open is only held longer */
}

static void make_call(int (*call)(const void *context), const void *context)
{
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* without it, the call ends later */
	let_go_of_files();
	r = call(context);
	_exit(r < 0 && r >= -255 ? -r : r < 0 ? EIO : 0);
}

/* Wait for the process to end: 1, or 0 when the time is over first. */
static int ends_within(int process, int64_t ms)
{
	int64_t end = attempt_now_ms() + ms;
	struct pollfd ended = { .fd = process, .events = POLLIN };

	for (;;) {
		int64_t left = end - attempt_now_ms();
		int r = poll(&ended, 1, left > 0 ? (int)left : 0);

		if (r > 0)
			return 1;
		if (left <= 0)
			return 0;
	}
}

int attempt_within(int64_t ms, int (*call)(const void *context), const void *context)
{
	AUTO(fd) int process = -1;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		make_call(call, context);
	process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process < 0 || !ends_within(process, ms)) {
		int r = process < 0 ? -errno : -ETIMEDOUT;

		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, &status, WNOHANG); /* later, init does */
		return r;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}
