/* test_namespace_model.c - thousands of random calls against a model of a directory tree in memory.
 *
 * Compared are every result, the attributes that names decide (type, nlink, size) and each directory's content in its
 * order. VAULTFS_TEST_SEED repeats a run. */
#include "fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#define N_STEPS 30000
#define N_NODES 8192 /* made in one run at most */
#define N_ENTRIES 64 /* in one directory at most: there are fewer names */

static const char *const names[] = { "a", "b", "c", "d", "e", "A", "\xff", "a b", "..." };
#define N_NAMES (sizeof(names) / sizeof(names[0]))

static const char *const bad_names[] = { "", ".", "..", "a/b", NULL }; /* NULL: a long one */

struct node {
	uint64_t id;
	uint32_t type; /* S_IFREG, ...; 0: purged */
	uint32_t nlink;
	size_t size;
	size_t parent; /* of a directory that has a name */
	size_t n_entries;
	struct {
		const char *name;
		size_t node;
	} entries[N_ENTRIES]; /* in the order of creation */
};

struct model {
	struct fixture *f;
	unsigned seed;
	unsigned step;
	size_t n_nodes;
	struct node *nodes;
	unsigned n_good; /* calls that succeeded */
};

#define ROOT 0u

/* ---- what the model says ---- */

static size_t find(const struct node *directory, const char *name)
{
	for (size_t i = 0; i < directory->n_entries; i++)
		if (strcmp(directory->entries[i].name, name) == 0)
			return i;
	return SIZE_MAX;
}

static void add(struct model *m, size_t directory, const char *name, size_t node)
{
	struct node *at = &m->nodes[directory];

	assert_true(at->n_entries < N_ENTRIES);
	at->entries[at->n_entries].name = name;
	at->entries[at->n_entries++].node = node;
	if (S_ISDIR(m->nodes[node].type)) {
		m->nodes[node].parent = directory;
		at->nlink++;
	}
}

/* Take an entry away; the node it named. */
static size_t take(struct model *m, size_t directory, const char *name)
{
	struct node *at = &m->nodes[directory];
	size_t i = find(at, name), node = at->entries[i].node;

	memmove(at->entries + i, at->entries + i + 1, (at->n_entries - i - 1) * sizeof(at->entries[0]));
	at->n_entries--;
	if (S_ISDIR(m->nodes[node].type))
		at->nlink--;
	return node;
}

static void lose_name(struct node *node)
{
	node->nlink = S_ISDIR(node->type) ? 0 : node->nlink - 1;
}

/* A directory in which a name may be looked for. */
static int check_directory(const struct node *node)
{
	if (!node->type)
		return -ENOENT;
	return S_ISDIR(node->type) ? 0 : -ENOTDIR;
}

/* One that may take an entry. */
static int check_parent(const struct node *node)
{
	int r = check_directory(node);

	return r == 0 && node->nlink == 0 ? -ENOENT : r;
}

static int check_name(const char *name)
{
	if (strlen(name) > VAULT_NAME_MAX)
		return -ENAMETOOLONG;
	for (size_t i = 0; bad_names[i]; i++)
		if (strcmp(name, bad_names[i]) == 0)
			return -EINVAL;
	return 0;
}

static bool is_within(const struct model *m, size_t node, size_t ancestor)
{
	for (; node != ancestor; node = m->nodes[node].parent)
		if (node == ROOT)
			return false;
	return true;
}

static int expect_make(const struct model *m, size_t parent, const char *name)
{
	int r = check_name(name);

	if (r == 0)
		r = check_parent(&m->nodes[parent]);
	return r == 0 && find(&m->nodes[parent], name) != SIZE_MAX ? -EEXIST : r;
}

static int expect_link(const struct model *m, size_t node, size_t parent, const char *name)
{
	int r = check_name(name);

	if (r == 0 && !m->nodes[node].type)
		r = -ENOENT;
	if (r == 0)
		r = check_parent(&m->nodes[parent]);
	if (r == 0 && S_ISDIR(m->nodes[node].type))
		r = -EPERM;
	if (r == 0 && m->nodes[node].nlink == 0)
		r = -ENOENT;
	return r == 0 && find(&m->nodes[parent], name) != SIZE_MAX ? -EEXIST : r;
}

/* Look a name up: its node in *ret. */
static int expect_lookup(const struct model *m, size_t parent, const char *name, size_t *ret)
{
	int r = strlen(name) > VAULT_NAME_MAX ? -ENAMETOOLONG : check_directory(&m->nodes[parent]);
	size_t i;

	if (r < 0)
		return r;
	i = find(&m->nodes[parent], name);
	if (i == SIZE_MAX)
		return -ENOENT;
	*ret = m->nodes[parent].entries[i].node;
	return 0;
}

