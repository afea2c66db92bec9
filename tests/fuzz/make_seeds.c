/* make_seeds.c - make the seeds of all fuzz targets from valid vaults:  make_seeds DIRECTORY
 *
 * What it makes differs a little from run to run (a vault's uuid and times); corpus/ holds one run's. */
#include "fuzz.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "bytes.h"
#include "commit_record.h"
#include "library.h"
#include "pack_bundle.h"
#include "packs_internal.h"
#include "picture.h"
#include "tables.h"
#include "vault_internal.h"

#define SEED_MAX 65536u

static const char *root;

struct seed {
	uint8_t bytes[SEED_MAX];
	size_t size;
};

static void put_bytes(struct seed *seed, const void *bytes, size_t size)
{
	FUZZ_CHECK(size <= SEED_MAX - seed->size);
	memcpy(seed->bytes + seed->size, bytes, size);
	seed->size += size;
}

static void put_number(struct seed *seed, uint64_t number, size_t n_bytes)
{
	uint8_t bytes[8];

	put_u64(bytes, number);
	put_bytes(seed, bytes, n_bytes);
}

/* As fuzz_bytes() takes them; `most` is what the target asks for. */
static void put_string(struct seed *seed, size_t most, const void *bytes, size_t size)
{
	put_number(seed, size, most + 1 > 256 ? 4 : 1);
	put_bytes(seed, bytes, size);
}

static void save(const char *target, const char *name, const struct seed *seed)
{
	char path[400];

	(void)snprintf(path, sizeof(path), "%s/%s", root, target);
	FUZZ_CHECK(mkdir(path, 0777) == 0 || errno == EEXIST);
	(void)snprintf(path, sizeof(path), "%s/%s/%s", root, target, name);
	fuzz_write_file(path, seed->bytes, seed->size);
}

/* ---- packs ---- */

static void save_packs(const char *vault, const char *name)
{
	static struct seed seed;
	struct bundle bundle = { .n = 0 };
	char path[100];

	for (unsigned i = 1; i <= BUNDLE_PACKS_MAX; i++) {
		(void)snprintf(path, sizeof(path), "%s/packs/%08u.pack", vault, i);
		if (access(fuzz_path(path), F_OK) < 0)
			break;
		bundle.packs[bundle.n].bytes = fuzz_read_file(fuzz_path(path), &bundle.packs[bundle.n].size);
		bundle.n++;
	}
	seed.size = bundle_join(&bundle, seed.bytes, SEED_MAX);
	FUZZ_CHECK(seed.size > 0);
	bundle_release(&bundle);
	save("packs", name, &seed);
}

static void make_file(struct vault *vault, const char *name, const char *text)
{
	struct vault_attr wanted = { .mode = S_IFREG | 0644 }, made = { 0 };
	struct vault_file *file = NULL;

	vault_change_begin(vault, strlen(text));
	FUZZ_CHECK(vault_make(vault, VAULT_ROOT_ID, name, &wanted, NULL, &made) == 0);
	FUZZ_CHECK(vault_file_open(vault, made.id, &file) == 0);
	FUZZ_CHECK(vault_write(file, 0, text, strlen(text), 0) == 0);
	vault_change_end(vault);
	vault_file_close(file);
}

/* Small packs, so that some are sealed, and a picture among them. */
static void save_sealed(void)
{
	static const struct vault_open_options options = { .commit_seconds = 3600 };
	_Atomic bool stop = false;
	struct vault *vault = NULL;
	char name[] = "file 0";

	fuzz_make_vault(fuzz_path("sealed"), 1);
	FUZZ_CHECK(vault_open(fuzz_path("sealed"), &options, &vault) == 0);
	vault->packs->options.pack_size = 8192;
	for (; name[5] < '4'; name[5]++) {
		make_file(vault, name, name);
		FUZZ_CHECK(vault_sync(vault) == 0);
		if (name[5] == '2')
			FUZZ_CHECK(picture_write(vault, &stop) == 0 && vault_sync(vault) == 0);
	}
	for (; packs_last(vault->packs) < 2 && name[5] < 'z'; name[5]++) {
		make_file(vault, name, name);
		FUZZ_CHECK(vault_sync(vault) == 0);
	}
	FUZZ_CHECK(vault_close(vault) == 0);
	save_packs("sealed", "sealed");
}

