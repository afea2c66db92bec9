/* power_plan.h - where and how the power is cut. See power.h. */
#ifndef VAULTFS_TESTS_POWER_PLAN_H
#define VAULTFS_TESTS_POWER_PLAN_H

#include "power.h"

/* What stands at a cut; each kind gets its share of them. */
enum cut_kind {
	CUT_PACK_FLUSH,
	CUT_PACKS_DIRECTORY_FLUSH,
	CUT_LOG_FLUSH,
	CUT_DATABASE_FLUSH,
	CUT_SEARCH_FLUSH,
	CUT_DIRECTORY_FLUSH,
	CUT_NEW_PACK, /* its name, and the first writes */
	CUT_PACK_UNLINK,
	CUT_OTHER_NAME, /* of the database, its log, ... */
	CUT_COMMIT,     /* the write of a commit record */
	CUT_PICTURE,
	CUT_SEAL,       /* also of the index before it */
	CUT_CHECKPOINT, /* a write of the database itself */
	CUT_CREATION,   /* before the vault was made */
	CUT_ANY,
	N_CUT_KINDS
};

struct cut {
	unsigned number;
	size_t at; /* entries of the log before it happened */
	enum cut_kind kind;
	struct disk_choice choice;
	unsigned again;
	bool killed; /* no power cut but a kill; that comes `again` */
};

struct plan {
	const struct story *story;
	const struct disk_log *log;
	bool (*ignored)(const struct disk_log *log, size_t entry); /* flushes that do nothing; NULL: none */
	struct cut *cuts;                                          /* in the order of `at` */
	size_t n;
};

/* `n` states, some of them of cuts during the opening of another one. Half of the cuts stand at particular places, in equal
 * shares; the others anywhere. */
struct plan plan_make(const struct story *story, const struct disk_log *log, unsigned n, uint64_t seed);

/* Cuts behind flushes of one kind that did nothing. */
struct plan plan_lie(const struct story *story, const struct disk_log *log, unsigned kind, unsigned n,
		     uint64_t seed);
extern const unsigned plan_n_lies;
const char *plan_lie_name(unsigned kind);

void plan_release(struct plan *plan);
const char *plan_kind(enum cut_kind kind);

/* The entries before `at`, and how many places of each kind the log has. */
void plan_show(const struct plan *plan, size_t at);
void plan_print(const struct plan *plan);

#endif
