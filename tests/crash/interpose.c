/* interpose.c - the wrapped calls, and which files are below the root. See interpose.h.
 *
 * Each wrapper fills a struct interpose_call, lets the mode look at it before and after, and makes the call itself in
 * between. A lock keeps the order in which the mode sees calls the order in which they happen. */
#undef _FILE_OFFSET_BITS /* both names of each call are defined here; they are the same on 64-bit systems */
#undef _FORTIFY_SOURCE
#include "interpose.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "calls with 32-bit offsets are not wrapped");

#define ALIAS(name) __attribute__((alias(#name)))

static const struct interpose_mode *const modes[] = { &interpose_record };

/* ---- what the system has ---- */

/* What the wrappers end in. */
#define WRAPPED(X)                                                                                   \
	X(openat)                                                                                    \
	X(mkdirat)                                                                                   \
	X(linkat)                                                                                    \
	X(symlinkat)                                                                                 \
	X(unlinkat) X(renameat2) X(write) X(writev) X(pwrite) X(pwritev) X(pwritev2) X(ftruncate)    \
		X(truncate) X(fallocate) X(posix_fallocate) X(copy_file_range) X(sendfile) X(splice) \
			X(fsync) X(fdatasync) X(sync) X(syncfs) X(mmap)

#define NUMBER(name) REAL_##name,
enum { WRAPPED(NUMBER) N_REAL };

#define TEXT(name) #name,
static const char *const real_names[N_REAL] = { WRAPPED(TEXT) };
static _Atomic(void *) real_functions[N_REAL];

static void *real_function(int n)
{
	void *function = atomic_load(&real_functions[n]);

	if (!function) {
		function = dlsym(RTLD_NEXT, real_names[n]);
		if (!function)
			interpose_die("no %s in this system's libraries", real_names[n]);
		atomic_store(&real_functions[n], function);
	}
	return function;
}

#define REAL(name) ((__typeof__(&name))real_function(REAL_##name))

void interpose_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("interpose: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	abort();
}

int interpose_real_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
	return REAL(openat)(dir_fd, path, flags, mode);
}

ssize_t interpose_real_writev(int fd, const struct iovec *iov, int n_iov)
{
	return REAL(writev)(fd, iov, n_iov);
}

/* ---- files below the root ---- */

static struct {
	_Atomic bool on;
	pthread_mutex_t lock; /* guards what follows; held over each call but a sync */
	const struct interpose_mode *mode;
	char root[PATH_MAX];
	dev_t device;
	struct interpose_file **files; /* never moved: a sync holds one without the lock */
	size_t n, room;
	uint64_t last_number;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct interpose_file *file_find(const struct stat *st)
{
	if (st->st_dev != state.device)
		return NULL;
	for (size_t i = state.n; i-- > 0;)
		if (state.files[i]->inode == st->st_ino)
			return state.files[i];
	return NULL;
}

/* A file that was not there before; its inode may have been another one's. */
static struct interpose_file *file_add(ino_t inode, const char *name)
{
	struct interpose_file *file = calloc(1, sizeof(*file));

	for (size_t i = 0; i < state.n; i++)
		if (state.files[i]->inode == inode)
			state.files[i]->inode = 0;
	if (state.n == state.room) {
		state.room = state.room ? 2 * state.room : 64;
		state.files = reallocarray(state.files, state.room, sizeof(*state.files));
	}
	if (!file || !state.files)
		interpose_die("no memory");
	file->inode = inode;
	file->number = ++state.last_number;
	(void)snprintf(file->name, sizeof(file->name), "%s", name);
	state.files[state.n++] = file;
	return file;
}

static struct interpose_file *file_of_fd(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? file_find(&st) : NULL;
}

/* The directory in which `path` names something, and that name; NULL: not below the root, or no such directory. */
static struct interpose_file *parent_of(int dir_fd, const char *path, char ret_name[INTERPOSE_NAME_MAX + 1])
{
	char copy[PATH_MAX];
	size_t size = strlen(path);
	struct stat st;
	char *slash;