/* ---- journals: changesets for the tables of fuzz_journal ---- */

/* Each is a changeset of its own. */
static const char *const changes[] = {
	"INSERT INTO inodes VALUES (900, 901, 33188, 1, 2, 1, 5000, 4096, 0, 1, 2, 3, 4);"
	"INSERT INTO entries VALUES (1, 902, 'new', 900);"
	"INSERT INTO extents VALUES (901, 0, 0, 4096, (SELECT max(id) FROM chunks), 0)",
	"UPDATE inodes SET mode = 16877, size = 0, mtime = 77; UPDATE entries SET inode_id = 1 WHERE name = 'two'",
	"DELETE FROM extents; DELETE FROM xattrs; DELETE FROM entries WHERE name = 'one'",
	"UPDATE extents SET length = 10, chunk_id = (SELECT max(id) FROM chunks); INSERT INTO dropped VALUES (901)",
	"INSERT INTO xattrs VALUES (1, 'user.x', zeroblob(300)); UPDATE assets SET rating = 3, notes = NULL;"
	"INSERT INTO tags VALUES (910, 'new', 'new', NULL, 'x'); INSERT INTO asset_tags VALUES (900, 910, 0)",
	"INSERT INTO symlinks VALUES (900, 'target'); UPDATE settings SET value = 3 WHERE key = 'pack_size';"
	"INSERT INTO settings VALUES ('real', 1.5); UPDATE content SET mime = NULL, indexed_at = 0;"
	"INSERT INTO tag_aliases VALUES ('a', 'b', 3); INSERT INTO tag_implications VALUES (1, 2);"
	"INSERT INTO devices VALUES (1, x'00', 'a', 'b'); INSERT INTO locations (id, device_id, path, inode_id, mode, state) VALUES (1, 1, 'a', 1, 'b', 'c')",
};
#define N_CHANGES (sizeof(changes) / sizeof(changes[0]))

static void make_changeset(sqlite3 *handle, const char *sql, struct seed *ret)
{
	sqlite3_session *session = NULL;
	void *bytes = NULL;
	int size = 0;

	FUZZ_CHECK(sqlite3session_create(handle, "main", &session) == SQLITE_OK);
	FUZZ_CHECK(sqlite3session_attach(session, NULL) == SQLITE_OK);
	FUZZ_CHECK(sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK);
	FUZZ_CHECK(sqlite3session_changeset(session, &size, &bytes) == SQLITE_OK && size > 0);
	sqlite3session_delete(session);
	ret->size = 0;
	put_bytes(ret, bytes, (size_t)size);
	sqlite3_free(bytes);
}

