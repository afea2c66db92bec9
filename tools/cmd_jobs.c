/* cmd_jobs.c - `vaultfs jobs`: what the indexer does, has yet to do, and could not do. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "auto.h"
#include "command.h"
#include "index_control.h"
#include "json.h"
#include "library.h"
#include "log.h"
#include "target.h"
#include "text.h"

#define WAITING_SHOWN 20u /* in the table; JSON has all */

struct jobs {
	bool as_json;
	bool printed; /* something was */
	uint64_t n;   /* of the present state */
};

static const char *const words[] = {
	[VAULT_JOB_WAITING] = "waiting",
	[VAULT_JOB_RUNNING] = "running",
	[VAULT_JOB_FAILED] = "failed",
};

static int print_json(struct jobs *jobs, const struct vault_job *job, const char *path)
{
	AUTO(json) json_t *object = json_object();
	int r = 0;

	if (path)
		json_put_bytes(&r, object, "path", path);
	else
		json_put(&r, object, "path", json_null());
	json_put_number(&r, object, "inode", job->inode);
	json_put(&r, object, "state", json_string(words[job->state]));
	json_put_number(&r, object, "progress", job->progress);
	json_put_number(&r, object, "attempts", job->attempts);
	if (job->error[0])
		json_put_bytes(&r, object, "error", job->error);
	else
		json_put(&r, object, "error", json_null());
	if (r < 0)
		return r;
	(void)fputs(jobs->printed ? "," : "[", stdout); /* output is checked by command_finish_output() */
	jobs->printed = true;
	return json_print(object, JSON_COMPACT);
}

static int print_job(void *context, const struct vault_job *job, const char *path)
{
	struct jobs *jobs = context;

	jobs->n++;
	if (jobs->as_json)
		return print_json(jobs, job, path);
	if (job->state == VAULT_JOB_WAITING && jobs->n > WAITING_SHOWN)
		return 1;
	(void)printf("%s  ", words[job->state]);
	if (job->state == VAULT_JOB_RUNNING)
		(void)printf("%3u %%  ", job->progress);
	if (path)
		text_print_name(path);
	else
		(void)printf("inode %" PRIu64 ", without a name", job->inode);
	if (job->error[0]) {
		(void)printf(": ");
		text_print_name(job->error);
	}
	(void)putchar('\n');
	jobs->printed = true;
	return 0;
}

static int print_state(struct jobs *jobs, struct vault *vault, enum vault_job_state state)
{
	struct vault_jobs_total total = { 0 };
	int r = vault_jobs_total(vault, state, &total);

	jobs->n = 0;
	if (r == 0)
		r = vault_jobs(vault, state, print_job, jobs);
	if (r > 0 && total.n_jobs > WAITING_SHOWN)
		(void)printf("waiting  ... and %s more\n",
			     text_from_count(total.n_jobs - WAITING_SHOWN).text);
	return r < 0 ? r : 0;
}

static int print_all(const struct target *target, bool only_failed, bool as_json)
{
	static const enum vault_job_state order[] = { VAULT_JOB_RUNNING, VAULT_JOB_FAILED,
						      VAULT_JOB_WAITING };
	AUTO(vault) struct vault *vault = NULL;
	struct jobs jobs = { .as_json = as_json };
	int r = target_open("jobs", target, &vault);

	for (size_t i = 0; r == 0 && i < sizeof(order) / sizeof(order[0]); i++)
		if (!only_failed || order[i] == VAULT_JOB_FAILED)
			r = print_state(&jobs, vault, order[i]);
	if (r < 0)
		return r;
	if (as_json)
		(void)puts(jobs.printed ? "]" : "[]");
	else if (!jobs.printed)
		(void)puts(only_failed ? "No job failed." : "No jobs.");
	return 0;
}

static int retry(const struct target *target)
{
	struct vault *vault = NULL;
	int r, closed;

	if (target->kind == TARGET_MOUNT)
		return index_control_retry("jobs", target);
	r = vault_open(target->vault, NULL, &vault);
	if (r < 0)
		return r;
	if (vault_is_read_only(vault)) {
		r = log_err(-EROFS, "jobs: %s: could only be opened for reading", target->given);
	} else {
		vault_change_begin(vault, 0);
		r = vault_jobs_retry(vault);
		vault_change_end(vault);
	}
	closed = vault_close(vault);
	return r < 0 ? r : closed;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "failed", no_argument, NULL, 'f' },
		{ "retry", no_argument, NULL, 'r' },
		COMMAND_LAST_OPTIONS,
	};
	AUTO(target) struct target target = { 0 };
	bool as_json = false, only_failed = false, again = false;
	int c;

	while ((c = command_option(self, argc, argv, "", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c == 'j')
			as_json = true;
		else if (c == 'f')
			only_failed = true;
		else if (c == 'r')
			again = true;
		else
			return STATUS_USAGE;
	}
	if (argc - optind != 1)
		return command_misused(self, argc == optind ? "no vault or mount named"
							    : "one vault or mount at a time");
	if (again && (as_json || only_failed))
		return command_misused(self, "--retry goes alone");
	if (target_find(self->name, argv[optind], &target) < 0)
		return STATUS_FAILED;
	if (again)
		return retry(&target) < 0 ? STATUS_FAILED : STATUS_OK;
	if (print_all(&target, only_failed, as_json) < 0)
		return STATUS_FAILED;
	return command_finish_output(self);
}

const struct command cmd_jobs = {
	.name = "jobs",
	.summary = "what the indexer does and has yet to do",
	.usage = "[--failed] [--json] VAULT|MOUNT\n"
		 "--retry VAULT|MOUNT",
	.help = "Lists the files that are looked into just now, those that could not be read in two attempts,\n"
		"and the first of those that wait. The others wait too, also while nothing is mounted.\n"
		"\n"
		"      --failed  only those that could not be read, and why\n"
		"      --json    a JSON array with all of them; vaultfs(1) lists the keys\n"
		"      --retry   try those again that could not be read: now, or at the next mount\n"
		"  -h, --help    this text\n"
		"\n"
		"Example: vaultfs jobs ~/Media\n",
	.run = run,
};
