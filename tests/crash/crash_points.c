/* crash_points.c - kill at every point that store/kill_point.h names, and look as after any other kill.
 *
 * In the first pass each point must be reached: one that is not is a defect of this workload. In later passes the kill comes
 * at a later, random passing, and where there is none, at a random moment. */
#include "crash_run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../store/kill_point.h"

enum {
	REACH_MS = 20000,	/* a point that exists is met by then */
	LATER_MS = 500,	/* a later passing of it may never come */
	LATER_MOST = 40,	/* passings */
	TRIES = 8,
	N_EXTRA = 64,		/* files that a full disk lets go */
};

/* What makes the daemon pass a point. */
enum way {
	WAY_LOAD,		/* writers */
	WAY_NO_RESERVE,		/* writers, on a vault whose reserve is missing */
	WAY_MOUNT,		/* a mount after an end between the packs' sync and SQLite's commit */
	WAY_CLOSE,		/* a clean end */
	WAY_REBUILD,		/* a rebuild */
	WAY_FULL,		/* removing files while the disk below is full */
};

static const struct {
	const char *name;
	enum way way;
} ways[] = {
	{ "recover", WAY_MOUNT },	 { "replay", WAY_MOUNT },
	{ "replay_commit", WAY_MOUNT },	 { "replayed", WAY_MOUNT },
	{ "cut", WAY_MOUNT },		 { "cut_done", WAY_MOUNT },
	{ "recent_synced", WAY_MOUNT },	 { "close", WAY_CLOSE },
	{ "closed", WAY_CLOSE },	 { "rebuild", WAY_REBUILD },
	{ "rebuild_chunks", WAY_REBUILD }, { "rebuilt", WAY_REBUILD },
	{ "rebuild_rename", WAY_REBUILD }, { "rebuild_renamed", WAY_REBUILD },
	{ "reserve_make", WAY_NO_RESERVE }, { "reserve_made", WAY_NO_RESERVE },
	{ "reserve_give_up", WAY_FULL },   { "reserve_given_up", WAY_FULL },
};

static enum way way_to(const char *name)
{
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (strcmp(ways[i].name, name) == 0)
			return ways[i].way;
	return WAY_LOAD;
}

/* ---- arming ---- */

static void arm(struct run *run, const char *name, unsigned count)
{
	snprintf(run->kill, sizeof run->kill, "%s:%u", name, count);
	(void)unlink(run->mark);
}

/* Did the point end a process since it was armed? */
static bool disarm(struct run *run)
{
	run->kill[0] = 0;
	return access(run->mark, F_OK) == 0;
}

/* Wait for the point to end the daemon; at last end it otherwise. Returns when it was gone, at the latest. */
static double wait_for_end(struct run *run, int pidfd, int ms)
{
	double sent = -INFINITY;

	if (pidfd < 0 || !daemon_has_ended(pidfd, ms))
		sent = kill_daemon(run);
	if (pidfd >= 0)
		close(pidfd);
	return sent > 0 ? sent : crash_now();
}

/* ---- the ways ---- */

static double load_until_end(struct run *run, unsigned round, int ms)
{
	bool mounted = wait_status(run, spawn_mount(run)) == 0;
	double ended = crash_now();

	if (mounted) {
		start_writers(run);
		ended = wait_for_end(run, daemon_open(run), ms);
		__atomic_store_n(&run->stop, true, __ATOMIC_RELEASE);
		join_writers(run, round);
	}
	clear_mount(run);
	return ended;
}

static double load_for_a_moment(struct run *run, unsigned round)
{
	start_writers(run);
	let_run(run, 100, 300);
	__atomic_store_n(&run->stop, true, __ATOMIC_RELEASE);
	join_writers(run, round);
	return crash_now();
}

static double end_mount(struct run *run, unsigned round, const char *name)
{
	double ended;

	arm(run, "database_commit", 1 + (unsigned)random_below(&run->random, 20));
	ended = load_until_end(run, round, LATER_MS * 4);
	arm(run, name, 1);
	(void)wait_status(run, spawn_mount(run));
	(void)kill_daemon(run);
	clear_mount(run);
	return ended;
}

/* The commands that unmount and rebuild are ended by the point, or their daemon is; all that writers did must be there. */
static double end_clean(struct run *run, unsigned round)
{
	double ended;

	mount_vault(run, round);
	ended = load_for_a_moment(run, round);
	(void)umount_vault(run);
	(void)kill_daemon(run);
	clear_mount(run);
	return ended + run->options.commit + run->options.slack;
}

static double end_rebuild(struct run *run, unsigned round, const char *name)
{
	double ended;

	run->kill[0] = 0;
	mount_vault(run, round);
	(void)load_for_a_moment(run, round);
	ended = kill_daemon(run);
	clear_mount(run);
	arm(run, name, 1);
	(void)rebuild_vault(run);
	return ended;
}

