/* power.h - cut the power at any write: what each part of the test knows of the others.
 *
 * A load changes a vault, one call after the other, while the interposer (interpose.h) notes what reaches the disk. After
 * each call the load says how the whole tree is then: a moment. Marks in the log tell which calls had begun and which
 * moment was promised to be kept. From the log come states of the disk (disk.h); each is opened, and must show one of the
 * moments between the last promise and the last call begun, all of it and nothing else. */
#ifndef VAULTFS_TESTS_POWER_H
#define VAULTFS_TESTS_POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../random.h"
#include "disk.h"
#include "vault.h"

/* ---- power_tree.c: how a tree is at one moment ---- */

/* A line for each name: path, attributes, digests of content and xattrs; sorted. Lines are shared: equal ones are the
 * same pointer, so that trees are compared quickly. */
struct tree {
	const char **lines;
	size_t n, room;
};

/* Also birth times, which a mount does not show. */
#define TREE_BIRTH 1u

struct tree_xattr {
	const char *name;
	const void *value;
	size_t size;
};

/* Add the line of `path` ("" is the root). `content` is a digest of the bytes of a file, or of a link's target.
 * `xattrs` stand in any order. */
void tree_add(struct tree *tree, const char *path, const struct vault_attr *attr, uint64_t content,
	      const struct tree_xattr *xattrs, size_t n_xattrs, unsigned flags);
void tree_sort(struct tree *tree);
void tree_release(struct tree *tree);
bool tree_equal(const struct tree *a, const struct tree *b);
uint64_t tree_digest(const void *bytes, size_t size);

/* Read all that a vault shows. 0, or the errno of what could not be read, said in `ret_message`. */
int tree_read(struct vault *vault, unsigned flags, struct tree *ret, char *ret_message, size_t size);

/* How many lines differ, and up to three of them in words. */
size_t tree_compare(const struct tree *found, const struct tree *wanted, char *ret_message, size_t size);

/* ---- the story of a load ---- */

struct story {
	struct tree *moments;
	size_t n, room;
	unsigned flags; /* TREE_BIRTH */
	int64_t kept;   /* the moment promised before the log begins; -1: not even a vault */
};

enum mark_kind {
	MARK_BEGIN = 1, /* the call begins that makes moment `moment` */
	MARK_PROMISE,   /* moment `moment` is kept from now on */
};

struct mark {
	uint64_t kind, moment;
};

/* Append to the log; the number of the moment that the story's last one is, or will be. */
void story_begin(const struct story *story);
void story_promise(const struct story *story);
struct tree *story_add(struct story *story); /* an empty one, to be filled */
void story_release(struct story *story);

/* ---- the load: power_load.c, and what it drives ---- */

/* Calls on paths below the root, 0 or a negative errno each. */
struct driver {
	int (*make)(void *context, const char *path, uint32_t mode, const char *target);
	int (*link)(void *context, const char *from, const char *to);
	int (*unlink)(void *context, const char *path, bool hold); /* hold: keep it open for a while */
	int (*rmdir)(void *context, const char *path);
	int (*rename)(void *context, const char *from, const char *to,
		      unsigned flags); /* enum vault_rename_flags */
	int (*write)(void *context, const char *path, uint64_t offset, const void *data, size_t size);
	int (*truncate)(void *context, const char *path, uint64_t size);
	int (*punch)(void *context, const char *path, uint64_t offset, uint64_t length);
	int (*copy)(void *context, const char *from, uint64_t from_offset, const char *to, uint64_t to_offset,
		    uint64_t length, uint64_t *ret_copied);
	int (*chmod)(void *context, const char *path, uint32_t mode);
	int (*set_time)(void *context, const char *path, int64_t mtime_ns);
	int (*set_xattr)(void *context, const char *path, const char *name, const void *value,
			 size_t size);                /* NULL: remove */
	int (*sync)(void *context, const char *path); /* NULL: all */
	int (*stat)(void *context, const char *path, struct vault_attr *ret);
};

struct load;

/* A load on an empty tree. All are borrowed. */
struct load *load_new(const struct driver *driver, void *context, struct story *story, uint64_t seed);
void load_free(struct load *load);

/* `n` random calls. */
void load_run(struct load *load, unsigned n);

/* `n` files of a megabyte, written and removed: so that whole packs die. */
void load_churn(struct load *load, unsigned n);

/* The tree of the story's last moment, with content, is what the vault shows; exits with a message otherwise. */
void load_verify(struct load *load, struct vault *vault);

/* ---- power_vault.c: the store's library as a driver ---- */

extern const struct driver vault_driver;

struct vault_driver_context {
	struct vault *vault;
	struct vault_file *held[4];    /* open files: the next write may go on in one */
	struct vault_file *orphans[4]; /* unlinked, and open here */
	unsigned next;
	unsigned n_syncs;
};

/* Close what is held, before the vault is closed. */
void vault_driver_release(struct vault_driver_context *context);

/* ---- power_mount.c: system calls as a driver ---- */

extern const struct driver mount_driver;

struct mount_driver_context {
	const char *mount_point;
	int mount_fd;
	int held[4]; /* open files, 0 = none */
	unsigned next;
};

void mount_driver_release(struct mount_driver_context *context);

/* ---- power_check.c: one state ---- */

/* What may be there after a cut: moments[first] to moments[last] of the story; first -1: perhaps no vault at all. */
struct expectation {
	const struct story *story;
	int64_t first, last;
};

#define STATE_MESSAGE 4096u

/* Open the vault at `path`, compare, write on, and compare again. True: as it must be, and *ret_moment says which moment
 * it was (-1: there was no vault yet). `again` > 0: cut the power in between so many times more, in `work`. `killed`: the
 * state is what a killed process left, all of it, which is not all flushed yet; half of these are rebuilt first. */
bool state_check(const char *path, const struct expectation *expected, unsigned again,
		 const struct disk *killed, const char *work, uint64_t seed, int64_t *ret_moment,
		 char *ret_message);

/* What the log says before entry `at`. */
struct expectation story_expect(const struct story *story, const struct disk_log *log, size_t at);

void remove_tree(const char *path);

#endif