	if (size == 0 || size >= sizeof(copy))
		return NULL;
	memcpy(copy, path, size + 1);
	while (size > 1 && copy[size - 1] == '/')
		copy[--size] = '\0';
	slash = strrchr(copy, '/');
	if (strlen(slash ? slash + 1 : copy) > INTERPOSE_NAME_MAX)
		return NULL;
	strcpy(ret_name, slash ? slash + 1 : copy);
	if (slash == copy)
		slash[1] = '\0';
	else if (slash)
		*slash = '\0';
	if (fstatat(dir_fd, slash ? copy : "", &st, AT_EMPTY_PATH) < 0)
		return NULL;
	return file_find(&st);
}

/* What is called so in a directory that is known. */
static struct interpose_file *file_of_path(int dir_fd, const char *path)
{
	struct stat st;

	return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? file_find(&st) : NULL;
}

static int each_in(const struct interpose_file *directory, int fd,
		   int (*found)(void *context, const struct interpose_file *directory,
				const struct interpose_file *file, int fd),
		   void *context)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int r = dir ? 0 : -errno;

	while (r == 0 && (entry = readdir(dir)) != NULL) {
		const struct interpose_file *file;
		struct stat st;
		int child;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		child = REAL(openat)(dirfd(dir), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0 || fstat(child, &st) < 0)
			interpose_die("%s: %s", entry->d_name, strerror(errno));
		file = file_add(st.st_ino, entry->d_name);
		r = found(context, directory, file, child);
		if (r == 0 && S_ISDIR(st.st_mode))
			r = each_in(file, child, found, context); /* closes it */
		else
			(void)close(child); /* only read */
	}
	if (dir)
		(void)closedir(dir); /* the same */
	return r;
}

int interpose_each(int (*found)(void *context, const struct interpose_file *directory,
				const struct interpose_file *file, int fd),
		   void *context)
{
	int fd = REAL(openat)(AT_FDCWD, state.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : each_in(state.files[0], fd, found, context);
}

int interpose_start(const struct interpose_mode *mode, const char *root, const char *log)
{
	struct stat st;
	int r;

	if (!realpath(root, state.root) || stat(state.root, &st) < 0)
		return -errno;
	state.mode = mode;
	state.device = st.st_dev;
	(void)file_add(st.st_ino, "");
	r = mode->start(log);
	atomic_store(&state.on, r == 0);
	return r;
}

void interpose_stop(void)
{
	(void)pthread_mutex_lock(&state.lock);
	atomic_store(&state.on, false);
	state.mode->stop();
	for (size_t i = 0; i < state.n; i++)
		free(state.files[i]);
	state.n = 0;
	state.last_number = 0;
	(void)pthread_mutex_unlock(&state.lock);
}

__attribute__((constructor)) static void start_under_command(void)
{
	const char *name = getenv("VAULTFS_INTERPOSE");
	const char *root = getenv("VAULTFS_INTERPOSE_ROOT");
	int r = -EINVAL;

	if (!name)
		return;
	for (size_t i = 0; root && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i]->name, name) == 0)
			r = interpose_start(modes[i], root, getenv("VAULTFS_INTERPOSE_LOG"));
	if (r < 0 && r != -EEXIST) /* there: another process writes it */
		interpose_die("cannot start mode %s: %s", name, strerror(-r));
}

/* ---- around a call ---- */

/* Take the lock if anything is wrapped at all. The lock is held on true. */
static bool begin(void)
{
	if (!atomic_load_explicit(&state.on, memory_order_acquire))
		return false;
	(void)pthread_mutex_lock(&state.lock);
	if (atomic_load(&state.on))
		return true;
	(void)pthread_mutex_unlock(&state.lock);
	return false;
}

/* The call is not on files below the root. */
static void pass(void)
{
	(void)pthread_mutex_unlock(&state.lock);
}

/* Let the mode look; a call that shall fail leaves here with its errno. */
static int enter(struct interpose_call *call)
{
	return state.mode->enter(call);
}

/* Let the mode see the result, unlock, and return it as the system does. */
static int64_t leave(struct interpose_call *call, int64_t result)
{
	state.mode->leave(call, result);
	(void)pthread_mutex_unlock(&state.lock);
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}

/* What a call of the system returned, as modes want it. */
static int64_t outcome(int64_t returned)
{
	return returned < 0 ? -errno : returned;
}

