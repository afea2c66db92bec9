/* view_inbox.h - files that are made in views stand in the directory Inbox at the top of the vault.
 *
 * So many of them as are remembered can also be renamed in the view, replace what is shown there and be removed, so that
 * programs which save under another name first work there, too. */
#ifndef VAULTFS_VIEW_INBOX_H
#define VAULTFS_VIEW_INBOX_H

#include "view_request.h"

#define VIEW_INBOX_NAME "Inbox"

/* Where a file stands that was made through a view. */
struct view_made {
	uint64_t id, directory;
	char stored[VAULT_NAME_MAX + 1];
};

/* Note that the file `id` was given the name `name` in a folder, and, if it was made there (`stored` is not NULL), where it
 * stands. */
void view_fresh_note(struct views *views, uint64_t folder, const char *name, uint64_t id, uint64_t directory,
		     const char *stored);
void view_fresh_forget(struct views *views, uint64_t folder, const char *name);
void view_fresh_move(struct views *views, uint64_t folder, const char *name, uint64_t new_folder, const char *new_name,
		     uint64_t id);

/* Which file was given that name; 0: none. */
uint64_t view_fresh_find(struct views *views, uint64_t folder, const char *name);

/* Was it made there, and stands where it was put? */
bool view_fresh_made(struct fs *fs, uint64_t folder, const char *name, uint64_t id, struct view_made *ret);

/* May the caller take away the name that it has there?  1 yes; 0 no. */
int view_may_unmake(fuse_req_t req, const struct view_made *made, const struct vault_attr *file);

/* Tell the kernel that an entry of one of the vault's directories was made, removed or replaced.  Not for a thread that answers
 * requests. */
void view_name_changed(struct fs *fs, uint64_t directory, const char *name);

/* Rename it to request->new_name, in Inbox as in the folder. */
int view_inbox_rename(struct view_request *request, const struct view_path *path, const struct view_made *made);

/* Let it take the place of `old`, of which it takes over what is known. */
int view_inbox_replace(struct view_request *request, const struct view_path *path, const struct view_made *made,
		       const struct vault_attr *old);

#endif
