/* memory_work.c - see memory_work.h. */
#include "memory_work.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "library.h"
#include "picture.h"

/* A call that changes something, in a change of its own. */
#define CHANGE(call)                                  \
	__extension__({                               \
		vault_change_begin(w->vault, 0);      \
		__auto_type result_ = (call);         \
		vault_change_end(w->vault);           \
		result_;                              \
	})

static int make(struct work *w, uint64_t parent, const char *name, uint32_t mode, const char *target, uint64_t *ret_id)
{
	struct vault_attr wanted = { .mode = mode, .uid = 1000, .gid = 1000 }, made = { 0 };
	int r = CHANGE(vault_make(w->vault, parent, name, &wanted, target, &made));

	if (r == 0 && ret_id)
		*ret_id = made.id;
	return r;
}

static int set(struct work *w, const char *name, const char *value)
{
	return CHANGE(vault_setxattr(w->vault, w->file, name, value, strlen(value), 0));
}

static const uint8_t *content(void)
{
	static uint8_t bytes[WORK_FILE_SIZE];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i % 3000 < 1500 ? i * i >> 7 : i / 100);
	return bytes;
}

static int do_directory(struct work *w)
{
	return make(w, VAULT_ROOT_ID, "made", S_IFDIR | 0755, NULL, &w->directory);
}

static int do_file(struct work *w)
{
	return make(w, w->directory, "file", S_IFREG | 0644, NULL, &w->file);
}

static int do_other(struct work *w)
{
	return make(w, w->directory, "other", S_IFREG | 0600, NULL, &w->other);
}

static int do_symlink(struct work *w)
{
	return make(w, w->directory, "link", S_IFLNK | 0777, "target", NULL);
}

static int do_open(struct work *w)
{
	return vault_file_open(w->vault, w->file, &w->handle);
}

static int do_write(struct work *w)
{
	return CHANGE(vault_write(w->handle, 0, content(), WORK_FILE_SIZE, 0));
}

static int do_write_small(struct work *w)
{
	return CHANGE(vault_write(w->handle, 70000, "a few bytes in the middle", 25, 0));
}

static int do_sync(struct work *w)
{
	return vault_sync(w->vault);
}

/* Where memory for it is short, search.db is given up, and nothing else is. */
static int do_search(struct work *w)
{
	int r = vault_search_sync(w->vault);

	if (r == 0 || r == -EIO)
		r = vault_set_text(w->vault, w->file, "a text", 6);
	return r;
}

static int count_found(void *context, const struct vault_found *found)
{
	unsigned *n = context;

	(void)found;
	++*n;
	return 0;
}

/* By indices, conditions and words, sorted. */
static int do_find(struct work *w)
{
	const struct vault_find_options options = { .sort = VAULT_SORT_NAME };
	AUTO(vault_query) struct vault_query *query = NULL;
	struct vault_query_error error;
	unsigned n = 0;
	int r = vault_query_parse("-in:nowhere (tag:holiday or name:*il* or ext:x,txt or rating:1..9 or beach file*) "
				  "-(size:>1T or person:nobody or type:mp4)",
				  &query, &error);

	if (r == 0)
		r = vault_find(w->vault, query, &options, count_found, &n);
	return r == -EAGAIN ? 0 : r; /* search.db was given up */
}

static int take_folder(void *context, const struct vault_tag_folder *folder)
{
	(void)context;
	(void)folder;
	return 0;
}

/* Made, brought up to date after a change, looked at, and given back. */
static int do_listing(struct work *w)
{
	AUTO(vault_query) struct vault_query *query = NULL;
	AUTO(vault_listing) struct vault_listing *listing = NULL;
	AUTO(vault_snapshot) struct vault_snapshot *snapshot = NULL;
	AUTO(free) char *playlist = NULL;
	struct vault_query_error error;
	size_t size;
	int r = vault_query_parse("-tag:nobody", &query, &error);

	if (r == 0)
		r = vault_listing_new(w->vault, query, &listing);
	if (r == 0)
		r = vault_listing_refresh(listing);
	if (r == 0)
		r = vault_listing_snapshot(listing, &snapshot);
	if (r == 0)
		r = vault_listing_tags(listing, NULL, 0, take_folder, NULL);
	if (r == 0)
		r = vault_snapshot_playlist(w->vault, snapshot, &playlist, &size);
	return r;
}

