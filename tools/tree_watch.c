/* tree_watch.c - trees of directories, by inotify. See tree_watch.h.
 *
 * inotify watches single directories and tells by their numbers, so a table says which path each stands for. A directory
 * that comes is watched first and then told of as changed, with all below it: what was made in it before the watch stood is
 * found by who looks. Two halves of a move come one behind the other, in one read. */
#include "tree_watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "auto.h"
#include "log.h"

#define EVENTS                                                                                    \
	(IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW | \
	 IN_EXCL_UNLINK)
#define BUFFER_SIZE (64u << 10)

/* A watched directory; its place in the table is the number inotify gave it. */
struct node {
	char *top;  /* the tree's top; owned by the node of "", borrowed by the others; NULL: not in use */
	char *path; /* from the top, owned */
	uint64_t tree;
};

struct tree_watch {
	struct tree_witness witness;
	int fd;
	struct node *nodes;
	size_t n_nodes;
	/* The first half of a move, while the second may come. */
	uint32_t cookie;
	uint64_t moved_tree;
	char *moved_from;
};

/* "directory/name", where either may be empty; the caller's. NULL without memory. */
static char *join(const char *directory, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s%s%s", directory, *directory && *name ? "/" : "", name) < 0)
		return NULL;
	return path;
}

static int node_put(struct tree_watch *watch, int number, uint64_t tree, char *top, char *path)
{
	if ((size_t)number >= watch->n_nodes) {
		size_t n = (size_t)number * 2 + 64;
		struct node *nodes = realloc(watch->nodes, n * sizeof(*nodes));

		if (!nodes)
			return -ENOMEM;
		memset(nodes + watch->n_nodes, 0, (n - watch->n_nodes) * sizeof(*nodes));
		watch->nodes = nodes;
		watch->n_nodes = n;
	}
	free(watch->nodes[number].path);
	watch->nodes[number] = (struct node){ .top = top, .path = path, .tree = tree };
	return 0;
}

static void node_release(struct node *node)
{
	if (node->top && node->path[0] == '\0')
		free(node->top);
	free(node->path);
	*node = (struct node){ .top = NULL };
}

static int add_below(struct tree_watch *watch, uint64_t tree, char *top, const char *path, bool is_news);

static int add_subdirectories(struct tree_watch *watch, uint64_t tree, char *top, const char *path,
			      bool is_news)
{
	AUTO(free) char *full = join(top, path);
	AUTO(dir) DIR *dir = full ? opendir(full) : NULL;
	const struct dirent *entry;
	int r = full ? 0 : -ENOMEM;

	while (r == 0 && dir && (entry = readdir(dir))) {
		AUTO(free) char *below = NULL;

		if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
			continue;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		below = join(path, entry->d_name);
		r = below ? add_below(watch, tree, top, below, is_news) : -ENOMEM;
	}
	return r;
}

/* Watch a directory and all below it. What is gone meanwhile, or is no directory, is passed over. */
static int add_below(struct tree_watch *watch, uint64_t tree, char *top, const char *path, bool is_news)
{
	AUTO(free) char *full = join(top, path);
	AUTO(free) char *kept = strdup(path);
	int number, r;

	if (!full || !kept)
		return -ENOMEM;
	if (watch->witness.leaves_out(watch->witness.context, full))
		return *path == '\0' ? -EINVAL : 0;
	number = inotify_add_watch(watch->fd, full, EVENTS);
	if (number < 0)
		return errno == ENOSPC || errno == ENOMEM || *path == '\0' ? -errno : 0;
	r = node_put(watch, number, tree, top, kept);
	if (r < 0)
		return r;
	kept = NULL;
	r = add_subdirectories(watch, tree, top, path, is_news);
	if (is_news)
		watch->witness.changed(watch->witness.context, tree, path);
	return r;
}

static int say_why(int r, const char *top)
{
	if (r == -ENOSPC)
		return log_err(
			r,
			"%s: has more directories than can be watched: raise fs.inotify.max_user_watches (sysctl)",
			top);
	return log_err(r, "%s: cannot be watched: ", top);
}

int tree_watch_add(struct tree_watch *watch, uint64_t tree, const char *top)
{
	char *kept = strdup(top);
	int r = kept ? add_below(watch, tree, kept, "", false) : -ENOMEM;
	bool is_in_use = false;

	if (r == 0)
		return 0;
	for (size_t i = 0; i < watch->n_nodes; i++)
		is_in_use = is_in_use || watch->nodes[i].top == kept;
	if (!is_in_use)
		free(kept);
	tree_watch_remove(watch, tree);
	return say_why(r, top);
}

