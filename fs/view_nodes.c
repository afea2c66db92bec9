/* view_nodes.c - the table of view nodes. See view_nodes.h.
 *
 * Two chained hash tables over the same nodes, by id and by (parent, name), and a list in the order of their last look-up.
 * An id is a hash of the parent's id and the name, under a key made up anew for each mount, so that a listing can tell the
 * numbers of folders that nobody looked up; one that is taken by another node counts on. */
#include "view_nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "auto.h"
#include "log.h"
#include "vault.h"

#define FIRST_SLOTS 256u	       /* a power of two */
#define ID_MASK (VIEW_TOP_ID - 1) /* the part of an id that a hash makes */

struct node {
	uint64_t id;
	struct node *parent;	/* NULL: the top */
	struct view_step step;	/* name and tag are owned */
	uint64_t n_lookups;
	size_t n_children;	/* nodes that have it as parent */
	bool removed;		/* it is not found by its name any more */
	struct node *next_by_id, *next_by_name;
	struct node *older, *newer;
};

struct view_nodes {
	pthread_mutex_t lock; /* taken last; guards all but the key */
	uint64_t key[2];      /* never changes */
	struct node **by_id, **by_name;
	size_t n_slots, n;	  /* of each table; nodes */
	struct node *oldest, *newest; /* the top is not among them */
	struct node top;
};

/* ---- hashes ---- */

static uint64_t mix(uint64_t hash)
{
	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93ull;
	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93ull;
	return hash ^ hash >> 32;
}

static uint64_t hash_name(const struct view_nodes *nodes, uint64_t parent, const char *name)
{
	uint64_t hash = mix(parent ^ nodes->key[0]);

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x9e3779b97f4a7c15ull + nodes->key[1];
	return mix(hash);
}

static struct node **slot_by_id(const struct view_nodes *nodes, uint64_t id)
{
	return &nodes->by_id[mix(id) & (nodes->n_slots - 1)];
}

static struct node **slot_by_name(const struct view_nodes *nodes, uint64_t parent, const char *name)
{
	return &nodes->by_name[hash_name(nodes, parent, name) & (nodes->n_slots - 1)];
}

static struct node *find_id_locked(const struct view_nodes *nodes, uint64_t id)
{
	struct node *node = *slot_by_id(nodes, id);

	while (node && node->id != id)
		node = node->next_by_id;
	return node;
}

static struct node *find_name_locked(const struct view_nodes *nodes, uint64_t parent, const char *name)
{
	struct node *node = *slot_by_name(nodes, parent, name);

	while (node && (node->parent->id != parent || strcmp(node->step.name, name) != 0))
		node = node->next_by_name;
	return node;
}

static void enter_name_locked(struct view_nodes *nodes, struct node *node)
{
	struct node **slot = slot_by_name(nodes, node->parent->id, node->step.name);

	node->next_by_name = *slot;
	*slot = node;
}

static void leave_name_locked(struct view_nodes *nodes, struct node *node)
{
	struct node **at = slot_by_name(nodes, node->parent->id, node->step.name);

	while (*at != node)
		at = &(*at)->next_by_name;
	*at = node->next_by_name;
}

static void leave_id_locked(struct view_nodes *nodes, struct node *node)
{
	struct node **at = slot_by_id(nodes, node->id);

	while (*at != node)
		at = &(*at)->next_by_id;
	*at = node->next_by_id;
}

static void enter_id_locked(struct view_nodes *nodes, struct node *node)
{
	struct node **slot = slot_by_id(nodes, node->id);

	node->next_by_id = *slot;
	*slot = node;
}

/* Twice the slots. Without memory the chains grow instead. */
static void grow_locked(struct view_nodes *nodes)
{
	size_t n_slots = nodes->n_slots * 2;
	struct node **by_id = calloc(n_slots, sizeof(struct node *));
	struct node **by_name = calloc(n_slots, sizeof(struct node *));

	if (!by_id || !by_name) {
		free(by_id);
		free(by_name);
		return;
	}
	free(nodes->by_id);
	free(nodes->by_name);
	nodes->by_id = by_id;
	nodes->by_name = by_name;
	nodes->n_slots = n_slots;
	enter_id_locked(nodes, &nodes->top);
	for (struct node *node = nodes->oldest; node; node = node->newer) {
		enter_id_locked(nodes, node);
		if (!node->removed)
			enter_name_locked(nodes, node);
	}
}

/* ---- the order of look-ups ---- */

static void leave_order_locked(struct view_nodes *nodes, struct node *node)
{
	*(node->older ? &node->older->newer : &nodes->oldest) = node->newer;
	*(node->newer ? &node->newer->older : &nodes->newest) = node->older;
}

