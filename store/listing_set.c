/* listing_set.c - files and the names they are shown under. See listing_set.h.
 *
 * Files of one name are linked, the lowest inode first, and only that one is found by name. A name that reads like another
 * member's other name is that member's: the file whose own name it is is shown under its other one, too. */
#include "listing_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "auto.h"
#include "listing_names.h"
#include "log.h"

#define BUCKETS_MIN 16u
#define TEXT_MIN 512u

/* Names, NUL-terminated, one behind the other. Bytes in [0, size) never change while somebody refers to it. */
struct listing_text {
	_Atomic unsigned n_refs;
	_Atomic size_t *used;
	uint32_t size, room;
	char bytes[];
};

struct snapshot_entry {
	uint64_t id;
	uint32_t name;
	bool other; /* shown under its other name */
};

struct vault_snapshot {
	_Atomic unsigned n_refs;
	_Atomic size_t *used;
	struct listing_text *text;
	size_t n;
	struct snapshot_entry entries[];
};

static int no_memory(void)
{
	return log_err(-ENOMEM, "no memory for a list of files");
}

static void count(_Atomic size_t *used, size_t before, size_t after)
{
	atomic_fetch_add_explicit(used, after - before, memory_order_relaxed); /* a sum, orders nothing */
}

/* ---- text ---- */

static size_t text_bytes(size_t room)
{
	return sizeof(struct listing_text) + room;
}

static struct listing_text *text_new(_Atomic size_t *used, uint32_t room)
{
	struct listing_text *text = malloc(text_bytes(room));

	if (!text)
		return NULL;
	*text = (struct listing_text){ .n_refs = 1, .used = used, .room = room };
	count(used, 0, text_bytes(room));
	return text;
}

static struct listing_text *text_ref(struct listing_text *text)
{
	if (text)
		atomic_fetch_add_explicit(&text->n_refs, 1, memory_order_relaxed); /* one is held already */
	return text;
}

/* The last one out must see all that the others did. */
static bool was_last(_Atomic unsigned *n_refs)
{
	return atomic_fetch_sub_explicit(n_refs, 1, memory_order_acq_rel) == 1;
}

static void text_unref(struct listing_text *text)
{
	if (!text || !was_last(&text->n_refs))
		return;
	count(text->used, text_bytes(text->room), 0);
	free(text);
}

static const char *name_at(const struct listing_set *set, uint32_t place)
{
	return set->text->bytes + set->items[place].name;
}

/* A text of `room` bytes with the names of the items only. Nobody else's changes: snapshots keep the old one. */
static int text_move(struct listing_set *set, size_t room)
{
	struct listing_text *text = text_new(set->used, (uint32_t)room);

	if (!text)
		return no_memory();
	for (uint32_t place = 0; place < set->n_places; place++) {
		struct listing_item *item = &set->items[place];
		size_t size;

		if (item->id == 0)
			continue;
		size = strlen(name_at(set, place)) + 1;
		memcpy(text->bytes + text->size, name_at(set, place), size);
		item->name = text->size;
		text->size += (uint32_t)size;
	}
	text_unref(set->text);
	set->text = text;
	return 0;
}

/* ---- hash tables ---- */

static uint32_t hash_id(const struct listing_set *set, uint64_t id)
{
	return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (set->n_buckets - 1);
}

static uint32_t hash_name(const struct listing_set *set, const char *name)
{
	return (uint32_t)XXH3_64bits(name, strlen(name)) & (set->n_buckets - 1);
}

/* Where the item `id` stands in by_id, or the empty place where it would. */
static uint32_t *bucket_of_id(const struct listing_set *set, uint64_t id)
{
	uint32_t at = hash_id(set, id);

	while (set->by_id[at] != 0 && set->items[set->by_id[at] - 1].id != id)
		at = (at + 1) & (set->n_buckets - 1);
	return &set->by_id[at];
}

static uint32_t *bucket_of_name(const struct listing_set *set, const char *name)
{
	uint32_t at = hash_name(set, name);

	while (set->by_name[at] != 0 && strcmp(name_at(set, set->by_name[at] - 1), name) != 0)
		at = (at + 1) & (set->n_buckets - 1);
	return &set->by_name[at];
}

