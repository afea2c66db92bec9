/* test_changeset.c - what SQLite writes and what pictures hold passes; nothing else reaches the session extension. */
#define SQLITE_ENABLE_SESSION 1		/* the header declares it only when asked */
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include "fixture.h"

#include <errno.h>
#include <sqlite3.h>

#include "changeset.h"
#include "journal.h"
#include "schema.h"
#include "vault_internal.h"

/* A table's head and one change; `size` of a literal without its NUL. */
#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

#define DROPPED "T\x01\x01" "dropped\0"
#define NUMBER "\x01\0\0\0\0\0\0\0\x07"

static int check_all(const uint8_t *bytes, size_t size, size_t step)
{
	struct changeset_check check = { .table = NULL };
	int r = 0;

	for (size_t at = 0; r == 0 && at < size; at += step)
		r = changeset_check(&check, bytes + at, size - at < step ? size - at : step);
	return r < 0 ? r : changeset_is_whole(&check) ? 0 : 1;
}

static void changeset_check__tells_ours_from_others(void **state)
{
	static const struct {
		const char *what;
		const uint8_t *bytes;
		size_t size;
		int want;	/* 1: cut off */
	} rows[] = {
		{ "nothing", BYTES(""), 0 },
		{ "a head alone", BYTES(DROPPED), 0 },
		{ "an insert", BYTES(DROPPED "\x12\x00" NUMBER), 0 },
		{ "a delete behind an indirect insert", BYTES(DROPPED "\x12\x01" NUMBER "\x09\x00" NUMBER), 0 },
		{ "an update", BYTES("T\x02\x01\0symlinks\0\x17\0" NUMBER "\x03\x01" "a\0\x03\x02" "bb"), 0 },
		{ "an update that leaves out its key", BYTES("T\x02\x01\0symlinks\0\x17\0\0\x03\x01" "a\0\x03\x02" "bb"), -EBADMSG },
		{ "an insert that leaves out a value", BYTES(DROPPED "\x12\x00\x00"), -EBADMSG },
		{ "a patchset", BYTES("P\x01\x01" "dropped\0"), -EBADMSG },
		{ "a table that is not journalled", BYTES("T\x01\x01" "chunks\0"), -EBADMSG },
		{ "a table that is not there", BYTES("T\x01\x01" "nothing\0"), -EBADMSG },
		{ "a name that goes on", BYTES("T\x01\x01" "ddddddddddddddddddddddddddddddddddddddddd"), -EBADMSG },
		{ "a column more", BYTES("T\x02\x01\0" "dropped\0"), -EBADMSG },
		{ "another key", BYTES("T\x01\x02" "dropped\0"), -EBADMSG },
		{ "no columns", BYTES("T\0"), -EBADMSG },
		{ "17 columns", BYTES("T\x11"), -EBADMSG },
		{ "columns in two bytes", BYTES("T\x81\x01"), -EBADMSG },
		{ "a change before a head", BYTES("\x12\x00"), -EBADMSG },
		{ "an operation that is none", BYTES(DROPPED "\x13"), -EBADMSG },
		{ "a value of no type", BYTES(DROPPED "\x12\x00\x06"), -EBADMSG },
		{ "the longest value", BYTES(DROPPED "\x12\x00\x04\xc0\x80\x00"), 1 },
		{ "one that is longer", BYTES(DROPPED "\x12\x00\x04\xc0\x80\x01"), -EBADMSG },
		{ "a length of five bytes", BYTES(DROPPED "\x12\x00\x04\x80\x80\x80\x80"), -EBADMSG },
		{ "a table of version 1", BYTES("T\x06\x01\0\0\0\0\0" "content\0"), 0 },
		{ "the same table now", BYTES("T\x0b\x01\0\0\0\0\0\0\0\0\0\0" "content\0"), 0 },
		{ "of no version", BYTES("T\x07\x01\0\0\0\0\0\0" "content\0"), -EBADMSG },
		{ "a head cut off", BYTES("T\x01\x01" "drop"), 1 },
		{ "a number cut off", BYTES(DROPPED "\x12\x00\x01\0\0\0"), 1 },
		{ "an update cut off between old and new", BYTES("T\x02\x01\0symlinks\0\x17\0" NUMBER "\0"), 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t step = 1; step <= rows[i].size + 1; step++)
			if (check_all(rows[i].bytes, rows[i].size, step) != rows[i].want)
				fail_msg("%s, %zu bytes at a time: not %d", rows[i].what, step, rows[i].want);
}

static void changeset_check__takes_what_sqlite_writes(void **state)
{
	struct fixture *f = *state;
	sqlite3_session *session = NULL;
	void *bytes = NULL;
	int size = 0;
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);

	assert_int_equal(sqlite3session_create(f->vault->db.handle, "main", &session), SQLITE_OK);
	for (size_t i = 0; schema_journalled[i]; i++)
		assert_int_equal(sqlite3session_attach(session, schema_journalled[i]), SQLITE_OK);
	/* A savepoint, since a thread of the vault may have begun a transaction. */
	assert_int_equal(db_exec(&f->vault->db, "SAVEPOINT test"), 0);
	assert_int_equal(db_exec(&f->vault->db, "INSERT INTO inodes VALUES (900, 901, 33188, 1, 2, 1, 5000, 4096, 0, -1, 2, 3, 4);"
				 "UPDATE inodes SET mtime = 7 WHERE id = 1; INSERT INTO xattrs VALUES (1, 'user.x', zeroblob(65536));"
				 "INSERT INTO settings VALUES ('real', 1.5); DELETE FROM settings WHERE key = 'created_ns';"
				 "INSERT INTO tags VALUES (9, '', '', NULL, 'x'); UPDATE tags SET color = 'red'"), 0);
	assert_int_equal(sqlite3session_changeset(session, &size, &bytes), SQLITE_OK);
	assert_int_equal(check_all(bytes, (size_t)size, 4096), 0);
	/* Cut off anywhere it is not whole, but between two changes. */
	for (size_t n = 1; n < 200; n++)
		assert_int_not_equal(check_all(bytes, (size_t)size - n, 100000), -EBADMSG);
	sqlite3session_delete(session);
	sqlite3_free(bytes);
	assert_int_equal(db_exec(&f->vault->db, "ROLLBACK TO test; RELEASE test"), 0);
	(void)pthread_mutex_unlock(held);
}

