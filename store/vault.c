/* vault.c - a vault as a whole: create, open, close, rebuild (how: rebuild.c). */
#include "vault.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "aside.h"
#include "background.h"
#include "cache.h"
#include "changes.h"
#include "chunks.h"
#include "commit.h"
#include "digest.h"
#include "directories.h"
#include "gc.h"
#include "inodes.h"
#include "jobs.h"
#include "kill_point.h"
#include "library.h"
#include "live.h"
#include "listing.h"
#include "lock.h"
#include "picture.h"
#include "readers.h"
#include "rebuild.h"
#include "recover.h"
#include "search.h"
#include "space.h"
#include "state.h"
#include "tag_graph.h"
#include "vault_internal.h"
#include "workers.h"
#include "xattrs.h"

#define PACK_SIZE_DEFAULT (64ull << 20)
#define PACK_SIZE_LEAST (1ull << 20)
#define PACK_SIZE_MOST (1ull << 30)
#define CACHE_DEFAULT (64u << 20)
#define COMMIT_SECONDS_DEFAULT 5u

#define DATABASE REBUILD_DATABASE
#define PACKS "packs"

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);	/* cannot fail for these clocks */
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int64_t clock_now_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void vault_tune_process(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);	/* refused once SQLite runs: then it only stays slower */
	(void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 32 << 20);
	(void)mallopt(M_ARENA_MAX, 4);
	(void)signal(SIGXFSZ, SIG_IGN);
}

uint64_t vault_activity(const struct vault *vault)
{
	return atomic_load_explicit(&vault->activity, memory_order_relaxed);
}

bool vault_is_read_only(const struct vault *vault)
{
	return vault->read_only;
}

const char *vault_path(const struct vault *vault)
{
	return vault->path;
}

void vault_path_now(const struct vault *vault, char *buffer, size_t size)
{
	char held[64];
	struct stat of_path, of_held;
	ssize_t n;

	(void)snprintf(held, sizeof(held), "/proc/self/fd/%d", vault->dir_fd);	/* fits */
	n = readlink(held, buffer, size - 1);
	if (n > 0)
		buffer[n] = '\0';
	/* What the link says of a directory that is gone, or cannot be seen from here, leads somewhere else. */
	if (n <= 0 || stat(buffer, &of_path) < 0 || fstat(vault->dir_fd, &of_held) < 0 || of_path.st_dev != of_held.st_dev ||
	    of_path.st_ino != of_held.st_ino)
		(void)snprintf(buffer, size, "%s", vault->path);
}

void vault_uuid(const struct vault *vault, uint8_t ret_uuid[16])
{
	memcpy(ret_uuid, vault->uuid, sizeof(vault->uuid));
}

/* ---- parts ---- */

/* Release all there is, in the order opposite to opening. Nothing is committed here. */
static void release(struct vault *vault)
{
	if (!vault)
		return;
	aside_free(TAKE(vault->aside));
	background_stop(vault->background);
	search_stop(vault->search);
	commit_end(vault->committer);
	background_free(TAKE(vault->background));
	workers_free(TAKE(vault->workers));
	commit_free(TAKE(vault->committer));
	live_table_free(TAKE(vault->live));
	cache_free(TAKE(vault->cache));
	chunk_index_free(TAKE(vault->chunk_index));
	listings_free(TAKE(vault->listings));
	readers_free(TAKE(vault->readers));
	KILL_POINT(close);
	search_free(TAKE(vault->search));
	db_close(&vault->db);
	tag_graph_free(TAKE(vault->tags));
	free(TAKE(vault->given_up));
	changes_free(TAKE(vault->changes));
	KILL_POINT(closed);
	packs_close(TAKE(vault->packs));
	if (vault->packs_fd >= 0)
		(void)close(vault->packs_fd);	/* a directory: nothing to lose */
	if (vault->lock_fd >= 0)
		(void)close(vault->lock_fd);	/* gives the lock back */
	if (vault->dir_fd >= 0)
		(void)close(vault->dir_fd);
	(void)pthread_mutex_destroy(&vault->changed_lock);
	free(vault->path);
	free(vault);
}

static void auto_vault(struct vault **vault)
{
	release(*vault);
}

static struct vault *new_vault(void)
{
	struct vault *vault = calloc(1, sizeof(*vault));

	if (!vault) {
		(void)log_err(-ENOMEM, "no memory for a vault");
		return NULL;
	}
	vault->dir_fd = vault->packs_fd = vault->lock_fd = -1;
	(void)pthread_mutex_init(&vault->changed_lock, NULL);	/* fails only with attributes */
	return vault;
}

