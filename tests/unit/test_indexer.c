/* test_indexer.c - the indexer: its queue, its helper process, and what happens when that one hangs or dies.
 *
 * The program is its own helper, as vaultfs is. Started under the name of one of the links that setup makes, the helper
 * misbehaves. The vault is a fake of five files, so that the test sees what is stored and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "helper.h"
#include "indexer.h"
#include "probe.h"
#include "queue.h"
#include "vault.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- the helper that misbehaves ---- */

static const char *misbehave(void *context, const void *head, size_t size)
{
	static char nonsense[] = "no type\n";

	(void)context;
	if (size >= 4 && memcmp(head, "HANG", 4) == 0)
		for (;;)
			(void)pause();
	if (size >= 5 && memcmp(head, "ABORT", 5) == 0)
		abort();
	if (size >= 8 && memcmp(head, "NONSENSE", 8) == 0)
		return nonsense;
	if (size >= 4 && memcmp(head, "NULL", 4) == 0)
		return NULL;
	return "text/plain";
}

static int helper_main(const char *program)
{
	const char *name = strrchr(program, '/');

	name = name ? name + 1 : program;
	if (strcmp(name, "misbehaves") == 0)
		return helper_serve(STDIN_FILENO, STDOUT_FILENO, misbehave, NULL);
	if (strcmp(name, "mute") == 0)
		for (;;)
			(void)pause();
	if (strcmp(name, "dead") == 0)
		return 1;
	return indexer_helper_main();
}

/* ---- what is tested with ---- */

static struct {
	char directory[64]; /* holds the links */
	char link[128];
} test;

static const char *link_to_self(const char *name)
{
	char self[PATH_MAX] = "";

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	(void)snprintf(test.link, sizeof(test.link), "%s/%s", test.directory, name);
	(void)unlink(test.link);
	assert_int_equal(symlink(self, test.link), 0);
	return test.link;
}

