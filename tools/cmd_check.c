/* cmd_check.c - `vaultfs check`: is every byte and every row of a vault as it must be? */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "auto.h"
#include "command.h"
#include "json.h"
#include "log.h"
#include "progress.h"
#include "target.h"
#include "text.h"
#include "vault.h"

struct checking {
	struct progress *progress;
	uint64_t shown;   /* bytes told to the progress line so far */
	json_t *findings; /* NULL: print them as they come */
	int error;        /* of putting findings together */
};

static void print_finding(const struct vault_finding *finding)
{
	if (finding->pack != 0)
		(void)printf("pack %" PRIu64 " at %" PRIu64 ": ", finding->pack, finding->offset);
	if (finding->path) {
		text_print_name(finding->path);
		(void)printf(" (inode %" PRIu64 "): ", finding->inode);
	} else if (finding->inode != 0) {
		(void)printf("inode %" PRIu64 ": ", finding->inode);
	}
	text_print_name(finding->text); /* it may quote names */
	(void)printf(" [%s]\n", finding->kind);
	(void)fflush(stdout); /* whoever waits sees it now; failures are met at the end */
}

static void add_finding(struct checking *checking, const struct vault_finding *finding)
{
	json_t *object = json_object();
	int *r = &checking->error;

	json_put(r, object, "kind", json_string(finding->kind));
	json_put_bytes(r, object, "text", finding->text);
	json_put(r, object, "pack", finding->pack ? json_integer((json_int_t)finding->pack) : json_null());
	json_put(r, object, "offset",
		 finding->pack ? json_integer((json_int_t)finding->offset) : json_null());
	json_put(r, object, "inode", finding->inode ? json_integer((json_int_t)finding->inode) : json_null());
	if (finding->path)
		json_put_bytes(r, object, "path", finding->path);
	else
		json_put(r, object, "path", json_null());
	if (json_array_append_new(checking->findings, object) < 0 &&
	    *r == 0) /* takes it over, also when it fails */
		*r = log_err(-ENOMEM, "no memory for the output");
}

static void found(void *context, const struct vault_finding *finding)
{
	struct checking *checking = context;

	if (checking->findings)
		add_finding(checking, finding);
	else
		print_finding(finding);
}

static void go_on(void *context, uint64_t bytes, uint64_t total)
{
	struct checking *checking = context;

	progress_set_total(checking->progress, total);
	progress_add(checking->progress, 0, bytes - checking->shown);
	checking->shown = bytes;
}

static void print_summary(const struct target *target, const struct vault_check_counts *counts)
{
	(void)printf("Checked commit %" PRIu64 " of ", counts->commit);
	text_print_name(target->vault);
	(void)printf(": %s in %s, %s,\n%s, %s, %s.", text_from_size(counts->pack_bytes).text,
		     text_from_items(counts->n_packs, "pack", "packs").text,
		     text_from_items(counts->n_records, "record", "records").text,
		     text_from_items(counts->n_extents, "extent", "extents").text,
		     text_from_items(counts->n_inodes, "inode", "inodes").text,
		     text_from_items(counts->n_entries, "name", "names").text);
	if (counts->n_orphans > 0)
		(void)printf(" %s without a name %s when the vault is mounted next.",
			     text_from_items(counts->n_orphans, "file", "files").text,
			     counts->n_orphans == 1 ? "goes" : "go");
	if (target->mount && counts->tail_bytes > 0)
		(void)printf(" %s behind that commit were not looked at.",
			     text_from_size(counts->tail_bytes).text);
	if (counts->n_findings == 0)
		(void)printf("\nNothing is wrong.\n");
	else
		(void)printf("\n%s; bytes of %s cannot be read.\n",
			     text_from_items(counts->n_findings, "finding", "findings").text,
			     text_from_items(counts->n_damaged_files, "file", "files").text);
}

static int print_json(const struct target *target, const struct vault_check_counts *counts,
		      struct checking *checking)
{
	AUTO(json) json_t *object = json_object();
	int r = checking->error;

