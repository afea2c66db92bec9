/* handle.c - open files: what fi->fh points to.
 *
 * All handles are in one list, because a session that is cut off (a lazy or forced unmount) never releases them, and the
 * vault wants every file closed before it closes. */
#include "fs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "auto.h"
#include "kernel_order.h"
#include "watch.h"

struct handle {
	_Atomic(struct vault_file *) file;	/* never changes; orders its making, and that of the handle, before their
						 * use by another thread, which has the handle from the kernel alone */
	bool may_write;			/* never changes */
	struct watch watch;
	struct handle *previous, *next;	/* guarded by fs->handles_lock */
};

static struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

int handle_open(struct fs *fs, uint64_t id, struct fuse_file_info *fi)
{
	AUTO(free) struct handle *handle = calloc(1, sizeof(*handle));
	struct vault_file *file;
	int r;

	if (!handle)
		return log_err(-ENOMEM, "inode %" PRIu64 ": no memory to open it", id);
	r = vault_file_open(fs->vault, id, &file);
	if (r < 0)
		return r;

	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&fs->handles_lock);

	(void)held;
	handle->may_write = (fi->flags & O_ACCMODE) != O_RDONLY;
	handle->next = fs->handles;
	if (handle->next)
		handle->next->previous = handle;
	fs->handles = handle;
	atomic_store_explicit(&handle->file, file, memory_order_release);
	fi->fh = (uintptr_t)TAKE(handle);
	return 0;
}

void handle_close(struct fs *fs, struct fuse_file_info *fi)
{
	struct handle *handle = handle_of(fi);

	kernel_order_last(&handle->next);
	(void)pthread_mutex_lock(&fs->handles_lock);
	if (handle->previous)
		handle->previous->next = handle->next;
	else
		fs->handles = handle->next;
	if (handle->next)
		handle->next->previous = handle->previous;
	(void)pthread_mutex_unlock(&fs->handles_lock);
	vault_file_close(handle->file);
	free(handle);
}

bool handle_may_write(struct fs *fs, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&fs->handles_lock);

	(void)held;
	for (const struct handle *handle = fs->handles; handle; handle = handle->next) {
		if (handle->may_write && vault_file_id(handle->file) == id)
			return true;
	}
	return false;
}

struct vault_file *handle_file(const struct fuse_file_info *fi)
{
	return atomic_load_explicit(&handle_of(fi)->file, memory_order_acquire);
}

bool handle_watched(struct fs *fs, const struct fuse_file_info *fi, uint64_t offset, size_t n)
{
	struct vault_file *file = handle_file(fi);

	if (!fs->options->seen || fs->read_only || (fi->flags & O_NOATIME))
		return false;
	return watch_read(&handle_of(fi)->watch, fs->vault, vault_file_id(file), offset, n);
}

void handle_done(const struct fuse_file_info *fi)
{
	kernel_order_answer(&handle_of(fi)->next);	/* its address only: another one than `file` has, or uses would seem ordered */
}

void handle_close_all(struct fs *fs)
{
	while (fs->handles) {	/* no other thread serves any more */
		struct fuse_file_info fi = { .fh = (uintptr_t)fs->handles };

		handle_close(fs, &fi);
	}
}