static void save_journals(void)
{
	static struct seed changeset, seed, records;
	sqlite3 *handle = NULL;
	char name[40];

	FUZZ_CHECK(sqlite3_open(fuzz_path("small/vault.db"), &handle) == SQLITE_OK);
	tables_still(handle);
	put_number(&records, 1, 1);
	for (unsigned i = 0; i < N_CHANGES; i++) {
		FUZZ_CHECK(sqlite3_exec(handle, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
		make_changeset(handle, changes[i], &changeset);
		FUZZ_CHECK(sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
		seed.size = 0;
		put_number(&seed, 0, 1);
		put_number(&seed, i % 2 ? 100 : 4999, 4);
		put_bytes(&seed, changeset.bytes, changeset.size);
		(void)snprintf(name, sizeof(name), "changes-%u", i);
		save("journal", name, &seed);
	}
	for (unsigned i = 0; i < 3; i++) {
		make_changeset(handle, i == 0 ? "INSERT INTO symlinks VALUES (950, 'a')" :
				       i == 1 ? "UPDATE symlinks SET target = 'b'" : "DELETE FROM symlinks", &changeset);
		put_number(&records, i == 2, 1);
		put_string(&records, 4000, changeset.bytes, changeset.size);
		put_number(&records, i == 1, 1);
		put_number(&records, 2, 1);
		put_number(&records, 0, 3);	/* ids as before, nothing odd */
	}
	save("journal", "records", &records);
	(void)sqlite3_close(handle);	/* nothing of it is kept */
}

/* ---- edits of a database ---- */

static void save_edits(void)
{
	static struct seed seed;
	char name[40];

	for (unsigned table = 0; table < 21; table++) {
		seed.size = 0;
		put_number(&seed, table % 8, 1);
		for (unsigned column = 0; column < 4; column++) {
			const uint8_t forge[] = { 7, 0, (uint8_t)table, (uint8_t)(2 + column % 2), (uint8_t)column,
						  (uint8_t)column, 6, (uint8_t)(table + column) };

			put_bytes(&seed, forge, sizeof(forge));
		}
		(void)snprintf(name, sizeof(name), "forged-%u", table);
		save("database", name, &seed);
	}
	seed.size = 0;
	put_number(&seed, 0, 1);
	put_bytes(&seed, "\x07\x00\x02\x03\x02\x01\x01\x04..//", 12);
	save("database", "name", &seed);
	seed.size = 0;
	put_number(&seed, 0, 1);
	put_bytes(&seed, "\x01\x02\x01\x08\x03\x00\xff\x00\x01", 9);
	save("database", "page-bytes", &seed);
	seed.size = 0;
	put_number(&seed, 0, 1);
	put_bytes(&seed, "\x03\x00\x00\x10\x01", 5);
	save("database", "cut", &seed);
}

/* ---- text ---- */

static void save_text(void)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{ "tags", "Beach, Summer/2024,beach ,,\tDOG" },
		{ "folds", "\xc3\x84\xc3\x96\xc3\x9f \xe1\xba\x9e\xc4\xb0 \xf0\x90\x90\x80 \xce\xa3\xcf\x83\xcf\x82" },
		{ "broken", "a\xc3,\xe1\xba,\xf0\x90\x90,\xed\xa0\x80,\xff\xfe" },
		{ "rating", "10" },
	};
	static struct seed seed;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size = strlen(rows[i].text);

		seed.size = 0;
		put_number(&seed, 0, 1);
		put_string(&seed, 1024, rows[i].text, size);
		put_number(&seed, 1, 1);
		put_string(&seed, 300, rows[i].text, size);
		put_number(&seed, 3, 1);
		put_string(&seed, 2000, rows[i].text, size);
		for (unsigned which = 0; which < 8; which++) {
			put_number(&seed, 4, 1);
			put_number(&seed, which, 1);
			if (which == 7)
				put_string(&seed, 260, rows[i].text, size);
			put_string(&seed, 70000, rows[i].text, size);
			put_number(&seed, which % 3, 1);
		}
		put_number(&seed, 2, 1);
		put_number(&seed, i, 1);
		save("text", rows[i].name, &seed);
	}
}

static void save_queries(void)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{ "query-terms", "beach* -tag:a,\"b c\" (kind:video or ext:.MKV) type:video/* name:[a-f]*.jpg in:/a//b" },
		{ "query-ranges", "size:>1.5GiB length:1h30m..2h -rating:* date:2024-02..week modified:<=10d length:1:02:03" },
		{ "query-groups", "not (a or -(b c)) tag:(x or \"y\\\" z\" (v,w)) is:favorite,seen unseen \"or\"*" },
		{ "query-wrong", "a or ) tgas:1 \"b" },
	};
	static struct seed seed;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		seed.size = 0;
		put_number(&seed, 8, 1);
		put_string(&seed, VAULT_QUERY_MAX + 1, rows[i].text, strlen(rows[i].text));
		save("text", rows[i].name, &seed);
	}
}

/* ---- decoders ---- */

