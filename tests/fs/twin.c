/* twin.c - the command.
 *
 *   twin random ORACLE VAULT SEED N PROCESSES turns|free      SEED 0 takes a new one; it is printed
 *   twin replay ORACLE VAULT FILE...                          lists that were kept
 * Both are empty directories on the filesystems to be compared; the trees of the run stay there when they are equal. In
 * the environment: TREESUM, and TWIN_REMOUNT, a command that mounts the second one anew. */
#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPS_MAX = 1000000, NOISE = 5000, WATCH_TRIES = 20, PRINTED = 200 };

void twin_fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "FAIL  twin: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static void wait_tick(void)
{
	struct timespec now, then;

	clock_gettime(CLOCK_REALTIME_COARSE, &then);
	do
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	while (now.tv_nsec == then.tv_nsec);
}

/* Does a change right after a look get another time? On kernels before 6.13 only after the next tick of their clock. */
static bool has_fine_times(const char *directory)
{
	char path[4096];
	struct stat before, after;
	bool fine = true;
	int fd;

	snprintf(path, sizeof path, "%s/.times", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		twin_fail("%s: %s", path, strerror(errno));
	for (int i = 0; i < WATCH_TRIES; i++) {
		if (fstat(fd, &before) < 0 || fchmod(fd, 0600) < 0 || fstat(fd, &after) < 0)
			twin_fail("%s: %s", path, strerror(errno));
		fine = fine && (before.st_ctim.tv_nsec != after.st_ctim.tv_nsec);
	}
	close(fd);
	unlink(path);
	return fine;
}

static void *shared_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		twin_fail("no memory");
	return p;
}

static void say_difference(struct twin_pair *pair, struct twin_op *ops, size_t n)
{
	size_t different = twin_compare(pair, ops, n, false);

	for (size_t i = n > PRINTED ? n - PRINTED : 0; i < n; i++)
		twin_print(stderr, &ops[i]);
	if (different == SIZE_MAX)
		fprintf(stderr, "# not different this time\n");
	else if (different == n)
		fprintf(stderr, "# the trees differ at the end\n");
	else
		fprintf(stderr, "# oracle: %s\n# vault:  %s\n", pair->oracle_answers[different].text,
			pair->vault_answers[different].text);
}

static void minimise(struct twin_pair *pair, struct twin_op *ops, size_t n, size_t different)
{
	size_t left = different < n ? different + 1 : n;

	if (different < n) {
		fprintf(stderr, "operation %zu of %zu: ", different, n);
		twin_print(stderr, &ops[different]);
		fprintf(stderr, "# oracle: %s\n# vault:  %s\n", pair->oracle_answers[different].text,
			pair->vault_answers[different].text);
	}
	left = twin_minimise(pair, ops, left);
	fprintf(stderr, "of %zu operations these are needed:\n", n);
	say_difference(pair, ops, left);
	exit(1);
}

static void count_successes(const struct twin_pair *pair, size_t n)
{
	size_t n_failed = 0;

	for (size_t i = 0; i < n; i++)
		n_failed += pair->vault_answers[i].text[0] == 'E';
	printf("%zu calls answered alike, %zu of them with an error; the trees are equal\n", n, n_failed);
}

/* Is nobody but the players there, a remount takes place; not in free runs, where they do not wait for each other. */
static void run_random(struct twin_pair *pair, uint64_t seed, size_t n, unsigned n_processes,
		       bool free_running)
{
	struct twin_op *ops = malloc((n + NOISE) * sizeof *ops);
	struct twin_maker maker = { .random = { seed },
				    .n_processes = n_processes,
				    .plain = geteuid() != 0,
				    .watch_every = pair->oracle.tick ? 50 : 2,
				    .remount_every = free_running ? 0 : 20000 };
	size_t different;

	if (!ops)
		twin_fail("no memory");
	twin_make(&maker, ops, n);
	maker.n_processes = 2;
	maker.process = 0;
	maker.watch_every = 2;
	maker.for_noise = true;
	twin_make(&maker, ops + n, NOISE);
	pair->oracle.free_running = pair->vault.free_running = free_running;
	pair->oracle.n_processes = pair->vault.n_processes = n_processes;
	pair->oracle.noise = pair->vault.noise = ops + n;
	pair->oracle.n_noise = pair->vault.n_noise = NOISE;
	different = twin_compare(pair, ops, n, true);
	if (different != SIZE_MAX)
		minimise(pair, ops, n, different);
	count_successes(pair, n);
	free(ops);
}

static void replay(struct twin_pair *pair, const char *file)
{
	struct twin_op *ops = calloc(OPS_MAX, sizeof *ops);
	FILE *in = fopen(file, "re");
	char line[512];
	size_t n = 0, different;

	if (!in || !ops)
		twin_fail("%s: %s", file, strerror(errno));
	while (n < OPS_MAX && fgets(line, sizeof line, in))
		n += twin_parse(line, &ops[n]);
	fclose(in);
	pair->oracle.n_processes = pair->vault.n_processes = TWIN_PROCESSES;
	different = twin_compare(pair, ops, n, false);
	if (different != SIZE_MAX) {
		fprintf(stderr, "%s:\n", file);
		say_difference(pair, ops, different < n ? different + 1 : n);
		exit(1);
	}
	printf("%s: %zu operations answered alike\n", file, n);
	free(ops);
}

static struct twin_pair make_pair(const char *oracle, const char *vault)
{
	struct twin_pair pair = { .oracle.root = oracle, .vault.root = vault };

	pair.treesum = getenv("TREESUM");
	pair.vault.remount = getenv("TWIN_REMOUNT");
	if (!pair.treesum)
		twin_fail("TREESUM is not set");
	pair.oracle.tick = pair.vault.tick =
		has_fine_times(oracle) && has_fine_times(vault) ? NULL : wait_tick;
	clock_gettime(CLOCK_REALTIME, &pair.oracle.begin);
	pair.vault.begin = pair.oracle.begin;
	pair.oracle_answers = shared_memory(OPS_MAX * sizeof(struct twin_answer));
	pair.vault_answers = shared_memory(OPS_MAX * sizeof(struct twin_answer));
	return pair;
}

int main(int argc, char **argv)
{
	struct twin_pair pair;

	if (argc == 8 && strcmp(argv[1], "random") == 0) {
		size_t n = strtoul(argv[5], NULL, 10);
		unsigned n_processes = (unsigned)strtoul(argv[6], NULL, 10);

		if (n == 0 || n > OPS_MAX || n_processes == 0 || n_processes > TWIN_PROCESSES)
			twin_fail("what is %s operations by %s processes?", argv[5], argv[6]);
		pair = make_pair(argv[2], argv[3]);
		run_random(&pair, random_seed_or(argv[4]), n, n_processes, strcmp(argv[7], "free") == 0);
		return 0;
	}
	if (argc > 4 && strcmp(argv[1], "replay") == 0) {
		pair = make_pair(argv[2], argv[3]);
		for (int i = 4; i < argc; i++)
			replay(&pair, argv[i]);
		return 0;
	}
	fprintf(stderr, "usage: twin random ORACLE VAULT SEED N PROCESSES turns|free\n"
			"       twin replay ORACLE VAULT FILE...\n");
	return 2;
}
