/* fixture.h - a new, empty vault in a work directory of its own, for tests of what stands in the database.
 *
 * `cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)`; the test finds a struct fixture in *state.
 * Changes run between vault_change_begin() and vault_change_end(): CHANGE(fixture, call) does that around one call. */
#ifndef VAULTFS_TEST_FIXTURE_H
#define VAULTFS_TEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library.h"
#include "vault.h"

struct fixture {
	struct vault *vault;
	char directory[256]; /* the work directory */
	char path[300];      /* of the vault in it */
};

/* A call that changes something, within a change of its own. */
#define CHANGE(fixture, call)                            \
	__extension__({                                  \
		vault_change_begin((fixture)->vault, 0); \
		__auto_type result_ = (call);            \
		vault_change_end((fixture)->vault);      \
		result_;                                 \
	})

static inline void fixture_open(struct fixture *fixture)
{
	assert_int_equal(vault_open(fixture->path, NULL, &fixture->vault), 0);
}

static inline void fixture_reopen(struct fixture *fixture)
{
	struct vault *vault = fixture->vault;

	fixture->vault = NULL;
	assert_int_equal(vault_close(vault), 0);
	fixture_open(fixture);
}

/* Throw the database away and derive it anew from the packs. */
static inline void fixture_rebuild(struct fixture *fixture)
{
	struct vault *vault = fixture->vault;

	fixture->vault = NULL;
	assert_int_equal(vault_close(vault), 0);
	assert_int_equal(vault_rebuild(fixture->path, 0), 0);
	fixture_open(fixture);
}

static inline int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const char *tmp = getenv("TMPDIR");

	if (!fixture)
		return -1;
	*state = fixture;
	(void)snprintf(fixture->directory, sizeof(fixture->directory), "%s/vaultfs-test-XXXXXX",
		       tmp ? tmp : "/tmp");
	if (!mkdtemp(fixture->directory))
		return -1;
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/test.vault", fixture->directory);
	if (vault_create(fixture->path, NULL) != 0)
		return -1;
	return vault_open(fixture->path, NULL, &fixture->vault);
}

static inline int fixture_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;
	int r = fixture->vault ? vault_close(fixture->vault) : 0;

	if (nftw(fixture->directory, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		r = -1;
	free(fixture);
	return r;
}

#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

/* Make an inode of `mode` that must succeed; its attributes. `target` for symbolic links. */
static inline struct vault_attr fixture_make(struct fixture *fixture, uint64_t parent, const char *name,
					     uint32_t mode, const char *target)
{
	struct vault_attr wanted = { .mode = mode, .uid = 1000, .gid = 1000 };
	struct vault_attr made = { 0 };

	assert_int_equal(CHANGE(fixture, vault_make(fixture->vault, parent, name, &wanted, target, &made)),
			 0);
	return made;
}

static inline uint64_t fixture_file(struct fixture *fixture, uint64_t parent, const char *name)
{
	return fixture_make(fixture, parent, name, S_IFREG | 0644, NULL).id;
}

static inline uint64_t fixture_directory(struct fixture *fixture, uint64_t parent, const char *name)
{
	return fixture_make(fixture, parent, name, S_IFDIR | 0755, NULL).id;
}

static inline struct vault_attr fixture_attr(struct fixture *fixture, uint64_t id)
{
	struct vault_attr attr = { 0 };

	assert_int_equal(vault_getattr(fixture->vault, id, &attr), 0);
	return attr;
}

/* What an indexer that knows types only would say. Within a change. */
static inline int vault_set_mime(struct vault *vault, uint64_t id, const char *mime)
{
	const struct vault_content content = { .mime = mime };

	return vault_set_content(vault, id, &content);
}

static inline void fixture_announced(void *context, uint64_t id)
{
	(void)id;
	(void)sem_post(context);
}

/* Write `bytes` at the start of a file, close it, and wait until its change was announced: the next commit queues it. */
static inline void fixture_write(struct fixture *fixture, uint64_t id, const void *bytes, size_t size)
{
	struct vault_file *file = NULL;
	sem_t announced;

	assert_int_equal(sem_init(&announced, 0, 0), 0);
	vault_on_content_changed(fixture->vault, fixture_announced, &announced);
	assert_int_equal(vault_file_open(fixture->vault, id, &file), 0);
	assert_int_equal(CHANGE(fixture, vault_write(file, 0, bytes, size, 0)), 0);
	vault_file_close(file);
	while (sem_wait(&announced) != 0)
		;
	vault_on_content_changed(fixture->vault, NULL, NULL);
	(void)sem_destroy(&announced);
}

#endif
