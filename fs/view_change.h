/* view_change.h - what folders of views give to files and take from them. */
#ifndef VAULTFS_VIEW_CHANGE_H
#define VAULTFS_VIEW_CHANGE_H

#include "view_request.h"

/* Can files be put into the folder? */
bool view_takes_files(const struct view_path *path);

/* Give a file all that the folder stands for, take the last of it.  [change] */
int view_give(struct fs *fs, const struct view_path *path, uint64_t id);
int view_take(struct fs *fs, const struct view_path *path, uint64_t id);

/* May the caller change what is known of a file?  -EACCES no; -EPERM of what is no file. */
int view_may_change(fuse_req_t req, const struct vault_attr *attr);

/* rename(2) of a file that is shown in the folder `from`, and its answer. */
int view_move_file(struct view_request *request, const struct view_path *from, const struct view_path *to,
		   const struct vault_attr *attr);

#endif
