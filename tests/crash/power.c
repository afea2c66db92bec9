/* power.c - record a load on a vault, cut the power at many of its writes, and look at what is left. See power.h.
 *
 *   power --work DIRECTORY [--states N] [--seed S] [--calls N] [--jobs N] [--keep DIRECTORY] [--self-test]
 *   power --work DIRECTORY --mount POINT --disk DIRECTORY --log FILE --end COMMAND [...] [--export N]
 *
 * The first drives the store's library; the second the mount POINT of test.vault in the directory --disk, whose daemon
 * writes the log FILE, till COMMAND has ended it. --export: leave N of the disks in --work, for others to open.
 * Prints its seed first and figures last; 1 when a promise was broken. --keep: leave the disks that broke one there, and the log;
 * on the file system of --work.
 * The load runs beside the vault's own threads, so that one seed does not give the same log twice; what follows from a
 * log does follow from the seed. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auto.h"
#include "background.h"
#include "power.h"
#include "power_plan.h"
#include "vault_internal.h"

#define JOBS_MOST 8u
#define STATE_SECONDS 120u /* a state that takes longer hangs */
#define FAILURES_SHOWN 10u

struct options {
	unsigned states, calls, jobs;
	uint64_t seed;
	const char *work, *keep;
	const char *mount, *disk, *log, *end; /* mount NULL: the library */
	unsigned exports;
	bool self_test;
};

/* What the workers tell, in memory that they share. */
struct tally {
	struct job {
		_Atomic unsigned n_states, n_wrong, n_none, n_oldest, n_newest;
		char now[512]; /* the state in work */
	} jobs[JOBS_MOST];
	_Atomic unsigned n_shown;
};

/* ---- the recorded load ---- */

static void must(int r, const char *what)
{
	if (r < 0)
		disk_die("%s: %s", what, strerror(-r));
}

/* Packs that were there once, and are not now. */
static uint64_t packs_gone(struct vault *vault)
{
	struct vault_stats now;

	must(vault_stats(vault, &now), "stats");
	return packs_last(vault->packs) - now.n_packs;
}

/* Write and remove until the vault's own threads have taken a picture and unlinked packs; calls go on meanwhile. */
static void churn(struct vault *vault, struct load *load)
{
	uint64_t gone = packs_gone(vault);
	time_t start = time(NULL);
	unsigned n_rounds = 0;

	load_churn(load, 6);
	while (packs_gone(vault) <= gone) {
		if (time(NULL) - start > 120)
			disk_die("the load: no pack goes within two minutes");
		load_run(load, 4);
		must(vault_sync(vault), "sync");
		(void)usleep(50000);
		if (++n_rounds % 10 == 0)
			load_churn(load, 1);
	}
}

static void run_session(const char *path, struct vault_driver_context *c, struct load **load,
			struct story *story, unsigned n, uint64_t seed)
{
	const struct vault_open_options options = { .commit_seconds = 1 };

	must(vault_open(path, &options, &c->vault), "opening");
	if (!*load) {
		*load = load_new(&vault_driver, c, story, seed);
		story_promise(story); /* creating it did */
	}
	load_run(*load, n);
	must(background_checkpoint(c->vault), "checkpoint");
	load_run(*load, n);
	churn(c->vault, *load);
	load_run(*load, n);
	load_verify(*load, c->vault);
	vault_driver_release(c);
	must(vault_close(c->vault), "closing");
	story_promise(story);
}

/* A vault's life, from its creation on: three sessions, and a database built anew. */
static void record_load(const char *root, const char *log, const struct options *options, struct story *story)
{
	const struct vault_create_options create = { .chunk_average = 16384, .pack_size = 1 << 20 };
	struct vault_driver_context context = { .vault = NULL };
	AUTO(free) char *path = disk_path(root, "test.vault");
	struct load *load = NULL;

	must(interpose_start(&interpose_record, root, log), "recording");
	must(vault_create(path, &create), "creating");
	for (unsigned i = 0; i < 3; i++) {
		run_session(path, &context, &load, story, options->calls / 9, options->seed);
		if (i == 1)
			must(vault_rebuild(path, 0), "rebuilding");
	}
	interpose_stop();
	load_free(load);
}

