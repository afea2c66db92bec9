/* inodes.h - rows of table inodes, with what memory knows better laid over them. */
#ifndef VAULTFS_INODES_H
#define VAULTFS_INODES_H

#include "vault_internal.h"

struct inode {
	struct vault_attr attr;
	uint64_t manifest_id;	/* what its extents stand under; 0 for what is no regular file */
};

/* The metadata lock is held for all of these. */

/* The row of inode `id`, with live_overlay() applied.  -ENOENT (silent). */
int inode_get_locked(struct vault *vault, uint64_t id, struct inode *ret);

/* Add a row; attr.id and manifest_id are given. */
int inode_insert_locked(struct vault *vault, const struct inode *inode);

/* Write mode, uid, gid, nlink, size and the times of attr into its row, and tell live_written(). `mapped` is left to
 * inode_add_mapped_locked(), since only the extents know it. */
int inode_put_locked(struct vault *vault, const struct vault_attr *attr);

/* Add `delta` to column mapped. */
int inode_add_mapped_locked(struct vault *vault, uint64_t id, int64_t delta);

/* The inode's extents stand under another manifest now, and map so many bytes. */
int inode_set_manifest_locked(struct vault *vault, uint64_t id, uint64_t manifest_id, uint64_t mapped);

/* Remove the row.  The caller has dropped its manifest and all else. */
int inode_delete_locked(struct vault *vault, uint64_t id);

/* Read the columns of INODE_COLUMNS, in that order from `first`, into `ret`: for queries that join inodes. Bounds what it
 * reads: times as they are, mode and ids cut to 32 bits are -EBADMSG. Overlay is the caller's (live_overlay()). */
#define INODE_COLUMNS(t) \
	t ".id, " t ".manifest_id, " t ".mode, " t ".uid, " t ".gid, " t ".nlink, " t ".size, " t ".mapped, " t ".rdev, " t \
	".atime, " t ".mtime, " t ".ctime, " t ".btime"
#define INODE_N_COLUMNS 13
int inode_from_row(struct vault *vault, sqlite3_stmt *row, int first, struct inode *ret);

#endif
