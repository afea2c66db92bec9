/* lock.c - the one writer's lock. See lock.h.
 *
 * The lock is the kernel's: it goes with the process, however that ends. The text is for people and for tools that look
 * for the daemon: a first line with the pid, a second with the mount point. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "auto.h"
#include "log.h"

#define LOCK_NAME "lock"
#define ENDING_STEP_MS 10u
#define ENDING_MOST_MS 5000u	/* how long what a dead process left is waited for */

/* What a lock file says, cut into its lines. */
static void read_holder(int fd, char *text, size_t size, const char **ret_mount_point)
{
	ssize_t n = pread(fd, text, size - 1, 0);
	char *line;

	text[n > 0 ? n : 0] = '\0';
	line = strchr(text, '\n');
	*ret_mount_point = "";
	if (!line)
		return;
	*line = '\0';
	*ret_mount_point = line + 1;
	line = strchr(line + 1, '\n');
	if (line)
		*line = '\0';
}

/* Has the process ended that the lock file names? Where it names none, no. */
static bool holder_has_ended(int fd)
{
	char text[PATH_MAX + 64];
	const char *mount_point;
	struct pollfd end = { .events = POLLIN };
	long pid;

	read_holder(fd, text, sizeof(text), &mount_point);
	pid = strtol(text, NULL, 10);
	if (pid <= 0 || pid > INT_MAX)
		return false;
	end.fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (end.fd < 0)
		return errno == ESRCH;
	pid = poll(&end, 1, 0);
	(void)close(end.fd);	/* a pidfd holds nothing */
	return pid == 1;
}

/* flock(2). A process that was killed while it started another one leaves the lock with that one, until it becomes another
 * program: a matter of moments, which are waited for. */
static int lock_file(int fd, int operation)
{
	const struct timespec pause = { .tv_nsec = ENDING_STEP_MS * 1000000l };

	for (unsigned ms = 0;; ms += ENDING_STEP_MS) {
		if (flock(fd, operation | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return -errno;
		if (ms >= ENDING_MOST_MS || !holder_has_ended(fd))
			return -EBUSY;
		(void)nanosleep(&pause, NULL);	/* interrupted: then it looks sooner */
	}
}

static int refuse(int fd, const char *path)
{
	char text[PATH_MAX + 64];
	const char *mount_point;

	read_holder(fd, text, sizeof(text), &mount_point);
	if (*mount_point)
		return log_err(-EBUSY, "%s: in use by process %s, mounted at %s: work there, or run 'vaultfs umount %s' first",
			       path, text, mount_point, mount_point);
	return log_err(-EBUSY, "%s: in use by process %s: wait until it has ended", path, *text ? text : "(unknown)");
}

int lock_take(int dir_fd, const char *path, const char *mount_point, bool read_only_disk, int *ret_fd)
{
	AUTO(fd) int fd = openat(dir_fd, LOCK_NAME, (read_only_disk ? O_RDONLY : O_RDWR | O_CREAT) | O_NOFOLLOW | O_CLOEXEC, 0600);
	char text[PATH_MAX + 64];
	int n, r;

	if (fd < 0 && read_only_disk && errno == ENOENT)
		return 0;	/* copied without its lock: nobody can write here anyway */
	if (fd < 0)
		return errno == ELOOP ? log_err(-EINVAL, "%s/%s: is a symbolic link, which vaultfs did not make: remove it", path,
						LOCK_NAME) :
					log_err(-errno, "%s/%s: ", path, LOCK_NAME);
	r = lock_file(fd, read_only_disk ? LOCK_SH : LOCK_EX);
	if (r < 0)
		return r == -EBUSY ? refuse(fd, path) : log_err(r, "%s/%s: locking: ", path, LOCK_NAME);
	if (!read_only_disk) {
		n = snprintf(text, sizeof(text), "%ld\n%s\n", (long)getpid(), mount_point ? mount_point : "");
		if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
			log_warn("%s/%s: could not write who holds it: %s", path, LOCK_NAME, strerror(errno));
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}
