/* test_check_packs.c - vault_check(): each kind of damage to packs is found and named, also where all checksums are right
 * because somebody has made them so; and what is harmless is counted, and no finding. */
#include "check_fixture.h"

#include "bytes.h"
#include "codec.h"
#include "commit_record.h"

/* ---- records of a pack ---- */

/* One record in memory, to be changed and put back. */
struct found_record {
	uint64_t pack, offset;
	struct record record;
	uint8_t stored[RECORD_STORED_MAX];
};

static struct found_record target;

static int open_pack(struct fixture *f, uint64_t number)
{
	char name[400];
	int fd;

	(void)snprintf(name, sizeof(name), "%s/packs/%08" PRIu64 ".pack", f->path, number);
	fd = open(name, O_RDWR | O_CLOEXEC);
	return fd;
}

static bool find_in_pack(int fd, uint64_t number, uint8_t type, uint64_t id, unsigned *nth)
{
	uint8_t head[RECORD_HEADER_SIZE];
	uint64_t offset = PACK_HEADER_SIZE;

	while (pread(fd, head, sizeof(head), (off_t)offset) == (ssize_t)sizeof(head) &&
	       record_decode(head, &target.record) == 0) {
		uint32_t size = target.record.stored_size;

		if (target.record.type == type && (id == 0 || target.record.id == id) && (*nth)-- == 0) {
			target.pack = number;
			target.offset = offset;
			assert_int_equal(
				pread(fd, target.stored, size, (off_t)(offset + record_head_size(size))),
				size);
			return true;
		}
		offset += record_size(size);
	}
	return false;
}

/* The nth record of a type, and of an id unless that is 0, over all packs. */
static void find_record(struct fixture *f, uint8_t type, uint64_t id, unsigned nth)
{
	for (uint64_t number = 1; number < 100; number++) {
		int fd = open_pack(f, number);
		bool found;

		if (fd < 0)
			continue;
		found = find_in_pack(fd, number, type, id, &nth);
		assert_int_equal(close(fd), 0);
		if (found)
			return;
	}
	fail_msg("no record of type %u", type);
}

static void put_bytes(struct fixture *f, uint64_t pack, uint64_t offset, const void *bytes, size_t size)
{
	int fd = open_pack(f, pack);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), size);
	assert_int_equal(close(fd), 0);
}

static void flip(struct fixture *f, uint64_t pack, uint64_t offset)
{
	int fd = open_pack(f, pack);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
	assert_int_equal(close(fd), 0);
}

static void flip_header(struct fixture *f)
{
	flip(f, target.pack, target.offset + 20);
}

static void flip_stored(struct fixture *f)
{
	flip(f, target.pack, target.offset + record_head_size(target.record.stored_size));
}

/* Put the record back as it is in memory now, with right checksums. Its stored size has not changed. */
static void forge(struct fixture *f)
{
	struct record_context context = { .place = { target.pack, target.offset } };
	uint8_t head[RECORD_HEAD_MAX];
	uint64_t checksum;
	size_t size = record_head_size(target.record.stored_size);
	int fd = open_pack(f, target.pack);

	assert_int_equal(pread(fd, context.uuid, 16, 16), 16);
	assert_int_equal(close(fd), 0);
	record_encode(&target.record, &context, target.stored, head, &checksum);
	put_bytes(f, target.pack, target.offset, head, size);
	put_bytes(f, target.pack, target.offset + size, target.stored, target.record.stored_size);
}

