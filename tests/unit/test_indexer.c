/* test_indexer.c - the indexer on a real vault with the real helper, and with helpers that die or do not start. */
#include "fixture.h"

#include "helper.h"
#include "indexer.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <time.h>

#include "auto.h"

#define DEADLINE_S 60

static double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t make_file(struct fixture *f, const char *name, const char *text)
{
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, name);

	fixture_write(f, id, text, strlen(text));
	return id;
}

/* What the attribute is; "" none. */
static const char *got(struct fixture *f, uint64_t id, const char *name)
{
	static char value[1000];
	ssize_t n = vault_getxattr(f->vault, id, name, value, sizeof(value) - 1);

	assert_true(n >= 0 || n == -ENODATA);
	value[n > 0 ? n : 0] = '\0';
	return value;
}

static void wait_for(struct fixture *f, uint64_t id, const char *name, const char *wanted)
{
	const double until = seconds() + DEADLINE_S;

	while (strcmp(got(f, id, name), wanted) != 0) {
		if (seconds() > until)
			fail_msg("%s is still \"%s\", wanted \"%s\"", name, got(f, id, name), wanted);
		(void)usleep(10000);
	}
}

static uint64_t n_jobs(struct fixture *f, enum vault_job_state state)
{
	struct vault_jobs_total total = { 0 };

	assert_int_equal(vault_jobs_total(f->vault, state, &total), 0);
	return total.n_jobs;
}

/* Do all that waits. */
static struct indexer_result run_with(struct fixture *f, const struct indexer_options *options)
{
	struct indexer_result result;

	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(indexer_run(f->vault, options, -1, NULL, NULL, &result), 0);
	return result;
}

static struct indexer_result run(struct fixture *f)
{
	static const struct indexer_options options = { .types_only = false };

	return run_with(f, &options);
}

#define SHA256_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void run__finds_what_is_in_files(void **state)
{
	static uint8_t large[3 << 20];
	static uint8_t sum[32];
	char hex[65];
	struct fixture *f = *state;
	struct vault_sha256 *sha256 = NULL;
	uint64_t text = make_file(f, "a.txt", "abc"), pdf = make_file(f, "a.pdf", "%PDF-1.4\n"), empty, big;
	struct indexer_result result;

	empty = fixture_file(f, VAULT_ROOT_ID, "empty");
	fixture_write(f, empty, "x", 1);
	assert_int_equal(
		CHANGE(f, vault_setattr(f->vault, empty, VAULT_SET_SIZE, &(struct vault_attr){ 0 }, NULL)),
		0);
	big = fixture_file(f, VAULT_ROOT_ID, "big");
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 2654435761u >> 11);
	fixture_write(f, big, large, sizeof(large));
	result = run(f);
	assert_int_equal(result.n_done, 4);
	assert_int_equal(result.n_failed, 0);
	assert_string_equal(got(f, text, "user.mime_type"), "text/plain");
	assert_string_equal(got(f, text, "user.vaultfs.kind"), "text");
	assert_string_equal(got(f, text, "user.vaultfs.sha256"), SHA256_OF_ABC);
	assert_string_equal(got(f, text, "user.vaultfs.error"), "");
	assert_string_equal(got(f, pdf, "user.mime_type"), "application/pdf");
	assert_string_equal(got(f, empty, "user.mime_type"), "inode/x-empty");
	assert_string_equal(got(f, empty, "user.vaultfs.sha256"), SHA256_OF_NOTHING);
	assert_int_equal(vault_sha256_new(&sha256), 0);
	assert_int_equal(vault_sha256_add(sha256, large, sizeof(large)), 0);
	assert_int_equal(vault_sha256_end(sha256, sum), 0);
	vault_sha256_free(sha256);
	for (int i = 0; i < 32; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	assert_string_equal(got(f, big, "user.vaultfs.sha256"), hex);
	result = run(f);
	assert_int_equal(result.n_done, 0);
}

/* A helper that must not be asked would fail. */
static void run__asks_the_helper_only_about_new_bytes(void **state)
{
	static const struct indexer_options no_helper = { .helper = "/bin/false" };
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a", "abc");
	struct indexer_result result;

	(void)run(f);
	fixture_write(f, a, "abc", 3);
	result = run_with(f, &no_helper);
	assert_int_equal(result.n_done, 1);
	/* Unless somebody asked for it. */
	assert_int_equal(CHANGE(f, vault_job_queue(f->vault, &a, 1)), 1);
	assert_int_equal(indexer_run(f->vault, &no_helper, -1, NULL, NULL, &result), -EAGAIN);
	assert_int_equal(n_jobs(f, VAULT_JOB_WAITING), 1);
	assert_int_equal(run(f).n_done, 1);
	fixture_write(f, a, "%PDF-1.5", 8);
	(void)run(f);
	assert_string_equal(got(f, a, "user.mime_type"), "application/pdf");
}

static void run__with_types_only_reads_no_more(void **state)
{
	static const struct indexer_options types = { .types_only = true };
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a", "%PDF-1.4\n");

	assert_int_equal(run_with(f, &types).n_done, 1);
	assert_string_equal(got(f, a, "user.mime_type"), "application/pdf");
	assert_string_equal(got(f, a, "user.vaultfs.sha256"), "");
	/* Whoever looks for the rest later finds that it was not done. */
	assert_int_equal(CHANGE(f, vault_jobs_queue_stale(f->vault)), 0);
	assert_int_equal(run(f).n_done, 1);
	assert_int_equal(strlen(got(f, a, "user.vaultfs.sha256")), 64);
}