/* ---- names ---- */

static int open_wrapped(int dir_fd, const char *path, int flags, mode_t mode)
{
	struct interpose_call call = { .kind = INTERPOSE_CREATE, .mode = mode };
	struct interpose_file *there;
	int64_t r;
	struct stat st;

	if (!(flags & (O_CREAT | O_TRUNC)) || !begin())
		return REAL(openat)(dir_fd, path, flags, mode);
	call.file = parent_of(dir_fd, path, call.name);
	if (!call.file) {
		pass();
		return REAL(openat)(dir_fd, path, flags, mode);
	}
	if ((flags & O_TMPFILE) == O_TMPFILE || (flags & (O_SYNC | O_DSYNC)))
		interpose_die("%s: opened with unsupported flags", path);
	there = file_of_path(dir_fd, path);
	if (there && (!(flags & O_TRUNC) || (flags & O_EXCL))) {
		pass();
		return REAL(openat)(dir_fd, path, flags, mode);
	}
	if (there) {
		call.kind = INTERPOSE_TRUNCATE;
		call.file = there;
	}
	r = enter(&call);
	if (r == 0)
		r = outcome(REAL(openat)(dir_fd, path, flags, mode));
	if (r >= 0 && !there) {
		if (fstat((int)r, &st) < 0)
			interpose_die("%s: %s", path, strerror(errno));
		call.other = file_add(st.st_ino, call.name);
	}
	return (int)leave(&call, r);
}

static mode_t mode_argument(int flags, va_list args)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_argument(flags, args);
	va_end(args);
	return open_wrapped(AT_FDCWD, path, flags, mode);
}

