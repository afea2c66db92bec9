/* twin_pair.c - a list played on two filesystems: what is different, and how little of the list shows it. */
#include "twin.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REPLAYS_MAX = 1500, INODES_MAX = 100000 };

static int run_command(const char *format, const char *a, const char *b, const char *c)
{
	char command[16384];

	snprintf(command, sizeof command, format, a, b, c);
	return system(command);
}

/* Where removed names would be missed, and links miscounted, after calls that nobody ordered. */
static struct {
	ino_t inodes[INODES_MAX];
	nlink_t wanted[INODES_MAX], found[INODES_MAX];
	size_t n;
	bool wrong;
} census;

static int count_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	size_t i = 0;

	(void)ftw;
	if (type == FTW_NS || type == FTW_DNR) {
		fprintf(stderr, "twin: %s is listed, but cannot be looked at\n", path);
		census.wrong = true;
		return 0;
	}
	if (S_ISDIR(st->st_mode))
		return 0;
	while (i < census.n && census.inodes[i] != st->st_ino)
		i++;
	if (i == INODES_MAX)
		return 0;
	if (i == census.n) {
		census.n++;
		census.inodes[i] = st->st_ino;
		census.found[i] = 0;
	}
	census.wanted[i] = st->st_nlink;
	census.found[i]++;
	return 0;
}

/* After noise: every name leads to something, and each file has as many names as it says. */
static bool is_sound(const char *root)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/noise", root);
	census.n = 0;
	census.wrong = nftw(path, count_one, 32, FTW_PHYS) != 0;
	for (size_t i = 0; i < census.n; i++) {
		if (census.wanted[i] != census.found[i]) {
			fprintf(stderr, "twin: inode %ju of the noise says %ju links and has %ju\n",
				(uintmax_t)census.inodes[i], (uintmax_t)census.wanted[i],
				(uintmax_t)census.found[i]);
			census.wrong = true;
		}
	}
	(void)run_command("rm -rf '%s'", path, NULL, NULL);
	return !census.wrong;
}

static bool same_trees(const struct twin_pair *pair, const struct twin_stage *oracle,
		       const struct twin_stage *vault)
{
	if (oracle->free_running && (!is_sound(oracle->root) || !is_sound(vault->root)))
		return false;
	return run_command(
		       "d=$(mktemp -d) && cd $d && '%1$s' -t '%2$s' >a && '%1$s' -t '%3$s' >b && diff a b >c; r=$?; "
		       "head -n 10 c >&2; cd / && rm -rf $d; exit $r",
		       pair->treesum, oracle->root, vault->root) == 0;
}

static struct twin_stage new_root(const struct twin_stage *stage, unsigned number, char path[4096])
{
	struct twin_stage copy = *stage;

	snprintf(path, 4096, "%s/run%u", stage->root, number);
	if (mkdir(path, 0777) < 0 || chmod(path, 0777) < 0)
		twin_fail("%s: %s", path, strerror(errno));
	copy.root = path;
	return copy;
}

static size_t first_difference(const struct twin_pair *pair, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(pair->oracle_answers[i].text, pair->vault_answers[i].text) != 0)
			return i;
	}
	return SIZE_MAX;
}

size_t twin_compare(struct twin_pair *pair, const struct twin_op *ops, size_t n, bool keep)
{
	char oracle_path[4096], vault_path[4096];
	struct twin_stage oracle, vault;
	size_t different;

	pair->n_runs++;
	oracle = new_root(&pair->oracle, pair->n_runs, oracle_path);
	vault = new_root(&pair->vault, pair->n_runs, vault_path);
	twin_play(&oracle, ops, n, pair->oracle_answers);
	twin_play(&vault, ops, n, pair->vault_answers);
	different = first_difference(pair, n);
	if (different == SIZE_MAX && !same_trees(pair, &oracle, &vault))
		different = n;
	if (!keep || different != SIZE_MAX)
		(void)run_command("rm -rf '%s' '%s'", oracle_path, vault_path, NULL);
	return different;
}

/* ---- fewer and fewer ---- */

/* Without ops[from..to): is there still a difference? Then `ops` is that, and shorter by what came behind it. */
static bool try_without(struct twin_pair *pair, struct twin_op *ops, size_t *n, size_t from, size_t to)
{
	size_t rest = *n - (to - from), different;
	struct twin_op *part = malloc((rest + 1) * sizeof *part);

	if (!part)
		twin_fail("no memory");
	memcpy(part, ops, from * sizeof *ops);
	memcpy(part + from, ops + to, (*n - to) * sizeof *ops);
	different = twin_compare(pair, part, rest, false);
	if (different != SIZE_MAX) {
		*n = different < rest ? different + 1 : rest;
		memcpy(ops, part, *n * sizeof *ops);
	}
	free(part);
	return different != SIZE_MAX;
}

/* Ever smaller pieces are left out, from the end, where they are least likely to be needed by others. */
size_t twin_minimise(struct twin_pair *pair, struct twin_op *ops, size_t n)
{
	unsigned last = pair->n_runs + REPLAYS_MAX;

	for (size_t piece = n / 2; piece > 0; piece /= 2) {
		bool again = true;

		while (again && pair->n_runs < last) {
			again = false;
			for (size_t to = n; to > 0 && pair->n_runs < last;) {
				size_t from = to > piece ? to - piece : 0;

				if (try_without(pair, ops, &n, from, to < n ? to : n))
					again = piece == 1;
				to = from < n ? from : n;
			}
		}
	}
	return n;
}
