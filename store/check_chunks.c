/* check_chunks.c - rows of chunks, extents and packs, and what they say of each other. See check_internal.h.
 *
 * Large tables are read side by side in the order of the key they share, so that memory does not grow with them; where a
 * table has another order, SQLite sorts it on disk. */
#include "check_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "chunks.h"
#include "codec.h"

#define END_OF_ALL ((uint64_t)INT64_MAX) /* behind every byte of a file */

/* ---- the newest picture ---- */

/* Its list, sorted: each place in it is a reference. */
static int load_picture(struct check *check)
{
	const struct commit_state *state = &check->state;
	int r;

	if (state->picture.pack == 0)
		return 0;
	r = picture_read(check->vault, state->picture, &check->picture);
	if (r == -EBADMSG || r == -ENOTSUP || r == -ENOENT ||
	    (r == 0 && check->picture.state.commit != state->picture_commit)) {
		check_found(check, "picture", state->picture, 0,
			    "the picture of commit %" PRIu64 " is not whole", state->picture_commit);
		return 0;
	}
	if (r == 0)
		qsort(check->picture.chunks, check->picture.n_chunks, sizeof(uint64_t), check_compare_ids);
	return r;
}

/* ---- chunks beside those that name them ---- */

struct naming {
	struct check *check;
	sqlite3_stmt *extents; /* chunk_id, count, reach; ascending */
	bool more;             /* that stands on a row */
	size_t next_picture;   /* in the sorted list */
};

/* Who names the chunks of the next id: from extents and from the picture. */
struct named {
	uint64_t id;
	uint64_t refs;
	uint64_t reach; /* the end of the furthest extent in it */
};

static int naming_step(struct naming *naming)
{
	int r = db_step(&naming->check->vault->db, naming->extents);

	naming->more = r > 0;
	return r < 0 ? r : 0;
}

static uint64_t picture_id(const struct naming *naming)
{
	const struct picture *picture = &naming->check->picture;

	return naming->next_picture < picture->n_chunks ? picture->chunks[naming->next_picture] : UINT64_MAX;
}

/* The next id that is named. 1 there is one, 0 none. */
static int naming_next(struct naming *naming, struct named *ret)
{
	uint64_t id = naming->more ? column_u64(naming->extents, 0) : UINT64_MAX;
	int r = 0;

	*ret = (struct named){ .id = picture_id(naming) < id ? picture_id(naming) : id };
	if (ret->id == UINT64_MAX)
		return 0;
	if (naming->more && id == ret->id) {
		ret->refs = column_u64(naming->extents, 1);
		ret->reach = column_u64(naming->extents, 2);
		r = naming_step(naming);
	}
	while (picture_id(naming) == ret->id) {
		naming->next_picture++;
		ret->refs++;
	}
	return r < 0 ? r : 1;
}

static void tell_missing(struct check *check, const struct named *named)
{
	check_found(check, "chunk", NOWHERE, 0,
		    "chunk %" PRIu64 " is named %" PRIu64 " times, but there is none", named->id,
		    named->refs);
	check_damaged_add(check, named->id);
}

/* What can be wrong with a row alone; NULL: nothing. */
static const char *row_alone(const struct check *check, sqlite3_stmt *row)
{
	uint64_t id = column_u64(row, 0), raw_size = column_u64(row, 1), stored_size = column_u64(row, 2);
	uint64_t codec = column_u64(row, 3), refs = column_u64(row, 6), born = column_u64(row, 7),
		 freed = column_u64(row, 8);
	bool is_freed = sqlite3_column_type(row, 8) != SQLITE_NULL;

	if (id == 0 || id > INT64_MAX || id >= check->state.next_chunk_id)
		return "its id was never given out";
	if (raw_size == 0 || raw_size > RECORD_RAW_MAX || stored_size == 0 || stored_size > raw_size ||
	    codec > CODEC_ZLIB || (codec == CODEC_RAW && stored_size != raw_size))
		return "impossible sizes or codec";
	if (is_freed != (refs == 0))
		return refs == 0 ? "dead, but it does not say since when"
				 : "in use, but it says since when it is dead";
	if (born > check->state.commit || (is_freed && (freed < born || freed > check->state.commit)))
		return "impossible commits of birth or death";
	return NULL;
}

static int count_row(struct check *check, sqlite3_stmt *row)
{
	struct check_pack *pack = check_pack_of(check, column_u64(row, 4));

	if (!pack)
		return -ENOMEM;
	pack->n_rows++;
	if (column_u64(row, 6) > 0)
		pack->live_bytes += column_u64(row, 2);
	return 0;
}

