/* twin_make.c - lists of operations from a seed. Names are few and trees are flat, so that most calls meet something. */
#include "twin.h"

#include <string.h>

const struct twin_call *const twin_groups[] = { twin_name_calls,
						twin_data_calls,
						twin_space_calls,
						twin_attribute_calls,
						twin_listing_calls,
						twin_process_calls,
						NULL };
const struct twin_call twin_remount = { .name = "remount" };

static void add(char path[TWIN_TEXT], const char *text)
{
	size_t at = strlen(path);

	snprintf(path + at, TWIN_TEXT - at, "%s", text);
}

/* a and b are files more often than not, c and d directories. Now and then something odd stands in a name's place. */
static void add_name(struct twin_maker *maker, char path[TWIN_TEXT], enum twin_kind kind)
{
	static const char *const odd[] = { ".", "..", "..", "@255", "@256", "@b", "@200" };
	bool any = kind == TWIN_ANY || random_below(&maker->random, 12) == 0;
	size_t letter = any ? random_below(&maker->random, 4)
			    : random_below(&maker->random, 2) + (kind == TWIN_DIRECTORY ? 2 : 0);
	char name[2] = { (char)('a' + letter), '\0' };
	const char *text = name;

	if (random_below(&maker->random, 40) == 0)
		text = odd[random_below(&maker->random, sizeof odd / sizeof *odd)];
	if (maker->plain && strcmp(text, "..") == 0)
		text = ".";
	add(path, text);
}

/* Where a path begins: mostly where the process is, else in its own or in the shared part of the tree. */
static void add_start(struct twin_maker *maker, char path[TWIN_TEXT])
{
	size_t pick = random_below(&maker->random, 10);
	char own[16];

	if (pick < 3) {
		add(path, "/shared/");
	} else if (pick < 5) {
		snprintf(own, sizeof own, "/own%u/", maker->process);
		add(path, own);
	} else if (pick == 5 && random_below(&maker->random, 10) == 0) {
		add(path, "/");
	}
}

void twin_make_path(struct twin_maker *maker, char path[TWIN_TEXT], enum twin_kind kind)
{
	static const size_t depths[] = { 1, 1, 1, 1, 2, 2, 3 };
	size_t depth = depths[random_below(&maker->random, sizeof depths / sizeof *depths)];
	size_t odd = random_below(&maker->random, 200);

	*path = '\0';
	if (odd == 0)
		return;
	if (odd == 1) {
		add(path, "@p");
		return;
	}
	add_start(maker, path);
	for (size_t i = 0; i < depth; i++) {
		if (i > 0)
			add(path, odd == 2 ? "//" : "/");
		add_name(maker, path, i + 1 < depth ? TWIN_DIRECTORY : kind);
	}
	if (odd >= 3 && odd < 8)
		add(path, "/");
}

/* Directories are kept in the last two, mostly. */
int twin_make_slot(struct twin_maker *maker, enum twin_kind kind)
{
	if (kind == TWIN_ANY || random_below(&maker->random, 8) == 0)
		return (int)random_below(&maker->random, TWIN_SLOTS);
	return kind == TWIN_DIRECTORY ? TWIN_SLOTS - 2 + (int)random_below(&maker->random, 2)
				      : (int)random_below(&maker->random, TWIN_SLOTS - 2);
}

void twin_make_at(struct twin_maker *maker, int *dir, char path[TWIN_TEXT], enum twin_kind kind)
{
	*dir = random_below(&maker->random, 5) ? TWIN_CWD : twin_make_slot(maker, TWIN_DIRECTORY);
	twin_make_path(maker, path, kind);
}

static unsigned total_weight(void)
{
	unsigned total = 0;

	for (size_t group = 0; twin_groups[group]; group++) {
		for (const struct twin_call *call = twin_groups[group]; call->name; call++)
			total += call->weight;
	}
	return total;
}

static const struct twin_call *pick_call(struct twin_maker *maker)
{
	size_t pick = random_below(&maker->random, total_weight());

	for (size_t group = 0; twin_groups[group]; group++) {
		for (const struct twin_call *call = twin_groups[group]; call->name; call++) {
			if (pick < call->weight)
				return call;
			pick -= call->weight;
		}
	}
	return &twin_remount;
}

static void make_one(struct twin_maker *maker, struct twin_op *op)
{
	*op = (struct twin_op){ .dir = TWIN_CWD, .dir2 = TWIN_CWD };
	/* Runs of calls by one process are more like life, and quicker, than a change of turns at every call. */
	if (random_below(&maker->random, 3) == 0)
		maker->process = (unsigned)random_below(&maker->random, maker->n_processes);
	op->process = maker->process;
	op->call = pick_call(maker);
	op->watch = random_below(&maker->random, maker->watch_every) == 0;
	op->call->make(maker, op);
}

/* Now and then the ground changes: all caches are dropped, or the vault is mounted anew. */
static const struct twin_call *upheaval_at(const struct twin_maker *maker, size_t number)
{
	if (maker->remount_every == 0 || number % (maker->remount_every / 2) != 0)
		return NULL;
	return number % maker->remount_every == 0 ? &twin_remount : &twin_drop_caches;
}

void twin_make(struct twin_maker *maker, struct twin_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct twin_call *upheaval = upheaval_at(maker, i + 1);

		make_one(maker, &ops[i]);
		if (upheaval)
			ops[i] = (struct twin_op){ .call = upheaval, .dir = TWIN_CWD, .dir2 = TWIN_CWD };
	}
}
