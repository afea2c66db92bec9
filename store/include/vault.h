/* vault.h - the vault as a library: a filesystem's names and bytes in packs, with everything known about them.
 *
 * The only header of store that other rooms include (with log.h and auto.h). It knows neither FUSE nor a command line.
 *
 * Errors     Every function returns 0 (or a count, or 1/0 for a question) or a negative errno. What is expected
 *            (-ENOENT, -ENODATA, -EEXIST, -ENOTEMPTY, ...) is an answer and is not logged; what is wrong is logged once,
 *            with the object's name, where it was found. Stored bytes that are damaged come out as -EBADMSG.
 * Threads    All functions may be called from any thread, except where said otherwise.
 * Names      Byte strings of 1 to 255 bytes without '/' and NUL; any encoding. Never "." or "..".
 * Moments    Calls that change something take part in the next commit. Within one vault a change must run between
 *            vault_change_begin() (or a vault_change_try() that said 1) and vault_change_end(); the functions that need
 *            this are marked [change]. That is how a commit can hold changes back for a moment without blocking reads.
 * Sizes      Bytes. Times: nanoseconds since 1970, clamped to an int64_t. */
#ifndef VAULTFS_VAULT_H
#define VAULTFS_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VAULT_ROOT_ID 1u	/* inode of the root directory */
#define VAULT_NAME_MAX 255u	/* bytes of a name */
#define VAULT_PATH_MAX 4095u	/* bytes of a path or of a symbolic link's target */
#define VAULT_XATTR_MAX 65536u	/* bytes of an xattr's value, and of a list of names */
#define VAULT_FIRST_COOKIE 16u	/* readdir cookies of entries are at least this: smaller ones are the caller's */

struct vault;
struct vault_file;

/* ---- a vault as a whole ---- */

/* Settings of libraries that hold for the whole process, for a program that does little else than serve vaults: no memory
 * statistics in SQLite (they cost a lock for each allocation), buffers of a chunk's size from the heap instead of fresh
 * pages each; and a limit on the size of files (RLIMIT_FSIZE) is an error of the call, -EFBIG, not the end of the process.
 * Optional. Call it first, before any other thread runs. */
void vault_tune_process(void);

struct vault_create_options {
	uint32_t chunk_average;	/* bytes: a power of two, 16 KiB to 512 KiB; 0 = default. min = avg/4, max = 4*avg (at most 1 MiB) */
	uint64_t pack_size;	/* bytes at which a pack is sealed, 1 MiB to 1 GiB; 0 = default (64 MiB) */
};

enum vault_open_flags {
	VAULT_OPEN_READ_ONLY = 1,	/* take the lock, change nothing (a read-only disk implies it) */
	VAULT_OPEN_SHARED = 2,		/* read beside the process that holds the vault: no lock, sees the last commit */
};

struct vault_open_options {
	unsigned flags;			/* enum vault_open_flags */
	unsigned commit_seconds;	/* a commit at the latest this long after a change; 0 = 5 */
	size_t cache_size;		/* bytes of decoded chunks kept; 0 = 64 MiB */
	const char *mount_point;	/* written into the lock file for the second opener's message; may be NULL */
};

/* Make the directory `path` (which must not exist, or be empty) into a new, empty vault, durable on return.
 *   Errors  -EEXIST there is something; -EINVAL options out of range; errno of the disk. All logged. */
int vault_create(const char *path, const struct vault_create_options *options);

/* Open a vault, roll it forward to its last durable commit, and lock it. `options` may be NULL.
 *   Ownership  *ret is closed with vault_close().
 *   Errors     all logged in one line: -EBUSY another process holds it (named); -ENOTSUP newer than this program;
 *              -EINVAL not a vault; -EBADMSG damaged beyond what opening may repair; errno of the disk.
 *   Note       A vault on a read-only disk, or one in which DESIGN's rule forbids cutting, is opened read-only:
 *              ask vault_is_read_only(). */
