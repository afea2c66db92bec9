/* commit_record.c - a commit record's fields and their bytes. See commit_record.h. */
#include "commit_record.h"

#include <errno.h>

#include "bytes.h"

#define N_WORDS (COMMIT_RECORD_SIZE / 8)

void commit_record_encode(const struct commit_record *r, uint8_t ret[COMMIT_RECORD_SIZE])
{
	const uint64_t words[N_WORDS] = {
		r->commit,     r->previous.pack, r->previous.offset, r->previous_checksum,
		r->start.pack, r->start.offset,	 r->next_id,	     r->next_chunk_id,
		r->schema_version | (uint64_t)r->n_parts << 32,
		r->journal_size, (uint64_t)r->time_ns, r->picture_commit, r->picture.pack, r->picture.offset,
		r->journal_bytes, 0, 0,
	};

	for (size_t i = 0; i < N_WORDS; i++)
		put_u64(ret + 8 * i, words[i]);
}

int commit_record_decode(const uint8_t *bytes, size_t size, struct commit_record *ret)
{
	uint64_t words[N_WORDS];

	if (size != COMMIT_RECORD_SIZE)
		return -EBADMSG;
	for (size_t i = 0; i < N_WORDS; i++)
		words[i] = get_u64(bytes + 8 * i);
	*ret = (struct commit_record){
		.commit = words[0],
		.previous = { words[1], words[2] },
		.previous_checksum = words[3],
		.start = { words[4], words[5] },
		.next_id = words[6],
		.next_chunk_id = words[7],
		.schema_version = (uint32_t)words[8],
		.n_parts = (uint32_t)(words[8] >> 32),
		.journal_size = words[9],
		.time_ns = (int64_t)words[10],
		.picture_commit = words[11],
		.picture = { words[12], words[13] },
		.journal_bytes = words[14],
	};
	if (ret->commit == 0 || ret->commit > INT64_MAX || ret->picture_commit > ret->commit ||
	    ret->next_id > INT64_MAX || ret->next_chunk_id > INT64_MAX)
		return -EBADMSG;
	return 0;
}

void commit_state_from_record(struct commit_state *ret, const struct commit_record *record, struct place place,
			      uint64_t checksum)
{
	*ret = (struct commit_state){
		.commit = record->commit,
		.record = place,
		.end = { place.pack, place.offset + record_size(COMMIT_RECORD_SIZE) },
		.checksum = checksum,
		.next_id = record->next_id,
		.next_chunk_id = record->next_chunk_id,
		.picture_commit = record->picture_commit,
		.picture = record->picture,
		.journal_bytes = record->journal_bytes,
	};
}
