/* follow.c - locations are brought in and followed. See follow.h.
 *
 * A directory in which something happened is looked at when it has been quiet for a moment, by the same code that
 * imports: what is of the same size and time stays, what is new or other is brought in. So it does not matter which
 * events come, only where. Moves are the exception: they are done as moves, so that tags and notes go with the files.
 * What is deleted outside stays in the vault. */
#include "follow.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "auto.h"
#include "device.h"
#include "import.h"
#include "log.h"
#include "told_names.h"
#include "tree_watch.h"

#define QUIET_MS 1000     /* a directory is looked at when nothing happened in it for this long ... */
#define PATIENCE_MS 10000 /* ... or this long after the first thing did */
#define DIRTY_MAX 4096u   /* directories remembered of a location; more, and all of it is gone through */

/* A directory to look at again. */
struct dirty {
	char *path; /* from the location's top */
	int64_t first_ms, last_ms;
};

/* A location of this device, as the thread knows it. */
struct followed {
	uint64_t id, directory_id;
	char *path;
	enum vault_location_mode mode;
	bool watch, paused;
	bool scan; /* all of it is to be gone through */
	bool is_watched;
	bool seen; /* in the list that is being read */
	struct dirty *dirty;
	size_t n_dirty;
};

struct follow {
	struct vault *vault;
	struct fs *fs;
	uint64_t device_id;
	pthread_t thread;
	int event_fd;          /* written when there is a command, or the end */
	atomic_bool stopping;  /* with event_fd; also read in the middle of an import */
	atomic_bool interrupt; /* the same: the locations are to be read anew, or it ends */
	pthread_mutex_t rows;  /* a leaf: held to read and write a location's row, inside a change */
	struct import_witness witness;
	struct told_names told;
	struct tree_watch *watch;
	struct followed *locations; /* the thread's own, as all below */
	size_t n_locations;
};

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* as above */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- rows ---- */

/* A location's row, with its texts copied. */
struct row {
	struct vault_location location;
	char path[VAULT_PATH_MAX + 1];
	char error[VAULT_LOCATION_ERROR_MAX + 1];
	bool found;
};

static void row_copy(struct row *row, const struct vault_location *location)
{
	row->location = *location;
	(void)snprintf(row->path, sizeof(row->path), "%s", location->path);
	row->location.path = row->path;
	if (location->error) {
		(void)snprintf(row->error, sizeof(row->error), "%s", location->error);
		row->location.error = row->error;
	}
	row->found = true;
}

struct row_search {
	uint64_t id;
	struct row *row;
};

static int find_row(void *context, const struct vault_location *location)
{
	struct row_search *search = context;

	if (location->id != search->id)
		return 0;
	row_copy(search->row, location);
	return 1;
}

/* Read a row, let `edit` change it, write it. Within a change. */
static int edit_row(struct follow *follow, uint64_t id,
		    void (*edit)(struct vault_location *location, const void *context), const void *context)
{
	AUTO(free) struct row *row = calloc(1, sizeof(*row));
	struct row_search search = { id, row };
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r;

	if (!row)
		return -ENOMEM;
	held = lock_mutex(&follow->rows);
	r = vault_locations(follow->vault, find_row, &search);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	edit(&row->location, context);
	return vault_location_set(follow->vault, &row->location);
}

/* How going through a location went. */
struct outcome {
	enum vault_location_state state;
	uint64_t n_files, n_bytes;
	const char *error;
};

/* One that was paused meanwhile stays so. */
static void edit_outcome(struct vault_location *location, const void *context)
{
	const struct outcome *outcome = context;

	if (location->state == VAULT_LOCATION_PAUSED)
		return;
	location->state = outcome->state;
	location->error = outcome->error;
	if (outcome->state == VAULT_LOCATION_SCANNING)
		return;
	location->n_files = outcome->n_files;
	location->n_bytes = outcome->n_bytes;
	if (outcome->state == VAULT_LOCATION_COMPLETE)
		location->scanned_ns = now_ns();
}

static void note_outcome(struct follow *follow, const struct followed *location,
			 const struct outcome *outcome)
{
	int r;

	vault_change_begin(follow->vault, 0);
	r = edit_row(follow, location->id, edit_outcome, outcome);
	vault_change_end(follow->vault);
	if (r < 0 && r != -ENOENT) /* it was removed meanwhile */
		log_warn("location %s: its state could not be noted: %s", location->path, strerror(-r));
}

/* ---- the list ---- */