static int make_directory(void **state)
{
	(void)state;
	(void)strcpy(test.directory, "/tmp/test_indexer.XXXXXX");
	return mkdtemp(test.directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	static const char *const names[] = { "misbehaves", "mute", "dead" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(test.link, sizeof(test.link), "%s/%s", test.directory, names[i]);
		(void)unlink(test.link);
	}
	return rmdir(test.directory);
}

static double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int ask(struct indexer_probe *probe, const char *text, char mime[HELPER_MIME_MAX + 1])
{
	return indexer_probe_ask(probe, text, strlen(text), mime);
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

/* ---- the helper ---- */

static void helper__tells_types(void **state)
{
	static const struct {
		const char *what, *head;
		size_t size;
		const char *want;
	} rows[] = {
		{ "png", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0", 29, "image/png" },
		{ "pdf", "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", 15, "application/pdf" },
		{ "mp4",
		  "\0\0\0\x18"
		  "ftypmp42\0\0\0\0mp42isom",
		  24, "video/mp4" },
		{ "text", "A line of text.\nAnd another one.\n", 33, "text/plain" },
		{ "script", "#!/bin/sh\necho hello\n", 21, "text/x-shellscript" },
		{ "elf",
		  "\x7f"
		  "ELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0\0\0\0\0\0\0\0\0"
		  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\x40\0\0\0\0\0",
		  64, "application/x-executable" },
		{ "one byte", "\xff", 1, "application/octet-stream" },
		{ "jpeg", "\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0", 20, "image/jpeg" },
	};
	struct indexer_probe *probe = NULL;

	(void)state;
	assert_int_equal(indexer_probe_new(NULL, -1, &probe), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char mime[HELPER_MIME_MAX + 1] = "";
		const int r = indexer_probe_ask(probe, rows[i].head, rows[i].size, mime);

		if (r != 0 || strcmp(mime, rows[i].want) != 0)
			fail_msg("%s: %d \"%s\", not \"%s\"", rows[i].what, r, mime, rows[i].want);
	}
	indexer_probe_free(probe);
}

static void helper__survives_random_bytes_of_every_length(void **state)
{
	static char head[HELPER_REQUEST_MAX];
	struct indexer_probe *probe = NULL;

	(void)state;
	srandom(2);
	assert_int_equal(indexer_probe_new(NULL, -1, &probe), 0);
	for (size_t size = 1; size <= sizeof(head); size = size * 2 + (size_t)random() % 3) {
		char mime[HELPER_MIME_MAX + 1];

		for (size_t i = 0; i < sizeof(head); i++)
			head[i] = (char)random();
		assert_int_equal(indexer_probe_ask(probe, head, size, mime), 0);
	}
	assert_int_equal(indexer_probe_ask(probe, head, sizeof(head), (char[HELPER_MIME_MAX + 1]){ 0 }), 0);
	indexer_probe_free(probe);
}

static void probe__gives_a_bad_file_up_and_takes_the_next(void **state)
{
	static const struct {
		const char *text;
		int want;
		double least, most; /* seconds */
	} rows[] = {
		{ "HANG", -ETIMEDOUT, 4, 8 },
		{ "ABORT", -EPIPE, 0, 4 },
		{ "NONSENSE", -EPIPE, 0, 4 },
		{ "NULL", -ENODATA, 0, 4 },
	};
	struct indexer_probe *probe = NULL;

	(void)state;
	assert_int_equal(indexer_probe_new(link_to_self("misbehaves"), -1, &probe), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char mime[HELPER_MIME_MAX + 1] = "untouched";
		const double begin = seconds();
		const int r = ask(probe, rows[i].text, mime);
		const double took = seconds() - begin;

		if (r != rows[i].want || took < rows[i].least || took > rows[i].most)
			fail_msg("%s: %d after %.1f s", rows[i].text, r, took);
		assert_string_equal(mime, "untouched");
		assert_int_equal(ask(probe, "good", mime), 0);
		assert_string_equal(mime, "text/plain");
	}
	indexer_probe_free(probe);
}

static void probe__backs_off_from_a_helper_that_never_starts(void **state)
{
	struct indexer_probe *probe = NULL;
	char mime[HELPER_MIME_MAX + 1];
	double begin;

	(void)state;
	assert_int_equal(indexer_probe_new(link_to_self("dead"), -1, &probe), 0);
	assert_int_equal(ask(probe, "1", mime), -EPIPE); /* at once, at once */
	begin = seconds();
	assert_int_equal(ask(probe, "2", mime), -EPIPE); /* 0.1 s, 0.2 s */
	assert_int_equal(ask(probe, "3", mime), -EPIPE); /* 0.4 s, 0.8 s */
	assert_true(seconds() - begin >= 1.45);
	indexer_probe_free(probe);

	assert_int_equal(indexer_probe_new("/nowhere/at/all", -1, &probe), 0);
	assert_int_equal(ask(probe, "1", mime), -ENOENT);
	indexer_probe_free(probe);
}

static void *cancel_soon(void *fd)
{
	const uint64_t one = 1;

	(void)usleep(200000);
	assert_int_equal(write(*(int *)fd, &one, sizeof(one)), sizeof(one));
	return NULL;
}

static void probe__can_be_cancelled_while_it_waits(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct indexer_probe *probe = NULL;
	char mime[HELPER_MIME_MAX + 1];
	const double begin = seconds();
	pthread_t thread;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(indexer_probe_new(link_to_self("mute"), fd, &probe), 0);
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &fd), 0);
	assert_int_equal(ask(probe, "1", mime), -ECANCELED);
	assert_true(seconds() - begin < 2);
	assert_int_equal(pthread_join(thread, NULL), 0);
	indexer_probe_free(probe);
	(void)close(fd);
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

int vault_set_mime(struct vault *vault, uint64_t id, const char *mime)
{
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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queue__is_in_order_without_doubles),
		cmocka_unit_test(queue__when_full_drops_the_oldest_and_counts_it),
		cmocka_unit_test(queue__equals_a_list_over_random_operations),
		cmocka_unit_test(helper__tells_types),
		cmocka_unit_test(helper__survives_random_bytes_of_every_length),
		cmocka_unit_test(probe__gives_a_bad_file_up_and_takes_the_next),
		cmocka_unit_test(probe__backs_off_from_a_helper_that_never_starts),
		cmocka_unit_test(probe__can_be_cancelled_while_it_waits),
		cmocka_unit_test_setup_teardown(indexer__stores_what_it_found_in_one_change, fake_vault,
						free_fake_vault),
		cmocka_unit_test_setup_teardown(indexer__stops_at_once_with_a_full_queue, fake_vault,
						free_fake_vault),
		cmocka_unit_test(indexer__has_nothing_to_do_on_a_read_only_vault),
	};

	if (argc == 2 && strcmp(argv[1], INDEXER_HELPER_ARGUMENT) == 0)
		return helper_main(argv[0]);
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
