/* view_list.c - listing view folders.
 *
 * The kernel does without OPENDIR, which saves real directories two requests each, so a reader of a folder has no handle.
 * What a folder showed when its reading began is remembered under a number, and the offsets of its entries are that number
 * and a place: readers go on in what they began, whatever changes. Only some are remembered. Who comes back for one that is
 * not goes on at the same place of what the folder shows now.
 *
 * Without OPENDIR the kernel also takes every directory for one that it may keep. It keeps a listing once it has come to an
 * end, which is an answer of no bytes. So the end of a view folder is an answer of a few bytes, too few for an entry: the
 * reader gets no more entries, and the kernel has nothing to keep (probed: fs/fuse/readdir.c).
 *
 * READDIRPLUS is answered without attributes: names in views are good for one moment, so that each would be looked up again
 * when it is used, and to have 100,000 inodes told to the kernel takes longer than the rest. */
#include "view_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "auto.h"
#include "loop.h"
#include "reply.h"

#define OFFSET_SELF 1u
#define OFFSET_PARENT 2u
#define NUMBER_SHIFT 32		/* offsets: the number above, the place of the entry behind below */
#define NUMBER_MAX 0x3fffffffu
#define SNAPSHOTS_READ 8u	/* of so many folders that are being read the files stay */
#define SNAPSHOTS_IDLE 2u	/* of so many that were */
#define ITEM_BYTES_MAX (8u << 20)
#define RUNT 8			/* bytes: less than any entry */

struct view_shown {
	unsigned n_refs;	/* guarded by views->lock */
	unsigned n_readers;	/* guarded by views->lock: began to read, and have not come to the end */
	uint64_t folder;	/* never change, as the next */
	unsigned number;
	uint64_t generation, tags_generation;	/* of the vault, before it was looked at */
	bool follows;		/* what it shows changes with these alone */
	int64_t minute;		/* some folders follow the clock */
	bool lists_files;
	bool had_files;		/* so a playlist was shown */
	struct view_items items;
	struct vault_snapshot *snapshot;	/* guarded by views->lock; NULL: none, or not kept any more */
};

/* ---- what is remembered ---- */

static void shown_unref_locked(struct view_shown *shown)
{
	if (!shown || --shown->n_refs > 0)
		return;
	view_items_release(&shown->items);
	vault_snapshot_unref(shown->snapshot);
	free(shown);
}

static void shown_unref(struct views *views, struct view_shown *shown)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	shown_unref_locked(shown);
}

/* Make the slot at `at` the first one. */
static struct view_shown *to_front_locked(struct views *views, unsigned at)
{
	struct view_shown *shown = views->shown[at];

	memmove(&views->shown[1], &views->shown[0], at * sizeof(views->shown[0]));
	views->shown[0] = shown;
	return shown;
}

/* Give back files that nobody reads any more, and what was shown longest ago. */
static void trim_locked(struct views *views)
{
	unsigned n_read = 0, n_idle = 0;
	size_t n_bytes = 0;

	for (unsigned i = 0; i < VIEW_SHOWN_MAX && views->shown[i]; i++) {
		struct view_shown *shown = views->shown[i];

		n_bytes += shown->items.bytes;
		if (n_bytes > ITEM_BYTES_MAX && i > 0) {
			shown_unref_locked(TAKE(views->shown[i]));	/* all behind it go with it: see below */
			for (i++; i < VIEW_SHOWN_MAX; i++)
				shown_unref_locked(TAKE(views->shown[i]));
			return;
		}
		if (shown->snapshot && (shown->n_readers > 0 ? ++n_read > SNAPSHOTS_READ : ++n_idle > SNAPSHOTS_IDLE))
			vault_snapshot_unref(TAKE(shown->snapshot));
	}
}

static void remember_locked(struct views *views, struct view_shown *shown)
{
	shown_unref_locked(views->shown[VIEW_SHOWN_MAX - 1]);
	views->shown[VIEW_SHOWN_MAX - 1] = shown;
	(void)to_front_locked(views, VIEW_SHOWN_MAX - 1);
	shown->n_refs++;
	trim_locked(views);
}

void view_shown_free_all(struct views *views)
{
	for (unsigned i = 0; i < VIEW_SHOWN_MAX; i++)
		shown_unref(views, TAKE(views->shown[i]));
}

bool view_was_shown(struct views *views, uint64_t folder, const char *name, char ret_tag[VAULT_TAG_NAME_MAX + 1],
		    bool *ret_is_child, bool *ret_is_current)
{
	uint64_t generation = vault_generation(views->fs->vault);
	uint64_t tags_generation = vault_tags_generation(views->fs->vault);
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);
	const struct view_item *item = NULL;

	(void)held;
	for (unsigned i = 0; i < VIEW_SHOWN_MAX && views->shown[i] && !item; i++) {
		if (views->shown[i]->folder != folder)
			continue;
		item = view_items_find(&views->shown[i]->items, name);
		*ret_is_current = views->shown[i]->generation == generation &&
				  views->shown[i]->tags_generation == tags_generation;
		if (item)	/* rm -r looks into each of them before it comes to the next */
			(void)to_front_locked(views, i);
		break;		/* only what it showed last */
	}
	if (!item || (item->tag && strlen(item->tag) > VAULT_TAG_NAME_MAX))
		return false;
	(void)memccpy(ret_tag, item->tag ? item->tag : "", '\0', VAULT_TAG_NAME_MAX + 1);
	*ret_is_child = item->is_child;
	return true;
}

