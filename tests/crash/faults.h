/* faults.h - a fixed load on a vault whose system calls fail, and what must hold then.
 *
 * One thread makes changes, each on one file, and notes after each what the files are. So what is found later, whatever
 * failed meanwhile, must be what was noted after one of them, and not before the last sync that succeeded. */
#ifndef VAULTFS_TESTS_FAULTS_H
#define VAULTFS_TESTS_FAULTS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "../random.h"
#include "fault_calls.h"
#include "vault.h"

enum {
	N_FILES = 6,
	FILE_MOST = 320 << 10,	/* bytes */
	NOTES_MOST = 2000,
};

/* What the process that meets faults tells the one that judges; in shared memory. */
struct notes {
	unsigned n;			/* notes taken; the last one is what the files should be now */
	unsigned promised;		/* the note at which the last sync began that succeeded */
	uint64_t files[NOTES_MOST][N_FILES]; /* digests, 0 = not there */
	bool synced_at_end;		/* the last sync of all succeeded */
	unsigned n_errors;		/* calls that failed */
	unsigned long n_counted, n_failed;
	unsigned first_kind;
	char first_path[300];
	bool wrong;
	char message[1000];		/* why it is wrong */
};

struct file_model {
	bool there;
	uint64_t size, mark;
	uint8_t bytes[FILE_MOST];	/* zeros behind the size */
};

struct load {
	struct vault *vault;
	struct notes *notes;
	struct random random;
	struct vault_file *open[N_FILES];	/* NULL: not open */
	int error;				/* the errno that is injected */
	bool no_more_syncs;			/* a failed flush was told: nothing may be promised any more */
	bool follows;				/* search.db is written, too; nothing of it may fail anything else */
	struct file_model files[N_FILES];
};

/* Something that must hold does not; the first one is kept. */
void wrong(struct notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Take a note: the files as they should be now. */
void load_note(struct load *load);

/* Open the vault at `path` with its background threads stopped: the load does their work.  The vault's errno. */
int load_open(struct load *load, const char *path);
int load_close(struct load *load);

/* So many random changes, some of them syncs. */
void load_run(struct load *load, unsigned n);

/* One sync, judged. True if it succeeded. */
bool load_sync(struct load *load);

/* Read all files and compare. Where calls may fail, what they give must still be right. */
void load_compare(struct load *load, bool may_fail);

/* Digests of what a vault holds. False if something cannot be read. */
bool load_look(struct vault *vault, uint64_t ret[N_FILES]);

#endif
