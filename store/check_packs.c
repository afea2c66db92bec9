/* check_packs.c - every record of every pack: its bytes, its content, its row. See check_internal.h.
 *
 * One thread reads; batches of records are checked by the workers, several at a time, and come back in order, so that what
 * is found, and the chain of commits, follow the packs. Row by row the database is asked for each chunk: a chunk's row is
 * known by its id, and ids ascend with their places, so that costs little. */
#include "check_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "codec.h"
#include "workers.h"

#define N_BATCHES 6u
#define BATCH_BYTES (1u << 20) /* a batch is full when it holds so many, or more */
#define BATCH_RECORDS 512u
#define BATCH_ROOM (BATCH_BYTES + RECORD_HEAD_MAX + RECORD_STORED_MAX)

enum verdict {
	VERDICT_GOOD,
	VERDICT_BLOCKS, /* a block's XXH3 does not match */
	VERDICT_CODEC,  /* it cannot be decoded */
	VERDICT_HASH,   /* decoded, it is not what the SHA-256 says */
	VERDICT_FAILED, /* could not be found out: `error` */
};

struct checked {
	struct packs_item item;
	uint32_t at;    /* of head and stored bytes, in the batch */
	uint32_t block; /* the first that is damaged */
	enum verdict verdict;
	int error;
};

struct batch {
	struct job job;
	struct reader *reader;
	uint8_t *bytes; /* BATCH_ROOM */
	uint8_t *raw;   /* RECORD_RAW_MAX, to decode into */
	uint32_t size, n;
	bool done; /* guarded by the reader's lock */
	struct checked records[BATCH_RECORDS];
};

struct reader {
	struct check *check;
	struct batch *batches;               /* N_BATCHES of them, a ring */
	unsigned filling, oldest, n_waiting; /* handed out: from oldest, n_waiting of them */
	pthread_mutex_t lock;                /* a leaf; guards done */
	pthread_cond_t changed;
	sqlite3_stmt *row; /* of one chunk */
	struct check_chain chain;
	uint64_t bytes; /* read so far */
	/* of the pack in reading */
	uint64_t index_sum, n_listed; /* what its index must say */
};

/* ---- on the workers ---- */

static void check_content(struct batch *batch, struct codec_context *codec, struct checked *checked,
			  const uint8_t *stored)
{
	const struct record *record = &checked->item.record;
	struct digest hash;
	int r = codec_decode(codec, record->codec, stored, record->stored_size, batch->raw, record->raw_size);

	checked->error = r;
	if (r < 0) {
		checked->verdict = r == -EBADMSG || r == -ENOTSUP ? VERDICT_CODEC : VERDICT_FAILED;
		return;
	}
	if (record->type != RECORD_CHUNK)
		return;
	checked->error = digest_sha256(batch->raw, record->raw_size, &hash);
	if (checked->error < 0)
		checked->verdict = VERDICT_FAILED;
	else if (memcmp(hash.bytes, record->hash.bytes, sizeof(hash.bytes)) != 0)
		checked->verdict = VERDICT_HASH;
}

static void check_record(struct batch *batch, struct codec_context *codec, struct checked *checked)
{
	const struct record *record = &checked->item.record;
	const uint8_t *head = batch->bytes + checked->at;
	const uint8_t *stored = head + record_head_size(record->stored_size);
	uint32_t n_blocks = checksum_n_blocks(record->stored_size);

	checked->verdict = VERDICT_GOOD;
	for (uint32_t block = 0; block < n_blocks; block++) {
		uint32_t from = block * CHECKSUM_BLOCK;
		uint32_t size = record->stored_size - from < CHECKSUM_BLOCK ? record->stored_size - from
									    : CHECKSUM_BLOCK;

		if (record_check_blocks(head, record, block, stored + from, size) < 0) {
			checked->verdict = VERDICT_BLOCKS;
			checked->block = block;
			return;
		}
	}
	/* Types that this version does not know may have codecs of their own. */
	if (record->type <= RECORD_SEAL)
		check_content(batch, codec, checked, stored);
}

static void run_batch(struct job *job, struct codec_context *codec)
{
	struct batch *batch = (struct batch *)job;
	struct reader *reader = batch->reader;

	for (uint32_t i = 0; i < batch->n; i++)
		check_record(batch, codec, &batch->records[i]);
	(void)pthread_mutex_lock(&reader->lock);
	batch->done = true;
	(void)pthread_cond_signal(&reader->changed);
	(void)pthread_mutex_unlock(&reader->lock);
}

/* ---- what comes back ---- */

