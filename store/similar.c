/* similar.c - which files share chunks with one, the closest first. See similar.h.
 *
 * No index leads from a chunk to its files: it would be paid by every write. Instead all extents are read once, in the order
 * of manifests, and only where the file has chunks with references of others; the reading ends as soon as all of these were
 * seen. Of what is found the best are kept, so that neither memory nor the answer grows with how common a chunk is. */
#include "similar.h"

#include <errno.h>
#include <stdlib.h>

#include "listing_queries.h"
#include "log.h"
#include "query.h"

#define CHUNKS_MAX (1u << 18) /* of the file; those behind are not compared */

/* A chunk of the file. */
struct shared {
	uint64_t chunk_id;           /* 0: a free place */
	uint64_t bytes;              /* of it in the file */
	uint64_t manifest_id, there; /* and in that manifest */
};

/* How much a file shares; while all are gone through, by the manifest's id. */
struct closeness {
	uint64_t id, shared_bytes;
};

struct search {
	uint64_t manifest_id;   /* of the file */
	struct shared *places;  /* by hash of the chunk's id */
	size_t n_places;        /* a power of two */
	uint64_t n_left;        /* references of others that were not met yet */
	struct closeness *best; /* a heap, the least on top */
	size_t n_best;
};

static void auto_search(struct search *search)
{
	free(search->places);
}