static int expect_remove(const struct model *m, size_t parent, const char *name, bool directory)
{
	size_t node;
	int r = expect_lookup(m, parent, name, &node);

	if (r < 0)
		return r;
	if (S_ISDIR(m->nodes[node].type) != directory)
		return directory ? -ENOTDIR : -EISDIR;
	return m->nodes[node].n_entries > 0 ? -ENOTEMPTY : 0;
}

/* Like the others; 1 if there is nothing to do. */
static int expect_rename(const struct model *m, size_t old_parent, const char *old_name, size_t new_parent,
			 const char *new_name, unsigned flags)
{
	bool exchange = flags & VAULT_RENAME_EXCHANGE;
	const struct node *from, *to;
	size_t from_node, to_node = SIZE_MAX;
	int r = flags > 2 ? -EINVAL : 0;

	r = r ? r : check_name(old_name);
	r = r ? r : check_name(new_name);
	r = r ? r : expect_lookup(m, old_parent, old_name, &from_node);
	r = r ? r : check_parent(&m->nodes[new_parent]);
	if (r < 0)
		return r;
	if (expect_lookup(m, new_parent, new_name, &to_node) == 0 && (flags & VAULT_RENAME_NOREPLACE))
		return -EEXIST;
	if (to_node == SIZE_MAX && exchange)
		return -ENOENT;
	from = &m->nodes[from_node];
	if (S_ISDIR(from->type) && is_within(m, new_parent, from_node))
		return -EINVAL;
	if (to_node == SIZE_MAX)
		return 0;
	to = &m->nodes[to_node];
	if (exchange && S_ISDIR(to->type) && is_within(m, old_parent, to_node))
		return -EINVAL;
	if (from == to)
		return 1;
	if (exchange)
		return 0;
	if (S_ISDIR(from->type) != S_ISDIR(to->type))
		return S_ISDIR(from->type) ? -ENOTDIR : -EISDIR;
	return to->n_entries > 0 ? -ENOTEMPTY : 0;
}

/* ---- chance ---- */

static size_t chance(struct model *m, size_t n)
{
	return (size_t)rand_r(&m->seed) % n;
}

/* Mostly what is there: recent ones, and directories where one is wanted. */
static size_t any_node(struct model *m, bool directory)
{
	for (int i = 0; i < 50; i++) {
		size_t node = chance(m, m->n_nodes);

		if (m->nodes[node].type && (!directory || S_ISDIR(m->nodes[node].type)))
			if (m->nodes[node].nlink > 0 || chance(m, 10) == 0)
				return node;
	}
	return chance(m, m->n_nodes);
}

static size_t any_parent(struct model *m)
{
	return chance(m, 30) == 0 ? any_node(m, false) : any_node(m, true);
}

static const char *any_name(struct model *m)
{
	static char longest[VAULT_NAME_MAX + 2];
	const char *name;

	if (chance(m, 100) != 0)
		return names[chance(m, N_NAMES)];
	memset(longest, 'n', VAULT_NAME_MAX + 1);
	name = bad_names[chance(m, sizeof(bad_names) / sizeof(bad_names[0]))];
	return name ? name : longest;
}

/* A name that is there, if it can be. */
static const char *name_in(struct model *m, size_t directory)
{
	const struct node *at = &m->nodes[directory];

	return at->n_entries == 0 || chance(m, 10) == 0 ? any_name(m)
							: at->entries[chance(m, at->n_entries)].name;
}

/* ---- comparing ---- */

static void compare(struct model *m, const char *what, int got, int want)
{
	if (got != want)
		fail_msg("step %u: %s gives %d, not %d", m->step, what, got, want);
	m->n_good += want == 0;
}

static bool attr_is(const struct vault_attr *attr, const struct node *node)
{
	return attr->id == node->id && attr->nlink == node->nlink && (attr->mode & S_IFMT) == node->type &&
	       attr->size == node->size;
}

static void compare_attr(struct model *m, const struct vault_attr *attr, const struct node *node)
{
	if (!attr_is(attr, node))
		fail_msg("step %u: inode %" PRIu64 ": mode %o, nlink %u, size %" PRIu64 "; not %" PRIu64
			 ": %o, %u, %zu",
			 m->step, attr->id, attr->mode, attr->nlink, attr->size, node->id, node->type,
			 node->nlink, node->size);
}

