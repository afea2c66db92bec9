/* search_document.c - what is looked for of one file: read from vault.db, and put into search.db where it differs. See search.h. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "casefold.h"
#include "kind.h"
#include "name_facts.h"
#include "search_internal.h"

enum {
	Q_FILE,
	Q_NAMES,
	Q_TAGS,
};

/* On vault.db. */
static const char *const sql[] = {
	[Q_FILE] =
		"SELECT i.mode, i.mtime, c.taken_at, c.kind, a.notes FROM inodes i "
		"LEFT JOIN content c ON c.inode_id = i.id LEFT JOIN assets a ON a.inode_id = i.id WHERE i.id = ?1",
	/* Files with thousands of names are found by the first ones. */
	[Q_NAMES] = "SELECT name FROM entries WHERE inode_id = ?1 ORDER BY cookie LIMIT 100",
	[Q_TAGS] =
		"SELECT t.name FROM asset_tags a JOIN tags t ON t.id = a.tag_id WHERE a.inode_id = ?1 ORDER BY a.position",
};

const struct query_set search_document_queries = { sql, sizeof(sql) / sizeof(sql[0]) };

enum {
	S_DOCUMENT_GET,
	S_DOCUMENT_PUT,
	S_DOCUMENT_REMOVE,
	S_TEXT_GET,
	S_TEXT_HAS,
	S_TEXT_PUT,
	S_TEXT_REMOVE,
	S_WORDS_ADD,
	S_WORDS_REMOVE,
	S_NAMES_ADD,
	S_NAMES_REMOVE,
};

/* On search.db. */
static const char *const search_sql[] = {
	[S_DOCUMENT_GET] = "SELECT name, note, tags, date_ns, date_from, person FROM documents WHERE id = ?1",
	[S_DOCUMENT_PUT] =
		"INSERT INTO documents (id, name, note, tags, date_ns, date_from, person, person_folded) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
		"note = excluded.note, tags = excluded.tags, date_ns = excluded.date_ns, "
		"date_from = excluded.date_from, person = excluded.person, person_folded = excluded.person_folded",
	[S_DOCUMENT_REMOVE] = "DELETE FROM documents WHERE id = ?1",
	[S_TEXT_GET] = "SELECT codec, raw_size, stored FROM texts WHERE id = ?1",
	[S_TEXT_HAS] = "SELECT 1 FROM texts WHERE id = ?1",
	[S_TEXT_PUT] =
		"INSERT INTO texts (id, codec, raw_size, stored) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE "
		"SET codec = excluded.codec, raw_size = excluded.raw_size, stored = excluded.stored",
	[S_TEXT_REMOVE] = "DELETE FROM texts WHERE id = ?1",
	[S_WORDS_ADD] = "INSERT INTO words (rowid, name, note, tags, text) VALUES (?1, ?2, ?3, ?4, ?5)",
	[S_WORDS_REMOVE] =
		"INSERT INTO words (words, rowid, name, note, tags, text) VALUES ('delete', ?1, ?2, ?3, ?4, ?5)",
	[S_NAMES_ADD] = "INSERT INTO names (rowid, name) VALUES (?1, ?2)",
	[S_NAMES_REMOVE] = "INSERT INTO names (names, rowid, name) VALUES ('delete', ?1, ?2)",
};

const struct query_set search_words_queries = { search_sql, sizeof(search_sql) / sizeof(search_sql[0]) };

static sqlite3_stmt *vault_query(struct search *search, int which)
{
	return db_query(&search->reader, DB_SET_search_document, which);
}

static sqlite3_stmt *query(struct search *search, int which)
{
	return db_query(&search->db, DB_SET_search_words, which);
}

/* ---- what vault.db says ---- */

/* The first column of each row for inode `id`, with `between` between them. */
static int gather(struct search *search, int which, uint64_t id, char between, struct bytes *ret)
{
	AUTO(query) sqlite3_stmt *get = vault_query(search, which);
	int r;

	ret->size = 0;
	bind_u64(get, 1, id);
	while ((r = db_step(&search->reader, get)) > 0) {
		const void *text = sqlite3_column_blob(get, 0);

		if (ret->size > 0)
			r = search_bytes_add(search, ret, &between, 1);
		if (r >= 0)
			r = search_bytes_add(search, ret, text, (size_t)sqlite3_column_bytes(get, 0));
		if (r < 0)
			return r;
	}
	return r;
}

