/* cmd_tag.c - `vaultfs tag`: read and change the tags of files in a mount.
 *
 * Through the xattr user.xdg.tags, as file managers do it: the daemon keeps the tables, and watchers are told. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "auto.h"
#include "command.h"
#include "finder.h"
#include "finder_import.h"
#include "json.h"
#include "log.h"
#include "tag_file.h"
#include "tags.h"
#include "text.h"

enum action { ACTION_ADD, ACTION_RM, ACTION_SET, ACTION_LS };

static const char *const action_names[] = { "add", "rm", "set", "ls" };

static int change(enum action action, const struct tags *given, const char *given_text, const char *path)
{
	AUTO(tags) struct tags tags = { 0 };
	int r = tag_file_check(path);

	if (r == 0 && action != ACTION_SET)
		r = tag_file_read(path, &tags);
	if (r == 0 && action == ACTION_RM)
		tags_subtract(&tags, given);
	else if (r == 0)
		r = tags_add(&tags, given_text);
	return r < 0 ? r : tag_file_write(path, &tags);
}

static void print_plain(const char *path, const struct tags *tags, bool with_path)
{
	if (!with_path) {
		for (size_t i = 0; i < tags->n; i++) {
			text_print_name(tags->words[i]);
			(void)putchar('\n');
		}
		return;
	}
	text_print_name(path);
	(void)putchar(':');
	for (size_t i = 0; i < tags->n; i++) {
		(void)fputs(i > 0 ? ", " : " ", stdout);
		text_print_name(tags->words[i]);
	}
	(void)putchar('\n');
}

static int add_to_json(json_t *list, const char *path, const struct tags *tags)
{
	json_t *words = json_array();
	json_t *object = json_object();
	int r = 0;

	for (size_t i = 0; i < tags->n; i++) {
		AUTO(free) char *utf8 = text_to_utf8(tags->words[i]);

		if (json_array_append_new(words, utf8 ? json_string(utf8) : NULL) < 0)
			r = log_err(-ENOMEM, "tag: no memory for the output");
	}
	json_put_bytes(&r, object, "path", path);
	json_put(&r, object, "tags", words);
	if (json_array_append_new(list, object) < 0 && r == 0)
		r = log_err(-ENOMEM, "tag: no memory for the output");
	return r;
}

static int list(const struct command *self, char **paths, int n, bool as_json)
{
	AUTO(json) json_t *found = json_array();
	int status = STATUS_OK;

	for (int i = 0; i < n; i++) {
		AUTO(tags) struct tags tags = { 0 };
		int r = tag_file_check(paths[i]);

		if (r == 0)
			r = tag_file_read(paths[i], &tags);
		if (r == 0 && as_json)
			r = add_to_json(found, paths[i], &tags);
		else if (r == 0)
			print_plain(paths[i], &tags, n > 1);
		if (r < 0)
			status = STATUS_FAILED;
	}
	if (as_json && json_print(found, JSON_INDENT(2)) < 0)
		return STATUS_FAILED;
	return command_finish_output(self) == STATUS_OK ? status : STATUS_FAILED;
}

static int run_action(const struct command *self, enum action action, char **words, int n, bool as_json)
{
	AUTO(tags) struct tags given = { 0 };
	int status = STATUS_OK;

	if (action == ACTION_LS)
		return n < 1 ? command_misused(self, "ls: no path named") : list(self, words, n, as_json);
	if (as_json)
		return command_misused(self, "--json is for ls");
	if (n < 2)
		return command_misused(self, "%s: name the tags, then at least one path",
				       action_names[action]);
	if (tags_add(&given, words[0]) < 0)
		return STATUS_FAILED;
	if (given.n == 0 && action != ACTION_SET)
		return command_misused(self, "%s: no tag in \"%s\"", action_names[action], words[0]);
	for (int i = 1; i < n; i++)
		if (change(action, &given, words[0], words[i]) < 0)
			status = STATUS_FAILED;
	return status;
}

static int import_finder(const struct command *self, char **paths, int n)
{
	struct finder_counts counts = { 0 };
	int status = STATUS_OK;

	if (n < 1)
		return command_misused(self, "--import-finder: no path named");
	if (!finder_is_supported()) {
		log_line(LOG_LEVEL_ERROR, "tag: --import-finder: this vaultfs was built without libplist");
		return STATUS_FAILED;
	}
	for (int i = 0; i < n; i++)
		if (finder_import(paths[i], &counts) < 0)
			status = STATUS_FAILED;
	(void)printf("%s of %s given tags\n", text_from_count(counts.n_changed).text,
		     text_from_items(counts.n_seen, "file", "files").text);
	return command_finish_output(self) == STATUS_OK ? status : STATUS_FAILED;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "import-finder", no_argument, NULL, 'f' },
						 COMMAND_LAST_OPTIONS };
	bool as_json = false, from_finder = false;
	int c;

	while ((c = command_option(self, argc, argv, "", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c != 'j' && c != 'f')
			return STATUS_USAGE;
		as_json |= c == 'j';
		from_finder |= c == 'f';
	}
	if (from_finder && as_json)
		return command_misused(self, "--json is for ls");
	if (from_finder)
		return import_finder(self, argv + optind, argc - optind);
	if (optind == argc)
		return command_misused(self, "say what to do: add, rm, set or ls");
	for (size_t i = 0; i < sizeof(action_names) / sizeof(action_names[0]); i++)
		if (strcmp(argv[optind], action_names[i]) == 0)
			return run_action(self, (enum action)i, argv + optind + 1, argc - optind - 1,
					  as_json);
	return command_misused(self, "%s: no such action: add, rm, set or ls", argv[optind]);
}

const struct command cmd_tag = {
	.name = "tag",
	.summary = "read and change tags of files in a mount",
	.usage = "add TAG[,TAG...] PATH...\n"
		 "rm TAG[,TAG...] PATH...\n"
		 "set TAG[,TAG...] PATH...\n"
		 "ls [--json] PATH...\n"
		 "--import-finder PATH...",
	.help = "add and rm add tags to files and directories and take them away; set replaces all of them\n"
		"(set '' removes all). ls prints them: of one path a tag a line, of several \"PATH: TAG, TAG\".\n"
		"Upper and lower case make no difference. Tags are the extended attribute user.xdg.tags, which\n"
		"file managers read and write too.\n"
		"\n"
		"      --json           ls: a JSON array of objects with path and tags\n"
		"      --import-finder  give the paths, and all that lies below them, the tags that macOS's\n"
		"                       Finder gave them, which came along as an extended attribute\n"
		"  -h, --help           this text\n"
		"\n"
		"Example: vaultfs tag add holiday,beach ~/Media/Videos/film.mkv\n"
		"         vaultfs tag ls ~/Media/Videos/*\n",
	.run = run,
};
