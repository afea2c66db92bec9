/* power_plan.c - where and how the power is cut. See power_plan.h. */
#include "power_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

#define FIRST_WRITES 6u /* of a new pack that count as such */
#define AGAIN_EVERY 12u
#define AGAIN 6u

static const char *const kind_names[N_CUT_KINDS] = {
	[CUT_PACK_FLUSH] = "flush of a pack",
	[CUT_PACKS_DIRECTORY_FLUSH] = "flush of packs/",
	[CUT_LOG_FLUSH] = "flush of the database's log",
	[CUT_DATABASE_FLUSH] = "flush of the database",
	[CUT_SEARCH_FLUSH] = "flush of search.db or its log",
	[CUT_DIRECTORY_FLUSH] = "flush of the vault's directory",
	[CUT_NEW_PACK] = "first writes of a pack",
	[CUT_PACK_UNLINK] = "unlink of a pack",
	[CUT_OTHER_NAME] = "change of another name",
	[CUT_COMMIT] = "commit record",
	[CUT_PICTURE] = "picture",
	[CUT_SEAL] = "seal of a pack",
	[CUT_CHECKPOINT] = "checkpoint",
	[CUT_CREATION] = "creation of the vault",
	[CUT_ANY] = "anywhere",
};

const char *plan_kind(enum cut_kind kind)
{
	return kind_names[kind];
}

/* ---- what stands where ---- */

enum file_class { CLASS_PACK, CLASS_PACKS, CLASS_LOG, CLASS_DATABASE, CLASS_SEARCH, CLASS_VAULT, CLASS_ABOVE, CLASS_OTHER };

static bool ends_in(const char *name, const char *end)
{
	size_t size = strlen(name), end_size = strlen(end);

	return size >= end_size && strcmp(name + size - end_size, end) == 0;
}

static enum file_class class_of_name(const char *name)
{
	if (ends_in(name, ".pack"))
		return CLASS_PACK;
	if (strcmp(name, "packs") == 0)
		return CLASS_PACKS;
	if (strncmp(name, "search.db", 9) == 0)
		return CLASS_SEARCH;
	if (ends_in(name, "-wal"))
		return CLASS_LOG;
	if (strncmp(name, "vault.db", 8) == 0 && !ends_in(name, "-shm"))
		return CLASS_DATABASE;
	if (ends_in(name, ".vault"))
		return CLASS_VAULT;
	return *name ? CLASS_OTHER : CLASS_ABOVE;
}

static enum file_class class_of(const struct disk_log *log, size_t at)
{
	return class_of_name(disk_log_name(log, at, log->entries[at].head.file));
}

/* The type of the record that a write of a pack begins with; 0 none. */
static uint8_t record_type(const struct disk_entry *e)
{
	struct record record;

	return e->head.data_size >= RECORD_HEADER_SIZE && record_decode(e->data, &record) == 0 ? record.type
											       : 0;
}

static enum cut_kind kind_of_flush(enum file_class class)
{
	switch (class) {
	case CLASS_PACK:
		return CUT_PACK_FLUSH;
	case CLASS_PACKS:
		return CUT_PACKS_DIRECTORY_FLUSH;
	case CLASS_LOG:
		return CUT_LOG_FLUSH;
	case CLASS_DATABASE:
		return CUT_DATABASE_FLUSH;
	case CLASS_SEARCH:
		return CUT_SEARCH_FLUSH;
	default:
		return CUT_DIRECTORY_FLUSH;
	}
}

static enum cut_kind kind_of_write(enum file_class class, const struct disk_entry *e)
{
	uint8_t type = class == CLASS_PACK ? record_type(e) : 0;

	if (class == CLASS_DATABASE)
		return CUT_CHECKPOINT;
	if (type == RECORD_COMMIT)
		return CUT_COMMIT;
	if (type == RECORD_PICTURE)
		return CUT_PICTURE;
	return type == RECORD_INDEX || type == RECORD_SEAL ? CUT_SEAL : CUT_ANY;
}

/* What entry `at` is. */
static enum cut_kind kind_of_entry(const struct disk_log *log, size_t at)
{
	const struct disk_entry *e = &log->entries[at];
	bool of_pack = e->head.name_size > 5 && memcmp(e->name + e->head.name_size - 5, ".pack", 5) == 0;

