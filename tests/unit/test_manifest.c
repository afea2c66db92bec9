/* test_manifest.c - extents and the references they hold: replaced, trimmed, copied, dropped; chunks stored once.
 *
 * After each step the references are counted anew from the extents: chunks.refs, chunks.freed and packs.live_bytes must
 * agree with them. Extents are written "OFFSET+LENGTH=CHUNK@OFFSET", chunks as letters. */
#include "fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <time.h>

#include "chunks.h"
#include "codec.h"
#include "commit.h"
#include "log.h"
#include "manifest.h"

#define N_LETTERS 6u       /* chunks "A" to "F" */
#define LETTER_SIZE 4096u  /* raw bytes of each */
#define LINE_MAX_SIZE 512u /* of a list of extents as text */

/* One call that needs the metadata lock, in a change of its own. */
#define LOCKED(vault, call)                                         \
	__extension__({                                             \
		pthread_mutex_t *held_ = NULL;                      \
		vault_change_begin((vault), 0);                     \
		__auto_type locked_ = commit_lock((vault), &held_); \
		if (locked_ == 0)                                   \
			locked_ = (call);                           \
		auto_unlock(&held_);                                \
		vault_change_end(vault);                            \
		locked_;                                            \
	})

static unsigned n_logged;

static void count_lines(enum log_level level, const char *line, void *context)
{
	(void)line;
	(void)context;
	n_logged += level == LOG_LEVEL_ERROR;
}

/* ---- the database ---- */

static int sql_number_locked(struct vault *vault, const char *sql, int64_t *ret)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(vault->db.handle, sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement); /* repeats the code */
	return code == SQLITE_ROW ? 0 : -EIO;
}

static int64_t sql_number(struct fixture *f, const char *sql)
{
	int64_t number = -1;

	assert_int_equal(LOCKED(f->vault, sql_number_locked(f->vault, sql, &number)), 0);
	return number;
}

/* Bring the database, in a change and with the lock, into a state that cannot be; unforge() takes it back, with whatever
 * was done since. No assertion in between: it would leave the lock held. Lines logged in between are counted. */
static pthread_mutex_t *forging;

static void forge(struct fixture *f, const char *sql)
{
	int r;

	log_set_sink(count_lines, NULL, LOG_LEVEL_ERROR);
	n_logged = 0;
	vault_change_begin(f->vault, 0);
	r = commit_lock(f->vault, &forging);
	if (r == 0)
		r = db_exec(&f->vault->db, "SAVEPOINT forged");
	if (r == 0)
		r = db_exec(&f->vault->db, sql);
	if (r < 0)
		abort();
}

static void unforge(struct fixture *f)
{
	int r = db_exec(&f->vault->db, "ROLLBACK TO forged; RELEASE forged");

	auto_unlock(&forging);
	vault_change_end(f->vault);
	log_set_sink(NULL, NULL, LOG_LEVEL_DEBUG);
	assert_int_equal(r, 0);
}

/* Differs, in all likelihood, when any row does. */
#define ALL_OF_IT                                                                                            \
	"SELECT (SELECT sum((manifest_id * 7 + offset) * 1009 + length * 31 + chunk_id * 17 + chunk_offset)" \
	" FROM extents) + (SELECT sum(refs * (id + 1) * 7919 + coalesce(freed, 5)) FROM chunks)"             \
	" + (SELECT sum(live_bytes * (id + 3)) FROM packs) + (SELECT count(*) FROM dropped)"

/* References, freed and live bytes as the extents say, in chunks that no picture names. */
static void check_counts(struct fixture *f)
{
	assert_int_equal(
		sql_number(
			f,
			"SELECT count(*) FROM chunks c LEFT JOIN (SELECT chunk_id, count(*) AS n FROM extents"
			" GROUP BY chunk_id) x ON x.chunk_id = c.id WHERE c.refs <> coalesce(x.n, 0)"),
		0);
	assert_int_equal(sql_number(f, "SELECT count(*) FROM chunks WHERE (refs = 0) <> (freed IS NOT NULL)"),
			 0);
	assert_int_equal(
		sql_number(
			f,
			"SELECT count(*) FROM packs p WHERE live_bytes <> (SELECT coalesce(sum(stored_size), 0)"
			" FROM chunks c WHERE c.pack_id = p.id AND c.refs > 0)"),
		0);
	assert_int_equal(
		sql_number(f, "SELECT count(*) FROM chunks WHERE pack_id NOT IN (SELECT id FROM packs)"), 0);
}

/* ---- chunks ---- */

static int store(struct vault *vault, const void *raw, uint32_t raw_size, struct chunk *ret)
{
	AUTO(codec_context) struct codec_context *codec = NULL;
	uint64_t room = packs_worst_case(raw_size, raw_size);
	int r = codec_context_new(&codec);

	if (r == 0)
		r = packs_reserve(vault->packs, room);
	if (r < 0)
		return r;
	r = chunk_store(vault, codec, raw, raw_size, ret);
	packs_unreserve(vault->packs, room);
	return r;
}

/* Content number `i`: half of it compresses. */
static void fill(uint8_t *raw, uint32_t size, uint32_t i)
{
	uint32_t x = i * 2654435761u + 1;

	for (uint32_t at = 0; at < size; at++) {
		x = x * 1664525u + 1013904223u;
		raw[at] = at < size / 2 ? (uint8_t)(x >> 24) : (uint8_t)i;
	}
}

static struct chunk store_content(struct fixture *f, uint32_t i)
{
	uint8_t raw[LETTER_SIZE];
	struct chunk chunk = { 0 };

	fill(raw, sizeof(raw), i);
	assert_int_equal(CHANGE(f, store(f->vault, raw, sizeof(raw), &chunk)), 0);
	return chunk;
}

/* A vault with dead chunks A to F, whose ids follow one another from `first_letter` on. */
static uint64_t first_letter;

static int setup_letters(void **state)
{
	struct fixture *f;
	int r = fixture_setup(state);

	if (r != 0)
		return r;
	f = *state;
	first_letter = store_content(f, 0).id;
	for (uint32_t i = 1; i < N_LETTERS; i++)
		if (store_content(f, i).id != first_letter + i)
			return -1;
	for (uint32_t i = 0; i < N_LETTERS; i++)
		if (LOCKED(f->vault, chunk_ref_locked(f->vault, first_letter + i, -1)) != 0)
			return -1;
	return 0;
}