/* The same life of a mounted vault, whose daemon writes the log. */
static void record_mount(const struct options *options, struct story *story)
{
	struct mount_driver_context c = { .mount_point = options->mount };
	struct load *load;
	int status;

	c.mount_fd = open(options->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(c.mount_fd < 0 ? -errno : interpose_mark_in(options->log), options->log);
	load = load_new(&mount_driver, &c, story, options->seed);
	load_run(load, options->calls / 2);
	load_churn(load, 5);
	load_run(load, options->calls / 2);
	mount_driver_release(&c);
	(void)close(c.mount_fd); /* a directory */
	status = system(options->end);
	if (status != 0)
		disk_die("%s: status %d", options->end, status);
	story_promise(story); /* it ended in order */
	must(interpose_mark_in(NULL), options->log);
	load_free(load);
}

/* ---- states ---- */

static void keep_state(const struct options *options, const struct disk *disk,
		       const struct disk_choice *choice, unsigned n)
{
	AUTO(free) char *path = NULL;
	char name[32];

	if (!options->keep)
		return;
	(void)snprintf(name, sizeof(name), "state-%u", n);
	path = disk_path(options->keep, name);
	disk_write_out(disk, choice, path);
	(void)printf("kept in %s\n", path);
}

static void try_cut(const struct options *options, const struct plan *plan, const struct disk *disk,
		    const struct cut *cut, const char *work, struct tally *tally, struct job *job)
{
	const struct expectation expected = story_expect(plan->story, plan->log, cut->at);
	AUTO(free) char *path = disk_path(work, "disk");
	AUTO(free) char *vault = disk_path(path, "test.vault");
	char message[STATE_MESSAGE], choice[200];
	int64_t moment = -1;
	bool good;

	disk_describe(&cut->choice, choice, sizeof(choice));
	(void)snprintf(job->now, sizeof(job->now), "%s %u at %zu of %zu, %s: %s",
		       cut->killed ? "kill" : "cut", cut->number, cut->at, plan->log->n, plan_kind(cut->kind),
		       choice);
	disk_write_out(disk, &cut->choice, path);
	(void)alarm(STATE_SECONDS);
	good = state_check(vault, &expected, cut->again, cut->killed ? disk : NULL, work, cut->choice.seed,
			   &moment, message);
	(void)alarm(0);
	remove_tree(path);
	job->n_states += 1 + cut->again;
	job->n_none += moment < 0;
	job->n_oldest += good && moment >= 0 && moment == expected.first;
	job->n_newest += good && moment >= 0 && moment == expected.last;
	if (good)
		return;
	job->n_wrong++;
	if (tally->n_shown++ >= FAILURES_SHOWN || options->self_test)
		return;
	(void)printf("WRONG %s\n  promised %" PRId64 ", begun %" PRId64 "\n  %s\n", job->now, expected.first,
		     expected.last, message);
	plan_show(plan, cut->at);
	keep_state(options, disk, &cut->choice, cut->number);
	(void)fflush(stdout);
}

static void work_off(const struct options *options, const struct plan *plan, unsigned index,
		     struct tally *tally)
{
	struct disk *disk = disk_new(plan->log, plan->ignored);
	AUTO(free) char *work = NULL;
	char name[16];

	(void)snprintf(name, sizeof(name), "%u", index);
	work = disk_path(options->work, name);
	if (mkdir(work, 0700) < 0)
		disk_die("%s: %s", work, strerror(errno));
	for (size_t i = index; i < plan->n; i += options->jobs) {
		disk_advance(disk, plan->cuts[i].at);
		try_cut(options, plan, disk, &plan->cuts[i], work, tally, &tally->jobs[index]);
	}
	disk_free(disk);
	remove_tree(work);
}

/* All cuts of a plan, by several processes. Returns how many states broke a promise. */
static unsigned run_plan(const struct options *options, const struct plan *plan, struct tally *ret_tally)
{
	struct tally *tally =
		mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[JOBS_MOST];
	unsigned wrong = 0;

	if (tally == MAP_FAILED)
		disk_die("no memory");
	(void)fflush(NULL);
	for (unsigned i = 0; i < options->jobs; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			disk_die("fork: %s", strerror(errno));
		if (pids[i] == 0) {
			work_off(options, plan, i, tally);
			exit(0);
		}
	}
	for (unsigned i = 0; i < options->jobs; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) < 0)
			disk_die("waitpid: %s", strerror(errno));
		if (status != 0) {
			(void)printf("WRONG process %u ended with status %x at %s\n", i, (unsigned)status,
				     tally->jobs[i].now);
			wrong++;
		}
		wrong += tally->jobs[i].n_wrong;
	}
	*ret_tally = *tally;
	(void)munmap(tally, sizeof(*tally));
	return wrong;
}

static void print_figures(const struct options *options, const struct plan *plan, const struct tally *tally,
			  unsigned wrong)
{
	struct job sum = { .n_states = 0 };

	for (unsigned i = 0; i < options->jobs; i++) {
		sum.n_states += tally->jobs[i].n_states;
		sum.n_none += tally->jobs[i].n_none;
		sum.n_oldest += tally->jobs[i].n_oldest;
		sum.n_newest += tally->jobs[i].n_newest;
	}
	(void)printf(
		"%u states, %u wrong; %u showed the moment promised last, %u the one begun last, %u no vault yet\n",
		sum.n_states, wrong, sum.n_oldest, sum.n_newest, sum.n_none);
	plan_print(plan);
}

