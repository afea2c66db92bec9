/* signals.c - the end by a signal.
 *
 * The kernel holds pages that programs changed through mmap. They reach the vault only while the loop serves, so the first
 * signal starts a thread that writes them back (syncfs), commits and unmounts; the end of the mount then ends the loop. A
 * second signal cuts all this short. */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auto.h"
#include "loop.h"
#include "place.h"

#define SETTLE_STEP_MS 5
#define SETTLE_QUIET_MS 50
#define SETTLE_MOST_MS 20000
#define END_MOST_MS 2000

struct signals {
	struct fs *fs;
	pthread_t thread;
	pthread_t ending;		/* written and joined by `thread` */
	atomic_bool finished;		/* the session is over: the next signal is only to end `thread` */
};

extern char **environ;

static void do_nothing(int signal_number)
{
	(void)signal_number;
}

static void fill_set(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGHUP);
}

void signals_block(void)
{
	struct sigaction wake = { .sa_handler = do_nothing };	/* no SA_RESTART: it is there to interrupt */
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	/* None of these fail with valid signal numbers. */
	(void)sigaction(SIGNALS_WAKE, &wake, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	fill_set(&set);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* As somebody who is not root: the way that fusermount3 allows. */
static int unmount_by_helper(const char *mount_point, bool lazy)
{
	char *const busy[] = { "fusermount3", "-u", "-q", "--", (char *)(uintptr_t)mount_point, NULL };
	char *const always[] = { "fusermount3", "-u", "-q", "-z", "--", (char *)(uintptr_t)mount_point, NULL };
	int status = 0;
	pid_t pid;
	int r = -posix_spawnp(&pid, "fusermount3", NULL, NULL, lazy ? always : busy, environ);

	if (r < 0)
		return log_err(r, "%s: cannot run fusermount3: ", mount_point);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

static int unmount(const char *mount_point, bool lazy)
{
	if (geteuid() != 0)
		return unmount_by_helper(mount_point, lazy);
	return umount2(mount_point, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) < 0 ? -errno : 0;
}

/* syncfs(2) only starts the writes of a FUSE mount, it does not wait for them (the kernel does not trust us to answer). So
 * wait until none has come for a while and all are done; not for ever, because programs may go on changing pages. */
static void wait_for_cache_writes(struct fs *fs)
{
	const struct timespec step = { .tv_nsec = SETTLE_STEP_MS * 1000000L };
	unsigned long long seen = atomic_load(&fs->n_cache_writes);
	int quiet_ms = 0;

	for (int ms = 0; ms < SETTLE_MOST_MS && quiet_ms < SETTLE_QUIET_MS; ms += SETTLE_STEP_MS) {
		unsigned long long now;

		(void)nanosleep(&step, NULL);	/* a shorter sleep only looks more often */
		now = atomic_load(&fs->n_cache_writes);
		quiet_ms = now == seen && atomic_load(&fs->n_cache_writes_done) == now ? quiet_ms + SETTLE_STEP_MS : 0;
		seen = now;
	}
}

static void write_back(struct fs *fs, int fd)
{
	if (fd >= 0 && syncfs(fd) < 0)
		log_warn("%s: not all that programs had mapped was written back", fs->mount_point);
	if (fd >= 0)
		wait_for_cache_writes(fs);
	(void)vault_sync(fs->vault);	/* it has logged, and vault_close() will say it again */
}

/* Cut off who still uses the filesystem. */
static void cut_off(struct fs *fs)
{
	log_warn("%s: still in use; programs that use it get errors from now on", fs->mount_point);
	loop_stop(fs);
}

/* The mount at `place` is in use: take its name away, and write back what came meanwhile. */
static void end_busy(struct fs *fs, const char *place)
{
	AUTO(fd) int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (unmount(place, true) == 0)	/* at worst the name stays until the session is gone */
		atomic_store(&fs->detached, true);
	write_back(fs, fd);
	cut_off(fs);
}

/* Wait a moment for the session to end by itself. It does not where the filesystem is in use without a name that could be
 * seen from here: it was detached before, or it is mounted in another mount namespace too. */
static bool ends_soon(struct fs *fs)
{
	const struct timespec step = { .tv_nsec = SETTLE_STEP_MS * 1000000L };

	for (int ms = 0; ms < END_MOST_MS; ms += SETTLE_STEP_MS) {
		if (loop_is_over(fs->loop))
			return true;
		(void)nanosleep(&step, NULL);	/* a shorter sleep only looks more often */
	}
	return false;
}

static void *ending_thread(void *argument)
{
	struct fs *fs = argument;
	char *place = place_find(fs);
	int fd = place ? open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	write_back(fs, fd);
	if (fd >= 0)
		(void)close(fd);	/* else it would be us who use the mount */
	for (; place; place = place_find(fs)) {
		AUTO(free) char *old = place;

		if (unmount(place, false) < 0) {
			end_busy(fs, place);
			return NULL;
		}
	}
	if (!ends_soon(fs))
		cut_off(fs);
	return NULL;
}

/* Returns true when the session is over. */
static bool next_signal(struct signals *signals, int *ret_signal)
{
	sigset_t set;

	fill_set(&set);
	while (sigwait(&set, ret_signal) != 0)
		;
	return atomic_load(&signals->finished);
}

static void *signals_thread(void *argument)
{
	struct signals *signals = argument;
	struct fs *fs = signals->fs;
	int number;

	(void)pthread_setname_np(pthread_self(), "vaultfs-signals");	/* only for people who look */
	if (next_signal(signals, &number))
		return NULL;
	log_info("%s: unmounting on signal %d", fs->mount_point, number);
	if (pthread_create(&signals->ending, NULL, ending_thread, fs) != 0) {
		log_warn("%s: no thread to write back: ending at once", fs->mount_point);
		loop_stop(fs);
		while (!next_signal(signals, &number))
			;
		return NULL;
	}
	while (!next_signal(signals, &number)) {
		log_warn("%s: ending at once on signal %d", fs->mount_point, number);
		loop_stop(fs);
	}
	(void)pthread_join(signals->ending, NULL);
	return NULL;
}

int signals_start(struct fs *fs)
{
	struct signals *signals = calloc(1, sizeof(*signals));
	int r;

	if (!signals)
		return log_err(-ENOMEM, "no memory for the signal thread");
	signals->fs = fs;
	r = -pthread_create(&signals->thread, NULL, signals_thread, signals);
	if (r < 0) {
		free(signals);
		return log_err(r, "cannot start the signal thread: ");
	}
	fs->signals = signals;
	return 0;
}

void signals_free(struct signals *signals)
{
	if (!signals)
		return;
	atomic_store(&signals->finished, true);
	(void)pthread_kill(signals->thread, SIGTERM);
	(void)pthread_join(signals->thread, NULL);
	free(signals);
}
