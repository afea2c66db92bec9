/* fs_internal.h - one mounted vault, as the files of this folder share it.
 *
 * Lock order: none of the locks here is ever held across a call into the vault or into libfuse, nor with another one. */
#ifndef VAULTFS_FS_INTERNAL_H
#define VAULTFS_FS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fuse_lowlevel.h>

#include "fs.h"
#include "log.h"
#include "vault.h"

#define FS_REQUEST_MAX (1u << 20)			/* bytes of content in one read or write request */
#define FS_BUFFER_SIZE (FS_REQUEST_MAX + 4096u)		/* a whole request: headers take less than a page */

struct handle;
struct loop;
struct orphans;
struct park;
struct signals;
struct views;

struct fs {
	/* These never change once the first request is served. */
	struct vault *vault;
	struct fuse_session *session;
	const struct fs_options *options;
	const struct fs_hooks *hooks;		/* NULL: nobody beside the driver */
	const char *vault_path;			/* absolute */
	const char *mount_point;		/* absolute */
	uint64_t device;			/* of our filesystem, as place.c writes it; 0 = not known */
	bool read_only;
	bool no_opendir;			/* the kernel does without OPENDIR and RELEASEDIR */
	bool acls;				/* the kernel enforces access control lists and leaves the umask to us */
	bool setxattr_ext;			/* SETXATTR requests are the long ones: wire.h */
	struct loop *loop;
	struct park *park;
	struct orphans *orphans;
	struct signals *signals;
	struct views *views;			/* NULL: there are none */
	uint64_t init_unique;			/* the INIT request, whose reply negotiate.c amends */
	uint32_t init_offered;			/* FUSE_* flags the kernel sent with it */
	int init_result;			/* 0 once INIT was answered well */
	bool hooks_started;			/* hooks->on_started() was called; for mount.c alone */

	atomic_bool detached;			/* the mount lost its name on a signal, while it was in use */

	/* Writes from the kernel's page cache: received, and of those answered. Each orders what the other counts. */
	atomic_ullong n_cache_writes, n_cache_writes_done;

	pthread_mutex_t handles_lock;
	struct handle *handles;			/* guarded by handles_lock: all open files */

	pthread_mutex_t syncs_lock;
	pthread_cond_t syncs_done;		/* with syncs_lock: n_syncs reached 0 */
	unsigned n_syncs;			/* guarded by syncs_lock: requests that wait for a commit or a search */
};

/* A request is on its way that the vault answers, and was answered: the end of the mount waits for it. */
static inline void sync_enter(struct fs *fs)
{
	(void)pthread_mutex_lock(&fs->syncs_lock);
	fs->n_syncs++;
	(void)pthread_mutex_unlock(&fs->syncs_lock);
}

static inline void sync_leave(struct fs *fs)
{
	(void)pthread_mutex_lock(&fs->syncs_lock);
	if (--fs->n_syncs == 0)
		(void)pthread_cond_broadcast(&fs->syncs_done);
	(void)pthread_mutex_unlock(&fs->syncs_lock);
}

/* What the thread that serves a request has at hand. */
struct worker {
	char *reply;		/* FS_BUFFER_SIZE bytes, page-aligned, for whatever is sent next */
	bool kill_priv;		/* the request being served must clear suid and sgid (HANDLE_KILLPRIV_V2) */
	bool kill_sgid;		/* setting an access control list must clear sgid (SETXATTR_EXT) */
};

/* The calling thread's worker, inside an operation. */
struct worker *worker_self(void);

/* ---- handle.c: open files ---- */

/* Open the file `id` for fi->fh.  Errors as vault_file_open(); -ENOMEM. */
int handle_open(struct fs *fs, uint64_t id, struct fuse_file_info *fi);
void handle_close(struct fs *fs, struct fuse_file_info *fi);
/* Alive until the request is answered; handle_done() says that it is about to be, whoever asked for the file. */
struct vault_file *handle_file(const struct fuse_file_info *fi);
void handle_done(const struct fuse_file_info *fi);
/* `n` bytes were read at `offset`. True once, when half of a video or sound file was, and that is to be remembered. */
bool handle_watched(struct fs *fs, const struct fuse_file_info *fi, uint64_t offset, size_t n);
/* Has anybody the file `id` open to write? Looks through all open files. */
bool handle_may_write(struct fs *fs, uint64_t id);
/* Close what is still open when the session was cut off. */
void handle_close_all(struct fs *fs);

#endif