/* This program, started under another name: a helper that is ready, and dies as soon as it is asked for anything. */
static int dying_helper(void)
{
	uint8_t hello[HELPER_FRAME_SIZE + 4];
	char byte;

	frame_put_u32(hello, FRAME_HELLO);
	frame_put_u32(hello + 4, 4);
	frame_put_u32(hello + 8, HELPER_PROTOCOL);
	if (write(STDIN_FILENO, hello, sizeof(hello)) < 0)
		return 1;
	return read(STDIN_FILENO, &byte, 1) < 0;
}

static void run__gives_up_what_kills_the_helper_and_goes_on(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a", "hostile"), b = make_file(f, "b", "abc");
	struct indexer_options options = { .helper = NULL };
	char self[300] = "", link[400];
	struct indexer_result result;

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	(void)snprintf(link, sizeof(link), "%s/dying-helper", f->directory);
	assert_int_equal(symlink(self, link), 0);
	options.helper = link;
	result = run_with(f, &options);
	assert_int_equal(result.n_failed, 2);
	assert_int_equal(n_jobs(f, VAULT_JOB_FAILED), 2);
	assert_int_equal(n_jobs(f, VAULT_JOB_WAITING), 0);
	assert_string_equal(got(f, a, "user.vaultfs.error"), "could not be read");
	assert_string_equal(got(f, b, "user.vaultfs.sha256"), SHA256_OF_ABC);
	assert_string_equal(got(f, b, "user.mime_type"), "");
	/* Nothing happens to them again by itself, also after a restart. */
	fixture_reopen(f);
	assert_int_equal(run(f).n_done, 0);
	assert_int_equal(CHANGE(f, vault_jobs_retry(f->vault)), 2);
	assert_int_equal(run(f).n_done, 2);
	assert_string_equal(got(f, a, "user.vaultfs.error"), "");
	assert_string_equal(got(f, b, "user.mime_type"), "text/plain");
	assert_int_equal(n_jobs(f, VAULT_JOB_FAILED), 0);
}

static void run__ends_when_it_is_told_to(void **state)
{
	static const struct indexer_options options = { .types_only = false };
	struct fixture *f = *state;
	struct indexer_result result;
	AUTO(fd) int cancel = eventfd(1, EFD_CLOEXEC);

	(void)make_file(f, "a", "abc");
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(indexer_run(f->vault, &options, cancel, NULL, NULL, &result), -ECANCELED);
	assert_int_equal(n_jobs(f, VAULT_JOB_WAITING), 1);
}

static void run__passes_over_what_is_gone(void **state)
{
	struct fixture *f = *state;
	struct vault_attr attr;

	(void)make_file(f, "a", "abc");
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "a", &attr)), 0);
	assert_int_equal(run(f).n_done, 1);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, attr.id)), 0);
}

static void indexer__follows_what_changes(void **state)
{
	static const struct indexer_options options = { .types_only = false };
	struct fixture *f = *state;
	struct indexer *indexer = NULL;
	struct vault_file *file = NULL;
	uint64_t a = make_file(f, "a", "abc");

	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(indexer_start(f->vault, &options, &indexer), 0);
	wait_for(f, a, "user.mime_type", "text/plain");
	assert_int_equal(vault_file_open(f->vault, a, &file), 0);
	assert_int_equal(CHANGE(f, vault_write(file, 0, "%PDF-1.4\n", 9, 0)), 0);
	vault_file_close(file);
	wait_for(f, a, "user.mime_type", "application/pdf"); /* with the next commit */
	indexer_stop(indexer);
	assert_int_equal(n_jobs(f, VAULT_JOB_WAITING) + n_jobs(f, VAULT_JOB_RUNNING), 0);
}

static void indexer__stops_at_once_and_leaves_the_rest_for_later(void **state)
{
	static const struct indexer_options options = { .types_only = false };
	struct fixture *f = *state;
	struct indexer *indexer = NULL;
	char name[20];
	double begin;

	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		(void)make_file(f, name, name);
	}
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(indexer_start(f->vault, &options, &indexer), 0);
	begin = seconds();
	indexer_stop(indexer);
	assert_true(seconds() - begin < 5);
	fixture_reopen(f);
	assert_true(n_jobs(f, VAULT_JOB_WAITING) > 0);
	(void)run(f);
	assert_string_equal(got(f, make_file(f, "last", "x"), "user.mime_type"), "");
	assert_int_equal(run(f).n_done, 1);
}

static void indexer__has_nothing_to_do_on_a_read_only_vault(void **state)
{
	static const struct indexer_options options = { .types_only = false };
	const struct vault_open_options read_only = { .flags = VAULT_OPEN_READ_ONLY };
	struct fixture *f = *state;
	struct indexer *indexer = (struct indexer *)f;
	struct vault *vault = f->vault;

	f->vault = NULL;
	assert_int_equal(vault_close(vault), 0);
	assert_int_equal(vault_open(f->path, &read_only, &f->vault), 0);
	assert_int_equal(indexer_start(f->vault, &options, &indexer), 0);
	assert_null(indexer);
	indexer_stop(indexer);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(run__finds_what_is_in_files),
		FIXTURE_TEST(run__asks_the_helper_only_about_new_bytes),
		FIXTURE_TEST(run__with_types_only_reads_no_more),
		FIXTURE_TEST(run__gives_up_what_kills_the_helper_and_goes_on),
		FIXTURE_TEST(run__ends_when_it_is_told_to),
		FIXTURE_TEST(run__passes_over_what_is_gone),
		FIXTURE_TEST(indexer__follows_what_changes),
		FIXTURE_TEST(indexer__stops_at_once_and_leaves_the_rest_for_later),
		FIXTURE_TEST(indexer__has_nothing_to_do_on_a_read_only_vault),
	};

	if (argc > 0 && strstr(argv[0], "helper"))
		return dying_helper();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