static void extra_path(const struct run *run, unsigned i, char *ret, size_t size)
{
	snprintf(ret, size, "%s/extra %u", run->options.mount_point, i);
}

/* A file beside the vault that takes all the room there is. */
static int fill_disk(const struct run *run, char *ret_path, size_t size)
{
	off_t end = 0, step = 64 << 20;
	int fd;

	snprintf(ret_path, size, "%s.filler", run->options.vault);
	fd = open(ret_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		fail(run, "%s: %s", ret_path, strerror(errno));
	while (step >= 4096) {
		if (fallocate(fd, 0, end, step) == 0)
			end += step;
		else if (errno == ENOSPC)
			step /= 2;
		else
			fail(run, "%s: %s", ret_path, strerror(errno));
	}
	return fd;
}

static double end_full(struct run *run, unsigned round)
{
	char filler[4200], path[4200];
	double ended;
	int top, fd;

	mount_vault(run, round);
	ended = load_for_a_moment(run, round);
	for (unsigned i = 0; i < N_EXTRA; i++) {
		extra_path(run, i, path, sizeof path);
		close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	}
	top = open(run->options.mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fsync(top) < 0)
		fail(run, "round %u: fsync: %s", round, strerror(errno));
	fd = fill_disk(run, filler, sizeof filler);
	for (unsigned i = 0; i < N_EXTRA; i++) {
		extra_path(run, i, path, sizeof path);
		if (unlink(path) < 0 || fsync(top) < 0)
			break;
	}
	close(top);
	(void)kill_daemon(run);
	clear_mount(run);
	close(fd);
	(void)unlink(filler);
	return ended + run->options.commit + run->options.slack;
}

/* ---- rounds ---- */

static double end_somehow(struct run *run, unsigned round, const char *name, unsigned count)
{
	int ms = (int)((count == 1 ? REACH_MS : LATER_MS) * run->options.pace / 100);
	char reserve[4200];

	arm(run, name, count);
	switch (way_to(name)) {
	case WAY_NO_RESERVE:
		snprintf(reserve, sizeof reserve, "%s/reserve", run->options.vault);
		(void)unlink(reserve);
		return load_until_end(run, round, REACH_MS);
	case WAY_MOUNT:
		return end_mount(run, round, name);
	case WAY_CLOSE:
		return end_clean(run, round);
	case WAY_REBUILD:
		return end_rebuild(run, round, name);
	case WAY_FULL:
		return end_full(run, round);
	case WAY_LOAD:
		break;
	}
	return load_until_end(run, round, ms);
}

static void check_vault(struct run *run, unsigned round, const char *name)
{
	char *argv[] = { (char *)(uintptr_t)run->options.checker, (char *)(uintptr_t) "check",
			 (char *)(uintptr_t)run->options.vault, NULL };
	int status = run->options.checker ? wait_status(run, spawn(run, argv)) : 0;

	if (status != 0)
		fail(run, "round %u, killed at %s: `vaultfs check` says %d", round, name, status);
}

/* True if it was the point that ended the process. */
static bool point_round(struct run *run, unsigned round, const char *name, unsigned count)
{
	double ended = end_somehow(run, round, name, count);
	bool reached = disarm(run);

	check_vault(run, round, name);
	mount_vault(run, round);
	check(run, round, ended - run->options.commit - run->options.slack);
	if (round % 2)
		(void)kill_daemon(run);
	else if (umount_vault(run) != 0)
		fail(run, "round %u: the vault does not unmount", round);
	clear_mount(run);
	return reached;
}

void kill_points_test(struct run *run)
{
#define POINT_NAME(name) #name,
	static const char *const names[] = { KILL_POINTS(POINT_NAME) };
	enum { N = sizeof names / sizeof *names };
	unsigned n_named = 0;

	snprintf(run->mark, sizeof run->mark, "%s.killed", run->options.vault);
	mount_vault(run, 0);
	init_writers(run, run->options.mount_point);
	if (umount_vault(run) != 0)
		fail(run, "the vault does not unmount");
	for (unsigned round = 0; round < run->options.rounds; round++) {
		const char *name = names[round % N];
		unsigned count = round < N ? 1 : 1 + (unsigned)random_below(&run->random, LATER_MOST);
		bool reached = point_round(run, round, name, count);

		/* The commit before a mount may have been one that leaves nothing to replay. */
		for (unsigned i = 0; round < N && !reached && i < TRIES; i++)
			reached = point_round(run, round, name, count);
		if (round < N && !reached)
			fail(run, "point %s was never reached", name);
		n_named += reached;
	}
	printf("%u kills, %u of them at %d named points, %zu calls; each time one moment of them was there\n",
	       run->options.rounds, n_named, N, run->n_calls);
	if (run->options.rounds < N)
		fail(run, "there are %d points: ask for as many --rounds", N);
}
