/* query_plan.c - which indices answer a query, and what they leave to be asked of each file. See query_sql.h.
 *
 * A term with an index is a stream of ids. An and intersects the streams of its children; what has none, or only one that
 * says too much, is left to be asked. An or needs a stream of each child. A not has none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "casefold.h"
#include "find_queries.h"
#include "log.h"
#include "query_sql.h"

#define TAG_STREAMS 64u    /* tags of one term that are read side by side; more are sorted */
#define TAGS_SORTED 10000u /* and more than these are asked of each file */
#define SORTED_MOST 20000u /* files of some days that are sorted, instead of asking each file */
#define ZONES_NS (26ll * 3600 * 1000000000) /* between the first and the last place where a day begins */
#define FOLDER_ENTRIES \
	20000 /* what a folder may hold to be listed, instead of asking each file where it is */

/* A stream for part of a query. */
struct part {
	struct id_stream *stream; /* NULL: there is none */
	bool exact;               /* it has nothing that does not match */
};

static void auto_part(struct part *part)
{
	id_stream_free(part->stream);
}

static int select_stream(const struct query_context *context, const struct sql_text *sql, unsigned seek,
			 struct part *ret)
{
	int r = id_stream_select(context->db, sql, seek, &ret->stream);

	ret->exact = r == 0;
	return r;
}

/* ---- terms ---- */

/* "SELECT ... WHERE [column] =" a number; the whole ends in descending order. */
static int number_stream(const struct query_context *context, const char *select, int64_t number,
			 const char *end, struct part *ret)
{
	AUTO(sql) struct sql_text sql = { 0 };

	sql_add(&sql, select);
	sql_add_number(&sql, number);
	sql_add(&sql, end);
	return select_stream(context, &sql, ID_STREAM_SEEK_INDEX, ret);
}

static int text_stream(const struct query_context *context, const char *select, const char *text,
		       const char *end, struct part *ret)
{
	AUTO(sql) struct sql_text sql = { 0 };

	sql_add(&sql, select);
	sql_add_text(&sql, text);
	sql_add(&sql, end);
	return select_stream(context, &sql, ID_STREAM_SEEK_INDEX, ret);
}

/* The tags behind the first so many, as one stream. */
static int sorted_tags(const struct query_context *context, const struct id_list *tags, size_t from,
		       struct part *ret)
{
	AUTO(sql) struct sql_text sql = { 0 };

	sql_add(&sql, "SELECT inode_id FROM asset_tags WHERE tag_id IN (");
	for (size_t i = from; i < tags->n; i++) {
		sql_add(&sql, i > from ? ", " : "");
		sql_add_number(&sql, (int64_t)tags->ids[i]);
	}
	sql_add(&sql, ") AND inode_id <= ?1 ORDER BY inode_id DESC");
	return select_stream(context, &sql, ID_STREAM_SEEK_NEVER, ret);
}

/* Take `part` into an any or an each. */
static int add_part(struct id_stream *stream, struct part *part)
{
	return id_stream_add(stream, TAKE(part->stream));
}

static int tag_stream(const struct query_context *context, const struct query_term *term, struct part *ret)
{
	AUTO(id_list) struct id_list tags = { 0 };
	AUTO(id_stream) struct id_stream *any = NULL;
	int r = term->any ? 0 : query_tags_matching(context, term->text, &tags);

	if (r < 0 || term->any || tags.n > TAGS_SORTED)
		return r;
	r = id_stream_any(context->db, &any);
	for (size_t i = 0; r == 0 && i < tags.n; i++) {
		struct part part = { 0 };
		bool last = i == TAG_STREAMS;

		if (last)
			r = sorted_tags(context, &tags, i, &part);
		else
			r = number_stream(context, "SELECT inode_id FROM asset_tags WHERE tag_id = ",
					  (int64_t)tags.ids[i], " AND inode_id <= ?1 ORDER BY inode_id DESC",
					  &part);
		if (r == 0)
			r = add_part(any, &part);
		if (last)
			break;
	}
	if (r < 0)
		return r;
	*ret = (struct part){ TAKE(any), true };
	return 0;
}

static int rating_stream(const struct query_context *context, const struct query_term *term, struct part *ret)
{
	AUTO(id_stream) struct id_stream *any = NULL;
	int64_t low, high;
	int r = id_stream_any(context->db, &any);

	query_range_of(term, &low, &high);
	for (int64_t rating = low > 0 ? low : 0; r == 0 && rating <= 10 && rating <= high; rating++) {
		struct part part = { 0 };

		r = number_stream(context, "SELECT inode_id FROM assets WHERE rating = ", rating,
				  " AND inode_id <= ?1 ORDER BY inode_id DESC", &part);
		if (r == 0)
			r = add_part(any, &part);
	}
	if (r < 0)
		return r;
	*ret = (struct part){ TAKE(any), true };
	return 0;
}

