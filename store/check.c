/* check.c - looking at a whole vault: the order of things, what is found, which files are hit. See vault.h.
 *
 * All rows are read in one snapshot, which also says up to where the packs count. Beside a daemon that snapshot is a read
 * transaction: what the daemon adds stands behind its end, and packs that a row of it needs are not unlinked, since the
 * checkpoint that must come first waits for us (gc.c). */
#include "check_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "directories.h"
#include "search.h"
#include "state.h"

#define FILES_AT_ONCE 1024u /* damaged files that are looked up together */

/* ---- what is found ---- */

void check_found(struct check *check, const char *kind, struct place place, uint64_t inode,
		 const char *format, ...)
{
	AUTO(free) char *text = NULL;
	char path[VAULT_PATH_MAX + 1];
	struct vault_finding finding = {
		.kind = kind, .pack = place.pack, .offset = place.offset, .inode = inode
	};
	va_list args;

	if (check->counts->n_findings++ >= VAULT_FINDINGS_MAX || !check->options->found)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL; /* undefined then */
	va_end(args);
	finding.text = text ? text : "(no memory to say what)";
	if (inode != 0 && vault_path_of_locked(check->vault, inode, path, sizeof(path)))
		finding.path = path;
	check->options->found(check->options->context, &finding);
}