static int do_save(struct work *w)
{
	AUTO(free) char *query = NULL;
	int r = CHANGE(vault_search_put(w->vault, "Saved", "kind:video tag:a", 0));

	if (r == 0)
		r = vault_search_get(w->vault, "saved", &query, NULL);
	return r;
}

static int do_read(struct work *w)
{
	static uint8_t bytes[WORK_FILE_SIZE];
	ssize_t n = vault_read(w->handle, 0, bytes, 60000);

	if (n < 0)
		return (int)n;
	return n == 60000 && memcmp(bytes, content(), 60000) == 0 ? 0 : -EPROTO;
}

static int do_xattr(struct work *w)
{
	return set(w, "user.custom", "value");
}

static int do_tags(struct work *w)
{
	return set(w, "user.xdg.tags", "Beach,dog,Summer/2024");
}

static int do_tag_add(struct work *w)
{
	return CHANGE(vault_file_tag_add(w->vault, w->file, "photo/2024"));
}

static int do_tag_rules(struct work *w)
{
	static const char aliases[] = "foto,pic";
	int r = CHANGE(vault_tag_set_text(w->vault, "photo", VAULT_TAG_ALIASES, aliases, sizeof(aliases) - 1));

	return r < 0 ? r : CHANGE(vault_tag_imply(w->vault, "beach", "holiday"));
}

static int do_tag_rename(struct work *w)
{
	return CHANGE(vault_tag_rename(w->vault, "photo", "picture"));
}

static int do_tag_list(struct work *w)
{
	struct vault_tags tags;
	uint64_t *ids = NULL;
	size_t n = 0;
	int r = vault_tag_list(w->vault, NULL, VAULT_TAG_LIST_TREE | VAULT_TAG_LIST_FILES | VAULT_TAG_LIST_TOTALS, &tags);

	if (r < 0)
		return r;
	r = tags.n == 7 && strcmp(tags.tags[4].name, "picture/2024") == 0 && tags.tags[3].n_total == 1 ? 0 : -EBADMSG;
	vault_tags_release(&tags);
	if (r == 0)
		r = vault_tag_matching(w->vault, "foto", &ids, &n);
	free(ids);
	return r < 0 ? r : n == 2 ? 0 : -EBADMSG;
}

static int do_tag_remove(struct work *w)
{
	return CHANGE(vault_tag_remove(w->vault, "dog", VAULT_TAG_REMOVE_USED));
}

static int do_comment(struct work *w)
{
	return set(w, "user.xdg.comment", "a note");
}

static int do_rating(struct work *w)
{
	return set(w, "user.baloo.rating", "7");
}

static int do_custom(struct work *w)
{
	return set(w, "user.vaultfs.custom", "{\"a\": [1, 2]}");
}

static int do_content(struct work *w)
{
	static const uint8_t sha256[32] = { 1 };
	const struct vault_content found = { .sha256 = sha256, .mime = "text/plain", .media_json = "{}" };

	return CHANGE(vault_set_content(w->vault, w->file, &found));
}

static int do_sum(struct work *w)
{
	struct vault_sha256 *sum = NULL;
	uint8_t sha256[32];
	int r = vault_sha256_new(&sum);

	(void)w;
	if (r == 0)
		r = vault_sha256_add(sum, content(), 1000);
	if (r == 0)
		r = vault_sha256_end(sum, sha256);
	vault_sha256_free(sum);
	return r;
}

static int do_job(struct work *w)
{
	struct vault_job job;
	int r = CHANGE(vault_job_queue(w->vault, &w->file, 1));

	if (r >= 0)
		r = CHANGE(vault_job_next(w->vault, &job));
	if (r == 0)
		return -EPROTO;
	if (r > 0)
		r = CHANGE(vault_job_failed(w->vault, &job, 2, "it was tried"));
	return r < 0 ? r : 0;
}

static int do_derived(struct work *w)
{
	return CHANGE(vault_set_derived(w->vault, w->file, VAULT_DERIVED_THUMBNAIL, 1, content(), 30000));
}

static int do_acl(struct work *w)
{
	static const uint8_t list[] = { 2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 5, 0, 232, 3, 0, 0,
					4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 5, 0, 255, 255, 255, 255,
					32, 0, 4, 0, 255, 255, 255, 255 };

	return CHANGE(vault_setxattr(w->vault, w->other, "system.posix_acl_access", list, sizeof(list), 0));
}