static uint32_t home_of(const struct listing_set *set, const uint32_t *table, uint32_t at)
{
	const uint32_t place = table[at] - 1;

	return table == set->by_id ? hash_id(set, set->items[place].id) : hash_name(set, name_at(set, place));
}

/* Empty a bucket; those behind that were pushed past it move up, so that nothing stops before them. */
static void bucket_clear(struct listing_set *set, uint32_t *table, uint32_t *bucket)
{
	const uint32_t mask = set->n_buckets - 1;
	uint32_t hole = (uint32_t)(bucket - table);

	for (uint32_t at = (hole + 1) & mask; table[at] != 0; at = (at + 1) & mask)
		if (((at - home_of(set, table, at)) & mask) >= ((at - hole) & mask)) {
			table[hole] = table[at];
			hole = at;
		}
	table[hole] = 0;
}

/* Into the list of its name, whose lowest id comes first. */
static void link_name(struct listing_set *set, uint32_t place)
{
	struct listing_item *item = &set->items[place];
	uint32_t *bucket = bucket_of_name(set, name_at(set, place));
	struct listing_item *first = *bucket != 0 ? &set->items[*bucket - 1] : NULL;

	if (first && first->id < item->id) {
		item->next = first->next;
		first->next = place + 1;
		return;
	}
	item->next = *bucket;
	*bucket = place + 1;
}

/* Make the lowest of the others of a list its first. */
static void promote(struct listing_set *set, uint32_t *bucket, uint32_t list)
{
	struct listing_item *items = set->items;
	uint32_t *lowest = &list;

	for (uint32_t *at = &list; *at != 0; at = &items[*at - 1].next)
		if (items[*at - 1].id < items[*lowest - 1].id)
			lowest = at;
	*bucket = *lowest;
	if (lowest != &list) {
		*lowest = items[*bucket - 1].next;
		items[*bucket - 1].next = list;
	}
}

static void unlink_name(struct listing_set *set, uint32_t place)
{
	struct listing_item *item = &set->items[place];
	uint32_t *bucket = bucket_of_name(set, name_at(set, place));
	uint32_t *at = bucket;

	if (*bucket == place + 1 && item->next == 0) {
		bucket_clear(set, set->by_name, bucket);
	} else if (*bucket == place + 1) {
		promote(set, bucket, item->next);
	} else {
		while (*at != place + 1)
			at = &set->items[*at - 1].next;
		*at = item->next;
	}
	item->next = 0;
}

/* ---- room ---- */

void listing_set_init(struct listing_set *set, _Atomic size_t *used)
{
	*set = (struct listing_set){ .used = used };
}

static size_t own_bytes(size_t room, size_t n_buckets)
{
	return room * sizeof(struct listing_item) + 2 * n_buckets * sizeof(uint32_t);
}

size_t listing_set_snapshot_bytes(const struct listing_set *set)
{
	return set->n * sizeof(struct snapshot_entry);
}

size_t listing_set_bytes(const struct listing_set *set)
{
	return own_bytes(set->room, set->n_buckets) + (set->text ? text_bytes(set->text->room) : 0) +
	       listing_set_snapshot_bytes(set);
}

void listing_set_release(struct listing_set *set)
{
	_Atomic size_t *used = set->used;

	count(used, own_bytes(set->room, set->n_buckets), 0);
	text_unref(set->text);
	free(set->items);
	free(set->by_id);
	free(set->by_name);
	listing_set_init(set, used);
}

static int resize_items(struct listing_set *set, uint32_t room)
{
	struct listing_item *items = reallocarray(set->items, room, sizeof(*items));

	if (!items)
		return no_memory();
	count(set->used, own_bytes(set->room, 0), own_bytes(room, 0));
	set->items = items;
	set->room = room;
	return 0;
}

