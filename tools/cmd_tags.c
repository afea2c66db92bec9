/* cmd_tags.c - `vaultfs tags`: the tags of a vault, as a tree with counts, and the rules that hold for them. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "auto.h"
#include "command.h"
#include "json.h"
#include "library.h"
#include "log.h"
#include "tag_editor.h"
#include "target.h"
#include "text.h"

/* ---- the list ---- */

struct listing_options {
	bool flat, unused, as_json, given;
};

/* One of a tag's texts, "" if there is none; NULL without memory (logged). The caller's. */
static char *text_of(struct vault *vault, const char *name, enum vault_tag_text which)
{
	ssize_t n = vault_tag_get_text(vault, name, which, NULL, 0);
	char *text;

	if (n < 0)
		n = 0;
	text = calloc(1, (size_t)n + 1);
	if (!text) {
		(void)log_err(-ENOMEM, "tags: no memory for what is known of a tag");
		return NULL;
	}
	if (n > 0 && vault_tag_get_text(vault, name, which, text, (size_t)n) < 0)
		text[0] = '\0'; /* it changed in between */
	return text;
}

static void print_list(const char *sign, const char *text)
{
	if (!*text)
		return;
	(void)printf("  %s ", sign);
	text_print_name(text);
}

/* How many steps stand above the tag, and where its last one begins. */
static size_t depth_of(const char *name, const char **ret_last)
{
	size_t depth = 0;

	*ret_last = name;
	for (const char *at = name; *at; at++) {
		if (*at != '/' || !at[1])
			continue;
		depth++;
		*ret_last = at + 1;
	}
	return depth;
}

static int print_one(struct vault *vault, const struct vault_tag *tag, const struct listing_options *options, size_t above)
{
	AUTO(free) char *aliases = NULL;
	AUTO(free) char *implies = NULL;
	const char *name;
	size_t depth = depth_of(tag->name, &name);

	if (options->unused) {
		text_print_name(tag->name);
		(void)putchar('\n');
		return 0;
	}
	aliases = text_of(vault, tag->name, VAULT_TAG_ALIASES);
	implies = text_of(vault, tag->name, VAULT_TAG_IMPLIES);
	if (!aliases || !implies)
		return -ENOMEM;
	(void)printf("%8" PRIu64 "  ", tag->n_total);
	if (options->flat)
		name = tag->name;
	else
		(void)printf("%*s", depth > above ? (int)(2 * (depth - above)) : 0, "");
	text_print_name(name);
	if (tag->color)
		(void)printf("  %s", tag->color);
	print_list("=", aliases);
	print_list("->", implies);
	(void)putchar('\n');
	return 0;
}

/* "a,b" as an array. */
static json_t *json_words(const char *text)
{
	json_t *list = json_array();

	while (list && *text) {
		size_t n = strcspn(text, ",");
		AUTO(free) char *word = strndup(text, n);
		AUTO(free) char *utf8 = word ? text_to_utf8(word) : NULL;

		if (!utf8 || json_array_append_new(list, json_string(utf8)) < 0) {
			json_decref(list);
			return NULL;
		}
		text += n + (text[n] == ',');
	}
	return list;
}

static int add_json(struct vault *vault, const struct vault_tag *tag, json_t *list)
{
	AUTO(free) char *aliases = text_of(vault, tag->name, VAULT_TAG_ALIASES);
	AUTO(free) char *implies = text_of(vault, tag->name, VAULT_TAG_IMPLIES);
	json_t *object = json_object();
	int r = aliases && implies ? 0 : -ENOMEM;

	json_put_bytes(&r, object, "name", tag->name);
	json_put_number(&r, object, "files", tag->n_files);
	json_put_number(&r, object, "total", tag->n_total);
	if (tag->color)
		json_put(&r, object, "color", json_string(tag->color));
	if (tag->icon)
		json_put(&r, object, "icon", json_string(tag->icon));
	if (aliases && *aliases)
		json_put(&r, object, "aliases", json_words(aliases));
	if (implies && *implies)
		json_put(&r, object, "implies", json_words(implies));
	if (json_array_append_new(list, object) < 0 && r == 0)
		r = log_err(-ENOMEM, "tags: no memory for the output");
	return r;
}