char *vault_path_in(const struct vault *vault, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", vault->path, name) < 0) {
		(void)log_err(-ENOMEM, "%s: no memory to open it", vault->path);
		return NULL;
	}
	return path;
}

/* Packs that a limit on the size of files lets us fill and seal. */
static uint64_t limited_pack_size(uint64_t pack_size)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur / 2 >= pack_size)
		return pack_size;
	return limit.rlim_cur / 2 > PACK_SIZE_LEAST ? limit.rlim_cur / 2 : PACK_SIZE_LEAST;
}

static int open_packs(struct vault *vault)
{
	uint64_t pack_size = vault->pack_size ? vault->pack_size : PACK_SIZE_DEFAULT;
	struct packs_options options = { .pack_size = limited_pack_size(pack_size),
					 .read_only = vault->read_only };
	AUTO(free) char *name = vault_path_in(vault, PACKS);

	if (!name)
		return -ENOMEM;
	memcpy(options.uuid, vault->uuid, sizeof(vault->uuid));
	return packs_open(vault->packs_fd, name, &options, &vault->packs);
}

/* What files' content needs, also for reading only. */
static int make_machinery(struct vault *vault, const struct vault_open_options *options)
{
	size_t cache_size = options && options->cache_size ? options->cache_size : CACHE_DEFAULT;
	unsigned seconds = options && options->commit_seconds ? options->commit_seconds : COMMIT_SECONDS_DEFAULT;
	int r = live_table_new(vault, &vault->live);

	if (r == 0)
		r = readers_new(&vault->readers);
	if (r == 0)
		r = listings_new(&vault->listings);
	if (r == 0)
		r = aside_new(&vault->aside);
	if (r == 0)
		r = cache_new(cache_size, &vault->cache);
	if (r == 0)
		r = chunk_index_new(vault, &vault->chunk_index);
	if (r == 0)
		r = commit_new(vault, seconds);
	/* Now, while no thread of ours could be the first to ask: libcrypto loses what it keeps for that one when it ends. */
	if (r == 0)
		r = digest_init();
	if (r == 0)
		r = workers_new(0, &vault->workers);
	return r;
}

static int load_settings_locked(struct vault *vault)
{
	uint64_t average = 0;
	uint8_t uuid[16];
	int r = state_get_setting_locked(vault, "uuid", uuid, sizeof(uuid));

	if (r == 0)
		r = state_get_number_locked(vault, "chunk_average", &average);
	if (r == 0)
		r = state_get_number_locked(vault, "pack_size", &vault->pack_size);
	if (r == -ENOENT)
		return log_err(-EBADMSG, "%s: a setting is missing: run 'vaultfs rebuild %s'", vault->db.path, vault->path);
	if (r < 0)
		return r;
	if (memcmp(uuid, vault->uuid, sizeof(uuid)) != 0)
		return log_err(-EBADMSG, "%s: belongs to another vault than the packs beside it: put the right one back, or run "
			       "'vaultfs rebuild %s'", vault->db.path, vault->path);
	if (average > UINT32_MAX || chunker_params_init(&vault->chunking, (uint32_t)average) < 0 ||
	    vault->pack_size < PACK_SIZE_LEAST || vault->pack_size > PACK_SIZE_MOST)
		return log_err(-EBADMSG, "%s: impossible settings: run 'vaultfs rebuild %s'", vault->db.path, vault->path);
	return 0;
}

/* ---- create ---- */

static int make_root_locked(struct vault *vault)
{
	struct inode root = { .attr = { .id = VAULT_ROOT_ID, .mode = S_IFDIR | 0755, .uid = getuid(), .gid = getgid(),
					.nlink = 2 } };
	int64_t now = clock_now_ns();
	int r;

	root.attr.atime_ns = root.attr.mtime_ns = root.attr.ctime_ns = root.attr.btime_ns = now;
	r = inode_insert_locked(vault, &root);
	return r == 0 ? directories_add_locked(vault, VAULT_ROOT_ID) : r;
}

static int first_commit(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	int r;

	vault->state = (struct commit_state){ .end = packs_end(vault->packs), .next_id = VAULT_FIRST_COOKIE,
					      .next_chunk_id = 1 };
	r = commit_begin_locked(vault);
	if (r == 0)
		r = state_put_setting_locked(vault, "uuid", vault->uuid, sizeof(vault->uuid));
	if (r == 0)
		r = state_put_number_locked(vault, "chunk_average", vault->chunking.average);
	if (r == 0)
		r = state_put_number_locked(vault, "pack_size", vault->pack_size);
	if (r == 0)
		r = state_put_number_locked(vault, "created_ns", (uint64_t)clock_now_ns());
	if (r == 0)
		r = make_root_locked(vault);
	return r == 0 ? commit_write_locked(vault) : r;
}