static int hash_stream(const struct query_context *context, const struct query_term *term, struct part *ret)
{
	AUTO(sql) struct sql_text sql = { 0 };
	uint8_t low[32], high[32];

	if (term->any)
		return 0;
	query_hash_range(term->text, low, high);
	sql_add(&sql, "SELECT inode_id FROM content WHERE sha256 BETWEEN ");
	sql_add_blob(&sql, low, sizeof(low));
	sql_add(&sql, " AND ");
	sql_add_blob(&sql, high, sizeof(high));
	sql_add(&sql, " AND +inode_id <= ?1 ORDER BY inode_id DESC");
	return select_stream(context, &sql, ID_STREAM_SEEK_NEVER, ret);
}

static int plain_stream(const struct query_context *context, const char *select, struct part *ret)
{
	AUTO(sql) struct sql_text sql = { 0 };

	sql_add(&sql, select);
	return select_stream(context, &sql, ID_STREAM_SEEK_INDEX, ret);
}

static int below_stream(const struct query_context *context, uint64_t directory_id, struct part *ret)
{
	AUTO(sql) struct sql_text sql = { 0 };

	sql_add(&sql, "WITH RECURSIVE " FIND_BELOW);
	sql_add_number(&sql, (int64_t)directory_id);
	sql_add(&sql,
		FIND_BELOW_END "SELECT e.inode_id FROM below b CROSS JOIN entries e ON e.directory_id = b.id "
			       "WHERE e.inode_id <= ?1 ORDER BY e.inode_id DESC");
	return select_stream(context, &sql, ID_STREAM_SEEK_NEVER, ret);
}

/* What a folder of few files holds. */
static int folder_stream(const struct query_context *context, const struct query_term *term, struct part *ret)
{
	AUTO(id_list) struct id_list directories = { 0 };
	AUTO(id_stream) struct id_stream *any = NULL;
	int r = query_directories_at(context, term->text, &directories);

	if (r == 0)
		r = id_stream_any(context->db, &any);
	for (size_t i = 0; r == 0 && i < directories.n; i++) {
		AUTO(query) sqlite3_stmt *count = db_query(context->db, DB_SET_find, FIND_COUNT_BELOW);
		struct part part = { 0 };

		bind_u64(count, 1, directories.ids[i]);
		bind_u64(count, 2, FOLDER_ENTRIES);
		r = db_step(context->db, count);
		if (r < 0)
			return r;
		if (r == 1 && sqlite3_column_int64(count, 0) >= FOLDER_ENTRIES)
			return 0;
		r = below_stream(context, directories.ids[i], &part);
		if (r == 0)
			r = add_part(any, &part);
	}
	if (r < 0)
		return r;
	*ret = (struct part){ TAKE(any), true };
	return 0;
}

/* ---- terms that search.db has indices for ---- */