int vault_open(const char *path, const struct vault_open_options *options, struct vault **ret);

/* Commit, stop all threads, checkpoint and close; NULL is fine. All vault_files must be closed.
 *   Errors  the first error of the last commit; the vault is closed all the same. */
int vault_close(struct vault *vault);

enum vault_rebuild_flags {
	VAULT_REBUILD_FORCE = 1,	/* also where damaged packs give less than vault.db shows */
};

/* Throw vault.db away and build it anew from the packs; `flags`: enum vault_rebuild_flags. The vault must not be open
 * anywhere. Damage in the packs is passed over: bytes of files whose chunks are lost read as -EBADMSG.
 *   Errors  as vault_open(); -EBADMSG the packs are damaged, and the old vault.db shows a later commit than could be built.
 *           On failure the old vault.db is still in place. */
int vault_rebuild(const char *path, unsigned flags);

/* ---- checking a vault as a whole ---- */

enum vault_check_flags {
	VAULT_CHECK_SHARED = 1,	/* beside the process that holds the vault: what its last commit shows */
	VAULT_CHECK_DEEP = 2,	/* also build the database anew, in a temporary place, and compare; not with SHARED */
};

/* One thing that is wrong. Borrowed during the call. */
struct vault_finding {
	const char *kind;	/* one word for programs: "record", "chunk", "entry", ... vaultfs(1) lists them */
	const char *text;	/* for people, one line; without the place, inode and path that stand below */
	uint64_t pack, offset;	/* where; pack 0: nowhere in the packs */
	uint64_t inode;		/* 0: none */
	const char *path;	/* of the inode, as far as it has one; NULL: none */
};

#define VAULT_FINDINGS_MAX 1000u	/* so many are told; the rest is counted */

struct vault_check_options {
	unsigned flags;		/* enum vault_check_flags */
	void (*found)(void *context, const struct vault_finding *finding);	/* may be NULL */
	void (*progress)(void *context, uint64_t bytes, uint64_t total);	/* bytes of packs read; may be NULL */
	void *context;
};

struct vault_check_counts {
	uint64_t n_findings;
	uint64_t commit;		/* the one that was checked */
	uint64_t n_packs, pack_bytes;	/* read */
	uint64_t n_records, n_chunks, n_commits;	/* records in them; chunk and commit records among these */
	uint64_t n_extents, n_inodes, n_entries;	/* rows */
	uint64_t n_orphans;		/* inodes without a name: files that were open, or were when it ended */
	uint64_t n_unlisted;		/* chunk records that have no row: of stores that failed. Harmless */
	uint64_t n_superseded;		/* chunk records that were stored anew elsewhere. Harmless */
	uint64_t n_beyond;		/* files with extents behind their size: a truncation was cut off. Harmless */
	uint64_t tail_bytes;		/* behind the commit that was checked, not looked at */
	uint64_t n_damaged_files;	/* files of which bytes cannot be read */
};

/* Look at every byte and every row of the vault at `path`, and tell what is wrong. A vault that was not closed cleanly is
 * recovered first, as by vault_open(); otherwise nothing is changed. Memory is bounded; temporary files may grow large with
 * the number of rows (TMPDIR).
 *   Returns  0 the check came to its end: ret->n_findings says what it found. Otherwise a negative errno, logged, and
 *            ret counts how far it came: -EBUSY another process holds the vault (without SHARED); -EBADMSG it is
 *            damaged so that it cannot be opened; -EINVAL flags; others as vault_open(). */
int vault_check(const char *path, const struct vault_check_options *options, struct vault_check_counts *ret);

bool vault_is_read_only(const struct vault *vault);

/* The vault directory's absolute path when it was opened; borrowed until vault_close(). */
const char *vault_path(const struct vault *vault);

/* The same as it is now: the directory may have been renamed since. Put into `buffer`, of PATH_MAX bytes. */
void vault_path_now(const struct vault *vault, char *buffer, size_t size);

