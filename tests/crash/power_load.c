/* power_load.c - random calls on a tree, and in memory what the tree must be after each. See power.h.
 *
 * Names and bytes are known here by themselves; inode numbers, times and counts of links are asked for after each call,
 * which is what a program saw before the power went. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "power.h"

#define N_ENTRIES 96u                /* at most */
#define N_XATTRS 12u                 /* of an inode, at most */
#define FILE_MOST ((size_t)1 << 20)  /* bytes */
#define TOTAL_MOST ((size_t)2 << 20) /* bytes of all files; from there on files only shrink */
#define WRITE_MOST ((size_t)256 << 10)
#define POOL_SIZE ((size_t)1 << 20)

struct xattr {
	char name[64];
	uint8_t *value;
	size_t size;
};

struct node {
	struct vault_attr attr;
	uint8_t *content; /* FILE_MOST bytes of a file */
	size_t size;
	char target[64];
	struct xattr xattrs[N_XATTRS];
	size_t n_xattrs;
	uint64_t digest;
	bool digested;
	unsigned n_names;
};

struct entry {
	char path[400]; /* "" is the root, which stands first */
	struct node *node;
};

struct load {
	const struct driver *driver;
	void *context;
	struct story *story;
	struct random random;
	struct entry entries[N_ENTRIES];
	size_t n;
	size_t total;     /* bytes of all files */
	uint64_t n_names; /* ever given */
	uint8_t *pool;    /* bytes that files share */
	uint8_t *buffer;  /* WRITE_MOST bytes */
};

/* ---- the tree ---- */

static void must(const struct load *load, int r, const char *what, const char *path)
{
	if (r < 0)
		disk_die("the load, at moment %zu: %s /%s: %s", load->story->n, what, path, strerror(-r));
}

static struct node *node_new(uint32_t mode)
{
	struct node *node = disk_resize(NULL, 1, sizeof(*node));

	*node = (struct node){ .attr = { .mode = mode } };
	if (S_ISREG(mode)) {
		node->content = disk_resize(NULL, FILE_MOST, 1);
		memset(node->content, 0, FILE_MOST);
	}
	return node;
}

static void node_drop_name(struct load *load, struct node *node)
{
	if (--node->n_names > 0)
		return;
	load->total -= node->size;
	for (size_t i = 0; i < node->n_xattrs; i++)
		free(node->xattrs[i].value);
	free(node->content);
	free(node);
}

static struct entry *entry_add(struct load *load, const char *path, struct node *node)
{
	struct entry *entry = &load->entries[load->n++];

	(void)snprintf(entry->path, sizeof(entry->path), "%s", path);
	entry->node = node;
	node->n_names++;
	return entry;
}

static void entry_remove(struct load *load, struct entry *entry)
{
	node_drop_name(load, entry->node);
	*entry = load->entries[--load->n];
}

static uint64_t node_digest(struct node *node)
{
	if (!node->digested)
		node->digest = S_ISREG(node->attr.mode)   ? tree_digest(node->content, node->size)
			       : S_ISLNK(node->attr.mode) ? tree_digest(node->target, strlen(node->target))
							  : 0;
	node->digested = true;
	return node->digest;
}

/* How the tree is now becomes a moment of the story. */
static void note_moment(struct load *load)
{
	struct tree *tree = story_add(load->story);

	for (size_t i = 0; i < load->n; i++) {
		struct entry *entry = &load->entries[i];
		struct node *node = entry->node;
		struct tree_xattr xattrs[N_XATTRS];

		must(load, load->driver->stat(load->context, entry->path, &node->attr), "stat", entry->path);
		if (S_ISREG(node->attr.mode) && node->attr.size != node->size)
			disk_die("the load: /%s has %" PRIu64 " bytes, wanted %zu", entry->path,
				 node->attr.size, node->size);
		for (size_t k = 0; k < node->n_xattrs; k++)
			xattrs[k] = (struct tree_xattr){ node->xattrs[k].name, node->xattrs[k].value,
							 node->xattrs[k].size };
		tree_add(tree, entry->path, &node->attr, node_digest(node), xattrs, node->n_xattrs,
			 load->story->flags);
	}
	tree_sort(tree);
}

/* ---- choosing ---- */

