/* orphans.c - inodes without a name. See orphans.h.
 *
 * The set is a hash table with linear probing and a fixed size; ids that do not fit are only counted as missed. Hints
 * wait in a ring until there are enough for a change section, or for a moment. */
#include "orphans.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "auto.h"
#include "reply.h"

#define N_SLOTS 65536u		/* a power of two */
#define N_IDS_MAX (N_SLOTS / 2)
#define N_HINTS 32768u		/* a power of two, one for each id */
#define BATCH 100u		/* inodes purged in one change section */
#define LINGER_MS 50		/* how long hints gather */
#define SWEEP_MS 30000		/* how often the vault is asked while anything is left */
#define HINTED (1ull << 63)	/* in a slot: its id is in the ring; ids stay far below */

/* A request that is answered once the kernel has forgotten what it knows of inodes: of a rename the listings of what it moved,
 * of a removal from a view the attributes. */
struct moved {
	struct moved *next;
	fuse_req_t req;
	uint64_t ids[2];
	bool miscounted;	/* attributes only */
};

struct orphans {
	struct fs *fs;
	pthread_t thread;
	atomic_uint n_ids;		/* written under lock; orders nothing: an id is added before its FORGET can come */
	pthread_mutex_t lock;
	pthread_cond_t wake;		/* with lock: a hint came, a directory moved, n_ids left 0, or stopping */
	bool stopping;			/* guarded by lock */
	bool missed;			/* guarded by lock: the vault may know more than the set */
	struct moved *moved;		/* guarded by lock: a list */
	uint64_t *slots;		/* guarded by lock: N_SLOTS, 0 = free */
	unsigned first_hint, n_hints;	/* guarded by lock */
	uint64_t hints[N_HINTS];	/* guarded by lock: a ring */
};

static unsigned slot_home(uint64_t id)
{
	return (unsigned)((id * 0x9e3779b97f4a7c15ull) >> 48) & (N_SLOTS - 1);
}

/* The slot of `id`, or the free one where it would go. */
static unsigned slot_find_locked(const struct orphans *orphans, uint64_t id)
{
	unsigned i = slot_home(id);

	while (orphans->slots[i] != 0 && (orphans->slots[i] & ~HINTED) != id)
		i = (i + 1) & (N_SLOTS - 1);
	return i;
}

/* Free slot `hole`, and move up what was pushed behind it. */
static void slot_free_locked(struct orphans *orphans, unsigned hole)
{
	unsigned i = hole;

	for (;;) {
		unsigned home;

		i = (i + 1) & (N_SLOTS - 1);
		if (orphans->slots[i] == 0)
			break;
		home = slot_home(orphans->slots[i] & ~HINTED);
		if (((i - home) & (N_SLOTS - 1)) >= ((i - hole) & (N_SLOTS - 1))) {
			orphans->slots[hole] = orphans->slots[i];
			hole = i;
		}
	}
	orphans->slots[hole] = 0;
}

void orphans_add(struct orphans *orphans, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&orphans->lock);
	unsigned i = slot_find_locked(orphans, id);
	unsigned n = atomic_load_explicit(&orphans->n_ids, memory_order_relaxed);

	(void)held;
	if (orphans->slots[i] != 0)
		return;
	if (n >= N_IDS_MAX) {
		orphans->missed = true;
		return;
	}
	orphans->slots[i] = id;
	atomic_store_explicit(&orphans->n_ids, n + 1, memory_order_relaxed);
	if (n == 0)
		(void)pthread_cond_signal(&orphans->wake);
}

static void remove_id(struct orphans *orphans, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&orphans->lock);
	unsigned i = slot_find_locked(orphans, id);

	(void)held;
	if (orphans->slots[i] == 0)
		return;
	slot_free_locked(orphans, i);
	atomic_fetch_sub_explicit(&orphans->n_ids, 1, memory_order_relaxed);
}

void orphans_hint(struct orphans *orphans, uint64_t id)
{
	if (!orphans || atomic_load_explicit(&orphans->n_ids, memory_order_relaxed) == 0)
		return;

	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&orphans->lock);
	unsigned i = slot_find_locked(orphans, id);

	(void)held;
	if (orphans->slots[i] != id)
		return;		/* it has a name, or waits in the ring already */
	if (orphans->n_hints == N_HINTS) {
		orphans->missed = true;
		return;
	}
	orphans->slots[i] |= HINTED;
	orphans->hints[(orphans->first_hint + orphans->n_hints++) & (N_HINTS - 1)] = id;
	if (orphans->n_hints == 1 || orphans->n_hints == BATCH)
		(void)pthread_cond_signal(&orphans->wake);
}

