/* crash.c - kill the daemon at random moments, mount again, and ask whether what is there was ever so (contract 1).
 *
 *   crash [--rounds N] [--seed S] [--commit SECONDS] [--slack SECONDS] [--pace PERCENT] VAULTFS VAULT MOUNTPOINT
 *   crash --self-test DIRECTORY		the checker alone, on any filesystem: it must see what is broken on purpose
 *
 * The vault must exist and be mounted nowhere; whoever calls this unmounts what a failure leaves behind. */
#include "crash.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DAEMON_END_SECONDS = 20 };

struct options {
	unsigned rounds;
	uint64_t seed;
	double commit, slack;
	unsigned pace; /* percent: how much longer everything takes */
	const char *vaultfs, *vault, *mount_point;
};

struct run {
	struct options options;
	struct random random;
	struct writer writers[N_WRITERS];
	pthread_t threads[N_WRITERS];
	bool stop;
	size_t n_calls, n_seen;
};

static _Noreturn void fail(const struct run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void fail(const struct run *run, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "FAIL  crash (--seed %ju): ", (uintmax_t)run->options.seed);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

/* ---- the daemon ---- */

static pid_t spawn(const struct run *run, char *const argv[])
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0)
		fail(run, "fork: %s", strerror(errno));
	return pid;
}

