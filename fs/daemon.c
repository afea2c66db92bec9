/* daemon.c - the process in the background.
 *
 * The fork comes before everything else (SQLite and threads do not survive one), and the parent stays until the mount
 * serves, so that errors are on the terminal and in the exit status. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <fuse_log.h>

#include "auto.h"
#include "log.h"

/* Part of the log sink: false while there is a terminal to write to. */
static atomic_bool to_syslog;

static void sink(enum log_level level, const char *line, void *context)
{
	static const int priorities[] = {
		[LOG_LEVEL_ERROR] = LOG_ERR,
		[LOG_LEVEL_WARNING] = LOG_WARNING,
		[LOG_LEVEL_INFO] = LOG_INFO,
		[LOG_LEVEL_DEBUG] = LOG_DEBUG,
	};

	(void)context;
	if (atomic_load(&to_syslog))
		syslog(priorities[level], "%s", line);
	else
		(void)fprintf(stderr, "vaultfs: %s\n", line);	/* nowhere left to report a failing stderr */
}

static enum log_level level_of_libfuse(enum fuse_log_level level)
{
	if (level <= FUSE_LOG_ERR)
		return LOG_LEVEL_ERROR;
	if (level == FUSE_LOG_WARNING)
		return LOG_LEVEL_WARNING;
	return level < FUSE_LOG_DEBUG ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

static void sink_of_libfuse(enum fuse_log_level level, const char *format, va_list args)
{
	char line[1024];
	size_t n;

	(void)vsnprintf(line, sizeof(line), format, args);	/* a longer line is cut, which is meant */
	n = strlen(line);
	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = '\0';
	log_line(level_of_libfuse(level), "%s", line);
}

void daemon_take_libfuse_log(void)
{
	fuse_set_log_func(sink_of_libfuse);
}

pid_t daemon_fork(struct daemon *ret)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return log_err(-errno, "cannot make a pipe to the daemon: ");
	pid = fork();
	if (pid < 0) {
		int r = log_err(-errno, "cannot fork the daemon: ");

		(void)close(ends[0]);
		(void)close(ends[1]);
		return r;
	}
	(void)close(ends[pid > 0 ? 1 : 0]);
	ret->pipe = ends[pid > 0 ? 0 : 1];
	if (pid > 0)
		return pid;
	(void)setsid();		/* fails only for a process group leader, which a new child is not */
	if (chdir("/") < 0)
		log_warn("the daemon stays in its directory, which cannot be unmounted");
	log_set_sink(sink, NULL, LOG_LEVEL_INFO);
	return 0;
}

int daemon_wait(struct daemon *daemon, pid_t child)
{
	AUTO(fd) int pipe = TAKE_FD(daemon->pipe);
	int result = 0;
	int status = 0;
	ssize_t n;

	do
		n = read(pipe, &result, sizeof(result));
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(result) && result == 0)
		return 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (n == (ssize_t)sizeof(result))
		return result < 0 ? result : -EIO;
	if (WIFSIGNALED(status))
		return log_err(-EIO, "the daemon was killed by signal %d before it was ready", WTERMSIG(status));
	return log_err(-EIO, "the daemon ended before it was ready");
}

static void leave_terminal(void)
{
	AUTO(fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	openlog("vaultfs", LOG_PID, LOG_DAEMON);
	atomic_store(&to_syslog, true);
	if (null < 0)
		return;		/* then what is printed lands where it did */
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);	/* cannot fail for descriptors that exist */
	if (null < 3)
		null = -1;
}

void daemon_report(struct daemon *daemon, int result)
{
	AUTO(fd) int pipe = TAKE_FD(daemon->pipe);

	if (pipe < 0)
		return;
	if (result == 0)
		leave_terminal();	/* first: a caller that waits for the terminal to close need not wait longer */
	if (write(pipe, &result, sizeof(result)) < 0)
		log_warn("the parent process is gone");
}
