/* cmd_index.c - `vaultfs index`: have files looked into: here, of a vault that is not mounted, or by a mount's daemon. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "auto.h"
#include "command.h"
#include "index_control.h"
#include "indexer.h"
#include "library.h"
#include "log.h"
#include "progress.h"
#include "target.h"
#include "text.h"
#include "walk.h"

struct indexing {
	const struct command *self;
	struct indexer_options options;
	struct vault *vault; /* open to be changed, or beside the daemon */
	const struct target *target;
	struct progress *progress;
	bool all, quiet;
	uint64_t n_queued;
};

/* ---- a vault that is not mounted ---- */

static int queue_here(void *context, const uint64_t *ids, size_t n)
{
	struct indexing *indexing = context;
	int r;

	vault_change_begin(indexing->vault, 0);
	r = vault_job_queue(indexing->vault, ids, n);
	vault_change_end(indexing->vault);
	return r;
}

static int queue_paths(struct indexing *indexing, char **paths, int n)
{
	struct vault_attr attr;
	int r = 0;

	if (indexing->all)
		return vault_getattr(indexing->vault, VAULT_ROOT_ID, &attr) < 0
			       ? -EIO
			       : walk_files(indexing->vault, &attr, queue_here, indexing);
	for (int i = 0; r == 0 && i < n; i++) {
		r = target_resolve(indexing->self->name, indexing->target, indexing->vault, paths[i], &attr);
		if (r == 0)
			r = walk_files(indexing->vault, &attr, queue_here, indexing);
	}
	if (r == 0 && n == 0) {
		vault_change_begin(indexing->vault, 0);
		r = vault_jobs_queue_stale(indexing->vault);
		vault_change_end(indexing->vault);
	}
	return r;
}

static void one_more(void *context, uint64_t size)
{
	struct indexing *indexing = context;

	progress_add(indexing->progress, 1, size);
}

static int say_result(const struct indexing *indexing, int r, const struct indexer_result *result)
{
	uint64_t files, bytes;
	double seconds;

	progress_get(indexing->progress, &files, &bytes, &seconds);
	if (r == -ECANCELED)
		return log_err(r,
			       "index: stopped after %s: what was found is kept; go on with the same command",
			       text_from_items(result->n_done, "file", "files").text);
	if (r < 0)
		return r;
	if (!indexing->quiet)
		log_info("indexed %s, %s in %.1f s", text_from_items(result->n_done, "file", "files").text,
			 text_from_size(bytes).text, seconds);
	if (result->n_failed > 0)
		return log_err(-EIO, "index: %s could not be read: 'vaultfs jobs --failed %s' names %s",
			       text_from_items(result->n_failed, "file", "files").text,
			       indexing->target->given, result->n_failed == 1 ? "it" : "them");
	return 0;
}

static int work(struct indexing *indexing, char **paths, int n, int cancel_fd)
{
	struct vault_jobs_total total = { 0 };
	struct indexer_result result = { 0 };
	int r;

	if (vault_is_read_only(indexing->vault))
		return log_err(-EROFS, "index: %s: could only be opened for reading",
			       vault_path(indexing->vault));
	r = queue_paths(indexing, paths, n);
	if (r == 0)
		r = vault_sync(indexing->vault);
	if (r == 0)
		r = vault_jobs_total(indexing->vault, VAULT_JOB_WAITING, &total);
	if (r < 0)
		return r;
	progress_set_total(indexing->progress, total.n_bytes);
	r = indexer_run(indexing->vault, &indexing->options, cancel_fd, one_more, indexing, &result);
	return say_result(indexing, r, &result);
}

/* Ctrl-C ends the work, not the program: before threads are made, so that none of them takes the signal. */
static int catch_signals(void)
{
	sigset_t ends;
	int fd;

	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGINT);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
	fd = signalfd(-1, &ends, SFD_CLOEXEC);
	return fd < 0 ? log_err(-errno, "index: ") : fd;
}

static int index_vault(struct indexing *indexing, char **paths, int n)
{
	AUTO(fd) int cancel_fd = catch_signals();
	int r, closed;

	if (cancel_fd < 0)
		return cancel_fd;
	r = vault_open(indexing->target->vault, NULL, &indexing->vault);
	if (r < 0)
		return r;
	indexing->progress = progress_new("indexed", indexing->quiet);
	r = work(indexing, paths, n, cancel_fd);
	closed = vault_close(TAKE(indexing->vault));
	progress_free(indexing->progress);
	return r < 0 ? r : closed;
}

