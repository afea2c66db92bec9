/* drain.c - from the write buffer to extents: operations, the workers' part of them, and waiting for them.
 *
 * Operations are stored as chunks in any order, but extents change strictly in the order of an inode's list, so that the
 * newest write wins whichever worker is faster. */
#include <errno.h>
#include <stdlib.h>

#include "commit.h"
#include "file.h"
#include "inodes.h"
#include "live_internal.h"

#define SMALL (64u << 10)	/* bytes of content that are stored where they are met: a hand-over costs more */
#define TRIM_ROWS 2000u		/* extents removed under one hold of the metadata lock */
#define OPERATION_COST 512u	/* bytes of memory that an operation takes besides its content */
#define N_SMALL 8		/* so many of them; more are worth the workers */

/* ---- waiting ---- */

static void tell_waiting(struct live_table *table)
{
	if (table->n_waiting == 0)
		return;
	(void)pthread_mutex_lock(&table->wait_lock);
	table->n_tellings++;
	(void)pthread_cond_broadcast(&table->applied);
	(void)pthread_mutex_unlock(&table->wait_lock);
}

/* ---- applying ---- */

/* Remove some of what stands behind `from`. 1 there is more, 0 nothing is left. */
int tail_trim_locked(struct live_inode *inode, uint64_t from)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct vault *vault = inode->vault;
	int64_t mapped = 0;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = manifest_trim_locked(vault, inode->manifest_id, from, TRIM_ROWS, &mapped);
	if (r >= 0 && mapped != 0) {
		int added = inode_add_mapped_locked(vault, inode->id, mapped);

		r = added < 0 ? added : r;
	}
	return r;
}

/* Where little is kept it is copied to a new manifest: the old one's rows are dropped in slices by the janitor. 1 done, 0 it
 * is too much. */
static int keep_head(struct live_inode *inode, uint64_t from)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { NULL };
	struct vault *vault = inode->vault;
	int64_t mapped = 0;
	uint64_t copied = 0, manifest;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = savepoint_begin(&vault->db, &all);
	if (r < 0)
		return r;
	manifest = vault_new_id_locked(vault);
	if (from > 0)
		r = manifest_copy_locked(vault, inode->manifest_id, 0, manifest, 0, from, TRIM_ROWS, &copied, &mapped);
	if (r < 0 || copied < from)
		return r;
	r = manifest_drop_locked(vault, inode->manifest_id);
	if (r == 0)
		r = inode_set_manifest_locked(vault, inode->id, manifest, (uint64_t)mapped);
	if (r == 0)
		r = savepoint_commit(&all);
	if (r < 0)
		return r;
	inode->manifest_id = manifest;
	return 1;
}

/* What is left behind the end of a file that did not grow since is hidden by its size: file.c takes it away in changes of
 * their own, so that commits can come between. */
static int apply_trim(struct live_inode *inode, const struct operation *operation)
{
	int r = tail_trim_locked(inode, operation->offset);

	if (r <= 0)
		return r;
	r = keep_head(inode, operation->offset);
	if (r != 0)
		return r < 0 ? r : 0;
	if (!operation->next && inode->n_segments == 0 && live_size(inode) <= operation->offset) {
		inode->tail_clean = false;
		return 0;
	}
	do
		r = tail_trim_locked(inode, operation->offset);
	while (r > 0);
	return r;
}

/* A hole, in halves where it would touch too many rows at once. */
static int apply_hole(struct live_inode *inode, uint64_t offset, uint64_t length)
{
	struct vault *vault = inode->vault;
	int r;

	{
		AUTO(unlock) pthread_mutex_t *held = NULL;
		int64_t mapped = 0;

		r = commit_lock(vault, &held);
		if (r == 0)
			r = manifest_replace_locked(vault, inode->manifest_id, offset, length, 0, 0, &mapped);
		if (r == 0 && mapped != 0)
			r = inode_add_mapped_locked(vault, inode->id, mapped);
	}
	if (r != -E2BIG)
		return r;
	r = apply_hole(inode, offset, length / 2);
	return r < 0 ? r : apply_hole(inode, offset + length / 2, length - length / 2);
}

static int try_store(struct live_inode *inode, const struct operation *operation)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct vault *vault = inode->vault;
	int64_t mapped = 0;
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = manifest_replace_locked(vault, inode->manifest_id, operation->offset, operation->length,
					    operation->chunk.id, 0, &mapped);
	if (r == 0 && mapped != 0)
		r = inode_add_mapped_locked(vault, inode->id, mapped);
	return r;
}

/* Where it would replace too many rows at once they go first. No commit comes in between: it waits for the operation. */
static int apply_store(struct live_inode *inode, const struct operation *operation)
{
	int r = try_store(inode, operation);

	if (r != -E2BIG)
		return r;
	r = apply_hole(inode, operation->offset, operation->length);
	return r < 0 ? r : try_store(inode, operation);
}