#define LETTERS_TEST(test) cmocka_unit_test_setup_teardown(test, setup_letters, fixture_teardown)

static uint64_t id_of(char letter)
{
	return first_letter + (uint64_t)(letter - 'A');
}

/* ---- extents as text ---- */

/* Replace with a reference of our own, given back on failure; letter '-' makes a hole. */
static int replace_locked(struct vault *vault, uint64_t manifest, uint64_t offset, uint64_t length,
			  char letter, uint32_t chunk_offset, int64_t *mapped)
{
	uint64_t chunk = letter == '-' ? 0 : id_of(letter);
	int r = chunk ? chunk_ref_locked(vault, chunk, 1) : 0;

	if (r < 0)
		return r;
	r = manifest_replace_locked(vault, manifest, offset, length, chunk, chunk_offset, mapped);
	if (r < 0 && chunk)
		(void)chunk_ref_locked(vault, chunk, -1); /* the failure is what is told */
	return r;
}

static int replace(struct fixture *f, uint64_t manifest, uint64_t offset, uint64_t length, char letter,
		   uint32_t chunk_offset, int64_t *mapped)
{
	return LOCKED(f->vault,
		      replace_locked(f->vault, manifest, offset, length, letter, chunk_offset, mapped));
}

static uint64_t new_manifest(struct fixture *f)
{
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);
	uint64_t id = vault_new_id_locked(f->vault);

	auto_unlock(&held);
	return id;
}

static uint64_t manifest_of(struct fixture *f, const char *text)
{
	uint64_t manifest = new_manifest(f);
	int64_t mapped = 0;

	while (*text) {
		uint64_t offset, length;
		uint32_t chunk_offset;
		char letter;
		int used = 0;

		assert_int_equal(sscanf(text, " %" SCNu64 "+%" SCNu64 "=%c@%" SCNu32 "%n", &offset, &length,
					&letter, &chunk_offset, &used),
				 4);
		assert_int_equal(replace(f, manifest, offset, length, letter, chunk_offset, &mapped), 0);
		text += used;
	}
	return manifest;
}

static int read_extents(struct fixture *f, uint64_t manifest, uint64_t offset, uint64_t length,
			struct extent *ret, size_t n)
{
	pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);
	int r = manifest_read_locked(f->vault, manifest, offset, length, ret, n);

	auto_unlock(&held);
	return r;
}

static void show(const struct extent *extents, int n, char *ret)
{
	size_t used = 0;

	ret[0] = '\0';
	for (int i = 0; i < n; i++)
		used += (size_t)snprintf(
			ret + used, LINE_MAX_SIZE - used, "%s%" PRIu64 "+%" PRIu64 "=%c@%" PRIu32,
			i ? " " : "", extents[i].offset, extents[i].length,
			(char)('A' + (int)(extents[i].chunk.id - first_letter)), extents[i].chunk_offset);
}

static void assert_extents(struct fixture *f, uint64_t manifest, const char *want)
{
	struct extent extents[16];
	char got[LINE_MAX_SIZE];
	int n = read_extents(f, manifest, 0, INT64_MAX, extents, 16);

	assert_in_range(n, 0, 15);
	show(extents, n, got);
	assert_string_equal(got, want);
}

static int64_t mapped_of(struct fixture *f, uint64_t manifest)
{
	char text[128];

	(void)snprintf(text, sizeof(text),
		       "SELECT coalesce(sum(length), 0) FROM extents WHERE manifest_id = %" PRIu64, manifest);
	return sql_number(f, text);
}

/* ---- replacing ---- */

static void manifest_replace__splits_what_it_touches(void **state)
{
	static const struct {
		const char *what, *before;
		uint64_t offset, length;
		char letter;
		const char *want;
	} rows[] = {
		{ "nothing there", "", 5, 10, 'B', "5+10=B@7" },
		{ "all of it", "0+100=A@0", 0, 100, 'B', "0+100=B@7" },
		{ "all of it with itself", "0+100=B@7", 0, 100, 'B', "0+100=B@7" },
		{ "head of the extent", "0+100=A@50", 0, 10, 'B', "0+10=B@7 10+90=A@60" },
		{ "middle", "0+100=A@50", 40, 20, 'B', "0+40=A@50 40+20=B@7 60+40=A@110" },
		{ "middle with itself", "0+100=A@50", 40, 20, 'A', "0+40=A@50 40+20=A@7 60+40=A@110" },
		{ "tail", "0+100=A@0", 90, 10, 'B', "0+90=A@0 90+10=B@7" },
		{ "past the end", "0+100=A@0", 95, 10, 'B', "0+95=A@0 95+10=B@7" },
		{ "over its head", "10+90=A@0", 0, 20, 'B', "0+20=B@7 20+80=A@10" },
		{ "longer, from its start", "10+20=A@0", 10, 50, 'B', "10+50=B@7" },
		{ "over all of it", "10+20=A@0", 0, 50, 'B', "0+50=B@7" },
		{ "right behind", "0+100=A@0", 100, 10, 'B', "0+100=A@0 100+10=B@7" },
		{ "right in front", "10+100=A@0", 0, 10, 'B', "0+10=B@7 10+100=A@0" },
		{ "into a hole", "0+10=A@0 30+10=C@0", 10, 20, 'B', "0+10=A@0 10+20=B@7 30+10=C@0" },
		{ "tail of one, head of the next", "0+10=A@0 10+10=C@5", 5, 10, 'B',
		  "0+5=A@0 5+10=B@7 15+5=C@10" },
		{ "tail of one, all of the next", "0+10=A@0 10+10=C@5", 5, 15, 'B', "0+5=A@0 5+15=B@7" },
		{ "all of one, head of the next", "0+10=A@0 10+10=C@5", 0, 15, 'B', "0+15=B@7 15+5=C@10" },
		{ "tail, two between, head", "0+10=A@0 10+5=C@0 20+5=C@9 25+10=D@1", 8, 20, 'B',
		  "0+8=A@0 8+20=B@7 28+7=D@4" },
		{ "many of one chunk", "0+10=A@0 10+10=A@0 20+10=A@0 30+10=A@0", 5, 30, 'B',
		  "0+5=A@0 5+30=B@7 35+5=A@5" },
		{ "hole: all of it", "0+100=A@0", 0, 100, '-', "" },
		{ "hole: head", "0+100=A@50", 0, 10, '-', "10+90=A@60" },
		{ "hole: middle", "0+100=A@50", 40, 20, '-', "0+40=A@50 60+40=A@110" },
		{ "hole: past the end", "0+100=A@0", 95, 100, '-', "0+95=A@0" },
		{ "hole: over several", "0+10=A@0 10+10=C@0 20+10=D@0 30+10=A@0", 5, 30, '-',
		  "0+5=A@0 35+5=A@5" },
		{ "hole: in a hole", "0+10=A@0 30+10=C@0", 10, 20, '-', "0+10=A@0 30+10=C@0" },
		{ "hole: to the end of all", "0+10=A@0 30+10=C@0", 5, INT64_MAX - 5, '-', "0+5=A@0" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t manifest = manifest_of(f, rows[i].before);
		int64_t mapped = mapped_of(f, manifest);

		print_message("  %s\n", rows[i].what);
		assert_int_equal(
			replace(f, manifest, rows[i].offset, rows[i].length, rows[i].letter, 7, &mapped), 0);
		assert_extents(f, manifest, rows[i].want);
		assert_int_equal(mapped, mapped_of(f, manifest));
		check_counts(f);
	}
}

static void manifest_replace__refuses_what_cannot_be(void **state)
{
	static const struct {
		const char *what;
		uint64_t offset, length;
		uint32_t chunk_offset;
	} rows[] = {
		{ "no bytes", 0, 0, 0 },
		{ "longer than a chunk", 0, RECORD_RAW_MAX + 1, 0 },
		{ "past the end of a chunk", 0, 1, RECORD_RAW_MAX },
		{ "offset and length wrap around", UINT64_MAX - 5, 10, 0 },
		{ "past the end of all", INT64_MAX - 5, 10, 0 },
	};
	struct fixture *f = *state;
	uint64_t manifest = new_manifest(f);
	int64_t mapped = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].what);
		assert_int_equal(replace(f, manifest, rows[i].offset, rows[i].length, 'A',
					 rows[i].chunk_offset, &mapped),
				 -EINVAL);
	}
	assert_extents(f, manifest, "");
	assert_int_equal(mapped, 0);
	check_counts(f);
}