static int check_chunk_row(struct check *check, sqlite3_stmt *row, const struct named *named)
{
	const struct place place = { column_u64(row, 4), column_u64(row, 5) };
	uint64_t id = column_u64(row, 0), refs = column_u64(row, 6);
	uint64_t wanted = named->id == id ? named->refs : 0;
	const char *wrong = row_alone(check, row);

	if (wrong)
		check_found(check, "chunk", place, 0, "chunk %" PRIu64 ": %s", id, wrong);
	if (refs != wanted)
		check_found(check, "refs", place, 0,
			    "chunk %" PRIu64 " counts %" PRId64 " references, and %" PRIu64 " name it", id,
			    (int64_t)refs, wanted);
	if (wanted > 0 && named->reach > column_u64(row, 1)) {
		check_found(check, "extent", place, 0,
			    "chunk %" PRIu64 " has %" PRIu64 " bytes, and an extent names it up to %" PRIu64,
			    id, column_u64(row, 1), named->reach);
		check_damaged_add(check, id);
	}
	return count_row(check, row);
}

static int check_references(struct check *check)
{
	AUTO(statement) sqlite3_stmt *row = NULL;
	AUTO(statement) sqlite3_stmt *extents = NULL;
	struct naming naming = { .check = check };
	struct named named = { .id = 0 };
	int more = 1;
	int r = check_prepare(
		check,
		"SELECT chunk_id, count(*), max(chunk_offset + length) FROM extents WHERE chunk_id > 0"
		" GROUP BY chunk_id ORDER BY chunk_id",
		&extents);

	naming.extents = extents;
	if (r == 0)
		r = check_prepare(
			check,
			"SELECT id, raw_size, stored_size, codec, pack_id, pack_offset, refs, born, freed FROM chunks"
			" WHERE id > 0 ORDER BY id",
			&row);
	if (r == 0)
		r = naming_step(&naming);
	if (r == 0)
		r = more = naming_next(&naming, &named);
	while (r >= 0 && (r = db_step(&check->vault->db, row)) > 0) {
		uint64_t id = column_u64(row, 0);

		for (; more > 0 && named.id < id; more = naming_next(&naming, &named))
			tell_missing(check, &named);
		if (more < 0)
			return more;
		r = check_chunk_row(check, row, more > 0 ? &named : &(struct named){ .id = 0 });
		if (r == 0 && more > 0 && named.id == id)
			r = more = naming_next(&naming, &named);
	}
	for (; r >= 0 && more > 0; r = more = naming_next(&naming, &named))
		tell_missing(check, &named);
	return r < 0 ? r : 0;
}

/* ---- extents beside the files they belong to ---- */

/* Whom the extents of a manifest belong to, ascending by manifest. */
struct owners {
	sqlite3_stmt *row; /* manifest_id, inode (0: dropped), size, mapped */
	bool more;
	uint64_t last; /* the manifest before, for two owners of one */
};

/* What is being added up of one manifest. */
struct manifest {
	uint64_t id;
	uint64_t end; /* of the last extent */
	uint64_t mapped;
};

static int owners_step(struct check *check, struct owners *owners)
{
	uint64_t before = owners->last;
	int r = db_step(&check->vault->db, owners->row);

	owners->more = r > 0;
	if (r <= 0)
		return r;
	owners->last = column_u64(owners->row, 0);
	if (owners->last == before)
		check_found(check, "manifest", NOWHERE, column_u64(owners->row, 1),
			    "manifest %" PRIu64 " belongs to two", before);
	return 0;
}

/* All rows of owners up to `manifest` have been compared with what its extents say. */
static int compare_owners(struct check *check, struct owners *owners, const struct manifest *manifest)
{
	bool owned = false;
	int r = 0;

	while (r == 0 && owners->more && column_u64(owners->row, 0) <= manifest->id) {
		bool same = column_u64(owners->row, 0) == manifest->id;
		uint64_t inode = column_u64(owners->row, 1), mapped = same ? manifest->mapped : 0;

		owned = owned || same;
		if (inode != 0 && column_u64(owners->row, 3) != mapped)
			check_found(check, "extent", NOWHERE, inode,
				    "%" PRId64 " bytes are said to be mapped, and its extents map %" PRIu64,
				    (int64_t)column_u64(owners->row, 3), mapped);
		if (inode != 0 && same && manifest->end > column_u64(owners->row, 2))
			check->counts->n_beyond++;
		r = owners_step(check, owners);
	}
	if (r == 0 && !owned && manifest->id != 0 && manifest->id != UINT64_MAX)
		check_found(check, "manifest", NOWHERE, 0,
			    "manifest %" PRIu64 ", with %" PRIu64 " bytes, belongs to no file", manifest->id,
			    manifest->mapped);
	return r;
}