static void save_record(void)
{
	static const struct record_context context = { "0123456789abcde", { 1, 64 } };
	const struct record record = { .type = RECORD_JOURNAL, .raw_size = 5, .stored_size = 5, .n_parts = 1, .id = 3 };
	static struct seed seed;
	uint8_t head[RECORD_HEAD_MAX];
	uint64_t checksum;

	record_encode(&record, &context, "bytes", head, &checksum);
	put_number(&seed, 0, 1);
	put_bytes(&seed, head, record_head_size(5));
	put_bytes(&seed, "bytes", 5);
	save("decoders", "record", &seed);
}

static void save_commit_record(void)
{
	const struct commit_record record = { .commit = 7, .previous = { 1, 4000 }, .start = { 1, 5000 }, .next_id = 100,
					      .next_chunk_id = 50, .schema_version = 1, .n_parts = 1 };
	static struct seed seed;
	uint8_t bytes[COMMIT_RECORD_SIZE];

	commit_record_encode(&record, bytes);
	put_number(&seed, 1, 1);
	put_bytes(&seed, bytes, sizeof(bytes));
	save("decoders", "commit-record", &seed);
}

static void save_compressed(void)
{
	static struct seed seed;
	uint8_t raw[3000], stored[4000];
	uLongf size = sizeof(stored);

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i % 100 < 40 ? 'a' + i % 7 : i * i >> 5);
	FUZZ_CHECK(compress2(stored, &size, raw, sizeof(raw), 6) == Z_OK);
	put_number(&seed, 2, 1);
	put_number(&seed, sizeof(raw) - 1, 4);
	put_bytes(&seed, stored, size);
	save("decoders", "zlib", &seed);
	seed.size = 0;
	put_number(&seed, 3, 1);
	put_bytes(&seed, stored + 2, size - 6);
	save("decoders", "deflate", &seed);
	for (unsigned which = 4; which <= 6; which += 2) {
		seed.size = 0;
		put_number(&seed, which, 1);
		if (which == 6)
			put_number(&seed, 1000, 4);
		for (unsigned i = 0; i < 10; i++) {
			put_string(&seed, 200, raw + 200 * i, 150);
			put_number(&seed, 20 * i, 1);
		}
		save("decoders", which == 4 ? "encode" : "cut", &seed);
	}
}

static void save_acl(void)
{
	static const struct {
		uint16_t tag, permissions;
		uint32_t id;
	} entries[] = { { 1, 7, UINT32_MAX }, { 2, 5, 1000 }, { 4, 5, UINT32_MAX }, { 8, 4, 1001 }, { 16, 6, UINT32_MAX },
			{ 32, 1, UINT32_MAX } };
	static struct seed seed;

	put_number(&seed, 7, 1);
	put_number(&seed, 0750, 2);
	put_number(&seed, 2, 4);	/* the version */
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		put_number(&seed, entries[i].tag, 2);
		put_number(&seed, entries[i].permissions, 2);
		put_number(&seed, entries[i].id, 4);
	}
	save("decoders", "acl", &seed);
}

static void save_requests(void)
{
	static struct seed seed;
	static const uint32_t opcodes[] = { 16, 4, 26, 36, 1 };	/* write, setattr, init, interrupt, lookup */
	char name[40];

	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
		seed.size = 0;
		put_number(&seed, 5, 1);
		put_number(&seed, 141, 4);
		put_number(&seed, opcodes[i], 4);
		put_number(&seed, 99, 8);
		while (seed.size < 142)
			put_number(&seed, seed.size == 57 ? 4 : 0, 1);
		(void)snprintf(name, sizeof(name), "request-%u", opcodes[i]);
		save("decoders", name, &seed);
	}
}

/* ---- findings ---- */

/* `stage` and `type` as the target counts them. */
static void put_finding(struct seed *seed, unsigned stage, unsigned type, const void *payload, size_t size)
{
	put_number(seed, stage, 1);
	put_number(seed, type, 1);
	put_string(seed, 4096, payload, size);
}

