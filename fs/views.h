/* views.h - the operations on nodes of `.views`: ops_*.c hands over whatever is about one.
 *
 * `.views` is a tree of folders that are computed; the files in them are the vault's own inodes, which these operations
 * never see. What may take long or wait runs on a thread of the vault's (vault_aside()), and is answered from there. */
#ifndef VAULTFS_VIEWS_H
#define VAULTFS_VIEWS_H

#include "fs_internal.h"
#include "view_nodes.h"

#define VIEWS_NAME ".views"	/* in the mount's root */
#define VIEWS_COOKIE 3		/* of its entry there */

/* Is it about a view folder, or a playlist? */
static inline bool views_is(fuse_ino_t ino)
{
	return ino >= VIEW_TOP_ID;
}

/* Is `name` in directory `parent` that of the views, which no inode of the vault can have? */
bool views_is_name(const struct fs *fs, fuse_ino_t parent, const char *name);

/* Before the first request; sets fs->views unless they are switched off.  -ENOMEM, logged. */
int views_start(struct fs *fs);
/* Wait for what is on its way, when no request comes any more; then free it. NULL is fine. */
void views_wait(struct views *views);
void views_free(struct views *views);

void views_forget(struct fs *fs, fuse_ino_t ino, uint64_t n_lookups);
void views_reply_top(fuse_req_t req);	/* answer a look-up of `.views` */

void views_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void views_getattr(fuse_req_t req, fuse_ino_t ino);
void views_setattr(fuse_req_t req, fuse_ino_t ino, const struct stat *attr, int to_set);
void views_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus);
void views_open(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi);
void views_read(fuse_req_t req, size_t size, off_t offset, const struct fuse_file_info *fi);
void views_release(fuse_req_t req, const struct fuse_file_info *fi);
void views_seek(fuse_req_t req, off_t offset, int whence, const struct fuse_file_info *fi);

/* Within a change section, as all that change something. */
void views_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name);
void views_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void views_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, const struct fuse_file_info *fi);
void views_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void views_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void views_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void views_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
		  unsigned flags);	/* both are views' */

void views_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void views_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void views_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size);
void views_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
