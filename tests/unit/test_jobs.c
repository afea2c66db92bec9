/* test_jobs.c - what has yet to be looked into: who comes when, who failed, and what of it outlives a restart. */
#include "fixture.h"

#include <errno.h>

#include "vault_internal.h"

static void write_text(struct fixture *f, uint64_t id, const char *text)
{
	fixture_write(f, id, text, strlen(text));
	assert_int_equal(vault_sync(f->vault), 0);
}

/* A file whose job waits. */
static uint64_t make_file(struct fixture *f, const char *name)
{
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, name);

	write_text(f, id, name);
	return id;
}

static uint64_t n_jobs(struct fixture *f, enum vault_job_state state)
{
	struct vault_jobs_total total;

	assert_int_equal(vault_jobs_total(f->vault, state, &total), 0);
	return total.n_jobs;
}

static struct vault_job claim(struct fixture *f, uint64_t wanted)
{
	struct vault_job job = { 0 };

	assert_int_equal(CHANGE(f, vault_job_next(f->vault, &job)), 1);
	assert_int_equal(job.inode, wanted);
	return job;
}

static void assert_no_more(struct fixture *f)
{
	struct vault_job job;

	assert_int_equal(CHANGE(f, vault_job_next(f->vault, &job)), 0);
}

static void assert_error(struct fixture *f, uint64_t id, const char *error)
{
	char text[100];
	ssize_t n = vault_getxattr(f->vault, id, "user.vaultfs.error", text, sizeof(text));

	if (!error) {
		assert_int_equal(n, -ENODATA);
		return;
	}
	assert_int_equal(n, strlen(error));
	assert_memory_equal(text, error, strlen(error));
}

static void jobs__come_in_order_each_once_and_make_no_commit(void **state)
{
	struct fixture *f = *state;
	struct vault_job job[2];
	struct vault_stats before, after;
	uint64_t a, b;

	a = make_file(f, "a");
	write_text(f, a, "again");
	job[0] = claim(f, a);
	b = make_file(f, "b");
	assert_int_equal(vault_jobs_any(f->vault), 1);
	job[1] = claim(f, b);
	assert_int_equal(job[0].attempts, 0);
	assert_string_equal(job[0].name, "a");
	assert_false(job[0].asked);
	assert_no_more(f);
	assert_int_equal(CHANGE(f, vault_job_progress(f->vault, &job[0], 40)), 0);
	assert_int_equal(CHANGE(f, vault_job_done(f->vault, &job[1])), 1);
	assert_int_equal(n_jobs(f, VAULT_JOB_RUNNING), 1);
	assert_int_equal(CHANGE(f, vault_job_done(f->vault, &job[0])), 1);
	assert_int_equal(vault_jobs_any(f->vault), 0);
	assert_int_equal(vault_stats(f->vault, &before), 0);
	/* Jobs alone are nothing that the packs must know. */
	assert_int_equal(CHANGE(f, vault_job_queue(f->vault, &b, 1)), 1);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(vault_stats(f->vault, &after), 0);
	assert_int_equal(after.commit, before.commit);
	assert_int_equal(after.pack_bytes, before.pack_bytes);
	assert_int_equal(n_jobs(f, VAULT_JOB_WAITING), 1);
}

static void jobs__of_a_file_that_changed_meanwhile_are_not_done(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");
	struct vault_job job = claim(f, a);

	write_text(f, a, "other bytes");
	assert_int_equal(CHANGE(f, vault_job_done(f->vault, &job)), 0);
	job = claim(f, a);
	write_text(f, a, "yet others");
	assert_int_equal(CHANGE(f, vault_job_failed(f->vault, &job, 2, "the old bytes")), 0);
	assert_error(f, a, NULL);
	job = claim(f, a);
	assert_int_equal(job.attempts, 0);
	assert_int_equal(CHANGE(f, vault_job_done(f->vault, &job)), 1);
	assert_no_more(f);
}

static void jobs__that_fail_go_to_the_end_and_twice_out_of_the_line(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), b;
	struct vault_job job = claim(f, a);

	b = make_file(f, "b");
	assert_int_equal(CHANGE(f, vault_job_failed(f->vault, &job, 1, "it hung")), 0);
	assert_error(f, a, NULL);
	job = claim(f, b);
	assert_int_equal(CHANGE(f, vault_job_again(f->vault, &job)), 0);
	job = claim(f, a);
	assert_int_equal(job.attempts, 1);
	assert_int_equal(CHANGE(f, vault_job_failed(f->vault, &job, 1, "it hung")), 1);
	assert_error(f, a, "could not be read");
	job = claim(f, b);
	assert_int_equal(job.attempts, 0);
	assert_int_equal(CHANGE(f, vault_job_done(f->vault, &job)), 1);
	assert_no_more(f);
	assert_int_equal(n_jobs(f, VAULT_JOB_FAILED), 1);

	/* Until somebody asks ... */
	assert_int_equal(CHANGE(f, vault_jobs_retry(f->vault)), 1);
	job = claim(f, a);
	assert_int_equal(job.attempts, 0);
	assert_true(job.asked);
	assert_int_equal(CHANGE(f, vault_job_failed(f->vault, &job, 2, "it died")), 1);
	assert_no_more(f);
	/* ... or the file changes; what is found then takes the error away. */
	write_text(f, a, "better");
	job = claim(f, a);
	assert_int_equal(CHANGE(f, vault_set_mime(f->vault, a, "text/plain")), 0);
	assert_int_equal(CHANGE(f, vault_job_done(f->vault, &job)), 1);
	assert_error(f, a, NULL);
}

