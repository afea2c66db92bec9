/* cmd_dups.c - `vaultfs dups`: which files are the same, and what deduplication saves. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "auto.h"
#include "command.h"
#include "json.h"
#include "library.h"
#include "listing.h"
#include "log.h"
#include "target.h"
#include "text.h"

struct group {
	char sha256[65];
	uint64_t size;
	char **paths;
	size_t n;
};

struct dups {
	const char *root; /* what stands before paths: "" for those in a vault */
	struct group *groups;
	size_t n, room;
	uint64_t n_files; /* in groups, one of each not counted */
	uint64_t bytes;   /* of these */
	uint64_t saved;   /* by deduplication, of whatever files */
	uint64_t logical; /* that all files hold */
};

static void group_release(struct group *group)
{
	for (size_t i = 0; i < group->n; i++)
		free(group->paths[i]);
	free(group->paths);
}

static void auto_dups(struct dups *dups)
{
	for (size_t i = 0; i < dups->n; i++)
		group_release(&dups->groups[i]);
	free(dups->groups);
}

/* ---- finding ---- */

static int no_memory(void)
{
	return log_err(-ENOMEM, "dups: no memory for what was found");
}

static int group_fill(struct group *group, const struct dups *dups, const struct vault_duplicates *found)
{
	for (size_t i = 0; i < 32; i++)
		(void)snprintf(group->sha256 + 2 * i, 3, "%02x", found->sha256[i]); /* fits */
	group->size = found->size;
	group->paths = calloc(found->n, sizeof(*group->paths));
	if (!group->paths)
		return no_memory();
	for (; group->n < found->n; group->n++) {
		group->paths[group->n] = listing_join(dups->root, found->paths[group->n]);
		if (!group->paths[group->n])
			return -ENOMEM;
	}
	return 0;
}

static int add_group(void *context, const struct vault_duplicates *found)
{
	struct dups *dups = context;

	/* Empty files are the same, too, and nobody wants to know. */
	if (found->size == 0)
		return 0;
	if (dups->n == dups->room) {
		const size_t room = 2 * dups->room + 64;
		struct group *groups = reallocarray(dups->groups, room, sizeof(*groups));

		if (!groups)
			return no_memory();
		dups->groups = groups;
		dups->room = room;
	}
	dups->groups[dups->n] = (struct group){ .n = 0 };
	dups->n_files += found->n - 1;
	dups->bytes += (found->n - 1) * found->size;
	return group_fill(&dups->groups[dups->n++], dups, found);
}

/* What takes most comes first. */
static int compare(const void *a, const void *b)
{
	const struct group *one = a, *two = b;
	const uint64_t more = (one->n - 1) * one->size, less = (two->n - 1) * two->size;

	return more != less ? (more < less ? 1 : -1) : strcmp(one->sha256, two->sha256);
}

static int find_out(struct vault *vault, struct dups *dups)
{
	struct vault_stats stats;
	int r = vault_duplicates(vault, add_group, dups);

	if (r == 0)
		r = vault_stats(vault, &stats);
	if (r < 0)
		return r;
	dups->logical = stats.logical_bytes + stats.derived_bytes;
	dups->saved = dups->logical > stats.chunk_bytes ? dups->logical - stats.chunk_bytes : 0;
	if (dups->n > 0)
		qsort(dups->groups, dups->n, sizeof(dups->groups[0]), compare);
	return 0;
}

/* ---- printing ---- */

static void print_plain(const struct dups *dups)
{
	for (size_t i = 0; i < dups->n; i++) {
		const struct group *group = &dups->groups[i];

		(void)printf("%s of %s each, %.8s\n", text_from_items(group->n, "file", "files").text,
			     text_from_size(group->size).text, group->sha256);
		for (size_t j = 0; j < group->n; j++) {
			(void)fputs("  ", stdout); /* output is checked by command_finish_output() */
			text_print_name(group->paths[j]);
			(void)putchar('\n');
		}
		(void)putchar('\n');
	}
	(void)printf("Same as others    %10s  in %s\n", text_from_size(dups->bytes).text,
		     text_from_items(dups->n_files, "file", "files").text);
	(void)printf("Deduplication     %10s  saved of %s (%s), equal parts of other files included\n",
		     text_from_size(dups->saved).text, text_from_size(dups->logical).text,
		     text_from_share(dups->saved, dups->logical).text);
}

static void put_paths(int *r, json_t *object, const struct group *group)
{
	json_t *files = json_array();

	for (size_t i = 0; i < group->n; i++) {
		json_t *file = json_object();

		json_put_bytes(r, file, "path", group->paths[i]);
		if (json_array_append_new(files, file) < 0 && *r == 0)
			*r = no_memory();
	}
	json_put(r, object, "files", files);
}

static int print_json(const struct dups *dups)
{
	AUTO(json) json_t *object = json_object();
	json_t *groups = json_array();
	int r = 0;

	for (size_t i = 0; i < dups->n; i++) {
		json_t *group = json_object();

		json_put(&r, group, "sha256", json_string(dups->groups[i].sha256));
		json_put_number(&r, group, "size", dups->groups[i].size);
		put_paths(&r, group, &dups->groups[i]);
		if (json_array_append_new(groups, group) < 0 && r == 0)
			r = no_memory();
	}
	json_put(&r, object, "groups", groups);
	json_put_number(&r, object, "duplicate_files", dups->n_files);
	json_put_number(&r, object, "duplicate_bytes", dups->bytes);
	json_put_number(&r, object, "dedup_saved_bytes", dups->saved);
	json_put_number(&r, object, "logical_bytes", dups->logical);
	return r < 0 ? r : json_print(object, JSON_INDENT(2));
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, COMMAND_LAST_OPTIONS };
	AUTO(target) struct target target = { 0 };
	AUTO(vault) struct vault *vault = NULL;
	AUTO(dups) struct dups dups = { 0 };
	bool as_json = false;
	int c;

	while ((c = command_option(self, argc, argv, "", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c != 'j')
			return STATUS_USAGE;
		as_json = true;
	}
	if (argc - optind != 1)
		return command_misused(self, argc == optind ? "no vault or mount named"
							    : "one vault or mount at a time");
	if (target_find(self->name, argv[optind], &target) < 0 ||
	    target_open(self->name, &target, &vault) < 0)
		return STATUS_FAILED;
	dups.root = target.mount ? target.mount : "";
	if (find_out(vault, &dups) < 0)
		return STATUS_FAILED;
	if (!as_json)
		print_plain(&dups);
	else if (print_json(&dups) < 0)
		return STATUS_FAILED;
	return command_finish_output(self);
}

const struct command cmd_dups = {
	.name = "dups",
	.summary = "which files are the same, and what deduplication saves",
	.usage = "[--json] VAULT|MOUNT",
	.help = "Lists files of the same bytes in groups, those that would take most first, and says what\n"
		"deduplication saves: equal files, and equal parts of files, are stored once. Files are told\n"
		"apart by their SHA-256, which the indexer works out: a file that it has yet to look at is in no\n"
		"group ('vaultfs jobs' says how far it is). Hidden files and those in the trash are left out.\n"
		"\n"
		"      --json  one JSON object; vaultfs(1) lists the keys\n"
		"  -h, --help  this text\n"
		"\n"
		"Example: vaultfs dups ~/Media\n",
	.run = run,
};
