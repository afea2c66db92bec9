/* twin_play.c - a list played by processes: one for each number in it, each with its turns. */
#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_NOISE = 2, STUCK_SECONDS = 120 };

/* Shared by all processes of a run. */
struct board {
	sem_t turns[TWIN_PROCESSES];
	_Atomic size_t at[TWIN_PROCESSES]; /* which operation a player is at */
	_Atomic size_t n_done;
	atomic_bool over; /* those who make noise end */
};

struct round {
	const struct twin_stage *stage;
	const struct twin_op *ops;
	size_t from, to;
	struct twin_answer *answers;
	struct board *board;
};

/* ---- a player ---- */

static void make_directory(const char *format, const char *root, unsigned number)
{
	char path[4096];

	snprintf(path, sizeof path, format, root, number);
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		twin_fail("%s: %s", path, strerror(errno));
	if (chmod(path, 0777) < 0)
		twin_fail("%s: %s", path, strerror(errno));
}

static void make_areas(const char *root, unsigned n_processes)
{
	for (unsigned i = 0; i < n_processes; i++)
		make_directory("%s/own%u", root, i);
	make_directory("%s/shared", root, 0);
}

/* Root sees nothing but the tree; others make no path that leads out of it. */
static void enter(struct twin_player *player, const char *root, unsigned number)
{
	static char prefix[4096];
	char own[16];

	player->caches = geteuid() == 0 ? open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC) : -1;
	snprintf(prefix, sizeof prefix, "%s", geteuid() == 0 ? "" : root);
	if (chdir(root) < 0 || (geteuid() == 0 && chroot(root) < 0))
		twin_fail("%s: %s", root, strerror(errno));
	player->prefix = prefix;
	player->number = number;
	player->root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	player->buffer = malloc(TWIN_IO_MAX);
	for (size_t i = 0; i < TWIN_SLOTS; i++)
		player->slots[i] = -1;
	snprintf(own, sizeof own, "own%u", number);
	if (player->root < 0 || !player->buffer)
		twin_fail("%s: %s", root, strerror(errno));
	(void)!chdir(own); /* it may have been removed: then the root it is, on both sides */
	umask(022);
	(void)signal(SIGPIPE, SIG_IGN);
}

static void wait_turn(sem_t *turn)
{
	while (sem_wait(turn) < 0 && errno == EINTR)
		;
}

static void play_round(const struct round *round, struct twin_player *player)
{
	const struct twin_op *ops = round->ops;
	struct board *board = round->board;
	bool turns = !round->stage->free_running;

	for (size_t i = round->from; i < round->to; i++) {
		if (ops[i].process != player->number)
			continue;
		if (turns && (i == round->from || ops[i - 1].process != player->number))
			wait_turn(&board->turns[player->number]);
		atomic_store(&board->at[player->number], i);
		twin_do(player, &ops[i], &round->answers[i]);
		atomic_fetch_add(&board->n_done, 1);
		if (turns && i + 1 < round->to && ops[i + 1].process != player->number)
			sem_post(&board->turns[ops[i + 1].process]);
	}
}

/* Whatever comes of it. */
static void make_noise(const struct round *round, struct twin_player *player)
{
	const struct twin_stage *stage = round->stage;
	struct twin_answer answer;

	for (size_t i = 0; !atomic_load(&round->board->over); i = (i + 1) % stage->n_noise) {
		if (stage->noise[i].process == player->number)
			twin_do(player, &stage->noise[i], &answer);
	}
}

static pid_t start(const struct round *round, unsigned number, bool noise)
{
	struct twin_player player = { .number = number, .tick = round->stage->tick };
	char root[4096];
	pid_t pid = fork();

	if (pid < 0)
		twin_fail("fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	player.begin = round->stage->begin;
	if (round->stage->free_running)
		snprintf(root, sizeof root, noise ? "%s/noise" : "%s/player%u", round->stage->root, number);
	else
		snprintf(root, sizeof root, "%s", round->stage->root);
	enter(&player, root, number);
	if (noise)
		make_noise(round, &player);
	else
		play_round(round, &player);
	_exit(0);
}

/* ---- those who wait for the players ---- */

/* Without progress for this long, something hangs. */
static int wait_for_one(const struct round *round, pid_t *ret_pid)
{
	const struct timespec limit = { .tv_sec = STUCK_SECONDS };
	size_t n_done = SIZE_MAX;
	sigset_t child;
	int status;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		*ret_pid = waitpid(-1, &status, WNOHANG);
		if (*ret_pid > 0)
			return status;
		if (sigtimedwait(&child, NULL, &limit) < 0 && errno == EAGAIN) {
			if (n_done == atomic_load(&round->board->n_done))
				return -1;
			n_done = atomic_load(&round->board->n_done);
		}
	}
}