static void make_newest_locked(struct view_nodes *nodes, struct node *node)
{
	node->newer = NULL;
	node->older = nodes->newest;
	*(nodes->newest ? &nodes->newest->newer : &nodes->oldest) = node;
	nodes->newest = node;
}

/* ---- nodes ---- */

static void node_free(struct node *node)
{
	free((char *)node->step.name);
	free((char *)node->step.tag);
	free(node);
}

static void auto_node(struct node **node)
{
	if (*node)
		node_free(*node);
}

/* Make what the node is what `step` says; -ENOMEM and unchanged. */
static int node_set_step(struct node *node, const struct view_step *step)
{
	AUTO(free) char *name = strdup(step->name);
	AUTO(free) char *tag = step->tag ? strdup(step->tag) : NULL;

	if (!name || (step->tag && !tag))
		return log_err(-ENOMEM, "no memory for the view folder %s", step->name);
	free((char *)node->step.name);
	free((char *)node->step.tag);
	node->step = *step;
	node->step.name = TAKE(name);
	node->step.tag = TAKE(tag);
	return 0;
}

static uint64_t free_number_locked(const struct view_nodes *nodes, uint64_t parent, const char *name)
{
	uint64_t id = VIEW_TOP_ID | (hash_name(nodes, parent, name) & ID_MASK);

	while (id == VIEW_TOP_ID || find_id_locked(nodes, id))
		id = VIEW_TOP_ID | ((id + 1) & ID_MASK);
	return id;
}

static int make_node_locked(struct view_nodes *nodes, struct node *parent, const struct view_step *step, struct node **ret)
{
	AUTO(node) struct node *node = calloc(1, sizeof(*node));
	int r = node ? node_set_step(node, step) : log_err(-ENOMEM, "no memory for the view folder %s", step->name);

	if (r < 0)
		return r;
	node->parent = parent;
	node->id = free_number_locked(nodes, parent->id, step->name);
	parent->n_children++;
	nodes->n++;
	make_newest_locked(nodes, node);
	enter_id_locked(nodes, node);
	enter_name_locked(nodes, node);
	if (nodes->n > nodes->n_slots)
		grow_locked(nodes);
	*ret = TAKE(node);
	return 0;
}

/* Free it if nobody needs it any more, then those above for which that holds now. */
static void drop_unused_locked(struct view_nodes *nodes, struct node *node)
{
	while (node != &nodes->top && node->n_lookups == 0 && node->n_children == 0) {
		struct node *parent = node->parent;

		if (!node->removed)
			leave_name_locked(nodes, node);
		leave_id_locked(nodes, node);
		leave_order_locked(nodes, node);
		nodes->n--;
		node_free(node);
		parent->n_children--;
		node = parent;
	}
}

int view_nodes_new(const struct view_shape *top, struct view_nodes **ret)
{
	struct view_nodes *nodes = calloc(1, sizeof(*nodes));

	if (nodes) {
		nodes->by_id = calloc(FIRST_SLOTS, sizeof(struct node *));
		nodes->by_name = calloc(FIRST_SLOTS, sizeof(struct node *));
	}
	if (!nodes || !nodes->by_id || !nodes->by_name) {
		if (nodes) {
			free(nodes->by_id);
			free(nodes->by_name);
		}
		free(nodes);
		return log_err(-ENOMEM, "no memory for the view folders");
	}
	if (getrandom(nodes->key, sizeof(nodes->key), GRND_NONBLOCK) < 0)
		nodes->key[0] = (uintptr_t)nodes;	/* too early in a machine's life: any key will do */
	(void)pthread_mutex_init(&nodes->lock, NULL);	/* with default attributes it cannot fail */
	nodes->n_slots = FIRST_SLOTS;
	nodes->top.id = VIEW_TOP_ID;
	nodes->top.step = (struct view_step){ .shape = top, .name = "" };
	enter_id_locked(nodes, &nodes->top);
	*ret = nodes;
	return 0;
}

void view_nodes_free(struct view_nodes *nodes)
{
	if (!nodes)
		return;
	while (nodes->oldest) {
		struct node *next = nodes->oldest->newer;

		node_free(nodes->oldest);
		nodes->oldest = next;
	}
	(void)pthread_mutex_destroy(&nodes->lock);
	free(nodes->by_id);
	free(nodes->by_name);
	free(nodes);
}

uint64_t view_nodes_number(struct view_nodes *nodes, uint64_t parent, const char *name)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&nodes->lock);
	const struct node *node = find_name_locked(nodes, parent, name);

	(void)held;
	return node ? node->id : free_number_locked(nodes, parent, name);
}

