/* folders.c - folders whose names follow from what there is: kinds, types, ratings, dates and so on. See library.h.
 *
 * Each kind of folder has a query for the files that may be in one, and SQL for a number or a text that says in which: one
 * answer gives all folders with their counts, by the same rules by which the folders themselves are listed. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "casefold.h"
#include "entries.h"
#include "find.h"
#include "kind.h"
#include "name_facts.h"
#include "readers.h"

#define FOLDERS_MAX 100000u /* of one kind */

struct folder {
	char *key;  /* tells it from others, and sorts it */
	char *name; /* that it is shown by */
	uint64_t n_files;
};

struct folders {
	enum vault_folders which;
	const char *within;
	struct folder *all; /* by key */
	size_t n, room;
};

static void auto_folders(struct folders *folders)
{
	for (size_t i = 0; i < folders->n; i++) {
		free(folders->all[i].key);
		free(folders->all[i].name);
	}
	free(folders->all);
}

static int no_memory(void)
{
	return log_err(-ENOMEM, "no memory for folders");
}

/* ---- what stands for a folder ---- */

static const char *const recent[][2] = {
	{ "today", "added:today" },
	{ "week", "added:week" },
	{ "month", "added:month" },
};
#define N_RECENT (sizeof(recent) / sizeof(recent[0]))

static bool is_number(const char *text, size_t n_least, size_t n_most)
{
	const size_t n = strspn(text, "0123456789");

	return text[n] == '\0' && n >= n_least && n <= n_most;
}

static bool is_rating(const char *name)
{
	return is_number(name, 1, 2) && name[0] != '0' && strtol(name, NULL, 10) <= 10;
}

/* "0-9", "10-19", ... "90-100". */
static bool is_quality(const char *name)
{
	char want[16];
	const long low = strtol(name, NULL, 10);

	if (low < 0 || low > 90 || low % 10 != 0)
		return false;
	(void)snprintf(want, sizeof(want), "%ld-%ld", low, low == 90 ? 100 : low + 9);
	return strcmp(name, want) == 0;
}

static bool is_year(const char *name)
{
	return is_number(name, 4, 4);
}

static bool is_month(const char *name)
{
	const long month = strtol(name, NULL, 10);

	return is_number(name, 2, 2) && month >= 1 && month <= 12;
}

static bool is_half_type(const char *name)
{
	return *name && !strchr(name, '/');
}

static bool is_hash(const char *name)
{
	const size_t n = strspn(name, "0123456789abcdef");

	return name[n] == '\0' && n >= 8 && n <= 64;
}

static int query_of_type(const char *type, const char *half, char **ret)
{
	AUTO(free) char *value = NULL;

	if (asprintf(&value, "%s/%s", type, half) < 0) {
		value = NULL;
		return no_memory();
	}
	*ret = vault_query_term("type", value);
	return *ret ? 0 : -ENOMEM;
}

