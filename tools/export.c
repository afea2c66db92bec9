/* export.c - a tree of a vault out into a directory.
 *
 * One thread walks and makes names; the pool's threads fill files. All is made below one directory descriptor and no
 * symbolic link is followed, so that no name in the vault leads out of it. A file that cannot be read whole is removed
 * again: what is there is right. See export.h. */
#include "export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"
#include "listing.h"
#include "log.h"
#include "metadata.h"
#include "pool.h"
#include "progress.h"
#include "seen.h"
#include "vault.h"

struct exporter {
	struct vault *vault;
	const struct export_options *options;
	struct pool *pool;
	int top;      /* the directory everything is made below */
	bool is_root; /* owners can be set, and device nodes made */
	/* The walking thread's only: */
	struct seen links; /* inodes with several names -> 1 + index in paths */
	char **paths;      /* where such an inode was made, below `top`; owned */
	size_t n_paths, room;
	struct metadata_losses losses;
	atomic_uint_fast64_t n_failed; /* a counter; orders nothing */
};

/* Say what is left out, and go on; `error` may be 0 where `problem` says it all. */
static int pass_over(struct exporter *ex, const char *path, const char *problem, int error)
{
	(void)log_err(error, error ? "export: %s: %s: " : "export: %s: %s", path, problem);
	atomic_fetch_add_explicit(&ex->n_failed, 1, memory_order_relaxed);
	return 0;
}

/* ---- attributes ---- */

/* Owner, extended attributes, mode and times of an open file, in an order in which none undoes another. Descriptors of
 * links and nodes are O_PATH ones. */
static int set_attributes(struct exporter *ex, int fd, const struct vault_attr *attr, const char *path)
{
	struct timespec times[2] = { metadata_timespec(attr->atime_ns), metadata_timespec(attr->mtime_ns) };
	mode_t mode = attr->mode & 07777;
	char at[40];
	int r;

	if (fchownat(fd, "", attr->uid, attr->gid, AT_EMPTY_PATH) < 0) {
		if (ex->is_root)
			return -errno;
		mode &= 01777u; /* it is ours now: another's set-id bits would be wrong on it */
	}
	r = metadata_xattrs_out(ex->vault, attr->id, fd, path, &ex->losses);
	if (r < 0)
		return r;
	(void)snprintf(at, sizeof(at), "/proc/self/fd/%d", fd);
	if (!S_ISLNK(attr->mode) && chmod(at, mode) < 0)
		return -errno;
	/* Through the link in /proc, and no further: a symbolic link gets its own times. */
	return utimensat(AT_FDCWD, at, times, 0) < 0 ? -errno : 0;
}

/* ---- content ---- */