/* `n` extents of one byte each, over chunks A to F in turn. */
static int put_many_locked(struct vault *vault, uint64_t manifest, uint32_t n)
{
	int64_t mapped = 0;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = replace_locked(vault, manifest, i, 1, (char)('A' + i % N_LETTERS), 0, &mapped);
	return r;
}

static uint64_t manifest_of_many(struct fixture *f, uint32_t n)
{
	uint64_t manifest = new_manifest(f);

	assert_int_equal(LOCKED(f->vault, put_many_locked(f->vault, manifest, n)), 0);
	return manifest;
}

static void manifest_replace__touches_a_bounded_number_of_rows(void **state)
{
	struct fixture *f = *state;
	uint64_t manifest = manifest_of_many(f, COMMIT_ROWS_PER_CALL + 1);
	int64_t mapped = 0;

	assert_int_equal(replace(f, manifest, 0, COMMIT_ROWS_PER_CALL + 1, 'A', 0, &mapped), -E2BIG);
	assert_int_equal(replace(f, manifest, 0, COMMIT_ROWS_PER_CALL + 1, '-', 0, &mapped), -E2BIG);
	assert_int_equal(mapped, 0);
	assert_int_equal(mapped_of(f, manifest), COMMIT_ROWS_PER_CALL + 1);
	check_counts(f);
	assert_int_equal(replace(f, manifest, 1, COMMIT_ROWS_PER_CALL, '-', 0, &mapped), 0);
	assert_int_equal(mapped, -(int64_t)COMMIT_ROWS_PER_CALL);
	assert_extents(f, manifest, "0+1=A@0");
	check_counts(f);
}

/* ---- reading ---- */

static void manifest_read__gives_what_touches_the_range(void **state)
{
	static const struct {
		const char *what;
		uint64_t offset, length;
		size_t n;
		const char *want;
	} rows[] = {
		{ "all", 0, INT64_MAX, 8, "10+10=A@0 20+10=B@5 40+10=C@1" },
		{ "a length that wraps around", 0, UINT64_MAX, 8, "10+10=A@0 20+10=B@5 40+10=C@1" },
		{ "from within an extent", 15, 10, 8, "10+10=A@0 20+10=B@5" },
		{ "one byte at its end", 19, 1, 8, "10+10=A@0" },
		{ "right behind it", 20, 1, 8, "20+10=B@5" },
		{ "the hole", 30, 10, 8, "" },
		{ "hole and first byte", 30, 11, 8, "40+10=C@1" },
		{ "in front of all", 0, 10, 8, "" },
		{ "behind all", 50, 100, 8, "" },
		{ "only as many as asked for", 0, 100, 2, "10+10=A@0 20+10=B@5" },
		{ "none", 15, 0, 8, "" },
		{ "behind the end of all", UINT64_MAX, 1, 8, "" },
	};
	struct fixture *f = *state;
	uint64_t manifest = manifest_of(f, "10+10=A@0 20+10=B@5 40+10=C@1");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct extent extents[8];
		char got[LINE_MAX_SIZE];

		print_message("  %s\n", rows[i].what);
		show(extents, read_extents(f, manifest, rows[i].offset, rows[i].length, extents, rows[i].n),
		     got);
		assert_string_equal(got, rows[i].want);
	}
}

