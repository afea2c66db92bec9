/* cmd_umount.c - `vaultfs umount`: unmount, and wait until everything is on disk and the vault is free.
 *
 * umount(8) and fusermount3(1) return while the daemon is still writing; whoever copies the vault then copies half of
 * the last commit. Here the vault's lock is waited for. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "attempt.h"
#include "auto.h"
#include "command.h"
#include "log.h"
#include "mounts.h"
#include "target.h"
#include "text.h"

#define DEFAULT_TIMEOUT_SECONDS 120
#define ANSWER_MIN_MS 1000 /* even an idle daemon needs some */
#define EXIT_GRACE_MS 5000 /* from the freed lock to the end of the process */
#define BUSY_PATIENCE_MS 2000

extern char **environ;

struct unmounting {
	const struct command *self;
	const char *given; /* the mount point as the user wrote it */
	char *point;       /* its absolute path */
	char *source;      /* what is mounted there: the vault's path, unless it has moved or fsname= says another word */
	bool lazy;
	uint64_t timeout_seconds;
	struct target target; /* .vault is NULL when there is no daemon to wait for */
	dev_t device;
	int daemon; /* pidfd of the process that holds the vault, or -1 */
};

/* The daemon's pid stands in the vault's lock file, and below it the mount point, which must be `point` unless NULL. A
 * pidfd taken now cannot come to mean another process later; -1 when it is not known, e.g. in another pid namespace. */
static int open_daemon(const char *vault_path, const char *point, int *ret_pid)
{
	AUTO(free) char *path = NULL;
	AUTO(file) FILE *lock = NULL;
	AUTO(fd) int fd = -1;
	char text[PATH_MAX + 64] = "", name[64] = "";
	const char *digits, *line;
	size_t n = point ? strlen(point) : 0;
	int pid;

	if (asprintf(&path, "%s/lock", vault_path) < 0) {
		path = NULL; /* undefined then */
		return -1;
	}
	lock = fopen(path, "re");
	if (!lock || fread(text, 1, sizeof(text) - 1, lock) == 0)
		return -1;
	line = strchr(text, '\n');
	if (point && (!line || strcspn(line + 1, "\n") != n || strncmp(line + 1, point, n) != 0))
		return -1;
	digits = strpbrk(text, "0123456789");
	if (!digits || sscanf(digits, "%9d", &pid) != 1 || pid <= 1)
		return -1;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	(void)snprintf(text, sizeof(text), "/proc/%d/comm", pid);
	(void)fclose(TAKE(lock));
	lock = fopen(text, "re");
	if (!lock || !fgets(name, sizeof(name), lock) || strncmp(name, "vaultfs", 7) != 0)
		return -1;
	*ret_pid = pid;
	return TAKE_FD(fd);
}

/* Find the mount that was named, without touching it. */
static int find(struct unmounting *u)
{
	const char *what = u->self->name;
	AUTO(free) char *point = NULL;
	struct mounts_found found;
	int r = mounts_absolute(u->given, &point);

	if (r == 0)
		r = mounts_find_at(point, &found);
	if (r == -ENOENT && point) { /* a symbolic link to a mount point will do */
		free(point);
		point = realpath(u->given, NULL);
		if (!point)
			return log_err(-errno, "%s: %s: ", what, u->given);
		r = mounts_find_at(point, &found);
		if (r == -ENOENT)
			return log_err(-EINVAL, "%s: %s: nothing is mounted there: `findmnt -t %s` lists what is",
				       what, u->given, MOUNTS_OUR_TYPE);
	}
	if (r < 0)
		return log_err(r, "%s: %s: ", what, u->given);
	if (strcmp(found.type, MOUNTS_OUR_TYPE) != 0)
		return log_err(-EINVAL, "%s: %s: what is mounted there is %s: unmount it with umount(8)",
			       what, u->given, found.type);
	u->point = TAKE(point);
	u->source = strdup(found.source);
	return u->source ? 0 : log_err(-ENOMEM, "%s: %s: ", what, u->given);
}

static int is_stopped(int pid)
{
	AUTO(file) FILE *f = NULL;
	char path[64], state = '?';

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	return f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1 && (state == 'T' || state == 't');
}

