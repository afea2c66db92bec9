/* ops_attr.c - attributes of inodes and of the filesystem. */
#include "ops.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "caller.h"
#include "reply.h"
#include "views.h"

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr attr;
	int r;

	(void)fi;
	if (views_is(ino)) {
		views_getattr(req, ino);
		return;
	}
	r = vault_getattr(fs->vault, ino, &attr);
	if (r < 0)
		reply_failure(req, r);
	else
		reply_attr(req, fs, &attr);
}

static int64_t time_to_ns(const struct timespec *time)
{
	__int128 ns = (__int128)time->tv_sec * 1000000000 + time->tv_nsec;

	return ns < INT64_MIN ? INT64_MIN : ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);	/* fails only for an unknown clock */
	return time_to_ns(&now);
}

/* A request that sets nothing but owner and group, or neither, is chown(2), which clears suid and sgid of all but
 * directories, for root too. */
static bool is_chown(int to_set)
{
	const int others = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME;

	return !(to_set & others);
}

static unsigned vault_set_of(int to_set)
{
	static const struct {
		int fuse;
		unsigned vault;
	} map[] = {
		{ FUSE_SET_ATTR_MODE, VAULT_SET_MODE },
		{ FUSE_SET_ATTR_UID, VAULT_SET_UID },
		{ FUSE_SET_ATTR_GID, VAULT_SET_GID },
		{ FUSE_SET_ATTR_SIZE, VAULT_SET_SIZE },
		{ FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW, VAULT_SET_ATIME },
		{ FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW, VAULT_SET_MTIME },
		{ FUSE_SET_ATTR_CTIME, VAULT_SET_CTIME },
	};
	unsigned set = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (to_set & map[i].fuse)
			set |= map[i].vault;
	}
	return set;
}

static void values_of(const struct stat *attr, int to_set, struct vault_attr *ret)
{
	int64_t now = to_set & (FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW) ? now_ns() : 0;

	memset(ret, 0, sizeof(*ret));
	ret->mode = attr->st_mode;
	ret->uid = attr->st_uid;
	ret->gid = attr->st_gid;
	ret->size = (uint64_t)attr->st_size;
	ret->atime_ns = to_set & FUSE_SET_ATTR_ATIME_NOW ? now : time_to_ns(&attr->st_atim);
	ret->mtime_ns = to_set & FUSE_SET_ATTR_MTIME_NOW ? now : time_to_ns(&attr->st_mtim);
	ret->ctime_ns = time_to_ns(&attr->st_ctim);
}

/* A chown(2) that leaves both as they are; also what comes before fallocate(2) and copy_file_range(2) of a file that has
 * privileges to lose. The latter anybody may who has it open to write, the former only the owner: the kernel leaves that
 * to us as well, since it does not look at the mode. */
static bool sets_nothing(int to_set)
{
	return is_chown(to_set) && !(to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID));
}

/* Which of suid and sgid a chown takes away beside what it sets, by the group that the file has before. */
static int privileges_lost(fuse_req_t req, uint64_t id, int to_set, unsigned *ret_set)
{
	struct fs *fs = fuse_req_userdata(req);
	struct vault_attr attr;
	int r;

	if (!is_chown(to_set))
		return 0;
	r = vault_getattr(fs->vault, id, &attr);
	if (r < 0 || S_ISDIR(attr.mode))
		return r;
	if (sets_nothing(to_set) && !caller_owns(req, &attr) && caller_takes_privileges(req, &attr) &&
	    !handle_may_write(fs, id))
		return -EPERM;
	*ret_set |= VAULT_SET_KILL_PRIV;
	if (caller_takes_sgid(req, &attr))
		*ret_set |= VAULT_SET_KILL_SGID;
	return 0;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(req);
	unsigned set = vault_set_of(to_set);
	struct vault_attr values, result;
	int r = 0;

	(void)fi;
	if (views_is(ino)) {
		views_setattr(req, ino, attr, to_set);
		return;
	}
	if ((to_set & FUSE_SET_ATTR_SIZE) && attr->st_size < 0)
		r = -EFBIG;
	if (worker_self()->kill_priv)	/* truncated by somebody else than root */
		set |= VAULT_SET_KILL_PRIV;
	if (r >= 0)
		r = privileges_lost(req, ino, to_set, &set);
	if (r >= 0) {
		values_of(attr, to_set, &values);
		r = vault_setattr(fs->vault, ino, set, &values, &result);
	}
	if (r >= 0 && worker_self()->kill_priv && caller_takes_sgid(req, &result))
		r = vault_setattr(fs->vault, ino, VAULT_SET_KILL_SGID, &values, &result);
	if (r < 0)
		reply_failure(req, r);
	else
		reply_attr(req, fs, &result);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = fuse_req_userdata(req);
	char target[VAULT_PATH_MAX + 1];
	int r = vault_readlink(fs->vault, ino, target);

	if (r < 0) {
		reply_failure(req, r);
		return;
	}
	if (!fs->options->noatime)
		vault_was_read(fs->vault, ino);
	(void)fuse_reply_readlink(req, target);	/* an interrupted request needs no answer */
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = fuse_req_userdata(req);
	struct statvfs result = { .f_namemax = VAULT_NAME_MAX };
	struct vault_space space;
	int r = vault_space(fs->vault, &space);

	(void)ino;
	if (r < 0) {
		reply_failure(req, r);
		return;
	}
	result.f_bsize = space.block_size;
	result.f_frsize = space.block_size;
	result.f_blocks = space.blocks;
	result.f_bfree = space.blocks_free;
	result.f_bavail = space.blocks_available;
	result.f_files = space.files;
	result.f_ffree = space.files_free;
	result.f_favail = space.files_free;
	(void)fuse_reply_statfs(req, &result);	/* as above */
}