static void save_findings(void)
{
	static struct seed seed;
	static const char media[] = "{\"container\":\"mov\",\"video\":{\"codec\":\"h264\",\"frame_rate\":25.5}}";
	static const char clip[] = "\0\0\0\x10"
				   "ftypisom\0\0\0\0\0\0\0\x08moov\0\0\0\x09mdatx";
	uint8_t numbers[24] = { 64, 0, 0, 0, 48, 0, 0, 0, 0xb8, 0x0b, 0, 0, 0, 0, 0, 0, 1 };

	put_number(&seed, 0, 1);
	put_finding(&seed, 0, 0, "video/mp4", 9);
	put_finding(&seed, 1, 1, "words of a text\n", 16);
	put_finding(&seed, 2, 2, media, sizeof(media) - 1);
	put_finding(&seed, 2, 3, numbers, sizeof(numbers));
	put_finding(&seed, 3, 4, "\xff\xd8\xff\xe0\xff\xd9", 6);
	put_finding(&seed, 4, 5, clip, sizeof(clip) - 1);
	put_finding(&seed, 4, 6, "previews: damaged", 17);
	save("findings", "frames", &seed);
}

static void save_file_texts(void)
{
	static const struct {
		const char *name, *text;
		size_t size;
	} rows[] = {
		{ "utf-8", "na\xc3\xafve \xe2\x82\xac\r\n", 12 },
		{ "latin-1", "caf\xe9 na\xefve \x80", 12 },
		{ "utf-16", "\xff\xfeh\0i\0\x3c\xd8\xac\xdf", 10 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seed seed = { .size = 0 };

		put_number(&seed, 1, 1);
		put_number(&seed, i & 1, 1);
		put_number(&seed, 1000, 4);
		put_bytes(&seed, rows[i].text, rows[i].size);
		save("findings", rows[i].name, &seed);
	}
}

#define EXIF "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"

static void save_images(void)
{
	static const struct {
		const char *name, *bytes;
		size_t size;
	} rows[] = {
		{ "jpeg", "\xff\xd8\xff\xe1\0\x22" EXIF "\xff\xc0\0\x11\x08\0\x30\0\x40\x03", 2 + 4 + 32 + 10 },
		{ "png", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x30\x08\x02\0\0\0\0\0\0\0\0\0\0\x20" "eXIf" EXIF, 8 + 25 + 8 + 32 },
		{ "webp", "RIFF\x50\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\0\0\x2f\0\0EXIF\x20\0\0\0" EXIF, 12 + 18 + 8 + 32 },
		{ "heic", "\0\0\0\x18" "ftypheic\0\0\0\0\0\0\0\x14ispe\0\0\0\0\0\0\0\x40\0\0\0\x30" EXIF, 16 + 20 + 32 },
		{ "gif", "GIF89a\x40\0\x30\0", 10 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seed seed = { .size = 0 };

		put_number(&seed, 2, 1);
		put_number(&seed, i, 1);
		put_bytes(&seed, rows[i].bytes, rows[i].size);
		save("findings", rows[i].name, &seed);
	}
}

static void save_dates(void)
{
	static const char *const rows[] = { "2024:02:20 14:30:00+02:00", "2024-02-20T14:30:00.25Z", "1999/12/31" };
	char name[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seed seed = { .size = 0 };

		put_number(&seed, 3, 1);
		put_bytes(&seed, rows[i], strlen(rows[i]));
		(void)snprintf(name, sizeof(name), "date-%zu", i);
		save("findings", name, &seed);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "make_seeds DIRECTORY\n");
		return 2;
	}
	root = argv[1];
	fuzz_quiet();
	fuzz_make_vault(fuzz_path("small"), 2);
	save_packs("small", "small");
	save_sealed();
	save_journals();
	save_edits();
	save_text();
	save_queries();
	save_record();
	save_commit_record();
	save_compressed();
	save_acl();
	save_requests();
	save_findings();
	save_file_texts();
	save_images();
	save_dates();
	return 0;
}