static void check_extent(struct check *check, sqlite3_stmt *row, struct manifest *manifest)
{
	uint64_t offset = column_u64(row, 1), length = column_u64(row, 2), chunk = column_u64(row, 3);
	uint64_t chunk_offset = column_u64(row, 4);

	check->counts->n_extents++;
	if (offset > END_OF_ALL || length == 0 || length > RECORD_RAW_MAX || offset + length > END_OF_ALL ||
	    chunk == 0 || chunk > INT64_MAX || chunk_offset > RECORD_RAW_MAX - length) {
		check_found(check, "extent", NOWHERE, 0,
			    "manifest %" PRIu64 " at %" PRId64 ": an impossible extent", manifest->id,
			    (int64_t)offset);
		return;
	}
	if (offset < manifest->end)
		check_found(check, "extent", NOWHERE, 0,
			    "manifest %" PRIu64 " at %" PRIu64 ": the extent overlaps the one before",
			    manifest->id, offset);
	manifest->end = offset + length;
	manifest->mapped += length;
}

static int check_extents(struct check *check)
{
	AUTO(statement) sqlite3_stmt *row = NULL;
	AUTO(statement) sqlite3_stmt *owner = NULL;
	struct owners owners = { .more = false };
	struct manifest manifest = { .id = 0 };
	int r = check_prepare(check,
			      "SELECT manifest_id, offset, length, chunk_id, chunk_offset FROM extents"
			      " WHERE manifest_id > 0 ORDER BY manifest_id, offset",
			      &row);

	if (r == 0)
		r = check_prepare(
			check,
			"SELECT manifest_id, id, size, mapped FROM inodes WHERE manifest_id > 0"
			" UNION ALL SELECT manifest_id, 0, 0, 0 FROM dropped WHERE manifest_id > 0 ORDER BY 1",
			&owner);
	owners.row = owner;
	if (r == 0)
		r = owners_step(check, &owners);
	while (r == 0 && (r = db_step(&check->vault->db, row)) > 0) {
		r = 0;
		if (column_u64(row, 0) != manifest.id) {
			r = compare_owners(check, &owners, &manifest);
			manifest = (struct manifest){ .id = column_u64(row, 0) };
		}
		if (r == 0)
			check_extent(check, row, &manifest);
	}
	if (r == 0)
		r = compare_owners(check, &owners, &manifest);
	return r == 0 ? compare_owners(check, &owners, &(struct manifest){ .id = UINT64_MAX }) : r;
}

/* ---- packs, and rows whose records were not met ---- */

static void check_pack_rows(struct check *check)
{
	for (size_t i = 0; i < check->n_packs; i++) {
		const struct check_pack *pack = &check->packs[i];
		struct place place = { pack->number, 0 };

		if (pack->row_live_bytes != pack->live_bytes)
			check_found(check, "pack", place, 0,
				    "%" PRId64 " bytes of the pack are said to be live, and %" PRIu64 " are",
				    (int64_t)pack->row_live_bytes, pack->live_bytes);
		if (pack->row_last_commit < pack->last_commit)
			check_found(check, "pack", place, 0,
				    "the pack is said to be needed up to commit %" PRIu64
				    ", and is up to %" PRIu64,
				    pack->row_last_commit, pack->last_commit);
	}
}

int check_chunks(struct check *check)
{
	int r = load_picture(check);

	if (r == 0)
		r = check_references(check);
	if (r == 0)
		r = check_extents(check);
	if (r == 0)
		check_pack_rows(check);
	return r;
}

static int check_lost_record(struct check *check, sqlite3_stmt *row)
{
	struct place place = { column_u64(row, 1), column_u64(row, 2) };
	uint64_t id = column_u64(row, 0);
	int r = packs_check_place(check->vault->packs, place, RECORD_CHUNK, id);

	if (r != 0)
		return r < 0 ? r : 0;
	check_found(check, "chunk", place, 0, "chunk %" PRIu64 ": its record is not there", id);
	if (column_u64(row, 3) > 0)
		check_damaged_add(check, id);
	return 0;
}

int check_lost_records(struct check *check)
{
	AUTO(statement) sqlite3_stmt *row = NULL;
	bool any = false;
	int r;

	for (size_t i = 0; i < check->n_packs; i++)
		any = any || check->packs[i].n_matched != check->packs[i].n_rows;
	if (!any)
		return 0;
	r = check_prepare(check, "SELECT id, pack_id, pack_offset, refs FROM chunks ORDER BY id", &row);
	while (r == 0 && (r = db_step(&check->vault->db, row)) > 0) {
		const struct check_pack *pack = check_pack_of(check, column_u64(row, 1));

		if (!pack)
			return -ENOMEM;
		r = pack->n_matched != pack->n_rows ? check_lost_record(check, row) : 0;
	}
	return r;
}
