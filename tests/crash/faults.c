/* faults.c - fail each system call that a vault makes, one after the other, and ask each time what is left.
 *
 *   faults [--seed S] [--most N] [--sweep NAME [--at N]]	N runs of a sweep at the most; one sweep; one run of it, with its log
 *
 * Each run is a process of its own on a copy of a vault: it meets the fault, and another one judges what it finds then. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library.h"
#include "log.h"

enum {
	RUN_SECONDS = 60,	/* what takes longer hangs */
	RUN_CHANGES = 70,
	LONG_CHANGES = 1500,	/* packs are sealed, begun and unlinked */
	FAILURES_MOST = 5,	/* of a sweep, then it is enough */
};

#define SHM_LEAST (1ull << 30)	/* bytes free there; less than that changes what a vault does */

/* A vault as the runs find it, and what it may hold. */
struct template {
	const char *name;
	struct load load;
	struct notes notes;
};

struct run {
	char directory[PATH_MAX];	/* of all that follows */
	char vault[PATH_MAX + 16];	/* of a run */
	struct template clean, crashed, behind;
	struct notes *notes;		/* shared with the run */
	uint64_t seed;
	unsigned most;
	const char *only;
	unsigned long at;
	unsigned n_runs, n_failures;
};

struct sweep {
	const char *name;
	void (*scenario)(struct run *run, const struct fault_plan *plan);
	const struct template *(*template)(const struct run *run);
	struct fault_plan plan;		/* all but `at` */
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "faults: %s: %s\n", what, strerror(errno));
	exit(2);
}

static unsigned n_lines; /* of this process's log */

static void count_line(enum log_level level, const char *line, void *context)
{
	(void)level;
	(void)line;
	(void)context;
	n_lines++;
}

/* ---- files ---- */