static void add_moved(struct orphans *orphans, const struct moved *added)
{
	struct moved *moved = malloc(sizeof(*moved));

	if (!moved) {	/* it is done; only what the kernel knows may be old for a while */
		(void)log_err(-ENOMEM, "no memory to tell of a change");
		reply_done(added->req, 0);
		return;
	}
	*moved = *added;

	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&orphans->lock);

	(void)held;
	moved->next = orphans->moved;
	orphans->moved = moved;
	(void)pthread_cond_signal(&orphans->wake);
}

void orphans_moved(struct orphans *orphans, fuse_req_t req, const uint64_t ids[2])
{
	add_moved(orphans, &(struct moved){ .req = req, .ids = { ids[0], ids[1] } });
}

void orphans_miscounted(struct orphans *orphans, fuse_req_t req, uint64_t id)
{
	add_moved(orphans, &(struct moved){ .req = req, .ids = { id, 0 }, .miscounted = true });
}

/* 0, 0: all of what is cached; -1, 0: attributes only. The kernel may not know it any more. */
static void forget_cached(struct orphans *orphans, const struct moved *moved)
{
	for (int i = 0; i < 2; i++) {
		if (moved->ids[i] != 0)
			(void)fuse_lowlevel_notify_inval_inode(orphans->fs->session, moved->ids[i],
							       moved->miscounted ? -1 : 0, 0);
	}
}

static void serve_moved(struct orphans *orphans)
{
	struct moved *moved;

	(void)pthread_mutex_lock(&orphans->lock);
	moved = TAKE(orphans->moved);
	(void)pthread_mutex_unlock(&orphans->lock);
	while (moved) {
		AUTO(free) struct moved *done = moved;

		moved = done->next;
		forget_cached(orphans, done);
		reply_done(done->req, 0);
		if (done->miscounted)	/* who asked for them in between may have the old count, less one */
			forget_cached(orphans, done);
	}
}

/* Ask the kernel about `n` ids and purge those it does not know. */
static void purge_forgotten(struct orphans *orphans, const uint64_t *ids, size_t n)
{
	struct fs *fs = orphans->fs;
	uint64_t forgotten[BATCH];
	size_t n_forgotten = 0;

	for (size_t i = 0; i < n; i++) {
		/* -1, 0: drop attributes only, so that asking about a file in use costs nothing. */
		if (fuse_lowlevel_notify_inval_inode(fs->session, ids[i], -1, 0) == -ENOENT)
			forgotten[n_forgotten++] = ids[i];
	}
	if (n_forgotten == 0)
		return;
	vault_change_begin(fs->vault, 0);
	for (size_t i = 0; i < n_forgotten; i++) {
		int r = vault_purge(fs->vault, forgotten[i]);

		if (r == 0 || r == -ENOENT)
			remove_id(orphans, forgotten[i]);
	}	/* -EBUSY: not released yet, which is the next hint */
	vault_change_end(fs->vault);
}

static bool is_stopping(struct orphans *orphans)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&orphans->lock);

	(void)held;
	return orphans->stopping;
}

/* Ask about every inode without a name that the vault knows. */
static void sweep(struct orphans *orphans)
{
	uint64_t ids[BATCH];
	uint64_t after = 0;
	int n;

	(void)pthread_mutex_lock(&orphans->lock);
	orphans->missed = false;
	(void)pthread_mutex_unlock(&orphans->lock);
	while (!is_stopping(orphans) && (n = vault_orphans(orphans->fs->vault, after, ids, BATCH)) > 0) {
		serve_moved(orphans);
		purge_forgotten(orphans, ids, (size_t)n);
		after = ids[n - 1];
	}
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);	/* fails only for an unknown clock */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_until_locked(struct orphans *orphans, int64_t ms)
{
	struct timespec until = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)pthread_cond_timedwait(&orphans->wake, &orphans->lock, &until);	/* the caller looks again */
}

/* Wait for hints, for directories that move, or until it is time to sweep, at `sweep_ms`. Returns how many hints were moved
 * to `ret_ids`, up to BATCH, or -1 for a sweep. */