struct comparison {
	struct model *m;
	const struct node *directory;
	size_t at;
	bool with_attributes;
	bool differs; /* at entry `at`; told afterwards: a failure must not jump out of the call */
	struct vault_attr attr;
};

static int compare_entry(void *context, const struct vault_entry *entry)
{
	struct comparison *c = context;
	const struct node *node;

	c->attr = entry->attr;
	if (c->at >= c->directory->n_entries || strcmp(c->directory->entries[c->at].name, entry->name) != 0) {
		c->differs = true;
		return 1;
	}
	node = &c->m->nodes[c->directory->entries[c->at].node];
	c->differs = c->with_attributes ? !attr_is(&entry->attr, node)
					: entry->attr.id != node->id || entry->attr.mode != node->type;
	c->at += !c->differs;
	return c->differs;
}

static void compare_directory(struct model *m, size_t directory)
{
	struct comparison c = { .m = m,
				.directory = &m->nodes[directory],
				.with_attributes = chance(m, 2) == 0 };
	int want = check_directory(c.directory);

	compare(m, "readdir",
		vault_readdir(m->f->vault, c.directory->id, 0, c.with_attributes, compare_entry, &c), want);
	if (want == 0 && (c.differs || c.at != c.directory->n_entries))
		fail_msg("step %u: inode %" PRIu64 " differs at entry %zu of %zu: inode %" PRIu64, m->step,
			 c.directory->id, c.at, c.directory->n_entries, c.attr.id);
}

static void compare_node(struct model *m, size_t node)
{
	struct vault_attr attr;

	compare(m, "getattr", vault_getattr(m->f->vault, m->nodes[node].id, &attr),
		m->nodes[node].type ? 0 : -ENOENT);
	if (m->nodes[node].type)
		compare_attr(m, &attr, &m->nodes[node]);
}

static void compare_parent(struct model *m, size_t node)
{
	const struct node *at = &m->nodes[node];
	uint64_t parent = 0;
	int want = check_parent(at);

	compare(m, "parent", vault_parent(m->f->vault, at->id, &parent), want);
	if (want == 0)
		assert_true(parent == m->nodes[at->parent].id);
}

static void compare_all(struct model *m)
{
	for (size_t i = 0; i < m->n_nodes; i++) {
		compare_node(m, i);
		if (S_ISDIR(m->nodes[i].type)) {
			compare_directory(m, i);
			compare_parent(m, i);
		}
	}
}

/* ---- the calls ---- */

static void step_make(struct model *m)
{
	static const uint32_t types[] = { S_IFREG, S_IFDIR, S_IFDIR, S_IFLNK, S_IFIFO };
	struct vault_attr wanted = { .mode = types[chance(m, 5)] | 0700 }, got;
	bool link = S_ISLNK(wanted.mode);
	size_t parent = any_parent(m);
	const char *name = any_name(m);
	int want = expect_make(m, parent, name);

	if (m->n_nodes == N_NODES)
		return;
	compare(m, "make",
		CHANGE(m->f,
		       vault_make(m->f->vault, m->nodes[parent].id, name, &wanted, link ? name : NULL, &got)),
		want);
	if (want < 0)
		return;
	m->nodes[m->n_nodes] = (struct node){
		.id = got.id,
		.type = wanted.mode & S_IFMT,
		.nlink = S_ISDIR(wanted.mode) ? 2 : 1,
		.size = S_ISDIR(wanted.mode) ? 4096
			: link               ? strlen(name)
					     : 0,
	};
	compare_attr(m, &got, &m->nodes[m->n_nodes]);
	add(m, parent, name, m->n_nodes++);
}

static void step_link(struct model *m)
{
	size_t node = any_node(m, false), parent = any_parent(m);
	const char *name = any_name(m);
	int want = expect_link(m, node, parent, name);
	struct vault_attr got;

	compare(m, "link",
		CHANGE(m->f, vault_link(m->f->vault, m->nodes[node].id, m->nodes[parent].id, name, &got)),
		want);
	if (want < 0)
		return;
	m->nodes[node].nlink++;
	compare_attr(m, &got, &m->nodes[node]);
	add(m, parent, name, node);
}

