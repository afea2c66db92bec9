/* cmd_save.c - `vaultfs save`: searches kept under names.
 *
 * In a mount they are folders of .views/saved, made and removed like others, so that who watches them is told; of a vault that
 * nobody has mounted they are changed in it. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "auto.h"
#include "command.h"
#include "json.h"
#include "library.h"
#include "log.h"
#include "query.h"
#include "target.h"
#include "text.h"

#define FOLDER ".views/saved"
#define XATTR_QUERY "user.vaultfs.query"

/* ---- in a mount ---- */

static char *folder_of(const struct target *target, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/" FOLDER "/%s", target->mount, name) < 0) {
		(void)log_err(-ENOMEM, "save: no memory for a path");
		return NULL;
	}
	return path;
}

static int put_mounted(const struct target *target, const char *name, const char *query)
{
	AUTO(free) char *path = folder_of(target, name);
	bool made;
	int r = 0;

	if (!path)
		return -ENOMEM;
	made = mkdir(path, 0777) == 0;
	if (!made && errno != EEXIST)
		return log_err(-errno, "save: %s: ", path);
	if (setxattr(path, XATTR_QUERY, query, strlen(query), 0) < 0)
		r = log_err(-errno, "save: %s: cannot keep the query: ", path);
	if (r < 0 && made)
		(void)rmdir(path); /* as it was before */
	return r;
}

static int remove_mounted(const struct target *target, const char *name)
{
	AUTO(free) char *path = folder_of(target, name);

	if (!path)
		return -ENOMEM;
	if (rmdir(path) == 0)
		return 0;
	if (errno == ENOENT)
		return log_err(-ENOENT, "save: %s: no search of that name", name);
	return log_err(-errno, "save: %s: ", path);
}

static int rename_mounted(const struct target *target, const char *name, const char *new_name)
{
	AUTO(free) char *path = folder_of(target, name);
	AUTO(free) char *new_path = folder_of(target, new_name);

	if (!path || !new_path)
		return -ENOMEM;
	if (rename(path, new_path) == 0)
		return 0;
	if (errno == ENOENT)
		return log_err(-ENOENT, "save: %s: no search of that name", name);
	return log_err(-errno, "save: %s to %s: ", path, new_name);
}

/* ---- in a vault ---- */

static int say_failed(int r, const char *name)
{
	switch (r) {
	case -ENOENT:
		return log_err(r, "save: %s: no search of that name", name);
	case -EEXIST:
		return log_err(r, "save: %s: there is a search of that name", name);
	case -ENOSPC:
		return log_err(r, "save: %s: there are %u saved searches, or the disk is full", name,
			       VAULT_SEARCHES_MAX);
	default:
		return log_err(r, "save: %s: ", name);
	}
}

enum action { ACTION_LIST, ACTION_PUT, ACTION_REMOVE, ACTION_RENAME };

/* `what` is the query, or the new name. */
static int change_vault(const struct target *target, enum action action, const char *name, const char *what)
{
	struct vault *vault = NULL;
	int r = vault_open(target->vault, NULL, &vault), closed;

	if (r < 0)
		return r;
	vault_change_begin(vault, 0);
	if (action == ACTION_PUT)
		r = vault_search_put(vault, name, what, 0);
	else if (action == ACTION_REMOVE)
		r = vault_search_remove(vault, name);
	else
		r = vault_search_rename(vault, name, what);
	vault_change_end(vault);
	if (r < 0)
		(void)say_failed(r, r == -EEXIST ? what : name);
	closed = vault_close(vault);
	return r < 0 ? r : closed;
}

/* A folder's name in any case, or the path would lead elsewhere. */
static int check_name(const struct command *self, const char *name)
{
	if (*name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	    strlen(name) <= VAULT_NAME_MAX)
		return 0;
	(void)command_misused(self, "%s: a name has 1 to %u bytes, without '/', and is not . or ..", name,
			      VAULT_NAME_MAX);
	return -EINVAL;
}

static int change(const struct target *target, enum action action, const char *name, const char *what)
{
	if (target->kind == TARGET_VAULT)
		return change_vault(target, action, name, what);
	if (action == ACTION_PUT)
		return put_mounted(target, name, what);
	return action == ACTION_REMOVE ? remove_mounted(target, name) : rename_mounted(target, name, what);
}

/* ---- listing ---- */

struct listed {
	bool as_json;
	json_t *all;
	int error;
};