static size_t number_of(const pid_t *pids, size_t n, pid_t pid)
{
	size_t i = 0;

	while (i < n && pids[i] != pid)
		i++;
	return i;
}

static void say_death(const struct round *round, size_t player, int status)
{
	struct twin_answer *answer = &round->answers[atomic_load(&round->board->at[player])];

	if (WIFSIGNALED(status))
		twin_say(answer, " killed by signal %d", WTERMSIG(status));
	else
		twin_say(answer, " ended with status %d", WEXITSTATUS(status));
}

static void end_all(pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (pids[i] > 0) {
			(void)kill(pids[i], SIGKILL);
			(void)waitpid(pids[i], NULL, 0);
			pids[i] = 0;
		}
	}
}

/* Returns false when a player has died, and with it the rest of the list. */
static bool wait_for_all(const struct round *round, pid_t *pids, size_t n_players, size_t n_pids)
{
	for (size_t left = n_players; left > 0;) {
		pid_t pid = 0;
		int status = wait_for_one(round, &pid);
		size_t number = number_of(pids, n_pids, pid);

		if (status == -1) {
			end_all(pids, n_pids);
			twin_fail("nothing has moved for %d s: a call hangs", STUCK_SECONDS);
		}
		if (number == n_pids)
			continue;
		pids[number] = 0;
		if (status != 0 && number < n_players)
			say_death(round, number, status);
		if (status != 0) {
			end_all(pids, n_pids);
			return false;
		}
		left -= number < n_players;
	}
	return true;
}

static bool run_round(const struct round *round)
{
	pid_t pids[TWIN_PROCESSES + N_NOISE] = { 0 };
	unsigned n_players = round->stage->n_processes, n_noise = round->stage->free_running ? N_NOISE : 0;
	bool whole;

	if (round->from == round->to)
		return true;
	for (unsigned i = 0; i < n_players; i++)
		pids[i] = start(round, i, false);
	for (unsigned i = 0; i < n_noise; i++)
		pids[n_players + i] = start(round, i, true);
	if (!round->stage->free_running)
		sem_post(&round->board->turns[round->ops[round->from].process]);
	whole = wait_for_all(round, pids, n_players, n_players + n_noise);
	atomic_store(&round->board->over, true);
	for (unsigned i = 0; i < n_noise; i++) {
		if (pids[n_players + i] > 0)
			(void)waitpid(pids[n_players + i], NULL, 0);
	}
	return whole;
}

static void prepare_trees(const struct twin_stage *stage)
{
	char path[4096];

	umask(0);
	if (!stage->free_running) {
		make_areas(stage->root, stage->n_processes);
		return;
	}
	for (unsigned i = 0; i < stage->n_processes; i++) {
		make_directory("%s/player%u", stage->root, i);
		snprintf(path, sizeof path, "%s/player%u", stage->root, i);
		make_areas(path, stage->n_processes);
	}
	make_directory("%s/noise", stage->root, 0);
	snprintf(path, sizeof path, "%s/noise", stage->root);
	make_areas(path, N_NOISE);
}

static struct board *new_board(void)
{
	struct board *board =
		mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (board == MAP_FAILED)
		twin_fail("no memory");
	for (size_t i = 0; i < TWIN_PROCESSES; i++)
		(void)sem_init(&board->turns[i], 1, 0);
	return board;
}

void twin_play(const struct twin_stage *stage, const struct twin_op *ops, size_t n,
	       struct twin_answer *answers)
{
	struct round round = { .stage = stage, .ops = ops, .answers = answers };
	sigset_t child;
	bool whole = true;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, NULL);
	memset(answers, 0, n * sizeof *answers);
	prepare_trees(stage);
	while (whole && round.to < n) {
		if (ops[round.to].call != &twin_remount) {
			round.to++;
			continue;
		}
		round.board = new_board();
		whole = run_round(&round);
		(void)munmap(round.board, sizeof *round.board);
		if (stage->remount && system(stage->remount) != 0)
			twin_fail("failed: %s", stage->remount);
		round.from = ++round.to;
	}
	if (whole) {
		round.board = new_board();
		(void)run_round(&round);
		(void)munmap(round.board, sizeof *round.board);
	}
}