static int one_piece(void *context, size_t i, uint8_t *buffer, uint32_t *ret_size)
{
	(void)i;
	*ret_size = (uint32_t)strlen(context);
	memcpy(buffer, context, *ret_size);
	return 0;
}

/* SQLite 3.40 reads these for ever. */
static void journal_apply__refuses_what_is_cut_off(void **state)
{
	static const char *const rows[] = { "T\x02\x01\x01x", "P\x21", "T\1\1dropped" };
	struct fixture *f = *state;
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct piece_source pieces = { .load = one_piece, .context = (void *)(uintptr_t)rows[i], .n_pieces = 1 };
		struct changeset_source source = piece_source_open(&pieces);
		struct changeset_effects effects = { false };

		assert_int_equal(journal_apply_locked(f->vault, &source, true, &effects), -EBADMSG);
		assert_int_equal(pieces.error, -EBADMSG);
		free(pieces.piece);
	}
	(void)pthread_mutex_unlock(held);
}

static void schema_shapes__are_the_tables_own(void **state)
{
	struct fixture *f = *state;
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);
	size_t n_tables = 0;

	for (; schema_journalled[n_tables]; n_tables++) {
		const struct schema_shape *shape = schema_shape_find(schema_journalled[n_tables]);
		sqlite3_stmt *column = NULL;
		uint8_t n = 0;

		assert_non_null(shape);
		assert_int_equal(sqlite3_prepare_v2(f->vault->db.handle, "SELECT pk FROM pragma_table_info(?1)", -1, &column, NULL),
				 SQLITE_OK);
		assert_int_equal(sqlite3_bind_text(column, 1, shape->name, -1, SQLITE_STATIC), SQLITE_OK);
		for (; sqlite3_step(column) == SQLITE_ROW; n++)
			assert_int_equal(sqlite3_column_int(column, 0), shape->keys[n]);
		assert_int_equal(n, shape->n_columns);
		sqlite3_finalize(column);
	}
	assert_int_equal(n_tables, 18);
	assert_null(schema_shape_find("chunks"));
	(void)pthread_mutex_unlock(held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changeset_check__tells_ours_from_others),
		FIXTURE_TEST(changeset_check__takes_what_sqlite_writes),
		FIXTURE_TEST(journal_apply__refuses_what_is_cut_off),
		FIXTURE_TEST(schema_shapes__are_the_tables_own),
	};

	return cmocka_run_group_tests_name("changeset", tests, NULL, NULL);
}
