/* twin.h - the same calls on two filesystems: made up front from a seed, played on each, and every answer compared.
 *
 * A run is a list of operations. Each belongs to one of a few processes, which have descriptors, a directory, owner ids
 * and a umask of their own; a token gives them their turns, so that the list's order is the order of the calls. An answer
 * is text in which nothing is left that may differ between two right filesystems. As the whole list is there before the
 * first call, any part of it can be played too: so a failing list is cut down to a short one. */
#ifndef VAULTFS_TESTS_TWIN_H
#define VAULTFS_TESTS_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "../random.h"

enum {
	TWIN_PROCESSES = 4,
	TWIN_SLOTS = 6,   /* places for descriptors a process has */
	TWIN_TEXT = 48,   /* bytes of a path as it stands in a list */
	TWIN_PATH = 8192, /* bytes of a path as it is passed on */
	TWIN_ANSWER = 256,
	TWIN_IO_MAX = 128 << 10,
	TWIN_CWD = -1, /* for `dir`: the current directory, not a slot */
};

struct twin_call;

struct twin_op {
	const struct twin_call *call;
	unsigned process;
	bool watch;      /* what it touches is looked at before and after */
	int slot, slot2; /* descriptors */
	int dir, dir2;   /* slots from which path and path2 lead, or TWIN_CWD */
	unsigned flags, mode;
	int64_t offset, offset2, length;
	char path[TWIN_TEXT], path2[TWIN_TEXT];
};

struct twin_answer {
	char text[TWIN_ANSWER];
	size_t size;
};

/* What a process has while it plays. */
struct twin_player {
	unsigned number;
	int slots[TWIN_SLOTS]; /* -1: empty */
	int root;              /* the tree's root */
	int caches;            /* /proc/sys/vm/drop_caches, or -1 */
	const char *prefix;    /* what stands for a leading '/': "" in a process that has changed its root */
	struct timespec begin; /* times after this are "now" */
	void (*tick)(void);    /* as in the stage */
	uint8_t *buffer;       /* TWIN_IO_MAX bytes */
};

/* How lists are made. */
struct twin_maker {
	struct random random;
	unsigned n_processes;
	bool plain;           /* not root: no change of owner ids, no path that could leave the tree */
	unsigned watch_every; /* one of so many operations is watched */
	unsigned remount_every;
	bool for_noise;   /* by processes that heed nobody: no maps, which may end beyond the file's end */
	unsigned process; /* of the operation being made */
};

struct twin_call {
	const char *name;
	unsigned weight; /* how often, of a thousand or so; 0 = not at random */
	void (*make)(struct twin_maker *maker, struct twin_op *op);
	void (*run)(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer);
};

/* By what they are about; each ends with a row without a name. */
extern const struct twin_call twin_name_calls[], twin_data_calls[], twin_space_calls[],
	twin_attribute_calls[], twin_listing_calls[], twin_process_calls[];
extern const struct twin_call *const twin_groups[]; /* all of them, then NULL */
/* No call: everybody ends, the vault is mounted anew, new ones begin. */
extern const struct twin_call twin_remount;
extern const struct twin_call twin_drop_caches;

/* ---- lists ---- */

void twin_make(struct twin_maker *maker, struct twin_op *ops, size_t n);
void twin_print(FILE *out, const struct twin_op *op);
/* An empty line or one with a # yields false; what is no operation ends the program. */
bool twin_parse(const char *line, struct twin_op *ret);

/* For make(): a path, a slot, what an at-call starts from; likely ones for what they are wanted for. */
enum twin_kind { TWIN_ANY, TWIN_FILE, TWIN_DIRECTORY };
void twin_make_path(struct twin_maker *maker, char path[TWIN_TEXT], enum twin_kind kind);
void twin_make_at(struct twin_maker *maker, int *dir, char path[TWIN_TEXT], enum twin_kind kind);
int twin_make_slot(struct twin_maker *maker, enum twin_kind kind);

/* ---- answers ---- */

void twin_say(struct twin_answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The number, or the name of errno. */
void twin_say_result(struct twin_answer *answer, long result);
/* 0 or an errno. */
void twin_say_error(struct twin_answer *answer, long result);
void twin_say_bytes(struct twin_answer *answer, const void *bytes, size_t size);
/* All of a stat that two filesystems share; `player` knows what "now" is. */
void twin_say_stat(struct twin_answer *answer, const struct twin_player *player, const struct statx *st);

/* ---- the players' side ---- */

int twin_slot(const struct twin_player *player, int slot);
void twin_put_slot(struct twin_player *player, int slot, int fd);
/* `dir` as a descriptor for an at-call. */
int twin_dir(const struct twin_player *player, int dir);
/* A path of a list made into one for a call: @255 is a name of 255 letters, @p more than 4095 bytes, @b odd bytes. */
const char *twin_path(const struct twin_player *player, const char *text, char buffer[TWIN_PATH]);

/* Do the operation, watched if it says so. */
void twin_do(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer);

struct twin_stage {
	const char *root;    /* an empty directory */
	const char *remount; /* a command, or NULL */
	unsigned n_processes;
	struct timespec begin;
	void (*tick)(
		void); /* waits until a change gets another time than before; NULL where it always does */
	bool free_running; /* no turns: each process has a tree of its own, beside one in which two more make noise */
	const struct twin_op *noise;
	size_t n_noise;
};

/* Play the list; answers[i] is what ops[i] said. They lie in memory that processes share. */
void twin_play(const struct twin_stage *stage, const struct twin_op *ops, size_t n,
	       struct twin_answer *answers);

/* ---- two trees ---- */

struct twin_pair {
	struct twin_stage oracle, vault; /* their roots are where directories for runs are made */
	const char *treesum;
	unsigned n_runs;
	struct twin_answer *oracle_answers, *vault_answers; /* of the last run */
};

/* Play on both. Returns the place of the first operation that was answered differently; `n` when only the trees differ at the
 * end; SIZE_MAX when nothing does. `keep` leaves the trees. */
size_t twin_compare(struct twin_pair *pair, const struct twin_op *ops, size_t n, bool keep);

/* Take away from ops[0..n) what is not needed for a difference. Returns how many are left. */
size_t twin_minimise(struct twin_pair *pair, struct twin_op *ops, size_t n);

_Noreturn void twin_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
