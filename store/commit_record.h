/* commit_record.h - a commit record's fields and their bytes. Pure. Format: vaultfs-format(5). */
#ifndef VAULTFS_COMMIT_RECORD_H
#define VAULTFS_COMMIT_RECORD_H

#include "record.h"
#include "vault_internal.h"

#define COMMIT_RECORD_SIZE 136u

struct commit_record {
	uint64_t commit;		/* its number, from 1 */
	struct place previous;		/* where commit - 1's record starts; {0, 0} for the first */
	uint64_t previous_checksum;	/* that record's header checksum */
	struct place start;		/* where this batch starts: the place behind the previous record */
	uint64_t next_id, next_chunk_id;
	uint32_t schema_version;
	uint32_t n_parts;		/* journal parts of this commit */
	uint64_t journal_size;		/* raw bytes of its changeset */
	int64_t time_ns;
	uint64_t picture_commit;	/* the newest whole picture, 0 = none */
	struct place picture;		/* its first record */
	uint64_t journal_bytes;		/* raw bytes of changesets since that picture, this one included */
};

void commit_record_encode(const struct commit_record *record, uint8_t ret[COMMIT_RECORD_SIZE]);

/* -EBADMSG the size is wrong or a field impossible (silent). */
int commit_record_decode(const uint8_t *bytes, size_t size, struct commit_record *ret);

/* What the state is once `record`, standing at `place` with the header checksum `checksum`, is durable. */
void commit_state_from_record(struct commit_state *ret, const struct commit_record *record, struct place place,
			      uint64_t checksum);

#endif
