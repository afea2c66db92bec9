/* test_indexer.c - the indexer: its queue, and what it stores of what its helper process answers.
 *
 * The vault is a fake of five files, so that the test sees what is stored and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "helper.h"
#include "indexer.h"
#include "library.h"
#include "queue.h"
#include "vault.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- queue ---- */

static void queue__is_in_order_without_doubles(void **state)
{
	struct id_queue queue;
	uint64_t ids[4] = { 0 };

	(void)state;
	assert_int_equal(id_queue_init(&queue, 4), 0);
	id_queue_put(&queue, 7, 1);
	id_queue_put(&queue, 5, 2);
	id_queue_put(&queue, 7, 3);
	assert_int_equal(queue.items[queue.first].since_ns, 1);
	assert_int_equal(id_queue_take(&queue, ids, 4), 2);
	assert_int_equal(ids[0], 7);
	assert_int_equal(ids[1], 5);
	assert_int_equal(id_queue_take(&queue, ids, 4), 0);
	id_queue_release(&queue);
}

static void queue__when_full_drops_the_oldest_and_counts_it(void **state)
{
	struct id_queue queue;
	uint64_t ids[4] = { 0 };

	(void)state;
	assert_int_equal(id_queue_init(&queue, 4), 0);
	for (uint64_t id = 1; id <= 6; id++)
		id_queue_put(&queue, id, 0);
	assert_int_equal(queue.n_dropped, 2);
	assert_int_equal(id_queue_take(&queue, ids, 4), 4);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(ids[i], 3 + i);
	id_queue_release(&queue);
}

/* Against a model: a list in the order of arrival. */
static void queue__equals_a_list_over_random_operations(void **state)
{
	enum { CAPACITY = 64, IDS = 150 };
	uint64_t model[CAPACITY];
	size_t n_model = 0;
	struct id_queue queue;

	(void)state;
	srandom(1);
	assert_int_equal(id_queue_init(&queue, CAPACITY), 0);
	for (int round = 0; round < 200000; round++) {
		const uint64_t id = (uint64_t)random() % IDS << 33;
		bool queued = false;
		uint64_t taken;

		if (random() % 5 < 2) {
			assert_int_equal(id_queue_take(&queue, &taken, 1), n_model > 0);
			if (n_model > 0) {
				assert_int_equal(taken, model[0]);
				memmove(model, model + 1, --n_model * sizeof(*model));
			}
			continue;
		}
		for (size_t i = 0; i < n_model; i++)
			queued |= model[i] == id;
		if (!queued && n_model == CAPACITY)
			memmove(model, model + 1, --n_model * sizeof(*model));
		if (!queued)
			model[n_model++] = id;
		id_queue_put(&queue, id, 0);
		assert_int_equal(queue.count, n_model);
	}
	id_queue_release(&queue);
}

/* ---- the indexer on a fake vault ---- */

enum { FAKE_FILES = 5 };

struct vault {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t stored;
	int n_open, n_changes, n_stored;
	bool changing;
	char mime[FAKE_FILES][HELPER_MIME_MAX + 1];
	void (*changed)(void *context, uint64_t id);
	void *context;
};

struct vault_file {
	struct vault *vault;
	uint64_t id;
};

static const char *const fake_content[FAKE_FILES] = { "", "%PDF-1.4\n", "plain words\n", "#!/bin/sh\n",
						      "gone" };

bool vault_is_read_only(const struct vault *vault)
{
	return !vault;
}

void vault_on_content_changed(struct vault *vault, void (*changed)(void *context, uint64_t id), void *context)
{
	vault->changed = changed;
	vault->context = context;
}

int vault_getattr(struct vault *vault, uint64_t id, struct vault_attr *ret)
{
	(void)vault;
	if (id >= FAKE_FILES)
		return -ENOENT;
	*ret = (struct vault_attr){ .id = id,
				    .size = strlen(fake_content[id]),
				    .mode = S_IFREG | 0644,
				    .nlink = strcmp(fake_content[id], "gone") != 0 };
	return 0;
}