static int print_tags(struct vault *vault, const struct vault_tags *tags, const struct listing_options *options, size_t above)
{
	AUTO(json) json_t *list = json_array();
	int r = list ? 0 : log_err(-ENOMEM, "tags: no memory for the output");

	for (size_t i = 0; r == 0 && i < tags->n; i++) {
		const struct vault_tag *tag = &tags->tags[i];

		if (options->unused && tag->n_total > 0)
			continue;
		r = options->as_json ? add_json(vault, tag, list) : print_one(vault, tag, options, above);
	}
	return r == 0 && options->as_json ? json_print(list, JSON_INDENT(2)) : r;
}

static int list(const struct command *self, const char *path, const char *below, const struct listing_options *options)
{
	AUTO(target) struct target target = { 0 };
	AUTO(vault) struct vault *vault = NULL;
	AUTO(vault_tags) struct vault_tags tags = { .tags = NULL };
	const unsigned flags = VAULT_TAG_LIST_TREE | VAULT_TAG_LIST_FILES | VAULT_TAG_LIST_TOTALS;
	const char *last;
	int r = target_find(self->name, path, &target);

	if (r == 0)
		r = target_open(self->name, &target, &vault);
	if (r < 0)
		return STATUS_FAILED;
	r = vault_tag_list(vault, below, flags, &tags);
	if (r == -ENOENT)
		(void)log_err(r, "%s: %s: there is no such tag", self->name, below);
	if (r == 0)
		r = print_tags(vault, &tags, options, below ? depth_of(below, &last) + 1 : 0);
	return r < 0 ? STATUS_FAILED : command_finish_output(self);
}

/* ---- the actions ---- */

enum action {
	ACTION_MAKE,
	ACTION_RENAME,
	ACTION_REMOVE,
	ACTION_COLOR,
	ACTION_ICON,
	ACTION_ALIAS,
	ACTION_UNALIAS,
	ACTION_IMPLY,
	ACTION_UNIMPLY,
	N_ACTIONS,
};

static const struct {
	const char *name;
	int min, max;	    /* words behind the target */
	const char *wanted; /* what these are */
} actions[N_ACTIONS] = {
	[ACTION_MAKE] = { "make", 1, INT32_MAX, "a vault or mount, then tags" },
	[ACTION_RENAME] = { "rename", 2, 2, "a vault or mount, a tag and its new name" },
	[ACTION_REMOVE] = { "remove", 1, INT32_MAX, "a vault or mount, then tags" },
	[ACTION_COLOR] = { "color", 2, 2, "a vault or mount, a tag and a color" },
	[ACTION_ICON] = { "icon", 2, 2, "a vault or mount, a tag and an icon" },
	[ACTION_ALIAS] = { "alias", 2, INT32_MAX, "a vault or mount, a tag, then other names for it" },
	[ACTION_UNALIAS] = { "unalias", 2, INT32_MAX, "a vault or mount, a tag, then names that it has no more" },
	[ACTION_IMPLY] = { "imply", 2, INT32_MAX, "a vault or mount, a tag, then tags that it implies" },
	[ACTION_UNIMPLY] = { "unimply", 2, INT32_MAX, "a vault or mount, a tag, then tags that it implies no more" },
};

static int act_on(struct tag_editor *editor, enum action action, const char *tag, const char *word, bool used)
{
	switch (action) {
	case ACTION_MAKE:
		return tag_editor_make(editor, tag);
	case ACTION_RENAME:
		return tag_editor_rename(editor, tag, word);
	case ACTION_REMOVE:
		return tag_editor_remove(editor, tag, used);
	case ACTION_COLOR:
		return tag_editor_set(editor, tag, VAULT_TAG_COLOR, word);
	case ACTION_ICON:
		return tag_editor_set(editor, tag, VAULT_TAG_ICON, word);
	case ACTION_ALIAS:
		return tag_editor_add(editor, tag, VAULT_TAG_ALIASES, word);
	case ACTION_UNALIAS:
		return tag_editor_subtract(editor, tag, VAULT_TAG_ALIASES, word);
	case ACTION_IMPLY:
		return tag_editor_add(editor, tag, VAULT_TAG_IMPLIES, word);
	case ACTION_UNIMPLY:
		return tag_editor_subtract(editor, tag, VAULT_TAG_IMPLIES, word);
	case N_ACTIONS:
		break;
	}
	return -EINVAL;
}

