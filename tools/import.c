/* import.c - a directory tree straight into a vault.
 *
 * One thread walks: it makes directories and inodes, in sorted order, and opens files; the pool's threads fill them. A
 * file gets its modification time last, so that an interrupted import leaves no half file that looks complete to
 * `--update`. Failures of the source are counted and passed over, failures of the vault end it. See import.h. */
#include "import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"
#include "library.h"
#include "listing.h"
#include "log.h"
#include "metadata.h"
#include "pool.h"
#include "progress.h"
#include "seen.h"
#include "vault.h"

#define READ_AHEAD (1 << 20) /* bytes asked of the disk when a file is queued */
#define NEW_SUFFIX ".vaultfs-new" /* of what is to replace a file, till it is whole */

struct importer {
	struct vault *vault;
	const struct import_options *options;
	struct pool *pool;
	struct stat top;             /* of the source; its st_dev counts for one_file_system */
	struct stat vault_directory; /* not imported into itself */
	struct seen links; /* inodes with several names -> those of the vault; walking thread only */
	struct metadata_losses losses;
	atomic_uint_fast64_t n_failed; /* a counter; orders nothing */
};

/* Something of the source cannot be had: say so, and go on without it. */
static int pass_over(struct importer *im, const char *path, const char *problem, int error)
{
	(void)log_err(error, "import: %s: %s: ", path, problem);
	atomic_fetch_add_explicit(&im->n_failed, 1, memory_order_relaxed);
	return 0;
}

static bool is_cancelled(const struct importer *im)
{
	return im->options->cancelled && atomic_load_explicit(im->options->cancelled, memory_order_relaxed);
}

static void tell_of_name(struct importer *im, uint64_t parent, const char *name)
{
	if (im->options->witness)
		im->options->witness->name_changed(im->options->witness->context, parent, name);
}

/* Behind the change in which `left` lost a name. */
static int let_go(struct importer *im, const struct vault_attr *left)
{
	int r;

	if (left->id == 0 || left->nlink > 0)
		return 0;
	if (im->options->witness) {
		im->options->witness->name_lost(im->options->witness->context, left->id);
		return 0;
	}
	vault_change_begin(im->vault, 0);
	r = vault_purge(im->vault, left->id);
	vault_change_end(im->vault);
	return r;
}

static int remove_name(struct importer *im, uint64_t parent, const char *name)
{
	struct vault_attr left = { .id = 0 };
	int r;

	vault_change_begin(im->vault, 0);
	r = vault_unlink(im->vault, parent, name, &left);
	vault_change_end(im->vault);
	if (r < 0)
		return r;
	tell_of_name(im, parent, name);
	return let_go(im, &left);
}

static int write_piece(struct importer *im, struct vault_file *file, uint64_t offset, const void *data,
		       size_t size)
{
	int r;

	vault_change_begin(im->vault, size);
	r = vault_write(file, offset, data, size, 0);
	vault_change_end(im->vault);
	if (r == 0)
		progress_add(im->options->progress, 0, size);
	return r;
}

/* Where the next data lies: [*offset, *ret_end). 0 when there is none. A disk that knows no holes shows one run. */
static int next_run(int fd, off_t *offset, off_t *ret_end)
{
	off_t data = lseek(fd, *offset, SEEK_DATA);

	if (data < 0 && errno == ENXIO)
		return 0;
	if (data < 0) {
		*ret_end = INT64_MAX;
		return 1;
	}
	*offset = data;
	*ret_end = lseek(fd, data, SEEK_HOLE);
	if (*ret_end <= data)
		*ret_end = INT64_MAX;
	return 1;
}

/* Copy the data of `job`; *ret_end is where the last of it ends. A failing read is reported as 1, so that it can be
 * told from the vault's failures. */
static int copy_content(struct importer *im, const struct pool_job *job, struct vault_file *file,
			char *buffer, uint64_t *ret_end)
{
	off_t offset = 0, end;

	*ret_end = 0;
	while (next_run(job->fd, &offset, &end)) {
		while (offset < end) {
			size_t want =
				end - offset < (off_t)POOL_BUFFER ? (size_t)(end - offset) : POOL_BUFFER;
			ssize_t n = pread(job->fd, buffer, want, offset);
			int r;

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0) {
				(void)pass_over(im, job->path, "cannot be read", -errno);
				return 1;
			}
			if (n == 0)
				return 0;
			if (is_cancelled(im))
				return -ECANCELED;
			r = write_piece(im, file, (uint64_t)offset, buffer, (size_t)n);
			if (r < 0)
				return r;
			offset += n;
			*ret_end = (uint64_t)offset;
		}
	}
	return 0;
}

