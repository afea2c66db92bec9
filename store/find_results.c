/* find_results.c - vault_find(): the files that a query finds, in the order asked for, with what is known of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "find.h"
#include "find_queries.h"
#include "log.h"
#include "readers.h"

#define KEEP_LEAST 1024u  /* of the first so many results, before others are thrown away */
#define STEPS_MAX 100000u /* directories above a file; more is a circle */

/* What a file is sorted by, and which it is. */
struct key {
	bool has;       /* it has a value: those without stand at the end */
	int64_t number; /* either this */
	char *text;     /* or this */
	uint64_t id;
};

struct keys {
	struct key *all;
	size_t n, room;
	int (*compare)(const void *a, const void *b);
};

static void auto_keys(struct keys *keys)
{
	for (size_t i = 0; i < keys->n; i++)
		free(keys->all[i].text);
	free(keys->all);
}

/* ---- sorting ---- */

static const struct {
	const char *sql; /* NULL: the order in which files are found */
	bool ascending;
} sorts[] = {
	[VAULT_SORT_ADDED] = { NULL, false },
	[VAULT_SORT_DATE] = { QUERY_DATE_OF, false },
	[VAULT_SORT_SIZE] = { "i.size", false },
	[VAULT_SORT_NAME] = { "fold(e.name)", true },
	[VAULT_SORT_QUALITY] = { QUERY_QUALITY_OF, false },
	[VAULT_SORT_RATING] = { "a.rating", false },
};
#define N_SORTS (sizeof(sorts) / sizeof(sorts[0]))

/* Below, at or above 0; files of one value in the order of `ids`, 1 or -1. */
static int compare(const struct key *a, const struct key *b, int values, int ids)
{
	int order = a->text && b->text ? strcmp(a->text, b->text)
				       : (a->number > b->number) - (a->number < b->number);

	if (a->has != b->has)
		return a->has ? -1 : 1;
	return order != 0 ? values * order : ids * ((a->id > b->id) - (a->id < b->id));
}

static int compare_ascending(const void *a, const void *b)
{
	return compare(a, b, 1, 1);
}

static int compare_descending(const void *a, const void *b)
{
	return compare(a, b, -1, -1);
}

/* Throw away what stands behind the first `n`. */
static void keep_first(struct keys *keys, size_t n)
{
	if (keys->n > 1) /* qsort(3) must not get a NULL */
		qsort(keys->all, keys->n, sizeof(*keys->all), keys->compare);
	for (size_t i = n; i < keys->n; i++)
		free(keys->all[i].text);
	if (keys->n > n)
		keys->n = n;
}

/* Room for one more; at most twice as many as are wanted are kept. */
static int make_room(struct keys *keys, size_t wanted)
{
	size_t room = keys->room ? 2 * keys->room : KEEP_LEAST;
	struct key *all;

	if (keys->n < keys->room)
		return 0;
	if (keys->n / 2 >= wanted && keys->n >= KEEP_LEAST) {
		keep_first(keys, wanted);
		return 0;
	}
	all = reallocarray(keys->all, room, sizeof(*all));
	if (!all)
		return log_err(-ENOMEM, "no memory for %zu files that were found", room);
	keys->all = all;
	keys->room = room;
	return 0;
}

static int key_read(sqlite3_value *value, uint64_t id, struct key *ret)
{
	int type = sqlite3_value_type(value);

	*ret = (struct key){ .has = type != SQLITE_NULL, .id = id };
	if (type == SQLITE_INTEGER)
		ret->number = sqlite3_value_int64(value);
	if (type != SQLITE_TEXT)
		return 0;
	ret->text = strndup((const char *)sqlite3_value_blob(value), (size_t)sqlite3_value_bytes(value));
	return ret->text ? 0 : log_err(-ENOMEM, "no memory for a name");
}

/* All matches, or the first `wanted` of them. */
static int collect(struct find *find, bool by_value, uint64_t before, size_t wanted, struct keys *ret)
{
	struct find_match match;
	int r;

	while ((r = find_next(find, before, &match)) == 1) {
		r = make_room(ret, wanted);
		if (r < 0)
			return r;
		if (by_value)
			r = key_read(find_sort_value(find), match.id, &ret->all[ret->n]);
		else
			ret->all[ret->n] = (struct key){ .has = true, .id = match.id };
		if (r < 0)
			return r;
		ret->n++;
	}
	keep_first(ret, wanted);
	return r;
}

/* ---- what is known of a file ---- */

struct details {
	const struct query_context *context;
	char *path; /* of the last one */
	char **tags;
	size_t n_tags, tags_room;
};

