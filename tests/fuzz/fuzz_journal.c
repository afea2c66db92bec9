/* fuzz_journal.c - a journal of arbitrary bytes, replayed into the tables of a small vault by recovery's own code.
 *
 * The input's first byte chooses: even, the rest is a changeset, cut into pieces; odd, the rest is a list of records (journal
 * parts, commit records, others) which are appended with right checksums behind the last commit, then recovered. */
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "changes.h"
#include "codec.h"
#include "commit_record.h"
#include "journal.h"
#include "packs.h"
#include "recover.h"
#include "schema.h"
#include "state.h"
#include "tables.h"

static struct vault vault;
static struct commit_state base;
static struct codec_context *codec;

static void open_packs(bool read_only)
{
	struct packs_options options = { .pack_size = 1 << 20, .read_only = read_only };

	memcpy(options.uuid, vault.uuid, 16);
	FUZZ_CHECK(packs_open(vault.packs_fd, "packs", &options, &vault.packs) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_quiet();
	fuzz_make_vault(fuzz_path("v"), 2);
	vault.packs_fd = open(fuzz_path("v/packs"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	vault.dir_fd = open(fuzz_path("v"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(vault.packs_fd >= 0 && packs_find_uuid(vault.packs_fd, vault.uuid) == 0);
	FUZZ_CHECK((vault.path = strdup(fuzz_path("v"))) != NULL);
	FUZZ_CHECK(db_open(&vault.db, fuzz_path("v/vault.db"), 0) == 0);
	tables_prepare(&vault.db);
	tables_still(vault.db.handle);
	tables_remember(vault.db.handle);
	FUZZ_CHECK(state_load_locked(&vault, &base) == 0);
	FUZZ_CHECK(changes_new(&vault, &vault.changes) == 0);
	FUZZ_CHECK(codec_context_new(&codec) == 0);
	open_packs(false);
	FUZZ_CHECK(packs_start_writing(vault.packs, base.end) == 0);
	return 0;
}

/* ---- a changeset ---- */

struct pieces {
	const uint8_t *bytes;
	size_t size, piece;
};

static int load_piece(void *context, size_t i, uint8_t *buffer, uint32_t *ret_size)
{
	const struct pieces *p = context;
	size_t from = i * p->piece, n = p->size - from < p->piece ? p->size - from : p->piece;

	memcpy(buffer, p->bytes + from, n);
	*ret_size = (uint32_t)n;
	return 0;
}

static void apply(struct fuzz_input *input)
{
	struct pieces all = { .piece = 1 + fuzz_below(input, 5000) };
	struct piece_source pieces = { .load = load_piece, .context = &all };
	struct changeset_source source = piece_source_open(&pieces);
	struct changeset_effects effects = { false };

	all.bytes = input->at;
	all.size = input->left;
	pieces.n_pieces = (all.size + all.piece - 1) / all.piece;
	FUZZ_CHECK(db_begin(&vault.db) == 0);
	(void)journal_apply_locked(&vault, &source, true, &effects);
	db_rollback(&vault.db);
	free(pieces.piece);
}

/* ---- records ---- */

static void append(struct record *record, const uint8_t *raw, struct place *ret_place, uint64_t *ret_checksum)
{
	static uint8_t packed[RECORD_RAW_MAX];
	enum codec chosen = CODEC_RAW;

	record->stored_size = record->raw_size;
	if (record->codec == CODEC_ZLIB)
		FUZZ_CHECK(codec_encode(codec, raw, record->raw_size, packed, &chosen, &record->stored_size) == 0);
	record->codec = (uint8_t)chosen;
	FUZZ_CHECK(packs_append(vault.packs, record, chosen == CODEC_RAW ? raw : packed, ret_place, ret_checksum) == 0);
}

struct batch {
	struct commit_state last;
	uint32_t n_parts;
};

static void append_part(struct fuzz_input *input, struct batch *batch)
{
	struct record record = { .type = RECORD_JOURNAL, .id = batch->last.commit + 1 };
	struct place place;
	size_t size = 0;
	const uint8_t *bytes = fuzz_bytes(input, 4000, &size);
	uint64_t oddity = fuzz_number(input, 1);

	if (size == 0)
		return;
	record.raw_size = (uint32_t)size;
	record.codec = oddity & 1 ? CODEC_ZLIB : CODEC_RAW;
	record.part = oddity >= 250 ? (uint32_t)oddity - 250 : batch->n_parts;
	record.n_parts = record.part + 1;
	append(&record, bytes, &place, NULL);
	batch->n_parts++;
}

/* A commit record that follows, but for what the input says to be otherwise. */
static void append_commit(struct fuzz_input *input, struct batch *batch)
{
	struct commit_record commit = {
		.commit = batch->last.commit + 1,
		.previous = batch->last.record,
		.previous_checksum = batch->last.checksum,
		.start = batch->last.end,
		.next_id = batch->last.next_id + fuzz_number(input, 1),
		.next_chunk_id = batch->last.next_chunk_id + fuzz_number(input, 1),
		.schema_version = SCHEMA_VERSION,
		.n_parts = batch->n_parts,
		.picture_commit = batch->last.picture_commit,
		.picture = batch->last.picture,
	};
	struct record record = { .type = RECORD_COMMIT, .raw_size = COMMIT_RECORD_SIZE, .n_parts = 1, .id = commit.commit };
	uint8_t bytes[COMMIT_RECORD_SIZE];
	struct place place;
	uint64_t checksum = 0, oddity = fuzz_number(input, 1);

	commit_record_encode(&commit, bytes);
	if (oddity >= 200) {
		size_t at = fuzz_below(input, COMMIT_RECORD_SIZE / 8) * 8;

		(void)fuzz_take(input, bytes + at, 8);
	}
	if (oddity == 255)
		record.id++;
	append(&record, bytes, &place, &checksum);
	if (commit_record_decode(bytes, sizeof(bytes), &commit) == 0)
		commit_state_from_record(&batch->last, &commit, place, checksum);
	batch->n_parts = 0;
}

static void append_other(struct fuzz_input *input, const struct batch *batch)
{
	struct record record = { .type = (uint8_t)(1 + fuzz_below(input, 6)), .n_parts = 1, .id = fuzz_number(input, 2) };
	struct place place;
	size_t size = 0;
	const uint8_t *bytes = fuzz_bytes(input, 1000, &size);

	if (size == 0)
		return;
	if (record.type == RECORD_PICTURE)
		record.id = batch->last.commit;
	(void)fuzz_take(input, record.hash.bytes, sizeof(record.hash.bytes));	/* zeros are possible, too */
	record.raw_size = (uint32_t)size;
	append(&record, bytes, &place, NULL);
}

static void recover(struct fuzz_input *input)
{
	struct batch batch = { .last = base };
	struct recover_tail tail;

	for (unsigned i = 0; i < 40 && input->left > 0; i++) {
		switch (fuzz_below(input, 4)) {
		case 0:
		case 1:
			append_part(input, &batch);
			break;
		case 2:
			append_commit(input, &batch);
			break;
		default:
			append_other(input, &batch);
			break;
		}
	}
	vault.state = base;
	(void)pthread_mutex_lock(&vault.db.lock);
	if (recover_inspect(&vault, &tail) == 0 && recover_replay_locked(&vault) == 0)
		FUZZ_CHECK(vault.state.commit == base.commit + tail.n_commits && vault.state.commit == tail.last.commit);
	(void)pthread_mutex_unlock(&vault.db.lock);
	FUZZ_CHECK(sqlite3_get_autocommit(vault.db.handle));
	packs_close(vault.packs);
	open_packs(false);
	FUZZ_CHECK(packs_start_writing(vault.packs, base.end) == 0);
	tables_restore(vault.db.handle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };

	vault.state = base;
	if (fuzz_number(&input, 1) % 2 == 0)
		apply(&input);
	else
		recover(&input);
	return 0;
}