static int print_query(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int print_query(char **ret, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vasprintf(ret, format, arguments);
	va_end(arguments);
	return n < 0 ? no_memory() : 0;
}

int vault_folder_query(enum vault_folders which, const char *within, const char *name, char **ret_query)
{
	char *query = NULL;
	int r = -ENOENT;

	if (which == VAULT_FOLDERS_KINDS && kind_find(name) != KIND_N)
		r = print_query(&query, "kind:%s", name);
	else if (which == VAULT_FOLDERS_TYPES && is_half_type(name))
		r = (query = vault_query_term("type", name)) ? 0 : -ENOMEM;
	else if (which == VAULT_FOLDERS_SUBTYPES && within && is_half_type(within) && is_half_type(name))
		r = query_of_type(within, name, &query);
	else if (which == VAULT_FOLDERS_RATINGS && is_rating(name))
		r = print_query(&query, "rating:%s", name);
	else if (which == VAULT_FOLDERS_QUALITY && is_quality(name))
		r = print_query(&query, "quality:%ld..%ld", strtol(name, NULL, 10),
				strtol(strchr(name, '-') + 1, NULL, 10));
	else if (which == VAULT_FOLDERS_YEARS && is_year(name))
		r = print_query(&query, "date:%s", name);
	else if (which == VAULT_FOLDERS_MONTHS && within && is_year(within) && is_month(name))
		r = print_query(&query, "date:%s-%s", within, name);
	else if (which == VAULT_FOLDERS_PEOPLE && *name)
		r = (query = vault_query_term("person", name)) ? 0 : -ENOMEM;
	else if (which == VAULT_FOLDERS_DUPLICATES && is_hash(name))
		r = print_query(&query, "sha256:%s", name);
	for (size_t i = 0; which == VAULT_FOLDERS_RECENT && i < N_RECENT; i++)
		if (strcmp(recent[i][0], name) == 0)
			r = print_query(&query, "%s", recent[i][1]);
	if (r == 0)
		*ret_query = query;
	return r;
}

/* ---- which there are ---- */

/* Where the folder of that key is in the order, or would be. */
static size_t place_of(const struct folders *folders, const char *key)
{
	size_t low = 0, high = folders->n;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (strcmp(folders->all[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int insert(struct folders *folders, size_t at, const char *key, const char *name)
{
	struct folder folder = { .n_files = 1 };

	if (folders->n == FOLDERS_MAX)
		return log_err(-EOVERFLOW, "more than %u folders: search instead", FOLDERS_MAX);
	if (folders->n == folders->room) {
		const size_t room = 2 * folders->room + 16;
		struct folder *all = reallocarray(folders->all, room, sizeof(*all));

		if (!all)
			return no_memory();
		folders->all = all;
		folders->room = room;
	}
	folder.key = strdup(key);
	folder.name = strdup(name);
	memmove(folders->all + at + 1, folders->all + at, (folders->n - at) * sizeof(folder));
	folders->all[at] = folder;
	folders->n++;
	return folder.key && folder.name ? 0 : no_memory();
}

/* One file more in the folder of that key. */
static int count_in(struct folders *folders, const char *key, const char *name)
{
	const size_t at = place_of(folders, key);

	if (at == folders->n || strcmp(folders->all[at].key, key) != 0)
		return insert(folders, at, key, name);
	folders->all[at].n_files++;
	return 0;
}

static int count_type(struct folders *folders, const char *mime)
{
	const char *slash = mime ? strchr(mime, '/') : NULL;
	AUTO(free) char *first = slash ? strndup(mime, (size_t)(slash - mime)) : NULL;

	if (!slash)
		return 0;
	if (!first)
		return no_memory();
	if (folders->which == VAULT_FOLDERS_TYPES)
		return is_half_type(first) ? count_in(folders, first, first) : 0;
	return strcmp(first, folders->within) == 0 && is_half_type(slash + 1)
		       ? count_in(folders, slash + 1, slash + 1)
		       : 0;
}

static int count_number(struct folders *folders, int64_t number)
{
	char key[32], name[48];

	(void)snprintf(key, sizeof(key), "%03" PRId64, number);
	if (folders->which == VAULT_FOLDERS_RATINGS) {
		(void)snprintf(name, sizeof(name), "%" PRId64, number);
		return is_rating(name) ? count_in(folders, key, name) : 0;
	}
	number = number >= 100 ? 90 : number / 10 * 10;
	(void)snprintf(key, sizeof(key), "%03" PRId64, number);
	(void)snprintf(name, sizeof(name), "%" PRId64 "-%" PRId64, number, number == 90 ? 100 : number + 9);
	return is_quality(name) ? count_in(folders, key, name) : 0;
}

static int count_date(struct folders *folders, int64_t ns)
{
	const time_t seconds = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0));
	struct tm fields;
	char name[32];

	if (!localtime_r(&seconds, &fields))
		return 0;
	if (folders->which == VAULT_FOLDERS_YEARS)
		(void)snprintf(name, sizeof(name), "%04d", fields.tm_year + 1900);
	else
		(void)snprintf(name, sizeof(name), "%02d", fields.tm_mon + 1);
	return folders->which == VAULT_FOLDERS_MONTHS || is_year(name) ? count_in(folders, name, name) : 0;
}

/* By the folded name: it is shown as the file that was found first spells it. */
static int count_person(struct folders *folders, const char *file)
{
	char name[NAME_PERSON_MAX + 1], key[CASEFOLD_SIZE(NAME_PERSON_MAX) + 1];
	struct name_facts facts;

	if (!name_facts_read(file, strlen(file), &facts) || facts.person_size == 0 ||
	    facts.person_size > NAME_PERSON_MAX)
		return 0;
	memcpy(name, facts.person, facts.person_size);
	name[facts.person_size] = '\0';
	key[casefold(name, facts.person_size, key)] = '\0';
	return entry_name_check(name) == 0 ? count_in(folders, key, name) : 0;
}

static int count_match(struct folders *folders, const struct find_match *match, sqlite3_value *value)
{
	switch (folders->which) {
	case VAULT_FOLDERS_TYPES:
	case VAULT_FOLDERS_SUBTYPES:
		return count_type(folders, (const char *)sqlite3_value_text(value));
	case VAULT_FOLDERS_RATINGS:
	case VAULT_FOLDERS_QUALITY:
		return count_number(folders, sqlite3_value_int64(value));
	case VAULT_FOLDERS_YEARS:
	case VAULT_FOLDERS_MONTHS:
		return count_date(folders, sqlite3_value_int64(value));
	case VAULT_FOLDERS_PEOPLE:
		return count_person(folders, match->name);
	default:
		return 0;
	}
}

/* For each kind of folder: of which files there may be some in one, and what says in which. */
static const struct {
	const char *query;
	const char *sql;
} sources[] = {
	[VAULT_FOLDERS_TYPES] = { "type:*", "c.mime" },
	[VAULT_FOLDERS_SUBTYPES] = { NULL, "c.mime" },
	[VAULT_FOLDERS_RATINGS] = { "rating:1..10", "a.rating" },
	[VAULT_FOLDERS_QUALITY] = { "quality:0..100", QUERY_QUALITY_OF },
	[VAULT_FOLDERS_YEARS] = { "", QUERY_DATE_OF },
	[VAULT_FOLDERS_MONTHS] = { NULL, QUERY_DATE_OF },
	[VAULT_FOLDERS_PEOPLE] = { "person:*", "0" },
};

static int count_all(struct vault *vault, struct folders *folders, const char *text)
{
	AUTO(vault_query) struct vault_query *query = NULL;
	AUTO(reader) struct reader *reader = NULL;
	AUTO(find) struct find *find = NULL;
	struct vault_query_error error;
	struct query_context context;
	struct find_match match;
	int r = vault_query_parse(text, &query, &error);

	if (r == 0)
		r = reader_get_for(vault, query, &reader);
	if (r < 0)
		return r;
	context = reader_context(reader);
	r = find_open(&context, query, sources[folders->which].sql, &find);
	while (r >= 0 && (r = find_next(find, INT64_MAX, &match)) == 1)
		r = count_match(folders, &match, find_sort_value(find));
	return r;
}

static int add_duplicates(void *context, const struct vault_duplicates *group)
{
	struct folders *folders = context;
	int r = insert(folders, folders->n, group->name, group->name); /* they come in order */

	if (r == 0)
		folders->all[folders->n - 1].n_files = group->n;
	return r;
}

/* Those that are always there: nobody counts. */
static int add_fixed(struct folders *folders)
{
	const bool kinds = folders->which == VAULT_FOLDERS_KINDS;
	const size_t n = kinds ? KIND_N : N_RECENT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *name = kinds ? kind_name((enum kind)i) : recent[i][0];

		r = insert(folders, folders->n, name, name);
		if (r == 0)
			folders->all[i].n_files = 0;
	}
	return r;
}

static int fill(struct vault *vault, struct folders *folders)
{
	AUTO(free) char *query = NULL;
	int r;

	switch (folders->which) {
	case VAULT_FOLDERS_KINDS:
	case VAULT_FOLDERS_RECENT:
		return add_fixed(folders);
	case VAULT_FOLDERS_DUPLICATES:
		return vault_duplicates(vault, add_duplicates, folders);
	case VAULT_FOLDERS_SUBTYPES:
	case VAULT_FOLDERS_MONTHS:
		if (!folders->within)
			return -ENOENT;
		r = vault_folder_query(folders->which == VAULT_FOLDERS_MONTHS ? VAULT_FOLDERS_YEARS
									      : VAULT_FOLDERS_TYPES,
				       NULL, folders->within, &query);
		return r < 0 ? r : count_all(vault, folders, query);
	default:
		return count_all(vault, folders, sources[folders->which].query);
	}
}

int vault_folders_each(struct vault *vault, enum vault_folders which, const char *within,
		       int (*emit)(void *context, const struct vault_folder *folder), void *context)
{
	AUTO(folders) struct folders folders = { .which = which, .within = within };
	int r = fill(vault, &folders);

	for (size_t i = 0; r == 0 && i < folders.n; i++) {
		AUTO(free) char *query = NULL;

		r = vault_folder_query(which, within, folders.all[i].name, &query);
		if (r == 0)
			r = emit(context, &(struct vault_folder){ folders.all[i].name, query,
								  folders.all[i].n_files });
	}
	return r;
}
