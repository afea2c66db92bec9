/* power_check.c - is this state of a disk a vault that kept its promises? See power.h. */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"
#include "log.h"
#include "library.h"
#include "power.h"
#include "search.h"
#include "vault_internal.h"

/* ---- what the vault says ---- */

static struct {
	pthread_mutex_t lock;
	char text[2048];
	size_t size;
} said = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void listen(enum log_level level, const char *line, void *context)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&said.lock);

	(void)level;
	(void)context;
	if (said.size < sizeof(said.text))
		said.size += (size_t)snprintf(said.text + said.size, sizeof(said.text) - said.size,
					      "\n  vaultfs: %s", line);
}

static void listen_anew(void)
{
	said.size = 0;
	said.text[0] = '\0';
	log_set_sink(listen, NULL, LOG_LEVEL_INFO);
}

/* False, with what was said. */
static bool wrong(char *ret_message, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(char *ret_message, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(ret_message, STATE_MESSAGE, format, args);
	va_end(args);
	if (n >= 0 && (unsigned)n < STATE_MESSAGE)
		(void)snprintf(ret_message + n, STATE_MESSAGE - (unsigned)n, "%s", said.text);
	return false;
}

/* ---- expectations ---- */

struct expectation story_expect(const struct story *story, const struct disk_log *log, size_t at)
{
	struct expectation e = { story, story->kept, story->kept };

	for (size_t i = 0; i < at; i++) {
		struct mark mark;

		if (log->entries[i].head.kind != LOG_MARK || log->entries[i].head.data_size != sizeof(mark))
			continue;
		memcpy(&mark, log->entries[i].data, sizeof(mark));
		mark.moment += log->entries[i].head.offset;
		if (mark.kind == MARK_PROMISE)
			e.first = (int64_t)mark.moment;
		if ((int64_t)mark.moment > e.last)
			e.last = (int64_t)mark.moment;
	}
	return e;
}

static bool find_moment(const struct expectation *e, const struct tree *found, int64_t *ret_moment,
			char *ret_message)
{
	char difference[STATE_MESSAGE / 2];
	size_t fewest = SIZE_MAX;
	int64_t first = e->first < 0 ? 0 : e->first;
	int64_t last = e->last < 0 ? 0 : e->last; /* creating it had not returned, but it is there */
	int64_t closest = 0;

	for (int64_t i = last; i >= first; i--) {
		if (tree_equal(found, &e->story->moments[i])) {
			*ret_moment = i;
			return true;
		}
	}
	for (int64_t i = 0; i < (int64_t)e->story->n; i++) {
		size_t n = tree_compare(found, &e->story->moments[i], difference, sizeof(difference));

		if (n < fewest || (n == fewest && i <= last)) {
			fewest = n;
			closest = i;
		}
	}
	(void)tree_compare(found, &e->story->moments[closest], difference, sizeof(difference));
	return wrong(ret_message,
		     "no moment from %" PRId64 " to %" PRId64 " was like this; closest is %" PRId64
		     ", with %zu lines different:%s",
		     first, last, closest, fewest, difference);
}

/* ---- opening ---- */

static bool read_vault(struct vault *vault, const struct story *story, struct tree *ret, char *ret_message)
{
	char message[1024];

	return tree_read(vault, story->flags, ret, message, sizeof(message)) == 0 ||
	       wrong(ret_message, "cannot be read: %s", message);
}

static bool open_vault(const char *path, struct vault **ret, char *ret_message)
{
	int r = vault_open(path, NULL, ret);

	if (r < 0)
		return wrong(ret_message, "does not open: %s", strerror(-r));
	if (!vault_is_read_only(*ret))
		return true;
	(void)vault_close(*ret); /* read-only: nothing to lose */
	*ret = NULL;
	return wrong(ret_message, "was opened read-only");
}

static bool close_vault(struct vault *vault, char *ret_message)
{
	int r = vault_close(vault);

	return r == 0 || wrong(ret_message, "does not close: %s", strerror(-r));
}

/* ---- searching ---- */

/* How many documents are of no file, and how many files have none, or one with other names. */
static const char misfound[] =
	"SELECT (SELECT count(*) FROM search.documents d WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.inode_id = d.id)), "
	"(SELECT count(*) FROM inodes i WHERE i.mode & 61440 = 32768 "
	"AND EXISTS (SELECT 1 FROM entries e WHERE e.inode_id = i.id) "
	"AND coalesce((SELECT d.name FROM search.documents d WHERE d.id = i.id), '') <> "
	"(SELECT group_concat(name, '/') FROM (SELECT name FROM entries e WHERE e.inode_id = i.id ORDER BY cookie)))";

/* What search.db had when the power went, and what it had not: it finds what is there. */
static bool search_vault(struct vault *vault, char *ret_message)
{
	AUTO(statement) sqlite3_stmt *row = NULL;
	struct db db = { .path = NULL };
	int r = vault_search_sync(vault);
	int documents = -1, files = -1;

	if (r == 0)
		r = db_open_in(&db, vault->dir_fd, vault->db.path, DB_OPEN_READ_ONLY | DB_OPEN_BARE);
	if (r == 0)
		r = search_attach(vault, &db);
	if (r == 0 && sqlite3_prepare_v2(db.handle, misfound, -1, &row, NULL) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW) {
		documents = sqlite3_column_int(row, 0);
		files = sqlite3_column_int(row, 1);
	}
	(void)sqlite3_finalize(TAKE(row));
	db_close(&db);
	return (documents == 0 && files == 0) ||
	       wrong(ret_message, "searching it (%d): %d documents too many, %d files are not found", r, documents, files);
}

/* ---- writing on ---- */

static int change(struct vault *vault, unsigned step, uint64_t seed)
{
	struct vault_attr wanted = { .mode = S_IFREG | 0644, .uid = 1, .gid = 1 }, attr = { .id = 0 };
	struct random random = { seed };
	struct vault_file *file = NULL;
	static uint8_t bytes[200000];
	size_t size = random_size(&random, sizeof(bytes));
	char name[64];
	int r;

	(void)snprintf(name, sizeof(name), "written %" PRIx64, seed);
	r = step == 0 ? 0 : vault_resolve(vault, name, &attr);
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t word = random_next(&random);

		memcpy(bytes + i, &word, 8);
	}
	if (r == 0 && step == 1)
		r = vault_file_open(vault, attr.id, &file);
	if (r < 0)
		return r;
	vault_change_begin(vault, size);
	if (step == 0)
		r = vault_make(vault, VAULT_ROOT_ID, name, &wanted, NULL, &attr);
	else if (step == 1)
		r = vault_write(file, 0, bytes, size, 0);
	else
		r = vault_setxattr(vault, attr.id, "user.xdg.tags", "afterwards", 10, 0);
	vault_change_end(vault);
	vault_file_close(file);
	return r;
}