/* ---- a mount ---- */

static int queue_there(void *context, const uint64_t *ids, size_t n)
{
	struct indexing *indexing = context;
	int r = index_control_queue(indexing->self->name, indexing->target, ids, n);

	indexing->n_queued += r == 0 ? n : 0;
	return r;
}

static int index_mounted(struct indexing *indexing)
{
	AUTO(vault) struct vault *vault = NULL;
	struct vault_attr attr;
	int r = target_open(indexing->self->name, indexing->target, &vault);

	if (r == 0 && indexing->all)
		r = vault_getattr(vault, VAULT_ROOT_ID, &attr);
	else if (r == 0)
		r = target_resolve(indexing->self->name, indexing->target, vault, NULL, &attr);
	if (r == 0)
		r = walk_files(vault, &attr, queue_there, indexing);
	if (r == 0 && !indexing->quiet)
		log_info("%s: %s will be looked into: 'vaultfs jobs' says how far that is",
			 indexing->target->given, text_from_items(indexing->n_queued, "file", "files").text);
	return r;
}

static bool only_for_vaults(const struct indexing *indexing)
{
	return indexing->options.types_only || indexing->options.no_previews;
}

/* All words are paths in mounts. The first target was found already. */
static int index_mounts(struct indexing *indexing, struct target *first, char **words, int n)
{
	int status = STATUS_OK;

	if (only_for_vaults(indexing))
		return command_misused(
			indexing->self,
			"--types and --no-previews are options of the mount, then: -o index=types");
	for (int i = 0; i < n; i++) {
		AUTO(target) struct target other = { 0 };
		int r = i == 0 ? 0 : target_find_mounted(indexing->self->name, words[i], &other);

		indexing->target = i == 0 ? first : &other;
		indexing->n_queued = 0;
		if (r == 0)
			r = index_mounted(indexing);
		if (r < 0)
			status = STATUS_FAILED;
	}
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "types", no_argument, NULL, 't' },
		{ "no-previews", no_argument, NULL, 'P' },
		{ "quiet", no_argument, NULL, 'q' },
		COMMAND_LAST_OPTIONS,
	};
	struct indexing indexing = { .self = self };
	AUTO(target) struct target target = { 0 };
	int c;

	while ((c = command_option(self, argc, argv, "aq", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c == 'a')
			indexing.all = true;
		else if (c == 't')
			indexing.options.types_only = true;
		else if (c == 'P')
			indexing.options.no_previews = true;
		else if (c == 'q')
			indexing.quiet = true;
		else
			return STATUS_USAGE;
	}
	if (argc == optind)
		return command_misused(self, "name a vault, or paths in a mount");
	if (indexing.all && argc - optind > 1)
		return command_misused(self, "--all takes a vault or a mount, and no paths");
	if (target_find(self->name, argv[optind], &target) < 0)
		return STATUS_FAILED;
	indexing.target = &target;
	if (target.kind == TARGET_MOUNT)
		return index_mounts(&indexing, &target, argv + optind, argc - optind);
	return index_vault(&indexing, argv + optind + 1, argc - optind - 1) < 0 ? STATUS_FAILED : STATUS_OK;
}

const struct command cmd_index = {
	.name = "index",
	.summary = "find out what files are and what is in them",
	.usage = "[--all] [--types] [--no-previews] [--quiet] VAULT [PATH...]\n"
		 "[--quiet] PATH...\n"
		 "--all [--quiet] MOUNT",
	.help = "Files are read, and their type, SHA-256, words, media data, thumbnails and previews are kept\n"
		"in the vault. A mount does so by itself soon after a file was written. Of a vault that is not\n"
		"mounted, what is new or was changed is looked into here and now; paths in a mount are handed\n"
		"to its daemon, also those that were looked into before. Directories mean all that is in them.\n"
		"\n"
		"  -a, --all          everything, also what was looked into before\n"
		"      --types        only the type, from the head of each file\n"
		"      --no-previews  no short clips of videos\n"
		"  -q, --quiet        no progress line, and nothing said when all went well\n"
		"  -h, --help         this text\n"
		"\n"
		"Ctrl-C ends it at any moment: the same command goes on from there. Files that could not be\n"
		"read are named by `vaultfs jobs --failed`; the exit status is 1 then.\n"
		"\n"
		"Example: vaultfs index ~/Media.vault\n"
		"         vaultfs index ~/Media/Videos\n",
	.run = run,
};