static const char *type_name(uint8_t type)
{
	static const char *const names[] = {
		[RECORD_CHUNK] = "chunk",          [RECORD_JOURNAL] = "journal part",
		[RECORD_COMMIT] = "commit record", [RECORD_PICTURE] = "picture",
		[RECORD_INDEX] = "index",          [RECORD_SEAL] = "seal",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type]
								      : "record of unknown type";
}

static void tell_verdict(struct check *check, const struct checked *checked)
{
	const struct record *record = &checked->item.record;
	const char *name = type_name(record->type);

	switch (checked->verdict) {
	case VERDICT_BLOCKS:
		check_found(check, "record", checked->item.place, 0,
			    "%s %" PRIu64 " is damaged: its block %u does not match its checksum", name,
			    record->id, checked->block);
		break;
	case VERDICT_CODEC:
		check_found(check, "record", checked->item.place, 0,
			    "%s %" PRIu64 " cannot be unpacked, though its checksums match", name,
			    record->id);
		break;
	case VERDICT_HASH:
		check_found(check, "record", checked->item.place, 0,
			    "%s %" PRIu64 " is not the content that its SHA-256 names", name, record->id);
		break;
	case VERDICT_GOOD:
	case VERDICT_FAILED:
		break;
	}
}

/* What is wrong with a chunk's row, which points at this record; NULL: nothing. */
static const char *row_against_record(sqlite3_stmt *row, const struct record *record)
{
	if ((size_t)sqlite3_column_bytes(row, 2) != sizeof(record->hash.bytes) ||
	    memcmp(sqlite3_column_blob(row, 2), record->hash.bytes, sizeof(record->hash.bytes)) != 0)
		return "its hash";
	if (column_u64(row, 3) != record->raw_size)
		return "its raw size";
	if (column_u64(row, 4) != record->stored_size)
		return "its stored size";
	return column_u64(row, 5) != record->codec ? "its codec" : NULL;
}

/* The row points at this record: they must say the same, and the bytes must be good where somebody needs them. */
static int check_row(struct check *check, sqlite3_stmt *row, const struct checked *checked)
{
	const struct packs_item *item = &checked->item;
	struct check_pack *pack = check_pack_of(check, item->place.pack);
	const char *wrong = row_against_record(row, &item->record);

	if (!pack)
		return -ENOMEM;
	pack->n_matched++;
	if (wrong)
		check_found(check, "chunk", item->place, 0,
			    "chunk %" PRIu64 ": vault.db and the record differ about %s", item->record.id,
			    wrong);
	if ((wrong || checked->verdict != VERDICT_GOOD) && column_u64(row, 6) > 0)
		check_damaged_add(check, item->record.id);
	return 0;
}

static int check_chunk(struct reader *reader, const struct checked *checked)
{
	struct check *check = reader->check;
	AUTO(query) sqlite3_stmt *row = reader->row;
	const struct packs_item *item = &checked->item;
	int r;

	check->counts->n_chunks++;
	bind_u64(row, 1, item->record.id);
	r = db_step(&check->vault->db, row);
	if (r < 0)
		return r;
	if (r == 0)
		check->counts->n_unlisted++;
	else if (column_u64(row, 0) == item->place.pack && column_u64(row, 1) == item->place.offset)
		return check_row(check, row, checked);
	else
		check->counts->n_superseded++;
	return 0;
}

static int take_record(struct reader *reader, const struct batch *batch, const struct checked *checked)
{
	const struct packs_item *item = &checked->item;
	const uint8_t *stored = batch->bytes + checked->at + record_head_size(item->record.stored_size);

	if (checked->verdict == VERDICT_FAILED)
		return checked->error;
	tell_verdict(reader->check, checked);
	reader->check->counts->n_records++;
	if (item->record.type == RECORD_CHUNK)
		return check_chunk(reader, checked);
	return check_chain_record(reader->check, &reader->chain, item,
				  checked->verdict == VERDICT_GOOD ? stored : NULL);
}

/* Wait for the oldest batch that the workers have. */
static const struct batch *wait_for_oldest(struct reader *reader)
{
	const struct batch *batch = &reader->batches[reader->oldest];

	(void)pthread_mutex_lock(&reader->lock);
	while (!batch->done)
		(void)pthread_cond_wait(&reader->changed, &reader->lock);
	(void)pthread_mutex_unlock(&reader->lock);
	reader->oldest = (reader->oldest + 1) % N_BATCHES;
	reader->n_waiting--;
	return batch;
}

