/* cmd_similar.c - `vaultfs similar`: files that share content with one. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "auto.h"
#include "command.h"
#include "json.h"
#include "library.h"
#include "listing.h"
#include "log.h"
#include "target.h"
#include "text.h"

struct similar {
	const char *root; /* what stands before paths: "" for those in a vault */
	uint64_t limit;
	uint64_t n; /* printed */
	bool as_json;
};

#define ENOUGH 1

static int print_json(const struct similar *similar, const char *path, const struct vault_similar *found)
{
	AUTO(json) json_t *object = json_object();
	int r = 0;

	json_put_bytes(&r, object, "path", path);
	json_put_number(&r, object, "inode", found->id);
	json_put_number(&r, object, "size", found->size);
	json_put_number(&r, object, "shared_bytes", found->shared_bytes);
	if (r < 0)
		return r;
	(void)fputs(similar->n > 0 ? "," : "[", stdout); /* output is checked by command_finish_output() */
	return json_print(object, JSON_COMPACT);
}

static int print_one(void *context, const struct vault_similar *found)
{
	struct similar *similar = context;
	AUTO(free) char *path = listing_join(similar->root, found->path);
	int r = 0;

	if (!path)
		return -ENOMEM;
	if (similar->as_json) {
		r = print_json(similar, path, found);
	} else {
		(void)printf("%10s of %10s  ", text_from_size(found->shared_bytes).text,
			     text_from_size(found->size).text);
		text_print_name(path);
		(void)putchar('\n');
	}
	return r < 0 ? r : ++similar->n == similar->limit ? ENOUGH : 0;
}

static int print_all(struct similar *similar, struct vault *vault, const struct target *target,
		     const char *path)
{
	struct vault_attr attr;
	int r = target_resolve("similar", target, vault, path, &attr);

	if (r < 0)
		return r;
	if (!S_ISREG(attr.mode))
		return log_err(-EINVAL, "similar: %s: is not a file: name one", path ? path : target->given);
	r = vault_similar(vault, attr.id, print_one, similar);
	if (r >= 0 && similar->as_json)
		(void)puts(similar->n > 0 ? "]" : "[]");
	return r < 0 ? r : 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "limit", required_argument, NULL, 'n' },
		COMMAND_LAST_OPTIONS,
	};
	AUTO(target) struct target target = { 0 };
	AUTO(vault) struct vault *vault = NULL;
	struct similar similar = { .limit = 100 };
	int c;

	while ((c = command_option(self, argc, argv, "n:", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c == 'j')
			similar.as_json = true;
		else if (c != 'n')
			return STATUS_USAGE;
		else if (text_to_number(optarg, 1, 1000, &similar.limit) < 0)
			return command_misused(self, "--limit %s: not a number from 1 to 1000", optarg);
	}
	if (argc - optind < 1 || argc - optind > 2)
		return command_misused(self, "name a file in a mount, or a vault and a file in it");
	if (target_find(self->name, argv[optind], &target) < 0 ||
	    target_open(self->name, &target, &vault) < 0)
		return STATUS_FAILED;
	similar.root = target.mount ? target.mount : "";
	if (print_all(&similar, vault, &target, argc - optind == 2 ? argv[optind + 1] : NULL) < 0)
		return STATUS_FAILED;
	return command_finish_output(self);
}

const struct command cmd_similar = {
	.name = "similar",
	.summary = "files that share content with one",
	.usage = "[-n N] [--json] FILE\n"
		 "[-n N] [--json] VAULT|MOUNT FILE",
	.help = "Lists the files that have parts of FILE's content, the closest first: how much they share\n"
		"before compression, and how large they are. Parts are the chunks that deduplication stores once,\n"
		"so that other versions of a file are found, but no pictures that only look alike. FILE alone is\n"
		"a path in a mount; behind VAULT or MOUNT it is a path in there.\n"
		"\n"
		"  -n, --limit N  no more than N, 1 to 1000 (default 100)\n"
		"      --json     a JSON array, an object a line; vaultfs(1) lists the keys\n"
		"  -h, --help     this text\n"
		"\n"
		"Example: vaultfs similar ~/Media/Projects/film-final-2.mov\n",
	.run = run,
};