static int resize_tables(struct listing_set *set, uint32_t n_buckets)
{
	AUTO(free) uint32_t *by_id = calloc(n_buckets, sizeof(*by_id));
	AUTO(free) uint32_t *by_name = calloc(n_buckets, sizeof(*by_name));

	if (!by_id || !by_name)
		return no_memory();
	count(set->used, own_bytes(0, set->n_buckets), own_bytes(0, n_buckets));
	free(set->by_id);
	free(set->by_name);
	set->by_id = TAKE(by_id);
	set->by_name = TAKE(by_name);
	set->n_buckets = n_buckets;
	for (uint32_t place = 0; place < set->n_places; place++)
		if (set->items[place].id != 0) {
			*bucket_of_id(set, set->items[place].id) = place + 1;
			link_name(set, place);
		}
	return 0;
}

static bool fits(size_t room, size_t n_buckets, size_t text_room)
{
	return own_bytes(room, n_buckets) + text_bytes(text_room) + room * sizeof(struct snapshot_entry) <=
	       VAULT_LISTINGS_MAX;
}

/* Room for one item more with a name of `size` bytes. */
static int make_room(struct listing_set *set, size_t size)
{
	const uint32_t text_size = set->text ? set->text->size : 0,
		       text_room = set->text ? set->text->room : 0;
	const size_t new_room =
		set->first_free || set->n_places < set->room ? set->room : set->room + set->room / 2 + 8;
	const size_t new_buckets = 3 * (set->n + 1) <= 2 * set->n_buckets ? set->n_buckets
				   : set->n_buckets                       ? 2 * set->n_buckets
									  : BUCKETS_MIN;
	const bool text_full = size > text_room - text_size; /* perhaps of names that are gone */
	const size_t new_text = text_full ? (set->live_text + size) * 3 / 2 + TEXT_MIN : text_room;
	int r = 0;

	if (!fits(new_room, new_buckets, new_text))
		return -EOVERFLOW;
	if (new_room != set->room)
		r = resize_items(set, (uint32_t)new_room);
	if (r == 0 && new_buckets != set->n_buckets)
		r = resize_tables(set, (uint32_t)new_buckets);
	if (r == 0 && text_full)
		r = text_move(set, new_text);
	return r;
}

void listing_set_trim(struct listing_set *set)
{
	/* That there is too much room is no harm. */
	if (set->n_places > 0 && set->n_places < set->room)
		(void)resize_items(set, set->n_places);
	if (set->text && set->live_text + set->live_text / 8 < set->text->room)
		(void)text_move(set, set->live_text);
}

/* ---- members ---- */

static uint32_t add_name(struct listing_set *set, const char *name, size_t size)
{
	const uint32_t at = set->text->size;

	memcpy(set->text->bytes + at, name, size);
	set->text->size += (uint32_t)size;
	set->live_text += size;
	return at;
}

static int insert(struct listing_set *set, uint64_t id, const char *name, size_t size)
{
	int r = make_room(set, size);
	uint32_t place;

	if (r < 0)
		return r;
	if (set->first_free != 0) {
		place = set->first_free - 1;
		set->first_free = set->items[place].next;
	} else {
		place = set->n_places++;
	}
	set->items[place] = (struct listing_item){ .id = id, .name = add_name(set, name, size) };
	*bucket_of_id(set, id) = place + 1;
	link_name(set, place);
	set->n++;
	return 1;
}

static uint32_t place_of(const struct listing_set *set, uint64_t id)
{
	return set->n_buckets > 0 && id != 0 ? *bucket_of_id(set, id) : 0;
}

int listing_set_put(struct listing_set *set, uint64_t id, const char *name)
{
	const uint32_t place = place_of(set, id);

	if (place != 0 && strcmp(name_at(set, place - 1), name) == 0)
		return 0;
	if (place != 0)
		(void)listing_set_remove(set, id);
	return insert(set, id, name, strlen(name) + 1);
}

int listing_set_remove(struct listing_set *set, uint64_t id)
{
	const uint32_t place = place_of(set, id);
	struct listing_item *item;

	if (place == 0)
		return 0;
	item = &set->items[place - 1];
	unlink_name(set, place - 1);
	bucket_clear(set, set->by_id, bucket_of_id(set, id));
	set->live_text -= strlen(name_at(set, place - 1)) + 1;
	*item = (struct listing_item){ .next = set->first_free };
	set->first_free = place;
	set->n--;
	return 1;
}

bool listing_set_has(const struct listing_set *set, uint64_t id)
{
	return place_of(set, id) != 0;
}

