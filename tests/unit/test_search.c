/* test_search.c - search.db follows the vault, whatever becomes of either, and is made anew when it cannot be trusted. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <time.h>

#include "fixture.h"

#include "changes.h"
#include "search.h"
#include "vault_internal.h"

/* ---- asking ---- */

static void path_of(const struct fixture *f, const char *name, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s/%s", f->path, name);
}

/* What `statement` gives on a database of the vault, as text: rows by ' ', columns by '|'. */
static const char *ask_file(const struct fixture *f, const char *name, const char *statement)
{
	static char answer[1024];
	char path[400];
	sqlite3 *handle = NULL;
	sqlite3_stmt *rows = NULL;
	size_t size = 0;

	path_of(f, name, path, sizeof(path));
	assert_int_equal(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(handle, statement, -1, &rows, NULL) != SQLITE_OK)
		fail_msg("%s: %s", statement, sqlite3_errmsg(handle));
	answer[0] = '\0';
	while (sqlite3_step(rows) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(rows); i++) {
			const unsigned char *text = sqlite3_column_text(rows, i);

			size += (size_t)snprintf(answer + size, sizeof(answer) - size, "%s%s", i ? "|" : size ? " " : "",
						 text ? (const char *)text : "-");
			assert_true(size < sizeof(answer));
		}
	}
	(void)sqlite3_finalize(rows);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	return answer;
}

/* What search.db says once it knows everything. */
static const char *ask(const struct fixture *f, const char *statement)
{
	assert_int_equal(vault_search_sync(f->vault), 0);
	return ask_file(f, "search.db", statement);
}

/* The ids that have words, as text. */
static const char *found(const struct fixture *f, const char *words)
{
	char statement[300];

	(void)snprintf(statement, sizeof(statement), "SELECT rowid FROM words WHERE words MATCH '%s' ORDER BY rowid", words);
	return ask(f, statement);
}

static const char *number(uint64_t id)
{
	static char text[4][24];
	static unsigned n;

	(void)snprintf(text[++n % 4], sizeof(text[0]), "%llu", (unsigned long long)id);
	return text[n % 4];
}

static void set(const struct fixture *f, uint64_t id, const char *name, const char *value)
{
	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, id, name, value, strlen(value), 0)), 0);
}

static void exec_file(const struct fixture *f, const char *name, const char *statement)
{
	char path[400];
	sqlite3 *handle = NULL;

	path_of(f, name, path, sizeof(path));
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	if (sqlite3_exec(handle, statement, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", statement, sqlite3_errmsg(handle));
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void close_vault(struct fixture *f)
{
	struct vault *vault = f->vault;

	f->vault = NULL;
	assert_int_equal(vault_close(vault), 0);
}

/* ---- following ---- */

static void files__are_found_by_name_note_tags_and_text(void **state)
{
	struct fixture *f = *state;
	uint64_t directory = fixture_directory(f, VAULT_ROOT_ID, "Harbour");
	uint64_t a = fixture_file(f, directory, "beach_party-2024.mp4");
	uint64_t b = fixture_file(f, VAULT_ROOT_ID, "b.txt");

	set(f, a, "user.xdg.comment", "with Z\xc3\xb6"
				      "e");
	set(f, a, "user.xdg.tags", "place/italy,Summer");
	set(f, directory, "user.xdg.tags", "Summer");
	assert_string_equal(found(f, "beach AND party AND 2024"), number(a));
	assert_int_equal(vault_set_text(f->vault, b, "dear reader", 11), 0);
	assert_string_equal(found(f, "zoe"), number(a));
	assert_string_equal(found(f, "italy summer"), number(a));
	assert_string_equal(found(f, "part*"), number(a));
	assert_string_equal(found(f, "text : reader"), number(b));
	assert_string_equal(found(f, "harbour"), "");
	assert_string_equal(ask(f, "SELECT rowid FROM names WHERE names MATCH '\"H_PAR\"'"), number(a));
	assert_string_equal(ask(f, "SELECT name, tags FROM documents WHERE note <> ''"), "beach_party-2024.mp4|place/italy\nSummer");
}

static void files__are_followed(void **state)
{
	struct fixture *f = *state;
	uint64_t a = fixture_file(f, VAULT_ROOT_ID, "alpha");
	struct vault_attr attr;

	assert_int_equal(vault_search_sync(f->vault), 0);
	assert_int_equal(vault_set_text(f->vault, a, "inner words", 11), 0);
	assert_string_equal(found(f, "alpha"), number(a));
	assert_int_equal(CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, "alpha", VAULT_ROOT_ID, "beta", 0, &attr)), 0);
	assert_string_equal(found(f, "beta AND inner"), number(a));
	assert_string_equal(found(f, "alpha"), "");
	assert_int_equal(CHANGE(f, vault_link(f->vault, a, VAULT_ROOT_ID, "gamma", &attr)), 0);
	assert_string_equal(found(f, "beta AND gamma"), number(a));
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "beta", &attr)), 0);
	assert_string_equal(found(f, "beta"), "");
	set(f, a, "user.xdg.tags", "x");
	assert_string_equal(found(f, "tags : x"), number(a));
	assert_int_equal(CHANGE(f, vault_removexattr(f->vault, a, "user.xdg.tags")), 0);
	assert_string_equal(found(f, "x"), "");
	assert_int_equal(vault_set_text(f->vault, a, "other", 5), 0);
	assert_string_equal(found(f, "inner"), "");
	assert_string_equal(found(f, "other"), number(a));
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "gamma", &attr)), 0);
	assert_string_equal(found(f, "gamma OR other"), "");
	assert_string_equal(ask(f, "SELECT count(*), (SELECT count(*) FROM texts) FROM documents"), "0|0");
}