static void manifest_read__refuses_forged_rows(void **state)
{
	static const struct {
		const char *sql;
		bool extents_alone_show_it; /* changes see it too */
	} rows[] = {
		{ "UPDATE extents SET length = 2000000 WHERE offset = 20", true },
		{ "UPDATE extents SET length = 9223372036854775807 WHERE offset = 20", true },
		{ "UPDATE extents SET chunk_offset = 9223372036854775807 WHERE offset = 20", true },
		{ "UPDATE extents SET chunk_offset = 1048570 WHERE offset = 20", true },
		{ "UPDATE extents SET chunk_id = 0 WHERE offset = 20", true },
		{ "UPDATE extents SET chunk_id = -1 WHERE offset = 20", true },
		{ "UPDATE extents SET length = 11 WHERE offset = 10", true },
		{ "UPDATE extents SET chunk_offset = 4090 WHERE offset = 20", false },
		{ "UPDATE extents SET chunk_id = 123456789 WHERE offset = 20", false },
		{ "UPDATE chunks SET raw_size = 10", false },
		{ "UPDATE chunks SET raw_size = 1048577", false },
		{ "UPDATE chunks SET stored_size = raw_size + 1", false },
		{ "UPDATE chunks SET codec = 0, stored_size = raw_size - 1", false },
		{ "UPDATE chunks SET codec = 2", false },
		{ "UPDATE chunks SET pack_id = 0", false },
		{ "UPDATE chunks SET pack_id = -1", false },
		{ "UPDATE chunks SET pack_offset = 63", false },
		{ "UPDATE chunks SET pack_offset = -9223372036854775808", false },
	};
	struct fixture *f = *state;
	uint64_t manifest = manifest_of(f, "10+10=A@0 20+10=B@5");
	struct extent extents[8];
	int64_t mapped = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int read, replaced, trimmed;

		print_message("  %s\n", rows[i].sql);
		forge(f, rows[i].sql);
		read = manifest_read_locked(f->vault, manifest, 0, 1000, extents, 8);
		replaced = manifest_replace_locked(f->vault, manifest, 15, 6, 0, 0, &mapped);
		trimmed = manifest_trim_locked(f->vault, manifest, 12, 100, &mapped);
		unforge(f);
		assert_int_equal(read, -EBADMSG);
		assert_true(n_logged > 0);
		if (rows[i].extents_alone_show_it) {
			assert_int_equal(replaced, -EBADMSG);
			assert_int_equal(trimmed, -EBADMSG);
			assert_int_equal(n_logged, 3);
			assert_int_equal(mapped, 0);
		}
		mapped = 0;
	}
	assert_extents(f, manifest, "10+10=A@0 20+10=B@5");
	check_counts(f);
}

/* ---- failing half-way ---- */

static int call_replace(struct vault *vault, uint64_t manifest, uint64_t other, int64_t *mapped)
{
	(void)other;
	return replace_locked(vault, manifest, 5, 40, 'F', 0, mapped);
}

static int call_replace_one(struct vault *vault, uint64_t manifest, uint64_t other, int64_t *mapped)
{
	(void)other;
	return replace_locked(vault, manifest, 30, 10, 'F', 0, mapped);
}

static int call_hole(struct vault *vault, uint64_t manifest, uint64_t other, int64_t *mapped)
{
	(void)other;
	return replace_locked(vault, manifest, 5, 40, '-', 0, mapped);
}

static int call_split(struct vault *vault, uint64_t manifest, uint64_t other, int64_t *mapped)
{
	(void)other;
	return replace_locked(vault, manifest, 33, 3, '-', 0, mapped);
}

static int call_trim(struct vault *vault, uint64_t manifest, uint64_t other, int64_t *mapped)
{
	(void)other;
	return manifest_trim_locked(vault, manifest, 5, 100, mapped);
}

static int call_copy(struct vault *vault, uint64_t manifest, uint64_t other, int64_t *mapped)
{
	uint64_t done;

	return manifest_copy_locked(vault, other, 0, manifest, 5, 40, 100, &done, mapped);
}

static int call_drop(struct vault *vault, uint64_t manifest, uint64_t other, int64_t *mapped)
{
	(void)other;
	(void)mapped;
	return manifest_drop_locked(vault, manifest);
}

/* The chunk whose reference is taken or given back last has one too few, or is not there. */
static void manifest_changes__fail_without_a_trace(void **state)
{
	static const char fewer[] =
		"UPDATE chunks SET refs = 0 WHERE id = (SELECT chunk_id FROM extents WHERE offset = 30)";
	static const char absent[] =
		"DELETE FROM chunks WHERE id = (SELECT chunk_id FROM extents WHERE offset = 30)";
	static const char other_absent[] =
		"DELETE FROM chunks WHERE id = (SELECT chunk_id FROM extents WHERE length = 50)";
	static const struct {
		const char *what;
		int (*call)(struct vault *vault, uint64_t manifest, uint64_t other, int64_t *mapped);
		const char *forged;
	} rows[] = {
		{ "replace many", call_replace, fewer },
		{ "replace one", call_replace_one, fewer },
		{ "punch a hole over many", call_hole, fewer },
		{ "punch a hole into one", call_split, absent },
		{ "trim", call_trim, fewer },
		{ "copy over many", call_copy, fewer },
		{ "copy a chunk that is not there", call_copy, other_absent },
		{ "drop", call_drop, fewer },
	};
	static const char before[] = "0+10=A@0 10+10=B@0 20+10=C@0 30+10=D@0 40+10=A@100";
	struct fixture *f = *state;
	uint64_t other = manifest_of(f, "0+50=E@0");
	uint64_t manifest = manifest_of(f, before);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t mapped = 0, sum_before = 0, sum_after = -1;
		int r;

		print_message("  %s\n", rows[i].what);
		forge(f, rows[i].forged);
		(void)sql_number_locked(f->vault, ALL_OF_IT, &sum_before); /* -1 below tells */
		r = rows[i].call(f->vault, manifest, other, &mapped);
		(void)sql_number_locked(f->vault, ALL_OF_IT, &sum_after); /* as above */
		unforge(f);
		assert_int_equal(r, -EBADMSG);
		assert_int_equal(n_logged, 1);
		assert_int_equal(mapped, 0);
		assert_int_equal(sum_before, sum_after);
		check_counts(f);
	}
	assert_extents(f, manifest, before);
	assert_extents(f, other, "0+50=E@0");
}

/* ---- trimming ---- */

