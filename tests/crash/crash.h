/* crash.h - writers whose every call is logged, and the question which moment of that log a filesystem shows.
 *
 * Each writer works alone in a directory of its own, one call after the other, each of them one request to the daemon.
 * So what is found after a crash must be, for every writer, the state after exactly k of its calls; and since a vault
 * comes back as it was at one moment, there must be one time for all writers that fits each k: later than the start of
 * the last call that is in, earlier than the end of the first that is not. */
#ifndef VAULTFS_TESTS_CRASH_H
#define VAULTFS_TESTS_CRASH_H

#include "../random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	N_WRITERS = 3,
	N_SLOTS = 16,
	N_DIRECTORIES = 4,
	N_BLOCKS = 64,
	BLOCK_SIZE = 4096,
	STEP_BLOCKS = 16,
	MESSAGE_SIZE = 2048,
};

/* A block of a file, as one write made it. Zero: a hole. */
struct block {
	uint64_t id; /* number of the write and of the block in the file it was made for */
	uint64_t
		length; /* bytes of it that are there; a truncate may have cut the rest, which is zeros then */
};

struct slot {
	uint64_t there; /* 0 or 1; all else is 0 when it is not there */
	uint64_t directory;
	uint64_t number; /* the second part of its name */
	uint64_t size;
	uint64_t mark; /* the number kept as an xattr, 0 = none */
	struct block blocks[N_BLOCKS];
};

/* All that one writer's directory holds. Compared with memcmp: no padding, unused parts are zero. */
struct state {
	uint64_t directories[N_DIRECTORIES]; /* the second parts of their names */
	struct slot slots[N_SLOTS];
};

enum call_kind {
	CALL_CREATE,
	CALL_WRITE,
	CALL_TRUNCATE,
	CALL_RENAME,
	CALL_RENAME_OVER,
	CALL_EXCHANGE,
	CALL_UNLINK,
	CALL_COPY,
	CALL_MARK,
	CALL_RENAME_DIRECTORY,
	CALL_FSYNC,
	CALL_FSYNC_DIRECTORY,
};

struct call {
	enum call_kind kind;
	unsigned slot, other; /* which files; `slot` is the directory's index for CALL_RENAME_DIRECTORY */
	unsigned directory;   /* where to */
	unsigned first, other_first, count; /* blocks */
	uint64_t size;
	uint64_t number;   /* of this call; unique for the writer, never 0 */
	double start, end; /* seconds; end is INFINITY when it never returned */
};

struct writer {
	unsigned index;
	char path[512]; /* its directory */
	struct random random;
	uint64_t next_number;
	struct state base;  /* at the start of the round */
	struct state now;   /* after all calls so far */
	struct call *calls; /* of this round */
	size_t n_calls, calls_size;
	int fds[N_SLOTS];         /* -1, or open */
	double fsync_start;       /* of the last fsync that returned; -INFINITY */
	char error[MESSAGE_SIZE]; /* what went wrong otherwise than by the daemon's death */
	const bool *stop;         /* set by the one who runs the round; read atomically */
};

double crash_now(void);

/* ---- crash_state.c ---- */

/* What a call makes of a state. */
void state_apply(struct state *state, const struct call *call);

void state_slot_name(const struct state *state, unsigned slot, char *ret_name, size_t size);
void state_directory_name(const struct state *state, unsigned directory, char *ret_name, size_t size);

/* The BLOCK_SIZE bytes of a block. */
void block_fill(unsigned writer, uint64_t id, uint8_t *ret_bytes);

/* What is in the writer's directory. False, with a message, when it is nothing that any sequence of calls can make. */
bool state_read(const struct writer *w, struct state *ret, char *ret_message);

/* How many files two states have different, and the first of them in words. */
unsigned state_compare(const struct state *found, const struct state *wanted, char *ret_message);

/* ---- crash_load.c ---- */

/* Make the writer's directory with its empty subdirectories. */
bool writer_init(struct writer *w, unsigned index, const char *top, uint64_t seed);

/* A thread: calls until `stop` is set or the daemon is gone. */
void *writer_run(void *writer);

/* Start the next round from what was found. */
void writer_restart(struct writer *w, const struct state *found);

void writer_release(struct writer *w);

/* ---- crash_check.c ---- */

/* Does what the writers' directories show fit one moment, not before `earliest` and not before any returned fsync?
 * Leaves what was found in `ret_found`, one state for each writer. False: `ret_message` says why not. */
bool check_one_moment(struct writer *writers, double earliest, struct state *ret_found, char *ret_message);

#endif
