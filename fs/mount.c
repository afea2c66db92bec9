/* mount.c - from two paths to a served mount, and back.
 *
 * The order matters: look at the paths, fork, open the vault (SQLite must not cross a fork), mount, negotiate, start the
 * threads, and only then tell the parent. The end runs backwards: no thread serves any more before the files are closed,
 * all files are closed before the vault is. */
#include "fs_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "auto.h"
#include "daemon.h"
#include "loop.h"
#include "orphans.h"
#include "park.h"
#include "place.h"
#include "session.h"
#include "signals.h"
#include "views.h"

/* ---- what can be said before anything is touched ---- */

static int resolve_vault(const char *path, char **ret)
{
	AUTO(free) char *real = realpath(path, NULL);

	if (!real)
		return log_err(-errno, "vault %s: ", path);
	*ret = TAKE(real);
	return 0;
}

static int resolve_mount_point(const char *path, char **ret)
{
	AUTO(free) char *real = NULL;
	struct stat stat_of;

	if (stat(path, &stat_of) < 0 && errno == ENOTCONN)
		return log_err(-ENOTCONN, "mount point %s: what served it is gone; clear it with: fusermount3 -u %s",
			       path, path);
	real = realpath(path, NULL);
	if (!real && errno == ENOENT)
		return log_err(-ENOENT, "mount point %s: does not exist; make it with: mkdir %s", path, path);
	if (!real || stat(real, &stat_of) < 0)
		return log_err(-errno, "mount point %s: ", path);
	if (!S_ISDIR(stat_of.st_mode))
		return log_err(-ENOTDIR, "mount point %s: not a directory; name an empty one", path);
	*ret = TAKE(real);
	return 0;
}

/* Is `path` the directory `top`, or below it? Both are real paths. */
static bool is_within(const char *path, const char *top)
{
	size_t n = strlen(top);

	while (n > 0 && top[n - 1] == '/')
		n--;		/* the root directory */
	return strncmp(path, top, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static int check_empty(const char *mount_point)
{
	AUTO(dir) DIR *dir = opendir(mount_point);
	const struct dirent *entry;

	if (!dir)
		return log_err(-errno, "mount point %s: ", mount_point);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return log_err(-ENOTEMPTY, "mount point %s: not empty; name an empty directory, or hide what "
				       "is there with -o nonempty", mount_point);
	}
	return 0;
}

static int check_paths(const struct fs_options *options, const char *vault_path, const char *mount_point)
{
	if (is_within(vault_path, mount_point))
		return log_err(-EINVAL, "mount point %s: contains the vault %s, which could not be reached any more; "
			       "name another directory", mount_point, vault_path);
	if (is_within(mount_point, vault_path))
		return log_err(-EINVAL, "mount point %s: lies inside the vault %s; name another directory",
			       mount_point, vault_path);
	if (access("/dev/fuse", F_OK) < 0)
		return log_err(-ENODEV, "/dev/fuse is missing: load the kernel module (modprobe fuse), or give this "
			       "container the device");
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return log_err(-errno, "/dev/fuse: this user may not use it; its mode should be 0666");
	return options->nonempty ? 0 : check_empty(mount_point);
}

/* ---- the process that serves ---- */

/* How far the kernel reads ahead can only be raised here, and only by root; it is a wish. */
static void raise_readahead(const struct fs *fs)
{
	char path[64];
	struct statx info;
	AUTO(file) FILE *file = NULL;

	if (fs->options->readahead_kib == 0 ||
	    statx(AT_FDCWD, fs->mount_point, AT_STATX_DONT_SYNC, STATX_TYPE, &info) < 0)
		return;
	(void)snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", info.stx_dev_major,
		       info.stx_dev_minor);
	file = fopen(path, "we");
	if (file)
		(void)fprintf(file, "%u\n", fs->options->readahead_kib);	/* a wish */
}

static int open_vault(struct fs *fs)
{
	struct vault_open_options options = {
		.flags = fs->options->read_only ? VAULT_OPEN_READ_ONLY : 0,
		.commit_seconds = fs->options->commit_seconds,
		.cache_size = fs->options->cache_size,
		.mount_point = fs->mount_point,
	};
	int r = vault_open(fs->vault_path, &options, &fs->vault);

	if (r < 0)
		return r;
	fs->read_only = vault_is_read_only(fs->vault);
	if (fs->read_only && !fs->options->read_only)
		log_warn("%s: the vault can only be read, so it is mounted read-only", fs->vault_path);
	return 0;
}