static void manifest_trim__removes_from_the_end(void **state)
{
	static const struct {
		const char *what;
		uint64_t from;
		uint32_t max_rows;
		int result;
		const char *want;
	} rows[] = {
		{ "all", 0, 10, 0, "" },
		{ "all, just as many as allowed", 0, 3, 0, "" },
		{ "more than allowed", 0, 2, 1, "0+10=A@0" },
		{ "within an extent", 15, 10, 0, "0+10=A@0 10+5=B@0" },
		{ "within an extent, not yet reached", 15, 1, 1, "0+10=A@0 10+10=B@0" },
		{ "within an extent, reached last", 15, 2, 0, "0+10=A@0 10+5=B@0" },
		{ "within the last one", 35, 10, 0, "0+10=A@0 10+10=B@0 30+5=C@5" },
		{ "in a hole", 25, 10, 0, "0+10=A@0 10+10=B@0" },
		{ "at an edge", 10, 10, 0, "0+10=A@0" },
		{ "behind all", 40, 10, 0, "0+10=A@0 10+10=B@0 30+10=C@5" },
		{ "far behind all", INT64_MAX, 10, 0, "0+10=A@0 10+10=B@0 30+10=C@5" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t manifest = manifest_of(f, "0+10=A@0 10+10=B@0 30+10=C@5");
		int64_t mapped = 30;

		print_message("  %s\n", rows[i].what);
		assert_int_equal(LOCKED(f->vault, manifest_trim_locked(f->vault, manifest, rows[i].from,
								       rows[i].max_rows, &mapped)),
				 rows[i].result);
		assert_extents(f, manifest, rows[i].want);
		assert_int_equal(mapped, mapped_of(f, manifest));
		check_counts(f);
	}
}

/* ---- copying ---- */

static void manifest_copy__shares_extents(void **state)
{
	static const char source[] = "0+10=A@0 10+10=B@5 30+10=C@1";
	static const struct {
		const char *what, *before; /* of the target; NULL: within the source */
		uint64_t from, to, length;
		uint32_t max_extents;
		uint64_t done;
		const char *want;
	} rows[] = {
		{ "all of it", "", 0, 0, 40, 10, 40, "0+10=A@0 10+10=B@5 30+10=C@1" },
		{ "elsewhere", "", 0, 100, 40, 10, 40, "100+10=A@0 110+10=B@5 130+10=C@1" },
		{ "further down", "", 30, 0, 10, 10, 10, "0+10=C@1" },
		{ "both ends are cut", "", 5, 0, 10, 10, 10, "0+5=A@5 5+5=B@5" },
		{ "out of one extent", "", 12, 3, 5, 10, 5, "3+5=B@7" },
		{ "a hole", "0+40=D@0", 20, 10, 10, 10, 10, "0+10=D@0 20+20=D@20" },
		{ "holes and extents", "0+40=D@0", 15, 5, 20, 10, 20,
		  "0+5=D@0 5+5=B@10 20+5=C@1 25+15=D@25" },
		{ "behind the source's end", "0+40=D@0", 100, 10, 20, 10, 20, "0+10=D@0 30+10=D@30" },
		{ "over the same", "0+10=A@0 10+10=B@5 30+10=C@1", 0, 0, 40, 10, 40,
		  "0+10=A@0 10+10=B@5 30+10=C@1" },
		{ "no more than allowed", "", 0, 0, 40, 2, 30, "0+10=A@0 10+10=B@5" },
		{ "one at a time", "", 5, 0, 40, 1, 5, "0+5=A@5" },
		{ "a hole up to the next extent", "0+40=D@0", 25, 0, 40, 1, 5, "5+35=D@5" },
		{ "nothing", "0+40=D@0", 0, 0, 0, 10, 0, "0+40=D@0" },
		{ "in one file, behind", NULL, 5, 40, 10, 10, 10,
		  "0+10=A@0 10+10=B@5 30+10=C@1 40+5=A@5 45+5=B@5" },
		{ "in one file, over another part", NULL, 0, 8, 5, 10, 5,
		  "0+8=A@0 8+5=A@0 13+7=B@8 30+10=C@1" },
		{ "in one extent", NULL, 0, 6, 2, 10, 2, "0+6=A@0 6+2=A@0 8+2=A@8 10+10=B@5 30+10=C@1" },
		{ "in one extent, forwards", NULL, 6, 2, 3, 10, 3,
		  "0+2=A@0 2+3=A@6 5+5=A@5 10+10=B@5 30+10=C@1" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t from = manifest_of(f, source);
		uint64_t to = rows[i].before ? manifest_of(f, rows[i].before) : from;
		int64_t mapped = mapped_of(f, to);
		uint64_t done = 12345;

		print_message("  %s\n", rows[i].what);
		assert_int_equal(LOCKED(f->vault, manifest_copy_locked(f->vault, from, rows[i].from, to,
								       rows[i].to, rows[i].length,
								       rows[i].max_extents, &done, &mapped)),
				 0);
		assert_int_equal(done, rows[i].done);
		assert_extents(f, to, rows[i].want);
		assert_int_equal(mapped, mapped_of(f, to));
		if (rows[i].before)
			assert_extents(f, from, source);
		check_counts(f);
	}
}

static void manifest_copy__refuses_what_cannot_be(void **state)
{
	static const uint64_t rows[][3] = {
		{ UINT64_MAX, 0, 1 }, { 0, UINT64_MAX, 1 }, { 0, 0, UINT64_MAX },
		{ INT64_MAX, 0, 1 },  { 1, 0, INT64_MAX },  { 0, 1, INT64_MAX },
	};
	struct fixture *f = *state;
	uint64_t from = manifest_of(f, "0+10=A@0"), to = new_manifest(f), done = 0;
	int64_t mapped = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			LOCKED(f->vault, manifest_copy_locked(f->vault, from, rows[i][0], to, rows[i][1],
							      rows[i][2], 10, &done, &mapped)),
			-EINVAL);
	assert_extents(f, to, "");
}

/* Copy the whole of `from` over `to` the way copy_file_range is called again and again; how many calls it took. */
static int copy_whole(struct fixture *f, uint64_t from, uint64_t to, uint64_t length, uint32_t max_extents,
		      int64_t *mapped)
{
	uint64_t at = 0;
	int n_calls = 0;

	while (at < length) {
		uint64_t done = 0;

		assert_int_equal(
			LOCKED(f->vault, manifest_copy_locked(f->vault, from, at, to, at, length - at,
							      max_extents, &done, mapped)),
			0);
		assert_true(done > 0 && done <= length - at);
		at += done;
		n_calls++;
	}
	return n_calls;
}

static void manifest_copy__goes_on_where_it_stopped(void **state)
{
	struct fixture *f = *state;
	uint64_t few = manifest_of(f, "0+4096=F@0 4096+4096=A@0"), many = manifest_of_many(f, 25000);
	int64_t mapped = 2 * (int64_t)LETTER_SIZE;

	assert_int_equal(copy_whole(f, many, few, 25000, 1000, &mapped), 25);
	assert_int_equal(mapped, 25000);
	check_counts(f);
	/* What is replaced is bounded too. */
	few = manifest_of(f, "0+4096=F@0 4096+4096=A@0");
	assert_int_equal(copy_whole(f, few, many, 25000, UINT32_MAX, &mapped), 3);
	assert_int_equal(mapped, 2 * LETTER_SIZE);
	assert_int_equal(mapped, mapped_of(f, many));
	check_counts(f);
}

/* ---- giving up ---- */

static int64_t n_extents_of(struct fixture *f, uint64_t manifest)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "SELECT count(*) FROM extents WHERE manifest_id = %" PRIu64,
		       manifest);
	return sql_number(f, text);
}

