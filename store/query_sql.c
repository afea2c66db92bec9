/* query_sql.c - what makes a file match a query, as one SQL condition. See query_sql.h. */
#include "query_sql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "casefold.h"
#include "find_queries.h"
#include "log.h"
#include "tag_graph.h"

#define NS_PER_S 1000000000ll
#define SECONDS_PER_DAY 86400
#define FEW_TAGS 8u /* so many are compared with one by one */

/* ---- looking up what a query names ---- */

static int list_add(struct id_list *list, uint64_t id)
{
	if (list->n == list->room) {
		size_t room = 2 * list->room + 16;
		uint64_t *ids = reallocarray(list->ids, room, sizeof(*ids));

		if (!ids)
			return log_err(-ENOMEM, "no memory for a search");
		list->ids = ids;
		list->room = room;
	}
	list->ids[list->n++] = id;
	return 0;
}

/* Add the first column of each row. */
static int list_rows(struct db *db, sqlite3_stmt *statement, struct id_list *ret)
{
	int r;

	while ((r = db_step(db, statement)) == 1) {
		r = list_add(ret, column_u64(statement, 0));
		if (r < 0)
			return r;
	}
	return r;
}

char *query_folded(const char *text)
{
	size_t size = strlen(text);
	char *folded = malloc(CASEFOLD_SIZE(size) + 1);

	if (!folded) {
		(void)log_err(-ENOMEM, "no memory for a search");
		return NULL;
	}
	folded[casefold(text, size, folded)] = '\0';
	return folded;
}

int query_tags_matching(const struct query_context *context, const char *name, struct id_list *ret)
{
	int r = context->db == &context->vault->db
			? tag_matching_locked(context->vault, name, &ret->ids, &ret->n)
			: vault_tag_matching(context->vault, name, &ret->ids, &ret->n);

	ret->room = r == 0 ? ret->n : 0;
	return r;
}

/* The directories in `parent` whose folded name is that. */
static int children_named(const struct query_context *context, uint64_t parent, const char *folded,
			  size_t size, struct id_list *ret)
{
	AUTO(query) sqlite3_stmt *children = db_query(context->db, DB_SET_find, FIND_DIRECTORIES_NAMED);

	bind_u64(children, 1, parent);
	bind_text(children, 2, folded, size);
	return list_rows(context->db, children, ret);
}

int query_directories_at(const struct query_context *context, const char *path, struct id_list *ret)
{
	AUTO(free) char *folded = query_folded(path);
	AUTO(id_list) struct id_list here = { 0 };
	int r = folded ? list_add(&here, VAULT_ROOT_ID) : -ENOMEM;

	for (const char *name = folded; r == 0 && *name;) {
		AUTO(id_list) struct id_list next = { 0 };
		size_t n = strcspn(name, "/");

		for (size_t i = 0; r == 0 && i < here.n; i++)
			r = children_named(context, here.ids[i], name, n, &next);
		free(here.ids);
		here = next;
		next.ids = NULL;
		name += n + (name[n] == '/');
	}
	if (r < 0)
		return r;
	*ret = here;
	here.ids = NULL;
	return 0;
}

/* ---- ranges ---- */

/* The moment at which a day of the local calendar starts, in ns; days beyond what counts there are cut to it. */
static int64_t day_start_ns(int64_t day)
{
	time_t utc = (time_t)(day * SECONDS_PER_DAY);
	struct tm fields;
	int64_t ns;

	if (!gmtime_r(&utc, &fields))
		return day < 0 ? INT64_MIN : INT64_MAX;
	fields.tm_isdst = -1;
	if (__builtin_mul_overflow((int64_t)mktime(&fields), NS_PER_S, &ns))
		return day < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

static int64_t today(void)
{
	time_t now = time(NULL);
	struct tm fields;

	if (!localtime_r(&now, &fields))
		return now / SECONDS_PER_DAY;
	return query_day_of(fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday);
}

/* A bound in the column's unit. The high end of days is the last nanosecond of one. */
static int64_t bound_value(const struct query_bound *bound, bool high)
{
	switch (bound->kind) {
	case QUERY_NUMBER:
		return bound->value;
	case QUERY_DAY:
		return high ? day_start_ns(bound->value + 1) - 1 : day_start_ns(bound->value);
	case QUERY_DAY_FROM_TODAY:
		return high ? day_start_ns(today() + bound->value + 1) - 1
			    : day_start_ns(today() + bound->value);
	case QUERY_OPEN:
		break;
	}
	return high ? INT64_MAX : INT64_MIN;
}

void query_range_of(const struct query_term *term, int64_t *ret_low, int64_t *ret_high)
{
	*ret_low = bound_value(&term->low, false);
	*ret_high = bound_value(&term->high, true);
}

static void add_range(struct sql_text *sql, const char *column, const struct query_term *term)
{
	int64_t low, high;

	query_range_of(term, &low, &high);
	sql_add(sql, column);
	if (term->any) {
		sql_add(sql, " IS NOT NULL");
		return;
	}
	sql_add(sql, " BETWEEN ");
	sql_add_number(sql, low);
	sql_add(sql, " AND ");
	sql_add_number(sql, high);
}

void query_hash_range(const char *digits, uint8_t ret_low[32], uint8_t ret_high[32])
{
	memset(ret_low, 0, 32);
	memset(ret_high, 0xff, 32);
	for (size_t i = 0; digits[i]; i++) {
		uint8_t value = (uint8_t)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);
		unsigned shift = i % 2 == 0 ? 4 : 0;

		ret_low[i / 2] = (uint8_t)(ret_low[i / 2] | value << shift);
		ret_high[i / 2] = (uint8_t)((ret_high[i / 2] & ~(0xf << shift)) | value << shift);
	}
}