static int fill_content(struct importer *im, const struct pool_job *job, char *buffer, uint64_t *ret_end)
{
	struct vault_file *file = NULL;
	int r;

	*ret_end = 0;
	if (im->options->metadata_only)
		return 0;
	r = vault_file_open(im->vault, job->attr.id, &file);
	if (r < 0)
		return r;
	r = copy_content(im, job, file, buffer, ret_end);
	vault_file_close(file);
	return r;
}

/* 0 it is whole; 1 it could not be read whole, which was said. */
static int fill(struct importer *im, const struct pool_job *job, void *buffer)
{
	struct stat now;
	uint64_t end;
	int r = fill_content(im, job, buffer, &end);

	if (r != 0)
		return r;
	if (fstat(job->fd, &now) < 0) {
		(void)pass_over(im, job->path, "cannot be read", -errno);
		return 1;
	}
	if (metadata_ns(now.st_mtim) != job->attr.mtime_ns || (uint64_t)now.st_size != job->attr.size) {
		/* The time stays that of the import, so that --update takes the file again. */
		log_warn("import: %s: changed while it was read: run it again with --update", job->path);
		atomic_fetch_add_explicit(&im->n_failed, 1, memory_order_relaxed);
		return 1;
	}
	r = metadata_xattrs_in(im->vault, job->attr.id, job->fd, job->path, &im->losses);
	if (r == 0)
		r = metadata_set(im->vault, job->attr.id, &job->attr,
				 end < job->attr.size); /* ends in a hole */
	if (r == 0)
		progress_add(im->options->progress, 1, 0);
	return r;
}

/* What a file of that name is called till it is whole. */
static void name_till_whole(const char *name, char ret[VAULT_NAME_MAX + 1])
{
	(void)snprintf(ret, VAULT_NAME_MAX + 1, ".%.*s" NEW_SUFFIX, (int)(VAULT_NAME_MAX - sizeof(NEW_SUFFIX)), name);
}

/* The file of `job` is whole: it takes the place, and what was known, of the one it replaces. */
static int take_name(struct importer *im, const struct pool_job *job)
{
	struct vault_attr replaced = { .id = 0 };
	char till_whole[VAULT_NAME_MAX + 1];
	int r;

	name_till_whole(job->name, till_whole);
	vault_change_begin(im->vault, 0);
	r = vault_rename(im->vault, job->parent, till_whole, job->parent, job->name, VAULT_RENAME_INHERIT, &replaced);
	vault_change_end(im->vault);
	if (r < 0)
		return r;
	tell_of_name(im, job->parent, till_whole);
	tell_of_name(im, job->parent, job->name);
	return let_go(im, &replaced);
}

static int run_job(void *context, struct pool_job *job, void *buffer)
{
	struct importer *im = context;
	int r = pool_result(im->pool) < 0 ? -ECANCELED : fill(im, job, buffer);

	if (r == 0 && job->name) {
		r = take_name(im, job);
	} else if (job->name) {
		char till_whole[VAULT_NAME_MAX + 1];

		name_till_whole(job->name, till_whole);
		(void)remove_name(im, job->parent, till_whole); /* else the next import removes it */
	}
	pool_job_release(job);
	return r < 0 ? r : 0;
}

/* ---- names ---- */

/* A name met in the source. */
struct source {
	int directory; /* the one it is in; borrowed */
	const char *name;
	const char *path; /* for messages */
	struct stat st;
};

static int change_name(struct importer *im, uint64_t parent, const char *name, uint64_t id,
		       const struct vault_attr *wanted, const char *target, struct vault_attr *ret)
{
	int r;

	vault_change_begin(im->vault, 0);
	r = id ? vault_link(im->vault, id, parent, name, ret)
	       : vault_make(im->vault, parent, name, wanted, target, ret);
	vault_change_end(im->vault);
	if (r == 0)
		tell_of_name(im, parent, name);
	return r;
}

/* Whether what the vault has under a name already is what the source has. */
static bool is_unchanged(struct importer *im, const struct vault_attr *there, const struct vault_attr *wanted,
			 const char *target)
{
	char text[VAULT_PATH_MAX + 1];

	if (((there->mode ^ wanted->mode) & S_IFMT) != 0)
		return false;
	if (S_ISDIR(wanted->mode))
		return true;
	if (S_ISREG(wanted->mode)) /* what was brought in as a hole may have to get its bytes */
		return there->size == wanted->size && there->mtime_ns == wanted->mtime_ns &&
		       (im->options->metadata_only || there->mapped > 0 || wanted->mapped == 0);
	if (S_ISLNK(wanted->mode))
		return vault_readlink(im->vault, there->id, text) == 0 && strcmp(text, target) == 0;
	return there->rdev == wanted->rdev;
}