static void manifest_drop__frees_a_small_one_at_once(void **state)
{
	struct fixture *f = *state;
	uint64_t small = manifest_of_many(f, 8), empty = new_manifest(f);

	assert_int_equal(LOCKED(f->vault, manifest_drop_locked(f->vault, empty)), 0);
	assert_int_equal(LOCKED(f->vault, manifest_drop_locked(f->vault, small)), 0);
	assert_int_equal(n_extents_of(f, small), 0);
	assert_int_equal(sql_number(f, "SELECT count(*) FROM dropped"), 0);
	assert_int_equal(sql_number(f, "SELECT count(*) FROM chunks WHERE refs > 0"), 0);
	check_counts(f);
}

/* The vault's own janitor may free some of them first. */
static void manifest_drop__frees_a_large_one_in_slices(void **state)
{
	struct fixture *f = *state;
	uint64_t large = manifest_of_many(f, 5000), next = manifest_of_many(f, 9),
		 kept = manifest_of_many(f, 20);
	int n_slices = 0, r = LOCKED(f->vault, manifest_drop_locked(f->vault, large));

	assert_int_equal(r, 0);
	assert_int_equal(LOCKED(f->vault, manifest_drop_locked(f->vault, next)), 0);
	check_counts(f);
	do {
		r = CHANGE(f, manifest_drop_slice(f->vault));
		n_slices++;
		check_counts(f);
	} while (r > 0);
	assert_int_equal(r, 0);
	assert_in_range(n_slices, 1, 3);
	assert_int_equal(n_extents_of(f, large), 0);
	assert_int_equal(n_extents_of(f, next), 0);
	assert_int_equal(n_extents_of(f, kept), 20);
	assert_int_equal(sql_number(f, "SELECT count(*) FROM dropped"), 0);
	assert_int_equal(CHANGE(f, manifest_drop_slice(f->vault)), 0);
}

static void manifest_info__tells_own_chunks_from_shared_ones(void **state)
{
	struct fixture *f = *state;
	uint64_t manifest = manifest_of(f, "0+10=A@0 10+10=A@50 20+10=B@0 40+10=C@0"),
		 other = manifest_of(f, "0+10=C@0");
	struct vault_file_info info = { 0 };

	assert_int_equal(LOCKED(f->vault, manifest_info_locked(f->vault, manifest, &info)), 0);
	assert_int_equal(info.n_extents, 4);
	assert_int_equal(info.n_chunks, 3);
	assert_int_equal(info.mapped_bytes, 40);
	assert_int_equal(info.unique_bytes, 2 * LETTER_SIZE);
	assert_int_equal(info.shared_bytes, LETTER_SIZE);
	assert_int_equal(info.stored_bytes,
			 sql_number(f, "SELECT sum(stored_size) FROM chunks WHERE refs > 0"));
	assert_int_equal(LOCKED(f->vault, manifest_drop_locked(f->vault, other)), 0);
	assert_int_equal(LOCKED(f->vault, manifest_info_locked(f->vault, manifest, &info)), 0);
	assert_int_equal(info.shared_bytes, 0);
	assert_int_equal(LOCKED(f->vault, manifest_info_locked(f->vault, other, &info)), 0);
	assert_int_equal(info.n_extents + info.n_chunks + info.mapped_bytes, 0);
}

/* ---- against a model ---- */

#define N_FILES 3u
#define FILE_SIZE 3000u
#define N_STEPS 3000u

/* What each byte of a file is: 0 a hole, else letter and byte of it. */
struct model {
	uint64_t manifest;
	int64_t mapped;
	uint32_t bytes[FILE_SIZE];
};

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % limit;
}

/* Mostly short, now and then long. */
static uint32_t random_length(uint32_t most)
{
	uint32_t limit = random_below(4) ? 64 : FILE_SIZE;

	return 1 + random_below(limit < most ? limit : most);
}

static void step_replace(struct fixture *f, struct model *m)
{
	uint32_t offset = random_below(FILE_SIZE), length = random_length(FILE_SIZE - offset);
	uint32_t chunk_offset = random_below(LETTER_SIZE - length), letter = random_below(N_LETTERS + 1);
	char name = letter < N_LETTERS ? (char)('A' + letter) : '-';

	assert_int_equal(
		replace(f, m->manifest, offset, length, name, name == '-' ? 0 : chunk_offset, &m->mapped), 0);
	for (uint32_t i = 0; i < length; i++)
		m->bytes[offset + i] = name == '-' ? 0 : (letter << 16 | (chunk_offset + i)) + 1;
}

static void step_trim(struct fixture *f, struct model *m)
{
	uint32_t from = random_below(FILE_SIZE), max_rows = 1 + random_below(8);
	int r;

	do
		r = LOCKED(f->vault, manifest_trim_locked(f->vault, m->manifest, from, max_rows, &m->mapped));
	while (r > 0);
	assert_int_equal(r, 0);
	memset(m->bytes + from, 0, (FILE_SIZE - from) * sizeof(m->bytes[0]));
}