static int fill_new_vault(struct vault *vault)
{
	AUTO(free) char *database = vault_path_in(vault, DATABASE);
	AUTO(fd) int parent = -1;
	int r = database ? lock_take(vault->dir_fd, vault->path, NULL, false, &vault->lock_fd) : -ENOMEM;

	if (r < 0)
		return r;
	if (mkdirat(vault->dir_fd, PACKS, 0700) < 0)
		return log_err(-errno, "%s/%s: ", vault->path, PACKS);
	vault->packs_fd = openat(vault->dir_fd, PACKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (vault->packs_fd < 0)
		return log_err(-errno, "%s/%s: ", vault->path, PACKS);
	r = open_packs(vault);
	if (r == 0)
		r = packs_start_writing(vault->packs, (struct place){ 0, 0 });
	if (r == 0)
		r = db_open_in(&vault->db, vault->dir_fd, database, DB_OPEN_CREATE);
	if (r == 0)
		r = changes_new(vault, &vault->changes);
	if (r == 0)
		r = tag_graph_new(vault, &vault->tags);
	if (r == 0)
		r = make_machinery(vault, NULL);
	if (r == 0)
		r = first_commit(vault);
	if (r < 0)
		return r;
	space_renew_reserve(vault);
	parent = openat(vault->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fsync(vault->dir_fd) < 0 || parent < 0 || fsync(parent) < 0)	/* its own name must stay, too */
		return log_err(-errno, "%s: ", vault->path);
	return 0;
}

/* Take back what creating has made so far, after it failed. */
static void remove_new_vault(struct vault *vault, bool made_directory)
{
	static const char *const names[] = { DATABASE, DATABASE "-wal", DATABASE "-shm", "lock", "reserve",
					     PACKS "/00000001.pack" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlinkat(vault->dir_fd, names[i], 0);	/* what is not there need not go */
	(void)unlinkat(vault->dir_fd, PACKS, AT_REMOVEDIR);
	if (made_directory)
		(void)rmdir(vault->path);
}

static int open_empty_directory(const char *path, struct vault *vault)
{
	AUTO(dir) DIR *dir = NULL;
	const struct dirent *entry;
	int fd;

	vault->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (vault->dir_fd < 0)
		return errno == ENOTDIR ? log_err(-EEXIST, "%s: is there already, and not a directory", path) :
					  log_err(-errno, "%s: cannot create the vault: ", path);
	fd = openat(vault->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int error = errno;

		if (fd >= 0)
			(void)close(fd);
		return log_err(-error, "%s: cannot look into it: ", path);
	}
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return log_err(-EEXIST, "%s: is not empty: choose a name that does not exist yet", path);
	vault->path = realpath(path, NULL);
	return vault->path ? 0 : log_err(-errno, "%s: ", path);
}

int vault_create(const char *path, const struct vault_create_options *options)
{
	AUTO(vault) struct vault *vault = new_vault();
	uint32_t average = options && options->chunk_average ? options->chunk_average : CHUNK_AVERAGE_DEFAULT;
	bool made_directory;
	int r;

	if (!vault)
		return -ENOMEM;
	vault->pack_size = options && options->pack_size ? options->pack_size : PACK_SIZE_DEFAULT;
	if (chunker_params_init(&vault->chunking, average) < 0)
		return log_err(-EINVAL, "%s: chunks cannot average %" PRIu32 " bytes: a power of two from %u KiB to %u KiB is needed",
			       path, average, CHUNK_AVERAGE_MIN >> 10, CHUNK_AVERAGE_MAX >> 10);
	if (vault->pack_size < PACK_SIZE_LEAST || vault->pack_size > PACK_SIZE_MOST)
		return log_err(-EINVAL, "%s: packs cannot be %" PRIu64 " bytes: 1 MiB to 1 GiB is needed", path,
			       vault->pack_size);
	if (getrandom(vault->uuid, sizeof(vault->uuid), 0) != sizeof(vault->uuid))
		return log_err(-EIO, "%s: no random numbers for its uuid", path);
	made_directory = mkdir(path, 0700) == 0;
	if (!made_directory && errno != EEXIST)
		return log_err(-errno, "%s: cannot create the vault: ", path);
	r = open_empty_directory(path, vault);
	if (r < 0 && made_directory)
		(void)rmdir(path);	/* nothing is in it */
	if (r < 0)
		return r;
	r = fill_new_vault(vault);
	if (r < 0)
		remove_new_vault(vault, made_directory);
	return r;
}

/* ---- open ---- */

static bool is_read_only_disk(int dir_fd)
{
	struct statvfs disk;

	return fstatvfs(dir_fd, &disk) == 0 && (disk.f_flag & ST_RDONLY);
}

/* The directory, its packs and their uuid: is it a vault at all? */
static int open_directory(struct vault *vault, const char *path)
{
	int r;

	vault->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (vault->dir_fd < 0)
		return errno == ENOTDIR ? log_err(-EINVAL, "%s: is not a vault, but a file", path) :
					  log_err(-errno, "%s: ", path);
	vault->path = realpath(path, NULL);
	if (!vault->path)
		return log_err(-errno, "%s: ", path);
	vault->packs_fd = openat(vault->dir_fd, PACKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (vault->packs_fd < 0)
		return errno == ENOENT ? log_err(-EINVAL, "%s: is not a vault (it has no directory packs): create one with "
						 "'vaultfs init'", path) :
					 log_err(-errno, "%s/%s: ", path, PACKS);
	r = packs_find_uuid(vault->packs_fd, vault->uuid);
	return r == -ENOENT ? log_err(-EINVAL, "%s: is not a vault, or damaged: no pack in it has a header that can be read", path) : r;
}

/* Build the database anew from the packs. `flags`: enum vault_rebuild_flags. */
static int build_database(struct vault *vault, unsigned flags)
{
	int r = open_packs(vault);

	if (r == 0)
		r = rebuild_database(vault, flags);
	packs_close(TAKE(vault->packs));
	return r;
}

/* The database of an older version gives way to one that is built from the packs, which hold all of it but what is derived. */
static int migrate(struct vault *vault, bool read_only_disk)
{
	if (vault->shared || read_only_disk)
		return log_err(-ENOTSUP, "%s: vault.db is of an older vaultfs: %s", vault->path, vault->shared ?
			       "unmount the vault, and mount it with this one" :
			       "copy the vault to a disk that can be written, and open it there once");
	log_info("%s: was made by an older vaultfs: building vault.db anew from the packs", vault->path);
	return build_database(vault, 0);
}

static int open_database(struct vault *vault, bool read_only_disk)
{
	AUTO(free) char *database = vault_path_in(vault, DATABASE);
	unsigned flags = vault->shared ? DB_OPEN_READ_ONLY : read_only_disk ? DB_OPEN_IMMUTABLE : 0;
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r;

	if (!database)
		return -ENOMEM;
	if (faccessat(vault->dir_fd, DATABASE, F_OK, 0) < 0) {
		if (vault->shared || read_only_disk)
			return log_err(-EROFS, "%s: has no vault.db, and none can be built on a read-only disk: copy it first",
				       vault->path);
		log_info("%s: has no vault.db: building it from the packs", vault->path);
		r = build_database(vault, 0);
		if (r < 0)
			return r;
	} else if (!vault->read_only) {
		rebuild_remove_leftovers(vault);
	}
	r = db_open_in(&vault->db, vault->dir_fd, database, flags);
	if (r == -ESTALE) {
		r = migrate(vault, read_only_disk);
		if (r == 0)
			r = db_open_in(&vault->db, vault->dir_fd, database, flags);
	}
	if (r == -EBADMSG)
		return log_err(r, "%s: vault.db is damaged: run 'vaultfs rebuild %s', which makes it anew from the packs",
			       vault->path, vault->path);
	if (r < 0)
		return r;
	held = lock_mutex(&vault->db.lock);
	if (!vault->changes)
		r = changes_new(vault, &vault->changes);
	if (r == 0 && !vault->tags)
		r = tag_graph_new(vault, &vault->tags);
	if (r == 0 && !vault->shared)
		changes_attach_locked(vault);
	if (r == 0)
		r = load_settings_locked(vault);
	return r == 0 ? state_load_locked(vault, &vault->state) : r;
}

/* Bring the database up to the packs, or find that this must not be done. */
static int roll_forward(struct vault *vault, bool read_only_disk)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct recover_tail tail;
	int r = recover_inspect(vault, &tail);

	if (r < 0)
		return r;
	KILL_POINT(recover);
	if (tail.cut_forbidden) {
		vault->at_odds = true;
		vault->read_only = true;
	}
	if (tail.n_commits == 0)
		return 0;
	if (read_only_disk) {
		log_warn("%s: not closed cleanly, and the disk is read-only: showing commit %" PRIu64 "; %" PRIu64 " later ones "
			 "appear when it is opened on a disk that can be written", vault->path, vault->state.commit,
			 tail.n_commits);
		return 0;
	}
	log_info("%s: was not closed cleanly: %" PRIu64 " commits are taken over from the packs", vault->path, tail.n_commits);
	r = recover_replay_locked(vault);
	if (space_is_short(r) && space_give_up_reserve(vault))
		r = recover_replay_locked(vault);
	if (!space_is_short(r))
		return r;
	/* What vault.db shows is whole, only not the latest: better than nothing. */
	vault->read_only = true;
	r = state_load_locked(vault, &vault->state);
	log_warn("%s: the disk below is full: opened read-only as of commit %" PRIu64 "; make room there and open it again for "
		 "the %" PRIu64 " later ones", vault->path, vault->state.commit, tail.last.commit - vault->state.commit);
	return r;
}

/* The tail behind the last commit goes, and what follows is appended there. */
static int start_writing(struct vault *vault)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r = packs_start_writing(vault->packs, vault->state.end);

	if (r < 0)
		return r;
	held = lock_mutex(&vault->db.lock);
	r = commit_begin_locked(vault);
	if (r == 0)
		r = gc_drop_missing_locked(vault);
	if (r == 0)
		r = jobs_recover_locked(vault);
	return r == 0 ? commit_write_locked(vault) : r;
}

static int load_picture_size(struct vault *vault)
{
	struct picture picture;
	int r = vault->state.picture.pack != 0 ? picture_find_readable(vault, vault->state.picture, &picture) : 0;

	if (r <= 0)
		return r;
	vault->picture_size = picture.raw_size;
	free(picture.chunks);
	return 0;
}

static int start(struct vault *vault, const struct vault_open_options *options)
{
	int r = make_machinery(vault, options);

	if (r == 0) {
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);

		r = xattrs_load_locked(vault);
	}
	if (r == 0)
		r = search_new(vault);
	if (r < 0 || vault->read_only)
		return r;
	space_look(vault);
	r = start_writing(vault);
	if (r == 0)
		r = load_picture_size(vault);
	if (r == 0)
		r = commit_start(vault);
	if (r == 0)
		r = background_start(vault);
	return r == 0 ? search_start(vault) : r;
}