static uint64_t number_of(struct fixture *f, const char *sql)
{
	char name[400];
	sqlite3 *handle = NULL;
	sqlite3_stmt *row = NULL;
	uint64_t number;

	(void)snprintf(name, sizeof(name), "%s/vault.db", f->path);
	assert_int_equal(sqlite3_open_v2(name, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	number = (uint64_t)sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	return number;
}

static void find_chunk(struct fixture *f, const char *sql)
{
	find_record(f, RECORD_CHUNK, number_of(f, sql), 0);
}

/* ---- the ways of damage ---- */

static void damage_header(struct fixture *f)
{
	flip(f, 2, 20);
}

static void zero_header(struct fixture *f)
{
	static const uint8_t zeros[PACK_HEADER_SIZE];

	put_bytes(f, 2, 0, zeros, sizeof(zeros));
}

/* Change a byte of pack 2's header, and make its checksum right. */
static void forge_header(struct fixture *f, off_t offset)
{
	uint8_t header[PACK_HEADER_SIZE];
	int fd = open_pack(f, 2);

	assert_int_equal(pread(fd, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(close(fd), 0);
	header[offset] ^= 0x10;
	put_u64(header + PACK_HEADER_SIZE - 8, checksum_xxh3(header, PACK_HEADER_SIZE - 8));
	put_bytes(f, 2, 0, header, sizeof(header));
}

static void other_version(struct fixture *f)
{
	forge_header(f, 8);
}

static void other_vault(struct fixture *f)
{
	forge_header(f, 16);
}

static void other_number(struct fixture *f)
{
	forge_header(f, 32);
}

static void chunk_header(struct fixture *f)
{
	find_chunk(f, "SELECT " CHUNK("copy"));
	flip_header(f);
}

static void chunk_bytes(struct fixture *f)
{
	find_chunk(f, "SELECT " CHUNK("copy"));
	flip_stored(f);
}

static void chunk_last_block(struct fixture *f)
{
	find_chunk(
		f,
		"SELECT id FROM chunks WHERE refs > 0 AND stored_size > 70000 ORDER BY stored_size DESC LIMIT 1");
	flip(f, target.pack, target.offset + record_size(target.record.stored_size) - 1);
}

static void chunk_of_another_content(struct fixture *f)
{
	find_chunk(f, "SELECT id FROM chunks WHERE refs > 0 AND codec = 0 LIMIT 1");
	target.stored[0] ^= 1;
	forge(f);
}

static void chunk_that_cannot_be_unpacked(struct fixture *f)
{
	find_chunk(f, "SELECT " CHUNK("text"));
	assert_int_equal(target.record.codec, CODEC_ZLIB);
	target.stored[target.record.stored_size / 2] ^= 1;
	forge(f);
}

static void chunk_of_unknown_codec(struct fixture *f)
{
	find_chunk(f, "SELECT " CHUNK("text"));
	target.record.codec = 77;
	forge(f);
}

static void journal_header(struct fixture *f)
{
	find_record(f, RECORD_JOURNAL, 2, 0);
	flip_header(f);
}

static void journal_bytes(struct fixture *f)
{
	find_record(f, RECORD_JOURNAL, 2, 0);
	flip_stored(f);
}

static void journal_part(struct fixture *f)
{
	find_record(f, RECORD_JOURNAL, 2, 0);
	target.record.part++;
	target.record.n_parts++;
	forge(f);
}

static void journal_of_another_commit(struct fixture *f)
{
	find_record(f, RECORD_JOURNAL, 2, 0);
	target.record.id = 3;
	forge(f);
}

static void commit_bytes(struct fixture *f)
{
	find_record(f, RECORD_COMMIT, 2, 0);
	flip_stored(f);
}

/* Change a 64-bit number of a commit record by `delta`. */
static void forge_commit(struct fixture *f, uint64_t commit, size_t at, uint64_t delta)
{
	find_record(f, RECORD_COMMIT, commit, 0);
	put_u64(target.stored + at, get_u64(target.stored + at) + delta);
	if (at == 0)
		target.record.id += delta;
	forge(f);
}

static void commit_that_is_not_chained(struct fixture *f)
{
	forge_commit(f, 2, 24, 1);
}

static void commit_out_of_order(struct fixture *f)
{
	forge_commit(f, 2, 0, 5);
}

static void commit_of_lower_counters(struct fixture *f)
{
	forge_commit(f, 2, 48, (uint64_t)-1000000);
}

static void commit_with_lower_counters(struct fixture *f)
{
	find_record(f, RECORD_COMMIT, 2, 0);
	put_u64(target.stored + 48, 1);
	forge(f);
}

static void commit_of_more_journal(struct fixture *f)
{
	forge_commit(f, 2, 72, 1);
}

static void commit_of_more_parts(struct fixture *f)
{
	forge_commit(f, 2, 64, (uint64_t)1 << 32);
}

static void commit_of_a_newer_program(struct fixture *f)
{
	forge_commit(f, 2, 64, 1000);
}

static void commit_that_names_another_place(struct fixture *f)
{
	find_record(f, RECORD_COMMIT, 1, 0);
	put_u64(target.stored, 2);
	put_u64(target.stored + 8, 1);
	put_u64(target.stored + 16, 5000);
	target.record.id = 2;
	forge(f);
}

static void picture_bytes(struct fixture *f)
{
	find_record(f, RECORD_PICTURE, 0, 0);
	flip_stored(f);
}

static void index_bytes(struct fixture *f)
{
	find_record(f, RECORD_INDEX, 0, 0);
	flip_stored(f);
}

static void index_of_another_pack(struct fixture *f)
{
	find_record(f, RECORD_INDEX, 0, 0);
	target.record.id++;
	forge(f);
}

/* Another entry, that does not cost more bytes: the one bit of a hash that is right for this is looked for. */
static void index_that_says_otherwise(struct fixture *f)
{
	static uint8_t raw[RECORD_RAW_MAX];
	struct codec_context *codec = NULL;
	enum codec encoded = CODEC_RAW;
	uint32_t size = 0;

	find_record(f, RECORD_INDEX, 0, 0);
	assert_int_equal(codec_context_new(&codec), 0);
	assert_int_equal(codec_decode(codec, target.record.codec, target.stored, target.record.stored_size,
				      raw, target.record.raw_size),
			 0);
	for (unsigned bit = 0; size != target.record.stored_size; bit++) {
		if (bit == 256)
			fail_msg("seed %u: no bit of the hash leaves the index at its size", seed);
		raw[40 + bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(
			codec_encode(codec, raw, target.record.raw_size, target.stored, &encoded, &size), 0);
		if (encoded == CODEC_RAW)
			memcpy(target.stored, raw, size);
		if (encoded != target.record.codec)
			size = 0;
		raw[40 + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	codec_context_free(codec);
	forge(f);
}

static void seal_header(struct fixture *f)
{
	find_record(f, RECORD_SEAL, 0, 0);
	flip_header(f);
}

static void seal_bytes(struct fixture *f)
{
	find_record(f, RECORD_SEAL, 0, 0);
	flip_stored(f);
}

static void pack_shortened(struct fixture *f)
{
	int fd = open_pack(f, 2);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(fd, st.st_size - 500), 0);
	assert_int_equal(close(fd), 0);
}

static void pack_lengthened(struct fixture *f)
{
	int fd = open_pack(f, 2);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pwrite(fd, "more", 4, st.st_size), 4);
	assert_int_equal(close(fd), 0);
}

static void pack_removed(struct fixture *f)
{
	char name[400];

	(void)snprintf(name, sizeof(name), "%s/packs/00000002.pack", f->path);
	assert_int_equal(unlink(name), 0);
}

/* clang-format off */
static const struct {
	const char *what;
	void (*damage)(struct fixture *f);
	const char *kind, *text;
} rows[] = {
	{ "pack header", damage_header, "pack", "header is damaged" },
	{ "pack header zeroed", zero_header, "pack", "header is missing" },
	{ "pack of another version", other_version, "pack", "another format version" },
	{ "pack of another vault", other_vault, "pack", "belongs to another vault" },
	{ "pack renamed", other_number, "pack", "shows another number" },
	{ "chunk header", chunk_header, "pack", "belong to no valid record" },
	{ "chunk header", chunk_header, "chunk", "its record is not there" },
	{ "chunk header", chunk_header, "file", "bytes cannot be read" },
	{ "chunk bytes", chunk_bytes, "record", "is damaged: its block 0 " },
	{ "chunk bytes", chunk_bytes, "file", "bytes cannot be read" },
	{ "last block of a chunk", chunk_last_block, "record", "does not match its checksum" },
	{ "chunk of another content", chunk_of_another_content, "record", "not the content that its SHA-256 names" },
	{ "chunk of another content", chunk_of_another_content, "file", "bytes cannot be read" },
	{ "zlib stream", chunk_that_cannot_be_unpacked, "record", "cannot be unpacked" },
	{ "zlib stream", chunk_that_cannot_be_unpacked, "file", "bytes cannot be read" },
	{ "unknown codec", chunk_of_unknown_codec, "record", "cannot be unpacked" },
	{ "unknown codec", chunk_of_unknown_codec, "chunk", "about its codec" },
	{ "journal header", journal_header, "pack", "belong to no valid record" },
	{ "journal bytes", journal_bytes, "record", "journal part 2 is damaged" },
	{ "journal bytes", journal_bytes, "journal", "the journal of commit 2 is not whole" },
	{ "journal part", journal_part, "journal", "the journal of commit 2 is not whole" },
	{ "journal id", journal_of_another_commit, "journal", "part of commit 3 stands behind commit 1" },
	{ "commit bytes", commit_bytes, "record", "commit record 2 is damaged" },
	{ "commit's previous checksum", commit_that_is_not_chained, "commit", "commit 2 is not chained" },
	{ "commit's number", commit_out_of_order, "commit", "commit 7 stands behind commit 1" },
	{ "commit's impossible counters", commit_of_lower_counters, "commit", "impossible things" },
	{ "commit's counters", commit_with_lower_counters, "commit", "commit 2 has lower counters" },
	{ "commit's journal size", commit_of_more_journal, "journal", "the journal of commit 2 is not whole" },
	{ "commit's parts", commit_of_more_parts, "journal", "1 of 2 parts" },
	{ "commit's schema", commit_of_a_newer_program, "commit", "newer vaultfs" },
	{ "commit's previous place", commit_that_names_another_place, "commit", "where none stands" },
	{ "picture bytes", picture_bytes, "picture", "is not whole" },
	{ "index bytes", index_bytes, "index", "seal or index is damaged" },
	{ "index of another pack", index_of_another_pack, "index", "of pack 2 stands here" },
	{ "index entry", index_that_says_otherwise, "index", "does not say what the pack holds" },
	{ "seal header", seal_header, "pack", "is not sealed" },
	{ "seal bytes", seal_bytes, "index", "seal or index is damaged" },
	{ "pack shortened", pack_shortened, "pack", "is not sealed" },
	{ "pack lengthened", pack_lengthened, "pack", "4 bytes belong to no valid record" },
	{ "pack removed", pack_removed, "pack", "is missing" },
	{ "pack removed", pack_removed, "chunk", "its record is not there" },
};
/* clang-format on */

static void damaged_packs__are_found(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rows[i].damage(f);
		assert_found(f, rows[i].what, rows[i].kind, rows[i].text, NULL);
	}
	(void)assert_clean(f, "restored");
}

/* Any byte of a pack that counts: flipped, something is found. */
static void any_flipped_byte__is_found(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 30; i++) {
		struct wanted any = { .kind = NULL };
		uint64_t pack = 1 + (uint64_t)(rand_r(&seed) % 2);
		int fd = open_pack(f, pack);
		struct stat st;
		uint64_t offset;

		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(close(fd), 0);
		offset = (uint64_t)rand_r(&seed) % (uint64_t)st.st_size;
		flip(f, pack, offset);
		(void)check(f, 0, &any);
		if (any.n == 0)
			fail_msg("seed %u: pack %" PRIu64 " at %" PRIu64 ": nothing was found", seed, pack,
				 offset);
		flip(f, pack, offset);
	}
	(void)assert_clean(f, "flipped back");
}

/* ---- what is harmless ---- */

static void harmless__is_counted(void **state)
{
	struct fixture *f = *state;
	struct vault_check_counts counts;

	run_sql(f, "DELETE FROM chunks WHERE refs = 0"); /* as if they had been stored in vain */
	counts = assert_clean(f, "chunks without rows");
	assert_true(counts.n_unlisted > 0);
	restore(f);

	run_sql(f, "UPDATE inodes SET size = size - 1 WHERE id = " OF(
			   "text")); /* a truncation that was cut off */
	counts = assert_clean(f, "extents behind a size");
	assert_int_equal(counts.n_beyond, 1);
	restore(f);

	run_sql(f,
		"UPDATE directories SET path = 'old/b' WHERE id = " OF(
			"b") ";" /* a rename that is not finished */
			     "UPDATE directories SET path = 'old/b/c' WHERE id = " OF(
				     "c") ";"
					  "INSERT INTO jobs (kind, inode_id, state, progress) VALUES ('paths', " OF(
						  "a") ", 'waiting', 0)");
	counts = assert_clean(f, "paths that a job stands for");
	restore(f);

	run_sql(f, "INSERT INTO packs (id, live_bytes, last_commit, going) VALUES (777, 0, 0, 1)");
	counts = assert_clean(f, "a pack that was to be unlinked");
	restore(f);

	run_sql(f,
		"INSERT INTO dropped SELECT manifest_id FROM inodes WHERE nlink = 0; DELETE FROM inodes WHERE nlink = 0");
	counts = assert_clean(f, "a manifest that is being emptied");
	assert_int_equal(counts.n_orphans, 0);
	restore(f);
}

/* What a killed process left behind is cut and replayed first; what is behind an unfinished commit goes. */
static void unclean__is_recovered(void **state)
{
	struct fixture *f = *state;
	struct vault_check_counts counts;
	uint64_t commit = number_of(f, "SELECT commit_number FROM state"),
		 last = number_of(f, "SELECT end_pack FROM state");
	char command[1200];
	int fd;

	/* An older database, and the packs of now: as a power cut leaves it. */
	(void)snprintf(command, sizeof(command), "cp '%s/vault.db' '%s/old.db'", f->path, f->directory);
	assert_int_equal(system(command), 0);
	fixture_open(f);
	write_at(f, fixture_file(f, VAULT_ROOT_ID, "later"), 0, 5000, true);
	sync_vault(f);
	close_vault(f);
	(void)snprintf(command, sizeof(command), "cp '%s/old.db' '%s/vault.db'", f->directory, f->path);
	assert_int_equal(system(command), 0);
	fd = open_pack(f, last);
	assert_int_equal(pwrite(fd, "torn", 4, lseek(fd, 0, SEEK_END)), 4);
	assert_int_equal(close(fd), 0);
	counts = assert_clean(f, "older database");
	assert_true(counts.commit > commit);
	assert_int_equal(counts.tail_bytes, 0);
}

/* A damaged chunk is stored anew when its content is written again, also when the process is killed after that. */
static void healed__is_clean(void **state)
{
	struct fixture *f = *state;
	struct vault_check_counts counts;
	char command[1200];

	run_sql(f, "UPDATE chunks SET damaged = 1 WHERE id = " CHUNK("text"));
	(void)snprintf(command, sizeof(command), "cp '%s/vault.db' '%s/old.db'", f->path, f->directory);
	assert_int_equal(system(command), 0);
	fixture_open(f);
	write_at(f, fixture_file(f, VAULT_ROOT_ID, "again"), 0, 2 * FILE_SIZE, false);
	sync_vault(f);
	close_vault(f);
	counts = assert_clean(f, "stored anew");
	assert_true(counts.n_superseded > 0);
	(void)snprintf(command, sizeof(command), "cp '%s/old.db' '%s/vault.db'", f->directory, f->path);
	assert_int_equal(system(command), 0);
	counts = assert_clean(f, "stored anew, and replayed");
	assert_true(counts.n_superseded > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHECK_TEST(damaged_packs__are_found), CHECK_TEST(any_flipped_byte__is_found),
		CHECK_TEST(harmless__is_counted),     CHECK_TEST(unclean__is_recovered),
		CHECK_TEST(healed__is_clean),
	};

	take_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