void tree_watch_remove(struct tree_watch *watch, uint64_t tree)
{
	char *top = NULL;

	for (size_t i = 0; i < watch->n_nodes; i++) {
		struct node *node = &watch->nodes[i];

		if (!node->top || node->tree != tree)
			continue;
		(void)inotify_rm_watch(watch->fd,
				       (int)i); /* the directory may be gone, and the watch with it */
		top = node->top;
		free(node->path);
		*node = (struct node){ .top = NULL };
	}
	free(top);
}

/* Directories at and below `from` are called otherwise now. */
static int rename_nodes(struct tree_watch *watch, uint64_t tree, const char *from, const char *to)
{
	size_t n = strlen(from);

	for (size_t i = 0; i < watch->n_nodes; i++) {
		struct node *node = &watch->nodes[i];
		char *path;

		if (!node->top || node->tree != tree || strncmp(node->path, from, n) != 0 ||
		    (node->path[n] != '/' && node->path[n] != '\0'))
			continue;
		if (asprintf(&path, "%s%s", to, node->path + n) < 0)
			return -ENOMEM;
		free(node->path);
		node->path = path;
	}
	return 0;
}

/* The second half of a move did not come: it went out of what is watched. */
static void forget_move(struct tree_watch *watch)
{
	free(watch->moved_from);
	watch->moved_from = NULL;
	watch->cookie = 0;
}

static void came(struct tree_watch *watch, const struct node *node, const char *path, bool is_directory)
{
	watch->witness.changed(watch->witness.context, node->tree, node->path);
	if (is_directory && add_below(watch, node->tree, node->top, path, true) < 0)
		watch->witness.overflow(
			watch->witness.context); /* what is not watched is found by looking at all */
}

static void tell_of(struct tree_watch *watch, const struct inotify_event *event)
{
	const struct node node = watch->nodes[event->wd];
	const bool is_directory = event->mask & IN_ISDIR;
	AUTO(free) char *path = join(node.path, event->len > 0 ? event->name : "");

	if (!path) {
		watch->witness.overflow(watch->witness.context);
		return;
	}
	if (event->mask & IN_MOVED_FROM) {
		forget_move(watch);
		watch->cookie = event->cookie;
		watch->moved_tree = node.tree;
		watch->moved_from = TAKE(path);
		return;
	}
	if (event->mask & IN_MOVED_TO && watch->moved_from && watch->cookie == event->cookie &&
	    watch->moved_tree == node.tree) {
		if (is_directory && rename_nodes(watch, node.tree, watch->moved_from, path) < 0)
			watch->witness.overflow(watch->witness.context);
		watch->witness.moved(watch->witness.context, node.tree, watch->moved_from, path);
		forget_move(watch);
		return;
	}
	came(watch, &node, path, is_directory && event->mask & (IN_CREATE | IN_MOVED_TO));
}

static void take_event(struct tree_watch *watch, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW) {
		watch->witness.overflow(watch->witness.context);
		return;
	}
	if (event->wd < 0 || (size_t)event->wd >= watch->n_nodes || !watch->nodes[event->wd].top)
		return;
	/* The top itself stays known, so that its tree can be removed. */
	if (event->mask & IN_IGNORED) {
		if (watch->nodes[event->wd].path[0] != '\0')
			node_release(&watch->nodes[event->wd]);
		return;
	}
	if (event->mask & (IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO))
		tell_of(watch, event);
}

void tree_watch_read(struct tree_watch *watch)
{
	_Alignas(struct inotify_event) char buffer[BUFFER_SIZE];
	ssize_t n;

	while ((n = read(watch->fd, buffer, sizeof(buffer))) > 0) {
		const struct inotify_event *event;

		for (const char *at = buffer; at < buffer + n; at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)(const void *)
				at; /* as inotify(7) has it: aligned */
			take_event(watch, event);
		}
	}
	forget_move(watch);
}

int tree_watch_fd(const struct tree_watch *watch)
{
	return watch->fd;
}

int tree_watch_new(const struct tree_witness *witness, struct tree_watch **ret)
{
	struct tree_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return log_err(-ENOMEM, "no memory to watch directories");
	watch->witness = *witness;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0) {
		int r = log_err(-errno, "directories cannot be watched: ");

		free(watch);
		return r;
	}
	*ret = watch;
	return 0;
}

void tree_watch_free(struct tree_watch *watch)
{
	if (!watch)
		return;
	(void)close(watch->fd); /* ends all watches */
	for (size_t i = 0; i < watch->n_nodes; i++)
		if (watch->nodes[i].top)
			node_release(&watch->nodes[i]);
	free(watch->nodes);
	forget_move(watch);
	free(watch);
}