enum placed { UNCHANGED, PLACED, REPLACING, PASSED_OVER };

static int place_till_whole(struct importer *im, uint64_t parent, const char *name, const struct vault_attr *wanted,
			    struct vault_attr *ret)
{
	char till_whole[VAULT_NAME_MAX + 1];
	int r;

	name_till_whole(name, till_whole);
	r = change_name(im, parent, till_whole, 0, wanted, NULL, ret);
	if (r == -EEXIST) { /* of an import that was cut off */
		r = remove_name(im, parent, till_whole);
		if (r == 0)
			r = change_name(im, parent, till_whole, 0, wanted, NULL, ret);
	}
	return r < 0 ? r : REPLACING;
}

/* A new name in the vault: for the inode `id`, or with 0 for a new one as `wanted`. Returns an enum placed: UNCHANGED
 * when it was there and is as it should be, REPLACING a file that is to take the name once it is whole, PASSED_OVER when
 * something else stands in the way. */
static int place(struct importer *im, uint64_t parent, const char *name, uint64_t id,
		 const struct vault_attr *wanted, const char *target, const char *path,
		 struct vault_attr *ret)
{
	int r = change_name(im, parent, name, id, wanted, target, ret);

	if (r != -EEXIST)
		return r < 0 ? r : PLACED;
	if (!im->options->update)
		return log_err(
			-EEXIST,
			"import: %s: there is such a name in the vault: choose another place with --into, or "
			"bring what is there up to date with --update",
			path);
	r = vault_lookup(im->vault, parent, name, ret);
	if (r < 0)
		return r;
	if (id ? ret->id == id : is_unchanged(im, ret, wanted, target))
		return UNCHANGED;
	if (S_ISDIR(ret->mode) || S_ISDIR(wanted->mode)) {
		(void)pass_over(im, path, "a directory in one place and not in the other", -EEXIST);
		return PASSED_OVER;
	}
	if (!id && S_ISREG(ret->mode) && S_ISREG(wanted->mode))
		return place_till_whole(im, parent, name, wanted, ret);
	r = remove_name(im, parent, name);
	if (r == 0)
		r = change_name(im, parent, name, id, wanted, target, ret);
	return r < 0 ? r : PLACED;
}

/* place(), and remember the inode if other names of it may come. */
static int place_new(struct importer *im, uint64_t parent, const struct source *source,
		     const struct vault_attr *wanted, const char *target, struct vault_attr *ret)
{
	int placed = place(im, parent, source->name, 0, wanted, target, source->path, ret);
	int r = 0;

	if (placed >= 0 && placed != PASSED_OVER && source->st.st_nlink > 1)
		r = seen_put(&im->links, source->st.st_dev, source->st.st_ino, ret->id);
	if (r == 0 && (placed == PLACED || placed == REPLACING) && im->options->device_id != 0) {
		vault_change_begin(im->vault, 0);
		r = vault_origin_set(im->vault, ret->id, im->options->device_id, im->options->location_id);
		vault_change_end(im->vault);
	}
	return r < 0 ? r : placed;
}

/* ---- the walk ---- */

static int walk(struct importer *im, int fd, uint64_t id, const char *path);

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The vault's directory, or where it is mounted? */
static bool is_own(const struct importer *im, const struct source *source)
{
	const struct import_witness *witness = im->options->witness;

	return is_same(&source->st, &im->vault_directory) ||
	       (witness && source->st.st_dev != im->top.st_dev && witness->holds(witness->context, source->path));
}

/* Fill the directory `id` from the open one, then give it its attributes: both would be spoilt by what comes after. */
static int import_contents(struct importer *im, int fd, uint64_t id, const struct stat *st, const char *path)
{
	struct vault_attr wanted = metadata_from_stat(st);
	int r = 0;

	if (!im->options->one_file_system || st->st_dev == im->top.st_dev)
		r = walk(im, fd, id, path);
	if (r == 0)
		r = metadata_xattrs_in(im->vault, id, fd, path, &im->losses);
	return r < 0 ? r : metadata_set(im->vault, id, &wanted, false);
}