static void forget_tags(struct details *details)
{
	for (size_t i = 0; i < details->n_tags; i++)
		free(details->tags[i]);
	details->n_tags = 0;
}

static void auto_details(struct details *details)
{
	forget_tags(details);
	free(details->tags);
	free(details->path);
}

/* "directory/name", where `directory` may be "". */
static int join(const char *directory, const char *name, char **ret)
{
	char *path;

	if (asprintf(&path, "%s%s%s", directory, *directory ? "/" : "", name) < 0)
		return log_err(-ENOMEM, "no memory for a path");
	free(*ret);
	*ret = path;
	return 0;
}

/* Put the names of the directories from `id` up before *path: it is too long for directories.path. */
static int add_directories(struct db *db, uint64_t id, char **path)
{
	for (unsigned i = 0; id != VAULT_ROOT_ID && i < STEPS_MAX; i++) {
		AUTO(query) sqlite3_stmt *parent = db_query(db, DB_SET_find, FIND_PARENT);
		const char *name;
		int r;

		bind_u64(parent, 1, id);
		r = db_step(db, parent);
		name = r == 1 ? (const char *)sqlite3_column_text(parent, 1) : NULL;
		if (r < 0)
			return r;
		if (!name)
			return 0;
		r = join(name, *path, path);
		if (r < 0)
			return r;
		id = column_u64(parent, 0);
	}
	return 0;
}

int find_path(const struct query_context *context, const struct find_match *match, char **path)
{
	struct db *db = context->db;
	AUTO(query) sqlite3_stmt *directory = db_query(db, DB_SET_find, FIND_DIRECTORY_PATH);
	const char *above;
	int r;

	bind_u64(directory, 1, match->directory_id);
	r = db_step(db, directory);
	if (r < 0)
		return r;
	above = r == 1 ? (const char *)sqlite3_column_text(directory, 0) : NULL;
	r = join(above ? above : "", match->name, path);
	return r < 0 || above ? r : add_directories(db, match->directory_id, path);
}

static int add_tag(struct details *details, const char *name)
{
	if (details->n_tags == details->tags_room) {
		size_t room = 2 * details->tags_room + 8;
		char **tags = reallocarray(details->tags, room, sizeof(*tags));

		if (!tags)
			return log_err(-ENOMEM, "no memory for tags");
		details->tags = tags;
		details->tags_room = room;
	}
	details->tags[details->n_tags] = strdup(name);
	if (!details->tags[details->n_tags])
		return log_err(-ENOMEM, "no memory for tags");
	details->n_tags++;
	return 0;
}

static int read_tags(struct details *details, uint64_t id)
{
	struct db *db = details->context->db;
	AUTO(query) sqlite3_stmt *tags = db_query(db, DB_SET_find, FIND_TAGS_OF);
	int r;

	forget_tags(details);
	bind_u64(tags, 1, id);
	while ((r = db_step(db, tags)) == 1) {
		const char *name = (const char *)sqlite3_column_text(tags, 0);

		r = name ? add_tag(details, name) : log_err(-ENOMEM, "no memory for tags");
		if (r < 0)
			return r;
	}
	return r;
}

/* NULL stays NULL. */
static const char *column_text(sqlite3_stmt *statement, int column)
{
	return (const char *)sqlite3_column_text(statement, column);
}

static int64_t column_or(sqlite3_stmt *statement, int column, int64_t otherwise)
{
	return sqlite3_column_type(statement, column) == SQLITE_NULL
		       ? otherwise
		       : sqlite3_column_int64(statement, column);
}

static void fill_attr(sqlite3_stmt *row, uint64_t id, struct vault_attr *ret)
{
	*ret = (struct vault_attr){
		.id = id,
		.size = column_u64(row, 0),
		.mapped = column_u64(row, 1),
		.rdev = column_u64(row, 2),
		.atime_ns = sqlite3_column_int64(row, 3),
		.mtime_ns = sqlite3_column_int64(row, 4),
		.ctime_ns = sqlite3_column_int64(row, 5),
		.btime_ns = sqlite3_column_int64(row, 6),
		.mode = (uint32_t)sqlite3_column_int64(row, 7),
		.uid = (uint32_t)sqlite3_column_int64(row, 8),
		.gid = (uint32_t)sqlite3_column_int64(row, 9),
		.nlink = (uint32_t)sqlite3_column_int64(row, 10),
	};
}

