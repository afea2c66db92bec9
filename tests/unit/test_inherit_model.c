/* test_inherit_model.c - random calls on a few names: is known of each file what a simple model says? */
#include "xattr_fixture.h"

#include "../random.h"
#include "given_up.h"

enum { N_STEPS = 4000, N_DIRECTORIES = 2, N_NAMES = 7, N_KNOWN = 3, N_FILES_MAX = N_STEPS };

static const char *const names[N_NAMES] = { "a", "a~", "a.bak", "ab", "b", "b~", "~" };
static const char *const attributes[N_KNOWN] = { "user.xdg.tags", "user.xdg.comment",
						 "user.vaultfs.favorite" };

struct file {
	uint64_t id;
	unsigned n_links;
	bool purged;
	bool own;                /* it was given something once */
	char known[N_KNOWN][16]; /* "": none */
};

struct model {
	struct fixture *f;
	struct random random;
	unsigned step;
	uint64_t directories[N_DIRECTORIES];
	struct file *at[N_DIRECTORIES][N_NAMES];
	struct file files[N_FILES_MAX];
	size_t n_files;
	struct {
		int directory, name; /* directory -1: nothing */
		struct file *file;
	} given_up[GIVEN_UP_MAX];
	unsigned next;
};

static size_t any(struct model *m, size_t n)
{
	return random_below(&m->random, n);
}

static void check(struct model *m, const char *what, int got, int want)
{
	if (got != want)
		fail_msg("step %u: %s gives %d, not %d", m->step, what, got, want);
}

/* ---- what the model does ---- */

static void inherit(const struct file *from, struct file *to)
{
	if (to->own || !from->own || from->purged)
		return;
	memcpy(to->known, from->known, sizeof(to->known));
	to->own = true;
}

static void inherit_by_name(struct model *m, int directory, int name, struct file *to)
{
	const struct file *from = NULL;

	for (size_t i = 0; i < GIVEN_UP_MAX; i++) {
		if (m->given_up[i].directory != directory || m->given_up[i].name != name)
			continue;
		m->given_up[i].directory = -1;
		from = m->given_up[i].file;
	}
	if (from && from != to)
		inherit(from, to);
}

static void note(struct model *m, int directory, int old_name, int new_name, struct file *file)
{
	size_t n = strlen(names[old_name]);

	if (strncmp(names[new_name], names[old_name], n) != 0 || names[new_name][n] == '\0')
		return;
	m->given_up[m->next % GIVEN_UP_MAX].directory = directory;
	m->given_up[m->next % GIVEN_UP_MAX].name = old_name;
	m->given_up[m->next++ % GIVEN_UP_MAX].file = file;
}

static void forget_names(struct model *m)
{
	for (size_t i = 0; i < GIVEN_UP_MAX; i++)
		m->given_up[i].directory = -1;
	m->next = 0;
}

/* A slow machine forgets nothing. */
static void stay_young(struct model *m)
{
	struct given_up *given_up = m->f->vault->given_up;

	for (size_t i = 0; given_up && i < GIVEN_UP_MAX; i++)
		given_up->names[i].at_ns = clock_monotonic_ns();
}

/* ---- steps ---- */

static void step_make(struct model *m)
{
	struct vault_attr wanted = { .mode = S_IFREG | 0644 }, made = { 0 };
	int d = (int)any(m, N_DIRECTORIES), n = (int)any(m, N_NAMES);
	struct file *file = &m->files[m->n_files];

	check(m, "make",
	      CHANGE(m->f, vault_make(m->f->vault, m->directories[d], names[n], &wanted, NULL, &made)),
	      m->at[d][n] ? -EEXIST : 0);
	if (m->at[d][n])
		return;
	*file = (struct file){ .id = made.id, .n_links = 1 };
	m->n_files++;
	m->at[d][n] = file;
	inherit_by_name(m, d, n, file);
}

static void lose_name(struct model *m, struct file *file)
{
	if (--file->n_links > 0 || any(m, 2))
		return; /* the second: it is open somewhere */
	check(m, "purge", CHANGE(m->f, vault_purge(m->f->vault, file->id)), 0);
	file->purged = true;
}

static void step_unlink(struct model *m)
{
	int d = (int)any(m, N_DIRECTORIES), n = (int)any(m, N_NAMES);
	struct file *file = m->at[d][n];

	check(m, "unlink", CHANGE(m->f, vault_unlink(m->f->vault, m->directories[d], names[n], NULL)),
	      file ? 0 : -ENOENT);
	m->at[d][n] = NULL;
	if (file)
		lose_name(m, file);
}

