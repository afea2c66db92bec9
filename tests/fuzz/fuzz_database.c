/* fuzz_database.c - a vault whose vault.db is damaged or forged, opened and used, or checked.
 *
 * The input is a list of edits of a valid database: bytes, pages, its length, rows of any table (the schema's own too)
 * with any values, or all of it replaced. Rows are forged through SQLite with its checks off, so that the pages stay
 * valid. */
#include "fuzz.h"

#include <sqlite3.h>

#define PAGE 4096u
#define EDITS_MAX 24u
#define SIZE_MAX_DATABASE (1u << 20)

static uint8_t *database, *pack;	/* of the valid vault */
static size_t database_size, pack_size;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_quiet();
	fuzz_make_vault(fuzz_path("v"), 2);
	database = fuzz_read_file(fuzz_path("v/vault.db"), &database_size);
	pack = fuzz_read_file(fuzz_path("v/packs/00000001.pack"), &pack_size);
	FUZZ_CHECK(database_size <= SIZE_MAX_DATABASE && pack_size <= SIZE_MAX_DATABASE);
	return 0;
}

/* ---- rows ---- */

static const struct {
	const char *name;
	unsigned n_columns;
} tables[] = {
	{ "settings", 2 },   { "inodes", 13 },	   { "entries", 4 },	     { "symlinks", 2 }, { "xattrs", 3 },
	{ "extents", 6 },    { "dropped", 1 },	   { "content", 11 },	     { "assets", 9 },	{ "tags", 5 },
	{ "asset_tags", 3 }, { "tag_aliases", 3 }, { "tag_implications", 2 }, { "devices", 4 },	{ "locations", 11 },
	{ "directories", 3 }, { "chunks", 11 },	   { "packs", 4 },	     { "state", 13 },	{ "jobs", 8 },
	{ "searches", 4 },   { "derived", 4 },	   { "origins", 3 },	     { "search_queue", 2 }, { "tag_counts", 2 },
	{ "sqlite_schema", 5 },
};
#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

static const int64_t numbers[] = {
	0, 1, 2, -1, 16, 17, 4095, 4096, 65535, 65536, 1048576, 1048577, INT32_MAX, UINT32_MAX, INT64_MAX, INT64_MIN,
	INT64_MAX - 1, INT64_MAX / 2, 040755, 0100644, 0120777, 010644, -4096, 1 << 30, 1ll << 44, 20000, 0170000, 3,
};
#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static void bind_any(struct fuzz_input *input, sqlite3_stmt *statement, int position)
{
	size_t kind = fuzz_below(input, 8), size = 0;
	const uint8_t *bytes;

	/* What cannot be bound stays NULL, which is a value as well. */
	switch (kind) {
	case 0:
		(void)sqlite3_bind_int64(statement, position, (int64_t)fuzz_number(input, 8));
		break;
	case 1:
	case 2:
		bytes = fuzz_bytes(input, 80, &size);
		if (kind == 1)
			(void)sqlite3_bind_text(statement, position, (const char *)bytes, (int)size, SQLITE_TRANSIENT);
		else
			(void)sqlite3_bind_blob(statement, position, bytes, (int)size, SQLITE_TRANSIENT);
		break;
	case 3:
		(void)sqlite3_bind_zeroblob(statement, position, (int)fuzz_below(input, 70000));
		break;
	case 4:
		break;
	case 5:
		(void)sqlite3_bind_int64(statement, position, (int64_t)fuzz_number(input, 1));
		break;
	default:
		(void)sqlite3_bind_int64(statement, position, numbers[fuzz_below(input, N_NUMBERS)]);
		break;
	}
}

