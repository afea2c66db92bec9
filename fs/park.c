/* park.c - requests that have to wait.
 *
 * vault_change_try() said no: a commit is at its gate, or too much is undrained. The request is kept here with its whole
 * message, in order, and one thread, which may wait, carries the requests out. It takes all that is there at once: from
 * then on new requests may try for themselves again, so that a short gate does not leave everything on one thread. */
#include "park.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "loop.h"

/* Beyond this the receiving threads wait after all: the kernel may send any number of writes, memory is bounded. */
#define PARK_MAX_BYTES (48u << 20)
#define COPY_MAX 65536		/* larger messages are taken with their buffer */
#define N_SPARE 8		/* buffers kept for the next large ones */

struct parked {
	struct parked *next;
	int (*change)(struct vault *vault, uint64_t id);	/* of park_change(), for `id`; NULL: */
	uint64_t id;
	struct wire_request request;
	char *raw;		/* owned */
	size_t size;
	size_t held;		/* bytes of memory it holds */
};

struct park {
	struct fs *fs;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t arrived;		/* with lock: first is set, or stopping */
	pthread_cond_t room;		/* with lock: n_bytes fell, or stopping */
	struct parked *first, **last;	/* guarded by lock: not yet taken by the thread */
	atomic_bool empty;		/* first == NULL; written under lock */
	size_t n_bytes;			/* guarded by lock: held by all that are not carried out yet */
	bool stopping;			/* guarded by lock */
	char *spare[N_SPARE];		/* guarded by lock */
	unsigned n_spare;		/* guarded by lock */
};

bool park_is_empty(const struct park *park)
{
	return atomic_load_explicit(&park->empty, memory_order_relaxed);
}

static char *spare_take(struct park *park)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&park->lock);

	(void)held;
	return park->n_spare > 0 ? park->spare[--park->n_spare] : NULL;
}

/* Give the memory of a request back, all but the one that a large one leaves for the next. */
static void parked_free(struct park *park, struct parked *parked)
{
	char *raw = parked->raw;

	(void)pthread_mutex_lock(&park->lock);
	if (parked->held == FS_BUFFER_SIZE && park->n_spare < N_SPARE) {
		park->spare[park->n_spare++] = raw;
		raw = NULL;
	}
	park->n_bytes -= parked->held;
	(void)pthread_cond_broadcast(&park->room);
	(void)pthread_mutex_unlock(&park->lock);
	free(raw);
	free(parked);
}

/* Move the message out of *raw. */
static struct parked *parked_new(struct park *park, const struct wire_request *request, char **raw, size_t size)
{
	AUTO(free) struct parked *parked = malloc(sizeof(*parked));
	bool large = size > COPY_MAX;
	char *other = large ? spare_take(park) : NULL;

	if (!other)
		other = malloc(large ? FS_BUFFER_SIZE : size);
	if (!parked || !other) {
		free(other);
		return NULL;
	}
	*parked = (struct parked){ .request = *request, .raw = other, .size = size, .held = size };
	if (large) {
		parked->raw = *raw;
		parked->held = FS_BUFFER_SIZE;
		*raw = other;
	} else {
		memcpy(other, *raw, size);
	}
	return TAKE(parked);
}

static void append_locked(struct park *park, struct parked *parked)
{
	park->n_bytes += parked->held;
	*park->last = parked;
	park->last = &parked->next;
	atomic_store_explicit(&park->empty, false, memory_order_relaxed);
	(void)pthread_cond_signal(&park->arrived);
}

void park_request(struct park *park, const struct wire_request *request, char **raw, size_t size)
{
	struct parked *parked = parked_new(park, request, raw, size);

	if (!parked) {
		(void)log_err(-ENOMEM, "no memory to keep a request of %zu bytes waiting", size);
		wire_refuse(fuse_session_fd(park->fs->session), request->unique, ENOMEM);
		if (request->from_cache)
			atomic_fetch_add(&park->fs->n_cache_writes_done, 1);
		return;
	}
	(void)pthread_mutex_lock(&park->lock);
	while (park->n_bytes > PARK_MAX_BYTES && !park->stopping)
		(void)pthread_cond_wait(&park->room, &park->lock);
	append_locked(park, parked);
	(void)pthread_mutex_unlock(&park->lock);
}