int vault_file_open(struct vault *vault, uint64_t id, struct vault_file **ret)
{
	*ret = malloc(sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	**ret = (struct vault_file){ vault, id };
	(void)pthread_mutex_lock(&vault->lock);
	vault->n_open++;
	(void)pthread_mutex_unlock(&vault->lock);
	return 0;
}

void vault_file_close(struct vault_file *file)
{
	(void)pthread_mutex_lock(&file->vault->lock);
	file->vault->n_open--;
	(void)pthread_mutex_unlock(&file->vault->lock);
	free(file);
}

ssize_t vault_read(struct vault_file *file, uint64_t offset, void *buffer, size_t size)
{
	const size_t n = strlen(fake_content[file->id]);

	assert_int_equal(offset, 0);
	assert_true(n <= size);
	memcpy(buffer, fake_content[file->id], n);
	return (ssize_t)n;
}

ssize_t vault_getxattr(struct vault *vault, uint64_t id, const char *name, void *buffer, size_t size)
{
	size_t n;

	assert_string_equal(name, "user.mime_type");
	(void)pthread_mutex_lock(&vault->lock);
	n = strlen(vault->mime[id]);
	assert_true(n <= size);
	memcpy(buffer, vault->mime[id], n);
	(void)pthread_mutex_unlock(&vault->lock);
	return n > 0 ? (ssize_t)n : -ENODATA;
}

void vault_change_begin(struct vault *vault, size_t n_bytes)
{
	(void)n_bytes;
	(void)pthread_mutex_lock(&vault->lock);
	assert_false(vault->changing);
	assert_int_equal(vault->n_open, 0);
	vault->changing = true;
	vault->n_changes++;
	(void)pthread_mutex_unlock(&vault->lock);
}

void vault_change_end(struct vault *vault)
{
	(void)pthread_mutex_lock(&vault->lock);
	vault->changing = false;
	(void)pthread_cond_broadcast(&vault->stored);
	(void)pthread_mutex_unlock(&vault->lock);
}

int vault_set_content(struct vault *vault, uint64_t id, const struct vault_content *content)
{
	const char *mime = content->mime;

	(void)pthread_mutex_lock(&vault->lock);
	assert_true(vault->changing);
	(void)snprintf(vault->mime[id], sizeof(vault->mime[id]), "%s", mime);
	vault->n_stored++;
	(void)pthread_mutex_unlock(&vault->lock);
	return 0;
}

static int fake_vault(void **state)
{
	struct vault *vault = calloc(1, sizeof(*vault));

	*state = vault;
	return vault && !pthread_mutex_init(&vault->lock, NULL) && !pthread_cond_init(&vault->stored, NULL)
		       ? 0
		       : -1;
}

static int free_fake_vault(void **state)
{
	free(*state);
	return 0;
}

static void wait_for_changes(struct vault *vault, int n)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	(void)pthread_mutex_lock(&vault->lock);
	while (vault->n_changes < n || vault->changing)
		assert_int_equal(pthread_cond_timedwait(&vault->stored, &vault->lock, &until), 0);
	(void)pthread_mutex_unlock(&vault->lock);
}

static void indexer__stores_what_it_found_in_one_change(void **state)
{
	struct vault *vault = *state;
	struct indexer *indexer = NULL;

	assert_int_equal(indexer_start(vault, &indexer), 0);
	for (int again = 0; again < 3; again++)
		for (uint64_t id = 0; id < FAKE_FILES + 2; id++) /* two of them do not exist */
			vault->changed(vault->context, id);
	wait_for_changes(vault, 1);
	assert_string_equal(vault->mime[0], "inode/x-empty");
	assert_string_equal(vault->mime[1], "application/pdf");
	assert_string_equal(vault->mime[2], "text/plain");
	assert_string_equal(vault->mime[3], "text/x-shellscript");
	assert_string_equal(vault->mime[4], "");
	assert_int_equal(vault->n_changes, 1);

	/* What is known already is not stored again. */
	vault->changed(vault->context, 1);
	(void)strcpy(vault->mime[2], "image/png");
	vault->changed(vault->context, 2);
	wait_for_changes(vault, 2);
	assert_string_equal(vault->mime[2], "text/plain");
	assert_int_equal(vault->n_stored, 5);
	indexer_stop(indexer);
	assert_null(vault->changed);
}

static void indexer__stops_at_once_with_a_full_queue(void **state)
{
	struct vault *vault = *state;
	struct indexer *indexer = NULL;
	double begin;

	assert_int_equal(indexer_start(vault, &indexer), 0);
	for (uint64_t id = 0; id < 300000; id++)
		vault->changed(vault->context, 1000 + id);
	begin = seconds();
	indexer_stop(indexer);
	assert_true(seconds() - begin < 1);
}

static void indexer__has_nothing_to_do_on_a_read_only_vault(void **state)
{
	struct indexer *indexer = (struct indexer *)state;

	assert_int_equal(indexer_start(NULL, &indexer), 0);
	assert_null(indexer);
	indexer_stop(indexer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queue__is_in_order_without_doubles),
		cmocka_unit_test(queue__when_full_drops_the_oldest_and_counts_it),
		cmocka_unit_test(queue__equals_a_list_over_random_operations),
		cmocka_unit_test_setup_teardown(indexer__stores_what_it_found_in_one_change, fake_vault,
						free_fake_vault),
		cmocka_unit_test_setup_teardown(indexer__stops_at_once_with_a_full_queue, fake_vault,
						free_fake_vault),
		cmocka_unit_test(indexer__has_nothing_to_do_on_a_read_only_vault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