	json_put_bytes(&r, object, "vault", target->vault);
	if (target->mount)
		json_put_bytes(&r, object, "mount", target->mount);
	else
		json_put(&r, object, "mount", json_null());
	json_put_number(&r, object, "commit", counts->commit);
	json_put_number(&r, object, "n_findings", counts->n_findings);
	json_put(&r, object, "findings", json_incref(checking->findings));
	json_put_number(&r, object, "damaged_files", counts->n_damaged_files);
	json_put_number(&r, object, "packs", counts->n_packs);
	json_put_number(&r, object, "pack_bytes", counts->pack_bytes);
	json_put_number(&r, object, "records", counts->n_records);
	json_put_number(&r, object, "chunk_records", counts->n_chunks);
	json_put_number(&r, object, "commit_records", counts->n_commits);
	json_put_number(&r, object, "extents", counts->n_extents);
	json_put_number(&r, object, "inodes", counts->n_inodes);
	json_put_number(&r, object, "entries", counts->n_entries);
	json_put_number(&r, object, "orphans", counts->n_orphans);
	json_put_number(&r, object, "unlisted_records", counts->n_unlisted);
	json_put_number(&r, object, "superseded_records", counts->n_superseded);
	json_put_number(&r, object, "files_beyond_size", counts->n_beyond);
	json_put_number(&r, object, "unchecked_bytes", counts->tail_bytes);
	return r < 0 ? r : json_print(object, JSON_INDENT(2));
}

/* Beside the process that holds the vault if there is one, after a commit. */
static int check_target(const char *what, const struct target *target, struct vault_check_options *options,
			struct vault_check_counts *ret)
{
	int r = 0;

	if (target->kind == TARGET_MOUNT) {
		if (target_vault_in_use(target->vault) > 0) /* not on a read-only disk: nobody writes there */
			options->flags |= VAULT_CHECK_SHARED;
		r = target_sync(what, target);
		if (r < 0 && r != -EROFS)
			log_warn("%s: %s: checking what was last written", what, target->mount);
	}
	return vault_check(target->vault, options, ret);
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = { { "deep", no_argument, NULL, 'd' },
						 { "json", no_argument, NULL, 'j' },
						 { "quiet", no_argument, NULL, 'q' },
						 COMMAND_LAST_OPTIONS };
	AUTO(target) struct target target = { 0 };
	AUTO(json) json_t *findings = NULL;
	struct checking checking = { .error = 0 };
	struct vault_check_options how = { .found = found, .progress = go_on, .context = &checking };
	struct vault_check_counts counts;
	bool json = false, quiet = false;
	int c, r;

	while ((c = command_option(self, argc, argv, "dq", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c == '?')
			return STATUS_USAGE;
		json = json || c == 'j';
		quiet = quiet || c == 'q';
		if (c == 'd')
			how.flags |= VAULT_CHECK_DEEP;
	}
	if (argc - optind != 1)
		return command_misused(self, argc == optind ? "no vault or mount named"
							    : "one vault or mount at a time");
	if (target_find(self->name, argv[optind], &target) < 0)
		return STATUS_FAILED;
	if (json)
		checking.findings = findings = json_array();
	checking.progress = progress_new("checked", quiet || json);
	r = check_target(self->name, &target, &how, &counts);
	progress_free(checking.progress);
	if (r < 0)
		return STATUS_FAILED;
	if (json)
		r = print_json(&target, &counts, &checking);
	else if (!quiet || counts.n_findings > 0)
		print_summary(&target, &counts);
	if (command_finish_output(self) != STATUS_OK || r < 0 || counts.n_findings > 0)
		return STATUS_FAILED;
	return STATUS_OK;
}

const struct command cmd_check = {
	.name = "check",
	.summary = "look at every byte and every row of a vault",
	.usage = "[--deep] [--json] [-q] VAULT|MOUNT",
	.help = "Reads all packs and the whole database, and says what is damaged or does not agree: a line\n"
		"for each finding, with the place, and the files that cannot be read. A vault that was not\n"
		"closed cleanly is recovered first, as by mounting it; otherwise nothing is changed. Of a\n"
		"mounted vault, what was last committed is checked while it is in use.\n"
		"\n"
		"The exit status is 0 if nothing is wrong, 1 if something is, or it could not be checked.\n"
		"\n"
		"  -d, --deep   also build the database anew from the packs, in a temporary place, and\n"
		"               compare; the vault must not be mounted\n"
		"      --json   one JSON object; vaultfs(1) lists the keys\n"
		"  -q, --quiet  findings only\n"
		"  -h, --help   this text\n"
		"\n"
		"Example: vaultfs check ~/Media\n",
	.run = run,
};
