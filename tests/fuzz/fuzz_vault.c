/* fuzz_vault.c - a small vault with some of everything, and a use of any vault in every way. See fuzz.h. */
#include "fuzz.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "library.h"

/* A call that changes something, in a change of its own. */
#define CHANGE(vault, call)                     \
	do {                                    \
		vault_change_begin((vault), 0); \
		(void)(call);                   \
		vault_change_end((vault));      \
	} while (0)

static uint64_t make(struct vault *vault, uint64_t parent, const char *name, uint32_t mode, const char *target)
{
	struct vault_attr wanted = { .mode = mode, .uid = 1000, .gid = 1000 };
	struct vault_attr made = { 0 };

	CHANGE(vault, vault_make(vault, parent, name, &wanted, target, &made));
	return made.id;
}

static void put(struct vault *vault, uint64_t id, uint64_t offset, unsigned salt, size_t size)
{
	static uint8_t bytes[65536];
	struct vault_file *file = NULL;

	if (vault_file_open(vault, id, &file) < 0)
		return;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(salt % 2 ? i * salt / 7 : (i * i + salt) >> 3);
	vault_change_begin(vault, size);
	(void)vault_write(file, offset, bytes, size, 0);
	vault_change_end(vault);
	vault_file_close(file);
}

static void set(struct vault *vault, uint64_t id, const char *name, const char *value)
{
	CHANGE(vault, vault_setxattr(vault, id, name, value, strlen(value), 0));
}

static void fill(struct vault *vault, unsigned round)
{
	char name[32];
	uint64_t directory, file;

	(void)snprintf(name, sizeof(name), "directory %u", round);
	directory = make(vault, VAULT_ROOT_ID, name, S_IFDIR | 0755, NULL);
	file = make(vault, directory, "one", S_IFREG | 0644, NULL);
	put(vault, file, 0, round * 2 + 1, 300);
	put(vault, file, 20000, round * 2, 200);
	set(vault, file, "user.xdg.tags", round % 2 ? "Beach,Summer/2024" : "beach,dog");
	set(vault, file, "user.xdg.comment", "a note");
	set(vault, file, "user.baloo.rating", "7");
	set(vault, file, "user.custom", "value");
	file = make(vault, directory, "two", S_IFREG | 04755, NULL);
	put(vault, file, 0, round * 2 + 1, 300);
	set(vault, file, "security.capability", "x");
	(void)make(vault, directory, "link", S_IFLNK | 0777, "one");
	(void)make(vault, directory, "pipe", S_IFIFO | 0600, NULL);
	CHANGE(vault, vault_link(vault, file, VAULT_ROOT_ID, name + 9, &(struct vault_attr){ 0 }));
	CHANGE(vault, vault_set_content(vault, file, &(struct vault_content){ .mime = "text/plain" }));
	CHANGE(vault, vault_set_derived(vault, file, VAULT_DERIVED_THUMBNAIL, 1, "a picture", 9));
	CHANGE(vault, vault_set_derived(vault, file, VAULT_DERIVED_PREVIEW, 1, "a clip", 6));
	file = make(vault, directory, "gone", S_IFREG | 0600, NULL);
	put(vault, file, 0, 77 + round, 500);
	CHANGE(vault, vault_unlink(vault, directory, "gone", &(struct vault_attr){ 0 }));
	if (round % 2)
		CHANGE(vault, vault_purge(vault, file));
}

void fuzz_make_vault(const char *path, unsigned n_commits)
{
	const struct vault_create_options options = { .chunk_average = 16 << 10, .pack_size = 1 << 20 };
	const struct vault_open_options quiet = { .commit_seconds = 3600 };
	struct vault *vault = NULL;

	FUZZ_CHECK(vault_create(path, &options) == 0);
	FUZZ_CHECK(vault_open(path, &quiet, &vault) == 0);
	for (unsigned i = 0; i < n_commits; i++) {
		fill(vault, i);
		FUZZ_CHECK(vault_sync(vault) == 0);
	}
	FUZZ_CHECK(vault_close(vault) == 0);
}