	switch (e->head.kind) {
	case LOG_SYNC_BEGIN:
	case LOG_SYNC_END:
		return kind_of_flush(class_of(log, at));
	case LOG_CREATE:
	case LOG_MKDIR:
		return of_pack ? CUT_NEW_PACK : CUT_OTHER_NAME;
	case LOG_UNLINK:
	case LOG_RENAME:
		return of_pack ? CUT_PACK_UNLINK : CUT_OTHER_NAME;
	case LOG_WRITE:
		return kind_of_write(class_of(log, at), e);
	default:
		return CUT_ANY;
	}
}

/* ---- places ---- */

struct places {
	size_t *places;
	size_t n, room;
};

static void places_add(struct places *places, size_t at)
{
	if (places->n == places->room) {
		places->room = places->room ? 2 * places->room : 64;
		places->places = disk_resize(places->places, places->room, sizeof(*places->places));
	}
	places->places[places->n++] = at;
}

static bool is_promise(const struct disk_entry *e)
{
	struct mark mark;

	if (e->head.kind != LOG_MARK || e->head.data_size != sizeof(mark))
		return false;
	memcpy(&mark, e->data, sizeof(mark));
	return mark.kind == MARK_PROMISE;
}

/* Before and behind whatever is of a kind. */
static void gather(const struct story *story, const struct disk_log *log, struct places places[N_CUT_KINDS])
{
	bool created = story->kept >= 0;
	unsigned first_writes = 0;

	for (size_t i = log->begin; i < log->n; i++) {
		enum cut_kind kind = kind_of_entry(log, i);

		created = created || is_promise(&log->entries[i]);
		if (kind == CUT_NEW_PACK)
			first_writes = FIRST_WRITES;
		else if (kind == CUT_ANY && first_writes > 0 && log->entries[i].head.kind == LOG_WRITE) {
			first_writes--;
			kind = CUT_NEW_PACK;
		}
		if (!created)
			kind = CUT_CREATION;
		if (kind == CUT_ANY)
			continue;
		places_add(&places[kind], i);
		places_add(&places[kind], i + 1);
	}
}

/* ---- plans ---- */

static int compare_cuts(const void *a, const void *b)
{
	const struct cut *first = a, *second = b;

	return first->at < second->at ? -1 : first->at > second->at;
}

static void sort(struct plan *plan)
{
	qsort(plan->cuts, plan->n, sizeof(*plan->cuts), compare_cuts);
	for (size_t i = 0; i < plan->n; i++)
		plan->cuts[i].number = (unsigned)i;
}

/* No power cut but a kill, where the next process is likely to build on what is not flushed. */
static void make_kill(struct cut *cut, const struct places places[N_CUT_KINDS], struct random *random)
{
	static const enum cut_kind kinds[] = { CUT_COMMIT, CUT_PACK_UNLINK, CUT_CHECKPOINT, CUT_PACK_FLUSH };
	enum cut_kind kind = kinds[random_below(random, sizeof(kinds) / sizeof(kinds[0]))];

	cut->killed = true;
	cut->choice.data[0] = cut->choice.data[1] = cut->choice.data[2] = cut->choice.names = FATE_ALL;
	if (places[kind].n == 0)
		return;
	cut->kind = kind;
	cut->at = places[kind].places[random_below(random, places[kind].n)];
}

struct plan plan_make(const struct story *story, const struct disk_log *log, unsigned n, uint64_t seed)
{
	struct plan plan = { .story = story,
			     .log = log,
			     .cuts = disk_resize(NULL, n + 1, sizeof(*plan.cuts)) };
	struct places places[N_CUT_KINDS] = { { .n = 0 } };
	struct random random = { seed };
	unsigned of_kind[N_CUT_KINDS] = { 0 };

	gather(story, log, places);
	for (unsigned left = n; left > 0;) {
		enum cut_kind kind = plan.n % 2 ? CUT_ANY : (enum cut_kind)(plan.n / 2 % CUT_ANY);
		struct cut *cut = &plan.cuts[plan.n];

		if (places[kind].n == 0)
			kind = CUT_ANY;
		*cut = (struct cut){ .kind = kind,
				     .at = log->begin + random_below(&random, log->n - log->begin + 1) };
		if (kind != CUT_ANY)
			cut->at = places[kind].places[random_below(&random, places[kind].n)];
		if (plan.n % AGAIN_EVERY == 0 && left > AGAIN)
			cut->again = AGAIN;
		cut->choice = disk_choose(of_kind[kind]++, random_next(&random));
		if (cut->again > 0 && plan.n / AGAIN_EVERY % 2)
			make_kill(cut, places, &random);
		left -= 1 + cut->again;
		plan.n++;
	}
	for (unsigned i = 0; i < N_CUT_KINDS; i++)
		free(places[i].places);
	sort(&plan);
	return plan;
}