static int no_answer(const struct unmounting *u)
{
	int pid = 0;
	AUTO(fd) int daemon = open_daemon(u->source, u->point, &pid);
	char name[32] = "";

	if (pid)
		(void)snprintf(name, sizeof(name), " %d", pid);
	if (pid && is_stopped(pid))
		return log_err(-ETIMEDOUT,
			       "%s: %s: not unmounted: its process%s is stopped: `kill -CONT%s` lets it go on, "
			       "--lazy takes the mount away as it is",
			       u->self->name, u->given, name, name);
	return log_err(-ETIMEDOUT,
		       "%s: %s: not unmounted: after %" PRIu64 " s its process%s has not written everything "
		       "to disk: it is busy, or its disk hangs: try again later, or take the mount away with --lazy",
		       u->self->name, u->given, u->timeout_seconds, name);
}

/* In a process of its own: have everything committed. Should the unmount go wrong, this is on disk. */
static int sync_mount(const void *point)
{
	AUTO(fd) int dir = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 || fsync(dir) < 0 ? -errno : 0;
}

/* Have everything committed, and learn what there is to wait for afterwards: nothing when its daemon died, or it is
 * another user's, whom even root may not look at, or its disk is gone. A mount that cannot write must go too. */
static int settle(struct unmounting *u)
{
	const char *what = u->self->name;
	int64_t ms = u->timeout_seconds > 0 ? (int64_t)u->timeout_seconds * 1000 : ANSWER_MIN_MS;
	int synced = attempt_within(ms, sync_mount, u->point);
	struct stat st;
	int r, pid;

	if (synced == -ETIMEDOUT)
		return no_answer(u);
	/* Of a mount whose daemon died the kernel may still know the attributes. */
	r = synced == -ENOTCONN ? synced : lstat(u->point, &st) < 0 ? -errno : 0;
	if (r == -EACCES && geteuid() == 0)
		log_warn("%s: %s: another user's mount: not waiting until its vault is free", what, u->given);
	else if (r == -EIO)
		log_warn("%s: %s: answers with errors only, its disk may be gone: unmounting it without waiting",
			 what, u->given);
	else if (r < 0 && r != -ENOTCONN)
		return log_err(r, "%s: %s: ", what, u->given);
	if (r < 0)
		return 0;
	u->device = st.st_dev;
	r = target_find_mounted(what, u->point, &u->target);
	if (r < 0)
		return r;
	if (synced < 0)
		log_warn("%s: %s: the mount could not write everything to disk; its log says why: %s", what,
			 u->given, strerror(-synced));
	u->daemon = open_daemon(u->target.vault, NULL, &pid);
	return 0;
}

/* Run `fusermount3 -u`, quietly: its failure is looked into by the caller. */
static int run_fusermount(const char *mount, bool lazy)
{
	char *const argv[] = { (char *)"fusermount3", (char *)(lazy ? "-uqz" : "-uq"), (char *)"--",
			       (char *)mount, NULL };
	posix_spawn_file_actions_t actions;
	int status, r;
	pid_t pid;

	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions); /* cannot fail in glibc */
	if (r)
		return log_err(-r, "umount: fusermount3: cannot be run (Debian package fuse3): ");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

static int busy(const struct unmounting *u)
{
	char names[256];

	if (u->device && mounts_users_of(u->device, names, sizeof(names)) > 0)
		return log_err(-EBUSY, "%s: %s: in use by %s: close it and try again, or detach with --lazy",
			       u->self->name, u->given, names);
	/* fusermount3 looks there who mounted what; small containers lack it. */
	if (geteuid() != 0 && access("/etc/mtab", F_OK) < 0)
		return log_err(-ENOENT,
			       "%s: %s: fusermount3 needs /etc/mtab, which is missing: as root, "
			       "ln -s /proc/self/mounts /etc/mtab",
			       u->self->name, u->given);
	return log_err(
		-EBUSY,
		"%s: %s: cannot be unmounted: it is in use (fuser -vm %s names by whom), or another user's",
		u->self->name, u->given, u->point);
}

static int detach_once(const struct unmounting *u)
{
	if (geteuid() != 0)
		return run_fusermount(u->point, u->lazy);
	return umount2(u->point, UMOUNT_NOFOLLOW | (u->lazy ? MNT_DETACH : 0)) < 0 ? -errno : 0;
}

