/* torture.h - random changes and reads of two files by two processes, against buffers in memory, which cannot be wrong.
 *
 * The processes take turns; each has several handles and a map of each file. Between rounds nobody has anything open, and
 * something happens to the filesystem: it is mounted anew, or killed right after everything was synced. */
#ifndef VAULTFS_TESTS_TORTURE_H
#define VAULTFS_TESTS_TORTURE_H

#include <stddef.h>
#include <stdint.h>

#include "../random.h"

enum { TORTURE_FILES = 2, TORTURE_FILE_MAX = 3 << 20 };

/* What a handle was opened for. */
enum torture_handle { HANDLE_PLAIN, HANDLE_OTHER, HANDLE_APPEND, HANDLE_DIRECT, TORTURE_HANDLES };

/* What a file must hold; in memory that both processes share. */
struct torture_model {
	size_t size;
	uint8_t bytes[TORTURE_FILE_MAX]; /* zeros from `size` on */
};

struct torture_file {
	char path[4096];
	struct torture_model *model;
	int fds[TORTURE_HANDLES];
	uint8_t *map; /* all of TORTURE_FILE_MAX, whatever the file's size */
};

struct torture {
	struct torture_file files[TORTURE_FILES];
	struct random random; /* of the step */
	unsigned step;
	uint8_t *scratch; /* TORTURE_FILE_MAX bytes, on a page's start */
};

/* Open and map the files, made if need be; and the end of that. */
void torture_open(struct torture *t);
void torture_close(struct torture *t);
void torture_sync(struct torture *t);

/* One step of many kinds, as `t->random` says. */
void torture_step(struct torture *t);

/* Read them as a whole. */
void torture_compare_all(struct torture *t);

_Noreturn void torture_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