/* words[0] is the target. */
static int act(const struct command *self, enum action action, char **words, int n, bool used)
{
	AUTO(target) struct target target = { 0 };
	AUTO(tag_editor) struct tag_editor editor = { 0 };
	const bool many = actions[action].min == 1; /* each word is a tag; else the first is, and the others go with it */
	int status = STATUS_OK;

	if (n - 1 < actions[action].min || n - 1 > actions[action].max)
		return command_misused(self, "%s: name %s", actions[action].name, actions[action].wanted);
	if (target_find(self->name, words[0], &target) < 0 || tag_editor_open(self->name, &target, &editor) < 0)
		return STATUS_FAILED;
	for (int i = many ? 1 : 2; i < n; i++)
		if (act_on(&editor, action, many ? words[i] : words[1], words[i], used) < 0)
			status = STATUS_FAILED;
	if (tag_editor_close(&editor) < 0)
		status = STATUS_FAILED;
	return status;
}

static int parse(const struct command *self, int argc, char **argv, struct listing_options *ret, bool *ret_used)
{
	static const struct option options[] = {
		{ "flat", no_argument, NULL, 'f' },   { "unused", no_argument, NULL, 'u' }, { "json", no_argument, NULL, 'j' },
		{ "used", no_argument, NULL, 'U' }, COMMAND_LAST_OPTIONS,
	};
	int c;

	while ((c = command_option(self, argc, argv, "f", options)) != -1) {
		if (c == 'f')
			ret->flat = true;
		else if (c == 'u')
			ret->unused = true;
		else if (c == 'j')
			ret->as_json = true;
		else if (c == 'U')
			*ret_used = true;
		else
			return c;
	}
	ret->given = ret->flat || ret->unused || ret->as_json;
	return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct listing_options options = { 0 };
	bool used = false;
	int c = parse(self, argc, argv, &options, &used), n = argc - optind;

	if (c != 0)
		return c == 'h' ? command_help(self) : STATUS_USAGE;
	for (int i = 0; n > 0 && i < N_ACTIONS; i++) {
		if (strcmp(argv[optind], actions[i].name) != 0)
			continue;
		if (options.given || (used && i != ACTION_REMOVE))
			return command_misused(self, "%s takes no such option", actions[i].name);
		return act(self, (enum action)i, argv + optind + 1, n - 1, used);
	}
	if (used)
		return command_misused(self, "--used is for remove");
	if (n < 1 || n > 2)
		return command_misused(self, "name a vault or mount, and at most one tag");
	return list(self, argv[optind], n == 2 ? argv[optind + 1] : NULL, &options);
}

const struct command cmd_tags = {
	.name = "tags",
	.summary = "tags of a vault: list, rename, color, aliases",
	.usage = "[--flat] [--unused] [--json] VAULT|MOUNT [TAG]\n"
		 "make VAULT|MOUNT TAG...\n"
		 "rename VAULT|MOUNT TAG NEW\n"
		 "remove [--used] VAULT|MOUNT TAG...\n"
		 "color | icon VAULT|MOUNT TAG VALUE\n"
		 "alias | unalias VAULT|MOUNT TAG NAME...\n"
		 "imply | unimply VAULT|MOUNT TAG OTHER...",
	.help = "Lists all tags, or those below TAG, each with the number of files that count as having it: those\n"
		"that have it, a tag below it, or one that implies any of these. Behind it stand its color, other\n"
		"names for it (=) and what it implies (->). `vaultfs tag` gives tags to files.\n"
		"\n"
		"  -f, --flat    whole names instead of a tree\n"
		"      --unused  only tags that no file counts as having, by their whole names\n"
		"      --json    a JSON array; vaultfs-tags(1) lists the keys\n"
		"      --used    remove: also from all files that have it, and with all tags below it\n"
		"  -h, --help    this text\n"
		"\n"
		"rename also renames what is below; files keep their tags. alias makes a name lead to the tag, also\n"
		"as the beginning of others: with foto an alias of photo, foto/2024 is photo/2024. imply makes files\n"
		"with the tag count as having the others. Both hold for files that were tagged before. '' takes a\n"
		"color or icon away.\n"
		"\n"
		"Example: vaultfs tags ~/Media\n"
		"         vaultfs tags imply ~/Media beach holiday\n",
	.run = run,
};
