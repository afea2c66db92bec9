/* power_tree.c - a tree as lines of text, and the moments of a story. See power.h. */
#include "power.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "auto.h"

#define LINE_SIZE 8192u
#define PIECE_SIZE ((size_t)256 << 10)
#define XATTRS_MAX 64u

/* ---- lines ---- */

static struct {
	const char **lines;
	size_t n, room; /* a power of two */
} shared;

static void shared_grow(void)
{
	const char **old = shared.lines;
	size_t old_room = shared.room;

	shared.room = old_room ? 2 * old_room : 1024;
	shared.lines = disk_resize(NULL, shared.room, sizeof(*shared.lines));
	memset(shared.lines, 0, shared.room * sizeof(*shared.lines));
	for (size_t i = 0; i < old_room; i++) {
		size_t at;

		if (!old[i])
			continue;
		for (at = XXH3_64bits(old[i], strlen(old[i])); shared.lines[at & (shared.room - 1)]; at++)
			;
		shared.lines[at & (shared.room - 1)] = old[i];
	}
	free(old);
}

/* The one copy of a line, kept to the end of the process. */
static const char *share(const char *line)
{
	size_t at;

	if (shared.n * 2 >= shared.room)
		shared_grow();
	for (at = XXH3_64bits(line, strlen(line)); shared.lines[at & (shared.room - 1)]; at++)
		if (strcmp(shared.lines[at & (shared.room - 1)], line) == 0)
			return shared.lines[at & (shared.room - 1)];
	line = strdup(line);
	if (!line)
		disk_die("no memory for a line");
	shared.lines[at & (shared.room - 1)] = line;
	shared.n++;
	return line;
}

uint64_t tree_digest(const void *bytes, size_t size)
{
	return XXH3_64bits(bytes, size);
}

void tree_add(struct tree *tree, const char *path, const struct vault_attr *attr, uint64_t content,
	      const struct tree_xattr *xattrs, size_t n_xattrs, unsigned flags)
{
	char line[LINE_SIZE];
	uint64_t digest = 0;

	for (size_t i = 0; i < n_xattrs; i++)
		digest += XXH3_64bits_withSeed(xattrs[i].value, xattrs[i].size,
					       XXH3_64bits(xattrs[i].name, strlen(xattrs[i].name)));
	(void)snprintf(line, sizeof(line),
		       "/%s\tinode %" PRIu64 " mode %o owner %u:%u links %u size %" PRIu64
		       " modified %" PRId64 " changed %" PRId64 " born %" PRId64 " content %016" PRIx64
		       " xattrs %zu %016" PRIx64,
		       path, attr->id, attr->mode, attr->uid, attr->gid, attr->nlink,
		       S_ISDIR(attr->mode) ? 0 : attr->size, attr->mtime_ns, attr->ctime_ns,
		       flags & TREE_BIRTH ? attr->btime_ns : 0, content, n_xattrs, digest);
	if (tree->n == tree->room) {
		tree->room = tree->room ? 2 * tree->room : 64;
		tree->lines = disk_resize(tree->lines, tree->room, sizeof(*tree->lines));
	}
	tree->lines[tree->n++] = share(line);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void tree_sort(struct tree *tree)
{
	if (tree->n > 1)
		qsort(tree->lines, tree->n, sizeof(*tree->lines), compare_lines);
}

void tree_release(struct tree *tree)
{
	free(tree->lines);
	*tree = (struct tree){ 0 };
}

bool tree_equal(const struct tree *a, const struct tree *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->lines, b->lines, a->n * sizeof(*a->lines)) == 0);
}

size_t tree_compare(const struct tree *found, const struct tree *wanted, char *ret_message, size_t size)
{
	size_t n = 0, at = 0;

	ret_message[0] = '\0';
	for (size_t i = 0, k = 0; i < found->n || k < wanted->n;) {
		int order = i == found->n    ? 1
			    : k == wanted->n ? -1
					     : strcmp(found->lines[i], wanted->lines[k]);

		if (order != 0 && n++ < 6 && at < size)
			at += (size_t)snprintf(ret_message + at, size - at, "\n  %s %s",
					       order < 0 ? "found " : "wanted",
					       order < 0 ? found->lines[i] : wanted->lines[k]);
		i += order <= 0;
		k += order >= 0;
	}
	return n;
}

/* ---- reading a vault ---- */

struct reader {
	struct vault *vault;
	struct tree *tree;
	unsigned flags;
	uint8_t *piece; /* PIECE_SIZE bytes */
	char *message;
	size_t message_size;
};

static int cannot(struct reader *reader, const char *path, const char *what, int r)
{
	(void)snprintf(reader->message, reader->message_size, "/%s: %s: %s", path, what, strerror(-r));
	return r;
}

static int read_content(struct reader *reader, const char *path, const struct vault_attr *attr,
			uint64_t *ret_digest)
{
	struct vault_file *file = NULL;
	XXH3_state_t *digest = XXH3_createState();
	uint64_t offset = 0;
	ssize_t n = 0;
	int r = vault_file_open(reader->vault, attr->id, &file);

	if (!digest)
		disk_die("no memory for a digest");
	(void)XXH3_64bits_reset(digest); /* fails only without a state, as the next */
	while (r == 0 && (n = vault_read(file, offset, reader->piece, PIECE_SIZE)) > 0) {
		(void)XXH3_64bits_update(digest, reader->piece, (size_t)n);
		offset += (uint64_t)n;
	}
	*ret_digest = XXH3_64bits_digest(digest);
	XXH3_freeState(digest);
	vault_file_close(file);
	if (r == 0 && n < 0)
		r = (int)n;
	if (r < 0)
		return cannot(reader, path, "reading it", r);
	return offset == attr->size ? 0 : cannot(reader, path, "its size is not what can be read", -EIO);
}

