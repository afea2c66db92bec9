/* crash.c - kill the daemon at random moments, mount again, and ask whether what is there was ever so (contract 1).
 *
 *   crash [--rounds N] [--seed S] [--commit SECONDS] [--slack SECONDS] [--pace PERCENT] VAULTFS VAULT MOUNTPOINT
 *   crash --points [--checker VAULTFS] [the same]	at every point of a command that has kill points
 *   crash --self-test DIRECTORY		the checker alone, on any filesystem: it must see what is broken on purpose
 *
 * The vault must exist and be mounted nowhere; whoever calls this unmounts what a failure leaves behind. */
#include "crash_run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fail(const struct run *run, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "FAIL  crash (--seed %ju): ", (uintmax_t)run->options.seed);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

/* ---- rounds ---- */

/* The kernel asks for copies first in a newer way. Where two answers meet that libfuse does not know it, the kernel (seen
 * with 6.18) takes it for one that copies are not known at all, and from then on copies by reading and writing: no longer one
 * request, as the log needs them. So nobody else copies while the first of a mount does. Where it fails the daemon is gone,
 * which the writers will find. */
static void copy_first(const struct run *run)
{
	char path[4200];
	off_t from = 0, to = BLOCK_SIZE;
	int fd;

	if (!run->options.mount_point) /* the self-test's plain directory */
		return;
	snprintf(path, sizeof path, "%s/first copy", run->options.mount_point);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (pwrite(fd, "", 1, 0) == 1)
		(void)!copy_file_range(fd, &from, fd, &to, 1, 0);
	close(fd);
}

void start_writers(struct run *run)
{
	copy_first(run);
	run->stop = false;
	for (unsigned i = 0; i < N_WRITERS; i++) {
		run->writers[i].stop = &run->stop;
		if (pthread_create(&run->threads[i], NULL, writer_run, &run->writers[i]) != 0)
			fail(run, "no thread");
	}
}

void join_writers(struct run *run, unsigned round)
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

void check(struct run *run, unsigned round, double earliest)
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
	double end;

	start_writers(run);
	let_run(run, 200, 500);
	__atomic_store_n(&run->stop, true, __ATOMIC_RELEASE);
	join_writers(run, run->options.rounds);
	end = crash_now();
	if (umount_vault(run) != 0)
		fail(run, "the vault does not unmount");
	mount_vault(run, run->options.rounds);
	check(run, run->options.rounds, end);
	if (umount_vault(run) != 0)
		fail(run, "the vault does not unmount");
}

void init_writers(struct run *run, const char *top)
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

static int parse_options(struct run *run, int argc, char **argv, const char **ret_self_test)
{
	struct options *o = &run->options;
	int i = 1;

	if (i < argc && strcmp(argv[i], "--points") == 0) {
		o->points = true;
		i++;
	}
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
		else if (strcmp(argv[i], "--checker") == 0)
			o->checker = argv[i + 1];
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
				"VAULTFS VAULT MOUNTPOINT\n       crash --points [--checker VAULTFS] ...\n"
				"       crash --self-test DIRECTORY\n");
		return 2;
	}
	if (run.options.seed == 0)
		run.options.seed = (uint64_t)(fmod(crash_now(), 1000) * 1e6) + 1;
	printf("seed %ju\n", (uintmax_t)run.options.seed);
	run.random.state = run.options.seed;
	if (self_test_directory)
		self_test(&run, self_test_directory);
	else if (run.options.points)
		kill_points_test(&run);
	else
		crash_test(&run);
	for (unsigned i = 0; i < N_WRITERS; i++)
		writer_release(&run.writers[i]);
	return 0;
}