/* 16 bytes. */
void vault_uuid(const struct vault *vault, uint8_t ret_uuid[16]);

struct vault_stats {
	uint64_t n_files, n_directories, n_other;	/* inodes by kind, other = symlinks, devices, pipes, sockets */
	uint64_t logical_bytes;		/* sum of the files' mapped bytes (holes do not count) */
	uint64_t n_derived, derived_bytes;	/* thumbnails and previews, not among the files; their mapped bytes */
	uint64_t n_chunks, n_dead_chunks;	/* distinct chunks in use; chunks in packs that nothing names any more */
	uint64_t chunk_bytes;		/* raw bytes of the chunks in use: logical and derived minus this = saved by deduplication */
	uint64_t stored_bytes;		/* their bytes in packs: chunk_bytes minus this = saved by compression */
	uint64_t dead_bytes;		/* stored bytes of dead chunks */
	uint64_t n_packs, pack_bytes;	/* pack files and their sizes */
	uint64_t database_bytes;	/* vault.db with its -wal */
	uint64_t n_tags;
	uint64_t commit;		/* number of the last commit */
	uint64_t chunk_average;
};
/* Counted afresh; may take a second on a vault of a million files. */
int vault_stats(struct vault *vault, struct vault_stats *ret);

struct vault_space {
	uint64_t block_size, blocks, blocks_free, blocks_available;	/* of the disk below, as statvfs(3) */
	uint64_t files, files_free;
};
int vault_space(struct vault *vault, struct vault_space *ret);

/* ---- changes and commits ---- */

/* Wait until a change of about `n_bytes` of file content may run (0 for names and attributes), and enter it.
 * Every call that returns must be followed by vault_change_end() on the same thread; do not nest. */
void vault_change_begin(struct vault *vault, size_t n_bytes);

/* As vault_change_begin() but never waits: 1 entered; 0 not now (a commit is at its gate, or too much is undrained).
 * After a 0 the function set with vault_on_ready() will be called once there may be room. */
int vault_change_try(struct vault *vault, size_t n_bytes);
void vault_change_end(struct vault *vault);

/* Who to tell that vault_change_try() is worth another try. Called from a thread of the vault with no lock held; must
 * not block. Set once, right after vault_open(). */
void vault_on_ready(struct vault *vault, void (*ready)(void *context), void *context);

/* Make durable everything that had returned before this call; one device flush. Never call it inside a change.
 *   Errors  -EIO after any failed flush, now and ever after (the vault is then read-only); -ENOSPC, nothing lost. */
int vault_sync(struct vault *vault);

/* The same without waiting: `done(context, result)` is called once, from any thread, possibly before this returns. */
void vault_sync_then(struct vault *vault, void (*done)(void *context, int result), void *context);

/* ---- inodes and names ---- */

struct vault_attr {
	uint64_t id;		/* inode number; never used again for another one */
	uint64_t size;
	uint64_t mapped;	/* bytes below size that are not holes, undrained ones included; st_blocks = ceil(mapped / 512) */
	uint64_t rdev;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	uint32_t mode;		/* type and permissions, as st_mode */
	uint32_t uid, gid, nlink;
};

/* The entry `name` of directory `parent`.  -ENOENT; -ENOTDIR. */
int vault_lookup(struct vault *vault, uint64_t parent, const char *name, struct vault_attr *ret);

/* The inode `id`, also one that is unlinked but not purged.  -ENOENT. */
int vault_getattr(struct vault *vault, uint64_t id, struct vault_attr *ret);

/* The directory that holds directory `id`; the root's is the root.  -ENOENT; -ENOTDIR. */
int vault_parent(struct vault *vault, uint64_t id, uint64_t *ret_parent);

/* Some name of inode `id`: the directory it stands in, and its name there, into VAULT_NAME_MAX + 1 bytes.  -ENOENT it has
 * none. */
int vault_name_of(struct vault *vault, uint64_t id, uint64_t *ret_parent, char *ret_name);