static void a_tag_that_is_renamed__is_found_by_its_new_name(void **state)
{
	struct fixture *f = *state;
	uint64_t a = fixture_file(f, VAULT_ROOT_ID, "a"), b = fixture_file(f, VAULT_ROOT_ID, "b");

	set(f, a, "user.xdg.tags", "sea");
	set(f, b, "user.xdg.tags", "sea/deep,x");
	assert_string_equal(found(f, "ocean"), "");
	assert_true(CHANGE(f, vault_tag_rename(f->vault, "sea", "Ocean")) >= 0);
	assert_string_equal(found(f, "ocean AND x"), number(b));
	assert_string_equal(found(f, "sea"), "");
	assert_string_equal(ask(f, "SELECT count(*) FROM documents WHERE tags LIKE 'Ocean%'"), "2");
	close_vault(f);
	assert_string_equal(ask_file(f, "vault.db", "SELECT count(*) FROM search_queue WHERE inode_id <> 0"), "0");
	fixture_open(f);
}

static void found_out(const struct fixture *f, uint64_t id, const char *mime, bool in_full, int64_t taken_at_ns)
{
	static const uint8_t sha256[32] = { 1 };
	const struct vault_content content = { .sha256 = in_full ? sha256 : NULL, .mime = mime, .taken_at_ns = taken_at_ns };

	assert_int_equal(CHANGE(f, vault_set_content(f->vault, id, &content)), 0);
}

static void dates_and_people__come_from_content_then_names(void **state)
{
	struct fixture *f = *state;
	uint64_t taken, named, letter, plain;
	char want[300];

	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	taken = fixture_file(f, VAULT_ROOT_ID, "anna-2024-02-20_14-30-00.mp4");
	named = fixture_file(f, VAULT_ROOT_ID, "\xc3\x84nna 2024-02-20 14.30.00");
	letter = fixture_file(f, VAULT_ROOT_ID, "to anna 2024-02-20.txt");
	plain = fixture_file(f, VAULT_ROOT_ID, "plain");
	found_out(f, taken, "video/mp4", true, 1700000000000000000);
	found_out(f, letter, "text/plain", true, 0);
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, plain, VAULT_SET_MTIME, &(struct vault_attr){ .mtime_ns = 17 }, NULL)), 0);
	(void)snprintf(want, sizeof(want), "%s|1700000000000000000|1|anna %s|1708439400000000000|2|\xc3\x84nna "
		       "%s|1708387200000000000|2|- %s|17|3|-", number(taken), number(named), number(letter), number(plain));
	assert_string_equal(ask(f, "SELECT id, date_ns, date_from, person FROM documents ORDER BY id"), want);
	assert_string_equal(ask(f, "SELECT id FROM documents WHERE person_folded = '\xc3\xa4nna'"), number(named));
}

static void the_queue__is_empty_once_all_is_followed(void **state)
{
	struct fixture *f = *state;
	char name[32];

	for (int i = 0; i < 1200; i++) {
		(void)snprintf(name, sizeof(name), "file %d", i);
		(void)fixture_file(f, VAULT_ROOT_ID, name);
	}
	assert_string_equal(ask(f, "SELECT count(*) FROM documents"), "1200");
	close_vault(f);
	assert_string_equal(ask_file(f, "vault.db", "SELECT count(*) FROM search_queue WHERE inode_id <> 0"), "0");
	assert_string_equal(ask_file(f, "search.db", "SELECT count(*) FROM words('file AND 1199')"), "1");
	fixture_open(f);
}