struct listed {
	unsigned n;
	char first[100];
	char error[80];
};

static int list(void *context, const struct vault_job *job, const char *path)
{
	struct listed *listed = context;

	listed->n++;
	if (listed->n == 1)
		(void)snprintf(listed->first, sizeof(listed->first), "%s", path ? path : "-");
	(void)strcpy(listed->error, job->error);
	return 0;
}

static void jobs__can_be_listed_with_paths_and_errors(void **state)
{
	struct fixture *f = *state;
	uint64_t directory = fixture_directory(f, VAULT_ROOT_ID, "d"), file = fixture_file(f, directory, "x");
	struct listed listed = { 0 };
	struct vault_job job;
	char name[20];

	write_text(f, file, "bytes");
	job = claim(f, file);
	assert_int_equal(CHANGE(f, vault_job_failed(f->vault, &job, 2, "it hung")), 1);
	assert_int_equal(vault_jobs(f->vault, VAULT_JOB_FAILED, list, &listed), 0);
	assert_int_equal(listed.n, 1);
	assert_string_equal(listed.first, "d/x");
	assert_string_equal(listed.error, "it hung");
	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		(void)make_file(f, name);
	}
	assert_int_equal(vault_sync(f->vault), 0);
	listed = (struct listed){ 0 };
	assert_int_equal(vault_jobs(f->vault, VAULT_JOB_WAITING, list, &listed), 0);
	assert_int_equal(listed.n, 300);
}

static void told(void *context, uint64_t id)
{
	(void)id;
	++*(int *)context;
}

static void jobs__can_be_asked_for_and_tell_who_follows(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");
	const uint64_t ids[] = { a, VAULT_ROOT_ID, 999999 };
	struct vault_job job = claim(f, a);
	int n_told = 0;

	assert_int_equal(CHANGE(f, vault_set_derived(f->vault, a, VAULT_DERIVED_THUMBNAIL, 1, "x", 1)), 0);
	assert_int_equal(CHANGE(f, vault_job_done(f->vault, &job)), 1);
	vault_on_content_changed(f->vault, told, &n_told);
	assert_int_equal(CHANGE(f, vault_job_queue(f->vault, ids, 3)), 1);
	assert_int_equal(n_told, 1);
	vault_on_content_changed(f->vault, NULL, NULL);
	job = claim(f, a);
	assert_true(job.asked);
	/* The thumbnail is nothing to look into. */
	assert_no_more(f);
	assert_int_equal(CHANGE(f, vault_jobs_queue_stale(f->vault)), 0);
	assert_no_more(f);
}

static void jobs__of_files_that_go_go_with_them(void **state)
{
	struct fixture *f = *state;
	struct vault_attr gone;
	uint64_t a = make_file(f, "a"), b = make_file(f, "b");
	struct vault_job job;

	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "a", &gone)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, a)), 0);
	job = claim(f, b);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "b", &gone)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, b)), 0);
	assert_int_equal(CHANGE(f, vault_job_failed(f->vault, &job, 2, "it hung")), 0);
	assert_int_equal(CHANGE(f, vault_job_done(f->vault, &job)), 0);
	assert_no_more(f);
	assert_int_equal(n_jobs(f, VAULT_JOB_FAILED), 0);
}

static void jobs__outlive_closing_and_a_rebuild(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), b, c;
	static const uint8_t sha256[32] = { 7 };
	const struct vault_content found = { .mime = "text/plain", .sha256 = sha256 };
	struct vault_job job = claim(f, a);

	/* Claimed and not done, waiting; done. */
	b = make_file(f, "b");
	(void)claim(f, b);
	c = make_file(f, "c");
	fixture_reopen(f);
	assert_int_equal(n_jobs(f, VAULT_JOB_RUNNING), 0);
	job = claim(f, a);
	assert_int_equal(CHANGE(f, vault_set_content(f->vault, a, &found)), 0);
	assert_int_equal(CHANGE(f, vault_job_done(f->vault, &job)), 1);
	(void)claim(f, b);
	fixture_rebuild(f);
	job = claim(f, b);
	job = claim(f, c);
	assert_no_more(f);
}