static int apply(struct live_inode *inode, const struct operation *operation)
{
	switch (operation->kind) {
	case OPERATION_STORE:
		return apply_store(inode, operation);
	case OPERATION_HOLE:
		return apply_hole(inode, operation->offset, operation->length);
	case OPERATION_TRIM:
		return apply_trim(inode, operation);
	}
	return -EINVAL;
}

/* Whoever drains meets it, and tries again; nobody else makes room of it. */
static void set_error(struct operation *operation, int r)
{
	operation->error = r;
	operation->inode->vault->live->stuck = true;
}

static void free_operation(struct operation *operation)
{
	free(operation->data);
	free(operation);
}

void operations_free(struct live_inode *inode)
{
	struct operation *operation;

	while ((operation = inode->operations) != NULL) {
		inode->operations = operation->next;
		free_operation(operation);
	}
}

/* Take the operation at the head off the list: extents say it now. */
static void retire_head(struct live_inode *inode)
{
	struct live_table *table = inode->vault->live;
	struct operation *operation = inode->operations;

	inode->operations = operation->next;
	if (!inode->operations)
		inode->operations_end = &inode->operations;
	inode->n_applied = operation->number;
	if (operation->kind == OPERATION_STORE) {
		table->undrained -= operation->length;
		table->storing -= operation->length;
		table->n_stores--;
		live_add_unmapped(inode, -(int64_t)operation->length);
	}
	free_operation(operation);
	live_unref(inode);	/* not the last one: the caller has one too */
}

void operations_apply_locked(struct live_inode *inode)
{
	bool applied = false;

	while (inode->operations && inode->operations->done && !inode->operations->queued) {
		int r = apply(inode, inode->operations);

		if (r < 0) {
			set_error(inode->operations, r);
			break;
		}
		retire_head(inode);
		applied = true;
	}
	if (applied) {
		free(TAKE(inode->window));
		inode->n_window = 0;
	}
}

/* ---- storing ---- */

/* Store what the operation holds, then apply what can be. Owns the operation's reference of the inode till then. */
static void run_store(struct job *job, struct codec_context *codec)
{
	struct operation *operation = (struct operation *)job;	/* its first member */
	struct live_inode *inode = live_ref(operation->inode);
	struct vault *vault = inode->vault;
	int r = chunk_store(vault, codec, operation->data, (uint32_t)operation->length, &operation->chunk);

	if (r == 0) {
		packs_unreserve(vault->packs, operation->reserved);
		operation->reserved = 0;
	}
	(void)pthread_mutex_lock(&inode->lock);
	operation->queued = false;
	operation->done = r == 0;
	if (r < 0) {
		set_error(operation, r);
		live_set_dirty(inode);	/* the next drain tries again */
	}
	operations_apply_locked(inode);
	(void)pthread_mutex_unlock(&inode->lock);
	tell_waiting(vault->live);
	commit_room(vault);
	announce_if_idle(inode);
	live_unref(inode);
}

static void queue(struct live_inode *inode, struct operation *operation)
{
	operation->queued = true;
	operation->drain = inode->n_drains;
	operation->error = 0;
	workers_submit(inode->vault->workers, operation->length > SMALL ? WORKERS_STORE : WORKERS_SMALL, &operation->job);
}

void operations_queue_locked(struct live_inode *inode)
{
	for (struct operation *o = inode->operations; o; o = o->next)
		if (!o->done && !o->queued && o->error == 0)
			queue(inode, o);
}

int operation_add_locked(struct live_inode *inode, enum operation_kind kind, uint64_t offset, uint64_t length,
			 uint8_t *data, uint64_t reserved)
{
	struct operation *operation = calloc(1, sizeof(*operation));

	if (!operation)
		return log_err(-ENOMEM, "%s: no memory to store what was written", inode->vault->path);
	operation->job.run = run_store;
	operation->inode = live_ref(inode);
	operation->kind = kind;
	operation->number = ++inode->n_operations;
	operation->offset = offset;
	operation->length = length;
	operation->data = data;
	operation->reserved = reserved;
	*inode->operations_end = operation;
	inode->operations_end = &operation->next;
	if (kind == OPERATION_STORE) {
		inode->vault->live->n_stores++;
		inode->vault->live->storing += length;
		return 0;
	}
	operation->done = true;
	operations_apply_locked(inode);
	if (inode->operations)
		live_set_dirty(inode);
	return 0;
}

/* ---- draining ---- */

/* What a drain waits for. */
struct drain {
	uint64_t number;	/* operations up to this one */
	uint64_t since;		/* the inode's n_drains: a try that began before does not count */
};

/* Is all applied (1), or did something fail (its errno)? 0: neither yet. What a worker had taken up earlier, and failed
 * with, is tried again: whoever asks is told how it is now. */
static int look_locked(struct live_inode *inode, const struct drain *drain)
{
	if (inode->n_applied >= drain->number)
		return 1;
	for (struct operation *o = inode->operations; o && o->number <= drain->number; o = o->next) {
		if (o->error == 0 || o->queued)
			continue;
		if (o->done || o->drain >= drain->since)
			return o->error;
		queue(inode, o);
	}
	return 0;
}