static bool is_below(const char *path, const char *directory)
{
	size_t size = strlen(directory);

	return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* An entry of a type (S_IFMT bits), from the second on; NULL: there is none. */
static struct entry *choose(struct load *load, uint32_t type)
{
	size_t from = random_below(&load->random, load->n);

	for (size_t i = 0; i < load->n; i++) {
		struct entry *entry = &load->entries[(from + i) % load->n];

		if ((entry->node->attr.mode & S_IFMT) == type && *entry->path)
			return entry;
	}
	return NULL;
}

static struct entry *choose_any(struct load *load)
{
	return load->n > 1 ? &load->entries[1 + random_below(&load->random, load->n - 1)] : NULL;
}

/* The path of a new name, in any directory, not below `not_below` (NULL: anywhere). */
static void choose_name(struct load *load, const char *not_below, char *ret_path, size_t size)
{
	const struct entry *directory = random_below(&load->random, 3) ? choose(load, S_IFDIR) : NULL;
	const char *parent = directory ? directory->path : "";

	if (strlen(parent) > 200 || (not_below && is_below(parent, not_below)))
		parent = "";
	(void)snprintf(ret_path, size, "%s%sname %" PRIu64, parent, *parent ? "/" : "", load->n_names++);
}

static bool is_full(const struct load *load)
{
	return load->n == N_ENTRIES;
}

/* ---- content ---- */

static void fill(struct load *load, uint8_t *bytes, size_t size)
{
	switch (random_below(&load->random, 4)) {
	case 0: /* what others have, too */
		memcpy(bytes, load->pool + random_below(&load->random, POOL_SIZE - size + 1), size);
		break;
	case 1: /* what can be compressed */
		for (size_t i = 0; i < size; i += 16) {
			char text[17];

			(void)snprintf(text, sizeof(text), "%15" PRIu64 "\n",
				       random_next(&load->random) % 1000);
			memcpy(bytes + i, text, size - i < 16 ? size - i : 16);
		}
		break;
	default:
		for (size_t i = 0; i < size; i += 8) {
			uint64_t word = random_next(&load->random);

			memcpy(bytes + i, &word, size - i < 8 ? size - i : 8);
		}
		break;
	}
}

static void set_size(struct load *load, struct node *node, size_t size)
{
	if (size < node->size)
		memset(node->content + size, 0, node->size - size);
	load->total = load->total - node->size + size;
	node->size = size;
	node->digested = false;
}

static bool do_write(struct load *load)
{
	struct entry *entry = choose(load, S_IFREG);
	size_t size = random_size(&load->random, WRITE_MOST), offset;

	if (!entry || load->total > TOTAL_MOST)
		return false;
	offset = random_below(&load->random, 3) ? entry->node->size
						: random_below(&load->random, entry->node->size + 1);
	if (random_below(&load->random, 16) == 0)
		offset += random_below(&load->random, 100000);
	if (random_below(&load->random, 4) == 0)
		offset = 0;
	if (offset + size > FILE_MOST)
		return false;
	fill(load, load->buffer, size);
	story_begin(load->story);
	must(load, load->driver->write(load->context, entry->path, offset, load->buffer, size), "write",
	     entry->path);
	if (offset + size > entry->node->size)
		set_size(load, entry->node, offset + size);
	memcpy(entry->node->content + offset, load->buffer, size);
	entry->node->digested = false;
	return true;
}

static bool do_truncate(struct load *load)
{
	struct entry *entry = choose(load, S_IFREG);
	size_t size;

	if (!entry)
		return false;
	size = random_below(&load->random, 4) ? random_below(&load->random, entry->node->size + 1) : 0;
	if (load->total < TOTAL_MOST / 2 && random_below(&load->random, 4) == 0)
		size = random_below(&load->random, FILE_MOST);
	story_begin(load->story);
	must(load, load->driver->truncate(load->context, entry->path, size), "truncate", entry->path);
	set_size(load, entry->node, size);
	return true;
}

static bool do_punch(struct load *load)
{
	struct entry *entry = choose(load, S_IFREG);
	size_t offset, length;

	if (!entry || entry->node->size == 0)
		return false;
	offset = random_below(&load->random, entry->node->size);
	length = random_size(&load->random, entry->node->size);
	story_begin(load->story);
	must(load, load->driver->punch(load->context, entry->path, offset, length), "punch a hole into",
	     entry->path);
	if (length > entry->node->size - offset)
		length = entry->node->size - offset;
	memset(entry->node->content + offset, 0, length);
	entry->node->digested = false;
	return true;
}

static bool do_copy(struct load *load)
{
	struct entry *from = choose(load, S_IFREG), *to = choose(load, S_IFREG);
	size_t from_offset, to_offset, length;
	uint64_t copied = 0;

	if (!from || from->node == to->node || from->node->size == 0 || load->total > TOTAL_MOST)
		return false;
	from_offset = random_below(&load->random, 2) ? 0 : random_below(&load->random, from->node->size);
	to_offset = random_below(&load->random, 2) ? 0 : random_below(&load->random, to->node->size + 1);
	length = random_below(&load->random, 2) ? from->node->size
						: random_size(&load->random, from->node->size);
	if (length > from->node->size - from_offset)
		length = from->node->size - from_offset;
	if (to_offset + length > FILE_MOST)
		return false;
	story_begin(load->story);
	must(load,
	     load->driver->copy(load->context, from->path, from_offset, to->path, to_offset, length, &copied),
	     "copy", from->path);
	if (to_offset + copied > to->node->size)
		set_size(load, to->node, to_offset + (size_t)copied);
	memcpy(to->node->content + to_offset, from->node->content + from_offset, (size_t)copied);
	to->node->digested = false;
	return true;
}

/* ---- names ---- */

static bool do_make(struct load *load)
{
	static const uint32_t modes[] = { S_IFREG | 0644, S_IFREG | 0600, S_IFREG | 0755, S_IFREG | 0644,
					  S_IFDIR | 0755, S_IFLNK | 0777, S_IFIFO | 0600 };
	uint32_t mode = modes[random_below(&load->random, sizeof(modes) / sizeof(modes[0]))];
	char path[400];
	struct node *node;

	if (is_full(load))
		return false;
	choose_name(load, NULL, path, sizeof(path));
	node = node_new(mode);
	if (S_ISLNK(mode))
		(void)snprintf(node->target, sizeof(node->target), "../to %" PRIu64,
			       random_next(&load->random));
	story_begin(load->story);
	must(load, load->driver->make(load->context, path, mode, S_ISLNK(mode) ? node->target : NULL), "make",
	     path);
	(void)entry_add(load, path, node);
	return true;
}

static bool do_link(struct load *load)
{
	struct entry *from = choose(load, S_IFREG);
	char path[400];

	if (!from || is_full(load))
		return false;
	choose_name(load, NULL, path, sizeof(path));
	story_begin(load->story);
	must(load, load->driver->link(load->context, from->path, path), "link", from->path);
	(void)entry_add(load, path, from->node);
	return true;
}

static bool do_unlink(struct load *load)
{
	struct entry *entry = choose_any(load);

	if (!entry || S_ISDIR(entry->node->attr.mode))
		return false;
	story_begin(load->story);
	must(load, load->driver->unlink(load->context, entry->path, random_below(&load->random, 2)), "unlink",
	     entry->path);
	entry_remove(load, entry);
	return true;
}

static bool do_rmdir(struct load *load)
{
	struct entry *entry = choose(load, S_IFDIR);

	if (!entry)
		return false;
	for (size_t i = 1; i < load->n; i++)
		if (&load->entries[i] != entry && is_below(load->entries[i].path, entry->path))
			return false;
	story_begin(load->story);
	must(load, load->driver->rmdir(load->context, entry->path), "remove directory", entry->path);
	entry_remove(load, entry);
	return true;
}

/* What is called `from`, or lies below it, is called `to` now. */
static void move(struct load *load, const char *from, const char *to)
{
	size_t size = strlen(from);

	for (size_t i = 1; i < load->n; i++) {
		char path[1200];

		if (!is_below(load->entries[i].path, from))
			continue;
		(void)snprintf(path, sizeof(path), "%s%s", to, load->entries[i].path + size);
		if (strlen(path) >= sizeof(load->entries[i].path))
			disk_die("the load: a path became too long");
		strcpy(load->entries[i].path, path);
	}
}

static bool do_rename(struct load *load)
{
	struct entry *from = choose_any(load);
	char old[400], new[400];

	if (!from)
		return false;
	strcpy(old, from->path);
	choose_name(load, old, new, sizeof(new));
	story_begin(load->story);
	must(load,
	     load->driver->rename(load->context, old, new,
				  random_below(&load->random, 2) ? VAULT_RENAME_NOREPLACE : 0),
	     "rename", old);
	move(load, old, new);
	return true;
}

static bool do_rename_over(struct load *load)
{
	struct entry *from = choose(load, S_IFREG), *to = choose(load, S_IFREG);
	char new[400];

	if (!from || from == to)
		return false;
	strcpy(new, to->path);
	story_begin(load->story);
	must(load, load->driver->rename(load->context, from->path, new, 0), "rename", from->path);
	if (from->node == to->node)
		return true; /* two names of one file: nothing happens */
	node_drop_name(load, to->node);
	strcpy(from->path, new);
	*to = load->entries[--load->n];
	return true;
}

static bool do_exchange(struct load *load)
{
	struct entry *a = choose_any(load), *b = choose_any(load);
	char first[400], second[400];

	if (!a || is_below(a->path, b->path) || is_below(b->path, a->path))
		return false;
	strcpy(first, a->path);
	strcpy(second, b->path);
	if (strlen(first) > 250 || strlen(second) > 250)
		return false;
	story_begin(load->story);
	must(load, load->driver->rename(load->context, first, second, VAULT_RENAME_EXCHANGE), "exchange",
	     first);
	move(load, first, "\x01");
	move(load, second, first);
	move(load, "\x01", second);
	return true;
}

/* ---- attributes ---- */

static bool do_chmod(struct load *load)
{
	struct entry *entry = choose_any(load);
	uint32_t mode = (uint32_t)random_below(&load->random, 01000) | 0700;

	if (!entry || S_ISLNK(entry->node->attr.mode))
		return false;
	story_begin(load->story);
	must(load, load->driver->chmod(load->context, entry->path, mode), "chmod", entry->path);
	return true;
}

static bool do_set_time(struct load *load)
{
	struct entry *entry = choose_any(load);

	if (!entry)
		return false;
	story_begin(load->story);
	must(load,
	     load->driver->set_time(load->context, entry->path, (int64_t)(random_next(&load->random) >> 4)),
	     "set time", entry->path);
	return true;
}

static struct xattr *find_xattr(struct node *node, const char *name)
{
	for (size_t i = 0; i < node->n_xattrs; i++)
		if (strcmp(node->xattrs[i].name, name) == 0)
			return &node->xattrs[i];
	return NULL;
}

/* A name, and a value that is given back as it is. */
static size_t choose_xattr(struct load *load, char *ret_name, size_t name_size, uint8_t *ret_value)
{
	static const char *const names[] = { "user.xdg.tags", "user.xdg.comment", "user.baloo.rating" };
	static const char *const tags[] = { "alpha", "alpha,beta", "beta", "alpha,beta,gamma/delta", "zeta" };
	size_t which = random_below(&load->random, 9);
	size_t size;

	(void)snprintf(ret_name, name_size, "user.%zu", which);
	if (which < 3)
		(void)snprintf(ret_name, name_size, "%s", names[which]);
	if (which == 0)
		return (size_t)sprintf((char *)ret_value, "%s", tags[random_below(&load->random, 5)]);
	if (which == 1)
		return (size_t)sprintf((char *)ret_value, "note %" PRIu64, random_next(&load->random));
	if (which == 2)
		return (size_t)sprintf((char *)ret_value, "%zu", 1 + random_below(&load->random, 10));
	size = random_size(&load->random, 3000);
	fill(load, ret_value, size);
	return size;
}

static bool do_set_xattr(struct load *load)
{
	struct entry *entry = choose(load, random_below(&load->random, 4) ? S_IFREG : S_IFDIR);
	uint8_t value[4096];
	char name[64];
	size_t size = choose_xattr(load, name, sizeof(name), value);
	struct xattr *xattr;

	if (!entry)
		return false;
	xattr = find_xattr(entry->node, name);
	if (!xattr && entry->node->n_xattrs == N_XATTRS)
		return false;
	story_begin(load->story);
	must(load, load->driver->set_xattr(load->context, entry->path, name, value, size), name, entry->path);
	if (!xattr) {
		xattr = &entry->node->xattrs[entry->node->n_xattrs++];
		*xattr = (struct xattr){ .size = 0 };
		strcpy(xattr->name, name);
	}
	xattr->value = disk_resize(xattr->value, size + 1, 1);
	memcpy(xattr->value, value, size);
	xattr->size = size;
	return true;
}

static bool do_remove_xattr(struct load *load)
{
	struct entry *entry = choose_any(load);
	struct xattr *xattr;

	if (!entry || entry->node->n_xattrs == 0)
		return false;
	xattr = &entry->node->xattrs[random_below(&load->random, entry->node->n_xattrs)];
	story_begin(load->story);
	must(load, load->driver->set_xattr(load->context, entry->path, xattr->name, NULL, 0), xattr->name,
	     entry->path);
	free(xattr->value);
	*xattr = entry->node->xattrs[--entry->node->n_xattrs];
	return true;
}

static bool do_sync(struct load *load)
{
	struct entry *entry = random_below(&load->random, 4) ? choose(load, S_IFREG) : choose(load, S_IFDIR);

	must(load, load->driver->sync(load->context, entry ? entry->path : NULL), "sync",
	     entry ? entry->path : "");
	story_promise(load->story);
	return false; /* no new moment */
}

/* ---- all of them ---- */

static const struct {
	unsigned weight;
	bool (*call)(struct load *load); /* true: it made a moment */
} calls[] = {
	{ 30, do_write },   { 5, do_truncate },    { 4, do_punch },        { 6, do_copy },
	{ 14, do_make },    { 3, do_link },        { 8, do_unlink },       { 2, do_rmdir },
	{ 6, do_rename },   { 4, do_rename_over }, { 2, do_exchange },     { 2, do_chmod },
	{ 2, do_set_time }, { 6, do_set_xattr },   { 2, do_remove_xattr }, { 4, do_sync },
};

struct load *load_new(const struct driver *driver, void *context, struct story *story, uint64_t seed)
{
	struct load *load = disk_resize(NULL, 1, sizeof(*load));
	struct node *root = node_new(S_IFDIR | 0755);

	*load = (struct load){ .driver = driver, .context = context, .story = story, .random = { seed } };
	load->pool = disk_resize(NULL, POOL_SIZE, 1);
	load->buffer = disk_resize(NULL, WRITE_MOST, 1);
	for (size_t i = 0; i < POOL_SIZE; i += 8) {
		uint64_t word = random_next(&load->random);

		memcpy(load->pool + i, &word, 8);
	}
	(void)entry_add(load, "", root);
	note_moment(load);
	return load;
}

void load_free(struct load *load)
{
	if (!load)
		return;
	while (load->n > 0)
		entry_remove(load, &load->entries[load->n - 1]);
	free(load->pool);
	free(load->buffer);
	free(load);
}

void load_run(struct load *load, unsigned n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		sum += calls[i].weight;
	while (n-- > 0) {
		size_t point = random_below(&load->random, sum), i = 0;

		for (; point >= calls[i].weight; i++)
			point -= calls[i].weight;
		if (calls[i].call(load))
			note_moment(load);
	}
}

/* Write `size` bytes that nothing else has at the end of a file. */
static void append_fresh(struct load *load, struct entry *entry, size_t size)
{
	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = random_next(&load->random);

		memcpy(load->buffer + i, &word, 8);
	}
	story_begin(load->story);
	must(load, load->driver->write(load->context, entry->path, entry->node->size, load->buffer, size),
	     "write", entry->path);
	memcpy(entry->node->content + entry->node->size, load->buffer, size);
	entry->node->size += size;
	entry->node->digested = false;
	load->total += size;
	note_moment(load);
}

