/* duplicates.c - files of the same bytes, as the indexer's sums tell. See library.h.
 *
 * A group is called by the first digits of its sum: as few as no other file's sum starts with, 8 at least. So its name, asked
 * for as sha256:NAME, finds its files and no others. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "find.h"
#include "listing_queries.h"
#include "query.h"
#include "readers.h"

#define DIGITS_LEAST 8u
#define HASH_SIZE 32u

struct run {
	uint8_t hash[HASH_SIZE];
	uint64_t *ids; /* of files that a query for everything shows, and their paths */
	char **paths;
	size_t n, room;
	unsigned digits; /* that the sum before has in common with it */
	bool any;
};

struct search {
	struct query_context connection;
	struct find *test;
	struct run *run; /* the sum that is being gone through */
	int (*emit)(void *context, const struct vault_duplicates *group);
	void *context;
};

static unsigned common_digits(const uint8_t *a, const uint8_t *b)
{
	unsigned n = 0;

	while (n < HASH_SIZE && a[n] == b[n])
		n++;
	return 2 * n + (n < HASH_SIZE && a[n] >> 4 == b[n] >> 4);
}

static void forget_paths(struct run *run)
{
	while (run->n > 0)
		free(run->paths[--run->n]);
}

static void auto_run(struct run *run)
{
	forget_paths(run);
	free(run->paths);
	free(run->ids);
}

static int make_room(struct run *run)
{
	const size_t room = 2 * run->room + 16;
	uint64_t *ids = reallocarray(run->ids, room, sizeof(*ids));
	char **paths;

	if (ids)
		run->ids = ids;
	paths = ids ? reallocarray(run->paths, room, sizeof(*paths)) : NULL;
	if (!paths)
		return log_err(-ENOMEM, "no memory for files of the same bytes");
	run->paths = paths;
	run->room = room;
	return 0;
}

static int add(const struct query_context *connection, struct run *run, const struct find_match *match)
{
	int r = run->n == run->room ? make_room(run) : 0;

	if (r < 0)
		return r;
	run->ids[run->n] = match->id;
	run->paths[run->n] = NULL;
	r = find_path(connection, match, &run->paths[run->n]);
	run->n += r == 0;
	return r;
}

static int size_of(struct search *search, uint64_t id, uint64_t *ret)
{
	AUTO(query) sqlite3_stmt *size = db_query(search->connection.db, DB_SET_listing, LISTING_SIZE);
	int r;

	bind_u64(size, 1, id);
	r = db_step(search->connection.db, size);
	*ret = r == 1 ? column_u64(size, 0) : 0;
	return r < 0 ? r : 0;
}

/* `common`: digits that the next sum has in common with the run's. */
static int emit_run(struct search *search, unsigned common)
{
	struct run *run = search->run;
	const unsigned shared = common > run->digits ? common : run->digits;
	const unsigned digits = shared < DIGITS_LEAST ? DIGITS_LEAST : shared + 1;
	char name[2 * HASH_SIZE + 1];
	struct vault_duplicates group = { .name = name,
					  .sha256 = run->hash,
					  .ids = run->ids,
					  .n = run->n,
					  .paths = (const char *const *)run->paths };
	int r;

	if (run->n < 2)
		return 0;
	for (unsigned i = 0; i < HASH_SIZE; i++)
		(void)snprintf(name + 2 * i, 3, "%02x", run->hash[i]);
	name[digits < 2 * HASH_SIZE ? digits : 2 * HASH_SIZE] = '\0';
	r = size_of(search, run->ids[0], &group.size);
	return r < 0 ? r : search->emit(search->context, &group);
}

static int next_hash(struct search *search, const uint8_t *hash)
{
	struct run *run = search->run;
	const unsigned common = run->any ? common_digits(run->hash, hash) : 0;
	int r = run->any ? emit_run(search, common) : 0;

	memcpy(run->hash, hash, HASH_SIZE);
	run->digits = common;
	run->any = true;
	forget_paths(run);
	return r;
}

static int go_through(struct search *search)
{
	AUTO(query) sqlite3_stmt *all = db_query(search->connection.db, DB_SET_listing, LISTING_HASHES);
	struct run *run = search->run;
	int r;

	while ((r = db_step(search->connection.db, all)) == 1) {
		const uint8_t *hash = sqlite3_column_blob(all, 0);
		const uint64_t id = column_u64(all, 1);
		struct find_match match;

		if (!hash || sqlite3_column_bytes(all, 0) != HASH_SIZE)
			continue;
		if (!run->any || memcmp(run->hash, hash, HASH_SIZE) != 0)
			r = next_hash(search, hash);
		if (r >= 0 && sqlite3_column_int(all, 2)) {
			r = find_test(search->test, id, &match);
			if (r == 1)
				r = add(&search->connection, run, &match);
		}
		if (r < 0)
			return r;
	}
	return r < 0 ? r : emit_run(search, 0);
}

int vault_duplicates(struct vault *vault, int (*emit)(void *context, const struct vault_duplicates *group),
		     void *context)
{
	AUTO(reader) struct reader *reader = NULL;
	AUTO(find) struct find *test = NULL;
	const struct vault_query everything = { .root = NULL };
	AUTO(run) struct run run = { .n = 0 };
	struct search search = { .run = &run, .emit = emit, .context = context };
	int r = reader_get_for(vault, NULL, &reader);

	if (r < 0)
		return r;
	search.connection = reader_context(reader);
	r = find_open_test(&search.connection, &everything, &test);
	search.test = test;
	if (r == 0)
		r = go_through(&search);
	return r;
}