/* Three changes, each a moment of `story`; the last one is promised. */
static bool write_on(struct vault *vault, uint64_t seed, struct story *story, char *ret_message)
{
	int r = 0;

	for (unsigned step = 0; step < 3; step++) {
		struct tree tree;

		story_begin(story);
		r = change(vault, step, seed);
		if (r < 0)
			return wrong(ret_message, "does not go on with step %u: %s", step, strerror(-r));
		if (!read_vault(vault, story, &tree, ret_message))
			return false;
		*story_add(story) = tree;
	}
	r = vault_sync(vault);
	if (r < 0)
		return wrong(ret_message, "does not sync: %s", strerror(-r));
	story_promise(story);
	return true;
}

struct findings {
	char text[1024];
	size_t size;
};

static void found(void *context, const struct vault_finding *finding)
{
	struct findings *f = context;

	if (f->size < sizeof(f->text))
		f->size += (size_t)snprintf(f->text + f->size, sizeof(f->text) - f->size,
					    "\n  %s at %" PRIu64 ":%" PRIu64 ": %s", finding->kind,
					    finding->pack, finding->offset, finding->text);
}

/* Every record, extent and reference; if `deep` a database built anew must be the same. */
static bool check_whole(const char *path, bool deep, char *ret_message)
{
	struct findings findings = { .size = 0 };
	const struct vault_check_options options = { .flags = deep ? VAULT_CHECK_DEEP : 0,
						     .found = found,
						     .context = &findings };
	struct vault_check_counts counts;
	int r = vault_check(path, &options, &counts);

	if (r < 0)
		return wrong(ret_message, "cannot be checked: %s", strerror(-r));
	return counts.n_findings == 0 ||
	       wrong(ret_message, "checked, %" PRIu64 " findings:%s", counts.n_findings, findings.text);
}

/* Open it again: it must be as at the end of the story. */
static bool compare_again(const char *path, const struct story *story, char *ret_message)
{
	const struct expectation e = { story, (int64_t)story->n - 1, (int64_t)story->n - 1 };
	struct vault *vault = NULL;
	struct tree tree = { 0 };
	int64_t moment;
	bool good;

	if (!open_vault(path, &vault, ret_message))
		return false;
	good = read_vault(vault, story, &tree, ret_message) && find_moment(&e, &tree, &moment, ret_message);
	tree_release(&tree);
	return close_vault(vault, ret_message) && good;
}

/* ---- cutting again ---- */