static void followed_release(struct followed *location)
{
	for (size_t i = 0; i < location->n_dirty; i++)
		free(location->dirty[i].path);
	free(location->dirty);
	free(location->path);
}

static struct followed *find_location(struct follow *follow, uint64_t id)
{
	for (size_t i = 0; i < follow->n_locations; i++)
		if (follow->locations[i].id == id)
			return &follow->locations[i];
	return NULL;
}

static struct followed *add_location(struct follow *follow, const struct vault_location *row)
{
	struct followed *locations =
		realloc(follow->locations, (follow->n_locations + 1) * sizeof(*locations));
	struct followed *added;

	if (!locations)
		return NULL;
	follow->locations = locations;
	added = &locations[follow->n_locations];
	*added = (struct followed){ .id = row->id, .path = strdup(row->path) };
	if (!added->path)
		return NULL;
	/* What was not finished is gone on with; what is followed may have changed while nobody looked. */
	added->scan =
		row->watch || row->state == VAULT_LOCATION_PENDING || row->state == VAULT_LOCATION_SCANNING;
	follow->n_locations++;
	return added;
}

static int take_row(void *context, const struct vault_location *row)
{
	struct follow *follow = context;
	struct followed *location;

	if (row->device_id != follow->device_id)
		return 0;
	location = find_location(follow, row->id);
	if (!location)
		location = add_location(follow, row);
	if (!location)
		return -ENOMEM;
	if (row->state == VAULT_LOCATION_PENDING || (location->paused && row->state != VAULT_LOCATION_PAUSED))
		location->scan = true;
	location->paused = row->state == VAULT_LOCATION_PAUSED;
	location->directory_id = row->directory_id;
	location->mode = row->mode;
	location->watch = row->watch;
	location->seen = true;
	return 0;
}

static void stop_watching(struct follow *follow, struct followed *location)
{
	if (location->is_watched)
		tree_watch_remove(follow->watch, location->id);
	location->is_watched = false;
}

/* Make the list that of the vault. */
static void read_list(struct follow *follow)
{
	size_t kept = 0;
	int r;

	for (size_t i = 0; i < follow->n_locations; i++)
		follow->locations[i].seen = false;
	r = vault_locations(follow->vault, take_row, follow);
	if (r < 0) {
		log_warn("locations cannot be read: %s", strerror(-r));
		return;
	}
	for (size_t i = 0; i < follow->n_locations; i++) {
		struct followed *location = &follow->locations[i];

		if (!location->seen || location->paused || !location->watch)
			stop_watching(follow, location);
		if (location->seen)
			follow->locations[kept++] = *location;
		else
			followed_release(location);
	}
	follow->n_locations = kept;
}

/* ---- bringing in ---- */

static int import(struct follow *follow, const struct followed *location, const char *source,
		  const char *into, bool shallow, struct import_totals *totals, uint64_t *ret_n_failed)
{
	const struct import_options options = {
		.into = into,
		.into_id = location->directory_id,
		.update = true,
		.shallow = shallow,
		.metadata_only = location->mode == VAULT_LOCATION_METADATA,
		.device_id = follow->device_id,
		.location_id = location->id,
		.totals = totals,
		.witness = &follow->witness,
		.cancelled = &follow->interrupt,
	};

	return import_tree(follow->vault, source, &options, ret_n_failed);
}

/* What a person is to know of a failure. */
static void describe_failure(const struct followed *location, int r, uint64_t n_failed, char *text,
			     size_t size)
{
	if (r < 0)
		(void)snprintf(text, size, "%.200s: %s", location->path, strerror(-r));
	else
		(void)snprintf(text, size, "%" PRIu64 " files or directories could not be read", n_failed);
}

/* Go through all of it. Before that it is watched, so that nothing happens unseen. */
static void scan(struct follow *follow, struct followed *location)
{
	struct outcome outcome = { .state = VAULT_LOCATION_SCANNING };
	char error[VAULT_LOCATION_ERROR_MAX + 1];
	struct import_totals totals = { 0 };
	struct vault_attr directory;
	uint64_t n_failed = 0;
	int r = 0;

	location->scan = false;
	note_outcome(follow, location, &outcome);
	if (fs_holds(follow->fs, location->path))
		r = -EINVAL;
	if (r == 0 && location->watch && !location->is_watched) {
		r = tree_watch_add(follow->watch, location->id, location->path);
		location->is_watched = r == 0;
	}
	if (r == 0)
		r = vault_getattr(follow->vault, location->directory_id, &directory);
	if (r == 0)
		r = import(follow, location, location->path, "", false, &totals, &n_failed);
	if (r == -ECANCELED) {
		location->scan = true;
		return;
	}
	outcome.state = r < 0 || n_failed > 0 ? VAULT_LOCATION_ERROR : VAULT_LOCATION_COMPLETE;
	outcome.n_files = atomic_load_explicit(&totals.n_files, memory_order_relaxed);
	outcome.n_bytes = atomic_load_explicit(&totals.n_bytes, memory_order_relaxed);
	if (outcome.state == VAULT_LOCATION_ERROR) {
		describe_failure(location, r, n_failed, error, sizeof(error));
		outcome.error = error;
	}
	note_outcome(follow, location, &outcome);
}