int vault_open(const char *path, const struct vault_open_options *options, struct vault **ret)
{
	AUTO(vault) struct vault *vault = new_vault();
	bool read_only_disk;
	int r;

	if (!vault)
		return -ENOMEM;
	vault->shared = options && options->flags & VAULT_OPEN_SHARED;
	r = open_directory(vault, path);
	if (r < 0)
		return r;
	read_only_disk = is_read_only_disk(vault->dir_fd);
	vault->read_only = read_only_disk || vault->shared || (options && options->flags & VAULT_OPEN_READ_ONLY);
	if (!vault->shared)
		r = lock_take(vault->dir_fd, vault->path, options ? options->mount_point : NULL, read_only_disk, &vault->lock_fd);
	if (r == 0)
		r = open_database(vault, read_only_disk);
	if (r == 0)
		r = open_packs(vault);
	if (r == 0 && !vault->shared)
		r = roll_forward(vault, read_only_disk);
	if (r == -ESTALE && !read_only_disk) {
		log_info("%s: vault.db is older than all packs: building it anew from them", vault->path);
		db_close(&vault->db);
		packs_close(TAKE(vault->packs));
		r = build_database(vault, 0);
		if (r == 0)
			r = open_database(vault, read_only_disk);
		if (r == 0)
			r = open_packs(vault);
		if (r == 0)
			r = roll_forward(vault, read_only_disk);
	}
	if (r == 0)
		r = start(vault, options);
	if (r < 0)
		return r;
	*ret = TAKE(vault);
	return 0;
}

int vault_close(struct vault *vault)
{
	int r;

	if (!vault)
		return 0;
	aside_free(TAKE(vault->aside));	/* what it was asked for may wait for commits */
	background_stop(vault->background);
	search_stop(vault->search);
	r = commit_stop(vault);
	release(vault);
	return r;
}

int vault_rebuild(const char *path, unsigned flags)
{
	AUTO(vault) struct vault *vault = new_vault();
	int r;

	if (!vault)
		return -ENOMEM;
	r = open_directory(vault, path);
	if (r == 0 && is_read_only_disk(vault->dir_fd))
		r = log_err(-EROFS, "%s: stands on a read-only disk: copy it first", path);
	if (r == 0)
		r = lock_take(vault->dir_fd, vault->path, NULL, false, &vault->lock_fd);
	return r == 0 ? build_database(vault, flags) : r;
}
