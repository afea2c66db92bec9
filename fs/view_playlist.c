/* view_playlist.c - PLAYLIST.m3u8 in folders that list files.
 *
 * The text is made when somebody asks for its size, and kept for a while, so that it is what is opened next; who has it open
 * keeps what was there when he opened it. */
#include "view_request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "kernel_order.h"
#include "reply.h"

#define TEXT_BYTES_MAX (8u << 20)	/* of those that are kept; the last one always is */

struct view_text {
	struct view_text *next;		/* guarded by views->lock, as the next */
	unsigned n_refs;		/* who has it open or looks at it */
	uint64_t folder, generation;	/* never change, as what follows */
	size_t size;
	char *text;			/* owned */
};

/* Free what is neither used nor among the newest. */
static void trim_locked(struct views *views)
{
	struct view_text **at = &views->texts;
	size_t n = 0, bytes = 0;

	while (*at) {
		struct view_text *text = *at;

		n++;
		bytes += text->size;
		if (text->n_refs > 0 || n == 1 || (n <= VIEW_TEXTS_MAX && bytes <= TEXT_BYTES_MAX)) {
			at = &text->next;
			continue;
		}
		*at = text->next;
		free(text->text);
		free(text);
	}
}

/* Also of those that are open: the session is over. */
void view_texts_free_all(struct views *views)
{
	while (views->texts) {
		struct view_text *next = views->texts->next;

		free(views->texts->text);
		free(views->texts);
		views->texts = next;
	}
}

static void text_unref(struct views *views, struct view_text *text)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	text->n_refs--;
	trim_locked(views);
}

static struct view_text *text_find(struct views *views, uint64_t folder)
{
	uint64_t generation = vault_generation(views->fs->vault);
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	for (struct view_text *text = views->texts; text; text = text->next) {
		if (text->folder != folder || text->generation != generation)
			continue;
		text->n_refs++;
		return text;
	}
	return NULL;
}

static int text_write(struct views *views, const struct view_path *path, struct view_text *text)
{
	AUTO(vault_listing) struct vault_listing *listing = NULL;
	AUTO(vault_snapshot) struct vault_snapshot *snapshot = NULL;
	int r = view_listing(views->fs, path, true, &listing);

	if (r >= 0)
		r = vault_listing_snapshot(listing, &snapshot);
	if (r >= 0 && vault_snapshot_size(snapshot) == 0 && !view_showed_playlist(views, path->id))
		r = -ENOENT;
	if (r >= 0)
		r = vault_snapshot_playlist(views->fs->vault, snapshot, &text->text, &text->size);
	return r;
}

static int text_make(struct views *views, const struct view_path *path, struct view_text **ret)
{
	AUTO(free) struct view_text *text = calloc(1, sizeof(*text));
	int r;

	if (!text)
		return log_err(-ENOMEM, "no memory for a playlist");
	text->n_refs = 1;
	text->folder = path->id;
	text->generation = vault_generation(views->fs->vault);
	r = text_write(views, path, text);
	if (r < 0)
		return r;

	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	text->next = views->texts;
	views->texts = text;
	*ret = TAKE(text);
	trim_locked(views);
	return 0;
}

/* The playlist of the folder `path`, or of the folder that it stands in if it is one itself. */
static int text_get(struct views *views, const struct view_path *path, bool may_wait, struct view_text **ret)
{
	AUTO(view_path) struct view_path *folder = NULL;
	int r;

	if (view_path_last(path)->shape->kind == VIEW_PLAYLIST) {
		r = view_nodes_path(views->nodes, view_nodes_parent(views->nodes, path->id), &folder);
		if (r < 0)
			return r;
		path = folder;
	}
	*ret = text_find(views, path->id);
	if (*ret)
		return 0;
	return may_wait ? text_make(views, path, ret) : -EAGAIN;
}

int view_playlist_size(struct views *views, const struct view_path *path, bool may_wait, uint64_t *ret_size)
{
	struct view_text *text;
	int r = text_get(views, path, may_wait, &text);

	if (r < 0)
		return r;
	*ret_size = text->size;
	text_unref(views, text);
	return 0;
}

/* ---- open playlists ---- */

static struct view_text *text_of(const struct fuse_file_info *fi)
{
	return (struct view_text *)(uintptr_t)fi->fh;
}

static int serve_open(struct view_request *request)
{
	struct views *views = request->fs->views;
	AUTO(view_path) struct view_path *path = NULL;
	struct view_text *text;
	int r = view_nodes_path(views->nodes, request->ino, &path);

	if (r >= 0 && view_path_last(path)->shape->kind != VIEW_PLAYLIST)
		r = -EISDIR;
	if (r >= 0 && (request->fi.flags & O_ACCMODE) != O_RDONLY)
		r = -EROFS;
	if (r >= 0)
		r = text_get(views, path, request->may_wait, &text);
	if (r < 0)
		return r;
	request->fi.fh = (uintptr_t)text;
	request->fi.direct_io = 1;	/* what is read is this text, whatever size was told before */
	if (fuse_reply_open(request->req, &request->fi) < 0)
		text_unref(views, text);	/* no RELEASE will come */
	return 0;
}

void views_open(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_open, .ino = ino,
					.fi = *fi };

	view_request_run(&request);
}

void views_read(fuse_req_t req, size_t size, off_t offset, const struct fuse_file_info *fi)
{
	struct view_text *text = text_of(fi);
	size_t at = offset < 0 || (uint64_t)offset > text->size ? text->size : (size_t)offset;
	size_t n = size < text->size - at ? size : text->size - at;

	kernel_order_answer(&text->text);
	(void)fuse_reply_buf(req, text->text + at, n);	/* an interrupted request needs no answer */
}

void views_seek(fuse_req_t req, off_t offset, int whence, const struct fuse_file_info *fi)
{
	const struct view_text *text = text_of(fi);

	if (offset < 0 || (uint64_t)offset >= text->size)
		reply_failure(req, -ENXIO);
	else
		(void)fuse_reply_lseek(req, whence == SEEK_HOLE ? (off_t)text->size : offset);	/* as above */
}

void views_release(fuse_req_t req, const struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(req);
	struct view_text *text = text_of(fi);

	kernel_order_last(&text->text);
	text_unref(fs->views, text);
	reply_done(req, 0);
}