static int import_directory(struct importer *im, uint64_t parent, const struct source *source)
{
	AUTO(fd) int fd = -1;
	struct vault_attr made, wanted = metadata_from_stat(&source->st);
	int r;

	if (is_own(im, source)) {
		log_warn("import: %s: left out: it is the vault itself", source->path);
		return 0;
	}
	fd = openat(source->directory, source->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return pass_over(im, source->path, "cannot be opened", -errno);
	r = place(im, parent, source->name, 0, &wanted, NULL, source->path, &made);
	if (r < 0)
		return r;
	if (r == PASSED_OVER || (r == UNCHANGED && im->options->shallow))
		return 0;
	return import_contents(im, fd, made.id, &source->st, source->path);
}

static int open_for_reading(const struct source *source)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(source->directory, source->name, flags | O_NOATIME);

	if (fd < 0 && errno == EPERM) /* only a file's owner may leave its access time alone */
		fd = openat(source->directory, source->name, flags);
	return fd;
}

/* Hand a file that was placed to the threads that fill it; takes over what `job` owns. */
static int queue_file(struct importer *im, uint64_t parent, const struct source *source, bool replacing, struct pool_job *job)
{
	job->path = strdup(source->path);
	if (replacing)
		job->name = strdup(source->name);
	job->parent = parent;
	if (!job->path || (replacing && !job->name))
		return log_err(-ENOMEM, "import: %s: no memory", source->path);
	pool_put(im->pool, job);
	*job = (struct pool_job){ .fd = -1 };
	return 0;
}

static int import_file(struct importer *im, uint64_t parent, const struct source *source)
{
	struct pool_job job = { .fd = -1, .attr = metadata_from_stat(&source->st) };
	struct vault_attr made;
	int r;

	job.fd = open_for_reading(source);
	if (job.fd < 0)
		return pass_over(im, source->path, "cannot be opened", -errno);
	if (!im->options->metadata_only)
		(void)posix_fadvise(job.fd, 0, READ_AHEAD, POSIX_FADV_WILLNEED); /* only a wish */
	job.attr.mapped = (uint64_t)source->st.st_blocks * 512;
	r = place_new(im, parent, source, &job.attr, NULL, &made);
	job.attr.id = made.id;
	if (r == PLACED || r == REPLACING)
		r = queue_file(im, parent, source, r == REPLACING, &job);
	else if (r == UNCHANGED)
		progress_add(im->options->progress, 1, (uint64_t)source->st.st_size);
	pool_job_release(&job);
	return r < 0 ? r : 0;
}

