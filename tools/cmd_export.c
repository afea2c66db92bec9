/* cmd_export.c - `vaultfs export`: what is in a vault, mounted or not, out into a directory. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"
#include "command.h"
#include "export.h"
#include "log.h"
#include "progress.h"
#include "target.h"
#include "text.h"
#include "vault.h"

struct words {
	const char *from, *path, *directory; /* path may be NULL */
	bool quiet;
};

/* What there is to copy: known for a whole vault and a single file. */
static void set_total(struct vault *vault, const struct vault_attr *top, struct progress *progress)
{
	struct vault_stats stats;

	if (!progress_is_shown(progress))
		return;
	if (S_ISREG(top->mode))
		progress_set_total(progress, top->mapped);
	else if (top->id == VAULT_ROOT_ID && vault_stats(vault, &stats) == 0)
		progress_set_total(progress, stats.logical_bytes);
}

static void print_summary(const struct progress *progress)
{
	uint64_t files, bytes;
	double seconds;

	progress_get(progress, &files, &bytes, &seconds);
	log_info("exported %s, %s in %.1f s", text_from_items(files, "file", "files").text,
		 text_from_size(bytes).text, seconds);
}

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int export_from(struct vault *vault, const struct target *target, const struct words *words,
		       struct export_options *options)
{
	struct vault_attr top;
	uint64_t n_failed = 0;
	int r = target_resolve("export", target, vault, words->path, &top);

	if (r < 0)
		return r;
	set_total(vault, &top, options->progress);
	r = export_tree(vault, &top, last_name(words->path ? words->path : words->from), words->directory,
			options, &n_failed);
	if (r == -ENOSPC || r == -EDQUOT)
		return log_err(r,
			       "export: %s: stopped; make room and go on with --update: ", words->directory);
	if (r == 0 && progress_is_shown(options->progress))
		print_summary(options->progress);
	if (r == 0 && n_failed > 0)
		return log_err(-EIO, "export: %s: %" PRIu64 " files or directories were not exported whole",
			       words->directory, n_failed);
	return r;
}

static int export(const struct command *self, const struct words *words, struct export_options *options)
{
	AUTO(target) struct target target = { 0 };
	AUTO(vault) struct vault *vault = NULL;
	int r;

	if (target_find(self->name, words->from, &target) < 0 || target_open(self->name, &target, &vault) < 0)
		return STATUS_FAILED;
	options->progress = progress_new("exported", words->quiet);
	r = export_from(vault, &target, words, options);
	progress_free(options->progress);
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "update", no_argument, NULL, 'u' },
		{ "quiet", no_argument, NULL, 'q' },
		COMMAND_LAST_OPTIONS,
	};
	struct export_options options = { 0 };
	struct words words = { 0 };
	int c;

	while ((c = command_option(self, argc, argv, "uq", long_options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c == 'u')
			options.update = true;
		else if (c == 'q')
			words.quiet = true;
		else
			return STATUS_USAGE;
	}
	if (argc - optind < 2 || argc - optind > 3)
		return command_misused(
			self, "name a vault or mount, at most one path in it, and the directory it goes to");
	words.from = argv[optind];
	words.path = argc - optind == 3 ? argv[optind + 1] : NULL;
	words.directory = argv[argc - 1];
	return export(self, &words, &options);
}

const struct command cmd_export = {
	.name = "export",
	.summary = "copy out of a vault into a directory",
	.usage = "[--update] [--quiet] VAULT|MOUNT [PATH] DIRECTORY",
	.help = "Copies what is in a vault, mounted or not, into DIRECTORY, which must not exist or be empty.\n"
		"Modes, times, access control lists, extended attributes, symbolic and hard links, devices and\n"
		"holes are kept, and owners when root does it. A directory PATH becomes DIRECTORY itself; a\n"
		"file is put into it. What is damaged is named and left out; the exit status is 1 then.\n"
		"\n"
		"  -u, --update  go on with an export, or bring one up to date: files of the same size and\n"
		"                modification time are kept, others replaced, none removed\n"
		"  -q, --quiet   no progress line\n"
		"  -h, --help    this text\n"
		"\n"
		"Example: vaultfs export ~/Media.vault Videos /mnt/backup/Videos\n",
	.run = run,
};