static void step_link(struct model *m)
{
	int d = (int)any(m, N_DIRECTORIES), n = (int)any(m, N_NAMES);
	struct file *file = m->at[any(m, N_DIRECTORIES)][any(m, N_NAMES)];

	if (!file)
		return;
	check(m, "link", CHANGE(m->f, vault_link(m->f->vault, file->id, m->directories[d], names[n], NULL)),
	      m->at[d][n] ? -EEXIST : 0);
	if (m->at[d][n])
		return;
	m->at[d][n] = file;
	file->n_links++;
}

static void step_rename(struct model *m)
{
	int d = (int)any(m, N_DIRECTORIES), n = (int)any(m, N_NAMES);
	int to_d = any(m, 3) ? d : (int)any(m, N_DIRECTORIES), to_n = (int)any(m, N_NAMES);
	struct file *from = m->at[d][n], *to = m->at[to_d][to_n];
	bool exchange = any(m, 8) == 0, inherits = any(m, 8) != 0;
	unsigned flags = (exchange ? VAULT_RENAME_EXCHANGE : 0u) | (inherits ? VAULT_RENAME_INHERIT : 0u);

	check(m, "rename",
	      CHANGE(m->f, vault_rename(m->f->vault, m->directories[d], names[n], m->directories[to_d],
					names[to_n], flags, NULL)),
	      !from || (exchange && !to) ? -ENOENT : 0);
	if (!from || (exchange && !to) || from == to)
		return;
	m->at[to_d][to_n] = from;
	m->at[d][n] = exchange ? to : NULL;
	if (exchange)
		return;
	if (inherits) {
		inherit_by_name(m, to_d, to_n, from);
		if (to)
			inherit(to, from);
		if (d == to_d)
			note(m, d, n, to_n, from);
	}
	if (to)
		lose_name(m, to);
}

static void step_set(struct model *m)
{
	struct file *file = m->at[any(m, N_DIRECTORIES)][any(m, N_NAMES)];
	size_t which = any(m, N_KNOWN);
	char value[16] = "1";

	if (!file)
		return;
	if (any(m, 4) == 0) {
		check(m, "remove", drop(m->f, file->id, attributes[which]),
		      file->known[which][0] ? 0 : -ENODATA);
		file->known[which][0] = '\0';
		return;
	}
	if (which < 2)
		(void)snprintf(value, sizeof(value), "v%zu, w", any(m, 50));
	else if (any(m, 2))
		value[0] = '0';
	check(m, "set", set_text(m->f, file->id, attributes[which], value), 0);
	file->own = true;
	(void)snprintf(file->known[which], sizeof(file->known[which]), "%s", value[0] == '0' ? "" : value);
}

static void compare(struct model *m)
{
	for (size_t i = 0; i < m->n_files; i++) {
		const struct file *file = &m->files[i];

		for (size_t j = 0; j < N_KNOWN && !file->purged; j++) {
			const char *got = get(m->f, file->id, attributes[j]);
			const char *want = file->known[j][0] ? file->known[j] : "-";

			if (strcmp(got, want) != 0)
				fail_msg("step %u: %s of file %zu is '%s', not '%s'", m->step, attributes[j],
					 i, got, want);
		}
	}
	assert_string_equal(query(m->f, "SELECT tag_id FROM (SELECT tag_id, count(*) AS n FROM asset_tags "
					"GROUP BY tag_id) a LEFT JOIN tag_counts c USING (tag_id) "
					"WHERE a.n IS NOT c.files"),
			    "");
}

static void one_step(struct model *m)
{
	static void (*const steps[])(struct model *) = {
		step_make,   step_make,   step_make, step_unlink, step_rename, step_rename,
		step_rename, step_rename, step_set,  step_set,    step_set,    step_link,
	};

	stay_young(m);
	steps[any(m, sizeof(steps) / sizeof(steps[0]))](m);
}

static void known__is_what_the_model_says(void **state)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->f = *state;
	m->random.state = random_seed_or("0");
	for (size_t d = 0; d < N_DIRECTORIES; d++)
		m->directories[d] = fixture_directory(m->f, VAULT_ROOT_ID, d ? "one" : "two");
	forget_names(m);
	for (m->step = 0; m->step < N_STEPS; m->step++) {
		one_step(m);
		if (m->step % 500 == 499)
			compare(m);
		if (m->step == N_STEPS / 3 || m->step == N_STEPS * 2 / 3) {
			if (m->step == N_STEPS / 3)
				fixture_reopen(m->f);
			else
				fixture_rebuild(m->f);
			forget_names(m);
			compare(m);
		}
	}
	free(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(known__is_what_the_model_says),
	};

	return cmocka_run_group_tests_name("inherit_model", tests, NULL, NULL);
}