bool view_showed_playlist(struct views *views, uint64_t folder)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	for (unsigned i = 0; i < VIEW_SHOWN_MAX && views->shown[i]; i++)
		if (views->shown[i]->folder == folder)
			return views->shown[i]->had_files;
	return false;
}

static int64_t this_minute(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);	/* fails only for an unknown clock */
	return now.tv_sec / 60;
}

/* What the folder showed a moment ago, if nothing has changed since; or what has that number. */
static struct view_shown *shown_find(struct views *views, uint64_t folder, unsigned number)
{
	uint64_t generation = vault_generation(views->fs->vault);
	uint64_t tags_generation = vault_tags_generation(views->fs->vault);
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	for (unsigned i = 0; i < VIEW_SHOWN_MAX && views->shown[i]; i++) {
		struct view_shown *shown = views->shown[i];

		if (shown->folder != folder || (number != 0 && shown->number != number))
			continue;
		if (number == 0 && (!shown->follows || shown->generation != generation ||
				    shown->tags_generation != tags_generation || shown->minute != this_minute() ||
				    (shown->lists_files && !shown->snapshot)))
			return NULL;
		shown->n_readers += number == 0;
		shown->n_refs++;
		return to_front_locked(views, i);
	}
	return NULL;
}

static int look(struct views *views, const struct view_path *path, bool may_wait, struct view_shown *shown)
{
	AUTO(vault_listing) struct vault_listing *listing = NULL;
	int r = 0;

	if (shown->lists_files)
		r = view_listing(views->fs, path, may_wait, &listing);
	if (r >= 0)
		r = view_items_get(views, path, listing, may_wait, &shown->items);
	if (r >= 0 && listing)
		r = vault_listing_snapshot(listing, &shown->snapshot);
	shown->had_files = shown->snapshot && vault_snapshot_size(shown->snapshot) > 0;
	return r;
}

/* Look at what the folder shows now, and remember it. */
static int shown_begin(struct views *views, const struct view_path *path, bool may_wait, struct view_shown **ret)
{
	struct view_shown *shown = calloc(1, sizeof(*shown));
	int r;

	if (!shown)
		return log_err(-ENOMEM, "no memory to list a view folder");
	shown->n_refs = 1;
	shown->n_readers = 1;
	shown->folder = path->id;
	shown->generation = vault_generation(views->fs->vault);
	shown->tags_generation = vault_tags_generation(views->fs->vault);
	shown->follows = view_path_last(path)->shape->kind != VIEW_SAVED;
	shown->minute = this_minute();
	shown->lists_files = view_lists_files(view_path_last(path)->shape);
	r = look(views, path, may_wait, shown);

	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	if (r < 0) {
		shown_unref_locked(shown);
		return r;
	}
	views->last_number = views->last_number % NUMBER_MAX + 1;
	shown->number = views->last_number;
	remember_locked(views, shown);
	*ret = shown;
	return 0;
}

static int shown_get(struct views *views, const struct view_path *path, unsigned number, bool may_wait,
		     struct view_shown **ret)
{
	*ret = shown_find(views, path->id, number);
	if (!*ret && number != 0)
		*ret = shown_find(views, path->id, 0);
	return *ret ? 0 : shown_begin(views, path, may_wait, ret);
}

/* Its files; those of now where they were not kept.  *ret may become NULL. */
static int shown_files(struct views *views, const struct view_path *path, struct view_shown *shown, bool may_wait,
		       struct vault_snapshot **ret)
{
	AUTO(vault_listing) struct vault_listing *listing = NULL;
	int r;

	(void)pthread_mutex_lock(&views->lock);
	*ret = shown->snapshot ? vault_snapshot_ref(shown->snapshot) : NULL;
	(void)pthread_mutex_unlock(&views->lock);
	if (*ret || !shown->lists_files)
		return 0;
	r = view_listing(views->fs, path, may_wait, &listing);
	return r < 0 ? r : vault_listing_snapshot(listing, ret);
}

static void shown_ended(struct views *views, struct view_shown *shown)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	if (shown->n_readers > 0)
		shown->n_readers--;
	trim_locked(views);
}

/* ---- an answer ---- */

struct answer {
	fuse_req_t req;
	char *buffer;
	size_t size, used;
	bool plus;
};

