/* negotiate.c - the INIT request: which of the kernel's abilities this mount uses.
 *
 * The mount is the only writer, so names, attributes and pages are kept by the kernel until somebody changes them through
 * it (EXPLICIT_INVAL_DATA, no AUTO_INVAL_DATA). libfuse before 3.17 never asks for PARALLEL_DIROPS (look-ups in one
 * directory would go one by one) nor for HANDLE_KILLPRIV_V2 (each write would first ask for security.capability): there
 * its reply is amended on the way out. So it is for SETXATTR_EXT, whose bit (sgid goes) no libfuse hands on. */
#include "negotiate.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fuse.h>

#include "auto.h"
#include "wire.h"

#define MAX_BACKGROUND 64	/* asynchronous requests in flight; the kernel's default is 12 */

static void want(struct fuse_conn_info *conn, unsigned flag)
{
	if (conn->capable & flag)	/* asking for more would end the session */
		conn->want |= flag;
}

static void refuse(struct fuse_conn_info *conn, unsigned flag)
{
	conn->want &= ~flag;
}

void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fs *fs = userdata;

	want(conn, FUSE_CAP_EXPLICIT_INVAL_DATA);
	want(conn, FUSE_CAP_READDIRPLUS);
	want(conn, FUSE_CAP_ASYNC_READ);
	want(conn, FUSE_CAP_ASYNC_DIO);
	want(conn, FUSE_CAP_CACHE_SYMLINKS);
	want(conn, FUSE_CAP_EXPORT_SUPPORT);
	want(conn, FUSE_CAP_PARALLEL_DIROPS);
	fs->acls = !fs->options->noacl && (conn->capable & FUSE_CAP_POSIX_ACL) && (conn->capable & FUSE_CAP_DONT_MASK);
	if (fs->acls) {
		want(conn, FUSE_CAP_POSIX_ACL);
		want(conn, FUSE_CAP_DONT_MASK);		/* a default list takes the umask's place */
	}
#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2
	want(conn, (unsigned)FUSE_CAP_HANDLE_KILLPRIV_V2);
#endif
	if (fs->options->writeback)
		want(conn, FUSE_CAP_WRITEBACK_CACHE);

	refuse(conn, FUSE_CAP_AUTO_INVAL_DATA);
	refuse(conn, FUSE_CAP_READDIRPLUS_AUTO);	/* `ls` then saves `ls -l` all look-ups */
	refuse(conn, FUSE_CAP_ATOMIC_O_TRUNC);		/* truncating comes as SETATTR, with its kill-priv bit */
	refuse(conn, FUSE_CAP_HANDLE_KILLPRIV);		/* the first version of it would clear for root, too */
	refuse(conn, FUSE_CAP_SPLICE_READ);		/* requests are looked at in memory */
	refuse(conn, FUSE_CAP_SPLICE_WRITE);
#ifdef FUSE_CAP_SETXATTR_EXT
	refuse(conn, (unsigned)FUSE_CAP_SETXATTR_EXT);	/* the long request is made a plain one before libfuse sees it */
#endif

	conn->max_write = FS_REQUEST_MAX;
	conn->max_background = MAX_BACKGROUND;
	conn->congestion_threshold = MAX_BACKGROUND * 3 / 4;
	fs->no_opendir = (conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT) != 0;
	fs->init_result = 0;
}

/* Bits of the INIT reply that libfuse leaves out, some of them before 3.17 only, as far as the kernel offered them. */
static uint32_t missing_flags(const struct fs *fs)
{
	return fs->init_offered & (FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT);
}

/* The INIT reply is { out header, init_out }; what does not look like it is left alone. */
static void amend_reply(struct fs *fs, struct iovec *iov, int count)
{
	struct fuse_out_header header;
	struct fuse_init_out *reply;

	if (count != 2 || iov[0].iov_len != sizeof(header) ||
	    iov[1].iov_len < offsetof(struct fuse_init_out, flags) + sizeof(reply->flags))
		return;
	memcpy(&header, iov[0].iov_base, sizeof(header));
	if (header.unique != fs->init_unique || header.error != 0)
		return;
	reply = iov[1].iov_base;
	reply->flags |= missing_flags(fs);
	fs->setxattr_ext = (reply->flags & FUSE_SETXATTR_EXT) != 0;
}

static ssize_t hook_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fs *fs = userdata;

	if (__builtin_expect(fs->init_unique != 0, 0))
		amend_reply(fs, iov, count);
	return writev(fd, iov, count);
}

static ssize_t hook_read(int fd, void *buffer, size_t size, void *userdata)
{
	(void)userdata;
	return read(fd, buffer, size);
}

int negotiate_prepare(struct fs *fs)
{
	static const struct fuse_custom_io hooks = { .writev = hook_writev, .read = hook_read };
	int r = fuse_session_custom_io(fs->session, &hooks, fuse_session_fd(fs->session));

	if (r < 0)
		return log_err(r, "%s: cannot look into libfuse's replies: ", fs->mount_point);
	return 0;
}

/* The flags word of an INIT request. */
static uint32_t offered_flags(const char *raw, size_t size)
{
	struct fuse_init_in in = { .flags = 0 };
	size_t room = size - sizeof(struct fuse_in_header);

	memcpy(&in, raw + sizeof(struct fuse_in_header), room < sizeof(in) ? room : sizeof(in));
	return in.flags;
}

static int receive_init(struct fs *fs, char *raw, size_t *ret_size)
{
	struct wire_request request;
	ssize_t n;

	do
		n = read(fuse_session_fd(fs->session), raw, FS_BUFFER_SIZE);
	while (n < 0 && (errno == EINTR || errno == ENOENT));
	if (n < 0)
		return log_err(-errno, "%s: cannot read the kernel's first request: ", fs->mount_point);
	if (wire_parse(raw, (size_t)n, &request) < 0 || request.kind != WIRE_INIT)
		return log_err(-EPROTO, "%s: the kernel's first request is not INIT", fs->mount_point);
	fs->init_unique = request.unique;
	fs->init_offered = offered_flags(raw, (size_t)n);
	*ret_size = (size_t)n;
	return 0;
}

int negotiate(struct fs *fs)
{
	AUTO(free) char *raw = malloc(FS_BUFFER_SIZE);
	struct fuse_buf buf = { .mem = raw };
	int r;

	if (!raw)
		return log_err(-ENOMEM, "%s: no memory for the first request", fs->mount_point);
	r = receive_init(fs, raw, &buf.size);
	if (r < 0)
		return r;
	fs->init_result = -EPROTO;
	fuse_session_process_buf(fs->session, &buf);	/* calls op_init() */
	fs->init_unique = 0;
	if (fs->init_result < 0 || fuse_session_exited(fs->session))
		return log_err(-EPROTO, "%s: this kernel's FUSE and libfuse %s do not agree", fs->mount_point,
			       fuse_pkgversion());
	return 0;
}