/* Some of the plan's disks, as they were before anybody opened them. */
static void export_states(const struct options *options, const struct plan *plan)
{
	struct disk *disk = disk_new(plan->log, NULL);
	size_t from = 0;

	for (unsigned i = 0; i < options->exports && from < plan->n; i++) {
		AUTO(free) char *path = NULL;
		char name[32];

		disk_advance(disk, plan->cuts[from].at);
		(void)snprintf(name, sizeof(name), "export-%u", i);
		path = disk_path(options->work, name);
		disk_write_out(disk, &plan->cuts[from].choice, path);
		from += plan->n / options->exports;
	}
	disk_free(disk);
}

/* ---- the checker itself ---- */

/* A disk or a program that forgets flushes: each kind of it must be noticed. */
static unsigned self_test(const struct options *options, const struct story *story,
			  const struct disk_log *log)
{
	unsigned missed = 0;

	for (unsigned kind = 0; kind < plan_n_lies; kind++) {
		struct plan plan = plan_lie(story, log, kind, options->states, options->seed);
		struct tally tally;
		unsigned wrong = run_plan(options, &plan, &tally);

		(void)printf("%-44s %4zu cuts, %u found wrong\n", plan_lie_name(kind), plan.n, wrong);
		(void)fflush(stdout);
		missed += wrong == 0;
		plan_release(&plan);
	}
	return missed;
}

/* ---- main ---- */

/* The log goes, or to the states that were kept. */
static void end_log(const struct options *options, bool is_wanted)
{
	AUTO(free) char *path = disk_path(options->work, "log");
	AUTO(free) char *kept = options->keep && is_wanted ? disk_path(options->keep, "log") : NULL;

	if (!kept || rename(path, kept) < 0)
		(void)remove(path); /* of a mount: it is not there */
}

static struct options parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "states", 1, NULL, 's' }, { "seed", 1, NULL, 'r' },   { "calls", 1, NULL, 'c' },
		{ "jobs", 1, NULL, 'j' },   { "work", 1, NULL, 'w' },   { "keep", 1, NULL, 'k' },
		{ "disk", 1, NULL, 'd' },   { "mount", 1, NULL, 'm' },  { "log", 1, NULL, 'l' },
		{ "end", 1, NULL, 'e' },    { "export", 1, NULL, 'x' }, { "self-test", 0, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .states = 2000, .calls = 1800, .jobs = 2 };
	unsigned *numbers[] = { ['s'] = &o.states, ['c'] = &o.calls, ['j'] = &o.jobs, ['x'] = &o.exports };
	const char **texts[] = { ['w'] = &o.work,  ['k'] = &o.keep, ['d'] = &o.disk,
				 ['m'] = &o.mount, ['l'] = &o.log,  ['e'] = &o.end };
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 't')
			o.self_test = true;
		else if (c == 'r')
			o.seed = strtoull(optarg, NULL, 10);
		else if (c == 's' || c == 'c' || c == 'j' || c == 'x')
			*numbers[c] = (unsigned)strtoul(optarg, NULL, 10);
		else if (c != '?')
			*texts[c] = optarg;
		else
			exit(2);
	}
	if (o.jobs == 0 || o.jobs > JOBS_MOST || !o.work || (o.mount && (!o.log || !o.end || !o.disk)))
		disk_die("power: wrong arguments; the head of power.c says which there are");
	if (o.seed == 0)
		o.seed = (uint64_t)time(NULL) ^ ((uint64_t)getpid() << 32);
	return o;
}

/* The log of one load, whole. */
static void record(const struct options *options, struct story *story, struct disk_log *ret_log)
{
	AUTO(free) char *root = disk_path(options->work, "recorded");
	AUTO(free) char *log = disk_path(options->work, "log");
	struct disk *disk;

	if (options->mount) {
		record_mount(options, story);
	} else {
		if (mkdir(root, 0700) < 0)
			disk_die("%s: %s", root, strerror(errno));
		record_load(root, log, options, story);
	}
	disk_log_read(options->mount ? options->log : log, ret_log);
	disk = disk_new(ret_log, NULL);
	disk_advance(disk, ret_log->n);
	disk_compare(disk,
		     options->mount ? options->disk : root); /* whatever was changed stands in the log */
	disk_free(disk);
	if (!options->mount)
		remove_tree(root);
}

static unsigned cut_the_power(const struct options *options, const struct story *story,
			      const struct disk_log *log)
{
	struct plan plan = plan_make(story, log, options->states, options->seed);
	struct tally tally;
	unsigned wrong = run_plan(options, &plan, &tally);

	print_figures(options, &plan, &tally, wrong);
	export_states(options, &plan);
	plan_release(&plan);
	return wrong;
}

int main(int argc, char **argv)
{
	struct options options = parse(argc, argv);
	struct story story = { .flags = options.mount ? 0 : TREE_BIRTH, .kept = options.mount ? 0 : -1 };
	struct disk_log log;
	unsigned wrong;

	(void)printf("seed %" PRIu64 "\n", options.seed);
	(void)fflush(stdout);
	record(&options, &story, &log);
	wrong = options.self_test ? self_test(&options, &story, &log) : cut_the_power(&options, &story, &log);
	disk_log_release(&log);
	end_log(&options, wrong > 0);
	story_release(&story);
	return wrong > 0;
}