/* Symbolic links, devices, pipes, sockets. */
static int import_other(struct importer *im, uint64_t parent, const struct source *source)
{
	AUTO(fd) int fd = openat(source->directory, source->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct vault_attr made, wanted = metadata_from_stat(&source->st);
	char target[VAULT_PATH_MAX + 1] = "";
	ssize_t n = 0;
	int r;

	if (fd >= 0 && S_ISLNK(source->st.st_mode))
		n = readlinkat(source->directory, source->name, target, sizeof(target));
	if (fd < 0 || n < 0)
		return pass_over(im, source->path, "cannot be read", -errno);
	if (n == (ssize_t)sizeof(target))
		return pass_over(im, source->path, "its target is too long", -ENAMETOOLONG);
	target[n] = '\0';
	r = place_new(im, parent, source, &wanted, S_ISLNK(source->st.st_mode) ? target : NULL, &made);
	if (r != PLACED)
		return r < 0 ? r : 0;
	r = metadata_xattrs_in(im->vault, made.id, fd, source->path, &im->losses);
	if (r == 0)
		r = metadata_set(im->vault, made.id, &wanted, false);
	if (r == 0)
		progress_add(im->options->progress, 1, 0);
	return r;
}

static int import_entry(struct importer *im, uint64_t parent, const struct source *source)
{
	struct vault_attr made, wanted = metadata_from_stat(&source->st);
	uint64_t known;

	if (is_cancelled(im))
		return -ECANCELED;
	if (S_ISDIR(source->st.st_mode))
		return import_directory(im, parent, source);
	if (im->options->totals && S_ISREG(source->st.st_mode)) {
		atomic_fetch_add_explicit(&im->options->totals->n_files, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&im->options->totals->n_bytes, (uint64_t)source->st.st_size, memory_order_relaxed);
	}
	known = source->st.st_nlink > 1 ? seen_find(&im->links, source->st.st_dev, source->st.st_ino) : 0;
	if (known) {
		int r = place(im, parent, source->name, known, &wanted, NULL, source->path, &made);

		return r < 0 ? r : 0;
	}
	return S_ISREG(source->st.st_mode) ? import_file(im, parent, source)
					   : import_other(im, parent, source);
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* All of a directory's names are read first: no descriptor stays at work while what lies below is walked. */
static int walk(struct importer *im, int fd, uint64_t id, const char *path)
{
	struct dirent **entries = NULL;
	int n = scandirat(fd, ".", &entries, not_dots, by_bytes);
	int r = 0;

	if (n < 0)
		return pass_over(im, path, "cannot be listed", -errno);
	for (int i = 0; i < n; i++) {
		AUTO(free) char *below = NULL;
		AUTO(free) struct dirent *entry = entries[i];
		struct source source = { .directory = fd, .name = entry->d_name };

		if (r == 0)
			r = pool_result(im->pool);
		if (r < 0)
			continue; /* the names are still to be freed */
		source.path = below = listing_join(path, entry->d_name);
		if (!below)
			r = -ENOMEM;
		else if (fstatat(fd, entry->d_name, &source.st, AT_SYMLINK_NOFOLLOW) < 0)
			r = pass_over(im, below, "cannot be read", -errno);
		else
			r = import_entry(im, id, &source);
	}
	free(entries);
	return r;
}

/* ---- the place it goes to ---- */

/* The directory `path` of the vault, made where it is missing; *ret_is_new says whether its last name was. */
static int make_place(struct importer *im, const char *path, struct vault_attr *ret, bool *ret_is_new)
{
	struct vault_attr wanted = { .mode = S_IFDIR | 0755, .uid = geteuid(), .gid = getegid() };
	int r = vault_getattr(im->vault, im->options->into_id ? im->options->into_id : VAULT_ROOT_ID, ret);

	*ret_is_new = true; /* the top itself may be imported into */
	while (r == 0) {
		char name[VAULT_NAME_MAX + 1];
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0)
			return 0;
		if (n > VAULT_NAME_MAX)
			return log_err(-ENAMETOOLONG, "import: %s: a name is longer than %u bytes", path,
				       VAULT_NAME_MAX);
		(void)snprintf(name, sizeof(name), "%.*s", (int)n, path);
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			return log_err(-EINVAL, "import: %s: a path in the vault has no \".\" and \"..\"",
				       path);
		path += n;
		r = change_name(im, ret->id, name, 0, &wanted, NULL, ret);
		*ret_is_new = r == 0;
		if (r == -EEXIST)
			r = vault_lookup(im->vault, ret->id, name, ret);
		if (r == 0 && !S_ISDIR(ret->mode))
			return log_err(
				-ENOTDIR,
				"import: %s: is not a directory in the vault: choose another place with --into",
				name);
	}
	return r;
}

static int import_at(struct importer *im, int fd, const char *source, const char *into)
{
	struct vault_attr place_attr;
	bool is_new;
	int r = make_place(im, into, &place_attr, &is_new);

	if (r < 0)
		return r;
	if (!is_new && !im->options->update)
		return log_err(
			-EEXIST,
			"import: %s: is in the vault already: choose another place with --into, or bring it up to "
			"date with --update",
			into);
	return import_contents(im, fd, place_attr.id, &im->top, source);
}

int import_place(struct vault *vault, const char *path, uint64_t *ret_id)
{
	const struct import_options options = { .into = path };
	struct importer im = { .vault = vault, .options = &options, .losses = METADATA_LOSSES_INIT };
	struct vault_attr attr;
	bool is_new;
	int r = make_place(&im, path, &attr, &is_new);

	if (r == 0)
		*ret_id = attr.id;
	return r;
}

int import_tree(struct vault *vault, const char *source, const struct import_options *options,
		uint64_t *ret_n_failed)
{
	struct importer im = { .vault = vault, .options = options, .losses = METADATA_LOSSES_INIT };
	AUTO(free) char *real = realpath(source, NULL);
	AUTO(fd) int fd = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r, last;

	if (fd < 0 || !real || fstat(fd, &im.top) < 0)
		return log_err(-errno, "import: %s: cannot be opened: ", source);
	if (stat(vault_path(vault), &im.vault_directory) < 0)
		return log_err(-errno, "import: %s: ", vault_path(vault));
	if (is_same(&im.top, &im.vault_directory))
		return log_err(-EINVAL, "import: %s: is the vault itself", source);
	if (!options->into && strcmp(real, "/") == 0)
		return log_err(-EINVAL, "import: /: has no name to go by: give it one with --into");

	r = pool_start(run_job, &im, &im.pool);
	if (r < 0)
		return r;
	r = import_at(&im, fd, source, options->into ? options->into : strrchr(real, '/') + 1);
	last = pool_finish(im.pool);
	seen_release(&im.links);
	if (r == 0)
		r = last;
	last = vault_sync(vault);
	metadata_report_losses("import", &im.losses);
	*ret_n_failed = atomic_load_explicit(&im.n_failed, memory_order_relaxed);
	return r < 0 ? r : last;
}
