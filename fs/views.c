/* views.c - `.views` as a whole: start and end, requests that run aside, attributes of folders. See views.h. */
#include "views.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "auto.h"
#include "loop.h"
#include "reply.h"
#include "view_request.h"

#define DROP_BATCH 256	/* folders that the kernel is asked to forget at once */

bool views_is_name(const struct fs *fs, fuse_ino_t parent, const char *name)
{
	return fs->views && parent == VAULT_ROOT_ID && strcmp(name, VIEWS_NAME) == 0;
}

/* ---- start and end ---- */

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);	/* fails only for an unknown clock */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int views_start(struct fs *fs)
{
	AUTO(free) struct views *views = NULL;
	int r;

	if (fs->options->views == FS_VIEWS_NO)
		return 0;
	views = calloc(1, sizeof(*views));
	if (!views)
		return log_err(-ENOMEM, "no memory for the views");
	r = view_nodes_new(&view_shape_top, &views->nodes);
	if (r < 0)
		return r;
	views->fs = fs;
	views->generation = vault_generation(fs->vault);
	views->changed_ns = now_ns();
	(void)pthread_mutex_init(&views->lock, NULL);	/* with default attributes they cannot fail */
	(void)pthread_cond_init(&views->idle, NULL);
	fs->views = TAKE(views);
	return 0;
}

void views_wait(struct views *views)
{
	if (!views)
		return;

	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	while (views->n_aside > 0)
		(void)pthread_cond_wait(&views->idle, &views->lock);
}

void views_free(struct views *views)
{
	if (!views)
		return;
	view_shown_free_all(views);
	view_texts_free_all(views);
	for (unsigned i = 0; i < VIEW_FRESH_MAX; i++) {
		free(views->fresh[i].name);
		free(views->fresh[i].stored);
	}
	view_nodes_free(views->nodes);
	(void)pthread_cond_destroy(&views->idle);
	(void)pthread_mutex_destroy(&views->lock);
	free(views);
}

/* ---- requests ---- */

/* A request with all that it borrowed. */
struct aside {
	struct view_request request;
	struct stat attr;
	char name[VAULT_NAME_MAX + 1], new_name[VAULT_NAME_MAX + 1];
	char value[];
};

/* Of readdir EOVERFLOW says to programs that one entry does not fit into their struct, and that they may ask for the next:
 * ls would ask for ever. */
static int errno_of_views(int r)
{
	switch (r) {
	case -ESTALE:
		return -ENOENT;
	case -EOVERFLOW:
		return -ENOMEM;
	default:
		return r;
	}
}

static void finish(struct view_request *request, int r)
{
	if (r < 0)
		reply_failure(request->req, errno_of_views(r));
}

static void run_aside(void *context)
{
	AUTO(free) struct aside *aside = context;
	struct views *views = aside->request.fs->views;

	finish(&aside->request, aside->request.serve(&aside->request));
	(void)pthread_mutex_lock(&views->lock);
	if (--views->n_aside == 0)
		(void)pthread_cond_broadcast(&views->idle);
	(void)pthread_mutex_unlock(&views->lock);
}

static const char *keep_name(const char *name, char *buffer)
{
	if (!name)
		return NULL;
	buffer[0] = '\0';
	(void)strncat(buffer, name, VAULT_NAME_MAX);	/* longer ones were refused */
	return buffer;
}

static struct aside *aside_new(const struct view_request *request)
{
	size_t size = request->value ? request->size : 0;
	struct aside *aside = malloc(sizeof(*aside) + size);

	if (!aside)
		return NULL;
	aside->request = *request;
	aside->request.may_wait = true;
	aside->request.buffer = NULL;
	aside->request.name = keep_name(request->name, aside->name);
	aside->request.new_name = keep_name(request->new_name, aside->new_name);
	if (request->attr)
		aside->attr = *request->attr;
	aside->request.attr = request->attr ? &aside->attr : NULL;
	if (size > 0)
		memcpy(aside->value, request->value, size);
	aside->request.value = request->value ? aside->value : NULL;
	return aside;
}

