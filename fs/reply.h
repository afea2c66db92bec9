/* reply.h - answers to the kernel: the one place where the vault's facts and errnos become FUSE's. */
#ifndef VAULTFS_REPLY_H
#define VAULTFS_REPLY_H

#include "fs_internal.h"

/* How long the kernel may keep names, absent names and attributes: this mount is the only way to change them. */
#define REPLY_TIMEOUT_SECONDS (7 * 24 * 3600.0)

/* How long it may keep owner, mode and times of a view folder; not what is in it. */
#define REPLY_VIEW_SECONDS 1.0

/* Bytes programs are told to read and write at once: stdio and others size their buffers by it, and every request costs
 * a round trip; larger ones would make programs that seek read what they do not want. */
#define REPLY_BLOCK_SIZE 65536

/* `r` is a negative errno. Damaged content (-EBADMSG) is EIO to the kernel. */
void reply_failure(fuse_req_t req, int r);

/* Success without a body, or the failure. */
void reply_done(fuse_req_t req, int r);

/* There is no such name; the kernel may remember that. */
void reply_absent(fuse_req_t req);

/* There is. Return what sending it did: below 0 the kernel did not take it, and counts no look-up, which matters for view
 * folders only. A name in a view is mostly good for this moment alone: reply_entry_now(). */
int reply_entry(fuse_req_t req, const struct fs *fs, const struct vault_attr *attr);
int reply_entry_now(fuse_req_t req, const struct fs *fs, const struct vault_attr *attr);

void reply_attr(fuse_req_t req, const struct fs *fs, const struct vault_attr *attr);

/* Answer OPEN, or CREATE when `attr` is given; closes the handle again if the kernel no longer wants it. reply_created_now() is
 * for a name in a view. */
void reply_created_now(fuse_req_t req, struct fs *fs, const struct vault_attr *attr, struct fuse_file_info *fi);
void reply_open(fuse_req_t req, struct fs *fs, const struct vault_attr *attr, struct fuse_file_info *fi);

/* The owner and the group that are shown: the mount's own (options uid and gid), or the inode's. */
uid_t reply_uid(const struct fs *fs, const struct vault_attr *attr);
gid_t reply_gid(const struct fs *fs, const struct vault_attr *attr);

void reply_fill_entry(const struct fs *fs, const struct vault_attr *attr, struct fuse_entry_param *ret);

#endif