static void look_again(struct follow *follow, struct followed *location, const char *path)
{
	AUTO(free) char *source = NULL;
	uint64_t n_failed = 0;
	struct stat st;
	int r;

	if (asprintf(&source, "%s/%s", location->path, path) < 0) {
		source = NULL; /* undefined then */
		location->scan = true;
		return;
	}
	if (stat(source, &st) < 0 || !S_ISDIR(st.st_mode))
		return; /* gone meanwhile: what it held stays */
	r = import(follow, location, source, path, true, NULL, &n_failed);
	if (r < 0)
		location->scan = true; /* and that one's outcome is noted */
}

/* ---- events ---- */

static void mark_dirty(struct followed *location, const char *path)
{
	struct dirty *dirty;
	int64_t now = now_ms();

	for (size_t i = 0; i < location->n_dirty; i++) {
		if (strcmp(location->dirty[i].path, path) == 0) {
			location->dirty[i].last_ms = now;
			return;
		}
	}
	dirty = location->n_dirty < DIRTY_MAX
			? realloc(location->dirty, (location->n_dirty + 1) * sizeof(*dirty))
			: NULL;
	if (!dirty) {
		location->scan = true;
		return;
	}
	location->dirty = dirty;
	dirty[location->n_dirty] = (struct dirty){ .path = strdup(path), .first_ms = now, .last_ms = now };
	if (dirty[location->n_dirty].path)
		location->n_dirty++;
	else
		location->scan = true;
}

static void on_changed(void *context, uint64_t tree, const char *directory)
{
	struct followed *location = find_location(context, tree);

	if (location)
		mark_dirty(location, directory);
}

static void on_overflow(void *context)
{
	struct follow *follow = context;

	for (size_t i = 0; i < follow->n_locations; i++)
		if (follow->locations[i].is_watched)
			follow->locations[i].scan = true;
}

/* The directory of the vault that holds `path` (from the location's directory), and the last name in it. */
static int resolve(struct follow *follow, const struct followed *location, const char *path,
		   uint64_t *ret_parent, const char **ret_name)
{
	struct vault_attr at = { .id = location->directory_id };
	const char *slash;
	int r = 0;

	while (r == 0 && (slash = strchr(path, '/'))) {
		char name[VAULT_NAME_MAX + 1];

		if (slash - path > (ptrdiff_t)VAULT_NAME_MAX)
			return -ENAMETOOLONG;
		(void)snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		r = vault_lookup(follow->vault, at.id, name, &at);
		path = slash + 1;
	}
	*ret_parent = at.id;
	*ret_name = path;
	return r;
}

static int move(struct follow *follow, const struct followed *location, const char *from, const char *to)
{
	struct vault_attr replaced = { .id = 0 };
	uint64_t old_parent, new_parent;
	const char *old_name, *new_name;
	int r = resolve(follow, location, from, &old_parent, &old_name);

	if (r == 0)
		r = resolve(follow, location, to, &new_parent, &new_name);
	if (r < 0)
		return r;
	vault_change_begin(follow->vault, 0);
	r = vault_rename(follow->vault, old_parent, old_name, new_parent, new_name, VAULT_RENAME_INHERIT,
			 &replaced);
	vault_change_end(follow->vault);
	if (r < 0)
		return r;
	told_names_add(&follow->told, old_parent, old_name);
	told_names_add(&follow->told, new_parent, new_name);
	if (replaced.id != 0 && replaced.nlink == 0)
		fs_name_lost(follow->fs, replaced.id);
	return 0;
}