static void command(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void command(const char *format, ...)
{
	char line[3 * PATH_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (system(line) != 0)
		die(line);
}

static void copy_vault(const struct run *run, const char *from, const char *to)
{
	command("rm -rf '%s/%s' && cp -a '%s/%s' '%s/%s' && rm -f '%s/%s/reserve'", run->directory, to, run->directory, from,
		run->directory, to, run->directory, to);
}

static void make_directory(struct run *run)
{
	const char *tmp = getenv("TMPDIR");
	struct statvfs shm;
	char path[PATH_MAX];

	if (statvfs("/dev/shm", &shm) == 0 && shm.f_bavail * shm.f_frsize > SHM_LEAST)
		tmp = "/dev/shm"; /* a flush costs nothing there */
	(void)snprintf(path, sizeof(path), "%s/vaultfs-faults-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(path) || !realpath(path, run->directory))
		die(path);
	(void)snprintf(run->vault, sizeof(run->vault), "%s/run.vault", run->directory);
}

/* ---- templates ---- */

static void template_path(const struct run *run, const char *name, char ret[PATH_MAX + 16])
{
	(void)snprintf(ret, PATH_MAX + 16, "%s/%.12s", run->directory, name);
}

static void must(bool holds, const char *what)
{
	if (!holds)
		die(what);
}

/* Nothing fails here yet. */
static void prepare(struct run *run)
{
	const struct vault_create_options options = { .chunk_average = 16 << 10, .pack_size = 1 << 20 };
	struct load *load = &run->clean.load;
	char path[PATH_MAX + 16];

	load->notes = &run->clean.notes;
	load->random.state = run->seed;
	template_path(run, "clean", path);
	must(vault_create(path, &options) == 0 && load_open(load, path) == 0, "a new vault");
	load_note(load);
	load_run(load, RUN_CHANGES);
	must(!load->notes->wrong && load_close(load) == 0, load->notes->message);
	copy_vault(run, "clean", "work");

	/* What a kill leaves: the files as they are while it is open. */
	run->crashed.load = *load;
	run->crashed.load.notes = &run->crashed.notes;
	run->crashed.notes.n = 0;
	load = &run->crashed.load;
	template_path(run, "work", path);
	must(load_open(load, path) == 0, "opening it");
	load_note(load);
	load_run(load, RUN_CHANGES);
	must(load_sync(load), "a sync");
	load_run(load, 12);
	must(!load->notes->wrong, load->notes->message);
	copy_vault(run, "work", "crashed");
	must(load_close(load) == 0, "closing it");

	/* The same with the database of the time before: all its commits are replayed, and a torn end is cut off. */
	run->behind = run->crashed;
	run->behind.load.notes = &run->behind.notes;
	copy_vault(run, "crashed", "behind");
	command("cd '%s' && rm -f behind/vault.db* && cp -a clean/vault.db behind/ && "
		"head -c 5000 /dev/urandom >>behind/packs/$(ls behind/packs | tail -n 1)", run->directory);
	run->clean.name = "clean";
	run->crashed.name = "crashed";
	run->behind.name = "behind";
}

static const struct template *use_clean(const struct run *run)
{
	return &run->clean;
}

static const struct template *use_crashed(const struct run *run)
{
	return &run->crashed;
}

static const struct template *use_behind(const struct run *run)
{
	return &run->behind;
}

/* ---- scenarios: the process that meets the fault ---- */

static bool on_packs(const char *path)
{
	return strstr(path, "/packs") != NULL;
}

/* What must hold at the end, when nothing fails any more. */
static void judge_end(struct load *load, const struct fault_plan *plan)
{
	struct notes *notes = load->notes;
	/* A flush that failed is for good, and so is a database that cannot take what the packs have: nothing is lost. */
	bool lasting = notes->first_kind == FAULT_SYNC ||
		       (!on_packs(notes->first_path) && (plan->error != ENOSPC || plan->times != 1)) ||
		       (notes->first_kind == FAULT_READ && plan->times != 1);

	notes->synced_at_end = load_sync(load) || load_sync(load);
	if (!notes->synced_at_end && !lasting)
		wrong(notes, "it does not go on when the disk is well again");
	if (!notes->synced_at_end && !vault_is_read_only(load->vault))
		wrong(notes, "it neither goes on nor says that it is read-only");
	if (load->no_more_syncs && !vault_is_read_only(load->vault))
		wrong(notes, "not read-only after a failed flush");
	if (plan->error == 0 && notes->n_errors > 0)
		wrong(notes, "a short write comes out as an error");
	load_compare(load, !notes->synced_at_end);
}

static void remember_faults(struct notes *notes)
{
	fault_disarm();
	notes->n_counted = fault_counted();
	notes->n_failed = fault_failed();
	notes->first_kind = fault_first(notes->first_path, sizeof(notes->first_path));
}

static void run_changes(struct run *run, const struct fault_plan *plan, unsigned n_changes)
{
	struct load *load = &run->clean.load;
	int r;

	load->notes = run->notes;
	load->error = plan->error;
	r = load_open(load, run->vault);
	if (r < 0) {
		wrong(run->notes, "opening fails with %s", strerrorname_np(-r));
		return;
	}
	fault_arm(plan);
	load_run(load, n_changes);
	remember_faults(run->notes);
	judge_end(load, plan);
	if (plan->at % 2)
		return; /* an end without closing */
	r = load_close(load);
	if (r < 0 && run->notes->synced_at_end)
		wrong(run->notes, "closing fails with %s after a sync that succeeded", strerrorname_np(-r));
}

static void run_load(struct run *run, const struct fault_plan *plan)
{
	run_changes(run, plan, RUN_CHANGES);
}

static void run_long_load(struct run *run, const struct fault_plan *plan)
{
	run_changes(run, plan, LONG_CHANGES);
}

/* Whatever becomes of search.db, all else goes on, and the next opening makes it good. */
static void run_search(struct run *run, const struct fault_plan *plan)
{
	struct load *load = &run->clean.load;
	struct vault *vault = NULL;

	load->follows = true;
	run_changes(run, plan, RUN_CHANGES);
	if (!run->notes->synced_at_end)
		wrong(run->notes, "an error in search.db ends the writing");
	if (load->vault)
		return; /* an end without closing */
	if (vault_open(run->vault, NULL, &vault) < 0 || vault_search_sync(vault) < 0 || vault_close(vault) < 0)
		wrong(run->notes, "search.db is not made good by opening the vault again");
}

static void open_and_go_on(struct run *run, struct load *load, const struct fault_plan *plan)
{
	int r;

	load->notes = run->notes;
	load->error = plan->error;
	fault_arm(plan);
	r = load_open(load, run->vault);
	if (r < 0 && fault_failed() == 0)
		wrong(run->notes, "opening fails with %s", strerrorname_np(-r));
	if (r == 0)
		r = load_close(load);
	if (r < 0)
		run->notes->n_errors++;
	remember_faults(run->notes);
	if (plan->error == 0 && run->notes->n_errors > 0)
		wrong(run->notes, "a short write comes out as an error");
}

static void run_open_crashed(struct run *run, const struct fault_plan *plan)
{
	open_and_go_on(run, &run->crashed.load, plan);
}

static void run_open_behind(struct run *run, const struct fault_plan *plan)
{
	open_and_go_on(run, &run->behind.load, plan);
}

static void run_rebuild(struct run *run, const struct fault_plan *plan)
{
	int r;

	fault_arm(plan);
	r = vault_rebuild(run->vault, 0);
	remember_faults(run->notes);
	run->notes->n_errors += r < 0;
	if (r < 0 && (run->notes->n_failed == 0 || plan->error == 0))
		wrong(run->notes, "rebuild fails with %s", strerrorname_np(-r));
	if (faccessat(AT_FDCWD, run->vault, F_OK, 0) < 0)
		wrong(run->notes, "the vault is gone");
}

/* ---- a writer that does not stop ---- */

/* More than may be undrained: the writer is told of the failure, and does not wait for ever. What was taken comes out. */
static void run_flood(struct run *run, const struct fault_plan *plan)
{
	enum { SIZE = 1 << 20, MOST = 48, MORE = 64, /* once something has failed, until it must be told */
	       LINES_MOST = 20 };
	struct vault_attr wanted = { .mode = S_IFREG | 0644 }, made;
	struct load *load = &run->clean.load;
	struct vault_file *file = NULL;
	uint32_t *words = malloc(SIZE);
	uint64_t size = 0;
	int r = load_open(load, run->vault);

	must(r == 0 && words, "opening it");
	vault_change_begin(load->vault, 0);
	r = vault_make(load->vault, VAULT_ROOT_ID, "flood", &wanted, NULL, &made);
	vault_change_end(load->vault);
	must(r == 0 && vault_file_open(load->vault, made.id, &file) == 0, "a file");
	fault_arm(plan);
	while (r == 0 && size < (uint64_t)(fault_failed() ? MOST + MORE : MOST) * SIZE) {
		for (size_t i = 0; i < SIZE / sizeof(*words); i++)
			words[i] = (uint32_t)((size + i) * 2654435761u);
		vault_change_begin(load->vault, SIZE);
		r = vault_write(file, size, words, SIZE, 0);
		vault_change_end(load->vault);
		size += r == 0 ? SIZE : 0;
	}
	remember_faults(run->notes);
	if (run->notes->n_failed > 0 && r != -plan->error)
		wrong(run->notes, "the writer is told %s", r < 0 ? strerrorname_np(-r) : "nothing");
	if (n_lines > LINES_MOST)
		wrong(run->notes, "the log has %u lines of it", n_lines);
	if (vault_sync(load->vault) < 0 && vault_sync(load->vault) < 0)
		wrong(run->notes, "it does not go on when the disk is well again");
	if (vault_getattr(load->vault, made.id, &made) < 0 || made.size != size)
		wrong(run->notes, "not all that was taken is there");
	free(words);
	vault_file_close(file);
	(void)load_close(load); /* the judge looks */
}

/* ---- judging ---- */

static unsigned find_note(const struct notes *notes, const uint64_t found[N_FILES])
{
	for (unsigned k = notes->n; k-- > notes->promised;)
		if (memcmp(notes->files[k], found, sizeof(notes->files[k])) == 0)
			return k;
	return UINT_MAX;
}

static int make_one_more(struct vault *vault)
{
	struct vault_attr wanted = { .mode = S_IFREG | 0644 }, made;
	int r;

	vault_change_begin(vault, 0);
	r = vault_make(vault, VAULT_ROOT_ID, "one more", &wanted, NULL, &made);
	vault_change_end(vault);
	return r == 0 ? vault_sync(vault) : r;
}

static void note_finding(void *context, const struct vault_finding *finding)
{
	wrong(context, "check finds: %s", finding->text);
}

static void check_it(struct run *run)
{
	const struct vault_check_options options = { .found = note_finding, .context = run->notes };
	struct vault_check_counts counts;
	int r = vault_check(run->vault, &options, &counts);

	if (r < 0)
		wrong(run->notes, "check fails with %s", strerrorname_np(-r));
}

/* Opened anew it is as it was at one of the noted moments, and goes on. */
static void judge(struct run *run, const struct fault_plan *plan)
{
	struct notes *notes = run->notes;
	uint64_t found[N_FILES];
	struct vault *vault = NULL;
	int r = vault_open(run->vault, NULL, &vault);

	(void)plan;
	if (r < 0) {
		wrong(notes, "opening it anew fails with %s", strerrorname_np(-r));
		return;
	}
	if (vault_is_read_only(vault))
		wrong(notes, "opened anew it is read-only");
	else if (!load_look(vault, found))
		wrong(notes, "opened anew it cannot be read");
	else if (find_note(notes, found) == UINT_MAX)
		wrong(notes, "opened anew it is as at no moment from note %u to %u", notes->promised, notes->n - 1);
	else if ((r = make_one_more(vault)) < 0)
		wrong(notes, "opened anew it does not go on: %s", strerrorname_np(-r));
	r = vault_close(vault);
	if (r < 0)
		wrong(notes, "closing it fails with %s", strerrorname_np(-r));
	check_it(run);
}

/* ---- creating ---- */

/* No vault was there before: there is a whole one then, or one can be made. */
static void run_create(struct run *run, const struct fault_plan *plan)
{
	struct vault *vault = NULL;
	struct stat st;
	int r;

	fault_arm(plan);
	r = vault_create(run->vault, NULL);
	remember_faults(run->notes);
	run->notes->n_errors += r < 0;
	if (r < 0 && (run->notes->n_failed == 0 || plan->error == 0))
		wrong(run->notes, "create fails with %s", strerrorname_np(-r));
	if (r < 0 && stat(run->vault, &st) == 0 && !(plan->kinds & FAULT_NAME))
		wrong(run->notes, "a failed create leaves something behind");
	if (r < 0 && plan->times == 1 && !(plan->kinds & FAULT_NAME))
		r = vault_create(run->vault, NULL);
	if (r == 0)
		r = vault_open(run->vault, NULL, &vault);
	if (r == 0)
		r = make_one_more(vault);
	if (vault)
		(void)vault_close(vault);
	if (r < 0 && plan->times == 1 && !(plan->kinds & FAULT_NAME))
		wrong(run->notes, "then it cannot be made or used: %s", strerrorname_np(-r));
}

/* ---- one run ---- */

static bool in_process(struct run *run, void (*scenario)(struct run *run, const struct fault_plan *plan),
		       const struct fault_plan *plan)
{
	struct pollfd end = { .events = POLLIN };
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (run->at == 0)
			log_set_sink(count_line, NULL, LOG_LEVEL_ERROR);
		scenario(run, plan);
		_exit(0);
	}
	end.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (end.fd < 0)
		die("pidfd_open");
	if (poll(&end, 1, RUN_SECONDS * 1000) != 1) {
		wrong(run->notes, "it hangs");
		(void)kill(pid, SIGKILL);
	}
	close(end.fd);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (status != 0)
		wrong(run->notes, "it ends with status 0x%x", (unsigned)status);
	return !run->notes->wrong;
}

/* Note 0 is what the template holds; a crashed one has notes of its own. */
static void begin_notes(struct run *run, const struct template *template)
{
	memset(run->notes, 0, sizeof(*run->notes));
	if (!template)
		return;
	if (strcmp(template->name, "clean") != 0) {
		*run->notes = template->notes;
		return;
	}
	run->notes->n = 1;
	memcpy(run->notes->files[0], template->notes.files[template->notes.n - 1], sizeof(run->notes->files[0]));
}

static bool run_once(struct run *run, const struct sweep *sweep, unsigned long at)
{
	const struct template *template = sweep->template ? sweep->template(run) : NULL;
	struct fault_plan plan = sweep->plan;
	bool good;

	plan.at = at;
	begin_notes(run, template);
	if (template)
		copy_vault(run, template->name, "run.vault");
	else
		command("rm -rf '%s'", run->vault);
	good = in_process(run, sweep->scenario, &plan);
	if (good && template)
		good = in_process(run, judge, &plan);
	run->n_runs++;
	if (good)
		return true;
	fprintf(stderr, "FAIL  faults --seed %ju --sweep %s --at %lu: %s; %lu of %lu calls failed, the first one of kind %u on %s\n",
		(uintmax_t)run->seed, sweep->name, at, run->notes->message, run->notes->n_failed, run->notes->n_counted,
		run->notes->first_kind, run->notes->first_path);
	run->n_failures++;
	return false;
}

/* ---- sweeps ---- */

static const struct sweep sweeps[] = {
	{ "write-eio", run_load, use_clean, { .kinds = FAULT_WRITE, .times = 1, .error = EIO } },
	{ "write-eio-half", run_load, use_clean, { .kinds = FAULT_WRITE, .times = 1, .error = EIO, .half = true } },
	{ "write-eio-on", run_load, use_clean, { .kinds = FAULT_WRITE, .error = EIO } },
	{ "write-short", run_load, use_clean, { .kinds = FAULT_WRITE, .half = true } },
	{ "write-full", run_load, use_clean, { .kinds = FAULT_WRITE, .times = 1, .error = ENOSPC, .half = true } },
	{ "write-full-on", run_load, use_clean, { .kinds = FAULT_WRITE | FAULT_SPACE, .error = ENOSPC, .half = true } },
	{ "write-quota", run_load, use_clean, { .kinds = FAULT_WRITE | FAULT_SPACE, .times = 3, .error = EDQUOT } },
	{ "write-limit", run_load, use_clean, { .kinds = FAULT_WRITE, .times = 1, .error = EFBIG } },
	{ "sync-eio", run_load, use_clean, { .kinds = FAULT_SYNC, .times = 1, .error = EIO } },
	{ "sync-eio-on", run_load, use_clean, { .kinds = FAULT_SYNC, .error = EIO } },
	{ "sync-full", run_load, use_clean, { .kinds = FAULT_SYNC, .times = 1, .error = ENOSPC } },
	{ "space-eio", run_load, use_clean, { .kinds = FAULT_SPACE | FAULT_CUT, .times = 1, .error = EIO } },
	{ "space-eio-on", run_load, use_clean, { .kinds = FAULT_SPACE | FAULT_CUT, .error = EIO } },
	{ "name-eio", run_long_load, use_clean, { .kinds = FAULT_NAME, .times = 1, .error = EIO } },
	{ "name-full", run_long_load, use_clean, { .kinds = FAULT_NAME, .times = 2, .error = ENOSPC } },
	{ "open-eio", run_long_load, use_clean, { .kinds = FAULT_OPEN | FAULT_MAP, .times = 1, .error = EIO } },
	{ "read-eio", run_load, use_clean, { .kinds = FAULT_READ, .times = 1, .error = EIO } },
	{ "read-eio-on", run_load, use_clean, { .kinds = FAULT_READ, .error = EIO } },
	{ "read-gone", run_load, use_clean, { .kinds = FAULT_READ, .times = 1, .error = ENODEV } },
	{ "changes-eio-on", run_load, use_clean, { .kinds = FAULT_CHANGES, .error = EIO } },
	{ "search-eio", run_search, use_clean, { .kinds = FAULT_ALL, .file = "search.db", .times = 1, .error = EIO } },
	{ "search-eio-on", run_search, use_clean, { .kinds = FAULT_ALL, .file = "search.db", .error = EIO } },
	{ "search-full", run_search, use_clean, { .kinds = FAULT_CHANGES, .file = "search.db", .error = ENOSPC, .half = true } },
	{ "flood-eio", run_flood, use_clean, { .kinds = FAULT_WRITE, .file = "/packs/", .error = EIO } },
	{ "recover-eio", run_open_crashed, use_crashed, { .kinds = FAULT_ALL, .times = 1, .error = EIO } },
	{ "recover-eio-on", run_open_crashed, use_crashed, { .kinds = FAULT_CHANGES, .error = EIO } },
	{ "recover-full", run_open_crashed, use_crashed, { .kinds = FAULT_WRITE | FAULT_SPACE | FAULT_NAME, .error = ENOSPC } },
	{ "replay-eio", run_open_behind, use_behind, { .kinds = FAULT_ALL, .times = 1, .error = EIO } },
	{ "replay-read-eio", run_open_behind, use_behind,
	  { .kinds = FAULT_READ, .file = "/packs/", .times = 1, .error = EIO } },
	{ "replay-eio-on", run_open_behind, use_behind, { .kinds = FAULT_CHANGES, .error = EIO } },
	{ "replay-full", run_open_behind, use_behind, { .kinds = FAULT_WRITE | FAULT_SPACE | FAULT_NAME, .error = ENOSPC } },
	{ "replay-short", run_open_behind, use_behind, { .kinds = FAULT_WRITE, .half = true } },
	{ "rebuild-eio", run_rebuild, use_crashed, { .kinds = FAULT_ALL, .times = 1, .error = EIO } },
	{ "rebuild-eio-on", run_rebuild, use_crashed, { .kinds = FAULT_CHANGES, .error = EIO } },
	{ "rebuild-full", run_rebuild, use_crashed, { .kinds = FAULT_WRITE | FAULT_SPACE | FAULT_NAME, .error = ENOSPC } },
	{ "create-eio", run_create, NULL, { .kinds = FAULT_ALL & ~(unsigned)FAULT_NAME, .times = 1, .error = EIO } },
	{ "create-eio-on", run_create, NULL, { .kinds = FAULT_CHANGES, .error = EIO } },
	{ "create-full", run_create, NULL, { .kinds = FAULT_WRITE | FAULT_SPACE, .times = 1, .error = ENOSPC } },
};

/* How many calls there are to fail is known from a run in which none does; beside each other threads make a few more or
 * fewer. Not more than run->most of them, spread evenly. */
static void sweep_over(struct run *run, const struct sweep *sweep)
{
	struct random random = { run->seed };
	unsigned long n, step;
	unsigned before = run->n_runs, failures_most = run->n_failures + FAILURES_MOST;

	if (run->at) {
		(void)run_once(run, sweep, run->at);
		return;
	}
	if (!run_once(run, sweep, 0))
		return;
	n = run->notes->n_counted;
	if (n == 0) {
		fprintf(stderr, "FAIL  %s: the load makes no such call\n", sweep->name);
		run->n_failures++;
		return;
	}
	step = n > run->most ? (n + run->most - 1) / run->most : 1;
	for (unsigned long at = 1 + random_below(&random, step); at <= n && run->n_failures < failures_most; at += step)
		(void)run_once(run, sweep, at);
	printf("%-18s %5lu calls, %4u runs\n", sweep->name, n, run->n_runs - before);
}

static int parse(struct run *run, int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return -EINVAL;
		if (strcmp(argv[i], "--seed") == 0)
			run->seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--most") == 0)
			run->most = (unsigned)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--sweep") == 0)
			run->only = argv[i + 1];
		else if (strcmp(argv[i], "--at") == 0)
			run->at = strtoul(argv[i + 1], NULL, 10);
		else
			return -EINVAL;
	}
	return run->at && !run->only ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
	static struct run run = { .seed = 1, .most = UINT_MAX };
	const char *seed = getenv("VAULTFS_TEST_SEED");

	if (seed)
		run.seed = strtoull(seed, NULL, 10);
	if (parse(&run, argc, argv) < 0) {
		fprintf(stderr, "usage: faults [--seed S] [--most N] [--sweep NAME [--at N]]\n");
		return 2;
	}
	printf("seed %ju\n", (uintmax_t)run.seed);
	run.notes = mmap(NULL, sizeof(*run.notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.notes == MAP_FAILED)
		die("mmap");
	make_directory(&run);
	fault_root(run.vault);
	prepare(&run);
	for (size_t i = 0; i < sizeof(sweeps) / sizeof(*sweeps); i++)
		if (!run.only || strcmp(run.only, sweeps[i].name) == 0)
			sweep_over(&run, &sweeps[i]);
	command("rm -rf '%s'", run.directory);
	printf("%u runs, %u failures\n", run.n_runs, run.n_failures);
	return run.n_failures > 0;
}