void load_churn(struct load *load, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct entry *entry;
		char path[400];

		while (is_full(load))
			load_run(load, 1);
		choose_name(load, NULL, path, sizeof(path));
		story_begin(load->story);
		must(load, load->driver->make(load->context, path, S_IFREG | 0644, NULL), "make", path);
		entry = entry_add(load, path, node_new(S_IFREG | 0644));
		note_moment(load);
		while (entry->node->size < FILE_MOST)
			append_fresh(load, entry, WRITE_MOST);
		if (i % 2 == 0)
			(void)do_sync(
				load); /* so that packs hold journal, too, and only a picture sets them free */
		story_begin(load->story);
		must(load, load->driver->unlink(load->context, path, false), "unlink", path);
		entry_remove(load, entry);
		note_moment(load);
	}
}

void load_verify(struct load *load, struct vault *vault)
{
	const struct tree *wanted = &load->story->moments[load->story->n - 1];
	char message[STATE_MESSAGE];
	struct tree found;
	size_t n;

	must(load, tree_read(vault, load->story->flags, &found, message, sizeof(message)), message, "");
	n = tree_compare(&found, wanted, message, sizeof(message));
	if (n > 0)
		disk_die("the load: without any cut the tree differs in %zu lines:%s", n, message);
	tree_release(&found);
}