/* ---- using one ---- */

#define N_FOUND 24u
#define DEPTH_MAX 4u

struct found {
	uint64_t parent, id;
	uint32_t mode;
	char name[VAULT_NAME_MAX + 1];
};

struct use {
	struct vault *vault;
	struct found found[N_FOUND];
	size_t n;
	uint64_t parent;
	unsigned n_seen;
};

static int note_entry(void *context, const struct vault_entry *entry)
{
	struct use *use = context;
	size_t size = strlen(entry->name);

	/* What comes out must be what the header promises. */
	FUZZ_CHECK(size >= 1 && size <= VAULT_NAME_MAX && !strchr(entry->name, '/'));
	FUZZ_CHECK(strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0);
	FUZZ_CHECK(entry->cookie >= VAULT_FIRST_COOKIE);
	if (use->n < N_FOUND) {
		struct found *found = &use->found[use->n++];

		*found = (struct found){ .parent = use->parent, .id = entry->attr.id, .mode = entry->attr.mode };
		memcpy(found->name, entry->name, size + 1);
	}
	return ++use->n_seen > 200;
}

static void list(struct use *use, uint64_t id, unsigned depth)
{
	size_t from = use->n;

	use->parent = id;
	if (vault_readdir(use->vault, id, 0, depth % 2, note_entry, use) < 0)
		return;
	for (size_t i = from; i < use->n && depth < DEPTH_MAX; i++)
		if (S_ISDIR(use->found[i].mode))
			list(use, use->found[i].id, depth + 1);
}

static void read_content(struct vault *vault, uint64_t id)
{
	static uint8_t bytes[65536];
	struct vault_file *file = NULL;
	struct vault_file_info info;
	uint64_t at = 0;

	(void)vault_file_info(vault, id, &info);
	if (vault_file_open(vault, id, &file) < 0)
		return;
	for (unsigned i = 0; i < 4; i++) {
		ssize_t n = vault_read(file, at, bytes, sizeof(bytes));

		FUZZ_CHECK(n <= (ssize_t)sizeof(bytes));
		if (n <= 0)
			break;
		at += (uint64_t)n;
	}
	(void)vault_read(file, 19999, bytes, 3);
	(void)vault_read(file, INT64_MAX - 10, bytes, 100);
	(void)vault_seek(file, 1, SEEK_DATA, &at);
	(void)vault_seek(file, 1, SEEK_HOLE, &at);
	vault_file_close(file);
}

static void read_attributes(struct vault *vault, const struct found *found)
{
	static char names[VAULT_XATTR_MAX + 1], value[VAULT_XATTR_MAX];
	char target[VAULT_PATH_MAX + 1];
	struct vault_attr attr;
	uint64_t parent;
	ssize_t n = vault_listxattr(vault, found->id, names, VAULT_XATTR_MAX);

	FUZZ_CHECK(n <= (ssize_t)VAULT_XATTR_MAX);
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1)
		(void)vault_getxattr(vault, found->id, names + i, value, sizeof(value));
	(void)vault_lookup(vault, found->parent, found->name, &attr);
	(void)vault_getattr(vault, found->id, &attr);
	(void)vault_parent(vault, found->id, &parent);
	if (vault_readlink(vault, found->id, target) == 0)
		FUZZ_CHECK(strlen(target) <= VAULT_PATH_MAX);
}

static void change_content(struct vault *vault, uint64_t id, uint64_t other, uint64_t salt)
{
	struct vault_file *file = NULL, *to = NULL;
	struct vault_attr attr = { .size = salt % 30000 };

	put(vault, id, salt % 25000, (unsigned)salt, 1 + salt % 5000);
	CHANGE(vault, vault_setattr(vault, id, VAULT_SET_SIZE, &attr, NULL));
	if (vault_file_open(vault, id, &file) < 0)
		return;
	CHANGE(vault, vault_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, salt % 300, 100));
	if (vault_file_open(vault, other, &to) == 0)
		CHANGE(vault, vault_copy_range(file, 0, to, 1000, 20000));
	vault_file_close(to);
	vault_file_close(file);
}