int view_nodes_look_up(struct view_nodes *nodes, uint64_t parent, const struct view_step *step, uint64_t *ret_id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&nodes->lock);
	struct node *above = find_id_locked(nodes, parent);
	struct node *node;
	int r;

	(void)held;
	if (!above)
		return -ESTALE;
	node = find_name_locked(nodes, parent, step->name);
	if (node) {
		leave_order_locked(nodes, node);
		make_newest_locked(nodes, node);
		r = node_set_step(node, step);
	} else {
		r = make_node_locked(nodes, above, step, &node);
	}
	if (r < 0)
		return r;
	node->n_lookups++;
	*ret_id = node->id;
	return 0;
}

void view_nodes_forget(struct view_nodes *nodes, uint64_t id, uint64_t n)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&nodes->lock);
	struct node *node = find_id_locked(nodes, id);

	(void)held;
	if (!node || node == &nodes->top)
		return;
	node->n_lookups -= n < node->n_lookups ? n : node->n_lookups;
	drop_unused_locked(nodes, node);
}

static char *put_string(char **at, const char *string)
{
	size_t size = string ? strlen(string) + 1 : 0;
	char *copy = *at;

	if (!string)
		return NULL;
	memcpy(copy, string, size);
	*at += size;
	return copy;
}

int view_nodes_path(struct view_nodes *nodes, uint64_t id, struct view_path **ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&nodes->lock);
	const struct node *node = find_id_locked(nodes, id);
	size_t n = 0, size = 0;
	struct view_path *path;
	char *at;

	(void)held;
	if (!node)
		return -ESTALE;
	for (const struct node *step = node; step; step = step->parent, n++)
		size += strlen(step->step.name) + 1 + (step->step.tag ? strlen(step->step.tag) + 1 : 0);
	path = malloc(sizeof(*path) + n * sizeof(path->steps[0]) + size);
	if (!path)
		return log_err(-ENOMEM, "no memory for the path of the view folder %s", node->step.name);
	path->id = id;
	path->n = n;
	at = (char *)&path->steps[n];
	for (; node; node = node->parent) {
		struct view_step *step = &path->steps[--n];

		*step = node->step;
		step->name = put_string(&at, node->step.name);
		step->tag = put_string(&at, node->step.tag);
	}
	*ret = path;
	return 0;
}

void view_path_free(struct view_path *path)
{
	free(path);
}

static void remove_name_locked(struct view_nodes *nodes, uint64_t parent, const char *name)
{
	struct node *node = find_name_locked(nodes, parent, name);

	if (!node)
		return;
	leave_name_locked(nodes, node);
	node->removed = true;
}

void view_nodes_remove(struct view_nodes *nodes, uint64_t parent, const char *name)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&nodes->lock);

	(void)held;
	remove_name_locked(nodes, parent, name);
}

void view_nodes_rename(struct view_nodes *nodes, uint64_t parent, const char *name, uint64_t new_parent,
		       const struct view_step *step)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&nodes->lock);
	struct node *node = find_name_locked(nodes, parent, name);
	struct node *above = find_id_locked(nodes, new_parent);
	struct node *old_above;

	(void)held;
	if (!node || !above)
		return;
	if (node != find_name_locked(nodes, new_parent, step->name))
		remove_name_locked(nodes, new_parent, step->name);
	leave_name_locked(nodes, node);
	if (node_set_step(node, step) < 0) {	/* the kernel will not find it again, and look it up anew */
		node->removed = true;
		return;
	}
	old_above = node->parent;
	node->parent = above;
	above->n_children++;
	old_above->n_children--;
	enter_name_locked(nodes, node);
	drop_unused_locked(nodes, old_above);
}

uint64_t view_nodes_parent(struct view_nodes *nodes, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&nodes->lock);
	const struct node *node = find_id_locked(nodes, id);

	(void)held;
	return node && node->parent ? node->parent->id : 0;
}

size_t view_nodes_count(struct view_nodes *nodes)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&nodes->lock);

	(void)held;
	return nodes->n;
}

bool view_nodes_oldest(struct view_nodes *nodes, uint64_t *ret_parent, char *ret_name)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&nodes->lock);
	struct node *node = nodes->oldest;

	(void)held;
	while (node && (node->n_children > 0 || node->removed))
		node = node->newer;
	if (!node)
		return false;
	leave_order_locked(nodes, node);
	make_newest_locked(nodes, node);
	*ret_parent = node->parent->id;
	(void)memccpy(ret_name, node->step.name, '\0', VAULT_NAME_MAX + 1);	/* a component: it fits */
	return true;
}