static int list_one(void *context, const struct vault_search *search)
{
	struct listed *listed = context;

	if (listed->as_json) {
		json_t *object = json_object();

		json_put_bytes(&listed->error, object, "name", search->name);
		json_put_bytes(&listed->error, object, "query", search->query);
		if (json_array_append_new(listed->all, object) < 0 && listed->error == 0)
			listed->error = log_err(-ENOMEM, "save: no memory for the output");
		return listed->error;
	}
	text_print_name(search->name);
	(void)putchar('\t');
	text_print_name(search->query);
	(void)putchar('\n');
	return 0;
}

static int list(const struct target *target, bool as_json)
{
	AUTO(json) json_t *all = json_array();
	AUTO(vault) struct vault *vault = NULL;
	struct listed listed = { as_json, all, 0 };
	int r = target_open("save", target, &vault);

	if (r == 0)
		r = vault_searches(vault, list_one, &listed);
	return r == 0 && as_json ? json_print(all, JSON_INDENT(2)) : r;
}

/* ---- words ---- */

static int parse(const struct command *self, int argc, char **argv, enum action *ret_action, bool *ret_json)
{
	static const struct option options[] = {
		{ "remove", no_argument, NULL, 'R' },
		{ "rename", no_argument, NULL, 'N' },
		{ "json", no_argument, NULL, 'j' },
		COMMAND_LAST_OPTIONS,
	};
	int c;

	while ((c = command_option(self, argc, argv, "+", options)) != -1) {
		if (c == 'R')
			*ret_action = ACTION_REMOVE;
		else if (c == 'N')
			*ret_action = ACTION_RENAME;
		else if (c == 'j')
			*ret_json = true;
		else
			return c;
	}
	return 0;
}

/* What stands behind the place. */
static int run_words(const struct command *self, const struct target *target, enum action action,
		     char **words, int n)
{
	AUTO(vault_query) struct vault_query *query = NULL;
	AUTO(free) char *text = NULL;
	int r;

	if (check_name(self, words[0]) < 0 || (action == ACTION_RENAME && check_name(self, words[1]) < 0))
		return STATUS_USAGE;
	if (action == ACTION_PUT) {
		r = query_from_words(self->name, words + 1, n - 1, &query, &text);
		if (r < 0)
			return r == -EINVAL ? STATUS_USAGE : STATUS_FAILED;
	}
	r = change(target, action, words[0], action == ACTION_RENAME ? words[1] : text);
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
	AUTO(target) struct target target = { 0 };
	enum action action = ACTION_PUT;
	bool as_json = false;
	int c = parse(self, argc, argv, &action, &as_json), n;

	if (c != 0)
		return c == 'h' ? command_help(self) : STATUS_USAGE;
	n = argc - optind - 1;
	if (n < 0)
		return command_misused(self, "no vault or mount named");
	if (action == ACTION_PUT && n == 0)
		action = ACTION_LIST;
	if (as_json && action != ACTION_LIST)
		return command_misused(self, "--json is for the list");
	if (action == ACTION_PUT && n < 2)
		return command_misused(self, "name the search, then say what to look for");
	if ((action == ACTION_REMOVE && n != 1) || (action == ACTION_RENAME && n != 2))
		return command_misused(self, action == ACTION_REMOVE
						     ? "name one search"
						     : "name the search, and what it is to be called");
	if (target_find(self->name, argv[optind], &target) < 0)
		return STATUS_FAILED;
	if (action != ACTION_LIST)
		return run_words(self, &target, action, argv + optind + 1, n);
	return list(&target, as_json) < 0 ? STATUS_FAILED : command_finish_output(self);
}

const struct command cmd_save = {
	.name = "save",
	.summary = "keep searches under names",
	.usage = "VAULT|MOUNT NAME QUERY...\n"
		 "[--json] VAULT|MOUNT\n"
		 "--remove VAULT|MOUNT NAME\n"
		 "--rename VAULT|MOUNT NAME NEW-NAME",
	.help = "Keeps a query, as for `vaultfs find`, under a name; one that is there already is replaced. In a\n"
		"mount the files that it finds are in .views/saved/NAME, and `vaultfs find --saved NAME` prints\n"
		"them. Without a name all saved searches are listed, a line each: name, tab, query.\n"
		"\n"
		"      --remove    forget it\n"
		"      --rename    call it otherwise\n"
		"      --json      the list as a JSON array of objects with name and query\n"
		"  -h, --help      this text\n"
		"\n"
		"Example: vaultfs save ~/Media evening 'kind:video unseen length:>1h'\n",
	.run = run,
};