static void count_aside(struct views *views, int change)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	views->n_aside += (unsigned)change;
}

static int run_later(struct view_request *request)
{
	struct aside *aside = aside_new(request);
	int r;

	if (!aside)
		return log_err(-ENOMEM, "no memory for a request to the views");
	count_aside(request->fs->views, 1);
	r = vault_aside(request->fs->vault, run_aside, aside);
	if (r < 0) {
		count_aside(request->fs->views, -1);
		free(aside);
	}
	return r;
}

void view_request_run(struct view_request *request)
{
	int r = request->fs->views ? request->serve(request) : -ESTALE;

	if (r == -EAGAIN)
		r = run_later(request);
	finish(request, r);
}

void view_change_begin(const struct view_request *request)
{
	if (request->may_wait)
		vault_change_begin(request->fs->vault, 0);
}

void view_change_end(const struct view_request *request)
{
	if (request->may_wait)
		vault_change_end(request->fs->vault);
}

/* ---- nodes that are not needed ---- */

/* The kernel keeps what it looked up until it needs the memory. Beyond VIEW_NODES_MANY it is asked, a few at a time, to drop
 * what was not used for the longest time, and FORGETs follow. One thread at most asks: it may have to wait for a folder's
 * lock, and who has that for an answer from aside. */
static void drop_oldest(void *context)
{
	struct views *views = context;
	char name[VAULT_NAME_MAX + 1];
	uint64_t folder;

	for (int i = 0; i < DROP_BATCH && view_nodes_oldest(views->nodes, &folder, name); i++)
		(void)fuse_lowlevel_notify_inval_entry(views->fs->session, folder, name, strlen(name));

	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	views->dropping = false;
	if (--views->n_aside == 0)
		(void)pthread_cond_broadcast(&views->idle);
}

void view_nodes_bound(struct views *views)
{
	bool begins;

	if (view_nodes_count(views->nodes) <= VIEW_NODES_MANY)
		return;
	(void)pthread_mutex_lock(&views->lock);
	begins = !views->dropping;
	views->dropping = true;
	views->n_aside += begins;
	(void)pthread_mutex_unlock(&views->lock);
	if (!begins || vault_aside(views->fs->vault, drop_oldest, views) >= 0)
		return;
	(void)pthread_mutex_lock(&views->lock);
	views->dropping = false;
	views->n_aside--;
	(void)pthread_mutex_unlock(&views->lock);
}

/* ---- attributes ---- */

/* When the library last changed: what any view shows may be another one since. */
static int64_t changed_ns(struct views *views)
{
	uint64_t generation = vault_generation(views->fs->vault);
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&views->lock);

	(void)held;
	if (generation != views->generation) {
		views->generation = generation;
		views->changed_ns = now_ns();
	}
	return views->changed_ns;
}

/* Who may read a file may look into the folder that stands for it. */
static mode_t folder_mode(mode_t mode)
{
	return S_ISDIR(mode) ? mode & 0777 : (mode & 0444) | (mode & 0444) >> 2;
}

/* A search tells what is in files, and in what is written about them. Where others than the owner of the mount may come, he
 * alone asks what he likes, and chooses the searches that are kept for all. */
static void keep_searches(const struct fs *fs, enum view_kind kind, struct vault_attr *attr)
{
	if (!fs->options->allow_other)
		return;
	if (kind == VIEW_SEARCH || kind == VIEW_WORDS)
		attr->mode &= ~(mode_t)077;
	else if (kind == VIEW_SAVED || kind == VIEW_SAVED_ONE)
		attr->mode &= ~(mode_t)022;
	else
		return;
	attr->mode |= 0700;
	attr->uid = geteuid();
}

/* Folders are the root directory's, as if they lay in it; those that stand for an inode are that one's. A playlist is there
 * to be read by whoever may read the folder. */