static void step_copy(struct fixture *f, struct model *from, struct model *to)
{
	uint32_t from_offset = random_below(FILE_SIZE), to_offset = random_below(FILE_SIZE);
	uint32_t length = random_length(FILE_SIZE - (from_offset > to_offset ? from_offset : to_offset));
	uint64_t done = 0;

	if (from == to && from_offset < to_offset + length && to_offset < from_offset + length)
		return;
	assert_int_equal(LOCKED(f->vault, manifest_copy_locked(f->vault, from->manifest, from_offset,
							       to->manifest, to_offset, length,
							       1 + random_below(20), &done, &to->mapped)),
			 0);
	assert_in_range(done, 1, length);
	memmove(to->bytes + to_offset, from->bytes + from_offset, done * sizeof(to->bytes[0]));
}

static void step_drop(struct fixture *f, struct model *m)
{
	assert_int_equal(LOCKED(f->vault, manifest_drop_locked(f->vault, m->manifest)), 0);
	memset(m, 0, sizeof(*m));
	m->manifest = new_manifest(f);
}

static void check_model(struct fixture *f, const struct model *m)
{
	static struct extent extents[FILE_SIZE];
	static uint32_t bytes[FILE_SIZE];
	uint32_t offset = random_below(FILE_SIZE), length = 1 + random_below(FILE_SIZE - offset);
	int n;

	n = read_extents(f, m->manifest, offset, length, extents, FILE_SIZE);
	assert_true(n >= 0);
	memset(bytes, 0, sizeof(bytes));
	for (int i = 0; i < n; i++) {
		const struct extent *x = &extents[i];

		assert_true(x->offset + x->length <= FILE_SIZE);
		assert_true(x->offset < offset + length && x->offset + x->length > offset);
		for (uint32_t k = 0; k < x->length; k++)
			bytes[x->offset + k] =
				((uint32_t)(x->chunk.id - first_letter) << 16 | (x->chunk_offset + k)) + 1;
	}
	assert_memory_equal(bytes + offset, m->bytes + offset, length * sizeof(bytes[0]));
	assert_int_equal(m->mapped, mapped_of(f, m->manifest));
}

static void manifest__follows_a_model(void **state)
{
	static struct model models[N_FILES];
	struct fixture *f = *state;
	const char *seed = getenv("SEED");

	random_state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
	print_message("  SEED=%" PRIu64 "\n", random_state);
	memset(models, 0, sizeof(models));
	for (uint32_t i = 0; i < N_FILES; i++)
		models[i].manifest = new_manifest(f);
	for (uint32_t step = 0; step < N_STEPS; step++) {
		struct model *m = &models[random_below(N_FILES)];
		uint32_t what = random_below(100);

		if (what < 60)
			step_replace(f, m);
		else if (what < 65)
			step_trim(f, m);
		else if (what < 99)
			step_copy(f, &models[random_below(N_FILES)], m);
		else
			step_drop(f, m);
		check_model(f, m);
		if (step % 50 == 0)
			check_counts(f);
		if (step % 1000 == 999)
			fixture_reopen(f);
	}
	for (uint32_t i = 0; i < N_FILES; i++)
		check_model(f, &models[i]);
	check_counts(f);
}

/* ---- chunks ---- */

static struct chunk chunk_of(struct fixture *f, uint64_t id)
{
	struct chunk chunk = { 0 };

	assert_int_equal(LOCKED(f->vault, chunk_get_locked(f->vault, id, &chunk)), 0);
	return chunk;
}

static int64_t refs_of(struct fixture *f, uint64_t id)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "SELECT refs FROM chunks WHERE id = %" PRIu64, id);
	return sql_number(f, text);
}

static void assert_readable(struct fixture *f, const struct chunk *chunk, uint32_t content)
{
	AUTO(codec_context) struct codec_context *codec = NULL;
	uint8_t want[LETTER_SIZE], raw[LETTER_SIZE], stored[LETTER_SIZE];

	fill(want, sizeof(want), content);
	assert_int_equal(codec_context_new(&codec), 0);
	assert_int_equal(packs_read(f->vault->packs, chunk->place, RECORD_CHUNK, chunk->id,
				    chunk->stored_size, 0, chunk->stored_size, stored),
			 0);
	assert_int_equal(codec_decode(codec, chunk->codec, stored, chunk->stored_size, raw, chunk->raw_size),
			 0);
	assert_memory_equal(raw, want, sizeof(want));
}

static void chunk_store__stores_one_content_once(void **state)
{
	struct fixture *f = *state;
	struct chunk first = store_content(f, 1), second = store_content(f, 1), other = store_content(f, 2),
		     got;

	assert_int_equal(first.id, second.id);
	assert_int_equal(first.place.offset, second.place.offset);
	assert_memory_equal(&first.hash, &second.hash, sizeof(first.hash));
	assert_int_not_equal(first.id, other.id);
	assert_int_equal(refs_of(f, first.id), 2);
	assert_int_equal(refs_of(f, other.id), 1);
	got = chunk_of(f, first.id);
	assert_memory_equal(&got.hash, &first.hash, sizeof(got.hash));
	assert_int_equal(got.place.offset, first.place.offset);
	assert_int_equal(got.codec, CODEC_ZLIB);
	assert_readable(f, &got, 1);
	assert_int_equal(LOCKED(f->vault, chunk_get_locked(f->vault, 987654, &got)), -ENOENT);
}

static void chunk_store__revives_a_dead_chunk(void **state)
{
	struct fixture *f = *state;
	struct chunk first = store_content(f, 1), again;

	assert_int_equal(LOCKED(f->vault, chunk_ref_locked(f->vault, first.id, -1)), 0);
	check_counts(f);
	assert_int_equal(sql_number(f, "SELECT freed FROM chunks"), (int64_t)f->vault->state.commit + 1);
	assert_int_equal(sql_number(f, "SELECT sum(live_bytes) FROM packs"), 0);
	again = store_content(f, 1);
	assert_int_equal(again.id, first.id);
	assert_int_equal(again.place.offset, first.place.offset);
	assert_int_equal(sql_number(f, "SELECT sum(live_bytes) FROM packs"), first.stored_size);
	assert_int_equal(sql_number(f, "SELECT freed IS NULL FROM chunks"), 1);
}

