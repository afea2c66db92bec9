/* torture.c - the command: torture DIRECTORY SEED STEPS [COPY]
 *
 * SEED 0 takes a new one; it is printed, so that a failure can be had again. At the end the buffers are written to files of
 * the same names in the directory COPY. In the environment are commands for what happens between rounds:
 * TORTURE_REMOUNT, TORTURE_KILL, TORTURE_SYNC_AND_KILL, TORTURE_IDLE; what is not set does not happen. */
#include "torture.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_PROCESSES = 2, ROUND_LEAST = 500, ROUND_MOST = 5000, ROUNDS = 40 };

/* Shared by both processes. */
struct board {
	sem_t turns[N_PROCESSES];
	struct torture_model models[TORTURE_FILES];
};

struct run {
	struct torture torture;
	struct board *board;
	uint64_t seed;
	unsigned from, to; /* the steps of a round */
	bool synced_at_end;
};

void torture_fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "FAIL  torture: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

/* The same step is the same whatever came before it. */
static struct random random_of(const struct run *run, unsigned step)
{
	struct random random = { run->seed * UINT64_C(1000003) + step };

	(void)random_next(&random);
	return random;
}

static unsigned process_of(const struct run *run, unsigned step)
{
	struct random random = random_of(run, step / 4);

	return (unsigned)random_below(&random, N_PROCESSES);
}

static void wait_turn(sem_t *turn)
{
	while (sem_wait(turn) < 0 && errno == EINTR)
		;
}

static void play_round(struct run *run, unsigned process)
{
	struct torture *t = &run->torture;

	torture_open(t);
	for (unsigned i = run->from; i < run->to; i++) {
		if (process_of(run, i) != process)
			continue;
		if (i == run->from || process_of(run, i - 1) != process)
			wait_turn(&run->board->turns[process]);
		t->step = i;
		t->random = random_of(run, i);
		torture_step(t);
		if (i + 1 == run->to && run->synced_at_end)
			torture_sync(t);
		if (i + 1 < run->to && process_of(run, i + 1) != process)
			sem_post(&run->board->turns[process_of(run, i + 1)]);
	}
	torture_close(t);
	_exit(0);
}

static void run_round(struct run *run)
{
	pid_t pids[N_PROCESSES];
	int status, failed = 0;

	for (unsigned i = 0; i < N_PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			torture_fail("fork: %s", strerror(errno));
		if (pids[i] == 0)
			play_round(run, i);
	}
	sem_post(&run->board->turns[process_of(run, run->from)]);
	for (unsigned i = 0; i < N_PROCESSES; i++) {
		pid_t pid = wait(&status);

		if (status == 0 || failed)
			continue;
		failed = status;
		(void)kill(pids[pid == pids[0] ? 1 : 0],
			   SIGKILL); /* it waits for a turn that does not come */
	}
	if (failed)
		torture_fail("round of steps %u to %u: a process ended with status 0x%x", run->from, run->to,
			     (unsigned)failed);
}

/* Everything as it should be, with nothing in any cache of a process's. */
static void look_at_all(struct run *run)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		torture_open(&run->torture);
		run->torture.step = run->to;
		torture_compare_all(&run->torture);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		torture_fail("after %u steps the files are not what they should be", run->to);
}

static const char *pick_event(const struct run *run)
{
	static const char *const events[] = {
		"TORTURE_REMOUNT", "TORTURE_KILL", "TORTURE_REMOUNT", "TORTURE_SYNC_AND_KILL", "",
		"TORTURE_IDLE"
	};
	struct random random = random_of(run, ~run->from);

	return events[random_below(&random, sizeof events / sizeof *events)];
}

static void happen(const char *event)
{
	const char *command = getenv(event);

	if (command && system(command) != 0)
		torture_fail("%s: failed: %s", event, command);
}

static void write_copy(const struct run *run, const char *directory)
{
	for (unsigned i = 0; i < TORTURE_FILES; i++) {
		const struct torture_model *model = &run->board->models[i];
		char path[4200];
		int fd;

		snprintf(path, sizeof path, "%s/file%u", directory, i);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0 || write(fd, model->bytes, model->size) != (ssize_t)model->size || close(fd) < 0)
			torture_fail("%s: %s", path, strerror(errno));
	}
}

static void prepare(struct run *run, const char *directory)
{
	run->board =
		mmap(NULL, sizeof *run->board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	run->torture.scratch = aligned_alloc(4096, TORTURE_FILE_MAX);
	if (run->board == MAP_FAILED || !run->torture.scratch)
		torture_fail("no memory");
	for (unsigned i = 0; i < N_PROCESSES; i++)
		(void)sem_init(&run->board->turns[i], 1, 0);
	for (unsigned i = 0; i < TORTURE_FILES; i++) {
		snprintf(run->torture.files[i].path, sizeof run->torture.files[i].path, "%s/file%u",
			 directory, i);
		run->torture.files[i].model = &run->board->models[i];
	}
}

int main(int argc, char **argv)
{
	static struct run run;
	unsigned n, length, n_events = 0;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: torture DIRECTORY SEED STEPS [COPY]\n");
		return 2;
	}
	run.seed = random_seed_or(argv[2]);
	n = (unsigned)strtoul(argv[3], NULL, 10);
	length = n / ROUNDS < ROUND_LEAST ? ROUND_LEAST : n / ROUNDS > ROUND_MOST ? ROUND_MOST : n / ROUNDS;
	prepare(&run, argv[1]);
	while (run.to < n) {
		const char *event;

		run.from = run.to;
		run.to = n - run.from < length ? n : run.from + length;
		event = pick_event(&run);
		run.synced_at_end = strcmp(event, "TORTURE_KILL") == 0;
		run_round(&run);
		happen(event);
		n_events += getenv(event) != NULL;
		look_at_all(&run);
	}
	if (argc == 5)
		write_copy(&run, argv[4]);
	printf("%u steps, and %u times the ground gave way: all as it should be\n", n, n_events);
	return 0;
}