static int read_xattrs(struct reader *reader, const char *path, const struct vault_attr *attr,
		       uint64_t content)
{
	static char names[VAULT_XATTR_MAX + 1];
	struct tree_xattr xattrs[XATTRS_MAX] = { { .size = 0 } };
	size_t n = 0;
	ssize_t size = vault_listxattr(reader->vault, attr->id, names, VAULT_XATTR_MAX);
	int r = size < 0 ? cannot(reader, path, "listing its xattrs", (int)size) : 0;

	for (ssize_t at = 0; r == 0 && at < size; at += (ssize_t)strlen(names + at) + 1) {
		static uint8_t value[VAULT_XATTR_MAX];
		ssize_t value_size =
			vault_getxattr(reader->vault, attr->id, names + at, value, sizeof(value));
		uint8_t *copy;

		if (value_size < 0 || n == XATTRS_MAX)
			r = cannot(reader, path, names + at, value_size < 0 ? (int)value_size : -E2BIG);
		if (r < 0)
			break;
		copy = disk_resize(NULL, (size_t)value_size + 1, 1);
		memcpy(copy, value, (size_t)value_size);
		xattrs[n++] = (struct tree_xattr){ names + at, copy, (size_t)value_size };
	}
	if (r == 0)
		tree_add(reader->tree, path, attr, content, xattrs, n, reader->flags);
	for (size_t i = 0; i < n; i++)
		free((void *)xattrs[i].value);
	return r;
}

/* The entries of a directory, in memory. */
struct entries {
	struct found {
		char name[VAULT_NAME_MAX + 1];
		struct vault_attr attr;
	} * found;
	size_t n, room;
};

static int gather(void *context, const struct vault_entry *entry)
{
	struct entries *entries = context;

	if (entries->n == entries->room) {
		entries->room = entries->room ? 2 * entries->room : 16;
		entries->found = disk_resize(entries->found, entries->room, sizeof(*entries->found));
	}
	strcpy(entries->found[entries->n].name, entry->name);
	entries->found[entries->n++].attr = entry->attr;
	return 0;
}

static int read_one(struct reader *reader, const char *path, const struct vault_attr *attr);

static int read_directory(struct reader *reader, const char *path, uint64_t id)
{
	struct entries entries = { 0 };
	int r = vault_readdir(reader->vault, id, 0, true, gather, &entries);

	if (r < 0)
		r = cannot(reader, path, "listing it", r);
	for (size_t i = 0; r >= 0 && i < entries.n; i++) {
		char below[VAULT_PATH_MAX + 1];
		struct vault_attr attr;

		(void)snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "", entries.found[i].name);
		r = vault_lookup(reader->vault, id, entries.found[i].name, &attr);
		if (r == 0 && attr.id != entries.found[i].attr.id)
			r = -EIO;
		r = r < 0 ? cannot(reader, below, "listed, but not found", r)
			  : read_one(reader, below, &attr);
	}
	free(entries.found);
	return r < 0 ? r : 0;
}

static int read_one(struct reader *reader, const char *path, const struct vault_attr *attr)
{
	char target[VAULT_PATH_MAX + 1];
	uint64_t content = 0;
	int r = 0;

	if (S_ISREG(attr->mode)) {
		r = read_content(reader, path, attr, &content);
	} else if (S_ISLNK(attr->mode)) {
		r = vault_readlink(reader->vault, attr->id, target);
		if (r < 0)
			return cannot(reader, path, "reading the link", r);
		content = tree_digest(target, strlen(target));
	}
	if (r == 0)
		r = read_xattrs(reader, path, attr, content);
	return r == 0 && S_ISDIR(attr->mode) ? read_directory(reader, path, attr->id) : r;
}

int tree_read(struct vault *vault, unsigned flags, struct tree *ret, char *ret_message, size_t size)
{
	AUTO(free) uint8_t *piece = malloc(PIECE_SIZE);
	struct reader reader = { vault, ret, flags, piece, ret_message, size };
	struct vault_attr root;
	int r;

	*ret = (struct tree){ 0 };
	if (!piece)
		disk_die("no memory to read a tree");
	r = vault_getattr(vault, VAULT_ROOT_ID, &root);
	r = r < 0 ? cannot(&reader, "", "the root", r) : read_one(&reader, "", &root);
	tree_sort(ret);
	return r;
}

/* ---- stories ---- */

static void mark(uint64_t kind, uint64_t moment)
{
	struct mark m = { kind, moment };

	interpose_mark(&m, sizeof(m));
}

void story_begin(const struct story *story)
{
	mark(MARK_BEGIN, story->n);
}

void story_promise(const struct story *story)
{
	mark(MARK_PROMISE, story->n - 1);
}

struct tree *story_add(struct story *story)
{
	if (story->n == story->room) {
		story->room = story->room ? 2 * story->room : 256;
		story->moments = disk_resize(story->moments, story->room, sizeof(*story->moments));
	}
	story->moments[story->n] = (struct tree){ 0 };
	return &story->moments[story->n++];
}

void story_release(struct story *story)
{
	for (size_t i = 0; i < story->n; i++)
		tree_release(&story->moments[i]);
	free(story->moments);
	*story = (struct story){ 0 };
}