static void step_remove(struct model *m)
{
	bool directory = chance(m, 3) == 0;
	size_t parent = any_parent(m);
	const char *name = name_in(m, parent);
	int want = expect_remove(m, parent, name, directory);
	uint64_t id = m->nodes[parent].id;
	struct vault_attr got;
	struct node *node;

	if (directory)
		compare(m, "rmdir", CHANGE(m->f, vault_rmdir(m->f->vault, id, name, &got)), want);
	else
		compare(m, "unlink", CHANGE(m->f, vault_unlink(m->f->vault, id, name, &got)), want);
	if (want < 0)
		return;
	node = &m->nodes[take(m, parent, name)];
	lose_name(node);
	compare_attr(m, &got, node);
}

static void model_rename(struct model *m, size_t old_parent, const char *old_name, size_t new_parent,
			 const char *new_name, bool exchange, const struct vault_attr *replaced)
{
	size_t from = take(m, old_parent, old_name);
	bool there = find(&m->nodes[new_parent], new_name) != SIZE_MAX;
	size_t to = there ? take(m, new_parent, new_name) : SIZE_MAX;

	add(m, new_parent, new_name, from);
	if (exchange)
		add(m, old_parent, old_name, to);
	else if (there)
		lose_name(&m->nodes[to]);
	if (there && !exchange)
		compare_attr(m, replaced, &m->nodes[to]);
	else
		assert_int_equal(replaced->id, 0);
}

static void step_rename(struct model *m)
{
	size_t old_parent = any_parent(m), new_parent = chance(m, 3) ? any_parent(m) : old_parent;
	const char *old_name = name_in(m, old_parent);
	const char *new_name = chance(m, 2) ? name_in(m, new_parent) : any_name(m);
	unsigned flags = (unsigned[]){ 0, 0, 0, 1, 2, 2, 3, 8 }[chance(m, 8)];
	int want = expect_rename(m, old_parent, old_name, new_parent, new_name, flags);
	struct vault_attr replaced = { .id = 1 };

	compare(m, "rename",
		CHANGE(m->f, vault_rename(m->f->vault, m->nodes[old_parent].id, old_name,
					  m->nodes[new_parent].id, new_name, flags, &replaced)),
		want < 0 ? want : 0);
	if (want == 0)
		model_rename(m, old_parent, old_name, new_parent, new_name, flags & VAULT_RENAME_EXCHANGE,
			     &replaced);
	compare_directory(m, old_parent);
	compare_directory(m, new_parent);
}

static void step_lookup(struct model *m)
{
	size_t parent = any_parent(m), node = SIZE_MAX;
	const char *name = name_in(m, parent);
	int want = expect_lookup(m, parent, name, &node);
	struct vault_attr got;

	compare(m, "lookup", vault_lookup(m->f->vault, m->nodes[parent].id, name, &got), want);
	if (want == 0)
		compare_attr(m, &got, &m->nodes[node]);
}

static void step_purge(struct model *m)
{
	size_t node = chance(m, m->n_nodes);
	struct node *at = &m->nodes[node];

	compare(m, "purge", CHANGE(m->f, vault_purge(m->f->vault, at->id)),
		!at->type   ? -ENOENT
		: at->nlink ? -EBUSY
			    : 0);
	if (at->type && at->nlink == 0)
		at->type = 0;
}

static void step(struct model *m)
{
	size_t which = chance(m, 100);

	if (which < 30)
		step_make(m);
	else if (which < 38)
		step_link(m);
	else if (which < 58)
		step_remove(m);
	else if (which < 80)
		step_rename(m);
	else if (which < 90)
		step_lookup(m);
	else if (which < 94)
		step_purge(m);
	else if (which < 97)
		compare_parent(m, any_node(m, true));
	else
		compare_directory(m, any_parent(m));
}

static void random_calls__do_what_the_model_does(void **state)
{
	const char *given = getenv("VAULTFS_TEST_SEED");
	struct model m = { .f = *state,
			   .seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL) };

	print_message("VAULTFS_TEST_SEED=%u\n", m.seed);
	m.nodes = test_calloc(N_NODES, sizeof(*m.nodes));
	m.nodes[ROOT] = (struct node){ .id = VAULT_ROOT_ID, .type = S_IFDIR, .nlink = 2, .size = 4096 };
	m.n_nodes = 1;
	for (m.step = 0; m.step < N_STEPS; m.step++) {
		step(&m);
		if (m.step % 3000 == 2999)
			fixture_reopen(m.f);
		if (m.step % 1000 == 999)
			compare_all(&m);
	}
	fixture_rebuild(m.f);
	compare_all(&m);
	assert_true(m.n_good > N_STEPS / 4);
	test_free(m.nodes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(random_calls__do_what_the_model_does),
	};

	return cmocka_run_group_tests_name("namespace model", tests, NULL, NULL);
}
