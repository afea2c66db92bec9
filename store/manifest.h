/* manifest.h - a file's bytes as extents: (manifest, offset, length) -> (chunk, offset in chunk).
 *
 * Extents of one manifest never overlap; what lies between them is a hole. Each extent owns one reference to its chunk.
 * All calls with _locked hold the metadata lock, taken with commit_lock() where they change something; each leaves rows
 * and references agreeing, or fails without a trace (savepoint). */
#ifndef VAULTFS_MANIFEST_H
#define VAULTFS_MANIFEST_H

#include "chunks.h"
#include "vault_internal.h"

struct extent {
	uint64_t offset, length;	/* in the file; length > 0 */
	uint32_t chunk_offset;		/* chunk_offset + length <= the chunk's raw size */
	struct chunk chunk;		/* id, place, sizes and codec; no hash */
};

/* Extents that touch [offset, offset + length), ascending, at most `n`. Returns how many; if it is `n` there may be more.
 *   Errors  -EBADMSG an extent that cannot be (logged): every row is bounded when read. */
int manifest_read_locked(struct vault *vault, uint64_t manifest, uint64_t offset, uint64_t length, struct extent *ret,
			 size_t n);

/* Make [offset, offset + length) refer to `chunk` from `chunk_offset` on, in place of whatever was there (trimmed, split or
 * removed, references given back). The caller's reference to the chunk goes to the new extent. `chunk` 0: make a hole.
 *   *ret_mapped  is increased by the change of mapped bytes.
 *   Touches at most COMMIT_ROWS_PER_CALL rows: returns -E2BIG, without a trace, if it would be more. */
int manifest_replace_locked(struct vault *vault, uint64_t manifest, uint64_t offset, uint64_t length, uint64_t chunk,
			    uint32_t chunk_offset, int64_t *ret_mapped);

/* Remove what stands behind `from`, at most `max_rows` rows, from the end of the file towards it. 1 there is more, 0 nothing
 * is left behind `from`. *ret_mapped is increased by the (negative) change of mapped bytes. */
int manifest_trim_locked(struct vault *vault, uint64_t manifest, uint64_t from, uint32_t max_rows, int64_t *ret_mapped);

/* Let [to_offset, + length) of manifest `to` share the extents of [from_offset, + length) of `from` (the ranges do not
 * overlap if they are one), holes as holes, in place of what was there. Stops after `max_extents` extents.
 *   *ret_length  bytes done, holes included; `length` unless it stopped early.
 *   *ret_mapped  is increased by the change of `to`'s mapped bytes. */
int manifest_copy_locked(struct vault *vault, uint64_t from, uint64_t from_offset, uint64_t to, uint64_t to_offset,
			 uint64_t length, uint32_t max_extents, uint64_t *ret_length, int64_t *ret_mapped);

/* Shorten [from, from + *length) so that it touches at most `most` extents: it then ends where the next one starts. */
int manifest_limit_locked(struct vault *vault, uint64_t manifest, uint64_t from, uint32_t most, uint64_t *length);

/* A chunk that a part of a manifest names. */
struct manifest_pin {
	uint64_t chunk;
	uint64_t n_extents, used_size;	/* extents of the part that name it, and their bytes together */
	uint64_t refs;			/* everybody's, the part's included */
	uint32_t raw_size, stored_size;
};

/* The chunks named by extents that start in [from, end), ascending by id, at most `n`. Returns how many. */
int manifest_pins_locked(struct vault *vault, uint64_t manifest, uint64_t from, uint64_t end, struct manifest_pin *ret,
			 size_t n);

/* What a manifest is made of, for vault_file_info(). */
int manifest_info_locked(struct vault *vault, uint64_t manifest, struct vault_file_info *ret);

/* The same of any connection, on which MANIFEST_INFO is prepared as `row`: it may take long, and need not hold the lock. */
#define MANIFEST_INFO                                                                                 \
	"SELECT x.n, x.mapped, c.raw_size, c.stored_size, c.refs"                                     \
	" FROM (SELECT chunk_id, count(*) AS n, sum(length) AS mapped FROM extents WHERE manifest_id = ?1" \
	" GROUP BY chunk_id) x LEFT JOIN chunks c ON c.id = x.chunk_id"
int manifest_info_from(struct db *db, sqlite3_stmt *row, uint64_t manifest, struct vault_file_info *ret);

/* Give up all of a manifest: its id moves to table dropped, whose extents hold their references till manifest_drop_slice()
 * gets to them. */
int manifest_drop_locked(struct vault *vault, uint64_t manifest);

/* Free up to some 2,000 rows of dropped manifests (a few ms under the lock). 1 there is more, 0 nothing left, negative errno. For the
 * committer's background thread, inside a change. */
int manifest_drop_slice(struct vault *vault);

#endif
