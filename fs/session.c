/* session.c - libfuse's session: which operations there are, and with which options it is mounted. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <fuse_opt.h>

#include "auto.h"
#include "negotiate.h"
#include "ops.h"
#include "place.h"

static const struct fuse_lowlevel_ops operations = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.create = op_create,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsync,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.fallocate = op_fallocate,
	.copy_file_range = op_copy_file_range,
	.lseek = op_lseek,
};

/* The -o list for libfuse. The name may hold commas, so it is escaped.  Returns 0, or -1 without memory. */
static int build_list(const struct fs *fs, char **list)
{
	const struct fs_options *options = fs->options;
	AUTO(free) char *name = NULL;

	if (asprintf(&name, "fsname=%s", options->fsname ? options->fsname : fs->vault_path) < 0) {
		name = NULL;	/* asprintf leaves it undefined */
		return -1;
	}
	if (fuse_opt_add_opt(list, "default_permissions,subtype=vaultfs") < 0 ||
	    fuse_opt_add_opt_escaped(list, name) < 0 ||
	    fuse_opt_add_opt(list, fs->read_only ? "ro" : "rw") < 0)
		return -1;
	if (options->allow_other && fuse_opt_add_opt(list, "allow_other") < 0)
		return -1;
	if (options->debug && fuse_opt_add_opt(list, "debug") < 0)
		return -1;
	if (options->kernel_options && fuse_opt_add_opt(list, options->kernel_options) < 0)
		return -1;
	return 0;
}

static void auto_fuse_args(struct fuse_args *args)
{
	fuse_opt_free_args(args);
}

static int session_new(struct fs *fs)
{
	AUTO(fuse_args) struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	AUTO(free) char *list = NULL;

	if (build_list(fs, &list) < 0 || fuse_opt_add_arg(&args, "vaultfs") < 0 ||
	    fuse_opt_add_arg(&args, "-o") < 0 || fuse_opt_add_arg(&args, list) < 0)
		return log_err(-ENOMEM, "%s: no memory for the mount options", fs->mount_point);
	fs->session = fuse_session_new(&args, &operations, sizeof(operations), fs);
	if (!fs->session)
		return log_err(-EINVAL, "%s: libfuse refuses these mount options: %s", fs->mount_point, list);
	return 0;
}

int session_open(struct fs *fs)
{
	int r = session_new(fs);

	if (r < 0)
		return r;
	if (fuse_session_mount(fs->session, fs->mount_point) < 0) {
		r = log_err(-EIO, "%s: cannot mount here; the line above says why", fs->mount_point);
		session_free(fs);
		return r;
	}
	(void)fcntl(fuse_session_fd(fs->session), F_SETFD, FD_CLOEXEC);	/* libfuse 3.14 opens it so, but for root only */
	r = negotiate_prepare(fs);
	if (r >= 0)
		r = negotiate(fs);
	if (r < 0) {
		session_unmount(fs);
		session_free(fs);
	}
	return r;
}

/* Put the end of a broken pipe in the device's place. To libfuse that looks like a mount that is gone already, which is
 * what it is: unmounting it once more would fail, or hit what is mounted there now. */
static void cut_device(int device)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;		/* then libfuse complains that it cannot unmount */
	(void)close(ends[0]);
	(void)dup3(ends[1], device, O_CLOEXEC);
	(void)close(ends[1]);
}

void session_unmount(struct fs *fs)
{
	fuse_session_exit(fs->session);		/* late replies then fail in silence */
	/* libfuse would unmount by the path. */
	if (atomic_load(&fs->detached) || (fs->device != 0 && !place_is_ours(fs, fs->mount_point)))
		cut_device(fuse_session_fd(fs->session));
	fuse_session_unmount(fs->session);
}

void session_free(struct fs *fs)
{
	fuse_session_destroy(fs->session);
	fs->session = NULL;
}
