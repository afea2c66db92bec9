/* view_request.h - what the files of the views share: a request on its way, and the tables of one mount's views. */
#ifndef VAULTFS_VIEW_REQUEST_H
#define VAULTFS_VIEW_REQUEST_H

#include "library.h"
#include "view_shapes.h"
#include "views.h"

struct view_request;

/* Answer a request.  Returns 0 when it was answered, or what to answer: -errno. -EAGAIN where it must not wait: it is called
 * once more, where it may. */
typedef int view_serve(struct view_request *request);

struct view_request {
	struct fs *fs;
	fuse_req_t req;
	view_serve *serve;
	bool may_wait;		/* it runs aside; and outside of a change section, even if it changes something */
	uint64_t ino, other;	/* the node, or the folder; of a rename and a link the second inode */
	const char *name, *new_name;	/* NULL, or borrowed */
	const void *value;		/* of an attribute, or NULL */
	size_t size;			/* of the value, or of the answer wanted */
	uint64_t offset;
	unsigned flags;
	mode_t mode;
	const struct stat *attr;
	struct fuse_file_info fi;
	char *buffer;			/* FS_BUFFER_SIZE bytes for the answer; NULL aside: make one */
};

/* Serve it here if that takes no time, else aside; it is answered in any case. Everything borrowed is copied if need be. */
void view_request_run(struct view_request *request);

/* Enter and leave a change section, which a request that runs on a thread of the loop is in already. */
void view_change_begin(const struct view_request *request);
void view_change_end(const struct view_request *request);

struct view_shown;
struct view_text;

#define VIEW_SHOWN_MAX 64u	/* folders of which it is remembered what they showed last */
#define VIEW_TEXTS_MAX 8u	/* playlists kept for the next who asks */
#define VIEW_FRESH_MAX 512u	/* files made through views that are remembered */

/* A file that was made through a tag's folder while mounted, and the name it was given there. */
struct view_fresh {
	uint64_t folder, id;	/* 0: free */
	uint64_t directory;	/* where it stands */
	char *name, *stored;	/* there and here; owned */
};

struct views {
	struct fs *fs;			/* never changes */
	struct view_nodes *nodes;	/* never changes; has a lock of its own */
	pthread_mutex_t lock;		/* held for a moment, with no other; guards what follows */
	pthread_cond_t idle;		/* with lock: n_aside reached 0 */
	unsigned n_aside;		/* requests that run aside, and drop_oldest() */
	bool dropping;			/* drop_oldest() runs */
	struct view_shown *shown[VIEW_SHOWN_MAX];	/* the last looked at first */
	unsigned last_number;		/* of what a folder showed */
	struct view_text *texts;	/* of playlists, the newest first */
	struct view_fresh fresh[VIEW_FRESH_MAX];
	unsigned next_fresh;
	uint64_t generation;		/* of the vault when it was last looked at */
	int64_t changed_ns;		/* when that had moved */
};

/* ---- views.c ---- */

/* The attributes of a view folder, or of a playlist of `size` bytes. */
int view_attr(struct fs *fs, uint64_t id, const struct view_step *step, uint64_t size,
	      struct vault_attr *ret);

/* After nodes were looked up: when there are too many, the kernel is asked to forget some. */
void view_nodes_bound(struct views *views);

/* ---- view_find.c ---- */

struct view_found {
	bool is_file;		/* an inode of the vault: attr has it. Else a node: */
	struct view_step step;	/* its name is the one asked for, its tag is in `tag` */
	uint64_t size;		/* of a playlist */
	bool is_empty;		/* a tag's folder that is there only for what may be put into it */
	char tag[VAULT_TAG_NAME_MAX + 1];
	struct vault_attr attr;
};

/* What is called `name` in a folder.  -ENOENT; -EAGAIN not without waiting; others as view_path_listing(). */
int view_find(struct views *views, const struct view_path *path, const char *name, bool may_wait, struct view_found *ret);

/* The listing of a folder, up to date.  As view_path_listing(); -EAGAIN. */
int view_listing(struct fs *fs, const struct view_path *path, bool may_wait, struct vault_listing **ret);

/* 1 the folder `step` in `path` shows files; 0; -EAGAIN. */
int view_shows_files(struct views *views, const struct view_path *path, const struct view_step *step, bool may_wait);

/* 1 a listing shows files; 0. */
int view_listing_has_any(struct vault_listing *listing);

/* ---- view_items.c ---- */

/* A sub-folder, or a file that no query finds. */
struct view_item {
	char *name;		/* owned */
	char *tag;		/* owned; of a tag's folder */
	bool is_child;
	uint64_t ino;		/* 0: the node's */
	mode_t mode;		/* its type */
};

struct view_items {
	struct view_item *items;
	size_t n, room;
	size_t bytes;		/* of memory */
};

/* What a folder shows beside files of its listing (which is up to date, or NULL), sorted by strcmp().
 *   Errors  -EAGAIN it would have to wait; -ENOMEM, -EOVERFLOW (logged). */
int view_items_get(struct views *views, const struct view_path *path, struct vault_listing *listing, bool may_wait,
		   struct view_items *ret);
void view_items_release(struct view_items *items);
const struct view_item *view_items_find(const struct view_items *items, const char *name);

/* ---- view_derived.c: thumbnails and previews ---- */

/* As view_find() and view_items_get() of folders that show what was made from files. */
int view_derived_find(struct views *views, const struct view_path *path, const char *name, struct view_found *ret);
int view_derived_items(struct views *views, const struct view_path *path, struct view_items *items);

/* Add an item; NULL for no tag.  -ENOMEM, -EOVERFLOW (logged). */
int view_items_add(struct view_items *items, const char *name, const char *tag, uint64_t ino, mode_t mode, bool is_child);

/* ---- view_list.c ---- */

/* Did the folder show a sub-folder of that name when it was last listed, and has nothing changed since? Of a tag's folder the
 * tag is copied. Then that is remembered a while longer. */
bool view_was_shown(struct views *views, uint64_t folder, const char *name, char ret_tag[VAULT_TAG_NAME_MAX + 1],
		    bool *ret_is_child, bool *ret_is_current);
/* Or a playlist? */
bool view_showed_playlist(struct views *views, uint64_t folder);
void view_shown_free_all(struct views *views);

/* ---- view_playlist.c ---- */

/* The size of the playlist in the folder of `path` (the playlist's own path or its folder's).  -ENOENT there are no files, nor
 * were any when the folder was last listed; -EAGAIN. */
int view_playlist_size(struct views *views, const struct view_path *path, bool may_wait, uint64_t *ret_size);
void view_texts_free_all(struct views *views);

#endif