/* 1 if there is no room for it. */
static int put(struct answer *answer, const char *name, uint64_t ino, mode_t mode, uint64_t offset)
{
	const struct fuse_entry_param entry = { .ino = 0, .attr = { .st_ino = ino, .st_mode = mode } };
	char *at = answer->buffer + answer->used;
	size_t room = answer->size - answer->used;
	size_t n;

	if (answer->plus)
		n = fuse_add_direntry_plus(answer->req, at, room, name, &entry, (off_t)offset);
	else
		n = fuse_add_direntry(answer->req, at, room, name, &entry.attr, (off_t)offset);
	if (n > room)
		return 1;
	answer->used += n;
	return 0;
}

static int put_dots(struct answer *answer, struct views *views, const struct view_path *path, uint64_t offset)
{
	uint64_t parent = path->n == 1 ? VAULT_ROOT_ID : view_nodes_parent(views->nodes, path->id);

	if (offset < OFFSET_SELF && put(answer, ".", path->id, S_IFDIR, OFFSET_SELF))
		return 1;
	return offset < OFFSET_PARENT && put(answer, "..", parent, S_IFDIR, OFFSET_PARENT);
}

/* A file is shown under its other name where its own is a folder's. */
static int put_file(struct answer *answer, const struct view_items *items, const struct vault_snapshot *files,
		    size_t index, uint64_t offset)
{
	char name[VAULT_NAME_MAX + 1], other[VAULT_NAME_MAX + 1];
	uint64_t id = vault_snapshot_get(files, index, name);

	if (strcmp(name, VIEW_PLAYLIST_NAME) != 0 && !view_items_find(items, name))
		return put(answer, name, id, S_IFREG, offset);
	vault_listing_other_name(name, id, other);
	return put(answer, other, id, S_IFREG, offset);
}

/* Files, the playlist if there are any, sub-folders: in this order rm -r takes a tag off its files before it goes down.
 * Returns whether the end was reached. */
static bool put_from(struct answer *answer, struct views *views, const struct view_shown *shown,
		     const struct vault_snapshot *files, size_t at)
{
	const uint64_t number = (uint64_t)shown->number << NUMBER_SHIFT;
	size_t n_files = files ? vault_snapshot_size(files) : 0;
	size_t n_playlists = n_files > 0;

	for (; at < n_files; at++)
		if (put_file(answer, &shown->items, files, at, number | (at + 1)))
			return false;
	if (at < n_files + n_playlists) {
		uint64_t ino = view_nodes_number(views->nodes, shown->folder, VIEW_PLAYLIST_NAME);

		if (put(answer, VIEW_PLAYLIST_NAME, ino, S_IFREG, number | (at + 1)))
			return false;
		at++;
	}
	for (; at < n_files + n_playlists + shown->items.n; at++) {
		const struct view_item *item = &shown->items.items[at - n_files - n_playlists];
		uint64_t ino = item->ino ? item->ino : view_nodes_number(views->nodes, shown->folder, item->name);

		if (put(answer, item->name, ino, item->mode, number | (at + 1)))
			return false;
	}
	return true;
}

static int fill_answer(struct view_request *request, const struct view_path *path, struct answer *answer)
{
	struct views *views = request->fs->views;
	unsigned number = (unsigned)(request->offset >> NUMBER_SHIFT);
	struct view_shown *shown = NULL;
	AUTO(vault_snapshot) struct vault_snapshot *files = NULL;
	int r;

	r = shown_get(views, path, number, request->may_wait, &shown);
	if (r < 0)
		return r;
	r = shown_files(views, path, shown, request->may_wait, &files);
	if (r >= 0 && !put_dots(answer, views, path, number ? OFFSET_PARENT : request->offset) &&
	    put_from(answer, views, shown, files, number ? request->offset & UINT32_MAX : 0) && answer->used == 0)
		shown_ended(views, shown);
	shown_unref(views, shown);
	return r;
}

static int serve_readdir(struct view_request *request)
{
	AUTO(free) char *own = NULL;
	AUTO(view_path) struct view_path *path = NULL;
	struct answer answer = { .req = request->req, .buffer = request->buffer, .plus = request->flags != 0,
				 .size = request->size < FS_BUFFER_SIZE ? request->size : FS_BUFFER_SIZE };
	int r = view_nodes_path(request->fs->views->nodes, request->ino, &path);

	if (r < 0)
		return r;
	if (!answer.buffer)
		answer.buffer = own = malloc(answer.size + RUNT);
	if (!answer.buffer)
		return log_err(-ENOMEM, "no memory to list a view folder");
	r = fill_answer(request, path, &answer);
	if (r < 0)
		return r;
	if (answer.used == 0) {
		answer.used = answer.size < RUNT ? answer.size : RUNT;
		memset(answer.buffer, 0, answer.used);
	}
	(void)fuse_reply_buf(request->req, answer.buffer, answer.used);	/* an interrupted request needs no answer */
	return 0;
}

void views_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_readdir, .ino = ino,
					.size = size, .offset = (uint64_t)offset, .flags = plus,
					.buffer = worker_self()->reply };

	view_request_run(&request);
}