int openat(int dir_fd, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_argument(flags, args);
	va_end(args);
	return open_wrapped(dir_fd, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
	return open_wrapped(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int __open_2(const char *path, int flags);
int __openat_2(int dir_fd, const char *path, int flags);

int __open_2(const char *path, int flags)
{
	return open_wrapped(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dir_fd, const char *path, int flags)
{
	return open_wrapped(dir_fd, path, flags, 0);
}

int open64(const char *path, int flags, ...) ALIAS(open);
int openat64(int dir_fd, const char *path, int flags, ...) ALIAS(openat);
int creat64(const char *path, mode_t mode) ALIAS(creat);
int __open64_2(const char *path, int flags) ALIAS(__open_2);
int __openat64_2(int dir_fd, const char *path, int flags) ALIAS(__openat_2);

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
	struct interpose_call call = { .kind = INTERPOSE_MKDIR, .mode = mode };
	struct stat st;
	int64_t r;

	if (!begin())
		return REAL(mkdirat)(dir_fd, path, mode);
	call.file = parent_of(dir_fd, path, call.name);
	if (!call.file) {
		pass();
		return REAL(mkdirat)(dir_fd, path, mode);
	}
	r = enter(&call);
	if (r == 0)
		r = outcome(REAL(mkdirat)(dir_fd, path, mode));
	if (r == 0) {
		if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			interpose_die("%s: %s", path, strerror(errno));
		call.other = file_add(st.st_ino, call.name);
	}
	return (int)leave(&call, r);
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	struct interpose_call call = { .kind = INTERPOSE_LINK };
	int64_t r;

	if (!begin())
		return REAL(linkat)(from_fd, from, to_fd, to, flags);
	call.file = parent_of(to_fd, to, call.name);
	if (!call.file) {
		pass();
		return REAL(linkat)(from_fd, from, to_fd, to, flags);
	}
	call.other =
		flags & AT_EMPTY_PATH && *from == '\0' ? file_of_fd(from_fd) : file_of_path(from_fd, from);
	if (!call.other)
		interpose_die("%s: linked to from outside the root", to);
	r = enter(&call);
	if (r == 0)
		r = outcome(REAL(linkat)(from_fd, from, to_fd, to, flags));
	return (int)leave(&call, r);
}

int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int symlinkat(const char *target, int dir_fd, const char *path)
{
	char name[INTERPOSE_NAME_MAX + 1];

	if (begin()) {
		if (parent_of(dir_fd, path, name))
			interpose_die("%s: symbolic links below the root are not supported", path);
		pass();
	}
	return REAL(symlinkat)(target, dir_fd, path);
}

int symlink(const char *target, const char *path)
{
	return symlinkat(target, AT_FDCWD, path);
}

int unlinkat(int dir_fd, const char *path, int flags)
{
	struct interpose_call call = { .kind = INTERPOSE_UNLINK };
	int64_t r;

	if (!begin())
		return REAL(unlinkat)(dir_fd, path, flags);
	call.file = parent_of(dir_fd, path, call.name);
	if (!call.file) {
		pass();
		return REAL(unlinkat)(dir_fd, path, flags);
	}
	r = enter(&call);
	if (r == 0)
		r = outcome(REAL(unlinkat)(dir_fd, path, flags));
	return (int)leave(&call, r);
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	struct interpose_call call = { .kind = INTERPOSE_RENAME };
	struct interpose_file *moved;
	int64_t r;

	if (!begin())
		return REAL(renameat2)(from_fd, from, to_fd, to, flags);
	call.file = parent_of(from_fd, from, call.name);
	call.other = parent_of(to_fd, to, call.other_name);
	if (!call.file && !call.other) {
		pass();
		return REAL(renameat2)(from_fd, from, to_fd, to, flags);
	}
	if (!call.file || !call.other || flags != 0)
		interpose_die("%s: renamed over the root's border, or with flags", from);
	moved = file_of_path(from_fd, from);
	r = enter(&call);
	if (r == 0)
		r = outcome(REAL(renameat2)(from_fd, from, to_fd, to, flags));
	if (r == 0 && moved)
		strcpy(moved->name, call.other_name);
	return (int)leave(&call, r);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return renameat2(from_fd, from, to_fd, to, 0);
}

int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* ---- content ---- */

/* A write at `offset`, -1: where the descriptor stands. */
static ssize_t write_wrapped(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	struct interpose_call call = { .kind = INTERPOSE_WRITE, .iov = iov, .n_iov = n_iov };
	int64_t r;

	if (!begin())
		return offset < 0 ? REAL(writev)(fd, iov, n_iov) : REAL(pwritev)(fd, iov, n_iov, offset);
	call.file = file_of_fd(fd);
	if (!call.file) {
		pass();
		return offset < 0 ? REAL(writev)(fd, iov, n_iov) : REAL(pwritev)(fd, iov, n_iov, offset);
	}
	call.offset = (uint64_t)offset;
	if (offset < 0)
		call.offset = (uint64_t)lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
	for (int i = 0; i < n_iov; i++)
		call.size += iov[i].iov_len;
	r = enter(&call);
	if (r == 0)
		r = outcome(offset < 0 ? REAL(writev)(fd, iov, n_iov)
				       : REAL(pwritev)(fd, iov, n_iov, offset));
	return leave(&call, r);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	struct iovec iov = { (void *)bytes, size };

	return atomic_load_explicit(&state.on, memory_order_relaxed) ? write_wrapped(fd, &iov, 1, -1)
								     : REAL(write)(fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	struct iovec iov = { (void *)bytes, size };

	return offset >= 0 && atomic_load_explicit(&state.on, memory_order_relaxed)
		       ? write_wrapped(fd, &iov, 1, offset)
		       : REAL(pwrite)(fd, bytes, size, offset);
}

ssize_t writev(int fd, const struct iovec *iov, int n_iov)
{
	return write_wrapped(fd, iov, n_iov, -1);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	return offset < 0 ? REAL(pwritev)(fd, iov, n_iov, offset) : write_wrapped(fd, iov, n_iov, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset) ALIAS(pwrite);
ssize_t pwritev64(int fd, const struct iovec *iov, int n_iov, off64_t offset) ALIAS(pwritev);

int ftruncate(int fd, off_t size)
{
	struct interpose_call call = { .kind = INTERPOSE_TRUNCATE, .size = (uint64_t)size };
	int64_t r;

	if (!begin())
		return REAL(ftruncate)(fd, size);
	call.file = file_of_fd(fd);
	if (!call.file) {
		pass();
		return REAL(ftruncate)(fd, size);
	}
	r = enter(&call);
	if (r == 0)
		r = outcome(REAL(ftruncate)(fd, size));
	return (int)leave(&call, r);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
	struct interpose_call call = { .kind = INTERPOSE_ALLOCATE,
				       .offset = (uint64_t)offset,
				       .size = (uint64_t)size,
				       .allocate_mode = mode };
	int64_t r;

	if (!begin())
		return REAL(fallocate)(fd, mode, offset, size);
	call.file = file_of_fd(fd);
	if (!call.file) {
		pass();
		return REAL(fallocate)(fd, mode, offset, size);
	}
	r = enter(&call);
	if (r == 0)
		r = outcome(REAL(fallocate)(fd, mode, offset, size));
	return (int)leave(&call, r);
}

int ftruncate64(int fd, off64_t size) ALIAS(ftruncate);
int fallocate64(int fd, int mode, off64_t offset, off64_t size) ALIAS(fallocate);

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	struct interpose_call call = { .kind = INTERPOSE_MAP };

	if (fd >= 0 && protection & PROT_WRITE && (flags & MAP_TYPE) != MAP_PRIVATE && begin()) {
		call.file = file_of_fd(fd);
		if (call.file) {
			(void)enter(&call); /* no mapping is refused */
			(void)leave(&call, 0);
		} else {
			pass();
		}
	}
	return REAL(mmap)(address, size, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset) ALIAS(mmap);

/* ---- flushing ---- */

/* `what` is one of the calls below; `fd` -1 for sync(2). */
static int sync_wrapped(int what, int fd)
{
	struct interpose_call call = { .kind = INTERPOSE_SYNC };
	int (*real)(int) = what == REAL_sync ? NULL : real_function(what);
	bool wrapped = begin();
	int64_t r = 0;

	if (wrapped && (what == REAL_fsync || what == REAL_fdatasync)) {
		call.file = file_of_fd(fd);
		wrapped = call.file != NULL;
		if (!wrapped)
			pass();
	}
	if (wrapped) {
		r = enter(&call);
		(void)pthread_mutex_unlock(&state.lock);
	}
	if (r == 0 && real)
		r = outcome(real(fd));
	else if (r == 0)
		REAL(sync)();
	if (!wrapped) {
		errno = r < 0 ? (int)-r : errno;
		return r < 0 ? -1 : 0;
	}
	(void)pthread_mutex_lock(&state.lock);
	if (!atomic_load(&state.on))
		interpose_die("stopped while a flush was on its way");
	return (int)leave(&call, r);
}

int fsync(int fd)
{
	return sync_wrapped(REAL_fsync, fd);
}

int fdatasync(int fd)
{
	return sync_wrapped(REAL_fdatasync, fd);
}

int syncfs(int fd)
{
	return sync_wrapped(REAL_syncfs, fd);
}

void sync(void)
{
	(void)sync_wrapped(REAL_sync, -1);
}

/* ---- calls that nobody makes below the root; should that change, they must be wrapped ---- */

static void refuse_fd(int fd, const char *what)
{
	if (!begin())
		return;
	if (file_of_fd(fd))
		interpose_die("%s below the root is not supported", what);
	pass();
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n_iov, off_t offset, int flags)
{
	refuse_fd(fd, "pwritev2");
	return REAL(pwritev2)(fd, iov, n_iov, offset, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int n_iov, off64_t offset, int flags) ALIAS(pwritev2);

int posix_fallocate(int fd, off_t offset, off_t size)
{
	refuse_fd(fd, "posix_fallocate");
	return REAL(posix_fallocate)(fd, offset, size);
}

int truncate(const char *path, off_t size)
{
	char name[INTERPOSE_NAME_MAX + 1];

	if (begin()) {
		if (parent_of(AT_FDCWD, path, name))
			interpose_die("truncate below the root is not supported");
		pass();
	}
	return REAL(truncate)(path, size);
}

ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size,
			unsigned flags)
{
	refuse_fd(to, "copy_file_range");
	return REAL(copy_file_range)(from, from_offset, to, to_offset, size, flags);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size)
{
	refuse_fd(to, "sendfile");
	return REAL(sendfile)(to, from, offset, size);
}

ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags)
{
	refuse_fd(to, "splice");
	return REAL(splice)(from, from_offset, to, to_offset, size, flags);
}