static void fill_known(sqlite3_stmt *row, struct vault_found *ret)
{
	ret->kind = column_text(row, 11);
	ret->mime = column_text(row, 12);
	ret->width = column_or(row, 13, -1);
	ret->height = column_or(row, 14, -1);
	ret->duration_ms = column_or(row, 15, -1);
	ret->date_ns = sqlite3_column_int64(row, 16);
	ret->rating = (int)column_or(row, 17, -1);
	ret->quality = (int)column_or(row, 18, -1);
	ret->favorite = sqlite3_column_int(row, 19) != 0;
	ret->hidden = sqlite3_column_int(row, 20) != 0;
	ret->is_seen = sqlite3_column_type(row, 21) != SQLITE_NULL;
	ret->seen_ns = sqlite3_column_int64(row, 21);
	ret->note = sqlite3_column_blob(row, 22);
	ret->note_size = (size_t)sqlite3_column_bytes(row, 22);
	ret->sha256 = sqlite3_column_bytes(row, 23) == 32 ? sqlite3_column_blob(row, 23) : NULL;
}

/* Read all of one match and hand it on. */
static int emit_match(struct details *details, const struct find_match *match,
		      int (*emit)(void *context, const struct vault_found *found), void *context)
{
	struct db *db = details->context->db;
	AUTO(query) sqlite3_stmt *row = db_query(db, DB_SET_find, FIND_DETAILS);
	struct vault_found found = { .directory_id = match->directory_id, .name = match->name };
	int r;

	bind_u64(row, 1, match->id);
	bind_u64(row, 2, match->directory_id);
	bind_u64(row, 3, match->cookie);
	r = db_step(db, row);
	if (r <= 0)
		return r;
	r = find_path(details->context, match, &details->path);
	if (r == 0)
		r = read_tags(details, match->id);
	if (r < 0)
		return r;
	fill_attr(row, match->id, &found.attr);
	fill_known(row, &found);
	found.path = details->path;
	found.tags = (const char *const *)details->tags;
	found.n_tags = details->n_tags;
	return emit(context, &found);
}

/* ---- all together ---- */

/* As they come: the newest first. */
static int emit_found(struct find *find, const struct vault_find_options *options, struct details *details,
		      int (*emit)(void *context, const struct vault_found *found), void *context)
{
	uint64_t most = options->before > 0 ? options->before - 1 : INT64_MAX;
	uint64_t skip = options->skip, left = options->limit > 0 ? options->limit : UINT64_MAX;
	struct find_match match;
	int r = 0;

	while (left > 0 && (r = find_next(find, most, &match)) == 1) {
		if (skip > 0) {
			skip--;
			continue;
		}
		left--;
		r = emit_match(details, &match, emit, context);
		if (r != 0)
			return r;
	}
	return r < 0 ? r : 0;
}

static int emit_sorted(struct find *find, const struct vault_find_options *options, struct details *details,
		       int (*emit)(void *context, const struct vault_found *found), void *context)
{
	bool ascending = sorts[options->sort].ascending != options->reverse;
	AUTO(keys) struct keys keys = { .compare = ascending ? compare_ascending : compare_descending };
	uint64_t most = options->before > 0 ? options->before - 1 : INT64_MAX;
	uint64_t wanted = UINT64_MAX;
	int r;

	if (options->limit > 0 && __builtin_add_overflow(options->skip, options->limit, &wanted))
		wanted = UINT64_MAX;
	r = collect(find, sorts[options->sort].sql != NULL, most, wanted, &keys);
	for (size_t i = options->skip; r == 0 && i < keys.n; i++) {
		struct find_match match;

		r = find_test(find, keys.all[i].id, &match);
		if (r == 1)
			r = emit_match(details, &match, emit, context);
	}
	return r;
}

int vault_find(struct vault *vault, const struct vault_query *query, const struct vault_find_options *options,
	       int (*emit)(void *context, const struct vault_found *found), void *context)
{
	static const struct vault_find_options none = { 0 };
	AUTO(reader) struct reader *reader = NULL;
	AUTO(find) struct find *find = NULL;
	AUTO(details) struct details details = { 0 };
	struct query_context place;
	int r;

	options = options ? options : &none;
	if (options->sort >= N_SORTS)
		return -EINVAL;
	r = reader_get_for(vault, query, &reader);
	if (r < 0)
		return r;
	place = reader_context(reader);
	place.below = options->below;
	details.context = &place;
	r = find_open(&place, query, sorts[options->sort].sql, &find);
	if (r < 0)
		return r;
	if (sorts[options->sort].sql || options->reverse)
		return emit_sorted(find, options, &details, emit, context);
	return emit_found(find, options, &details, emit, context);
}