void park_change(struct park *park, int (*change)(struct vault *vault, uint64_t id), uint64_t id)
{
	struct parked *parked = calloc(1, sizeof(*parked));

	if (!parked) {
		(void)log_err(-ENOMEM, "inode %" PRIu64 ": no memory to remember a change of it", id);
		return;
	}
	parked->change = change;
	parked->id = id;
	(void)pthread_mutex_lock(&park->lock);
	append_locked(park, parked);
	(void)pthread_mutex_unlock(&park->lock);
}

/* All that wait, first one first; NULL when the session is over. */
static struct parked *take_all(struct park *park)
{
	struct parked *all;

	(void)pthread_mutex_lock(&park->lock);
	while (!park->first && !park->stopping)
		(void)pthread_cond_wait(&park->arrived, &park->lock);
	all = park->stopping ? NULL : park->first;
	if (all) {
		park->first = NULL;
		park->last = &park->first;
		atomic_store_explicit(&park->empty, true, memory_order_relaxed);
	}
	(void)pthread_mutex_unlock(&park->lock);
	return all;
}

static void carry_out(struct park *park, struct parked *parked)
{
	struct fs *fs = park->fs;

	vault_change_begin(fs->vault, parked->request.n_bytes);
	if (parked->change)
		(void)parked->change(fs->vault, parked->id);	/* logged, and nobody waits for it */
	else
		worker_serve(fs, &parked->request, parked->raw, parked->size);
	vault_change_end(fs->vault);
	if (parked->request.from_cache)
		atomic_fetch_add(&fs->n_cache_writes_done, 1);
}

static void *park_thread(void *argument)
{
	struct park *park = argument;
	struct parked *all;
	struct worker worker;

	(void)pthread_setname_np(pthread_self(), "vaultfs-park");	/* only for people who look */
	worker_enter(&worker, NULL);
	while ((all = take_all(park))) {
		while (all) {
			struct parked *next = all->next;

			carry_out(park, all);
			parked_free(park, all);
			all = next;
		}
	}
	worker_leave();
	return NULL;
}

int park_start(struct fs *fs)
{
	struct park *park = calloc(1, sizeof(*park));
	int r;

	if (!park)
		return log_err(-ENOMEM, "no memory for the waiting requests");
	park->fs = fs;
	park->last = &park->first;
	atomic_init(&park->empty, true);
	(void)pthread_mutex_init(&park->lock, NULL);	/* with default attributes they cannot fail */
	(void)pthread_cond_init(&park->arrived, NULL);
	(void)pthread_cond_init(&park->room, NULL);
	r = -pthread_create(&park->thread, NULL, park_thread, park);
	if (r < 0) {
		free(park);
		return log_err(r, "cannot start the thread for waiting requests: ");
	}
	fs->park = park;
	return 0;
}

void park_stop(struct park *park)
{
	(void)pthread_mutex_lock(&park->lock);
	park->stopping = true;
	(void)pthread_cond_broadcast(&park->arrived);
	(void)pthread_cond_broadcast(&park->room);
	(void)pthread_mutex_unlock(&park->lock);
}

void park_wait(struct park *park)
{
	(void)pthread_join(park->thread, NULL);
}

void park_free(struct park *park)
{
	if (!park)
		return;
	while (park->first) {
		struct parked *next = park->first->next;

		parked_free(park, park->first);
		park->first = next;
	}
	while (park->n_spare > 0)
		free(park->spare[--park->n_spare]);
	(void)pthread_cond_destroy(&park->arrived);
	(void)pthread_cond_destroy(&park->room);
	(void)pthread_mutex_destroy(&park->lock);
	free(park);
}
