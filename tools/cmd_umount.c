/* cmd_umount.c - `vaultfs umount`: unmount, and wait until everything is on disk and the vault is free.
 *
 * umount(8) and fusermount3(1) return while the daemon is still writing; whoever copies the vault then copies half of
 * the last commit. Here the vault's lock is waited for. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
#include <time.h>

#include "auto.h"
#include "command.h"
#include "log.h"
#include "mounts.h"
#include "target.h"
#include "text.h"

#define DEFAULT_TIMEOUT_SECONDS 120
#define EXIT_GRACE_MS 5000 /* from the freed lock to the end of the process */

extern char **environ;

struct unmounting {
	const struct command *self;
	const char *given; /* the mount point as the user wrote it */
	bool lazy;
	uint64_t timeout_seconds;
	struct target target; /* .vault is NULL when the daemon is dead */
	dev_t device;
	int daemon; /* pidfd of the process that holds the vault, or -1 */
};

/* The daemon's pid stands in the vault's lock file. A pidfd taken now cannot come to mean another process later; -1
 * when it is not known, e.g. in another pid namespace. */
static int open_daemon(const char *vault_path)
{
	AUTO(free) char *path = NULL;
	AUTO(file) FILE *lock = NULL;
	AUTO(fd) int fd = -1;
	char text[256] = "", name[64] = "";
	const char *digits;
	int pid;

	if (asprintf(&path, "%s/lock", vault_path) < 0) {
		path = NULL; /* undefined then */
		return -1;
	}
	lock = fopen(path, "re");
	if (!lock || fread(text, 1, sizeof(text) - 1, lock) == 0)
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
	return TAKE_FD(fd);
}

static int find(struct unmounting *u)
{
	const char *what = u->self->name;
	AUTO(free) char *point = NULL;
	char type[64];
	struct stat st;
	int r = mounts_absolute(u->given, &point);

	if (r == 0 && lstat(point, &st) < 0)
		r = -errno;
	/* Its daemon died, or it is another user's, whom even root may not look at, or its disk is gone: only the mount
	 * is left to us. */
	if ((r == -ENOTCONN || r == -EIO || (r == -EACCES && geteuid() == 0)) && mounts_is_ours(point)) {
		if (r == -EACCES)
			log_warn("%s: %s: another user's mount: not waiting until its vault is free", what,
				 u->given);
		if (r == -EIO)
			log_warn(
				"%s: %s: answers with errors only, its disk may be gone: unmounting it without waiting",
				what, u->given);
		u->target.mount = TAKE(point);
		return 0;
	}
	if (r < 0)
		return log_err(r, "%s: %s: ", what, u->given);

	r = mounts_type_at(point, type, sizeof(type));
	if (r == -ENOENT) { /* a symbolic link to a mount point will do */
		free(point);
		point = realpath(u->given, NULL);
		r = point ? mounts_type_at(point, type, sizeof(type)) : -errno;
	}
	if (r == -ENOENT)
		return log_err(-EINVAL, "%s: %s: nothing is mounted there: `findmnt -t %s` lists what is",
			       what, u->given, MOUNTS_OUR_TYPE);
	if (r < 0)
		return log_err(r, "%s: %s: ", what, u->given);
	if (strcmp(type, MOUNTS_OUR_TYPE) != 0)
		return log_err(-EINVAL, "%s: %s: what is mounted there is %s: unmount it with umount(8)",
			       what, u->given, type);
	r = target_find_mounted(what, point, &u->target);
	if (r < 0)
		return r;
	if (lstat(u->target.mount, &st) == 0)
		u->device = st.st_dev;
	u->daemon = open_daemon(u->target.vault);
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
		u->self->name, u->given, u->target.mount);
}

static int detach(const struct unmounting *u)
{
	int r;

	if (geteuid() == 0)
		r = umount2(u->target.mount, UMOUNT_NOFOLLOW | (u->lazy ? MNT_DETACH : 0)) < 0 ? -errno : 0;
	else
		r = run_fusermount(u->target.mount, u->lazy);
	if (r == -EBUSY)
		return busy(u);
	if (r < 0 && geteuid() == 0)
		return log_err(r, "%s: %s: ", u->self->name, u->given);
	return r;
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int still_busy(const struct unmounting *u)
{
	return log_err(-EBUSY,
		       "%s: %s: unmounted, but after %" PRIu64
		       " seconds its process still holds %s: it is writing, "
		       "or the mount is also visible elsewhere: wait before you copy the vault",
		       u->self->name, u->given, u->timeout_seconds, u->target.vault);
}

static int wait_until_free(const struct unmounting *u)
{
	int64_t end = now_ms() + (int64_t)u->timeout_seconds * 1000;
	struct pollfd daemon = { .fd = u->daemon, .events = POLLIN };
	int pause_ms = 5;
	int r;

	while ((r = target_vault_in_use(u->target.vault)) > 0) {
		if (now_ms() >= end)
			return still_busy(u);
		if (poll(&daemon, 1, pause_ms) > 0) /* a negative fd is ignored */
			return 0;                   /* it ended: who has the vault now is another */
		pause_ms = pause_ms < 100 ? 2 * pause_ms : 100;
	}
	if (r < 0) { /* the disk is gone: the process itself is all there is to wait for */
		int left = (int)(end - now_ms() > 0 ? end - now_ms() : 0);

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

	if (r < 0)
		return r;
	/* Commit first: should the unmount go wrong, this is on disk. A mount that cannot write must go too. */
	if (u->target.vault)
		(void)target_sync(u->self->name, &u->target);
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
		"                         stays in use until the last of them is closed. Does not wait\n"
		"  -t, --timeout SECONDS  how long to wait for the daemon to finish, default 120\n"
		"  -h, --help             this text\n"
		"\n"
		"Example: vaultfs umount ~/Media\n",
	.run = run,
};