/* Whom and when the first of its names tells of that tells of something. */
static bool read_facts(const struct bytes *names, struct name_facts *ret)
{
	const char *end = names->at + names->size;

	for (const char *name = names->at; name < end; name++) {
		const char *slash = memchr(name, '/', (size_t)(end - name));

		if (!slash)
			slash = end;
		if (name_facts_read(name, (size_t)(slash - name), ret))
			return true;
		name = slash;
	}
	return false;
}

/* Letters and lists have dates in their names, too, and something before them that is nobody. */
static bool kind_shows_people(const char *kind)
{
	enum kind known = kind ? kind_find(kind) : KIND_N;

	return known != KIND_TEXT && known != KIND_DOCUMENT && known != KIND_ARCHIVE;
}

/* 1 it is a document, 0 not. */
static int read_file_row(struct search *search, uint64_t id, bool *ret_taken, bool *ret_people)
{
	AUTO(query) sqlite3_stmt *get = vault_query(search, Q_FILE);
	struct search_document *document = &search->document;
	int r;

	bind_u64(get, 1, id);
	r = db_step(&search->reader, get);
	if (r <= 0)
		return r;
	if (!S_ISREG((mode_t)sqlite3_column_int64(get, 0)))
		return 0;
	*ret_taken = sqlite3_column_type(get, 2) != SQLITE_NULL;
	*ret_people = kind_shows_people((const char *)sqlite3_column_text(get, 3));
	document->date_ns = sqlite3_column_int64(get, *ret_taken ? 2 : 1);
	document->date_from = *ret_taken ? 1 : 3;
	document->note.size = 0;
	r = search_bytes_add(search, &document->note, sqlite3_column_blob(get, 4),
			     (size_t)sqlite3_column_bytes(get, 4));
	return r < 0 ? r : 1;
}

/* Fill search->document. 1 it is a document, 0 not. */
static int read_file(struct search *search, uint64_t id)
{
	struct search_document *document = &search->document;
	struct name_facts facts;
	bool taken = false, people = false;
	int r = gather(search, Q_NAMES, id, '/', &document->names);

	if (r == 0 && document->names.size > 0)
		r = read_file_row(search, id, &taken, &people);
	if (r <= 0)
		return r;
	r = gather(search, Q_TAGS, id, '\n', &document->tags);
	if (r < 0)
		return r;
	document->id = id;
	document->person_size = 0;
	if (!read_facts(&document->names, &facts))
		return 1;
	if (!taken) {
		document->date_ns = name_facts_ns(&facts);
		document->date_from = 2;
	}
	if (people && facts.person_size > 0) {
		document->person_size = facts.person_size;
		memcpy(document->person, facts.person, facts.person_size);
	}
	return 1;
}

/* ---- what search.db says ---- */

struct text {
	const char *at;
	size_t size;
};

/* What a file is found by; borrowed. */
struct words {
	struct text name, note, tags, text;
};