/* What cannot be moved, since it was not brought in yet or something stands there, is brought in where it is now. */
static void on_moved(void *context, uint64_t tree, const char *from, const char *to)
{
	struct follow *follow = context;
	struct followed *location = find_location(follow, tree);
	const char *slash = strrchr(to, '/');
	AUTO(free) char *directory = strndup(to, slash ? (size_t)(slash - to) : 0);

	if (!location)
		return;
	(void)move(follow, location, from, to);
	if (directory)
		mark_dirty(location, directory);
	else
		location->scan = true;
}

/* The mount, or the vault's directory? */
static bool is_own(void *context, const char *path)
{
	const struct follow *follow = context;
	struct stat vault, st;

	return fs_holds(follow->fs, path) || (stat(vault_path(follow->vault), &vault) == 0 && lstat(path, &st) == 0 &&
					      st.st_dev == vault.st_dev && st.st_ino == vault.st_ino);
}

/* ---- the thread ---- */

static int64_t due_ms(const struct dirty *dirty)
{
	int64_t quiet = dirty->last_ms + QUIET_MS, patience = dirty->first_ms + PATIENCE_MS;

	return quiet < patience ? quiet : patience;
}

static bool is_at_work(const struct follow *follow)
{
	return !atomic_load_explicit(&follow->interrupt, memory_order_relaxed);
}

static void look_at_due(struct follow *follow, struct followed *location)
{
	size_t i = 0;

	while (i < location->n_dirty && is_at_work(follow)) {
		struct dirty dirty = location->dirty[i];

		if (due_ms(&dirty) > now_ms()) {
			i++;
			continue;
		}
		location->dirty[i] = location->dirty[--location->n_dirty];
		look_again(follow, location, dirty.path);
		free(dirty.path);
	}
}

/* How long there is nothing to do: -1 until something comes. */
static int idle_ms(const struct follow *follow)
{
	int64_t next = INT64_MAX, now = now_ms();

	for (size_t i = 0; i < follow->n_locations; i++)
		for (size_t k = 0; k < follow->locations[i].n_dirty; k++)
			if (due_ms(&follow->locations[i].dirty[k]) < next)
				next = due_ms(&follow->locations[i].dirty[k]);
	return next == INT64_MAX ? -1 : next > now ? (int)(next - now) : 0;
}

static void work(struct follow *follow)
{
	for (size_t i = 0; i < follow->n_locations && is_at_work(follow); i++) {
		struct followed *location = &follow->locations[i];

		if (location->paused)
			continue;
		if (location->scan)
			scan(follow, location);
		look_at_due(follow, location);
	}
	told_names_again(&follow->told);
}

static void *run(void *context)
{
	struct follow *follow = context;
	uint64_t count;

	while (!atomic_load_explicit(&follow->stopping, memory_order_relaxed)) {
		struct pollfd fds[2] = {
			{ .fd = follow->event_fd, .events = POLLIN },
			{ .fd = tree_watch_fd(follow->watch), .events = POLLIN },
		};

		if (atomic_exchange_explicit(&follow->interrupt, false, memory_order_relaxed))
			read_list(follow);
		tree_watch_read(follow->watch);
		work(follow);
		if (is_at_work(follow) && poll(fds, 2, idle_ms(follow)) > 0 && fds[0].revents)
			(void)!read(follow->event_fd, &count, sizeof(count)); /* only resets it */
	}
	return NULL;
}

static void wake(struct follow *follow)
{
	const uint64_t one = 1;

	atomic_store_explicit(&follow->interrupt, true,
			      memory_order_relaxed);       /* what changed is under the vault's locks */
	(void)!write(follow->event_fd, &one, sizeof(one)); /* an eventfd far from full */
}

/* ---- for the driver, and the importer ---- */

static void name_changed(void *context, uint64_t parent, const char *name)
{
	struct follow *follow = context;

	told_names_add(&follow->told, parent, name);
}

static void name_lost(void *context, uint64_t id)
{
	const struct follow *follow = context;

	fs_name_lost(follow->fs, id);
}

static bool holds(void *context, const char *path)
{
	const struct follow *follow = context;

	return fs_holds(follow->fs, path);
}

static void follow_free(struct follow *follow)
{
	for (size_t i = 0; i < follow->n_locations; i++)
		followed_release(&follow->locations[i]);
	free(follow->locations);
	told_names_release(&follow->told);
	tree_watch_free(follow->watch);
	if (follow->event_fd >= 0)
		(void)close(follow->event_fd); /* nothing to lose */
	(void)pthread_mutex_destroy(&follow->rows);
	free(follow);
}