struct crowd {
	struct fixture *f;
	uint64_t file;
	atomic_bool stop;
	atomic_uint n_caught_up;
};

static void *catch_up_all_the_time(void *context)
{
	struct crowd *crowd = context;
	char text[32];

	while (!crowd->stop) {
		unsigned n = ++crowd->n_caught_up;

		if (search_catch_up(crowd->f->vault) != 0)
			return crowd;
		(void)snprintf(text, sizeof(text), "text%u", n);
		if (vault_set_text(crowd->f->vault, crowd->file, text, strlen(text)) != 0)
			return crowd;
	}
	return NULL;
}

static void many__catch_up_beside_a_writer(void **state)
{
	struct fixture *f = *state;
	struct crowd crowd = { .f = f, .file = fixture_file(f, VAULT_ROOT_ID, "theirs") };
	pthread_t threads[3];
	char name[32];

	assert_int_equal(vault_search_sync(f->vault), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, catch_up_all_the_time, &crowd), 0);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "file %d", i);
		(void)fixture_file(f, VAULT_ROOT_ID, name);
		if (i % 10 == 0)
			assert_int_equal(vault_sync(f->vault), 0);
	}
	crowd.stop = true;
	for (size_t i = 0; i < 3; i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_string_equal(found(f, "name : theirs AND text : text*"), number(crowd.file));
	assert_string_equal(ask(f, "SELECT count(*) FROM documents"), "201");
}

/* ---- trusting ---- */

/* A vault with two files that are followed, closed; the ids. */
static void prepare(struct fixture *f, uint64_t *ret_a, uint64_t *ret_b)
{
	*ret_a = fixture_file(f, VAULT_ROOT_ID, "alpha");
	*ret_b = fixture_file(f, VAULT_ROOT_ID, "beta");
	assert_string_equal(found(f, "alpha"), number(*ret_a));
	close_vault(f);
}

static void copy(const struct fixture *f, const char *from, const char *to)
{
	char source[400], target[400], command[900];

	path_of(f, from, source, sizeof(source));
	path_of(f, to, target, sizeof(target));
	(void)snprintf(command, sizeof(command), "cp '%s' '%s'", source, target);
	assert_int_equal(system(command), 0);
}

static void cut(const struct fixture *f, const char *name, off_t size)
{
	char path[400];

	path_of(f, name, path, sizeof(path));
	assert_int_equal(truncate(path, size), 0);
}

static void overwrite(const struct fixture *f, const char *name, const char *bytes)
{
	char path[400];
	FILE *file;

	path_of(f, name, path, sizeof(path));
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_true(fputs(bytes, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* What is wrong with a search.db is no error of the vault: it is made anew and knows all. */
static void what_is_not_ours__is_made_anew(void **state)
{
	static const struct {
		const char *what, *statement; /* NULL: see below */
	} rows[] = {
		{ "another vault's", "UPDATE state SET vault = zeroblob(16)" },
		{ "newer than the vault", "UPDATE state SET commit_number = 1000" },
		{ "without a state", "DELETE FROM state" },
		{ "another version's", "PRAGMA user_version = 99" },
		{ "somebody else's", "PRAGMA application_id = 1" },
		{ "with a table", "CREATE TABLE evil (x)" },
		{ "with a trigger", "CREATE TRIGGER evil AFTER INSERT ON documents BEGIN DELETE FROM texts; END" },
		{ "with a view", "CREATE VIEW evil AS SELECT 1" },
		{ "with an index", "CREATE INDEX evil ON documents (name)" },
		{ "without a table", "DROP TABLE names" },
		{ "with an index of FTS5's that is not", "CREATE INDEX evil ON words_data (block)" },
		{ "with a column more", "ALTER TABLE documents ADD COLUMN evil TEXT" },
		{ "cut", NULL },
		{ "cut to nothing", NULL },
		{ "not a database", NULL },
		{ "not there", NULL },
	};
	struct fixture *f = *state;
	uint64_t a, b;
	char path[400];

	prepare(f, &a, &b);
	path_of(f, "search.db", path, sizeof(path));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].statement)
			exec_file(f, "search.db", rows[i].statement);
		else if (strcmp(rows[i].what, "cut") == 0)
			cut(f, "search.db", 6000);
		else if (strcmp(rows[i].what, "cut to nothing") == 0)
			cut(f, "search.db", 0);
		else if (strcmp(rows[i].what, "not a database") == 0)
			overwrite(f, "search.db", "these are no pages of a database");
		else
			assert_int_equal(unlink(path), 0);
		fixture_open(f);
		if (strcmp(found(f, "alpha"), number(a)) != 0 || strcmp(found(f, "beta"), number(b)) != 0)
			fail_msg("one %s: not found anew", rows[i].what);
		close_vault(f);
		if (strcmp(ask_file(f, "search.db", "SELECT count(*) FROM sqlite_schema WHERE name = 'evil'"), "0") != 0)
			fail_msg("one %s: was kept", rows[i].what);
	}
}

