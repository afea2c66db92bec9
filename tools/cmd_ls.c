/* cmd_ls.c - `vaultfs ls`: what is in a vault, mounted or not. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "auto.h"
#include "command.h"
#include "json.h"
#include "listing.h"
#include "log.h"
#include "target.h"
#include "text.h"
#include "vault.h"

struct ls {
	struct vault *vault;
	bool with_details, recursive, as_json;
	bool printed; /* something was: what follows is set apart from it */
};

static int print_json(struct ls *ls, const char *path, const struct vault_attr *attr)
{
	AUTO(json) json_t *object = json_object();
	char target[VAULT_PATH_MAX + 1];
	char mode[16];
	int r = 0;

	json_put_bytes(&r, object, "path", path);
	json_put(&r, object, "type", json_string(listing_type(attr->mode)));
	json_put_number(&r, object, "inode", attr->id);
	(void)snprintf(mode, sizeof(mode), "%04o", attr->mode & 07777u);
	json_put(&r, object, "mode", json_string(mode));
	json_put_number(&r, object, "links", attr->nlink);
	json_put_number(&r, object, "uid", attr->uid);
	json_put_number(&r, object, "gid", attr->gid);
	json_put_number(&r, object, "size", attr->size);
	json_put_number(&r, object, "mapped_bytes", attr->mapped);
	json_put_time(&r, object, "mtime", attr->mtime_ns);
	if (S_ISLNK(attr->mode) && vault_readlink(ls->vault, attr->id, target) == 0)
		json_put_bytes(&r, object, "target", target);
	if (r < 0)
		return r;
	(void)fputs(ls->printed ? "," : "[", stdout); /* output is checked by command_finish_output() */
	ls->printed = true;
	return json_print(object, JSON_COMPACT);
}

static int print_details(const struct ls *ls, const char *name, const struct vault_attr *attr)
{
	char target[VAULT_PATH_MAX + 1];
	char size[32];
	int r;

	if (S_ISCHR(attr->mode) || S_ISBLK(attr->mode))
		(void)snprintf(size, sizeof(size), "%u,%u", major((dev_t)attr->rdev),
			       minor((dev_t)attr->rdev));
	else
		(void)snprintf(size, sizeof(size), "%" PRIu64, attr->size);
	(void)printf("%s %3u %5u %5u %12s %s ", text_from_mode(attr->mode).text, attr->nlink, attr->uid,
		     attr->gid, size, text_from_time(attr->mtime_ns).text);
	text_print_name(name);
	if (S_ISLNK(attr->mode)) {
		r = vault_readlink(ls->vault, attr->id, target);
		if (r < 0)
			return r;
		(void)fputs(" -> ", stdout);
		text_print_name(target);
	}
	(void)putchar('\n');
	return 0;
}

static int print_one(struct ls *ls, const char *directory, const char *name, const struct vault_attr *attr)
{
	AUTO(free) char *path = NULL;

	if (ls->as_json) {
		path = listing_join(directory, name);
		return path ? print_json(ls, path, attr) : -ENOMEM;
	}
	if (ls->with_details)
		return print_details(ls, name, attr);
	text_print_name(name);
	(void)putchar('\n');
	return 0;
}

static int list_directory(struct ls *ls, uint64_t id, const char *path);

static int list_below(struct ls *ls, const struct listing *listing, const char *path)
{
	int r = 0;

	for (size_t i = 0; i < listing->n && r == 0; i++) {
		AUTO(free) char *below = NULL;

		if (!S_ISDIR(listing->entries[i].attr.mode))
			continue;
		below = listing_join(path, listing->entries[i].name);
		r = below ? list_directory(ls, listing->entries[i].attr.id, below) : -ENOMEM;
	}
	return r;
}

/* Recursion is as deep as the tree; a level keeps one listing. */
static int list_directory(struct ls *ls, uint64_t id, const char *path)
{
	AUTO(listing) struct listing listing = { 0 };
	int r = listing_read(ls->vault, id, &listing);

	if (r < 0)
		return r;
	listing_sort(&listing);
	if (ls->recursive && !ls->as_json) {
		(void)fputs(ls->printed ? "\n" : "", stdout);
		text_print_name(*path ? path : ".");
		(void)fputs(":\n", stdout);
		ls->printed = true;
	}
	for (size_t i = 0; i < listing.n && r == 0; i++)
		r = print_one(ls, path, listing.entries[i].name, &listing.entries[i].attr);
	return r == 0 && ls->recursive ? list_below(ls, &listing, path) : r;
}

static int list(struct ls *ls, const struct target *target, const char *path)
{
	struct vault_attr attr;
	int r = target_resolve("ls", target, ls->vault, path, &attr);

	if (r < 0)
		return r;
	if (S_ISDIR(attr.mode))
		r = list_directory(ls, attr.id, path ? path : "");
	else
		r = print_one(ls, "", path && *path ? path : target->given, &attr);
	if (r == 0 && ls->as_json)
		(void)puts(ls->printed ? "]" : "[]");
	return r;
}

static int parse(const struct command *self, int argc, char **argv, struct ls *ret)
{
	static const struct option options[] = {
		{ "long", no_argument, NULL, 'l' },
		{ "recursive", no_argument, NULL, 'R' },
		{ "json", no_argument, NULL, 'j' },
		COMMAND_LAST_OPTIONS,
	};
	int c;

	while ((c = command_option(self, argc, argv, "lR", options)) != -1) {
		if (c == 'l')
			ret->with_details = true;
		else if (c == 'R')
			ret->recursive = true;
		else if (c == 'j')
			ret->as_json = true;
		else
			return c;
	}
	return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	AUTO(target) struct target target = { 0 };
	AUTO(vault) struct vault *vault = NULL;
	struct ls ls = { 0 };
	int c = parse(self, argc, argv, &ls);

	if (c != 0)
		return c == 'h' ? command_help(self) : STATUS_USAGE;
	if (argc - optind < 1 || argc - optind > 2)
		return command_misused(self, "name a vault or mount, and at most one path in it");
	if (target_find(self->name, argv[optind], &target) < 0 ||
	    target_open(self->name, &target, &vault) < 0)
		return STATUS_FAILED;
	ls.vault = vault;
	if (list(&ls, &target, argc - optind == 2 ? argv[optind + 1] : NULL) < 0)
		return STATUS_FAILED;
	return command_finish_output(self);
}

const struct command cmd_ls = {
	.name = "ls",
	.summary = "list what is in a vault, mounted or not",
	.usage = "[-l] [-R] [--json] VAULT|MOUNT [PATH]",
	.help = "Lists a directory, sorted by name; PATH is below what was named first.\n"
		"\n"
		"  -l, --long       mode, links, owner, group, size, time\n"
		"  -R, --recursive  and everything below\n"
		"      --json       a JSON array, one entry a line; vaultfs(1) lists the keys\n"
		"  -h, --help       this text\n"
		"\n"
		"Example: vaultfs ls -l ~/Media.vault Videos\n",
	.run = run,
};