static void change_derived(struct vault *vault, uint64_t id, uint64_t salt)
{
	struct vault_job job;
	struct vault_attr attr;

	(void)vault_get_derived(vault, id, VAULT_DERIVED_THUMBNAIL, 1, &attr);
	CHANGE(vault, vault_set_derived(vault, id, VAULT_DERIVED_PREVIEW, 1 + (unsigned)(salt % 3), "another clip", 12));
	CHANGE(vault, vault_drop_derived(vault, id, VAULT_DERIVED_PREVIEW, 2));
	CHANGE(vault, vault_job_queue(vault, &id, 1));
	vault_change_begin(vault, 0);
	if (vault_job_next(vault, &job) > 0)
		(void)vault_job_failed(vault, &job, 1 + (unsigned)(salt % 2), "it is damaged");
	vault_change_end(vault);
}

static void change_names(struct vault *vault, const struct found *found, const struct found *other, uint64_t salt)
{
	struct vault_attr attr = { .mode = 0640, .uid = 7, .mtime_ns = -1 };

	CHANGE(vault, vault_setattr(vault, found->id, VAULT_SET_MODE | VAULT_SET_UID | VAULT_SET_MTIME, &attr, NULL));
	set(vault, found->id, "user.more", "much more");
	set(vault, found->id, "user.xdg.tags", "dog, cat");
	CHANGE(vault, vault_removexattr(vault, found->id, "user.custom"));
	switch (salt % 4) {
	case 0:
		CHANGE(vault, vault_rename(vault, found->parent, found->name, other->parent, other->name,
					   (unsigned)(salt >> 2) % 3 | VAULT_RENAME_INHERIT, &attr));
		break;
	case 1:
		CHANGE(vault, vault_unlink(vault, found->parent, found->name, &attr));
		CHANGE(vault, vault_purge(vault, found->id));
		break;
	case 2:
		CHANGE(vault, vault_rmdir(vault, found->parent, found->name, &attr));
		break;
	default:
		CHANGE(vault, vault_link(vault, found->id, other->parent, "another name", &attr));
		break;
	}
}

static int note_job(void *context, const struct vault_job *job, const char *path)
{
	struct use *use = context;

	FUZZ_CHECK(strlen(job->error) < sizeof(job->error) && (!path || strlen(path) <= VAULT_PATH_MAX));
	return ++use->n_seen > 200;
}

static void look_at_all(struct use *use)
{
	struct vault *vault = use->vault;
	struct vault_attr attr;
	struct vault_stats stats;
	struct vault_space space;
	uint64_t orphans[4];

	list(use, VAULT_ROOT_ID, 0);
	(void)vault_stats(vault, &stats);
	(void)vault_space(vault, &space);
	(void)vault_orphans(vault, 0, orphans, 4);
	(void)vault_jobs(vault, VAULT_JOB_WAITING, note_job, use);
	(void)vault_jobs(vault, VAULT_JOB_FAILED, note_job, use);
	(void)vault_resolve(vault, "directory 0/one", &attr);
	for (size_t i = 0; i < use->n; i++) {
		read_attributes(vault, &use->found[i]);
		read_content(vault, use->found[i].id);
	}
}

void fuzz_use_vault(struct vault *vault, uint64_t salt)
{
	static struct use use;
	uint64_t made;

	use = (struct use){ .vault = vault };
	look_at_all(&use);
	made = make(vault, VAULT_ROOT_ID, "made", S_IFREG | 0600, NULL);
	for (size_t i = 0; i < use.n && made; i++) {
		const struct found *found = &use.found[i], *other = &use.found[(i + salt) % use.n];

		change_content(vault, found->id, i % 2 ? made : other->id, salt + i * 7);
		change_derived(vault, found->id, salt + i);
		change_names(vault, found, other, salt / 3 + i);
	}
	(void)vault_sync(vault);
	use = (struct use){ .vault = vault };
	look_at_all(&use);
}
