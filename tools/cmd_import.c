/* cmd_import.c - `vaultfs import`: a directory straight into a vault that is not mounted. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "auto.h"
#include "command.h"
#include "import.h"
#include "log.h"
#include "progress.h"
#include "scan.h"
#include "target.h"
#include "text.h"
#include "vault.h"

static void print_summary(const struct progress *progress)
{
	uint64_t files, bytes;
	double seconds;

	progress_get(progress, &files, &bytes, &seconds);
	log_info("imported %s, %s in %.1f s (%s/s)", text_from_items(files, "file", "files").text,
		 text_from_size(bytes).text, seconds,
		 text_from_size((uint64_t)((double)bytes / (seconds > 0.001 ? seconds : 0.001))).text);
}

static bool ends_the_vault(int r)
{
	return r == -ENOSPC || r == -EDQUOT || r == -EIO || r == -EROFS;
}

static int import_into(struct vault *vault, const char *source, const struct import_options *options)
{
	struct scan *scan = NULL;
	uint64_t n_failed = 0;
	int r;

	if (vault_is_read_only(vault))
		return log_err(-EROFS, "import: %s: could only be opened for reading", vault_path(vault));
	if (progress_is_shown(options->progress))
		scan = scan_start(source, options->one_file_system, options->progress);
	r = import_tree(vault, source, options, &n_failed);
	scan_stop(scan);
	if (ends_the_vault(r))
		return log_err(r,
			       "import: %s: stopped; what was imported stays, go on with --update: ", source);
	if (r == 0 && progress_is_shown(options->progress))
		print_summary(options->progress);
	if (r == 0 && n_failed > 0)
		return log_err(-EIO, "import: %s: %" PRIu64 " files or directories were not imported", source,
			       n_failed);
	return r;
}

static int import(const struct command *self, const char *source, const char *vault_path,
		  struct import_options *options, bool quiet)
{
	AUTO(target) struct target target = { 0 };
	struct vault *vault = NULL;
	struct stat st;
	int r, closed;

	if (stat(source, &st) < 0 || !S_ISDIR(st.st_mode)) {
		log_line(LOG_LEVEL_ERROR, "import: %s: no such directory: name a directory that can be read",
			 source);
		return STATUS_FAILED;
	}
	if (target_find_vault(self->name, vault_path, &target) < 0 ||
	    vault_open(target.vault, NULL, &vault) < 0)
		return STATUS_FAILED;
	options->progress = progress_new("imported", quiet);
	r = import_into(vault, source, options);
	closed = vault_close(vault);
	progress_free(options->progress);
	return r < 0 || closed < 0 ? STATUS_FAILED : STATUS_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "into", required_argument, NULL, 'i' },
		{ "update", no_argument, NULL, 'u' },
		{ "one-file-system", no_argument, NULL, 'x' },
		{ "quiet", no_argument, NULL, 'q' },
		COMMAND_LAST_OPTIONS,
	};
	struct import_options options = { 0 };
	bool quiet = false;
	int c;

	while ((c = command_option(self, argc, argv, "i:uxq", long_options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c == 'i')
			options.into = optarg;
		else if (c == 'u')
			options.update = true;
		else if (c == 'x')
			options.one_file_system = true;
		else if (c == 'q')
			quiet = true;
		else
			return STATUS_USAGE;
	}
	if (argc - optind != 2)
		return command_misused(self, "name a directory, then the vault it goes to");
	return import(self, argv[optind], argv[optind + 1], &options, quiet);
}

const struct command cmd_import = {
	.name = "import",
	.summary = "copy a directory straight into a vault",
	.usage = "[--into PATH] [--update] [--one-file-system] [--quiet] DIRECTORY VAULT",
	.help = "Copies DIRECTORY into a vault that is not mounted, faster than through a mount. Modes,\n"
		"owners, times, access control lists, extended attributes, symbolic and hard links, devices and\n"
		"holes are kept. It becomes a directory of the same name at the top of the vault, which must\n"
		"not be there yet. Files that cannot be read are named and passed over; the exit status is 1\n"
		"then.\n"
		"\n"
		"  -i, --into PATH        what it becomes in the vault; directories above are made, / is the top\n"
		"  -u, --update           go on with an import, or bring one up to date: files of the same size\n"
		"                         and modification time are kept, others replaced, none removed\n"
		"  -x, --one-file-system  leave mount points below DIRECTORY empty\n"
		"  -q, --quiet            no progress line\n"
		"  -h, --help             this text\n"
		"\n"
		"Example: vaultfs import ~/Videos ~/Media.vault\n"
		"         vaultfs import --into archive/2023 /mnt/old ~/Media.vault\n",
	.run = run,
};