enum vault_set {
	VAULT_SET_MODE = 1, VAULT_SET_UID = 2, VAULT_SET_GID = 4, VAULT_SET_SIZE = 8, VAULT_SET_ATIME = 16,
	VAULT_SET_MTIME = 32, VAULT_SET_CTIME = 64,
	VAULT_SET_KILL_PRIV = 128,	/* clear suid, and sgid where group execute is set, as the kernel does on write and chown */
	VAULT_SET_KILL_SGID = 256,	/* clear sgid in any case, for whoever is not of the group */
};

/* Set the attributes named in `set` (enum vault_set) from `values`; ctime becomes now unless set. A new size truncates
 * or extends with a hole, and sets mtime unless VAULT_SET_MTIME.  [change]
 *   Errors  -ENOENT; -EINVAL, -EISDIR size of what is no file; -EFBIG. `ret` (may be NULL) gets the result. */
int vault_setattr(struct vault *vault, uint64_t id, unsigned set, const struct vault_attr *values,
		  struct vault_attr *ret);

/* Make an inode and its entry: mode (type and permissions), uid, gid and rdev come from `wanted`; in a set-group-ID
 * directory the group is the directory's, and a new directory is set-group-ID too. `target` for symbolic links, else
 * NULL.  [change]
 *   Errors  -EEXIST, -ENOENT (no parent, or it was removed), -ENOTDIR, -ENAMETOOLONG, -EMLINK, -ENOSPC. */
int vault_make(struct vault *vault, uint64_t parent, const char *name, const struct vault_attr *wanted,
	       const char *target, struct vault_attr *ret);

/* The same as a program's mkdir(2) and the like ask for it: where the parent has a default access control list the new inode
 * inherits it, limited by the wanted mode; where it has none `umask` is taken off the mode. Symbolic links do neither. */
int vault_make_inheriting(struct vault *vault, uint64_t parent, const char *name, const struct vault_attr *wanted,
			  uint32_t umask, const char *target, struct vault_attr *ret);

/* Another name for an inode that is not a directory.  [change]  -EPERM a directory, a thumbnail or a preview; -EMLINK; -ENOENT
 * also for an inode with no name left. */
int vault_link(struct vault *vault, uint64_t id, uint64_t parent, const char *name, struct vault_attr *ret);

/* Remove a name that is not a directory's.  [change]  -EISDIR. `ret` gets the inode afterwards: with nlink 0 it stays
 * readable until vault_purge(). */
int vault_unlink(struct vault *vault, uint64_t parent, const char *name, struct vault_attr *ret);

/* Remove an empty directory.  [change]  -ENOTDIR, -ENOTEMPTY, -EBUSY (the root). */
int vault_rmdir(struct vault *vault, uint64_t parent, const char *name, struct vault_attr *ret);

enum vault_rename_flags {
	VAULT_RENAME_NOREPLACE = 1, VAULT_RENAME_EXCHANGE = 2,	/* RENAME_* of rename(2) */
	VAULT_RENAME_INHERIT = 4,	/* a file that replaces one and was never given tags, a note or the like takes over its */
};

/* rename(2) and renameat2(2), atomically, a fixed number of rows.  [change]
 *   `ret_replaced`  the inode that lost its name, as vault_unlink() gives it; id 0 if there was none.
 *   Errors  -EEXIST, -ENOENT, -ENOTEMPTY, -EISDIR, -ENOTDIR, -EINVAL (into its own subtree; both or unknown flags). */
int vault_rename(struct vault *vault, uint64_t old_parent, const char *old_name, uint64_t new_parent,
		 const char *new_name, unsigned flags, struct vault_attr *ret_replaced);

/* The target, NUL-terminated, into `buffer` of VAULT_PATH_MAX + 1 bytes.  -EINVAL not a symbolic link. */
int vault_readlink(struct vault *vault, uint64_t id, char *buffer);