static void chunk_store__stores_a_damaged_chunk_anew(void **state)
{
	struct fixture *f = *state;
	struct chunk first = store_content(f, 1), again, third;

	assert_int_equal(LOCKED(f->vault, chunk_set_damaged_locked(f->vault, first.id)), 0);
	again = store_content(f, 1);
	assert_int_equal(again.id, first.id);
	assert_int_not_equal(again.place.offset, first.place.offset);
	assert_int_equal(refs_of(f, first.id), 2);
	assert_int_equal(sql_number(f, "SELECT sum(live_bytes) FROM packs"), first.stored_size);
	assert_int_equal(chunk_of(f, first.id).place.offset, again.place.offset);
	assert_readable(f, &again, 1);
	third = store_content(f, 1);
	assert_int_equal(third.place.offset, again.place.offset);
	assert_int_equal(refs_of(f, first.id), 3);
}

static void chunk_ref__never_falls_below_nothing(void **state)
{
	struct fixture *f = *state;
	struct chunk chunk = store_content(f, 1);
	int too_many, unknown, wrapped;

	log_set_sink(count_lines, NULL, LOG_LEVEL_ERROR);
	n_logged = 0;
	too_many = LOCKED(f->vault, chunk_ref_locked(f->vault, chunk.id, -2));
	wrapped = LOCKED(f->vault, chunk_ref_locked(f->vault, chunk.id, INT64_MAX));
	unknown = LOCKED(f->vault, chunk_ref_locked(f->vault, 987654, 1));
	log_set_sink(NULL, NULL, LOG_LEVEL_DEBUG);
	assert_int_equal(too_many, -EBADMSG);
	assert_int_equal(wrapped, -EBADMSG);
	assert_int_equal(unknown, -EBADMSG);
	assert_int_equal(n_logged, 3);
	assert_int_equal(refs_of(f, chunk.id), 1);
}

#define N_THREADS 4
#define N_CONTENTS 2000u

struct storer {
	struct vault *vault;
	_Atomic bool *stop;
	pthread_t thread;
	int result;
	uint64_t ids[N_CONTENTS];
};

/* Outside changes, as a worker does: commits come between. */
static void *store_all(void *context)
{
	struct storer *s = context;
	uint8_t raw[LETTER_SIZE];

	for (uint32_t i = 0; i < N_CONTENTS && s->result == 0; i++) {
		struct chunk chunk = { 0 };

		fill(raw, sizeof(raw), i);
		s->result = store(s->vault, raw, sizeof(raw), &chunk);
		s->ids[i] = chunk.id;
	}
	return NULL;
}

static void *sync_all_the_time(void *context)
{
	struct storer *s = context;

	while (!*s->stop && s->result == 0) {
		vault_change_begin(s->vault, 0); /* else there is nothing to commit */
		vault_change_end(s->vault);
		s->result = vault_sync(s->vault);
	}
	return NULL;
}

/* A replay of the commit in which a chunk's row was born starts behind the commit before. */
static void assert_born_behind_commits(struct fixture *f)
{
	for (struct place at = { 0, 0 }, next;; at = next) {
		struct packs_item item;
		char text[256];

		if (packs_search(f->vault->packs, at, RECORD_COMMIT, &item) != 1)
			break;
		(void)snprintf(text, sizeof(text),
			       "SELECT count(*) FROM chunks WHERE born > %" PRIu64
			       " AND (pack_id, pack_offset) < "
			       "(%" PRIu64 ", %" PRIu64 ")",
			       item.record.id, item.place.pack, item.place.offset);
		assert_int_equal(sql_number(f, text), 0);
		next = item.next;
	}
}

static void chunk_store__works_beside_itself_and_commits(void **state)
{
	static struct storer storers[N_THREADS];
	struct fixture *f = *state;
	_Atomic bool stop = false;
	struct storer syncer = { .vault = f->vault, .stop = &stop };

	memset(storers, 0, sizeof(storers));
	assert_int_equal(pthread_create(&syncer.thread, NULL, sync_all_the_time, &syncer), 0);
	for (int i = 0; i < N_THREADS; i++) {
		storers[i].vault = f->vault;
		assert_int_equal(pthread_create(&storers[i].thread, NULL, store_all, &storers[i]), 0);
	}
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_join(storers[i].thread, NULL), 0);
	stop = true;
	assert_int_equal(pthread_join(syncer.thread, NULL), 0);
	assert_int_equal(syncer.result, 0);
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(storers[i].result, 0);
		assert_memory_equal(storers[i].ids, storers[0].ids, sizeof(storers[0].ids));
	}
	assert_int_equal(sql_number(f, "SELECT count(*) FROM chunks"), N_CONTENTS);
	assert_int_equal(sql_number(f, "SELECT count(*) FROM chunks WHERE refs <> 4"), 0);
	for (uint32_t i = 0; i < N_CONTENTS; i += 10) {
		struct chunk chunk = chunk_of(f, storers[0].ids[i]);

		assert_readable(f, &chunk, i);
	}
	assert_born_behind_commits(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LETTERS_TEST(manifest_replace__splits_what_it_touches),
		LETTERS_TEST(manifest_replace__refuses_what_cannot_be),
		LETTERS_TEST(manifest_replace__touches_a_bounded_number_of_rows),
		LETTERS_TEST(manifest_read__gives_what_touches_the_range),
		LETTERS_TEST(manifest_read__refuses_forged_rows),
		LETTERS_TEST(manifest_changes__fail_without_a_trace),
		LETTERS_TEST(manifest_trim__removes_from_the_end),
		LETTERS_TEST(manifest_copy__shares_extents),
		LETTERS_TEST(manifest_copy__refuses_what_cannot_be),
		LETTERS_TEST(manifest_copy__goes_on_where_it_stopped),
		LETTERS_TEST(manifest_drop__frees_a_small_one_at_once),
		LETTERS_TEST(manifest_drop__frees_a_large_one_in_slices),
		LETTERS_TEST(manifest_info__tells_own_chunks_from_shared_ones),
		LETTERS_TEST(manifest__follows_a_model),
		FIXTURE_TEST(chunk_store__stores_one_content_once),
		FIXTURE_TEST(chunk_store__revives_a_dead_chunk),
		FIXTURE_TEST(chunk_store__stores_a_damaged_chunk_anew),
		FIXTURE_TEST(chunk_ref__never_falls_below_nothing),
		FIXTURE_TEST(chunk_store__works_beside_itself_and_commits),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