static void jobs__of_files_that_are_open_wait_for_their_end(void **state)
{
	struct fixture *f = *state;
	uint64_t a = fixture_file(f, VAULT_ROOT_ID, "a");
	struct vault_file *file = NULL;
	struct vault_job job = { 0 };
	struct vault *copy = NULL;
	char command[1300], path[400];

	assert_int_equal(vault_file_open(f->vault, a, &file), 0);
	assert_int_equal(CHANGE(f, vault_write(file, 0, "bytes", 5, 0)), 0);
	assert_int_equal(vault_sync(f->vault), 0);
	assert_no_more(f);
	/* The process ends: whoever opens the vault next finds it. */
	(void)snprintf(path, sizeof(path), "%s/copy.vault", f->directory);
	(void)snprintf(command, sizeof(command), "cp -a '%s' '%s'", f->path, path);
	assert_int_equal(system(command), 0);
	assert_int_equal(vault_open(path, NULL, &copy), 0);
	assert_int_equal(vault_jobs_any(copy), 1);
	assert_int_equal(vault_close(copy), 0);
	/* It does not: the file is closed. */
	vault_file_close(file);
	assert_int_equal(vault_sync(f->vault), 0);
	job = claim(f, a);
	assert_int_equal(CHANGE(f, vault_job_done(f->vault, &job)), 1);
	assert_no_more(f);
}

static void content__is_the_same_until_bytes_change(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");
	static const uint8_t sha256[32] = { 7 }, other[32] = { 8 };
	struct vault_content found = { .mime = "text/plain", .sha256 = sha256, .width = 3, .duration_ms = 5 };

	assert_int_equal(CHANGE(f, vault_content_same(f->vault, a, sha256, 1)), 0);
	assert_int_equal(CHANGE(f, vault_set_content(f->vault, a, &found)), 0);
	assert_int_equal(CHANGE(f, vault_content_same(f->vault, a, sha256, 1)), 1);
	assert_int_equal(CHANGE(f, vault_content_same(f->vault, a, other, 1)), 0);
	found.error = "media: damaged";
	assert_int_equal(CHANGE(f, vault_set_content(f->vault, a, &found)), 0);
	assert_int_equal(CHANGE(f, vault_content_same(f->vault, a, sha256, 1)), 0);
	assert_error(f, a, "media: damaged");
	found.media_json = "";
	assert_int_equal(CHANGE(f, vault_set_content(f->vault, a, &found)), -EINVAL);
	found.media_json = NULL;
	assert_int_equal(CHANGE(f, vault_set_content(f->vault, 999999, &found)), -ENOENT);
}

static void sums__are_those_of_the_bytes(void **state)
{
	static const uint8_t of_abc[32] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
					    0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
					    0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
	struct vault_sha256 *sum = NULL;
	uint8_t got[32];

	(void)state;
	assert_int_equal(vault_sha256_new(&sum), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(vault_sha256_add(sum, "a", 1), 0);
		assert_int_equal(vault_sha256_add(sum, "bc", 2), 0);
		assert_int_equal(vault_sha256_end(sum, got), 0);
		assert_memory_equal(got, of_abc, sizeof(got));
	}
	vault_sha256_free(sum);
	vault_sha256_free(NULL);
}

static void activity__is_what_is_asked_for(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), before = vault_activity(f->vault);
	struct vault_file *file = NULL;
	struct vault_attr attr;
	char byte;

	assert_int_equal(vault_file_open(f->vault, a, &file), 0);
	assert_int_equal(vault_activity(f->vault), before);
	assert_int_equal(vault_read(file, 0, &byte, 1), 1);
	vault_file_close(file);
	assert_int_equal(vault_activity(f->vault), before + 1);
	assert_int_equal(vault_lookup(f->vault, VAULT_ROOT_ID, "a", &attr), 0);
	assert_int_equal(vault_activity(f->vault), ++before + 1);
	write_text(f, a, "x");
	assert_int_equal(vault_activity(f->vault), before + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(jobs__come_in_order_each_once_and_make_no_commit),
		FIXTURE_TEST(jobs__of_a_file_that_changed_meanwhile_are_not_done),
		FIXTURE_TEST(jobs__that_fail_go_to_the_end_and_twice_out_of_the_line),
		FIXTURE_TEST(jobs__can_be_listed_with_paths_and_errors),
		FIXTURE_TEST(jobs__can_be_asked_for_and_tell_who_follows),
		FIXTURE_TEST(jobs__of_files_that_go_go_with_them),
		FIXTURE_TEST(jobs__outlive_closing_and_a_rebuild),
		FIXTURE_TEST(jobs__of_files_that_are_open_wait_for_their_end),
		FIXTURE_TEST(content__is_the_same_until_bytes_change),
		cmocka_unit_test(sums__are_those_of_the_bytes),
		FIXTURE_TEST(activity__is_what_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
