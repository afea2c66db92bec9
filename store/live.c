/* live.c - the table of inodes in memory, and the attributes that memory knows better than their row. See live.h. */
#include "live.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "inodes.h"
#include "jobs.h"
#include "live_internal.h"

#define N_BUCKETS_FIRST 256u

/* ---- the table; its lock is held ---- */

static struct live_inode **bucket_of(struct live_table *table, uint64_t id)
{
	return &table->buckets[(id * 0x9e3779b97f4a7c15u) >> 32 & (table->n_buckets - 1)];
}

static struct live_inode *find(struct live_table *table, uint64_t id)
{
	struct live_inode *inode = *bucket_of(table, id);

	while (inode && inode->id != id)
		inode = inode->next;
	return inode;
}

/* Twice the buckets; staying small is no error. */
static void grow(struct live_table *table)
{
	struct live_inode **old = table->buckets;
	size_t n_old = table->n_buckets;
	struct live_inode **buckets = calloc(2 * n_old, sizeof(*buckets));

	if (!buckets)
		return;
	table->buckets = buckets;
	table->n_buckets = 2 * n_old;
	for (size_t i = 0; i < n_old; i++) {
		while (old[i]) {
			struct live_inode *inode = old[i];
			struct live_inode **bucket = bucket_of(table, inode->id);

			old[i] = inode->next;
			inode->next = *bucket;
			*bucket = inode;
		}
	}
	free(old);
}

static void insert(struct live_table *table, struct live_inode *inode)
{
	struct live_inode **bucket;

	if (table->n_entries >= table->n_buckets)
		grow(table);
	bucket = bucket_of(table, inode->id);
	inode->next = *bucket;
	*bucket = inode;
	table->n_entries++;
}

static void remove_entry(struct live_table *table, struct live_inode *inode)
{
	struct live_inode **link = bucket_of(table, inode->id);

	while (*link != inode)
		link = &(*link)->next;
	*link = inode->next;
	table->n_entries--;
}

static void set_dirty(struct live_table *table, struct live_inode *inode)
{
	if (inode->dirty_link)
		return;
	inode->next_dirty = table->dirty;
	inode->dirty_link = &table->dirty;
	if (table->dirty)
		table->dirty->dirty_link = &inode->next_dirty;
	table->dirty = inode;
	table->n_dirty++;
}

static void set_clean(struct live_table *table, struct live_inode *inode)
{
	if (!inode->dirty_link)
		return;
	table->n_dirty--;
	*inode->dirty_link = inode->next_dirty;
	if (inode->next_dirty)
		inode->next_dirty->dirty_link = inode->dirty_link;
	inode->dirty_link = NULL;
}

static bool has_dirty_attributes(const struct live_inode *inode)
{
	return inode->dirty_size || inode->dirty_times;
}

static void free_inode(struct live_inode *inode)
{
	(void)pthread_mutex_destroy(&inode->lock);
	operations_free(inode);
	buffer_free(inode);
	free(inode->window);
	free(inode);
}

/* Nothing needs it: off the table; the caller frees it without the lock. */
static bool take_if_unneeded(struct live_table *table, struct live_inode *inode)
{
	if (inode->n_refs > 0 || inode->unmapped > 0 || has_dirty_attributes(inode))
		return false;
	set_clean(table, inode);
	remove_entry(table, inode);
	return true;
}

static struct access *access_of(struct live_table *table, uint64_t id)
{
	return &table->accesses[(id * 0x9e3779b97f4a7c15u) >> 32 & (ACCESSES_MAX - 1)];
}

static void access_forget(struct live_table *table, uint64_t id)
{
	struct access *access = access_of(table, id);

	if (access->id == id)
		access->id = 0;
}

/* As relatime: only when it says something new, or is a day old. */
static void access_note(struct live_table *table, uint64_t id, int64_t atime_ns, int64_t mtime_ns, int64_t ctime_ns)
{
	static const int64_t day_ns = 86400ll * 1000000000;
	struct access *access = access_of(table, id);
	int64_t now = clock_now_ns(), age;

	if (access->id == id)
		atime_ns = access->atime_ns;
	if (__builtin_sub_overflow(now, atime_ns, &age))
		age = atime_ns < 0 ? INT64_MAX : INT64_MIN;
	if (atime_ns <= mtime_ns || atime_ns <= ctime_ns || age > day_ns)
		*access = (struct access){ .id = id, .atime_ns = now };
}