/* ---- words ---- */

static int add_words(const struct query_context *context, const struct query_node *node, struct sql_text *sql)
{
	AUTO(free) char *match = NULL;
	int r;

	if (!context->has_search)
		return -EAGAIN;
	r = query_match_text(&node, 1, &match);
	if (r < 0)
		return r;
	sql_add(sql, "EXISTS (SELECT 1 FROM " SEARCH_WORDS " w WHERE w." SEARCH_WORDS_MATCH " MATCH ");
	sql_add_text(sql, match);
	sql_add(sql, " AND w.rowid = i.id)");
	return 0;
}

/* ---- names ---- */

#define ANY_NAME "EXISTS (SELECT 1 FROM entries x WHERE x.inode_id = i.id AND "

/* SQLite's GLOB: '^' negates, not '!'. */
static void add_pattern(struct sql_text *sql, char *pattern)
{
	for (char *c = pattern; (c = strstr(c, "[!")) != NULL; c++)
		c[1] = '^';
	sql_add(sql, "fold(x.name) GLOB ");
	sql_add_text(sql, pattern);
}

static int add_name(const struct query_term *term, struct sql_text *sql)
{
	AUTO(free) char *folded = query_folded(term->text);

	if (!folded)
		return -ENOMEM;
	sql_add(sql, ANY_NAME);
	if (term->exact) {
		sql_add(sql, "fold(x.name) = ");
		sql_add_text(sql, folded);
	} else if (strpbrk(folded, "*?[")) {
		add_pattern(sql, folded);
	} else {
		sql_add(sql, "instr(fold(x.name), ");
		sql_add_text(sql, folded);
		sql_add(sql, ") > 0");
	}
	sql_add(sql, ")");
	return 0;
}

static int add_ext(const struct query_term *term, struct sql_text *sql)
{
	AUTO(free) char *folded = query_folded(term->text);
	AUTO(free) char *pattern = folded ? malloc(3 * strlen(folded) + 4) : NULL;
	char *at = pattern;

	if (!pattern)
		return -ENOMEM;
	/* Something stands before the dot: ".profile" is a whole name. */
	at = stpcpy(at, "?*.");
	for (const char *c = folded; *c; c++) {
		bool special = *c == '*' || *c == '?' || *c == '[';

		at += sprintf(at, special ? "[%c]" : "%c", *c); /* three bytes each at most, counted above */
	}
	sql_add(sql, ANY_NAME "fold(x.name) GLOB ");
	sql_add_text(sql, pattern);
	sql_add(sql, ")");
	return 0;
}

static int add_person(const struct query_term *term, struct sql_text *sql)
{
	AUTO(free) char *folded = query_folded(term->text);

	if (!folded)
		return -ENOMEM;
	sql_add(sql, term->any ? "name_person(e.name) IS NOT NULL" : "fold(name_person(e.name)) = ");
	if (!term->any)
		sql_add_text(sql, folded);
	return 0;
}

/* ---- tags, types, folders ---- */

static int add_tag(const struct query_context *context, const struct query_term *term, struct sql_text *sql)
{
	AUTO(id_list) struct id_list tags = { 0 };
	int r = term->any ? 0 : query_tags_matching(context, term->text, &tags);

	if (r < 0)
		return r;
	if (!term->any && tags.n == 0) {
		sql_add(sql, "0");
		return 0;
	}
	sql_add(sql, "EXISTS (SELECT 1 FROM asset_tags t WHERE t.inode_id = i.id");
	if (tags.n > FEW_TAGS) {
		sql_add(sql, " AND has_id(");
		sql_add_blob(sql, tags.ids, tags.n * sizeof(*tags.ids));
		sql_add(sql, ", t.tag_id)");
	} else if (!term->any) {
		sql_add(sql, " AND t.tag_id IN (");
		for (size_t i = 0; i < tags.n; i++) {
			sql_add(sql, i > 0 ? ", " : "");
			sql_add_number(sql, (int64_t)tags.ids[i]);
		}
		sql_add(sql, ")");
	}
	sql_add(sql, ")");
	return 0;
}

