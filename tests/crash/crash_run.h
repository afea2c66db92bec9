/* crash_run.h - what the drivers of the crash tests share: options, the daemon, rounds. */
#ifndef VAULTFS_TESTS_CRASH_RUN_H
#define VAULTFS_TESTS_CRASH_RUN_H

#include "crash.h"

#include <pthread.h>
#include <sys/types.h>

struct options {
	unsigned rounds;
	uint64_t seed;
	double commit, slack;
	unsigned pace; /* percent: how much longer everything takes */
	const char *vaultfs, *vault, *mount_point;
	bool points; /* kill at named points */
	const char *checker; /* a command that knows `check`, run on the vault after each kill; NULL: none */
};

struct run {
	struct options options;
	struct random random;
	struct writer writers[N_WRITERS];
	pthread_t threads[N_WRITERS];
	bool stop;
	size_t n_calls;
	char kill[64]; /* "NAME:COUNT" for the processes spawned from now on (store/kill_point.h); "" = none */
	char mark[4200]; /* the file they leave behind when that ends them */
};

_Noreturn void fail(const struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- crash_daemon.c ---- */

pid_t spawn(const struct run *run, char *const argv[]);

/* The exit status, or 128 and the signal. */
int wait_status(const struct run *run, pid_t pid);

/* Start `vaultfs mount`, whose status says whether it is mounted. */
pid_t spawn_mount(const struct run *run);
void mount_vault(const struct run *run, unsigned round);
int umount_vault(const struct run *run);
int rebuild_vault(const struct run *run);

/* Take away what a dead daemon left of its mount. */
void clear_mount(const struct run *run);

/* A pidfd of the process that the vault's lock file names; -1 if none runs. */
int daemon_open(const struct run *run);

/* Wait until it has ended; false if it has not within `ms`. */
bool daemon_has_ended(int pidfd, int ms);

/* SIGKILL, and wait until it is gone. Returns when it was sent, -INFINITY if there was nobody. */
double kill_daemon(const struct run *run);

/* Let some time pass: when the kill comes is what this test is about. */
void let_run(struct run *run, unsigned least_ms, unsigned most_ms);

/* ---- crash.c ---- */

void start_writers(struct run *run);
void join_writers(struct run *run, unsigned round);
void init_writers(struct run *run, const char *top);

/* What the mount shows must be one moment, not before `earliest`. The writers go on from it. */
void check(struct run *run, unsigned round, double earliest);

/* ---- crash_self.c, crash_points.c ---- */

/* The checker, on any filesystem: it must see what is broken on purpose. */
void self_test(struct run *run, const char *directory);

/* Kill at every point that store/kill_point.h names; the command is one that has them. */
void kill_points_test(struct run *run);

#endif
