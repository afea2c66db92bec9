/* cmd_find.c - `vaultfs find`: files by what is known of them. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"
#include "command.h"
#include "json.h"
#include "library.h"
#include "log.h"
#include "query.h"
#include "target.h"
#include "text.h"

#define PAGE_DEFAULT 100u

struct find {
	struct vault_find_options options;
	uint64_t page;
	bool as_json, with_nul;
	const char *saved; /* the name of a search; NULL: none */

	/* How paths in the vault are written: `shown` for `folder` in it, `root` for its top. */
	char *folder; /* "" is the top */
	const char *shown;
	const char *root;
	bool printed; /* something was: what follows is set apart from it */
};

static void auto_find(struct find *find)
{
	free(find->folder);
}

/* ---- printing ---- */

/* The path as somebody would write it where the command was given, malloc'ed. */
static char *path_here(const struct find *find, const char *path)
{
	size_t n = strlen(find->folder);
	const char *before = find->root, *rest = path;
	char *whole;

	if (n == 0 || (strncmp(path, find->folder, n) == 0 && path[n] == '/')) {
		before = find->shown;
		rest = path + n + (n > 0);
	}
	if (asprintf(&whole, "%s%s%s", before, *before && before[strlen(before) - 1] != '/' ? "/" : "",
		     rest) < 0) {
		(void)log_err(-ENOMEM, "find: no memory for a path");
		return NULL;
	}
	return whole;
}

static void put_number_or_null(int *r, json_t *object, const char *key, int64_t value)
{
	json_put(r, object, key, value < 0 ? json_null() : json_integer(value));
}

static void put_text_or_null(int *r, json_t *object, const char *key, const char *text)
{
	if (text)
		json_put_bytes(r, object, key, text);
	else
		json_put(r, object, key, json_null());
}

static void put_tags(int *r, json_t *object, const struct vault_found *found)
{
	json_t *tags = json_array();

	for (size_t i = 0; i < found->n_tags; i++) {
		AUTO(free) char *utf8 = text_to_utf8(found->tags[i]);

		if (json_array_append_new(tags, utf8 ? json_string(utf8) : NULL) < 0)
			*r = log_err(-ENOMEM, "find: no memory for the output");
	}
	json_put(r, object, "tags", tags);
}

static void put_known(int *r, json_t *object, const struct vault_found *found)
{
	AUTO(free) char *note = found->note ? strndup(found->note, found->note_size) : NULL;
	char sha256[65] = "";

	for (size_t i = 0; found->sha256 && i < 32; i++)
		(void)snprintf(sha256 + 2 * i, 3, "%02x", found->sha256[i]); /* fits */
	put_text_or_null(r, object, "mime_type", found->mime);
	put_text_or_null(r, object, "kind", found->kind);
	put_number_or_null(r, object, "width", found->width);
	put_number_or_null(r, object, "height", found->height);
	put_number_or_null(r, object, "duration_ms", found->duration_ms);
	put_tags(r, object, found);
	put_number_or_null(r, object, "rating", found->rating);
	put_number_or_null(r, object, "quality", found->quality);
	json_put(r, object, "favorite", json_boolean(found->favorite));
	json_put(r, object, "hidden", json_boolean(found->hidden));
	if (found->is_seen)
		json_put_time(r, object, "seen", found->seen_ns);
	else
		json_put(r, object, "seen", json_null());
	put_text_or_null(r, object, "comment", note);
	put_text_or_null(r, object, "sha256", found->sha256 ? sha256 : NULL);
}

static int print_json(struct find *find, const char *path, const struct vault_found *found)
{
	AUTO(json) json_t *object = json_object();
	int r = 0;

	json_put_bytes(&r, object, "path", path);
	json_put_number(&r, object, "inode", found->attr.id);
	json_put_number(&r, object, "size", found->attr.size);
	json_put_time(&r, object, "mtime", found->attr.mtime_ns);
	json_put_time(&r, object, "added", found->attr.btime_ns);
	json_put_time(&r, object, "date", found->date_ns);
	put_known(&r, object, found);
	if (r < 0)
		return r;
	(void)fputs(find->printed ? "," : "[", stdout); /* output is checked by command_finish_output() */
	return json_print(object, JSON_COMPACT);
}

static int print_found(void *context, const struct vault_found *found)
{
	struct find *find = context;
	AUTO(free) char *path = path_here(find, found->path);
	int r = 0;

	if (!path)
		return -ENOMEM;
	if (find->as_json) {
		r = print_json(find, path, found);
	} else if (find->with_nul) {
		(void)fwrite(path, 1, strlen(path) + 1, stdout);
	} else {
		text_print_name(path);
		(void)putchar('\n');
	}
	find->printed = true;
	return r < 0 ? r : ferror(stdout) ? -EIO : 0;
}