/* The name of column `i` of a table, as SQLite knows it now; false if it cannot say. */
static bool column_name(sqlite3 *handle, const char *table, unsigned i, char ret[64])
{
	sqlite3_stmt *row = NULL;
	char sql[128];
	bool found = false;

	(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s", table);
	if (sqlite3_prepare_v2(handle, sql, -1, &row, NULL) == SQLITE_OK && sqlite3_column_count(row) > (int)i) {
		(void)snprintf(ret, 64, "\"%s\"", sqlite3_column_name(row, (int)i));
		found = true;
	}
	(void)sqlite3_finalize(row);	/* never stepped */
	return found;
}

static void forge_row(struct fuzz_input *input, sqlite3 *handle)
{
	size_t table = fuzz_below(input, N_TABLES), action = fuzz_below(input, 8);
	unsigned column = (unsigned)fuzz_below(input, tables[table].n_columns), nth = (unsigned)fuzz_below(input, 40);
	const char *name = tables[table].name;
	sqlite3_stmt *statement = NULL;
	char sql[512], key[64], changed[64];
	size_t length;
	int n = 1;

	if (!column_name(handle, name, table == N_TABLES - 1, key) || !column_name(handle, name, column, changed))
		return;
	if (action == 0) {
		(void)snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE %s IN (SELECT %s FROM %s LIMIT 1 OFFSET %u)", name,
			       key, key, name, nth);
	} else if (action == 1) {
		length = (size_t)snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO %s VALUES (?", name);
		for (n = 1; n < (int)tables[table].n_columns; n++)
			length += (size_t)snprintf(sql + length, sizeof(sql) - length, ", ?");
		(void)snprintf(sql + length, sizeof(sql) - length, ")");
	} else {
		(void)snprintf(sql, sizeof(sql), "UPDATE OR REPLACE %s SET %s = ?1 WHERE %s IN (SELECT %s FROM %s LIMIT 1 OFFSET %u)",
			       name, changed, key, key, name, nth);
	}
	if (sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK) {
		for (int i = 1; action != 0 && i <= n; i++)
			bind_any(input, statement, i);
		(void)sqlite3_step(statement);	/* what cannot be forged is not */
	}
	(void)sqlite3_finalize(statement);	/* repeats that */
}

/* Rows of the database in `bytes`, forged; it may become larger. */
static void forge_rows(struct fuzz_input *input, uint8_t *bytes, size_t *size)
{
	size_t n = 1 + fuzz_below(input, 6);
	sqlite3_int64 made_size = 0;
	sqlite3 *handle = NULL;
	unsigned char *copy = sqlite3_malloc64(*size + 1), *made;

	FUZZ_CHECK(copy && sqlite3_open(":memory:", &handle) == SQLITE_OK);
	memcpy(copy, bytes, *size);
	if (*size > 20)
		copy[18] = copy[19] = 1;	/* a database in memory has no write-ahead log */
	FUZZ_CHECK(sqlite3_deserialize(handle, "main", copy, (sqlite3_int64)*size, (sqlite3_int64)*size,
				       SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK);
	(void)sqlite3_exec(handle, "PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON;"
			   "PRAGMA journal_mode = OFF", NULL, NULL, NULL);	/* a damaged one may refuse */
	for (size_t i = 0; i < n; i++)
		forge_row(input, handle);
	made = sqlite3_serialize(handle, "main", &made_size, SQLITE_SERIALIZE_NOCOPY);
	if (made && made_size > 0 && made_size <= SIZE_MAX_DATABASE) {
		*size = (size_t)made_size;
		memcpy(bytes, made, *size);
		if (*size > 20)
			bytes[18] = bytes[19] = 2;
	}
	(void)sqlite3_close(handle);	/* no statement is left */
}

/* ---- edits ---- */

static void copy_page(struct fuzz_input *input, uint8_t *bytes, size_t size)
{
	size_t n_pages = size / PAGE, from, to;

	if (n_pages == 0)
		return;
	from = fuzz_below(input, n_pages);
	to = fuzz_below(input, n_pages);
	memmove(bytes + to * PAGE, bytes + from * PAGE, PAGE);
}

static void write_bytes(struct fuzz_input *input, uint8_t *bytes, size_t size)
{
	/* Most of what matters stands at a page's start. */
	size_t page = fuzz_below(input, size / PAGE + 1) * PAGE;
	size_t at = page + (fuzz_below(input, 4) ? fuzz_below(input, 256) : fuzz_below(input, PAGE));
	size_t n = 1 + fuzz_below(input, 16);
	uint8_t new[16];

	(void)fuzz_take(input, new, n);
	for (size_t i = 0; i < n && at + i < size; i++)
		bytes[at + i] = new[i];
}

/* Bytes of the pack become others; what guards them is not repaired. */
static void damage_pack(struct fuzz_input *input, uint8_t *bytes)
{
	size_t at = (size_t)fuzz_number(input, 2) % pack_size;

	bytes[at] ^= (uint8_t)(1 + fuzz_below(input, 255));
}

static void edit(struct fuzz_input *input, uint8_t *bytes, size_t *size, uint8_t *packed)
{
	switch (fuzz_below(input, 9)) {
	case 0:
	case 1:
		write_bytes(input, bytes, *size);
		break;
	case 2:
		copy_page(input, bytes, *size);
		break;
	case 3:
		*size = fuzz_number(input, 1) % 4 ? *size : (size_t)fuzz_number(input, 3) % (*size + 1);
		break;
	case 4:
		if (fuzz_number(input, 1) == 0x5a) {
			*size = input->left;
			(void)fuzz_take(input, bytes, input->left);
		}
		break;
	case 8:
		damage_pack(input, packed);
		break;
	default:
		forge_rows(input, bytes, size);
		break;
	}
}

static void count_finding(void *context, const struct vault_finding *finding)
{
	FUZZ_CHECK(finding->kind && finding->text && strlen(finding->text) < 4096 && !strchr(finding->text, '\n'));
	++*(uint64_t *)context;
}

static void check(uint64_t how)
{
	uint64_t n = 0;
	const struct vault_check_options options = { .flags = how % 16 == 5 ? VAULT_CHECK_DEEP : how % 16 == 13 ? VAULT_CHECK_SHARED : 0,
						     .found = count_finding, .context = &n };
	struct vault_check_counts counts;

	if (vault_check(fuzz_path("v"), &options, &counts) == 0)
		FUZZ_CHECK(counts.n_findings == n || n == VAULT_FINDINGS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[SIZE_MAX_DATABASE], packed[SIZE_MAX_DATABASE];
	struct fuzz_input input = { data, size < 65536 ? size : 65536 };
	struct vault_open_options options = { .commit_seconds = 3600, .cache_size = 1 << 20 };
	uint64_t how = fuzz_number(&input, 1);
	struct vault *vault = NULL;
	size_t edited = database_size;

	memcpy(bytes, database, database_size);
	memcpy(packed, pack, pack_size);
	for (unsigned i = 0; i < EDITS_MAX && input.left > 0; i++)
		edit(&input, bytes, &edited, packed);
	fuzz_write_file(fuzz_path("v/vault.db"), bytes, edited);
	fuzz_write_file(fuzz_path("v/vault.db-wal"), NULL, 0);
	fuzz_write_file(fuzz_path("v/vault.db-shm"), NULL, 0);
	fuzz_write_file(fuzz_path("v/packs/00000001.pack"), packed, pack_size);
	if (how % 4 == 1) {
		check(how);
		return 0;
	}
	options.flags = how % 8 == 7 ? VAULT_OPEN_READ_ONLY : how % 8 == 6 ? VAULT_OPEN_SHARED : 0;
	if (vault_open(fuzz_path("v"), &options, &vault) == 0) {
		fuzz_use_vault(vault, how);
		(void)vault_close(vault);	/* damage may have stopped it */
	}
	return 0;
}