struct vault_entry {
	const char *name;	/* borrowed during the call */
	uint64_t cookie;	/* pass it to go on behind this entry; stable while the entry exists */
	struct vault_attr attr;	/* all of it if asked for, else id and the type bits of mode only */
};

/* Call `emit` for each entry behind `cookie` (0 = from the start) in the order of creation, until it returns non-zero.
 * "." and ".." are not stored. `emit` runs with locks held: it copies, and calls nothing of the vault.  -ENOENT;
 * -ENOTDIR. */
int vault_readdir(struct vault *vault, uint64_t id, uint64_t cookie, bool with_attributes,
		  int (*emit)(void *context, const struct vault_entry *entry), void *context);

/* The directory or symbolic link `id` was looked into: its atime moves, as with relatime (only when it is not newer than
 * mtime and ctime, or a day old), in memory: it is written with the inode's next change, and may be forgotten before. Not on
 * a read-only vault. */
void vault_was_read(struct vault *vault, uint64_t id);

/* Give up an inode that has no name (nlink 0): its rows go, its content is dropped in slices.  [change]
 *   Errors  -EBUSY still open here, or it has a name; -ENOENT already gone. */
int vault_purge(struct vault *vault, uint64_t id);

/* Up to `n` ids of inodes without a name, ascending, behind `after`. Returns how many. For a driver that starts. */
int vault_orphans(struct vault *vault, uint64_t after, uint64_t *ret_ids, size_t n);

/* The inode at `path` below the root ("" is the root; '/' separates; leading and double ones are ignored; symbolic
 * links are not followed).  -ENOENT, -ENOTDIR. */
int vault_resolve(struct vault *vault, const char *path, struct vault_attr *ret);

/* ---- content of regular files ---- */

/* A handle; handles of one inode share its write buffer.  -ENOENT; -EISDIR; -EINVAL not a regular file. */
int vault_file_open(struct vault *vault, uint64_t id, struct vault_file **ret);

/* Ends the handle; NULL is fine. The last one of an inode hands what is buffered to the workers. Does not wait. */
void vault_file_close(struct vault_file *file);
uint64_t vault_file_id(const struct vault_file *file);

/* Read up to `size` bytes at `offset` into `buffer`. Returns the number read, short only at the end of the file.
 *   Errors  -EBADMSG damaged (logged, with pack, offset and path); nothing of a damaged block is handed out. */
ssize_t vault_read(struct vault_file *file, uint64_t offset, void *buffer, size_t size);

/* The same of a file that was read: reading alone moves no atime. */
void vault_file_was_read(struct vault_file *file);

enum vault_write_flags { VAULT_WRITE_KILL_PRIV = 1 };	/* clear suid and sgid as for VAULT_SET_KILL_PRIV */

/* Write all of `data`, or nothing.  [change, with n_bytes = size]
 *   Returns 0; or 1 after VAULT_WRITE_KILL_PRIV when sgid is left, since there is no group execute: of a writer who is
 *           not of the file's group it goes too, with VAULT_SET_KILL_SGID in the same change.
 *   Errors  -ENOSPC, -EDQUOT nothing was taken; -EFBIG; -EROFS; -EIO. */
int vault_write(struct vault_file *file, uint64_t offset, const void *data, size_t size, unsigned flags);

/* fallocate(2): `mode` 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE|KEEP_SIZE, FALLOC_FL_ZERO_RANGE[|KEEP_SIZE]; holes
 * are not filled, they read as zeros.  [change]  -EOPNOTSUPP other modes; -EFBIG; -ENOSPC. */
int vault_fallocate(struct vault_file *file, int mode, uint64_t offset, uint64_t length);

/* SEEK_DATA or SEEK_HOLE from `offset`.  -ENXIO past the end; -EINVAL another whence. */
int vault_seek(struct vault_file *file, uint64_t offset, int whence, uint64_t *ret_offset);