static int do_remove_xattr(struct work *w)
{
	return CHANGE(vault_removexattr(w->vault, w->file, "user.custom"));
}

static int do_list(struct work *w)
{
	char names[2000], value[100];
	ssize_t n = vault_listxattr(w->vault, w->file, names, sizeof(names));

	if (n >= 0)
		n = vault_getxattr(w->vault, w->file, "user.xdg.tags", value, sizeof(value));
	return n < 0 ? (int)n : 0;
}

static int do_rename(struct work *w)
{
	struct vault_attr replaced;

	return CHANGE(vault_rename(w->vault, w->directory, "file", VAULT_ROOT_ID, "renamed", 0, &replaced));
}

static int do_rename_directory(struct work *w)
{
	struct vault_attr replaced;

	return CHANGE(vault_rename(w->vault, VAULT_ROOT_ID, "made", VAULT_ROOT_ID, "moved", 0, &replaced));
}

static int do_link(struct work *w)
{
	struct vault_attr attr;

	return CHANGE(vault_link(w->vault, w->file, w->directory, "again", &attr));
}

static int do_copy(struct work *w)
{
	struct vault_file *to = NULL;
	int r = vault_file_open(w->vault, w->other, &to);
	ssize_t n = r < 0 ? r : CHANGE(vault_copy_range(w->handle, 1000, to, 0, 50000));

	vault_file_close(to);
	return n < 0 ? (int)n : 0;
}

static int do_truncate(struct work *w)
{
	const struct vault_attr attr = { .size = 150001 };

	return CHANGE(vault_setattr(w->vault, w->file, VAULT_SET_SIZE, &attr, NULL));
}

static int do_punch(struct work *w)
{
	return CHANGE(vault_fallocate(w->handle, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100000, 20000));
}

static int do_mode(struct work *w)
{
	const struct vault_attr attr = { .mode = 0640, .mtime_ns = 7 };

	return CHANGE(vault_setattr(w->vault, w->file, VAULT_SET_MODE | VAULT_SET_MTIME, &attr, NULL));
}

static int do_unlink(struct work *w)
{
	struct vault_attr attr;

	return CHANGE(vault_unlink(w->vault, w->directory, "other", &attr));
}

static int do_purge(struct work *w)
{
	return CHANGE(vault_purge(w->vault, w->other));
}

static int do_look(struct work *w)
{
	struct vault_attr attr;
	struct vault_stats stats;
	struct vault_file_info info;
	uint64_t orphans[4], at;
	int r = vault_resolve(w->vault, "moved/again", &attr);

	if (r == 0)
		r = vault_lookup(w->vault, VAULT_ROOT_ID, "renamed", &attr);
	if (r == 0)
		r = vault_parent(w->vault, w->directory, &at);
	if (r == 0)
		r = vault_stats(w->vault, &stats);
	if (r == 0)
		r = vault_file_info(w->vault, w->file, &info);
	if (r == 0)
		r = vault_orphans(w->vault, 0, orphans, 4);
	if (r >= 0)
		r = vault_seek(w->handle, 0, SEEK_HOLE, &at);
	return r;
}

static int do_picture(struct work *w)
{
	_Atomic bool stop = false;

	return picture_write(w->vault, &stop);
}

static int do_close(struct work *w)
{
	vault_file_close(w->handle);
	w->handle = NULL;
	return 0;
}