/* An older search.db would miss what was taken out of the queue since. */
static void an_older_one__is_made_anew(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b, c;

	prepare(f, &a, &b);
	copy(f, "search.db", "older");
	fixture_open(f);
	c = fixture_file(f, VAULT_ROOT_ID, "gamma");
	assert_string_equal(found(f, "gamma"), number(c));
	close_vault(f);
	copy(f, "older", "search.db");
	fixture_open(f);
	assert_string_equal(found(f, "gamma"), number(c));
}

/* The other way round the queue says again what search.db knows already. */
static void a_queue_that_is_older__is_followed_again(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b;

	prepare(f, &a, &b);
	exec_file(f, "vault.db", "INSERT INTO search_queue VALUES (17, 1), (18, 1), (19, 1), (20, 1), (21, 1)");
	exec_file(f, "vault.db", "DELETE FROM search_queue WHERE inode_id = 0");
	fixture_open(f);
	assert_string_equal(found(f, "alpha"), number(a));
	assert_string_equal(ask(f, "SELECT count(*) FROM documents"), "2");
	close_vault(f);
	assert_string_equal(ask_file(f, "vault.db", "SELECT count(*) FROM search_queue WHERE inode_id <> 0"), "0");
	fixture_open(f);
}

static void a_text__is_asked_for_again_when_it_is_lost(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b;
	char path[400];

	prepare(f, &a, &b);
	fixture_open(f);
	found_out(f, a, "text/plain", true, 0);
	found_out(f, b, "text/plain", true, 0);
	found_out(f, fixture_file(f, VAULT_ROOT_ID, "photo"), "image/jpeg", true, 0);
	found_out(f, fixture_file(f, VAULT_ROOT_ID, "only its type"), "text/plain", false, 0);
	assert_int_equal(vault_search_sync(f->vault), 0);
	assert_int_equal(vault_set_text(f->vault, a, "words", 5), 0);
	assert_int_equal(vault_set_text(f->vault, b, NULL, 0), 0);
	close_vault(f);
	exec_file(f, "vault.db", "DELETE FROM jobs");
	fixture_open(f);
	assert_int_equal(vault_search_sync(f->vault), 0);
	close_vault(f);
	assert_string_equal(ask_file(f, "vault.db", "SELECT count(*) FROM jobs"), "0");

	path_of(f, "search.db", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	fixture_open(f);
	assert_int_equal(vault_search_sync(f->vault), 0);
	close_vault(f); /* waits for the pass to end */
	assert_string_equal(ask_file(f, "vault.db", "SELECT kind, count(*) FROM jobs"), "index|2");
	fixture_open(f);
}

static void rebuild__throws_it_away(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b;
	char path[400];

	prepare(f, &a, &b);
	path_of(f, "search.db", path, sizeof(path));
	assert_int_equal(vault_rebuild(f->path, 0), 0);
	assert_int_equal(access(path, F_OK), -1);
	fixture_open(f);
	assert_string_equal(found(f, "beta"), number(b));
}

/* Nothing says how old one is that was put back: the new vault.db has no queue. */
static void rebuild__takes_no_older_one(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b;

	prepare(f, &a, &b);
	copy(f, "search.db", "older");
	fixture_open(f);
	set(f, a, "user.xdg.comment", "note");
	close_vault(f);
	assert_int_equal(vault_rebuild(f->path, 0), 0);
	copy(f, "older", "search.db");
	fixture_open(f);
	assert_string_equal(found(f, "note"), number(a));
}

/* ---- who only reads ---- */

static void a_second_opener__uses_it_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct vault_open_options options = { .flags = VAULT_OPEN_SHARED };
	uint64_t a = fixture_file(f, VAULT_ROOT_ID, "alpha");
	struct vault *shared = NULL;
	struct db reader;
	sqlite3_stmt *rows = NULL;

	assert_string_equal(found(f, "alpha"), number(a));
	assert_int_equal(vault_open(f->path, &options, &shared), 0);
	assert_int_equal(search_catch_up(shared), 0);
	assert_int_equal(vault_set_text(shared, a, "x", 1), -EROFS);
	assert_int_equal(db_open_in(&reader, shared->dir_fd, shared->db.path, DB_OPEN_READ_ONLY | DB_OPEN_BARE), 0);
	assert_int_equal(search_attach(shared, &reader), 0);
	assert_int_equal(sqlite3_prepare_v2(reader.handle, "SELECT i.id FROM inodes i JOIN search.words w ON w.rowid = i.id "
					    "WHERE words MATCH 'alpha'", -1, &rows, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int64(rows, 0), a);
	(void)sqlite3_finalize(rows);
	assert_int_not_equal(sqlite3_exec(reader.handle, "DELETE FROM search.documents", NULL, NULL, NULL), SQLITE_OK);
	db_close(&reader);
	assert_int_equal(vault_close(shared), 0);
}

static void a_clean_end__leaves_no_log(void **state)
{
	struct fixture *f = *state;
	struct vault_open_options options = { .flags = VAULT_OPEN_SHARED };
	struct vault *shared = NULL;
	struct db reader;
	uint64_t a, b;
	char path[400];

	prepare(f, &a, &b);
	path_of(f, "search.db-wal", path, sizeof(path));
	assert_int_equal(access(path, F_OK), -1);
	/* Nor does one that only a reader beside us had open. */
	fixture_open(f);
	assert_int_equal(vault_open(f->path, &options, &shared), 0);
	assert_int_equal(db_open_in(&reader, shared->dir_fd, shared->db.path, DB_OPEN_READ_ONLY | DB_OPEN_BARE), 0);
	assert_int_equal(search_attach(shared, &reader), 0);
	db_close(&reader);
	assert_int_equal(vault_close(shared), 0);
	close_vault(f);
	assert_int_equal(access(path, F_OK), -1);
	fixture_open(f);
}

/* ---- failing ---- */

/* What search.db's files refuse is nobody else's error. */
static void an_error_of_its_files__fails_nothing_else(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b, c;
	char path[400];

	prepare(f, &a, &b);
	path_of(f, "search.db", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	fixture_open(f);
	c = fixture_file(f, VAULT_ROOT_ID, "gamma");
	assert_int_equal(vault_search_sync(f->vault), -EIO);
	assert_int_equal(vault_search_sync(f->vault), -EIO);
	assert_int_equal(vault_set_text(f->vault, c, "x", 1), 0);
	set(f, c, "user.xdg.tags", "x");
	assert_int_equal(vault_sync(f->vault), 0);
	assert_false(vault_is_read_only(f->vault));
	close_vault(f);
	assert_int_equal(rmdir(path), 0);
	fixture_open(f);
	assert_string_equal(found(f, "gamma AND x"), number(c));
}

/* Damage that shows late: it goes with the closing. */
static void damage__is_met_by_making_it_anew(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b;

	prepare(f, &a, &b);
	exec_file(f, "search.db", "UPDATE words_data SET block = x'0000000000000000'");
	exec_file(f, "search.db", "UPDATE words_data SET block = x'ffffffffffffff' WHERE id > 10");
	fixture_open(f);
	set(f, a, "user.xdg.comment", "note");
	(void)vault_search_sync(f->vault);
	search_damaged(f->vault);
	assert_int_equal(vault_search_sync(f->vault), -EIO);
	fixture_reopen(f);
	assert_string_equal(found(f, "alpha AND note"), number(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(files__are_found_by_name_note_tags_and_text),
		FIXTURE_TEST(files__are_followed),
		FIXTURE_TEST(a_tag_that_is_renamed__is_found_by_its_new_name),
		FIXTURE_TEST(dates_and_people__come_from_content_then_names),
		FIXTURE_TEST(the_queue__is_empty_once_all_is_followed),
		FIXTURE_TEST(many__catch_up_beside_a_writer),
		FIXTURE_TEST(what_is_not_ours__is_made_anew),
		FIXTURE_TEST(an_older_one__is_made_anew),
		FIXTURE_TEST(a_queue_that_is_older__is_followed_again),
		FIXTURE_TEST(a_text__is_asked_for_again_when_it_is_lost),
		FIXTURE_TEST(rebuild__throws_it_away),
		FIXTURE_TEST(rebuild__takes_no_older_one),
		FIXTURE_TEST(a_second_opener__uses_it_as_it_is),
		FIXTURE_TEST(a_clean_end__leaves_no_log),
		FIXTURE_TEST(an_error_of_its_files__fails_nothing_else),
		FIXTURE_TEST(damage__is_met_by_making_it_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