/* ---- entries ---- */

int live_table_new(struct vault *vault, struct live_table **ret)
{
	struct live_table *table = calloc(1, sizeof(*table));

	if (table) {
		table->vault = vault;
		table->n_buckets = N_BUCKETS_FIRST;
		table->rechunk_idle_ns = RECHUNK_IDLE_NS;
		table->buckets = calloc(table->n_buckets, sizeof(*table->buckets));
	}
	if (!table || !table->buckets || codec_context_new(&table->inline_codec) < 0) {
		if (table)
			free(table->buckets);
		free(table);
		return log_err(-ENOMEM, "%s: no memory to open it", vault->path);
	}
	(void)pthread_mutex_init(&table->lock, NULL);	/* fails only with attributes, as the next */
	(void)pthread_mutex_init(&table->wait_lock, NULL);
	(void)pthread_mutex_init(&table->inline_lock, NULL);
	(void)pthread_cond_init(&table->applied, NULL);
	*ret = table;
	return 0;
}

void live_table_free(struct live_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_buckets; i++) {
		while (table->buckets[i]) {
			struct live_inode *inode = table->buckets[i];

			table->buckets[i] = inode->next;
			free_inode(inode);
		}
	}
	codec_context_free(table->inline_codec);
	(void)pthread_mutex_destroy(&table->lock);
	(void)pthread_mutex_destroy(&table->wait_lock);
	(void)pthread_mutex_destroy(&table->inline_lock);
	(void)pthread_cond_destroy(&table->applied);
	free(table->buckets);
	free(table);
}

static struct live_inode *new_inode(struct vault *vault, const struct inode *row)
{
	struct live_inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	inode->vault = vault;
	inode->id = row->attr.id;
	inode->n_refs = 1;
	inode->size = row->attr.size;
	inode->atime_ns = row->attr.atime_ns;
	inode->mtime_ns = row->attr.mtime_ns;
	inode->ctime_ns = row->attr.ctime_ns;
	inode->manifest_id = row->manifest_id;
	inode->operations_end = &inode->operations;
	(void)pthread_mutex_init(&inode->lock, NULL);	/* fails only with attributes */
	return inode;
}

int live_get(struct vault *vault, uint64_t id, struct live_inode **ret)
{
	struct live_table *table = vault->live;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct inode row;
	int r;

	(void)pthread_mutex_lock(&table->lock);
	*ret = find(table, id);
	if (*ret)
		(*ret)->n_refs++;
	(void)pthread_mutex_unlock(&table->lock);
	if (*ret)
		return 0;

	r = inode_get_locked(vault, id, &row);
	if (r < 0)
		return r;
	if (!S_ISREG(row.attr.mode))
		return S_ISDIR(row.attr.mode) ? -EISDIR : -EINVAL;
	*ret = new_inode(vault, &row);
	if (!*ret)
		return log_err(-ENOMEM, "%s: no memory to open a file", vault->path);
	(void)pthread_mutex_lock(&table->lock);	/* entries are made under the metadata lock: nobody was faster */
	insert(table, *ret);
	(void)pthread_mutex_unlock(&table->lock);
	return 0;
}

struct live_inode *live_ref(struct live_inode *inode)
{
	struct live_table *table = inode->vault->live;

	(void)pthread_mutex_lock(&table->lock);
	inode->n_refs++;
	(void)pthread_mutex_unlock(&table->lock);
	return inode;
}

void live_unref(struct live_inode *inode)
{
	struct live_table *table = inode->vault->live;
	bool unneeded;

	(void)pthread_mutex_lock(&table->lock);
	inode->n_refs--;
	unneeded = take_if_unneeded(table, inode);
	(void)pthread_mutex_unlock(&table->lock);
	if (unneeded)
		free_inode(inode);
}