void plan_release(struct plan *plan)
{
	free(plan->cuts);
	*plan = (struct plan){ .n = 0 };
}

/* ---- lies ---- */

static bool ignores_packs(const struct disk_log *log, size_t at)
{
	return class_of(log, at) == CLASS_PACK;
}

static bool ignores_packs_directory(const struct disk_log *log, size_t at)
{
	return class_of(log, at) == CLASS_PACKS;
}

static bool ignores_log(const struct disk_log *log, size_t at)
{
	return class_of(log, at) == CLASS_LOG;
}

static bool ignores_database(const struct disk_log *log, size_t at)
{
	return class_of(log, at) == CLASS_DATABASE;
}

static bool ignores_above(const struct disk_log *log, size_t at)
{
	enum file_class class = class_of(log, at);

	return log->entries[at].head.file != 0 && (class == CLASS_ABOVE || class == CLASS_VAULT);
}

static bool ignores_some(const struct disk_log *log, size_t at)
{
	return class_of(log, at) == CLASS_PACK && at % 4 == 0;
}

static const struct {
	const char *name;
	bool (*ignored)(const struct disk_log *log, size_t at);
	enum cut_kind kind; /* cuts behind these */
} lies[] = {
	{ "packs are never flushed", ignores_packs, CUT_PACK_FLUSH },
	{ "a pack's flush is forgotten now and then", ignores_some, CUT_PACK_FLUSH },
	{ "packs/ is never flushed", ignores_packs_directory, CUT_PACKS_DIRECTORY_FLUSH },
	{ "the database's log is never flushed", ignores_log, CUT_CHECKPOINT },
	{ "the database is never flushed", ignores_database, CUT_DATABASE_FLUSH },
	{ "the directory above is never flushed", ignores_above, CUT_DIRECTORY_FLUSH },
};

const unsigned plan_n_lies = sizeof(lies) / sizeof(lies[0]);

const char *plan_lie_name(unsigned kind)
{
	return lies[kind].name;
}

struct plan plan_lie(const struct story *story, const struct disk_log *log, unsigned kind, unsigned n,
		     uint64_t seed)
{
	struct plan plan = { .story = story,
			     .log = log,
			     .ignored = lies[kind].ignored,
			     .cuts = disk_resize(NULL, n + 1, sizeof(*plan.cuts)) };
	struct places places[N_CUT_KINDS] = { { .n = 0 } };
	const struct places *of_kind = &places[lies[kind].kind];
	struct random random = { seed };

	gather(story, log, places);
	for (; plan.n < n && of_kind->n > 0; plan.n++)
		plan.cuts[plan.n] =
			(struct cut){ .kind = lies[kind].kind,
				      .at = of_kind->places[random_below(&random, of_kind->n)],
				      .choice = disk_choose((unsigned)plan.n, random_next(&random)) };
	for (unsigned i = 0; i < N_CUT_KINDS; i++)
		free(places[i].places);
	sort(&plan);
	return plan;
}

/* ---- for people ---- */

void plan_show(const struct plan *plan, size_t at)
{
	static const char *const words[] = { "",       "write",        "size",       "grow", "zero",
					     "mapped", "create",       "mkdir",      "link", "unlink",
					     "rename", "flush begins", "flush ends", "mark" };

	for (size_t i = at > 12 ? at - 12 : 0; i < at; i++) {
		const struct disk_entry *e = &plan->log->entries[i];

		(void)printf("  %zu %s %s %.*s offset %lu size %lu, %lu bytes\n", i, words[e->head.kind],
			     disk_log_name(plan->log, i, e->head.file), e->head.name_size, e->name,
			     (unsigned long)e->head.offset, (unsigned long)e->head.size,
			     (unsigned long)e->head.data_size);
	}
}

void plan_print(const struct plan *plan)
{
	struct places places[N_CUT_KINDS] = { { .n = 0 } };
	unsigned cuts[N_CUT_KINDS] = { 0 };

	gather(plan->story, plan->log, places);
	for (size_t i = 0; i < plan->n; i++)
		cuts[plan->cuts[i].kind]++;
	(void)printf("a log of %zu entries, %zu moments; cuts by what stands there:\n", plan->log->n,
		     plan->story->n);
	for (unsigned i = 0; i < N_CUT_KINDS; i++) {
		(void)printf("  %-32s %6u cuts, %6zu places\n", kind_names[i], cuts[i],
			     i == CUT_ANY ? plan->log->n : places[i].n);
		free(places[i].places);
	}
}