/* ---- words ---- */

static int parse_sort(const struct command *self, const char *text, enum vault_sort *ret)
{
	static const struct {
		const char *word;
		enum vault_sort sort;
	} words[] = {
		{ "added", VAULT_SORT_ADDED },     { "date", VAULT_SORT_DATE },
		{ "size", VAULT_SORT_SIZE },       { "name", VAULT_SORT_NAME },
		{ "quality", VAULT_SORT_QUALITY }, { "rating", VAULT_SORT_RATING },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, text) == 0) {
			*ret = words[i].sort;
			return 0;
		}
	(void)command_misused(self, "--sort %s: added, date, size, name, quality or rating", text);
	return '?';
}

static int parse_number(const struct command *self, const char *option, const char *text, uint64_t *ret)
{
	if (text_to_number(text, 1, UINT32_MAX, ret) == 0)
		return 0;
	(void)command_misused(self, "%s %s: a number from 1 on is needed", option, text);
	return '?';
}

static int parse(const struct command *self, int argc, char **argv, struct find *ret)
{
	static const struct option options[] = {
		{ "null", no_argument, NULL, '0' },        { "json", no_argument, NULL, 'j' },
		{ "sort", required_argument, NULL, 's' },  { "reverse", no_argument, NULL, 'r' },
		{ "limit", required_argument, NULL, 'n' }, { "page", required_argument, NULL, 'p' },
		{ "saved", required_argument, NULL, 'S' }, COMMAND_LAST_OPTIONS,
	};
	int c, bad = 0;

	/* "+": what stands behind the query's first word is the query's, also where it begins with '-'. */
	while (bad == 0 && (c = command_option(self, argc, argv, "+0s:rn:p:S:", options)) != -1) {
		if (c == '0')
			ret->with_nul = true;
		else if (c == 'j')
			ret->as_json = true;
		else if (c == 'r')
			ret->options.reverse = true;
		else if (c == 's')
			bad = parse_sort(self, optarg, &ret->options.sort);
		else if (c == 'n')
			bad = parse_number(self, "--limit", optarg, &ret->options.limit);
		else if (c == 'S')
			ret->saved = optarg;
		else if (c == 'p')
			bad = parse_number(self, "--page", optarg, &ret->page);
		else
			return c;
	}
	return bad;
}

static void set_page(struct find *find)
{
	if (find->page == 0)
		return;
	if (find->options.limit == 0)
		find->options.limit = PAGE_DEFAULT;
	find->options.skip = (find->page - 1) * find->options.limit; /* two numbers of 32 bits */
}

/* ---- where ---- */

/* The folder's path in the vault, below which files are looked for. */
static int find_folder(struct find *find, const struct target *target)
{
	AUTO(free) char *real = NULL;
	size_t n;

	find->shown = target->given;
	find->root = target->mount ? target->mount : target->given;
	if (target->kind == TARGET_VAULT) {
		find->shown = find->root = "";
		find->folder = strdup("");
		return find->folder ? 0 : log_err(-ENOMEM, "find: no memory");
	}
	if (strcmp(find->shown, ".") == 0)
		find->shown = "";
	real = realpath(target->given, NULL);
	if (!real)
		return log_err(-errno, "find: %s: ", target->given);
	n = strlen(target->mount);
	n = strncmp(real, target->mount, n) == 0 ? n : 0;
	find->folder = strdup(real + n + strspn(real + n, "/"));
	return find->folder ? 0 : log_err(-ENOMEM, "find: no memory");
}

static int search(struct find *find, const struct target *target, struct vault *vault,
		  const struct vault_query *query)
{
	struct vault_attr attr;
	int r = target_resolve("find", target, vault, NULL, &attr);

	if (r == 0 && !S_ISDIR(attr.mode))
		r = log_err(-ENOTDIR, "find: %s: is no folder to look into", target->given);
	if (r == 0)
		r = find_folder(find, target);
	if (r < 0)
		return r;
	find->options.below = attr.id == VAULT_ROOT_ID ? 0 : attr.id;
	return vault_find(vault, query, &find->options, print_found, find);
}

/* The query of a saved search, and of the words beside it, which must hold, too. */
static int read_saved(const struct find *find, struct vault *vault, char **words, int n,
		      struct vault_query **ret)
{
	AUTO(free) char *saved = NULL;
	AUTO(free) char *text = NULL;
	char **all = NULL;
	int r = vault_search_get(vault, find->saved, &saved, NULL);