/* Let `to` share the extents of `from`: no bytes are copied. Returns how many bytes were; may be fewer than asked (a
 * bounded number of extents a call; 0 at the end of `from`).  [change]  -EINVAL the ranges overlap in one file. */
ssize_t vault_copy_range(struct vault_file *from, uint64_t from_offset, struct vault_file *to, uint64_t to_offset,
			 uint64_t length);

/* What a file is made of. */
struct vault_file_info {
	uint64_t n_extents;
	uint64_t n_chunks;		/* distinct chunks */
	uint64_t mapped_bytes;
	uint64_t unique_bytes;		/* raw bytes of the chunks that no other file names */
	uint64_t shared_bytes;		/* raw bytes of the chunks that others name too */
	uint64_t stored_bytes;		/* bytes in packs of all of them */
};
int vault_file_info(struct vault *vault, uint64_t id, struct vault_file_info *ret);

/* ---- extended attributes ----
 * Some are pictures of tables (vaultfs-xattr(7) has them all): what people say of a file, from `user.xdg.tags` to
 * `user.vaultfs.custom`, each with values it takes; and what programs found out, read-only and not listed, from
 * `user.mime_type` to `user.vaultfs.shared`. Other names under user.vaultfs.* cannot be set. Every other user.*, trusted.* and
 * security.* value is kept byte for byte.
 * `system.posix_acl_access` and `system.posix_acl_default` are POSIX access control lists, in the form that the kernel gives
 * them (acl(5)). An access list changes the mode, and changing the mode changes it; one that says no more than a mode is
 * kept as the mode only. A directory's default list is passed on by vault_make_inheriting(). Who may do what by them, and
 * who may change them, is for the caller to ask.
 *   Errors  -ENODATA absent; -ERANGE `size` too small; -EOPNOTSUPP namespace not ours; -EINVAL bad value or bare prefix;
 *           -EPERM read-only name; -E2BIG; -ENOSPC the list would pass 64 KiB. */

/* Returns the value's length; with size 0 only asks for it. */
ssize_t vault_getxattr(struct vault *vault, uint64_t id, const char *name, void *buffer, size_t size);
/* Is the value counted, which takes the longer the larger the file is, and may wait? Not for a thread that answers requests:
 * vault_aside(). Such a value has at most 20 bytes, and shows the last commit. */
bool vault_getxattr_is_slow(const char *name);
/* `flags`: XATTR_CREATE, XATTR_REPLACE of setxattr(2), which hold for all but access control lists, and of an access list
 * VAULT_XATTR_KILL_SGID. A list of no bytes or entries removes it.  [change]  -EEXIST; -ENODATA; of a list also -EACCES a
 * default list for what is no directory, -EOPNOTSUPP a symbolic link or another version. */
enum vault_xattr_flags {
	VAULT_XATTR_KILL_SGID = 1 << 16,	/* clear sgid, as the kernel does for who is not in the file's group */
};
int vault_setxattr(struct vault *vault, uint64_t id, const char *name, const void *value, size_t size, int flags);
/* To remove an access control list that is not there is no error, as on ext4.  [change] */
int vault_removexattr(struct vault *vault, uint64_t id, const char *name);
/* NUL-terminated names, one behind the other. Returns the length; with size 0 only asks for it. */
ssize_t vault_listxattr(struct vault *vault, uint64_t id, char *buffer, size_t size);
/* 1 if an attribute outside user.*, access control lists aside, was ever set on this vault, else 0: lets a driver answer the
 * kernel's endless questions for security.capability from memory. Lock-free. The same of access control lists. */
int vault_has_privileged_xattrs(const struct vault *vault);
int vault_has_acls(const struct vault *vault);

/* ---- what the indexer found ---- */

/* Files whose content changed and whose last handle was closed are announced: `changed(context, id)` may look
 * at the vault, but must not block, nor call this function. NULL unsets it: once that has returned it is not running, nor
 * called again. */
void vault_on_content_changed(struct vault *vault, void (*changed)(void *context, uint64_t id), void *context);

#endif