/* Who looks at every mount for a moment (virus scanners, a sync of all disks, df) is no user to name: it is tried again. */
static int detach(const struct unmounting *u)
{
	int64_t end = attempt_now_ms() + BUSY_PATIENCE_MS;
	int r = detach_once(u);

	while (r == -EBUSY && attempt_now_ms() < end) {
		(void)poll(NULL, 0, 50); /* only lets time pass */
		r = detach_once(u);
	}
	if (r == -EBUSY)
		return busy(u);
	if (r < 0 && geteuid() == 0)
		return log_err(r, "%s: %s: ", u->self->name, u->given);
	return r;
}

static int still_busy(const struct unmounting *u)
{
	return log_err(-EBUSY,
		       "%s: %s: unmounted, but after %" PRIu64
		       " s its process still holds %s: it is writing, "
		       "or the mount is also visible elsewhere: wait before you copy the vault",
		       u->self->name, u->given, u->timeout_seconds, u->target.vault);
}

static int wait_until_free(const struct unmounting *u)
{
	int64_t end = attempt_now_ms() + (int64_t)u->timeout_seconds * 1000;
	struct pollfd daemon = { .fd = u->daemon, .events = POLLIN };
	int pause_ms = 5;
	int r;

	while ((r = target_vault_in_use(u->target.vault)) > 0) {
		if (attempt_now_ms() >= end)
			return still_busy(u);
		if (poll(&daemon, 1, pause_ms) > 0) /* a negative fd is ignored */
			return 0;                   /* it ended: who has the vault now is another */
		pause_ms = pause_ms < 100 ? 2 * pause_ms : 100;
	}
	if (r < 0) { /* the disk is gone: the process itself is all there is to wait for */
		int left = (int)(end - attempt_now_ms() > 0 ? end - attempt_now_ms() : 0);

		if (u->daemon >= 0 && poll(&daemon, 1, left) > 0)
			return 0;
		return log_err(r, "%s: %s/lock: ", u->self->name, u->target.vault);
	}
	/* The vault is free: the rest is courtesy. */
	(void)poll(&daemon, 1, u->daemon < 0 ? 0 : EXIT_GRACE_MS);
	return 0;
}

static int unmount(struct unmounting *u)
{
	int r = find(u);

	if (r == 0 && !u->lazy)
		r = settle(u);
	if (r < 0)
		return r;
	r = detach(u);
	if (r < 0 || u->lazy || !u->target.vault)
		return r;
	return wait_until_free(u);
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "lazy", no_argument, NULL, 'l' },
		{ "timeout", required_argument, NULL, 't' },
		COMMAND_LAST_OPTIONS,
	};
	struct unmounting u = { .self = self, .timeout_seconds = DEFAULT_TIMEOUT_SECONDS, .daemon = -1 };
	int c, r;

	while ((c = command_option(self, argc, argv, "lt:", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c == 'l')
			u.lazy = true;
		else if (c != 't')
			return STATUS_USAGE;
		else if (text_to_number(optarg, 0, 86400, &u.timeout_seconds) < 0)
			return command_misused(self, "timeout %s: must be 0 to 86400 seconds", optarg);
	}
	if (argc - optind != 1)
		return command_misused(self,
				       argc == optind ? "no mount point named" : "one mount point at a time");
	u.given = argv[optind];
	r = unmount(&u);
	target_release(&u.target);
	free(u.point);
	free(u.source);
	if (u.daemon >= 0)
		(void)close(u.daemon); /* a pidfd holds nothing */
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

const struct command cmd_umount = {
	.name = "umount",
	.summary = "unmount, and wait until all is on disk",
	.usage = "[--lazy] [--timeout SECONDS] MOUNTPOINT",
	.help = "Writes everything to disk, unmounts, and returns when the vault is free: it can then be\n"
		"copied, or mounted again. While programs use the mount, it names them and changes nothing. A\n"
		"mount whose daemon was killed is cleared.\n"
		"\n"
		"  -l, --lazy             take the mount out of sight now although files are open; the vault\n"
		"                         stays in use until the last of them is closed. Does not wait,\n"
		"                         and works when the daemon is stopped or its disk hangs\n"
		"  -t, --timeout SECONDS  how long to wait for the daemon to write everything, and again for\n"
		"                         its end, default 120\n"
		"  -h, --help             this text\n"
		"\n"
		"Example: vaultfs umount ~/Media\n",
	.run = run,
};