/* Take what the oldest batch says. */
static int take_oldest(struct reader *reader)
{
	const struct batch *batch = wait_for_oldest(reader);
	const struct vault_check_options *options = reader->check->options;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < batch->n; i++)
		r = take_record(reader, batch, &batch->records[i]);
	reader->bytes += batch->size;
	if (options->progress)
		options->progress(options->context, reader->bytes, reader->check->total_bytes);
	return r;
}

/* Hand the batch in filling to the workers, and have room for another one. */
static int hand_out(struct reader *reader)
{
	struct batch *batch = &reader->batches[reader->filling];

	batch->done = false;
	workers_submit(reader->check->vault->workers, WORKERS_STORE, &batch->job);
	reader->n_waiting++;
	reader->filling = (reader->filling + 1) % N_BATCHES;
	if (reader->n_waiting == N_BATCHES) {
		int r = take_oldest(reader);

		if (r < 0)
			return r;
	}
	batch = &reader->batches[reader->filling];
	batch->size = batch->n = 0;
	return 0;
}

static int take_all(struct reader *reader)
{
	int r = reader->batches[reader->filling].n > 0 ? hand_out(reader) : 0;

	while (r == 0 && reader->n_waiting > 0)
		r = take_oldest(reader);
	return r;
}

/* ---- reading ---- */

static int read_record(void *context, const struct packs_item *item, const uint8_t *head)
{
	struct reader *reader = context;
	struct batch *batch = &reader->batches[reader->filling];
	uint32_t size = (uint32_t)record_size(item->record.stored_size);
	struct checked *checked = &batch->records[batch->n++];

	if (item->record.type != RECORD_INDEX && item->record.type != RECORD_SEAL) {
		reader->index_sum = packs_sum_item(reader->index_sum, item);
		reader->n_listed++;
	}
	*checked = (struct checked){ .item = *item, .at = batch->size };
	memcpy(batch->bytes + batch->size, head, size);
	batch->size += size;
	return batch->size >= BATCH_BYTES || batch->n == BATCH_RECORDS ? hand_out(reader) : 0;
}

static int read_gap(void *context, struct place from, uint64_t size)
{
	struct reader *reader = context;
	int r = take_all(reader);

	check_found(reader->check, "pack", from, 0, "%" PRIu64 " bytes belong to no valid record", size);
	reader->index_sum = UINT64_MAX; /* not comparable any more */
	reader->n_listed = 0;
	check_chain_break(&reader->chain, (struct place){ from.pack, from.offset + size });
	return r;
}

/* A pack that others follow must be sealed, and its index say what it holds. */
static int check_seal(struct reader *reader, uint64_t number)
{
	struct check *check = reader->check;
	struct place place = { number, 0 };
	uint64_t sum = 0, n = 0;
	int r = packs_check_index(check->vault->packs, number, &sum, &n);

	if (r == -ENODATA)
		check_found(check, "pack", place, 0,
			    "the pack is not sealed, though others follow: it has lost its end");
	else if (r == -EBADMSG)
		check_found(check, "index", place, 0, "the pack's seal or index is damaged");
	else if (r > 0 && reader->index_sum != UINT64_MAX &&
		 (sum != reader->index_sum || n != reader->n_listed))
		check_found(check, "index", place, 0, "the pack's index does not say what the pack holds");
	return r == -ENODATA || r == -EBADMSG || r > 0 ? 0 : r;
}

static int check_header(struct check *check, uint64_t number)
{
	const char *wrong = NULL;
	int r = packs_check_header(check->vault->packs, number, &wrong);

	if (r == 0 && wrong)
		check_found(check, "pack", (struct place){ number, 0 }, 0, "%s", wrong);
	return r;
}

static int check_one(struct reader *reader, const struct check_pack *pack)
{
	struct check *check = reader->check;
	const struct packs_examiner examiner = { read_record, read_gap, reader };
	uint64_t number = pack->number;
	bool is_last = number == check->state.end.pack;
	int r = check_header(check, number);

	reader->index_sum = reader->n_listed = 0;
	if (r == 0)
		r = packs_examine(check->vault->packs, number, is_last ? check->state.end.offset : UINT64_MAX,
				  &examiner);
	if (r == 0)
		r = take_all(reader);
	if (r == 0 && !is_last)
		r = check_seal(reader, number);
	return r;
}

/* ---- which packs ---- */

static int list_rows(struct check *check)
{
	AUTO(statement) sqlite3_stmt *row = NULL;
	int r = check_prepare(check, "SELECT id, going, live_bytes, last_commit FROM packs ORDER BY id",
			      &row);

	while (r == 0 && (r = db_step(&check->vault->db, row)) > 0) {
		struct check_pack *pack = check_pack_of(check, column_u64(row, 0));

		if (!pack)
			return -ENOMEM;
		pack->going = sqlite3_column_int(row, 1) != 0;
		pack->row_live_bytes = column_u64(row, 2);
		pack->row_last_commit = column_u64(row, 3);
		r = 0;
	}
	return r;
}