bool live_is_busy(struct vault *vault, uint64_t id)
{
	struct live_table *table = vault->live;
	struct live_inode *inode;
	bool busy;

	(void)pthread_mutex_lock(&table->lock);
	inode = find(table, id);
	busy = inode && inode->n_refs > 0;
	(void)pthread_mutex_unlock(&table->lock);
	return busy;
}

void live_forget(struct vault *vault, uint64_t id)
{
	struct live_table *table = vault->live;
	struct live_inode *inode;

	(void)pthread_mutex_lock(&table->lock);
	access_forget(table, id);
	inode = find(table, id);
	if (inode) {
		inode->dirty_size = inode->dirty_times = false;
		if (!take_if_unneeded(table, inode))
			inode = NULL;
	}
	(void)pthread_mutex_unlock(&table->lock);
	if (inode)
		free_inode(inode);
}

/* ---- attributes ---- */

void live_overlay(struct vault *vault, struct vault_attr *attr)
{
	struct live_table *table = vault->live;
	struct live_inode *inode;

	if (table) {
		const struct access *access = access_of(table, attr->id);

		(void)pthread_mutex_lock(&table->lock);
		if (access->id == attr->id)
			attr->atime_ns = access->atime_ns;
		inode = S_ISREG(attr->mode) ? find(table, attr->id) : NULL;
		if (inode) {
			if (inode->dirty_size)
				attr->size = inode->size;
			if (inode->dirty_times) {
				attr->mtime_ns = inode->mtime_ns;
				attr->ctime_ns = inode->ctime_ns;
			}
			inode->n_overlaid = inode->n_changes;
			attr->mapped += inode->unmapped;
		}
		(void)pthread_mutex_unlock(&table->lock);
	}
	if (S_ISREG(attr->mode) && attr->mapped > attr->size)
		attr->mapped = attr->size;
}

void live_written(struct vault *vault, const struct vault_attr *attr)
{
	struct live_table *table = vault->live;
	struct live_inode *inode;

	if (!table)
		return;
	(void)pthread_mutex_lock(&table->lock);
	access_forget(table, attr->id);
	inode = S_ISREG(attr->mode) ? find(table, attr->id) : NULL;
	if (inode) {
		/* A write may have come since the attributes were read: then its size and times stand, and are still dirty. */
		if (inode->size == attr->size)
			inode->dirty_size = false;
		inode->atime_ns = attr->atime_ns;
		if (inode->n_overlaid == inode->n_changes) {
			inode->mtime_ns = attr->mtime_ns;
			inode->ctime_ns = attr->ctime_ns;
			inode->dirty_times = false;
		} else if (inode->ctime_ns < attr->ctime_ns) {
			inode->ctime_ns = attr->ctime_ns;
		}
		if (!take_if_unneeded(table, inode))
			inode = NULL;
	}
	(void)pthread_mutex_unlock(&table->lock);
	if (inode)
		free_inode(inode);
}

uint64_t live_size(struct live_inode *inode)
{
	struct live_table *table = inode->vault->live;
	uint64_t size;

	(void)pthread_mutex_lock(&table->lock);
	size = inode->size;
	(void)pthread_mutex_unlock(&table->lock);
	return size;
}

bool live_is_open(struct live_inode *inode)
{
	struct live_table *table = inode->vault->live;
	bool open;

	(void)pthread_mutex_lock(&table->lock);
	open = inode->n_handles > 0;
	(void)pthread_mutex_unlock(&table->lock);
	return open;
}

void live_changed(struct live_inode *inode, uint64_t size, bool exactly)
{
	struct live_table *table = inode->vault->live;
	int64_t now;

	(void)pthread_mutex_lock(&table->lock);
	now = clock_now_ns();	/* here, so that times never go back */
	if (exactly ? size != inode->size : size > inode->size) {
		inode->size = size;
		inode->dirty_size = true;
	}
	inode->mtime_ns = now;
	inode->ctime_ns = now;
	inode->dirty_times = true;
	inode->n_changes++;
	/* A small file may still hold on to a large chunk, where it was cut off. */
	inode->written |= inode->size >= RECHUNK_LEAST || (exactly && inode->size > 0);
	set_dirty(table, inode);
	(void)pthread_mutex_unlock(&table->lock);
}