struct check_pack *check_pack_of(struct check *check, uint64_t number)
{
	size_t low = 0, high = check->n_packs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (check->packs[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < check->n_packs && check->packs[low].number == number)
		return &check->packs[low];
	if (check->n_packs == check->packs_room) {
		size_t room = check->packs_room ? 2 * check->packs_room : 64;
		struct check_pack *packs = reallocarray(check->packs, room, sizeof(*packs));

		if (!packs) {
			(void)log_err(-ENOMEM, "%s: no memory for the list of packs", check->vault->path);
			return NULL;
		}
		check->packs = packs;
		check->packs_room = room;
	}
	memmove(check->packs + low + 1, check->packs + low, (check->n_packs - low) * sizeof(*check->packs));
	check->packs[low] = (struct check_pack){ .number = number };
	check->n_packs++;
	return &check->packs[low];
}

void check_damaged_add(struct check *check, uint64_t chunk)
{
	if (check->n_damaged < CHECK_DAMAGED_MAX)
		check->damaged[check->n_damaged++] = chunk;
}

int check_compare_ids(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return first < second ? -1 : first > second;
}

int check_prepare(struct check *check, const char *sql, sqlite3_stmt **ret)
{
	return db_errno(&check->vault->db, sqlite3_prepare_v2(check->vault->db.handle, sql, -1, ret, NULL),
			sql);
}

/* ---- files that are hit ---- */

struct hit {
	uint64_t manifest;
	uint64_t offset; /* of the first bytes that cannot be read */
	uint64_t bytes;  /* all of them */
};

/* Name the files of `n` hits, whose manifests ascend. Those of dropped manifests have none. */
static int name_hits(struct check *check, const struct hit *hits, size_t n)
{
	AUTO(statement) sqlite3_stmt *row = NULL;
	int r = n > 0 ? check_prepare(check, "SELECT id, manifest_id FROM inodes WHERE manifest_id <> 0",
				      &row)
		      : 0;

	while (r == 0 && n > 0 && (r = db_step(&check->vault->db, row)) > 0) {
		uint64_t manifest = column_u64(row, 1);
		const struct hit *hit = bsearch(&manifest, hits, n, sizeof(*hits), check_compare_ids);

		r = 0;
		if (!hit)
			continue;
		check->counts->n_damaged_files++;
		check_found(check, "file", NOWHERE, column_u64(row, 0),
			    "%" PRIu64 " bytes cannot be read, the first at %" PRIu64, hit->bytes,
			    hit->offset);
	}
	return r < 0 ? r : 0;
}

int check_files_hit(struct check *check)
{
	AUTO(statement) sqlite3_stmt *row = NULL;
	AUTO(free) struct hit *hits = NULL;
	size_t n = 0;
	int r;

	if (check->n_damaged == 0)
		return 0;
	qsort(check->damaged, check->n_damaged, sizeof(*check->damaged), check_compare_ids);
	hits = calloc(FILES_AT_ONCE, sizeof(*hits));
	if (!hits)
		return log_err(-ENOMEM, "%s: no memory to find the files that are hit", check->vault->path);
	r = check_prepare(
		check,
		"SELECT manifest_id, offset, length, chunk_id FROM extents ORDER BY manifest_id, offset",
		&row);
	while (r == 0 && (r = db_step(&check->vault->db, row)) > 0) {
		uint64_t manifest = column_u64(row, 0), chunk = column_u64(row, 3);

		r = 0;
		if (!bsearch(&chunk, check->damaged, check->n_damaged, sizeof(chunk), check_compare_ids))
			continue;
		if (n > 0 && hits[n - 1].manifest == manifest) {
			hits[n - 1].bytes += column_u64(row, 2);
			continue;
		}
		if (n == FILES_AT_ONCE) {
			r = name_hits(check, hits, n);
			n = 0;
		}
		hits[n++] = (struct hit){ manifest, column_u64(row, 1), column_u64(row, 2) };
	}
	if (r == 0)
		r = name_hits(check, hits, n);
	if (r == 0 && check->n_damaged == CHECK_DAMAGED_MAX)
		check_found(check, "file", NOWHERE, 0,
			    "more than %u chunks are damaged: not all files that are hit are named",
			    CHECK_DAMAGED_MAX);
	return r;
}

/* ---- one snapshot ---- */

/* Errors of pages come many to a row: a line is a finding, and one is a heading. */
static void found_in_database(struct check *check, const char *text)
{
	while (*text) {
		size_t size = strcspn(text, "\n");

		if (size > 0 && text[0] != '*')
			check_found(check, "database", NOWHERE, 0, "vault.db: %.*s", (int)size, text);
		text += size + (text[size] == '\n');
	}
}

/* SQLite's own look at pages, indices and constraints. */
static int check_database(struct check *check)
{
	AUTO(statement) sqlite3_stmt *row = NULL;
	int r = check_prepare(check, "PRAGMA main.integrity_check(100)", &row);

	while (r == 0 && (r = db_step(&check->vault->db, row)) > 0) {
		const char *text = (const char *)sqlite3_column_text(row, 0);

		r = 0;
		if (text && strcmp(text, "ok") != 0)
			found_in_database(check, text);
	}
	return r;
}

static int begin_snapshot(struct check *check)
{
	struct vault *vault = check->vault;
	/* Sorting millions of rows: on disk, not in memory. */
	int r = db_exec(&vault->db, "PRAGMA temp_store = FILE");

	if (r == 0)
		r = db_exec(&vault->db, "BEGIN");
	if (r == 0)
		r = state_load_locked(vault, &check->state);
	check->counts->commit = check->state.commit;
	return r;
}

/* A part that meets a page which cannot be read is cut short, and that is a finding. */
static int run_part(struct check *check, int (*part)(struct check *check), const char *what)
{
	int r = part(check);

	if (r == -EBADMSG)
		check_found(check, "database", NOWHERE, 0,
			    "vault.db is damaged: %s could not be checked to the end", what);
	return r == -EBADMSG ? 0 : r;
}

static int check_all(struct check *check)
{
	int r = begin_snapshot(check);

	if (r == 0 && check->vault->at_odds)
		check_found(check, "commit", check->state.record, 0,
			    "vault.db and the packs do not belong together behind commit %" PRIu64
			    ", as no crash leaves them",
			    check->state.commit);
	if (r == 0)
		r = run_part(check, check_database, "its pages");
	if (r == 0)
		r = run_part(check, check_packs, "the packs");
	if (r == 0)
		r = run_part(check, check_chunks, "chunks and extents");
	if (r == 0)
		r = run_part(check, check_lost_records, "the chunks' records");
	if (r == 0)
		r = run_part(check, check_tables, "names and attributes");
	if (r == 0)
		r = run_part(check, check_files_hit, "which files are hit");
	if (r == 0 && check->options->flags & VAULT_CHECK_DEEP)
		r = check_deep(check);
	db_rollback(&check->vault->db); /* nothing was changed */
	return r;
}

/* ---- opening ---- */

static void auto_opened(struct vault **vault)
{
	(void)vault_close(*vault); /* opened for reading: nothing to commit */
}

/* Is there a write-ahead log in the vault at `path`? It is there while somebody has the vault open, and after a crash. */
static bool has_log(const char *path)
{
	AUTO(free) char *name = NULL;
	struct stat st;

	if (asprintf(&name, "%s/vault.db-wal", path) < 0) {
		name = NULL; /* undefined then */
		return false;
	}
	return stat(name, &st) == 0 && st.st_size > 0;
}

/* Does something stand behind the last commit that the next opening cuts off? */
static bool has_tail(const struct vault *vault)
{
	const struct place *end = &vault->state.end;

	return packs_last(vault->packs) != end->pack || packs_size(vault->packs, end->pack) != end->offset;
}

/* May a recovery write? Not on a read-only disk, nor where the packs must be left as they are. */
static bool can_recover(const struct vault *vault)
{
	return !vault->at_odds && faccessat(vault->dir_fd, ".", W_OK, 0) == 0;
}

/* A vault that was not closed cleanly is opened for writing once, which rolls it forward and cuts what no commit covers. */
static int recover(const char *path, struct vault **vault)
{
	struct vault_open_options options = { .flags = VAULT_OPEN_READ_ONLY };
	struct vault *opened = NULL;
	int r = vault_close(TAKE(*vault));

	if (r == 0)
		r = vault_open(path, NULL, &opened);
	if (r == 0)
		r = vault_close(opened);
	return r < 0 ? r : vault_open(path, &options, vault);
}

static int open_for_check(const char *path, unsigned flags, struct vault **ret)
{
	struct vault_open_options options = { .flags = flags & VAULT_CHECK_SHARED ? VAULT_OPEN_SHARED
										  : VAULT_OPEN_READ_ONLY };
	bool unclean = !(flags & VAULT_CHECK_SHARED) && has_log(path);
	AUTO(opened) struct vault *vault = NULL;
	int r = vault_open(path, &options, &vault);

	if (r == 0 && !(flags & VAULT_CHECK_SHARED) && (unclean || has_tail(vault)) && can_recover(vault))
		r = recover(path, &vault);
	if (r == 0)
		*ret = TAKE(vault);
	return r;
}

int vault_check(const char *path, const struct vault_check_options *options, struct vault_check_counts *ret)
{
	struct check check = { .options = options, .counts = ret };
	AUTO(opened) struct vault *vault = NULL;
	int r;

	*ret = (struct vault_check_counts){ .n_findings = 0 };
	if (options->flags & VAULT_CHECK_SHARED && options->flags & VAULT_CHECK_DEEP)
		return log_err(
			-EINVAL,
			"%s: is in use: what vault.db would be if it were built anew can only be compared when it is "
			"not mounted",
			path);
	r = open_for_check(path, options->flags, &vault);
	if (r < 0)
		return r;
	check.vault = vault;
	check.damaged = calloc(CHECK_DAMAGED_MAX, sizeof(*check.damaged));
	if (!check.damaged)
		return log_err(-ENOMEM, "%s: no memory to check it", path);
	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);

		r = check_all(&check);
	}
	if (r == 0)
		search_look(vault);
	free(check.damaged);
	free(check.packs);
	free(check.picture.chunks);
	return r;
}
