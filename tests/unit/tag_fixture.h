/* tag_fixture.h - for tests of tags and their rules: rows by SQL, lists as text. */
#ifndef VAULTFS_TEST_TAG_FIXTURE_H
#define VAULTFS_TEST_TAG_FIXTURE_H

#include "xattr_fixture.h"

#include "changes.h"
#include "commit.h"
#include "library.h"

/* Change rules by hand, as an older or a hostile program may have. */
static inline void run_sql(struct fixture *f, const char *sql)
{
	pthread_mutex_t *held = NULL;
	int r;

	vault_change_begin(f->vault, 0);
	r = commit_lock(f->vault, &held);
	if (r == 0) {
		r = db_exec(&f->vault->db, sql);
		changes_touch_all_locked(f->vault, true);
		(void)pthread_mutex_unlock(held);
	}
	vault_change_end(f->vault);
	assert_int_equal(r, 0);
}

/* The names of a list, each with a '|' behind it; it is released. */
static inline const char *names_of(struct vault_tags *tags)
{
	static char text[65536];

	text[0] = '\0';
	for (size_t i = 0; i < tags->n; i++)
		(void)strcat(strcat(text, tags->tags[i].name), "|");
	vault_tags_release(tags);
	return text;
}

/* The names of the rows that make a file count as having tag `name`, in the order of their ids. */
static inline const char *matching_rows(struct fixture *f, const char *name)
{
	static char text[4096];
	char sql[100];
	uint64_t *ids = NULL;
	size_t n = 0;

	assert_int_equal(vault_tag_matching(f->vault, name, &ids, &n), 0);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(sql, sizeof(sql), "SELECT name FROM tags WHERE id = %ju", (uintmax_t)ids[i]);
		(void)strcat(text, query(f, sql));
	}
	free(ids);
	return text;
}

#endif
