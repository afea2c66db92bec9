/* fuzz.h - what the fuzz targets share: reading an input piece by piece, a work directory, and small vaults.
 *
 * A target is one file with LLVMFuzzerTestOneInput(). Built with VAULTFS_FUZZ it is linked with libFuzzer; in every other
 * build with replay.c, which runs the files it is given: so that corpus/ and crashes/ are tests there too. The work
 * directory is made below TMPDIR, best on a tmpfs; nothing of it outlives the process. */
#ifndef VAULTFS_FUZZ_H
#define VAULTFS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "vault.h"

/* Ends the process with a message that libFuzzer takes for a crash: for properties that must hold whatever the input. */
#define FUZZ_CHECK(condition)                                                                         \
	do {                                                                                          \
		if (!(condition)) {                                                                   \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                      \
		}                                                                                     \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* ---- an input, read from the front; past its end come zeros ---- */

struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

static inline size_t fuzz_take(struct fuzz_input *input, void *ret, size_t size)
{
	size_t n = size < input->left ? size : input->left;

	memset(ret, 0, size);
	memcpy(ret, input->at, n);
	input->at += n;
	input->left -= n;
	return n;
}

static inline uint64_t fuzz_number(struct fuzz_input *input, size_t n_bytes)
{
	uint8_t bytes[8] = { 0 };
	uint64_t number = 0;

	(void)fuzz_take(input, bytes, n_bytes);	/* short ones are zeros */
	for (size_t i = n_bytes; i > 0; i--)
		number = number << 8 | bytes[i - 1];
	return number;
}

static inline size_t fuzz_below(struct fuzz_input *input, size_t n)
{
	return (size_t)fuzz_number(input, n > 256 ? 4 : 1) % n;
}

/* Up to `most` bytes of the input, borrowed; *ret_size says how many. */
static inline const uint8_t *fuzz_bytes(struct fuzz_input *input, size_t most, size_t *ret_size)
{
	const uint8_t *bytes = input->at;
	size_t n = fuzz_below(input, most + 1);

	bytes = input->at;
	n = n < input->left ? n : input->left;
	input->at += n;
	input->left -= n;
	*ret_size = n;
	return bytes;
}

/* ---- files ---- */

/* The work directory: made at the first call, removed when the process exits. */
const char *fuzz_directory(void);

/* "DIRECTORY/name", in a buffer that stays until the same name is asked for... four calls later. */
const char *fuzz_path(const char *name);

/* Put `bytes` into a file, or remove it where bytes is NULL. */
void fuzz_write_file(const char *path, const void *bytes, size_t size);

/* All bytes of a file, malloc'ed. */
uint8_t *fuzz_read_file(const char *path, size_t *ret_size);

/* ---- vaults ---- */

/* No lines, no memory statistics; call it first. */
void fuzz_quiet(void);

/* A small vault with some of everything at `path`, made in the same way each time, and closed. `n_commits` of them. */
void fuzz_make_vault(const char *path, unsigned n_commits);

/* Use an open vault in every way: what is there is listed and read, and unless it is read-only changed. `salt` varies it. */
void fuzz_use_vault(struct vault *vault, uint64_t salt);

#endif