int view_attr(struct fs *fs, uint64_t id, const struct view_step *step, uint64_t size,
	      struct vault_attr *ret)
{
	bool is_playlist = step->shape->kind == VIEW_PLAYLIST;
	int r = vault_getattr(fs->vault, step->real ? step->real : VAULT_ROOT_ID, ret);

	if (r < 0)
		return r;
	ret->id = id;
	ret->mode = is_playlist ? S_IFREG | (ret->mode & 0444) :
				  S_IFDIR | (step->real ? folder_mode(ret->mode) : ret->mode & (0777 | S_ISVTX));
	keep_searches(fs, step->shape->kind, ret);
	ret->nlink = 1;		/* of a folder: nobody counted those in it */
	ret->size = size;
	ret->mapped = size;
	ret->rdev = 0;
	ret->mtime_ns = changed_ns(fs->views);
	ret->ctime_ns = ret->mtime_ns;
	ret->atime_ns = ret->mtime_ns;
	return 0;
}

static int top_attr(struct fs *fs, struct vault_attr *ret)
{
	const struct view_step top = { .shape = &view_shape_top };

	return view_attr(fs, VIEW_TOP_ID, &top, 0, ret);
}

void views_reply_top(fuse_req_t req)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr attr;
	int r = top_attr(fs, &attr);

	if (r < 0)
		reply_failure(req, r);
	else
		(void)reply_entry(req, fs, &attr);	/* its look-ups are not counted */
}

void views_forget(struct fs *fs, fuse_ino_t ino, uint64_t n_lookups)
{
	if (fs->views)
		view_nodes_forget(fs->views->nodes, ino, n_lookups);
}

static int serve_getattr(struct view_request *request)
{
	struct fs *fs = request->fs;
	AUTO(view_path) struct view_path *path = NULL;
	struct vault_attr attr;
	uint64_t size = 0;
	int r = view_nodes_path(fs->views->nodes, request->ino, &path);

	if (r >= 0 && view_path_last(path)->shape->kind == VIEW_PLAYLIST)
		r = view_playlist_size(fs->views, path, request->may_wait, &size);
	if (r >= 0)
		r = view_attr(fs, request->ino, view_path_last(path), size, &attr);
	if (r >= 0)
		reply_attr(request->req, fs, &attr);
	return r;
}

void views_getattr(fuse_req_t req, fuse_ino_t ino)
{
	struct view_request request = {
		.fs = fuse_req_userdata(req), .req = req, .serve = serve_getattr, .ino = ino
	};

	view_request_run(&request);
}

/* Copies of trees set what they copied: times are taken, and forgotten; owner and mode are the root directory's. */
static int serve_setattr(struct view_request *request)
{
	const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW |
			  FUSE_SET_ATTR_CTIME;
	struct fs *fs = request->fs;
	AUTO(view_path) struct view_path *path = NULL;
	struct vault_attr attr;
	int r = view_nodes_path(fs->views->nodes, request->ino, &path);

	if (r >= 0 && view_path_last(path)->shape->kind == VIEW_PLAYLIST)
		r = -EROFS;
	if (r >= 0)
		r = view_attr(fs, request->ino, view_path_last(path), 0, &attr);
	if (r < 0)
		return r;
	if (((request->flags & FUSE_SET_ATTR_MODE) && (request->attr->st_mode & 07777) != (attr.mode & 07777)) ||
	    ((request->flags & FUSE_SET_ATTR_UID) && request->attr->st_uid != reply_uid(fs, &attr)) ||
	    ((request->flags & FUSE_SET_ATTR_GID) && request->attr->st_gid != reply_gid(fs, &attr)) ||
	    (request->flags & ~(unsigned)(times | FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)))
		return -EPERM;
	reply_attr(request->req, fs, &attr);
	return 0;
}

void views_setattr(fuse_req_t req, fuse_ino_t ino, const struct stat *attr, int to_set)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_setattr, .ino = ino,
					.attr = attr, .flags = (unsigned)to_set };

	view_request_run(&request);
}