static int write_whole(int fd, const char *data, size_t size, off_t offset)
{
	while (size > 0) {
		ssize_t n = pwrite(fd, data, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
		offset += n;
	}
	return 0;
}

static int copy_run(struct exporter *ex, int fd, struct vault_file *file, uint64_t offset, uint64_t end,
		    char *buffer)
{
	while (offset < end) {
		size_t want = end - offset < POOL_BUFFER ? (size_t)(end - offset) : POOL_BUFFER;
		ssize_t n = vault_read(file, offset, buffer, want);
		int r;

		if (n <= 0)
			return (int)n;
		r = write_whole(fd, buffer, (size_t)n, (off_t)offset);
		if (r < 0)
			return r;
		offset += (uint64_t)n;
		progress_add(ex->options->progress, 0, (uint64_t)n);
	}
	return 0;
}

static int copy_content(struct exporter *ex, const struct pool_job *job, struct vault_file *file,
			char *buffer)
{
	uint64_t offset = 0, end;
	int r;

	while ((r = vault_seek(file, offset, SEEK_DATA, &offset)) == 0) {
		r = vault_seek(file, offset, SEEK_HOLE, &end);
		if (r == 0 && end <= offset)
			return -EIO; /* would never end */
		if (r == 0)
			r = copy_run(ex, job->fd, file, offset, end, buffer);
		if (r < 0)
			return r;
		offset = end;
	}
	if (r != -ENXIO)
		return r;
	return ftruncate(job->fd, (off_t)job->attr.size) < 0 ? -errno : 0;
}

static int fill(struct exporter *ex, struct pool_job *job, void *buffer)
{
	struct vault_file *file = NULL;
	int r = vault_file_open(ex->vault, job->attr.id, &file);

	if (r == 0)
		r = copy_content(ex, job, file, buffer);
	vault_file_close(file);
	if (r == 0)
		r = set_attributes(ex, job->fd, &job->attr, job->path);
	if (close(TAKE_FD(job->fd)) < 0 && r == 0)
		r = -errno; /* a network disk tells of a full quota only here */
	return r;
}

/* Fill a file, or remove it again: 0, or 1 when it was left out, or what ends the export. Releases the job. */
static int fill_or_remove(struct exporter *ex, struct pool_job *job, void *buffer)
{
	int r = fill(ex, job, buffer);

	if (r == 0)
		progress_add(ex->options->progress, 1, 0);
	else
		(void)unlinkat(ex->top, job->path, 0); /* what failed is being told */
	if (r == -EBADMSG)
		(void)pass_over(ex, job->path, "left out: it is damaged in the vault", 0);
	else if (r < 0 && r != -ENOSPC && r != -EDQUOT)
		(void)pass_over(ex, job->path, "left out", r);
	pool_job_release(job);
	return r < 0 && r != -ENOSPC && r != -EDQUOT ? 1 : r;
}

static int run_job(void *context, struct pool_job *job, void *buffer)
{
	struct exporter *ex = context;
	int r;

	if (pool_result(ex->pool) < 0) { /* it is over: nothing half made stays */
		(void)unlinkat(ex->top, job->path, 0);
		pool_job_release(job);
		return 0;
	}
	r = fill_or_remove(ex, job, buffer);
	return r < 0 ? r : 0;
}

/* ---- names ---- */

/* A name in the vault that is to be made outside. */
struct outgoing {
	int directory; /* the open one it goes to; borrowed, as the names */
	const char *name;
	const char *path; /* below the top */
	const struct vault_attr *attr;
};

/* Whether what lies there already need not be written again. */
static bool is_unchanged(const struct outgoing *out)
{
	struct stat st;

	return fstatat(out->directory, out->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(out->attr->mode) && S_ISREG(st.st_mode) && (uint64_t)st.st_size == out->attr->size &&
	       metadata_ns(st.st_mtim) == out->attr->mtime_ns;
}

/* Make room for a name when updating. Directories are not removed. */
static int clear_name(struct exporter *ex, const struct outgoing *out)
{
	if (!ex->options->update || unlinkat(out->directory, out->name, 0) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

static int remember_path(struct exporter *ex, const struct outgoing *out)
{
	if (ex->n_paths == ex->room) {
		size_t room = ex->room ? 2 * ex->room : 64;
		char **paths = reallocarray(ex->paths, room, sizeof(*paths));

		if (!paths)
			return log_err(-ENOMEM, "export: no memory to remember hard links");
		ex->paths = paths;
		ex->room = room;
	}
	ex->paths[ex->n_paths] = strdup(out->path);
	if (!ex->paths[ex->n_paths])
		return log_err(-ENOMEM, "export: no memory to remember hard links");
	ex->n_paths++;
	return seen_put(&ex->links, 0, out->attr->id, ex->n_paths);
}

/* A file with several names is filled at once: no other name may be made before it is known to be whole. */
static int fill_here(struct exporter *ex, struct pool_job *job, const struct outgoing *out)
{
	AUTO(free) void *buffer = malloc(POOL_BUFFER);
	int r;

	if (!buffer) {
		pool_job_release(job);
		return log_err(-ENOMEM, "export: %s: no memory", out->path);
	}
	r = fill_or_remove(ex, job, buffer);
	if (r == 0)
		r = remember_path(ex, out);
	return r < 0 ? r : 0;
}

static int export_file(struct exporter *ex, const struct outgoing *out)
{
	struct pool_job job = { .fd = -1, .attr = *out->attr };
	int r;

	if (ex->options->update && is_unchanged(out)) {
		progress_add(ex->options->progress, 1, out->attr->mapped);
		return out->attr->nlink > 1 ? remember_path(ex, out) : 0;
	}
	r = clear_name(ex, out);
	if (r == 0) {
		job.fd = openat(out->directory, out->name,
				O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = job.fd < 0 ? -errno : 0;
	}
	if (r < 0)
		return pass_over(ex, out->path, "cannot be made", r);
	job.path = strdup(out->path);
	if (!job.path) {
		pool_job_release(&job);
		return log_err(-ENOMEM, "export: %s: no memory", out->path);
	}
	if (out->attr->nlink > 1)
		return fill_here(ex, &job, out);
	pool_put(ex->pool, &job);
	return 0;
}

static int make_other(struct exporter *ex, const struct outgoing *out)
{
	char target[VAULT_PATH_MAX + 1];
	int r;

	if (!S_ISLNK(out->attr->mode))
		return mknodat(out->directory, out->name, (out->attr->mode & S_IFMT) | 0600,
			       (dev_t)out->attr->rdev) < 0
			       ? -errno
			       : 0;
	r = vault_readlink(ex->vault, out->attr->id, target);
	if (r == 0)
		r = symlinkat(target, out->directory, out->name) < 0 ? -errno : 0;
	return r;
}

/* Symbolic links, devices, pipes, sockets. */
static int export_other(struct exporter *ex, const struct outgoing *out)
{
	AUTO(fd) int fd = -1;
	int r = clear_name(ex, out);

	if (r == 0)
		r = make_other(ex, out);
	if (r == 0) {
		fd = openat(out->directory, out->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		r = fd < 0 ? -errno : set_attributes(ex, fd, out->attr, out->path);
	}
	if (r < 0)
		return pass_over(ex, out->path, "cannot be made", r);
	progress_add(ex->options->progress, 1, 0);
	return out->attr->nlink > 1 ? remember_path(ex, out) : 0;
}

static int export_link(struct exporter *ex, const struct outgoing *out, const char *known)
{
	struct stat here, there;
	int r;

	if (ex->options->update && fstatat(out->directory, out->name, &here, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(ex->top, known, &there, AT_SYMLINK_NOFOLLOW) == 0 && here.st_dev == there.st_dev &&
	    here.st_ino == there.st_ino)
		return 0;
	r = clear_name(ex, out);
	if (r == 0)
		r = linkat(ex->top, known, out->directory, out->name, 0) < 0 ? -errno : 0;
	return r < 0 ? pass_over(ex, out->path, "cannot be made as a hard link", r) : 0;
}

/* ---- the walk ---- */

static int export_contents(struct exporter *ex, int fd, const struct vault_attr *attr, const char *path);

static int export_directory(struct exporter *ex, const struct outgoing *out)
{
	AUTO(fd) int fd = -1;

	if (mkdirat(out->directory, out->name, 0700) < 0 && (errno != EEXIST || !ex->options->update))
		return pass_over(ex, out->path, "cannot be made", -errno);
	fd = openat(out->directory, out->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return pass_over(ex, out->path, "cannot be opened", -errno);
	return export_contents(ex, fd, out->attr, out->path);
}

static int export_entry(struct exporter *ex, const struct outgoing *out)
{
	uint64_t known;

	/* The vault refuses such names when it reads them; here they would lead out of the directory. */
	if (!*out->name || strchr(out->name, '/') || strcmp(out->name, ".") == 0 ||
	    strcmp(out->name, "..") == 0)
		return pass_over(ex, out->path, "not a name", -EBADMSG);
	if (S_ISDIR(out->attr->mode))
		return export_directory(ex, out);
	known = out->attr->nlink > 1 ? seen_find(&ex->links, 0, out->attr->id) : 0;
	if (known)
		return export_link(ex, out, ex->paths[known - 1]);
	return S_ISREG(out->attr->mode) ? export_file(ex, out) : export_other(ex, out);
}

/* Fill the open directory, then give it its attributes: both would be spoilt by what comes after. */
static int export_contents(struct exporter *ex, int fd, const struct vault_attr *attr, const char *path)
{
	AUTO(listing) struct listing listing = { 0 };
	int r = listing_read(ex->vault, attr->id, &listing);

	/* In the order of creation, which is that of the packs. */
	for (size_t i = 0; i < listing.n && r == 0; i++) {
		AUTO(free) char *below = listing_join(path, listing.entries[i].name);
		struct outgoing out = { fd, listing.entries[i].name, below, &listing.entries[i].attr };

		r = !below ? -ENOMEM : pool_result(ex->pool);
		if (r == 0)
			r = export_entry(ex, &out);
	}
	if (r < 0)
		return r;
	r = set_attributes(ex, fd, attr, path);
	return r < 0 ? pass_over(ex, *path ? path : ".", "its attributes cannot be set", r) : 0;
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int open_top(struct exporter *ex, const char *directory)
{
	struct dirent **entries = NULL;
	int n;

	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return log_err(-errno, "export: %s: cannot be made: ", directory);
	ex->top = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ex->top < 0)
		return log_err(-errno, "export: %s: cannot be opened: ", directory);
	n = ex->options->update ? 0 : scandirat(ex->top, ".", &entries, not_dots, NULL);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	if (n < 0)
		return log_err(-errno, "export: %s: cannot be listed: ", directory);
	if (n > 0)
		return log_err(
			-ENOTEMPTY,
			"export: %s: is not empty: name a new directory, or go on with an export with --update",
			directory);
	return 0;
}

static void release(struct exporter *ex)
{
	for (size_t i = 0; i < ex->n_paths; i++)
		free(ex->paths[i]);
	free(ex->paths);
	seen_release(&ex->links);
	if (ex->top >= 0)
		(void)close(ex->top); /* only a place to stand on */
}

int export_tree(struct vault *vault, const struct vault_attr *top, const char *name, const char *directory,
		const struct export_options *options, uint64_t *ret_n_failed)
{
	struct exporter ex = { .vault = vault,
			       .options = options,
			       .top = -1,
			       .is_root = geteuid() == 0,
			       .losses = METADATA_LOSSES_INIT };
	struct outgoing out = { .name = name, .path = name, .attr = top };
	int last, r = open_top(&ex, directory);

	if (r == 0)
		r = pool_start(run_job, &ex, &ex.pool);
	out.directory = ex.top;
	if (r == 0)
		r = S_ISDIR(top->mode) ? export_contents(&ex, ex.top, top, "") : export_entry(&ex, &out);
	last = pool_finish(ex.pool);
	release(&ex);
	metadata_report_losses("export", &ex.losses);
	*ret_n_failed = atomic_load_explicit(&ex.n_failed, memory_order_relaxed);
	return r < 0 ? r : last;
}
