/* test_memory.c - memory runs out at any allocation: the call says so and has done nothing, nothing hangs, and the vault is
 * whole afterwards.
 *
 * Each part counts its allocations in a run without a failure, then runs with the n-th failing, alone or with all behind it
 * until an error came out. Which n: a sample, chosen by VAULTFS_TEST_SEED; all with VAULTFS_MEMORY_STEP=1, every second one
 * with 2, from VAULTFS_MEMORY_FROM on; one with VAULTFS_MEMORY_PART and VAULTFS_MEMORY_N. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>

#include "../random.h"
#include "auto.h"
#include "log.h"
#include "memory_faults.h"
#include "memory_work.h"

#define STUCK_SECONDS 60u	/* a run takes some hundredth */
#define SAMPLE 80u
#define SAMPLE_SLOW 25u

static char directory[200];
static struct random random_numbers;

/* What is running, for messages. */
static const char *part = "?";
static uint64_t n_now;
static bool lasting_now;
static char lines[4096];	/* what was logged in this run */

static void keep_line(enum log_level level, const char *line, void *context)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&lock);
	size_t used = strlen(lines);

	(void)level;
	(void)context;
	(void)snprintf(lines + used, sizeof(lines) - used, "    %s\n", line);
}

static const char *path_of(const char *name)
{
	static char paths[4][300];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static void complain(const char *what, int r)
{
	(void)memory_is_back();
	fail_msg("VAULTFS_MEMORY_PART=%s VAULTFS_MEMORY_N=%" PRIu64 "%s: %s: %d (%s)\n%s", part, n_now,
		 lasting_now ? " VAULTFS_MEMORY_LASTING=1" : "", what, r, strerror(-r), lines);
}

static void on_signal(int number)
{
	char text[200];
	int size = snprintf(text, sizeof(text), "signal %d in VAULTFS_MEMORY_PART=%s VAULTFS_MEMORY_N=%" PRIu64 "%s\n", number, part,
			    n_now, lasting_now ? " VAULTFS_MEMORY_LASTING=1" : "");

	if (write(STDERR_FILENO, text, (size_t)size) < 0)
		_exit(2);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

/* ---- vaults ---- */

static void remove_vault(const char *name)
{
	(void)nftw(path_of(name), fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);	/* it may not be there */
}

static void copy_file(const char *from, const char *to)
{
	static char bytes[1 << 20];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
	assert_int_equal(close(in) | close(out), 0);
}

static void copy_vault(const char *from, const char *to)
{
	char a[64], b[64];

	remove_vault(to);
	(void)snprintf(a, sizeof(a), "%s/packs", to);
	assert_int_equal(mkdir(path_of(to), 0700) | mkdir(path_of(a), 0700), 0);
	(void)snprintf(a, sizeof(a), "%s/packs/00000001.pack", from);
	(void)snprintf(b, sizeof(b), "%s/packs/00000001.pack", to);
	copy_file(path_of(a), path_of(b));
	(void)snprintf(a, sizeof(a), "%s/vault.db", from);
	(void)snprintf(b, sizeof(b), "%s/vault.db", to);
	copy_file(path_of(a), path_of(b));
}

static const struct vault_open_options quiet = { .commit_seconds = 3600, .cache_size = 1 << 20 };

static void found(void *context, const struct vault_finding *finding)
{
	(void)context;
	keep_line(LOG_LEVEL_ERROR, finding->text, NULL);
}

/* The vault opens, and is whole; what it holds. */
static uint64_t verify(const char *name)
{
	/* Deep: what the packs say must be what vault.db says. */
	const struct vault_check_options options = { .flags = VAULT_CHECK_DEEP, .found = found };
	struct vault_check_counts counts = { 0 };
	struct vault *vault = NULL;
	uint64_t digest;
	int r = vault_open(path_of(name), &quiet, &vault);

	if (r < 0)
		complain("it does not open any more", r);
	digest = work_digest(vault);
	if (digest == 0)
		complain("it cannot be read any more", -EIO);
	r = vault_close(vault);
	if (r < 0)
		complain("it does not close any more", r);
	r = vault_check(path_of(name), &options, &counts);
	if (r < 0 || counts.n_findings > 0)
		complain("the check is not clean", r);
	return digest;
}

static void expect_no_memory(const char *what, int r)
{
	if (r != -ENOMEM && r != -EAGAIN)	/* the latter of a thread that cannot be started */
		complain(what, r);
	if (!memory_was_refused())
		complain("failed although nothing was refused", r);
}

/* ---- parts: each runs with allocations counted, and looks at what is left ---- */

static uint64_t digest_before, digest_after;	/* of the vaults "clean" and "worked" */

static void run_create(void)
{
	int r;

	remove_vault("v");
	memory_end_at(n_now, lasting_now);
	r = vault_create(path_of("v"), NULL);
	(void)memory_is_back();
	if (r < 0) {
		expect_no_memory("create", r);
		r = vault_create(path_of("v"), NULL);
		if (r < 0)
			complain("create again", r);
	}
	(void)verify("v");
}

static void open_and_close(const char *name)
{
	struct vault *vault = NULL;
	int r;

	memory_end_at(n_now, lasting_now);
	r = vault_open(path_of(name), &quiet, &vault);
	if (r < 0)
		(void)memory_is_back();
	if (r == 0)
		r = vault_close(vault);
	(void)memory_is_back();
	if (r < 0 && r != -EIO)	/* a last commit that failed */
		expect_no_memory("open and close", r);
}

static void run_open(void)
{
	copy_vault("clean", "v");
	open_and_close("v");
	if (verify("v") != digest_before)
		complain("it holds something else", 0);
}

static void run_recover(void)
{
	copy_vault("unclean", "v");
	open_and_close("v");
	if (verify("v") != digest_after)
		complain("it holds something else", 0);
}

static void run_rebuild(void)
{
	int r;

	copy_vault("worked", "v");
	memory_end_at(n_now, lasting_now);
	r = vault_rebuild(path_of("v"), 0);
	(void)memory_is_back();
	if (r < 0)
		expect_no_memory("rebuild", r);
	if (verify("v") != digest_after)
		complain("it holds something else", 0);
}

static void run_check(void)
{
	const struct vault_check_options options = { .flags = VAULT_CHECK_DEEP, .found = found };
	struct vault_check_counts counts = { 0 };
	int r;

	copy_vault("worked", "v");
	memory_end_at(n_now, lasting_now);
	r = vault_check(path_of("v"), &options, &counts);
	(void)memory_is_back();
	if (r < 0)
		expect_no_memory("check", r);
	else if (counts.n_findings > 0 && !memory_was_refused())
		complain("check", (int)counts.n_findings);
	if (verify("v") != digest_after)
		complain("it holds something else", 0);
}

/* ---- the calls on an open vault ---- */

#define STEPS_MAX 64

static uint64_t digests[STEPS_MAX + 1];	/* digests[i]: before step i, in a run without a failure */
static size_t kept_from;		/* what was before this step is durable */

/* Run a step until it has succeeded. false: the vault became read-only, which ends it. */
static bool run_step(struct work *work, const struct work_step *step)
{
	int r = step->run(work);

	for (unsigned i = 0; r < 0 && i < 3; i++) {
		(void)memory_is_back();
		if (vault_is_read_only(work->vault))
			return false;
		if (r != -EAGAIN)
			expect_no_memory(step->name, r);
		r = step->run(work);
	}
	if (r < 0 && !vault_is_read_only(work->vault))
		complain(step->name, r);
	return r == 0;
}

static bool is_a_moment(uint64_t digest, size_t from, size_t to)
{
	for (size_t i = from; i <= to; i++)
		if (digests[i] == digest)
			return true;
	return false;
}

static void run_work(void)
{
	struct work work = { .vault = NULL };
	size_t i;
	uint64_t digest;
	int r;

	copy_vault("clean", "v");
	assert_int_equal(vault_open(path_of("v"), &quiet, &work.vault), 0);
	kept_from = 0;
	memory_end_at(n_now, lasting_now);
	for (i = 0; i < work_n_steps; i++) {
		if (!run_step(&work, &work_steps[i]))
			break;
		if (work_steps[i].durable)
			kept_from = i;
	}
	vault_file_close(work.handle);
	if (lasting_now)
		(void)memory_is_back();	/* the last commit is tried once only */
	r = vault_close(work.vault);
	(void)memory_is_back();
	digest = verify("v");
	/* Closed well: all of it is there. Otherwise a moment not before the last sync. */
	if (r == 0 && i == work_n_steps ? digest != digests[i] : !is_a_moment(digest, kept_from, i))
		complain(i < work_n_steps ? work_steps[i].name : "close", r);
}

/* ---- sweeping ---- */

static const struct part {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "create", run_create }, { "open", run_open }, { "work", run_work },
	{ "recover", run_recover }, { "rebuild", run_rebuild }, { "check", run_check },
};
#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static uint64_t n_runs, n_failing;

static void run_with(const struct part *p, uint64_t n, bool lasting)
{
	part = p->name;
	n_now = n;
	lasting_now = lasting;
	lines[0] = '\0';
	(void)alarm(STUCK_SECONDS);
	p->run();
	(void)alarm(0);
	n_runs++;
	n_failing += memory_was_refused();
}

/* All n; or a sample that has the first ones, where most of a part's own allocations are, more often. */
static void sweep(const struct part *p)
{
	const char *step = getenv("VAULTFS_MEMORY_STEP"), *first = getenv("VAULTFS_MEMORY_FROM");
	uint64_t n_all, sample = getenv("VAULTFS_SLOW") ? SAMPLE_SLOW : SAMPLE;
	struct timespec from, to;

	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	n_runs = n_failing = 0;
	run_with(p, 0, false);
	assert_false(memory_was_refused());
	n_all = memory_is_back();
	assert_true(n_all > 0);
	if (step) {
		for (uint64_t n = first ? strtoull(first, NULL, 0) : 1; n <= n_all; n += strtoull(step, NULL, 0)) {
			run_with(p, n, false);
			if (n % 7 == 0)
				run_with(p, n, true);
			if (n_runs % 1000 == 0)
				print_message("%s: %" PRIu64 " of %" PRIu64 "\n", p->name, n, n_all);
		}
	} else {
		for (uint64_t i = 0; i < sample; i++)
			run_with(p, 1 + random_below(&random_numbers, (size_t)(i % 4 ? n_all : n_all / 8 + 1)), i % 3 == 0);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	print_message("%s: %" PRIu64 " allocations, %" PRIu64 " runs, %" PRIu64 " with a failure, %.1f s\n", p->name, n_all, n_runs,
		      n_failing, (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
}

static void memory__may_run_out_anywhere(void **state)
{
	const char *only = getenv("VAULTFS_MEMORY_PART"), *n = getenv("VAULTFS_MEMORY_N");

	(void)state;
	for (size_t i = 0; i < N_PARTS; i++) {
		if (only && strcmp(only, parts[i].name) != 0)
			continue;
		if (n)
			run_with(&parts[i], strtoull(n, NULL, 0), getenv("VAULTFS_MEMORY_LASTING") != NULL);
		else
			sweep(&parts[i]);
	}
}

/* ---- fixture ---- */

/* "clean": some files; "worked": all steps on top, recording what the tree is in between; "unclean": the packs of that with
 * the database of before. */
static void make_vaults(void)
{
	const struct vault_create_options options = { .chunk_average = 16 << 10, .pack_size = 64 << 20 };
	struct work work = { .vault = NULL };

	assert_true(work_n_steps <= STEPS_MAX);
	assert_int_equal(vault_create(path_of("clean"), &options), 0);
	digest_before = verify("clean");
	copy_vault("clean", "worked");
	assert_int_equal(vault_open(path_of("worked"), &quiet, &work.vault), 0);
	for (size_t i = 0; i < work_n_steps; i++) {
		digests[i] = work_digest(work.vault);
		assert_int_not_equal(digests[i], 0);
		assert_int_equal(work_steps[i].run(&work), 0);
		if (i > 0 && work_steps[i - 1].changes)
			assert_int_not_equal(digests[i], digests[i - 1]);
	}
	digests[work_n_steps] = digest_after = work_digest(work.vault);
	assert_int_equal(vault_close(work.vault), 0);
	copy_vault("worked", "unclean");
	copy_file(path_of("clean/vault.db"), path_of("unclean/vault.db"));
	assert_int_equal(verify("worked"), digest_after);
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR"), *given = getenv("VAULTFS_TEST_SEED");

	(void)state;
	if (!tmp)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(directory, sizeof(directory), "%s/vaultfs-memory-XXXXXX", tmp);
	if (!mkdtemp(directory))
		return -1;
	random_numbers.state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	print_message("VAULTFS_TEST_SEED=%" PRIu64 "\n", random_numbers.state);
	log_set_sink(keep_line, NULL, LOG_LEVEL_WARNING);
	(void)signal(SIGALRM, on_signal);
	(void)signal(SIGSEGV, on_signal);
	(void)signal(SIGABRT, on_signal);
	make_vaults();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(directory, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(memory__may_run_out_anywhere, setup, teardown),
	};

	memory_install();
	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
