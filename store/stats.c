/* stats.c - what a vault holds and what it costs, counted from the tables. */
#include <errno.h>
#include <sys/stat.h>

#include "vault_internal.h"

enum {
	Q_INODES,
	Q_DERIVED,
	Q_CHUNKS,
	Q_TAGS,
	N_QUERIES,
};

/* Whole tables are read, which is what they are for. */
static const char *const sql[N_QUERIES] = {
	[Q_INODES] = "SELECT mode & 61440, count(*), coalesce(sum(mapped), 0) FROM inodes WHERE nlink > 0 GROUP BY 1",
	[Q_DERIVED] = "SELECT count(*), coalesce(sum(i.mapped), 0) FROM derived d CROSS JOIN inodes i WHERE i.id = d.derived_id",
	[Q_CHUNKS] = "SELECT refs > 0, count(*), coalesce(sum(raw_size), 0), coalesce(sum(stored_size), 0) FROM chunks GROUP BY 1",
	[Q_TAGS] = "SELECT count(*) FROM tags",
};

const struct query_set stats_queries = { sql, N_QUERIES };

static int count_inodes(struct vault *vault, struct vault_stats *ret)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_stats, Q_INODES);
	int r;

	while ((r = db_step(&vault->db, row)) > 0) {
		mode_t type = (mode_t)column_u64(row, 0);

		if (S_ISREG(type)) {
			ret->n_files = column_u64(row, 1);
			ret->logical_bytes = column_u64(row, 2);
		} else if (S_ISDIR(type)) {
			ret->n_directories = column_u64(row, 1);
		} else {
			ret->n_other += column_u64(row, 1);
		}
	}
	return r;
}

/* They have been counted with the files. */
static int count_derived(struct vault *vault, struct vault_stats *ret)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_stats, Q_DERIVED);
	int r = db_step(&vault->db, row);

	if (r <= 0)
		return r;
	ret->n_derived = column_u64(row, 0);
	ret->derived_bytes = column_u64(row, 1);
	ret->n_files -= ret->n_derived < ret->n_files ? ret->n_derived : ret->n_files;	/* less only in a damaged vault */
	ret->logical_bytes -= ret->derived_bytes < ret->logical_bytes ? ret->derived_bytes : ret->logical_bytes;
	return 0;
}

static int count_chunks(struct vault *vault, struct vault_stats *ret)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_stats, Q_CHUNKS);
	int r;

	while ((r = db_step(&vault->db, row)) > 0) {
		if (column_u64(row, 0)) {
			ret->n_chunks = column_u64(row, 1);
			ret->chunk_bytes = column_u64(row, 2);
			ret->stored_bytes = column_u64(row, 3);
		} else {
			ret->n_dead_chunks = column_u64(row, 1);
			ret->dead_bytes = column_u64(row, 3);
		}
	}
	return r;
}

static int count_tags(struct vault *vault, struct vault_stats *ret)
{
	AUTO(query) sqlite3_stmt *row = db_query(&vault->db, DB_SET_stats, Q_TAGS);
	int r = db_step(&vault->db, row);

	if (r > 0)
		ret->n_tags = column_u64(row, 0);
	return r < 0 ? r : 0;
}

static uint64_t file_size(int dir_fd, const char *name)
{
	struct stat found;

	return fstatat(dir_fd, name, &found, 0) == 0 ? (uint64_t)found.st_size : 0;
}

int vault_stats(struct vault *vault, struct vault_stats *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	int r;

	*ret = (struct vault_stats){
		.commit = vault->state.commit,
		.chunk_average = vault->chunking.average,
		.pack_bytes = packs_total_size(vault->packs),
		.database_bytes = file_size(vault->dir_fd, "vault.db") + file_size(vault->dir_fd, "vault.db-wal"),
	};
	for (uint64_t n = packs_next(vault->packs, 0); n; n = packs_next(vault->packs, n))
		ret->n_packs++;
	r = count_inodes(vault, ret);
	if (r == 0)
		r = count_derived(vault, ret);
	if (r == 0)
		r = count_chunks(vault, ret);
	return r == 0 ? count_tags(vault, ret) : r;
}
