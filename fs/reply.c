/* reply.c - answers to the kernel. See reply.h. */
#include "reply.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "views.h"

#define NS_PER_SECOND 1000000000

static struct timespec time_from_ns(int64_t ns)
{
	int64_t seconds = ns / NS_PER_SECOND;
	int64_t rest = ns % NS_PER_SECOND;

	if (rest < 0) {		/* before 1970: the part below a second still counts forward */
		seconds--;
		rest += NS_PER_SECOND;
	}
	return (struct timespec){ .tv_sec = seconds, .tv_nsec = rest };
}

uid_t reply_uid(const struct fs *fs, const struct vault_attr *attr)
{
	return fs->options->set_uid ? fs->options->uid : attr->uid;
}

gid_t reply_gid(const struct fs *fs, const struct vault_attr *attr)
{
	return fs->options->set_gid ? fs->options->gid : attr->gid;
}

static void fill_stat(const struct fs *fs, const struct vault_attr *attr, struct stat *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->st_ino = attr->id;
	ret->st_mode = attr->mode;
	ret->st_nlink = attr->nlink;
	ret->st_uid = reply_uid(fs, attr);
	ret->st_gid = reply_gid(fs, attr);
	ret->st_rdev = attr->rdev;
	ret->st_size = (off_t)attr->size;
	ret->st_blksize = REPLY_BLOCK_SIZE;
	ret->st_blocks = (blkcnt_t)(attr->mapped / 512 + (attr->mapped % 512 != 0));
	ret->st_atim = time_from_ns(attr->atime_ns);
	ret->st_mtim = time_from_ns(attr->mtime_ns);
	ret->st_ctim = time_from_ns(attr->ctime_ns);
}

/* When somebody who is not root writes, suid and sgid go (HANDLE_KILLPRIV_V2), but the kernel does not look at the mode
 * again: so of a file that has them it always asks. View folders follow from what is in the vault; whose they are is asked
 * for on every step of a path, which would double the requests. */
static double attr_timeout(const struct vault_attr *attr)
{
	if (views_is(attr->id))
		return S_ISDIR(attr->mode) ? REPLY_VIEW_SECONDS : 0;
	return S_ISREG(attr->mode) && (attr->mode & (S_ISUID | S_ISGID)) ? 0 : REPLY_TIMEOUT_SECONDS;
}

void reply_fill_entry(const struct fs *fs, const struct vault_attr *attr, struct fuse_entry_param *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ino = attr->id;
	ret->generation = 1;	/* ids are never used again */
	ret->attr_timeout = attr_timeout(attr);
	ret->entry_timeout = REPLY_TIMEOUT_SECONDS;
	fill_stat(fs, attr, &ret->attr);
}

void reply_failure(fuse_req_t req, int r)
{
	int error = -r;

	if (error == EBADMSG || error <= 0 || error >= 1000)
		error = EIO;	/* what else is no errno would make libfuse answer ERANGE */
	(void)fuse_reply_err(req, error);	/* an interrupted or cut off request needs no answer */
}

void reply_done(fuse_req_t req, int r)
{
	if (r < 0)
		reply_failure(req, r);
	else
		(void)fuse_reply_err(req, 0);	/* as above */
}

void reply_absent(fuse_req_t req)
{
	struct fuse_entry_param entry = { .ino = 0, .entry_timeout = REPLY_TIMEOUT_SECONDS };

	(void)fuse_reply_entry(req, &entry);	/* as above */
}

/* No table of looked-up inodes is kept, so an entry of one that did not arrive leaves nothing to give back. */
int reply_entry(fuse_req_t req, const struct fs *fs, const struct vault_attr *attr)
{
	struct fuse_entry_param entry;

	reply_fill_entry(fs, attr, &entry);
	return fuse_reply_entry(req, &entry);
}

int reply_entry_now(fuse_req_t req, const struct fs *fs, const struct vault_attr *attr)
{
	struct fuse_entry_param entry;

	reply_fill_entry(fs, attr, &entry);
	entry.entry_timeout = 0;
	return fuse_reply_entry(req, &entry);
}

void reply_attr(fuse_req_t req, const struct fs *fs, const struct vault_attr *attr)
{
	struct stat stat;

	fill_stat(fs, attr, &stat);
	(void)fuse_reply_attr(req, &stat, attr_timeout(attr));	/* as above */
}

/* `attr` NULL: answers OPEN. */
static void reply_handle(fuse_req_t req, struct fs *fs, const struct vault_attr *attr, double entry_timeout,
			 struct fuse_file_info *fi)
{
	int r;

	fi->keep_cache = 1;
	if (attr) {
		struct fuse_entry_param entry;

		reply_fill_entry(fs, attr, &entry);
		entry.entry_timeout = entry_timeout;
		r = fuse_reply_create(req, &entry, fi);
	} else {
		r = fuse_reply_open(req, fi);
	}
	if (r < 0)	/* no RELEASE will come */
		handle_close(fs, fi);
}

void reply_open(fuse_req_t req, struct fs *fs, const struct vault_attr *attr, struct fuse_file_info *fi)
{
	reply_handle(req, fs, attr, REPLY_TIMEOUT_SECONDS, fi);
}

void reply_created_now(fuse_req_t req, struct fs *fs, const struct vault_attr *attr, struct fuse_file_info *fi)
{
	reply_handle(req, fs, attr, 0, fi);
}