static int wait_status(const struct run *run, pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		fail(run, "waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t spawn_mount(const struct run *run)
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

static void mount_vault(const struct run *run, unsigned round)
{
	int status = wait_status(run, spawn_mount(run));

	if (status != 0)
		fail(run, "round %u: the vault does not mount again (status %d)", round, status);
}

static void clear_mount(const struct run *run)
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

/* SIGKILL, and wait until it is gone. Returns when it was sent, -INFINITY if there was nobody. */
static double kill_daemon(const struct run *run)
{
	pid_t pid = daemon_pid(run);
	double sent = -INFINITY;
	struct pollfd end;

	if (pid == 0)
		return sent;
	end.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	end.events = POLLIN;
	if (end.fd < 0)
		return sent;
	sent = crash_now();
	if (syscall(SYS_pidfd_send_signal, end.fd, SIGKILL, NULL, 0) < 0)
		fail(run, "cannot kill process %d: %s", pid, strerror(errno));
	if (poll(&end, 1, DAEMON_END_SECONDS * 1000) != 1)
		fail(run, "process %d lives on after SIGKILL", pid);
	close(end.fd);
	return sent;
}

/* Let some time pass: when the kill comes is what this test is about. */
static void let_run(struct run *run, unsigned least_ms, unsigned most_ms)
{
	unsigned ms = least_ms + (unsigned)random_below(&run->random, most_ms - least_ms + 1);

	(void)poll(NULL, 0, (int)(ms * run->options.pace / 100));
}

/* ---- rounds ---- */

static void start_writers(struct run *run)
{
	run->stop = false;
	for (unsigned i = 0; i < N_WRITERS; i++) {
		run->writers[i].stop = &run->stop;
		if (pthread_create(&run->threads[i], NULL, writer_run, &run->writers[i]) != 0)
			fail(run, "no thread");
	}
}

static void join_writers(struct run *run, unsigned round)
{
	for (unsigned i = 0; i < N_WRITERS; i++) {
		(void)pthread_join(run->threads[i], NULL);
		run->n_calls += run->writers[i].n_calls;
	}
	for (unsigned i = 0; i < N_WRITERS; i++) {
		if (run->writers[i].error[0])
			fail(run, "round %u: %s", round, run->writers[i].error);
	}
}

static void check(struct run *run, unsigned round, double earliest)
{
	static struct state found[N_WRITERS];
	char message[MESSAGE_SIZE];

	if (!check_one_moment(run->writers, earliest, found, message))
		fail(run, "round %u: %s", round, message);
	for (unsigned i = 0; i < N_WRITERS; i++)
		writer_restart(&run->writers[i], &found[i]);
}

/* A mount that is killed while it recovers must not spoil what the next one finds. */
static void mount_and_kill_at_once(struct run *run)
{
	pid_t mounting = spawn_mount(run);

	let_run(run, 0, 60);
	(void)kill_daemon(run);
	(void)wait_status(run, mounting);
	(void)kill_daemon(run);
	clear_mount(run);
}

static void crash_round(struct run *run, unsigned round)
{
	double killed;

	start_writers(run);
	if (round % 5 == 4) /* long enough that old enough calls are in the log */
		let_run(run, (unsigned)(1000 * (run->options.commit + run->options.slack)),
			(unsigned)(1000 * (run->options.commit + run->options.slack + 1)));
	else
		let_run(run, 10, 700);
	killed = kill_daemon(run);
	if (killed < 0)
		fail(run, "round %u: no daemon to kill; did it end by itself?", round);
	join_writers(run, round);
	clear_mount(run);
	if (round % 4 == 3)
		mount_and_kill_at_once(run);
	mount_vault(run, round);
	check(run, round, killed - run->options.commit - run->options.slack);
}

/* What a clean end leaves is everything. */
static void clean_round(struct run *run)
{
	char *argv[] = { (char *)(uintptr_t)run->options.vaultfs, (char *)(uintptr_t) "umount",
			 (char *)(uintptr_t)run->options.mount_point, NULL };
	double end;

	start_writers(run);
	let_run(run, 200, 500);
	__atomic_store_n(&run->stop, true, __ATOMIC_RELEASE);
	join_writers(run, run->options.rounds);
	end = crash_now();
	if (wait_status(run, spawn(run, argv)) != 0)
		fail(run, "the vault does not unmount");
	mount_vault(run, run->options.rounds);
	check(run, run->options.rounds, end);
	if (wait_status(run, spawn(run, argv)) != 0)
		fail(run, "the vault does not unmount");
}

static void init_writers(struct run *run, const char *top)
{
	for (unsigned i = 0; i < N_WRITERS; i++) {
		if (!writer_init(&run->writers[i], i, top, run->options.seed))
			fail(run, "%s: cannot begin: %s", top, strerror(errno));
	}
}

static void crash_test(struct run *run)
{
	mount_vault(run, 0);
	init_writers(run, run->options.mount_point);
	for (unsigned round = 0; round < run->options.rounds; round++)
		crash_round(run, round);
	clean_round(run);
	printf("%u kills and a clean end, %zu calls; each time one moment of them was there\n",
	       run->options.rounds, run->n_calls);
}

/* ---- the checker, checked ---- */

static void expect_seen(struct run *run, const char *what, double earliest, bool seen)
{
	static struct state found[N_WRITERS];
	char message[MESSAGE_SIZE] = "";

	if (check_one_moment(run->writers, earliest, found, message) == seen)
		fail(run, "self-test: %s: %s", what, seen ? "not noticed" : message);
	printf("%-40s %s\n", what, seen ? message : "fits");
}

/* The first file of a writer that has a whole block at its start. */
static unsigned slot_with_data(const struct run *run, const struct writer *w)
{
	for (unsigned i = 0; i < N_SLOTS; i++) {
		if (w->now.slots[i].blocks[0].length == BLOCK_SIZE)
			return i;
	}
	fail(run, "self-test: no file with data");
}

static void self_test_path(const struct writer *w, unsigned slot, char *ret_path, size_t size)
{
	char name[128];

	state_slot_name(&w->now, slot, name, sizeof name);
	snprintf(ret_path, size, "%s/%s", w->path, name);
}

static void self_test_bytes(struct run *run, double end)
{
	const struct writer *w = &run->writers[1];
	uint8_t byte = 0, block[BLOCK_SIZE], old[BLOCK_SIZE];
	char path[1024];
	int fd;

	self_test_path(w, slot_with_data(run, w), path, sizeof path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pread(fd, old, sizeof old, 0) != sizeof old || pwrite(fd, &byte, 1, 2000) != 1)
		fail(run, "%s: %s", path, strerror(errno));
	expect_seen(run, "a byte changed", end, true);
	block_fill(w->index, 999u << 16, block);
	if (pwrite(fd, block, sizeof block, 0) != sizeof block)
		fail(run, "%s: %s", path, strerror(errno));
	expect_seen(run, "a whole block of no write", end, true);
	if (pwrite(fd, old, sizeof old, 0) != sizeof old)
		fail(run, "%s: %s", path, strerror(errno));
	close(fd);
	expect_seen(run, "put back", end, false);
}

static void self_test_names(struct run *run, double end)
{
	const struct writer *w = &run->writers[2];
	char path[1024], other[1024];

	self_test_path(w, slot_with_data(run, w), path, sizeof path);
	snprintf(other, sizeof other, "%s.elsewhere", run->writers[0].path);
	if (rename(path, other) < 0)
		fail(run, "%s: %s", path, strerror(errno));
	expect_seen(run, "a file lost", end, true);
	if (rename(other, path) < 0)
		fail(run, "%s: %s", path, strerror(errno));
	expect_seen(run, "found again", end, false);
}

/* Let the log say that the writer had done one call more, which had returned at `time`. */
static void pretend_call(struct writer *w, double time)
{
	struct call call = { .kind = CALL_MARK, .number = w->next_number++, .start = time, .end = time };

	while (!w->now.slots[call.slot].there && call.slot < N_SLOTS - 1)
		call.slot++;
	w->calls = realloc(w->calls, (w->n_calls + 1) * sizeof *w->calls);
	if (!w->calls)
		abort();
	w->calls[w->n_calls++] = call;
	w->calls_size = w->n_calls;
}

static bool is_fsync(const struct call *call)
{
	return call->kind == CALL_FSYNC || call->kind == CALL_FSYNC_DIRECTORY;
}

static void date_calls(struct writer *w, size_t from, double time)
{
	for (size_t i = from; i < w->n_calls; i++)
		w->calls[i].start = w->calls[i].end = time;
}

static void self_test_moments(struct run *run, double end)
{
	struct writer *lost = &run->writers[2], *there = &run->writers[0];
	size_t last = there->n_calls - 1;

	pretend_call(lost, end + 1);
	expect_seen(run, "a call lost, young enough", end, false);
	expect_seen(run, "a call lost, too old for that", end + 2, true);
	lost->fsync_start = end + 2;
	expect_seen(run, "a call lost that was fsync'ed", end, true);
	lost->fsync_start = -INFINITY;
	/* The last call that left a trace, and what came behind it, were made later than the one that is lost. */
	while (last > 0 && is_fsync(&there->calls[last]))
		last--;
	date_calls(there, last, end + 2);
	expect_seen(run, "a call lost, a later one of another there", end, true);
	date_calls(there, last, end + 0.5);
	expect_seen(run, "a call lost, an earlier one of another there", end, false);
}

static void self_test(struct run *run, const char *directory)
{
	double end;

	init_writers(run, directory);
	start_writers(run);
	let_run(run, 300, 300);
	__atomic_store_n(&run->stop, true, __ATOMIC_RELEASE);
	join_writers(run, 0);
	end = crash_now();
	expect_seen(run, "all calls returned", end, false);
	self_test_bytes(run, end);
	self_test_names(run, end);
	self_test_moments(run, end);
	printf("the checker sees what it must, %zu calls\n", run->n_calls);
}

static int parse_options(struct run *run, int argc, char **argv, const char **ret_self_test)
{
	struct options *o = &run->options;
	int i = 1;

	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (strcmp(argv[i], "--rounds") == 0)
			o->rounds = (unsigned)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			o->seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--commit") == 0)
			o->commit = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--slack") == 0)
			o->slack = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--pace") == 0)
			o->pace = (unsigned)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--self-test") == 0)
			*ret_self_test = argv[i + 1];
		else
			return -EINVAL;
	}
	if (*ret_self_test)
		return i == argc ? 0 : -EINVAL;
	if (i + 3 != argc)
		return -EINVAL;
	o->vaultfs = argv[i];
	o->vault = argv[i + 1];
	o->mount_point = argv[i + 2];
	return 0;
}

int main(int argc, char **argv)
{
	static struct run run = { .options = { .rounds = 50, .commit = 1, .slack = 1, .pace = 100 } };
	const char *self_test_directory = NULL;

	if (parse_options(&run, argc, argv, &self_test_directory) < 0) {
		fprintf(stderr, "usage: crash [--rounds N] [--seed S] [--commit SECONDS] [--slack SECONDS] "
				"[--pace PERCENT] "
				"VAULTFS VAULT MOUNTPOINT\n       crash --self-test DIRECTORY\n");
		return 2;
	}
	if (run.options.seed == 0)
		run.options.seed = (uint64_t)(fmod(crash_now(), 1000) * 1e6) + 1;
	printf("seed %ju\n", (uintmax_t)run.options.seed);
	run.random.state = run.options.seed;
	if (self_test_directory)
		self_test(&run, self_test_directory);
	else
		crash_test(&run);
	for (unsigned i = 0; i < N_WRITERS; i++)
		writer_release(&run.writers[i]);
	return 0;
}