static int wait_for_work_locked(struct orphans *orphans, int64_t sweep_ms, uint64_t *ret_ids)
{
	int64_t linger_ms = 0;
	int n;

	while (!orphans->stopping && !orphans->moved && orphans->n_hints < BATCH) {
		int64_t now = now_ms();

		if (orphans->n_hints > 0 && linger_ms == 0)
			linger_ms = now + LINGER_MS;
		if (orphans->n_hints > 0 && now >= linger_ms)
			break;
		if (orphans->n_hints > 0) {
			wait_until_locked(orphans, linger_ms);
		} else if (atomic_load_explicit(&orphans->n_ids, memory_order_relaxed) > 0 || orphans->missed) {
			if (now >= sweep_ms)
				return -1;
			wait_until_locked(orphans, sweep_ms);
		} else {
			(void)pthread_cond_wait(&orphans->wake, &orphans->lock);
		}
	}
	for (n = 0; n < (int)BATCH && orphans->n_hints > 0; n++) {
		uint64_t id = orphans->hints[orphans->first_hint];
		unsigned i = slot_find_locked(orphans, id);

		/* A hint that comes from now on counts anew. */
		orphans->slots[i] &= ~HINTED;
		orphans->first_hint = (orphans->first_hint + 1) & (N_HINTS - 1);
		orphans->n_hints--;
		ret_ids[n] = id;
	}
	return n;
}

/* Work on hints until it is time to sweep again. Returns false when the thread is to end. */
static bool serve_hints(struct orphans *orphans, int64_t sweep_ms)
{
	uint64_t ids[BATCH];
	int n;

	for (;;) {
		(void)pthread_mutex_lock(&orphans->lock);
		n = wait_for_work_locked(orphans, sweep_ms, ids);
		(void)pthread_mutex_unlock(&orphans->lock);
		serve_moved(orphans);
		if (is_stopping(orphans))
			return false;
		if (n < 0)
			return true;
		purge_forgotten(orphans, ids, (size_t)n);
	}
}

static void *orphans_thread(void *argument)
{
	struct orphans *orphans = argument;

	(void)pthread_setname_np(pthread_self(), "vaultfs-notify");	/* only for people who look */
	do
		sweep(orphans);
	while (serve_hints(orphans, now_ms() + SWEEP_MS));
	return NULL;
}

int orphans_start(struct fs *fs)
{
	struct orphans *orphans = calloc(1, sizeof(*orphans));
	pthread_condattr_t monotonic;
	int r;

	if (orphans)
		orphans->slots = calloc(N_SLOTS, sizeof(orphans->slots[0]));
	if (!orphans || !orphans->slots) {
		free(orphans);
		return log_err(-ENOMEM, "no memory for the unlinked inodes");
	}
	orphans->fs = fs;
	(void)pthread_mutex_init(&orphans->lock, NULL);	/* none of these can fail with these attributes */
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&orphans->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	r = -pthread_create(&orphans->thread, NULL, orphans_thread, orphans);
	if (r < 0) {
		free(orphans->slots);
		free(orphans);
		return log_err(r, "cannot start the notifier thread: ");
	}
	fs->orphans = orphans;
	return 0;
}

void orphans_free(struct orphans *orphans)
{
	if (!orphans)
		return;
	(void)pthread_mutex_lock(&orphans->lock);
	orphans->stopping = true;
	(void)pthread_cond_signal(&orphans->wake);
	(void)pthread_mutex_unlock(&orphans->lock);
	(void)pthread_join(orphans->thread, NULL);
	serve_moved(orphans);	/* nobody waits for it any more, but libfuse wants each request back */
	(void)pthread_cond_destroy(&orphans->wake);
	(void)pthread_mutex_destroy(&orphans->lock);
	free(orphans->slots);
	free(orphans);
}

void orphans_purge_all(struct fs *fs)
{
	uint64_t ids[BATCH];
	uint64_t after = 0;
	int n;

	while ((n = vault_orphans(fs->vault, after, ids, BATCH)) > 0) {
		vault_change_begin(fs->vault, 0);
		for (int i = 0; i < n; i++)
			(void)vault_purge(fs->vault, ids[i]);	/* one that stays is found by the next mount */
		vault_change_end(fs->vault);
		after = ids[n - 1];
	}
}