const struct work_step work_steps[] = {
	{ "make a directory", do_directory, true, false },
	{ "make a file", do_file, true, false },
	{ "make another", do_other, true, false },
	{ "open it", do_open, false, false },
	{ "write", do_write, true, false },
	{ "set an attribute", do_xattr, true, false },
	{ "set tags", do_tags, true, false },
	{ "give one tag more", do_tag_add, true, false },
	{ "set rules of tags", do_tag_rules, false, false },
	{ "rename a tag", do_tag_rename, true, false },
	{ "list tags", do_tag_list, false, false },
	{ "remove a tag", do_tag_remove, true, false },
	{ "sync", do_sync, false, true },
	{ "search", do_search, false, false },
	{ "find", do_find, false, false },
	{ "a listing", do_listing, false, false },
	{ "save a search", do_save, false, false },
	{ "read", do_read, false, false },
	{ "write a little", do_write_small, true, false },
	{ "make a link", do_symlink, true, false },
	{ "set a comment", do_comment, true, false },
	{ "set a rating", do_rating, true, false },
	{ "set a value in JSON", do_custom, true, false },
	{ "say what is in it", do_content, false, false },
	{ "add up", do_sum, false, false },
	{ "do a job", do_job, false, false },
	{ "keep a thumbnail", do_derived, false, false },
	{ "set an access list", do_acl, true, false },
	{ "list attributes", do_list, false, false },
	{ "remove an attribute", do_remove_xattr, true, false },
	{ "copy a range", do_copy, true, false },
	{ "truncate", do_truncate, true, false },
	{ "punch a hole", do_punch, true, false },
	{ "rename", do_rename, true, false },
	{ "rename the directory", do_rename_directory, true, false },
	{ "link", do_link, true, false },
	{ "set mode and time", do_mode, true, false },
	{ "sync again", do_sync, false, true },
	{ "unlink", do_unlink, true, false },
	{ "purge", do_purge, false, false },
	{ "look", do_look, false, false },
	{ "write a picture", do_picture, false, false },
	{ "close it", do_close, false, false },
	{ "sync at the end", do_sync, false, true },
};
const size_t work_n_steps = sizeof(work_steps) / sizeof(work_steps[0]);

/* ---- what a vault holds ---- */

struct tree {
	struct vault *vault;
	uint64_t hash;
	bool failed;
	struct {
		char name[VAULT_NAME_MAX + 1];
		struct vault_attr attr;
	} entries[64];
	size_t n;
};

static void mix(struct tree *tree, const void *bytes, size_t size)
{
	tree->hash = checksum_xxh3_seeded(bytes, size, tree->hash);
}

static int note_entry(void *context, const struct vault_entry *entry)
{
	struct tree *tree = context;

	if (tree->n == 64)
		return 1;
	memcpy(tree->entries[tree->n].name, entry->name, strlen(entry->name) + 1);
	tree->entries[tree->n++].attr = entry->attr;
	return 0;
}

static void mix_attributes(struct tree *tree, uint64_t id)
{
	char names[4096], value[4096];
	ssize_t n = vault_listxattr(tree->vault, id, names, sizeof(names));

	tree->failed = tree->failed || n < 0;
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
		ssize_t size = vault_getxattr(tree->vault, id, names + i, value, sizeof(value));

		tree->failed = tree->failed || size < 0;
		mix(tree, names + i, strlen(names + i));
		mix(tree, value, size > 0 ? (size_t)size : 0);
	}
}

static void mix_content(struct tree *tree, uint64_t id)
{
	static uint8_t bytes[2 * WORK_FILE_SIZE];
	struct vault_file *file = NULL;
	ssize_t n = vault_file_open(tree->vault, id, &file);

	if (n == 0)
		n = vault_read(file, 0, bytes, sizeof(bytes));
	vault_file_close(file);
	tree->failed = tree->failed || n < 0;
	mix(tree, bytes, n > 0 ? (size_t)n : 0);
}

static void mix_inode(struct tree *tree, const char *name, const struct vault_attr *attr)
{
	char target[VAULT_PATH_MAX + 1];
	const uint64_t fields[] = { attr->mode, attr->nlink, attr->size, attr->uid };

	mix(tree, name, strlen(name));
	mix(tree, fields, sizeof(fields));
	mix_attributes(tree, attr->id);
	if (S_ISREG(attr->mode))
		mix_content(tree, attr->id);
	if (S_ISLNK(attr->mode) && vault_readlink(tree->vault, attr->id, target) == 0)
		mix(tree, target, strlen(target));
}

static void mix_directory(struct tree *tree, uint64_t id)
{
	size_t from = tree->n, to;

	if (vault_readdir(tree->vault, id, 0, true, note_entry, tree) < 0)
		tree->failed = true;
	to = tree->n;
	for (size_t i = from; i < to; i++) {
		mix_inode(tree, tree->entries[i].name, &tree->entries[i].attr);
		if (S_ISDIR(tree->entries[i].attr.mode))
			mix_directory(tree, tree->entries[i].attr.id);
	}
	mix(tree, "..", 2);
}

uint64_t work_digest(struct vault *vault)
{
	static struct tree tree;

	tree = (struct tree){ .vault = vault, .hash = 1 };
	mix_directory(&tree, VAULT_ROOT_ID);
	return tree.failed ? 0 : tree.hash;
}