/* Disks as they may be while `log` was written, from log->begin on: each must show one of the story's moments, too. */
static bool cut_log(const struct disk_log *log, const struct story *story, unsigned n, const char *work,
		    uint64_t seed, char *ret_message)
{
	AUTO(free) char *path = disk_path(work, "again");
	AUTO(free) char *vault = disk_path(path, "test.vault");
	struct random random = { seed };
	struct disk *disk = disk_new(log, NULL);
	size_t length = log->n - log->begin;
	bool good = true;

	for (unsigned i = 0; good && i < n; i++) {
		struct disk_choice choice =
			disk_choose((unsigned)random_below(&random, 40), random_next(&random));
		size_t at = log->begin + length * i / n + random_below(&random, length / n + 1);
		char what[200], message[STATE_MESSAGE];
		struct expectation e = story_expect(story, log, at);
		int64_t moment;

		disk_advance(disk, at);
		disk_write_out(disk, &choice, path);
		good = state_check(vault, &e, 0, NULL, work, random_next(&random), &moment, message);
		disk_describe(&choice, what, sizeof(what));
		if (!good)
			(void)snprintf(ret_message, STATE_MESSAGE,
				       "cut again at %zu of %zu (%s), promised %" PRId64 ", begun %" PRId64
				       ": %.3000s",
				       at - log->begin, length, what, e.first, e.last, message);
		remove_tree(path);
	}
	disk_free(disk);
	return good;
}

/* `log` is of a program that began with what another one, killed then, had written: not all of it was flushed. */
static bool cut_after_kill(const struct disk *before, const struct disk_log *log,
			   const struct expectation *expected, const struct story *story, unsigned n,
			   const char *work, uint64_t seed, char *ret_message)
{
	size_t n_before = (size_t)(expected->last + 1);
	struct story both = { .flags = story->flags,
			      .kept = expected->story->kept,
			      .n = n_before + story->n };
	struct disk_log joined;
	bool good;

	both.moments = disk_resize(NULL, both.n, sizeof(*both.moments));
	memcpy(both.moments, expected->story->moments, n_before * sizeof(*both.moments));
	memcpy(both.moments + n_before, story->moments, story->n * sizeof(*both.moments));
	disk_log_join(before, log, n_before, &joined);
	good = cut_log(&joined, &both, n, work, seed, ret_message);
	disk_log_release(&joined);
	free(both.moments);
	return good;
}

/* ---- all of it ---- */

/* Open, compare, write on, close. The story begins with what was found. */
static bool first_time(const char *path, const struct expectation *expected, uint64_t seed,
		       struct story *story, int64_t *ret_moment, char *ret_message)
{
	struct vault *vault = NULL;
	struct tree tree = { 0 };
	bool good;

	if (!open_vault(path, &vault, ret_message))
		return false;
	good = read_vault(vault, story, &tree, ret_message) &&
	       find_moment(expected, &tree, ret_moment, ret_message);
	*story_add(story) = tree;
	if (good)
		good = search_vault(vault, ret_message);
	if (good)
		good = write_on(vault, seed, story, ret_message);
	return close_vault(vault, ret_message) && good;
}

static bool rebuild(const char *path, char *ret_message)
{
	int r = vault_rebuild(path, 0);

	return r == 0 || wrong(ret_message, "cannot be rebuilt: %s", strerror(-r));
}

/* The root of the disk that `path` stands on, and the log of what happens to it. */
static void record(const char *path, const char *log)
{
	AUTO(free) char *root = disk_path(path, "");
	int r;

	root[strrchr(path, '/') - path] = '\0';
	r = interpose_start(&interpose_record, root, log);
	if (r < 0)
		disk_die("%s: cannot record: %s", log, strerror(-r));
}

static bool cut_again(const char *log_path, const struct expectation *expected, const struct story *story,
		      unsigned n, const struct disk *killed, const char *work, uint64_t seed,
		      char *ret_message)
{
	struct disk_log log;
	bool good;

	disk_log_read(log_path, &log);
	good = killed ? cut_after_kill(killed, &log, expected, story, n, work, seed, ret_message)
		      : cut_log(&log, story, n, work, seed, ret_message);
	disk_log_release(&log);
	return good;
}

bool state_check(const char *path, const struct expectation *expected, unsigned again,
		 const struct disk *killed, const char *work, uint64_t seed, int64_t *ret_moment,
		 char *ret_message)
{
	struct story story = { .flags = expected->story->flags };
	AUTO(free) char *log = disk_path(work, "again.log");
	bool good = true;

	*ret_moment = -1;
	listen_anew();
	if (again > 0)
		record(path, log);
	if (killed && seed % 2)
		good = rebuild(path, ret_message);
	if (good)
		good = first_time(path, expected, seed, &story, ret_moment, ret_message);
	if (again > 0)
		interpose_stop();
	if (!good && expected->first < 0 && story.n == 0)
		good = true; /* there is no vault yet, and it says so */
	else if (good)
		good = check_whole(path, seed % 4 == 0, ret_message) &&
		       compare_again(path, &story, ret_message);
	if (good && again > 0 && story.n > 0)
		good = cut_again(log, expected, &story, again, killed, work, seed, ret_message);
	if (again > 0)
		(void)remove(log);
	story_release(&story);
	return good;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* what is not there need not go */
}
