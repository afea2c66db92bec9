/* fs.h - the FUSE driver as others use it: options in, a mounted vault out.
 *
 * tools parse the command line, call fs_mount() and choose the exit status. The driver knows the vault only by vault.h. */
#ifndef VAULTFS_FS_H
#define VAULTFS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct vault;

enum fs_views { FS_VIEWS_HIDDEN, FS_VIEWS_SHOWN, FS_VIEWS_NO };

struct fs_options {
	bool foreground;		/* stay in front, log to stderr; not an -o option, the command's -f */
	bool read_only;			/* ro */
	bool allow_other;		/* allow_other */
	bool nonempty;			/* nonempty: the mount point may hold something, which is then hidden */
	bool writeback;			/* writeback: the kernel's writeback cache, with its weaker promise */
	bool noatime, nodiratime;	/* noatime, nodiratime: reading moves no atime; the kernel leaves that to us */
	bool inherit;			/* inherit=: a file that replaces one and has nothing of its own takes over what was known of it */
	bool index, index_types_only;	/* index=: files are looked into when they changed; only for their type. The hooks' to do */
	bool previews;			/* previews=: and previews are made of videos. The same */
	bool seen;			/* seen=: a video or sound of which half was read is remembered as seen */
	enum fs_views views;		/* views=: `.views` is found by name only, also listed, or not there */
	bool noacl;			/* noacl: access control lists are neither enforced, shown nor passed on */
	bool debug;			/* debug: log every request; implies foreground */
	bool set_uid, set_gid;		/* uid=, gid= were given */
	uid_t uid;			/* shown as the owner of everything, if set_uid */
	gid_t gid;			/* and the group, if set_gid */
	unsigned commit_seconds;	/* commit=; 0 = the vault's default */
	size_t cache_size;		/* cache=, bytes of decoded chunks; 0 = the vault's default */
	unsigned readahead_kib;		/* readahead=, what root writes to the mount's read_ahead_kb; 0 = leave it alone */
	unsigned n_threads;		/* threads=, how many receive requests */
	char *fsname;			/* fsname=, owned; NULL = the vault's absolute path */
	char *kernel_options;		/* owned; comma-separated flags for the kernel, or NULL */
};

/* Defaults; release with fs_options_release(). */
void fs_options_init(struct fs_options *options);
void fs_options_release(struct fs_options *options);

/* Add the `-o` list `comma_separated` (a backslash escapes the next character, as in libfuse). May be called repeatedly.
 *   Errors  -EINVAL, -ENOMEM; one line is logged that names the option. */
int fs_options_parse(struct fs_options *options, const char *comma_separated);

struct fs;	/* a mount that serves */

/* What the caller runs beside the driver in the process that serves; each may be NULL. */
struct fs_hooks {
	void *context;
	/* The vault is open and the mount negotiated; nothing was served yet. */
	void (*on_opened)(struct vault *vault, void *context);
	/* Requests are served from now on; and the end: none comes any more, `fs` goes with the return of the second. Which is
	 * called iff the first was. */
	void (*on_started)(struct fs *fs, void *context);
	void (*on_stopping)(struct fs *fs, void *context);
	/* A command asks the process that serves for something, with the text it set FS_CONTROL_XATTR to. Called by a thread
	 * of the driver, within a change; does not wait. Returns 0 or -errno, which is the command's answer. */
	int (*on_control)(const char *text, void *context);
	/* No request will come any more; the vault is closed when this returns. Called iff on_opened was. */
	void (*on_closing)(struct vault *vault, void *context);
};

/* Mount the vault at `vault_path` on the directory `mount_point`. `hooks` may be NULL.
 *
 * Unless options->foreground, a daemon is forked first and the caller's process returns once the mount serves, or has
 * failed; relative paths mean what they mean now. In the process that serves, the call returns after the clean end:
 * everything committed, the vault closed.
 *   Returns  in the parent: 0 mounted, or -errno; in the process that serves: 0 or the first error. All logged: until the
 *            mount serves to where the caller logs, then (in a daemon) to syslog.
 *   Note     signal dispositions of the serving process change: SIGTERM, SIGINT and SIGHUP unmount, SIGPIPE is ignored. */
int fs_mount(const char *vault_path, const char *mount_point, const struct fs_options *options,
	     const struct fs_hooks *hooks);

/* For who changes names of a mounted vault by itself, and not through the mount: the kernel keeps names and listings. Called
 * once that is done, holding no lock and within no change. `name` of directory `parent` is another file's now, or nobody's;
 * inode `id` has no name any more, and is purged once the kernel has forgotten it. */
void fs_name_changed(struct fs *fs, uint64_t parent, const char *name);
void fs_name_lost(struct fs *fs, uint64_t id);

/* Does `path` lie in this mount? Not for a thread that answers requests: its directories are looked up. */
bool fs_holds(const struct fs *fs, const char *path);

/* The extended attribute of a mount's root that holds the absolute path of the vault behind it. */
#define FS_VAULT_XATTR "user.vaultfs.vault"

/* The one to which root, or the user whose daemon it is, sets what the process that serves is to do. It cannot be read. */
#define FS_CONTROL_XATTR "user.vaultfs.control"
#define FS_CONTROL_MAX 16384u	/* bytes */

/* The one that is read by who is about to search beside the mount: the answer comes when all that changed before is committed
 * and found. -EIO it cannot be found, which the process that serves has said. */
#define FS_SEARCH_XATTR "user.vaultfs.search"

#endif