	if (r == -ENOENT)
		return log_err(r, "find: %s: no saved search of that name: `vaultfs save` lists them",
			       find->saved);
	if (r < 0)
		return r;
	if (asprintf(&text, "%s%s%s", n > 0 && *saved ? "(" : "", saved, n > 0 && *saved ? ")" : "") < 0)
		text = NULL; /* what it points to is undefined then */
	all = text ? calloc((size_t)n + 1, sizeof(*all)) : NULL;
	if (!all)
		return log_err(-ENOMEM, "find: no memory for a query");
	all[0] = text;
	for (int i = 0; i < n; i++)
		all[i + 1] = words[i];
	r = query_from_words("find", all, n + 1, ret, NULL);
	free(all);
	return r;
}

/* Open the place, and with it the query. What asks for words waits until these are found. */
static int open_all(const struct find *find, const struct target *target, char **words, int n,
		    struct vault_query **ret_query, struct vault **ret_vault)
{
	bool words_asked;
	int r = find->saved ? 0 : query_from_words("find", words, n, ret_query, NULL);

	if (r < 0)
		return r;
	words_asked = find->saved || vault_query_asks_words(*ret_query);
	r = words_asked ? target_open_to_search("find", target, ret_vault)
			: target_open("find", target, ret_vault);
	if (r < 0)
		return -EIO; /* -EINVAL is a wrong query's */
	return find->saved ? read_saved(find, *ret_vault, words, n, ret_query) : 0;
}

/* Is the first word a place to look in? Else that is the current folder. A `/` also stands in terms, such as type:video/mp4. */
static bool names_place(const char *word)
{
	struct stat st;

	return lstat(word, &st) == 0 || word[strcspn(word, "/: \"()")] == '/';
}

static int run(const struct command *self, int argc, char **argv)
{
	AUTO(target) struct target target = { 0 };
	AUTO(vault) struct vault *vault = NULL;
	AUTO(vault_query) struct vault_query *query = NULL;
	AUTO(find) struct find find = { 0 };
	const char *place = ".";
	int c = parse(self, argc, argv, &find), r;

	if (c == 0 && optind < argc && names_place(argv[optind])) {
		place = argv[optind++];
		c = parse(self, argc, argv, &find);
	}
	if (c != 0)
		return c == 'h' ? command_help(self) : STATUS_USAGE;
	if (find.as_json && find.with_nul)
		return command_misused(self, "either --null or --json");
	set_page(&find);
	if (optind == argc && !find.saved)
		return command_misused(self, "no query: say what to look for ('' finds all files)");
	if (target_find(self->name, place, &target) < 0)
		return STATUS_FAILED;
	r = open_all(&find, &target, argv + optind, argc - optind, &query, &vault);
	if (r < 0)
		return r == -EINVAL ? STATUS_USAGE : STATUS_FAILED;
	if (search(&find, &target, vault, query) < 0)
		return STATUS_FAILED;
	if (find.as_json)
		(void)puts(find.printed ? "]" : "[]");
	return command_finish_output(self);
}

const struct command cmd_find = {
	.name = "find",
	.summary = "files by words, tags, kinds, dates and more",
	.usage = "[-0 | --json] [-s ORDER] [-r] [-n N] [-p N] [VAULT|MOUNT|FOLDER] QUERY...\n"
		 "--saved NAME [OPTION...] [VAULT|MOUNT|FOLDER] [QUERY...]",
	.help = "Prints the paths of the files that match, those added last first; in a mount as they can be\n"
		"opened, of a vault as they stand in it. Without a place the current folder is searched.\n"
		"A query is words, which are looked for in names, notes, tags and the text of text files, and\n"
		"terms as below. All must hold, unless there is an `or` between them; `-` excludes. Quote the\n"
		"whole of it for the shell. vaultfs-find(1) has the language.\n"
		"\n"
		"  tag:holiday  kind:video  type:video/mp4  ext:jpg,png  name:*.jpg  note:lighthouse  in:Photos/Rome\n"
		"  size:>1G  length:>10m  width:>=1920  rating:>=8  quality:>=80  date:2024-02..2024-03  added:week\n"
		"  person:anna  favorite  seen  unseen  untagged  hidden  \"a phrase\"  begin*  (a or b)  -tag:work\n"
		"\n"
		"  -0, --null          paths end with NUL instead of a newline, for xargs -0\n"
		"      --json          a JSON array, a file a line; vaultfs-find(1) lists the keys\n"
		"  -s, --sort ORDER    added (the default), date, size, name, quality or rating\n"
		"  -r, --reverse       the other way round\n"
		"  -n, --limit N       at most N files\n"
		"  -S, --saved NAME    what the saved search finds, and of that what the query finds, if there is one\n"
		"  -p, --page N        the N-th page of --limit files each, 100 if it is not given\n"
		"  -h, --help          this text\n"
		"\n"
		"Example: vaultfs find ~/Media 'kind:video tag:holiday -seen length:>10m'\n"
		"         vaultfs find -0 ~/Media 'beach or sea' | xargs -0 mpv\n",
	.run = run,
};
