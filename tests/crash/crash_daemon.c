/* crash_daemon.c - the process that serves the vault: start it, find it, kill it. */
#include "crash_run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DAEMON_END_SECONDS = 20 };

pid_t spawn(const struct run *run, char *const argv[])
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (run->kill[0]) {
			setenv("VAULTFS_KILL", run->kill, 1);
			setenv("VAULTFS_KILL_MARK", run->mark, 1);
		}
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0)
		fail(run, "fork: %s", strerror(errno));
	return pid;
}

int wait_status(const struct run *run, pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		fail(run, "waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t spawn_mount(const struct run *run)
{
	char option[64];
	char *argv[] = { (char *)(uintptr_t)run->options.vaultfs,
			 (char *)(uintptr_t) "mount",
			 (char *)(uintptr_t)run->options.vault,
			 (char *)(uintptr_t)run->options.mount_point,
			 (char *)(uintptr_t) "-o",
			 option,
			 NULL };

	snprintf(option, sizeof option, "commit=%.0f", run->options.commit);
	return spawn(run, argv);
}

void mount_vault(const struct run *run, unsigned round)
{
	int status = wait_status(run, spawn_mount(run));

	if (status != 0)
		fail(run, "round %u: the vault does not mount again (status %d)", round, status);
}

int umount_vault(const struct run *run)
{
	char *argv[] = { (char *)(uintptr_t)run->options.vaultfs, (char *)(uintptr_t) "umount",
			 (char *)(uintptr_t)run->options.mount_point, NULL };

	return wait_status(run, spawn(run, argv));
}

int rebuild_vault(const struct run *run)
{
	char *argv[] = { (char *)(uintptr_t)run->options.vaultfs, (char *)(uintptr_t) "rebuild",
			 (char *)(uintptr_t)run->options.vault, NULL };

	return wait_status(run, spawn(run, argv));
}

void clear_mount(const struct run *run)
{
	char *argv[] = { (char *)(uintptr_t) "fusermount3",
			 (char *)(uintptr_t) "-u",
			 (char *)(uintptr_t) "-z",
			 (char *)(uintptr_t) "-q",
			 (char *)(uintptr_t)run->options.mount_point,
			 NULL };

	(void)wait_status(run, spawn(run, argv));
}

/* Is this process one of ours? The lock file of a vault nobody holds may name a process that is somebody else's now. */
static bool is_vaultfs(const struct run *run, pid_t pid)
{
	struct stat process, program;
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	return stat(path, &process) == 0 && stat(run->options.vaultfs, &program) == 0 &&
	       process.st_ino == program.st_ino && process.st_dev == program.st_dev;
}

/* The process that the vault's lock file names; 0 if none runs. */
static pid_t daemon_pid(const struct run *run)
{
	char path[4200], text[256] = "";
	const char *digits;
	pid_t pid;
	int fd;

	snprintf(path, sizeof path, "%s/lock", run->options.vault);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	(void)!read(fd, text, sizeof text - 1);
	close(fd);
	digits = strpbrk(text, "0123456789");
	pid = digits ? (pid_t)strtol(digits, NULL, 10) : 0;
	return pid > 0 && is_vaultfs(run, pid) ? pid : 0;
}

int daemon_open(const struct run *run)
{
	pid_t pid = daemon_pid(run);

	return pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

bool daemon_has_ended(int pidfd, int ms)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	return poll(&end, 1, ms) == 1;
}

double kill_daemon(const struct run *run)
{
	int pidfd = daemon_open(run);
	double sent;

	if (pidfd < 0)
		return -INFINITY;
	sent = crash_now();
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0)
		fail(run, "cannot kill the daemon: %s", strerror(errno));
	if (!daemon_has_ended(pidfd, DAEMON_END_SECONDS * 1000))
		fail(run, "the daemon lives on after SIGKILL");
	close(pidfd);
	return sent;
}

void let_run(struct run *run, unsigned least_ms, unsigned most_ms)
{
	unsigned ms = least_ms + (unsigned)random_below(&run->random, most_ms - least_ms + 1);

	(void)poll(NULL, 0, (int)(ms * run->options.pace / 100));
}