static int follow_new(struct vault *vault, struct fs *fs, struct follow **ret)
{
	struct follow *follow = calloc(1, sizeof(*follow));
	struct tree_witness witness = { follow, on_changed, on_moved, is_own, on_overflow };
	int r;

	if (!follow)
		return log_err(-ENOMEM, "no memory to follow locations");
	follow->vault = vault;
	follow->fs = fs;
	told_names_init(&follow->told, fs);
	follow->witness = (struct import_witness){ follow, name_changed, name_lost, holds };
	atomic_init(&follow->interrupt, true); /* the list is read first */
	(void)pthread_mutex_init(&follow->rows, NULL);
	follow->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = follow->event_fd < 0 ? log_err(-errno, "locations cannot be followed: ")
				 : tree_watch_new(&witness, &follow->watch);
	if (r == 0)
		r = device_put(vault, &follow->device_id);
	if (r < 0) {
		follow_free(follow);
		return r;
	}
	*ret = follow;
	return 0;
}

int follow_start(struct vault *vault, struct fs *fs, struct follow **ret)
{
	struct follow *follow = NULL;
	int r;

	*ret = NULL;
	if (vault_is_read_only(vault))
		return 0;
	r = follow_new(vault, fs, &follow);
	if (r < 0)
		return r;
	r = pthread_create(&follow->thread, NULL, run, follow);
	if (r != 0) {
		follow_free(follow);
		return log_err(-r, "locations cannot be followed: ");
	}
	(void)pthread_setname_np(follow->thread, "follow"); /* for people with top(1) */
	*ret = follow;
	return 0;
}

void follow_stop(struct follow *follow)
{
	if (!follow)
		return;
	atomic_store_explicit(&follow->stopping, true, memory_order_relaxed); /* the join orders the rest */
	wake(follow);
	(void)pthread_join(follow->thread, NULL);
	follow_free(follow);
}

/* ---- commands ---- */

struct overlap {
	const struct vault_location *added;
	bool found;
};

/* Is `path` at or below `top`? */
static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '/' || path[n] == '\0' || n == 1);
}

/* Directories are watched once: of two locations one of which lies in the other only one may be followed. */
static int find_overlap(void *context, const struct vault_location *location)
{
	struct overlap *overlap = context;

	overlap->found = overlap->found || (overlap->added->watch && location->watch &&
					    location->device_id == overlap->added->device_id &&
					    (is_below(location->path, overlap->added->path) ||
					     is_below(overlap->added->path, location->path)));
	return 0;
}

static int command_add(struct follow *follow, json_t *words)
{
	struct vault_location added = { .device_id = follow->device_id, .state = VAULT_LOCATION_PENDING };
	struct overlap overlap = { &added, false };
	const char *path, *mode;
	json_int_t directory;
	int watched, r;
	uint64_t id;

	if (json_unpack(words, "{s:s, s:I, s:s, s:b}", "path", &path, "directory", &directory, "mode", &mode,
			"watch", &watched) < 0 ||
	    vault_location_mode_find(mode, &added.mode) < 0)
		return -EINVAL;
	added.path = path;
	added.directory_id = (uint64_t)directory;
	added.watch = watched;
	r = vault_locations(follow->vault, find_overlap, &overlap);
	if (r < 0 || overlap.found)
		return r < 0 ? r : -EEXIST;
	return vault_location_add(follow->vault, &added, &id);
}

static void edit_state(struct vault_location *location, const void *state)
{
	location->state = *(const enum vault_location_state *)state;
	location->error = NULL;
}

static int command_one(struct follow *follow, const char *verb, uint64_t id)
{
	static const enum vault_location_state paused = VAULT_LOCATION_PAUSED,
					       pending = VAULT_LOCATION_PENDING;

	if (strcmp(verb, "pause") == 0)
		return edit_row(follow, id, edit_state, &paused);
	if (strcmp(verb, "resume") == 0)
		return edit_row(follow, id, edit_state, &pending);
	if (strcmp(verb, "remove") == 0)
		return vault_location_remove(follow->vault, id);
	return -EINVAL;
}

int follow_command(struct follow *follow, const char *text)
{
	json_t *words = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *verb = NULL;
	json_int_t id = 0;
	int r = -EINVAL;

	if (!follow)
		r = -EROFS;
	else if (words && json_unpack(words, "{s:s}", "do", &verb) == 0 && strcmp(verb, "add") == 0)
		r = command_add(follow, words);
	else if (verb && json_unpack(words, "{s:I}", "id", &id) == 0)
		r = command_one(follow, verb, (uint64_t)id);
	json_decref(words);
	if (r == 0)
		wake(follow);
	return r;
}