void live_was_read(struct vault *vault, const struct vault_attr *attr)
{
	struct live_table *table = vault->live;

	if (!table || vault->read_only)
		return;
	(void)pthread_mutex_lock(&table->lock);
	access_note(table, attr->id, attr->atime_ns, attr->mtime_ns, attr->ctime_ns);
	(void)pthread_mutex_unlock(&table->lock);
}

void vault_file_was_read(struct vault_file *file)
{
	struct live_inode *inode = file_inode(file);
	struct live_table *table = inode->vault->live;

	if (inode->vault->read_only)
		return;
	(void)pthread_mutex_lock(&table->lock);
	access_note(table, inode->id, inode->atime_ns, inode->mtime_ns, inode->ctime_ns);
	(void)pthread_mutex_unlock(&table->lock);
}

void live_add_unmapped(struct live_inode *inode, int64_t delta)
{
	struct live_table *table = inode->vault->live;

	(void)pthread_mutex_lock(&table->lock);
	inode->unmapped += (uint64_t)delta;
	if (delta > 0)
		set_dirty(table, inode);	/* the next commit drains it, also when no change did this: a handle's end */
	(void)pthread_mutex_unlock(&table->lock);
}

void live_set_dirty(struct live_inode *inode)
{
	struct live_table *table = inode->vault->live;

	(void)pthread_mutex_lock(&table->lock);
	set_dirty(table, inode);
	(void)pthread_mutex_unlock(&table->lock);
}

size_t live_take_dirty(struct live_table *table, struct live_inode **ret, size_t n)
{
	size_t taken = 0;

	(void)pthread_mutex_lock(&table->lock);
	while (taken < n && table->dirty) {
		struct live_inode *inode = table->dirty;

		set_clean(table, inode);
		if (inode->written)
			candidate_note_locked(table, inode->id);
		inode->written = false;
		inode->n_refs++;
		ret[taken++] = inode;
	}
	(void)pthread_mutex_unlock(&table->lock);
	return taken;
}

size_t live_n_dirty(struct live_table *table)
{
	size_t n;

	(void)pthread_mutex_lock(&table->lock);
	n = table->n_dirty;
	(void)pthread_mutex_unlock(&table->lock);
	return n;
}

/* The metadata lock is held, so no operation's mapped bytes move while the row is read and written. */
static int write_back_locked(struct vault *vault, struct live_inode *inode)
{
	struct live_table *table = vault->live;
	struct inode row;
	bool dirty, open;
	int r;

	(void)pthread_mutex_lock(&table->lock);
	dirty = has_dirty_attributes(inode);
	open = inode->n_handles > 0;
	(void)pthread_mutex_unlock(&table->lock);
	if (!dirty)
		return 0;
	r = inode_get_locked(vault, inode->id, &row);
	if (r == 0)
		r = inode_put_locked(vault, &row.attr);
	return r == 0 && open ? jobs_note_open_locked(vault, inode->id) : r;
}

/* One inode of live_flush_locked(). One that still has bytes to drain stays on the list: its last handle was closed
 * behind the gate, and the next commit has to wait for what that handed out. */
static int flush_one_locked(struct vault *vault, struct live_inode *inode)
{
	struct live_table *table = vault->live;
	int r = write_back_locked(vault, inode);

	if (r == -ENOENT)
		r = 0;	/* purged meanwhile */
	(void)pthread_mutex_lock(&table->lock);
	if (r < 0 || inode->unmapped > 0)
		set_dirty(table, inode);
	(void)pthread_mutex_unlock(&table->lock);
	return r;
}

int live_flush_locked(struct vault *vault)
{
	size_t n = live_n_dirty(vault->live);
	AUTO(free) struct live_inode **all = n > 0 ? calloc(n, sizeof(struct live_inode *)) : NULL;
	int r = 0;

	if (n > 0 && !all)
		return log_err(-ENOMEM, "%s: no memory to commit", vault->path);
	n = live_take_dirty(vault->live, all, n);
	for (size_t i = 0; i < n; i++) {
		int flushed = flush_one_locked(vault, all[i]);

		if (flushed < 0)
			r = flushed;
		live_unref(all[i]);
	}
	return r;
}