static void add_type(const struct query_term *term, struct sql_text *sql)
{
	if (strchr(term->text, '/')) {
		sql_add(sql, "c.mime = ");
		sql_add_text(sql, term->text);
		return;
	}
	sql_add(sql, "(substr(c.mime, 1, instr(c.mime, '/') - 1) = ");
	sql_add_text(sql, term->text);
	sql_add(sql, " OR substr(c.mime, instr(c.mime, '/') + 1) = ");
	sql_add_text(sql, term->text);
	sql_add(sql, " OR substr(c.mime, instr(c.mime, '/') + 1) = 'x-' || ");
	sql_add_text(sql, term->text);
	sql_add(sql, ")");
}

static void add_text_of(struct sql_text *sql, const char *column, const struct query_term *term)
{
	sql_add(sql, column);
	sql_add(sql, term->any ? " IS NOT NULL" : " = ");
	if (!term->any)
		sql_add_text(sql, term->text);
}

static void add_hash(const struct query_term *term, struct sql_text *sql)
{
	uint8_t low[32], high[32];

	sql_add(sql, "c.sha256 ");
	if (term->any) {
		sql_add(sql, "IS NOT NULL");
		return;
	}
	query_hash_range(term->text, low, high);
	sql_add(sql, "BETWEEN ");
	sql_add_blob(sql, low, sizeof(low));
	sql_add(sql, " AND ");
	sql_add_blob(sql, high, sizeof(high));
}

/* One of the entry's directory `y` and those above it has one of these ids. Their paths tell. */
static int add_inside(const struct query_context *context, const struct id_list *directories,
		      struct sql_text *sql)
{
	sql_add(sql, "(0");
	for (size_t i = 0; i < directories->n; i++) {
		AUTO(query) sqlite3_stmt *path_of = db_query(context->db, DB_SET_find, FIND_DIRECTORY_PATH);
		AUTO(free) char *below = NULL;
		AUTO(free) char *behind = NULL;
		const char *path;
		int r;

		bind_u64(path_of, 1, directories->ids[i]);
		r = db_step(context->db, path_of);
		if (r < 0)
			return r;
		path = r == 1 ? (const char *)sqlite3_column_text(path_of, 0) : NULL;
		if (!path) /* deeper than a path can say, or gone */
			continue;
		if (*path == '\0') {
			sql_add(sql, " OR 1");
			continue;
		}
		if (asprintf(&below, "%s/", path) < 0 || asprintf(&behind, "%s0", path) < 0)
			return log_err(-ENOMEM, "no memory for a search");
		sql_add(sql, " OR y.path = ");
		sql_add_text(sql, path);
		sql_add(sql, " OR (y.path > ");
		sql_add_text(sql, below);
		sql_add(sql, " AND y.path < ");
		sql_add_text(sql, behind);
		sql_add(sql, ")");
	}
	sql_add(sql, ")");
	return 0;
}

#define ANY_DIRECTORY                                                                              \
	"EXISTS (SELECT 1 FROM entries x CROSS JOIN directories y ON y.id = x.directory_id WHERE " \
	"x.inode_id = i.id AND "

static int add_in(const struct query_context *context, const struct query_term *term, struct sql_text *sql)
{
	AUTO(id_list) struct id_list directories = { 0 };
	int r = query_directories_at(context, term->text, &directories);

	if (r < 0)
		return r;
	sql_add(sql, ANY_DIRECTORY);
	r = add_inside(context, &directories, sql);
	sql_add(sql, ")");
	return r;
}

/* ---- the tree ---- */