/* The files up to the snapshot's end; what stands behind it is counted only. */
static int list_files(struct check *check)
{
	struct packs *packs = check->vault->packs;
	const struct place *end = &check->state.end;

	for (uint64_t n = packs_next(packs, 0); n != 0; n = packs_next(packs, n)) {
		struct check_pack *pack = n <= end->pack ? check_pack_of(check, n) : NULL;
		uint64_t size = packs_size(packs, n);

		if (n > end->pack || (n == end->pack && size > end->offset))
			check->counts->tail_bytes += n == end->pack ? size - end->offset : size;
		if (n > end->pack)
			continue;
		if (!pack)
			return -ENOMEM;
		pack->file = true;
		check->counts->n_packs++;
		check->total_bytes += n == end->pack && size > end->offset ? end->offset : size;
	}
	return 0;
}

/* Beside a daemon, packs may have been made since the directory was read: asking for them makes them known. */
static void learn_new_packs(struct check *check)
{
	struct packs *packs = check->vault->packs;
	const char *wrong;

	for (uint64_t n = packs_last(packs) + 1; check->vault->shared && n <= check->state.end.pack; n++)
		if (packs_check_header(packs, n, &wrong) < 0)
			break;
}

static int list_packs(struct check *check)
{
	int r = list_rows(check);

	learn_new_packs(check);
	if (r == 0)
		r = list_files(check);
	for (size_t i = 0; r == 0 && i < check->n_packs; i++)
		if (!check->packs[i].file && !check->packs[i].going)
			check_found(check, "pack", (struct place){ check->packs[i].number, 0 }, 0,
				    "the pack is missing");
	return r;
}

/* ---- all ---- */

static void reader_release(struct reader *reader)
{
	/* After an error: what the workers still have must come back. */
	while (reader->n_waiting > 0)
		(void)wait_for_oldest(reader);
	for (unsigned i = 0; reader->batches && i < N_BATCHES; i++) {
		free(reader->batches[i].bytes);
		free(reader->batches[i].raw);
	}
	free(reader->batches);
	(void)sqlite3_finalize(reader->row); /* repeats the error of the last step */
	(void)pthread_cond_destroy(&reader->changed);
	(void)pthread_mutex_destroy(&reader->lock);
}

static void auto_reader(struct reader *reader)
{
	reader_release(reader);
}

static int reader_init(struct reader *reader)
{
	(void)pthread_mutex_init(&reader->lock, NULL); /* neither can fail in glibc for plain ones */
	(void)pthread_cond_init(&reader->changed, NULL);
	reader->batches = calloc(N_BATCHES, sizeof(*reader->batches));
	for (unsigned i = 0; reader->batches && i < N_BATCHES; i++) {
		struct batch *batch = &reader->batches[i];

		batch->reader = reader;
		batch->job.run = run_batch;
		batch->bytes = malloc(BATCH_ROOM);
		batch->raw = malloc(RECORD_RAW_MAX);
		if (!batch->bytes || !batch->raw)
			return log_err(-ENOMEM, "%s: no memory to check packs", reader->check->vault->path);
	}
	if (!reader->batches)
		return log_err(-ENOMEM, "%s: no memory to check packs", reader->check->vault->path);
	return check_prepare(
		reader->check,
		"SELECT pack_id, pack_offset, hash, raw_size, stored_size, codec, refs FROM chunks"
		" WHERE id = ?1",
		&reader->row);
}

int check_packs(struct check *check)
{
	AUTO(reader) struct reader reader = { .check = check };
	uint64_t before = 0;
	int r = reader_init(&reader);

	if (r == 0)
		r = list_packs(check);
	check_chain_init(&reader.chain, (struct place){ 1, PACK_HEADER_SIZE });
	for (size_t i = 0; r == 0 && i < check->n_packs; i++) {
		/* By its number: the list may grow, and move, while it is read. */
		const struct check_pack pack = check->packs[i];

		if (!pack.file)
			continue;
		if (pack.number != before + 1)
			check_chain_break(&reader.chain, (struct place){ pack.number, PACK_HEADER_SIZE });
		r = check_one(&reader, &pack);
		if (r == -ENOENT && pack.going)
			r = 0; /* unlinked meanwhile, as it was to be: the next one does not follow */
		else
			before = pack.number;
	}
	check->counts->pack_bytes = check->total_bytes;
	if (r == 0)
		check_chain_end(check, &reader.chain);
	return r;
}