static int look(struct live_inode *inode, const struct drain *drain)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&inode->lock);

	return look_locked(inode, drain);
}

static int wait_applied(struct live_inode *inode, const struct drain *drain)
{
	struct live_table *table = inode->vault->live;
	int r = look(inode, drain);

	table->n_waiting++;	/* from here on whoever applies something counts it */
	while (r == 0) {
		uint64_t seen;

		if (workers_help(inode->vault->workers)) {
			r = look(inode, drain);
			continue;
		}
		(void)pthread_mutex_lock(&table->wait_lock);
		seen = table->n_tellings;
		(void)pthread_mutex_unlock(&table->wait_lock);
		r = look(inode, drain);
		(void)pthread_mutex_lock(&table->wait_lock);
		while (r == 0 && table->n_tellings == seen)
			(void)pthread_cond_wait(&table->applied, &table->wait_lock);
		(void)pthread_mutex_unlock(&table->wait_lock);
		if (r == 0)
			r = look(inode, drain);
	}
	table->n_waiting--;
	return r < 0 ? r : 0;
}

/* The next operation that is small, nobody's, and first of few: to be stored on this thread. */
static struct operation *take_small_locked(struct live_inode *inode)
{
	struct operation *first = NULL;
	unsigned n = 0;

	for (struct operation *o = inode->operations; o; o = o->next) {
		if (o->done || o->queued || o->error < 0)
			continue;	/* one that failed is for the next drain */
		if (o->length > SMALL || ++n > N_SMALL)
			return NULL;
		if (!first)
			first = o;
	}
	if (first) {
		first->queued = true;
		first->drain = inode->n_drains;
	}
	return first;
}

/* Store a few small operations here and now: a hand-over to a worker costs more than the work. The inode's lock is held,
 * and let go meanwhile. */
static void store_small_locked(struct live_inode *inode)
{
	struct live_table *table = inode->vault->live;
	struct operation *small;

	if (pthread_mutex_trylock(&table->inline_lock) != 0)
		return;		/* somebody else is at it: the workers do these */
	while ((small = take_small_locked(inode)) != NULL) {
		(void)pthread_mutex_unlock(&inode->lock);
		run_store(&small->job, table->inline_codec);
		(void)pthread_mutex_lock(&inode->lock);
	}
	(void)pthread_mutex_unlock(&table->inline_lock);
}

/* Turn everything buffered into operations, and try failed ones again. */
static int begin_drain(struct live_inode *inode, struct drain *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&inode->lock);
	int r = buffer_emit_locked(inode, !live_is_open(inode));

	for (struct operation *o = inode->operations; o; o = o->next)
		if (!o->queued)
			o->error = 0;
	*ret = (struct drain){ .number = inode->n_operations, .since = ++inode->n_drains };
	store_small_locked(inode);
	operations_queue_locked(inode);
	operations_apply_locked(inode);
	if (r < 0)
		live_set_dirty(inode);
	return r;
}

static int finish_drain(struct live_inode *inode, const struct drain *drain)
{
	int r = wait_applied(inode, drain);

	if (r < 0)
		live_set_dirty(inode);
	return r;
}

int drain_inode(struct live_inode *inode)
{
	struct drain drain;
	int r = begin_drain(inode, &drain);

	return r < 0 ? r : finish_drain(inode, &drain);
}

uint64_t file_undrained(const struct vault *vault)
{
	return vault->live->undrained + vault->live->n_stores * OPERATION_COST;
}

uint64_t file_buffered(const struct vault *vault)
{
	uint64_t storing = vault->live->storing, undrained = vault->live->undrained;

	return undrained > storing ? undrained - storing : 0;
}

bool file_is_stuck(const struct vault *vault)
{
	return vault->live->stuck;
}

/* All inodes that are on the dirty list now; those that writers put there meanwhile are for another time. */
static struct live_inode **take_all_dirty(struct live_table *table, size_t *ret_n)
{
	size_t room = live_n_dirty(table);
	struct live_inode **all = calloc(room + 1, sizeof(struct live_inode *));

	*ret_n = all ? live_take_dirty(table, all, room) : 0;
	return all;
}

int file_drain_all(struct vault *vault)
{
	size_t n = 0;
	AUTO(free) struct live_inode **all = take_all_dirty(vault->live, &n);
	AUTO(free) struct drain *drains = calloc(n + 1, sizeof(*drains));
	int r = 0;

	vault->live->stuck = false;	/* before the tries: what fails again sets it again */
	if (!all || !drains)
		r = log_err(-ENOMEM, "%s: no memory to drain", vault->path);
	for (size_t i = 0; i < n; i++) {
		int begun = r == -ENOMEM ? r : begin_drain(all[i], &drains[i]);

		if (begun < 0)
			r = begun;
	}
	for (size_t i = 0; i < n; i++) {
		int done = drains && drains[i].number ? finish_drain(all[i], &drains[i]) : 0;

		if (done < 0)
			r = done;
		live_set_dirty(all[i]);	/* live_flush_locked() writes their attributes back */
		live_unref(all[i]);
	}
	return r;
}