static int add_term(const struct query_context *context, const struct query_node *node, struct sql_text *sql)
{
	const struct query_term *term = &node->term;

	switch (term->key) {
	case QUERY_NOTE:
		if (!term->any)
			return add_words(context, node, sql);
		sql_add(sql, "a.notes IS NOT NULL");
		return 0;
	case QUERY_WORDS:
		return add_words(context, node, sql);
	case QUERY_NAME:
		return add_name(term, sql);
	case QUERY_EXT:
		return add_ext(term, sql);
	case QUERY_TAG:
		return add_tag(context, term, sql);
	case QUERY_IN:
		return add_in(context, term, sql);
	case QUERY_PERSON:
		return add_person(term, sql);
	case QUERY_KIND:
		add_text_of(sql, "c.kind", term);
		return 0;
	case QUERY_TYPE:
		if (term->any)
			add_text_of(sql, "c.mime", term);
		else
			add_type(term, sql);
		return 0;
	case QUERY_SHA256:
		add_hash(term, sql);
		return 0;
	case QUERY_SIZE:
		add_range(sql, "i.size", term);
		return 0;
	case QUERY_LENGTH:
		add_range(sql, "c.duration_ms", term);
		return 0;
	case QUERY_WIDTH:
		add_range(sql, "c.width", term);
		return 0;
	case QUERY_HEIGHT:
		add_range(sql, "c.height", term);
		return 0;
	case QUERY_RATING:
		add_range(sql, "a.rating", term);
		return 0;
	case QUERY_QUALITY:
		add_range(sql, QUERY_QUALITY_OF, term);
		return 0;
	case QUERY_DATE:
		add_range(sql, QUERY_DATE_OF, term);
		return 0;
	case QUERY_MODIFIED:
		add_range(sql, "i.mtime", term);
		return 0;
	case QUERY_ADDED:
		add_range(sql, "i.btime", term);
		return 0;
	case QUERY_SEEN:
		if (*term->text)
			add_range(sql, "a.seen_at", term);
		else
			sql_add(sql, "a.seen_at IS NOT NULL");
		return 0;
	case QUERY_UNSEEN:
		sql_add(sql, "a.seen_at IS NULL");
		return 0;
	case QUERY_FAVORITE:
		sql_add(sql, "a.favorite = 1");
		return 0;
	case QUERY_HIDDEN:
		sql_add(sql, "a.hidden = 1");
		return 0;
	case QUERY_UNTAGGED:
		sql_add(sql, "NOT EXISTS (SELECT 1 FROM asset_tags t WHERE t.inode_id = i.id)");
		return 0;
	case QUERY_N_KEYS:
		break;
	}
	return log_err(-EINVAL, "a search has a term of no known key");
}

int query_condition(const struct query_context *context, const struct query_node *node, struct sql_text *sql)
{
	int r = 0;

	if (!node) {
		sql_add(sql, "1");
		return 0;
	}
	if (node->kind == QUERY_TERM)
		return add_term(context, node, sql);
	/* What is unknown of a file is false: so is a comparison with it, and true what excludes that. */
	sql_add(sql, "(");
	for (const struct query_node *child = node->first; r == 0 && child; child = child->next) {
		r = query_condition(context, child, sql);
		if (child->next)
			sql_add(sql, node->kind == QUERY_OR ? " OR " : " AND ");
	}
	sql_add(sql, node->kind == QUERY_NOT ? ") IS NOT TRUE" : ")");
	return r;
}

/* ---- what is shown at all ---- */

#define IN_TRASH(table)                                                                                      \
	"(" table ".path >= '.Trash' AND " table ".path < '.Trasi' AND (" table ".path = '.Trash' OR " table \
	".path GLOB '.Trash/*' OR " table ".path GLOB '.Trash-*')) IS TRUE"

static bool names_trash(const struct query_node *node)
{
	if (!node)
		return false;
	if (node->kind == QUERY_TERM)
		return node->term.key == QUERY_IN && strncasecmp(node->term.text, ".Trash", 6) == 0;
	for (const struct query_node *child = node->first; child; child = child->next)
		if (names_trash(child))
			return true;
	return false;
}

int query_visibility(const struct query_context *context, const struct vault_query *query,
		     struct sql_text *sql)
{
	bool with_trash = names_trash(query->root);
	int r = 0;

	sql_add(sql, "i.mode & 61440 = 32768");
	if (!query_names(query, QUERY_HIDDEN))
		sql_add(sql, " AND a.hidden IS NOT 1");
	if (!with_trash)
		sql_add(sql, " AND NOT " IN_TRASH("d"));
	sql_add(sql, " AND (i.nlink = 1 OR e.cookie = (SELECT x.cookie FROM entries x "
		     "CROSS JOIN directories y ON y.id = x.directory_id WHERE x.inode_id = i.id");
	if (!with_trash)
		sql_add(sql, " AND NOT " IN_TRASH("y"));
	sql_add(sql, " ORDER BY x.directory_id, x.cookie LIMIT 1))");
	if (context->below != 0) {
		struct id_list directories = { (uint64_t[]){ context->below }, 1, 1 };

		sql_add(sql, " AND " ANY_DIRECTORY);
		r = add_inside(context, &directories, sql);
		sql_add(sql, ")");
	}
	return r;
}