static struct shared *place_of(const struct search *search, uint64_t chunk_id)
{
	size_t at = (size_t)((chunk_id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (search->n_places - 1);

	while (search->places[at].chunk_id != 0 && search->places[at].chunk_id != chunk_id)
		at = (at + 1) & (search->n_places - 1);
	return &search->places[at];
}

static int read_chunks(struct reader *reader, uint64_t id, struct search *ret)
{
	AUTO(query) sqlite3_stmt *chunks = db_query(&reader->db, DB_SET_listing, LISTING_CHUNKS_OF);
	int r;

	ret->n_places = 2 * CHUNKS_MAX;
	ret->places =
		calloc(ret->n_places, sizeof(*ret->places)); /* pages that are not touched cost nothing */
	if (!ret->places)
		return log_err(-ENOMEM, "no memory to compare files");
	bind_u64(chunks, 1, id);
	bind_u64(chunks, 2, CHUNKS_MAX);
	while ((r = db_step(&reader->db, chunks)) == 1) {
		const uint64_t chunk_id = column_u64(chunks, 0);
		const int64_t others = sqlite3_column_int64(chunks, 2);

		if (others <= 0 || chunk_id == 0)
			continue;
		*place_of(ret, chunk_id) =
			(struct shared){ .chunk_id = chunk_id, .bytes = column_u64(chunks, 1) };
		ret->n_left += (uint64_t)others;
		ret->manifest_id = column_u64(chunks, 3);
	}
	return r;
}

/* ---- the best ---- */

static bool is_less(const struct closeness *a, const struct closeness *b)
{
	return a->shared_bytes != b->shared_bytes ? a->shared_bytes < b->shared_bytes : a->id > b->id;
}

static void swap(struct closeness *a, struct closeness *b)
{
	const struct closeness kept = *a;

	*a = *b;
	*b = kept;
}

static void sift_down(struct closeness *heap, size_t n, size_t at)
{
	for (;;) {
		size_t least = at;

		for (size_t child = 2 * at + 1; child < n && child <= 2 * at + 2; child++)
			if (is_less(&heap[child], &heap[least]))
				least = child;
		if (least == at)
			return;
		swap(&heap[at], &heap[least]);
		at = least;
	}
}

static void keep_best(struct search *search, uint64_t manifest_id, uint64_t bytes)
{
	const struct closeness found = { .id = manifest_id, .shared_bytes = bytes };
	struct closeness *best = search->best;

	if (bytes == 0)
		return;
	if (search->n_best < SIMILAR_MAX) {
		best[search->n_best++] = found;
		for (size_t at = search->n_best - 1; at > 0 && is_less(&best[at], &best[(at - 1) / 2]);
		     at = (at - 1) / 2)
			swap(&best[at], &best[(at - 1) / 2]);
	} else if (is_less(&best[0], &found)) {
		best[0] = found;
		sift_down(best, search->n_best, 0);
	}
}

/* ---- going through ---- */

/* Bytes that an extent of `manifest_id` adds to what is shared: of each chunk no more than the file has itself. */
static uint64_t count_extent(struct search *search, uint64_t manifest_id, uint64_t chunk_id, uint64_t length)
{
	struct shared *shared = place_of(search, chunk_id);
	uint64_t added;

	if (shared->chunk_id == 0)
		return 0;
	if (shared->manifest_id != manifest_id)
		shared->there = 0;
	shared->manifest_id = manifest_id;
	added = shared->there >= shared->bytes           ? 0
		: length < shared->bytes - shared->there ? length
							 : shared->bytes - shared->there;
	shared->there += length;
	search->n_left -= search->n_left > 0;
	return added;
}

static int compare_all(struct reader *reader, struct search *search)
{
	AUTO(query) sqlite3_stmt *extents = db_query(&reader->db, DB_SET_listing, LISTING_EXTENTS);
	uint64_t manifest_id = 0, bytes = 0;
	int r = 1;

	while (search->n_left > 0 && (r = db_step(&reader->db, extents)) == 1) {
		const uint64_t current = column_u64(extents, 0);

		if (current == search->manifest_id)
			continue;
		if (current != manifest_id) {
			keep_best(search, manifest_id, bytes);
			manifest_id = current;
			bytes = 0;
		}
		bytes += count_extent(search, current, column_u64(extents, 1), column_u64(extents, 2));
	}
	keep_best(search, manifest_id, bytes);
	return r < 0 ? r : 0;
}

static int compare_manifests(const void *a, const void *b)
{
	const struct closeness *one = a, *two = b;

	return one->id < two->id ? -1 : one->id > two->id;
}

static int compare_closeness(const void *a, const void *b)
{
	return is_less(a, b) ? 1 : -1;
}

/* Whose manifests these are. Those of nobody, being dropped, go. */
static int find_files(struct reader *reader, struct search *search)
{
	AUTO(query) sqlite3_stmt *files = db_query(&reader->db, DB_SET_listing, LISTING_FILES);
	AUTO(free) struct closeness *found = calloc(search->n_best + 1, sizeof(*found));
	size_t n_found = 0;
	int r = 1;

	if (!found)
		return log_err(-ENOMEM, "no memory to compare files");
	qsort(search->best, search->n_best, sizeof(search->best[0]), compare_manifests);
	while (n_found < search->n_best && (r = db_step(&reader->db, files)) == 1) {
		const struct closeness wanted = { .id = column_u64(files, 1) };
		const struct closeness *match =
			bsearch(&wanted, search->best, search->n_best, sizeof(wanted), compare_manifests);

		if (match)
			found[n_found++] = (struct closeness){ column_u64(files, 0), match->shared_bytes };
	}
	for (size_t i = 0; i < n_found; i++)
		search->best[i] = found[i];
	search->n_best = n_found;
	qsort(search->best, n_found, sizeof(search->best[0]), compare_closeness);
	return r < 0 ? r : 0;
}

/* Into `ret`, the closest first: how many. Names are not looked at. */
static int find_all(struct reader *reader, uint64_t id, struct closeness *ret)
{
	AUTO(search) struct search search = { .best = ret };
	int r = read_chunks(reader, id, &search);

	if (r == 0 && search.n_left > 0)
		r = compare_all(reader, &search);
	if (r == 0 && search.n_best > 0)
		r = find_files(reader, &search);
	return r < 0 ? r : (int)search.n_best;
}

int similar_each(struct reader *reader, uint64_t id,
		 int (*emit)(void *context, const struct find_match *match, uint64_t shared_bytes),
		 void *context)
{
	AUTO(free) struct closeness *all = calloc(SIMILAR_MAX, sizeof(*all));
	AUTO(find) struct find *test = NULL;
	const struct query_context connection = reader_context(reader);
	const struct vault_query everything = { .root = NULL };
	int n = all ? find_all(reader, id, all) : log_err(-ENOMEM, "no memory to compare files");
	int r = n < 0 ? n : find_open_test(&connection, &everything, &test);

	for (int i = 0; r == 0 && i < n; i++) {
		struct find_match match;

		r = find_test(test, all[i].id, &match);
		if (r == 1)
			r = emit(context, &match, all[i].shared_bytes);
	}
	return r;
}

struct telling {
	struct reader *reader;
	int (*emit)(void *context, const struct vault_similar *similar);
	void *context;
};

static int tell(void *context, const struct find_match *match, uint64_t shared_bytes)
{
	const struct telling *telling = context;
	AUTO(query) sqlite3_stmt *size = db_query(&telling->reader->db, DB_SET_listing, LISTING_SIZE);
	AUTO(free) char *path = NULL;
	const struct query_context connection = reader_context(telling->reader);
	struct vault_similar similar = { .id = match->id, .shared_bytes = shared_bytes };
	int r = find_path(&connection, match, &path);

	bind_u64(size, 1, match->id);
	if (r == 0)
		r = db_step(&telling->reader->db, size);
	if (r <= 0)
		return r;
	similar.size = column_u64(size, 0);
	similar.path = path;
	return telling->emit(telling->context, &similar);
}

int vault_similar(struct vault *vault, uint64_t id,
		  int (*emit)(void *context, const struct vault_similar *similar), void *context)
{
	AUTO(reader) struct reader *reader = NULL;
	struct telling telling = { .emit = emit, .context = context };
	int r = reader_get_for(vault, NULL, &reader);

	telling.reader = reader;
	return r < 0 ? r : similar_each(reader, id, tell, &telling);
}
