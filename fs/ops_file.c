/* ops_file.c - open files: read, write, sync, and what else has a handle.
 *
 * There is no flush: writes are accepted one by one, so close(2) has nothing to wait for and nothing to report, and the
 * kernel, answered ENOSYS once, saves the round trip. The end of a file's use is its RELEASE. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"
#include "caller.h"
#include "library.h"
#include "orphans.h"
#include "park.h"
#include "reply.h"
#include "views.h"

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(req);
	int r;

	if (views_is(ino)) {
		views_open(req, ino, fi);
		return;
	}
	r = handle_open(fs, ino, fi);
	if (r < 0)
		reply_failure(req, r);
	else
		reply_open(req, fs, NULL, fi);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(req);

	if (views_is(ino)) {
		views_release(req, fi);
		return;
	}
	handle_close(fs, fi);
	orphans_hint(fs->orphans, ino);	/* the FORGET may have come first, when it was still open */
	reply_done(req, 0);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(req);
	char *buffer = worker_self()->reply;
	bool watched;
	ssize_t n;

	if (size > FS_BUFFER_SIZE || offset < 0) {	/* more than was negotiated; a short answer would mean the end */
		reply_failure(req, -EINVAL);
		return;
	}
	if (views_is(ino)) {
		views_read(req, size, offset, fi);
		return;
	}
	n = vault_read(handle_file(fi), (uint64_t)offset, buffer, size);
	if (n >= 0 && !fs->options->noatime && !(fi->flags & O_NOATIME))
		vault_file_was_read(handle_file(fi));
	watched = n > 0 && handle_watched(fs, fi, (uint64_t)offset, (size_t)n);
	handle_done(fi);
	if (n < 0)
		reply_failure(req, (int)n);
	else
		(void)fuse_reply_buf(req, buffer, (size_t)n);	/* an interrupted request needs no answer */
	if (watched)
		park_change(fs->park, vault_was_watched, ino);
}

/* A write has left sgid, which a mode without group execute keeps for members of the group only. */
static int lose_sgid(fuse_req_t req, uint64_t id)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr attr;
	int r = vault_getattr(fs->vault, id, &attr);

	if (r >= 0 && caller_takes_sgid(req, &attr))
		r = vault_setattr(fs->vault, id, VAULT_SET_KILL_SGID, &attr, NULL);
	return r;
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset, struct fuse_file_info *fi)
{
	unsigned flags = worker_self()->kill_priv ? VAULT_WRITE_KILL_PRIV : 0;
	int r;

	r = offset < 0 ? -EINVAL : vault_write(handle_file(fi), (uint64_t)offset, data, size, flags);
	handle_done(fi);
	if (r > 0)
		r = lose_sgid(req, ino);
	if (r < 0)
		reply_failure(req, r);
	else
		(void)fuse_reply_write(req, size);	/* as above */
}

struct sync_request {
	struct fs *fs;
	fuse_req_t req;
};

static void sync_done(void *context, int result)
{
	AUTO(free) struct sync_request *sync = context;

	reply_done(sync->req, result);
	sync_leave(sync->fs);
}

/* Also FSYNCDIR. A commit takes everything, so it does not matter what is asked for. */
void op_fsync(fuse_req_t req, fuse_ino_t ino, int only_data, struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(req);
	struct sync_request *sync = malloc(sizeof(*sync));

	(void)only_data;
	(void)fi;
	if (!sync) {
		reply_failure(req, log_err(-ENOMEM, "inode %" PRIu64 ": no memory to sync it", (uint64_t)ino));
		return;
	}
	*sync = (struct sync_request){ .fs = fs, .req = req };
	sync_enter(fs);
	vault_sync_then(fs->vault, sync_done, sync);
}

/* The kernel has cleared suid and sgid before, but by the mode that it remembers: an access control list that was set since may
 * have given the group execute, without which sgid is no privilege. */
static int lose_privileges(fuse_req_t req, uint64_t id)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr attr;
	int r;

	if (fuse_req_ctx(req)->uid == 0)
		return 0;
	r = vault_getattr(fs->vault, id, &attr);
	if (r < 0 || !(attr.mode & (S_ISUID | S_ISGID)))
		return r;
	return vault_setattr(fs->vault, id, VAULT_SET_KILL_PRIV, &attr, NULL);
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length, struct fuse_file_info *fi)
{
	int r;

	if (offset < 0 || length <= 0)
		r = -EINVAL;
	else
		r = vault_fallocate(handle_file(fi), mode, (uint64_t)offset, (uint64_t)length);
	handle_done(fi);
	if (r == 0)
		r = lose_privileges(req, ino);
	reply_done(req, r);
}

/* With the writeback cache the kernel asks for data and holes without having passed on what was written: cp(1) would take
 * it for a hole. Without an answer it takes the whole file for data. */
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
	const struct fs *fs = fuse_req_userdata(req);
	uint64_t found;
	int r;

	if (views_is(ino)) {
		views_seek(req, offset, whence, fi);
		return;
	}
	if (fs->options->writeback)
		r = -ENOSYS;
	else
		r = offset < 0 ? -ENXIO : vault_seek(handle_file(fi), (uint64_t)offset, whence, &found);
	handle_done(fi);
	if (r < 0)
		reply_failure(req, r);
	else
		(void)fuse_reply_lseek(req, (off_t)found);	/* as above */
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in, struct fuse_file_info *fi_in,
			fuse_ino_t ino_out, off_t offset_out, struct fuse_file_info *fi_out, size_t length, int flags)
{
	ssize_t n;

	if (views_is(ino_in) || views_is(ino_out)) {
		reply_failure(req, -EXDEV);	/* a playlist has no extents: read and write it */
		return;
	}
	if (flags != 0 || offset_in < 0 || offset_out < 0)
		n = -EINVAL;
	else
		n = vault_copy_range(handle_file(fi_in), (uint64_t)offset_in, handle_file(fi_out),
				     (uint64_t)offset_out, length);
	handle_done(fi_in);
	handle_done(fi_out);
	if (n < 0)
		reply_failure(req, (int)n);
	else
		(void)fuse_reply_write(req, (size_t)n);	/* as above */
}
