/* chunks.h - the chunk index: which chunk has which content, where it stands, how often extents name it.
 *
 * A row exists exactly as long as its record is in a pack. All calls with _locked hold the metadata lock. */
#ifndef VAULTFS_CHUNKS_H
#define VAULTFS_CHUNKS_H

#include "vault_internal.h"

struct chunk {
	uint64_t id;
	struct digest hash;	/* SHA-256 of the raw bytes */
	struct place place;	/* of its record */
	uint32_t raw_size, stored_size;
	uint8_t codec;		/* enum codec */
};

/* Columns of table chunks, which the query calls `c`, and the chunk that a row with them shows from column `first` on, bounded
 * but for its hash, which stays zero.  -EBADMSG it cannot be (logged). */
#define CHUNK_COLUMNS "c.id, c.pack_id, c.pack_offset, c.raw_size, c.stored_size, c.codec"
#define CHUNK_N_COLUMNS 6
int chunk_from_row(struct vault *vault, sqlite3_stmt *row, int first, struct chunk *ret);

/* What chunk_store() knows of its calls under way: vault->chunk_index.  -ENOMEM (logged). */
struct chunk_index;
int chunk_index_new(struct vault *vault, struct chunk_index **ret);
void chunk_index_free(struct chunk_index *index);	/* nothing is being stored any more; NULL is fine */

/* Is there a chunk with this content? If so take a reference, reviving a dead one, in the same critical section.
 *   1 found (*ret; the caller owns one reference); 0 none, or it is known to be damaged (then *ret_damaged_id is its id,
 *   else 0: store it anew under that id with chunk_replace_locked()); negative errno. */
int chunk_claim_locked(struct vault *vault, const struct digest *hash, uint32_t raw_size, struct chunk *ret,
		       uint64_t *ret_damaged_id);

/* Add the row of a chunk whose record was appended: born now, with one reference that the caller owns. */
int chunk_add_locked(struct vault *vault, const struct chunk *chunk);

/* The chunk `chunk->id` was appended anew: its row points there, is not damaged any more, and the caller owns one more
 * reference. */
int chunk_replace_locked(struct vault *vault, const struct chunk *chunk);

/* Change a chunk's references by `delta`. At 0 it is dead since this commit, but its row stays.  -EBADMSG no such chunk,
 * or fewer references than that (logged). */
int chunk_ref_locked(struct vault *vault, uint64_t id, int64_t delta);

/* The row of chunk `id`.  -ENOENT (silent). */
int chunk_get_locked(struct vault *vault, uint64_t id, struct chunk *ret);

/* Remember that a chunk's record is damaged, so that its content is stored anew when it is written again. */
int chunk_set_damaged_locked(struct vault *vault, uint64_t id);

/* Store `raw` as a chunk, from any thread, with no lock held: hash, look up, compress, append, add. One worker at a time
 * stores one content (others with the same content wait for it).
 *   *ret       the chunk; the caller owns one reference.
 *   Errors     of the disk; -EROFS; -ENOMEM. Room for it was reserved by the caller (packs_reserve()). */
struct codec_context;
int chunk_store(struct vault *vault, struct codec_context *codec, const void *raw, uint32_t raw_size, struct chunk *ret);

#endif
