/* view_nodes.h - the view folders and playlists that the kernel knows: node ids, counted look-ups, paths.
 *
 * Files in views are their real inodes and need none of this. A node is made by a look-up and goes with the FORGET of the
 * last; the same name in the same folder is the same node, and has the same number, as long as it is there. What a folder
 * shows is not kept here: it follows from its path. One lock around the table, held for a moment; any thread. */
#ifndef VAULTFS_VIEW_NODES_H
#define VAULTFS_VIEW_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIEW_TOP_ID (1ull << 62) /* `.views` itself, and the lowest id of all: inodes of the vault stay far below */

/* Beyond so many the kernel is asked to forget what was not looked up for the longest time. */
#define VIEW_NODES_MANY 16384u

struct view_shape;
struct view_nodes;

/* One component of a path below `.views`. */
struct view_step {
	const struct view_shape *shape; /* what kind of folder: view_shapes.h */
	const char *name;
	const char *tag; /* in full, of a tag's folder; else NULL */
	bool is_child;	 /* the tag's folder stands in that of the tag above it */
	uint64_t real;	 /* the inode that a folder stands for, or 0 */
};

/* From `.views` (the first step) down. Owned by who asked for it, with all in it: view_path_free(). */
struct view_path {
	uint64_t id;
	size_t n;
	struct view_step steps[];
};

/* `top` is the shape of `.views`.  -ENOMEM, logged. */
int view_nodes_new(const struct view_shape *top, struct view_nodes **ret);
void view_nodes_free(struct view_nodes *nodes); /* NULL is fine */

/* The number that `step` in the folder `parent` has, or would have: for listings, which count nothing. */
uint64_t view_nodes_number(struct view_nodes *nodes, uint64_t parent, const char *name);

/* Count a look-up of `step` in `parent`; the node is made if it is not there, else becomes what the step says.
 *   Errors  -ESTALE no such parent; -ENOMEM (logged). */
int view_nodes_look_up(struct view_nodes *nodes, uint64_t parent, const struct view_step *step, uint64_t *ret_id);

/* The kernel gives `n` look-ups back. Ids that are not there are passed over. */
void view_nodes_forget(struct view_nodes *nodes, uint64_t id, uint64_t n);

/* -ESTALE no such node; -ENOMEM (logged). */
int view_nodes_path(struct view_nodes *nodes, uint64_t id, struct view_path **ret);
void view_path_free(struct view_path *path); /* NULL is fine */

/* The folder `name` was removed: who makes it again has another node. Nothing if the kernel does not know it. */
void view_nodes_remove(struct view_nodes *nodes, uint64_t parent, const char *name);

/* It was renamed to `step`, in the folder `new_parent`: the node, which the kernel goes on using, goes along. */
void view_nodes_rename(struct view_nodes *nodes, uint64_t parent, const char *name, uint64_t new_parent,
		       const struct view_step *step);

/* The folder that a node stands in; 0: the top, or no such node. */
uint64_t view_nodes_parent(struct view_nodes *nodes, uint64_t id);

size_t view_nodes_count(struct view_nodes *nodes);

/* One without nodes below it that was not looked up for the longest time: its folder and its name (VAULT_NAME_MAX + 1
 * bytes). It counts as looked up by this. False: there is none. */
bool view_nodes_oldest(struct view_nodes *nodes, uint64_t *ret_parent, char *ret_name);

static inline void auto_view_path(struct view_path **path)
{
	view_path_free(*path);
}

#endif