/* Of text that is valid. */
static size_t utf8_length(const char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

static bool is_plain(char c)
{
	return !strchr("*?[]", c); /* NUL is among them */
}

/* The longest run of a pattern's own characters that trigrams can find, between *ret and its end; false: none is long
 * enough. The insides of brackets are passed over. */
static bool longest_run(const char *pattern, const char **ret, size_t *ret_size)
{
	*ret_size = 0;
	for (const char *at = pattern; *at;) {
		size_t n = 0;

		while (at[n] && is_plain(at[n]))
			n++;
		if (n > *ret_size && utf8_is_valid(at, n)) {
			*ret = at;
			*ret_size = n;
		}
		at += n;
		if (*at == '[') {
			at += at[1] == '^' || at[1] == '!' ? 2 : 1;
			at += *at == ']';
			at += strcspn(at, "]");
		}
		at += *at != '\0';
	}
	return utf8_length(*ret, *ret_size) >= 3;
}

/* Files whose name has `part`, whatever its case. They may be more than match. */
static int names_stream(const struct query_context *context, const char *part, size_t size, struct part *ret)
{
	AUTO(sql) struct sql_text sql = { 0 };
	AUTO(free) char *match = malloc(2 * size + 3);
	char *at = match;
	int r;

	if (!match)
		return log_err(-ENOMEM, "no memory for a search");
	*at++ = '"';
	for (size_t i = 0; i < size; i++) {
		if (part[i] == '"')
			*at++ = '"';
		*at++ = part[i];
	}
	*at++ = '"';
	*at = '\0';
	sql_add(&sql, "SELECT rowid FROM " SEARCH_NAMES " n WHERE n." SEARCH_NAMES_MATCH " MATCH ");
	sql_add_text(&sql, match);
	sql_add(&sql, " AND n.rowid <= ?1 ORDER BY n.rowid DESC");
	r = select_stream(context, &sql, ID_STREAM_SEEK_WORDS, ret);
	ret->exact = false;
	return r;
}

static int name_stream(const struct query_context *context, const struct query_term *term, struct part *ret)
{
	const char *run = term->text;
	size_t size = strlen(run);

	if (!context->search_complete)
		return 0;
	if (term->exact ? !utf8_is_valid(run, size) || utf8_length(run, size) < 3
			: !longest_run(term->text, &run, &size))
		return 0;
	return names_stream(context, run, size, ret);
}

static int ext_stream(const struct query_context *context, const struct query_term *term, struct part *ret)
{
	AUTO(free) char *dotted = NULL;
	int r;

	if (!context->search_complete || !utf8_is_valid(term->text, strlen(term->text)) ||
	    utf8_length(term->text, strlen(term->text)) < 2)
		return 0;
	r = asprintf(&dotted, ".%s", term->text);
	if (r < 0)
		return log_err(-ENOMEM, "no memory for a search");
	return names_stream(context, dotted, (size_t)r, ret);
}

static int person_stream(const struct query_context *context, const struct query_term *term, struct part *ret)
{
	AUTO(free) char *folded = NULL;
	int r;

	if (!context->search_complete || term->any)
		return 0;
	folded = query_folded(term->text);
	if (!folded)
		return -ENOMEM;
	r = text_stream(context, "SELECT id FROM search.documents WHERE person_folded = ", folded,
			" AND id <= ?1 ORDER BY id DESC", ret);
	ret->exact = false; /* a person in a name that is not shown is none */
	return r;
}

static void add_days(struct sql_text *sql, const char *select, int64_t low, int64_t high, const char *end)
{
	/* Which moment a date in a name is depends on the time zone of whoever asks. */
	sql_add(sql, select);
	sql_add(sql, " FROM search.documents WHERE date_ns BETWEEN ");
	sql_add_number(sql, low > INT64_MIN + ZONES_NS ? low - ZONES_NS : INT64_MIN);
	sql_add(sql, " AND ");
	sql_add_number(sql, high < INT64_MAX - ZONES_NS ? high + ZONES_NS : INT64_MAX);
	sql_add(sql, end);
}

/* 1 more than `most` files are of these days, 0 not. */
static int are_many(const struct query_context *context, int64_t low, int64_t high)
{
	AUTO(sql) struct sql_text sql = { 0 };
	AUTO(statement) sqlite3_stmt *count = NULL;
	int r;

	add_days(&sql, "SELECT count(*) FROM (SELECT 1", low, high, " LIMIT ?1)");
	r = sql_prepare(&sql, context->db, &count);
	if (r < 0)
		return r;
	bind_u64(count, 1, SORTED_MOST + 1);
	r = sql_step(context->db, count);
	return r == 1 ? sqlite3_column_int64(count, 0) > SORTED_MOST : r;
}

/* The files of a few days. */
static int date_stream(const struct query_context *context, const struct query_term *term, struct part *ret)
{
	AUTO(sql) struct sql_text sql = { 0 };
	int64_t low, high;
	int r;

	if (!context->search_complete)
		return 0;
	query_range_of(term, &low, &high);
	r = are_many(context, low, high);
	if (r != 0)
		return r < 0 ? r : 0;
	add_days(&sql, "SELECT id", low, high, " AND +id <= ?1 ORDER BY id DESC");
	r = select_stream(context, &sql, ID_STREAM_SEEK_NEVER, ret);
	ret->exact = false;
	return r;
}

static int term_stream(const struct query_context *context, const struct query_term *term, struct part *ret)
{
	int r;

	switch (term->key) {
	case QUERY_TAG:
		return tag_stream(context, term, ret);
	case QUERY_KIND:
		return term->any ? 0
				 : text_stream(context,
					       "SELECT inode_id FROM content WHERE kind = ", term->text,
					       " AND inode_id <= ?1 ORDER BY inode_id DESC", ret);
	case QUERY_TYPE:
		if (term->any || !strchr(term->text, '/'))
			return 0;
		return text_stream(context, "SELECT inode_id FROM content WHERE mime = ", term->text,
				   " AND inode_id <= ?1 ORDER BY inode_id DESC", ret);
	case QUERY_SHA256:
		return hash_stream(context, term, ret);
	case QUERY_RATING:
		return rating_stream(context, term, ret);
	case QUERY_FAVORITE:
		return plain_stream(context,
				    "SELECT inode_id FROM assets WHERE favorite = 1 AND inode_id <= ?1 "
				    "ORDER BY inode_id DESC",
				    ret);
	case QUERY_QUALITY:
		r = plain_stream(
			context,
			"SELECT inode_id FROM assets WHERE prediction IS NOT NULL AND inode_id <= ?1 "
			"ORDER BY inode_id DESC",
			ret);
		ret->exact = false;
		return r;
	case QUERY_IN:
		return folder_stream(context, term, ret);
	case QUERY_NAME:
		return name_stream(context, term, ret);
	case QUERY_EXT:
		return ext_stream(context, term, ret);
	case QUERY_PERSON:
		return person_stream(context, term, ret);
	case QUERY_DATE:
		return date_stream(context, term, ret);
	default:
		return 0;
	}
}

/* ---- the tree ---- */

static int plan_node(const struct query_context *context, const struct query_node *node, struct part *ret);

/* Words that stand side by side are one full-text question. */
static int words_stream(const struct query_context *context, const struct query_node *const *nodes, size_t n,
			struct part *ret)
{
	AUTO(sql) struct sql_text sql = { 0 };
	AUTO(free) char *match = NULL;
	int r = context->has_search ? query_match_text(nodes, n, &match) : -EAGAIN;

	if (r < 0)
		return r;
	sql_add(&sql, "SELECT rowid FROM " SEARCH_WORDS " w WHERE w." SEARCH_WORDS_MATCH " MATCH ");
	sql_add_text(&sql, match);
	sql_add(&sql, " AND w.rowid <= ?1 ORDER BY w.rowid DESC");
	return select_stream(context, &sql, ID_STREAM_SEEK_WORDS, ret);
}

static bool is_word_part(const struct query_node *node)
{
	return query_is_words(node->kind == QUERY_NOT ? node->first : node);
}

/* The words among an and's children, as one stream in `each`. *ret_taken: they are answered. */
static int add_words_among(const struct query_context *context, const struct query_node *node,
			   struct id_stream *each, bool *ret_taken)
{
	const struct query_node *words[QUERY_TERMS_MAX];
	struct part part = { 0 };
	bool positive = false;
	size_t n = 0;
	int r;

	for (const struct query_node *child = node->first; child; child = child->next)
		if (is_word_part(child)) {
			words[n++] = child;
			positive = positive || child->kind != QUERY_NOT;
		}
	*ret_taken = positive;
	if (!positive)
		return 0;
	r = words_stream(context, words, n, &part);
	return r < 0 ? r : add_part(each, &part);
}

/* An and: its stream is put into plan->stream, and what it leaves to ask into plan->rest. */
static int plan_and(const struct query_context *context, const struct query_node *node,
		    struct query_plan *plan)
{
	AUTO(id_stream) struct id_stream *each = NULL;
	bool any = false, words_taken = false;
	int r = id_stream_each(context->db, &each);

	if (r == 0)
		r = add_words_among(context, node, each, &words_taken);
	any = words_taken;
	for (const struct query_node *child = node->first; r == 0 && child; child = child->next) {
		AUTO(part) struct part part = { 0 };

		if (words_taken && is_word_part(child))
			continue;
		r = plan_node(context, child, &part);
		if (!part.exact)
			plan->rest[plan->n_rest++] = child;
		if (r < 0 || !part.stream)
			continue;
		any = true;
		r = add_part(each, &part);
	}
	if (r == 0 && any)
		plan->stream = TAKE(each);
	return r;
}

static int plan_or(const struct query_context *context, const struct query_node *node, struct part *ret)
{
	AUTO(id_stream) struct id_stream *any = NULL;
	bool exact = true;
	int r = id_stream_any(context->db, &any);

	for (const struct query_node *child = node->first; r == 0 && child; child = child->next) {
		struct part part = { 0 };

		r = plan_node(context, child, &part);
		if (r < 0 || !part.stream)
			return r;
		exact = exact && part.exact;
		r = add_part(any, &part);
	}
	if (r < 0)
		return r;
	*ret = (struct part){ TAKE(any), exact };
	return 0;
}

static int plan_node(const struct query_context *context, const struct query_node *node, struct part *ret)
{
	struct query_plan inner = { 0 };
	int r;

	if (query_is_words(node))
		return words_stream(context, &node, 1, ret);
	switch (node->kind) {
	case QUERY_TERM:
		return term_stream(context, &node->term, ret);
	case QUERY_OR:
		return plan_or(context, node, ret);
	case QUERY_NOT:
		return 0;
	case QUERY_AND:
		break;
	}
	r = plan_and(context, node, &inner);
	if (r == 0)
		*ret = (struct part){ inner.stream, inner.stream && inner.n_rest == 0 };
	return r;
}

int query_plan(const struct query_context *context, const struct vault_query *query, struct query_plan *ret)
{
	struct part part = { 0 };
	int r;

	*ret = (struct query_plan){ 0 };
	if (!query->root)
		return 0;
	if (query->root->kind == QUERY_AND && !query_is_words(query->root))
		return plan_and(context, query->root, ret);
	r = plan_node(context, query->root, &part);
	if (r < 0)
		return r;
	ret->stream = part.stream;
	if (!part.exact)
		ret->rest[ret->n_rest++] = query->root;
	return 0;
}