static bool equal(struct text a, struct text b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

static struct text column_of(sqlite3_stmt *statement, int column)
{
	const char *at = (const char *)sqlite3_column_text(statement, column);

	return (struct text){ at, (size_t)sqlite3_column_bytes(statement, column) };
}

static struct text text_of(const struct bytes *bytes)
{
	return (struct text){ bytes->at, bytes->size };
}

static void bind(sqlite3_stmt *statement, int position, struct text text)
{
	bind_text(statement, position, text.at ? text.at : "", text.size);
}

static int put_words(struct search *search, int which, uint64_t id, const struct words *words)
{
	AUTO(query) sqlite3_stmt *put = query(search, which);

	search->n_bytes += words->name.size + words->note.size + words->tags.size + words->text.size;
	bind_u64(put, 1, id);
	bind(put, 2, words->name);
	bind(put, 3, words->note);
	bind(put, 4, words->tags);
	bind(put, 5, words->text);
	return db_run(&search->db, put);
}

static int put_names(struct search *search, int which, uint64_t id, struct text names)
{
	AUTO(query) sqlite3_stmt *put = query(search, which);

	bind_u64(put, 1, id);
	bind(put, 2, names);
	return db_run(&search->db, put);
}

static int run_for(struct search *search, int which, uint64_t id)
{
	AUTO(query) sqlite3_stmt *run = query(search, which);

	bind_u64(run, 1, id);
	return db_run(&search->db, run);
}

/* The text of a document: *ret_raw is the caller's. One that is empty, or not there, has size 0. */
static int get_text(struct search *search, uint64_t id, char **ret_raw, size_t *ret_size)
{
	AUTO(query) sqlite3_stmt *get = query(search, S_TEXT_GET);
	AUTO(free) char *raw = NULL;
	uint32_t size;
	int r;

	*ret_raw = NULL;
	*ret_size = 0;
	bind_u64(get, 1, id);
	r = db_step(&search->db, get);
	if (r <= 0)
		return r;
	size = (uint32_t)sqlite3_column_int64(get, 1);
	if (size == 0)
		return 0;
	if (size > VAULT_TEXT_MAX)
		return log_err(-EBADMSG, "%s: the text of a file cannot be that long", search->path);
	raw = malloc(size);
	if (!raw)
		return log_err(-ENOMEM, "%s: no memory for the text of a file", search->path);
	r = codec_decode(search->codec, (enum codec)sqlite3_column_int(get, 0), sqlite3_column_blob(get, 2),
			 (uint32_t)sqlite3_column_bytes(get, 2), raw, size);
	if (r < 0)
		return log_err(-EBADMSG, "%s: the text of a file cannot be read", search->path);
	*ret_raw = TAKE(raw);
	*ret_size = size;
	return 0;
}

static int store_text(struct search *search, uint64_t id, struct text text)
{
	AUTO(query) sqlite3_stmt *put = query(search, S_TEXT_PUT);
	AUTO(free) void *stored = malloc(text.size + 1);
	enum codec codec = CODEC_RAW;
	uint32_t stored_size = (uint32_t)text.size;
	int r = 0;

	if (!stored)
		return log_err(-ENOMEM, "%s: no memory for the text of a file", search->path);
	if (text.size > 0)
		r = codec_encode(search->codec, text.at, (uint32_t)text.size, stored, &codec, &stored_size);
	if (r < 0)
		return r;
	bind_u64(put, 1, id);
	bind_u64(put, 2, codec);
	bind_u64(put, 3, text.size);
	bind_blob(put, 4, codec == CODEC_RAW ? text.at : stored, stored_size);
	return db_run(&search->db, put);
}

static int store_document(struct search *search)
{
	AUTO(query) sqlite3_stmt *put = query(search, S_DOCUMENT_PUT);
	const struct search_document *document = &search->document;
	char folded[CASEFOLD_SIZE(sizeof(document->person))];

	bind_u64(put, 1, document->id);
	bind(put, 2, text_of(&document->names));
	bind(put, 3, text_of(&document->note));
	bind(put, 4, text_of(&document->tags));
	bind_i64(put, 5, document->date_ns);
	bind_i64(put, 6, document->date_from);
	if (document->person_size > 0) {
		bind_text(put, 7, document->person, document->person_size);
		bind_text(put, 8, folded, casefold(document->person, document->person_size, folded));
	}
	return db_run(&search->db, put);
}

/* Put search->document in the place of what `old` shows, a row of Q_DOCUMENT_GET; NULL: there was none. */
static int replace(struct search *search, sqlite3_stmt *old)
{
	const struct search_document *document = &search->document;
	const struct words now = {
		text_of(&document->names), text_of(&document->note), text_of(&document->tags), { NULL, 0 }
	};
	struct words before = now, after = now;
	AUTO(free) char *raw = NULL;
	bool same_name = old && equal(now.name, column_of(old, 0));
	bool same = same_name && equal(now.note, column_of(old, 1)) && equal(now.tags, column_of(old, 2));
	int r = 0;

	if (same && document->date_ns == sqlite3_column_int64(old, 3) &&
	    document->date_from == sqlite3_column_int(old, 4) &&
	    equal((struct text){ document->person, document->person_size }, column_of(old, 5)))
		return 0;
	if (!same && old) {
		r = get_text(search, document->id, &raw, &before.text.size);
		before = (struct words){
			column_of(old, 0), column_of(old, 1), column_of(old, 2), { raw, before.text.size }
		};
		after.text = before.text;
		if (r == 0)
			r = put_words(search, S_WORDS_REMOVE, document->id, &before);
	}
	if (r == 0 && !same)
		r = put_words(search, S_WORDS_ADD, document->id, &after);
	if (r == 0 && old && !same_name)
		r = put_names(search, S_NAMES_REMOVE, document->id, before.name);
	if (r == 0 && !same_name)
		r = put_names(search, S_NAMES_ADD, document->id, after.name);
	return r == 0 ? store_document(search) : r;
}

/* `old` is the row of document `id`. */
static int remove_document(struct search *search, uint64_t id, sqlite3_stmt *old)
{
	AUTO(free) char *raw = NULL;
	struct words before = { column_of(old, 0), column_of(old, 1), column_of(old, 2), { NULL, 0 } };
	int r = get_text(search, id, &raw, &before.text.size);

	before.text.at = raw;
	if (r == 0)
		r = put_words(search, S_WORDS_REMOVE, id, &before);
	if (r == 0)
		r = put_names(search, S_NAMES_REMOVE, id, before.name);
	if (r == 0)
		r = run_for(search, S_TEXT_REMOVE, id);
	return r == 0 ? run_for(search, S_DOCUMENT_REMOVE, id) : r;
}

int search_follow_one_locked(struct search *search, uint64_t id)
{
	AUTO(query) sqlite3_stmt *old = query(search, S_DOCUMENT_GET);
	int is_document = read_file(search, id);
	int r;

	if (is_document < 0)
		return is_document;
	bind_u64(old, 1, id);
	r = db_step(&search->db, old);
	if (r < 0)
		return r;
	if (is_document)
		r = replace(search, r ? old : NULL);
	else if (r > 0)
		r = remove_document(search, id, old);
	return r < 0 ? r : is_document;
}

int search_put_text_locked(struct search *search, uint64_t id, const char *text, size_t size)
{
	const struct search_document *document = &search->document;
	struct words words = {
		text_of(&document->names), text_of(&document->note), text_of(&document->tags), { NULL, 0 }
	};
	struct text now = { text, size };
	AUTO(free) char *raw = NULL;
	int r = get_text(search, id, &raw, &words.text.size);

	words.text.at = raw;
	if (r < 0)
		return r;
	if (!equal(words.text, now)) {
		r = put_words(search, S_WORDS_REMOVE, id, &words);
		words.text = now;
		if (r == 0)
			r = put_words(search, S_WORDS_ADD, id, &words);
	} else if (size > 0) {
		return 0;
	}
	return r == 0 ? store_text(search, id, now) : r;
}

int search_has_text_locked(struct search *search, uint64_t id)
{
	AUTO(query) sqlite3_stmt *has = query(search, S_TEXT_HAS);

	bind_u64(has, 1, id);
	return db_step(&search->db, has);
}

int vault_set_text(struct vault *vault, uint64_t id, const char *text, size_t size)
{
	struct search *search = vault->search;
	AUTO(unlock) pthread_mutex_t *held = NULL;
	uint64_t commit = 0;
	int r;

	if (size > VAULT_TEXT_MAX)
		return -EINVAL;
	if (!search->writes)
		return -EROFS;
	held = lock_mutex(&search->writing);
	r = search_open_locked(search);
	if (r == 0)
		r = search_begin_locked(search, &commit);
	else
		return 0; /* given up: said */
	if (r == 0)
		r = search_follow_one_locked(search, id);
	if (r == 0) {
		search_rollback_locked(search);
		return -ENOENT;
	}
	if (r > 0)
		r = search_put_text_locked(search, id, text, size);
	if (r == 0)
		r = search_commit_locked(search, commit, search->state.built_to);
	if (r < 0) {
		search_rollback_locked(search);
		(void)search_give_up(search, r); /* nothing that fails here fails the caller */
	}
	(void)held;
	return 0;
}