static int start_threads(struct fs *fs)
{
	int r = park_start(fs);

	if (r >= 0 && !fs->read_only)
		r = orphans_start(fs);
	if (r >= 0 && fs->hooks && fs->hooks->on_started) {
		fs->hooks_started = true;
		fs->hooks->on_started(fs, fs->hooks->context);
	}
	if (r >= 0)
		r = views_start(fs);
	if (r >= 0)
		r = loop_start(fs);
	if (r >= 0)
		r = signals_start(fs);
	return r;
}

static void wait_for_syncs(struct fs *fs)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&fs->syncs_lock);

	(void)held;
	while (fs->n_syncs > 0)
		(void)pthread_cond_wait(&fs->syncs_done, &fs->syncs_lock);
}

void fs_name_changed(struct fs *fs, uint64_t parent, const char *name)
{
	/* The kernel may know neither. The entry alone would leave the listing, where the name was never looked up. */
	(void)fuse_lowlevel_notify_inval_entry(fs->session, parent, name, strlen(name));
	(void)fuse_lowlevel_notify_inval_inode(fs->session, parent, 0, 0);
}

void fs_name_lost(struct fs *fs, uint64_t id)
{
	/* Its link count is another one. */
	(void)fuse_lowlevel_notify_inval_inode(fs->session, id, -1, 0);
	orphans_add(fs->orphans, id);
	orphans_hint(fs->orphans, id);
}

/* Also for a start that failed half-way. */
static void stop_threads(struct fs *fs)
{
	loop_wait(fs);
	if (fs->park) {
		park_stop(fs->park);
		park_wait(fs->park);
	}
	views_wait(fs->views);
	wait_for_syncs(fs);
	if (fs->hooks_started && fs->hooks->on_stopping)
		fs->hooks->on_stopping(fs, fs->hooks->context);
	orphans_free(fs->orphans);
	session_unmount(fs);		/* nobody replies any more; who waits for an answer gets an error */
	signals_free(fs->signals);	/* their threads were among those, and could stop loop and park till now */
	park_free(fs->park);
	loop_free(fs->loop);
}

static int serve(struct fs *fs, struct daemon *daemon)
{
	int r;

	place_note(fs);
	r = start_threads(fs);
	if (r < 0) {
		if (fs->loop)
			loop_stop(fs);
	} else {
		raise_readahead(fs);
		daemon_report(daemon, 0);
	}
	stop_threads(fs);
	handle_close_all(fs);
	views_free(fs->views);
	if (r >= 0 && !fs->read_only)
		orphans_purge_all(fs);
	return r;
}

static int serve_with_hooks(struct fs *fs, struct daemon *daemon)
{
	const struct fs_hooks *hooks = fs->hooks;
	int r = session_open(fs);

	if (r < 0)
		return r;
	if (hooks && hooks->on_opened)
		hooks->on_opened(fs->vault, hooks->context);
	r = serve(fs, daemon);
	if (hooks && hooks->on_closing)
		hooks->on_closing(fs->vault, hooks->context);
	session_free(fs);
	return r;
}

static int run(struct fs *fs, struct daemon *daemon)
{
	int closed = 0;
	int r;

	signals_block();
	daemon_take_libfuse_log();
	if (fs->options->debug)
		log_set_sink(NULL, NULL, LOG_LEVEL_DEBUG);
	(void)pthread_mutex_init(&fs->handles_lock, NULL);	/* with default attributes they cannot fail */
	(void)pthread_mutex_init(&fs->syncs_lock, NULL);
	(void)pthread_cond_init(&fs->syncs_done, NULL);
	r = open_vault(fs);
	if (r >= 0) {
		r = serve_with_hooks(fs, daemon);
		closed = vault_close(fs->vault);
	}
	daemon_report(daemon, r);	/* unless success was reported */
	(void)pthread_cond_destroy(&fs->syncs_done);
	(void)pthread_mutex_destroy(&fs->syncs_lock);
	(void)pthread_mutex_destroy(&fs->handles_lock);
	return r < 0 ? r : closed;
}

int fs_mount(const char *vault_path, const char *mount_point, const struct fs_options *options,
	     const struct fs_hooks *hooks)
{
	AUTO(free) char *vault = NULL;
	AUTO(free) char *mount = NULL;
	struct daemon daemon = { .pipe = -1 };
	struct fs fs = { .options = options, .hooks = hooks };
	int r = resolve_vault(vault_path, &vault);

	if (r >= 0)
		r = resolve_mount_point(mount_point, &mount);
	if (r >= 0)
		r = check_paths(options, vault, mount);
	if (r < 0)
		return r;
	fs.vault_path = vault;
	fs.mount_point = mount;
	if (!options->foreground && !options->debug) {
		r = daemon_fork(&daemon);
		if (r > 0)
			return daemon_wait(&daemon, r);
		if (r < 0)
			return r;
	}
	return run(&fs, &daemon);
}