/* ---- names ---- */

/* The member whose other name this is, or 0. */
static uint64_t member_with_other_name(const struct listing_set *set, const char *name)
{
	const uint64_t id = listing_named_id(name, strlen(name));
	const uint32_t place = place_of(set, id);
	char other[VAULT_NAME_MAX + 1];

	if (place == 0)
		return 0;
	vault_listing_other_name(name_at(set, place - 1), id, other);
	return strcmp(other, name) == 0 ? id : 0;
}

int listing_set_find(const struct listing_set *set, const char *name, uint64_t *ret_id)
{
	const uint64_t id = member_with_other_name(set, name);
	const uint32_t place = id == 0 && set->n_buckets > 0 ? *bucket_of_name(set, name) : 0;

	if (id == 0 && place == 0)
		return -ENOENT;
	*ret_id = id != 0 ? id : set->items[place - 1].id;
	return 0;
}

int listing_set_name(const struct listing_set *set, uint64_t id, char ret_name[VAULT_NAME_MAX + 1])
{
	const uint32_t place = place_of(set, id);
	const char *name;

	if (place == 0)
		return -ENOENT;
	name = name_at(set, place - 1);
	if (*bucket_of_name(set, name) == place && member_with_other_name(set, name) == 0)
		(void)stpcpy(ret_name, name);
	else
		vault_listing_other_name(name, id, ret_name);
	return 0;
}

/* ---- snapshots ---- */

/* As people count: "part 2" before "part 10". */
static int compare(const void *a, const void *b, void *text)
{
	const struct snapshot_entry *one = a, *two = b;
	const char *bytes = ((const struct listing_text *)text)->bytes;
	const int r = strverscmp(bytes + one->name, bytes + two->name);

	return r != 0 ? r : one->id < two->id ? -1 : one->id > two->id;
}

int listing_set_snapshot(const struct listing_set *set, bool ranked, struct vault_snapshot **ret)
{
	struct vault_snapshot *snapshot = malloc(sizeof(*snapshot) + set->n * sizeof(snapshot->entries[0]));

	if (!snapshot)
		return no_memory();
	*snapshot = (struct vault_snapshot){ .n_refs = 1, .used = set->used, .text = text_ref(set->text) };
	for (uint32_t place = 0; place < set->n_places; place++) {
		const struct listing_item *item = &set->items[place];
		const char *name;

		if (item->id == 0)
			continue;
		name = name_at(set, place);
		snapshot->entries[snapshot->n++] = (struct snapshot_entry){
			.id = item->id,
			.name = item->name,
			.other = *bucket_of_name(set, name) != place + 1 ||
				 member_with_other_name(set, name) != 0,
		};
	}
	if (!ranked && snapshot->n > 0)
		qsort_r(snapshot->entries, snapshot->n, sizeof(snapshot->entries[0]), compare,
			snapshot->text);
	count(set->used, 0, snapshot->n * sizeof(snapshot->entries[0]));
	*ret = snapshot;
	return 0;
}

size_t vault_snapshot_size(const struct vault_snapshot *snapshot)
{
	return snapshot->n;
}

uint64_t vault_snapshot_get(const struct vault_snapshot *snapshot, size_t index,
			    char ret_name[VAULT_NAME_MAX + 1])
{
	const struct snapshot_entry *entry = &snapshot->entries[index];
	const char *name = snapshot->text->bytes + entry->name;

	if (ret_name && entry->other)
		vault_listing_other_name(name, entry->id, ret_name);
	else if (ret_name)
		(void)stpcpy(ret_name, name);
	return entry->id;
}

struct vault_snapshot *vault_snapshot_ref(struct vault_snapshot *snapshot)
{
	atomic_fetch_add_explicit(&snapshot->n_refs, 1, memory_order_relaxed); /* one is held already */
	return snapshot;
}

void vault_snapshot_unref(struct vault_snapshot *snapshot)
{
	if (!snapshot || !was_last(&snapshot->n_refs))
		return;
	count(snapshot->used, snapshot->n * sizeof(snapshot->entries[0]), 0);
	text_unref(snapshot->text);
	free(snapshot);
}
